"""Keras objects survive packing, copying and files, without a word to Keras' registry."""

import io
import json
import pickle
import sys
import textwrap
import threading
import types
import zipfile
from collections import defaultdict, namedtuple

import keras
import numpy as np
import pytest
import scikeras.wrappers  # noqa: F401  patches Keras' pickling: we must not depend on it or mind it

from sk_imbalance_nn.networks.serialization import (
    PackedModel,
    copy_model,
    copy_object,
    model_from_bytes,
    model_to_bytes,
    pack,
    unpack,
)

# Keras 3.15 reads its own variables in a way that NumPy 2 deprecates (in saving and `get_weights`).
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(32, 4)).astype("float32")
Y = (RNG.random((32, 1)) < 0.3).astype("float32")


# Custom objects, none of them registered with Keras ----------------------------------------------


def plain_loss(y_true, y_pred):
    return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1)


def plain_metric(y_true, y_pred):
    return keras.ops.mean(keras.ops.abs(y_true - y_pred), axis=-1)


def bent(x):
    return keras.ops.tanh(x) + 0.1 * x


class LossWithoutConfig(keras.losses.Loss):
    """As most people write them: its argument is in no `get_config`."""

    def __init__(self, power=2.0):
        super().__init__()
        self.power = power

    def call(self, y_true, y_pred):
        return keras.ops.mean(keras.ops.abs(y_true - y_pred) ** self.power, axis=-1)


class CountMetric(keras.metrics.Metric):
    def __init__(self, name="count", **kwargs):
        super().__init__(name=name, **kwargs)
        self.count = self.add_weight(name="count", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.count.assign_add(1.0)

    def result(self):
        return self.count


class HalfAdam(keras.optimizers.Adam):
    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient, variable, learning_rate / 2)


class Decay(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, start):
        self.start = start

    def __call__(self, step):
        return self.start / (1.0 + keras.ops.cast(step, "float32"))

    def get_config(self):
        return {"start": self.start}


class Scale(keras.layers.Layer):
    def __init__(self, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, input_shape):
        self.gain = self.add_weight(shape=(input_shape[-1],), initializer="ones")

    def call(self, x):
        return x * self.gain * self.factor

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


class StepCounting(keras.Model):
    """A functional model with its own train_step."""

    steps = 0

    def train_step(self, data):
        type(self).steps += 1
        return super().train_step(data)


class Subclassed(keras.Model):
    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.hidden = keras.layers.Dense(units, activation=bent)
        self.drop = keras.layers.Dropout(0.5)
        self.out = keras.layers.Dense(1, activation="sigmoid")

    def call(self, x, training=False):
        return self.out(self.drop(self.hidden(x), training=training))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class OwnCompile(keras.Model):
    """Says itself how it is compiled."""

    def compile(self, *args, temperature=1.0, **kwargs):
        super().compile(*args, **kwargs)
        self.temperature = temperature

    def get_compile_config(self):
        return {**super().get_compile_config(), "temperature": self.temperature}

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)


class Remembering(keras.callbacks.EarlyStopping):
    def __init__(self, extra, **kwargs):
        super().__init__(**kwargs)
        self.extra = extra


# Networks -----------------------------------------------------------------------------------------


def functional(cls=keras.Model):
    inputs = keras.Input((4,), name="table")
    x = keras.layers.Dense(5, activation=bent, kernel_initializer="he_normal")(inputs)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Dropout(0.4)(x)
    x = Scale(1.5)(x)
    return cls(inputs, keras.layers.Dense(1, activation="sigmoid")(x))


def sequential():
    return keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.GaussianNoise(0.2),
            keras.layers.Dense(3, "relu"),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(1, "sigmoid"),
        ]
    )


def subclassed():
    model = Subclassed()
    model(X)
    return model


NETWORKS = {
    "functional": functional,
    "sequential": sequential,
    "subclassed": subclassed,
    "functional subclass": lambda: functional(StepCounting),
}


