"""scikit-learn's callbacks hear of epochs, folds and fits, and change nothing that is learnt."""

from importlib.util import find_spec

import numpy as np
import pytest
import sklearn
from helpers import assert_same_network
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, make_scorer, roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_imbalance_nn import BalancedKerasClassifier, ThresholdOptimizerCV
from sk_imbalance_nn._fit_tasks import FitTask

if find_spec("sklearn.callback") is None:  # it came with scikit-learn 1.9
    pytest.skip("scikit-learn has no callbacks", allow_module_level=True)

from sklearn.callback import ProgressBar, ScoringMonitor

X, Y = make_classification(300, 6, weights=[0.85], random_state=0)
SMALL = {"width": 8, "depth": 1, "random_state": 0, "epochs": 3}


def path_of(context):
    above = [] if context.parent is None else path_of(context.parent)
    return [*above, context.task_name]


class Recorder:
    """Writes down what it hears; goes to whatever is within."""

    max_propagation_depth = None

    def __init__(self, stop_after=None):
        self.heard = []
        self.open = 0
        self.stop_after = stop_after

    def setup(self, estimator, context):
        self.open += 1

    def teardown(self, estimator, context):
        self.open -= 1

    def on_fit_task_begin(self, estimator, context):
        self.heard.append(("begin", "/".join(path_of(context))))

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        self.heard.append(("end", "/".join(path_of(context))))
        if context.task_name == "epoch":
            assert fitted_estimator.predict_proba(X).shape == (len(y), 2)
            return context.task_id + 1 == self.stop_after
        return False

    def ended(self):
        return [path for what, path in self.heard if what == "end"]


def test_a_fit_is_made_of_epochs():
    recorder = Recorder()
    BalancedKerasClassifier(**SMALL).set_callbacks(recorder).fit(X, Y)
    epoch = [("begin", "fit/epoch"), ("end", "fit/epoch")]
    assert recorder.heard == [("begin", "fit"), *epoch * 3, ("end", "fit")]
    assert recorder.open == 0


def test_listening_changes_no_bit():
    alone = BalancedKerasClassifier(**SMALL).fit(X, Y)
    heard = BalancedKerasClassifier(**SMALL).set_callbacks(Recorder()).fit(X, Y)
    assert_same_network(alone, heard)
    assert alone.history_ == heard.history_


@pytest.mark.parametrize("eager", [False, True])
def test_a_callback_can_stop_training(eager):
    network = BalancedKerasClassifier(run_eagerly=eager, batch_size=100, **SMALL)
    network.set_callbacks(Recorder(stop_after=2)).fit(X, Y)
    assert network.n_iter_ == 2


def test_epochs_nest_under_the_folds_of_a_search():
    recorder = Recorder()
    pipeline = make_pipeline(StandardScaler(), BalancedKerasClassifier(**SMALL))
    search = GridSearchCV(pipeline, {"balancedkerasclassifier__epochs": [2]}, cv=2)
    search.set_callbacks(recorder).fit(X, Y)
    epochs = [path for path in recorder.ended() if path.endswith("/epoch")]
    assert len(epochs) == 2 * 3  # two folds and the refit
    assert sum("search" in path for path in epochs) == 2 * 2


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_epochs_nest_under_the_folds_of_a_threshold(n_jobs):
    monitor = ScoringMonitor(scoring="roc_auc")
    # The default network's answers are moved once more when training is over.
    network = BalancedKerasClassifier("mlp", **SMALL).set_callbacks(monitor)
    tuned = ThresholdOptimizerCV(network, cv=2, n_jobs=n_jobs).fit(X, Y)
    log = monitor.get_logs().data
    paths = [entry["task_id_path"] for entry in log if entry["task_name"] == "epoch"]
    assert sorted(paths) == [
        *((0, 0, fold, epoch) for fold in (0, 1) for epoch in (0, 1, 2)),
        *((0, 1, epoch) for epoch in (0, 1, 2)),
    ]
    scores = {entry["task_id_path"]: entry["roc_auc"] for entry in log}
    assert scores[0, 1, 2] == pytest.approx(roc_auc_score(Y, tuned.predict_proba(X)[:, 1]))


