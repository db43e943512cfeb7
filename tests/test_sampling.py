"""The parameter ``sampler``: which rows train, which never validate, and what the priors become."""

from itertools import pairwise

import keras
import numpy as np
import pandas as pd
import pytest
from helpers import EAGER, assert_same_network, weights_of
from imblearn.over_sampling import ADASYN, SMOTE, SMOTENC, RandomOverSampler
from imblearn.under_sampling import NearMiss, RandomUnderSampler, TomekLinks
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from sk_imbalance_nn import BalancedKerasClassifier, output_layer
from sk_imbalance_nn.training.schedule import Schedule
from sk_imbalance_nn.wrapping import fitting

RNG = np.random.default_rng(0)
Y = np.repeat([0, 1], [100, 20])
X = (RNG.normal(size=(120, 4)) + Y[:, None]).astype(np.float32)
Y3 = np.repeat([0, 1, 2], [80, 30, 10])
LABELS = (RNG.random((120, 3)) < [0.5, 0.2, 0.1]).astype(int)
PICKING = ["over", "under", "balanced", RandomOverSampler(), RandomUnderSampler(), TomekLinks()]
MAKING = [SMOTE(k_neighbors=2), ADASYN(n_neighbors=2), RandomOverSampler(shrinkage=0.1)]


def net(meta):
    return keras.Sequential(
        [keras.Input(meta["X_shape_"][1:]), keras.layers.Flatten(), output_layer(meta)]
    )


def classifier(**params):
    quick = {"optimizer": "sgd", "epochs": 1, "early_stopping": False, "random_state": 0}
    return BalancedKerasClassifier(params.pop("model", net), **{**quick, **params})


@pytest.fixture
def trained_on(monkeypatch):
    """What the engine was given to train and to validate on."""
    seen = {}
    train, plan = fitting.train, Schedule.plan

    def drawing(schedule, epoch, rng):
        drawn = plan(schedule, epoch, rng)
        seen["drawn"] = drawn.indices.tolist()
        return drawn

    def spy(model, training, schedule, **options):
        seen.update(training=training, validation=options["validation"], schedule=schedule)
        return train(model, training, schedule, **options)

    monkeypatch.setattr(fitting, "train", spy)
    monkeypatch.setattr(Schedule, "plan", drawing)
    return seen


def rows_of_epochs(seen, n_epochs=3):
    """Draw epochs as the engine would, and return the rows of X in them."""
    rows, schedule = seen["training"], seen["schedule"]
    epoch, rng = schedule.limited(rows.epoch), np.random.default_rng(1)
    drawn = [rows.index[schedule.plan(epoch, rng).indices] for _ in range(n_epochs)]
    return [rows.x[index] for index in drawn], [rows.y[index] for index in drawn]


def as_set(rows):
    return {row.tobytes() for row in np.ascontiguousarray(rows)}


@pytest.mark.parametrize("sampler", [*PICKING, *MAKING], ids=str)
def test_no_resampled_row_validates(sampler, trained_on):
    classifier(sampler=sampler, validation_split=0.25, **EAGER).fit(X, Y)
    held_out = trained_on["validation"]
    validating = held_out.x[held_out.index]
    epochs, _ = rows_of_epochs(trained_on)
    training = as_set(np.concatenate(epochs))
    assert len(as_set(validating)) == len(validating) == 30
    assert as_set(validating) < as_set(X)
    assert not as_set(validating) & training
    made = training - as_set(X)
    assert bool(made) == (sampler in MAKING)


def test_under_sampling_sees_all_of_the_majority_over_time(trained_on):
    classifier(sampler="under", **{**EAGER, "epochs": 0}).fit(X, Y)
    epochs, labels = rows_of_epochs(trained_on, 5)
    assert [len(rows) for rows in epochs] == [40] * 5
    assert all(np.bincount(y).tolist() == [20, 20] for y in labels)
    assert as_set(np.concatenate(epochs)) == as_set(X)


