"""The layer that reads raw tables: the formulas it is made of, and what survives a file."""

import copy
import itertools
import pickle

import keras
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from sk_imbalance_nn import BalancedKerasClassifier, TableEncoding
from sk_imbalance_nn.networks.serialization import copy_model, pack, unpack

quick = settings(deadline=None, max_examples=12)
RNG = np.random.default_rng(0)
N = 200
TABLE = np.column_stack(
    [
        RNG.normal(size=N),
        np.where(RNG.random(N) < 0.2, np.nan, RNG.lognormal(0, 2, N)),
        RNG.integers(0, 2, N),
        np.where(RNG.random(N) < 0.3, np.nan, RNG.integers(0, 2, N)),
        RNG.choice(5, N, p=[0.4, 0.3, 0.2, 0.09, 0.01]),
        np.where(RNG.random(N) < 0.3, 0.0, RNG.normal(size=N)),
        np.full(N, 3.0),
    ]
).astype(np.float32)
N_CATEGORIES = [0, 0, 0, 0, 5, 0, 0]
BINNED, LEVELED = [0, 1, 5], 4
columns = hnp.arrays(
    np.float32,
    st.integers(3, 60),
    elements=st.one_of(
        st.floats(-1e6, 1e6, width=32).filter(lambda x: x == 0 or abs(x) > 1e-3), st.just(np.nan)
    ),
)


def encoded(encoding, X):
    return [np.asarray(part) for part in encoding(keras.ops.convert_to_tensor(X, "float32"))]


@pytest.fixture(scope="module")
def encoding():
    return TableEncoding().adapt(TABLE, N_CATEGORIES)


def assert_same_layer(one, other, X=TABLE):
    for parts in zip(encoded(one, X), encoded(other, X), strict=True):
        np.testing.assert_array_equal(*parts)


# The formulas -------------------------------------------------------------------------------------


def piecewise_linear(x, edges, n_bins):
    """Equation 1 of Gorishniy et al. (2022), one number at a time."""
    row = [0.0] * n_bins
    for number, (a, b) in enumerate(itertools.pairwise(edges)):
        least = -1.0 if number == 0 else 0.0
        most = 2.0 if number == len(edges) - 2 else 1.0
        row[number] = min(max((x - a) / (b - a), least), most)
    return row


@quick
@given(columns, st.lists(st.floats(-2e6, 2e6, width=32), min_size=1, max_size=9))
def test_bins_are_the_piecewise_linear_code(column, new):
    edges = np.unique(column[~np.isnan(column)]).astype(float)
    assume(2 < len(edges) <= 25)
    _, bins = encoded(TableEncoding(n_bins=24).adapt(column[:, None]), np.array(new)[:, None])
    expected = [piecewise_linear(x, edges, 24) for x in np.float32(new).astype(float)]
    np.testing.assert_allclose(bins[:, 0], expected, atol=1e-3)


def test_bins_of_many_values_lie_between_quantiles():
    x = np.linspace(-5, 5, 101)
    _, bins = encoded(TableEncoding(n_bins=6).adapt(TABLE[:, :1]), x[:, None])
    edges = np.quantile(TABLE[:, 0].astype(float), np.linspace(0, 1, 7))
    expected = [piecewise_linear(each, edges, 6) for each in x]
    np.testing.assert_allclose(bins[:, 0], expected, atol=1e-4)


@quick
@given(columns)
def test_scores_rise_with_the_value(column):
    assume(len(np.unique(column[~np.isnan(column)])) > 2)
    x = np.sort(np.r_[np.linspace(-2e6, 2e6, 50), column[~np.isnan(column)]])
    scores = encoded(TableEncoding().adapt(column[:, None]), x[:, None])[0][:, 0]
    assert np.diff(scores).min() >= -1e-5
    assert scores[-1] > scores[0]


def test_scores_at_the_edges_are_the_normal_ones(encoding):
    weights = encoding._table_weights
    left, base, rise = (np.asarray(weights[f"bin_{name}"]) for name in ("left", "base", "rise"))
    n_bins = left.shape[1]
    X = np.zeros((n_bins, 7))
    X[:, BINNED] = left.T
    features, _ = encoded(encoding, X)
    expected = base[:, None] + np.cumsum(rise, axis=1) - rise
    np.testing.assert_allclose(features[:, :3], expected.T, atol=1e-5)


