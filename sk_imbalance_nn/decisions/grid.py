"""Which thresholds are worth a look, where each look is a call? Grids, and scorers on them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from sk_imbalance_nn.decisions.counts import Values
from sk_imbalance_nn.decisions.cuts import Mask
from sk_imbalance_nn.decisions.objectives import share
from sk_imbalance_nn.decisions.rules import Codes
from sk_imbalance_nn.decisions.selection import Curve
from sk_imbalance_nn.decisions.sweep import Sweep

# Takes decisions about all rows, and the rows to score them on.
Score = Callable[[Codes, Mask], float]


def grid_of(sweep: Sweep, n_thresholds: int) -> Values:
    """Return quantiles of the scores, as if both classes were equally frequent.

    Of rare positives, plain quantiles would see nothing but the tail.

    Parameters
    ----------
    sweep : Sweep
        The scores and their classes.
    n_thresholds : int
        How many, at most; fewer where scores are equal.

    Returns
    -------
    ndarray of shape (n_thresholds + 1,)
        Descending, between the scores, from none positive to all.
    """
    counts, thresholds = sweep.pooled, sweep.cuts.thresholds(sweep.lowest)
    if n_thresholds >= len(thresholds) - 1:
        return thresholds
    true_alarms = counts.hits[1]
    false_alarms = counts.predicted[1] - true_alarms
    level = share(true_alarms, true_alarms[-1:]) + share(false_alarms, false_alarms[-1:])
    wanted = np.linspace(0, level[-1], n_thresholds + 1)
    grid: Values = thresholds[np.unique(np.searchsorted(level, wanted).clip(max=len(level) - 1))]
    return grid


def scored_curve(sweep: Sweep, thresholds: npt.ArrayLike, score: Score) -> Curve:
    """Evaluate a scorer that can only be called.

    Parameters
    ----------
    sweep : Sweep
        The rows, how folds are put together, and the constraint; its objective is not used.
    thresholds : array-like of shape (k,)
        Where.
    score : callable
        The scorer.

    Returns
    -------
    Curve
        Its thresholds descend. The standard error is that of the mean over folds; 0 for one.
    """
    rows = sweep.rows
    exact = sweep.curve(thresholds)
    folds, everything = list(rows.folds()), np.ones(len(rows), dtype=bool)

    def at(threshold: float, parts: list[Mask]) -> list[float]:
        decided = (rows.scores >= threshold).astype(np.intp)
        return [score(decided, part) for part in parts]

    def over_folds() -> Values:
        return np.array([at(threshold, folds) for threshold in exact.thresholds]).T

    def error_at(position: int) -> float:
        if len(folds) == 1:
            return 0.0
        values = at(exact.thresholds[position], folds)
        return float(np.nan_to_num(np.std(values, ddof=1)) / np.sqrt(len(folds)))

    parts = folds if sweep.aggregate == "mean" else [everything]
    values = np.array([np.mean(at(threshold, parts)) for threshold in exact.thresholds])
    return Curve(
        exact.thresholds, values, exact.alarm_rate, over_folds, error_at, lacking=exact.lacking
    )
