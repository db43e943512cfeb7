"""ThresholdCurveDisplay: what an objective comes to at each threshold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sk_imbalance_nn.decisions.responses import decider_in
from sk_imbalance_nn.decisions.scoring import stated_pos_label, usual_pos_label
from sk_imbalance_nn.plotting.class_scores import scores_by_estimator, scores_by_prediction
from sk_imbalance_nn.plotting.curves import (
    columns_of,
    curve_of_rows,
    curve_of_scores,
    stored_curve,
)
from sk_imbalance_nn.plotting.drawing import (
    ALARMS,
    CHOSEN,
    DEFAULT,
    SCORE,
    add_legend,
    axes_to_draw_on,
    mark,
    put_in_front,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# More points than a screen is wide only take time.
_MOST_POINTS = 2_000
_SHADE = {"alpha": 0.2, "linewidth": 0, "step": "mid"}
_LABELS = {"neg_cost": "mean cost, negative"}
# Where so many rows are alarms, nobody would put a threshold.
_FLOOD = 0.25


class ThresholdCurveDisplay:
    """What an objective comes to at each threshold, and how many alarms that takes.

    Make one with `from_estimator`, `from_predictions` or `from_cv_results`.

    Parameters
    ----------
    thresholds : ndarray of shape (n_thresholds,)
        Ascending. Those that are not finite are not drawn.
    scores : ndarray of shape (n_thresholds,)
        The objective at each.
    std_scores : ndarray of shape (n_thresholds,), default=None
        Its standard deviation over folds.
    alarm_rate : ndarray of shape (n_thresholds,), default=None
        Share of rows that each calls positive.
    best_threshold : float, default=None
        The one that was chosen.
    default_threshold : float, default=None
        The one that would hold without tuning.
    threshold_interval : tuple of (float, float), default=None
        Where the chosen one lies in 95 % of bootstrap draws.
    score_name : str, default=None
        What the objective is called.
    meets_constraint : ndarray of shape (n_thresholds,), bool, default=None
        Where a constraint holds.
    pos_label : object, default=None
        The class whose scores are compared with the threshold.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Where it is drawn.
    figure_ : matplotlib Figure
        The figure of `ax_`.
    line_ : matplotlib Line2D
        The objective.
    band_ : matplotlib artist or None
        One standard deviation over folds to either side.
    forbidden_ : matplotlib artist or None
        Thresholds at which a constraint does not hold.
    best_line_, default_line_ : matplotlib Line2D or None
        The chosen threshold, and the one without tuning.
    interval_ : matplotlib artist or None
        Where the chosen one might lie as well.
    alarm_ax_ : matplotlib Axes or None
        The second axis: alarms per 1,000 rows.
    alarm_line_ : matplotlib Line2D or None
        The alarms.

    See Also
    --------
    sk_imbalance_nn.ThresholdOptimizerCV : Chooses the threshold.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sk_imbalance_nn import ThresholdCurveDisplay, ThresholdOptimizerCV
    >>> X, y = make_classification(500, weights=[0.9], random_state=0)
    >>> tuned = ThresholdOptimizerCV(LogisticRegression(), scoring="f1", store_cv_results=True)
    >>> display = ThresholdCurveDisplay.from_estimator(tuned.fit(X, y))
    >>> display.ax_.get_ylabel()
    'f1'
    """

    def __init__(
        self,
        *,
        thresholds: npt.ArrayLike,
        scores: npt.ArrayLike,
        std_scores: npt.ArrayLike | None = None,
        alarm_rate: npt.ArrayLike | None = None,
        best_threshold: float | None = None,
        default_threshold: float | None = None,
        threshold_interval: tuple[float, float] | None = None,
        score_name: str | None = None,
        meets_constraint: npt.ArrayLike | None = None,
        pos_label: Any = None,
    ) -> None:
        self.thresholds = thresholds
        self.scores = scores
        self.std_scores = std_scores
        self.alarm_rate = alarm_rate
        self.best_threshold = best_threshold
        self.default_threshold = default_threshold
        self.threshold_interval = threshold_interval
        self.score_name = score_name
        self.meets_constraint = meets_constraint
        self.pos_label = pos_label

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any = None,
        y: Any = None,
        *,
        scoring: Any = None,
        pos_label: Any = None,
        response_method: str = "auto",
        threshold: float | None = None,
        sample_weight: npt.ArrayLike | None = None,
        cost: npt.ArrayLike | None = None,
        score_name: str | None = None,
        ax: Axes | None = None,
        plot_alarms: bool = True,
    ) -> ThresholdCurveDisplay:
        """Draw the curve of a classifier on some rows, or that which a threshold was chosen on.

        Parameters
        ----------
        estimator : estimator instance
            A fitted classifier, or a search or Pipeline around one.
        X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            Rows, such as a test set. None: the curve of cross-validation that a
            `ThresholdOptimizerCV` (for two classes) or scikit-learn's
            ``TunedThresholdClassifierCV`` keeps with ``store_cv_results=True``.
        y : array-like of shape (n_samples,) or (n_samples, n_labels), default=None
            Their labels.
        scoring : str or callable, default=None
            What is drawn of these rows: a metric that is a function of the confusion matrix, as
            `ThresholdOptimizerCV` takes it. By default the objective of a `ThresholdOptimizerCV`,
            else ``"balanced_accuracy"``.
        pos_label : object, default=None
            The class whose scores are compared with the threshold, or the number of a label; by
            default that of the threshold or the scorer, or the second of two.
        response_method : {"auto", "predict_proba", "decision_function"}, default="auto"
            Where scores come from; "auto" is what a threshold was tuned on, or the first of the
            two that there is.
        threshold : float, default=None
            The one to mark; by default what ``predict`` goes by.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of these rows.
        cost : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            Costs of these rows, as a `ThresholdOptimizerCV` takes them in ``fit``.
        score_name : str, default=None
            What the objective is called; by default its own name.
        ax : matplotlib Axes, default=None
            Where to draw; by default a new figure.
        plot_alarms : bool, default=True
            Whether to draw the alarms on a second axis.

        Returns
        -------
        ThresholdCurveDisplay
            Drawn.

        Raises
        ------
        ValueError
            If there is no curve: no rows and no stored results, a class that has to be said, or a
            metric that is no function of the confusion matrix.
        """
        if X is None:
            curve = stored_curve(decider_in(estimator))
        else:
            shown = scores_by_estimator(
                estimator,
                X,
                y,
                pos_label=stated_pos_label(scoring) if pos_label is None else pos_label,
                response_method=response_method,
                threshold=threshold,
                sample_weight=sample_weight,
                usual_label=usual_pos_label(scoring),
            )
            curve = curve_of_rows(shown, estimator, X, y, scoring=scoring, cost=cost)
        return cls(**_named(curve, score_name)).plot(ax=ax, plot_alarms=plot_alarms)

    @classmethod
    def from_predictions(
        cls,
        y_true: npt.ArrayLike,
        y_score: npt.ArrayLike,
        *,
        scoring: Any = None,
        pos_label: Any = None,
        threshold: float | None = None,
        sample_weight: npt.ArrayLike | None = None,
        score_name: str | None = None,
        ax: Axes | None = None,
        plot_alarms: bool = True,
    ) -> ThresholdCurveDisplay:
        """Draw the curve of scores.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            Labels of two classes.
        y_score : array-like of shape (n_samples,)
            Scores of the positive class, probabilities or others.
        scoring : str or callable, default=None
            What is drawn: a metric that is a function of the confusion matrix, as
            `ThresholdOptimizerCV` takes it; by default ``"balanced_accuracy"``.
        pos_label : object, default=None
            The positive class; by default the second.
        threshold : float, default=None
            The one that was chosen.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        score_name : str, default=None
            What the objective is called; by default its own name.
        ax : matplotlib Axes, default=None
            Where to draw; by default a new figure.
        plot_alarms : bool, default=True
            Whether to draw the alarms on a second axis.

        Returns
        -------
        ThresholdCurveDisplay
            Drawn.

        Raises
        ------
        ValueError
            If there are more classes, shapes do not fit, or the metric is no function of the
            confusion matrix.
        """
        shown = scores_by_prediction(
            y_true,
            y_score,
            pos_label=stated_pos_label(scoring) if pos_label is None else pos_label,
            threshold=threshold,
            sample_weight=sample_weight,
            usual_label=usual_pos_label(scoring),
        )
        curve = curve_of_scores(shown, scoring)
        return cls(**_named(curve, score_name)).plot(ax=ax, plot_alarms=plot_alarms)

    @classmethod
    def from_cv_results(
        cls,
        cv_results: Mapping[str, npt.NDArray[np.float64]],
        *,
        best_threshold: float | None = None,
        default_threshold: float | None = None,
        threshold_interval: tuple[float, float] | None = None,
        score_name: str | None = None,
        pos_label: Any = None,
        ax: Axes | None = None,
        plot_alarms: bool = True,
    ) -> ThresholdCurveDisplay:
        """Draw stored results.

        Parameters
        ----------
        cv_results : dict of ndarray of shape (n_thresholds,)
            ``cv_results_`` of a `ThresholdOptimizerCV`; or anything with ``thresholds`` and
            ``scores``, as scikit-learn's ``TunedThresholdClassifierCV`` keeps them.
        best_threshold : float, default=None
            The one that was chosen.
        default_threshold : float, default=None
            The one that would hold without tuning.
        threshold_interval : tuple of (float, float), default=None
            Where the chosen one lies in 95 % of bootstrap draws.
        score_name : str, default=None
            What the objective is called.
        pos_label : object, default=None
            The class whose scores are compared with the threshold.
        ax : matplotlib Axes, default=None
            Where to draw; by default a new figure.
        plot_alarms : bool, default=True
            Whether to draw the alarms on a second axis, where they are known.

        Returns
        -------
        ThresholdCurveDisplay
            Drawn.
        """
        display = cls(
            **columns_of(cv_results),
            best_threshold=best_threshold,
            default_threshold=default_threshold,
            threshold_interval=threshold_interval,
            score_name=score_name,
            pos_label=pos_label,
        )
        return display.plot(ax=ax, plot_alarms=plot_alarms)

    def plot(self, ax: Axes | None = None, *, plot_alarms: bool = True) -> ThresholdCurveDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where; by default a new figure.
        plot_alarms : bool, default=True
            Whether to draw the alarms on a second axis, where they are known.

        Returns
        -------
        ThresholdCurveDisplay
            Itself, with the artists as attributes.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = axes_to_draw_on(ax)
        kept = self._kept()
        where = np.asarray(self.thresholds)[kept]
        name = "objective" if self.score_name is None else self.score_name
        name = _LABELS.get(name, name)
        self._plot_scores(ax, where, kept, name)
        self.forbidden_ = self._shade_forbidden(ax, where, kept)
        self.interval_ = self._shade_interval(ax)
        is_default = self.best_threshold == self.default_threshold
        said, default = ("threshold", None) if is_default else ("chosen", self.default_threshold)
        self.best_line_ = _mark_threshold(ax, self.best_threshold, said, CHOSEN, "-")
        self.default_line_ = _mark_threshold(ax, default, "default", DEFAULT, "--")
        self.alarm_ax_ = self.alarm_line_ = None
        if plot_alarms and self.alarm_rate is not None:
            self._plot_alarms(ax, where, 1000 * np.asarray(self.alarm_rate)[kept])
        of_class = "" if self.pos_label is None else f" for class {self.pos_label}"
        ax.set(xlabel=f"threshold{of_class}", ylabel=name)
        self._leave_out_floods(ax, kept)
        add_legend(ax, self.alarm_ax_)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _plot_scores(self, ax: Axes, where: Any, kept: npt.NDArray[np.intp], name: str) -> None:
        scores = np.asarray(self.scores)[kept]
        (self.line_,) = ax.plot(
            where, scores, color=SCORE, label=name, zorder=3, drawstyle="steps-mid"
        )
        self.band_ = None
        if self.std_scores is not None and np.any(self.std_scores):
            spread = np.asarray(self.std_scores)[kept]
            shade = {**_SHADE, "color": SCORE, "label": "± 1 s.d."}
            self.band_ = ax.fill_between(where, scores - spread, scores + spread, **shade)

    def _shade_forbidden(self, ax: Axes, where: Any, kept: npt.NDArray[np.intp]) -> Any:
        if self.meets_constraint is None:
            return None
        forbidden = ~np.asarray(self.meets_constraint, dtype=bool)[kept]
        shade = {**_SHADE, "color": DEFAULT, "label": "constraint not met"}
        whole = ax.get_xaxis_transform()
        return ax.fill_between(where, 0, 1, where=forbidden, transform=whole, **shade)

    def _shade_interval(self, ax: Axes) -> Any:
        if self.threshold_interval is None or not np.isfinite(self.threshold_interval).all():
            return None
        return ax.axvspan(
            *sorted(self.threshold_interval),
            color=CHOSEN,
            alpha=0.1,
            linewidth=0,
            label="95 % of draws",
        )

    def _leave_out_floods(self, ax: Axes, kept: npt.NDArray[np.intp]) -> None:
        """Let costs be seen where they are low: crying wolf costs more than all else together."""
        if self.score_name != "neg_cost" or self.alarm_rate is None:
            return
        scores, alarms = np.asarray(self.scores)[kept], np.asarray(self.alarm_rate)[kept]
        some = scores[alarms <= _FLOOD]
        if len(some) and some.min() < scores.max():
            margin = 0.05 * (scores.max() - some.min())
            ax.set_ylim(some.min() - margin, scores.max() + margin)

    def _kept(self) -> npt.NDArray[np.intp]:
        """Return the positions to draw: finite, and no more than can be seen."""
        finite = np.flatnonzero(np.isfinite(self.thresholds) & np.isfinite(self.scores))
        if len(finite) <= _MOST_POINTS:
            return finite
        even = np.linspace(0, len(finite) - 1, _MOST_POINTS).astype(np.intp)
        across = np.linspace(*np.asarray(self.thresholds)[finite[[0, -1]]], _MOST_POINTS)
        seen = np.searchsorted(np.asarray(self.thresholds)[finite], across)
        marked = [np.asarray(self.scores)[finite].argmax()]
        if self.best_threshold is not None:
            marked.append(np.searchsorted(np.asarray(self.thresholds)[finite], self.best_threshold))
        # Evenly by rank, and evenly by threshold: rare alarms fill most of the axis.
        chosen = np.concatenate([even, seen, marked]).clip(max=len(finite) - 1)
        return finite[np.unique(chosen)]

    def _plot_alarms(self, ax: Axes, where: Any, alarms: Any) -> None:
        self.alarm_ax_ = ax.twinx()
        (self.alarm_line_,) = self.alarm_ax_.plot(
            where, alarms, color=ALARMS, linestyle=":", label="alarms", drawstyle="steps-mid"
        )
        self.alarm_ax_.set_yscale("log")
        self.alarm_ax_.set_ylabel("alarms per 1,000 rows")
        self.alarm_ax_.spines["right"].set_color(ALARMS)
        put_in_front(ax, self.alarm_ax_)


def _named(curve: dict[str, Any], score_name: str | None) -> dict[str, Any]:
    return curve if score_name is None else {**curve, "score_name": score_name}


def _mark_threshold(ax: Axes, threshold: float | None, name: str, color: str, style: str) -> Any:
    label = name if threshold is None else f"{name} ({threshold:.3g})"
    return mark(ax, threshold, label, color, style)
