"""A network by value: what its steps compute, apart from the numbers they read.

Two compiled networks with the same fingerprint run the same program on variables of their own. So
what a program reads while it runs (weights, the learning rate, class weights, the state of
seeds) is no part of it, nor is what only ran before (initialisers, seeds). Names are: Keras'
logs, and dicts of losses or inputs, go by them. Where a configuration does not say all, there is
no fingerprint.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from numbers import Real
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from sk_imbalance_nn._compat import (
    arguments_held,
    compile_arguments,
    layers_within,
    learning_rate_schedule,
    spares_from_weight_decay,
)
from sk_imbalance_nn.networks.optimizers import KernelAdamW, MemberAdamW

# Their configurations hold code, or point to things outside.
_OPAQUE_LAYERS = frozenset({"Lambda", "TFSMLayer", "JaxLayer", "FlaxLayer", "TorchModuleWrapper"})
# What a configuration says that only matters before the first step.
_BEFORE_THE_FIRST_STEP = re.compile(r"seed|build_config|build_input_shape|.*_initializer")
_KNOWN = ("keras", __name__.partition(".")[0])
# Which weights these spare, their classes say.
_SPARING = (KernelAdamW, MemberAdamW)
_CONFIGURED = (
    keras.losses.Loss,
    keras.metrics.Metric,
    keras.optimizers.Optimizer,
    keras.optimizers.schedules.LearningRateSchedule,
)
# A method in the instance's own dict hides that of its class.
_REPLACEABLE = frozenset(
    {"call", "compute_loss", "compute_metrics", "train_step", "test_step", "predict_step"}
)


def fingerprint(model: keras.Model, *, compiled: bool = True) -> str | None:
    """Describe what the steps of a network compute.

    Parameters
    ----------
    model : keras.Model
        Built and, unless it is only to predict, compiled.
    compiled : bool, default=True
        Whether training and evaluating are meant, or predicting alone.

    Returns
    -------
    str or None
        Equal for networks whose steps compute the same from the values of their variables; None
        where that cannot be told: code that is neither Keras' nor this package's, ``Lambda``
        layers, constants that no configuration holds.

    Examples
    --------
    >>> import keras
    >>> def network(rate, units=3):
    ...     layers = [keras.Input((2,), name="table"), keras.layers.Dense(units, name="out")]
    ...     model = keras.Sequential(layers, name="net")
    ...     model.compile(keras.optimizers.Adam(rate), "mse")
    ...     return model
    >>> fingerprint(network(0.1)) == fingerprint(network(0.2))
    True
    >>> fingerprint(network(0.1)) == fingerprint(network(0.1, units=4))
    False
    """
    if is_distributed(model):
        return None
    if not (_all_known(model, compiled) and _only_configured(model, compiled)):
        return None
    network = keras.saving.serialize_keras_object(model)
    network.pop("compile_config", None)
    description = {
        "network": _without_chance(network),
        "compiled": _compile_config(model) if compiled else None,
        "variables": [_variable(part) for part in state_of(model, compiled=compiled)],
        "floatx": keras.config.floatx(),
        "epsilon": keras.config.epsilon(),
    }
    text = json.dumps(description, sort_keys=True, default=repr)
    plain = json.loads(text)
    # The functions that a network was compiled with were looked at themselves.
    known = all(_modules_known(plain[part], part == "compiled") for part in plain)
    return text if known else None


def is_distributed(model: keras.Model) -> bool:
    """Say whether a ``tf.distribute`` strategy other than TensorFlow's default one is at work.

    Parameters
    ----------
    model : keras.Model
        The network; its variables may be spread over devices.

    Returns
    -------
    bool
        True if it was built under such a strategy, or if one is in force now.
    """
    if tf.distribute.has_strategy():
        return True
    return model.distribute_strategy is not tf.distribute.get_strategy()


def state_of(model: keras.Model, *, compiled: bool = True) -> list[Any]:
    """Return all variables that a step of a network may read or write.

    Parameters
    ----------
    model : keras.Model
        Built and, unless it is only to predict, compiled; its optimizer and its metrics built.
    compiled : bool, default=True
        As for `fingerprint`.

    Returns
    -------
    list of keras.Variable
        Each once; in the same order for networks of the same fingerprint.
    """
    if not compiled:
        return list(model.variables)
    optimizer = model.optimizer
    owners = [learning_rate_schedule(optimizer), *_leaves(compile_arguments(model).get("loss"))]
    every = [
        *model.variables,
        *(variable for metric in model.metrics for variable in metric.variables),
        *getattr(optimizer, "variables", []),
        *(variable for owner in owners for variable in getattr(owner, "variables", [])),
    ]
    return list({id(variable): variable for variable in every}.values())


def _all_known(model: keras.Model, compiled: bool) -> bool:
    """Say whether all code that a step runs is Keras' or this package's."""
    layers = layers_within(model)
    operations = [part for layer in layers for part in getattr(layer, "operations", ())]
    return (
        all(_is_known(part) for part in layers)
        and not any(type(part).__name__ in _OPAQUE_LAYERS for part in layers)
        and all(_REPLACEABLE.isdisjoint(vars(part)) for part in layers)
        and all(_is_known(value) for value in _callables([*layers, *operations]))
        and (not compiled or _compiled_code_is_known(model))
    )


def _compiled_code_is_known(model: keras.Model) -> bool:
    parts = _compiled_parts(model)
    return all(map(_is_known, parts)) and all(map(_is_known, _callables(parts)))


def _is_known(code: Any) -> bool:
    """Say where code was written; a function's ``__module__`` may be that of what it wraps."""
    code = getattr(code, "__func__", code)
    if inspect.isfunction(code):
        wrapped = getattr(code, "__wrapped__", None)
        home = code.__globals__.get("__name__")
        return _root(home) in _KNOWN and (wrapped is None or _is_known(wrapped))
    return _root((code if inspect.isclass(code) else type(code)).__module__) in _KNOWN


