"""Samplers of imbalanced-learn keep their rows, their types, and the weights of rows."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.combine import SMOTEENN
from imblearn.over_sampling import ADASYN, SMOTE, SMOTENC, RandomOverSampler
from imblearn.under_sampling import (
    ClusterCentroids,
    NearMiss,
    OneSidedSelection,
    RandomUnderSampler,
    TomekLinks,
)
from scipy import sparse

from sk_imbalance_nn.balancing.resampling import (
    RedrawnRows,
    Resampled,
    redraws,
    resample,
    weights_after,
)

quick = settings(deadline=None, max_examples=25)
LABELS = np.array(["yes"] * 12 + ["no"] * 48)[np.random.default_rng(1).permutation(60)]

PICK = [RandomUnderSampler, RandomOverSampler, TomekLinks, NearMiss, OneSidedSelection]
ADD = [SMOTE, ADASYN, partial(SMOTENC, [2]), partial(RandomOverSampler, shrinkage=1.0)]
REPLACE = [SMOTEENN, partial(ClusterCentroids, random_state=0)]
MAKE = ADD + REPLACE


def table(dtype=np.float32):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3)) + 0.3 * (LABELS == "yes")[:, None]
    X[:, 2] = rng.integers(3, size=60)
    return X.astype(dtype)


def dense(X):
    return X.toarray() if sparse.issparse(X) else X


def named(sampler):
    return getattr(sampler, "func", sampler).__name__


# Once


@pytest.mark.parametrize("form", [np.array, sparse.csr_matrix], ids=["dense", "sparse"])
@pytest.mark.parametrize("sampler", PICK, ids=named)
def test_samplers_that_pick_rows_say_which(sampler, form):
    X = form(table())
    resampled = resample(sampler(), X, LABELS, 3)
    seeded = sampler()
    if "random_state" in seeded.get_params():
        seeded.set_params(random_state=3)
    expected, labels = seeded.fit_resample(X, LABELS)
    np.testing.assert_array_equal(dense(X[resampled.index]), dense(expected))
    np.testing.assert_array_equal(LABELS[resampled.index], labels)
    assert (resampled.X, resampled.labels, resampled.n_original) == (None, None, None)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", [np.array, sparse.csr_matrix], ids=["dense", "sparse"])
@pytest.mark.parametrize("sampler", MAKE, ids=named)
def test_samplers_that_make_rows_keep_the_form_of_the_table(sampler, form, dtype):
    X = form(table(dtype))
    resampled = resample(sampler(), X, LABELS, 3)
    assert resampled.index is None
    assert (resampled.X.dtype, sparse.issparse(resampled.X)) == (dtype, sparse.issparse(X))
    assert resampled.X.shape == (len(resampled.labels), 3)
    assert set(resampled.labels) == {"no", "yes"}
    if sampler in ADD:
        assert resampled.n_original == 60
        np.testing.assert_array_equal(dense(resampled.X)[:60], dense(X))
        np.testing.assert_array_equal(resampled.labels[:60], LABELS)
        assert len(resampled.labels) > 60
    else:
        assert resampled.n_original is None


def test_rows_with_missing_values_are_recognised_as_picked():
    X = table()
    X[::3, 0] = np.nan
    words = np.array([["a"], ["b"]], dtype=object)[(LABELS == "yes").astype(int)]
    for given_rows in (X, sparse.csr_matrix(X), words):
        assert len(resample(RandomUnderSampler(), given_rows, LABELS, 0).index) == 24


@pytest.mark.parametrize("sampler", [TomekLinks, NearMiss], ids=named)
def test_rows_of_any_form_are_picked_as_the_table_of_their_numbers(sampler):
    X = table()
    expected = resample(sampler(), X, LABELS, 0).index
    images = X[:, :, None, None]
    inputs = {"a": X[:, 0], "b": X[:, 1:, None]}
    partly_sparse = {"a": X[:, :1], "b": sparse.csr_matrix(X[:, 1:])}
    for given_rows in (images, inputs, partly_sparse):
        assert np.array_equal(resample(sampler(), given_rows, LABELS, 0).index, expected)


@pytest.mark.parametrize("sampler", [SMOTE, SMOTEENN], ids=named)
def test_rows_are_made_of_tables_only(sampler):
    with pytest.raises(ValueError, match=r"makes rows.*of the shape \(60, 3, 1\).*picks rows"):
        resample(sampler(), table()[:, :, None], LABELS, 0)
    with pytest.raises(ValueError, match=f"{sampler.__name__} makes rows.*a dict of inputs"):
        resample(sampler(), {"a": table()}, LABELS, 0)


@pytest.mark.parametrize("sampler", [RandomUnderSampler, *MAKE[:-1]], ids=named)
def test_samplers_without_a_seed_get_one_and_stay_as_they_are(sampler):
    given_sampler, X, labels = sampler(), table(), LABELS.copy()
    before = repr(given_sampler)
    first, again, other = (resample(given_sampler, X, labels, seed) for seed in (0, 0, 1))
    assert repr(given_sampler) == before
    assert not hasattr(given_sampler, "sampling_strategy_")
    np.testing.assert_array_equal(X, table())
    np.testing.assert_array_equal(labels, LABELS)
    rows = [X[one.index] if one.X is None else one.X for one in (first, again, other)]
    assert np.array_equal(rows[0], rows[1])
    assert not np.array_equal(rows[0], rows[2])


def test_a_seed_of_the_sampler_is_kept_and_samplers_inside_get_one():
    state = np.random.RandomState(4)
    seeded = SMOTE(random_state=state)
    one, other = (resample(seeded, table(), LABELS, seed).X for seed in (0, 1))
    assert np.array_equal(one, other)
    assert state.randint(2**31) == np.random.RandomState(4).randint(2**31)
    nested = SMOTEENN(smote=SMOTE())
    one, other = (resample(nested, table(), LABELS, 0).X for _ in range(2))
    assert np.array_equal(one, other)
    assert nested.smote.random_state is None


def test_errors_of_a_sampler_say_which_sampler_and_which_rows():
    labels = np.array(["no"] * 20 + ["yes"] * 3)
    with pytest.raises(ValueError, match=r"SMOTE could not.*23 rows .'no': 20, 'yes': 3.*n_neigh"):
        resample(SMOTE(), table()[:23], labels, 0)
    with pytest.raises(ValueError, match=r"UnderSampler could not.*'no': 48, 'yes': 12.: .*ratio"):
        RedrawnRows(RandomUnderSampler(sampling_strategy=0.1), LABELS, 0)


def test_labels_that_occur_together_are_refused():
    y = np.eye(3, dtype=int)
    with pytest.raises(ValueError, match=r"y is multilabel.*give sampler='over', 'under'"):
        resample(SMOTE(), table()[:3], y, 0)
    with pytest.raises(ValueError, match=r"y is multilabel.*give sampler='over', 'under'"):
        RedrawnRows(RandomUnderSampler(), y, 0)


# Weights


@pytest.mark.parametrize("sampler", PICK + ADD, ids=named)
def test_rows_keep_their_weights_and_made_ones_get_the_mean_of_their_class(sampler):
    weights = np.random.default_rng(0).random(60).astype(np.float32)
    resampled = resample(sampler(), table(), LABELS, 0)
    after = weights_after(resampled, LABELS, weights)
    assert after.dtype == np.float32
    if sampler in PICK:
        np.testing.assert_array_equal(after, weights[resampled.index])
    else:
        np.testing.assert_array_equal(after[:60], weights)
        assert set(resampled.labels[60:]) == {"yes"}
        np.testing.assert_allclose(after[60:], weights[LABELS == "yes"].mean(), rtol=1e-6)


@pytest.mark.parametrize("sampler", REPLACE, ids=named)
def test_weights_that_differ_are_refused_where_rows_cannot_be_told(sampler):
    resampled = resample(sampler(), table(), LABELS, 0)
    alike = weights_after(resampled, LABELS, np.full(60, 0.5))
    assert alike.tolist() == [0.5] * len(resampled.labels)
    with pytest.raises(ValueError, match=r"both makes and drops rows.*only makes rows \(SMOTE\)"):
        weights_after(resampled, LABELS, np.arange(60))


def test_no_weights_stay_none():
    assert weights_after(Resampled(index=np.arange(3)), LABELS, None) is None


# Every epoch


def test_only_random_samplers_that_see_no_features_are_drawn_again():
    class Mine(RandomUnderSampler):
        pass

    assert redraws(RandomUnderSampler()) and redraws(RandomOverSampler()) and redraws(Mine())
    assert not any(redraws(sampler()) for sampler in (*MAKE, TomekLinks, NearMiss))


@quick
@given(
    st.sampled_from([RandomUnderSampler, RandomOverSampler]),
    st.integers(2, 30),
    st.integers(2, 30),
    st.integers(0, 2**31 - 1),
)
def test_each_epoch_is_a_draw_of_the_sampler_spread_evenly(sampler, n_no, n_yes, seed):
    labels = np.array(["no"] * n_no + ["yes"] * n_yes)
    source, rng = RedrawnRows(sampler(), labels, seed), np.random.default_rng(seed)
    expected = np.sort(sampler(random_state=0).fit_resample(np.zeros((len(labels), 1)), labels)[1])
    expected_copies = [
        (expected == label).sum() / (labels == label).sum() for label in labels.tolist()
    ]
    np.testing.assert_allclose(source.copies, expected_copies)
    for _ in range(3):
        plan = source.plan(6, rng)
        assert len(plan.indices) == source.n_rows
        assert np.array_equal(np.sort(labels[plan.indices]), expected)
        for batch in plan.chunks(1):
            assert abs((labels[batch] == "yes").sum() - len(batch) / 2) < 1


@pytest.mark.parametrize("sampler", [RandomUnderSampler, RandomOverSampler], ids=named)
@pytest.mark.parametrize("seeded", [False, True], ids=["no seed", "own state"])
def test_epochs_differ_but_come_again_with_their_seed(sampler, seeded):
    state = np.random.RandomState(5)
    given_sampler = sampler(random_state=state if seeded else None)
    plans = []
    for _ in range(2):
        source, rng = RedrawnRows(given_sampler, LABELS, 0), np.random.default_rng(0)
        plans.append([source.plan(8, rng).indices for _ in range(3)])
    for one, other in zip(*plans, strict=True):
        assert np.array_equal(one, other)
    rows = [np.sort(plan) for plan in plans[0]]
    assert not np.array_equal(rows[0], rows[1]) and not np.array_equal(rows[1], rows[2])
    assert not hasattr(given_sampler, "sample_indices_")
    assert state.randint(2**31) == np.random.RandomState(5).randint(2**31)


def test_the_seed_of_the_sampler_comes_first():
    def first(random_state, seed):
        source = RedrawnRows(RandomUnderSampler(random_state=random_state), LABELS, seed)
        return source.plan(8, np.random.default_rng(0), shuffle=False).indices.tolist()

    assert first(7, 0) == first(7, 1)
    assert first(None, 0) != first(None, 1)


def test_strategies_keyed_by_labels_are_redrawn_too():
    source = RedrawnRows(RandomUnderSampler(sampling_strategy={"no": 5}), LABELS, 0)
    drawn = LABELS[source.plan(8, np.random.default_rng(0)).indices]
    assert ((drawn == "no").sum(), (drawn == "yes").sum()) == (5, 12)


def test_order_of_the_data_is_kept_without_shuffle():
    for sampler in (RandomUnderSampler(), RandomOverSampler()):
        source = RedrawnRows(sampler, LABELS, 0)
        for one in (source, source.shortened(7)):
            indices = one.plan(8, np.random.default_rng(0), shuffle=False).indices
            assert (np.diff(indices) >= 0).all()


def test_shorter_epochs_keep_the_shares_of_classes_and_see_all_rows_in_time():
    whole = RedrawnRows(RandomUnderSampler(), LABELS, 0)
    source, rng = whole.shortened(10), np.random.default_rng(0)
    assert (source.n_rows, whole.n_rows, whole.shortened(99).n_rows) == (10, 24, 24)
    np.testing.assert_allclose(source.copies, whole.copies * 10 / 24)
    epochs = [source.plan(4, rng).indices for _ in range(150)]
    for indices in epochs:
        assert (LABELS[indices] == "yes").sum() == 5
    assert len(np.unique(epochs)) == 60
    seeded = RedrawnRows(RandomUnderSampler(random_state=np.random.RandomState(0)), LABELS, 0)
    early = seeded.shortened(10).plan(4, np.random.default_rng(0)).indices
    seeded.plan(4, rng)
    late = seeded.shortened(10).plan(4, np.random.default_rng(0)).indices
    assert np.array_equal(early, late)
    with pytest.raises(ValueError, match="found n_rows=0"):
        whole.shortened(0)
