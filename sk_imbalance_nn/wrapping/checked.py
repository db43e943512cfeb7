"""Checked rows: what the steps of a fit hand on to each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sk_imbalance_nn.balancing.epochs import Epoch, EveryRow
from sk_imbalance_nn.data.inputs import n_rows, select_rows


@dataclass(frozen=True, eq=False)
class Data:
    """Checked rows.

    Parameters
    ----------
    X, x : structure
        The table that came in, and the inputs of the network made of it.
    labels : array-like
        The target as it came in.
    y : ndarray or structure
        The encoded target: codes, an indicator, or what the user's own transformer returned.
    strata : ndarray of shape (n,) or (n, n_labels)
        What a split keeps in proportion.
    weight : ndarray of shape (n,) or None
        Sample weights.
    rows : ndarray of shape (m,)
        Which rows are used, in ascending order; those of weight zero never are.
    sampled : Epoch, default=None
        What a sampler makes an epoch of; by default each row used, once.
    mass : ndarray of shape (n_classes,), default=None
        Weight of each class before a sampler made new rows; by default that of the rows.
    """

    X: Any
    x: Any
    labels: Any
    y: Any
    strata: NDArray[Any]
    weight: NDArray[np.float64] | None
    rows: NDArray[np.integer[Any]]
    sampled: Epoch | None = None
    mass: NDArray[np.float64] | None = None

    @property
    def epoch(self) -> Epoch:
        """Which of the rows used make an epoch."""
        return EveryRow(len(self.rows)) if self.sampled is None else self.sampled

    def of(self, values: Any) -> Any:
        """Return the part of an array, or of None, that belongs to the rows used."""
        if values is None or len(self.rows) == n_rows(self.X):
            return values
        return select_rows(values, self.rows)

    def weight_of_used(self) -> NDArray[np.float64] | None:
        """Return a weight for every row, zero for those not used; None where all weigh one."""
        if len(self.rows) == n_rows(self.X):
            return self.weight
        weight = np.zeros(n_rows(self.X))
        weight[self.rows] = 1.0 if self.weight is None else self.weight[self.rows]
        return weight
