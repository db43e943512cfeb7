"""How is an estimator written in a line? By what differs from the defaults, without addresses."""

from __future__ import annotations

import re
from copy import copy
from functools import partial
from typing import Any

_ADDRESS = re.compile(r"<[^<>]* at 0x[0-9a-fA-F]+>$| at 0x[0-9a-fA-F]+$")


class _Shown:
    """Stands for a value whose own representation tells nothing."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def with_readable_parameters(estimator: Any) -> Any:
    """Return a copy for showing: functions by their names, objects by their classes.

    Parameters
    ----------
    estimator : estimator instance
        Is not changed.

    Returns
    -------
    estimator instance
        Not one to fit.

    Examples
    --------
    >>> import keras
    >>> from sk_imbalance_nn import BalancedKerasClassifier
    >>> def build(meta): ...
    >>> BalancedKerasClassifier(build, callbacks=[keras.callbacks.TerminateOnNaN()], epochs=5)
    BalancedKerasClassifier(callbacks=[TerminateOnNaN(...)], epochs=5, model=build)
    """
    shown = _readable(estimator, [])
    return copy(estimator) if shown is estimator else shown


def _readable(value: Any, within: list[Any]) -> Any:
    if any(value is outer for outer in within):
        return value  # it holds itself
    inner = [*within, value]
    if hasattr(value, "get_params") and not isinstance(value, type):
        shown = copy(value)
        for name, part in value.get_params(deep=False).items():
            setattr(shown, name, _readable(part, inner))
        return shown
    if type(value) in (list, tuple):
        return type(value)(_readable(part, inner) for part in value)
    if type(value) is dict:
        return {key: _readable(part, inner) for key, part in value.items()}
    if isinstance(value, partial):
        parts = [repr(_readable(part, inner)) for part in value.args]
        named = value.keywords.items()
        parts += [f"{name}={_readable(part, inner)!r}" for name, part in named]
        return _Shown(f"partial({', '.join([_name_of(value.func), *parts])})")
    if isinstance(value, type) or (callable(value) and hasattr(value, "__name__")):
        return _Shown(_name_of(value))
    if type(value).__module__.partition(".")[0] == "keras" or _ADDRESS.search(repr(value)):
        return _Shown(f"{type(value).__name__}(...)")
    return value


def _name_of(function: Any) -> str:
    return str(getattr(function, "__name__", type(function).__name__))
