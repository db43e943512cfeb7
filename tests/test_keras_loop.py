"""Keras' loop learns what the library's own learns, and everything around an epoch is the same."""

import gc
import random
import subprocess
import sys
import textwrap
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import callbacks as kc
from keras import layers
from sklearn.metrics import average_precision_score

from sk_imbalance_nn import BalancedKerasClassifier
from sk_imbalance_nn.training.early_stopping import BestEpoch
from sk_imbalance_nn.training.engine import train
from sk_imbalance_nn.training.feeding import Rows
from sk_imbalance_nn.training.keras_loop import needs_keras_loop
from sk_imbalance_nn.training.schedule import Schedule

RNG = np.random.default_rng(0)
N, BATCH = 21, 8  # the last batch of an epoch is partial
X = RNG.normal(size=(N, 3)).astype(np.float32)
Y = (X[:, :1] + RNG.normal(size=(N, 1)) > 0.5).astype(np.float32)
WEIGHT = RNG.uniform(0.1, 3.0, N).astype(np.float32)
X_VAL = RNG.normal(size=(11, 3)).astype(np.float32)
Y_VAL = (X_VAL[:, :1] > 0.3).astype(np.float32)


def rows(x, y, weight=None):
    return Rows(x, y, weight, np.arange(len(y)))


WEIGHTED, HELD_OUT = rows(X, Y, WEIGHT), rows(X_VAL, Y_VAL)


def network(optimizer="sgd", metrics=(), eager=False, kind=keras.Sequential, penalty=None):
    """Build and compile a small network; every call gives the same one."""
    keras.utils.set_random_seed(0)
    last = layers.Dense(1, activation="sigmoid", kernel_regularizer=penalty)
    model = kind([keras.Input((3,)), last])
    # Without XLA: what it fuses, it rounds in other places.
    options = {"weighted_metrics": list(metrics), "jit_compile": False, "run_eagerly": eager}
    model.compile(optimizer, "binary_crossentropy", **options)
    return model


def exploding(eager=True):
    optimizer, penalty = keras.optimizers.SGD(1e30), keras.regularizers.L2(1e9)
    return network(optimizer, eager=eager, penalty=penalty)


def learn(model, training=WEIGHTED, validation=HELD_OUT, seed=0, score=None, best=None, **options):
    callbacks = options.pop("callbacks", ())
    on_loss = options.pop("best_on_loss", False)
    schedule = {"batch_size": BATCH, "validation_batch_size": 5, "epochs": 2, **options}
    return train(
        model,
        training,
        Schedule(**schedule),
        rng=np.random.default_rng(seed) if isinstance(seed, int) else seed,
        callbacks=callbacks,
        validation=validation,
        score=score,
        best=best,
        best_on_loss=on_loss,
    )


def average_precision_of(model):
    """Return a score that asks the network as it stands."""

    def score():
        logits = X_VAL @ model.layers[0].kernel.numpy()
        return float(average_precision_score(Y_VAL[:, 0], logits[:, 0]))

    score.name = "val_average_precision"
    return score


def assert_same_weights(found, expected):
    for one, other in zip(found.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-6)


def assert_same_run(found, expected):
    assert found.n_epochs == expected.n_epochs
    assert list(found.history) == list(expected.history)
    for name, values in expected.history.items():
        np.testing.assert_allclose(found.history[name], values, rtol=2e-5, err_msg=name)


def both(build=network, make_callbacks=list, scored=False, patience=None, **options):
    """Train one network in both loops; return networks, runs, callbacks and best epochs."""
    sides = []
    for eager in (False, True):
        model, callbacks = build(eager=eager), make_callbacks()
        rng = np.random.default_rng(0)
        score = average_precision_of(model) if scored else None
        best = BestEpoch(patience) if patience else None
        run = learn(model, seed=rng, score=score, best=best, callbacks=callbacks, **options)
        assert run.engine == ("keras" if eager else "traced")
        # As much was drawn, so that another fit goes on from the same place.
        sides.append((model, run, callbacks, best, rng.integers(2**31)))
    traced, by_keras = sides
    assert_same_weights(by_keras[0], traced[0])
    assert_same_run(by_keras[1], traced[1])
    assert by_keras[4] == traced[4]
    return traced, by_keras


