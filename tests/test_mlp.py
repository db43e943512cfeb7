"""The network of model="mlp" normalises tables by itself, and keeps what it has learnt."""

import math

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from sk_imbalance_nn import BalancedKerasClassifier
from sk_imbalance_nn.data.targets import BINARY, MULTICLASS, MULTILABEL
from sk_imbalance_nn.networks import mlp
from sk_imbalance_nn.networks.mlp import (
    adapt_normalization,
    mlp_batch_size,
    mlp_network,
    mlp_optimizer,
)

RNG = np.random.default_rng(0)
N = 60


def meta(n_features=3, target=BINARY, n_classes=2, shape=None):
    return {
        "n_features_in_": n_features,
        "n_classes_": n_classes,
        "target_type_": target,
        "X_shape_": shape or (N, n_features),
    }


# Normalisation ------------------------------------------------------------------------------------

FLAG = (np.arange(N) < 3).astype(float)  # three ones
TABLE = np.column_stack(
    [
        RNG.normal(1e4, 1e-1, N),  # far from zero: a single pass in float32 loses the variance
        RNG.lognormal(0, 2, N),
        np.full(N, 0.1),
        np.zeros(N),
        FLAG,
        np.where(FLAG, 7.0, -3.0),
        RNG.choice([0.0, 1.0, 2.0], N),
    ]
)
NETWORK = mlp_network(meta(7), width=4)
CONTINUOUS, CONSTANT, TWO_VALUED = [0, 1, 6], [2, 3], [4, 5]


def adapted(X, n_features=None):
    model = mlp_network(meta(n_features or X.shape[1]), width=4)
    adapt_normalization(model, X)
    return model


def normalised(model, X):
    layer = model.get_layer("normalization")
    return np.asarray(layer(keras.ops.convert_to_tensor(X, "float32")))


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, sparse.csr_matrix])
@pytest.mark.parametrize("chunk", [2**20, 7 * 5])
def test_statistics_are_those_of_numpy(monkeypatch, form, chunk):
    monkeypatch.setattr(mlp, "_CHUNK_ELEMENTS", chunk)
    mean, variance = adapted(form(TABLE)).get_layer("normalization").get_weights()
    np.testing.assert_allclose(mean, TABLE.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(variance[CONTINUOUS], TABLE.var(axis=0)[CONTINUOUS], rtol=1e-5)
    assert (variance[CONSTANT] == 1).all()
    np.testing.assert_allclose(variance[TWO_VALUED], [2.5**2, 25.0**2], rtol=1e-5)


def test_columns_come_out_normalised():
    model, X = adapted(TABLE), TABLE.astype(np.float32)
    out = normalised(model, X)
    np.testing.assert_allclose(out[:, [1, 6]].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(out[:, [1, 6]].var(axis=0), 1, rtol=1e-4)
    assert (out[:, CONSTANT] == 0).all()
    np.testing.assert_allclose(out[:, TWO_VALUED].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(np.ptp(out[:, TWO_VALUED], axis=0), 0.4, rtol=1e-5)


@settings(deadline=None, max_examples=8)
@given(st.randoms(use_true_random=False), st.integers(-5, 5), st.integers(1, 8))
def test_order_origin_and_unit_of_a_column_do_not_matter(random, shift, scale):
    columns, order = np.round(TABLE[:, [1, 6]], 3), random.sample(range(N), N)
    expected = normalised(adapted(columns), columns)
    moved = (columns * scale + shift)[order]
    np.testing.assert_allclose(normalised(adapted(moved), moved), expected[order], atol=1e-5)


@settings(deadline=None, max_examples=15)
@given(hnp.arrays(np.intp, N, elements=st.integers(0, 3)).filter(np.any))
def test_a_weight_is_so_many_copies_of_the_row(weight):
    statistics = []
    for rows in ((TABLE, weight), (np.repeat(TABLE, weight, axis=0),)):
        adapt_normalization(NETWORK, *rows)
        statistics.append(NETWORK.get_layer("normalization").get_weights())
    np.testing.assert_allclose(*statistics, rtol=1e-5)


def test_extreme_columns_stay_finite():
    X = np.column_stack([np.linspace(0, 1e30, N), np.linspace(0, 1e-30, N)])
    assert np.isfinite(adapted(X).predict(X, verbose=0)).all()


def test_memory_maps_are_read_in_chunks(tmp_path):
    np.save(tmp_path / "table.npy", TABLE)
    mapped = adapted(np.load(tmp_path / "table.npy", mmap_mode="r"))
    np.testing.assert_array_equal(normalised(mapped, TABLE), normalised(adapted(TABLE), TABLE))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (TABLE[:0], r"tables of shape \(n >= 1, 7\), found \(0, 7\)"),
        (TABLE[:, :2], r"found \(60, 2\)"),
        (TABLE[:, :, None], r"found \(60, 7, 1\)"),
        (np.where(TABLE == 2, np.nan, TABLE), r"in 1 columns \(the first is column 6\).*Simple"),
        (np.where(np.arange(7) == 3, np.inf, TABLE), "the first is column 3"),
    ],
)
def test_tables_that_cannot_be_normalised_are_refused(X, message):
    with pytest.raises(ValueError, match=message):
        adapt_normalization(mlp_network(meta(7), width=4), X)


# The network --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "n_classes", "units", "activation"),
    [(BINARY, 2, 1, "sigmoid"), (MULTICLASS, 4, 4, "softmax"), (MULTILABEL, 3, 3, "sigmoid")],
)
def test_the_head_fits_the_target(target, n_classes, units, activation):
    model = mlp_network(meta(3, target, n_classes), width=8, depth=3)
    assert model.output_shape == (None, units)
    assert model.layers[-1].activation.__name__ == activation
    assert [layer.units for layer in model.layers if isinstance(layer, keras.layers.Dense)] == [
        *[8] * 3,
        units,
    ]


