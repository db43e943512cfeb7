"""What does a report say of one class? A line of metrics, each with its chance level."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

NAN = float("nan")


class ReportLine(NamedTuple):
    """What one class or label, an average, or all classes at once come to.

    Parameters
    ----------
    name : object
        The label of the class, the name of the label, or that of the average.
    values : mapping of str to float
        Each metric; NaN where it is undefined.
    chance : mapping of str to float
        What each metric comes to without knowledge, for those that have such a level.
    """

    name: Any
    values: Mapping[str, float]
    chance: Mapping[str, float]

    def to_dict(self) -> dict[str, float]:
        """Return the metrics, each followed by its chance level.

        Returns
        -------
        dict of str to float
            A new one, with the keys ``<metric>`` and ``<metric>_chance``.
        """
        found = {}
        for metric, value in self.values.items():
            found[metric] = value
            if metric in self.chance:
                found[f"{metric}_chance"] = self.chance[metric]
        return found


def line_of(name: Any, values: Mapping[str, Any], chance: Mapping[str, Any]) -> ReportLine:
    """Return a line of plain floats, in which what is undefined has no chance level either.

    Parameters
    ----------
    name : object
        What the line is about.
    values : mapping of str to number
        Each metric; NaN where it is undefined.
    chance : mapping of str to number
        Chance levels of some of them.

    Returns
    -------
    ReportLine
        The line.
    """
    return ReportLine(
        name,
        {metric: float(value) for metric, value in values.items()},
        {
            metric: NAN if np.isnan(values[metric]) else float(level)
            for metric, level in chance.items()
        },
    )
