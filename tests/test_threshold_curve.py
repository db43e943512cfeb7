"""ThresholdCurveDisplay: the numbers that it shows, and the artists that it keeps."""

import subprocess
import sys

import matplotlib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import GridSearchCV, TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_imbalance_nn import ThresholdCurveDisplay, ThresholdOptimizerCV

matplotlib.use("Agg")
X, Y = make_classification(800, weights=[0.9], flip_y=0.05, random_state=0)
TRAIN, TEST = slice(0, 500), slice(500, 800)


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    matplotlib.pyplot.close("all")


@pytest.fixture(scope="module")
def tuned():
    optimizer = ThresholdOptimizerCV(LogisticRegression(), scoring="f1", store_cv_results=True)
    return optimizer.fit(X[TRAIN], Y[TRAIN])


def test_line_shows_the_cross_validated_objective(tuned):
    display = ThresholdCurveDisplay.from_estimator(tuned)
    where, scores = display.line_.get_data()
    results = tuned.cv_results_
    finite = np.isfinite(results["thresholds"])
    np.testing.assert_array_equal(where, results["thresholds"][finite])
    np.testing.assert_array_equal(scores, results["scores"][finite])
    assert display.ax_.get_ylabel() == "f1"
    assert display.figure_ is display.ax_.figure


def test_chosen_and_default_thresholds_are_marked(tuned):
    display = ThresholdCurveDisplay.from_estimator(tuned)
    assert list(display.best_line_.get_xdata()) == [tuned.best_threshold_] * 2
    assert list(display.default_line_.get_xdata()) == [0.5, 0.5]


def test_second_axis_counts_alarms_per_thousand_rows(tuned):
    display = ThresholdCurveDisplay.from_estimator(tuned)
    where, alarms = display.alarm_line_.get_data()
    scores = tuned.cv_results_
    said = scores["true_positives"] + scores["false_positives"]
    expected = said[np.isin(scores["thresholds"], where)] / len(Y[TRAIN]) * 1000
    np.testing.assert_allclose(alarms, expected)
    assert display.alarm_ax_.get_ylabel() == "alarms per 1,000 rows"


def test_band_is_one_standard_deviation_over_folds(tuned):
    display = ThresholdCurveDisplay.from_estimator(tuned)
    results = tuned.cv_results_
    finite = np.isfinite(results["thresholds"])
    folds = [results[name][finite] for name in results if name.startswith("split")]
    corners = display.band_.get_paths()[0].vertices[:, 1]
    assert corners.max() == pytest.approx((results["scores"][finite] + np.std(folds, axis=0)).max())


