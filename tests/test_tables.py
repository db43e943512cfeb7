"""Tables of numbers, text and gaps become a matrix of numbers and places, and back."""

import datetime
from decimal import Decimal
from enum import Enum
from fractions import Fraction

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn import config_context
from sklearn.base import BaseEstimator

from sk_imbalance_nn.data import tables
from sk_imbalance_nn.data.inputs import validate_inputs
from sk_imbalance_nn.data.memory_map import is_mapped
from sk_imbalance_nn.data.tables import encode_table, learn_categories

quick = settings(deadline=None, max_examples=60)
NAN, MISSING = np.nan, -9.0
NUMBERS = np.array([[1.0, -2.5], [NAN, 0.0], [3.0, 1e30]], dtype=np.float32)
FRAMES = {"pandas": pd.DataFrame, "polars": pl.DataFrame}
COLOURS = ["red", None, "blue", "red"]


class Reader(BaseEstimator):
    """Something that `validate_inputs` can leave its marks on."""


class Colour(str, Enum):
    RED, BLUE = "red", "blue"


def lists_of(categories):
    return [None if levels is None else levels.tolist() for levels in categories]


def column_of(values, dtype=None):
    """Return the levels of a column of pandas' and its codes, with a number for what is missing."""
    frame = pd.DataFrame({"column": pd.Series(values, dtype=dtype)})
    categories = learn_categories(frame)
    codes = encode_table(frame, categories)[:, 0]
    return lists_of(categories)[0], np.nan_to_num(codes, nan=MISSING)


def mapped(folder, array):
    np.save(folder / "table.npy", array)
    return np.load(folder / "table.npy", mmap_mode="r")


# Columns by their type ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype",
    ["Int64", "Int8", "Float32", "boolean", "int64[pyarrow]", "double[pyarrow]", "bool[pyarrow]"],
)
def test_nullable_numbers_of_pandas_are_numbers_with_gaps(dtype):
    levels, numbers = column_of([1, None, 0], dtype)
    assert levels is None
    assert numbers.tolist() == [1, MISSING, 0]


@pytest.mark.parametrize(
    "values",
    [
        [1, None, 0],
        [True, pd.NA, False],
        [1.0, NAN, 0.0],
        [Decimal("1"), pd.NaT, Fraction(0)],
        [np.float32(1), NAN, np.bool_(False)],
    ],
)
def test_objects_that_are_all_numbers_are_numbers(values):
    levels, numbers = column_of(values, object)
    assert levels is None
    assert numbers.tolist() == [1, MISSING, 0]
    array = np.array([[value] for value in values], dtype=object)
    assert lists_of(learn_categories(array)) == [None]
    assert np.array_equal(encode_table(array, [None]), [[1], [NAN], [0]], equal_nan=True)


@pytest.mark.parametrize(
    "dtype",
    [object, "str", "string", "category", "string[pyarrow]", pd.ArrowDtype(pa.string())],
    ids=str,
)
def test_text_of_pandas_becomes_places_among_sorted_levels(dtype):
    levels, codes = column_of(COLOURS, dtype)
    assert levels == ["blue", "red"]
    assert codes.tolist() == [1, MISSING, 0, 1]


@pytest.mark.parametrize("dtype", [pl.String, pl.Categorical, pl.Enum(["red", "x", "blue"])])
def test_text_of_polars_becomes_places_among_sorted_levels(dtype):
    frame = pl.DataFrame({"column": pl.Series(COLOURS, dtype=dtype)})
    categories = learn_categories(frame)
    assert lists_of(categories) == [["blue", "red"]]
    codes = np.nan_to_num(encode_table(frame, categories)[:, 0], nan=MISSING)
    assert codes.tolist() == [1, MISSING, 0, 1]


def test_booleans_beside_numbers_are_numbers():
    frame = pd.DataFrame({"a": [True, False], "b": [NAN, 2.5], "c": np.array([3, 4], np.uint8)})
    assert learn_categories(frame) == [None] * 3
    for table in (frame, frame.assign(text="x")):
        encoded = encode_table(table, learn_categories(table))[:, :3]
        assert np.array_equal(encoded, [[1, NAN, 3], [0, 2.5, 4]], equal_nan=True)


