"""The report's numbers are those of scikit-learn and imbalanced-learn, and of plain formulas."""

import itertools
import pickle
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.metrics import geometric_mean_score, specificity_score
from scipy import sparse
from sklearn import metrics
from sklearn.calibration import calibration_curve

from sk_imbalance_nn.report import imbalance_report

quick = settings(deadline=None, max_examples=7)  # a report is some fifty calls of scikit-learn
NAN = np.nan


def drawn(n=400, seed=0):
    """Labels 0 and 1, calibrated probabilities of 1 with ties, and weights."""
    rng = np.random.default_rng(seed)
    proba = rng.beta(0.5, 4, n).round(2)
    return (rng.random(n) < proba).astype(int), proba, rng.uniform(0.1, 3, n)


def drawn_classes(n=400, seed=0):
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet([6, 2, 1], n)
    return (proba.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1), proba, rng.uniform(0.1, 3, n)


def drawn_labels(n=400, seed=0):
    rng = np.random.default_rng(seed)
    proba = rng.beta(0.5, [4, 2, 9], (n, 3))
    return (rng.random((n, 3)) < proba).astype(int), proba, rng.uniform(0.1, 3, n)


def flat(report):
    """All numbers of a report in one array."""
    lines = [*report.classes, *report.averages, *([report.overall] if report.overall else [])]
    return np.array([number for line in lines for number in line.to_dict().values()])


def of_libraries(y, proba, said, weight):
    """Each metric that a library has a function for."""
    weighed = {"sample_weight": weight}
    return {
        "average_precision": metrics.average_precision_score(y, proba, **weighed),
        "roc_auc": metrics.roc_auc_score(y, proba, **weighed),
        "brier_score": metrics.brier_score_loss(y, proba, **weighed),
        "log_loss": metrics.log_loss(y, proba, **weighed),
        "precision": metrics.precision_score(y, said, zero_division=NAN, **weighed),
        "recall": metrics.recall_score(y, said, **weighed),
        "specificity": metrics.recall_score(y, said, pos_label=0, **weighed),
        "f1": metrics.f1_score(y, said, **weighed),
        "geometric_mean": geometric_mean_score(y, said, **weighed),
        "balanced_accuracy": metrics.balanced_accuracy_score(y, said, **weighed),
        "matthews_corrcoef": metrics.matthews_corrcoef(y, said, **weighed),
    }


@pytest.mark.parametrize("threshold", [None, 0.2])
@pytest.mark.parametrize("weighted", [False, True])
def test_two_classes_have_the_metrics_of_the_libraries(threshold, weighted):
    y, proba, weight = drawn()
    weight = weight if weighted else None
    report = imbalance_report(y, proba, threshold=threshold, sample_weight=weight)
    said = (proba >= (0.5 if threshold is None else threshold)).astype(int)
    for name, expected in of_libraries(y, proba, said, weight).items():
        assert report[name] == pytest.approx(expected), name
        assert type(report[name]) is float
    (tn, fp), (fn, tp) = metrics.confusion_matrix(y, said, sample_weight=weight)
    counts = [report[name] for name in ("hits", "misses", "false_alarms", "alarms", "support")]
    assert counts == pytest.approx([tp, fn, fp, tp + fp, tp + fn])
    total = tn + fp + fn + tp
    assert report["alarms_per_1000"] == pytest.approx(1000 * (tp + fp) / total)
    assert report["prevalence"] == pytest.approx((tp + fn) / total)
    assert report.total == pytest.approx(total)


def test_specificity_is_that_of_imbalanced_learn():
    y, proba, _ = drawn()
    expected = specificity_score(y, (proba >= 0.5).astype(int), average="binary")
    assert imbalance_report(y, proba)["specificity"] == pytest.approx(expected)


