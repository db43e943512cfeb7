"""Untrained networks predict the prior, and corrected probabilities hold under another one."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import expit, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from sk_imbalance_nn.balancing.priors import (
    binary_output_bias,
    class_prior,
    correct_prior,
    softmax_output_bias,
)

quick = settings(deadline=None, max_examples=30)
shares = st.floats(1e-5, 1 - 1e-5)


@quick
@given(hnp.arrays(np.intp, st.integers(1, 40), elements=st.integers(0, 3)), st.data())
def test_integer_weights_are_repeated_rows(codes, data):
    weights = data.draw(hnp.arrays(np.intp, len(codes), elements=st.integers(0, 3)))
    assume(weights.any())
    prior = class_prior(codes, weights, n_classes=4)
    assert prior.sum() == pytest.approx(1)
    np.testing.assert_allclose(prior, class_prior(np.repeat(codes, weights), n_classes=4))


@quick
@given(
    hnp.arrays(
        np.int8, st.tuples(st.integers(1, 20), st.integers(1, 4)), elements=st.integers(0, 1)
    ),
    st.data(),
)
def test_each_label_has_its_own_prior(y, data):
    weights = data.draw(hnp.arrays(np.float64, len(y), elements=st.floats(0.1, 5)))
    expected = [class_prior(column, weights, n_classes=2)[1] for column in y.T]
    np.testing.assert_allclose(class_prior(y, weights), expected)
    each = np.repeat(weights[:, None], y.shape[1], axis=1) * np.arange(1, y.shape[1] + 1)
    np.testing.assert_allclose(class_prior(y, each), expected)


def test_weights_of_elements_count_for_their_label_only():
    y = [[1, 1], [0, 0]]
    assert class_prior(y, [[3, 1], [1, 1]]).tolist() == [0.75, 0.5]


def test_absent_class_has_the_prior_zero():
    assert class_prior([0, 0, 1], n_classes=3).tolist() == pytest.approx([2 / 3, 1 / 3, 0])


def test_weights_of_zero_have_no_prior():
    with pytest.raises(ValueError, match=r"add up to zero, so there is no prior"):
        class_prior([0, 1], [0, 0])
    with pytest.raises(ValueError, match=r"add up to zero for label 1,"):
        class_prior([[0, 1], [1, 0]], [[1, 0], [1, 0]])
    with pytest.raises(ValueError, match=r"add up to zero"):
        class_prior(np.zeros(0, int))


@quick
@given(hnp.arrays(np.float64, st.integers(1, 5), elements=shares))
def test_sigmoid_of_the_bias_is_the_prior(prior):
    np.testing.assert_allclose(expit(binary_output_bias(prior)), prior)


@quick
@given(hnp.arrays(np.float64, st.integers(2, 6), elements=st.floats(0.01, 1)))
def test_softmax_of_the_bias_is_the_prior(mass):
    prior = mass / mass.sum()
    bias = softmax_output_bias(prior)
    np.testing.assert_allclose(softmax(bias), prior)
    assert bias.mean() == pytest.approx(0, abs=1e-12)


@quick
@given(st.floats(0, 1))
def test_one_sigmoid_and_two_softmax_units_start_alike(prior):
    bias = softmax_output_bias([1 - prior, prior])
    assert bias[1] - bias[0] == pytest.approx(float(binary_output_bias(prior)), abs=1e-9)


@pytest.mark.parametrize("prior", [0.0, 1.0])
def test_bias_of_a_constant_target_is_finite(prior):
    assert np.isfinite(binary_output_bias(prior))
    assert np.isfinite(softmax_output_bias([prior, 1 - prior])).all()


# ------------------------------------------------------------------------------------------
# Correcting probabilities

probabilities = hnp.arrays(np.float64, st.integers(0, 20), elements=st.floats(0, 1))
inner = st.floats(1e-3, 1 - 1e-3)


def normalised(mass):
    return mass / mass.sum(axis=-1, keepdims=True)


@st.composite
def rows_and_priors(draw, n_priors=2, smallest=1e-9):
    """Rows of class probabilities, some of them 0, and that many priors of the classes."""
    n_classes = draw(st.integers(2, 5))
    mass = draw(
        hnp.arrays(
            np.float64,
            st.tuples(st.integers(0, 10), st.just(n_classes)),
            elements=st.just(0) | st.floats(1e-9, 1),
        )
    )
    mass[mass.sum(axis=1) == 0] = 1
    exponent = hnp.arrays(np.float64, n_classes, elements=st.floats(np.log10(smallest), 0))
    return normalised(mass), *(normalised(10 ** draw(exponent)) for _ in range(n_priors))


@quick
@given(rows_and_priors())
def test_corrected_rows_are_those_of_the_formula_and_sum_to_one(data):
    proba, training, target = data
    corrected = correct_prior(proba, training, target)
    assert corrected.shape == proba.shape
    assert corrected.dtype == np.float64
    np.testing.assert_allclose(corrected.sum(axis=1), 1, rtol=1e-15)
    for before, after in zip(proba, corrected, strict=True):
        mass = [p * to / of for p, to, of in zip(before, target, training, strict=True)]
        np.testing.assert_allclose(after, np.array(mass) / sum(mass), rtol=1e-12)


@quick
@given(rows_and_priors())
def test_correction_there_and_back_changes_nothing(data):
    proba, training, target = data
    there = correct_prior(proba, training, target)
    np.testing.assert_allclose(correct_prior(there, target, training), proba, rtol=1e-12)


@quick
@given(rows_and_priors(n_priors=3))
def test_correction_in_two_steps_is_one_correction(data):
    proba, first, second, third = data
    stepwise = correct_prior(correct_prior(proba, first, second), second, third)
    np.testing.assert_allclose(stepwise, correct_prior(proba, first, third), rtol=1e-12)


@quick
@given(rows_and_priors(n_priors=1), probabilities, shares)
def test_equal_priors_change_nothing(data, proba, share):
    np.testing.assert_allclose(correct_prior(data[0], data[1], data[1]), data[0], rtol=2e-15)
    np.testing.assert_array_equal(correct_prior(proba, share, share), proba)


@quick
@given(probabilities, shares, shares)
def test_vector_pair_of_columns_and_single_label_are_the_same_problem(proba, training, target):
    corrected = correct_prior(proba, training, target)
    assert corrected.shape == proba.shape
    assert corrected.dtype == np.float64
    pairs = [1 - training, training], [1 - target, target]
    columns = np.column_stack([1 - proba, proba])
    for other in (
        correct_prior(proba, *pairs),
        correct_prior(columns, training, target)[:, 1],
        correct_prior(columns, *pairs)[:, 1],
        correct_prior(proba[:, None], [training], [target], multilabel=True)[:, 0],
    ):
        np.testing.assert_allclose(other, corrected, rtol=1e-12, atol=1e-300)


@quick
@given(probabilities, inner, inner)
def test_two_classes_follow_elkan(p, b, to):
    expected = to * (p - p * b) / (b - p * b + to * p - b * to)
    np.testing.assert_allclose(correct_prior(p, b, to), expected, rtol=1e-9, atol=1e-15)


@quick
@given(probabilities, inner, st.floats(1e-3, 1))
def test_undersampling_follows_dal_pozzolo(p, prior, beta):
    sampled = prior / (prior + beta * (1 - prior))
    expected = beta * p / (beta * p - p + 1)
    np.testing.assert_allclose(correct_prior(p, sampled, prior), expected, rtol=1e-9, atol=1e-15)


@quick
@given(probabilities, inner, st.floats(1e-2, 1e2), st.floats(1e-2, 1e2))
def test_class_weights_are_taken_back(p, prior, w0, w1):
    weighted = class_prior([0, 1], [w0 * (1 - prior), w1 * prior])
    expected = p * w0 / (p * w0 + (1 - p) * w1)
    np.testing.assert_allclose(correct_prior(p, weighted, prior), expected, rtol=1e-9, atol=1e-15)


@quick
@given(probabilities, shares, shares)
def test_order_stays(proba, training, target):
    ranked = correct_prior(np.sort(proba), training, target)
    assert (np.diff(ranked) >= -1e-15).all()
    steps = correct_prior(np.linspace(0, 1, 50), training, target)
    assert (np.diff(steps) > 0).all()


@quick
@given(probabilities, st.lists(st.tuples(shares, shares), min_size=1, max_size=4))
def test_each_label_is_corrected_by_itself(column, priors):
    training, target = np.transpose(priors)
    # Shifted, so that a label corrected with the prior of another shows.
    proba = np.stack([column ** (1 + label) for label in range(len(priors))], axis=1)
    corrected = correct_prior(proba, training, target, multilabel=True)
    assert corrected.shape == proba.shape
    for label, (of, to) in enumerate(priors):
        np.testing.assert_array_equal(corrected[:, label], correct_prior(proba[:, label], of, to))


def test_labels_that_sum_to_one_are_no_classes():
    arguments = [[0.2, 0.3, 0.5]], [0.5, 0.3, 0.2], [0.1, 0.3, 0.6]
    # Odds 1/4 times the odds 1/9, odds 3/7 as they are, odds 1 times 4 times 3/2.
    labels = correct_prior(*arguments, multilabel=True)
    np.testing.assert_allclose(labels, [[1 / 37, 3 / 10, 6 / 7]])
    np.testing.assert_allclose(correct_prior(*arguments), normalised(np.array([[4, 30, 150]])))


@quick
@given(
    hnp.arrays(np.float64, st.integers(1, 20), elements=st.floats(-5, 5)),
    hnp.arrays(np.float64, 3, elements=st.floats(-2, 2)),
    st.tuples(*[hnp.arrays(np.float64, 3, elements=st.floats(0.01, 1))] * 2),
)
def test_posterior_of_gaussians_becomes_that_under_the_other_prior(x, means, masses):
    training, target = map(normalised, masses)
    density = np.exp(-((x[:, None] - means) ** 2) / 2)
    corrected = correct_prior(normalised(density * training), training, target)
    np.testing.assert_allclose(corrected, normalised(density * target), rtol=1e-12)


@pytest.mark.parametrize("training", [1e-300, 1e-9, 0.5, 1 - 1e-9])
@pytest.mark.parametrize("target", [1e-300, 1e-9, 0.5, 1 - 1e-9])
def test_certainty_stays_and_tiny_priors_do_no_harm(training, target):
    assert correct_prior([0, 1], training, target).tolist() == [0, 1]
    unsure = correct_prior(np.array([5e-324, 1e-9, 0.5, 1 - 1e-9]), training, target)
    assert (np.diff([0, *unsure, 1]) >= 0).all()
    assert correct_prior([training], training, target) == pytest.approx(target, rel=1e-6)
    priors = [[1 - share, share] for share in (training, target)]
    assert correct_prior(np.eye(2), *priors).tolist() == [[1, 0], [0, 1]]


def test_smallest_float_as_prior_does_not_overflow():
    assert correct_prior([0, 0.5, 1], 5e-324, 0.5).tolist() == [0, 1, 1]
    assert correct_prior([0, 0.5, 1], 0.5, 5e-324) == pytest.approx([0, 0, 1])


def test_class_that_is_nowhere_in_the_target_gets_nothing():
    corrected = correct_prior([[0.25, 0.25, 0.5]], [0.25, 0.25, 0.5], [0.2, 0.8, 0])
    np.testing.assert_allclose(corrected, [[0.2, 0.8, 0]])
    assert correct_prior([0, 0.5, 1], 0.5, 0).tolist() == [0, 0, 0]
    assert correct_prior([0, 0.5, 1], 0.5, 1).tolist() == [1, 1, 1]
    # Untrained too, it is no class that would have to be learned.
    assert correct_prior([[0.5, 0.4, 0.1]], [0.5, 0.5, 0], [0.5, 0.5, 0])[0] == pytest.approx(
        [5 / 9, 4 / 9, 0]
    )


def test_row_of_an_impossible_class_says_the_target_prior():
    corrected = correct_prior([[0, 0, 1]], [0.25, 0.25, 0.5], [0.2, 0.8, 0])
    np.testing.assert_allclose(corrected, [[0.2, 0.8, 0]])


def test_arguments_are_not_changed():
    proba = np.array([[0.2, 0.8], [0.0, 1.0]])
    training, target = np.array([0.5, 0.5 + 5e-7]), np.array([0.9, 0.1])
    before = [array.copy() for array in (proba, training, target)]
    for multilabel in (False, True):
        corrected = correct_prior(proba, training, target, multilabel=multilabel)
        corrected[:] = -1
    column = correct_prior(proba[:, 1], training, target)
    column[:] = -1
    for array, copy in zip((proba, training, target), before, strict=True):
        np.testing.assert_array_equal(array, copy)
        array.flags.writeable = False
    correct_prior(proba, training, target)


def test_single_precision_is_corrected_in_double():
    logits = np.random.default_rng(0).normal(size=(50, 1000)).astype(np.float32)
    proba = softmax(logits, axis=1)
    assert proba.dtype == np.float32
    prior = np.full(1000, 1e-3, np.float32)
    corrected = correct_prior(proba, prior, normalised(np.arange(1.0, 1001)))
    assert corrected.dtype == np.float64
    np.testing.assert_allclose(corrected.sum(axis=1), 1, rtol=1e-14)


def test_priors_that_nearly_add_up_are_normalised():
    near = [0.5, 0.5 + 5e-7, 0]
    for proba in ([[0.2, 0.3, 0.5]], [[0, 0, 1]]):
        corrected = correct_prior(proba, [0.3, 0.3, 0.4 - 5e-7], near)
        np.testing.assert_allclose(corrected.sum(), 1, rtol=1e-15)
    with pytest.raises(ValueError, match=r"training_prior adds up to 1.000002, expected 1"):
        correct_prior([0.3], [0.5, 0.500002], 0.1)


ROW = [[0.2, 0.3, 0.5]]
THIRDS = [1 / 3] * 3


@pytest.mark.parametrize(
    ("proba", "priors", "multilabel", "message"),
    [
        ([0.5, np.nan], (0.5, 0.1), False, r"proba holds nan at \[1\], expected numbers from 0"),
        ([0.5, -0.1], (0.5, 0.1), False, r"proba holds -0.1 at \[1\].*sigmoid or softmax"),
        ([[0.5, 1.5]], ([0.5] * 2, [0.1] * 2), True, r"proba holds 1.5 at \[0, 1\]"),
        ([[2, -1.0]], (0.5, 0.1), False, r"proba holds 2 at \[0, 0\]"),
        ([[0.5, 0.5], [0.5, 0.6]], (0.5, 0.1), False, r"row 1 with 1.1; pass multilabel=True"),
        ([[0.5, 0.4]], (0.5, 0.1), False, r"row 0 with 0.9; .* divide each row by its sum"),
        (0.5, (0.5, 0.1), False, r"proba has the shape \(\), expected \(n,\)"),
        ([[0.5]], (0.5, 0.1), False, r"shape \(1, 1\).* of a single column pass proba\[:, 0\]"),
        ([[[0.5, 0.5]]], (0.5, 0.1), False, r"proba has the shape \(1, 1, 2\)"),
        ([0.5], ([0.5], [0.1]), True, r"shape \(1,\), expected \(n, n_labels\) with multilabel"),
        ([0.5], ([0.5], 0.1), False, r"training_prior has the shape \(1,\); .* \(2,\), .* float"),
        ([0.5], (0.5, THIRDS), False, r"target_prior has the shape \(3,\); for this proba"),
        (ROW, (0.5, THIRDS), False, r"training_prior has the shape \(\); .* share of each class\."),
        (ROW, (THIRDS, [0.5, 0.5]), False, r"target_prior has the shape \(2,\); .* \(3,\)"),
        (ROW, (0.5, THIRDS), True, r"shape \(3,\), the share of positives of each label\."),
        ([[0.5, 0.5]], (0.5, [0.1, 0.1]), True, r"training_prior has the shape \(\)"),
        ([0.5], (0.5, 1.5), False, r"target_prior holds 1.5, expected shares from 0 to 1; divide"),
        ([0.5], (np.nan, 0.5), False, r"training_prior holds nan, expected"),
        ([0.5], ([0.9, np.inf], 0.5), False, r"training_prior holds inf at \[1\]"),
        ([0.5], ([90, 10], 0.5), False, r"holds 90 at \[0\].*divide counts by the number of rows"),
        (ROW, ([-0.1, 0.6, 0.5], THIRDS), False, r"training_prior holds -0.1 at \[0\]"),
        (ROW, (THIRDS, [0.5, 0.3, 0.1]), False, r"target_prior adds up to 0.9, .*by its sum"),
        ([0.5], (0.5, [0.1, 0.1]), False, r"target_prior adds up to 0.2, expected 1"),
        ([0.5], (0, 0.1), False, r"training_prior has the share 0 for class 1, target_prior 0.1;"),
        ([0.5], (1.0, 0.9), False, r"share 0 for class 0, target_prior 0.1; .*: train on rows"),
        (ROW, ([0.5, 0, 0.5], THIRDS), False, r"share 0 for class 1, target_prior 0.333333;"),
        ([[0.5, 0.5]], ([0.5, 0], [0.1] * 2), True, r"the share 0 for class 1 of label 1, target"),
    ],
)
def test_numbers_that_mean_no_probabilities_or_priors_are_refused(
    proba, priors, multilabel, message
):
    with pytest.raises(ValueError, match=message):
        correct_prior(proba, *priors, multilabel=multilabel)


# ------------------------------------------------------------------------------------------
# Calibration after training under another prior


def gaussians(counts, means, seed):
    """Rows in two dimensions around the means: their posterior is a softmax of linear functions."""
    codes = np.repeat(np.arange(len(counts)), counts)
    noise = np.random.default_rng(seed).normal(size=(len(codes), 2))
    return np.asarray(means)[codes] + noise, codes


RARE = ([39_400, 600], [[0, 0], [1.4, 0]])
X, y = gaussians(*RARE, seed=0)
X_TEST, y_test = gaussians(*RARE, seed=1)
RATE = y_test.mean()
PLAIN = LogisticRegression().fit(X, y).predict_proba(X_TEST)[:, 1]


def undersampled(beta):
    """Fit on all positives and the share beta of the negatives; return p and the prior."""
    kept = np.concatenate([np.flatnonzero(y == 0)[:: round(1 / beta)], np.flatnonzero(y == 1)])
    fitted = LogisticRegression().fit(X[kept], y[kept])
    return fitted.predict_proba(X_TEST)[:, 1], class_prior(y[kept])


def weighted(class_weight, training_prior):
    fitted = LogisticRegression(class_weight=class_weight).fit(X, y)
    return fitted.predict_proba(X_TEST)[:, 1], training_prior


@pytest.mark.parametrize(
    "learned",
    [
        pytest.param(lambda: weighted("balanced", 0.5), id="balanced"),
        pytest.param(
            lambda: weighted({0: 1, 1: 20}, class_prior(y, np.where(y == 1, 20, 1))), id="weighted"
        ),
        pytest.param(lambda: undersampled(1 / 50), id="undersampled"),
    ],
)
def test_correction_restores_the_calibration_that_balancing_ruins(learned):
    proba, training_prior = learned()
    corrected = correct_prior(proba, training_prior, RATE)

    # As in trap 24: a mean of .34 for a truth of .015, and a log loss of several times the best.
    assert proba.mean() > 5 * RATE
    assert corrected.mean() == pytest.approx(RATE, rel=0.1)
    for score in (log_loss, brier_score_loss):
        assert score(y_test, proba) > 2 * score(y_test, PLAIN)
        assert score(y_test, corrected) == pytest.approx(score(y_test, PLAIN), rel=0.02)
    known = expit(np.log(RATE / (1 - RATE)) + 1.4 * X_TEST[:, 0] - 1.4**2 / 2)
    assert abs(corrected - known).mean() < 0.2 * RATE
    assert abs(proba - known).mean() > 5 * RATE
    assert roc_auc_score(y_test, corrected) == pytest.approx(
        roc_auc_score(y_test, proba), abs=1e-12
    )


def test_correction_restores_the_calibration_of_several_classes():
    problem = [18_000, 1_600, 400], [[0, 0], [2, 0], [0, 2]]
    X, y = gaussians(*problem, seed=0)
    X_test, y_test = gaussians(*problem, seed=1)
    prior = class_prior(y_test)
    proba = LogisticRegression(class_weight="balanced").fit(X, y).predict_proba(X_test)
    plain = LogisticRegression().fit(X, y).predict_proba(X_test)
    corrected = correct_prior(proba, [1 / 3, 1 / 3, 1 / 3], prior)

    assert proba[:, 2].mean() > 4 * prior[2]
    np.testing.assert_allclose(corrected.mean(axis=0), prior, rtol=0.1)
    assert log_loss(y_test, proba) > 1.5 * log_loss(y_test, plain)
    assert log_loss(y_test, corrected) == pytest.approx(log_loss(y_test, plain), rel=0.02)
    in_squares = [
        ((p - np.eye(3)[y_test]) ** 2).sum(axis=1).mean() for p in (proba, plain, corrected)
    ]
    assert in_squares[0] > 1.3 * in_squares[1]
    assert in_squares[2] == pytest.approx(in_squares[1], rel=0.02)
