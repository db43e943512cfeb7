"""Quotas are met, rows take turns, batches hold every class."""

from collections import Counter
from time import perf_counter

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from imblearn.over_sampling import RandomOverSampler
from imblearn.tensorflow import balanced_batch_generator
from imblearn.under_sampling import RandomUnderSampler

from sk_imbalance_nn.balancing.epochs import EveryRow, PickedRows, SampledRows, sampled_rows
from sk_imbalance_nn.balancing.quotas import class_quotas, label_quotas

quick = settings(deadline=None, max_examples=40)
several = settings(deadline=None, max_examples=25)
seeds = st.integers(0, 2**32 - 1)
samplers = st.sampled_from(["over", "under", "balanced"])
class_counts = st.lists(st.integers(1, 40), min_size=2, max_size=4)
NAMES = np.array(["d", "c", "b", "a"])


def codes_of(counts, seed=0):
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))


def times_drawn(plan, n):
    return np.bincount(plan.indices, minlength=n)


def indicators(seed, n=60, shares=(0.6, 0.2, 0.05)):
    return (np.random.default_rng(seed).random((n, len(shares))) < shares).astype(int)


# Quotas of classes


def counts_after(sampler, codes, names, strategy):
    resampled = sampler(sampling_strategy=strategy).fit_resample(codes[:, None], names[codes])[1]
    counts = Counter(resampled.tolist())
    return [counts[name] for name in names.tolist()]


@several
@given(class_counts, st.sampled_from(["auto", "all", "not minority", "not majority", "minority"]))
def test_over_keeps_the_counts_of_imbalanced_learn(counts, word):
    codes, names = codes_of(counts), NAMES[: len(counts)]
    expected = counts_after(RandomOverSampler, codes, names, word)
    # Words that pick one of several smallest classes may pick another one by name than by code.
    assert sorted(class_quotas("over", codes, word, names)) == sorted(expected)
    assert class_quotas("over", codes).sum() == len(counts) * max(counts)


@several
@given(class_counts, st.sampled_from(["auto", "all", "not minority", "not majority", "majority"]))
def test_under_keeps_the_counts_of_imbalanced_learn(counts, word):
    codes, names = codes_of(counts), NAMES[: len(counts)]
    expected = counts_after(RandomUnderSampler, codes, names, word)
    assert sorted(class_quotas("under", codes, word, names)) == sorted(expected)
    assert class_quotas("under", codes).tolist() == [min(counts)] * len(counts)


@pytest.mark.parametrize("rule", ["over", "under"])
@pytest.mark.parametrize("ratio", [0.3, 0.5, 1.0])
def test_ratios_and_dicts_keep_the_counts_of_imbalanced_learn(rule, ratio):
    codes, names = codes_of([47, 11]), np.array(["no", "yes"])
    sampler = {"over": RandomOverSampler, "under": RandomUnderSampler}[rule]
    by_ratio = counts_after(sampler, codes, names, ratio)
    assert class_quotas(rule, codes, ratio).tolist() == by_ratio
    wanted = dict(zip(names.tolist(), by_ratio, strict=True))
    for strategy in (wanted, lambda labels: wanted if set(labels) == set(names) else {}):
        assert class_quotas(rule, codes, strategy, names).tolist() == by_ratio


def test_classes_that_a_dict_leaves_out_stay_whole():
    codes = codes_of([20, 10, 5])
    assert class_quotas("under", codes, {0: 3}).tolist() == [3, 10, 5]
    assert class_quotas("over", codes, {2: 8}).tolist() == [20, 10, 8]


@quick
@given(class_counts)
def test_balanced_shares_are_equal_and_keep_the_length_of_the_epoch(counts):
    for word in ("auto", "all"):
        quotas = class_quotas("balanced", codes_of(counts), word)
        assert quotas.sum() == sum(counts)
        assert np.ptp(quotas) <= 1


