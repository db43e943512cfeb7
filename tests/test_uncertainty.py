"""Standard errors are those of a plain bootstrap of rows, without its randomness."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import confusion_matrix

from sk_imbalance_nn.decisions.objectives import NAMED
from sk_imbalance_nn.decisions.scoring import goal_of
from sk_imbalance_nn.decisions.uncertainty import counts_of_matrices, standard_error

quick = settings(deadline=None, max_examples=25)
COSTS = np.array([[0.0, 1.0, 3.0], [7.0, -1.0, 2.0], [4.0, 2.0, 0.0]])
NAMES = ["f1", "recall", "precision", "balanced_accuracy", "matthews_corrcoef", "cost"]
N_ROWS = 3000
# How often each row occurs in each of many draws with replacement.
DRAWN = np.random.default_rng(9).multinomial(N_ROWS, np.full(N_ROWS, 1 / N_ROWS), 800)


def objective_of(name):
    return NAMED[name] if name in NAMED else goal_of(name).objective


def drawn_decisions(n_classes=2, n=N_ROWS, seed=0):
    rng = np.random.default_rng(seed)
    true = rng.choice(n_classes, n, p=[0.9, 0.1] if n_classes == 2 else [0.7, 0.2, 0.1])
    pred = np.where(rng.random(n) < 0.75, true, rng.integers(0, n_classes, n))
    return true, pred, rng


def error_by_bootstrap(objective, true, pred, weight=1.0, cost=None):
    """The standard deviation over rows drawn with replacement."""
    n_classes = max(true) + 1
    cell = np.eye(n_classes**2)[true * n_classes + pred] * np.reshape(weight, (-1, 1))
    counts = counts_of_matrices((DRAWN @ cell).reshape(-1, n_classes, n_classes), cost)
    return objective.values(counts).std(ddof=1)


@pytest.mark.parametrize("name", [*NAMES, "accuracy", "jaccard", "geometric_mean", "f1_macro"])
def test_standard_error_is_that_of_a_bootstrap(name):
    true, pred, _ = drawn_decisions()
    objective, cost = objective_of(name), COSTS[:2, :2]
    matrix = confusion_matrix(true, pred).astype(float)
    found = standard_error(objective, matrix, cost=cost)
    assert found == pytest.approx(error_by_bootstrap(objective, true, pred, cost=cost), rel=0.15)


@pytest.mark.parametrize("name", ["balanced_accuracy", "matthews_corrcoef", "f1_macro", "cost"])
def test_standard_error_of_three_classes_is_that_of_a_bootstrap(name):
    true, pred, _ = drawn_decisions(n_classes=3)
    objective = objective_of(name)
    found = standard_error(objective, confusion_matrix(true, pred).astype(float), cost=COSTS)
    assert found == pytest.approx(error_by_bootstrap(objective, true, pred, cost=COSTS), rel=0.15)


@pytest.mark.parametrize("name", NAMES)
def test_standard_error_of_weighted_rows_is_that_of_a_bootstrap(name):
    true, pred, rng = drawn_decisions()
    weight = np.where(true == 1, rng.choice([2.0, 14.0], len(true)), rng.choice([0.5, 1.5], N_ROWS))
    of_class = [weight[true == label] for label in (0, 1)]
    objective, cost = objective_of(name), COSTS[:2, :2]
    matrix = confusion_matrix(true, pred, sample_weight=weight)
    found = standard_error(objective, matrix, [(w @ w) / w.sum() for w in of_class], cost)
    by_chance = error_by_bootstrap(objective, true, pred, weight, cost)
    assert found == pytest.approx(by_chance, rel=0.15)
    assert standard_error(objective, matrix, 1.0, cost) < 0.8 * found


matrices = hnp.arrays(np.float64, (2, 2), elements=st.integers(0, 500).map(float))


@quick
@given(matrices, st.sampled_from(NAMES), st.sampled_from([0.25, 2.0, 16.0]))
def test_unit_of_the_weights_does_not_matter(matrix, name, unit):
    objective, cost = objective_of(name), COSTS[:2, :2]
    found = standard_error(objective, unit * matrix, unit, cost)
    assert found == pytest.approx(standard_error(objective, matrix, 1.0, cost), abs=1e-12)
    assert np.isfinite(found)
    assert found >= 0


@pytest.mark.parametrize("name", NAMES)
def test_four_times_the_rows_are_twice_as_sure(name):
    matrix = np.array([[900.0, 60.0], [40.0, 100.0]])
    objective, cost = objective_of(name), COSTS[:2, :2]
    wanted = standard_error(objective, matrix, cost=cost)
    assert standard_error(objective, 4 * matrix, cost=cost) == pytest.approx(wanted / 2, rel=0.05)


@quick
@given(st.integers(20, 1000), st.integers(20, 1000))
def test_standard_error_of_a_share_is_the_one_of_the_binomial(hits, misses):
    n = hits + misses
    matrix = np.array([[500.0, 30.0], [misses, hits]])
    found = standard_error(objective_of("recall"), matrix)
    assert found == pytest.approx((hits * misses / n**3) ** 0.5, rel=0.05)


def test_perfect_scores_of_few_rows_are_no_proof():
    one_alarm = np.array([[1940.0, 0.0], [59.0, 1.0]])
    assert standard_error(objective_of("precision"), one_alarm) > 0.2
    few, many = (
        standard_error(objective_of("accuracy"), np.diag([9.0, 1.0]) * n) for n in (1, 100)
    )
    assert few > 10 * many > 0


def test_a_class_that_weighs_nothing_is_no_obstacle():
    unweighted = np.array([[9.0, 1.0], [0.0, 0.0]])
    assert np.isfinite(standard_error(objective_of("f1"), unweighted, [1.0, 0.0]))
