"""Losses for rare classes: their formulas, their derivatives, and the way back to posteriors."""

import copy
import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, log_softmax, softmax

from sk_imbalance_nn.losses import (
    NAMED_LOSSES,
    AsymmetricLoss,
    BalancedSoftmaxLoss,
    DeferredReweighting,
    FocalLoss,
    LDAMLoss,
    LogitAdjustedLoss,
    WeightedCrossentropy,
)
from sk_imbalance_nn.networks.heads import Head
from sk_imbalance_nn.networks.loss_inputs import logits_from, targets_like
from sk_imbalance_nn.networks.normalized_dense import NormalizedDense

SIGMOID, SOFTMAX = "sigmoid", "softmax"
BINARY = Head("binary", 2, 1, SIGMOID, False, "column")
TWO_UNITS = Head("binary", 2, 2, SOFTMAX, True, "codes")
CLASSES = Head("multiclass", 3, 3, SOFTMAX, False, "codes")
LABELS = Head("multilabel-indicator", 3, 3, SIGMOID, True, "indicator")
HEADS = {"binary": BINARY, "two units": TWO_UNITS, "classes": CLASSES, "labels": LABELS}
COUNTS = {
    "binary": np.array([900.0, 40.0]),
    "two units": np.array([900.0, 40.0]),
    "classes": np.array([500.0, 60.0, 7.0]),
    "labels": np.array([[90.0, 10.0], [40.0, 60.0], [97.0, 3.0]]),
}


def prior_of(counts):
    shares = counts / counts.sum(axis=-1, keepdims=True)
    return shares[:, 1] if counts.ndim == 2 else shares


def pair(values, link):
    """Zeros' and ones' part of an array of shape (2,) or (L, 2)."""
    return values[..., 0], values[..., 1]


# Formulas in double precision, as the papers write them -------------------------------------------


def crossentropy(y, z, link):
    """Of elements under a sigmoid, of rows under a softmax."""
    if link == SIGMOID:
        return y * np.logaddexp(0, -z) + (1 - y) * np.logaddexp(0, z)
    return -(y * log_softmax(z, axis=-1)).sum(axis=-1)


def focal(y, z, link, gamma):
    if link == SIGMOID:
        p = expit(np.where(y == 1, z, -z))
        return -((1 - p) ** gamma) * np.log(p)
    p = (y * softmax(z, axis=-1)).sum(axis=-1)
    return -((1 - p) ** gamma) * np.log(p)


def logit_adjusted(y, z, link, tau, prior):
    if link == SOFTMAX:
        return crossentropy(y, z + tau * np.log(prior), link)
    ones = prior[1] if len(prior) == 2 else prior
    return crossentropy(y, z + tau * np.log(ones / (1 - ones)), link)


def margins_of(counts, max_margin):
    inverse = counts**-0.25
    return max_margin * inverse / inverse.max(axis=-1, keepdims=True)


def ldam(y, z, link, max_margin, scale, counts):
    margins = margins_of(counts, max_margin)
    if link == SOFTMAX:
        return crossentropy(y, scale * (z - y * margins), link)
    zeros, ones = pair(margins, link)
    return crossentropy(y, scale * np.where(y == 1, z - ones, z + zeros), link)


def asymmetric(y, z, link, gamma_negative, gamma_positive, margin):
    p = expit(z)
    p_m = np.maximum(p - margin, 0)
    ones = (1 - p) ** gamma_positive * np.log(p)
    zeros = p_m**gamma_negative * np.log1p(-p_m)
    return -np.where(y == 1, ones, zeros)


def rows(losses, link):
    return losses.mean(axis=-1) if link == SIGMOID else losses


def loss_and_formula(name, head_name, a=2.0, b=0.3, c=0.05, /, **kwargs):
    """A loss with numbers between their bounds, and the function of (y, z) that it should be."""
    head, counts = HEADS[head_name], COUNTS[head_name]
    link = head.link
    kwargs = {"link": link, "from_logits": True, "reduction": None, **kwargs}
    if name == "weighted":
        return WeightedCrossentropy(**kwargs), lambda y, z: crossentropy(y, z, link)
    if name == "focal":
        return FocalLoss(a, **kwargs), lambda y, z: focal(y, z, link, a)
    if name == "logit_adjusted":
        prior = prior_of(counts)
        loss = LogitAdjustedLoss(a, prior, **kwargs)
        return loss, lambda y, z: logit_adjusted(y, z, link, a, prior)
    if name == "balanced_softmax":
        prior = prior_of(counts)
        loss = BalancedSoftmaxLoss(prior, **kwargs)
        return loss, lambda y, z: logit_adjusted(y, z, link, 1.0, prior)
    if name == "ldam":
        loss = LDAMLoss(b, a + 0.5, counts=counts, **kwargs)
        return loss, lambda y, z: ldam(y, z, link, b, a + 0.5, counts)
    loss = AsymmetricLoss(a, b, c, **kwargs)
    return loss, lambda y, z: asymmetric(y, z, link, a, b, c)


