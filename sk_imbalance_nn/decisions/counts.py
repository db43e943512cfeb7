"""How right are decisions? Confusion counts, for one set of decisions or for very many at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]


def sums_by(codes: npt.NDArray[np.integer[Any]], amounts: Values, n_codes: int) -> Values:
    """Sum amounts by code.

    Parameters
    ----------
    codes : ndarray of shape (n,)
        Integers from 0.
    amounts : ndarray of shape (n,)
        What to sum.
    n_codes : int
        How many codes there are.

    Returns
    -------
    ndarray of shape (n_codes,)
        Sums, exactly 0 for codes that do not occur.
    """
    return np.bincount(codes, amounts, n_codes).astype(np.float64)


@dataclass(frozen=True)
class Counts:
    """Confusion counts of many alternative decisions about the same rows, class by class.

    Whatever an objective needs of a confusion matrix is here, in a form that stays small when a
    search looks at a million alternatives: what is right, what was said, what was true.

    Parameters
    ----------
    hits : ndarray of shape (n_classes, ...)
        Weight of the rows of each class that are predicted as that class. The further axes are
        the alternatives. For two classes, the second one is the positive.
    predicted : ndarray of shape (n_classes, ...)
        Weight of the rows that are predicted as each class.
    actual : ndarray of shape (n_classes, ...)
        Weight of the rows of each class; its further axes may have length one.
    total : ndarray of shape (...)
        Weight of all rows.
    cost : ndarray of shape (...), optional
        Total cost of the decisions.

    Examples
    --------
    >>> Counts.of([0, 0, 1, 1], [0, 1, 1, 1], 2).hits
    array([1., 2.])
    """

    hits: Values
    predicted: Values
    actual: Values
    total: Values
    cost: Values | None = None

    @classmethod
    def of(
        cls,
        y_true: npt.ArrayLike,
        y_pred: npt.ArrayLike,
        n_classes: int,
        sample_weight: npt.ArrayLike | None = None,
        cost: npt.NDArray[np.float64] | None = None,
    ) -> Counts:
        """Count one set of decisions.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n,)
            Class codes.
        n_classes : int
            Number of classes.
        sample_weight : array-like of shape (n,), optional
            Non-negative weights; by default ones.
        cost : ndarray of shape (n, n_classes), optional
            Cost of each prediction for each row.

        Returns
        -------
        Counts
            Arrays of shape (n_classes,).
        """
        true, pred = np.asarray(y_true), np.asarray(y_pred)
        weight = np.ones(len(true)) if sample_weight is None else np.asarray(sample_weight, float)
        right = true == pred

        actual = sums_by(true, weight, n_classes)
        return cls(
            hits=sums_by(true[right], weight[right], n_classes),
            predicted=sums_by(pred, weight, n_classes),
            actual=actual,
            total=actual.sum(),
            cost=None if cost is None else weight @ cost[np.arange(len(pred)), pred],
        )

    def of_class(self, k: int) -> Counts:
        """Return the counts of one class alone, out of the same rows.

        Parameters
        ----------
        k : int
            Code of the class.

        Returns
        -------
        Counts
            Arrays of shape (1, ...).
        """
        one = slice(k, k + 1)
        return replace(
            self, hits=self.hits[one], predicted=self.predicted[one], actual=self.actual[one]
        )

    def costing(self, cost_matrix: Values) -> Counts:
        """Return the counts of two classes with what they cost.

        Parameters
        ----------
        cost_matrix : ndarray of shape (2, 2)
            True classes in rows, predicted ones in columns.

        Returns
        -------
        Counts
            With costs.
        """
        wrong = self.predicted - self.hits
        cells = (self.hits[0], wrong[1], wrong[0], self.hits[1])
        prices = cost_matrix.ravel()
        return replace(
            self, cost=np.asarray(sum(p * cell for p, cell in zip(prices, cells, strict=True)))
        )

    def inner(self) -> Counts:
        """Return the counts without the first and the last alternative.

        Returns
        -------
        Counts
            Arrays two shorter along the last axis, where they are longer than one.
        """

        def cut(values: Values) -> Values:
            return values[..., 1:-1] if values.shape[-1] > 1 else values

        cost = None if self.cost is None else cut(self.cost)
        return Counts(cut(self.hits), cut(self.predicted), cut(self.actual), cut(self.total), cost)
