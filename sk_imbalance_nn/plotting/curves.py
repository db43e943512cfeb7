"""What does an objective come to at each threshold? Computed, or kept by who tuned it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sk_imbalance_nn.decisions.choice import objective_curve
from sk_imbalance_nn.decisions.responses import decider_in
from sk_imbalance_nn.decisions.scored import ScoredRows
from sk_imbalance_nn.decisions.scoring import goal_of
from sk_imbalance_nn.plotting.class_scores import ClassScores, inputs_of_decider

_DEFAULT_SCORING = "balanced_accuracy"


def columns_of(results: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a display draws of stored results.

    Parameters
    ----------
    results : mapping of str to ndarray of shape (n_thresholds,)
        As tuners keep them in ``cv_results_``.

    Returns
    -------
    dict
        Arguments of a `ThresholdCurveDisplay`.
    """
    names = ("std_scores", "alarm_rate", "meets_constraint")
    kept = {name: results.get(name) for name in names}
    return {"thresholds": results["thresholds"], "scores": results["scores"], **kept}


def stored_curve(deciding: Any) -> dict[str, Any]:
    """Return the curve that a threshold was chosen on.

    Parameters
    ----------
    deciding : estimator instance
        A fitted tuner.

    Returns
    -------
    dict
        Arguments of a `ThresholdCurveDisplay`.

    Raises
    ------
    ValueError
        If it keeps none.
    """
    results = getattr(deciding, "cv_results_", None) or {}
    if "thresholds" not in results:
        raise ValueError(
            f"{type(deciding).__name__} keeps no curve to draw: give X and y, such as a test set, "
            "or fit two classes with store_cv_results=True."
        )
    return {**columns_of(results), **_said_of(deciding)}


def curve_of_rows(
    shown: ClassScores, estimator: Any, X: Any, y: Any, *, scoring: Any = None, cost: Any = None
) -> dict[str, Any]:
    """Return the curve of scored rows, by the objective that was tuned if there is one.

    Parameters
    ----------
    shown : ClassScores
        The rows' scores.
    estimator : estimator instance
        What scored them.
    X, y : array-like
        The rows, and their labels.
    scoring : str or callable, optional
        Another objective.
    cost : array-like, optional
        Costs of the rows.

    Returns
    -------
    dict
        Arguments of a `ThresholdCurveDisplay`.

    Raises
    ------
    ValueError
        As `curve_of_scores`.
    """
    deciding = decider_in(estimator)
    is_tuned = scoring is None and hasattr(deciding, "threshold_curve") and shown.is_tuned_on
    if not (is_tuned and shown.pos_label == getattr(deciding, "pos_label_", None)):
        return curve_of_scores(shown, scoring)
    results = deciding.threshold_curve(
        inputs_of_decider(estimator, X), y, sample_weight=shown.weight, cost=cost
    )
    curve = {**columns_of(results), **_said_of(deciding)}
    if shown.threshold != curve["best_threshold"]:
        curve |= {"best_threshold": shown.threshold, "threshold_interval": None}
    return curve


def curve_of_scores(shown: ClassScores, scoring: Any = None) -> dict[str, Any]:
    """Evaluate an objective at every threshold.

    Parameters
    ----------
    shown : ClassScores
        Scores of rows.
    scoring : str or callable, optional
        A metric that is a function of the confusion matrix; by default balanced accuracy.

    Returns
    -------
    dict
        Arguments of a `ThresholdCurveDisplay`.

    Raises
    ------
    ValueError
        If the metric is none.
    """
    goal = goal_of(_DEFAULT_SCORING if scoring is None else scoring, shown.pos_label)
    if goal.objective is None or goal.name == "cost":
        raise ValueError(
            f"scoring={goal.name} needs more than the confusion matrix; draw it by a "
            "ThresholdOptimizerCV, which cv='prefit', refit=False wraps around a fitted classifier."
        )
    n_rows = len(shown.target)
    fold = np.zeros(n_rows, dtype=np.intp)
    rows = ScoredRows(shown.score, shown.target, fold, 1, np.arange(n_rows), weight=shown.weight)
    lowest = 0.0 if shown.is_probability else -np.inf
    return {
        **columns_of(objective_curve(rows, goal.objective, lowest)),
        "best_threshold": shown.threshold,
        "default_threshold": shown.usual_threshold,
        "score_name": goal.name,
        "pos_label": shown.pos_label,
    }


def _said_of(deciding: Any) -> dict[str, Any]:
    """Return what a tuner says of its curve."""
    return {
        "best_threshold": deciding.best_threshold_,
        "default_threshold": getattr(deciding, "default_threshold_", None),
        "threshold_interval": getattr(deciding, "threshold_interval_", None),
        "score_name": getattr(deciding, "score_name_", None),
        "pos_label": getattr(deciding, "pos_label_", None),
    }
