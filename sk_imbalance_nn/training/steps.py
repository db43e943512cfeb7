"""Steps: chunks of batches run through a network's ``train_step`` or ``test_step``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from sk_imbalance_nn.balancing.batches import EpochPlan
from sk_imbalance_nn.data.inputs import map_structure, row_bytes, take_rows
from sk_imbalance_nn.training.forward import as_tensors, row_specs, traced

_CHUNK_BYTES = 64 * 2**20


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows to train on or to validate on.

    Parameters
    ----------
    x, y : structure
        Inputs and what the loss is given; may hold more rows than are used.
    weight : ndarray of shape (n,) or None
        What each row weighs in the loss.
    index : ndarray of shape (m,)
        Which of the n rows are used.
    """

    x: Any
    y: Any
    weight: NDArray[np.float32] | None
    index: NDArray[np.intp]

    def gather(self, positions: NDArray[np.intp], model: keras.Model) -> tuple[Any, ...]:
        """Return some of the rows as tensors: inputs, targets and, if any, weights."""
        index = self.index[positions]
        x = as_tensors(take_rows(self.x, index), model)
        y = map_structure(tf.constant, take_rows(self.y, index))
        return (x, y) if self.weight is None else (x, y, tf.constant(self.weight[index]))

    @property
    def bytes_each(self) -> int:
        """How many bytes a row takes."""
        return row_bytes(self.x) + row_bytes(self.y)


class StepRunner:
    """Runs a network's ``train_step`` or ``test_step`` over chunks of batches.

    Parameters
    ----------
    model : keras.Model
        Whose step it is.
    step : {"train_step", "test_step"}
        The method that takes one batch and returns logs.
    batchwise : bool
        Whether a chunk is one batch; so it is for a step of the user's own, which may return
        logs of its own, and where nothing is traced.
    """

    def __init__(self, model: keras.Model, step: str, batchwise: bool) -> None:
        self.model, self.step = model, getattr(model, step)
        own = getattr(type(model), step) is not getattr(keras.Model, step)
        self.batchwise = batchwise or own or bool(model.run_eagerly)
        self._program: Any = None

    def trace(self, example: tuple[Any, ...]) -> None:
        """Trace the program for rows like those of the example."""
        if self.model.run_eagerly:
            self._program = lambda data, batch_size: self.step(data)
            return
        body = self._one_batch if self.batchwise else self._all_batches
        signature = [row_specs(example), tf.TensorSpec([], tf.int32)]
        self._program = traced(body, signature)
        self._program.get_concrete_function()

    def _one_batch(self, data: Any, batch_size: Any) -> Any:
        return self.step(data)

    def _all_batches(self, data: Any, batch_size: Any) -> None:
        n = tf.shape(tf.nest.flatten(data)[0])[0]

        def run_batch(start: Any) -> tuple[Any]:
            stop = start + batch_size
            self.step(tf.nest.map_structure(lambda tensor: tensor[start:stop], data))
            return (stop,)

        tf.while_loop(lambda start: start < n, run_batch, (0,), parallel_iterations=1)

    def run(
        self,
        rows: Rows,
        plan: EpochPlan,
        on_begin: Callable[..., None],
        on_end: Callable[..., None],
        stops_by: str = "stop_training",
    ) -> dict[str, Any]:
        """Run one epoch, until the network's flag is set, and return its logs."""
        at_once = max(1, _CHUNK_BYTES // (rows.bytes_each * plan.batch_size))
        logs: Any = None
        step = -1
        for positions in plan.chunks(1 if self.batchwise else at_once):
            on_begin(step + 1)
            logs = self._program(rows.gather(positions, self.model), plan.batch_size)
            step += -(-len(positions) // plan.batch_size)
            on_end(step, self._results(logs))
            if getattr(self.model, stops_by):
                break
        return self._results(logs)

    def _results(self, logs: Any) -> dict[str, Any]:
        """Return the metrics so far; a step of the user's own may return others instead."""
        results = self.model.get_metrics_result()
        if isinstance(logs, dict) and set(logs) != set(results):
            results = logs
        numbers = {name: _number(value) for name, value in results.items()}
        # A step of the user's own may bypass the tracker of the loss, which then stays at zero.
        if isinstance(logs, dict) and not np.all(np.isfinite(_number(logs.get("loss", 0.0)))):
            numbers["loss"] = _number(logs["loss"])
        return numbers


def create_variables(model: keras.Model, example: tuple[Any, ...]) -> None:
    """Create the variables of the optimizer and the metrics before anything is traced.

    TensorFlow traces a function that creates variables twice, which is half of a short fit.
    """
    if isinstance(model.optimizer, keras.optimizers.Optimizer) and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    if type(model).compute_metrics is keras.Model.compute_metrics:
        x, y, *weight = example
        model.compute_metrics(x, y, model(x, training=False), *(weight or [None]))


def _number(value: Any) -> Any:
    array = np.asarray(value)
    return float(array) if array.ndim == 0 else array


def overrides(callbacks: Iterable[Any], hooks: Iterable[str]) -> bool:
    """Say whether any callback has a hook of its own by one of these names.

    Parameters
    ----------
    callbacks : iterable of keras.callbacks.Callback
        The callbacks.
    hooks : iterable of str
        Names of methods.

    Returns
    -------
    bool
        True if at least one hook does something.
    """
    return any(
        getattr(getattr(callback, hook), "__func__", None)
        is not getattr(keras.callbacks.Callback, hook)
        for callback in callbacks
        for hook in hooks
    )
