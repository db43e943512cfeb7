"""Schedule: how long to train, in what portions, and what came of it, whoever runs the loop."""

from __future__ import annotations

from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import numpy as np

from sk_imbalance_nn.balancing.batches import EpochPlan
from sk_imbalance_nn.balancing.epochs import Epoch


@dataclass(frozen=True)
class Schedule:
    """How long, and in what portions, to train.

    Parameters
    ----------
    epochs : int
        The epoch to end with; training starts after ``initial_epoch``.
    initial_epoch : int
        Epochs already behind.
    batch_size, validation_batch_size : int
        Rows a step.
    shuffle : bool
        Whether each epoch has an order of its own.
    steps_per_epoch : int or None
        A limit to the batches of an epoch.
    validation_freq : int or collection of int
        Every how many epochs, or after which ones (counted from 1), to validate.
    verbose : {0, 1, 2}
        Silence, a progress bar, or a line an epoch.
    """

    epochs: int = 1
    initial_epoch: int = 0
    batch_size: int = 32
    validation_batch_size: int = 1024
    shuffle: bool = True
    steps_per_epoch: int | None = None
    validation_freq: Any = 1
    verbose: int = 0

    @property
    def n_epochs(self) -> int:
        """How many epochs lie ahead."""
        return self.epochs - self.initial_epoch

    def validates(self, epoch: int) -> bool:
        """Say whether validation follows an epoch, counted from 0."""
        if isinstance(self.validation_freq, Integral):
            return (epoch + 1) % self.validation_freq == 0
        return epoch + 1 in self.validation_freq

    def limited(self, epoch: Epoch) -> Epoch:
        """Return an epoch of no more steps than ``steps_per_epoch``."""
        if self.steps_per_epoch is None:
            return epoch
        return epoch.shortened(self.steps_per_epoch * self.batch_size)

    def n_batches(self, epoch: Epoch) -> int:
        """Return how many batches an epoch has."""
        return -(-epoch.n_rows // self.batch_size)

    def plan(self, epoch: Epoch, rng: np.random.Generator) -> EpochPlan:
        """Draw the order of the next epoch."""
        return epoch.plan(self.batch_size, rng, self.shuffle)


@dataclass
class TrainingRun:
    """What came of training.

    Parameters
    ----------
    history : dict
        For each quantity in the logs, its value after each epoch.
    n_epochs : int
        Epochs run to their end.
    engine : {"traced", "xla", "keras"}
        Whose loop it was: the library's own, without or with XLA, or that of ``Model.fit``.
    """

    history: dict[str, list[Any]] = field(default_factory=dict)
    n_epochs: int = 0
    engine: str = "traced"
