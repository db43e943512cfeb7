"""What must hold whatever is maximised? A bound on a second quantity."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from sk_imbalance_nn.decisions.counts import Values
from sk_imbalance_nn.decisions.objectives import LIMITS, Objective
from sk_imbalance_nn.decisions.scoring import goal_of

_PATTERN = re.compile(r"\s*(?P<name>[A-Za-z_]\w*)\s*(?P<sign>>=|<=)\s*(?P<bound>\S+)\s*")
# Shares that a decision just reaches may miss a bound by rounding: 0.9 of 10 rows is 9.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Constraint:
    """A bound on an objective.

    Parameters
    ----------
    objective : Objective
        What is bounded; its sign does not matter.
    bound : float
        The bound, on the quantity as its name says it.
    at_least : bool
        Whether the quantity must be at least the bound, rather than at most.
    pos_label : object or None
        The label that it calls positive; None where it does not matter.

    Examples
    --------
    >>> str(constraint_of("precision >= 0.9"))
    'precision >= 0.9'
    >>> str(constraint_of(("false_positive_rate", 0.01)))
    'false_positive_rate <= 0.01'
    """

    objective: Objective
    bound: float
    at_least: bool
    pos_label: Any = None

    def __str__(self) -> str:
        return f"{self.objective.name} {'>=' if self.at_least else '<='} {self.bound:g}"

    def quantity(self, values: npt.ArrayLike) -> Values:
        """Turn values of the objective into the quantity that is bounded.

        Parameters
        ----------
        values : array-like
            What ``objective.values`` returned, perhaps averaged over folds.

        Returns
        -------
        ndarray
            The quantity.
        """
        return np.asarray(values, dtype=np.float64) * self.objective.sign

    def lacking(self, values: npt.ArrayLike) -> Values:
        """Return how far each alternative is from the bound.

        Parameters
        ----------
        values : array-like
            What ``objective.values`` returned, perhaps averaged over folds.

        Returns
        -------
        ndarray
            0 where the bound holds.
        """
        quantity = self.quantity(values)
        missing = self.bound - quantity if self.at_least else quantity - self.bound
        return np.where(missing > _ROUNDING * max(1.0, abs(self.bound)), missing, 0.0)


def constraint_of(given: Any, pos_label: Any = None) -> Constraint:
    """Read a constraint.

    Parameters
    ----------
    given : str or tuple
        ``"precision >= 0.9"``, ``("precision", ">=", 0.9)`` or ``("precision", 0.9)``, which is at
        most for ``"alarm_rate"``, ``"cost"`` and ``"false_positive_rate"``, and at least for
        everything else. In place of the name, a scorer or metric.
    pos_label : object, optional
        The label of the positive class; by default the scorer's own.

    Returns
    -------
    Constraint
        What it says.

    Raises
    ------
    ValueError
        If it cannot be read, or bounds something that is no function of confusion counts.
    """
    name, sign, bound = _parts(given)
    if abs(bound) > 1 and not (isinstance(name, str) and name == "cost"):
        raise ValueError(
            f"constraint={given!r} bounds a share by {bound:g}; shares are from 0 to 1: 5 in 1,000 "
            "is 0.005, 90 percent 0.9."
        )
    if isinstance(name, str) and name in LIMITS:
        objective = LIMITS[name]
        label = (1 if pos_label is None else pos_label) if objective.one_sided else None
        return Constraint(objective, bound, sign == ">=", label)
    goal = goal_of(name, pos_label, said_by="constraint")
    if goal.objective is None:
        raise ValueError(
            f"constraint bounds {goal.name}, which is not known as a function of the confusion "
            "matrix; bound a metric such as 'precision', 'recall' or 'specificity', or one of "
            f"{', '.join(map(repr, LIMITS))}."
        )
    at_least = goal.objective.sign == 1 if sign is None else sign == ">="
    return Constraint(goal.objective, bound, at_least, goal.pos_label)


def _parts(given: Any) -> tuple[Any, str | None, float]:
    """Return what is bounded, the sign if there is one, and the bound."""
    parts: Sequence[Any] = ()
    if isinstance(given, str):
        match = _PATTERN.fullmatch(given)
        parts = match.groups() if match else ()
    elif isinstance(given, tuple | list):
        parts = given
    if len(parts) == 2:
        parts = [parts[0], None, parts[1]]
    if len(parts) == 3 and parts[1] in (None, ">=", "<="):
        bound = _number(parts[2])
        if np.isfinite(bound):
            return parts[0], parts[1], bound
    raise ValueError(
        "constraint must read like 'precision >= 0.9', ('precision', '>=', 0.9) or "
        f"('precision', 0.9), with >= or <=, found {given!r}."
    )


def _number(value: Any) -> float:
    """Return a number, or NaN for what is none."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real | str):
        return float("nan")
    try:
        return float(value)
    except ValueError:
        return float("nan")
