"""Labels of any type become codes and labels again, and what is none is refused."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from sk_imbalance_nn.decisions.target import Target

quick = settings(deadline=None, max_examples=20)

names = st.sampled_from(["ham", "spam", "eggs", "", "1"])
labels = st.one_of(
    st.lists(names, min_size=2, max_size=12).map(np.array),
    st.lists(names, min_size=2, max_size=12).map(lambda y: np.array(y, dtype=object)),
    st.lists(st.integers(-3, 3), min_size=2, max_size=12).map(np.array),
    st.lists(st.booleans(), min_size=2, max_size=12).map(np.array),
    st.lists(st.integers(-2, 2).map(float), min_size=2, max_size=12).map(np.array),
).filter(lambda y: len(np.unique(y)) > 1)


@quick
@given(labels)
def test_labels_come_back(y):
    target = Target.of(y)
    classes = np.unique(y)
    assert target.kind == ("binary" if len(classes) == 2 else "multiclass")
    np.testing.assert_array_equal(target.classes, classes)
    assert target.codes.dtype == np.intp
    np.testing.assert_array_equal(target.labels_of(target.codes), y)
    assert target.labels_of(target.codes).dtype == np.asarray(y).dtype
    for position, label in enumerate(classes.tolist()):
        assert target.position_of(label) == position
    assert target.position_of(None) == len(classes) - 1


@quick
@given(labels, st.data())
def test_rows_of_few_classes_keep_the_codes_of_all(y, data):
    whole = Target.of(y)
    kept = data.draw(st.lists(st.integers(0, len(y) - 1), min_size=2, max_size=6))
    part = Target.of(np.asarray(y)[kept], whole.classes)
    np.testing.assert_array_equal(part.codes, whole.codes[kept])
    np.testing.assert_array_equal(part.classes, whole.classes)
    assert part.kind == whole.kind


@pytest.mark.parametrize(
    "wrap",
    [list, pd.Series, lambda y: np.reshape(y, (-1, 1)), lambda y: pd.Series(y, index=[9, 8, 7, 6])],
)
def test_containers_do_not_matter(wrap):
    target = Target.of(wrap(["b", "a", "a", "b"]))
    assert target.codes.tolist() == [1, 0, 0, 1]
    assert target.classes.tolist() == ["a", "b"]


@pytest.mark.parametrize(
    "wrap", [np.array, list, lambda y: np.array(y, dtype=bool), sparse.csr_array, sparse.csr_matrix]
)
def test_indicators_stay_what_they_are(wrap):
    indicator = [[0, 1, 1], [1, 0, 0], [0, 0, 0]]
    target = Target.of(wrap(indicator) if wrap is not list else np.array(indicator))
    assert target.kind == "multilabel"
    assert target.codes.tolist() == indicator
    assert target.codes.dtype == np.int8
    assert target.classes.tolist() == [0, 1, 2]
    assert target.labels_of(target.codes) is target.codes


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([0.5, 1.5, 2.5], "Unknown label type: continuous"),
        ([[1, 2], [3, 4]], "Unknown label type: multiclass-multioutput"),
        ([[0.5, 1.0], [0.2, 0.3]], "Unknown label type: continuous-multioutput"),
        ([1, 1, 1], r"one class, \[1\]; there is nothing to decide between"),
        (["a", "a"], r"one class, \['a'\]"),
        ([0.0, np.nan, 1.0], "NaN"),
    ],
)
def test_what_cannot_be_decided_about_is_refused(y, message):
    with pytest.raises(ValueError, match=message):
        Target.of(y)


def test_labels_that_nobody_knows_are_named():
    with pytest.raises(ValueError, match=r"does not know: \['c'\]; it knows \['a', 'b'\]"):
        Target.of(["a", "c"], np.array(["a", "b"]))
    with pytest.raises(ValueError, match=r"does not know: \[-1, 7\]"):
        Target.of([0, 7, -1, 1], [0, 1, 2])


@pytest.mark.parametrize(
    ("y", "label", "position"),
    [
        ([False, True], True, 1),
        ([0, 1], 0, 0),
        ([0.0, 1.0], 1, 1),
        ([-1, 1], -1, 0),
        (["no", "yes"], "no", 0),
        ([3, 5, 9], 5, 1),
    ],
)
def test_positive_class_is_found_by_its_label(y, label, position):
    assert Target.of(y).position_of(label) == position


@pytest.mark.parametrize(("y", "label"), [([0, 1], 2), (["no", "yes"], 1), ([0, 1], "1")])
def test_positive_class_that_is_none_is_refused(y, label):
    with pytest.raises(ValueError, match=r"pos_label=.* is not a valid label: it must be one of"):
        Target.of(y).position_of(label)
