"""What is a good decision? Objectives as functions of confusion counts, many at a time.

Each function takes `Counts` and returns one value for each alternative; a share of nothing is 0,
as scikit-learn has it. An `Objective` is always to be maximised.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np

from sk_imbalance_nn.decisions.counts import Counts, Values

_POSITIVE = 1
_ROUNDING = 8 * np.finfo(np.float64).eps


@dataclass(frozen=True)
class Objective:
    """A quantity to be maximised that depends on decisions through confusion counts alone.

    Parameters
    ----------
    name : str
        What messages call it.
    quantity : callable
        Takes `Counts`, returns an array of shape (...).
    sign : {1, -1}
        -1 where less of the quantity is better; values are multiplied by it.
    one_sided : bool
        Whether it is about the positive class alone, so that it means nothing for more than two.
    needs_every_class : bool
        Whether it is undefined on rows that lack a class.
    average : {None, "macro", "weighted", "micro", "samples"}
        How it averages over the labels of a multilabel target; None is the plain mean over labels.
    of_label : Objective, optional
        What it is for a single label; by default itself.

    Examples
    --------
    >>> counts = Counts.of([0, 0, 1, 1], [0, 1, 1, 1], 2)
    >>> NAMED["balanced_accuracy"].values(counts)
    array(0.75)
    """

    name: str
    quantity: Callable[[Counts], Values]
    sign: int = 1
    one_sided: bool = False
    needs_every_class: bool = True
    average: str | None = None
    of_label: Objective | None = None

    def values(self, counts: Counts) -> Values:
        """Return the objective of each alternative: the more, the better.

        Parameters
        ----------
        counts : Counts
            What the alternatives come to.

        Returns
        -------
        ndarray of shape (...)
            Values; never NaN.
        """
        found = self.quantity(counts)
        return found if self.sign == 1 else -found


def share(part: Values, whole: Values, of_nothing: float = 0.0) -> Values:
    """Divide, with a value of its own for shares of nothing.

    Parameters
    ----------
    part, whole : ndarray
        Numerators and non-negative denominators.
    of_nothing : float, default=0.0
        The value where the denominator is 0.

    Returns
    -------
    ndarray
        Quotients.
    """
    part, whole = np.broadcast_arrays(part, whole)
    empty = whole == 0
    if not empty.any():
        return np.asarray(part / whole)
    return np.where(empty, of_nothing, part / np.where(empty, 1.0, whole))


def averaged(
    counts: Counts,
    fraction: Callable[[Counts], tuple[Values, Values]],
    average: str,
    of_nothing: float = 0.0,
) -> Values:
    """Average a fraction of counts over classes, as scikit-learn's ``average`` says.

    Parameters
    ----------
    counts : Counts
        What the alternatives come to.
    fraction : callable
        Takes `Counts`, returns numerators and denominators of shape (n_classes, ...).
    average : {"binary", "macro", "weighted", "micro"}
        "binary" takes the positive class; "macro" leaves out classes that neither occur nor are
        predicted.
    of_nothing : float, default=0.0
        Value of a class whose denominator is 0: scikit-learn's ``zero_division``.

    Returns
    -------
    ndarray of shape (...)
        Averages.
    """
    if average == "binary":
        part, whole = fraction(counts.of_class(_POSITIVE))
        return share(part[0], whole[0], of_nothing)
    part, whole = fraction(counts)
    if average == "micro":
        return share(part.sum(axis=0), np.broadcast_to(whole, part.shape).sum(axis=0), of_nothing)
    shares = share(part, whole, of_nothing)
    if average == "weighted":
        return share((shares * counts.actual).sum(axis=0), counts.total)
    present = (counts.actual > 0) | (counts.predicted > 0)
    return share((shares * present).sum(axis=0), present.sum(axis=0, dtype=float))


def precision_fraction(counts: Counts) -> tuple[Values, Values]:
    """Return hits and predictions: how much of what is said is true."""
    return counts.hits, counts.predicted


def recall_fraction(counts: Counts) -> tuple[Values, Values]:
    """Return hits and rows of the class: how much of what is true is said."""
    return counts.hits, counts.actual


def f_fraction(counts: Counts, beta: float) -> tuple[Values, Values]:
    """Return the F-measure's parts: (1 + b^2) hits and predicted + b^2 actual."""
    squared = beta * beta
    return (1 + squared) * counts.hits, counts.predicted + squared * counts.actual


def jaccard_fraction(counts: Counts) -> tuple[Values, Values]:
    """Return intersection and union of what is said and what is true."""
    return counts.hits, counts.predicted + counts.actual - counts.hits


