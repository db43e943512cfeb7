"""Keras networks as scikit-learn classifiers that see the rare class."""

__version__ = "0.1.0.dev0"
