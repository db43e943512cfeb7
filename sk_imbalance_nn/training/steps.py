"""Steps: chunks of batches run through a network's ``train_step`` or ``test_step``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from sk_imbalance_nn._compat import compile_arguments, layers_within
from sk_imbalance_nn.balancing.batches import EpochPlan
from sk_imbalance_nn.data.inputs import n_rows
from sk_imbalance_nn.networks.ensemble import EnsembleNetwork
from sk_imbalance_nn.training.compile_cache import PROGRAMS
from sk_imbalance_nn.training.feeding import Feed
from sk_imbalance_nn.training.fingerprint import fingerprint, state_of
from sk_imbalance_nn.training.program import Program, row_specs
from sk_imbalance_nn.training.xla import row_work, static_specs, whole_batches

# Multiplications a step, roughly, up to which one thread is faster than handing operations over
# (benchmarks/NOTES.md).
_SMALL_WORK = 1_000_000
# Of whose classes it is known that metrics take a network's outputs as well as its training's.
_COMPUTE_METRICS = (keras.Model.compute_metrics, EnsembleNetwork.compute_metrics)


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
        logs of its own.
    batch_size : int
        Rows a batch.
    small : bool, default=None
        Whether one thread is faster than several; by default as the network's size tells.
    """

    def __init__(
        self,
        model: keras.Model,
        step: str,
        batchwise: bool,
        batch_size: int,
        small: bool | None = None,
    ) -> None:
        self.model, self.step = model, getattr(model, step)
        method = getattr(self.step, "__func__", None)  # an instance may bring its own
        self._own = method is not getattr(keras.Model, step)
        self.batchwise = batchwise or self._own
        self.batch_size = batch_size
        self._small = row_work(model) * batch_size <= _SMALL_WORK if small is None else small
        inputs = getattr(model, "inputs", None)
        self._fixed_size = inputs[0].shape[0] if inputs and _remembers_batches(model) else None
        self._program: Callable[..., Any]
        self._compiled: Callable[..., Any] | None = None
        # Whether programs can reset the metrics themselves; others' metrics may need Python to.
        self.resets = False
        self._at_once: int | None = 1 if self.batchwise else None

    def prepare(self, example: tuple[Any, ...], *, compiled_batches: int = 0) -> None:
        """Trace the program for rows like those of the example, or find it traced.

        Parameters
        ----------
        example : tuple
            One row: inputs, targets and, if any, weights.
        compiled_batches : int, default=0
            How many whole batches XLA runs at a time; 0 leaves all to the ordinary program.
        """
        value = fingerprint(self.model)
        self.resets = value is not None and not self._own
        state = [] if value is None else state_of(self.model)

        def program(body: Any, signature: list[Any], **how: bool) -> Callable[..., Any]:
            named = (self.step.__name__, value, repr(signature), *how.items())
            key = None if value is None else named
            return PROGRAMS.get(key, lambda: Program(body, signature, state, **how)).on(state)

        # A single batch runs through the same program as many, so callbacks change no bit.
        body = self._one_batch if self._own else self._all_batches
        flag = tf.TensorSpec([], tf.bool)
        signature = [row_specs(example), tf.TensorSpec([], tf.int32), flag]
        self._program = program(body, signature, small=self._small)
        if compiled_batches:
            specs = [*static_specs(example, compiled_batches, self.batch_size), flag]
            self._compiled = program(self._whole_batches, specs, jit_compile=True)
            self._at_once = compiled_batches

    @property
    def is_compiled(self) -> bool:
        """Whether XLA runs the whole batches."""
        return self._compiled is not None

    def _one_batch(self, data: Any, batch_size: Any, fresh: Any) -> Any:
        return self.step(data)

    def _all_batches(self, data: Any, batch_size: Any, fresh: Any) -> Any:
        self._reset_if(fresh)
        n = tf.shape(tf.nest.flatten(data)[0])[0]

        def run_batch(start: Any) -> tuple[Any]:
            stop = start + batch_size
            batch = tf.nest.map_structure(lambda tensor: tensor[start:stop], data)
            self.step(tf.nest.map_structure(self._of_fixed_size, batch))
            return (stop,)

        tf.while_loop(lambda start: start < n, run_batch, (0,), parallel_iterations=1)
        return self.model.get_metrics_result()

    def _of_fixed_size(self, tensor: tf.Tensor) -> tf.Tensor:
        """Tell a network that remembers its batches that this one has the size of all others."""
        if self._fixed_size is not None:
            tensor.set_shape([self._fixed_size, *tensor.shape[1:]])
        return tensor

    def _whole_batches(self, data: Any, n_batches: Any, fresh: Any) -> Any:
        self._reset_if(fresh)

        def run_batch(number: Any) -> tuple[Any]:
            self.step(tf.nest.map_structure(lambda tensor: tensor[number], data))
            return (number + 1,)

        tf.while_loop(lambda number: number < n_batches, run_batch, (0,), parallel_iterations=1)
        return self.model.get_metrics_result()

    def _reset_if(self, fresh: Any) -> None:
        if self.resets:
            tf.cond(fresh, lambda: self.model.reset_metrics(), lambda: None)

    def run(
        self,
        feed: Feed,
        plan: EpochPlan,
        on_begin: Callable[..., None],
        on_end: Callable[..., None],
        stops_by: str = "stop_training",
        fresh: bool = False,
    ) -> dict[str, Any]:
        """Run one epoch, until the network's flag is set, and return its logs."""
        numbers: dict[str, Any] = {}
        step = -1
        with closing(feed.chunks(plan, self._at_once)) as chunks:
            for rows in chunks:
                on_begin(step + 1)
                numbers = self._numbers(self._run_chunk(rows, fresh and step < 0))
                step += -(-n_rows(tf.nest.flatten(rows)) // self.batch_size)
                on_end(step, numbers)
                if getattr(self.model, stops_by):
                    break
        return dict(numbers)

    def _run_chunk(self, rows: Any, fresh: bool) -> Any:
        logs: Any = None
        if self._compiled is not None and self._at_once is not None:
            whole, n_whole, rows = whole_batches(rows, self._at_once, self.batch_size)
            if n_whole:
                logs = self._compiled(whole, tf.constant(n_whole), tf.constant(fresh))
                fresh = False
        if rows is not None:
            logs = self._program(rows, tf.constant(self.batch_size), tf.constant(fresh))
        return logs

    def _numbers(self, logs: Any) -> dict[str, Any]:
        """Return the metrics so far; a step of the user's own may return others instead."""
        results = self.model.get_metrics_result() if self._own else logs
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
    arguments = compile_arguments(model)
    several = len(getattr(model, "outputs", None) or []) > 1
    measured = arguments.get("metrics") or arguments.get("weighted_metrics")
    # A network that remembers its batches takes none of another size, and must not see one more.
    if _remembers_batches(model) or not (several or measured):
        return
    x, y, *weight = example
    outputs = model(x, training=False)
    if several and type(model).compute_loss is keras.Model.compute_loss:
        model.compute_loss(x, y, outputs, *(weight or [None]))
    if type(model).compute_metrics in _COMPUTE_METRICS:
        model.compute_metrics(x, y, outputs, *(weight or [None]))


def _remembers_batches(model: keras.Model) -> bool:
    return any(getattr(layer, "stateful", False) for layer in layers_within(model))


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
