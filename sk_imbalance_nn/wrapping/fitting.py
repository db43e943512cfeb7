"""Fitting: validate, encode, split, weigh, build, train."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_consistent_length

from sk_imbalance_nn._compat import check_sample_weight, seeded
from sk_imbalance_nn.balancing.balance import Balance, balance_classes, balance_labels
from sk_imbalance_nn.balancing.class_weight import row_weights
from sk_imbalance_nn.data.inputs import (
    InputSplitter,
    arrays_of,
    first_array,
    n_rows,
    select_rows,
    take_rows,
    validate_inputs,
)
from sk_imbalance_nn.data.split import holdout_from_splitter, rarest_in_holdout, stratified_holdout
from sk_imbalance_nn.data.targets import BINARY, MULTILABEL, TargetEncoder
from sk_imbalance_nn.networks.compiling import (
    check_same_loss,
    compile_arguments_of,
    compile_for_target,
    output_layer_name,
    start_at_prior,
)
from sk_imbalance_nn.networks.default import (
    adapt_normalization,
    default_batch_size,
    default_network,
    default_optimizer,
)
from sk_imbalance_nn.networks.heads import Output
from sk_imbalance_nn.training.early_stopping import LOSS, BestEpoch, Predictions, ValidationScore
from sk_imbalance_nn.training.engine import Rows, Schedule, train
from sk_imbalance_nn.training.forward import ForwardPass, build
from sk_imbalance_nn.wrapping.persistence import NotSaved
from sk_imbalance_nn.wrapping.routing import RoutedWrapper

# With fewer rows of the rarest class, a validation score says more about chance than progress.
_ENOUGH_TO_STOP_EARLY = 10
_DEFAULT_FRACTION = 0.1
_DEFAULT_BATCH_SIZE = 32
_VALIDATION_BATCH_SIZE = 1024
_ALL_ROWS = 2**31 - 1


@dataclass(frozen=True, eq=False)
class Data:
    """Checked rows.

    Attributes
    ----------
    X, x : structure
        The table that came in, and the inputs of the network made of it.
    labels : array-like
        The target as it came in.
    y : ndarray or structure
        The encoded target: codes, an indicator, or what the user's own transformer returned.
    strata : ndarray of shape (n,) or (n, n_labels)
        What a split keeps in proportion.
    weight : ndarray of shape (n,) or None
        Sample weights.
    rows : ndarray of shape (m,)
        Which rows are used; those of weight zero never are.
    """

    X: Any
    x: Any
    labels: Any
    y: Any
    strata: NDArray[Any]
    weight: NDArray[np.float64] | None
    rows: NDArray[np.intp]

    def of(self, values: Any) -> Any:
        """Return the part of an array, or of None, that belongs to the rows used."""
        return None if values is None else select_rows(values, self.rows)


@dataclass(frozen=True, eq=False)
class ValidationSource:
    """Where validation rows come from: given data, or a split (a fraction or a splitter)."""

    data: tuple[Any, ...] | None = None
    split: Any = None
    groups: Any = None


class FittingWrapper(RoutedWrapper):
    """The steps of a fit, each a method that can be read aloud."""

    def _fit_network(
        self,
        data: Data,
        source: ValidationSource | None,
        options: Mapping[str, Any],
        *,
        continued: bool,
        initial_epoch: int,
    ) -> None:
        """Split, weigh, build, train."""
        callbacks = self._make_callbacks(options)
        training, validation = self._split(data, source, callbacks)
        stops_early = self._stops_early(validation, callbacks)
        # Only a partial fit, which has no source of validation rows, counts on from earlier rows.
        earlier = self._balance if continued and source is None else None
        balance = self._weigh(training, earlier)
        schedule = self._schedule(options, len(training.rows), initial_epoch)
        if not continued:
            self._build(training, balance, schedule)
        best = BestEpoch(self.n_iter_no_change) if stops_early else None
        run = train(
            self.model_,
            self._weighted(training, balance),
            schedule,
            rng=self._rng,
            callbacks=callbacks,
            validation=None if validation is None else self._weighted(validation, balance),
            score=None if validation is None else self._score_on(validation, training),
            best=best,
            best_on_loss=self.scoring == LOSS,
        )
        self.callbacks_ = callbacks
        self._record(run.history, best, appended=initial_epoch > 0)

    # --------------------------------------------------------------------------------------
    # Before: check, forget, seed

    @contextmanager
    def _earlier_fit_kept_on_failure(self, continued: bool) -> Iterator[None]:
        """Put everything back as it was if the block fails."""
        before = dict(vars(self))
        variables = self._trained_variables() if continued else []
        values = [np.array(variable) for variable in variables]
        try:
            yield
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            for variable, value in zip(variables, values, strict=True):
                variable.assign(value)
            raise

    def _trained_variables(self) -> list[Any]:
        return [*self.model_.variables, *getattr(self.model_.optimizer, "variables", [])]

    def _start(self, *, continued: bool, reseeded: bool = True) -> None:
        """Check the parameters, forget an earlier fit, and seed this one."""
        self._check_nothing_missing()
        self._validate_params()
        self._check_parameter_names()
        # SciKeras' own seeding would leave TensorFlow's determinism switched on for good.
        self._random_state = None
        if not continued:
            for name in [*self._get_metadata(), "_balance", "_head", "_forward"]:
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

    # --------------------------------------------------------------------------------------
    # Validate and encode

    def _validate(
        self, X: Any, y: Any, sample_weight: Any = None, *, reset: bool, classes: Any = None
    ) -> Data:
        """Check rows, labels and weights, and encode them."""
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        X = validate_inputs(self, X, reset=reset)
        check_consistent_length(first_array(X), y)
        if reset:
            self._fit_encoders(X, y, classes)
        x = self.feature_encoder_.transform(X)
        encoded = self.target_encoder_.transform(y)
        weight, rows = None, np.arange(n_rows(X))
        if sample_weight is not None:
            weight = check_sample_weight(
                sample_weight, first_array(X), dtype=np.float64, ensure_non_negative=True
            )
            rows = np.flatnonzero(weight)
            if not rows.size:
                raise ValueError("sample_weight is zero for every row: there is nothing to learn.")
        return Data(X, x, y, encoded, self._strata(encoded), weight, rows)

    def _fit_encoders(self, X: Any, y: Any, classes: Any) -> None:
        encoder = self.target_encoder
        if isinstance(encoder, TargetEncoder):
            encoder.set_params(classes=classes)
        self.target_encoder_ = encoder.fit(y)
        target = np.asarray(y)
        self.y_dtype_, self.y_ndim_ = target.dtype, target.ndim
        self.target_type_ = type_of_target(target)
        vars(self).update(getattr(encoder, "get_metadata", dict)())
        splitter = self.feature_encoder
        if isinstance(splitter, InputSplitter):
            splitter.fit(X, getattr(self, "feature_names_in_", None))
        else:
            splitter.fit(X)
            vars(self).update(getattr(splitter, "get_metadata", dict)())
        self.feature_encoder_ = splitter

    @property
    def _own_target(self) -> bool:
        """Whether the target is encoded here, and not by a transformer of the user's."""
        return isinstance(self.target_encoder_, TargetEncoder)

    def _strata(self, y: Any) -> NDArray[Any]:
        if self._own_target:
            return np.asarray(y)
        columns = [np.asarray(part).reshape(n_rows(y), -1) for part in arrays_of(y)]
        rows = np.column_stack(columns)
        return np.unique(rows, axis=0, return_inverse=True)[1].reshape(-1)

    # --------------------------------------------------------------------------------------
    # Split

    def _make_callbacks(self, options: Mapping[str, Any]) -> list[Any]:
        self._initialize_callbacks()
        given = options.get("callbacks") or []
        return [*self._fit_callbacks, *(given if isinstance(given, list | tuple) else [given])]

    def _source(self, data: Any, groups: Any, options: Mapping[str, Any]) -> ValidationSource:
        split = self._routed("fit", "validation_split", options, None)
        data = getattr(self, "fit__validation_data", None) if data is None else data
        if data is not None and not (isinstance(data, tuple | list) and len(data) in (2, 3)):
            raise ValueError(
                "validation_data must be a tuple (X, y) or (X, y, sample_weight), found "
                f"{type(data).__name__}."
            )
        return ValidationSource(data, None if _is_zero(split) else split, groups)

    def _split(
        self, data: Data, source: ValidationSource | None, callbacks: list[Any]
    ) -> tuple[Data, Data | None]:
        """Return the rows that train, and those that validate if any do."""
        if source is None:
            return data, None
        if source.data is not None:
            return data, self._validate(*source.data, reset=False)
        if source.split is None and not self._needs_split(data, callbacks):
            return data, None
        split = _DEFAULT_FRACTION if source.split is None else source.split
        strata, labels = data.of(data.strata), self.classes_ if self._own_target else None
        if isinstance(split, Real):
            holdout = stratified_holdout(strata, float(split), self._split_seed, labels)
        else:
            groups = None if source.groups is None else np.asarray(source.groups)[data.rows]
            holdout = holdout_from_splitter(split, strata, strata, groups, labels)
        train_rows, validation_rows = data.rows[holdout.train], data.rows[holdout.validation]
        return replace(data, rows=train_rows), replace(data, rows=validation_rows)

    def _needs_split(self, data: Data, callbacks: list[Any]) -> bool:
        """Decide whether to hold rows out where nobody asked for it."""
        if self.early_stopping != "auto":
            return bool(self.early_stopping)
        if not self._may_stop_by_itself(callbacks):
            return False
        rarest = rarest_in_holdout(data.of(data.strata), _DEFAULT_FRACTION)
        return rarest >= _ENOUGH_TO_STOP_EARLY

    def _stops_early(self, validation: Data | None, callbacks: list[Any]) -> bool:
        """Decide ``early_stopping="auto"`` by the validation rows."""
        if validation is None:
            return False
        if self.early_stopping != "auto":
            if self.early_stopping and not self._own_target and self.scoring != LOSS:
                raise ValueError(
                    "early_stopping=True with a target_encoder of your own needs scoring='loss': "
                    "scikit-learn's scorers do not know its outputs."
                )
            return bool(self.early_stopping)
        enough = _ENOUGH_TO_STOP_EARLY
        return (
            self._may_stop_by_itself(callbacks) and _rarest(validation, self.n_classes_) >= enough
        )

    def _may_stop_by_itself(self, callbacks: list[Any]) -> bool:
        """Say whether nothing of the user's stands in the way of automatic early stopping."""
        theirs = any(isinstance(part, keras.callbacks.EarlyStopping) for part in callbacks)
        return self._own_target and not theirs

    # --------------------------------------------------------------------------------------
    # Weigh

    def _weigh(self, data: Data, earlier: Balance | None = None) -> Balance | None:
        """Decide what classes weigh, and remember the priors before and after."""
        if not self._own_target:
            return None
        y, weight = data.of(data.y), data.of(data.weight)
        if self.target_type_ == MULTILABEL:
            balance = balance_labels(self.class_weight, y, weight)
            self.class_weight_: Any = balance.weights
        else:
            balance = balance_classes(self.class_weight, y, self.classes_, weight, earlier)
            self.class_weight_ = dict(
                zip(self.classes_.tolist(), balance.weights.tolist(), strict=True)
            )
        self._balance = balance
        self.class_prior_, self.training_prior_ = balance.prior, balance.training_prior
        return balance

    def _weighted(self, data: Data, balance: Balance | None) -> Rows:
        """Return rows for the engine, with class times sample weights."""
        if balance is None:
            return Rows(data.x, data.y, self._weights_of_own_target(data), data.rows)
        y = self._head.encode(data.y)
        if data.weight is None and np.all(balance.row_factors == 1):
            return Rows(data.x, y, None, data.rows)
        several = self.target_type_ == MULTILABEL
        codes = np.zeros(len(data.y), dtype=np.intp) if several else data.y
        return Rows(data.x, y, row_weights(codes, balance.row_factors, data.weight), data.rows)

    def _weights_of_own_target(self, data: Data) -> NDArray[np.float32] | None:
        """Return the row weights of a target that a transformer of the user's encodes."""
        if self.class_weight is None and data.weight is None:
            return None
        weights = np.ones(n_rows(data.X))
        if self.class_weight is not None and np.ndim(data.labels) in (1, 2):
            weights = compute_sample_weight(self.class_weight, data.labels)
        if data.weight is not None:
            weights = weights * data.weight
        return np.asarray(weights / weights[data.rows].mean(), dtype=np.float32)

    # --------------------------------------------------------------------------------------
    # Build

    def _schedule(self, options: Mapping[str, Any], n: int, initial_epoch: int) -> Schedule:
        def option(name: str, default: Any = None) -> Any:
            return self._routed("fit", name, options, default)

        automatic = default_batch_size(n) if self._has_default_network else _DEFAULT_BATCH_SIZE
        sizes = {None: automatic, -1: n}
        batch_size = option("batch_size")
        validation_sizes = {None: _VALIDATION_BATCH_SIZE, -1: _ALL_ROWS}
        validation_batch_size = option("validation_batch_size")
        verbose = option("verbose", 0)
        return Schedule(
            epochs=initial_epoch + option("epochs"),
            initial_epoch=initial_epoch,
            batch_size=sizes.get(batch_size, batch_size),
            validation_batch_size=validation_sizes.get(
                validation_batch_size, validation_batch_size
            ),
            shuffle=option("shuffle", True),
            steps_per_epoch=option("steps_per_epoch"),
            validation_freq=option("validation_freq", 1),
            verbose=1 if verbose == "auto" else int(verbose),
        )

    @property
    def _has_default_network(self) -> bool:
        return self._given_model is None and not hasattr(self, "_keras_build_fn")

    def _default_builder(self) -> Any:
        return default_network

    def _build(self, data: Data, balance: Balance | None, schedule: Schedule) -> None:
        """Build the network, compile it, and start it at the prior."""
        with seeded(self._build_seed):
            model = self._build_keras_model()
            if not isinstance(model, keras.Model):
                raise TypeError(
                    f"model=... returned {type(model).__name__}; expected a keras.Model. Does "
                    "the builder end with `return model`?"
                )
            build(model, data.x)
            self.model_ = model
            arguments = compile_arguments_of(model, self._compile_kwargs_for(data, schedule))
        check_same_loss(self.loss, arguments.get("loss"))
        self._forward = ForwardPass(model, logits=self._own_target)
        if balance is None:
            self._compile_as_given(model, arguments)
        else:
            self._compile_for_target(model, arguments, data, balance)
        if self._has_default_network:
            adapt_normalization(model, data.of(data.x), data.of(data.weight))

    def _compile_kwargs_for(self, data: Data, schedule: Schedule) -> dict[str, Any]:
        if self.model_.compiled:
            return {}
        kwargs = self._get_compile_kwargs()
        if self._has_default_network and self.optimizer == "auto":
            kwargs["optimizer"] = default_optimizer(
                len(data.rows),
                schedule.batch_size,
                max(self.epochs, 1),
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

    def _compile_for_target(
        self, model: keras.Model, arguments: Mapping[str, Any], data: Data, balance: Balance
    ) -> None:
        outputs = self._forward(take_rows(data.x, data.rows[:1]))
        if isinstance(outputs, list | tuple | dict) or np.ndim(outputs) < 2:
            raise ValueError(
                f"{model.name} does not answer with one row of units for each row of X, but with "
                f"{_described(outputs)}. Networks with several outputs need a target_encoder of "
                "your own."
            )
        output = Output(outputs.shape[-1], self._forward.activation, output_layer_name(model))
        several = self.target_type_ == MULTILABEL
        self._head = compile_for_target(
            model,
            output,
            arguments,
            self.target_type_,
            self.n_classes_,
            balance.weights if several else None,
        )
        if self.output_bias == "auto" and not isinstance(self._given_model, keras.Model):
            start_at_prior(model, self._head, balance.training_prior)

    # --------------------------------------------------------------------------------------
    # Train

    def _score_on(self, validation: Data, training: Data) -> ValidationScore | None:
        """Return the score of the validation rows, tried once before anything is trained."""
        if self.scoring == LOSS or not self._own_target:
            return None
        codes, classes, labels, reverse = self._scored_target(validation, training)
        score = ValidationScore(
            self.scoring,
            Predictions(classes, self._logits, self._head, labels, reverse),
            validation.of(validation.X),
            codes,
            validation.of(validation.weight),
        )
        score()
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
        reverse = bool(np.mean(training.of(training.y)) > 0.5)
        return (1 - codes if reverse else codes), classes, _unchanged, reverse

    def _logits(self, X: Any) -> NDArray[np.float64]:
        """Return logits of shape (n, units) for checked rows."""
        outputs = self._forward(self.feature_encoder_.transform(X))
        are_logits = self._forward.gives_logits or self._head.from_logits
        return self._head.logits(outputs, are_logits=are_logits)

    def _record(
        self, history: Mapping[str, list[Any]], best: BestEpoch | None, *, appended: bool
    ) -> None:
        earlier = getattr(self, "history_", {}) if appended else {}
        names = dict.fromkeys([*earlier, *history])
        self.history_ = {name: [*earlier.get(name, []), *history.get(name, [])] for name in names}
        self.n_iter_ = self.current_epoch
        stopped = best is not None and best.best_epoch > 0
        self.best_iteration_ = best.best_epoch if stopped else None
        self.best_validation_score_ = best.best_score if stopped else None


def _is_zero(split: Any) -> bool:
    return isinstance(split, Real) and split == 0


def _rarest(data: Data, n_classes: int) -> int:
    """Return how many rows the rarest class has, or the rarer side of the rarest label."""
    codes = data.of(data.strata)
    if codes.ndim == 2:
        positives = codes.sum(axis=0)
        return int(np.minimum(positives, len(codes) - positives).min())
    return int(np.bincount(codes, minlength=n_classes).min())


def _unchanged(codes: NDArray[Any]) -> NDArray[Any]:
    return codes


def _described(outputs: Any) -> str:
    if isinstance(outputs, list | tuple | dict):
        return f"{len(outputs)} outputs"
    return f"an array of shape (n, {', '.join(map(str, outputs.shape[1:]))})"
