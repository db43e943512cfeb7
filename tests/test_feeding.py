"""Rows reach the network the same way whether they are resident or streamed."""

import threading
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from scipy import sparse

from sk_imbalance_nn.balancing.batches import EpochPlan, shuffled_plan
from sk_imbalance_nn.data.inputs import arrays_of, map_structure
from sk_imbalance_nn.data.memory_map import MappedColumns
from sk_imbalance_nn.training import feeding
from sk_imbalance_nn.training.feeding import ResidentRows, Rows, StreamedRows, feed_of

N = 50
MODEL = SimpleNamespace()
TABLE = np.random.default_rng(0).normal(size=(N, 4))
Y = np.arange(N, dtype=np.float32)[:, None]


@pytest.fixture
def mapped(tmp_path):
    np.save(tmp_path / "table.npy", TABLE)
    return np.load(tmp_path / "table.npy", mmap_mode="r")


FORMS = {
    "array": lambda mapped: TABLE,
    "integers": lambda mapped: np.arange(N * 6).reshape(N, 2, 3),
    "dict": lambda mapped: {"b": TABLE, "a": TABLE[:, :1]},
    "tuple": lambda mapped: (TABLE, TABLE[:, 1:]),
    "sparse": lambda mapped: sparse.csr_array(TABLE),
    "mapped": lambda mapped: mapped,
    "mapped columns": lambda mapped: {"a": mapped[:, 1:], "b": MappedColumns(mapped, [3, 0])},
}


def rows_of(x, weighted=False, index=None):
    weight = np.linspace(0.5, 2, N, dtype=np.float32) if weighted else None
    return Rows(x, Y, weight, np.arange(N) if index is None else index)


def numbers(chunk):
    return tf.nest.map_structure(lambda tensor: tensor.numpy(), chunk)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("at_once", [None, 1, 3])
@pytest.mark.parametrize("index", [None, np.arange(5, 30), np.array([9, 3, 3, 41, 0])])
def test_resident_rows_are_streamed_rows(mapped, form, weighted, shuffle, at_once, index):
    rows = rows_of(FORMS[form](mapped), weighted, index)
    plan = shuffled_plan(len(rows.index), 4, np.random.default_rng(0), shuffle)
    resident = [numbers(chunk) for chunk in ResidentRows(rows, MODEL).chunks(plan, at_once)]
    streamed = [numbers(chunk) for chunk in StreamedRows(rows, MODEL).chunks(plan, at_once)]
    tf.nest.map_structure(np.testing.assert_array_equal, resident, streamed)
    assert [len(y) for _, y, *_ in streamed] == [
        len(piece) for piece in plan.chunks(at_once or 10**6)
    ]
    x = tf.nest.map_structure(lambda *parts: np.concatenate(parts), *[x for x, *_ in streamed])
    expected = map_structure(
        lambda part: np.asarray(part.toarray() if sparse.issparse(part) else part, np.float32),
        rows.x,
    )
    order = rows.index[plan.indices]
    for part, whole in zip(arrays_of(x), arrays_of(expected), strict=True):
        assert part.dtype == np.float32
        np.testing.assert_array_equal(part, whole[order])
    np.testing.assert_array_equal(np.concatenate([chunk[1] for chunk in streamed]), Y[order])
    if weighted:
        weight = np.concatenate([chunk[2] for chunk in streamed])
        np.testing.assert_array_equal(weight, rows.weight[order])


@pytest.mark.parametrize("kind", [ResidentRows, StreamedRows])
def test_the_example_is_the_first_row_used(kind):
    x, y, weight = kind(rows_of(TABLE, True, np.array([7, 2])), MODEL).example()
    assert x.numpy().tolist() == TABLE[[7]].astype(np.float32).tolist()
    assert y.numpy().tolist() == [[7.0]]
    assert weight.shape == (1,)


def test_rows_in_their_own_order_are_not_copied():
    feed = ResidentRows(rows_of(TABLE), MODEL)
    first, second = (next(feed.chunks(EpochPlan(np.arange(N), 20))) for _ in range(2))
    assert first[0] is second[0]
    (reordered,) = feed.chunks(EpochPlan(np.arange(N)[::-1], 20))
    assert reordered[0] is not first[0]


