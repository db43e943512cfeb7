"""The curve of an objective is that of scikit-learn's metric, at every cut there is."""

import warnings
from functools import partial

import numpy as np
import pytest
import sklearn.metrics as metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.metrics import geometric_mean_score
from sklearn import config_context

from sk_imbalance_nn.decisions.constraint import constraint_of
from sk_imbalance_nn.decisions.metrics import objective_of
from sk_imbalance_nn.decisions.objectives import NAMED
from sk_imbalance_nn.decisions.scored import ScoredRows
from sk_imbalance_nn.decisions.sweep import Sweep
from sk_imbalance_nn.decisions.uncertainty import standard_error

quick = settings(deadline=None, max_examples=8)
careful = settings(deadline=None, max_examples=10)
INF = float("inf")
LEVELS = [-1.5, 0.0, float(np.nextafter(0.5, 0)), 0.5, float(np.nextafter(0.5, 1)), 1.0]


def peer(function, **given):
    """The metric of scikit-learn and what is recognised in it."""

    def by_hand(rows, decided, part):
        weight = None if rows.weight is None else rows.weight[part]
        return function(rows.target[part], decided[part], sample_weight=weight, **given)

    return objective_of(function, given), by_hand


def sensitivity_and_specificity(rows, decided, part):
    weight = None if rows.weight is None else rows.weight[part]
    return [
        metrics.recall_score(
            rows.target[part], decided[part], pos_label=label, sample_weight=weight, zero_division=0
        )
        for label in (1, 0)
    ]


def specificity(rows, decided, part):
    return sensitivity_and_specificity(rows, decided, part)[1]


def youden(rows, decided, part):
    return sum(sensitivity_and_specificity(rows, decided, part)) - 1


def minus_cost(rows, decided, part):
    prices = rows.cost_matrix[rows.target] if rows.row_cost is None else rows.row_cost
    paid = prices[np.arange(len(rows)), decided]
    weight = None if rows.weight is None else rows.weight[part]
    return -np.average(paid[part], weights=weight)


OBJECTIVES = {
    "accuracy": peer(metrics.accuracy_score),
    "balanced_accuracy": peer(metrics.balanced_accuracy_score),
    "adjusted": peer(metrics.balanced_accuracy_score, adjusted=True),
    "matthews": peer(metrics.matthews_corrcoef),
    "kappa": peer(metrics.cohen_kappa_score),
    "geometric_mean": peer(geometric_mean_score),
    "named_geometric_mean": (NAMED["geometric_mean"], peer(geometric_mean_score)[1]),
    "youden_j": (NAMED["youden_j"], youden),
    "specificity": (NAMED["specificity"], specificity),
    "precision_of_nothing": peer(metrics.precision_score, zero_division=1),
    "cost": (NAMED["cost"], minus_cost),
}
for average in ("binary", "macro", "weighted", "micro"):
    of_average = partial(peer, average=average, zero_division=0)
    OBJECTIVES |= {
        f"f1_{average}": of_average(metrics.f1_score),
        f"jaccard_{average}": of_average(metrics.jaccard_score),
    }
# Their other averages are functions of counts like these; test_objectives.py compares those.
for average in ("binary", "macro"):
    of_average = partial(peer, average=average, zero_division=0)
    OBJECTIVES |= {
        f"precision_{average}": of_average(metrics.precision_score),
        f"recall_{average}": of_average(metrics.recall_score),
    }
OBJECTIVES["f_half"] = peer(metrics.fbeta_score, beta=0.5, zero_division=0)
OBJECTIVES["f2"] = peer(metrics.fbeta_score, beta=2, zero_division=0)
ANY_FOLDS = ("accuracy", "cost", "f1_micro")


@st.composite
def problems(draw, every_class=True, most_folds=4):
    """Scored rows with many ties; both classes in each fold, unless told otherwise."""
    n_folds = draw(st.integers(1, most_folds))
    is_weighted, by_row = draw(st.booleans()), draw(st.booleans())
    levels = [*LEVELS, *draw(st.sampled_from([[], [-INF], [INF], [-INF, INF]]))]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    fold = np.concatenate(
        [np.repeat(np.arange(n_folds), 2), rng.integers(0, n_folds, rng.integers(0, 11))]
    )
    n = len(fold)
    given_classes = np.arange(n) < (2 * n_folds if every_class else 2)
    target = np.where(given_classes, np.arange(n) % 2, rng.integers(0, 2, n))
    costs = rng.uniform(-9, 9, (n, 2))
    order = rng.permutation(n)
    return ScoredRows(
        rng.choice(levels, n),
        target[order],
        fold[order],
        n_folds,
        np.arange(n),
        weight=rng.uniform(0.1, 5, n) if is_weighted else None,
        cost_matrix=costs[:2],
        row_cost=costs if by_row else None,
    )


