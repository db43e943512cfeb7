"""``correct_prior``: whatever balanced the training, probabilities come back to those of the data.

Six kinds of rows, each with a known share of positives, and a network that has one logit for each
of them: it can reach the minimum of any loss, and at the minimum the way back must be exact.
"""

import keras
import numpy as np
import pytest
from helpers import EAGER
from imblearn.under_sampling import RandomUnderSampler
from sklearn.datasets import make_classification
from sklearn.metrics import brier_score_loss, log_loss

from sk_imbalance_nn import BalancedKerasClassifier, ThresholdOptimizerCV, output_layer
from sk_imbalance_nn.losses import FocalLoss

KINDS, ROWS = 6, 100
ONE_HOT = np.repeat(np.eye(KINDS), ROWS, axis=0)
SHARES = np.array([0.01, 0.02, 0.04, 0.08, 0.15, 0.6])
Y = np.concatenate([np.arange(ROWS) < round(share * ROWS) for share in SHARES]).astype(int)
# Three classes, the third as frequent in every kind.
SHARES3 = np.column_stack([0.9 - SHARES, SHARES, np.full(KINDS, 0.1)])
Y3 = np.concatenate([np.repeat([0, 1, 2], np.round(s * ROWS).astype(int)) for s in SHARES3])
LABELS = np.column_stack([Y, Y[::-1]])


def table_of_logits(meta, logits=False):
    last = output_layer(meta, logits=logits, kernel_initializer="zeros")
    return keras.Sequential([keras.Input((KINDS,)), last])


def at_the_minimum(y, epochs=200, **params):
    rate = keras.optimizers.schedules.CosineDecay(0.5, epochs, alpha=0.01)
    return BalancedKerasClassifier(
        table_of_logits,
        optimizer=keras.optimizers.Adam(rate),
        epochs=epochs,
        batch_size=-1,
        early_stopping=False,
        correct_prior=True,
        random_state=0,
        **params,
    ).fit(ONE_HOT, y)


@pytest.mark.parametrize(
    "params",
    [
        {"class_weight": None},
        {"class_weight": "balanced"},
        {"class_weight": {0: 1, 1: 30}, "sampler": "over"},
        {"sampler": "balanced", "sampler__sampling_strategy": 0.5, "class_weight": None},
        {"sampler": RandomUnderSampler(), "class_weight": None},
        {"loss": "focal"},
        {"loss": "focal", "class_weight": None, "sampler": "under"},
        {"loss": "logit_adjusted"},
        {"loss": "logit_adjusted", "loss__tau": 0.5, "class_weight": {0: 1, 1: 3}},
        {"loss": "balanced_softmax", "sampler": "over"},
        {"loss": "ldam", "loss__reweight_after": None},
        {"loss": "ldam", "loss__scale": 3.0, "class_weight": None},
        {"loss": "ldam", "loss__reweight_after": 0.3, "model__logits": True},
        {"loss": "asymmetric", "loss__gamma_negative": 2.0},
    ],
    ids=str,
)
def test_the_posterior_comes_back_from_every_way_of_balancing(params):
    fitted = at_the_minimum(Y, **params)
    probabilities = fitted.predict_proba(np.eye(KINDS))
    np.testing.assert_allclose(probabilities[:, 1], SHARES, atol=0.012)
    np.testing.assert_allclose(fitted.predict_proba(ONE_HOT)[:, 1].mean(), Y.mean(), atol=0.006)


@pytest.mark.parametrize(
    "params",
    [
        {"class_weight": "balanced"},
        {"sampler": "balanced", "loss": "focal"},
        {"loss": "logit_adjusted"},
        {"loss": "ldam", "loss__reweight_after": None},
    ],
    ids=str,
)
def test_the_posterior_of_several_classes_comes_back(params):
    fitted = at_the_minimum(Y3, **params)
    np.testing.assert_allclose(fitted.predict_proba(np.eye(KINDS)), SHARES3, atol=0.015)


