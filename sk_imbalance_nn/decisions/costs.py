"""What do mistakes cost? Cost matrices, costs of single rows, and the decisions that follow."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import numpy as np
import numpy.typing as npt

from sk_imbalance_nn.decisions.counts import Values


def check_cost_matrix(cost_matrix: npt.ArrayLike, n_classes: int) -> Values:
    """Read a cost matrix.

    Parameters
    ----------
    cost_matrix : array-like of shape (n_classes, n_classes)
        True classes in rows, predicted ones in columns, as in a confusion matrix; negative costs
        are gains.
    n_classes : int
        How many there are.

    Returns
    -------
    ndarray of shape (n_classes, n_classes), float64
        A copy.

    Raises
    ------
    ValueError
        If it has another shape, holds something that is not finite, or all predictions cost the
        same.
    """
    matrix = _finite(cost_matrix, "cost_matrix")
    if matrix.shape != (n_classes, n_classes):
        raise ValueError(
            f"cost_matrix must have the shape ({n_classes}, {n_classes}), true classes in rows and "
            f"predicted ones in columns, found the shape {matrix.shape}."
        )
    if (matrix == matrix[:, :1]).all():
        raise ValueError(
            "cost_matrix makes all predictions cost the same: its columns are equal. True classes "
            "belong in rows, predicted ones in columns."
        )
    return matrix


def matrix_of_named(
    costs: Mapping[tuple[Any, Any], float], classes: npt.NDArray[Any]
) -> list[list[float]]:
    """Read costs that name the classes.

    Parameters
    ----------
    costs : mapping of (label, label) to float
        What a row of the first class costs when it is predicted as the second; 0 where nothing is
        said.
    classes : ndarray of shape (n_classes,)
        All classes, sorted.

    Returns
    -------
    list of list of float
        True classes in rows, predicted ones in columns.

    Raises
    ------
    ValueError
        If a key is no pair of classes.

    Examples
    --------
    >>> matrix_of_named({("fraud", "ok"): 50, ("ok", "fraud"): 1}, np.array(["fraud", "ok"]))
    [[0.0, 50], [1, 0.0]]
    """
    known = classes.tolist()
    pairs = [(true, said) for true in known for said in known]
    for key in costs:
        if key not in pairs:
            near = get_close_matches(repr(key), map(repr, pairs), n=1)
            hint = f"; did you mean {near[0]}?" if near else "."
            raise ValueError(
                f"cost_matrix has the key {key!r}; costs that are named are a dict with keys (true "
                f"class, predicted class), of the classes {known}{hint}"
            )
    return [[costs.get((true, said), 0.0) for said in known] for true in known]


def matrix_of_frame(costs: Any, classes: npt.NDArray[Any]) -> Any:
    """Read costs in a DataFrame, by the names of its rows and columns.

    Parameters
    ----------
    costs : DataFrame of shape (n_classes, n_classes)
        True classes in rows, predicted ones in columns.
    classes : ndarray of shape (n_classes,)
        All classes, sorted.

    Returns
    -------
    ndarray of shape (n_classes, n_classes)
        In the order of the classes.

    Raises
    ------
    ValueError
        If the names are not those of the classes.
    """
    known = classes.tolist()
    for names in (list(costs.index), list(costs.columns)):
        if len(names) != len(known) or set(names) != set(known):
            raise ValueError(
                f"cost_matrix is a DataFrame whose rows or columns are named {names}; expected the "
                f"classes, {known}, or an array in their order."
            )
    return costs.loc[known, known].to_numpy()


def refuse_one_sided(matrix: Values, classes: npt.NDArray[Any]) -> None:
    """Refuse costs of two classes under which one prediction is never worse.

    Parameters
    ----------
    matrix : ndarray of shape (2, 2)
        True classes in rows, predicted ones in columns.
    classes : ndarray of shape (2,)
        Both classes, sorted.

    Raises
    ------
    ValueError
        Says which mistakes cost nothing more than the right answer.
    """
    labels = classes.tolist()
    more = [float(matrix[true, 1 - true] - matrix[true, true]) for true in (0, 1)]
    if min(more) <= 0:
        said = ", ".join(
            f"{labels[true]!r} called {labels[1 - true]!r} costs {more[true]:g} more than called "
            f"{labels[true]!r}"
            for true in (0, 1)
        )
        raise ValueError(
            f"With this cost_matrix one prediction is never worse than the other: {said}. Both "
            "must be positive; true classes belong in rows (first in named pairs), predicted ones "
            "in columns."
        )


def check_row_cost(cost: npt.ArrayLike, target: npt.NDArray[Any], n_classes: int) -> Values:
    """Read the costs of single rows.

    Parameters
    ----------
    cost : array-like of shape (n,) or (n, n_classes)
        What a mistake about each row costs; or what each prediction costs for each row.
    target : ndarray of shape (n,)
        Class codes.
    n_classes : int
        How many classes there are.

    Returns
    -------
    ndarray of shape (n, n_classes), float64
        What each prediction costs.

    Raises
    ------
    ValueError
        If the shape fits neither, or something is not finite.
    """
    costs = _finite(cost, "cost")
    if costs.shape == (len(target),):
        wrong = target[:, None] != np.arange(n_classes)
        return np.asarray(costs[:, None] * wrong)
    if costs.shape != (len(target), n_classes):
        raise ValueError(
            f"cost must have the shape ({len(target)},), what a mistake about each row costs, or "
            f"({len(target)}, {n_classes}), what each prediction costs; found {costs.shape}."
        )
    return costs


def bayes_threshold(cost_matrix: npt.ArrayLike) -> float:
    """Return the probability from which calling a row positive costs less (Elkan 2001, equation 2).

    Parameters
    ----------
    cost_matrix : array-like of shape (2, 2)
        True classes in rows, predicted ones in columns; the second class is the positive.

    Returns
    -------
    float
        Between 0 and 1 (both excluded).

    Raises
    ------
    ValueError
        If one prediction is never worse than the other.

    Examples
    --------
    A missed fraud costs 20, a false alarm 1:

    >>> round(bayes_threshold([[0, 1], [20, 0]]), 4)
    0.0476
    """
    cost = np.asarray(cost_matrix, dtype=np.float64)
    false_alarm, miss = cost[0, 1] - cost[0, 0], cost[1, 0] - cost[1, 1]
    if not (false_alarm > 0 and miss > 0):
        raise ValueError(
            "With this cost_matrix one prediction is never worse than the other: a false alarm "
            f"costs {false_alarm:g} more than none, a miss {miss:g} more than a hit, and both must "
            "be positive. True classes belong in rows, predicted ones in columns."
        )
    return float(false_alarm / (false_alarm + miss))


def _finite(values: npt.ArrayLike, name: str) -> Values:
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must hold numbers, found {values!r}.") from None
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must hold finite numbers.")
    return array
