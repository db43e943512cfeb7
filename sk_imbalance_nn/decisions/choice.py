"""What is chosen, and how sure is it? The search for each kind of target, from scores to a rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from sk_imbalance_nn.decisions.ascent import Ascent
from sk_imbalance_nn.decisions.bootstrap import (
    bootstrap_intervals,
    bootstrap_labels,
    bootstrap_score,
)
from sk_imbalance_nn.decisions.constraint import Constraint
from sk_imbalance_nn.decisions.counts import Values
from sk_imbalance_nn.decisions.grid import Score, grid_of, scored_curve
from sk_imbalance_nn.decisions.labels import TIED, LabelAscent, label_objective
from sk_imbalance_nn.decisions.objectives import Objective
from sk_imbalance_nn.decisions.responses import BINARY, MULTILABEL
from sk_imbalance_nn.decisions.rules import ArgmaxRule, Rule, ThresholdRule, log_of
from sk_imbalance_nn.decisions.scored import ScoredRows
from sk_imbalance_nn.decisions.selection import Curve, select, tolerance_of
from sk_imbalance_nn.decisions.sweep import Sweep


@dataclass(frozen=True)
class Search:
    """How a rule is looked for.

    Parameters
    ----------
    objective : Objective
        What is maximised.
    score : callable or None
        The scorer to be called in place of the objective, which is then not used.
    constraint : Constraint or None
        What must hold.
    infeasible : {"raise", "closest"}
        What happens where it cannot.
    thresholds : "exact", int or ndarray
        Every cut, so many quantiles, or these.
    aggregate : {"pooled", "mean"}
        How folds are put together.
    width : float
        How far from the best a value may be, in standard errors.
    lowest : float
        The least score that there can be.
    random_state : RandomState
        Where the bootstrap's chance comes from.
    """

    objective: Objective
    score: Score | None
    constraint: Constraint | None
    infeasible: str
    thresholds: Any
    aggregate: str
    width: float
    lowest: float
    random_state: np.random.RandomState


@dataclass(frozen=True)
class Choice:
    """A decision rule and what is known of it.

    Parameters
    ----------
    rule : Rule
        What decides.
    attributes : dict
        What a fitted meta-estimator shows of it, by name.
    results : callable
        Returns the whole curve as columns.
    """

    rule: Rule
    attributes: dict[str, Any]
    results: Callable[[], dict[str, Values]] = field(default=dict)


def choose(rows: ScoredRows, kind: str, search: Search) -> Choice:
    """Find the decision rule of any target.

    Parameters
    ----------
    rows : ScoredRows
        Scores and labels.
    kind : {"binary", "multiclass", "multilabel"}
        Type of the target.
    search : Search
        How.

    Returns
    -------
    Choice
        The rule.

    Raises
    ------
    ValueError
        If nothing meets the constraint and that is not allowed.
    """
    if kind == BINARY:
        return choose_threshold(rows, search)
    if kind == MULTILABEL:
        return choose_label_thresholds(rows, search)
    return choose_class_weights(rows, search, probabilities=search.lowest == 0.0)


def choose_threshold(rows: ScoredRows, search: Search) -> Choice:
    """Find the threshold of a binary target.

    Parameters
    ----------
    rows : ScoredRows
        Scores of the positive class.
    search : Search
        How.

    Returns
    -------
    Choice
        With a `ThresholdRule`.

    Raises
    ------
    ValueError
        If no threshold meets the constraint and that is not allowed.
    """
    sweep, curve = _swept(rows, search)
    if not (curve.values > -np.inf).any():
        raise ValueError("The objective is undefined (NaN) at every threshold; see scoring.")
    _refuse_infeasible(curve, search)
    chosen = select(curve, search.width)
    threshold = float(curve.thresholds[chosen])
    attributes: dict[str, Any] = {
        "best_threshold_": threshold,
        "best_score_": float(curve.values[chosen]),
    }
    if search.constraint is not None:
        attributes["constraint_value_"] = float(sweep.bounded(threshold))
    if search.score is None:
        of_threshold, of_score = bootstrap_intervals(
            sweep, curve, chosen, tolerance_of(curve, search.width), search.random_state
        )
        optima = sweep.fold_optima()
        finite = optima[np.isfinite(optima)]
        attributes |= {
            "threshold_interval_": of_threshold,
            "score_interval_": of_score,
            "fold_thresholds_": optima,
            "threshold_std_": float(np.std(finite)) if len(finite) else float("nan"),
        }
    return Choice(ThresholdRule(threshold), attributes, lambda: _results(sweep, curve))


def choose_class_weights(rows: ScoredRows, search: Search, probabilities: bool) -> Choice:
    """Find the class weights of an argmax.

    Parameters
    ----------
    rows : ScoredRows
        Scores of each class.
    search : Search
        How; thresholds and selection do not apply.
    probabilities : bool
        Whether the scores are probabilities, rather than decision values.

    Returns
    -------
    Choice
        With an `ArgmaxRule`.

    Raises
    ------
    ValueError
        If no weights were found that meet the constraint, and that is not allowed.
    """
    if probabilities:
        rows = replace(rows, scores=log_of(rows.scores))
    ascent = Ascent(rows, search.objective, search.constraint, search.aggregate)
    rule = ascent.run()
    standing = ascent.standing(rule.offset)
    attributes: dict[str, Any] = {"best_score_": standing.value}
    if search.constraint is not None:
        _refuse(standing.lacking, search)
        attributes["constraint_value_"] = ascent.bounded(rule.offset)
    of_folds = [rule.offset]
    if rows.n_folds > 1:
        parts = [replace(ascent, rows=rows.part(fold)) for fold in rows.folds()]
        of_folds = [part.climb(rule.offset).offset for part in parts]
    for name, offset in (("best_class", rule.offset), ("fold_class", np.array(of_folds))):
        if probabilities:
            weights = np.exp(offset - offset.max(axis=-1, keepdims=True))
            means = weights.mean(axis=-1, keepdims=True)
            attributes[f"{name}_weight_"] = weights / means
        else:
            attributes[f"{name}_offset_"] = offset
    decided = rule.decide(rows.scores)
    attributes["score_interval_"] = bootstrap_score(
        search.objective, rows, decided, ascent.groups, search.random_state
    )
    return Choice(ArgmaxRule(rule.offset, of_probabilities=probabilities), attributes)


def choose_label_thresholds(rows: ScoredRows, search: Search) -> Choice:
    """Find a threshold for each label.

    Parameters
    ----------
    rows : ScoredRows
        Scores and target with a column for each label.
    search : Search
        How; selection applies to labels that part.

    Returns
    -------
    Choice
        With a `ThresholdRule`.

    Raises
    ------
    ValueError
        If a label cannot meet the constraint and that is not allowed.
    """
    objective = search.objective
    each = replace(search, objective=label_objective(objective))
    choices = []
    usual = 0.5 if search.lowest == 0.0 else 0.0
    for label in range(rows.scores.shape[1]):
        if len(np.unique(rows.target[:, label])) == 1:
            choices.append(_unknown(usual, rows.n_folds, search))
            continue
        try:
            choices.append(choose_threshold(rows.label(label), each))
        except ValueError as error:
            raise ValueError(f"Label {label}: {error}") from None
    names = [name for name in choices[0].attributes if name not in ("best_score_",)]
    attributes: dict[str, Any] = {
        name: np.array([choice.attributes[name] for choice in choices]) for name in names
    }
    ascent = LabelAscent(rows, objective, search.aggregate, search.lowest)
    thresholds = attributes["best_threshold_"]
    if objective.average in TIED:
        thresholds = ascent.run([thresholds, np.full(rows.scores.shape[1], usual)])
        attributes = {"best_threshold_": thresholds}
    else:
        attributes["fold_thresholds_"] = attributes["fold_thresholds_"].T
    attributes["best_score_"] = ascent.value(thresholds)
    attributes["score_interval_"] = bootstrap_labels(ascent, thresholds, search.random_state)
    return Choice(ThresholdRule(thresholds), attributes)


def _unknown(usual: float, n_folds: int, search: Search) -> Choice:
    """Leave the threshold of a label alone that all rows have, or none: nothing is known of it."""
    nothing = float("nan")
    attributes: dict[str, Any] = {
        "best_threshold_": usual,
        "best_score_": nothing,
        "threshold_interval_": (nothing, nothing),
        "score_interval_": (nothing, nothing),
        "fold_thresholds_": np.full(n_folds, nothing),
        "threshold_std_": nothing,
    }
    if search.constraint is not None:
        attributes["constraint_value_"] = nothing
    return Choice(ThresholdRule(usual), attributes)


def threshold_curve(rows: ScoredRows, search: Search) -> dict[str, Values]:
    """Evaluate the objective of a binary target at every threshold.

    Parameters
    ----------
    rows : ScoredRows
        Scores of the positive class.
    search : Search
        Where to look, and for what.

    Returns
    -------
    dict of ndarray of shape (n_thresholds,)
        Columns by name, thresholds ascending.
    """
    return _results(*_swept(rows, search))


def objective_curve(rows: ScoredRows, objective: Objective, lowest: float) -> dict[str, Values]:
    """Evaluate any objective at every cut.

    Parameters
    ----------
    rows : ScoredRows
        Scores of the positive class.
    objective : Objective
        A function of confusion counts.
    lowest : float
        The least score that there can be.

    Returns
    -------
    dict of ndarray of shape (n_thresholds,)
        Columns by name, thresholds ascending.
    """
    sweep = Sweep(rows, objective, None, "pooled", lowest)
    return _results(sweep, sweep.curve())


def _swept(rows: ScoredRows, search: Search) -> tuple[Sweep, Curve]:
    sweep = Sweep(rows, search.objective, search.constraint, search.aggregate, search.lowest)
    return sweep, _curve(sweep, search)


def _curve(sweep: Sweep, search: Search) -> Curve:
    if search.score is not None:
        grid = search.thresholds
        grid = grid_of(sweep, grid) if isinstance(grid, int) else grid
        return scored_curve(sweep, grid, search.score)
    if isinstance(search.thresholds, str):
        return sweep.curve()
    if isinstance(search.thresholds, int):
        return sweep.curve(grid_of(sweep, search.thresholds))
    return sweep.curve(search.thresholds)


def _refuse_infeasible(curve: Curve, search: Search) -> None:
    if curve.lacking is not None:
        _refuse(float(curve.lacking[curve.values > -np.inf].min()), search)


def _refuse(lacking: float, search: Search) -> None:
    constraint = search.constraint
    if constraint is not None and lacking > 0 and search.infeasible == "raise":
        reached = constraint.bound + (-lacking if constraint.at_least else lacking)
        raise ValueError(
            f"No decision rule was found that meets the constraint {constraint}: the closest "
            f"reaches {reached:.6g} in cross-validation. Relax the bound, improve the model, or "
            "take the closest with infeasible='closest'."
        )


def _results(sweep: Sweep, curve: Curve) -> dict[str, Values]:
    """List the curve by ascending threshold, as columns of equal length."""
    over_folds = curve.over_folds()
    at = sweep.cuts.at(curve.thresholds)
    hits, predicted = sweep.pooled.hits[:, at], sweep.pooled.predicted[:, at]
    columns = {
        "thresholds": curve.thresholds,
        "scores": curve.values,
        "std_scores": over_folds.std(axis=0),
        "alarm_rate": curve.alarm_rate,
        "true_positives": hits[1],
        "false_positives": predicted[1] - hits[1],
        "false_negatives": predicted[0] - hits[0],
        "true_negatives": hits[0],
    }
    if sweep.constraint is not None:
        columns["constraint"] = sweep.bounded(curve.thresholds)
        assert curve.lacking is not None
        columns["meets_constraint"] = curve.lacking == 0
    columns |= {f"split{number}_scores": values for number, values in enumerate(over_folds)}
    return {name: np.ascontiguousarray(values[::-1]) for name, values in columns.items()}
