"""Time contestants in turn, and compare them by ratios.

The contestants of a race take turns, so that the load of a shared machine falls on all of them
alike; only ratios within one race say something about them.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


def _nothing() -> None:
    """Prepare nothing."""


@dataclass(frozen=True)
class Contestant:
    """A piece of work to be timed.

    Parameters
    ----------
    name : str
        What the race's figures are asked for by.
    work : callable
        What is timed.
    prepare : callable
        What comes before each time, and is not timed.
    """

    name: str
    work: Callable[[], Any]
    prepare: Callable[[], Any] = _nothing


@dataclass(frozen=True)
class Ratio:
    """How many times as long one contestant took as another.

    Parameters
    ----------
    value : float
        The ratio of the medians.
    low, high : float
        The least and the greatest ratio within a turn.

    Examples
    --------
    >>> print(Ratio(12.345, 11.0, 14.0).beside(10))
      12.3 (  11.0 to   14.0)  target >= 10: met
    """

    value: float
    low: float
    high: float

    def beside(self, target: float) -> str:
        """Return the figure, with its range and whether it reaches the target."""
        verdict = "met" if self.value >= target else "MISSED"
        return (
            f"{_short(self.value)} ({_short(self.low)} to {_short(self.high)})  "
            f"target >= {target:g}: {verdict}"
        )


def _short(number: float) -> str:
    return f"{number:6.1f}" if number >= 10 else f"{number:6.2f}"


@dataclass(frozen=True)
class Race:
    """What came of timing contestants in turn.

    Parameters
    ----------
    seconds : dict of lists
        For each contestant, its time in each turn.
    results : dict of lists
        For each contestant, what its work returned in each turn.
    """

    seconds: dict[str, list[float]]
    results: dict[str, list[Any]]

    def median(self, name: str) -> float:
        """Return the median time of a contestant in seconds."""
        return statistics.median(self.seconds[name])

    def ratio(self, slower: str, faster: str) -> Ratio:
        """Return how many times as long the first contestant took as the second."""
        pairs = [
            first / second
            for first, second in zip(self.seconds[slower], self.seconds[faster], strict=True)
        ]
        return Ratio(self.median(slower) / self.median(faster), min(pairs), max(pairs))


def race(contestants: Sequence[Contestant], repeats: int, *, warm_up: bool = True) -> Race:
    """Time contestants in turn, there and back: a b c, c b a, a b c, ...

    Parameters
    ----------
    contestants : sequence of Contestant
        Who takes part.
    repeats : int
        Turns that count.
    warm_up : bool
        Whether a turn that does not count goes before.

    Returns
    -------
    Race
        Times and results.
    """
    outcome = Race({c.name: [] for c in contestants}, {c.name: [] for c in contestants})
    if warm_up:
        for contestant in contestants:
            contestant.prepare()
            contestant.work()
    for turn in range(repeats):
        for contestant in contestants[:: -1 if turn % 2 else 1]:
            contestant.prepare()
            gc.collect()
            start = time.perf_counter()
            result = contestant.work()
            outcome.seconds[contestant.name].append(time.perf_counter() - start)
            outcome.results[contestant.name].append(result)
    return outcome


def options(description: str | None, repeats: int | None = None) -> argparse.ArgumentParser:
    """Return a parser of what the benchmarks' command lines have in common.

    Parameters
    ----------
    description : str or None
        The docstring of the script; its first line is what ``--help`` says.
    repeats : int, default=None
        Turns that count, where the script has a choice.

    Returns
    -------
    argparse.ArgumentParser
        It knows ``--quick``, and ``--repeats``.
    """
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="tiny sizes: only to see that it runs")
    if repeats is not None:
        parser.add_argument(
            "--repeats", type=int, default=repeats, help=f"turns that count (default {repeats})"
        )
    return parser


def parsed(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Read the command line, and say so where the figures will mean nothing.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        What `options` returned.

    Returns
    -------
    argparse.Namespace
        The options.
    """
    arguments = parser.parse_args()
    if arguments.quick:
        print("--quick: only to see that it runs; neither figures nor verdicts mean anything.\n")
    return arguments
