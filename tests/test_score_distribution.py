"""ScoreDistributionDisplay: every row is counted once, in its class and its bin."""

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from matplotlib.colors import to_hex
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from sk_imbalance_nn import ScoreDistributionDisplay, ThresholdOptimizerCV

matplotlib.use("Agg")
X, Y = make_classification(400, weights=[0.9], flip_y=0.05, random_state=0)


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    matplotlib.pyplot.close("all")


@settings(max_examples=25, deadline=None)
@given(
    scores=hnp.arrays(float, st.integers(2, 50), elements=st.floats(-5, 5)),
    bins=st.integers(1, 12),
    data=st.data(),
)
def test_every_row_is_in_one_bin_of_its_class(scores, bins, data):
    target = np.arange(len(scores)) % 2
    weight = data.draw(hnp.arrays(float, len(scores), elements=st.floats(0.25, 4)))
    display = ScoreDistributionDisplay.from_predictions(
        target, scores, bins=bins, sample_weight=weight
    )
    assert np.all(np.diff(display.bin_edges) > 0)
    assert display.counts.shape == (2, bins)
    for code in (0, 1):
        assert display.counts[code].sum() == pytest.approx(weight[target == code].sum())
    matplotlib.pyplot.close("all")


def test_bins_of_probabilities_go_from_0_to_1_and_others_from_lowest_to_highest():
    proba, scores = np.array([0.2, 0.3, 0.4, 0.9]), np.array([-3.0, 0.5, 1.0, 2.0])
    of = ScoreDistributionDisplay.from_predictions
    assert of([0, 0, 1, 1], proba).bin_edges[[0, -1]].tolist() == [0.0, 1.0]
    assert of([0, 0, 1, 1], scores).bin_edges[[0, -1]].tolist() == [-3.0, 2.0]
    assert of([0, 0, 1, 1], scores, bins=[-4, 0, 4]).counts.tolist() == [[1, 1], [0, 2]]


def test_rounding_beyond_1_loses_no_row():
    class Rounded(LogisticRegression):
        def predict_proba(self, X):
            return np.column_stack([np.zeros(len(X)), np.full(len(X), np.nextafter(1.0, 2))])

    display = ScoreDistributionDisplay.from_estimator(Rounded().fit(X, Y), X, Y)
    assert display.counts.sum() == len(Y)


def test_class_is_named_counted_and_always_coloured_alike():
    labels = np.where(Y == 1, "fraud", "ok")
    display = ScoreDistributionDisplay.from_estimator(
        LogisticRegression().fit(X, labels), X, labels, pos_label="fraud"
    )
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    n_fraud = int(Y.sum())
    assert legend[:2] == [f"class ok ({400 - n_fraud} rows)", f"class fraud ({n_fraud} rows)"]
    assert to_hex(display.class_.get_edgecolor()).upper() == "#D55E00"
    assert display.ax_.get_yscale() == "log"
    assert display.ax_.get_xlabel() == "probability of class fraud"
    assert display.figure_ is display.ax_.figure


def test_threshold_is_the_one_that_predict_goes_by():
    tuned = ThresholdOptimizerCV(LogisticRegression(), scoring="f1").fit(X, Y)
    tuner = TunedThresholdClassifierCV(LogisticRegression(), scoring="f1").fit(X, Y)
    fixed = FixedThresholdClassifier(LogisticRegression(), threshold=0.2).fit(X, Y)
    search = GridSearchCV(make_pipeline(StandardScaler(), tuned), {}).fit(X, Y)
    margin = ThresholdOptimizerCV(LinearSVC(), scoring="f1").fit(X, Y)
    for model in (tuned, tuner, fixed, search, margin, LinearSVC().fit(X, Y)):
        display = ScoreDistributionDisplay.from_estimator(model, X, Y)
        has_probabilities = hasattr(model, "predict_proba")
        scores = model.predict_proba(X)[:, 1] if has_probabilities else model.decision_function(X)
        np.testing.assert_array_equal(scores >= display.threshold, model.predict(X) == 1)
        assert display.threshold_line_.get_xdata()[0] == display.threshold


def test_threshold_of_the_other_class_is_mirrored():
    tuned = ThresholdOptimizerCV(LogisticRegression(), scoring="f1").fit(X, Y)
    display = ScoreDistributionDisplay.from_estimator(tuned, X, Y, pos_label=0)
    assert display.threshold == pytest.approx(1 - tuned.best_threshold_)
    assert display.names == ("class 1", "class 0")


def test_one_of_several_classes_stands_against_the_rest():
    X3, y3 = make_classification(300, n_informative=4, n_classes=3, random_state=0)
    model = LogisticRegression().fit(X3, y3)
    display = ScoreDistributionDisplay.from_estimator(model, X3, y3, pos_label=2)
    assert display.counts.sum(axis=1).tolist() == [(y3 != 2).sum(), (y3 == 2).sum()]
    assert display.threshold is display.threshold_line_ is None
    with pytest.raises(ValueError, match=r"3 classes.*say which with pos_label=.*rarest is"):
        ScoreDistributionDisplay.from_estimator(model, X3, y3)


def test_one_of_several_labels_has_its_own_threshold():
    XL, yl = make_multilabel_classification(300, n_classes=3, random_state=0)
    tuned = ThresholdOptimizerCV(OneVsRestClassifier(LogisticRegression()), scoring="f1_macro")
    display = ScoreDistributionDisplay.from_estimator(tuned.fit(XL, yl), XL, yl, pos_label=1)
    assert display.threshold == tuned.best_threshold_[1]
    assert display.names == ("rest", "label 1")


@pytest.mark.parametrize(
    ("y", "scores", "message"),
    [
        ([0, 1, 2], [0.1, 0.2, 0.3], "compare one class with the rest"),
        ([0, 1], [[0.9, 0.1], [0.2, 0.8]], "take the column of that class"),
        ([0, 1], [0.1, np.nan], "NaN"),
        ([0, 1], [0.1, 0.2, 0.3], "inconsistent numbers of samples"),
    ],
)
def test_malformed_scores_are_refused(y, scores, message):
    with pytest.raises(ValueError, match=message):
        ScoreDistributionDisplay.from_predictions(y, scores)


def test_linear_counts_on_given_axes():
    _, ax = matplotlib.pyplot.subplots()
    display = ScoreDistributionDisplay.from_predictions(
        [0, 1], [0.2, 0.7], threshold=0.4, log=False, ax=ax
    )
    assert display.ax_ is ax
    assert ax.get_yscale() == "linear"
    assert list(display.threshold_line_.get_xdata()) == [0.4, 0.4]
