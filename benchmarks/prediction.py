"""Compare how long a prediction takes with ``Model.predict`` and here.

Each time is that of several calls in a row. ``Model.predict`` gives the network's outputs and has
its default batch size; ours checks the rows as well, and makes probabilities or labels of them.

    python benchmarks/prediction.py
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from contestants import ours, table
from timing import Contestant, options, parsed, race

# Rows, calls in a row, and the target for Model.predict / ours.
SIZES = ((1, 20, 30), (20_000, 3, 10))
METHODS = ("predict_proba", "predict", "decision_function")


def calls(method: Callable[..., Any], times: int, *args: Any, **kwargs: Any) -> Callable[[], None]:
    """Return the work of calling a method several times.

    Parameters
    ----------
    method : callable
        What to call.
    times : int
        How often.
    *args, **kwargs
        What to call it with.

    Returns
    -------
    callable
        Does so.
    """

    def work() -> None:
        for _ in range(times):
            method(*args, **kwargs)

    return work


def main() -> None:
    """Print the ratios."""
    arguments = parsed(options(__doc__, repeats=15))
    repeats = 3 if arguments.quick else arguments.repeats
    X, y = table(20_000)
    fitted = ours(epochs=1, batch_size=2048).fit(X, y)
    print("Model.predict / ours: ratio of median times (range over turns)")
    for rows, times, target in SIZES:
        part = X[:rows]
        contestants = [
            Contestant("Model.predict", calls(fitted.model_.predict, times, part, verbose=0)),
            *(Contestant(name, calls(getattr(fitted, name), times, part)) for name in METHODS),
        ]
        outcome = race(contestants, repeats)
        print(f"\n{rows} row{'s' if rows > 1 else ''}")
        for name in METHODS:
            print(f"  {name:18s}{outcome.ratio('Model.predict', name).beside(target)}")


if __name__ == "__main__":
    main()