NAMES = ["weighted", *NAMED_LOSSES]
FITTING = [
    (name, head)
    for name in NAMES
    for head in HEADS
    if name != "asymmetric" or HEADS[head].link == SIGMOID
]
every_loss = pytest.mark.parametrize(("name", "head_name"), FITTING)


def targets_for(head, rng, n):
    """Codes as the estimator gives them, and the same in the shape of the logits."""
    if head.encoding == "codes":
        codes = rng.integers(0, head.n_classes, n)
        return codes[:, None].astype(np.float32), np.eye(head.n_classes)[codes]
    y = rng.integers(0, 2, (n, head.units)).astype(np.float32)
    return y, y.astype(np.float64)


def activated(link, logits):
    """What a network with an activation at its end answers with, logits attached."""
    return keras.activations.get(link)(keras.ops.convert_to_tensor(logits, "float32"))


def probabilities(link, logits):
    p = expit(logits) if link == SIGMOID else softmax(logits, axis=-1)
    return p.astype(np.float32)


@st.composite
def problems(draw):
    name, head_name = draw(st.sampled_from(FITTING))
    head = HEADS[head_name]
    n = draw(st.integers(1, 4))
    logits = draw(arrays(np.float64, (n, head.units), elements=st.floats(-5, 5, width=16)))
    seed, a = draw(st.integers(0, 99)), draw(st.sampled_from([0.0, 0.25, 1.0, 3.5]))
    b, c = draw(st.sampled_from([0.0, 0.5, 2.0])), draw(st.sampled_from([0.0, 0.05, 0.4]))
    loss, formula = loss_and_formula(name, head_name, a, b, c)
    y_true, y = targets_for(head, np.random.default_rng(seed), n)
    return loss, head.link, y_true, logits, rows(formula(y, logits), head.link)


@settings(deadline=None, max_examples=60)
@given(problems())
def test_every_loss_is_its_formula_from_logits(problem):
    loss, _, y_true, logits, expected = problem
    found = np.asarray(loss(y_true, logits))
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-6)


@settings(deadline=None, max_examples=40)
@given(problems())
def test_probabilities_with_and_without_their_logits_give_the_same(problem):
    loss, link, y_true, logits, expected = problem
    loss = type(loss).from_config({**loss.get_config(), "from_logits": None})
    np.testing.assert_allclose(
        loss(y_true, activated(link, logits)), expected, rtol=2e-4, atol=2e-6
    )
    np.testing.assert_allclose(
        loss(y_true, probabilities(link, logits)), expected, rtol=2e-3, atol=1e-5
    )


@pytest.mark.parametrize("name", [name for name in NAMES if name != "asymmetric"])
def test_codes_and_one_hot_rows_are_the_same_targets(name):
    loss, _ = loss_and_formula(name, "classes")
    z = np.random.default_rng(0).normal(size=(5, 3))
    codes = np.array([0, 1, 2, 2, 0])
    forms = [codes, codes[:, None].astype(np.float32), np.eye(3)[codes]]
    first, *others = [np.asarray(loss.call(form, z.astype(np.float32))) for form in forms]
    for other in others:
        np.testing.assert_array_equal(other, first)


def test_a_link_that_nobody_named_follows_from_the_outputs():
    z = np.array([[0.5], [-2.0]])
    one = FocalLoss(from_logits=True)(np.array([1, 0]), z)
    two = FocalLoss(from_logits=True)(np.array([1, 0]), np.hstack([np.zeros((2, 1)), z]))
    named = FocalLoss(from_logits=True, link=SIGMOID)(np.array([[1.0], [0.0]]), z)
    np.testing.assert_allclose([one, two], named, rtol=1e-6)


def test_attached_logits_go_before_probabilities():
    outputs = activated(SIGMOID, [[40.0]])
    assert float(logits_from(outputs, SIGMOID, False, "float32")[0, 0]) == 40.0


def test_soft_targets_mix_the_losses_of_the_classes():
    loss, _ = loss_and_formula("focal", "classes")
    z = np.array([[0.3, -1.0, 2.0]], np.float32)
    single = [float(loss.call(np.eye(3)[[code]], z)[0]) for code in range(3)]
    share = np.array([0.2, 0.5, 0.3])
    np.testing.assert_allclose(loss.call(share[None], z), [share @ single], rtol=1e-6)


# Derivatives --------------------------------------------------------------------------------------


def gradient(loss, y_true, logits, carried=True):
    variable = tf.Variable(np.asarray(logits, np.float32))
    with tf.GradientTape() as tape:
        outputs = keras.activations.get(loss.link)(variable) if carried else variable
        total = tf.reduce_sum(loss.call(y_true, outputs))
    return tape.gradient(total, variable).numpy()