def specificity_fraction(counts: Counts) -> tuple[Values, Values]:
    """Return, of the rows outside each class, those not predicted as it, and all of them."""
    outside = counts.total - counts.actual
    return outside - (counts.predicted - counts.hits), outside


def false_positive_fraction(counts: Counts) -> tuple[Values, Values]:
    """Return, of the rows outside each class, those predicted as it, and all of them."""
    return counts.predicted - counts.hits, counts.total - counts.actual


def alarm_rate(counts: Counts) -> Values:
    """Return the share of rows that are predicted positive."""
    return share(counts.predicted[_POSITIVE], counts.total)


def accuracy(counts: Counts) -> Values:
    """Return the share of rows that are right."""
    return share(counts.hits.sum(axis=0), counts.total)


def error_rate(counts: Counts) -> Values:
    """Return the share of rows that are wrong."""
    return share(counts.total - counts.hits.sum(axis=0), counts.total)


def balanced_accuracy(counts: Counts, adjusted: bool = False) -> Values:
    """Return the mean recall over the classes that occur; adjusted, chance is 0 and perfect 1."""
    occurs = counts.actual > 0
    n_classes = occurs.sum(axis=0, dtype=float)
    mean = share(share(counts.hits, counts.actual).sum(axis=0), n_classes)
    if not adjusted:
        return mean
    chance = share(np.ones_like(n_classes), n_classes)
    return share(mean - chance, 1 - chance)


def geometric_mean(counts: Counts) -> Values:
    """Return the geometric mean of the recalls (Kubat and Matwin 1997), over classes that occur."""
    occurs = counts.actual > 0
    recalls = np.where(occurs, share(counts.hits, counts.actual), 1.0)
    exponent = share(np.ones(1), np.atleast_1d(occurs.sum(axis=0, dtype=float)))
    product: Values = recalls.prod(axis=0)
    return product ** exponent.reshape(occurs.sum(axis=0).shape)


def matthews(counts: Counts) -> Values:
    """Return Matthews' correlation, for any number of classes (Gorodkin 2004); 0 if undefined."""
    total = counts.total
    said, true = _spread(counts.predicted, total), _spread(counts.actual, total)
    spread = said * true
    covariance = counts.hits.sum(axis=0) * total - (counts.predicted * counts.actual).sum(axis=0)
    return np.where(spread > 0, covariance / np.sqrt(np.where(spread > 0, spread, 1.0)), 0.0)


def cohen_kappa(counts: Counts) -> Values:
    """Return Cohen's kappa (1960), agreement beyond chance; 0 where all rows are of one class."""
    total = counts.total
    chance = (counts.predicted * counts.actual).sum(axis=0)
    beyond = (counts.actual * (total - counts.predicted)).sum(axis=0)
    possible = np.where(beyond > _ROUNDING * total**2, beyond, 0.0)
    return share(counts.hits.sum(axis=0) * total - chance, possible)


def _spread(sizes: Values, total: Values) -> Values:
    """Return how far sizes are from being all in one class; 0 within rounding."""
    spread = (sizes * (total - sizes)).sum(axis=0)
    return np.where(spread > _ROUNDING * total**2, spread, 0.0)


def mean_cost(counts: Counts) -> Values:
    """Return the cost a row."""
    if counts.cost is None:
        raise ValueError(
            "The cost of decisions was asked for without costs; give cost_matrix, or cost to fit."
        )
    return share(counts.cost, counts.total)


COST = Objective("cost", mean_cost, sign=-1, needs_every_class=False)

# Objectives that scikit-learn has no scorer for, beside those that constraints name most.
NAMED: Mapping[str, Objective] = MappingProxyType(
    {
        "balanced_accuracy": Objective("balanced_accuracy", balanced_accuracy),
        "cost": COST,
        "geometric_mean": Objective("geometric_mean", geometric_mean),
        "specificity": Objective(
            "specificity",
            partial(averaged, fraction=specificity_fraction, average="binary"),
            one_sided=True,
        ),
        "youden_j": Objective("youden_j", partial(balanced_accuracy, adjusted=True)),
    }
)

# What one keeps below a bound rather than maximises.
LIMITS: Mapping[str, Objective] = MappingProxyType(
    {
        "alarm_rate": Objective(
            "alarm_rate", alarm_rate, sign=-1, one_sided=True, needs_every_class=False
        ),
        "cost": COST,
        "false_positive_rate": Objective(
            "false_positive_rate",
            partial(averaged, fraction=false_positive_fraction, average="binary"),
            sign=-1,
            one_sided=True,
        ),
    }
)
