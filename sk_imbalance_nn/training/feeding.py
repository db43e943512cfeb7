"""Feeding: how rows reach a traced program, a chunk of batches at a time.

Rows that are few stay in TensorFlow's memory, and a chunk is gathered from there. Of more rows,
and of sparse or memory-mapped ones, only the chunk that trains and the next one are ever tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from sk_imbalance_nn.balancing.batches import EpochPlan
from sk_imbalance_nn.balancing.epochs import Epoch, EveryRow
from sk_imbalance_nn.data.inputs import arrays_of, map_structure, n_rows, row_bytes, take_rows
from sk_imbalance_nn.data.memory_map import is_mapped
from sk_imbalance_nn.training.forward import as_tensors

RESIDENT_BYTES = 32 * 2**20
# Larger chunks are hardly faster, and of streamed ones three are in memory at a time.
RESIDENT_CHUNK_BYTES = 16 * 2**20
CHUNK_BYTES = 2 * 2**20
# Each chunk of shuffled rows is a pass over the file, so there should be few.
MAPPED_CHUNK_BYTES = 64 * 2**20


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows to train on or to validate on.

    Parameters
    ----------
    x, y : structure
        Inputs and targets; may hold more rows than are used.
    weight : ndarray of shape (n,) or None
        What each row weighs in the loss.
    index : ndarray of shape (m,)
        Which of the n rows are used.
    encode : callable, default=None
        Makes what the loss is given of some rows of ``y``; by default that is ``y`` itself.
    sampled : Epoch, default=None
        What a sampler makes an epoch of; by default of every row used, once.
    """

    x: Any
    y: Any
    weight: NDArray[np.float32] | None
    index: NDArray[np.integer[Any]]
    encode: Callable[[Any], Any] | None = None
    sampled: Epoch | None = None

    @property
    def epoch(self) -> Epoch:
        """Which of the rows used make an epoch."""
        return EveryRow(len(self.index)) if self.sampled is None else self.sampled

    def gather(self, positions: NDArray[np.intp], model: keras.Model) -> tuple[Any, ...]:
        """Return some of the rows as tensors: inputs, targets and, if any, weights.

        Parameters
        ----------
        positions : ndarray of shape (k,)
            Positions in ``index``.
        model : keras.Model
            Whoever is to take them.

        Returns
        -------
        tuple
            Of structures of tensors with k rows.
        """
        index: Any = self.index[positions]
        if _are_in_order(index):  # a slice costs no copy
            index = slice(int(index[0]), int(index[-1]) + 1)
        x = as_tensors(take_rows(self.x, index), model)
        y = take_rows(self.y, index)
        y = map_structure(tf.constant, y if self.encode is None else self.encode(y))
        return (x, y) if self.weight is None else (x, y, tf.constant(self.weight[index]))

    @property
    def bytes_each(self) -> int:
        """How many bytes a row takes as tensors."""
        return row_bytes(self.x) + row_bytes(self.y)


