"""Every row lands in one part, and every class in both."""

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    KFold,
    PredefinedSplit,
    ShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    TimeSeriesSplit,
)

from sk_imbalance_nn.data.split import (
    holdout_from_splitter,
    label_folds,
    rarest_in_holdout,
    stratified_holdout,
)

quick = settings(deadline=None, max_examples=60)
fractions = st.floats(0.02, 0.98)
seeds = st.integers(0, 2**32 - 1)


@st.composite
def class_codes(draw):
    """Codes with at least 2 rows a class, some codes unused, in any order."""
    sizes = draw(st.lists(st.just(0) | st.integers(2, 60), min_size=1, max_size=8))
    assume(sum(sizes))
    codes = np.repeat(np.arange(len(sizes)), sizes)
    return np.random.default_rng(draw(seeds)).permutation(codes)


def indicators(max_rows, max_labels):
    shapes = st.tuples(st.integers(2, max_rows), st.integers(1, max_labels))
    return shapes.flatmap(lambda shape: hnp.arrays(np.int8, shape, elements=st.integers(0, 1)))


def sides_of(y):
    return np.hstack([y, 1 - y])


def shows_every_side(y, validates):
    sides = sides_of(y)[:, sides_of(y).any(axis=0)]
    return sides[validates].any(axis=0).all() and sides[~validates].any(axis=0).all()


def assert_partition(holdout, n):
    both = np.concatenate([holdout.train, holdout.validation])
    assert np.array_equal(np.sort(both), np.arange(n))
    for part in (holdout.train, holdout.validation):
        assert part.dtype == np.intp
        assert (np.diff(part) > 0).all()


def test_last_rows_are_not_the_validation_set():
    y = np.repeat([0, 1], [180, 20])  # sorted, as Keras' validation_split would take its tail
    holdout = stratified_holdout(y, 0.1, random_state=0)
    assert np.bincount(y[holdout.validation]).tolist() == [18, 2]
    assert holdout.validation[0] < 180 - 18


@quick
@given(class_codes(), fractions, seeds)
def test_no_class_is_missing_from_a_part(codes, fraction, seed):
    holdout = stratified_holdout(codes, fraction, seed)
    assert_partition(holdout, len(codes))
    sizes = np.bincount(codes)
    held = np.bincount(codes[holdout.validation], minlength=len(sizes))
    used = sizes > 0
    assert (held[used] >= 1).all()
    assert (held[used] < sizes[used]).all()
    assert (np.abs(held - fraction * sizes)[used] <= 1 + 1e-9).all()


@quick
@given(class_codes(), fractions)
def test_share_of_validation_rows_is_not_biased_by_rounding(codes, fraction):
    sizes = np.bincount(codes)
    assume((fraction * sizes[sizes > 0] >= 1).all())
    assume(((1 - fraction) * sizes[sizes > 0] >= 1).all())
    held = len(stratified_holdout(codes, fraction, 0).validation)
    assert held == round(fraction * len(codes))


@quick
@given(class_codes(), fractions, seeds)
def test_rarest_in_holdout_says_what_the_split_holds(codes, fraction, seed):
    validation = codes[stratified_holdout(codes, fraction, seed).validation]
    held = np.bincount(validation)
    assert rarest_in_holdout(codes, fraction) == held[held > 0].min()


def test_each_row_is_as_likely_to_validate():
    y = np.repeat([0, 1], [15, 5])
    rng = np.random.RandomState(0)
    drawn = np.zeros(20)
    for _ in range(2000):
        drawn[stratified_holdout(y, 0.2, rng).validation] += 1
    assert np.abs(drawn / 2000 - 0.2).max() < 0.04


@pytest.mark.parametrize("shape", [(300,), (300, 5)])
def test_split_repeats_with_its_random_state_only(shape):
    y = np.random.default_rng(0).integers(0, 2, shape)
    first = stratified_holdout(y, 0.3, 7)
    again = stratified_holdout(y, 0.3, np.random.RandomState(7))
    other = stratified_holdout(y, 0.3, 8)
    assert np.array_equal(first.validation, again.validation)
    assert not np.array_equal(first.validation, other.validation)