def test_numbers_of_polars_are_numbers_with_gaps():
    frame = pl.DataFrame(
        {
            "whole": [1, None],
            "bool": [True, None],
            "float": [1.0, None],
            "decimal": [Decimal("1.0"), None],
            "object": pl.Series([1, None], dtype=pl.Object),
        }
    )
    categories = learn_categories(frame)
    assert categories == [None] * 5
    assert np.array_equal(encode_table(frame, categories), [[1] * 5, [NAN] * 5], equal_nan=True)


@pytest.mark.parametrize(
    "kind", ["U", "S", "O", *("T" if hasattr(np.dtypes, "StringDType") else "")]
)
def test_arrays_of_text_hold_levels(kind):
    text = np.array([["b"], ["a"]]).astype(kind)
    categories = learn_categories(text)
    assert categories[0].astype(str).tolist() == ["a", "b"]
    assert encode_table(text, categories).tolist() == [[1], [0]]


def test_levels_of_category_are_those_that_occur_whatever_their_type():
    column = pd.Categorical([3, None, 1], categories=[7, 3, 1])
    assert column_of(column)[0] == [1, 3]
    levels, codes = column_of(pd.cut([1, 9, np.nan], [0, 5, 10]))
    assert levels == ["(0, 5]", "(5, 10]"]
    assert codes.tolist() == [0, 1, MISSING]


@pytest.mark.parametrize("values", [[1, "a", None], ["a", None, True], [2.5, "a", "1"]])
def test_a_column_of_numbers_and_text_holds_levels_of_both(values):
    levels, codes = column_of(values, object)
    assert levels == sorted(filter(None, values), key=lambda level: (isinstance(level, str), level))
    assert [levels[int(code)] if code >= 0 else None for code in codes] == values


def test_members_of_an_enum_of_text_are_their_text():
    levels, codes = column_of([Colour.RED, "blue", "red", np.str_("blue")], object)
    assert levels == ["blue", "red"]
    assert codes.tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([None, None], dtype=object),
        pd.Series([NAN, None], dtype=object),
        pd.Series([None, None], dtype="str"),
        pd.Series([None, None], dtype="category"),
        pl.Series([None, None]),
        pl.Series([None, None], dtype=pl.String),
    ],
)
def test_a_column_without_a_known_entry_has_no_level_and_refuses_nothing_later(column):
    kind = pl.DataFrame if isinstance(column, pl.Series) else pd.DataFrame
    categories = learn_categories(kind({"a": column}))
    assert lists_of(categories) == [[]]
    assert np.isnan(encode_table(kind({"a": column}), categories)).all()
    assert encode_table(kind({"a": ["text"]}), categories).tolist() == [[-1]]
    assert encode_table(kind({"a": [1.5]}), categories).tolist() == [[-1]]


def test_lists_keep_the_types_of_their_entries():
    rows = [[1.5, "a", None], [None, "b", 2]]
    categories = learn_categories(rows)
    assert lists_of(categories) == [None, ["a", "b"], None]
    expected = [[1.5, 0, NAN], [NAN, 1, 2]]
    assert np.array_equal(encode_table(rows, categories), expected, equal_nan=True)


# Columns that were named --------------------------------------------------------------------------


@pytest.mark.parametrize("named", [["b"], [1], [-1], [False, True], np.array([False, True])])
@pytest.mark.parametrize("frame", FRAMES.values())
def test_named_columns_hold_levels_whatever_their_type(frame, named):
    table = frame({"a": [1, 2, 3], "b": [30, 10, None]})
    categories = learn_categories(table, named)
    assert lists_of(categories) == [None, [10, 30]]
    expected = [[1, 1], [2, 0], [3, NAN]]
    assert np.array_equal(encode_table(table, categories), expected, equal_nan=True)


@pytest.mark.parametrize(
    ("values", "levels"),
    [
        ([True, False, True], np.array([False, True])),
        (np.array([3, 1, 3], np.int8), np.array([1, 3])),
        ([0.5, NAN, -1.0], np.array([-1.0, 0.5])),
        ([2**70, 1, 2**53 + 1], np.array([1, 2**53 + 1, 2**70], dtype=object)),
    ],
)
def test_levels_that_are_numbers_keep_their_type(values, levels):
    found = learn_categories(np.array(values, ndmin=2).T, [0])[0]
    assert found.dtype == levels.dtype
    assert found.tolist() == levels.tolist()