def through_pickle(value):
    return unpack(pickle.loads(pickle.dumps(pack(value))))


def train(model, batches):
    """Weights after some steps on fixed batches."""
    for i in batches:
        model.train_on_batch(X[i * 8 : i * 8 + 8], Y[i * 8 : i * 8 + 8])
    return model.get_weights()


def assert_same(left, right):
    assert len(left) == len(right)
    for a, b in zip(left, right, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(autouse=True)
def registry_is_left_alone():
    before = dict(keras.saving.get_custom_objects())
    yield
    assert dict(keras.saving.get_custom_objects()) == before


# Models -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("roundtrip", [through_pickle, copy_model], ids=["pickle", "copy"])
def test_training_resumes_to_the_last_bit(network, roundtrip):
    model = NETWORKS[network]()
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss=plain_loss, run_eagerly=True)
    train(model, [0])
    twin = roundtrip(model)
    assert type(twin) is type(model) and twin is not model
    assert twin.name == model.name and twin.run_eagerly
    assert_same(twin.get_weights(), model.get_weights())
    assert int(twin.optimizer.iterations) == 1
    assert_same(train(twin, [1]), train(model, [1]))


def test_fit_resumes_to_the_last_bit():
    model = sequential()
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5)
    model.compile(
        optimizer=keras.optimizers.RMSprop(schedule),
        loss="binary_crossentropy",
        steps_per_execution=2,
    )
    arguments = {"batch_size": 8, "shuffle": False, "verbose": 0}
    model.fit(X, Y, epochs=2, **arguments)
    twin = through_pickle(model)
    assert twin.steps_per_execution == 2
    histories = [m.fit(X, Y, epochs=2, **arguments).history for m in (model, twin)]
    assert histories[0] == histories[1]
    assert_same(model.get_weights(), twin.get_weights())


LOSSES = {
    "string": "binary_crossentropy",
    "function": plain_loss,
    "built-in function": keras.losses.binary_crossentropy,
    "instance": keras.losses.BinaryFocalCrossentropy(gamma=3.0),
    "subclass without get_config": LossWithoutConfig(power=3.0),
    "list": [LossWithoutConfig(power=1.5)],
}


@pytest.mark.parametrize("loss", LOSSES)
def test_losses(loss):
    model = functional()
    model.compile(
        optimizer=HalfAdam(Decay(0.1)),
        loss=LOSSES[loss],
        metrics=["AUC", plain_metric, CountMetric()],
        weighted_metrics=[keras.metrics.MeanMetricWrapper(plain_metric, name="weighted")],
        run_eagerly=True,
    )
    twin = through_pickle(model)
    assert type(twin.loss) is type(model.loss)
    assert type(twin.optimizer) is HalfAdam and not twin.optimizer.built
    assert twin.optimizer is not model.optimizer
    ours, theirs = (m.evaluate(X, Y, verbose=0, return_dict=True) for m in (model, twin))
    assert ours == theirs and {"count", "weighted", "plain_metric"} <= set(ours)


def test_dict_of_losses_for_several_outputs():
    inputs = keras.Input((4,))
    outputs = {n: keras.layers.Dense(1, name=n, activation="sigmoid")(inputs) for n in "ab"}
    model = keras.Model(inputs, outputs)
    model.compile(
        optimizer="sgd",
        loss={"a": LossWithoutConfig(power=3.0), "b": plain_loss},
        loss_weights={"a": 0.25, "b": 1.0},
        metrics={"a": [plain_metric], "b": ["mae"]},
        run_eagerly=True,
    )
    twin = through_pickle(model)
    targets = {"a": Y, "b": Y}
    results = [m.train_on_batch(X, targets, return_dict=True) for m in (model, twin)]
    assert results[0] == results[1]
    assert twin.loss["a"].power == 3.0 and twin.loss["b"] is plain_loss