def test_several_classes_are_each_against_the_rest():
    y, proba, weight = drawn_classes()
    names = np.array(["often", "rare", "rarer"])
    report = imbalance_report(names[y], proba, sample_weight=weight)
    said = proba.argmax(axis=1)
    for k, name in enumerate(names):
        expected = of_libraries((y == k) * 1, proba[:, k], (said == k) * 1, weight)
        for metric, value in expected.items():
            assert (
                report[metric, name] == report[metric][name] == pytest.approx(value, nan_ok=True)
            ), metric


def test_averages_of_several_classes_are_those_of_scikit_learn():
    y, proba, weight = drawn_classes()
    report, said = imbalance_report(y, proba, sample_weight=weight), proba.argmax(axis=1)
    for kind in ("macro", "weighted"):
        expected = metrics.precision_recall_fscore_support(
            y, said, average=kind, sample_weight=weight, zero_division=NAN
        )
        found = [report[name, kind] for name in ("precision", "recall", "f1")]
        assert found == pytest.approx(expected[:3])
        expected = metrics.roc_auc_score(
            y, proba, average=kind, multi_class="ovr", sample_weight=weight
        )
        assert report["roc_auc", kind] == pytest.approx(expected)
        assert np.isnan(report["support", kind])
    expected = metrics.average_precision_score(y, proba, sample_weight=weight)
    assert report["average_precision", "macro"] == pytest.approx(expected)


def test_all_classes_at_once_have_the_metrics_of_the_libraries():
    y, proba, weight = drawn_classes()
    report, said = imbalance_report(y, proba, sample_weight=weight), proba.argmax(axis=1)
    weighed = {"sample_weight": weight}
    expected = {
        "accuracy": metrics.accuracy_score(y, said, **weighed),
        "balanced_accuracy": metrics.balanced_accuracy_score(y, said, **weighed),
        "geometric_mean": geometric_mean_score(y, said, **weighed),
        "matthews_corrcoef": metrics.matthews_corrcoef(y, said, **weighed),
        "log_loss": metrics.log_loss(y, proba, **weighed),
        "brier_score": np.average(((proba - np.eye(3)[y]) ** 2).sum(axis=1), weights=weight),
    }
    for name, value in expected.items():
        assert report[name, "overall"] == pytest.approx(value), name


def test_thresholds_decide_each_class_for_itself():
    y, proba, _ = drawn_classes()
    cuts = [0.6, 0.1, 0.05]
    report = imbalance_report(y, proba, threshold=cuts)
    for k, cut in enumerate(cuts):
        alone = imbalance_report((y == k) * 1, proba[:, k], threshold=cut)
        np.testing.assert_array_equal(
            list(report.classes[k].to_dict().values()), list(alone.classes[0].to_dict().values())
        )
    assert sum(report["alarms"].values()) != report.total
    assert np.isnan([report["accuracy", "overall"], report["matthews_corrcoef", "overall"]]).all()
    assert report["log_loss", "overall"] > 0


@pytest.mark.parametrize("threshold", [None, 0.3, [0.1, 0.2, 0.3]])
def test_labels_are_each_a_problem_of_two_classes(threshold):
    y, proba, weight = drawn_labels()
    report = imbalance_report(
        y, proba, threshold=threshold, sample_weight=weight, classes=["a", "b", "c"]
    )
    cuts = np.broadcast_to(0.5 if threshold is None else threshold, 3)
    said = (proba >= cuts).astype(int)
    for k, name in enumerate("abc"):
        for metric, value in of_libraries(y[:, k], proba[:, k], said[:, k], weight).items():
            assert report[metric, name] == pytest.approx(value, nan_ok=True), metric
    for kind, metric in itertools.product(["macro", "micro"], ["average_precision", "roc_auc"]):
        function = getattr(metrics, f"{metric}_score")
        expected = function(y, proba, average=kind, sample_weight=weight)
        assert report[metric, kind] == pytest.approx(expected)
    for kind in ("macro", "micro"):
        expected = metrics.f1_score(y, said, average=kind, sample_weight=weight)
        assert report["f1", kind] == pytest.approx(expected)
    assert report["support", "micro"] == pytest.approx(sum(report["support"].values()))


