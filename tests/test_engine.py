"""The epoch loop learns what ``Model.fit`` learns, and the forward pass what ``predict`` says."""

from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import callbacks as kc
from keras import layers
from scipy import sparse
from scipy.special import expit, softmax
from sklearn.metrics import average_precision_score, balanced_accuracy_score, roc_auc_score

from sk_imbalance_nn.data.inputs import n_rows, take_rows
from sk_imbalance_nn.networks.heads import Head
from sk_imbalance_nn.training import feeding, forward
from sk_imbalance_nn.training.early_stopping import BestEpoch, Predictions, ValidationScore
from sk_imbalance_nn.training.engine import Schedule, train
from sk_imbalance_nn.training.feeding import Rows
from sk_imbalance_nn.training.forward import ForwardPass, as_tensors, build
from sk_imbalance_nn.training.steps import overrides

RNG = np.random.default_rng(0)
N, BATCH = 42, 16  # the last batch of an epoch is partial
X = RNG.normal(size=(N, 5)).astype(np.float32)
Y = (X[:, :1] + RNG.normal(size=(N, 1)) > 0.5).astype(np.float32)
WEIGHT = RNG.uniform(0.1, 3.0, N).astype(np.float32)
X_VAL = RNG.normal(size=(23, 5)).astype(np.float32)
Y_VAL = (X_VAL[:, :1] > 0.5).astype(np.float32)
WEIGHT_VAL = RNG.uniform(0.1, 3.0, len(X_VAL)).astype(np.float32)


# Two trainings of one network ---------------------------------------------------------------------


def dense_network(optimizer="sgd", metrics=(), hidden=(), loss="binary_crossentropy", **options):
    """Build and compile a small network; every call gives the same one."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((5,)),
            layers.Dense(4, activation="tanh", kernel_regularizer=options.pop("penalty", None)),
            *hidden,
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    compiled(model, optimizer, loss, metrics=list(metrics), **options)
    return model


def compiled(model, optimizer="sgd", loss="binary_crossentropy", **options):
    # Without XLA: what it fuses, it rounds in other places.
    model.compile(optimizer=optimizer, loss=loss, jit_compile=False, **options)
    return model


def rows(x, y, weight=None, index=None):
    return Rows(x, y, weight, np.arange(n_rows(x)) if index is None else index)


def learn(model, training, validation=None, callbacks=(), seed=0, shuffle=False, **schedule):
    """Train with the library's loop."""
    schedule = {"batch_size": BATCH, "validation_batch_size": BATCH, "epochs": 2, **schedule}
    return train(
        model,
        training,
        Schedule(shuffle=shuffle, **schedule),
        rng=np.random.default_rng(seed),
        validation=validation,
        callbacks=callbacks,
    )


def fit(model, training, validation=None, **options):
    """Train with Keras' own loop."""
    options = {"batch_size": BATCH, "epochs": 2, "shuffle": False, "verbose": 0, **options}
    data = None
    if validation is not None:
        parts = (validation.x, validation.y, validation.weight)
        data = tuple(part for part in parts if part is not None)
    return model.fit(
        training.x,
        training.y,
        sample_weight=training.weight,
        validation_data=data,
        **options,
    ).history


def assert_same_history(found, expected):
    assert list(found) == list(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=2e-5, atol=2e-6, err_msg=name)


def assert_same_weights(found, expected, **tolerance):
    tolerance = tolerance or {"rtol": 2e-5, "atol": 2e-6}
    for one, other in zip(found.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, **tolerance)


def assert_same_learning(build_model, training, validation=None, callbacks=list, **options):
    ours, theirs = build_model(), build_model()
    expected = fit(theirs, training, validation, callbacks=callbacks(), **options)
    run = learn(ours, training, validation, callbacks=callbacks(), **options)
    assert_same_history(run.history, expected)
    assert_same_weights(ours, theirs)
    return ours, run


# The same learning --------------------------------------------------------------------------------