def _root(module: Any) -> str:
    return str(module).partition(".")[0]


def _callables(parts: Iterable[Any]) -> Iterator[Any]:
    """Yield the code that objects hold in their attributes."""
    for part in parts:
        for name, value in getattr(part, "__dict__", {}).items():
            if name != "loss" or not isinstance(part, keras.Model):  # see _compiled_parts
                yield from (leaf for leaf in _leaves(value) if callable(leaf))


def _compiled_parts(model: keras.Model) -> list[Any]:
    """Return the code that a network was compiled with; a name may be that of another's."""
    arguments = compile_arguments(model)
    parts: list[Any] = []
    for name in ("optimizer", "loss", "metrics", "weighted_metrics"):
        for part in _leaves(arguments.get(name)):
            named = keras.saving.get_registered_object(part) if isinstance(part, str) else part
            if named is not None:
                _collect(named, parts)
    return parts


def _collect(part: Any, parts: list[Any]) -> None:
    """Add an object, and the losses, metrics, optimizers and schedules that it holds, once each."""
    if any(part is known for known in parts):
        return
    parts.append(part)
    for value in getattr(part, "__dict__", {}).values():
        for leaf in _leaves(value):
            if isinstance(leaf, _CONFIGURED):
                _collect(leaf, parts)


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return [leaf for part in value.values() for leaf in _leaves(part)]
    if isinstance(value, list | tuple):
        return [leaf for part in value for leaf in _leaves(part)]
    return [value]


def _only_configured(model: keras.Model, compiled: bool) -> bool:
    """Say whether configurations hold all that layers and optimizer know."""
    parts = _compiled_parts(model) if compiled else []
    if any(type(part) not in _SPARING and spares_from_weight_decay(part) for part in parts):
        return False
    # Small tensors become constants of a program, whatever they were computed from.
    return not any(
        isinstance(value, tf.Tensor | np.ndarray)
        for layer in layers_within(model)
        for value in vars(layer).values()
    )


def _compile_config(model: keras.Model) -> dict[str, Any]:
    config = model.get_compile_config()
    for name in ("jit_compile", "run_eagerly", "steps_per_execution"):
        config.pop(name, None)
    # Metrics' names stand in the logs; an optimizer's own nowhere.
    (config.get("optimizer") or {}).get("config", {}).pop("name", None)
    # Keras leaves some arguments out of the configurations of losses and metrics.
    left_out = [
        (type(part).__qualname__, str(getattr(part, "dtype", None)), repr(arguments_held(part)))
        for part in _compiled_parts(model)
        if isinstance(part, keras.losses.Loss | keras.metrics.Metric)
    ]
    return {**_without_numbers(config), "left_out": left_out}


def _variable(variable: Any) -> tuple[Any, ...]:
    """Describe a variable; what was set on it alone stands in no layer's configuration."""
    rules = [
        None if rule is None else keras.saving.serialize_keras_object(rule)
        for rule in (variable.regularizer, variable.constraint)
    ]
    return (tuple(variable.shape), str(variable.dtype), bool(variable.trainable), rules)


def _without_chance(node: Any) -> Any:
    """Return a configuration of layers without seeds and initialisers."""
    if isinstance(node, Mapping):
        return {
            key: _without_chance(part)
            for key, part in node.items()
            if not _BEFORE_THE_FIRST_STEP.fullmatch(str(key))
        }
    return [_without_chance(part) for part in node] if isinstance(node, list | tuple) else node


def _without_numbers(node: Any, inside: str = "") -> Any:
    """Return a compile configuration without what stands in variables.

    A schedule is part of the program; a rate that is a number is not.
    """
    if isinstance(node, list | tuple):
        return [_without_numbers(part) for part in node]
    if not isinstance(node, Mapping):
        return node
    # Only this package's objects say which of their arguments they read from variables.
    held = getattr(keras.saving.get_registered_object(inside), "held_in_variables", ())
    name = str(node.get("registered_name") or "")
    return {
        key: _without_numbers(part, name if key == "config" else "")
        for key, part in node.items()
        if key not in held and not (key == "learning_rate" and isinstance(part, Real))
    }


def _modules_known(node: Any, functions: bool) -> bool:
    """Say whether a configuration names nobody else's code, and functions only where allowed."""
    if isinstance(node, Mapping):
        if node.get("class_name") in ("function", "__lambda__"):
            return functions
        module = node.get("module")
        if isinstance(module, str) and _root(module) not in _KNOWN:
            return False
        return all(_modules_known(part, functions) for part in node.values())
    return all(_modules_known(part, functions) for part in node) if isinstance(node, list) else True
