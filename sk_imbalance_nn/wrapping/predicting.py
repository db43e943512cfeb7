"""Predicting: from rows to logits, and the prior that they refer to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_is_fitted

from sk_imbalance_nn.balancing.balance import Balance
from sk_imbalance_nn.balancing.priors import prior_shift, target_prior_of
from sk_imbalance_nn.data.inputs import n_rows, take_rows
from sk_imbalance_nn.data.targets import BINARY, MULTILABEL
from sk_imbalance_nn.networks.compiling import check_can_be_corrected, own_loss, shift_answers
from sk_imbalance_nn.training.forward import rows_at_once
from sk_imbalance_nn.training.steps import overrides
from sk_imbalance_nn.wrapping.building import BuildingWrapper
from sk_imbalance_nn.wrapping.routing import PREDICT_OPTIONS, check_options

_PREDICT_HOOKS = (
    "on_predict_begin",
    "on_predict_batch_begin",
    "on_predict_batch_end",
    "on_predict_end",
)


class PredictingWrapper(BuildingWrapper):
    """What a network answers, in training and after it."""

    # What is to be added to each logit once training is over, while it lasts.
    _answer_shift: NDArray[np.float64] | None = None

    # --------------------------------------------------------------------------------------
    # Outputs

    def _read(self, read: Callable[[Any], Any], X: Any, options: Mapping[str, Any]) -> NDArray[Any]:
        """Return what is read from the logits of rows."""
        check_options("predict", options, PREDICT_OPTIONS)

        def answer(outputs: Any, are_logits: bool | None = None) -> Any:
            return read(self._recalibrated(self._as_logits(outputs, are_logits)))

        X = self._checked_inputs(X, reset=False)
        if self._callbacks_for_predict(options):
            outputs = self._predict_by_keras(self.feature_encoder_.transform(X), options)
            return np.asarray(answer(outputs, self._head.from_logits))
        x, batch_size = self.feature_encoder_.transform(X), self._batch_size_for_predict(X, options)
        return np.asarray(self._forward(x, batch_size, answer))

    def _batch_size_for_predict(self, X: Any, options: Mapping[str, Any]) -> int | None:
        """Return the rows at a time that were asked for; training's batch size is no such wish."""
        given = options.get("batch_size", getattr(self, "predict__batch_size", None))
        if given is None:
            return None
        return n_rows(X) if given == -1 else check_scalar(given, "batch_size", Integral, min_val=1)

    def _predict_raw(self, X: Any, **predict_params: Any) -> Any:
        """Return the outputs of the network as it gives them."""
        check_is_fitted(self)
        check_options("predict", predict_params, PREDICT_OPTIONS)
        x = self.feature_encoder_.transform(self._checked_inputs(X, reset=False))
        if self._callbacks_for_predict(predict_params) or self._own_target:
            return self._predict_by_keras(x, predict_params)
        return self._forward(x, self._batch_size_for_predict(x, predict_params))

    def _predict_by_keras(self, x: Any, options: Mapping[str, Any]) -> Any:
        """Predict batch by batch, so that callbacks hear of each."""
        return self.model_.predict(
            x,
            batch_size=self._batch_size_for_predict(x, options),
            steps=self._routed("predict", "steps", options, None),
            verbose=0,
            callbacks=self._callbacks_for_predict(options),
        )

    def _callbacks_for_predict(self, options: Mapping[str, Any]) -> list[Any]:
        """Return the callbacks that want to hear of predictions."""
        given = options.get("callbacks") or []
        given = given if isinstance(given, list | tuple) else [given]
        callbacks = [*getattr(self, "_predict_callbacks", []), *given]
        return [callback for callback in callbacks if overrides([callback], _PREDICT_HOOKS)]

    # --------------------------------------------------------------------------------------
    # Logits at a prior

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
        if self._answer_shift is not None:
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

    def _balance_to_learn(self, balance: Balance) -> Balance:
        """Return the balance that the loss is to see, and keep what answers are moved by."""
        if not self._weighs_answers:
            return balance
        several = self.target_type_ == MULTILABEL
        before, after = balance.prior_without_weights, balance.training_prior
        shift = prior_shift(before, after, multilabel=several)
        self._answer_shift = shift[1:] - shift[:1] if self.target_type_ == BINARY else shift
        return balance.without_weights()

    def _shift_answers(self) -> None:
        """Move the trained network itself to the prior that its answers refer to."""
        if self._answer_shift is not None:
            shift_answers(self.model_, self._answer_shift)
            del self._answer_shift

    # --------------------------------------------------------------------------------------
    # Out of fold

    @property
    def oof_decision_function_(self) -> NDArray[np.float64]:
        """Scores of the rows of `fit`, each by a member that has not seen it.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            On the scale of `decision_function`; NaN for rows that were held out or weigh nothing.

        Raises
        ------
        AttributeError
            Where there are none; says why.
        """
        return self._read_out_of_fold("oof_decision_function_", "decision")

    @property
    def oof_proba_(self) -> NDArray[np.float64]:
        """Probabilities of the rows of `fit`, each by a member that has not seen it.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            On the scale of `predict_proba`; NaN for rows that were held out or weigh nothing.

        Raises
        ------
        AttributeError
            Where there are none; says why.
        """
        return self._read_out_of_fold("oof_proba_", "probabilities")

    @property
    def oof_unavailable_reason_(self) -> str:
        """Why a fitted classifier has no such scores; empty if it has."""
        return "" if "_oof_logits" in vars(self) else self._why_without_oof()

    @property
    def _recalibrates(self) -> bool:
        return isinstance(self.correct_prior, str) and self.correct_prior == "oof"

    def _recalibrated(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return logits as ``correct_prior="oof"`` wants them."""
        if not self._recalibrates:
            return logits
        if not hasattr(self, "_oof_calibration"):
            self._check_not_needed()
        slope, intercept = self._oof_calibration
        return slope * logits + intercept

    def _check_not_needed(self) -> None:
        if self._recalibrates:
            raise ValueError(
                "correct_prior='oof' needs out-of-fold predictions, and there are none: "
                f"{self._why_without_oof()}. Give correct_prior=True."
            )

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
