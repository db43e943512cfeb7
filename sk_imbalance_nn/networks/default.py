"""What learns when no model is given? An ensemble in one network, which reads tables raw."""

from __future__ import annotations

import math
from collections.abc import Mapping
from numbers import Integral
from typing import Any

import keras
import numpy as np

from sk_imbalance_nn.data.targets import BINARY, MULTICLASS
from sk_imbalance_nn.networks.encoding import TableEncoding
from sk_imbalance_nn.networks.ensemble import EnsembleNetwork
from sk_imbalance_nn.networks.heads import SIGMOID, SOFTMAX
from sk_imbalance_nn.networks.members import ColumnEmbedding, MemberDense, MemberHead
from sk_imbalance_nn.networks.optimizers import MemberAdamW, cosine_adamw
from sk_imbalance_nn.networks.recipe import Recipe, check_table

# Kernels of the first layer start smaller: flags and codes are many, and move together.
_FIRST_GAIN = 0.7
_EMBEDDING, _LEAST_EMBEDDING, _ALL_EMBEDDINGS = 8, 4, 1024
_USUAL_WIDTH, _LEAST_WIDTH, _FIRST_KERNEL = 128, 16, 128 * 2048
_LEAST_BATCH, _USUAL_BATCH, _LARGEST_BATCH = 32, 128, 1024
_EPOCHS, _FEWEST_EPOCHS, _FEWEST_STEPS, _MOST_STEPS = 60, 3, 400, 1100


