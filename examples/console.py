"""What the examples share: a quiet start, and tables of numbers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager


@contextmanager
def quiet_start() -> Iterator[None]:
    """Hold back what TensorFlow writes while it is loaded; Python's exceptions still show."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Some of its messages come before it reads that variable, straight to the file descriptor.
    stderr = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def print_table(titles: Sequence[str], rows: Mapping[str, Sequence[object]]) -> None:
    """Print a line for each entry: its name, and its values below their titles."""
    width = max(map(len, rows)) + 2
    widths = [max(len(title) + 2, 10) for title in titles]
    print(" " * width + "".join(f"{t:>{w}s}" for t, w in zip(titles, widths, strict=True)))
    for name, values in rows.items():
        cells = "".join(f"{_shown(v):>{w}s}" for v, w in zip(values, widths, strict=True))
        print(f"{name:{width}s}{cells}", flush=True)


def _shown(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
