"""Can this be searched, and is it worth much? What is refused before, and warned of after."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np

from sk_imbalance_nn._compat import rows_of
from sk_imbalance_nn.decisions.choice import Choice
from sk_imbalance_nn.decisions.counts import Values
from sk_imbalance_nn.decisions.responses import BINARY, MULTILABEL, PROBABILITY
from sk_imbalance_nn.decisions.rules import Codes
from sk_imbalance_nn.decisions.scored import ScoredRows
from sk_imbalance_nn.decisions.task import Task

_FEW_ROWS = 10
_LEAST_FOUND = 0.05
_PRIOR_ROWS = 10_000
# Where each look is a call, so many are enough, and take seconds.
_MOST_CALLS = 1_000


def check_thresholds(given: Any, task: Task, is_called: bool) -> Any:
    """Read where a search shall look.

    Parameters
    ----------
    given : "exact", int or array-like
        As ``ThresholdOptimizerCV`` takes it.
    task : Task
        What is decided.
    is_called : bool
        Whether each look is a call of a scorer.

    Returns
    -------
    "exact", int or ndarray
        A number of quantiles, or descending thresholds.

    Raises
    ------
    ValueError
        If it, or the call, does not fit the target, or it is no one-dimensional array of numbers.
    """
    if is_called and task.target.kind != BINARY:
        raise ValueError(
            "For more than two classes, and for labels, the search needs an objective of the "
            "confusion matrix; a scorer with metadata of its own is called and not looked into."
        )
    if isinstance(given, str):
        return _MOST_CALLS if is_called else given
    if task.target.kind != BINARY:
        raise ValueError(
            "thresholds can be given for two classes only; for more classes, and for labels, leave "
            "thresholds='exact'."
        )
    if isinstance(given, Integral):
        return int(given)
    array = np.asarray(given)
    is_share = task.response.method == PROBABILITY and array.dtype.kind in "iuf"
    if is_share and ((array < 0) | (array > 1)).sum() > array.size / 2:
        raise ValueError(
            f"thresholds are compared with probabilities, from 0 to 1; found {array.min():g} to "
            f"{array.max():g}."
        )
    if array.ndim != 1 or array.size == 0 or array.dtype.kind not in "iuf" or np.isnan(array).any():
        raise ValueError(
            "thresholds must be 'exact', 'bayes', an integer, or a one-dimensional array of "
            f"numbers; found {given!r}."
        )
    return array.astype(np.float64)


def refuse_missing(
    task: Task,
    groups: Sequence[Codes],
    weight: Values | None,
    aggregate: str,
    advice: str = "use a stratified splitter",
) -> None:
    """Refuse rows to tune on in which the objective or the bound is undefined.

    Parameters
    ----------
    task : Task
        Labels and what makes decisions good.
    groups : sequence of ndarray of int
        Positions of the rows that each fold scores.
    weight : ndarray of shape (n,) or None
        Weights of all rows in the objective.
    aggregate : {"pooled", "mean"}
        How folds are put together.
    advice : str, default="use a stratified splitter"
        The nearest cure.

    Raises
    ------
    ValueError
        If one of two classes is missing and needed; for more classes, and for labels, averages are
        over what there is.
    """
    bound = [] if task.constraint is None else [task.constraint.objective]
    needs = any(objective.needs_every_class for objective in [task.objective, *bound])
    if task.target.kind != BINARY or not needs:
        return
    is_mean = aggregate == "mean" and len(groups) > 1
    for number, rows in enumerate(groups if is_mean else [np.concatenate(groups)], start=1):
        weighing = rows if weight is None else rows[weight[rows] > 0]
        counts = np.bincount(task.target.codes[weighing], minlength=2)
        if len(weighing) > 0 and not counts.all():
            where = f"fold {number}" if is_mean else "the rows that are scored"
            cure = "fewer folds, or aggregate='pooled'" if is_mean else "or more rows of it"
            name = task.target.classes.tolist()[int(counts.argmin())]
            raise ValueError(
                f"There is no row of class {name!r} in {where}, so {task.goal.name} is undefined "
                f"there; {advice}, {cure}."
            )


def warn_of_few(rows: ScoredRows, task: Task) -> None:
    """Warn where few rows of a class carry the choice.

    Parameters
    ----------
    rows : ScoredRows
        What is searched.
    task : Task
        Labels.

    Warns
    -----
    UserWarning
        If there are fewer than 10.
    """
    target = rows.target
    if rows.repeats > 1:
        target = target[np.unique(rows.index, return_index=True)[1]]
    if task.target.kind == MULTILABEL:
        sizes = np.stack([(target == 0).sum(axis=0), (target == 1).sum(axis=0)]).min(axis=0)
        name = f"label {int(sizes.argmin())}"
    else:
        sizes = np.bincount(target, minlength=len(task.target.classes))
        decided = int(sizes.argmin())
        code = abs(decided - 1 + task.positive) if task.target.kind == BINARY else decided
        name = f"class {task.target.classes.tolist()[code]!r}"
    if sizes.min() < _FEW_ROWS:
        warnings.warn(
            f"Only {int(sizes.min())} rows of {name} carry the choice of the decision rule; with "
            "other rows it may come out very different.",
            UserWarning,
            stacklevel=3,
        )


def warn_of_order(task: Task, cost_matrix: Any) -> None:
    """Warn where costs may have been written in another order than that of the classes.

    Parameters
    ----------
    task : Task
        Labels and costs.
    cost_matrix : object
        As it was given.

    Warns
    -----
    UserWarning
        If two classes have names, and calling the rarer one the other costs less than the reverse.
    """
    target, matrix = task.target, task.cost_matrix
    has_names = isinstance(cost_matrix, Mapping) or (
        hasattr(cost_matrix, "loc") and hasattr(cost_matrix, "columns")
    )
    if matrix is None or has_names or target.kind != BINARY:
        return
    labels = target.classes.tolist()
    rare = int(np.bincount(target.codes, minlength=2).argmin())
    common = 1 - rare
    is_named = any(isinstance(label, str) for label in labels)
    if is_named and matrix[rare, common] < matrix[common, rare]:
        miss, alarm = (labels[rare], labels[common]), (labels[common], labels[rare])
        warnings.warn(
            f"cost_matrix is read in the order of the classes, {labels}, whatever pos_label is: it "
            f"makes it cheaper to miss {labels[rare]!r}, the rarer class, than to take "
            f"{labels[common]!r} for it. Name the classes, (true, predicted), to be sure: "
            f"cost_matrix={{{miss}: {matrix[common, rare]:g}, {alarm}: {matrix[rare, common]:g}}} "
            "if a miss is the dearer mistake.",
            UserWarning,
            stacklevel=3,
        )


def warn_of_silence(choice: Choice, rows: ScoredRows, task: Task) -> None:
    """Warn where the cheapest rule hardly ever finds a row of the rarer class.

    Parameters
    ----------
    choice : Choice
        The rule.
    rows : ScoredRows
        What it was chosen on.
    task : Task
        Labels and costs.

    Warns
    -----
    UserWarning
        For two classes, if costs of classes are minimised and fewer than one in twenty are found.
    """
    minimises = task.cost_matrix is not None and task.goal.name == "cost"
    if not minimises or task.target.kind != BINARY:
        return
    rare = int(np.bincount(rows.target, minlength=2).argmin())
    is_found = choice.rule.decide(rows.scores)[rows.target == rare] == rare
    if is_found.sum() < _LEAST_FOUND * len(is_found):
        labels = task.target.classes.tolist()
        name = labels[task.positive if rare == 1 else 1 - task.positive]
        warnings.warn(
            f"The rule of least cost finds {is_found.sum()} of {len(is_found)} rows of {name!r}, "
            "the rarer class. If that is not meant, look at cost_matrix: true classes in rows "
            "(first in named pairs), predicted ones in columns.",
            UserWarning,
            stacklevel=3,
        )


def warn_of_prior(estimator: Any, X: Any, task: Task) -> None:
    """Warn where probabilities are plainly not those of the data, as after class weights.

    Parameters
    ----------
    estimator : object
        Fitted.
    X : array-like
        Rows with the labels of `task`.
    task : Task
        Labels and costs.

    Warns
    -----
    UserWarning
        If the mean probability of a class is not within half and twice its share, by 5 rows.
    """
    n_rows = len(task.target.codes)
    rows = np.linspace(0, n_rows - 1, min(n_rows, _PRIOR_ROWS)).astype(np.intp)
    mean = task.response.of(estimator, rows_of(X, rows)).mean(axis=0)
    n_classes = len(task.target.classes)
    share = np.bincount(task.target.codes[rows], minlength=n_classes) / len(rows)
    off = (mean > 2 * share + 5 / len(rows)) | (share > 2 * mean + 5 / len(rows))
    if off.any():
        k = int(off.argmax())
        warnings.warn(
            f"Class {task.target.classes.tolist()[k]!r} is {share[k]:.3g} of the rows, and its "
            f"mean probability is {mean[k]:.3g}: after class weights or resampling, probabilities "
            "do not give the rule of least cost. Search with thresholds='exact', or fit without "
            "weights.",
            UserWarning,
            stacklevel=3,
        )
