"""The forward pass: from rows to outputs, through one traced function."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from sk_imbalance_nn._compat import logits_of
from sk_imbalance_nn.data.inputs import n_rows, row_bytes, take_rows
from sk_imbalance_nn.training.compile_cache import PROGRAMS
from sk_imbalance_nn.training.fingerprint import fingerprint, state_of
from sk_imbalance_nn.training.forked import check_not_stranded
from sk_imbalance_nn.training.program import Program, row_specs

# Chunks this large keep the arithmetic busy and the memory bounded, whatever a row takes.
_CHUNK_BYTES = 32 * 2**20
_CHUNK_ROWS = 8192
# Weights up to which one thread is faster than handing operations from thread to thread.
_SMALL_NETWORK = 100_000

_ACTIVATIONS = {
    "Sigmoid": "sigmoid",
    "Softmax": "softmax",
    "BiasAdd": "linear",
    "MatMul": "linear",
    "BatchMatMulV2": "linear",
    "Einsum": "linear",
    "Conv2D": "linear",
    "Relu": "relu",
    "Relu6": "relu6",
    "LeakyRelu": "leaky_relu",
    "Elu": "elu",
    "Selu": "selu",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Tanh": "tanh",
    "Exp": "exponential",
}
# Operations that leave values as they are, or only their form changed.
_TRANSPARENT = {"Identity", "Cast", "Reshape", "Squeeze", "ExpandDims", "StopGradient"}


class ForwardPass:
    """A network's outputs for any number of rows.

    ``Model.predict`` sets up a data pipeline a call, which costs far more than the arithmetic of a
    few rows; this calls one traced function, traced once for all row counts.

    Parameters
    ----------
    model : keras.Model
        A built network; its weights are read at each call.
    logits : bool, default=True
        Whether to return the logits behind a sigmoid or softmax: they do not saturate.

    Attributes
    ----------
    activation : str or None
        What the output ends in, known once a call has been traced; None where it is not clear.
    gives_logits : bool
        Whether the calls return the logits behind a sigmoid or softmax rather than its
        probabilities, known once a call has been traced.

    Examples
    --------
    >>> import keras, numpy as np
    >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, activation="sigmoid")])
    >>> forward = ForwardPass(model)
    >>> forward(np.zeros((2, 3))).shape, forward.activation, forward.gives_logits
    ((2, 1), 'sigmoid', True)
    """

    def __init__(self, model: keras.Model, *, logits: bool = True) -> None:
        self._model = model
        self._wants_logits = logits
        self._program: Callable[..., Any] | None = None
        self._tracing = threading.Lock()
        self.activation: str | None = None
        self.gives_logits = False

    def __call__(
        self,
        x: Any,
        batch_size: int | None = None,
        read: Callable[[Any], Any] | None = None,
    ) -> Any:
        """Return the outputs for all rows of ``x``.

        Parameters
        ----------
        x : array, CSR matrix, or dict, list or tuple of them, of n rows
            The inputs of the network.
        batch_size : int, default=None
            Rows at a time; by default as many as a bounded memory holds.
        read : callable, default=None
            What to make of the outputs of some rows; an array with an entry for each of them.

        Returns
        -------
        ndarray of shape (n, units), or list or dict of them
            Logits where the network ends in a sigmoid or softmax, else its own outputs; or what
            was read from them.
        """
        check_not_stranded()
        n, step = n_rows(x), batch_size or rows_at_once(x)
        whole: Any = None
        for at in range(0, n, step):
            part = self._run(take_rows(x, slice(at, at + step)))
            part = part if read is None else read(part)
            if step >= n:
                return part
            # One array that is filled takes half the memory of parts that are joined.
            if whole is None:
                whole = tf.nest.map_structure(
                    lambda array: np.empty((n, *array.shape[1:]), array.dtype), part
                )
            for all_rows, some in zip(tf.nest.flatten(whole), tf.nest.flatten(part), strict=True):
                all_rows[at : at + step] = some
        return whole

    def _run(self, rows: Any) -> Any:
        tensors = as_tensors(rows, self._model)
        with self._tracing:
            if self._program is None:
                self._program = self._prepared(tensors)
        return tf.nest.map_structure(lambda tensor: tensor.numpy(), self._program(tensors))

    def _prepared(self, tensors: Any) -> Callable[..., Any]:
        """Trace the program, or find it traced for a network like this one."""
        model, logits = self._model, self._wants_logits
        value = fingerprint(model, compiled=False)
        state = [] if value is None else state_of(model, compiled=False)
        signature = [row_specs(tensors)]
        small = model.count_params() <= _SMALL_NETWORK
        key = None if value is None else ("predict_step", value, repr(signature), logits)
        found: dict[str, Any] = {}

        def body(x: Any) -> Any:
            return _outputs(model, x, logits, found)

        def trace() -> Program:
            program = Program(body, signature, state, small=small)
            program.notes.update(found)
            return program

        program = PROGRAMS.get(key, trace)
        self.activation = program.notes["activation"]
        self.gives_logits = program.notes["gives_logits"]
        return program.on(state)


def _outputs(model: keras.Model, x: Any, wants_logits: bool, found: dict[str, Any]) -> Any:
    """Return a network's outputs or the logits behind them, and tell which in ``found``."""
    outputs = model.predict_step((x,))
    found.update(activation=None, gives_logits=False)
    if not isinstance(outputs, tf.Tensor):
        return outputs
    found["activation"] = _activation_of(outputs)
    logits = logits_of(outputs) if wants_logits else None
    found["gives_logits"] = logits is not None and found["activation"] in ("sigmoid", "softmax")
    return logits if found["gives_logits"] else outputs


