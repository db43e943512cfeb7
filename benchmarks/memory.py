"""Measure the memory that a fit and a prediction take beyond what TensorFlow itself does.

Peaks of resident memory (``ru_maxrss``), each of a process of its own, less the peak of a process
that only makes a tiny fit:

- rows in memory, with the data itself, as a ratio to the data's bytes;
- rows in a memory-mapped file, which is written first.

The network has 16 hidden units; early stopping and class weights are as by default.

    python benchmarks/memory.py [--gigabytes 4] [--folder FOLDER]
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

MEGABYTE = 2**20
BATCH_SIZE = 2048
RARE = 0.05
WRITTEN_AT_ONCE = 16 * MEGABYTE


def network(meta: Any) -> Any:
    """Build the network."""
    import keras

    hidden = keras.layers.Dense(16, activation="relu")
    last = keras.layers.Dense(1, activation="sigmoid")
    return keras.Sequential([keras.Input((meta["n_features_in_"],)), hidden, last])


def fit_and_predict(X: Any, epochs: int) -> None:
    """Do the work that is measured."""
    from sk_imbalance_nn import BalancedKerasClassifier

    y = np.random.default_rng(1).random(len(X), dtype=np.float32) < RARE
    classifier = BalancedKerasClassifier(network, batch_size=BATCH_SIZE, epochs=epochs)
    classifier.fit(X, y).predict_proba(X)


def fill(X: Any) -> None:
    """Write random numbers, a bounded part at a time."""
    rng = np.random.default_rng(0)
    step = max(1, WRITTEN_AT_ONCE // (4 * X.shape[1]))
    for at in range(0, len(X), step):
        rng.random(dtype=np.float32, out=X[at : at + step])


def tiny(n_rows: int, n_columns: int, path: Path) -> None:
    """Load the libraries, and run each part of them once."""
    fit_and_predict(np.zeros((1_000, n_columns), np.float32), 1)


def in_memory(n_rows: int, n_columns: int, path: Path) -> None:
    """Learn from an array."""
    X = np.empty((n_rows, n_columns), np.float32)
    fill(X)
    fit_and_predict(X, 2)


def written(n_rows: int, n_columns: int, path: Path) -> None:
    """Write the file."""
    with path.open("wb") as file:
        rng = np.random.default_rng(0)
        step = max(1, WRITTEN_AT_ONCE // (4 * n_columns))
        for at in range(0, n_rows, step):
            rng.random((min(step, n_rows - at), n_columns), dtype=np.float32).tofile(file)


def mapped(n_rows: int, n_columns: int, path: Path) -> None:
    """Learn from the file."""
    fit_and_predict(np.memmap(path, np.float32, "r", shape=(n_rows, n_columns)), 1)


TASKS = {task.__name__: task for task in (tiny, in_memory, written, mapped)}


def peak(task: str, n_rows: int, n_columns: int, path: Path) -> float:
    """Return the bytes that a fresh process took at most for a task."""
    command = [sys.executable, __file__, "--task", task, str(n_rows), str(n_columns), str(path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout.split()[-1])


def measure(task: str, n_rows: str, n_columns: str, path: str) -> None:
    """Do a task and print the peak of this process, in bytes."""
    TASKS[task](int(n_rows), int(n_columns), Path(path))
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(kilobytes if sys.platform == "darwin" else kilobytes * 1024)


def main() -> None:
    """Print the peaks."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the array in memory")
    parser.add_argument("--columns", type=int, default=30, help="of the array in memory")
    parser.add_argument("--gigabytes", type=float, default=4, help="of the file; 0: no file")
    parser.add_argument("--file-columns", type=int, default=256, help="of the file")
    parser.add_argument("--folder", help="where the file is written; by default a temporary one")
    parser.add_argument("--task", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.task:
        measure(*given.task)
        return
    base = peak("tiny", 0, given.columns, Path())
    print(f"libraries and a tiny fit: {base / MEGABYTE:.0f} MiB", flush=True)
    size = 4 * given.rows * given.columns
    more = peak("in_memory", given.rows, given.columns, Path()) - base
    print(
        f"{given.rows} x {given.columns} in memory: {more / MEGABYTE:.0f} MiB more, "
        f"{more / size:.2f} times the data",
        flush=True,
    )
    n_rows = int(given.gigabytes * 1e9) // (4 * given.file_columns)
    if not n_rows:
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        path = Path(folder) / "table.bin"
        peak("written", n_rows, given.file_columns, path)
        more = peak("mapped", n_rows, given.file_columns, path) - base
    print(
        f"{n_rows} x {given.file_columns} in a file of {given.gigabytes:g} GB: "
        f"{more / MEGABYTE:.0f} MiB more"
    )


if __name__ == "__main__":
    main()
