"""Compute the scores that decision thresholds are compared on, and keep them in a folder.

For each real binary data set, split and model: the probability of the rare class for the training
rows, out of fold (5 stratified folds), and for the test rows, from a fit on all training rows. A
split has at most 3,000 training rows, never more than half of the set, and at most 20,000 test
rows. All models read the same matrices, encoded by what the training rows of the split hold:
numeric columns with the median imputed, categorical columns one-hot (levels of fewer than 5 rows
together), all standardised. The network's probabilities refer to balanced classes.

    python benchmarks/regret_scores.py --data FOLDER --cache CACHE    # 16 sets, 10 splits
    python benchmarks/regret_scores.py --data FOLDER --cache CACHE --sets wilt --models logistic

FOLDER is as in real_data.py. CACHE receives a file for each set, split and model; what it
holds already is not computed again, so that a run may be stopped and taken up later. Runs with
different models may share it at the same time.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache as remembered
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from real_data import load
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sk_imbalance_nn import BalancedKerasClassifier, output_layer

SETS = (
    "bank_marketing_additional",
    "coil2000",
    "credit_default_taiwan",
    "creditcard_subset",
    "htru2_pulsar",
    "lending_club",
    "letter_img_z",
    "online_shoppers",
    "optical_digits8",
    "ozone_onehr",
    "pen_digits5",
    "polish_bankruptcy_1year",
    "seismic_bumps",
    "sick",
    "vehicle_insurance_fraud",
    "wilt",
)
N_SPLITS = 10
N_FOLDS = 5
TRAIN_ROWS, TEST_ROWS = 3_000, 20_000  # at most
LEFT_OUT = {"bank_marketing_additional": ["duration"]}  # known only once the outcome is


def build(meta: dict[str, Any]) -> keras.Model:
    """Build the small network."""
    inputs = keras.Input((meta["n_features_in_"],))
    return keras.Model(inputs, output_layer(meta)(keras.layers.Dense(32, "relu")(inputs)))


def _network(seed: int) -> BalancedKerasClassifier:
    return BalancedKerasClassifier(
        build, epochs=20, batch_size=64, early_stopping=False, random_state=seed
    )


# From the cheapest to the dearest: the order in which they are computed.
MODELS: dict[str, Callable[[int], Any]] = {
    "logistic": lambda seed: LogisticRegression(max_iter=2000),
    "forest": lambda seed: RandomForestClassifier(random_state=seed, n_jobs=1),
    "network": _network,
}


@dataclass(frozen=True)
class Scores:
    """What one model says on one split of one set.

    Parameters
    ----------
    y_train : ndarray of shape (n_train,)
        Labels of the training rows, 1 for the rare class; int8.
    oof : ndarray of shape (n_train,)
        Their probabilities of the rare class, each by the fit that had not seen the row; float64.
    fold : ndarray of shape (n_train,)
        The fold, from 0, that each training row was left out in; int8.
    y_test : ndarray of shape (n_test,)
        Labels of the test rows; int8.
    test : ndarray of shape (n_test,)
        Their probabilities of the rare class, by the fit on all training rows; float64.
    """

    y_train: NDArray[np.int8]
    oof: NDArray[np.float64]
    fold: NDArray[np.int8]
    y_test: NDArray[np.int8]
    test: NDArray[np.float64]


def scores_file(cache: Path, name: str, seed: int, model: str) -> Path:
    """Return where the scores are kept."""
    return cache / f"{name}-{seed}-{model}.npz"


def scores(cache: Path, name: str, seed: int, model: str) -> Scores:
    """Read what a model said on a split of a set.

    Parameters
    ----------
    cache : Path
        The folder that this script has filled.
    name : str
        The set, one of `SETS`.
    seed : int
        The split, from 0 to below `N_SPLITS`.
    model : str
        One of `MODELS`.

    Returns
    -------
    Scores
        Labels and probabilities of the training rows and of the test rows.
    """
    with np.load(scores_file(cache, name, seed, model)) as arrays:
        return Scores(**arrays)


def matrices(
    table: pd.DataFrame, target: np.ndarray, categorical: list[str], seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int8], NDArray[np.int8]]:
    """Split a set; return X_train, X_test, y_train and y_test."""
    n_train = min(TRAIN_ROWS, len(table) // 2)
    train, test, y_train, y_test = train_test_split(
        table,
        target.astype(np.int8),
        train_size=n_train,
        test_size=min(TEST_ROWS, len(table) - n_train),
        stratify=target,
        random_state=seed,
    )
    numeric = [column for column in table if column not in categorical]
    levels = OneHotEncoder(
        min_frequency=5, handle_unknown="infrequent_if_exist", sparse_output=False
    )
    encoder = make_pipeline(
        make_column_transformer((SimpleImputer(strategy="median"), numeric), (levels, categorical)),
        StandardScaler(),
    )
    X_train = np.asarray(encoder.fit_transform(train), dtype=np.float64)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Found unknown categories")
        X_test = np.asarray(encoder.transform(test), dtype=np.float64)
    return X_train, X_test, y_train, y_test


def fitted(model: Any, X: NDArray[np.float64], y: NDArray[np.int8]) -> Any:
    """Fit a model, whether or not it converges."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y)