def test_custom_function_named_like_a_built_in_loss():
    def mse(y_true, y_pred):
        return 0.0 * keras.ops.sum(y_pred, axis=-1) + 7.0

    model = sequential()
    model.compile(optimizer="sgd", loss=mse, metrics=["mse"])
    result = copy_model(model).evaluate(X, Y, verbose=0, return_dict=True)
    assert result["loss"] == 7.0 and result["mse"] < 1.0


def test_loss_and_activation_of_one_name():
    layer_bent = bent

    def loss_bent(y_true, y_pred):
        return keras.ops.mean(y_pred, axis=-1)

    loss_bent.__name__ = "bent"
    model = functional()
    model.compile(optimizer="sgd", loss=loss_bent, metrics=[loss_bent])
    twin = copy_model(model)
    assert twin.loss is loss_bent and twin.layers[1].activation is layer_bent


def test_uncompiled_stays_uncompiled():
    twin = through_pickle(functional())
    assert not twin.compiled


@pytest.mark.parametrize("compiled", [False, True])
def test_unbuilt_sequential_stays_unbuilt(compiled):
    model = keras.Sequential([keras.layers.Dense(2), keras.layers.Dropout(0.5)])
    if compiled:
        model.compile(optimizer="adam", loss="mse")
    twin = through_pickle(model)
    assert not model.built and not twin.built
    assert twin.compiled == compiled
    assert_same([model(X).shape], [twin(X).shape])


def test_frozen_layers_and_optimizer_built_before():
    model = sequential()
    model.compile(optimizer="adam", loss="mse", run_eagerly=True)
    train(model, [0])
    model.layers[-1].trainable = False  # without compiling again: the optimizer keeps its slots
    twin = copy_model(model)
    assert [layer.trainable for layer in twin.layers] == [la.trainable for la in model.layers]
    assert_same(
        [np.array(v) for v in twin.optimizer.variables],
        [np.array(v) for v in model.optimizer.variables],
    )


def test_learning_rate_as_changed_during_training():
    model = sequential()
    model.compile(optimizer="adam", loss="mse")
    model.optimizer.learning_rate = 0.125
    assert float(copy_model(model).optimizer.learning_rate) == 0.125


def test_mixed_precision_is_wrapped_once():
    inputs = keras.Input((4,))
    outputs = keras.layers.Dense(1, dtype="mixed_float16")(inputs)
    model = keras.Model(inputs, outputs)
    model.compile(
        optimizer=keras.optimizers.LossScaleOptimizer(HalfAdam(0.01)), loss="mse", run_eagerly=True
    )
    train(model, [0])
    twin = through_pickle(model)
    assert type(twin.optimizer.inner_optimizer) is HalfAdam
    assert_same(train(twin, [1, 2]), train(model, [1, 2]))


def test_model_that_compiles_its_own_way():
    model = functional(OwnCompile)
    model.compile(
        optimizer="adam", loss=plain_loss, metrics=[plain_metric], temperature=4.0, run_eagerly=True
    )
    train(model, [0, 1])
    twin = through_pickle(model)
    assert twin.temperature == 4.0
    assert_same(train(twin, [2]), train(model, [2]))


def test_state_outside_of_weights():
    words = np.array([["a"], ["b"], ["b"]])
    normalization = keras.layers.Normalization()
    normalization.adapt(X)
    lookup = keras.layers.StringLookup(output_mode="one_hot")
    lookup.adapt(words)
    table, text = keras.Input((4,)), keras.Input((1,), dtype="string")
    merged = keras.layers.Concatenate()([normalization(table), lookup(text)])
    model = keras.Model([table, text], merged)
    inputs = [keras.ops.convert_to_tensor(X[:3]), keras.ops.convert_to_tensor(words)]
    np.testing.assert_array_equal(model(inputs), through_pickle(model)(inputs))