WEIGHTED = rows(X, Y, WEIGHT)
CONFIGURATIONS = {
    "SGD with momentum": lambda: dense_network(
        keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
        ["accuracy"],
        weighted_metrics=["mae"],
    ),
    "Adam, clipped, averaged, regularised, normalised": lambda: dense_network(
        keras.optimizers.Adam(
            0.05, clipnorm=0.1, use_ema=True, ema_momentum=0.7, ema_overwrite_frequency=2
        ),
        hidden=[layers.BatchNormalization(), layers.ActivityRegularization(l1=0.01)],
        penalty=keras.regularizers.L2(0.1),
    ),
    "AdamW, with a schedule and dropout": lambda: dense_network(
        keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(0.05, 5), weight_decay=0.1, global_clipnorm=0.1
        ),
        hidden=[layers.Dropout(0.5, seed=3)],
    ),
}


@pytest.mark.parametrize("build_model", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_learning_equals_that_of_keras(build_model):
    assert_same_learning(build_model, WEIGHTED, rows(X_VAL, Y_VAL, WEIGHT_VAL))


def test_validation_figures_equal_those_of_evaluate_whatever_the_batch_size():
    model = dense_network(metrics=["accuracy", keras.metrics.AUC(name="auc")])
    run = learn(model, rows(X, Y), rows(X_VAL, Y_VAL), validation_batch_size=5)
    for name, value in model.evaluate(X_VAL, Y_VAL, verbose=0, return_dict=True).items():
        assert run.history[f"val_{name}"][-1] == pytest.approx(value, rel=1e-5)


def two_headed():
    keras.utils.set_random_seed(0)
    left, right = keras.Input((2,), name="left"), keras.Input((3,), name="right")
    hidden = layers.Dense(4, activation="tanh")(layers.Concatenate()([left, right]))
    outputs = {
        "a": layers.Dense(1, activation="sigmoid", name="a")(hidden),
        "b": layers.Dense(2, name="b")(hidden),
    }
    return compiled(
        keras.Model({"left": left, "right": right}, outputs),
        loss={"a": "binary_crossentropy", "b": "mse"},
        loss_weights={"a": 1.0, "b": 0.5},
        metrics={"a": ["accuracy"], "b": ["mae"]},
    )


def test_several_inputs_and_outputs_learn_as_in_keras():
    x = {"left": X[:, :2], "right": X[:, 2:]}
    assert_same_learning(two_headed, rows(x, {"a": Y, "b": X[:, :2]}))


class OwnStep(keras.Model):
    """Somebody's own train_step, which returns logs of its own."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(1)

    def call(self, x):
        return self.dense(x)

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(self(x, training=True) - y))
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return {"my_loss": loss, "largest": tf.reduce_max(tf.abs(gradients[0]))}


def own_step():
    keras.utils.set_random_seed(0)
    model = compiled(OwnStep(), "sgd", "mse")
    model(X[:1])
    return model


def test_a_train_step_of_the_users_own_learns_and_logs_as_in_keras():
    _, run = assert_same_learning(own_step, rows(X, Y))
    assert set(run.history) == {"my_loss", "largest"}


IDS = RNG.integers(0, 7, (N, 3)).astype(np.int64)


def embedding_network():
    keras.utils.set_random_seed(0)
    return compiled(
        keras.Sequential(
            [
                keras.Input((3,), dtype="int32"),
                layers.Embedding(7, 4),
                layers.Flatten(),
                layers.Dense(1, activation="sigmoid"),
            ]
        )
    )


def test_integers_reach_an_embedding_as_integers():
    assert_same_learning(embedding_network, rows(IDS, Y))
    assert as_tensors(IDS, embedding_network()).dtype == tf.int32
    assert as_tensors(IDS, dense_network()).dtype == tf.float32


# Which rows, in which order -----------------------------------------------------------------------


class SeenRows(layers.Layer):
    """Remembers the first column of every batch that it is called on."""

    def __init__(self):
        super().__init__()
        self.batches, self.n_traces = [], 0

    def call(self, x):
        self.n_traces += 1
        tf.py_function(lambda rows: self.batches.append(rows[:, 0].numpy().tolist()), [x], [])
        return x


def watched():
    seen = SeenRows()
    model = compiled(keras.Sequential([keras.Input((1,)), seen, layers.Dense(1)]), loss="mse")
    seen.batches.clear()
    return model, seen


NUMBERS = np.arange(N, dtype=np.float32)[:, None]


def test_batches_and_their_order_are_those_of_keras():
    ours, our_rows = watched()
    theirs, their_rows = watched()
    fit(theirs, rows(NUMBERS, Y))
    learn(ours, rows(NUMBERS, Y))
    ours_without_building = [batch for batch in our_rows.batches if len(batch) > 1]
    assert ours_without_building == [batch for batch in their_rows.batches if len(batch) > 1]
    assert [len(batch) for batch in ours_without_building] == [16, 16, 10] * 2


def test_shuffled_epochs_see_each_row_once_in_an_order_of_their_own():
    model, seen = watched()
    learn(model, rows(NUMBERS, Y), shuffle=True)
    batches = [batch for batch in seen.batches if len(batch) > 1]
    first, second = np.concatenate(batches[:3]), np.concatenate(batches[3:])
    assert sorted(first) == sorted(second) == NUMBERS[:, 0].tolist()
    assert first.tolist() != second.tolist()


def test_only_the_rows_of_the_index_train():
    ours, other = dense_network(), dense_network()
    index = np.array([3, 40, 7, 8, 9, 21, 0])
    learn(ours, rows(X, Y, WEIGHT, index))
    learn(other, rows(X[index], Y[index], WEIGHT[index]))
    assert_same_weights(ours, other, rtol=0)


def test_steps_per_epoch_limit_the_batches():
    model, seen = watched()
    learn(model, rows(NUMBERS, Y), epochs=3, steps_per_epoch=2, shuffle=True)
    assert [len(batch) for batch in seen.batches if len(batch) > 1] == [16, 16] * 3
    assert int(model.optimizer.iterations) == 6


def test_validation_comes_as_often_as_asked():
    _, run = assert_same_learning(
        dense_network, rows(X, Y), rows(X_VAL, Y_VAL), epochs=4, validation_freq=[1, 4]
    )
    assert len(run.history["val_loss"]) == 2
    often = Schedule(validation_freq=2)
    assert [often.validates(epoch) for epoch in range(4)] == [False, True, False, True]


def test_training_continues_after_the_initial_epoch():
    _, run = assert_same_learning(dense_network, rows(X, Y), epochs=5, initial_epoch=3)
    assert run.n_epochs == len(run.history["loss"]) == 2


# Chunks -------------------------------------------------------------------------------------------


class EveryBatch(kc.Callback):
    """Makes the loop go batch by batch."""

    def on_train_batch_end(self, batch, logs=None):
        pass

    def on_test_batch_end(self, batch, logs=None):
        pass


def test_chunks_and_single_batches_learn_the_same_to_the_last_bit(monkeypatch):
    def learned(*callbacks):
        model = dense_network("adam", ["accuracy"], hidden=[layers.Dropout(0.5, seed=1)])
        data, held_out = rows(X, Y, WEIGHT), rows(X_VAL, Y_VAL)
        return model, learn(model, data, held_out, callbacks, shuffle=True, epochs=3).history

    whole, history = learned()
    by_batch = learned(EveryBatch())
    monkeypatch.setattr(feeding, "RESIDENT_CHUNK_BYTES", 2 * BATCH * WEIGHTED.bytes_each)
    two_batches = learned()
    monkeypatch.setattr(feeding, "RESIDENT_CHUNK_BYTES", 1)
    for model, other in (by_batch, two_batches, learned()):
        assert_same_weights(model, whole, rtol=0)
        assert other == history


def test_sparse_rows_learn_as_dense_ones_do():
    x = X * (X > 0)
    dense, from_sparse = dense_network(), dense_network()
    learn(dense, rows(x, Y))
    learn(from_sparse, rows(sparse.csr_array(x), Y))
    assert_same_weights(from_sparse, dense, rtol=0)


def test_equal_seeds_learn_the_same_and_others_do_not():
    models = [dense_network() for _ in range(3)]
    for model, seed in zip(models, (1, 1, 2), strict=True):
        learn(model, rows(X, Y), shuffle=True, seed=seed)
    assert_same_weights(models[0], models[1], rtol=0)
    assert (models[0].get_weights()[0] != models[2].get_weights()[0]).any()


# Callbacks ----------------------------------------------------------------------------------------

EPOCH_HOOKS = [
    *("on_train_begin", "on_train_end", "on_epoch_begin", "on_epoch_end"),
    *("on_test_begin", "on_test_end"),
]
BATCH_HOOKS = [
    *("on_train_batch_begin", "on_train_batch_end"),
    *("on_test_batch_begin", "on_test_batch_end"),
]


def recorder(hooks):
    """Return a callback that writes down every call of some hooks."""

    def hook(name):
        def record(self, *args, **kwargs):
            number = args[0] if args and not isinstance(args[0], dict) else None
            logs = kwargs.get("logs", args[-1] if args and isinstance(args[-1], dict) else None)
            figures = {key: float(value) for key, value in (logs or {}).items()}
            self.calls.append((name, number, figures))

        return record

    kind = type("Recorder", (kc.Callback,), {name: hook(name) for name in hooks})
    callback = kind()
    callback.calls = []
    return callback


@pytest.fixture(scope="module")
def hooks_of_keras():
    """What a callback is told that listens to every hook, in Keras' own loop."""
    theirs = recorder([*EPOCH_HOOKS, *BATCH_HOOKS])
    fit(dense_network(metrics=["accuracy"]), rows(X, Y), rows(X_VAL, Y_VAL), callbacks=[theirs])
    return theirs


@pytest.mark.parametrize(
    "hooks", [EPOCH_HOOKS, [*EPOCH_HOOKS, *BATCH_HOOKS], ["on_train_batch_end"]],
    ids=["epochs", "batches", "one hook"],
)  # fmt: skip
def test_hooks_are_called_in_the_order_and_with_the_arguments_of_keras(hooks, hooks_of_keras):
    ours = recorder(hooks)
    learn(dense_network(metrics=["accuracy"]), rows(X, Y), rows(X_VAL, Y_VAL), [ours])
    theirs = [call for call in hooks_of_keras.calls if call[0] in hooks]
    assert [call[:2] for call in ours.calls] == [call[:2] for call in theirs]
    for (*_, found), (*_, expected) in zip(ours.calls, theirs, strict=True):
        assert found == pytest.approx(expected, rel=1e-5)
    assert ours.params == {**hooks_of_keras.params}


class StopInTheMiddle(kc.Callback):
    def __init__(self, epoch, batch):
        super().__init__()
        self.place = (epoch, batch)

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == self.place:
            self.model.stop_training = True


def test_training_stops_in_the_middle_of_an_epoch_and_still_validates_on_all_rows():
    model, run = assert_same_learning(
        dense_network,
        rows(X, Y),
        rows(X_VAL, Y_VAL),
        lambda: [StopInTheMiddle(1, 1), EveryBatch()],
        epochs=4,
    )
    assert run.n_epochs == 2
    assert int(model.optimizer.iterations) == 3 + 2


def test_a_callback_stops_training_after_an_epoch():
    class Stop(kc.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 1

    _, run = assert_same_learning(dense_network, rows(X, Y), callbacks=lambda: [Stop()], epochs=5)
    assert run.n_epochs == 2


KERAS_CALLBACKS = {
    "ReduceLROnPlateau and LearningRateScheduler": lambda: [
        kc.ReduceLROnPlateau(monitor="loss", factor=0.5, patience=1, min_delta=10.0),
        kc.LearningRateScheduler(lambda epoch, rate: 0.9 * rate),
    ],
    "EarlyStopping": lambda: [
        kc.EarlyStopping(monitor="loss", patience=1, mode="max", restore_best_weights=True)
    ],
}


@pytest.mark.parametrize("callbacks", KERAS_CALLBACKS.values(), ids=KERAS_CALLBACKS)
def test_keras_own_callbacks_work_as_in_keras(callbacks):
    assert_same_learning(dense_network, rows(X, Y), callbacks=callbacks, epochs=4)


def test_averaged_weights_are_swapped_in_for_validation_as_in_keras():
    assert_same_learning(
        lambda: dense_network(keras.optimizers.SGD(0.3, use_ema=True, ema_momentum=0.5)),
        rows(X, Y),
        rows(X_VAL, Y_VAL),
        lambda: [kc.SwapEMAWeights(swap_on_epoch=False)],
    )


def test_checkpoints_hold_the_best_weights(tmp_path):
    path = str(tmp_path / "best.weights.h5")
    best = kc.ModelCheckpoint(
        path, monitor="val_loss", save_best_only=True, save_weights_only=True, mode="max"
    )
    # The first epoch is the one with the largest loss.
    model, once = dense_network(), dense_network()
    run = learn(model, rows(X, Y), rows(X_VAL, Y_VAL), [best], epochs=3)
    learn(once, rows(X, Y), epochs=1)
    assert np.argmax(run.history["val_loss"]) == 0
    model.load_weights(path)
    assert_same_weights(model, once, rtol=0)


def test_lambda_callbacks_see_epochs_and_batches():
    epochs, batches = [], []
    by_epoch = kc.LambdaCallback(on_epoch_end=lambda epoch, logs: epochs.append(epoch))
    learn(dense_network(), rows(X, Y), callbacks=[by_epoch])
    by_batch = kc.LambdaCallback(on_train_batch_end=lambda batch, logs: batches.append(batch))
    learn(dense_network(), rows(X, Y), callbacks=[by_batch])
    assert (epochs, batches) == ([0, 1], [0, 1, 2] * 2)


def exploding():
    return dense_network(keras.optimizers.SGD(1e30), loss="mse", penalty=keras.regularizers.L2(1e9))


def test_terminate_on_nan_ends_training_quietly():
    run = learn(exploding(), rows(X, Y), callbacks=[kc.TerminateOnNaN()], epochs=5)
    assert run.n_epochs == 1
    assert not np.isfinite(run.history["loss"]).any()


def test_a_loss_that_is_not_finite_is_an_error_with_cures():
    with pytest.raises(ValueError, match=r"in epoch 1\. Try a smaller learning rate .*clipnorm"):
        learn(exploding(), rows(X, Y))


@pytest.mark.parametrize(
    ("callback", "validates", "message"),
    [
        (kc.EarlyStopping("val_loss"), False, "EarlyStopping monitors 'val_loss'.*Give validation"),
        (kc.EarlyStopping("val_los"), True, r"monitors 'val_los'.*Did you mean 'val_loss'"),
        (kc.ReduceLROnPlateau("auc"), False, r"monitors 'auc', but the logs have only \['loss'\]"),
        (
            kc.ModelCheckpoint("x.keras", "val_auc", save_best_only=True),
            False,
            "ModelCheckpoint monitors 'val_auc'",
        ),
    ],
)
def test_callbacks_that_wait_for_what_never_comes_are_refused(callback, validates, message):
    validation = rows(X_VAL, Y_VAL) if validates else None
    with pytest.raises(ValueError, match=message):
        learn(dense_network(), rows(X, Y), validation, [callback])


def test_a_checkpoint_that_saves_every_epoch_needs_no_monitor(tmp_path):
    every = kc.ModelCheckpoint(str(tmp_path / "{epoch}.weights.h5"), save_weights_only=True)
    learn(dense_network(), rows(X, Y), callbacks=[every])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.weights.h5", "2.weights.h5"]


def test_an_interruption_keeps_what_was_learnt():
    def interrupt(epoch, logs):
        if epoch == 1:
            raise KeyboardInterrupt

    ours, once = dense_network(), dense_network()
    with pytest.warns(UserWarning, match="interrupted by the user after 1 epochs"):
        run = learn(ours, rows(X, Y), callbacks=[kc.LambdaCallback(on_epoch_begin=interrupt)])
    learn(once, rows(X, Y), epochs=1)
    assert (run.n_epochs, len(run.history["loss"])) == (1, 1)
    assert_same_weights(ours, once, rtol=0)


def test_overridden_hooks_are_found():
    assert not overrides([], BATCH_HOOKS)
    assert not overrides([kc.Callback(), recorder(EPOCH_HOOKS)], BATCH_HOOKS)
    assert overrides([kc.Callback(), EveryBatch()], BATCH_HOOKS)
    assert overrides([kc.LambdaCallback(on_train_batch_end=print)], BATCH_HOOKS)


# The best epoch -----------------------------------------------------------------------------------


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.sampled_from([0.1, 0.2, 0.3, np.nan]), min_size=1, max_size=12), st.integers(1, 4)
)
def test_the_best_epoch_is_the_first_with_the_highest_score(scores, patience):
    best, seen = BestEpoch(patience), []
    for epoch, score in enumerate(scores, 1):
        seen.append(-np.inf if np.isnan(score) else score)
        stops = best.update(score, epoch)
        assert best.best_epoch == np.argmax(seen) + 1
        assert stops is (len(seen) - best.best_epoch >= patience)
    assert best.best_score == max(seen)


