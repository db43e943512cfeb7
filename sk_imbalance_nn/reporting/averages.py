"""What do classes come to on average? The mean of lines, over those where a metric is defined."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sk_imbalance_nn.decisions.counts import Values
from sk_imbalance_nn.reporting.line import NAN, ReportLine

_NOT_AVERAGED = ("support", "threshold", "alarms", "hits", "misses", "false_alarms")


def macro(lines: Sequence[ReportLine]) -> ReportLine:
    """Average lines, each as much as the others.

    Parameters
    ----------
    lines : sequence of ReportLine
        One for each class or label.

    Returns
    -------
    ReportLine
        "macro": each metric's mean over the lines where it is defined; counts are NaN.
    """
    return _mean_of(lines, "macro", np.ones(len(lines)))


def weighted(lines: Sequence[ReportLine]) -> ReportLine:
    """Average lines, each by its support.

    Parameters
    ----------
    lines : sequence of ReportLine
        One for each class.

    Returns
    -------
    ReportLine
        "weighted": each metric's mean over the lines where it is defined; counts are NaN.
    """
    return _mean_of(lines, "weighted", np.array([line.values["support"] for line in lines]))


def _mean_of(lines: Sequence[ReportLine], name: str, weight: Values) -> ReportLine:
    first = lines[0]
    values = {
        metric: NAN
        if metric in _NOT_AVERAGED
        else _mean([line.values[metric] for line in lines], weight)
        for metric in first.values
    }
    chance = {
        metric: _mean([line.chance[metric] for line in lines], weight) for metric in first.chance
    }
    return ReportLine(name, values, chance)


def _mean(numbers: Sequence[float], weight: Values) -> float:
    """Return the mean of the numbers that are defined."""
    defined = ~np.isnan(numbers)
    if not weight[defined].any():
        return NAN
    return float(np.average(np.asarray(numbers)[defined], weights=weight[defined]))
