"""Bounds say what they seem to say, and hold where they are just reached."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import make_scorer, precision_score, zero_one_loss

from sk_imbalance_nn.decisions.constraint import constraint_of
from sk_imbalance_nn.decisions.counts import Counts

quick = settings(deadline=None, max_examples=30)

TRUE = np.repeat([0, 0, 1, 1], [70, 10, 8, 12])
PRED = np.repeat([0, 1, 0, 1], [70, 10, 8, 12])
COSTS = np.array([[0.0, 1.0], [20.0, -2.0]])
COUNTS = Counts.of(TRUE, PRED, 2, cost=COSTS[TRUE])


def quantity_of(constraint):
    return float(constraint.quantity(constraint.objective.values(COUNTS)))


@pytest.mark.parametrize(
    ("name", "quantity", "at_least"),
    [
        ("precision", 12 / 22, True),
        ("recall", 12 / 20, True),
        ("specificity", 70 / 80, True),
        ("accuracy", 82 / 100, True),
        ("youden_j", 12 / 20 + 70 / 80 - 1, True),
        (precision_score, 12 / 22, True),
        (make_scorer(precision_score, pos_label=1), 12 / 22, True),
        ("false_positive_rate", 10 / 80, False),
        ("alarm_rate", 22 / 100, False),
        ("cost", (10 * 1 + 8 * 20 - 12 * 2) / 100, False),
        (zero_one_loss, 18 / 100, False),
        (make_scorer(zero_one_loss, greater_is_better=False), 18 / 100, False),
    ],
)
def test_quantity_and_its_natural_direction(name, quantity, at_least):
    constraint = constraint_of((name, 0.5))
    assert quantity_of(constraint) == pytest.approx(quantity)
    assert constraint.at_least == at_least
    for sign in (">=", "<="):
        stated = constraint_of((name, sign, 0.5))
        assert stated.at_least == (sign == ">=")
        assert quantity_of(stated) == pytest.approx(quantity)


@pytest.mark.parametrize(
    "text",
    ["recall >= 0.25", "recall>=0.25", "  recall  >=  .25 ", "recall >= 25e-2", "recall >= +0.25"],
)
def test_text_reads_like_its_parts(text):
    parts = constraint_of(["recall", ">=", 0.25])
    found = constraint_of(text)
    assert (found.bound, found.at_least) == (parts.bound, parts.at_least) == (0.25, True)
    assert str(found) == str(parts) == "recall >= 0.25"


def test_text_may_bound_from_the_other_side():
    assert str(constraint_of("recall <= 0.5")) == "recall <= 0.5"
    assert str(constraint_of("alarm_rate >= 0.005")) == "alarm_rate >= 0.005"
    assert str(constraint_of("cost <= -2")) == "cost <= -2"


@pytest.mark.parametrize(
    "given_",
    [
        "recall",
        "recall > 0.9",
        "recall < 0.9",
        "recall == 0.9",
        "recall >= ",
        ">= 0.9",
        "recall >= 0.9 0.8",
        "recall >= high",
        "recall >= nan",
        "recall >= inf",
        "0.1 <= recall",
        "recall >= 0.9 and precision >= 0.5",
        "",
        (),
        ("recall",),
        ("recall", ">", 0.9),
        ("recall", ">=", None),
        ("recall", ">=", True),
        ("recall", ">=", float("nan")),
        ("recall", ">=", float("-inf")),
        ("recall", ">=", [0.9]),
        ("recall", ">=", 0.9, 1),
        0.9,
        None,
        {"recall": 0.9},
    ],
)
def test_what_cannot_be_read_is_refused_with_an_example(given_):
    with pytest.raises(ValueError, match=r"must read like 'precision >= 0.9'.*found"):
        constraint_of(given_)


def test_quantities_that_are_no_function_of_counts_are_refused():
    with pytest.raises(
        ValueError, match=r"bounds .*my_metric.*; bound a metric such as 'precision'"
    ):
        constraint_of((my_metric, ">=", 0.1))
    with pytest.raises(ValueError, match="no decision changes those"):
        constraint_of("roc_auc >= 0.9")
    with pytest.raises(ValueError, match=r"did you mean 'recall'\?"):
        constraint_of("recal >= 0.9")


def my_metric(y_true, y_pred):
    return 0.5


def test_positive_label_is_stated_or_one_where_it_matters():
    for name in ("precision", "false_positive_rate", "alarm_rate", "specificity"):
        assert constraint_of((name, 0.5)).pos_label == 1
        assert constraint_of((name, 0.5), "spam").pos_label == "spam"
    for name in ("cost", "accuracy"):
        assert constraint_of((name, 0.5)).pos_label is None


@quick
@given(st.sampled_from([">=", "<="]), st.floats(-1, 1), st.floats(-3, 3))
def test_lacking_is_the_distance_to_the_bound_from_the_wrong_side(sign, bound, quantity):
    for name in ("recall", "cost", zero_one_loss):
        constraint = constraint_of((name, sign, bound))
        lacking = constraint.lacking(quantity * constraint.objective.sign)
        short = bound - quantity if sign == ">=" else quantity - bound
        assert lacking == pytest.approx(max(0.0, short), abs=1e-11)


@pytest.mark.parametrize(("part", "whole"), [(9, 10), (7, 10), (29, 100), (57, 100), (999, 1000)])
def test_bound_that_is_just_reached_holds(part, whole):
    counts = Counts.of(np.arange(whole) < part, np.ones(whole, int), 2)
    bound = part * 0.1 if whole == 10 else part / whole  # 7 * 0.1 is not 7 / 10
    for sign in (">=", "<="):
        constraint = constraint_of(("precision", sign, bound))
        assert constraint.lacking(constraint.objective.values(counts)) == 0
    beyond = constraint_of(("precision", ">=", bound + 1e-9))
    assert beyond.lacking(beyond.objective.values(counts)) > 0
