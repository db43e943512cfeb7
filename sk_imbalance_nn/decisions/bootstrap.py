"""How far would a choice move with other rows? Bootstrap intervals without refitting."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.special import expit

from sk_imbalance_nn.decisions.counts import Counts, Values, sums_by
from sk_imbalance_nn.decisions.cuts import Cuts, Mask
from sk_imbalance_nn.decisions.labels import LabelAscent
from sk_imbalance_nn.decisions.objectives import COST, Objective
from sk_imbalance_nn.decisions.rules import Codes, ThresholdRule
from sk_imbalance_nn.decisions.scored import ScoredRows
from sk_imbalance_nn.decisions.selection import Curve, eligible, log_odds_of
from sk_imbalance_nn.decisions.sweep import Sweep
from sk_imbalance_nn.decisions.uncertainty import counts_of_matrices

Interval = tuple[float, float]

_MOST_CELLS = 500
_MOST_BLOCKS = 5_000
_N_DRAWS = 200
_LEVEL = 0.95


@dataclass(frozen=True)
class Cells:
    """Rows of each class between neighbouring cuts: what a bootstrap draws anew.

    A cell stands for the rows in it: unequal weights count as so many equal ones as have the same
    sum and the same sum of squares (Kish 1965). Cells of one row, or of equal weights, are exact.

    Parameters
    ----------
    weight, row_weight : ndarray of shape (2, n_cells)
        Weight of the rows of each class, and that of one row.
    """

    weight: Values
    row_weight: Values

    @classmethod
    def between(cls, sweep: Sweep, cuts: Cuts, at: npt.NDArray[np.intp]) -> Cells:
        """Sum the rows between some of the cuts.

        Parameters
        ----------
        sweep : Sweep
            The rows.
        cuts : Cuts
            Of all rows, or of a fold's.
        at : ndarray of shape (n_cells + 1,)
            Positions of cuts, ascending, the first and the last among them.

        Returns
        -------
        Cells
            As many as there are gaps.
        """
        rows = sweep.rows
        if rows.weight is None:
            sizes = np.diff(np.append(0, cuts.ends + 1)[at])
            positives = np.diff(sweep.counts(cuts).hits[1][at])
            weight = np.stack([sizes - positives, positives])
            return cls(weight, np.full_like(weight, sweep.repeats_together))
        cell = _cells(cuts, at)
        own, positive = rows.weight[cuts.order], sweep.positive[cuts.order]
        weight, squares = (
            np.stack([sums_by(cell, side * amounts, len(at) - 1) for side in (~positive, positive)])
            for amounts in (own, own**2)
        )
        return cls(weight, sweep.repeats_together * _quotient(squares, weight))

    def draw(self, n_draws: int, random_state: np.random.RandomState) -> Counts:
        """Count what the cuts come to on other rows, drawn with replacement.

        Each row occurs as often as a Poisson variable of mean one says (Hanley and MacGibbon 2006).

        Parameters
        ----------
        n_draws : int
            How many times.
        random_state : RandomState
            Where chance comes from.

        Returns
        -------
        Counts
            Arrays of shape (2, n_draws, n_cells + 1).
        """
        rows = _quotient(self.weight, self.row_weight)
        drawn = random_state.poisson(rows, (n_draws, *rows.shape)) * self.row_weight
        return _counts_above(np.moveaxis(drawn, 1, 0))


def _cells(cuts: Cuts, at: npt.NDArray[np.intp]) -> Codes:
    """Return the gap between cuts that each row of `order` stands in."""
    sizes = np.diff(np.append(0, cuts.ends + 1)[at])
    return np.repeat(np.arange(len(sizes)), sizes)


def _counts_above(drawn: Values, cost: Values | None = None) -> Counts:
    """Sum cells of shape (2, n_draws, n_cells), by class, above each cut."""
    above = np.zeros((*drawn.shape[:2], drawn.shape[2] + 1))
    np.cumsum(drawn, axis=-1, out=above[..., 1:])
    below = above[..., -1:] - above
    return Counts(
        hits=np.stack([below[0], above[1]]),
        predicted=np.stack([below.sum(axis=0), above.sum(axis=0)]),
        actual=above[..., -1:],
        total=above[..., -1:].sum(axis=0),
        cost=cost,
    )


def _draw_with_costs(
    sweep: Sweep,
    cuts: Cuts,
    at: npt.NDArray[np.intp],
    n_draws: int,
    random_state: np.random.RandomState,
) -> Counts:
    """Draw rows with their own costs, in random blocks where they are many."""
    rows = sweep.rows
    assert rows.row_cost is not None
    n, n_cells = len(cuts.order), len(at) - 1
    n_blocks = min(n, _MOST_BLOCKS)
    block = random_state.permutation(n) % n_blocks
    place = block * n_cells + _cells(cuts, at)
    weight = np.ones(n) if rows.weight is None else rows.weight[cuts.order]
    positive, paid = sweep.positive[cuts.order], rows.row_cost[cuts.order] * weight[:, None]
    repeats = sweep.repeats_together
    drawn = random_state.poisson(1 / repeats, (n_draws, n_blocks)) * repeats

    def summed(amounts: Values) -> Values:
        blocks = sums_by(place, amounts, n_blocks * n_cells).reshape(n_blocks, n_cells)
        total: Values = drawn @ blocks
        return total

    change = np.cumsum(summed(paid[:, 1] - paid[:, 0]), axis=-1)
    cost = summed(paid[:, 0]).sum(axis=-1, keepdims=True) + np.pad(change, ((0, 0), (1, 0)))
    return _counts_above(np.stack([summed(~positive * weight), summed(positive * weight)]), cost)


def bootstrap_intervals(
    sweep: Sweep,
    curve: Curve,
    chosen: int,
    tolerance: float,
    random_state: np.random.RandomState,
    n_draws: int = _N_DRAWS,
    level: float = _LEVEL,
) -> tuple[Interval, Interval]:
    """Return how far the chosen threshold, and the objective there, vary with the rows.

    Parameters
    ----------
    sweep : Sweep
        What was searched.
    curve : Curve
        Its curve.
    chosen : int
        Position of the chosen threshold on it.
    tolerance : float
        How far from the best a value may be in the selection.
    random_state : RandomState
        Where chance comes from.
    n_draws : int, default=200
        How often rows are drawn anew. The models are not fitted anew.
    level : float, default=0.95
        Share of the draws within each interval.

    Returns
    -------
    tuple of float, tuple of float
        Interval of the threshold, and of the objective at the threshold that was chosen.
    """
    points = _points(curve, chosen)
    reaching = curve.thresholds[points]
    groups = [sweep.cuts] if sweep.aggregate == "pooled" else sweep.fold_cuts
    values, bounded = np.zeros(()), np.zeros(())
    for cuts in groups:
        at = cuts.at(reaching)
        ends = np.concatenate([[0], at, [len(cuts) - 1]])
        counts = _drawn(sweep, cuts, ends, n_draws, random_state).inner()
        values = values + sweep.objective.values(counts) / len(groups)
        if sweep.constraint is not None:
            bounded = bounded + sweep.constraint.objective.values(counts) / len(groups)
    if sweep.aggregate == "mean":
        values = _widened(values, curve.values[points], sweep.rows.repeats)
    at_chosen = values[:, points == chosen][:, 0]
    lacking = None if sweep.constraint is None else sweep.constraint.lacking(bounded)
    values = eligible(values, lacking)
    near = values >= values.max(axis=1, keepdims=True) - tolerance
    log_odds = log_odds_of(curve.alarm_rate[points])
    lowest = np.where(near, log_odds, np.inf).min(axis=1, keepdims=True)
    highest = np.where(near, log_odds, -np.inf).max(axis=1, keepdims=True)
    distance = np.where(near, np.abs(log_odds - (lowest + highest) / 2), np.inf)
    thresholds = reaching[distance.argmin(axis=1)]
    return _interval(thresholds, level), _interval(at_chosen, level)


def _widened(drawn: Values, found: Values | float, repeats: float) -> Values:
    """Widen the draws of a mean over folds, of which several hold the same rows."""
    return drawn if repeats == 1 else found + np.sqrt(repeats) * (drawn - found)


def _drawn(
    sweep: Sweep,
    cuts: Cuts,
    at: npt.NDArray[np.intp],
    n_draws: int,
    random_state: np.random.RandomState,
) -> Counts:
    if sweep.rows.row_cost is not None:
        return _draw_with_costs(sweep, cuts, at, n_draws, random_state)
    counts = Cells.between(sweep, cuts, at).draw(n_draws, random_state)
    matrix = sweep.rows.cost_matrix
    return counts if matrix is None else counts.costing(matrix)


def bootstrap_score(
    objective: Objective,
    rows: ScoredRows,
    decided: Codes,
    groups: list[Mask],
    random_state: np.random.RandomState,
    n_draws: int = _N_DRAWS,
    level: float = _LEVEL,
) -> Interval:
    """Return how far an objective of class decisions varies with the rows.

    Parameters
    ----------
    objective : Objective
        What is estimated.
    rows : ScoredRows
        The rows and their classes.
    decided : ndarray of shape (n,)
        Class codes.
    groups : list of ndarray of shape (n,), bool
        The rows that are counted together; values are averaged over groups.
    random_state : RandomState
        Where chance comes from.
    n_draws : int, default=200
        How often rows are drawn anew.
    level : float, default=0.95
        Share of the draws within the interval.

    Returns
    -------
    tuple of float
        Both ends.
    """
    if objective.name == COST.name and rows.row_cost is not None:
        return _interval(_draws_of_cost(rows, decided, groups, random_state, n_draws), level)
    n_classes = rows.scores.shape[1]
    cell = rows.target * n_classes + decided
    weight = np.ones(len(rows)) if rows.weight is None else rows.weight
    repeats = rows.repeats if len(groups) == 1 else 1.0
    values = np.zeros(n_draws)
    found = 0.0
    for group in groups:
        sums = [
            sums_by(cell[group], amounts[group], n_classes**2) for amounts in (weight, weight**2)
        ]
        one = repeats * _quotient(sums[1], sums[0])
        drawn = random_state.poisson(_quotient(sums[0], one), (n_draws, n_classes**2)) * one
        matrices = np.concatenate([sums[0][None], drawn]).reshape(-1, n_classes, n_classes)
        each = objective.values(counts_of_matrices(matrices, rows.cost_matrix)) / len(groups)
        found += float(each[0])
        values += each[1:]
    spread = rows.repeats if len(groups) > 1 else 1.0
    return _interval(_widened(values, found, spread), level)


def _draws_of_cost(
    rows: ScoredRows,
    decided: Codes,
    groups: list[Mask],
    random_state: np.random.RandomState,
    n_draws: int,
) -> Values:
    """Draw rows with their own costs; return the mean cost of each draw, negated."""
    assert rows.row_cost is not None
    weight = np.ones(len(rows)) if rows.weight is None else rows.weight
    paid = weight * rows.row_cost[np.arange(len(rows)), decided]
    repeats, spread = (rows.repeats, 1.0) if len(groups) == 1 else (1.0, rows.repeats)
    values, found = np.zeros(n_draws), 0.0
    for group in groups:
        n_rows = int(group.sum())
        n_blocks = min(n_rows, _MOST_BLOCKS)
        block = random_state.permutation(n_rows) % n_blocks
        drawn = random_state.poisson(1 / repeats, (n_draws, n_blocks))
        total, costs = (drawn @ sums_by(block, each[group], n_blocks) for each in (weight, paid))
        values -= _quotient(costs, total) / len(groups)
        found -= float(paid[group].sum() / weight[group].sum()) / len(groups)
    return _widened(values, found, spread)


def bootstrap_labels(
    ascent: LabelAscent,
    thresholds: Values,
    random_state: np.random.RandomState,
    n_draws: int = _N_DRAWS,
    level: float = _LEVEL,
) -> Interval:
    """Return how far an objective of labels varies with the rows.

    Rows are drawn with all their labels. Many rows are drawn in random blocks, which leaves the
    variance what it is.

    Parameters
    ----------
    ascent : LabelAscent
        Rows and objective.
    thresholds : ndarray of shape (n_labels,)
        One a label.
    random_state : RandomState
        Where chance comes from.
    n_draws : int, default=200
        How often rows are drawn anew.
    level : float, default=0.95
        Share of the draws within the interval.

    Returns
    -------
    tuple of float
        Both ends.
    """
    rows = ascent.rows
    decided = ThresholdRule(thresholds).decide(rows.scores)
    weight = np.ones(len(rows)) if rows.weight is None else rows.weight
    is_mean = len(ascent.groups) > 1
    repeats, spread = (1.0, rows.repeats) if is_mean else (rows.repeats, 1.0)
    values = np.zeros(n_draws)
    for group in ascent.groups:
        index = random_state.permutation(np.flatnonzero(group))
        block = np.arange(len(index)) % min(len(index), _MOST_BLOCKS)
        n_blocks = int(block.max()) + 1

        def in_blocks(
            amounts: Values, block: Codes = block, index: Codes = index, n_blocks: int = n_blocks
        ) -> Values:
            found: Values = sparse.csr_array(
                (weight[index], (block, np.arange(len(index)))), shape=(n_blocks, len(index))
            ) @ amounts[index].astype(np.float64)
            return found

        times = random_state.poisson(1 / repeats, (n_draws, n_blocks))
        drawn = times.astype(np.float64) * repeats
        values += ascent.values_of_draws(decided, drawn, in_blocks) / len(ascent.groups)
    return _interval(_widened(values, ascent.value(thresholds), spread), level)


def _quotient(part: Values, whole: Values) -> Values:
    """Divide, with 0 for shares of nothing."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _points(curve: Curve, chosen: int) -> npt.NDArray[np.intp]:
    """Take so many thresholds that drawing is cheap, evenly by the log odds of an alarm."""
    possible = np.flatnonzero(curve.values > -np.inf)
    if len(possible) <= _MOST_CELLS:
        return possible
    rates = curve.alarm_rate[possible]
    first, last = log_odds_of(curve.alarm_rate[possible[[0, 1, -2, -1]]])[[0, -1]]
    even = expit(np.linspace(float(first), float(last), _MOST_CELLS))
    at = np.searchsorted(rates, even).clip(max=len(possible) - 1)
    return np.unique(np.concatenate([possible[[0, -1]], possible[at], [chosen]]))


def _interval(values: Values, level: float) -> Interval:
    tail = (1 - level) / 2
    low, high = np.quantile(values, [tail, 1 - tail], method="inverted_cdf")
    return float(low), float(high)
