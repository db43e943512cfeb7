"""Members side by side: none learns from another, and together they answer with their mean."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from keras import ops
from scipy.special import expit, logit, softmax

from sk_imbalance_nn.networks.members import ColumnEmbedding, MemberDense, MemberHead

quick = settings(deadline=None, max_examples=12)
RNG = np.random.default_rng(0)
MEMBERS, N, N_BINNED, N_BINS, UNITS = 3, 7, 4, 5, 2
FEATURES = RNG.normal(size=(N, 6)).astype(np.float32)
BINS = RNG.normal(size=(N, N_BINNED, N_BINS)).astype(np.float32)
HIDDEN = RNG.normal(size=(MEMBERS, N, 5)).astype(np.float32)


def each_its_own(array):
    return np.stack([array] * MEMBERS)


# Embedding ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def embedding():
    layer = ColumnEmbedding(MEMBERS, UNITS)
    layer(FEATURES, BINS)
    return layer


def test_an_embedding_is_a_dense_layer_for_each_member_and_column(embedding):
    out = np.asarray(embedding(FEATURES, BINS))
    kernel, bias = embedding.get_weights()
    assert out.shape == (MEMBERS, N, 6 + N_BINNED * UNITS)
    for member in range(MEMBERS):
        np.testing.assert_array_equal(out[member, :, :6], FEATURES)
        for column in range(N_BINNED):
            at = slice(column * UNITS, (column + 1) * UNITS)
            plain = BINS[:, column] @ kernel[member, column] + bias[member, 0, at]
            found = out[member, :, 6 + at.start : 6 + at.stop]
            np.testing.assert_allclose(found, np.maximum(plain, 0), atol=1e-5)


def test_members_that_read_rows_of_their_own_answer_as_if_all_read_them(embedding):
    order = np.array([RNG.permutation(N) for _ in range(MEMBERS)])
    together = np.asarray(embedding(FEATURES, BINS))
    apart = np.asarray(embedding(FEATURES[order], BINS[order]))
    for member in range(MEMBERS):
        np.testing.assert_allclose(apart[member], together[member][order[member]], atol=1e-5)


def test_no_units_leave_the_features_alone():
    layer = ColumnEmbedding(MEMBERS, 0)
    np.testing.assert_array_equal(layer(FEATURES, BINS), each_its_own(FEATURES))
    assert layer.weights == []
    own = RNG.normal(size=(MEMBERS, N, 6)).astype(np.float32)
    np.testing.assert_array_equal(layer(own, each_its_own(BINS)), own)


# Dense --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shared", [True, False])
def test_a_dense_layer_is_one_for_each_member(shared):
    layer = MemberDense(MEMBERS, 4)
    inputs = HIDDEN[:1] if shared else HIDDEN
    out = np.asarray(layer(inputs))
    kernel, bias = layer.get_weights()
    for member in range(MEMBERS):
        rows = inputs[0 if shared else member]
        plain = rows @ kernel[member] + bias[member, 0]
        np.testing.assert_allclose(out[member], np.maximum(plain, 0), atol=1e-5)


@pytest.mark.parametrize("gain", [1.0, 0.5])
def test_kernels_start_different_and_as_large_as_said(gain):
    layer = MemberDense(4, 200, gain)
    layer.build((1, None, 50))
    kernel = layer.get_weights()[0]
    np.testing.assert_allclose(kernel.std(axis=(1, 2)), gain * np.sqrt(2 / 50), rtol=0.05)
    assert len(np.unique(kernel)) > 0.99 * kernel.size


# Head ---------------------------------------------------------------------------------------------


def head_of(logits, activation):
    """Return a head whose members answer with such logits (n, members, units), and what it reads.

    The hidden units are a one for each row: kernels are the logits.
    """
    n, members, units = logits.shape
    head = MemberHead(members, units, activation)
    hidden = np.tile(np.eye(n, dtype=np.float32), (members, 1, 1))
    head(hidden)
    head.set_weights([logits.transpose(1, 0, 2), np.zeros((members, units))])
    return head, hidden


def mean_probability(logits, activation):
    logits = np.asarray(logits, np.float64)
    each = expit(logits) if activation == "sigmoid" else softmax(logits, axis=2)
    return each.mean(axis=1)


logits_of_members = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(2, 4)),
    elements=st.floats(-100, 100, width=32),
)


@quick
@given(logits_of_members, st.sampled_from(["sigmoid", "softmax"]))
def test_the_answer_is_the_mean_of_the_members_probabilities(logits, activation):
    head, hidden = head_of(logits, activation)
    expected = mean_probability(logits, activation)
    np.testing.assert_allclose(head(hidden), expected, rtol=1e-4, atol=1e-30)


class Recorder:
    """Stands for the activation, and takes down the logits that it is given."""

    def __init__(self, monkeypatch):
        self.seen = None
        monkeypatch.setattr(keras.activations, "get", lambda name: self)

    def __call__(self, logits):
        self.seen = np.asarray(logits)
        return logits


@pytest.mark.parametrize("size", [3.0, 30.0, 90.0])
def test_logits_of_the_mean_do_not_saturate(size, monkeypatch):
    logits = (RNG.normal(size=(20, 5, 1)) + size * np.sign(RNG.normal(size=(20, 1, 1)))).astype("f")
    head, hidden = head_of(logits, "sigmoid")
    recorder = Recorder(monkeypatch)
    head(hidden)
    exact = logits.astype(np.longdouble)
    p = (1 / (1 + np.exp(-exact))).mean(axis=1)
    q = (1 / (1 + np.exp(exact))).mean(axis=1)  # so that neither is lost beside one
    np.testing.assert_allclose(recorder.seen, (np.log(p) - np.log(q)).astype(float), rtol=1e-4)
    if size == 90:
        assert len(np.unique(recorder.seen)) == 20  # their probabilities are 0 or 1 in float32
        assert set(np.float32(expit(recorder.seen[recorder.seen > 0]))) == {np.float32(1)}


def test_one_member_answers_for_itself():
    logits = RNG.normal(size=(6, 1, 1), scale=5).astype(np.float32)
    head, hidden = head_of(logits, "sigmoid")
    np.testing.assert_allclose(logit(np.float64(head(hidden))), logits[:, 0], rtol=1e-3)


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_in_training_a_rows_members_answer_one_after_the_other(activation):
    logits = RNG.normal(size=(4, 3, 2)).astype(np.float32)
    head, hidden = head_of(logits, activation)
    each = expit(logits) if activation == "sigmoid" else softmax(logits, axis=2)
    np.testing.assert_allclose(head(hidden, training=True), each.reshape(12, 2), rtol=1e-4)
    np.testing.assert_allclose(head(hidden, as_logits=True), logits, rtol=1e-5)
    np.testing.assert_allclose(head(hidden, training=True, as_logits=True), logits, rtol=1e-5)


def test_each_member_has_a_bias_of_its_own():
    head = MemberHead(MEMBERS, 2, "sigmoid")
    before = np.asarray(head(HIDDEN, as_logits=True))
    bias = np.arange(6.0).reshape(MEMBERS, 2)
    head.set_weights([head.get_weights()[0], bias])
    np.testing.assert_allclose(
        np.asarray(head(HIDDEN, as_logits=True)) - before, np.tile(bias, (N, 1, 1)), atol=1e-5
    )


def test_a_head_reads_what_all_members_share():
    head = MemberHead(MEMBERS, 2, "softmax")
    np.testing.assert_allclose(
        head(HIDDEN[:1], as_logits=True), head(each_its_own(HIDDEN[0]), as_logits=True), atol=1e-6
    )


# Nothing reaches another member -------------------------------------------------------------------


class Stack(keras.layers.Layer):
    """All three layers, one after the other."""

    def __init__(self):
        super().__init__()
        self.parts = [
            ColumnEmbedding(MEMBERS, UNITS),
            MemberDense(MEMBERS, 4),
            MemberDense(MEMBERS, 4),
            MemberHead(MEMBERS, 2, "softmax"),
        ]

    def call(self, features, bins):
        embedding, *dense, head = self.parts
        hidden = embedding(features, bins)
        for part in dense:
            hidden = part(hidden)
        return ops.reshape(head(hidden, training=True), (-1, MEMBERS, 2))


@pytest.fixture(scope="module")
def stack():
    layer = Stack()
    layer(FEATURES, BINS)
    return layer


def gradients(stack, weight, features=FEATURES, bins=BINS):
    """Return the gradient of the members' weighted answers by every variable."""
    with tf.GradientTape() as tape:
        loss = ops.sum(ops.log(stack(features, bins)[:, :, 0]) * weight)
    return [np.asarray(g) for g in tape.gradient(loss, [v.value for v in stack.trainable_weights])]


