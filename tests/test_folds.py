"""Folds: every row in one, the same classes in all, groups together."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sk_imbalance_nn.data.folds import stratified_folds

quick = settings(deadline=None, max_examples=60)
seeds = st.integers(0, 2**31 - 1)
class_codes = hnp.arrays(np.intp, st.integers(1, 80), elements=st.integers(0, 4))
indicators = hnp.arrays(
    np.int8, st.tuples(st.integers(2, 40), st.integers(1, 4)), elements=st.integers(0, 1)
)


def counts(folds, n_folds):
    return np.bincount(folds, minlength=n_folds)


@quick
@given(class_codes, st.integers(2, 7), seeds)
def test_each_class_and_all_rows_are_dealt_evenly(codes, n_folds, seed):
    folds = stratified_folds(codes, n_folds, seed)
    assert folds.shape == codes.shape
    assert set(folds) <= set(range(n_folds))
    assert np.ptp(counts(folds, n_folds)) <= 1
    for code in np.unique(codes):
        assert np.ptp(counts(folds[codes == code], n_folds)) <= 1


@quick
@given(indicators, st.integers(2, 7), seeds)
def test_labels_are_dealt_evenly(labels, n_folds, seed):
    folds = stratified_folds(labels, n_folds, seed)
    assert set(folds) <= set(range(n_folds))
    assert np.ptp(counts(folds, n_folds)) <= 1
    rarest = labels[:, labels.sum(axis=0).argmin()]
    if rarest.any():
        assert np.ptp(counts(folds[rarest == 1], n_folds)) <= 1


@quick
@given(class_codes, st.integers(2, 5), seeds)
def test_the_seed_decides(codes, n_folds, seed):
    np.testing.assert_array_equal(
        stratified_folds(codes, n_folds, seed), stratified_folds(codes, n_folds, seed)
    )
    if len(codes) >= 40:
        others = [stratified_folds(codes, n_folds, other) for other in range(3)]
        assert any((others[0] != other).any() for other in others)


@pytest.mark.parametrize("strata", [np.zeros(1000, int), np.zeros((1000, 2), int)])
def test_rows_next_to_each_other_are_not_kept_apart(strata):
    """A deal in the order of the rows would never put neighbours together."""
    folds = stratified_folds(strata, 5, 0)
    assert 0.1 < (folds[1:] == folds[:-1]).mean() < 0.3


@quick
@given(class_codes, st.integers(2, 5), seeds)
def test_groups_stay_together(codes, n_folds, seed):
    groups = np.random.default_rng(seed).integers(0, 2 * n_folds, len(codes))
    # What scikit-learn asks for.
    assume(min(np.bincount(codes).max(), len(np.unique(groups))) >= n_folds)
    folds = stratified_folds(codes, n_folds, seed, groups)
    assert set(folds) <= set(range(n_folds))
    for group in np.unique(groups):
        assert len(np.unique(folds[groups == group])) == 1
    np.testing.assert_array_equal(folds, stratified_folds(codes, n_folds, seed, groups))


def test_groups_of_a_row_each_are_stratified():
    codes = np.repeat([0, 1], [80, 20])
    folds = stratified_folds(codes, 5, 0, np.arange(100))
    for code, count in ((0, 16), (1, 4)):
        assert counts(folds[codes == code], 5).tolist() == [count] * 5


def test_groups_of_rows_with_several_labels_are_refused():
    with pytest.raises(ValueError, match="groups cannot be kept together"):
        stratified_folds(np.eye(6, 2, dtype=int), 2, 0, np.arange(6))


def test_fewer_groups_than_folds_are_refused():
    with pytest.raises(ValueError, match="2 groups cannot be dealt into 3 folds"):
        stratified_folds(np.arange(12) % 2, 3, 0, np.arange(12) % 2)
