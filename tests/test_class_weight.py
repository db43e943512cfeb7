"""Weights follow weighted counts, and mistaken keys are never ignored."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.utils.class_weight import compute_class_weight

from sk_imbalance_nn.balancing.class_weight import (
    class_weights,
    label_weights,
    row_weights,
    scaled_weights,
)

quick = settings(deadline=None, max_examples=60)
RULES = ["balanced", "effective"]


@st.composite
def weighted_codes(draw):
    """Codes of up to 5 classes, some absent, with integer weights of which some are zero."""
    codes = draw(hnp.arrays(np.intp, st.integers(1, 40), elements=st.integers(0, 4)))
    weights = draw(hnp.arrays(np.intp, len(codes), elements=st.integers(0, 4)))
    return codes, weights


@quick
@given(hnp.arrays(np.intp, st.integers(1, 60), elements=st.integers(0, 4)))
def test_balanced_equals_scikit_learn(codes):
    present = np.unique(codes)
    expected = np.ones(5)
    expected[present] = compute_class_weight("balanced", classes=present, y=codes)
    np.testing.assert_allclose(class_weights("balanced", codes, np.arange(5)), expected)


@pytest.mark.parametrize("rule", RULES)
@quick
@given(weighted_codes())
def test_integer_weights_are_repeated_rows_and_zero_weights_absent_rows(rule, data):
    codes, weights = data
    weighted = class_weights(rule, codes, np.arange(5), weights)
    repeated = class_weights(rule, np.repeat(codes, weights), np.arange(5))
    np.testing.assert_allclose(weighted, repeated)


@quick
@given(weighted_codes())
def test_balanced_classes_have_the_same_total_weight(data):
    codes, sample_weight = data
    weights = class_weights("balanced", codes, np.arange(5), sample_weight)
    total = np.bincount(codes, weights[codes] * sample_weight)
    np.testing.assert_allclose(total[total > 0], sample_weight.sum() / max(1, (total > 0).sum()))


@pytest.mark.parametrize("rule", RULES)
@quick
@given(weighted_codes(), st.randoms(use_true_random=False))
def test_order_of_rows_and_of_classes_does_not_matter(rule, data, random):
    codes, sample_weight = data
    rows = random.sample(range(len(codes)), len(codes))
    renamed = np.array(random.sample(range(5), 5))
    weights = class_weights(rule, codes, np.arange(5), sample_weight)
    moved = class_weights(rule, renamed[codes[rows]], np.arange(5), sample_weight[rows])
    np.testing.assert_allclose(moved[renamed], weights)


def test_effective_numbers_are_those_of_the_paper():
    codes = np.repeat([0, 1, 2], [5000, 500, 50])
    weights = class_weights("effective", codes, ["a", "b", "c"])
    assert weights.round(4).tolist() == [0.0341, 0.2752, 2.6907]
    assert weights.sum() == pytest.approx(3)


@pytest.mark.parametrize("rule", RULES)
def test_class_without_rows_weighs_one_and_leaves_the_others_alone(rule):
    codes = np.repeat([0, 2], [90, 10])
    weights = class_weights(rule, codes, ["a", "absent", "b"])
    assert weights[1] == 1
    np.testing.assert_allclose(weights[[0, 2]], class_weights(rule, codes // 2, ["a", "b"]))


def test_none_is_ones():
    assert class_weights(None, [0, 0, 1], ["a", "b"]).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("class_weight", "classes"),
    [
        ({"no": 1, "yes": 5}, np.array(["no", "yes"])),
        ({"yes": 5}, np.array(["no", "yes"], dtype=object)),
        ({0: 1, 1: 5}, np.array([0, 1])),
        ({np.int64(1): np.float32(5)}, np.array([0.0, 1.0])),
        ({True: 5}, np.array([False, True])),
        ({"no": 1, "yes": 5, "in another fold": 9}, np.array(["no", "yes"])),
    ],
)
def test_weights_by_label_reach_their_class(class_weight, classes):
    weights = class_weights(class_weight, [0, 1], classes)
    expected = compute_class_weight(class_weight, classes=classes, y=classes)
    assert weights.tolist() == expected.tolist() == [1, 5]


def test_labels_of_mixed_types_have_their_weights():
    classes = np.array([3, "x", None], dtype=object)
    assert class_weights({"x": 5, None: 2}, [0, 1, 2], classes).tolist() == [1, 5, 2]


@pytest.mark.parametrize(
    ("class_weight", "classes", "message"),
    [
        (
            {"0": 1, "1": 5},
            [0, 1],
            r"keys \['0', '1'\], which are no classes of y.* in y, \[0, 1\]",
        ),
        ({0: 1, 1: 5}, ["no", "yes"], r"keys \[0, 1\], which are no.* in y, \['no', 'yes'\]"),
        ({"no": 1, "Yes": 5}, ["no", "yes"], r"keys \['Yes'\].*and none for \['yes'\]"),
        ({2: 5}, [0, 1], r"keys \[2\]"),
        (dict.fromkeys("abcdefghij", 1), [0, 1], r"'h', \.\.\.\], which"),
    ],
)
def test_mistaken_keys_are_not_ignored(class_weight, classes, message):
    with pytest.raises(ValueError, match=message):
        class_weights(class_weight, [0, 1], classes)


@pytest.mark.parametrize(
    ("class_weight", "error", "message"),
    [
        ({0: -1, 1: 1}, ValueError, r"finite numbers of at least 0, found \[-1.0, 1.0\]"),
        ({0: np.nan, 1: 1}, ValueError, "finite numbers"),
        ({0: np.inf, 1: 1}, ValueError, "finite numbers"),
        ({0: 0, 1: 0}, ValueError, "every class the weight 0"),
        ({0: "5", 1: 1}, ValueError, r"must hold a number.*found \['5', 1"),
        ({0: None, 1: 1}, ValueError, "must hold a number"),
        ({0: [1, 2], 1: 1}, ValueError, "must hold a number"),
        ("balance", ValueError, "'balanced' or 'effective' if it is a string, found 'balance'"),
        (
            [1, 5],
            TypeError,
            r"a dict from labels to weights, or a function from counts to weights; found \[1, 5\]",
        ),
    ],
)
def test_weights_that_mean_nothing_are_refused(class_weight, error, message):
    with pytest.raises(error, match=message):
        class_weights(class_weight, [0, 1], [0, 1])


@pytest.mark.parametrize("rule", RULES)
@quick
@given(
    hnp.arrays(
        np.int8, st.tuples(st.integers(1, 20), st.integers(1, 4)), elements=st.integers(0, 1)
    ),
    st.data(),
)
def test_each_label_is_a_problem_of_two_classes(rule, y, data):
    sample_weight = data.draw(hnp.arrays(np.intp, len(y), elements=st.integers(0, 3)))
    weights = label_weights(rule, y, sample_weight)
    expected = [class_weights(rule, column, [0, 1], sample_weight) for column in y.T]
    np.testing.assert_allclose(weights, expected)
    repeated = label_weights(rule, np.repeat(y, sample_weight, axis=0))
    np.testing.assert_allclose(weights, repeated)


Y = np.array([[0, 1, 0], [1, 1, 0]])


@pytest.mark.parametrize(
    ("class_weight", "expected"),
    [
        (None, [[1, 1], [1, 1], [1, 1]]),
        ([2, 3, 4], [[1, 2], [1, 3], [1, 4]]),
        (np.array([[1, 2], [3, 4], [5, 6]]), [[1, 2], [3, 4], [5, 6]]),
        ({1: 3, np.int64(2): (0.5, 0)}, [[1, 1], [1, 3], [0.5, 0]]),
        ({}, [[1, 1], [1, 1], [1, 1]]),
    ],
)
def test_labels_take_a_weight_or_a_pair(class_weight, expected):
    weights = label_weights(class_weight, Y)
    assert weights.dtype == np.float64
    assert weights.tolist() == expected


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ([1, 2], r"must have the shape \(3,\).*or \(3, 2\).*found \(2,\)"),
        (5.0, r"found \(\)"),
        ({3: 1}, r"keys \[3\], but y has 3 labels: key it by their column indices, 0 to 2"),
        ({"spam": 1}, r"keys \['spam'\]"),
        ({0: (1, 2, 3)}, r"class_weight\[0\] must be the weight of the positives or a pair"),
        ({0: "5"}, "must hold a number"),
        ([{0: 1, 1: 5}] * 3, "must hold a number"),
        ({0: -1}, "finite numbers of at least 0"),
        ([1, np.nan, 1], "finite numbers of at least 0"),
        ("balance", "'balanced' or 'effective'"),
    ],
)
def test_label_weights_that_mean_nothing_are_refused(class_weight, message):
    with pytest.raises(ValueError, match=message):
        label_weights(class_weight, Y)


positive = st.floats(1e-6, 1e6)


@st.composite
def rows_and_weights(draw):
    """Codes of three classes, weights of the classes, and weights of the rows."""
    codes = draw(hnp.arrays(np.intp, st.integers(1, 50), elements=st.integers(0, 2)))
    weights = draw(hnp.arrays(np.float64, 3, elements=positive))
    return codes, weights, draw(hnp.arrays(np.float64, len(codes), elements=positive))


@quick
@given(rows_and_weights())
def test_scaled_weights_give_the_rows_a_mean_of_one(data):
    codes, weights, sample_weight = data
    scaled = scaled_weights(weights, codes, sample_weight)
    assert (scaled[codes] * sample_weight).mean() == pytest.approx(1)
    assert row_weights(codes, scaled, sample_weight).mean(dtype=np.float64) == pytest.approx(1)


@quick
@given(rows_and_weights(), positive, positive)
def test_scale_of_weights_does_not_scale_the_loss(data, factor, sample_factor):
    codes, weights, sample_weight = data
    scaled = scaled_weights(weights, codes, sample_weight)
    np.testing.assert_allclose(
        scaled_weights(factor * weights, codes, sample_weight), scaled, rtol=1e-9
    )
    np.testing.assert_allclose(
        scaled_weights(weights, codes, sample_factor * sample_weight) * sample_factor,
        scaled,
        rtol=1e-9,
    )


@quick
@given(rows_and_weights())
def test_scaling_keeps_the_ratios_of_weights(data):
    codes, weights, sample_weight = data
    scaled = scaled_weights(weights, codes, sample_weight)
    np.testing.assert_allclose(scaled / scaled[0], weights / weights[0], rtol=1e-9)


@quick
@given(rows_and_weights(), st.integers(1, 3))
def test_scaled_weights_of_repeated_rows_are_those_of_integer_weights(data, times):
    codes, weights, _ = data
    repeated = scaled_weights(weights, np.repeat(codes, times))
    weighted = scaled_weights(weights, codes, np.full(len(codes), times))
    np.testing.assert_allclose(repeated, times * weighted)


@quick
@given(st.integers(1, 1000), st.floats(1e-6, 1e6))
def test_equal_weights_scale_to_ones(n, weight):
    codes = np.zeros(n, int)
    assert scaled_weights([weight], codes) == pytest.approx(1)
    assert scaled_weights([1], codes, np.full(n, weight)) * weight == pytest.approx(1)


@quick
@given(rows_and_weights())
def test_row_weights_are_the_plain_product(data):
    codes, weights, sample_weight = data
    rows = row_weights(codes, weights, sample_weight)
    assert rows.dtype == np.float32
    product = [weights[code] * weight for code, weight in zip(codes, sample_weight, strict=True)]
    np.testing.assert_array_equal(rows, np.array(product).astype(np.float32))
    np.testing.assert_array_equal(row_weights(codes, weights), weights[codes].astype(np.float32))


@pytest.mark.parametrize("dtype", [np.int64, np.float64])
def test_weights_of_the_caller_are_not_multiplied_in_place(dtype):
    sample_weight = np.ones(3, dtype=dtype)
    weights = np.array([1.0, 4.0])
    row_weights(np.array([0, 0, 1]), weights, sample_weight)
    scaled_weights(weights, np.array([0, 0, 1]), sample_weight)
    assert sample_weight.tolist() == [1, 1, 1]
    assert weights.tolist() == [1, 4]


@pytest.mark.parametrize("sample_weight", [[1, 0], [0, 0]])
def test_rows_that_all_weigh_zero_are_refused(sample_weight):
    with pytest.raises(ValueError, match=r"Every row weighs zero.*give a positive weight"):
        scaled_weights([0, 1], [0, 1], sample_weight)


def test_rows_of_weight_zero_stay_zero():
    scaled = scaled_weights([1, 1], [0, 0, 1], [1, 0, 2])
    assert row_weights([0, 0, 1], scaled, [1, 0, 2]).tolist() == [1, 0, 2]
