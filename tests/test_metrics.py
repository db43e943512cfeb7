"""A metric named by a string means the same whatever the network ends in."""

import inspect

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import expit, softmax
from sklearn import metrics as sk

from sk_imbalance_nn.data.targets import BINARY, MULTICLASS, MULTILABEL
from sk_imbalance_nn.networks.heads import Head
from sk_imbalance_nn.networks.metrics import HeadMetric, MacroScore, metrics_for_head

quick = settings(deadline=None, max_examples=20)
RNG = np.random.default_rng(0)
N = 300

# Binary -------------------------------------------------------------------------------------------

SCORES = RNG.normal(size=N).round(3) + 0.001
Y = (RNG.random(N) < expit(2 * SCORES - 1)).astype(int)
WEIGHTS = RNG.random(N).astype(np.float32)
P = expit(SCORES)
TWO_LOGITS = np.column_stack([np.full(N, 0.7), SCORES + 0.7])
BINARY_HEADS = {
    "one sigmoid": (Head(BINARY, 2, 1, "sigmoid", False, "column"), P[:, None]),
    "one logit": (Head(BINARY, 2, 1, "sigmoid", True, "column"), SCORES[:, None]),
    "two softmax, codes": (Head(BINARY, 2, 2, "softmax", False, "codes"), softmax(TWO_LOGITS, 1)),
    "two softmax, one-hot": (
        Head(BINARY, 2, 2, "softmax", False, "one_hot"),
        softmax(TWO_LOGITS, 1),
    ),
    "two logits": (Head(BINARY, 2, 2, "softmax", True, "codes"), TWO_LOGITS),
    "two logits, one-hot": (Head(BINARY, 2, 2, "softmax", True, "one_hot"), TWO_LOGITS),
}


def figure(metric, head, codes, outputs, weights=None, batch=150):
    """Feed a metric batch by batch, as training does, and return its result."""
    (adapted,) = metrics_for_head([metric], head)
    y = head.encode(codes)
    for start in range(0, len(y), batch):
        rows = slice(start, start + batch)
        adapted.update_state(
            y[rows],
            outputs[rows].astype(np.float32),
            sample_weight=None if weights is None else weights[rows],
        )
    return np.asarray(adapted.result())


def auc(y, scores, **kwargs):
    return sk.roc_auc_score(y, scores, **kwargs)


BINARY_FIGURES = [
    ("accuracy", lambda w: sk.accuracy_score(Y, P > 0.5, sample_weight=w), 1e-5),
    ("acc", lambda w: sk.accuracy_score(Y, P > 0.5, sample_weight=w), 1e-5),
    ("BinaryAccuracy", lambda w: sk.accuracy_score(Y, P > 0.5, sample_weight=w), 1e-5),
    ("Precision", lambda w: sk.precision_score(Y, P > 0.5, sample_weight=w), 1e-5),
    ("Recall", lambda w: sk.recall_score(Y, P > 0.5, sample_weight=w), 1e-5),
    ("f1_score", lambda w: sk.f1_score(Y, P > 0.5, sample_weight=w), 1e-5),
    ("F1Score", lambda w: sk.f1_score(Y, P > 0.5, sample_weight=w), 1e-5),
    ("FBetaScore", lambda w: sk.fbeta_score(Y, P > 0.5, beta=1, sample_weight=w), 1e-5),
    ("AUC", lambda w: auc(Y, P, sample_weight=w), 0.005),
    ("auc", lambda w: auc(Y, P, sample_weight=w), 0.005),
    ("crossentropy", lambda w: sk.log_loss(Y, P, sample_weight=w), 1e-4),
    ("binary_crossentropy", lambda w: sk.log_loss(Y, P, sample_weight=w), 1e-4),
    ("TruePositives", lambda w: np.sum((P > 0.5) * Y * (1 if w is None else w)), 1e-3),
    (
        keras.metrics.AUC(curve="PR", name="pr"),
        lambda w: sk.average_precision_score(Y, P, sample_weight=w),
        0.02,
    ),
    (
        keras.metrics.Precision(thresholds=0.8),
        lambda w: sk.precision_score(Y, P > 0.8, sample_weight=w),
        1e-5,
    ),
]


def named(value):
    return value if isinstance(value, str) else getattr(value, "name", None)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["unweighted", "weighted"])
@pytest.mark.parametrize(("metric", "expected", "tolerance"), BINARY_FIGURES, ids=named)
def test_binary_figures_equal_scikit_learns_on_every_head(metric, expected, tolerance, weights):
    figures = []
    for head, outputs in BINARY_HEADS.values():
        if not isinstance(metric, str):
            metric.reset_state()
        figures.append(figure(metric, head, Y, outputs, weights))
    np.testing.assert_allclose(figures, figures[0], rtol=1e-4)
    assert figures[0].size == 1
    assert float(figures[0].squeeze()) == pytest.approx(expected(weights), abs=tolerance)


