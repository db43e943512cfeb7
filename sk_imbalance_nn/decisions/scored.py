"""What is tuned on: scores of rows by models that have not seen them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sk_imbalance_nn.decisions.counts import Values
from sk_imbalance_nn.decisions.cuts import Mask


@dataclass(frozen=True)
class ScoredRows:
    """Rows with their scores, their classes, and the fold that each was scored in.

    Parameters
    ----------
    scores : ndarray of shape (n,) or (n, k)
        Scores of the positive class; of each class; or of each label.
    target : ndarray of shape (n,) or (n, n_labels)
        Class codes, 1 for the positive one of two; or 0/1 indicators.
    fold : ndarray of shape (n,), int
        Number of the fold that scored each row, from 0.
    n_folds : int
        How many there are.
    index : ndarray of shape (n,), int
        Which row of the caller's each is.
    weight : ndarray of shape (n,), optional
        Positive weights; by default ones.
    cost_matrix : ndarray of shape (n_classes, n_classes), optional
        Cost of each class (rows) when predicted as each (columns).
    row_cost : ndarray of shape (n, n_classes), optional
        Cost of each prediction for each row, in place of `cost_matrix`.
    repeats : float, default=1.0
        How often each row occurs, as in repeated cross-validation.
    """

    scores: Values
    target: npt.NDArray[Any]
    fold: npt.NDArray[np.intp]
    n_folds: int
    index: npt.NDArray[np.intp]
    weight: Values | None = None
    cost_matrix: Values | None = None
    row_cost: Values | None = None
    repeats: float = 1.0

    def __len__(self) -> int:
        return len(self.target)

    def folds(self) -> Iterator[Mask]:
        """Yield for each fold which rows are its own."""
        for number in range(self.n_folds):
            yield self.fold == number

    def part(self, chosen: Mask) -> ScoredRows:
        """Return some of the rows, as a single fold.

        Parameters
        ----------
        chosen : ndarray of shape (n,), bool
            Which.

        Returns
        -------
        ScoredRows
            Those.
        """
        return ScoredRows(
            self.scores[chosen],
            self.target[chosen],
            np.zeros(int(chosen.sum()), dtype=np.intp),
            1,
            self.index[chosen],
            weight=None if self.weight is None else self.weight[chosen],
            cost_matrix=self.cost_matrix,
            row_cost=None if self.row_cost is None else self.row_cost[chosen],
        )

    def label(self, column: int) -> ScoredRows:
        """Return one label of several as a binary target.

        Parameters
        ----------
        column : int
            Its column.

        Returns
        -------
        ScoredRows
            With scores and target of shape (n,).
        """
        return replace(self, scores=self.scores[:, column], target=self.target[:, column])
