"""Recipe: a network that the package brings, with how it is best trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras

from sk_imbalance_nn.data.targets import BINARY, MULTICLASS, MULTILABEL

_TARGET_TYPES = (BINARY, MULTICLASS, MULTILABEL)


@dataclass(frozen=True)
class Recipe:
    """How to build and train one of the package's own networks.

    Parameters
    ----------
    build : callable
        Builds the network; its keyword arguments are what ``model__*`` reaches.
    batch_size : callable
        From the number of rows that train to the rows of a step.
    epochs : callable
        From the number of rows, the rows of a step and the arguments of the network to the
        epochs, at most.
    optimizer : callable
        From the number of steps an epoch and of epochs, and arguments of the optimizer, to it.
    patience : callable
        From the number of epochs to how many of them without a better score end training.
    """

    build: Callable[..., keras.Model]
    batch_size: Callable[[int], int]
    epochs: Callable[..., int]
    optimizer: Callable[..., keras.optimizers.Optimizer]
    patience: Callable[[int], int]


def check_table(meta: Mapping[str, Any], name: str) -> None:
    """Refuse data that are no table, or a target that no head is made for.

    Parameters
    ----------
    meta : mapping
        What the estimator knows of the data.
    name : str
        How messages call the network.

    Raises
    ------
    ValueError
        Says what was found.
    """
    shape = meta.get("X_shape_")
    if not isinstance(shape, tuple) or len(shape) != 2:
        found = f"an array of shape {shape}" if isinstance(shape, tuple) else "several inputs"
        raise ValueError(
            f"The {name} network reads a table of shape (n_samples, n_features), found {found}; "
            "give a function that builds a network for it: model=build_model."
        )
    if meta["target_type_"] not in _TARGET_TYPES:
        raise ValueError(
            f"The {name} network learns {', '.join(_TARGET_TYPES)} targets, found "
            f"{meta['target_type_']!r}; encode the target or give a builder: model=build_model."
        )
