"""TrainingHistoryDisplay: what was logged is what is drawn, at the right epoch."""

import matplotlib
import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_imbalance_nn import (
    BalancedKerasClassifier,
    ThresholdOptimizerCV,
    TrainingHistoryDisplay,
)

matplotlib.use("Agg")
X, Y = make_classification(240, 6, weights=[0.8], random_state=0)
SMALL = {"width": 8, "depth": 1, "random_state": 0}


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    matplotlib.pyplot.close("all")


@pytest.fixture(scope="module")
def stopped():
    network = BalancedKerasClassifier(epochs=4, early_stopping=True, validation_split=0.3, **SMALL)
    return network.fit(X, Y)


def test_lines_are_the_history(stopped):
    display = TrainingHistoryDisplay.from_estimator(stopped)
    for line, name in [
        (display.loss_line_, "loss"),
        (display.val_loss_line_, "val_loss"),
        (display.score_line_, "val_average_precision"),
    ]:
        epochs, values = line.get_data()
        np.testing.assert_array_equal(epochs, [1, 2, 3, 4])
        np.testing.assert_array_equal(values, stopped.history_[name])
    assert list(display.best_line_.get_xdata()) == [stopped.best_iteration_] * 2
    assert display.score_ax_.get_ylabel() == "validation average precision"
    assert display.figure_ is display.ax_.figure


def test_network_is_found_within_others(stopped):
    pipeline = make_pipeline(StandardScaler(), BalancedKerasClassifier(epochs=2, **SMALL))
    search = GridSearchCV(pipeline, {}, cv=2).fit(X, Y)
    tuned = ThresholdOptimizerCV(pipeline, cv=0.3).fit(X, Y)
    prefit = ThresholdOptimizerCV(stopped, cv="prefit", refit=False).fit(X, Y)
    networks = search.best_estimator_[-1], tuned.estimator_[-1], stopped
    for outer, inner in zip((search, tuned, prefit), networks, strict=True):
        display = TrainingHistoryDisplay.from_estimator(outer)
        np.testing.assert_array_equal(display.loss_line_.get_ydata(), inner.history_["loss"])


def test_what_was_not_logged_is_not_drawn():
    plain = BalancedKerasClassifier(epochs=1, early_stopping=False, **SMALL).fit(X, Y)
    display = TrainingHistoryDisplay.from_estimator(plain)
    assert display.val_loss_line_ is display.score_line_ is display.best_line_ is None
    assert display.score_ax_ is None


@pytest.mark.parametrize(
    ("epochs", "frequency", "expected"), [(3, 2, [2]), (5, 3, [3]), (4, [1, 4], [1, 4])]
)
@pytest.mark.parametrize("given_to", ["estimator", "fit"])
def test_validation_stands_at_its_epochs(epochs, frequency, expected, given_to):
    params = {"fit__validation_freq": frequency} if given_to == "estimator" else {}
    options = {"validation_freq": frequency} if given_to == "fit" else {}
    network = BalancedKerasClassifier(
        epochs=epochs, validation_split=0.3, scoring="loss", early_stopping=False, **params, **SMALL
    ).fit(X, Y, **options)
    assert network.validated_epochs_ == expected
    display = TrainingHistoryDisplay.from_estimator(network)
    np.testing.assert_array_equal(display.val_loss_line_.get_xdata(), expected)
    assert display.score_line_ is None


def test_out_of_fold_scores_are_drawn_at_the_epochs_that_were_looked_at():
    """Of more than 80 epochs not all are."""
    params = {"model__members": 2, "model__width": 3, "random_state": 0, "early_stopping": True}
    network = BalancedKerasClassifier(epochs=90, n_iter_no_change=5, **params).fit(X, Y)
    display = TrainingHistoryDisplay.from_estimator(network)
    assert display.score_ax_.get_ylabel() == "out-of-fold average precision"
    epochs, scores = display.score_line_.get_data()
    assert list(epochs) == network.validated_epochs_ == list(range(2, network.n_iter_ + 1, 2))
    assert list(scores) == network.history_["oof_average_precision"]
    assert network.best_iteration_ in network.validated_epochs_


def test_validated_epochs_go_on_counting():
    network = BalancedKerasClassifier(
        epochs=2, validation_split=0.3, warm_start=True, early_stopping=False, **SMALL
    ).fit(X, Y)
    assert network.validated_epochs_ == [1, 2]
    assert network.partial_fit(X, Y).validated_epochs_ == [1, 2, 3]
    assert network.set_params(warm_start=False).fit(X, Y).validated_epochs_ == [1, 2]
    plain = BalancedKerasClassifier(epochs=1, early_stopping=False, **SMALL).fit(X, Y)
    assert plain.validated_epochs_ == []


def test_histories_with_gaps_are_not_guessed_at():
    history = {"loss": [3.0, 2.0, 1.0], "val_loss": [2.0]}
    with pytest.raises(ValueError, match=r"3 epochs and 'val_loss' of 1; .* validated="):
        TrainingHistoryDisplay.from_history(history)
    display = TrainingHistoryDisplay.from_history(history, validated=[2])
    assert display.val_loss_line_.get_xdata().tolist() == [2]


def test_histories_of_keras_are_drawn_on_given_axes():
    _, ax = matplotlib.pyplot.subplots()
    history = {"loss": [3.0, 2.0], "val_auc": [0.5, 0.75]}
    display = TrainingHistoryDisplay.from_history(
        history, score_name="val_auc", best_epoch=2, ax=ax
    )
    assert display.ax_ is ax
    assert display.score_line_.get_ydata().tolist() == [0.5, 0.75]
    assert display.val_loss_line_ is None


def test_missing_quantities_and_networks_are_named():
    with pytest.raises(ValueError, match=r"holds no 'val_f1', only \['loss'\]"):
        TrainingHistoryDisplay.from_history({"loss": [1.0]}, score_name="val_f1")
    with pytest.raises(ValueError, match="holds no 'loss'"):
        TrainingHistoryDisplay.from_history({})
    with pytest.raises(TypeError, match="LogisticRegression holds no BalancedKerasClassifier"):
        TrainingHistoryDisplay.from_estimator(LogisticRegression().fit(X, Y))
