"""Objectives of confusion counts are the metrics of scikit-learn and imbalanced-learn."""

import warnings
from itertools import product

import numpy as np
import pytest
import sklearn.metrics as metrics
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from imblearn.metrics import geometric_mean_score, sensitivity_score, specificity_score
from sklearn import config_context

from sk_imbalance_nn.decisions.counts import Counts, sums_by
from sk_imbalance_nn.decisions.metrics import objective_of
from sk_imbalance_nn.decisions.objectives import COST, LIMITS, NAMED, mean_cost
from sk_imbalance_nn.decisions.uncertainty import counts_of_matrices

quick = settings(deadline=None, max_examples=15)

WITHOUT_AVERAGE = [
    (metrics.accuracy_score, {}),
    (metrics.zero_one_loss, {}),
    (metrics.hamming_loss, {}),
    (metrics.balanced_accuracy_score, {}),
    (metrics.balanced_accuracy_score, {"adjusted": True}),
    (metrics.matthews_corrcoef, {}),
    (metrics.cohen_kappa_score, {}),
    (geometric_mean_score, {}),
]
FRACTIONS = [
    (metrics.precision_score, {"zero_division": 0}),
    (metrics.precision_score, {"zero_division": 1}),
    (metrics.recall_score, {"zero_division": 0}),
    (metrics.f1_score, {"zero_division": 0}),
    (metrics.f1_score, {"zero_division": 1}),
    (metrics.fbeta_score, {"zero_division": 0, "beta": 2}),
    (metrics.jaccard_score, {"zero_division": 0}),
    (sensitivity_score, {}),
    (specificity_score, {}),
]


def with_average(averages):
    return [
        (function, {**given, "average": average})
        for (function, given), average in product(FRACTIONS, averages)
    ]


def name_of(case):
    function, given = case
    return "-".join([function.__name__, *(f"{key}={value}" for key, value in given.items())])


def by_peer(function, given, true, pred, weight):
    # Checking the arguments of thousands of calls would take longer than all else.
    with warnings.catch_warnings(), config_context(skip_parameter_validation=True):
        warnings.simplefilter("ignore")
        return function(true, pred, sample_weight=weight, **given)


