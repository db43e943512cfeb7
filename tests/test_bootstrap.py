"""Intervals are those of rows drawn anew, whatever shortcut draws them."""

from dataclasses import replace

import numpy as np
import pytest

from sk_imbalance_nn.decisions.bootstrap import (
    bootstrap_intervals,
    bootstrap_labels,
    bootstrap_score,
)
from sk_imbalance_nn.decisions.constraint import constraint_of
from sk_imbalance_nn.decisions.counts import Counts
from sk_imbalance_nn.decisions.labels import LabelAscent
from sk_imbalance_nn.decisions.objectives import NAMED
from sk_imbalance_nn.decisions.scored import ScoredRows
from sk_imbalance_nn.decisions.scoring import goal_of
from sk_imbalance_nn.decisions.selection import eligible, log_odds_of, select
from sk_imbalance_nn.decisions.sweep import Sweep

COSTS = np.array([[0.0, 1.0], [9.0, -1.0]])
NAMES = ["f1", "balanced_accuracy", "matthews_corrcoef", "cost"]


def objective_of(name):
    return NAMED[name] if name in NAMED else goal_of(name).objective


def rows_of_two(n=400, n_folds=2, decimals=9, **others):
    rng = np.random.default_rng(0)
    target = (np.arange(n) % 5 == 0).astype(int)
    scores = (rng.normal(size=n) + 1.3 * target).round(decimals)
    fold = np.arange(n) // 5 % n_folds
    return ScoredRows(scores, target, fold, n_folds, np.arange(n), **others)


def variants():
    rng = np.random.default_rng(1)
    return {
        "plain": rows_of_two(cost_matrix=COSTS),
        "ties": rows_of_two(decimals=0, cost_matrix=COSTS),
        "weighted": rows_of_two(cost_matrix=COSTS, weight=rng.choice([0.5, 1, 6], 400)),
        "weighted_ties": rows_of_two(
            decimals=0, cost_matrix=COSTS, weight=rng.choice([0.5, 1, 6], 400)
        ),
        "costs_of_rows": rows_of_two(
            row_cost=rng.uniform(0.5, 3, (400, 1)) * [[0, 1]]
            + (np.arange(400) % 5 == 0)[:, None] * [[6, -3]],
            weight=rng.choice([0.5, 1, 6], 400),
        ),
    }


VARIANTS = variants()


def drawn_rows(rows, rng):
    """Rows drawn with replacement, from each fold if there are several."""
    index = np.concatenate([rng.choice(np.flatnonzero(fold), fold.sum()) for fold in rows.folds()])
    parts = ("scores", "target", "fold", "index", "weight", "row_cost")
    return replace(
        rows,
        **{name: getattr(rows, name)[index] for name in parts if getattr(rows, name) is not None},
    )


def intervals_by_hand(sweep, curve, chosen, tolerance, n_draws):
    """Thresholds and values of rows drawn anew, each searched by a sweep of its own."""
    rng = np.random.default_rng(5)
    thresholds, values = [], []
    for _ in range(n_draws):
        again = replace(sweep, rows=drawn_rows(sweep.rows, rng)).curve(curve.thresholds)
        values.append(again.values[chosen])
        near = eligible(again.values, again.lacking)
        near = near >= near.max() - tolerance
        log_odds = log_odds_of(curve.alarm_rate)
        halfway = (log_odds[near].min() + log_odds[near].max()) / 2
        distance = np.where(near, np.abs(log_odds - halfway), np.inf)
        thresholds.append(curve.thresholds[distance.argmin()])
    return [np.quantile(each, [0.025, 0.5, 0.975]) for each in (thresholds, values)]


def assert_interval_is(found, wanted, within):
    low, _, high = wanted
    assert low < high
    assert found == pytest.approx((low, high), abs=within * (high - low))


@pytest.mark.parametrize(
    ("variant", "name", "aggregate"),
    [
        *(("plain", name, "pooled") for name in NAMES),
        ("plain", "f1", "mean"),
        ("ties", "f1", "mean"),
        ("weighted", "f1", "pooled"),
        ("weighted", "cost", "mean"),
        ("weighted_ties", "balanced_accuracy", "pooled"),
        ("costs_of_rows", "cost", "pooled"),
        ("costs_of_rows", "cost", "mean"),
    ],
)
def test_intervals_are_those_of_rows_drawn_anew(variant, name, aggregate):
    sweep = Sweep(VARIANTS[variant], objective_of(name), aggregate=aggregate)
    curve = sweep.curve()
    chosen = select(curve, 1.0)
    tolerance = curve.error_at(int(curve.values.argmax()))
    of_threshold, of_score = bootstrap_intervals(
        sweep, curve, chosen, tolerance, np.random.RandomState(0), n_draws=600
    )
    by_hand = intervals_by_hand(sweep, curve, chosen, tolerance, n_draws=250)
    assert_interval_is(of_score, by_hand[1], within=0.2)
    if variant in ("ties", "weighted_ties"):  # few thresholds, so ends jump from one to the next
        ascending = curve.thresholds[::-1]
        ours, theirs = (np.searchsorted(ascending, e) for e in (of_threshold, by_hand[0][[0, 2]]))
        assert np.abs(ours - theirs).max() <= 1
    else:
        assert_interval_is(of_threshold, by_hand[0], within=0.3)
    assert of_score[0] <= curve.values[chosen] <= of_score[1]
    assert of_threshold[0] <= curve.thresholds[chosen] <= of_threshold[1]


