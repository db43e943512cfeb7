"""What does a row weigh? Weights of classes and labels, from counts or from the user."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

_EFFECTIVE_BETA = 0.9999  # the value with which Cui et al. report their long-tailed results


def effective_number_weights(
    counts: npt.ArrayLike, beta: float = _EFFECTIVE_BETA
) -> npt.NDArray[np.float64]:
    """Weigh classes by the inverse of their effective number of rows.

    Rows of a class overlap in what they teach, so its n-th row is worth beta^(n-1) of its first:
    n rows count for (1 - beta^n) / (1 - beta) [1]_. With ``beta=0`` all classes weigh the same,
    as beta approaches 1 weights become inverse to the counts.

    Parameters
    ----------
    counts : array-like of shape (..., n_classes)
        Rows of each class, or the sum of their weights.
    beta : float, default=0.9999
        At least 0 and below 1.

    Returns
    -------
    ndarray of the shape of `counts`, float64
        Weights with a mean of one over the classes that have rows; a class without weighs one.

    Raises
    ------
    ValueError
        If `beta` is out of range or a count is negative.

    References
    ----------
    .. [1] Cui, Jia, Lin, Song, Belongie (2019). Class-balanced loss based on effective number of
       samples. CVPR, proposition 1.

    Examples
    --------
    >>> effective_number_weights([5000, 500, 50]).round(4)
    array([0.0341, 0.2752, 2.6907])

    As a rule for the classifier, with another beta:

    >>> from functools import partial
    >>> from sk_imbalance_nn import BalancedKerasClassifier
    >>> rule = partial(effective_number_weights, beta=0.99)
    >>> classifier = BalancedKerasClassifier(class_weight=rule)
    """
    mass = np.asarray(counts, dtype=np.float64)
    if not 0 <= beta < 1:
        raise ValueError(f"beta must be at least 0 and below 1, found {beta!r}.")
    if not (mass >= 0).all():
        raise ValueError(f"counts must be at least 0, found {mass.min()!r}.")
    present = mass > 0
    # 1 - b^n by expm1: exact for small counts, where b^n is close to one.
    log_beta = np.log(beta) if beta else -np.inf
    worth = np.where(present, -np.expm1(np.where(present, mass, 1.0) * log_beta), 1.0)
    inverse = np.where(present, 1.0 / worth, 0.0)
    total = inverse.sum(axis=-1, keepdims=True)
    weights = inverse * present.sum(axis=-1, keepdims=True) / np.where(total > 0, total, 1.0)
    return np.where(present, weights, 1.0)


def class_weights(
    class_weight: str | Mapping[Any, float] | Callable[[Any], Any] | None,
    codes: npt.ArrayLike,
    classes: npt.ArrayLike,
    sample_weight: npt.ArrayLike | None = None,
) -> npt.NDArray[np.float64]:
    """Weigh each class.

    Counts are sums of `sample_weight`: an integer weight equals so many copies of the row, and a
    weight of zero an absent row.

    Parameters
    ----------
    class_weight : {"balanced", "effective"}, mapping, callable or None
        None: all ones. "balanced": n / (C n_c) for the C classes that occur, as in
        `sklearn.utils.class_weight.compute_class_weight` (King and Zeng, 2001). "effective":
        `effective_number_weights` with beta 0.9999. A mapping goes from labels as they stand in
        the user's y to weights; classes that it leaves out weigh one. A callable takes the counts
        of all classes and returns their weights.
    codes : array-like of shape (n,)
        Position of each row's class in `classes`.
    classes : array-like of shape (n_classes,)
        The user's labels, of any type.
    sample_weight : array-like of shape (n,), optional
        Non-negative weights; by default ones.

    Returns
    -------
    ndarray of shape (n_classes,), float64
        A class without rows weighs one under "balanced" and "effective": no row uses it.

    Raises
    ------
    ValueError
        If a string is unknown, or if a mapping has keys that are no class while classes lack a
        weight (keys such as "1" for 1, or codes for names), or has weights that are negative, not
        finite, or all zero.
    TypeError
        If `class_weight` is of another type.

    Examples
    --------
    >>> class_weights("balanced", [0, 0, 0, 1], ["no", "yes"])
    array([0.66666667, 2.        ])
    >>> class_weights({"yes": 5}, [0, 0, 0, 1], ["no", "yes"])
    array([1., 5.])
    """
    labels = np.asarray(classes)
    if class_weight is None:
        return np.ones(len(labels))
    if isinstance(class_weight, str) or callable(class_weight):
        mass = np.bincount(
            np.asarray(codes),
            None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64),
            minlength=len(labels),
        )
        return _weights_from_mass(class_weight, mass)
    if isinstance(class_weight, Mapping):
        return _weights_by_label(class_weight, labels)
    raise TypeError(
        "class_weight must be None, 'balanced', 'effective', a dict from labels to weights, or a "
        f"function from counts to weights; found {class_weight!r}. Arrays are for the labels of a "
        "multilabel target."
    )


def label_weights(
    class_weight: str | Mapping[int, Any] | Callable[[Any], Any] | npt.ArrayLike | None,
    y: npt.ArrayLike,
    sample_weight: npt.ArrayLike | None = None,
) -> npt.NDArray[np.float64]:
    """Weigh the negatives and the positives of each label of a multilabel target.

    Parameters
    ----------
    class_weight : {"balanced", "effective"}, mapping, callable, array-like or None
        None: all ones. "balanced" and "effective": as in `class_weights`, each label being a
        problem of two classes; a callable takes counts of shape (n_labels, 2). An array of shape
        (n_labels,): weights of the positives, negatives weigh one; of shape (n_labels, 2):
        weights of negatives and positives. A mapping goes from a label's index to either; labels
        that it leaves out weigh one.
    y : array-like of shape (n, n_labels)
        0/1 indicator.
    sample_weight : array-like of shape (n,), optional
        Non-negative weights; by default ones.

    Returns
    -------
    ndarray of shape (n_labels, 2), float64
        The weight of a 0 and the weight of a 1. For a label that never changes both are one under
        "balanced" and "effective".

    Raises
    ------
    ValueError
        If a string or an index is unknown, a shape does not fit, or weights are not finite numbers
        of at least zero.

    Examples
    --------
    >>> label_weights("balanced", [[0, 1], [0, 1], [0, 0], [1, 0]])
    array([[0.66666667, 2.        ],
           [1.        , 1.        ]])
    >>> label_weights({1: 3.0}, [[0, 1], [1, 0]])
    array([[1., 1.],
           [1., 3.]])
    """
    target = np.asarray(y)
    n_labels = target.shape[1]
    if class_weight is None:
        return np.ones((n_labels, 2))
    if isinstance(class_weight, str) or callable(class_weight):
        rows = np.ones(len(target)) if sample_weight is None else np.asarray(sample_weight)
        sides = [rows @ (target == side) for side in (0, 1)]
        return _weights_from_mass(class_weight, np.stack(sides, axis=1))
    if not isinstance(class_weight, Mapping):
        given = _finite_weights(class_weight)
        if given.shape not in ((n_labels,), (n_labels, 2)):
            raise ValueError(
                f"class_weight must have the shape ({n_labels},), a weight for the positives of "
                f"each label, or ({n_labels}, 2), weights of negatives and positives; found "
                f"{given.shape}."
            )
        return given if given.ndim == 2 else np.stack([np.ones(n_labels), given], axis=1)
    unknown = [key for key in class_weight if key not in range(n_labels)]
    if unknown:
        raise ValueError(
            f"class_weight has the keys {_listed(unknown)}, but y has {n_labels} labels: key it by "
            f"their column indices, 0 to {n_labels - 1}."
        )
    weights = np.ones((n_labels, 2))
    for label, value in class_weight.items():
        given = _finite_weights(value)
        if given.shape not in ((), (2,)):
            raise ValueError(
                f"class_weight[{label!r}] must be the weight of the positives or a pair (weight "
                f"of negatives, weight of positives), found {value!r}."
            )
        weights[int(label), -given.size :] = given
    return weights


def scaled_weights(
    weights: npt.ArrayLike,
    codes: npt.ArrayLike,
    sample_weight: npt.ArrayLike | None = None,
    copies: npt.ArrayLike | None = None,
) -> npt.NDArray[np.float64]:
    """Scale class weights so that the rows' weights, class times sample, have a mean of one.

    Only the ratios of weights matter: weights a hundred times as large would otherwise make the
    loss, and with it the optimiser's step, a hundred times as large.

    Parameters
    ----------
    weights : array-like of shape (n_classes,)
        Weight of each class.
    codes : array-like of shape (n,)
        Position of each training row's class in `weights`.
    sample_weight : array-like of shape (n,), optional
        Non-negative weights; by default ones.
    copies : array-like of shape (n,), optional
        How often each row comes in an epoch; by default once.

    Returns
    -------
    ndarray of shape (n_classes,), float64
        ``scaled[codes] * sample_weight`` has a mean of one over the rows of an epoch; other rows,
        such as those that validate, are weighed by the same factor.

    Raises
    ------
    ValueError
        If every row weighs zero.

    Examples
    --------
    >>> scaled_weights([1.0, 5.0], [0, 0, 0, 1])
    array([0.5, 2.5])
    """
    weights = np.asarray(weights, dtype=np.float64)
    shown = None if copies is None else np.asarray(copies, dtype=np.float64)
    mean = np.average(_products(weights, codes, sample_weight), weights=shown)
    if not mean > 0:
        raise ValueError(
            "Every row weighs zero (class_weight times sample_weight); give a positive weight to "
            "a class that has rows of positive sample_weight."
        )
    return np.asarray(weights / mean)


def row_weights(
    codes: npt.ArrayLike,
    weights: npt.ArrayLike,
    sample_weight: npt.ArrayLike | None = None,
) -> npt.NDArray[np.float32]:
    """Multiply class weights with sample weights.

    Parameters
    ----------
    codes : array-like of shape (n,)
        Position of each row's class in `weights`.
    weights : array-like of shape (n_classes,)
        Weight of each class.
    sample_weight : array-like of shape (n,), optional
        Non-negative weights; by default ones.

    Returns
    -------
    ndarray of shape (n,), float32
        Computed in double precision.

    Examples
    --------
    >>> row_weights([0, 0, 0, 1], [0.5, 2.5], [1.0, 1.0, 2.0, 1.0])
    array([0.5, 0.5, 1. , 2.5], dtype=float32)
    """
    if sample_weight is None:
        return np.asarray(np.asarray(weights, np.float32)[np.asarray(codes)])
    products = _products(np.asarray(weights, np.float64), codes, sample_weight)
    return products.astype(np.float32)


def _products(
    weights: npt.NDArray[np.float64], codes: npt.ArrayLike, sample_weight: npt.ArrayLike | None
) -> npt.NDArray[np.float64]:
    rows = np.asarray(weights[np.asarray(codes)])
    if sample_weight is None:
        return rows
    return np.asarray(rows * np.asarray(sample_weight, dtype=np.float64))


def _weights_from_mass(
    rule: str | Callable[[Any], Any], mass: npt.NDArray[Any]
) -> npt.NDArray[np.float64]:
    """Apply a rule to the weighted counts of classes along the last axis."""
    if callable(rule):
        given = _finite_weights(rule(mass.copy()))
        if given.shape != mass.shape:
            raise ValueError(
                f"class_weight returned an array of shape {given.shape} for counts of shape "
                f"{mass.shape}; expected a weight for each count."
            )
        return given
    if rule == "effective":
        return effective_number_weights(mass)
    present = mass > 0
    if rule != "balanced":
        raise ValueError(
            f"class_weight must be 'balanced' or 'effective' if it is a string, found {rule!r}."
        )
    fair = mass.sum(axis=-1, keepdims=True) / np.maximum(present.sum(axis=-1, keepdims=True), 1)
    return np.where(present, fair / np.where(present, mass, 1.0), 1.0)


def _weights_by_label(
    class_weight: Mapping[Any, float], labels: npt.NDArray[Any]
) -> npt.NDArray[np.float64]:
    unweighted = [label for label in labels if label not in class_weight]
    # As in scikit-learn: keys for classes that are absent, as in a fold of a cross-validation, are
    # welcome as long as each class that is there has its weight; otherwise they are mistakes.
    if unweighted and len(labels) - len(unweighted) != len(class_weight):
        known = set(labels.tolist())
        unknown = [key for key in class_weight if key not in known]
        raise ValueError(
            f"class_weight has the keys {_listed(unknown)}, which are no classes of y, and none "
            f"for {_listed(np.asarray(unweighted).tolist())}: key it by the labels as they stand "
            f"in y, {_listed(labels.tolist())}."
        )
    weights = _finite_weights([class_weight.get(label, 1.0) for label in labels])
    if not weights.any():
        raise ValueError(
            "class_weight gives every class the weight 0; give at least one a positive weight."
        )
    return weights


def _finite_weights(values: Any) -> npt.NDArray[np.float64]:
    given = np.array(values, dtype=object)
    if not all(isinstance(value, Real | np.bool_) for value in given.flat):
        raise ValueError(
            f"class_weight must hold a number, or a pair, for each class; found {values!r}."
        )
    weights = given.astype(np.float64)
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise ValueError(
            f"class_weight must hold finite numbers of at least 0, found {weights.tolist()}."
        )
    return weights


def _listed(values: Iterable[Any]) -> str:
    """List the first few values, for a message."""
    shown = [repr(value) for value in islice(values, 9)]
    return f"[{', '.join(shown[:8] + ['...'] * (len(shown) > 8))}]"
