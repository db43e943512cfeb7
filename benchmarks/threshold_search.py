"""Time the search for decision thresholds and class weights, and say what it finds.

The classifiers here read their answer from X, so that nothing is fitted and what is left is the
search: that of TunedThresholdClassifierCV (time inside its scorer of curves) against that of
ThresholdOptimizerCV (time from scores to the rule, with its intervals), and both with everything
around it. Then the search for class weights. Last, side by side with the package
optimal-classification-cutoffs, if it is installed: what each finds on the same scores, by the
package's own word and by scikit-learn's metric of its decisions, and in what time. Its loops are
compiled where numba is installed, too.

    python benchmarks/threshold_search.py
    python benchmarks/threshold_search.py --parts cutoffs
    pip install optimal-classification-cutoffs==0.6.0 numba     # better not where you develop
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from unittest import mock

import numpy as np
import sklearn.metrics._scorer
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import StratifiedKFold, TunedThresholdClassifierCV
from timing import Contestant, Race, options, parsed, race

import sk_imbalance_nn.threshold
from sk_imbalance_nn import ThresholdOptimizerCV

Values = NDArray[np.float64]

ROWS, QUICK_ROWS = 1_000_000, 20_000
POSITIVE_SHARE = 0.01
CLASS_ROWS, QUICK_CLASS_ROWS = (100_000, 500_000), (2_000,)
CLASS_SHARES = (0.6, 0.25, 0.1, 0.04, 0.01)
CUTOFFS_ROWS, QUICK_CUTOFFS_ROWS = (10_000, 1_000_000), (500, 2_000)
CUTOFFS_CLASS_ROWS, QUICK_CUTOFFS_CLASS_ROWS = (10_000, 100_000), (500,)
# Of the other package: it passes over all rows for each distinct score, except for F1.
MOST_ROWS_OF_A_PASS_A_SCORE = 20_000

TARGET_RATIO, TARGET_SECONDS = 50, 5.0
PEER, OURS, OURS_MAX = "scikit-learn", "ours", 'ours, "max"'
PARTS = ("binary", "classes", "cutoffs")


class Readout(ClassifierMixin, BaseEstimator):
    """A classifier whose probabilities are what X holds: the positive class's, or each class's."""

    def fit(self, X: Values, y: ArrayLike) -> Readout:
        """Do nothing.

        Parameters
        ----------
        X : ndarray of shape (n, 1) or (n, n_classes)
            Not read.
        y : array-like of shape (n,)
            Not read.

        Returns
        -------
        Readout
            The fitted object.
        """
        self.classes_ = np.arange(max(2, X.shape[1]))
        return self

    def predict_proba(self, X: Values) -> Values:
        """Read the probabilities.

        Parameters
        ----------
        X : ndarray of shape (n, 1) or (n, n_classes)
            Probabilities.

        Returns
        -------
        ndarray of shape (n, n_classes)
            The same.
        """
        return np.hstack([1 - X, X]) if X.shape[1] == 1 else X


def binary_rows(n_rows: int) -> tuple[Values, NDArray[np.intp]]:
    """Return probabilities, all different, of shape (n_rows, 1), and labels, 1 in 100 positive."""
    random = np.random.default_rng(0)
    y = (random.random(n_rows) < POSITIVE_SHARE).astype(np.intp)
    odds = random.normal(size=n_rows) + 2.5 * y - 5
    return 1 / (1 + np.exp(-odds[:, None])), y


def class_rows(n_rows: int) -> tuple[Values, NDArray[np.intp]]:
    """Return probabilities of five classes, of shape (n_rows, 5), and labels."""
    random = np.random.default_rng(0)
    y = random.choice(len(CLASS_SHARES), n_rows, p=CLASS_SHARES)
    scores = random.normal(size=(n_rows, len(CLASS_SHARES))) + np.log(CLASS_SHARES)
    scores[np.arange(n_rows), y] += 1.5
    weights = np.exp(scores)
    return weights / weights.sum(axis=1, keepdims=True), y


@contextmanager
def stopwatch(module: Any, name: str) -> Iterator[list[float]]:
    """Time each call of a function, for as long as the context lasts.

    Parameters
    ----------
    module : object
        Where callers look the function up.
    name : str
        Under which name.

    Yields
    ------
    list of float
        Seconds of each call.
    """
    seconds: list[float] = []
    original = getattr(module, name)

    def timed(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        result = original(*args, **kwargs)
        seconds.append(time.perf_counter() - start)
        return result

    with mock.patch.object(module, name, timed):
        yield seconds


def fitted_by_peer(optimizer: Any, X: Values, y: NDArray[np.intp]) -> tuple[float, float]:
    """Fit scikit-learn's; return the seconds of its search and the threshold."""
    with stopwatch(sklearn.metrics._scorer._CurveScorer, "_score") as seconds:
        optimizer.fit(X, y)
    return sum(seconds), float(optimizer.best_threshold_)


