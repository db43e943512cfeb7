"""The traps that users of the peers fall into, each shut: one test or more for every trap.

The numbers are those of the trap table in the project's references. What is right is said by
scikit-learn's exact figures, by NumPy, or by equality of trained weights.
"""

import copy
import gc
import io
import logging
import os
import pickle
import random
import subprocess
import sys
from pathlib import Path

import joblib
import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import EAGER, assert_same_network, weights_of
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.pipeline import make_pipeline
from scipy.special import expit
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    make_scorer,
    precision_score,
    recall_score,
    roc_auc_score,
)
from sklearn.model_selection import GridSearchCV, TunedThresholdClassifierCV, cross_validate
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from sk_imbalance_nn import (
    BalancedKerasClassifier,
    ThresholdOptimizerCV,
    compile_cache_info,
    output_layer,
)
from sk_imbalance_nn._compat import seeded
from sk_imbalance_nn.training.schedule import Schedule

X, y = make_classification(150, 5, weights=[0.8], class_sep=1.5, random_state=0)
ORDER = np.argsort(y, kind="stable")
X_SORTED, Y_SORTED = X[ORDER], y[ORDER]
WEIGHTS = np.random.default_rng(0).integers(1, 6, len(y))
X3, y3 = make_classification(
    150,
    5,
    n_informative=4,
    n_redundant=0,
    n_classes=3,
    weights=[0.7, 0.2],
    flip_y=0.1,
    random_state=0,
)


def logistic(meta, kernel="glorot_uniform"):
    return keras.Sequential(
        [keras.Input(meta["X_shape_"][1:]), output_layer(meta, kernel_initializer=kernel)]
    )


def dense(*args, **kwargs):
    """A builder whose only layer is Dense, whatever the target."""

    def build(meta):
        return keras.Sequential(
            [keras.Input((meta["n_features_in_"],)), keras.layers.Dense(*args, **kwargs)]
        )

    return build


def classifier(model=logistic, **params):
    quick = {"optimizer": "sgd", "epochs": 2, "early_stopping": False, "random_state": 0}
    return BalancedKerasClassifier(model, **{**quick, **params})


class Unbuilt:
    """A builder that must not be reached."""

    def __call__(self, meta):
        raise AssertionError("The network was built, though the parameters are wrong.")


class Power(keras.losses.Loss):
    """A custom loss as most people write it: not registered, its argument in no get_config."""

    def __init__(self, power=2.0):
        super().__init__()
        self.power = power

    def call(self, y_true, y_pred):
        return keras.ops.mean(keras.ops.abs(y_true - y_pred) ** self.power, axis=-1)


def brier(y_true, y_pred):
    return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)


@pytest.fixture(scope="module")
def folds():
    """A cross-validation over sorted labels, of three epochs a fold."""
    return cross_validate(
        classifier(epochs=3, optimizer__learning_rate=0.1),
        X_SORTED,
        Y_SORTED,
        cv=3,
        scoring="roc_auc",
        return_estimator=True,
        return_indices=True,
    )


@pytest.fixture(scope="module")
def search():
    grid = {"epochs": [1, 3], "class_weight": [None]}
    return GridSearchCV(classifier(**EAGER), grid, scoring="roc_auc", cv=2).fit(X_SORTED, Y_SORTED)


# Cross-validation and meta-estimators ---------------------------------------------------------


