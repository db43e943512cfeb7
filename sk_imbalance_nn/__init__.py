"""Keras networks as scikit-learn classifiers that see the rare class.

Names are loaded when they are first asked for: importing this package does not load TensorFlow.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sk_imbalance_nn.classifier import BalancedKerasClassifier
    from sk_imbalance_nn.networks.heads import output_layer

__version__ = "0.1.0.dev0"

__all__ = ["BalancedKerasClassifier", "output_layer"]

_HOMES = {
    "BalancedKerasClassifier": "sk_imbalance_nn.classifier",
    "output_layer": "sk_imbalance_nn.networks.heads",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
