"""What the default network's out-of-fold scores are worth: against refits, and on pure noise.

The default network's members hold rows out in turn, so that one fit scores every row by members
that have not seen it. A threshold chosen on these scores (``cv="oof"``) is compared with one from
five more fits (``cv=5``), and the scores of rows that hold nothing are compared with chance.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from default_tables import two_errors
from numpy.typing import NDArray
from real_data import BINARY, Split, read
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.metrics import average_precision_score, brier_score_loss, f1_score, log_loss
from sklearn.model_selection import StratifiedKFold

from sk_imbalance_nn import BalancedKerasClassifier, ThresholdOptimizerCV, clear_compile_cache
from sk_imbalance_nn.balancing.recalibration import fit_recalibration

if TYPE_CHECKING:
    from default_network import Plan

WAYS = ("oof", "folds")  # one fit; six
FIGURES = ("f1", "threshold", "brier", "log_loss", "seconds")
NOISE_ROWS, NOISE_COLUMNS, NOISE_POSITIVES = 2_000, 20, 100


class Refitted(ClassifierMixin, BaseEstimator):
    """The long way: five fits for scores of rows not seen, a sixth on all rows.

    Probabilities are calibrated on these scores, by the function that the short way uses on its
    own; and they are offered as `ThresholdOptimizerCV` wants them.

    Parameters
    ----------
    network : BalancedKerasClassifier
        Whose probabilities refer to the prior of the data.
    seed : int
        Of the folds.
    """

    def __init__(self, network: BalancedKerasClassifier, seed: int) -> None:
        self.network = network
        self.seed = seed

    def fit(self, X: pd.DataFrame, y: NDArray[np.intp]) -> Refitted:
        """Fit six times."""
        splitter = StratifiedKFold(5, shuffle=True, random_state=self.seed)
        scores, self.oof_folds_ = np.empty(len(y)), np.empty(len(y), dtype=np.intp)
        for fold, (train, test) in enumerate(splitter.split(X, y)):
            fitted = clone(self.network).fit(X.iloc[train], y[train])
            scores[test], self.oof_folds_[test] = fitted.decision_function(X.iloc[test]), fold
        self.slope_, self.intercept_ = fit_recalibration(scores[:, None], y)
        self.network_ = clone(self.network).fit(X, y)
        self.classes_ = self.network_.classes_
        self.oof_proba_ = self._probabilities(scores)
        return self

    def predict_proba(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """Return calibrated probabilities."""
        return self._probabilities(self.network_.decision_function(X))

    def _probabilities(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        p = expit(self.slope_ * scores + self.intercept_)
        return np.column_stack([1 - p, p])


# ------------------------------------------------------------------------------------------
# One fit against six


def measured(way: str, params: dict[str, Any], split: Split, seed: int) -> dict[str, float]:
    """Tune and calibrate once; return what `FIGURES` names."""
    calibrating = {"random_state": seed, "correct_prior": "oof", **params}
    network: Any = BalancedKerasClassifier(**calibrating)
    if way == "folds":
        network = Refitted(network.set_params(correct_prior=True), seed)
    tuned = ThresholdOptimizerCV(network, scoring="f1", cv="oof", random_state=seed)
    clear_compile_cache()  # each pays for its own tracing
    start = time.perf_counter()
    tuned.fit(split.X_train, split.y_train)
    seconds = time.perf_counter() - start
    p = tuned.predict_proba(split.X_test)[:, 1]
    return {
        "f1": float(f1_score(split.y_test, tuned.predict(split.X_test), zero_division=0.0)),
        "threshold": float(tuned.best_threshold_),
        "brier": float(brier_score_loss(split.y_test, p)),
        "log_loss": float(log_loss(split.y_test, p)),
        "seconds": seconds,
    }


def both(params: dict[str, Any], split: Split, seed: int) -> dict[str, float]:
    """Tune both ways, turn about; return the figures of each."""
    found = {}
    for way in WAYS[:: -1 if seed % 2 else 1]:
        figures = measured(way, params, split, seed)
        found.update({f"{key}_{way}": value for key, value in figures.items()})
    return found


def compare(plan: Plan, params: dict[str, Any], tag: str) -> None:
    """Tune on every split of the binary sets, and print the table.

    Parameters
    ----------
    plan : Plan
        Sets, splits and cache.
    params : dict
        Parameters of ours.
    tag : str
        What the results are kept under.
    """
    rows = []
    for name in plan.names:
        if name not in BINARY:
            continue
        table = read(plan.data, name, plan.most_rows)
        for seed in plan.seeds:
            wanted = {
                "set": name,
                "split": seed,
                "contestant": "oof against folds",
                "preparation": "native",
                "tag": tag,
                "most_rows": plan.most_rows,
                "params": params,
            }
            found = plan.cache.get(wanted)
            if found is None:
                found = {**wanted, **both(params, table.split(seed), seed)}
                plan.cache.add(found)
                print(f"{name:26s} split {seed}", file=sys.stderr, flush=True)
            rows.append(found)
    print_comparison(pd.DataFrame(rows))


def print_comparison(frame: pd.DataFrame) -> None:
    """Print means over splits, and the differences over sets."""
    columns = [f"{figure}_{way}" for figure in FIGURES for way in WAYS]
    frame["ratio"] = frame["seconds_oof"] / frame["seconds_folds"]
    means = frame.groupby("set", sort=False)[[*columns, "ratio"]].mean()
    print(" " * 28 + "".join(f"{figure:>18s}" for figure in FIGURES) + "     ratio")
    print(" " * 28 + "".join(f"{way:>9s}" for _ in FIGURES for way in WAYS))
    for name, row in [*means.iterrows(), (f"mean of {len(means)}", means.mean())]:
        print(f"{name:28s}" + "".join(f"{row[column]:9.3f}" for column in means))
    print("\noof less folds, over sets +- two standard errors")
    for figure in FIGURES[:-1]:
        gap = means[f"{figure}_oof"] - means[f"{figure}_folds"]
        print(f"  {figure:12s}{gap.mean():+.4f} +- {two_errors(gap):.4f}")
    gap = (frame["threshold_oof"] - frame["threshold_folds"]).abs()
    print(f"  thresholds differ by {gap.median():.3f} (median over splits)")
    ratio = frame["seconds_oof"].sum() / frame["seconds_folds"].sum()
    print(f"  seconds: {frame['ratio'].median():.3f} (median ratio), {ratio:.3f} (of the sums)")


# ------------------------------------------------------------------------------------------
# Noise


def chance(rows: int, positives: int) -> float:
    """Return the average precision to expect of a random order, which is above the base rate.

    Parameters
    ----------
    rows, positives : int
        All, and those of the rare class.

    Returns
    -------
    float
        The mean over all orders.

    Examples
    --------
    >>> print(round(chance(2, 1), 2))
    0.75
    """
    others = (positives - 1) / (rows - 1)
    return others + (1 - others) * float(np.sum(1 / np.arange(1, rows + 1))) / rows


def noise(seed: int) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return rows and labels that have nothing to do with each other."""
    rng = np.random.default_rng(seed)
    y = np.zeros(NOISE_ROWS, dtype=np.intp)
    y[rng.choice(NOISE_ROWS, NOISE_POSITIVES, replace=False)] = 1
    return rng.normal(size=(NOISE_ROWS, NOISE_COLUMNS)), y


def print_noise(params: dict[str, Any], seeds: int) -> None:
    """Print the average precision of the out-of-fold scores of noise beside chance.

    Parameters
    ----------
    params : dict
        Parameters of ours.
    seeds : int
        How many tables.
    """
    found = []
    for seed in range(seeds):
        X, y = noise(seed)
        network = BalancedKerasClassifier(**{"random_state": seed, **params}).fit(X, y)
        found.append(float(average_precision_score(y, network.oof_proba_[:, 1])))
        print(f"seed {seed:2d}: {found[-1]:.4f}", file=sys.stderr, flush=True)
    scores = pd.Series(found)
    random_order = chance(NOISE_ROWS, NOISE_POSITIVES)
    print(
        f"Out-of-fold average precision of noise: {scores.mean():.4f} +- {two_errors(scores):.4f} "
        f"(two standard errors over {seeds} tables, from {scores.min():.4f} to "
        f"{scores.max():.4f}); base rate {NOISE_POSITIVES / NOISE_ROWS:.4f}, expected of a random "
        f"order {random_order:.4f}"
    )
