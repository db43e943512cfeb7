"""Output, loss and target fit together, or the error says which line to change to what."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import expit, logsumexp

from sk_imbalance_nn import output_layer
from sk_imbalance_nn.balancing.balance import balance_classes, balance_labels
from sk_imbalance_nn.data.targets import BINARY, MULTICLASS, MULTILABEL
from sk_imbalance_nn.networks.compiling import (
    check_same_loss,
    compile_arguments_of,
    compile_for_target,
    output_layer_name,
    start_at_prior,
)
from sk_imbalance_nn.networks.head_losses import HeadCrossentropy, LabelWeighted
from sk_imbalance_nn.networks.heads import (
    Head,
    Output,
    from_logits_of,
    loss_name,
    resolve_head,
)

quick = settings(deadline=None, max_examples=25)
losses = keras.losses
N_CLASSES = {BINARY: 2, MULTICLASS: 3, MULTILABEL: 3}


def own_loss(y_true, y_pred):
    return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)


class OwnLoss(losses.Loss):
    def call(self, y_true, y_pred):
        return own_loss(y_true, y_pred)


# What fits ----------------------------------------------------------------------------------------

BCE, FOCAL = losses.BinaryCrossentropy, losses.BinaryFocalCrossentropy
SPARSE, ONE_HOT = losses.SparseCategoricalCrossentropy, losses.CategoricalCrossentropy
PROBABILITY_LOSSES_OF_CLASSES = [
    ("categorical_crossentropy", "one_hot"),
    (ONE_HOT(label_smoothing=0.1), "one_hot"),
    (losses.CategoricalFocalCrossentropy(), "one_hot"),
    ("kl_divergence", "one_hot"),
    (losses.KLDivergence, "one_hot"),
    ("categorical_hinge", "one_hot"),
    ("mean_squared_error", "one_hot"),
    (losses.MeanAbsoluteError(), "one_hot"),
    ("binary_crossentropy", "one_hot"),
    (FOCAL(), "one_hot"),
    ("sparse_categorical_crossentropy", "codes"),
    (SPARSE(), "codes"),
    (None, "codes"),
    (own_loss, "codes"),
    (OwnLoss(), "codes"),
]
LOGIT_LOSSES_OF_CLASSES = [
    (SPARSE(from_logits=True), "codes"),
    (ONE_HOT(from_logits=True), "one_hot"),
    (losses.CategoricalFocalCrossentropy(from_logits=True), "one_hot"),
    (None, "codes"),
    (own_loss, "codes"),
    (OwnLoss, "codes"),
]
PROBABILITY_LOSSES_OF_LABELS = [
    None, "bce", "binary_crossentropy", BCE, BCE(), FOCAL(gamma=1.0), "mse", own_loss, OwnLoss()
]  # fmt: skip
LOGIT_LOSSES_OF_LABELS = [
    None, BCE(from_logits=True), FOCAL(from_logits=True), "hinge", own_loss, OwnLoss()
]  # fmt: skip

ACCEPTED = [
    *(
        (target, Output(units, "softmax"), loss, "softmax", False, encoding)
        for target, units in ((BINARY, 2), (MULTICLASS, 3))
        for loss, encoding in PROBABILITY_LOSSES_OF_CLASSES
    ),
    *(
        (target, Output(units, "linear"), loss, "softmax", True, encoding)
        for target, units in ((BINARY, 2), (MULTICLASS, 3))
        for loss, encoding in LOGIT_LOSSES_OF_CLASSES
    ),
    *(
        (target, Output(units, activation), loss, "sigmoid", logits, encoding)
        for target, units, encoding in ((BINARY, 1, "column"), (MULTILABEL, 3, "indicator"))
        for activation, logits, fitting in (
            ("sigmoid", False, PROBABILITY_LOSSES_OF_LABELS),
            ("linear", True, LOGIT_LOSSES_OF_LABELS),
        )
        for loss in fitting
    ),
    # An activation that could not be told: the loss decides.
    (BINARY, Output(1, None), BCE(from_logits=True), "sigmoid", True, "column"),
    (BINARY, Output(1, None), BCE(), "sigmoid", False, "column"),
    (BINARY, Output(1, None), own_loss, "sigmoid", False, "column"),
    (MULTICLASS, Output(3, None), SPARSE(from_logits=True), "softmax", True, "codes"),
    (MULTICLASS, Output(3, None), "categorical_crossentropy", "softmax", False, "one_hot"),
    (MULTILABEL, Output(3, None), "binary_crossentropy", "sigmoid", False, "indicator"),
]


def described(value):
    if isinstance(value, Output):
        return f"{value.units}-{value.activation}"
    if callable(value):
        return getattr(value, "__name__", type(value).__name__)
    return str(value)


@pytest.mark.parametrize(
    ("target", "output", "loss", "link", "from_logits", "encoding"), ACCEPTED, ids=described
)
def test_heads_that_fit_are_accepted(target, output, loss, link, from_logits, encoding):
    head = resolve_head(output, loss, target, N_CLASSES[target])
    assert head == Head(target, N_CLASSES[target], output.units, link, from_logits, encoding)


# What does not ------------------------------------------------------------------------------------

ONE_UNIT = "Make it Dense(1, activation='sigmoid') (or Dense(2, activation='softmax'))"
THREE_SOFTMAX = "Make it Dense(3, activation='softmax')"
THREE_SIGMOID = "Make it Dense(3, activation='sigmoid')"
CURES = {BINARY: ONE_UNIT, MULTICLASS: THREE_SOFTMAX, MULTILABEL: THREE_SIGMOID}
UNITS = {BINARY: 1, MULTICLASS: 3, MULTILABEL: 3}
FITTING = {BINARY: "sigmoid", MULTICLASS: "softmax", MULTILABEL: "sigmoid"}

REFUSED = [
    *((target, Output(1, "softmax"), loss, "1.0 for every row", cure)
      for target, cure in CURES.items() for loss in (None, "binary_crossentropy")),
    *((target, Output(units, activation), None, f"{N_CLASSES[target]} ", cure)
      for target, cure in CURES.items()
      for units in {1, 2, 3, 4} - ({1, 2} if target == BINARY else {3})
      for activation in ("sigmoid", "softmax", "linear", None)
      if (units, activation) != (1, "softmax")),
    (BINARY, Output(2, "sigmoid"), "binary_crossentropy", "count every row 2 times", ONE_UNIT),
    (BINARY, Output(2, "sigmoid"), None, "do not sum to one", ONE_UNIT),
    (MULTICLASS, Output(3, "sigmoid"), "bce", "do not sum to one", THREE_SOFTMAX),
    (MULTILABEL, Output(3, "softmax"), None, "may have several", THREE_SIGMOID),
    (MULTILABEL, Output(3, "softmax"), "bce", "may have several", THREE_SIGMOID),
    *((target, Output(UNITS[target], activation), loss, "neither probabilities nor logits", cure)
      for target, cure in CURES.items() for activation in ("relu", "tanh", "softplus")
      for loss in (None, own_loss, "hinge")),
    *((target, Output(UNITS[target], None), None, "could not tell", "Give the loss, e.g. loss=")
      for target in CURES),
    *((target, Output(UNITS[target], FITTING[target]), loss(from_logits=True),
       "probabilities already", "from_logits=True out of the loss")
      for target, loss in ((BINARY, BCE), (BINARY, FOCAL), (MULTICLASS, SPARSE),
                           (MULTICLASS, ONE_HOT), (MULTILABEL, BCE))),
    *((target, Output(UNITS[target], "linear"), loss, "outputs are logits",
       f"activation='{FITTING[target]}', or the loss from_logits=True (loss__from_logits=True)")
      for target, loss in ((BINARY, "binary_crossentropy"), (BINARY, BCE), (BINARY, FOCAL()),
                           (MULTICLASS, "sparse_categorical_crossentropy"), (MULTICLASS, ONE_HOT()),
                           (MULTILABEL, "bce"))),
    *((target, Output(UNITS[target], "sigmoid"), loss, "one probability for each class",
       "Use loss='binary_crossentropy' or loss='auto'. " + CURES[target])
      for target in (BINARY, MULTILABEL)
      for loss in ("categorical_crossentropy", "sparse_categorical_crossentropy", "kld", SPARSE,
                   losses.KLDivergence, losses.CategoricalHinge())),
    *((target, Output(units, "linear"), loss(from_logits=True), "independent sigmoids",
       "Use loss='auto'. " + CURES[target])
      for target, units in ((BINARY, 2), (MULTICLASS, 3)) for loss in (BCE, FOCAL)),
    *((target, Output(UNITS[target], "linear"), loss, "fits a regression", CURES[target])
      for target in CURES
      for loss in ("mse", "mean_absolute_error", losses.Huber(), losses.LogCosh, "poisson")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("target", "output", "loss", "reason", "cure"),
    REFUSED,
    ids=[" ".join(map(described, case[:3])) for case in REFUSED],
)
def test_heads_that_do_not_fit_are_refused_with_a_cure(target, output, loss, reason, cure):
    with pytest.raises(ValueError, match=re.escape(reason)) as caught:
        resolve_head(output, loss, target, N_CLASSES[target])
    assert cure in str(caught.value)


@pytest.mark.parametrize("loss", [own_loss, OwnLoss(), OwnLoss])
@pytest.mark.parametrize(
    ("target", "output", "one_hot", "encoding"),
    [
        (MULTICLASS, Output(3, "softmax"), True, "one_hot"),
        (MULTICLASS, Output(3, "softmax"), False, "codes"),
        (BINARY, Output(2, "softmax"), True, "one_hot"),
        (BINARY, Output(2, "softmax"), False, "codes"),
        (BINARY, Output(1, "sigmoid"), True, "column"),
        (MULTILABEL, Output(3, "sigmoid"), False, "indicator"),
    ],
)
def test_losses_that_keras_does_not_know_get_labels_as_they_came(
    loss, target, output, one_hot, encoding
):
    head = resolve_head(output, loss, target, N_CLASSES[target], one_hot=one_hot)
    assert head.encoding == encoding


@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy", None])
def test_sparse_losses_get_codes_even_for_one_hot_rows(loss):
    head = resolve_head(Output(3, "softmax"), loss, MULTICLASS, 3, one_hot=True)
    assert head.encoding == "codes"


@pytest.mark.parametrize("loss", ["binary_crossentropy", BCE(), FOCAL(), own_loss])
def test_unclear_outputs_must_look_like_what_the_loss_takes(loss):
    unclear = Output(1, None, "the output layer 'end'", like_probabilities=False)
    with pytest.raises(ValueError, match=r"takes probabilities.*'end' answers with are none"):
        resolve_head(unclear, loss, BINARY, 2)
    assert not resolve_head(Output(1, None), loss, BINARY, 2).from_logits
    assert resolve_head(unclear, BCE(from_logits=True), BINARY, 2).from_logits


def test_messages_name_the_users_layer():
    with pytest.raises(ValueError, match="the output layer 'fraud': 3 units"):
        resolve_head(Output(3, "sigmoid", "the output layer 'fraud'"), None, BINARY, 2)


# Names --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "name"),
    [
        ("bce", "binary_crossentropy"),
        ("BinaryCrossentropy", "binary_crossentropy"),
        (losses.binary_crossentropy, "binary_crossentropy"),
        (BCE, "binary_crossentropy"),
        (BCE(name="mine"), "binary_crossentropy"),
        ("kld", "kl_divergence"),
        (losses.KLDivergence, "kl_divergence"),
        (losses.KLDivergence(), "kl_divergence"),
        (losses.MeanSquaredLogarithmicError, "mean_squared_logarithmic_error"),
        (own_loss, "own_loss"),
        (OwnLoss, "own_loss"),
        (OwnLoss(), "own_loss"),
        (HeadCrossentropy(), "head_crossentropy"),
    ],
    ids=described,
)
def test_losses_have_one_name_in_all_their_forms(loss, name):
    assert loss_name(loss) == name


class LossWithAttribute(losses.Loss):
    def __init__(self, from_logits):
        super().__init__()
        self.from_logits = from_logits

    def call(self, y_true, y_pred):
        return own_loss(y_true, y_pred)


class LossWithoutConfig(losses.Loss):
    from_logits = True

    def call(self, y_true, y_pred):
        return own_loss(y_true, y_pred)

    def get_config(self):
        raise NotImplementedError


class SubclassedCrossentropy(BCE):
    """A user's own subclass of Keras' loss."""


def declaring(y_true, y_pred):
    return own_loss(y_true, y_pred)


declaring.from_logits = True


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (None, None),
        ("binary_crossentropy", False),
        ("BinaryCrossentropy", False),
        (losses.sparse_categorical_crossentropy, False),
        (ONE_HOT, False),
        (ONE_HOT(), False),
        (ONE_HOT(from_logits=True), True),
        (FOCAL(from_logits=True), True),
        (SubclassedCrossentropy(from_logits=True), True),
        (LossWithAttribute(True), True),
        (LossWithAttribute(False), False),
        (LossWithoutConfig(), True),
        (declaring, True),
        ("mse", None),
        ("hinge", None),
        (losses.MeanSquaredError(), None),
        (own_loss, None),
        (OwnLoss, None),
        (OwnLoss(), None),
    ],
    ids=described,
)
def test_losses_say_whether_they_take_logits(loss, expected):
    assert from_logits_of(loss) is expected


# The head's arithmetic ----------------------------------------------------------------------------

HEADS = {
    "one sigmoid": Head(BINARY, 2, 1, "sigmoid", False, "column"),
    "two softmax": Head(BINARY, 2, 2, "softmax", False, "codes"),
    "four softmax": Head(MULTICLASS, 4, 4, "softmax", False, "codes"),
    "three labels": Head(MULTILABEL, 3, 3, "sigmoid", False, "indicator"),
}
every_head = pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)


def logits_for(head, limit=30.0):
    return hnp.arrays(
        np.float64,
        st.tuples(st.integers(1, 12), st.just(head.units)),
        elements=st.floats(-limit, limit),
    )


def brute_force(head, logits):
    """Probabilities of single rows, from the textbook."""
    rows = []
    for row in logits.tolist():
        if head.units == 1:
            p = 1 / (1 + np.exp(-row[0]))
            rows.append([1 - p, p])
        elif head.link == "sigmoid":
            rows.append([1 / (1 + np.exp(-value)) for value in row])
        else:
            powers = [np.exp(value) for value in row]
            rows.append([power / sum(powers) for power in powers])
    return np.array(rows)


@every_head
@quick
@given(st.data())
def test_probabilities_are_those_of_the_textbook(head, data):
    logits = data.draw(logits_for(head))
    probabilities = head.probabilities(logits)
    np.testing.assert_allclose(probabilities, brute_force(head, logits), rtol=1e-9, atol=1e-12)
    assert probabilities.shape == (len(logits), head.n_classes)
    if head.target_type != MULTILABEL:
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)


@every_head
@quick
@given(st.data())
def test_codes_are_the_most_probable(head, data):
    logits = data.draw(logits_for(head).map(lambda array: array.round(2)))
    probabilities, codes = head.probabilities(logits), head.codes(logits)
    if head.target_type == MULTILABEL:
        np.testing.assert_array_equal(codes, logits > 0)
    else:
        chosen = probabilities[np.arange(len(codes)), codes]
        np.testing.assert_allclose(chosen, probabilities.max(axis=1))


@every_head
@quick
@given(st.data())
def test_decisions_order_rows_as_probabilities_do(head, data):
    logits = data.draw(logits_for(head))
    decision, probabilities = head.decision(logits), head.probabilities(logits)
    if head.target_type == BINARY:
        assert decision.shape == (len(logits),)
        np.testing.assert_allclose(expit(decision), probabilities[:, 1], rtol=1e-9, atol=1e-13)
        np.testing.assert_array_equal(head.codes(logits), decision > 0)
    elif head.link == "sigmoid":
        np.testing.assert_allclose(expit(decision), probabilities)
    else:
        np.testing.assert_allclose(np.exp(decision), probabilities, rtol=1e-9, atol=1e-13)
        np.testing.assert_allclose(
            decision, logits - logsumexp(logits, axis=1, keepdims=True), atol=1e-9
        )


@every_head
@quick
@given(st.data())
def test_probabilities_as_outputs_lead_to_the_same_probabilities(head, data):
    logits = data.draw(logits_for(head, limit=20.0))
    outputs = head.probabilities(logits)[:, -head.units :]
    back = head.probabilities(head.logits(outputs, are_logits=False))
    np.testing.assert_allclose(back, head.probabilities(logits), rtol=1e-6, atol=1e-9)


@every_head
def test_logits_stay_finite_where_probabilities_saturate(head):
    logits = head.logits(np.tile([[0.0], [1.0]], head.units), are_logits=False)
    assert np.isfinite(logits).all()
    far = head.logits(np.full((1, head.units), 1e5), are_logits=True)
    assert np.isfinite(head.probabilities(far)).all()
    assert np.isfinite(head.decision(far)).all()


@every_head
@quick
@given(st.data())
def test_a_permutation_of_rows_permutes_the_answers(head, data):
    logits = data.draw(logits_for(head))
    order = np.array(data.draw(st.permutations(range(len(logits)))))
    for answer in (head.probabilities, head.decision, head.codes):
        np.testing.assert_array_equal(answer(logits[order]), answer(logits)[order])


@pytest.mark.parametrize("shape", [(3,), (3, 1), (3, 1, 1)])
def test_outputs_of_any_shape_become_a_column(shape):
    outputs = np.array([-1.0, 0.5, 2.0], dtype=np.float32).reshape(shape)
    logits = HEADS["one sigmoid"].logits(outputs, are_logits=True)
    assert logits.dtype == np.float64
    assert logits.tolist() == [[-1.0], [0.5], [2.0]]


@pytest.mark.parametrize(
    ("encoding", "codes", "expected"),
    [
        ("column", [0, 1, 1], [[0], [1], [1]]),
        ("codes", [0, 2, 1], [[0], [2], [1]]),
        ("one_hot", [0, 2, 1], [[1, 0, 0], [0, 0, 1], [0, 1, 0]]),
        ("indicator", [[0, 1, 1], [1, 0, 0]], [[0, 1, 1], [1, 0, 0]]),
    ],
)
def test_encodings_are_what_losses_take(encoding, codes, expected):
    encoded = Head("any", 3, 3, "softmax", False, encoding).encode(np.array(codes))
    assert encoded.dtype == np.float32
    assert encoded.tolist() == expected


# Losses -------------------------------------------------------------------------------------------


def numpy_crossentropy(head, codes, logits):
    if head.link == "softmax":
        return logsumexp(logits, axis=1) - logits[np.arange(len(codes)), codes]
    y = codes.reshape(logits.shape)
    return (np.logaddexp(0, logits) - y * logits).mean(axis=1)


def codes_for(head, n, seed=0):
    rng = np.random.default_rng(seed)
    shape = (n, head.n_classes) if head.target_type == MULTILABEL else n
    return rng.integers(0, 2 if head.target_type in (MULTILABEL, BINARY) else head.n_classes, shape)


def activated(head, logits):
    """The tensor that a network with an activation at its end answers with."""
    return keras.activations.get(head.link)(keras.ops.convert_to_tensor(logits, "float32"))


@every_head
@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_crossentropy_of_a_head_is_the_formula_and_stable(head, from_logits, scale):
    head = Head(**{**vars(head), "from_logits": from_logits})
    logits = np.random.default_rng(1).normal(size=(40, head.units))
    # At scale 100 every logit is +100 or -100, on the right side or on the wrong one.
    logits = logits if scale == 1 else scale * np.sign(logits)
    codes = codes_for(head, 40)
    y_pred = logits.astype(np.float32) if from_logits else activated(head, logits)
    rows = np.asarray(HeadCrossentropy(head).call(head.encode(codes), y_pred))
    np.testing.assert_allclose(rows, numpy_crossentropy(head, codes, logits), rtol=2e-5, atol=1e-6)


def test_crossentropy_equals_keras_own():
    head = HEADS["one sigmoid"]
    y, p = codes_for(head, 20), np.random.default_rng(2).random((20, 1)).astype(np.float32)
    weights = np.random.default_rng(3).random(20).astype(np.float32)
    ours, theirs = HeadCrossentropy(head), BCE()
    assert float(ours(head.encode(y), p, weights)) == float(theirs(head.encode(y), p, weights))


def test_crossentropy_before_its_head_is_known_says_so():
    with pytest.raises(ValueError, match="loss='auto' is chosen once the network is built"):
        HeadCrossentropy().call(np.zeros((1, 1)), np.zeros((1, 1)))


@pytest.mark.parametrize("head", [None, *HEADS.values()])
def test_crossentropy_survives_its_configuration(head):
    loss = losses.deserialize(losses.serialize(HeadCrossentropy(head, name="mine")))
    assert (type(loss), loss.head, loss.name) == (HeadCrossentropy, head, "mine")


LABELS = HEADS["three labels"]
WEIGHTS = np.array([[1.0, 5.0], [0.5, 2.0], [0.0, 1.0]])


def numpy_label_weighted(y, logits, weights):
    losses_of_labels = np.logaddexp(0, logits) - y * logits
    return (np.where(y == 1, weights[:, 1], weights[:, 0]) * losses_of_labels).mean(axis=1)


def label_batch(seed=0, n=15, scale=2.0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, (n, 3)).astype(np.float32)
    return y, scale * rng.normal(size=(n, 3))


@pytest.mark.parametrize(
    "loss",
    [
        HeadCrossentropy(Head(**{**vars(LABELS), "from_logits": True})),
        BCE(from_logits=True),
        lambda y, p: losses.binary_crossentropy(y, p, from_logits=True),
    ],
    ids=["head", "instance", "function"],
)
def test_weights_of_labels_reach_single_outputs(loss):
    y, logits = label_batch()
    rows = np.asarray(LabelWeighted(loss, WEIGHTS).call(y, logits.astype(np.float32)))
    np.testing.assert_allclose(rows, numpy_label_weighted(y, logits, WEIGHTS), rtol=1e-5)


@pytest.mark.parametrize("loss", [HeadCrossentropy(LABELS), BCE(), losses.binary_crossentropy])
def test_weighted_labels_stay_exact_where_a_sigmoid_saturates(loss):
    y, logits = label_batch(scale=1.0)
    logits = 100 * np.sign(logits)
    rows = LabelWeighted(loss, WEIGHTS).call(y, activated(LABELS, logits))
    expected = numpy_label_weighted(y, logits, WEIGHTS)
    np.testing.assert_allclose(rows, expected, rtol=1e-5, atol=1e-30)


def test_gradient_of_weighted_labels_equals_finite_differences():
    y, logits = label_batch(n=4)
    loss = LabelWeighted(HeadCrossentropy(LABELS), WEIGHTS)
    variable = tf.Variable(logits.astype(np.float32))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(loss.call(y, keras.activations.sigmoid(variable)))
    found = tape.gradient(total, variable).numpy()
    step, expected = 1e-5, np.empty_like(logits)
    for place in np.ndindex(*logits.shape):
        sides = []
        for sign in (1, -1):
            moved = logits.copy()
            moved[place] += sign * step
            sides.append(numpy_label_weighted(y, moved, WEIGHTS).sum())
        expected[place] = (sides[0] - sides[1]) / (2 * step)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_weights_of_one_leave_the_loss_as_it_is():
    y, logits = label_batch()
    outputs = activated(LABELS, logits)
    weighted = LabelWeighted(BCE(), np.ones((3, 2)))
    np.testing.assert_allclose(weighted(y, outputs), BCE()(y, outputs), rtol=1e-6)


def test_weighted_labels_survive_their_configuration():
    y, logits = label_batch()
    loss = LabelWeighted(HeadCrossentropy(LABELS), WEIGHTS)
    again = losses.deserialize(losses.serialize(loss))
    assert again.name == loss.name == "label_weighted_head_crossentropy"
    outputs = activated(LABELS, logits)
    np.testing.assert_array_equal(again(y, outputs), loss(y, outputs))


# Networks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "n_classes", "units", "activation"),
    [(BINARY, 2, 1, "sigmoid"), (MULTICLASS, 4, 4, "softmax"), (MULTILABEL, 3, 3, "sigmoid")],
)
@pytest.mark.parametrize("logits", [True, False])
def test_output_layer_fits_every_target(target, n_classes, units, activation, logits):
    meta = {"target_type_": target, "n_classes_": n_classes}
    layer = output_layer(meta, logits=logits, name="head", use_bias=False)
    assert (layer.units, layer.name, layer.use_bias) == (units, "head", False)
    assert layer.activation.__name__ == ("linear" if logits else activation)
    output = Output(units, "linear" if logits else activation)
    assert resolve_head(output, None, target, n_classes).from_logits is logits


def network(units, activation=None, *, behind=(), **kwargs):
    layers = [keras.Input((2,)), keras.layers.Dense(units, activation=activation, **kwargs)]
    return keras.Sequential([*layers, *behind])


PRIORS = {
    "one sigmoid": np.array([0.9, 0.1]),
    "two softmax": np.array([0.9, 0.1]),
    "four softmax": np.array([0.7, 0.2, 0.05, 0.05]),
    "three labels": np.array([0.5, 0.1, 0.01]),
}


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("form", ["with activation", "logits", "activation layer", "nested"])
def test_the_first_predictions_are_the_prior(name, form):
    head, prior = HEADS[name], PRIORS[name]
    last = [] if form != "activation layer" else [keras.layers.Activation(head.link)]
    activation = head.link if form in ("with activation", "nested") else None
    model = network(head.units, activation, behind=last, kernel_initializer="zeros")
    if form == "nested":
        model = keras.Sequential([keras.Input((2,)), model])
    start_at_prior(model, head, prior)
    outputs = model.predict_on_batch(np.ones((3, 2), np.float32))
    logits = head.logits(outputs, are_logits=form == "logits")
    np.testing.assert_allclose(head.probabilities(logits), np.tile(prior, (3, 1)), rtol=1e-5)


def functional(units, *behind):
    x = keras.Input((2,))
    hidden = keras.layers.Dense(units, activation="tanh", name="hidden")(x)
    last = keras.layers.Dense(units, name="last")
    y = keras.Sequential([last])(hidden) if behind == ("nested",) else last(hidden)
    for layer in behind if behind != ("nested",) else ():
        y = layer(y)
    return keras.Model(x, y), last


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("form", ["plain", "activation", "reshape and activation", "nested"])
def test_the_prior_is_found_a_layer_with_weights_in_functional_networks(name, form):
    head = HEADS[name]
    ends = [keras.layers.Activation(head.link)]
    behind = {
        "plain": [],
        "activation": ends,
        "reshape and activation": [keras.layers.Reshape((head.units,)), *ends],
        "nested": ["nested"],
    }[form]
    model, last = functional(head.units, *behind)
    start_at_prior(model, head, PRIORS[name])
    np.testing.assert_allclose(
        head.probabilities(last.bias.numpy()[None])[0], PRIORS[name], rtol=1e-5
    )
    assert not model.get_layer("hidden").bias.numpy().any()


def test_no_bias_is_written_where_several_layers_meet_at_the_output():
    x = keras.Input((2,))
    parts = [keras.layers.Dense(1)(x) for _ in range(2)]
    model = keras.Model(x, keras.layers.Add()(parts))
    start_at_prior(model, HEADS["one sigmoid"], np.array([0.9, 0.1]))
    assert not any(layer.bias.numpy().any() for layer in model.layers[1:3])


class LastIsHidden(keras.Model):
    """Its layers in another order than they are called in."""

    def __init__(self):
        super().__init__()
        self.out, self.hidden = keras.layers.Dense(1), keras.layers.Dense(1)

    def call(self, x):
        return self.out(self.hidden(x))


def test_no_bias_is_written_where_the_order_of_layers_is_not_known():
    model = LastIsHidden()
    model(np.ones((1, 2)))
    start_at_prior(model, HEADS["one sigmoid"], np.array([0.9, 0.1]))
    assert not (model.out.bias.numpy().any() or model.hidden.bias.numpy().any())


def test_no_bias_is_written_before_every_class_has_been_met():
    model = network(1)
    start_at_prior(model, HEADS["one sigmoid"], np.array([1.0, 0.0]))
    assert model.layers[-1].bias.numpy().tolist() == [0.0]


@pytest.mark.parametrize("head", [HEADS["one sigmoid"], HEADS["two softmax"]])
def test_a_bias_of_the_users_own_is_left_alone(head):
    model = network(head.units, bias_initializer="ones")
    start_at_prior(model, head, np.array([0.9, 0.1]))
    assert model.layers[-1].bias.numpy().tolist() == [1.0] * head.units


@pytest.mark.parametrize(
    "last", [{"use_bias": False}, {"behind": [keras.layers.LayerNormalization(center=False)]}]
)
def test_networks_without_an_output_bias_stay_as_they_are(last):
    model = network(1, **last)
    before = model.get_weights()
    start_at_prior(model, HEADS["one sigmoid"], np.array([0.9, 0.1]))
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


EVEN = balance_classes(None, np.arange(3), np.arange(3))


def test_an_automatic_loss_becomes_that_of_the_head():
    model = network(3, "softmax")
    arguments = {"optimizer": "sgd", "loss": None, "metrics": ["accuracy"]}
    head = compile_for_target(model, Output(3, "softmax"), arguments, MULTICLASS, 3, EVEN)
    assert isinstance(model.loss, HeadCrossentropy)
    assert model.loss.head == head
    assert arguments == {"optimizer": "sgd", "loss": None, "metrics": ["accuracy"]}


@pytest.mark.parametrize("loss", [["binary_crossentropy"], {"out": BCE()}, [HeadCrossentropy()]])
def test_the_loss_of_a_single_output_may_stand_in_a_container(loss):
    model = network(1, "sigmoid")
    arguments = {"optimizer": "sgd", "loss": loss}
    compile_for_target(model, Output(1, "sigmoid"), arguments, BINARY, 2, EVEN)
    assert not isinstance(model.loss, list | dict)


def test_label_weights_wrap_the_loss_once_however_often_it_is_compiled():
    model, three = network(3, "sigmoid"), np.eye(3, dtype=np.int64)
    weighted = balance_labels(WEIGHTS, three)
    arguments = {"optimizer": "sgd", "loss": "binary_crossentropy"}
    for _ in range(2):
        compile_for_target(model, Output(3, "sigmoid"), arguments, MULTILABEL, 3, weighted)
        assert isinstance(model.loss, LabelWeighted)
        assert not isinstance(model.loss.loss, LabelWeighted)
        arguments = compile_arguments_of(model, {})
    compile_for_target(
        model, Output(3, "sigmoid"), arguments, MULTILABEL, 3, balance_labels(None, three)
    )
    assert not isinstance(model.loss, LabelWeighted)


def test_a_compiled_network_keeps_its_arguments_and_others_take_those_given():
    model, optimizer = network(1), keras.optimizers.SGD(0.5)
    assert compile_arguments_of(model, {"optimizer": optimizer})["optimizer"] is optimizer
    model.compile(optimizer=optimizer, loss=own_loss)
    arguments = compile_arguments_of(model, {"optimizer": "adam", "loss": "mse"})
    assert arguments["optimizer"] is optimizer
    assert arguments["loss"] is own_loss


def test_a_network_without_an_optimizer_is_refused():
    with pytest.raises(ValueError, match="optimizer or a compiled model: optimizer='adam'"):
        compile_arguments_of(network(1), {"loss": "mse"})


@pytest.mark.parametrize(
    ("requested", "compiled"),
    [
        (None, "bce"),
        ("auto", "mse"),
        ("bce", None),
        ("bce", BCE()),
        (BCE, BCE(from_logits=True)),
        (["bce"], "binary_crossentropy"),
        (["bce", "mse"], "hinge"),
        (OwnLoss, OwnLoss()),
    ],
)
def test_one_loss_asked_for_in_two_places_passes(requested, compiled):
    check_same_loss(requested, compiled)


@pytest.mark.parametrize(("requested", "compiled"), [("bce", "mse"), (BCE(), own_loss)])
def test_two_losses_are_refused(requested, compiled):
    with pytest.raises(ValueError, match="Leave the loss to one of the two: loss='auto'"):
        check_same_loss(requested, compiled)


def test_messages_call_the_output_layer_by_its_name():
    assert output_layer_name(network(1, name="fraud")) == "the output layer 'fraud'"

    class Subclassed(keras.Model):
        """A network without declared outputs."""

    assert output_layer_name(Subclassed()) == "the last layer"