@quick
@given(st.data(), st.sampled_from(["binary", "multiclass", "multilabel"]))
def test_an_integer_weight_equals_so_many_copies(data, kind):
    seed = data.draw(st.integers(0, 1000))
    draw = {"binary": drawn, "multiclass": drawn_classes, "multilabel": drawn_labels}[kind]
    y, proba, _ = draw(data.draw(st.integers(5, 40)), seed)
    copies = np.random.default_rng(seed).integers(0, 4, len(y))
    copies[0] = 1
    known = {"classes": list(range(3 if kind != "binary" else 2))}
    options = {**known, "bin_strategy": data.draw(st.sampled_from(["quantile", "uniform"]))}
    weighted = imbalance_report(y, proba, sample_weight=copies, **options)
    repeated = imbalance_report(y.repeat(copies, 0), proba.repeat(copies, 0), **options)
    np.testing.assert_allclose(flat(weighted), flat(repeated), rtol=1e-9, atol=1e-12)


@quick
@given(st.integers(0, 1000), st.integers(1, 200))
def test_the_order_of_rows_changes_nothing(seed, n):
    y, proba, weight = drawn(n, seed)
    order = np.random.default_rng(seed).permutation(n)
    one = imbalance_report(y, proba, sample_weight=weight)
    other = imbalance_report(y[order], proba[order], sample_weight=weight[order])
    np.testing.assert_allclose(flat(one), flat(other), rtol=1e-9, atol=1e-12)


def lift_over_all_orders(y, proba, room):
    """The mean lift over every order of the rows that the scores allow."""
    orders = [
        order
        for order in itertools.permutations(range(len(y)))
        if all(proba[a] >= proba[b] for a, b in itertools.pairwise(order))
    ]
    return np.mean([y[list(order[:room])].mean() for order in orders]) / y.mean()


@quick
@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.1, 0.2, 0.9])), min_size=1, max_size=6))
def test_lift_is_the_mean_over_ties(rows):
    y, proba = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    y[0] = 1
    expected = lift_over_all_orders(y, proba, 1)
    assert imbalance_report(y, proba)["lift_at_1_percent"] == pytest.approx(expected)


def test_lift_counts_a_tie_at_the_border_in_proportion():
    # Of 250 rows, 3 are looked at: the best 2, of which 1 is positive, and 1 of 4 with 1 positive.
    y = np.array([1, 0, 1, 0, 0, 0] + [0, 1] * 122)
    proba = np.array([0.9] * 2 + [0.8] * 4 + [0.1] * 244)
    expected = (1 + 1 / 4) / 3 / y.mean()
    assert imbalance_report(y, proba)["lift_at_1_percent"] == pytest.approx(expected)


