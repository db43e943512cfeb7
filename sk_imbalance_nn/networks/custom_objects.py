"""Find the user's own classes and functions that a Keras configuration names.

Keras writes custom classes and functions by bare name. In the process that made them the objects
themselves are at hand, so nobody has to register them: walk the object graph, keep what the
configuration mentions.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any

import keras


def custom_objects_in(roots: list[Any], config: Any) -> dict[str, Any]:
    """Collect the custom classes and functions that `config` names, from the objects of `roots`.

    Parameters
    ----------
    roots : list
        Keras objects (models, optimizers, ...), functions, or containers of them.
    config : object
        Configuration of the roots: nested dicts, lists and strings.

    Returns
    -------
    dict of str to class or function
        Keyed by the name that Keras writes. Nothing that comes from Keras is in it.

    Raises
    ------
    ValueError
        If two different objects share a name that the configuration uses, or if a custom
        activation is named like one of Keras' own: Keras could not tell them apart.
    """
    names = set(_strings_in(config))
    found: dict[str, Any] = {}
    for custom in _walk(roots):
        name = keras.saving.get_registered_name(custom)
        if name not in names:
            continue
        if found.setdefault(name, custom) is not custom:
            raise ValueError(
                f"Found two different custom objects named {name!r}: {_origin(found[name])} and "
                f"{_origin(custom)}. Expected a name of its own for each, because Keras "
                "configurations know them by name only. Rename one of them, or decorate it with "
                '`@keras.saving.register_keras_serializable(package="...")`.'
            )
    return found


def _walk(roots: list[Any]) -> Iterator[Any]:
    """Yield every custom class and function reachable from the roots, each once or more."""
    stack, seen = list(roots), {}
    while stack:
        value = stack.pop()
        if id(value) in seen:
            continue
        seen[id(value)] = value  # keep it alive: an id is only unique among living objects
        if isinstance(value, dict):
            stack.extend(value.values())
        elif isinstance(value, (list, tuple, set, frozenset)):
            stack.extend(value)
        elif isinstance(value, types.FunctionType):
            if _is_custom(value):
                yield value
        elif hasattr(type(value), "get_config"):
            if _is_custom(type(value)):
                yield type(value)
            attributes = getattr(value, "__dict__", {})
            _refuse_shadowed_activations(value, attributes)
            stack.extend(attributes.values())


def _is_custom(definition: Any) -> bool:
    return (getattr(definition, "__module__", None) or "").split(".")[0] != "keras"


def _refuse_shadowed_activations(owner: Any, attributes: dict[str, Any]) -> None:
    """Raise where Keras would silently restore its own activation in place of the user's."""
    for key, value in attributes.items():
        if not (key.endswith("activation") and isinstance(value, types.FunctionType)):
            continue
        # TensorFlow's functions may share a name with Keras' because they do the same.
        if value.__module__.split(".")[0] in {"keras", "tensorflow"} or value.__name__[0] == "<":
            continue
        # Keras writes an activation as a bare string when it takes it for its own.
        if isinstance(keras.activations.serialize(value), str):
            raise ValueError(
                f"Found the custom activation {_origin(value)} in {owner!r}, named like a "
                "function of keras.activations. Expected another name, because Keras would "
                f"restore its own {value.__name__!r} in its place. Rename the function, for "
                f"example to 'my_{value.__name__}'."
            )


def _origin(definition: Any) -> str:
    return f"{definition.__module__}.{definition.__qualname__}"


def _strings_in(config: Any) -> Iterator[str]:
    if isinstance(config, str):
        yield config
    elif isinstance(config, dict):
        for value in config.values():
            yield from _strings_in(value)
    elif isinstance(config, (list, tuple)):
        for value in config:
            yield from _strings_in(value)
