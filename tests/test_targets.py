"""Labels of any type become codes, and come back as they were."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning, NotFittedError

from sk_imbalance_nn.data.targets import BINARY, MULTICLASS, MULTILABEL, TargetEncoder

quick = settings(deadline=None, max_examples=25)
ONE_HOT = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
INDICATOR = np.array([[0, 1, 1], [0, 0, 0], [1, 0, 0], [1, 1, 1]])


@pytest.mark.parametrize(
    "y",
    [
        [0, 1, 0],
        [True, False, True],
        ["no", "yes", "no"],
        np.array(["no", "yes"], dtype=object),
        [1.0, 2.0],
        [-1, 1, 1],
        pd.Series(["b", "a", "b"]),
        pd.Series(["b", "a", "b"], dtype="category"),
    ],
    ids=str,
)
def test_two_labels_of_any_type_are_binary_and_come_back(y):
    encoder = TargetEncoder().fit(y)
    assert (encoder.target_type_, encoder.n_classes_) == (BINARY, 2)
    codes = encoder.transform(y)
    assert set(codes.tolist()) == {0, 1}
    back = encoder.inverse_transform(codes)
    assert back.tolist() == np.asarray(y).tolist()
    assert back.dtype == encoder.classes_.dtype


@quick
@given(
    st.one_of(
        st.lists(st.integers(-(2**62), 2**62), min_size=2, max_size=20),
        st.lists(st.text(st.characters(exclude_characters="\0"), max_size=5), min_size=2),
        st.lists(st.integers(-50, 50).map(float), min_size=2),
    ).filter(lambda labels: len(set(labels)) > 1)
)
def test_codes_are_positions_among_the_sorted_classes(labels):
    encoder = TargetEncoder().fit(labels)
    classes = sorted(set(labels))
    assert encoder.classes_.tolist() == classes
    assert encoder.transform(labels).tolist() == [classes.index(label) for label in labels]
    assert encoder.inverse_transform(encoder.transform(labels)).tolist() == labels
    assert encoder.target_type_ == (BINARY if len(classes) == 2 else MULTICLASS)


@pytest.mark.parametrize("dtype", [np.int64, np.float32, np.bool_, np.uint8])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix, pd.DataFrame])
def test_indicators_come_back_in_their_own_type(form, dtype):
    y = INDICATOR.astype(dtype)
    encoder = TargetEncoder().fit(form(y))
    assert (encoder.target_type_, encoder.n_classes_) == (MULTILABEL, 3)
    assert not encoder.one_hot_
    codes = encoder.transform(form(y))
    assert codes.dtype == np.int64
    assert codes.tolist() == INDICATOR.tolist()
    back = encoder.inverse_transform(codes)
    assert back.dtype == dtype
    assert back.tolist() == y.tolist()


@pytest.mark.parametrize("dtype", [np.int64, np.float32, np.bool_])
@pytest.mark.parametrize(("columns", "kind"), [([0, 1, 2], MULTICLASS), ([0, 2], BINARY)])
def test_one_hot_rows_are_classes_and_come_back_as_one_hot_rows(columns, kind, dtype):
    y = ONE_HOT[ONE_HOT[:, columns].any(axis=1)][:, columns].astype(dtype)
    encoder = TargetEncoder().fit(y)
    assert (encoder.target_type_, encoder.n_classes_) == (kind, len(columns))
    assert encoder.one_hot_
    codes = encoder.transform(y)
    assert codes.tolist() == y.argmax(axis=1).tolist()
    back = encoder.inverse_transform(codes)
    assert back.dtype == dtype
    assert back.tolist() == y.tolist()


def test_a_column_of_labels_is_flattened_with_scikit_learns_warning():
    with pytest.warns(DataConversionWarning, match="column-vector"):
        encoder = TargetEncoder().fit([["a"], ["b"]])
    assert encoder.classes_.tolist() == ["a", "b"]


def test_classes_given_hold_those_that_a_batch_lacks():
    encoder = TargetEncoder(classes=["c", "a", "b"]).fit(["b", "b"])
    assert (encoder.target_type_, encoder.classes_.tolist()) == (MULTICLASS, ["a", "b", "c"])
    assert encoder.transform(["c", "b"]).tolist() == [2, 1]


def test_one_hot_rows_of_one_class_pass_where_classes_are_given():
    encoder = TargetEncoder(classes=[0, 1, 2]).fit([[0, 1, 0], [0, 1, 0]])
    assert encoder.transform([[0, 0, 1]]).tolist() == [2]


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["a", "a"], "only one class, 'a'.*at least two classes.*stratification"),
        ([[0, 1], [0, 1]], "only one class, 1; a classifier needs"),
        ([0.5, 1.5, 2.25], r"Unknown label type: continuous, of shape \(3,\). Expected 1-D"),
        ([[0.5, 1.5], [2.5, 1]], "Unknown label type: continuous-multioutput"),
        ([[1, 2], [3, 1]], "Unknown label type: multiclass-multioutput.*override target_encoder"),
        ([[1, 2], [2, 1]], "multilabel indicator of zeros and ones"),
        ([], "y is empty: found 0 samples"),
        ([0.0, np.nan, 1.0], "NaN"),
        ([0.0, np.inf, 1.0], "infinity"),
    ],
)
def test_targets_that_are_no_classes_are_refused_with_a_cure(y, message):
    with pytest.raises(ValueError, match=message):
        TargetEncoder().fit(y)


@pytest.mark.parametrize(
    ("y", "kind"),
    [
        (np.array([0, 1, 2, 1], dtype=object), "i"),
        (np.array([True, False, True], dtype=object), "b"),
        (np.array([0.0, 1, 2.0], dtype=object), "f"),
        (np.array([[0, 1], [1, 1]], dtype=object), "i"),
        (pd.Series([0, 1, 1], dtype="Int64"), "i"),
        (pd.Series([True, False], dtype="boolean"), "b"),
        (pd.Series(["b", "a"], dtype="string"), "O"),
    ],
    ids=str,
)
def test_boxed_labels_come_back_in_a_type_of_their_own(y, kind):
    encoder = TargetEncoder().fit(y)
    back = encoder.inverse_transform(encoder.transform(y))
    assert back.tolist() == np.asarray(y).tolist()
    assert back.dtype == encoder.dtype_
    assert back.dtype.kind in (kind, "OTU"[kind != "O" :])


@pytest.mark.parametrize(
    ("y", "kinds"),
    [
        (np.array(["a", "b", None], dtype=object), "NoneType, str"),
        (np.array([0, 1, None], dtype=object), "NoneType, int"),
        (np.array(["a", 1, "b"], dtype=object), "int, str"),
        (np.array([True, 1, 0], dtype=object), "bool, int"),
        (pd.Series([True, False, None], dtype="boolean"), "NAType, bool"),
    ],
    ids=str,
)
@pytest.mark.parametrize("how", ["fit", "transform"])
def test_missing_labels_and_labels_of_several_types_are_refused(y, kinds, how):
    encoder = TargetEncoder().fit([0, 1])
    with pytest.raises(ValueError, match=f"labels of several types, {kinds}; .*of one type.*drop"):
        getattr(encoder, how)(y)


@pytest.mark.parametrize("how", ["fit", "transform"])
def test_missing_labels_of_a_nullable_column_are_refused(how):
    encoder = TargetEncoder().fit([0, 1])
    with pytest.raises(ValueError, match=r"several types, NAType, int|y contains NaN"):
        getattr(encoder, how)(pd.Series([0, 1, None], dtype="Int64"))


def test_labels_outside_the_classes_given_are_refused():
    with pytest.raises(ValueError, match=r"y holds \['d'\], not among classes=\['a', 'b'\]"):
        TargetEncoder(classes=["a", "b"]).fit(["a", "d"])


@pytest.mark.parametrize(
    ("fitted", "y", "message"),
    [
        ([0, 1], [0, 2], r"y holds \[2\], unseen before.*\[0, 1\].*partial_fit"),
        ([0, 5], [3, -1], r"y holds \[-1, 3\], unseen"),
        (["a", "b"], ["z", "a"], r"y holds \['z'\], unseen before"),
        (["a", "b"], ["a", "bb"], r"y holds \['bb'\], unseen before"),
        ([0, 1], ONE_HOT, "fitted on 1-D labels"),
        (INDICATOR, [0, 1, 1], "fitted on indicator rows with 3 columns"),
        (INDICATOR, INDICATOR[:, :2], r"shape \(4, 2\).*3 columns"),
        (ONE_HOT, INDICATOR, "one-hot rows"),
        (ONE_HOT, ONE_HOT - ONE_HOT, "one-hot rows"),
    ],
)
def test_labels_of_another_form_than_in_fit_are_refused(fitted, y, message):
    encoder = TargetEncoder().fit(fitted)
    with pytest.raises(ValueError, match=message):
        encoder.transform(y)


probabilities = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 20), st.just(3)), elements=st.floats(0.0, 1.0)
)


@quick
@given(probabilities)
def test_probabilities_become_the_most_probable_class(p):
    encoder = TargetEncoder().fit(["a", "b", "c"])
    labels = encoder.inverse_transform(p)
    assert labels.tolist() == ["abc"[max(range(3), key=lambda k: (row[k], -k))] for row in p]
    assert encoder.inverse_transform(p, return_proba=True) is p


@quick
@given(probabilities)
def test_probabilities_over_one_half_become_labels(p):
    encoder = TargetEncoder().fit(INDICATOR)
    assert encoder.inverse_transform(p).tolist() == [[int(v > 0.5) for v in row] for row in p]


@quick
@given(probabilities)
def test_one_column_of_probabilities_belongs_to_the_second_class(p):
    encoder = TargetEncoder().fit(["no", "yes"])
    column = p[:, :1]
    labels = encoder.inverse_transform(column)
    assert labels.tolist() == ["yes" if v > 1 - v else "no" for v in column[:, 0]]
    both = encoder.inverse_transform(column, return_proba=True)
    np.testing.assert_array_equal(both, np.column_stack([1 - column, column]))


def test_metadata_is_what_builders_of_networks_ask_for():
    meta = TargetEncoder().fit(["a", "b", "c"]).get_metadata()
    assert meta.pop("classes_").tolist() == ["a", "b", "c"]
    assert meta == {
        "n_classes_": 3,
        "n_outputs_": 1,
        "n_outputs_expected_": 1,
        "target_type_": MULTICLASS,
    }


def test_encoder_is_a_scikit_learn_transformer():
    encoder = TargetEncoder(classes=[0, 1])
    assert clone(encoder).get_params() == {"classes": [0, 1]}
    with pytest.raises(NotFittedError):
        encoder.transform([0, 1])
    with pytest.raises(NotFittedError):
        encoder.inverse_transform(np.array([0]))
