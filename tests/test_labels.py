"""Thresholds of labels: exact where labels part, no worse by any single one where they do not."""

import warnings

import numpy as np
import pytest
import sklearn.metrics as metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import config_context

from sk_imbalance_nn.decisions.choice import Search, choose_label_thresholds
from sk_imbalance_nn.decisions.labels import (
    LabelAscent,
    counts_of_label,
    counts_of_rows,
    label_objective,
    value_of_labels,
)
from sk_imbalance_nn.decisions.objectives import NAMED
from sk_imbalance_nn.decisions.scored import ScoredRows
from sk_imbalance_nn.decisions.scorers import score_of_named
from sk_imbalance_nn.decisions.scoring import goal_of

quick = settings(deadline=None, max_examples=8)
LEVELS = [0.0, 0.2, 0.4, float(np.nextafter(0.5, 0)), 0.5, 0.7, 1.0]

AVERAGES = ("macro", "weighted", "micro", "samples")
METRICS = {
    "accuracy": (metrics.accuracy_score, {}),
    "subset_loss": (metrics.zero_one_loss, {}),
    "hamming": (metrics.hamming_loss, {}),
}
METRICS |= {
    f"{name}_{average}": (function, {"average": average, "zero_division": 0})
    for name, function in [
        ("f1", metrics.f1_score),
        ("jaccard", metrics.jaccard_score),
        ("precision", metrics.precision_score),
        ("recall", metrics.recall_score),
    ]
    for average in AVERAGES
}
METRICS["f2_samples"] = (metrics.fbeta_score, {"beta": 2, "average": "samples", "zero_division": 0})
METRICS["f1_samples_of_nothing"] = (metrics.f1_score, {"average": "samples", "zero_division": 1})
METRICS["jaccard_micro_of_nothing"] = (
    metrics.jaccard_score,
    {"average": "micro", "zero_division": 1},
)
TIED = ["accuracy", "subset_loss", *(n for n in METRICS if "micro" in n or "samples" in n)]


def objective_of(name):
    function, given_ = METRICS[name]
    is_loss = name in ("subset_loss", "hamming")
    scorer = metrics.make_scorer(function, greater_is_better=not is_loss, **given_)
    return goal_of(scorer).objective


def by_peer(name, target, decided, weight):
    function, given_ = METRICS[name]
    with warnings.catch_warnings(), config_context(skip_parameter_validation=True):
        warnings.simplefilter("ignore")
        value = function(target, decided, sample_weight=weight, **given_)
    return -value if name in ("subset_loss", "hamming") else value


@st.composite
def problems(draw, most_labels=4):
    n_labels, n_folds = draw(st.integers(2, most_labels)), draw(st.integers(1, 2))
    is_weighted = draw(st.booleans())
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = rng.integers(2 * n_folds, 14)
    fold = np.arange(n) // 2 % n_folds
    target = rng.integers(0, 2, (n, n_labels))
    first = np.arange(n) < 2 * n_folds  # each side of each label in each fold
    target[first] = (np.arange(n)[first, None] + np.arange(n_labels)) % 2
    scores = rng.choice(LEVELS, (n, n_labels))
    weight = rng.uniform(0.1, 5, n) if is_weighted else None
    return ScoredRows(scores, target, fold, n_folds, np.arange(n), weight=weight)


aggregates = st.sampled_from(["pooled", "mean"])


def value_by_hand(name, rows, thresholds, aggregate):
    decided = (rows.scores >= thresholds).astype(int)
    parts = list(rows.folds()) if aggregate == "mean" else [np.ones(len(rows), dtype=bool)]
    values = [
        by_peer(
            name,
            rows.target[part],
            decided[part],
            None if rows.weight is None else rows.weight[part],
        )
        for part in parts
    ]
    return np.mean(values)


def every_threshold(scores):
    return [*np.unique(scores), np.inf]


@pytest.mark.parametrize("name", METRICS)
@quick
@given(problems(), st.data())
def test_value_of_labels_is_the_metric_of_indicators(name, rows, data):
    weight = np.ones(len(rows)) if rows.weight is None else rows.weight
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    target, decided = (rng.integers(0, 2, rows.target.shape) for _ in range(2))
    found = value_of_labels(objective_of(name), target, decided, weight)
    assert found == pytest.approx(by_peer(name, target, decided, rows.weight), abs=1e-9)


