"""Compare how long a fit and a prediction take with SciKeras, and with ``Model.predict``.

Ratios within one run, medians of several; tracing is included. The network has 30 columns, 16
hidden units and dropout.

    python benchmarks/training_speed.py
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import keras
from scikeras.wrappers import KerasClassifier
from sklearn.datasets import make_classification

from sk_imbalance_nn import BalancedKerasClassifier

SIZES = ((1_000, 32, 20), (10_000, 32, 20), (10_000, 256, 20))


def network(meta: Any) -> keras.Model:
    """Build the network of both."""
    hidden = keras.layers.Dense(16, activation="relu")
    last = keras.layers.Dense(1, activation="sigmoid")
    return keras.Sequential([keras.Input((30,)), hidden, keras.layers.Dropout(0.5), last])


def seconds(work: Callable[[], Any], repeats: int = 3) -> float:
    """Return the median time of the work, after one run that does not count."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    """Print the ratios."""
    X, y = make_classification(20_000, 30, weights=[0.95], random_state=0)
    X = X.astype("float32")
    print("  rows  batch  epochs   SciKeras' fit / ours")
    for rows, batch_size, epochs in SIZES:
        shared = {"batch_size": batch_size, "epochs": epochs}
        ours = BalancedKerasClassifier(network, class_weight=None, early_stopping=False, **shared)
        theirs = KerasClassifier(
            network, loss="binary_crossentropy", optimizer="adam", verbose=0, **shared
        )
        took = [seconds(lambda e=e: e.fit(X[:rows], y[:rows])) for e in (theirs, ours)]  # noqa: B023
        print(f"{rows:6d} {batch_size:6d} {epochs:7d} {took[0] / took[1]:22.1f}", flush=True)
    fitted = BalancedKerasClassifier(network, epochs=1).fit(X, y)
    print("\n  rows   Model.predict / predict_proba")
    for rows in (1, 20_000):
        part = X[:rows]
        keras_predicts = seconds(lambda part=part: fitted.model_.predict(part, verbose=0), 9)
        ours = seconds(lambda part=part: fitted.predict_proba(part), 9)
        print(f"{rows:6d} {keras_predicts / ours:15.1f}")


if __name__ == "__main__":
    main()
