"""The real sets that benchmarks read, their samples and splits, and tables made into matrices.

A folder holds the sets as CSV files whose last column is ``target``, and an INDEX.json that names
for each its kind ("binary" or "multiclass") and its categorical columns.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import OneHotEncoder

# Not here: ts_occupancy (windows), and creditcard_trunc114k (nearly creditcard_subset).
BINARY = (
    "adult",
    "bank_marketing_additional",
    "census_income_kdd_100k",
    "coil2000",
    "cover_286k",
    "credit_default_taiwan",
    "creditcard_subset",
    "diabetes_readmission",
    "german_credit",
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
    "telco_churn",
    "vehicle_insurance_fraud",
    "wilt",
)
MULTICLASS = ("ann_thyroid", "kddcup99_multi", "page_blocks_multi", "shuttle_multi")
# The defaults of the default network were first found on these.
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
LEFT_OUT = {"bank_marketing_additional": ["duration"]}  # known only once the outcome is
WITH_REPEATS = ("census_income_kdd_100k",)  # a row and its repeat would be on both sides
FEWEST_OF_A_CLASS = 20
RARE_LEVEL = 5  # training rows below which levels go together
TEST_SHARE = 0.3


def _file_of(data: Path, name: str, kinds: Iterable[str]) -> tuple[Path, dict[str, Any]]:
    """Return the file of a set and what the index says about it."""
    index = json.loads((data / "INDEX.json").read_text())
    known = {file.split(".")[0]: file for file, about in index.items() if about["kind"] in kinds}
    if name not in known:
        raise SystemExit(f"No data set {name!r} in {data}; there are {', '.join(sorted(known))}.")
    return data / known[name], index[known[name]]


def load(data: Path, name: str, max_rows: int) -> tuple[pd.DataFrame, NDArray[Any], list[str]]:
    """Read a binary set whole, with missing categories as a level.

    Parameters
    ----------
    data : Path
        The folder.
    name : str
        The set.
    max_rows : int
        Rows at most, by a stratified sample.

    Returns
    -------
    table : DataFrame
        Features.
    target : ndarray
        Labels, 0 and 1.
    categorical : list of str
        Names of the categorical columns, which are of strings.
    """
    file, about = _file_of(data, name, ["binary"])
    table = pd.read_csv(file)
    if len(table) > max_rows:
        table, _ = train_test_split(
            table, train_size=max_rows, stratify=table["target"], random_state=0
        )
    target = table.pop("target").to_numpy()
    categorical = about["categorical"]
    table[categorical] = table[categorical].astype(object).fillna("missing").astype(str)
    return table, target, categorical


# ------------------------------------------------------------------------------------------
# Samples


def quotas(counts: NDArray[np.intp], rows: int, fewest: int) -> NDArray[np.intp]:
    """Say how many rows of each class a sample has: by their shares, but some of each.

    Parameters
    ----------
    counts : ndarray of shape (n_classes,)
        Rows there are.
    rows : int
        Rows wanted, at most as many as there are.
    fewest : int
        Of a class at least so many, or all; the most frequent class makes up for it.

    Returns
    -------
    ndarray of shape (n_classes,)
        They sum to `rows`.

    Examples
    --------
    >>> quotas(np.array([900, 90, 10, 3]), 100, 5)
    array([83,  9,  5,  3])
    """
    wanted = np.maximum(np.rint(counts * (rows / counts.sum())), np.minimum(counts, fewest))
    wanted = wanted.astype(np.intp)
    wanted[np.argmax(counts)] += rows - wanted.sum()
    return wanted


def sample(target: NDArray[Any], rows: int) -> NDArray[np.intp]:
    """Draw a stratified sample with seed 0, in the order of the rows."""
    if len(target) <= rows:
        return np.arange(len(target))
    classes, counts = np.unique(target, return_counts=True)
    rng = np.random.default_rng(0)
    parts = [
        rng.choice(np.flatnonzero(target == label), size, replace=False)
        for label, size in zip(classes, quotas(counts, rows, FEWEST_OF_A_CLASS), strict=True)
    ]
    return np.sort(np.concatenate(parts))


@dataclass(frozen=True)
class Table:
    """A set as it is: NaN where values miss, categories as strings or as pandas' categories.

    Parameters
    ----------
    name : str
        The set.
    features : DataFrame
        String columns stay what they are; categories that are numbers have the dtype "category".
    target : ndarray
        Labels from 0.
    categorical : list of str
        Names of the categorical columns.
    """

    name: str
    features: pd.DataFrame
    target: NDArray[np.intp]
    categorical: list[str]

    def split(self, seed: int) -> Split:
        """Return a stratified split; each seed gives another."""
        train, test, y_train, y_test = train_test_split(
            self.features,
            self.target,
            test_size=TEST_SHARE,
            stratify=self.target,
            random_state=seed,
        )
        train, test = (part.reset_index(drop=True) for part in (train, test))
        return Split(train, test, y_train, y_test, self.categorical)


def read(data: Path, name: str, most_rows: int) -> Table:
    """Read a set, or a sample of it.

    Parameters
    ----------
    data : Path
        The folder.
    name : str
        The set, binary or multiclass.
    most_rows : int
        Rows at most; of each class at least 20, or all there are.

    Returns
    -------
    Table
        Without columns that give the label away, and without repeats where there are many.
    """
    file, about = _file_of(data, name, ["binary", "multiclass"])
    table = pd.read_csv(file).drop(columns=LEFT_OUT.get(name, []))
    if name in WITH_REPEATS:
        table = table.drop_duplicates(ignore_index=True)
    table = table.iloc[sample(table["target"].to_numpy(), most_rows)].reset_index(drop=True)
    target = table.pop("target").to_numpy().astype(np.intp)
    categorical = [column for column in table if column in about["categorical"]]
    for column in categorical:
        if pd.api.types.is_numeric_dtype(table[column]):
            table[column] = table[column].astype("category")
    return Table(name, table, target, categorical)


# ------------------------------------------------------------------------------------------
# Splits


@dataclass(frozen=True)
class Split:
    """The two parts of a set: as tables, as matrices, and with pandas' categories.

    Parameters
    ----------
    X_train, X_test : DataFrame
        Features as they are.
    y_train, y_test : ndarray
        Labels.
    categorical : list of str
        Names of the categorical columns.
    """

    X_train: pd.DataFrame
    X_test: pd.DataFrame
    y_train: NDArray[np.intp]
    y_test: NDArray[np.intp]
    categorical: list[str]

    @cached_property
    def matrices(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Training and test part as numbers: medians imputed, categories one-hot."""
        levels = OneHotEncoder(
            min_frequency=RARE_LEVEL, handle_unknown="infrequent_if_exist", sparse_output=False
        )
        numeric = [column for column in self.X_train if column not in self.categorical]
        encoder = make_column_transformer(
            (SimpleImputer(strategy="median"), numeric), (levels, self.categorical)
        )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Found unknown categories")
            train = encoder.fit_transform(self._as_strings(self.X_train))
            test = encoder.transform(self._as_strings(self.X_test))
        return np.asarray(train, dtype=np.float64), np.asarray(test, dtype=np.float64)

    @cached_property
    def with_categories(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Both parts with the categories of the training part; others are missing."""
        return self._with_levels(None)

    @cached_property
    def with_few_categories(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The same with at most 255 levels a column, the rarest together."""
        return self._with_levels(255)

    def _as_strings(self, part: pd.DataFrame) -> pd.DataFrame:
        """Make a level of what misses."""
        part = part.copy()
        for column in self.categorical:
            part[column] = part[column].astype(object).where(part[column].notna(), "missing")
            part[column] = part[column].astype(str).astype(object)
        return part

    def _with_levels(self, most: int | None) -> tuple[pd.DataFrame, pd.DataFrame]:
        train, test = self.X_train.copy(), self.X_test.copy()
        for column in self.categorical:
            levels = train[column].astype(object).dropna().astype(str).value_counts().index
            kept = levels if most is None or len(levels) <= most else levels[: most - 1]
            for part in (train, test):
                words = part[column].astype(object).map(str, na_action="ignore")
                pooled = words.isin(levels) & ~words.isin(kept)
                words = words.mask(pooled, "(others)")
                names = sorted(kept) + ["(others)"] * (len(kept) < len(levels))
                part[column] = pd.Categorical(words, categories=names)
        return train, test
