"""No row is lost between a plan and its batches."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sk_imbalance_nn.balancing.batches import EpochPlan, index_type, interleaved, shuffled_plan

quick = settings(deadline=None, max_examples=60)
sizes = st.integers(1, 50)


@quick
@given(st.integers(1, 300), sizes, sizes, st.booleans())
def test_every_row_trains_once_in_an_epoch(n_rows, batch_size, batches_per_chunk, shuffle):
    plan = shuffled_plan(n_rows, batch_size, np.random.default_rng(0), shuffle)
    chunks = list(plan.chunks(batches_per_chunk))
    assert plan.indices.dtype.kind == "i"
    assert np.array_equal(np.concatenate(chunks), plan.indices)
    assert np.array_equal(np.sort(plan.indices), np.arange(n_rows))
    assert {len(chunk) for chunk in chunks[:-1]} <= {batches_per_chunk * batch_size}
    batches = [
        len(batch)
        for chunk in chunks
        for batch in np.split(chunk, range(batch_size, len(chunk), batch_size))
    ]
    assert len(batches) == plan.n_batches
    assert batches[-1] == plan.last_batch_size
    assert set(batches[:-1]) <= {batch_size}


def test_last_batch_is_not_dropped():
    plan = shuffled_plan(10, 4, np.random.default_rng(0))
    assert (plan.n_batches, plan.last_batch_size) == (3, 2)


def test_batch_larger_than_the_data_is_one_batch():
    plan = shuffled_plan(10, 400, np.random.default_rng(0))
    assert (plan.n_batches, plan.last_batch_size) == (1, 10)


def test_each_epoch_has_its_own_order():
    rng = np.random.default_rng(0)
    first, second = (shuffled_plan(100, 10, rng).indices for _ in range(2))
    again = shuffled_plan(100, 10, np.random.default_rng(0)).indices
    assert not np.array_equal(first, second)
    assert np.array_equal(first, again)


def test_order_of_the_data_is_kept_without_shuffle():
    rng = np.random.default_rng(0)
    assert np.array_equal(shuffled_plan(7, 2, rng, shuffle=False).indices, np.arange(7))
    assert rng.random() == np.random.default_rng(0).random()


def test_plans_that_hold_nothing_are_refused():
    with pytest.raises(ValueError, match="at least 1 row, found none"):
        shuffled_plan(0, 2, np.random.default_rng(0))
    with pytest.raises(ValueError, match="batch_size must be at least 1, found 0"):
        shuffled_plan(5, 0, np.random.default_rng(0))
    with pytest.raises(ValueError, match="batches_per_chunk must be at least 1, found 0"):
        list(EpochPlan(np.arange(5), 2).chunks(0))


def groups_of(sizes):
    ends = np.cumsum(sizes)
    return [np.arange(end - size, end) for end, size in zip(ends, sizes, strict=True)]


@quick
@given(st.lists(st.integers(0, 40), min_size=1, max_size=6), st.integers(0, 2**32 - 1))
def test_every_window_of_groups_interleaved_holds_their_shares(sizes, seed):
    rows = interleaved(groups_of(sizes), np.random.default_rng(seed))
    group = np.repeat(np.arange(len(sizes)), sizes)
    assert np.array_equal(np.sort(rows), np.arange(sum(sizes)))
    for one in groups_of(sizes):  # rows of a group keep their order
        assert np.array_equal(rows[np.isin(rows, one)], one)
    if not len(rows):
        return
    # Counts of each group before each row, so that a difference is the content of any window.
    before = np.vstack([np.zeros(len(sizes)), np.eye(len(sizes))[group[rows]].cumsum(axis=0)])
    share = np.array(sizes) / sum(sizes)
    n_groups = np.count_nonzero(sizes)
    bound = 1 + share * max(n_groups - 2, 0)
    for width in range(1, len(rows) + 1):
        held = before[width:] - before[:-width]
        off = abs(held - width * share)
        assert (off[:, share > 0] < bound[share > 0] + 1e-9).all()


@quick
@given(st.integers(1, 6), st.integers(1, 30), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_groups_of_equal_size_share_every_batch_equally(n_groups, size, times, seed):
    rows = interleaved(groups_of([size] * n_groups), np.random.default_rng(seed))
    batch_size = n_groups * times
    for start in range(0, len(rows) - batch_size + 1, batch_size):
        held = np.bincount(rows[start : start + batch_size] // size, minlength=n_groups)
        assert (held == times).all()


def test_groups_start_at_random():
    firsts = {
        int(interleaved(groups_of([5, 5]), np.random.default_rng(seed))[0]) for seed in range(20)
    }
    assert firsts == {0, 5}


def test_indices_take_half_the_memory_where_they_can():
    assert index_type(2**31 - 1) is np.int32
    assert index_type(2**31) is np.intp
    assert shuffled_plan(3, 1, np.random.default_rng(0)).indices.dtype == np.int32
