"""plot_imbalance_dashboard: ranking, probabilities and decisions of a rare class at one glance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from sklearn.calibration import CalibrationDisplay
from sklearn.metrics import (
    ConfusionMatrixDisplay,
    PrecisionRecallDisplay,
    RocCurveDisplay,
    average_precision_score,
    confusion_matrix,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

from sk_imbalance_nn.decisions.responses import (
    BINARY,
    MULTICLASS,
    PROBABILITY,
    decider_in,
)
from sk_imbalance_nn.decisions.scoring import stated_pos_label, usual_pos_label
from sk_imbalance_nn.plotting.class_scores import (
    ClassScores,
    decisions_about,
    scores_by_estimator,
)
from sk_imbalance_nn.plotting.curves import curve_of_rows
from sk_imbalance_nn.plotting.drawing import (
    CHOSEN,
    CLASS,
    DEFAULT,
    REST,
    add_legend,
    count_of,
    pyplot,
)
from sk_imbalance_nn.plotting.score_distribution import (
    ScoreDistributionDisplay,
    histograms_of,
)
from sk_imbalance_nn.plotting.threshold_curve import ThresholdCurveDisplay
from sk_imbalance_nn.reporting.calibration import Bins, reliability_curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SIZE = (13.0, 7.6)
# Of equal mass, all bins but the last would lie near zero.
_BINS = Bins(10, "expected")
_MOST_CLASSES_WITH_SHARES, _MOST_CLASSES_WITH_COUNTS = 3, 10


@dataclass(frozen=True, repr=False)
class ImbalanceDashboard:
    """Six pictures of a classifier on a rare class; `plot_imbalance_dashboard` makes it.

    Parameters
    ----------
    figure_ : matplotlib Figure
        All of it.
    axes_ : ndarray of shape (2, 3) of matplotlib Axes
        Precision-recall curve, ROC curve, calibration; threshold curve, score distribution,
        confusion matrix.
    precision_recall_ : sklearn.metrics.PrecisionRecallDisplay
        Precision and recall at all thresholds.
    roc_ : sklearn.metrics.RocCurveDisplay
        True and false positive rate at all thresholds.
    calibration_ : sklearn.calibration.CalibrationDisplay or None
        Shares of positives among rows of like probability; None without probabilities.
    threshold_curve_ : ThresholdCurveDisplay
        The objective at all thresholds.
    score_distribution_ : ScoreDistributionDisplay
        How the class and the rest score.
    confusion_matrix_ : sklearn.metrics.ConfusionMatrixDisplay
        Shares of each true class, with the rows written into the cells.

    See Also
    --------
    sk_imbalance_nn.plot_imbalance_dashboard : Makes it, and has an example.

    Examples
    --------
    >>> from sk_imbalance_nn import ImbalanceDashboard
    >>> sorted(ImbalanceDashboard.__dataclass_fields__)[:3]
    ['axes_', 'calibration_', 'confusion_matrix_']
    """

    figure_: Figure
    axes_: npt.NDArray[Any]
    precision_recall_: PrecisionRecallDisplay
    roc_: RocCurveDisplay
    calibration_: CalibrationDisplay | None
    threshold_curve_: ThresholdCurveDisplay
    score_distribution_: ScoreDistributionDisplay
    confusion_matrix_: ConfusionMatrixDisplay

    def __repr__(self) -> str:
        return f"ImbalanceDashboard({self.figure_.get_suptitle()!r})"


def plot_imbalance_dashboard(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    pos_label: Any = None,
    response_method: str = "auto",
    threshold: float | None = None,
    scoring: Any = None,
    sample_weight: npt.ArrayLike | None = None,
    cost: npt.ArrayLike | None = None,
    title: str | None = None,
    figure: Figure | None = None,
) -> ImbalanceDashboard:
    """Draw ranking, probabilities and decisions of a classifier on rows it has not seen.

    Above: the precision-recall curve and the ROC curve with a dot for what is decided, and
    how probabilities compare with what happens, in ten bins that should hold equally many rows of
    the class, going by the probabilities. Below: the objective and the alarms at each threshold,
    how the class and the rest score, and the confusion matrix at the threshold. The class has the
    same colour everywhere.

    Parameters
    ----------
    estimator : estimator instance
        A fitted classifier of any kind: a `ThresholdOptimizerCV`, a network, a Pipeline, a search.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows, as the estimator takes them, such as a test set.
    y : array-like of shape (n_samples,) or (n_samples, n_labels)
        Their labels.
    pos_label : object, default=None
        The class that is drawn against the rest, or the number of a label. Of two classes by
        default the one that a threshold was tuned for, or the second; of more, one has to be said.
    response_method : {"auto", "predict_proba", "decision_function"}, default="auto"
        Where scores come from; "auto" is what a threshold was tuned on, or the first of the two
        that there is.
    threshold : float, default=None
        From which score on a row is said to be of the class. By default decisions are those of
        ``predict``, of several classes those about all of them, and the line is what ``predict``
        goes by: ``best_threshold_``, or 0.5 (0 for ``decision_function``); none of several classes.
    scoring : str or callable, default=None
        What the threshold curve shows, as `ThresholdCurveDisplay` takes it. By default the
        objective of a `ThresholdOptimizerCV`, else ``"balanced_accuracy"``.
    sample_weight : array-like of shape (n_samples,), default=None
        What each row counts.
    cost : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
        Costs of these rows, for a `ThresholdOptimizerCV` that was fitted with costs of rows.
    title : str, default=None
        By default the estimator's name, the class and its share of the rows.
    figure : matplotlib Figure, default=None
        Where to draw; by default a new one, 13 inches wide.

    Returns
    -------
    ImbalanceDashboard
        Drawn; its attributes are the single displays.

    Raises
    ------
    ValueError
        If there is no such class, rows of only one are given, or of more than two none is said.
    ImportError
        If matplotlib is not installed.

    See Also
    --------
    sk_imbalance_nn.imbalance_report : The same in numbers.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sk_imbalance_nn import ThresholdOptimizerCV, plot_imbalance_dashboard
    >>> X, y = make_classification(2000, weights=[0.95], random_state=0)
    >>> tuned = ThresholdOptimizerCV(LogisticRegression(), scoring="f1").fit(X[:1500], y[:1500])
    >>> dashboard = plot_imbalance_dashboard(tuned, X[1500:], y[1500:])
    >>> dashboard.axes_.shape
    (2, 3)
    >>> dashboard.figure_.savefig("dashboard.png")  # doctest: +SKIP
    """
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
    _refuse_one_class(shown)
    ranking = _precision_recall(shown), _roc(shown)
    reliability = _reliability(shown, estimator, X, y)
    curve = ThresholdCurveDisplay(
        **curve_of_rows(shown, estimator, X, y, scoring=scoring, cost=cost)
    )
    distribution = ScoreDistributionDisplay(**histograms_of(shown))
    answers = estimator.predict(X) if threshold is None else None
    said = shown.score >= threshold if answers is None else decisions_about(shown, answers)
    decisions = _confusion(shown, y, said, answers)
    if figure is None:
        figure = pyplot().figure(figsize=_SIZE, layout="constrained")
    axes = figure.subplots(2, 3)
    figure.suptitle(_title(estimator, shown) if title is None else title)
    _draw_ranking(*ranking, shown, said, axes[0, :2])
    _draw_reliability(reliability, shown, axes[0, 2])
    curve.plot(axes[1, 0]).ax_.set_title("Threshold")
    distribution.plot(axes[1, 1]).ax_.set_title("Scores")
    _draw_confusion(decisions, shown, axes[1, 2])
    return ImbalanceDashboard(figure, axes, *ranking, reliability, curve, distribution, decisions)


# ------------------------------------------------------------------------------------------
# Numbers


def _refuse_one_class(shown: ClassScores) -> None:
    present = np.bincount(shown.target[shown.weights > 0], minlength=2)
    if not present.all():
        raise ValueError(
            f"All rows that are given are of {shown.names[int(present.argmax())]}, so there is "
            "nothing to rank; give others too, such as a stratified test set."
        )


def _precision_recall(shown: ClassScores) -> PrecisionRecallDisplay:
    precision, recall, _ = precision_recall_curve(
        shown.target, shown.score, sample_weight=shown.weight
    )
    return PrecisionRecallDisplay(
        precision,
        recall,
        average_precision=average_precision_score(
            shown.target, shown.score, sample_weight=shown.weight
        ),
        pos_label=shown.pos_label,
        prevalence_pos_label=shown.prevalence,
    )


def _roc(shown: ClassScores) -> RocCurveDisplay:
    false_alarms, hits, _ = roc_curve(shown.target, shown.score, sample_weight=shown.weight)
    return RocCurveDisplay(
        fpr=false_alarms,
        tpr=hits,
        roc_auc=roc_auc_score(shown.target, shown.score, sample_weight=shown.weight),
        pos_label=shown.pos_label,
    )


def _reliability(shown: ClassScores, estimator: Any, X: Any, y: Any) -> Any:
    """Return the calibration of the probabilities, wherever the scores come from."""
    if not hasattr(estimator, PROBABILITY):
        return None
    said = shown.score
    if not shown.is_probability:
        asked = {"pos_label": shown.pos_label, "response_method": PROBABILITY}
        said = scores_by_estimator(estimator, X, y, **asked).score
    curve = reliability_curve(shown.target, said, shown.weights, _BINS)
    return CalibrationDisplay(curve.share, curve.said, said, pos_label=shown.pos_label)


def _confusion(shown: ClassScores, y: Any, said: Any, answers: Any) -> ConfusionMatrixDisplay:
    """Count decisions: about the class, or of several classes about all."""
    if shown.kind == MULTICLASS and answers is not None:
        labels = np.unique(np.concatenate([np.asarray(y), np.asarray(answers)]))
        counts = confusion_matrix(y, answers, labels=labels, sample_weight=shown.weight)
        return ConfusionMatrixDisplay(counts, display_labels=labels)
    counts = confusion_matrix(shown.target, said, labels=[0, 1], sample_weight=shown.weight)
    return ConfusionMatrixDisplay(counts, display_labels=shown.names)


# ------------------------------------------------------------------------------------------
# Pictures


def _title(estimator: Any, shown: ClassScores) -> str:
    total, of_class = shown.weights.sum(), shown.weights[shown.target == 1].sum()
    deciding = decider_in(estimator)
    name = type(deciding).__name__
    if hasattr(deciding, "estimator_"):
        name += f"({type(decider_in(deciding.estimator_)).__name__})"
    title = (
        f"{name}: {shown.names[1]}, {count_of(of_class)} of "
        f"{count_of(total)} rows ({shown.prevalence:.2%})"
    )
    if shown.kind == BINARY and shown.prevalence > 0.5:
        title += f", the more frequent one; pos_label={shown.rest!r} is the other"
    return title


def _draw_ranking(
    precision_recall: PrecisionRecallDisplay,
    roc: RocCurveDisplay,
    shown: ClassScores,
    said: npt.NDArray[np.bool_],
    axes: Any,
) -> None:
    """Draw both curves, chance, and a dot for what is decided."""
    chance = {"color": DEFAULT, "linestyle": ":", "label": f"chance ({shown.prevalence:.3g})"}
    precision_recall.plot(ax=axes[0], plot_chance_level=True, chance_level_kw=chance)
    label = f"average precision {precision_recall.average_precision:.3f}"
    precision_recall.line_.set(color=CLASS, label=label)
    roc.plot(ax=axes[1], plot_chance_level=True, chance_level_kw={**chance, "label": "chance"})
    roc.line_.set(color=CLASS, label=f"area {roc.roc_auc:.3f}")
    precision, recall, false_alarms = _rates_of(shown, said)
    dot = {"marker": "o", "color": CHOSEN, "linestyle": "none", "zorder": 4, "clip_on": False}
    dot["label"] = "decisions" if shown.threshold is None else f"threshold ({shown.threshold:.3g})"
    axes[0].plot(recall, precision, **dot)
    axes[1].plot(false_alarms, recall, **dot)
    axes[0].set(title="Precision and recall", xlabel="recall", ylabel="precision")
    axes[1].set(title="ROC", xlabel="false positive rate", ylabel="true positive rate (recall)")
    for ax in axes:
        add_legend(ax)


def _rates_of(shown: ClassScores, said: npt.NDArray[np.bool_]) -> tuple[float, float, float]:
    """Return precision (NaN without alarms), recall and false positive rate of decisions."""
    true = shown.target == 1
    hits, alarms = shown.weights[said & true].sum(), shown.weights[said].sum()
    precision = hits / alarms if alarms > 0 else np.nan
    others = shown.weights[~true].sum()
    return precision, hits / shown.weights[true].sum(), (alarms - hits) / others


def _draw_reliability(display: CalibrationDisplay | None, shown: ClassScores, ax: Axes) -> None:
    if display is None:
        ax.text(0.5, 0.5, "no probabilities", ha="center", va="center", color=DEFAULT)
        ax.set(xticks=[], yticks=[])
    else:
        display.plot(ax=ax)
        # After class weights the two are far apart, and the curve far from the diagonal.
        said = np.average(display.y_prob, weights=shown.weight)
        label = f"mean {said:.3g}, share {shown.prevalence:.3g}"
        display.line_.set(color=CLASS, label=label)
        ax.set(xlabel="mean probability", ylabel=f"share of {shown.names[1]}")
        add_legend(ax)
    ax.set_title("Calibration")


def _draw_confusion(display: ConfusionMatrixDisplay, shown: ClassScores, ax: Axes) -> None:
    """Colour by the share of each true class, or the frequent one would be all there is to see."""
    counts = display.confusion_matrix
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-300)
    by_share = ConfusionMatrixDisplay(shares, display_labels=display.display_labels)
    n_classes = len(counts)
    by_share.plot(
        ax=ax,
        cmap="Greys",
        colorbar=False,
        include_values=n_classes <= _MOST_CLASSES_WITH_COUNTS,
        im_kw={"vmin": 0, "vmax": 1},
        text_kw={"fontsize": "medium" if n_classes <= _MOST_CLASSES_WITH_SHARES else "x-small"},
    )
    for place, text in np.ndenumerate([] if by_share.text_ is None else by_share.text_):
        with_share = n_classes <= _MOST_CLASSES_WITH_SHARES
        text.set_text(count_of(counts[place]) + (f"\n{shares[place]:.1%}" if with_share else ""))
    at = "" if shown.threshold is None else f" at {shown.threshold:.3g}"
    ax.set(title=f"Decisions{at}", xlabel="decided", ylabel="true")
    for labels in (ax.get_xticklabels(), ax.get_yticklabels()):
        for label, of in zip(labels, display.display_labels, strict=True):
            is_class = of in (shown.names[1], shown.pos_label)
            label.set_color(CLASS if is_class else REST)
    display.im_, display.text_, display.ax_ = by_share.im_, by_share.text_, ax
    display.figure_ = ax.figure
