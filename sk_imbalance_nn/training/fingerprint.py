"""A network by value: what its steps compute, apart from the numbers they read.

Two compiled networks with the same fingerprint run the same program on variables of their own. So
what a program reads while it runs (weights, the learning rate, class weights, the state of
seeds) is no part of it, nor is what only ran before (initialisers, seeds), nor the numbers that
Keras hangs on the names of layers. Where a configuration does not say all, there is none.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator, Mapping
from numbers import Real
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from sk_imbalance_nn._compat import (
    compile_arguments,
    layers_within,
    learning_rate_schedule,
    spares_from_weight_decay,
)
from sk_imbalance_nn.networks.default import KernelAdamW

# Their configurations hold code, or point to things outside.
_OPAQUE_LAYERS = frozenset({"Lambda", "TFSMLayer", "JaxLayer", "FlaxLayer", "TorchModuleWrapper"})
# What a configuration says that only matters before the first step.
_BEFORE_THE_FIRST_STEP = re.compile(r"seed|build_config|build_input_shape|.*_initializer")
_KNOWN = ("keras", __name__.partition(".")[0])
# What this package's objects read from variables, which are values and no part of a program.
_HELD_IN_VARIABLES = {
    "sk_imbalance_nn>LabelWeighted": ("weights",),
    "sk_imbalance_nn>CosineDecayTo": ("initial_learning_rate", "decay_steps"),
}
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
    ...     model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(units)])
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
    description = {
        "network": _without_chance(model),
        "compiled": _without_names(_compile_config(model)) if compiled else None,
        "variables": [
            (tuple(variable.shape), str(variable.dtype), bool(variable.trainable))
            for variable in state_of(model, compiled=compiled)
        ],
        "floatx": keras.config.floatx(),
    }
    text = json.dumps(description, sort_keys=True, default=repr)
    return text if _modules_known(json.loads(text)) else None


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
    parts = [*layers_within(model), *(_compiled_parts(model) if compiled else ())]
    return all(
        _root_module(part if inspect.isfunction(part) else type(part)) in _KNOWN
        and type(part).__name__ not in _OPAQUE_LAYERS
        and _REPLACEABLE.isdisjoint(vars(part))
        for part in parts
    )


def _root_module(code: Any) -> str:
    return str(getattr(code, "__module__", None)).partition(".")[0]


def _compiled_parts(model: keras.Model) -> Iterator[Any]:
    """Yield the code that a network was compiled with; a name may be that of another's."""
    arguments = compile_arguments(model)
    for name in ("optimizer", "loss", "metrics", "weighted_metrics"):
        for part in _leaves(arguments.get(name)):
            named = keras.saving.get_registered_object(part) if isinstance(part, str) else part
            if named is not None:
                yield named


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return [leaf for part in value.values() for leaf in _leaves(part)]
    if isinstance(value, list | tuple):
        return [leaf for part in value for leaf in _leaves(part)]
    return [value]


def _only_configured(model: keras.Model, compiled: bool) -> bool:
    """Say whether configurations hold all that layers and optimizer know."""
    if compiled and type(model.optimizer) is not KernelAdamW:
        if spares_from_weight_decay(model.optimizer):
            return False
    return not any(
        isinstance(value, tf.Tensor | np.ndarray) or _is_unknown_code(value)
        # Small tensors become constants of a program, whatever they were computed from.
        for layer in layers_within(model)
        for name, value in vars(layer).items()
        if name != "loss"  # of a compiled network; see _compiled_parts
    )


def _is_unknown_code(value: Any) -> bool:
    return callable(value) and _root_module(value) not in _KNOWN


def _compile_config(model: keras.Model) -> dict[str, Any]:
    config = model.get_compile_config()
    for name in ("jit_compile", "run_eagerly", "steps_per_execution"):
        config.pop(name, None)
    return config


def _without_chance(model: keras.Model) -> Any:
    """Return the configuration of the layers without running numbers, seeds and initialisers."""
    config = keras.saving.serialize_keras_object(model)
    config.pop("compile_config", None)
    names: dict[str, str] = {}
    _number_names(config, names)
    return _renamed(config, names)


def _number_names(node: Any, names: dict[str, str]) -> None:
    """Collect the names that Keras gave, with a number that depends on the order alone."""
    if isinstance(node, Mapping):
        name = (node.get("config") or {}).get("name") if _has_config(node) else None
        if isinstance(name, str) and _is_automatic(name, str(node["class_name"])):
            names.setdefault(name, f"#{len(names)}")
        for part in node.values():
            _number_names(part, names)
    elif isinstance(node, list | tuple):
        for part in node:
            _number_names(part, names)


def _has_config(node: Mapping[str, Any]) -> bool:
    return "class_name" in node and isinstance(node.get("config"), Mapping)


def _is_automatic(name: str, class_name: str) -> bool:
    return re.sub(r"_\d+$", "", name).replace("_", "") == class_name.replace("_", "").lower()


def _renamed(node: Any, names: Mapping[str, str]) -> Any:
    if isinstance(node, Mapping):
        return {
            key: _renamed(part, names)
            for key, part in node.items()
            if not _BEFORE_THE_FIRST_STEP.fullmatch(str(key))
        }
    if isinstance(node, list | tuple):
        return [_renamed(part, names) for part in node]
    return names.get(node, node) if isinstance(node, str) else node


def _without_names(node: Any) -> Any:
    """Return a compile configuration without names and without what variables hold."""
    if isinstance(node, list | tuple):
        return [_without_names(part) for part in node]
    if not isinstance(node, Mapping):
        return node
    held = _HELD_IN_VARIABLES.get(node.get("registered_name") or "", ())
    return {
        key: _without_names(
            {name: value for name, value in part.items() if name not in held}
            if key == "config" and isinstance(part, Mapping)
            else part
        )
        for key, part in node.items()
        # A schedule is part of the program; a number stands in a variable of the optimizer.
        if key != "name" and not (key == "learning_rate" and isinstance(part, Real))
    }


def _modules_known(node: Any) -> bool:
    if isinstance(node, Mapping):
        module = node.get("module")
        # Functions are looked at themselves; here they are "builtins" with a name.
        is_function = node.get("class_name") == "function"
        if isinstance(module, str) and module.partition(".")[0] not in _KNOWN and not is_function:
            return False
        return all(_modules_known(part) for part in node.values())
    return all(map(_modules_known, node)) if isinstance(node, list) else True
