"""Progress: what training says of itself while it runs.

On a terminal and in a notebook one line is written over and over, with the epoch, the loss, the
validation score and the time left. A file gets the last line alone: a log of a thousand carriage
returns helps nobody.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import keras
import numpy as np

from sk_imbalance_nn.training.early_stopping import BestEpoch

_SECONDS_BETWEEN_WRITINGS = 0.1
_UPDATING, _EVERY_EPOCH = 1, 2


@contextmanager
def progress_of(
    verbose: int,
    epochs: int,
    n_batches: int,
    score_name: str | None = None,
    best: BestEpoch | None = None,
) -> Iterator[list[keras.callbacks.Callback]]:
    """Yield what is to hear of the epochs, and leave no line unfinished.

    Parameters
    ----------
    verbose : int
        0 for silence, 1 for a line that updates; more for a line an epoch.
    epochs : int
        The last epoch.
    n_batches : int
        Batches an epoch.
    score_name : str, default=None
        What the validation score is called in the logs.
    best : BestEpoch, default=None
        What stops early, if anything does.

    Yields
    ------
    list of keras.callbacks.Callback
        None or one.
    """
    if verbose == 0:
        yield []
        return
    line = ProgressLine(verbose, epochs, n_batches, score_name, best)
    try:
        yield [line]
    finally:
        line.close()


class ProgressLine(keras.callbacks.Callback):
    """Writes how far training is to stdout.

    Parameters
    ----------
    verbose : int
        1 for a line that updates; more for a line an epoch.
    epochs : int
        The last epoch.
    n_batches : int
        Batches an epoch.
    score_name : str, default=None
        What the validation score is called in the logs.
    best : BestEpoch, default=None
        What stops early, if anything does.
    """

    def __init__(
        self,
        verbose: int,
        epochs: int,
        n_batches: int,
        score_name: str | None = None,
        best: BestEpoch | None = None,
    ) -> None:
        super().__init__()
        self._verbose, self._epochs, self._n_batches = verbose, epochs, n_batches
        self._score_name, self._best = score_name, best
        self._updates = verbose == _UPDATING and _rewrites_lines(sys.stdout)
        self._epoch = self._first = 0
        self._began: float | None = None
        self._traced: float | None = None
        self._written_at, self._width = -np.inf, 0
        self._logs: Mapping[str, Any] = {}

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Start the clock."""
        self._epoch = epoch
        if self._began is None:
            self._began, self._first = time.perf_counter(), epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Show how far a long epoch is, and still the last one's score."""
        if self._updates:
            so_far = {**self._logs, **(logs or {})}
            self._rewrite(self._parts(so_far, (batch + 1) / self._n_batches))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Show what came of an epoch."""
        self._logs = dict(logs or {})
        # The first epoch waits for programs to be traced: it says nothing of the others' time.
        self._traced = time.perf_counter() if self._traced is None else self._traced
        if self._verbose >= _EVERY_EPOCH:
            _say("  ".join(self._parts(self._logs, 1.0, everything=True)))
        elif self._updates:
            self._rewrite(self._parts(self._logs, 1.0))

    def on_train_end(self, logs: Any = None) -> None:
        """Show what came of it all; this stays."""
        if self._verbose == _UPDATING and self._logs:
            _say("\r" * self._updates + self._summary().ljust(self._width))
            self._width = 0

    def close(self) -> None:
        """End the line, if training did not."""
        if self._width:
            _say("")
            self._width = 0

    def _rewrite(self, parts: list[str]) -> None:
        now = time.perf_counter()
        if now - self._written_at < _SECONDS_BETWEEN_WRITINGS:
            return
        # A line that wraps could not be written over.
        room = shutil.get_terminal_size().columns - 1
        while len(parts) > 1 and len("  ".join(parts)) > room:
            parts = parts[:-1]
        text = "  ".join(parts)[:room]
        _say("\r" + text.ljust(self._width), end="")
        self._written_at, self._width = now, len(text)

    def _parts(
        self, logs: Mapping[str, Any], done: float, *, everything: bool = False
    ) -> list[str]:
        """Say which epoch it is, what it has come to, and how long the rest may take."""
        best, left = self._best, self._seconds_left(done)
        parts = [f"epoch {self._epoch + 1}/{self._epochs}{'' if done >= 1 else f' ({done:.0%})'}"]
        if left is not None:
            parts.append(f"{'at most ' if best is not None else ''}{_duration(left)} left")
        shown = logs if everything else (name for name in self._names() if name in logs)
        parts += [f"{name} {_number(logs[name])}" for name in shown]
        best_epoch = 0 if best is None or everything else self._best_epoch(logs, done)
        return [*parts, f"best: epoch {best_epoch}"] if best_epoch > 0 else parts

    def _best_epoch(self, logs: Mapping[str, Any], done: float) -> int:
        """Return the best epoch so far; the last one is not taken in before it was shown."""
        assert self._best is not None
        name = self._names()[1]
        if done >= 1 and name in logs:
            value = logs[name] if self._score_name else -logs[name]
            if self._best.improves(value, self._epoch + 1):
                return self._epoch + 1
        return self._best.best_epoch

    def _summary(self) -> str:
        n_epochs, wanted = self._epoch - self._first + 1, self._epochs - self._first
        seconds = 0.0 if self._began is None else time.perf_counter() - self._began
        count = f"{n_epochs}" if n_epochs == wanted else f"{n_epochs} of {wanted}"
        parts = [f"{count} epoch{'s' if wanted > 1 else ''} in {_duration(seconds)}"]
        parts += [
            f"{name} {_number(self._logs[name])}" for name in self._names() if name in self._logs
        ]
        best = self._best
        if best is not None and best.best_epoch > 0:
            parts.append(f"kept epoch {best.best_epoch} ({_number(best.best_score)})")
        return "  ".join(parts)

    def _names(self) -> list[str]:
        """Return what of the logs is shown: the loss, and the score or else the validation loss."""
        return ["loss", self._score_name or "val_loss"]

    def _seconds_left(self, done: float) -> float | None:
        if self._traced is None or self._epoch == self._first:
            return None
        behind = self._epoch - self._first - 1 + done
        ahead = self._epochs - self._epoch - done
        if behind <= 0 or ahead <= 0:
            return None
        return (time.perf_counter() - self._traced) / behind * ahead


def _say(text: str, end: str = "\n") -> None:
    # A fit is worth more than its line: stdout may be closed, or nobody read it any more.
    with suppress(OSError, ValueError):
        print(text, end=end, flush=True)


def _rewrites_lines(stream: Any) -> bool:
    """Say whether what is written to a stream can be written over: on terminals, in notebooks."""
    in_notebook = type(stream).__module__.startswith("ipykernel")
    is_terminal = getattr(stream, "isatty", None)
    if is_terminal is None or getattr(stream, "closed", False):
        return False
    return in_notebook or bool(is_terminal())


def _number(value: Any) -> str:
    """Write a quantity of the logs, into which callbacks may put anything."""
    try:
        numbers = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        return str(value)
    return f"{float(numbers):.4g}" if numbers.ndim == 0 else str(np.round(numbers, 4))


def _duration(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
