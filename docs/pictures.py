"""Draw the pictures of the guide and the README: ``python docs/pictures.py``.

The dashboard is what the README's first block draws; the others show the same classifier, and its
network with a validation split.
"""

import os
import re
import tempfile
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

DOCS = Path(__file__).resolve().parent
IMAGES = DOCS / "images"


def main() -> None:
    """Run the README's first block, and draw."""
    from matplotlib import pyplot
    from sklearn.base import clone

    from sk_imbalance_nn import (
        ScoreDistributionDisplay,
        ThresholdCurveDisplay,
        TrainingHistoryDisplay,
    )

    text = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        exec(re.search(r"```python\n(.*?)```", text, re.DOTALL).group(1), names)
        os.chdir(DOCS)
    names["dashboard"].figure_.savefig(IMAGES / "dashboard.png", dpi=90)
    tuned, X, y = names["tuned"], names["X_test"], names["y_test"]
    training = names["X_train"], names["y_train"]
    figure, axes = pyplot.subplots(1, 3, figsize=(13, 3.8), layout="constrained")
    stopped = clone(tuned.estimator).set_params(early_stopping=True, validation_split=0.2)
    TrainingHistoryDisplay.from_estimator(stopped.fit(*training), ax=axes[0])
    ThresholdCurveDisplay.from_estimator(tuned, X, y, ax=axes[1])
    ScoreDistributionDisplay.from_estimator(tuned, X, y, ax=axes[2])
    figure.savefig(IMAGES / "displays.png", dpi=90)


if __name__ == "__main__":
    main()