def test_the_weights_of_the_best_epoch_come_back():
    model, once = dense_network(), dense_network()
    learn(once, rows(X, Y), epochs=2)
    scores = iter([0.2, 0.9, 0.3, 0.4, 1.0])
    score = lambda: next(scores)  # noqa: E731
    score.name = "val_mine"
    best = BestEpoch(n_iter_no_change=2)
    schedule = Schedule(epochs=9, batch_size=BATCH, shuffle=False)
    run = train(
        model,
        rows(X, Y),
        schedule,
        rng=np.random.default_rng(0),
        validation=rows(X_VAL, Y_VAL),
        score=score,
        best=best,
    )
    assert run.history["val_mine"] == [0.2, 0.9, 0.3, 0.4]
    assert (run.n_epochs, best.best_epoch, best.best_score) == (4, 2, 0.9)
    assert_same_weights(model, once, rtol=0)


def test_the_best_epoch_may_go_by_the_validation_loss():
    model, best = dense_network(keras.optimizers.SGD(1.0)), BestEpoch(n_iter_no_change=3)
    schedule = Schedule(epochs=6, batch_size=BATCH, shuffle=False)
    data = {"validation": rows(X_VAL, Y_VAL), "best": best, "best_on_loss": True}
    run = train(model, rows(X, Y), schedule, rng=np.random.default_rng(0), **data)
    losses = run.history["val_loss"]
    assert best.best_epoch == np.argmin(losses) + 1
    assert best.best_score == -min(losses)
    assert model.evaluate(X_VAL, Y_VAL, verbose=0) == pytest.approx(min(losses), rel=1e-5)


