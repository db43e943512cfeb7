"""Margins that are larger for rare classes, and weights that count late."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any, ClassVar

import keras
import numpy as np
from numpy.typing import NDArray

from sk_imbalance_nn._compat import Interval
from sk_imbalance_nn.networks.head_losses import HeadLoss
from sk_imbalance_nn.networks.heads import SIGMOID
from sk_imbalance_nn.networks.loss_inputs import check_length, pair_of_labels
from sk_imbalance_nn.networks.posteriors import ldam_posterior


@keras.saving.register_keras_serializable("sk_imbalance_nn")
class LDAMLoss(HeadLoss):
    """Cross-entropy that asks for a margin, and for a larger one where a class is rare.

    ``scale * (z - m_y)`` at the true class y and ``scale * z`` elsewhere go into the
    cross-entropy, with margins m_y proportional to n_y^(-1/4) for n_y rows [1]_. Of a sigmoid,
    which is the difference of two such scores, m_1 is taken off for ones and m_0 added for zeros.

    Parameters
    ----------
    max_margin : float, default=0.5
        At least 0. The margin of the rarest class (of each label).
    scale : float, default=1.0
        Above 0. What logits are multiplied by; the paper's 30 goes with the cosines of a
        `NormalizedDense` as the last layer.
    reweight_after : float or None, default=0.8
        Above 0, up to 1: the share of the epochs after which class weights count, as
        `DeferredReweighting` has it. The paper's schedule is 160 of 200 epochs, with the
        "effective" weights. None: they count from the start. Outside an estimator they do so
        unless the callback is given.
    counts : array-like of shape (n_classes,) or (n_labels, 2), default=None
        Rows of each class, or of each label's zeros and ones. `BalancedKerasClassifier` counts
        them. A class without rows gets the margin of the rarest.
    **kwargs : dict
        ``class_weight`` (array-like of shape (n_classes,), (n_labels,) or (n_labels, 2), default
        None), ``link`` (default None: "sigmoid" for one output, "softmax" for several; give
        "sigmoid" for labels), ``from_logits`` (default None: no), ``name``, ``reduction``,
        ``dtype``.

    Raises
    ------
    ValueError
        If a number is out of its range; when called, if there are no counts or they do not fit
        the outputs.

    References
    ----------
    .. [1] Cao, Wei, Gaidon, Arechiga, Ma (2019). Learning imbalanced datasets with
       label-distribution-aware margin loss. NeurIPS, section 3, and algorithm 1 for the
       deferred weights.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_imbalance_nn.losses import LDAMLoss
    >>> loss = LDAMLoss(counts=[160_000, 10_000], from_logits=True)
    >>> loss.margins.tolist()
    [0.25, 0.5]
    >>> round(float(loss(np.array([1]), np.array([[0.0, 0.5]]))), 3)
    0.693
    """

    held_in_variables = (
        "max_margin",
        "scale",
        "counts",
        "reweight_after",
        *HeadLoss.held_in_variables,
    )
    _statistic = "counts"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **HeadLoss._parameter_constraints,
        "max_margin": [Interval(Real, 0, None, closed="left")],
        "scale": [Interval(Real, 0, None, closed="neither")],
        "reweight_after": [Interval(Real, 0, 1, closed="right"), None],
    }

    def __init__(
        self,
        max_margin: float = 0.5,
        scale: float = 1.0,
        reweight_after: float | None = 0.8,
        counts: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._check(max_margin=max_margin, scale=scale, reweight_after=reweight_after)
        self.max_margin, self.reweight_after = float(max_margin), reweight_after
        self.scale = self._hold("scale", scale)
        self._hold("reweighing", 1.0)
        self.counts: list[Any] | None = None
        self._learn(counts)

    @property
    def defers(self) -> bool:
        """Whether class weights wait for a share of the epochs."""
        return self.reweight_after is not None

    @property
    def margins(self) -> NDArray[np.float64]:
        """Margins of the classes, in the shape of `counts`."""
        self._check_counts()
        return _margins(np.asarray(self.counts), self.max_margin)

    @property
    def reweighing(self) -> bool:
        """Whether class weights count now."""
        return bool(np.asarray(self._held["reweighing"]))

    def reweigh(self, on: bool) -> None:
        """Let class weights count, or not.

        Parameters
        ----------
        on : bool
            Without it each class weighs one.
        """
        self._hold("reweighing", float(on))

    def scores(self, logits: NDArray[Any]) -> NDArray[Any]:
        """Return the logits that probabilities are read from, out of the network's.

        Parameters
        ----------
        logits : ndarray of shape (n, units)
            What the network answers with.

        Returns
        -------
        ndarray of shape (n, units)
            Times the scale.
        """
        return self.scale * logits

    def posterior(self, logits: NDArray[Any]) -> NDArray[np.float64]:
        """Return the logits of the posteriors at which these outputs minimise the expected loss.

        Parameters
        ----------
        logits : ndarray of shape (n, units)
            What the network answers with, before `scores`.

        Returns
        -------
        ndarray of shape (n, units), float64
            Logits of posteriors under the distribution that training sees, weights included.
        """
        scores = self.scale * np.asarray(logits, dtype=np.float64)
        units, margins = scores.shape[-1], self.scale * self.margins
        link = self._link_for(units)
        if link == SIGMOID:
            return ldam_posterior(scores, pair_of_labels(margins, units, "counts"), link)
        check_length(margins, units, "counts")
        return ldam_posterior(scores, margins, link)

    def start(self, logits: NDArray[Any]) -> NDArray[Any]:
        """Return the bias to start from, where the loss is to see the logits of the prior.

        Parameters
        ----------
        logits : ndarray of shape (units,)
            Log prior, or log odds under a sigmoid.

        Returns
        -------
        ndarray of shape (units,)
            Divided by the scale.
        """
        return logits / self.scale

    def get_config(self) -> dict[str, Any]:
        """Return what makes an equal loss.

        Returns
        -------
        dict
            Arguments of the constructor, and which of them a fit filled in.
        """
        return {
            **super().get_config(),
            "max_margin": self.max_margin,
            "scale": self.scale,
            "reweight_after": self.reweight_after,
            "counts": self.counts,
        }

    def _learn(self, statistic: Any) -> None:
        counts = _checked_counts(statistic)
        self.counts = None if counts is None else counts.tolist()
        if counts is not None:
            self._hold("margins", self.margins)

    def _check_counts(self) -> None:
        if self.counts is None:
            raise ValueError(
                f"{type(self).__name__} goes by the frequencies of the classes, and has none; give "
                "counts=[...], the training rows of each class, or train it in "
                "BalancedKerasClassifier, which counts them."
            )

    def _class_weights(self, dtype: Any) -> Any:
        weights = super()._class_weights(dtype)
        return None if weights is None else 1 + self._value("reweighing", dtype) * (weights - 1)

    def _shifted(self, y: Any, logits: Any, link: str) -> Any:
        self._check_counts()
        units = logits.shape[-1]
        margins, scale = self._value("margins", logits.dtype), self._value("scale", logits.dtype)
        if link == SIGMOID:
            of_zeros, of_ones = pair_of_labels(margins, units, "counts")
            return scale * (logits - y * of_ones + (1 - y) * of_zeros)
        check_length(margins, units, "counts")
        return scale * (logits - y * margins)


class DeferredReweighting(keras.callbacks.Callback):
    """Lets the class weights of an `LDAMLoss` count from an epoch on.

    Deferred re-weighting: the network first learns from all rows alike, then from balanced ones
    [1]_. `BalancedKerasClassifier` adds this callback where the loss asks for it.

    Parameters
    ----------
    start_epoch : int
        The first epoch, from 0, in which class weights count.

    References
    ----------
    .. [1] Cao, Wei, Gaidon, Arechiga, Ma (2019). Learning imbalanced datasets with
       label-distribution-aware margin loss. NeurIPS, algorithm 1.

    Examples
    --------
    >>> from sk_imbalance_nn.losses import DeferredReweighting
    >>> callbacks = [DeferredReweighting(160)]
    """

    def __init__(self, start_epoch: int) -> None:
        super().__init__()
        self.start_epoch = start_epoch

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Switch the weights of the model's losses.

        Parameters
        ----------
        epoch : int
            Number of the epoch, from 0.
        logs : dict, default=None
            Not used.

        Raises
        ------
        TypeError
            If the model has no loss that can defer its weights.
        """
        losses = keras.tree.flatten(self.model.loss)
        deferring = [loss for loss in losses if hasattr(loss, "reweigh")]
        if not deferring:
            raise TypeError(
                f"DeferredReweighting found the loss {self.model.loss!r}; expected one whose "
                "weights can wait: LDAMLoss(class_weight=...)."
            )
        for loss in deferring:
            loss.reweigh(epoch >= self.start_epoch)


def _margins(counts: NDArray[np.float64], max_margin: float) -> NDArray[np.float64]:
    """Return max_margin * n^(-1/4), over that of the rarest class (of each label)."""
    # An absent class would ask for an infinite margin: it gets that of the rarest one.
    rarest = np.where(counts > 0, counts, np.inf).min(axis=-1, keepdims=True)
    return np.asarray(max_margin * (rarest / np.maximum(counts, rarest)) ** 0.25)


def _checked_counts(counts: Any) -> NDArray[np.float64] | None:
    if counts is None:
        return None
    rows = np.asarray(counts, dtype=np.float64)
    fits = rows.ndim in (1, 2) and rows.shape[-1] >= 2 and (rows.ndim == 1 or rows.shape[1] == 2)
    positive = np.isfinite(rows).all() and (rows >= 0).all() and rows.any(axis=-1).all()
    if not (fits and positive):
        raise ValueError(
            f"counts is {rows.tolist()}; expected the rows of each class, or for each label a "
            "pair, those of its zeros and its ones: finite numbers of at least 0 that are not all "
            "zero."
        )
    return rows