def compute(
    make: Callable[[], Any],
    X_train: NDArray[np.float64],
    X_test: NDArray[np.float64],
    y_train: NDArray[np.int8],
    y_test: NDArray[np.int8],
) -> Scores:
    """Fit a model on each fold's rest and on all training rows."""
    oof = np.full(len(y_train), np.nan)
    fold = np.full(len(y_train), -1, dtype=np.int8)
    for number, (rest, left_out) in enumerate(StratifiedKFold(N_FOLDS).split(X_train, y_train)):
        model = fitted(make(), X_train[rest], y_train[rest])
        oof[left_out] = model.predict_proba(X_train[left_out])[:, 1]
        fold[left_out] = number
    test = fitted(make(), X_train, y_train).predict_proba(X_test)[:, 1].astype(np.float64)
    return Scores(y_train, oof, fold, y_test, test)


def save(file: Path, found: Scores) -> None:
    """Write the scores so that the file is there whole or not at all."""
    unfinished = file.with_suffix(f".{os.getpid()}.part")
    with unfinished.open("wb") as stream:
        np.savez_compressed(stream, **asdict(found))
    unfinished.replace(file)


@remembered
def loaded(data: Path, name: str) -> tuple[pd.DataFrame, np.ndarray, list[str]]:
    """Read all rows of a set, once, without the columns that give the label away."""
    table, target, categorical = load(data, name, max_rows=sys.maxsize)
    return table.drop(columns=LEFT_OUT.get(name, [])), target, categorical


def fill(
    data: Path, cache: Path, names: Sequence[str], seeds: Sequence[int], models: Sequence[str]
) -> None:
    """Compute what the cache does not hold yet; print a line for each file."""
    cache.mkdir(parents=True, exist_ok=True)
    for model in models:
        for seed in seeds:
            for name in names:
                file = scores_file(cache, name, seed, model)
                if file.exists():
                    continue
                parts = matrices(*loaded(data, name), seed)
                start = time.perf_counter()
                found = compute(lambda model=model, seed=seed: MODELS[model](seed), *parts)
                seconds = (time.perf_counter() - start) / (N_FOLDS + 1)
                save(file, found)
                rows = f"{len(found.oof):5d} + {len(found.test):5d} rows"
                print(f"{model:9s}split {seed}  {name:26s}{rows}{seconds:8.2f} s a fit", flush=True)


def main() -> None:
    """Read the arguments and fill the cache."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with an INDEX.json")
    parser.add_argument("--cache", type=Path, required=True, help="folder for the scores")
    parser.add_argument("--sets", nargs="+", default=SETS, metavar="NAME")
    parser.add_argument(
        "--splits", type=int, default=N_SPLITS, help=f"how many (default {N_SPLITS})"
    )
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    arguments = parser.parse_args()
    fill(
        arguments.data,
        arguments.cache,
        arguments.sets,
        range(arguments.splits),
        arguments.models,
    )


if __name__ == "__main__":
    main()