ONE_SIGMOID = Head("binary", 2, 1, "sigmoid", False, "column")
VALIDATION_LOGITS = X_VAL @ np.ones((5, 1))
CODES = Y_VAL[:, 0].astype(int)


def predictions(classes=(0, 1), reverse=False):
    classes = np.array(classes)
    return Predictions(classes, lambda X: VALIDATION_LOGITS, ONE_SIGMOID, classes.take, reverse)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    ("scoring", "expected"),
    [
        ("average_precision", lambda y, z, **w: average_precision_score(y, z, **w)),
        ("roc_auc", lambda y, z, **w: roc_auc_score(y, z, **w)),
        ("balanced_accuracy", lambda y, z, **w: balanced_accuracy_score(y, z > 0, **w)),
    ],
)
@pytest.mark.parametrize("weight", [None, WEIGHT[: len(X_VAL)]], ids=["unweighted", "weighted"])
def test_validation_scores_are_scikit_learns(scoring, expected, reverse, weight):
    y = 1 - CODES if reverse else CODES
    score = ValidationScore(scoring, predictions(reverse=reverse), X_VAL, y, weight)
    logits = VALIDATION_LOGITS[:, 0] * (-1 if reverse else 1)
    weights = {} if weight is None else {"sample_weight": weight}
    assert score() == pytest.approx(expected(y, logits, **weights))
    assert score.name == f"val_{scoring}"