@quick
@given(st.integers(1, 50), st.integers(1, 50), st.floats(0.01, 1))
def test_balanced_ratio_is_that_of_rare_to_frequent(zeros, ones, ratio):
    quotas = class_quotas("balanced", codes_of([zeros, ones]), ratio)
    rare = int(ones < zeros)
    assert quotas.sum() == zeros + ones
    assert abs(quotas[rare] - (zeros + ones) * ratio / (1 + ratio)) <= 1
    assert (quotas > 0).all()


def test_absent_classes_have_no_quota():
    codes = np.array([0, 0, 0, 2, 2])
    for sampler, quotas in (("over", [3, 0, 3]), ("under", [2, 0, 2]), ("balanced", [3, 0, 2])):
        assert class_quotas(sampler, codes, classes=["a", "b", "c", "d"]).tolist() == [*quotas, 0]


@pytest.mark.parametrize("sampler", ["over", "under", "balanced"])
def test_rows_of_one_class_come_once(sampler):
    source = sampled_rows(sampler, np.full(7, 1), classes=["no", "yes"])
    plan = source.plan(3, np.random.default_rng(0))
    assert np.array_equal(np.sort(plan.indices), np.arange(7))


@pytest.mark.parametrize(
    ("sampler", "strategy", "message"),
    [
        ("smote", "auto", "must be 'over', 'under', 'balanced' or an imbalanced-learn sampler"),
        ("balanced", "minority", "must be 'auto', 'all', a float, a dict or a callable"),
        ("balanced", {"no": 3}, "no rows an epoch for the classes .'yes'.*name every class"),
        ("balanced", {"no": 3, "yes": 0.5}, "whole number of rows, at least 0; found .0.5"),
        ("balanced", {"no": 0, "yes": 0}, "leaves no rows to train on"),
        ("balanced", 1.5, "ratio of rare to frequent rows.*found 1.5 and 2 classes"),
        ("over", {"maybe": 30}, "the keys .'maybe'., of which no row is; key it by .*'no', 'yes'"),
        ("over", {"yes": 3}, "'no': 30, 'yes': 10.*should be greater"),
        ("under", {"no": 31}, "'no': 30, 'yes': 10.*should be less"),
        ("under", "rare", "needs to be one of"),
    ],
)
def test_strategies_that_fit_nothing_are_refused(sampler, strategy, message):
    with pytest.raises(ValueError, match=message):
        sampled_rows(sampler, codes_of([30, 10]), strategy, classes=["no", "yes"])


@pytest.mark.parametrize("strategy", [None, True, ["yes"]])
def test_strategies_of_other_types_are_refused(strategy):
    with pytest.raises(TypeError, match="must be a str, a float, a dict"):
        sampled_rows("over", codes_of([30, 10]), strategy)


def test_a_float_is_refused_for_several_classes():
    with pytest.raises(ValueError, match=r"and 3 classes\. For several classes give a dict"):
        sampled_rows("balanced", codes_of([3, 2, 1]), 0.5)


# Rows


@quick
@given(class_counts, samplers, seeds)
def test_every_epoch_meets_its_quotas(counts, sampler, seed):
    codes, rng = codes_of(counts, seed), np.random.default_rng(seed)
    source = sampled_rows(sampler, codes)
    for shuffle in (True, False):
        plan = source.plan(8, rng, shuffle)
        assert plan.indices.dtype == np.int32
        assert len(plan.indices) == source.n_rows
        met = np.bincount(codes[plan.indices], minlength=len(counts))
        assert met.tolist() == class_quotas(sampler, codes).tolist()


@quick
@given(class_counts, samplers, seeds)
def test_rows_of_a_class_take_turns(counts, sampler, seed):
    codes, rng = codes_of(counts, seed), np.random.default_rng(seed)
    source = sampled_rows(sampler, codes)
    drawn = np.zeros(len(codes), dtype=int)
    for epoch in range(1, 7):
        now = times_drawn(source.plan(8, rng), len(codes))
        drawn += now
        for code in range(len(counts)):
            for times in (now, drawn):
                assert np.ptp(times[codes == code]) <= 1
        assert (abs(drawn - epoch * source.copies) < 1 + 1e-9).all()


