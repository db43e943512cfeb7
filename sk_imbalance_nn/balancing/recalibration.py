"""Recalibration: logits that mean what they say, learnt from predictions for rows not seen."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit, log_expit, log_softmax

Array = npt.NDArray[np.float64]


def fit_recalibration(
    logits: npt.ArrayLike,
    y: npt.ArrayLike,
    sample_weight: npt.ArrayLike | None = None,
    *,
    softmax: bool = False,
) -> tuple[Array, Array]:
    """Find the slope and the intercepts that make logits fit the labels of rows not seen.

    ``slope * logits + intercept`` is Platt scaling [1]_ for a sigmoid, for each label its own, and
    for a softmax temperature scaling [2]_ with an intercept a class. Both parameters are held to
    1 and 0 by a normal prior with a standard deviation of one, so that a handful of rows of the
    rare class moves them little, and separable ones do not move them for ever.

    Parameters
    ----------
    logits : array-like of shape (n, units)
        Scores for rows that the network has not learnt from.
    y : array-like of shape (n,) or (n, units)
        Class codes, or an indicator of labels.
    sample_weight : array-like of shape (n,), default=None
        What each row counts; scaled to a mean of one.
    softmax : bool, default=False
        Whether the logits are those of classes that exclude each other, one unit each.

    Returns
    -------
    slope : ndarray of shape (1,), or (units,) for sigmoids
        Positive.
    intercept : ndarray of shape (units,)
        What is added after.

    References
    ----------
    .. [1] Platt (1999). Probabilistic outputs for support vector machines. Advances in Large
       Margin Classifiers, section 2.
    .. [2] Guo, Pleiss, Sun, Weinberger (2017). On calibration of modern neural networks. ICML,
       section 4.2.

    Examples
    --------
    Logits twice too sure of themselves:

    >>> rng = np.random.default_rng(0)
    >>> true = rng.normal(size=(5000, 1))
    >>> y = rng.random(5000) < expit(true[:, 0])
    >>> slope, intercept = fit_recalibration(2 * true, y)
    >>> slope.round(1).tolist(), (abs(intercept) < 0.1).tolist()
    ([0.5], [True])
    """
    scores, target = np.asarray(logits, dtype=np.float64), np.asarray(y)
    weight = np.ones(len(scores)) if sample_weight is None else np.asarray(sample_weight, float)
    weight = weight / weight.mean()
    if softmax:
        return _fit_classes(scores, target.astype(np.intp), weight)
    labels = target.reshape(len(scores), -1).astype(np.float64)
    fitted = [_fit_label(scores[:, at], labels[:, at], weight) for at in range(labels.shape[1])]
    slope, intercept = np.transpose(fitted)
    return slope, intercept


def _fit_label(scores: Array, y: Array, weight: Array) -> Array:
    def loss(parameters: Array) -> tuple[float, Array]:
        slope, intercept = parameters
        z = slope * scores + intercept
        likelihood = weight @ (y * log_expit(z) + (1 - y) * log_expit(-z))
        pull = parameters - [1.0, 0.0]
        wrong = weight * (expit(z) - y)
        gradient = np.array([wrong @ scores, wrong.sum()]) + pull
        return float(pull @ pull / 2 - likelihood), gradient

    return _minimum(loss, np.array([1.0, 0.0]))


def _fit_classes(scores: Array, codes: npt.NDArray[np.intp], weight: Array) -> tuple[Array, Array]:
    rows = np.arange(len(codes))

    def loss(parameters: Array) -> tuple[float, Array]:
        slope, intercept = parameters[0], parameters[1:]
        log_p = log_softmax(slope * scores + intercept, axis=1)
        pull = parameters - np.r_[1.0, np.zeros(len(intercept))]
        wrong = weight[:, None] * np.exp(log_p)
        wrong[rows, codes] -= weight
        gradient = np.r_[np.sum(wrong * scores), wrong.sum(axis=0)] + pull
        return float(pull @ pull / 2 - weight @ log_p[rows, codes]), gradient

    found = _minimum(loss, np.r_[1.0, np.zeros(scores.shape[1])])
    return found[:1], found[1:]


def _minimum(loss: object, start: Array) -> Array:
    # A slope of zero or less would turn the ranking over.
    bounds = [(1e-3, None), *[(None, None)] * (len(start) - 1)]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return np.asarray(found.x, dtype=np.float64)