def test_text_vectorization_vocabulary():
    layer = keras.layers.TextVectorization(output_mode="multi_hot")
    texts = np.array([["red fox"], ["blue fox"]])
    layer.adapt(texts)
    model = keras.Sequential([keras.Input((1,), dtype="string"), layer])
    twin = through_pickle(model)
    assert twin.layers[0].get_vocabulary() == layer.get_vocabulary()


def test_lambda_layers_are_copied():
    shift = 3.0
    model = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x + shift)])
    np.testing.assert_array_equal(through_pickle(model)(X), X + shift)


def test_objects_of_a_function_are_copied():
    """Nobody could import these by name."""

    class Local(keras.layers.Layer):
        def call(self, x):
            return x + 1.0

    model = keras.Sequential([keras.Input((4,)), Local()])
    assert type(copy_model(model).layers[0]) is Local
    with pytest.raises((AttributeError, pickle.PicklingError), match="Local"):
        pickle.dumps(pack(model))


def test_nested_models_and_wrapped_layers():
    inputs = keras.Input((4,))
    backbone = sequential()
    model = keras.Model(inputs, Scale()(backbone(inputs)))
    wrapped = keras.Sequential([keras.Input((6, 4)), keras.layers.TimeDistributed(Scale(3.0))])
    np.testing.assert_array_equal(model(X), through_pickle(model)(X))
    sequence = RNG.normal(size=(2, 6, 4)).astype("float32")
    np.testing.assert_array_equal(wrapped(sequence), through_pickle(wrapped)(sequence))


def test_the_original_is_not_touched():
    model = functional()
    model.compile(optimizer="adam", loss=plain_loss, run_eagerly=True)
    train(model, [0])
    before = dict(vars(model))
    variables = [np.array(v) for v in [*model.variables, *model.optimizer.variables]]
    twin = copy_model(model)
    train(twin, [1])
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[key] is value for key, value in before.items())
    assert_same(variables, [np.array(v) for v in [*model.variables, *model.optimizer.variables]])


def test_custom_objects_with_the_same_name():
    def bent(x):
        return x

    model = functional()
    model.layers[-1].activation = bent
    with pytest.raises(ValueError, match=r"two different custom objects named 'bent'.*[Rr]ename"):
        pack(model)


@pytest.mark.parametrize("write", [pack, model_to_bytes])
def test_activation_named_like_one_of_keras(write):
    def relu(x):
        return -x

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, activation=relu)])
    with pytest.raises(ValueError, match=r"custom activation .*relu.*Rename"):
        write(model)


def test_generators_that_a_rebuilt_model_lacks():
    packed = pack(sequential())
    broken = PackedModel(**{**vars(packed), "random_state": []})
    with pytest.warns(UserWarning, match="random generators"):
        unpack(broken)


