"""plot_imbalance_dashboard: its pictures agree with scikit-learn's numbers, and with each other."""

import matplotlib
import numpy as np
import pytest
from imblearn.pipeline import make_pipeline as make_imblearn_pipeline
from imblearn.under_sampling import RandomUnderSampler
from matplotlib.colors import to_hex
from sklearn.base import clone
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    average_precision_score,
    confusion_matrix,
    f1_score,
    make_scorer,
    precision_score,
    recall_score,
    roc_auc_score,
)
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from sk_imbalance_nn import (
    ImbalanceDashboard,
    ThresholdCurveDisplay,
    ThresholdOptimizerCV,
    plot_imbalance_dashboard,
)

matplotlib.use("Agg")
X, Y = make_classification(1200, weights=[0.9], flip_y=0.05, random_state=0)
TRAIN, TEST = slice(0, 700), slice(700, 1200)


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    matplotlib.pyplot.close("all")


@pytest.fixture(scope="module")
def tuned():
    return ThresholdOptimizerCV(LogisticRegression(), scoring="f1").fit(X[TRAIN], Y[TRAIN])


def dot_on(ax):
    (dot,) = (line for line in ax.lines if line.get_marker() == "o")
    return dot.get_xdata()[0], dot.get_ydata()[0]


def test_pictures_show_scikit_learns_numbers(tuned):
    weight = np.random.RandomState(0).uniform(0.5, 2, 500)
    shown = plot_imbalance_dashboard(tuned, X[TEST], Y[TEST], sample_weight=weight)
    y, proba, said = Y[TEST], tuned.predict_proba(X[TEST])[:, 1], tuned.predict(X[TEST])
    ranking = average_precision_score(y, proba, sample_weight=weight)
    assert shown.precision_recall_.average_precision == pytest.approx(ranking)
    assert shown.roc_.roc_auc == pytest.approx(roc_auc_score(y, proba, sample_weight=weight))
    matrix = confusion_matrix(y, said, sample_weight=weight)
    np.testing.assert_allclose(shown.confusion_matrix_.confusion_matrix, matrix)
    recall = recall_score(y, said, sample_weight=weight)
    precision = precision_score(y, said, sample_weight=weight)
    np.testing.assert_allclose(dot_on(shown.axes_[0, 0]), (recall, precision))
    np.testing.assert_allclose(dot_on(shown.axes_[0, 1]), (matrix[0, 1] / matrix[0].sum(), recall))
    curve = tuned.threshold_curve(X[TEST], y, sample_weight=weight)
    np.testing.assert_allclose(shown.threshold_curve_.scores, curve["scores"])
    np.testing.assert_allclose(
        shown.score_distribution_.counts.sum(axis=1), [weight[y == 0].sum(), weight[y == 1].sum()]
    )


def test_calibration_is_that_of_bins_with_equal_expectations(tuned):
    shown = plot_imbalance_dashboard(tuned, X[TEST], Y[TEST])
    order = np.argsort(tuned.predict_proba(X[TEST])[:, 1])
    proba, y = tuned.predict_proba(X[TEST])[order, 1], Y[TEST][order]
    places = (np.cumsum(proba) - proba / 2) / proba.sum()
    bins = [np.floor(10 * places) == number for number in range(10)]
    np.testing.assert_allclose(shown.calibration_.prob_pred, [proba[part].mean() for part in bins])
    np.testing.assert_allclose(shown.calibration_.prob_true, [y[part].mean() for part in bins])


def test_the_class_has_one_colour_everywhere(tuned):
    shown = plot_imbalance_dashboard(tuned, X[TEST], Y[TEST])
    colours = [
        shown.precision_recall_.line_.get_color(),
        shown.roc_.line_.get_color(),
        shown.calibration_.line_.get_color(),
        to_hex(shown.score_distribution_.class_.get_edgecolor()),
        shown.confusion_matrix_.ax_.get_yticklabels()[1].get_color(),
    ]
    assert {colour.upper() for colour in colours} == {"#D55E00"}
    others = {
        shown.threshold_curve_.line_.get_color(),
        shown.threshold_curve_.best_line_.get_color(),
    }
    assert not {colour.upper() for colour in others} & {"#D55E00", "#0072B2"}


def test_plain_classifiers_are_shown_at_one_half():
    model = LogisticRegression().fit(X[TRAIN], Y[TRAIN])
    shown = plot_imbalance_dashboard(model, X[TEST], Y[TEST], scoring="recall")
    matrix = confusion_matrix(Y[TEST], model.predict(X[TEST]))
    np.testing.assert_array_equal(shown.confusion_matrix_.confusion_matrix, matrix)
    assert shown.threshold_curve_.score_name == "recall"
    assert shown.score_distribution_.threshold == 0.5
    assert "class 1" in shown.figure_.get_suptitle()