def test_scorers_of_the_users_own_see_labels_and_probabilities():
    def scorer(estimator, X, y):
        assert set(estimator.predict(X)) <= {"no", "yes"}
        np.testing.assert_allclose(estimator.predict_proba(X).sum(axis=1), 1)
        np.testing.assert_allclose(
            estimator.predict_proba(X)[:, 1], expit(estimator.decision_function(X))
        )
        return 0.25

    labels = np.array(["no", "yes"])[CODES]
    score = ValidationScore(scorer, predictions(["no", "yes"]), X_VAL, labels)
    assert (score(), score.name) == (0.25, "val_score")


def test_scorers_that_do_not_fit_the_target_are_refused_with_a_cure():
    score = ValidationScore("roc_auc", predictions(), X_VAL, np.arange(len(X_VAL)) % 3)
    with pytest.raises(
        ValueError, match=r"scoring='roc_auc' cannot.*'roc_auc_ovr'.*scoring='loss'"
    ):
        score()


# The forward pass ---------------------------------------------------------------------------------


def network(*stack):
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((5,)), *stack])


def average_of_two():
    x = keras.Input((5,))
    parts = [layers.Dense(1, activation="sigmoid")(x) for _ in range(2)]
    return keras.Model(x, layers.Average()(parts))


class Subclassed(keras.Model):
    def __init__(self, activation=None):
        super().__init__()
        self.dense = layers.Dense(2, activation=activation)

    def call(self, x):
        return self.dense(x)