def test_sorted_labels_do_not_give_folds_without_positives(folds):
    """Trap 1."""
    assert is_classifier(classifier())
    tests = folds["indices"]["test"]
    assert {int(Y_SORTED[test].sum()) for test in tests} <= {y.sum() // 3, y.sum() // 3 + 1}
    exact = [
        roc_auc_score(Y_SORTED[test], fitted.predict_proba(X_SORTED[test])[:, 1])
        for fitted, test in zip(folds["estimator"], tests, strict=True)
    ]
    np.testing.assert_allclose(folds["test_score"], exact)
    assert np.isfinite(folds["test_score"]).all()


def test_grid_search_ranks_by_roc_auc(search):
    """Trap 2."""
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    assert search.score(X, y) == roc_auc_score(y, search.decision_function(X))


def test_a_threshold_can_be_tuned():
    """Trap 2."""
    tuned = TunedThresholdClassifierCV(
        classifier(optimizer__learning_rate=0.5, **EAGER), scoring="f1", cv=2, thresholds=9
    ).fit(X, y)
    over = tuned.estimator_.predict_proba(X)[:, 1] >= tuned.best_threshold_
    np.testing.assert_array_equal(tuned.predict(X), over.astype(int))


def test_probabilities_can_be_calibrated():
    """Trap 2."""
    balanced = classifier(epochs=5, **EAGER)
    calibrated = CalibratedClassifierCV(balanced, cv=2, ensemble=False).fit(X, y)
    # Balanced probabilities average far over the base rate, calibrated ones do not.
    (inner,) = calibrated.calibrated_classifiers_
    assert inner.estimator.predict_proba(X)[:, 1].mean() > y.mean() + 0.1
    assert calibrated.predict_proba(X)[:, 1].mean() == pytest.approx(y.mean(), abs=0.03)


def test_soft_votes_are_averages_of_probabilities():
    """Trap 2."""
    voters = [("net", classifier(**EAGER)), ("linear", LogisticRegression())]
    vote = VotingClassifier(voters, voting="soft").fit(X, y)
    expected = np.mean([voter.predict_proba(X) for voter in vote.estimators_], axis=0)
    np.testing.assert_allclose(vote.predict_proba(X), expected)


# Parameters survive clone and fit -------------------------------------------------------------


def test_clones_train_as_many_epochs_as_asked(folds, search):
    """Trap 3."""
    assert [len(fitted.history_["loss"]) for fitted in folds["estimator"]] == [3, 3, 3]
    assert len(search.best_estimator_.history_["loss"]) == search.best_params_["epochs"]


def test_routed_and_builder_parameters_survive_cloning():
    """Trap 3."""
    twin = clone(classifier(fit__epochs=1, model__kernel="zeros", batch_size=7, metrics=["AUC"]))
    assert len(twin.fit(X, y).history_["AUC"]) == 1
    assert twin.get_params()["model__kernel"] == "zeros"
    assert twin.batch_size == 7


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_warm_start_continues_where_fit_ended(optimizer):
    """Trap 4: two and two epochs are four, the optimizer's moments included."""
    params = {"optimizer": optimizer, "shuffle": False, "batch_size": 50}
    params |= {"optimizer__momentum": 0.9} if optimizer == "sgd" else {}
    warm = classifier(**params, warm_start=True).fit(X, y)
    first = weights_of(warm)
    warm.fit(X, y)
    assert not np.array_equal(first, weights_of(warm))
    assert_same_network(warm, classifier(**params, epochs=4).fit(X, y))


def test_without_warm_start_fit_begins_anew():
    """Trap 4."""
    fitted = classifier().fit(X, y)
    first = weights_of(fitted)
    np.testing.assert_array_equal(first, weights_of(fitted.fit(X, y)))


def test_fit_does_not_change_parameters():
    """Trap 4."""
    given = {
        "optimizer": keras.optimizers.SGD(0.1),
        "metrics": ["accuracy", keras.metrics.AUC()],
        "callbacks": [keras.callbacks.TerminateOnNaN()],
        "class_weight": {0: 1, 1: 3},
        "fit__batch_size": 16,
        "verbose": 0,
    }
    estimator = classifier(**given)
    before, contents = estimator.get_params(deep=True), copy.copy(given["metrics"])
    estimator.fit(X, y, verbose=0, epochs=1)
    after = estimator.get_params(deep=True)
    assert before.keys() == after.keys()
    assert all(after[name] is before[name] for name in before)
    assert given["metrics"] == contents
    assert given["class_weight"] == {0: 1, 1: 3}
    assert not given["optimizer"].built


# The validation split -------------------------------------------------------------------------


@pytest.mark.parametrize("early_stopping", [True, False])
def test_validation_split_is_not_the_last_rows_of_sorted_labels(early_stopping):
    """Trap 5."""
    seen = []

    def record(fitted, rows, labels):
        seen.append((rows, labels))
        return roc_auc_score(labels, fitted.decision_function(rows))

    fitted = classifier(
        validation_split=0.2, scoring=record, early_stopping=early_stopping, epochs=1
    ).fit(X_SORTED, Y_SORTED)
    rows, labels = seen[-1]
    assert labels.sum() == round(0.2 * y.sum())
    assert len(labels) == 0.2 * len(y)
    # Shuffled within each class: neither the first nor the last of the negatives.
    at = [int(np.flatnonzero((np.float32(X_SORTED) == row).all(axis=1))[0]) for row in rows]
    negatives = np.sort([position for position in at if Y_SORTED[position] == 0])
    assert np.ptp(negatives) > 2 * len(negatives)
    assert np.isfinite(fitted.history_["val_score"]).all()


# Weights --------------------------------------------------------------------------------------


def test_class_weights_equal_sample_weights():
    """Trap 6."""
    by_class = classifier(class_weight={0: 1, 1: 9}).fit(X, y)
    by_row = classifier(class_weight=None).fit(X, y, sample_weight=np.where(y, 9, 1))
    assert_same_network(by_class, by_row)
    assert not np.array_equal(
        weights_of(by_row), weights_of(classifier(class_weight=None).fit(X, y))
    )


def test_class_and_sample_weights_multiply():
    """Trap 6."""
    both = classifier(class_weight={0: 1, 1: 9}).fit(X, y, sample_weight=WEIGHTS)
    product = WEIGHTS * np.where(y, 9, 1)
    assert_same_network(both, classifier(class_weight=None).fit(X, y, sample_weight=product))


@pytest.mark.parametrize(
    ("labels", "class_weight"),
    [
        (y, {"0": 1, "1": 9}),
        (np.array(["no", "yes"])[y], {0: 1, 1: 9}),
        (np.array(["no", "yes"])[y], {"no": 1, "Yes": 9}),
        (np.where(y, 1, -1), {0: 1, 1: 9}),
    ],
    ids=["strings for integers", "codes for strings", "a misspelt label", "codes for minus one"],
)
def test_class_weight_keys_that_are_no_labels_are_refused(labels, class_weight):
    """Trap 7."""
    with pytest.raises(ValueError, match="class_weight has the keys"):
        classifier(Unbuilt(), class_weight=class_weight).fit(X, labels)


def test_weights_a_hundred_times_as_large_train_the_same():
    """Trap 8."""
    small = classifier(class_weight={0: 1, 1: 9}).fit(X, y, sample_weight=WEIGHTS)
    large = classifier(class_weight={0: 100, 1: 900}).fit(X, y, sample_weight=100 * WEIGHTS)
    np.testing.assert_allclose(weights_of(large), weights_of(small), rtol=1e-5)
    np.testing.assert_allclose(large.history_["loss"], small.history_["loss"], rtol=1e-5)


@pytest.mark.parametrize("class_weight", ["balanced", [[1, 3], [2, 1], [1, 5], [1, 1]]])
@pytest.mark.parametrize("logits", [False, True])
def test_multilabel_weights_are_those_of_each_label(class_weight, logits):
    """Trap 9."""
    rows, labels = make_multilabel_classification(60, 4, n_classes=4, random_state=0)

    def build(meta):
        return keras.Sequential([keras.Input((4,)), output_layer(meta, logits=logits)])

    estimator = classifier(
        build, class_weight=class_weight, epochs=1, batch_size=-1, run_eagerly=True
    )
    first = clone(estimator).initialize(rows, labels).predict_proba(rows)
    losses = -np.log(np.where(labels, first, 1 - first))
    estimator.fit(rows, labels)
    if class_weight == "balanced":
        positives = labels.mean(axis=0)
        negative, positive = 0.5 / (1 - positives), 0.5 / positives
    else:
        negative, positive = np.array(class_weight).T
    expected = np.mean(losses * np.where(labels, positive, negative))
    assert estimator.history_["loss"][0] == pytest.approx(expected, rel=1e-5)


def test_the_callers_sample_weights_stay_as_they_were():
    """Trap 10."""
    given = WEIGHTS.astype(float)
    from_floats = classifier(**EAGER).fit(X, y, sample_weight=given)
    np.testing.assert_array_equal(given, WEIGHTS)
    from_integers = classifier(**EAGER).fit(X, y, sample_weight=WEIGHTS)
    assert_same_network(from_floats, from_integers)
    assert_same_network(from_floats, classifier(**EAGER).fit(X, y, sample_weight=WEIGHTS.tolist()))


@pytest.mark.parametrize("weights", [(), (WEIGHTS,)], ids=["balanced", "balanced and by row"])
def test_val_loss_is_weighted_like_loss(weights):
    """Trap 11."""
    estimator = classifier(optimizer__learning_rate=0.0, epochs=1, shuffle=False)
    estimator.fit(X, y, *weights, validation_data=(X, y, *weights))
    history = estimator.history_
    assert history["val_loss"] == pytest.approx(history["loss"], rel=1e-5)
    scores = estimator.decision_function(X)
    row_weights = np.where(y, 0.5 / y.mean(), 0.5 / (1 - y.mean())) if not weights else WEIGHTS
    if weights:
        row_weights = WEIGHTS / np.bincount(y, WEIGHTS)[y]
    losses = np.logaddexp(0, np.where(y, -scores, scores))
    assert history["loss"][0] == pytest.approx(np.average(losses, weights=row_weights), rel=1e-5)


# Heads and metrics ----------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["auto", "binary_crossentropy"])
@pytest.mark.parametrize("labels", [y, np.eye(2)[y]], ids=["codes", "one-hot"])
def test_two_sigmoids_are_refused_with_the_cure(labels, loss):
    """Trap 12."""
    with pytest.raises(ValueError, match=r"sum to one.*Dense\(1, activation='sigmoid'\)"):
        classifier(dense(2, activation="sigmoid"), loss=loss).fit(X, labels)


@pytest.mark.filterwarnings("ignore:.*You are using a softmax over axis:UserWarning")
def test_a_softmax_of_one_unit_is_refused_with_the_cure():
    """Trap 13."""
    with pytest.raises(ValueError, match=r"answers 1\.0 for every row.*activation='sigmoid'"):
        classifier(dense(1, activation="softmax")).fit(X, y)


@pytest.mark.parametrize("logits", [False, True])
def test_multiclass_metrics_are_not_all_accuracy(logits):
    """Trap 14."""

    def build(meta):
        return keras.Sequential([keras.Input((5,)), output_layer(meta, logits=logits)])

    fitted = classifier(
        build,
        metrics=["accuracy", "Precision", "Recall", "F1Score"],
        optimizer__learning_rate=2.0,
        class_weight=None,
        **EAGER,
    ).fit(X3, y3, validation_data=(X3, y3))
    predicted = fitted.predict(X3)
    expected = {
        "accuracy": accuracy_score(y3, predicted),
        "Precision": precision_score(y3, predicted, average="macro", zero_division=0),
        "Recall": recall_score(y3, predicted, average="macro"),
        "F1Score": f1_score(y3, predicted, average="macro"),
    }
    found = {name: fitted.history_[f"val_{name}"][-1] for name in expected}
    assert found == pytest.approx(expected, rel=1e-5)
    assert len({round(value, 4) for value in found.values()}) == 4


@pytest.mark.parametrize(
    "head", [(1, "sigmoid"), (2, "softmax"), (1, None), (2, None)], ids=lambda head: str(head)
)
def test_f1_of_a_single_column_does_not_call_every_row_positive(head):
    """Trap 15."""
    fitted = classifier(
        dense(head[0], activation=head[1]), metrics=["F1Score"], epochs=1, **EAGER
    ).fit(X, y, validation_data=(X, y))
    found = fitted.history_["val_F1Score"][-1]
    assert found == pytest.approx(f1_score(y, fitted.predict(X)), rel=1e-5)
    assert found != pytest.approx(f1_score(y, np.ones_like(y)), rel=1e-3)


@pytest.mark.parametrize("rare", [1, 0])
@pytest.mark.parametrize("weights", [None, WEIGHTS[:60]], ids=["", "weighted"])
def test_the_score_that_stops_training_is_exact(rare, weights):
    """Trap 16."""
    labels = y if rare else 1 - y
    held_out = (X[:60], labels[:60]) + (() if weights is None else (weights,))
    fitted = classifier(early_stopping=True, epochs=3, optimizer__learning_rate=0.1).fit(
        X[60:], labels[60:], validation_data=held_out
    )
    scores = fitted.decision_function(X[:60])
    exact = average_precision_score(
        labels[:60] == rare, scores if rare else -scores, sample_weight=weights
    )
    assert fitted.best_validation_score_ == pytest.approx(exact, abs=1e-6)
    history = fitted.history_["val_average_precision"]
    assert max(history) == history[fitted.best_iteration_ - 1] == fitted.best_validation_score_


@pytest.mark.parametrize(
    "callback",
    [
        keras.callbacks.EarlyStopping(monitor="val_loss"),
        keras.callbacks.ReduceLROnPlateau(monitor="val_average_precision", mode="max"),
        keras.callbacks.ModelCheckpoint("never.keras", monitor="val_loss", save_best_only=True),
    ],
    ids=lambda callback: type(callback).__name__,
)
def test_monitoring_validation_without_validation_rows_is_an_error(callback):
    """Trap 17."""
    began = []
    watcher = keras.callbacks.LambdaCallback(on_train_begin=lambda logs: began.append(logs))
    with pytest.raises(ValueError, match=r"no validation rows\. Give validation_split"):
        classifier(callbacks=[watcher, callback]).fit(X, y)
    assert not began


@pytest.mark.parametrize(
    ("monitor", "nearest"),
    [("val_los", "val_loss"), ("val_averge_precision", "val_average_precision")],
)
def test_a_misspelt_monitor_is_an_error_that_names_the_nearest(monitor, nearest):
    """Trap 17."""
    stopper = keras.callbacks.EarlyStopping(monitor=monitor, mode="max")
    with pytest.raises(ValueError, match=f"Did you mean '{nearest}'"):
        classifier(callbacks=stopper, validation_split=0.2).fit(X, y)


@pytest.mark.parametrize(
    "loss", ["binary_focal_crossentropy", keras.losses.BinaryFocalCrossentropy]
)
def test_alpha_of_the_focal_loss_is_not_ignored(loss):
    """Trap 18."""
    first = classifier().initialize(X, y).predict_proba(X)[:, 1]
    found = []
    for alpha in (0.25, 0.9):
        fitted = classifier(
            loss=loss,
            loss__apply_class_balancing=True,
            loss__alpha=alpha,
            loss__gamma=3.0,
            class_weight=None,
            output_bias=None,
            epochs=1,
            batch_size=-1,
            run_eagerly=True,
        )
        first = clone(fitted).initialize(X, y).predict_proba(X)[:, 1]
        fitted.fit(X, y)
        p_true = np.where(y, first, 1 - first)
        focal = np.where(y, alpha, 1 - alpha) * (1 - p_true) ** 3 * -np.log(p_true)
        assert fitted.history_["loss"][0] == pytest.approx(focal.mean(), rel=1e-4)
        found.append(weights_of(fitted))
    assert not np.allclose(*found)


# The output's bias ----------------------------------------------------------------------------


@pytest.mark.parametrize("head", [output_layer, None], ids=["sigmoid", "softmax of two"])
@pytest.mark.parametrize(("class_weight", "prior"), [("balanced", 0.5), (None, y.mean())])
def test_an_untrained_network_predicts_the_prior_it_is_to_see(head, class_weight, prior):
    """Trap 25."""
    build = logistic if head else dense(2, activation="softmax", kernel_initializer="zeros")
    params = {"model__kernel": "zeros"} if head else {}
    untrained = classifier(build, class_weight=class_weight, epochs=0, **params).fit(X, y)
    np.testing.assert_allclose(untrained.predict_proba(X)[:, 1], prior, rtol=1e-5)
    np.testing.assert_allclose(untrained.training_prior_, [1 - prior, prior])


def test_an_untrained_network_of_several_classes_predicts_their_shares():
    """Trap 25."""
    untrained = classifier(model__kernel="zeros", class_weight=None).initialize(X3, y3)
    shares = np.tile(np.bincount(y3) / len(y3), (len(y3), 1))
    np.testing.assert_allclose(untrained.predict_proba(X3), shares, rtol=1e-5)


def test_the_first_epochs_are_not_spent_on_learning_the_base_rate():
    """Trap 25."""
    rng = np.random.default_rng(0)
    rows, labels = rng.normal(size=(200, 3)), np.arange(200) < 4
    params = {"class_weight": None, "batch_size": -1, "run_eagerly": True, "model__kernel": "zeros"}
    with_bias = classifier(**params).fit(rows, labels)
    without = classifier(**params, output_bias=None).fit(rows, labels)
    entropy = -(0.02 * np.log(0.02) + 0.98 * np.log(0.98))
    assert with_bias.history_["loss"][0] == pytest.approx(entropy, rel=1e-5)
    assert without.history_["loss"][0] == pytest.approx(np.log(2), rel=1e-5)
    assert with_bias.history_["loss"][1] < without.history_["loss"][1] / 5


# Custom losses --------------------------------------------------------------------------------


def through_joblib(fitted):
    file = io.BytesIO()
    joblib.dump(fitted, file)
    file.seek(0)
    return joblib.load(file)


@pytest.fixture(scope="module", params=[Power(1.5), brier], ids=["subclass", "function"])
def custom(request):
    return classifier(loss=request.param, optimizer="adam", epochs=1).fit(X, y)


@pytest.mark.parametrize(
    "travel",
    [lambda fitted: pickle.loads(pickle.dumps(fitted)), through_joblib, copy.deepcopy],
    ids=["pickle", "joblib", "deepcopy"],
)
def test_unregistered_losses_travel(custom, travel):
    """Trap 33."""
    traveller = travel(custom)
    np.testing.assert_array_equal(traveller.predict_proba(X), custom.predict_proba(X))
    # The original must not be trained by it: continue a second copy beside the first.
    twin = copy.deepcopy(custom)
    assert_same_network(traveller.partial_fit(X, y), twin.partial_fit(X, y))
    assert not np.array_equal(weights_of(traveller), weights_of(custom))


def test_clones_keep_unregistered_losses(custom):
    """Trap 33: the argument is in no get_config, but a clone keeps it."""
    assert_same_network(clone(custom).fit(X, y), custom)


CONTINUE = """
import pickle, sys
import test_traps as traps
with open(sys.argv[1], "rb") as file:
    all_fitted = pickle.load(file)
answers = []
for fitted in all_fitted:
    before = fitted.predict_proba(traps.X)
    answers.append((before, traps.weights_of(fitted.partial_fit(traps.X, traps.y))))
with open(sys.argv[2], "wb") as file:
    pickle.dump(answers, file)
"""


@pytest.fixture(scope="module", autouse=True)
def elsewhere(tmp_path_factory):
    """Two fitted classifiers, and another process that is at work on their pickle."""
    fitted = [classifier(loss=loss, epochs=1).fit(X, y) for loss in (Power(1.5), brier)]
    question = tmp_path_factory.mktemp("elsewhere") / "fitted.pickle"
    question.write_bytes(pickle.dumps(fitted))
    answer = question.with_name("answers.pickle")
    paths = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    process = subprocess.Popen(
        [sys.executable, "-c", CONTINUE, str(question), str(answer)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stderr=subprocess.PIPE,
    )
    yield fitted, process, answer
    if process.poll() is None:
        process.kill()
        process.communicate()


def test_another_process_reads_and_continues_unregistered_losses(elsewhere):
    """Trap 33."""
    fitted, process, answer = elsewhere
    errors = process.communicate()[1]
    assert process.returncode == 0, errors.decode()
    for original, (before, after) in zip(fitted, pickle.loads(answer.read_bytes()), strict=True):
        np.testing.assert_array_equal(before, original.predict_proba(X))
        np.testing.assert_array_equal(after, weights_of(original.partial_fit(X, y)))


# Randomness -----------------------------------------------------------------------------------


def dropping(meta):
    """A network that draws in three ways: initialisers, dropout, TensorFlow's own operations."""
    inputs = keras.Input((meta["n_features_in_"],))
    hidden = keras.layers.Dense(4, activation="relu")(inputs)
    return keras.Model(inputs, output_layer(meta)(keras.layers.Dropout(0.5)(hidden)))


def test_a_seeded_fit_does_not_leave_determinism_switched_on():
    """Trap 34: with it, TensorFlow refuses to draw without a seed."""
    with seeded(0):  # to put back what is unseeded here
        tf.random.set_seed(None)
        classifier(dropping, epochs=1).fit(X, y)
        assert np.isfinite(tf.random.uniform(()).numpy())
        plain = keras.Sequential([keras.Input((5,)), keras.layers.Dense(1, activation="sigmoid")])
        plain.compile("sgd", "binary_crossentropy", run_eagerly=True)
        history = plain.fit(X, y, shuffle=True, batch_size=75, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


@pytest.mark.parametrize("work", ["fit", "partial_fit", "initialize"])
def test_a_seeded_fit_leaves_all_random_streams_as_they_were(work):
    """Trap 34."""

    def draws():
        return (
            random.random(),
            np.random.random(),
            float(tf.random.uniform(())),
            float(keras.random.uniform(())),
            float(keras.initializers.GlorotUniform()((1, 1))[0, 0]),
        )

    with seeded(1):
        draws()
        expected = draws(), draws()
    with seeded(1):
        draws()
        fitted = getattr(classifier(dropping, epochs=1), work)(X, y)
        first = draws()
        fitted.predict_proba(X)
        assert (first, draws()) == expected


@pytest.mark.parametrize("seed_of_operation", [None, 7])
def test_a_builder_that_draws_from_tensorflow_itself_repeats(seed_of_operation):
    """Trap 34: an eager random operation goes on where it last stood for an equal seed."""
    drawn = []

    def build(meta):
        drawn.append(tf.random.normal((), seed=seed_of_operation).numpy().item())
        return logistic(meta, kernel=keras.initializers.Constant(drawn[-1]))

    fits = [classifier(build, epochs=1, random_state=seed).fit(X, y) for seed in (1, 2, 1, 1)]
    assert drawn[0] == drawn[2] == drawn[3] != drawn[1]
    assert_same_network(fits[0], fits[3])


def test_a_random_state_instance_advances_from_fit_to_fit():
    """Trap 35."""

    def fits(estimator, read):
        estimator.set_params(random_state=np.random.RandomState(0))
        first = read(estimator.fit(X, y))
        copies = [read(twin.fit(X, y)) for twin in (clone(estimator), clone(estimator))]
        fitted = [first, *copies, read(estimator.fit(X, y))]
        return [[np.array_equal(one, other) for one in fitted] for other in fitted]

    ours = fits(classifier(epochs=0), weights_of)
    forest = RandomForestClassifier(3, max_depth=2)
    assert ours == fits(forest, lambda fitted: fitted.predict_proba(X))
    assert not ours[0][3]
    assert not ours[0][1]


# Instances ------------------------------------------------------------------------------------


def test_an_optimizer_instance_serves_two_fits():
    """Trap 36."""
    estimator = classifier(optimizer=keras.optimizers.Adam(0.01), epochs=1)
    first = weights_of(estimator.fit(X, y))
    # Other columns, so that slots of the first fit would not even have the right shape.
    estimator.fit(X[:, :3], y)
    np.testing.assert_array_equal(weights_of(estimator.fit(X, y)), first)
    assert estimator.optimizer.iterations == 0


def test_a_callback_instance_serves_two_fits():
    """Trap 36."""
    stopper = keras.callbacks.EarlyStopping(monitor="loss", min_delta=1e9, patience=1)
    estimator = classifier(callbacks=[stopper], epochs=5)
    histories = [estimator.fit(X, y).history_["loss"] for _ in range(2)]
    assert histories[0] == histories[1]
    assert len(histories[0]) == 2
    assert getattr(stopper, "model", None) is None
    assert estimator.callbacks_[0].stopped_epoch == 1
    assert stopper.stopped_epoch == 0


# Early stopping on rare classes ---------------------------------------------------------------


def test_early_stopping_sees_a_class_that_accuracy_does_not():
    """Trap 37."""
    rng = np.random.default_rng(1)
    labels = (np.arange(2000) < 10).astype(int)
    rows = rng.normal(size=(2000, 4)) + 0.7 * labels[:, None]
    fitted = classifier(
        early_stopping=True,
        n_iter_no_change=3,
        epochs=40,
        metrics=["accuracy"],
        class_weight=None,
        optimizer__learning_rate=2.0,
        batch_size=100,
    ).fit(rows[::2], labels[::2], validation_data=(rows[1::2], labels[1::2]))
    history = fitted.history_
    assert set(np.round(history["val_accuracy"], 6)) == {0.995}
    scores = history["val_average_precision"]
    assert len(set(scores)) > 2
    assert fitted.best_iteration_ == 1 + int(np.argmax(scores)) == fitted.n_iter_ - 3
    kept = average_precision_score(labels[1::2], expit(fitted.decision_function(rows[1::2])))
    assert kept == pytest.approx(max(scores), abs=1e-6)
    assert kept > scores[-1]


# Many fits, many predictions, many processes ---------------------------------------------------


def resident_megabytes():
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads Linux' own figures")
def test_fits_leave_no_memory_behind():
    """Trap 28: SciKeras leaves about 5 MB a fit; 150 fits may leave 30 here."""
    for seed in range(5):
        classifier(dropping, epochs=1, random_state=seed).fit(X, y)
    before = resident_megabytes()
    for seed in range(30):
        classifier(dropping, epochs=1, random_state=seed).fit(X, y)
    assert resident_megabytes() - before < 6


def test_equal_networks_are_named_alike_whatever_was_built_before():
    """Trap 28: TensorFlow keeps a kernel for each name that a variable ever had."""
    first = classifier(dropping, epochs=1).fit(X, y)
    outside = keras.layers.Dense(1)
    second = classifier(dropping, epochs=1).fit(X, y)
    names = [[layer.name for layer in fitted.model_.layers] for fitted in (first, second)]
    assert names[0] == names[1]
    assert outside.name not in names[0]
    assert keras.layers.Dense(1).name != outside.name


def test_builders_may_use_layers_that_were_made_elsewhere():
    """Trap 28: their names may be those that a count from the start would give again."""
    keras.backend.clear_session()
    elsewhere = keras.layers.Dense(4, activation="relu")

    def build(meta):
        return keras.Sequential([keras.Input((5,)), elsewhere, output_layer(meta)])

    assert elsewhere.name == "dense"
    fitted = classifier(build, epochs=1).fit(X, y)
    assert len({layer.name for layer in fitted.model_.layers}) == 2


def test_many_fits_say_nothing_of_retracing():
    """Trap 29: from the fifth fit on, TensorFlow would warn on its own logger."""

    class Doubled(keras.layers.Layer):
        def call(self, inputs):
            return 2 * inputs

    def unshared(meta):
        return keras.Sequential([keras.Input((5,)), Doubled(), output_layer(meta)])

    said = []
    handler = logging.Handler()
    handler.emit = said.append
    tf.get_logger().addHandler(handler)
    try:
        for seed in range(7):
            fitted = classifier(unshared, epochs=1, random_state=seed).fit(X, y)
            for n_rows in (1, 3, len(X)):
                fitted.predict_proba(X[:n_rows])
    finally:
        tf.get_logger().removeHandler(handler)
    assert said == []


def test_predictions_pass_through_one_traced_function(monkeypatch):
    """Trap 30: ``Model.predict`` sets up a pipeline a call, and traces for new row counts."""
    fitted = classifier(dropping, epochs=1).fit(X, y)
    whole = fitted.predict_proba(X)
    traced = compile_cache_info().misses
    monkeypatch.setattr(keras.Model, "predict", None)
    monkeypatch.setattr(keras.Model, "__call__", None)
    for n_rows in (1, 2, 3, 64, 65, 149):
        np.testing.assert_allclose(fitted.predict_proba(X[:n_rows]), whole[:n_rows], rtol=1e-5)
    fitted.predict(X)
    fitted.decision_function(X)
    assert compile_cache_info().misses == traced


def test_threads_spare_the_start_of_processes():
    """Trap 32: a new process loads TensorFlow anew, which takes longer than many small fits."""
    with joblib.parallel_config("threading"):
        together, alone = (
            cross_validate(classifier(dropping), X, y, cv=3, scoring="roc_auc", n_jobs=n_jobs)
            for n_jobs in (3, 1)
        )
    np.testing.assert_array_equal(together["test_score"], alone["test_score"])


# Thresholds -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "inner",
    [DecisionTreeClassifier(random_state=0), KNeighborsClassifier(1)],
    ids=["tree", "neighbour"],
)
def test_thresholds_are_not_tuned_on_rows_that_the_model_has_learned_by_heart(inner):
    """Trap 21."""
    rng = np.random.default_rng(0)
    noise, labels = rng.normal(size=(600, 5)), (rng.random(600) < 0.15).astype(int)
    rows, target = noise[:300], labels[:300]
    by_heart = ThresholdOptimizerCV(
        clone(inner).fit(rows, target), scoring="f1", cv="prefit", refit=False
    ).fit(rows, target)
    tuned = ThresholdOptimizerCV(inner, scoring="f1").fit(rows, target)
    # All that can be reached by chance: every row is called positive.
    chance = f1_score(labels[300:], np.ones(300))
    assert by_heart.best_score_ == 1
    assert f1_score(labels[300:], by_heart.predict(noise[300:])) < chance + 0.05
    assert tuned.best_score_ < chance + 0.05


@pytest.mark.parametrize(
    "scoring",
    [
        "roc_auc",
        "average_precision",
        "neg_log_loss",
        "neg_brier_score",
        make_scorer(average_precision_score, response_method="predict_proba"),
        make_scorer(roc_auc_score, response_method=("decision_function", "predict_proba")),
    ],
    ids=str,
)
def test_a_threshold_is_not_tuned_for_what_no_threshold_changes(scoring):
    """Trap 22."""
    with pytest.raises(ValueError, match="no decision changes those; choose an objective"):
        ThresholdOptimizerCV(LogisticRegression(), scoring=scoring).fit(X, y)
    with pytest.raises(ValueError, match="no decision changes those"):
        ThresholdOptimizerCV(LogisticRegression(), constraint=(scoring, 0.5)).fit(X, y)


@pytest.mark.parametrize("scoring", ["f1", "matthews_corrcoef"])
def test_exact_thresholds_see_what_coarse_grids_miss(scoring):
    """Trap 23: one row in two hundred is positive, and few scores lie far from the others."""
    rng = np.random.default_rng(0)
    labels = (np.arange(12_000) % 200 == 0).astype(int)
    rows = rng.standard_t(3, size=(12_000, 1)) + 2.5 * labels[:, None]
    fitted = LogisticRegression().fit(rows[:4000], labels[:4000])
    prefit = {"scoring": scoring, "cv": "prefit", "refit": False}
    held_out = rows[4000:], labels[4000:]

    def best(thresholds):
        ours = ThresholdOptimizerCV(fitted, thresholds=thresholds, selection="max", **prefit)
        return ours.fit(*held_out).best_score_

    exact = best("exact")
    peer = TunedThresholdClassifierCV(fitted, thresholds=100, **prefit).fit(*held_out)
    even = np.linspace(*fitted.predict_proba(rows)[[rows.argmin(), rows.argmax()], 1], 1000)
    assert exact >= max(best(100), best(1000), best(even))
    assert exact > peer.best_score_ + 0.005


def memorising(meta):
    hidden = keras.layers.Dense(64, activation="relu")
    return keras.Sequential([keras.Input(meta["X_shape_"][1:]), hidden, output_layer(meta)])


RARE_NOISE = np.random.default_rng(0).normal(size=(400, 20))
RARE_LABELS = (np.arange(400) % 10 == 0).astype(int)


@pytest.fixture(scope="module")
def by_heart():
    """A classifier that learns some hundred rows of noise by heart."""
    return BalancedKerasClassifier(
        memorising, optimizer__learning_rate=0.03, epochs=25, batch_size=64, random_state=0
    )


@pytest.mark.parametrize("sampler", ["over", SMOTE(random_state=0)], ids=str)
def test_resampling_happens_within_the_folds(by_heart, sampler):
    """Trap 19: of noise nothing can be learned, whatever a resampling before the folds says."""
    resampler = RandomOverSampler(random_state=0) if sampler == "over" else sampler
    leaking = cross_validate(
        clone(by_heart).set_params(early_stopping=False),
        *resampler.fit_resample(RARE_NOISE, RARE_LABELS),
        scoring="roc_auc",
        cv=2,
    )["test_score"]
    within = cross_validate(
        clone(by_heart).set_params(early_stopping=False, sampler=sampler),
        RARE_NOISE,
        RARE_LABELS,
        scoring="roc_auc",
        cv=2,
    )["test_score"]
    assert leaking.mean() > 0.85
    assert within.mean() < 0.65


def test_no_resampled_row_reaches_the_score_that_stops_training(by_heart):
    """Trap 20: a sampler as a step before the network leaks into the rows that it holds out."""
    stopping = clone(by_heart).set_params(
        early_stopping=True, validation_split=0.25, n_iter_no_change=25, scoring="roc_auc"
    )
    step = make_pipeline(RandomOverSampler(random_state=0), clone(stopping))
    leaking = step.fit(RARE_NOISE, RARE_LABELS)[-1].best_validation_score_
    within = stopping.set_params(sampler="over").fit(RARE_NOISE, RARE_LABELS)
    assert leaking > 0.9
    # The best of 25 epochs on 10 positives is above one half by chance.
    assert within.best_validation_score_ < 0.75


@pytest.fixture
def plans(monkeypatch):
    """The index plans of all epochs that are drawn from now on."""
    drawn, plan = [], Schedule.plan
    monkeypatch.setattr(Schedule, "plan", lambda *given: drawn.append(plan(*given)) or drawn[-1])
    return drawn


@pytest.mark.parametrize("sampler", [None, "over", "balanced"])
def test_every_batch_holds_rare_rows(plans, sampler):
    """Trap 26: of batches of 32 at 1.6 % four in ten or more hold no positive."""
    labels = (np.arange(1000) % 62 == 0).astype(int)
    rows = np.zeros((1000, 2), dtype=np.float32)
    classifier(sampler=sampler, batch_size=32, epochs=2, run_eagerly=False).fit(rows, labels)
    rare = [
        int(labels[plan.indices[at : at + 32]].sum())
        for plan in plans
        for at in range(0, len(plan.indices) - 31, 32)
    ]
    if sampler is None:
        assert np.mean(np.array(rare) > 0) < 0.65
    else:
        assert set(rare) == {16}


def test_under_sampling_uses_all_rows_where_the_peers_generator_draws_once(plans):
    """Trap 27: imbalanced-learn's generator shows 1,000 rows with 30 positives 60 of them."""
    labels = (np.arange(1000) < 30).astype(int)
    rows = np.zeros((1000, 2), dtype=np.float32)
    classifier(sampler="under", batch_size=400, epochs=33, run_eagerly=False).fit(rows, labels)
    assert [len(plan.indices) for plan in plans] == [60] * 33
    assert len(np.unique(np.concatenate([plan.indices for plan in plans]))) == 1000
