"""The chosen threshold is best to within chance, and no accident of order or of class names."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import logit

from sk_imbalance_nn.decisions.constraint import constraint_of
from sk_imbalance_nn.decisions.objectives import NAMED
from sk_imbalance_nn.decisions.scored import ScoredRows
from sk_imbalance_nn.decisions.scoring import goal_of
from sk_imbalance_nn.decisions.selection import Curve, eligible, log_odds_of, middle, select
from sk_imbalance_nn.decisions.sweep import Sweep

quick = settings(deadline=None, max_examples=25)
INF = float("inf")
SYMMETRIC = ["accuracy", "balanced_accuracy", "matthews_corrcoef", "geometric_mean", "f1_macro"]


@st.composite
def rows_of_two(draw, distinct=False):
    n, is_weighted = draw(st.integers(4, 25)), draw(st.booleans())
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scores = rng.permutation(n) - 0.5 if distinct else rng.choice([-2, -0.5, 0.25, 0.5, 3], n)
    target = np.append([0, 1], rng.integers(0, 2, n - 2))
    weight = rng.choice([0.5, 1.0, 2.0], n) if is_weighted else None
    return ScoredRows(scores, target, np.zeros(n, int), 1, np.arange(n), weight=weight)


def objective_of(name):
    return goal_of(name).objective


def curve_of(values, alarm_rate, error=0.0, lacking=None):
    values = np.asarray(values, dtype=float)
    return Curve(
        np.arange(len(values))[::-1],
        values,
        np.asarray(alarm_rate, dtype=float),
        over_folds=lambda: values[None],
        error_at=lambda position: error,
        lacking=lacking,
    )


@quick
@given(rows_of_two(), st.sampled_from([*SYMMETRIC, "f1", "precision"]))
def test_width_of_zero_takes_a_maximum(rows, name):
    curve = Sweep(rows, objective_of(name)).curve()
    assert curve.values[select(curve, 0.0)] == curve.values.max()


@quick
@given(rows_of_two(), st.sampled_from([*SYMMETRIC, "f1"]), st.floats(0.01, 4))
def test_member_of_a_plateau_is_within_its_tolerance(rows, name, width):
    curve = Sweep(rows, objective_of(name)).curve()
    # Of several that are best the middle one, whose standard error counts.
    chosen, best = select(curve, width), select(curve, 0.0)
    assert curve.values[best] == curve.values.max()
    tolerance = width * curve.error_at(best)
    assert curve.values[chosen] >= curve.values[best] - tolerance
    # Nobody else within the tolerance is nearer to the middle of those who are.
    near = np.flatnonzero(curve.values >= curve.values[best] - tolerance)
    log_odds = log_odds_of(curve.alarm_rate)
    halfway = (log_odds[near[0]] + log_odds[near[-1]]) / 2
    assert abs(log_odds[chosen] - halfway) == np.abs(log_odds[near] - halfway).min()


@quick
@given(rows_of_two(distinct=True), st.sampled_from(SYMMETRIC), st.sampled_from([0.0, 0.5, 1.0]))
def test_swapping_the_classes_mirrors_the_choice(rows, name, width):
    mirrored = ScoredRows(
        -rows.scores, 1 - rows.target, rows.fold, 1, rows.index, weight=rows.weight
    )
    one, other = (Sweep(each, objective_of(name)).curve() for each in (rows, mirrored))
    np.testing.assert_allclose(one.values, other.values[::-1], atol=1e-12)
    np.testing.assert_allclose(one.alarm_rate, 1 - other.alarm_rate[::-1], atol=1e-12)
    if (one.values >= one.values.max() - 1e-12).sum() > 1:
        width = 0.0  # of several that are best the first one's standard error counts
    chosen, answer = select(one, width), len(other.values) - 1 - select(other, width)
    # Two members may be equally near to the middle; then the mirror may show the other one.
    log_odds = log_odds_of(one.alarm_rate)
    best = one.values.max()
    near = one.values >= best - width * one.error_at(int(one.values.argmax())) - 1e-12
    halfway = (log_odds[near].min() + log_odds[near].max()) / 2
    distances = np.abs(log_odds - halfway)
    assert distances[chosen] == pytest.approx(distances[answer], abs=1e-9)


@quick
@given(rows_of_two(), st.sampled_from(["f1", "matthews_corrcoef"]), st.data())
def test_order_of_the_rows_does_not_matter(rows, name, data):
    order = data.draw(st.permutations(range(len(rows))))
    shuffled = ScoredRows(
        rows.scores[order],
        rows.target[order],
        rows.fold,
        1,
        rows.index,
        weight=None if rows.weight is None else rows.weight[order],
    )
    one, other = (Sweep(each, objective_of(name)).curve() for each in (rows, shuffled))
    np.testing.assert_array_equal(one.thresholds, other.thresholds)
    np.testing.assert_allclose(one.values, other.values, atol=1e-12)
    for width in (0.0, 1.0):
        assert select(one, width) == select(other, width)


@quick
@given(rows_of_two(), st.sampled_from([2.0, 3.0, 8.0]))
def test_order_preserving_scores_are_cut_between_the_same_rows(rows, factor):
    stretched = ScoredRows(
        np.exp(rows.scores) * factor, rows.target, rows.fold, 1, rows.index, weight=rows.weight
    )
    decided = []
    for each in (rows, stretched):
        curve = Sweep(each, NAMED["balanced_accuracy"]).curve()
        decided.append(each.scores >= curve.thresholds[select(curve, 1.0)])
    np.testing.assert_array_equal(*decided)


def test_wider_plateau_takes_the_middle_by_log_odds():
    rates = [0.0, 0.001, 0.01, 0.1, 0.5, 1.0]
    values = [0.0, 0.7, 0.75, 0.8, 0.4, 0.1]
    assert select(curve_of(values, rates, error=0.05), 0.0) == 3
    assert select(curve_of(values, rates, error=0.05), 0.5) == 3
    assert select(curve_of(values, rates, error=0.05), 2.1) == 2  # not the middle by rate
    assert logit(0.001) + logit(0.1) < 2 * logit(0.015)


def test_equal_values_are_split_in_the_middle():
    rates = np.linspace(0.3, 0.7, 5)
    assert select(curve_of([1, 1, 1, 1, 1], rates), 0.0) == 2
    assert select(curve_of([0, 1, 1, 1, 0], rates), 0.0) == 2
    assert select(curve_of([0, 0, 1, 1, 1], rates), 0.0) == 3


def test_values_that_are_none_are_never_chosen():
    values = [-INF, np.nan, 0.1, 0.2, np.nan]
    assert select(curve_of(values, [0.0, 0.2, 0.4, 0.6, 1.0], error=9.0), 0.0) == 3
    chosen = select(curve_of(values, [0.0, 0.2, 0.4, 0.6, 1.0], error=9.0), 1.0)
    assert chosen in (2, 3)


finite = st.floats(-5, 5)


@quick
@given(
    st.lists(st.tuples(finite | st.sampled_from([np.nan, -INF]), finite), min_size=1, max_size=8)
)
def test_constraint_keeps_what_holds_or_is_missed_least(pairs):
    values, lacking = (np.array(each) for each in zip(*pairs, strict=True))
    lacking = np.maximum(lacking, 0)
    found = eligible(values, lacking)
    there = np.isfinite(values)
    if not there.any():
        assert (found == -INF).all()
        return
    kept = there & (lacking == lacking[there].min())
    np.testing.assert_array_equal(found[kept], values[kept])
    assert (found[~kept] == -INF).all()
    stacked = eligible(np.stack([values, values]), np.stack([lacking, lacking]))
    np.testing.assert_array_equal(stacked, np.stack([found, found]))


@quick
@given(rows_of_two(), st.sampled_from([0.0, 1.0]))
def test_plateau_never_leaves_the_constraint(rows, width):
    curve = Sweep(rows, NAMED["balanced_accuracy"], constraint_of("precision >= 0.6")).curve()
    chosen = select(curve, width)
    assert curve.lacking[chosen] == curve.lacking.min()
    if width == 0:
        best = curve.values[curve.lacking == curve.lacking.min()].max()
        assert curve.values[chosen] == best


def test_log_odds_are_finite_and_ascend():
    rates = np.array([0.0, 0.1, 0.5, 0.9, 1.0])
    expected = logit([0.05, 0.1, 0.5, 0.9, 0.95])
    np.testing.assert_allclose(log_odds_of(rates), expected)
    assert log_odds_of(np.array([0.0, 1.0])).tolist() == [0, 0]


@quick
@given(hnp.arrays(bool, 9), st.data())
def test_middle_is_a_member_that_no_other_beats(near, data):
    near[data.draw(st.integers(0, 8))] = True
    rates = np.sort(data.draw(hnp.arrays(np.intp, 9, elements=st.integers(0, 1000)))) / 1000
    found = middle(near, rates)
    assert near[found]
    log_odds = log_odds_of(rates)
    halfway = (log_odds[near].min() + log_odds[near].max()) / 2
    assert abs(log_odds[found] - halfway) <= np.abs(log_odds[near] - halfway).min()
