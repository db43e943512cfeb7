"""Which metrics are functions of confusion counts? Those of two libraries, recognised."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import sklearn.metrics

from sk_imbalance_nn.decisions.objectives import (
    Objective,
    accuracy,
    averaged,
    balanced_accuracy,
    cohen_kappa,
    error_rate,
    f_fraction,
    geometric_mean,
    jaccard_fraction,
    matthews,
    precision_fraction,
    recall_fraction,
    specificity_fraction,
)

# Arguments that the readers below look at; a metric with others set is not known.
_READ = {
    *("adjusted", "average", "beta", "correction", "labels", "normalize", "pos_label"),
    *("weights", "zero_division"),
}
_AVERAGES = ("binary", "macro", "weighted", "micro", "samples")


def objective_of(function: Any, arguments: Mapping[str, Any]) -> Objective | None:
    """Recognise a metric of scikit-learn or imbalanced-learn as a function of confusion counts.

    Parameters
    ----------
    function : callable
        The metric.
    arguments : mapping
        What it is called with beside the target and the predictions.

    Returns
    -------
    Objective or None
        None for any other function, or arguments that change what it counts.
    """
    name = getattr(function, "__name__", "")
    if function is getattr(sklearn.metrics, name, None):
        makers = _OF_SCIKIT_LEARN
    elif function is getattr(sys.modules.get("imblearn.metrics"), name, None):
        makers = _OF_IMBALANCED_LEARN
    else:
        return None
    if function is None or name not in makers:
        return None
    default = inspect.signature(function).parameters
    known = {
        key: arguments.get(key, default[key].default)
        for key in default
        if key not in ("y_true", "y_pred", "y1", "y2", "sample_weight")
    }
    if not (known.keys() >= arguments.keys() and _READ >= set(_changed(default, arguments))):
        return None
    return makers[name](known)


def _changed(default: Mapping[str, inspect.Parameter], arguments: Mapping[str, Any]) -> list[str]:
    """Return the names of the arguments that are not left at their defaults."""
    return [key for key, value in arguments.items() if value is not default[key].default]


def _with_average(
    name: str, fraction: Callable[..., Any]
) -> Callable[[Mapping[str, Any]], Objective | None]:
    """Make a reader of the arguments that scikit-learn's averaged metrics share."""

    def read(given: Mapping[str, Any]) -> Objective | None:
        average, empty = given.get("average"), given.get("zero_division", 0)
        empty = 0.0 if empty == "warn" else empty
        if average not in _AVERAGES or given.get("labels") is not None or empty not in (0, 1):
            return None
        of_class = partial(fraction, beta=given["beta"]) if "beta" in given else fraction
        return _averaged_objective(name, of_class, average, float(empty))

    return read


def _averaged_objective(
    name: str, fraction: Callable[..., Any], average: str, of_nothing: float
) -> Objective:
    def of(kind: str) -> Any:
        return partial(averaged, fraction=fraction, average=kind, of_nothing=of_nothing)

    one = Objective(name, of("binary"), one_sided=True)
    if average == "binary":
        return one
    # The average over samples exists for indicators only, where each row has counts of its own.
    quantity = of("macro" if average == "samples" else average)
    needs = average not in ("micro", "samples")
    return Objective(name, quantity, needs_every_class=needs, average=average, of_label=one)


def _plain(
    name: str, quantity: Callable[..., Any], needs_every_class: bool = True, **expected: Any
) -> Callable[[Mapping[str, Any]], Objective | None]:
    """Make a reader that knows a metric with the given arguments only."""

    def read(given: Mapping[str, Any]) -> Objective | None:
        if any(given.get(key) not in values for key, values in expected.items()):
            return None
        return Objective(name, quantity, needs_every_class=needs_every_class)

    return read


def _balanced_accuracy(given: Mapping[str, Any]) -> Objective | None:
    adjusted = bool(given["adjusted"])
    return Objective("balanced_accuracy", partial(balanced_accuracy, adjusted=adjusted))


def _subset_accuracy(given: Mapping[str, Any]) -> Objective | None:
    if not given["normalize"]:
        return None
    return Objective("accuracy", accuracy, needs_every_class=False, average="subset")


def _subset_error(given: Mapping[str, Any]) -> Objective | None:
    if not given["normalize"]:
        return None
    return Objective("zero_one_loss", error_rate, needs_every_class=False, average="subset")


_OF_SCIKIT_LEARN: dict[str, Callable[[Mapping[str, Any]], Objective | None]] = {
    "accuracy_score": _subset_accuracy,
    "balanced_accuracy_score": _balanced_accuracy,
    "cohen_kappa_score": _plain("kappa", cohen_kappa, weights=(None,), labels=(None,)),
    "f1_score": _with_average("f1", partial(f_fraction, beta=1.0)),
    "fbeta_score": _with_average("fbeta", f_fraction),
    "hamming_loss": _plain("hamming_loss", error_rate, needs_every_class=False),
    "jaccard_score": _with_average("jaccard", jaccard_fraction),
    "matthews_corrcoef": _plain("matthews_corrcoef", matthews),
    "precision_score": _with_average("precision", precision_fraction),
    "recall_score": _with_average("recall", recall_fraction),
    "zero_one_loss": _subset_error,
}

_OF_IMBALANCED_LEARN: dict[str, Callable[[Mapping[str, Any]], Objective | None]] = {
    "geometric_mean_score": _plain(
        "geometric_mean",
        geometric_mean,
        average=("multiclass",),
        correction=(0, 0.0),
        labels=(None,),
    ),
    "sensitivity_score": _with_average("sensitivity", recall_fraction),
    "specificity_score": _with_average("specificity", specificity_fraction),
}
