"""SciKeras' documented promises for classifiers, as its users write them.

Every test is code from a SciKeras page (a tutorial, the advanced guide, the migration guide, the
class's own docstring or the project's test suite) shrunk to tiny data, with one line changed: the
import below. Each was first run against SciKeras 0.13.0 itself; where `BalancedKerasClassifier`
promises something else on purpose, the test says "unlike SciKeras".
"""

import functools
import math
import pickle

import joblib
import keras
import numpy as np
import pandas as pd
import pytest
from scikeras.utils.transformers import ClassifierLabelEncoder
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin, clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier, VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, LabelEncoder, OneHotEncoder, StandardScaler

from sk_imbalance_nn import BalancedKerasClassifier as KerasClassifier

N_SAMPLES = 32  # one batch of Keras' default size
N_FEATURES = 6

# --------------------------------------------------------------------------------------------------
# Data
# --------------------------------------------------------------------------------------------------


@pytest.fixture
def binary():
    return make_classification(N_SAMPLES, N_FEATURES, n_informative=4, random_state=0)


@pytest.fixture
def multiclass():
    return make_classification(
        N_SAMPLES, N_FEATURES, n_informative=4, n_classes=3, n_clusters_per_class=1, random_state=0
    )


# --------------------------------------------------------------------------------------------------
# Networks
# --------------------------------------------------------------------------------------------------


def get_clf(meta, hidden_layer_sizes, dropout):
    """The network of the "Basic usage" tutorial."""
    model = keras.models.Sequential()
    model.add(keras.layers.Input(shape=(meta["n_features_in_"],)))
    for hidden_layer_size in hidden_layer_sizes:
        model.add(keras.layers.Dense(hidden_layer_size, activation="relu"))
        model.add(keras.layers.Dropout(dropout))
    model.add(keras.layers.Dense(1, activation="sigmoid"))
    return model


def get_clf_model(hidden_layer_sizes, meta, compile_kwargs):
    """The network of the "MLPClassifier" and "Meta-estimators" tutorials."""
    model = keras.Sequential()
    model.add(keras.layers.Input(shape=(meta["n_features_in_"],)))
    for hidden_layer_size in hidden_layer_sizes:
        model.add(keras.layers.Dense(hidden_layer_size, activation="relu"))
    if meta["target_type_"] == "binary":
        n_output_units = 1
        output_activation = "sigmoid"
        loss = "binary_crossentropy"
    elif meta["target_type_"] == "multiclass":
        n_output_units = meta["n_classes_"]
        output_activation = "softmax"
        loss = "sparse_categorical_crossentropy"
    else:
        raise NotImplementedError(f"Unsupported task type: {meta['target_type_']}")
    model.add(keras.layers.Dense(n_output_units, activation=output_activation))
    model.compile(loss=loss, optimizer=compile_kwargs["optimizer"], run_eagerly=True)
    return model


def sigmoid_net(meta):
    return keras.Sequential(
        [keras.Input((meta["n_features_in_"],)), keras.layers.Dense(1, activation="sigmoid")]
    )


def softmax_net(meta):
    return keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            keras.layers.Dense(meta["n_classes_"], activation="softmax"),
        ]
    )


