"""What a user asks for is read as what scikit-learn would compute, or refused."""

import warnings
from functools import partial

import numpy as np
import pytest
import sklearn.metrics as metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from imblearn.metrics import geometric_mean_score, sensitivity_score, specificity_score
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import get_scorer, make_scorer

from sk_imbalance_nn._compat import scorer_parts
from sk_imbalance_nn.decisions.counts import Counts
from sk_imbalance_nn.decisions.metrics import objective_of
from sk_imbalance_nn.decisions.scorers import score_of_cost, score_of_named
from sk_imbalance_nn.decisions.scoring import goal_of, scorer_of

quick = settings(deadline=None, max_examples=25)

OF_COUNTS = [
    "accuracy",
    "balanced_accuracy",
    "matthews_corrcoef",
    *(
        metric + average
        for metric in ("f1", "precision", "recall", "jaccard")
        for average in ("", "_macro", "_micro", "_weighted", "_samples")
    ),
]
OF_PREDICTIONS = ["rand_score", "adjusted_mutual_info_score", "positive_likelihood_ratio"]
OF_SCORES = ["roc_auc", "roc_auc_ovr_weighted", "average_precision", "neg_log_loss"]
OF_SCORES += ["neg_brier_score", "top_k_accuracy"]


class Said(ClassifierMixin, BaseEstimator):
    """A fitted classifier that gives the answers it was made with."""

    def __init__(self, answers, classes):
        self.answers = answers
        self.classes_ = classes

    def predict(self, X):
        return self.answers


def scored_by(scorer, true, pred):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return scorer(Said(pred, np.unique([true, pred])), None, true)


def valued_by(goal, true, pred, n_classes=2):
    return float(goal.objective.values(Counts.of(true, pred, n_classes)))


TRUE = np.array([0, 0, 0, 0, 0, 1, 1, 1])
PRED = np.array([0, 0, 0, 1, 1, 1, 1, 0])


@pytest.mark.parametrize("name", OF_COUNTS)
def test_scorer_by_name_has_an_objective_that_agrees(name):
    goal = goal_of(name)
    assert goal.name == goal.objective.name == name
    if not name.endswith("_samples"):
        assert valued_by(goal, TRUE, PRED) == pytest.approx(scored_by(get_scorer(name), TRUE, PRED))
        assert scored_by(goal.scorer, TRUE, PRED) == pytest.approx(valued_by(goal, TRUE, PRED))
    assert goal.objective.one_sided == (name in ("f1", "precision", "recall", "jaccard"))
    assert goal.pos_label == (1 if goal.objective.one_sided else None)


def test_every_other_scorer_of_predictions_has_to_be_called():
    of_predictions = {
        name
        for name in metrics.get_scorer_names()
        if scorer_parts(get_scorer(name))[3] == "predict"
    }
    assert {*OF_COUNTS, *OF_PREDICTIONS} <= of_predictions
    known = {name for name in of_predictions if goal_of(name).objective is not None}
    assert known == {*OF_COUNTS}


@pytest.mark.parametrize("scoring", OF_SCORES)
def test_scorers_of_scores_are_refused_with_a_cure(scoring):
    for given_ in (scoring, get_scorer(scoring)):
        with pytest.raises(ValueError, match=r"no decision changes those; choose .*'f1'"):
            goal_of(given_)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (metrics.f1_score, {"labels": [1]}),
        (metrics.f1_score, {"zero_division": np.nan}),
        (metrics.precision_score, {"zero_division": np.nan, "average": "macro"}),
        (metrics.recall_score, {"average": None}),
        (metrics.jaccard_score, {"labels": [0, 1], "average": "micro"}),
        (metrics.accuracy_score, {"normalize": False}),
        (metrics.zero_one_loss, {"normalize": False}),
        (metrics.cohen_kappa_score, {"weights": "linear"}),
        (metrics.cohen_kappa_score, {"labels": [0, 1]}),
        (metrics.matthews_corrcoef, {"sample_weight": np.ones(8)}),
        (metrics.f1_score, {"no_such_argument": 1}),
        (geometric_mean_score, {"average": "binary"}),
        (geometric_mean_score, {"correction": 0.001}),
        (geometric_mean_score, {"labels": [1]}),
        (metrics.class_likelihood_ratios, {}),
        (metrics.mean_absolute_error, {}),
        (sum, {}),
        (partial(metrics.f1_score, average="macro"), {}),
        (lambda y_true, y_pred: 0.0, {}),
    ],
)
def test_what_counts_otherwise_is_not_recognised(function, arguments):
    assert objective_of(function, arguments) is None


def test_function_that_borrows_a_name_is_not_taken_for_its_owner():
    def f1_score(y_true, y_pred):
        return 0.0

    assert objective_of(f1_score, {}) is None
    goal = goal_of(f1_score)
    assert goal.objective is None
    assert scored_by(goal.scorer, TRUE, PRED) == 0.0


