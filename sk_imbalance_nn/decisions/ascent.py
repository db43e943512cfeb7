"""Which class weights are best? Coordinate ascent in exact steps, for argmaxes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from sk_imbalance_nn.decisions.constraint import Constraint
from sk_imbalance_nn.decisions.counts import Counts, Values, sums_by
from sk_imbalance_nn.decisions.cuts import Mask
from sk_imbalance_nn.decisions.objectives import Objective
from sk_imbalance_nn.decisions.rules import ArgmaxRule, Codes
from sk_imbalance_nn.decisions.scored import ScoredRows
from sk_imbalance_nn.decisions.selection import eligible

_MOST_SWEEPS = 20
# Sums of many small numbers differ in their last digits, which is no gain.
_GAIN = 1e-10
_SMALL_GAIN = 1e-5
_RANDOM_STARTS = 2
# Beyond so many scores the starts are tried on a sample, of so many rows a class at least.
_MANY_CELLS = 200_000
_FEWEST_ROWS = 100


@dataclass(frozen=True)
class Standing:
    """How good a rule is: first by what it lacks, then by its value.

    Parameters
    ----------
    lacking : float
        How far it is from the constraint; 0 without one.
    value : float
        The objective.
    """

    lacking: float
    value: float

    def beats(self, other: Standing, gain: float = _GAIN) -> bool:
        """Say whether this is better by more than rounding.

        Parameters
        ----------
        other : Standing
            What it is compared with.
        gain : float, default=1e-10
            How much better the value must be, relative to it if it is large.

        Returns
        -------
        bool
            True if so.
        """
        if abs(self.lacking - other.lacking) > _GAIN:
            return self.lacking < other.lacking
        return self.value > other.value + gain * max(1.0, abs(other.value))


@dataclass(frozen=True)
class Ascent:
    """The search for one offset a class, added to scores before the argmax.

    Parameters
    ----------
    rows : ScoredRows
        Scores of shape (n, n_classes): logarithms of probabilities, or decision values.
    objective : Objective
        What is maximised.
    constraint : Constraint, optional
        What must hold.
    aggregate : {"pooled", "mean"}, default="pooled"
        Whether to count over all folds, or to average their values.
    """

    rows: ScoredRows
    objective: Objective
    constraint: Constraint | None = None
    aggregate: str = "pooled"

    @property
    def n_classes(self) -> int:
        """How many classes there are."""
        return int(self.rows.scores.shape[1])

    @property
    def _is_large(self) -> bool:
        fewest = _FEWEST_ROWS * self.n_classes
        return self.rows.scores.size > _MANY_CELLS and len(self.rows) > 2 * fewest

    @cached_property
    def groups(self) -> list[Mask]:
        """The rows that are counted together."""
        if self.aggregate == "mean":
            return list(self.rows.folds())
        return [np.ones(len(self.rows), dtype=bool)]

    @cached_property
    def _weight(self) -> Values:
        return np.ones(len(self.rows)) if self.rows.weight is None else self.rows.weight

    @cached_property
    def _prices(self) -> Values | None:
        """Weighted cost of each prediction for each row."""
        if self.rows.row_cost is not None:
            return np.asarray(self.rows.row_cost * self._weight[:, None])
        if self.rows.cost_matrix is not None:
            return np.asarray(self.rows.cost_matrix[self.rows.target] * self._weight[:, None])
        return None

    def run(self) -> ArgmaxRule:
        """Search from several starts.

        Returns
        -------
        ArgmaxRule
            At least as good as the plain argmax; a local optimum.
        """
        offset = np.zeros(self.n_classes)
        standing = self.standing(offset)
        if self._is_large:
            found = replace(self, rows=self._sample()).run().offset
            return self.climb(found if self.standing(found).beats(standing) else offset)
        for start in self._starts():
            found, reached = self._sweep(start, self.standing(start))
            if reached.beats(standing):
                offset, standing = found, reached
        return self.climb(offset)

    def climb(self, offset: Values) -> ArgmaxRule:
        """Improve offsets until no class's own change improves them.

        Parameters
        ----------
        offset : ndarray of shape (n_classes,)
            Where to start.

        Returns
        -------
        ArgmaxRule
            At least as good as the start.
        """
        standing = self.standing(offset)
        # Of many rows, gains far below what chance makes of them are not worth a sweep.
        enough = _SMALL_GAIN if self._is_large else _GAIN
        for _ in range(_MOST_SWEEPS):
            found, reached = self._sweep(offset, standing)
            if not reached.beats(standing):
                break
            is_last = reached.lacking == standing.lacking and not reached.beats(standing, enough)
            offset, standing = found, reached
            if is_last:
                break
        return ArgmaxRule(offset)

    def standing(self, offset: Values) -> Standing:
        """Evaluate offsets by the decisions that they make.

        Parameters
        ----------
        offset : ndarray of shape (n_classes,)
            Added to the scores.

        Returns
        -------
        Standing
            Objective and constraint.
        """
        counts = self.counts(ArgmaxRule(offset).decide(self.rows.scores))
        value = float(np.mean([self.objective.values(each) for each in counts]))
        return Standing(self._missing(counts), value)

    def bounded(self, offset: Values) -> float:
        """Return the quantity that the constraint bounds.

        Parameters
        ----------
        offset : ndarray of shape (n_classes,)
            Added to the scores.

        Returns
        -------
        float
            In the units of the bound.
        """
        assert self.constraint is not None
        counts = self.counts(ArgmaxRule(offset).decide(self.rows.scores))
        values = [self.constraint.objective.values(each) for each in counts]
        return float(self.constraint.quantity(np.mean(values)))

    def counts(self, decided: Codes) -> list[Counts]:
        """Count what decisions get right, in each group.

        Parameters
        ----------
        decided : ndarray of shape (n,)
            Class codes.

        Returns
        -------
        list of Counts
            One a group.
        """
        target, weight, prices = self.rows.target, self._weight, self._unweighted_prices
        return [
            Counts.of(
                target[group],
                decided[group],
                self.n_classes,
                weight[group],
                None if prices is None else prices[group],
            )
            for group in self.groups
        ]

    @cached_property
    def _unweighted_prices(self) -> Values | None:
        if self.rows.row_cost is not None:
            return self.rows.row_cost
        matrix = self.rows.cost_matrix
        return None if matrix is None else np.asarray(matrix[self.rows.target])

    def _missing(self, counts: list[Counts]) -> float:
        if self.constraint is None:
            return 0.0
        bounded = np.mean([self.constraint.objective.values(each) for each in counts])
        return float(self.constraint.lacking(bounded))

    def _starts(self) -> Iterator[Values]:
        """Yield offsets: none, those that undo the classes' frequencies, and some at random."""
        share = sums_by(self.rows.target, self._weight, self.n_classes) / self._weight.sum()
        undo = -np.log(np.maximum(share, 1 / (len(self.rows) + 1)))
        undo -= undo.mean()
        yield np.zeros(self.n_classes)
        # Post-hoc logit adjustment, best for balanced accuracy (Menon et al. 2021), and half of it.
        yield undo
        yield undo / 2
        # A generator of its own: the search gives the same whatever the random_state.
        generator = np.random.RandomState(0)
        for _ in range(_RANDOM_STARTS):
            start = generator.uniform(0, 1) * undo + generator.normal(size=self.n_classes)
            # No step may better it, and offsets have a mean of zero.
            yield start - start.mean()

    def _sample(self) -> ScoredRows:
        """Take fewer rows of frequent classes, and let each stand for several."""
        generator = np.random.RandomState(0)
        most = max(_MANY_CELLS // (2 * self.n_classes**2), _FEWEST_ROWS)
        weight, chosen = self._weight.copy(), np.zeros(len(self.rows), dtype=bool)
        for k in range(self.n_classes):
            own = np.flatnonzero(self.rows.target == k)
            kept = own if len(own) <= most else generator.choice(own, most, replace=False)
            chosen[kept] = True
            weight[kept] *= len(own) / max(len(kept), 1)
        sample = replace(self.rows, weight=weight).part(chosen)
        return replace(sample, fold=self.rows.fold[chosen], n_folds=self.rows.n_folds)

    def _sweep(self, offset: Values, standing: Standing) -> tuple[Values, Standing]:
        """Improve the offset of each class once, in turn."""
        for k in range(self.n_classes):
            moved = self._step(offset, k)
            # Centred here, not in the end: rounding may part scores that tie, and then counts.
            moved -= moved.mean()
            reached = self.standing(moved)
            if reached.beats(standing):
                offset, standing = moved, reached
        return offset, standing

    def _step(self, offset: Values, k: int) -> Values:
        """Return the offsets with the best one for class k, the others held."""
        scores = self.rows.scores + offset
        scores[:, k] = -np.inf
        rival = scores.argmax(axis=1)
        with np.errstate(invalid="ignore"):
            # The offset from which on a row is called k; infinite where none would do.
            needed = scores[np.arange(len(scores)), rival] - self.rows.scores[:, k]
        needed[np.isnan(needed) | (self.rows.scores[:, k] == -np.inf)] = np.inf
        order = np.argsort(needed)
        needed = needed[order]
        ends = np.append(np.flatnonzero(needed[1:] != needed[:-1]) + 1, len(needed))
        # Alternatives: none of the rows is called k, then those that need least, and so on.
        positions = np.append(0, ends)
        offsets = _between(needed, ends)
        values, bounded = np.zeros(len(positions)), np.zeros(len(positions))
        for group in self.groups:
            reached, counts = self._running(group, order, rival, k)
            at = reached[positions]
            values += self.objective.values(counts)[at] / len(self.groups)
            if self.constraint is not None:
                bounded += self.constraint.objective.values(counts)[at] / len(self.groups)
        lacking = None if self.constraint is None else self.constraint.lacking(bounded)
        values = eligible(np.where(np.isfinite(offsets), values, -np.inf), lacking)
        best = np.flatnonzero(values == values.max())
        moved = offset.copy()
        if len(best) and np.isfinite(values[best[0]]):
            moved[k] = offsets[best[len(best) // 2]]
        return moved

    def _running(
        self, group: Mask, order: Codes, rival: Codes, k: int
    ) -> tuple[npt.NDArray[np.intp], Counts]:
        """Count a group after each of its rows is handed from its rival to class k.

        Returns how many of the group's rows stand among the first of all rows, too.
        """
        own = group[order]
        reached = np.append(0, np.cumsum(own))
        index = order[own]
        true, weight, given_up = self.rows.target[index], self._weight[index], rival[index]
        n = len(index)
        hits, predicted = np.zeros((2, self.n_classes, n + 1))
        at = np.arange(1, n + 1)
        # The first column is the state before any row is handed over; the others are changes.
        hits[:, 0] = sums_by(given_up, weight * (true == given_up), self.n_classes)
        predicted[:, 0] = sums_by(given_up, weight, self.n_classes)
        predicted[given_up, at] -= weight
        predicted[k, at] += weight
        lost = true == given_up
        hits[given_up[lost], at[lost]] -= weight[lost]
        won = true == k
        hits[k, at[won]] += weight[won]
        cost = None
        if self._prices is not None:
            prices = self._prices[index]
            kept, changed = prices[np.arange(n), given_up], prices[:, k]
            cost = kept.sum() + np.append(0.0, np.cumsum(changed - kept))
        actual = sums_by(true, weight, self.n_classes)[:, None]
        total = actual.sum(axis=0)
        predicted, hits = predicted.cumsum(axis=1), hits.cumsum(axis=1)
        if self.rows.weight is not None:
            # What running sums of weights leave of an empty class must not become a share.
            predicted[predicted < 1e-12 * total] = 0.0
            hits = hits.clip(0.0, predicted)
        counts = Counts(hits, predicted, actual, total, cost)
        return reached, counts


def _between(needed: Values, ends: npt.NDArray[np.intp]) -> Values:
    """Return an offset for each alternative, NaN where no number lies between its neighbours."""
    levels = needed[ends - 1]
    below, above = np.append(-np.inf, levels), np.append(levels, np.inf)
    with np.errstate(invalid="ignore"):
        halfway = below + (above - below) / 2
    one_more = np.where(np.isfinite(below), below + 1.0, np.where(np.isfinite(above), above - 1, 0))
    offsets = np.where(np.isfinite(halfway), halfway, one_more)
    possible = (offsets > below) & (offsets < above)
    return np.where(possible, offsets, np.nan)