def fitted_by_us(optimizer: Any, X: Values, y: NDArray[np.intp]) -> tuple[float, float]:
    """Fit ours; return the seconds of its search and the threshold, NaN for class weights."""
    with stopwatch(sk_imbalance_nn.threshold, "choose") as seconds:
        optimizer.fit(X, y)
    return sum(seconds), float(getattr(optimizer, "best_threshold_", np.nan))


def searches(outcome: Race) -> Race:
    """Return the race of the searches alone.

    Parameters
    ----------
    outcome : Race
        Its results are pairs, the seconds of the search first.

    Returns
    -------
    Race
        With these seconds.
    """
    seconds = {name: [first for first, _ in found] for name, found in outcome.results.items()}
    return Race(seconds, outcome.results)


def binary(n_rows: int, repeats: int) -> None:
    """Print how much longer scikit-learn looks for a threshold.

    Parameters
    ----------
    n_rows, repeats : int
        What there is to do, and how often.
    """
    X, y = binary_rows(n_rows)
    shared: dict[str, Any] = {"scoring": "f1", "cv": list(StratifiedKFold(5).split(X, y))}
    peer = TunedThresholdClassifierCV(Readout(), **shared)
    ours = ThresholdOptimizerCV(Readout(), random_state=0, **shared)
    largest = ThresholdOptimizerCV(Readout(), random_state=0, selection="max", **shared)
    contestants = [
        Contestant(PEER, lambda: fitted_by_peer(peer, X, y)),
        Contestant(OURS, lambda: fitted_by_us(ours, X, y)),
        Contestant(OURS_MAX, lambda: fitted_by_us(largest, X, y)),
    ]
    outcome = race(contestants, repeats, warm_up=False)
    alone = searches(outcome)
    print(f"{n_rows} rows, {y.sum()} of them positive, 5 folds, F1")
    print("Ratio of median times (range over turns)\n")
    print(f"  the search  scikit-learn / ours  {alone.ratio(PEER, OURS).beside(TARGET_RATIO)}")
    print(f"  whole fit   scikit-learn / ours  {outcome.ratio(PEER, OURS).beside(TARGET_RATIO)}\n")
    print(f"  {'':14s}{'whole fit':>11s}{'search':>11s}{'threshold':>11s}{'F1':>11s}")
    for name in (PEER, OURS, OURS_MAX):
        threshold = outcome.results[name][0][1]
        value = f1_score(y, X[:, 0] >= threshold)
        print(
            f"  {name:14s}{outcome.median(name):9.3f} s{alone.median(name):9.3f} s"
            f"{threshold:11.5f}{value:11.6f}",
            flush=True,
        )


def classes(n_rows: int, repeats: int) -> None:
    """Print how long the search for class weights takes.

    Parameters
    ----------
    n_rows, repeats : int
        What there is to do, and how often.
    """
    X, y = class_rows(n_rows)
    folds = list(StratifiedKFold(5).split(X, y))
    ours = ThresholdOptimizerCV(Readout(), scoring="f1_macro", cv=folds, random_state=0)
    work = Contestant(OURS, lambda: fitted_by_us(ours, X, y))
    alone = searches(race([work], repeats, warm_up=False))
    seconds = alone.median(OURS)
    verdict = "met" if seconds < TARGET_SECONDS else "MISSED"
    plain = f1_score(y, X.argmax(axis=1), average="macro")
    found = f1_score(y, (X * ours.best_class_weight_).argmax(axis=1), average="macro")
    print(
        f"  {n_rows:7d} rows: {seconds:6.2f} s ({min(alone.seconds[OURS]):.2f} to "
        f"{max(alone.seconds[OURS]):.2f})  target < {TARGET_SECONDS:g} s: {verdict};  "
        f"macro F1 {found:.5f}, plain argmax {plain:.5f}",
        flush=True,
    )


@dataclass(frozen=True)
class Found:
    """What a search came to.

    Parameters
    ----------
    said : float
        The value that it states.
    reached : float
        The metric of its decisions, by scikit-learn.
    """

    said: float
    reached: float


def ours_on(
    X: Values, y: NDArray[np.intp], scoring: str, metric: Callable[..., float]
) -> Callable[[], Found]:
    """Return our search of scores.

    Parameters
    ----------
    X : ndarray of shape (n, 1) or (n, n_classes)
        Scores.
    y : ndarray of shape (n,)
        Labels.
    scoring : str
        What is maximised.
    metric : callable
        The same, of labels and decisions.

    Returns
    -------
    callable
        Does it.
    """
    optimizer = ThresholdOptimizerCV(
        Readout().fit(X, y),
        scoring=scoring,
        selection="max",
        cv="prefit",
        refit=False,
        random_state=0,
    )

    def work() -> Found:
        optimizer.fit(X, y)
        return Found(optimizer.best_score_, metric(y, optimizer.predict(X)))

    return work


