"""Samplers of imbalanced-learn: rows drawn anew each epoch, or picked or made once."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.base import clone
from sklearn.utils import check_random_state

from sk_imbalance_nn.balancing.batches import EpochPlan, Rows, index_type, interleaved
from sk_imbalance_nn.balancing.epochs import refuse_no_rows
from sk_imbalance_nn.balancing.quotas import described

_LARGEST_SEED = 2**31 - 1
_PASSED_ON = (ValueError, TypeError, IndexError, RuntimeError)


def redraws(sampler: Any) -> bool:
    """Say whether a sampler's rows can be drawn anew each epoch.

    Parameters
    ----------
    sampler : imbalanced-learn sampler
        The sampler.

    Returns
    -------
    bool
        True for samplers that draw rows at random and look at no features: `RandomUnderSampler`,
        and `RandomOverSampler` without shrinkage.

    Examples
    --------
    >>> from imblearn.over_sampling import SMOTE, RandomOverSampler
    >>> redraws(RandomOverSampler()), redraws(RandomOverSampler(shrinkage=1.0)), redraws(SMOTE())
    (True, False, False)
    """
    from imblearn.over_sampling import RandomOverSampler
    from imblearn.under_sampling import RandomUnderSampler

    if isinstance(sampler, RandomOverSampler):
        return sampler.shrinkage is None
    return isinstance(sampler, RandomUnderSampler)


class RedrawnRows:
    """An epoch of rows that a sampler draws at random, anew each time.

    imbalanced-learn's generator of balanced batches (`imblearn.keras.BalancedBatchGenerator`)
    draws once, so that an under-sampled majority is never seen but for a few rows; here each epoch
    draws again. Draws are independent of each other: to see every row after a fixed number of
    epochs, take the sampler "under" in place of `RandomUnderSampler`.

    Classes are spread evenly over the epoch by `interleaved`.

    Parameters
    ----------
    sampler : imbalanced-learn sampler
        One that `redraws`; it is cloned, never changed.
    labels : array-like of shape (n,)
        The class of each row.
    random_state : int
        Source of the draws if the sampler has no random_state of its own.

    Attributes
    ----------
    n_rows : int
        Rows an epoch.
    copies : ndarray of shape (n,), float64
        How often each row is expected in an epoch.

    Raises
    ------
    ValueError
        If the sampler cannot resample these labels.

    Examples
    --------
    >>> from imblearn.under_sampling import RandomUnderSampler
    >>> source = RedrawnRows(RandomUnderSampler(), [0, 0, 0, 0, 1, 1], random_state=0)
    >>> source.n_rows, source.copies.tolist()
    (4, [0.5, 0.5, 0.5, 0.5, 1.0, 1.0])
    """

    def __init__(self, sampler: Any, labels: npt.ArrayLike, random_state: int) -> None:
        self._sampler = clone(sampler)
        self._labels = _labels_of_classes(labels)
        self._random_state = random_state
        own = self._sampler.get_params()["random_state"]
        self._seeds = deepcopy(check_random_state(random_state if own is None else own))
        self._codes = np.unique(self._labels, return_inverse=True)[1]
        # Codes are sorted in a tenth of the time; only strategies that name classes need names.
        unnamed = isinstance(self._sampler.sampling_strategy, str | Real)
        self._target = self._codes if unnamed else self._labels
        drawn = self._draw()
        self.n_rows = len(drawn)
        shares = np.bincount(self._codes[drawn]) / np.bincount(self._codes)
        self.copies = shares[self._codes]

    def plan(self, batch_size: int, rng: np.random.Generator, shuffle: bool = True) -> EpochPlan:
        """Draw the rows of the next epoch; see `SampledRows.plan`.

        `rng` orders them; what draws them is the object's own `random_state`.
        """
        mixed = rng.permutation(self._draw())
        codes = self._codes[mixed]
        by_class = mixed[np.argsort(codes, kind="stable")]
        groups = np.split(by_class, np.cumsum(np.bincount(codes))[:-1])
        indices = interleaved(groups, rng)[: self.n_rows]
        return EpochPlan(indices if shuffle else np.sort(indices), batch_size)

    def shortened(self, n_rows: int) -> RedrawnRows:
        """Return epochs of fewer rows.

        Parameters
        ----------
        n_rows : int
            Rows an epoch, at most: a part of each draw in which classes keep their shares.

        Returns
        -------
        RedrawnRows
            The shorter epochs, whose draws start afresh.

        Raises
        ------
        ValueError
            If `n_rows` is below one.
        """
        refuse_no_rows(n_rows)
        shorter = RedrawnRows(self._sampler, self._labels, self._random_state)
        shorter.n_rows = min(n_rows, self.n_rows)
        shorter.copies = self.copies * (shorter.n_rows / self.n_rows)
        return shorter

    def _draw(self) -> Rows:
        seed = self._seeds.randint(_LARGEST_SEED)
        sampler = clone(self._sampler).set_params(random_state=seed)
        n_rows = len(self._labels)
        _fit_resample(sampler, np.arange(n_rows)[:, np.newaxis], self._target, self._labels)
        return np.asarray(sampler.sample_indices_).astype(index_type(n_rows))


@dataclass(frozen=True, eq=False)
class Resampled:
    """Rows that a sampler picked, or a table that it made.

    Parameters
    ----------
    index : ndarray of int of shape (m,) or None
        The rows picked, some perhaps several times; None if rows were made.
    X : array or CSR matrix of shape (m, n_features) or None
        The table, if rows were made.
    labels : ndarray of shape (m,) or None
        Its classes.
    n_original : int or None
        How many of its first rows are the rows given, in their order, if that is all of them.
    """

    index: npt.NDArray[np.intp] | None = None
    X: Any = None
    labels: npt.NDArray[Any] | None = None
    n_original: int | None = None


def resample(sampler: Any, X: Any, labels: npt.ArrayLike, random_state: int) -> Resampled:
    """Resample rows once.

    Parameters
    ----------
    sampler : imbalanced-learn sampler
        It is cloned, never changed.
    X : array, CSR matrix or dict of them
        The rows. Samplers that make rows need a table; those that pick rows see images, sequences
        or several inputs as one, with all numbers of a row side by side.
    labels : array-like of shape (n,)
        Classes, as the user names them.
    random_state : int
        Seed of the sampler, and of samplers within it, where they have none of their own.

    Returns
    -------
    Resampled
        Rows picked, or a table of the type of `X`.

    Raises
    ------
    ValueError
        If `labels` are multilabel, if the sampler makes rows that are no table, or where the
        sampler refuses the rows; other errors of the sampler keep their type as well.

    Examples
    --------
    >>> from imblearn.under_sampling import NearMiss
    >>> from imblearn.over_sampling import SMOTE
    >>> X, labels = np.arange(12.0).reshape(6, 2), ["no", "no", "no", "no", "yes", "yes"]
    >>> resample(NearMiss(n_neighbors=1), X, labels, 0).index.tolist()
    [3, 2, 4, 5]
    >>> made = resample(SMOTE(k_neighbors=1), X, labels, 0)
    >>> made.X.shape, made.labels[-2:].tolist(), made.n_original
    ((8, 2), ['yes', 'yes'], 6)
    """
    classes = _labels_of_classes(labels)
    seeded = _seeded(sampler, random_state)
    table = _table(X)
    if table is not X and _makes_rows(sampler):
        raise ValueError(_needs_a_table(sampler, X))
    made, new_labels = _fit_resample(seeded, table, classes, classes)
    index = getattr(seeded, "sample_indices_", None)
    if index is not None and _same(made, table[index]):
        return Resampled(index=np.asarray(index, dtype=np.intp))
    if table is not X:
        raise ValueError(_needs_a_table(sampler, X))
    made = made.tocsr() if sparse.issparse(made) else made
    if table.dtype.kind == "f":
        made = made.astype(table.dtype, copy=False)
    n_rows = len(classes)
    starts_alike = made.shape[0] >= n_rows and _same(made[:n_rows], table)
    return Resampled(X=made, labels=new_labels, n_original=n_rows if starts_alike else None)


def weights_after(
    resampled: Resampled, labels: npt.ArrayLike, sample_weight: npt.ArrayLike | None
) -> npt.NDArray[Any] | None:
    """Return the sample weights of resampled rows.

    Parameters
    ----------
    resampled : Resampled
        The rows.
    labels : array-like of shape (n,)
        The classes of the rows before.
    sample_weight : array-like of shape (n,) or None
        Their weights.

    Returns
    -------
    ndarray of shape (m,) or None
        Rows that were given keep their weights, those made get the mean weight of their class;
        None without weights.

    Raises
    ------
    ValueError
        If weights differ, and the sampler both makes and drops rows, so that none can be told
        whose weight it should have.

    Examples
    --------
    >>> made = Resampled(X=np.zeros((4, 1)), labels=np.array([0, 1, 1, 1]), n_original=3)
    >>> weights_after(made, [0, 1, 1], [1.0, 2.0, 4.0]).tolist()
    [1.0, 2.0, 4.0, 3.0]
    """
    if sample_weight is None:
        return None
    weights = np.asarray(sample_weight)
    if resampled.index is not None:
        return np.asarray(weights[resampled.index])
    assert resampled.labels is not None  # as rows are either picked or made
    if (weights == weights[0]).all():
        return np.full(len(resampled.labels), weights[0])
    if resampled.n_original is None:
        raise ValueError(
            "The sampler both makes and drops rows, so that the sample_weight of a row that is "
            "left cannot be told; take a sampler that only makes rows (SMOTE) or only picks them "
            "(TomekLinks, EditedNearestNeighbours), or leave out sample_weight."
        )
    classes, codes = np.unique(np.asarray(labels), return_inverse=True)
    means = np.bincount(codes, weights) / np.bincount(codes)
    made = np.searchsorted(classes, resampled.labels[resampled.n_original :])
    return np.concatenate([weights, means[made].astype(weights.dtype)])


def _makes_rows(sampler: Any) -> bool:
    """Say of imbalanced-learn's own samplers whether they make rows."""
    from imblearn.combine import SMOTEENN, SMOTETomek
    from imblearn.over_sampling.base import BaseOverSampler

    return isinstance(sampler, BaseOverSampler | SMOTEENN | SMOTETomek) and not redraws(sampler)