def test_other_rows_give_their_own_curve(tuned):
    display = ThresholdCurveDisplay.from_estimator(tuned, X[TEST], Y[TEST])
    proba = tuned.predict_proba(X[TEST])[:, 1]
    where, scores = display.line_.get_data()
    for position in (0, len(where) // 2, len(where) - 1):
        expected = f1_score(Y[TEST], proba >= where[position], zero_division=0)
        assert scores[position] == pytest.approx(expected)
    assert display.band_ is None


def test_weights_of_other_rows_count(tuned):
    weight = np.where(Y[TEST] == 1, 3.0, 1.0)
    curve = tuned.threshold_curve(X[TEST], Y[TEST], sample_weight=weight)
    twice = np.repeat(np.arange(300), weight.astype(int))
    repeated = tuned.threshold_curve(X[TEST][twice], Y[TEST][twice])
    np.testing.assert_allclose(curve["scores"], repeated["scores"])


def test_curve_of_other_rows_is_refused_for_several_classes():
    X, y = make_classification(300, n_classes=3, n_informative=4, random_state=0)
    tuned = ThresholdOptimizerCV(LogisticRegression(), cv=3).fit(X, y)
    with pytest.raises(ValueError, match="two classes"):
        tuned.threshold_curve(X, y)
    with pytest.raises(ValueError, match="two classes"):
        ThresholdCurveDisplay.from_estimator(tuned)


def test_missing_results_say_what_to_do():
    tuned = ThresholdOptimizerCV(LogisticRegression()).fit(X, Y)
    with pytest.raises(ValueError, match="store_cv_results=True"):
        ThresholdCurveDisplay.from_estimator(tuned)


def test_results_of_scikit_learns_tuner_are_drawn_too():
    tuner = TunedThresholdClassifierCV(LogisticRegression(), store_cv_results=True).fit(X, Y)
    display = ThresholdCurveDisplay.from_cv_results(
        tuner.cv_results_, best_threshold=tuner.best_threshold_
    )
    assert len(display.line_.get_xdata()) == 100
    assert display.band_ is display.alarm_line_ is display.default_line_ is None


def test_given_axes_are_used_and_names_win(tuned):
    _, ax = matplotlib.pyplot.subplots()
    display = ThresholdCurveDisplay.from_estimator(
        tuned, ax=ax, score_name="F1 in 5 folds", plot_alarms=False
    )
    assert display.ax_ is ax
    assert ax.get_ylabel() == "F1 in 5 folds"
    assert display.alarm_ax_ is None


def test_many_points_are_thinned_but_keep_their_ends():
    thresholds = np.linspace(0, 1, 100_000) ** 8
    display = ThresholdCurveDisplay(thresholds=thresholds, scores=np.sqrt(thresholds)).plot()
    where, scores = display.line_.get_data()
    assert len(where) <= 4_000
    assert (where[0], where[-1]) == (0.0, 1.0)
    assert np.diff(where).max() < 0.002
    np.testing.assert_array_equal(scores, np.sqrt(where))


def test_drawing_without_matplotlib_names_the_cure():
    script = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from sk_imbalance_nn import ThresholdCurveDisplay\n"
        "display = ThresholdCurveDisplay(thresholds=[0.0, 1.0], scores=[0.0, 1.0])\n"
        "try:\n    display.plot()\nexcept ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "sk-imbalance-nn[plot]" in done.stdout


def test_thresholds_that_miss_a_constraint_are_shaded():
    tuned = ThresholdOptimizerCV(
        LogisticRegression(),
        scoring="recall",
        constraint="precision >= 0.6",
        store_cv_results=True,
    ).fit(X, Y)
    results = tuned.cv_results_
    np.testing.assert_array_equal(results["meets_constraint"], results["constraint"] >= 0.6)
    assert ThresholdCurveDisplay.from_estimator(tuned).forbidden_ is not None
    plain = {name: results[name] for name in ("thresholds", "scores")}
    assert ThresholdCurveDisplay.from_cv_results(plain).forbidden_ is None


def test_class_of_the_threshold_is_on_the_axis():
    labels = np.where(Y == 1, "fraud", "ok")
    tuned = ThresholdOptimizerCV(
        LogisticRegression(), pos_label="fraud", store_cv_results=True
    ).fit(X, labels)
    assert ThresholdCurveDisplay.from_estimator(tuned).ax_.get_xlabel().endswith("fraud")


def test_any_classifier_has_a_curve_on_given_rows():
    model = LogisticRegression().fit(X[TRAIN], Y[TRAIN])
    display = ThresholdCurveDisplay.from_estimator(model, X[TEST], Y[TEST], scoring="f1")
    proba = model.predict_proba(X[TEST])[:, 1]
    where, scores = display.line_.get_data()
    for position in (0, len(where) // 3, len(where) - 1):
        expected = f1_score(Y[TEST], proba >= where[position], zero_division=0)
        assert scores[position] == pytest.approx(expected)
    assert (display.best_threshold, display.default_threshold) == (0.5, 0.5)
    assert display.ax_.get_ylabel() == "f1"


def test_scores_and_an_optimizer_give_the_same_curve(tuned):
    proba = tuned.predict_proba(X[TEST])[:, 1]
    weight = np.random.RandomState(0).uniform(0.5, 2, len(proba))
    by_scores = ThresholdCurveDisplay.from_predictions(
        Y[TEST], proba, scoring="f1", sample_weight=weight
    )
    expected = tuned.threshold_curve(X[TEST], Y[TEST], sample_weight=weight)
    np.testing.assert_allclose(by_scores.thresholds, expected["thresholds"])
    np.testing.assert_allclose(by_scores.scores, expected["scores"])
    np.testing.assert_allclose(by_scores.alarm_rate, expected["alarm_rate"])


def test_either_class_may_be_the_positive_one():
    labels = np.where(Y == 1, "fraud", "ok")
    model = LogisticRegression().fit(X, labels)
    display = ThresholdCurveDisplay.from_estimator(model, X, labels, pos_label="fraud")
    mirrored = ThresholdCurveDisplay.from_predictions(
        Y, model.predict_proba(X)[:, 0], threshold=0.5
    )
    np.testing.assert_allclose(display.scores, mirrored.scores)
    assert display.pos_label == "fraud"


def test_what_is_no_function_of_the_confusion_matrix_is_refused():
    model = LogisticRegression().fit(X, Y)
    with pytest.raises(ValueError, match=r"scoring=cost needs more.*ThresholdOptimizerCV"):
        ThresholdCurveDisplay.from_estimator(model, X, Y, scoring="cost")
    with pytest.raises(ValueError, match="judges scores"):
        ThresholdCurveDisplay.from_estimator(model, X, Y, scoring="roc_auc")


def test_searches_and_pipelines_have_the_curve_of_what_decides_in_them(tuned):
    search = GridSearchCV(make_pipeline(StandardScaler(), clone(tuned)), {}).fit(X, Y)
    inner = search.best_estimator_[-1]
    stored = ThresholdCurveDisplay.from_estimator(search)
    np.testing.assert_array_equal(stored.scores, inner.cv_results_["scores"])
    on_rows = ThresholdCurveDisplay.from_estimator(search, X, Y)
    curve = inner.threshold_curve(search.best_estimator_[0].transform(X), Y)
    np.testing.assert_array_equal(on_rows.scores, curve["scores"])
    assert on_rows.score_name == stored.score_name == "f1"


def test_another_metric_and_class_than_the_tuned_ones(tuned):
    display = ThresholdCurveDisplay.from_estimator(tuned, X, Y, scoring="recall", pos_label=0)
    assert display.score_name == "recall"
    assert display.best_threshold == pytest.approx(1 - tuned.best_threshold_)


def test_a_scorer_says_which_class_it_is_about():
    labels = np.where(Y == 1, "a", "b")
    scorer = make_scorer(f1_score, pos_label="a")
    model = LogisticRegression().fit(X, labels)
    display = ThresholdCurveDisplay.from_estimator(model, X, labels, scoring=scorer)
    assert display.pos_label == "a"
    score = model.predict_proba(X)[:, 0]
    again = ThresholdCurveDisplay.from_predictions(labels, score, scoring=scorer)
    np.testing.assert_array_equal(display.scores, again.scores)


def test_what_keeps_no_curve_says_what_to_do():
    with pytest.raises(ValueError, match=r"LogisticRegression keeps no curve.*give X and y"):
        ThresholdCurveDisplay.from_estimator(LogisticRegression().fit(X, Y))


def test_stored_curves_of_scikit_learn_are_found():
    tuner = TunedThresholdClassifierCV(LogisticRegression(), store_cv_results=True).fit(X, Y)
    display = ThresholdCurveDisplay.from_estimator(tuner)
    np.testing.assert_array_equal(display.scores, tuner.cv_results_["scores"])


def test_thinning_keeps_the_peak_and_the_chosen_threshold():
    thresholds = np.linspace(0, 1, 60_001)
    scores = np.where(np.arange(60_001) == 31_237, 1.0, 0.1)
    display = ThresholdCurveDisplay(
        thresholds=thresholds, scores=scores, best_threshold=thresholds[4_321]
    ).plot()
    where, drawn = display.line_.get_data()
    assert drawn.max() == 1.0
    assert thresholds[4_321] in where


def test_interval_of_the_threshold_is_shaded(tuned):
    display = ThresholdCurveDisplay.from_estimator(tuned)
    assert display.threshold_interval == tuned.threshold_interval_
    left, right = sorted(tuned.threshold_interval_)
    display.figure_.draw_without_rendering()
    box = display.interval_.get_window_extent().transformed(display.ax_.transData.inverted())
    assert (box.x0, box.x1) == pytest.approx((left, right))
    other = ThresholdCurveDisplay.from_estimator(tuned, X, Y, threshold=0.9)
    assert other.interval_ is None


def test_costs_are_seen_where_they_are_low():
    tuned = ThresholdOptimizerCV(LogisticRegression(), cost_matrix=[[0, 5], [20, 0]]).fit(X, Y)
    display = ThresholdCurveDisplay.from_estimator(tuned, X, Y)
    bottom, top = display.ax_.get_ylim()
    assert np.min(display.scores) < bottom
    assert bottom < display.scores[display.alarm_rate <= 0.25].min()
    assert top > np.max(display.scores)
    assert display.ax_.get_ylabel() == "mean cost, negative"


def test_a_metric_says_which_class_unless_it_is_told():
    labels = np.where(Y == 1, "fraud", "ok")
    model = LogisticRegression().fit(X, labels)
    with pytest.raises(ValueError, match="pos_label=1 is not a valid label"):
        ThresholdCurveDisplay.from_estimator(model, X, labels, scoring="f1")
    with pytest.raises(ValueError, match="pos_label=1 is not a valid label"):
        ThresholdCurveDisplay.from_predictions(labels, model.predict_proba(X)[:, 0], scoring="f1")
    tuned = ThresholdOptimizerCV(model, scoring="f1", pos_label="fraud").fit(X, labels)
    assert ThresholdCurveDisplay.from_estimator(tuned, X, labels, scoring="recall").pos_label == (
        "fraud"
    )


def test_an_untuned_threshold_is_marked_once():
    display = ThresholdCurveDisplay.from_estimator(LogisticRegression().fit(X, Y), X, Y)
    assert display.best_line_.get_label() == "threshold (0.5)"
    assert display.default_line_ is None
