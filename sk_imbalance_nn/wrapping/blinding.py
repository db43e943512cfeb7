"""Blinding: which rows each member of the default network is not to learn from, and why not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

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
from sk_imbalance_nn.training.early_stopping import ValidationScore
from sk_imbalance_nn.training.feeding import Rows
from sk_imbalance_nn.training.monitors import monitors
from sk_imbalance_nn.training.out_of_fold import OutOfFold, blinded
from sk_imbalance_nn.training.schedule import Schedule
from sk_imbalance_nn.wrapping.checked import Data
from sk_imbalance_nn.wrapping.preparing import (
    ENOUGH_TO_STOP_EARLY,
    ValidationSource,
    rarest_of,
)
from sk_imbalance_nn.wrapping.scoring import ScoringWrapper

_MOST_LOOKS = 40
_FEWEST_OF_A_CLASS = 2
# Optimizers of Keras' whose steps depend on the size of whole tensors.
_COUPLING = ("Adafactor", "Lamb", "Muon")
_NORMS = ("clipnorm", "global_clipnorm")
# What a fit leaves behind of it.
OUT_OF_FOLD = ("_oof_calibration", "_oof_logits", "_oof_reason", "oof_folds_", "member_epochs_")


class BlindingWrapper(ScoringWrapper):
    """Folds for members to be blind to, and what is taken down of it."""

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
                "the optimizer takes norms over all members together "
                f"({', '.join((*_NORMS, *_COUPLING))}), so that each hears of the rows that it is "
                "blind to; optimizer__member_clipnorm clips a member at a time"
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
        given, routed = self.optimizer, self._routed_to("optimizer")
        if any(routed.get(name) or getattr(given, name, None) for name in _NORMS):
            return True
        kind = given if isinstance(given, type) else type(given)
        name = given if isinstance(given, str) else kind.__name__
        return name.lower() in {known.lower() for known in _COUPLING}

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

    def _needs_split(self, data: Data, callbacks: list[Any]) -> bool:
        """Decide whether to hold rows out: no need where members are blind to some in turn."""
        blind = not self._oof_reason and not monitors(callbacks, "val_")
        # Rows that members have seen in an earlier fit would say nothing, held out now.
        seen = self._has_default_network and self.initialized_
        return not (blind or seen) and super()._needs_split(data, callbacks)

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

    def _record_out_of_fold(
        self, watch: OutOfFold | None, folds: NDArray[np.intp] | None, training: Data
    ) -> None:
        """Take down the blind answers, and what they say about the probabilities."""
        for name in ("_oof_logits", "_oof_calibration", "oof_folds_", "member_epochs_"):
            vars(self).pop(name, None)
        if watch is None or folds is None:
            return
        self.oof_folds_ = folds
        logits = watch.logits if self._answer_shift is None else watch.logits + self._answer_shift
        if can_be_corrected(self.model_):
            self._oof_calibration = fit_recalibration(
                self._at_prior(self._head.logits(logits, are_logits=True), True),
                training.of(training.y),
                training.of(training.weight),
                softmax=self._head.link == SOFTMAX,
            )
        self._oof_logits = np.full((len(folds), logits.shape[1]), np.nan)
        self._oof_logits[folds >= 0] = logits
        if watch.stops:
            self.member_epochs_ = np.array(watch.member_epochs)


def _are_apart(strata: NDArray[Any], folds: NDArray[np.intp]) -> bool:
    """Say whether the rows of each class are in more than one fold."""
    return all(len(np.unique(folds[strata == code])) > 1 for code in np.unique(strata))