@pytest.mark.parametrize(
    ("build_model", "activation", "gives_logits"),
    [
        (lambda: network(layers.Dense(1, activation="sigmoid")), "sigmoid", True),
        (lambda: network(layers.Dense(3, activation="softmax")), "softmax", True),
        (lambda: network(layers.Dense(1), layers.Activation("sigmoid")), "sigmoid", True),
        (lambda: network(layers.Dense(3), layers.Softmax()), "softmax", True),
        (lambda: network(layers.Dense(3, activation=keras.ops.sigmoid)), "sigmoid", None),
        (lambda: network(layers.Dense(1)), "linear", False),
        (lambda: network(layers.Dense(1, use_bias=False)), "linear", False),
        (lambda: network(layers.Dense(2), layers.Reshape((2, 1))), "linear", False),
        (lambda: network(layers.Dense(2, activation="relu")), "relu", False),
        (lambda: network(layers.Dense(2, activation="tanh")), "tanh", False),
        (lambda: network(layers.Dense(2, activation="softplus")), "softplus", False),
        (average_of_two, None, False),
        (lambda: Subclassed("softmax"), "softmax", True),
        (lambda: Subclassed(), "linear", False),
        (lambda: keras.Sequential([layers.Dense(1, activation="sigmoid")]), "sigmoid", True),
        (
            lambda: network(
                layers.Reshape((5, 1)),
                layers.Conv1D(1, 3, activation="sigmoid"),
                layers.Reshape((3,)),
            ),
            "sigmoid",
            None,
        ),
    ],
    ids=lambda value: "" if callable(value) else str(value),
)
def test_outputs_and_activations_are_seen_as_they_are(build_model, activation, gives_logits):
    model = build_model()
    build(model, X)
    expected = model(X, training=False).numpy()
    pass_ = ForwardPass(model)
    outputs = pass_(X)
    assert pass_.activation == activation
    if gives_logits is not None:
        assert pass_.gives_logits is gives_logits
    if pass_.gives_logits:
        outputs = softmax(outputs, axis=1) if activation == "softmax" else expit(outputs)
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-7)
    plain = ForwardPass(model, logits=False)
    np.testing.assert_allclose(plain(X), expected, rtol=1e-5, atol=1e-7)
    assert not plain.gives_logits


