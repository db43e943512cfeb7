"""Turn Keras objects into plain picklable ones and back, and copy them.

Keras pickles by registered names, and SciKeras, once imported, replaces that by a scheme of its
own. Both fail for custom losses, and both forget the states of random generators. Here, a packed
object holds bytes, arrays, configurations and references to the user's classes and functions
(pickled by reference, as Python does), so nothing needs to be registered with Keras.
"""

from __future__ import annotations

import copy
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from sk_imbalance_nn._compat import compile_arguments
from sk_imbalance_nn.networks.archive import (
    model_from_bytes,
    model_to_bytes,
    read_archive,
    read_config,
    uncompiled_view,
    write_archive,
)
from sk_imbalance_nn.networks.custom_objects import custom_objects_in
from sk_imbalance_nn.networks.training_state import (
    OptimizerState,
    optimizer_state_of,
    random_state_of,
    restore_optimizer,
    restore_random_state,
)

__all__ = [
    "PackedModel",
    "PackedObject",
    "PackedState",
    "copy_model",
    "copy_object",
    "model_from_bytes",
    "model_to_bytes",
    "pack",
    "unpack",
]

# Under this name the class of a packed object is handed to Keras, whatever its own name is.
_CLASS_KEY = "sk_imbalance_nn>packed"


@dataclass(frozen=True, eq=False)
class PackedModel:
    """A model: Keras' archive of it, and what the archive leaves out."""

    archive: bytes
    custom_objects: dict[str, Any]
    random_state: list[np.ndarray]
    compile_arguments: dict[str, Any] | None
    optimizer_state: OptimizerState | None
    compiled_by_keras: bool  # the archive's own compile part is to be used


@dataclass(frozen=True, eq=False)
class PackedObject:
    """An optimizer or a metric: its class and its configuration, without its variables."""

    cls: type
    config: dict[str, Any]
    custom_objects: dict[str, Any]


@dataclass(frozen=True, eq=False)
class PackedState:
    """A loss, schedule or callback, which hold no variables: its class and its attributes."""

    cls: type
    state: dict[str, Any] = field(default_factory=dict)


def pack(value: Any) -> Any:
    """Replace the Keras objects in a value by small picklable ones.

    Parameters
    ----------
    value : object
        A model, optimizer, learning-rate schedule, loss, metric or callback of Keras, or dicts,
        lists and tuples that hold some, nested as you like. All else is left as it is.

    Returns
    -------
    object
        The same structure with a `PackedModel`, `PackedObject` or `PackedState` for each Keras
        object. An object that occurs twice stays one. Standalone metrics and optimizers lose
        their variables (counts so far, moments); a model keeps those of its optimizer. A
        callback loses the model that it was set to watch.

    Raises
    ------
    ValueError
        If Keras could not tell two custom objects apart, because they share a name.

    Examples
    --------
    >>> import keras
    >>> from sk_imbalance_nn.networks.serialization import pack, unpack
    >>> packed = pack({"loss": keras.losses.BinaryFocalCrossentropy(gamma=3.0), "epochs": 3})
    >>> unpack(packed)["loss"].gamma
    3.0
    """
    return _pack(value, {})


def unpack(value: Any) -> Any:
    """Turn what `pack` returned into Keras objects again, each of them new.

    Parameters
    ----------
    value : object
        As returned by `pack`, perhaps pickled in between.

    Returns
    -------
    object
        The same structure with Keras objects. Models continue training, dropout included, as
        the packed ones would have.

    Warns
    -----
    UserWarning
        If the rebuilt model has other random generators than the packed one had.

    Examples
    --------
    >>> import keras
    >>> from sk_imbalance_nn.networks.serialization import pack, unpack
    >>> [type(part).__name__ for part in unpack(pack([keras.optimizers.Adam(), "mse"]))]
    ['Adam', 'str']
    """
    return _unpack(value, {})


