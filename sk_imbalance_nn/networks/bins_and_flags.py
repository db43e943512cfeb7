"""Columns: what a table's columns hold, as the numbers that `TableEncoding` reads them with.

Nothing here looks at a target, so predictions for rows that a network did not learn from stay
honest whatever rows the numbers were taken from.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.special import ndtri

from sk_imbalance_nn.data.inputs import take_rows

# What stands for a missing entry where entries are compared: no float32 that data hold.
MISSING = float(np.finfo(np.float32).min)
# Bins of all columns together, and the least that a column is left with.
_ALL_BINS, _FEWEST_BINS = 4096, 4
# Rows beyond these hardly move a quantile.
_MOST_ROWS = 200_000
_MOST_LEVELS = 256
_FEWEST_ROWS_OF_A_LEVEL = 5
# A spike is a value of a column of many, repeated like an imputed one.
_SPIKE_SHARE, _SPIKE_ROWS, _FEW_VALUES = 0.01, 8, 8
_FARTHEST_SCORE = 3.2
# Each brings what a repeated value counts as nearer to a bin.
_ROUNDS = 20
# So that no width, nor one over it, is beyond float32.
_LARGEST = 1e37
# Widths are rounded up, so that the folds of one table make networks of one shape.
_PADDED_TO = 8


@dataclass(frozen=True, eq=False)
class ColumnBins:
    """Piecewise-linear bins of some columns; see `TableEncoding` for the formulas.

    Parameters
    ----------
    columns : ndarray of shape (n_binned,)
        Which columns of the table.
    left, scale, low, high : ndarray of shape (n_binned, n_bins)
        Each bin's left edge, one over its width, and the bounds of what it answers. Bins that a
        column does not need are zero throughout.
    base : ndarray of shape (n_binned,)
        The normal score of the first edge.
    rise : ndarray of shape (n_binned, n_bins)
        By how much the score grows along each bin.
    """

    columns: NDArray[np.int32]
    left: NDArray[np.float32]
    scale: NDArray[np.float32]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    base: NDArray[np.float32]
    rise: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class ColumnFlags:
    """Values of some columns that are worth a flag.

    Parameters
    ----------
    columns : ndarray of shape (n_flags,)
        Which columns of the table.
    values : ndarray of shape (n_flags,)
        The value that raises the flag; NaN, which nothing equals, for a flag that fills up.
    means : ndarray of shape (n_flags,)
        The share of the rows that have it, of a value among those that are not missing.
    """

    columns: NDArray[np.int32]
    values: NDArray[np.float32]
    means: NDArray[np.float32]


def arrays_in(part: ColumnBins | ColumnFlags) -> dict[str, NDArray[Any]]:
    """Return the arrays of a part by their names.

    Parameters
    ----------
    part : ColumnBins or ColumnFlags
        Whose.

    Returns
    -------
    dict
        In the order of the fields.
    """
    return {field.name: getattr(part, field.name) for field in fields(part)}


def describe_columns(
    X: Any,
    n_categories: ArrayLike | None = None,
    n_bins: int = 32,
    rows: NDArray[np.integer[Any]] | None = None,
) -> tuple[ColumnBins, ColumnFlags]:
    """Look at every column of a table once.

    Parameters
    ----------
    X : array, memory map or CSR matrix of shape (n, n_features)
        The rows that train. NaN is a missing entry.
    n_categories : array-like of shape (n_features,), default=None
        How many levels a categorical column has, whose entries are their codes; 0 for a column
        of numbers. By default all are.
    n_bins : int, default=32
        The most bins that a column is cut into.
    rows : ndarray of shape (m,), default=None
        Which rows of X to look at; by default all. Of more than 200,000 dense ones that many are
        drawn, the same each time.

    Returns
    -------
    bins : ColumnBins
        Of the columns of numbers with more than two values; one that is zero where there is none.
    flags : ColumnFlags
        Of the second of two values, of missing entries, of values that are repeated like imputed
        ones, and of the frequent levels of categorical columns; filled up to a multiple of 8.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[0.0, 5.0], [1.0, 5.0], [2.0, np.nan], [4.0, 5.0]])
    >>> bins, flags = describe_columns(X)
    >>> bins.columns.tolist(), bins.left[0, :3].tolist()
    ([0], [0.0, 1.0, 2.0])
    >>> flags.columns[:1].tolist(), float(flags.means[0])
    ([1], 0.25)
    """
    n_features = X.shape[1]
    n_levels = np.zeros(n_features, int) if n_categories is None else np.asarray(n_categories)
    described = [
        _Column.of(*entries, is_category=bool(count))
        for entries, count in zip(_entries(X, rows), n_levels, strict=True)
    ]
    binned = [at for at, column in enumerate(described) if column.is_binned]
    fewest = min(_FEWEST_BINS, n_bins)
    n_bins = int(np.clip(_ALL_BINS // max(1, len(binned)), fewest, n_bins))
    flags = [(at, *flag) for at, column in enumerate(described) for flag in column.flags()]
    return (
        _stacked_bins([(at, *described[at].bins(n_bins)) for at in binned], n_bins),
        _stacked_flags(flags),
    )


@dataclass(frozen=True, eq=False)
class _Column:
    """The distinct values of a column, how often they occur, and how often none does."""

    values: NDArray[np.float64]
    counts: NDArray[np.int64]
    n_missing: int
    is_category: bool

    @classmethod
    def of(cls, entries: NDArray[Any], n_zeros: int, *, is_category: bool) -> _Column:
        """Count the entries of a column, and zeros that are not among them."""
        missing = np.isnan(entries)
        # Compared as the network will see them.
        seen = entries[~missing].astype(np.float32)
        values, counts = np.unique(seen, return_counts=True)
        if n_zeros:
            at = int(np.searchsorted(values, 0.0))
            if at < len(values) and values[at] == 0:
                counts[at] += n_zeros
            else:
                values = np.insert(values, at, 0.0)
                counts = np.insert(counts, at, n_zeros)
        return cls(values.astype(np.float64), counts, int(missing.sum()), is_category)

    @property
    def n_rows(self) -> int:
        return int(self.counts.sum()) + self.n_missing

    @property
    def is_binned(self) -> bool:
        return not self.is_category and len(self.values) > 2

    def bins(self, n_bins: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the edges of the bins and their normal scores."""
        edges = self.values
        if len(edges) > n_bins + 1:
            edges = np.unique(self._quantiles(n_bins).astype(np.float32))
        return edges.astype(np.float64), self._scores(edges)

    def _quantiles(self, n_bins: int) -> NDArray[np.float64]:
        """Return edges between bins of equally many entries.

        A value that fills more than a bin counts as one bin: where most entries are zero, the
        others need edges all the same.
        """
        counts = self.counts.astype(np.float64)
        for _ in range(_ROUNDS):
            counts = np.minimum(counts, counts.sum() / n_bins)
        places = np.cumsum(counts) - counts / 2
        levels = np.linspace(places[0], places[-1], n_bins + 1)
        return np.asarray(np.interp(levels, places, self.values))

    def _scores(self, edges: NDArray[Any]) -> NDArray[np.float64]:
        """Return what a normal distribution has at the ranks of the edges; ties are halved."""
        ends = np.r_[0, np.cumsum(self.counts)]
        lower = ends[np.searchsorted(self.values, edges, side="left")]
        upper = ends[np.searchsorted(self.values, edges, side="right")]
        rank = (lower + upper) / 2 / ends[-1]
        return np.asarray(np.clip(ndtri(rank), -_FARTHEST_SCORE, _FARTHEST_SCORE))

    def flags(self) -> list[tuple[float, float]]:
        """Return values worth a flag, with their shares of the rows."""
        if self.is_category:
            flagged = self._levels()
        elif len(self.values) == 2:
            flagged = [float(self.values[1])]
        else:
            flagged = self._spikes()
        shares = dict(zip(self.values, self.counts / self.counts.sum(), strict=True))
        found = [(value, float(shares[value])) for value in flagged]
        if 0 < self.n_missing < self.n_rows:
            found.append((MISSING, self.n_missing / self.n_rows))
        return found

    def _levels(self) -> list[float]:
        """Return the frequent levels; rare and unseen ones are what raises no flag."""
        fewest = min(_FEWEST_ROWS_OF_A_LEVEL, max(2, self.n_rows // 40))
        order = np.argsort(-self.counts, kind="stable")[:_MOST_LEVELS]
        return [float(self.values[at]) for at in order if self.counts[at] >= fewest]

    def _spikes(self) -> list[float]:
        """Return the most frequent of many values, if it is as frequent as an imputed one."""
        if len(self.values) <= _FEW_VALUES:
            return []
        top = int(self.counts.argmax())
        enough = max(_SPIKE_SHARE * self.n_rows, _SPIKE_ROWS)
        return [float(self.values[top])] if self.counts[top] >= enough else []


def _entries(X: Any, rows: NDArray[np.integer[Any]] | None) -> Any:
    """Yield the entries of each column, and how many zeros are not among them."""
    n = X.shape[0] if rows is None else len(rows)
    if sparse.issparse(X):
        columns = (X if n == X.shape[0] else X[rows]).tocsc(copy=True)
        # Of an entry that is given in parts, the network sees the sum.
        columns.sum_duplicates()
        for at in range(X.shape[1]):
            entries = columns.data[columns.indptr[at] : columns.indptr[at + 1]]
            yield entries, n - len(entries)
        return
    if n > _MOST_ROWS:
        chosen = np.sort(np.random.default_rng(0).choice(n, _MOST_ROWS, replace=False))
        rows = chosen if rows is None else rows[chosen]
    elif n == X.shape[0]:
        rows = None
    columns = np.asarray(X if rows is None else take_rows(X, rows))
    for at in range(columns.shape[1]):
        yield columns[:, at].astype(np.float64), 0


def _stacked_bins(columns: list[tuple[int, Any, Any]], n_bins: int) -> ColumnBins:
    shape = (max(1, len(columns)), n_bins)
    left, scale, low, high, rise = (np.zeros(shape, np.float32) for _ in range(5))
    base = np.zeros(shape[0], np.float32)
    for row, (_, edges, scores) in enumerate(columns):
        last = len(edges) - 2
        widths = np.clip(np.diff(edges.clip(-_LARGEST, _LARGEST)), 1 / _LARGEST, None)
        left[row, : last + 1] = edges[:-1].clip(-_LARGEST, _LARGEST)
        scale[row, : last + 1] = 1 / widths
        rise[row, : last + 1], base[row] = np.diff(scores), scores[0]
        high[row, : last + 1] = 1.0
        # Beyond the outer edges the line goes on, for as far as a bin is wide.
        low[row, 0], high[row, last] = -1.0, 2.0
    positions = np.array([at for at, *_ in columns] or [0], np.int32)
    return ColumnBins(positions, left, scale, low, high, base, rise)


def _stacked_flags(flags: list[tuple[int, float, float]]) -> ColumnFlags:
    filled = [*flags, *[(0, np.nan, 0.0)] * (-len(flags) % _PADDED_TO or (0 if flags else 8))]
    columns, values, means = zip(*filled, strict=True)
    return ColumnFlags(
        np.array(columns, np.int32), np.array(values, np.float32), np.array(means, np.float32)
    )