# Which, and how much at once ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        ("array", ResidentRows),
        ("dict", ResidentRows),
        ("sparse", StreamedRows),
        ("mapped", StreamedRows),
        ("mapped columns", StreamedRows),
    ],
)
def test_dense_rows_in_memory_become_resident(mapped, form, kind):
    assert type(feed_of(rows_of(FORMS[form](mapped)), MODEL)) is kind


@pytest.mark.parametrize("used", [2**20, 2**10])
def test_no_part_of_large_data_becomes_resident(used):
    x, y = np.zeros((2**20, 8), np.float32), np.zeros((2**20, 1), np.float32)
    assert type(feed_of(Rows(x, y, None, np.arange(used)), MODEL)) is StreamedRows
    assert type(feed_of(Rows(x[:used], y, None, np.arange(1)), MODEL)) is (
        ResidentRows if used == 2**10 else StreamedRows
    )


def test_a_chunk_is_bounded_by_bytes_but_holds_a_batch(mapped):
    wide = StreamedRows(Rows(np.broadcast_to(np.float32(0), (N, 10**9)), Y, None, [0]), MODEL)
    assert wide.batches_at_once(32) == 1
    # A row takes 4 numbers and a label, of 4 bytes each.
    assert StreamedRows(rows_of(TABLE), MODEL).batches_at_once(100) == 2 * 2**20 // 2000
    assert StreamedRows(rows_of(mapped), MODEL).batches_at_once(100) == 64 * 2**20 // 2000


def test_chunks_are_as_large_as_the_feed_says(monkeypatch):
    for name in ("CHUNK_BYTES", "RESIDENT_CHUNK_BYTES"):
        monkeypatch.setattr(feeding, name, 20 * 4 * 3)
    for kind in (ResidentRows, StreamedRows):
        chunks = kind(rows_of(TABLE), MODEL).chunks(EpochPlan(np.arange(N), 4))
        assert [len(y) for _, y in chunks] == [12, 12, 12, 12, 2]


# One ahead ----------------------------------------------------------------------------------------


@pytest.fixture
def begun(monkeypatch):
    """Events that say of each chunk that it was begun, and the threads that did."""
    as_tensors, events, threads = feeding.as_tensors, [threading.Event() for _ in range(9)], []

    def watched(rows, model):
        threads.append(threading.current_thread())
        events[len(threads) - 1].set()
        return as_tensors(rows, model)

    monkeypatch.setattr(feeding, "as_tensors", watched)
    return SimpleNamespace(events=events, threads=threads)


def test_the_next_chunk_is_made_while_the_present_one_trains(begun):
    chunks = StreamedRows(rows_of(TABLE), MODEL).chunks(EpochPlan(np.arange(N), 10), 1)
    for number in range(4):
        next(chunks)
        assert begun.events[number + 1].wait(timeout=60)
        assert not begun.events[number + 2].is_set()
    next(chunks)
    assert next(chunks, None) is None
    assert len(begun.threads) == 5
    assert len(set(begun.threads)) == 1
    assert begun.threads[0] is not threading.current_thread()


@pytest.mark.parametrize("taken", [0, 1, 3, 5])
def test_no_thread_is_left_behind(begun, taken):
    chunks = StreamedRows(rows_of(TABLE), MODEL).chunks(EpochPlan(np.arange(N), 10), 1)
    for _ in range(taken):
        next(chunks)
    chunks.close()
    assert not any(thread.is_alive() for thread in begun.threads)


def test_what_goes_wrong_in_the_thread_reaches_the_caller(begun):
    rows = Rows(TABLE, Y, None, np.array([*range(20), N, *range(20)]))
    chunks = StreamedRows(rows, MODEL).chunks(EpochPlan(np.arange(41), 10), 1)
    next(chunks), next(chunks)
    with pytest.raises(IndexError, match=f"index {N} is out of bounds"):
        next(chunks)
    assert not any(thread.is_alive() for thread in begun.threads)