# Multiclass ---------------------------------------------------------------------------------------

CODES = RNG.choice(4, N, p=[0.7, 0.2, 0.08, 0.02])
LOGITS = RNG.normal(size=(N, 4)) + 2 * np.eye(4)[CODES]
CHOSEN = LOGITS.argmax(axis=1)
MULTICLASS_HEADS = {
    "softmax, codes": (Head(MULTICLASS, 4, 4, "softmax", False, "codes"), softmax(LOGITS, 1)),
    "softmax, one-hot": (Head(MULTICLASS, 4, 4, "softmax", False, "one_hot"), softmax(LOGITS, 1)),
    "logits": (Head(MULTICLASS, 4, 4, "softmax", True, "codes"), LOGITS),
}
MACRO = {"average": "macro", "zero_division": 0}
MULTICLASS_FIGURES = [
    ("accuracy", lambda w: sk.accuracy_score(CODES, CHOSEN, sample_weight=w), 1e-5),
    ("Precision", lambda w: sk.precision_score(CODES, CHOSEN, sample_weight=w, **MACRO), 1e-5),
    ("recall", lambda w: sk.recall_score(CODES, CHOSEN, sample_weight=w, **MACRO), 1e-5),
    ("f1_score", lambda w: sk.f1_score(CODES, CHOSEN, sample_weight=w, **MACRO), 1e-5),
    (
        "AUC",
        lambda w: np.mean([auc(CODES == k, softmax(LOGITS, 1)[:, k], sample_weight=w)
                           for k in range(4)]),
        0.01,
    ),
    ("crossentropy", lambda w: sk.log_loss(CODES, softmax(LOGITS, 1), sample_weight=w), 1e-4),
]  # fmt: skip


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["unweighted", "weighted"])
@pytest.mark.parametrize(("metric", "expected", "tolerance"), MULTICLASS_FIGURES, ids=named)
def test_multiclass_figures_equal_scikit_learns_macro_averages(
    metric, expected, tolerance, weights
):
    figures = [
        figure(metric, head, CODES, outputs, weights) for head, outputs in MULTICLASS_HEADS.values()
    ]
    np.testing.assert_allclose(figures, figures[0], rtol=1e-4)
    assert float(figures[0]) == pytest.approx(expected(weights), abs=tolerance)


@pytest.mark.parametrize("name", ["sparse_categorical_accuracy", "SparseCategoricalAccuracy"])
def test_sparse_metrics_are_given_the_codes(name):
    head, outputs = MULTICLASS_HEADS["softmax, codes"]
    accuracy = sk.accuracy_score(CODES, CHOSEN)
    assert float(figure(name, head, CODES, outputs)) == pytest.approx(accuracy)


@pytest.mark.parametrize("kind", ["precision", "recall"])
@quick
@given(st.data())
def test_macro_scores_equal_scikit_learns_whichever_classes_are_absent(kind, data):
    classes = st.integers(0, 4)
    met = data.draw(hnp.arrays(np.intp, st.integers(1, 15), elements=classes))
    predicted = data.draw(hnp.arrays(np.intp, len(met), elements=classes))
    metric = MacroScore(kind, 5)
    metric.update_state(np.eye(5, dtype=np.float32)[met], np.eye(5, dtype=np.float32)[predicted])
    score = {"precision": sk.precision_score, "recall": sk.recall_score}[kind]
    expected = score(met, predicted, average="macro", zero_division=0)
    assert float(metric.result()) == pytest.approx(expected, abs=1e-6)


def test_macro_scores_forget_when_they_are_reset():
    metric = MacroScore("recall", 2)
    metric.update_state(np.eye(2)[[0, 1]], np.eye(2)[[0, 1]])
    assert float(metric.result()) == 1
    metric.reset_state()
    assert float(metric.result()) == 0


# Multilabel ---------------------------------------------------------------------------------------

LABEL_LOGITS = RNG.normal(size=(N, 3)) - [0.0, 1.0, 2.0]
LABELS = (RNG.random((N, 3)) < expit(2 * LABEL_LOGITS)).astype(int)
MULTILABEL_HEADS = {
    "sigmoids": (Head(MULTILABEL, 3, 3, "sigmoid", False, "indicator"), expit(LABEL_LOGITS)),
    "logits": (Head(MULTILABEL, 3, 3, "sigmoid", True, "indicator"), LABEL_LOGITS),
}
YES = (LABEL_LOGITS > 0).astype(int)
MULTILABEL_FIGURES = [
    ("accuracy", (LABELS == YES).mean(), 1e-5),
    ("precision", sk.precision_score(LABELS, YES, average="micro"), 1e-5),
    ("Recall", sk.recall_score(LABELS, YES, average="micro"), 1e-5),
    ("f1_score", sk.f1_score(LABELS, YES, average="macro"), 1e-5),
    ("AUC", auc(LABELS, LABEL_LOGITS), 0.01),
    ("crossentropy", sk.log_loss(LABELS.ravel(), expit(LABEL_LOGITS).ravel()), 1e-4),
]


