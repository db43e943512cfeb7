"""Compare the library's default network with trees and with other networks on real sets.

``BalancedKerasClassifier()`` against a random forest, LightGBM and scikit-learn's boosted trees,
each with a matrix and, where they read tables, with the table itself; and against networks that
read the matrix standardised (see `rivals`). 22 sets of two classes and 4 of more, at most 10,000
rows of each, 5 stratified splits of 70 to 30. Matrices hold numeric columns with the median
imputed and categorical columns one-hot (levels of fewer than 5 training rows together). Measured
are the average precision on the test rows (of more than two classes the mean of each against the
rest, without those that the test rows lack) and seconds, on one thread. With their defaults boosted
trees diverge on three of the sets of more classes: there the best of the three libraries counts.

    python benchmarks/default_network.py --data FOLDER --cache CACHE.jsonl
    python benchmarks/default_network.py --data FOLDER --sets wilt sick --splits 1
    python benchmarks/default_network.py --data FOLDER --cache CACHE.jsonl --contestants ours
        --params '{"model__width": 256}' --tag wide --also 0.1.0     # one command, two lines
    python benchmarks/default_network.py --data FOLDER --cache CACHE.jsonl --print
    python benchmarks/default_network.py --data FOLDER --oof      # see out_of_fold.py
    python benchmarks/default_network.py --noise                  # see out_of_fold.py
    python benchmarks/default_network.py --speed                  # see default_speed.py

FOLDER is as in real_data.py. CACHE.jsonl receives a line for each result as soon as it is known;
what it holds is not computed again. Results of ours are kept under ``--tag``, by default the
library's version: while it changes, give each state of it a tag. Progress goes to stderr.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import default_speed
import numpy as np
import out_of_fold
import pandas as pd
from default_tables import print_tables
from numpy.typing import NDArray
from real_data import BINARY, MULTICLASS, Split, read
from results import Cache
from rivals import RIVALS, Rival, limit_threads, matrix, raw
from sklearn.metrics import average_precision_score

from sk_imbalance_nn import BalancedKerasClassifier

OURS, OURS_MATRIX = "ours", "ours-matrix"


# ------------------------------------------------------------------------------------------
# One result


def macro_average_precision(y: NDArray[np.intp], p: NDArray[Any]) -> float:
    """Return the average precision of class 1 of two; of more, the mean over those with rows."""
    if p.shape[1] == 2:
        return float(average_precision_score(y, p[:, 1]))
    return float(np.mean([average_precision_score(y == k, p[:, k]) for k in np.unique(y)]))


def measured(rival: Rival, split: Split, seed: int) -> dict[str, Any]:
    """Fit and predict once; return the average precision and seconds, of the clock and of CPUs."""
    X_train, X_test = rival.reads(split)
    model = rival.make(seed)
    clock, cpu = time.perf_counter(), time.process_time()
    model.fit(X_train, split.y_train)
    fit, fit_cpu = time.perf_counter() - clock, time.process_time() - cpu
    clock = time.perf_counter()
    p = model.predict_proba(X_test)
    predict = time.perf_counter() - clock
    ap = macro_average_precision(split.y_test, np.asarray(p, dtype=np.float64))
    return {"ap": ap, "fit": fit, "fit_cpu": fit_cpu, "predict": predict}


# ------------------------------------------------------------------------------------------
# All of them


@dataclass(frozen=True)
class Ours(Rival):
    """The default network, whose results are kept under a tag of their own.

    Parameters
    ----------
    given_tag : str
        The tag.
    """

    given_tag: str = ""

    @property
    def tag(self) -> str:
        """What its results are kept under."""
        return self.given_tag


def ours(params: dict[str, Any] | None, tag: str) -> dict[str, Rival]:
    """Return ours with the table, and with the matrix."""

    def make(seed: int) -> Any:
        return BalancedKerasClassifier(**{"random_state": seed, **(params or {})})

    library = "sk_imbalance_nn"
    return {
        OURS: Ours(OURS, "native", make, raw, library, params, tag),
        OURS_MATRIX: Ours(OURS, "matrix", make, matrix, library, params, tag),
    }


@dataclass(frozen=True)
class Plan:
    """Which results there are to be.

    Parameters
    ----------
    data : Path
        The folder of the sets.
    cache : Cache
        Where results are kept.
    names : sequence of str
        Sets.
    seeds : sequence of int
        Splits.
    most_rows : int
        Rows of a set at most.
    """

    data: Path
    cache: Cache
    names: Sequence[str]
    seeds: Sequence[int]
    most_rows: int

    def wanted(self, name: str, seed: int, rival: Rival) -> dict[str, Any]:
        """Describe a result."""
        return {
            "set": name,
            "split": seed,
            "contestant": rival.contestant,
            "preparation": rival.preparation,
            "tag": rival.tag,
            "most_rows": self.most_rows,
            "params": rival.params,
        }

    def found(self, name: str, seed: int, rival: Rival) -> dict[str, Any] | None:
        """Return a result, or None."""
        return self.cache.get(self.wanted(name, seed, rival))

    def run(self, rivals: dict[str, Rival]) -> None:
        """Compute what is missing; who fails is told to stderr, and left out."""
        for name in self.names:
            missing = [
                (seed, label)
                for seed in self.seeds
                for label, rival in rivals.items()
                if self.found(name, seed, rival) is None
            ]
            if not missing:
                continue
            table = read(self.data, name, self.most_rows)
            split = lru_cache(maxsize=1)(table.split)
            for seed, label in missing:
                try:
                    result = measured(rivals[label], split(seed), seed)
                except Exception:
                    print(f"{name} {seed} {label} failed:", file=sys.stderr)
                    traceback.print_exc(limit=-3)
                    continue
                self.cache.add({**self.wanted(name, seed, rivals[label]), **result})
                print(
                    f"{name:26s} split {seed}  {label:16s}{result['ap']:7.4f}"
                    f"{result['fit']:8.2f} s",
                    file=sys.stderr,
                    flush=True,
                )

    def table(self, rivals: dict[str, Rival], needed: Sequence[str]) -> pd.DataFrame:
        """Return the results for tables: sets where all who are needed have every split.

        Parameters
        ----------
        rivals : dict of Rival
            Who may be shown; those who lack a result on these sets are not, and told to stderr.
        needed : sequence of str
            Whose results decide about the sets.

        Returns
        -------
        DataFrame
            A row for each set, split and contestant.
        """
        rows = [
            {**found, "label": label}
            for name in self.names
            for seed in self.seeds
            for label, rival in rivals.items()
            if (found := self.found(name, seed, rival)) is not None
        ]
        if not rows:
            raise SystemExit("There are no results yet.")
        frame = pd.DataFrame(rows)
        counts = frame.pivot_table(index="set", columns="label", values="ap", aggfunc="count")
        counts = counts.reindex(columns=list(rivals)).fillna(0)
        complete = counts == len(self.seeds)
        names = complete.index[complete[list(needed)].all(axis=1)]
        shown = [label for label in rivals if complete.loc[names, label].all()]
        if len(names) < len(self.names):
            lacking = sorted(set(self.names) - set(names))
            print(f"Not complete, and left out: {', '.join(lacking)}", file=sys.stderr)
        for label in rivals:
            if label in shown:
                continue
            if done := int(counts.loc[names, label].sum()):
                wanted = len(names) * len(self.seeds)
                print(f"{label}: {done} of {wanted} results", file=sys.stderr)
        if not len(names):
            raise SystemExit("No set is complete yet.")
        return frame[frame["set"].isin(names) & frame["label"].isin(shown)]


# ------------------------------------------------------------------------------------------
# The command


def arguments_of() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--data", type=Path, help="folder with an INDEX.json")
    add("--cache", type=Path, metavar="CACHE.jsonl", help="file for the results (default: none)")
    add("--sets", nargs="+", default=[*BINARY, *MULTICLASS], metavar="NAME")
    add("--splits", type=int, default=5, help="70/30 splits of a set (default 5)")
    add("--only-splits", type=int, nargs="+", metavar="SEED", help="these splits, from 0")
    add("--most-rows", type=int, default=10_000, help="of a set (default 10000)")
    names = [OURS, OURS_MATRIX, *RIVALS]
    add("--contestants", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    add("--ours-on-matrix", action="store_true", help="ours also with the matrix")
    add("--params", type=json.loads, default={}, metavar="JSON", help="parameters of ours")
    add("--tag", default=version("sk_imbalance_nn"), help="of ours (default: the version)")
    add("--also", nargs="+", default=[], metavar="TAG", help="show earlier results of ours")
    add("--print", action="store_true", help="only print what the cache holds")
    add("--threads", type=int, help="for everybody (default 1; with --speed all)")
    add("--repeats", type=int, default=5, help="turns of --speed (default 5)")
    add("--seeds", type=int, default=20, help="of --noise (default 20)")
    other = parser.add_mutually_exclusive_group()
    other.add_argument("--oof", action="store_true", help="thresholds: one fit against folds")
    other.add_argument("--noise", action="store_true", help="out-of-fold scores of pure noise")
    other.add_argument("--speed", action="store_true", help="seconds beside scikit-learn's")
    arguments = parser.parse_args()
    if arguments.data is None and not (arguments.noise or arguments.speed):
        parser.error("--data FOLDER is needed")
    return arguments


def compare(plan: Plan, arguments: argparse.Namespace) -> None:
    """Run who takes part, and print the tables of all whom the cache knows."""
    us = ours(None if arguments.print else arguments.params, arguments.tag)
    takes_part = {label: rival for label, rival in {**us, **RIVALS}.items() if rival.available}
    chosen = arguments.contestants or [label for label in takes_part if label != OURS_MATRIX]
    if arguments.ours_on_matrix and OURS_MATRIX not in chosen:
        chosen.append(OURS_MATRIX)
    chosen = [label for label in takes_part if label in chosen]
    if not arguments.print:
        plan.run({label: takes_part[label] for label in chosen})
    earlier = {
        f"{OURS}{'' if rival.preparation == 'native' else '/m'}@{tag}": rival
        for tag in arguments.also
        for rival in ours(None, tag).values()
    }
    shown = {label: takes_part[label] for label in takes_part if label in chosen or plan.cache.file}
    frame = plan.table({**us, **earlier, **shown}, chosen)
    reference = next((label for label in (OURS, OURS_MATRIX) if label in set(frame["label"])), None)
    print_tables(frame, reference)


def main() -> None:
    """Read the arguments, measure, print."""
    arguments = arguments_of()
    warnings.simplefilter("ignore")  # levels are new, networks end unconverged
    threads = arguments.threads or (None if arguments.speed else 1)
    if threads:
        limit_threads(threads)
    if arguments.speed:
        default_speed.run(arguments.params, arguments.repeats)
        return
    if arguments.noise:
        out_of_fold.print_noise(arguments.params, arguments.seeds)
        return
    seeds = arguments.only_splits or range(arguments.splits)
    cache = Cache(arguments.cache)
    plan = Plan(arguments.data, cache, arguments.sets, seeds, arguments.most_rows)
    if arguments.oof:
        out_of_fold.compare(plan, arguments.params, arguments.tag)
    else:
        compare(plan, arguments)


if __name__ == "__main__":
    main()
