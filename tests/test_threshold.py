"""ThresholdOptimizerCV: it chooses what brute force chooses, and takes what its peer takes."""

import functools
import inspect
import pickle
import re
import subprocess
import sys
import warnings

import keras
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from imblearn.metrics import geometric_mean_score, specificity_score
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin, clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.exceptions import DataConversionWarning, NotFittedError, UndefinedMetricWarning
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    cohen_kappa_score,
    f1_score,
    fbeta_score,
    get_scorer,
    jaccard_score,
    make_scorer,
    matthews_corrcoef,
    precision_score,
    recall_score,
    zero_one_loss,
)
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    LeaveOneOut,
    RepeatedStratifiedKFold,
    StratifiedKFold,
    StratifiedShuffleSplit,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

from sk_imbalance_nn import BalancedKerasClassifier, ThresholdOptimizerCV, output_layer
from sk_imbalance_nn.data.split import label_folds

X, y = make_classification(
    150, 5, n_informative=3, weights=[0.75], class_sep=1.0, flip_y=0.1, random_state=0
)
CV = StratifiedKFold(3)
LINEAR = LogisticRegression()
PROBA = cross_val_predict(LINEAR, X, y, cv=CV, method="predict_proba")[:, 1]
FOLD = np.empty(len(y), dtype=int)
for number, (_, test) in enumerate(CV.split(X, y)):
    FOLD[test] = number
RNG = np.random.default_rng(0)
WEIGHTS = RNG.integers(1, 6, len(y)).astype(float)
COST_MATRIX = np.array([[0.0, 1.0], [4.0, 0.5]])

