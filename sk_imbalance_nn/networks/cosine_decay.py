"""A learning rate that falls along half a cosine, and keeps its numbers in variables."""

from __future__ import annotations

import math
from typing import Any

import keras


@keras.saving.register_keras_serializable("sk_imbalance_nn")
class CosineDecayTo(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """Half a cosine from a learning rate to a share of it, which then stays.

    ``rate * (floor + (1 - floor) * (1 + cos(pi * step / decay_steps)) / 2)`` [1]_: the values of
    ``keras.optimizers.schedules.CosineDecay``. That one writes its numbers into every program that
    is traced; here they stand in variables, so that fits on other numbers of rows, or with other
    rates, can share a program.

    Parameters
    ----------
    initial_learning_rate : float
        The rate of the first step.
    decay_steps : int
        After how many steps the rate has fallen to ``floor * initial_learning_rate``.
    floor : float, default=0.0
        The share of the rate that is left.
    start : int, default=0
        The step that the cosine begins at.

    References
    ----------
    .. [1] Loshchilov, Hutter (2017). SGDR: Stochastic gradient descent with warm restarts.
       ICLR, equation 5, without restarts.

    Examples
    --------
    >>> rate = CosineDecayTo(0.1, 10)
    >>> [round(float(rate(step)), 4) for step in (0, 5, 10, 11)]
    [0.1, 0.05, 0.0, 0.0]
    """

    held_in_variables = ("initial_learning_rate", "decay_steps", "start")

    def __init__(
        self, initial_learning_rate: float, decay_steps: int, floor: float = 0.0, start: int = 0
    ) -> None:
        super().__init__()
        self.initial_learning_rate, self.decay_steps = initial_learning_rate, decay_steps
        self.floor, self.start = floor, start
        numbers = {"rate": initial_learning_rate, "decay_steps": decay_steps, "start": start}
        self.variables = [
            keras.Variable(float(value), trainable=False, dtype="float32", name=name)
            for name, value in numbers.items()
        ]

    def restart(self, step: int, decay_steps: int) -> None:
        """Begin anew: training goes on, and a rate that has fallen to zero would teach nothing.

        Parameters
        ----------
        step : int
            The next step, counted from the first one of all.
        decay_steps : int
            How many steps the new half cosine takes.
        """
        self.start, self.decay_steps = step, decay_steps
        for variable, number in zip(self.variables[1:], (decay_steps, step), strict=True):
            variable.assign(float(number))

    def __call__(self, step: Any) -> Any:
        """Return the rate of a step, counted from 0."""
        rate, decay_steps, start = (keras.ops.convert_to_tensor(part) for part in self.variables)
        share = (keras.ops.cast(step, "float32") - start) / decay_steps
        share = keras.ops.minimum(share, 1.0)
        fallen = 0.5 * (1.0 + keras.ops.cos(math.pi * share))
        return rate * (self.floor + (1.0 - self.floor) * fallen)

    def get_config(self) -> dict[str, Any]:
        """Return what makes an equal schedule."""
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "floor": self.floor,
            "start": self.start,
        }
