"""Programs shared between fits: tracing costs as much as many epochs.

Model selection fits the same architecture hundreds of times. The cache keeps the programs that
were run last, by the fingerprint of the network, the form of its data and what is done with them.
A program holds no network: each fit runs it on variables of its own (see `program`), so there
is nothing to lease or give back, and threads share it freely.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import NamedTuple

from sk_imbalance_nn.training.program import Program

_DEFAULT_SIZE = 32


class CacheInfo(NamedTuple):
    """What the cache has done: ``hits``, ``misses``, ``maxsize`` and ``currsize``."""

    hits: int
    misses: int
    maxsize: int
    currsize: int


class CompileCache:
    """The programs that were asked for last.

    Parameters
    ----------
    maxsize : int
        How many to keep; 0 keeps none.

    Examples
    --------
    >>> cache = CompileCache(maxsize=2)
    >>> cache.info()
    CacheInfo(hits=0, misses=0, maxsize=2, currsize=0)
    """

    def __init__(self, maxsize: int = _DEFAULT_SIZE) -> None:
        self._maxsize = maxsize
        self.restart()

    def restart(self) -> None:
        """Begin as a new process does; a fork may have copied a lock that a thread held."""
        self._lock = threading.RLock()
        self._programs: OrderedDict[Hashable, Program] = OrderedDict()
        self._hits = self._misses = 0

    def get(self, key: Hashable | None, trace: Callable[[], Program]) -> Program:
        """Return the program of a key, traced if need be.

        Parameters
        ----------
        key : hashable or None
            What it computes, by value; None is never shared.
        trace : callable
            Makes the program.

        Returns
        -------
        Program
            One that fits the key.
        """
        if key is None:
            with self._lock:
                self._misses += 1
            return trace()
        # Tracing holds the interpreter anyway, so one lock for all costs nothing, and keeps
        # threads that want the same program from tracing it twice.
        with self._lock:
            program = self._programs.get(key)
            if program is not None:
                self._hits += 1
                self._programs.move_to_end(key)
                return program
            self._misses += 1
            program = trace()
            if program.shareable:
                self._programs[key] = program
                self._evict()
            return program

    def clear(self) -> None:
        """Forget all programs, and begin to count anew."""
        with self._lock:
            self._programs.clear()
            self._hits = self._misses = 0

    def resize(self, maxsize: int) -> None:
        """Keep that many programs from now on."""
        with self._lock:
            self._maxsize = maxsize
            self._evict()

    def info(self) -> CacheInfo:
        """Return how often programs were found and traced, and how many there are."""
        with self._lock:
            return CacheInfo(self._hits, self._misses, self._maxsize, len(self._programs))

    def _evict(self) -> None:
        while len(self._programs) > self._maxsize:
            self._programs.popitem(last=False)


PROGRAMS = CompileCache()

# What TensorFlow knows of traced functions does not survive a fork.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=PROGRAMS.restart)


def clear_compile_cache() -> None:
    """Forget the programs that fits in this process have shared so far.

    What is fitted stays usable. The next fit of an architecture traces it again.

    See Also
    --------
    set_compile_cache_size : How many programs are kept.

    Examples
    --------
    >>> from sk_imbalance_nn import clear_compile_cache, compile_cache_info
    >>> clear_compile_cache()
    >>> compile_cache_info().currsize
    0
    """
    PROGRAMS.clear()


def set_compile_cache_size(maxsize: int) -> None:
    """Set how many programs are kept; those used longest ago go first.

    A fit uses up to three: training, validation, prediction.

    Parameters
    ----------
    maxsize : int
        At least 0, which shares nothing; 32 unless set.

    Raises
    ------
    ValueError
        If it is negative.

    Examples
    --------
    >>> from sk_imbalance_nn import compile_cache_info, set_compile_cache_size
    >>> set_compile_cache_size(64)
    >>> compile_cache_info().maxsize
    64
    >>> set_compile_cache_size(32)
    """
    if maxsize < 0:
        raise ValueError(f"maxsize must be at least 0, found {maxsize!r}; 0 shares nothing.")
    PROGRAMS.resize(maxsize)


def compile_cache_info() -> CacheInfo:
    """Return how often fits found a program, and how often they had to trace one.

    Returns
    -------
    CacheInfo
        ``hits``, ``misses`` (programs that were traced), ``maxsize`` and ``currsize``.

    Examples
    --------
    >>> from sk_imbalance_nn import compile_cache_info
    >>> compile_cache_info().maxsize
    32
    """
    return PROGRAMS.info()