# The same learning --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
        lambda: keras.optimizers.Adam(0.05, use_ema=True, ema_momentum=0.7),
    ],
    ids=["SGD with momentum", "Adam, averaged"],
)
def test_both_loops_learn_the_same(optimizer):
    both(lambda eager: network(optimizer(), ["accuracy"], eager=eager), epochs=3)


def test_steps_initial_epoch_and_frequency_mean_the_same():
    options = {"epochs": 5, "initial_epoch": 1, "steps_per_epoch": 2, "validation_freq": (2, 5)}
    _, (model, run, *_) = both(scored=True, **options)
    assert (run.n_epochs, len(run.history["val_loss"])) == (4, 2)
    assert len(run.history["val_average_precision"]) == 2
    assert int(model.optimizer.iterations) == 8


def test_without_validation_and_shuffling():
    both(validation=None, shuffle=False)


def test_no_epochs_are_no_history():
    assert learn(network(eager=True), epochs=0).history == {}


@pytest.mark.parametrize("form", [dict, list])
def test_several_inputs_and_outputs_pass_in_every_form(form):
    def build(eager):
        keras.utils.set_random_seed(0)
        left, right = keras.Input((1,), name="left"), keras.Input((2,), name="right")
        joined = layers.Concatenate()([left, right])
        model = keras.Model(
            {"left": left, "right": right} if form is dict else [left, right],
            [layers.Dense(1, name="one")(joined), layers.Dense(1, name="two")(joined)],
        )
        model.compile("sgd", ["mse", "mse"], run_eagerly=eager, jit_compile=False)
        return model

    parts = {"left": X[:, :1], "right": X[:, 1:]}
    x = parts if form is dict else list(parts.values())
    both(build, training=rows(x, (Y, Y)), validation=None, epochs=1)


def test_metrics_of_several_numbers_are_arrays_in_the_history():
    run = learn(network(metrics=[keras.metrics.F1Score(name="f1")], eager=True), epochs=1)
    assert all(isinstance(run.history[name][0], np.ndarray) for name in ("f1", "val_f1"))


# Around an epoch ----------------------------------------------------------------------------------

HOOKS = [
    f"on_{name}_{when}"
    for name in ("train", "test", "epoch", "train_batch", "test_batch")
    for when in ("begin", "end")
]