def test_numbers_that_are_equal_are_one_level_in_whatever_order_they_come():
    values = [True, 1, 1.0, Decimal(1), 2**53 + 1, 0.5]
    for turned in (values, values[::-1]):
        levels = learn_categories(np.array(turned, dtype=object)[:, None], [0])[0].tolist()
        assert [(type(level), level) for level in levels] == [
            (float, 0.5),
            (float, 1.0),
            (int, 2**53 + 1),
        ]


@pytest.mark.parametrize(
    ("named", "message"),
    [
        (["a", "z"], r"names the columns \['z'\].*its columns are \['a', 'b'\]"),
        ([2], r"names the columns \[2\].*positions from 0 to 1"),
        ([0.0], r"names the columns \[0.0\]"),
        ([[0]], r"names the columns \[\[0\]\]"),
        ([True], "mask of 1 booleans, but X has 2"),
        ("a", "categorical_features='a'; expected 'from_dtype', a list"),
        (None, "categorical_features=None; expected"),
        (0, "categorical_features=0; expected"),
    ],
)
def test_columns_that_cannot_be_named_are_refused(named, message):
    with pytest.raises(ValueError, match=message):
        learn_categories(pd.DataFrame({"a": [1], "b": [2]}), named)


def test_columns_without_names_are_named_by_position():
    with pytest.raises(ValueError, match="columns are unnamed"):
        learn_categories(np.eye(2), ["a"])
    with pytest.raises(ValueError, match="of a sparse X"):
        learn_categories(sparse.csr_array(np.eye(2)), [0])


# What no network reads ----------------------------------------------------------------------------

MOMENT = datetime.datetime(2020, 1, 1)
DATES = {
    "numpy": np.array(["2020-01-01"], "datetime64[D]"),
    "duration of numpy": np.array([1], "timedelta64[D]"),
    "zone": pd.Series(pd.to_datetime(["2020-01-01"])).dt.tz_localize("UTC"),
    "duration": pd.Series(pd.to_timedelta(["1h"])),
    "period": pd.Series(pd.period_range("2020", periods=1)),
    "arrow": pd.Series([MOMENT], dtype=pd.ArrowDtype(pa.timestamp("us"))),
    "date objects": pd.Series([MOMENT.date()], dtype=object),
    "moment objects": pd.Series([MOMENT], dtype=object),
    "duration objects": pd.Series([datetime.timedelta(1)], dtype=object),
    "category": pd.Series([MOMENT], dtype="category"),
    "date of polars": pl.Series([MOMENT.date()]),
    "moment of polars": pl.Series([MOMENT]),
    "duration of polars": pl.Series([datetime.timedelta(1)]),
    "time of polars": pl.Series([MOMENT.time()]),
}


@pytest.mark.parametrize("column", DATES.values(), ids=DATES)
def test_dates_and_durations_are_refused_with_the_cure(column):
    kind = pl.DataFrame if isinstance(column, pl.Series) else pd.DataFrame
    table = kind({"ok": [1.0], "when": column})
    message = r"dates, times or durations in the columns \['when'\].*days since a date"
    for refuse in (
        lambda: learn_categories(table),
        lambda: encode_table(table, [None, None]),
        lambda: encode_table(table, [None, np.array(["a"], dtype=object)]),
    ):
        with pytest.raises(TypeError, match=message):
            refuse()


@pytest.mark.parametrize("entry", [{"foo": "bar"}, [1], (1,), {1}, object()])
def test_entries_that_are_neither_numbers_nor_text_are_refused_as_scikit_learn_does(entry):
    array = NUMBERS.astype(object)
    array[0, 1] = entry
    # The pattern of scikit-learn's check_dtype_object.
    for message in ("argument must be .* string.* number", r"in the columns \[1\]"):
        with pytest.raises(TypeError, match=message):
            learn_categories(array)
        with pytest.raises(TypeError, match=message):
            encode_table(array, [None, None])


