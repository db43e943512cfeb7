"""What a table's columns hold: edges at quantiles, scores by ranks, flags by shares."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse
from scipy.stats import norm, rankdata

from sk_imbalance_nn.networks.bins_and_flags import MISSING, arrays_in, describe_columns

quick = settings(deadline=None, max_examples=40)
RNG = np.random.default_rng(0)
N = 300
MIXED = np.column_stack(
    [
        RNG.normal(size=N),
        RNG.lognormal(0, 2, N),
        np.where(RNG.random(N) < 0.2, np.nan, RNG.normal(5, 3, N)),
        RNG.integers(0, 2, N),
        RNG.integers(0, 5, N),
        np.full(N, 7.0),
        np.full(N, np.nan),
        np.where(RNG.random(N) < 0.3, 0.0, RNG.normal(size=N)),
    ]
).astype(np.float32)
columns_of_numbers = hnp.arrays(
    np.float32,
    st.integers(1, 80),
    elements=st.one_of(
        st.floats(-1e6, 1e6, width=32).map(lambda x: np.float32(np.round(x, 3))),
        st.sampled_from([0.0, 1.0, -2.5]),
        st.just(np.nan),
    ),
)


def described(X, **params):
    return [arrays_in(part) for part in describe_columns(X, **params)]


def assert_same(one, other):
    for parts in zip(one, other, strict=True):
        for name, array in parts[0].items():
            np.testing.assert_array_equal(array, parts[1][name], err_msg=name)


def edges_of(bins, row=0):
    """Return the edges, read back from left ends and widths."""
    used = bins.scale[row] > 0
    left, scale = bins.left[row][used].astype(float), bins.scale[row][used].astype(float)
    return np.r_[left, left[-1] + 1 / scale[-1]]


def flags_of(flags, column):
    """Return value to share of the flags of one column, without those that fill up."""
    chosen = (flags.columns == column) & ~np.isnan(flags.values)
    return dict(zip(flags.values[chosen].tolist(), flags.means[chosen].tolist(), strict=True))


# Bins ---------------------------------------------------------------------------------------------


def test_edges_are_quantiles_of_numpy():
    for X in (MIXED[:, :1], MIXED[:, 1:2]):
        bins, _ = describe_columns(X, n_bins=10)
        np.testing.assert_allclose(
            edges_of(bins), np.quantile(X.astype(float), np.linspace(0, 1, 11)), rtol=1e-4
        )


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9, 0.99])
def test_a_value_that_most_rows_have_takes_no_edges_from_the_others(share):
    column = np.where(np.arange(10_000) < share * 10_000, 0.0, RNG.normal(size=10_000))
    edges = edges_of(describe_columns(column[:, None], n_bins=16)[0])
    assert len(edges) == 17
    others = np.histogram(column[column != 0], edges)[0]
    assert others.max() <= 2.5 * others.sum() / 16


@quick
@given(columns_of_numbers, st.integers(1, 30))
def test_bins_lie_side_by_side_from_the_least_to_the_largest_value(column, n_bins):
    known = np.unique(column[~np.isnan(column)])
    assume(len(known) > 2)
    bins, _ = describe_columns(column[:, None], n_bins=n_bins)
    used = bins.scale[0] > 0
    assert used[: used.sum()].all()  # those that are not needed come last
    assert 1 <= used.sum() <= min(n_bins, len(known) - 1)
    edges = edges_of(bins)
    assert (np.diff(edges) > 0).all()
    span = known[-1] - known[0]
    np.testing.assert_allclose(edges[[0, -1]], known[[0, -1]], rtol=1e-5, atol=1e-5 * span)
    widths = 1 / bins.scale[0][used].astype(float)
    np.testing.assert_allclose(np.diff(edges), widths, rtol=1e-5)
    assert bins.low[0][used].tolist() == [-1.0, *[0.0] * (used.sum() - 1)]
    assert bins.high[0][used].tolist() == [*[1.0] * (used.sum() - 1), 2.0]
    for name in ("left", "low", "high", "rise"):
        assert not getattr(bins, name)[0][~used].any()


def test_a_column_of_few_values_has_an_edge_at_each():
    bins, _ = describe_columns(MIXED[:, 4:5])
    assert edges_of(bins).tolist() == [0, 1, 2, 3, 4]


@quick
@given(columns_of_numbers)
def test_scores_at_the_edges_are_those_of_mean_ranks(column):
    known = column[~np.isnan(column)]
    assume(2 < len(np.unique(known)) <= 25)
    bins, _ = describe_columns(column[:, None])
    n_edges = len(np.unique(known))
    scores = np.cumsum(np.r_[bins.base[0], bins.rise[0][: n_edges - 1]].astype(float))
    ranks = rankdata(known)[np.unique(known, return_index=True)[1]]
    expected = norm.ppf((ranks - 0.5) / len(known)).clip(-3.2, 3.2)
    np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_ranks_stay_on_this_side_of_infinity():
    bins, _ = describe_columns(np.arange(50_000, dtype=np.float32)[:, None])
    scores = np.cumsum(np.r_[bins.base[0], bins.rise[0]])
    np.testing.assert_allclose(scores[[0, -1]], [-3.2, 3.2], rtol=1e-5)
    assert (bins.rise >= 0).all()


@pytest.mark.parametrize(
    ("n_columns", "n_bins"), [(1, 24), (170, 24), (171, 23), (500, 8), (1500, 4)]
)
def test_many_columns_get_fewer_bins_each(n_columns, n_bins):
    X = np.random.default_rng(0).normal(size=(40, n_columns))
    assert describe_columns(X, n_bins=24)[0].left.shape == (n_columns, n_bins)


def test_columns_that_need_no_bins_do_not_take_any_from_others():
    X = np.column_stack([MIXED[:, :1], np.repeat(MIXED[:, 3:4], 400, axis=1)])
    assert describe_columns(X, n_bins=24)[0].left.shape == (1, 24)


def test_fewer_bins_than_the_least_may_be_asked_for():
    assert describe_columns(MIXED, n_bins=2)[0].left.shape[1] == 2


# Flags --------------------------------------------------------------------------------------------


@quick
@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=30),
        elements=st.sampled_from([0.0, 1.0, 2.5, np.nan]),
    )
)
def test_flags_are_raised_by_values_that_occur_and_hold_their_shares(X):
    flags = describe_columns(X)[1]
    assert len(flags.values) % 8 == 0
    for column, value, mean in zip(flags.columns, flags.values, flags.means, strict=True):
        entries = X[:, column]
        missing = np.isnan(entries)
        has = missing if value == np.float32(MISSING) else entries[~missing] == value
        assert mean == pytest.approx(has.mean() if has.size else 0, abs=1e-6)
    for at, entries in enumerate(X.T):
        share = np.isnan(entries).mean()
        assert (MISSING in flags_of(flags, at)) == (0 < share < 1)
        known = np.unique(entries[~np.isnan(entries)])
        assert {*flags_of(flags, at)} - {MISSING} == ({known[1]} if len(known) == 2 else set())


def test_a_value_of_many_that_is_repeated_like_an_imputed_one_has_a_flag():
    column = np.arange(1000.0)
    assert flags_of(describe_columns(column[:, None])[1], 0) == {}
    column[:10] = 500.0
    assert flags_of(describe_columns(column[:, None])[1], 0) == {500.0: pytest.approx(0.011)}
    column[8:] = np.arange(992.0) + 2000  # fewer than a hundredth
    assert flags_of(describe_columns(column[:, None])[1], 0) == {}
    few = np.arange(20.0)
    few[:7] = 15.0  # fewer than eight rows
    assert flags_of(describe_columns(few[7:, None])[1], 0) == {}


def test_the_most_frequent_of_few_values_is_no_spike():
    assert flags_of(describe_columns(np.r_[np.zeros(90), np.arange(8)][:, None])[1], 0) == {}


@pytest.mark.parametrize("value", [7.0, np.nan, 0.0, -1e38])
def test_constant_and_missing_columns_hold_nothing(value):
    bins, flags = describe_columns(np.full((20, 2), value))
    assert bins.left.shape[0] == 1
    assert not any(array.any() for array in arrays_in(bins).values())
    assert np.isnan(flags.values).all()


# Levels -------------------------------------------------------------------------------------------


def codes(*counts):
    return np.repeat(np.arange(len(counts), dtype=float), counts)[:, None]


def flags_of_codes(*counts, n_missing=0):
    X = np.concatenate([codes(*counts), np.full((n_missing, 1), np.nan)])
    bins, flags = describe_columns(X, n_categories=[len(counts)])
    assert not bins.scale.any()
    return flags_of(flags, 0)


@pytest.mark.parametrize(
    ("counts", "n_missing", "flagged"),
    [
        ((3, 50, 100, 47, 4), 0, {1: 50 / 204, 2: 100 / 204, 3: 47 / 204}),  # but rare ones
        ((30, 70), 0, {0: 0.3, 1: 0.7}),  # a third one, unseen, is neither
        ((30, 60), 10, {0: 1 / 3, 1: 2 / 3, MISSING: 0.1}),
        ((30, 68, 1, 1), 0, {0: 0.3, 1: 0.68}),  # neither is the opposite of the other
        ((50, 0, 50), 0, {0: 0.5, 2: 0.5}),
        ((3, 2, 2), 0, {0: 3 / 7, 1: 2 / 7, 2: 2 / 7}),
    ],
)
def test_frequent_levels_and_gaps_have_flags(counts, n_missing, flagged):
    assert flags_of_codes(*counts, n_missing=n_missing) == pytest.approx(flagged)


def test_the_most_frequent_of_very_many_levels_have_flags():
    counts = np.random.default_rng(0).permutation(np.arange(5, 405))
    found = flags_of_codes(*counts)
    assert len(found) == 256
    assert {*found} == {*np.argsort(-counts)[:256]}


def test_codes_and_numbers_are_told_apart_by_column():
    X = np.column_stack([codes(40, 30, 30), np.arange(100)])
    bins, flags = describe_columns(X, n_categories=[3, 0])
    assert bins.columns.tolist() == [1]
    assert {*flags_of(flags, 0)} == {0, 1, 2}


# Whatever holds the rows --------------------------------------------------------------------------


@quick
@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(random):
    order = random.sample(range(N), N)
    assert_same(described(MIXED[order]), described(MIXED))


def test_rows_that_are_chosen_are_all_that_is_looked_at(tmp_path):
    rows = np.flatnonzero(RNG.random(N) < 0.6)
    expected = described(MIXED[rows])
    np.save(tmp_path / "table.npy", MIXED)
    mapped = np.load(tmp_path / "table.npy", mmap_mode="r")
    for X in (MIXED, mapped, sparse.csr_matrix(MIXED), sparse.csr_array(MIXED)):
        assert_same(described(X, rows=rows), expected)


def test_sparse_tables_and_maps_are_read_like_arrays(tmp_path):
    X = np.where(RNG.random((N, 8)) < 0.5, 0, MIXED)
    np.save(tmp_path / "table.npy", X)
    for other in (sparse.csr_matrix(X), np.load(tmp_path / "table.npy", mmap_mode="r")):
        assert_same(described(other), described(X))


def test_zeros_that_a_sparse_table_stores_are_not_counted_twice():
    matrix = sparse.csr_matrix(np.where(MIXED[:, 3:5] == 0, 9, MIXED[:, 3:5]))
    matrix.data[matrix.data == 9] = 0.0
    assert_same(described(matrix), described(MIXED[:, 3:5]))


def test_of_many_rows_some_are_drawn_the_same_each_time(monkeypatch):
    monkeypatch.setattr("sk_imbalance_nn.networks.bins_and_flags._MOST_ROWS", 100)
    rows = np.arange(50, 290)
    assert_same(described(MIXED, rows=rows), described(MIXED[rows]))
    means = describe_columns(MIXED)[1].means
    np.testing.assert_allclose(means * 100, np.round(means * 100), atol=1e-4)


def test_types_of_numbers_do_not_matter():
    X = np.column_stack([RNG.integers(0, 200, N), RNG.integers(0, 2, N)])
    expected = described(X.astype(np.float32))
    for kind in (np.uint8, np.int64, np.float64):
        assert_same(described(X.astype(kind)), expected)
    assert_same(described(X[:, 1:] == 1), described(X[:, 1:].astype(float)))


EXTREMES = {
    "huge": np.linspace(-3e38, 3e38, 60),
    "beyond": np.r_[3.4e38, -3.4e38, np.linspace(0, 1, 58)],
    "denormal": np.linspace(0, 1e-43, 60),
    "next to each other": np.float32(1e8) + 8 * np.arange(60),
    "wide": np.r_[1e-38, 1e38, np.geomspace(1e-30, 1e30, 58)],
}


@pytest.mark.parametrize("name", EXTREMES)
def test_extreme_values_leave_all_numbers_finite(name):
    bins, _ = describe_columns(EXTREMES[name][:, None])
    for array_name, array in arrays_in(bins).items():
        assert np.isfinite(array).all(), array_name
    assert bins.scale.any()