def default_network(
    meta: Mapping[str, Any],
    encoding: TableEncoding,
    *,
    members: int | None = None,
    width: int | None = None,
    depth: int = 2,
    dropout: float = 0.2,
    embedding: int | None = None,
    thorough: bool = False,
) -> EnsembleNetwork:
    """Build the network of ``model=None``: an ensemble of perceptrons on an encoded table.

    ``TableEncoding -> ColumnEmbedding -> depth x (MemberDense -> Dropout) -> MemberHead``. The
    members are independent networks, computed side by side; the answer is the mean of their
    probabilities.

    Parameters
    ----------
    meta : mapping
        What the estimator knows of the data: ``"n_classes_"`` (for multilabel targets the number
        of labels), ``"target_type_"`` and ``"X_shape_"``.
    encoding : TableEncoding
        Adapted to the rows that train.
    members : int, default=None
        How many networks. In `fit` each is blind to one part in `members` of the rows. None: 5,
        or 10 where `thorough`.
    width : int, default=None
        Units of each hidden layer of a member. None: 128, or 256 where `thorough`; fewer, but 16,
        for tables that are encoded in more than 2,048 numbers a row.
    depth : int, default=2
        Number of hidden layers; 0 is a generalised additive model.
    dropout : float, default=0.2
        Share of hidden units dropped in training, at least 0 and below 1.
    embedding : int, default=None
        Numbers that a column with bins becomes. None: 8, but fewer with more than 128 such
        columns, and none with more than 256.
    thorough : bool, default=False
        Whether to spend several times as long: more members, wider ones, and twice the epochs.

    Returns
    -------
    EnsembleNetwork
        Not compiled. Maps raw tables (n, n_features), NaN included, to (n, 1) or (n, n_classes)
        probabilities.

    Raises
    ------
    ValueError
        If X is no table, the target type is unknown, or a size is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.arange(12, dtype="float32").reshape(4, 3)
    >>> meta = {"n_classes_": 2, "target_type_": "binary", "X_shape_": (4, 3)}
    >>> model = default_network(meta, TableEncoding().adapt(X))
    >>> model.output_shape, model.predict(X, verbose=0).shape
    ((None, 1), (4, 1))
    """
    check_table(meta, "default")
    members = default_members(members=members, thorough=thorough)
    n_binned, n_flags = int(encoding.n_binned), int(encoding.n_flags)
    if embedding is None:
        embedding = min(_EMBEDDING, _ALL_EMBEDDINGS // n_binned)
        embedding = embedding if embedding >= _LEAST_EMBEDDING else 0
    if width is None:
        n_inputs = n_binned * (1 + embedding) + n_flags
        width = _default_width(n_inputs) * (2 if thorough else 1)
    _check_sizes(members, width, depth, dropout, embedding)
    target_type, n_classes = meta["target_type_"], int(meta["n_classes_"])
    table = keras.Input((int(encoding.n_features),), name="table")
    features, bins = encoding(table)
    hidden = ColumnEmbedding(members, embedding, name="embedding")(features, bins)
    for number in range(1, depth + 1):
        gain = _FIRST_GAIN if number == 1 else 1.0
        hidden = MemberDense(members, width, gain, name=f"hidden_{number}")(hidden)
        # One mask for all members: random numbers are a good part of what a step costs.
        mask = (1, None, None)
        hidden = keras.layers.Dropout(dropout, mask, name=f"dropout_{number}")(hidden)
    units = 1 if target_type == BINARY else n_classes
    activation = SOFTMAX if target_type == MULTICLASS else SIGMOID
    outputs = MemberHead(members, units, activation, name="head")(hidden)
    return EnsembleNetwork(table, outputs, name="default_network")


def default_members(*, members: int | None = None, thorough: bool = False, **others: Any) -> int:
    """Return how many members a network of these arguments has.

    Parameters
    ----------
    members : int, default=None
        As for `default_network`.
    thorough : bool, default=False
        As for `default_network`.
    **others : dict
        Other arguments of the network, which change nothing.

    Returns
    -------
    int
        At least 1, unless it was asked for fewer.

    Examples
    --------
    >>> default_members(), default_members(thorough=True), default_members(members=3, width=9)
    (5, 10, 3)
    """
    return (10 if thorough else 5) if members is None else members


def default_optimizer(
    steps_per_epoch: int,
    epochs: int,
    *,
    learning_rate: Any = 1e-2,
    weight_decay: float = 0.5,
    beta_2: float = 0.99,
    member_clipnorm: float | None = 1.25,
    decays: bool = True,
    **kwargs: Any,
) -> MemberAdamW:
    """Make the optimizer of ``model=None``: AdamW, its rate falling to zero over all epochs.

    Parameters
    ----------
    steps_per_epoch, epochs : int
        Steps in an epoch, and epochs.
    learning_rate : float or keras.optimizers.schedules.LearningRateSchedule, default=1e-2
        Where the schedule starts; or another schedule.
    weight_decay : float, default=0.5
        Share of a kernel that decays per unit of learning rate.
    beta_2 : float, default=0.99
        As for ``keras.optimizers.AdamW``.
    member_clipnorm : float, default=1.25
        The largest norm of a member's gradient.
    decays : bool, default=True
        Whether a schedule is made.
    **kwargs : dict
        For ``keras.optimizers.AdamW``. Its own ``clipnorm`` and ``global_clipnorm`` are norms of
        all members together, so that members would hear of rows they are blind to.

    Returns
    -------
    MemberAdamW
        Not built.

    Examples
    --------
    >>> optimizer = default_optimizer(steps_per_epoch=20, epochs=30)
    >>> optimizer.get_config()["learning_rate"]["config"]["decay_steps"]
    600
    """
    return cosine_adamw(
        MemberAdamW,
        learning_rate,
        steps_per_epoch * epochs,
        floor=0.0,
        decays=decays,
        weight_decay=weight_decay,
        beta_2=beta_2,
        member_clipnorm=member_clipnorm,
        **kwargs,
    )


def default_batch_size(n_rows: int) -> int:
    """Choose the rows in a step: n / 8 from 32 to 128, and beyond 64,000 rows n / 512 to 1,024.

    Parameters
    ----------
    n_rows : int
        Number of rows that train.

    Returns
    -------
    int
        A power of two.

    Examples
    --------
    >>> [default_batch_size(n) for n in (100, 600, 10_000, 200_000, 1_000_000)]
    [32, 64, 128, 256, 1024]
    """
    usual = min(_USUAL_BATCH, max(_LEAST_BATCH, _power_of_two(n_rows // 8)))
    return max(usual, min(_LARGEST_BATCH, _power_of_two(n_rows // 512)))


def default_epochs(n_rows: int, batch_size: int, *, thorough: bool = False, **others: Any) -> int:
    """Choose the epochs: 60, but as many as make 400 to 1,100 steps, and 3 at least.

    Parameters
    ----------
    n_rows, batch_size : int
        Rows that train, and rows in a step.
    thorough : bool, default=False
        Whether to train twice as long.
    **others : dict
        Other arguments of the network, which change nothing.

    Returns
    -------
    int
        Epochs.

    Examples
    --------
    >>> [default_epochs(n, default_batch_size(n)) for n in (100, 2_000, 10_000, 1_000_000)]
    [100, 60, 14, 3]
    """
    steps = math.ceil(n_rows / batch_size)
    wanted = np.clip(_EPOCHS * steps, _FEWEST_STEPS, _MOST_STEPS)
    return max(_FEWEST_EPOCHS, round(wanted / steps)) * (2 if thorough else 1)


DEFAULT = Recipe(
    build=default_network,
    batch_size=default_batch_size,
    epochs=default_epochs,
    optimizer=default_optimizer,
    patience=lambda epochs: max(10, math.ceil(0.45 * epochs)),
)


def _default_width(n_inputs: int) -> int:
    """Return 128, or so many that the first layer of a member stays as small."""
    return int(np.clip(_FIRST_KERNEL // n_inputs // 16 * 16, _LEAST_WIDTH, _USUAL_WIDTH))


def _power_of_two(number: int) -> int:
    return 1 << max(0, int(number).bit_length() - 1)


def _check_sizes(members: int, width: int, depth: int, dropout: float, embedding: int) -> None:
    whole = all(isinstance(size, Integral) for size in (members, width, depth, embedding))
    if not whole or members < 1 or width < 1 or depth < 0 or embedding < 0:
        raise ValueError(
            "members and width must be integers of at least 1, depth and embedding of at least 0, "
            "found "
            f"members={members!r}, width={width!r}, depth={depth!r}, embedding={embedding!r}."
        )
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must be at least 0 and below 1, found {dropout!r}.")
