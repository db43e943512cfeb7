"""How far are probabilities from what happens? The calibration error, in bins of rows."""

from __future__ import annotations

from numbers import Integral
from typing import Any, NamedTuple

import numpy as np

from sk_imbalance_nn.decisions.counts import sums_by
from sk_imbalance_nn.decisions.rules import Codes
from sk_imbalance_nn.reporting.one_sided import OneSided

_STRATEGIES = ("quantile", "uniform")


class Bins(NamedTuple):
    """How a calibration error puts rows together.

    Parameters
    ----------
    number : int
        How many bins there are.
    strategy : {"quantile", "uniform"}
        Of equal mass, or of equal width.
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
    in_bin = _bin_of_each(one, bins)
    # A bin's share times its gap is its excess of positives over what was said, per row.
    excess = sums_by(in_bin, one.weight * (one.target - one.score), bins.number)
    return float(abs(excess).sum() / one.weight.sum())


def _bin_of_each(one: OneSided, bins: Bins) -> Codes:
    if bins.strategy == "uniform":
        inner = np.linspace(0, 1, bins.number + 1)[1:-1]
        return np.searchsorted(inner, one.score)
    score, group = np.unique(one.score, return_inverse=True)
    weight = sums_by(group, one.weight, len(score))
    middle = np.cumsum(weight) - weight / 2
    in_bin = np.floor(bins.number * middle / weight.sum()).astype(np.intp)
    # A last row of next to no weight has its middle at the very end.
    of_group: Codes = np.minimum(in_bin, bins.number - 1)
    return of_group[group]