@pytest.mark.parametrize("average", ["binary", "macro", "weighted"])
@pytest.mark.parametrize("empty", [0, 1, 0.0, 1.0, "warn"])
def test_zero_division_is_what_nothing_is_worth(average, empty):
    scorer = make_scorer(metrics.precision_score, average=average, zero_division=empty)
    goal, nobody = goal_of(scorer), np.zeros_like(TRUE)
    assert valued_by(goal, TRUE, nobody) == pytest.approx(scored_by(scorer, TRUE, nobody))


@pytest.mark.parametrize(
    "metric",
    [
        metrics.accuracy_score,
        metrics.balanced_accuracy_score,
        metrics.cohen_kappa_score,
        metrics.f1_score,
        metrics.matthews_corrcoef,
        geometric_mean_score,
        sensitivity_score,
        specificity_score,
    ],
)
def test_metrics_are_scorers_that_maximise_them(metric):
    goal = goal_of(metric)
    assert valued_by(goal, TRUE, PRED) == pytest.approx(metric(TRUE, PRED))
    assert scored_by(goal.scorer, TRUE, PRED) == pytest.approx(metric(TRUE, PRED))


@pytest.mark.parametrize("loss", [metrics.zero_one_loss, metrics.hamming_loss])
def test_losses_are_to_be_small(loss):
    for scoring in (loss, make_scorer(loss, greater_is_better=False)):
        goal = goal_of(scoring)
        assert goal.objective.sign == -1
        assert valued_by(goal, TRUE, PRED) == pytest.approx(-loss(TRUE, PRED))
        assert scored_by(goal.scorer, TRUE, PRED) == pytest.approx(-loss(TRUE, PRED))


def test_scorer_whose_greater_is_worse_turns_the_sign():
    goal = goal_of(make_scorer(metrics.f1_score, greater_is_better=False))
    assert valued_by(goal, TRUE, PRED) == pytest.approx(-metrics.f1_score(TRUE, PRED))


def test_arguments_of_a_scorer_reach_its_objective():
    for scorer, expected in [
        (make_scorer(metrics.fbeta_score, beta=3), metrics.fbeta_score(TRUE, PRED, beta=3)),
        (
            make_scorer(metrics.balanced_accuracy_score, adjusted=True),
            metrics.balanced_accuracy_score(TRUE, PRED, adjusted=True),
        ),
    ]:
        assert valued_by(goal_of(scorer), TRUE, PRED) == pytest.approx(expected)


def test_callables_of_an_estimator_are_called():
    def profit(estimator, X, y):
        return 7.0

    class Profit:
        def __call__(self, estimator, X, y):
            return 7.0

    for scoring, name in ((profit, "profit"), (Profit(), "Profit")):
        goal = goal_of(scoring, pos_label="yes")
        assert (goal.name, goal.scorer, goal.objective) == (name, scoring, None)
        assert goal.pos_label == "yes"
        assert scorer_of(scoring) is scoring


def test_metric_of_the_user_is_called_on_predictions():
    def hits(y_true, y_pred, bonus=1.0):
        return bonus * ((y_true == 1) & (y_pred == 1)).sum()

    goal = goal_of(hits)
    assert goal.objective is None
    assert scored_by(goal.scorer, TRUE, PRED) == 2.0


def test_typos_are_answered_with_the_name_that_was_meant():
    with pytest.raises(ValueError, match=r"scoring.*'geometric_men'.* mean 'geometric_mean'\?"):
        goal_of("geometric_men")
    with pytest.raises(ValueError, match=r"no known objective; there are .*youden_j"):
        goal_of("xyzzy")
    for nothing in (None, 3, ["f1"]):
        with pytest.raises(TypeError, match=r"found"):
            goal_of(nothing)


LABELS = np.array(["ham", "spam"])


@pytest.mark.parametrize(
    "scoring", ["f1", "precision", "recall", "jaccard", metrics.f1_score, "specificity"]
)
def test_pos_label_reaches_scorers_of_one_class(scoring):
    goal = goal_of(scoring, "spam")
    assert goal.pos_label == "spam"
    found = scored_by(goal.scorer, LABELS[TRUE], LABELS[PRED])
    assert found == pytest.approx(valued_by(goal, TRUE, PRED))
    other = goal_of(scoring, "ham")
    found = scored_by(other.scorer, LABELS[TRUE], LABELS[PRED])
    assert found == pytest.approx(valued_by(other, 1 - TRUE, 1 - PRED))


@pytest.mark.parametrize("scoring", ["f1_macro", "balanced_accuracy", "matthews_corrcoef"])
def test_pos_label_leaves_scorers_of_all_classes_alone(scoring):
    goal = goal_of(scoring, "spam")
    assert scorer_parts(goal.scorer)[2] == scorer_parts(get_scorer(scoring))[2]
    assert goal.pos_label == "spam"


