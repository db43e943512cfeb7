"""How good is an estimator's answer? Scorers by objectives that scikit-learn has no scorer for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sk_imbalance_nn.decisions.costs import check_row_cost
from sk_imbalance_nn.decisions.counts import Counts, Values
from sk_imbalance_nn.decisions.objectives import NAMED, Objective


@dataclass(frozen=True)
class ObjectiveScorer:
    """Scores the predictions of an estimator by an objective.

    Parameters
    ----------
    objective : Objective
        What is computed; for indicators the mean over labels.
    pos_label : object, optional
        The positive class.
    """

    objective: Objective
    pos_label: Any = None

    def __call__(
        self, estimator: Any, X: Any, y: Any, *, sample_weight: npt.ArrayLike | None = None
    ) -> float:
        """Predict and score.

        Parameters
        ----------
        estimator : object
            Fitted.
        X, y : array-like
            Rows and their labels.
        sample_weight : array-like of shape (n,), optional
            Non-negative weights; by default ones.

        Returns
        -------
        float
            The more, the better.
        """
        return score_of_named(
            y,
            estimator.predict(X),
            objective=self.objective,
            pos_label=self.pos_label,
            sample_weight=sample_weight,
        )


@dataclass(frozen=True)
class CostScorer:
    """Scores the predictions of an estimator by their mean cost, negated.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        All classes, sorted.
    cost_matrix : ndarray of shape (n_classes, n_classes), optional
        Costs; without them, those of the rows are to be given.
    """

    classes: npt.NDArray[Any]
    cost_matrix: Values | None = None

    def __call__(
        self,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        cost: npt.ArrayLike | None = None,
        sample_weight: npt.ArrayLike | None = None,
    ) -> float:
        """Predict and score.

        Parameters
        ----------
        estimator : object
            Fitted.
        X, y : array-like
            Rows and their labels.
        cost : array-like of shape (n,) or (n, n_classes), optional
            Costs of the rows, in place of the matrix.
        sample_weight : array-like of shape (n,), optional
            Non-negative weights; by default ones.

        Returns
        -------
        float
            The more, the better.
        """
        return score_of_cost(
            y,
            estimator.predict(X),
            classes=self.classes,
            cost_matrix=self.cost_matrix,
            cost=cost,
            sample_weight=sample_weight,
        )


def score_of_named(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    *,
    objective: str | Objective,
    pos_label: Any = None,
    sample_weight: npt.ArrayLike | None = None,
) -> float:
    """Compute an objective from labels, as a metric does.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n,) or (n, n_labels)
        Labels; for indicators the mean over labels.
    objective : str or Objective
        The objective, or its name in `NAMED`.
    pos_label : object, optional
        The positive class; by default the greater of two labels.
    sample_weight : array-like of shape (n,), optional
        Non-negative weights; by default ones.

    Returns
    -------
    float
        Its value, signed such that more is better.

    Examples
    --------
    >>> score_of_named([0, 0, 1, 1], [0, 1, 1, 1], objective="specificity", pos_label=1)
    0.5
    """
    true, pred = np.asarray(y_true), np.asarray(y_pred)
    if true.ndim == 2:
        columns = zip(true.T, pred.T, strict=True)
        scores = [
            score_of_named(*column, objective=objective, pos_label=1, sample_weight=sample_weight)
            for column in columns
        ]
        return float(np.mean(scores))
    labels, codes = np.unique(np.concatenate([true, pred]), return_inverse=True)
    if pos_label is not None:
        codes = (np.concatenate([true, pred]) == pos_label).astype(np.intp)
    n_classes = max(2, len(labels)) if pos_label is None else 2
    counts = Counts.of(codes[: len(true)], codes[len(true) :], n_classes, sample_weight)
    wanted = NAMED[objective] if isinstance(objective, str) else objective
    return float(wanted.values(counts))


def score_of_cost(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    *,
    classes: npt.ArrayLike,
    cost_matrix: npt.ArrayLike | None = None,
    cost: npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
) -> float:
    """Return the mean cost of predictions, negated: the more, the better.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n,)
        Labels.
    classes : array-like of shape (n_classes,)
        All classes, sorted.
    cost_matrix : array-like of shape (n_classes, n_classes), optional
        True classes in rows, predicted ones in columns.
    cost : array-like of shape (n,) or (n, n_classes), optional
        Costs of single rows, in place of the matrix.
    sample_weight : array-like of shape (n,), optional
        Non-negative weights; by default ones.

    Returns
    -------
    float
        In units of the costs.

    Raises
    ------
    ValueError
        If there are no costs.

    Examples
    --------
    >>> score_of_cost([0, 0, 1, 1], [0, 1, 0, 1], classes=[0, 1], cost_matrix=[[0, 1], [20, 0]])
    -5.25
    """
    known = np.asarray(classes)
    true, pred = np.searchsorted(known, y_true), np.searchsorted(known, y_pred)
    if cost is not None:
        prices = check_row_cost(cost, true, len(known))
    elif cost_matrix is not None:
        prices = np.asarray(cost_matrix, dtype=np.float64)[true]
    else:
        raise ValueError("Costs of single rows were tuned for; the scorer needs cost=... too.")
    paid = prices[np.arange(len(pred)), pred]
    weight = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    return -float(np.average(paid, weights=weight))