def test_logits_do_not_saturate():
    model = network(layers.Dense(1, activation="sigmoid", kernel_initializer="ones"))
    outputs = ForwardPass(model)(np.array([[100.0] * 5, [200.0] * 5]))
    assert outputs.tolist() == [[500], [1000]]


def test_chunks_change_nothing(monkeypatch):
    pass_ = ForwardPass(network(layers.Dense(2, activation="softmax")))
    whole = pass_(X)
    for rows_at_once in (1, 7, N - 1, N, N + 1):
        monkeypatch.setattr(forward, "_CHUNK_BYTES", 20 * rows_at_once)
        np.testing.assert_allclose(pass_(X), whole, rtol=1e-6)
        np.testing.assert_allclose(pass_(sparse.csr_array(X)), whole, rtol=1e-6)


class CountTraces(layers.Layer):
    n_traces = 0

    def call(self, x):
        self.n_traces += 1
        return x


def test_one_trace_serves_all_row_counts():
    counter = CountTraces()
    pass_ = ForwardPass(network(counter, layers.Dense(1)))
    built = counter.n_traces
    for n in (1, 2, 17, N):
        assert pass_(X[:n]).shape == (n, 1)
    assert counter.n_traces == built + 1


def test_epochs_of_all_batch_sizes_share_one_trace():
    counter = CountTraces()
    model = compiled(network(counter, layers.Dense(1, activation="sigmoid")))
    built = counter.n_traces
    learn(model, rows(X, Y), rows(X_VAL, Y_VAL), epochs=3)
    # One for training, one for validation, and at most one to create variables.
    assert counter.n_traces - built <= 3


