"""The network of model=None reads tables as they are, and so does a builder that asks for it."""

import copy
import pickle

import keras
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from imblearn.over_sampling import SMOTE, SMOTENC
from scipy import sparse
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score

from sk_imbalance_nn import (
    BalancedKerasClassifier,
    TableEncoding,
    clear_compile_cache,
    compile_cache_info,
)
from sk_imbalance_nn.networks.default import (
    default_batch_size,
    default_epochs,
    default_network,
    default_optimizer,
)

RNG = np.random.default_rng(0)
N = 90
X = RNG.normal(size=(N, 4)).astype(np.float32)
Y = (X[:, 0] + X[:, 1] > 0.8).astype(int)
ENCODING = TableEncoding().adapt(X)


def meta(target="binary", n_classes=2, shape=(N, 4)):
    return {"n_classes_": n_classes, "target_type_": target, "X_shape_": shape}


def classifier(model=None, **params):
    small = {"model__members": 2, "model__width": 4} if model is None else {}
    defaults = {**small, "epochs": 2, "early_stopping": False, "random_state": 0}
    return BalancedKerasClassifier(model, **{**defaults, **params})


# The network --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "n_classes", "units", "activation"),
    [
        ("binary", 2, 1, "sigmoid"),
        ("multiclass", 4, 4, "softmax"),
        ("multilabel-indicator", 3, 3, "sigmoid"),
    ],
)
def test_the_head_fits_the_target(target, n_classes, units, activation):
    model = default_network(meta(target, n_classes), ENCODING, members=3, width=8)
    assert model.output_shape == (None, units)
    assert model.layers[-1].activation == activation
    assert np.asarray(model(X)).shape == (N, units)
    assert np.asarray(model(X, training=True)).shape == (3 * N, units)
    for weight in model.trainable_weights:
        assert weight.shape[0] == 3


def test_depth_and_width_are_those_of_the_hidden_layers():
    model = default_network(meta(), ENCODING, members=2, width=8, depth=3, embedding=2)
    kernels = [weight.shape for weight in model.trainable_weights if weight.name == "kernel"]
    n_features = ENCODING.n_binned + ENCODING.n_flags + 2 * ENCODING.n_binned
    assert kernels == [
        (2, ENCODING.n_binned, ENCODING.n_bins, 2),
        (2, n_features, 8),
        (2, 8, 8),
        (2, 8, 8),
        (2, 8, 1),
    ]


def test_without_hidden_layers_columns_only_add_up():
    model = default_network(meta(), ENCODING, members=1, depth=0)
    rows = X[:4].copy()
    rows[1, 0] = rows[0, 0] + 1
    rows[2:, 1:] = rows[0, 1:] + 1
    rows[1, 1:], rows[2, 0], rows[3, 0] = rows[0, 1:], rows[0, 0], rows[1, 0]
    p = np.asarray(model(rows), np.float64)[:, 0]
    logits = np.log(p / (1 - p))
    assert logits[3] - logits[2] == pytest.approx(logits[1] - logits[0], abs=1e-4)


@pytest.mark.parametrize(("n_columns", "units"), [(200, 5), (300, None)])
def test_many_columns_get_smaller_embeddings(n_columns, units):
    table = RNG.normal(size=(30, n_columns)).astype(np.float32)
    model = default_network(
        meta(shape=table.shape), TableEncoding().adapt(table), members=1, width=2
    )
    weights = model.get_layer("embedding").trainable_weights
    assert (weights[0].shape[-1] if weights else None) == units
    assert np.isfinite(model(table[:3])).all()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"shape": (9, 3, 2)}, r"found an array of shape \(9, 3, 2\).*model=build_model"),
        ({"shape": None}, "found several inputs; give a function"),
        ({"target": "continuous"}, "binary, multiclass, multilabel-indicator targets, found 'cont"),
    ],
)
def test_data_that_the_network_does_not_read_are_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        default_network(meta(**changed), ENCODING)


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ({"members": 0}, "members and width must be integers of at least 1.*members=0"),
        ({"width": 0}, "width=0"),
        ({"depth": -1}, "depth and embedding of at least 0.*depth=-1"),
        ({"embedding": -1}, "embedding=-1"),
        ({"dropout": 1.0}, "below 1, found 1.0"),
        ({"dropout": -0.1}, "dropout must be at least 0"),
    ],
)
def test_sizes_out_of_range_are_refused(size, message):
    with pytest.raises(ValueError, match=message):
        default_network(meta(), ENCODING, **size)


