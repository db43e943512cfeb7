"""Out of fold: each row's answer comes from a member that has not learnt from it."""

import pickle

import keras
import numpy as np
import pytest
from helpers import EAGER, assert_same_network, weights_of
from imblearn.over_sampling import SMOTE
from scipy import sparse
from scipy.special import expit, log_softmax, softmax
from sklearn.base import clone
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.metrics import average_precision_score, balanced_accuracy_score, log_loss
from sklearn.model_selection import PredefinedSplit

from sk_imbalance_nn import BalancedKerasClassifier, ThresholdOptimizerCV
from sk_imbalance_nn.networks.default import default_network
from sk_imbalance_nn.networks.encoding import TableEncoding
from sk_imbalance_nn.networks.ensemble import network_of_members
from sk_imbalance_nn.training import out_of_fold
from sk_imbalance_nn.training.out_of_fold import OutOfFold, blinded

RNG = np.random.default_rng(0)
N, MEMBERS = 90, 3
X, Y = make_classification(
    N, 4, n_informative=3, n_redundant=0, weights=[0.7], flip_y=0.2, random_state=0
)
X = X.astype(np.float32)
Y3 = np.array(["b", "c", "a"])[np.digitize(X[:, 0] + X[:, 1], [-0.5, 0.8])]
YL = make_multilabel_classification(N, 4, n_classes=2, random_state=0)[1]
TARGETS = {"binary": Y, "multiclass": Y3, "multilabel": YL}


def classifier(**params):
    """Make a small one; members and rows as everywhere here, so that programs are shared."""
    defaults = {"model__members": MEMBERS, "model__width": 4, "epochs": 4, "random_state": 0}
    return BalancedKerasClassifier(**{**defaults, **params})


def blind_answers(fitted, rows=X):
    """Return the logits of each row by its blind member, one member at a time."""
    tables = np.repeat(np.asarray(rows, np.float32)[:, None], MEMBERS, axis=1)
    logits = np.asarray(network_of_members(fitted.model_)(tables), np.float64)
    folds = fitted.oof_folds_
    return np.stack([row[fold] for row, fold in zip(logits, folds, strict=True) if fold >= 0])


def part_of(fitted, member):
    """Return one member's weights."""
    return [np.asarray(weight)[member] for weight in fitted.model_.trainable_variables]


def assert_same_part(one, other, member):
    for pair in zip(part_of(one, member), part_of(other, member), strict=True):
        np.testing.assert_array_equal(*pair)


@pytest.fixture(scope="module")
def fits():
    """One for each target, with and without early stopping."""
    return {
        (kind, stops): classifier(early_stopping=stops).fit(X, y)
        for kind, y in TARGETS.items()
        for stops in (True, False)
    }


@pytest.fixture(scope="module")
def fitted(fits):
    return fits["binary", True]


# Weights ------------------------------------------------------------------------------------------


def test_a_row_weighs_nothing_for_the_blind_member_and_the_same_on_average():
    weight = RNG.uniform(0, 3, 20).astype(np.float32)
    folds = RNG.integers(0, 4, 20)
    found = blinded(weight, folds, 4)
    np.testing.assert_allclose(found.mean(axis=1), weight, rtol=1e-6)
    for member in range(4):
        np.testing.assert_array_equal(found[:, member] == 0, folds == member)
        sees = folds != member
        np.testing.assert_allclose(found[sees, member], weight[sees] * 4 / 3, rtol=1e-6)
    np.testing.assert_array_equal(blinded(None, folds, 4), blinded(np.ones(20), folds, 4))


# Answers ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def network():
    meta = {"n_classes_": 3, "target_type_": "multiclass", "X_shape_": X.shape}
    return default_network(meta, TableEncoding().adapt(X), members=MEMBERS, width=4)