class Recorder(kc.Callback):
    """Writes down every call of a hook."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def write(self, name, *args, logs=None):
        if args and not isinstance(args[-1], int):
            *args, logs = args
        self.calls.append((name, *args, {key: float(value) for key, value in (logs or {}).items()}))


for hook in HOOKS:
    setattr(
        Recorder, hook, lambda self, *args, _hook=hook, **kwargs: self.write(_hook, *args, **kwargs)
    )


def test_hooks_are_called_in_the_same_order_with_the_same_logs():
    (_, _, (ours,), *_), (_, _, (theirs,), *_) = both(
        make_callbacks=lambda: [Recorder()], scored=True
    )
    assert [call[:-1] for call in theirs.calls] == [call[:-1] for call in ours.calls]
    for (*name, found), (*_, expected) in zip(theirs.calls, ours.calls, strict=True):
        assert found == pytest.approx(expected, rel=1e-5), name
    assert theirs.params == ours.params
    assert "val_average_precision" in theirs.calls[-1][-1]


def test_early_stopping_restores_the_same_epoch():
    def build(eager):
        return network(keras.optimizers.SGD(3.0), eager=eager)

    (_, run, _, ours, _), (*_, theirs, _) = both(build, scored=True, patience=2, epochs=9)
    assert (theirs.best_epoch, theirs.best_score) == (ours.best_epoch, ours.best_score)
    assert run.n_epochs == ours.best_epoch + 2 < 9


def test_early_stopping_on_the_loss_restores_the_same_epoch():
    def build(eager):
        return network(keras.optimizers.SGD(-0.5), eager=eager)

    (_, run, *_), (*_, best, _) = both(build, patience=2, best_on_loss=True, epochs=6)
    assert (run.n_epochs, best.best_epoch) == (3, 1)


def test_a_callback_cannot_undo_early_stopping():
    class GoOn(kc.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = False

    def build(eager):
        return network(keras.optimizers.SGD(-0.5), eager=eager)

    _, (_, run, *_) = both(build, lambda: [GoOn()], patience=1, best_on_loss=True, epochs=6)
    assert run.n_epochs == 2


def test_the_score_is_that_of_the_weights_that_callbacks_put_in_for_validation():
    def build(eager):
        optimizer = keras.optimizers.SGD(3.0, use_ema=True, ema_momentum=0.9)
        return network(optimizer, eager=eager)

    both(build, lambda: [kc.SwapEMAWeights()], scored=True, epochs=3)


def test_automatic_callbacks_know_that_more_of_the_score_is_better():
    stop = kc.EarlyStopping("val_average_precision", patience=1)
    model = network(keras.optimizers.SGD(3.0), eager=True)
    run = learn(model, score=average_precision_of(model), callbacks=[stop], epochs=9)
    scores = run.history["val_average_precision"]
    assert stop.mode == "max"
    assert stop.best == max(scores) and len(scores) == 2 + np.argmax(scores)


@pytest.mark.parametrize(
    ("callback", "validation", "message"),
    [
        (kc.EarlyStopping("val_loss"), None, "EarlyStopping monitors 'val_loss'.*Give validation"),
        (kc.EarlyStopping("val_los"), HELD_OUT, "monitors 'val_los'.*Did you mean 'val_loss'"),
    ],
)
def test_callbacks_that_wait_for_what_never_comes_are_refused(callback, validation, message):
    with pytest.raises(ValueError, match=message):
        learn(network(eager=True), validation=validation, callbacks=[callback])


@pytest.mark.parametrize("validation", [HELD_OUT, None], ids=["validated", "not validated"])
def test_a_loss_that_is_not_finite_is_the_same_error(validation):
    messages = []
    for eager in (False, True):
        model = exploding(eager)
        with pytest.raises(ValueError, match=r"became .* in epoch 1\. Try a smaller") as error:
            learn(model, validation=validation, score=average_precision_of(model))
        messages.append(str(error.value))
    assert messages[0] == messages[1]


def test_terminate_on_nan_ends_training_quietly():
    assert learn(exploding(), callbacks=[kc.TerminateOnNaN()], epochs=5).n_epochs == 1


def test_an_interruption_keeps_what_was_learnt_and_ends_the_callbacks():
    def interrupt(epoch, logs):
        if epoch == 1:
            raise KeyboardInterrupt

    ends = []
    callback = kc.LambdaCallback(on_epoch_begin=interrupt, on_train_end=ends.append)
    model, once = network(eager=True), network(eager=True)
    with pytest.warns(UserWarning, match="interrupted by the user after 1 epochs"):
        run = learn(model, callbacks=[callback], epochs=3)
    expected = learn(once, epochs=1)
    assert_same_run(run, expected)
    assert_same_weights(model, once)
    assert [logs["loss"] for logs in ends] == run.history["loss"]


def test_the_process_keeps_its_random_state():
    keras.utils.set_random_seed(1)
    model = network(eager=True)
    before = random.getstate(), np.random.get_state()[1].tolist()
    learn(model, epochs=1)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before


def test_the_rows_are_let_go():
    training, held_out = rows(X.copy(), Y), rows(X_VAL.copy(), Y_VAL)
    kept = [weakref.ref(part) for part in (training, held_out)]
    learn(network(eager=True), training, held_out, epochs=1)
    del training, held_out
    gc.collect()
    assert [part() for part in kept] == [None, None]


# Which networks -----------------------------------------------------------------------------------


class OwnFit(keras.Sequential):
    def fit(self, *args, **kwargs):
        self.n_fits = getattr(self, "n_fits", 0) + 1
        return super().fit(*args, **kwargs)


class OwnFunction(keras.Sequential):
    def make_train_function(self, force=False):
        super().make_train_function(force)
        step = self.train_function

        def counted(iterator):
            self.n_steps = getattr(self, "n_steps", 0) + 1
            return step(iterator)

        self.train_function = counted


class OwnStep(keras.Sequential):
    def train_step(self, data):
        return super().train_step(data)


def test_only_networks_with_a_loop_of_their_own_need_that_of_keras():
    assert not needs_keras_loop(network())
    assert not needs_keras_loop(network(kind=OwnStep))
    assert needs_keras_loop(network(eager=True))
    assert needs_keras_loop(network(kind=OwnFit))
    trained = network()
    trained.fit(X, Y, verbose=0)
    assert not needs_keras_loop(trained)
    trained.make_train_function = lambda force=False: None
    assert needs_keras_loop(trained)


def test_networks_of_a_strategy_need_the_loop_of_keras():
    plain = network()
    with tf.distribute.OneDeviceStrategy("/cpu:0").scope():
        inside = network()
        assert needs_keras_loop(inside) and needs_keras_loop(plain)
    assert needs_keras_loop(inside) and not needs_keras_loop(plain)
    with tf.distribute.get_strategy().scope():
        assert not needs_keras_loop(network())


def test_a_loop_of_the_users_own_runs():
    plain, own = network(), network(kind=OwnFunction)
    expected, run = learn(plain), learn(own)
    assert (run.engine, own.n_steps) == ("keras", 6)
    assert_same_run(run, expected)
    assert_same_weights(own, plain)


class Noise(layers.Layer):
    """Draws from the generator that all layers without a seed share."""

    def call(self, x, training=False):
        return x + keras.random.normal((3,)) if training else x


def test_what_is_traced_is_traced_from_the_seed():
    def learnt(seed):
        model = OwnFit([keras.Input((3,)), Noise(), layers.Dense(1, kernel_initializer="ones")])
        model.compile("sgd", "mse", jit_compile=False)
        run = learn(model, seed=seed, shuffle=False, validation=None)
        assert (run.engine, model.n_fits) == ("keras", 1)
        return model.get_weights()[0].tolist()

    assert learnt(1) == learnt(1) != learnt(2)


# The estimator ------------------------------------------------------------------------------------

LABELS = (X[:, 0] + X[:, 1] > 0.5).astype(int)


def build_in_scope(strategy, **options):
    def build():
        with strategy.scope():
            return network(**options)

    return build


def classifier(model=network, **params):
    quick = {"epochs": 2, "batch_size": BATCH, "early_stopping": False, "random_state": 0}
    return BalancedKerasClassifier(model, **{**quick, **params})


def test_the_estimator_says_whose_loop_it_was():
    traced = classifier(lambda: network()).fit(X, LABELS)
    eager = classifier(lambda: network(eager=True)).fit(X, LABELS)
    assert (traced.engine_, eager.engine_) == ("traced", "keras")
    np.testing.assert_allclose(eager.predict_proba(X), traced.predict_proba(X), rtol=1e-5)


def test_partial_fits_and_warm_starts_continue_in_both_loops():
    histories = []
    for eager in (False, True):
        model = lambda eager=eager: network("adam", eager=eager)  # noqa: E731
        fitted = classifier(model, warm_start=True, validation_split=0.3, epochs=1)
        fitted.partial_fit(X, LABELS).fit(X, LABELS, initial_epoch=1, epochs=2, validation_freq=2)
        histories.append(fitted.history_)
    traced, by_keras = histories
    assert len(by_keras["loss"]) == 3 and len(by_keras["val_average_precision"]) == 2
    assert list(by_keras) == list(traced)
    for name, values in traced.items():
        np.testing.assert_allclose(by_keras[name], values, rtol=2e-5, err_msg=name)


def test_an_earlier_fit_survives_a_failed_one():
    fitted = classifier(lambda: network(eager=True), warm_start=True).fit(X, LABELS)
    before, history = fitted.predict_proba(X), fitted.history_

    def fail(epoch, logs):
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        fitted.fit(X, LABELS, callbacks=[kc.LambdaCallback(on_epoch_end=fail)])
    np.testing.assert_array_equal(fitted.predict_proba(X), before)
    assert fitted.history_ is history


def test_networks_of_a_strategy_learn_what_others_learn():
    strategy = tf.distribute.MirroredStrategy(["/cpu:0"])
    plain = classifier(lambda: network(eager=True), validation_split=0.3).fit(X, LABELS)
    built = classifier(build_in_scope(strategy), validation_split=0.3).fit(X, LABELS)
    assert built.engine_ == "keras"
    for name, values in plain.history_.items():
        np.testing.assert_allclose(built.history_[name], values, rtol=2e-5, err_msg=name)
    np.testing.assert_allclose(built.predict_proba(X), plain.predict_proba(X), rtol=1e-5)


def test_a_fit_in_the_scope_of_a_strategy_is_distributed():
    plain = classifier(lambda: network(eager=True)).fit(X, LABELS)
    with tf.distribute.OneDeviceStrategy("/cpu:0").scope():
        inside = classifier(lambda: network()).fit(X, LABELS)
    assert inside.engine_ == "keras"
    np.testing.assert_allclose(inside.predict_proba(X), plain.predict_proba(X), rtol=1e-5)


@pytest.mark.parametrize("given", ["a network", "a builder that does not compile"])
def test_what_was_made_in_a_scope_stays_there(given):
    strategy = tf.distribute.OneDeviceStrategy("/cpu:0")

    def build():
        with strategy.scope():
            return keras.Sequential([keras.Input((3,)), layers.Dense(1, activation="sigmoid")])

    model = build() if given == "a network" else build
    fitted = classifier(model, run_eagerly=True).fit(X, LABELS)
    assert fitted.engine_ == "keras"
    assert fitted.model_.distribute_strategy is strategy
    assert np.isfinite(fitted.predict_proba(X)).all()


def test_nothing_is_said_of_retracing(caplog):
    def warn(epoch, logs):
        # As TensorFlow does from the fifth network on, whatever it is.
        tf.get_logger().warning("5 calls triggered tf.function retracing.")
        tf.get_logger().warning("Something else.")

    learn(network(eager=True), callbacks=[kc.LambdaCallback(on_epoch_begin=warn)], epochs=1)
    warn(0, {})
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "Something else.",
        "5 calls triggered tf.function retracing.",
        "Something else.",
    ]


TWO_DEVICES = """
    import numpy as np
    import tensorflow as tf

    device = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(device, [tf.config.LogicalDeviceConfiguration()] * 2)
    from test_keras_loop import LABELS, X, build_in_scope, classifier, network

    strategy = tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"])
    assert strategy.num_replicas_in_sync == 2
    X, LABELS = X[:16], LABELS[:16]  # in whole batches: Keras weighs the devices' parts alike
    plain = classifier(lambda: network(eager=True)).fit(X, LABELS)
    parted = classifier(build_in_scope(strategy)).fit(X, LABELS)
    assert parted.engine_ == "keras"
    np.testing.assert_allclose(parted.history_["loss"], plain.history_["loss"], rtol=1e-5)
    np.testing.assert_allclose(parted.predict_proba(X), plain.predict_proba(X), rtol=1e-5)
"""


def test_two_devices_share_the_batches():
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(TWO_DEVICES)],
        capture_output=True,
        text=True,
        cwd=__file__.rsplit("/", 1)[0],
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "retracing" not in done.stderr
