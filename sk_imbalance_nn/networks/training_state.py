"""What a model's training has come to, besides its weights: random generators and optimizer."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from sk_imbalance_nn._compat import variables_trained_by


@dataclass(frozen=True, eq=False)
class OptimizerState:
    """Values of an optimizer's variables, and which weights of the model it trains."""

    values: list[np.ndarray]
    trains: list[int] | None  # positions in `model.weights`; None: not built


def random_state_of(model: keras.Model) -> list[np.ndarray]:
    """Return the states of the model's seed generators (dropout, noise), in their order."""
    return _values(_random_variables(model))


def restore_random_state(model: keras.Model, state: list[np.ndarray]) -> None:
    """Write back what `random_state_of` returned for a model of the same architecture.

    Parameters
    ----------
    model : keras.Model
        Changed in place.
    state : list of ndarray
        One entry a generator.

    Warns
    -----
    UserWarning
        If the model has another number of random generators.
    """
    generators = _random_variables(model)
    if len(generators) == len(state):
        _assign(generators, state)
        return
    warnings.warn(
        f"Found {len(generators)} random generators in the rebuilt {type(model).__name__}, "
        f"expected {len(state)}: dropout will not continue with the same random numbers. "
        "Create all `SeedGenerator`s in `__init__` or `build`.",
        UserWarning,
        stacklevel=5,
    )


def optimizer_state_of(model: keras.Model) -> OptimizerState | None:
    """Return the state of the model's optimizer; None without optimizer.

    Parameters
    ----------
    model : keras.Model
        Compiled or not.

    Returns
    -------
    OptimizerState or None
        Copies of the values.

    Warns
    -----
    UserWarning
        If the optimizer trains variables that no layer owns; their state cannot be kept.
    """
    optimizer = model.optimizer
    if optimizer is None:
        return None
    values = _values(optimizer.variables)
    if not optimizer.built:
        return OptimizerState(values, None)
    position = {id(weight): i for i, weight in enumerate(model.weights)}
    try:
        trains = [position[id(variable)] for variable in variables_trained_by(optimizer)]
    except KeyError:
        warnings.warn(
            f"The optimizer of {model.name!r} trains variables that are not among the model's "
            "weights, so its state is not kept. Create them with `add_weight` in a layer.",
            UserWarning,
            stacklevel=5,
        )
        return None
    return OptimizerState(values, trains)


def restore_optimizer(model: keras.Model, state: OptimizerState) -> None:
    """Build the optimizer of a compiled model as it was and write back its variables."""
    if state.trains is not None:
        weights = model.weights
        model.optimizer.build([weights[i] for i in state.trains])
    _assign(model.optimizer.variables, state.values)


def _random_variables(model: keras.Model) -> list[Any]:
    """Return the variables that are neither weights nor metrics: those of seed generators."""
    others = {id(variable) for variable in [*model.weights, *model.metrics_variables]}
    return [variable for variable in model.variables if id(variable) not in others]


def _values(variables: list[Any]) -> list[np.ndarray]:
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def _assign(variables: list[Any], values: list[np.ndarray]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
