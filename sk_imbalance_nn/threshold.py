"""Decision rules tuned by cross-validation, for any classifier."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn import get_config
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import StratifiedShuffleSplit, check_cv
from sklearn.utils import check_random_state, column_or_1d, get_tags, indexable
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sk_imbalance_nn._compat import (
    HasMethods,
    Interval,
    RealNotInt,
    StrOptions,
    VisualBlock,
    check_sample_weight,
    validate_parameter_constraints,
)
from sk_imbalance_nn._fit_tasks import CallbackSupportMixin, FitTask
from sk_imbalance_nn._representation import with_readable_parameters
from sk_imbalance_nn.data.split import label_folds, stratified_holdout
from sk_imbalance_nn.decisions.answers import CalledScorer
from sk_imbalance_nn.decisions.checks import (
    check_thresholds,
    refuse_missing,
    warn_of_few,
    warn_of_order,
    warn_of_prior,
    warn_of_silence,
)
from sk_imbalance_nn.decisions.choice import (
    Choice,
    Search,
    choose,
    threshold_curve,
)
from sk_imbalance_nn.decisions.offered_scores import (
    offered_scores,
    refuse_lost_classes,
    refuse_without_scores,
)
from sk_imbalance_nn.decisions.out_of_fold import (
    OutOfFold,
    Splits,
    checked_splits,
    refuse_folds_of_one_class,
    score_by,
    score_out_of_fold,
)
from sk_imbalance_nn.decisions.responses import (
    BINARY,
    MULTILABEL,
    PROBABILITY,
    Response,
    response_method_of,
)
from sk_imbalance_nn.decisions.rules import ThresholdRule
from sk_imbalance_nn.decisions.scored import ScoredRows
from sk_imbalance_nn.decisions.scoring import scorer_of
from sk_imbalance_nn.decisions.target import Target
from sk_imbalance_nn.decisions.task import Task, choose_by_costs, scored_rows, task_of


def _estimator_has(name: str) -> Callable[[Any], bool]:
    """Check that the fitted, or else the given, estimator has a method."""

    def check(self: ThresholdOptimizerCV) -> bool:
        getattr(getattr(self, "estimator_", self.estimator), name)
        return True

    return check


def _is_called(task: Task, params: Mapping[str, Any]) -> bool:
    """Say whether the scorer must be called, rather than known as a function of counts."""
    return task.goal.objective is None or bool(set(params) - {"sample_weight"})


def _short(value: Any) -> str:
    return np.array2string(np.asarray(value, dtype=float), precision=4, separator=", ")


def _weight_of(sample_weight: npt.ArrayLike | None, X: Any) -> npt.NDArray[Any] | None:
    if sample_weight is None:
        return None
    return check_sample_weight(sample_weight, X, ensure_non_negative=True)


class ThresholdOptimizerCV(
    CallbackSupportMixin, ClassifierMixin, MetaEstimatorMixin, BaseEstimator
):
    """Tune the decision rule of any classifier by cross-validation, exactly.

    A classifier's scores are cut at 0.5 unless somebody chooses better. This meta-estimator scores
    each row by models that have not seen it, looks at every possible cut, and chooses one for a
    metric, a cost or a constraint. For more than two classes it weighs the classes of the argmax,
    for several labels it finds a threshold for each. It takes what scikit-learn's
    ``TunedThresholdClassifierCV`` takes, and imports no network library.

    Parameters
    ----------
    estimator : estimator instance
        The classifier: with ``predict_proba`` or ``decision_function``; fitted for
        ``cv="prefit"``.
    scoring : str or callable, default="balanced_accuracy"
        What is maximised: the name of a scorer, a scorer, a metric ``(y_true, y_pred)``, or a
        callable ``(estimator, X, y)``; besides ``"geometric_mean"``, ``"specificity"``,
        ``"youden_j"`` and ``"cost"``. Scorers of probabilities, such as ``"roc_auc"``, are
        refused: no decision changes them.
    response_method : {"auto", "predict_proba", "decision_function"}, default="auto"
        Where scores come from; "auto" takes the first of the two that there is.
    thresholds : "exact", "bayes", int or array-like, default="exact"
        "exact" looks at every distinct score, for all metrics that are functions of the
        confusion matrix: accuracy, balanced accuracy, precision, recall, F-beta, Jaccard,
        Matthews, Cohen's kappa, geometric mean, Youden's J, specificity, costs. Other scorers have
        to be called for each threshold: "exact" then means every score if there are at most
        1,000, else 1,000 quantiles. An integer asks for so many quantiles of the scores (as if
        the classes were equally frequent) besides "never", an array for these thresholds.
        "bayes" follows from `cost_matrix` and the probabilities, without a search and without
        cross-validation (Elkan 2001). Only "exact" and "bayes" apply to more than two classes,
        only "exact" to labels.
    selection : {"plateau", "max"}, default="plateau"
        "max" takes the threshold with the best value. "plateau" takes the middle of those that are
        within `plateau_width` standard errors of it; see Notes.
    plateau_width : float, default=1.0
        In standard errors of the best value.
    aggregate : {"pooled", "mean"}, default="pooled"
        "pooled" computes the objective once, over the scores of all folds; "mean" averages the
        folds' objectives, as exact step functions, and needs both of two classes in every fold.
    constraint : str or tuple, default=None
        A bound that must hold as well: ``"precision >= 0.9"``, ``("recall", ">=", 0.8)``,
        ``"false_positive_rate <= 0.01"``, ``"alarm_rate <= 0.005"`` (5 alarms per 1,000 rows),
        ``"cost <= 2"``. It holds on the scores that are tuned on, not for sure on others. With
        labels, each label must meet it.
    infeasible : {"raise", "closest"}, default="raise"
        What happens where no threshold meets the constraint: an error, or the closest one.
    cost_matrix : array-like of shape (n_classes, n_classes), or dict, default=None
        What a row of each class (rows, in the order of ``classes_``) costs when it is predicted
        as each class (columns); negative costs are gains. A DataFrame is read by the names of its
        rows and columns. A dict names the classes too, and leaves out what costs nothing:
        ``{("fraud", "ok"): 20, ("ok", "fraud"): 1}`` for a missed fraud and a false alarm. The mean
        cost is then minimised, in place of `scoring`, unless the constraint bounds it.
    pos_label : int, float, bool or str, default=None
        The positive class. By default that of the scorer, which is 1 for most; where it does not
        matter, the second class.
    cv : int, float, cross-validation generator, iterable, "prefit" or "oof", default=None
        None and integers mean stratified folds, 5 by default (for labels too); a float a single
        stratified validation part of that size; "prefit" that the estimator is fitted and all
        rows are there to tune on. Rows that it was fitted on give thresholds that are too good
        to be true. "oof" fits the estimator once, on all rows, and tunes on the out-of-fold
        scores that it then offers of them, as forests with ``oob_score=True`` do; see Notes.
    refit : bool, default=True
        Whether to fit the estimator on all rows in the end. False needs a single split, whose
        model is then kept, or ``cv="prefit"``.
    n_jobs : int, default=None
        Folds at a time.
    random_state : int, RandomState instance or None, default=None
        Decides the split where `cv` is a float, and the bootstrap of the intervals.
    store_cv_results : bool, default=False
        Whether to keep the whole curve as ``cv_results_``.
    verbose : int, default=0
        From 1 on, a line for each fold, or the one fit; from 2 on, joblib's messages too.

    Attributes
    ----------
    estimator_ : estimator instance
        The fitted classifier.
    default_threshold_ : float
        What would hold without tuning: 0.5 for probabilities, 0 for ``decision_function``. Not for
        more than two classes.
    pos_label_ : object
        The class that `best_threshold_` is about, of two.
    response_method_ : {"predict_proba", "decision_function"}
        Where scores come from.
    score_name_ : str
        What is maximised, in a word.
    best_threshold_ : float or ndarray of shape (n_labels,)
        Scores of at least that are positive. Infinity means never. Not for more than two classes.
    best_class_weight_ : ndarray of shape (n_classes,)
        More than two classes, probabilities: each class's weight in the argmax, with a mean of one.
        Not with costs by ``thresholds="bayes"``. For reading; `best_threshold_` may be overwritten.
    best_class_offset_ : ndarray of shape (n_classes,)
        More than two classes, ``decision_function``: what is added to each class's score.
    fold_class_weight_, fold_class_offset_ : ndarray of shape (n_splits, n_classes)
        More than two classes: what each fold on its own would have, starting from the common one.
    best_score_ : float or None
        The objective at the chosen rule, by cross-validation. Since the rule was chosen on the
        same scores it is a little too good. None for ``thresholds="bayes"``.
    score_interval_ : tuple of (float, float)
        Where `best_score_` lies in 95 % of bootstrap draws of the rows, the rule held fixed and the
        models not refitted.
    threshold_interval_ : tuple of (float, float), or ndarray of shape (n_labels, 2)
        Where the chosen threshold lies in 95 % of them. Only for exact searches, two classes or
        labels on their own (not micro, samples or subset averages); so are the next two.
    fold_thresholds_ : ndarray of shape (n_splits,) or (n_splits, n_labels)
        The best threshold of each fold on its own; NaN where a class is missing.
    threshold_std_ : float or ndarray of shape (n_labels,)
        Their standard deviation.
    constraint_value_ : float or ndarray of shape (n_labels,)
        What is bounded, at the chosen threshold; only with `constraint`.
    cv_results_ : dict of ndarrays of shape (n_thresholds,)
        Only with `store_cv_results`, for two classes: ``thresholds`` (ascending), ``scores``,
        ``std_scores`` (over folds), ``alarm_rate``, the four counts of the confusion matrix over
        all folds, ``constraint`` and ``meets_constraint``, ``split0_scores``, ... It makes a
        DataFrame.
    scorer_ : callable
        Scores an estimator by what was tuned: ``tuned.scorer_(tuned, X, y)``. ``score`` is the
        accuracy, as that of scikit-learn's classifiers.
    classes_ : ndarray of shape (n_classes,)
        The labels, as the estimator has them.
    n_features_in_, feature_names_in_
        Those of the estimator, where it has them.

    Raises
    ------
    ValueError
        If parameters do not fit each other or the target, the scorer judges probabilities, a class
        is missing where it is needed, all scores are equal, or no threshold meets the constraint.

    Warns
    -----
    UserWarning
        If fewer than 10 rows of a class carry the choice, a `cost_matrix` for classes with names
        makes it cheaper to miss the rarer one than to raise a false alarm, or the rule of least
        cost finds fewer than one in twenty of its rows.

    See Also
    --------
    sk_imbalance_nn.correct_prior : Probabilities after weighting or resampling, made right.
    sk_imbalance_nn.ThresholdCurveDisplay : The curve that the threshold was chosen on.

    Notes
    -----
    The best cut of few positives is a lottery: many cuts are as good to within chance, and the
    luckiest one is taken. "plateau" follows the rule of one standard error [1]_: of all cuts within
    `plateau_width` standard errors of the best, it takes the one halfway between the fewest and
    the most alarms, by the log odds of an alarm. The standard error is a jackknife of the confusion
    counts [2]_, so the choice needs no random numbers.

    A threshold lies halfway between two neighbouring scores. The search costs one sort.

    For more than two classes the weights are found by coordinate ascent: for one class at a time
    every weight that changes a decision is tried, by one sort and running sums, from several
    starts. The result is a local optimum; it is never worse than the plain argmax on the scores
    that it was tuned on.

    ``cv="oof"`` saves the fits of folds where the fitted estimator scores each row of X by parts of
    itself that have not seen it. On the scale of ``predict_proba`` it has them as ``oof_proba_``,
    or as ``oob_decision_function_`` (scikit-learn's forests and bagging); on that of
    ``decision_function`` as ``oof_decision_function_``. Rows without a score are NaN, and are left
    out of the tuning. ``oof_folds_``, of shape (n_samples,), numbers the fold of each row, with -1
    for none; without it all rows are one fold. The classifier may be the last step of a Pipeline
    without samplers, or what a search found to be best. The steps before it were fitted on all
    rows, then: those that look at y, such as a selection of features or target encoding, make the
    scores too good, and so does the choice of a search; those that do not, such as scalers, hardly
    do. Rows that belong together, or follow each other in time, need a splitter as `cv`.

    References
    ----------
    .. [1] Breiman, Friedman, Olshen, Stone (1984). Classification and regression trees, section
       3.4.3.
    .. [2] Efron (1982). The jackknife, the bootstrap and other resampling plans, chapter 6.
    .. [3] Elkan (2001). The foundations of cost-sensitive learning. IJCAI.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sk_imbalance_nn import ThresholdOptimizerCV
    >>> X, y = make_classification(2000, weights=[0.95], random_state=0)
    >>> tuned = ThresholdOptimizerCV(LogisticRegression(), scoring="f1", random_state=0).fit(X, y)
    >>> print(f"{tuned.best_threshold_:.2f}, between {min(tuned.threshold_interval_):.2f} and "
    ...       f"{max(tuned.threshold_interval_):.2f}")
    0.31, between 0.15 and 0.59

    At most one false alarm in a hundred, and as many hits as possible:

    >>> strict = ThresholdOptimizerCV(
    ...     LogisticRegression(), scoring="recall", constraint="false_positive_rate <= 0.01"
    ... ).fit(X, y)
    >>> print(f"recall {strict.best_score_:.2f} at a rate of {strict.constraint_value_:.3f}")
    recall 0.90 at a rate of 0.005
    """

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012
        "estimator": [
            HasMethods(["fit", "predict_proba"]),
            HasMethods(["fit", "decision_function"]),
        ],
        "scoring": [str, callable],
        "response_method": [StrOptions({"auto", "predict_proba", "decision_function"})],
        "thresholds": [
            StrOptions({"exact", "bayes"}),
            Interval(Integral, 1, None, closed="left"),
            "array-like",
        ],
        "selection": [StrOptions({"plateau", "max"})],
        "plateau_width": [Interval(Real, 0, None, closed="left")],
        "aggregate": [StrOptions({"pooled", "mean"})],
        "constraint": [str, tuple, list, None],
        "infeasible": [StrOptions({"raise", "closest"})],
        "cost_matrix": ["array-like", Mapping, None],
        "pos_label": [Real, str, "boolean", None],
        "cv": [
            "cv_object",
            StrOptions({"prefit", "oof"}),
            Interval(RealNotInt, 0.0, 1.0, closed="neither"),
        ],
        "refit": ["boolean"],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "store_cv_results": ["boolean"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        estimator: Any,
        *,
        scoring: Any = "balanced_accuracy",
        response_method: str = "auto",
        thresholds: Any = "exact",
        selection: str = "plateau",
        plateau_width: float = 1.0,
        aggregate: str = "pooled",
        constraint: Any = None,
        infeasible: str = "raise",
        cost_matrix: npt.ArrayLike | Mapping[tuple[Any, Any], float] | None = None,
        pos_label: Any = None,
        cv: Any = None,
        refit: bool = True,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        store_cv_results: bool = False,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.scoring = scoring
        self.response_method = response_method
        self.thresholds = thresholds
        self.selection = selection
        self.plateau_width = plateau_width
        self.aggregate = aggregate
        self.constraint = constraint
        self.infeasible = infeasible
        self.cost_matrix = cost_matrix
        self.pos_label = pos_label
        self.cv = cv
        self.refit = refit
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.store_cv_results = store_cv_results
        self.verbose = verbose

    def fit(
        self, X: Any, y: Any, *, cost: npt.ArrayLike | None = None, **params: Any
    ) -> ThresholdOptimizerCV:
        """Choose the decision rule, and fit the classifier.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, as the estimator takes them.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Labels of any type, or a multilabel indicator.
        cost : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            What a mistake about each row costs, or what each prediction costs for each row (in
            the order of ``classes_``). The mean cost is then minimised, as with `cost_matrix`.
            Where another meta-estimator routes metadata: ``set_fit_request(cost=True)``.
        **params : dict
            Metadata, such as ``sample_weight`` and ``groups``, for the estimator's ``fit``, for
            `cv` and for the scorer, as each requests it; needs
            ``sklearn.set_config(enable_metadata_routing=True)``. A scorer that requests
            ``sample_weight`` has its objective weighted. Objectives of this library's own names
            request nothing; costs are weighted by weighing `cost`.

        Returns
        -------
        ThresholdOptimizerCV
            The fitted object.
        """
        self._check_parameters(params)
        X, y = indexable(X, y)
        y = column_or_1d(y, warn=True) if np.shape(y)[1:] == (1,) else y
        target = Target.of(y, self._known_classes(y))
        task = self._task(target, cost)
        warn_of_order(task, self.cost_matrix)
        routed = process_routing(self._router(task.goal.scorer), "fit", **params)
        check_thresholds(self.thresholds, task, _is_called(task, routed.scorer.score))
        weight = _weight_of(routed.scorer.score.get("sample_weight"), X)
        of_rows = routed.estimator.fit.get("sample_weight")
        n_parts = self._n_parts()
        told = FitTask.fit_of(self, X, y, n_subtasks=n_parts, sample_weight=of_rows)
        with told as whole:
            if self._is_bayes:
                choice = choose_by_costs(task)
                estimator = self.estimator
                if not self._is_prefit:
                    estimator = self._refitted(X, y, routed.estimator.fit, whole)
                warn_of_prior(estimator, X, task)
            else:
                found = self._out_of_fold(X, y, task, routed, weight, whole)
                rows = scored_rows(found, task, weight)
                warn_of_few(rows, task)
                search = self._search(X, y, task, rows, routed.scorer.score)
                choice = choose(rows, target.kind, search)
                warn_of_silence(choice, rows, task)
                estimator = self._final(X, y, found, routed.estimator.fit, whole)
            self._keep(estimator, choice, task)
        if self.verbose > 0:
            print(f"[ThresholdOptimizerCV] {self._outcome()}")
        return self

    def _check_parameters(self, params: Mapping[str, Any]) -> None:
        if isinstance(self.estimator, type):
            raise TypeError(
                f"estimator must be an instance, found the class {self.estimator.__name__}; write "
                f"{self.estimator.__name__}()."
            )
        given = self.get_params(deep=False)
        validate_parameter_constraints(self._parameter_constraints, given, type(self).__name__)
        if params and not get_config().get("enable_metadata_routing", False):
            raise ValueError(
                f"[{', '.join(sorted(params))}] are passed but metadata routing is not enabled. "
                "Call sklearn.set_config(enable_metadata_routing=True), and say who wants them, "
                "as in LogisticRegression().set_fit_request(sample_weight=True)."
            )
        if self._is_prefit and self.refit:
            raise ValueError("When cv='prefit', refit cannot be True; pass refit=False.")
        if self._is_oof and not self.refit:
            raise ValueError(
                "When cv='oof', refit cannot be False: the one fit is that on all rows; leave "
                "refit=True."
            )

    @property
    def _is_prefit(self) -> bool:
        return isinstance(self.cv, str) and self.cv == "prefit"

    @property
    def _is_oof(self) -> bool:
        return isinstance(self.cv, str) and self.cv == "oof"

    def _n_parts(self) -> int:
        """Return what a fit is made of: the folds together, and the classifier of all rows."""
        if self._is_prefit:
            return 0
        return 1 if self._is_bayes or self._is_oof else 1 + bool(self.refit)

    @property
    def _is_bayes(self) -> bool:
        return isinstance(self.thresholds, str) and self.thresholds == "bayes"

    def _known_classes(self, y: Any) -> npt.NDArray[Any] | None:
        """Return the classes of a fitted estimator; None where they come from y."""
        if not self._is_prefit:
            return None
        try:
            check_is_fitted(self.estimator)
        except NotFittedError:
            raise NotFittedError("When cv='prefit', `estimator` must be fitted.") from None
        classes = self.estimator.classes_
        if np.ndim(y) > 1:
            return None
        if isinstance(classes, list):
            raise ValueError(
                f"The estimator was fitted on {len(classes)} labels, and y has one column; tune "
                "with the labels that it was fitted on."
            )
        return np.asarray(classes)

    def _task(self, target: Target, cost: npt.ArrayLike | None) -> Task:
        """Read what is asked for: objective, constraint, costs, and where scores come from."""
        method = response_method_of(self.estimator, self.response_method)
        return task_of(
            target,
            Response(method, target.kind, target.classes),
            scoring=self.scoring,
            constraint=self.constraint,
            pos_label=self.pos_label,
            cost_matrix=self.cost_matrix,
            cost=cost,
        )

    def _out_of_fold(
        self,
        X: Any,
        y: Any,
        task: Task,
        routed: Any,
        weight: npt.NDArray[Any] | None,
        whole: FitTask,
    ) -> OutOfFold:
        """Score rows by models that have not seen them."""
        if self._is_prefit:
            refuse_missing(task, [np.arange(len(task.target.codes))], weight, self.aggregate)
            return score_by(self.estimator, X, task.response)
        if self._is_oof:
            return self._offered(X, y, task, routed.estimator.fit, weight, whole)
        splits = self._splits(X, y, task.target, routed.splitter.split)
        refuse_folds_of_one_class(task.target, splits)
        refuse_missing(task, [test for _, test in splits], weight, self.aggregate)
        return score_out_of_fold(
            self.estimator,
            X,
            y,
            splits,
            task.response,
            fit_params=routed.estimator.fit,
            n_jobs=self.n_jobs,
            verbose=self.verbose,
            whole=whole,
        )

    def _offered(
        self,
        X: Any,
        y: Any,
        task: Task,
        params: Mapping[str, Any],
        weight: npt.NDArray[Any] | None,
        whole: FitTask,
    ) -> OutOfFold:
        """Fit once, on all rows, and take the scores of rows that the classifier then offers."""
        n_rows = len(task.target.codes)
        advice = "give cv=5, which stratifies and scores all rows"
        refuse_without_scores(self.estimator, task.response.method)
        refuse_missing(task, [np.arange(n_rows)], weight, "pooled", advice)
        start = time.perf_counter()
        estimator = self._refitted(X, y, params, whole)
        found = offered_scores(estimator, task.response, n_rows)
        refuse_lost_classes(task.target, found)
        groups = [found.rows[found.fold == number] for number in range(found.n_folds)]
        refuse_missing(task, groups, weight, self.aggregate, advice)
        if self.verbose > 0:
            seconds = time.perf_counter() - start
            print(
                f"[ThresholdOptimizerCV] one fit: fitted {n_rows} rows, {len(found.rows)} of them "
                f"with scores, {seconds:.1f} s"
            )
        return found

    def _splits(self, X: Any, y: Any, target: Target, params: Mapping[str, Any]) -> Splits:
        """Return the rows to fit on and to score, of each fold."""
        is_share = isinstance(self.cv, Real) and not isinstance(self.cv, Integral)
        random_state = check_random_state(self.random_state)
        splits: Any
        if target.kind == MULTILABEL and is_share:
            part = stratified_holdout(target.codes, float(self.cv), random_state)
            splits = [(part.train, part.validation)]
        elif target.kind == MULTILABEL and (self.cv is None or isinstance(self.cv, Integral)):
            folds = label_folds(target.codes, 5 if self.cv is None else int(self.cv))
            splits = [(folds != number, folds == number) for number in range(folds.max() + 1)]
        elif is_share:
            splitter = StratifiedShuffleSplit(1, test_size=self.cv, random_state=random_state)
            splits = splitter.split(X, y)
        else:
            splits = check_cv(self.cv, y=y, classifier=True).split(X, y, **params)
        found = checked_splits(splits, len(target.codes))
        if not self.refit and len(found) > 1:
            raise ValueError(
                f"When cv has several folds, refit cannot be False; found {len(found)} folds. Keep "
                "refit=True, or hold out a single part with cv=0.25."
            )
        return found

    def _search(
        self, X: Any, y: Any, task: Task, rows: ScoredRows, params: Mapping[str, Any]
    ) -> Search:
        """Say how the rule is looked for."""
        is_called = _is_called(task, params)
        return Search(
            objective=task.objective,
            score=CalledScorer(task, X, y, rows.index, params) if is_called else None,
            constraint=task.constraint,
            infeasible=self.infeasible,
            thresholds=check_thresholds(self.thresholds, task, is_called),
            aggregate=self.aggregate,
            width=self.plateau_width if self.selection == "plateau" else 0.0,
            lowest=0.0 if task.response.method == PROBABILITY else -np.inf,
            random_state=check_random_state(self.random_state),
        )

    def _final(
        self, X: Any, y: Any, found: OutOfFold, params: Mapping[str, Any], whole: FitTask
    ) -> Any:
        """Return the fitted classifier that the rule will serve."""
        if self._is_prefit or self._is_oof or not self.refit:
            return found.model
        return self._refitted(X, y, params, whole)

    def _refitted(self, X: Any, y: Any, params: Mapping[str, Any], whole: FitTask) -> Any:
        """Return the classifier fitted on all rows."""
        estimator = clone(self.estimator)
        task = whole.part("refit").of_rows(X, y, params.get("sample_weight"))
        with task.around(estimator):
            return estimator.fit(X, y, **params)

    def _keep(self, estimator: Any, choice: Choice, task: Task) -> None:
        """Replace what an earlier fit left by what this one found."""
        attributes = {
            "estimator_": estimator,
            "scorer_": task.goal.scorer,
            "response_method_": task.response.method,
            "score_name_": "neg_cost" if task.goal.name == "cost" else task.goal.name,
            **choice.attributes,
        }
        if task.target.kind == BINARY:
            attributes["pos_label_"] = task.target.classes[task.positive]
        if "best_threshold_" in attributes:
            attributes["default_threshold_"] = 0.5 if task.response.method == PROBABILITY else 0.0
        if self.store_cv_results:
            attributes["cv_results_"] = choice.results()
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(estimator, name):
                attributes[name] = getattr(estimator, name)
        for name in [name for name in vars(self) if name.endswith("_")]:
            delattr(self, name)
        vars(self).update(attributes, _task_=task.without_rows(), _rule_=choice.rule)

    def _outcome(self) -> str:
        """Say in a line what was chosen."""
        found = f"{self.score_name_} {_short(self.best_score_)} in cross-validation"
        if not hasattr(self, "best_threshold_"):
            return f"weights of the classes chosen, {found}"
        said = f"threshold {_short(self.best_threshold_)}"
        return said if self.best_score_ is None else f"{said}, {found}"

    @property
    def classes_(self) -> npt.NDArray[Any]:
        """Class labels, as the fitted classifier has them."""
        return self.estimator_.classes_

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Decide by the chosen rule.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, as the estimator takes them.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            Labels, or an indicator.
        """
        check_is_fitted(self, "estimator_")
        scores = self._task_.decisive(self._task_.response.of(self.estimator_, X))
        threshold = getattr(self, "best_threshold_", None)
        # What a user writes into best_threshold_ counts.
        rule = self._rule_ if threshold is None else ThresholdRule(threshold)
        return self._task_.labels_of(rule.decide(scores))

    def threshold_curve(
        self,
        X: Any,
        y: Any,
        *,
        sample_weight: npt.ArrayLike | None = None,
        cost: npt.ArrayLike | None = None,
    ) -> dict[str, npt.NDArray[np.float64]]:
        """Evaluate the objective at every threshold on other rows, such as a test set.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, as the estimator takes them.
        y : array-like of shape (n_samples,)
            Their labels, of two classes.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows in the objective.
        cost : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            Costs of the rows, as `fit` takes them.

        Returns
        -------
        dict of ndarray of shape (n_thresholds,)
            Columns as in ``cv_results_``, without those of folds.

        Raises
        ------
        ValueError
            If there are more than two classes, or labels.
        """
        check_is_fitted(self, "estimator_")
        if not np.isscalar(getattr(self, "best_threshold_", None)):
            raise ValueError("A curve of thresholds is for two classes; for more there is none.")
        if self._task_.goal.name == "cost" and self.cost_matrix is None and cost is None:
            raise ValueError("Costs of single rows were tuned for; give cost for these rows too.")
        target = Target.of(y, self._task_.target.classes)
        task = self._task(target, cost)
        weight = _weight_of(sample_weight, X)
        refuse_missing(task, [np.arange(len(target.codes))], weight, "pooled")
        rows = scored_rows(score_by(self.estimator_, X, task.response), task, weight)
        params = {} if weight is None else {"sample_weight": weight}
        columns = threshold_curve(rows, self._search(X, y, task, rows, params))
        return {
            name: values
            for name, values in columns.items()
            if name != "std_scores" and not name.startswith("split")
        }

    @available_if(_estimator_has("predict_proba"))
    def predict_proba(self, X: Any) -> npt.NDArray[Any]:
        """Return the classifier's probabilities; no decision changes them.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, as the estimator takes them.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            As the estimator returns them.
        """
        return self._fitted_estimator().predict_proba(X)

    @available_if(_estimator_has("predict_log_proba"))
    def predict_log_proba(self, X: Any) -> npt.NDArray[Any]:
        """Return the logarithms of the classifier's probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, as the estimator takes them.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            As the estimator returns them.
        """
        return self._fitted_estimator().predict_log_proba(X)

    @available_if(_estimator_has("decision_function"))
    def decision_function(self, X: Any) -> npt.NDArray[Any]:
        """Return the classifier's decision values; no decision changes them.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows, as the estimator takes them.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            As the estimator returns them.
        """
        return self._fitted_estimator().decision_function(X)

    def _fitted_estimator(self) -> Any:
        """Return the fitted classifier; before `fit`, the one that was given, if it is fitted."""
        estimator = getattr(self, "estimator_", self.estimator)
        try:
            check_is_fitted(estimator)
        except NotFittedError:
            check_is_fitted(self, "estimator_")
        return estimator

    def get_metadata_routing(self) -> MetadataRouter:
        """Say who wants which metadata.

        Returns
        -------
        MetadataRouter
            For the estimator's ``fit``, the splitter's ``split``, the scorer, and `cost`.
        """
        reads_costs = self.cost_matrix is not None and self.constraint is None
        return self._router(None if reads_costs else scorer_of(self.scoring))

    def _router(self, scorer: Any) -> MetadataRouter:
        to_fit = MethodMapping().add(caller="fit", callee="fit")
        to_split = MethodMapping().add(caller="fit", callee="split")
        to_score = MethodMapping().add(caller="fit", callee="score")
        router = MetadataRouter(owner=self).add_self_request(self)
        router = router.add(estimator=self.estimator, method_mapping=to_fit)
        router = router.add(splitter=self.cv, method_mapping=to_split)
        return router.add(scorer=scorer, method_mapping=to_score)

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        return BaseEstimator.__repr__(with_readable_parameters(self), N_CHAR_MAX)

    def _sk_visual_block_(self) -> VisualBlock:
        """Draw the classifier within as it is by now; scikit-learn would draw the unfitted one."""
        inner = getattr(self, "estimator_", self.estimator)
        name = f"estimator: {type(inner).__name__}"
        return VisualBlock("parallel", [inner], names=[name], name_details=[str(inner)])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.input_tags = inner.input_tags
        if inner.classifier_tags is not None:
            tags.classifier_tags.multi_class = inner.classifier_tags.multi_class
            tags.classifier_tags.multi_label = inner.classifier_tags.multi_label
        return tags
