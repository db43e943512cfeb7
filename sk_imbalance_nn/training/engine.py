"""The epoch loop.

Who owns what: `EpochPlan` the order of the rows, this file the loop over epochs and chunks, the
network's own ``train_step`` what happens to a batch, `early_stopping` which epoch is kept, and
Keras' callbacks whatever their authors want. Nothing else calls ``train_step`` or ``test_step``.

A chunk of batches is gathered in NumPy and handed to one traced function, which runs
``train_step`` on each batch of it: no trip to Python a batch. Where somebody must be asked after
each batch (a callback that overrides a batch hook, a ``train_step`` of the user's own,
``run_eagerly``), a chunk is one batch.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from sk_imbalance_nn._compat import seeded
from sk_imbalance_nn.balancing.batches import EpochPlan, shuffled_plan
from sk_imbalance_nn.data.inputs import map_structure, row_bytes, take_rows
from sk_imbalance_nn.training.early_stopping import BestEpoch, ValidationScore
from sk_imbalance_nn.training.forward import as_tensors, row_specs, traced

_CHUNK_BYTES = 64 * 2**20
_TRAIN_HOOKS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")
_TEST_HOOKS = ("on_test_batch_begin", "on_test_batch_end")


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows to train on or to validate on.

    Parameters
    ----------
    x, y : structure
        Inputs and what the loss is given; may hold more rows than are used.
    weight : ndarray of shape (n,) or None
        What each row weighs in the loss.
    index : ndarray of shape (m,)
        Which of the n rows are used.
    """

    x: Any
    y: Any
    weight: NDArray[np.float32] | None
    index: NDArray[np.intp]

    def gather(self, positions: NDArray[np.intp], model: keras.Model) -> tuple[Any, ...]:
        """Return some of the rows as tensors: inputs, targets and, if any, weights."""
        index = self.index[positions]
        x = as_tensors(take_rows(self.x, index), model)
        y = map_structure(tf.constant, take_rows(self.y, index))
        return (x, y) if self.weight is None else (x, y, tf.constant(self.weight[index]))

    @property
    def bytes_each(self) -> int:
        """How many bytes a row takes."""
        return row_bytes(self.x) + row_bytes(self.y)


@dataclass(frozen=True)
class Schedule:
    """How long, and in what portions, to train.

    Parameters
    ----------
    epochs : int
        The epoch to end with; training starts after ``initial_epoch``.
    initial_epoch : int
        Epochs already behind.
    batch_size, validation_batch_size : int
        Rows a step.
    shuffle : bool
        Whether each epoch has an order of its own.
    steps_per_epoch : int or None
        A limit to the batches of an epoch.
    validation_freq : int or collection of int
        Every how many epochs, or after which ones (counted from 1), to validate.
    verbose : {0, 1, 2}
        Silence, a progress bar, or a line an epoch.
    """

    epochs: int = 1
    initial_epoch: int = 0
    batch_size: int = 32
    validation_batch_size: int = 1024
    shuffle: bool = True
    steps_per_epoch: int | None = None
    validation_freq: Any = 1
    verbose: int = 0

    def validates(self, epoch: int) -> bool:
        """Say whether validation follows an epoch, counted from 0."""
        if isinstance(self.validation_freq, int):
            return (epoch + 1) % self.validation_freq == 0
        return epoch + 1 in self.validation_freq


@dataclass
class TrainingRun:
    """What came of training.

    Parameters
    ----------
    history : dict
        For each quantity in the logs, its value after each epoch.
    n_epochs : int
        Epochs run to their end.
    interrupted : bool
        Whether the user stopped it.
    """

    history: dict[str, list[Any]] = field(default_factory=dict)
    n_epochs: int = 0
    interrupted: bool = False


