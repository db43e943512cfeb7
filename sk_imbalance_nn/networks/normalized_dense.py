"""A last layer that answers with cosines: the one that margins of a fixed size are made for."""

from __future__ import annotations

from typing import Any

import keras

# Squares below it count as zero: a row of zeros has no direction, and gets the cosine 0.
_EPSILON = 1e-12


@keras.saving.register_keras_serializable("sk_imbalance_nn")
class NormalizedDense(keras.layers.Layer):
    """Cosine of the angle between each row and the kernel of each unit.

    The last layer of Cao et al. (2019) [1]_ for `LDAMLoss`. Without it a network can buy any
    margin with larger weights. Its outputs lie between -1 and 1, so they are no probabilities yet:
    the loss multiplies them by its ``scale`` (30 in the paper) and is told ``from_logits=True``.
    There is no bias and no activation.

    Parameters
    ----------
    units : int
        The number of outputs, at least 1.
    kernel_initializer, kernel_regularizer, kernel_constraint : str or object, default=None
        As for ``keras.layers.Dense``; the initializer is Glorot's uniform one unless given.
    **kwargs : dict
        For ``keras.layers.Layer``, e.g. ``name``.

    Raises
    ------
    ValueError
        If `units` is below 1.

    References
    ----------
    .. [1] Cao, Wei, Gaidon, Arechiga, Ma (2019). Learning imbalanced datasets with
       label-distribution-aware margin loss. NeurIPS, section 3.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_imbalance_nn.networks.normalized_dense import NormalizedDense
    >>> layer = NormalizedDense(1, kernel_initializer="ones")
    >>> np.asarray(layer(np.array([[3.0, 3.0], [0.0, -7.0]]))).round(3).tolist()
    [[1.0], [-0.7070000171661377]]
    """

    def __init__(
        self,
        units: int,
        kernel_initializer: Any = "glorot_uniform",
        kernel_regularizer: Any = None,
        kernel_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if isinstance(units, bool) or int(units) != units or units < 1:
            raise ValueError(f"units must be an integer of at least 1, found {units!r}.")
        self.units = int(units)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.kernel_constraint = keras.constraints.get(kernel_constraint)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the kernel.

        Parameters
        ----------
        input_shape : tuple
            Of the inputs, (n, ..., n_features).
        """
        self.kernel = self.add_weight(
            shape=(input_shape[-1], self.units),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )

    def call(self, inputs: Any) -> Any:
        """Return the cosines.

        Parameters
        ----------
        inputs : tensor of shape (n, ..., n_features)
            Rows.

        Returns
        -------
        tensor of shape (n, ..., units)
            Between -1 and 1.
        """
        return keras.ops.matmul(_of_length_one(inputs, -1), _of_length_one(self.kernel, 0))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the outputs.

        Parameters
        ----------
        input_shape : tuple
            Of the inputs.

        Returns
        -------
        tuple
            The same with `units` at its end.
        """
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """Return what makes an equal layer.

        Returns
        -------
        dict
            Arguments of the constructor.
        """
        return {
            **super().get_config(),
            "units": self.units,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "kernel_constraint": keras.constraints.serialize(self.kernel_constraint),
        }


def _of_length_one(vectors: Any, axis: int) -> Any:
    # Not keras.ops.normalize, whose gradient at a row of zeros is no number.
    vectors = keras.ops.convert_to_tensor(vectors)
    squares = keras.ops.sum(keras.ops.square(vectors), axis=axis, keepdims=True)
    return vectors * keras.ops.rsqrt(keras.ops.maximum(squares, _EPSILON))