def test_lift_looks_at_the_top_hundredth_rounded_up():
    rng = np.random.default_rng(0)
    for n in (99, 100, 101, 250, 700, 1100):
        y, proba = rng.integers(0, 2, n), rng.permutation(n) / n
        top = np.argsort(-proba)[: -(-n // 100)]
        expected = y[top].mean() / y.mean()
        assert imbalance_report(y, proba)["lift_at_1_percent"] == pytest.approx(expected)


def test_lift_does_not_depend_on_the_unit_of_weights_that_are_no_counts():
    y, proba, weight = drawn()
    found = [
        imbalance_report(y, proba, sample_weight=unit * weight)["lift_at_1_percent"]
        for unit in (1, 1e-3, 700)
    ]
    assert found[1:] == pytest.approx(found[:1] * 2)


@pytest.mark.parametrize("n_bins", [1, 7, 10])
def test_calibration_error_of_equal_width_is_that_of_the_calibration_curve(n_bins):
    y, proba, _ = drawn()
    report = imbalance_report(y, proba, n_bins=n_bins, bin_strategy="uniform")
    true, said = calibration_curve(y, proba, n_bins=n_bins)
    inside = np.searchsorted(np.linspace(0, 1, n_bins + 1)[1:-1], proba)
    sizes = np.unique(inside, return_counts=True)[1]
    assert report["calibration_error"] == pytest.approx(sizes @ abs(true - said) / len(y))


def test_calibration_error_of_equal_mass_takes_as_many_rows_each():
    rng = np.random.default_rng(0)
    proba = np.sort(rng.random(60))
    y = rng.integers(0, 2, 60)
    parts = [(y[at : at + 12] - proba[at : at + 12]).mean() for at in range(0, 60, 12)]
    report = imbalance_report(y, proba, n_bins=5)
    assert report["calibration_error"] == pytest.approx(np.abs(parts).mean())


def test_rows_with_one_probability_share_a_bin():
    y = np.array([1, 0, 0, 0] * 25)
    assert imbalance_report(y, np.full(100, 0.25))["calibration_error"] == pytest.approx(0)
    assert imbalance_report(y, np.full(100, 0.75))["calibration_error"] == pytest.approx(0.5)


def test_a_tie_goes_to_the_bin_of_its_middle():
    # Of ten places, 0.1 holds the first two, 0.2 the next six: their middle is in the second half.
    proba = np.repeat([0.1, 0.2, 0.3], [2, 6, 2])
    y = np.array([1, 0, 0, 0, 0, 0, 0, 0, 1, 0])
    expected = abs((1 - 0.2) / 10) + abs((1 - 1.8) / 10)
    report = imbalance_report(y, proba, n_bins=2)
    assert report["calibration_error"] == pytest.approx(expected)


def test_rows_without_weight_are_no_rows():
    report = imbalance_report([0, 0, 1], [0.1, 0.2, 0.9], sample_weight=[1, 1, 0])
    alone = imbalance_report([0, 0], [0.1, 0.2])
    np.testing.assert_array_equal(flat(report), flat(alone))
    assert np.isnan(report["average_precision"])


def test_chance_is_what_no_knowledge_comes_to():
    rng = np.random.default_rng(0)
    n = 20_000
    y, random = (rng.random(n) < 0.1).astype(int), rng.random(n)
    report = imbalance_report(y, random, threshold=0.7)
    names = [*of_libraries(y, random, y, None), "lift_at_1_percent"]
    for name in set(names) - {"brier_score", "log_loss"}:
        assert report[name] == pytest.approx(
            report.chance(name), abs=0.4 if "lift" in name else 0.015
        )
    constant = imbalance_report(y, np.full(n, y.mean()))
    for name in ("brier_score", "log_loss", "average_precision", "roc_auc", "lift_at_1_percent"):
        assert constant[name] == pytest.approx(constant.chance(name))


def test_chance_of_all_classes_is_what_no_knowledge_comes_to():
    rng = np.random.default_rng(0)
    n = 8_000
    y, proba = rng.choice(3, n, p=[0.6, 0.3, 0.1]), rng.dirichlet([3, 2, 1], n)
    overall = imbalance_report(y, proba).overall
    for name in ("accuracy", "balanced_accuracy", "geometric_mean", "matthews_corrcoef"):
        assert overall.values[name] == pytest.approx(overall.chance[name], abs=0.03)
    prior = np.bincount(y) / n
    overall = imbalance_report(y, np.tile(prior, (n, 1))).overall
    for name in ("log_loss", "brier_score"):
        assert overall.values[name] == pytest.approx(overall.chance[name])


def undefined(report):
    return {name for name, value in report.classes[0].values.items() if np.isnan(value)}


NEEDS_BOTH = {"roc_auc", "geometric_mean", "balanced_accuracy", "matthews_corrcoef"}
NEEDS_POSITIVES = {"average_precision", "lift_at_1_percent", "recall"}


@pytest.mark.parametrize(
    ("y", "proba", "expected"),
    [
        ([0, 0, 0], [0.1, 0.7, 0.2], NEEDS_BOTH | NEEDS_POSITIVES),
        ([0, 0, 0], [0.1, 0.2, 0.2], NEEDS_BOTH | NEEDS_POSITIVES | {"precision", "f1"}),
        ([1, 1, 1], [0.1, 0.7, 0.2], NEEDS_BOTH | {"specificity"}),
        ([1, 1, 1], [0.1, 0.2, 0.2], NEEDS_BOTH | {"specificity", "precision"}),
        ([1, 1, 1], [0.9, 0.9, 0.9], NEEDS_BOTH | {"specificity"}),
        ([0, 0, 1], [0.1, 0.2, 0.2], {"precision"}),
        ([0, 0, 1], [0.9, 0.9, 0.9], set()),
        ([1], [0.5], NEEDS_BOTH | {"specificity"}),
    ],
)
def test_what_is_undefined_is_nan_without_a_warning(y, proba, expected):
    report = imbalance_report(y, proba)
    assert undefined(report) == expected
    assert expected.isdisjoint(
        name for name, level in report.classes[0].chance.items() if not np.isnan(level)
    )
    shown = [line for line in str(report).splitlines() if " - " in f"{line} "]
    assert len(shown) == len(expected)


@pytest.mark.parametrize("kind", [0, 1])
def test_rounding_of_weights_takes_no_share_beyond_one(kind):
    for seed in range(20):
        weight = np.random.default_rng(seed).uniform(0.1, 3, 37)
        alone = np.full(37, kind)
        report = imbalance_report(alone, alone, sample_weight=weight)
        assert report["prevalence"] == kind
        assert report["alarms_per_1000"] == 1000 * kind
        assert report.chance("log_loss") == report.chance("brier_score") == 0
        mixed = imbalance_report(np.arange(37) % 2, alone, sample_weight=weight)
        assert mixed.chance("recall") == kind
        assert mixed.chance("geometric_mean") == 0


def test_f1_and_correlation_without_hits_are_nought():
    report = imbalance_report([0, 0, 1], [0.1, 0.2, 0.3])
    assert report["f1"] == report["matthews_corrcoef"] == report["geometric_mean"] == 0
    assert imbalance_report([0, 0, 0], [0.1, 0.9, 0.3])["precision"] == 0


def test_averages_leave_out_what_is_undefined():
    y, proba, _ = drawn_classes()
    proba = np.column_stack([proba[:, 0], proba[:, 1] + proba[:, 2], np.zeros(len(y))])
    y[y == 2] = 1
    report = imbalance_report(y, proba, classes=[0, 1, 2])
    for metric in ("precision", "recall", "average_precision", "roc_auc"):
        values = report[metric]
        assert np.isnan(values[2])
        assert report[metric, "macro"] == pytest.approx((values[0] + values[1]) / 2)
    of_two = imbalance_report(y, proba[:, :2])
    assert report["geometric_mean", "overall"] == pytest.approx(of_two["geometric_mean"])
    assert report["balanced_accuracy", "overall"] == pytest.approx(of_two["balanced_accuracy"])
    assert "left out of averages" in str(report)


def test_one_class_of_several_leaves_no_correlation():
    report = imbalance_report([1, 1], [[0.2, 0.7, 0.1]] * 2, classes=[0, 1, 2])
    assert np.isnan(report["matthews_corrcoef", "overall"])
    assert report["accuracy", "overall"] == 1


def test_every_way_to_say_which_class_is_positive():
    y, proba, _ = drawn()
    names = np.where(y == 1, "bad", "good")
    expected = flat(imbalance_report(y, proba))
    pair = np.column_stack([1 - proba, proba])
    for report in (
        imbalance_report(names, proba, pos_label="bad"),
        imbalance_report(names, pair, classes=["good", "bad"]),
        imbalance_report(names, pair[:, ::-1], pos_label="bad"),
        imbalance_report(list(names), list(proba), pos_label="bad"),
        imbalance_report(y.astype(bool), pair),
        imbalance_report(2 * y - 1, pair.astype(np.float32).astype(float).round(2)),
        imbalance_report(
            pd.Series(names, dtype="string"), pd.DataFrame(pair[:, ::-1]), pos_label="bad"
        ),
        imbalance_report(y[:, None], proba[:, None]),
    ):
        np.testing.assert_allclose(flat(report), expected, rtol=1e-9, atol=1e-12)
    other = imbalance_report(names, pair[:, ::-1])
    assert other.classes[0].name == "good"
    assert other["support"] == (y == 0).sum()


def test_columns_follow_the_order_of_classes():
    y, proba, _ = drawn_classes()
    names = np.array(["x", "b", "m"])
    report = imbalance_report(names[y], proba, classes=names)
    assert list(report["f1"]) == ["x", "b", "m"]
    in_order = imbalance_report(names[y], proba[:, np.argsort(names)])
    assert report["f1"] == pytest.approx(in_order["f1"])


def test_single_precision_is_no_error():
    y, proba, _ = drawn_classes()
    single = proba.astype(np.float32)
    found = flat(imbalance_report(y, single))
    np.testing.assert_allclose(found, flat(imbalance_report(y, proba)), rtol=1e-3)
    assert imbalance_report([0, 1], [0, np.nextafter(np.float32(1), np.float32(2))])["f1"] == 1


def test_sparse_indicators():
    y, proba, _ = drawn_labels()
    dense = flat(imbalance_report(y, proba))
    np.testing.assert_array_equal(flat(imbalance_report(sparse.csr_array(y), proba)), dense)


def test_nothing_passed_in_is_changed():
    for y, proba, weight in (drawn(), drawn_classes(), drawn_labels()):
        given = [array.copy() for array in (y, proba, weight)]
        imbalance_report(y, proba, sample_weight=weight)
        for before, after in zip(given, (y, proba, weight), strict=True):
            np.testing.assert_array_equal(before, after)


def reports():
    long = ["a", "class with a name that is rather long, " * 4, "line\nbreak"]
    y, proba, weight = drawn()
    yield imbalance_report(y, proba, sample_weight=weight)
    yield imbalance_report(np.array(["n" * 200, "y" * 200])[y], proba, threshold=np.inf)
    yield imbalance_report(y, proba, sample_weight=1e9 * weight)
    yield imbalance_report(y, proba * 1e-7, sample_weight=1e-9 * weight, threshold=1e-8)
    for options in ({}, {"threshold": [0.9, 0.1, 1.0]}, {"sample_weight": 9e9 * np.ones(400)}):
        y, proba, _ = drawn_classes()
        yield imbalance_report(np.array(long)[y], proba, classes=long, **options)
    y, proba, _ = drawn_labels()
    yield imbalance_report(y * [1, 0, 1], proba * 1e-6, classes=long)


def test_the_text_is_no_wider_than_88_columns_and_leaves_nothing_out():
    for report in reports():
        lines = str(report).splitlines()
        assert max(map(len, lines)) <= 88
        assert all(line == line.rstrip() for line in lines)
        for line in report.classes:
            written = str(line.name) if str(line.name).isprintable() else repr(line.name)
            assert "".join(written.split()) in "".join(str(report).split())


def test_columns_of_the_text_are_aligned():
    text = str(imbalance_report(*drawn_classes()[:2])).split("\n\n")
    assert [block.split()[0] for block in text[1:]] == [
        *("Ranking", "Probabilities", "Alarms", "Decisions", "All"),
    ]
    for block in text[1:-1]:
        assert len({len(line) for line in block.splitlines()}) == 1
        assert len(block.splitlines()) == 6
    pair = str(imbalance_report(*drawn()[:2])).splitlines()
    assert (
        len(
            {
                len(line)
                for line in pair
                if line.startswith("  ") and "per 1,000" not in line and "calibration" not in line
            }
        )
        == 1
    )


def test_the_text_shows_the_numbers():
    y, proba, _ = drawn()
    report = imbalance_report(y, proba, threshold=0.2)
    text = str(report)
    for metric, name in (("average_precision", "average precision"), ("f1", "F1")):
        found = next(line for line in text.splitlines() if line.strip().startswith(name))
        assert found.split()[-2:] == [f"{report[metric]:.4f}", f"{report.chance(metric):.4f}"]
    assert f"Alarms: {report['alarms']:.0f}, of which {report['hits']:.0f} hits" in text
    assert "rows of total weight" in str(imbalance_report(y, proba, sample_weight=2 * proba))


def test_dicts_hold_plain_floats_and_chance():
    found = imbalance_report(*drawn()[:2]).to_dict()
    assert {type(value) for value in found.values()} == {float}
    assert found["average_precision_chance"] == found["prevalence"]
    y, proba, _ = drawn_classes()
    report = imbalance_report(np.array(["macro", "b", "overall"])[y], proba)
    found = report.to_dict()
    assert set(found) == {"classes", "averages", "overall"}
    assert set(found["classes"]) == {"macro", "b", "overall"}
    assert report["f1", "macro"] == found["classes"]["macro"]["f1"]
    assert found["averages"]["macro"]["f1"] != report["f1", "macro"]
    assert {type(value) for line in found["averages"].values() for value in line.values()} == {
        float
    }
    assert set(imbalance_report(*drawn_labels()[:2]).to_dict()) == {"classes", "averages"}


def test_frames_hold_the_same_numbers():
    report = imbalance_report(*drawn()[:2])
    frame = report.to_frame()
    assert frame.loc["f1", "value"] == report["f1"]
    assert frame.loc["f1", "chance"] == report.chance("f1")
    report = imbalance_report(*drawn_classes()[:2])
    frame = report.to_frame()
    assert list(frame.index) == [0, 1, 2, "macro", "weighted", "overall"]
    assert frame["recall"][:3].to_dict() == report["recall"]
    assert frame.loc["overall", "accuracy"] == report["accuracy", "overall"]
    assert np.isnan(frame.loc[0, "accuracy"])


def test_without_pandas_the_error_names_to_dict(monkeypatch):
    report = imbalance_report(*drawn()[:2])
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="to_dict"):
        report.to_frame()


def test_reports_are_frozen_and_can_be_pickled():
    report = imbalance_report(*drawn_classes()[:2])
    with pytest.raises(AttributeError):
        report.total = 3
    report["recall"][0] = 7.0
    assert report["recall"][0] <= 1
    again = pickle.loads(pickle.dumps(report))
    assert str(again) == str(report) == repr(report)


def test_unknown_metrics_and_lines_name_what_there_is():
    report = imbalance_report(*drawn_classes()[:2])
    with pytest.raises(KeyError, match="did you mean 'precision'"):
        report["presision"]
    with pytest.raises(KeyError, match="no line 7"):
        report["precision", 7]
    with pytest.raises(KeyError, match="no metric 'accuracy'"):
        report["accuracy", 0]
    with pytest.raises(KeyError, match="no metric 'support'"):
        report.chance("support")


Y, P = [0, 1, 1], [0.2, 0.4, 0.9]
Y3, P3 = ["a", "b", "c"], [[0.2, 0.3, 0.5]] * 3
YL, PL = [[0, 1], [1, 1], [0, 0]], [[0.3, 0.4]] * 3


@pytest.mark.parametrize(
    ("y", "proba", "options", "message"),
    [
        (Y, [0.2, 0.4], {}, "y_true has 3 rows and y_proba 2"),
        (Y, [-2.0, 0.4, 3.1], {}, "holds -2 at .0.*take the sigmoid"),
        (Y, [0.2, NAN, 0.4], {}, "holds NaN, such as at .1."),
        (Y, np.zeros((3, 2, 2)), {}, "column_stack"),
        ([], [], {}, "at least one row"),
        (Y, [[0.2, 0.7]] * 3, {}, "do not sum to one, such as row 0 with 0.9"),
        (Y3, [[0.2, 0.7, 0.5]] * 3, {}, "do not sum to one"),
        (Y3, P, {}, "There are 3 classes.*for two; give it a column"),
        (["a", "b", "b"], P3, {}, "2 classes.*3 columns.*classes=estimator.classes_"),
        (["a", "b", "d"], P3, {"classes": Y3}, "holds .'d'., not among"),
        ([0, 1, 1], P, {"classes": ["no", "yes"]}, "not among the classes"),
        (Y, P, {"classes": [0, 0]}, "distinct"),
        (Y, P, {"pos_label": 2}, "pos_label=2 is not a valid label"),
        (["no"] * 3, P, {}, "one class, 'no'.*classes=.negative, positive."),
        (Y3, P3, {"pos_label": "a"}, "is for two classes"),
        (YL, PL, {"pos_label": 1}, "is for two classes"),
        (YL, P, {}, r"shape \(3, 2\) and y_proba \(3, 1\)"),
        ([[0, 2], [1, 1], [0, 0]], PL, {}, "indicator of zeros and ones"),
        (YL, PL, {"classes": ["a"]}, "names 1 labels, y_true has 2"),
        (["a", None, "b"], P, {}, "several types, or missing"),
        ([0, NAN, 1], P, {}, "y_true holds NaN"),
        (np.zeros((3, 1, 1)), P, {}, "y_true has the shape"),
        (Y, P, {"threshold": 50}, "from 0 to 1"),
        (Y, P, {"threshold": NAN}, "from 0 to 1"),
        (Y, P, {"threshold": [0.5]}, "must be a number"),
        (Y, P, {"threshold": "0.5"}, "must be a number"),
        (Y3, P3, {"threshold": 0.5}, "None for the most probable class, or 3 numbers"),
        (YL, PL, {"threshold": [0.5] * 3}, "one for each of the 2 labels"),
        (Y, P, {"sample_weight": [1, 1]}, "sample_weight has the shape"),
        (Y, P, {"sample_weight": [1, -1, 1]}, "nowhere negative"),
        (Y, P, {"sample_weight": [0, 0, 0]}, "somewhere positive"),
        (Y, P, {"n_bins": 0}, "n_bins"),
        (Y, P, {"n_bins": True}, "n_bins"),
        (Y, P, {"bin_strategy": "kmeans"}, "bin_strategy"),
    ],
)
def test_what_does_not_fit_is_refused(y, proba, options, message):
    with pytest.raises(ValueError, match=message):
        imbalance_report(y, proba, **options)


def test_the_text_of_many_labels_shows_the_hardest():
    rng = np.random.default_rng(0)
    y = (rng.random((300, 50)) < 0.2).astype(int)
    helped = np.arange(50) % 2 == 0
    proba = np.clip(0.5 * y * helped + 0.5 * rng.random((300, 50)), 0, 1)
    report = imbalance_report(y, proba)
    text = str(report)
    assert len(text.splitlines()) < 120
    assert max(map(len, text.splitlines())) <= 88
    block = text.split("Ranking")[1].split("Probabilities")[0].splitlines()[1:21]
    shown = [int(line.split()[0]) for line in block]
    assert shown == sorted(shown)
    assert not any(label % 2 == 0 for label in shown)
    assert len(report.to_frame()) >= 50


def test_a_report_on_the_frequent_class_says_so():
    y, proba = np.repeat(["fraud", "ok"], [2, 8]), np.linspace(0, 1, 10)
    assert "pos_label" in str(imbalance_report(y, proba))
    assert "pos_label" not in str(imbalance_report(y, 1 - proba, pos_label="fraud"))


def test_the_wrong_column_is_noticed():
    rng = np.random.default_rng(0)
    y = rng.random(300) < 0.2
    proba = np.clip(y * 0.5 + rng.random(300) * 0.5, 0, 1)
    hint = "It ranks worse than chance: are these the probabilities of the other class?"
    assert hint in str(imbalance_report(y, 1 - proba))
    assert hint not in str(imbalance_report(y, proba))
    assert hint not in str(imbalance_report([0, 0, 1], [0.9, 0.8, 0.1]))  # too few to tell


def test_answers_in_place_of_probabilities_are_named():
    with pytest.raises(ValueError, match=r"y_proba must hold probabilities .*predict_proba"):
        imbalance_report(["a", "b"], ["a", "b"])
