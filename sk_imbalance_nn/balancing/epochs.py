"""What does an epoch train on? Every row once, or rows drawn anew so that classes meet quotas."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from sk_imbalance_nn.balancing.batches import (
    EpochPlan,
    Rows,
    index_type,
    interleaved,
    shuffled_plan,
)
from sk_imbalance_nn.balancing.quotas import Strategy, class_quotas, label_quotas

_ROUNDING = 1e-9


class Epoch(Protocol):
    """What an epoch trains on: `EveryRow`, or rows that a sampler chose."""

    # Rows an epoch.
    n_rows: int

    @property
    def copies(self) -> npt.NDArray[np.float64] | None:
        """How often each row is expected in an epoch; None where each comes once."""

    def plan(self, batch_size: int, rng: np.random.Generator, shuffle: bool = True) -> EpochPlan:
        """Plan the next epoch."""

    def shortened(self, n_rows: int) -> Epoch:
        """Return epochs of at most so many rows."""


class EveryRow:
    """An epoch that sees each row once.

    Parameters
    ----------
    n : int
        Number of rows.
    limit : int, default=None
        Rows an epoch, at most: it then ends early.

    Attributes
    ----------
    n_rows : int
        Rows an epoch.
    copies : None
        Each row comes once.

    Examples
    --------
    >>> import numpy as np
    >>> EveryRow(5).plan(2, np.random.default_rng(0)).indices.tolist()
    [2, 4, 3, 0, 1]
    >>> EveryRow(5).shortened(2).plan(2, np.random.default_rng(0)).indices.tolist()
    [2, 4]
    """

    copies: None = None

    def __init__(self, n: int, limit: int | None = None) -> None:
        self._n = n
        self.n_rows = n if limit is None else min(n, limit)

    def plan(self, batch_size: int, rng: np.random.Generator, shuffle: bool = True) -> EpochPlan:
        """Plan the next epoch.

        Parameters
        ----------
        batch_size : int
            Rows a batch.
        rng : numpy.random.Generator
            Source of the order; not touched without `shuffle`.
        shuffle : bool, default=True
            Whether to draw a random order, or to keep that of the data.

        Returns
        -------
        EpochPlan
            Of `n_rows` rows.
        """
        plan = shuffled_plan(self._n, batch_size, rng, shuffle)
        return EpochPlan(plan.indices[: self.n_rows], batch_size)

    def shortened(self, n_rows: int) -> EveryRow:
        """Return an epoch that ends early.

        Parameters
        ----------
        n_rows : int
            Rows an epoch, at most: the first of an order that is new each epoch.

        Returns
        -------
        EveryRow
            The shorter epoch.

        Raises
        ------
        ValueError
            If `n_rows` is below one.
        """
        refuse_no_rows(n_rows)
        return EveryRow(self._n, min(self.n_rows, n_rows))


class SampledRows:
    """An epoch in which each class has its quota of rows, drawn anew each time.

    Within a class all rows come equally often: over all epochs so far, no row has been drawn more
    than once more than another of its class. A majority of n rows with a quota of m has thus been
    seen in full after ceil(n / m) epochs; which of its rows share an epoch is random. Where a row
    comes several times in an epoch, all of its class come before it comes again.

    Classes are spread evenly over the epoch by `interleaved`: every batch holds them in the
    epoch's proportions, as nearly as whole rows allow.

    Parameters
    ----------
    codes : array-like of int of shape (n,)
        The class of each row.
    quotas : array-like of float of shape (n_classes,)
        Rows of each class an epoch. Quotas that are no whole numbers are met on average: the
        class furthest behind its quota gets the next row. Their sum is rounded.

    Attributes
    ----------
    n_rows : int
        Rows an epoch.
    copies : ndarray of shape (n,), float64
        How often each row is expected in an epoch.

    Raises
    ------
    ValueError
        If a class without rows has a quota, or no class has one.

    Examples
    --------
    Six rows, of which an epoch sees both of the rare class and two of the other:

    >>> source = SampledRows([0, 0, 0, 0, 1, 1], quotas=[2, 2])
    >>> source.n_rows, source.copies.tolist()
    (4, [0.5, 0.5, 0.5, 0.5, 1.0, 1.0])
    >>> rng = np.random.default_rng(0)
    >>> [source.plan(4, rng, shuffle=False).indices.tolist() for _ in range(2)]
    [[2, 3, 4, 5], [0, 1, 4, 5]]
    """

    def __init__(self, codes: npt.ArrayLike, quotas: npt.ArrayLike) -> None:
        self._codes = np.asarray(codes)
        asked = np.asarray(quotas, dtype=np.float64)
        counts = np.bincount(self._codes, minlength=len(asked))
        _refuse_unmet(asked, counts)
        self.n_rows = round(asked.sum())
        self._quotas = asked * (self.n_rows / asked.sum())
        self.copies = (self._quotas / np.maximum(counts, 1))[self._codes]
        self._members = _rows_by_class(self._codes, counts)
        # Of each row, whether it has been drawn once more than others of its class.
        self._ahead = np.zeros(len(self._codes), dtype=np.uint8)
        # By how many rows each class is behind its quota, over all epochs so far.
        self._behind = np.zeros(len(asked))

    def plan(self, batch_size: int, rng: np.random.Generator, shuffle: bool = True) -> EpochPlan:
        """Draw the rows of the next epoch.

        Parameters
        ----------
        batch_size : int
            Rows a batch.
        rng : numpy.random.Generator
            Source of the draws and of their order.
        shuffle : bool, default=True
            Whether to spread the classes evenly, in random order within each, or to keep the
            order of the data, copies of a row next to each other.

        Returns
        -------
        EpochPlan
            Of `n_rows` rows.
        """
        drawn = [
            self._draw(rows, quota, rng)
            for rows, quota in zip(self._members, self._next_quotas(), strict=True)
            if quota
        ]
        indices = interleaved(drawn, rng) if shuffle else np.sort(np.concatenate(drawn))
        return EpochPlan(indices, batch_size)

    def shortened(self, n_rows: int) -> SampledRows:
        """Return epochs of fewer rows.

        Parameters
        ----------
        n_rows : int
            Rows an epoch, at most; all quotas shrink alike, and rows still take turns.

        Returns
        -------
        SampledRows
            The shorter epochs, whose draws start afresh.

        Raises
        ------
        ValueError
            If `n_rows` is below one.
        """
        refuse_no_rows(n_rows)
        return SampledRows(self._codes, self._quotas * min(n_rows / self.n_rows, 1.0))

    def _next_quotas(self) -> list[int]:
        """Return whole quotas, and remember by how much classes are behind theirs."""
        quotas = np.floor(self._quotas + _ROUNDING)
        self._behind += self._quotas - quotas
        # A class with a whole quota is never behind, but for rounding.
        due = np.where(self._quotas - quotas > _ROUNDING, self._behind, -np.inf)
        n_left = self.n_rows - int(quotas.sum())
        furthest = np.argsort(-due, kind="stable")[:n_left]
        quotas[furthest] += 1
        self._behind[furthest] -= 1
        return [int(quota) for quota in quotas]

    def _draw(self, rows: Rows, quota: int, rng: np.random.Generator) -> Rows:
        """Draw rows of a class, all of them before any comes again, each time in random order."""
        rounds, n_more = divmod(quota, len(rows))
        passes = np.tile(rows, (rounds, 1))
        rng.permuted(passes, axis=1, out=passes)
        return np.concatenate([passes.ravel(), self._draw_some(rows, n_more, rng)])

    def _draw_some(self, rows: Rows, n_drawn: int, rng: np.random.Generator) -> Rows:
        """Draw some rows of a class, those first that have been drawn less often."""
        if n_drawn == 0:
            return rows[:0]
        turn = self._ahead[rows] + rng.random(len(rows))
        drawn = rows[np.argpartition(turn, n_drawn - 1)[:n_drawn]]
        self._ahead[drawn] += 1
        self._ahead[rows] -= self._ahead[rows].min()
        return np.asarray(rng.permutation(drawn))


class PickedRows:
    """An epoch of rows that were picked once, and are the same in each.

    Parameters
    ----------
    index : ndarray of int of shape (m,)
        The rows; a row may come several times, or not at all.
    n : int
        Number of rows that there were to pick from.
    limit : int, default=None
        Rows an epoch, at most: it then ends early.

    Attributes
    ----------
    n_rows : int
        Rows an epoch.
    copies : ndarray of shape (n,), float64
        How often each row is expected in an epoch: as often as it was picked, if none ends early.

    Examples
    --------
    >>> import numpy as np
    >>> picked = PickedRows(np.array([1, 3, 3]), n=4)
    >>> picked.copies.tolist()
    [0.0, 1.0, 0.0, 2.0]
    >>> picked.plan(2, np.random.default_rng(0), shuffle=False).indices.tolist()
    [1, 3, 3]
    """

    def __init__(self, index: Rows, n: int, limit: int | None = None) -> None:
        refuse_no_rows(len(index))
        self._index = index.astype(index_type(n))
        self._order = EveryRow(len(index), limit)
        self.n_rows = self._order.n_rows
        self.copies = np.bincount(index, minlength=n) * (self.n_rows / len(index))

    def plan(self, batch_size: int, rng: np.random.Generator, shuffle: bool = True) -> EpochPlan:
        """Plan the next epoch; see `EveryRow.plan`."""
        order = self._order.plan(batch_size, rng, shuffle)
        return EpochPlan(self._index[order.indices], batch_size)

    def shortened(self, n_rows: int) -> PickedRows:
        """Return an epoch that ends early; see `EveryRow.shortened`."""
        limit = self._order.shortened(n_rows).n_rows
        return PickedRows(self._index, len(self.copies), limit)


def sampled_rows(
    sampler: str,
    y: npt.ArrayLike,
    sampling_strategy: Strategy = "auto",
    classes: npt.ArrayLike | None = None,
) -> SampledRows:
    """Draw the rows of each epoch so that classes, or labels, meet their quotas.

    Parameters
    ----------
    sampler : {"over", "under", "balanced"}
        Repeat rows of rare classes, leave out rows of frequent ones, or both: then an epoch keeps
        its length.
    y : array-like of int of shape (n,) or (n, n_labels)
        Codes of classes, from 0, some of which may be absent; or, for multilabel targets, zeros
        and ones.
    sampling_strategy : "auto", other str, float, dict or callable, default="auto"
        For classes, see `class_quotas`; for labels, see `label_quotas`.
    classes : array-like of shape (n_classes,), default=None
        The user's labels by code, by which a dict is keyed; by default the codes.

    Returns
    -------
    SampledRows
        The epochs. If only one class has rows, as in a part of a `partial_fit`, they see every
        row once.

    Raises
    ------
    ValueError
        If a name is unknown, or if `sampling_strategy` does not fit the sampler and `y`.
    TypeError
        If `sampling_strategy` is of another type.

    Examples
    --------
    >>> y = np.array([0, 0, 0, 0, 1, 1])
    >>> sampled_rows("over", y).copies.tolist()
    [1.0, 1.0, 1.0, 1.0, 2.0, 2.0]
    >>> sampled_rows("under", y).copies.tolist()
    [0.5, 0.5, 0.5, 0.5, 1.0, 1.0]
    >>> sampled_rows("balanced", y).copies.tolist()
    [0.75, 0.75, 0.75, 0.75, 1.5, 1.5]
    >>> sampled_rows("balanced", y, {"no": 4, "yes": 1}, classes=["no", "yes"]).n_rows
    5
    """
    target = np.asarray(y)
    if target.ndim == 2:
        codes, quotas = label_quotas(sampler, target, sampling_strategy)
        return SampledRows(codes, quotas)
    return SampledRows(target, class_quotas(sampler, target, sampling_strategy, classes))


def refuse_no_rows(n_rows: int) -> None:
    """Refuse epochs without rows.

    Parameters
    ----------
    n_rows : int
        Rows an epoch.

    Raises
    ------
    ValueError
        If `n_rows` is below one.
    """
    if n_rows < 1:
        raise ValueError(f"An epoch needs at least 1 row, found n_rows={n_rows!r}.")


def _rows_by_class(codes: npt.NDArray[Any], counts: npt.NDArray[np.intp]) -> list[Rows]:
    order = np.argsort(codes, kind="stable").astype(index_type(len(codes)))
    return np.split(order, np.cumsum(counts)[:-1])


def _refuse_unmet(quotas: npt.NDArray[np.float64], counts: npt.NDArray[np.intp]) -> None:
    unmet = np.flatnonzero((quotas > 0) & (counts[: len(quotas)] == 0))
    if len(unmet):
        raise ValueError(
            f"Class {unmet[0]} has no rows, but a quota of {quotas[unmet[0]]:g}; give it 0."
        )
    if not quotas.sum() >= 0.5:
        raise ValueError("An epoch needs at least 1 row, found quotas that are all 0.")
