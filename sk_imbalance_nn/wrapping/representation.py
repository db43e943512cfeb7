"""How is an estimator written in a line? By what differs from the defaults, without addresses."""

from __future__ import annotations

import re
from copy import copy
from functools import partial
from typing import Any

_ADDRESS = re.compile(r"<.* at 0x[0-9a-fA-F]+>", re.DOTALL)


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
    shown = copy(estimator)
    for name, value in estimator.get_params(deep=False).items():
        vars(shown)[name] = _readable(value)
    return shown


def _readable(value: Any) -> Any:
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return type(value)(map(_readable, value))
    if type(value) is dict:
        return {key: _readable(part) for key, part in value.items()}
    if isinstance(value, partial):
        arguments = [*map(repr, value.args), *(f"{k}={v!r}" for k, v in value.keywords.items())]
        return _Shown(f"partial({', '.join([_name_of(value.func), *arguments])})")
    if isinstance(value, type) or (callable(value) and hasattr(value, "__name__")):
        return _Shown(_name_of(value))
    if type(value).__module__.partition(".")[0] == "keras" or _ADDRESS.match(repr(value)):
        return _Shown(f"{type(value).__name__}(...)")
    return value


def _name_of(function: Any) -> str:
    return str(getattr(function, "__name__", type(function).__name__))
