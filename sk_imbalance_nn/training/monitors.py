"""Monitors: callbacks that wait for a quantity in the logs, and whether it will ever come.

Keras warns and runs all epochs; here a callback that waits in vain is an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

import keras


def check_validation_monitors(callbacks: Iterable[Any]) -> None:
    """Refuse callbacks that monitor validation where nothing validates.

    Parameters
    ----------
    callbacks : iterable of keras.callbacks.Callback
        The user's.

    Raises
    ------
    ValueError
        Names the callback and the ways to validation rows.
    """
    for callback, monitor in _monitors(callbacks):
        if monitor.startswith("val_"):
            raise ValueError(
                f"{type(callback).__name__} monitors {monitor!r}, but there are no validation "
                "rows. Give validation_split=0.1, early_stopping=True or "
                "fit(..., validation_data=(X, y)), or monitor 'loss'."
            )


def check_monitors(
    callbacks: Iterable[Any],
    logs: Mapping[str, Any],
    *,
    validated: bool,
    coming: Iterable[str] = (),
) -> None:
    """Refuse callbacks that monitor what the first epoch's logs do not hold.

    Parameters
    ----------
    callbacks : iterable of keras.callbacks.Callback
        The user's.
    logs : mapping
        Of the first epoch.
    validated : bool
        Whether validation followed that epoch.
    coming : iterable of str, default=()
        What will stand in the logs before the callbacks see them, or in later epochs.

    Raises
    ------
    ValueError
        Names the callback and the nearest quantity.
    """
    for callback, monitor in _monitors(callbacks):
        if monitor in {*logs, *coming} or (monitor.startswith("val_") and not validated):
            continue
        near = get_close_matches(monitor, {*logs, *coming}, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"{type(callback).__name__} monitors {monitor!r}, but the logs have only "
            f"{sorted({*logs, *coming})}.{hint}"
        )


def monitors(callbacks: Iterable[Any], prefix: str) -> bool:
    """Say whether a callback monitors a quantity whose name begins like this.

    Parameters
    ----------
    callbacks : iterable of keras.callbacks.Callback
        The user's.
    prefix : str
        Such as ``"oof_"``.

    Returns
    -------
    bool
        True if one does.
    """
    return any(monitor.startswith(prefix) for _, monitor in _monitors(callbacks))


def say_more_is_better(callbacks: Iterable[Any], score_name: str) -> None:
    """Tell callbacks in ``mode="auto"`` that more of the validation score is better.

    Parameters
    ----------
    callbacks : iterable of keras.callbacks.Callback
        Copies of the user's; changed in place.
    score_name : str
        What the score is called in the logs.
    """
    for callback, monitor in _monitors(callbacks):
        if monitor == score_name and getattr(callback, "mode", None) == "auto":
            callback.mode = "max"


def _monitors(callbacks: Iterable[Any]) -> Iterator[tuple[Any, str]]:
    """Yield the callbacks that read a quantity; a checkpoint may just save every epoch."""
    for callback in callbacks:
        monitor = getattr(callback, "monitor", None)
        every_epoch = (
            isinstance(callback, keras.callbacks.ModelCheckpoint) and not callback.save_best_only
        )
        if isinstance(monitor, str) and not every_epoch:
            yield callback, monitor
