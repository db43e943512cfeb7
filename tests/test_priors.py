"""An untrained network that starts from the bias predicts the prior."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import expit, softmax

from sk_imbalance_nn.balancing.priors import binary_output_bias, class_prior, softmax_output_bias

quick = settings(deadline=None, max_examples=60)
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