def _needs_a_table(sampler: Any, X: Any) -> str:
    return (
        f"{type(sampler).__name__} makes rows, which imbalanced-learn can do only in tables, "
        f"and X is {_form(X)}; take a sampler that picks rows, such as RandomUnderSampler, "
        "RandomOverSampler without shrinkage, TomekLinks or NearMiss, or 'over', 'under' or "
        "'balanced'."
    )


def _labels_of_classes(labels: npt.ArrayLike) -> npt.NDArray[Any]:
    classes = np.asarray(labels)
    if classes.ndim != 1:
        raise ValueError(
            "imbalanced-learn's samplers know classes that exclude each other, but y is "
            f"multilabel, of the shape {classes.shape}; give sampler='over', 'under' or "
            "'balanced'."
        )
    return classes


def _seeded(sampler: Any, random_state: int) -> Any:
    """Return a clone that has seeds wherever it, or a sampler within it, has none."""
    cloned = clone(sampler)
    seedless = [
        name
        for name, value in cloned.get_params().items()
        if value is None and (name == "random_state" or name.endswith("__random_state"))
    ]
    return cloned.set_params(**dict.fromkeys(seedless, random_state))


def _fit_resample(sampler: Any, X: Any, target: npt.NDArray[Any], labels: npt.NDArray[Any]) -> Any:
    try:
        return sampler.fit_resample(X, target)
    except _PASSED_ON as error:
        kind = next(kind for kind in _PASSED_ON if isinstance(error, kind))
        rows = described(*np.unique(labels, return_counts=True))
        neighbours = [name for name in sampler.get_params() if name.endswith("_neighbors")]
        cure = (
            f" Set {neighbours[0]} below the rows of the rarest class, or take 'over'."
            if neighbours and "n_neighbors" in str(error)
            else ""
        )
        raise kind(
            f"{type(sampler).__name__} could not resample {len(labels)} rows ({rows}): "
            f"{error}{cure}"
        ) from error


def _table(X: Any) -> Any:
    """Return X itself if it is a table, else one with all numbers of a row side by side."""
    if isinstance(X, Mapping):
        parts = [_table(part) for part in X.values()]
        if any(sparse.issparse(part) for part in parts):
            return sparse.hstack(parts, format="csr")
        return np.hstack(parts)
    return X if X.ndim == 2 else X.reshape(len(X), -1)


def _same(some: Any, other: Any) -> bool:
    """Say whether two tables are equal, missing values included."""
    if some.shape != other.shape:
        return False
    if sparse.issparse(some) and sparse.issparse(other):
        some, other = _tidied(some), _tidied(other)
        parts = ("indptr", "indices", "data")
        return all(_same(getattr(some, part), getattr(other, part)) for part in parts)
    return bool(((some == other) | ((some != some) & (other != other))).all())


def _tidied(table: Any) -> Any:
    """Return a copy that stores each number other than zero once, in order."""
    copied = sparse.csr_matrix(table, copy=True)
    copied.sum_duplicates()
    copied.eliminate_zeros()
    return copied


def _form(X: Any) -> str:
    return "a dict of inputs" if isinstance(X, Mapping) else f"of the shape {X.shape}"
