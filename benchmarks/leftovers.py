"""Say how much memory fits leave behind, here and with SciKeras (on Linux).

Resident memory of the process, after fits that warm it up, and again after fits that each begin
with a seed of their own. The classifiers are not kept.

    python benchmarks/leftovers.py
    python benchmarks/leftovers.py --scikeras-fits 0    # ours alone
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from contestants import ours, scikeras, table
from timing import options, parsed

TARGET = 20.0


def resident() -> float:
    """Return the megabytes of memory that the process occupies.

    Returns
    -------
    float
        After unreachable objects are gone.
    """
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def growth(fit: Callable[[int], Any], n_warm: int, n_fits: int) -> float:
    """Return the megabytes by which fits make the process grow.

    Parameters
    ----------
    fit : callable
        Fits a new classifier, with the seed it is given.
    n_warm : int
        Fits that do not count.
    n_fits : int
        Fits that do.

    Returns
    -------
    float
        Resident memory after them less that before.
    """
    for seed in range(n_warm):
        fit(seed)
    before = resident()
    for seed in range(n_warm, n_warm + n_fits):
        fit(seed)
    return resident() - before


def main() -> None:
    """Print the growths."""
    parser = options(__doc__)
    parser.add_argument(
        "--scikeras-fits", type=int, default=10, help="0 leaves SciKeras out (default 10)"
    )
    arguments = parsed(parser)
    n_warm, n_fits, theirs = (3, 5, 2) if arguments.quick else (10, 150, arguments.scikeras_fits)
    X, y = table(1_000)
    shared = {"batch_size": 32, "epochs": 2}

    grown = growth(lambda seed: ours(random_state=seed, **shared).fit(X, y), n_warm, n_fits)
    verdict = "met" if grown < TARGET else "MISSED"
    print(f"ours      {grown:6.1f} MB over {n_fits} fits  target < {TARGET:g} MB: {verdict}")
    print(f"          {grown / n_fits:6.2f} MB a fit", flush=True)
    if theirs:
        grown = growth(lambda _: scikeras(**shared).fit(X, y), n_warm, theirs)
        print(f"SciKeras  {grown / theirs:6.2f} MB a fit, over {theirs} fits")


if __name__ == "__main__":
    main()
