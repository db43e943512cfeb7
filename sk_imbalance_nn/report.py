"""How good are probabilities and decisions on a rare class? One table that says so."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from sk_imbalance_nn.decisions.responses import MULTICLASS, MULTILABEL
from sk_imbalance_nn.reporting.averages import macro, weighted
from sk_imbalance_nn.reporting.calibration import read_bins
from sk_imbalance_nn.reporting.deciding import decide, read_thresholds
from sk_imbalance_nn.reporting.line import ReportLine
from sk_imbalance_nn.reporting.measures import measure
from sk_imbalance_nn.reporting.one_sided import each_against_the_rest, pooled
from sk_imbalance_nn.reporting.reading import read_rows
from sk_imbalance_nn.reporting.result import ImbalanceReport
from sk_imbalance_nn.reporting.together import measure_together

__all__ = ["ImbalanceReport", "ReportLine", "imbalance_report"]


def imbalance_report(
    y_true: npt.ArrayLike,
    y_proba: npt.ArrayLike,
    *,
    threshold: float | npt.ArrayLike | None = None,
    sample_weight: npt.ArrayLike | None = None,
    pos_label: Any = None,
    classes: npt.ArrayLike | None = None,
    n_bins: int = 10,
    bin_strategy: str = "quantile",
) -> ImbalanceReport:
    """Say how good probabilities, and decisions made of them, are on rare classes.

    Each class or label is looked at by itself, against the rest:

    - counts: ``support`` (rows of the class), ``prevalence`` (their share), ``threshold``,
      ``alarms`` (rows decided to be of the class), ``hits`` and ``false_alarms`` among them,
      ``misses``, and ``alarms_per_1000`` rows;
    - ranking: ``average_precision``, ``roc_auc``, and ``lift_at_1_percent``;
    - probabilities: ``brier_score`` (mean squared error of the probability of the class),
      ``log_loss``, and ``calibration_error``;
    - decisions: ``precision``, ``recall``, ``specificity``, ``f1``, ``geometric_mean`` [1]_ (of
      recall and specificity), ``balanced_accuracy`` and ``matthews_corrcoef``.

    They are scikit-learn's and imbalanced-learn's, but for two. ``lift_at_1_percent`` is the share
    of positives among the highest 1 % of the scores, rounded up to whole rows, over the prevalence;
    of rows with the same score that do not all fit in, it takes the mean over all choices.
    ``calibration_error`` is the expected calibration error [2]_, in bins of equal mass [3]_: the
    sum over bins of (share of the rows in it) * abs(share of positives in it - mean probability in
    it). Rows with the same probability share a bin, the one that holds the middle of their places
    in ascending order: bin ``floor(n_bins * place / n)`` from 0. Of bins of equal width, the first
    would hold nearly all rows of a rare class.

    Beside a metric stands its chance level, what it comes to without knowledge of the rows, in the
    limit of many: ranked by random scores (average precision: the prevalence), with the prevalence
    as the probability of every row, and with as many alarms as now, but for random rows. Brier
    score and log loss should be below it, the others above. That of an undefined metric is NaN.

    Undefined metrics are NaN, without a warning: all that needs rows of the class, or other rows,
    where there are none; precision without an alarm. Precision, recall and F1 are scikit-learn's
    with ``zero_division=nan``: F1 is 0, not NaN, if there are alarms or rows of the class, but no
    hit. The correlation of decisions that are all the same is 0, as scikit-learn has it.

    Parameters
    ----------
    y_true : array-like of shape (n,), or of shape (n, n_labels) with zeros and ones
        Labels of any type, or a multilabel indicator. Two dimensions always mean labels that may
        occur together; of one-hot rows pass ``y_true.argmax(axis=1)``.
    y_proba : array-like of shape (n,), (n, n_classes) or (n, n_labels)
        Probabilities: of the positive class; of each class, in rows that sum to one; of each label.
    threshold : float or array-like of shape (n_classes,) or (n_labels,), default=None
        The least probability that means yes; infinity means never. None is 0.5, and for more than
        two classes the most probable one, the first among equals. For more than two classes, an
        array has each decided for itself: a row may raise several alarms, or none.
    sample_weight : array-like of shape (n,), default=None
        An integer weight equals so many copies of the row; all counts are sums of weights. Only
        the lift rounds: its 1 % of the weight is rounded up if all weights are integers.
    pos_label : object, default=None
        The positive one of two classes; by default the second. Probabilities of shape (n,) are its.
    classes : array-like of shape (n_classes,) or (n_labels,), default=None
        The classes in the order of the columns of `y_proba`, such as ``estimator.classes_``; by
        default those in `y_true`, sorted. Needed where some class has no row, except that 0 or -1
        and 1 are understood. For indicators, names of the labels; by default their numbers.
    n_bins : int, default=10
        Number of bins of the calibration error.
    bin_strategy : {"quantile", "uniform"}, default="quantile"
        Bins of equal mass, as above, or of equal width, as scikit-learn's ``calibration_curve``.

    Returns
    -------
    ImbalanceReport
        For two classes, a line for the positive one. Several classes have a line each; "macro", the
        mean, and "weighted", the mean weighted by support; and "overall", of all at once:
        ``accuracy``, ``balanced_accuracy`` (the mean of recalls), ``geometric_mean`` (of recalls),
        ``matthews_corrcoef``, all NaN where classes have thresholds, ``log_loss`` and
        ``brier_score`` (summed over classes, up to 2, [4]_). Labels have a line each; "macro"; and
        "micro", of all pairs of a row and a label. The mean of a metric is over the classes where
        it is defined, so precision leaves out the classes without an alarm; F1 does not. Macro
        ``calibration_error`` is the adaptive calibration error of [3]_, if bins are equally full.

    Raises
    ------
    ValueError
        If shapes or lengths do not fit, probabilities are not from 0 to 1 or rows of them do not
        sum to one (within 1e-4), thresholds are not from 0 to 1 or infinite, weights are negative
        or all 0, or labels and classes do not fit.

    See Also
    --------
    sk_imbalance_nn.ThresholdOptimizerCV : Chooses a threshold.

    References
    ----------
    .. [1] Kubat, Matwin (1997). Addressing the curse of imbalanced training sets: one-sided
       selection. ICML.
    .. [2] Naeini, Cooper, Hauskrecht (2015). Obtaining well calibrated probabilities using Bayesian
       binning. AAAI.
    .. [3] Nixon, Dusenberry, Zhang, Jerfel, Tran (2019). Measuring calibration in deep learning.
       CVPR workshops (adaptive calibration error).
    .. [4] Brier (1950). Verification of forecasts expressed in terms of probability. Monthly
       Weather Review 78.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_imbalance_nn import imbalance_report
    >>> rng = np.random.default_rng(0)
    >>> proba = rng.beta(0.2, 10, 5000)
    >>> y = np.where(rng.random(5000) < proba, "fraud", "fine")
    >>> report = imbalance_report(y, proba, threshold=0.1, pos_label="fraud")
    >>> print(report)
    Imbalance report on class 'fraud'
    5,000 rows; positive: 87, prevalence 0.0174
    <BLANKLINE>
                                     value    chance
    Ranking
      average precision             0.1447    0.0174
      ROC AUC                       0.8896    0.5000
      lift in the top 1 %            13.79      1.00
    Probabilities
      Brier score                   0.0159    0.0171
      log loss                      0.0672    0.0877
      calibration error             0.0028
    Decisions: positive from 0.1 on
      alarms per 1,000               44.60
      precision                     0.1435    0.0174
      recall                        0.3678    0.0446
      specificity                   0.9611    0.9554
      F1                            0.2065    0.0250
      G-mean                        0.5946    0.2064
      balanced accuracy             0.6645    0.5000
      MCC                           0.2084    0.0000
    Alarms: 223, of which 32 hits and 191 false alarms; 55 misses
    >>> round(report["average_precision"], 3), round(report.chance("average_precision"), 3)
    (0.145, 0.017)
    """
    rows = read_rows(y_true, y_proba, sample_weight, pos_label, classes)
    bins = read_bins(n_bins, bin_strategy)
    thresholds = read_thresholds(threshold, rows)
    decided = decide(rows.proba, thresholds)
    sides = each_against_the_rest(rows, decided, thresholds)
    lines = tuple(measure(one, bins) for one in sides)
    averages: tuple[ReportLine, ...] = ()
    overall = None
    if rows.kind == MULTILABEL:
        averages = (macro(lines), measure(pooled(rows, decided), bins))
    elif rows.kind == MULTICLASS:
        averages = (macro(lines), weighted(lines))
        overall = measure_together(rows, decided, is_one_each=thresholds is None)
    total, is_weighted = float(rows.weight.sum()), sample_weight is not None
    return ImbalanceReport(rows.kind, total, lines, averages, overall, is_weighted)
