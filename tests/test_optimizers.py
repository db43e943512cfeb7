"""AdamW of the package's own networks: biases stay, rates fall, and copies do the same."""

import math

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sk_imbalance_nn.networks.optimizers import KernelAdamW, MemberAdamW, cosine_adamw
from sk_imbalance_nn.networks.serialization import pack, unpack


def network():
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(1)])


def through_config(optimizer):
    return type(optimizer).from_config(optimizer.get_config())


def through_keras(optimizer):
    return keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))


def through_packing(optimizer):
    return unpack(pack(optimizer))


def through_a_packed_model(optimizer):
    model = network()
    model.compile(optimizer, "binary_crossentropy")
    return unpack(pack(model)).optimizer


COPIES = {
    "itself": lambda same: same,
    "config": through_config,
    "keras": through_keras,
    "pack": through_packing,
    "model": through_a_packed_model,
}


@pytest.mark.parametrize("kind", [KernelAdamW, MemberAdamW])
@pytest.mark.parametrize("name", COPIES)
def test_kernels_decay_and_biases_do_not(name, kind):
    optimizer = COPIES[name](cosine_adamw(kind, 0.1, 100, floor=0.05, weight_decay=0.5))
    assert type(optimizer) is kind
    model = network()
    model.set_weights([np.full(weight.shape, 2.0) for weight in model.get_weights()])
    variables = model.trainable_variables
    optimizer.build(variables)
    optimizer.apply([keras.ops.zeros(variable.shape) for variable in variables], variables)
    assert {variable.name for variable in variables} == {"kernel", "bias"}
    for variable in variables:
        expected = 2.0 if variable.name == "bias" else 2.0 * (1 - 0.1 * 0.5)
        np.testing.assert_allclose(np.asarray(variable.value), expected, rtol=1e-5)


@settings(deadline=None, max_examples=10)
@given(st.integers(1, 5000), st.sampled_from([0.0, 0.05, 0.5]), st.floats(0, 1))
def test_the_rate_falls_along_half_a_cosine_and_stays(steps, floor, share):
    rate = cosine_adamw(KernelAdamW, 0.02, steps, floor=floor)._learning_rate
    at = int(share * steps)
    expected = 0.02 * ((1 - floor) * (1 + math.cos(math.pi * at / steps)) / 2 + floor)
    assert float(rate(at)) == pytest.approx(expected, rel=1e-3, abs=1e-7)
    for step in (steps, 3 * steps):
        assert float(rate(step)) == pytest.approx(0.02 * floor, rel=1e-5, abs=1e-9)


def test_a_schedule_is_taken_as_it_is():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    assert cosine_adamw(KernelAdamW, schedule, 10, floor=0.0)._learning_rate is schedule


def test_arguments_reach_adamw():
    optimizer = cosine_adamw(
        KernelAdamW, 0.1, 10, floor=0.0, weight_decay=0.25, clipnorm=2.0, beta_2=0.9
    )
    assert (optimizer.weight_decay, optimizer.clipnorm, optimizer.beta_2) == (0.25, 2.0, 0.9)


def test_the_rate_stays_settable_where_a_callback_is_to_set_it():
    optimizer = cosine_adamw(KernelAdamW, 0.25, 100, floor=0.0, decays=False)
    optimizer.learning_rate = float(optimizer.learning_rate) / 2
    assert float(optimizer.learning_rate) == 0.125


@pytest.mark.parametrize("steps", [0, -3])
def test_less_than_one_step_is_refused(steps):
    with pytest.raises(ValueError, match=f"steps must be at least 1, found {steps}"):
        cosine_adamw(KernelAdamW, 0.1, steps, floor=0.0)


# A member at a time -------------------------------------------------------------------------------


def clipped(gradients, largest):
    """Return what AdamW is handed."""
    handed = []

    class Spy(MemberAdamW):
        def update_step(self, gradient, variable, learning_rate):
            handed.append(np.asarray(gradient))

    optimizer = Spy(0.1, member_clipnorm=largest)
    variables = [keras.Variable(np.zeros_like(part)) for part in gradients]
    optimizer.build(variables)
    optimizer.apply([keras.ops.convert_to_tensor(part) for part in gradients], variables)
    return handed


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 2**31), st.floats(0.125, 10, width=32))
def test_gradients_are_clipped_a_member_at_a_time(seed, largest):
    rng = np.random.default_rng(seed)
    gradients = [rng.normal(size=shape).astype(np.float32) for shape in [(4, 3, 2), (4, 5), (4,)]]
    gradients = [(part.T * [0.0, 0.01, 1.0, 9.0]).T.astype(np.float32) for part in gradients]
    found = clipped(gradients, largest)
    for member in range(4):
        own = np.concatenate([part[member].ravel() for part in gradients])
        norm = 4 * np.linalg.norm(own)  # of the member's own mean loss
        shrunk = own * min(1, largest / norm) if norm else own
        mine = np.concatenate([part[member].ravel() for part in found])
        np.testing.assert_allclose(mine, shrunk, rtol=1e-4, atol=1e-7)


def test_without_a_largest_norm_nothing_is_clipped():
    gradients = [np.full((2, 3), 1e6, np.float32)]
    np.testing.assert_array_equal(clipped(gradients, None), gradients)


@pytest.mark.parametrize("largest", [0, -1.0])
def test_a_norm_that_nothing_is_below_is_refused(largest):
    with pytest.raises(ValueError, match="member_clipnorm must be positive"):
        MemberAdamW(member_clipnorm=largest)


@pytest.mark.parametrize("name", ["config", "keras", "pack", "model"])
def test_the_largest_norm_is_copied(name):
    assert COPIES[name](MemberAdamW(0.1, member_clipnorm=0.75)).member_clipnorm == 0.75