def train(
    model: keras.Model,
    training: Rows,
    schedule: Schedule,
    *,
    rng: np.random.Generator,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    validation: Rows | None = None,
    score: ValidationScore | None = None,
    best: BestEpoch | None = None,
    best_on_loss: bool = False,
) -> TrainingRun:
    """Train a compiled network.

    Parameters
    ----------
    model : keras.Model
        Built and compiled; trained in place.
    training : Rows
        What to learn from.
    schedule : Schedule
        How long, and in what portions.
    rng : numpy.random.Generator
        Orders the rows, and seeds what the network draws outside of its own seed generators.
    callbacks : sequence of keras.callbacks.Callback
        As for ``Model.fit``; they see the validation score in their ``logs``.
    validation : Rows, default=None
        Rows for the ``val_`` quantities.
    score : ValidationScore, default=None
        An exact score of the validation rows.
    best : BestEpoch, default=None
        Stops, and keeps the best epoch's weights.
    best_on_loss : bool, default=False
        Whether ``best`` goes by the validation loss instead of ``score``.

    Returns
    -------
    TrainingRun
        History, number of epochs, and whether it was interrupted.

    Raises
    ------
    ValueError
        If the loss is not finite, or if a callback monitors what is not there.
    """
    loop = _EpochLoop(model, training, validation, schedule, callbacks, rng, score)
    run = TrainingRun()
    loop.begin()
    try:
        for epoch in range(schedule.initial_epoch, schedule.epochs):
            logs = loop.run_epoch(epoch)
            loop.end_epoch(epoch, logs)
            run.n_epochs += 1
            if best is not None and schedule.validates(epoch):
                value = -logs["val_loss"] if best_on_loss or score is None else logs[score.name]
                if best.update(value, model):
                    break
            if model.stop_training:
                break
    except KeyboardInterrupt:
        run.interrupted = True
        warnings.warn(
            f"Training interrupted by the user after {run.n_epochs} epochs; the network keeps "
            "what it has learnt so far.",
            stacklevel=2,
        )
    run.history = loop.end()
    if best is not None:
        best.restore(model)
    return run


