"""Blinding: which rows each member of the default network is not to learn from, and why not."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_consistent_length

from sk_imbalance_nn.balancing.recalibration import fit_recalibration
from sk_imbalance_nn.balancing.resampling import redraws
from sk_imbalance_nn.data.folds import stratified_folds
from sk_imbalance_nn.networks.compiling import can_be_corrected
from sk_imbalance_nn.networks.default import default_members
from sk_imbalance_nn.networks.ensemble import EnsembleNetwork
from sk_imbalance_nn.networks.heads import SOFTMAX
from sk_imbalance_nn.training.early_stopping import LOSS, Predictions, ValidationScore
from sk_imbalance_nn.training.feeding import Rows
from sk_imbalance_nn.training.monitors import monitors
from sk_imbalance_nn.training.out_of_fold import OutOfFold, blinded
from sk_imbalance_nn.training.schedule import Schedule
from sk_imbalance_nn.wrapping.checked import Data
from sk_imbalance_nn.wrapping.preparing import (
    ENOUGH_TO_STOP_EARLY,
    PreparingWrapper,
    ValidationSource,
    rarest_of,
)

_MOST_LOOKS = 40
_FEWEST_OF_A_CLASS = 2
# Optimizers of Keras' whose steps depend on the size of whole tensors.
_COUPLING = ("Adafactor", "Lamb", "Muon")
# What a fit leaves behind of it.
OUT_OF_FOLD = ("_oof_calibration", "_oof_logits", "_oof_reason", "oof_folds_", "member_epochs_")


class BlindingWrapper(PreparingWrapper):
    """Folds for members to be blind to, and the predictions that come of it."""

    def _folds(
        self, data: Data, source: ValidationSource, *, continued: bool, partial: bool
    ) -> NDArray[np.intp] | None:
        """Return the fold of every row, or None, and take down why there is none."""
        self._oof_reason = self._reason_against_folds(data, source, continued or partial)
        if self._oof_reason:
            self._check_not_needed()
            return None
        strata = data.of(data.strata)
        groups = None if source.groups is None else data.of(np.asarray(source.groups))
        dealt = stratified_folds(strata, self._n_members, self._split_seed, groups)
        if groups is not None and not _are_apart(strata, dealt):
            self._oof_reason = "groups leave all rows of a class in one part of the rows"
            self._check_not_needed()
            return None
        folds = np.full(len(data.strata), -1, dtype=np.intp)
        folds[data.rows] = dealt
        return folds

    def _check_not_needed(self) -> None:
        if self._recalibrates:
            raise ValueError(
                "correct_prior='oof' needs out-of-fold predictions, and there are none: "
                f"{self._why_without_oof()}. Give correct_prior=True."
            )

    @property
    def _recalibrates(self) -> bool:
        return isinstance(self.correct_prior, str) and self.correct_prior == "oof"

    @property
    def _n_members(self) -> int:
        return default_members(**self._builder_arguments)

    def _reason_against_folds(self, data: Data, source: ValidationSource, again: bool) -> str:
        name = type(self).__name__
        if not self._has_default_network:
            return (
                f"{name} offers them with its own network alone (model=None), whose members are "
                "each blind to a part of the rows"
            )
        if again:
            return "warm_start and partial_fit go on with members that have seen other rows"
        if self._n_members < 2:
            return "model__members=1 leaves no member that is blind to a part of the rows"
        if self._couples_members():
            return (
                "the optimizer takes norms over all members together (clipnorm, global_clipnorm, "
                f"{', '.join(sorted(_COUPLING))}), so that each hears of the rows that it is blind "
                "to; optimizer__member_clipnorm clips a member at a time"
            )
        if not self._own_target:
            return "a target_encoder of your own keeps the classes to itself"
        if not (self.sampler is None or isinstance(self.sampler, str) or redraws(self.sampler)):
            return (
                f"{type(self.sampler).__name__} looks at all rows to make or to drop some; "
                "sampler='over', 'under' or 'balanced' and class_weight do not"
            )
        if source.groups is not None and data.strata.ndim == 2:
            return "groups cannot be kept together for a target of several labels"
        if rarest_of(data, self.n_classes_) < _FEWEST_OF_A_CLASS:
            return "a class has fewer than two rows"
        if source.groups is not None:
            check_consistent_length(data.strata, source.groups)
            n_groups = len(np.unique(data.of(np.asarray(source.groups))))
            if n_groups < self._n_members:
                return f"the rows have {n_groups} groups for {self._n_members} members"
            if np.bincount(data.of(data.strata)).max() < self._n_members:
                return f"no class has as many rows as there are members, {self._n_members}"
        return ""

    def _couples_members(self) -> bool:
        """Say whether a step of one member depends on the gradients of the others."""
        kind = self.optimizer if isinstance(self.optimizer, str) else type(self.optimizer).__name__
        kind = self.optimizer.__name__ if isinstance(self.optimizer, type) else kind
        norms = ("clipnorm", "global_clipnorm")
        routed = self._routed_to("optimizer")
        clips = any(routed.get(name) or getattr(self.optimizer, name, None) for name in norms)
        return clips or kind.lower() in {name.lower() for name in _COUPLING}

    def _stops_out_of_fold(
        self, data: Data, source: ValidationSource, callbacks: list[Any]
    ) -> bool:
        """Decide whether the members' blind answers choose the epoch."""
        if source.data is not None or source.split is not None or not self.early_stopping:
            return False
        if self.early_stopping != "auto" or monitors(callbacks, "oof_"):
            return True
        enough = rarest_of(data, self.n_classes_) >= ENOUGH_TO_STOP_EARLY
        return enough and self._may_stop_by_itself(callbacks)

    def _blinded(self, rows: Rows, folds: NDArray[np.intp]) -> Rows:
        """Return rows that weigh nothing for the member that is blind to them."""
        return replace(rows, weight=blinded(rows.weight, folds, self._n_members))

    def _watch(
        self,
        training: Data,
        folds: NDArray[np.intp],
        schedule: Schedule,
        weight: NDArray[np.float32] | None,
        callbacks: list[Any],
        put_off: int | None,
    ) -> OutOfFold:
        """Return the callback that takes down the members' blind answers.

        They choose epochs from `put_off` on, if that is a number.
        """
        stops, epochs = put_off is not None, schedule.n_epochs
        own = folds[training.rows]
        model = self.model_
        assert isinstance(model, EnsembleNetwork)
        patience, every = self._patience(epochs), 1
        if not monitors(callbacks, "oof_"):
            every = max(1, epochs // _MOST_LOOKS)
        return OutOfFold(
            model,
            training.x,
            training.rows,
            own,
            [self._score_beyond(training, own, fold, weight) for fold in range(self._n_members)]
            if stops
            else [],
            name=ValidationScore.name_of(self.scoring).replace("val_", "oof_"),
            patience=patience,
            every=every,
            after=put_off or 0,
        )

    def _score_beyond(
        self,
        training: Data,
        folds: NDArray[np.intp],
        fold: int,
        weight: NDArray[np.float32] | None,
    ) -> Any:
        """Return the score of the rows of all folds but one, as a function of all logits."""
        others = np.flatnonzero(folds != fold)
        chosen = replace(training, rows=training.rows[others])
        if self.scoring == LOSS:
            own = None if weight is None else weight[chosen.rows]
            return partial(self._negative_loss, others, chosen, own)
        codes, classes, labels, reverse = self._scored_target(chosen, training)
        shown: dict[str, NDArray[np.float64]] = {}
        score = ValidationScore(
            self.scoring,
            Predictions(classes, lambda _: shown["logits"], self._head, labels, reverse),
            others if isinstance(self.scoring, str) else chosen.of(chosen.X),
            codes,
            chosen.of(chosen.weight),
        )

        def scored(logits: NDArray[np.float64]) -> float:
            shown["logits"] = self._as_logits(logits[others], True)
            return score()

        return scored

    def _negative_loss(
        self,
        others: NDArray[np.intp],
        chosen: Data,
        weight: NDArray[np.float32] | None,
        logits: NDArray[np.float64],
    ) -> float:
        """Return what ``scoring="loss"`` maximises: the network's own loss, negative.

        Rows weigh what they do in training: class weights too.
        """
        loss = keras.losses.get(self.model_.loss)
        outputs = self._head.outputs(logits[others]).astype(np.float32)
        target = self._head.encode(chosen.of(chosen.y))
        if isinstance(loss, keras.losses.Loss):
            return -float(loss(target, outputs, sample_weight=weight))
        losses = np.asarray(loss(target, outputs))
        return -float(np.mean(losses if weight is None else losses * weight))

    def _record_out_of_fold(
        self, watch: OutOfFold | None, folds: NDArray[np.intp] | None, training: Data
    ) -> None:
        """Take down the blind answers, and what they say about the probabilities."""
        for name in ("_oof_logits", "_oof_calibration", "oof_folds_", "member_epochs_"):
            vars(self).pop(name, None)
        if watch is None or folds is None:
            return
        self.oof_folds_ = folds
        if can_be_corrected(self.model_):
            self._oof_calibration = fit_recalibration(
                self._at_prior(self._head.logits(watch.logits, are_logits=True), True),
                training.of(training.y),
                training.of(training.weight),
                softmax=self._head.link == SOFTMAX,
            )
        self._oof_logits = np.full((len(folds), watch.logits.shape[1]), np.nan)
        self._oof_logits[folds >= 0] = watch.logits
        if watch.stops:
            self.member_epochs_ = np.array(watch.member_epochs)

    # --------------------------------------------------------------------------------------
    # What is read from it

    @property
    def oof_decision_function_(self) -> NDArray[np.float64]:
        """Scores of the rows of `fit`, each by a member that has not seen it."""
        return self._read_out_of_fold("oof_decision_function_", "decision")

    @property
    def oof_proba_(self) -> NDArray[np.float64]:
        """Probabilities of the rows of `fit`, each by a member that has not seen it."""
        return self._read_out_of_fold("oof_proba_", "probabilities")

    @property
    def oof_unavailable_reason_(self) -> str:
        """Why a fitted classifier has no such scores; empty if it has."""
        return "" if "_oof_logits" in vars(self) else self._why_without_oof()

    def _recalibrated(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return logits as ``correct_prior="oof"`` wants them."""
        if not self._recalibrates:
            return logits
        if not hasattr(self, "_oof_calibration"):
            self._check_not_needed()
        slope, intercept = self._oof_calibration
        return slope * logits + intercept

    def _why_without_oof(self) -> str:
        # Files hold no reason, and `initialize` has none.
        other = "its file holds none" if hasattr(self, "history_") else "it is not fitted"
        return str(vars(self).get("_oof_reason") or other)

    def _read_out_of_fold(self, name: str, reading: str) -> NDArray[np.float64]:
        logits = vars(self).get("_oof_logits")
        if logits is None:
            raise AttributeError(
                f"This {type(self).__name__} has no {name}: {self._why_without_oof()}. "
                "Cross-validate instead: cv=5, or cross_val_predict."
            )
        known = ~np.isnan(logits).any(axis=1)
        corrected = self._recalibrated(self._as_logits(logits[known], True))
        values = getattr(self._head, reading)(corrected)
        found = np.full((len(logits), *values.shape[1:]), np.nan)
        found[known] = values
        return found


def _are_apart(strata: NDArray[Any], folds: NDArray[np.intp]) -> bool:
    """Say whether the rows of each class are in more than one fold."""
    return all(len(np.unique(folds[strata == code])) > 1 for code in np.unique(strata))