@pytest.mark.parametrize(
    "entry", [np.inf, -np.inf, 1e300, 10**400], ids=["inf", "-inf", "1e300", "whole"]
)
@pytest.mark.parametrize("frame", [None, *FRAMES])
def test_numbers_beyond_float32_are_refused_with_their_columns(frame, entry):
    dtype = object if isinstance(entry, int) else np.float64
    table = np.array([[1.0, entry], [NAN, 2.0]], dtype=dtype)
    where = [1]
    if frame is not None:
        last = list(table[:, 1])
        if dtype is object:  # left to itself, either library would try to make floats of them
            is_pandas = frame == "pandas"
            last = pd.Series(last, dtype=dtype) if is_pandas else pl.Series(last, dtype=pl.Object)
        table, where = FRAMES[frame]({"a": [1.0, NAN], "b": last}), ["b"]
    with pytest.raises(ValueError) as error:
        encode_table(table, [None, None])
    assert f"too large for dtype('float32') in the columns {where}: put NaN" in str(error.value)


def test_of_many_columns_the_first_are_named():
    with pytest.raises(ValueError, match=r"columns \[0, 1, 2, 3, 4, 5, 6, 7, 8, 9\] and 5 more"):
        encode_table(np.full((2, 15), np.inf), [None] * 15)


def test_complex_numbers_among_objects_are_refused():
    with pytest.raises(ValueError, match=r"Complex data not supported.*columns \[0\]"):
        learn_categories(np.array([[1j], [1]], dtype=object))


# Rows to predict ----------------------------------------------------------------------------------


@pytest.mark.parametrize("frame", FRAMES.values())
def test_a_level_that_fit_did_not_see_is_told_from_a_missing_one(frame):
    categories = learn_categories(frame({"a": ["x", "y"]}))
    codes = encode_table(frame({"a": ["y", "new", None]}), categories)
    assert np.array_equal(codes, [[1], [-1], [NAN]], equal_nan=True)


@pytest.mark.parametrize("frame", FRAMES.values())
def test_text_in_a_column_of_numbers_is_refused(frame):
    with pytest.raises(ValueError, match=r"text in the columns \['b'\], which held numbers in fit"):
        encode_table(frame({"a": [1], "b": ["3"]}), [None, None])


def test_numbers_of_another_type_are_read_as_numbers():
    frame = pd.DataFrame({"a": pd.Categorical([3, None]), "b": pd.Series([None] * 2, dtype="str")})
    expected = [[3, NAN], [NAN, NAN]]
    assert np.array_equal(encode_table(frame, [None, None]), expected, equal_nan=True)


@pytest.mark.parametrize("dtype", [np.int64, np.float64, bool, object, "category", "Int64"])
def test_levels_that_are_numbers_are_found_in_whatever_type(dtype):
    frame = pd.DataFrame({"a": pd.Series([1, 0]).astype(dtype)})
    assert encode_table(frame, [np.array([0, 1])]).tolist() == [[1], [0]]


# Arrays, sparse and mapped ones -------------------------------------------------------------------


def test_arrays_of_float32_are_not_copied_and_others_become_it():
    assert learn_categories(NUMBERS) == [None, None]
    assert encode_table(NUMBERS, [None, None]) is NUMBERS
    for dtype in (np.float64, np.float16, np.int8, bool, object):
        array = np.eye(3).astype(dtype)
        encoded = encode_table(array, [None] * 3)
        assert encoded.dtype == np.float32
        assert encoded.tolist() == np.eye(3).tolist()


@pytest.mark.parametrize("kind", ["csr", "csc", "coo", "dok"])
def test_sparse_tables_become_csr_and_keep_their_gaps(kind):
    table = sparse.coo_array(NUMBERS.astype(np.float64)).asformat(kind)
    encoded = encode_table(table, learn_categories(table))
    assert (encoded.format, encoded.dtype) == ("csr", np.float32)
    assert np.array_equal(encoded.toarray(), NUMBERS, equal_nan=True)


def test_sparse_tables_are_refused_as_others_are():
    with pytest.raises(ValueError, match=r"too large for dtype\('float32'\) in the columns \[1\]"):
        encode_table(sparse.csr_array([[1.0, 1e300]]), [None, None])
    with pytest.raises(ValueError, match=r"its columns \[1\] held levels"):
        encode_table(sparse.csr_array(np.eye(2)), [None, np.array([1, 2])])


def test_frames_of_sparse_columns_stay_sparse():
    frame = pd.DataFrame.sparse.from_spmatrix(sparse.eye(3, format="csr"))
    assert sparse.issparse(encode_table(frame, learn_categories(frame)))
    frame = pd.DataFrame({"sparse": [1.0], "shape": ["a"], "dtype": [2.0]})
    assert encode_table(frame, learn_categories(frame)).tolist() == [[1, 0, 2]]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.uint8])