# How it is trained --------------------------------------------------------------------------------


@given(st.integers(1, 10**8))
def test_batches_are_powers_of_two_that_grow_with_the_rows(n_rows):
    size = default_batch_size(n_rows)
    assert size & (size - 1) == 0
    assert 32 <= size <= 1024
    assert default_batch_size(n_rows + 1) >= size
    assert size <= max(32, n_rows / 8)


@given(st.integers(1, 10**8), st.sampled_from([1, 32, 128, 1024]))
def test_epochs_bound_the_steps_but_are_three_at_least(n_rows, batch_size):
    epochs = default_epochs(n_rows, batch_size)
    steps = -(-n_rows // batch_size)
    assert epochs >= 3
    if epochs > 3:
        assert 400 - steps <= epochs * steps <= 1100 + steps
    if 7 <= steps <= 18:
        assert epochs == 60


def test_the_rate_falls_to_zero_with_the_last_step():
    optimizer = default_optimizer(20, 30)
    assert float(optimizer._learning_rate(0)) == pytest.approx(1e-2)
    assert float(optimizer._learning_rate(600)) == pytest.approx(0, abs=1e-8)
    given = default_optimizer(20, 30, learning_rate=0.5, weight_decay=0.25, decays=False)
    assert (float(given.learning_rate), given.weight_decay) == (0.5, 0.25)


def test_all_of_it_is_automatic():
    fitted = classifier(epochs=None).fit(X, Y)
    assert fitted.n_iter_ == default_epochs(N, 32)
    steps = fitted.model_.optimizer._learning_rate.get_config()["decay_steps"]
    assert steps == fitted.n_iter_ * 3


# Tables as they are -------------------------------------------------------------------------------


def frame(n=N, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "amount": np.where(rng.random(n) < 0.2, np.nan, rng.lognormal(3, 2, n)),
            "country": rng.choice(["at", "de", "ch", None], n, p=[0.4, 0.3, 0.2, 0.1]),
            "size": pd.Categorical(rng.choice(["s", "m", "l"], n)),
            "member": rng.random(n) < 0.5,
            "maybe": pd.array(rng.choice([1, 2, None], n), dtype="Int64"),
            "nothing": np.nan,
        }
    )


TABLE = frame()
LABELS = np.where((TABLE["country"] == "de") & (TABLE["size"] != "s"), "rare", "common")


@pytest.fixture(scope="module")
def on_a_frame():
    return classifier(epochs=3).fit(TABLE, LABELS)


def test_a_frame_is_read_as_it_is(on_a_frame):
    probability = on_a_frame.predict_proba(TABLE)
    assert np.isfinite(probability).all()
    assert set(on_a_frame.predict(TABLE)) <= {"common", "rare"}
    assert on_a_frame.oof_proba_.shape == (N, 2)
    order = TABLE.columns[::-1]
    with pytest.raises(ValueError, match="feature names"):
        on_a_frame.predict(TABLE[order])


def test_levels_are_learnt():
    rows = frame(300, seed=2)
    labels = rows["country"] == "at"
    fitted = classifier(epochs=20, optimizer__learning_rate=0.05).fit(rows, labels)
    assert fitted.score(frame(100, seed=3), frame(100, seed=3)["country"] == "at") > 0.95


def test_gaps_are_learnt():
    rows = np.where(RNG.random((300, 4)) < 0.3, np.nan, RNG.normal(size=(300, 4)))
    fitted = classifier(epochs=30, optimizer__learning_rate=0.05).fit(rows, np.isnan(rows[:, 0]))
    assert fitted.score(rows, np.isnan(rows[:, 0])) > 0.95


def test_levels_that_fit_has_not_seen_are_read(on_a_frame):
    new = TABLE.assign(country="fr", size=pd.Categorical(["xxl"] * N))
    assert np.isfinite(on_a_frame.predict_proba(new)).all()
    gone = TABLE.assign(country=None, size=pd.Categorical([None] * N, categories=["s", "m", "l"]))
    assert np.isfinite(on_a_frame.predict_proba(gone)).all()


@pytest.mark.parametrize("through", ["pickle", "deep copy", "file"])
def test_copies_predict_the_same_of_frames(on_a_frame, through, tmp_path):
    if through == "file":
        on_a_frame.save(tmp_path / "rare.bkc")
        again = BalancedKerasClassifier.load(tmp_path / "rare.bkc")
    else:
        copied = {"pickle": lambda one: pickle.loads(pickle.dumps(one)), "deep copy": copy.deepcopy}
        again = copied[through](on_a_frame)
    for rows in (TABLE, TABLE.assign(country="fr"), TABLE.iloc[::-1]):
        np.testing.assert_array_equal(again.predict_proba(rows), on_a_frame.predict_proba(rows))


