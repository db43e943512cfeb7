"""Where can scores be cut in two? Every place, and what each comes to, by one sort."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from sk_imbalance_nn.decisions.counts import Counts, Values

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Cuts:
    """Every way to call the highest scores positive: none, then one more distinct score each.

    Parameters
    ----------
    order : ndarray of shape (n,)
        The rows by descending score.
    scores : ndarray of shape (n,)
        Their scores, descending.
    ends : ndarray of shape (n_levels,)
        Position in `order` of the last row of each distinct score.

    Examples
    --------
    >>> cuts = Cuts.of([0.2, 0.8, 0.2, 0.6])
    >>> cuts.thresholds()
    array([ inf,  0.7,  0.4, -inf])
    >>> cuts.counts(np.array([False, True, False, True])).hits[1]
    array([0., 1., 2., 2.])
    """

    order: npt.NDArray[np.intp]
    scores: Values
    ends: npt.NDArray[np.intp]

    @classmethod
    def of(cls, scores: npt.ArrayLike) -> Cuts:
        """Sort scores.

        Parameters
        ----------
        scores : array-like of shape (n,)
            Higher means more likely positive. Infinities may occur, NaN not.

        Returns
        -------
        Cuts
            All of them.
        """
        given = np.asarray(scores, dtype=np.float64)
        order = np.argsort(given)[::-1]
        return cls._of_sorted(order, given[order])

    @classmethod
    def _of_sorted(cls, order: npt.NDArray[np.intp], scores: Values) -> Cuts:
        ends = np.append(np.flatnonzero(scores[1:] != scores[:-1]), len(scores) - 1)
        return cls(order, scores, ends)

    def within(self, rows: Mask) -> Cuts:
        """Return the cuts of some of the rows, without sorting again.

        Parameters
        ----------
        rows : ndarray of shape (n_rows,), bool
            Which of all rows to keep.

        Returns
        -------
        Cuts
            Their cuts; `order` still counts all rows.
        """
        return self.among(np.flatnonzero(rows[self.order]))

    def among(self, places: npt.NDArray[np.intp]) -> Cuts:
        """Return the cuts of the rows at some places of `order`.

        Parameters
        ----------
        places : ndarray of shape (k,), intp
            Ascending.

        Returns
        -------
        Cuts
            Their cuts; `order` still counts all rows.
        """
        return self._of_sorted(self.order[places], self.scores[places])

    def __len__(self) -> int:
        return len(self.ends) + 1

    @property
    def levels(self) -> Values:
        """The distinct scores, descending."""
        return self.scores if len(self.ends) == len(self.scores) else self.scores[self.ends]

    def thresholds(self, lowest: float = -np.inf) -> Values:
        """Return a threshold for each cut: rows whose score is at least that are positive.

        Parameters
        ----------
        lowest : float, default=-inf
            The least score that there can be: 0 for probabilities.

        Returns
        -------
        ndarray of shape (n_cuts,)
            Descending: infinity for no row, then halfway between neighbouring scores, then
            `lowest` for all rows.
        """
        levels = self.levels
        upper, lower = levels[:-1], levels[1:]
        found = np.empty(len(self))
        found[0], found[-1] = np.inf, min(lowest, levels[-1])
        halfway = found[1:-1]
        with np.errstate(invalid="ignore", over="ignore"):
            np.subtract(upper, lower, out=halfway)
            halfway /= 2
            halfway += lower
        # Neighbouring floats, or an infinite one, leave no room between: the upper score itself.
        no_room = ~((halfway > lower) & (halfway < np.inf))
        halfway[no_room] = upper[no_room]
        return found

    def at(self, thresholds: npt.ArrayLike) -> npt.NDArray[np.intp]:
        """Find the cut that each threshold makes.

        Parameters
        ----------
        thresholds : array-like of shape (k,)
            Rows whose score is at least that are positive.

        Returns
        -------
        ndarray of shape (k,), intp
            Positions in `thresholds()`.
        """
        ascending = self.levels[::-1]
        below = np.searchsorted(ascending, np.asarray(thresholds, dtype=np.float64), side="left")
        return np.asarray(len(ascending) - below)

    @property
    def possible(self) -> Mask:
        """Whether a threshold can make each cut: none excludes a score of infinity."""
        possible = np.ones(len(self), dtype=bool)
        possible[0] = self.scores[0] < np.inf
        return possible

    def counts(
        self,
        positive: Mask,
        weight: Values | None = None,
        cost_matrix: Values | None = None,
        row_cost: Values | None = None,
    ) -> Counts:
        """Count what each cut gets right.

        Parameters
        ----------
        positive : ndarray of shape (n_rows,), bool
            Which rows are positive.
        weight : ndarray of shape (n_rows,), optional
            Non-negative weights; by default ones.
        cost_matrix : ndarray of shape (2, 2), optional
            Cost of each class (rows) when predicted as each (columns).
        row_cost : ndarray of shape (n_rows, 2), optional
            Cost of each prediction for each row, in place of `cost_matrix`.

        Returns
        -------
        Counts
            With n_cuts alternatives, in the order of `thresholds`.
        """
        found = positive[self.order]
        # Filled in place: of a million cuts, fresh memory costs more than the sums.
        hits, predicted = np.empty((2, len(self))), np.empty((2, len(self)))
        if weight is None:
            self._running(found, out=hits[1])
            predicted[1, 0] = 0.0
            np.add(self.ends, 1, out=predicted[1, 1:])
            np.subtract(predicted[1], hits[1], out=hits[0])
        else:
            # A sum for each class on its own stands still where it gains nothing, so that what is
            # left of the class ends at an exact zero.
            weights = weight[self.order]
            self._running(np.where(found, weights, 0.0), out=hits[1])
            self._running(np.where(found, 0.0, weights), out=hits[0])
            np.add(hits[0], hits[1], out=predicted[1])
        n_negative, n_positive = hits[:, -1].copy()
        # What is right of the others: those that raised no alarm.
        np.subtract(n_negative, hits[0], out=hits[0])
        np.subtract(n_positive, hits[1], out=predicted[0])
        predicted[0] += hits[0]
        counts = Counts(
            hits=hits,
            predicted=predicted,
            actual=np.array([[n_negative], [n_positive]]),
            total=np.array([n_negative + n_positive]),
        )
        if row_cost is not None:
            paid = row_cost[self.order]
            paid = paid if weight is None else paid * weight[self.order, None]
            total = paid[:, 0].sum() + self._running(paid[:, 1] - paid[:, 0])
            return replace(counts, cost=total)
        if cost_matrix is not None:
            return counts.costing(cost_matrix)
        return counts

    def _running(self, amounts: npt.NDArray[np.generic], out: Values | None = None) -> Values:
        """Sum what stands above each cut."""
        sums = np.empty(len(self)) if out is None else out
        sums[0] = 0.0
        if len(self.ends) == len(amounts):
            np.cumsum(amounts, dtype=np.float64, out=sums[1:])
        else:
            sums[1:] = np.cumsum(amounts, dtype=np.float64)[self.ends]
        return sums
