"""The balance of a training: what classes weigh, and which prior that makes of the data's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sk_imbalance_nn.balancing.class_weight import class_weights, label_weights, scaled_weights
from sk_imbalance_nn.balancing.priors import class_prior


@dataclass(frozen=True, eq=False)
class Balance:
    """Weights and priors of one training.

    Parameters
    ----------
    weights : ndarray of shape (n_classes,) or (n_labels, 2)
        What each class weighs, or each label's zeros and ones.
    row_factors : ndarray of shape (n_classes,) or (1,)
        Class weights, or for multilabel targets one factor, scaled so that they, times the
        sample weights, have a mean of one over the training rows.
    prior, training_prior : ndarray of shape (n_classes,) or (n_labels,)
        Shares of the classes (of the positives) in the data, and as training sees them.
    mass : ndarray of shape (n_classes,) or None
        Sample weight seen of each class, over all calls that continue one training.
    """

    weights: npt.NDArray[np.float64]
    row_factors: npt.NDArray[np.float64]
    prior: npt.NDArray[np.float64]
    training_prior: npt.NDArray[np.float64]
    mass: npt.NDArray[np.float64] | None = None


def balance_classes(
    class_weight: str | Mapping[Any, float] | None,
    codes: npt.NDArray[np.intp],
    classes: npt.NDArray[Any],
    sample_weight: npt.NDArray[np.float64] | None = None,
    earlier: Balance | None = None,
    *,
    several: bool = True,
) -> Balance:
    """Balance classes that exclude each other.

    Parameters
    ----------
    class_weight : {"balanced", "effective"}, dict or None
        The rule.
    codes : ndarray of shape (n,)
        The training rows' classes.
    classes : ndarray of shape (n_classes,)
        The classes' labels, by which a dict is keyed.
    sample_weight : ndarray of shape (n,), default=None
        The rows' own weights.
    earlier : Balance, default=None
        Of the training that this one continues: its rows count as well.
    several : bool, default=True
        Whether rows of one class only are refused; a part of a training may hold no others.

    Returns
    -------
    Balance
        Weights and priors.

    Raises
    ------
    ValueError
        For weights that fit no class, and if only one class has rows of positive weight.

    Examples
    --------
    >>> balance = balance_classes("balanced", np.array([0, 0, 0, 1]), np.array(["no", "yes"]))
    >>> balance.prior, balance.training_prior
    (array([0.75, 0.25]), array([0.5, 0.5]))
    """
    n_classes = len(classes)
    mass = np.bincount(codes, sample_weight, n_classes).astype(np.float64)
    if earlier is not None and earlier.mass is not None:
        mass = mass + earlier.mass
    elif several and np.count_nonzero(mass) < 2:
        only = classes.tolist()[mass.argmax()]
        raise ValueError(
            f"All rows that train are of one class, {only!r}; a classifier needs rows "
            "of positive weight of two classes or more."
        )
    every_class = np.arange(n_classes)
    weights = class_weights(class_weight, every_class, classes, sample_weight=mass)
    return Balance(
        weights=weights,
        row_factors=scaled_weights(weights, codes, sample_weight),
        prior=class_prior(every_class, mass, n_classes),
        training_prior=class_prior(every_class, mass * weights, n_classes),
        mass=mass,
    )


def balance_labels(
    class_weight: Any,
    y: npt.NDArray[np.int64],
    sample_weight: npt.NDArray[np.float64] | None = None,
) -> Balance:
    """Balance the labels of a multilabel target, each on its own.

    Parameters
    ----------
    class_weight : {"balanced", "effective"}, array-like, dict or None
        The rule, or weights a label, as `label_weights` takes them.
    y : ndarray of shape (n, n_labels)
        The training rows' labels, zeros and ones.
    sample_weight : ndarray of shape (n,), default=None
        The rows' own weights.

    Returns
    -------
    Balance
        Weights and priors.

    Raises
    ------
    ValueError
        For weights that fit no label.

    Examples
    --------
    >>> balance_labels("balanced", np.array([[0], [0], [0], [1]])).weights.round(3).tolist()
    [[0.667, 2.0]]
    """
    weights = label_weights(class_weight, y, sample_weight)
    prior = class_prior(y, sample_weight)
    sides = weights * np.column_stack([1 - prior, prior])
    return Balance(
        weights=weights,
        row_factors=scaled_weights(np.ones(1), np.zeros(len(y), dtype=np.intp), sample_weight),
        prior=prior,
        training_prior=sides[:, 1] / np.maximum(sides.sum(axis=1), np.finfo(float).tiny),
    )