def _activation_of(outputs: tf.Tensor) -> str | None:
    operation = outputs.op
    while operation.type in _TRANSPARENT and operation.inputs:
        operation = operation.inputs[0].op
    if operation.type == "ConcatV2":  # the last input is the axis
        parts = {_activation_of(part) for part in operation.inputs[:-1]}
        return parts.pop() if parts in ({"sigmoid"}, {"linear"}) else None
    # Dense adds its bias by AddV2 where the input has more than two axes.
    if operation.type == "AddV2":
        return "linear" if _activation_of(operation.inputs[0]) == "linear" else None
    return _ACTIVATIONS.get(operation.type)


def rows_at_once(x: Any) -> int:
    """Return how many rows of a structure a bounded memory holds, hidden layers included.

    Parameters
    ----------
    x : structure
        The inputs of a network.

    Returns
    -------
    int
        At least 1.
    """
    return min(_CHUNK_ROWS, max(1, _CHUNK_BYTES // row_bytes(x)))


def as_tensors(rows: Any, model: keras.Model) -> Any:
    """Turn dense rows into tensors of the types that the network's inputs declare.

    Parameters
    ----------
    rows : ndarray, or dict, list or tuple of them
        Dense rows.
    model : keras.Model
        Whoever is to take them.

    Returns
    -------
    tf.Tensor, or dict, list or tuple of them
        Integers where an input of the network declares integers, else ``keras.config.floatx()``.
    """
    declared = getattr(model, "inputs", None) or []
    if isinstance(rows, Mapping):
        types = {_name(tensor): tensor.dtype for tensor in declared}
        return {name: _tensor(part, types.get(name)) for name, part in rows.items()}
    if isinstance(rows, list | tuple) and len(rows) == 1:
        rows = rows[0]
    if isinstance(rows, list | tuple):
        types = [tensor.dtype for tensor in declared] or [None] * len(rows)
        return type(rows)(_tensor(part, kind) for part, kind in zip(rows, types, strict=True))
    return _tensor(rows, declared[0].dtype if len(declared) == 1 else None)


def _name(tensor: Any) -> str:
    return str(tensor.name).split(":")[0]


def _tensor(array: Any, dtype: Any) -> tf.Tensor:
    if dtype is None or str(dtype).startswith(("float", "bfloat")):
        dtype = keras.config.floatx()
    return tf.constant(np.asarray(array, dtype=dtype))


def check_inputs(model: keras.Model, x: Any) -> None:
    """Refuse inputs that a network with declared inputs does not take.

    Parameters
    ----------
    model : keras.Model
        Nothing is checked if it declares no inputs.
    x : structure
        What it is to be given.

    Raises
    ------
    ValueError
        If names or shapes differ; says which.
    """
    declared = {
        _name(tensor): tuple(tensor.shape[1:]) for tensor in getattr(model, "inputs", None) or []
    }
    if not declared:
        return
    if isinstance(x, Mapping):
        found = {name: tuple(part.shape[1:]) for name, part in x.items()}
        if set(found) != set(declared):
            raise ValueError(
                f"The network {model.name!r} has the inputs {sorted(declared)}, but X has "
                f"{sorted(found)}. Name keras.Input(..., name=...) and the keys alike."
            )
    elif not isinstance(x, list | tuple):
        if len(declared) > 1:
            raise ValueError(
                f"The network {model.name!r} has the inputs {sorted(declared)}, but X is one "
                "table. Give inputs={name: columns} to split it, or X as a dict."
            )
        found = {next(iter(declared)): tuple(x.shape[1:])}
    else:
        return
    for name, shape in found.items():
        expected = declared[name]
        if len(expected) == len(shape) and any(
            size not in (None, have) for size, have in zip(expected, shape, strict=True)
        ):
            raise ValueError(
                f"The input {name!r} of the network {model.name!r} takes rows of shape "
                f"{expected}, but X has rows of shape {shape}. Let the builder read "
                "meta['n_features_in_'] or meta['X_shape_'], or mend the columns in inputs=."
            )


def build(model: keras.Model, x: Any) -> None:
    """Give a network without a declared input its weights, by showing it one row.

    Parameters
    ----------
    model : keras.Model
        Nothing happens if it is built already.
    x : structure
        Its inputs, of one row at least.
    """
    if not model.built or (hasattr(model, "layers") and not all(_built(model))):
        model(as_tensors(take_rows(x, slice(0, 1)), model), training=False)


def _built(model: keras.Model) -> list[bool]:
    return [layer.built for layer in model.layers]