def test_threads_do_not_see_each_other():
    """Two classes of one name, copied at the same time, each come back as themselves."""

    def make(factor):
        class Twin(keras.layers.Layer):
            def call(self, x):
                return x * factor

        return keras.Sequential([keras.Input((4,)), Twin()])

    results = {}

    def work(factor):
        model = make(factor)
        results[factor] = [type(copy_model(model).layers[0]) is type(model.layers[0])] * 5

    threads = [threading.Thread(target=work, args=(f,)) for f in (2.0, 3.0, 4.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {f: [True] * 5 for f in (2.0, 3.0, 4.0)}


def test_main_module(monkeypatch):
    """A script's own loss and layer come back as those of the script that reads them."""
    script = textwrap.dedent(
        """
        import keras

        def my_loss(y_true, y_pred):
            return keras.ops.mean(y_pred, axis=-1)

        class Plus(keras.layers.Layer):
            def call(self, x):
                return x + 1.0
        """
    )

    def run_as_main():
        main = types.ModuleType("__main__")
        monkeypatch.setitem(sys.modules, "__main__", main)
        exec(script, vars(main))
        return main

    main = run_as_main()
    model = keras.Sequential([keras.Input((2,)), main.Plus(), keras.layers.Dense(1)])
    model.compile(loss=main.my_loss)
    data = pickle.dumps(pack(model))
    later = run_as_main()
    twin = unpack(pickle.loads(data))
    assert twin.loss is later.my_loss and type(twin.layers[0]) is later.Plus


# Containers and single objects --------------------------------------------------------------------


def test_pack_leaves_all_else_alone():
    value = {"a": [1, "x", plain_loss], "b": (np.ones(3), LossWithoutConfig), "c": None}
    assert pack(value) is value and unpack(value) is value


def test_containers_keep_their_kind_and_sharing():
    Pair = namedtuple("Pair", "first second")
    loss = keras.losses.Huber()
    value = defaultdict(list, {"pair": Pair(loss, 1), "list": [loss, {"deep": (loss,)}]})
    restored = unpack(pack(value))
    assert type(restored) is defaultdict and restored.default_factory is list
    assert type(restored["pair"]) is Pair
    first = restored["pair"].first
    assert first is not loss and isinstance(first, keras.losses.Huber)
    assert first is restored["list"][0] is restored["list"][1]["deep"][0]
    assert value["pair"].first is loss


@pytest.mark.parametrize(
    "obj",
    [
        HalfAdam(Decay(0.5), beta_1=0.8),
        keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 10), momentum=0.5),
        keras.metrics.AUC(curve="PR", name="pr"),
        CountMetric(name="seen"),
        keras.metrics.MeanMetricWrapper(plain_metric, name="wrapped"),
        keras.losses.BinaryFocalCrossentropy(gamma=4.0, from_logits=True),
        Decay(0.25),
    ],
    ids=lambda obj: type(obj).__name__,
)
@pytest.mark.parametrize("roundtrip", [through_pickle, copy_object], ids=["pickle", "copy"])
def test_single_objects(obj, roundtrip):
    twin = roundtrip(obj)
    assert type(twin) is type(obj) and twin is not obj
    assert twin.get_config() == obj.get_config()


def test_used_optimizer_serves_another_fit():
    optimizer = HalfAdam(0.01)
    first = sequential()
    first.compile(optimizer=optimizer, loss="mse", run_eagerly=True)
    train(first, [0])
    fresh = copy_object(optimizer)
    assert not fresh.built and int(fresh.iterations) == 0 and int(optimizer.iterations) == 1
    second = sequential()
    second.compile(optimizer=fresh, loss="mse", run_eagerly=True)
    train(second, [0])


def test_loss_copy_is_independent():
    loss = LossWithoutConfig()
    loss.priors = [0.1, 0.9]
    twin = copy_object(loss)
    twin.priors.append(0.0)
    assert loss.priors == [0.1, 0.9]
    np.testing.assert_array_equal(loss(Y, Y + 0.5), twin(Y, Y + 0.5))


@pytest.mark.parametrize("roundtrip", [through_pickle, copy_object], ids=["pickle", "copy"])
def test_callbacks_let_go_of_the_model(roundtrip):
    callback = Remembering({"k": [1]}, monitor="loss", patience=3)
    model = sequential()
    model.compile(optimizer="adam", loss="mse", run_eagerly=True)
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[callback])
    assert callback.model is model
    twin = roundtrip(callback)
    assert type(twin) is Remembering and twin.model is None
    assert twin.extra == {"k": [1]} and twin.extra is not callback.extra
    assert twin.best == callback.best and callback.model is model
    model.fit(X, Y, epochs=1, verbose=0, callbacks=[twin])


def test_callback_that_keeps_another_model():
    class Teaching(keras.callbacks.Callback):
        pass

    callback = Teaching()
    callback.teacher = sequential()
    twin = copy_object(callback)
    assert twin.teacher is not callback.teacher
    np.testing.assert_array_equal(twin.teacher(X), callback.teacher(X))