def test_threads_share_a_forward_pass():
    pass_ = ForwardPass(network(layers.Dense(3, activation="softmax")))
    expected = ForwardPass(pass_._model)(X)
    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(lambda start: pass_(X[start:]), list(range(N)) * 2))
    for start, part in enumerate(parts):
        np.testing.assert_allclose(part, expected[start % N :], rtol=1e-6)


def test_new_weights_are_seen_at_the_next_call():
    model = network(layers.Dense(1))
    pass_ = ForwardPass(model)
    pass_(X)
    model.set_weights([np.zeros((5, 1)), np.array([3.0])])
    assert (pass_(X) == 3).all()


def test_layers_that_differ_in_training_are_as_in_prediction():
    model = network(layers.Dropout(0.9), layers.BatchNormalization(), layers.Dense(1))
    np.testing.assert_allclose(ForwardPass(model)(X), model.predict(X, verbose=0), rtol=1e-5)


@pytest.mark.parametrize("form", [dict, list, tuple])
def test_several_inputs_and_outputs_pass_in_every_form(form):
    left, right = keras.Input((2,), name="left"), keras.Input((3,), name="right")
    hidden = layers.Concatenate()([left, right])
    inputs = {"right": right, "left": left} if form is dict else [left, right]
    model = keras.Model(inputs, [layers.Dense(1)(hidden), layers.Dense(2)(hidden)])
    x = {"left": X[:, :2], "right": X[:, 2:]} if form is dict else form([X[:, :2], X[:, 2:]])
    expected = model(list(x) if form is tuple else x, training=False)
    for part, other in zip(ForwardPass(model)(x), expected, strict=True):
        np.testing.assert_allclose(part, other, rtol=1e-5)


def test_an_unbuilt_network_is_built_by_one_row():
    model = keras.Sequential([layers.Dense(2), layers.Dense(1)])
    build(model, X)
    before = model.get_weights()
    build(model, X)
    assert [weight.shape for weight in before] == [(5, 2), (2,), (2, 1), (1,)]
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_rows_of_the_engine_are_the_rows_of_the_data():
    data = rows({"a": X, "b": sparse.csr_array(X)}, Y, WEIGHT, np.arange(N)[::-1])
    x, y, weight = data.gather(np.array([0, 2]), dense_network())
    for part in x.values():
        np.testing.assert_array_equal(part, X[[N - 1, N - 3]])
    np.testing.assert_array_equal(y, take_rows(Y, np.array([N - 1, N - 3])))
    np.testing.assert_array_equal(weight, WEIGHT[[N - 1, N - 3]])


def test_a_callback_may_freeze_layers_before_training_begins():
    class Freeze(kc.Callback):
        def on_train_begin(self, logs=None):
            self.model.layers[0].trainable = False

    model = dense_network("sgd")
    before = model.layers[0].get_weights()
    learn(model, rows(X, Y), callbacks=[Freeze()])
    for now, then in zip(model.layers[0].get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_a_scaled_loss_trains():
    """Its branches within branches once kept every thread of TensorFlow's waiting."""
    model = dense_network(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1)))
    before = model.get_weights()[0]
    learn(model, rows(X, Y))
    assert (model.get_weights()[0] != before).any()


def test_a_network_that_remembers_its_batches_may_have_metrics():
    inputs = keras.Input(batch_shape=(BATCH, X.shape[1], 1))
    hidden = layers.SimpleRNN(2, stateful=True)(inputs)
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(hidden))
    model.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
    n_rows = len(X) // BATCH * BATCH
    run = learn(model, rows(X[:n_rows, :, None], Y[:n_rows]))
    assert set(run.history) == {"accuracy", "loss"}


def test_a_train_step_of_an_instance_is_one_of_the_users_own():
    model = dense_network("sgd")
    ordinary = model.train_step
    model.train_step = lambda data: {**ordinary(data), "rows": len(data)}
    assert learn(model, rows(X, Y)).history["rows"] == [2, 2]
