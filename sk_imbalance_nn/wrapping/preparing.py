"""Preparing: validate, encode, split, sample, weigh."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_consistent_length

from sk_imbalance_nn._compat import check_sample_weight
from sk_imbalance_nn.balancing.balance import Balance, balance_classes, balance_labels
from sk_imbalance_nn.balancing.class_weight import row_weights
from sk_imbalance_nn.balancing.priors import prior_shift, target_prior_of
from sk_imbalance_nn.data.inputs import (
    InputSplitter,
    arrays_of,
    first_array,
    n_rows,
    validate_inputs,
)
from sk_imbalance_nn.data.split import holdout_from_splitter, rarest_in_holdout, stratified_holdout
from sk_imbalance_nn.data.tables import FROM_DTYPE
from sk_imbalance_nn.data.targets import MULTILABEL, TargetEncoder
from sk_imbalance_nn.networks.compiling import own_loss, takes_class_weights
from sk_imbalance_nn.training.early_stopping import LOSS
from sk_imbalance_nn.training.feeding import Rows
from sk_imbalance_nn.wrapping.checked import Data
from sk_imbalance_nn.wrapping.routing import balances
from sk_imbalance_nn.wrapping.sampling import SamplingWrapper

# With fewer rows of the rarest class, a validation score says more about chance than progress, and
# the rows are better spent on training.
ENOUGH_TO_STOP_EARLY = 20
_DEFAULT_FRACTION = 0.1


@dataclass(frozen=True, eq=False)
class ValidationSource:
    """Where validation rows come from: given data, or a split (a fraction or a splitter)."""

    data: tuple[Any, ...] | None = None
    split: Any = None
    groups: Any = None


class PreparingWrapper(SamplingWrapper):
    """From what came in to weighted rows that train, and rows that validate."""

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
        X = self._checked_inputs(X, reset=reset)
        check_consistent_length(first_array(X), y)
        if reset:
            self._fit_encoders(X, y, classes)
        x = self.feature_encoder_.transform(X)
        encoded = self.target_encoder_.transform(y)
        # Numbers of half the size where they suffice: they are a good part of what rows of few
        # columns take.
        kind = np.int32 if n_rows(X) <= np.iinfo(np.int32).max else np.intp
        weight, rows = None, np.arange(n_rows(X), dtype=kind)
        if sample_weight is not None:
            weight = check_sample_weight(
                sample_weight, first_array(X), dtype=np.float64, ensure_non_negative=True
            )
            rows = np.flatnonzero(weight).astype(kind)
            if not rows.size:
                raise ValueError("sample_weight is zero for every row: there is nothing to learn.")
        return Data(X, x, y, encoded, self._strata(encoded), weight, rows)

    def _checked_inputs(self, X: Any, *, reset: bool) -> Any:
        """Check rows; a network that begins with a `TableEncoding` takes tables as they are."""
        as_table = self._reads_raw_tables if reset else hasattr(self, "categories_")
        named = self.categorical_features
        if reset and not as_table and not (isinstance(named, str) and named == FROM_DTYPE):
            raise ValueError(
                "categorical_features is for networks that read raw tables: the default one "
                "(model=None), and builders with an argument `encoding`. Encode the columns before "
                "this network, for example with a OneHotEncoder."
            )
        return validate_inputs(self, X, reset=reset, as_table=as_table, categorical_features=named)

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
        self, data: Data, source: ValidationSource, *, needed: bool
    ) -> tuple[Data, Data | None]:
        """Return the rows that train, and those that validate if any do."""
        if source.data is not None:
            return data, self._validate(*source.data, reset=False)
        if source.split is None and not needed:
            return data, None
        split = _DEFAULT_FRACTION if source.split is None else source.split
        labels = self.classes_ if self._own_target else None
        if isinstance(split, Real) and source.groups is None:
            strata = data.of(data.strata)
            holdout = stratified_holdout(strata, float(split), self._split_seed, labels)
            parts = data.rows[holdout.train], data.rows[holdout.validation]
        else:
            splitter = self._group_splitter(data, split) if isinstance(split, Real) else split
            check_consistent_length(data.strata, source.groups)
            # A splitter knows all rows, those of weight zero too.
            holdout = holdout_from_splitter(
                splitter, data.strata, data.strata, source.groups, labels
            )
            parts = tuple(np.intersect1d(p, data.rows) for p in (holdout.train, holdout.validation))
        return replace(data, rows=parts[0]), replace(data, rows=parts[1])

    def _group_splitter(self, data: Data, fraction: float) -> Any:
        """Return a splitter for a fraction of the rows that keeps groups together."""
        if data.strata.ndim == 2:
            raise ValueError(
                "groups and a fraction do not split a multilabel target; give validation_split= "
                "a splitter that knows groups, such as GroupShuffleSplit, or validation_data."
            )
        # A fraction of 1/k is one of k folds; no more folds than the rarest class has rows.
        n_splits = max(2, min(round(1 / fraction), rarest_of(data, 0)))
        return StratifiedGroupKFold(n_splits, shuffle=True, random_state=self._split_seed)

    def _needs_split(self, data: Data, callbacks: list[Any]) -> bool:
        """Decide whether to hold rows out where nobody asked for it."""
        if self.early_stopping != "auto":
            return bool(self.early_stopping)
        if not self._may_stop_by_itself(callbacks):
            return False
        rarest = rarest_in_holdout(data.of(data.strata), _DEFAULT_FRACTION)
        return rarest >= ENOUGH_TO_STOP_EARLY

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
        enough = ENOUGH_TO_STOP_EARLY
        return (
            self._may_stop_by_itself(callbacks) and rarest_of(validation, self.n_classes_) >= enough
        )

    def _may_stop_by_itself(self, callbacks: list[Any]) -> bool:
        """Say whether nothing of the user's stands in the way of automatic early stopping."""
        theirs = any(isinstance(part, keras.callbacks.EarlyStopping) for part in callbacks)
        return self._own_target and not theirs

    # --------------------------------------------------------------------------------------
    # Weigh

    def _weigh(
        self, data: Data, *, continued: bool = False, partial: bool = False
    ) -> Balance | None:
        """Decide what classes weigh, and remember the priors before and after."""
        if not self._own_target:
            self._check_nothing_to_correct()
            return None
        y, weight = data.of(data.y), data.of(data.weight)
        copies = data.epoch.copies
        if self.target_type_ == MULTILABEL:
            # Label weights are part of the compiled loss: those of the first fit stay.
            rule = self.class_weight_ if continued else self._class_weight_rule()
            earlier = self._balance if continued and partial else None
            balance = balance_labels(rule, y, weight, earlier, copies=copies)
            self.class_weight_: Any = balance.weights
        else:
            balance = balance_classes(
                self._class_weight_rule(continued=continued),
                y,
                self.classes_,
                weight,
                self._balance if continued and partial else None,
                several=not partial,
                copies=copies,
                mass=data.mass,
            )
            self.class_weight_ = dict(
                zip(self.classes_.tolist(), balance.weights.tolist(), strict=True)
            )
        self._balance = balance
        self.class_prior_, self.training_prior_ = balance.prior, balance.training_prior
        target = target_prior_of(self.correct_prior, balance.prior, multilabel=y.ndim == 2)
        if target is not None and not partial:  # later parts may hold what this one does not
            prior_shift(balance.training_prior, target, multilabel=y.ndim == 2)
        return balance

    @property
    def _corrects(self) -> bool:
        """Whether predictions refer to another prior than that of training."""
        return not isinstance(self.correct_prior, bool | np.bool_) or bool(self.correct_prior)

    def _check_nothing_to_correct(self) -> None:
        if self._corrects:
            raise ValueError(
                "correct_prior needs the classes of y, which a target_encoder of your own keeps "
                "to itself; give correct_prior=False."
            )

    def _class_weight_rule(self, *, continued: bool = False) -> Any:
        """Return ``class_weight``, with "auto" decided by what else balances."""
        if isinstance(self.class_weight, str) and self.class_weight == "auto":
            loss = own_loss(self.model_) if continued else self.loss
            return None if balances(loss) else "balanced"
        return self.class_weight

    def _weighted(self, data: Data, balance: Balance | None) -> Rows:
        """Return rows for the engine, with class times sample weights."""
        if balance is None:
            return Rows(data.x, data.y, self._weights_of_own_target(data), data.rows)
        # A loss that switches class weights on late takes them itself.
        late = takes_class_weights(self.model_)
        factors = balance.plain_factors if late else balance.row_factors
        weight = None
        if data.weight is not None or np.any(factors != 1):
            several = self.target_type_ == MULTILABEL
            codes = np.zeros(len(data.y), dtype=np.intp) if several else data.y
            weight = row_weights(codes, factors, data.weight)
        return Rows(data.x, data.y, weight, data.rows, self._head.encode, data.sampled)

    def _weighted_beside(
        self, rows: Rows, training: Data, validation: Data | None, balance: Balance | None
    ) -> Rows | None:
        """Return the rows that validate; what was split off shares targets and weights."""
        if validation is None:
            return None
        if balance is not None and validation.y is training.y:
            return replace(rows, index=validation.rows, sampled=None)
        return self._weighted(validation, balance)

    def _weights_of_own_target(self, data: Data) -> NDArray[np.float32] | None:
        """Return the row weights of a target that a transformer of the user's encodes."""
        rule = self._class_weight_rule()
        if rule is None and data.weight is None:
            return None
        weights = np.ones(n_rows(data.X))
        if rule == "effective" or callable(rule):
            raise ValueError(
                f"class_weight={rule!r} needs the classes of y, which a target_encoder of your "
                "own keeps to itself; use 'balanced', a dict or None."
            )
        if rule is not None and np.ndim(data.labels) in (1, 2):
            weights = compute_sample_weight(rule, data.labels)
        if data.weight is not None:
            weights = weights * data.weight
        return np.asarray(weights / weights[data.rows].mean(), dtype=np.float32)


def _is_zero(split: Any) -> bool:
    return isinstance(split, Real) and split == 0


def rarest_of(data: Data, n_classes: int) -> int:
    """Return how many rows the rarest class has, or the rarer side of the rarest label.

    Parameters
    ----------
    data : Data
        Whose rows in use are counted.
    n_classes : int
        How many classes there are, of which some may have no row.

    Returns
    -------
    int
        Rows.
    """
    codes = data.of(data.strata)
    if codes.ndim == 1:
        return int(np.bincount(codes, minlength=n_classes).min())
    positives = codes.sum(axis=0)
    rarer = np.minimum(positives, len(codes) - positives)
    # A label that never changes cannot be told apart by any score.
    return int(rarer[rarer > 0].min(initial=len(codes)))
