"""What is to be decided, and by what is it judged? A user's wishes, checked against each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sk_imbalance_nn.decisions.choice import Choice
from sk_imbalance_nn.decisions.constraint import Constraint, constraint_of
from sk_imbalance_nn.decisions.costs import (
    bayes_threshold,
    check_cost_matrix,
    check_row_cost,
    matrix_of_frame,
    matrix_of_named,
    refuse_one_sided,
)
from sk_imbalance_nn.decisions.counts import Values
from sk_imbalance_nn.decisions.labels import TIED
from sk_imbalance_nn.decisions.objectives import COST, NAMED, Objective
from sk_imbalance_nn.decisions.out_of_fold import OutOfFold
from sk_imbalance_nn.decisions.responses import (
    BINARY,
    MULTICLASS,
    MULTILABEL,
    PROBABILITY,
    Response,
)
from sk_imbalance_nn.decisions.rules import Codes, CostRule, ThresholdRule
from sk_imbalance_nn.decisions.scored import ScoredRows
from sk_imbalance_nn.decisions.scorers import CostScorer, ObjectiveScorer
from sk_imbalance_nn.decisions.scoring import Goal, goal_of
from sk_imbalance_nn.decisions.target import Target

_DEFAULT_SCORING = "balanced_accuracy"


@dataclass(frozen=True)
class Task:
    """What decisions are about, and what makes them good.

    Parameters
    ----------
    target : Target
        Labels.
    response : Response
        Where scores come from.
    goal : Goal
        What is maximised.
    constraint : Constraint or None
        What must hold.
    positive : int
        Code of the positive class of two.
    cost_matrix : ndarray of shape (n_classes, n_classes) or None
        Costs, in the order of the classes.
    row_cost : ndarray of shape (n, n_classes) or None
        Costs of single rows.
    """

    target: Target
    response: Response
    goal: Goal
    constraint: Constraint | None
    positive: int
    cost_matrix: Values | None
    row_cost: Values | None

    @property
    def objective(self) -> Objective:
        """What is maximised; anything, where a scorer is called in its place."""
        return NAMED[_DEFAULT_SCORING] if self.goal.objective is None else self.goal.objective

    def decisive(self, scores: Values) -> Values:
        """Return the scores that a rule looks at.

        Parameters
        ----------
        scores : ndarray of shape (n, n_classes) or (n, n_labels)
            As `Response` gives them.

        Returns
        -------
        ndarray of shape (n,), (n, n_classes) or (n, n_labels)
            Those of the positive class, of two.
        """
        return scores[:, self.positive] if self.target.kind == BINARY else scores

    def labels_of(self, decided: Codes) -> npt.NDArray[Any]:
        """Turn what a rule says into labels.

        Parameters
        ----------
        decided : ndarray of shape (n,) or (n, n_labels)
            0 and 1, class codes, or an indicator.

        Returns
        -------
        ndarray of the same shape
            Labels.
        """
        if self.target.kind == BINARY and self.positive == 0:
            decided = 1 - decided
        return self.target.labels_of(decided)

    def without_rows(self) -> Task:
        """Return what predicting needs: nothing of the rows that were tuned on.

        Returns
        -------
        Task
            A copy.
        """
        empty = replace(self.target, codes=self.target.codes[:0])
        return replace(self, target=empty, row_cost=None)


def task_of(
    target: Target,
    response: Response,
    *,
    scoring: Any,
    constraint: Any = None,
    pos_label: Any = None,
    cost_matrix: npt.ArrayLike | Mapping[tuple[Any, Any], float] | None = None,
    cost: npt.ArrayLike | None = None,
) -> Task:
    """Check a user's wishes against each other and against the target.

    Parameters
    ----------
    target : Target
        Labels.
    response : Response
        Where scores come from.
    scoring : str or callable
        As ``ThresholdOptimizerCV`` takes it; so are the others.
    constraint : str or tuple, optional
        A bound.
    pos_label : object, optional
        The positive class.
    cost_matrix : array-like of shape (n_classes, n_classes) or mapping, optional
        Costs of classes.
    cost : array-like of shape (n,) or (n, n_classes), optional
        Costs of rows.

    Returns
    -------
    Task
        What they come to.

    Raises
    ------
    ValueError
        If they do not fit.
    """
    if pos_label is not None and target.kind != BINARY:
        raise ValueError(
            f"pos_label={pos_label!r} says which of two classes is positive, and y is "
            f"{target.kind}; leave it out."
        )
    bound = None if constraint is None else constraint_of(constraint, pos_label)
    bounds_cost = bound is not None and bound.objective.name == "cost"
    has_cost = cost_matrix is not None or cost is not None
    minimises_cost = _is(scoring, "cost") or (has_cost and not bounds_cost)
    _check_costs(target, scoring, bounds_cost, minimises_cost, cost_matrix, cost)
    n_classes = len(target.classes)
    matrix = _matrix_of(cost_matrix, target.classes)
    row_cost = None if cost is None else check_row_cost(cost, target.codes, n_classes)
    if matrix is not None and target.kind == BINARY:
        # A rule that is never worse needs no search, and tells of a matrix the wrong way round.
        refuse_one_sided(matrix, target.classes)
    if minimises_cost:
        goal = Goal("cost", CostScorer(target.classes, matrix), COST)
    else:
        goal = goal_of(scoring, pos_label)
    goal = _fitting(goal, target)
    if bound is not None:
        if target.kind == MULTILABEL and goal.objective is not None and _is_tied(goal.objective):
            raise ValueError(
                f"constraint={bound} must hold for each label on its own, and {goal.name} ties the "
                "labels together; choose a macro average."
            )
        _fitting(Goal(bound.objective.name, goal.scorer, bound.objective), target, is_bound=True)
    positive = _positive(target, pos_label, goal, bound)
    return Task(target, response, goal, bound, positive, matrix, row_cost)


def _matrix_of(given: Any, classes: npt.NDArray[Any]) -> Values | None:
    """Read costs of classes in any of the forms that they may have."""
    if isinstance(given, Mapping):
        given = matrix_of_named(given, classes)
    elif hasattr(given, "loc") and hasattr(given, "columns"):  # polars has no names of rows
        given = matrix_of_frame(given, classes)
    return None if given is None else check_cost_matrix(given, len(classes))


def _is_tied(objective: Objective) -> bool:
    return objective.average in TIED


def _is(given: Any, name: str) -> bool:
    return isinstance(given, str) and given == name


def _check_costs(
    target: Target,
    scoring: Any,
    bounds_cost: bool,
    minimises_cost: bool,
    cost_matrix: npt.ArrayLike | Mapping[tuple[Any, Any], float] | None,
    cost: npt.ArrayLike | None,
) -> None:
    if cost_matrix is not None and cost is not None:
        raise ValueError("Both cost_matrix and the cost of rows are given; give one of them.")
    if (bounds_cost or minimises_cost) and cost_matrix is None and cost is None:
        raise ValueError("Costs are asked for and there are none; give cost_matrix, or fit(cost=).")
    if minimises_cost and not (_is(scoring, "cost") or _is(scoring, _DEFAULT_SCORING)):
        raise ValueError(
            f"Costs are given, but scoring={scoring!r} does not read them; leave scoring out to "
            "minimise the cost, or bound the cost with constraint='cost <= ...'."
        )
    if target.kind == MULTILABEL and (cost_matrix is not None or cost is not None):
        raise ValueError(
            "Costs are for classes that exclude each other; y is a multilabel indicator. Tune one "
            "label at a time."
        )


def _fitting(goal: Goal, target: Target, is_bound: bool = False) -> Goal:
    """Return the goal if it means something for the target, with a scorer that can judge it."""
    objective = goal.objective
    if objective is None:
        if target.kind == BINARY:
            return goal
        raise ValueError(
            f"scoring={goal.name} is not known as a function of the confusion matrix, which the "
            "search needs for more than two classes, and for labels; choose 'f1_macro', "
            "'balanced_accuracy', 'matthews_corrcoef', 'geometric_mean' or costs."
        )
    if objective.average == "samples" and target.kind != MULTILABEL:
        raise ValueError(f"{goal.name} averages over labels, and y is {target.kind}.")
    if target.kind == MULTICLASS and objective.one_sided:
        raise ValueError(
            f"{goal.name} is about one positive class, and y has {len(target.classes)} classes: "
            f"{target.classes.tolist()}. Choose an average over classes, such as 'f1_macro', or "
            "'balanced_accuracy', 'matthews_corrcoef', 'geometric_mean'."
        )
    if target.kind != MULTILABEL or objective.average is not None or objective is COST:
        return goal
    if objective.one_sided and goal.name not in NAMED and not is_bound:
        raise ValueError(
            f"{goal.name} is about one positive class, and y is a multilabel indicator; say how "
            f"to average over labels, as in '{goal.name}_macro'."
        )
    return _over_labels(goal, objective)


def _over_labels(goal: Goal, objective: Objective) -> Goal:
    """Score the mean over labels, where scikit-learn's own scorer takes no indicators."""
    return replace(goal, scorer=ObjectiveScorer(objective))


