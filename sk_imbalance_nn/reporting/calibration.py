"""How far are probabilities from what happens? The calibration error, in bins of rows."""

from __future__ import annotations

from numbers import Integral
from typing import Any, NamedTuple

import numpy as np

from sk_imbalance_nn.decisions.counts import Values, sums_by
from sk_imbalance_nn.decisions.rules import Codes
from sk_imbalance_nn.reporting.one_sided import OneSided

_STRATEGIES = ("quantile", "uniform")


class Bins(NamedTuple):
    """How a calibration error puts rows together.

    Parameters
    ----------
    number : int
        How many bins there are.
    strategy : {"quantile", "uniform", "expected"}
        Of equal mass, of equal width, or of equal numbers of positives if the probabilities are
        right. The last is for pictures: nearly all rows of a rare class are in its first bin.
    """

    number: int
    strategy: str


def read_bins(n_bins: Any, strategy: Any) -> Bins:
    """Check how bins are asked for.

    Parameters
    ----------
    n_bins : int
        How many.
    strategy : {"quantile", "uniform"}
        Which.

    Returns
    -------
    Bins
        The same.

    Raises
    ------
    ValueError
        If the number is no integer of at least 1, or the strategy is unknown.
    """
    if not isinstance(n_bins, Integral) or isinstance(n_bins, bool) or n_bins < 1:
        raise ValueError(f"n_bins must be an integer of at least 1, found {n_bins!r}.")
    if strategy not in _STRATEGIES:
        raise ValueError(f"bin_strategy must be one of {_STRATEGIES}, found {strategy!r}.")
    return Bins(int(n_bins), strategy)


class ReliabilityCurve(NamedTuple):
    """What happens, and what was said, in each bin that holds rows.

    Parameters
    ----------
    share : ndarray of shape (n_bins,)
        Share of positives.
    said : ndarray of shape (n_bins,)
        Mean probability.
    weight : ndarray of shape (n_bins,)
        Rows in the bin, or their weight.
    """

    share: Values
    said: Values
    weight: Values

    @property
    def error(self) -> float:
        """The expected calibration error: the mean over rows of the gap in their bin."""
        return float(np.average(abs(self.share - self.said), weights=self.weight))


def reliability_curve(target: Codes, score: Values, weight: Values, bins: Bins) -> ReliabilityCurve:
    """Put rows together and compare what was said with what happens.

    Parameters
    ----------
    target : ndarray of int of shape (n,)
        1 for the rows of the class.
    score : ndarray of shape (n,)
        Its probability.
    weight : ndarray of shape (n,)
        Non-negative.
    bins : Bins
        How rows are put together; those with the same probability share a bin.

    Returns
    -------
    ReliabilityCurve
        In ascending order of the bins.
    """
    in_bin = _bin_of_each(score, weight, bins)
    sums = [sums_by(in_bin, weight * part, bins.number) for part in (1, target, score)]
    rows, positives, said = (each[sums[0] > 0] for each in sums)
    return ReliabilityCurve(positives / rows, said / rows, rows)


def calibration_error(one: OneSided, bins: Bins) -> float:
    """Return the expected calibration error (Naeini, Cooper, Hauskrecht 2015).

    Parameters
    ----------
    one : OneSided
        What is true and said of a class.
    bins : Bins
        How rows are put together; those with the same probability share a bin.

    Returns
    -------
    float
        The mean over rows of abs(share of positives - mean probability) in their bin.
    """
    return reliability_curve(one.target, one.score, one.weight, bins).error


def _bin_of_each(score: Values, weight: Values, bins: Bins) -> Codes:
    if bins.strategy == "uniform":
        inner = np.linspace(0, 1, bins.number + 1)[1:-1]
        return np.searchsorted(inner, score)
    weight = weight * score if bins.strategy == "expected" else weight
    distinct, group = np.unique(score, return_inverse=True)
    weight = sums_by(group, weight, len(distinct))
    middle = np.cumsum(weight) - weight / 2
    # If nothing is expected, all is in the first bin.
    in_bin = np.floor(bins.number * middle / (weight.sum() or 1.0)).astype(np.intp)
    # A last row of next to no weight has its middle at the very end.
    of_group: Codes = np.minimum(in_bin, bins.number - 1)
    return of_group[group]
