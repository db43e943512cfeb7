"""cv="oof": one fit, and the rule that the same scores give by the long way."""

import re

import numpy as np
import pytest
import sklearn
from imblearn.ensemble import BalancedRandomForestClassifier
from imblearn.pipeline import make_pipeline as make_sampling_pipeline
from imblearn.under_sampling import RandomUnderSampler
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.ensemble import BaggingClassifier, ExtraTreesClassifier, RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, f1_score, make_scorer, roc_auc_score
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold, cross_val_predict
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from sk_imbalance_nn import ThresholdOptimizerCV
from sk_imbalance_nn.decisions.offered_scores import offered_scores
from sk_imbalance_nn.decisions.responses import Response

X, Y = make_classification(
    150, 5, n_informative=3, weights=[0.75], class_sep=1.0, flip_y=0.1, random_state=0
)
X3, Y3 = make_classification(
    200, 5, n_informative=4, n_redundant=0, n_classes=3, weights=[0.5, 0.3], random_state=0
)
XL, YL = make_multilabel_classification(150, 6, n_classes=3, random_state=1)
XL = StandardScaler().fit_transform(XL)
LINEAR = LogisticRegression()
BY_LABEL = OneVsRestClassifier(LINEAR)
DATA = {
    "binary": (LINEAR, X, Y, StratifiedKFold(3, shuffle=True, random_state=0)),
    "multiclass": (LINEAR, X3, np.array(["b", "c", "a"])[Y3], StratifiedKFold(3)),
    "multilabel": (BY_LABEL, XL, YL, KFold(3, shuffle=True, random_state=0)),
}
FOREST = RandomForestClassifier(35, oob_score=True, max_depth=4, random_state=0)
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Threads for matrices of a few rows wait for each other."""
    with threadpool_limits(1):
        yield


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


class Offering(ClassifierMixin, BaseEstimator):
    """A classifier that scores its own rows in folds as it is fitted."""

    fits = 0

    def __init__(self, inner, splits, names_folds=True):
        self.inner = inner
        self.splits = splits
        self.names_folds = names_folds

    def fit(self, X, y, sample_weight=None):
        Offering.fits += 1
        self.weights_ = sample_weight
        self.model_ = clone(self.inner).fit(X, y)
        self.classes_, self.n_features_in_ = self.model_.classes_, X.shape[1]
        for name, method in (("proba", "predict_proba"), ("decision_function",) * 2):
            said = cross_val_predict(self.inner, X, y, cv=self.splits, method=method)
            setattr(self, f"oof_{name}_", said)
        if self.names_folds:
            self.oof_folds_ = np.full(len(X), -1)
            for number, (_, test) in enumerate(self.splits):
                self.oof_folds_[test] = 10 * number  # names, not positions
        return self

    def predict_proba(self, X):
        return self.model_.predict_proba(X)

    def decision_function(self, X):
        return self.model_.decision_function(X)

    def predict(self, X):
        return self.model_.predict(X)


class Given(ClassifierMixin, BaseEstimator):
    """A classifier whose scores of its own rows are given, whatever they are."""

    def __init__(self, **given):
        self.given = given

    def get_params(self, deep=True):
        return dict(self.given)

    def fit(self, X, y):
        self.classes_ = np.unique(y) if np.ndim(y) == 1 else np.arange(y.shape[1])
        vars(self).update(self.given)
        return self

    def predict_proba(self, X):
        X = np.asarray(X, dtype=float)
        return np.column_stack([1 - X, X]) if X.shape[1] == 1 else X


def offering(kind, **params):
    inner, rows, labels, folds = DATA[kind]
    return Offering(inner, list(folds.split(rows, labels)), **params), rows, labels


def tuned(estimator, /, **params):
    return ThresholdOptimizerCV(estimator, **{"cv": "oof", "random_state": 0, **params})


def learned(estimator):
    """Return what fit left, without the estimator and its scorer."""
    return {
        name: value
        for name, value in vars(estimator).items()
        if name.endswith("_") and name not in ("estimator_", "scorer_") and name[0] != "_"
    }


def assert_same_rule(one, other):
    one, other = learned(one), learned(other)
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_equal(one[name], other[name], err_msg=name)


def best_by_brute_force(metric, y, scores):
    return max(metric(y, scores >= cut) for cut in [*np.unique(scores), np.inf])


# The same as the long way ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("binary", {"scoring": "f1", "store_cv_results": True}),
        ("binary", {"scoring": "f1", "aggregate": "mean", "store_cv_results": True}),
        ("binary", {"response_method": "decision_function", "selection": "max"}),
        ("binary", {"constraint": "precision >= 0.6", "scoring": "recall"}),
        ("binary", {"cost_matrix": {(0, 1): 1, (1, 0): 4}, "pos_label": 0}),
        ("binary", {"scoring": lambda true, said: f1_score(true, said), "thresholds": 20}),
        ("multiclass", {"scoring": "f1_macro"}),
        ("multiclass", {"aggregate": "mean", "response_method": "decision_function"}),
        ("multilabel", {"scoring": "f1_macro"}),
        ("multilabel", {"scoring": "f1_micro", "response_method": "decision_function"}),
        ("multilabel", {"scoring": "f1_macro", "aggregate": "mean"}),
    ],
)
def test_offered_scores_give_the_rule_of_the_same_folds(kind, params):
    estimator, rows, labels = offering(kind)
    before = Offering.fits
    once = tuned(estimator, **params).fit(rows, labels)
    assert Offering.fits == before + 1
    long_way = tuned(estimator.inner, **{**params, "cv": estimator.splits}).fit(rows, labels)
    assert_same_rule(once, long_way)
    np.testing.assert_array_equal(once.predict(rows), long_way.predict(rows))
    of_two = labels.ndim == 1 and len(once.classes_) == 2
    if of_two:
        other = once.threshold_curve(rows, labels)
        np.testing.assert_equal(other, long_way.threshold_curve(rows, labels))


def test_the_order_of_rows_and_the_names_of_folds_do_not_matter():
    estimator, rows, labels = offering("binary")
    once = tuned(estimator).fit(rows, labels)
    fitted = once.estimator_
    shuffled = np.random.default_rng(1).permutation(len(labels))
    renamed = fitted.oof_folds_[shuffled] // 7
    given = Given(oof_proba_=fitted.oof_proba_[shuffled], oof_folds_=renamed)
    again = tuned(given).fit(rows[shuffled], labels[shuffled])
    assert again.best_threshold_ == once.best_threshold_
    np.testing.assert_array_equal(again.fold_thresholds_, once.fold_thresholds_)


def test_folds_are_counted_whatever_they_are_called():
    given = Given(oof_proba_=two_columns(SCORE), oof_folds_=7 * (np.arange(len(Y)) % 3)).fit(X, Y)
    found = offered_scores(given, Response("predict_proba", "binary", np.array([0, 1])), len(Y))
    assert found.n_folds == 3
    np.testing.assert_array_equal(found.fold, np.repeat([0, 1, 2], 50))
    np.testing.assert_array_equal(
        found.rows, np.concatenate([np.arange(k, 150, 3) for k in range(3)])
    )


@pytest.mark.parametrize("aggregate", ["pooled", "mean"])
def test_without_folds_all_rows_are_one(aggregate):
    estimator, rows, labels = offering("binary", names_folds=False)
    params = {"scoring": "f1", "store_cv_results": True}
    found = tuned(estimator, aggregate=aggregate, **params).fit(rows, labels)
    assert found.fold_thresholds_.shape == (1,)
    assert found.threshold_std_ == 0
    in_folds = tuned(offering("binary")[0], **params).fit(rows, labels)
    assert found.best_threshold_ == in_folds.best_threshold_
    assert found.best_score_ == in_folds.best_score_
    assert "split1_scores" not in found.cv_results_


# Rows without a score -------------------------------------------------------------------------

SCORE = np.clip(0.25 + 0.4 * Y + RNG.normal(0, 0.25, len(Y)), 0, 1)
WITHOUT = RNG.random(len(Y)) < 0.3
AMOUNT = RNG.integers(1, 9, len(Y)).astype(float)


def f1_by_call(model, rows, labels):
    return f1_score(labels, model.predict(rows))


def two_columns(score):
    return np.column_stack([1 - score, score])


@pytest.mark.parametrize(
    ("params", "of_rows"),
    [
        ({"scoring": "f1"}, None),
        ({"scoring": "f1", "constraint": "recall >= 0.9"}, None),
        ({"scoring": f1_by_call, "thresholds": 20}, None),
        ({}, "cost"),
        ({}, "sample_weight"),
    ],
)
@pytest.mark.usefixtures("routing")
def test_rows_without_a_score_are_as_if_they_were_not_there(params, of_rows):
    if of_rows == "sample_weight":
        params = {"scoring": make_scorer(f1_score).set_score_request(sample_weight=True)}
    given = {} if of_rows is None else {of_rows: AMOUNT}
    score = np.where(WITHOUT, np.nan, SCORE)
    found = tuned(Given(oof_proba_=two_columns(score)), **params)
    found.fit(SCORE[:, None], Y, **given)
    rest = SCORE[~WITHOUT, None], Y[~WITHOUT]
    prefit = tuned(Given().fit(*rest), **{**params, "cv": "prefit", "refit": False})
    prefit.fit(*rest, **{name: values[~WITHOUT] for name, values in given.items()})
    assert_same_rule(found, prefit)


@pytest.mark.parametrize("kind", ["multiclass", "multilabel"])
def test_rows_without_a_score_are_left_out_for_more_classes_and_labels(kind):
    estimator, rows, labels = offering(kind)
    said = clone(estimator).fit(rows, labels).oof_proba_
    without = np.arange(len(labels)) % 4 == 0
    given = Given(oof_proba_=np.where(without[:, None], np.nan, said))
    found = tuned(given, scoring="f1_macro").fit(said, labels)
    rest = said[~without], labels[~without]
    prefit = tuned(Given().fit(*rest), scoring="f1_macro", cv="prefit", refit=False).fit(*rest)
    assert_same_rule(found, prefit)


def test_a_class_without_scored_rows_is_an_error():
    score = two_columns(np.where(Y == 1, np.nan, SCORE))
    with pytest.raises(ValueError, match=rf"No row of class 1 .*{(Y == 0).sum()} of 150.*cv=5"):
        tuned(Given(oof_proba_=score)).fit(SCORE[:, None], Y)


def test_few_scored_rows_of_a_class_are_warned_of():
    rare = np.where((Y == 1) & (np.cumsum(Y) > 4), np.nan, SCORE)
    with pytest.warns(UserWarning, match="Only 4 rows of class 1"):
        tuned(Given(oof_proba_=two_columns(rare))).fit(SCORE[:, None], Y)


def test_a_fold_of_one_class_can_be_pooled_but_not_averaged():
    given = Given(oof_proba_=two_columns(SCORE), oof_folds_=(Y == 0) * (1 + np.arange(len(Y)) % 2))
    assert np.isnan(tuned(given).fit(SCORE[:, None], Y).fold_thresholds_).all()
    with pytest.raises(ValueError, match=r"no row of class 0 in fold 1.*cv=5.*'pooled'"):
        tuned(given, aggregate="mean").fit(SCORE[:, None], Y)


# Out of bag -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "forest",
    [
        FOREST,
        ExtraTreesClassifier(35, bootstrap=True, oob_score=True, max_depth=4, random_state=0),
        BaggingClassifier(n_estimators=35, oob_score=True, random_state=0),
    ],
    ids=lambda forest: type(forest).__name__,
)
def test_forests_are_tuned_to_the_best_of_all_cuts(forest):
    found = tuned(forest, scoring="f1", selection="max").fit(X, Y)
    score = clone(forest).fit(X, Y).oob_decision_function_[:, 1]
    assert found.best_score_ == pytest.approx(best_by_brute_force(f1_score, Y, score))
    assert f1_score(Y, score >= found.best_threshold_) == pytest.approx(found.best_score_)
    decided = found.estimator_.predict_proba(X)[:, 1] >= found.best_threshold_
    np.testing.assert_array_equal(found.predict(X), decided)
    low, high = found.threshold_interval_
    assert low <= found.best_threshold_ <= high
    assert found.scorer_(found, X, Y) == pytest.approx(f1_score(Y, decided))


@pytest.mark.filterwarnings("ignore:Some inputs do not have OOB scores")
@pytest.mark.filterwarnings("ignore:invalid value encountered in divide")
@pytest.mark.parametrize(
    "forest", [RandomForestClassifier(4), BaggingClassifier(n_estimators=4)], ids=["0", "0/0"]
)
def test_rows_that_all_trees_saw_are_left_out(forest):
    forest.set_params(oob_score=True, random_state=0)
    said = clone(forest).fit(X, Y).oob_decision_function_
    known = np.nansum(said, axis=1) > 0
    assert 0 < known.sum() < len(Y)
    found = tuned(forest, selection="max", store_cv_results=True).fit(X, Y)
    best = best_by_brute_force(balanced_accuracy_score, Y[known], said[known, 1])
    assert found.best_score_ == pytest.approx(best)
    counts = [found.cv_results_[f"{name}s"][0] for name in ("true_positive", "false_positive")]
    assert sum(counts) == known.sum()


def test_forests_of_several_classes_and_labels_are_tuned():
    several = tuned(FOREST, scoring="f1_macro").fit(X3, Y3)
    said = clone(FOREST).fit(X3, Y3).oob_decision_function_
    decided = (said * several.best_class_weight_).argmax(axis=1)
    assert f1_score(Y3, decided, average="macro") == pytest.approx(several.best_score_)
    assert several.best_score_ >= f1_score(Y3, said.argmax(axis=1), average="macro")
    labels = tuned(FOREST, scoring="f1_macro").fit(XL, YL)
    said = clone(FOREST).fit(XL, YL).oob_decision_function_[:, 1]
    decided = said >= labels.best_threshold_
    assert f1_score(YL, decided, average="macro") == pytest.approx(labels.best_score_)
    assert labels.predict(XL).shape == YL.shape


def test_out_of_bag_labels_of_another_shape_are_refused():
    given = Given(oob_decision_function_=np.full(YL.shape, 0.5))
    with pytest.raises(ValueError, match=r"shape \(150, 3\).*\(n_rows, 2, n_labels\)"):
        tuned(given).fit(XL, YL)


@pytest.mark.filterwarnings("ignore:Some inputs do not have OOB scores")
def test_drawing_with_replacement_first_is_no_way_to_leave_rows_out():
    rng = np.random.default_rng(0)
    noise, labels = rng.normal(size=(1000, 4)), rng.random(1000) < 0.1
    params = {"oob_score": True, "bootstrap": True, "random_state": 0, "sampling_strategy": "all"}
    forest = BalancedRandomForestClassifier(30, replacement=True, **params)
    with pytest.raises(ValueError, match=r"BalancedRandomForest.*copies.*replacement=False"):
        tuned(forest).fit(noise, labels)
    ranked = {}
    for drawn_twice in (True, False):
        said = clone(forest).set_params(replacement=drawn_twice).fit(noise, labels)
        said = said.oob_decision_function_
        known = np.nansum(said, axis=1) > 0
        ranked[drawn_twice] = roc_auc_score(labels[known], said[known, 1])
    # If imbalanced-learn mends it, this tells, and the refusal may go.
    assert ranked[True] > 0.6 > ranked[False]
    tuned(forest.set_params(replacement=False)).fit(noise, labels)


# Pipelines and searches -----------------------------------------------------------------------


def test_the_last_step_of_a_pipeline_offers():
    found = tuned(make_pipeline(StandardScaler(), FOREST)).fit(X, Y)
    assert_same_rule(found, tuned(FOREST).fit(StandardScaler().fit_transform(X), Y))
    assert hasattr(found.estimator_, "steps")


def test_the_best_of_a_search_offers():
    search = GridSearchCV(FOREST, {"max_depth": [1, 4]}, cv=2, scoring="roc_auc")
    found = tuned(make_pipeline(StandardScaler(), search)).fit(X, Y)
    best = found.estimator_[-1].best_estimator_
    assert_same_rule(found, tuned(best).fit(StandardScaler().fit_transform(X), Y))


def test_samplers_in_a_pipeline_are_refused_before_anything_is_fitted():
    before = Offering.fits
    pipeline = make_sampling_pipeline(RandomUnderSampler(), offering("binary")[0])
    cure = r"'randomundersampler'.*changes the rows.*BalancedKerasClassifier\(sampler=.*cv=5"
    with pytest.raises(ValueError, match=cure):
        tuned(pipeline).fit(X, Y)
    assert Offering.fits == before


def test_samplers_that_a_search_chose_are_refused():
    pipeline = make_sampling_pipeline(RandomUnderSampler(), FOREST)
    search = GridSearchCV(pipeline, {"randomundersampler__random_state": [0]}, cv=2)
    with pytest.raises(ValueError, match=r"'randomundersampler'.*changes the rows"):
        tuned(search).fit(X, Y)


def test_scores_from_an_earlier_fit_are_not_taken_for_those_of_this_one():
    fitted = clone(FOREST).fit(X[::-1], Y[::-1])
    assert_same_rule(tuned(fitted).fit(X, Y), tuned(FOREST).fit(X, Y))
    frozen = make_pipeline(StandardScaler(), FrozenEstimator(fitted))
    with pytest.raises(ValueError, match=r"FrozenEstimator has oob_dec.*other rows.*'prefit'"):
        tuned(frozen).fit(X, Y)


# What may go wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inner", "params"),
    [
        (RandomForestClassifier(), {}),
        (make_pipeline(StandardScaler(), LogisticRegression()), {}),
        (BaggingClassifier(LINEAR, oob_score=True), {"response_method": "decision_function"}),
    ],
)
def test_what_will_offer_nothing_is_refused_before_it_is_fitted(inner, params, monkeypatch):
    deciding = inner[-1] if hasattr(inner, "steps") else inner
    fits = []
    monkeypatch.setattr(type(deciding), "fit", lambda *args, **params: fits.append(args))
    name = type(deciding).__name__
    with pytest.raises(ValueError, match=rf"{name} offers no out-of-fold scores \(oof_.*cv=5.*oob"):
        tuned(inner, **params).fit(X, Y)
    assert fits == []


def test_what_offers_nothing_after_all_says_why():
    search = GridSearchCV(LINEAR, {"C": [1.0]}, cv=2)
    with pytest.raises(ValueError, match=r"LogisticRegression offers no .*\(oof_proba_\); give cv"):
        tuned(search).fit(X, Y)
    given = Given(oof_unavailable_reason_="the network is a function.", oof_proba_=None)
    with pytest.raises(ValueError, match=r"Given offers no .*: the network is a function; give cv"):
        tuned(given).fit(X, Y)


def test_scores_on_the_other_scale_are_named():
    with pytest.raises(ValueError, match=r"oof_decision_function_.*response_method='decision_fun"):
        tuned(Given(oof_decision_function_=SCORE)).fit(SCORE[:, None], Y)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"oof_proba_": two_columns(SCORE)[1:]}, r"shape \(149, 2\), and X has 150 rows.*cv=5"),
        ({"oof_proba_": SCORE}, r"Given.oof_proba_ has the shape \(150,\).*predict_proba is need"),
        ({"oof_proba_": SCORE[:, None]}, r"oof_proba_ gave the shape \(150, 1\) for 2 classes"),
        ({"oof_proba_": np.full((150, 2), np.nan)}, "NaN in all 150 rows"),
        (
            {"oof_proba_": np.column_stack([SCORE, np.where(WITHOUT, np.nan, SCORE)])},
            "some columns",
        ),
        ({"oof_proba_": two_columns(SCORE), "oof_folds_": np.zeros(149, int)}, r"\(149,\)"),
        ({"oof_proba_": two_columns(SCORE), "oof_folds_": np.zeros(150)}, "float64"),
        (
            {"oof_proba_": two_columns(SCORE), "oof_folds_": np.where(np.arange(150) < 3, -1, 0)},
            "in 3 rows",
        ),
        ({"oof_proba_": np.full((150, 2), 0.5)}, "constant predictions"),
    ],
)
def test_scores_that_break_the_contract_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        tuned(Given(**given)).fit(SCORE[:, None], Y)


def test_one_fit_is_a_fit_on_all_rows():
    with pytest.raises(ValueError, match=r"cv='oof', refit cannot be False.*refit=True"):
        tuned(FOREST, refit=False).fit(X, Y)


def test_a_rule_from_costs_alone_needs_no_scores():
    params = {"thresholds": "bayes", "cost_matrix": [[0, 1], [4, 0]]}
    found = tuned(LINEAR, **params).fit(X, Y)
    assert_same_rule(found, tuned(LINEAR, cv=5, **params).fit(X, Y))


def test_a_failed_fit_leaves_the_earlier_one_usable():
    found = tuned(FOREST).fit(X, Y)
    before, predicted = learned(found), found.predict(X)
    with pytest.raises(ValueError, match="offers no"):
        found.set_params(estimator=LINEAR).fit(X, Y)
    assert all(learned(found)[name] is before[name] for name in before)
    np.testing.assert_array_equal(found.predict(X), predicted)


@pytest.mark.usefixtures("routing")
def test_weights_reach_the_one_fit():
    estimator, rows, labels = offering("binary")
    estimator.set_fit_request(sample_weight=True)
    scorer = make_scorer(f1_score).set_score_request(sample_weight=False)
    found = tuned(estimator, scoring=scorer).fit(rows, labels, sample_weight=AMOUNT)
    np.testing.assert_array_equal(found.estimator_.weights_, AMOUNT)


@pytest.mark.usefixtures("routing")
def test_a_class_that_weighs_nothing_is_refused_before_anything_is_fitted():
    before = Offering.fits
    estimator, rows, labels = offering("binary")
    estimator.set_fit_request(sample_weight=False)
    scorer = make_scorer(f1_score).set_score_request(sample_weight=True)
    with pytest.raises(ValueError, match="no row of class 1 in the rows that are scored"):
        tuned(estimator, scoring=scorer).fit(rows, labels, sample_weight=1.0 - labels)
    assert Offering.fits == before


def test_a_line_tells_of_the_one_fit(capsys):
    tuned(FOREST, verbose=1).fit(X, Y)
    first, last = capsys.readouterr().out.splitlines()
    assert re.search(r"one fit: fitted 150 rows, 150 of them with scores, \d+\.\d s$", first)
    assert last.startswith("[ThresholdOptimizerCV] threshold 0.")
