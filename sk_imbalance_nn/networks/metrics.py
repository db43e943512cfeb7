"""Keras metrics, set up for the head.

A metric named by a string means the same whatever the network ends in: one sigmoid unit, two
softmax units, or logits. `metrics_for_head` puts an adapter before it that hands it the labels
and the probabilities in one form, and chooses averages that tell a rare class from a common one
(Keras' defaults are micro averages, which for more than two classes all equal accuracy).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import keras

from sk_imbalance_nn._compat import direction_of
from sk_imbalance_nn.data.targets import BINARY, MULTILABEL
from sk_imbalance_nn.networks.heads import SIGMOID, Head

# Metrics that count right answers of probabilities against a cut, and so need one form of both.
_ADAPTED = (
    keras.metrics.AUC,
    keras.metrics.BinaryAccuracy,
    keras.metrics.FBetaScore,
    keras.metrics.FalseNegatives,
    keras.metrics.FalsePositives,
    keras.metrics.Precision,
    keras.metrics.PrecisionAtRecall,
    keras.metrics.Recall,
    keras.metrics.RecallAtPrecision,
    keras.metrics.SensitivityAtSpecificity,
    keras.metrics.SpecificityAtSensitivity,
    keras.metrics.TrueNegatives,
    keras.metrics.TruePositives,
)


def metrics_for_head(metrics: Any, head: Head) -> Any:
    """Set up metrics for a head.

    Parameters
    ----------
    metrics : None, str, callable, keras.metrics.Metric, or list, tuple or dict of them
        As ``compile`` takes them.
    head : Head
        The head of the network.

    Returns
    -------
    None or list
        Metrics for ``compile``: those named by strings, and those that compare probabilities
        with a cut, adapted to the head; others as they are.

    Examples
    --------
    >>> head = Head("binary", 2, 2, "softmax", False, "codes")
    >>> [metric.name for metric in metrics_for_head(["accuracy", "AUC"], head)]
    ['accuracy', 'AUC']
    """
    if not metrics:
        return None
    if isinstance(metrics, Mapping):
        metrics = list(metrics.values())
    if not isinstance(metrics, list | tuple):
        metrics = [metrics]
    adapted = []
    for metric in metrics:
        if isinstance(metric, Mapping | list | tuple):
            adapted.extend(metrics_for_head(metric, head) or [])
        else:
            adapted.append(_adapt(metric, head))
    _number_equal_names(adapted)
    return adapted


def _adapt(metric: Any, head: Head) -> Any:
    if isinstance(metric, str):
        named = _by_name(metric, head)
        named.name = metric
        return named if _is_sparse(metric) else HeadMetric(named, head)
    if isinstance(metric, _ADAPTED):
        return HeadMetric(metric, head)
    return metric


def _number_equal_names(metrics: list[Any]) -> None:
    """Tell metrics of one name apart, or they would share one line in the history."""
    seen: dict[str, int] = {}
    for metric in metrics:
        name = getattr(metric, "name", None)
        if isinstance(metric, keras.metrics.Metric):
            if name in seen:
                metric.name = f"{name}_{seen[name]}"
            seen[name] = seen.get(name, 0) + 1


def _is_sparse(name: str) -> bool:
    """Say whether a metric wants class codes instead of one-hot rows."""
    return name.lower().startswith("sparse")


def _by_name(name: str, head: Head) -> keras.metrics.Metric:
    """Return the metric of that name, averaged so that it sees every class."""
    known = _snake_name(name)
    several = head.target_type != BINARY
    if known in ("accuracy", "acc"):
        if head.target_type in (BINARY, MULTILABEL):
            return keras.metrics.BinaryAccuracy()
        return keras.metrics.CategoricalAccuracy()
    if known in ("crossentropy", "ce"):
        if head.link == SIGMOID or head.target_type == BINARY:
            return keras.metrics.BinaryCrossentropy()
        return keras.metrics.CategoricalCrossentropy()
    if known == "auc" and several:
        return keras.metrics.AUC(multi_label=True, num_labels=head.n_classes)
    if known in ("f1_score", "f_beta_score"):
        threshold = None if head.target_type not in (BINARY, MULTILABEL) else 0.5
        kind = keras.metrics.F1Score if known == "f1_score" else keras.metrics.FBetaScore
        return kind(average="macro", threshold=threshold)
    if known in ("precision", "recall") and several and head.target_type != MULTILABEL:
        return MacroScore(known, head.n_classes)
    metric = keras.metrics.get(name)
    if isinstance(metric, type):
        metric = metric()
    if not isinstance(metric, keras.metrics.Metric):
        metric = keras.metrics.MeanMetricWrapper(metric)
    return metric


def _snake_name(name: str) -> str:
    """Spell a metric's name in one way: ``"Precision"`` as ``"precision"``."""
    spelt = {"auc": "auc", "f1score": "f1_score", "fbetascore": "f_beta_score"}
    return spelt.get(name.lower(), name.lower())