def central_differences(function, z, step=1e-6):
    slopes = np.empty_like(z)
    for place in np.ndindex(*z.shape):
        moved = np.zeros_like(z)
        moved[place] = step
        slopes[place] = (function(z + moved) - function(z - moved)) / (2 * step)
    return slopes


@every_loss
@pytest.mark.parametrize("a", [0.0, 0.5, 2.0])
def test_gradients_are_finite_differences_of_the_formula(name, head_name, a):
    loss, formula = loss_and_formula(name, head_name, a, 0.5, from_logits=None)
    head, rng = HEADS[head_name], np.random.default_rng(3)
    y_true, y = targets_for(head, rng, 6)
    logits = rng.normal(scale=2.0, size=(6, head.units))
    expected = central_differences(lambda z: rows(formula(y, z), head.link).sum(), logits)
    np.testing.assert_allclose(gradient(loss, y_true, logits), expected, rtol=1e-3, atol=2e-6)


EXTREME = [(1, 0.0), (0.5, 0.0), (0.0, 0.3), (4.0, 0.05)]


@pytest.mark.parametrize("from_logits", [True, None])
@pytest.mark.parametrize(("a", "c"), EXTREME)
@pytest.mark.parametrize("name", NAMES)
def test_sigmoids_at_100_have_finite_losses_and_gradients_of_the_right_sign(
    name, a, c, from_logits
):
    loss, _ = loss_and_formula(name, "binary", a, 0.5, c, from_logits=from_logits)
    z = np.array([[100.0], [100.0], [-100.0], [-100.0]])
    y = np.array([[1], [0], [1], [0]], np.float32)
    outputs = z.astype(np.float32) if from_logits else activated(SIGMOID, z)
    assert np.isfinite(np.asarray(loss.call(y, outputs))).all()
    slopes = gradient(loss, y, z, carried=not from_logits)
    assert np.isfinite(slopes).all()
    assert (slopes * np.where(y == 1, -1, 1) >= 0).all()
    assert (slopes[2] < 0).all()
    # Its zeros are meant to be forgotten where p is far beyond doubt: dp/dz is all that is left.
    if name != "asymmetric" or c == 0:
        assert (slopes[1] > 0).all()


@pytest.mark.parametrize("a", [0.0, 0.5, 2.0])
@pytest.mark.parametrize(
    ("name", "head_name"), [case for case in FITTING if HEADS[case[1]].link == SOFTMAX]
)
def test_softmaxes_at_100_have_finite_losses_and_gradients_of_the_right_sign(name, head_name, a):
    loss, _ = loss_and_formula(name, head_name, a, 0.5, from_logits=None)
    units = HEADS[head_name].units
    z = np.full((units, units), -100.0)
    z[:, 0] = 100.0  # the first row is right by 200, the others are wrong by as much
    y = np.arange(units, dtype=np.float32)[:, None]
    assert np.isfinite(np.asarray(loss.call(y, activated(SOFTMAX, z)))).all()
    slopes = gradient(loss, y, z)
    assert np.isfinite(slopes).all()
    assert slopes[0, 0] <= 0
    assert (np.diag(slopes)[1:] < 0).all() and (slopes[1:, 0] > 0).all()


@every_loss
def test_probabilities_of_zero_and_one_are_finite(name, head_name):
    loss, _ = loss_and_formula(name, head_name, 0.5, 0.5, from_logits=None)
    head = HEADS[head_name]
    sure = np.zeros((2, head.units), np.float32)
    sure[:, 0] = 1
    y = (
        np.array([[0.0], [1.0]])
        if head.encoding == "codes"
        else np.array([[0.0], [1.0]]) + 0 * sure
    )
    variable = tf.Variable(sure)
    with tf.GradientTape() as tape:
        losses = loss.call(y.astype(np.float32), tf.identity(variable))
    assert np.isfinite(losses).all() and np.isfinite(tape.gradient(losses, variable)).all()


# Limits -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "head_name"),
    [case for case in FITTING if case[0] not in ("weighted", "balanced_softmax")],
)
def test_where_a_loss_adds_nothing_it_is_keras_crossentropy(name, head_name):
    head, counts = HEADS[head_name], COUNTS[head_name]
    kwargs = {"from_logits": True, "link": head.link}
    loss = {
        "focal": lambda: FocalLoss(0, **kwargs),
        "logit_adjusted": lambda: LogitAdjustedLoss(0, prior_of(counts), **kwargs),
        "ldam": lambda: LDAMLoss(0, counts=counts, **kwargs),
        "asymmetric": lambda: AsymmetricLoss(0, 0, 0, **kwargs),
    }[name]()
    rng = np.random.default_rng(0)
    y_true, _ = targets_for(head, rng, 20)
    z = 5 * rng.normal(size=(20, head.units))
    kind = (
        keras.losses.BinaryCrossentropy
        if head.link == SIGMOID
        else keras.losses.SparseCategoricalCrossentropy
    )
    np.testing.assert_allclose(loss(y_true, z), kind(from_logits=True)(y_true, z), rtol=2e-6)
    normalised = (lambda z: z) if head.link == SIGMOID else (lambda z: log_softmax(z, axis=-1))
    np.testing.assert_allclose(normalised(loss.posterior(z)), normalised(z), atol=1e-9)