@st.composite
def decisions(draw, most_classes=4):
    """Classes, decisions and weights of rows; some class may not occur."""
    n_classes, n, is_weighted = draw(
        st.tuples(st.integers(2, most_classes), st.integers(1, 15), st.booleans())
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    true, pred = rng.integers(0, n_classes, (2, n))
    return n_classes, true, pred, rng.uniform(0.1, 5, n) if is_weighted else None


@pytest.mark.parametrize(
    "case", WITHOUT_AVERAGE + with_average(["macro", "weighted", "micro"]), ids=name_of
)
@quick
@given(decisions())
def test_objective_of_counts_is_the_metric_of_decisions(case, drawn):
    n_classes, true, pred, weight = drawn
    function, arguments = case
    if function is geometric_mean_score:  # which cannot encode a prediction it has not seen
        assume(np.isin(pred, true).all())
    if function is specificity_score:  # which weighs only a part, and sees no class that is absent
        weight, n_classes = None, len(np.unique([*true, *pred]))
        assume(max(*true, *pred) == n_classes - 1)
    expected = by_peer(function, arguments, true, pred, weight)
    assume(np.isfinite(expected))  # kappa and adjusted accuracy of one class
    found = objective_of(function, arguments).values(Counts.of(true, pred, n_classes, weight))
    assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("case", with_average(["binary"]), ids=name_of)
@quick
@given(decisions(most_classes=2))
def test_objective_of_the_positive_class_is_the_binary_metric(case, drawn):
    _, true, pred, weight = drawn
    function, arguments = case
    if function is specificity_score:  # which weighs only a part, and knows labels that occur
        weight = None
        assume(1 in (*true, *pred))
    found = objective_of(function, arguments).values(Counts.of(true, pred, 2, weight))
    assert found == pytest.approx(by_peer(function, arguments, true, pred, weight), abs=1e-12)


@pytest.mark.parametrize("case", WITHOUT_AVERAGE + with_average(["macro"]), ids=name_of)
def test_many_alternatives_are_valued_each_on_its_own(case):
    rng = np.random.default_rng(0)
    n_classes, n, n_alternatives = 3, 12, 20
    true = rng.integers(0, n_classes, n)
    predictions = rng.integers(0, n_classes, (n_alternatives, n))
    predictions[0], predictions[1] = true, 2
    each = [Counts.of(true, pred, n_classes) for pred in predictions]
    together = Counts(
        np.stack([counts.hits for counts in each], axis=-1),
        np.stack([counts.predicted for counts in each], axis=-1),
        each[0].actual[:, None],
        each[0].total[None],
    )
    objective = objective_of(*case)
    found = objective.values(together)
    assert found.shape == (n_alternatives,)
    np.testing.assert_allclose(found, [objective.values(counts) for counts in each])


def test_named_objectives_are_those_of_the_books():
    true, pred = np.repeat([0, 0, 1, 1], [70, 10, 8, 12]), np.repeat([0, 1, 0, 1], [70, 10, 8, 12])
    counts = Counts.of(true, pred, 2)
    sensitivity, specificity = 12 / 20, 70 / 80
    expected = {
        "balanced_accuracy": (sensitivity + specificity) / 2,
        "geometric_mean": (sensitivity * specificity) ** 0.5,
        "specificity": specificity,
        "youden_j": sensitivity + specificity - 1,
    }
    found = {name: float(NAMED[name].values(counts)) for name in expected}
    assert found == pytest.approx(expected)
    assert LIMITS["alarm_rate"].values(counts) == pytest.approx(-22 / 100)
    assert LIMITS["false_positive_rate"].values(counts) == pytest.approx(-10 / 80)
    assert {*NAMED} == {*expected, "cost"}
    assert {*LIMITS} == {"alarm_rate", "false_positive_rate", "cost"}


@quick
@given(decisions(), st.data())
def test_cost_is_the_weighted_mean_of_what_rows_pay(drawn, data):
    n_classes, true, pred, weight = drawn
    shape = (len(true), n_classes)
    cost = data.draw(hnp.arrays(np.float64, shape, elements=st.floats(-9, 9)))
    counts = Counts.of(true, pred, n_classes, weight, cost)
    paid = [row[code] for row, code in zip(cost, pred, strict=True)]
    assert mean_cost(counts) == pytest.approx(np.average(paid, weights=weight), abs=1e-9)
    assert COST.values(counts) == -mean_cost(counts)


def test_cost_without_costs_says_what_is_missing():
    with pytest.raises(ValueError, match="give cost_matrix, or cost to fit"):
        COST.values(Counts.of([0, 1], [0, 1], 2))


@quick
@given(decisions(), st.integers(1, 4))
def test_integer_weights_count_like_repeated_rows(drawn, times):
    n_classes, true, pred, _ = drawn
    weight = np.arange(len(true)) % (times + 1)
    repeated = Counts.of(np.repeat(true, weight), np.repeat(pred, weight), n_classes)
    weighted = Counts.of(true, pred, n_classes, weight)
    for name in ("hits", "predicted", "actual", "total"):
        np.testing.assert_array_equal(getattr(repeated, name), getattr(weighted, name))


@quick
@given(decisions())
def test_counts_are_the_margins_of_the_confusion_matrix(drawn):
    n_classes, true, pred, weight = drawn
    matrix = metrics.confusion_matrix(
        true, pred, labels=np.arange(n_classes), sample_weight=weight
    ).astype(float)
    ours, theirs = Counts.of(true, pred, n_classes, weight), counts_of_matrices(matrix)
    for name in ("hits", "predicted", "actual", "total"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), atol=1e-12)


def test_empty_classes_sum_to_an_exact_zero():
    assert sums_by(np.array([2, 0]), np.array([0.1, 0.2]), 4).tolist() == [0.2, 0, 0.1, 0]


@pytest.mark.parametrize("name", ["balanced_accuracy", "geometric_mean", "youden_j"])
def test_one_hit_among_ten_million_rows_is_worth_as_much_as_all_others(name):
    matrix = np.array([[1e7 - 2, 0], [1, 1]])
    half = {"balanced_accuracy": 0.75, "geometric_mean": 0.5**0.5, "youden_j": 0.5}
    assert NAMED[name].values(counts_of_matrices(matrix)) == pytest.approx(half[name])


@pytest.mark.parametrize("function", [metrics.matthews_corrcoef, metrics.cohen_kappa_score])
@pytest.mark.parametrize("n", [1e3, 1e7])
def test_correlation_of_few_positives_survives_rounding(function, n):
    matrix = np.array([[n - 3, 1], [1, 1]])
    expected = (n - 4) / (2 * n - 4)  # both agree where as many are said as are true
    found = objective_of(function, {}).values(counts_of_matrices(matrix))
    assert found == pytest.approx(expected, rel=1e-6)
    useless = np.array([[n - 2, 0], [2, 0]])
    assert objective_of(function, {}).values(counts_of_matrices(useless)) == 0