def test_given_thresholds_win(tuned):
    shown = plot_imbalance_dashboard(tuned, X[TEST], Y[TEST], threshold=0.9)
    said = tuned.predict_proba(X[TEST])[:, 1] >= 0.9
    np.testing.assert_array_equal(
        shown.confusion_matrix_.confusion_matrix, confusion_matrix(Y[TEST], said)
    )
    assert shown.threshold_curve_.best_threshold == 0.9


def test_optimizers_within_pipelines_have_their_own_curve():
    inner = ThresholdOptimizerCV(LogisticRegression(), scoring="f1")
    pipeline = make_imblearn_pipeline(StandardScaler(), RandomUnderSampler(random_state=0), inner)
    pipeline.fit(X[TRAIN], Y[TRAIN])
    shown = plot_imbalance_dashboard(pipeline, X[TEST], Y[TEST])
    scaled = pipeline[0].transform(X[TEST])
    curve = ThresholdCurveDisplay.from_estimator(pipeline[-1], scaled, Y[TEST])
    np.testing.assert_array_equal(shown.threshold_curve_.scores, curve.scores)
    np.testing.assert_array_equal(
        shown.confusion_matrix_.confusion_matrix,
        confusion_matrix(Y[TEST], pipeline.predict(X[TEST])),
    )


def test_scores_that_are_no_probabilities_are_not_calibrated():
    shown = plot_imbalance_dashboard(LinearSVC().fit(X[TRAIN], Y[TRAIN]), X[TEST], Y[TEST])
    assert shown.calibration_ is None
    assert "no probabilities" in [text.get_text() for text in shown.axes_[0, 2].texts]
    model = LogisticRegression().fit(X[TRAIN], Y[TRAIN])
    by_margin = plot_imbalance_dashboard(
        model, X[TEST], Y[TEST], response_method="decision_function"
    )
    by_share = plot_imbalance_dashboard(model, X[TEST], Y[TEST])
    np.testing.assert_allclose(by_margin.calibration_.prob_pred, by_share.calibration_.prob_pred)


def test_several_classes_show_one_against_the_rest_and_all_decisions():
    X3, y3 = make_classification(600, n_informative=4, n_classes=3, random_state=0)
    model = LogisticRegression().fit(X3, y3)
    shown = plot_imbalance_dashboard(model, X3, y3, pos_label=2, scoring="f1")
    assert shown.confusion_matrix_.confusion_matrix.shape == (3, 3)
    assert shown.roc_.roc_auc == pytest.approx(
        roc_auc_score(y3 == 2, model.predict_proba(X3)[:, 2])
    )
    assert shown.threshold_curve_.best_line_ is None
    with pytest.raises(ValueError, match="say which with pos_label="):
        plot_imbalance_dashboard(model, X3, y3)


def test_labels_are_shown_one_by_one():
    XL, yl = make_multilabel_classification(400, n_classes=3, random_state=0)
    tuned = ThresholdOptimizerCV(OneVsRestClassifier(LogisticRegression()), scoring="f1_macro")
    shown = plot_imbalance_dashboard(tuned.fit(XL, yl), XL, yl, pos_label=0)
    np.testing.assert_array_equal(
        shown.confusion_matrix_.confusion_matrix,
        confusion_matrix(yl[:, 0], tuned.predict(XL)[:, 0]),
    )


def test_costs_of_rows_are_drawn_with_their_costs():
    cost = np.random.RandomState(0).lognormal(size=len(Y))
    tuned = ThresholdOptimizerCV(LogisticRegression()).fit(X[TRAIN], Y[TRAIN], cost=cost[TRAIN])
    shown = plot_imbalance_dashboard(tuned, X[TEST], Y[TEST], cost=cost[TEST])
    assert shown.threshold_curve_.score_name == "neg_cost"
    with pytest.raises(ValueError, match="give cost for these rows"):
        plot_imbalance_dashboard(tuned, X[TEST], Y[TEST])


def test_rows_of_one_class_are_refused_before_drawing(tuned):
    with pytest.raises(ValueError, match="All rows that are given are of class 0"):
        plot_imbalance_dashboard(tuned, X[Y == 0], Y[Y == 0])
    assert matplotlib.pyplot.get_fignums() == []


def test_nothing_is_cut_off_and_no_labels_meet(tuned):
    for size in ((13.0, 7.6), (9.0, 5.6)):
        figure = matplotlib.pyplot.figure(figsize=size, layout="constrained")
        shown = plot_imbalance_dashboard(tuned, X[TEST], Y[TEST], figure=figure, title="A title")
        assert isinstance(shown, ImbalanceDashboard)
        assert shown.figure_ is figure
        figure.draw_without_rendering()
        width, height = figure.bbox.size
        boxes = [ax.get_tightbbox() for ax in figure.axes]
        for box in boxes:
            assert box.x0 >= 0 and box.y0 >= 0
            assert box.x1 <= width and box.y1 <= height
        # The first axes are the six pictures; the last is the second axis of the fourth.
        for one in range(6):
            for other in range(one):
                assert not boxes[one].overlaps(boxes[other])