@pytest.mark.parametrize(
    "params",
    [
        {"class_weight": "balanced"},
        {"sampler": "over"},
        {"loss": "focal"},
        {"loss": "balanced_softmax"},
        {"loss": "asymmetric", "loss__gamma_negative": 2.0, "class_weight": [3.0, 2.0]},
    ],
    ids=str,
)
def test_the_posterior_of_labels_comes_back(params):
    fitted = at_the_minimum(LABELS, **params)
    truth = np.column_stack([SHARES, SHARES[::-1]])
    np.testing.assert_allclose(fitted.predict_proba(np.eye(KINDS)), truth, atol=0.02)


@pytest.fixture(scope="module")
def balanced():
    return at_the_minimum(Y, epochs=150)


def test_answers_follow_probabilities(balanced):
    corrected = balanced.predict_proba(np.eye(KINDS))
    np.testing.assert_array_equal(balanced.predict(np.eye(KINDS)), corrected[:, 1] > 0.5)
    scores = balanced.decision_function(np.eye(KINDS))
    np.testing.assert_allclose(scores, np.log(corrected[:, 1] / corrected[:, 0]), rtol=1e-6)


@pytest.mark.parametrize(
    ("wanted", "prior"), [("balanced", 0.5), (0.3, 0.3), ([0.7, 0.3], 0.3), (False, 0.5)]
)
def test_another_prior_is_met_without_a_fit(balanced, wanted, prior):
    truth = SHARES * prior / Y.mean()
    truth = truth / (truth + (1 - SHARES) * (1 - prior) / (1 - Y.mean()))
    for_now = balanced.get_params()["correct_prior"]
    probabilities = balanced.set_params(correct_prior=wanted).predict_proba(np.eye(KINDS))
    balanced.set_params(correct_prior=for_now)
    np.testing.assert_allclose(probabilities[:, 1], truth, atol=0.03)


def test_logit_adjustment_post_hoc_is_a_balanced_prior():
    plain = at_the_minimum(Y3, epochs=150, class_weight=None)
    logits = np.log(plain.predict_proba(np.eye(KINDS)))
    adjusted = logits - np.log(plain.class_prior_)  # Menon et al. (2021), equation 9
    answers = plain.set_params(correct_prior="balanced").predict(np.eye(KINDS))
    tied = 4  # there two classes are as many times as frequent as elsewhere
    untied = np.delete(np.arange(KINDS), tied)
    np.testing.assert_array_equal(answers[untied], adjusted.argmax(axis=1)[untied])
    loss = at_the_minimum(Y3, epochs=150, loss="logit_adjusted").set_params(correct_prior=False)
    np.testing.assert_array_equal(loss.predict(np.eye(KINDS))[untied], answers[untied])


def test_balanced_weights_ruin_probabilities_and_the_prior_mends_them():
    # The table of traps: mean p .341 where the truth is .015; log loss .511, corrected .063.
    X, y = make_classification(6000, 10, weights=[0.985], flip_y=0.01, random_state=0)

    def logistic(meta):
        return keras.Sequential([keras.Input((10,)), output_layer(meta)])

    fitted = BalancedKerasClassifier(logistic, epochs=30, optimizer__learning_rate=0.02)
    fitted.fit(X[:4000], y[:4000])
    raw = fitted.predict_proba(X[4000:])[:, 1]
    mended = fitted.set_params(correct_prior=True).predict_proba(X[4000:])[:, 1]
    assert raw.mean() > 10 * y.mean()
    assert abs(mended.mean() - y[4000:].mean()) < 0.01
    assert log_loss(y[4000:], mended) < 0.3 * log_loss(y[4000:], raw)
    assert brier_score_loss(y[4000:], mended) < 0.3 * brier_score_loss(y[4000:], raw)
    assert np.array_equal(np.argsort(raw, kind="stable"), np.argsort(mended, kind="stable"))


def test_probabilities_stay_finite_at_any_logit():
    model = BalancedKerasClassifier(table_of_logits, loss="ldam", epochs=0, **EAGER)
    fitted = model.set_params(correct_prior=True, output_bias=None).fit(ONE_HOT, Y)
    for loss in ("ldam", "focal", "logit_adjusted", "asymmetric"):
        fitted = model.set_params(loss=loss).fit(ONE_HOT, Y)
        kernel, bias = fitted.model_.get_weights()
        kernel[:, 0] = [-100, -10, 0, 10, 90, 100]
        fitted.model_.set_weights([kernel, bias])
        scores = fitted.decision_function(np.eye(KINDS))
        assert np.isfinite(scores).all()
        assert (np.diff(scores) >= 0).all()


