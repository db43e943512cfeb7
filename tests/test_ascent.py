"""Weights of classes: every step is exact, and the end is no worse than the plain argmax."""

import warnings

import numpy as np
import pytest
import sklearn.metrics as metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.metrics import geometric_mean_score
from sklearn import config_context

from sk_imbalance_nn.decisions.ascent import Ascent, Standing
from sk_imbalance_nn.decisions.constraint import constraint_of
from sk_imbalance_nn.decisions.objectives import NAMED
from sk_imbalance_nn.decisions.rules import log_of
from sk_imbalance_nn.decisions.scored import ScoredRows
from sk_imbalance_nn.decisions.scoring import goal_of

quick = settings(deadline=None, max_examples=6)
NAMES = [
    "accuracy",
    "f1_macro",
    "f1_weighted",
    "balanced_accuracy",
    "matthews_corrcoef",
    "geometric_mean",
    "cost",
]


def objective_of(name):
    return NAMED[name] if name in NAMED else goal_of(name).objective


def metric_of(name, rows, decided, part):
    weight = None if rows.weight is None else rows.weight[part]
    true, pred = rows.target[part], decided[part]
    if name == "cost":
        prices = rows.cost_matrix[rows.target] if rows.row_cost is None else rows.row_cost
        paid = prices[np.arange(len(rows)), decided][part]
        return -np.average(paid, weights=weight)
    if name.startswith("f1"):
        average = name.removeprefix("f1_")
        return metrics.f1_score(true, pred, average=average, sample_weight=weight, zero_division=0)
    functions = {
        "accuracy": metrics.accuracy_score,
        "balanced_accuracy": metrics.balanced_accuracy_score,
        "matthews_corrcoef": metrics.matthews_corrcoef,
        "geometric_mean": geometric_mean_score,
    }
    return functions[name](true, pred, sample_weight=weight)


def value_by_hand(name, rows, offset, aggregate, known=None):
    decided = (rows.scores + offset).argmax(axis=1)
    known, key = {} if known is None else known, decided.tobytes()
    if key not in known:
        everything = [np.ones(len(rows), dtype=bool)]
        parts = list(rows.folds()) if aggregate == "mean" else everything
        with warnings.catch_warnings(), config_context(skip_parameter_validation=True):
            warnings.simplefilter("ignore")
            known[key] = np.mean([metric_of(name, rows, decided, part) for part in parts])
    return known[key]


@st.composite
def problems(draw, kinds=("probabilities", "coarse", "zeros", "values")):
    """Scores of three classes with ties, zero probabilities, and every class in every fold."""
    n_classes = 3
    kind = draw(st.sampled_from(kinds))
    n_folds = draw(st.integers(1, 2))
    is_weighted, by_row = draw(st.booleans()), draw(st.booleans())
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = rng.integers(n_classes * n_folds, 22)
    fold = np.arange(n) // n_classes % n_folds
    codes = np.arange(n) % n_classes
    skewed = rng.choice(n_classes, n, p=[0.7, 0.2, 0.1])
    target = np.where(np.arange(n) < n_classes * n_folds, codes, skewed)
    scores = rng.normal(size=(n, n_classes)) + np.eye(n_classes)[target]
    if kind == "coarse":
        scores = scores.round() / 2
    elif kind != "values":
        proba = np.exp(scores)
        if kind == "zeros":
            proba[rng.random(proba.shape) < 0.3] = 0.0
            proba[np.arange(n), rng.integers(0, n_classes, n)] += 0.5
        scores = log_of(proba / proba.sum(axis=1, keepdims=True))
    costs = rng.uniform(-1, 9, (n, n_classes))
    return ScoredRows(
        scores,
        target,
        fold,
        n_folds,
        np.arange(n),
        weight=rng.uniform(0.1, 5, n) if is_weighted else None,
        cost_matrix=costs[:n_classes],
        row_cost=costs if by_row else None,
    )


aggregates = st.sampled_from(["pooled", "mean"])


