"""Fitting: build and train, on what `preparing` has validated, split and weighed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from numbers import Integral
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state, check_scalar

from sk_imbalance_nn._compat import learning_rate_schedule, names_from_the_start, seeded
from sk_imbalance_nn._fit_tasks import NOBODYS_TASK, FitTask
from sk_imbalance_nn.balancing.balance import Balance
from sk_imbalance_nn.balancing.priors import prior_shift, target_prior_of
from sk_imbalance_nn.data.inputs import first_array, take_rows
from sk_imbalance_nn.data.targets import BINARY, MULTILABEL
from sk_imbalance_nn.losses import DeferredReweighting
from sk_imbalance_nn.networks.compiling import (
    check_can_be_corrected,
    check_same_loss,
    compile_arguments_of,
    compile_for_target,
    output_layer_name,
    own_loss,
    relative_weights,
    shift_answers,
    start_at_prior,
    takes_class_weights,
)
from sk_imbalance_nn.networks.cosine_decay import CosineDecayTo
from sk_imbalance_nn.networks.encoding import TableEncoding
from sk_imbalance_nn.networks.heads import Output
from sk_imbalance_nn.networks.mlp import MLP, adapt_normalization
from sk_imbalance_nn.networks.recipe import check_table
from sk_imbalance_nn.training.early_stopping import (
    LOSS,
    BestEpoch,
    Predictions,
    ValidationScore,
    check_scoring_name,
)
from sk_imbalance_nn.training.engine import train
from sk_imbalance_nn.training.fingerprint import is_distributed
from sk_imbalance_nn.training.forked import check_not_stranded
from sk_imbalance_nn.training.forward import ForwardPass, build, check_inputs, rows_at_once
from sk_imbalance_nn.training.monitors import monitors
from sk_imbalance_nn.training.out_of_fold import OutOfFold
from sk_imbalance_nn.training.schedule import Schedule
from sk_imbalance_nn.wrapping.blinding import OUT_OF_FOLD, BlindingWrapper
from sk_imbalance_nn.wrapping.checked import Data
from sk_imbalance_nn.wrapping.epoch_tasks import EpochTasks
from sk_imbalance_nn.wrapping.persistence import NotSaved
from sk_imbalance_nn.wrapping.preparing import ValidationSource
from sk_imbalance_nn.wrapping.routing import balances, balancing_loss, copied_callbacks

_DEFAULT_BATCH_SIZE, _DEFAULT_EPOCHS, _DEFAULT_PATIENCE = 32, 100, 10
_VALIDATION_BATCH_SIZE = 1024
_ROWS_LOOKED_AT = 256
# Keras lets these set the learning rate only where no schedule does.
_RATE_SETTERS = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)
_ALL_ROWS = 2**31 - 1


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
        # Rows that members have seen in an earlier fit say nothing, held out now.
        seen = continued and self._has_default_network
        unwatched = folds is None or monitors(callbacks, "val_")
        needed = unwatched and not (partial or seen) and self._needs_split(data, callbacks)
        training, validation = self._split(data, source, needed=needed)
        looks = folds is not None and self._stops_out_of_fold(data, source, callbacks)
        del data  # its row numbers are those of millions of rows at times
        stops_early = not partial and self._stops_early(validation, callbacks)
        training = self._sample(training, partial=partial)
        balance = self._weigh(training, continued=continued, partial=partial)
        shift = None
        if not (continued or partial) and balance is not None and self._weighs_answers:
            shift, balance = self._shift_to(balance), balance.without_weights()
        self._answer_shift = shift
        schedule = self._schedule(options, training, initial_epoch)
        if not continued:
            self._build(training, balance, schedule, partial=partial)
        else:
            self._adapt_loss(balance)
            self._restart_schedule(schedule, training)
        run_by = [*callbacks, *self._callbacks_of_loss(schedule, callbacks, partial=partial)]
        run_by += [EpochTasks(task)] if task.is_heard else []
        put_off, patience = _put_off_until(run_by), self._patience(schedule.n_epochs)
        best = BestEpoch(patience, put_off) if stops_early else None
        rows, held_out = self._weighted(training, balance), None
        if validation is not None:
            held_out = self._weighted_beside(rows, training, validation, balance)
        watch = None
        if folds is not None:
            folds[np.setdiff1d(np.flatnonzero(folds >= 0), training.rows)] = -1
            watch = self._watch(
                training, folds, schedule, rows.weight, callbacks, put_off if looks else None
            )
            rows = self._blinded(rows, folds)
        run = train(
            self.model_,
            rows,
            schedule,
            rng=self._rng,
            callbacks=run_by,
            validation=held_out,
            score=None if validation is None else self._score_on(validation, training),
            best=best,
            best_on_loss=self.scoring == LOSS,
            out_of_fold=watch,
            jit_compile=self._wants_xla(),
        )
        self._note_weights_that_never_counted(balance)
        self._shift_answers(watch)
        self.callbacks_, self.engine_ = callbacks, run.engine
        self._record(run.history, best or watch, appended=initial_epoch > 0)
        self._record_out_of_fold(watch, folds, training)
        if validation is not None:
            self._record_validated(schedule, run.n_epochs)
        elif watch is not None:
            self.validated_epochs_ = [
                epoch for epoch in watch.epochs_looked_at if epoch <= self.n_iter_
            ]

    # --------------------------------------------------------------------------------------
    # Class weights that are applied to the answers

    @property
    def _weighs_answers(self) -> bool:
        """Whether ``class_weight="auto"`` moves the answers and leaves the loss alone.

        Weights in its loss do not help the ranking of the default network (benchmarks/NOTES.md).
        Fits that continue weigh the rows, since answers were moved already.
        The prior that weights would have made can be had afterwards, exactly: Menon et al. (2021),
        section 4.1.
        """
        automatic = isinstance(self.class_weight, str) and self.class_weight == "auto"
        plain = self.loss is None or (isinstance(self.loss, str) and self.loss == "auto")
        return self._has_default_network and automatic and plain

    def _shift_to(self, balance: Balance) -> NDArray[np.float64]:
        """Return what takes logits from the prior without class weights to that with them."""
        several = self.target_type_ == MULTILABEL
        before, after = balance.prior_without_weights, balance.training_prior
        shift = prior_shift(before, after, multilabel=several)
        return shift[1:] - shift[:1] if self.target_type_ == BINARY else shift

    def _shift_answers(self, watch: OutOfFold | None) -> None:
        if self._answer_shift is not None:
            shift_answers(self.model_, self._answer_shift)
            if watch is not None:
                watch.logits = watch.logits + self._answer_shift
        self._answer_shift = None

    def _epochs_for(self, n_rows: int, batch_size: int) -> int:
        """Return what stands for ``epochs=None``."""
        if self._recipe is None:
            return _DEFAULT_EPOCHS
        return self._recipe.epochs(n_rows, batch_size, **self._builder_arguments)

    def _restart_schedule(self, schedule: Schedule, data: Data) -> None:
        """Let the rate of the default network, which had fallen to zero, fall once more."""
        optimizer = self.model_.optimizer
        rate = learning_rate_schedule(optimizer)
        if self._has_default_network and isinstance(rate, CosineDecayTo):
            steps = schedule.n_batches(schedule.limited(data.epoch)) * schedule.n_epochs
            rate.restart(int(optimizer.iterations), max(steps, 1))

    def _patience(self, epochs: int) -> int:
        """Return ``n_iter_no_change``, or what suits the network and the number of epochs."""
        if self.n_iter_no_change is not None:
            return self.n_iter_no_change
        return _DEFAULT_PATIENCE if self._recipe is None else self._recipe.patience(epochs)

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
    # Build

    def _schedule(self, options: Mapping[str, Any], data: Data, initial_epoch: int) -> Schedule:
        def option(name: str, default: Any = None) -> Any:
            return self._routed("fit", name, options, default)

        def count(name: str, least: int, replacements: Mapping[Any, Any]) -> Any:
            value = option(name)
            if value in replacements:
                return replacements[value]
            return check_scalar(value, name, Integral, min_val=least)

        n, recipe = data.epoch.n_rows, self._recipe
        automatic = _DEFAULT_BATCH_SIZE if recipe is None else recipe.batch_size(n)
        batch_size = count("batch_size", 1, {None: automatic, -1: n})
        enough = self._epochs_for(n, batch_size)
        verbose = option("verbose", 0)
        return Schedule(
            epochs=initial_epoch + count("epochs", 0, {None: enough}),
            initial_epoch=initial_epoch,
            batch_size=batch_size,
            validation_batch_size=count(
                "validation_batch_size",
                1,
                {None: min(_VALIDATION_BATCH_SIZE, rows_at_once(data.x)), -1: _ALL_ROWS},
            ),
            shuffle=option("shuffle", True),
            steps_per_epoch=count("steps_per_epoch", 1, {None: None}),
            validation_freq=option("validation_freq", 1),
            verbose=1 if verbose == "auto" else int(verbose),
        )

    def _build(
        self, data: Data, balance: Balance | None, schedule: Schedule, *, partial: bool = False
    ) -> None:
        """Build the network, compile it, and start it at the prior."""
        # Calls that train an epoch each are to go on for as long as the parameters say.
        epochs = self._routed("fit", "epochs", {}, None) if partial else schedule.n_epochs
        try:
            with names_from_the_start():
                model = self._new_network(data)
        except ValueError as error:
            if not re.search(r"should (have unique names|be unique)", str(error)):
                raise
            # The builder adds layers to some that were made elsewhere, whose names are taken.
            model = self._new_network(data)
        with model.distribute_strategy.scope(), names_from_the_start():
            self._compile(model, data, balance, schedule, epochs)
        if self._recipe is MLP:
            adapt_normalization(model, first_array(data.x), data.weight_of_used())

    def _wants_xla(self) -> Any:
        """Return ``jit_compile``; a builder that compiles decides what is left automatic."""
        if self.jit_compile == "auto" and getattr(self, "_builder_wants_xla", False):
            return True
        return self.jit_compile

    def _new_network(self, data: Data) -> keras.Model:
        with self._scope_of_given_model(), seeded(self._build_seed):
            self._encoding = self._adapted_encoding(data)
            try:
                model = self._build_keras_model()
            finally:
                self._encoding = None
            if not isinstance(model, keras.Model):
                raise TypeError(
                    f"model=... returned {type(model).__name__}; expected a keras.Model. Does "
                    "the builder end with `return model`?"
                )
            check_inputs(model, data.x)
            build(model, data.x)
        return model

    def _adapted_encoding(self, data: Data) -> TableEncoding | None:
        """Return the layer that a builder with an argument ``encoding`` is given."""
        if not self._reads_raw_tables:
            return None
        check_table(self._get_metadata(), "default")
        if getattr(data.x, "shape", (0, 0))[1:] != self.X_shape_[1:]:
            raise ValueError(
                "A network that reads raw tables takes one table, with the columns of X; leave out "
                "inputs= and a feature_encoder of your own, or give a builder without `encoding`."
            )
        n_categories = [0 if levels is None else len(levels) for levels in self.categories_]
        return TableEncoding(name="encoding").adapt(data.x, np.array(n_categories), data.rows)

    def _check_model_param(self) -> Any:
        """Return the function that builds the network, with the encoding that it asks for."""
        builder, encoding = super()._check_model_param(), getattr(self, "_encoding", None)
        return builder if encoding is None else partial(builder, encoding=encoding)

    def _scope_of_given_model(self) -> AbstractContextManager[Any]:
        """Return the scope that the copy of a given network is to be made in."""
        given = self._given_model
        if isinstance(given, keras.Model) and is_distributed(given):
            return given.distribute_strategy.scope()
        return nullcontext()

    def _compile(
        self,
        model: keras.Model,
        data: Data,
        balance: Balance | None,
        schedule: Schedule,
        epochs: int | None,
    ) -> None:
        self.model_ = model
        self._builder_wants_xla = bool(model.compiled and model.jit_compile)
        if model.compiled:
            self._warn_of_unused_parameters()
        arguments = compile_arguments_of(
            model, {} if model.compiled else self._compile_kwargs_for(data, schedule, epochs)
        )
        check_same_loss(balancing_loss(self.loss) or self.loss, arguments.get("loss"))
        self._forward = ForwardPass(model, logits=self._own_target)
        if balance is None:
            self._compile_as_given(model, arguments)
        else:
            self._compile_for_target(model, arguments, data, balance)

    def _compile_kwargs_for(
        self, data: Data, schedule: Schedule, epochs: int | None
    ) -> dict[str, Any]:
        kwargs, recipe = self._get_compile_kwargs(), self._recipe
        if recipe is not None and self.optimizer == "auto":
            n = data.epoch.n_rows
            epochs = self._epochs_for(n, schedule.batch_size) if epochs is None else epochs
            kwargs["optimizer"] = recipe.optimizer(
                schedule.n_batches(schedule.limited(data.epoch)),
                max(epochs, 1),
                decays=not any(isinstance(part, _RATE_SETTERS) for part in self._fit_callbacks),
                **self._routed_to("optimizer"),
            )
        return kwargs

    def _compile_as_given(self, model: keras.Model, arguments: Mapping[str, Any]) -> None:
        """Compile a network for outputs that only the user's own transformer knows."""
        expected, outputs = getattr(self, "n_outputs_expected_", None), model.outputs
        if expected and outputs and expected != len(outputs):
            raise ValueError(
                f"The target_encoder expects a network with {expected} outputs, but {model.name} "
                f"has {len(outputs)}."
            )
        if not model.compiled:
            model.compile(**arguments)
        loss = own_loss(model)
        if loss is not None and (loss.defers or loss.lacks_frequencies):
            raise ValueError(
                f"{type(loss).__name__} goes by the classes of y, which a target_encoder of your "
                "own keeps to itself: give the loss their frequencies (and reweight_after=None), "
                "or use another loss."
            )

    def _compile_for_target(
        self, model: keras.Model, arguments: Mapping[str, Any], data: Data, balance: Balance
    ) -> None:
        outputs = self._forward(take_rows(data.x, data.rows[:_ROWS_LOOKED_AT]))
        if not isinstance(outputs, np.ndarray) or outputs.size != len(outputs) * outputs.shape[-1]:
            raise ValueError(
                f"{model.name} does not answer with one row of units for each row of X, but with "
                f"{_described(outputs)}. Flatten or pool what comes before the last layer "
                "(return_sequences=False in a recurrent one); networks with several outputs need "
                "a target_encoder of your own."
            )
        output = Output(
            outputs.shape[-1],
            self._forward.activation,
            output_layer_name(model),
            like_probabilities=bool(np.all((outputs >= 0) & (outputs <= 1))),
        )
        self._head = compile_for_target(
            model,
            output,
            arguments,
            self.target_type_,
            self.n_classes_,
            balance,
            one_hot=self.target_encoder_.one_hot_,
        )
        self._check_compiled_loss()
        if self.output_bias == "auto" and not isinstance(self._given_model, keras.Model):
            start_at_prior(model, self._head, balance.training_prior)

    def _check_compiled_loss(self) -> None:
        """Refuse a loss that does not go with ``class_weight`` or ``correct_prior``."""
        loss = own_loss(self.model_)
        automatic = isinstance(self.class_weight, str) and self.class_weight == "auto"
        if automatic and loss is not None and loss.balances and not balances(self.loss):
            raise ValueError(
                f"The builder compiled the network with {type(loss).__name__}, which makes up for "
                "the classes' frequencies, and so does class_weight='auto' unless the loss is a "
                "parameter: give class_weight=None, or the loss as loss=... and a builder that "
                "does not compile."
            )
        if self._corrects:
            check_can_be_corrected(self.model_)

    def _adapt_loss(self, balance: Balance | None) -> None:
        """Tell a loss that goes by the classes' frequencies those of the rows that follow."""
        loss = own_loss(self.model_)
        if loss is not None and balance is not None:
            weights = relative_weights(balance) if loss.defers else None
            loss.adapt(balance.mass, balance.training_prior, weights)

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

    def _score_on(self, validation: Data, training: Data) -> ValidationScore | None:
        """Return the score of the validation rows, tried once before anything is trained."""
        if self.scoring == LOSS or not self._own_target:
            return None
        codes, classes, labels, reverse = self._scored_target(validation, training)
        # A scorer of scikit-learn's never looks at X, so it need not be a copy of the rows; one
        # of the user's may.
        named = isinstance(self.scoring, str)
        logits = partial(self._logits_of_rows, validation.x) if named else self._logits
        score = ValidationScore(
            self.scoring,
            Predictions(classes, logits, self._head, labels, reverse),
            validation.rows if named else validation.of(validation.X),
            codes,
            validation.of(validation.weight),
        )
        if np.isnan(score()):
            raise ValueError(
                f"scoring={self.scoring!r} is not defined on the validation rows: do they hold "
                "rows of every class?"
            )
        return score

    def _scored_target(self, validation: Data, training: Data) -> tuple[Any, Any, Any, bool]:
        """Return what a scorer is shown: labels, classes, how to decode, and which way round.

        A scorer that was named by a string takes class 1 as the positive one, so the rarer class
        is called 1. Whoever brings a scorer of their own may have told it a label.
        """
        codes = validation.of(validation.y)
        if not isinstance(self.scoring, str):
            decode = self.target_encoder_.inverse_transform
            return decode(codes), self.classes_, decode, False
        classes = np.arange(self.n_classes_)
        if self.target_type_ != BINARY:
            return codes, classes, _unchanged, False
        reverse = bool(self.class_prior_[1] > 0.5)
        return (1 - codes if reverse else codes), classes, _unchanged, reverse

    def _logits(self, X: Any) -> NDArray[np.float64]:
        """Return logits of shape (n, units) for checked rows."""
        return np.asarray(self._forward(self.feature_encoder_.transform(X), None, self._as_logits))

    def _logits_of_rows(self, x: Any, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return logits of shape (n, units) for some rows of the network's inputs."""
        step = rows_at_once(x)
        starts = range(0, len(rows), step)
        outputs = [self._forward(take_rows(x, rows[at : at + step])) for at in starts]
        return self._as_logits(np.concatenate(outputs))

    def _as_logits(
        self, outputs: NDArray[Any], are_logits: bool | None = None
    ) -> NDArray[np.float64]:
        """Return what probabilities and answers are read from."""
        if are_logits is None:
            are_logits = self._forward.gives_logits or self._head.from_logits
        logits, loss = self._head.logits(outputs, are_logits=are_logits), own_loss(self.model_)
        # In training, what is to be added once it is over.
        if vars(self).get("_answer_shift") is not None:
            logits = logits + self._answer_shift
        if not self._corrects:
            return logits if loss is None else loss.scores(logits)
        return self._at_prior(logits, self.correct_prior)

    def _at_prior(self, logits: NDArray[np.float64], wanted: Any) -> NDArray[np.float64]:
        """Return the logits of the posteriors at a prior, as ``correct_prior`` names it."""
        check_can_be_corrected(self.model_)
        loss, several = own_loss(self.model_), self.target_type_ == MULTILABEL
        target = target_prior_of(wanted, self.class_prior_, multilabel=several)
        shift = prior_shift(self.training_prior_, target, multilabel=several)
        if self._head.units == 1 and not several:
            shift = shift[1:] - shift[:1]
        return (logits if loss is None else loss.posterior(logits)) + shift

    def _record_validated(self, schedule: Schedule, n_epochs: int) -> None:
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


def _unchanged(codes: NDArray[Any]) -> NDArray[Any]:
    return codes


def _described(outputs: Any) -> str:
    if isinstance(outputs, list | tuple | dict):
        return f"{len(outputs)} outputs"
    return f"an array of shape (n, {', '.join(map(str, outputs.shape[1:]))})"
