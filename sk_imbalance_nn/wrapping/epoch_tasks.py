"""Epochs as tasks: what Keras calls an epoch is what scikit-learn's callbacks hear of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras

from sk_imbalance_nn._fit_tasks import FitTask


class EpochTasks(keras.callbacks.Callback):
    """Tells scikit-learn's callbacks of each epoch, and stops when one of them says so.

    Parameters
    ----------
    fit : FitTask
        The fit that the epochs are parts of. After each, callbacks may have the estimator predict
        with the network as it stands; the copy that they are given shares that network.
    """

    def __init__(self, fit: FitTask) -> None:
        super().__init__()
        self._fit, self._epoch = fit, fit

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Begin a task."""
        self._epoch = replace(self._fit.part("epoch"), seen=self._fit.seen)
        self._epoch.begin()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """End it."""
        if self._epoch.end(predicts=True):
            self.model.stop_training = True
