"""The epoch loop.

Who owns what: `Epoch` the rows and their order, this file the loop over epochs and chunks, the
network's own ``train_step`` what happens to a batch, `early_stopping` which epoch is kept, and
Keras' callbacks whatever their authors want. Nothing else calls ``train_step`` or ``test_step``.

A chunk of batches is gathered (`feeding`) and handed to one traced function (`program`), which runs
``train_step`` on each batch of it: no trip to Python a batch. Where somebody must be asked after
each batch (a callback that overrides a batch hook, a ``train_step`` of the user's own), a chunk is
one batch. What cannot be traced this way at all trains in Keras' own loop (`keras_loop`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from sk_imbalance_nn._compat import seeded
from sk_imbalance_nn.balancing.batches import EpochPlan
from sk_imbalance_nn.training.early_stopping import BestEpoch, ValidationScore
from sk_imbalance_nn.training.ending import (
    check_finite,
    finalize,
    has_waited_long_enough,
    warn_of_interruption,
)
from sk_imbalance_nn.training.feeding import Rows, feed_of
from sk_imbalance_nn.training.fingerprint import fingerprint
from sk_imbalance_nn.training.keras_loop import needs_keras_loop, train_by_keras
from sk_imbalance_nn.training.monitors import (
    check_monitors,
    check_validation_monitors,
    say_more_is_better,
)
from sk_imbalance_nn.training.out_of_fold import OutOfFold, names_to_come
from sk_imbalance_nn.training.progress import progress_of
from sk_imbalance_nn.training.schedule import Schedule, TrainingRun
from sk_imbalance_nn.training.steps import StepRunner, create_variables, overrides
from sk_imbalance_nn.training.xla import batches_in_a_chunk, pays, row_work

_TRAIN_HOOKS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")
_TEST_HOOKS = ("on_test_batch_begin", "on_test_batch_end")


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
    out_of_fold: OutOfFold | None = None,
    jit_compile: bool | str = False,
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
    out_of_fold : OutOfFold, default=None
        Takes down what members answer for rows that they are blind to; may stop by it.
    jit_compile : bool or "auto", default=False
        Whether XLA compiles the steps on whole batches; "auto": where that pays.

    Returns
    -------
    TrainingRun
        History, number of epochs, and whose loop it was.

    Raises
    ------
    ValueError
        If the loss is not finite, or if a callback monitors what is not there.
    """
    stops = best is not None or (out_of_fold is not None and out_of_fold.stops)
    if stops and getattr(model.optimizer, "use_ema", False):
        raise ValueError(
            "The optimizer averages the weights (use_ema=True) until the end of training, but "
            "early stopping goes back to the best epoch's. Give early_stopping=False."
        )
    if validation is None:
        check_validation_monitors(callbacks)
    if score is not None:
        say_more_is_better(callbacks, score.name)
    n_batches = schedule.n_batches(schedule.limited(training.epoch))
    name, shown = None if score is None else score.name, best
    if out_of_fold is not None:
        if out_of_fold.stops and out_of_fold.name != "oof_loss":
            say_more_is_better(callbacks, out_of_fold.name)
        # Before all others, so that they see what it puts into the logs.
        callbacks = [out_of_fold, *callbacks]
        if best is None and out_of_fold.stops:
            name, shown = out_of_fold.name, out_of_fold
    with progress_of(schedule.verbose, schedule.epochs, n_batches, name, shown) as progress:
        if needs_keras_loop(model):
            run = train_by_keras(
                model,
                training,
                schedule,
                rng=rng,
                callbacks=callbacks,
                progress=progress,
                validation=validation,
                score=score,
                best=best,
                best_on_loss=best_on_loss,
            )
        else:
            loop = _EpochLoop(
                model, training, validation, schedule, callbacks, progress, rng, score, jit_compile
            )
            run = _run(loop, best, best_on_loss)
    if best is not None:
        best.restore(model)
    if out_of_fold is not None:
        # Not before: callbacks and the best epoch may have put other weights in.
        out_of_fold.take_down()
    return run