@pytest.fixture(scope="module")
def named():
    """Labels whose first class is the rare one."""
    return np.where(Y == 1, "a_rare", "b_common")


RARE_F1 = make_scorer(f1_score, pos_label="a_rare")


@pytest.mark.parametrize(
    "model",
    [
        FixedThresholdClassifier(LogisticRegression(), threshold=0.2, pos_label="a_rare"),
        FixedThresholdClassifier(
            LogisticRegression(), threshold=-1.0, response_method="decision_function"
        ),
        TunedThresholdClassifierCV(LogisticRegression(), scoring=RARE_F1),
        TunedThresholdClassifierCV(
            LogisticRegression(), scoring=RARE_F1, response_method="decision_function"
        ),
        ThresholdOptimizerCV(LogisticRegression(), scoring="f1", pos_label="a_rare"),
        KNeighborsClassifier(4),
        SVC(),
    ],
    ids=lambda model: type(model).__name__,
)
@pytest.mark.parametrize("pos_label", ["a_rare", "b_common", None])
def test_decisions_are_those_of_predict(model, pos_label, named):
    model = clone(model).fit(X[TRAIN], named[TRAIN])
    shown = plot_imbalance_dashboard(model, X[TEST], named[TEST], pos_label=pos_label)
    label = shown.roc_.pos_label
    said = model.predict(X[TEST])
    matrix = confusion_matrix(named[TEST] == label, said == label)
    np.testing.assert_array_equal(shown.confusion_matrix_.confusion_matrix, matrix)
    assert label == (pos_label or getattr(model, "pos_label", None) or label)
    # The line is where the decisions change, but for ties.
    threshold, method = shown.score_distribution_.threshold, "predict_proba"
    if not hasattr(model, method) or getattr(model, "response_method", "") == "decision_function":
        method = "decision_function"
    scores = getattr(model, method)(X[TEST])
    column = list(model.classes_).index(label)
    score = scores[:, column] if scores.ndim == 2 else scores * (1 if column else -1)
    differ = (score >= threshold) != (said == label)
    assert not differ[score != threshold].any()


def test_a_threshold_is_not_drawn_on_scores_that_it_is_not_about(tuned):
    shown = plot_imbalance_dashboard(tuned, X[TEST], Y[TEST], response_method="decision_function")
    assert shown.score_distribution_.threshold is None
    assert shown.threshold_curve_.best_line_ is None
    assert shown.threshold_curve_.score_name == "balanced_accuracy"
    np.testing.assert_array_equal(
        shown.confusion_matrix_.confusion_matrix,
        confusion_matrix(Y[TEST], tuned.predict(X[TEST])),
    )


def test_a_given_threshold_sets_one_of_several_classes_against_the_rest():
    X3, y3 = make_classification(600, n_informative=4, n_classes=3, random_state=0)
    model = LogisticRegression().fit(X3, y3)
    shown = plot_imbalance_dashboard(model, X3, y3, pos_label=2, threshold=0.9)
    said = model.predict_proba(X3)[:, 2] >= 0.9
    np.testing.assert_array_equal(
        shown.confusion_matrix_.confusion_matrix, confusion_matrix(y3 == 2, said)
    )


def test_dashboards_stand_side_by_side(tuned):
    whole = matplotlib.pyplot.figure(figsize=(20, 6), layout="constrained")
    for part in whole.subfigures(1, 2):
        assert plot_imbalance_dashboard(tuned, X[TEST], Y[TEST], figure=part).figure_ is part
    whole.draw_without_rendering()


def test_titles_say_which_class_it_is(named, tuned):
    model = LogisticRegression().fit(X[TRAIN], named[TRAIN])
    shown = plot_imbalance_dashboard(model, X[TEST], named[TEST])
    assert "class b_common" in repr(shown)
    assert "the more frequent one; pos_label='a_rare' is the other" in repr(shown)
    assert "frequent" not in repr(plot_imbalance_dashboard(tuned, X[TEST], Y[TEST]))


def test_calibration_says_how_far_probabilities_are_from_the_share():
    model = LogisticRegression(class_weight="balanced").fit(X[TRAIN], Y[TRAIN])
    shown = plot_imbalance_dashboard(model, X[TEST], Y[TEST])
    mean = model.predict_proba(X[TEST])[:, 1].mean()
    legend = [text.get_text() for text in shown.axes_[0, 2].get_legend().get_texts()]
    assert f"mean {mean:.3g}, share {Y[TEST].mean():.3g}" in legend