X4, y4 = make_classification(
    300,
    6,
    n_informative=5,
    n_redundant=0,
    n_classes=4,
    weights=[0.55, 0.2, 0.15],
    class_sep=0.8,
    random_state=0,
)
NAMES4 = np.array(["delta", "alpha", "gamma", "beta"])
S4 = NAMES4[y4]
XL, YL = make_multilabel_classification(160, 6, n_classes=3, random_state=1)
XL = StandardScaler().fit_transform(XL)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Threads for matrices of a few rows wait for each other."""
    with threadpool_limits(1):
        yield


class Told(ClassifierMixin, BaseEstimator):
    """A classifier whose probabilities are its rows: the first column, or one for each class."""

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.unique(y) if np.ndim(y) == 1 else np.arange(y.shape[1])
        return self

    def predict_proba(self, X):
        X = np.asarray(X, dtype=float)
        return np.column_stack([1 - X, X]) if X.shape[1] == 1 else X

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


class Recording(LogisticRegression):
    """How many rows each fit of any copy saw."""

    fits = ()

    def fit(self, X, y, sample_weight=None):
        Recording.fits += (len(X),)
        return super().fit(X, y, sample_weight)


def tuned(estimator=LINEAR, /, **params):
    return ThresholdOptimizerCV(estimator, **{"cv": 3, "random_state": 0, **params})


def told(scores, y, /, **params):
    """Tune on given scores, by no model."""
    rows = np.asarray(scores, dtype=float)
    rows = rows[:, None] if rows.ndim == 1 else rows
    prefit = {"cv": "prefit", "refit": False}
    return tuned(Told().fit(rows, y), **prefit, **params).fit(rows, y)


def cuts(scores):
    """One threshold for each way to cut scores in two."""
    levels = np.unique(scores)
    return np.concatenate([levels, [np.inf]])


def best_by_brute_force(value, scores=PROBA, allowed=lambda decided: True):
    """Return the greatest value of the decisions that any threshold makes."""
    decisions = [(scores >= threshold).astype(int) for threshold in cuts(scores)]
    with sklearn.config_context(skip_parameter_validation=True):
        return max(value(decided) for decided in decisions if allowed(decided))


def learned(estimator):
    """Return what fit left, without what is private."""
    return {
        name: value
        for name, value in vars(estimator).items()
        if name.endswith("_") and not name.startswith("_")
    }


# The optimum ----------------------------------------------------------------------------------

METRICS = {
    "accuracy": accuracy_score,
    "balanced_accuracy": balanced_accuracy_score,
    "f1": f1_score,
    "f1_macro": lambda true, said: f1_score(true, said, average="macro"),
    "jaccard": jaccard_score,
    "matthews_corrcoef": matthews_corrcoef,
    "precision": lambda true, said: precision_score(true, said, zero_division=0),
    "recall": recall_score,
    "geometric_mean": geometric_mean_score,
    "specificity": specificity_score,
    "youden_j": lambda true, said: balanced_accuracy_score(true, said, adjusted=True),
}


@functools.cache
def best_of_all_cuts(name):
    return best_by_brute_force(lambda said: METRICS[name](y, said))


@pytest.mark.parametrize("name", METRICS)
def test_best_score_is_that_of_the_best_of_all_cuts(name):
    metric = METRICS[name]
    found = tuned(scoring=name, selection="max").fit(X, y)
    assert found.best_score_ == pytest.approx(best_of_all_cuts(name))
    said = (found.best_threshold_ <= PROBA).astype(int)
    assert metric(y, said) == pytest.approx(found.best_score_)


@pytest.mark.parametrize("name", ["f1", "precision", "geometric_mean"])
def test_mean_over_folds_is_that_of_the_best_of_all_cuts(name):
    metric = METRICS[name]

    def mean_of_folds(said):
        return np.mean([metric(y[FOLD == number], said[FOLD == number]) for number in range(3)])

    found = tuned(scoring=name, selection="max", aggregate="mean").fit(X, y)
    assert found.best_score_ == pytest.approx(best_by_brute_force(mean_of_folds))


@pytest.mark.parametrize(
    "scoring",
    [
        f1_score,
        make_scorer(f1_score),
        get_scorer("f1"),
        lambda true, said: f1_score(true, said),
        lambda estimator, rows, labels: f1_score(labels, estimator.predict(rows)),
    ],
    ids=["metric", "made scorer", "named scorer", "own metric", "own scorer"],
)
def test_all_ways_to_say_f1_mean_the_same(scoring):
    found = tuned(scoring=scoring, selection="max").fit(X, y)
    assert found.best_score_ == pytest.approx(best_of_all_cuts("f1"))


@pytest.mark.parametrize(
    ("scoring", "metric"),
    [
        (make_scorer(fbeta_score, beta=2), lambda true, said: fbeta_score(true, said, beta=2)),
        (cohen_kappa_score, cohen_kappa_score),
        (zero_one_loss, lambda true, said: -zero_one_loss(true, said)),
        (geometric_mean_score, geometric_mean_score),
        (lambda true, said: -abs(said.sum() - 31.0), lambda true, said: -abs(said.sum() - 31.0)),
    ],
    ids=["fbeta", "kappa", "a loss", "imbalanced-learn", "of the number of alarms"],
)
def test_metrics_and_losses_reach_the_best_of_all_cuts(scoring, metric):
    found = tuned(scoring=scoring, selection="max").fit(X, y)
    assert found.best_score_ == pytest.approx(best_by_brute_force(lambda said: metric(y, said)))


@pytest.mark.parametrize("selection", ["max", "plateau"])
@pytest.mark.parametrize("scoring", [*METRICS, cohen_kappa_score, lambda a, b: f1_score(a, b)])
def test_scorer_agrees_with_best_score(scoring, selection):
    found = told(PROBA, y, scoring=scoring, selection=selection)
    assert found.scorer_(found, PROBA[:, None], y) == pytest.approx(found.best_score_)


def test_plateau_is_within_the_given_width_of_the_best():
    widths = [0.0, 0.5, 1.0, 3.0]
    best = tuned(scoring="f1", selection="max").fit(X, y)
    scores = [tuned(scoring="f1", plateau_width=w).fit(X, y).best_score_ for w in widths]
    assert scores[0] == best.best_score_
    assert all(score <= best.best_score_ for score in scores)
    # Half the width of the interval is about two standard errors.
    error = np.ptp(best.score_interval_) / 4
    for width, score in zip(widths, scores, strict=True):
        assert best.best_score_ - score <= 1.5 * width * error


def test_intervals_hold_what_was_chosen():
    found = tuned(scoring="f1").fit(X, y)
    low, high = found.score_interval_
    assert low < found.best_score_ < high
    low, high = found.threshold_interval_
    assert low <= found.best_threshold_ <= high
    optima = found.fold_thresholds_
    assert optima.shape == (3,)
    assert found.threshold_std_ == pytest.approx(optima[np.isfinite(optima)].std())
    for number, optimum in enumerate(optima):
        own = number == FOLD
        reached = f1_score(y[own], (PROBA[own] >= optimum).astype(int))
        assert reached == pytest.approx(
            best_by_brute_force(lambda said, own=own: f1_score(y[own], said), PROBA[own])
        )


# The peer -------------------------------------------------------------------------------------

GRID = np.linspace(0.02, 0.98, 49)


def test_every_argument_of_the_peer_is_accepted():
    theirs = inspect.signature(TunedThresholdClassifierCV).parameters
    ours = inspect.signature(ThresholdOptimizerCV).parameters
    assert set(theirs) <= set(ours)
    changed = {name for name in theirs if theirs[name].default != ours[name].default}
    assert changed == {"thresholds"}


@pytest.mark.parametrize("scoring", ["balanced_accuracy", "f1", "matthews_corrcoef", "recall"])
def test_equal_thresholds_reach_what_the_peer_reaches_and_exact_ones_at_least_that(scoring):
    peer = TunedThresholdClassifierCV(
        LINEAR, scoring=scoring, thresholds=GRID, cv=CV, store_cv_results=True
    ).fit(X, y)
    params = {"scoring": scoring, "cv": CV, "selection": "max", "aggregate": "mean"}
    ours = tuned(thresholds=GRID, store_cv_results=True, **params).fit(X, y)
    assert ours.best_score_ == pytest.approx(peer.best_score_)
    np.testing.assert_allclose(ours.cv_results_["scores"], peer.cv_results_["scores"])
    np.testing.assert_array_equal(ours.cv_results_["thresholds"], peer.cv_results_["thresholds"])
    assert tuned(**params).fit(X, y).best_score_ >= peer.best_score_ - 1e-12


@pytest.mark.parametrize(
    "params",
    [
        {"thresholds": 30},
        {"thresholds": GRID.tolist()},
        {"cv": 3},
        {"cv": RepeatedStratifiedKFold(n_splits=2, n_repeats=2, random_state=0)},
        {"cv": list(StratifiedKFold(2).split(X, y))},
        {"cv": 0.3, "random_state": 0},
        {"cv": 0.3, "random_state": 0, "refit": False},
        {"cv": None, "n_jobs": 1},
        {"cv": "prefit", "refit": False},
        {"response_method": "decision_function"},
        {"response_method": "predict_proba", "store_cv_results": True},
        {"scoring": make_scorer(f1_score, pos_label=0)},
    ],
    ids=str,
)
def test_code_that_works_with_the_peer_works(params):
    rows, fits = pd.DataFrame(X).add_prefix("c"), []
    # Which threshold the peer finds plays no part; it looks for it at ten, for speed.
    quick = {"thresholds": 10, **params}
    for optimizer, given in ((TunedThresholdClassifierCV, quick), (ThresholdOptimizerCV, params)):
        inner = clone(LINEAR).fit(rows, y) if params.get("cv") == "prefit" else LINEAR
        fits.append(optimizer(inner, **given).fit(rows, y))
    peer, ours = fits
    assert set(learned(peer)) <= set(learned(ours))
    if "cv" not in params:
        assert ours.fold_thresholds_.shape == (5,)
    assert set(getattr(peer, "cv_results_", ())) <= set(getattr(ours, "cv_results_", ()))
    np.testing.assert_array_equal(ours.classes_, peer.classes_)
    np.testing.assert_array_equal(ours.predict_proba(rows), peer.predict_proba(rows))
    np.testing.assert_array_equal(ours.decision_function(rows), peer.decision_function(rows))
    ours.best_threshold_ = peer.best_threshold_
    np.testing.assert_array_equal(ours.predict(rows), peer.predict(rows))


def test_a_share_holds_out_the_rows_that_the_peer_holds_out():
    share = {"cv": 0.3, "refit": False, "random_state": 7}
    peer = TunedThresholdClassifierCV(LINEAR, thresholds=GRID, **share).fit(X, y)
    ours = tuned(thresholds=GRID, selection="max", **share).fit(X, y)
    np.testing.assert_array_equal(ours.estimator_.coef_, peer.estimator_.coef_)
    assert ours.best_score_ == pytest.approx(peer.best_score_)
    (split,) = StratifiedShuffleSplit(1, test_size=0.3, random_state=7).split(X, y)
    again = tuned(cv=[split], refit=False, thresholds=GRID, selection="max").fit(X, y)
    assert again.best_threshold_ == ours.best_threshold_


def test_refit_decides_which_rows_the_model_has_seen():
    Recording.fits = ()
    tuned(Recording(), cv=4).fit(X, y)
    assert Recording.fits == (112, 112, 113, 113, 150)
    Recording.fits = ()
    tuned(Recording(), cv=0.25, refit=False).fit(X, y)
    assert Recording.fits == (112,)
    fitted = clone(LINEAR).fit(X, y)
    assert tuned(fitted, cv="prefit", refit=False).fit(X, y).estimator_ is fitted


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"cv": "prefit"}, ValueError, "refit cannot be True; pass refit=False"),
        ({"cv": "prefit", "refit": False}, NotFittedError, "must be fitted"),
        ({"cv": 3, "refit": False}, ValueError, "refit cannot be False; found 3 folds"),
        ({"cv": []}, ValueError, "no splits"),
        ({"cv": [(np.arange(3), np.arange(0))]}, ValueError, "empty part"),
        ({"cv": "folds"}, ValueError, "'cv' parameter"),
        ({"cv": 1}, ValueError, "'cv' parameter"),
        ({"cv": 1.5}, ValueError, "'cv' parameter"),
        ({"scoring": "roc_auc"}, ValueError, "judges scores.*such as 'f1'"),
        ({"scoring": "neg_log_loss"}, ValueError, "judges scores"),
        ({"scoring": "balanced_acuracy"}, ValueError, "did you mean 'balanced_accuracy'"),
        ({"scoring": None}, ValueError, "'scoring' parameter"),
        ({"selection": "best"}, ValueError, "'selection' parameter.*'plateau'"),
        ({"aggregate": "median"}, ValueError, "'aggregate' parameter"),
        ({"plateau_width": -1}, ValueError, "'plateau_width' parameter"),
        ({"infeasible": "ignore"}, ValueError, "'infeasible' parameter"),
        ({"thresholds": "all"}, ValueError, "'thresholds' parameter"),
        ({"thresholds": 0}, ValueError, "'thresholds' parameter"),
        ({"thresholds": []}, ValueError, "thresholds must be"),
        ({"thresholds": [0.5, np.nan]}, ValueError, "thresholds must be"),
        ({"thresholds": [[0.5]]}, ValueError, "thresholds must be"),
        ({"response_method": "predict"}, ValueError, "'response_method' parameter"),
        ({"pos_label": "maybe"}, ValueError, r"pos_label='maybe'.*one of \[0, 1\]"),
        ({"n_jobs": "two"}, ValueError, "'n_jobs' parameter"),
        ({"random_state": "two"}, ValueError, "'random_state' parameter"),
        ({"constraint": 0.9}, ValueError, "'constraint' parameter"),
    ],
    ids=str,
)
def test_wrong_parameters_are_refused_with_what_was_expected(params, error, message):
    with pytest.raises(error, match=message):
        tuned(**params).fit(X, y)


@pytest.mark.parametrize("inner", [sklearn.linear_model.LinearRegression(), "logistic", None])
def test_estimators_without_scores_are_refused(inner):
    with pytest.raises(ValueError, match=r"'estimator' parameter.*decision_function"):
        tuned(inner).fit(X, y)


def test_a_response_that_the_estimator_lacks_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"RidgeClassifier has none of.*predict_proba"):
        tuned(RidgeClassifier(), response_method="predict_proba").fit(X, y)


# A classifier among classifiers ---------------------------------------------------------------


def test_grid_search_tunes_estimator_and_selection():
    grid = {"estimator__C": [0.01, 1.0], "selection": ["max", "plateau"]}
    search = GridSearchCV(tuned(scoring="f1", cv=3), grid, scoring="f1", cv=3).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.estimator_.C == search.best_params_["estimator__C"]
    again = cross_val_score(search.best_estimator_, X, y, cv=3, scoring="f1")
    assert again.mean() == pytest.approx(search.best_score_)


def test_pipelines_may_stand_around_and_inside():
    scaler = StandardScaler()
    inside = tuned(make_pipeline(scaler, LINEAR), scoring="f1").fit(X, y)
    around = make_pipeline(scaler, tuned(scoring="f1")).fit(X, y)
    assert inside.predict_proba(X) == pytest.approx(around.predict_proba(X))
    assert inside.best_threshold_ == pytest.approx(around[-1].best_threshold_, abs=0.1)
    assert inside.n_features_in_ == around.n_features_in_ == 5
    assert inside.score(X, y) == accuracy_score(y, inside.predict(X))


def test_tuned_classifiers_are_classifiers():
    assert is_classifier(tuned())
    for inner in (LINEAR, KNeighborsClassifier(), HistGradientBoostingClassifier()):
        tags, own = sklearn.utils.get_tags(tuned(inner)), sklearn.utils.get_tags(inner)
        assert tags.input_tags == own.input_tags
        assert tags.classifier_tags.multi_label == own.classifier_tags.multi_label
        assert tags.classifier_tags.multi_class == own.classifier_tags.multi_class
    assert sklearn.utils.get_tags(tuned(KNeighborsClassifier())).classifier_tags.multi_label
    assert not sklearn.utils.get_tags(tuned()).classifier_tags.multi_label


@pytest.mark.parametrize(
    "inner",
    [
        SVC(),
        LinearSVC(),
        RidgeClassifier(),
        HistGradientBoostingClassifier(max_iter=5, random_state=0),
        RandomForestClassifier(10, random_state=0),
    ],
    ids=lambda inner: type(inner).__name__,
)
def test_any_classifier_is_tuned_to_the_best_of_all_cuts(inner):
    method = "predict_proba" if hasattr(inner, "predict_proba") else "decision_function"
    scores = cross_val_predict(inner, X, y, cv=CV, method=method)
    scores = scores[:, 1] if scores.ndim == 2 else scores
    found = tuned(inner, scoring="matthews_corrcoef", selection="max").fit(X, y)
    expected = best_by_brute_force(lambda said: matthews_corrcoef(y, said), scores)
    assert found.best_score_ == pytest.approx(expected)
    assert found.default_threshold_ == (0.5 if method == "predict_proba" else 0.0)
    for name in ("predict_proba", "predict_log_proba", "decision_function"):
        assert hasattr(found, name) == hasattr(found.estimator_, name) == hasattr(inner, name)
        if hasattr(inner, name):
            with np.errstate(divide="ignore"):  # forests are sure of some rows
                expected, given = (getattr(each, name)(X) for each in (found.estimator_, found))
            np.testing.assert_array_equal(given, expected)


@pytest.mark.parametrize(
    ("labels", "params"),
    [
        (np.array(["no", "yes"])[y], {"pos_label": "yes"}),
        (np.array(["yes", "no"])[y], {"pos_label": "no"}),
        (np.where(y, 1, -1), {}),
        (y.astype(bool), {}),
        (y.astype(float), {}),
        (y + 1, {"pos_label": 2}),
        (2 - y, {"pos_label": 1}),
        (pd.Series(np.array(["no", "yes"])[y], dtype="category"), {"pos_label": "yes"}),
        (y.tolist(), {}),
    ],
    ids=["strings", "positive first", "-1", "bool", "float", "2", "positive 1", "pandas", "list"],
)
def test_names_of_the_labels_do_not_matter(labels, params):
    plain = tuned(scoring="f1", selection="max", aggregate="mean").fit(X, y)
    named = tuned(scoring="f1", selection="max", aggregate="mean", **params).fit(X, labels)
    assert named.best_score_ == pytest.approx(plain.best_score_)
    assert named.best_threshold_ == pytest.approx(plain.best_threshold_, abs=1e-6)
    positive = params.get("pos_label", 1)
    np.testing.assert_array_equal(named.predict(X) == positive, plain.predict(X) == 1)
    assert named.predict(X).dtype == named.classes_.dtype


def test_a_positive_class_that_is_not_named_is_asked_for():
    with pytest.raises(ValueError, match=r"pos_label=1.*\['no', 'yes'\].*pos_label=\.\.\."):
        tuned(scoring="f1").fit(X, np.array(["no", "yes"])[y])
    # Where it does not matter, the second class is positive.
    tuned().fit(X, np.array(["no", "yes"])[y])
    with pytest.raises(ValueError, match="give one of them"):
        tuned(scoring=make_scorer(f1_score, pos_label=0), pos_label=1).fit(X, y)
    with pytest.raises(ValueError, match="calls 0 positive, and the constraint 1"):
        tuned(scoring=make_scorer(f1_score, pos_label=0), constraint="precision >= 0.5").fit(X, y)


def test_frames_and_sparse_rows_give_the_same_threshold():
    frame = pd.DataFrame(X, columns=list("abcde"))
    expected = tuned().fit(X, y).best_threshold_
    from_frame = tuned().fit(frame, pd.Series(y, index=frame.index[::-1]))
    assert from_frame.best_threshold_ == expected
    assert from_frame.feature_names_in_.tolist() == list("abcde")
    from_sparse = tuned().fit(sparse.csr_matrix(X), y)
    assert from_sparse.best_threshold_ == pytest.approx(expected)
    assert not hasattr(from_sparse, "feature_names_in_")
    assert tuned().fit(X.tolist(), y.tolist()).best_threshold_ == expected


def test_texts_and_other_frames_reach_the_estimator_as_they_are():
    words = np.array(["quiet night", "loud night", "loud day"])[y + (X[:, 0] > 0)]
    found = tuned(make_pipeline(CountVectorizer(), LINEAR)).fit(words.tolist(), y)
    assert found.predict(["loud day", "quiet night"]).tolist() == [1, 0]
    frame = pl.DataFrame(X, schema=list("abcde"))
    from_frame = tuned().fit(frame, pl.Series(y))
    assert from_frame.best_threshold_ == tuned().fit(X, y).best_threshold_
    assert from_frame.feature_names_in_.tolist() == list("abcde")


def test_a_column_of_labels_is_taken_with_a_warning():
    with pytest.warns(DataConversionWarning, match="1d array was expected") as caught:
        found = tuned().fit(X, y[:, None])
    assert len(caught) == 1
    assert found.best_threshold_ == tuned().fit(X, y).best_threshold_


def test_tuned_classifiers_serve_other_meta_estimators():
    nested = tuned(tuned(scoring="f1"), scoring="recall", constraint="precision >= 0.5").fit(X, y)
    assert nested.score_name_ == "recall"
    vote = VotingClassifier([("tuned", tuned()), ("again", tuned())]).fit(X, y)
    np.testing.assert_array_equal(vote.predict(X), vote.estimators_[0].predict(X))
    calibrated = CalibratedClassifierCV(tuned(), cv=2, ensemble=False).fit(X, y)
    assert np.isfinite(calibrated.predict_proba(X)).all()


def test_pickles_and_clones_keep_what_they_should():
    found = tuned(scoring="f1", constraint="recall >= 0.5", cv=3).fit(X, y)
    travelled = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(travelled.predict(X), found.predict(X))
    assert travelled.scorer_(travelled, X, y) == found.scorer_(found, X, y)
    twin = clone(found)
    assert not learned(twin)
    assert twin.get_params(deep=False).keys() == found.get_params(deep=False).keys()
    assert twin.fit(X, y).best_threshold_ == found.best_threshold_


def test_nothing_of_the_rows_is_kept():
    rows = RNG.random(20_000)
    found = told(rows, (rows > RNG.random(20_000)).astype(int))
    assert len(pickle.dumps(found)) < 10_000


def test_a_fitted_estimator_must_know_the_labels():
    known = clone(LINEAR).fit(X, np.array(["no", "yes"])[y])
    with pytest.raises(ValueError, match=r"does not know: \[0, 1\]; it knows \['no', 'yes'\]"):
        tuned(known, cv="prefit", refit=False).fit(X, y)
    # A row type that is absent from the rows to tune on is still one of its classes.
    of_four = LogisticRegression(max_iter=500).fit(X4, y4)
    some = y4 < 3
    with pytest.warns(UserWarning, match="Only 0 rows of class 3"):
        found = tuned(of_four, cv="prefit", refit=False).fit(X4[some], y4[some])
    assert found.best_class_weight_.shape == (4,)


def test_the_user_may_overwrite_the_threshold():
    found = tuned().fit(X, y)
    found.best_threshold_ = 0.9
    np.testing.assert_array_equal(found.predict(X), found.predict_proba(X)[:, 1] >= 0.9)
    labels = tuned(OneVsRestClassifier(LINEAR)).fit(XL, YL)
    labels.best_threshold_ = np.array([0.0, 0.5, 2.0])
    over = labels.predict_proba(XL) >= [0.0, 0.5, 2.0]
    np.testing.assert_array_equal(labels.predict(XL), over)


def test_score_is_accuracy_and_scorer_is_the_objective():
    found = tuned(scoring="f1").fit(X, y)
    assert found.score(X, y) == accuracy_score(y, found.predict(X))
    assert found.scorer_(found, X, y) == f1_score(y, found.predict(X))
    assert found.score_name_ == "f1"


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
def test_nothing_is_predicted_before_fit(method):
    with pytest.raises(NotFittedError):
        getattr(tuned(), method)(X)
    assert not hasattr(tuned(), "classes_")


def test_probabilities_of_a_fitted_estimator_need_no_tuning():
    fitted = clone(LINEAR).fit(X, y)
    given = tuned(fitted, cv="prefit", refit=False)
    np.testing.assert_array_equal(given.predict_proba(X), fitted.predict_proba(X))
    with pytest.raises(NotFittedError):
        given.predict(X)


# Metadata -------------------------------------------------------------------------------------


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def test_metadata_without_routing_is_an_error_with_the_cure():
    with pytest.raises(ValueError, match=r"\[sample_weight\].*enable_metadata_routing=True"):
        tuned().fit(X, y, sample_weight=WEIGHTS)


def weighted_f1(**request):
    return get_scorer("f1").set_score_request(**request)


def test_weights_reach_the_estimator_in_each_fold_and_at_the_end(routing):
    inner = LogisticRegression().set_fit_request(sample_weight=True)
    scoring = weighted_f1(sample_weight=False)
    found = tuned(inner, scoring=scoring, selection="max").fit(X, y, sample_weight=WEIGHTS)
    proba = np.empty(len(y))
    for train, test in CV.split(X, y):
        fold = LogisticRegression().fit(X[train], y[train], WEIGHTS[train])
        proba[test] = fold.predict_proba(X[test])[:, 1]
    expected = best_by_brute_force(lambda said: f1_score(y, said), proba)
    assert found.best_score_ == pytest.approx(expected)
    assert found.best_score_ != pytest.approx(best_of_all_cuts("f1"))
    whole = LogisticRegression().fit(X, y, WEIGHTS)
    np.testing.assert_array_equal(found.estimator_.coef_, whole.coef_)


@pytest.mark.parametrize(
    ("metric", "aggregate"),
    [
        (f1_score, "pooled"),
        (f1_score, "mean"),
        (balanced_accuracy_score, "pooled"),
        (matthews_corrcoef, "pooled"),
        (geometric_mean_score, "pooled"),
    ],
)
def test_weights_reach_the_objective(routing, metric, aggregate):
    inner = LogisticRegression().set_fit_request(sample_weight=False)
    scoring = make_scorer(metric).set_score_request(sample_weight=True)
    params = {"scoring": scoring, "selection": "max", "aggregate": aggregate}
    found = tuned(inner, **params).fit(X, y, sample_weight=WEIGHTS)
    groups = [number == FOLD for number in range(3)] if aggregate == "mean" else [FOLD >= 0]

    def value(said):
        return np.mean([metric(y[own], said[own], sample_weight=WEIGHTS[own]) for own in groups])

    assert found.best_score_ == pytest.approx(best_by_brute_force(value))


def test_zero_weights_equal_rows_left_out_of_scoring(routing):
    inner = LogisticRegression().set_fit_request(sample_weight=False)
    weight = (np.arange(len(y)) % 3 > 0).astype(float)
    found = tuned(inner, scoring=weighted_f1(sample_weight=True)).fit(X, y, sample_weight=weight)
    splits = [(train, test[weight[test] > 0]) for train, test in CV.split(X, y)]
    without = tuned(cv=splits, scoring="f1").fit(X, y)
    for name in ("best_threshold_", "best_score_", "score_interval_", "threshold_interval_"):
        assert getattr(found, name) == getattr(without, name)


def test_objectives_do_not_depend_on_the_scale_of_weights(routing):
    inner = LogisticRegression().set_fit_request(sample_weight=False)
    optimizer = tuned(inner, scoring=weighted_f1(sample_weight=True), selection="max")
    once = optimizer.fit(X, y, sample_weight=WEIGHTS).best_threshold_
    assert optimizer.fit(X, y, sample_weight=1e-6 * WEIGHTS).best_threshold_ == once


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.zeros(len(y)), "zero"),
        (-WEIGHTS, "Negative"),
        (WEIGHTS[:-1], "shape|inconsistent"),
        (np.full(len(y), np.nan), "NaN"),
    ],
    ids=["zero", "negative", "short", "NaN"],
)
def test_weights_that_weigh_nothing_are_refused(routing, weight, message):
    inner = LogisticRegression().set_fit_request(sample_weight=False)
    with pytest.raises(ValueError, match=message):
        tuned(inner, scoring=weighted_f1(sample_weight=True)).fit(X, y, sample_weight=weight)


def test_groups_reach_the_splitter(routing):
    groups = np.arange(len(y)) % 20
    found = tuned(cv=GroupKFold(4), scoring="f1").fit(X, y, groups=groups)
    splits = list(GroupKFold(4).split(X, y, groups))
    expected = tuned(cv=splits, scoring="f1").fit(X, y)
    assert found.best_threshold_ == expected.best_threshold_
    assert found.best_score_ == expected.best_score_
    assert found.fold_thresholds_.shape == (4,)


def test_metadata_of_a_custom_scorer_are_sliced_and_reach_it(routing):
    amount = RNG.exponential(100, len(y))

    def saved(y_true, y_pred, *, amount):
        assert len(amount) == len(y_true)
        return float((amount * y_true * y_pred).sum() - 10 * y_pred.sum())

    scoring = make_scorer(saved).set_score_request(amount=True)
    found = tuned(scoring=scoring, selection="max").fit(X, y, amount=amount)
    expected = best_by_brute_force(lambda said: saved(y, said, amount=amount))
    assert found.best_score_ == pytest.approx(expected)
    by_fold = tuned(scoring=scoring, selection="max", aggregate="mean").fit(X, y, amount=amount)

    def mean_of_folds(said):
        parts = [number == FOLD for number in range(3)]
        return np.mean([saved(y[own], said[own], amount=amount[own]) for own in parts])

    assert by_fold.best_score_ == pytest.approx(best_by_brute_force(mean_of_folds))


@pytest.mark.parametrize("name", ["sample_weight", "typo"])
def test_metadata_that_nobody_wants_are_an_error(routing, name):
    with pytest.raises((TypeError, ValueError), match=name):
        tuned().fit(X, y, **{name: WEIGHTS})


def test_costs_are_given_directly_or_routed_from_outside(routing):
    cost = RNG.exponential(1, (len(y), 2))
    direct = tuned(LogisticRegression(C=0.1)).fit(X, y, cost=cost)
    search = GridSearchCV(
        tuned().set_fit_request(cost=True), {"estimator__C": [0.1]}, scoring="accuracy", cv=3
    ).fit(X, y, cost=cost)
    assert search.best_estimator_.best_threshold_ == direct.best_threshold_
    assert search.best_estimator_.best_score_ == direct.best_score_
    with pytest.raises(ValueError, match=r"cost.*set_fit_request"):
        GridSearchCV(tuned(), {"estimator__C": [0.1]}, cv=3).fit(X, y, cost=cost)


# Costs ----------------------------------------------------------------------------------------


def mean_cost(prices, said):
    return prices[np.arange(len(said)), said].mean()


@pytest.mark.parametrize("aggregate", ["pooled", "mean"])
@pytest.mark.parametrize("pos_label", [None, 0, 1])
@pytest.mark.parametrize(
    "matrix",
    [COST_MATRIX, [[0, 1], [20, 0]], [[-1, 0.5], [3, -6]], [[0.0, 1.0], [0.0, -2.0]]],
    ids=["costs", "rare", "gains", "gains of hits alone"],
)
def test_cost_matrices_reach_the_least_cost_of_all_cuts(matrix, pos_label, aggregate):
    found = tuned(
        cost_matrix=matrix, pos_label=pos_label, aggregate=aggregate, selection="max"
    ).fit(X, y)
    prices = np.array(matrix)[y]
    best = best_by_brute_force(lambda said: -mean_cost(prices, said))
    # All folds have as many rows, so that the mean of means is the mean.
    assert found.best_score_ == pytest.approx(best)
    paid = mean_cost(prices, found.predict(X))
    assert found.scorer_(found, X, y) == pytest.approx(-paid)


@pytest.mark.parametrize("pos_label", [0, 1])
@pytest.mark.parametrize("shape", ["(n,)", "(n, 2)"])
def test_costs_of_rows_reach_the_least_cost_of_all_cuts(shape, pos_label):
    prices = RNG.normal(0.3, 1, (len(y), 2))
    cost = prices
    if shape == "(n,)":
        cost = RNG.exponential(1, len(y))
        prices = np.where(y[:, None] == [0, 1], 0, cost[:, None])
    found = tuned(pos_label=pos_label, selection="max").fit(X, y, cost=cost)
    best = best_by_brute_force(lambda said: -mean_cost(prices, said))
    assert found.best_score_ == pytest.approx(best)
    paid = mean_cost(prices, found.predict(X))
    with sklearn.config_context(enable_metadata_routing=True):
        assert found.scorer_(found, X, y, cost=cost) == pytest.approx(-paid)
    with pytest.raises(ValueError, match=r"single rows were tuned for; the scorer needs cost="):
        found.scorer_(found, X, y)


def test_cost_matrices_and_the_costs_of_rows_that_say_the_same_choose_the_same():
    by_matrix = tuned(cost_matrix=COST_MATRIX).fit(X, y)
    by_row = tuned().fit(X, y, cost=COST_MATRIX[y])
    assert by_row.best_score_ == pytest.approx(by_matrix.best_score_)
    assert by_row.best_threshold_ == pytest.approx(by_matrix.best_threshold_, abs=0.02)
    assert tuned(scoring="cost", cost_matrix=COST_MATRIX).fit(X, y).best_threshold_ == (
        by_matrix.best_threshold_
    )


@pytest.mark.parametrize("pos_label", [0, 1])
def test_bayes_equals_the_closed_form_and_needs_one_fit(pos_label):
    Recording.fits = ()
    found = tuned(
        Recording(), thresholds="bayes", cost_matrix=COST_MATRIX, pos_label=pos_label, cv=5
    ).fit(X, y)
    assert Recording.fits == (len(y),)
    closed = 1 / (1 + 3.5)  # an alarm too many costs 1, a miss 4 - 0.5 more than a hit
    assert found.best_threshold_ == pytest.approx(closed if pos_label else 1 - closed)
    expected = (found.predict_proba(X) @ COST_MATRIX).argmin(axis=1)
    np.testing.assert_array_equal(found.predict(X), expected)
    assert found.best_score_ is None


def test_bayes_leaves_a_fitted_estimator_as_it_is():
    fitted = clone(LINEAR).fit(X, y)
    found = tuned(
        fitted, thresholds="bayes", cost_matrix=COST_MATRIX, cv="prefit", refit=False
    ).fit(X[:20], y[:20])
    assert found.estimator_ is fitted


def test_bayes_of_several_classes_minimises_the_expected_cost():
    matrix = RNG.random((4, 4))
    found = tuned(LogisticRegression(max_iter=500), thresholds="bayes", cost_matrix=matrix)
    found.fit(X4, S4)
    expected = found.classes_[(found.predict_proba(X4) @ matrix).argmin(axis=1)]
    np.testing.assert_array_equal(found.predict(X4), expected)
    assert not hasattr(found, "best_class_weight_")


@pytest.mark.parametrize("costs", ["matrix", "rows"])
def test_costs_of_several_classes_are_no_greater_than_those_of_the_argmax(costs):
    matrix = RNG.random((4, 4)) * [[4], [1], [1], [9]]
    prices = matrix[y4] if costs == "matrix" else RNG.random((len(y4), 4))
    inner = LogisticRegression(max_iter=500)
    if costs == "matrix":
        found = tuned(inner, cost_matrix=matrix).fit(X4, y4)
    else:
        found = tuned(inner).fit(X4, y4, cost=prices)
    proba = cross_val_predict(inner, X4, y4, cv=CV, method="predict_proba")
    said = (proba * found.best_class_weight_).argmax(axis=1)
    assert found.best_score_ == pytest.approx(-mean_cost(prices, said))
    assert found.best_score_ > -mean_cost(prices, proba.argmax(axis=1))


@pytest.mark.parametrize(
    ("params", "cost", "message"),
    [
        ({"cost_matrix": COST_MATRIX}, WEIGHTS, "give one of them"),
        ({"cost_matrix": COST_MATRIX, "scoring": "f1"}, None, "leave scoring out"),
        ({"scoring": "f1"}, WEIGHTS, "leave scoring out"),
        ({"scoring": "cost"}, None, "give cost_matrix, or fit"),
        ({"constraint": "cost <= 1"}, None, "give cost_matrix, or fit"),
        ({"thresholds": "bayes"}, None, "follows from cost_matrix, and there is none"),
        ({"thresholds": "bayes"}, WEIGHTS, "single rows are not known when predicting"),
        ({"thresholds": "bayes", "cost_matrix": [[0, 1], [0, 1]]}, None, "never worse"),
        ({"cost_matrix": np.eye(3)}, None, r"shape \(2, 2\).*found the shape \(3, 3\)"),
        ({"cost_matrix": [[0, np.nan], [1, 0]]}, None, "finite"),
        ({"cost_matrix": [["a", "b"], ["c", "d"]]}, None, "numbers"),
        ({"cost_matrix": [[0, 0], [1, 1]]}, None, "columns are equal.*True classes"),
        ({}, WEIGHTS[:3], r"shape \(150,\).*found \(3,\)"),
        ({}, np.ones((len(y), 3)), r"found \(150, 3\)"),
        ({}, np.full(len(y), np.inf), "finite"),
    ],
)
def test_costs_that_contradict_are_refused_with_the_cure(params, cost, message):
    with pytest.raises(ValueError, match=message):
        tuned(**params).fit(X, y, cost=cost)


def test_bayes_needs_probabilities_and_no_constraint():
    bayes = {"thresholds": "bayes", "cost_matrix": COST_MATRIX}
    with pytest.raises(ValueError, match="found decision_function"):
        tuned(LinearSVC(), **bayes).fit(X, y)
    with pytest.raises(ValueError, match=r"no constraint; found .*precision >= 0.9"):
        tuned(constraint="precision >= 0.9", **bayes).fit(X, y)


# Constraints ----------------------------------------------------------------------------------


def false_positive_rate(said):
    return said[y == 0].mean()


CONSTRAINTS = {
    "precision >= 0.8": lambda said: precision_score(y, said, zero_division=0) >= 0.8,
    "specificity>=.9": lambda said: 1 - false_positive_rate(said) >= 0.9,
    "alarm_rate <= 0.1": lambda said: said.mean() <= 0.1,
    "alarm_rate >= 0.6": lambda said: said.mean() >= 0.6,
    ("false_positive_rate", 0.05): lambda said: false_positive_rate(said) <= 0.05,
    (matthews_corrcoef, 0.3): lambda said: matthews_corrcoef(y, said) >= 0.3,
}


@pytest.mark.parametrize("constraint", CONSTRAINTS, ids=range(len(CONSTRAINTS)))
def test_constraints_hold_and_the_rest_is_the_best_of_all_cuts(constraint):
    decisions = [(threshold <= PROBA).astype(int) for threshold in cuts(PROBA)]
    allowed = [said for said in decisions if CONSTRAINTS[constraint](said)]
    assert 0 < len(allowed) < len(decisions)
    for scoring in ("recall", "f1"):
        params = {"constraint": constraint, "scoring": scoring}
        best = tuned(selection="max", **params).fit(X, y)
        expected = max(METRICS[scoring](y, said) for said in allowed)
        assert best.best_score_ == pytest.approx(expected)
        # The middle of a plateau meets it, too.
        middle = tuned(**params).fit(X, y)
        for found in (best, middle):
            assert CONSTRAINTS[constraint]((found.best_threshold_ <= PROBA).astype(int))
        assert middle.best_score_ <= best.best_score_


@pytest.mark.parametrize(
    ("constraint", "same"),
    [
        (("precision", ">=", 0.8), "precision >= 0.8"),
        (("precision", 0.8), "precision >= 0.8"),
        (("alarm_rate", 0.1), "alarm_rate <= 0.1"),
        (("false_positive_rate", "<=", 0.05), ("false_positive_rate", 0.05)),
    ],
)
def test_all_ways_to_say_a_constraint_mean_the_same(constraint, same):
    found = tuned(scoring="f1", constraint=constraint).fit(X, y)
    expected = tuned(scoring="f1", constraint=same).fit(X, y)
    assert found.best_threshold_ == expected.best_threshold_
    assert found.constraint_value_ == expected.constraint_value_
    assert found.best_threshold_ != tuned(scoring="f1").fit(X, y).best_threshold_


def test_constraint_value_is_what_is_bounded():
    found = tuned(scoring="recall", constraint="precision >= 0.8").fit(X, y)
    said = (found.best_threshold_ <= PROBA).astype(int)
    assert found.constraint_value_ == pytest.approx(precision_score(y, said))
    assert not hasattr(tuned().fit(X, y), "constraint_value_")


def test_costs_may_be_bounded():
    prices = COST_MATRIX[y]
    least = -best_by_brute_force(lambda said: -mean_cost(prices, said))
    bound = round(1.1 * least, 3)
    found = tuned(
        scoring="recall", cost_matrix=COST_MATRIX, constraint=("cost", bound), selection="max"
    ).fit(X, y)
    expected = best_by_brute_force(
        lambda said: recall_score(y, said), allowed=lambda said: mean_cost(prices, said) <= bound
    )
    assert expected < 1
    assert found.best_score_ == pytest.approx(expected)
    said = (found.best_threshold_ <= PROBA).astype(int)
    assert found.constraint_value_ == pytest.approx(mean_cost(prices, said))


def test_a_constraint_that_cannot_hold_is_an_error_or_missed_least():
    most = best_of_all_cuts("matthews_corrcoef")
    assert most < 1
    params = {"scoring": "recall", "constraint": "matthews_corrcoef >= 1", "selection": "max"}
    with pytest.raises(ValueError, match=rf"closest reaches {most:.6g}.*infeasible='closest'"):
        tuned(**params).fit(X, y)
    found = tuned(infeasible="closest", **params).fit(X, y)
    assert found.constraint_value_ == pytest.approx(most)
    expected = best_by_brute_force(
        lambda said: recall_score(y, said),
        allowed=lambda said: matthews_corrcoef(y, said) > most - 1e-12,
    )
    assert found.best_score_ == pytest.approx(expected)


@pytest.mark.parametrize(
    "constraint",
    [
        "precision > 0.9",
        "precision",
        "",
        "0.9 <= precision",
        "precision >= 90%",
        "precision >= nan",
        ("precision",),
        ("precision", "at least", 0.9),
        ("precision", True),
        ("precision", 0.8, 0.9),
    ],
)
def test_constraints_that_cannot_be_read_are_refused_with_examples(constraint):
    with pytest.raises(ValueError, match=r"must read like 'precision >= 0.9'.*found"):
        tuned(constraint=constraint).fit(X, y)


@pytest.mark.parametrize(
    ("constraint", "message"),
    [
        ("prescision >= 0.9", "did you mean 'precision'"),
        ("roc_auc >= 0.9", "judges scores"),
        ((lambda a, b: 0.5, 0.4), "not known as a function of the confusion matrix"),
    ],
)
def test_constraints_on_what_no_decision_changes_are_refused(constraint, message):
    with pytest.raises(ValueError, match=message):
        tuned(constraint=constraint).fit(X, y)


# Several classes ------------------------------------------------------------------------------

MACRO_F1 = make_scorer(f1_score, average="macro")
MULTICLASS_METRICS = {
    "balanced_accuracy": balanced_accuracy_score,
    "f1_macro": lambda true, said: f1_score(true, said, average="macro"),
    "f1_weighted": lambda true, said: f1_score(true, said, average="weighted"),
    "accuracy": accuracy_score,
    "matthews_corrcoef": matthews_corrcoef,
    "geometric_mean": geometric_mean_score,
    "jaccard_macro": lambda true, said: jaccard_score(true, said, average="macro"),
}


@pytest.fixture(scope="module")
def proba4():
    inner = LogisticRegression(max_iter=500)
    return cross_val_predict(inner, X4, S4, cv=CV, method="predict_proba")


@pytest.mark.parametrize("name", MULTICLASS_METRICS)
def test_class_weights_make_the_predictions_and_the_score(proba4, name):
    metric = MULTICLASS_METRICS[name]
    found = tuned(LogisticRegression(max_iter=500), scoring=name).fit(X4, S4)
    weights = found.best_class_weight_
    assert weights.mean() == pytest.approx(1)
    assert (weights > 0).all()
    weighed = found.predict_proba(X4) * weights
    np.testing.assert_array_equal(found.predict(X4), found.classes_[weighed.argmax(axis=1)])
    said = found.classes_[(proba4 * weights).argmax(axis=1)]
    assert found.best_score_ == pytest.approx(metric(S4, said))
    assert found.best_score_ >= metric(S4, found.classes_[proba4.argmax(axis=1)]) - 1e-12
    low, high = found.score_interval_
    assert low < found.best_score_ < high


def test_three_classes_come_close_to_the_best_of_a_fine_grid():
    rows = y4 < 3
    proba = np.random.default_rng(1).dirichlet([1, 1, 1], rows.sum())
    proba = (proba + 0.5 * np.eye(3)[y4[rows]]) / 1.5
    found = told(proba, y4[rows], scoring="f1_macro")
    offsets = np.linspace(-2, 2, 21)
    grid = max(
        f1_score(y4[rows], (proba * np.exp([0, a, b])).argmax(axis=1), average="macro")
        for a in offsets
        for b in offsets
    )
    assert found.best_score_ >= grid - 0.01


def test_tuning_gains_where_the_argmax_misses_rare_classes(proba4):
    found = tuned(LogisticRegression(max_iter=500)).fit(X4, S4)
    plain = balanced_accuracy_score(S4, found.classes_[proba4.argmax(axis=1)])
    assert found.best_score_ > plain + 0.02


def test_decision_values_are_offset():
    found = tuned(LinearSVC(), scoring="f1_macro").fit(X4, S4)
    shifted = found.decision_function(X4) + found.best_class_offset_
    np.testing.assert_array_equal(found.predict(X4), found.classes_[shifted.argmax(axis=1)])
    scores = cross_val_predict(LinearSVC(), X4, S4, cv=CV, method="decision_function")
    said = found.classes_[(scores + found.best_class_offset_).argmax(axis=1)]
    assert found.best_score_ == pytest.approx(f1_score(S4, said, average="macro"))
    assert not hasattr(found, "best_class_weight_")
    with pytest.raises(ValueError, match="decision_function_shape='ovr'"):
        tuned(SVC(decision_function_shape="ovo")).fit(X4, S4)


@pytest.mark.parametrize("aggregate", ["pooled", "mean"])
@pytest.mark.parametrize("inner", [LogisticRegression(max_iter=500), LinearSVC()])
def test_a_class_may_be_missing_where_a_fold_learns(inner, aggregate):
    """Scikit-learn's own cross_val_predict fills in as well."""
    known, rest = np.flatnonzero(y4 != 3), np.flatnonzero(y4 == 3)
    with_rest = np.append(known[1::2], rest)
    splits = [(known[::2], with_rest), (with_rest, known[::2])]
    found = tuned(inner, cv=splits, scoring="f1_macro", aggregate=aggregate).fit(X4, S4)
    assert set(found.predict(X4)) <= set(NAMES4)
    assert np.isfinite(found.best_score_)
    once = tuned(inner, cv=splits[:1], scoring="f1_macro", refit=False).fit(X4, S4)
    assert set(once.predict(X4)) <= set(NAMES4[:3])