class BruteForce:
    """The metric itself, at any threshold."""

    def __init__(self, rows, metric, aggregate):
        self.rows, self.metric = rows, metric
        everything = [np.ones(len(rows), dtype=bool)]
        self.parts = list(rows.folds()) if aggregate == "mean" else everything
        self.known = {}

    def __call__(self, threshold):
        decided = (self.rows.scores >= threshold).astype(int)
        key = decided.tobytes()
        if key not in self.known:
            self.known[key] = np.mean([self.on(decided, part) for part in self.parts])
        return self.known[key]

    def on(self, decided, part):
        with warnings.catch_warnings(), config_context(skip_parameter_validation=True):
            warnings.simplefilter("ignore")
            return self.metric(self.rows, decided, part)


def assert_curve_is(curve, brute, rows):
    possible = np.ones(len(curve.thresholds), dtype=bool)
    possible[0] = rows.scores.max() < INF
    assert (curve.values[~possible] == -INF).all()
    expected = [brute(threshold) for threshold in curve.thresholds[possible]]
    np.testing.assert_allclose(curve.values[possible], expected, atol=1e-9)
    everywhere = [brute(threshold) for threshold in [*np.unique(rows.scores), INF, -INF]]
    assert curve.values.max() == pytest.approx(max(everywhere), abs=1e-9)


@pytest.mark.parametrize("name", OBJECTIVES)
@quick
@given(problems(), st.sampled_from(["pooled", "mean"]))
def test_curve_is_the_metric_at_every_cut_and_misses_no_better_one(name, rows, aggregate):
    objective, metric = OBJECTIVES[name]
    curve = Sweep(rows, objective, aggregate=aggregate).curve()
    assert_curve_is(curve, BruteForce(rows, metric, aggregate), rows)


@pytest.mark.parametrize("name", ANY_FOLDS)
@quick
@given(problems(every_class=False))
def test_folds_that_lack_a_class_count_where_that_means_something(name, rows):
    objective, metric = OBJECTIVES[name]
    assert not objective.needs_every_class
    curve = Sweep(rows, objective, aggregate="mean").curve()
    assert_curve_is(curve, BruteForce(rows, metric, "mean"), rows)


@pytest.mark.parametrize("name", ["f1_binary", "cost", "matthews"])
@quick
@given(problems())
def test_curve_over_folds_is_the_metric_in_each(name, rows):
    objective, metric = OBJECTIVES[name]
    curve = Sweep(rows, objective).curve()
    over_folds = curve.over_folds()
    assert over_folds.shape == (rows.n_folds, len(curve.thresholds))
    for fold, values in zip(rows.folds(), over_folds, strict=True):
        brute = BruteForce(rows, metric, "pooled")
        for position, threshold in enumerate(curve.thresholds):
            if curve.values[position] > -INF:
                decided = (rows.scores >= threshold).astype(int)
                assert values[position] == pytest.approx(brute.on(decided, fold), abs=1e-9)


@careful
@given(
    problems(),
    st.sampled_from(["pooled", "mean"]),
    st.lists(st.floats(-2, 2) | st.sampled_from([*LEVELS, INF, -INF]), min_size=1, max_size=6),
)
def test_curve_at_given_thresholds_is_the_metric_there(rows, aggregate, thresholds):
    objective, metric = OBJECTIVES["f1_binary"]
    curve = Sweep(rows, objective, aggregate=aggregate).curve(thresholds)
    assert curve.thresholds.tolist() == sorted({*thresholds}, reverse=True)
    brute = BruteForce(rows, metric, aggregate)
    expected = [brute(threshold) for threshold in curve.thresholds]
    np.testing.assert_allclose(curve.values, expected, atol=1e-9)
    alarms = [rows.scores >= threshold for threshold in curve.thresholds]
    rates = [np.average(alarm, weights=rows.weight) for alarm in alarms]
    np.testing.assert_allclose(curve.alarm_rate, rates, atol=1e-12)
    for fold, values in zip(rows.folds(), curve.over_folds(), strict=True):
        expected = [brute.on(alarm.astype(int), fold) for alarm in alarms]
        np.testing.assert_allclose(values, expected, atol=1e-9)