def test_equal_classes_have_equal_margins_and_no_adjustment():
    z = np.array([[1.0, -2.0, 0.5]])
    adjusted = LogitAdjustedLoss(prior=[1 / 3] * 3, from_logits=True)
    np.testing.assert_allclose(
        adjusted([1], z), WeightedCrossentropy(from_logits=True)([1], z), rtol=1e-6
    )
    np.testing.assert_allclose(LDAMLoss(0.3, counts=[5, 5, 5]).margins, 0.3)


def test_absent_classes_are_finite():
    z = np.array([[1.0, -2.0, 0.5]])
    adjusted = LogitAdjustedLoss(prior=[0.9, 0.1, 0.0], from_logits=True)
    expected = logit_adjusted(np.eye(3)[[2]], z, SOFTMAX, 1.0, np.array([0.9, 0.1, 1e-6]))
    np.testing.assert_allclose(adjusted([2], z), expected[0], rtol=1e-5)
    margins = LDAMLoss(0.5, counts=[16.0, 1.0, 0.0]).margins
    np.testing.assert_allclose(margins, [0.25, 0.5, 0.5])


# The way back to posteriors -----------------------------------------------------------------------


def minimiser(formula, eta, link, scale):
    """Logits of the least expected loss, for classes (or a one) of probability eta."""
    if link == SIGMOID:

        def risk(z):
            z = np.array([[z]])
            return (eta * formula(np.ones((1, 1)), z) + (1 - eta) * formula(0 * z, z)).item()

        grid = np.linspace(-15, 15, 121) / scale
        best = grid[np.argmin([risk(z) for z in grid])]
        bounds = (best - 0.5 / scale, best + 0.5 / scale)
        found = minimize_scalar(risk, bounds=bounds, method="bounded", options={"xatol": 1e-9})
        return np.array([[found.x]])
    n = len(eta)
    every = np.eye(n)

    def risk(free):
        return eta @ formula(every, np.tile(np.append(free, 0.0), (n, 1)))

    found = minimize(risk, np.zeros(n - 1), method="BFGS", options={"gtol": 1e-8})
    return np.append(found.x, 0.0)[None]


POSTERIOR_CASES = [
    (name, head_name, a, b)
    for name, head_name in FITTING
    if head_name in ("binary", "classes")
    for a, b in (
        [(0.5, 0.5), (3.0, 1.5)] if name not in ("weighted", "balanced_softmax") else [(1, 1)]
    )
]


@pytest.mark.parametrize(("name", "head_name", "a", "b"), POSTERIOR_CASES)
def test_the_posterior_of_the_least_expected_loss_is_the_true_one(name, head_name, a, b):
    loss, formula = loss_and_formula(name, head_name, a, b)
    head, rng = HEADS[head_name], np.random.default_rng(5)
    scale = getattr(loss, "scale", 1.0)
    for _ in range(3):
        if head.link == SIGMOID:
            eta = rng.uniform(0.03, 0.97)
        else:
            eta = rng.dirichlet(np.ones(3)) * 0.94 + 0.02
        logits = loss.posterior(minimiser(formula, eta, head.link, scale))
        found = expit(logits[0, 0]) if head.link == SIGMOID else softmax(logits[0])
        np.testing.assert_allclose(found, eta, atol=2e-4)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "asymmetric"])
def test_two_softmax_units_and_one_sigmoid_have_the_same_posterior(name):
    one, _ = loss_and_formula(name, "binary", 1.5)
    two, _ = loss_and_formula(name, "two units", 1.5)
    z = np.linspace(-30, 30, 13)[:, None]
    both = two.posterior(np.hstack([np.zeros_like(z), z]))
    np.testing.assert_allclose(both[:, 1:] - both[:, :1], one.posterior(z), rtol=1e-9, atol=1e-9)


@every_loss
def test_posteriors_stay_finite_and_in_order_at_the_ends(name, head_name):
    loss, _ = loss_and_formula(name, head_name, 0.5, 0.5)
    head = HEADS[head_name]
    z = np.zeros((9, head.units))
    z[:, -1] = [-900, -700, -100, -20, 0, 20, 100, 700, 900]
    posterior = loss.posterior(z)
    assert np.isfinite(posterior).all()
    last = posterior[:, -1] - (0 if head.link == SIGMOID else posterior[:, 0])
    assert (np.diff(last) > 0).all()