@pytest.mark.parametrize("member", range(MEMBERS))
def test_the_loss_of_a_member_moves_no_other(stack, member):
    weight = np.zeros((N, MEMBERS), np.float32)
    weight[:, member] = 1
    found = gradients(stack, weight)
    assert len(found) == 8
    for gradient in found:
        assert gradient.shape[0] == MEMBERS
        assert gradient[member].any()
        assert not np.delete(gradient, member, axis=0).any()


@pytest.mark.parametrize("member", range(MEMBERS))
def test_a_row_that_weighs_nothing_for_a_member_does_not_move_it(stack, member):
    weight = np.ones((N, MEMBERS), np.float32)
    weight[2, member] = 0
    features, bins = FEATURES.copy(), BINS.copy()
    features[2], bins[2] = 5.0, -3.0
    for one, other in zip(
        gradients(stack, weight), gradients(stack, weight, features, bins), strict=True
    ):
        np.testing.assert_array_equal(one[member], other[member])
        assert (one != other).any()


# Shapes and configurations ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "inputs"),
    [
        (ColumnEmbedding(MEMBERS, UNITS), (FEATURES, BINS)),
        (ColumnEmbedding(MEMBERS, 0), (FEATURES, BINS)),
        (MemberDense(MEMBERS, 4, 0.7), (HIDDEN,)),
        (MemberHead(MEMBERS, 2, "softmax"), (HIDDEN,)),
    ],
    ids=["embedding", "no embedding", "dense", "head"],
)
def test_layers_say_their_shapes_and_come_back_from_their_configurations(layer, inputs):
    out = np.asarray(layer(*inputs))
    symbols = [keras.KerasTensor(part.shape) for part in inputs]
    assert tuple(layer(*symbols).shape) == out.shape
    again = type(layer).from_config(layer.get_config())
    again(*inputs)
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(*inputs), out)
