"""Compare how long a cross-validation takes with SciKeras, with MLPClassifier, and here.

Two contestants are ours: with an empty cache, so that the network is traced within the time, and
with the cache as an earlier call has left it. All see the same five stratified folds (SciKeras,
which current scikit-learn does not take for a classifier, would not get them by itself) and are
scored alike. MLPClassifier has no dropout. Ours is set to train as SciKeras does: without class
weights, without the prior in the output layer, without early stopping.

    python benchmarks/cross_validation.py
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from contestants import average_precision, ours, scikeras, table
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neural_network import MLPClassifier
from timing import Contestant, Race, options, parsed, race

from sk_imbalance_nn import clear_compile_cache

SIZES = ((1_000, 32, 20), (10_000, 32, 20), (10_000, 256, 20), (20_000, 2048, 50))
QUICK = ((500, 32, 2),)
TRACED, CACHED = "ours, cache empty", "ours, cache filled"


def run(rows: int, batch_size: int, epochs: int, repeats: int, dropout: float = 0.5) -> Race:
    """Cross-validate each contestant.

    Parameters
    ----------
    rows, batch_size, epochs : int
        What there is to do.
    repeats : int
        How often.
    dropout : float
        Of the networks.

    Returns
    -------
    Race
        The results are the scores of the five folds.
    """
    X, y = table(rows)
    shared: dict[str, Any] = {"batch_size": batch_size, "epochs": epochs, "dropout": dropout}
    mlp = MLPClassifier(
        (16,),
        batch_size=batch_size,
        max_iter=epochs,
        n_iter_no_change=10**6,
        tol=0,
        random_state=0,
    )

    def scores(classifier: Any) -> NDArray[np.float64]:
        folds = StratifiedKFold(5)
        return np.asarray(cross_val_score(classifier, X, y, scoring=average_precision, cv=folds))

    contestants = [
        Contestant("SciKeras", lambda: scores(scikeras(**shared))),
        Contestant(TRACED, lambda: scores(ours(**shared)), prepare=clear_compile_cache),
        Contestant(CACHED, lambda: scores(ours(**shared))),
        Contestant("MLP", lambda: scores(mlp)),
    ]
    return race(contestants, repeats, warm_up=False)


def show_scores(outcome: Race) -> None:
    """Print mean average precisions, and how far ours is from SciKeras'.

    Parameters
    ----------
    outcome : Race
        What `run` returned.
    """
    scores = {name: np.mean(scores, axis=0) for name, scores in outcome.results.items()}
    shown = {"SciKeras": "SciKeras", CACHED: "ours", "MLP": "MLP"}
    means = ", ".join(f"{label} {scores[name].mean():.3f}" for name, label in shown.items())
    difference = scores[CACHED] - scores["SciKeras"]
    error = difference.std(ddof=1) / np.sqrt(len(difference))
    print(f"  average precision: {means}")
    print(f"  ours - SciKeras: {difference.mean():+.3f} (s.e. over folds {error:.3f})", flush=True)


def main() -> None:
    """Print the ratios and the scores."""
    parser = options(__doc__, repeats=3)
    parser.add_argument("--dropout", type=float, default=0.5, help="MLPClassifier has none")
    arguments = parsed(parser)
    warnings.simplefilter("ignore", ConvergenceWarning)
    run(*QUICK[0], repeats=1)  # wakes everybody up
    repeats = 1 if arguments.quick else arguments.repeats
    print("Five folds; ratio of median times (range over turns)")
    for rows, batch_size, epochs in QUICK if arguments.quick else SIZES:
        outcome = run(rows, batch_size, epochs, repeats, arguments.dropout)
        print(f"\n{rows} rows, batches of {batch_size}, {epochs} epochs")
        print(f"  SciKeras / {TRACED}   {outcome.ratio('SciKeras', TRACED).beside(10)}")
        print(f"  MLP      / {CACHED}  {outcome.ratio('MLP', CACHED).beside(1)}")
        show_scores(outcome)


if __name__ == "__main__":
    main()
