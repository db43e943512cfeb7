"""The inputs: checked arrays of any rank, sparse tables, and networks with several inputs.

What is passed on is a *structure*: an array, a CSR matrix, or a dict, list or tuple of them,
all with the same number of rows. Rows leave it as dense arrays, a batch or a chunk at a time.
Memory-mapped arrays stay in their files until then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn import get_config
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_array
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from sk_imbalance_nn.data import tables
from sk_imbalance_nn.data.memory_map import MappedColumns, is_mapped, read_rows
from sk_imbalance_nn.data.tables import FROM_DTYPE, encode_table, is_table, learn_categories

# Floats of other widths become float32; integers and booleans stay as they are (an image of
# uint8 takes a quarter of the memory) until a batch of them is handed to the network.
_DTYPES = [
    np.float32, np.bool_,
    np.int8, np.int16, np.int32, np.int64,
    np.uint8, np.uint16, np.uint32, np.uint64,
]  # fmt: skip
_CHECKED_BYTES = 16 * 2**20
_OR_AS_IT_IS = "; the default network (model=None) takes them as they are"


def validate_inputs(
    estimator: Any,
    X: Any,
    *,
    reset: bool,
    as_table: bool = False,
    categorical_features: Any = FROM_DTYPE,
) -> Any:
    """Check ``X`` as scikit-learn does, and remember or compare its columns.

    Parameters
    ----------
    estimator : estimator
        Takes ``n_features_in_``, ``feature_names_in_``, ``X_shape_`` and ``X_dtype_``, and of a
        table ``categories_``.
    X : array-like of any rank from 2, DataFrame, sparse matrix, or dict of arrays
        The rows to learn from or to predict.
    reset : bool
        True in `fit`: remember; False elsewhere: compare.
    as_table : bool, default=False
        Whether what has rows and columns may hold text and gaps, which `encode_table` turns into
        places and NaN. Dicts of arrays and arrays of another rank are checked as ever.
    categorical_features : "from_dtype", or list of names or positions, or mask
        As `learn_categories` takes it, for a table in `fit`.

    Returns
    -------
    ndarray, CSR matrix, or dict of them
        Finite numbers; floats are float32. A memory-mapped array is returned itself, in its own
        type, after it was read once, a chunk at a time. A table is float32, with NaN for gaps.

    Raises
    ------
    ValueError
        For NaN, infinity, complex numbers, empty arrays, and shapes that differ from `fit`'s. In
        a table NaN is none of them, but text is in a column that held numbers in `fit`.
    TypeError
        For entries that are no numbers; in a table for those that are neither numbers nor text.
    """
    if reset:
        # Another kind of input may have been fitted before.
        vars(estimator).pop("categories_", None)
    # SciPy's dictionary-of-keys matrices are mappings too.
    if isinstance(X, Mapping) and not sparse.issparse(X):
        X = _check_mapping(X)
    elif as_table and is_table(table := tables.as_table(X)):
        validate_data(estimator, X, reset=reset, skip_check_array=True)
        if reset:
            estimator.categories_ = learn_categories(table, categorical_features)
        X = encode_table(table, getattr(estimator, "categories_", [None] * table.shape[1]))
    else:
        with _columns_named(X):
            checked = validate_data(
                estimator, _head(X), reset=reset, accept_sparse="csr", allow_nd=True, dtype=_DTYPES
            )
            X = _checked_map(X, "X", estimator) if is_mapped(X) else checked
    shape = map_structure(lambda part: tuple(part.shape), X)
    if reset:
        estimator.X_shape_ = shape
        estimator.X_dtype_ = map_structure(lambda part: part.dtype, X)
        if isinstance(X, dict):
            estimator.n_features_in_ = sum(int(part.shape[1]) for part in X.values())
    else:
        _compare_shapes(shape, estimator.X_shape_, type(estimator).__name__)
    return X


@contextmanager
def _columns_named(X: Any) -> Iterator[None]:
    """Say which columns hold text, or nothing, and what to do about it."""
    try:
        yield
    except ValueError as error:
        if "could not convert string to float" in str(error):
            where = _names_of_columns(X, lambda column: column.dtype.kind not in "biuf")
            raise ValueError(
                f"X holds text{where} ({error}), and a network reads numbers: put a "
                "ColumnTransformer with a OneHotEncoder(handle_unknown='ignore') before it, in a "
                f"Pipeline{_OR_AS_IT_IS}."
            ) from error
        if "contains NaN" in str(error):
            where = _names_of_columns(X, _has_nan)
            raise ValueError(
                f"Input X contains NaN{where}, and a network reads numbers: put a "
                "SimpleImputer(add_indicator=True) before it, in a Pipeline, or drop such "
                f"rows{_OR_AS_IT_IS}."
            ) from error
        raise


def _has_nan(column: NDArray[Any]) -> bool:
    return column.dtype.kind == "f" and bool(np.isnan(column).any())


def _names_of_columns(X: Any, is_meant: Callable[[NDArray[Any]], bool]) -> str:
    """Name the columns of a DataFrame for which something holds."""
    names = [str(name) for name in getattr(X, "columns", ()) if is_meant(np.asarray(X[name]))]
    return f" in the columns {names}" if names else ""


def _check_mapping(X: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    if not X:
        raise ValueError("X is an empty dict; expected one array for each input of the network.")
    checked = {name: _checked_part(part, f"X[{name!r}]") for name, part in X.items()}
    check_consistent_length(*checked.values())
    return checked


def _checked_part(part: Any, name: str) -> Any:
    checked = check_array(
        _head(part), allow_nd=True, dtype=_DTYPES, accept_sparse="csr", input_name=name
    )
    return _checked_map(part, name) if is_mapped(part) else checked


def _head(X: Any) -> Any:
    """Return what scikit-learn may look at whole: of a memory-mapped array its first row."""
    return read_rows(X, slice(0, 1)) if is_mapped(X) and X.ndim else X


def _checked_map(X: Any, name: str, estimator: Any = None) -> Any:
    """Look for entries that are not finite, a chunk at a time; say so as scikit-learn does."""
    if X.dtype.kind in "biu" or get_config()["assume_finite"]:
        return X
    step = max(1, _CHECKED_BYTES // row_bytes(X))
    for at in range(0, n_rows(X), step):
        chunk = read_rows(X, slice(at, at + step))
        check_array(chunk, allow_nd=True, dtype=_DTYPES, input_name=name, estimator=estimator)
    return X


def _compare_shapes(found: Any, expected: Any, name: str) -> None:
    rows_apart = map_structure(lambda shape: shape[1:], found, is_leaf=_is_shape)
    fitted = map_structure(lambda shape: shape[1:], expected, is_leaf=_is_shape)
    if rows_apart != fitted:
        raise ValueError(
            f"X has the shape {rows_apart} a row, but {name} was fitted on rows of {fitted}."
        )


def _is_shape(value: Any) -> bool:
    return isinstance(value, tuple) and all(isinstance(size, int) for size in value)


class InputSplitter(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """One table in, the inputs of the network out.

    Cross-validation and Pipelines slice one table; a network with several inputs wants a dict.

    Parameters
    ----------
    inputs : dict, default=None
        For each input of the network, by name: its columns, as a slice, as a list of positions
        or as a list of names (DataFrames). None passes the table through.

    Examples
    --------
    >>> import numpy as np
    >>> splitter = InputSplitter({"left": slice(0, 2), "right": [2]}).fit(np.eye(3))
    >>> {name: part.shape for name, part in splitter.transform(np.eye(3)).items()}
    {'left': (3, 2), 'right': (3, 1)}
    """

    def __init__(self, inputs: Mapping[str, Any] | None = None) -> None:
        self.inputs = inputs

    def fit(self, X: Any, feature_names: NDArray[Any] | None = None) -> InputSplitter:
        """Find the position of every named column.

        Parameters
        ----------
        X : array or CSR matrix of shape (n_samples, n_features, ...)
            The table.
        feature_names : ndarray of shape (n_features,), default=None
            The names of its columns, if it has any.

        Returns
        -------
        InputSplitter
            The fitted splitter.

        Raises
        ------
        ValueError
            If a column does not exist, or if the table already is a dict of inputs.
        """
        self.columns_: dict[str, Any] | None = None
        if self.inputs is None:
            return self
        if isinstance(X, Mapping):
            raise ValueError("X is a dict of inputs already; leave out the parameter `inputs`.")
        self.columns_ = {
            name: _positions(name, columns, X.shape[1], feature_names)
            for name, columns in self.inputs.items()
        }
        return self

    def transform(self, X: Any) -> Any:
        """Split the table.

        Parameters
        ----------
        X : array, CSR matrix, or dict of them
            As in `fit`.

        Returns
        -------
        dict of arrays, or X itself where ``inputs`` is None
            One entry an input; of a memory-mapped table nothing is read.
        """
        check_is_fitted(self, "columns_")
        if self.columns_ is None:
            return X
        return {name: _columns_of(X, columns) for name, columns in self.columns_.items()}


def _columns_of(X: Any, columns: slice | list[int]) -> Any:
    if is_mapped(X) and not isinstance(columns, slice):
        return MappedColumns(X, columns)
    return X[:, columns]


def _positions(name: str, columns: Any, width: int, names: NDArray[Any] | None) -> Any:
    if isinstance(columns, slice):
        return columns
    columns = [columns] if isinstance(columns, str | Integral) else list(columns)
    if any(isinstance(column, str) for column in columns):
        known = [] if names is None else names.tolist()
        missing = [column for column in columns if column not in known]
        if missing:
            raise ValueError(
                f"inputs[{name!r}] names the columns {missing}, which X does not have; "
                f"its columns are {known or 'unnamed (give positions)'}."
            )
        return [known.index(column) for column in columns]
    beyond = [column for column in columns if not -width <= column < width]
    if beyond:
        raise ValueError(f"inputs[{name!r}] asks for the columns {beyond}; X has {width}.")
    return columns


def map_structure(
    function: Callable[[Any], Any], value: Any, is_leaf: Callable[[Any], bool] | None = None
) -> Any:
    """Apply ``function`` to every array of a structure and keep its form.

    Parameters
    ----------
    function : callable
        Takes one array.
    value : array, or dict, list or tuple of arrays, nested
        The structure.
    is_leaf : callable, default=None
        Says of a dict, list or tuple that it is to be taken whole.

    Returns
    -------
    structure
        Of the same form, with the results.

    Examples
    --------
    >>> map_structure(len, {"a": [1, 2], "b": [3]}, is_leaf=lambda v: isinstance(v, list))
    {'a': 2, 'b': 1}
    """
    if is_leaf is None or not is_leaf(value):
        if isinstance(value, Mapping):
            return {key: map_structure(function, part, is_leaf) for key, part in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(map_structure(function, part, is_leaf) for part in value)
    return function(value)


def arrays_of(value: Any) -> list[Any]:
    """Return the arrays of a structure."""
    arrays: list[Any] = []
    map_structure(arrays.append, value)
    return arrays


def first_array(value: Any) -> Any:
    """Return the first array of a structure."""
    return arrays_of(value)[0]


def n_rows(value: Any) -> int:
    """Return how many rows the arrays of a structure have."""
    return int(first_array(value).shape[0])


def select_rows(value: Any, rows: NDArray[np.intp] | slice) -> Any:
    """Return some rows of every array of a structure, in memory, sparse where it was sparse."""
    return map_structure(lambda part: _rows_of(part, rows), value)


def take_rows(value: Any, rows: NDArray[np.intp] | slice) -> Any:
    """Return some rows of every array of a structure, dense.

    Parameters
    ----------
    value : structure
        Arrays, memory-mapped or not, or CSR matrices.
    rows : ndarray of shape (n,) or slice
        Which rows.

    Returns
    -------
    structure of ndarray
        Of the same form.

    Examples
    --------
    >>> import numpy as np
    >>> take_rows({"a": np.arange(4)}, np.array([3, 1]))
    {'a': array([3, 1])}
    """
    return map_structure(lambda part: _dense_rows(part, rows), value)


def _dense_rows(part: Any, rows: NDArray[np.intp] | slice) -> NDArray[Any]:
    taken = _rows_of(part, rows)
    return np.asarray(taken.toarray() if sparse.issparse(taken) else taken)


def _rows_of(part: Any, rows: NDArray[np.intp] | slice) -> Any:
    return read_rows(part, rows) if is_mapped(part) else part[rows]


def row_bytes(value: Any) -> int:
    """Return how many bytes one row of a structure takes once it is dense float32."""
    return max(4 * sum(int(np.prod(part.shape[1:])) for part in arrays_of(value)), 1)
