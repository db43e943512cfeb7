"""XLA: whole batches in fixed shapes, the rest in the ordinary program, and only where it pays."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import weights_of
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import make_classification

from sk_imbalance_nn import BalancedKerasClassifier, compile_cache_info
from sk_imbalance_nn.training import xla

X, y = make_classification(205, 5, weights=[0.8], random_state=0)
WEIGHT = np.random.default_rng(0).uniform(0.5, 2, len(y))


def network(*between):
    layers = [keras.Input((5,)), keras.layers.Dense(4, activation="relu"), *between]
    return keras.Sequential([*layers, keras.layers.Dense(1, activation="sigmoid")])


def classifier(model=lambda meta: network(), **params):
    defaults = {"epochs": 3, "batch_size": 16, "early_stopping": False, "random_state": 0}
    return BalancedKerasClassifier(model, **{**defaults, **params})


@pytest.fixture(scope="module")
def compiled():
    return classifier(jit_compile=True, metrics=["AUC"]).fit(X, y, sample_weight=WEIGHT)


def test_it_learns_what_the_ordinary_program_learns(compiled):
    traced = classifier(jit_compile=False, metrics=["AUC"]).fit(X, y, sample_weight=WEIGHT)
    assert (compiled.engine_, traced.engine_) == ("xla", "traced")
    assert len(X) % 16  # a partial last batch
    np.testing.assert_allclose(weights_of(compiled), weights_of(traced), rtol=2e-5, atol=2e-6)
    assert list(compiled.history_) == list(traced.history_)
    for name, values in traced.history_.items():
        np.testing.assert_allclose(compiled.history_[name], values, rtol=1e-4)


@pytest.mark.usefixtures("compiled")
def test_other_numbers_of_rows_compile_nothing_anew():
    before = compile_cache_info()
    for n_rows in (204, 197, 160, 150):
        fitted = classifier(jit_compile=True, metrics=["AUC"], epochs=1)
        fitted.fit(X[:n_rows], y[:n_rows], sample_weight=WEIGHT[:n_rows])
    assert compile_cache_info().misses == before.misses
    assert compile_cache_info().hits > before.hits


def test_fewer_rows_than_a_batch_need_no_xla():
    assert classifier(jit_compile=True, batch_size=512, epochs=1).fit(X, y).engine_ == "traced"


def test_a_builder_may_ask_for_it():
    def build(meta):
        model = network()
        model.compile("adam", jit_compile=True)
        return model

    assert classifier(build, epochs=1).fit(X, y).engine_ == "xla"


def test_whoever_looks_at_each_batch_gets_each_batch():
    seen = []
    callback = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: seen.append(1))
    callback.__deepcopy__ = lambda memo: callback
    fitted = classifier(jit_compile=True, epochs=1, callbacks=callback).fit(X, y)
    assert fitted.engine_ == "traced"
    assert len(seen) == 13


def test_short_fits_are_left_alone():
    assert classifier(epochs=1).fit(X, y).engine_ == "traced"


def test_automatic_needs_many_small_steps_without_random_numbers():
    small, random, wide = network(), network(keras.layers.Dropout(0.5)), network()
    own = network(keras.layers.Lambda(lambda x: x))
    assert xla.pays(small, n_steps=100_000, work=1_000)
    assert not xla.pays(small, n_steps=1_000, work=1_000)
    assert not xla.pays(wide, n_steps=100_000, work=10**8)
    assert not xla.pays(random, n_steps=100_000, work=1_000)
    assert not xla.pays(own, n_steps=100_000, work=1_000)


def test_it_must_be_a_truth_value_or_auto():
    with pytest.raises(ValueError, match="'jit_compile' parameter"):
        classifier(jit_compile="yes").fit(X, y)


@given(st.integers(1, 10**6), st.integers(1, 10**9))
def test_chunks_are_powers_of_two_within_bounds(n_full_batches, batch_bytes):
    chosen = xla.batches_in_a_chunk(n_full_batches, batch_bytes)
    assert chosen.bit_count() == 1
    assert chosen <= 256
    assert chosen == 1 or chosen * batch_bytes <= 16 * 2**20
    if batch_bytes * 256 <= 16 * 2**20:
        assert min(n_full_batches, 256) <= chosen < 2 * n_full_batches or chosen == 1


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 6), st.integers(1, 5), st.data())
def test_whole_batches_and_the_rest_are_the_rows(n_batches, batch_size, data):
    n_rows = data.draw(st.integers(1, n_batches * batch_size))
    rows = {"a": tf.random.normal([n_rows, 3]), "b": tf.range(n_rows)}
    whole, n_whole, rest = xla.whole_batches(rows, n_batches, batch_size)
    assert n_whole == n_rows // batch_size
    for name, tensor in rows.items():
        assert whole[name].shape == (n_batches, batch_size, *tensor.shape[1:])
        back = tf.reshape(whole[name], (-1, *tensor.shape[1:]))[: n_whole * batch_size]
        parts = [back] if rest is None else [back, rest[name]]
        np.testing.assert_array_equal(tf.concat(parts, 0), tensor)
    assert (rest is None) == (n_rows % batch_size == 0)
