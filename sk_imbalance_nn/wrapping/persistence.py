"""The file of a fitted classifier: a zip of one JSON and one Keras archive, and no code.

`plain` turns what an estimator holds into JSON, `restored` turns it back; both know a closed list
of types. Parameters beyond that list (functions, classes, optimizers) are left out, by name: they
are needed to fit again, not to predict.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import fields
from os import PathLike
from pathlib import Path
from typing import Any

import keras
import numpy as np

from sk_imbalance_nn import __version__
from sk_imbalance_nn.balancing.balance import Balance
from sk_imbalance_nn.data.inputs import InputSplitter
from sk_imbalance_nn.data.targets import TargetEncoder
from sk_imbalance_nn.losses import NAMED_LOSSES, WeightedCrossentropy
from sk_imbalance_nn.networks.archive import model_from_bytes, model_to_bytes
from sk_imbalance_nn.networks.compiling import own_loss
from sk_imbalance_nn.networks.heads import Head

_FORMAT = 1
_ESTIMATOR, _NETWORK = "estimator.json", "network.keras"
_CARRIERS = {kind.__name__: kind for kind in (Balance, Head, InputSplitter, TargetEncoder)}
_LOSSES = {kind.__name__: kind for kind in (*NAMED_LOSSES.values(), WeightedCrossentropy)}
_ARRAY_KINDS = "biufUSO"
# The network has a file of its own; callbacks and the rows' folds belong to one fit.
_NOT_WRITTEN = {"model_", "callbacks_", "oof_folds_"}
_PRIVATE = {"_balance", "_build_seed", "_head", "_oof_calibration", "_rng", "_split_seed"}


class NotSaved:
    """Stands in a loaded classifier for a parameter that no file without code can hold.

    Parameters
    ----------
    description : str
        What it was.
    """

    def __init__(self, description: str) -> None:
        self.description = description

    def __repr__(self) -> str:
        return f"<not saved: {self.description}>"


def write_estimator(estimator: Any, path: str | PathLike[str]) -> None:
    """Write a fitted classifier.

    Parameters
    ----------
    estimator : BalancedKerasClassifier
        Fitted.
    path : str or path-like
        Where to; replaced in one step, so that a failure leaves an earlier file whole.

    Raises
    ------
    TypeError
        If something that is needed to predict cannot be written.
    """
    params, left_out = {}, {}
    for name, value in estimator.get_params(deep=False).items():
        try:
            params[name] = plain(value)
        except TypeError:
            left_out[name] = getattr(value, "__name__", type(value).__name__)
    fitted = {name for name in vars(estimator) if name.endswith("_") and name[0] != "_"}
    names = (fitted | (_PRIVATE & set(vars(estimator)))) - _NOT_WRITTEN
    content = {
        "format": _FORMAT,
        "version": __version__,
        "class": type(estimator).__name__,
        "params": params,
        "left_out": left_out,
        "state": {name: plain(vars(estimator)[name]) for name in sorted(names)},
        "loss": _described_loss(estimator.model_),
    }
    target = Path(path)
    partial = target.with_name(f".{target.name}.partial")
    try:
        with zipfile.ZipFile(partial, "w") as archive:
            archive.writestr(_ESTIMATOR, json.dumps(content))
            archive.writestr(_NETWORK, model_to_bytes(estimator.model_))
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def read_estimator(
    kind: Callable[..., Any],
    path: str | PathLike[str],
    custom_objects: Mapping[str, Any] | None,
    params: Mapping[str, Any],
) -> Any:
    """Read what `write_estimator` wrote.

    Parameters
    ----------
    kind : class
        Of the classifier.
    path : str or path-like
        The file.
    custom_objects : dict or None
        What the network uses and Keras does not know, by name.
    params : dict
        Parameters that the file does not hold, or that are to differ.

    Returns
    -------
    object of that class
        Fitted.

    Raises
    ------
    ValueError
        If the file is none of `write_estimator`'s, or is of a later format.
    """
    content, network = _read(path)
    given = {name: restored(value) for name, value in content["params"].items()}
    missing = {name: NotSaved(what) for name, what in content["left_out"].items()}
    estimator = kind(**{**given, **missing, **params})
    state = {name: restored(value) for name, value in content["state"].items()}
    known = {value.__name__: value for value in params.values() if hasattr(value, "__name__")}
    state["model_"] = model_from_bytes(network, {**known, **(custom_objects or {})})
    _restore_loss(state["model_"], content.get("loss"))
    # The way that unpickling takes too: it makes the forward pass.
    estimator.__setstate__({**vars(estimator), **state})
    return estimator


def _described_loss(model: keras.Model) -> dict[str, Any] | None:
    """Describe a loss that probabilities are read by."""
    loss = own_loss(model)
    if loss is None or _LOSSES.get(type(loss).__name__) is not type(loss):
        return None
    return {"class": type(loss).__name__, "config": loss.get_config()}


def _restore_loss(model: keras.Model, described: Mapping[str, Any] | None) -> None:
    """Give a network its loss back where Keras could not restore what it was compiled with."""
    if described is not None and not model.compiled and described["class"] in _LOSSES:
        model.loss = _LOSSES[described["class"]].from_config(described["config"])


def _read(path: str | PathLike[str]) -> tuple[dict[str, Any], bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            content = json.loads(archive.read(_ESTIMATOR))
            network = archive.read(_NETWORK)
    except (zipfile.BadZipFile, KeyError, json.JSONDecodeError) as error:
        raise ValueError(
            f"{os.fspath(path)!r} was not written by BalancedKerasClassifier.save ({error})."
        ) from error
    if content.get("format", 0) > _FORMAT:
        raise ValueError(
            f"{os.fspath(path)!r} has format {content['format']}, written by version "
            f"{content['version']}; version {__version__} reads up to format {_FORMAT}. Upgrade "
            "sk_imbalance_nn."
        )
    return content, network


def plain(value: Any) -> Any:
    """Turn a value into what JSON can hold.

    Parameters
    ----------
    value : object
        None, numbers, text, bytes, arrays of them, slices, dtypes, random generators, lists,
        tuples and dicts of these, and the few classes of this package that hold them.

    Returns
    -------
    object
        Of lists, dicts, numbers and text.

    Raises
    ------
    TypeError
        For anything else.

    Examples
    --------
    >>> plain({"a": (1, None)})
    {'dict': [['a', {'tuple': [1, None]}]]}
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    if type(value) is bytes:
        return {"bytes": value.decode("latin-1")}
    if isinstance(value, list):
        return [plain(part) for part in value]
    if type(value) is tuple:
        return {"tuple": [plain(part) for part in value]}
    if isinstance(value, set):
        return {"set": sorted(plain(part) for part in value)}
    if isinstance(value, dict):
        return {"dict": [[plain(key), plain(part)] for key, part in value.items()]}
    if isinstance(value, slice):
        return {"slice": [plain(part) for part in (value.start, value.stop, value.step)]}
    if isinstance(value, np.dtype) and value.kind in _ARRAY_KINDS:
        return {"dtype": value.str}
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in _ARRAY_KINDS:
        kind = "array" if isinstance(value, np.ndarray) else "scalar"
        return {kind: plain(value.tolist()), "dtype": value.dtype.str}
    if isinstance(value, np.random.Generator):
        return {"generator": plain(value.bit_generator.state)}
    if type(value).__name__ in _CARRIERS and type(value) is _CARRIERS[type(value).__name__]:
        return {"object": type(value).__name__, "state": plain(dict(vars(value)))}
    raise TypeError(
        f"A {type(value).__name__} cannot be written to a file without code: {value!r}. Use "
        "pickle or joblib, for readers who trust you."
    )