def test_memory_maps_of_numbers_stay_in_their_file(tmp_path, monkeypatch, dtype):
    monkeypatch.setattr(tables, "_CHECKED_BYTES", 8)
    array = np.arange(8).reshape(4, 2).astype(dtype)
    table = mapped(tmp_path, array)
    assert encode_table(table, learn_categories(table)) is table
    if np.issubdtype(dtype, np.floating):
        array[0, 0] = NAN
        table = mapped(tmp_path, array)
        assert encode_table(table, [None, None]) is table
        array[3, 1] = np.inf
        with pytest.raises(ValueError, match=r"infinity.* in the columns \[1\]"):
            encode_table(mapped(tmp_path, array), [None, None])
        with config_context(assume_finite=True):
            assert is_mapped(encode_table(mapped(tmp_path, array), [None, None]))


def test_memory_maps_with_levels_are_read(tmp_path):
    table = mapped(tmp_path, np.array([[7, 1], [5, 2]]))
    categories = learn_categories(table, [0])
    assert lists_of(categories) == [[5, 7], None]
    assert encode_table(table, categories).tolist() == [[1, 1], [0, 2]]
    text = mapped(tmp_path, np.array([["b"], ["a"]]))
    assert encode_table(text, learn_categories(text)).tolist() == [[1], [0]]


# What holds for every table -----------------------------------------------------------------------

text = st.one_of(st.none(), st.text(max_size=3))
number = st.one_of(st.just(NAN), st.floats(width=32, allow_infinity=False), st.integers(-9, 9))
either = st.one_of(text, st.booleans(), number)
columns = {
    "text": text,
    "number": number,
    "either": either,
    "bytes": st.one_of(st.none(), st.binary(max_size=2)),
}


@st.composite
def drawn_tables(draw):
    """Draw a table of objects, with the positions of the columns that are named as categorical."""
    n_rows = draw(st.integers(1, 8))
    kinds = draw(st.lists(st.sampled_from(sorted(columns)), min_size=1, max_size=4))
    table = np.empty((n_rows, len(kinds)), dtype=object)
    for place, kind in enumerate(kinds):
        table[:, place] = draw(st.lists(columns[kind], min_size=n_rows, max_size=n_rows))
    return table, draw(st.sets(st.integers(0, len(kinds) - 1)).map(sorted))


def is_missing(value):
    return value is None or value != value


forms = st.sampled_from([lambda table: table, lambda table: pd.DataFrame(table), np.ndarray.tolist])


@quick
@given(drawn_tables(), forms)
def test_encoding_is_undone_by_the_levels(drawn, form):
    table, named = drawn
    before = table.copy()
    categories = learn_categories(form(table), named)
    encoded = encode_table(form(table), categories)
    assert encoded.dtype == np.float32
    assert encoded.shape == table.shape
    for entry, code, levels in zip(
        table.ravel(), encoded.ravel(), categories * len(table), strict=True
    ):
        if is_missing(entry):
            assert np.isnan(code)
        else:
            assert (code if levels is None else levels[int(code)]) == entry
    assert all(a is b for a, b in zip(table.ravel(), before.ravel(), strict=True))


@quick
@given(drawn_tables(), st.data())
def test_rows_are_encoded_each_by_itself(drawn, data):
    table, named = drawn
    categories = learn_categories(table, named)
    rows = data.draw(st.lists(st.integers(0, len(table) - 1), min_size=1))
    part = encode_table(table[rows], categories)
    assert np.array_equal(part, encode_table(table, categories)[rows], equal_nan=True)


@quick
@given(drawn_tables(), st.data())
def test_levels_do_not_depend_on_the_order_of_rows_nor_on_repeated_ones(drawn, data):
    table, named = drawn
    order = data.draw(st.permutations(range(len(table))))
    repeated = [*order, *data.draw(st.lists(st.sampled_from(order)))]
    found = [lists_of(learn_categories(table[rows], named)) for rows in (slice(None), repeated)]
    assert repr(found[0]) == repr(found[1])  # with the types of the levels


