"""Compare how long a fit of many rows takes with ``keras.Model.fit`` and here.

Keras is timed from a compiled network on; ours builds, compiles and traces it too, with an empty
cache. Of the wide network it also says what share of the machine's rate of matrix products the
fit reaches, counting the products of the dense layers alone.

    python benchmarks/long_fit.py
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import tensorflow as tf
from contestants import COLUMNS, network, ours, table
from timing import Contestant, Race, options, parsed, race

from sk_imbalance_nn import clear_compile_cache

BATCH = 2048
# A name, the hidden layers, dropout, and the target for Model.fit / ours.
NETWORKS: tuple[tuple[str, tuple[int, ...], float, float], ...] = (
    ("30-16-1", (16,), 0.0, 4.0),
    ("30-16-1 with dropout", (16,), 0.5, 4.0),
    ("30-256-256-256-1", (256, 256, 256), 0.0, 1.0),
)
# Rows and size of the products that the machine's rate is measured by.
PRODUCTS = {"2048x256 by 256x256": (2048, 256), "2048x2048 by 2048x2048": (2048, 2048)}


class KerasFit:
    """``Model.fit`` of a network that is compiled before.

    Parameters
    ----------
    X, y : ndarray
        Rows and labels.
    epochs : int
        Passes over them.
    **params
        For the network.
    """

    def __init__(self, X: Any, y: Any, epochs: int, **params: Any) -> None:
        self.X, self.y, self.epochs, self.params = X, y, epochs, params
        self.model: Any = None

    def prepare(self) -> None:
        """Build and compile a new network."""
        self.model = network(**self.params)
        self.model.compile(optimizer="adam", loss="binary_crossentropy")

    def work(self) -> None:
        """Fit it."""
        self.model.fit(self.X, self.y, batch_size=BATCH, epochs=self.epochs, verbose=0)


def products(rows: int, size: int, flops: float) -> tuple[Callable[[], Any], float]:
    """Return a loop of matrix products, each of the last one's result.

    Parameters
    ----------
    rows, size : int
        Matrices of shape (rows, size) are multiplied by one of shape (size, size).
    flops : float
        Floating-point operations to be done, about.

    Returns
    -------
    loop : callable
        Does them.
    exact : float
        How many they are.
    """
    each = 2.0 * rows * size * size
    times = max(1, round(flops / each))
    # So scaled that the results neither grow nor vanish.
    start, factor = tf.random.normal((rows, size)), tf.random.normal((size, size)) / size**0.5

    def loop() -> Any:
        result = start
        for _ in tf.range(times):
            result = tf.matmul(result, factor)
        return result

    traced = tf.function(loop)
    return lambda: traced().numpy(), each * times


def flops_of_fit(rows: int, epochs: int, hidden: tuple[int, ...]) -> float:
    """Count the operations of the dense layers' products, forward and backward.

    Parameters
    ----------
    rows, epochs : int
        How much there is to fit.
    hidden : tuple of int
        Units of the hidden layers.

    Returns
    -------
    float
        Each layer takes three products of two operations a weight and row; the first needs no
        gradient of its inputs.
    """
    weights = [before * after for before, after in pairwise((COLUMNS, *hidden, 1))]
    return float(rows * epochs * (6 * sum(weights) - 2 * weights[0]))


def run(
    rows: int, epochs: int, hidden: tuple[int, ...], dropout: float, repeats: int
) -> tuple[Race, dict[str, float]]:
    """Fit a network with Keras and with ours.

    Parameters
    ----------
    rows, epochs : int
        How much there is to fit.
    hidden : tuple of int
        Units of the hidden layers.
    dropout : float
        The share dropped.
    repeats : int
        How often.

    Returns
    -------
    outcome : Race
        The times.
    flops : dict
        The operations of each contestant that multiplies matrices only.
    """
    X, y = table(rows)
    params = {"hidden": hidden, "dropout": dropout}
    theirs = KerasFit(X, y.astype(np.float32), epochs, **params)
    classifier = ours(epochs=epochs, batch_size=BATCH, **params)
    contestants = [
        Contestant("Model.fit", theirs.work, theirs.prepare),
        Contestant("ours", lambda: classifier.fit(X, y), clear_compile_cache),
    ]
    flops = {}
    if len(hidden) > 1:
        for name, shape in PRODUCTS.items():
            loop, flops[name] = products(*shape, flops_of_fit(rows, epochs, hidden) / 10)
            loop()  # traces it
            contestants.append(Contestant(name, loop))
    # Wake TensorFlow up, at a fraction of the price of a turn.
    ours(epochs=1).fit(X[:BATCH], y[:BATCH])
    return race(contestants, repeats, warm_up=False), flops


def main() -> None:
    """Print the ratios and the shares."""
    arguments = parsed(options(__doc__, repeats=3))
    rows, epochs = (10_000, 2) if arguments.quick else (200_000, 20)
    print(f"{rows} rows, batches of {BATCH}, {epochs} epochs")
    print("Model.fit / ours: ratio of median times (range over turns)\n")
    for name, hidden, dropout, target in NETWORKS:
        outcome, flops = run(rows, epochs, hidden, dropout, arguments.repeats)
        print(f"{name:22s}{outcome.ratio('Model.fit', 'ours').beside(target)}", flush=True)
        for product, count in flops.items():
            most = count / outcome.median(product)
            for contestant in ("ours", "Model.fit"):
                reached = flops_of_fit(rows, epochs, hidden) / outcome.median(contestant)
                print(
                    f"  {contestant}: {reached / 1e9:.0f} of {most / 1e9:.0f} GFLOP/s "
                    f"({reached / most:.0%}) of {product}"
                )


if __name__ == "__main__":
    main()
