"""Say what tuned thresholds lose on rows they were not tuned on, here and in scikit-learn.

Regret is the best value that any threshold has on the test rows, known only in hindsight, less the
value at the threshold that was tuned on the training rows: the less, the better. The estimators
themselves are run, on a classifier that replays the probabilities that regret_scores.py has kept:
16 real data sets, 10 splits, 3 models. A standard error is one over data sets: a set's splits (and
models) are averaged first.

    python benchmarks/threshold_regret.py --cache CACHE
    python benchmarks/threshold_regret.py --cache CACHE --models forest --splits 2
    python benchmarks/threshold_regret.py --cache CACHE --constraints    # are bounds kept?

CACHE is as in regret_scores.py. What scikit-learn tunes takes seconds a split, so its thresholds
are kept in CACHE too, and not computed again; ours are.

The margin is a little optimistic. That the default is the middle, by the log odds of an alarm, of
what lies within one standard error was decided by looking at the logistic regression on these same
sets, and looked at again with the forest and the network; the variants that are shown here are
what it was decided between. scikit-learn's defaults were not chosen on these sets.
"""

from __future__ import annotations

import argparse
import json
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from numpy.typing import ArrayLike, NDArray
from regret_scores import MODELS, N_SPLITS, SETS, Scores, scores
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import (
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    make_scorer,
    matthews_corrcoef,
)
from sklearn.model_selection import TunedThresholdClassifierCV

from sk_imbalance_nn import ThresholdOptimizerCV

Values = NDArray[np.float64]

FALSE_ALARM, MISS = 1.0, 20.0
CONSTRAINTS = ("precision >= 0.8", "false_positive_rate <= 0.01")

# Contestants: their names, and for ours the parameters; the defaults are width 1, pooled.
HALF, PEER, OURS = "0.5", "scikit-learn", "ours (defaults)"
VARIANTS: dict[str, dict[str, Any]] = {
    OURS: {},
    "max, pooled": {"selection": "max"},
    "max, mean": {"selection": "max", "aggregate": "mean"},
    "width 0.5": {"plateau_width": 0.5},
    "width 1.5": {"plateau_width": 1.5},
    "width 2": {"plateau_width": 2.0},
    "width 1, mean": {"aggregate": "mean"},
}
CONTESTANTS = (HALF, PEER, *VARIANTS)


class Replay(ClassifierMixin, BaseEstimator):
    """A classifier that says again what was kept, told by the rows that it is fitted on.

    X holds the numbers of rows: those to train on from 0, those to test on after them.

    Parameters
    ----------
    kept : Scores
        What it replays.
    """

    def __init__(self, kept: Scores) -> None:
        self.kept = kept

    def __sklearn_clone__(self) -> Replay:
        return Replay(self.kept)

    def fit(self, X: NDArray[np.intp], y: ArrayLike) -> Replay:
        """Find out which fit this is: that of all training rows, or that of a fold's rest.

        Parameters
        ----------
        X : ndarray of shape (n, 1)
            Numbers of rows.
        y : array-like of shape (n,)
            Labels; not read.

        Returns
        -------
        Replay
            The fitted object.
        """
        fold = self.kept.fold
        seen = np.zeros(len(fold), dtype=bool)
        seen[X[:, 0]] = True
        self.probability_ = np.full(len(fold) + len(self.kept.test), np.nan)
        if seen.all():
            self.probability_[len(fold) :] = self.kept.test
        else:
            (number,) = np.unique(fold[~seen])
            if (seen == (fold == number)).any():
                raise ValueError("These rows are not the rest of a fold.")
            self.probability_[: len(fold)][~seen] = self.kept.oof[~seen]
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X: NDArray[np.intp]) -> Values:
        """Look probabilities up.

        Parameters
        ----------
        X : ndarray of shape (n, 1)
            Numbers of rows.

        Returns
        -------
        ndarray of shape (n, 2)
            NaN for rows that the fit has seen.
        """
        positive = self.probability_[X[:, 0]]
        return np.stack([1 - positive, positive], axis=1)


