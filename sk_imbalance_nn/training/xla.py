"""When XLA compiles a step, and in what shapes.

XLA compiles for one shape. So it is given chunks of a fixed number of whole batches, the last one
padded, with a count of those that hold rows; what is left over runs in the ordinary program, which
takes any number of rows. Nothing is compiled anew for another number of rows.

On CPUs, XLA draws random numbers many times slower than TensorFlow's own kernels, and its large
matrix products are no faster; it wins where a step is many tiny operations, and pays once its
compilation has been made up for. Figures: ``benchmarks/NOTES.md``.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from sk_imbalance_nn._compat import layers_within
from sk_imbalance_nn.networks.ensemble import EnsembleNetwork

_MOST_BATCHES = 256
_CHUNK_BYTES = 16 * 2**20
# Steps that make up for one compilation, and the largest step (multiplications) that gains.
_ENOUGH_STEPS = 25_000
_LARGEST_WORK = 2_000_000
# Steps of an ensemble are many operations whatever their size, and few random numbers.
_ENOUGH_STEPS_OF_AN_ENSEMBLE = 300
# Layers whose steps were measured under XLA; none of them draws random numbers.
_MEASURED = (
    keras.layers.Activation,
    keras.layers.Add,
    keras.layers.BatchNormalization,
    keras.layers.Concatenate,
    keras.layers.Dense,
    keras.layers.Flatten,
    keras.layers.InputLayer,
    keras.layers.LayerNormalization,
    keras.layers.ReLU,
    keras.layers.Rescaling,
    keras.layers.Reshape,
    keras.Sequential,
    keras.Model,
)


def pays(model: keras.Model, n_steps: int, work: int) -> bool:
    """Say whether XLA makes up for its compilation.

    Parameters
    ----------
    model : keras.Model
        Compiled.
    n_steps : int
        Full batches to come, at most.
    work : int
        Multiplications of a step, roughly.

    Returns
    -------
    bool
        True for networks of dense layers without dropout, and many small steps; for the default
        network after a few hundred of whatever size.
    """
    if isinstance(model, EnsembleNetwork):
        return n_steps >= _ENOUGH_STEPS_OF_AN_ENSEMBLE
    layers = layers_within(model)
    parts = [*layers, *(part for layer in layers for part in getattr(layer, "operations", ()))]
    measured = all(isinstance(part, _MEASURED) for part in parts)
    return measured and work <= _LARGEST_WORK and n_steps >= _ENOUGH_STEPS


def batches_in_a_chunk(n_full_batches: int, batch_bytes: int) -> int:
    """Choose how many batches a compiled program runs: a power of two.

    Parameters
    ----------
    n_full_batches : int
        Full batches of an epoch.
    batch_bytes : int
        Bytes of one batch.

    Returns
    -------
    int
        The power of two above the batches of an epoch, at most 256 and 16 MiB.

    Examples
    --------
    >>> [batches_in_a_chunk(n, 4_000) for n in (1, 5, 250, 9_999)]
    [1, 8, 256, 256]
    """
    most = min(_MOST_BATCHES, max(1, _CHUNK_BYTES // batch_bytes), max(1, n_full_batches))
    above = 2 ** (most - 1).bit_length()
    return above if above * batch_bytes <= _CHUNK_BYTES else max(1, above // 2)


def static_specs(example: Any, n_batches: int, batch_size: int) -> list[Any]:
    """Return the signature of a compiled program.

    Parameters
    ----------
    example : tuple
        One row, as tensors.
    n_batches, batch_size : int
        Of a chunk.

    Returns
    -------
    list
        Specs of the chunk and of the number of batches in it that hold rows.
    """
    shape = (n_batches, batch_size)
    chunk = tf.nest.map_structure(
        lambda row: tf.TensorSpec([*shape, *row.shape[1:]], row.dtype), example
    )
    return [chunk, tf.TensorSpec([], tf.int32)]


def whole_batches(rows: Any, n_batches: int, batch_size: int) -> tuple[Any, int, Any]:
    """Part a chunk of rows into its whole batches, padded, and what is left over.

    Parameters
    ----------
    rows : structure of tf.Tensor
        At most ``n_batches * batch_size`` rows.
    n_batches, batch_size : int
        Of the compiled program.

    Returns
    -------
    batches : structure of tf.Tensor of shape (n_batches, batch_size, ...)
        The whole batches, and zeros.
    n_whole : int
        How many of them hold rows.
    rest : structure of tf.Tensor or None
        Fewer rows than a batch; None if there are none.
    """
    n_rows = int(tf.nest.flatten(rows)[0].shape[0])
    n_whole = n_rows // batch_size
    inside = n_whole * batch_size
    padding = n_batches * batch_size - inside

    def padded(tensor: Any) -> Any:
        part = tensor[:inside]
        if padding:
            part = tf.pad(part, [[0, padding], *[[0, 0]] * (tensor.ndim - 1)])
        return tf.reshape(part, [n_batches, batch_size, *tensor.shape[1:]])

    rest = tf.nest.map_structure(lambda tensor: tensor[inside:], rows) if inside < n_rows else None
    return tf.nest.map_structure(padded, rows), n_whole, rest


def row_work(model: keras.Model) -> int:
    """Return about how many multiplications a row costs: one a weight.

    Parameters
    ----------
    model : keras.Model
        Built.

    Returns
    -------
    int
        At least 1.
    """
    return max(1, sum(int(np.prod(weight.shape)) for weight in model.trainable_weights))
