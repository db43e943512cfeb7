"""Fingerprints: equal where steps compute the same from their variables, absent where unknown."""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
import pytest

from sk_imbalance_nn._compat import names_from_the_start
from sk_imbalance_nn.losses import (
    AsymmetricLoss,
    BalancedSoftmaxLoss,
    FocalLoss,
    LDAMLoss,
    LogitAdjustedLoss,
    WeightedCrossentropy,
)
from sk_imbalance_nn.networks.cosine_decay import CosineDecayTo
from sk_imbalance_nn.networks.head_losses import LabelWeighted
from sk_imbalance_nn.networks.heads import Head
from sk_imbalance_nn.networks.mlp import mlp_network, mlp_optimizer
from sk_imbalance_nn.networks.optimizers import KernelAdamW
from sk_imbalance_nn.training.fingerprint import fingerprint, state_of


@names_from_the_start()
def network(
    *,
    units: int = 4,
    rate: float = 0.5,
    seed: int | None = None,
    activation: Any = "relu",
    name: str | None = None,
    **compiled: Any,
) -> keras.Model:
    layers = [
        keras.Input((3,)),
        keras.layers.Dense(
            units,
            activation=activation,
            name=name,
            kernel_initializer=keras.initializers.HeNormal(seed=seed),
        ),
        keras.layers.Dropout(rate, seed=seed),
        keras.layers.Dense(1, activation="sigmoid"),
    ]
    model = keras.Sequential(layers)
    model.compile(**{"optimizer": "adam", "loss": "binary_crossentropy", **compiled})
    return model


def bce(y_true: Any, y_pred: Any) -> Any:
    return keras.losses.binary_crossentropy(y_true, y_pred)


class Own(keras.layers.Layer):
    def call(self, inputs: Any) -> Any:
        return inputs


class OwnModel(keras.Model):
    def train_step(self, data: Any) -> Any:
        return super().train_step(data)


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"seed": 3},
        {"optimizer": keras.optimizers.Adam(0.3)},
        {"loss": keras.losses.binary_crossentropy},
    ],
    ids=["built again", "seed", "learning rate", "Keras' function"],
)
def test_numbers_that_variables_hold_are_no_part_of_it(other: dict[str, Any]) -> None:
    first = network(optimizer=keras.optimizers.Adam(0.1), loss=other.get("loss", "mse"))
    second = network(**{"optimizer": keras.optimizers.Adam(0.2), "loss": "mse", **other})
    assert fingerprint(first) == fingerprint(second) is not None


@pytest.mark.parametrize(
    "other",
    [
        {"units": 5},
        {"rate": 0.4},
        {"activation": "tanh"},
        {"name": "mine"},
        {"optimizer": "sgd"},
        {"optimizer": keras.optimizers.Adam(beta_1=0.8)},
        {"optimizer": keras.optimizers.Adam(clipnorm=1.0)},
        {"optimizer": keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.1, 9))},
        {"loss": "mse"},
        {"metrics": ["accuracy"]},
        {"weighted_metrics": ["accuracy"]},
    ],
    ids=lambda other: str(list(other)),
)
def test_what_steps_compute_is_part_of_it(other: dict[str, Any]) -> None:
    assert None not in (pair := (fingerprint(network()), fingerprint(network(**other))))
    assert pair[0] != pair[1]


def test_frozen_layers_are_part_of_it() -> None:
    frozen = network()
    frozen.layers[0].trainable = False
    assert fingerprint(frozen) != fingerprint(network())


def test_a_schedule_of_the_users_is_part_of_it_with_its_numbers() -> None:
    def scheduled(steps: int) -> str | None:
        schedule = keras.optimizers.schedules.ExponentialDecay(0.1, steps, 0.5)
        return fingerprint(network(optimizer=keras.optimizers.SGD(schedule)))

    assert scheduled(5) == scheduled(5) != scheduled(6)


