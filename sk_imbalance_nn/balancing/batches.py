"""Which rows does an epoch see? Index plans, cut into batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Rows: TypeAlias = npt.NDArray[np.integer[Any]]
_OFFSETS = 2**20


@dataclass(frozen=True, eq=False)
class EpochPlan:
    """The rows of one epoch in the order in which they train.

    Parameters
    ----------
    indices : ndarray of int of shape (n,)
        Row indices; a row may come several times, or not at all.
    batch_size : int
        Rows a batch; the last batch holds what is left.

    Raises
    ------
    ValueError
        If there are no indices, or `batch_size` is below one.

    Examples
    --------
    >>> import numpy as np
    >>> plan = EpochPlan(np.arange(10), batch_size=4)
    >>> plan.n_batches, plan.last_batch_size
    (3, 2)
    >>> [len(chunk) for chunk in plan.chunks(2)]
    [8, 2]
    """

    indices: npt.NDArray[np.integer[Any]]
    batch_size: int

    def __post_init__(self) -> None:
        if len(self.indices) == 0:
            raise ValueError("An epoch needs at least 1 row, found none; was all data held out?")
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, found {self.batch_size!r}.")

    @property
    def n_batches(self) -> int:
        """Number of batches, the partial one included."""
        return -(-len(self.indices) // self.batch_size)

    @property
    def last_batch_size(self) -> int:
        """Rows in the last batch, from 1 to `batch_size`."""
        return (len(self.indices) - 1) % self.batch_size + 1

    def chunks(self, batches_per_chunk: int) -> Iterator[npt.NDArray[np.integer[Any]]]:
        """Yield the indices in pieces of whole batches.

        Parameters
        ----------
        batches_per_chunk : int
            Batches a piece; the last piece may hold fewer, and end in a partial batch.

        Yields
        ------
        ndarray of int
            A view of `indices`.

        Raises
        ------
        ValueError
            If `batches_per_chunk` is below one.
        """
        if batches_per_chunk < 1:
            raise ValueError(f"batches_per_chunk must be at least 1, found {batches_per_chunk!r}.")
        step = batches_per_chunk * self.batch_size
        for start in range(0, len(self.indices), step):
            yield self.indices[start : start + step]


def shuffled_plan(
    n_rows: int, batch_size: int, rng: np.random.Generator, shuffle: bool = True
) -> EpochPlan:
    """Plan an epoch that sees each row once.

    Parameters
    ----------
    n_rows : int
        Number of rows.
    batch_size : int
        Rows a batch.
    rng : numpy.random.Generator
        Source of the order; not touched without `shuffle`.
    shuffle : bool, default=True
        Whether to draw a random order, or to keep that of the data.

    Returns
    -------
    EpochPlan
        Of all rows.

    Raises
    ------
    ValueError
        If `n_rows` or `batch_size` is below one.

    Examples
    --------
    >>> import numpy as np
    >>> shuffled_plan(5, 2, np.random.default_rng(0)).indices.tolist()
    [2, 4, 3, 0, 1]
    """
    rows: Rows = np.arange(n_rows, dtype=index_type(n_rows))
    if shuffle:
        rng.shuffle(rows)
    return EpochPlan(rows, batch_size)


def index_type(n_rows: int) -> type[np.signedinteger[Any]]:
    """Return the type of row indices: half the memory where it suffices.

    Parameters
    ----------
    n_rows : int
        Number of rows.

    Returns
    -------
    type
        ``np.int32`` or ``np.intp``; no order depends on which.
    """
    return np.int32 if n_rows <= np.iinfo(np.int32).max else np.intp


def interleaved(groups: Sequence[Rows], rng: np.random.Generator) -> Rows:
    """Spread groups of rows evenly over one sequence.

    The k-th of the m rows of a group stands at (k + u) / m of the way, where u is drawn at random
    for each group: systematic sampling, as in Madow and Madow (1944). Of any B rows in succession
    (a batch), a group that makes up a share p of all rows holds fewer than 1 + p (G - 2) rows more
    or less than p B, where G is the number of groups. Two groups are therefore never off by a
    whole row, and groups of equal size not at all where B is a multiple of G.

    Parameters
    ----------
    groups : sequence of ndarray of int
        The rows of each group, in the order in which they are to come.
    rng : numpy.random.Generator
        Source of where each group starts.

    Returns
    -------
    ndarray of int
        All rows of all groups.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> interleaved([np.array([1, 2, 3, 4, 5, 6]), np.array([10, 20])], rng).tolist()
    [1, 2, 10, 3, 4, 5, 20, 6]
    """
    held = [group for group in groups if len(group)]
    if len(held) < 2:
        return np.concatenate(groups)
    # Steps of 2^-20 keep k + u exact, so that rounding never swaps rows of groups of equal size.
    starts = rng.integers(_OFFSETS, size=len(held)) / _OFFSETS
    places = [(np.arange(len(g)) + u) / len(g) for g, u in zip(held, starts, strict=True)]
    order = np.argsort(np.concatenate(places), kind="stable")
    return np.asarray(np.concatenate(held)[order])