@pytest.mark.parametrize("eager", [False, True])
def test_each_epoch_is_drawn_anew_in_either_loop(eager):
    # A label that differs from all others leaves its mark on the weights when its row is drawn.
    seen = []

    class Weights(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append(self.model.get_weights()[0].copy())

    classifier(
        sampler="under", epochs=3, batch_size=-1, run_eagerly=eager, callbacks=[Weights()]
    ).fit(np.eye(120)[:, :100], Y)
    moved = [after.ravel() != before.ravel() for before, after in pairwise(seen)]
    for rows in moved:
        assert np.count_nonzero(rows) == 20
    assert not np.any(moved[0] & moved[1])


@pytest.mark.parametrize(
    ("params", "training_prior", "weights"),
    [
        ({"sampler": "over"}, [0.5, 0.5], [1, 1]),
        ({"sampler": "under"}, [0.5, 0.5], [1, 1]),
        ({"sampler": RandomUnderSampler()}, [0.5, 0.5], [1, 1]),
        ({"sampler": SMOTE(k_neighbors=2)}, [0.5, 0.5], [1, 1]),
        ({"sampler": "over", "sampler__sampling_strategy": 0.25}, [0.5, 0.5], [0.625, 2.5]),
        (
            {"sampler": "over", "sampler__sampling_strategy": 0.25, "class_weight": None},
            [0.8, 0.2],
            [1, 1],
        ),
        (
            {
                "sampler": RandomOverSampler(),
                "sampler__sampling_strategy": 0.25,
                "class_weight": {1: 2},
            },
            [2 / 3, 1 / 3],
            [1, 2],
        ),
        ({"sampler": "balanced", "class_weight": {0: 1, 1: 3}}, [0.25, 0.75], [1, 3]),
    ],
    ids=str,
)
def test_weights_balance_what_the_sampler_leaves(params, training_prior, weights):
    fitted = classifier(**params, **EAGER).fit(X, Y)
    np.testing.assert_allclose(fitted.class_prior_, [5 / 6, 1 / 6])
    np.testing.assert_allclose(fitted.training_prior_, training_prior)
    np.testing.assert_allclose(list(fitted.class_weight_.values()), weights)


@pytest.mark.parametrize("sampler", ["over", "under", "balanced", TomekLinks()], ids=str)
def test_what_a_step_weighs_does_not_depend_on_the_sampler(sampler, trained_on):
    weight = RNG.integers(1, 9, 120) / 3
    fitted = classifier(sampler=sampler, **EAGER).fit(X, Y, sample_weight=weight)
    rows = trained_on["training"]
    copies = rows.epoch.copies
    np.testing.assert_allclose(np.average(rows.weight, weights=copies), 1, rtol=1e-6)
    by_class = np.bincount(rows.y, rows.weight * copies)
    np.testing.assert_allclose(by_class / by_class.sum(), fitted.training_prior_, rtol=1e-6)


def test_rows_without_weight_are_as_good_as_absent():
    keep = np.arange(120) % 3 > 0
    for sampler in ("balanced", RandomUnderSampler(), SMOTE(k_neighbors=2)):
        model = classifier(sampler=sampler, epochs=2)
        without = clone(model).fit(X[keep], Y[keep], sample_weight=np.full(keep.sum(), 2.0))
        assert_same_network(model.fit(X, Y, sample_weight=np.where(keep, 2.0, 0.0)), without)


@pytest.mark.parametrize("sampler", ["balanced", RandomOverSampler(), SMOTE(k_neighbors=2)])
def test_a_seed_gives_the_same_network_again(sampler):
    model = classifier(sampler=sampler, epochs=2)
    one, other = clone(model).fit(X, Y), clone(model).fit(X, Y)
    assert_same_network(one, other)
    third = clone(model).set_params(random_state=1).fit(X, Y)
    assert not np.array_equal(weights_of(one), weights_of(third))


def test_the_samplers_own_seed_counts():
    fits = [
        classifier(sampler=RandomUnderSampler(random_state=seed), shuffle=False, batch_size=-1)
        .set_params(model=net, output_bias=None)
        .fit(X, Y)
        for seed in (1, 1, 2)
    ]
    assert_same_network(fits[0], fits[1])
    assert not np.array_equal(weights_of(fits[0]), weights_of(fits[2]))


def test_the_callers_sampler_stays_as_it_was():
    sampler = SMOTE(k_neighbors=2)
    before = dict(vars(sampler))
    classifier(sampler=sampler, sampler__k_neighbors=3, **EAGER).fit(X, Y)
    assert vars(sampler) == before


def test_labels_of_any_type_key_the_strategy(trained_on):
    names = np.array(["legit", "fraud"])[Y]
    strategy = {"legit": 30, "fraud": 10}
    for sampler in ("balanced", RandomUnderSampler()):
        classifier(sampler=sampler, sampler__sampling_strategy=strategy, **EAGER).fit(X, names)
        _, labels = rows_of_epochs(trained_on, 1)
        assert np.bincount(labels[0]).tolist() == [10, 30]  # "fraud" comes first


def test_several_classes_and_labels_are_sampled(trained_on):
    fitted = classifier(sampler="balanced", **EAGER).fit(X, Y3)
    _, codes = rows_of_epochs(trained_on, 1)
    assert np.bincount(codes[0]).tolist() == [40, 40, 40]
    np.testing.assert_allclose(fitted.training_prior_, [1 / 3] * 3)
    plain = classifier(sampler=None, class_weight=None, **EAGER).fit(X, LABELS)
    over = classifier(sampler="over", class_weight=None, **EAGER).fit(X, LABELS)
    np.testing.assert_allclose(over.class_prior_, plain.class_prior_)
    assert over.training_prior_[2] > 1.5 * plain.training_prior_[2]
    _, labels = rows_of_epochs(trained_on, 20)
    np.testing.assert_allclose(np.concatenate(labels).mean(axis=0), over.training_prior_, rtol=0.02)


@pytest.mark.parametrize("sampler", PICKING, ids=str)
def test_sequences_images_and_several_inputs_are_sampled(sampler):
    sequences = RNG.normal(size=(120, 5, 2))
    images = RNG.normal(size=(120, 3, 3, 1))

    def two(meta):
        left, right = keras.Input((5, 2), name="left"), keras.Input((3, 3, 1), name="right")
        both = [keras.layers.Flatten()(part) for part in (left, right)]
        outputs = output_layer(meta)(keras.layers.Concatenate()(both))
        return keras.Model({"left": left, "right": right}, outputs)

    for given, model in (
        (sequences, net),
        (images, net),
        ({"left": sequences, "right": images}, two),
    ):
        fitted = classifier(model=model, sampler=sampler, **EAGER).fit(given, Y)
        assert fitted.predict_proba(given).shape == (120, 2)


def test_new_rows_are_made_of_tables_alone():
    with pytest.raises(ValueError, match=r"SMOTE.*'over'|SMOTE.*RandomOverSampler"):
        classifier(sampler=SMOTE()).fit(RNG.normal(size=(120, 5, 2)), Y)
    with pytest.raises(ValueError, match="multilabel"):
        classifier(sampler=RandomOverSampler()).fit(X, LABELS)


def test_categories_stay_categories_under_smotenc(trained_on):
    mixed = np.column_stack([X, np.arange(120) % 3]).astype(np.float32)
    sampler = SMOTENC(categorical_features=[4], k_neighbors=2)
    classifier(sampler=sampler, **EAGER).fit(mixed, Y)
    made = trained_on["training"].x
    assert len(made) == 200
    assert set(made[:, 4]) <= {0, 1, 2}


def test_inputs_of_one_table_are_split_after_rows_were_made(trained_on):
    def two(meta):
        left, right = keras.Input((1,), name="left"), keras.Input((3,), name="right")
        outputs = output_layer(meta)(keras.layers.Concatenate()([left, right]))
        return keras.Model({"left": left, "right": right}, outputs)

    inputs = {"left": [0], "right": slice(1, 4)}
    classifier(model=two, inputs=inputs, sampler=SMOTE(k_neighbors=2), **EAGER).fit(X, Y)
    assert {name: part.shape for name, part in trained_on["training"].x.items()} == {
        "left": (200, 1),
        "right": (200, 3),
    }


@pytest.mark.parametrize("eager", [False, True])
def test_steps_per_epoch_shortens_balanced_epochs(eager, trained_on):
    options = {"sampler": "over", "batch_size": 10, "fit__steps_per_epoch": 2, "epochs": 2}
    fitted = classifier(run_eagerly=eager, **options).fit(X, Y)
    assert int(fitted.model_.optimizer.iterations) == 4
    _, labels = rows_of_epochs(trained_on, 10)
    assert all(np.bincount(y).tolist() == [10, 10] for y in labels)
    epochs, _ = rows_of_epochs(trained_on, 10)
    assert as_set(np.concatenate(epochs)) == as_set(X)


def test_batches_and_schedules_go_by_the_epoch_of_the_sampler(trained_on):
    fitted = classifier(sampler="over", batch_size=-1).fit(X, Y)
    assert int(fitted.model_.optimizer.iterations) == 1
    default = classifier(model=None, sampler="over", optimizer="auto", epochs=3).fit(X, Y)
    steps = int(default.model_.optimizer.iterations)
    assert steps == 3 * -(-200 // 32)


@pytest.mark.parametrize("sampler", ["balanced", RandomUnderSampler(), SMOTE(k_neighbors=2)])
def test_parts_of_one_class_are_no_obstacle_to_partial_fit(sampler):
    model = classifier(sampler=sampler)
    for part in (slice(0, 60), slice(60, 120), slice(0, 120)):
        model.partial_fit(X[part], Y[part], classes=[0, 1])
    assert model.n_iter_ == 3
    np.testing.assert_allclose(model.class_prior_, [200 / 240, 40 / 240])


def test_a_sampler_of_what_it_does_not_know_is_refused():
    for params, kind, match in (
        ({"sampler": "smote"}, ValueError, "sampler"),
        ({"sampler__sampling_strategy": 1.0}, TypeError, "name a sampler"),
        ({"sampler": "over", "sampler__k_neighbors": 3}, TypeError, "k_neighbors"),
        ({"sampler": NearMiss(), "sampler__neighbours": 3}, TypeError, "n_neighbors"),
        ({"sampler": "over", "sampler__sampling_strategy": "majority"}, ValueError, "majority"),
    ):
        with pytest.raises(kind, match=match):
            classifier(**params).fit(X, Y)


def test_a_grid_goes_over_samplers_losses_weights_and_builders_at_once():
    def build(meta, width=2):
        return keras.Sequential(
            [keras.Input(meta["X_shape_"][1:]), keras.layers.Dense(width), output_layer(meta)]
        )

    grid = [
        {
            "sampler": ["over", RandomUnderSampler()],
            "sampler__sampling_strategy": [0.5],
            "class_weight": [None, "balanced"],
            "width": [2],
        },
        {"loss": ["focal"], "loss__gamma": [0.0, 2.0], "width": [3], "sampler": [None, "balanced"]},
    ]
    search = GridSearchCV(classifier(model=build, width=2), grid, cv=2, error_score="raise")
    search.fit(X, Y)
    assert len(search.cv_results_["params"]) == 8
    assert search.best_estimator_.get_params()["width"] in (2, 3)


@pytest.mark.parametrize(
    "params",
    [
        {"class_weight": "balanced"},
        {"class_weight": "effective"},
        {"sampler": "over"},
        {"sampler": "balanced"},
        {"loss": "logit_adjusted"},
        {"loss": "ldam"},
        {"loss": "focal", "sampler": "under"},
    ],
    ids=str,
)
def test_one_row_in_ten_thousand_is_not_too_few(params):
    y = np.zeros(20_000, dtype=int)
    y[[3, 9_000]], y[::100] = 2, 1
    rows = np.column_stack([y == 0, y == 1, y == 2]).astype(np.float32)
    fitted = classifier(epochs=8, batch_size=2048, optimizer="adam", **params)
    fitted.set_params(optimizer__learning_rate=0.3, correct_prior="balanced").fit(rows, y)
    assert np.isfinite(fitted.history_["loss"]).all()
    np.testing.assert_array_equal(fitted.predict(np.eye(3)), [0, 1, 2])


def test_the_rarer_class_stays_positive_when_rows_were_made(trained_on):
    scores = [
        classifier(sampler=sampler, early_stopping=True, validation_split=0.3)
        .fit(X, 1 - Y)
        .best_validation_score_
        for sampler in (None, SMOTE(k_neighbors=2))
    ]
    assert scores[1] == pytest.approx(scores[0], abs=0.2)


@pytest.mark.parametrize(
    "sampler", ["under", RandomUnderSampler(), RandomUnderSampler(random_state=0)], ids=str
)
@pytest.mark.parametrize("way", ["warm", "partial"])
def test_calls_that_continue_draw_other_rows(sampler, way, trained_on):
    model = classifier(sampler=sampler, warm_start=way == "warm", **EAGER)
    drawn = []
    for _ in range(3):
        model.fit(X, Y) if way == "warm" else model.partial_fit(X, Y)
        drawn.append(trained_on["drawn"])
    assert len({tuple(sorted(rows)) for rows in drawn}) == 3


def test_a_network_that_is_only_built_knows_the_sampler():
    built = classifier(sampler="under", class_weight=None).initialize(X, Y)
    np.testing.assert_allclose(built.training_prior_, [0.5, 0.5])


def test_a_part_without_a_class_of_the_strategy_is_no_mistake():
    model = classifier(sampler="balanced", sampler__sampling_strategy={0: 8, 1: 4, 2: 2}, **EAGER)
    model.partial_fit(X[:110], Y3[:110], classes=[0, 1, 2]).partial_fit(X, Y3)
    with pytest.raises(ValueError, match="the keys"):
        clone(model).set_params(sampler__sampling_strategy={0: 8, 1: 4, 3: 2}).fit(X, Y3)


def test_categories_may_be_named(trained_on):
    frame = pd.DataFrame(X, columns=list("abcd"))
    frame["kind"] = np.arange(120) % 3
    sampler = SMOTENC(categorical_features=["kind"], k_neighbors=2)
    classifier(sampler=sampler, **EAGER).fit(frame, Y)
    assert set(trained_on["training"].x[:, 4]) <= {0, 1, 2}


def test_a_class_in_place_of_a_sampler_is_refused():
    with pytest.raises(TypeError, match=r"give an instance, RandomUnderSampler\(\)"):
        classifier(sampler=RandomUnderSampler).fit(X, Y)
