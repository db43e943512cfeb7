"""From rows to a trained network: what is held out, built, compiled, scored, recorded, refused."""

import warnings

import keras
import numpy as np
import pandas as pd
import pytest
from helpers import EAGER, assert_same_network
from scikeras.utils.transformers import ClassifierLabelEncoder
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import (
    GridSearchCV,
    GroupShuffleSplit,
    PredefinedSplit,
    cross_val_score,
    learning_curve,
)

from sk_imbalance_nn import BalancedKerasClassifier, output_layer
from sk_imbalance_nn.networks.head_losses import LabelWeighted
from sk_imbalance_nn.training import forward

layers = keras.layers
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3)).astype(np.float32)
Y = (X[:, 0] + RNG.normal(size=60) > 0.7).astype(int)
Y3 = np.arange(60) % 3
INDICATOR = np.column_stack([Y, np.arange(60) % 2, np.arange(60) % 3 == 0]).astype(int)
GROUPS = np.arange(60) // 5
# Which group a row belongs to can be read off the row: a scorer sees rows only.
X_GROUPS = np.column_stack([GROUPS, X]).astype(np.float32)


def net(meta, width=0, activation="auto"):
    hidden = [layers.Dense(width, activation="relu")] if width else []
    last = output_layer(meta)
    if activation != "auto":
        last = layers.Dense(last.units, activation=activation)
    return keras.Sequential([keras.Input(meta["X_shape_"][1:]), *hidden, last])


def classifier(model=net, **params):
    quick = {"optimizer": "sgd", "epochs": 1, "early_stopping": False, "random_state": 0, **EAGER}
    return BalancedKerasClassifier(model, **{**quick, **params})


def compiled(meta, loss="binary_crossentropy"):
    model = net(meta)
    model.compile(optimizer="sgd", loss=loss, run_eagerly=True)
    return model


def squared(y_true, y_pred):
    return keras.ops.mean(keras.ops.square(y_pred - y_true), axis=-1)


class Listening:
    """A loss that remembers the shape of what it was given."""

    def __init__(self):
        self.shapes = []

    def __call__(self, y_true, y_pred):
        self.shapes.append(tuple(y_true.shape))
        return keras.ops.mean(keras.ops.square(y_pred), axis=-1)


class Scores:
    """A scorer that remembers the rows it was shown, and answers from a script."""

    def __init__(self, *script):
        self.script, self.rows = list(script), []

    def __call__(self, estimator, X, y, sample_weight=None):
        self.rows.append(X)
        return self.script.pop(0) if self.script else 0.5


# Losses and outputs -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("y", "expected"), [(np.eye(3)[Y3], (60, 3)), (Y3, (60, 1))], ids=["one-hot rows", "labels"]
)
def test_a_loss_that_keras_does_not_know_is_given_the_target_as_it_came(y, expected):
    loss = Listening()
    classifier(loss=lambda y_true, y_pred: loss(y_true, y_pred)).fit(X, y)
    assert set(loss.shapes) == {expected}


def behind_a_dense_layer(layer):
    def build(meta):
        last = layers.Dense(1, kernel_initializer="ones")
        return keras.Sequential([keras.Input((3,)), last, layer()])

    return build


UNCLEAR = {
    "rescaled": behind_a_dense_layer(lambda: layers.Rescaling(2.0, offset=0.5)),
    "normalised": behind_a_dense_layer(layers.BatchNormalization),
}


@pytest.mark.parametrize("model", UNCLEAR.values(), ids=UNCLEAR)
@pytest.mark.parametrize("loss", ["binary_crossentropy", squared])
def test_outputs_that_are_no_probabilities_are_refused_by_a_loss_that_takes_them(model, loss):
    with pytest.raises(ValueError, match=r"takes probabilities.*answers with are none.*Dense"):
        classifier(model, loss=loss).fit(X, Y)


@pytest.mark.parametrize("model", UNCLEAR.values(), ids=UNCLEAR)
def test_outputs_that_are_no_probabilities_are_taken_by_a_loss_of_logits(model):
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    fitted = classifier(model, loss=loss).fit(X, Y)
    logits = fitted.model_.predict_on_batch(X)[:, 0]
    np.testing.assert_allclose(fitted.decision_function(X), logits, rtol=1e-5, atol=1e-6)


