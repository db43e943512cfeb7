"""Fitting: build and train, on what `preparing` has validated, split and weighed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from sk_imbalance_nn._compat import names_from_the_start
from sk_imbalance_nn._fit_tasks import NOBODYS_TASK, FitTask
from sk_imbalance_nn.balancing.balance import Balance
from sk_imbalance_nn.losses import DeferredReweighting
from sk_imbalance_nn.networks.compiling import own_loss, takes_class_weights
from sk_imbalance_nn.training.early_stopping import LOSS, BestEpoch, check_scoring_name
from sk_imbalance_nn.training.engine import train
from sk_imbalance_nn.training.forked import check_not_stranded
from sk_imbalance_nn.training.out_of_fold import OutOfFold
from sk_imbalance_nn.training.schedule import Schedule
from sk_imbalance_nn.wrapping.blinding import OUT_OF_FOLD, BlindingWrapper
from sk_imbalance_nn.wrapping.checked import Data
from sk_imbalance_nn.wrapping.epoch_tasks import EpochTasks
from sk_imbalance_nn.wrapping.persistence import NotSaved
from sk_imbalance_nn.wrapping.preparing import ValidationSource
from sk_imbalance_nn.wrapping.routing import copied_callbacks


class FittingWrapper(BlindingWrapper):
    """The steps of a fit from rows to a trained network."""

    def _fit_network(
        self,
        data: Data,
        source: ValidationSource,
        options: Mapping[str, Any],
        *,
        continued: bool,
        initial_epoch: int,
        partial: bool = False,
        task: FitTask = NOBODYS_TASK,
    ) -> None:
        """Split, sample, weigh, build, train."""
        callbacks = self._make_callbacks(options)
        folds = self._folds(data, source, continued=continued, partial=partial)
        chooses = folds is not None and self._stops_out_of_fold(data, source, callbacks)
        needed = not partial and self._needs_split(data, callbacks)
        training, validation = self._split(data, source, needed=needed)
        del data  # its row numbers are those of millions of rows at times
        stops_early = not partial and self._stops_early(validation, callbacks)
        training = self._sample(training, partial=partial)
        balance = self._weigh(training, continued=continued, partial=partial)
        if balance is not None and not (continued or partial):
            balance = self._balance_to_learn(balance)
        schedule = self._schedule(options, training, initial_epoch)
        if continued:
            self._adapt_loss(balance)
        else:
            self._build(training, balance, schedule, partial=partial)
        self._restart_schedule(schedule, training)
        run_by = [*callbacks, *self._callbacks_of_loss(schedule, callbacks, partial=partial)]
        run_by += [EpochTasks(task)] if task.is_heard else []
        put_off, rows, watch = _put_off_until(run_by), self._weighted(training, balance), None
        held_out = self._weighted_beside(rows, training, validation, balance)
        if folds is not None:
            folds = _among(training.rows, folds)
            after = put_off if chooses else None
            watch = self._watch(training, folds, schedule, rows.weight, callbacks, after)
            rows = self._blinded(rows, folds)
        patience = self._patience(schedule.n_epochs)
        best = BestEpoch(patience, put_off) if stops_early else None
        run = train(
            self.model_,
            rows,
            schedule,
            rng=self._rng,
            callbacks=run_by,
            validation=held_out,
            score=self._score_on(validation, training),
            best=best,
            best_on_loss=self.scoring == LOSS,
            out_of_fold=watch,
            jit_compile=self._wants_xla(),
        )
        self._note_weights_that_never_counted(balance)
        self._record(run.history, best or watch, appended=initial_epoch > 0)
        self._record_validated(schedule, run.n_epochs, validation, watch)
        self._record_out_of_fold(watch, folds, training)
        self._shift_answers()
        self.callbacks_, self.engine_ = callbacks, run.engine

    # --------------------------------------------------------------------------------------
    # Before: check, forget, seed

    @contextmanager
    def _earlier_fit_kept_on_failure(self, continued: bool) -> Iterator[None]:
        """Put everything back as it was if the block fails."""
        before = dict(vars(self))
        variables = self._trained_variables() if continued else []
        loss = own_loss(self.model_) if continued else None
        told = {} if loss is None else dict(vars(loss))
        values = [np.array(variable) for variable in variables]
        try:
            yield
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
            for name, value in told.items():
                setattr(loss, name, value)
            raise

    def _trained_variables(self) -> list[Any]:
        optimizer = getattr(self.model_, "optimizer", None)  # none if it is not compiled
        loss = own_loss(self.model_)
        told = [] if loss is None else loss.variables
        return [*self.model_.variables, *getattr(optimizer, "variables", []), *told]

    def _start(self, *, continued: bool, reseeded: bool = True) -> None:
        """Check the parameters, forget an earlier fit, and seed this one."""
        check_not_stranded()
        self._check_nothing_missing()
        self._validate_params()
        with names_from_the_start():
            self._check_parameter_names()
        check_scoring_name(self.scoring)
        # SciKeras' own seeding would leave TensorFlow's determinism switched on for good.
        self._random_state = None
        if continued and not self.model_.compiled:
            raise ValueError(
                "The network is not compiled: it was loaded without its loss. Give it to load, as "
                "custom_objects or as a parameter."
            )
        if not continued:
            for name in [*self._get_metadata(), "_balance", "_head", "_forward", *OUT_OF_FOLD]:
                vars(self).pop(name, None)
        if reseeded:
            draws = check_random_state(self.random_state).randint(2**31 - 1, size=3)
            self._build_seed, self._split_seed = int(draws[0]), int(draws[1])
            self._rng = np.random.default_rng(int(draws[2]))

    def _check_nothing_missing(self) -> None:
        for name, value in self.get_params(deep=False).items():
            if isinstance(value, NotSaved):
                raise ValueError(
                    f"This classifier was read from a file, which does not hold {name}={value}. "
                    f"Give it to fit again: load(path, {name}=...), or set_params."
                )

    def _make_callbacks(self, options: Mapping[str, Any]) -> list[Any]:
        self._initialize_callbacks()
        given = options.get("callbacks") or []
        given = list(given) if isinstance(given, list | tuple) else [given]
        self._fit_callbacks = [*self._fit_callbacks, *copied_callbacks(given, {})]
        return self._fit_callbacks

    # --------------------------------------------------------------------------------------
    # Train

    def _callbacks_of_loss(
        self, schedule: Schedule, callbacks: list[Any], *, partial: bool
    ) -> list[Any]:
        """Return the callback that switches deferred class weights on, if the loss has them."""
        if not takes_class_weights(self.model_):
            return []
        loss = own_loss(self.model_)
        loss.reweigh(True)
        if partial or any(isinstance(part, DeferredReweighting) for part in callbacks):
            return []
        span = schedule.epochs - schedule.initial_epoch
        put_off = min(int(np.ceil(loss.reweight_after * span)), span - 1)
        return [DeferredReweighting(schedule.initial_epoch + max(put_off, 0))]

    def _note_weights_that_never_counted(self, balance: Balance | None) -> None:
        """Take class weights out of the prior if training ended while they were put off."""
        if balance is not None and takes_class_weights(self.model_):
            if not own_loss(self.model_).reweighing:
                self.training_prior_ = balance.prior_without_weights

    def _record_validated(
        self, schedule: Schedule, n_epochs: int, validation: Data | None, watch: OutOfFold | None
    ) -> None:
        """Take down the epochs that validation followed, or that blind members answered."""
        if validation is None:
            # One may have been interrupted after that.
            looked_at = [] if watch is None else watch.epochs_looked_at
            reached = [epoch for epoch in looked_at if epoch <= self.n_iter_]
            self.validated_epochs_ = [*self.validated_epochs_, *reached]
            return
        first = self.n_iter_ - n_epochs
        self.validated_epochs_ = [
            *self.validated_epochs_,
            *(
                first + number + 1
                for number in range(n_epochs)
                if schedule.validates(schedule.initial_epoch + number)
            ),
        ]

    def _record(
        self, history: Mapping[str, list[Any]], best: BestEpoch | None, *, appended: bool
    ) -> None:
        earlier = getattr(self, "history_", {}) if appended else {}
        names = dict.fromkeys([*earlier, *history])
        self.history_ = {name: [*earlier.get(name, []), *history.get(name, [])] for name in names}
        self.n_iter_ = self.current_epoch
        self.validated_epochs_ = getattr(self, "validated_epochs_", []) if appended else []
        stopped = best is not None and best.best_epoch > 0
        self.best_iteration_ = best.best_epoch if stopped else None
        self.best_validation_score_ = best.best_score if stopped else None


def _put_off_until(callbacks: list[Any]) -> int:
    """Return the epoch from which on class weights count."""
    deferring = [part for part in callbacks if isinstance(part, DeferredReweighting)]
    return max((part.start_epoch for part in deferring), default=0)


def _among(rows: NDArray[np.integer[Any]], folds: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the folds of some rows, and -1 for all others."""
    kept = np.full_like(folds, -1)
    kept[rows] = folds[rows]
    return kept
