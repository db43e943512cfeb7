"""Keras' loop: ``Model.fit`` for the networks that cannot run in chunks of batches.

Those are networks that run eagerly, live under a `tf.distribute` strategy, or bring a loop of
their own. They are fed the very batches that the library's loop would have fed them. Whatever
surrounds an epoch (the exact score, early stopping, the checks) hangs on two callbacks: one ahead
of the user's, so that theirs see what it puts into the logs, one behind them, so that it sees what
they have done.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from numbers import Integral
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from sk_imbalance_nn._compat import seeded
from sk_imbalance_nn.balancing.epochs import Epoch
from sk_imbalance_nn.training.early_stopping import BestEpoch, ValidationScore
from sk_imbalance_nn.training.ending import (
    check_finite,
    finalize,
    has_waited_long_enough,
    warn_of_interruption,
)
from sk_imbalance_nn.training.feeding import Rows
from sk_imbalance_nn.training.fingerprint import is_distributed
from sk_imbalance_nn.training.monitors import check_monitors
from sk_imbalance_nn.training.out_of_fold import names_to_come
from sk_imbalance_nn.training.schedule import Schedule, TrainingRun

_PARTS_OF_A_LOOP = ("fit", "make_train_function")


def needs_keras_loop(model: keras.Model) -> bool:
    """Say whether only ``Model.fit`` can train a network.

    Parameters
    ----------
    model : keras.Model
        Compiled.

    Returns
    -------
    bool
        True if it runs eagerly, if a strategy distributes it, or if its class has a loop of its
        own. A ``train_step`` is no loop.
    """
    if model.run_eagerly or is_distributed(model):
        return True
    own = any(
        getattr(getattr(model, name), "__func__", None) is not getattr(keras.Model, name)
        for name in _PARTS_OF_A_LOOP
    )
    # Every network has a train_function once it was trained; only a class may not.
    return own or hasattr(type(model), "train_function")


def train_by_keras(
    model: keras.Model,
    training: Rows,
    schedule: Schedule,
    *,
    rng: np.random.Generator,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    progress: Sequence[keras.callbacks.Callback] = (),
    validation: Rows | None = None,
    score: ValidationScore | None = None,
    best: BestEpoch | None = None,
    best_on_loss: bool = False,
) -> TrainingRun:
    """Train a compiled network by ``Model.fit``.

    Called by ``engine.train``, after its checks, with its arguments.

    What is traced is traced from the seed that ``rng`` draws. A network that runs eagerly draws
    what it draws outside of its own seed generators from the process' generators: to seed those
    would be to keep them from every other thread for as long as training lasts.

    Parameters
    ----------
    model : keras.Model
        Built and compiled; trained in place.
    training : Rows
        What to learn from.
    schedule : Schedule
        How long, and in what portions.
    rng : numpy.random.Generator
        Drawn from as often, and in the same order, as by the library's loop.
    callbacks : sequence of keras.callbacks.Callback
        The user's.
    progress : sequence of keras.callbacks.Callback
        What says how far training is.
    validation : Rows, default=None
        Rows for the ``val_`` quantities.
    score : ValidationScore, default=None
        An exact score of the validation rows.
    best : BestEpoch, default=None
        Stops, and remembers the best epoch's weights.
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
    run, history = TrainingRun(engine="keras"), keras.callbacks.History()
    seed = int(rng.integers(2**31 - 1))
    epoch = schedule.limited(training.epoch)
    batches = _Batches(training, model, schedule.batch_size, epoch.n_rows)
    held_out = None
    if validation is not None:
        n_held_out = len(validation.index)
        held_out = _Batches(validation, model, schedule.validation_batch_size, n_held_out)
    with ExitStack() as seeding, _without_retracing_warnings():
        ahead = _AheadOfTheUsers(callbacks, schedule, score, seeding)
        behind = _BehindTheUsers(batches, epoch, schedule, rng, run, seeding, seed)
        behind.stops_by = None if best is None else (best, score, best_on_loss)
        try:
            model.fit(
                batches,
                shuffle=False,
                epochs=schedule.epochs,
                initial_epoch=schedule.initial_epoch,
                verbose=0,
                callbacks=[ahead, *callbacks, behind, *progress, history],
                validation_data=held_out,
                validation_freq=_frequency(schedule.validation_freq),
            )
        except KeyboardInterrupt:
            warn_of_interruption(run.n_epochs)
            finalize(model)
            for callback in callbacks:
                callback.on_train_end(ahead.logs)
        finally:
            for part in (batches, held_out):
                if part is not None:
                    part.release()
    run.history = dict(history.history)
    return run


