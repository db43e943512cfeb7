"""What does the user want? Scorers, metric functions and names, read as objectives."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import sklearn.metrics
from sklearn.metrics import get_scorer, get_scorer_names, make_scorer

from sk_imbalance_nn._compat import scorer_parts, with_argument
from sk_imbalance_nn.decisions.costs import check_row_cost
from sk_imbalance_nn.decisions.counts import Counts
from sk_imbalance_nn.decisions.objectives import (
    NAMED,
    Objective,
    accuracy,
    averaged,
    balanced_accuracy,
    cohen_kappa,
    error_rate,
    f_fraction,
    geometric_mean,
    jaccard_fraction,
    matthews,
    precision_fraction,
    recall_fraction,
    specificity_fraction,
)

_AVERAGES = ("binary", "macro", "weighted", "micro", "samples")


@dataclass(frozen=True)
class Goal:
    """What decisions are tuned for.

    Parameters
    ----------
    name : str
        What messages call it.
    scorer : callable
        Takes ``(estimator, X, y)``, returns a number: the more, the better.
    objective : Objective or None
        The same as a function of confusion counts; None where it is not known to be one.
    pos_label : object or None
        The label that it calls positive; None where it does not matter.
    """

    name: str
    scorer: Callable[..., Any]
    objective: Objective | None
    pos_label: Any = None


def goal_of(scoring: Any, pos_label: Any = None) -> Goal:
    """Read what a user asks for.

    Parameters
    ----------
    scoring : str or callable
        A scorer's name, a name of `NAMED`, a scorer, a metric ``(y_true, y_pred)``, or a callable
        ``(estimator, X, y)``.
    pos_label : object, optional
        The label of the positive class; by default the scorer's own.

    Returns
    -------
    Goal
        With an objective wherever the quantity is a function of confusion counts.

    Raises
    ------
    TypeError
        If it is neither a name nor such a callable.
    ValueError
        If the name is unknown, the scorer ranks probabilities instead of judging predictions, or
        the scorer has another positive label.
    """
    if isinstance(scoring, str):
        return _goal_named(scoring, pos_label)
    if not callable(scoring):
        raise TypeError(
            "scoring must be the name of a scorer, a scorer, or a metric of (y_true, y_pred), "
            f"found {scoring!r}."
        )
    parts = scorer_parts(scoring)
    if parts is None and _is_metric(scoring):
        return goal_of(_scorer_of_metric(scoring), pos_label)
    if parts is None:
        return Goal(_name_of(scoring), scoring, None, pos_label)
    return _goal_of_scorer(scoring, repr(scoring), pos_label)


def scorer_of(scoring: Any) -> Any:
    """Return the scorer behind what a user asks for, which may want metadata.

    Parameters
    ----------
    scoring : str or callable
        As `goal_of` takes it.

    Returns
    -------
    callable
        Takes ``(estimator, X, y)``.
    """
    return goal_of(scoring).scorer


def _goal_named(name: str, pos_label: Any) -> Goal:
    if name in NAMED and name not in get_scorer_names():
        objective = NAMED[name]
        if pos_label is None and objective.one_sided:
            pos_label = 1
        scorer = make_scorer(score_of_named, objective=name, pos_label=pos_label)
        return Goal(name, scorer, objective, pos_label)
    if name not in get_scorer_names():
        known = sorted({*get_scorer_names(), *NAMED})
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}."
        raise ValueError(f"scoring={name!r} is no known objective; {hint}")
    return _goal_of_scorer(get_scorer(name), name, pos_label)


def _goal_of_scorer(scorer: Any, name: str, pos_label: Any) -> Goal:
    parts = scorer_parts(scorer)
    assert parts is not None
    function, sign, arguments, response_method = parts
    if response_method != "predict":
        raise ValueError(
            f"scoring={name} judges scores ({response_method}), and no decision changes those; "
            "choose an objective of predictions, such as 'f1', 'matthews_corrcoef' or "
            "'balanced_accuracy'."
        )
    objective = objective_of(function, arguments)
    if objective is not None:
        objective = replace(objective, name=name, sign=objective.sign * sign)
    takes_one = "pos_label" in inspect.signature(function).parameters
    if pos_label is None:
        matters = takes_one if objective is None else objective.one_sided
        default = inspect.signature(function).parameters["pos_label"].default if matters else None
        return Goal(name, scorer, objective, arguments.get("pos_label", default))
    own = arguments.get("pos_label")
    if own is not None and own != pos_label:
        raise ValueError(
            f"pos_label={pos_label!r}, but scoring={name} was made with pos_label={own!r}; give "
            "one of them."
        )
    if takes_one and arguments.get("average", "binary") == "binary":
        scorer = with_argument(scorer, "pos_label", pos_label)
    return Goal(name, scorer, objective, pos_label)


def objective_of(function: Any, arguments: Mapping[str, Any]) -> Objective | None:
    """Recognise a metric of scikit-learn or imbalanced-learn as a function of confusion counts.

    Parameters
    ----------
    function : callable
        The metric.
    arguments : mapping
        What it is called with beside the target and the predictions.

    Returns
    -------
    Objective or None
        None for any other function, or arguments that change what it counts.
    """
    name = getattr(function, "__name__", "")
    if function is getattr(sklearn.metrics, name, None):
        makers = _OF_SCIKIT_LEARN
    elif function is getattr(sys.modules.get("imblearn.metrics"), name, None):
        makers = _OF_IMBALANCED_LEARN
    else:
        return None
    if function is None or name not in makers:
        return None
    default = inspect.signature(function).parameters
    known = {
        key: arguments.get(key, default[key].default)
        for key in default
        if key not in ("y_true", "y_pred", "y1", "y2", "sample_weight")
    }
    return makers[name](known) if known.keys() >= arguments.keys() else None


def _with_average(
    name: str, fraction: Callable[..., Any]
) -> Callable[[Mapping[str, Any]], Objective | None]:
    """Make a reader of the arguments that scikit-learn's averaged metrics share."""

    def read(given: Mapping[str, Any]) -> Objective | None:
        average, empty = given.get("average"), given.get("zero_division", 0)
        empty = 0.0 if empty == "warn" else empty
        if average not in _AVERAGES or given.get("labels") is not None or empty not in (0, 1):
            return None
        of_class = partial(fraction, beta=given["beta"]) if "beta" in given else fraction
        return _averaged_objective(name, of_class, average, float(empty))

    return read


