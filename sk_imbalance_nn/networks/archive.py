"""Keras models as bytes of Keras' own archive (``.keras``), written and read with care.

`model_to_bytes` and `model_from_bytes` are the way to a file: what comes back from a file is not
trusted, and no code is taken from it.
"""

from __future__ import annotations

import io
import json
import tempfile
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import keras

from sk_imbalance_nn.networks.custom_objects import custom_objects_in

# What a saved network is made of. Everything else in Keras' namespace (file readers, downloads,
# switches of safe mode) has no business in a configuration.
_MODELLING_AREAS = frozenset(
    "activations constraints dtype_policies initializers layers losses metrics models ops "
    "optimizers quantizers random regularizers trainers".split()
)
_FUNCTION_AREAS = (
    "activations",
    "constraints",
    "initializers",
    "losses",
    "metrics",
    "regularizers",
)
# Layers that run a program from a file or from bytes inside the configuration.
_PROGRAM_LAYERS = frozenset({"TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"})


def model_to_bytes(model: keras.Model) -> bytes:
    """Write a model as a ``.keras`` archive that `model_from_bytes` can read back safely.

    Parameters
    ----------
    model : keras.Model
        Compiled or not. It is not changed.

    Returns
    -------
    bytes
        The archive: architecture, weights, and, if compiled, the compile arguments and the state
        of the optimizer. No pickle. States of random generators (dropout) are not in it.

    Raises
    ------
    ValueError
        If the model holds code that could not be read back safely (a `Lambda` layer around a
        Python lambda).

    Warns
    -----
    UserWarning
        If Keras cannot write the compile arguments; the model is then saved uncompiled.

    Examples
    --------
    >>> import keras
    >>> from sk_imbalance_nn.networks.serialization import model_from_bytes, model_to_bytes
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model_from_bytes(model_to_bytes(model)).output_shape
    (None, 1)
    """
    try:
        data = write_archive(model)
    except (TypeError, ValueError, NotImplementedError) as error:
        if not model.compiled:
            raise
        data = write_archive(uncompiled_view(model))  # raises again if the layers are the cause
        warnings.warn(
            "The model is saved uncompiled, because Keras cannot write its compile arguments "
            f"({error}). Call `compile` after loading, or give the loss, metrics and optimizer a "
            "`get_config`.",
            UserWarning,
            stacklevel=2,
        )
    config = read_config(data)
    compile_config = config.pop("compile_config", None)
    # Only called for its complaint about names that Keras cannot tell apart.
    custom_objects_in([model], config)
    _refuse([need for need in _needs(config, {}) if not need.name])
    config["compile_config"] = compile_config
    return data


def model_from_bytes(data: bytes, custom_objects: dict[str, Any] | None = None) -> keras.Model:
    """Read a model from the bytes of a ``.keras`` archive without running code from it.

    The configuration is checked before Keras sees it: nothing but Keras' own modelling classes,
    objects registered with Keras and `custom_objects` is let through. So no module is imported on
    the word of the file, whatever the version of Keras (its safe mode did so before 3.9,
    CVE-2025-1550, and could be switched off by a file before 3.11, CVE-2025-8747 and 2025-9906).

    Parameters
    ----------
    data : bytes
        What `model_to_bytes` or `keras.Model.save` wrote.
    custom_objects : dict of str to class or function, optional
        Custom layers, losses, metrics, activations, ... by name.

    Returns
    -------
    keras.Model
        Compiled if the saved model was and all that its compilation needs is known.

    Raises
    ------
    ValueError
        If `data` is no archive of Keras, if the network needs custom objects that are not
        known, or if it carries code (`Lambda` layers, wrapped programs, paths of files).

    Warns
    -----
    UserWarning
        If the compile arguments cannot be restored; the model comes back uncompiled.

    Examples
    --------
    >>> import keras
    >>> from sk_imbalance_nn.networks.serialization import model_from_bytes, model_to_bytes
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile(loss="mse")
    >>> model_from_bytes(model_to_bytes(model)).loss
    'mse'
    """
    config = read_config(data)
    compile_config = config.pop("compile_config", None)
    known = dict(custom_objects or {})
    _refuse(list(_needs(config, known)))
    reason = "; ".join(need.text for need in _needs(compile_config, known))
    if compile_config and not reason:
        try:
            return read_archive(data, known, compile=True, safe_mode=True)
        except (TypeError, ValueError) as error:
            reason = str(error)
    model = read_archive(data, known, compile=False, safe_mode=True)
    if reason:
        warnings.warn(
            "The model is loaded uncompiled and predicts as before. To train it further, pass its "
            "losses, metrics and optimizer in `custom_objects`, for example "
            "`custom_objects={'my_loss': my_loss}`, or call `compile`. Its compile arguments "
            f"could not be restored because of {reason}",
            UserWarning,
            stacklevel=2,
        )
    return model


def uncompiled_view(model: keras.Model) -> keras.Model:
    """Return a shallow stand-in for `model` that Keras will save without its compile part.

    It shares every layer and variable with the model, which stays as it is. Saving through it
    leaves out losses and metrics that Keras could not write, and the optimizer.
    """
    view = object.__new__(type(model))
    vars(view).update(vars(model))
    vars(view).update(compiled=False, optimizer=None)
    return view


