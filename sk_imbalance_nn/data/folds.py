"""Folds: parts of the rows, each of which somebody is to be blind to."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import StratifiedGroupKFold

from sk_imbalance_nn.data.split import label_folds


def stratified_folds(
    strata: NDArray[Any], n_folds: int, seed: int, groups: ArrayLike | None = None
) -> NDArray[np.intp]:
    """Deal rows into folds that have the same classes.

    Parameters
    ----------
    strata : ndarray of shape (n,) or (n, n_labels)
        Class codes, or a 0/1 indicator of labels.
    n_folds : int
        How many folds.
    seed : int
        Decides which rows.
    groups : array-like of shape (n,), default=None
        Rows of one group stay in one fold. Not for several labels.

    Returns
    -------
    ndarray of shape (n,)
        The fold of each row, from 0. Of a class with fewer rows than folds, each row is in
        another one.

    Raises
    ------
    ValueError
        For groups of rows with several labels, or fewer groups than folds.

    Examples
    --------
    >>> stratified_folds(np.array([0, 0, 0, 0, 1, 1]), 2, seed=0).tolist()
    [0, 1, 1, 0, 1, 0]
    """
    if groups is not None:
        return _group_folds(strata, n_folds, seed, groups)
    order = np.random.default_rng(seed).permutation(len(strata))
    folds = np.empty(len(strata), dtype=np.intp)
    if strata.ndim == 2:
        # Folds beyond the number of rows stay empty.
        folds[order] = label_folds(strata[order], min(n_folds, len(strata)))
        return folds
    order = order[np.argsort(strata[order], kind="stable")]
    # Dealt on from class to class, the folds are of one size too.
    folds[order] = np.arange(len(strata)) % n_folds
    return folds


def _group_folds(
    strata: NDArray[Any], n_folds: int, seed: int, groups: ArrayLike
) -> NDArray[np.intp]:
    if strata.ndim == 2:
        raise ValueError("groups cannot be kept together for a target of several labels.")
    n_groups = len(np.unique(np.asarray(groups)))
    if n_groups < n_folds:
        raise ValueError(f"{n_groups} groups cannot be dealt into {n_folds} folds.")
    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    folds = np.empty(len(strata), dtype=np.intp)
    with warnings.catch_warnings():
        # Of a class with fewer rows than folds.
        warnings.simplefilter("ignore", UserWarning)
        for fold, (_, rows) in enumerate(splitter.split(strata, strata, groups)):
            folds[rows] = fold
    return folds
