"""Grids see both classes alike, and a scorer that is called gives the curve of its counts."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from sk_imbalance_nn.decisions.constraint import constraint_of
from sk_imbalance_nn.decisions.grid import grid_of, scored_curve
from sk_imbalance_nn.decisions.scored import ScoredRows
from sk_imbalance_nn.decisions.scoring import goal_of
from sk_imbalance_nn.decisions.sweep import Sweep

quick = settings(deadline=None, max_examples=15)
F1 = goal_of("f1").objective


@st.composite
def rows_of_two(draw, most_folds=3):
    n_folds, is_weighted = draw(st.integers(1, most_folds)), draw(st.booleans())
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = rng.integers(2 * n_folds, 20)
    target = np.where(np.arange(n) < 2 * n_folds, np.arange(n) % 2, rng.integers(0, 2, n))
    fold = np.arange(n) // 2 % n_folds
    weight = rng.uniform(0.1, 5, n) if is_weighted else None
    return ScoredRows(rng.integers(0, 12, n) / 12, target, fold, n_folds, np.arange(n), weight)


def level_of(rows, threshold):
    alarm = rows.scores >= threshold
    weight = np.ones(len(rows)) if rows.weight is None else rows.weight
    sides = [rows.target == label for label in (0, 1)]
    return np.mean([np.average(alarm[side], weights=weight[side]) for side in sides])


@quick
@given(rows_of_two(), st.integers(1, 12))
def test_grid_holds_the_quantiles_of_two_equal_classes(rows, n_thresholds):
    sweep = Sweep(rows, F1)
    grid, exact = grid_of(sweep, n_thresholds), sweep.cuts.thresholds()
    if n_thresholds >= len(exact) - 1:
        np.testing.assert_array_equal(grid, exact)
        return
    assert 2 <= len(grid) <= n_thresholds + 1
    assert (np.diff(grid) < 0).all()
    assert {*grid} <= {*exact}
    assert grid[0] == np.inf
    assert (rows.scores >= grid[-1]).all()
    levels = np.array([level_of(rows, threshold) for threshold in exact])
    for share in np.arange(1, n_thresholds + 1) / n_thresholds:
        if np.abs(levels[:-1] - share).min() > 1e-9:  # else rounding says which of two it is
            assert exact[np.argmax(levels >= share - 1e-9)] in grid


def test_grid_sees_rare_positives():
    rng = np.random.default_rng(0)
    target = (np.arange(20_000) < 100).astype(int)
    scores = rng.normal(size=20_000) + 3 * target
    rows = ScoredRows(scores, target, np.zeros(20_000, int), 1, np.arange(20_000))
    grid = grid_of(Sweep(rows, F1), 50)
    hits = (scores[:100, None] >= grid).sum(axis=0)
    assert len(grid) == 51
    assert np.diff(hits).max() <= 5
    plain = np.quantile(scores, np.linspace(1, 0, 50))
    assert np.diff((scores[:100, None] >= plain).sum(axis=0)).max() > 50


def called(rows):
    def score(decided, part):
        weight = None if rows.weight is None else rows.weight[part]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return f1_score(rows.target[part], decided[part], sample_weight=weight, zero_division=0)

    return score


@pytest.mark.parametrize("aggregate", ["pooled", "mean"])
@settings(deadline=None, max_examples=8)
@given(rows_of_two())
def test_called_scorer_gives_the_exact_curve(aggregate, rows):
    sweep = Sweep(rows, F1, constraint_of("recall >= 0.5"), aggregate)
    exact = sweep.curve()
    found = scored_curve(sweep, exact.thresholds, called(rows))
    for name in ("thresholds", "values", "alarm_rate", "lacking"):
        np.testing.assert_allclose(getattr(found, name), getattr(exact, name), atol=1e-12)
    np.testing.assert_allclose(found.over_folds(), exact.over_folds(), atol=1e-12)
    position = len(exact.thresholds) // 2
    of_folds = exact.over_folds()[:, position]
    wanted = np.std(of_folds, ddof=1) / len(of_folds) ** 0.5 if rows.n_folds > 1 else 0.0
    assert found.error_at(position) == pytest.approx(wanted, abs=1e-12)


def test_objective_of_the_sweep_is_not_used_where_a_scorer_is_called():
    rows = ScoredRows(np.array([0.1, 0.9]), np.array([0, 1]), np.zeros(2, int), 1, np.arange(2))
    curve = scored_curve(Sweep(rows, F1), [0.5], lambda decided, part: 7.0)
    assert curve.values.tolist() == [7.0]
