"""A program: a traced function that runs on whichever network's variables it is given.

TensorFlow hands the variables that a traced function reads to it as hidden arguments. `Program`
remembers which variable of the network each of them is, so that the same trace serves any other
network of the same fingerprint: nothing is copied in or out, callbacks meet the network that they
know, and threads can share one program, each on variables of its own.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import tensorflow as tf

from sk_imbalance_nn._compat import one_operation_at_a_time, run_on_variables, traced
from sk_imbalance_nn._start_up import load_xla

# One operation at a time, a loop keeps a thread of TensorFlow's pool waiting for its body, which
# needs another. As many such loops as there are threads would wait for ever; so they take turns.
_TURNS = threading.Lock()
# They carry code of this process, which the fingerprint cannot see.
_PYTHON_OPERATIONS = frozenset({"PyFunc", "EagerPyFunc", "PyFuncStateless"})


class Program:
    """A function, traced once.

    Parameters
    ----------
    body : callable
        What to trace; not converted by AutoGraph, as under ``Model.fit``.
    signature : list
        Specs of its arguments: tensors, or dicts, lists or tuples of them.
    state : list of keras.Variable
        The variables that the body may read or write, in the order of every network alike.
    small : bool, default=False
        Whether its operations are so small that one thread is faster than several.
    jit_compile : bool, default=False
        Whether XLA compiles it.

    Attributes
    ----------
    shareable : bool
        Whether it touches nothing but its arguments and the state, so that it gives other
        networks what a trace of their own would give them.
    small : bool
        Whether it runs one operation at a time: asked for, and safe with the threads there are.
    notes : dict
        Whatever the body wanted to remember of its trace.

    Examples
    --------
    >>> import keras, tensorflow as tf
    >>> first, second = (keras.Variable(value) for value in (1.0, 10.0))
    >>> program = Program(lambda x: x + first, [tf.TensorSpec([], tf.float32)], [first])
    >>> run = program.on([second])
    >>> float(run(tf.constant(1.0))), program.shareable
    (11.0, True)
    """

    def __init__(
        self,
        body: Callable[..., Any],
        signature: list[Any],
        state: Sequence[Any],
        *,
        small: bool = False,
        jit_compile: bool = False,
    ) -> None:
        self.notes: dict[str, Any] = {}
        if jit_compile:
            load_xla()
        # TensorFlow counts traces by a function's code, which all estimators share, and would warn
        # of retracing from the fifth fit on; a partial has no code of its own.
        function = functools.partial(
            tf.function,
            autograph=False,
            input_signature=signature,
            jit_compile=jit_compile or None,
        )
        self.small = small and _has_threads_to_spare()
        with self._executor():
            self._concrete = traced(function(functools.partial(body)))
        self._loops = _nesting(self._concrete.graph)
        if self.small and self._loops > 1:
            self.small = False
            self._concrete = traced(function(functools.partial(body)))
        positions = {id(handle): at for at, handle in enumerate(handles_of(state))}
        self._captures = list(self._concrete.captured_inputs)
        self._positions = [positions.get(id(capture)) for capture in self._captures]
        self.shareable = None not in self._positions and not _has_own_state(self._concrete.graph)

    def on(self, state: Sequence[Any]) -> Callable[..., Any]:
        """Return the function on the variables of a network.

        Parameters
        ----------
        state : list of keras.Variable
            That network's, in the order of those that were traced.

        Returns
        -------
        callable
            Takes the arguments of the signature, as tensors; returns what the body does. Several
            threads may call it.
        """
        handles = handles_of(state)
        captures = [
            own if at is None else handles[at]
            for own, at in zip(self._captures, self._positions, strict=True)
        ]

        def run(*arguments: Any) -> Any:
            with self._executor(), self._turn():
                return run_on_variables(self._concrete, tf.nest.flatten(arguments), captures)

        return run

    def _executor(self) -> AbstractContextManager[None]:
        return one_operation_at_a_time() if self.small else nullcontext()

    def _turn(self) -> AbstractContextManager[Any]:
        return _TURNS if self.small and self._loops else nullcontext()


def handles_of(variables: Iterable[Any]) -> list[Any]:
    """Return the tensors by which programs reach Keras variables.

    Parameters
    ----------
    variables : iterable of keras.Variable
        Built.

    Returns
    -------
    list of tf.Tensor
        Of type resource.
    """
    return [variable.value.handle for variable in variables]


def _has_threads_to_spare() -> bool:
    """Say whether TensorFlow's pool has a thread for a loop and one for its body."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    asked_for = tf.config.threading.get_inter_op_parallelism_threads()
    return (asked_for or _threads_of_environment() or cores) > 1


def _threads_of_environment() -> int:
    """Return the size of TensorFlow's pool that its environment variable sets; 0 without one."""
    given = os.environ.get("TF_NUM_INTEROP_THREADS", "").strip()
    return int(given) if given.isdecimal() else 0


def _nesting(graph: Any) -> int:
    """Return how deep functions (bodies of loops, branches) are nested in a graph."""
    definition = graph.as_graph_def()
    library = {
        function.signature.name: function.node_def for function in definition.library.function
    }

    def depth(nodes: Any) -> int:
        inner = {
            function.name
            for node in nodes
            for attribute in node.attr.values()
            for function in (attribute.func, *attribute.list.func)
            if function.name
        }
        return max((1 + depth(library.get(name, ())) for name in inner), default=0)

    return depth(definition.node)


def _has_own_state(graph: Any) -> bool:
    """Say whether a graph draws random numbers from a seed that was traced, or calls Python."""
    definition = graph.as_graph_def()
    functions = (function.node_def for function in definition.library.function)
    return any(
        "seed2" in node.attr or node.op in _PYTHON_OPERATIONS
        for nodes in (definition.node, *functions)
        for node in nodes
    )


def row_specs(tensors: Any) -> Any:
    """Return the signature of tensors with any number of rows.

    Parameters
    ----------
    tensors : tf.Tensor, or dict, list or tuple of them
        Examples.

    Returns
    -------
    tf.TensorSpec, or dict, list or tuple of them
        The first axis left open.
    """
    return tf.nest.map_structure(
        lambda tensor: tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype), tensors
    )
