"""The plain network, ``model="mlp"``: a multilayer perceptron that normalises its input."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from sk_imbalance_nn.data.inputs import take_rows
from sk_imbalance_nn.networks.heads import output_layer
from sk_imbalance_nn.networks.optimizers import KernelAdamW, cosine_adamw
from sk_imbalance_nn.networks.recipe import Recipe, check_table

_NORMALIZATION = "normalization"
_TWO_VALUED_GAP = 0.4
_EPOCHS, _COSINE_EPOCHS, _PATIENCE = 100, 50, 10
_CHUNK_ELEMENTS = 2**20


def mlp_network(
    meta: Mapping[str, Any], *, width: int = 128, depth: int = 2, dropout: float = 0.3
) -> keras.Model:
    """Build the network of ``model="mlp"``: a multilayer perceptron that normalises its input.

    ``normalise -> arcsinh -> depth x (Dense(width, relu) -> Dropout) -> Dense(head)``. The
    first step is the identity until `adapt_normalization` has written the statistics of the
    training rows. The second keeps heavy tails from ruling the first layer. The head is one
    sigmoid (binary), one softmax unit a class (multiclass) or one sigmoid a label (multilabel).

    Parameters
    ----------
    meta : mapping
        What the estimator knows of the data: ``"n_features_in_"``, ``"n_classes_"`` (for
        multilabel targets the number of labels), ``"target_type_"`` and ``"X_shape_"``.
    width : int, default=128
        Units of each hidden layer.
    depth : int, default=2
        Number of hidden layers; 0 is a logistic regression.
    dropout : float, default=0.3
        Share of hidden units dropped in training, at least 0 and below 1.

    Returns
    -------
    keras.Model
        Not compiled. Maps (n, n_features) to (n, 1) or (n, n_classes) probabilities. Made of
        layers and operations of Keras alone, so that it loads in safe mode and without this
        package.

    Raises
    ------
    ValueError
        If X is no table, the target type is unknown, or `width`, `depth` or `dropout` is out of
        range.

    Notes
    -----
    `Normalization` of Keras would be the obvious first layer. It keeps its statistics as constants
    that only its own `finalize_state` renews: `Model.set_weights` does not reach them, nor any
    function traced before. A `BatchNormalization` that never trains computes the same from
    weights, which copying, sharing of traced functions and saving all respect.

    Examples
    --------
    >>> meta = {"n_features_in_": 3, "n_classes_": 2, "target_type_": "binary", "X_shape_": (9, 3)}
    >>> model = mlp_network(meta)
    >>> model.output_shape
    (None, 1)
    >>> model.layers[-1].activation.__name__
    'sigmoid'
    """
    check_table(meta, "plain")
    _check_size(width, depth, dropout)
    inputs = keras.Input((int(meta["n_features_in_"]),), name="table")
    hidden = keras.ops.arcsinh(_normalization()(inputs))
    for number in range(1, depth + 1):
        layer = keras.layers.Dense(
            width, activation="relu", kernel_initializer="he_normal", name=f"hidden_{number}"
        )
        hidden = keras.layers.Dropout(dropout, name=f"dropout_{number}")(layer(hidden))
    outputs = output_layer(meta, name="head")(hidden)
    return keras.Model(inputs, outputs, name="mlp")


def adapt_normalization(model: keras.Model, X: Any, sample_weight: Any = None) -> None:
    """Write the mean and the scale of the training rows into the network's first layer.

    Statistics are taken in float64, a chunk of rows at a time and in two passes (the second sums
    squares around the mean), so sparse and memory-mapped data are never dense as a whole. After
    normalisation

    - a column has mean 0 and variance 1;
    - a column of two values (a flag, a one-hot level) has mean 0, and its values lie 0.4 apart.
      Divided by its standard deviation a rare flag would be the largest input there is;
    - a constant column is 0: its mean is that constant, its variance counts as 1.

    Parameters
    ----------
    model : keras.Model
        Built by `mlp_network`; changed in place.
    X : array-like, memory map or SciPy sparse matrix of shape (n, n_features)
        The rows that train, unscaled. Sparse matrices must support slices of rows (CSR).
    sample_weight : ndarray of shape (n,), default=None
        What each row counts; a weight of two is the row twice, a weight of zero no row.

    Raises
    ------
    ValueError
        If X has no rows, another number of columns than the network, or values that are not
        finite.

    Examples
    --------
    >>> import numpy as np
    >>> meta = {"n_features_in_": 2, "n_classes_": 2, "target_type_": "binary", "X_shape_": (3, 2)}
    >>> model = mlp_network(meta)
    >>> adapt_normalization(model, np.array([[0.0, 7.0], [10.0, 7.0], [20.0, 7.0]]))
    >>> mean, variance = model.get_layer("normalization").get_weights()
    >>> mean.tolist(), variance.round().tolist()
    ([10.0, 7.0], [67.0, 1.0])
    """
    _check_columns(X, model.input_shape[-1])
    # One number in memory, whatever the number of rows.
    ones = np.broadcast_to(1.0, X.shape[0])
    weight = ones if sample_weight is None else np.asarray(sample_weight, float)
    mean, variance = _column_statistics(X, weight)
    limits = np.finfo(np.float32)
    # What float32 cannot hold as a variance counts as constant, or as the largest it can hold.
    variance = np.where(variance < limits.tiny, 1.0, np.minimum(variance, limits.max))
    layer = model.get_layer(_NORMALIZATION)
    layer.set_weights([mean.astype(np.float32), variance.astype(np.float32)])


def mlp_optimizer(
    steps_per_epoch: int,
    epochs: int,
    *,
    learning_rate: Any = 5e-3,
    weight_decay: float = 1.0,
    decays: bool = True,
    **kwargs: Any,
) -> KernelAdamW:
    """Make the optimizer of ``model="mlp"``: AdamW with a cosine schedule.

    The learning rate falls to a twentieth over min(`epochs`, 50) epochs and stays there, so that
    training which stops early has seen low rates too.

    Parameters
    ----------
    steps_per_epoch, epochs : int
        Steps in an epoch, and the largest number of epochs.
    learning_rate : float or keras.optimizers.schedules.LearningRateSchedule, default=5e-3
        Where the schedule starts; or another schedule.
    weight_decay : float, default=1.0
        Share of a kernel that decays per unit of learning rate.
    decays : bool, default=True
        Whether a schedule is made.
    **kwargs
        For ``keras.optimizers.AdamW``, e.g. ``clipnorm``.

    Returns
    -------
    KernelAdamW
        Not built.

    Examples
    --------
    >>> optimizer = mlp_optimizer(steps_per_epoch=20, epochs=100)
    >>> optimizer.get_config()["learning_rate"]["config"]["decay_steps"]
    1000
    """
    steps = steps_per_epoch * min(epochs, _COSINE_EPOCHS)
    return cosine_adamw(
        KernelAdamW,
        learning_rate,
        steps,
        floor=0.05,
        weight_decay=weight_decay,
        decays=decays,
        **kwargs,
    )


def mlp_batch_size(n_rows: int) -> int:
    """Choose the rows in a step: the power of two near n/16, from 32 to 256.

    Parameters
    ----------
    n_rows : int
        Number of rows that train.

    Returns
    -------
    int
        The largest power of two that is at most ``n_rows / 16``, clipped to [32, 256].

    Examples
    --------
    >>> [mlp_batch_size(n) for n in (100, 1_500, 5_000, 1_000_000)]
    [32, 64, 256, 256]
    """
    power = max(0, int(n_rows) // 16).bit_length() - 1
    return min(256, max(32, 2 ** max(0, power)))


MLP = Recipe(
    build=mlp_network,
    batch_size=mlp_batch_size,
    epochs=lambda n_rows, batch_size, **_: _EPOCHS,
    optimizer=mlp_optimizer,
    patience=lambda epochs: _PATIENCE,
)


def _normalization() -> keras.layers.Layer:
    return keras.layers.BatchNormalization(
        center=False, scale=False, epsilon=0.0, trainable=False, name=_NORMALIZATION
    )


def _check_size(width: int, depth: int, dropout: float) -> None:
    if width < 1 or depth < 0:
        raise ValueError(
            f"width must be at least 1 and depth at least 0, found width={width!r}, "
            f"depth={depth!r}."
        )
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must be at least 0 and below 1, found {dropout!r}.")


def _check_columns(X: Any, n_columns: int) -> None:
    if len(X.shape) != 2 or X.shape[1] != n_columns or X.shape[0] == 0:
        raise ValueError(
            f"The network reads tables of shape (n >= 1, {n_columns}), found {tuple(X.shape)}."
        )


def _dense_chunks(
    X: Any, weight: npt.NDArray[np.float64]
) -> Iterator[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
    """Yield the rows that weigh anything, and their weights, a bounded number at a time."""
    n_rows = max(1, _CHUNK_ELEMENTS // max(1, X.shape[1]))
    for start in range(0, X.shape[0], n_rows):
        rows = slice(start, start + n_rows)
        used = weight[rows] > 0
        if used.any():
            yield take_rows(X, rows)[used].astype(np.float64), weight[rows][used]


def _column_statistics(
    X: Any, weight: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Mean and scaling variance of each column, as `adapt_normalization` describes them."""
    low, high, total = np.inf, -np.inf, 0.0
    for chunk, weights in _dense_chunks(X, weight):
        low, high = np.minimum(low, chunk.min(axis=0)), np.maximum(high, chunk.max(axis=0))
        total = total + weights @ chunk
    _check_finite(total)
    # A rounded mean of equal values could differ from them.
    mean = np.where(low == high, low, total / weight.sum())
    squares, two_valued = np.zeros_like(mean), low < high
    for chunk, weights in _dense_chunks(X, weight):
        squares += weights @ np.square(chunk - mean)
        two_valued &= ((chunk == low) | (chunk == high)).all(axis=0)
    variance = np.where(low == high, 1.0, squares / weight.sum())
    return mean, np.where(two_valued, np.square((high - low) / _TWO_VALUED_GAP), variance)


def _check_finite(total: npt.NDArray[np.float64]) -> None:
    bad = np.flatnonzero(~np.isfinite(total))
    if len(bad):
        raise ValueError(
            f"X has values that are not finite in {len(bad)} columns (the first is column "
            f"{bad[0]}); impute them first, for example with SimpleImputer."
        )