@quick
@given(st.lists(st.tuples(text, st.one_of(st.none(), st.integers(-9, 9))), min_size=1))
def test_libraries_agree(rows):
    names = ["text", "whole"]
    known = pl.DataFrame(
        {name: list(part) for name, part in zip(names, zip(*rows, strict=True), strict=True)},
        schema={"text": pl.String, "whole": pl.Int64},
    )
    tabled = pd.DataFrame(rows, columns=names).astype({"text": "string", "whole": "Int64"})
    categories = [learn_categories(table, ["whole"]) for table in (known, tabled)]
    assert lists_of(categories[0]) == lists_of(categories[1])
    codes = [encode_table(table, categories[0]) for table in (known, tabled)]
    assert np.array_equal(*codes, equal_nan=True)


# validate_inputs ----------------------------------------------------------------------------------


@pytest.mark.parametrize("frame", FRAMES.values())
def test_tables_leave_their_levels_and_the_names_of_their_columns(frame):
    reader = Reader()
    table = frame({"a": [1.0, None], "b": ["x", "y"]})
    X = validate_inputs(reader, table, reset=True, as_table=True)
    assert np.array_equal(X, [[1, 0], [NAN, 1]], equal_nan=True)
    assert lists_of(reader.categories_) == [None, ["x", "y"]]
    assert (reader.X_shape_, reader.X_dtype_, reader.n_features_in_) == ((2, 2), np.float32, 2)
    assert reader.feature_names_in_.tolist() == ["a", "b"]
    rows = validate_inputs(reader, frame({"a": [2], "b": ["z"]}), reset=False, as_table=True)
    assert rows.tolist() == [[2, -1]]
    with pytest.raises(ValueError, match="names must be in the same order"):
        validate_inputs(reader, frame({"b": ["x"], "a": [1.0]}), reset=False, as_table=True)
    with pytest.raises(ValueError, match="names seen at fit time, yet now missing"):
        validate_inputs(reader, frame({"a": [1.0]}), reset=False, as_table=True)


def test_named_columns_are_taken_over():
    reader = Reader()
    validate_inputs(reader, np.eye(2), reset=True, as_table=True, categorical_features=[1])
    assert lists_of(reader.categories_) == [None, [0, 1]]


@pytest.mark.parametrize(
    "X",
    [
        [1.0, 2.0],
        pd.Series([1.0]),
        np.zeros((0, 3)),
        np.zeros((3, 0)),
        np.array([[1j]]),
        sparse.csr_array((0, 3)),
        [[1.0], [2.0, 3.0]],
        5.0,
        {},
        {"a": [["text"]]},
        {"a": [[NAN]]},
        np.full((2, 2, 2), NAN),
        np.matrix([[1.0]]),
    ],
    ids=lambda X: type(X).__name__ + str(np.shape(X) if not isinstance(X, list) else ""),
)
def test_what_is_no_table_is_refused_as_ever(X):
    messages = []
    for as_table in (False, True):
        with pytest.raises((ValueError, TypeError)) as error:
            validate_inputs(Reader(), X, reset=True, as_table=as_table)
        messages.append((type(error.value), str(error.value)))
    assert messages[0] == messages[1]


@pytest.mark.parametrize("X", [np.zeros((2, 3, 4), np.uint8), {"a": np.zeros((2, 1), np.int8)}])
def test_what_is_no_table_is_read_as_ever_and_leaves_no_levels(X):
    reader = Reader()
    validate_inputs(reader, [["text"]], reset=True, as_table=True)
    validate_inputs(reader, X, reset=True, as_table=True)
    assert not hasattr(reader, "categories_")
    assert str(reader.X_dtype_) in ("uint8", "{'a': dtype('int8')}")


@pytest.mark.parametrize("X", [NUMBERS[:, :1], [["a"]], sparse.csr_array([[1.0]])])
def test_another_number_of_columns_than_in_fit_is_refused(X):
    reader = Reader()
    validate_inputs(reader, NUMBERS, reset=True, as_table=True)
    with pytest.raises(ValueError, match="X has 1 features, but Reader is expecting 2"):
        validate_inputs(reader, X, reset=False, as_table=True)


def test_without_tables_text_and_gaps_are_refused_with_the_default_network_as_a_cure():
    for X, cure in (([["a"]], "OneHotEncoder"), (NUMBERS, "SimpleImputer")):
        with pytest.raises(ValueError, match=rf"{cure}.*; the default network \(model=None\)"):
            validate_inputs(Reader(), X, reset=True)