def theirs_on(
    X: Values, y: NDArray[np.intp], name: str, method: str, metric: Callable[..., float]
) -> Callable[[], Found]:
    """Return the search of the other package.

    Parameters
    ----------
    X, y, metric
        As for `ours_on`.
    name, method : str
        What is maximised, and how.

    Returns
    -------
    callable
        Does it.
    """
    from optimal_cutoffs import get_optimal_threshold

    scores = X[:, 0] if X.shape[1] == 1 else X

    def work() -> Found:
        found = get_optimal_threshold(y, scores, metric=name, method=method)
        return Found(found.score, metric(y, found.predict(scores)))

    return work


def beside(title: str, contestants: list[Contestant], repeats: int) -> Race:
    """Race searches, and print what each found.

    Parameters
    ----------
    title : str
        Of what.
    contestants : list of Contestant
        They return `Found`.
    repeats : int
        Turns that count.

    Returns
    -------
    Race
        Times.
    """
    outcome = race(contestants, repeats)
    for contestant in contestants:
        name = contestant.name
        found = outcome.results[name][0]
        differs = "" if abs(found.said - found.reached) < 1e-9 else "  <- not what it states"
        print(
            f"  {title:40s}{name:27s}{outcome.median(name):10.4f} s   states {found.said:.6f}, "
            f"reaches {found.reached:.6f}{differs}",
            flush=True,
        )
    return outcome


def macro_f1(y_true: ArrayLike, y_pred: ArrayLike) -> float:
    """Return the mean F1 over classes."""
    return float(f1_score(y_true, y_pred, average="macro"))


def cutoffs(sizes: tuple[int, ...], sizes_of_classes: tuple[int, ...], repeats: int) -> None:
    """Print what optimal-classification-cutoffs finds, and what we do.

    Parameters
    ----------
    sizes, sizes_of_classes : tuple of int
        Rows, of two classes and of five.
    repeats : int
        Turns that count.
    """
    try:
        number = version("optimal-classification-cutoffs")
    except PackageNotFoundError:
        print("optimal-classification-cutoffs is not installed: nothing to stand beside.")
        return
    try:
        compiled = f"numba {version('numba')}"
    except PackageNotFoundError:
        compiled = "without numba"
    theirs = f"cutoffs {number}"
    print(f"optimal-classification-cutoffs {number}, {compiled}")
    print("Times take in the metric of the decisions; ours take in intervals.")
    for n_rows in sizes:
        distinct, y = binary_rows(n_rows)
        for kind, X in (("distinct scores", distinct), ("two decimals", distinct.round(2))):
            for name, metric in (("f1", f1_score), ("accuracy", accuracy_score)):
                contestants = [Contestant(OURS, ours_on(X, y, name, metric))]
                skipped = name != "f1" and len(np.unique(X)) > MOST_ROWS_OF_A_PASS_A_SCORE
                if not skipped:
                    work = theirs_on(X, y, name, "auto", metric)
                    contestants.append(Contestant(theirs, work))
                beside(f"{n_rows} rows, {kind}, {name}", contestants, repeats)
                if skipped:
                    print(f"  {'':40s}{theirs:27s} left out: a pass over all rows for each score")
    for n_rows in sizes_of_classes:
        X, y = class_rows(n_rows)
        contestants = [Contestant(OURS, ours_on(X, y, "f1_macro", macro_f1))]
        for method in ("auto", "coord_ascent"):
            work = theirs_on(X, y, "f1", method, macro_f1)
            contestants.append(Contestant(f"{theirs} {method}", work))
        beside(f"{n_rows} rows, 5 classes, macro F1", contestants, repeats)


def main() -> None:
    """Print times and values."""
    parser = options(__doc__, repeats=3)
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS)
    arguments = parsed(parser)
    quick = arguments.quick
    repeats = 1 if quick else arguments.repeats
    warnings.filterwarnings("ignore", message="Only .* rows of class")
    if "binary" in arguments.parts:
        binary(QUICK_ROWS if quick else ROWS, repeats)
    if "classes" in arguments.parts:
        print("\n5 classes, macro F1: seconds of the search (range over turns)")
        for n_rows in QUICK_CLASS_ROWS if quick else CLASS_ROWS:
            classes(n_rows, repeats)
    if "cutoffs" in arguments.parts:
        print()
        cutoffs(
            QUICK_CUTOFFS_ROWS if quick else CUTOFFS_ROWS,
            QUICK_CUTOFFS_CLASS_ROWS if quick else CUTOFFS_CLASS_ROWS,
            repeats,
        )


if __name__ == "__main__":
    main()