@dataclass(frozen=True)
class Cell:
    """A set, a split and a model.

    Parameters
    ----------
    name : str
        The set.
    seed : int
        The split.
    model : str
        The model.
    kept : Scores
        What it said.
    """

    name: str
    seed: int
    model: str
    kept: Scores

    @property
    def X(self) -> NDArray[np.intp]:
        """Numbers of the training rows."""
        return np.arange(len(self.kept.oof))[:, None]

    @property
    def X_test(self) -> NDArray[np.intp]:
        """Numbers of the test rows."""
        return len(self.kept.oof) + np.arange(len(self.kept.test))[:, None]

    @property
    def folds(self) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """The rows to fit on and to score, of each fold."""
        fold = self.kept.fold
        return [
            (np.flatnonzero(fold != number), np.flatnonzero(fold == number))
            for number in np.unique(fold)
        ]

    @cached_property
    def test(self) -> Alarms:
        """What every threshold comes to on the test rows."""
        return Alarms.of(self.kept.test, self.kept.y_test)

    def ours(self, **parameters: Any) -> ThresholdOptimizerCV:
        """Fit ours.

        Parameters
        ----------
        **parameters : dict
            Those that are not the defaults.

        Returns
        -------
        ThresholdOptimizerCV
            Tuned on the training rows.
        """
        optimizer = ThresholdOptimizerCV(Replay(self.kept), cv=self.folds, **parameters)
        return optimizer.set_params(random_state=0).fit(self.X, self.kept.y_train)

    def peer(self, scoring: Any) -> TunedThresholdClassifierCV:
        """Fit scikit-learn's.

        Parameters
        ----------
        scoring : str or callable
            What to maximise.

        Returns
        -------
        TunedThresholdClassifierCV
            Tuned on the training rows.
        """
        tuner = TunedThresholdClassifierCV(Replay(self.kept), scoring=scoring, cv=self.folds)
        return tuner.fit(self.X, self.kept.y_train)


@dataclass(frozen=True)
class Alarms:
    """What thresholds come to on labelled scores, counted here without the package.

    Parameters
    ----------
    levels : ndarray of shape (n_levels,)
        The distinct scores, ascending.
    hits, false_alarms : ndarray of shape (n_levels + 1,)
        Rows of each class at or above each level; the last are those above all: none.
    """

    levels: Values
    hits: Values
    false_alarms: Values

    @classmethod
    def of(cls, probability: Values, y: NDArray[np.int8]) -> Alarms:
        """Count.

        Parameters
        ----------
        probability : ndarray of shape (n,)
            Scores.
        y : ndarray of shape (n,)
            Labels, 0 and 1.

        Returns
        -------
        Alarms
            At every threshold that makes a difference.
        """
        levels, level = np.unique(probability, return_inverse=True)

        def at_least(rows: NDArray[np.bool_]) -> Values:
            counts = np.bincount(level, rows, len(levels))
            return np.append(np.cumsum(counts[::-1])[::-1], 0.0)

        return cls(levels, at_least(y == 1), at_least(y == 0))

    def at(self, threshold: float) -> int:
        """Return the position of a threshold: rows whose score is at least that are alarms."""
        return int(np.searchsorted(self.levels, threshold))

    @property
    def positives(self) -> float:
        """How many rows are positive."""
        return float(self.hits[0])

    @property
    def negatives(self) -> float:
        """How many are not."""
        return float(self.false_alarms[0])

    def f1(self) -> Values:
        """Return F1 at every threshold."""
        return 2 * self.hits / (self.hits + self.false_alarms + self.positives)

    def matthews(self) -> Values:
        """Return Matthews' correlation, 0 where it is undefined."""
        alarms = self.hits + self.false_alarms
        n = self.positives + self.negatives
        spread = alarms * (n - alarms) * self.positives * self.negatives
        covariance = self.hits * n - alarms * self.positives
        return np.where(spread > 0, covariance / np.sqrt(np.where(spread > 0, spread, 1)), 0.0)

    def balanced_accuracy(self) -> Values:
        """Return the mean of the two recalls."""
        return (self.hits / self.positives + 1 - self.false_alarms / self.negatives) / 2

    def negative_cost(self) -> Values:
        """Return the mean cost of a row, with a minus."""
        cost = FALSE_ALARM * self.false_alarms + MISS * (self.positives - self.hits)
        return -cost / (self.positives + self.negatives)

    def recall(self) -> Values:
        """Return the share of the positive rows that are alarms."""
        return self.hits / self.positives

    def precision(self) -> Values:
        """Return the share of the alarms that are positive; NaN where there are none."""
        alarms = self.hits + self.false_alarms
        return np.where(alarms > 0, self.hits / np.maximum(alarms, 1), np.nan)

    def false_positive_rate(self) -> Values:
        """Return the share of the negative rows that are alarms."""
        return self.false_alarms / self.negatives