def test_constraints_of_several_classes_hold(proba4):
    found = tuned(LogisticRegression(max_iter=500), constraint="accuracy >= 0.65").fit(X4, S4)
    said = found.classes_[(proba4 * found.best_class_weight_).argmax(axis=1)]
    assert found.constraint_value_ == pytest.approx(accuracy_score(S4, said))
    assert found.constraint_value_ >= 0.65
    free = tuned(LogisticRegression(max_iter=500)).fit(X4, S4)
    assert free.best_score_ >= found.best_score_
    with pytest.raises(ValueError, match=r"No decision rule was found.*accuracy >= 0.999"):
        tuned(LogisticRegression(max_iter=500), constraint="accuracy >= 0.999").fit(X4, S4)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"scoring": "f1"}, r"about one positive class, and y has 4 classes.*'f1_macro'"),
        ({"constraint": "precision >= 0.5"}, "about one positive class"),
        ({"constraint": "alarm_rate <= 0.5"}, "about one positive class"),
        ({"scoring": "f1_samples"}, "averages over labels"),
        ({"scoring": "neg_mean_squared_error"}, "confusion matrix"),
        ({"scoring": lambda a, b: 0.5}, "confusion matrix.*'f1_macro'"),
        ({"thresholds": 10}, "two classes only.*thresholds='exact'"),
        ({"thresholds": GRID}, "two classes only"),
    ],
)
def test_what_needs_two_classes_is_refused_for_four(params, message):
    with pytest.raises(ValueError, match=message):
        tuned(LogisticRegression(max_iter=500), **params).fit(X4, y4)