def test_unclear_outputs_between_zero_and_one_are_probabilities():
    def build(meta):
        last = layers.Dense(1, activation="sigmoid")
        return keras.Sequential([keras.Input((3,)), last, layers.Rescaling(0.5, offset=0.25)])

    fitted = classifier(build, loss="binary_crossentropy").fit(X, Y)
    outputs = fitted.model_.predict_on_batch(X)[:, 0]
    np.testing.assert_allclose(fitted.predict_proba(X)[:, 1], outputs, rtol=1e-5)


def test_one_sigmoid_a_label_is_a_multilabel_head():
    def build(meta):
        x = keras.Input((3,))
        heads = [layers.Dense(1, activation="sigmoid")(x) for _ in range(meta["n_classes_"])]
        return keras.Model(x, layers.Concatenate()(heads))

    fitted = classifier(build).fit(X, INDICATOR)
    outputs = fitted.model_.predict_on_batch(X)
    np.testing.assert_allclose(fitted.predict_proba(X), outputs, rtol=1e-5)


def sequences(meta):
    last = [layers.LSTM(2, return_sequences=True), layers.Dense(1, activation="sigmoid")]
    return keras.Sequential([keras.Input(meta["X_shape_"][1:]), *last])


def unflattened(meta):
    last = layers.Dense(1, activation="sigmoid")
    return keras.Sequential([keras.Input(meta["X_shape_"][1:]), last])


@pytest.mark.parametrize("model", [sequences, unflattened])
def test_an_answer_for_each_step_of_a_row_is_refused_with_the_cure(model):
    message = r"shape \(n, 3, 1\).*Flatten or pool.*return_sequences=False"
    with pytest.raises(ValueError, match=message):
        classifier(model).fit(X[:, :, None], Y)


# Inputs -------------------------------------------------------------------------------------------


def two_inputs(meta):
    left, right = keras.Input((1,), name="left"), keras.Input((2,), name="right")
    return keras.Model([left, right], output_layer(meta)(layers.Concatenate()([left, right])))


@pytest.mark.parametrize("table", [X, pd.DataFrame(X, columns=["one", "two", "three"])], ids=type)
def test_an_input_of_one_column_is_named_by_that_column(table):
    left = "two" if isinstance(table, pd.DataFrame) else 1
    inputs = {"left": left, "right": [0, 2]}
    fitted = classifier(two_inputs, inputs=inputs).fit(table, Y)
    parts = {"left": X[:, [1]], "right": X[:, [0, 2]]}
    expected = classifier(two_inputs).fit(parts, Y).predict_proba(parts)
    np.testing.assert_allclose(fitted.predict_proba(table), expected, rtol=1e-5)


def test_a_misspelt_input_is_refused_with_the_names_of_both_sides():
    inputs = {"lefft": 0, "right": [1, 2]}
    with pytest.raises(ValueError, match=r"inputs \['left', 'right'\].*has \['lefft', 'right'\]"):
        classifier(two_inputs, inputs=inputs).fit(X, Y)


def test_an_input_of_another_width_is_refused():
    inputs = {"left": 0, "right": [1]}
    with pytest.raises(ValueError, match=r"'right'.*shape \(2,\), but X has rows of shape \(1,\)"):
        classifier(two_inputs, inputs=inputs).fit(X, Y)


def test_a_table_of_another_width_is_refused_with_the_cure():
    def build(meta):
        return keras.Sequential([keras.Input((5,)), output_layer(meta)])

    with pytest.raises(ValueError, match=r"shape \(5,\), but X has.*\(3,\).*n_features_in_"):
        classifier(build).fit(X, Y)


# Groups and splits --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "params",
    [
        {"validation_split": 0.2},
        {"early_stopping": True},
        {"validation_split": GroupShuffleSplit(1, test_size=0.25, random_state=0)},
    ],
    ids=str,
)
def test_rows_of_a_group_are_held_out_together(params):
    scores = Scores()
    classifier(scoring=scores, **params).fit(X_GROUPS, Y3 > 0, groups=GROUPS)
    held_out = scores.rows[-1][:, 0]
    members = {group: np.sum(held_out == group) for group in held_out}
    assert set(members.values()) == {5}
    assert 1 <= len(members) <= 4


def test_a_fraction_holds_out_about_that_share_of_the_groups():
    scores = Scores()
    classifier(scoring=scores, validation_split=0.25).fit(X_GROUPS, Y3 > 0, groups=GROUPS)
    assert len(set(scores.rows[-1][:, 0])) == 3


