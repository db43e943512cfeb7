"""How is a score turned into an answer? Decision rules, each a few numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from sk_imbalance_nn.decisions.counts import Values

Codes = npt.NDArray[np.intp]


class Rule(Protocol):
    """Anything that decides."""

    def decide(self, scores: Values) -> Codes:
        """Turn scores into class codes or indicators."""


@dataclass(frozen=True)
class ThresholdRule:
    """Yes from a score on: for one score a row, or one for each of several labels.

    Parameters
    ----------
    threshold : float or ndarray of shape (n_labels,)
        The least score that means yes.

    Examples
    --------
    >>> ThresholdRule(0.3).decide(np.array([0.2, 0.3, 0.9]))
    array([0, 1, 1])
    """

    threshold: float | Values

    def decide(self, scores: Values) -> Codes:
        """Return 1 for yes and 0 for no.

        Parameters
        ----------
        scores : ndarray of shape (n,) or (n, n_labels)
            Scores.

        Returns
        -------
        ndarray of the same shape
            0 and 1.
        """
        # In double precision: a float32 score is not rounded to the threshold's neighbour.
        return (np.asarray(scores, dtype=np.float64) >= self.threshold).astype(np.intp)


@dataclass(frozen=True)
class ArgmaxRule:
    """The class whose score is highest after an offset of its own.

    Parameters
    ----------
    offset : ndarray of shape (n_classes,)
        Added to scores; to the logarithm of probabilities.
    of_probabilities : bool, default=False
        Whether scores are probabilities, whose logarithms are taken.

    Examples
    --------
    >>> ArgmaxRule(np.array([0.0, 0.0, 1.0])).decide(np.array([[3.0, 1.0, 2.5]]))
    array([2])
    """

    offset: Values
    of_probabilities: bool = False

    def decide(self, scores: Values) -> Codes:
        """Return the class of each row, the first one among equals.

        Parameters
        ----------
        scores : ndarray of shape (n, n_classes)
            Scores.

        Returns
        -------
        ndarray of shape (n,)
            Class codes.
        """
        if self.of_probabilities:
            scores = log_of(scores)
        return np.asarray((scores + self.offset).argmax(axis=1), dtype=np.intp)


@dataclass(frozen=True)
class CostRule:
    """The class that costs least on average, by the probabilities (Elkan 2001, equation 1).

    Parameters
    ----------
    cost_matrix : ndarray of shape (n_classes, n_classes)
        True classes in rows, predicted ones in columns.

    Examples
    --------
    >>> CostRule(np.array([[0.0, 1.0], [20.0, 0.0]])).decide(np.array([[0.9, 0.1], [0.99, 0.01]]))
    array([1, 0])
    """

    cost_matrix: Values

    def decide(self, scores: Values) -> Codes:
        """Return the class of each row.

        Parameters
        ----------
        scores : ndarray of shape (n, n_classes)
            Probabilities.

        Returns
        -------
        ndarray of shape (n,)
            Class codes.
        """
        return np.asarray((scores @ self.cost_matrix).argmin(axis=1), dtype=np.intp)


def log_of(proba: Values) -> Values:
    """Return logarithms, minus infinity of nothing.

    Parameters
    ----------
    proba : ndarray
        Probabilities.

    Returns
    -------
    ndarray
        Their logarithms.
    """
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(proba))