def test_label_weights_and_the_decay_of_the_plain_network_stand_in_variables() -> None:
    def labels(weight: float) -> keras.Model:
        return network(loss=LabelWeighted(keras.losses.BinaryCrossentropy(), [[1.0, weight]]))

    @names_from_the_start()
    def default(n_rows: int) -> keras.Model:
        meta = {"n_features_in_": 3, "n_classes_": 2, "target_type_": "binary", "X_shape_": (9, 3)}
        model = mlp_network(meta)
        model.compile(mlp_optimizer(n_rows // 32, 9, learning_rate=n_rows / 1e5), "mse")
        return model

    assert fingerprint(labels(1.0)) == fingerprint(labels(9.0)) is not None
    model = labels(9.0)
    assert any(variable is model.loss.weights for variable in state_of(model))
    assert fingerprint(default(100)) == fingerprint(default(500)) is not None


@pytest.mark.parametrize(
    "make",
    [
        lambda: network(activation=lambda x: x),
        lambda: network(loss=bce),
        lambda: network(metrics=[bce]),
        lambda: keras.Sequential([keras.Input((3,)), Own(), keras.layers.Dense(1)]),
        lambda: keras.Sequential([keras.Input((3,)), keras.layers.Lambda(abs)]),
        lambda: OwnModel(*(lambda x: (x, keras.layers.Dense(1)(x)))(keras.Input((3,)))),
    ],
    ids=["activation", "loss", "metric", "layer", "Lambda", "train_step"],
)
def test_code_from_elsewhere_has_none(make: Any) -> None:
    model = make()
    if not model.compiled:
        model.compile("sgd", "mse")
    assert fingerprint(model) is None


def test_a_name_registered_for_code_from_elsewhere_has_none() -> None:
    keras.saving.register_keras_serializable("elsewhere", "bce")(bce)
    assert fingerprint(network(loss="elsewhere>bce")) is None


def test_a_method_replaced_on_the_instance_has_none() -> None:
    model = network()
    model.train_step = lambda data: {"loss": 0.0}
    assert fingerprint(model) is None


def test_constants_that_no_configuration_holds_have_none() -> None:
    normalization = keras.layers.Normalization()
    model = keras.Sequential([keras.Input((3,)), normalization, keras.layers.Dense(1)])
    normalization.adapt(np.arange(12.0).reshape(4, 3))
    model.compile("sgd", "mse")
    assert fingerprint(model) is None


def test_weights_spared_from_decay_are_known_only_of_our_own_optimizer() -> None:
    theirs = keras.optimizers.AdamW()
    theirs.exclude_from_weight_decay(var_names=["bias"])
    assert fingerprint(network(optimizer=theirs)) is None
    assert fingerprint(network(optimizer=KernelAdamW())) is not None


def test_predicting_does_not_ask_what_a_network_was_compiled_with() -> None:
    model = network(loss=bce)
    assert fingerprint(model, compiled=False) == fingerprint(network(), compiled=False) is not None
    assert state_of(model, compiled=False) == list(model.variables)


def test_the_state_holds_every_variable_once() -> None:
    model = network(metrics=["AUC"])
    model.optimizer.build(model.trainable_variables)
    model.train_on_batch(np.ones((2, 3)), np.ones((2, 1)))
    state = state_of(model)
    assert len({id(variable) for variable in state}) == len(state)
    expected = [*model.variables, *model.optimizer.variables]
    expected += [variable for metric in model.metrics for variable in metric.variables]
    assert {id(variable) for variable in expected} == {id(variable) for variable in state}


def test_the_cosine_is_that_of_keras() -> None:
    theirs = keras.optimizers.schedules.CosineDecay(0.005, 300, alpha=0.05)
    ours = CosineDecayTo(0.005, 300, floor=0.05)
    steps = [0, 1, 17, 150, 299, 300, 301, 1_000]
    np.testing.assert_allclose(
        [float(ours(step)) for step in steps], [float(theirs(step)) for step in steps], rtol=1e-6
    )
    again = CosineDecayTo.from_config(ours.get_config())
    assert float(again(17)) == float(ours(17))


def wrapped(factor: float) -> Any:
    @functools.wraps(keras.losses.binary_crossentropy)
    def loss(y_true: Any, y_pred: Any) -> Any:
        return factor * keras.losses.binary_crossentropy(y_true, y_pred)

    return loss


def half(step: Any = None) -> float:
    return 0.5


def mapped() -> keras.Model:
    inputs = keras.Input((3,))
    return keras.Model(inputs, keras.layers.Dense(1)(keras.ops.map(bce_of_itself, inputs)))


def bce_of_itself(x: Any) -> Any:
    return 2 * x


@pytest.mark.parametrize(
    "make",
    [
        lambda: network(loss=wrapped(2.0)),
        lambda: network(loss=LabelWeighted(bce, [[1.0, 2.0]])),
        lambda: network(metrics=[keras.metrics.MeanMetricWrapper(bce)]),
        lambda: network(optimizer=keras.optimizers.SGD(half)),
        mapped,
    ],
    ids=["functools.wraps", "within our own loss", "within a metric", "learning rate", "ops.map"],
)
def test_code_from_elsewhere_within_known_objects_has_none(make: Any) -> None:
    model = make()
    if not model.compiled:
        model.compile("sgd", "mse")
    assert fingerprint(model) is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"loss": keras.losses.Huber(1.0)}, {"loss": keras.losses.Huber(2.0)}),
        ({"loss": "mse"}, {"loss": keras.losses.MeanSquaredError(dtype="float64")}),
        (
            {"loss": keras.losses.CosineSimilarity(-1)},
            {"loss": keras.losses.CosineSimilarity(0)},
        ),
        (
            {"metrics": [keras.metrics.CosineSimilarity(axis=-1)]},
            {"metrics": [keras.metrics.CosineSimilarity(axis=0)]},
        ),
        (
            {"metrics": [keras.metrics.AUC(name="a")]},
            {"metrics": [keras.metrics.AUC(name="b")]},
        ),
    ],
    ids=["delta", "dtype", "axis", "axis of a metric", "name of a metric"],
)
def test_what_configurations_leave_out_is_part_of_it(one: Any, other: Any) -> None:
    assert fingerprint(network(**one)) != fingerprint(network(**other))


