"""How good is a classifier on several classes at once? The metrics that need no single class."""

from __future__ import annotations

import numpy as np
from scipy.special import entr
from sklearn.metrics import log_loss

from sk_imbalance_nn.decisions.counts import Counts
from sk_imbalance_nn.decisions.objectives import accuracy
from sk_imbalance_nn.decisions.rules import Codes
from sk_imbalance_nn.reporting.line import NAN, ReportLine, line_of
from sk_imbalance_nn.reporting.measures import balanced_metrics, shares_of
from sk_imbalance_nn.reporting.reading import Rows


def measure_together(rows: Rows, decided: Codes, is_one_each: bool) -> ReportLine:
    """Return the metrics of several classes at once.

    Parameters
    ----------
    rows : Rows
        More than two classes, of which each row has one.
    decided : ndarray of int of shape (n, n_classes)
        Indicator of decisions.
    is_one_each : bool
        Whether each row has one decision; else metrics of decisions are NaN.

    Returns
    -------
    ReportLine
        "overall": metrics of decisions and of probabilities, with chance levels.
    """
    codes, n_classes = rows.target.argmax(axis=1), len(rows.names)
    counts = Counts.of(codes, decided.argmax(axis=1), n_classes, rows.weight)
    true, said = shares_of(counts)
    decisions = {"accuracy": accuracy(counts), **balanced_metrics(counts)}
    # Rounding that was let pass is not to be warned of.
    proba = rows.proba / rows.proba.sum(axis=1, keepdims=True)
    squared = ((rows.proba - rows.target) ** 2).sum(axis=1)
    values = {
        **(decisions if is_one_each else dict.fromkeys(decisions, NAN)),
        "log_loss": log_loss(codes, proba, sample_weight=rows.weight, labels=range(n_classes)),
        "brier_score": np.average(squared, weights=rows.weight),
    }
    present = said[true > 0]
    chance = {
        "accuracy": true @ said,
        "balanced_accuracy": present.mean(),
        "geometric_mean": present.prod() ** (1 / len(present)),
        "matthews_corrcoef": 0.0,
        "log_loss": entr(true).sum(),
        "brier_score": true @ (1 - true),
    }
    return line_of("overall", values, chance)