def test_a_search_goes_over_the_arguments_of_the_network():
    grid = [{"model__width": [3], "model__members": [1]}, {"model__width": [4]}]
    search = GridSearchCV(classifier(epochs=1), grid, cv=2, error_score="raise")
    search.fit(TABLE, LABELS)
    best = search.best_estimator_
    width = search.best_params_["model__width"]
    assert best.model_.get_layer("hidden_1").units == width
    assert best.model_.layers[-1].members == {3: 1, 4: 2}[width]
    assert np.isfinite(best.predict_proba(TABLE)).all()


def test_members_may_be_given_by_their_bare_name():
    fitted = BalancedKerasClassifier(members=2, width=4, epochs=1, random_state=0).fit(X, Y)
    assert fitted.model_.layers[-1].members == 2
    assert set(fitted.oof_folds_) == {0, 1}


def test_dates_are_refused_by_name():
    dates = TABLE.assign(born=pd.Timestamp("2020-02-02"))
    with pytest.raises(TypeError, match=r"dates.*born.*turn them into"):
        classifier().fit(dates, LABELS)


def test_text_where_fit_saw_numbers_is_refused(on_a_frame):
    with pytest.raises(ValueError, match=r"text in the columns.*amount"):
        on_a_frame.predict(TABLE.assign(amount="much"))


def test_infinity_is_refused_by_name():
    with pytest.raises(ValueError, match=r"infinity.*amount"):
        classifier().fit(TABLE.assign(amount=np.inf), LABELS)


def test_five_rows_of_the_rare_class_are_enough():
    y = (np.arange(N) < 5).astype(int)
    fitted = classifier(early_stopping="auto").fit(X, y)
    assert not hasattr(fitted, "member_epochs_")  # too few to stop by
    assert np.isfinite(fitted.oof_proba_).all()
    assert sorted(np.bincount(fitted.oof_folds_[y == 1])) == [2, 3]


@pytest.mark.parametrize("n_columns", [1, 500])
def test_few_and_many_columns_are_read(n_columns):
    table = RNG.normal(size=(60, n_columns))
    fitted = classifier(epochs=1).fit(table, np.arange(60) % 3 == 0)
    assert fitted.predict_proba(table).shape == (60, 2)


def test_sparse_tables_are_read_like_dense_ones():
    table = np.where(RNG.random((N, 4)) < 0.6, 0, X)
    dense = classifier().fit(table, Y)
    for form in (sparse.csr_matrix, sparse.csc_array):
        fitted = classifier().fit(form(table), Y)
        np.testing.assert_allclose(
            fitted.predict_proba(form(table)), dense.predict_proba(table), atol=1e-5
        )
        np.testing.assert_allclose(fitted.oof_proba_, dense.oof_proba_, atol=1e-5)


def test_memory_maps_are_read_like_arrays(tmp_path):
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    dense, fitted = classifier().fit(X, Y), classifier().fit(mapped, Y)
    np.testing.assert_array_equal(fitted.predict_proba(mapped), dense.predict_proba(X))
    np.testing.assert_array_equal(fitted.oof_proba_, dense.oof_proba_)


def test_only_rows_that_train_are_encoded():
    weight = np.where(np.arange(N) % 4, 2.0, 0.0)
    moved = X + np.where(weight == 0, 1e6, 0)[:, None].astype(np.float32)
    one, other = (classifier(epochs=1).fit(rows, Y, weight) for rows in (X, moved))
    for pair in zip(one.model_.get_weights(), other.model_.get_weights(), strict=True):
        np.testing.assert_array_equal(*pair)


# A builder that asks for the encoding -------------------------------------------------------------


def of_encoded(meta, encoding, units=3):
    table = keras.Input((meta["n_features_in_"],))
    features, bins = encoding(table)
    joined = keras.layers.Concatenate()([features, keras.layers.Flatten()(bins)])
    hidden = keras.layers.Dense(units, activation="relu")(joined)
    return keras.Model(table, keras.layers.Dense(1, activation="sigmoid")(hidden))


def of_numbers(meta, encoding=None):
    assert encoding is None or encoding == "mine"
    layers = [keras.Input((meta["n_features_in_"],)), keras.layers.Dense(1, activation="sigmoid")]
    return keras.Sequential(layers)