def test_rules_of_single_variables_are_part_of_it() -> None:
    ruled = network()
    ruled.layers[0].kernel.regularizer = keras.regularizers.L2(1.0)
    constrained = network()
    constrained.layers[0].kernel.constraint = keras.constraints.NonNeg()
    assert len({fingerprint(model) for model in (network(), ruled, constrained)}) == 3


def test_the_order_of_outputs_is_part_of_it() -> None:
    @names_from_the_start()
    def two(turned: bool) -> keras.Model:
        inputs = keras.Input((3,))
        outputs = [keras.layers.Dense(1)(inputs), keras.layers.Dense(1)(inputs)]
        model = keras.Model(inputs, outputs[::-1] if turned else outputs)
        model.compile("sgd", {"dense": "mse", "dense_1": "mae"})
        return model

    assert fingerprint(two(False)) == fingerprint(two(False)) != fingerprint(two(True))


def test_objects_that_hold_each_other_come_to_an_end() -> None:
    one, other = keras.metrics.Mean(name="one"), keras.metrics.Mean(name="other")
    one.other, other.other = other, one
    assert fingerprint(network(metrics=[one])) is not None


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        (FocalLoss, {"gamma": 1.0}, {"gamma": 2.0}),
        (LogitAdjustedLoss, {"tau": 0.5}, {"tau": 2.0}),
        (BalancedSoftmaxLoss, {}, {}),
        (LDAMLoss, {"max_margin": 0.1, "scale": 2.0}, {"reweight_after": 0.5}),
        (AsymmetricLoss, {"gamma_negative": 1.0}, {"gamma_positive": 0.0, "margin": 0.1}),
        (WeightedCrossentropy, {"class_weight": [1, 2]}, {"class_weight": [3, 4]}),
    ],
)
def test_losses_that_differ_in_numbers_share_a_fingerprint(kind, one, other):
    def compiled(numbers, counts):
        layers = [keras.Input((2,), name="table"), keras.layers.Dense(1, "sigmoid", name="out")]
        model = keras.Sequential(layers, name="net")
        head = Head("binary", 2, 1, "sigmoid", False, "column")
        loss = kind(**numbers).fitted_to(head, counts, np.array(counts) / sum(counts), [1.0, 2.0])
        model.compile(optimizer="sgd", loss=loss)
        return fingerprint(model)

    assert compiled(one, [9.0, 1.0]) == compiled(other, [5.0, 5.0]) is not None
    weighed = kind(link="sigmoid", class_weight=[1.0, 2.0])
    assert set(weighed.held_in_variables) - kind.fixed <= {*weighed.get_config(), "left_open"}