@pytest.mark.parametrize("form", ["array", "csr", "map", "integers"])
@pytest.mark.parametrize("chunk", [1, 4 * 4 * 4 * 3, 2**20])
def test_answers_are_those_of_the_blind_members(network, form, chunk, monkeypatch, tmp_path):
    monkeypatch.setattr(out_of_fold, "_CHUNK_BYTES", chunk)
    table = np.rint(X) if form == "integers" else X
    np.save(tmp_path / "X.npy", table.astype(np.int16) if form == "integers" else X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    x = {"array": X, "csr": sparse.csr_matrix(X)}.get(form, mapped)
    rows = np.flatnonzero(RNG.random(N) < 0.4)
    folds = np.r_[2, RNG.choice([0, 2], len(rows) - 1, p=[0.8, 0.2])]  # none in fold 1
    found = OutOfFold(network, x, rows, folds).answers()
    together = network_of_members(network)
    each = np.asarray(together(np.repeat(table[:, None], MEMBERS, axis=1)))
    np.testing.assert_allclose(found, each[rows, folds], atol=1e-5)


@pytest.mark.parametrize("stops", [True, False])
@pytest.mark.parametrize("kind", TARGETS)
def test_scores_are_those_of_the_network_that_was_kept(fits, kind, stops):
    fitted = fits[kind, stops]
    logits = blind_answers(fitted)
    probability = softmax(logits, axis=1) if kind == "multiclass" else expit(logits)
    score = log_softmax(logits, axis=1) if kind == "multiclass" else logits
    if kind == "binary":
        probability, score = np.hstack([1 - probability, probability]), logits[:, 0]
    np.testing.assert_allclose(fitted.oof_proba_, probability, atol=1e-5)
    np.testing.assert_allclose(fitted.oof_decision_function_, score, atol=1e-4)
    assert fitted.oof_proba_.shape == fitted.predict_proba(X).shape
    assert fitted.oof_unavailable_reason_ == ""
    assert np.bincount(fitted.oof_folds_).tolist() == [30, 30, 30]
    assert hasattr(fitted, "member_epochs_") == stops


# Honesty ------------------------------------------------------------------------------------------


def shuffled_within(fitted, member):
    """Return X with the rows of a fold in another order, so that its labels are other rows'.

    To shuffle labels would deal other folds; the encoding does not know the order of rows.
    """
    moved, rows = X.copy(), np.flatnonzero(fitted.oof_folds_ == member)
    moved[rows] = X[np.roll(rows, 7)]
    return moved


# A norm that all gradients are beyond.
CLIPPED = {"early_stopping": False, "optimizer__member_clipnorm": 0.01}


@pytest.fixture(scope="module")
def clipped():
    return classifier(**CLIPPED).fit(X, Y)


@pytest.mark.parametrize(
    ("form", "member"), [("traced", 0), ("traced", 1), ("traced", 2), ("eager", 1)]
)
def test_a_member_learns_nothing_from_the_fold_it_is_blind_to(clipped, form, member):
    params = {**CLIPPED, **(EAGER if form == "eager" else {})}
    one = classifier(**params).fit(X, Y) if form == "eager" else clipped
    other = classifier(**params).fit(shuffled_within(one, member), Y)
    np.testing.assert_array_equal(one.oof_folds_, other.oof_folds_)
    assert_same_part(one, other, member)
    for seeing in {*range(MEMBERS)} - {member}:
        assert (part_of(one, seeing)[0] != part_of(other, seeing)[0]).any()


kept: list = []


class Keep(keras.callbacks.Callback):
    """Takes down the weights after each epoch."""

    def on_epoch_end(self, epoch, logs=None):
        kept.append(self.model.get_weights())


@pytest.mark.parametrize("scoring", ["average_precision", "loss"])
def test_each_member_keeps_the_epoch_that_is_best_for_the_other_folds(scoring):
    kept.clear()
    params = {"epochs": 6, "optimizer__learning_rate": 0.05, "class_weight": "balanced"}
    params["scoring"] = scoring
    fitted = classifier(early_stopping=True, callbacks=[Keep()], **params).fit(X, Y)
    final = fitted.model_.get_weights()
    scores = []
    for weights in kept:
        fitted.model_.set_weights(weights)
        p = expit(blind_answers(fitted))[:, 0]
        others = [fitted.oof_folds_ != fold for fold in range(MEMBERS)]
        by_class = np.array(list(fitted.class_weight_.values()))
        if scoring == "loss":
            losses = [-log_loss(Y[o], p[o], sample_weight=by_class[Y[o]]) for o in others]
            scale = [by_class[Y[o]].mean() / by_class[Y].mean() for o in others]
            scores.append(np.multiply(losses, scale))
        else:
            scores.append([average_precision_score(Y[o], p[o]) for o in others])
    scores = np.array(scores)
    latest = len(scores) - scores[::-1].argmax(axis=0)
    np.testing.assert_array_equal(fitted.member_epochs_, latest)
    logged = scores.mean(axis=1) * (-1 if scoring == "loss" else 1)
    np.testing.assert_allclose(fitted.history_[f"oof_{scoring}"], logged, rtol=1e-4)
    assert fitted.best_iteration_ == scores.mean(axis=1).argmax() + 1
    trains = [weight.trainable for weight in fitted.model_.weights]
    for member, epoch in enumerate(latest):
        for now, then, is_trained in zip(final, kept[epoch - 1], trains, strict=True):
            if is_trained:
                np.testing.assert_array_equal(now[member], then[member])


def test_a_scorer_of_the_users_never_meets_the_fold_that_it_chooses_for():
    seen = []

    def scoring(estimator, rows, labels):
        seen.append(({row.tobytes() for row in rows}, estimator.predict_proba(rows)[:, 1], labels))
        return 0.0

    fitted = classifier(early_stopping=True, scoring=scoring, epochs=1).fit(X, Y)
    assert len(seen) == MEMBERS
    for fold, (rows, scores, labels) in enumerate(seen):
        others = fitted.oof_folds_ != fold
        assert rows == {row.tobytes() for row in X[others]}
        np.testing.assert_array_equal(labels, Y[others])
        np.testing.assert_allclose(scores, fitted.oof_proba_[others, 1], atol=1e-6)


@pytest.mark.parametrize("stops", [True, False])
def test_noise_is_chance_out_of_fold_and_learnt_by_heart(stops):
    z_scores, in_sample = [], []
    params = {"model__width": 16, "epochs": 15, "optimizer__learning_rate": 0.05}
    for seed in range(3):
        rng = np.random.default_rng(seed)
        noise, labels = rng.normal(size=(200, 12)), np.arange(200) % 4 == 0
        learner = classifier(early_stopping=stops, **{**params, "random_state": seed})
        scores = learner.fit(noise, labels).oof_decision_function_
        chance = [average_precision_score(rng.permutation(labels), scores) for _ in range(100)]
        found = average_precision_score(labels, scores)
        z_scores.append((found - np.mean(chance)) / np.std(chance))
        in_sample.append(average_precision_score(labels, learner.predict_proba(noise)[:, 1]))
    assert abs(np.mean(z_scores)) < 3 / np.sqrt(3)
    if not stops:
        assert np.mean(in_sample) > 0.5  # chance is a quarter


# When there are none ------------------------------------------------------------------------------


def own(meta):
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, activation="sigmoid")])


