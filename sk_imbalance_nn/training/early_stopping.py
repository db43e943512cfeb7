"""Early stopping: an exact score on the validation rows, and the best epoch's weights.

Keras' own metrics are averages over batches, or sums over a few hundred bins; where positives are
few, both can lie far from the exact figure. What steers training here is a scikit-learn scorer,
computed on all validation rows after each epoch.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import check_scoring, get_scorer_names

from sk_imbalance_nn.networks.heads import Head

LOSS = "loss"


def check_scoring_name(scoring: Any) -> None:
    """Refuse the name of no scorer before anything is trained.

    Parameters
    ----------
    scoring : str or callable
        A scorer, by name or itself.

    Raises
    ------
    ValueError
        Names the nearest scorer.
    """
    names = [*get_scorer_names(), LOSS]
    if isinstance(scoring, str) and scoring not in names:
        near = get_close_matches(scoring, names, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "; see get_scorer_names()."
        raise ValueError(f"scoring={scoring!r} is no scorer of scikit-learn{hint}")


class Predictions(ClassifierMixin, BaseEstimator):
    """A network in training, as a fitted classifier that scorers accept.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        The classes' names.
    logits : callable
        What scorers are given as X (rows, or their positions) to logits of shape (n, units).
    head : Head
        The network's head.
    labels : callable
        Codes to the labels that ``predict`` returns.
    reverse : bool, default=False
        For binary targets: whether the first class is the one that scorers look for.
    """

    def __init__(
        self,
        classes: NDArray[Any],
        logits: Callable[[Any], NDArray[np.float64]],
        head: Head,
        labels: Callable[[NDArray[Any]], NDArray[Any]],
        reverse: bool = False,
    ) -> None:
        self.classes = classes
        self.logits = logits
        self.head = head
        self.labels = labels
        self.reverse = reverse

    @property
    def classes_(self) -> NDArray[Any]:
        """The classes, in the order of the columns of `predict_proba`."""
        return self.classes

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return scores, positive for the second class."""
        scores = self.head.decision(self.logits(X))
        return -scores if self.reverse else scores

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return probabilities, a column a class."""
        probabilities = self.head.probabilities(self.logits(X))
        return probabilities[:, ::-1] if self.reverse else probabilities

    def predict(self, X: Any) -> NDArray[Any]:
        """Return labels."""
        codes = self.head.codes(self.logits(X))
        return self.labels(1 - codes if self.reverse else codes)


class ValidationScore:
    """A scikit-learn scorer over fixed validation rows.

    Parameters
    ----------
    scoring : str or callable
        A scorer, by name or itself.
    predictions : Predictions
        The network in training.
    X, y : array-like
        The validation rows, or what stands for them, and their labels, as ``predictions`` takes
        and returns them. Scorers that have a name hand X on to it without a look.
    sample_weight : ndarray of shape (n_samples,), default=None
        Weights for the scorer.

    Examples
    --------
    >>> ValidationScore.name_of("average_precision"), ValidationScore.name_of(max)
    ('val_average_precision', 'val_score')
    """

    def __init__(
        self,
        scoring: Any,
        predictions: Predictions,
        X: Any,
        y: NDArray[Any],
        sample_weight: NDArray[Any] | None = None,
    ) -> None:
        self._scorer = check_scoring(None, scoring=scoring)
        self._predictions, self._X, self._y = predictions, X, y
        self._weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        self._scoring = scoring
        self.name = self.name_of(scoring)

    @staticmethod
    def name_of(scoring: Any) -> str:
        """Return the key under which the score stands in the logs."""
        return f"val_{scoring}" if isinstance(scoring, str) else "val_score"

    def __call__(self) -> float:
        """Score the network as it stands.

        Returns
        -------
        float
            The higher, the better.

        Raises
        ------
        ValueError
            If the scorer cannot be used on this target.
        """
        try:
            return float(self._scorer(self._predictions, self._X, self._y, **self._weights))
        except (TypeError, ValueError) as error:
            if not np.all(np.isfinite(self._predictions.decision_function(self._X))):
                raise ValueError(diverged("The network's outputs became NaN")) from error
            weighed = "the rows have weights: does it take sample_weight? " if self._weights else ""
            raise ValueError(
                f"scoring={self._scoring!r} cannot be computed on the validation rows: {error} "
                f"{weighed}Choose a scorer that fits the target (e.g. 'average_precision', "
                "'roc_auc_ovr' for several classes), or scoring='loss'."
            ) from error


def diverged(what: str) -> str:
    """Return the message about a training that has blown up.

    Parameters
    ----------
    what : str
        What was seen of it.

    Returns
    -------
    str
        That, and what to try.
    """
    return (
        f"{what}. Try a smaller learning rate (optimizer__learning_rate), gradient clipping "
        "(optimizer__clipnorm=1.0; the default network clips by itself), scaled inputs "
        "(StandardScaler), or logits instead of "
        "probabilities in a custom loss."
    )


class BestEpoch:
    """Remembers the best epoch's weights, and says when to stop.

    Parameters
    ----------
    n_iter_no_change : int
        How many epochs without a better score end training.
    after : int, default=0
        How many epochs do not count yet: what they train for is not what the last ones will.

    Attributes
    ----------
    best_epoch : int
        The best epoch; 0 before the first.
    best_score : float
        Its score.

    Examples
    --------
    >>> best = BestEpoch(n_iter_no_change=2)
    >>> [best.update(score, epoch) for epoch, score in enumerate((0.1, 0.3, 0.2, 0.3), 1)]
    [False, False, False, True]
    >>> best.best_epoch, best.best_score
    (2, 0.3)
    """

    def __init__(self, n_iter_no_change: int, after: int = 0) -> None:
        self._patience, self._after = n_iter_no_change, after
        self._weights: list[NDArray[Any]] | None = None
        self.best_epoch, self.best_score = 0, -np.inf

    def improves(self, score: float, epoch: int) -> bool:
        """Say whether an epoch, counted from 1, is the best so far."""
        return epoch > self._after and (self.best_epoch == 0 or score > self.best_score)

    def update(self, score: float, epoch: int, model: keras.Model | None = None) -> bool:
        """Take in the score of an epoch, counted from 1; return whether to stop."""
        if epoch <= self._after:
            return False
        # A score that is not defined is worse than any other.
        score = -np.inf if np.isnan(score) else score
        if self.improves(score, epoch):
            self.best_epoch, self.best_score = epoch, score
            self._weights = None if model is None else model.get_weights()
        return epoch - self.best_epoch >= self._patience

    def restore(self, model: keras.Model) -> None:
        """Give the network the best epoch's weights."""
        if self._weights is not None:
            model.set_weights(self._weights)
