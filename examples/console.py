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
    lines = [["", *titles], *([name, *map(_shown, values)] for name, values in rows.items())]
    widths = [max(map(len, column)) + 2 for column in zip(*lines, strict=True)]
    for name, *cells in lines:
        padded = (f"{cell:>{width}s}" for cell, width in zip(cells, widths[1:], strict=True))
        print(f"{name:{widths[0]}s}{''.join(padded)}", flush=True)


def _shown(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
