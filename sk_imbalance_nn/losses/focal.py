"""Cross-entropy that turns to the rows that are still wrong."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import keras
import numpy as np
from numpy.typing import NDArray

from sk_imbalance_nn._compat import Interval
from sk_imbalance_nn.networks.head_losses import HeadLoss
from sk_imbalance_nn.networks.loss_inputs import LOG_OF_ZERO
from sk_imbalance_nn.networks.posteriors import focal_posterior


@keras.saving.register_keras_serializable("sk_imbalance_nn")
class FocalLoss(HeadLoss):
    """Cross-entropy that turns to the rows that are still wrong: -(1 - p)^gamma log p.

    p is the probability of the true class [1]_. At its minimum the outputs are flatter than the
    posteriors; `posterior` undoes that exactly [2]_. A class' weight, the alpha of the paper, is
    ``class_weight``.

    Parameters
    ----------
    gamma : float, default=2.0
        At least 0. The larger, the less a row counts that is nearly right; 0 is cross-entropy.
    **kwargs : dict
        ``class_weight`` (array-like of shape (n_classes,), (n_labels,) or (n_labels, 2), default
        None), ``link`` (default None: "sigmoid" for one output, "softmax" for several; give
        "sigmoid" for labels), ``from_logits`` (default None: no), ``name``, ``reduction``,
        ``dtype``.

    Raises
    ------
    ValueError
        If `gamma` is negative.

    References
    ----------
    .. [1] Lin, Goyal, Girshick, He, Dollar (2017). Focal loss for dense object detection. ICCV,
       equation 4.
    .. [2] Charoenphakdee, Vongkulbhisal, Chairatanakul, Sugiyama (2021). On focal loss for
       class-posterior probability estimation: a theoretical perspective. CVPR, the
       transformation Psi.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_imbalance_nn.losses import FocalLoss
    >>> y, proba = np.array([[1.0], [1.0]]), np.array([[0.9], [0.1]])
    >>> np.asarray(FocalLoss(reduction=None)(y, proba)).round(3).tolist()
    [0.0010000000474974513, 1.8650000095367432]
    """

    held_in_variables = ("gamma", *HeadLoss.held_in_variables)
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **HeadLoss._parameter_constraints,
        "gamma": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(self, gamma: float = 2.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._check(gamma=gamma)
        self.gamma = self._hold("gamma", gamma)

    def posterior(self, logits: NDArray[Any]) -> NDArray[np.float64]:
        """Return the logits of the posteriors at which these outputs minimise the expected loss.

        Parameters
        ----------
        logits : ndarray of shape (n, units)
            What the network answers with.

        Returns
        -------
        ndarray of shape (n, units), float64
            Steeper than `logits`, in the same order in each row.
        """
        logits = np.asarray(logits, dtype=np.float64)
        return focal_posterior(logits, self.gamma, self._link_for(logits.shape[-1]))

    def get_config(self) -> dict[str, Any]:
        """Return what makes an equal loss.

        Returns
        -------
        dict
            Arguments of the constructor, and which of them a fit filled in.
        """
        return {**super().get_config(), "gamma": self.gamma}

    def _of_labels(self, y: Any, logits: Any) -> Any:
        gamma = self._value("gamma", logits.dtype)
        log_p, log_rest = keras.ops.log_sigmoid(logits), keras.ops.log_sigmoid(-logits)
        of_ones = keras.ops.exp(gamma * log_rest) * log_p
        of_zeros = keras.ops.exp(gamma * log_p) * log_rest
        return -(y * of_ones + (1 - y) * of_zeros)

    def _of_classes(self, y: Any, logits: Any) -> Any:
        gamma = self._value("gamma", logits.dtype)
        log_p = keras.ops.log_softmax(logits)
        of_each = keras.ops.exp(gamma * _log_complement(log_p)) * log_p
        return -keras.ops.sum(y * of_each, axis=-1)


def _log_complement(log_p: Any) -> Any:
    """Return log(1 - p) of each class, without cancellation, from logarithms that sum to one."""
    ops = keras.ops
    # As `networks.posteriors.log_complement`: only the largest may pass one half.
    largest = ops.one_hot(ops.argmax(log_p, axis=-1), log_p.shape[-1], dtype=log_p.dtype) > 0
    nothing = ops.zeros_like(log_p)
    others = ops.logsumexp(ops.where(largest, LOG_OF_ZERO, log_p), axis=-1, keepdims=True)
    small = ops.log1p(-ops.where(largest, nothing, ops.exp(log_p)))
    return ops.where(largest, others, small)
