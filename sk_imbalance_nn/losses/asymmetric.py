"""A binary cross-entropy for many labels of which few are set."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import keras
import numpy as np
from numpy.typing import NDArray

from sk_imbalance_nn._compat import Interval
from sk_imbalance_nn.networks.head_losses import HeadLoss
from sk_imbalance_nn.networks.heads import SOFTMAX
from sk_imbalance_nn.networks.loss_inputs import LOG_OF_ZERO
from sk_imbalance_nn.networks.posteriors import asymmetric_posterior


@keras.saving.register_keras_serializable("sk_imbalance_nn")
class AsymmetricLoss(HeadLoss):
    """Binary cross-entropy that lets go of easy zeros, for many labels of which few are set [1]_.

    -[y (1 - p)^gamma_positive log p + (1 - y) p_m^gamma_negative log(1 - p_m)], with
    p_m = max(p - margin, 0). Zeros with p below the margin teach nothing; nor do those of p near
    one much, which may be mislabelled.

    Parameters
    ----------
    gamma_negative : float, default=4.0
        At least 0. The exponent for zeros.
    gamma_positive : float, default=1.0
        At least 0. The exponent for ones.
    margin : float, default=0.05
        At least 0, below 1. What is taken off the probabilities of zeros. All three at 0: binary
        cross-entropy.
    **kwargs : dict
        ``class_weight`` (array-like of shape (n_labels,) or (n_labels, 2), default None),
        ``link`` (default None: "sigmoid" for one output; give "sigmoid" for labels),
        ``from_logits`` (default None: no), ``name``, ``reduction``, ``dtype``.

    Raises
    ------
    ValueError
        If a number is out of its range, or the outputs are those of a softmax.

    References
    ----------
    .. [1] Ridnik, Ben-Baruch, Zamir, Noy, Friedman, Protter, Zelnik-Manor (2021). Asymmetric
       loss for multi-label classification. ICCV, section 2.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_imbalance_nn.losses import AsymmetricLoss
    >>> y, proba = np.array([[0.0, 0.0, 1.0]]), np.array([[0.04, 0.5, 0.5]])
    >>> round(float(AsymmetricLoss(link="sigmoid")(y, proba)), 4)
    0.1237
    """

    balances = True
    held_in_variables = (
        "gamma_negative",
        "gamma_positive",
        "margin",
        *HeadLoss.held_in_variables,
    )
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **HeadLoss._parameter_constraints,
        "gamma_negative": [Interval(Real, 0, None, closed="left")],
        "gamma_positive": [Interval(Real, 0, None, closed="left")],
        "margin": [Interval(Real, 0, 1, closed="left")],
    }

    def __init__(
        self,
        gamma_negative: float = 4.0,
        gamma_positive: float = 1.0,
        margin: float = 0.05,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._check(gamma_negative=gamma_negative, gamma_positive=gamma_positive, margin=margin)
        self._refuse_softmax(self.link)
        self.gamma_negative = self._hold("gamma_negative", gamma_negative)
        self.gamma_positive = self._hold("gamma_positive", gamma_positive)
        self.margin = self._hold("margin", margin)

    def posterior(self, logits: NDArray[Any]) -> NDArray[np.float64]:
        """Return the logits of the posteriors at which these outputs minimise the expected loss.

        Parameters
        ----------
        logits : ndarray of shape (n, units)
            What the network answers with.

        Returns
        -------
        ndarray of shape (n, units), float64
            Outputs up to the margin stand for a posterior of zero: logits of -1000 and below.
        """
        logits = np.asarray(logits, dtype=np.float64)
        exponents = (self.gamma_negative, self.gamma_positive)
        return asymmetric_posterior(logits, *exponents, self.margin)

    def get_config(self) -> dict[str, Any]:
        """Return what makes an equal loss.

        Returns
        -------
        dict
            Arguments of the constructor, and which of them a fit filled in.
        """
        return {
            **super().get_config(),
            "gamma_negative": self.gamma_negative,
            "gamma_positive": self.gamma_positive,
            "margin": self.margin,
        }

    def _link_for(self, units: int) -> str:
        link = super()._link_for(units)
        self._refuse_softmax(link)
        return link

    def _refuse_softmax(self, link: str | None) -> None:
        if link == SOFTMAX:
            raise ValueError(
                "AsymmetricLoss is for sigmoids, whose zeros and ones it treats differently, and "
                "found a softmax. For classes that exclude each other use loss='focal' "
                "(FocalLoss); for labels that may occur together give link='sigmoid'."
            )

    def _of_labels(self, y: Any, logits: Any) -> Any:
        of_ones = self._value("gamma_positive", logits.dtype)
        log_p, log_rest = keras.ops.log_sigmoid(logits), keras.ops.log_sigmoid(-logits)
        ones = keras.ops.exp(of_ones * log_rest) * log_p
        return -(y * ones + (1 - y) * self._log_likelihood_of_zeros(logits, log_rest))

    def _log_likelihood_of_zeros(self, logits: Any, log_rest: Any) -> Any:
        """Return p_m^gamma log(1 - p_m)."""
        gamma = self._value("gamma_negative", logits.dtype)
        margin = self._value("margin", logits.dtype)
        kept = keras.ops.sigmoid(logits) - margin
        above = kept > 0
        # Chosen twice: the derivative of a logarithm at zero would spoil the sum even unchosen.
        log_kept = keras.ops.log(keras.ops.where(above, kept, keras.ops.ones_like(kept)))
        smallest = np.finfo(np.float32).tiny
        log_margin = keras.ops.where(
            margin > 0, keras.ops.log(keras.ops.maximum(margin, smallest)), LOG_OF_ZERO
        )
        log_missed = keras.ops.logaddexp(log_rest, log_margin)
        likelihood = keras.ops.exp(gamma * log_kept) * log_missed
        return keras.ops.where(above, likelihood, keras.ops.zeros_like(likelihood))