@pytest.mark.parametrize("name", ["f1_binary", "cost", "balanced_accuracy"])
@quick
@given(problems(), st.sampled_from(["pooled", "mean"]))
def test_best_threshold_of_each_fold_is_best_there(name, rows, aggregate):
    objective, metric = OBJECTIVES[name]
    optima = Sweep(rows, objective, aggregate=aggregate).fold_optima()
    assert len(optima) == rows.n_folds
    brute = BruteForce(rows, metric, "pooled")
    for fold, threshold in zip(rows.folds(), optima, strict=True):
        reached = brute.on((rows.scores >= threshold).astype(int), fold)
        everywhere = [
            brute.on((rows.scores >= other).astype(int), fold)
            for other in [*np.unique(rows.scores), INF]
        ]
        assert reached == pytest.approx(max(everywhere), abs=1e-9)


@pytest.mark.parametrize("name", ["f1_binary", "cost"])
def test_fold_without_a_class_has_no_best_threshold_where_it_needs_one(name):
    rows = ScoredRows(
        scores=np.array([0.1, 0.9, 0.3, 0.4]),
        target=np.array([0, 1, 0, 0]),
        fold=np.array([0, 0, 1, 1]),
        n_folds=2,
        index=np.arange(4),
        cost_matrix=np.array([[0.0, 1.0], [5.0, 0.0]]),
    )
    optima = Sweep(rows, OBJECTIVES[name][0]).fold_optima()
    assert optima[0] == 0.5
    assert np.isnan(optima[1]) if name == "f1_binary" else optima[1] > 0.4


CONSTRAINTS = {
    "precision >= 0.6": partial(metrics.precision_score, zero_division=0),
    "recall >= 0.5": metrics.recall_score,
    "alarm_rate <= 0.3": lambda true, pred, sample_weight: np.average(pred, weights=sample_weight),
    "false_positive_rate <= 0.2": lambda true, pred, sample_weight: (
        1 - metrics.recall_score(true, pred, pos_label=0, sample_weight=sample_weight)
    ),
    "cost <= 0.5": None,
}


@pytest.mark.parametrize("text", CONSTRAINTS)
@quick
@given(problems(), st.sampled_from(["pooled", "mean"]))
def test_what_a_constraint_bounds_is_the_metric_it_names(text, rows, aggregate):
    metric = CONSTRAINTS[text]

    def by_hand(rows, decided, part):
        if metric is None:
            return -minus_cost(rows, decided, part)
        weight = None if rows.weight is None else rows.weight[part]
        return metric(rows.target[part], decided[part], sample_weight=weight)

    brute = BruteForce(rows, by_hand, aggregate)
    constraint = constraint_of(text)
    sweep = Sweep(rows, NAMED["balanced_accuracy"], constraint, aggregate)
    curve = sweep.curve()
    for position in np.flatnonzero(curve.values > -INF):
        quantity = brute(curve.thresholds[position])
        assert sweep.bounded(curve.thresholds[position]) == pytest.approx(quantity, abs=1e-9)
        short = constraint.bound - quantity if constraint.at_least else quantity - constraint.bound
        assert curve.lacking[position] == pytest.approx(max(0, short), abs=1e-9)


@careful
@given(problems(most_folds=1))
def test_best_of_a_fold_under_a_constraint_is_best_of_what_holds_or_is_closest(rows):
    sweep = Sweep(rows, NAMED["balanced_accuracy"], constraint_of("precision >= 0.7"))
    curve, optimum = sweep.curve(), sweep.fold_optima()[0]
    values, lacking = curve.values, np.where(curve.values > -INF, curve.lacking, INF)
    wanted = values[lacking == lacking.min()].max()
    position = int(sweep.cuts.at(optimum))
    assert lacking[position] == lacking.min()
    assert values[position] == wanted


def drawn_rows(n, seed, n_folds=1, **others):
    rng = np.random.default_rng(seed)
    target = (np.arange(n) % 5 == 0).astype(int)
    scores = rng.normal(size=n) + 1.2 * target
    fold = np.arange(n) // 5 % n_folds
    return ScoredRows(scores, target, fold, n_folds, np.arange(n), **others)