@quick
@given(problems(), st.sampled_from(["balanced_accuracy", "matthews_corrcoef", "geometric_mean"]))
def test_objectives_without_an_average_are_the_mean_over_labels(rows, name):
    objective = NAMED[name] if name in NAMED else goal_of(name).objective
    decided = (rows.scores >= 0.45).astype(int)
    weight = np.ones(len(rows)) if rows.weight is None else rows.weight
    found = value_of_labels(objective, rows.target, decided, weight)
    scored = score_of_named(rows.target, decided, objective=objective, sample_weight=weight)
    assert found == pytest.approx(scored, abs=1e-9)
    if name == "balanced_accuracy":
        each = [
            metrics.balanced_accuracy_score(*column, sample_weight=weight)
            for column in zip(rows.target.T, decided.T, strict=True)
        ]
        assert found == pytest.approx(np.mean(each), abs=1e-9)


@quick
@given(problems())
def test_counts_of_labels_and_of_rows_are_multilabel_confusion_matrices(rows):
    decided = (rows.scores >= 0.45).astype(int)
    weight = np.ones(len(rows)) if rows.weight is None else rows.weight
    for counts, matrices in [
        (
            counts_of_label(rows.target, decided, weight),
            metrics.multilabel_confusion_matrix(rows.target, decided, sample_weight=weight),
        ),
        (
            counts_of_rows(rows.target, decided),
            metrics.multilabel_confusion_matrix(rows.target, decided, samplewise=True),
        ),
    ]:
        close = {"atol": 1e-12}
        np.testing.assert_allclose(counts.hits, np.diagonal(matrices, axis1=1, axis2=2).T, **close)
        np.testing.assert_allclose(counts.predicted, matrices.sum(axis=1).T, **close)
        np.testing.assert_allclose(counts.actual, matrices.sum(axis=2).T, **close)
        np.testing.assert_allclose(counts.total, matrices.sum(axis=(1, 2)), **close)


@quick
@given(st.integers(0, 2**32 - 1))
def test_weights_leave_nothing_of_no_rejections(seed):
    # A root would make NaN of less than nothing, and much of a little.
    rng = np.random.default_rng(seed)
    target = np.append([[0, 0], [1, 1]], rng.integers(0, 2, (8, 2)), axis=0)
    decided = np.where(target == 0, 1, rng.integers(0, 2, target.shape))
    weight = rng.uniform(0.1, 5, 10)
    counts = counts_of_label(target, decided, weight)
    assert counts.hits[0].tolist() == [0, 0]
    assert value_of_labels(NAMED["geometric_mean"], target, decided, weight) == 0


@pytest.mark.parametrize("name", TIED)
@settings(deadline=None, max_examples=6)
@given(problems(), aggregates, st.data())
def test_step_takes_the_best_threshold_of_a_label(name, rows, aggregate, data):
    n_labels = rows.scores.shape[1]
    start = np.array([data.draw(st.sampled_from([0.1, 0.45, 0.5, 2.0])) for _ in range(n_labels)])
    ascent = LabelAscent(rows, objective_of(name), aggregate, lowest=0.0)
    assert ascent.value(start) == pytest.approx(value_by_hand(name, rows, start, aggregate))
    for label in range(n_labels):
        moved = ascent._step(start, label)
        others = np.arange(n_labels) != label
        assert np.array_equal(moved[others], start[others])
        best = max(
            value_by_hand(name, rows, np.where(others, start, threshold), aggregate)
            for threshold in every_threshold(rows.scores[:, label])
        )
        assert value_by_hand(name, rows, moved, aggregate) == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize("name", ["f1_micro", "f1_samples", "accuracy", "subset_loss"])