def test_y_of_the_caller_is_left_alone():
    y = np.random.default_rng(0).integers(0, 2, (50, 3))
    before = y.copy()
    y.setflags(write=False)
    stratified_holdout(y, 0.3, 0)
    assert np.array_equal(y, before)


def test_class_of_one_row_is_named_with_its_cure():
    with pytest.raises(ValueError, match=r"Only 1 row of class 'rare'.*validation_data.*merge"):
        stratified_holdout([0, 0, 0, 1], 0.25, 0, labels=np.array(["often", "rare"]))
    with pytest.raises(ValueError, match=r"class 1, class 2, .*class 5 \(and 2 more\)"):
        stratified_holdout([0, 0, *range(1, 8)], 0.25, 0)
    assert rarest_in_holdout([0, 0, 0, 1], 0.25) == 0


def test_label_of_one_row_is_named_with_its_side():
    y = np.zeros((6, 2), dtype=int)
    y[:3, 0] = y[0, 1] = 1
    with pytest.raises(ValueError, match=r"Only 1 row of label 'b' being 1;"):
        stratified_holdout(y, 0.5, 0, labels=["a", "b"])
    with pytest.raises(ValueError, match=r"Only 1 row of label 1 being 0;"):
        stratified_holdout(1 - y, 0.5, 0)
    assert rarest_in_holdout(y, 0.5) == 0


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan")])
def test_fraction_outside_its_range_is_refused(fraction):
    for split in (
        lambda: stratified_holdout([0, 0], fraction, 0),
        lambda: rarest_in_holdout([0], fraction),
    ):
        with pytest.raises(ValueError, match=r"between 0 and 1, found"):
            split()


def test_targets_of_no_rows_or_of_three_axes_are_refused():
    with pytest.raises(ValueError, match="y has no rows"):
        stratified_holdout(np.zeros(0, int), 0.5, 0)
    with pytest.raises(ValueError, match=r"found \(2, 2, 2\)"):
        stratified_holdout(np.zeros((2, 2, 2)), 0.5, 0)
    assert rarest_in_holdout(np.zeros(0, int), 0.5) == 0


@quick
@given(indicators(60, 6), fractions, seeds)
def test_no_side_of_a_label_is_missing_from_a_part(y, fraction, seed):
    assume((sides_of(y).sum(axis=0) != 1).all())
    try:
        holdout = stratified_holdout(y, fraction, seed)
    except ValueError as error:
        # Labels may exclude each other, which small targets can prove.
        assert "Found no split" in str(error)
        if len(y) <= 10:
            masks = itertools.product([False, True], repeat=len(y))
            assert not any(shows_every_side(y, np.array(mask)) for mask in masks)
        return
    assert_partition(holdout, len(y))
    assert shows_every_side(y, np.isin(np.arange(len(y)), holdout.validation))


@quick
@given(indicators(7, 5), seeds)
def test_split_is_found_wherever_one_exists(y, seed):
    assume((sides_of(y).sum(axis=0) != 1).all())
    masks = itertools.product([False, True], repeat=len(y))
    if any(shows_every_side(y, np.array(mask)) for mask in masks):
        stratified_holdout(y, 0.3, seed)
    else:
        with pytest.raises(ValueError, match="Found no split"):
            stratified_holdout(y, 0.3, seed)


def test_labels_that_exclude_each_other_are_reported():
    y = np.zeros((9, 3), dtype=int)
    y[[0, 1], 0] = y[[1, 2], 1] = y[[0, 2], 2] = 1  # three rows cannot differ pairwise in 2 parts
    with pytest.raises(
        ValueError, match=r"Found no split with label '[abc]' being 1 in both parts"
    ):
        stratified_holdout(y, 0.3, 0, labels=["a", "b", "c"])


@pytest.mark.parametrize("n_labels", [1, 20])
def test_rare_labels_get_their_share_of_validation(n_labels):
    rng = np.random.default_rng(0)
    y = rng.random((4000, n_labels)) < np.geomspace(0.005, 0.1, n_labels)
    validation = stratified_holdout(y, 0.25, 0).validation
    assert abs(len(validation) - 1000) <= 5
    sizes, held = y.sum(axis=0), y[validation].sum(axis=0)
    assert (np.abs(held - 0.25 * sizes) <= 2 + 0.05 * sizes).all()
    assert abs(rarest_in_holdout(y, 0.25) - held.min()) <= 2