def test_scores_of_many_values_are_normal_quantiles():
    X = np.random.default_rng(3).lognormal(0, 2, (5000, 1))
    scores = encoded(TableEncoding().adapt(X), X)[0][:, 0]
    assert abs(scores.mean()) < 0.05
    assert abs(scores.std() - 1) < 0.1


def test_missing_entries_are_zero_in_bins_and_score_and_raise_their_flag(encoding):
    X = TABLE.copy()
    X[:, 1] = np.nan
    features, bins = encoded(encoding, X)
    assert not bins[:, 1].any()
    assert not features[:, 1].any()
    missing = np.isnan(TABLE[:, 1])
    before, bins_before = encoded(encoding, TABLE)
    moved = np.flatnonzero(np.any(before[:, 3:] != features[:, 3:], axis=0))
    assert len(moved) == 1
    flag = 3 + moved[0]
    np.testing.assert_allclose(features[:, flag], 0.4 * (1 - missing.mean()), rtol=1e-5)
    np.testing.assert_allclose(before[~missing, flag], -0.4 * missing.mean(), rtol=1e-5)
    np.testing.assert_array_equal(np.delete(bins, 1, axis=1), np.delete(bins_before, 1, axis=1))


def test_rows_without_any_entry_are_read(encoding):
    features, bins = encoded(encoding, np.full((2, 7), np.nan))
    assert np.isfinite(features).all()
    assert not bins.any()


@quick
@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=25),
        elements=st.sampled_from([0.0, 1.0, 2.0, np.nan]),
    )
)
def test_flags_have_a_mean_of_zero_over_the_training_rows(X):
    encoding = TableEncoding().adapt(X)
    flags = encoded(encoding, X)[0][:, encoding.n_binned :]
    np.testing.assert_allclose(flags.mean(axis=0), 0, atol=1e-6)
    heights = np.ptp(flags, axis=0)
    assert ((np.abs(heights - 0.4) < 1e-6) | (heights == 0)).all()


def test_levels_raise_their_flags_and_what_is_rare_or_unseen_none(encoding):
    X = np.tile(TABLE[:1], (8, 1))
    X[:, LEVELED] = [0, 1, 2, 3, 4, -1, 17, np.nan]
    features, bins = encoded(encoding, X)
    assert (bins == bins[0]).all()
    flags = features[:, np.any(features != features[0], axis=0)]
    assert flags.shape[1] == 4
    raised = flags > flags[5] + 0.3
    assert raised.sum(axis=1).tolist() == [1, 1, 1, 1, 0, 0, 0, 0]
    assert raised.sum(axis=0).tolist() == [1, 1, 1, 1]


def test_an_unseen_one_of_two_levels_is_neither():
    X = np.array([[0.0]] * 8 + [[1.0]] * 8 + [[np.nan]] * 4)
    encoding = TableEncoding().adapt(X, [2])
    seen = encoded(encoding, [[0.0], [1.0], [np.nan], [-1.0]])[0]
    raised = seen > 0
    assert raised.sum(axis=1).tolist() == [1, 1, 1, 0]
    assert not (raised[0] & raised[1]).any()


EXTREMES = np.array([3.4e38, -3.4e38, 1e38, -1e38, 1e-45, -1e-45, 0, 1e-38, 1, np.nan])


@pytest.mark.parametrize(
    "column",
    [
        np.linspace(-3e38, 3e38, 60),
        np.r_[3.4e38, -3.4e38, np.linspace(0, 1, 58)],
        np.linspace(0, 1e-43, 60),
        np.linspace(0, 1, 60),
        np.r_[np.zeros(50), 1e-45, 3e38],
        np.full(9, 1e38),
    ],
    ids=["huge", "outliers", "denormal", "usual", "spike", "constant"],
)
def test_extreme_values_come_out_finite_and_bounded(column):
    encoding = TableEncoding().adapt(column[:, None])
    for part in encoded(encoding, np.r_[EXTREMES, column][:, None]):
        assert np.isfinite(part).all()
        assert np.abs(part).max() <= 10


# Whatever holds the rows --------------------------------------------------------------------------


@quick
@given(st.randoms(use_true_random=False))
def test_the_order_of_training_rows_does_not_matter(random):
    order = random.sample(range(N), N)
    one = TableEncoding().adapt(TABLE, N_CATEGORIES)
    assert_same_layer(one, TableEncoding().adapt(TABLE[order], N_CATEGORIES))