@pytest.mark.parametrize("name", NAMES)
@quick
@given(problems(), aggregates, st.data())
def test_standing_is_the_metric_of_the_decisions(name, rows, aggregate, data):
    offset = np.array([data.draw(st.floats(-2, 2)) for _ in range(3)])
    found = Ascent(rows, objective_of(name), aggregate=aggregate).standing(offset)
    assert found.value == pytest.approx(value_by_hand(name, rows, offset, aggregate), abs=1e-9)
    assert found.lacking == 0


def alternatives(rows, offset, k):
    """An offset of class k between all at which some row changes sides."""
    others = np.delete(rows.scores + offset, k, axis=1).max(axis=1)
    own = rows.scores[:, k]
    changes = np.unique((others - own)[np.isfinite(others) & np.isfinite(own)])
    if len(changes) == 0:
        return np.array([offset[k]])
    # Changes that only rounding parts are one: what lies between is of no use to anybody.
    between = ((changes[:-1] + changes[1:]) / 2)[np.diff(changes) > 1e-9]
    return np.concatenate([[changes[0] - 1], between, [changes[-1] + 1]])


@pytest.mark.parametrize("name", NAMES)
@quick
@given(problems(), aggregates, st.data())
def test_step_takes_the_best_of_every_weight_of_a_class(name, rows, aggregate, data):
    start = np.array([data.draw(st.sampled_from([-0.75, 0.0, 0.25, 1.125])) for _ in range(3)])
    ascent, known = Ascent(rows, objective_of(name), aggregate=aggregate), {}
    for k in range(3):
        moved = ascent._step(start, k)
        assert np.array_equal(np.delete(moved, k), np.delete(start, k))
        best = max(
            value_by_hand(name, rows, np.where(np.arange(3) == k, other, start), aggregate, known)
            for other in alternatives(rows, start, k)
        )
        assert value_by_hand(name, rows, moved, aggregate) == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=6)
@given(problems(kinds=["probabilities", "zeros", "values"]), aggregates)
def test_end_beats_the_plain_argmax_and_cannot_be_improved_by_one_class(name, rows, aggregate):
    ascent, known = Ascent(rows, objective_of(name), aggregate=aggregate), {}
    offset = ascent.run().offset
    reached = value_by_hand(name, rows, offset, aggregate)
    assert reached >= value_by_hand(name, rows, np.zeros(3), aggregate) - 1e-9
    assert offset.mean() == pytest.approx(0, abs=1e-9)
    for k in range(3):
        for other in alternatives(rows, offset, k):
            moved = np.where(np.arange(3) == k, other, offset)
            assert value_by_hand(name, rows, moved, aggregate, known) <= reached + 1e-8


@pytest.mark.parametrize(
    "seed",
    [0, 61, 94],
)
def test_end_beats_the_plain_argmax_where_a_forest_leaves_ties(seed):
    rng = np.random.default_rng(seed)
    target = np.append([0, 1, 2], rng.choice(3, 37, p=[0.7, 0.2, 0.1]))
    rng.normal(size=(40, 3))
    proba = rng.multinomial(10, [0.5, 0.3, 0.2], size=40) / 10
    proba[np.arange(40), target] += 0.2
    scores = log_of(proba / proba.sum(axis=1, keepdims=True))
    rows = ScoredRows(scores, target, np.zeros(40, int), 1, np.arange(40))
    ascent = Ascent(rows, objective_of("matthews_corrcoef"))
    reached, plain = (ascent.standing(each).value for each in (ascent.run().offset, np.zeros(3)))
    assert reached >= plain


@quick
@given(problems())
def test_ascent_is_as_good_as_a_grid_of_all_weights(rows):
    # Of small problems the best of a grid is mostly the global one, which ascents mostly find.
    ascent = Ascent(rows, objective_of("balanced_accuracy"))
    reached = ascent.standing(ascent.run().offset).value
    grid = np.linspace(-3, 3, 13)
    best = max(ascent.standing(np.array([0.0, one, other])).value for one in grid for other in grid)
    assert reached >= best - 0.12


