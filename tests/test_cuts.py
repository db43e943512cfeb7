"""Cuts of scores: every one there is, and no threshold between them decides otherwise."""

import numpy as np
import pytest
import sklearn.metrics as metrics
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import confusion_matrix

from sk_imbalance_nn.decisions.cuts import Cuts

quick = settings(deadline=None, max_examples=30)
INF = float("inf")
NEIGHBOURS = [0.5, float(np.nextafter(0.5, 0)), float(np.nextafter(0.5, 1))]
HARD = [*NEIGHBOURS, 0.0, -0.0, 5e-324, -5e-324, 1e-308, 1.7e308, -1.7e308, 1.0, -3.5, 0.25]

few_levels = st.lists(st.sampled_from([-1.0, 0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=12)
hard = st.lists(st.sampled_from(HARD) | st.floats(allow_nan=False), min_size=1, max_size=12)
all_scores = (few_levels | hard | st.lists(st.sampled_from([-INF, 0.0, INF]), min_size=1)).map(
    np.array
)


@quick
@given(all_scores)
def test_thresholds_make_every_split_of_the_scores_there_is(scores):
    cuts = Cuts.of(scores)
    thresholds = cuts.thresholds()
    assert len(thresholds) == len(cuts) == len(np.unique(scores)) + 1
    assert (thresholds[1:] <= thresholds[:-1]).all()
    levels = [INF, *np.unique(scores)[::-1]]
    for position, threshold in enumerate(thresholds):
        if cuts.possible[position]:
            above = np.zeros(len(scores), bool) if position == 0 else scores >= levels[position]
            np.testing.assert_array_equal(scores >= threshold, above)
    assert cuts.possible[1:].all()
    assert cuts.possible[0] == (scores.max() < INF)
    if cuts.possible[0]:
        assert (thresholds[1:] < thresholds[:-1]).all()


@quick
@given(all_scores)
def test_position_of_a_threshold_is_where_it_came_from(scores):
    cuts = Cuts.of(scores)
    found = cuts.at(cuts.thresholds())
    wanted = np.arange(len(cuts))
    np.testing.assert_array_equal(found[cuts.possible], wanted[cuts.possible])


@quick
@given(all_scores, st.lists(st.floats(allow_nan=False), min_size=1, max_size=5))
def test_any_threshold_decides_like_its_cut(scores, thresholds):
    cuts = Cuts.of(scores)
    thresholds = np.append(thresholds, scores)
    for position, threshold in zip(cuts.at(thresholds), thresholds, strict=True):
        assert len(np.unique(scores[scores >= threshold])) == position


@pytest.mark.parametrize("lowest", [0.0, -1.0, -INF])
def test_thresholds_lie_halfway_and_end_at_the_least_score_there_can_be(lowest):
    thresholds = Cuts.of([0.2, 0.8, 0.2, 0.6]).thresholds(lowest)
    assert thresholds.tolist() == pytest.approx([INF, 0.7, 0.4, lowest])


def test_least_threshold_still_takes_scores_below_the_least_there_should_be():
    assert Cuts.of([-0.5, 1.0]).thresholds(0.0)[-1] == -0.5
    assert Cuts.of([0.0, 1.0]).thresholds(0.0)[-1] == 0.0


@quick
@given(all_scores, st.data())
def test_cuts_within_rows_are_the_cuts_of_those_rows(scores, data):
    kept = data.draw(hnp.arrays(bool, len(scores)))
    assume(kept.any())
    within, alone = Cuts.of(scores).within(kept), Cuts.of(scores[kept])
    np.testing.assert_array_equal(within.scores, alone.scores)
    np.testing.assert_array_equal(within.thresholds(), alone.thresholds())
    np.testing.assert_array_equal(within.ends, alone.ends)
    assert sorted(within.order) == np.flatnonzero(kept).tolist()
    np.testing.assert_array_equal(scores[within.order], within.scores)
    positive = data.draw(hnp.arrays(bool, len(scores)))
    weight = data.draw(hnp.arrays(np.float64, len(scores), elements=st.floats(0.1, 5)))
    ours, theirs = within.counts(positive, weight), alone.counts(positive[kept], weight[kept])
    for name in ("hits", "predicted", "actual", "total"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), atol=1e-12)


@quick
@given(all_scores, st.booleans(), st.data())
def test_counts_are_those_of_the_confusion_matrix(scores, is_weighted, data):
    n = len(scores)
    positive = data.draw(hnp.arrays(bool, n))
    weight = data.draw(hnp.arrays(np.float64, n, elements=st.floats(0.1, 5)))
    weight = weight if is_weighted else None
    matrix = data.draw(hnp.arrays(np.float64, (2, 2), elements=st.floats(-9, 9)))
    row_cost = data.draw(hnp.arrays(np.float64, (n, 2), elements=st.floats(-9, 9)))
    cuts = Cuts.of(scores)
    counts = cuts.counts(positive, weight, cost_matrix=matrix)
    by_row = cuts.counts(positive, weight, cost_matrix=matrix, row_cost=row_cost)
    assert cuts.counts(positive, weight).cost is None
    for position, threshold in enumerate(cuts.thresholds()):
        if not cuts.possible[position]:
            continue
        alarm = (scores >= threshold).astype(int)
        found = confusion_matrix(positive, alarm, labels=[0, 1], sample_weight=weight)
        close = {"atol": 1e-9}
        np.testing.assert_allclose(counts.hits[:, position], np.diag(found), **close)
        np.testing.assert_allclose(counts.predicted[:, position], found.sum(axis=0), **close)
        np.testing.assert_allclose(counts.actual[:, 0], found.sum(axis=1), **close)
        np.testing.assert_allclose(counts.total, found.sum(), **close)
        np.testing.assert_allclose(counts.cost[position], (found * matrix).sum(), **close)
        paid = row_cost[np.arange(n), alarm] @ (np.ones(n) if weight is None else weight)
        np.testing.assert_allclose(by_row.cost[position], paid, **close)


@quick
@given(few_levels, st.data())
def test_weighted_classes_end_at_exact_zeros(scores, data):
    # What rounding leaves of an empty class would be a class of its own for a macro average.
    positive = data.draw(hnp.arrays(bool, len(scores)))
    weight = data.draw(hnp.arrays(np.float64, len(scores), elements=st.floats(0.1, 5)))
    counts = Cuts.of(scores).counts(positive, weight)
    np.testing.assert_array_equal(counts.predicted[0, -1], 0)
    np.testing.assert_array_equal(counts.predicted[1, 0], 0)
    np.testing.assert_array_equal(counts.hits[[0, 1], [-1, 0]], 0)
    assert (counts.hits >= 0).all()
    assert (counts.hits <= counts.predicted).all()


@pytest.mark.skipif(
    not hasattr(metrics, "confusion_matrix_at_thresholds"),
    reason="confusion_matrix_at_thresholds came with scikit-learn 1.8",
)
@quick
@given(few_levels.map(np.array), st.booleans(), st.data())
def test_counts_are_those_of_scikit_learn_at_its_thresholds(scores, is_weighted, data):
    n = len(scores)
    positive = data.draw(hnp.arrays(bool, n))
    assume(positive.any() and not positive.all())
    weight = data.draw(hnp.arrays(np.float64, n, elements=st.floats(0.1, 5)))
    weight = weight if is_weighted else None
    tn, fp, fn, tp, thresholds = metrics.confusion_matrix_at_thresholds(
        positive.astype(int), scores, sample_weight=weight
    )
    cuts = Cuts.of(scores)
    counts, at = cuts.counts(positive, weight), cuts.at(thresholds)
    assert {*at} >= {*range(1, len(cuts))}
    close = {"atol": 1e-9}
    np.testing.assert_allclose(counts.hits[1, at], tp, **close)
    np.testing.assert_allclose(counts.hits[0, at], tn, **close)
    np.testing.assert_allclose((counts.predicted - counts.hits)[1, at], fp, **close)
    np.testing.assert_allclose((counts.predicted - counts.hits)[0, at], fn, **close)
