"""Which threshold is best? Every one there is, at once: binary decisions by one sort."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from sk_imbalance_nn.decisions.constraint import Constraint
from sk_imbalance_nn.decisions.counts import Counts, Values
from sk_imbalance_nn.decisions.cuts import Cuts, Mask
from sk_imbalance_nn.decisions.objectives import COST, Objective
from sk_imbalance_nn.decisions.scored import ScoredRows
from sk_imbalance_nn.decisions.selection import Curve, eligible, middle
from sk_imbalance_nn.decisions.uncertainty import standard_error


@dataclass(frozen=True)
class Sweep:
    """An objective at every cut of scores, over all rows at once or as a mean over folds.

    Parameters
    ----------
    rows : ScoredRows
        Binary target, scores of shape (n,).
    objective : Objective
        What is maximised.
    constraint : Constraint, optional
        What must hold.
    aggregate : {"pooled", "mean"}, default="pooled"
        "pooled" counts over the rows of all folds; "mean" averages the folds' values, each an exact
        step function of the threshold.
    lowest : float, default=-inf
        The least score that there can be: 0 for probabilities.
    """

    rows: ScoredRows
    objective: Objective
    constraint: Constraint | None = None
    aggregate: str = "pooled"
    lowest: float = -np.inf

    @cached_property
    def cuts(self) -> Cuts:
        """All cuts of all rows."""
        return Cuts.of(self.rows.scores)

    @cached_property
    def positive(self) -> Mask:
        """Which rows are positive."""
        return np.asarray(self.rows.target == 1)

    @property
    def repeats_together(self) -> float:
        """How often a row occurs among the rows that are counted together."""
        return self.rows.repeats if self.aggregate == "pooled" else 1.0

    @cached_property
    def pooled(self) -> Counts:
        """What each cut comes to over all rows."""
        return self._counted(self.cuts)

    def fold_optima(self) -> Values:
        """Return the best threshold of each fold on its own.

        Returns
        -------
        ndarray of shape (n_folds,)
            The middle of those that are best there; NaN where the objective is undefined.
        """
        return np.array([self._optimum(cuts) for cuts in self.fold_cuts])

    def _optimum(self, cuts: Cuts) -> float:
        counts = self.counts(cuts)
        if self.objective.needs_every_class and not (counts.actual > 0).all():
            return float("nan")
        lacking = None
        if self.constraint is not None:
            lacking = self.constraint.lacking(self.constraint.objective.values(counts))
        values = np.where(cuts.possible, self.objective.values(counts), -np.inf)
        values = eligible(values, lacking)
        best = middle(values == values.max(), counts.predicted[1] / counts.total)
        return float(cuts.thresholds(self.lowest)[best])

    @cached_property
    def fold_cuts(self) -> list[Cuts]:
        """The cuts of each fold's own rows."""
        if self.rows.n_folds == 1:
            return [self.cuts]
        # Small numbers, put in order once, are quicker to look through than a mask for each fold.
        kind = np.min_scalar_type(self.rows.n_folds)
        folds = self.rows.fold.astype(kind)[self.cuts.order]
        return [self.cuts.among(np.flatnonzero(folds == k)) for k in range(self.rows.n_folds)]

    def counts(self, cuts: Cuts) -> Counts:
        """Count what cuts of these rows get right.

        Parameters
        ----------
        cuts : Cuts
            Of all rows or of a fold's.

        Returns
        -------
        Counts
            Of each cut.
        """
        return self.pooled if cuts is self.cuts else self._counted(cuts)

    def _counted(self, cuts: Cuts) -> Counts:
        rows = self.rows
        return cuts.counts(self.positive, rows.weight, rows.cost_matrix, rows.row_cost)

    def curve(self, thresholds: npt.ArrayLike | None = None) -> Curve:
        """Evaluate the objective.

        Parameters
        ----------
        thresholds : array-like of shape (k,), optional
            Where; by default at one threshold for each cut.

        Returns
        -------
        Curve
            Its thresholds descend.
        """
        at: npt.NDArray[np.intp] | slice
        if thresholds is None:
            at, where = slice(None), self.cuts.thresholds(self.lowest)
        else:
            where = np.unique(np.asarray(thresholds, dtype=np.float64))[::-1]
            at = self.cuts.at(where)
        return Curve(
            where,
            self._values[at],
            alarm_rate=(self.pooled.predicted[1] / self.pooled.total)[at],
            over_folds=lambda: self._over_folds(self.objective)[:, at],
            error_at=lambda position: self._error_at(
                position if isinstance(at, slice) else int(at[position])
            ),
            lacking=None if self.constraint is None else self._lacking[at],
        )

    @cached_property
    def _values(self) -> Values:
        values = self._aggregated(self.objective)
        if not self.cuts.possible[0]:
            # No threshold excludes a score of infinity.
            values[0] = -np.inf
        return values

    @cached_property
    def _bounded(self) -> Values:
        assert self.constraint is not None
        return self._aggregated(self.constraint.objective)

    @property
    def _lacking(self) -> Values:
        assert self.constraint is not None
        return self.constraint.lacking(self._bounded)

    def bounded(self, thresholds: npt.ArrayLike) -> Values:
        """Return the quantity that the constraint bounds.

        Parameters
        ----------
        thresholds : array-like
            Where.

        Returns
        -------
        ndarray of the same shape
            In the units of the bound.
        """
        assert self.constraint is not None
        return self.constraint.quantity(self._bounded[self.cuts.at(thresholds)])

    def _aggregated(self, objective: Objective) -> Values:
        if self.aggregate == "mean":
            return np.asarray(self._over_folds(objective).mean(axis=0))
        return objective.values(self.pooled)

    def _over_folds(self, objective: Objective) -> Values:
        """Evaluate an objective in each fold at the cuts of all rows."""
        if self.rows.n_folds == 1:
            return objective.values(self.pooled)[None]
        steps = [(cuts, objective.values(self.counts(cuts))) for cuts in self.fold_cuts]
        return np.stack([values[cuts.at(self._reaching)] for cuts, values in steps])

    @cached_property
    def _reaching(self) -> Values:
        """A score that each cut just includes: no other lies between it and the threshold."""
        return np.append(np.inf, self.cuts.levels)

    def _error_at(self, cut: int) -> float:
        """Return the standard error of the objective at a cut."""
        if self.aggregate == "pooled":
            everything = np.ones(len(self.rows), dtype=bool)
            return self._error(self.pooled, cut, everything, self._reaching[cut])
        errors = [
            self._error(
                self.counts(cuts), int(cuts.at(self._reaching[[cut]])[0]), fold, self._reaching[cut]
            )
            for cuts, fold in zip(self.fold_cuts, self.rows.folds(), strict=True)
        ]
        # Folds of several repeats hold the same rows: no more is known than from those of one.
        return float(np.sqrt(self.rows.repeats * np.square(errors).sum()) / len(errors))

    def _error(self, counts: Counts, cut: int, rows: Mask, score: float) -> float:
        if self.objective.name == COST.name and self.rows.row_cost is not None:
            return self._cost_error(score, rows)
        hits, predicted = counts.hits[:, cut], counts.predicted[:, cut]
        wrong = predicted - hits
        matrix = np.array([[hits[0], wrong[1]], [wrong[0], hits[1]]])
        weights = [self._row_weight(rows & (self.positive == side)) for side in (False, True)]
        return standard_error(self.objective, matrix, weights, self.rows.cost_matrix)

    def _row_weight(self, rows: Mask) -> float:
        weight, repeats = self.rows.weight, self.repeats_together
        if weight is None:
            return repeats
        chosen = weight[rows]
        return float(repeats * (chosen @ chosen) / max(chosen.sum(), np.finfo(float).tiny))

    def _cost_error(self, score: float, rows: Mask) -> float:
        """Return the standard error of a weighted mean of costs."""
        assert self.rows.row_cost is not None
        alarm = (self.rows.scores[rows] >= score).astype(np.intp)
        paid = self.rows.row_cost[rows][np.arange(len(alarm)), alarm]
        weight = np.ones(len(paid)) if self.rows.weight is None else self.rows.weight[rows]
        deviation = weight * (paid - np.average(paid, weights=weight))
        return float(np.sqrt(self.repeats_together * (deviation @ deviation)) / weight.sum())