class _EpochLoop:
    """One training's traced functions, callbacks and logs."""

    def __init__(
        self,
        model: keras.Model,
        training: Rows,
        validation: Rows | None,
        schedule: Schedule,
        callbacks: Sequence[keras.callbacks.Callback],
        rng: np.random.Generator,
        score: ValidationScore | None,
    ) -> None:
        self.model, self.training, self.validation = model, training, validation
        self.schedule, self.rng = schedule, rng
        self._user_callbacks = list(callbacks)
        self._score = score
        self.logs: dict[str, Any] = {}
        self.callbacks = keras.callbacks.CallbackList(
            list(callbacks),
            add_history=True,
            add_progbar=schedule.verbose != 0,
            verbose=schedule.verbose,
            epochs=schedule.epochs,
            steps=self._n_steps(),
            model=model,
        )
        self._train = _StepRunner(model, model.train_step, self._asks_after_batches(_TRAIN_HOOKS))
        self._test = _StepRunner(model, model.test_step, overrides(callbacks, _TEST_HOOKS))

    def _asks_after_batches(self, hooks: Iterable[str]) -> bool:
        own_step = getattr(type(self.model), "train_step", None) is not keras.Model.train_step
        return own_step or overrides(self._user_callbacks, hooks)

    def begin(self) -> None:
        if self.validation is None:
            self._check_no_validation_is_monitored()
        if self._score is not None:
            self._show_which_way_is_up(self._score)
        self.model.stop_training = False
        seed = int(self.rng.integers(2**31 - 1))
        with seeded(seed):
            first = self.training.gather(np.arange(1), self.model)
            _create_variables(self.model, first)
            self._train.trace(first)
            if self.validation is not None:
                self._test.trace(self.validation.gather(np.arange(1), self.model))
        self.callbacks.on_train_begin()

    def _show_which_way_is_up(self, score: ValidationScore) -> None:
        """Tell callbacks that monitor the validation score that more of it is better."""
        for callback in self._user_callbacks:
            if getattr(callback, "monitor", None) != score.name:
                continue
            if getattr(callback, "mode", None) == "auto":
                callback.mode = "max"

    def _check_no_validation_is_monitored(self) -> None:
        for callback in self._user_callbacks:
            monitor = getattr(callback, "monitor", None)
            if str(monitor).startswith("val_") and _uses_monitor(callback):
                raise ValueError(
                    f"{type(callback).__name__} monitors {monitor!r}, but there are no "
                    "validation rows. Give validation_split=0.1, early_stopping=True or "
                    "fit(..., validation_data=(X, y)), or monitor 'loss'."
                )

    def run_epoch(self, epoch: int) -> dict[str, Any]:
        """Train one epoch, validate, and return the logs of both."""
        self.model.reset_metrics()
        self.callbacks.on_epoch_begin(epoch)
        logs = self._train.run(
            self.training,
            self._plan(),
            self.callbacks.on_train_batch_begin,
            self.callbacks.on_train_batch_end,
        )
        self._check_finite(logs, epoch)
        if self.validation is not None and self.schedule.validates(epoch):
            logs.update({f"val_{name}": value for name, value in self._validate().items()})
            if self._score is not None:
                logs[self._score.name] = self._score()
        return logs

    def _n_steps(self) -> int:
        steps = -(-len(self.training.index) // self.schedule.batch_size)
        return min(steps, self.schedule.steps_per_epoch or steps)

    def _plan(self) -> EpochPlan:
        size, n = self.schedule.batch_size, len(self.training.index)
        plan = shuffled_plan(n, size, self.rng, self.schedule.shuffle)
        return EpochPlan(plan.indices[: self._n_steps() * size], size)

    def _validate(self) -> dict[str, Any]:
        assert self.validation is not None
        self.model.reset_metrics()
        self.model.stop_evaluating = False
        self.callbacks.on_test_begin()
        plan = EpochPlan(np.arange(len(self.validation.index)), self.schedule.validation_batch_size)
        logs = self._test.run(
            self.validation,
            plan,
            self.callbacks.on_test_batch_begin,
            self.callbacks.on_test_batch_end,
            stops_by="stop_evaluating",
        )
        self.callbacks.on_test_end(logs)
        return logs

    def end_epoch(self, epoch: int, logs: dict[str, Any]) -> None:
        if epoch == self.schedule.initial_epoch:
            self._check_monitors(logs, validated=self.schedule.validates(epoch))
        self.callbacks.on_epoch_end(epoch, logs)
        self.logs = logs

    def end(self) -> dict[str, list[Any]]:
        optimizer = self.model.optimizer
        if isinstance(optimizer, keras.optimizers.Optimizer):
            optimizer.finalize_variable_values(self.model.trainable_weights)
        self.callbacks.on_train_end(self.logs)
        return dict(self.model.history.history)

    def _check_finite(self, logs: dict[str, Any], epoch: int) -> None:
        loss = logs.get("loss", 0.0)
        # Whoever brought a TerminateOnNaN wants training to end there, without an error.
        if np.isfinite(loss) or self.model.stop_training:
            return
        raise ValueError(
            f"The loss became {loss} in epoch {epoch + 1}. Try a smaller learning rate "
            "(optimizer__learning_rate), gradient clipping (optimizer__clipnorm=1.0), scaled "
            "inputs (StandardScaler), or logits instead of probabilities in a custom loss."
        )

    def _check_monitors(self, logs: dict[str, Any], validated: bool) -> None:
        """Refuse a callback that waits for what never comes; Keras warns and runs on."""
        for callback in self._user_callbacks:
            monitor = getattr(callback, "monitor", None)
            if not isinstance(monitor, str) or monitor in logs or not _uses_monitor(callback):
                continue
            if monitor.startswith("val_") and not validated:
                continue
            near = get_close_matches(monitor, logs, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ValueError(
                f"{type(callback).__name__} monitors {monitor!r}, but the logs have only "
                f"{sorted(logs)}.{hint}"
            )


class _StepRunner:
    """Runs a network's ``train_step`` or ``test_step`` over chunks of batches.

    Parameters
    ----------
    model : keras.Model
        Whose step it is.
    step : callable
        Takes one batch, returns logs.
    batchwise : bool
        Whether a chunk is one batch.
    """

    def __init__(self, model: keras.Model, step: Callable[..., Any], batchwise: bool) -> None:
        self.model, self.step = model, step
        self.batchwise = batchwise or bool(model.run_eagerly)
        self._program: Any = None

    def trace(self, example: tuple[Any, ...]) -> None:
        """Trace the program for rows like those of the example."""
        if self.model.run_eagerly:
            self._program = lambda data, batch_size: self.step(data)
            return
        body = self._one_batch if self.batchwise else self._all_batches
        signature = [row_specs(example), tf.TensorSpec([], tf.int32)]
        self._program = traced(body, signature)
        self._program.get_concrete_function()

    def _one_batch(self, data: Any, batch_size: Any) -> Any:
        return self.step(data)

    def _all_batches(self, data: Any, batch_size: Any) -> None:
        n = tf.shape(tf.nest.flatten(data)[0])[0]

        def run_batch(start: Any) -> tuple[Any]:
            stop = start + batch_size
            self.step(tf.nest.map_structure(lambda tensor: tensor[start:stop], data))
            return (stop,)

        tf.while_loop(lambda start: start < n, run_batch, (0,), parallel_iterations=1)

    def run(
        self,
        rows: Rows,
        plan: EpochPlan,
        on_begin: Callable[..., None],
        on_end: Callable[..., None],
        stops_by: str = "stop_training",
    ) -> dict[str, Any]:
        """Run one epoch, until the network's flag is set, and return its logs."""
        at_once = max(1, _CHUNK_BYTES // (rows.bytes_each * plan.batch_size))
        logs: Any = None
        step = -1
        for positions in plan.chunks(1 if self.batchwise else at_once):
            on_begin(step + 1)
            logs = self._program(rows.gather(positions, self.model), plan.batch_size)
            step += -(-len(positions) // plan.batch_size)
            on_end(step, self._results(logs))
            if getattr(self.model, stops_by):
                break
        return self._results(logs)

    def _results(self, logs: Any) -> dict[str, Any]:
        """Return the metrics so far; a step of the user's own may return others instead."""
        results = self.model.get_metrics_result()
        if isinstance(logs, dict) and set(logs) != set(results):
            results = logs
        return {name: _number(value) for name, value in results.items()}


def _create_variables(model: keras.Model, example: tuple[Any, ...]) -> None:
    """Create the variables of the optimizer and the metrics before anything is traced.

    TensorFlow traces a function that creates variables twice, which is half of a short fit.
    """
    if isinstance(model.optimizer, keras.optimizers.Optimizer) and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    if type(model).compute_metrics is keras.Model.compute_metrics:
        x, y, *weight = example
        model.compute_metrics(x, y, model(x, training=False), *(weight or [None]))


def _number(value: Any) -> Any:
    array = np.asarray(value)
    return float(array) if array.ndim == 0 else array


def overrides(callbacks: Iterable[Any], hooks: Iterable[str]) -> bool:
    """Say whether any callback has a hook of its own by one of these names.

    Parameters
    ----------
    callbacks : iterable of keras.callbacks.Callback
        The callbacks.
    hooks : iterable of str
        Names of methods.

    Returns
    -------
    bool
        True if at least one hook does something.
    """
    return any(
        getattr(getattr(callback, hook), "__func__", None)
        is not getattr(keras.callbacks.Callback, hook)
        for callback in callbacks
        for hook in hooks
    )


def _uses_monitor(callback: Any) -> bool:
    """Say whether a callback reads its ``monitor``; a checkpoint may just save every epoch."""
    if isinstance(callback, keras.callbacks.ModelCheckpoint):
        return bool(callback.save_best_only)
    return True