def write_archive(model: keras.Model) -> bytes:
    """Save with `keras.saving.save_model`, which takes nothing but a path, and read the file."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # Both are meant for people who save files; here they say nothing new.
        warnings.filterwarnings("ignore", message="You are saving a model that has not yet been")
        warnings.filterwarnings("ignore", message="The object being serialized includes a `lamb")
        path = Path(folder) / "model.keras"
        keras.saving.save_model(model, path)
        return path.read_bytes()


def read_archive(
    data: bytes, custom_objects: dict[str, Any], *, compile: bool, safe_mode: bool
) -> keras.Model:
    """Load the bytes of an archive with `keras.saving.load_model`."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # Keras wants the moments of every loaded optimizer, even of one that never made a step:
        # that has but its step counter and its learning rate.
        warnings.filterwarnings(
            "ignore", message="Skipping variable loading .* saved optimizer has [0-2] variables"
        )
        path = Path(folder) / "model.keras"
        path.write_bytes(data)
        return keras.saving.load_model(
            path, custom_objects=custom_objects, compile=compile, safe_mode=safe_mode
        )


def read_config(data: bytes) -> dict[str, Any]:
    """Return the configuration inside an archive, as plain JSON."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            config = json.loads(archive.read("config.json"))
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
        raise ValueError(
            f"Found data that is no Keras archive ({error}), expected the bytes of a `.keras` "
            "file. Save the model with `model_to_bytes` or `model.save('name.keras')`."
        ) from error
    if not isinstance(config, dict) or "class_name" not in config:
        raise ValueError(
            "Found a Keras archive whose config.json describes no model. Save the model again "
            "with `model_to_bytes` or `model.save('name.keras')`."
        )
    return config


class _Need(NamedTuple):
    """Something that a configuration asks for and that is not at hand."""

    text: str
    name: str = ""  # the key that custom_objects would want; empty if nothing can help


def _refuse(needs: list[_Need]) -> None:
    """Raise for the needs of a network, those that no custom object cures first."""
    for need in needs:
        if not need.name:
            raise ValueError(
                f"The saved network contains {need.text}, and code or files named by a saved "
                "model are never run or read. Expected layers of Keras or custom layers. Replace "
                "it by a `keras.layers.Layer` subclass (for a file: load its contents first) and "
                "pass that in `custom_objects`."
            )
    if needs:
        known = ", ".join(sorted({f"{need.name!r}: ..." for need in needs}))
        raise ValueError(
            "The saved network needs custom objects that are not known here: "
            f"{'; '.join(sorted({need.text for need in needs}))}. Expected classes and functions "
            f"of Keras, or registered ones. Pass `custom_objects={{{known}}}`."
        )


def _needs(config: Any, known: dict[str, Any]) -> Iterator[_Need]:
    """Yield what in a configuration is neither Keras' own nor known, without importing a thing."""
    if isinstance(config, dict):
        if "class_name" in config:
            yield from _needs_of_object(config, known)
        if isinstance(config.get("vocabulary"), str):
            yield _Need(f"the path of a vocabulary file, {config['vocabulary']!r}")
        config = list(config.values())
    if isinstance(config, list):
        for value in config:
            yield from _needs(value, known)


def _needs_of_object(config: dict[str, Any], known: dict[str, Any]) -> Iterator[_Need]:
    class_name, module = str(config["class_name"]), str(config.get("module"))
    inner = config.get("config")
    if class_name == "function":
        if not (_is_known(inner, known) or _is_keras_function(inner, module)):
            yield _Need(f"the function {inner!r}", str(inner))
    elif class_name == "__lambda__":
        yield _Need("a Python lambda")
    elif class_name == "__typespec__" or not class_name.startswith("__"):
        # As in Keras: the class's own name counts only where no registered name is given.
        registered_name = config.get("registered_name", class_name)
        if _is_known(registered_name, known):
            return
        if not _is_keras_class(class_name, module):
            name = str(registered_name or class_name)
            yield _Need(f"the class {class_name!r} (module {module!r})", name)
        elif class_name in _PROGRAM_LAYERS:
            yield _Need(f"a {class_name}")
        elif class_name == "Lambda" and not _wraps_named_function(inner):
            yield _Need("a Lambda layer")


def _is_known(name: Any, known: dict[str, Any]) -> bool:
    """Whether `custom_objects`, a custom object scope or Keras' registry holds the name."""
    return isinstance(name, str) and keras.saving.get_registered_object(name, known) is not None


def _is_keras_function(name: Any, module: str) -> bool:
    # Keras writes "builtins" as the module of every function; older versions would look there.
    area = module.removeprefix("keras.")
    areas = _FUNCTION_AREAS if module == "builtins" else {area} & set(_FUNCTION_AREAS)
    if not isinstance(name, str) or name in {"get", "serialize", "deserialize"}:
        return False  # the last three build other objects: no part of a network
    return any(hasattr(getattr(keras, area), name) for area in areas)


def _is_keras_class(name: str, module: str) -> bool:
    root, *path = module.split(".")
    if path[:1] == ["src"]:
        path = path[1:]
    # Keras' classes are capitalised, its functions are not.
    return root == "keras" and (not path or path[0] in _MODELLING_AREAS) and name[:1].isupper()


def _wraps_named_function(inner: Any) -> bool:
    """Whether a Lambda layer's function is given by name, not as code."""
    function = inner.get("function") if isinstance(inner, dict) else None
    return isinstance(function, dict) and function.get("class_name") == "function"