@quick
@given(st.integers(1, 60), st.integers(1, 60), seeds)
def test_the_whole_majority_is_seen_in_as_few_epochs_as_can_be(majority, rare, seed):
    codes, rng = codes_of([majority, rare], seed), np.random.default_rng(seed)
    source = sampled_rows("under", codes)
    epochs = -(-max(majority, rare) // min(majority, rare))
    seen = np.concatenate([source.plan(8, rng).indices for _ in range(epochs)])
    assert len(np.unique(seen)) == len(codes)


def test_rows_take_turns_for_as_long_as_one_likes():
    source, rng = SampledRows([0, 0, 0], [1]), np.random.default_rng(0)
    drawn = np.bincount([int(source.plan(1, rng).indices[0]) for _ in range(900)])
    assert drawn.tolist() == [300, 300, 300]


def test_all_of_a_class_come_before_one_comes_again():
    codes = codes_of([100, 7])
    indices = sampled_rows("over", codes).plan(10, np.random.default_rng(0)).indices
    rare = indices[codes[indices] == 1]
    for start in range(0, len(rare), 7):
        assert len(set(rare[start : start + 7])) == len(rare[start : start + 7])


def test_companions_change_from_epoch_to_epoch():
    source, rng = sampled_rows("under", codes_of([40, 20])), np.random.default_rng(0)
    halves = [frozenset(source.plan(8, rng).indices.tolist()) for _ in range(20)]
    assert len(set(halves)) == 20


@quick
@given(class_counts, samplers, seeds)
def test_equal_seeds_draw_equal_epochs(counts, sampler, seed):
    codes = codes_of(counts, seed)
    one, other = ([sampled_rows(sampler, codes), np.random.default_rng(seed)] for _ in range(2))
    for _ in range(3):
        first, second = (source.plan(4, rng).indices for source, rng in (one, other))
        assert np.array_equal(first, second)


def test_order_of_the_data_is_kept_without_shuffle():
    plan = sampled_rows("over", [0, 1, 0, 0]).plan(2, np.random.default_rng(0), shuffle=False)
    assert plan.indices.tolist() == [0, 1, 1, 1, 2, 3]


@quick
@given(class_counts, samplers, st.integers(2, 20), seeds)
def test_batches_hold_classes_in_proportion(counts, sampler, batch_size, seed):
    codes = codes_of(counts, seed)
    plan = sampled_rows(sampler, codes).plan(batch_size, np.random.default_rng(seed))
    quotas = class_quotas(sampler, codes)
    bound = 1 + quotas / quotas.sum() * (len(counts) - 2)
    for batch in plan.chunks(1):
        held = np.bincount(codes[batch], minlength=len(counts))
        assert (abs(held - len(batch) * quotas / quotas.sum()) < bound + 1e-9).all()


def test_no_batch_of_a_balanced_epoch_is_without_positives():
    # Trap: with one row in 60 positive, most shuffled batches of 32 hold none.
    codes = codes_of([1968, 32])
    rng = np.random.default_rng(0)
    shuffled = [codes[batch].any() for batch in EveryRow(2000).plan(32, rng).chunks(1)]
    assert np.mean(shuffled) < 0.6
    source = sampled_rows("balanced", codes)
    assert source.n_rows == 2000
    for batch in source.plan(32, rng).chunks(1):
        assert codes[batch].sum() * 2 == len(batch)


def test_the_majority_is_drawn_again_each_epoch_unlike_by_the_generator_of_the_peer():
    # Trap: imbalanced-learn's generator draws once, and rounds the steps down.
    y = (np.arange(1000) < 30).astype(int)
    X = np.arange(1000)[:, None]
    batches, steps = balanced_batch_generator(X, y, batch_size=32, random_state=0)
    theirs = {row for _ in range(40 * steps) for row in next(batches)[0].ravel().tolist()}
    assert 32 <= len(theirs) <= 60
    source, rng = sampled_rows("under", y), np.random.default_rng(0)
    ours = {row for _ in range(33) for row in source.plan(32, rng).indices.tolist()}
    assert len(ours) == 1000


# Shorter epochs


@quick
@given(class_counts, samplers, st.integers(1, 60), seeds)
def test_shorter_epochs_keep_proportions_and_come_round(counts, sampler, n_rows, seed):
    codes, rng = codes_of(counts, seed), np.random.default_rng(seed)
    whole = sampled_rows(sampler, codes)
    source = whole.shortened(n_rows)
    assert source.n_rows == min(n_rows, whole.n_rows)
    scale = source.n_rows / whole.n_rows
    np.testing.assert_allclose(source.copies, whole.copies * scale, rtol=1e-9)
    quotas = class_quotas(sampler, codes) * scale
    drawn = np.zeros(len(codes), dtype=int)
    for epoch in range(1, 9):
        plan = source.plan(8, rng)
        assert len(plan.indices) == source.n_rows
        drawn += times_drawn(plan, len(codes))
        by_class = np.bincount(codes, drawn, minlength=len(counts))
        assert (abs(by_class - epoch * quotas) < 1.5).all()
        for code in range(len(counts)):
            assert np.ptp(drawn[codes == code]) <= 1


def test_rows_come_round_in_epochs_shorter_than_the_number_of_classes():
    codes = codes_of([40, 30, 20, 10])
    source, rng = sampled_rows("under", codes).shortened(3), np.random.default_rng(0)
    seen = {row for _ in range(60) for row in source.plan(2, rng).indices.tolist()}
    assert len(seen) == 100


def test_shorter_epochs_leave_the_longer_ones_alone():
    codes = codes_of([9, 4])
    source = sampled_rows("under", codes)
    source.shortened(3).plan(2, np.random.default_rng(1))
    expected = sampled_rows("under", codes).plan(2, np.random.default_rng(0))
    assert np.array_equal(source.plan(2, np.random.default_rng(0)).indices, expected.indices)


@pytest.mark.parametrize(
    "source",
    [EveryRow(5), SampledRows([0, 0, 1], [1, 1]), PickedRows(np.array([0, 0, 1]), 2)],
    ids=lambda source: type(source).__name__,
)
def test_epochs_without_rows_are_refused(source):
    with pytest.raises(ValueError, match="at least 1 row, found n_rows=0"):
        source.shortened(0)


def test_quotas_without_rows_are_refused():
    with pytest.raises(ValueError, match="Class 1 has no rows, but a quota of 2"):
        SampledRows([0, 0], [1, 2])
    with pytest.raises(ValueError, match="quotas that are all 0"):
        SampledRows([0, 0], [0])


def test_every_row_comes_once_or_the_epoch_ends_early():
    source, rng = EveryRow(10), np.random.default_rng(0)
    assert source.copies is None
    assert np.array_equal(np.sort(source.plan(3, rng).indices), np.arange(10))
    shorter = source.shortened(4).shortened(7)
    assert shorter.n_rows == 4
    epochs = [shorter.plan(3, rng).indices for _ in range(30)]
    assert {len(set(rows.tolist())) for rows in epochs} == {4}
    assert len(np.unique(epochs)) == 10
    assert shorter.plan(3, rng, shuffle=False).indices.tolist() == [0, 1, 2, 3]
    assert source.shortened(99).n_rows == 10


def test_picked_rows_come_as_often_as_they_were_picked():
    source, rng = PickedRows(np.array([4, 4, 1, 0]), 6), np.random.default_rng(0)
    for _ in range(3):
        assert np.array_equal(times_drawn(source.plan(3, rng), 6), source.copies)
    assert source.copies.tolist() == [1, 1, 0, 0, 2, 0]
    shorter = source.shortened(2)
    assert (shorter.n_rows, len(shorter.plan(3, rng).indices)) == (2, 2)
    assert shorter.copies.tolist() == [0.5, 0.5, 0, 0, 1, 0]


# Labels


def factors_by_hand(sampler, y, ratio):
    """Repeat factors, row by row, as their formulas say."""
    positives = y.sum(axis=0)
    of_labels = positives[positives > 0]
    empty = (y.sum(axis=1) == 0).sum()
    sizes = [[positives[label] for label in np.flatnonzero(row)] or [empty] for row in y]
    if sampler == "over":
        target = ratio * of_labels.max()
        factors = [
            max(1, *(target / size for size in row)) if labels.any() else 1
            for row, labels in zip(sizes, y, strict=True)
        ]
    elif sampler == "under":
        target = of_labels.min() / ratio
        factors = [min(1, max(target / size for size in row)) for row in sizes]
    else:
        target = ratio * max(*of_labels, empty)
        factors = [max(1, *(target / size for size in row)) for row in sizes]
        factors = np.array(factors) * len(y) / sum(factors)
    return np.array(factors, dtype=float)


@quick
@given(samplers, st.sampled_from(["auto", 0.3, 1.0]), seeds)
@example("under", "auto", 3027)
def test_rows_are_repeated_for_their_rarest_label(sampler, strategy, seed):
    y = indicators(seed)
    expected = factors_by_hand(sampler, y, 1.0 if strategy == "auto" else strategy)
    drawn = sampled_rows(sampler, y, strategy)
    # An epoch has a whole number of rows, which moves all factors a little. Of a sum that lies
    # halfway between two, the last digits decide.
    assert abs(drawn.n_rows - expected.sum()) < 0.5 + 1e-9
    np.testing.assert_allclose(drawn.copies, expected * drawn.n_rows / expected.sum())


@quick
@given(samplers, seeds)
def test_rows_of_labels_take_turns_in_proportion(sampler, seed):
    y, rng = indicators(seed), np.random.default_rng(seed)
    source = sampled_rows(sampler, y)
    groups = label_quotas(sampler, y)[0]
    drawn = np.zeros(len(y), dtype=int)
    for epoch in range(1, 9):
        plan = source.plan(8, rng)
        assert len(plan.indices) == source.n_rows
        drawn += times_drawn(plan, len(y))
        for group in np.unique(groups):
            rows = groups == group
            assert np.ptp(drawn[rows]) <= 1
            assert abs(drawn[rows].sum() - epoch * source.copies[rows].sum()) < 1.5


def test_rare_labels_become_as_frequent_as_asked_for():
    y = np.repeat(np.eye(4, 3, dtype=int), [80, 16, 4, 100], axis=0)
    for sampler, strategy, expected in (
        ("over", "auto", [80, 80, 80, 100]),
        ("over", 0.5, [80, 40, 40, 100]),
        ("under", "auto", [4, 4, 4, 4]),
        ("under", 0.5, [8, 8, 4, 8]),
        ("balanced", "auto", [50, 50, 50, 50]),
    ):
        plan = sampled_rows(sampler, y, strategy).plan(10, np.random.default_rng(0))
        groups = np.repeat(np.arange(4), [80, 16, 4, 100])[plan.indices]
        assert np.bincount(groups).tolist() == expected


@pytest.mark.parametrize("sampler", ["over", "under", "balanced"])
@pytest.mark.parametrize("value", [0, 1])
def test_labels_that_never_change_are_all_seen(sampler, value):
    source = sampled_rows(sampler, np.full((6, 2), value))
    assert source.copies.tolist() == [1] * 6


@pytest.mark.parametrize("strategy", ["all", 0, 1.5, True, {0: 3}, None])
def test_strategies_that_fit_no_labels_are_refused(strategy):
    with pytest.raises(ValueError, match="multilabel targets sampling_strategy must be 'auto' or"):
        sampled_rows("over", indicators(0), strategy)


def test_a_million_rows_are_drawn_quickly():
    codes = (np.arange(1_000_000) % 60 == 0).astype(np.int8)
    source, rng = sampled_rows("balanced", codes), np.random.default_rng(0)
    durations = []
    for _ in range(3):
        start = perf_counter()
        source.plan(256, rng)
        durations.append(perf_counter() - start)
    assert min(durations) < 0.5  # about 0.05 on an idle machine