ONE_ROW = np.r_[1, np.zeros(N - 1, int)]
REFUSED = {
    "mlp": ({"model": "mlp", "model__members": None}, Y, "its own network alone"),
    "own builder": ({"model": own, "model__members": None}, Y, "its own network alone"),
    "one member": ({"model__members": 1}, Y, "members=1 leaves no member"),
    "SMOTE": ({"sampler": SMOTE()}, Y, "SMOTE looks at all rows"),
    "one row": ({}, ONE_ROW, "a class has fewer than two rows"),
}


def assert_unavailable(fitted, reason):
    for name in ("oof_proba_", "oof_decision_function_"):
        assert not hasattr(fitted, name)
        with pytest.raises(AttributeError, match=rf"has no {name}: .*{reason}.*Cross-validate"):
            getattr(fitted, name)
    assert not hasattr(fitted, "oof_folds_")
    assert not hasattr(fitted, "member_epochs_")


@pytest.mark.parametrize("name", REFUSED)
def test_without_blind_members_the_error_says_why(name):
    params, y, reason = REFUSED[name]
    params = {"epochs": 1, "early_stopping": False, **params}
    if params.get("model"):
        params = {key: value for key, value in params.items() if key != "model__members"}
        fitted = BalancedKerasClassifier(**params).fit(X, y)
    else:
        fitted = classifier(**params).fit(X, y)
    assert reason in fitted.oof_unavailable_reason_
    assert_unavailable(fitted, reason)


