"""The tables of default_network.py: what the default network is worth beside trees and networks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from real_data import BINARY, MULTICLASS
from rivals import FOREST, HGB, LIGHTGBM

WIDTH = 10
LOST = 0.02  # average precision that is worth a line
TREES = (FOREST, LIGHTGBM, HGB)
BEST = "trees-best"
BETTER = "better"  # of the preparations of a tree library, by the mean over a set's splits


def native(label: str) -> str:
    """Return what a tree library is called where it reads tables."""
    return f"{label}-native"


def better(label: str) -> str:
    """Return what the better of its preparations is called."""
    return f"{label}-{BETTER}"


def groups(names: Sequence[str]) -> dict[str, list[str]]:
    """Return the sets of two classes, of more, and all; without those that are empty."""
    found = {
        "two classes": [name for name in names if name in BINARY],
        "more classes": [name for name in names if name in MULTICLASS],
        "all": list(names),
    }
    return {title: group for title, group in found.items() if group}


def two_errors(values: pd.Series) -> float:
    """Return two standard errors of the mean; NaN of a single value."""
    return 2 * float(values.std(ddof=1)) / np.sqrt(len(values)) if len(values) > 1 else np.nan


def with_better(means: pd.DataFrame) -> pd.DataFrame:
    """Add the better preparation of each tree library, and the best of all, set by set."""
    means = means.copy()
    for label in TREES:
        columns = [column for column in (label, native(label)) if column in means]
        if columns:
            means[better(label)] = means[columns].max(axis=1)
    found = [better(label) for label in TREES if better(label) in means]
    if found:
        means[BEST] = means[found].max(axis=1)
    return means


# ------------------------------------------------------------------------------------------
# Lines


def heading(labels: Sequence[str]) -> str:
    """Return two lines that name the columns: who, and in which preparation or state."""
    lines = []
    for place in (0, 2):
        words = [label.replace("@", "-").partition("-")[place] for label in labels]
        lines.append(" " * 28 + "".join(f"{word[: WIDTH - 1]:>{WIDTH}s}" for word in words))
    return "\n".join(line.rstrip() for line in lines)


def line(title: str, values: Sequence[float], digits: int = 4) -> str:
    """Return a line of a table."""
    return f"{title:28s}" + "".join(f"{value:{WIDTH}.{digits}f}" for value in values)


# ------------------------------------------------------------------------------------------
# Tables


def print_means(means: pd.DataFrame) -> None:
    """Print the average precision of each set and contestant, and means over sets."""
    print("Average precision, mean over splits")
    print(heading(means.columns))
    for name, row in means.iterrows():
        print(line(str(name), row))
    for title, names in groups(means.index).items():
        print(line(f"mean, {title} ({len(names)})", means.loc[names].mean()))


def print_errors(frame: pd.DataFrame, labels: Sequence[str]) -> None:
    """Print two standard errors over the splits."""
    print("\nTwo standard errors over splits")
    print(heading(labels))
    errors = frame.pivot_table(index="set", columns="label", values="ap", aggfunc=two_errors)
    if errors.empty:
        print("(one split)")
        return
    for name in frame["set"].unique():
        print(line(name, errors.loc[name, list(labels)]))


def print_ranks(means: pd.DataFrame, us: str) -> None:
    """Print mean ranks of ours and the three tree libraries; 1 is best."""
    for title, rivals in (
        ("trees with the matrix", list(TREES)),
        ("each tree library with its better preparation", [better(label) for label in TREES]),
    ):
        if not set(rivals) <= set(means):
            continue
        ranks = means[[us, *rivals]].rank(axis=1, ascending=False)
        print(f"\nMean rank of four, {title}")
        print(heading([us, *TREES]).splitlines()[0])
        for group, names in groups(means.index).items():
            print(line(f"{group} ({len(names)})", ranks.loc[names].mean(), 2))


def print_pairs(means: pd.DataFrame, us: str) -> None:
    """Print ours less each, with two standard errors over sets, and the sets where ours leads."""
    print(f"\n{us} less ...: mean over sets +- two standard errors, sets where {us} leads")
    print(" " * 20 + "".join(f"{title:>30s}" for title in groups(means.index)))
    for label in means.columns.drop(us):
        parts = []
        for names in groups(means.index).values():
            gain = means.loc[names, us] - means.loc[names, label]
            leads = f"{(gain > 0).sum()} of {len(gain)}"
            parts.append(f"{gain.mean():+.4f} +- {two_errors(gain):.4f} {leads:>9s}")
        print(f"{label:20s}" + "".join(f"{part:>30s}" for part in parts))


def print_losses(means: pd.DataFrame, us: str) -> None:
    """Print the sets where ours loses to the best of the tree libraries."""
    rivals = [better(label) for label in TREES if better(label) in means]
    lost = (means[us] - means[BEST])[lambda gain: gain < -LOST].sort_values()
    print(f"\n{us} loses more than {LOST} to the best of the trees on {len(lost)} of {len(means)}:")
    for name, gain in lost.items():
        who = means.loc[name, rivals].idxmax().removesuffix(f"-{BETTER}")
        print(f"  {name:28s}{gain:+.4f}  ({us} {means.loc[name, us]:.4f}, {who})")


def print_seconds(frame: pd.DataFrame, labels: Sequence[str]) -> None:
    """Print seconds of fits and predictions over all sets and splits, and ratios to HGB's fits."""
    print(
        "\nSeconds over sets and splits; ratios are medians of those to hgb's fit with the matrix, "
        "and of sums"
    )
    titles = ("fit", "max", "CPU", "max", "ratio", "CPU ratio", "of sums", "predict", "max")
    print(" " * 28 + "".join(f"{title:>{WIDTH}s}" for title in titles))
    tables = {
        column: frame.pivot_table(index=["set", "split"], columns="label", values=column)
        for column in ("fit", "fit_cpu", "predict")
    }
    for label in labels:
        fit, cpu, predict = (table[label] for table in tables.values())
        ratios = [np.nan] * 3
        if HGB in labels:
            of_fit, of_cpu = tables["fit"][HGB], tables["fit_cpu"][HGB]
            ratios = [(fit / of_fit).median(), (cpu / of_cpu).median(), cpu.sum() / of_cpu.sum()]
        seconds = [fit.median(), fit.max(), cpu.median(), cpu.max()]
        print(line(label, [*seconds, *ratios, predict.median(), predict.max()], 3))


def print_tables(frame: pd.DataFrame, us: str | None) -> None:
    """Print all tables.

    Parameters
    ----------
    frame : DataFrame
        A row for each set, split and "label" of a contestant, with "ap", "fit", "fit_cpu" and
        "predict"; every contestant has each split of each set.
    us : str or None
        Whom to compare with the others; None leaves the comparisons out.
    """
    labels = list(frame["label"].unique())
    order = list(frame["set"].unique())
    means = frame.pivot_table(index="set", columns="label", values="ap").loc[order, labels]
    means.columns.name = None
    print_means(means)
    print_errors(frame, labels)
    if us is not None:
        full = with_better(means)
        print_ranks(full, us)
        print_pairs(full, us)
        if BEST in full:
            print_losses(full, us)
    print_seconds(frame, labels)
