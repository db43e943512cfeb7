"""Which of many nearly equal choices? The middle of those that chance cannot tell from the best."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from sk_imbalance_nn.decisions.counts import Values


@dataclass(frozen=True)
class Curve:
    """An objective at many thresholds.

    Parameters
    ----------
    thresholds : ndarray of shape (n_thresholds,)
        Descending.
    values : ndarray of shape (n_thresholds,)
        The objective at each: the more, the better; NaN or minus infinity where it is none.
    alarm_rate : ndarray of shape (n_thresholds,)
        Share of rows that each calls positive.
    over_folds : callable
        Returns the objective in each fold, of shape (n_folds, n_thresholds).
    error_at : callable
        Takes a position, returns the standard error of the objective there.
    lacking : ndarray of shape (n_thresholds,), optional
        How far each is from a constraint.
    """

    thresholds: Values
    values: Values
    alarm_rate: Values
    over_folds: Callable[[], Values]
    error_at: Callable[[int], float]
    lacking: Values | None = None


def select(curve: Curve, width: float) -> int:
    """Choose a threshold.

    The best value of an estimated curve is a lottery where few rows carry it. So look at all
    thresholds whose value lies within `width` standard errors of the best, after the rule of one
    standard error (Breiman, Friedman, Olshen, Stone 1984, section 3.4.3), and take the middle:
    halfway between the fewest and the most alarms among them, by the log odds of an alarm.

    Parameters
    ----------
    curve : Curve
        Objective and constraint.
    width : float
        In standard errors of the best value; 0 takes the middle of those equal to the best.

    Returns
    -------
    int
        Position of the chosen threshold.
    """
    values = eligible(curve.values, curve.lacking)
    return middle(values >= values.max() - tolerance_of(curve, width), curve.alarm_rate)


def tolerance_of(curve: Curve, width: float) -> float:
    """Return how far from the best a value may be.

    Parameters
    ----------
    curve : Curve
        Objective and constraint.
    width : float
        In standard errors.

    Returns
    -------
    float
        In units of the objective.
    """
    if width == 0:
        return 0.0
    values = eligible(curve.values, curve.lacking)
    return width * curve.error_at(middle(values == values.max(), curve.alarm_rate))


def eligible(values: Values, lacking: Values | None) -> Values:
    """Return the objective where the constraint holds, or is missed least; elsewhere -infinity.

    Parameters
    ----------
    values : ndarray of shape (..., n_thresholds)
        The objective; NaN or -infinity where it is none.
    lacking : ndarray of shape (..., n_thresholds) or None
        How far each is from the constraint, if there is one.

    Returns
    -------
    ndarray of shape (..., n_thresholds)
        Without NaN.
    """
    undefined = np.isnan(values)
    if undefined.any():
        values = np.where(undefined, -np.inf, values)
    if lacking is None:
        return values
    reachable = np.where(values > -np.inf, lacking, np.inf)
    return np.where(reachable <= reachable.min(axis=-1, keepdims=True), values, -np.inf)


def middle(near: np.ndarray, alarm_rate: Values) -> int:
    """Return the position halfway between the ends of a set, by the log odds of an alarm.

    Parameters
    ----------
    near : ndarray of shape (n_thresholds,), bool
        The set; not empty.
    alarm_rate : ndarray of shape (n_thresholds,)
        Share of rows that each threshold calls positive.

    Returns
    -------
    int
        The member closest to the middle.

    Examples
    --------
    >>> middle(np.array([False, True, True, True]), np.array([0.0, 0.01, 0.1, 0.2]))
    2
    """
    chosen = np.flatnonzero(near)
    low, high = _bounds(alarm_rate)
    ends = log_odds(alarm_rate[chosen[[0, -1]]], low, high)
    # Rates ascend, so few of a million logarithms are needed.
    rates = alarm_rate[chosen]
    after = np.searchsorted(rates, expit(ends.mean()))
    beside = np.arange(max(after - 1, 0), min(after + 1, len(chosen)))
    # Cuts that are equally far, as those of equal rates, are represented by the first.
    distance = np.abs(log_odds(rates[beside], low, high) - ends.mean())
    nearest = rates[beside[distance.argmin()]]
    return int(chosen[np.searchsorted(rates, nearest)])


def log_odds_of(alarm_rate: Values) -> Values:
    """Return the log odds of an alarm, finite everywhere.

    Parameters
    ----------
    alarm_rate : ndarray of shape (n_thresholds,)
        Shares of rows, not descending.

    Returns
    -------
    ndarray of shape (n_thresholds,)
        No alarms count as half the least share there is, nothing but alarms likewise.
    """
    return log_odds(alarm_rate, *_bounds(alarm_rate))


def log_odds(rate: Values, low: float, high: float) -> Values:
    """Return log odds of rates, clipped.

    Parameters
    ----------
    rate : ndarray
        Shares.
    low, high : float
        Between 0 and 1, both excluded.

    Returns
    -------
    ndarray
        Log odds.
    """
    clipped = np.clip(rate, low, high)
    return np.asarray(np.log(clipped) - np.log1p(-clipped))


def _bounds(alarm_rate: Values) -> tuple[float, float]:
    """Return what no alarms, and nothing but alarms, are taken for."""
    first = np.searchsorted(alarm_rate, 0.0, side="right")
    last = np.searchsorted(alarm_rate, 1.0, side="left")
    if first >= last:
        return 0.5, 0.5
    below_one = np.nextafter(1.0, 0.0)
    return float(alarm_rate[first] / 2), float(min((1 + alarm_rate[last - 1]) / 2, below_one))
