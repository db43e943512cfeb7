"""Which posterior does an output stand for? The way back from losses that move their minimum.

The cross-entropy is least where the outputs are the posteriors. Losses with margins or with other
exponents are least elsewhere. Setting the derivative of the expected loss to zero and solving for
the posterior gives the formulas below. All are computed from logits and in logarithms, so that
they hold where probabilities saturate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_expit, log_softmax, logsumexp

from sk_imbalance_nn.networks.heads import SIGMOID

Array = NDArray[np.float64]

# Below it, log(-log(1 - exp(x))) is x itself, in double precision.
_TINY_LOG = -37.0
# The logit that stands for a posterior of zero.
_IMPOSSIBLE = -1000.0


def focal_posterior(logits: Array, gamma: float, link: str) -> Array:
    """Return the logits of the posteriors at which outputs minimise the expected focal loss.

    The posterior of class k is proportional to h(q_k), with
    h(v) = v / ((1 - v)^gamma - gamma (1 - v)^(gamma - 1) v log v), the inverse of the derivative
    of the loss (Charoenphakdee et al., 2021, the transformation Psi).

    Parameters
    ----------
    logits : ndarray of shape (n, units)
        Of q, what the network answers with.
    gamma : float
        The exponent of the loss.
    link : {"sigmoid", "softmax"}
        What turns logits into q.

    Returns
    -------
    ndarray of shape (n, units), float64
        Logits of the posteriors under the same link.

    Examples
    --------
    >>> focal_posterior(np.array([[2.0]]), 0.0, "sigmoid").round(3)
    array([[2.]])
    >>> focal_posterior(np.array([[2.0]]), 2.0, "sigmoid").round(3)
    array([[5.398]])
    """
    if link == SIGMOID:
        log_q, log_rest = log_expit(logits), log_expit(-logits)
        return _log_h(log_q, log_rest, gamma) - _log_h(log_rest, log_q, gamma)
    log_q = log_softmax(logits, axis=-1)
    return _log_h(log_q, log_complement(log_q), gamma)


def ldam_posterior(scores: Array, margins: tuple[Array, Array] | Array, link: str) -> Array:
    """Return the logits of the posteriors at which scores minimise the expected LDAM loss.

    With a = softmax(scores) and margins M, the posterior of class j is proportional to
    a_j (1 - a_j (1 - exp(-M_j))). For one sigmoid it is s(z + M_0) / (s(z + M_0) + s(M_1 - z)),
    s being the sigmoid. Derived from the stationary point of the loss of Cao et al. (2019),
    section 3.

    Parameters
    ----------
    scores : ndarray of shape (n, units)
        Logits, times the loss' scale.
    margins : ndarray of shape (units,), or pair of ndarrays that broadcast against scores
        The classes' margins, times the scale. Under a sigmoid those of the zeros and of the ones.
    link : {"sigmoid", "softmax"}
        What turns scores into probabilities.

    Returns
    -------
    ndarray of shape (n, units), float64
        Logits of the posteriors under the same link.

    Examples
    --------
    >>> ldam_posterior(np.array([[0.0]]), (0.2, 0.5), "sigmoid").round(3)
    array([[-0.124]])
    """
    if link == SIGMOID:
        of_zeros, of_ones = margins
        return np.asarray(log_expit(scores + of_zeros) - log_expit(of_ones - scores))
    log_a = log_softmax(scores, axis=-1)
    return np.asarray(log_a + np.logaddexp(log_complement(log_a), log_a - margins))


def asymmetric_posterior(
    logits: Array, gamma_negative: float, gamma_positive: float, margin: float
) -> Array:
    """Return the logits of the posteriors at which sigmoids minimise the expected asymmetric loss.

    With g+ and g- the slopes at which the losses of a one and of a zero fall and rise in the
    output p, the posterior is g- / (g- + g+). Derived from the stationary point of the loss of
    Ridnik et al. (2021), section 2.

    Parameters
    ----------
    logits : ndarray
        Of p, what the network answers with.
    gamma_negative, gamma_positive : float
        The exponents of the loss for zeros and for ones.
    margin : float
        What is taken off the probabilities of zeros.

    Returns
    -------
    ndarray of the shape of logits, float64
        Logits of the posteriors. Those of p up to `margin`, whose posterior is zero, are -1000
        and lower, in their order.

    Examples
    --------
    >>> asymmetric_posterior(np.array([-9.0, 0.0]), 4.0, 1.0, 0.05).round(3)
    array([-1009.   ,    -1.756])
    """
    log_p, log_rest = log_expit(logits), log_expit(-logits)
    above = log_p > _log(margin)
    slope_of_ones = np.logaddexp(
        gamma_positive * log_rest - log_p,
        _log(gamma_positive) + (gamma_positive - 1) * log_rest + _log_of_surprise(log_p, log_rest),
    )
    log_kept = log_p + np.log1p(-np.where(above, margin * np.exp(-np.where(above, log_p, 0)), 0))
    log_missed = np.where(
        log_kept < -1, np.log1p(-np.exp(log_kept)), np.logaddexp(log_rest, _log(margin))
    )
    slope_of_zeros = np.logaddexp(
        gamma_negative * log_kept - log_missed,
        _log(gamma_negative)
        + (gamma_negative - 1) * log_kept
        + _log_of_surprise(log_missed, log_kept),
    )
    posterior = np.maximum(slope_of_zeros - slope_of_ones, _IMPOSSIBLE)
    return np.where(above, posterior, _IMPOSSIBLE + np.minimum(logits, 0))


def log_complement(log_p: Array) -> Array:
    """Return log(1 - p) of each class, without cancellation.

    Parameters
    ----------
    log_p : ndarray of shape (n, n_classes)
        Logarithms of probabilities that sum to one in each row.

    Returns
    -------
    ndarray of shape (n, n_classes), float64
        Logarithms of the sums of the others.

    Examples
    --------
    >>> float(log_complement(np.array([[-1e-30, np.log(1e-30)]]))[0, 0].round(3))
    -69.078
    """
    # Only the largest may pass one half, where 1 - p would lose digits: add up the others there.
    largest = np.arange(log_p.shape[-1]) == log_p.argmax(axis=-1)[..., None]
    others = logsumexp(np.where(largest, -np.inf, log_p), axis=-1, keepdims=True)
    return np.where(largest, others, np.log1p(-np.where(largest, 0, np.exp(log_p))))


def _log_h(log_v: Array, log_rest: Array, gamma: float) -> Array:
    """Return log h(v) of `focal_posterior`, from log v and log(1 - v)."""
    second = (gamma - 1) * log_rest + log_v + _log_of_surprise(log_v, log_rest)
    return np.asarray(log_v - np.logaddexp(gamma * log_rest, _log(gamma) + second))


def _log_of_surprise(log_p: Array, log_rest: Array) -> Array:
    """Return log(-log p), from log p and log(1 - p): near p = 1 the latter has more digits."""
    small = log_rest < -1
    near_one = np.log(-np.log1p(-np.exp(np.where(small, np.maximum(log_rest, _TINY_LOG), -1))))
    elsewhere = np.log(-np.where(small, -1.0, log_p))
    return np.where(log_rest < _TINY_LOG, log_rest, np.where(small, near_one, elsewhere))


def _log(number: float) -> float:
    return float(np.log(number)) if number > 0 else -np.inf