def compiled_net():
    """The "Benchmarks" tutorial's form: no argument at all, compiled inside."""
    model = keras.Sequential(
        [
            keras.Input((N_FEATURES,)),
            keras.layers.Dense(4, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(loss="binary_crossentropy", optimizer="sgd", run_eagerly=True)
    return model


def two_headed_net(meta, activation="sigmoid"):
    """Two named outputs of one unit each, not compiled."""
    inp = keras.Input((meta["n_features_in_"],))
    outs = [keras.layers.Dense(1, activation=activation, name=f"out{i + 1}")(inp) for i in range(2)]
    return keras.Model(inp, outs)


def watched_net(batches):
    """A builder of networks that add each batch they train on: x, y and, if any, weights."""

    class Watched(keras.Sequential):
        def train_step(self, data):
            batches.append([np.asarray(part) for part in data])
            return super().train_step(data)

    def build(meta):
        unit = keras.layers.Dense(1, activation="sigmoid")
        return Watched([keras.Input((meta["n_features_in_"],)), unit])

    return build


# run_eagerly is an ordinary parameter of Keras and SciKeras: it spares tiny networks their tracing
QUICK = {"epochs": 1, "verbose": 0, "run_eagerly": True}
# a single split of the rows, for searches
ONE_SPLIT = [(np.arange(24), np.arange(24, N_SAMPLES))]
SIGMOID = {"model": sigmoid_net, "loss": "binary_crossentropy", **QUICK}
SOFTMAX = {"model": softmax_net, "loss": "sparse_categorical_crossentropy", **QUICK}


class Recorder(keras.callbacks.Callback):
    """Tells a function what it is told; a function, unlike a list, is no copy in a copy."""

    def __init__(self, tell, name="callback"):
        super().__init__()
        self.tell = tell
        self.name = name

    def on_train_begin(self, logs=None):
        self.tell((self.name, "train"))

    def on_test_begin(self, logs=None):
        self.tell((self.name, "test"))

    def on_predict_begin(self, logs=None):
        self.tell((self.name, "predict"))


def told_to(log):
    """A function that appends to this very list, wherever it is copied to."""

    def tell(what):
        log.append(what)

    return tell


class Schedule:
    """The learning-rate rule of the advanced guide."""

    def __init__(self, wait_until_epoch=1, coef=0.1):
        self.wait_until_epoch = wait_until_epoch
        self.coef = coef

    def __call__(self, epoch, lr):
        if epoch < self.wait_until_epoch:
            return lr
        return lr * math.exp(-self.coef)


@pytest.fixture(scope="module")
def trained():
    """A classifier of `binary` that the tests only look at."""
    X, y = make_classification(N_SAMPLES, N_FEATURES, n_informative=4, random_state=0)
    return KerasClassifier(**SIGMOID).fit(X, y)


# --------------------------------------------------------------------------------------------------
# Tutorial: Basic usage
# --------------------------------------------------------------------------------------------------


class TestBasicUsage:
    def test_wrapper_compiles_an_uncompiled_network_and_predicts(self, binary):
        """Basic usage, 2: a network built from ``meta`` and the constructor's keywords."""
        X, y = binary
        clf = KerasClassifier(
            model=get_clf,
            loss="binary_crossentropy",
            hidden_layer_sizes=(8,),
            dropout=0.5,
            epochs=1,
            verbose=0,
        )
        assert clf.fit(X, y) is clf
        y_pred = clf.predict(X[:5])
        y_proba = clf.predict_proba(X[:5])
        assert y_pred.shape == (5,)
        assert set(y_pred) <= {0, 1}
        assert y_pred.dtype == y.dtype
        assert y_proba.shape == (5, 2)
        np.testing.assert_allclose(y_proba.sum(axis=1), 1, rtol=1e-5)
        np.testing.assert_array_equal(y_pred, y_proba.argmax(axis=1))
        assert clf.model_.compiled
        assert clf.n_features_in_ == N_FEATURES

    def test_two_softmax_units_serve_a_binary_task(self, binary):
        """Basic usage, 2.2: the second way of building a binary output layer."""
        X, y = binary
        clf = KerasClassifier(**SOFTMAX).fit(X, y)
        assert clf.model_.output_shape == (None, 2)
        np.testing.assert_array_equal(clf.predict(X), clf.predict_proba(X).argmax(axis=1))

    def test_labels_come_back_as_they_were_given(self, multiclass):
        """Basic usage, 2.4 and ClassifierLabelEncoder: strings in, strings out, sorted classes."""
        X, y = multiclass
        names = np.array(["pear", "apple", "fig"])[y]
        clf = KerasClassifier(**SOFTMAX).fit(X, names)
        np.testing.assert_array_equal(clf.classes_, ["apple", "fig", "pear"])
        assert clf.n_classes_ == 3
        assert clf.target_type_ == "multiclass"
        proba = clf.predict_proba(X)
        assert proba.shape == (N_SAMPLES, 3)
        np.testing.assert_array_equal(clf.predict(X), clf.classes_[proba.argmax(axis=1)])

    def test_lists_and_data_frames_are_accepted(self, binary):
        """fit's docstring: ``X`` and ``y`` are array-likes or data frames."""
        X, y = binary
        frame = pd.DataFrame(X, columns=list("abcdef"))
        clf = KerasClassifier(**SIGMOID)
        for features, target in ((X.tolist(), y.tolist()), (frame, pd.Series(y, name="y"))):
            assert clf.fit(features, target).predict(features).shape == (N_SAMPLES,)

    def test_score_is_accuracy(self, binary, trained):
        """API page, ``KerasClassifier.scorer``: accuracy, with ``sample_weight`` passed on."""
        X, y = binary
        weight = np.linspace(1, 2, N_SAMPLES)
        y_pred = trained.predict(X)
        assert trained.score(X, y) == pytest.approx(accuracy_score(y, y_pred))
        assert trained.score(X, y, sample_weight=weight) == pytest.approx(
            accuracy_score(y, y_pred, sample_weight=weight)
        )

    def test_pickled_classifier_is_still_trained(self, binary, trained):
        """Basic usage, 4.1: saving the whole model by pickle."""
        X, _ = binary
        again = pickle.loads(pickle.dumps(trained))
        np.testing.assert_allclose(again.predict_proba(X), trained.predict_proba(X), rtol=1e-5)
        assert again.history_ == trained.history_

    def test_keras_saved_network_is_wrapped_again_without_fitting(self, binary, tmp_path):
        """Basic usage, 4.2: ``model_.save``, ``load_model``, ``initialize`` and predict."""
        X, y = binary
        clf = KerasClassifier(
            model=get_clf,
            loss="binary_crossentropy",
            hidden_layer_sizes=(8,),
            dropout=0.5,
            **QUICK,
        ).fit(X, y)
        pred_old = clf.predict_proba(X)
        clf.model_.save(tmp_path / "my_model.keras")
        new_model = keras.models.load_model(tmp_path / "my_model.keras")
        clf_new = KerasClassifier(new_model, verbose=0)
        assert clf_new.initialize(X, y) is clf_new
        np.testing.assert_allclose(clf_new.predict_proba(X), pred_old, rtol=1e-5)
        np.testing.assert_array_equal(clf_new.predict(X), clf.predict(X))

    def test_pipeline_with_a_scaler_fits_and_is_saved_by_joblib(self, binary, tmp_path):
        """Basic usage, 5: an sklearn pipeline, saved as a whole."""
        X, y = binary
        clf = KerasClassifier(
            model=get_clf,
            loss="binary_crossentropy",
            optimizer="adam",
            hidden_layer_sizes=(8,),
            dropout=0.5,
            **QUICK,
        )
        pipe = Pipeline([("scale", StandardScaler()), ("clf", clf)])
        y_pred = pipe.fit(X, y).predict(X)
        assert y_pred.shape == (N_SAMPLES,)
        expected = pipe.predict_proba(X)
        joblib.dump(pipe, tmp_path / "pipe.joblib")
        again = joblib.load(tmp_path / "pipe.joblib")
        np.testing.assert_allclose(again.predict_proba(X), expected, rtol=1e-5)

    def test_custom_callback_stops_training(self, binary):
        """Basic usage, 6: a user's callback that watches a validation metric."""

        class MaxValLoss(keras.callbacks.Callback):
            def __init__(self, monitor, threshold):
                self.monitor = monitor
                self.threshold = threshold

            def on_epoch_end(self, epoch, logs=None):
                if logs[self.monitor] > self.threshold:
                    self.model.stop_training = True

        X, y = binary
        kwargs = {
            "model": get_clf,
            "loss": "binary_crossentropy",
            "dropout": 0.5,
            "hidden_layer_sizes": (4,),
            "metrics": ["binary_accuracy"],
            "fit__validation_split": 0.2,
            "epochs": 3,
            "verbose": False,
            "run_eagerly": True,
            "random_state": 0,
        }
        clf = KerasClassifier(**kwargs).fit(X, y)
        assert len(clf.history_["loss"]) == 3
        assert len(clf.history_["val_binary_accuracy"]) == 3
        callback = MaxValLoss(monitor="val_binary_accuracy", threshold=-1.0)
        clf = KerasClassifier(**kwargs, callbacks=[callback]).fit(X, y)
        assert len(clf.history_["loss"]) == 1

    def test_grid_search_over_builder_and_optimizer_parameters(self, binary):
        """Basic usage, 7.2: ``optimizer__``, ``model__`` and accuracy as the scorer."""
        X, y = binary
        clf = KerasClassifier(
            model=get_clf,
            loss="binary_crossentropy",
            optimizer="adam",
            optimizer__learning_rate=0.1,
            model__hidden_layer_sizes=(4,),
            model__dropout=0.5,
            **QUICK,
        )
        params = {
            "optimizer__learning_rate": [0.05],
            "model__hidden_layer_sizes": [(3, 2)],
            "model__dropout": [0],
        }
        gs = GridSearchCV(clf, params, scoring="accuracy", cv=2).fit(X, y)
        assert np.isfinite(gs.cv_results_["mean_test_score"]).all()
        assert set(gs.best_params_) == set(params)
        best = gs.best_estimator_
        assert float(best.model_.optimizer.learning_rate) == pytest.approx(0.05)
        assert [layer.units for layer in best.model_.layers if hasattr(layer, "units")] == [3, 2, 1]

    def test_randomized_search_through_a_pipeline(self, binary):
        """Basic usage, 7.2, and SciKeras' test_api: the step's name, then the parameter's."""
        X, y = binary
        clf = KerasClassifier(get_clf, hidden_layer_sizes=(2,), dropout=0, **QUICK)
        pipe = Pipeline([("scale", StandardScaler()), ("clf", clf)])
        pipe.set_params(clf__loss="binary_crossentropy")
        candidates = {
            "clf__model__hidden_layer_sizes": [(3,)],
            "clf__epochs": [2],
            "clf__batch_size": [16],
            "clf__optimizer": ["sgd"],
        }
        search = RandomizedSearchCV(pipe, candidates, n_iter=1, cv=ONE_SPLIT).fit(X, y)
        best = search.best_estimator_["clf"]
        assert best.model_.layers[0].units == 3
        assert len(best.history_["loss"]) == 2
        assert isinstance(best.model_.optimizer, keras.optimizers.SGD)


# --------------------------------------------------------------------------------------------------
# Advanced guide: initialization and compilation
# --------------------------------------------------------------------------------------------------


class TestInitialization:
    def test_constructor_stores_arguments_unmodified(self):
        """Advanced, Initialization: arguments are stored as given and can be cloned."""
        metrics = [keras.metrics.Recall]
        clf = KerasClassifier(
            model=get_clf,
            optimizer=keras.optimizers.Adam,
            metrics=metrics,
            optimizer__learning_rate=0.1,
            model__dropout=0.2,
            hidden_layer_sizes=(3,),
        )
        assert is_classifier(clf)
        assert clf.model is get_clf
        assert clf.metrics is metrics
        assert clf.optimizer is keras.optimizers.Adam
        assert not clf.initialized_
        params = clf.get_params()
        assert params["model__dropout"] == 0.2
        assert params["optimizer__learning_rate"] == 0.1
        assert params["hidden_layer_sizes"] == (3,)
        twin = clone(clf)
        assert twin.get_params().keys() == params.keys()
        assert twin.model is get_clf

    def test_initialize_makes_the_network_without_training(self, multiclass):
        """``initialize``'s docstring: attributes and a network, no fit; predict works."""
        X, y = multiclass
        clf = KerasClassifier(**SOFTMAX)
        assert clf.current_epoch == 0
        assert clf.initialize(X, y) is clf
        assert clf.initialized_
        assert clf.current_epoch == 0
        assert not hasattr(clf, "history_")
        assert int(clf.model_.optimizer.iterations) == 0
        assert clf.predict(X).shape == (N_SAMPLES,)
        np.testing.assert_array_equal(clf.classes_, [0, 1, 2])
        assert clf.n_classes_ == 3
        assert clf.n_features_in_ == N_FEATURES
        assert clf.X_shape_ == X.shape
        assert clf.X_dtype_ == np.dtype("float32")  # unlike SciKeras: floats are always that
        assert clf.y_dtype_ == y.dtype
        assert clf.y_ndim_ == 1
        assert clf.n_outputs_ == 1
        assert clf.n_outputs_expected_ == 1
        encoder = clf.target_encoder_
        np.testing.assert_array_equal(encoder.inverse_transform(encoder.transform(y)), y)

    def test_predicting_before_fit_raises_not_fitted(self, binary):
        """SciKeras' test_errors: ``predict`` and ``predict_proba`` before ``fit``."""
        X, _ = binary
        clf = KerasClassifier(sigmoid_net)
        with pytest.raises(NotFittedError):
            clf.predict(X)
        with pytest.raises(NotFittedError):
            clf.predict_proba(X)

    def test_network_compiled_by_the_builder_is_left_alone(self, binary):
        """Advanced, Compilation, route 1; unlike SciKeras, we say what is not used."""
        X, y = binary
        clf = KerasClassifier(compiled_net, optimizer="adam", epochs=1, verbose=0)
        with pytest.warns(UserWarning, match="these are not used: optimizer"):
            clf.fit(X, y)
        assert isinstance(clf.model_.optimizer, keras.optimizers.SGD)
        assert clf.model_.loss == "binary_crossentropy"

    def test_builder_gets_compile_kwargs_as_objects(self, binary):
        """Advanced, ``compile_kwargs``: usable as ``model.compile(**compile_kwargs)``."""
        X, y = binary
        seen = {}

        def build(meta, compile_kwargs):
            seen.update(compile_kwargs)
            model = sigmoid_net(meta)
            model.compile(**compile_kwargs)
            return model

        clf = KerasClassifier(
            build,
            optimizer="adam",
            optimizer__learning_rate=0.02,
            loss=keras.losses.BinaryCrossentropy,
            metrics=["binary_accuracy"],
            **QUICK,
        ).fit(X, y)
        assert {"optimizer", "loss", "metrics", "run_eagerly"} <= set(seen)
        assert isinstance(seen["optimizer"], keras.optimizers.Adam)
        assert isinstance(seen["loss"], keras.losses.BinaryCrossentropy)
        assert seen["metrics"] == ["binary_accuracy"]  # unlike SciKeras: strings stay strings
        assert len(clf.history_["binary_accuracy"]) == 1
        assert seen["run_eagerly"] is True
        assert clf.model_.optimizer is seen["optimizer"]

    def test_wrong_loss_for_a_compiled_network_is_refused(self, binary):
        """``_check_model_compatibility``: the loss named must be the loss compiled."""
        X, y = binary
        clf = KerasClassifier(compiled_net, loss="mean_squared_error", epochs=1, verbose=0)
        with pytest.raises(ValueError, match="model compiled with"):
            clf.fit(X, y)

    def test_number_of_outputs_must_match_the_target(self, binary):
        """SciKeras' test_input_outputs: two Keras outputs for a single target are refused."""
        X, y = binary
        clf = KerasClassifier(two_headed_net, loss="binary_crossentropy", **QUICK)
        with pytest.raises(ValueError, match="output"):
            clf.fit(X, y)

    def test_model_may_be_a_built_keras_model(self, binary):
        """Migration, Why switch: pre-trained models. Unlike SciKeras: never trained in place."""
        X, y = binary
        model = compiled_net()
        before = model.get_weights()
        clf = KerasClassifier(model, epochs=1, verbose=0)
        start = clf.initialize(X, y).model_
        for found, given in zip(start.get_weights(), before, strict=True):
            np.testing.assert_array_equal(found, given)
        clf.fit(X, y)
        assert clf.model_ is not model
        assert not np.array_equal(clf.model_.get_weights()[0], before[0])
        for found, given in zip(model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(found, given)
        assert clone(clf).model is model

    def test_model_must_be_a_function_or_a_network(self, binary):
        """SciKeras' test_errors: anything else is a TypeError at fit."""
        X, y = binary

        class NotANetwork:
            pass

        with pytest.raises(TypeError, match="model"):
            KerasClassifier(model=NotANetwork(), epochs=1).fit(X, y)

    def test_build_fn_keyword_still_works_with_a_warning(self, binary):
        """Migration: ``build_fn`` was renamed to ``model``; the keyword warns."""
        X, y = binary
        clf = KerasClassifier(build_fn=sigmoid_net, loss="binary_crossentropy", **QUICK)
        with pytest.warns(UserWarning, match="build_fn") as warned:
            clf.fit(X, y)
        own = [warning for warning in warned if "build_fn" in str(warning.message)]
        assert [warning.filename for warning in own] == [__file__]  # once, and the user's line
        assert [type(layer) for layer in clf.model_.layers] == [keras.layers.Dense]
        assert clf.predict(X).shape == (N_SAMPLES,)


# --------------------------------------------------------------------------------------------------
# Advanced guide: arguments of the model-building function
# --------------------------------------------------------------------------------------------------


class TestBuilderArguments:
    def test_user_keywords_reach_the_builder_bare_or_routed(self, binary):
        """Advanced, User-defined keyword arguments; SciKeras' test_parameter_precedence."""
        X, y = binary
        seen = []

        def build(meta, units=2):
            seen.append(units)
            return sigmoid_net(meta)

        assert "units" not in KerasClassifier(build).get_params()
        for given in ({"units": 5}, {"model__units": 6}, {"units": 1, "model__units": 7}):
            KerasClassifier(build, loss="binary_crossentropy", **given).initialize(X, y)
        clf = KerasClassifier(build, units=5, **QUICK).set_params(units=8).fit(X, y)
        assert clf.get_params()["units"] == 8
        assert seen == [5, 6, 7, 8]

    def test_builder_defaults_need_not_be_declared(self, binary):
        """Migration, Default arguments in build_fn/model: undeclared defaults still apply."""
        X, y = binary

        def build(my_param=123):
            model = compiled_net()
            model.my_param = my_param
            return model

        assert KerasClassifier(build).initialize(X, y).model_.my_param == 123

    def test_meta_holds_what_was_learned_from_the_data(self, multiclass):
        """Advanced, ``meta``: every attribute made before the network."""
        X, y = multiclass
        seen = {}

        def build(meta):
            seen.update(meta)
            return softmax_net(meta)

        KerasClassifier(build).initialize(X, y)
        assert set(seen) >= {
            "X_dtype_",
            "X_shape_",
            "y_dtype_",
            "y_ndim_",
            "classes_",
            "n_classes_",
            "n_features_in_",
            "n_outputs_",
            "n_outputs_expected_",
            "target_type_",
            "feature_encoder_",
            "target_encoder_",
        }
        assert seen["n_features_in_"] == N_FEATURES
        assert seen["X_shape_"] == X.shape
        assert seen["n_classes_"] == 3
        assert seen["target_type_"] == "multiclass"
        np.testing.assert_array_equal(seen["classes_"], [0, 1, 2])

    def test_params_holds_the_raw_constructor_arguments(self, binary):
        """Advanced, ``params``: the same as ``get_params()``, nothing compiled."""
        X, y = binary
        seen = {}

        def build(meta, params):
            seen.update(params)
            return sigmoid_net(meta)

        clf = KerasClassifier(
            build, optimizer="sgd", optimizer__learning_rate=0.3, loss="binary_crossentropy"
        )
        clf.initialize(X, y)
        assert seen == clf.get_params()
        assert seen["optimizer"] == "sgd"
        assert seen["optimizer__learning_rate"] == 0.3

    def test_builder_with_var_keywords_gets_everything_in_a_fixed_order(self, binary):
        """SciKeras' test_routing_kwargs: user's keywords, meta, compile_kwargs, params."""
        X, y = binary
        seen = []

        def build(*args, **kwargs):
            assert not args
            seen.extend(kwargs)
            return sigmoid_net(kwargs["meta"])

        KerasClassifier(build, model__units=3, loss="binary_crossentropy").initialize(X, y)
        assert seen == ["units", "meta", "compile_kwargs", "params"]

    def test_builder_may_be_a_partial(self, binary):
        """``_check_model_param``: ``functools.partial`` is a model-building function too."""
        X, y = binary
        build = functools.partial(get_clf, dropout=0.25)
        clf = KerasClassifier(build, hidden_layer_sizes=(3,), loss="binary_crossentropy")
        assert clf.initialize(X, y).model_.layers[1].rate == 0.25

    @pytest.mark.parametrize("name", ["bar", "model__bar"])
    def test_keyword_the_builder_does_not_know_is_a_type_error(self, binary, name):
        """SciKeras' test_build_fn_and_init_signature_do_not_agree: TypeError at fit."""
        X, y = binary

        def no_bar(foo=42):
            return compiled_net()

        with pytest.raises(TypeError):
            KerasClassifier(no_bar, epochs=1, verbose=0, **{name: 42}).fit(X, y)

    def test_setting_an_unknown_parameter_names_the_remedy(self):
        """SciKeras' test_unknown_param: a ValueError that says where to declare it."""
        with pytest.raises(ValueError, match="Invalid parameter"):
            KerasClassifier(sigmoid_net).set_params(test=1)
        with pytest.raises(ValueError, match=r"did you mean 'optimizer__learning_rate'\?"):
            KerasClassifier(sigmoid_net).set_params(learning_rate=0.1)


# --------------------------------------------------------------------------------------------------
# Advanced guide: routed parameters
# --------------------------------------------------------------------------------------------------


class TestOptimizerRouting:
    def test_class_takes_routed_parameters(self, binary):
        """Advanced, ``optimizer__``; SciKeras' test_compile_kwargs, test_optimizer."""
        X, y = binary
        clf = KerasClassifier(
            optimizer=keras.optimizers.SGD,
            optimizer__learning_rate=0.15,
            optimizer__momentum=0.5,
            **SIGMOID,
        ).fit(X, y)
        assert isinstance(clf.model_.optimizer, keras.optimizers.SGD)
        assert float(clf.model_.optimizer.learning_rate) == pytest.approx(0.15)
        assert clf.model_.optimizer.momentum == 0.5
        assert clf.model_.run_eagerly

    def test_instance_is_used_and_takes_no_routed_parameter(self, binary):
        """Constructor docstring: only strings and classes support parameter routing."""
        X, y = binary
        optimizer = keras.optimizers.SGD(learning_rate=0.2)
        clf = KerasClassifier(optimizer=optimizer, **SIGMOID).fit(X, y)
        assert isinstance(clf.model_.optimizer, keras.optimizers.SGD)
        assert float(clf.model_.optimizer.learning_rate) == pytest.approx(0.2)
        clf = KerasClassifier(
            optimizer=keras.optimizers.SGD(), optimizer__learning_rate=0.1, **SIGMOID
        )
        with pytest.raises(TypeError):
            clf.fit(X, y)

    def test_learning_rate_may_be_a_schedule(self, binary):
        """Advanced, ``optimizer__``: a schedule object as the learning rate."""
        X, y = binary
        schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
        clf = KerasClassifier(
            optimizer="sgd", optimizer__learning_rate=schedule, batch_size=N_SAMPLES, **SIGMOID
        ).fit(X, y)
        assert float(clf.model_.optimizer.learning_rate) == pytest.approx(0.05)


class TestLossRouting:
    def test_loss_may_be_a_function(self, binary):
        """Constructor docstring: a string, a function, a class or an instance."""
        X, y = binary
        clf = KerasClassifier(sigmoid_net, loss=keras.losses.binary_crossentropy, **QUICK).fit(X, y)
        assert len(clf.history_["loss"]) == 1
        assert clf.predict_proba(X).shape == (N_SAMPLES, 2)

    def test_class_takes_routed_parameters(self, binary):
        """Advanced, ``loss__``; SciKeras' test_compile_kwargs, test_loss."""
        X, y = binary
        clf = KerasClassifier(
            sigmoid_net,
            loss=keras.losses.BinaryCrossentropy,
            loss__label_smoothing=0.1,
            loss__name="custom_name",
            **QUICK,
        ).fit(X, y)
        assert isinstance(clf.model_.loss, keras.losses.BinaryCrossentropy)
        assert clf.model_.loss.label_smoothing == 0.1
        assert clf.model_.loss.name == "custom_name"

    def test_loss_that_is_not_a_class_takes_no_routed_parameter(self, binary):
        """Advanced, ``loss__``: to use this syntax you must pass classes."""
        X, y = binary
        with pytest.raises(TypeError):
            KerasClassifier(
                sigmoid_net,
                loss=keras.losses.BinaryCrossentropy(),
                loss__label_smoothing=0.1,
                **QUICK,
            ).fit(X, y)

    @pytest.mark.parametrize("form", ["list", "dict"])
    def test_loss_per_output_with_common_and_own_parameters(self, binary, form):
        """Advanced, Example: multiple losses with routed parameters."""
        X, y = binary
        cross = keras.losses.BinaryCrossentropy
        seen = {}

        def build(meta, compile_kwargs):
            seen.update(compile_kwargs)
            model = two_headed_net(meta, activation=None)
            model.compile(**compile_kwargs)
            return model

        class TwoTargets(KerasClassifier):
            @property
            def target_encoder(self):
                if form == "list":
                    return FunctionTransformer(lambda y: [y[:, 0], y[:, 1]])
                return FunctionTransformer(lambda y: {"out1": y[:, 0], "out2": y[:, 1]})

        second = "1" if form == "list" else "out2"
        clf = TwoTargets(
            build,
            loss=[cross, cross] if form == "list" else {"out1": cross, "out2": cross},
            loss__from_logits=True,
            loss__label_smoothing=0.1,
            class_weight=None,
            **QUICK,
            **{f"loss__{second}__label_smoothing": 0.5},
        )
        clf.fit(X, np.column_stack([y, 1 - y]))
        losses = seen["loss"] if form == "list" else list(seen["loss"].values())
        assert [loss.label_smoothing for loss in losses] == [0.1, 0.5]
        assert all(loss.from_logits for loss in losses)
        assert np.isfinite(clf.history_["loss"]).all()

    def test_custom_loss_gets_nested_objects(self, binary):
        """SciKeras' test_custom_loss_nested_kwargs: classes among a loss' parameters are built."""
        X, y = binary

        class Foo:
            def __init__(self, **kwargs):
                self.got = kwargs

        class MyLoss:
            def __init__(self, param1):
                self.param1 = param1
                self.__name__ = str(id(self))

            def __call__(self, y_true, y_pred):
                return keras.losses.binary_crossentropy(y_true, y_pred)

        clf = KerasClassifier(
            sigmoid_net,
            loss=MyLoss,
            loss__param1=[Foo, Foo],
            loss__param1__foo_kwarg=1,
            loss__param1__0__foo_kwarg=2,
            **QUICK,
        ).fit(X, y)
        assert [foo.got["foo_kwarg"] for foo in clf.model_.loss.param1] == [2, 1]

    def test_loss_weights_reach_compile_by_their_prefix(self, binary):
        """``_routing_prefixes``: ``compile__`` goes to ``Model.compile``."""
        X, y = binary
        seen = {}

        def build(meta, compile_kwargs):
            seen.update(compile_kwargs)
            return sigmoid_net(meta)

        clf = KerasClassifier(
            build, loss="binary_crossentropy", compile__loss_weights=[0.5], **QUICK
        )
        clf.fit(X, y)
        assert seen["loss_weights"] == [0.5]


class TestMetricsRouting:
    @pytest.mark.parametrize(
        ("metrics", "routed", "names"),
        [
            (["accuracy", "mse"], {}, {"accuracy", "mse"}),
            (
                [keras.metrics.Recall, keras.metrics.Precision],
                {"metrics__0__name": "mine", "metrics__thresholds": 0.3},
                {"mine", "precision"},
            ),
            ({"a": keras.metrics.Recall}, {"metrics__a__name": "named"}, {"named"}),
        ],
        ids=["strings", "classes", "dict"],
    )
    def test_metrics_in_every_form_with_routed_parameters(self, binary, metrics, routed, names):
        """Advanced, ``metrics__``; ``history_`` has Keras' own names for them."""
        X, y = binary
        clf = KerasClassifier(metrics=metrics, **routed, **SIGMOID).fit(X, y)
        assert names | {"loss"} <= set(clf.history_)
        assert all(len(clf.history_[name]) == 1 for name in names)

    def test_metric_instance_keeps_its_own_name(self, binary):
        """SciKeras' test_partial_fit_history_metric_names: custom names are preserved."""
        X, y = binary
        clf = KerasClassifier(
            metrics=["mse", keras.metrics.MeanAbsoluteError(name="custom_metric")], **SIGMOID
        )
        for _ in range(2):
            clf = pickle.loads(pickle.dumps(clf)).partial_fit(X, y)
        assert set(clf.history_) == {"loss", "mse", "custom_metric"}
        assert all(len(values) == 2 for values in clf.history_.values())

    def test_metrics_per_output_in_a_dict(self, binary):
        """SciKeras' test_metrics_dict: metrics by output name, with common and own parameters."""
        X, y = binary

        class TwoTargets(KerasClassifier):
            @property
            def target_encoder(self):
                return FunctionTransformer(lambda y: [y[:, 0], y[:, 1]])

        accuracy = keras.metrics.BinaryAccuracy
        clf = TwoTargets(
            two_headed_net,
            loss=["binary_crossentropy", "binary_crossentropy"],
            metrics={"out1": accuracy, "out2": accuracy},
            metrics__name="name_all_metrics",
            metrics__out1__name="custom_name",
            class_weight=None,
            **QUICK,
        )
        clf.fit(X, np.column_stack([y, 1 - y]))
        assert {"loss", "out1_custom_name", "out2_name_all_metrics"} <= set(clf.history_)


class TestFitAndPredictRouting:
    def test_batch_size_by_its_prefix_its_bare_name_and_in_the_call(self, binary):
        """Constructor docstring, migration and test_kwargs: the call, the prefix, the bare name."""
        X, y = binary
        batches = []
        clf = KerasClassifier(
            watched_net(batches), batch_size=12, loss="binary_crossentropy", **QUICK
        )

        def sizes():
            found = [len(batch[0]) for batch in batches]
            batches.clear()
            return found

        clf.fit(X, y)
        assert sizes() == [12, 12, 8]
        clf.set_params(fit__batch_size=16, predict__batch_size=1000).fit(X, y)
        assert sizes() == [16, 16]
        clf.fit(X, y, batch_size=20, epochs=2)
        assert sizes() == [20, 12] * 2
        assert len(clf.history_["loss"]) == 2
        assert (clf.batch_size, clf.fit__batch_size, clf.epochs) == (12, 16, 1)

    def test_validation_batch_size_of_minus_one_takes_every_sample(self, binary):
        """Constructor docstring: ``validation_batch_size=-1`` uses all samples."""
        X, y = binary
        clf = KerasClassifier(loss="binary_crossentropy", validation_split=0.25, **QUICK)
        seen = []

        class Tested(keras.Sequential):
            def test_step(self, data):
                seen.append(len(data[0]))
                return super().test_step(data)

        def build(meta):
            return Tested(sigmoid_net(meta).layers)

        clf.set_params(model=build, validation_batch_size=-1).fit(X, y)
        clf.fit(X, y, validation_batch_size=5)
        assert seen == [8, 5, 3]

    def test_options_of_predict_change_no_prediction_and_are_not_kept(self, binary):
        """Constructor docstring and test_kwargs: ``predict__``, and keywords to ``predict``."""
        X, y = binary
        clf = KerasClassifier(predict__batch_size=-1, **SIGMOID).initialize(X, y)
        expected = clf.predict_proba(X)
        clf.set_params(predict__batch_size=5, predict__verbose=0)
        np.testing.assert_array_equal(clf.predict_proba(X), expected)
        np.testing.assert_array_equal(clf.predict_proba(X, batch_size=7), expected)
        labels = clf.predict(X, batch_size=8, steps=4, verbose=0, callbacks=None)
        np.testing.assert_array_equal(labels, clf.predict(X))
        assert clf.predict__batch_size == 5
        assert not hasattr(clf, "steps")
        with pytest.raises(TypeError, match="batchsize"):
            clf.predict(X, batchsize=8)

    def test_epochs_given_to_fit_win_over_the_routed_and_the_bare(self, binary):
        """``fit``'s code: epochs via kwargs, then ``fit__epochs``, then ``epochs``."""
        X, y = binary
        clf = KerasClassifier(**{**SIGMOID, "epochs": 3}, fit__epochs=2)
        assert clf.fit(X, y).current_epoch == 2
        assert clf.fit(X, y, epochs=1).current_epoch == 1

    def test_initial_epoch_counts_on_from_there(self, binary):
        """``_fit_keras_model``: ``epochs`` more epochs, from ``initial_epoch``."""
        X, y = binary
        seen = []
        note_epoch = keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: seen.append(epoch)
        )
        clf = KerasClassifier(callbacks=note_epoch, **SIGMOID).fit(X, y, initial_epoch=4, epochs=2)
        assert seen == [4, 5]
        assert clf.callbacks_[0].params["epochs"] == 6
        assert clf.current_epoch == 2

    def test_validation_data_may_be_given_to_fit(self, binary):
        """Advanced, ``fit__``: anything ``Model.fit`` takes, validation data too."""
        X, y = binary
        clf = KerasClassifier(**SIGMOID).fit(X, y, validation_data=(X, y))
        assert len(clf.history_["val_loss"]) == 1

    def test_other_fit_arguments_go_by_their_prefix(self, binary):
        """Advanced, ``fit__``: ``validation_freq``, ``shuffle`` and the like."""
        X, y = binary
        batches = []
        clf = KerasClassifier(
            watched_net(batches),
            loss="binary_crossentropy",
            batch_size=8,
            fit__validation_data=(X, y),
            fit__validation_freq=2,
            fit__shuffle=False,
            fit__steps_per_epoch=3,
            **{**QUICK, "epochs": 2},
        ).fit(X, y)
        in_order = X[:24].astype("float32")
        np.testing.assert_array_equal(np.vstack([batch[0] for batch in batches[:3]]), in_order)
        np.testing.assert_array_equal(np.vstack([batch[0] for batch in batches[3:]]), in_order)
        assert len(clf.history_["loss"]) == 2
        assert len(clf.history_["val_loss"]) == 1

    def test_score_parameters_reach_the_scorer(self, binary):
        """Advanced, ``score__``: passed to ``scorer``."""
        X, y = binary
        clf = KerasClassifier(score__normalize=False, **SIGMOID).fit(X, y)
        assert clf.score(X, y) == (clf.predict(X) == y).sum()

    def test_search_may_tune_any_routed_parameter_of_fit(self, binary):
        """Advanced, Routed parameters: all of them are available for tuning."""
        X, y = binary
        clf = KerasClassifier(
            fit__callbacks=[keras.callbacks.EarlyStopping],
            fit__callbacks__0__monitor="loss",
            **SIGMOID,
        )
        grid = {"fit__callbacks__0__patience": [7], "fit__batch_size": [24]}
        gs = GridSearchCV(clf, grid, cv=ONE_SPLIT).fit(X, y)
        assert gs.best_estimator_.get_params()["fit__callbacks__0__patience"] == 7
        assert [callback.patience for callback in gs.best_estimator_.callbacks_] == [7]


# --------------------------------------------------------------------------------------------------
# Advanced guide: callbacks
# --------------------------------------------------------------------------------------------------


class TestCallbacks:
    @pytest.mark.parametrize(
        "callbacks",
        [
            {"callbacks": {"bl": keras.callbacks.EarlyStopping(monitor="acc", min_delta=1)}},
            {
                "callbacks": keras.callbacks.EarlyStopping,
                "callbacks__monitor": "acc",
                "callbacks__min_delta": 1,
            },
            {
                "callbacks": [keras.callbacks.EarlyStopping],
                "callbacks__0__monitor": "acc",
                "callbacks__min_delta": 1,
            },
            {
                "callbacks": {"bl": [keras.callbacks.EarlyStopping]},
                "callbacks__bl__0__monitor": "acc",
                "callbacks__bl__min_delta": 1,
            },
        ],
        ids=["instance in a dict", "class", "class in a list", "nested"],
    )
    def test_early_stopping_in_every_form(self, binary, callbacks):
        """SciKeras' test_callback_param_routing_syntax: each form stops before the last epoch."""
        X, y = binary
        params = {**SIGMOID, "epochs": 3}
        clf = KerasClassifier(metrics="acc", **callbacks, **params).fit(X, y)
        assert clf.current_epoch < 3

    def test_patience_is_routed_to_every_callback_of_a_list(self, binary):
        """Advanced, Routed parameters: common parameters, then those of one item."""
        X, y = binary
        clf = KerasClassifier(
            callbacks=[keras.callbacks.EarlyStopping, keras.callbacks.ReduceLROnPlateau],
            callbacks__monitor="loss",
            callbacks__patience=3,
            callbacks__1__patience=5,
            **SIGMOID,
        ).fit(X, y)
        first, second = clf.callbacks_
        assert isinstance(first, keras.callbacks.EarlyStopping)
        assert isinstance(second, keras.callbacks.ReduceLROnPlateau)
        assert (first.monitor, second.monitor) == ("loss", "loss")
        assert (first.patience, second.patience) == (3, 5)

    @pytest.mark.parametrize(
        "callbacks",
        [
            {
                "callbacks": keras.callbacks.LearningRateScheduler,
                "callbacks__0": Schedule,
                "callbacks__0__coef": 0.2,
            },
            {
                "callbacks": [keras.callbacks.LearningRateScheduler, keras.callbacks.EarlyStopping],
                "callbacks__0__0": Schedule,
                "callbacks__0__0__coef": 0.2,
                "callbacks__1__monitor": "loss",
                "callbacks__1__patience": 9,
            },
        ],
        ids=["class", "list"],
    )
    def test_positional_and_nested_callback_arguments(self, binary, callbacks):
        """Advanced, Example: callback with routed parameters (``callbacks__0`` is positional)."""
        X, y = binary
        params = {**SIGMOID, "epochs": 3}
        clf = KerasClassifier(
            optimizer=keras.optimizers.SGD(learning_rate=0.1), **callbacks, **params
        ).fit(X, y)
        rate = float(clf.model_.optimizer.learning_rate)
        assert rate == pytest.approx(0.1 * math.exp(-0.4), rel=1e-4)

    def test_positional_arguments_are_sorted_by_their_number(self, binary):
        """SciKeras' test_callback_compiling_args_or_kwargs: the keys' order does not matter."""
        X, y = binary
        seen = []

        class ArgsAndKwargs(keras.callbacks.Callback):
            def __init__(self, *args, **kwargs):
                super().__init__()
                seen.append((args, kwargs))

        KerasClassifier(
            callbacks={"both": ArgsAndKwargs},
            callbacks__both__1="arg1",
            callbacks__both__0="arg0",
            callbacks__both__kwargname=None,
            **SIGMOID,
        ).fit(X, y)
        assert seen == [(("arg0", "arg1"), {"kwargname": None})]

    def test_bare_callbacks_serve_fit_and_predict_and_prefixes_part_them(self, binary):
        """SciKeras' test_callbacks_prefixes: who is told what, in which order, and how often."""
        X, y = binary
        log = []
        tell = told_to(log)
        clf = KerasClassifier(
            callbacks=[Recorder(tell, "a"), Recorder(tell, "b")],
            fit__callbacks={"x": Recorder(tell, "fit")},
            predict__callbacks=Recorder(tell, "predict"),
            validation_split=0.25,
            **SIGMOID,
        ).fit(X, y)
        trained = [(name, what) for what in ("train", "test") for name in ("a", "b", "fit")]
        assert log == trained
        assert len(clf.history_["val_loss"]) == 1
        clf.predict(X)
        assert log == [*trained, *((name, "predict") for name in ("a", "b", "predict"))]

    def test_callback_given_to_a_call_serves_that_call(self, binary):
        """Migration, Variable keyword arguments in fit and predict."""
        X, y = binary
        log = []
        clf = KerasClassifier(**SIGMOID).fit(X, y, callbacks=[Recorder(told_to(log))])
        clf.fit(X, y)
        assert log == [("callback", "train")]
        clf.predict(X, callbacks=[Recorder(told_to(log))])
        clf.predict(X, callbacks=Recorder(told_to(log)))
        clf.predict(X)
        assert log == [("callback", "train"), ("callback", "predict"), ("callback", "predict")]

    def test_something_that_is_no_callback_is_a_type_error(self, binary):
        """``_initialize_callbacks``: a TypeError that says what ``callbacks`` may be."""
        X, y = binary
        with pytest.raises(TypeError, match="callbacks"):
            KerasClassifier(callbacks=["early"], **SIGMOID).fit(X, y)

    def test_classifier_with_callbacks_is_pickled_and_trained_on(self, binary):
        """SciKeras' test_pickle_with_callbacks: callbacks hold the network, pickling works."""
        X, y = binary
        callback = keras.callbacks.Callback()
        clf = KerasClassifier(callbacks=[callback], **SIGMOID).fit(X, y)
        assert clf.callbacks_[0] is not callback  # unlike SciKeras: each fit has its own
        assert clf.callbacks_[0].model is clf.model_
        assert callback.model is None
        clf = pickle.loads(pickle.dumps(clf))
        clf.predict(X)
        clf.partial_fit(X, y)
        assert clf.current_epoch == 2


# --------------------------------------------------------------------------------------------------
# Migration guide and class docstring: training
# --------------------------------------------------------------------------------------------------


class TestTraining:
    def test_fit_resets_the_history_and_partial_fit_extends_it(self, binary):
        """Migration, Fit returns self."""
        X, y = binary
        params = {**SIGMOID, "epochs": 2}
        clf = KerasClassifier(**params)
        history = clf.fit(X, y).history_
        assert isinstance(history, dict)
        assert all(isinstance(values, list) for values in history.values())
        assert len(history["loss"]) == clf.current_epoch == 2
        assert clf.partial_fit(X, y) is clf
        assert len(clf.history_["loss"]) == clf.current_epoch == 3
        clf.fit(X, y)
        assert len(clf.history_["loss"]) == clf.current_epoch == 2

    def test_partial_fit_trains_one_epoch_of_the_same_network(self, binary):
        """``partial_fit``'s docstring: a single epoch, whatever ``epochs`` says."""
        X, y = binary
        seen = []
        note_epoch = keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: seen.append(epoch)
        )
        params = {**SIGMOID, "epochs": 5, "callbacks": note_epoch}
        clf = KerasClassifier(fit__epochs=7, **params).partial_fit(X, y)
        model = clf.model_
        before = model.get_weights()[0]
        clf.partial_fit(X, y)
        assert clf.model_ is model
        assert not np.array_equal(model.get_weights()[0], before)
        assert clf.current_epoch == 2
        assert seen == [0, 1]

    @pytest.mark.parametrize("keyword", ["epochs", "initial_epoch"])
    def test_partial_fit_refuses_a_number_of_epochs(self, binary, keyword):
        """SciKeras' test_partial_fit_epoch_kwargs: a TypeError."""
        X, y = binary
        with pytest.raises(TypeError, match="Invalid argument"):
            KerasClassifier(**SIGMOID).partial_fit(X, y, **{keyword: 1})

    def test_partial_fit_may_be_told_classes_not_seen_yet(self):
        """SciKeras' test_partial_fit_classes_param: ``classes`` with the first call only."""
        X = np.array([[1, 2, 3], [4, 5, 6]]).T
        y1, y2 = np.array([1, 2, 2]), np.array([2, 3, 3])
        clf = KerasClassifier(**SOFTMAX)
        clf.partial_fit(X=X, y=y1, classes=np.array([1, 2, 3]))
        encoder = clf.target_encoder_
        np.testing.assert_array_equal(clf.classes_, [1, 2, 3])
        assert clf.target_type_ == "multiclass"
        clf.partial_fit(X=X, y=y2)
        np.testing.assert_array_equal(clf.classes_, [1, 2, 3])
        assert clf.target_encoder_ is encoder
        assert clf.predict_proba(X).shape == (3, 3)
        clf.score(X, y2)

    def test_data_of_another_kind_is_refused_by_partial_fit(self, binary):
        """SciKeras' test_errors: other width, other classes."""
        X, y = binary
        clf = KerasClassifier(**SIGMOID).fit(X, y)
        with pytest.raises(ValueError):
            clf.partial_fit(X[:, :3], y)
        with pytest.raises(ValueError):
            clf.partial_fit(X, y + 5)

    def test_warm_start_keeps_the_network_and_counts_from_zero(self, binary):
        """Constructor docstring, ``warm_start``, and SciKeras' test_kwargs (``initialize``)."""
        X, y = binary
        clf = KerasClassifier(warm_start=True, **SIGMOID).initialize(X, y)
        model = clf.model_
        for _ in range(2):
            before = model.get_weights()[0]
            clf.fit(X, y)
            assert clf.model_ is model
            assert not np.array_equal(model.get_weights()[0], before)
            assert clf.current_epoch == 1
        clf.set_params(warm_start=False).fit(X, y)
        assert clf.model_ is not model

    def test_partial_fit_after_pickling_goes_on_as_if_nothing_happened(self, binary):
        """SciKeras' test_partial_fit_pickle: the optimizer's state survives."""
        X, y = binary
        params = {**SIGMOID, "random_state": 42, "optimizer": "adam", "batch_size": N_SAMPLES}
        straight, pickled = KerasClassifier(**params), KerasClassifier(**params)
        for _ in range(2):
            straight.partial_fit(X, y)
            pickled = pickle.loads(pickle.dumps(pickled)).partial_fit(X, y)
            assert pickled.current_epoch == straight.current_epoch
        np.testing.assert_allclose(
            pickled.model_.get_weights()[0], straight.model_.get_weights()[0], rtol=1e-2
        )

    def test_random_state_makes_fits_repeatable(self, binary):
        """SciKeras' test_random_states: the same seed, the same network, to the bit."""
        X, y = binary
        clf = KerasClassifier(random_state=0, batch_size=16, **SIGMOID)
        first = clf.fit(X, y).predict_proba(X)
        np.testing.assert_array_equal(clf.fit(X, y).predict_proba(X), first)
        np.testing.assert_array_equal(clone(clf).fit(X, y).predict_proba(X), first)

    def test_random_state_instance_advances_from_fit_to_fit(self, binary):
        """Unlike SciKeras, where every fit would start anew: as in scikit-learn."""
        X, y = binary
        clf = KerasClassifier(random_state=np.random.RandomState(0), **SIGMOID)
        twin = clone(clf)
        first, second = (clf.fit(X, y).predict_proba(X) for _ in range(2))
        assert not np.allclose(first, second)
        np.testing.assert_array_equal(twin.fit(X, y).predict_proba(X), first)

    def test_wrapped_network_learns_what_plain_keras_learns(self, binary):
        """Benchmarks: the accuracy is identical to that of the Keras network alone."""
        X, y = binary
        fit_kwargs = {"batch_size": 12, "shuffle": False, "verbose": 0, "epochs": 2}
        model = compiled_net()
        clf = KerasClassifier(model, class_weight=None, output_bias=None, **fit_kwargs).fit(X, y)
        history = model.fit(X, y.astype("float32"), **fit_kwargs).history
        np.testing.assert_allclose(
            clf.predict_proba(X)[:, 1], np.asarray(model(X.astype("float32")))[:, 0], rtol=1e-5
        )
        np.testing.assert_allclose(clf.history_["loss"], history["loss"], rtol=1e-5)

    def test_sample_weight_steers_the_network(self):
        """SciKeras' test_sample_weights_fit: the heavier class gains."""
        X = np.ones((32, 1))
        y = np.array([1] * 16 + [-1] * 16)

        def build():
            layer = keras.layers.Dense(1, activation="sigmoid", kernel_initializer="zeros")
            return keras.Sequential([keras.Input((1,)), layer])

        params = {**SIGMOID, "model": build, "optimizer": "sgd", "class_weight": None}
        up = KerasClassifier(**params).fit(X, y, sample_weight=[0.9] * 16 + [0.1] * 16)
        down = KerasClassifier(**params).fit(X, y, sample_weight=[0.1] * 16 + [0.9] * 16)
        assert up.predict_proba(X)[0, 1] > down.predict_proba(X)[0, 1]

    def test_samples_of_no_weight_are_dropped(self, binary):
        """``_validate_sample_weight``: zero weights leave the training set."""
        X, y = binary
        weight = np.r_[np.zeros(8), np.ones(N_SAMPLES - 8)]
        batches = []
        clf = KerasClassifier(
            watched_net(batches), loss="binary_crossentropy", batch_size=-1, shuffle=False, **QUICK
        ).fit(X, y, sample_weight=weight)
        (batch,) = batches
        np.testing.assert_array_equal(batch[0], X[8:].astype("float32"))
        assert clf.predict(X).shape == (N_SAMPLES,)

    def test_weights_that_are_all_zero_are_an_error(self, binary):
        """SciKeras' test_sample_weights_all_zero: a friendly ValueError."""
        X, y = binary
        with pytest.raises(ValueError, match="zero"):
            KerasClassifier(**SIGMOID).fit(X, y, sample_weight=np.zeros(N_SAMPLES))

    @pytest.mark.parametrize("class_weight", ["balanced", {"no": 1.0, "yes": 3.0}])
    def test_class_weight_becomes_sample_weight(self, binary, class_weight):
        """Constructor docstring: class times sample weights, keyed by the labels as given."""
        X, _ = binary
        y = np.where(X[:, 0] > 0.5, "yes", "no")
        weight = np.linspace(1, 2, N_SAMPLES)
        batches = []
        clf = KerasClassifier(
            watched_net(batches),
            loss="binary_crossentropy",
            class_weight=class_weight,
            fit__batch_size=-1,
            shuffle=False,
            **QUICK,
        ).fit(X, y, sample_weight=weight)
        assert set(clf.predict(X)) <= {"no", "yes"}
        mass = {label: weight[y == label].sum() for label in ("no", "yes")}
        # unlike SciKeras: classes are balanced by their sample weights, and the mean is one
        of_class = {"no": 1 / mass["no"], "yes": 1 / mass["yes"]}
        of_class = of_class if class_weight == "balanced" else class_weight
        expected = weight * np.array([of_class[label] for label in y])
        np.testing.assert_allclose(np.ravel(batches[0][2]), expected / expected.mean(), rtol=1e-5)

    def test_class_weight_belongs_to_the_constructor(self, binary):
        """Unlike SciKeras: Keras' own class weights know no labels, only codes."""
        X, y = binary
        weights = {0: 0.5, 1: 0.5}
        with pytest.raises(TypeError, match="class_weight"):
            KerasClassifier(**SIGMOID).fit(X, y, class_weight=weights)
        with pytest.raises(TypeError, match="fit__class_weight"):
            KerasClassifier(fit__class_weight=weights, **SIGMOID).fit(X, y)


# --------------------------------------------------------------------------------------------------
# Advanced guide: targets
# --------------------------------------------------------------------------------------------------


class TestTargets:
    @pytest.mark.parametrize(
        "loss",
        [keras.losses.CategoricalCrossentropy(), keras.losses.categorical_crossentropy],
        ids=["instance", "function"],
    )
    def test_integer_labels_serve_categorical_crossentropy(self, multiclass, loss):
        """Migration, One-hot encoding of targets for categorical crossentropy losses."""
        X, y = multiclass
        clf = KerasClassifier(softmax_net, loss=loss, **QUICK).fit(X, y)
        assert len(clf.history_["loss"]) == 1
        assert clf.predict(X).shape == (N_SAMPLES,)
        assert set(clf.predict(X)) <= {0, 1, 2}

    @pytest.mark.parametrize("n_classes", [2, 3])
    def test_one_hot_targets_give_one_hot_predictions(self, multiclass, n_classes):
        """SciKeras' test_KerasClassifier_loss_invariance: one-hot in, one-hot out."""
        X, y = multiclass
        one_hot = np.eye(n_classes, dtype=int)[y % n_classes]
        clf = KerasClassifier(softmax_net, loss="categorical_crossentropy", **QUICK)
        clf.fit(X, one_hot)
        # unlike SciKeras, where it is "multilabel-indicator"
        assert clf.target_type_ == ("binary" if n_classes == 2 else "multiclass")
        assert clf.n_classes_ == n_classes
        y_pred = clf.predict(X)
        assert y_pred.shape == one_hot.shape
        np.testing.assert_array_equal(y_pred.sum(axis=1), 1)
        assert clf.predict_proba(X).shape == (N_SAMPLES, n_classes)
        assert clf.score(X, one_hot) == pytest.approx((y_pred == one_hot).all(axis=1).mean())

    def test_sparse_and_categorical_crossentropy_agree(self, multiclass):
        """SciKeras' test_KerasClassifier_loss_invariance: both losses learn the same."""
        X, y = multiclass
        first, second = (
            KerasClassifier(softmax_net, loss=loss, random_state=0, **QUICK).fit(X, y)
            for loss in ("categorical_crossentropy", "sparse_categorical_crossentropy")
        )
        np.testing.assert_allclose(first.predict_proba(X), second.predict_proba(X), rtol=1e-4)

    def test_several_labels_at_once_by_one_sigmoid_layer(self, binary):
        """Advanced, table of targets: "multilabel-indicator" with a single Keras output."""
        X, y = binary
        labels = np.column_stack([y, X[:, 0] > 0, np.ones_like(y)]).astype(int)

        def build(meta):
            return keras.Sequential(
                [
                    keras.Input((meta["n_features_in_"],)),
                    keras.layers.Dense(meta["n_classes_"], activation="sigmoid"),
                ]
            )

        clf = KerasClassifier(build, loss="bce", class_weight=None, **QUICK).fit(X, labels)
        assert clf.target_type_ == "multilabel-indicator"
        proba = clf.predict_proba(X)
        assert proba.shape == (N_SAMPLES, 3)
        np.testing.assert_array_equal(clf.predict(X), np.around(proba).astype(int))

    @pytest.mark.parametrize("dtype", ["float32", "bool"])
    def test_predictions_have_the_targets_dtype(self, binary, dtype):
        """SciKeras' test_output_shapes_and_dtypes_against_sklearn_cls."""
        X, y = binary
        y = y.astype(dtype)
        clf = KerasClassifier(**SIGMOID).fit(X, y)
        assert clf.y_dtype_ == y.dtype
        assert clf.predict(X).dtype == y.dtype

    def test_continuous_target_is_refused(self, binary):
        """ClassifierLabelEncoder: an unknown label type is a ValueError."""
        X, _ = binary
        with pytest.raises(ValueError, match="label type"):
            KerasClassifier(**SIGMOID).fit(X, X[:, 0])


# --------------------------------------------------------------------------------------------------
# Tutorial: MLPClassifier
# --------------------------------------------------------------------------------------------------


class MLPClassifier(KerasClassifier):
    """The self-contained classifier of the tutorial, 4.1."""

    def __init__(
        self,
        hidden_layer_sizes=(4,),
        optimizer="adam",
        optimizer__learning_rate=0.001,
        epochs=1,
        verbose=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.hidden_layer_sizes = hidden_layer_sizes
        self.optimizer = optimizer
        self.optimizer__learning_rate = optimizer__learning_rate
        self.epochs = epochs
        self.verbose = verbose

    def _keras_build_fn(self, compile_kwargs):
        meta = {
            "n_features_in_": self.n_features_in_,
            "target_type_": self.target_type_,
            "n_classes_": self.n_classes_,
        }
        return get_clf_model(self.hidden_layer_sizes, meta, compile_kwargs)


class TestMLPClassifier:
    def test_function_compiles_with_the_wrappers_optimizer(self, multiclass):
        """MLPClassifier, 2.5: ``compile_kwargs["optimizer"]`` inside the function."""
        X, y = multiclass
        clf = KerasClassifier(
            model=get_clf_model,
            hidden_layer_sizes=(4,),
            optimizer="adam",
            optimizer__learning_rate=0.003,
            epochs=1,
            verbose=0,
        )
        score = clf.fit(X, y).score(X, y)
        assert 0 <= score <= 1
        assert isinstance(clf.model_.optimizer, keras.optimizers.Adam)
        assert float(clf.model_.optimizer.learning_rate) == pytest.approx(0.003)
        assert clf.model_.output_shape == (None, 3)

    def test_subclass_with_its_own_network(self, binary):
        """MLPClassifier, 4.1: ``_keras_build_fn`` reads the estimator's attributes."""
        X, y = binary
        clf = MLPClassifier(hidden_layer_sizes=(5,)).fit(X, y)
        assert 0 <= clf.score(X, y) <= 1
        assert clf.model_.layers[0].units == 5
        assert float(clf.model_.optimizer.learning_rate) == pytest.approx(0.001)
        assert clf.get_params()["hidden_layer_sizes"] == (5,)
        twin = clone(clf)
        assert twin.get_params()["hidden_layer_sizes"] == (5,)
        again = pickle.loads(pickle.dumps(clf))
        np.testing.assert_allclose(again.predict_proba(X), clf.predict_proba(X), rtol=1e-5)

    def test_subclass_is_tuned_by_its_own_parameters(self, binary):
        """MLPClassifier, 4.1: a drop-in replacement for sklearn's class, searches included."""
        X, y = binary
        search = GridSearchCV(
            MLPClassifier(),
            {"hidden_layer_sizes": [(3,)], "optimizer__learning_rate": [0.01]},
            cv=ONE_SPLIT,
        ).fit(X, y)
        assert search.best_estimator_.model_.layers[0].units == 3
        rate = float(search.best_estimator_.model_.optimizer.learning_rate)
        assert rate == pytest.approx(0.01)

    def test_subclass_network_may_take_the_constructors_keywords(self, multiclass):
        """SciKeras' test_classify_inherit_class_build_fn: keywords reach ``_keras_build_fn``."""
        X, y = multiclass

        class InheritClassBuildFnClf(KerasClassifier):
            def _keras_build_fn(self, hidden_dim, meta, compile_kwargs):
                return get_clf_model((hidden_dim,), meta, compile_kwargs)

        clf = InheritClassBuildFnClf(model=None, hidden_dim=3, epochs=1, verbose=0).fit(X, y)
        assert clf.model_.layers[0].units == 3

    def test_subclass_network_and_model_argument_exclude_each_other(self, binary):
        """SciKeras' test_call_and_build_fn_function: a ValueError."""
        X, y = binary
        with pytest.raises(ValueError, match="_keras_build_fn"):
            MLPClassifier(model=sigmoid_net).fit(X, y)


# --------------------------------------------------------------------------------------------------
# Tutorial: Data transformers
# --------------------------------------------------------------------------------------------------


class MultiOutputTransformer(BaseEstimator, TransformerMixin):
    """Data transformers, 3.2, word for word but for the probabilities' stacking."""

    def fit(self, y):
        y_bin, y_cat = y[:, 0], y[:, 1]
        self.bin_encoder_ = LabelEncoder()
        self.cat_encoder_ = LabelEncoder()
        self.bin_encoder_.fit(y_bin)
        self.cat_encoder_.fit(y_cat)
        self.n_classes_ = [self.bin_encoder_.classes_.size, self.cat_encoder_.classes_.size]
        self.n_outputs_expected_ = 2
        return self

    def transform(self, y):
        y_bin, y_cat = y[:, 0], y[:, 1]
        return [self.bin_encoder_.transform(y_bin), self.cat_encoder_.transform(y_cat)]

    def inverse_transform(self, y, return_proba=False):
        if return_proba:
            return np.column_stack(y)
        y_pred_bin = (y[0] > 0.5).astype(int).reshape(-1)
        y_pred_cat = np.argmax(y[1], axis=1)
        y_pred_bin = self.bin_encoder_.inverse_transform(y_pred_bin)
        y_pred_cat = self.cat_encoder_.inverse_transform(y_pred_cat)
        return np.column_stack([y_pred_bin, y_pred_cat])

    def get_metadata(self):
        return {"n_classes_": self.n_classes_, "n_outputs_expected_": self.n_outputs_expected_}


class MultiOutputClassifier(KerasClassifier):
    """Data transformers, 3.2."""

    @property
    def target_encoder(self):
        return MultiOutputTransformer()

    @staticmethod
    def scorer(y_true, y_pred, **kwargs):
        return np.mean(
            [accuracy_score(y_true[:, 0], y_pred[:, 0]), accuracy_score(y_true[:, 1], y_pred[:, 1])]
        )


def get_multi_output_model(meta):
    """Data transformers, 3.1."""
    inp = keras.layers.Input(shape=(meta["n_features_in_"],))
    x1 = keras.layers.Dense(4, activation="relu")(inp)
    out_bin = keras.layers.Dense(1, activation="sigmoid")(x1)
    out_cat = keras.layers.Dense(meta["n_classes_"][1], activation="softmax")(x1)
    model = keras.Model(inputs=inp, outputs=[out_bin, out_cat])
    losses = ["binary_crossentropy", "sparse_categorical_crossentropy"]
    model.compile(loss=losses, run_eagerly=True)
    return model


class MultiLabelTransformer(ClassifierLabelEncoder):
    """The target encoder of SciKeras' own multi-output tests, its constructor's parameter kept."""

    def __init__(self, split=True):
        super().__init__()
        self.split = split

    def fit(self, y):
        self.n_outputs_ = y.shape[1]
        self.n_outputs_expected_ = y.shape[1] if self.split else None
        self.classes_ = [np.array([0, 1])] * y.shape[1]
        self.n_classes_ = [2] * y.shape[1]
        return self

    def transform(self, y):
        y = y.astype(keras.backend.floatx())
        return np.split(y, y.shape[1], axis=1) if self.split else y

    def inverse_transform(self, y, return_proba=False):
        y = np.column_stack(y) if self.split else y
        return y if return_proba else np.around(y).astype(int)


class MultiLabelClassifier(KerasClassifier):
    """SciKeras' tests/multi_output_models.py: a subclass with a parameter of its own."""

    def __init__(self, model=None, split=True, **kwargs):
        super().__init__(model=model, **kwargs)
        self.split = split

    @property
    def target_encoder(self):
        return MultiLabelTransformer(split=self.split)

    def score(self, X, y):
        return np.mean(np.all(y == self.predict(X), axis=1))


class TestDataTransformers:
    def test_two_targets_by_two_outputs_with_an_own_scorer(self):
        """Data transformers, 3: multiple outputs behind one column-stacked ``y``."""
        rng = np.random.default_rng(0)
        y = np.column_stack([rng.integers(0, 2, 40), rng.permutation(np.arange(40) % 5) + 10])
        X = StandardScaler().fit_transform(y)
        clf = MultiOutputClassifier(model=get_multi_output_model, epochs=1, verbose=0)
        score = clf.fit(X, y).score(X, y)
        y_pred = clf.predict(X)
        assert score == MultiOutputClassifier.scorer(y, y_pred)
        assert y_pred.shape == y.shape
        assert set(y_pred[:, 1]) <= set(range(10, 15))
        assert clf.predict_proba(X).shape == (40, 6)
        assert clf.n_classes_ == [2, 5]
        assert clf.n_outputs_expected_ == 2
        assert clf.target_type_ == "multiclass-multioutput"

    def test_encoders_metadata_reaches_the_estimator_and_the_builder(self, binary):
        """Data transformers, 2.1: ``get_metadata`` fills the namespace and ``meta``."""
        X, y = binary
        seen = {}

        class Encoder(ClassifierLabelEncoder):
            def get_metadata(self):
                return {**super().get_metadata(), "my_param_": "foobarbaz"}

        class WithMetadata(KerasClassifier):
            @property
            def target_encoder(self):
                return Encoder(loss=self.loss)

        def build(meta):
            seen.update(meta)
            return sigmoid_net(meta)

        clf = WithMetadata(build, loss="binary_crossentropy", **QUICK).fit(X, y)
        assert seen["my_param_"] == clf.my_param_ == "foobarbaz"

    def test_wrong_number_of_outputs_is_told_from_the_encoder(self):
        """Data transformers, 3.2: ``n_outputs_expected_`` is used for error checking."""
        rng = np.random.default_rng(0)
        y = np.column_stack([rng.integers(0, 2, 40), np.arange(40) % 3])
        clf = MultiOutputClassifier(compiled_net, epochs=1, verbose=0, class_weight=None)
        with pytest.raises(ValueError, match="output"):
            clf.fit(rng.normal(size=(40, N_FEATURES)), y)

    def test_target_encoder_may_be_any_transformer(self, binary):
        """Data transformers, 2: no metadata and no probabilities asked, none needed."""
        X, y = binary

        class Thresholded(KerasClassifier):
            @property
            def target_encoder(self):
                return FunctionTransformer(inverse_func=lambda p: (p[:, 0] > 0.5).astype(int))

        clf = Thresholded(**SIGMOID, class_weight=None).fit(X, y)
        assert clf.predict(X).shape == (N_SAMPLES,)
        assert 0 <= clf.score(X, y) <= 1

    def test_labels_split_over_outputs_by_a_subclass_with_a_parameter(self, binary):
        """SciKeras' multi_output_models: a constructor parameter that only the subclass reads."""
        X, y = binary
        labels = np.column_stack([y, (X[:, 0] > 0).astype(int)])
        clf = MultiLabelClassifier(
            two_headed_net, loss="bce", split=True, class_weight=None, **QUICK
        ).fit(X, labels)
        assert clf.predict(X).shape == labels.shape
        assert clf.predict_proba(X).shape == labels.shape
        assert 0 <= clf.score(X, labels) <= 1
        assert clone(clf).get_params()["split"] is True

    @pytest.mark.parametrize("form", ["list", "dict"])
    def test_one_matrix_feeds_several_inputs(self, multiclass, form):
        """Data transformers, 4, and test_multi_input: ``feature_encoder`` parts the columns."""
        X, y = multiclass

        class MultiInputClassifier(KerasClassifier):
            def _keras_build_fn(self, meta, compile_kwargs):
                inp1 = keras.Input((2,), name="left")
                inp2 = keras.Input((N_FEATURES - 2,), name="right")
                x3 = keras.layers.Concatenate(axis=-1)([inp1, inp2])
                out = keras.layers.Dense(meta["n_classes_"], activation="softmax")(x3)
                model = keras.Model([inp1, inp2], out)
                model.compile("adam", "sparse_categorical_crossentropy", run_eagerly=True)
                return model

            @property
            def feature_encoder(self):
                if form == "list":
                    return FunctionTransformer(lambda X: [X[:, :2], X[:, 2:]])
                return FunctionTransformer(lambda X: {"left": X[:, :2], "right": X[:, 2:]})

        clf = MultiInputClassifier(epochs=1, verbose=0).fit(X, y)
        assert clf.predict(X).shape == (N_SAMPLES,)
        assert clf.predict_proba(X).shape == (N_SAMPLES, 3)
        assert 0 <= clf.score(X, y) <= 1
        assert clf.n_features_in_ == N_FEATURES

    def test_batch_size_of_minus_one_serves_several_inputs(self, binary):
        """Unlike SciKeras (test_batch_size_all_fit_non_array), which refuses it."""
        X, y = binary

        class Listed(KerasClassifier):
            @property
            def feature_encoder(self):
                return FunctionTransformer(lambda X: [X[:, :2], X[:, 2:]])

        def build():
            parts = [keras.Input((2,)), keras.Input((N_FEATURES - 2,))]
            joined = keras.layers.Concatenate()(parts)
            return keras.Model(parts, keras.layers.Dense(1, activation="sigmoid")(joined))

        clf = Listed(
            build,
            loss="binary_crossentropy",
            batch_size=-1,
            callbacks=keras.callbacks.Callback(),
            **QUICK,
        ).fit(X, y)
        assert clf.callbacks_[0].params["steps"] == 1

    def test_flat_rows_are_reshaped_into_images(self):
        """Data transformers, 5: MNIST's rows become images in ``feature_encoder``."""
        input_shape = (4, 4, 1)
        rng = np.random.default_rng(0)
        X, y = rng.random((30, 16)), np.arange(30) % 3

        class MultiDimensionalClassifier(KerasClassifier):
            @property
            def feature_encoder(self):
                return FunctionTransformer(func=lambda X: X.reshape(X.shape[0], *input_shape))

        def get_model(meta):
            model = keras.Sequential(
                [
                    keras.Input(input_shape),
                    keras.layers.Conv2D(2, kernel_size=(3, 3), activation="relu"),
                    keras.layers.Flatten(),
                    keras.layers.Dropout(0.5),
                    keras.layers.Dense(meta["n_classes_"], activation="softmax"),
                ]
            )
            model.compile(loss="sparse_categorical_crossentropy", run_eagerly=True)
            return model

        clf = MultiDimensionalClassifier(
            model=get_model,
            batch_size=10,
            validation_split=0.1,
            random_state=0,
            epochs=1,
            verbose=0,
        )
        assert 0 <= clf.fit(X, y).score(X, y) <= 1
        assert clf.n_features_in_ == 16

    def test_images_are_accepted_as_they_are(self):
        """SciKeras' test_api, CNNClassifier: ``X`` of more than two dimensions."""
        rng = np.random.default_rng(0)
        X, y = rng.random((30, 4, 4, 1)), np.arange(30) % 3

        def build(meta):
            return keras.Sequential(
                [
                    keras.Input(meta["X_shape_"][1:]),
                    keras.layers.Conv2D(2, (3, 3)),
                    keras.layers.Flatten(),
                    keras.layers.Dense(meta["n_classes_"], activation="softmax"),
                ]
            )

        clf = KerasClassifier(build, loss="sparse_categorical_crossentropy", **QUICK).fit(X, y)
        assert clf.predict(X).shape == (30,)
        assert clf.X_shape_ == X.shape

    def test_subclass_may_override_predict_proba(self, binary):
        """Data transformers, 2: ``predict_proba`` in terms of the encoders and ``model_``."""
        X, y = binary

        class Blurred(KerasClassifier):
            def predict_proba(self, X):
                X = self.feature_encoder_.transform(X)
                y_pred = self.model_.predict(X, verbose=0)
                proba = self.target_encoder_.inverse_transform(y_pred, return_proba=True)
                return 0.5 * proba + 0.25

        clf = Blurred(**SIGMOID).fit(X, y)
        proba = clf.predict_proba(X)
        assert proba.shape == (N_SAMPLES, 2)
        assert proba.min() >= 0.25
        np.testing.assert_array_equal(clf.predict(X), proba.argmax(axis=1))


# --------------------------------------------------------------------------------------------------
# Tutorials: sparse inputs, autoencoders, meta-estimators
# --------------------------------------------------------------------------------------------------


class TestSparseInputs:
    def test_one_hot_encoded_pipeline_trains_on_a_sparse_matrix(self):
        """Sparse inputs: "you can just pass a sparse matrix to fit()", of any dtype."""
        X = np.arange(24).reshape(-1, 1) % 12
        y = (X[:, 0] > 5).astype(int)
        pipe = make_pipeline(OneHotEncoder(dtype=np.uint8), KerasClassifier(**SIGMOID))
        assert sparse.issparse(pipe[0].fit_transform(X))
        pipe.fit(X, y)
        assert pipe.predict(X).shape == (24,)
        assert pipe[-1].n_features_in_ == 12

    @pytest.mark.parametrize("container", [sparse.coo_matrix, sparse.csr_array])
    def test_sparse_and_dense_features_give_the_same_probabilities(self, binary, container):
        """Sparse inputs: the container changes nothing (sparse features are cast to floatx)."""
        X, y = binary
        X = np.where(X > 0, X, 0).astype("float32")
        clf = KerasClassifier(**SIGMOID).fit(container(X), y)
        np.testing.assert_allclose(clf.predict_proba(container(X)), clf.predict_proba(X), rtol=1e-4)


class TestHooks:
    def test_build_function_may_keep_a_second_network(self, binary):
        """Autoencoders: ``_keras_build_fn`` sets aside a network that shares its layers."""
        X, y = binary

        class EncodingClassifier(KerasClassifier):
            def _keras_build_fn(self, encoding_dim, meta):
                inp = keras.Input((meta["n_features_in_"],))
                encoded = keras.layers.Dense(encoding_dim, activation="relu")(inp)
                out = keras.layers.Dense(1, activation="sigmoid")(encoded)
                self.encoder_model_ = keras.Model(inp, encoded)
                return keras.Model(inp, out)

            def transform(self, X):
                X = self.feature_encoder_.transform(X)
                return self.encoder_model_.predict(X, verbose=0)

        clf = EncodingClassifier(loss="binary_crossentropy", encoding_dim=3, **QUICK).fit(X, y)
        encoded = clf.transform(X.astype("float32"))
        assert encoded.shape == (N_SAMPLES, 3)
        weights, bias = clf.model_.layers[-1].get_weights()
        logits = encoded @ weights + bias
        np.testing.assert_allclose(
            1 / (1 + np.exp(-logits[:, 0])), clf.predict_proba(X)[:, 1], rtol=1e-4
        )


class TestMetaEstimators:
    @pytest.fixture
    def clf(self):
        return KerasClassifier(
            model=get_clf_model,
            hidden_layer_sizes=(4,),
            optimizer="adam",
            optimizer__learning_rate=0.05,
            verbose=0,
            epochs=2,
            batch_size=8,
            random_state=0,
        )

    def test_boosting_ensemble(self, clf, binary):
        """Meta-estimators, 2.1 and 3: AdaBoost over networks, each with its own weights."""
        X, y = binary
        X = X + 3 * y[:, None]  # AdaBoost refuses a first member that is no better than chance
        # scikit-learn renamed base_estimator to estimator (1.2) and dropped the old name (1.4)
        adaboost = AdaBoostClassifier(estimator=clf, n_estimators=2, random_state=0)
        assert 0 <= adaboost.fit(X, y).score(X, y) <= 1
        first, *others = adaboost.estimators_
        assert isinstance(first, KerasClassifier)
        for other in others:
            assert not np.allclose(first.model_.get_weights()[0], other.model_.get_weights()[0])

    def test_bagging_ensemble(self, clf, binary):
        """Meta-estimators, 4: bagging over networks."""
        X, y = binary
        bagging = BaggingClassifier(estimator=clf, n_estimators=2, random_state=0)
        assert 0 <= bagging.fit(X, y).score(X, y) <= 1
        assert bagging.predict_proba(X).shape == (N_SAMPLES, 2)

    def test_calibrated_classifier(self, binary):
        """SciKeras' test_calibratedclassifiercv."""
        X, y = binary
        calibrated = CalibratedClassifierCV(KerasClassifier(**SIGMOID), cv=2).fit(X, y)
        assert calibrated.predict_proba(X).shape == (N_SAMPLES, 2)

    def test_soft_voting_and_cross_validation(self, binary):
        """Migration, Why switch: grid searches, ensembles and scorers of probabilities."""
        X, y = binary
        voting = VotingClassifier([("a", KerasClassifier(**SIGMOID))], voting="soft").fit(X, y)
        assert voting.predict(X).shape == (N_SAMPLES,)
        scores = cross_val_score(KerasClassifier(**SIGMOID), X, y, cv=2, scoring="roc_auc")
        assert np.isfinite(scores).all()


# --------------------------------------------------------------------------------------------------
# Serialization
# --------------------------------------------------------------------------------------------------


@keras.saving.register_keras_serializable(package="sk_imbalance_nn_tutorials")
class CustomLoss(keras.losses.BinaryCrossentropy):
    """The dummy loss of SciKeras' test_custom_loss_function."""


class UnregisteredModel(keras.Model):
    """The unregistered network of SciKeras' test_custom_model_unregistered."""


def build_unregistered(meta):
    inp = keras.Input((meta["n_features_in_"],))
    model = UnregisteredModel(inp, keras.layers.Dense(1, activation="sigmoid")(inp))
    model.compile("adam", "binary_crossentropy", run_eagerly=True)
    return model


class TestSerialization:
    @pytest.mark.parametrize(
        "params",
        [
            {**SIGMOID, "loss": CustomLoss()},
            {**SIGMOID, "optimizer": keras.optimizers.SGD(0.1)},
            {**SIGMOID, "metrics": [keras.metrics.BinaryAccuracy(name="mine")]},
            {"model": build_unregistered, "epochs": 1, "verbose": 0},
        ],
        ids=["loss instance", "optimizer instance", "metric instance", "unregistered network"],
    )
    def test_pickle_and_clone_carry_keras_objects(self, binary, params):
        """SciKeras' test_serialization: fitted or not, pickled or cloned."""
        X, y = binary
        pickle.loads(pickle.dumps(KerasClassifier(**params)))
        clf = clone(KerasClassifier(**params)).fit(X, y)
        again = pickle.loads(pickle.dumps(clf))
        np.testing.assert_allclose(again.predict_proba(X), clf.predict_proba(X), rtol=1e-5)
        assert again.score(X, y) == clf.score(X, y)
        assert type(again.model_) is type(clf.model_)

    def test_repr_names_the_class_and_its_parameters(self):
        """``BaseWrapper.__repr__``: the estimator can be printed, fitted or not."""
        text = repr(KerasClassifier(get_clf, model__dropout=0.125))
        assert KerasClassifier.__name__ in text
        assert "model__dropout" in text
