"""Compare how long a grid search takes with SciKeras and here.

Twelve candidates (learning rate, class weight, dropout) by five folds, and the last fit. Ours
begins with an empty cache. One turn of SciKeras takes minutes, so one it is by default.

    python benchmarks/grid_search.py
"""

from __future__ import annotations

from typing import Any

from contestants import average_precision, ours, scikeras, table
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from timing import Contestant, options, parsed, race

from sk_imbalance_nn import clear_compile_cache

GRID: dict[str, list[Any]] = {
    "optimizer__learning_rate": [0.001, 0.003, 0.01],
    "class_weight": [None, "balanced"],
    "dropout": [0.2, 0.5],
}
TARGET = 8


def main() -> None:
    """Print the ratio, and what each found."""
    arguments = parsed(options(__doc__, repeats=1))
    rows, epochs, n_folds = (200, 1, 2) if arguments.quick else (1_000, 20, 5)
    X, y = table(rows)
    # SciKeras sets only parameters that it was made with.
    shared = {
        "batch_size": 32,
        "epochs": epochs,
        "dropout": 0.5,
        "optimizer__learning_rate": 0.001,
        "class_weight": None,
    }

    def search(classifier: Any) -> tuple[float, dict[str, Any]]:
        folds = StratifiedKFold(n_folds)
        found = GridSearchCV(classifier, GRID, scoring=average_precision, cv=folds).fit(X, y)
        return found.best_score_, found.best_params_

    ours(epochs=1).fit(X, y).predict(X)  # wakes TensorFlow up
    contestants = [
        Contestant("SciKeras", lambda: search(scikeras(**shared))),
        Contestant("ours", lambda: search(ours(**shared)), prepare=clear_compile_cache),
    ]
    outcome = race(contestants, arguments.repeats, warm_up=False)
    print(f"12 candidates by {n_folds} folds of {rows} rows, batches of 32, {epochs} epochs")
    print("Ratio of median times (range over turns)\n")
    print(f"SciKeras / ours  {outcome.ratio('SciKeras', 'ours').beside(TARGET)}\n")
    for name, results in outcome.results.items():
        score, params = results[0]
        print(f"{name:9s} best average precision {score:.3f}: {params}")


if __name__ == "__main__":
    main()
