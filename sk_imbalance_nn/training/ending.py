"""What ends training before its last epoch: the same for every loop."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from sk_imbalance_nn.training.early_stopping import BestEpoch, ValidationScore, diverged


def check_finite(loss: Any, epoch: int, model: keras.Model) -> None:
    """Refuse a loss that has blown up.

    Parameters
    ----------
    loss : float
        Of an epoch's training.
    epoch : int
        The epoch, counted from 0.
    model : keras.Model
        Whoever brought a ``TerminateOnNaN``, which stops it, wants no error.

    Raises
    ------
    ValueError
        If the loss is not finite.
    """
    if np.all(np.isfinite(loss)) or model.stop_training:
        return
    raise ValueError(diverged(f"The loss became {loss} in epoch {epoch + 1}"))


def has_waited_long_enough(
    best: BestEpoch,
    epoch: int,
    logs: Mapping[str, Any],
    model: keras.Model,
    *,
    score: ValidationScore | None,
    on_loss: bool,
) -> bool:
    """Show an epoch to early stopping, and return whether training ends with it.

    Parameters
    ----------
    best : BestEpoch
        Keeps the best epoch's weights.
    epoch : int
        The epoch, counted from 0.
    logs : mapping
        What validation found.
    model : keras.Model
        Whose weights they are.
    score : ValidationScore or None
        Which quantity to go by.
    on_loss : bool
        Whether to go by the validation loss instead.

    Returns
    -------
    bool
        True if no epoch has been better for too long.
    """
    value = -logs["val_loss"] if on_loss or score is None else logs[score.name]
    return best.update(value, epoch + 1, model)


def warn_of_interruption(n_epochs: int) -> None:
    """Warn that the user has ended training.

    Parameters
    ----------
    n_epochs : int
        Epochs run to their end.
    """
    warnings.warn(
        f"Training interrupted by the user after {n_epochs} epochs; the network keeps "
        "what it has learnt so far.",
        stacklevel=3,
    )


def finalize(model: keras.Model) -> None:
    """Let the optimizer put the averages of the weights, if it keeps any, in their place.

    Parameters
    ----------
    model : keras.Model
        Trained to the end.
    """
    if isinstance(model.optimizer, keras.optimizers.Optimizer):
        model.optimizer.finalize_variable_values(model.trainable_weights)
