"""Optimizers: AdamW along a cosine, for the networks that this package brings."""

from __future__ import annotations

from numbers import Real
from typing import Any

import keras
from keras import ops

from sk_imbalance_nn.networks.cosine_decay import CosineDecayTo

_TINY = 1e-30


@keras.saving.register_keras_serializable("sk_imbalance_nn")
class KernelAdamW(keras.optimizers.AdamW):
    """AdamW that leaves biases undecayed, also after it was saved or copied.

    The output layer's bias holds the prior, which no decay should pull to one half; Keras' own
    ``exclude_from_weight_decay`` is no part of an optimizer's configuration.

    Parameters
    ----------
    *args, **kwargs
        As for ``keras.optimizers.AdamW``.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.exclude_from_weight_decay(var_names=["bias"])


@keras.saving.register_keras_serializable("sk_imbalance_nn")
class MemberAdamW(KernelAdamW):
    """AdamW for members side by side, whose gradients are clipped a member at a time.

    A norm of all gradients together would tell each member of rows that it is blind to.

    Parameters
    ----------
    *args
        As for ``keras.optimizers.AdamW``.
    member_clipnorm : float, default=None
        The largest norm of a member's gradient, for the mean loss of that member.
    **kwargs
        As for ``keras.optimizers.AdamW``.
    """

    def __init__(self, *args: Any, member_clipnorm: float | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if member_clipnorm is not None and member_clipnorm <= 0:
            raise ValueError(f"member_clipnorm must be positive, found {member_clipnorm!r}.")
        self.member_clipnorm = member_clipnorm

    def apply(self, grads: Any, trainable_variables: Any = None) -> Any:
        """Clip, and take a step.

        Parameters
        ----------
        grads : list of tensors
            Of the mean loss over members, which are the first axis of each.
        trainable_variables : list of variables, default=None
            As for ``keras.optimizers.Optimizer``.

        Returns
        -------
        object
            What that returns.
        """
        if self.member_clipnorm is not None:
            # Of the mean over members, each has one part in so many.
            largest = self.member_clipnorm / grads[0].shape[0]
            squares = [ops.sum(ops.square(part), _all_axes_but_one(part)) for part in grads]
            shrunk = ops.minimum(1.0, largest * ops.rsqrt(sum(squares) + _TINY))
            grads = [
                part * ops.reshape(shrunk, (-1, *[1] * (len(part.shape) - 1))) for part in grads
            ]
        return super().apply(grads, trainable_variables)

    def get_config(self) -> dict[str, Any]:
        """Return what makes an equal optimizer."""
        return {**super().get_config(), "member_clipnorm": self.member_clipnorm}


def _all_axes_but_one(tensor: Any) -> tuple[int, ...]:
    return tuple(range(1, len(tensor.shape)))


def cosine_adamw(
    kind: type[KernelAdamW],
    learning_rate: Any,
    steps: int,
    *,
    floor: float,
    decays: bool = True,
    **kwargs: Any,
) -> Any:
    """Make AdamW whose learning rate falls along half a cosine, and then stays.

    Weight decay is decoupled [1]_: a step takes ``rate * weight_decay`` off each kernel entry.

    Parameters
    ----------
    kind : class
        `KernelAdamW` or a subclass.
    learning_rate : float or keras.optimizers.schedules.LearningRateSchedule
        Where the schedule starts; or another schedule, which is taken as it is.
    steps : int
        After how many steps it ends.
    floor : float
        The share of the rate that is left then.
    decays : bool, default=True
        Whether a schedule is made; callbacks that set the rate can do so only without one.
    **kwargs
        For its constructor, e.g. ``weight_decay``.

    Returns
    -------
    optimizer of that class
        Not built.

    Raises
    ------
    ValueError
        If `steps` is below 1.

    References
    ----------
    .. [1] Loshchilov, Hutter (2019). Decoupled weight decay regularization. ICLR.

    Examples
    --------
    >>> optimizer = cosine_adamw(KernelAdamW, 0.005, steps=1000, floor=0.05, weight_decay=1.0)
    >>> schedule = optimizer.get_config()["learning_rate"]["config"]
    >>> schedule["decay_steps"], schedule["initial_learning_rate"]
    (1000, 0.005)
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1, found {steps!r}.")
    if decays and isinstance(learning_rate, Real):
        learning_rate = CosineDecayTo(float(learning_rate), steps, floor=floor)
    return kind(learning_rate, **kwargs)
