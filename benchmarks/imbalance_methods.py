"""Compare what is done against imbalance with doing nothing: class weights, samplers, losses.

The network (``model="mlp"``, its epochs fixed, no early stopping), its seed and the matrices are
the same for all methods; only what is done about the rare class differs. A split has 60 % of the
rows to train on (at most 3,000), a third as many to tune thresholds and fit calibrators on, and
20 % (at most 6,000) to test on, all stratified. Thresholds are tuned by `ThresholdOptimizerCV`.
Every figure is a difference to plain training in the same split; a set's splits are averaged first,
and the intervals are two standard errors over sets. "plain, other seed" shows what chance does.

    python benchmarks/imbalance_methods.py --data FOLDER --cache CACHE --jobs 2
    python benchmarks/imbalance_methods.py --data FOLDER --cache CACHE --sets wilt --splits 1
    python benchmarks/imbalance_methods.py --data FOLDER --cache CACHE --jobs 0     # print only

FOLDER is as in real_data.py. CACHE receives a small file for each set, split and method;
what it holds already is not computed again, so that a run may be stopped, taken up later, and
printed again; a new version of the library needs a new CACHE. Sets of several classes keep their
rarest classes whole when rows are left out, and go to a table of their own, with averages over
classes.

All parameters are the library's defaults, none is tuned for a set. Methods have equally many
epochs, not steps: those of "over" are longer than those of plain training, those of "under" short.
"""

from __future__ import annotations

import argparse
import json
import os
import textwrap
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import cache as remembered
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from imblearn.over_sampling import SMOTE
from imblearn.under_sampling import RandomUnderSampler
from numpy.typing import NDArray
from regret_scores import SETS, loaded
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.metrics import average_precision_score, balanced_accuracy_score, f1_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sk_imbalance_nn import BalancedKerasClassifier, ThresholdOptimizerCV

MULTICLASS_SETS = ("ann_thyroid", "kddcup99_multi", "page_blocks_multi", "shuttle_multi")
TEST_ROWS = 6_000  # at most
LEAST_OF_A_CLASS = 30  # what a rare class of several keeps, if it has as many
BINS = 10
TINY = 1e-7  # probabilities are float32: log loss knows none nearer to 0 or 1

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Method:
    """What is done about the rare class.

    Parameters
    ----------
    parameters : dict
        Of `BalancedKerasClassifier`, beside those that all methods share.
    tables : str, default="b"
        The tables it is part of: "b" binary, "m" several classes.
    drawn_once : bool, default=False
        Whether the frequent classes are cut down before the fit, once, as a Pipeline of
        imbalanced-learn does.
    other_seed : int, default=0
        What is added to the seed of the network.
    """

    parameters: dict[str, Any] = field(default_factory=dict)
    tables: str = "b"
    drawn_once: bool = False
    other_seed: int = 0

    def fit(
        self, X: Values, y: NDArray[np.intp], seed: int, epochs: int
    ) -> BalancedKerasClassifier:
        """Train the network.

        Parameters
        ----------
        X, y : ndarray
            The training rows.
        seed : int
            Of the network.
        epochs : int
            How long.

        Returns
        -------
        BalancedKerasClassifier
            Fitted.
        """
        if self.drawn_once:
            X, y = RandomUnderSampler(random_state=seed).fit_resample(X, y)
        seed = seed + self.other_seed
        network = BalancedKerasClassifier(
            "mlp", epochs=epochs, early_stopping=False, random_state=seed
        )
        return network.set_params(**self.parameters).fit(X, y)


