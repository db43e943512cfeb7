"""Rows of memory-mapped arrays, read without keeping the file in memory.

A page of a file that was read through a mapping counts as memory of the process until it is
dropped, and rows picked at random touch nearly all pages. So rows are read in the order of the
file, a window at a time, and a window's pages are dropped before the next is read. The mapping
stays as it is: whoever reads those pages again gets them from the system's cache, or from disk.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

_WINDOW_BYTES = 64 * 2**20

Rows: TypeAlias = NDArray[np.integer[Any]] | slice


class MappedColumns:
    """Some columns of a memory-mapped array, read when rows of them are asked for.

    A slice of columns is a view of the mapping, but indexing by a list would read the whole file.

    Parameters
    ----------
    table : np.memmap, or a view of one
        The array, of two axes or more.
    columns : sequence of int
        Positions on its second axis.

    Examples
    --------
    >>> import os, tempfile
    >>> path = os.path.join(tempfile.mkdtemp(), "table.npy")
    >>> np.save(path, np.arange(12).reshape(4, 3))
    >>> part = MappedColumns(np.load(path, mmap_mode="r"), [2, 0])
    >>> part.shape, part[1:3].tolist()
    ((4, 2), [[5, 3], [8, 6]])
    """

    def __init__(self, table: NDArray[Any], columns: list[int]) -> None:
        self._table, self._columns = table, columns
        self.shape = table.shape[:1] + table[:0, columns].shape[1:]
        self.dtype, self.ndim = table.dtype, table.ndim

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, rows: Rows) -> NDArray[Any]:
        return read_rows(self._table, rows, self._columns)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype)


def is_mapped(array: Any) -> bool:
    """Say whether an array's entries lie in a memory-mapped file.

    Parameters
    ----------
    array : object
        Anything.

    Returns
    -------
    bool
        True for `np.memmap`, for views of one, and for `MappedColumns`.
    """
    return isinstance(array, MappedColumns) or _root_of(array) is not None


def read_rows(array: Any, rows: Rows, columns: list[int] | None = None) -> NDArray[Any]:
    """Copy rows out of a memory-mapped array, with a bounded part of the file in memory.

    Parameters
    ----------
    array : np.memmap or a view of one, of one axis or more, or MappedColumns
        Of any strides. With ``mode="c"`` changes exist in memory alone, so there no page is
        dropped. An array that is not mapped is indexed as it is.
    rows : ndarray of int of shape (n,), or slice
        Which rows, in any order, repeated or not; from 0 on.
    columns : list of int, default=None
        Which positions on the second axis; by default all.

    Returns
    -------
    ndarray
        A copy of ``array[rows]``, or of ``array[rows][:, columns]``.

    Raises
    ------
    IndexError
        If a row does not exist. Negative numbers do not count from the end.
    """
    if isinstance(array, MappedColumns):
        return array[rows]
    # np.memmap itself would wrap what is read from it once more.
    table = np.asarray(array)
    entries: tuple[Any, ...] = (slice(None),) if columns is None else (slice(None), columns)
    taken = np.empty((_count(rows, len(table)), *table[:0][entries].shape[1:]), table.dtype)
    mapping = _shared_mapping_of(array)
    for places, wanted, window in _windows(rows, len(table), _rows_in_window(table)):
        taken[places] = table[wanted][entries]
        if mapping is not None:
            _drop_pages(mapping, table[window])
    return taken


def _root_of(array: Any) -> np.memmap[Any, Any] | None:
    """Return the memory map whose file an array shows, or None."""
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap) and isinstance(array.base, mmap.mmap):
            return array
        array = array.base
    return None


def _shared_mapping_of(array: Any) -> mmap.mmap | None:
    """Return the mapping that shows the same pages as its file, so that they may be dropped."""
    root = _root_of(array)
    # A view without entries lies nowhere; on some systems pages cannot be dropped.
    if root is None or root.mode == "c" or not array.size or not hasattr(mmap, "MADV_DONTNEED"):
        return None
    return root.base if isinstance(root.base, mmap.mmap) else None


def _count(rows: Rows, n_rows: int) -> int:
    return len(range(*rows.indices(n_rows)) if isinstance(rows, slice) else rows)


def _rows_in_window(table: NDArray[Any]) -> int:
    # Where rows do not lie one after the other (columns of a wider table, Fortran's order), what
    # they take counts, or what lies between them, whichever is more.
    row_bytes = table.itemsize * int(np.prod(table.shape[1:]))
    return max(1, _WINDOW_BYTES // max(1, row_bytes, abs(table.strides[0])))


def _windows(rows: Rows, n_rows: int, most: int) -> Iterator[tuple[Any, Any, slice]]:
    """Yield places in the result, the rows that belong there, and what of the file they span."""
    if isinstance(rows, slice):
        start, stop, step = rows.indices(n_rows)
        if step == 1:
            for low in range(start, stop, most):
                window = slice(low, min(low + most, stop))
                yield slice(low - start, window.stop - start), window, window
            return
        rows = np.arange(start, stop, step)
    order = np.argsort(rows, kind="stable")
    ordered = np.asarray(rows)[order]
    if len(ordered) and not 0 <= ordered[0] <= ordered[-1] < n_rows:
        raise IndexError(
            f"Rows from {ordered[0]} to {ordered[-1]} were asked for, but the array has the rows "
            f"0 to {n_rows - 1}; count from the first row."
        )
    at = 0
    while at < len(ordered):
        stop = int(np.searchsorted(ordered, int(ordered[at]) + most))
        wanted = ordered[at:stop]
        yield order[at:stop], wanted, slice(int(wanted[0]), int(wanted[-1]) + 1)
        at = stop


def _drop_pages(mapping: mmap.mmap, view: NDArray[Any]) -> None:
    """Drop the pages that a view of the mapping lies in; their content stays in the file."""
    reach = [(size - 1) * stride for size, stride in zip(view.shape, view.strides, strict=True)]
    first = view.__array_interface__["data"][0] + sum(min(0, part) for part in reach)
    length = sum(abs(part) for part in reach) + view.itemsize
    begin = np.frombuffer(mapping, np.uint8).__array_interface__["data"][0]
    page = (first - begin) // mmap.PAGESIZE * mmap.PAGESIZE
    # A system that keeps the pages (they may be locked) costs memory, not correctness.
    with suppress(OSError):
        mapping.madvise(mmap.MADV_DONTNEED, page, first - begin + length - page)