def copy_model(model: keras.Model) -> keras.Model:
    """Return an independent copy of a model: weights, random states, compilation, optimizer.

    Parameters
    ----------
    model : keras.Model
        It is not touched: not built, not compiled, not renamed.

    Returns
    -------
    keras.Model
        The copy.

    Raises
    ------
    TypeError
        If `model` is no `keras.Model`.
    ValueError
        As `pack`.

    Examples
    --------
    >>> import keras
    >>> from sk_imbalance_nn.networks.serialization import copy_model
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> copy_model(model).layers[0] is model.layers[0]
    False
    """
    if not isinstance(model, keras.Model):
        raise TypeError(
            f"Found {type(model).__name__}, expected a built or unbuilt `keras.Model`. For losses, "
            "optimizers, metrics and callbacks use `copy_object`."
        )
    return unpack(pack(model))


def copy_object(obj: Any) -> Any:
    """Return an independent copy of an optimizer, loss, metric, schedule or callback.

    Optimizers and metrics start afresh from their configuration: a Keras optimizer is bound to
    the variables of the first model that it trained, so each fit needs its own. Losses and
    callbacks keep all their attributes; a callback lets go of its model.

    Parameters
    ----------
    obj : object
        The Keras object; or containers of such; or a string, function or other plain value.

    Returns
    -------
    object
        The copy.

    Raises
    ------
    ValueError
        As `pack`.

    Examples
    --------
    >>> import keras
    >>> from sk_imbalance_nn.networks.serialization import copy_object
    >>> copy_object(keras.callbacks.EarlyStopping(patience=7)).patience
    7
    """
    return unpack(copy.deepcopy(pack(obj)))


def _pack(value: Any, memo: dict[int, Any]) -> Any:
    if id(value) in memo:
        return memo[id(value)]
    if isinstance(value, keras.Model):
        packed: Any = _pack_model(value)
    elif isinstance(value, (keras.optimizers.Optimizer, keras.metrics.Metric)):
        packed = _pack_object(value, memo)
    elif isinstance(
        value,
        (
            keras.losses.Loss,
            keras.optimizers.schedules.LearningRateSchedule,
            keras.callbacks.Callback,
        ),
    ):
        packed = memo[id(value)] = PackedState(
            type(value)
        )  # before its parts: they may refer to it
        packed.state.update(_pack(_state_of(value), memo))
    else:
        return _map_container(value, lambda part: _pack(part, memo))
    memo[id(value)] = packed
    return packed


def _unpack(value: Any, memo: dict[int, Any]) -> Any:
    if id(value) in memo:
        return memo[id(value)]
    if isinstance(value, PackedModel):
        restored: Any = _unpack_model(value)
    elif isinstance(value, PackedObject):
        restored = _unpack_object(value)
    elif isinstance(value, PackedState):
        restored = memo[id(value)] = object.__new__(value.cls)
        _set_state(restored, _unpack(value.state, memo))
    else:
        return _map_container(value, lambda part: _unpack(part, memo))
    memo[id(value)] = restored
    return restored


def _map_container(value: Any, function: Callable[[Any], Any]) -> Any:
    """Apply the function to the parts of a container; the same container if none changes."""
    if isinstance(value, dict):
        changed = {key: function(part) for key, part in value.items()}
        if all(changed[key] is part for key, part in value.items()):
            return value
        result = copy.copy(value)  # keeps the kind: ordered, with default factory, ...
        result.update(changed)
        return result
    if isinstance(value, (list, tuple)):
        parts = [function(part) for part in value]
        if all(new is old for new, old in zip(parts, value, strict=True)):
            return value
        if hasattr(value, "_fields"):  # a named tuple
            return type(value)(*parts)
        return type(value)(parts)
    return value


# Models -------------------------------------------------------------------------------------------