PLAIN = "plain"
METHODS: dict[str, Method] = {
    PLAIN: Method({"class_weight": None}, "bm"),
    "plain, other seed": Method({"class_weight": None}, "bm", other_seed=1000),
    "no output bias": Method({"class_weight": None, "output_bias": None}),
    "balanced weights": Method({"class_weight": "balanced"}, "bm"),
    "effective weights": Method({"class_weight": "effective"}),
    "over": Method({"sampler": "over"}, "bm"),
    "under": Method({"sampler": "under"}),
    "under, drawn once": Method({}, drawn_once=True),
    "balanced sampler": Method({"sampler": "balanced"}, "bm"),
    "sampler, 0.3 to 1": Method(
        {"sampler": "balanced", "sampler__sampling_strategy": 0.3, "class_weight": None}
    ),
    "SMOTE": Method({"sampler": SMOTE(random_state=0)}),
    "focal": Method({"loss": "focal", "class_weight": None}, "bm"),
    "focal, weights": Method({"loss": "focal", "class_weight": "balanced"}),
    "logit-adjusted": Method({"loss": "logit_adjusted"}, "bm"),
    "balanced softmax": Method({"loss": "balanced_softmax"}, "m"),
    "LDAM": Method({"loss": "ldam"}, "bm"),
    "asymmetric": Method({"loss": "asymmetric"}),
}
CALIBRATED = (PLAIN, "balanced weights")  # by the peer too, for comparison
CALIBRATORS = ("sigmoid", "isotonic")


# ------------------------------------------------------------------------------------------
# Rows


@dataclass(frozen=True)
class Parts:
    """A split: matrices and labels, from 0, of the rows to train, tune and test on.

    Parameters
    ----------
    X_train, X_tune, X_test : ndarray of shape (n, n_features)
        Encoded by what the training rows hold.
    y_train, y_tune, y_test : ndarray of shape (n,)
        Labels.
    """

    X_train: Values
    X_tune: Values
    X_test: Values
    y_train: NDArray[np.intp]
    y_tune: NDArray[np.intp]
    y_test: NDArray[np.intp]