def cost_of(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return the mean cost of a row."""
    (_, false_alarms), (misses, _) = confusion_matrix(y_true, y_pred, labels=[0, 1])
    return float(FALSE_ALARM * false_alarms + MISS * misses) / np.size(y_true)


@dataclass(frozen=True)
class Goal:
    """An objective, as each side is told of it.

    Parameters
    ----------
    of_test : callable
        Takes `Alarms`, returns its values: the more, the better.
    of_decisions : callable
        The same from labels and decisions, by scikit-learn.
    scoring : str or callable
        For scikit-learn's estimator.
    parameters : dict
        For ours.
    """

    of_test: Callable[[Alarms], Values]
    of_decisions: Callable[[Any, Any], float]
    scoring: Any
    parameters: Mapping[str, Any]


def _named(name: str, of_test: Callable[[Alarms], Values], metric: Callable[..., Any]) -> Goal:
    return Goal(of_test, metric, name, {"scoring": name})


GOALS = {
    "F1": _named("f1", Alarms.f1, f1_score),
    "Matthews": _named("matthews_corrcoef", Alarms.matthews, matthews_corrcoef),
    "balanced accuracy": _named(
        "balanced_accuracy", Alarms.balanced_accuracy, balanced_accuracy_score
    ),
    "cost 1:20": Goal(
        Alarms.negative_cost,
        lambda y_true, y_pred: -cost_of(y_true, y_pred),
        make_scorer(cost_of, greater_is_better=False),
        {"cost_matrix": [[0, FALSE_ALARM], [MISS, 0]]},
    ),
}


def peer_thresholds(cache: Path, cell: Cell) -> dict[str, float]:
    """Return what scikit-learn tunes, from the cache if it is there.

    Parameters
    ----------
    cache : Path
        Where it is kept.
    cell : Cell
        What to tune on.

    Returns
    -------
    dict of float
        A threshold for each of `GOALS`; NaN where it refuses.
    """
    folder = cache / f"tuned-{sklearn.__version__}"
    file = folder / f"{cell.name}-{cell.seed}-{cell.model}.json"
    if file.exists():
        return dict(json.loads(file.read_text()))
    found = {}
    for label, goal in GOALS.items():
        try:
            found[label] = float(cell.peer(goal.scoring).best_threshold_)
        except ValueError as error:  # where all scores of a fold are nearly equal
            print(f"scikit-learn on {file.stem}, {label}: {error}", flush=True)
            found[label] = float("nan")
    folder.mkdir(exist_ok=True)
    unfinished = file.with_suffix(f".{os.getpid()}.part")
    unfinished.write_text(json.dumps(found))
    unfinished.replace(file)
    return found


def cells(
    cache: Path, names: Sequence[str], seeds: Sequence[int], models: Sequence[str]
) -> Iterator[Cell]:
    """Yield what there is to tune on."""
    for model in models:
        for seed in seeds:
            for name in names:
                yield Cell(name, seed, model, scores(cache, name, seed, model))


def thresholds(cache: Path, cell: Cell) -> dict[tuple[str, str], float]:
    """Return the threshold of each contestant for each objective."""
    found: dict[tuple[str, str], float] = {}
    theirs = peer_thresholds(cache, cell)
    for label, goal in GOALS.items():
        found[label, HALF] = 0.5
        # Where scikit-learn refuses to tune, 0.5 is what its user is left with.
        found[label, PEER] = 0.5 if np.isnan(theirs[label]) else theirs[label]
        for contestant, parameters in VARIANTS.items():
            tuned = cell.ours(**goal.parameters, **parameters)
            found[label, contestant] = tuned.best_threshold_
    return found


def regrets(cell: Cell, found: Mapping[tuple[str, str], float]) -> Values:
    """Return the regret of each objective and contestant.

    Parameters
    ----------
    cell : Cell
        With the test rows.
    found : dict of float
        The thresholds.

    Returns
    -------
    ndarray of shape (n_objectives, n_contestants)
        None is below 0.
    """
    regret = np.empty((len(GOALS), len(CONTESTANTS)))
    for row, (label, goal) in enumerate(GOALS.items()):
        values = goal.of_test(cell.test)
        at = [cell.test.at(found[label, contestant]) for contestant in CONTESTANTS]
        regret[row] = values.max() - values[at]
    return regret


def check(cell: Cell) -> None:
    """Compare what is counted here with what the estimators decide and scikit-learn's metrics say.

    Parameters
    ----------
    cell : Cell
        On what.

    Raises
    ------
    AssertionError
        If they differ, or the best in hindsight is not that of ours tuned on the test rows.
    """
    y = cell.kept.y_test
    full = Replay(cell.kept).fit(cell.X, cell.kept.y_train)
    for goal in GOALS.values():
        values = goal.of_test(cell.test)
        both = (cell.ours(**goal.parameters), cell.peer(goal.scoring))
        for tuned in both:
            there = values[cell.test.at(tuned.best_threshold_)]
            decided = tuned.predict(cell.X_test)
            np.testing.assert_allclose(there, goal.of_decisions(y, decided), atol=1e-12)
        hindsight = ThresholdOptimizerCV(
            full, cv="prefit", refit=False, selection="max", **goal.parameters
        ).fit(cell.X_test, y)
        np.testing.assert_allclose(values.max(), hindsight.best_score_, atol=1e-12)


def interval(by_set: Values) -> tuple[float, float]:
    """Return the mean over sets and its standard error."""
    error = by_set.std(ddof=1) / np.sqrt(len(by_set)) if len(by_set) > 1 else float("nan")
    return float(by_set.mean()), float(error)


def show(by_set: Values, title: str) -> None:
    """Print regrets, and how they differ from those of scikit-learn and of 0.5.

    Parameters
    ----------
    by_set : ndarray of shape (n_sets, n_objectives, n_contestants)
        Regrets.
    title : str
        Of what.
    """
    print(f"\n{title}: mean regret over {len(by_set)} sets")
    print(" " * 18 + "".join(f"{label:>20s}" for label in GOALS))
    for column, contestant in enumerate(CONTESTANTS):
        means = by_set[:, :, column].mean(axis=0)
        print(f"  {contestant:16s}" + "".join(f"{mean:20.4f}" for mean in means))
    for other in (PEER, HALF):
        print(f"\n  Less regret than {other}: mean (s.e.) [2 s.e. to each side], sets with less")
        for row, label in enumerate(GOALS):
            for contestant in CONTESTANTS:
                if contestant in (HALF, other):
                    continue
                gain = (
                    by_set[:, row, CONTESTANTS.index(other)]
                    - by_set[:, row, CONTESTANTS.index(contestant)]
                )
                mean, error = interval(gain)
                print(
                    f"  {label:18s}{contestant:16s}{mean:+8.4f} ({error:.4f}) "
                    f"[{mean - 2 * error:+.4f}, {mean + 2 * error:+.4f}]  "
                    f"{(gain > 0).sum():2d} of {len(gain)}"
                    + (f", {(gain == 0).sum()} equal" if (gain == 0).any() else "")
                )


def compare(
    cache: Path, names: Sequence[str], seeds: Sequence[int], models: Sequence[str]
) -> dict[str, Values]:
    """Tune everybody everywhere, and print regrets.

    Parameters
    ----------
    cache : Path
        Where scores are.
    names, seeds, models : sequence
        Sets, splits and models.

    Returns
    -------
    dict of ndarray of shape (n_sets, n_objectives, n_contestants)
        Regrets by model, averaged over splits.
    """
    collected: dict[tuple[str, str], list[Values]] = {}
    for number, cell in enumerate(cells(cache, names, seeds, models)):
        if number == 0:
            check(cell)
        found = regrets(cell, thresholds(cache, cell))
        collected.setdefault((cell.model, cell.name), []).append(found)
    by_model = {
        model: np.stack([np.mean(collected[model, name], axis=0) for name in names])
        for model in models
    }
    for model, by_set in by_model.items():
        show(by_set, model)
    if len(models) > 1:
        show(np.mean(list(by_model.values()), axis=0), "All models")
    return by_model


@dataclass(frozen=True)
class Kept:
    """How a bound fares on the test rows of one cell.

    Parameters
    ----------
    reachable : bool
        Whether it could be met on the training rows.
    silent : bool
        Whether there are no alarms.
    excess : float
        By how much it is missed; 0 if it is met, or there are no alarms.
    recall : float
        Of the test rows.
    hindsight : float
        The best recall that meets it there.
    """

    reachable: bool
    silent: bool
    excess: float
    recall: float
    hindsight: float


def bound_kept(cell: Cell, constraint: str, selection: str) -> Kept:
    """Tune under a constraint, and look at it on the test rows.

    Parameters
    ----------
    cell : Cell
        Rows.
    constraint : str
        One of `CONSTRAINTS`.
    selection : str
        As ours takes it.

    Returns
    -------
    Kept
        What came of it.
    """
    name, sign, limit = constraint.split()
    bound, up = float(limit), 1 if sign == ">=" else -1
    tuned = cell.ours(
        scoring="recall", constraint=constraint, infeasible="closest", selection=selection
    )
    values, recall = getattr(cell.test, name)(), cell.test.recall()
    at = cell.test.at(tuned.best_threshold_)
    met = ~(up * (bound - values) > 1e-12)  # NaN, without alarms, breaks no promise
    return Kept(
        reachable=not up * (bound - tuned.constraint_value_) > 1e-12,
        silent=at == len(cell.test.levels),
        excess=0.0 if met[at] else float(abs(values[at] - bound)),
        recall=float(recall[at]),
        hindsight=float(recall[met].max()),
    )


def constraints(
    cache: Path, names: Sequence[str], seeds: Sequence[int], models: Sequence[str]
) -> None:
    """Print how often bounds that hold in cross-validation are broken on the test rows.

    Parameters
    ----------
    cache : Path
        Where scores are.
    names, seeds, models : sequence
        Sets, splits and models.
    """
    everything = list(cells(cache, names, seeds, models))
    print("broken: share of test sets, each data set counting the same (s.e. over data sets)")
    print("by: mean excess where broken; silent: share without alarms, which break no bound")
    print("reachable: share where the bound could be met in cross-validation; the figures after")
    print("it are for these cells; hindsight: the best recall on the test rows within the bound\n")
    for constraint in CONSTRAINTS:
        print(f"{constraint}, most recall")
        print(
            f"  {'':10s}{'':10s}{'broken':>16s}{'by':>9s}{'silent':>8s}{'recall':>8s}"
            f"{'reachable':>12s}{'broken':>9s}{'by':>9s}{'recall':>8s}{'hindsight':>11s}"
        )
        for selection in ("max", "plateau"):
            found = [(cell, bound_kept(cell, constraint, selection)) for cell in everything]
            for model in (*models, "all") if len(models) > 1 else models:
                chosen = [(c.name, kept) for c, kept in found if model in (c.model, "all")]
                _show_kept(chosen, names, model, selection)
        print(flush=True)


def _show_kept(
    chosen: Sequence[tuple[str, Kept]], names: Sequence[str], model: str, selection: str
) -> None:
    broken = np.array(
        [np.mean([kept.excess > 0 for of, kept in chosen if of == name]) for name in names]
    )
    share, error = interval(broken)
    every = [kept for _, kept in chosen]
    reachable = [kept for kept in every if kept.reachable]

    def mean(numbers: Sequence[float]) -> float:
        return float(np.mean(numbers)) if len(numbers) else float("nan")

    print(
        f"  {selection:10s}{model:10s}{share:8.2f} ({error:.3f}){_excess(every):9.4f}"
        f"{mean([kept.silent for kept in every]):8.2f}{mean([kept.recall for kept in every]):8.3f}"
        f"{len(reachable) / len(every):12.2f}{mean([kept.excess > 0 for kept in reachable]):9.2f}"
        f"{_excess(reachable):9.4f}{mean([kept.recall for kept in reachable]):8.3f}"
        f"{mean([kept.hindsight for kept in reachable]):11.3f}"
    )


def _excess(every: Sequence[Kept]) -> float:
    broken = [kept.excess for kept in every if kept.excess > 0]
    return float(np.mean(broken)) if broken else 0.0


def main() -> None:
    """Read the arguments, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, required=True, help="folder with the scores")
    parser.add_argument("--sets", nargs="+", default=SETS, metavar="NAME")
    parser.add_argument(
        "--splits", type=int, default=N_SPLITS, help=f"how many (default {N_SPLITS})"
    )
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--constraints", action="store_true", help="look at bounds instead")
    parser.add_argument("--json", type=Path, help="keep the regrets of each set there")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore", message="Only .* rows of class")
    chosen = (arguments.cache, arguments.sets, range(arguments.splits), arguments.models)
    if arguments.constraints:
        constraints(*chosen)
        return
    by_model = compare(*chosen)
    if arguments.json:
        regret = {model: by_set.tolist() for model, by_set in by_model.items()}
        axes = {"sets": arguments.sets, "goals": list(GOALS), "contestants": CONTESTANTS}
        arguments.json.write_text(json.dumps({**axes, "regret": regret}))


if __name__ == "__main__":
    main()
