"""Rows of memory-mapped arrays: those that indexing gives, without the file in memory."""

import subprocess
import sys
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sk_imbalance_nn.data import memory_map
from sk_imbalance_nn.data.memory_map import MappedColumns, is_mapped, read_rows

quick = settings(deadline=None, max_examples=150)
VIEWS = {
    "whole": lambda X: X,
    "ndarray": np.asarray,
    "rows": lambda X: X[3:-2],
    "rows of a view": lambda X: np.asarray(X[2:])[1:],
    "every other row": lambda X: X[::2],
    "backwards": lambda X: X[::-1],
    "columns": lambda X: X[:, 1:],
    "one column": lambda X: X[4:, :1],
    "columns backwards": lambda X: X[:, ::-1],
    "one axis": lambda X: X[:, 0],
    "transposed": lambda X: X.T,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("maps")


def mapped(folder, shape, dtype, mode="r", order="C", offset=0):
    path = folder / f"{'x'.join(map(str, shape))}-{np.dtype(dtype).str[1:]}-{order}-{offset}.bin"
    if not path.exists():
        made = np.memmap(path, dtype, "w+", offset, shape, order)
        made[...] = np.arange(made.size).reshape(shape) % 100
        made.flush()
    return np.memmap(path, dtype, mode, offset, shape, order)


arrays = st.builds(
    dict,
    shape=st.sampled_from([(20, 3), (17, 2, 5), (900, 7), (9, 2, 3, 2)]),
    dtype=st.sampled_from(["f4", "f8", "f2", "u1", "i8", "?"]),
    mode=st.sampled_from(["r", "r+", "c"]),
    order=st.sampled_from(["C", "F"]),
    offset=st.sampled_from([0, 128, 4100]),
)
bounds = st.one_of(st.none(), st.integers(0, 25))
steps = st.sampled_from([None, 1, 2, 7])


@quick
@given(arrays, st.sampled_from(sorted(VIEWS)), st.sampled_from([1, 64, 4096, 2**26]), st.data())
def test_rows_are_those_of_plain_indexing(folder, kind, view, window, data):
    array = VIEWS[view](mapped(folder, **kind))
    numbers = st.lists(st.integers(0, len(array) - 1), max_size=40)
    rows = data.draw(
        st.one_of(
            st.builds(slice, bounds, bounds, steps),
            st.builds(slice, st.none(), st.none(), st.just(-1)),
            numbers.map(lambda drawn: np.array(drawn, np.intp)),
            numbers.map(lambda drawn: np.array(drawn, np.int32)),
        )
    )
    with mock.patch.object(memory_map, "_WINDOW_BYTES", window):
        taken = read_rows(array, rows)
    assert is_mapped(array)
    assert type(taken) is np.ndarray
    assert not np.shares_memory(taken, array)
    assert taken.dtype == array.dtype
    np.testing.assert_array_equal(taken, np.array(array)[rows])


@quick
@given(
    st.sampled_from([(20, 3), (17, 3, 5)]),
    st.lists(st.integers(-3, 2), min_size=1, max_size=5),
    st.lists(st.integers(0, 16), max_size=20).map(lambda rows: np.array(rows, np.intp)),
)
def test_columns_are_read_when_rows_are_asked_for(folder, shape, columns, rows):
    array = mapped(folder, shape, "f4")
    part, expected = MappedColumns(array, columns), np.array(array)[:, columns]
    assert is_mapped(part)
    assert (part.shape, part.dtype, part.ndim) == (expected.shape, expected.dtype, expected.ndim)
    assert len(part) == len(expected)
    np.testing.assert_array_equal(read_rows(part, rows), expected[rows])
    np.testing.assert_array_equal(part[2:9], expected[2:9])
    np.testing.assert_array_equal(np.asarray(part, np.float64), expected)


@pytest.mark.parametrize("rows", [[-1], [0, 20], [20], [3, -20]])
def test_rows_that_do_not_exist_are_refused(folder, rows):
    with pytest.raises(IndexError, match=r"the array has the rows 0 to 19; count from the first"):
        read_rows(mapped(folder, (20, 3), "f4"), np.array(rows))


def test_an_array_in_memory_is_not_mapped_and_read_all_the_same():
    array = np.arange(12).reshape(4, 3)
    assert not is_mapped(array)
    assert not is_mapped(array[1:])
    assert not is_mapped([[1.0]])
    assert read_rows(array, np.array([3, 0])).tolist() == [[9, 10, 11], [0, 1, 2]]


def test_what_is_computed_of_a_map_is_not_mapped(folder):
    array = mapped(folder, (20, 3), "f4")
    assert not is_mapped(array[[1, 2]])
    assert not is_mapped(array + 1)
    assert not is_mapped(np.array(array))


@pytest.mark.parametrize("mode", ["r+", "w+", "c"])
def test_changes_are_seen_and_outlive_the_reading(tmp_path, mode):
    path = tmp_path / "table.bin"
    np.zeros((5000, 4)).tofile(path)
    array = np.memmap(path, np.float64, mode, shape=(5000, 4))
    array[:] = np.arange(20000).reshape(5000, 4)
    expected = np.array(array)
    for _ in range(2):
        np.testing.assert_array_equal(read_rows(array, slice(None)), expected)
    np.testing.assert_array_equal(array, expected)
    array.flush()
    in_file = np.fromfile(path).reshape(5000, 4)
    np.testing.assert_array_equal(in_file, np.zeros((5000, 4)) if mode == "c" else expected)


def test_a_file_that_was_replaced_or_deleted_is_read_as_mapped(tmp_path):
    path = tmp_path / "table.bin"
    np.ones((50, 2)).tofile(path)
    array = np.memmap(path, np.float64, "r", shape=(50, 2))
    path.unlink()
    np.zeros((50, 2)).tofile(path)
    assert read_rows(array, slice(None)).all()


def test_without_advice_to_the_system_rows_are_the_same(folder, monkeypatch):
    monkeypatch.delattr(memory_map.mmap, "MADV_DONTNEED", raising=False)
    array = mapped(folder, (20, 3), "f4")
    np.testing.assert_array_equal(read_rows(array, np.array([5, 1])), np.array(array)[[5, 1]])


# Whoever asks the system how much memory a process took sees its largest extent.
GROWTH = """
import resource, sys
import numpy as np
from sk_imbalance_nn.data.memory_map import MappedColumns, read_rows
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
array = np.memmap(sys.argv[1], np.float32, "r", shape=(256 * 2**10, 256))
views = {"whole": array, "columns": array[:, 8:24], "list": MappedColumns(array, [9, 7])}
array = views[sys.argv[2]]
read_rows(array, np.arange(10))
before = peak()
order = np.random.default_rng(0).permutation(len(array))
for at in range(0, len(array), 2**15):
    read_rows(array, order[at : at + 2**15])
    read_rows(array, slice(at, at + 2**15))
print(peak() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="pages are counted as Linux does")
@pytest.mark.parametrize("view", ["whole", "columns", "list"])
def test_the_memory_of_the_process_does_not_grow_with_the_file(tmp_path, view):
    path = tmp_path / "table.bin"
    with path.open("wb") as file:
        file.truncate(256 * 2**20)
    command = [sys.executable, "-c", GROWTH, path, view]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    # A window of 64 MiB, a copy of what it holds, and the 32 MiB that are asked for.
    assert float(done.stdout) < 192