def test_impossible_classes_are_never_chosen():
    proba = np.array([[0.6, 0.4, 0.0], [0.7, 0.3, 0.0], [0.5, 0.0, 0.5], [0.2, 0.8, 0.0]] * 3)
    target = np.array([0, 0, 2, 1] * 3)
    rows = ScoredRows(log_of(proba), target, np.zeros(12, int), 1, np.arange(12))
    for name in ("f1_macro", "balanced_accuracy", "geometric_mean"):
        ascent = Ascent(rows, objective_of(name))
        offset = ascent.run().offset
        assert np.isfinite(offset).all()
        decided = ascent.run().decide(rows.scores)
        assert (proba[np.arange(12), decided] > 0).all()
        np.testing.assert_array_equal(decided, target)


@quick
@given(problems(), st.integers(1, 3))
def test_integer_weights_are_repeated_rows(rows, times):
    weight = 1 + np.arange(len(rows)) % (times + 1)
    weighted = ScoredRows(
        rows.scores, rows.target, rows.fold, rows.n_folds, rows.index, weight=weight.astype(float)
    )
    repeated = ScoredRows(
        *(np.repeat(each, weight, axis=0) for each in (rows.scores, rows.target, rows.fold)),
        rows.n_folds,
        np.repeat(rows.index, weight),
    )
    start = np.array([0.3, 0.0, -0.4])
    for k in range(3):
        one, other = (
            Ascent(each, objective_of("f1_macro"))._step(start, k) for each in (weighted, repeated)
        )
        reached = [value_by_hand("f1_macro", repeated, each, "pooled") for each in (one, other)]
        assert reached[0] == pytest.approx(reached[1], abs=1e-9)


@pytest.mark.parametrize("text", ["accuracy >= 0.6", "recall_macro >= 0.5", "cost <= 2"])
@settings(deadline=None, max_examples=6)
@given(problems(kinds=["probabilities", "zeros", "values"]), aggregates)
def test_constraint_comes_before_the_objective(text, rows, aggregate):
    constraint = constraint_of(text)
    name = text.split()[0].replace("recall_macro", "balanced_accuracy")
    ascent = Ascent(rows, objective_of("f1_macro"), constraint, aggregate)
    plain, offset = np.zeros(3), ascent.run().offset
    quantity = abs(value_by_hand(name, rows, offset, aggregate))
    assert abs(ascent.bounded(offset)) == pytest.approx(quantity, abs=1e-9)
    before, after = ascent.standing(plain), ascent.standing(offset)
    assert after.lacking <= before.lacking + 1e-9
    if before.lacking == 0:
        assert after.lacking == 0
        assert after.value >= before.value - 1e-9
    for k in range(3):
        for other in alternatives(rows, offset, k):
            moved = ascent.standing(np.where(np.arange(3) == k, other, offset))
            assert not Standing(moved.lacking + 1e-8, moved.value - 1e-8).beats(after)


def test_lacking_less_beats_any_value():
    assert Standing(0.0, 0.1).beats(Standing(0.2, 0.9))
    assert not Standing(0.2, 0.9).beats(Standing(0.0, 0.1))
    assert Standing(0.2, 0.9).beats(Standing(0.2, 0.8))
    assert not Standing(0.0, 0.5 + 1e-13).beats(Standing(0.0, 0.5))


def test_search_needs_no_chance():
    rng = np.random.default_rng(0)
    target = np.arange(60) % 3
    rows = ScoredRows(rng.normal(size=(60, 3)), target, np.zeros(60, int), 1, np.arange(60))
    first = Ascent(rows, objective_of("f1_macro")).run().offset
    np.random.seed(1)
    np.testing.assert_array_equal(first, Ascent(rows, objective_of("f1_macro")).run().offset)


def test_classes_that_are_rare_win_weight_for_balanced_accuracy():
    rng = np.random.default_rng(0)
    target = rng.choice(3, 3000, p=[0.9, 0.07, 0.03])
    likelihood = rng.normal(size=(3000, 3)) + 2 * np.eye(3)[target]
    # What a calibrated model says of such rows, up to a constant for each row.
    scores = 2 * likelihood + np.log([0.9, 0.07, 0.03])
    rows = ScoredRows(scores, target, np.zeros(3000, int), 1, np.arange(3000))
    offset = Ascent(rows, objective_of("balanced_accuracy")).run().offset
    wanted = -np.log([0.9, 0.07, 0.03])
    np.testing.assert_allclose(offset, wanted - wanted.mean(), atol=0.6)