def test_what_an_asymmetric_loss_ignores_has_the_posterior_zero():
    loss = AsymmetricLoss(margin=0.2)
    z = np.log(np.array([[0.05], [0.19], [0.21]]) / [[0.95], [0.81], [0.79]])
    posterior = loss.posterior(z)[:, 0]
    assert (expit(posterior[:2]) == 0).all() and expit(posterior[2]) > 0
    assert (np.diff(posterior) > 0).all()


def test_scores_and_the_start_undo_each_other():
    prior = np.log([0.9, 0.08, 0.02])
    scaled = LDAMLoss(scale=30.0)
    np.testing.assert_allclose(scaled.scores(scaled.start(prior)), prior)
    adjusted = LogitAdjustedLoss(0.7, prior=[0.9, 0.08, 0.02])
    np.testing.assert_allclose(adjusted.posterior(adjusted.start(prior)[None])[0], prior)
    np.testing.assert_allclose(adjusted.start(prior), 0.3 * prior)
    plain = FocalLoss()
    assert plain.start(prior) is prior and plain.scores(prior) is prior


# Weights ------------------------------------------------------------------------------------------


@every_loss
def test_class_weights_multiply_the_loss_of_the_true_class(name, head_name):
    head, rng = HEADS[head_name], np.random.default_rng(1)
    weights = rng.uniform(0.5, 4.0, COUNTS[head_name].shape)
    loss, formula = loss_and_formula(name, head_name, 1.5, 0.3, class_weight=weights)
    y_true, y = targets_for(head, rng, 12)
    z = rng.normal(size=(12, head.units))
    if head.link == SIGMOID:
        of_zeros, of_ones = pair(weights, head.link)
        weight = np.where(y == 1, of_ones, of_zeros)
    else:
        weight = y @ weights
    expected = rows(weight * formula(y, z), head.link)
    np.testing.assert_allclose(loss(y_true, z), expected, rtol=2e-4, atol=1e-6)


def test_trap_alpha_of_the_focal_loss_is_not_ignored():
    """Keras' BinaryFocalCrossentropy drops alpha unless apply_class_balancing is set too."""
    y, p = np.array([[1.0], [0.0]]), np.array([[0.3], [0.3]])
    plain, weighted = (
        np.asarray(FocalLoss(class_weight=weights, reduction=None)(y, p))
        for weights in (None, [1.0, 10.0])
    )
    np.testing.assert_allclose(weighted, plain * [10.0, 1.0], rtol=1e-6)


def test_one_dimensional_weights_of_labels_are_those_of_ones():
    y, z = np.array([[1.0, 0.0, 1.0]]), np.array([[0.3, -1.0, 2.0]])
    kwargs = {"link": SIGMOID, "from_logits": True}
    short = WeightedCrossentropy([2.0, 5.0, 7.0], **kwargs)(y, z)
    full = WeightedCrossentropy([[1.0, 2.0], [1.0, 5.0], [1.0, 7.0]], **kwargs)(y, z)
    assert float(short) == float(full)
    expected = (np.array([2.0, 1.0, 7.0]) * crossentropy(y, z, SIGMOID)).mean()
    np.testing.assert_allclose(short, expected, rtol=1e-6)


def test_rows_may_weigh_too():
    loss = FocalLoss(class_weight=[1.0, 3.0], reduction="sum")
    y, p = np.array([[1.0], [0.0]]), np.array([[0.4], [0.6]])
    once = [float(loss(y[[row]], p[[row]])) for row in (0, 1)]
    np.testing.assert_allclose(
        loss(y, p, np.array([2.0, 0.5])), 2 * once[0] + 0.5 * once[1], rtol=1e-6
    )


def test_deferred_weights_wait_for_their_epoch():
    y, z = np.array([0, 1]), np.array([[0.3, -0.2], [0.5, 0.1]], np.float32)
    kwargs = {"counts": [90, 10], "from_logits": True, "reduction": None}
    plain = np.asarray(LDAMLoss(**kwargs)(y, z))
    loss = LDAMLoss(class_weight=[0.5, 4.0], **kwargs)
    traced = tf.function(loss.call)
    np.testing.assert_allclose(traced(y, z), plain * [0.5, 4.0], rtol=1e-6)
    callback = DeferredReweighting(3)
    callback.set_model(SimpleNamespace(loss=loss))
    for epoch, on in [(0, False), (2, False), (3, True), (7, True), (1, False)]:
        callback.on_epoch_begin(epoch)
        np.testing.assert_allclose(traced(y, z), plain * ([0.5, 4.0] if on else 1), rtol=1e-6)
    assert loss.defers and not LDAMLoss(reweight_after=None).defers
    callback.set_model(SimpleNamespace(loss=FocalLoss()))
    with pytest.raises(TypeError, match="expected one whose weights can wait"):
        callback.on_epoch_begin(0)


# What an estimator tells a loss -------------------------------------------------------------------