def test_a_network_without_hidden_layers_is_a_logistic_regression():
    model = mlp_network(meta(3), depth=0)
    assert [weight.shape for weight in model.trainable_weights] == [(3, 1), (1,)]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"shape": (9, 3, 2)}, r"found an array of shape \(9, 3, 2\).*model=build_model"),
        ({"target": "continuous"}, "binary, multiclass, multilabel-indicator targets, found 'cont"),
    ],
)
def test_data_that_the_network_does_not_read_are_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        mlp_network(meta(**changed))


def test_several_inputs_are_refused():
    with pytest.raises(ValueError, match="found several inputs; give a function"):
        mlp_network({**meta(), "X_shape_": None})


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ({"width": 0}, "width must be at least 1"),
        ({"depth": -1}, "depth=-1"),
        ({"dropout": 1.0}, "below 1, found 1.0"),
        ({"dropout": -0.1}, "at least 0"),
    ],
)
def test_sizes_out_of_range_are_refused(size, message):
    with pytest.raises(ValueError, match=message):
        mlp_network(meta(), **size)


def test_statistics_are_saved_and_read_in_safe_mode(tmp_path):
    model = adapted(TABLE)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert {type(layer).__module__.split(".")[0] for layer in again.layers} == {"keras"}
    np.testing.assert_array_equal(again.predict(TABLE, verbose=0), model.predict(TABLE, verbose=0))


def test_statistics_are_copied_with_the_weights_and_do_not_train():
    model = adapted(TABLE)
    other = mlp_network(meta(7), width=4)
    other.set_weights(model.get_weights())
    np.testing.assert_array_equal(normalised(other, TABLE), normalised(model, TABLE))
    before = model.get_layer("normalization").get_weights()
    model.compile("sgd", "binary_crossentropy", jit_compile=False)
    model.fit(TABLE, FLAG, epochs=1, verbose=0)
    for one, other in zip(before, model.get_layer("normalization").get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_raw_unscaled_data_are_learnt():
    keras.utils.set_random_seed(0)
    X = np.random.default_rng(1).normal(size=(400, 3)) * [1e6, 1e-5, 1] + [1e7, 0, -50]
    y = ((X[:, 0] - 1e7) / 1e6 + X[:, 1] / 1e-5 > 0).astype(np.float32)
    model = mlp_network(meta(3), width=16)
    adapt_normalization(model, X)
    optimizer = mlp_optimizer(len(X) // 50, 8, learning_rate=2e-2)
    model.compile(optimizer, "binary_crossentropy", jit_compile=False)
    model.fit(X, y, batch_size=50, epochs=8, verbose=0)
    assert ((model.predict(X, verbose=0)[:, 0] > 0.5) == y).mean() > 0.95


# How it is trained --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps_per_epoch", "epochs", "steps"), [(20, 100, 1000), (21, 50, 1050), (1, 7, 7), (1, 1, 1)]
)
def test_the_rate_falls_to_a_twentieth_over_at_most_fifty_epochs(steps_per_epoch, epochs, steps):
    rate = mlp_optimizer(steps_per_epoch, epochs)._learning_rate
    assert float(rate(0)) == pytest.approx(5e-3)
    for step in (steps, 3 * steps):
        assert float(rate(step)) == pytest.approx(5e-3 / 20)
    half = 5e-3 * (0.95 * (1 + math.cos(math.pi * (steps // 2) / steps)) / 2 + 0.05)
    assert float(rate(steps // 2)) == pytest.approx(half, rel=1e-4)


def test_arguments_of_the_optimizer_reach_it():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    optimizer = mlp_optimizer(10, 10, learning_rate=schedule, weight_decay=0.25, clipnorm=2.0)
    assert optimizer._learning_rate is schedule
    assert (optimizer.weight_decay, optimizer.clipnorm) == (0.25, 2.0)


@given(st.integers(1, 10**9))
def test_batches_are_a_power_of_two_near_a_sixteenth_of_the_rows(n_rows):
    size = mlp_batch_size(n_rows)
    assert size & (size - 1) == 0
    assert 32 <= size <= 256
    if 32 < size < 256:
        assert size <= n_rows / 16 < 2 * size


def test_its_name_stands_for_the_network_with_its_own_batches_epochs_and_rate():
    classifier = BalancedKerasClassifier("mlp", model__width=4, early_stopping=False, epochs=2)
    fitted = classifier.fit(TABLE, FLAG)
    assert fitted.model_.name == "mlp"
    assert fitted.model_.get_layer("hidden_1").units == 4
    means = fitted.model_.get_layer("normalization").get_weights()[0]
    np.testing.assert_allclose(means, TABLE.mean(axis=0), rtol=1e-5)
    optimizer = fitted.model_.optimizer
    assert optimizer.weight_decay == 1.0
    assert optimizer._learning_rate.get_config()["decay_steps"] == 2 * math.ceil(N / 32)


def test_an_unknown_name_of_a_network_is_refused():
    with pytest.raises(ValueError, match="'mlp'"):
        BalancedKerasClassifier("mpl").fit(TABLE, FLAG)
