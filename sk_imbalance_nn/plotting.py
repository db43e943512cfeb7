"""Pictures of decisions. What they show is computed first; matplotlib is imported when drawing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's palette, which colour-blind readers can tell apart.
_BLUE, _VERMILION, _GREY, _ORANGE = "#0072B2", "#D55E00", "#7F7F7F", "#E69F00"
# More points than a screen is wide only take time.
_MOST_POINTS = 2_000


class ThresholdCurveDisplay:
    """What an objective comes to at each threshold, and how many alarms that takes.

    Make one with `from_estimator` or `from_cv_results`.

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
        sample_weight: npt.ArrayLike | None = None,
        cost: npt.ArrayLike | None = None,
        score_name: str | None = None,
        ax: Axes | None = None,
        plot_alarms: bool = True,
    ) -> ThresholdCurveDisplay:
        """Draw the curve of a fitted optimizer, in cross-validation or on other rows.

        Parameters
        ----------
        estimator : ThresholdOptimizerCV
            Fitted, for two classes.
        X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            Other rows; by default the curve is that of ``estimator.cv_results_``, which needs
            ``store_cv_results=True``.
        y : array-like of shape (n_samples,), default=None
            Their labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of these rows.
        cost : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            Costs of these rows, as ``fit`` takes them.
        score_name : str, default=None
            What the objective is called; by default as the estimator has it.
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
        TypeError
            If the estimator is none.
        ValueError
            If there is no curve: more than two classes, labels, or no stored results.
        """
        if not hasattr(estimator, "threshold_curve"):
            raise TypeError(
                f"estimator must be a fitted ThresholdOptimizerCV, found "
                f"{type(estimator).__name__}; wrap a fitted classifier with cv='prefit', "
                "refit=False."
            )
        if X is None:
            results = getattr(estimator, "cv_results_", None)
            if not results:
                raise ValueError(
                    "There is no curve to draw: give X and y, or fit two classes with "
                    "store_cv_results=True."
                )
        else:
            results = estimator.threshold_curve(X, y, sample_weight=sample_weight, cost=cost)
        return cls.from_cv_results(
            results,
            best_threshold=estimator.best_threshold_,
            default_threshold=estimator.default_threshold_,
            score_name=estimator.score_name_ if score_name is None else score_name,
            pos_label=estimator.pos_label_,
            ax=ax,
            plot_alarms=plot_alarms,
        )

    @classmethod
    def from_cv_results(
        cls,
        cv_results: Mapping[str, npt.NDArray[np.float64]],
        *,
        best_threshold: float | None = None,
        default_threshold: float | None = None,
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
            thresholds=cv_results["thresholds"],
            scores=cv_results["scores"],
            std_scores=cv_results.get("std_scores"),
            alarm_rate=cv_results.get("alarm_rate"),
            best_threshold=best_threshold,
            default_threshold=default_threshold,
            score_name=score_name,
            meets_constraint=cv_results.get("meets_constraint"),
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
        if ax is None:
            _, ax = _pyplot().subplots(layout="constrained")
        kept = self._kept()
        where, scores = np.asarray(self.thresholds)[kept], np.asarray(self.scores)[kept]
        name = "objective" if self.score_name is None else self.score_name
        (self.line_,) = ax.plot(
            where, scores, color=_BLUE, label=name, zorder=3, drawstyle="steps-mid"
        )
        self.band_ = None
        if self.std_scores is not None and np.any(self.std_scores):
            spread = np.asarray(self.std_scores)[kept]
            self.band_ = ax.fill_between(
                where,
                scores - spread,
                scores + spread,
                color=_BLUE,
                alpha=0.2,
                linewidth=0,
                step="mid",
                label="± 1 s.d.",
            )
        self.forbidden_ = None
        if self.meets_constraint is not None:
            forbidden = ~np.asarray(self.meets_constraint, dtype=bool)[kept]
            self.forbidden_ = ax.fill_between(
                where,
                0,
                1,
                where=forbidden,
                transform=ax.get_xaxis_transform(),
                color=_GREY,
                alpha=0.2,
                linewidth=0,
                step="mid",
                label="constraint not met",
            )
        self.best_line_ = _mark(ax, self.best_threshold, "chosen", _VERMILION, "-")
        self.default_line_ = _mark(ax, self.default_threshold, "default", _GREY, "--")
        self.alarm_ax_ = self.alarm_line_ = None
        if plot_alarms and self.alarm_rate is not None:
            self._plot_alarms(ax, where, 1000 * np.asarray(self.alarm_rate)[kept])
        of_class = "" if self.pos_label is None else f" for class {self.pos_label}"
        ax.set(xlabel=f"threshold{of_class}", ylabel=name)
        lines = [*ax.get_legend_handles_labels()[0]]
        lines += [] if self.alarm_line_ is None else [self.alarm_line_]
        ax.legend(handles=lines, loc="best", fontsize="small", framealpha=0.7)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _kept(self) -> npt.NDArray[np.intp]:
        """Return the positions to draw: finite, and no more than can be seen."""
        finite = np.flatnonzero(np.isfinite(self.thresholds) & np.isfinite(self.scores))
        if len(finite) <= _MOST_POINTS:
            return finite
        even = np.linspace(0, len(finite) - 1, _MOST_POINTS).astype(np.intp)
        across = np.linspace(*np.asarray(self.thresholds)[finite[[0, -1]]], _MOST_POINTS)
        seen = np.searchsorted(np.asarray(self.thresholds)[finite], across)
        # Evenly by rank, and evenly by threshold: rare alarms fill most of the axis.
        return finite[np.unique(np.concatenate([even, seen.clip(max=len(finite) - 1)]))]

    def _plot_alarms(self, ax: Axes, where: Any, alarms: Any) -> None:
        self.alarm_ax_ = ax.twinx()
        (self.alarm_line_,) = self.alarm_ax_.plot(
            where, alarms, color=_ORANGE, linestyle=":", label="alarms", drawstyle="steps-mid"
        )
        self.alarm_ax_.set_yscale("log")
        self.alarm_ax_.set_ylabel("alarms per 1,000 rows")
        self.alarm_ax_.spines["right"].set_color(_ORANGE)
        ax.set_zorder(self.alarm_ax_.get_zorder() + 1)
        ax.patch.set_visible(False)


def _mark(ax: Axes, threshold: float | None, name: str, color: str, style: str) -> Any:
    if threshold is None or not np.isfinite(threshold):
        return None
    return ax.axvline(
        threshold, color=color, linestyle=style, label=f"{name} ({threshold:.3g})", zorder=2
    )


def _pyplot() -> Any:
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            "Drawing needs matplotlib: python -m pip install 'sk-imbalance-nn[plot]'."
        ) from error
    return pyplot
