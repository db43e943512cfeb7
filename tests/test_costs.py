"""Costs lead to the decision that costs least on average, and to no other."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sk_imbalance_nn.decisions.costs import (
    bayes_threshold,
    check_cost_matrix,
    check_row_cost,
    matrix_of_frame,
    matrix_of_named,
    refuse_one_sided,
)
from sk_imbalance_nn.decisions.rules import ArgmaxRule, CostRule, ThresholdRule, log_of

quick = settings(deadline=None, max_examples=30)
amounts = st.floats(-50, 50).map(lambda amount: round(amount, 2))


def matrices(n_classes):
    return hnp.arrays(np.float64, (n_classes, n_classes), elements=amounts)


# Two classes of which each has a cost of mistakes about it.
two_sided = st.tuples(matrices(2), st.floats(0.01, 50), st.floats(0.01, 50)).map(
    lambda drawn: drawn[0].diagonal()[:, None] + np.array([[0, drawn[1]], [drawn[2], 0]])
)


def expected_costs(probability, matrix):
    """What saying no, and saying yes, costs on average."""
    return [(1 - probability) * matrix[0, said] + probability * matrix[1, said] for said in (0, 1)]


@quick
@given(two_sided)
def test_bayes_threshold_is_where_yes_begins_to_cost_less(matrix):
    threshold = bayes_threshold(matrix)
    assert 0 < threshold < 1
    for probability in np.linspace(0, 1, 101):
        no, yes = expected_costs(probability, matrix)
        if abs(yes - no) > 1e-9:
            assert (yes < no) == (probability >= threshold)
    no, yes = expected_costs(threshold, matrix)
    assert yes == pytest.approx(no, abs=1e-9)


@quick
@given(matrices(2))
def test_bayes_threshold_is_refused_where_one_prediction_is_never_worse(matrix):
    no, yes = expected_costs(np.linspace(0, 1, 3)[[0, -1]], matrix)
    if (no < yes).tolist() == [True, False] and (yes < no).tolist() == [False, True]:
        assert 0 < bayes_threshold(matrix) < 1
        return
    with pytest.raises(
        ValueError, match=r"one prediction is never worse than the other.*belong in rows"
    ):
        bayes_threshold(matrix)


def test_refusal_tells_what_mistakes_cost():
    with pytest.raises(ValueError, match=r"alarm costs -2 more than none, a miss 3.5 more than"):
        bayes_threshold([[2, 0], [4, 0.5]])


@quick
@given(matrices(3), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_cost_rule_takes_the_class_of_least_expected_cost(matrix, n, seed):
    proba = np.random.default_rng(seed).dirichlet(np.ones(3), n)
    decided = CostRule(matrix).decide(proba)
    for row, said in zip(proba, decided, strict=True):
        costs = [sum(p * matrix[true, k] for true, p in enumerate(row)) for k in range(3)]
        assert costs[said] == pytest.approx(min(costs), abs=1e-9)


@quick
@given(two_sided, st.integers(0, 2**32 - 1))
def test_cost_rule_of_two_classes_is_the_bayes_threshold(matrix, seed):
    threshold = bayes_threshold(matrix)
    positive = np.random.default_rng(seed).random(20)
    positive = positive[np.abs(positive - threshold) > 1e-9]
    decided = CostRule(matrix).decide(np.stack([1 - positive, positive], axis=1))
    np.testing.assert_array_equal(decided, ThresholdRule(threshold).decide(positive))


@quick
@given(st.integers(0, 2**32 - 1), st.integers(2, 4), st.booleans())
def test_argmax_rule_weighs_classes(seed, n_classes, with_zeros):
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet(np.ones(n_classes), 15)
    if with_zeros:
        proba[rng.random(proba.shape) < 0.3] = 0.0
    weight = rng.uniform(0.1, 5, n_classes)
    decided = ArgmaxRule(np.log(weight), of_probabilities=True).decide(proba)
    np.testing.assert_array_equal(decided, (proba * weight).argmax(axis=1))
    logarithms = log_of(proba)
    np.testing.assert_array_equal(ArgmaxRule(np.log(weight)).decide(logarithms), decided)
    np.testing.assert_array_equal(np.exp(logarithms) > 0, proba > 0)


def test_equal_classes_go_to_the_first():
    assert ArgmaxRule(np.zeros(3)).decide(np.array([[1.0, 2, 2], [3, 3, 3]])).tolist() == [1, 0]
    assert CostRule(1 - np.eye(3)).decide(np.array([[0.2, 0.4, 0.4]])).tolist() == [1]


def test_threshold_itself_means_yes_and_float32_is_not_rounded_to_it():
    threshold = 0.1 + 1e-12
    single = np.array([0.1], dtype=np.float32)  # a little more than 0.1 and the threshold
    below = np.nextafter(single, np.float32(0))
    assert ThresholdRule(threshold).decide(np.append(single, below)).tolist() == [1, 0]
    assert ThresholdRule(float(single[0]) + 1e-12).decide(single).tolist() == [0]
    assert ThresholdRule(0.3).decide(np.array([0.3, np.inf, -np.inf])).tolist() == [1, 1, 0]
    assert ThresholdRule(np.inf).decide(np.array([1e308])).tolist() == [0]


def test_every_label_has_its_own_threshold():
    scores = np.array([[0.2, 0.2], [0.6, 0.6]])
    assert ThresholdRule(np.array([0.1, 0.5])).decide(scores).tolist() == [[1, 0], [1, 1]]


def test_cost_matrix_is_copied():
    given_ = np.array([[0.0, 1.0], [20.0, 0.0]])
    found = check_cost_matrix(given_, 2)
    np.testing.assert_array_equal(found, given_)
    given_[:] = 7
    assert found.tolist() == [[0, 1], [20, 0]]
    assert check_cost_matrix([[-3, 1], [2, -5]], 2).dtype == np.float64


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ([[0, 1]], r"shape \(2, 2\), true classes in rows .* found the shape \(1, 2\)"),
        ([0, 1], r"found the shape \(2,\)"),
        (np.eye(3), r"found the shape \(3, 3\)"),
        ([[0, 1], [np.nan, 0]], "cost_matrix must hold finite numbers"),
        ([[0, 1], [np.inf, 0]], "cost_matrix must hold finite numbers"),
        ([[0, 1], ["a", 0]], "cost_matrix must hold numbers, found"),
        ([[0, 1], [2]], "cost_matrix must hold numbers, found"),
        ([[1, 1], [5, 5]], "all predictions cost the same: its columns are equal"),
    ],
)
def test_matrices_that_decide_nothing_are_refused(matrix, message):
    with pytest.raises(ValueError, match=message):
        check_cost_matrix(matrix, 2)


def test_equal_rows_of_a_matrix_do_decide():
    assert check_cost_matrix([[1, 5], [1, 5]], 2).tolist() == [[1, 5], [1, 5]]


@quick
@given(hnp.arrays(np.intp, st.integers(1, 10), elements=st.integers(0, 2)), st.data())
def test_row_costs_are_those_of_mistakes_or_of_each_prediction(target, data):
    n = len(target)
    of_mistakes = data.draw(hnp.arrays(np.float64, n, elements=amounts))
    found = check_row_cost(of_mistakes, target, 3)
    for row in range(n):
        for said in range(3):
            assert found[row, said] == (of_mistakes[row] if said != target[row] else 0)
    of_each = data.draw(hnp.arrays(np.float64, (n, 3), elements=amounts))
    np.testing.assert_array_equal(check_row_cost(of_each, target, 3), of_each)


@pytest.mark.parametrize("shape", [(3,), (4, 3), (3, 2), (4, 1), (1, 4), (4, 2, 1)])
def test_row_costs_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"shape \(4,\), what a mistake .* \(4, 2\), what each"):
        check_row_cost(np.ones(shape), np.array([0, 1, 1, 0]), 2)
    with pytest.raises(ValueError, match="cost must hold finite numbers"):
        check_row_cost([1, np.nan], np.array([0, 1]), 2)
    with pytest.raises(ValueError, match="cost must hold numbers"):
        check_row_cost(["a", "b"], np.array([0, 1]), 2)


def test_named_costs_are_the_matrix_in_the_order_of_the_classes():
    classes = np.array(["fraud", "ok"])
    named = {("ok", "fraud"): 1, ("fraud", "ok"): 50}
    assert matrix_of_named(named, classes) == [[0, 50], [1, 0]]
    gains = {**named, ("fraud", "fraud"): -3}
    assert matrix_of_named(gains, classes) == [[-3, 50], [1, 0]]
    assert matrix_of_named({(0, 2): 5}, np.arange(3)) == [[0, 0, 5], [0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("key", [("frawd", "ok"), "fraud", ("fraud",), ("fraud", "ok", "ok"), 1])
def test_costs_of_unknown_classes_are_refused(key):
    with pytest.raises(ValueError, match=r"\(true class, predicted class\).*\['fraud', 'ok'\]"):
        matrix_of_named({key: 1.0}, np.array(["fraud", "ok"]))


def test_named_costs_with_a_slip_are_told_the_nearest_pair():
    with pytest.raises(ValueError, match=r"did you mean \('fraud', 'ok'\)\?"):
        matrix_of_named({("fraud", "okay"): 1.0}, np.array(["fraud", "ok"]))


def test_frames_are_read_by_their_names():
    classes = np.array(["fraud", "ok"])
    frame = pd.DataFrame([[0, 1], [50, 0]], index=["ok", "fraud"], columns=["ok", "fraud"])
    assert matrix_of_frame(frame, classes).tolist() == [[0, 50], [1, 0]]
    assert matrix_of_frame(pd.DataFrame([[0, 1], [50, 0]]), np.arange(2)).tolist() == [
        [0, 1],
        [50, 0],
    ]
    for wrong in (frame.set_axis(["ok", "frawd"], axis=0), pd.DataFrame([[0, 1], [50, 0]])):
        with pytest.raises(ValueError, match=r"expected the classes, \['fraud', 'ok'\]"):
            matrix_of_frame(wrong, classes)


@pytest.mark.parametrize("matrix", [[[0, 30], [0, 0]], [[0, 0], [30, 0]], [[0, -1], [5, 0]]])
def test_one_sided_costs_name_both_mistakes(matrix):
    matrix = np.array(matrix, dtype=float)
    miss, alarm = f"{matrix[0, 1]:g}", f"{matrix[1, 0]:g}"
    with pytest.raises(ValueError, match="never worse") as caught:
        refuse_one_sided(matrix, np.array(["fraud", "ok"]))
    assert f"'fraud' called 'ok' costs {miss} more" in str(caught.value)
    assert f"'ok' called 'fraud' costs {alarm} more" in str(caught.value)
    refuse_one_sided(np.array([[0.0, 2.0], [1.0, 0.0]]), np.array([0, 1]))