class Feed:
    """What `ResidentRows` and `StreamedRows` have in common.

    Parameters
    ----------
    rows : Rows
        The rows.
    model : keras.Model
        Whoever is to take them.
    """

    def __init__(self, rows: Rows, model: keras.Model) -> None:
        self._rows, self._model = rows, model

    def batches_at_once(self, batch_size: int) -> int:
        """Return how many batches a bounded memory holds, one at least."""
        return max(1, self._chunk_bytes // (self._rows.bytes_each * batch_size))

    @property
    def _chunk_bytes(self) -> int:
        mapped = any(is_mapped(part) for part in arrays_of(self._rows.x))
        return MAPPED_CHUNK_BYTES if mapped else CHUNK_BYTES

    def example(self) -> tuple[Any, ...]:
        """Return the first of the rows, to trace a program with."""
        return self._tensors(np.arange(1))

    def chunks(
        self, plan: EpochPlan, batches_at_once: int | None = None
    ) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of an epoch in the order of the plan.

        Parameters
        ----------
        plan : EpochPlan
            Its indices are positions in ``rows.index``.
        batches_at_once : int, default=None
            Batches in a chunk; by default as many as `batches_at_once` says.

        Yields
        ------
        tuple
            Inputs, targets and, if any, weights, as tensors.
        """
        raise NotImplementedError

    def _pieces(self, plan: EpochPlan, at_once: int | None) -> Iterator[NDArray[np.intp]]:
        return plan.chunks(self.batches_at_once(plan.batch_size) if at_once is None else at_once)

    def _tensors(self, positions: NDArray[np.intp]) -> tuple[Any, ...]:
        return self._rows.gather(positions, self._model)


class ResidentRows(Feed):
    """Rows that are tensors from the first to the last epoch.

    Parameters
    ----------
    rows : Rows
        The rows.
    model : keras.Model
        Whoever is to take them.
    """

    def __init__(self, rows: Rows, model: keras.Model) -> None:
        super().__init__(rows, model)
        self._resident = self._tensors(np.arange(len(rows.index)))
        # Where no transfer is saved, NumPy gathers several times faster than TensorFlow.
        self._gather = tf.gather if tf.config.list_physical_devices("GPU") else _gather_on_host

    def chunks(
        self, plan: EpochPlan, batches_at_once: int | None = None
    ) -> Iterator[tuple[Any, ...]]:
        """Yield chunks gathered from the resident tensors; see `Feed.chunks`."""
        for positions in self._pieces(plan, batches_at_once):
            yield self._gathered(positions)

    @property
    def _chunk_bytes(self) -> int:
        return RESIDENT_CHUNK_BYTES

    def _gathered(self, positions: NDArray[np.intp]) -> tuple[Any, ...]:
        if len(positions) == len(self._rows.index) and _are_in_order(positions):
            return self._resident
        return tf.nest.map_structure(lambda tensor: self._gather(tensor, positions), self._resident)


class StreamedRows(Feed):
    """Rows that become tensors a chunk at a time, each while the one before it trains.

    Parameters
    ----------
    rows : Rows
        The rows.
    model : keras.Model
        Whoever is to take them.
    """

    def chunks(
        self, plan: EpochPlan, batches_at_once: int | None = None
    ) -> Iterator[tuple[Any, ...]]:
        """Yield chunks made by a thread of their own; see `Feed.chunks`.

        The thread ends with the last chunk, or when the generator is closed. What goes wrong in
        it is raised here.
        """
        return _one_ahead(self._tensors, self._pieces(plan, batches_at_once))


def feed_of(rows: Rows, model: keras.Model) -> Feed:
    """Choose how rows reach the network.

    Parameters
    ----------
    rows : Rows
        The rows.
    model : keras.Model
        Whoever is to take them.

    Returns
    -------
    ResidentRows or StreamedRows
        Resident if all parts are dense arrays in memory, and few enough bytes with the rows that
        are not used.
    """
    parts = [*arrays_of(rows.x), *arrays_of(rows.y)]
    in_memory = all(isinstance(part, np.ndarray) and not is_mapped(part) for part in parts)
    # A part of large data would be one more copy of what takes the memory already.
    few = n_rows(rows.x) * rows.bytes_each <= RESIDENT_BYTES
    return (ResidentRows if in_memory and few else StreamedRows)(rows, model)


def _gather_on_host(tensor: tf.Tensor, positions: NDArray[np.intp]) -> tf.Tensor:
    return tf.constant(np.take(tensor.numpy(), positions, axis=0))


def _are_in_order(index: NDArray[np.intp]) -> bool:
    """Say whether rows come one after the other, without a gap."""
    return int(index[-1] - index[0]) == len(index) - 1 and bool(np.all(np.diff(index) == 1))


def _one_ahead(function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """Yield the function of each item, computed while the one before it is in use."""
    with ThreadPoolExecutor(1, thread_name_prefix="next-chunk") as thread:
        ready: Future[Any] | None = None
        for item in items:
            following = thread.submit(function, item)
            if ready is not None:
                yield ready.result()
            ready = following
        if ready is not None:
            yield ready.result()