def test_one_member_stops_early_by_a_validation_split():
    fitted = classifier(model__members=1, early_stopping=True, epochs=1).fit(X, Y)
    assert "val_average_precision" in fitted.history_


def test_unfitted_there_are_none():
    for fresh in (classifier(), classifier().initialize(X, Y)):
        assert_unavailable(fresh, "it is not fitted")


def test_going_on_forgets_them():
    fitted = classifier(epochs=1, warm_start=True).fit(X, Y)
    assert fitted.oof_proba_.shape == (N, 2)
    for again in (lambda: fitted.fit(X, Y), lambda: fitted.partial_fit(X, Y)):
        again()
        assert_unavailable(fitted, "go on with members that have seen other rows")
    assert classifier(epochs=1).partial_fit(X, Y).oof_unavailable_reason_ != ""


def test_a_new_start_forgets_them():
    fitted = classifier(epochs=1).fit(X, Y)
    fitted.initialize(X, Y)
    assert_unavailable(fitted, "it is not fitted")


def test_a_refused_fit_keeps_them():
    fitted = classifier(epochs=1).fit(X, Y)
    before = fitted.oof_proba_
    with pytest.raises(ValueError, match="inconsistent"):
        fitted.fit(X, Y[:-1])
    np.testing.assert_array_equal(fitted.oof_proba_, before)


# Rows that are left out ---------------------------------------------------------------------------


def test_rows_of_weight_zero_have_none():
    weight = np.where(np.arange(N) % 5 == 0, 0.0, 2.0)
    fitted = classifier(epochs=1).fit(X, Y, weight)
    missing = np.isnan(fitted.oof_proba_)
    np.testing.assert_array_equal(missing, np.repeat((weight == 0)[:, None], 2, axis=1))
    np.testing.assert_array_equal(fitted.oof_folds_ == -1, weight == 0)
    np.testing.assert_array_equal(np.isnan(fitted.oof_decision_function_), weight == 0)


HELD_OUT = np.arange(N) % 3 == 0


@pytest.mark.parametrize("stops", [True, False])
def test_rows_that_are_held_out_have_none_and_validation_decides(stops):
    split = PredefinedSplit(np.where(HELD_OUT, 0, -1))
    fitted = classifier(
        validation_split=split,
        early_stopping=stops,
        epochs=5,
        n_iter_no_change=1,
        optimizer__learning_rate=0.3,
    ).fit(X, Y)
    np.testing.assert_array_equal(np.isnan(fitted.oof_decision_function_), HELD_OUT)
    assert "val_average_precision" in fitted.history_
    assert not hasattr(fitted, "member_epochs_")
    if stops:
        assert fitted.best_iteration_ < fitted.n_iter_  # or the next line says nothing
    known = fitted.oof_decision_function_[~HELD_OUT]
    np.testing.assert_allclose(known, blind_answers(fitted)[:, 0], atol=1e-4)


def test_validation_data_leave_all_rows_their_scores():
    fitted = classifier(epochs=1).fit(X, Y, validation_data=(X[:30], Y[:30]))
    assert np.isfinite(fitted.oof_proba_).all()
    assert "val_loss" in fitted.history_


def test_scores_are_those_of_what_callbacks_have_left():
    back = keras.callbacks.EarlyStopping("loss", mode="max", patience=2, restore_best_weights=True)
    fitted = classifier(early_stopping=False, epochs=4, callbacks=back).fit(X, Y)
    np.testing.assert_allclose(
        fitted.oof_decision_function_, blind_answers(fitted)[:, 0], atol=1e-4
    )


# Groups -------------------------------------------------------------------------------------------


def test_groups_stay_in_one_fold():
    groups = RNG.integers(0, 12, N)
    fitted = classifier(epochs=1).fit(X, Y, groups=groups)
    for group in np.unique(groups):
        assert len(np.unique(fitted.oof_folds_[groups == group])) == 1
    weight = (np.arange(N) % 2).astype(float)
    fitted = classifier(epochs=1).fit(X, Y, weight, groups=[f"g{group}" for group in groups])
    assert np.isfinite(fitted.oof_proba_[1::2]).all()
    for group in np.unique(groups):
        assert len(np.unique(fitted.oof_folds_[(groups == group) & (weight > 0)])) <= 1


