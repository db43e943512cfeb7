"""Cross-entropy that is told how frequent the classes are, and leaves it to the loss."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import keras
import numpy as np
from numpy.typing import NDArray

from sk_imbalance_nn._compat import Interval
from sk_imbalance_nn.networks.head_losses import HeadLoss
from sk_imbalance_nn.networks.heads import SOFTMAX
from sk_imbalance_nn.networks.loss_inputs import check_length

# Shares closer to zero or one count as this, so that an absent class has a finite logarithm.
_SMALLEST_PRIOR = 1e-6
_PRIOR_TOLERANCE = 1e-4


@keras.saving.register_keras_serializable("sk_imbalance_nn")
class LogitAdjustedLoss(HeadLoss):
    """Cross-entropy of logits that the log prior was added to [1]_.

    The network learns what speaks for a class beyond its frequency: the most probable class of
    its outputs maximises balanced accuracy (with ``tau=1``), without any weights.

    Parameters
    ----------
    tau : float, default=1.0
        At least 0. How much of the log prior is added; 0 is plain cross-entropy.
    prior : array-like of shape (n_classes,) or (n_labels,), default=None
        Shares of the classes, or of each label's ones; of one sigmoid the shares of zeros and
        ones, or that of ones. `BalancedKerasClassifier` takes them from its training rows.
        Shares below 1e-6 count as that.
    **kwargs : dict
        ``class_weight`` (array-like of shape (n_classes,), (n_labels,) or (n_labels, 2), default
        None), ``link`` (default None: "sigmoid" for one output, "softmax" for several; give
        "sigmoid" for labels), ``from_logits`` (default None: no), ``name``, ``reduction``,
        ``dtype``.

    Raises
    ------
    ValueError
        If `tau` is negative or `prior` holds anything but shares; when called, if there is no
        prior or it does not fit the outputs.

    References
    ----------
    .. [1] Menon, Jayasumana, Rawat, Jain, Veit, Kumar (2021). Long-tail learning via logit
       adjustment. ICLR, equation 10.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_imbalance_nn.losses import LogitAdjustedLoss
    >>> loss = LogitAdjustedLoss(prior=[0.9, 0.1], from_logits=True)
    >>> round(float(loss(np.array([1]), np.array([[0.0, 0.0]]))), 3)
    2.303
    >>> loss.posterior(np.array([[0.0, 0.0]])).round(3)
    array([[-0.105, -2.303]])
    """

    balances = True
    held_in_variables = ("tau", "prior", *HeadLoss.held_in_variables)
    _statistic = "prior"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **HeadLoss._parameter_constraints,
        "tau": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(self, tau: float = 1.0, prior: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._check(tau=tau)
        self.tau = self._hold("tau", tau)
        self.prior: list[float] | None = None
        self._learn(prior)

    def posterior(self, logits: NDArray[Any]) -> NDArray[np.float64]:
        """Return the logits of the posteriors at which these outputs minimise the expected loss.

        Parameters
        ----------
        logits : ndarray of shape (n, units)
            What the network answers with.

        Returns
        -------
        ndarray of shape (n, units), float64
            The logits, with `tau` times the log prior.
        """
        logits = np.asarray(logits, dtype=np.float64)
        return logits + self._adjustment(logits.shape[-1])

    def start(self, logits: NDArray[Any]) -> NDArray[Any]:
        """Return the bias to start from, where the loss is to see the logits of the prior.

        Parameters
        ----------
        logits : ndarray of shape (units,)
            Log prior, or log odds under a sigmoid.

        Returns
        -------
        ndarray of shape (units,)
            Without what the loss adds itself.
        """
        return logits - self._adjustment(logits.shape[-1])

    def get_config(self) -> dict[str, Any]:
        """Return what makes an equal loss.

        Returns
        -------
        dict
            Arguments of the constructor, and which of them a fit filled in.
        """
        return {**super().get_config(), "tau": self.tau, "prior": self.prior}

    def _learn(self, statistic: Any) -> None:
        self.prior = self._hold("prior", _checked_prior(statistic))

    def _shifted(self, y: Any, logits: Any, link: str) -> Any:
        self._check_prior(logits.shape[-1], link)
        prior = self._value("prior", logits.dtype)
        tau = self._value("tau", logits.dtype)
        return logits + tau * _log_prior(keras.ops, prior, logits.shape[-1], link)

    def _adjustment(self, units: int) -> NDArray[np.float64]:
        link = self._link_for(units)
        self._check_prior(units, link)
        return np.asarray(self.tau * _log_prior(np, np.asarray(self.prior), units, link))

    def _check_prior(self, units: int, link: str) -> None:
        """Refuse to go on without a prior, or with one of other outputs."""
        if self.prior is None:
            raise ValueError(
                f"{type(self).__name__} goes by the frequencies of the classes, and has none; give "
                "prior=[...], the share of each class in the training rows, or train it in "
                "BalancedKerasClassifier, which counts them."
            )
        if link == SOFTMAX:
            check_length(np.asarray(self.prior), units, "prior")
        elif len(self.prior) != units and (units, len(self.prior)) != (1, 2):
            raise ValueError(
                f"prior has {len(self.prior)} shares, but the network has {units} sigmoid "
                f"output{'s' if units > 1 else ''}; give the share of ones of each label."
            )
        excludes = link == SOFTMAX or len(self.prior) != units
        if excludes and abs(sum(self.prior) - 1) > _PRIOR_TOLERANCE:
            raise ValueError(
                f"prior adds up to {sum(self.prior):.6g}, expected 1, as its shares are those of "
                "all classes; divide it by its sum, or give link='sigmoid' if they are labels."
            )


@keras.saving.register_keras_serializable("sk_imbalance_nn")
class BalancedSoftmaxLoss(LogitAdjustedLoss):
    """Cross-entropy under a softmax that counts each class as often as it occurs [1]_.

    That is `LogitAdjustedLoss` with ``tau=1``.

    Parameters
    ----------
    prior : array-like of shape (n_classes,) or (n_labels,), default=None
        As for `LogitAdjustedLoss`.
    **kwargs : dict
        As for `LogitAdjustedLoss`.

    Raises
    ------
    ValueError
        As for `LogitAdjustedLoss`.

    References
    ----------
    .. [1] Ren, Yu, Sheng, Ma, Zhao, Yi, Li (2020). Balanced meta-softmax for long-tailed visual
       recognition. NeurIPS, theorem 1.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_imbalance_nn.losses import BalancedSoftmaxLoss
    >>> loss = BalancedSoftmaxLoss(prior=[0.75, 0.25])
    >>> round(float(loss(np.array([1]), np.array([[0.5, 0.5]]))), 3)
    1.386
    """

    fixed = frozenset({"tau"})

    def __init__(self, prior: Any = None, **kwargs: Any) -> None:
        super().__init__(1.0, prior, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Return what makes an equal loss.

        Returns
        -------
        dict
            Arguments of the constructor, and which of them a fit filled in.
        """
        config = super().get_config()
        del config["tau"]
        return config


def _log_prior(xp: Any, prior: Any, units: int, link: str) -> Any:
    """Return the log prior, or log odds under a sigmoid; `xp` is numpy or keras.ops."""
    prior = xp.clip(prior, _SMALLEST_PRIOR, 1 - _SMALLEST_PRIOR)
    if link == SOFTMAX:
        return xp.log(prior)
    if tuple(prior.shape) == (units,):
        return xp.log(prior) - xp.log1p(-prior)
    return xp.log(prior[1:]) - xp.log(prior[:1])


def _checked_prior(prior: Any) -> NDArray[np.float64] | None:
    if prior is None:
        return None
    shares = np.atleast_1d(np.asarray(prior, dtype=np.float64))
    if shares.ndim != 1 or not ((shares >= 0) & (shares <= 1)).all():
        raise ValueError(
            f"prior is {shares.tolist()}; expected shares from 0 to 1, one for each class, or for "
            "each label that of its ones; divide counts by their sum."
        )
    return shares
