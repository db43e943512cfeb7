"""Who scores whom? Models fitted on some rows, and their scores of the others."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.utils.parallel import Parallel, delayed

from sk_imbalance_nn._compat import rows_of, rows_of_params
from sk_imbalance_nn._fit_tasks import NOBODYS_TASK, FitTask
from sk_imbalance_nn.decisions.counts import Values
from sk_imbalance_nn.decisions.responses import MULTILABEL, Response
from sk_imbalance_nn.decisions.target import Target

Rows = npt.NDArray[np.intp]
Splits = list[tuple[Rows, Rows]]


@dataclass(frozen=True)
class OutOfFold:
    """Scores of rows by models that have not seen them.

    Parameters
    ----------
    scores : ndarray of shape (n_scored, ...)
        The folds one after another.
    rows : ndarray of shape (n_scored,), int
        Which row each is.
    fold : ndarray of shape (n_scored,), int
        Number of its fold, from 0.
    n_folds : int
        How many there are.
    model : object
        The fitted model of the first.
    """

    scores: Values
    rows: Rows
    fold: Rows
    n_folds: int
    model: Any


def score_out_of_fold(
    estimator: Any,
    X: Any,
    y: Any,
    splits: Splits,
    response: Response,
    *,
    fit_params: Mapping[str, Any],
    n_jobs: int | None = None,
    verbose: int = 0,
    whole: FitTask = NOBODYS_TASK,
) -> OutOfFold:
    """Fit a clone on each fold's training rows and score its other rows.

    Parameters
    ----------
    estimator : object
        The classifier; it is not fitted itself.
    X, y : array-like
        All rows.
    splits : list of (train, test)
        Positions of rows.
    response : Response
        How scores are asked for.
    fit_params : mapping
        Passed to ``fit``; what has a value for each row is sliced.
    n_jobs : int, optional
        Folds at a time.
    verbose : int, default=0
        From 1 on, a line for each fold; from 2 on, joblib's messages too.
    whole : FitTask, optional
        What the folds are parts of.

    Returns
    -------
    OutOfFold
        All scores.
    """
    total = len(splits)
    of_folds = whole.part("cross-validation", total, in_order=False)
    of_folds.begin()
    # Made before any is sent to another process: each keeps count of the others.
    tasks = [of_folds.part("fold", number=number) for number in range(total)]
    found = Parallel(n_jobs=n_jobs, verbose=max(0, verbose - 1))(
        delayed(_fit_and_score)(
            clone(estimator), X, y, split, response, fit_params, number, total, verbose, task
        )
        for number, (split, task) in enumerate(zip(splits, tasks, strict=True), start=1)
    )
    of_folds.end()
    tests = [test for _, test in splits]
    return OutOfFold(
        np.concatenate([scores for _, scores in found]),
        np.concatenate(tests),
        np.repeat(np.arange(total), [len(test) for test in tests]),
        total,
        found[0][0],
    )


def score_by(estimator: Any, X: Any, response: Response) -> OutOfFold:
    """Score all rows by a fitted estimator, as a single fold.

    Parameters
    ----------
    estimator : object
        The classifier, fitted on other rows.
    X : array-like
        All rows.
    response : Response
        How scores are asked for.

    Returns
    -------
    OutOfFold
        All scores.
    """
    scores = response.of(estimator, X)
    rows = np.arange(len(scores))
    return OutOfFold(scores, rows, np.zeros_like(rows), 1, estimator)


def refuse_folds_of_one_class(target: Target, splits: Splits) -> None:
    """Refuse to fit on rows of a single class, before anything is fitted.

    Parameters
    ----------
    target : Target
        All rows' labels.
    splits : list of (train, test)
        Positions of rows.

    Raises
    ------
    ValueError
        If a training part lacks one of two classes, or holds a single one of several.
    """
    if target.kind == MULTILABEL:
        return
    for number, (train, _) in enumerate(splits, start=1):
        present = np.flatnonzero(np.bincount(target.codes[train]))
        if len(present) < 2:
            raise ValueError(
                f"The training rows of fold {number} hold a single class, "
                f"{target.classes[present].tolist()}; use a stratified splitter, which gives each "
                "fold its share, or fewer folds."
            )


def _fit_and_score(
    estimator: Any,
    X: Any,
    y: Any,
    split: tuple[Rows, Rows],
    response: Response,
    fit_params: Mapping[str, Any],
    number: int,
    total: int,
    verbose: int,
    task: FitTask,
) -> tuple[Any, Values]:
    start = time.perf_counter()
    train, test = split
    own = rows_of_params(X, params=fit_params, indices=train)
    seen = rows_of(X, train), rows_of(y, train)
    with task.of_rows(*seen, own.get("sample_weight")).around(estimator):
        estimator.fit(*seen, **own)
    scores = response.of(estimator, rows_of(X, test))
    if verbose > 0:
        seconds = time.perf_counter() - start
        print(
            f"[ThresholdOptimizerCV] fold {number}/{total}: fitted {len(train)} rows, scored "
            f"{len(test)}, {seconds:.1f} s"
        )
    # Only the first model may be wanted again; the others need not travel between processes.
    return (estimator if number == 1 else None), scores


def checked_splits(splits: Iterator[Any], n_rows: int) -> Splits:
    """Read the splits of a cross-validation.

    Parameters
    ----------
    splits : iterator of (train, test)
        Positions of rows, or masks.
    n_rows : int
        How many rows there are.

    Returns
    -------
    list of (ndarray, ndarray)
        Positions.

    Raises
    ------
    ValueError
        If there are none, or a part is empty.
    """
    everything = np.arange(n_rows)
    found = [
        (everything[np.asarray(train)], everything[np.asarray(test)]) for train, test in splits
    ]
    if not found:
        raise ValueError("cv gave no splits; at least one of (train, test) is needed.")
    if any(len(train) == 0 or len(test) == 0 for train, test in found):
        raise ValueError("cv gave a split with an empty part; each needs rows to fit and to score.")
    return found