# Several labels -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def label_proba():
    folds = label_folds(YL.astype(np.int8), 3)
    inner = KNeighborsClassifier(15)
    proba = np.empty(YL.shape)
    for number in range(3):
        fold = clone(inner).fit(XL[folds != number], YL[folds != number])
        columns = fold.predict_proba(XL[folds == number])
        proba[folds == number] = np.stack([column[:, 1] for column in columns], axis=1)
    return proba


LABEL_METRICS = {
    "f1_macro": lambda true, said: f1_score(true, said, average="macro"),
    "f1_micro": lambda true, said: f1_score(true, said, average="micro"),
    "f1_samples": lambda true, said: f1_score(true, said, average="samples", zero_division=0),
    "f1_weighted": lambda true, said: f1_score(true, said, average="weighted"),
    "accuracy": accuracy_score,
    "balanced_accuracy": lambda true, said: np.mean(
        [balanced_accuracy_score(a, b) for a, b in zip(true.T, said.T, strict=True)]
    ),
}


@pytest.mark.parametrize("name", LABEL_METRICS)
def test_thresholds_of_labels_make_the_predictions_and_the_score(label_proba, name):
    metric = LABEL_METRICS[name]
    found = tuned(KNeighborsClassifier(15), scoring=name, selection="max").fit(XL, YL)
    assert found.best_threshold_.shape == (3,)
    said = (label_proba >= found.best_threshold_).astype(int)
    assert found.best_score_ == pytest.approx(metric(YL, said))
    assert found.best_score_ >= metric(YL, (label_proba >= 0.5).astype(int))
    own = np.stack([column[:, 1] for column in found.predict_proba(XL)], axis=1)
    np.testing.assert_array_equal(found.predict(XL), own >= found.best_threshold_)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        score = found.scorer_(found, XL, YL)
    assert score == pytest.approx(metric(YL, found.predict(XL)))


