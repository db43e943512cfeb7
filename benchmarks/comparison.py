"""Print the table of the README: this library beside SciKeras and scikit-learn, as Markdown.

Quality is measured on 16 real sets of two classes, with the same stratified splits for all: at
most 3,000 rows to train on (seven tenths of a smaller set), at most 6,000 others to test on. All
read the same matrices: numeric columns with the median imputed, categorical columns one-hot (levels
of fewer than 5 rows together); where the table says "scaled", a StandardScaler stands before the
network. Figures are means over sets, a set's splits averaged first; "±" is two standard errors over
sets of a paired difference. Parameters are defaults, none is tuned for a set. Networks of a builder
have equally many epochs and rows a step under both wrappers.

Speed is given in ratios of medians, with the range over turns in which the contestants alternate.

    python benchmarks/comparison.py --data FOLDER --cache CACHE
    python benchmarks/comparison.py --data FOLDER --sets wilt sick --splits 1 --most-rows 500
    python benchmarks/comparison.py --data FOLDER --cache CACHE --jobs 0     # print only

FOLDER is as in real_data.py. CACHE receives a small file for each set, split and contestant,
and for each race; what it holds already is not computed again, so that a run may be stopped and
taken up later; a new version of the library needs a new CACHE. Progress goes to stderr.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest import mock

import cross_validation
import keras
import numpy as np
import pandas as pd
import threshold_search
from contestants import ours, scikeras, table
from imbalance_methods import TEST_ROWS, balanced, by_set, encoder_of, save
from numpy.typing import NDArray
from prediction import calls
from real_data import TUNED_ON
from regret_scores import SETS, loaded
from scikeras.wrappers import KerasClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import average_precision_score, f1_score
from sklearn.model_selection import (
    StratifiedKFold,
    TunedThresholdClassifierCV,
    train_test_split,
)
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threshold_regret import interval
from timing import Contestant, Race, Ratio, race

from sk_imbalance_nn import BalancedKerasClassifier, ThresholdOptimizerCV, clear_compile_cache

EPOCHS, BATCH_SIZE = 100, 32  # of the builder's networks: our defaults, given to SciKeras too
PREDICTED_ROWS = 50_000
FIGURES = {"AP": "average precision", "F1": "F1", "BA": "balanced accuracy"}
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


# ------------------------------------------------------------------------------------------
# Who takes part


def build(meta: dict[str, Any]) -> keras.Model:
    """Build the network of TensorFlow's tutorial on imbalanced data."""
    return keras.Sequential(
        [
            keras.Input((meta["n_features_in_"],)),
            keras.layers.Dense(16, activation="relu"),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )


def scaled(network: Any) -> Any:
    """Put a StandardScaler before a network."""
    return make_pipeline(StandardScaler(), network)


def mlp(seed: int) -> Any:
    """Make scikit-learn's network."""
    return scaled(MLPClassifier(random_state=seed))


def by_scikeras(**params: Any) -> Any:
    """Make SciKeras' classifier of the builder's network.

    It gets no ``random_state``, with which it would make TensorFlow deterministic for everybody
    after it: `measured` sets the seeds.
    """
    shared = {"optimizer": "adam", "loss": "binary_crossentropy", "verbose": 0}
    return scaled(KerasClassifier(build, epochs=EPOCHS, batch_size=BATCH_SIZE, **shared, **params))


def by_us(seed: int) -> Any:
    """Make our classifier of the same network."""
    return scaled(
        BalancedKerasClassifier(build, epochs=EPOCHS, batch_size=BATCH_SIZE, random_state=seed)
    )


def forest(seed: int) -> Any:
    """Make a random forest."""
    return RandomForestClassifier(300, random_state=seed, n_jobs=1)


def boosting(seed: int) -> Any:
    """Make boosted trees."""
    return HistGradientBoostingClassifier(random_state=seed)


def tuned(estimator: Any, seed: int) -> Any:
    """Let us choose the threshold."""
    return ThresholdOptimizerCV(estimator, scoring="f1", random_state=seed)


@dataclass(frozen=True)
class Entry:
    """A line of the table.

    Parameters
    ----------
    title : str
        What it says, in Markdown.
    make : callable
        Makes the classifier, given a seed.
    """

    title: str
    make: Callable[[int], Any]


# From what stands first in the table to the yardsticks at its end.
REFERENCE = "mlp"
ENTRIES = {
    "ours-tuned": Entry(
        '`ThresholdOptimizerCV(BalancedKerasClassifier("mlp"), scoring="f1")`',
        lambda seed: tuned(BalancedKerasClassifier("mlp", random_state=seed), seed),
    ),
    "ours": Entry(
        '`BalancedKerasClassifier("mlp")`, the plain network',
        lambda seed: BalancedKerasClassifier("mlp", random_state=seed),
    ),
    REFERENCE: Entry("scikit-learn's `MLPClassifier()`, scaled", mlp),
    "mlp-peer": Entry(
        '`TunedThresholdClassifierCV(..., scoring="f1")` around it',
        lambda seed: TunedThresholdClassifierCV(mlp(seed), scoring="f1", random_state=seed),
    ),
    "mlp-tuned": Entry(
        '`ThresholdOptimizerCV(..., scoring="f1")` around it',
        lambda seed: tuned(mlp(seed), seed),
    ),
    "scikeras": Entry("SciKeras' `KerasClassifier(build)`, scaled", lambda seed: by_scikeras()),
    "scikeras-balanced": Entry(
        'the same with `class_weight="balanced"`',
        lambda seed: by_scikeras(class_weight="balanced"),
    ),
    "ours-build": Entry("`BalancedKerasClassifier(build)`, the same network, scaled", by_us),
    "forest": Entry("yardstick: `RandomForestClassifier(300)`", forest),
    "forest-tuned": Entry(
        "yardstick: `ThresholdOptimizerCV` around it", lambda seed: tuned(forest(seed), seed)
    ),
    "boosting": Entry("yardstick: `HistGradientBoostingClassifier()`", boosting),
    "boosting-tuned": Entry(
        "yardstick: `ThresholdOptimizerCV` around it", lambda seed: tuned(boosting(seed), seed)
    ),
}
PAIRS = (
    ("our network and threshold, less MLP and scikit-learn's threshold", "ours-tuned", "mlp-peer"),
    ("threshold of the same MLP: ours less scikit-learn's", "mlp-tuned", "mlp-peer"),
    ("wrapper of the same network: ours less SciKeras'", "ours-build", "scikeras"),
    ("ours less SciKeras' with balanced weights", "ours-build", "scikeras-balanced"),
    ("our network less the forest", "ours", "forest"),
    ("our network less boosting", "ours", "boosting"),
    ("our network less the forest, both with our threshold", "ours-tuned", "forest-tuned"),
    ("our network less boosting, both with our threshold", "ours-tuned", "boosting-tuned"),
)


# ------------------------------------------------------------------------------------------
# Quality


@dataclass(frozen=True)
class Plan:
    """What to run.

    Parameters
    ----------
    data, cache : Path
        Where the sets are, and where the figures go.
    names : sequence of str
        Sets.
    splits, most_rows : int
        Splits of a set, and training rows at most.
    """

    data: Path
    cache: Path
    names: Sequence[str]
    splits: int
    most_rows: int

    def file(self, name: str, seed: int, key: str) -> Path:
        """Return where the figures of a set, split and contestant are kept."""
        return self.cache / f"{self.most_rows}-rows" / f"{name}-{seed}-{key}.json"


def matrices(plan: Plan, name: str, seed: int) -> tuple[NDArray[Any], ...]:
    """Split a set; return X_train, X_test, y_train and y_test, not scaled."""
    features, target, categorical = loaded(plan.data, name)
    n_train = min(plan.most_rows, round(0.7 * len(features)))
    train, test, y_train, y_test = train_test_split(
        features,
        target.astype(np.intp),
        train_size=n_train,
        test_size=min(TEST_ROWS, len(features) - n_train),
        stratify=target,
        random_state=seed,
    )
    encoder = encoder_of(features, categorical)[:-1]  # the last step is a StandardScaler
    X_train = np.asarray(encoder.fit_transform(train), dtype=np.float64)
    return X_train, np.asarray(encoder.transform(test), dtype=np.float64), y_train, y_test


def measured(model: Any, parts: tuple[NDArray[Any], ...], seed: int) -> dict[str, float]:
    """Fit once, and measure."""
    X_train, X_test, y_train, y_test = parts
    keras.utils.set_random_seed(seed)
    clear_compile_cache()  # each pays for its own tracing
    start = time.perf_counter()
    model.fit(X_train, y_train)
    seconds = time.perf_counter() - start
    predicted = np.asarray(model.predict(X_test)).ravel()
    return {
        "seconds": seconds,
        "AP": float(average_precision_score(y_test, model.predict_proba(X_test)[:, 1])),
        "F1": float(f1_score(y_test, predicted, zero_division=0.0)),
        "BA": balanced(y_test, predicted),
        "zeros": float(not predicted.any()),
    }


def fill_split(plan: Plan, name: str, seed: int) -> str:
    """Compute what the cache does not hold yet of a split; return what to print about it."""
    missing = [key for key in ENTRIES if not plan.file(name, seed, key).exists()]
    if not missing:
        return ""
    start = time.perf_counter()
    # Rows are few: networks end unconverged, thresholds rest on few positives, levels are new.
    warnings.simplefilter("ignore")
    parts = matrices(plan, name, seed)
    for key in missing:
        save(plan.file(name, seed, key), measured(ENTRIES[key].make(seed), parts, seed))
    return (
        f"split {seed}  {name:26s}{len(parts[2]):5d} rows to train, {parts[2].sum():4d} positive; "
        f"{len(parts[3]):5d} and {parts[3].sum():4d} to test; "
        f"{time.perf_counter() - start:6.1f} s for {len(missing)} contestants"
    )


def fill(plan: Plan, jobs: int) -> None:
    """Compute what the cache does not hold yet, in several processes; tell stderr of each split."""
    plan.file("", 0, "").parent.mkdir(parents=True, exist_ok=True)
    # A process is a thread: on few shared cores, more of them only wait for each other.
    with mock.patch.dict(os.environ, ONE_THREAD):
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
            runs = [
                pool.submit(fill_split, plan, name, seed)
                for seed in range(plan.splits)
                for name in plan.names
            ]
            for number, run in enumerate(as_completed(runs), start=1):
                if run.result():
                    print(f"{number:3d}/{len(runs)} {run.result()}", file=sys.stderr, flush=True)


def figures(plan: Plan) -> pd.DataFrame:
    """Read the figures: a row for each set, split and contestant, where all have run."""
    rows = []
    for name in plan.names:
        for seed in range(plan.splits):
            files = {key: plan.file(name, seed, key) for key in ENTRIES}
            if all(file.exists() for file in files.values()):
                rows += [
                    {"set": name, "split": seed, "method": key, **json.loads(file.read_text())}
                    for key, file in files.items()
                ]
    return pd.DataFrame(rows)


# ------------------------------------------------------------------------------------------
# Speed


def cross_validations(rows: int, batch_size: int, epochs: int, turns: int) -> dict[str, Ratio]:
    """Race SciKeras and ours through five folds."""
    cross_validation.run(*cross_validation.QUICK[0], repeats=1)  # wakes everybody up
    outcome = cross_validation.run(rows, batch_size, epochs, turns)
    what = f"5-fold `cross_val_score`, {rows:,} rows, batch {batch_size}, {epochs} epochs"
    return {
        f"SciKeras: {what}; our first call": outcome.ratio("SciKeras", cross_validation.TRACED),
        f"SciKeras: {what}; our next": outcome.ratio("SciKeras", cross_validation.CACHED),
    }


def predictions(turns: int) -> dict[str, Ratio]:
    """Race SciKeras and ours through predictions."""
    X, y = table(PREDICTED_ROWS)
    small, large = (scikeras(epochs=1, batch_size=size).fit(X, y) for size in (32, 2048))
    fitted = ours(epochs=1, batch_size=2048).fit(X, y)

    def run(rows: int, times: int) -> Race:
        part = X[:rows]
        contestants = [
            Contestant("small", calls(small.predict_proba, times, part)),
            Contestant("large", calls(large.predict_proba, times, part)),
            Contestant("ours", calls(fitted.predict_proba, times, part)),
        ]
        return race(contestants, turns)

    one, many = run(1, 20), run(len(X), 1)
    what = f"SciKeras: `predict_proba`, {len(X):,} rows"
    return {
        "SciKeras: `predict_proba`, 1 row": one.ratio("small", "ours"),
        f"{what} (SciKeras in batches of 32, as by default)": many.ratio("small", "ours"),
        f"{what} (SciKeras in batches of 2,048)": many.ratio("large", "ours"),
    }


def fits(turns: int) -> dict[str, Ratio]:
    """Race MLPClassifier and ours through a fit of one network, which has no dropout."""
    rows, batch_size, epochs = 10_000, 200, 20
    X, y = table(rows)
    shared: dict[str, Any] = {"batch_size": batch_size}
    peer = MLPClassifier((16,), max_iter=epochs, n_iter_no_change=10**6, tol=0, **shared)
    network = ours(epochs=epochs, dropout=0.0, **shared)
    outcome = race(
        [
            Contestant("MLP", lambda: peer.fit(X, y)),
            Contestant("first", lambda: network.fit(X, y), prepare=clear_compile_cache),
            Contestant("next", lambda: network.fit(X, y)),
        ],
        turns,
    )
    what = f"`fit`, 16 units, {rows:,} rows, batch {batch_size}, {epochs} epochs"
    return {
        f"`MLPClassifier`: {what}, our first": outcome.ratio("MLP", "first"),
        f"`MLPClassifier`: {what}, our next": outcome.ratio("MLP", "next"),
    }


def searches(turns: int) -> dict[str, Ratio]:
    """Race scikit-learn's search for a threshold and ours."""
    X, y = threshold_search.binary_rows(threshold_search.ROWS)
    shared: dict[str, Any] = {"scoring": "f1", "cv": list(StratifiedKFold(5).split(X, y))}
    readout = threshold_search.Readout()
    peer = TunedThresholdClassifierCV(readout, **shared)
    us = ThresholdOptimizerCV(readout, random_state=0, **shared)
    outcome = race(
        [
            Contestant("peer", lambda: threshold_search.fitted_by_peer(peer, X, y)),
            Contestant("ours", lambda: threshold_search.fitted_by_us(us, X, y)),
        ],
        turns,
        warm_up=False,
    )
    name = "`TunedThresholdClassifierCV`"
    return {
        f"{name}: search of {len(X):,} rows for the best F1": threshold_search.searches(
            outcome
        ).ratio("peer", "ours"),
        f"{name}: the whole `fit`, of a classifier that costs nothing": outcome.ratio(
            "peer", "ours"
        ),
    }


RACES: dict[str, Callable[[int], dict[str, Ratio]]] = {
    "folds-small": lambda turns: cross_validations(1_000, 32, 20, turns),
    "folds-large": lambda turns: cross_validations(10_000, 256, 20, turns),
    "predictions": lambda turns: predictions(3 * turns),
    "searches": searches,
    "fits": lambda turns: fits(3 * turns),
}


def ratios(cache: Path, turns: int, *, run: bool) -> dict[str, Ratio]:
    """Read the ratios; run the races that have not been run, if told to."""
    found: dict[str, Ratio] = {}
    for name, run_race in RACES.items():
        file = cache / f"{turns}-turns" / f"{name}.json"
        if run and not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            start = time.perf_counter()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                outcome = run_race(turns)
            save(file, {label: asdict(ratio) for label, ratio in outcome.items()})
            seconds = time.perf_counter() - start
            print(f"{name}: {seconds:.0f} s", file=sys.stderr, flush=True)
        if file.exists():
            kept = json.loads(file.read_text())
            found |= {label: Ratio(**ratio) for label, ratio in kept.items()}
    return found


# ------------------------------------------------------------------------------------------
# Printing


def row(cells: Sequence[str]) -> str:
    """Write a line of a Markdown table."""
    return "| " + " | ".join(cells) + " |"


def head(titles: Sequence[str]) -> str:
    """Write the first two lines of a Markdown table."""
    return row(titles) + "\n|" + "---|" * len(titles)


def gain_of(difference: pd.Series) -> str:
    """Write a mean difference in hundredths, with two standard errors over sets."""
    mean, error = interval(difference.to_numpy())
    return f"{100 * mean:+.1f} ± {200 * error:.1f}"


def print_quality(frame: pd.DataFrame) -> None:
    """Print a line for each contestant."""
    values = {figure: by_set(frame, figure) for figure in FIGURES}
    n_splits = frame.groupby(["set", "split"]).ngroups
    seconds = frame.pivot_table(index=["set", "split"], columns="method", values="seconds")
    zeros = frame.groupby("method")["zeros"].sum()
    print(head(["", *FIGURES.values(), f"only zeros, of {n_splits}", "time to fit"]))
    for key, entry in ENTRIES.items():
        cells = [entry.title]
        for means in values.values():
            gain = "" if key == REFERENCE else f" ({gain_of(means[key] - means[REFERENCE])})"
            cells.append(f"{100 * means[key].mean():.1f}{gain}")
        times = (seconds[key] / seconds[REFERENCE]).median()
        print(row([*cells, f"{zeros[key]:.0f}", f"{times:.1f}"]))


def print_pairs(frame: pd.DataFrame) -> None:
    """Print differences between contestants that share something."""
    values = {figure: by_set(frame, figure) for figure in FIGURES}
    print(head(["difference (sets on which it is above 0)", *FIGURES.values()]))
    for title, first, second in PAIRS:
        gains = [means[first] - means[second] for means in values.values()]
        print(row([title, *(f"{gain_of(gain)} ({(gain > 0).sum()})" for gain in gains)]))


def print_method(plan: Plan, frame: pd.DataFrame) -> None:
    """Print how quality was measured."""
    splits = frame.groupby("set")["split"].nunique()
    each = " to ".join(str(number) for number in sorted({splits.min(), splits.max()}))
    means = by_set(frame, "AP")
    gain = means["ours"] - means[REFERENCE]
    fresh = gain[~gain.index.isin(TUNED_ON)]
    print(
        "Hundredths; in brackets the paired difference to `MLPClassifier()`, ± two standard errors "
        f"over sets. {len(splits)} real sets, {each} stratified splits each, at most "
        f"{plan.most_rows:,} rows to train on; defaults, nothing tuned for a set. F1 and balanced "
        "accuracy are those of `predict`; a threshold tuned for F1 gives some balanced accuracy "
        "away. Only zeros: splits in which `predict` finds no positive. Time to fit: median ratio "
        "to `MLPClassifier()` in the same split, one thread, tracing included; tuned thresholds "
        "take 6 fits. `build`: Dense(16, relu), Dropout(0.5), Dense(1, sigmoid), as in "
        f"TensorFlow's tutorial on imbalanced data; Adam, {EPOCHS} epochs, batch {BATCH_SIZE}, "
        "under both wrappers; ours weights the classes, starts at the prior, and stops early where "
        "positives suffice for that. Trees are no networks: they say what else one could use. Our "
        f"network's defaults were found on {len(gain) - len(fresh)} of these sets; on the other "
        f"{len(fresh)} its average precision differs from `MLPClassifier()`'s by {gain_of(fresh)}. "
        "Our rule for thresholds was chosen on the same sets as well."
    )


def print_speed(found: dict[str, Ratio]) -> None:
    """Print ratios."""
    print(
        head(["who takes how many times as long as this library, and for what", "median (range)"])
    )
    for label, ratio in found.items():
        low, value, high = (
            f"{number:.2g}" if number < 10 else f"{number:.0f}"
            for number in (ratio.low, ratio.value, ratio.high)
        )
        print(row([label, f"{value} ({low} to {high})"]))


def print_versions(turns: int) -> None:
    """Print how speed was measured, and by which versions."""
    names = ("scikit-learn", "scikeras", "keras", "tensorflow")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    print(
        f"Ratios of medians, range over {turns} turns ({3 * turns} for predictions and fits) in "
        f"one run on a shared machine with {os.cpu_count()} cores. Both wrappers train the same "
        "network (30 inputs, 16 units, dropout 0.5) for as long, in the same batches, without "
        "class weights and early stopping; `MLPClassifier` and ours without dropout. The first "
        f"call traces the network, the next find it traced. {versions}."
    )


def main() -> None:
    """Read the arguments, fill the cache, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with an INDEX.json")
    parser.add_argument("--cache", type=Path, help="folder for the figures (default: none)")
    parser.add_argument("--sets", nargs="+", default=SETS, metavar="NAME")
    parser.add_argument("--splits", type=int, default=2, help="splits a set (default 2)")
    parser.add_argument("--most-rows", type=int, default=3000, help="training rows (default 3000)")
    parser.add_argument("--turns", type=int, default=5, help="of each race (default 5)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default 2); 0 prints only")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        cache = arguments.cache or Path(temporary)
        plan = Plan(arguments.data, cache, arguments.sets, arguments.splits, arguments.most_rows)
        found = ratios(cache, arguments.turns, run=bool(arguments.jobs))
        if arguments.jobs:
            fill(plan, arguments.jobs)
        frame = figures(plan)
    if len(frame):
        print_quality(frame)
        print()
        print_pairs(frame)
        print()
        print_method(plan, frame)
        print()
    print_speed(found)
    print()
    print_versions(arguments.turns)


if __name__ == "__main__":
    main()