def test_the_scores_that_stop_training_are_those_of_corrected_probabilities():
    model = BalancedKerasClassifier(
        table_of_logits, epochs=2, scoring="neg_log_loss", early_stopping=True, random_state=0
    )
    raw = model.fit(ONE_HOT, Y).history_["val_neg_log_loss"][0]
    corrected = model.set_params(correct_prior=True).fit(ONE_HOT, Y).history_["val_neg_log_loss"][0]
    assert corrected > raw + 0.2


def test_thresholds_follow_corrected_probabilities(balanced):
    tuned = ThresholdOptimizerCV(balanced, scoring="f1", cv="prefit", refit=False).fit(ONE_HOT, Y)
    assert 0.15 < tuned.best_threshold_ < 0.6


def test_a_saved_classifier_corrects_as_before(tmp_path, balanced):
    path = tmp_path / "corrected.bkc"
    balanced.save(path)
    loaded = BalancedKerasClassifier.load(path)
    expected = balanced.predict_proba(np.eye(KINDS))
    np.testing.assert_array_equal(loaded.predict_proba(np.eye(KINDS)), expected)
    focal = at_the_minimum(Y, epochs=5, loss="focal", loss__gamma=1.5)
    focal.save(path)
    loaded = BalancedKerasClassifier.load(path)
    expected = focal.predict_proba(np.eye(KINDS))
    np.testing.assert_array_equal(loaded.predict_proba(np.eye(KINDS)), expected)


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"correct_prior": [0.2, 0.2, 0.6]}, "shape"),
        ({"correct_prior": [0.2, 0.2]}, "adds up to"),
        ({"correct_prior": 1.5}, "correct_prior"),
        ({"correct_prior": True, "loss": "binary_focal_crossentropy"}, "loss='focal'"),
    ],
)
def test_what_cannot_be_corrected_is_refused_before_training(params, match):
    with pytest.raises(ValueError, match=match):
        BalancedKerasClassifier(table_of_logits, **params, **EAGER).fit(ONE_HOT, Y)


def stopping_early(**params):
    return BalancedKerasClassifier(
        table_of_logits,
        loss="ldam",
        epochs=12,
        early_stopping=True,
        validation_split=0.3,
        n_iter_no_change=2,
        random_state=0,
        **params,
    )


def test_early_stopping_waits_for_weights_that_were_put_off():
    fitted = stopping_early().fit(ONE_HOT, Y)
    assert fitted.best_iteration_ > 10
    assert fitted.model_.loss.reweighing
    np.testing.assert_allclose(fitted.training_prior_, 0.5)
    interrupted = stopping_early(callbacks=keras.callbacks.LambdaCallback(on_epoch_end=stop))
    with pytest.warns(UserWarning, match="interrupted"):
        interrupted.set_params(early_stopping=False).fit(ONE_HOT, Y)
    # Nothing was weighed yet when somebody ended training.
    np.testing.assert_allclose(interrupted.training_prior_, interrupted.class_prior_)


def stop(epoch, logs):
    raise KeyboardInterrupt


@pytest.mark.parametrize("epochs", [1, 4, 5])
def test_weights_that_were_put_off_count_in_the_last_epoch_at_least(epochs):
    fitted = BalancedKerasClassifier(table_of_logits, loss="ldam", **{**EAGER, "epochs": epochs})
    assert fitted.fit(ONE_HOT, Y).model_.loss.reweighing


def test_parts_of_a_training_weigh_as_all_rows_so_far():
    model = BalancedKerasClassifier(table_of_logits, loss="ldam", random_state=0, **EAGER)
    even = np.arange(100) % 2
    model.partial_fit(ONE_HOT[:100], even)
    np.testing.assert_allclose(model.model_.loss.class_weight, [1, 1])
    model.partial_fit(ONE_HOT, Y)
    ratio = np.divide(*model.class_weight_.values())
    np.testing.assert_allclose(np.divide(*model.model_.loss.class_weight), ratio)
    assert model.model_.loss.reweighing