@pytest.mark.parametrize(
    ("groups", "y", "reason"),
    [
        (np.arange(N) % 2, Y, "2 groups for 3 members"),
        (np.where(Y == 1, 0, 1 + np.arange(N) % 9), Y, "all rows of a class in one part"),
        (np.arange(N), YL, "groups cannot be kept together for a target of several labels"),
    ],
)
def test_groups_that_leave_no_honest_folds_leave_no_scores(groups, y, reason):
    fitted = classifier(epochs=1, early_stopping=False).fit(X, y, groups=groups)
    assert_unavailable(fitted, reason)


def test_groups_of_another_length_are_refused():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        classifier(epochs=1).fit(X, Y, groups=np.arange(N + 1))


# Samplers, loops, priors, copies ------------------------------------------------------------------


@pytest.mark.parametrize("sampler", ["over", "under", "balanced"])
def test_redrawn_rows_stay_unseen(sampler):
    params = {**CLIPPED, "sampler": sampler, "epochs": 2}
    one = classifier(**params).fit(X, Y)
    assert np.isfinite(one.oof_proba_).all()
    assert_same_part(one, classifier(**params).fit(shuffled_within(one, 1), Y), 1)


def test_keras_loop_stops_and_scores_too():
    params = {"epochs": 9, "n_iter_no_change": 1, "optimizer__learning_rate": 1e-9, **EAGER}
    fitted = classifier(early_stopping=True, **params).fit(X, Y)
    assert fitted.engine_ == "keras"
    assert fitted.n_iter_ == 2
    assert len(fitted.history_["oof_average_precision"]) == 2
    np.testing.assert_allclose(
        fitted.oof_decision_function_, blind_answers(fitted)[:, 0], atol=1e-4
    )


@pytest.mark.parametrize("correct_prior", [True, "balanced", 0.3])
def test_the_prior_may_be_corrected_after_fit(fitted, correct_prior):
    fitted = pickle.loads(pickle.dumps(fitted)).set_params(correct_prior=False)
    plain = fitted.oof_decision_function_
    before = fitted.decision_function(X)
    fitted.set_params(correct_prior=correct_prior)
    shift = np.unique((fitted.decision_function(X) - before).round(4))
    assert len(shift) == 1
    np.testing.assert_allclose(fitted.oof_decision_function_ - plain, shift[0], atol=1e-3)
    np.testing.assert_allclose(
        fitted.oof_proba_[:, 1], expit(fitted.oof_decision_function_), atol=1e-6
    )


def test_the_same_random_state_gives_the_same_bits(fitted):
    again = classifier(early_stopping=True).fit(X, Y)
    assert_same_network(fitted, again)
    for name in ("oof_proba_", "oof_folds_", "member_epochs_"):
        np.testing.assert_array_equal(getattr(fitted, name), getattr(again, name))
    other = classifier(early_stopping=True, random_state=1).fit(X, Y)
    assert (other.oof_folds_ != fitted.oof_folds_).any()


def test_pickles_hold_them_and_clones_do_not(fitted):
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.oof_proba_, fitted.oof_proba_)
    np.testing.assert_array_equal(again.oof_folds_, fitted.oof_folds_)
    assert_unavailable(clone(fitted), "it is not fitted")


def test_files_do_not_hold_them_and_say_so(fitted, tmp_path):
    fitted.save(tmp_path / "rare.bkc")
    again = BalancedKerasClassifier.load(tmp_path / "rare.bkc")
    np.testing.assert_array_equal(weights_of(again), weights_of(fitted))
    with pytest.raises(AttributeError, match="its file holds none"):
        again.oof_proba_  # noqa: B018


# Thresholds ---------------------------------------------------------------------------------------


@pytest.fixture
def counted(monkeypatch):
    calls, fit = [], BalancedKerasClassifier._fit_network

    def counting(self, *args, **kwargs):
        calls.append(self)
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(BalancedKerasClassifier, "_fit_network", counting)
    return calls


