"""Compare the ways to run a training step: several threads, one operation at a time, XLA.

The constants that choose between them (``training/steps.py``, ``training/xla.py``) come from here.
Medians of turns taken one after the other, as ratios to the ordinary way; below one is faster.

    python benchmarks/steps.py
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from contestants import network, table
from timing import Contestant, options, parsed, race

from sk_imbalance_nn.training.feeding import ResidentRows, Rows
from sk_imbalance_nn.training.schedule import Schedule
from sk_imbalance_nn.training.steps import StepRunner
from sk_imbalance_nn.training.xla import row_work

NETWORKS = (((16,), 0.0), ((16,), 0.5), ((64, 64), 0.0), ((128, 128), 0.0), ((256, 256, 256), 0.0))
BATCHES = {32: 128, 256: 32, 2048: 8}
WAYS = ("several threads", "one at a time", "XLA")


def steps(hidden: tuple[int, ...], dropout: float, batch_size: int, way: str) -> Callable[[], Any]:
    """Return a call that runs some steps in one of the ways.

    Parameters
    ----------
    hidden, dropout
        The network's.
    batch_size : int
        Rows a step.
    way : str
        One of `WAYS`.

    Returns
    -------
    callable
        Without arguments.
    """
    model = network(hidden=hidden, dropout=dropout)
    model.compile("adam", "binary_crossentropy")
    model.optimizer.build(model.trainable_variables)
    X, y = table(BATCHES[batch_size] * batch_size)
    rows = Rows(X, y[:, None].astype(np.float32), None, np.arange(len(X)))
    feed = ResidentRows(rows, model)
    plan = Schedule(batch_size=batch_size, shuffle=False).plan(len(X), np.random.default_rng(0))
    runner = StepRunner(model, "train_step", False, batch_size, small=way == "one at a time")
    runner.prepare(feed.example(), compiled_batches=BATCHES[batch_size] if way == "XLA" else 0)

    def run() -> Any:
        return runner.run(feed, plan, _nothing, _nothing)

    return run


def _nothing(*_: Any) -> None:
    """Stand for callbacks."""


def main() -> None:
    """Print the ratios."""
    arguments = parsed(options(__doc__, repeats=9))
    print("time of a step / time with several threads")
    for hidden, dropout in NETWORKS[:2] if arguments.quick else NETWORKS:
        for batch_size, n_steps in BATCHES.items():
            contestants = [Contestant(way, steps(hidden, dropout, batch_size, way)) for way in WAYS]
            outcome = race(contestants, 1 if arguments.quick else arguments.repeats)
            ratios = "  ".join(
                f"{way} {outcome.median(way) / outcome.median(WAYS[0]):5.2f}" for way in WAYS[1:]
            )
            work = row_work(network(hidden=hidden, dropout=dropout)) * batch_size
            layers = "-".join(map(str, hidden)) + (" dropout" if dropout else "")
            print(
                f"{layers:16s} batch {batch_size:5d}  work {work / 1e6:7.2f}M  {ratios}  "
                f"({outcome.median(WAYS[0]) / n_steps * 1e3:.2f} ms a step)",
                flush=True,
            )


if __name__ == "__main__":
    keras.utils.set_random_seed(0)
    main()
