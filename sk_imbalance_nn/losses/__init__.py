"""Keras losses for rare classes.

Each knows the way from its minimum back to the posterior, so that an estimator's probabilities
stay probabilities. All work in a plain ``model.compile(loss=...)`` too; Keras loads
a network that was saved with one once this module is imported.
"""

import sk_imbalance_nn.networks  # noqa: F401 - loads TensorFlow quietly, before Keras does
from sk_imbalance_nn.losses.asymmetric import AsymmetricLoss
from sk_imbalance_nn.losses.focal import FocalLoss
from sk_imbalance_nn.losses.ldam import DeferredReweighting, LDAMLoss
from sk_imbalance_nn.losses.logit_adjusted import BalancedSoftmaxLoss, LogitAdjustedLoss
from sk_imbalance_nn.losses.weighted import WeightedCrossentropy
from sk_imbalance_nn.networks.head_losses import HeadLoss
from sk_imbalance_nn.networks.normalized_dense import NormalizedDense

__all__ = [
    "NAMED_LOSSES",
    "AsymmetricLoss",
    "BalancedSoftmaxLoss",
    "DeferredReweighting",
    "FocalLoss",
    "LDAMLoss",
    "LogitAdjustedLoss",
    "NormalizedDense",
    "WeightedCrossentropy",
]

NAMED_LOSSES: dict[str, type[HeadLoss]] = {
    "focal": FocalLoss,
    "logit_adjusted": LogitAdjustedLoss,
    "balanced_softmax": BalancedSoftmaxLoss,
    "ldam": LDAMLoss,
    "asymmetric": AsymmetricLoss,
}