@remembered
def table_of(data: Path, name: str, max_rows: int) -> tuple[pd.DataFrame, NDArray[Any], list[str]]:
    """Read a set; one of several classes is cut down to what a split uses."""
    if name not in MULTICLASS_SETS:
        return loaded(data, name)
    index = json.loads((data / "INDEX.json").read_text())
    file = next(file for file in index if file.split(".")[0] == name)
    table = thinned(pd.read_csv(data / file), max_rows * 5 // 3)
    categorical = index[file]["categorical"]
    target = table.pop("target").to_numpy()
    table[categorical] = table[categorical].astype(object).fillna("missing").astype(str)
    return table, target, categorical


def thinned(table: pd.DataFrame, n_rows: int) -> pd.DataFrame:
    """Leave out rows of classes that have many."""
    if len(table) <= n_rows:
        return table
    share = n_rows / len(table)
    kept = [
        rows.sample(min(len(rows), max(round(len(rows) * share), LEAST_OF_A_CLASS)), random_state=0)
        for _, rows in table.groupby("target")
    ]
    return pd.concat(kept, ignore_index=True)


def parts_of(data: Path, name: str, seed: int, max_rows: int) -> Parts:
    """Split a set and encode it."""
    table, target, categorical = table_of(data, name, max_rows)
    n_train = min(max_rows, round(0.6 * len(table)))
    n_test = min(TEST_ROWS, round(0.2 * len(table)))
    rest, test = train_test_split(
        np.arange(len(table)), test_size=n_test, stratify=target, random_state=seed
    )
    train, tune = train_test_split(
        rest,
        train_size=n_train,
        test_size=n_train // 3,
        stratify=target[rest],
        random_state=seed,
    )
    encoder = encoder_of(table, categorical)
    rows = (train, tune, test)
    encoder.fit(table.iloc[train])
    X = [np.asarray(encoder.transform(table.iloc[part]), dtype=np.float64) for part in rows]
    return Parts(*X, *(target[part].astype(np.intp) for part in rows))


def encoder_of(table: pd.DataFrame, categorical: list[str]) -> Any:
    """Make the matrices: medians imputed, rare levels together, all standardised (for SMOTE)."""
    levels = OneHotEncoder(
        min_frequency=5, handle_unknown="infrequent_if_exist", sparse_output=False
    )
    numeric = [column for column in table if column not in categorical]
    columns = make_column_transformer(
        (SimpleImputer(strategy="median"), numeric), (levels, categorical)
    )
    return make_pipeline(columns, StandardScaler())


# ------------------------------------------------------------------------------------------
# Measures: each is a mean over classes where there are more than two


def of_rare(metric: Callable[[NDArray[np.bool_], Values], float], y: Any, p: Values) -> float:
    """Return a metric of the rare class; of several classes, the mean over those with rows."""
    classes = [1] if p.shape[1] == 2 else np.unique(y)
    return float(np.mean([metric(y == label, p[:, label]) for label in classes]))


def calibration_error(truth: NDArray[np.bool_], p: Values) -> float:
    """Return the expected calibration error, over bins of equally many rows."""
    order = np.argsort(p, kind="stable")
    gaps = [abs(truth[rows].sum() - p[rows].sum()) for rows in np.array_split(order, BINS)]
    return float(np.sum(gaps) / len(p))


def calibration(y: NDArray[np.intp], p: Values) -> dict[str, float]:
    """Return log loss, Brier score (of two classes: of the rare one) and calibration error."""
    p = np.asarray(p, dtype=np.float64)
    of_true = np.clip(p[np.arange(len(y)), y], TINY, 1.0)
    return {
        "log loss": float(-np.log(of_true).mean()),
        "Brier": float(((np.eye(p.shape[1])[y] - p) ** 2).sum(axis=1).mean() / 2),
        "ECE": of_rare(calibration_error, y, p),
    }


def decisions(model: Any, parts: Parts, seed: int) -> dict[str, float]:
    """Return F1 and balanced accuracy as they come, and at thresholds tuned for each."""
    binary = len(model.classes_) == 2

    def f1(y_true: Any, y_pred: Any) -> float:
        # No row of a class found is an F1 of 0, which is nothing to warn of here.
        average = "binary" if binary else "macro"
        return float(f1_score(y_true, y_pred, average=average, zero_division=0.0))

    goals = {"F1": ("f1" if binary else "f1_macro", f1), "BA": ("balanced_accuracy", balanced)}
    found = {}
    for label, (scoring, metric) in goals.items():
        tuned = ThresholdOptimizerCV(
            model, scoring=scoring, cv="prefit", refit=False, random_state=seed
        ).fit(parts.X_tune, parts.y_tune)
        found[label] = metric(parts.y_test, model.predict(parts.X_test))
        found[f"{label} tuned"] = metric(parts.y_test, tuned.predict(parts.X_test))
    return found


def balanced(y_true: Any, y_pred: Any) -> float:
    """Return the mean of the classes' recalls."""
    return float(balanced_accuracy_score(y_true, y_pred))


def corrected(model: BalancedKerasClassifier, parts: Parts) -> Values:
    """Return the probabilities that refer to the prior of the training rows as they were given."""
    # True would do, but for the method that cuts rows down before the fit sees them.
    prior = np.bincount(parts.y_train) / len(parts.y_train)
    try:
        return model.set_params(correct_prior=prior).predict_proba(parts.X_test)
    finally:
        model.set_params(correct_prior=False)


def measured(method: Method, parts: Parts, seed: int, epochs: int) -> dict[str, float]:
    """Fit once, and measure all there is to measure."""
    start = time.perf_counter()
    model = method.fit(parts.X_train, parts.y_train, seed, epochs)
    found = {"seconds": time.perf_counter() - start}
    p = model.predict_proba(parts.X_test)
    found["AP"] = of_rare(average_precision_score, parts.y_test, p)
    found |= decisions(model, parts, seed)
    probabilities = {"raw": p, "prior": corrected(model, parts)}
    if len(model.classes_) == 2:
        for name in CALIBRATORS:
            peer = CalibratedClassifierCV(FrozenEstimator(model), method=name)
            peer.fit(parts.X_tune, parts.y_tune)
            probabilities[name] = peer.predict_proba(parts.X_test)
    for name, p in probabilities.items():
        values = calibration(parts.y_test, p)
        found |= {f"{label} {name}": value for label, value in values.items()}
    return found


# ------------------------------------------------------------------------------------------
# Running


@dataclass(frozen=True)
class Plan:
    """What to run.

    Parameters
    ----------
    data, cache : Path
        Where the sets are, and where the figures go.
    names, methods : sequence of str
        Sets and methods.
    splits : int
        Splits of a set.
    max_rows, epochs : int
        Training rows at most, and epochs.
    """

    data: Path
    cache: Path
    names: Sequence[str]
    methods: Sequence[str]
    splits: int
    max_rows: int
    epochs: int

    def file(self, name: str, seed: int, method: str) -> Path:
        """Return where the figures of a set, split and method are kept."""
        stem = f"{name}-{seed}-{method}".replace(" ", "_")
        return self.cache / f"{self.max_rows}-rows-{self.epochs}-epochs" / f"{stem}.json"

    def methods_for(self, name: str) -> list[str]:
        """Return the methods that a set is meant for."""
        table = "m" if name in MULTICLASS_SETS else "b"
        return [method for method in self.methods if table in METHODS[method].tables]


def save(file: Path, found: Mapping[str, float]) -> None:
    """Write the figures so that the file is there whole or not at all."""
    unfinished = file.with_suffix(f".{os.getpid()}.part")
    unfinished.write_text(json.dumps(found))
    unfinished.replace(file)


def fill_split(plan: Plan, name: str, seed: int) -> str:
    """Compute what the cache does not hold yet of a split; return what to print about it."""
    missing = [m for m in plan.methods_for(name) if not plan.file(name, seed, m).exists()]
    if not missing:
        return ""
    start = time.perf_counter()
    # Rows are few: thresholds rest on few positives, and levels are new in the test rows.
    warnings.simplefilter("ignore")
    parts = parts_of(plan.data, name, seed, plan.max_rows)
    failures = []
    for method in missing:
        try:
            found = measured(METHODS[method], parts, seed, plan.epochs)
        except Exception as error:  # one method that fails must not end a run of half an hour
            failures.append(f"\n    {method} failed: {type(error).__name__}: {error}")
            continue
        save(plan.file(name, seed, method), found)
    rows = f"{len(parts.y_train):5d} +{len(parts.y_tune):5d} +{len(parts.y_test):5d} rows"
    rare = f"{np.bincount(parts.y_train).min():4d} of the rarest class train"
    seconds = f"{time.perf_counter() - start:6.1f} s for {len(missing)} methods"
    return f"split {seed}  {name:26s}{rows}, {rare}, {seconds}" + "".join(failures)


def fill(plan: Plan, jobs: int) -> None:
    """Compute what the cache does not hold yet, in several processes; print a line a split."""
    plan.file("", 0, "").parent.mkdir(parents=True, exist_ok=True)
    # A process is a thread: on few shared cores, more of them only wait for each other.
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ.setdefault(name, "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        runs = [
            pool.submit(fill_split, plan, name, seed)
            for seed in range(plan.splits)
            for name in plan.names
        ]
        for number, run in enumerate(as_completed(runs), start=1):
            if run.result():
                print(f"{number:3d}/{len(runs)} {run.result()}", flush=True)


def figures(plan: Plan, names: Sequence[str]) -> pd.DataFrame:
    """Read the figures of sets: a row for each set, split and method."""
    rows = []
    for name in names:
        for seed in range(plan.splits):
            for method in plan.methods_for(name):
                file = plan.file(name, seed, method)
                if file.exists():
                    found = json.loads(file.read_text())
                    rows.append({"set": name, "split": seed, "method": method, **found})
    return complete(pd.DataFrame(rows))


def complete(frame: pd.DataFrame) -> pd.DataFrame:
    """Keep the splits that have all methods; say how many have not."""
    if frame.empty:
        return frame
    n_methods = frame.groupby(["set", "split"])["method"].transform("size")
    whole = n_methods == frame["method"].nunique()
    lacking = frame[~whole].groupby(["set", "split"]).ngroups
    if lacking:
        print(f"{lacking} splits lack a method and are left out.")
    return frame[whole]


# ------------------------------------------------------------------------------------------
# Printing


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Parameters
    ----------
    title : str
        Its head.
    figure : str
        The key of the figure.
    less_is_better : bool, default=False
        Whether it is a loss.
    decimals : int, default=1
        Of a hundredth.
    """

    title: str
    figure: str
    less_is_better: bool = False
    decimals: int = 1


DECISIONS = (
    Column("AP", "AP"),
    Column("F1 at 0.5", "F1"),
    Column("F1 tuned", "F1 tuned"),
    Column("BA at 0.5", "BA"),
    Column("BA tuned", "BA tuned"),
)
CALIBRATION = (
    Column("log loss raw", "log loss raw", True),
    Column("log loss corr.", "log loss prior", True),
    Column("Brier raw", "Brier raw", True),
    Column("Brier corr.", "Brier prior", True, 2),
    Column("ECE raw", "ECE raw", True),
    Column("ECE corr.", "ECE prior", True, 2),
)
RANKS = ("AP", "F1 tuned")
LEGEND = f"""
Hundredths. First line: plain training itself; others: mean difference to it, two standard errors
over sets, on how many sets better. AP: average precision; BA: balanced accuracy; r.AP, r.F1: mean
ranks in AP and tuned F1. Several classes: means over classes; "at 0.5" is the argmax. corr.: by
correct_prior, on the same fit; sigmoid, isotonic: by CalibratedClassifierCV on the threshold rows.
ECE: expected calibration error, {BINS} bins of equally many rows. With so many comparisons some lie
beyond two standard errors by chance."""


def by_set(frame: pd.DataFrame, figure: str) -> pd.DataFrame:
    """Return the means over splits: a row for each set, a column for each method."""
    return frame.pivot_table(index="set", columns="method", values=figure)


def cell(gain: pd.Series, column: Column) -> str:
    """Write a mean difference in hundredths, two standard errors over sets, and sets better."""
    n = len(gain)
    error = gain.std(ddof=1) / np.sqrt(n) if n > 1 else np.nan
    better = (gain < 0).sum() if column.less_is_better else (gain > 0).sum()
    mean = f"{100 * gain.mean():+.{column.decimals}f}"
    return f"{mean} ±{200 * error:.{column.decimals}f}{better:3d}"


def print_head(title: str, columns: Sequence[Column], n_ranks: int = 0) -> None:
    """Print a title and the heads of the columns."""
    print(f"\n{title}\n{'':19s}", end="")
    print("".join(f"{label:>5s}" for label in ("r.AP", "r.F1")[:n_ranks]), end="")
    print("".join(f"{column.title:>15s}" for column in columns))


def print_row(name: str, ranks: Sequence[float], cells: Sequence[str]) -> None:
    """Print a line."""
    line = f"{name:19s}" + "".join(f"{rank:5.1f}" for rank in ranks)
    print(line + "".join(f"{text:>15s}" for text in cells))


def level(values: pd.DataFrame, column: Column) -> str:
    """Write what plain training comes to, in hundredths; not a difference."""
    return f"{100 * values[PLAIN].mean():.{column.decimals}f}" + " " * 3


def print_decisions(frame: pd.DataFrame, title: str) -> None:
    """Print mean ranks and how decisions differ from those of plain training."""
    print_head(title, DECISIONS, len(RANKS))
    ranks = [by_set(frame, figure).rank(axis=1, ascending=False).mean() for figure in RANKS]
    values = {column: by_set(frame, column.figure) for column in DECISIONS}
    for method in frame["method"].unique():
        cells = [
            level(means, column) if method == PLAIN else cell(means[method] - means[PLAIN], column)
            for column, means in values.items()
        ]
        print_row(method, [rank[method] for rank in ranks], cells)


def print_calibration(frame: pd.DataFrame, title: str) -> None:
    """Print how probabilities differ from those of plain training, raw and corrected."""
    print_head(title, CALIBRATION)
    plain = {column: by_set(frame, column.figure.replace("prior", "raw")) for column in CALIBRATION}
    for method in frame["method"].unique():
        cells = [
            level(plain[column], column)
            if method == PLAIN
            else cell(by_set(frame, column.figure)[method] - plain[column][PLAIN], column)
            for column in CALIBRATION
        ]
        print_row(method, [], cells)
    for method in CALIBRATED:
        if method in set(frame["method"]):
            print_calibrators(frame, method, plain)


def print_calibrators(
    frame: pd.DataFrame, method: str, plain: Mapping[Column, pd.DataFrame]
) -> None:
    """Print what calibrators come to, against plain training and against `correct_prior`."""
    corrected = [column for column in CALIBRATION if column.figure.endswith("prior")]
    for calibrator in CALIBRATORS:
        against_plain, against_corrected = [], []
        for column in corrected:
            peer = by_set(frame, column.figure.replace("prior", calibrator))[method]
            ours = by_set(frame, column.figure)[method]
            against_plain += ["", cell(peer - plain[column][PLAIN], column)]
            against_corrected += ["", cell(peer - ours, column)]
        name = f"{method.split()[0]}, {calibrator}"
        print_row(name, [], against_plain)
        if method != PLAIN:  # whose correction changes nothing
            print_row("  to its own corr.", [], against_corrected)


def print_seconds(frame: pd.DataFrame) -> None:
    """Print how long fits take."""
    seconds = frame.groupby("method")["seconds"].median()
    parts = [f"{method} {seconds[method]:.1f}" for method in frame["method"].unique()]
    print(textwrap.fill("Median seconds a fit: " + "; ".join(parts) + ".", 100))


def print_tables(plan: Plan) -> None:
    """Print what the cache holds."""
    binary = [name for name in plan.names if name not in MULTICLASS_SETS]
    several = [name for name in plan.names if name in MULTICLASS_SETS]
    for kind, names in (("Binary", binary), ("Several classes", several)):
        frame = figures(plan, names)
        if frame.empty or PLAIN not in set(frame["method"]):
            continue
        n_sets = frame["set"].nunique()
        splits = frame.groupby("set")["split"].nunique().mean()
        title = f"{kind}: {n_sets} sets, {splits:.3g} splits each"
        print_decisions(frame, f"{title}. Decisions (better: more)")
        if kind == "Binary":
            print_calibration(frame, f"{title}. Probabilities (better: less)")
        print_seconds(frame)
    print(LEGEND)


def main() -> None:
    """Read the arguments, fill the cache, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with an INDEX.json")
    parser.add_argument("--cache", type=Path, required=True, help="folder for the figures")
    parser.add_argument("--sets", nargs="+", default=[*SETS, *MULTICLASS_SETS], metavar="NAME")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--splits", type=int, default=3, help="splits a set (default 3)")
    parser.add_argument("--max-rows", type=int, default=3000, help="training rows (default 3000)")
    parser.add_argument("--epochs", type=int, default=50, help="default 50")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default 2); 0 prints only")
    arguments = parser.parse_args()
    plan = Plan(
        arguments.data,
        arguments.cache,
        arguments.sets,
        arguments.methods,
        arguments.splits,
        arguments.max_rows,
        arguments.epochs,
    )
    if arguments.jobs:
        fill(plan, arguments.jobs)
    print_tables(plan)


if __name__ == "__main__":
    main()