def needs_mine(meta, encoding):
    return of_numbers(meta, encoding)


def test_a_builder_that_asks_for_the_encoding_reads_tables_as_they_are():
    fitted = classifier(of_encoded, model__units=2).fit(TABLE, LABELS)
    layers = [layer for layer in fitted.model_.layers if isinstance(layer, TableEncoding)]
    assert len(layers) == 1
    assert layers[0].n_features == TABLE.shape[1]
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict_proba(TABLE), fitted.predict_proba(TABLE))
    assert not hasattr(fitted, "oof_proba_")


@pytest.mark.parametrize(
    ("model", "params"), [(of_numbers, {}), (needs_mine, {"model__encoding": "mine"})]
)
def test_an_encoding_that_is_given_or_not_needed_is_left_alone(model, params):
    fitted = classifier(model, **params).fit(X, Y)
    assert not any(isinstance(layer, TableEncoding) for layer in fitted.model_.layers)
    with pytest.raises(ValueError, match="NaN"):
        classifier(model, **params).fit(np.where(X > 1, np.nan, X), Y)


@pytest.mark.parametrize("model", [of_numbers, "mlp"])
def test_other_networks_still_refuse_gaps_and_text(model):
    with pytest.raises(ValueError, match=r"NaN.*default network"):
        classifier(model).fit(np.where(X > 1, np.nan, X), Y)
    with pytest.raises(ValueError, match=r"text|string"):
        classifier(model).fit(TABLE[["country"]].fillna("at"), LABELS)


def test_what_it_takes_stands_in_the_tags():
    for model, takes in ((None, True), (of_encoded, True), (of_numbers, False), ("mlp", False)):
        tags = BalancedKerasClassifier(model).__sklearn_tags__().input_tags
        assert (tags.allow_nan, tags.categorical) == (takes, takes)


# Programs -----------------------------------------------------------------------------------------


def test_folds_share_their_programs():
    clear_compile_cache()
    learner = classifier(epochs=1, early_stopping=True)
    cross_val_score(learner, TABLE, LABELS, cv=StratifiedKFold(3), error_score="raise")
    assert compile_cache_info().misses == 3  # training, prediction, blind answers


def test_an_unseen_or_missing_one_of_two_levels_is_neither():
    frame = pd.DataFrame({"s": ["rare"] * 20 + ["usual"] * 60})
    fitted = BalancedKerasClassifier(
        members=2, width=8, epochs=60, early_stopping=False, random_state=0
    ).fit(frame, [1] * 20 + [0] * 60)
    rare, usual, new, missing = fitted.predict_proba(
        pd.DataFrame({"s": ["rare", "usual", "new", None]})
    )[:, 1]
    assert rare > max(new, missing) > usual or rare > min(new, missing) > usual
    assert usual < 0.2 < 0.8 < rare


def test_rows_are_not_made_between_levels():
    frame = pd.DataFrame({"a": RNG.normal(size=60), "t": list("uvw") * 20})
    y = np.arange(60) % 4 == 0
    params = {"members": 2, "width": 4, "epochs": 1}
    with pytest.raises(ValueError, match=r"column 't'.*SMOTENC"):
        BalancedKerasClassifier(sampler=SMOTE(k_neighbors=3), **params).fit(frame, y)
    sampler = SMOTENC("auto", k_neighbors=3)
    BalancedKerasClassifier(sampler=sampler, **params).fit(frame, y)
    assert sampler.categorical_features == "auto"


def test_several_inputs_are_refused_by_name():
    network = BalancedKerasClassifier(inputs={"left": [0], "right": [1]})
    with pytest.raises(ValueError, match="leave out inputs="):
        network.fit(RNG.normal(size=(20, 2)), np.arange(20) % 2)


def test_codes_that_are_named_are_levels():
    codes = RNG.integers(0, 4, size=(60, 2)).astype(float)
    y = (codes[:, 1] == 2).astype(int)
    fitted = classifier(categorical_features=[1]).fit(codes, y)
    assert fitted.categories_[0] is None
    assert fitted.categories_[1].tolist() == [0, 1, 2, 3]
    fitted.predict(np.array([[0.0, 9.0]]))
    frame = pd.DataFrame(codes, columns=["a", "b"])
    assert classifier(categorical_features=["b"]).fit(frame, y).categories_[0] is None


def test_networks_that_read_numbers_refuse_to_be_told_of_levels():
    with pytest.raises(ValueError, match="for networks that read raw tables"):
        classifier("mlp", categorical_features=[0]).fit(X, Y)
