"""What does a classifier say before it decides? Scores of any classifier in one form."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sk_imbalance_nn.decisions.counts import Values

BINARY, MULTICLASS, MULTILABEL = "binary", "multiclass", "multilabel"
PROBABILITY = "predict_proba"


def response_method_of(estimator: Any, asked_for: str) -> str:
    """Return the method that an estimator's scores come from.

    Parameters
    ----------
    estimator : object
        The classifier, fitted or not.
    asked_for : {"auto", "predict_proba", "decision_function"}
        "auto" takes the first of the two that there is.

    Returns
    -------
    str
        Its name.

    Raises
    ------
    AttributeError
        If the estimator does not have it.
    """
    wanted = (PROBABILITY, "decision_function") if asked_for == "auto" else (asked_for,)
    found = [name for name in wanted if hasattr(estimator, name)]
    if not found:
        raise AttributeError(
            f"{type(estimator).__name__} has none of the following attributes: "
            f"{', '.join(wanted)}; decisions need scores."
        )
    return found[0]


def wrapped_in(estimator: Any) -> Iterator[Any]:
    """Yield an estimator, and one by one what searches and Pipelines hold in it.

    Parameters
    ----------
    estimator : estimator instance
        Fitted.

    Yields
    ------
    estimator instance
        From the outermost to the innermost.
    """
    yield estimator
    while hasattr(estimator, "best_estimator_") or hasattr(estimator, "steps"):
        is_search = hasattr(estimator, "best_estimator_")
        estimator = estimator.best_estimator_ if is_search else estimator.steps[-1][1]
        yield estimator


def decider_in(estimator: Any) -> Any:
    """Return what decides within searches and Pipelines.

    Parameters
    ----------
    estimator : estimator instance
        Fitted.

    Returns
    -------
    estimator instance
        The innermost one whose ``predict`` is that of the whole.
    """
    *_, innermost = wrapped_in(estimator)
    return innermost


@dataclass(frozen=True)
class Response:
    """How scores are asked for.

    Parameters
    ----------
    method : {"predict_proba", "decision_function"}
        Where scores come from.
    kind : {"binary", "multiclass", "multilabel"}
        Type of the target.
    classes : ndarray of shape (n_classes,)
        All classes, sorted.
    """

    method: str
    kind: str
    classes: npt.NDArray[Any]

    def of(self, estimator: Any, X: Any) -> Values:
        """Return a fitted estimator's scores.

        Parameters
        ----------
        estimator : object
            The classifier.
        X : array-like
            Rows.

        Returns
        -------
        ndarray of shape (n, n_classes) or (n, n_labels)
            Scores.
        """
        return self.read(getattr(estimator, self.method)(X), estimator, self.method)

    def read(self, raw: Any, estimator: Any, source: str) -> Values:
        """Give scores a column for each class that there is.

        Parameters
        ----------
        raw : array-like, or list of array-like
            What the estimator said.
        estimator : object
            The classifier, fitted; it may not know all classes.
        source : str
            Its method or attribute that said it, for errors.

        Returns
        -------
        ndarray of shape (n, n_classes) or (n, n_labels), float64
            Probabilities of 0, and scores of minus infinity, for classes that the estimator does
            not know.

        Raises
        ------
        ValueError
            If there are NaNs, or the shape does not fit the classes.
        """
        if self.kind == MULTILABEL:
            return _checked(_label_scores(raw, estimator), estimator, source)
        scores = _checked(np.asarray(raw, dtype=np.float64), estimator, source)
        known = np.asarray(estimator.classes_)
        _refuse_pairs(estimator, self.method, len(known))
        if scores.ndim == 1 and len(known) == 2:
            scores = np.stack([-scores, scores], axis=1)
        if scores.ndim != 2 or scores.shape[1] != len(known):
            raise ValueError(
                f"{type(estimator).__name__}.{source} gave the shape {scores.shape} for "
                f"{len(known)} classes; one column for each is needed (of SVC: "
                "decision_function_shape='ovr')."
            )
        if np.array_equal(known, self.classes):
            return scores
        missing = 0.0 if self.method == PROBABILITY else -np.inf
        filled = np.full((len(scores), len(self.classes)), missing)
        filled[:, np.searchsorted(self.classes, known)] = scores
        return filled


def _refuse_pairs(estimator: Any, method: str, n_classes: int) -> None:
    """Refuse scores of pairs of classes, which are as many as classes where there are three."""
    deciding = decider_in(estimator)
    is_by_pairs = getattr(deciding, "decision_function_shape", None) == "ovo"
    if method != PROBABILITY and n_classes > 2 and is_by_pairs:
        raise ValueError(
            f"{type(deciding).__name__} compares pairs of classes (decision_function_shape='ovo');"
            " scores of single classes are needed: decision_function_shape='ovr'."
        )


def _label_scores(raw: Any, estimator: Any) -> Values:
    """Read what multilabel classifiers say: one array, or one for each label."""
    if not isinstance(raw, list | tuple):
        return np.asarray(raw, dtype=np.float64)
    columns = []
    for column, known in zip(raw, estimator.classes_, strict=True):
        each = np.asarray(column, dtype=np.float64)
        if each.ndim == 2:
            # A label that was constant in training has one column, that of its only value.
            each = each[:, list(known).index(1)] if 1 in known else np.zeros(len(each))
        columns.append(each)
    return np.stack(columns, axis=1)


def _checked(scores: Values, estimator: Any, source: str) -> Values:
    if np.isnan(scores).any():
        raise ValueError(f"{type(estimator).__name__}.{source} gave NaN; no decision can be made.")
    return scores