@pytest.mark.parametrize("name", ["f1_binary", "matthews", "cost"])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_standard_error_on_the_curve_is_that_of_its_confusion_matrix(name, is_weighted):
    rng = np.random.default_rng(0)
    weight = rng.uniform(0.5, 3, 200) if is_weighted else None
    costs = np.array([[0.0, 1.0], [7.0, -1.0]])
    rows = drawn_rows(200, 1, n_folds=2, weight=weight, cost_matrix=costs)
    objective, _ = OBJECTIVES[name]

    def error_of(part, threshold):
        each = np.ones(200) if weight is None else weight
        matrix = metrics.confusion_matrix(
            rows.target[part], rows.scores[part] >= threshold, sample_weight=each[part]
        ).astype(float)
        of_class = [each[part & (rows.target == label)] for label in (0, 1)]
        kish = [(one @ one) / one.sum() for one in of_class]
        return standard_error(objective, matrix, kish, costs)

    for position in (20, 90, 150):
        curve = Sweep(rows, objective).curve()
        pooled = error_of(np.ones(200, bool), curve.thresholds[position])
        assert curve.error_at(position) == pytest.approx(pooled)
        assert pooled > 0
        curve = Sweep(rows, objective, aggregate="mean").curve()
        each = [error_of(fold, curve.thresholds[position]) for fold in rows.folds()]
        assert curve.error_at(position) == pytest.approx(np.hypot(*each) / 2)


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("aggregate", ["pooled", "mean"])
def test_standard_error_of_row_costs_is_that_of_a_mean(is_weighted, aggregate):
    rng = np.random.default_rng(0)
    weight = rng.uniform(0.5, 3, 300) if is_weighted else None
    row_cost = rng.normal(size=(300, 2)) * [1, 4]
    rows = drawn_rows(300, 2, n_folds=3, weight=weight, row_cost=row_cost)
    curve = Sweep(rows, NAMED["cost"], aggregate=aggregate).curve()
    paid = row_cost[np.arange(300), (rows.scores >= curve.thresholds[60]).astype(int)]
    each = np.ones(300) if weight is None else weight
    times = rng.multinomial(300, np.full(300, 1 / 300), 2000)
    if aggregate == "pooled":
        means = (times * each) @ paid / (times @ each)
    else:
        parts = [np.where(fold, times * each, 0) for fold in rows.folds()]
        means = np.mean([part @ paid / part.sum(axis=1) for part in parts], axis=0)
    assert curve.error_at(60) == pytest.approx(means.std(), rel=0.08)


@pytest.mark.parametrize("name", ["f1_binary", "balanced_accuracy", "cost"])
@pytest.mark.parametrize("by_row", [False, True])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_rows_that_are_known_to_repeat_are_no_surer(name, by_row, is_weighted):
    rng = np.random.default_rng(0)
    given_ = {"cost_matrix": np.array([[0.0, 1.0], [7.0, -1.0]])}
    if by_row:
        given_ = {"row_cost": rng.normal(size=(200, 2))}
    elif is_weighted:
        given_ |= {"weight": rng.uniform(0.5, 3, 200)}
    if name != "cost":
        given_.pop("row_cost", None)
    once = drawn_rows(200, 1, **given_)
    doubled = {
        key: value if key == "cost_matrix" else np.tile(value.T, 2).T
        for key, value in given_.items()
    }
    twice, counted_twice = (
        ScoredRows(
            np.tile(once.scores, 2),
            np.tile(once.target, 2),
            np.zeros(400, int),
            1,
            np.tile(once.index, 2),
            repeats=repeats,
            **doubled,
        )
        for repeats in (2.0, 1.0)
    )
    objective = OBJECTIVES[name][0]
    wanted = Sweep(once, objective).curve().error_at(40)
    assert wanted > 0
    assert Sweep(twice, objective).curve().error_at(40) == pytest.approx(wanted)
    # Taken for rows of their own they would seem to make the choice surer.
    surer = Sweep(counted_twice, objective).curve().error_at(40)
    assert surer == pytest.approx(wanted / 2**0.5, rel=0.05)


@careful
@given(problems(), st.sampled_from(["pooled", "mean"]), st.integers(1, 3))
def test_integer_weights_are_repeated_rows(rows, aggregate, times):
    weight = 1 + np.arange(len(rows)) % (times + 1)
    objective, _ = OBJECTIVES["matthews"]
    weighted = ScoredRows(
        rows.scores, rows.target, rows.fold, rows.n_folds, rows.index, weight=weight.astype(float)
    )
    repeated = ScoredRows(
        *(np.repeat(each, weight) for each in (rows.scores, rows.target, rows.fold)),
        rows.n_folds,
        np.repeat(rows.index, weight),
    )
    one, other = (Sweep(each, objective, aggregate=aggregate) for each in (weighted, repeated))
    np.testing.assert_array_equal(one.curve().thresholds, other.curve().thresholds)
    np.testing.assert_allclose(one.curve().values, other.curve().values, atol=1e-9)
    np.testing.assert_allclose(one.curve().alarm_rate, other.curve().alarm_rate, atol=1e-12)