def _run(loop: _EpochLoop, best: BestEpoch | None, best_on_loss: bool) -> TrainingRun:
    """Run epoch after epoch, until something ends training."""
    model, schedule = loop.model, loop.schedule
    loop.begin()
    run = TrainingRun()
    try:
        for epoch in range(schedule.initial_epoch, schedule.epochs):
            logs = loop.run_epoch(epoch)
            loop.end_epoch(epoch, logs)
            run.n_epochs += 1
            if best is not None and schedule.validates(epoch):
                if has_waited_long_enough(
                    best, epoch, logs, model, score=loop.score, on_loss=best_on_loss
                ):
                    break
            if model.stop_training:
                break
    except KeyboardInterrupt:
        warn_of_interruption(run.n_epochs)
    run.history, run.engine = loop.end(), loop.engine
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
        progress: Sequence[keras.callbacks.Callback],
        rng: np.random.Generator,
        score: ValidationScore | None,
        jit_compile: bool | str,
    ) -> None:
        self.model, self.training, self.validation = model, training, validation
        self.schedule, self.rng = schedule, rng
        self._epoch = schedule.limited(training.epoch)
        self._user_callbacks = list(callbacks)
        self.score = score
        self.logs: dict[str, Any] = {}
        self._prepared = False
        self.callbacks = keras.callbacks.CallbackList(
            [*callbacks, *progress],
            add_history=True,
            verbose=schedule.verbose,
            epochs=schedule.epochs,
            steps=schedule.n_batches(self._epoch),
            model=model,
        )
        self._jit_compile = jit_compile
        self._feed = feed_of(training, model)
        self._train = StepRunner(
            model, "train_step", overrides(callbacks, _TRAIN_HOOKS), schedule.batch_size
        )
        if validation is not None:
            self._validation_feed = feed_of(validation, model)
            self._test = StepRunner(
                model,
                "test_step",
                overrides(callbacks, _TEST_HOOKS),
                schedule.validation_batch_size,
            )

    def begin(self) -> None:
        self.model.stop_training = False
        self._seed = int(self.rng.integers(2**31 - 1))
        with seeded(self._seed):
            create_variables(self.model, self._feed.example())
        self.callbacks.on_train_begin()
        if not self._user_callbacks:
            self._prepare()

    def _prepare(self) -> None:
        """Trace the programs, once callbacks have done to the network what they will."""
        with seeded(self._seed):
            compiled_batches = self._compiled_batches()
            self._train.prepare(self._feed.example(), compiled_batches=compiled_batches)
            if self.validation is not None:
                self._test.prepare(self._validation_feed.example())
        self._prepared = True

    @property
    def engine(self) -> str:
        """What runs the batches, as `TrainingRun` names it."""
        return "xla" if self._train.is_compiled else "traced"

    def _compiled_batches(self) -> int:
        """Return how many batches XLA runs at a time; 0 where it does not run."""
        schedule = self.schedule
        n_full = self._epoch.n_rows // schedule.batch_size
        n_steps = n_full * (schedule.epochs - schedule.initial_epoch)
        wanted = self._jit_compile
        if wanted == "auto":
            work = row_work(self.model) * schedule.batch_size
            # XLA may not know the operations of code of which nothing is known.
            wanted = pays(self.model, n_steps, work) and fingerprint(self.model) is not None
        if not (wanted and n_full) or self._train.batchwise:
            return 0
        return batches_in_a_chunk(n_full, self.training.bytes_each * schedule.batch_size)

    def run_epoch(self, epoch: int) -> dict[str, Any]:
        """Train one epoch, validate, and return the logs of both."""
        fresh = self._reset_metrics(self._train)
        self.callbacks.on_epoch_begin(epoch)
        if not self._prepared:
            self._prepare()
        logs = self._train.run(
            self._feed,
            self.schedule.plan(self._epoch, self.rng),
            self.callbacks.on_train_batch_begin,
            self.callbacks.on_train_batch_end,
            fresh=fresh,
        )
        check_finite(logs.get("loss", 0.0), epoch, self.model)
        if self.validation is not None and self.schedule.validates(epoch):
            logs.update(self._validate(len(self.validation.index)))
        return logs

    def _reset_metrics(self, runner: StepRunner) -> bool:
        """Begin to count anew; return whether that is left to the program.

        From within it costs nothing, but callbacks would meet the last epoch's metrics.
        """
        if runner.resets and not self._user_callbacks:
            return True
        self.model.reset_metrics()
        return False

    def _validate(self, n_rows: int) -> dict[str, Any]:
        """Return the ``val_`` quantities, the exact score among them."""
        fresh = self._reset_metrics(self._test)
        self.model.stop_evaluating = False
        self.callbacks.on_test_begin()
        logs = self._test.run(
            self._validation_feed,
            EpochPlan(np.arange(n_rows), self.schedule.validation_batch_size),
            self.callbacks.on_test_batch_begin,
            self.callbacks.on_test_batch_end,
            stops_by="stop_evaluating",
            fresh=fresh,
        )
        named = {f"val_{name}": value for name, value in logs.items()}
        # Callbacks may put other weights in for validation, and back at its end.
        if self.score is not None:
            named[self.score.name] = self.score()
        self.callbacks.on_test_end(logs)
        return named

    def end_epoch(self, epoch: int, logs: dict[str, Any]) -> None:
        if epoch == self.schedule.initial_epoch:
            validated = self.schedule.validates(epoch)
            coming = names_to_come(self._user_callbacks)
            check_monitors(self._user_callbacks, logs, validated=validated, coming=coming)
        self.callbacks.on_epoch_end(epoch, logs)
        self.logs = logs

    def end(self) -> dict[str, list[Any]]:
        finalize(self.model)
        self.callbacks.on_train_end(self.logs)
        return dict(self.model.history.history)