def sechidis(y, fraction, rng):
    """Algorithm 1 of Sechidis et al. (2011), row by row; returns the validation mask."""
    wanted = np.array([1 - fraction, fraction])
    total = wanted * len(y)
    need = wanted[:, None] * y.sum(axis=0)
    part = np.full(len(y), -1)
    while (part < 0).any():
        left = y[part < 0].sum(axis=0)
        rare = np.where(left > 0, left, len(y) + 1).argmin()
        rows = np.flatnonzero((part < 0) & ((y[:, rare] == 1) | (not left.any())))
        for row in rng.permutation(rows):
            wish = need[:, rare] if left.any() else total
            part[row] = max((0, 1), key=lambda j: (wish[j], total[j]))
            need[part[row]] -= y[row]
            total[part[row]] -= 1
    return part == 1


def test_dealing_in_bulk_is_as_even_as_row_by_row():
    rng = np.random.default_rng(0)
    ours, literal = [], []
    for seed in range(20):
        y = (rng.random((300, 6)) < [0.03, 0.05, 0.1, 0.2, 0.3, 0.5]).astype(int)
        y[:2] = 1
        wish = 0.2 * y.sum(axis=0)
        ours.append(np.abs(y[stratified_holdout(y, 0.2, seed).validation].sum(axis=0) - wish))
        literal.append(np.abs(y[sechidis(y, 0.2, rng)].sum(axis=0) - wish))
    assert np.mean(ours) <= 1.1 * np.mean(literal)


X9, y9 = np.zeros((9, 1)), np.repeat([0, 1, 2], 3)


def test_splitter_gives_its_first_split():
    splitter = StratifiedKFold(3, shuffle=True, random_state=0)
    train, validation = next(splitter.split(X9, y9))
    holdout = holdout_from_splitter(splitter, X9, y9)
    assert np.array_equal(holdout.train, train)
    assert np.array_equal(holdout.validation, validation)


def test_splitter_may_leave_rows_out():
    holdout = holdout_from_splitter(PredefinedSplit([0, -1, -1] * 3), X9, y9)
    assert holdout.validation.tolist() == [0, 3, 6]
    splitter = [(np.array([4, 1, 7]), np.array([3, 0, 6]))]
    holdout = holdout_from_splitter(Listed(splitter), X9, y9)
    assert holdout.train.tolist() == [1, 4, 7]
    assert holdout.validation.tolist() == [0, 3, 6]


def test_groups_reach_the_splitter():
    groups = [0, 1, 2] * 3
    holdout = holdout_from_splitter(StratifiedGroupKFold(3), X9, y9, groups)
    assert len(np.unique(np.array(groups)[holdout.validation])) == 1


@pytest.mark.parametrize("splitter", [GroupKFold(3), GroupShuffleSplit(random_state=0)])
def test_splitter_without_its_groups_says_to_pass_them(splitter):
    with pytest.raises(
        ValueError, match=r"Group\w+ needs groups and got none: pass `groups` to fit"
    ):
        holdout_from_splitter(splitter, X9, y9)


def test_errors_of_the_splitter_itself_pass():
    with pytest.raises(ValueError, match="n_splits=20"):
        holdout_from_splitter(KFold(20), X9, y9)


@pytest.mark.parametrize("y", [y9, np.eye(3, dtype=int)[y9]])
def test_sorted_classes_do_not_vanish_from_training(y):
    message = (
        r"The training part of KFold has no row of (class|label) 'a'( being 1)?, of which y has 3; "
        "use a stratified splitter"
    )
    with pytest.raises(ValueError, match=message):
        holdout_from_splitter(KFold(3), X9, y, labels=["a", "b", "c"])
    with pytest.raises(ValueError, match="The training part of TimeSeriesSplit has no row of"):
        holdout_from_splitter(TimeSeriesSplit(2), X9, y)


def test_class_of_one_row_may_miss_a_part_of_a_splitter():
    y = [0, 0, 0, 1]
    splitter = Listed([([0, 1], [2, 3])])
    assert holdout_from_splitter(splitter, np.zeros(4), y).validation.tolist() == [2, 3]


