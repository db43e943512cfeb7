"""Weights and priors of one training agree with what a count of the rows says."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sk_imbalance_nn.balancing.balance import balance_classes, balance_labels
from sk_imbalance_nn.balancing.class_weight import class_weights, label_weights, row_weights

quick = settings(deadline=None, max_examples=25)
CLASSES = np.array(["a", "b", "c"])
RULES = [None, "balanced", "effective", {"a": 1.0, "b": 2.0, "c": 0.5}]


@st.composite
def weighted_rows(draw):
    """Codes of three classes of which two or more weigh something, and integer weights."""
    codes = draw(hnp.arrays(np.intp, st.integers(2, 40), elements=st.integers(0, 2)))
    weights = draw(hnp.arrays(np.float64, len(codes), elements=st.integers(0, 3)))
    assume(np.count_nonzero(np.bincount(codes, weights)) > 1)
    return codes, weights


@st.composite
def weighted_labels(draw):
    """An indicator of two labels, and integer weights that are not all zero."""
    shape = st.tuples(st.integers(1, 30), st.just(2))
    y = draw(hnp.arrays(np.int64, shape, elements=st.integers(0, 1)))
    weights = draw(hnp.arrays(np.float64, len(y), elements=st.integers(0, 3)))
    assume(weights.any())
    return y, weights


@pytest.mark.parametrize("rule", RULES)
@quick
@given(weighted_rows())
def test_priors_are_the_shares_that_training_sees_before_and_after_weighing(rule, data):
    codes, sample_weight = data
    balance = balance_classes(rule, codes, CLASSES, sample_weight)
    shares = [sample_weight[codes == code].sum() for code in range(3)]
    np.testing.assert_allclose(balance.prior, shares / np.sum(shares))
    rows = row_weights(codes, balance.row_factors, sample_weight).astype(np.float64)
    seen = [rows[codes == code].sum() for code in range(3)]
    np.testing.assert_allclose(balance.training_prior, seen / rows.sum(), rtol=1e-5)
    assert rows.mean() == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("rule", RULES)
@quick
@given(weighted_rows())
def test_weights_are_those_of_the_rule(rule, data):
    codes, sample_weight = data
    balance = balance_classes(rule, codes, CLASSES, sample_weight)
    np.testing.assert_allclose(balance.weights, class_weights(rule, codes, CLASSES, sample_weight))
    np.testing.assert_allclose(
        balance.row_factors / balance.row_factors[0], balance.weights / balance.weights[0]
    )


@quick
@given(weighted_rows())
def test_balanced_training_sees_the_classes_equally_often(data):
    codes, sample_weight = data
    balance = balance_classes("balanced", codes, CLASSES, sample_weight)
    present = balance.prior > 0
    np.testing.assert_allclose(balance.training_prior, present / present.sum())


@pytest.mark.parametrize("rule", RULES)
@quick
@given(weighted_rows(), st.data())
def test_a_continued_training_balances_as_if_all_rows_had_come_at_once(rule, data, draw):
    codes, sample_weight = data
    cut = draw.draw(st.integers(1, len(codes) - 1))
    head, tail = slice(cut), slice(cut, None)
    assume(np.count_nonzero(np.bincount(codes[head], sample_weight[head])) > 1)
    assume(sample_weight[tail].any())
    earlier = balance_classes(rule, codes[head], CLASSES, sample_weight[head])
    later = balance_classes(rule, codes[tail], CLASSES, sample_weight[tail], earlier)
    whole = balance_classes(rule, codes, CLASSES, sample_weight)
    for name in ("weights", "prior", "training_prior", "mass"):
        np.testing.assert_allclose(getattr(later, name), getattr(whole, name), err_msg=name)
    rows = row_weights(codes[tail], later.row_factors, sample_weight[tail])
    assert rows.mean(dtype=np.float64) == pytest.approx(1, rel=1e-5)


def test_a_continued_training_may_see_a_single_class():
    earlier = balance_classes("balanced", np.array([0, 1, 1]), CLASSES)
    later = balance_classes("balanced", np.array([0, 0]), CLASSES, earlier=earlier)
    assert later.mass.tolist() == [3, 2, 0]
    assert later.row_factors[0] == 1


@pytest.mark.parametrize("rule", RULES)
def test_a_training_may_begin_with_a_single_class(rule):
    first = balance_classes(rule, np.array([1, 1]), CLASSES, several=False)
    assert first.prior.tolist() == first.training_prior.tolist() == [0, 1, 0]
    assert first.row_factors[1] == 1
    whole = balance_classes(rule, np.array([1, 1, 0, 2, 2]), CLASSES)
    later = balance_classes(rule, np.array([0, 2, 2]), CLASSES, earlier=first, several=False)
    np.testing.assert_allclose(later.weights, whole.weights)
    np.testing.assert_allclose(later.prior, whole.prior)


def test_messages_name_a_single_class_as_python_writes_it():
    with pytest.raises(ValueError, match="one class, 7; a classifier needs"):
        balance_classes(None, np.array([1, 1]), np.array([5, 7]))


@pytest.mark.parametrize("sample_weight", [None, np.array([1.0, 2.0, 0.0])])
def test_rows_of_a_single_class_are_refused(sample_weight):
    codes = np.array([1, 1, 1 if sample_weight is None else 0])
    with pytest.raises(ValueError, match=r"one class, .*'b'.*two classes or more"):
        balance_classes(None, codes, CLASSES, sample_weight)


@pytest.mark.parametrize("balance", [balance_classes, balance_labels])
def test_unknown_rules_are_refused(balance):
    rows = (np.array([[0], [1]]),) if balance is balance_labels else (np.array([0, 1]), CLASSES[:2])
    with pytest.raises(ValueError, match="'balanced' or 'effective'"):
        balance("weighted", *rows)


@pytest.mark.parametrize("rule", [None, "balanced", "effective", [2.0, 5.0], {1: (0.5, 3.0)}])
@quick
@given(weighted_labels())
def test_priors_of_labels_are_the_shares_of_positives_that_training_sees(rule, data):
    y, sample_weight = data
    balance = balance_labels(rule, y, sample_weight)
    np.testing.assert_allclose(balance.weights, label_weights(rule, y, sample_weight))
    total = sample_weight.sum()
    for label, (negative, positive) in enumerate(balance.weights):
        positives = sample_weight[y[:, label] == 1].sum()
        assert balance.prior[label] == pytest.approx(positives / total)
        seen = positive * positives / (positive * positives + negative * (total - positives))
        assert balance.training_prior[label] == pytest.approx(seen)
    assert balance.row_factors.shape == (1,)
    assert (balance.row_factors * sample_weight).mean() == pytest.approx(1)


@quick
@given(weighted_labels())
def test_balanced_labels_train_at_one_half_unless_they_never_change(data):
    y, sample_weight = data
    balance = balance_labels("balanced", y, sample_weight)
    constant = (balance.prior == 0) | (balance.prior == 1)
    np.testing.assert_allclose(
        balance.training_prior, np.where(constant, balance.prior, 0.5), atol=1e-12
    )


def test_weights_of_the_caller_are_not_changed():
    sample_weight, codes = np.array([1.0, 2.0, 3.0]), np.array([0, 1, 1])
    balance_classes("balanced", codes, CLASSES, sample_weight)
    balance_labels("balanced", codes[:, None], sample_weight)
    assert sample_weight.tolist() == [1, 2, 3]
    assert codes.tolist() == [0, 1, 1]
