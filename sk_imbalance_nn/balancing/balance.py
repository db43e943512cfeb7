"""The balance of a training: what classes weigh, and which prior that makes of the data's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
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
        sample weights, have a mean of one over the rows of an epoch.
    plain_factors : ndarray of shape (n_classes,) or (1,)
        The same without class weights.
    prior, training_prior : ndarray of shape (n_classes,) or (n_labels,)
        Shares of the classes (of the positives) in the data, and as training sees them.
    mass, seen : ndarray of shape (n_classes,) or (n_labels, 2)
        Sample weight of each class, or of each label's zeros and ones, in the data and in the
        epochs that a sampler makes of them. Of classes over all calls that continue one training.
    """

    weights: npt.NDArray[np.float64]
    row_factors: npt.NDArray[np.float64]
    plain_factors: npt.NDArray[np.float64]
    prior: npt.NDArray[np.float64]
    training_prior: npt.NDArray[np.float64]
    mass: npt.NDArray[np.float64]
    seen: npt.NDArray[np.float64]

    def without_weights(self) -> Balance:
        """Return the balance of the same training without class weights."""
        return replace(
            self,
            weights=np.ones_like(self.weights),
            row_factors=self.plain_factors,
            training_prior=self.prior_without_weights,
        )

    @property
    def prior_without_weights(self) -> npt.NDArray[np.float64]:
        """Shares of the classes (of the positives) in what a sampler shows."""
        shares = self.seen / self.seen.sum(axis=-1, keepdims=True)
        return np.asarray(shares[:, 1] if shares.ndim == 2 else shares)


def balance_classes(
    class_weight: str | Mapping[Any, float] | Callable[[Any], Any] | None,
    codes: npt.NDArray[np.intp],
    classes: npt.NDArray[Any],
    sample_weight: npt.NDArray[np.float64] | None = None,
    earlier: Balance | None = None,
    *,
    several: bool = True,
    copies: npt.NDArray[np.float64] | None = None,
    mass: npt.NDArray[np.float64] | None = None,
) -> Balance:
    """Balance classes that exclude each other.

    Parameters
    ----------
    class_weight : {"balanced", "effective"}, dict, callable or None
        The rule. Counts are those of the rows that a sampler shows: weights balance what it left.
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
    copies : ndarray of shape (n,), default=None
        How often a sampler shows each row in an epoch; by default once.
    mass : ndarray of shape (n_classes,), default=None
        Weight of each class in the data, where the rows given are others that were made of them.

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
    seen = np.bincount(codes, sample_weight, n_classes).astype(np.float64)
    mass = seen if mass is None else mass
    if copies is not None:
        seen = _tidied(np.bincount(codes, times(copies, sample_weight), n_classes).astype(float))
    if earlier is not None:
        mass, seen = mass + earlier.mass, seen + earlier.seen
    elif several and np.count_nonzero(seen) < 2:
        only = classes.tolist()[seen.argmax()]
        raise ValueError(
            f"All rows that train are of one class, {only!r}; a classifier needs rows "
            "of positive weight of two classes or more."
        )
    every_class = np.arange(n_classes)
    weights = class_weights(class_weight, every_class, classes, sample_weight=seen)
    return Balance(
        weights=weights,
        row_factors=scaled_weights(weights, codes, sample_weight, copies),
        plain_factors=np.full(n_classes, _plain_factor(sample_weight, copies)),
        prior=class_prior(every_class, mass, n_classes),
        training_prior=class_prior(every_class, seen * weights, n_classes),
        mass=mass,
        seen=seen,
    )


def balance_labels(
    class_weight: Any,
    y: npt.NDArray[np.int64],
    sample_weight: npt.NDArray[np.float64] | None = None,
    earlier: Balance | None = None,
    *,
    copies: npt.NDArray[np.float64] | None = None,
) -> Balance:
    """Balance the labels of a multilabel target, each on its own.

    Parameters
    ----------
    class_weight : {"balanced", "effective"}, array-like, dict, callable or None
        The rule, or weights a label, as `label_weights` takes them. Counts are those of the rows
        that a sampler shows.
    y : ndarray of shape (n, n_labels)
        The training rows' labels, zeros and ones.
    sample_weight : ndarray of shape (n,), default=None
        The rows' own weights.
    earlier : Balance, default=None
        Of the training that this one continues: the priors are those of its rows as well.
    copies : ndarray of shape (n,), default=None
        How often a sampler shows each row in an epoch; by default once.

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
    shown = times(copies, sample_weight)
    weights = label_weights(class_weight, y, shown)
    mass, seen = _mass_of_labels(y, sample_weight), _mass_of_labels(y, shown)
    if earlier is not None:
        mass, seen = mass + earlier.mass, seen + earlier.seen
    sides = weights * seen
    factor = np.array([_plain_factor(sample_weight, copies)])
    return Balance(
        weights=weights,
        row_factors=factor,
        plain_factors=factor,
        prior=mass[:, 1] / mass.sum(axis=1),
        training_prior=sides[:, 1] / np.maximum(sides.sum(axis=1), np.finfo(float).tiny),
        mass=mass,
        seen=seen,
    )


def _plain_factor(
    sample_weight: npt.NDArray[np.float64] | None, copies: npt.NDArray[np.float64] | None
) -> float:
    """Return what sample weights are multiplied by to have a mean of one over an epoch."""
    return 1.0 if sample_weight is None else float(1 / np.average(sample_weight, weights=copies))


def _tidied(mass: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return sums of parts such as 1/3 to twelve digits, so that equal shares are equal."""
    step = 10.0 ** (np.floor(np.log10(mass.max(initial=1e-300))) - 11)
    return np.asarray(np.round(mass / step) * step)


def times(
    one: npt.NDArray[np.float64] | None, other: npt.NDArray[np.float64] | None
) -> npt.NDArray[np.float64] | None:
    """Multiply weights of rows, where None stands for ones."""
    if one is None or other is None:
        return other if one is None else one
    return np.asarray(one * other)


def _mass_of_labels(
    y: npt.NDArray[np.int64], weight: npt.NDArray[np.float64] | None
) -> npt.NDArray[np.float64]:
    rows = np.ones(len(y)) if weight is None else weight
    ones = rows @ (y == 1)
    return np.column_stack([rows.sum() - ones, ones])