def test_a_threshold_is_tuned_on_them_with_one_fit(fitted, counted):
    tuned = ThresholdOptimizerCV(
        classifier(early_stopping=True), scoring="balanced_accuracy", cv="oof", selection="max"
    ).fit(X, Y)
    assert len(counted) == 1
    np.testing.assert_array_equal(tuned.estimator_.oof_proba_, fitted.oof_proba_)
    scores = fitted.oof_proba_[:, 1]
    found = [balanced_accuracy_score(Y, scores >= t) for t in np.r_[np.unique(scores), 2]]
    assert tuned.best_score_ == pytest.approx(max(found))
    by_it = balanced_accuracy_score(Y, scores >= tuned.best_threshold_)
    assert by_it == pytest.approx(max(found))


@pytest.mark.parametrize("kind", ["multiclass", "multilabel"])
def test_rules_for_several_classes_and_labels_are_tuned_with_one_fit(kind, counted):
    tuned = ThresholdOptimizerCV(classifier(early_stopping=True), scoring="f1_macro", cv="oof")
    tuned.fit(X, TARGETS[kind])
    assert len(counted) == 1
    assert tuned.predict(X).shape == TARGETS[kind].shape


def test_a_classifier_without_them_is_refused_with_its_reason():
    tuned = ThresholdOptimizerCV(classifier(model__members=1, epochs=1), cv="oof")
    with pytest.raises(ValueError, match="model__members=1 leaves no member"):
        tuned.fit(X, Y)


# What goes on, and what couples members -----------------------------------------------------------


@pytest.mark.parametrize("go_on", ["fit", "partial_fit"])
def test_what_goes_on_after_the_rate_has_fallen_to_zero_learns(go_on):
    fitted = classifier(warm_start=True, class_weight=None).fit(X, Y)
    before = weights_of(fitted)
    getattr(fitted, go_on)(X, 1 - Y)
    pairs = zip(before, weights_of(fitted), strict=True)
    assert max(np.abs(old - new).max() for old, new in pairs) > 1e-3


def test_a_stream_of_parts_learns_after_the_first_part_is_long_past():
    fitted = classifier(epochs=None)
    for _ in range(3):
        fitted.partial_fit(X[:40], Y[:40], classes=[0, 1])
    assert float(fitted.model_.optimizer.iterations) > 2
    before = weights_of(fitted)
    fitted.partial_fit(X, Y)
    assert any((old != new).any() for old, new in zip(before, weights_of(fitted), strict=True))


def test_equal_scores_are_no_gain_but_the_later_weights_are_kept():
    sure = (X[:, :1] > 0).astype(np.float32)
    params = {"epochs": 60, "n_iter_no_change": 5, "early_stopping": True, "model__width": 16}
    fitted = classifier(**params).fit(sure, sure[:, 0].astype(int))
    assert fitted.best_validation_score_ == 1
    assert fitted.n_iter_ < 60
    first = 1 + int(np.argmax(np.array(fitted.history_["oof_average_precision"]) == 1))
    assert (fitted.member_epochs_ > first).any()


def test_epochs_before_deferred_weights_are_not_kept():
    params = {"epochs": 10, "early_stopping": True, "n_iter_no_change": 1}
    fitted = classifier(loss="ldam", **params).fit(X, Y)
    assert fitted.member_epochs_.min() > 0.8 * 10


def test_callbacks_may_go_by_the_blind_answers():
    stopping = keras.callbacks.EarlyStopping("oof_average_precision", patience=1)
    fitted = classifier(epochs=30, callbacks=stopping).fit(X, Y)
    assert fitted.n_iter_ < 30
    assert fitted.callbacks_[0].mode == "max"


@pytest.mark.parametrize(
    "params",
    [
        {"optimizer__clipnorm": 1.0},
        {"optimizer": keras.optimizers.Lamb},
        {"optimizer": keras.optimizers.Adam(global_clipnorm=1.0)},
    ],
)
def test_members_that_hear_of_each_other_offer_no_blind_answers(params):
    fitted = classifier(epochs=1, **params).fit(X, Y)
    assert "norms over all members" in fitted.oof_unavailable_reason_


def test_a_score_that_is_never_defined_is_refused():
    with pytest.raises(ValueError, match="not defined on the rows that train"):
        classifier(early_stopping=True, scoring=lambda *_: np.nan).fit(X, Y)
