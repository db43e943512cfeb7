"""Scoring: what early stopping goes by, on rows that were held out or by members blind to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from sk_imbalance_nn.data.targets import BINARY
from sk_imbalance_nn.training.early_stopping import LOSS, Predictions, ValidationScore
from sk_imbalance_nn.wrapping.checked import Data
from sk_imbalance_nn.wrapping.predicting import PredictingWrapper


class ScoringWrapper(PredictingWrapper):
    """The scores of a network in training."""

    def _score_on(self, validation: Data | None, training: Data) -> ValidationScore | None:
        """Return the score of the validation rows, tried once before anything is trained."""
        if validation is None or self.scoring == LOSS or not self._own_target:
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

    def _score_beyond(
        self,
        training: Data,
        folds: NDArray[np.intp],
        fold: int,
        weight: NDArray[np.float32] | None,
    ) -> Callable[[NDArray[np.float64]], float]:
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


def _unchanged(codes: NDArray[Any]) -> NDArray[Any]:
    return codes