def test_interval_of_the_threshold_respects_the_constraint():
    sweep = Sweep(VARIANTS["plain"], objective_of("recall"), constraint_of("precision >= 0.6"))
    curve = sweep.curve()
    chosen = select(curve, 0.0)
    of_threshold, _ = bootstrap_intervals(
        sweep, curve, chosen, 0.0, np.random.RandomState(0), n_draws=600
    )
    by_hand = intervals_by_hand(sweep, curve, chosen, 0.0, n_draws=250)
    assert_interval_is(of_threshold, by_hand[0], within=0.3)
    free = replace(sweep, constraint=None)
    unbound, _ = bootstrap_intervals(free, free.curve(), chosen, 0.0, np.random.RandomState(0))
    assert max(unbound) < min(of_threshold)


@pytest.mark.parametrize("aggregate", ["pooled", "mean"])
def test_intervals_repeat_with_their_random_state_only(aggregate):
    sweep = Sweep(VARIANTS["plain"], objective_of("f1"), aggregate=aggregate)
    curve = sweep.curve()
    one, same, other = (
        bootstrap_intervals(sweep, curve, 50, 0.01, np.random.RandomState(seed))
        for seed in (0, 0, 1)
    )
    assert one == same
    assert one != other


def test_wider_level_gives_a_wider_interval():
    sweep = Sweep(VARIANTS["plain"], objective_of("f1"))
    curve = sweep.curve()
    narrow, wide = (
        bootstrap_intervals(sweep, curve, 60, 0.01, np.random.RandomState(0), level=level)
        for level in (0.5, 0.99)
    )
    for inner, outer in zip(narrow, wide, strict=True):
        assert outer[0] < inner[0] <= inner[1] < outer[1]


def test_thinned_cuts_give_the_interval_of_all(monkeypatch):
    sweep = Sweep(rows_of_two(n=450), objective_of("f1"))
    curve = sweep.curve()
    chosen = select(curve, 1.0)
    given = (sweep, curve, chosen, curve.error_at(chosen))
    every = bootstrap_intervals(*given, np.random.RandomState(0), n_draws=1500)
    monkeypatch.setattr("sk_imbalance_nn.decisions.bootstrap._MOST_CELLS", 60)
    thinned = bootstrap_intervals(*given, np.random.RandomState(1), n_draws=1500)
    for one, other in zip(every, thinned, strict=True):
        assert other == pytest.approx(one, abs=0.25 * (one[1] - one[0]))


def test_row_costs_that_vary_between_two_cuts_widen_the_interval():
    rng = np.random.default_rng(0)
    rows = rows_of_two(decimals=0, n_folds=1, row_cost=rng.lognormal(0, 1.5, (400, 2)))
    sweep = Sweep(rows, objective_of("cost"))
    curve = sweep.curve()
    _, of_score = bootstrap_intervals(sweep, curve, 3, 0.0, np.random.RandomState(0), n_draws=1500)
    paid = rows.row_cost[np.arange(400), (rows.scores >= curve.thresholds[3]).astype(int)]
    times = rng.multinomial(400, np.full(400, 1 / 400), 1500)
    assert_interval_is(of_score, np.quantile(-times @ paid / 400, [0.025, 0.5, 0.975]), within=0.2)


def test_rows_that_are_known_to_repeat_are_no_surer():
    once = rows_of_two(n_folds=1)
    twice = ScoredRows(
        np.tile(once.scores, 2),
        np.tile(once.target, 2),
        np.zeros(800, int),
        1,
        np.tile(once.index, 2),
        repeats=2.0,
    )
    widths = []
    for rows in (once, twice, replace(twice, repeats=1.0)):
        sweep = Sweep(rows, objective_of("f1"))
        curve = sweep.curve()
        _, (low, high) = bootstrap_intervals(
            sweep, curve, 60, 0.0, np.random.RandomState(0), n_draws=1500
        )
        widths.append(high - low)
    assert widths[1] == pytest.approx(widths[0], rel=0.1)
    assert widths[2] == pytest.approx(widths[0] / 2**0.5, rel=0.1)


def test_impossible_threshold_is_never_in_the_interval():
    rows = rows_of_two()
    rows.scores[:40] = np.inf
    sweep = Sweep(rows, objective_of("accuracy"))
    curve = sweep.curve()
    of_threshold, of_score = bootstrap_intervals(
        sweep, curve, select(curve, 0.0), 0.0, np.random.RandomState(0)
    )
    assert curve.values[0] == -np.inf
    assert of_threshold[0] <= of_threshold[1] <= curve.thresholds[1]
    assert np.isfinite(of_score).all()
    assert of_score[0] <= curve.values.max() <= of_score[1]


