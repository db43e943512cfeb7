"""Compare the default network's ranking of rare classes with that of scikit-learn's models.

Test average precision on real binary data sets, for MLPClassifier (with its defaults, and with
early stopping), logistic regression and ``BalancedKerasClassifier()``. All read the same
matrices: numeric columns with the median imputed, categorical columns one-hot (levels of fewer
than 5 rows together). scikit-learn's models read them standardised, ours as they are.

    python benchmarks/default_network.py --data FOLDER     # 20 sets, 3 splits, 6,000 rows
    python benchmarks/default_network.py --data FOLDER --sets wilt sick --splits 1

FOLDER holds the sets as CSV files whose last column is ``target``, and an INDEX.json that names
for each its file and its categorical columns.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sk_imbalance_nn import BalancedKerasClassifier

# The defaults were found on the first ten. The others came in later, for comparisons around them
# (which changed the clip to arcsinh and fixed the epochs without early stopping).
TUNED_ON = (
    "coil2000",
    "german_credit",
    "htru2_pulsar",
    "online_shoppers",
    "ozone_onehr",
    "polish_bankruptcy_1year",
    "sick",
    "telco_churn",
    "vehicle_insurance_fraud",
    "wilt",
)
SEEN_LATER = (
    "adult",
    "bank_marketing_additional",
    "cover_286k",
    "credit_default_taiwan",
    "creditcard_subset",
    "lending_club",
    "letter_img_z",
    "optical_digits8",
    "pen_digits5",
    "seismic_bumps",
)
OURS = "ours"


def models(seed: int) -> dict[str, Any]:
    """Make the classifiers to compare, all with the defaults of their libraries."""
    early = MLPClassifier(early_stopping=True, random_state=seed)
    return {
        "MLP": make_pipeline(StandardScaler(), MLPClassifier(random_state=seed)),
        "MLP stop": make_pipeline(StandardScaler(), early),
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
        OURS: BalancedKerasClassifier(random_state=seed),
    }


def load(data: Path, name: str, max_rows: int) -> tuple[pd.DataFrame, np.ndarray, list[str]]:
    """Read a set: its features, its 0/1 target and the names of its categorical columns."""
    index = json.loads((data / "INDEX.json").read_text())
    file = next((file for file in index if file.split(".")[0] == name), None)
    if file is None or index[file]["kind"] != "binary":
        known = sorted(file.split(".")[0] for file in index if index[file]["kind"] == "binary")
        raise SystemExit(f"No binary data set {name!r} in {data}; there are {', '.join(known)}.")
    table = pd.read_csv(data / file)
    if len(table) > max_rows:
        table, _ = train_test_split(
            table, train_size=max_rows, stratify=table["target"], random_state=0
        )
    target = table.pop("target").to_numpy()
    categorical = index[file]["categorical"]
    table[categorical] = table[categorical].astype(object).fillna("missing").astype(str)
    return table, target, categorical


def splits(
    table: pd.DataFrame, target: np.ndarray, categorical: list[str], n_splits: int
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Yield stratified 70/30 parts as matrices: X_train, X_test, y_train, y_test."""
    levels = OneHotEncoder(
        min_frequency=5, handle_unknown="infrequent_if_exist", sparse_output=False
    )
    numeric = [column for column in table if column not in categorical]
    for seed in range(n_splits):
        train, test, y_train, y_test = train_test_split(
            table, target, test_size=0.3, stratify=target, random_state=seed
        )
        encoder = make_column_transformer(
            (SimpleImputer(strategy="median"), numeric), (levels, categorical)
        )
        X_train = np.asarray(encoder.fit_transform(train), dtype=np.float64)
        yield X_train, np.asarray(encoder.transform(test), dtype=np.float64), y_train, y_test


def measure(data: Path, names: list[str], n_splits: int, max_rows: int) -> pd.DataFrame:
    """Fit every model on every split of every set; print each set when it is done."""
    rows = []
    for name in names:
        for seed, split in enumerate(splits(*load(data, name, max_rows), n_splits)):
            X_train, X_test, y_train, y_test = split
            for label, model in models(seed).items():
                start = time.perf_counter()
                model.fit(X_train, y_train)
                seconds = time.perf_counter() - start
                score = average_precision_score(y_test, model.predict_proba(X_test)[:, 1])
                rows.append((name, seed, label, score, seconds))
        frame = pd.DataFrame(rows, columns=["set", "split", "model", "ap", "seconds"])
        print_row(name, frame[frame["set"] == name].groupby("model")["ap"].mean())
    return frame


def print_row(name: str, values: pd.Series) -> None:
    """Print one line of the table, the models in their order."""
    print(f"{name:28s}" + "".join(f"{values[label]:10.3f}" for label in models(0)), flush=True)


def print_summary(frame: pd.DataFrame) -> None:
    """Print means, seconds, and our difference to each model with its standard error over sets."""
    means = frame.pivot_table(index="set", columns="model", values="ap")
    for title, group in (("tuned on", TUNED_ON), ("seen later", SEEN_LATER)):
        part = means[means.index.isin(group)]
        if len(part):
            print_row(f"mean of {len(part)} {title}", part.mean())
    print_row(f"mean of all {len(means)}", means.mean())
    print_row("seconds per fit", frame.groupby("model")["seconds"].mean())
    for label in means.columns.drop(OURS):
        gain = means[OURS] - means[label]
        error = gain.std(ddof=1) / np.sqrt(len(gain)) if len(gain) > 1 else np.nan
        print(
            f"{OURS} - {label}: {gain.mean():+.4f} (s.e. over sets {error:.4f}), "
            f"better on {(gain > 0).sum()} of {len(gain)} sets"
        )


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=int, default=3, help="70/30 splits a set (default 3)")
    parser.add_argument("--sets", nargs="+", default=[*TUNED_ON, *SEEN_LATER], metavar="NAME")
    parser.add_argument("--max-rows", type=int, default=6000, help="stratified cap (default 6000)")
    parser.add_argument("--data", type=Path, required=True, help="folder with an INDEX.json")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    warnings.filterwarnings("ignore", message="Found unknown categories")
    print(" " * 28 + "".join(f"{label:>10s}" for label in models(0)))
    frame = measure(arguments.data, arguments.sets, arguments.splits, arguments.max_rows)
    print_summary(frame)


if __name__ == "__main__":
    main()