@pytest.mark.parametrize("split", [0.2, GroupShuffleSplit(1, random_state=0)], ids=type)
def test_groups_of_another_length_are_refused(split):
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[60, 59\]"):
        classifier(validation_split=split).fit(X, Y, groups=GROUPS[1:])


@pytest.mark.parametrize("params", [{"validation_split": 0.2}, {"early_stopping": True}], ids=str)
def test_groups_and_a_fraction_of_a_multilabel_target_are_refused_with_the_cure(params):
    with pytest.raises(ValueError, match=r"multilabel target; give validation_split=.*splitter"):
        classifier(**params).fit(X, INDICATOR, groups=GROUPS)


def test_a_predefined_split_knows_rows_of_zero_weight_too():
    scores = Scores()
    fold = np.where(np.arange(60) % 4 == 0, 0, -1)
    weight = np.ones(60)
    weight[:8] = 0
    split = PredefinedSplit(fold)
    classifier(scoring=scores, validation_split=split).fit(X, Y, sample_weight=weight)
    np.testing.assert_array_equal(scores.rows[-1], X[(fold == 0) & (weight > 0)])


# Where training starts ----------------------------------------------------------------------------


@keras.saving.register_keras_serializable("tests")
class LastIsHidden(keras.Model):
    """Its layers in another order than they are called in."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.out = layers.Dense(1, activation="sigmoid")
        self.hidden = layers.Dense(1, activation="tanh")

    def call(self, x):
        return self.out(self.hidden(x))


def test_the_prior_is_not_written_into_a_hidden_layer_of_a_subclassed_network():
    fitted = classifier(lambda: LastIsHidden(), class_weight=None, epochs=0).fit(X, Y)
    assert fitted.model_.hidden.bias.numpy().tolist() == [0.0]


def through_layers(meta):
    x = keras.Input((3,))
    logits = layers.Dense(3, kernel_initializer="zeros")(x)
    reshaped = layers.Reshape((3,))(logits)
    return keras.Model(x, layers.Activation("softmax")(reshaped))


def nested(meta):
    x = keras.Input((3,))
    last = layers.Dense(3, activation="softmax", kernel_initializer="zeros")
    return keras.Model(x, keras.Sequential([layers.Dense(3), last])(x))


@pytest.mark.parametrize("model", [through_layers, nested])
def test_an_untrained_functional_network_answers_the_prior(model):
    y = np.repeat([0, 1, 2], [40, 15, 5])
    fitted = classifier(model, class_weight=None, epochs=0).fit(X, y)
    np.testing.assert_allclose(fitted.predict_proba(X[:1])[0] * 60, [40, 15, 5], rtol=1e-5)


# Scores -------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
def test_a_score_that_validation_rows_do_not_define_is_refused_before_training():
    loss = Listening()
    quick = classifier(loss=lambda y_true, y_pred: loss(y_true, y_pred), scoring="roc_auc")
    only_zeros = X[Y == 0], Y[Y == 0]
    with pytest.raises(ValueError, match=r"'roc_auc' is not defined.*rows of every class"):
        quick.fit(X, Y, validation_data=only_zeros)
    assert loss.shapes == []


@pytest.mark.parametrize("how", ["fit", "partial_fit"])
def test_an_unknown_score_is_refused_even_where_nothing_validates(how):
    with pytest.raises(ValueError, match=r"'roc_auk' is no scorer.*did you mean 'roc_auc'"):
        getattr(classifier(scoring="roc_auk"), how)(X, Y)


def test_partial_fit_reports_the_loss_and_the_score_of_given_validation_rows():
    fitted = classifier().partial_fit(X, Y, validation_data=(X, Y))
    fitted.partial_fit(X, Y, validation_data=(X, Y))
    assert np.isfinite(fitted.history_["val_loss"]).tolist() == [True, True]
    assert len(fitted.history_["val_average_precision"]) == 2


# The first score is that of the untrained network, whose rows are only tried.
@pytest.mark.parametrize(
    ("script", "options", "best"),
    [
        ([0, 0.7, 0.2], {"validation_freq": 3, "epochs": 6}, 3),
        ([0, 0.2, 0.7], {"validation_freq": 3, "epochs": 6}, 6),
        ([0, 0.2, 0.7, 0.3], {"initial_epoch": 4, "epochs": 3}, 6),
    ],
)
def test_the_best_iteration_is_the_number_of_its_epoch(script, options, best):
    fitted = classifier(early_stopping=True, scoring=Scores(*script)).fit(X, Y, **options)
    assert (fitted.best_iteration_, fitted.best_validation_score_) == (best, 0.7)


@pytest.mark.parametrize("frequency", [2, np.int64(2), [2, 4]], ids=repr)
def test_validation_follows_the_epochs_asked_for(frequency):
    fitted = classifier(validation_split=0.2).fit(X, Y, epochs=4, validation_freq=frequency)
    assert len(fitted.history_["val_loss"]) == 2


def test_early_stopping_refuses_an_optimizer_that_averages_weights():
    averaging = classifier(optimizer="adam", optimizer__use_ema=True, early_stopping=True)
    with pytest.raises(ValueError, match=r"use_ema=True.*early_stopping=False"):
        averaging.fit(X, Y)
    assert averaging.set_params(early_stopping=False).fit(X, Y).n_iter_ == 1


@pytest.mark.parametrize("early_stopping", [True, False])
def test_divergence_is_put_down_to_the_learning_rate(early_stopping):
    diverging = classifier(
        width=4, optimizer__learning_rate=1e30, epochs=4, early_stopping=early_stopping
    )
    with pytest.raises(ValueError, match="Try a smaller learning rate") as refusal:
        diverging.fit(X, Y)
    assert "Choose a scorer" not in str(refusal.value)


# Steps of the user's own --------------------------------------------------------------------------


@keras.saving.register_keras_serializable("tests")
class OwnSteps(keras.Model):
    """Steps with logs of their own; the first one may be made to fail."""

    def __init__(self, loss=0.25, **kwargs):
        super().__init__(**kwargs)
        self.out, self.told = layers.Dense(1, activation="sigmoid"), loss

    def call(self, x):
        return self.out(x)

    def train_step(self, data):
        return {"loss": keras.ops.convert_to_tensor(self.told)}

    def test_step(self, data):
        return {"loss": keras.ops.convert_to_tensor(0.5), "mine": keras.ops.convert_to_tensor(2.0)}


@pytest.mark.parametrize("run_eagerly", [True, False])
def test_logs_of_a_test_step_of_the_users_own_reach_the_history(run_eagerly):
    own = classifier(lambda: OwnSteps(), validation_split=0.2, run_eagerly=run_eagerly)
    history = own.fit(X, Y).history_
    assert (history["val_mine"], history["val_loss"]) == ([2.0], [0.5])


@pytest.mark.parametrize("loss", [np.nan, np.inf])
def test_a_loss_of_a_train_step_of_the_users_own_must_be_finite(loss):
    with pytest.raises(ValueError, match=f"loss became {loss} in epoch 1"):
        classifier(lambda: OwnSteps(loss)).fit(X, Y)


# Networks that come compiled ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "named"),
    [
        ({"optimizer": "adam"}, "optimizer"),
        ({"metrics": ["accuracy"]}, "metrics"),
        ({"optimizer__learning_rate": 0.1}, "optimizer__learning_rate"),
        ({"optimizer": "adam", "metrics": ["AUC"]}, "optimizer, metrics"),
    ],
    ids=str,
)
def test_parameters_that_a_compiled_network_does_not_use_are_named(params, named):
    params = {"optimizer": "auto", **params}
    with pytest.warns(UserWarning, match=f"came compiled, so these are not used: {named}\\."):
        classifier(compiled, **params).fit(X, Y)


def test_a_compiled_network_without_such_parameters_causes_no_warning():
    assert classifier(compiled, optimizer="auto").fit(X, Y).n_iter_ == 1


def test_a_builder_that_takes_the_arguments_of_compile_uses_all_parameters():
    def build(meta, compile_kwargs):
        model = net(meta)
        model.compile(**compile_kwargs)
        return model

    own = classifier(build, optimizer="adam", optimizer__learning_rate=0.25, metrics=["accuracy"])
    fitted = own.fit(X, Y)
    assert isinstance(fitted.model_.optimizer, keras.optimizers.Adam)
    assert float(fitted.model_.optimizer.learning_rate) == 0.25
    assert "accuracy" in fitted.history_


# Continued training -------------------------------------------------------------------------------


def test_a_warm_start_keeps_the_label_weights_of_the_compiled_loss():
    fitted = classifier(warm_start=True).fit(X, INDICATOR)
    before = fitted.class_weight_.copy()
    fitted.set_params(class_weight=None).fit(X, 1 - INDICATOR)
    assert isinstance(fitted.model_.loss, LabelWeighted)
    np.testing.assert_array_equal(fitted.class_weight_, before)
    np.testing.assert_allclose(fitted.model_.loss.get_config()["weights"], before, rtol=1e-6)


def test_a_first_batch_may_hold_one_class_if_all_are_named():
    fitted = classifier().partial_fit(X[Y == 0], Y[Y == 0], classes=[0, 1])
    assert fitted.predict_proba(X).shape == (60, 2)
    fitted.partial_fit(X[Y == 1], Y[Y == 1])
    assert fitted.class_prior_.tolist() == pytest.approx([1 - Y.mean(), Y.mean()])


def test_a_first_batch_of_one_class_without_names_is_refused():
    with pytest.raises(ValueError, match="only one class, 0"):
        classifier().partial_fit(X[Y == 0], Y[Y == 0])


def test_a_learning_curve_may_train_batch_by_batch():
    sizes, _, scores = learning_curve(
        classifier(), X, np.sort(Y), train_sizes=[5, 30], cv=2, exploit_incremental_learning=True,
        error_score="raise",
    )  # fmt: skip
    assert sizes.tolist() == [5, 30]
    assert np.isfinite(scores).all()


def test_a_loaded_classifier_given_its_loss_continues(tmp_path):
    path = tmp_path / "classifier"
    saved = classifier(loss=squared).fit(X, Y)
    saved.save(path)
    loaded = BalancedKerasClassifier.load(path, model=net, loss=squared)
    np.testing.assert_array_equal(loaded.predict_proba(X), saved.predict_proba(X))
    for one in (saved, loaded):
        one.partial_fit(X, Y)
    np.testing.assert_allclose(loaded.predict_proba(X), saved.predict_proba(X), rtol=1e-6)


def with_squared_loss(meta):
    return compiled(meta, loss=squared)


@pytest.mark.parametrize(
    ("saved", "message"),
    [
        (classifier(loss=squared), "does not hold loss"),
        (classifier(with_squared_loss, optimizer="auto"), "not compiled.*loaded without its loss"),
    ],
    ids=["loss of the classifier", "loss of the builder"],
)
@pytest.mark.parametrize("how", ["fit", "partial_fit"])
def test_a_classifier_loaded_without_its_loss_says_what_it_lacks(saved, message, how, tmp_path):
    path = tmp_path / "classifier"
    saved = clone(saved).set_params(warm_start=True).fit(X, Y)
    saved.save(path)
    with pytest.warns(UserWarning, match="To train it further, pass its losses.*'squared'"):
        loaded = BalancedKerasClassifier.load(path, model=saved.model)
    with pytest.raises(ValueError, match=message):
        getattr(loaded, how)(X, Y)
    np.testing.assert_array_equal(loaded.predict_proba(X), saved.predict_proba(X))


# The default network ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "options"),
    [({"epochs": 3}, {}), ({"fit__epochs": 3}, {}), ({}, {"epochs": 3})],
    ids=["parameter", "routed", "option of fit"],
)
def test_the_cosine_schedule_ends_with_the_epochs_asked_for(params, options):
    quick = classifier(None, **{"optimizer": "auto", "batch_size": 20, **params})
    optimizer = quick.fit(X, Y, **options).model_.optimizer
    assert optimizer.get_config()["learning_rate"]["config"]["decay_steps"] == 3 * 3


def halved(epoch, rate):
    return rate / 2


RATE_SETTERS = {
    "plateau": keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=0, min_delta=99.0),
    "scheduler": keras.callbacks.LearningRateScheduler(halved),
}


@pytest.mark.parametrize("callback", RATE_SETTERS.values(), ids=RATE_SETTERS)
@pytest.mark.parametrize("given", ["parameter", "option of fit"])
def test_callbacks_may_set_the_learning_rate_of_the_default_network(callback, given):
    params, options = ({"callbacks": [callback]}, {})[:: 1 if given == "parameter" else -1]
    quick = classifier(None, optimizer="auto", **params)
    fitted = quick.fit(X, Y, epochs=3, **options)
    rates = np.array(fitted.history_["learning_rate"])
    assert rates[-1] < rates[0] <= 1e-2


# Predicting ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fitted():
    return classifier().fit(X, Y)


@pytest.mark.parametrize("batch_size", [1, 7, 60, 1000, -1, np.int64(7)], ids=repr)
def test_the_rows_at_a_time_do_not_change_predictions(fitted, batch_size):
    answers = fitted.predict_proba(X, batch_size=batch_size)
    np.testing.assert_allclose(answers, fitted.predict_proba(X), rtol=1e-6)
    np.testing.assert_array_equal(fitted.predict(X, batch_size=batch_size), fitted.predict(X))


@pytest.mark.parametrize(
    ("batch_size", "error"), [(0, ValueError), (-2, ValueError), ("x", TypeError)]
)
def test_rows_at_a_time_that_make_no_sense_are_refused(fitted, batch_size, error):
    with pytest.raises(error, match="batch_size"):
        fitted.predict_proba(X, batch_size=batch_size)


def test_many_rows_are_predicted_a_bounded_number_at_a_time(fitted, monkeypatch):
    expected, sizes, run = fitted.predict_proba(X), [], forward.ForwardPass._run
    monkeypatch.setattr(forward, "_CHUNK_ROWS", 5)
    monkeypatch.setattr(
        forward.ForwardPass,
        "_run",
        lambda self, rows: (sizes.append(len(rows)), run(self, rows))[1],
    )
    np.testing.assert_allclose(fitted.predict_proba(X), expected, rtol=1e-6)
    assert sizes == [5] * 12


# A target encoder of the user's own ---------------------------------------------------------------


class OwnTarget(BalancedKerasClassifier):
    @property
    def target_encoder(self):
        return ClassifierLabelEncoder(loss=self.loss)


def sigmoid_net(meta):
    return keras.Sequential([keras.Input((3,)), layers.Dense(1, activation="sigmoid")])


def own_target(**params):
    return OwnTarget(
        sigmoid_net, optimizer="sgd", loss="binary_crossentropy", epochs=1, early_stopping=False,
        random_state=0, **EAGER, **params,
    )  # fmt: skip


def test_a_target_encoder_of_the_users_own_leaves_no_decision_function():
    assert not hasattr(own_target(), "decision_function")
    assert not hasattr(own_target().fit(X, Y), "decision_function")
    assert hasattr(classifier(), "decision_function")


def test_a_target_encoder_of_the_users_own_is_scored_by_its_probabilities():
    fitted = own_target().fit(X, Y)
    np.testing.assert_allclose(fitted.predict_proba(X).sum(axis=1), 1, rtol=1e-6)
    scores = cross_val_score(own_target(), X, Y, scoring="roc_auc", cv=2, error_score="raise")
    assert np.isfinite(scores).all()


def test_the_effective_number_of_rows_needs_a_target_that_is_encoded_here():
    with pytest.raises(ValueError, match=r"class_weight='effective'.*use 'balanced'"):
        own_target(class_weight="effective").fit(X, Y)


# Parameters and options ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "error"),
    [
        ({"batch_size": 0}, ValueError),
        ({"batch_size": 2.5}, TypeError),
        ({"epochs": "3"}, TypeError),
        ({"epochs": -1}, ValueError),
        ({"steps_per_epoch": 0}, ValueError),
        ({"validation_batch_size": 0}, ValueError),
    ],
    ids=str,
)
@pytest.mark.parametrize("given", ["to fit", "routed"])
def test_options_that_make_no_sense_are_refused_by_name(option, error, given):
    routed = {f"fit__{name}": value for name, value in option.items()}
    params, options = (({}, option), (routed, {}))[given == "routed"]
    with pytest.raises(error, match=next(iter(option))):
        classifier(**params).fit(X, Y, **options)


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"loss__from_logits": True}, "loss='auto' takes no parameters"),
        ({"callbacks__patience": 3}, "callbacks=None; give a callback's class"),
        (
            {"optimizer": keras.optimizers.SGD(), "optimizer__learning_rate": 0.1},
            "optimizer is an instance",
        ),
    ],
    ids=["loss", "callbacks", "optimizer"],
)
def test_parameters_without_a_receiver_are_refused_with_the_reason(params, reason):
    with pytest.raises(TypeError, match=f"has no receiver: {reason}"):
        classifier(**params).fit(X, Y)


def test_a_grid_may_search_an_argument_of_the_builder():
    search = GridSearchCV(classifier(), {"width": [2, 3]}, cv=2, error_score="raise").fit(X, Y)
    assert search.best_estimator_.model_.layers[0].units == search.best_params_["width"]


def other_net(meta, hidden=1):
    return net(meta, width=hidden)


def test_a_builder_and_its_argument_may_be_set_in_one_call():
    changed = classifier(width=2).set_params(hidden=4, model=other_net, width=3)
    assert clone(changed).get_params()["hidden"] == 4


def test_a_new_builder_is_called_with_its_own_argument():
    changed = classifier().set_params(hidden=4, model=other_net).fit(X, Y)
    assert changed.model_.layers[0].units == 4


def test_an_argument_that_the_builder_does_not_know_is_refused():
    with pytest.raises(ValueError, match="hiden"):
        classifier().set_params(model=other_net, hiden=4)


# Labels -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (Y.astype(object), "i"),
        (Y.astype(bool).astype(object), "b"),
        (pd.Series(Y, dtype="Int64"), "i"),
        (pd.Series(Y.astype(bool), dtype="boolean"), "b"),
    ],
    ids=["objects of int", "objects of bool", "Int64", "boolean"],
)
def test_boxed_labels_come_back_as_native_ones(labels, kind):
    fitted = classifier().fit(X, labels)
    assert fitted.classes_.dtype.kind == fitted.predict(X).dtype.kind == kind


def test_nothing_but_the_refusals_and_warnings_above_is_said():
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        classifier(metrics=["AUC"], early_stopping=True).fit(X, Y).predict(X)
    assert [
        str(warning.message) for warning in said if "__array__" not in str(warning.message)
    ] == []


@pytest.mark.parametrize(("n_rare", "stops"), [(190, False), (200, True)])
def test_stopping_by_itself_takes_twenty_validation_rows_of_the_rarest_class(n_rare, stops):
    X = np.zeros((600, 2), dtype=np.float32)
    y = (np.arange(600) < n_rare).astype(int)
    fitted = BalancedKerasClassifier(net, epochs=1, batch_size=-1, run_eagerly=True).fit(X, y)
    assert (fitted.best_iteration_ == 1) is stops
    assert ("val_loss" in fitted.history_) is stops


def test_a_stopping_callback_of_the_users_switches_the_automatic_one_off():
    X, y = np.zeros((600, 2), dtype=np.float32), np.arange(600) % 2
    theirs = keras.callbacks.EarlyStopping("loss")
    estimator = BalancedKerasClassifier(net, epochs=1, batch_size=-1, callbacks=theirs)
    assert estimator.set_params(run_eagerly=True).fit(X, y).best_iteration_ is None


# Where the rows are -------------------------------------------------------------------------------


def scored(estimator, X, y):
    assert X.shape == (len(y), 3)
    return (estimator.predict(X) == y).mean()


@pytest.mark.parametrize("form", ["array", "sparse", "mapped"])
@pytest.mark.parametrize("scoring", ["accuracy", scored])
def test_rows_may_lie_in_memory_or_in_a_file(tmp_path, form, scoring):
    np.save(tmp_path / "table.npy", X)
    mapped = np.load(tmp_path / "table.npy", mmap_mode="r")
    how = {"epochs": 2, "early_stopping": True, "validation_split": 0.3, "random_state": 0}
    fits = [
        BalancedKerasClassifier(scoring=scoring, **how).fit(rows, Y)
        for rows in (X, {"array": X, "sparse": sparse.csr_array(X), "mapped": mapped}[form])
    ]
    assert_same_network(*fits)
    assert fits[0].best_validation_score_ == fits[1].best_validation_score_
    np.testing.assert_array_equal(fits[0].predict_proba(X), fits[1].predict_proba(mapped))


def test_only_rows_that_train_are_normalised():
    weight = np.where(np.arange(60) % 4, 2.0, 0.0)
    rows = X + np.where(weight == 0, 1e6, 0)[:, None].astype(np.float32)
    fitted = BalancedKerasClassifier("mlp", epochs=1).fit(rows, Y, sample_weight=weight)
    mean, _ = fitted.model_.get_layer("normalization").get_weights()
    np.testing.assert_allclose(mean, X[weight > 0].mean(axis=0), rtol=1e-5)
