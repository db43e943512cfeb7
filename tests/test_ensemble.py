"""A network of several members: each is shown its own mistakes, metrics see their mean."""

import keras
import numpy as np
import pytest
from scipy.special import expit, softmax

from sk_imbalance_nn.networks.default import default_network
from sk_imbalance_nn.networks.encoding import TableEncoding
from sk_imbalance_nn.networks.ensemble import EnsembleNetwork, network_of_members

RNG = np.random.default_rng(0)
N, MEMBERS = 12, 3
X = RNG.normal(size=(N, 4)).astype(np.float32)
X[3, 1] = np.nan
KINDS = {"binary": (2, 1), "multiclass": (3, 3), "multilabel-indicator": (2, 2)}


def network(kind="binary", **params):
    meta = {"n_classes_": KINDS[kind][0], "target_type_": kind, "X_shape_": X.shape}
    params = {"members": MEMBERS, "width": 4, **params}
    return default_network(meta, TableEncoding().adapt(X), **params)


def targets(kind):
    if kind == "multiclass":
        return np.eye(3, dtype=np.float32)[RNG.integers(0, 3, N)]
    return RNG.integers(0, 2, (N, KINDS[kind][1])).astype(np.float32)


LOSS = {
    "binary": "binary_crossentropy",
    "multiclass": "categorical_crossentropy",
    "multilabel-indicator": "binary_crossentropy",
}


@pytest.fixture(scope="module")
def networks():
    made = {kind: network(kind, dropout=0.0) for kind in KINDS}
    for kind, model in made.items():
        model.compile("sgd", LOSS[kind], weighted_metrics=["mse"], jit_compile=False)
    return made


def members_of(model, rows=X):
    """Return probabilities of each member, (n, members, units)."""
    tables = np.repeat(rows[:, None], MEMBERS, axis=1)
    logits = np.asarray(network_of_members(model)(tables), np.float64)
    sigmoid = model.layers[-1].activation == "sigmoid"
    return expit(logits) if sigmoid else softmax(logits, axis=2)


def losses(kind, y, p):
    """Return the cross-entropy of each row and member."""
    y = y[:, None]
    if kind == "multiclass":
        return -(y * np.log(p)).sum(axis=2)
    return -(y * np.log(p) + (1 - y) * np.log1p(-p)).mean(axis=2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("weighed", ["not", "rows", "members"])
def test_the_loss_is_the_mean_over_rows_and_members(networks, kind, weighed):
    model, y = networks[kind], targets(kind)
    by_row, by_member = RNG.uniform(0, 2, N), RNG.uniform(0, 2, (N, MEMBERS))
    by_member[by_member < 0.5] = 0
    weight = {"not": None, "rows": by_row, "members": by_member}[weighed]
    factor = {"not": 1.0, "rows": by_row[:, None], "members": by_member}[weighed]
    found = model.compute_loss(
        X, keras.ops.convert_to_tensor(y), model(X, training=True), _tensor(weight)
    )
    expected = (losses(kind, y, members_of(model)) * factor).mean()
    assert float(found) == pytest.approx(expected, rel=1e-4)


def _tensor(weight):
    return None if weight is None else keras.ops.convert_to_tensor(weight, "float32")


@pytest.mark.parametrize("kind", KINDS)
def test_outside_of_training_the_loss_is_that_of_the_mean(networks, kind):
    model, y = networks[kind], targets(kind)
    found = model.compute_loss(
        X, keras.ops.convert_to_tensor(y), model(X), _tensor(np.ones(N)), training=False
    )
    mean = members_of(model).mean(axis=1, keepdims=True)
    assert float(found) == pytest.approx(losses(kind, y, mean).mean(), rel=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_metrics_see_the_mean_of_the_members_by_the_rows_weights(networks, kind):
    model, y = networks[kind], targets(kind)
    folds = np.arange(N) % MEMBERS
    row_weight = RNG.uniform(0.5, 2, N)
    weight = row_weight[:, None] * (folds[:, None] != np.arange(MEMBERS))
    model.reset_metrics()
    found = model.compute_metrics(
        X, keras.ops.convert_to_tensor(y), model(X, training=True), _tensor(weight)
    )
    mean = members_of(model).mean(axis=1)
    expected = np.average(((mean - y) ** 2).mean(axis=1), weights=row_weight)
    assert float(found["mse"]) == pytest.approx(expected, rel=1e-4)


def test_a_step_of_keras_shows_each_member_its_mistakes():
    model, y = network(dropout=0.0), targets("binary")
    model.compile(keras.optimizers.SGD(0.5), "binary_crossentropy", jit_compile=False)
    before = [np.array(weight) for weight in model.trainable_weights]
    weight = np.ones((N, MEMBERS), np.float32)
    weight[:, 1] = 0
    loss = model.train_on_batch(X, y, sample_weight=weight)
    assert np.isfinite(loss)
    for old, new in zip(before, model.trainable_weights, strict=True):
        moved = [not np.array_equal(old[at], np.asarray(new)[at]) for at in range(MEMBERS)]
        assert moved == [True, False, True]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("params", [{}, {"depth": 0}, {"embedding": 0}, {"members": 1}])
def test_members_with_rows_of_their_own_answer_as_within_the_whole(kind, params):
    model = network(kind, dropout=0.0, **params)
    n_members = params.get("members", MEMBERS)
    tables = np.stack([X[RNG.permutation(N)] for _ in range(n_members)], axis=1)
    logits = np.asarray(network_of_members(model)(tables), np.float64)
    assert logits.shape == (N, n_members, KINDS[kind][1])
    found = softmax(logits, axis=2) if kind == "multiclass" else expit(logits)
    for member in range(n_members):
        whole = np.asarray(model(tables[:, member], training=True))
        own = whole.reshape(N, n_members, -1)[:, member]
        np.testing.assert_allclose(found[:, member], own, rtol=1e-4, atol=1e-6)


def test_both_networks_share_their_weights(networks):
    model = networks["binary"]
    apart = network_of_members(model)
    tables = np.repeat(X[:, None], MEMBERS, axis=1)
    before = np.asarray(apart(tables))
    bias = model.layers[-1].bias
    bias.assign(np.asarray(bias) + 1)
    np.testing.assert_allclose(np.asarray(apart(tables)), before + 1, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_the_network_answers_with_the_mean(networks, kind):
    model = networks[kind]
    np.testing.assert_allclose(model(X), members_of(model).mean(axis=1), rtol=1e-4)


def test_a_file_of_keras_holds_it(tmp_path):
    model = network()
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert type(again) is EnsembleNetwork
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
