"""How well is one class told from the rest? Its counts, metrics and their chance levels."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import entr
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from sk_imbalance_nn.decisions.counts import Counts, Values, sums_by
from sk_imbalance_nn.decisions.objectives import (
    balanced_accuracy,
    f_fraction,
    geometric_mean,
    matthews,
    share,
)
from sk_imbalance_nn.reporting.calibration import Bins, calibration_error
from sk_imbalance_nn.reporting.line import NAN, ReportLine, line_of
from sk_imbalance_nn.reporting.one_sided import OneSided


def measure(one: OneSided, bins: Bins) -> ReportLine:
    """Return all metrics of one class against the rest.

    Parameters
    ----------
    one : OneSided
        What is true, said and decided of the class.
    bins : Bins
        Those of the calibration error.

    Returns
    -------
    ReportLine
        Its name, its metrics and their chance levels.
    """
    counts = Counts.of(one.target, one.decided, 2, one.weight)
    true, said = shares_of(counts)
    support, alarms, hits = counts.actual[1], counts.predicted[1], counts.hits[1]
    values = {
        "support": support,
        "prevalence": true[1],
        "threshold": one.threshold,
        "alarms": alarms,
        "hits": hits,
        "misses": support - hits,
        "false_alarms": alarms - hits,
        "alarms_per_1000": 1000 * said[1],
        **_ranking(one, true[1]),
        **_probabilities(one, bins),
        **_decisions(counts),
    }
    return line_of(one.name, values, _chance(true, said))


def shares_of(counts: Counts) -> tuple[Values, Values]:
    """Return the shares of the classes among the rows, and among the decisions.

    Parameters
    ----------
    counts : Counts
        Of one set of decisions.

    Returns
    -------
    true : ndarray of shape (n_classes,)
        Over their own sum, so that rounding takes no share beyond 1.
    said : ndarray of shape (n_classes,)
        Likewise.
    """
    return counts.actual / counts.actual.sum(), counts.predicted / counts.predicted.sum()


def balanced_metrics(counts: Counts) -> dict[str, Any]:
    """Return the metrics of decisions that treat all classes alike.

    Parameters
    ----------
    counts : Counts
        Of one set of decisions about two or more classes.

    Returns
    -------
    dict of str to float
        Over the classes that occur; NaN if only one does.
    """
    metrics = {
        "geometric_mean": geometric_mean,
        "balanced_accuracy": balanced_accuracy,
        "matthews_corrcoef": matthews,
    }
    is_defined = np.count_nonzero(counts.actual) > 1
    return {name: metric(counts) if is_defined else NAN for name, metric in metrics.items()}


def _ranking(one: OneSided, prevalence: float) -> dict[str, Any]:
    weighed = {"sample_weight": one.weight}
    if not one.target.any():
        return dict.fromkeys(("average_precision", "roc_auc", "lift_at_1_percent"), NAN)
    return {
        "average_precision": average_precision_score(one.target, one.score, **weighed),
        "roc_auc": NAN if one.target.all() else roc_auc_score(one.target, one.score, **weighed),
        "lift_at_1_percent": _share_in_top(one, 100) / prevalence,
    }


def _share_in_top(one: OneSided, one_in: int) -> float:
    """Return the share of positives in the top, with ties in the mean over all choices."""
    room = one.weight.sum() / one_in
    if (one.weight == np.floor(one.weight)).all():
        room = np.ceil(room)
    score, group = np.unique(-one.score, return_inverse=True)
    taken = np.cumsum(sums_by(group, one.weight, len(score)))
    positives = np.cumsum(sums_by(group, one.weight * one.target, len(score)))
    # Within a group of equal scores, each row has the same part in what room is left.
    return float(np.interp(room, [0.0, *taken], [0.0, *positives]) / room)


def _probabilities(one: OneSided, bins: Bins) -> dict[str, Any]:
    weighed = {"sample_weight": one.weight}
    return {
        "brier_score": brier_score_loss(one.target, one.score, pos_label=1, **weighed),
        "log_loss": log_loss(one.target, one.score, labels=[0, 1], **weighed),
        "calibration_error": calibration_error(one, bins),
    }


def _decisions(counts: Counts) -> dict[str, Any]:
    specificity, recall = share(counts.hits, counts.actual, NAN)
    return {
        "precision": share(counts.hits, counts.predicted, NAN)[1],
        "recall": recall,
        "specificity": specificity,
        "f1": share(*f_fraction(counts, beta=1.0), NAN)[1],
        **balanced_metrics(counts),
    }


def _chance(true: Values, said: Values) -> dict[str, Any]:
    """Return what metrics come to without knowledge, from shares of rows and of decisions."""
    prevalence, alarms = true[1], said[1]
    return {
        "average_precision": prevalence,
        "roc_auc": 0.5,
        "lift_at_1_percent": 1.0,
        "brier_score": true.prod(),
        "log_loss": entr(true).sum(),
        "precision": prevalence,
        "recall": alarms,
        "specificity": said[0],
        "f1": share(2 * prevalence * alarms, prevalence + alarms),
        "geometric_mean": np.sqrt(said.prod()),
        "balanced_accuracy": 0.5,
        "matthews_corrcoef": 0.0,
    }
