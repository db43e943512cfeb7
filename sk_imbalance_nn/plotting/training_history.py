"""TrainingHistoryDisplay: loss and validation score, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from sk_imbalance_nn.decisions.responses import decider_in
from sk_imbalance_nn.plotting.drawing import (
    CHOSEN,
    LOSS,
    SCORE,
    add_legend,
    axes_to_draw_on,
    mark,
    put_in_front,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class TrainingHistoryDisplay:
    """The loss of training and validation, the validation score, and the epoch that was kept.

    Make one with `from_estimator` or `from_history`.

    Parameters
    ----------
    loss : array-like of shape (n_epochs,)
        Of the training rows, epoch by epoch.
    val_loss : array-like of shape (n_validated,), default=None
        Of the validation rows, after the epochs in `validated`.
    score : array-like of shape (n_validated,), default=None
        The validation score after the same epochs.
    validated : array-like of shape (n_validated,), int, default=None
        Epochs after which there was validation, counted from 1; by default all.
    best_epoch : int, default=None
        The epoch whose weights were kept, counted from 1.
    score_name : str, default=None
        What the score is called.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it is drawn: the axis of the losses.
    figure_ : matplotlib Figure
        The figure of `ax_`.
    loss_line_ : matplotlib Line2D
        The training loss.
    val_loss_line_ : matplotlib Line2D or None
        The validation loss.
    score_ax_ : matplotlib Axes or None
        The second axis, that of the score.
    score_line_ : matplotlib Line2D or None
        The validation score.
    best_line_ : matplotlib Line2D or None
        The epoch that was kept.

    See Also
    --------
    sk_imbalance_nn.BalancedKerasClassifier : Keeps the history.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sk_imbalance_nn import BalancedKerasClassifier, TrainingHistoryDisplay
    >>> X, y = make_classification(600, weights=[0.9], random_state=0)
    >>> network = BalancedKerasClassifier(epochs=4, early_stopping=True, random_state=0).fit(X, y)
    >>> display = TrainingHistoryDisplay.from_estimator(network)
    >>> display.ax_.get_ylabel(), display.score_ax_.get_ylabel()
    ('loss', 'out-of-fold average precision')
    """

    def __init__(
        self,
        *,
        loss: npt.ArrayLike,
        val_loss: npt.ArrayLike | None = None,
        score: npt.ArrayLike | None = None,
        validated: npt.ArrayLike | None = None,
        best_epoch: int | None = None,
        score_name: str | None = None,
    ) -> None:
        self.loss = loss
        self.val_loss = val_loss
        self.score = score
        self.validated = validated
        self.best_epoch = best_epoch
        self.score_name = score_name

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Axes | None = None) -> TrainingHistoryDisplay:
        """Draw the history of a fitted network.

        Parameters
        ----------
        estimator : estimator instance
            A fitted `BalancedKerasClassifier`, or a search, Pipeline or `ThresholdOptimizerCV`
            around one.
        ax : matplotlib Axes, default=None
            Where to draw; by default a new figure.

        Returns
        -------
        TrainingHistoryDisplay
            Drawn.

        Raises
        ------
        TypeError
            If there is no network in it.
        """
        check_is_fitted(estimator)
        network = _network_in(estimator)
        return cls.from_history(
            network.history_,
            score_name=_name_of_score(network),
            best_epoch=network.best_iteration_,
            validated=network.validated_epochs_,
            ax=ax,
        )

    @classmethod
    def from_history(
        cls,
        history: Mapping[str, Sequence[Any]],
        *,
        score_name: str | None = None,
        best_epoch: int | None = None,
        validated: npt.ArrayLike | None = None,
        ax: Axes | None = None,
    ) -> TrainingHistoryDisplay:
        """Draw a history.

        Parameters
        ----------
        history : mapping of str to sequence of float
            ``history_``, or the ``history`` of what Keras' ``Model.fit`` returns.
        score_name : str, default=None
            Which quantity of it to draw as the score, such as ``"val_average_precision"``.
        best_epoch : int, default=None
            The epoch whose weights were kept, counted from 1.
        validated : array-like of shape (n_validated,), int, default=None
            Epochs after which there was validation, counted from 1; by default all.
        ax : matplotlib Axes, default=None
            Where to draw; by default a new figure.

        Returns
        -------
        TrainingHistoryDisplay
            Drawn.

        Raises
        ------
        ValueError
            If the history holds no loss, or not that score.
        """
        for name in ("loss", *([] if score_name is None else [score_name])):
            if not len(history.get(name, ())):
                raise ValueError(f"The history holds no {name!r}, only {sorted(history)}.")
        n_validated = len(history["loss"]) if validated is None else len(np.asarray(validated))
        for name in ("val_loss", *([] if score_name is None else [score_name])):
            if name in history and len(history[name]) != n_validated:
                raise ValueError(
                    f"The history holds {len(history['loss'])} epochs and {name!r} of "
                    f"{len(history[name])}; say after which ones there was validation, with "
                    "validated=[...]."
                )
        display = cls(
            loss=history["loss"],
            val_loss=history.get("val_loss"),
            score=None if score_name is None else history[score_name],
            validated=validated,
            best_epoch=best_epoch,
            score_name=score_name,
        )
        return display.plot(ax=ax)

    def plot(self, ax: Axes | None = None) -> TrainingHistoryDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where; by default a new figure.

        Returns
        -------
        TrainingHistoryDisplay
            Itself, with the artists as attributes.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = axes_to_draw_on(ax)
        epochs = np.arange(1, len(np.asarray(self.loss)) + 1)
        dots = {"marker": "o", "markersize": 3} if len(epochs) < 3 else {}
        (self.loss_line_,) = ax.plot(epochs, self.loss, color=LOSS, label="training loss", **dots)
        self.val_loss_line_ = self.score_ax_ = self.score_line_ = None
        if self.val_loss is not None:
            (self.val_loss_line_,) = ax.plot(
                self._epochs_of(self.val_loss),
                self.val_loss,
                color=LOSS,
                linestyle="--",
                label="validation loss",
                **dots,
            )
        if self.score is not None:
            name = _readable(self.score_name or "score")
            self.score_ax_ = ax.twinx()
            (self.score_line_,) = self.score_ax_.plot(
                self._epochs_of(self.score), self.score, color=SCORE, label=name, **dots
            )
            self.score_ax_.set_ylabel(name)
            self.score_ax_.spines["right"].set_color(SCORE)
            put_in_front(ax, self.score_ax_)
        self.best_line_ = mark(ax, self.best_epoch, f"kept: epoch {self.best_epoch}", CHOSEN, ":")
        ax.set(xlabel="epoch", ylabel="loss")
        ax.xaxis.get_major_locator().set_params(integer=True)
        add_legend(ax, self.score_ax_)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _epochs_of(self, values: npt.ArrayLike) -> npt.NDArray[np.intp]:
        """Return after which epochs there was validation."""
        if self.validated is None:
            return np.arange(1, len(np.asarray(values)) + 1)
        return np.asarray(self.validated, dtype=np.intp)


def _network_in(estimator: Any) -> Any:
    """Return the fitted network within searches, Pipelines and threshold optimizers."""
    inner = estimator
    while inner is not None:
        inner = decider_in(inner)
        if hasattr(inner, "history_"):
            return inner
        inner = getattr(inner, "estimator_", None)
    raise TypeError(
        f"{type(estimator).__name__} holds no BalancedKerasClassifier that is the fitted one, "
        "so there is no history of training; draw a history of Keras' own with from_history."
    )


def _name_of_score(network: Any) -> str | None:
    """Return what the score of rows that did not train is called in the history, if it is there."""
    scoring = network.scoring if isinstance(network.scoring, str) else "score"
    names = [] if scoring == "loss" else [f"val_{scoring}", f"oof_{scoring}"]
    return next((name for name in names if name in network.history_), None)


def _readable(name: str) -> str:
    kind, _, rest = name.partition("_")
    words = {"oof": "out-of-fold", "val": "validation"}
    found = f"{words[kind]} {rest}" if kind in words else f"validation {name}"
    return found.replace("_", " ")
