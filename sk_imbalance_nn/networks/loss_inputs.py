"""What a loss is given, in one form: logits, targets of their shape, weights that fit them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from sk_imbalance_nn._compat import logits_of
from sk_imbalance_nn.networks.heads import SIGMOID, SOFTMAX

# The smallest probability that is turned into a logit where the logits are not known: about what
# single precision can tell from zero next to one.
_SMALLEST_PROBABILITY = 1e-7
# Stands in for log(0): finite, so that derivatives are, and beyond any logarithm that occurs.
LOG_OF_ZERO = -1e30


def logits_from(y_pred: Any, link: str, from_logits: bool, dtype: Any) -> Any:
    """Return the logits behind what a network answered with.

    Parameters
    ----------
    y_pred : tensor of shape (n, units)
        Logits, or probabilities; these may carry their logits, which are exact where
        probabilities saturate.
    link : {"sigmoid", "softmax"}
        What made probabilities of logits.
    from_logits : bool
        Whether `y_pred` are logits.
    dtype : str
        Of the result.

    Returns
    -------
    tensor of shape (n, units)
        Logits; under a softmax up to a shift of each row.
    """
    known = logits_of(y_pred)
    outputs = keras.ops.convert_to_tensor(y_pred if known is None else known)
    outputs = keras.ops.cast(outputs, dtype)
    if from_logits or known is not None:
        return outputs
    p = keras.ops.clip(outputs, _SMALLEST_PROBABILITY, 1 - _SMALLEST_PROBABILITY)
    log_p = keras.ops.log(p)
    return log_p - keras.ops.log1p(-p) if link == SIGMOID else log_p


def targets_like(y_true: Any, logits: Any, link: str) -> Any:
    """Return targets of the shape of the logits: zeros and ones, or shares of them.

    Parameters
    ----------
    y_true : tensor
        Under a sigmoid zeros and ones of shape (n, units), or (n,) for one output; under a
        softmax codes of shape (n,) or (n, 1), or one-hot rows.
    logits : tensor of shape (n, units)
        What they are compared with.
    link : {"sigmoid", "softmax"}
        Whether outputs are labels, or classes that exclude each other.

    Returns
    -------
    tensor of shape (n, units)
        Under a softmax one-hot.

    Raises
    ------
    ValueError
        If the shapes do not fit.
    """
    y = keras.ops.convert_to_tensor(y_true)
    rank, units = len(logits.shape), logits.shape[-1]
    if len(y.shape) == rank - 1:
        y = keras.ops.expand_dims(y, -1)
    if len(y.shape) == rank and y.shape[-1] == units:
        return keras.ops.cast(y, logits.dtype)
    if len(y.shape) == rank and y.shape[-1] == 1 and link == SOFTMAX:
        codes = keras.ops.cast(keras.ops.squeeze(y, -1), "int32")
        return keras.ops.one_hot(codes, units, dtype=logits.dtype)
    expected = "zeros and ones, one for each output" if link == SIGMOID else "codes or one-hot rows"
    cure = " If the classes exclude each other, give link='softmax'." if link == SIGMOID else ""
    raise ValueError(
        f"y_true has the shape {tuple(y.shape)} and y_pred {tuple(logits.shape)}; expected "
        f"{expected}.{cure}"
    )


def checked_class_weight(class_weight: Any) -> NDArray[np.float64] | None:
    """Return weights of classes or labels as an array, or refuse them.

    Parameters
    ----------
    class_weight : array-like of shape (n_classes,), (n_labels,) or (n_labels, 2), or None
        The weights.

    Returns
    -------
    ndarray or None
        The same numbers.

    Raises
    ------
    TypeError
        If it is a mapping.
    ValueError
        If it has another shape, or numbers that are negative, not finite or all zero.
    """
    if class_weight is None:
        return None
    if isinstance(class_weight, Mapping | str):
        raise TypeError(
            f"class_weight is {class_weight!r}; a loss knows classes by their order only, so give "
            "a list with a weight for each, or leave it to the estimator's class_weight."
        )
    weights = np.asarray(class_weight, dtype=np.float64)
    if weights.ndim not in (1, 2) or (weights.ndim == 2 and weights.shape[1] != 2):
        raise ValueError(
            f"class_weight has the shape {weights.shape}; expected a weight for each class, or "
            "for each label a pair: what a zero and what a one weighs."
        )
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
        raise ValueError(
            f"class_weight is {weights.tolist()}; expected finite numbers of at least 0 that are "
            "not all zero."
        )
    return weights


def pair_of_labels(values: Any, units: int, name: str) -> tuple[Any, Any]:
    """Return what belongs to the zeros and what to the ones of each output.

    Parameters
    ----------
    values : tensor or ndarray of shape (2,), for one output, or (units, 2)
        A number for zeros and one for ones.
    units : int
        Outputs.
    name : str
        What to call them in messages.

    Returns
    -------
    pair of tensors or ndarrays
        Each broadcasts against (n, units).

    Raises
    ------
    ValueError
        If the shape is another.
    """
    if tuple(values.shape) == (units, 2):
        return values[:, 0], values[:, 1]
    if units == 1 and tuple(values.shape) == (2,):
        return values[0], values[1]
    raise ValueError(
        f"{name} has the shape {tuple(values.shape)}, but the network has {units} sigmoid "
        f"output{'s' if units > 1 else ''}; give the shape ({units}, 2): a pair for each label, "
        "of its zeros and its ones. If the classes exclude each other, end the network in a "
        "softmax."
    )


def weights_of_labels(weights: Any, units: int) -> tuple[Any, Any]:
    """Return the weights of zeros and of ones, where those of zeros may be left out as ones."""
    if tuple(weights.shape) == (units,):
        return keras.ops.ones_like(weights), weights
    return pair_of_labels(weights, units, "class_weight")


def check_length(values: Any, units: int, name: str) -> None:
    """Refuse anything but a number for each class."""
    if tuple(values.shape) != (units,):
        raise ValueError(
            f"{name} has the shape {tuple(values.shape)}, but the network has {units} classes; "
            f"give the shape ({units},), or link='sigmoid' if its outputs are labels."
        )