@pytest.mark.parametrize(("metric", "expected", "tolerance"), MULTILABEL_FIGURES, ids=named)
def test_multilabel_figures_equal_scikit_learns(metric, expected, tolerance):
    figures = [figure(metric, head, LABELS, outputs) for head, outputs in MULTILABEL_HEADS.values()]
    np.testing.assert_allclose(figures, figures[0], rtol=1e-4)
    assert float(figures[0]) == pytest.approx(expected, abs=tolerance)


# Names and forms ----------------------------------------------------------------------------------

ONE_SIGMOID = BINARY_HEADS["one sigmoid"][0]


def own_metric(y_true, y_pred):
    return keras.ops.mean(keras.ops.abs(y_true - y_pred), axis=-1)


@pytest.mark.parametrize(
    ("metrics", "names"),
    [
        (None, None),
        ([], None),
        ("accuracy", ["accuracy"]),
        (["acc", "AUC", "f1_score", "Precision"], ["acc", "AUC", "f1_score", "Precision"]),
        (["AUC", "AUC", "AUC"], ["AUC", "AUC_1", "AUC_2"]),
        ([["accuracy"], ("AUC",)], ["accuracy", "AUC"]),
        ({"out": "accuracy"}, ["accuracy"]),
        ({"out": ["accuracy", "AUC"]}, ["accuracy", "AUC"]),
        ([keras.metrics.AUC(name="pr", curve="PR")], ["pr"]),
    ],
)
def test_metrics_keep_the_names_they_were_given(metrics, names):
    adapted = metrics_for_head(metrics, ONE_SIGMOID)
    assert (None if adapted is None else [metric.name for metric in adapted]) == names


def test_metrics_of_the_users_own_are_left_alone():
    mean = keras.metrics.MeanSquaredError()
    assert metrics_for_head([own_metric, mean], ONE_SIGMOID) == [own_metric, mean]


def test_unknown_names_are_refused():
    with pytest.raises(ValueError, match="acuracy"):
        metrics_for_head(["acuracy"], ONE_SIGMOID)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["unweighted", "weighted"])
@pytest.mark.parametrize("name", ["accuracy", "AUC", "f1_score", "Precision", "crossentropy"])
@pytest.mark.parametrize(
    ("head", "codes", "outputs"),
    [
        (*BINARY_HEADS["two logits"][:1], Y, TWO_LOGITS),
        (*MULTICLASS_HEADS["softmax, codes"][:1], CODES, softmax(LOGITS, 1)),
        (*MULTILABEL_HEADS["logits"][:1], LABELS, LABEL_LOGITS),
    ],
    ids=[BINARY, MULTICLASS, MULTILABEL],
)
def test_metrics_survive_their_configuration(head, codes, outputs, name, weights):
    (metric,) = metrics_for_head([name], head)
    again = keras.metrics.deserialize(keras.metrics.serialize(metric))
    assert (type(again), again.name, again.head) == (HeadMetric, name, head)
    for one in (metric, again):
        one.update_state(head.encode(codes), outputs.astype(np.float32), sample_weight=weights)
    np.testing.assert_array_equal(again.result(), metric.result())


@pytest.mark.parametrize(
    ("metric", "direction"),
    [("accuracy", "up"), ("AUC", "up"), ("crossentropy", "down"), (MacroScore("recall", 2), "up")],
)
def test_callbacks_can_tell_which_way_a_metric_improves(metric, direction):
    (adapted,) = metrics_for_head([metric], ONE_SIGMOID)
    assert adapted._direction == direction


def test_macro_score_survives_its_configuration():
    metric = MacroScore("precision", 3, name="mine")
    again = keras.metrics.deserialize(keras.metrics.serialize(metric))
    assert (again.score, again.n_classes, again.name) == ("precision", 3, "mine")


def test_every_keras_metric_that_cuts_probabilities_is_adapted():
    cutting = {"thresholds", "num_thresholds", "threshold"}
    for name, kind in vars(keras.metrics).items():
        parameters = inspect.signature(kind).parameters if inspect.isclass(kind) else {}
        if not cutting & set(parameters) or "num_classes" in parameters or "IoU" in name:
            continue
        needed = [k for k, v in parameters.items() if v.default is v.empty and k != "kwargs"]
        (adapted,) = metrics_for_head([kind(*[0.5] * len(needed))], ONE_SIGMOID)
        assert isinstance(adapted, HeadMetric), name
