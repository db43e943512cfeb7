"""What does the user want? Scorers, metric functions and names, read as objectives."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import partial
from typing import Any

from sklearn.metrics import get_scorer, get_scorer_names, make_scorer

from sk_imbalance_nn._compat import scorer_parts, with_argument
from sk_imbalance_nn.decisions.metrics import objective_of
from sk_imbalance_nn.decisions.objectives import LIMITS, NAMED, Objective
from sk_imbalance_nn.decisions.scorers import ObjectiveScorer

# Second arguments of metrics that judge scores; the two functions name theirs y_pred.
_SCORES = ("y_score", "y_proba", "y_prob", "pred_decision")
_ALIASES = {
    "alarms": "alarm_rate",
    "fpr": "false_positive_rate",
    "gmean": "geometric_mean",
    "g_mean": "geometric_mean",
    "mcc": "matthews_corrcoef",
    "sensitivity": "recall",
    "tnr": "specificity",
    "tpr": "recall",
}
_OF_SCORES = ("log_loss", "d2_log_loss_score")


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


def goal_of(scoring: Any, pos_label: Any = None, said_by: str = "scoring") -> Goal:
    """Read what a user asks for.

    Parameters
    ----------
    scoring : str or callable
        A scorer's name, a name of `NAMED`, a scorer, a metric ``(y_true, y_pred)``, or a callable
        ``(estimator, X, y)``.
    pos_label : object, optional
        The label of the positive class; by default the scorer's own.
    said_by : str, default="scoring"
        The parameter that messages speak of.

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
        return _goal_named(scoring, pos_label, said_by)
    if isinstance(scoring, ObjectiveScorer):
        label = scoring.pos_label if pos_label is None else pos_label
        return _goal_of_objective(scoring.objective, label)
    if not callable(scoring):
        raise TypeError(
            f"{said_by} must be the name of a scorer, a scorer, or a metric of (y_true, y_pred), "
            f"found {scoring!r}."
        )
    parts = scorer_parts(scoring)
    if parts is None and _is_metric(scoring):
        _refuse_metric_of_scores(scoring, said_by)
        return goal_of(_scorer_of_metric(scoring), pos_label, said_by)
    if parts is None:
        return Goal(_name_of(scoring), scoring, None, pos_label)
    return _goal_of_scorer(scoring, repr(scoring), pos_label, said_by)


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


def stated_pos_label(scoring: Any) -> Any:
    """Return the class that a scorer was made for.

    Parameters
    ----------
    scoring : str or callable
        As `goal_of` takes it.

    Returns
    -------
    object or None
        None where the scorer says nothing, or only its default.
    """
    parts = scorer_parts(scoring)
    return None if parts is None else parts[2].get("pos_label")


def usual_pos_label(scoring: Any) -> Any:
    """Return the class that a metric calls positive unless it is told another.

    Parameters
    ----------
    scoring : str, callable or None
        As `goal_of` takes it.

    Returns
    -------
    object or None
        None where there is no metric, or it does not matter.
    """
    return None if scoring is None else goal_of(scoring).pos_label


def _goal_named(name: str, pos_label: Any, said_by: str) -> Goal:
    if name in NAMED and name not in get_scorer_names():
        return _goal_of_objective(NAMED[name], pos_label)
    if name not in get_scorer_names():
        known = _known_names(said_by)
        near = [_ALIASES.get(name.lower(), "")]
        near += get_close_matches(name.lower(), known, n=1)
        found = [each for each in near if each in known]
        hint = f"did you mean {found[0]!r}?" if found else f"there are {', '.join(known)}."
        raise ValueError(f"{said_by} names {name!r}, which is no known objective; {hint}")
    return _goal_of_scorer(get_scorer(name), name, pos_label, said_by)


def _known_names(said_by: str) -> list[str]:
    """List the names whose objectives are functions of confusion counts."""
    known = {*NAMED, *(LIMITS if said_by == "constraint" else ())}
    for name in get_scorer_names():
        parts = scorer_parts(get_scorer(name))
        if parts is not None and objective_of(parts[0], parts[2]) is not None:
            known.add(name)
    return sorted(known)


def _goal_of_objective(objective: Objective, pos_label: Any) -> Goal:
    if pos_label is None and objective.one_sided:
        pos_label = 1
    return Goal(objective.name, ObjectiveScorer(objective, pos_label), objective, pos_label)


def _goal_of_scorer(scorer: Any, name: str, pos_label: Any, said_by: str) -> Goal:
    parts = scorer_parts(scorer)
    assert parts is not None
    function, sign, arguments, response_method = parts
    if response_method != "predict":
        raise _judges_scores(name, said_by)
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
            f"pos_label={pos_label!r}, but {said_by}={name} was made with pos_label={own!r}; give "
            "one of them."
        )
    if takes_one and arguments.get("average", "binary") == "binary":
        scorer = with_argument(scorer, "pos_label", pos_label)
    return Goal(name, scorer, objective, pos_label)


def _is_metric(function: Callable[..., Any]) -> bool:
    """Tell a metric of (y_true, y_pred) from a callable of (estimator, X, y)."""
    if (getattr(function, "__module__", None) or "").startswith(("sklearn.metrics", "imblearn.")):
        return True
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return False
    needed = [
        parameter
        for parameter in parameters
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    names = [parameter.name for parameter in parameters]
    is_scorer = names[:1] in (["estimator"], ["clf"], ["est"], ["model"]) or names[1:2] == ["X"]
    return len(needed) == 2 and not is_scorer


def _refuse_metric_of_scores(metric: Callable[..., Any], said_by: str) -> None:
    try:
        parameters = list(inspect.signature(metric).parameters)
    except (TypeError, ValueError):
        return
    if any(name in parameters for name in _SCORES) or _name_of(metric) in _OF_SCORES:
        raise _judges_scores(_name_of(metric), said_by)


def _judges_scores(name: str, said_by: str) -> ValueError:
    return ValueError(
        f"{said_by}={name} judges scores, and no decision changes those; choose an objective of "
        "predictions, such as 'f1', 'matthews_corrcoef' or 'balanced_accuracy'."
    )


def _scorer_of_metric(metric: Callable[..., Any]) -> Any:
    arguments: dict[str, Any] = {}
    if isinstance(metric, partial) and not metric.args:
        arguments = dict(metric.keywords)
        metric = metric.func
    elif not hasattr(metric, "__name__"):
        # scikit-learn shows scorers by the names of their functions, or as partials.
        metric = partial(metric)
    required = [
        name
        for name, parameter in inspect.signature(metric).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
        and parameter.default is parameter.empty
        and name not in arguments
    ]
    if required:
        raise ValueError(
            f"{_name_of(metric)} needs {', '.join(required)}; make a scorer that says it, as in "
            f"make_scorer({_name_of(metric)}, {required[0]}=...)."
        )
    is_loss = _name_of(metric).endswith(("_loss", "_error"))
    return make_scorer(metric, greater_is_better=not is_loss, **arguments)


def _name_of(function: Any) -> str:
    return str(getattr(function, "__name__", type(function).__name__))
