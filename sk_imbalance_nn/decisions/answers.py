"""What would a scorer say of these decisions? A classifier that answers as it is told."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import UndefinedMetricWarning

from sk_imbalance_nn._compat import rows_of, rows_of_params
from sk_imbalance_nn.decisions.cuts import Mask
from sk_imbalance_nn.decisions.rules import Codes
from sk_imbalance_nn.decisions.task import Task


class Answers(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier that gives the answers it was made with.

    Parameters
    ----------
    rows : array-like
        The X that it answers for.
    labels : ndarray of shape (n,) or (n, n_labels)
        The answers.
    classes : ndarray of shape (n_classes,)
        All classes.
    """

    def __init__(self, rows: Any, labels: npt.NDArray[Any], classes: npt.NDArray[Any]) -> None:
        self.rows = rows
        self.labels = labels
        self.classes = classes

    @property
    def classes_(self) -> npt.NDArray[Any]:
        """All classes."""
        return self.classes

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the answers.

        Parameters
        ----------
        X : array-like
            The rows themselves, not a part of them or a copy.

        Returns
        -------
        ndarray
            The answers.

        Raises
        ------
        ValueError
            If it is asked about other rows.
        """
        if X is not self.rows:
            raise ValueError(
                "A scorer of thresholds must let the estimator predict the X that it was given, "
                "all of it and in its order; score the predictions of a part afterwards."
            )
        return self.labels


class CalledScorer:
    """A scorer of estimators, called with decisions.

    Parameters
    ----------
    task : Task
        Scorer and labels.
    X, y : array-like
        All rows.
    index : ndarray of shape (n_scored,)
        Which row each decision is about.
    params : mapping
        Metadata for the scorer; what has a value for each row of X is sliced.
    """

    def __init__(self, task: Task, X: Any, y: Any, index: Codes, params: Mapping[str, Any]) -> None:
        self._task, self._X, self._y, self._index, self._params = task, X, y, index, params
        self._parts: dict[bytes, tuple[Any, Any, Mapping[str, Any]]] = {}

    def __call__(self, decided: Codes, part: Mask) -> float:
        """Score the decisions about a part of the rows.

        Parameters
        ----------
        decided : ndarray of shape (n_scored,)
            Decisions about all rows.
        part : ndarray of shape (n_scored,), bool
            Which of them to score.

        Returns
        -------
        float
            What the scorer says.
        """
        key = np.packbits(part).tobytes()
        if key not in self._parts:
            rows = self._index[part]
            params = rows_of_params(self._X, params=self._params, indices=rows)
            self._parts[key] = rows_of(self._X, rows), rows_of(self._y, rows), params
        X, y, params = self._parts[key]
        answers = Answers(X, self._task.labels_of(decided[part]), self._task.target.classes)
        with warnings.catch_warnings():
            # Thresholds at which nothing is positive are looked at, not recommended.
            warnings.simplefilter("ignore", UndefinedMetricWarning)
            try:
                value = self._task.goal.scorer(answers, X, y, **params)
            except AttributeError as error:
                raise ValueError(
                    f"scoring={self._task.goal.name} asks for more than predictions ({error}); a "
                    "decision changes nothing else, so let it use predict."
                ) from error
        if not isinstance(value, Real):
            raise ValueError(
                f"scoring={self._task.goal.name} must return a number, found {value!r}."
            )
        return float(value)