def _averaged_objective(
    name: str, fraction: Callable[..., Any], average: str, of_nothing: float
) -> Objective:
    def of(kind: str) -> Any:
        return partial(averaged, fraction=fraction, average=kind, of_nothing=of_nothing)

    one = Objective(name, of("binary"), one_sided=True)
    if average == "binary":
        return one
    # The average over samples exists for indicators only, where each row has counts of its own.
    quantity = of("macro" if average == "samples" else average)
    needs = average not in ("micro", "samples")
    return Objective(name, quantity, needs_every_class=needs, average=average, of_label=one)


def _plain(
    name: str, quantity: Callable[..., Any], needs_every_class: bool = True, **expected: Any
) -> Callable[[Mapping[str, Any]], Objective | None]:
    """Make a reader that knows a metric with the given arguments only."""

    def read(given: Mapping[str, Any]) -> Objective | None:
        if any(given.get(key) not in values for key, values in expected.items()):
            return None
        return Objective(name, quantity, needs_every_class=needs_every_class)

    return read


def _balanced_accuracy(given: Mapping[str, Any]) -> Objective | None:
    adjusted = bool(given["adjusted"])
    return Objective("balanced_accuracy", partial(balanced_accuracy, adjusted=adjusted))


def _subset_accuracy(given: Mapping[str, Any]) -> Objective | None:
    if not given["normalize"]:
        return None
    return Objective("accuracy", accuracy, needs_every_class=False, average="subset")


def _subset_error(given: Mapping[str, Any]) -> Objective | None:
    if not given["normalize"]:
        return None
    return Objective("zero_one_loss", error_rate, needs_every_class=False, average="subset")


_OF_SCIKIT_LEARN: dict[str, Callable[[Mapping[str, Any]], Objective | None]] = {
    "accuracy_score": _subset_accuracy,
    "balanced_accuracy_score": _balanced_accuracy,
    "cohen_kappa_score": _plain("kappa", cohen_kappa, weights=(None,), labels=(None,)),
    "f1_score": _with_average("f1", partial(f_fraction, beta=1.0)),
    "fbeta_score": _with_average("fbeta", f_fraction),
    "hamming_loss": _plain("hamming_loss", error_rate, needs_every_class=False),
    "jaccard_score": _with_average("jaccard", jaccard_fraction),
    "matthews_corrcoef": _plain("matthews_corrcoef", matthews),
    "precision_score": _with_average("precision", precision_fraction),
    "recall_score": _with_average("recall", recall_fraction),
    "zero_one_loss": _subset_error,
}

_OF_IMBALANCED_LEARN: dict[str, Callable[[Mapping[str, Any]], Objective | None]] = {
    "geometric_mean_score": _plain(
        "geometric_mean",
        geometric_mean,
        average=("multiclass",),
        correction=(0, 0.0),
        labels=(None,),
    ),
    "sensitivity_score": _with_average("sensitivity", recall_fraction),
    "specificity_score": _with_average("specificity", specificity_fraction),
}


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


def _is_metric(function: Callable[..., Any]) -> bool:
    """Tell a metric of (y_true, y_pred) from a callable of (estimator, X, y)."""
    if (getattr(function, "__module__", None) or "").startswith(("sklearn.metrics", "imblearn.")):
        return True
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    needed = [
        parameter
        for parameter in parameters
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    return len(needed) == 2


def _scorer_of_metric(metric: Callable[..., Any]) -> Any:
    is_loss = _name_of(metric).endswith(("_loss", "_error"))
    return make_scorer(metric, greater_is_better=not is_loss)


def _name_of(function: Any) -> str:
    return str(getattr(function, "__name__", type(function).__name__))
