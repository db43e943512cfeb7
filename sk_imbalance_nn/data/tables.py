"""A table of numbers, text and gaps to the matrix that the default network reads, and its levels.

Columns of numbers stay numbers, with NaN where they are missing; columns of text become the places
of their entries among the levels that `fit` saw. What to make of gaps and places is the network's
part.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from numbers import Integral
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils import assert_all_finite, check_array

from sk_imbalance_nn.data.columns import Kind, codes_of, is_plain, kind_of, levels_of, numbers_of
from sk_imbalance_nn.data.memory_map import is_mapped, read_rows

Categories: TypeAlias = list[NDArray[Any] | None]

FROM_DTYPE = "from_dtype"
_CHECKED_BYTES = 16 * 2**20
_TURNED_ROWS = 4096
_NAMES_SHOWN = 10


def learn_categories(X: Any, categorical_features: Any = FROM_DTYPE) -> Categories:
    """Find the columns that hold levels, and the levels.

    Parameters
    ----------
    X : DataFrame, array-like of shape (n_samples, n_features), or sparse matrix
        The rows to learn from.
    categorical_features : "from_dtype", or list of names or positions, or mask
        Columns whose entries are levels whatever their type. Columns of text, and those of type
        category (pandas) or Categorical or Enum (polars), always are; so is a column of objects
        without a single known entry, since it may hold either.

    Returns
    -------
    list of (ndarray or None)
        For each column its levels, numbers before text and each sorted; None where it is one of
        numbers. A missing entry is no level.

    Raises
    ------
    ValueError
        For complex numbers, and if ``categorical_features`` names a column that does not exist.
    TypeError
        For dates, durations, and entries that are neither a number nor text.

    Examples
    --------
    >>> learn_categories([[1.5, "shop"], [None, "web"]])
    [None, array(['shop', 'web'], dtype=object)]
    """
    X = as_table(X)
    declared = _declared(X, categorical_features)
    if sparse.issparse(X):
        if declared:
            raise ValueError(
                f"categorical_features names the columns {_listed(declared)} of a sparse X, whose "
                "columns are read as numbers; give a dense table, or leave them out."
            )
        return [None] * int(X.shape[1])
    dtypes = _dtypes_of(X)
    kinds = _kinds_of(X, [j for j, dtype in enumerate(dtypes) if not is_plain(dtype)])
    with_levels = {j for j, kind in kinds.items() if kind is not Kind.NUMBERS} | set(declared)
    return [
        levels_of(_column_of(X, place)) if place in with_levels else None
        for place in range(len(dtypes))
    ]


def encode_table(X: Any, categories: Sequence[NDArray[Any] | None]) -> Any:
    """Turn a table into a matrix of float32.

    Parameters
    ----------
    X : DataFrame, array-like of shape (n_samples, n_features), or sparse matrix
        Its columns in the order of ``categories``.
    categories : list of (ndarray or None)
        From `learn_categories`.

    Returns
    -------
    ndarray of float32 of shape (n_samples, n_features), or CSR matrix
        Numbers as they are; levels as their places from 0, -1 for one that is not in
        ``categories``; NaN for what is missing. What is float32 already is returned itself, and so
        is a memory-mapped array of numbers, in its own type, after it was read a chunk at a time.

    Raises
    ------
    ValueError
        For infinity and what is beyond float32, complex numbers, and text in a column of numbers.
    TypeError
        For dates, durations, and entries that are neither a number nor text.

    Examples
    --------
    >>> encode_table([[1.5, "web"], [None, "fair"]], [None, np.array(["shop", "web"])])
    array([[ 1.5,  1. ],
           [ nan, -1. ]], dtype=float32)
    """
    X = as_table(X)
    with_levels = [place for place, levels in enumerate(categories) if levels is not None]
    if sparse.issparse(X):
        return _checked_sparse(X, with_levels)
    is_array = is_plain(getattr(X, "dtype", None)) and not with_levels
    if is_mapped(X):
        if is_array:
            return _checked_map(X)
        X = read_rows(X, slice(None))
    encoded = _as_float32(X) if is_array else _encoded_columns(X, categories)
    _refuse_infinity(encoded, X)
    return encoded


def as_table(X: Any) -> Any:
    """Return what comes as lists as an array, with the type of each entry kept.

    Parameters
    ----------
    X : DataFrame, array-like, or sparse matrix
        Of any rank.

    Returns
    -------
    DataFrame, ndarray, memory-mapped array, or sparse matrix
        The same entries; a DataFrame of nothing but sparse columns is a sparse matrix.
    """
    if _is_frame(X):
        dtypes = list(X.dtypes)
        is_sparse = dtypes and all(getattr(dtype, "fill_value", None) == 0 for dtype in dtypes)
        return X.sparse.to_coo() if is_sparse else X
    if sparse.issparse(X) or isinstance(X, np.ndarray):
        return X
    with suppress(UnicodeDecodeError):  # text beside bytes
        array = np.asarray(X)
        if array.dtype.kind in "biufcO":
            return array
    # NumPy would turn the numbers beside text into text.
    return np.asarray(X, dtype=object)


def is_table(X: Any) -> bool:
    """Say whether something has rows and columns, of what need not be numbers.

    Parameters
    ----------
    X : object
        As `as_table` returns.

    Returns
    -------
    bool
        False also where there is no row or no column, and for NumPy's matrices and complex arrays,
        all of which scikit-learn refuses.
    """
    refused = isinstance(X, np.matrix) or getattr(getattr(X, "dtype", None), "kind", "") == "c"
    return not refused and len(X.shape) == 2 and 0 not in X.shape


def _is_frame(X: Any) -> bool:
    return (hasattr(X, "iloc") and hasattr(X, "columns")) or hasattr(X, "get_columns")


def _names_of(X: Any) -> list[Any]:
    return list(X.columns) if _is_frame(X) else list(range(X.shape[1]))


def _dtypes_of(X: Any) -> list[Any]:
    return list(X.dtypes) if _is_frame(X) else [X.dtype] * int(X.shape[1])


def _column_of(X: Any, place: int) -> Any:
    if not _is_frame(X):
        return read_rows(X, slice(None), [place])[:, 0] if is_mapped(X) else X[:, place]
    # By position: names may occur twice.
    return X.iloc[:, place] if hasattr(X, "iloc") else X.to_series(place)


def _declared(X: Any, features: Any) -> list[int]:
    """Return the positions of the columns that were named as categorical."""
    if isinstance(features, str) and features == FROM_DTYPE:
        return []
    if features is None or isinstance(features, str | Mapping) or not np.iterable(features):
        raise ValueError(
            f"categorical_features={features!r}; expected {FROM_DTYPE!r}, a list of names or "
            "positions of columns, or a mask with one boolean for each."
        )
    given, width = list(features), int(X.shape[1])
    if given and all(isinstance(each, bool | np.bool_) for each in given):
        if len(given) != width:
            raise ValueError(
                f"categorical_features is a mask of {len(given)} booleans, but X has {width} "
                "columns; give one for each."
            )
        return np.flatnonzero(given).tolist()
    names = _names_of(X) if _is_frame(X) else []
    places: dict[Any, int] = {
        name: place for place, name in enumerate(names) if isinstance(name, str)
    }
    places |= {place: place % width for place in range(-width, width)}
    unknown = [each for each in given if not _is_known(each, places)]
    if unknown:
        known = _listed(names) if any(isinstance(name, str) for name in names) else "unnamed"
        raise ValueError(
            f"categorical_features names the columns {unknown}, which X does not have; its "
            f"columns are {known}. Give names, or positions from 0 to {width - 1}."
        )
    return sorted({places[each] for each in given})


def _is_known(feature: Any, places: Mapping[Any, int]) -> bool:
    is_key = isinstance(feature, str | Integral) and not isinstance(feature, bool)
    return is_key and feature in places


def _kinds_of(X: Any, places: Iterable[int]) -> dict[int, Kind]:
    """Say what some columns hold, and refuse what no network reads."""
    kinds = {place: kind_of(_column_of(X, place)) for place in places}
    names = _names_of(X)

    def found(kind: Kind) -> str:
        return _listed([names[place] for place, each in kinds.items() if each is kind])

    if Kind.OTHER in kinds.values():
        raise TypeError(
            f"X holds entries that are neither numbers nor text in the columns "
            f"{found(Kind.OTHER)}; the argument must be a table whose entries are each a string "
            "or a real number, or missing. Spread lists and dicts over columns of their own."
        )
    if Kind.COMPLEX in kinds.values():
        raise ValueError(
            f"Complex data not supported: X holds it in the columns {found(Kind.COMPLEX)}. Give "
            "the real and the imaginary parts as columns of their own."
        )
    if Kind.DATES in kinds.values():
        raise TypeError(
            f"X holds dates, times or durations in the columns {found(Kind.DATES)}, and a network "
            "reads numbers: turn them into some, such as the days since a date, the month, the "
            "weekday or the hour."
        )
    return kinds


def _encoded_columns(X: Any, categories: Sequence[NDArray[Any] | None]) -> NDArray[np.float32]:
    dtypes, names = _dtypes_of(X), _names_of(X)
    kinds = _kinds_of(X, [place for place, dtype in enumerate(dtypes) if not is_plain(dtype)])
    text = [
        place
        for place, kind in kinds.items()
        if kind is Kind.LEVELS and categories[place] is None and _holds_text(X, place)
    ]
    if text:
        raise ValueError(
            f"X holds text in the columns {_listed([names[place] for place in text])}, which held "
            "numbers in fit. Turn them into numbers, with NaN for what is none; or fit again with "
            "them as text if that is what they are."
        )
    plain = [
        place
        for place, levels in enumerate(categories)
        if levels is None and place not in kinds and hasattr(X, "iloc")
    ]
    if len(plain) == len(categories):
        return _as_float32(X)
    encoded = np.empty(X.shape, dtype=np.float32)
    if plain:
        block = _as_float32(X.iloc[:, plain])
        # pandas keeps columns together and batches want rows: turned around within the cache.
        for at in range(0, len(block), _TURNED_ROWS):
            encoded[at : at + _TURNED_ROWS, plain] = block[at : at + _TURNED_ROWS]
    for place in sorted(set(range(len(categories))) - set(plain)):
        column, levels = _column_of(X, place), categories[place]
        encoded[:, place] = (
            _as_float32(numbers_of(column)) if levels is None else codes_of(column, levels)
        )
    return encoded


def _holds_text(X: Any, place: int) -> bool:
    """Say whether any level is text: those of a column of type category need not be."""
    return any(isinstance(level, str | bytes) for level in levels_of(_column_of(X, place)))


def _as_float32(X: Any) -> NDArray[np.float32]:
    # What is beyond float32 becomes infinity, which is refused by name.
    with np.errstate(over="ignore"):
        if hasattr(X, "iloc"):  # NumPy would ask for objects where booleans are among numbers
            return np.asarray(X.to_numpy(dtype=np.float32))
        return np.asarray(X, dtype=np.float32)


def _checked_sparse(X: Any, with_levels: list[int]) -> Any:
    if with_levels:
        raise ValueError(
            f"X is sparse, but in fit its columns {_listed(with_levels)} held levels; give a dense "
            "table with the same columns."
        )
    with np.errstate(over="ignore"):
        X = check_array(X, accept_sparse="csr", dtype=np.float32, ensure_all_finite=False)
    if not _is_within(X.data):
        _raise_infinity(np.unique(X.indices[np.isinf(X.data)]).tolist())
    return X


def _checked_map(X: Any) -> Any:
    step = max(1, _CHECKED_BYTES // (4 * X.shape[1]))
    # Of whole numbers none is too large, and nothing is read.
    for at in range(0, len(X) if X.dtype.kind == "f" else 0, step):
        _refuse_infinity(_as_float32(read_rows(X, slice(at, at + step))), X)
    return X


def _refuse_infinity(encoded: NDArray[np.float32], X: Any) -> None:
    if not _is_within(encoded):
        names = _names_of(X)
        _raise_infinity([names[place] for place in np.flatnonzero(np.isinf(encoded).any(axis=0))])


def _is_within(numbers: NDArray[np.float32]) -> bool:
    """Say whether no number is infinite, as fast as scikit-learn does; never if told to assume."""
    try:
        with np.errstate(invalid="ignore"):
            assert_all_finite(numbers, allow_nan=True)
    except ValueError:
        return False
    return True


def _raise_infinity(names: list[Any]) -> None:
    raise ValueError(
        "Input X contains infinity or a value too large for dtype('float32') in the columns "
        f"{_listed(names)}: put NaN where the number is unknown, a bound where it is only too "
        "large, or take logarithms."
    )


def _listed(names: Sequence[Any]) -> str:
    """Name columns; of many only the first."""
    first = names[:_NAMES_SHOWN]
    shown = [name.item() if isinstance(name, np.generic) else name for name in first]
    beyond = len(names) - len(first)
    return f"{shown} and {beyond} more" if beyond else str(shown)