@pytest.mark.parametrize("name", ["f1_micro", "f1_samples", "accuracy", "jaccard_samples"])
def test_labels_that_are_tied_come_close_to_the_best_of_all_thresholds(label_proba, name):
    metric = {
        **LABEL_METRICS,
        "jaccard_samples": lambda true, said: jaccard_score(
            true, said, average="samples", zero_division=0
        ),
    }[name]
    found = tuned(KNeighborsClassifier(15), scoring=name, selection="max").fit(XL, YL)
    levels = [np.unique(column)[::2] for column in label_proba.T]
    grid = [(a, b, c) for a in levels[0] for b in levels[1] for c in levels[2]]
    best = max(metric(YL, (label_proba >= each).astype(int)) for each in grid[::3])
    assert found.best_score_ >= best - 0.01


def test_labels_that_part_are_tuned_like_single_targets(label_proba):
    found = tuned(KNeighborsClassifier(15), scoring="f1_macro", selection="max").fit(XL, YL)
    for label in range(3):
        alone = told(label_proba[:, label], YL[:, label], scoring="f1", selection="max")
        said = label_proba[:, label] >= found.best_threshold_[label]
        assert f1_score(YL[:, label], said) == pytest.approx(alone.best_score_)
    assert found.fold_thresholds_.shape == (3, 3)
    assert found.threshold_interval_.shape == (3, 2)
    assert found.threshold_std_.shape == (3,)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize(
    "inner",
    [
        RandomForestClassifier(10, random_state=0),
        DecisionTreeClassifier(max_depth=3, random_state=0),
        MLPClassifier(max_iter=20, random_state=0),
        OneVsRestClassifier(LinearSVC()),
        OneVsRestClassifier(LogisticRegression()),
    ],
    ids=["a list of arrays", "a tree", "one array", "decision values", "one against the rest"],
)
def test_all_forms_of_label_scores_are_read(inner):
    found = tuned(inner).fit(XL, YL)
    method = "predict_proba" if hasattr(found, "predict_proba") else "decision_function"
    scores = getattr(found, method)(XL)
    if isinstance(scores, list):
        scores = np.stack([each[:, 1] for each in scores], axis=1)
    np.testing.assert_array_equal(found.predict(XL), scores >= found.best_threshold_)


