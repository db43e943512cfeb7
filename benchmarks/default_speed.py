"""Time fits of the default network beside scikit-learn's trees and network.

One row in twenty is positive. "first" pays for tracing the program, "next" finds it in the cache of
the process. The contestants of a size take turns, so that ratios hold whatever else the machine
does; seconds do not.
"""

from __future__ import annotations

from typing import Any

from rivals import boosting, mlp
from sklearn.datasets import make_classification
from timing import Contestant, race

from sk_imbalance_nn import BalancedKerasClassifier, clear_compile_cache

SIZES = ((1_000, 10), (10_000, 30), (100_000, 30))
NEXT, FIRST, HGB, MLP = "ours, next", "ours, first", "HistGradientBoosting", "MLPClassifier"


def run(params: dict[str, Any], repeats: int) -> None:
    """Time all, and print medians, ranges and ratios.

    Parameters
    ----------
    params : dict
        Parameters of ours.
    repeats : int
        Turns that count.
    """
    for rows, columns in SIZES:
        X, y = make_classification(rows, columns, weights=[0.95], random_state=0)
        network = BalancedKerasClassifier(**{"random_state": 0, **params})
        trees, peer = boosting(0), mlp(0)
        outcome = race(
            [
                Contestant(NEXT, lambda fit=network.fit, X=X, y=y: fit(X, y)),
                Contestant(HGB, lambda fit=trees.fit, X=X, y=y: fit(X, y)),
                Contestant(MLP, lambda fit=peer.fit, X=X, y=y: fit(X, y)),
                Contestant(
                    FIRST, lambda fit=network.fit, X=X, y=y: fit(X, y), prepare=clear_compile_cache
                ),
            ],
            repeats,
        )
        print(f"\n{rows:,} x {columns}: seconds (range over {repeats} turns), ours as a multiple")
        for name, seconds in outcome.seconds.items():
            beside = ""
            if name in (HGB, MLP):
                ratio = outcome.ratio(NEXT, name)
                beside = f"   ours / it {ratio.value:6.2f} ({ratio.low:.2f} to {ratio.high:.2f})"
            spread = f"({min(seconds):.3f} to {max(seconds):.3f})"
            print(f"  {name:22s}{outcome.median(name):8.3f} {spread:20s}{beside}", flush=True)