def test_chosen_rows_are_the_only_ones_learned(tmp_path):
    rows = np.flatnonzero(RNG.random(N) < 0.5)
    np.save(tmp_path / "table.npy", TABLE)
    expected = TableEncoding().adapt(TABLE[rows])
    for X in (TABLE, sparse.csr_matrix(TABLE), np.load(tmp_path / "table.npy", mmap_mode="r")):
        assert_same_layer(TableEncoding().adapt(X, rows=rows), expected)


# Copies and files ---------------------------------------------------------------------------------


def network(layer):
    table = keras.Input((7,))
    features, bins = layer(table)
    joined = keras.layers.Concatenate()([features, keras.layers.Flatten()(bins)])
    return keras.Model(table, keras.layers.Dense(1)(joined))


def through_weights(layer, tmp_path):
    other = TableEncoding.from_config(layer.get_config())
    other.set_weights(layer.get_weights())
    return other


def through_a_file(layer, tmp_path):
    network(layer).save(tmp_path / "model.keras")
    return keras.saving.load_model(tmp_path / "model.keras", safe_mode=True).layers[1]


def through_pickle(layer, tmp_path):
    return unpack(pickle.loads(pickle.dumps(pack(network(layer))))).layers[1]


COPIES = {
    "config and weights": through_weights,
    "file": through_a_file,
    "deep copy": lambda layer, _: copy.deepcopy(layer),
    "copied model": lambda layer, _: copy_model(network(layer)).layers[1],
    "packed model": lambda layer, _: unpack(
        pickle.loads(pickle.dumps(pack(network(layer))))
    ).layers[1],
}


@pytest.mark.parametrize("name", COPIES)
def test_what_was_learned_is_copied(name, encoding, tmp_path):
    other = COPIES[name](encoding, tmp_path)
    assert type(other) is TableEncoding
    assert other is not encoding
    assert_same_layer(other, encoding)


def test_sizes_are_all_that_a_configuration_holds(encoding):
    config = encoding.get_config()
    assert (config["n_binned"], config["n_features"]) == (3, 7)
    assert config["n_flags"] % 8 == 0
    assert TableEncoding.from_config(TableEncoding(n_bins=5).get_config()).n_bins == 5


def test_nothing_of_it_trains(encoding):
    model = network(encoding)
    assert [weight.name for weight in model.trainable_weights] == ["kernel", "bias"]
    before = encoding.get_weights()
    model.compile("sgd", "mse", jit_compile=False)
    model.fit(TABLE, TABLE[:, 2], epochs=1, verbose=0)
    for one, other in zip(before, encoding.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_shapes_are_known_before_any_row(encoding):
    features, bins = encoding(keras.Input((7,)))
    found = encoded(encoding, TABLE)
    assert (features.shape[1:], bins.shape[1:]) == (found[0].shape[1:], found[1].shape[1:])


def test_it_is_pickled_with_the_classifier():
    params = {"model__width": 4, "model__members": 2, "epochs": 1, "early_stopping": False}
    fitted = BalancedKerasClassifier(**params).fit(TABLE, TABLE[:, 2])
    again = pickle.loads(pickle.dumps(fitted))
    layers = [model.model_.get_layer("encoding") for model in (fitted, again)]
    assert_same_layer(*layers)
    np.testing.assert_array_equal(fitted.predict_proba(TABLE), again.predict_proba(TABLE))


# Refusals -----------------------------------------------------------------------------------------


def test_it_is_adapted_once(encoding):
    with pytest.raises(ValueError, match="adapted already; make a new one"):
        encoding.adapt(TABLE)


def test_it_reads_nothing_before_it_is_adapted():
    with pytest.raises(ValueError, match="knows no columns yet: call adapt"):
        TableEncoding()(TABLE)
    with pytest.raises(ValueError, match="knows no columns yet"):
        TableEncoding()(keras.Input((7,)))


def test_tables_of_another_width_are_refused():
    for width in (6, 8):
        fresh = TableEncoding().adapt(TABLE)
        with pytest.raises(ValueError, match=f"adapted to 7 columns, found a table of {width}"):
            fresh(np.zeros((3, width), "float32"))
        with pytest.raises(ValueError, match=f"adapted to 7 columns, found a table of {width}"):
            fresh(keras.Input((width,)))


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (3,), (3, 2, 2)])
def test_what_is_no_table_is_refused(shape):
    with pytest.raises(ValueError, match="reads tables of shape"):
        TableEncoding().adapt(np.zeros(shape))


def test_bins_must_be_some():
    with pytest.raises(ValueError, match="n_bins must be at least 1, found 0"):
        TableEncoding(n_bins=0)
