"""What one column of a table holds: numbers, levels, or what no network reads.

A column is a Series of pandas or polars, or a column of an array. Neither library is imported:
pandas is known by `factorize`, polars by its types that say whether they are temporal.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, time, timedelta
from enum import Enum
from numbers import Integral, Number
from typing import Any

import numpy as np
from numpy.typing import NDArray

_DATES = (date, time, timedelta, np.datetime64, np.timedelta64)
# Types of pandas, which are known by their names alone.
_MISSING, _PERIOD, _INTERVAL = {"NoneType", "NAType", "NaTType"}, "Period", "Interval"
# Beyond it floats leave whole numbers out.
_EXACT = 2**53


class Kind(Enum):
    """What a column, or one entry, is read as."""

    MISSING = "missing"
    NUMBERS = "numbers"
    LEVELS = "text"
    DATES = "dates or times"
    COMPLEX = "complex numbers"
    OTHER = "neither numbers nor text"


def is_plain(dtype: Any) -> bool:
    """Say whether a type is one of NumPy's real numbers or booleans.

    Parameters
    ----------
    dtype : object
        NumPy's, pandas' or polars' type of a column.

    Returns
    -------
    bool
        Whether a column of it converts to floats as a whole.
    """
    return isinstance(dtype, np.dtype) and dtype.kind in "biuf"


def kind_of(column: Any) -> Kind:
    """Say what a column is to be read as, by its type or, where that leaves it open, its entries.

    Parameters
    ----------
    column : Series or ndarray of shape (n,)
        Of any type.

    Returns
    -------
    Kind
        MISSING where no entry is known and the type does not say what others would be.

    Examples
    --------
    >>> import numpy as np
    >>> kind_of(np.array([1, None, 2.5], dtype=object)).value
    'numbers'
    >>> kind_of(np.array([1, None, "b"], dtype=object)).value
    'text'
    """
    by_dtype = _kind_of_dtype(column.dtype)
    if by_dtype is not None:
        return by_dtype
    found = {_kind_of_type(kind) for kind in _types_of(column)} - {Kind.MISSING}
    for kind in (Kind.OTHER, Kind.COMPLEX, Kind.DATES, Kind.LEVELS):
        if kind in found:
            return kind
    if _is_category(column.dtype):
        return Kind.LEVELS
    is_known = found and any(_plain(value) is not None for value in _entries_of(column))
    return Kind.NUMBERS if is_known else Kind.MISSING


def numbers_of(column: Any) -> NDArray[Any]:
    """Return a column of numbers as floats; what is missing is NaN.

    Parameters
    ----------
    column : Series or ndarray of shape (n,)
        Of numbers, by its type or by its entries.

    Returns
    -------
    ndarray of shape (n,)
        Of NumPy's own type where the column has one.
    """
    dtype = column.dtype
    if is_plain(dtype):
        return np.asarray(column)
    if _is_of_polars(dtype) and _kind_of_dtype(dtype) is Kind.NUMBERS:
        return np.asarray(column.cast(float).to_numpy())
    if _kind_of_dtype(dtype) is Kind.NUMBERS:  # nullable, or sparse
        return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    try:
        return np.asarray(column, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):  # pandas' NA, or beyond all floats
        plain = [_plain(value) for value in _entries_of(column)]
        return np.array([np.nan if value is None else _as_float(value) for value in plain])


def levels_of(column: Any) -> NDArray[Any]:
    """Return the levels of a column, each once.

    Parameters
    ----------
    column : Series or ndarray of shape (n,)
        Of text, of numbers, or of both.

    Returns
    -------
    ndarray of shape (n_levels,)
        Numbers before text, each sorted; in no way dependent on the order of the rows. An array
        of numbers has a type of its own, one with text is of objects.

    Examples
    --------
    >>> import numpy as np
    >>> levels_of(np.array(["no", "yes", None, "no"], dtype=object)).tolist()
    ['no', 'yes']
    """
    known = [value for value in _distinct(column)[1] if value is not None]
    text = sorted({value for value in known if isinstance(value, str)})
    raw = sorted({value for value in known if isinstance(value, bytes)})
    numbers = [value for value in known if not isinstance(value, str | bytes)]
    # True, 1 and 1.0 are one level. Which of them stands for it is decided by all types that
    # occur, not by which row comes first.
    kinds = [kind for kind in _types_of(column) if _kind_of_type(kind) is Kind.NUMBERS]
    ordered = sorted({_of_one_type(value, kinds) for value in numbers})
    levels = [*ordered, *raw, *text]
    if levels and not raw and not text:
        array = np.array(levels)
        if array.tolist() == levels:  # not so if whole numbers became floats
            return array
    # Objects, since an array of text gives each entry the room of the longest.
    array = np.empty(len(levels), dtype=object)
    array[:] = levels
    return array


def codes_of(column: Any, levels: NDArray[Any]) -> NDArray[np.float32]:
    """Return the place of each entry among the levels.

    Parameters
    ----------
    column : Series or ndarray of shape (n,)
        Of text, of numbers, or of both.
    levels : ndarray of shape (n_levels,)
        As `levels_of` returns.

    Returns
    -------
    ndarray of float32 of shape (n,)
        From 0; -1 for an entry that is not among them, NaN for one that is missing.

    Examples
    --------
    >>> import numpy as np
    >>> codes_of(np.array(["b", None, "c"], dtype=object), np.array(["a", "b"], dtype=object))
    array([ 1., nan, -1.], dtype=float32)
    """
    codes, distinct = _distinct(column)
    places = {level: place for place, level in enumerate(levels.tolist())}
    found = [np.nan if value is None else places.get(value, -1) for value in distinct]
    # A code of -1, which is a missing entry, takes the last.
    return np.array([*found, np.nan], dtype=np.float32)[codes]


def _is_of_polars(dtype: Any) -> bool:
    return hasattr(dtype, "is_temporal")


def _is_category(dtype: Any) -> bool:
    return hasattr(dtype, "categories")


def _kind_of_dtype(dtype: Any) -> Kind | None:
    """Return what a type says of all entries, or None where the entries must say."""
    if _is_of_polars(dtype):
        if dtype.is_temporal():
            return Kind.DATES
        is_number = dtype.is_numeric() or type(dtype).__name__ == "Boolean"
        return Kind.NUMBERS if is_number else None
    kind = "O" if _is_category(dtype) else dtype.kind
    if kind in "biuf":
        return Kind.NUMBERS
    return {"c": Kind.COMPLEX, "m": Kind.DATES, "M": Kind.DATES, "V": Kind.OTHER}.get(kind)


def _kind_of_type(kind: type) -> Kind:
    """Return what an entry of this type is."""
    if kind.__name__ in _MISSING:  # before dates: pandas' NaT is one
        return Kind.MISSING
    if issubclass(kind, str | bytes) or kind.__name__ == _INTERVAL:
        return Kind.LEVELS
    if issubclass(kind, _DATES) or kind.__name__ == _PERIOD:
        return Kind.DATES
    if issubclass(kind, complex | np.complexfloating):
        return Kind.COMPLEX
    return Kind.NUMBERS if issubclass(kind, Number | np.bool_ | np.number) else Kind.OTHER


def _entries_of(column: Any) -> list[Any]:
    return list(column.to_list() if _is_of_polars(column.dtype) else column.tolist())


def _factorizes(column: Any) -> bool:
    # Objects that are not hashed, such as dicts, must be found before.
    return hasattr(column, "factorize") and column.dtype != object


def _types_of(column: Any) -> set[type]:
    if _factorizes(column):
        return set(map(type, column.factorize()[1].tolist()))
    return set(map(type, _entries_of(column)))


def _distinct(column: Any) -> tuple[NDArray[np.intp], list[Any]]:
    """Return where each entry stands among the distinct ones, and those; None is a missing one."""
    if _factorizes(column):
        codes, found = column.factorize()
        return np.asarray(codes), [_plain(value) for value in found.tolist()]
    entries = _entries_of(column)
    places = dict(zip(dict.fromkeys(entries), range(len(entries)), strict=False))
    # Each NaN is an entry of its own here, since none equals another.
    codes = np.fromiter(map(places.__getitem__, entries), np.intp, len(entries))
    return codes, [_plain(value) for value in places]


def _plain(value: Any) -> Any:
    """Return an entry as text, bytes, or a number of Python's own; None where it is missing."""
    kind = type(value)
    if kind is str:
        return value
    if kind.__name__ in _MISSING:
        return None
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bytes):
        return bytes(value)
    if kind.__name__ == _INTERVAL:
        return str(value)
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, bool | float):
        value = int(value) if isinstance(value, Integral) else _as_float(value)
    return None if value != value else value


def _as_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _of_one_type(value: Any, kinds: Iterable[type]) -> Any:
    if all(issubclass(kind, bool | np.bool_) for kind in kinds):
        return value
    if all(issubclass(kind, Integral | np.bool_) for kind in kinds):
        return int(value)
    # Zero is added for the sake of zero itself, whose sign is no level.
    return value if isinstance(value, int) and abs(value) > _EXACT else float(value) + 0.0