def _positive(target: Target, pos_label: Any, goal: Goal, bound: Constraint | None) -> int:
    """Return the code of the positive class."""
    if target.kind != BINARY:
        return len(target.classes) - 1
    of_bound = None if bound is None else bound.pos_label
    if None not in (goal.pos_label, of_bound) and goal.pos_label != of_bound:
        raise ValueError(
            f"{goal.name} calls {goal.pos_label!r} positive, and the constraint {of_bound!r}; say "
            "which with pos_label=..."
        )
    stated = (label for label in (pos_label, goal.pos_label, of_bound) if label is not None)
    return target.position_of(next(stated, None))


def scored_rows(found: OutOfFold, task: Task, sample_weight: Values | None) -> ScoredRows:
    """Put scores, labels, weights and costs together.

    Parameters
    ----------
    found : OutOfFold
        Scores.
    task : Task
        Labels and costs.
    sample_weight : ndarray of shape (n,) or None
        Weights of all rows in the objective; rows that weigh nothing are left out.

    Returns
    -------
    ScoredRows
        What is searched.

    Raises
    ------
    ValueError
        If nothing weighs anything, the scores have the wrong shape, or tell no rows apart.
    """
    index, scores, fold = found.rows, found.scores, found.fold
    n_columns = task.target.codes.shape[1:] or (len(task.target.classes),)
    if scores.shape[1:] != n_columns:
        raise ValueError(
            f"The estimator's scores have the shape {scores.shape}, and y has {n_columns[0]} "
            "labels; tune with the labels that it was fitted on."
        )
    weight = None if sample_weight is None else sample_weight[index]
    if weight is not None:
        counts = weight > 0
        if not counts.any():
            raise ValueError("sample_weight of the scored rows is zero everywhere.")
        index, scores, fold, weight = index[counts], scores[counts], fold[counts], weight[counts]
    # A fold whose rows weigh nothing is none.
    is_there = np.bincount(fold) > 0
    fold = (np.cumsum(is_there) - 1)[fold]
    target = task.target.codes[index]
    matrix = task.cost_matrix
    row_cost = None if task.row_cost is None else task.row_cost[index]
    if task.target.kind == BINARY:
        target = (target == task.positive).astype(np.int8)
        if task.positive == 0:
            matrix = None if matrix is None else matrix[::-1, ::-1]
            row_cost = None if row_cost is None else row_cost[:, ::-1]
    rows = ScoredRows(
        task.decisive(scores),
        target,
        fold,
        int(is_there.sum()),
        index,
        weight=weight,
        cost_matrix=matrix,
        row_cost=row_cost,
        repeats=len(index) / np.count_nonzero(np.bincount(index)),
    )
    _refuse_constant(rows)
    return rows