@every_loss
def test_fitted_to_fills_in_what_was_left_open(name, head_name):
    head, counts = HEADS[head_name], COUNTS[head_name]
    kind = NAMED_LOSSES.get(name, WeightedCrossentropy)
    left_open = kind()
    loss = left_open.fitted_to(head, counts, prior_of(counts), np.ones_like(counts))
    assert (loss.link, loss.from_logits) == (head.link, head.from_logits)
    assert loss.class_weight == np.ones_like(counts).tolist()
    assert left_open.link is None and left_open.class_weight is None
    again = loss.fitted_to(head, counts, prior_of(counts))
    assert again.class_weight is None
    codes = np.zeros((2, head.n_classes) if head.encoding == "indicator" else 2, int)
    outputs = probabilities(head.link, np.zeros((2, head.units)))
    outputs = np.zeros_like(outputs) if head.from_logits else outputs
    assert np.isfinite(float(loss(head.encode(codes), outputs)))


def test_fitted_to_keeps_what_the_user_gave():
    counts, prior = COUNTS["classes"], prior_of(COUNTS["classes"])
    own = LogitAdjustedLoss(prior=[0.2, 0.3, 0.5], class_weight=[1.0, 2.0, 3.0], from_logits=True)
    fitted = own.fitted_to(CLASSES, counts, prior, [9.0, 9.0, 9.0])
    fitted.adapt(counts, prior)
    assert fitted.prior == [0.2, 0.3, 0.5] and fitted.class_weight == [1.0, 2.0, 3.0]
    assert fitted.from_logits is True and fitted.link == SOFTMAX
    margins = LDAMLoss(counts=[1.0, 2.0, 3.0], reweight_after=None, scale=2).fitted_to(
        CLASSES, counts, prior
    )
    margins.adapt(counts, prior)
    assert margins.counts == [1.0, 2.0, 3.0] and margins.scale == 2
    assert margins.reweight_after is None


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("name", ["logit_adjusted", "balanced_softmax", "ldam"])
def test_adapting_renews_frequencies_in_programs_already_traced(name, stored):
    old, new = np.array([900.0, 40.0, 5.0]), np.array([100.0, 300.0, 50.0])
    loss = NAMED_LOSSES[name]().fitted_to(CLASSES, old, prior_of(old))
    if stored:
        loss = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    y, p = np.array([[2.0], [0.0]], np.float32), np.full((2, 3), 1 / 3, np.float32)
    traced = tf.function(loss.call)
    before = np.asarray(traced(y, p))
    loss.adapt(new, prior_of(new))
    fresh = NAMED_LOSSES[name]().fitted_to(CLASSES, new, prior_of(new))
    np.testing.assert_allclose(traced(y, p), fresh.call(y, p), rtol=1e-6)
    assert not np.allclose(traced(y, p), before, rtol=1e-3)
    assert loss.get_config() == fresh.get_config()
    np.testing.assert_array_equal(loss.posterior(p), fresh.posterior(p))
    with pytest.raises(ValueError, match="make a new loss for other classes"):
        loss.adapt(new[:2], prior_of(new[:2]))


# The keys of each configuration that are read from variables.
HELD = {
    "weighted": {"class_weight"},
    "focal": {"class_weight", "gamma"},
    "logit_adjusted": {"class_weight", "tau", "prior"},
    "balanced_softmax": {"class_weight", "prior"},
    "ldam": {"class_weight", "max_margin", "scale", "reweight_after", "counts"},
    "asymmetric": {"class_weight", "gamma_negative", "gamma_positive", "margin"},
}


@pytest.mark.parametrize("name", NAMES)
def test_losses_that_differ_in_numbers_differ_in_their_variables_alone(name):
    head_name, head, rng = "labels", LABELS, np.random.default_rng(2)
    y_true, _ = targets_for(head, rng, 8)
    z = rng.normal(size=(8, head.units)).astype(np.float32)
    counts = COUNTS[head_name]
    one, _ = loss_and_formula(name, head_name, 2.0, 0.3, 0.05, class_weight=counts)
    two, _ = loss_and_formula(name, head_name, 0.7, 0.9, 0.2, class_weight=counts[::-1] + 1)
    configs = [
        {key: value for key, value in loss.get_config().items() if key not in HELD[name]}
        for loss in (one, two)
    ]
    assert configs[0] == configs[1]
    traced = tf.function(one.call)
    first, second = np.asarray(traced(y_true, z)), np.asarray(two.call(y_true, z))
    assert not np.allclose(first, second, rtol=1e-3)
    assert len(one.variables) == len(two.variables) > 0
    for variable, other in zip(one.variables, two.variables, strict=True):
        assert not variable.trainable
        variable.assign(other)
    np.testing.assert_allclose(traced(y_true, z), second, rtol=1e-5)


# Writing down -------------------------------------------------------------------------------------


