"""Ensemble: a network of several members, each of which learns from rows of its own."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from sk_imbalance_nn._compat import names_from_the_start


@keras.saving.register_keras_serializable("sk_imbalance_nn")
class EnsembleNetwork(keras.Model):  # type: ignore[misc]
    """A network that ends in a `MemberHead`, and trains its members one by one.

    In training a row has as many answers as there are members. The loss is shown each of them
    with the row's target, so any loss serves. ``sample_weight`` may have a column for each member:
    zero where a member is not to learn from a row. Metrics are shown the members' mean.
    """

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Return the loss of all members' answers.

        Parameters
        ----------
        x, y : tensor of shape (n, ...)
            Rows and targets.
        y_pred : tensor of shape (n * members, units), or (n, units)
            Answers of the members, or their mean.
        sample_weight : tensor of shape (n,) or (n, members), default=None
            What each row weighs.
        training : bool, default=True
            As for ``keras.Model``.

        Returns
        -------
        tensor
            The mean.
        """
        if y is not None:
            n_answers = ops.shape(y_pred)[0] // ops.shape(y)[0]
            y = ops.repeat(y, n_answers, axis=0)
            if sample_weight is not None and len(sample_weight.shape) == 1:
                sample_weight = ops.repeat(sample_weight, n_answers, axis=0)
            elif sample_weight is not None:
                sample_weight = ops.reshape(sample_weight, (-1,))
        return super().compute_loss(x, y, y_pred, sample_weight, training=training)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Update the metrics with the mean of the members' answers.

        Parameters
        ----------
        x, y, y_pred, sample_weight : tensor
            As for `compute_loss`.

        Returns
        -------
        dict
            The metrics so far.
        """
        answers = ops.reshape(y_pred, (ops.shape(y)[0], -1, y_pred.shape[-1]))
        if sample_weight is not None and len(sample_weight.shape) == 2:
            sample_weight = ops.max(sample_weight, axis=1)
        return super().compute_metrics(x, y, ops.mean(answers, axis=1), sample_weight)


def network_of_members(model: keras.Model) -> keras.Model:
    """Return a network on the same layers in which each member reads rows of its own.

    Parameters
    ----------
    model : EnsembleNetwork
        Of `default_network`.

    Returns
    -------
    keras.Model
        Maps (n, members, n_columns) to logits of shape (n, members, units).

    Examples
    --------
    >>> import numpy as np
    >>> from sk_imbalance_nn.networks.default import default_network
    >>> from sk_imbalance_nn.networks.encoding import TableEncoding
    >>> X = np.arange(12, dtype="float32").reshape(4, 3)
    >>> meta = {"n_classes_": 2, "target_type_": "binary", "X_shape_": (4, 3)}
    >>> model = default_network(meta, TableEncoding().adapt(X), members=2)
    >>> network_of_members(model)(np.stack([X, X], axis=1)).shape
    TensorShape([4, 2, 1])
    """
    _, encoding, embedding, *hidden, head = model.layers
    tables = keras.Input((head.members, encoding.n_features), name="tables")
    # Names that count up would make each of these networks another one to the compile cache.
    with names_from_the_start():
        parts = encoding(ops.reshape(tables, (-1, encoding.n_features)))
        tensor = embedding(*(_members_first(part, head.members) for part in parts))
        for layer in hidden:
            tensor = layer(tensor)
        return keras.Model(tables, head(tensor, as_logits=True), name="members")


def _members_first(part: Any, members: int) -> Any:
    rows = ops.reshape(part, (-1, members, *part.shape[1:]))
    return ops.transpose(rows, (1, 0, *range(2, len(rows.shape))))
