"""What is shown? One class against the rest: who is of it, and how each row scores."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from sk_imbalance_nn._compat import check_sample_weight, tuned_pos_label
from sk_imbalance_nn.decisions.counts import Values
from sk_imbalance_nn.decisions.responses import (
    BINARY,
    MULTICLASS,
    MULTILABEL,
    PROBABILITY,
    Response,
    decider_in,
    response_method_of,
    wrapped_in,
)
from sk_imbalance_nn.decisions.target import Target


@dataclass(frozen=True)
class ClassScores:
    """One class against the rest.

    Parameters
    ----------
    target : ndarray of int of shape (n,)
        1 for the rows of the class.
    score : ndarray of shape (n,)
        Its score for each row.
    weight : ndarray of shape (n,) or None
        What each row counts.
    kind : {"binary", "multiclass", "multilabel"}
        Type of the whole target.
    pos_label : object
        The class, or the number of the label.
    rest : object
        The other class of two; otherwise "rest".
    is_probability : bool
        Whether scores are probabilities.
    threshold : float or None, default=None
        From which score on a row is said to be of the class.
    usual_threshold : float or None, default=None
        From which score on it would be without tuning.
    is_tuned_on : bool, default=False
        Whether a threshold was tuned on scores like these.
    """

    target: npt.NDArray[np.int8]
    score: Values
    weight: Values | None
    kind: str
    pos_label: Any
    rest: Any
    is_probability: bool
    threshold: float | None = None
    usual_threshold: float | None = None
    is_tuned_on: bool = False

    @property
    def names(self) -> tuple[str, str]:
        """What legends call the rest, and the class."""
        what = "label" if self.kind == MULTILABEL else "class"
        rest = f"class {self.rest}" if self.kind == BINARY else "rest"
        return rest, f"{what} {self.pos_label}"

    @property
    def prevalence(self) -> float:
        """Share of the class."""
        return float(np.average(self.target, weights=self.weight))

    @property
    def weights(self) -> Values:
        """What each row counts, ones by default."""
        return np.ones(len(self.target)) if self.weight is None else self.weight


def scores_by_estimator(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    pos_label: Any = None,
    response_method: str = "auto",
    threshold: float | None = None,
    sample_weight: npt.ArrayLike | None = None,
    usual_label: Any = None,
) -> ClassScores:
    """Score rows by a fitted classifier.

    Parameters
    ----------
    estimator : estimator instance
        Fitted.
    X, y : array-like
        Rows and their labels.
    pos_label : object, optional
        The class, or the number of the label; of two classes by default the one that a threshold
        was tuned for, or the second.
    response_method : {"auto", "predict_proba", "decision_function"}, default="auto"
        Where scores come from; "auto" is what a threshold was tuned on, or the first that there is.
    threshold : float, optional
        By default what ``predict`` goes by; none if that is about other scores.
    sample_weight : array-like of shape (n,), optional
        What each row counts.
    usual_label : object, optional
        The class, of two, if nobody says which: that of a metric.

    Returns
    -------
    ClassScores
        Of the class.

    Raises
    ------
    ValueError
        If there is no such class, or it is not said which of several.
    """
    check_is_fitted(estimator)
    rule = _rule_of(decider_in(estimator))
    asked_for = rule.method if response_method == "auto" else response_method
    method = response_method_of(estimator, asked_for)
    target = Target.of(y, None if np.ndim(y) > 1 else estimator.classes_)
    usual_label = usual_label if target.kind == BINARY else None
    said = (label for label in (pos_label, rule.pos_label, usual_label) if label is not None)
    code = _code_of(target, next(said, None))
    scores = Response(method, target.kind, target.classes).of(estimator, X)
    check_consistent_length(scores, target.codes)
    shown = _against_the_rest(
        target, code, scores[:, code], sample_weight, method == PROBABILITY, threshold
    )
    if target.kind == MULTICLASS:
        return shown
    usual = 0.5 if shown.is_probability else 0.0
    is_tuned_on = (
        rule.threshold is not None and response_method_of(estimator, rule.method) == method
    )
    if threshold is None and is_tuned_on:
        threshold = _threshold_for(rule, code, target, usual)
    elif threshold is None and rule.threshold is None:
        threshold = usual
    return replace(shown, threshold=threshold, usual_threshold=usual, is_tuned_on=is_tuned_on)


def scores_by_prediction(
    y_true: Any,
    y_score: Any,
    *,
    pos_label: Any = None,
    threshold: float | None = None,
    sample_weight: npt.ArrayLike | None = None,
    usual_label: Any = None,
) -> ClassScores:
    """Take scores as they are given.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        Labels of two classes.
    y_score : array-like of shape (n,)
        Scores of the class; they are taken for probabilities if all are from 0 to 1.
    pos_label : object, optional
        The class; by default the second.
    threshold : float, optional
        From which score on a row is said to be of the class.
    sample_weight : array-like of shape (n,), optional
        What each row counts.
    usual_label : object, optional
        The class if nobody says which: that of a metric.

    Returns
    -------
    ClassScores
        Of the class.

    Raises
    ------
    ValueError
        If there are more classes, or shapes do not fit.
    """
    target = Target.of(y_true)
    score = np.asarray(y_score, dtype=np.float64)
    if target.kind != BINARY:
        raise ValueError(
            f"y_true must hold two classes, found a {target.kind} target; compare one class with "
            "the rest: from_predictions(y_true == label, y_score[:, column])."
        )
    if score.ndim != 1:
        raise ValueError(
            f"y_score must hold one score for each row, the positive class's; found the shape "
            f"{score.shape}. Of probabilities take the column of that class, in the order of "
            "classes_."
        )
    if not np.isfinite(score).all():
        raise ValueError("y_score holds NaN or infinity; leave such rows out.")
    check_consistent_length(score, target.codes)
    is_probability = bool((score >= 0).all() and (score <= 1).all())
    code = _code_of(target, usual_label if pos_label is None else pos_label)
    return _against_the_rest(target, code, score, sample_weight, is_probability, threshold)


def decisions_about(shown: ClassScores, answers: Any) -> npt.NDArray[np.bool_]:
    """Return which rows ``predict`` says are of the class.

    Parameters
    ----------
    shown : ClassScores
        What is shown.
    answers : array-like of shape (n,) or (n, n_labels)
        What ``predict`` says of the rows.

    Returns
    -------
    ndarray of bool of shape (n,)
        It differs from scores that reach the threshold where ``predict`` breaks ties otherwise.
    """
    said = answers.toarray() if sparse.issparse(answers) else np.asarray(answers)
    decided: npt.NDArray[np.bool_] = (
        said[:, shown.pos_label] == 1 if shown.kind == MULTILABEL else said == shown.pos_label
    )
    return decided


def inputs_of_decider(estimator: Any, X: Any) -> Any:
    """Return rows as what decides within searches and Pipelines is given them.

    Parameters
    ----------
    estimator : estimator instance
        Fitted.
    X : array-like
        Rows, as the estimator takes them.

    Returns
    -------
    array-like
        The same, transformed; samplers of imbalanced-learn's Pipelines leave them as they are.
    """
    for layer in wrapped_in(estimator):
        for _, step in getattr(layer, "steps", [])[:-1]:
            X = step.transform(X) if hasattr(step, "transform") else X
    return X


def _code_of(target: Target, pos_label: Any) -> int:
    if pos_label is None and target.kind != BINARY:
        counts = (
            np.bincount(target.codes, minlength=len(target.classes))
            if target.kind == MULTICLASS
            else target.codes.sum(axis=0)
        )
        rarest = target.classes.tolist()[int(counts.argmin())]
        raise ValueError(
            f"y has {len(target.classes)} {'labels' if target.kind == MULTILABEL else 'classes'}, "
            f"and one is shown against the rest: say which with pos_label=... (the rarest is "
            f"{rarest!r})."
        )
    return target.position_of(pos_label)


def _against_the_rest(
    target: Target,
    code: int,
    score: Values,
    sample_weight: npt.ArrayLike | None,
    is_probability: bool,
    threshold: float | None,
) -> ClassScores:
    of_class = target.codes[:, code] if target.kind == MULTILABEL else target.codes == code
    labels = target.classes.tolist()
    weight = sample_weight
    if weight is not None:
        weight = check_sample_weight(weight, score, ensure_non_negative=True)
    return ClassScores(
        of_class.astype(np.int8),
        score,
        weight,
        target.kind,
        labels[code],
        labels[1 - code] if target.kind == BINARY else "rest",
        is_probability,
        threshold,
    )


class _Rule(NamedTuple):
    """A threshold that stands in an estimator, where its scores come from, and whose they are."""

    threshold: Any = None
    method: str = "auto"
    pos_label: Any = None


def _rule_of(deciding: Any) -> _Rule:
    """Read what an estimator's ``predict`` goes by, if it has a threshold of its own."""
    if isinstance(deciding, FixedThresholdClassifier):
        threshold = None if deciding.threshold == "auto" else deciding.threshold
        return _Rule(threshold, deciding.response_method, deciding.pos_label)
    if isinstance(deciding, TunedThresholdClassifierCV):
        label = tuned_pos_label(deciding)
        return _Rule(deciding.best_threshold_, deciding.response_method, label)
    return _Rule(
        getattr(deciding, "best_threshold_", None),
        getattr(deciding, "response_method_", "auto"),
        getattr(deciding, "pos_label_", None),
    )


def _threshold_for(rule: _Rule, code: int, target: Target, usual: float) -> float:
    """Return the threshold for a class, which may be the other one of two."""
    if target.kind == MULTILABEL:
        return float(rule.threshold[code] if np.ndim(rule.threshold) else rule.threshold)
    is_of_class = target.position_of(rule.pos_label) == code
    return float(rule.threshold if is_of_class else 2 * usual - rule.threshold)
