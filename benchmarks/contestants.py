"""What the benchmarks compare: one table, one network, and the wrappers around it."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from scikeras.wrappers import KerasClassifier
from sklearn.datasets import make_classification
from sklearn.metrics import average_precision_score

from sk_imbalance_nn import BalancedKerasClassifier

COLUMNS = 30


def table(rows: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return rows with a class of one in twenty.

    Parameters
    ----------
    rows : int
        How many.

    Returns
    -------
    X : ndarray of shape (rows, 30)
        Features.
    y : ndarray of shape (rows,)
        Labels, 0 and 1.
    """
    X, y = make_classification(rows, COLUMNS, weights=[0.95], random_state=0)
    return X.astype(np.float32), y


def network(meta: Any = None, hidden: tuple[int, ...] = (16,), dropout: float = 0.5) -> Any:
    """Build a network for `table`.

    Parameters
    ----------
    meta : dict, default=None
        What the wrappers tell builders; not needed here.
    hidden : tuple of int
        Units of the hidden layers.
    dropout : float
        The share dropped after each of them; no layer is made for 0.

    Returns
    -------
    keras.Model
        Not compiled.
    """
    layers: list[Any] = [keras.Input((COLUMNS,))]
    for units in hidden:
        layers.append(keras.layers.Dense(units, activation="relu"))
        if dropout:
            layers.append(keras.layers.Dropout(dropout))
    return keras.Sequential([*layers, keras.layers.Dense(1, activation="sigmoid")])


def ours(**params: Any) -> BalancedKerasClassifier:
    """Return our classifier of the network, set to train as SciKeras does.

    Parameters
    ----------
    **params
        More parameters, or other ones.

    Returns
    -------
    BalancedKerasClassifier
        Not fitted.
    """
    plain = {"class_weight": None, "output_bias": None, "early_stopping": False}
    return BalancedKerasClassifier(
        network, loss="binary_crossentropy", optimizer="adam", **{**plain, **params}
    )


def scikeras(**params: Any) -> KerasClassifier:
    """Return SciKeras' classifier of the network.

    It is given no ``random_state``, with which it would switch to TensorFlow's deterministic
    operations.

    Parameters
    ----------
    **params
        More parameters.

    Returns
    -------
    scikeras.wrappers.KerasClassifier
        Not fitted.
    """
    return KerasClassifier(
        network, loss="binary_crossentropy", optimizer="adam", verbose=0, **params
    )


def average_precision(classifier: Any, X: Any, y: Any) -> float:
    """Score a classifier as ``scoring="average_precision"`` does, where SciKeras fails that.

    Parameters
    ----------
    classifier : estimator
        A fitted classifier of two classes.
    X, y : array-like
        Rows and labels.

    Returns
    -------
    float
        The average precision of its probabilities.
    """
    return float(average_precision_score(y, classifier.predict_proba(X)[:, 1]))