def test_a_threshold_has_folds_and_a_refit():
    recorder = Recorder()
    recorder.max_propagation_depth = 0
    ThresholdOptimizerCV(LogisticRegression(), cv=2).set_callbacks(recorder).fit(X, Y)
    folds = ["fit/cross-validation/fold"] * 2
    assert recorder.ended() == [*folds, "fit/cross-validation", "fit/refit", "fit"]
    assert recorder.open == 0


def test_a_threshold_on_offered_scores_has_one_fit():
    recorder = Recorder()
    recorder.max_propagation_depth = 0
    forest = RandomForestClassifier(30, oob_score=True, random_state=0)
    ThresholdOptimizerCV(forest, cv="oof").set_callbacks(recorder).fit(X, Y)
    assert recorder.ended() == ["fit/refit", "fit"]
    assert recorder.open == 0


@pytest.mark.parametrize(
    "options", [{"cv": "prefit", "refit": False}, {"thresholds": "bayes", "cost_matrix": np.eye(2)}]
)
def test_thresholds_without_folds_are_heard_too(options):
    recorder, network = Recorder(), BalancedKerasClassifier(**SMALL, class_weight=None).fit(X, Y)
    if "cost_matrix" in options:
        options = {**options, "cost_matrix": 1 - np.eye(2)}
    ThresholdOptimizerCV(network, **options).set_callbacks(recorder).fit(X, Y)
    assert recorder.ended()[-1] == "fit"
    assert "cross-validation" not in "".join(recorder.ended())


def test_a_failed_fit_leaves_no_callback_open():
    recorder = Recorder()
    network = BalancedKerasClassifier(**SMALL).set_callbacks(recorder)
    for broken in ({"n_iter_no_change": 0}, {"scoring": "no_such"}, {"epochs": "three"}):
        with pytest.raises((ValueError, TypeError)):
            clone(network).set_params(**broken).fit(X, Y)
    assert recorder.open == 0
    assert not [name for name in vars(network.fit(X, Y)) if "callback_fit" in name]


def test_progress_bars_run_through(capsys):
    tuned = ThresholdOptimizerCV(BalancedKerasClassifier(**SMALL), cv=2)
    tuned.set_callbacks(ProgressBar(max_propagation_depth=None)).fit(X, Y)
    assert "BalancedKerasClassifier - fit" in capsys.readouterr().out


def test_sample_weight_reaches_scores():
    monitor, weight = ScoringMonitor(scoring="roc_auc"), np.linspace(0.1, 2, len(Y))
    network = BalancedKerasClassifier(**SMALL).set_callbacks(monitor).fit(X, Y, weight)
    expected = roc_auc_score(Y, network.predict_proba(X)[:, 1], sample_weight=weight)
    assert monitor.get_logs().data[0]["roc_auc"] == pytest.approx(expected)


class Rows:
    """Writes down what each task is about."""

    def __init__(self):
        self.seen = {}

    def setup(self, estimator, context): ...

    def teardown(self, estimator, context): ...

    def on_fit_task_begin(self, estimator, context): ...

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, metadata=None):
        weight = None if metadata is None else len(metadata["sample_weight"])
        self.seen[context.task_name, context.task_id] = (None if X is None else len(X)), weight


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.mark.usefixtures("routing")
def test_tasks_of_a_threshold_have_their_rows_and_weights():
    rows = Rows()
    model = GaussianNB().set_fit_request(sample_weight=True)
    scorer = make_scorer(f1_score).set_score_request(sample_weight=False)
    tuned = ThresholdOptimizerCV(model, scoring=scorer, cv=2).set_callbacks(rows)
    tuned.fit(X, Y, sample_weight=np.ones(len(Y)))
    assert rows.seen == {
        ("fit", 0): (300, 300),
        ("cross-validation", 0): (None, None),
        ("fold", 0): (150, 150),
        ("fold", 1): (150, 150),
        ("refit", 1): (300, 300),
    }


def test_a_fold_that_fails_does_not_end():
    recorder = Recorder()
    recorder.max_propagation_depth = 0
    broken = LogisticRegression(C=-1.0)
    with pytest.raises(ValueError, match="'C' parameter"):
        ThresholdOptimizerCV(broken, cv=2).set_callbacks(recorder).fit(X, Y)
    assert recorder.ended() == []
    assert recorder.open == 0


def test_nobodys_task_is_nothing():
    with FitTask.fit_of(BalancedKerasClassifier(), X, Y, n_subtasks=1) as task:
        assert not task.is_heard
        assert task.part("epoch", 3) is task
        assert task.end() is False