def _pack_model(model: keras.Model) -> PackedModel:
    own_way = _compiles_its_own_way(model)
    # Keras' archive would hold the compile arguments by name; they are kept as objects instead,
    # unless the class says itself how they are to be written.
    archive = write_archive(model if own_way else uncompiled_view(model))
    arguments = state = None
    if model.compiled and not own_way:
        # The optimizer with its loss-scaling wrapper, and with the settings that it has now.
        arguments = pack({**compile_arguments(model), "optimizer": model.optimizer})
        state = optimizer_state_of(model)
    return PackedModel(
        archive=archive,
        custom_objects=custom_objects_in(
            [model if own_way else _architecture(model)], read_config(archive)
        ),
        random_state=random_state_of(model),
        compile_arguments=arguments,
        optimizer_state=state,
        compiled_by_keras=own_way and model.compiled,
    )


def _unpack_model(packed: PackedModel) -> keras.Model:
    # Safe mode would refuse Lambda layers. It protects against archives from elsewhere; this one
    # comes with a pickle or out of this process, which is trusted code anyway.
    model = read_archive(
        packed.archive,
        packed.custom_objects,
        compile=packed.compiled_by_keras,
        safe_mode=False,
    )
    if packed.compile_arguments is not None:
        # The optimizer was packed as it was after compiling: not to be wrapped a second time.
        model.compile(**unpack(packed.compile_arguments), auto_scale_loss=False)
    if packed.optimizer_state is not None:
        restore_optimizer(model, packed.optimizer_state)
    restore_random_state(model, packed.random_state)
    return model


def _architecture(model: keras.Model) -> keras.Model:
    """Return a stand-in without what compiling added, whose names the archive does not use."""
    view = uncompiled_view(model)
    for key, value in vars(model).items():
        by_keras = type(value).__module__.split(".")[0] == "keras"
        trained_by = isinstance(value, (keras.losses.Loss, keras.metrics.Metric)) and by_keras
        if key == "loss" or trained_by:
            del vars(view)[key]
    return view


def _compiles_its_own_way(model: keras.Model) -> bool:
    names = ("compile", "get_compile_config", "compile_from_config")
    return any(getattr(type(model), name) is not getattr(keras.Model, name) for name in names)


# All else -----------------------------------------------------------------------------------------


def _pack_object(obj: Any, memo: dict[int, Any]) -> PackedObject:
    config = obj.get_config()
    return PackedObject(type(obj), _pack(config, memo), custom_objects_in([obj], config))


def _unpack_object(packed: PackedObject) -> Any:
    # `from_config` may take its argument apart; the packed object may be needed again.
    config = unpack(copy.deepcopy(packed.config))
    return keras.saving.deserialize_keras_object(
        {"class_name": packed.cls.__name__, "config": config, "registered_name": _CLASS_KEY},
        custom_objects={**packed.custom_objects, _CLASS_KEY: packed.cls},
        safe_mode=False,  # as for models: a lambda in here is trusted code
    )


def _state_of(obj: Any) -> dict[str, Any]:
    """Return the attributes of an object that has no variables, for `_set_state`."""
    if any("__getstate__" in vars(cls) for cls in type(obj).__mro__[:-1]):
        return {"__getstate__": obj.__getstate__()}
    model = getattr(obj, "model", None) if isinstance(obj, keras.callbacks.Callback) else None
    return {
        key: None if _is_of_one_run(value, model) else value for key, value in vars(obj).items()
    }


def _is_of_one_run(value: Any, model: Any) -> bool:
    """Whether a callback's attribute is set anew by each training run: its model, open files."""
    return (value is model and isinstance(value, keras.Model)) or isinstance(value, io.IOBase)


def _set_state(obj: Any, state: dict[str, Any]) -> None:
    if "__getstate__" not in state:
        vars(obj).update(state)
    elif hasattr(obj, "__setstate__"):
        obj.__setstate__(state["__getstate__"])
    else:
        vars(obj).update(state["__getstate__"])
