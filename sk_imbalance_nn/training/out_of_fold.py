"""Out of fold: predictions for the rows that train, by members that have not seen them.

Each member of an ensemble is blind to one fold: the rows of it weigh nothing in its loss. So the
member's answers for its fold are as honest as those for new rows, and after each epoch there is
one for every row, at the price of one pass over the rows.

They choose each member's epoch, too: a member keeps the epoch that is best for the rows of the
*other* folds, as their members answer. So no row has a say in the epoch of the member that answers
for it. (The others have learnt from it; that nothing comes through this way is what fits on noise
show: out-of-fold scores lie at chance. One epoch for all, chosen on all rows, would not do.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from sk_imbalance_nn.data.inputs import row_bytes, take_rows
from sk_imbalance_nn.networks.ensemble import network_of_members
from sk_imbalance_nn.training.early_stopping import diverged
from sk_imbalance_nn.training.forward import ForwardPass

_CHUNK_BYTES = 8 * 2**20


def blinded(
    weight: NDArray[np.float32] | None, folds: NDArray[np.intp], members: int
) -> NDArray[np.float32]:
    """Return what each row weighs for each member.

    Parameters
    ----------
    weight : ndarray of shape (n,) or None
        What it weighs for those that are to learn from it; one by default.
    folds : ndarray of shape (n,)
        The fold of each row; -1 for none.
    members : int
        How many members; the one of a row's fold is blind to it.

    Returns
    -------
    ndarray of shape (n, members)
        With the mean of ``weight``.

    Examples
    --------
    >>> blinded(None, np.array([0, 1]), 2).tolist()
    [[0.0, 2.0], [2.0, 0.0]]
    """
    sees = folds[:, None] != np.arange(members)
    base = np.ones(len(folds), np.float32) if weight is None else weight
    return np.asarray(sees * base[:, None] * (members / (members - 1)), dtype=np.float32)


def names_to_come(callbacks: Iterable[Any]) -> list[str]:
    """Return what those of the callbacks that watch members will put into the logs.

    Parameters
    ----------
    callbacks : iterable of keras.callbacks.Callback
        Any.

    Returns
    -------
    list of str
        Names.
    """
    watching = (part for part in callbacks if isinstance(part, OutOfFold))
    return [name for part in watching for name in part.names]


class OutOfFold(keras.callbacks.Callback):
    """Answers for each row by the member that is blind to it, after each epoch.

    Parameters
    ----------
    model : EnsembleNetwork
        In training.
    x : array, memory map or CSR matrix of shape (n, n_columns)
        All rows.
    rows : ndarray of shape (m,)
        Which of them train.
    folds : ndarray of shape (m,)
        The fold of each of these.
    scores : sequence of callable, default=()
        For each fold, from the logits (m, units) of all rows to the score of the rows of the
        *other* folds. Empty: nothing stops, and the last epoch is kept.
    name : str, default="oof_score"
        Under which the score over all folds, their mean, stands in the logs.
    patience : int, default=1
        How many epochs without a better score make a member's choice final; training ends with
        the last one.
    every : int, default=1
        Every how many epochs to look.
    after : int, default=0
        How many epochs do not count yet, as for `BestEpoch`.

    Attributes
    ----------
    logits : ndarray of shape (m, units)
        After training: each row's, by the member that is blind to it, at that member's epoch.
    best_epoch, best_score : int, float
        The epoch with the best mean score, counted from 1; 0 before the first.
    member_epochs : list of int
        The epoch that each member has kept.
    epochs_looked_at : list of int
        The epochs that were scored, counted from 1.
    """

    def __init__(
        self,
        model: keras.Model,
        x: Any,
        rows: NDArray[np.integer[Any]],
        folds: NDArray[np.intp],
        scores: Sequence[Callable[[NDArray[np.float64]], float]] = (),
        name: str = "oof_score",
        patience: int = 1,
        every: int = 1,
        after: int = 0,
    ) -> None:
        super().__init__()
        self._network, self._x, self._rows, self._folds = model, x, rows, folds
        self._scores, self.name, self._patience, self._every = scores, name, patience, every
        self._after = after
        self._answer = ForwardPass(network_of_members(model), logits=False)
        self._members = int(model.layers[-1].members)
        self._places = _side_by_side(folds, self._members)
        self._kept: list[_Kept] = [_Kept() for _ in range(self._members)]
        self.logits: NDArray[np.float64] = np.empty((0, 0))
        self.best_epoch, self.best_score = 0, -np.inf
        self.epochs_looked_at: list[int] = []

    @property
    def stops(self) -> bool:
        """Whether the scores choose epochs."""
        return bool(self._scores)

    @property
    def names(self) -> list[str]:
        """What it puts into the logs."""
        return [self.name] if self.stops else []

    @property
    def member_epochs(self) -> list[int]:
        """The epoch that each member has kept; 0 before the first."""
        return [kept.epoch for kept in self._kept]

    def improves(self, score: float, epoch: int) -> bool:
        """Say whether an epoch, counted from 1, is the best so far."""
        return self.best_epoch == 0 or score > self.best_score

    def looks_at(self, epoch: int) -> bool:
        """Say whether an epoch, counted from 0, is looked at: the last one always is."""
        due = (epoch + 1) % self._every == 0 or epoch + 1 == self.params["epochs"]
        return due and epoch + 1 > self._after

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Score the epoch, keep what got better, and say when to stop."""
        if not self.stops or not self.looks_at(epoch):
            return
        logits = self.answers()
        if not np.all(np.isfinite(logits)):
            raise ValueError(diverged("The network's outputs became NaN"))
        # A score that is not defined is worse than any other.
        scores = [np.nan_to_num(score(logits), nan=-np.inf) for score in self._scores]
        if np.all(np.isneginf(scores)) and not self.epochs_looked_at:
            raise ValueError(
                f"{self.name.removeprefix('oof_')} is not defined on the rows that train: do they "
                "hold rows of every class? Give another scoring."
            )
        found = list(self._kept)
        for member, (kept, score) in enumerate(zip(self._kept, scores, strict=True)):
            if self._has_waited(kept, epoch) or (kept.epoch and score < kept.score):
                continue
            # Of equal scores the later one, whose probabilities are better; but it is no gain.
            since = kept.since if score == kept.score else epoch + 1
            own = logits[self._folds == member]
            found[member] = _Kept(epoch + 1, since, score, self._weights_of(member), own)
        # At once, so that an interruption finds all members or none.
        self._kept = found
        mean = float(np.mean(scores))
        self.epochs_looked_at.append(epoch + 1)
        # A loss stands in the logs as such.
        logs[self.name] = -mean if self.name == "oof_loss" else mean
        if self.improves(mean, epoch + 1):
            self.best_epoch, self.best_score = epoch + 1, mean
        if all(self._has_waited(kept, epoch + 1) for kept in self._kept):
            self.model.stop_training = True

    def _has_waited(self, kept: _Kept, n_epochs: int) -> bool:
        """Say whether a member's choice is made.

        It is final, though training goes on for others: when that ends they decide, and their
        scores know the rows that this member is blind to.
        """
        return kept.epoch > 0 and n_epochs - kept.since >= self._patience

    def on_train_end(self, logs: Any = None) -> None:
        """Give each member its best epoch's weights."""
        if any(self.member_epochs):
            self._restore()

    def take_down(self) -> None:
        """Take down the answers of the network that training leaves.

        Callbacks behind this one may have put other weights in, in the place of those kept.
        """
        if not any(self.member_epochs):
            self.logits = self.answers()
            return
        self._restore()
        self.logits = np.empty((len(self._rows), self._kept[0].logits.shape[1]))
        for member, kept in enumerate(self._kept):
            self.logits[self._folds == member] = kept.logits

    def _restore(self) -> None:
        for variable, values in zip(
            self._network.trainable_variables,
            zip(*(kept.weights for kept in self._kept), strict=True),
            strict=True,
        ):
            variable.assign(np.stack(values))

    def _weights_of(self, member: int) -> list[NDArray[Any]]:
        """Copy a member's part of every weight: members are the first axis of each."""
        variables = self._network.trainable_variables
        return [np.asarray(variable)[member].copy() for variable in variables]

    def answers(self) -> NDArray[np.float64]:
        """Return the logits of each row, by the member that is blind to it.

        Returns
        -------
        ndarray of shape (m, units)
            In the order of ``rows``.
        """
        step = max(1, _CHUNK_BYTES // (row_bytes(self._x) * self._members))
        outputs = []
        for at in range(0, len(self._places), step):
            some = self._places[at : at + step]
            tables = take_rows(self._x, self._rows[some.ravel()])
            outputs.append(self._answer(tables.reshape(*some.shape, -1)))
        answered = np.concatenate(outputs).astype(np.float64)
        found = np.empty((len(self._rows), answered.shape[2]))
        # An empty fold, as groups may leave one, has answered for a row of another's.
        for member in np.unique(self._folds):
            found[self._places[:, member]] = answered[:, member]
        return found


class _Kept:
    """What a member has kept: an epoch, since when there is no better, its score and the rest."""

    def __init__(
        self,
        epoch: int = 0,
        since: int = 0,
        score: float = -np.inf,
        weights: Sequence[NDArray[Any]] = (),
        logits: NDArray[np.float64] | None = None,
    ) -> None:
        self.epoch, self.since, self.score, self.weights = epoch, since, score, weights
        self.logits = np.empty((0, 0)) if logits is None else logits


def _side_by_side(folds: NDArray[np.intp], members: int) -> NDArray[np.intp]:
    """Return positions of rows, a column a fold, those of short folds repeated."""
    parts = [np.flatnonzero(folds == member) for member in range(members)]
    longest = max(map(len, parts))
    parts = [part if len(part) else np.zeros(1, np.intp) for part in parts]
    return np.stack([np.resize(part, longest) for part in parts], axis=1)