def test_sparse_indicators_and_frames_are_labels_too():
    inner = OneVsRestClassifier(LINEAR)
    expected = tuned(inner).fit(XL, YL)
    for labels in (sparse.csr_matrix(YL), pd.DataFrame(YL), YL.tolist(), YL.astype(bool)):
        found = tuned(inner).fit(XL, labels)
        np.testing.assert_array_equal(found.best_threshold_, expected.best_threshold_)
        np.testing.assert_array_equal(found.predict(XL), expected.predict(XL))


@pytest.mark.parametrize("cv", [None, 3])
def test_folds_of_labels_are_stratified(cv):
    folds = label_folds(YL.astype(np.int8), cv or 5)
    splits = [(folds != number, folds == number) for number in range(cv or 5)]
    by_number = tuned(KNeighborsClassifier(15), cv=cv).fit(XL, YL)
    by_split = tuned(KNeighborsClassifier(15), cv=splits).fit(XL, YL)
    np.testing.assert_array_equal(by_number.best_threshold_, by_split.best_threshold_)
    assert by_number.best_score_ == by_split.best_score_


def test_a_share_of_labels_is_held_out():
    Recording.fits = ()
    found = tuned(OneVsRestClassifier(Recording()), cv=0.25, refit=False).fit(XL, YL)
    assert set(Recording.fits) == {120}
    assert found.fold_thresholds_.shape == (1, 3)


def test_each_label_meets_the_constraint(label_proba):
    found = tuned(
        KNeighborsClassifier(15), scoring="recall_macro", constraint="precision >= 0.7"
    ).fit(XL, YL)
    said = (label_proba >= found.best_threshold_).astype(int)
    precision = precision_score(YL, said, average=None)
    np.testing.assert_allclose(found.constraint_value_, precision)
    assert (precision >= 0.7).all()
    with pytest.raises(ValueError, match="Label 0: No decision rule was found"):
        tuned(KNeighborsClassifier(15), constraint="matthews_corrcoef >= 1").fit(XL, YL)


def test_bounds_and_thresholds_in_percent_are_refused():
    with pytest.raises(ValueError, match="90 percent"):
        tuned(constraint="precision >= 90").fit(X, y)
    with pytest.raises(ValueError, match="from 0 to 1; found 10 to 50"):
        tuned(thresholds=[10, 30, 50]).fit(X, y)