class Listed:
    """A splitter that yields what it is given."""

    def __init__(self, splits):
        self.splits = splits

    def split(self, X, y=None, groups=None):
        return self.splits


@pytest.mark.parametrize(
    ("train", "validation", "message"),
    [
        ([0, 3], [], "The validation part of Listed is empty"),
        ([], [0, 3], "The training part of Listed is empty"),
        ([0, 3], [9, 6], r"indices from 6 to 9, but X has 9 rows \(0 to 8\)"),
        ([-1, 3], [1, 6], "indices from -1 to 3"),
        ([0, 3, 6], [1, 4, 6, 7], r"puts 1 rows \(the first is 6\) in the training and the valid"),
        (np.arange(9) > 3, np.arange(9) <= 3, r"dtype bool; turn a mask into indices"),
        ([[0, 3]], [1, 4], r"found shape \(1, 2\)"),
    ],
)
def test_splits_that_cannot_validate_are_refused(train, validation, message):
    with pytest.raises(ValueError, match=message):
        holdout_from_splitter(Listed([(train, validation)]), X9, y9)


def test_what_is_no_splitter_is_refused():
    for splitter in ("half", KFold, 5):
        with pytest.raises(TypeError, match=r"a fraction or a scikit-learn splitter .*, found"):
            holdout_from_splitter(splitter, X9, y9)
    with pytest.raises(ValueError, match="Listed yields no split"):
        holdout_from_splitter(Listed([]), X9, y9)


def test_splitter_that_happens_to_cover_all_classes_is_welcome():
    splitter = ShuffleSplit(1, test_size=0.5, random_state=3)
    holdout = holdout_from_splitter(splitter, np.zeros(200), np.repeat([0, 1], 100))
    assert len(holdout.validation) == 100


@quick
@given(indicators(40, 5), st.data())
def test_folds_of_labels_are_as_even_as_rarer_labels_allow(y, data):
    n_splits = data.draw(st.integers(2, len(y)))
    folds = label_folds(y, n_splits)
    assert folds.dtype == np.intp
    sizes = np.bincount(folds, minlength=n_splits)
    assert len(sizes) == n_splits
    assert np.ptp(sizes) <= 1
    taken = np.zeros(len(y), dtype=bool)
    for label in np.argsort(y.sum(axis=0), kind="stable"):
        own = (y[:, label] == 1) & ~taken
        assert np.ptp(np.bincount(folds[own], minlength=n_splits)) <= 1
        taken |= own
    rest = np.bincount(folds[~taken], minlength=n_splits)
    assert np.ptp(rest) <= 1


@quick
@given(indicators(20, 1), st.data())
def test_folds_of_one_label_are_as_even_as_stratified_folds(y, data):
    n_splits = data.draw(st.integers(2, len(y)))
    folds = label_folds(y, n_splits)
    for side in (0, 1):
        assert np.ptp(np.bincount(folds[y[:, 0] == side], minlength=n_splits)) <= 1


def test_rows_with_the_same_labels_are_spread_over_all_folds():
    rng = np.random.default_rng(0)
    y = (rng.random((2000, 4)) < [0.4, 0.2, 0.1, 0.05]).astype(int)
    folds = label_folds(y, 5)
    kinds = y @ [8, 4, 2, 1]
    for kind in np.unique(kinds):
        assert np.ptp(np.bincount(folds[kinds == kind], minlength=5)) <= 1
    positives = np.stack([y[folds == number].sum(axis=0) for number in range(5)])
    shuffled = np.stack([part.sum(axis=0) for part in np.array_split(rng.permutation(y), 5)])
    assert (np.ptp(positives, axis=0) <= 8).all()
    assert np.ptp(positives, axis=0).sum() < np.ptp(shuffled, axis=0).sum() / 3


@pytest.mark.parametrize("n_splits", [-1, 0, 1, 5])
def test_more_folds_than_rows_or_fewer_than_two_are_refused(n_splits):
    with pytest.raises(ValueError, match=rf"cv={n_splits} folds of 4 rows; .* between 2 and 4"):
        label_folds(np.eye(4, dtype=int), n_splits)