@every_loss
def test_losses_survive_their_configuration_and_copies(name, head_name):
    head, counts = HEADS[head_name], COUNTS[head_name]
    given, _ = loss_and_formula(name, head_name, 0.3, 0.1, name="mine", class_weight=counts)
    filled = NAMED_LOSSES.get(name, WeightedCrossentropy)().fitted_to(
        head, counts, prior_of(counts), counts
    )
    rng = np.random.default_rng(0)
    y_true, _ = targets_for(head, rng, 4)
    p = probabilities(head.link, rng.normal(size=(4, head.units)))
    for loss in (given, filled):
        written = json.loads(json.dumps(keras.saving.serialize_keras_object(loss)))
        assert written["registered_name"] == f"sk_imbalance_nn>{type(loss).__name__}"
        for again in (keras.saving.deserialize_keras_object(written), copy.deepcopy(loss)):
            assert type(again) is type(loss) and again.get_config() == loss.get_config()
            np.testing.assert_array_equal(again(y_true, p), loss(y_true, p))
    assert given.name == "mine" and filled.name.endswith(("_loss", "crossentropy"))


def test_a_loss_trains_in_a_plain_network_and_is_saved_with_it(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(24, 4)).astype(np.float32)
    y = (X[:, 0] > 0.5).astype(np.int32)
    layers = [keras.Input((4,)), NormalizedDense(2)]
    model = keras.Sequential(layers)
    loss = LDAMLoss(scale=30.0, counts=np.bincount(y), class_weight=[0.5, 4.0], from_logits=True)
    model.compile("adam", loss)
    before = model.get_weights()[0]
    callback = DeferredReweighting(1)
    history = model.fit(X, y, epochs=2, batch_size=24, verbose=0, callbacks=[callback])
    assert np.isfinite(history.history["loss"]).all()
    assert not np.array_equal(before, model.get_weights()[0])
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert again.loss.get_config() == loss.get_config()
    np.testing.assert_array_equal(again(X), model(X))


# Errors -------------------------------------------------------------------------------------------

ONE, THREE = np.zeros((1, 1), np.float32), np.zeros((1, 3), np.float32)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: FocalLoss(-1), "'gamma' parameter of FocalLoss"),
        (lambda: FocalLoss(np.nan), "'gamma' parameter of FocalLoss"),
        (lambda: FocalLoss(link="linear"), "'link' parameter"),
        (lambda: LogitAdjustedLoss(np.inf), "'tau' parameter"),
        (lambda: LogitAdjustedLoss(-0.1), "'tau' parameter"),
        (lambda: LogitAdjustedLoss(prior=[90, 10]), "divide counts by their sum"),
        (lambda: BalancedSoftmaxLoss([[0.5, 0.5]]), "expected shares from 0 to 1"),
        (lambda: BalancedSoftmaxLoss([0.5, np.nan]), "expected shares from 0 to 1"),
        (lambda: LDAMLoss(-0.1), "'max_margin' parameter"),
        (lambda: LDAMLoss(scale=0), "'scale' parameter"),
        (lambda: LDAMLoss(reweight_after=0), "'reweight_after' parameter"),
        (lambda: LDAMLoss(reweight_after=1.5), "'reweight_after' parameter"),
        (lambda: LDAMLoss(counts=[1.0, -1.0]), "counts is"),
        (lambda: LDAMLoss(counts=[[1.0, 2.0, 3.0]]), "counts is"),
        (lambda: LDAMLoss(counts=5.0), "counts is"),
        (lambda: AsymmetricLoss(margin=1), "'margin' parameter"),
        (lambda: AsymmetricLoss(-1), "'gamma_negative' parameter"),
        (lambda: AsymmetricLoss(1, -1), "'gamma_positive' parameter"),
        (lambda: AsymmetricLoss(link=SOFTMAX), "use loss='focal'"),
        (lambda: WeightedCrossentropy({0: 1.0}), "knows classes by their order only"),
        (lambda: WeightedCrossentropy("balanced"), "knows classes by their order only"),
        (lambda: WeightedCrossentropy([0.0, 0.0]), "not all zero"),
        (lambda: WeightedCrossentropy([1.0, np.inf]), "expected finite numbers"),
        (lambda: WeightedCrossentropy(np.ones((2, 3))), "expected a weight for each class"),
    ],
)
def test_arguments_that_cannot_be_meant_are_refused(make, match):
    with pytest.raises((ValueError, TypeError), match=match):
        make()