def test_a_cost_matrix_the_wrong_way_round_is_refused():
    for matrix in ([[1, 0], [0, 50]], [[0, 1], [0, 5]]):
        with pytest.raises(ValueError, match="never worse"):
            tuned(cost_matrix=matrix).fit(X, y)


def test_bayes_rule_on_weighted_probabilities_is_warned_of():
    params = {"cost_matrix": [[0, 1], [20, 0]], "thresholds": "bayes"}
    rare, labels = make_classification(600, weights=[0.95], random_state=0)
    with pytest.warns(UserWarning, match="after class weights or resampling"):
        ThresholdOptimizerCV(LogisticRegression(class_weight="balanced"), **params).fit(
            rare, labels
        )
    ThresholdOptimizerCV(LogisticRegression(), **params).fit(rare, labels)


def test_the_class_that_the_threshold_is_about_is_told():
    labels = np.where(y == 1, "fraud", "ok")
    assert tuned(scoring="f1", pos_label="fraud").fit(X, labels).pos_label_ == "fraud"
    assert tuned().fit(X, labels).pos_label_ == "ok"


def test_a_class_in_place_of_an_instance_is_named():
    with pytest.raises(TypeError, match=r"write LogisticRegression\(\)"):
        ThresholdOptimizerCV(LogisticRegression).fit(X, y)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"scoring": "f1"}, "multilabel indicator; say how to average.*'f1_macro'"),
        ({"scoring": "f1_micro", "constraint": "precision >= 0.5"}, "choose a macro average"),
        ({"cost_matrix": COST_MATRIX}, "Tune one label at a time"),
        ({"thresholds": 10}, "two classes only"),
        ({"scoring": lambda a, b: 0.5}, "confusion matrix"),
    ],
)
def test_what_labels_cannot_be_tuned_for_is_refused(params, message):
    with pytest.raises(ValueError, match=message):
        tuned(KNeighborsClassifier(), **params).fit(XL, YL)


# What may go wrong ----------------------------------------------------------------------------


def test_constant_scores_are_refused():
    with pytest.raises(ValueError, match="constant predictions"):
        told(np.full(len(y), 0.3), y)


@pytest.mark.parametrize("labels", [np.zeros_like(y), np.array(["yes"] * len(y))])
def test_one_class_is_refused(labels):
    with pytest.raises(ValueError, match=r"one class.*nothing to decide between"):
        tuned().fit(X, labels)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (X[:, 0], "Unknown label type: continuous"),
        (np.column_stack([y, y + 1]), "Unknown label type: multiclass-multioutput"),
        (np.where(y, np.nan, 0.0), "NaN"),
        (np.where(y, np.inf, 0.0), "infinity"),
        (y[:-1], "inconsistent numbers of samples"),
    ],
    ids=["continuous", "outputs", "NaN", "infinity", "short"],
)
def test_targets_that_are_no_classes_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        tuned().fit(X, labels)


def test_infinite_scores_are_scores_like_others():
    scores = np.log(PROBA / (1 - PROBA))
    order = scores.argsort()
    scores[order[:5]], scores[order[-5:]] = -np.inf, np.inf
    rows = scores[:, None]

    class Deciding(Told):
        predict_proba = property()

        def decision_function(self, X):
            return X[:, 0]

    found = tuned(Deciding().fit(rows, y), cv="prefit", refit=False, selection="max")
    found.fit(rows, y)
    expected = best_by_brute_force(lambda said: balanced_accuracy_score(y, said), scores)
    assert found.best_score_ == pytest.approx(expected)
    assert balanced_accuracy_score(y, found.predict(rows)) == pytest.approx(expected)


def test_scores_in_single_precision_are_cut_where_they_were():
    # Neighbouring floats: no threshold lies between them, and none may move in double precision.
    low = np.float32(0.3)
    scores = np.where(y == 1, np.nextafter(low, np.float32(1)), low)
    assert scores.dtype == np.float32
    found = told(scores, y)
    assert found.best_score_ == 1
    np.testing.assert_array_equal(found.predict(scores[:, None]), y)


def test_scores_that_are_not_numbers_are_refused():
    with pytest.raises(ValueError, match="predict_proba gave NaN; no decision"):
        told(np.where(PROBA == PROBA.max(), np.nan, PROBA), y)


@pytest.fixture(scope="module")
def without_positives():
    """Splits of which the first has no positive to score."""
    negatives = np.flatnonzero(y == 0)[:40]
    rest = np.setdiff1d(np.arange(len(y)), negatives)
    return [(rest, negatives), (np.append(negatives, rest[::2]), rest[1::2])]


@pytest.mark.parametrize("scoring", ["f1", "balanced_accuracy", "recall"])
def test_folds_without_positives_are_counted_together_but_not_averaged(without_positives, scoring):
    found = tuned(cv=without_positives, scoring=scoring).fit(X, y)
    assert np.isnan(found.fold_thresholds_[0])
    assert np.isfinite(found.fold_thresholds_[1])
    with pytest.raises(ValueError, match=r"no row of class 1 in fold 1.*aggregate='pooled'"):
        tuned(cv=without_positives, scoring=scoring, aggregate="mean").fit(X, y)
    # The share of rows that are right needs no positives.
    tuned(cv=without_positives, scoring="accuracy", aggregate="mean").fit(X, y)


def test_each_row_may_be_a_fold():
    rows = np.r_[np.flatnonzero(y == 1)[:15], np.flatnonzero(y == 0)[:25]]
    found = tuned(cv=LeaveOneOut(), selection="max").fit(X[rows], y[rows])
    proba = cross_val_predict(LINEAR, X[rows], y[rows], cv=LeaveOneOut(), method="predict_proba")[
        :, 1
    ]
    expected = best_by_brute_force(lambda said: balanced_accuracy_score(y[rows], said), proba)
    assert found.best_score_ == pytest.approx(expected)
    assert np.isnan(found.fold_thresholds_).all()
    assert np.isnan(found.threshold_std_)


def test_training_rows_of_a_single_class_are_refused_before_anything_is_fitted():
    order = np.argsort(y, kind="stable")
    splits = [(order[60:], order[:60]), (order[:60], order[60:])]
    Recording.fits = ()
    with pytest.raises(ValueError, match=r"training rows of fold 2 hold a single class, \[0\]"):
        tuned(Recording(), cv=splits).fit(X, y)
    assert Recording.fits == ()


def test_few_positives_are_warned_of_by_number():
    few = np.r_[np.flatnonzero(y == 0), np.flatnonzero(y == 1)[:7]]
    with pytest.warns(UserWarning, match="Only 7 rows of class 1 carry"):
        tuned().fit(X[few], y[few])
    with pytest.warns(UserWarning, match="Only 7 rows of class 'yes' carry") as caught:
        tuned().fit(X[few], np.array(["no", "yes"])[y[few]])
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="Only 7 rows of class 0 carry"):
        tuned(pos_label=0).fit(X[few], 1 - y[few])


@pytest.mark.parametrize(
    "failure",
    [
        {"scoring": "roc_auc"},
        {"cv": "nonsense"},
        {"constraint": "precision >= 2"},
        {"estimator__C": -1.0},
        {"thresholds": "bayes"},
    ],
    ids=str,
)
def test_a_failed_fit_leaves_the_earlier_one_usable(failure):
    optimizer = ThresholdOptimizerCV(
        LogisticRegression(), scoring="f1", store_cv_results=True, random_state=0
    ).fit(X, y)
    before, predicted = learned(optimizer), optimizer.predict(X)
    with pytest.raises(ValueError):
        optimizer.set_params(**failure).fit(X[::2], y[::2])
    after = learned(optimizer)
    assert before.keys() == after.keys()
    assert all(after[name] is before[name] for name in before)
    np.testing.assert_array_equal(optimizer.predict(X), predicted)


def test_fit_changes_nothing_that_it_was_given():
    frame, labels = pd.DataFrame(X), pd.Series(y)
    cost = RNG.random((len(y), 2))
    matrix, thresholds = COST_MATRIX.copy(), GRID[::-1].copy()
    inner = LogisticRegression()
    given = {"cost_matrix": matrix, "thresholds": thresholds, "cv": [*CV.split(X, y)]}
    optimizer = ThresholdOptimizerCV(inner, **given)
    optimizer.fit(frame, labels)
    ThresholdOptimizerCV(inner, thresholds=thresholds, pos_label=0).fit(frame, labels, cost=cost)
    pd.testing.assert_frame_equal(frame, pd.DataFrame(X))
    pd.testing.assert_series_equal(labels, pd.Series(y))
    np.testing.assert_array_equal(matrix, COST_MATRIX)
    np.testing.assert_array_equal(thresholds, GRID[::-1])
    assert cost.min() >= 0
    assert not hasattr(inner, "coef_")
    assert all(optimizer.get_params(deep=False)[name] is value for name, value in given.items())


def test_fit_leaves_the_global_random_state_alone():
    state = np.random.get_state()
    for target in ((X, y), (X4, y4), (XL, YL)):
        tuned(KNeighborsClassifier(15), random_state=0, cv=0.4).fit(*target)
    after = np.random.get_state()
    np.testing.assert_array_equal(after[1], state[1])
    assert after[2:] == state[2:]


@pytest.mark.parametrize("target", [(X, y), (X4, y4), (XL, YL)], ids=["two", "four", "labels"])
def test_equal_random_states_give_equal_results(target):
    inner = KNeighborsClassifier(15)
    one, other = (learned(tuned(inner, cv=0.4, random_state=3).fit(*target)) for _ in range(2))
    for name in one.keys() - {"estimator_", "scorer_"}:
        np.testing.assert_array_equal(one[name], other[name])
    third = tuned(inner, cv=0.4, random_state=4).fit(*target)
    assert third.best_score_ != one["best_score_"]