def test_scorer_keeps_its_own_pos_label():
    scorer = make_scorer(metrics.f1_score, pos_label="ham")
    assert goal_of(scorer).pos_label == goal_of(scorer, "ham").pos_label == "ham"
    with pytest.raises(ValueError, match=r"pos_label='spam', but .* made with pos_label='ham'"):
        goal_of(scorer, "spam")


def test_metadata_requests_survive_a_pos_label():
    with config_context(enable_metadata_routing=True):
        scorer = make_scorer(metrics.f1_score).set_score_request(sample_weight=True)
        copied = goal_of(scorer, 0).scorer
        requests = copied.get_metadata_routing()._serialize()
        assert requests == {"score": {"sample_weight": True}}
        assert scorer_parts(scorer)[2] == {}  # and the user's own scorer is left alone


def test_called_scorer_takes_the_pos_label_it_understands():
    goal = goal_of("positive_likelihood_ratio", "spam")
    assert goal.pos_label == "spam"
    assert goal.objective is None


labels = st.integers(1, 15).flatmap(
    lambda n: st.tuples(
        *(hnp.arrays(np.intp, n, elements=st.integers(0, 2)) for _ in range(2)),
        st.none() | hnp.arrays(np.float64, n, elements=st.floats(0.1, 5)),
    )
)


@quick
@given(labels)
def test_named_objective_of_labels_is_that_of_the_peers(drawn):
    true, pred, weight = drawn
    names = np.array(["a", "b", "c"])
    found = score_of_named(
        names[true], names[pred], objective="balanced_accuracy", sample_weight=weight
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = metrics.balanced_accuracy_score(true, pred, sample_weight=weight)
        assert found == pytest.approx(expected)
        for positive in range(3):
            found = score_of_named(
                names[true],
                names[pred],
                objective="specificity",
                pos_label=names[positive],
                sample_weight=weight,
            )
            expected = metrics.recall_score(
                true != positive, pred != positive, sample_weight=weight, zero_division=0
            )
            assert found == pytest.approx(expected)


@quick
@given(st.data())
def test_named_objective_of_indicators_is_the_mean_over_labels(data):
    shape = data.draw(st.tuples(st.integers(1, 8), st.integers(1, 3)))
    true, pred = (
        data.draw(hnp.arrays(np.int8, shape, elements=st.integers(0, 1))) for _ in range(2)
    )
    found = score_of_named(true, pred, objective="specificity")
    expected = metrics.recall_score(1 - true, 1 - pred, average="macro", zero_division=0)
    if shape[1] == 1:
        expected = metrics.recall_score(1 - true[:, 0], 1 - pred[:, 0], zero_division=0)
    assert found == pytest.approx(expected)


@quick
@given(labels, st.data())
def test_score_of_cost_is_the_weighted_mean_of_what_is_paid(drawn, data):
    true, pred, weight = drawn
    names = np.array(["a", "b", "c"])
    matrix = data.draw(hnp.arrays(np.float64, (3, 3), elements=st.floats(-9, 9)))
    each = data.draw(hnp.arrays(np.float64, (len(true), 3), elements=st.floats(-9, 9)))
    common = {"classes": names, "sample_weight": weight}
    rows = range(len(true))
    for given_, paid in [
        ({"cost_matrix": matrix}, [matrix[true[i], pred[i]] for i in rows]),
        ({"cost": each, "cost_matrix": matrix}, [each[i, pred[i]] for i in rows]),
        ({"cost": each[:, 0]}, [each[i, 0] * (true[i] != pred[i]) for i in rows]),
    ]:
        found = score_of_cost(names[true], names[pred], **given_, **common)
        assert found == pytest.approx(-np.average(paid, weights=weight), abs=1e-9)
    with pytest.raises(ValueError, match="the scorer needs cost"):
        score_of_cost(names[true], names[pred], **common)


@pytest.mark.parametrize(
    ("name", "meant"), [("mcc", "matthews_corrcoef"), ("F1", "f1"), ("gmean", "geometric_mean")]
)
def test_usual_short_names_are_answered_with_the_long_ones(name, meant):
    with pytest.raises(ValueError, match=f"did you mean '{meant}'"):
        goal_of(name)


def test_unknown_names_are_answered_with_those_that_are_exact():
    with pytest.raises(ValueError, match=r"there are .*balanced_accuracy") as caught:
        goal_of("zzz")
    assert not {"r2", "roc_auc"} & set(str(caught.value).replace(",", "").split())


def test_metrics_that_need_more_say_what():
    with pytest.raises(ValueError, match=r"needs beta.*make_scorer\(fbeta_score, beta="):
        goal_of(metrics.fbeta_score)
    assert goal_of(partial(metrics.fbeta_score, beta=2)).objective is not None