class _Batches(keras.utils.PyDataset):
    """Rows in an order that may change between epochs, batch by batch.

    Keras asks for batches from threads of its own, some before the epoch begins and some that
    nobody uses; so which order it is must not depend on who asks, or how often.
    """

    def __init__(self, rows: Rows, model: keras.Model, batch_size: int, n_rows: int) -> None:
        super().__init__()
        self._source: tuple[Rows, keras.Model] | None = (rows, model)
        self._batch_size = min(batch_size, n_rows)
        # Some order of the right length, until the first epoch brings its own.
        self.order = np.arange(n_rows) % len(rows.index)

    @property
    def num_batches(self) -> int:
        return -(-len(self.order) // self._batch_size)

    def __getitem__(self, number: int) -> tuple[Any, ...]:
        source = self._source
        if source is None:
            raise IndexError("Training is over.")
        rows, model = source
        start = number * self._batch_size
        # tf.data takes a list for a tensor.
        batch: tuple[Any, ...] = _with_tuples(
            rows.gather(self.order[start : start + self._batch_size], model)
        )
        return batch

    def release(self) -> None:
        """Let go of the rows: TensorFlow keeps every generator that it was ever given."""
        self._source = None


def _with_tuples(structure: Any) -> Any:
    if isinstance(structure, Mapping):
        return {name: _with_tuples(part) for name, part in structure.items()}
    if isinstance(structure, list | tuple):
        return tuple(map(_with_tuples, structure))
    return structure


class _AheadOfTheUsers(keras.callbacks.Callback):
    """Checks the loss, and puts the exact score into the logs."""

    def __init__(
        self,
        users: Sequence[keras.callbacks.Callback],
        schedule: Schedule,
        score: ValidationScore | None,
        seeding: ExitStack,
    ) -> None:
        super().__init__()
        self._users, self._schedule, self._score = users, schedule, score
        self._seeding = seeding
        self._epoch, self._loss = 0, 0.0
        self._scored: dict[str, float] = {}
        self.logs: dict[str, Any] = {}

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch, self._loss, self._scored = epoch, 0.0, {}

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._seeding.close()
        # A step of the user's own may bypass the tracker of the loss, which then stays at zero.
        self._loss = (logs or {}).get("loss", 0.0)

    def on_test_begin(self, logs: Any = None) -> None:
        check_finite(self._loss, self._epoch, self.model)

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        self._seeding.close()

    def on_test_end(self, logs: Any = None) -> None:
        # The user's callbacks may have put other weights in, and put theirs back after this.
        if self._score is not None:
            self._scored = {self._score.name: self._score()}

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        check_finite(self._loss, epoch, self.model)
        # All callbacks are given this one dict.
        found = {**logs, **self._scored}
        logs.clear()
        logs.update({name: _number(found[name]) for name in sorted(found)})
        if epoch == self._schedule.initial_epoch:
            validated = self._schedule.validates(epoch)
            coming = names_to_come(self._users)
            check_monitors(self._users, logs, validated=validated, coming=coming)
        self.logs = logs

    def on_train_end(self, logs: Any = None) -> None:
        logs.update(self.logs)


class _BehindTheUsers(keras.callbacks.Callback):
    """Draws the order of the rows, seeds what is traced, and stops early."""

    stops_by: tuple[BestEpoch, ValidationScore | None, bool] | None = None

    def __init__(
        self,
        batches: _Batches,
        epoch: Epoch,
        schedule: Schedule,
        rng: np.random.Generator,
        run: TrainingRun,
        seeding: ExitStack,
        seed: int,
    ) -> None:
        super().__init__()
        self._batches, self._epoch, self._schedule = batches, epoch, schedule
        self._rng, self._run = rng, run
        self._seeding, self._seed = seeding, seed
        self._to_trace = {"train", "test"}

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._batches.order = self._schedule.plan(self._epoch, self._rng).indices

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._seed_tracing("train")

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._seed_tracing("test")

    def _seed_tracing(self, step: str) -> None:
        # The first batch is the one that traces; the callback ahead of the users' ends this.
        if step in self._to_trace and not self.model.run_eagerly:
            self._seeding.enter_context(seeded(self._seed))
        self._to_trace.discard(step)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._run.n_epochs += 1
        if self.stops_by is None or not self._schedule.validates(epoch):
            return
        best, score, on_loss = self.stops_by
        if has_waited_long_enough(best, epoch, logs, self.model, score=score, on_loss=on_loss):
            self.model.stop_training = True


def _frequency(validation_freq: Any) -> int | list[int]:
    """Return the frequency as one of the two types that Keras takes."""
    if isinstance(validation_freq, Integral):
        return int(validation_freq)
    return [int(epoch) for epoch in validation_freq]


def _number(value: Any) -> Any:
    return value if isinstance(value, float) else np.asarray(value)


@contextmanager
def _without_retracing_warnings() -> Iterator[None]:
    # TensorFlow counts traces by a function's code, which all networks share in Keras, and would
    # warn of retracing from the fifth short fit on.
    def is_about_something_else(record: logging.LogRecord) -> bool:
        return "triggered tf.function retracing" not in record.getMessage()

    logger = tf.get_logger()
    logger.addFilter(is_about_something_else)
    try:
        yield
    finally:
        logger.removeFilter(is_about_something_else)