def test_parts_of_a_training_add_up_to_the_priors_of_labels():
    model = BalancedKerasClassifier(table_of_logits, loss="logit_adjusted", **EAGER)
    model.partial_fit(ONE_HOT, LABELS)
    without = LABELS * [0, 1]
    model.partial_fit(ONE_HOT, without)
    expected = (LABELS.mean(axis=0) + without.mean(axis=0)) / 2
    np.testing.assert_allclose(model.class_prior_, expected)
    np.testing.assert_allclose(model.model_.loss.prior, expected)


def test_a_failed_continuation_leaves_the_loss_as_it_was():
    class Fails(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise RuntimeError

    for loss in ("logit_adjusted", "ldam"):
        model = BalancedKerasClassifier(table_of_logits, loss=loss, correct_prior=True, **EAGER)
        before = model.partial_fit(ONE_HOT, Y).predict_proba(np.eye(KINDS))
        with pytest.raises(RuntimeError):
            model.partial_fit(ONE_HOT[:100], np.arange(100) % 2, callbacks=[Fails()])
        np.testing.assert_array_equal(model.predict_proba(np.eye(KINDS)), before)


def test_a_file_whose_metrics_are_lost_reads_its_probabilities_as_before(tmp_path):
    def unknown(y_true, y_pred):
        return y_pred

    params = {"loss": "ldam", "loss__scale": 9.0, "metrics": [unknown], "epochs": 2}
    fitted = BalancedKerasClassifier(table_of_logits, **params, **EAGER).fit(ONE_HOT, Y)
    fitted.save(tmp_path / "scaled.bkc")
    with pytest.warns(UserWarning, match="uncompiled"):
        loaded = BalancedKerasClassifier.load(tmp_path / "scaled.bkc")
    expected = fitted.predict_proba(np.eye(KINDS))
    np.testing.assert_array_equal(loaded.predict_proba(np.eye(KINDS)), expected)


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"correct_prior": 1}, "share of positives"),
        ({"correct_prior": "yes"}, "'balanced'"),
        ({"correct_prior": None}, "bool"),
        ({"correct_prior": [0.5, 0.2, 0.3]}, "shape"),
    ],
)
def test_a_prior_that_is_set_later_is_checked_when_predicting(balanced, params, match):
    before = balanced.correct_prior
    with pytest.raises(ValueError, match=match):
        balanced.set_params(**params).predict_proba(ONE_HOT)
    balanced.set_params(correct_prior=before)


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"class_weight": {0: 1, 1: 0}, "correct_prior": True}, "never trained on"),
        ({"loss": "mean_absolute_error", "correct_prior": True}, "does not learn"),
        (
            {"loss": keras.losses.BinaryCrossentropy(label_smoothing=0.1), "correct_prior": True},
            "label_smoothing",
        ),
        ({"loss": FocalLoss, "loss__class_weight": [1, 5]}, "give it to the classifier"),
        ({"loss": "ldam", "loss__class_weight": [1, 5]}, "give it to the classifier"),
        ({"sampler": "balanced", "sampler__sampling_strategy": {0: 9, 1: 0}}, "of one class"),
    ],
)
def test_what_would_be_wrong_in_silence_is_refused(params, match):
    with pytest.raises(ValueError, match=match):
        BalancedKerasClassifier(table_of_logits, **params, **EAGER).fit(ONE_HOT, Y)


def test_a_loss_with_arguments_that_its_configuration_lacks_is_refused():
    class Forgetful(FocalLoss):
        def __init__(self, factor=1.0, **kwargs):
            super().__init__(**kwargs)
            self.factor = factor

    with pytest.raises(TypeError, match=r"get_config of Forgetful leaves out \['factor'\]"):
        BalancedKerasClassifier(table_of_logits, loss=Forgetful(7.0), **EAGER).fit(ONE_HOT, Y)
    with pytest.raises(TypeError, match="loss is an instance"):
        BalancedKerasClassifier(table_of_logits, loss=FocalLoss(), loss__gamma=3).fit(ONE_HOT, Y)


def test_a_named_loss_may_stand_in_a_container():
    fitted = BalancedKerasClassifier(table_of_logits, loss=["logit_adjusted"], epochs=1, **EAGER)
    assert fitted.fit(ONE_HOT, Y).class_weight_ == {0: 1, 1: 1}