def test_callbacks_with_open_files(tmp_path):
    callback = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    model = sequential()
    model.compile(optimizer="adam", loss="mse", run_eagerly=True)
    model.fit(X, Y, verbose=0, callbacks=[callback])
    model.fit(X, Y, verbose=0, callbacks=[through_pickle(callback)])


def test_copy_object_of_containers_and_names():
    assert copy_object("adam") == "adam" and copy_object(plain_loss) is plain_loss
    optimizer = keras.optimizers.Adam()
    copied = copy_object({"list": [optimizer, "mse"]})
    assert copied["list"][0] is not optimizer and copied["list"][1] == "mse"


def test_copy_model_wants_a_model():
    with pytest.raises(TypeError, match=r"expected a built or unbuilt `keras\.Model`"):
        copy_model(keras.losses.Huber())


# Files --------------------------------------------------------------------------------------------


def test_bytes_roundtrip():
    model = sequential()
    model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["AUC"], run_eagerly=True)
    train(model, [0])
    twin = model_from_bytes(model_to_bytes(model))
    np.testing.assert_array_equal(model(X), twin(X))
    assert twin.compiled and int(twin.optimizer.iterations) == 1
    assert model_from_bytes(model_to_bytes(functional_of_keras())).compiled is False


def functional_of_keras():
    inputs = keras.Input((4,))
    x = keras.ops.abs(keras.layers.Dense(3, "gelu", kernel_regularizer="l2")(inputs))
    return keras.Model(inputs, keras.layers.Dense(1, kernel_initializer="ones")(x) + x[:, :1])


KNOWN = {"bent": bent, "Scale": Scale, "plain_loss": plain_loss}


def test_bytes_with_custom_objects():
    model = functional()
    model.compile(optimizer="adam", loss=plain_loss)
    data = model_to_bytes(model)
    twin = model_from_bytes(data, custom_objects=KNOWN)
    assert twin.loss is plain_loss
    np.testing.assert_array_equal(model(X), twin(X))
    with keras.saving.custom_object_scope(KNOWN):
        assert model_from_bytes(data).compiled


def test_bytes_with_unknown_layer():
    with pytest.raises(ValueError, match=r"'Scale'.*Pass `custom_objects=\{'Scale'.*'bent'"):
        model_from_bytes(model_to_bytes(functional()))


@pytest.mark.parametrize("loss", [plain_loss, LossWithoutConfig(), lambda y, p: p])
def test_bytes_with_unknown_loss(loss):
    model = sequential()
    model.compile(optimizer="adam", loss=loss)
    data = model_to_bytes(model)
    with pytest.warns(UserWarning, match=r"uncompiled.*custom_objects"):
        twin = model_from_bytes(data)
    assert not twin.compiled
    np.testing.assert_array_equal(model(X), twin(X))


def test_bytes_with_known_loss_that_cannot_be_rebuilt():
    model = sequential()
    model.compile(optimizer="adam", loss=LossWithoutConfig())
    data = model_to_bytes(model)
    with pytest.warns(UserWarning, match=r"uncompiled.*custom_objects"):
        model_from_bytes(data, custom_objects={"LossWithoutConfig": LossWithoutConfig})


def test_bytes_with_loss_that_cannot_be_written():
    class Odd:
        def __call__(self, y_true, y_pred):
            return plain_loss(y_true, y_pred)

    model = sequential()
    model.compile(optimizer="adam", loss=Odd())
    with pytest.warns(UserWarning, match="saved uncompiled"):
        data = model_to_bytes(model)
    assert not model_from_bytes(data).compiled
    assert copy_model(model).loss is not None  # in memory nothing is lost


def test_bytes_with_lambda_layer():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x + 1)])
    with pytest.raises(ValueError, match="Lambda layer"):
        model_to_bytes(model)
    with pytest.raises(ValueError, match="Lambda"):
        model_from_bytes(pack(model).archive)
    keras_says_so = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(bent)])
    twin = model_from_bytes(model_to_bytes(keras_says_so), custom_objects={"bent": bent})
    np.testing.assert_array_equal(twin(X), keras_says_so(X))