def rows_of_three(**others):
    rng = np.random.default_rng(0)
    target = np.arange(600) % 10 // 5 + (np.arange(600) % 10 == 9)
    scores = rng.normal(size=(600, 3)) + 1.5 * np.eye(3)[target]
    return ScoredRows(scores, target, np.arange(600) // 10 % 2, 2, np.arange(600), **others)


COSTS_OF_THREE = np.array([[0.0, 1, 2], [5, 0, 1], [9, 9, -1]])


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("aggregate", ["pooled", "mean"])
@pytest.mark.parametrize(
    "name",
    ["f1_macro", "matthews_corrcoef", "cost", "row_cost"],
)
def test_interval_of_class_decisions_is_that_of_rows_drawn_anew(name, aggregate, is_weighted):
    rng = np.random.default_rng(3)
    weight = rng.choice([0.5, 1, 6], 600) if is_weighted else None
    each = rng.uniform(0, 5, (600, 3))
    costs = {"row_cost": each} if name == "row_cost" else {"cost_matrix": COSTS_OF_THREE}
    rows = rows_of_three(weight=weight, **costs)
    prices = each if name == "row_cost" else COSTS_OF_THREE[rows.target]
    objective = objective_of("cost" if name == "row_cost" else name)
    decided = rows.scores.argmax(axis=1)
    groups = list(rows.folds()) if aggregate == "mean" else [np.ones(600, dtype=bool)]
    found = bootstrap_score(objective, rows, decided, groups, np.random.RandomState(0), 1500)

    def value(times):
        weights = times if weight is None else times * weight
        counts = [Counts.of(rows.target[g], decided[g], 3, weights[g], prices[g]) for g in groups]
        return np.mean([objective.values(each) for each in counts])

    times = rng.poisson(1.0, (800, 600))
    by_hand = np.quantile([value(each) for each in times], [0.025, 0.5, 0.975])
    assert_interval_is(found, by_hand, within=0.15)
    assert found[0] <= value(np.ones(600)) <= found[1]
    again = bootstrap_score(objective, rows, decided, groups, np.random.RandomState(0), 1500)
    assert again == found


# Half of all combinations, in which each two of the three meet in every way.
@pytest.mark.parametrize(
    ("most_blocks", "aggregate", "is_weighted"),
    [(5000, "pooled", False), (5000, "mean", True), (150, "pooled", True), (150, "mean", False)],
)
@pytest.mark.parametrize("average", ["macro", "micro", "samples", "weighted"])
def test_interval_of_labels_is_that_of_rows_drawn_anew(
    monkeypatch, average, aggregate, is_weighted, most_blocks
):
    monkeypatch.setattr("sk_imbalance_nn.decisions.bootstrap._MOST_BLOCKS", most_blocks)
    rng = np.random.default_rng(0)
    target = (rng.random((500, 3)) < [0.5, 0.3, 0.2]).astype(int)
    target |= rng.random((500, 1)) < 0.1  # labels that come together
    scores = rng.normal(size=(500, 3)) + 1.3 * target
    weight = rng.choice([0.5, 1, 4], 500) if is_weighted else None
    rows = ScoredRows(scores, target, np.arange(500) % 2, 2, np.arange(500), weight=weight)
    thresholds = np.array([0.6, 0.7, 0.8])
    objective = goal_of(f"f1_{average}").objective
    ascent = LabelAscent(rows, objective, aggregate)
    found = bootstrap_labels(ascent, thresholds, np.random.RandomState(0), n_draws=1500)
    decided = (scores >= thresholds).astype(int)

    assert ascent.value(thresholds) == pytest.approx(f1_of(np.ones((1, 500)), ascent, decided)[0])
    drawn = rng.poisson(1.0, (1500, 500))
    by_hand = np.quantile(f1_of(drawn, ascent, decided), [0.025, 0.5, 0.975])
    assert_interval_is(found, by_hand, within=0.15)
    assert found[0] <= ascent.value(thresholds) <= found[1]
    again = bootstrap_labels(ascent, thresholds, np.random.RandomState(0), n_draws=1500)
    assert again == found


def f1_of(drawn, ascent, decided):
    """F1 of labels in every draw of rows."""
    target, average = ascent.rows.target, ascent.objective.average
    weight = np.ones(len(target)) if ascent.rows.weight is None else ascent.rows.weight
    values = []
    for group in ascent.groups:
        times = drawn * weight * group
        if average == "samples":
            of_row = 2 * (target * decided).sum(axis=1) / (target + decided).sum(axis=1).clip(1)
            values.append(times @ of_row / times.sum(axis=1))
            continue
        hits, both, positives = (
            times @ each for each in (target * decided, target + decided, target)
        )
        if average == "micro":
            values.append(2 * hits.sum(axis=1) / both.sum(axis=1))
        else:
            share = positives if average == "weighted" else np.ones_like(positives)
            values.append(np.average(2 * hits / both, axis=1, weights=share))
    return np.mean(values, axis=0)