@settings(deadline=None, max_examples=8)
@given(problems(), aggregates)
def test_end_beats_every_start_and_cannot_be_improved_by_one_label(name, rows, aggregate):
    n_labels = rows.scores.shape[1]
    starts = [np.full(n_labels, 0.5), np.linspace(0.1, 0.9, n_labels)]
    ascent = LabelAscent(rows, objective_of(name), aggregate, lowest=0.0)
    found = ascent.run(starts)
    reached = value_by_hand(name, rows, found, aggregate)
    for start in starts:
        assert reached >= value_by_hand(name, rows, start, aggregate) - 1e-9
    for label in range(n_labels):
        for threshold in every_threshold(rows.scores[:, label]):
            moved = np.where(np.arange(n_labels) == label, threshold, found)
            assert value_by_hand(name, rows, moved, aggregate) <= reached + 1e-8


def searched(rows, name, aggregate):
    chance = np.random.RandomState(0)
    search = Search(objective_of(name), None, None, "raise", "exact", aggregate, 0.0, 0.0, chance)
    return choose_label_thresholds(rows, search)


@pytest.mark.parametrize("name", ["f1_macro", "f1_weighted", "jaccard_macro", "hamming"])
@settings(deadline=None, max_examples=8)
@given(problems(most_labels=3), aggregates)
def test_labels_that_part_get_the_best_threshold_each(name, rows, aggregate):
    choice = searched(rows, name, aggregate)
    thresholds = choice.attributes["best_threshold_"]
    function, given_ = METRICS[name]
    given_ = {key: value for key, value in given_.items() if key != "average"}
    sign = -1 if name == "hamming" else 1
    parts = list(rows.folds()) if aggregate == "mean" else [np.ones(len(rows), dtype=bool)]
    weight = np.ones(len(rows)) if rows.weight is None else rows.weight

    def value(label, threshold):
        decided = (rows.scores[:, label] >= threshold).astype(int)
        return sign * np.mean(
            [
                function(
                    rows.target[part, label], decided[part], sample_weight=weight[part], **given_
                )
                for part in parts
            ]
        )

    for label, threshold in enumerate(thresholds):
        best = max(value(label, other) for other in every_threshold(rows.scores[:, label]))
        assert value(label, threshold) == pytest.approx(best, abs=1e-9)
    wanted = value_by_hand(name, rows, thresholds, aggregate)
    assert choice.attributes["best_score_"] == pytest.approx(wanted, abs=1e-9)
    assert choice.attributes["fold_thresholds_"].shape == (rows.n_folds, rows.scores.shape[1])


@pytest.mark.parametrize("name", ["f1_micro", "f1_samples", "accuracy"])
@settings(deadline=None, max_examples=8)
@given(problems(most_labels=3), aggregates)
def test_labels_that_are_tied_are_no_worse_than_a_half(name, rows, aggregate):
    choice = searched(rows, name, aggregate)
    thresholds = choice.attributes["best_threshold_"]
    reached = value_by_hand(name, rows, thresholds, aggregate)
    half = np.full(rows.scores.shape[1], 0.5)
    assert reached >= value_by_hand(name, rows, half, aggregate) - 1e-9
    assert choice.attributes["best_score_"] == pytest.approx(reached, abs=1e-9)


def test_search_of_tied_labels_finds_the_best_of_all():
    rng = np.random.default_rng(0)
    target = rng.integers(0, 2, (12, 2))
    scores = (0.6 * rng.random((12, 2)) + 0.4 * target).round(1)
    rows = ScoredRows(scores, target, np.zeros(12, int), 1, np.arange(12))
    for name in ("f1_micro", "f1_samples", "accuracy"):
        found = LabelAscent(rows, objective_of(name)).run([np.full(2, 0.5), np.full(2, 0.2)])
        best = max(
            value_by_hand(name, rows, np.array([one, other]), "pooled")
            for one in every_threshold(scores[:, 0])
            for other in every_threshold(scores[:, 1])
        )
        assert value_by_hand(name, rows, found, "pooled") == pytest.approx(best)


def test_label_objective_keeps_the_direction_of_the_whole():
    scorer = metrics.make_scorer(metrics.f1_score, average="macro", greater_is_better=False)
    objective = goal_of(scorer).objective
    each = label_objective(objective)
    assert (each.sign, each.name, each.one_sided) == (-1, objective.name, True)
    accuracy = goal_of("accuracy").objective
    assert label_objective(accuracy) is accuracy
