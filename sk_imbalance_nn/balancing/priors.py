"""How frequent is each class? Priors, and the output bias that starts a network at them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_SMALLEST_PRIOR = 1e-6


def class_prior(
    y: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    n_classes: int | None = None,
) -> npt.NDArray[np.float64]:
    """Share of each class, or of each label's positives, in the total weight.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, n_labels)
        Class codes (integers from 0), or a 0/1 indicator for multilabel targets.
    weights : array-like of shape (n,) or (n, n_labels), optional
        Non-negative weights of rows or, for indicators, of elements; by default ones.
    n_classes : int, optional
        Number of classes, where the last ones may be absent from `y`; unused for indicators.

    Returns
    -------
    ndarray of shape (n_classes,) or (n_labels,), float64
        Adds up to one for class codes.

    Raises
    ------
    ValueError
        If the weights (of a label) add up to zero, or there are no rows.

    Examples
    --------
    >>> class_prior([0, 0, 0, 1])
    array([0.75, 0.25])
    >>> class_prior([[0, 1], [0, 1], [0, 0], [1, 0]])
    array([0.25, 0.5 ])
    """
    target = np.asarray(y)
    mass = np.ones(len(target)) if weights is None else np.asarray(weights, dtype=np.float64)
    total = np.atleast_1d(mass.sum(axis=0))
    if not (total > 0).all():
        where = f" for label {int((total <= 0).argmax())}" if mass.ndim == 2 else ""
        raise ValueError(
            f"The weights add up to zero{where}, so there is no prior; give a positive weight to "
            "at least one row."
        )
    if target.ndim == 1:
        in_group = np.bincount(target, mass, minlength=n_classes or 0)
    elif mass.ndim == 1:
        in_group = mass @ (target == 1)
    else:
        in_group = np.where(target == 1, mass, 0.0).sum(axis=0)
    share: npt.NDArray[np.float64] = in_group / total
    return share


def binary_output_bias(prior: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the bias of a sigmoid output with which an untrained network predicts the prior.

    This is log(p / (1 - p)), the log odds of a positive, as in TensorFlow's tutorial
    "Classification on imbalanced data".

    Parameters
    ----------
    prior : float or array-like of shape (n_labels,)
        Share of positives; clipped to [1e-6, 1 - 1e-6], so that the bias is finite.

    Returns
    -------
    ndarray of the shape of `prior`, float64
        Log odds.

    Examples
    --------
    >>> binary_output_bias([0.5, 0.01]).round(3)
    array([ 0.   , -4.595])
    """
    p = _clipped(prior)
    return np.asarray(np.log(p) - np.log1p(-p))


def softmax_output_bias(prior: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the bias of a softmax output with which an untrained network predicts the priors.

    This is log(p_k), the counterpart of `binary_output_bias` for several classes, shifted to mean
    zero: softmax does not see the shift, and no logit starts far from zero without need.

    Parameters
    ----------
    prior : array-like of shape (n_classes,)
        Shares of the classes; clipped to [1e-6, 1 - 1e-6], so that the bias is finite.

    Returns
    -------
    ndarray of shape (n_classes,), float64
        Logits of mean zero.

    Examples
    --------
    >>> softmax_output_bias([0.1, 0.8, 0.1]).round(3)
    array([-0.693,  1.386, -0.693])
    """
    logits = np.log(_clipped(prior))
    shifted: npt.NDArray[np.float64] = logits - logits.mean()
    return shifted


def _clipped(prior: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return np.clip(np.asarray(prior, dtype=np.float64), _SMALLEST_PRIOR, 1 - _SMALLEST_PRIOR)