@pytest.mark.parametrize(
    ("loss", "y_pred", "match"),
    [
        (LogitAdjustedLoss(), THREE, r"give prior=\[...\]"),
        (BalancedSoftmaxLoss(), ONE, r"BalancedSoftmaxLoss goes by.*give prior=\[...\]"),
        (LDAMLoss(), THREE, r"give counts=\[...\]"),
        (LogitAdjustedLoss(prior=[0.5, 0.5]), THREE, "network has 3 classes"),
        (LogitAdjustedLoss(prior=[0.5, 0.2, 0.2]), THREE, "adds up to 0.9"),
        (LogitAdjustedLoss(prior=[0.5, 0.2]), ONE, "adds up to 0.7"),
        (LogitAdjustedLoss(prior=[0.5, 0.5], link=SIGMOID), THREE, "3 sigmoid outputs"),
        (LDAMLoss(counts=[5, 6]), THREE, "network has 3 classes"),
        (LDAMLoss(counts=[5, 6, 7], link=SIGMOID), THREE, "3 sigmoid outputs"),
        (LDAMLoss(counts=[5, 6, 7]), ONE, "1 sigmoid output;"),
        (AsymmetricLoss(), THREE, "use loss='focal'"),
        (FocalLoss(link=SOFTMAX), ONE, "link='softmax', but the network has one output"),
    ],
)
def test_what_does_not_fit_the_outputs_is_refused_in_training_and_reading(loss, y_pred, match):
    y_true = np.zeros_like(y_pred) if loss.link == SIGMOID else np.zeros((1, 1))
    with pytest.raises(ValueError, match=match):
        loss.call(y_true, y_pred)
    if not isinstance(loss, AsymmetricLoss):
        with pytest.raises(ValueError, match=match):
            loss.posterior(y_pred)


@pytest.mark.parametrize(
    ("weights", "link", "match"),
    [
        ([1.0, 2.0], None, "network has 3 classes"),
        (np.ones((3, 2)), SOFTMAX, "link='sigmoid' if its outputs are labels"),
        (np.ones((2, 2)), SIGMOID, "3 sigmoid outputs"),
        (np.ones(2), SIGMOID, "3 sigmoid outputs"),
    ],
)
def test_weights_of_other_classes_are_refused(weights, link, match):
    loss = WeightedCrossentropy(weights, link=link)
    with pytest.raises(ValueError, match=match):
        loss.call(np.zeros((1, 3)) if link == SIGMOID else [0], THREE)


@pytest.mark.parametrize(
    ("y_true", "y_pred", "link", "match"),
    [
        (np.zeros((2, 1)), np.zeros((2, 3)), SIGMOID, "give link='softmax'"),
        (np.zeros((2, 2)), np.zeros((2, 3)), SOFTMAX, "codes or one-hot rows"),
        (np.zeros((2, 3, 1)), np.zeros((2, 3)), SOFTMAX, "codes or one-hot rows"),
    ],
)
def test_targets_of_another_shape_are_refused(y_true, y_pred, link, match):
    with pytest.raises(ValueError, match=match):
        targets_like(y_true, keras.ops.convert_to_tensor(y_pred), link)


def test_a_link_against_the_head_is_refused():
    with pytest.raises(ValueError, match="given link='sigmoid', but the network ends in a softmax"):
        FocalLoss(link=SIGMOID).fitted_to(CLASSES, COUNTS["classes"], None)
    with pytest.raises(ValueError, match="use loss='focal'"):
        AsymmetricLoss().fitted_to(CLASSES, COUNTS["classes"], None)


# The normalised layer -----------------------------------------------------------------------------


def test_the_normalised_layer_answers_with_cosines():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(6, 4))
    layer = NormalizedDense(3, kernel_regularizer="l2", name="cosines")
    found = np.asarray(layer(1000 * X))
    kernel = np.asarray(layer.kernel)
    expected = X @ kernel / np.outer(np.linalg.norm(X, axis=1), np.linalg.norm(kernel, axis=0))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    again = NormalizedDense.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert len(layer.trainable_weights) == 1
    symbolic = keras.Input((5, 4))
    assert layer(symbolic).shape == layer.compute_output_shape((None, 5, 4)) == (None, 5, 3)


def test_a_row_of_zeros_has_the_cosine_zero_and_finite_gradients():
    layer = NormalizedDense(2)
    X = tf.Variable([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]])
    with tf.GradientTape() as tape:
        outputs = layer(X)
        total = tf.reduce_sum(outputs)
    slopes = tape.gradient(total, [X, layer.kernel.value])
    assert (outputs.numpy()[0] == 0).all()
    assert all(np.isfinite(slope).all() for slope in slopes)


@pytest.mark.parametrize("units", [0, -1, 1.5, True])
def test_the_normalised_layer_needs_units(units):
    with pytest.raises(ValueError, match="units must be an integer of at least 1"):
        NormalizedDense(units)


def test_targets_that_may_be_labels_or_classes_are_refused():
    y, proba = np.eye(3, dtype=np.float32), np.full((3, 3), 0.5, np.float32)
    for loss in (FocalLoss(), WeightedCrossentropy()):
        with pytest.raises(ValueError, match=r"link='softmax' for one-hot .* link='sigmoid'"):
            loss(y, proba)
    assert float(FocalLoss(link="sigmoid")(y, proba)) != float(FocalLoss(link="softmax")(y, proba))
