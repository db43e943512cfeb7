"""What BalancedKerasClassifier promises, from labels and inputs to files and to other tools."""

import copy
import pickle
import zipfile

import keras
import numpy as np
import pandas as pd
import polars as pl
import pytest
from helpers import EAGER, assert_same_network, weights_of
from imblearn.ensemble import BalancedBaggingClassifier
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import make_pipeline as make_imbalanced_pipeline
from imblearn.under_sampling import RandomUnderSampler
from joblib import Parallel, delayed
from scipy import sparse
from scipy.special import expit, softmax
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.ensemble import StackingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import (
    HalvingGridSearchCV,
    RandomizedSearchCV,
    StratifiedKFold,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_imbalance_nn import BalancedKerasClassifier, output_layer

X, y = make_classification(120, 4, n_redundant=0, weights=[0.75], random_state=0)
X = X.astype(np.float32)
X3, y3 = make_classification(
    120, 4, n_informative=4, n_redundant=0, n_classes=3, weights=[0.6, 0.3], random_state=0
)
XM, YM = make_multilabel_classification(120, 4, n_classes=3, random_state=0)
WEIGHTS = np.random.default_rng(0).integers(0, 4, len(y)).astype(float)


def net(meta, hidden=0, dropout=0.0, kernel="glorot_uniform"):
    layers = [keras.Input(meta["X_shape_"][1:])]
    if len(meta["X_shape_"]) > 2:
        layers.append(keras.layers.Flatten())
    if hidden:
        layers.append(keras.layers.Dense(hidden, activation="tanh"))
    if dropout:
        layers.append(keras.layers.Dropout(dropout))
    return keras.Sequential([*layers, output_layer(meta, kernel_initializer=kernel)])


def two_inputs(meta):
    left, right = keras.Input((2,), name="left"), keras.Input((1,), name="right")
    hidden = [keras.layers.Dense(2)(left), keras.layers.Dense(2)(right)]
    joined = keras.layers.Concatenate()(hidden)
    return keras.Model({"left": left, "right": right}, output_layer(meta)(joined))


def two_sigmoids(meta):
    return keras.Sequential(
        [keras.Input((meta["n_features_in_"],)), keras.layers.Dense(2, activation="sigmoid")]
    )


def fixed_net(kernel, bias, activation):
    """A network with given weights."""
    model = keras.Sequential(
        [keras.Input((len(kernel),)), keras.layers.Dense(len(bias), activation=activation)]
    )
    model.set_weights([np.array(kernel), np.array(bias)])
    return model


def classifier(model=net, **params):
    quick = {"optimizer": "sgd", "epochs": 2, "early_stopping": False, "random_state": 0}
    return BalancedKerasClassifier(model, **{**quick, **params})


def never_built(meta):
    raise AssertionError("The network was built, though the data or the parameters are wrong.")


def nan_loss(y_true, y_pred):
    return keras.ops.mean(y_pred, axis=-1) * np.nan


class Raising(keras.callbacks.Callback):
    """Raises at the end of the second epoch."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            raise self.error


@pytest.fixture(scope="module")
def binary():
    return classifier(**EAGER).fit(X, y)


@pytest.fixture(scope="module")
def multiclass():
    return classifier(**EAGER).fit(X3, y3)


@pytest.fixture(scope="module")
def multilabel():
    return classifier(**EAGER).fit(XM, YM)


# Labels ---------------------------------------------------------------------------------------

NAMES = np.array(["ant", "bee", "cat"])
LABELS = {
    "text": NAMES[y],
    "objects": NAMES[y].astype(object),
    "bool": y.astype(bool),
    "negative": y * 2 - 1,
    "floats": y.astype(float),
    "uint8": y.astype(np.uint8),
    "one-hot of two": np.eye(2, dtype=np.float32)[y],
}
LABELS_OF_THREE = {
    "text": NAMES[y3],
    "negative": np.array([-7, -2, 5])[y3],
    "floats": np.array([0.0, 1.0, 4.0])[y3],
    "one-hot": np.eye(3, dtype=int)[y3],
}


@pytest.mark.parametrize("kind", LABELS)
def test_binary_labels_come_back_as_they_were(binary, kind):
    labels = LABELS[kind]
    fitted = classifier(**EAGER).fit(X, labels)
    predicted, codes = fitted.predict(X), binary.predict(X)
    assert predicted.dtype == labels.dtype
    assert predicted.shape == labels.shape
    # The label of some row of the class that was predicted.
    examples = np.array([np.argmin(y), np.argmax(y)])
    np.testing.assert_array_equal(predicted, labels[examples[codes]])
    assert_same_network(fitted, binary)


@pytest.mark.parametrize("kind", LABELS_OF_THREE)
def test_labels_of_several_classes_come_back_as_they_were(multiclass, kind):
    labels = LABELS_OF_THREE[kind]
    fitted = classifier(**EAGER).fit(X3, labels)
    predicted, codes = fitted.predict(X3), multiclass.predict(X3)
    assert predicted.dtype == labels.dtype
    assert predicted.shape == labels.shape
    examples = np.array([np.flatnonzero(y3 == code)[0] for code in range(3)])
    np.testing.assert_array_equal(predicted, labels[examples[codes]])
    assert_same_network(fitted, multiclass)


def test_multilabel_predictions_are_labels_over_one_half(multilabel):
    predicted = multilabel.predict(XM)
    assert predicted.dtype == YM.dtype
    np.testing.assert_array_equal(predicted, multilabel.predict_proba(XM) > 0.5)


def test_swapped_names_of_the_classes_change_nothing():
    params = {"model__kernel": "zeros", "epochs": 5, **EAGER}
    one = classifier(**params).fit(X, y)
    other = classifier(**params).fit(X, np.array(["z", "a"])[y])
    np.testing.assert_allclose(other.predict_proba(X), one.predict_proba(X)[:, ::-1], rtol=1e-4)


# Probabilities and decisions ------------------------------------------------------------------


def test_binary_probabilities_are_sigmoids_of_decisions(binary):
    scores, probabilities = binary.decision_function(X), binary.predict_proba(X)
    assert scores.shape == (120,)
    np.testing.assert_allclose(probabilities[:, 1], expit(scores))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(binary.predict(X), (scores > 0).astype(int))
    np.testing.assert_allclose(probabilities[:, 1], binary.model_.predict(X, verbose=0)[:, 0], 1e-5)


def test_multiclass_probabilities_are_softmaxes_of_decisions(multiclass):
    scores, probabilities = multiclass.decision_function(X3), multiclass.predict_proba(X3)
    assert scores.shape == (120, 3)
    np.testing.assert_allclose(probabilities, softmax(scores, axis=1))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(multiclass.predict(X3), scores.argmax(axis=1))
    np.testing.assert_allclose(probabilities, multiclass.model_.predict(X3, verbose=0), 1e-5)


def test_multilabel_probabilities_are_sigmoids_of_decisions(multilabel):
    scores, probabilities = multilabel.decision_function(XM), multilabel.predict_proba(XM)
    assert scores.shape == (120, 3)
    np.testing.assert_allclose(probabilities, expit(scores))
    np.testing.assert_allclose(probabilities, multilabel.model_.predict(XM, verbose=0), 1e-5)


@pytest.mark.parametrize("units", [1, 2])
def test_saturated_probabilities_leave_decisions_without_ties(units):
    rows = np.arange(1, 101, dtype=np.float32)[:, None]
    column = [[40.0]] if units == 1 else [[0.0, 40.0]]
    model = fixed_net(column, [0.0] * units, "sigmoid" if units == 1 else "softmax")
    fitted = classifier(model).initialize(rows, np.arange(100) % 2)
    assert len(np.unique(fitted.predict_proba(rows)[:, 1])) < 3
    np.testing.assert_allclose(fitted.decision_function(rows), 40 * rows[:, 0])
    order = np.arange(100) > 49
    assert roc_auc_score(order, fitted.decision_function(rows)) == 1


def test_one_sigmoid_and_two_softmax_units_have_equal_metrics():
    kernel = np.array([[0.6], [-0.4], [1.0], [0.3]])
    models = [
        fixed_net(kernel, [-0.2], "sigmoid"),
        fixed_net(np.hstack([np.zeros_like(kernel), kernel]), [0.0, -0.2], "softmax"),
        fixed_net(kernel, [-0.2], None),
    ]
    names = ["accuracy", "AUC", "Precision", "Recall", "F1Score", "TruePositives", "crossentropy"]
    histories = [
        classifier(model, metrics=names, epochs=1, optimizer__learning_rate=0.0, **EAGER)
        .fit(X, y, validation_data=(X, y))
        .history_
        for model in models
    ]
    assert set(histories[0]) >= {f"val_{name}" for name in names}
    for history in histories[1:]:
        assert {name: values[0] for name, values in history.items()} == pytest.approx(
            {name: values[0] for name, values in histories[0].items()}, rel=1e-5
        )
    exact = accuracy_score(y, X @ kernel[:, 0] > 0.2)
    assert histories[0]["val_accuracy"][0] == pytest.approx(exact, rel=1e-6)


# Weights of rows ------------------------------------------------------------------------------


@pytest.mark.parametrize("params", [{}, {"validation_split": 0.2, "early_stopping": True}])
def test_rows_of_zero_weight_are_rows_left_out(params):
    estimator = classifier(model__hidden=3, model__dropout=0.3, **params)
    kept = WEIGHTS > 0
    zeros = clone(estimator).fit(X, y, sample_weight=WEIGHTS)
    left_out = estimator.fit(X[kept], y[kept], sample_weight=WEIGHTS[kept])
    assert_same_network(zeros, left_out)
    assert zeros.history_ == left_out.history_


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_integer_weights_are_repeated_rows(optimizer):
    estimator = classifier(optimizer=optimizer, model__hidden=3, epochs=3, **EAGER)
    weighted = clone(estimator).fit(X, y, sample_weight=WEIGHTS)
    times = WEIGHTS.astype(int)
    repeated = estimator.fit(np.repeat(X, times, axis=0), np.repeat(y, times))
    np.testing.assert_allclose(weights_of(weighted), weights_of(repeated), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(weighted.history_["loss"], repeated.history_["loss"], rtol=1e-4)


# Failures -------------------------------------------------------------------------------------


def assert_as_before(fitted, earlier):
    np.testing.assert_array_equal(fitted.predict_proba(X), earlier.predict_proba(X))
    assert fitted.history_ == earlier.history_
    learnt = [{name for name in vars(one) if name.endswith("_")} for one in (fitted, earlier)]
    assert learnt[0] == learnt[1]


@pytest.mark.parametrize(
    ("changes", "labels", "error"),
    [
        ({}, np.zeros(120), ValueError),
        ({}, np.where(y, np.nan, 0.0), ValueError),
        ({"loss": nan_loss}, y, ValueError),
        ({"model": two_sigmoids}, y, ValueError),
        ({"callbacks": [Raising(RuntimeError("oops"))]}, y, RuntimeError),
        ({"epoch": 3}, y, TypeError),
    ],
    ids=["one class", "NaN in y", "NaN loss", "wrong head", "callback", "parameter"],
)
def test_a_failed_fit_leaves_the_earlier_one_usable(binary, changes, labels, error):
    fitted = copy.deepcopy(binary)
    vars(fitted).update(changes)
    with pytest.raises(error):
        fitted.fit(X, labels)
    assert_as_before(fitted, binary)


@pytest.mark.parametrize(
    ("changes", "labels", "error"),
    [
        ({}, y + 1, ValueError),
        ({"callbacks": [Raising(RuntimeError("oops"))]}, y, RuntimeError),
        ({"epoch": 3}, y, TypeError),
    ],
    ids=["unseen class", "callback", "parameter"],
)
def test_a_failed_warm_start_leaves_the_earlier_fit_usable(binary, changes, labels, error):
    fitted = copy.deepcopy(binary)
    vars(fitted).update({"warm_start": True, **changes})
    with pytest.raises(error):
        fitted.fit(X, labels)
    assert_as_before(fitted, binary)


def test_a_failed_partial_fit_is_as_if_it_had_not_happened():
    # No order and no dropout, so that nothing is drawn; Adam, whose moments must be put back.
    failed = classifier(optimizer="adam", shuffle=False).partial_fit(X, y)
    smooth = copy.deepcopy(failed)
    failed.set_params(callbacks=[Raising(RuntimeError("oops"))])
    with pytest.raises(RuntimeError, match="oops"):
        failed.partial_fit(X, y)
    failed.set_params(callbacks=None)
    with pytest.raises(ValueError, match="unseen before"):
        failed.partial_fit(X, y + 1)
    assert_same_network(failed.partial_fit(X, y), smooth.partial_fit(X, y))
    assert failed.history_ == smooth.history_


def test_a_first_fit_that_fails_leaves_an_unfitted_classifier():
    estimator = classifier(two_sigmoids)
    with pytest.raises(ValueError, match="sum to one"):
        estimator.fit(X, y)
    with pytest.raises(NotFittedError):
        estimator.predict(X)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_an_interrupted_fit_leaves_a_usable_network(early_stopping):
    estimator = classifier(
        epochs=5,
        callbacks=[Raising(KeyboardInterrupt())],
        early_stopping=early_stopping,
        validation_split=0.2,
    )
    with pytest.warns(UserWarning, match="interrupted by the user after 1 epochs"):
        estimator.fit(X, y)
    assert estimator.predict_proba(X).shape == (120, 2)
    assert len(estimator.history_["loss"]) == estimator.n_iter_ == 1


def test_a_nan_loss_says_what_to_try():
    with pytest.raises(ValueError, match=r"became nan in epoch 1.*optimizer__learning_rate"):
        classifier(loss=nan_loss).fit(X, y)


def test_a_diverging_loss_says_what_to_try():
    with pytest.raises(ValueError, match=r"The loss became .*StandardScaler"):
        classifier(epochs=3, optimizer__learning_rate=1e30).fit(X * 1e10, y)


def spoilt(value, dtype=float):
    rows = X.astype(dtype)
    rows[3, 1] = value
    return rows


@pytest.mark.parametrize(
    ("rows", "labels", "message"),
    [
        (spoilt(np.nan), y, "contains NaN"),
        (spoilt(np.inf), y, "contains infinity"),
        (spoilt(1j, complex), y, "Complex data not supported"),
        (X[:0], y[:0], r"0 sample\(s\)"),
        (X[:, :0], y, r"0 feature\(s\)"),
        (X[:5], y, "inconsistent numbers of samples"),
        (X, np.zeros(120), "only one class"),
        (X, np.where(y, np.nan, 0.0), "contains NaN"),
        (X, np.linspace(0, 1, 120), "Unknown label type: continuous"),
        (X, None, "y to be passed"),
        (X[:, 0], y, "Expected 2D array"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_data_that_cannot_be_learnt_from_are_refused_before_training(rows, labels, message):
    with pytest.raises(ValueError, match=message):
        classifier(never_built).fit(rows, labels)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (-np.ones(120), "Negative"),
        (np.zeros(120), "non-zero|zero for every row"),
        (np.full(120, np.nan), "NaN"),
        (np.ones(7), "shape"),
        (np.where(y, 0.0, 1.0), "one class"),
    ],
)
def test_weights_that_make_no_sense_are_refused_before_training(weights, message):
    with pytest.raises(ValueError, match=message):
        classifier(never_built).fit(X, y, sample_weight=weights)


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
def test_rows_of_another_width_are_refused(binary, method):
    with pytest.raises(ValueError, match="3 features, but BalancedKerasClassifier is expecting 4"):
        getattr(binary, method)(X[:, :3])
    with pytest.raises(ValueError, match="contains NaN"):
        getattr(binary, method)(spoilt(np.nan))


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("epoch", "epochs"),
        ("hiden", "hidden"),
        ("model__hiden", "model__hidden"),
        ("optimizer__learning_rat", "optimizer__learning_rate"),
        ("fit__epoch", "fit__epochs"),
        ("predict__batch_sise", "predict__batch_size"),
        ("compile__metric", "compile__metrics"),
    ],
)
def test_unknown_parameters_are_refused_with_the_nearest_name(name, nearest):
    with pytest.raises(TypeError, match=f"'{name}'.*did you mean '{nearest}'"):
        classifier(**{name: 1}).fit(X, y)


def test_unknown_options_of_calls_are_refused_with_the_nearest_name(binary):
    for method in ("fit", "partial_fit"):
        with pytest.raises(TypeError, match=f"{method} got .*'epoch'.*did you mean 'epochs'"):
            getattr(classifier(never_built), method)(X, y, epoch=1)
    with pytest.raises(TypeError, match=r"predict got .*'batch_sise'.*did you mean 'batch_size'"):
        binary.predict(X, batch_sise=3)


# Inputs ---------------------------------------------------------------------------------------

COUNTS = np.random.default_rng(0).poisson(0.7, size=(120, 4))
TABLES = {
    "float32": np.float32,
    "float64": np.float64,
    "float16": np.float16,
    "int64": np.int64,
    "uint8": np.uint8,
    "Fortran": np.asfortranarray,
    "list": np.ndarray.tolist,
    "pandas": lambda table: pd.DataFrame(table, columns=list("abcd")),
    "polars": lambda table: pl.DataFrame(table, schema=list("abcd")),
    "CSR": sparse.csr_matrix,
    "CSC": sparse.csc_array,
    "COO": sparse.coo_array,
}


@pytest.fixture(scope="module")
def of_counts():
    return classifier(model__hidden=3, validation_split=0.2, **EAGER).fit(COUNTS, y)


@pytest.mark.parametrize("kind", TABLES)
def test_tables_of_all_kinds_train_the_same_network(of_counts, kind):
    table = TABLES[kind](COUNTS)
    fitted = clone(of_counts).fit(table, y)
    assert_same_network(fitted, of_counts)
    np.testing.assert_array_equal(fitted.predict_proba(table), of_counts.predict_proba(COUNTS))
    named = kind in ("pandas", "polars")
    assert list(getattr(fitted, "feature_names_in_", [])) == (list("abcd") if named else [])


def test_sparse_rows_may_be_predicted_by_a_network_of_dense_ones(of_counts):
    found = of_counts.decision_function(sparse.csc_matrix(COUNTS))
    np.testing.assert_array_equal(found, of_counts.decision_function(COUNTS))


def test_the_default_network_takes_sparse_tables():
    estimator = BalancedKerasClassifier(width=4, depth=1, epochs=1, random_state=0)
    dense = clone(estimator).fit(COUNTS, y)
    assert_same_network(estimator.fit(sparse.csr_array(COUNTS), y), dense)


def test_inputs_may_be_a_dict_or_columns_of_one_table():
    columns = {"left": slice(0, 2), "right": [3]}
    of_dict = classifier(two_inputs, **EAGER).fit({"left": X[:, :2], "right": X[:, 3:]}, y)
    split = classifier(two_inputs, inputs=columns, **EAGER)
    assert_same_network(clone(split).fit(X, y), of_dict)
    named = classifier(two_inputs, inputs={"left": ["a", "b"], "right": ["d"]}, **EAGER)
    frame = pd.DataFrame(X, columns=list("abcd"))
    named.fit(frame, y)
    assert_same_network(named, of_dict)
    np.testing.assert_array_equal(
        named.predict_proba(frame), of_dict.predict_proba({"left": X[:, :2], "right": X[:, 3:]})
    )


def test_columns_of_one_table_are_split_inside_cross_validation():
    estimator = classifier(two_inputs, inputs={"left": slice(0, 2), "right": [3]})
    found = cross_val_score(estimator, X, y, cv=2, scoring="roc_auc")
    train, test = next(StratifiedKFold(2).split(X, y))
    fitted = classifier(two_inputs).fit({"left": X[train, :2], "right": X[train, 3:]}, y[train])
    scores = fitted.decision_function({"left": X[test, :2], "right": X[test, 3:]})
    assert found[0] == roc_auc_score(y[test], scores)


@pytest.mark.parametrize("shape", [(2, 2), (2, 2, 1)])
def test_inputs_may_have_more_axes(binary, shape):
    rows = X.reshape(120, *shape)
    fitted = classifier(**EAGER).fit(rows, y)
    assert_same_network(fitted, binary)
    np.testing.assert_array_equal(fitted.predict_proba(rows), binary.predict_proba(X))
    with pytest.raises(ValueError, match=r"shape|features"):
        fitted.predict(rows[:, :1])


# Continued training ---------------------------------------------------------------------------

DROPPING = {"model__hidden": 4, "model__dropout": 0.5, "optimizer": "adam"}


def test_training_resumed_from_a_pickle_equals_uninterrupted_training():
    whole = classifier(**DROPPING).partial_fit(X, y).partial_fit(X, y)
    resumed = pickle.loads(pickle.dumps(classifier(**DROPPING).partial_fit(X, y)))
    assert_same_network(resumed.partial_fit(X, y), whole)
    assert resumed.history_ == whole.history_
    assert resumed.current_epoch == 2


def test_a_warm_start_from_a_pickle_equals_one_without():
    first = classifier(**DROPPING, warm_start=True).fit(X, y)
    resumed = pickle.loads(pickle.dumps(first))
    assert_same_network(resumed.fit(X, y), first.fit(X, y))


def test_partial_fit_takes_classes_that_are_yet_to_come():
    estimator = classifier().partial_fit(X3[y3 < 2], y3[y3 < 2], classes=[0, 1, 2])
    assert estimator.predict_proba(X3).shape == (120, 3)
    assert estimator.partial_fit(X3, y3).n_iter_ == 2
    with pytest.raises(ValueError, match="unseen before"):
        estimator.partial_fit(X3, y3 + 1)


# Repeatability --------------------------------------------------------------------------------


def trained_weights(**params):
    return weights_of(classifier(**DROPPING, **params).fit(X, y))


def test_an_integer_seed_gives_the_same_network_whatever_was_fitted_before(binary):
    first = trained_weights()
    clone(binary).fit(X3, y3)
    np.random.random()
    keras.random.normal((3,))
    np.testing.assert_array_equal(trained_weights(), first)
    assert not np.array_equal(trained_weights(random_state=1), first)
    assert not np.array_equal(
        trained_weights(random_state=None), trained_weights(random_state=None)
    )


def test_other_processes_train_and_score_the_same():
    here = trained_weights()
    there = Parallel(n_jobs=2)(delayed(trained_weights)() for _ in range(2))
    np.testing.assert_array_equal(there, [here, here])
    scores = [
        cross_val_score(classifier(), X, y, cv=2, scoring="roc_auc", n_jobs=n_jobs)
        for n_jobs in (1, 2)
    ]
    np.testing.assert_array_equal(*scores)


# Files ----------------------------------------------------------------------------------------


def shifted(x):
    return keras.ops.tanh(x) + 0.1


def with_custom_activation(meta):
    return keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            keras.layers.Dense(2, activation=shifted),
            output_layer(meta),
        ]
    )


def with_lambda(meta):
    return keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            keras.layers.Lambda(lambda x: x * 2),
            output_layer(meta),
        ]
    )


@pytest.fixture(scope="module")
def named_classes():
    return classifier(**DROPPING).fit(pd.DataFrame(X, columns=list("abcd")), NAMES[y])


@pytest.fixture(scope="module")
def file(named_classes, tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "classifier.zip"
    named_classes.save(path)
    return path


def test_a_loaded_classifier_predicts_what_the_saved_one_did(named_classes, file, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("Pickles can run code.")

    monkeypatch.setattr(pickle, "loads", refuse)
    monkeypatch.setattr(pickle, "load", refuse)
    loaded = BalancedKerasClassifier.load(file)
    frame = pd.DataFrame(X, columns=list("abcd"))
    np.testing.assert_array_equal(loaded.predict_proba(frame), named_classes.predict_proba(frame))
    np.testing.assert_array_equal(loaded.predict(frame), named_classes.predict(frame))
    assert loaded.history_ == named_classes.history_
    assert loaded.class_weight_ == named_classes.class_weight_
    assert loaded.predict(frame).dtype == NAMES.dtype


def test_a_file_holds_no_pickle(file):
    with zipfile.ZipFile(file) as archive:
        assert sorted(archive.namelist()) == ["estimator.json", "network.keras"]


def test_a_loaded_classifier_without_its_builder_says_what_it_lacks(file):
    loaded = BalancedKerasClassifier.load(file)
    with pytest.raises(ValueError, match=r"does not hold model=.*net.*load\(path, model=\.\.\.\)"):
        loaded.fit(X, y)


def test_a_loaded_classifier_with_its_builder_fits_again(file):
    loaded = BalancedKerasClassifier.load(file, model=net)
    np.testing.assert_array_equal(weights_of(loaded.fit(X, y)), trained_weights())


def test_loading_asks_for_missing_custom_objects(tmp_path):
    fitted = classifier(with_custom_activation, epochs=1).fit(X, y)
    fitted.save(tmp_path / "custom")
    with pytest.raises(ValueError, match=r"shifted(.|\n)*custom_objects"):
        BalancedKerasClassifier.load(tmp_path / "custom")
    loaded = BalancedKerasClassifier.load(tmp_path / "custom", custom_objects={"shifted": shifted})
    np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))


def test_loading_refuses_a_network_that_brings_code(tmp_path):
    fitted = classifier(with_lambda, epochs=1).fit(X, y)
    with pytest.raises((TypeError, ValueError), match=r"[Ll]ambda"):
        fitted.save(tmp_path / "code")
        BalancedKerasClassifier.load(tmp_path / "code")


def test_loading_refuses_other_files(tmp_path):
    (tmp_path / "text").write_text("no archive")
    with pytest.raises(ValueError, match=r"was not written by BalancedKerasClassifier\.save"):
        BalancedKerasClassifier.load(tmp_path / "text")


def test_saving_needs_a_fit(tmp_path):
    with pytest.raises(NotFittedError):
        classifier().save(tmp_path / "nothing")


# scikit-learn's metadata routing --------------------------------------------------------------


def test_weights_are_routed_through_cross_validation():
    weights = WEIGHTS + 1
    with config_context(enable_metadata_routing=True):
        estimator = classifier(epochs=1).set_fit_request(sample_weight=True)
        estimator.set_score_request(sample_weight=False)
        result = cross_validate(
            estimator,
            X,
            y,
            cv=2,
            params={"sample_weight": weights},
            return_estimator=True,
            return_indices=True,
        )
    train = result["indices"]["train"][0]
    expected = classifier(epochs=1).fit(X[train], y[train], sample_weight=weights[train])
    assert_same_network(result["estimator"][0], expected)


def test_weights_are_routed_through_a_pipeline():
    with config_context(enable_metadata_routing=True):
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        estimator = classifier().set_fit_request(sample_weight=True)
        fitted = make_pipeline(scaler, estimator).fit(X, y, sample_weight=WEIGHTS)
    expected = classifier().fit(StandardScaler().fit_transform(X), y, sample_weight=WEIGHTS)
    assert_same_network(fitted[-1], expected)


# Tools of imbalanced-learn and scikit-learn ---------------------------------------------------


@pytest.mark.parametrize("sampler", [SMOTE(random_state=0), RandomUnderSampler(random_state=0)])
def test_samplers_resample_what_trains_inside_a_pipeline(sampler):
    fitted = make_imbalanced_pipeline(sampler, classifier(class_weight=None)).fit(X, y)
    np.testing.assert_array_equal(fitted[-1].class_prior_, [0.5, 0.5])
    rows, labels = sampler.fit_resample(X, y)
    assert_same_network(fitted[-1], classifier(class_weight=None).fit(rows, labels))
    assert fitted.predict_proba(X).shape == (120, 2)


def test_balanced_bagging_trains_balanced_members():
    bagging = BalancedBaggingClassifier(
        classifier(epochs=1, **EAGER), n_estimators=2, random_state=0
    )
    members = [member[-1] for member in bagging.fit(X, y).estimators_]
    assert [member.class_prior_.tolist() for member in members] == [[0.5, 0.5]] * 2
    assert not np.array_equal(*map(weights_of, members))
    mean = np.mean([member.predict_proba(X) for member in members], axis=0)
    np.testing.assert_allclose(bagging.predict_proba(X), mean)


def test_halving_search_may_spend_epochs():
    search = HalvingGridSearchCV(
        classifier(**EAGER),
        {"optimizer__learning_rate": [0.001, 0.3]},
        resource="epochs",
        min_resources=1,
        max_resources=2,
        factor=2,
        cv=2,
        scoring="roc_auc",
        random_state=0,
    ).fit(X, y)
    assert search.n_resources_ == [1, 2]
    assert len(search.best_estimator_.history_["loss"]) == 2


def test_random_search_reaches_routed_and_builder_parameters():
    search = RandomizedSearchCV(
        classifier(epochs=1, **EAGER),
        {"model__hidden": [2, 3], "optimizer__learning_rate": [0.01, 0.1]},
        n_iter=2,
        cv=2,
        scoring="average_precision",
        random_state=0,
    ).fit(X, y)
    best = search.best_estimator_
    assert best.model_.layers[0].units == search.best_params_["model__hidden"]
    rate = float(best.model_.optimizer.learning_rate)
    assert rate == pytest.approx(search.best_params_["optimizer__learning_rate"])


def test_stacking_learns_from_its_decisions():
    stack = StackingClassifier([("net", classifier(**EAGER))], LogisticRegression(), cv=2).fit(X, y)
    (inner,) = stack.estimators_
    np.testing.assert_allclose(stack.transform(X)[:, 0], inner.predict_proba(X)[:, 1])
    assert roc_auc_score(y, stack.predict_proba(X)[:, 1]) > 0.5


@pytest.mark.parametrize(
    ("params", "call", "match"),
    [
        ({"loss": "balanced_softmax", "loss__tau": 2.0}, {}, "loss__tau"),
        ({"loss": "asymmetric", "loss__gamma": 2.0}, {}, "did you mean 'loss__gamma_negative'"),
        ({}, {"class_weight": None}, r"parameter of the estimator: .*\(class_weight=\.\.\.\)"),
        ({"model": None, "filters": 3}, {}, r"accepts\. The network's builder takes"),
        ({"learning_rate": 0.1}, {}, "did you mean 'optimizer__learning_rate'"),
    ],
)
def test_arguments_in_the_wrong_place_are_shown_the_right_one(params, call, match):
    with pytest.raises(TypeError, match=match):
        classifier(**params).fit(X, y, **call)