@keras.saving.register_keras_serializable("sk_imbalance_nn")
class HeadMetric(keras.metrics.Metric):
    """A Keras metric that is handed labels and probabilities in one form for every head.

    Binary targets: a column of zeros and ones, and the probability of the second class.
    Multiclass: one-hot rows and probabilities. Multilabel: the indicator and probabilities.

    Parameters
    ----------
    metric : keras.metrics.Metric
        The metric.
    head : Head or dict
        The head of the network.
    name, dtype : str, dtype
        As for ``keras.metrics.Metric``.
    """

    def __init__(self, metric: Any, head: Any, name: str | None = None, dtype: Any = None) -> None:
        if isinstance(metric, Mapping):
            metric = keras.metrics.deserialize(dict(metric))
        super().__init__(name=name or metric.name, dtype=dtype)
        self.metric = metric
        self.head = Head(**head) if isinstance(head, Mapping) else head
        if direction_of(metric) is not None:
            self._direction = direction_of(metric)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count one batch."""
        labels, probabilities = self._labels(y_true), self._probabilities(y_pred)
        self.metric.update_state(labels, probabilities, sample_weight=sample_weight)

    def _labels(self, y_true: Any) -> Any:
        head, ops = self.head, keras.ops
        y_true = ops.convert_to_tensor(y_true)
        if head.encoding == "codes":
            y_true = ops.one_hot(ops.cast(ops.reshape(y_true, (-1,)), "int32"), head.n_classes)
        if head.target_type == BINARY and head.units == 2:
            return y_true[:, 1:]
        return ops.reshape(y_true, (-1, 1 if head.target_type == BINARY else head.n_classes))

    def _probabilities(self, y_pred: Any) -> Any:
        head, ops = self.head, keras.ops
        y_pred = ops.convert_to_tensor(y_pred)
        if head.from_logits:
            y_pred = ops.sigmoid(y_pred) if head.link == SIGMOID else ops.softmax(y_pred)
        return y_pred[:, 1:] if head.target_type == BINARY and head.units == 2 else y_pred

    def result(self) -> Any:
        """Return the metric over the batches counted since the last reset."""
        return self.metric.result()

    def reset_state(self) -> None:
        """Forget all batches."""
        self.metric.reset_state()

    @property
    def variables(self) -> list[Any]:
        """The variables of the metric."""
        return list(self.metric.variables)

    def get_config(self) -> dict[str, Any]:
        """Return what makes an equal metric."""
        return {
            **super().get_config(),
            "metric": keras.metrics.serialize(self.metric),
            "head": asdict(self.head),
        }


@keras.saving.register_keras_serializable("sk_imbalance_nn")
class MacroScore(keras.metrics.Metric):
    """Precision or recall of the most probable class, averaged over the classes.

    A class that is never met (recall), or never predicted (precision), counts as zero unless it
    is neither met nor predicted, as in scikit-learn's macro average over the labels present.

    Parameters
    ----------
    score : {"precision", "recall"}
        Which of the two.
    n_classes : int
        How many classes.
    name, dtype : str, dtype
        As for ``keras.metrics.Metric``.
    """

    def __init__(
        self, score: str, n_classes: int, name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(name=name or f"macro_{score}", dtype=dtype)
        self._direction = "up"
        self.score, self.n_classes = score, n_classes
        self.hits, self.predicted, self.met = (
            self.add_weight(shape=(n_classes,), initializer="zeros", name=part)
            for part in ("hits", "predicted", "met")
        )

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count one batch of one-hot rows and probabilities."""
        ops = keras.ops
        y_true = ops.cast(y_true, self.dtype)
        chosen = ops.one_hot(ops.argmax(y_pred, axis=-1), self.n_classes, dtype=self.dtype)
        weight = 1.0
        if sample_weight is not None:
            weight = ops.reshape(ops.cast(sample_weight, self.dtype), (-1, 1))
        self.hits.assign_add(ops.sum(weight * y_true * chosen, axis=0))
        self.predicted.assign_add(ops.sum(weight * chosen, axis=0))
        self.met.assign_add(ops.sum(weight * y_true, axis=0))

    def result(self) -> Any:
        """Return the average over the classes met or predicted."""
        ops = keras.ops
        whole = self.predicted if self.score == "precision" else self.met
        shares = ops.divide_no_nan(self.hits, ops.convert_to_tensor(whole))
        present = ops.cast(self.met + self.predicted > 0, self.dtype)
        return ops.divide_no_nan(ops.sum(shares), ops.sum(present))

    def get_config(self) -> dict[str, Any]:
        """Return what makes an equal metric."""
        return {**super().get_config(), "score": self.score, "n_classes": self.n_classes}