def restored(value: Any) -> Any:
    """Turn what `plain` returned back.

    Parameters
    ----------
    value : object
        Read from JSON.

    Returns
    -------
    object
        Equal to what `plain` was given.

    Raises
    ------
    ValueError
        For what `plain` never returns.

    Examples
    --------
    >>> restored(plain({"a": (1, None)}))
    {'a': (1, None)}
    """
    if isinstance(value, list):
        return [restored(part) for part in value]
    if not isinstance(value, dict):
        return value
    match value:
        case {"bytes": text}:
            return text.encode("latin-1")
        case {"tuple": parts}:
            return tuple(map(restored, parts))
        case {"set": parts}:
            return set(map(restored, parts))
        case {"dict": pairs}:
            return {restored(key): restored(part) for key, part in pairs}
        case {"slice": parts}:
            return slice(*map(restored, parts))
        case {"array": parts, "dtype": dtype}:
            return np.array(restored(parts), dtype=_dtype(dtype))
        case {"scalar": part, "dtype": dtype}:
            return _dtype(dtype).type(restored(part))
        case {"dtype": dtype}:
            return _dtype(dtype)
        case {"generator": state}:
            return _generator(restored(state))
        case {"object": name, "state": state} if name in _CARRIERS:
            return _carrier(_CARRIERS[name], restored(state))
    raise ValueError(f"The file holds {sorted(value)}, which this version does not know.")


def _dtype(text: str) -> np.dtype[Any]:
    dtype = np.dtype(text)
    if dtype.kind not in _ARRAY_KINDS:
        raise ValueError(f"The file holds an array of {text!r}, which this version does not know.")
    return dtype


def _generator(state: Any) -> np.random.Generator:
    generator = np.random.Generator(np.random.PCG64())
    generator.bit_generator.state = state
    return generator


def _carrier(kind: type, state: dict[str, Any]) -> Any:
    if kind in (Balance, Head):
        return kind(**{field.name: state[field.name] for field in fields(kind)})
    carrier = kind()
    vars(carrier).update(state)
    return carrier
