"""Tables, arrays of any rank, sparse rows and several inputs come in; dense rows go out."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse
from sklearn import config_context
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError

from sk_imbalance_nn.data import inputs
from sk_imbalance_nn.data.inputs import (
    InputSplitter,
    arrays_of,
    first_array,
    map_structure,
    n_rows,
    row_bytes,
    select_rows,
    take_rows,
    validate_inputs,
)
from sk_imbalance_nn.data.memory_map import is_mapped

quick = settings(deadline=None, max_examples=25)
TABLE = np.arange(12, dtype=np.float32).reshape(4, 3)


class Reader(BaseEstimator):
    """Something that `validate_inputs` can leave its marks on."""


@pytest.mark.parametrize(
    ("given_dtype", "expected"),
    [
        (np.float64, np.float32),
        (np.float16, np.float32),
        (np.float32, np.float32),
        (object, np.float32),
        (np.uint8, np.uint8),
        (np.int64, np.int64),
        (np.bool_, np.bool_),
    ],
)
def test_floats_become_float32_and_integers_stay(given_dtype, expected):
    reader = Reader()
    X = validate_inputs(reader, TABLE.astype(given_dtype), reset=True)
    assert X.dtype == reader.X_dtype_ == expected
    assert X.tolist() == TABLE.astype(given_dtype).tolist()


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_frames_leave_the_names_of_their_columns(frame):
    reader = Reader()
    X = validate_inputs(reader, frame({"a": [1.0, 2.0], "b": [3.0, 4.0]}), reset=True)
    assert X.tolist() == [[1, 3], [2, 4]]
    assert reader.feature_names_in_.tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="feature names should match"):
        validate_inputs(reader, frame({"b": [1.0], "a": [3.0]}), reset=False)


@pytest.mark.parametrize("shape", [(5, 3), (5, 4, 2), (5, 4, 4, 3), (5, 2, 2, 2, 1)])
def test_arrays_of_any_rank_keep_their_shape(shape):
    reader = Reader()
    X = validate_inputs(reader, np.zeros(shape), reset=True)
    assert X.shape == reader.X_shape_ == shape
    assert validate_inputs(reader, np.zeros((2, *shape[1:])), reset=False).shape[0] == 2


@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "lil", "dok"])
@pytest.mark.parametrize("container", [sparse.coo_matrix, sparse.coo_array])
def test_sparse_tables_of_all_kinds_become_csr(container, kind):
    X = validate_inputs(Reader(), container(TABLE).asformat(kind), reset=True)
    assert X.format == "csr"
    assert X.toarray().tolist() == TABLE.tolist()


def mapped(folder, array):
    np.save(folder / "table.npy", array)
    return np.load(folder / "table.npy", mmap_mode="r")


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.uint8])
def test_memory_maps_stay_as_they_are(tmp_path, dtype):
    X, reader = mapped(tmp_path, TABLE.astype(dtype)), Reader()
    assert validate_inputs(reader, X, reset=True) is X
    assert (reader.X_shape_, reader.X_dtype_, reader.n_features_in_) == ((4, 3), dtype, 3)
    assert validate_inputs(Reader(), {"a": X, "b": TABLE}, reset=True)["a"] is X


@pytest.mark.parametrize(
    ("entry", "dtype"),
    [(np.nan, "f4"), (np.inf, "f8"), (-np.inf, "f4"), (1e300, "f8"), (1j, "c8")],
)
@pytest.mark.parametrize("wrap", [lambda X: X, lambda X: {"a": X}])
def test_memory_maps_are_refused_as_arrays_are(tmp_path, monkeypatch, entry, dtype, wrap):
    monkeypatch.setattr(inputs, "_CHECKED_BYTES", 24)
    X = TABLE.astype(dtype)
    X[3, 1] = entry
    with np.errstate(over="ignore"):
        with pytest.raises(ValueError) as expected:
            validate_inputs(Reader(), wrap(X), reset=True)
        with pytest.raises(ValueError) as found:
            validate_inputs(Reader(), wrap(mapped(tmp_path, X)), reset=True)
    assert str(found.value).splitlines()[0] == str(expected.value).splitlines()[0]


@pytest.mark.parametrize(
    ("view", "message"),
    [
        (lambda X: X[:0], r"0 sample\(s\)"),
        (lambda X: X[:, :0], r"0 feature\(s\)"),
        (lambda X: X[:, 0], "Expected 2D array"),
    ],
)
def test_memory_maps_without_entries_are_refused(tmp_path, view, message):
    with pytest.raises(ValueError, match=message):
        validate_inputs(Reader(), view(mapped(tmp_path, TABLE)), reset=True)


def test_memory_maps_are_not_looked_at_where_all_is_taken_for_finite(tmp_path):
    X = mapped(tmp_path, np.full((3, 2), [[0.0], [np.nan], [0.0]]))
    with config_context(assume_finite=True):
        assert validate_inputs(Reader(), X, reset=True) is X


@pytest.mark.parametrize("columns", [slice(1, 3), slice(None, None, 2), [2, 0, 2], -1])
def test_columns_of_a_memory_map_are_not_read(tmp_path, columns):
    X = mapped(tmp_path, TABLE)
    part = InputSplitter({"part": columns}).fit(X).transform(X)["part"]
    expected = InputSplitter({"part": columns}).fit(TABLE).transform(TABLE)["part"]
    assert is_mapped(part)
    for take in (take_rows, select_rows):
        taken = take(part, np.array([3, 0, 3]))
        assert not is_mapped(taken)
        assert taken.tolist() == expected[[3, 0, 3]].tolist()


def test_a_dict_of_arrays_is_checked_array_by_array():
    reader = Reader()
    parts = {"left": np.zeros((3, 2)), "right": sparse.csr_array(np.eye(3, dtype=np.int64))}
    X = validate_inputs(reader, parts, reset=True)
    assert X["left"].dtype == np.float32
    assert X["right"].dtype == np.int64
    assert reader.n_features_in_ == 5
    assert reader.X_shape_ == {"left": (3, 2), "right": (3, 3)}
    reordered = {"right": np.ones((1, 3)), "left": np.ones((1, 2))}
    assert validate_inputs(reader, reordered, reset=False).keys() == parts.keys()


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ([[1.0, np.nan]], ValueError, "NaN"),
        ([[1.0, np.inf]], ValueError, "infinity"),
        (np.array([[1.0 + 1j]]), ValueError, "Complex data"),
        ([1.0, 2.0], ValueError, "Expected 2D array"),
        (np.zeros((0, 3)), ValueError, r"0 sample\(s\)"),
        (np.zeros((3, 0)), ValueError, r"0 feature\(s\)"),
        ([["a", "b"]], ValueError, "convert string to float"),
        ([[{}, 1]], TypeError, "must be a string or a real number"),
        ({}, ValueError, "empty dict; expected one array for each input"),
        ({"a": [[1.0]], "b": [[np.nan]]}, ValueError, r"X\['b'\] contains NaN"),
        ({"a": [[1.0]], "b": [[1.0], [2.0]]}, ValueError, "inconsistent numbers of samples"),
    ],
)
def test_inputs_that_are_no_numbers_are_refused(X, error, message):
    with pytest.raises(error, match=message):
        validate_inputs(Reader(), X, reset=True)


@pytest.mark.parametrize(
    ("fitted", "X", "message"),
    [
        (TABLE, TABLE[:, :2], "2 features, but Reader is expecting 3"),
        (np.zeros((2, 3, 4)), np.zeros((2, 3, 5)), r"shape \(3, 5\) a row.*on rows of \(3, 4\)"),
        ({"a": TABLE, "b": TABLE}, {"a": TABLE}, "fitted on rows of"),
        ({"a": TABLE}, {"a": TABLE[:, :1]}, r"\{'a': \(1,\)\} a row"),
        ({"a": TABLE}, {"b": TABLE}, r"\{'b': \(3,\)\} a row"),
        ({"a": TABLE}, TABLE, "fitted on rows of"),
        (TABLE, {"a": TABLE}, "fitted on rows of"),
    ],
)
def test_rows_of_another_shape_than_in_fit_are_refused(fitted, X, message):
    reader = Reader()
    validate_inputs(reader, fitted, reset=True)
    with pytest.raises(ValueError, match=message):
        validate_inputs(reader, X, reset=False)


# InputSplitter ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "columns", [slice(1, 3), [1, 2], (1, 2), ["b", "c"], [-2, -1], range(1, 3)]
)
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_columns_are_found_by_slice_position_or_name(form, columns):
    names = np.array(["a", "b", "c"])
    splitter = InputSplitter({"left": columns, "right": slice(None)}).fit(form(TABLE), names)
    parts = splitter.transform(form(TABLE))
    dense = take_rows(parts, slice(None))
    assert dense["left"].tolist() == TABLE[:, 1:].tolist()
    assert dense["right"].tolist() == TABLE.tolist()


@pytest.mark.parametrize("column", [1, -2, np.int64(1), "b"], ids=repr)
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_a_single_column_needs_no_list(form, column):
    names = np.array(["a", "b", "c"])
    part = InputSplitter({"left": column}).fit(form(TABLE), names).transform(form(TABLE))["left"]
    assert take_rows(part, slice(None)).tolist() == TABLE[:, [1]].tolist()


@quick
@given(st.lists(st.integers(0, 2), min_size=1), st.lists(st.integers(0, 3), min_size=1))
def test_splitting_commutes_with_taking_rows(columns, rows):
    splitter = InputSplitter({"part": columns}).fit(TABLE)
    first = splitter.transform(TABLE[rows])["part"]
    assert first.tolist() == take_rows(splitter.transform(TABLE), np.array(rows))["part"].tolist()


def test_without_inputs_the_table_passes_through():
    assert InputSplitter().fit(TABLE).transform(TABLE) is TABLE


@pytest.mark.parametrize(
    ("columns", "names", "message"),
    [
        (["a", "z"], np.array(["a", "b", "c"]), r"columns \['z'\].*its columns are \['a', 'b'"),
        (["a"], None, r"unnamed \(give positions\)"),
        ([0, 3], None, r"asks for the columns \[3\]; X has 3"),
        ([-4], None, r"columns \[-4\]"),
        (3, None, r"asks for the columns \[3\]; X has 3"),
        ("abc", np.array(["a", "b", "c"]), r"names the columns \['abc'\]"),
    ],
)
def test_columns_that_do_not_exist_are_refused(columns, names, message):
    with pytest.raises(ValueError, match=message):
        InputSplitter({"part": columns}).fit(TABLE, names)


def test_a_dict_of_inputs_is_not_split_again():
    with pytest.raises(ValueError, match="leave out the parameter `inputs`"):
        InputSplitter({"part": [0]}).fit({"part": TABLE})


def test_splitter_is_a_scikit_learn_transformer():
    splitter = InputSplitter({"part": [0]})
    assert clone(splitter).get_params() == {"inputs": {"part": [0]}}
    with pytest.raises(NotFittedError):
        splitter.transform(TABLE)


# Structures ---------------------------------------------------------------------------------------

leaves = hnp.arrays(np.int64, st.just((4, 2)), elements=st.integers(-9, 9))
structures = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3),
        st.lists(inner, min_size=1, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=2), inner, min_size=1, max_size=3),
    ),
    max_leaves=6,
)


def form_of(value):
    if isinstance(value, dict):
        return {key: form_of(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(form_of(part) for part in value)
    return None


@quick
@given(structures, st.lists(st.integers(0, 3), min_size=1, max_size=6).map(np.array))
def test_taking_rows_takes_them_of_every_array_and_keeps_the_form(structure, rows):
    taken = take_rows(structure, rows)
    assert form_of(taken) == form_of(structure)
    for part, whole in zip(arrays_of(taken), arrays_of(structure), strict=True):
        assert part.tolist() == [whole[row].tolist() for row in rows]
    assert n_rows(taken) == len(rows)
    assert first_array(taken) is arrays_of(taken)[0]


@quick
@given(structures)
def test_mapping_the_identity_changes_nothing(structure):
    same = map_structure(lambda part: part, structure)
    assert form_of(same) == form_of(structure)
    assert all(a is b for a, b in zip(arrays_of(same), arrays_of(structure), strict=True))


def test_rows_of_sparse_tables_leave_dense():
    rows = take_rows({"s": sparse.csr_array(TABLE), "d": TABLE}, np.array([2, 0]))
    assert type(rows["s"]) is np.ndarray
    assert rows["s"].tolist() == rows["d"].tolist() == TABLE[[2, 0]].tolist()


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (TABLE, 12),
        (np.zeros((2, 4, 5), np.uint8), 80),
        ({"a": TABLE, "b": [TABLE, np.zeros(4)]}, 28),
        (sparse.csr_array((3, 10**9)), 4 * 10**9),
        (SimpleNamespace(shape=(3, 0)), 1),
    ],
)
def test_bytes_of_a_row_are_those_of_dense_float32(value, size):
    assert row_bytes(value) == size


def test_columns_of_text_are_named_with_the_cure():
    table = pd.DataFrame({"amount": [1.0, 2.0, 3.0, 4.0], "shop": ["a", "b", "a", "b"]})
    with pytest.raises(ValueError, match=r"text in the columns \['shop'\].*OneHotEncoder"):
        validate_inputs(Reader(), table, reset=True)
    with pytest.raises(ValueError, match=r"X holds text \(could not convert.*OneHotEncoder"):
        validate_inputs(Reader(), table.to_numpy(), reset=True)


def test_columns_with_gaps_are_named_with_the_cure():
    table = pd.DataFrame({"amount": [1.0, np.nan], "age": [1.0, 2.0], "count": [1, 2]})
    with pytest.raises(ValueError, match=r"NaN in the columns \['amount'\].*SimpleImputer"):
        validate_inputs(Reader(), table, reset=True)
