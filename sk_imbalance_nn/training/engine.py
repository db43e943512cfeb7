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
from collections.abc import Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import keras
import numpy as np

from sk_imbalance_nn._compat import seeded
from sk_imbalance_nn.balancing.batches import EpochPlan, shuffled_plan
from sk_imbalance_nn.training.early_stopping import BestEpoch, ValidationScore, diverged
from sk_imbalance_nn.training.monitors import (
    check_monitors,
    check_validation_monitors,
    say_more_is_better,
)
from sk_imbalance_nn.training.steps import Rows, StepRunner, create_variables, overrides

_TRAIN_HOOKS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")
_TEST_HOOKS = ("on_test_batch_begin", "on_test_batch_end")


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
        if isinstance(self.validation_freq, Integral):
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
    """

    history: dict[str, list[Any]] = field(default_factory=dict)
    n_epochs: int = 0


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
        History and number of epochs.

    Raises
    ------
    ValueError
        If the loss is not finite, or if a callback monitors what is not there.
    """
    if best is not None and getattr(model.optimizer, "use_ema", False):
        raise ValueError(
            "The optimizer averages the weights (use_ema=True) until the end of training, but "
            "early stopping goes back to the best epoch's. Give early_stopping=False."
        )
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
                if best.update(value, epoch + 1, model):
                    break
            if model.stop_training:
                break
    except KeyboardInterrupt:
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
        self._train = StepRunner(model, "train_step", overrides(callbacks, _TRAIN_HOOKS))
        self._test = StepRunner(model, "test_step", overrides(callbacks, _TEST_HOOKS))

    def begin(self) -> None:
        if self.validation is None:
            check_validation_monitors(self._user_callbacks)
        if self._score is not None:
            say_more_is_better(self._user_callbacks, self._score.name)
        self.model.stop_training = False
        seed = int(self.rng.integers(2**31 - 1))
        with seeded(seed):
            first = self.training.gather(np.arange(1), self.model)
            create_variables(self.model, first)
            self._train.trace(first)
            if self.validation is not None:
                self._test.trace(self.validation.gather(np.arange(1), self.model))
        self.callbacks.on_train_begin()

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
            logs.update(self._validate(self.validation))
        return logs

    def _n_steps(self) -> int:
        steps = -(-len(self.training.index) // self.schedule.batch_size)
        return min(steps, self.schedule.steps_per_epoch or steps)

    def _plan(self) -> EpochPlan:
        size, n = self.schedule.batch_size, len(self.training.index)
        plan = shuffled_plan(n, size, self.rng, self.schedule.shuffle)
        return EpochPlan(plan.indices[: self._n_steps() * size], size)

    def _validate(self, rows: Rows) -> dict[str, Any]:
        """Return the ``val_`` quantities, the exact score among them."""
        self.model.reset_metrics()
        self.model.stop_evaluating = False
        self.callbacks.on_test_begin()
        logs = self._test.run(
            rows,
            EpochPlan(np.arange(len(rows.index)), self.schedule.validation_batch_size),
            self.callbacks.on_test_batch_begin,
            self.callbacks.on_test_batch_end,
            stops_by="stop_evaluating",
        )
        named = {f"val_{name}": value for name, value in logs.items()}
        # Callbacks may put other weights in for validation, and back at its end.
        if self._score is not None:
            named[self._score.name] = self._score()
        self.callbacks.on_test_end(logs)
        return named

    def end_epoch(self, epoch: int, logs: dict[str, Any]) -> None:
        if epoch == self.schedule.initial_epoch:
            check_monitors(self._user_callbacks, logs, validated=self.schedule.validates(epoch))
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
        raise ValueError(diverged(f"The loss became {loss} in epoch {epoch + 1}"))
