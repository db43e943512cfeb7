"""Keras networks as scikit-learn classifiers that see the rare class.

Names are loaded when they are first asked for: importing this package does not load TensorFlow.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sk_imbalance_nn.balancing.class_weight import effective_number_weights
    from sk_imbalance_nn.balancing.priors import correct_prior
    from sk_imbalance_nn.classifier import BalancedKerasClassifier
    from sk_imbalance_nn.networks.encoding import TableEncoding
    from sk_imbalance_nn.networks.heads import output_layer
    from sk_imbalance_nn.plotting.dashboard import ImbalanceDashboard, plot_imbalance_dashboard
    from sk_imbalance_nn.plotting.score_distribution import ScoreDistributionDisplay
    from sk_imbalance_nn.plotting.threshold_curve import ThresholdCurveDisplay
    from sk_imbalance_nn.plotting.training_history import TrainingHistoryDisplay
    from sk_imbalance_nn.report import imbalance_report
    from sk_imbalance_nn.threshold import ThresholdOptimizerCV
    from sk_imbalance_nn.training.compile_cache import (
        clear_compile_cache,
        compile_cache_info,
        set_compile_cache_size,
    )

__version__ = "0.1.0"

__all__ = [
    "BalancedKerasClassifier",
    "ImbalanceDashboard",
    "ScoreDistributionDisplay",
    "TableEncoding",
    "ThresholdCurveDisplay",
    "ThresholdOptimizerCV",
    "TrainingHistoryDisplay",
    "clear_compile_cache",
    "compile_cache_info",
    "correct_prior",
    "effective_number_weights",
    "imbalance_report",
    "output_layer",
    "plot_imbalance_dashboard",
    "set_compile_cache_size",
]

_HOMES = {
    "BalancedKerasClassifier": "sk_imbalance_nn.classifier",
    "ImbalanceDashboard": "sk_imbalance_nn.plotting.dashboard",
    "ScoreDistributionDisplay": "sk_imbalance_nn.plotting.score_distribution",
    "TableEncoding": "sk_imbalance_nn.networks.encoding",
    "ThresholdCurveDisplay": "sk_imbalance_nn.plotting.threshold_curve",
    "ThresholdOptimizerCV": "sk_imbalance_nn.threshold",
    "TrainingHistoryDisplay": "sk_imbalance_nn.plotting.training_history",
    "clear_compile_cache": "sk_imbalance_nn.training.compile_cache",
    "compile_cache_info": "sk_imbalance_nn.training.compile_cache",
    "correct_prior": "sk_imbalance_nn.balancing.priors",
    "effective_number_weights": "sk_imbalance_nn.balancing.class_weight",
    "imbalance_report": "sk_imbalance_nn.report",
    "output_layer": "sk_imbalance_nn.networks.heads",
    "plot_imbalance_dashboard": "sk_imbalance_nn.plotting.dashboard",
    "set_compile_cache_size": "sk_imbalance_nn.training.compile_cache",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
