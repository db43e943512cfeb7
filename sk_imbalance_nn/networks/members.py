"""Members: layers that hold several networks of one shape, side by side.

Their tensors have an axis of members in front: (members, n, units), or (1, n, units) while all
read the same rows. So one batched product serves all members, each weight has the members as its
first axis, and nothing that a member learns reaches another.
"""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

_BIAS_SPREAD = 0.1


@keras.saving.register_keras_serializable("sk_imbalance_nn")
class ColumnEmbedding(keras.layers.Layer):
    """Embed the bins of each column: ``relu(bins @ kernel + bias)``, for each member its own.

    Features that are to be read as they are go along.

    With piecewise-linear bins before it, an embedding is a piecewise-linear function of the
    column [1]_. A few of them a column learn faster, and cost less, than a dense layer on all
    bins.

    Parameters
    ----------
    members : int
        How many members.
    units : int
        Numbers that a column becomes.
    **kwargs
        For ``keras.layers.Layer``.

    References
    ----------
    .. [1] Gorishniy, Rubachev, Babenko (2022). On embeddings for numerical features in tabular
       deep learning. NeurIPS, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> embedding = ColumnEmbedding(members=5, units=4)
    >>> embedding(np.ones((9, 7)), np.ones((9, 3, 32))).shape
    TensorShape([5, 9, 19])
    """

    def __init__(self, members: int, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.members, self.units = members, units

    def build(self, features_shape: Any, bins_shape: Any) -> None:
        """Make kernel and bias.

        Parameters
        ----------
        features_shape, bins_shape : tuple
            (n, n_features) and (n, n_binned, n_bins), or with the members in front.
        """
        *_, n_binned, n_bins = bins_shape
        if not self.units:
            return
        self.kernel = self.add_weight(
            shape=(self.members, n_binned, n_bins, self.units),
            initializer=keras.initializers.RandomNormal(0.0, n_bins**-0.5),
            name="kernel",
        )
        self.bias = self.add_weight(
            shape=(self.members, 1, n_binned * self.units),
            initializer=keras.initializers.RandomNormal(0.0, _BIAS_SPREAD),
            name="bias",
        )

    def call(self, features: Any, bins: Any) -> Any:
        """Embed the bins, and put the features before them.

        Parameters
        ----------
        features : tensor of shape (n, n_features), or (members, n, n_features)
            What is read as it is, by all members or by each.
        bins : tensor of shape (n, n_binned, n_bins), or (members, n, n_binned, n_bins)
            Codes of the columns.

        Returns
        -------
        tensor of shape (members, n, n_features + n_binned * units)
            Both.
        """
        if len(features.shape) == 2:
            shape = (self.members, ops.shape(features)[0], features.shape[1])
            features = ops.broadcast_to(ops.expand_dims(features, 0), shape)
        if not self.units:
            return features
        embedded = self._embedded(bins)
        return ops.concatenate([features, ops.relu(embedded + self.bias)], axis=-1)

    def _embedded(self, bins: Any) -> Any:
        kernel = ops.convert_to_tensor(self.kernel)
        members, n_binned, n_bins, units = kernel.shape
        n_rows = ops.shape(bins)[-3]
        if len(bins.shape) == 3:
            # One product a column for all members is faster than one for each of them.
            side_by_side = ops.reshape(
                ops.transpose(kernel, (1, 2, 0, 3)), (n_binned, n_bins, members * units)
            )
            products = ops.matmul(ops.transpose(bins, (1, 0, 2)), side_by_side)
            products = ops.reshape(products, (n_binned, n_rows, members, units))
            products = ops.transpose(products, (2, 1, 0, 3))
        else:
            products = ops.matmul(ops.transpose(bins, (0, 2, 1, 3)), kernel)
            products = ops.transpose(products, (0, 2, 1, 3))
        return ops.reshape(products, (members, n_rows, n_binned * units))

    def compute_output_shape(self, features_shape: Any, bins_shape: Any) -> tuple[Any, ...]:
        """Return the shape of the output.

        Parameters
        ----------
        features_shape, bins_shape : tuple
            As for `build`.

        Returns
        -------
        tuple
            (members, n, n_features + n_binned * units).
        """
        n_rows, n_features = features_shape[-2:]
        return (self.members, n_rows, n_features + bins_shape[-2] * self.units)

    def get_config(self) -> dict[str, Any]:
        """Return what makes an equal layer.

        Returns
        -------
        dict
            Arguments of the constructor.
        """
        return {**super().get_config(), "members": self.members, "units": self.units}


@keras.saving.register_keras_serializable("sk_imbalance_nn")
class MemberDense(keras.layers.Layer):
    """A dense layer a member: ``relu(x @ kernel + bias)``.

    Parameters
    ----------
    members : int
        How many members.
    units : int
        Outputs of each.
    gain : float, default=1.0
        Kernels start as normal numbers with the variance ``gain**2 * 2 / n_inputs``.
    **kwargs
        For ``keras.layers.Layer``.

    Examples
    --------
    >>> import numpy as np
    >>> MemberDense(members=5, units=4)(np.ones((1, 9, 3))).shape
    TensorShape([5, 9, 4])
    """

    def __init__(self, members: int, units: int, gain: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.members, self.units, self.gain = members, units, gain

    def build(self, input_shape: Any) -> None:
        """Make kernel and bias.

        Parameters
        ----------
        input_shape : tuple
            (1 or members, n, n_inputs).
        """
        n_inputs = input_shape[-1]
        spread = self.gain * math.sqrt(2 / n_inputs)
        self.kernel = self.add_weight(
            shape=(self.members, n_inputs, self.units),
            initializer=keras.initializers.RandomNormal(0.0, spread),
            name="kernel",
        )
        self.bias = self.add_weight(
            shape=(self.members, 1, self.units),
            initializer=keras.initializers.RandomNormal(0.0, _BIAS_SPREAD),
            name="bias",
        )

    def call(self, inputs: Any) -> Any:
        """Return the outputs of all members.

        Parameters
        ----------
        inputs : tensor of shape (1 or members, n, n_inputs)
            What all read, or each its own.

        Returns
        -------
        tensor of shape (members, n, units)
            At least 0.
        """
        return ops.relu(ops.matmul(inputs, self.kernel) + self.bias)

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """Return the shape of the outputs.

        Parameters
        ----------
        input_shape : tuple
            (1 or members, n, n_inputs).

        Returns
        -------
        tuple
            (members, n, units).
        """
        return (self.members, input_shape[1], self.units)

    def get_config(self) -> dict[str, Any]:
        """Return what makes an equal layer.

        Returns
        -------
        dict
            Arguments of the constructor.
        """
        config = {"members": self.members, "units": self.units, "gain": self.gain}
        return {**super().get_config(), **config}


@keras.saving.register_keras_serializable("sk_imbalance_nn")
class MemberHead(keras.layers.Layer):
    """The last layer: a head a member, and the mean of their probabilities.

    In training the members answer one by one, so that each learns from its own mistakes;
    otherwise the answer is the mean of their probabilities, computed from logits such that it
    does not saturate before they do.

    Parameters
    ----------
    members : int
        How many members.
    units : int
        Outputs of each.
    activation : {"sigmoid", "softmax"}
        What makes probabilities of logits.
    **kwargs
        For ``keras.layers.Layer``.

    Examples
    --------
    >>> import numpy as np
    >>> head = MemberHead(members=5, units=1, activation="sigmoid")
    >>> hidden = np.ones((5, 9, 3), dtype="float32")
    >>> head(hidden).shape, head(hidden, training=True).shape
    (TensorShape([9, 1]), TensorShape([45, 1]))
    """

    def __init__(self, members: int, units: int, activation: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.members, self.units, self.activation = members, units, activation

    def build(self, input_shape: Any) -> None:
        """Make kernel and bias.

        Parameters
        ----------
        input_shape : tuple
            (members, n, n_inputs).
        """
        n_inputs = input_shape[-1]
        self.kernel = self.add_weight(
            shape=(self.members, n_inputs, self.units),
            initializer=keras.initializers.RandomNormal(0.0, n_inputs**-0.5),
            name="kernel",
        )
        self.bias = self.add_weight(
            shape=(self.members, self.units), initializer="zeros", name="bias"
        )

    def call(self, hidden: Any, training: bool | None = None, as_logits: bool = False) -> Any:
        """Return probabilities.

        Parameters
        ----------
        hidden : tensor of shape (1 or members, n, n_inputs)
            Of the last hidden layer.
        training : bool, default=None
            Whether the members answer one by one.
        as_logits : bool, default=False
            Whether to return the members' logits.

        Returns
        -------
        tensor of shape (n, units), or in training (n * members, units)
            Probabilities; in training those of a row's members one after the other. Or logits of
            shape (n, members, units).
        """
        product = ops.matmul(hidden, self.kernel)
        logits = ops.transpose(product, (1, 0, 2)) + self.bias
        if as_logits:
            return logits
        if training:
            logits = ops.reshape(logits, (-1, self.units))
        elif self.activation == "sigmoid":
            # log(mean p) - log(mean (1 - p)); both lack the same log(members).
            logits = ops.logsumexp(-ops.softplus(-logits), axis=1) - ops.logsumexp(
                -ops.softplus(logits), axis=1
            )
        else:
            logits = ops.logsumexp(ops.log_softmax(logits, axis=-1), axis=1)
        return keras.activations.get(self.activation)(logits)

    def compute_output_spec(
        self, hidden: Any, training: bool | None = None, as_logits: bool = False
    ) -> keras.KerasTensor:
        """Return what the answer looks like.

        Parameters
        ----------
        hidden : keras.KerasTensor
            As for `call`.
        training : bool, default=None
            As for `call`; changes nothing.
        as_logits : bool, default=False
            As for `call`.

        Returns
        -------
        keras.KerasTensor
            Of shape (n, units): members answering one by one are nothing that layers behind it
            were built for.
        """
        shape = (hidden.shape[1], self.units)
        if as_logits:
            shape = (hidden.shape[1], self.members, self.units)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Return what makes an equal layer.

        Returns
        -------
        dict
            Arguments of the constructor.
        """
        config = {"members": self.members, "units": self.units, "activation": self.activation}
        return {**super().get_config(), **config}