def test_two_processes_give_the_same_as_one():
    one, two = (learned(tuned(n_jobs=n_jobs).fit(X, y)) for n_jobs in (1, 2))
    assert one.keys() == two.keys()
    for name in one.keys() - {"estimator_", "scorer_"}:
        np.testing.assert_array_equal(one[name], two[name])


def test_another_target_leaves_nothing_of_the_last():
    optimizer = tuned(KNeighborsClassifier(15), store_cv_results=True)
    fresh = clone(optimizer)
    two = learned(optimizer.fit(X, y)).keys()
    four = learned(optimizer.fit(X4, y4)).keys()
    assert {"best_threshold_", "best_class_weight_"} & two == {"best_threshold_"}
    assert {"best_threshold_", "best_class_weight_"} & four == {"best_class_weight_"}
    assert four == learned(fresh.fit(X4, y4)).keys()
    assert optimizer.fit(XL, YL).best_threshold_.shape == (3,)
    assert not hasattr(optimizer, "best_class_weight_")
    assert learned(optimizer.fit(X, y)).keys() == two
    assert not hasattr(optimizer.set_params(store_cv_results=False).fit(X, y), "cv_results_")


def test_lines_are_printed_on_request_only(capsys):
    tuned(cv=3).fit(X, y)
    assert capsys.readouterr() == ("", "")
    tuned(cv=3, verbose=1).fit(X, y)
    *lines, last = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert re.fullmatch(
        r"\[ThresholdOptimizerCV\] threshold 0\.\d+, balanced_accuracy 0\.\d+ in cross-validation",
        last,
    )
    assert lines[1].startswith("[ThresholdOptimizerCV] fold 2/3: fitted 100 rows, scored 50")


@pytest.mark.parametrize(
    ("data", "params"),
    [
        ((X4, y4), {"scoring": "f1_macro"}),
        ((XL, YL), {"scoring": "f1_macro"}),
        ((X, y), {"thresholds": "bayes", "cost_matrix": [[0, 1], [2, 0]]}),
    ],
)
def test_every_rule_has_a_last_line(capsys, data, params):
    model = OneVsRestClassifier(LINEAR) if np.ndim(data[1]) > 1 else LINEAR
    tuned(model, cv=2, verbose=1, **params).fit(*data)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("[ThresholdOptimizerCV] ")
    assert "threshold" in last or "weights of the classes" in last


NAMES = np.where(y == 1, "fraud", "ok")
NAMED_COSTS = {("fraud", "ok"): 20, ("ok", "fraud"): 1}


def test_costs_may_name_the_classes():
    by_name = tuned(cost_matrix=NAMED_COSTS, pos_label="fraud").fit(X, NAMES)
    by_number = tuned(cost_matrix=[[0, 1], [20, 0]]).fit(X, y)
    assert by_name.best_threshold_ == pytest.approx(by_number.best_threshold_)
    np.testing.assert_array_equal(by_name.predict(X) == "fraud", by_number.predict(X) == 1)
    assert clone(by_name).cost_matrix == NAMED_COSTS


def test_costs_in_the_wrong_order_are_noticed():
    """Of 'fraud' and 'ok' the first is the rare one, and a matrix for 0 and 1 is upside down."""
    with pytest.warns(UserWarning, match=r"in the order of the classes.*cheaper to miss 'fraud'"):
        tuned(cost_matrix=[[0, 1], [2, 0]], pos_label="fraud").fit(X, NAMES)
    meant = {("fraud", "ok"): 1, ("ok", "fraud"): 2}
    framed = pd.DataFrame([[0, 2], [1, 0]], index=["ok", "fraud"], columns=["ok", "fraud"])
    found = [
        tuned(cost_matrix=costs, pos_label="fraud").fit(X, NAMES).best_threshold_
        for costs in (meant, framed)
    ]
    assert found[0] == found[1]
    tuned(cost_matrix=[[0, 2], [1, 0]], pos_label="fraud").fit(X, NAMES)
    tuned(cost_matrix=[[0, 2], [1, 0]]).fit(X, y)


def test_rules_that_hardly_find_the_rarer_class_are_noticed():
    swapped = {("ok", "fraud"): 500, ("fraud", "ok"): 1}
    with pytest.warns(UserWarning, match=r"finds \d of \d+ rows of 'fraud', the rarer class"):
        tuned(cost_matrix=swapped, pos_label="fraud").fit(X, NAMES)
    with pytest.warns(UserWarning, match=r"finds \d of \d+ rows of 1, the rarer class"):
        tuned(cost_matrix=[[0, 500], [1, 0]]).fit(X, y)


def test_rules_are_not_called_cheap_where_costs_are_a_bound_or_the_rarer_class_is_missing():
    """Warnings are errors: there is none here but that of few rows."""
    dear_alarms = [[0, 500], [1, 0]]
    tuned(scoring="precision", constraint="cost <= 5", cost_matrix=dear_alarms).fit(X, y)
    prefit = tuned(clone(LINEAR).fit(X, y), cv="prefit", refit=False, cost_matrix=dear_alarms)
    with pytest.warns(UserWarning) as caught:
        prefit.fit(X[y == 0], y[y == 0])
    assert [str(each.message)[:16] for each in caught] == ["Only 0 rows of c"]


@pytest.mark.parametrize("aggregate", ["pooled", "mean"])
@pytest.mark.parametrize("params", [{}, {"thresholds": 20}, {"thresholds": GRID}], ids=str)
def test_the_curve_is_a_table(params, aggregate):
    found = tuned(
        scoring="f1",
        selection="max",
        aggregate=aggregate,
        constraint="recall >= 0.3",
        store_cv_results=True,
        **params,
    ).fit(X, y)
    table = pd.DataFrame(found.cv_results_)
    assert (np.diff(table["thresholds"].to_numpy()[:-1]) > 0).all()
    assert table["thresholds"].is_monotonic_increasing
    assert table["alarm_rate"].is_monotonic_decreasing
    allowed = table[table["constraint"] >= 0.3 - 1e-12]
    assert allowed["scores"].max() == pytest.approx(found.best_score_)
    chosen = table[table["thresholds"] == found.best_threshold_]
    assert chosen["scores"].item() == found.best_score_
    splits = table.filter(regex=r"^split\d+_scores$").to_numpy()
    assert splits.shape == (len(table), 3)
    np.testing.assert_allclose(table["std_scores"], splits.std(axis=1), atol=1e-12)
    if aggregate == "mean":
        np.testing.assert_allclose(table["scores"], splits.mean(axis=1))
    for row in table.iloc[:: max(1, len(table) // 15)].itertuples():
        said = (row.thresholds <= PROBA).astype(int)
        assert row.true_positives == (said & y).sum()
        assert row.false_positives == (said & (1 - y)).sum()
        assert row.false_negatives == ((1 - said) & y).sum()
        assert row.true_negatives == ((1 - said) & (1 - y)).sum()
        assert row.alarm_rate == pytest.approx(said.mean())


def test_the_curve_of_a_called_scorer_is_a_table():
    grid = {"thresholds": GRID, "store_cv_results": True, "selection": "max"}
    called = tuned(scoring=lambda true, said: f1_score(true, said, zero_division=0), **grid)
    known = tuned(scoring="f1", **grid).fit(X, y)
    table, expected = called.fit(X, y).cv_results_, known.cv_results_
    assert table.keys() == expected.keys()
    for name in table:
        np.testing.assert_allclose(table[name], expected[name])
    assert called.best_threshold_ == known.best_threshold_


def test_the_curve_on_other_rows_scores_what_would_be_decided_there():
    found = tuned(scoring="f1").fit(X[::2], y[::2])
    curve = found.threshold_curve(X[1::2], y[1::2])
    proba = found.predict_proba(X[1::2])[:, 1]
    expected = [f1_score(y[1::2], proba >= threshold) for threshold in curve["thresholds"]]
    np.testing.assert_allclose(curve["scores"], expected)
    with pytest.raises(ValueError, match="two classes"):
        tuned(KNeighborsClassifier()).fit(XL, YL).threshold_curve(XL, YL)


# Networks -------------------------------------------------------------------------------------


def logistic(meta):
    return keras.Sequential([keras.Input((meta["n_features_in_"],)), output_layer(meta)])


@pytest.fixture(scope="module")
def network():
    inner = BalancedKerasClassifier(
        logistic, optimizer="sgd", epochs=3, early_stopping=False, random_state=0, batch_size=-1
    )
    pipeline = make_pipeline(StandardScaler(), inner)
    return tuned(pipeline, scoring="f1", cv=0.4).fit(X, y)


def test_a_network_in_a_pipeline_is_tuned(network):
    proba = network.predict_proba(X)[:, 1]
    np.testing.assert_array_equal(network.predict(X), proba >= network.best_threshold_)
    low, high = network.score_interval_
    assert low <= network.best_score_ <= high
    travelled = pickle.loads(pickle.dumps(network))
    np.testing.assert_array_equal(travelled.predict(X), network.predict(X))


def test_tuning_other_classifiers_loads_no_network_library():
    code = """
import sys
import numpy as np
from sklearn.linear_model import LogisticRegression
from sk_imbalance_nn import ThresholdOptimizerCV
X = np.random.default_rng(0).normal(size=(100, 2))
y = (X[:, 0] > 0.5).astype(int)
tuned = ThresholdOptimizerCV(LogisticRegression(), scoring="f1").fit(X, y)
tuned.predict(X)
print(*{name.split(".")[0] for name in sys.modules})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "sklearn" in loaded
    assert not loaded & {"tensorflow", "keras", "scikeras", "matplotlib"}
