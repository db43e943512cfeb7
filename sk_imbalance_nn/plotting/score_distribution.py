"""ScoreDistributionDisplay: how the rows of a class score, and how all others do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sk_imbalance_nn.plotting.class_scores import (
    ClassScores,
    scores_by_estimator,
    scores_by_prediction,
)
from sk_imbalance_nn.plotting.drawing import (
    CHOSEN,
    CLASS,
    REST,
    add_legend,
    axes_to_draw_on,
    count_of,
    mark,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_N_BINS = 40


class ScoreDistributionDisplay:
    """Histograms of the scores of a class and of the rest, with the threshold between them.

    Counts are on a logarithmic axis, or a rare class would not be seen. Make one with
    `from_estimator` or `from_predictions`.

    Parameters
    ----------
    bin_edges : ndarray of shape (n_bins + 1,)
        Ascending scores. The last bin includes its end.
    counts : ndarray of shape (2, n_bins)
        Rows of the rest (first) and of the class (second) in each bin, or their weights.
    threshold : float, default=None
        From which score on rows are said to be of the class.
    names : tuple of (str, str), default=("rest", "class")
        What the rest and the class are called.
    score_name : str, default="score"
        What the score is called.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it is drawn.
    figure_ : matplotlib Figure
        The figure of `ax_`.
    rest_, class_ : matplotlib StepPatch
        The two histograms.
    threshold_line_ : matplotlib Line2D or None
        The threshold.

    See Also
    --------
    sk_imbalance_nn.plot_imbalance_dashboard : This beside other pictures.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sk_imbalance_nn import ScoreDistributionDisplay
    >>> X, y = make_classification(500, weights=[0.9], random_state=0)
    >>> display = ScoreDistributionDisplay.from_estimator(LogisticRegression().fit(X, y), X, y)
    >>> display.counts.sum(axis=1), display.threshold
    (array([450.,  50.]), 0.5)
    """

    def __init__(
        self,
        *,
        bin_edges: npt.ArrayLike,
        counts: npt.ArrayLike,
        threshold: float | None = None,
        names: tuple[str, str] = ("rest", "class"),
        score_name: str = "score",
    ) -> None:
        self.bin_edges = bin_edges
        self.counts = counts
        self.threshold = threshold
        self.names = names
        self.score_name = score_name

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        pos_label: Any = None,
        response_method: str = "auto",
        threshold: float | None = None,
        sample_weight: npt.ArrayLike | None = None,
        bins: int | npt.ArrayLike = _N_BINS,
        log: bool = True,
        ax: Axes | None = None,
    ) -> ScoreDistributionDisplay:
        """Score rows and draw.

        Parameters
        ----------
        estimator : estimator instance
            A fitted classifier.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, as the estimator takes them.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Their labels.
        pos_label : object, default=None
            The class, or the number of a label. Of two classes by default the one that a threshold
            was tuned for, or the second; of more, one has to be said.
        response_method : {"auto", "predict_proba", "decision_function"}, default="auto"
            Where scores come from; "auto" is what a threshold was tuned on, or the first of the
            two that there is.
        threshold : float, default=None
            By default what ``predict`` goes by: ``best_threshold_``, or 0.5 (0 for
            ``decision_function``); none for more than two classes.
        sample_weight : array-like of shape (n_samples,), default=None
            What each row counts.
        bins : int or array-like of shape (n_bins + 1,), default=40
            How many between the lowest and the highest score (0 and 1 for probabilities), or their
            edges.
        log : bool, default=True
            Whether the axis of the counts is logarithmic.
        ax : matplotlib Axes, default=None
            Where to draw; by default a new figure.

        Returns
        -------
        ScoreDistributionDisplay
            Drawn.

        Raises
        ------
        ValueError
            If there is no such class, or of more than two none is said.
        """
        shown = scores_by_estimator(
            estimator,
            X,
            y,
            pos_label=pos_label,
            response_method=response_method,
            threshold=threshold,
            sample_weight=sample_weight,
        )
        return cls(**histograms_of(shown, bins)).plot(ax=ax, log=log)

    @classmethod
    def from_predictions(
        cls,
        y_true: npt.ArrayLike,
        y_score: npt.ArrayLike,
        *,
        pos_label: Any = None,
        threshold: float | None = None,
        sample_weight: npt.ArrayLike | None = None,
        bins: int | npt.ArrayLike = _N_BINS,
        log: bool = True,
        ax: Axes | None = None,
    ) -> ScoreDistributionDisplay:
        """Draw given scores.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Labels of two classes.
        y_score : array-like of shape (n_samples,)
            Scores of the class; if all are from 0 to 1 they are called probabilities.
        pos_label : object, default=None
            The class; by default the second.
        threshold : float, default=None
            From which score on rows are said to be of the class.
        sample_weight : array-like of shape (n_samples,), default=None
            What each row counts.
        bins : int or array-like of shape (n_bins + 1,), default=40
            As for `from_estimator`.
        log : bool, default=True
            Whether the axis of the counts is logarithmic.
        ax : matplotlib Axes, default=None
            Where to draw; by default a new figure.

        Returns
        -------
        ScoreDistributionDisplay
            Drawn.

        Raises
        ------
        ValueError
            If there are more classes, or shapes do not fit.
        """
        shown = scores_by_prediction(
            y_true, y_score, pos_label=pos_label, threshold=threshold, sample_weight=sample_weight
        )
        return cls(**histograms_of(shown, bins)).plot(ax=ax, log=log)

    def plot(self, ax: Axes | None = None, *, log: bool = True) -> ScoreDistributionDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where; by default a new figure.
        log : bool, default=True
            Whether the axis of the counts is logarithmic.

        Returns
        -------
        ScoreDistributionDisplay
            Itself, with the artists as attributes.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = axes_to_draw_on(ax)
        rest, of_class = np.asarray(self.counts)
        self.rest_ = self._steps(ax, rest, self.names[0], REST, 0.3)
        self.class_ = self._steps(ax, of_class, self.names[1], CLASS, 0.5)
        label = "" if self.threshold is None else f"threshold ({self.threshold:.3g})"
        self.threshold_line_ = mark(ax, self.threshold, label, CHOSEN, "-")
        if log:
            ax.set_yscale("log")
            least = np.min(self.counts, where=np.asarray(self.counts) > 0, initial=1.0)
            ax.set_ylim(bottom=least / 2)
        ax.set(xlabel=self.score_name, ylabel="rows")
        add_legend(ax, loc="best")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _steps(self, ax: Axes, counts: Any, name: str, color: str, alpha: float) -> Any:
        from matplotlib.colors import to_rgba

        return ax.stairs(
            counts,
            np.asarray(self.bin_edges),
            fill=True,
            facecolor=to_rgba(color, alpha),
            edgecolor=color,
            linewidth=1.2,
            label=f"{name} ({count_of(counts.sum())} rows)",
        )


def histograms_of(shown: ClassScores, bins: int | npt.ArrayLike = _N_BINS) -> dict[str, Any]:
    """Count the scores of the class and of the rest.

    Parameters
    ----------
    shown : ClassScores
        Scores of rows.
    bins : int or array-like of shape (n_bins + 1,), default=40
        How many, or their edges.

    Returns
    -------
    dict
        Arguments of a `ScoreDistributionDisplay`.
    """
    span = (0.0, 1.0) if shown.is_probability else (shown.score.min(), shown.score.max())
    # Rounding may carry a probability beyond 1, where no bin is.
    score = np.clip(shown.score, *span)
    edges = np.histogram_bin_edges(score, bins, range=span)
    counts = [
        np.histogram(score[rows], edges, weights=shown.weights[rows])[0]
        for rows in (shown.target == 0, shown.target == 1)
    ]
    what = "probability" if shown.is_probability else "score"
    return {
        "bin_edges": edges,
        "counts": np.array(counts, dtype=np.float64),
        "threshold": shown.threshold,
        "names": shown.names,
        "score_name": f"{what} of {shown.names[1]}",
    }