def _refuse_constant(rows: ScoredRows) -> None:
    """Refuse scores that tell no two rows apart, of all rows or of any fold."""
    parts = [rows.scores[fold] for fold in rows.folds()]
    told_apart = [len(part) > 1 and (part != part[:1]).any() for part in parts]
    is_by_row = all(len(part) <= 1 for part in parts)
    if not any(told_apart) and not (is_by_row and (rows.scores != rows.scores[:1]).any()):
        raise ValueError(
            "The provided estimator makes constant predictions. Therefore, it is impossible to "
            "optimize the decision threshold."
        )


def choose_by_costs(task: Task) -> Choice:
    """Return the rule that follows from costs and probabilities, without a search.

    Parameters
    ----------
    task : Task
        With a cost matrix.

    Returns
    -------
    Choice
        The rule of least expected cost (Elkan 2001).

    Raises
    ------
    ValueError
        If there is no cost matrix, there are no probabilities, or a constraint was given.
    """
    if task.cost_matrix is None:
        raise ValueError(
            "thresholds='bayes' follows from cost_matrix, and there is none. The costs of single "
            "rows are not known when predicting; search for a threshold with thresholds='exact'."
        )
    if task.response.method != PROBABILITY or task.constraint is not None:
        raise ValueError(
            "thresholds='bayes' needs predict_proba and no constraint; found "
            f"{task.response.method} and constraint={task.constraint}."
        )
    if task.target.kind == BINARY:
        matrix = task.cost_matrix if task.positive == 1 else task.cost_matrix[::-1, ::-1]
        threshold = bayes_threshold(matrix)
        attributes = {"best_threshold_": threshold, "best_score_": None}
        return Choice(ThresholdRule(threshold), attributes)
    return Choice(CostRule(task.cost_matrix), {"best_score_": None})