def crafted(change):
    """An archive whose configuration somebody has tampered with."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, name="target")])
    model.compile(optimizer="sgd", loss="mse")
    source = zipfile.ZipFile(io.BytesIO(model_to_bytes(model)))
    config = json.loads(source.read("config.json"))
    change(config)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in source.namelist():
            content = json.dumps(config) if name == "config.json" else source.read(name)
            archive.writestr(name, content)
    return out.getvalue()


def node(module, class_name, config, registered_name=None):
    keys = ("module", "class_name", "config", "registered_name")
    return dict(zip(keys, (module, class_name, config, registered_name), strict=True))


MARKER = "sk_imbalance_nn_evil_marker"
EVIL = {
    "os.system": node("os", "function", "system", "system"),
    "class of os": node("os", "system", {}, "system"),
    "own module": node(MARKER, "Layer", {}, "Layer"),
    "typespec": {
        **node(MARKER, "__typespec__", []),
        "spec_name": "Layer",
    },
    "builtins": node("builtins", "function", "eval", "function"),
    "keras function": node("keras.config", "enable_unsafe_deserialization", {}),
    "keras download": node("keras.utils", "function", "get_file", "get_file"),
    "load_model": node("keras.models", "load_model", {}),
    "load_model inside": node("keras.src.saving.saving_lib", "load_model", {}),
    "deserialize": node("builtins", "function", "deserialize", "function"),
    "saved program": node("keras.layers", "TFSMLayer", {"filepath": "/tmp/x"}),
    "torch program": node("keras.layers", "TorchModuleWrapper", {"module": "x"}),
    "legacy lambda": node("keras.layers", "Lambda", {"function": ["code", None, None]}),
    "vocabulary": node("keras.layers", "StringLookup", {"vocabulary": "/etc/passwd"}),
    "no module": {"class_name": "Thing", "config": {}},
}


@pytest.fixture
def evil_module(tmp_path, monkeypatch):
    """A module that leaves a trace when it is imported."""
    trace = tmp_path / "trace"
    (tmp_path / f"{MARKER}.py").write_text(
        f"import keras\nopen({str(trace)!r}, 'w').close()\nclass Layer(keras.layers.Layer): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield
    assert MARKER not in sys.modules and not trace.exists()


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.parametrize("place", ["layer", "argument"])
def test_nothing_is_imported_on_the_word_of_a_file(evil, place, evil_module):
    def change(config):
        layers = config["config"]["layers"]
        if place == "layer":
            layers.append(EVIL[evil])
        else:
            layers[-1]["config"]["kernel_initializer"] = EVIL[evil]

    with pytest.raises(ValueError, match=r"never run or read|not known here"):
        model_from_bytes(crafted(change))


@pytest.mark.parametrize("evil", EVIL)
def test_nothing_is_imported_for_the_compile_part(evil, evil_module):
    data = crafted(lambda config: config["compile_config"].update(loss=EVIL[evil]))
    with pytest.warns(UserWarning, match="uncompiled"):
        assert not model_from_bytes(data).compiled


def test_keras_own_guard_against_imports(evil_module):
    """What our check adds to: safe mode of the installed Keras imports nothing either."""
    data = crafted(lambda config: config["config"]["layers"].append(EVIL["own module"]))
    with pytest.raises(TypeError, match="Could not locate class"):
        from sk_imbalance_nn.networks.archive import read_archive

        read_archive(data, {}, compile=True, safe_mode=True)


@pytest.mark.parametrize("data", [b"", b"PK no zip", "text", pickle.dumps({"a": 1})])
def test_not_an_archive(data):
    with pytest.raises(ValueError, match="no Keras archive"):
        model_from_bytes(data)
