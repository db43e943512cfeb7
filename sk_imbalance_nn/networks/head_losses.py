"""The losses that a head brings: its own cross-entropy, and weights for single labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import keras
import numpy as np

from sk_imbalance_nn._compat import expand_outputs
from sk_imbalance_nn.networks.heads import SIGMOID, Head, loss_name


@keras.saving.register_keras_serializable("sk_imbalance_nn")
class HeadCrossentropy(keras.losses.Loss):
    """Cross-entropy that fits a head: what ``loss="auto"`` stands for.

    Before the head is known (builders may compile with ``compile_kwargs["loss"]``) it is only a
    placeholder, which the estimator replaces once the network stands.

    Parameters
    ----------
    head : Head, dict or None
        The head; None for the placeholder.
    name, reduction, dtype : str, str, dtype
        As for ``keras.losses.Loss``.
    """

    def __init__(
        self,
        head: Head | Mapping[str, Any] | None = None,
        name: str = "crossentropy",
        reduction: str = "sum_over_batch_size",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.head = Head(**head) if isinstance(head, Mapping) else head

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each row."""
        if self.head is None:
            raise ValueError("loss='auto' is chosen once the network is built; none is yet.")
        if self.head.link == SIGMOID:
            function = keras.losses.binary_crossentropy
        else:
            function = keras.losses.sparse_categorical_crossentropy
        return function(y_true, y_pred, from_logits=self.head.from_logits)

    def get_config(self) -> dict[str, Any]:
        """Return what makes an equal loss."""
        head = None if self.head is None else asdict(self.head)
        return {**super().get_config(), "head": head}


@keras.saving.register_keras_serializable("sk_imbalance_nn")
class LabelWeighted(keras.losses.Loss):
    """A loss on single outputs, with a weight for each label's zeros and for its ones.

    Keras reduces a multilabel loss over the labels before weights can reach them, and its
    ``class_weight`` gives a whole row the weight of its first positive label.

    Parameters
    ----------
    loss : keras.losses.Loss or callable
        A loss that is a mean over single outputs, e.g. binary cross-entropy.
    weights : array-like of shape (n_labels, 2)
        The weight of a 0 and of a 1, a label.
    name, reduction, dtype : str, str, dtype
        As for ``keras.losses.Loss``.
    """

    def __init__(
        self,
        loss: Any,
        weights: Any,
        name: str | None = None,
        reduction: str = "sum_over_batch_size",
        dtype: Any = None,
    ) -> None:
        if isinstance(loss, Mapping):
            loss = keras.losses.deserialize(dict(loss))
        super().__init__(
            name=name or f"label_weighted_{loss_name(loss)}", reduction=reduction, dtype=dtype
        )
        self.loss = loss
        # A variable, so that networks that differ in their weights alone can share programs.
        self.weights = keras.Variable(
            np.asarray(weights, dtype=np.float32), trainable=False, name="label_weights"
        )

    @property
    def variables(self) -> list[Any]:
        """The variables that the loss reads."""
        return [self.weights]

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the weighted loss of each row."""
        function = self.loss.call if isinstance(self.loss, keras.losses.Loss) else self.loss
        # One output an axis of its own keeps the loss from averaging over the labels.
        losses = function(keras.ops.expand_dims(y_true, -1), expand_outputs(y_pred))
        weights = keras.ops.convert_to_tensor(self.weights)
        negative, positive = weights[:, 0], weights[:, 1]
        weight = y_true * positive + (1 - y_true) * negative
        return keras.ops.mean(weight * losses, axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Return what makes an equal loss."""
        return {
            **super().get_config(),
            "loss": keras.losses.serialize(self.loss),
            "weights": np.asarray(self.weights).tolist(),
        }
