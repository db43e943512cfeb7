"""Which threshold for which label? Each on its own where labels part, in turn where they do not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from sk_imbalance_nn.decisions.counts import Counts, Values
from sk_imbalance_nn.decisions.cuts import Cuts, Mask
from sk_imbalance_nn.decisions.objectives import COST, Objective, share
from sk_imbalance_nn.decisions.rules import Codes, ThresholdRule
from sk_imbalance_nn.decisions.scored import ScoredRows

# Averages by which the best threshold of a label depends on the others'.
TIED = ("micro", "samples", "subset")
_MOST_SWEEPS = 20
_GAIN = 1e-10


def counts_of_label(target: npt.NDArray[np.generic], decided: Codes, weight: Values) -> Counts:
    """Count decisions about labels, each row of the result by itself.

    Parameters
    ----------
    target, decided : ndarray of shape (n, n_labels)
        Indicators.
    weight : ndarray of shape (n,)
        Weights of rows.

    Returns
    -------
    Counts
        Arrays of shape (2, n_labels).
    """
    true, said = target.astype(np.float64), decided.astype(np.float64)
    both, alarms, positives = weight @ (true * said), weight @ said, weight @ true
    return _counts_from(both, alarms, positives, np.full(len(both), weight.sum()))


def _counts_from(both: Values, alarms: Values, positives: Values, total: Values) -> Counts:
    negatives = total - positives
    rejections = negatives - (alarms - both)
    # What weights leave of no rejections must not become a share, let alone a negative one.
    rejections = np.where(rejections < 1e-12 * total, 0.0, rejections)
    return Counts(
        hits=np.stack([rejections, both]),
        predicted=np.stack([total - alarms, alarms]),
        actual=np.stack([negatives, positives]),
        total=total,
    )


def counts_of_rows(target: npt.NDArray[np.generic], decided: Codes) -> Counts:
    """Count decisions about the labels of each row.

    Parameters
    ----------
    target, decided : ndarray of shape (n, n_labels)
        Indicators.

    Returns
    -------
    Counts
        Arrays of shape (2, n): labels are what is counted.
    """
    return counts_of_label(target.T, decided.T, np.ones(target.shape[1]))


def values_of_rows(objective: Objective, target: npt.NDArray[np.generic], decided: Codes) -> Values:
    """Return what each row contributes to an average over rows.

    Parameters
    ----------
    objective : Objective
        With the average "samples", or "subset".
    target, decided : ndarray of shape (n, n_labels)
        Indicators.

    Returns
    -------
    ndarray of shape (n,)
        The objective of each row.
    """
    if objective.average == "subset":
        right: Values = (target == decided).all(axis=1).astype(np.float64)
        return right if objective.sign == 1 else right - 1.0
    return label_objective(objective).values(counts_of_rows(target, decided))


def value_of_labels(
    objective: Objective, target: npt.NDArray[np.generic], decided: Codes, weight: Values
) -> float:
    """Evaluate an objective of labels.

    Parameters
    ----------
    objective : Objective
        Of any average.
    target, decided : ndarray of shape (n, n_labels)
        Indicators.
    weight : ndarray of shape (n,)
        Weights of rows.

    Returns
    -------
    float
        Its value.
    """
    if objective.average in ("samples", "subset"):
        return float(np.average(values_of_rows(objective, target, decided), weights=weight))
    counts = counts_of_label(target, decided, weight)
    return float(value_of_counts(objective, counts))


def value_of_counts(objective: Objective, counts: Counts) -> Values:
    """Average an objective over labels.

    Parameters
    ----------
    objective : Objective
        Of any average but "samples" and "subset".
    counts : Counts
        Arrays of shape (2, ..., n_labels).

    Returns
    -------
    ndarray of shape (...)
        Its values.
    """
    if objective.average == "micro":
        counts = Counts(*(part.sum(axis=-1, keepdims=True) for part in _parts(counts)))
    values = label_objective(objective).values(counts)
    if objective.average == "weighted":
        return share((values * counts.actual[1]).sum(axis=-1), counts.actual[1].sum(axis=-1))
    mean: Values = values.mean(axis=-1)
    return mean


def _parts(counts: Counts) -> tuple[Values, Values, Values, Values]:
    return counts.hits, counts.predicted, counts.actual, counts.total


@dataclass(frozen=True)
class LabelAscent:
    """The search for thresholds of labels that an average ties together.

    Parameters
    ----------
    rows : ScoredRows
        Scores and target of shape (n, n_labels).
    objective : Objective
        With the average "micro", "samples" or "subset".
    aggregate : {"pooled", "mean"}
        Whether to count over all folds, or to average their values.
    lowest : float
        The least score that there can be.
    """

    rows: ScoredRows
    objective: Objective
    aggregate: str = "pooled"
    lowest: float = -np.inf

    @cached_property
    def _cuts(self) -> list[Cuts]:
        return [Cuts.of(scores) for scores in self.rows.scores.T]

    @cached_property
    def _weight(self) -> Values:
        return np.ones(len(self.rows)) if self.rows.weight is None else self.rows.weight

    @cached_property
    def groups(self) -> list[Mask]:
        """The rows that are counted together."""
        if self.aggregate == "mean":
            return list(self.rows.folds())
        return [np.ones(len(self.rows), dtype=bool)]

    def value(self, thresholds: Values) -> float:
        """Evaluate thresholds by the decisions that they make.

        Parameters
        ----------
        thresholds : ndarray of shape (n_labels,)
            One a label.

        Returns
        -------
        float
            The objective.
        """
        decided = ThresholdRule(thresholds).decide(self.rows.scores)
        values = [
            value_of_labels(
                self.objective, self.rows.target[group], decided[group], self._weight[group]
            )
            for group in self.groups
        ]
        return float(np.mean(values))

    def run(self, starts: list[Values]) -> Values:
        """Search from several starts.

        Parameters
        ----------
        starts : list of ndarray of shape (n_labels,)
            Thresholds to begin with.

        Returns
        -------
        ndarray of shape (n_labels,)
            At least as good as each start; a local optimum.
        """
        found = [self._climb(start) for start in starts]
        return max(found, key=self.value)

    def values_of_draws(
        self, decided: Codes, drawn: Values, in_blocks: Callable[[Values], Values]
    ) -> Values:
        """Evaluate decisions on rows that occur several times or not at all.

        Parameters
        ----------
        decided : ndarray of shape (n, n_labels)
            The decisions.
        drawn : ndarray of shape (n_draws, n_blocks)
            How often each block of rows occurs in each draw.
        in_blocks : callable
            Sums weighted amounts of rows of shape (n, ...) by blocks.

        Returns
        -------
        ndarray of shape (n_draws,)
            The objective.
        """
        target = self.rows.target
        if self.objective.average in ("samples", "subset"):
            values = values_of_rows(self.objective, target, decided)
            total = drawn @ in_blocks(np.ones(len(values)))
            return share(drawn @ in_blocks(values), total)
        said, true = decided.astype(np.float64), target.astype(np.float64)
        both, alarms, positives = (drawn @ in_blocks(each) for each in (true * said, said, true))
        total = np.broadcast_to((drawn @ in_blocks(np.ones(len(target))))[:, None], both.shape)
        return value_of_counts(
            self.objective, _counts_from(both, alarms, positives, np.asarray(total))
        )

    def _climb(self, thresholds: Values) -> Values:
        value = self.value(thresholds)
        for _ in range(_MOST_SWEEPS):
            before = value
            for label in range(self.rows.scores.shape[1]):
                moved = self._step(thresholds, label)
                reached = self.value(moved)
                if reached > value + _GAIN * max(1.0, abs(value)):
                    thresholds, value = moved, reached
            if value == before:
                break
        return thresholds

    def _step(self, thresholds: Values, label: int) -> Values:
        """Return the thresholds with the best one for a label, the others held."""
        cuts = self._cuts[label]
        by_row = self.objective.average in ("samples", "subset")
        values = self._row_values(thresholds, label) if by_row else self._micro(thresholds, label)
        values = np.where(cuts.possible, values, -np.inf)
        best = np.flatnonzero(values == values.max())
        moved = thresholds.copy()
        moved[label] = cuts.thresholds(self.lowest)[best[len(best) // 2]]
        return moved

    def _row_values(self, thresholds: Values, label: int) -> Values:
        """Return the mean over rows at each cut: what a row gains by a yes is its own affair."""
        decided = ThresholdRule(thresholds).decide(self.rows.scores)
        gains = []
        for answer in (0, 1):
            decided[:, label] = answer
            gains.append(-values_of_rows(self.objective, self.rows.target, decided))
        weight = np.zeros(len(self.rows))
        for group in self.groups:
            weight[group] = self._weight[group] / self._weight[group].sum()
        positive = self.rows.target[:, label] == 1
        row_cost = np.stack(gains, axis=1)
        return COST.values(self._cuts[label].counts(positive, weight, row_cost=row_cost))

    def _micro(self, thresholds: Values, label: int) -> Values:
        """Return the objective of all labels' counts together, at each cut of one."""
        decided = ThresholdRule(thresholds).decide(self.rows.scores)
        cuts = self._cuts[label]
        reaching = np.append(np.inf, cuts.levels)
        positive = self.rows.target[:, label] == 1
        others = np.arange(self.rows.scores.shape[1]) != label
        of_label = label_objective(self.objective)
        values = np.zeros(len(cuts))
        for group in self.groups:
            rest = counts_of_label(
                self.rows.target[group][:, others], decided[group][:, others], self._weight[group]
            )
            own = cuts if len(self.groups) == 1 else cuts.within(group)
            each = own.counts(positive, self.rows.weight)
            at = own.at(reaching)
            together = Counts(
                *(
                    part[..., at if part.shape[-1] > 1 else slice(None)]
                    + other.sum(axis=-1, keepdims=True)
                    for part, other in zip(_parts(each), _parts(rest), strict=True)
                )
            )
            values += of_label.values(together) / len(self.groups)
        return values


def label_objective(objective: Objective) -> Objective:
    """Return what a macro or weighted average asks of each label.

    Parameters
    ----------
    objective : Objective
        Of labels that part.

    Returns
    -------
    Objective
        Of one label.
    """
    if objective.of_label is None:
        return objective
    return replace(objective.of_label, name=objective.name, sign=objective.sign)
