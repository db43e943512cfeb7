"""BalancedKerasClassifier: any Keras network as a classifier trained to see the rare class."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils import Tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sk_imbalance_nn._compat import HasMethods, Interval, Options, StrOptions
from sk_imbalance_nn._fit_tasks import CallbackSupportMixin, FitTask
from sk_imbalance_nn._representation import with_readable_parameters
from sk_imbalance_nn.data.inputs import InputSplitter
from sk_imbalance_nn.data.tables import FROM_DTYPE
from sk_imbalance_nn.data.targets import TargetEncoder
from sk_imbalance_nn.networks.serialization import pack, unpack
from sk_imbalance_nn.training.forward import ForwardPass
from sk_imbalance_nn.wrapping.copying import clone_parameter
from sk_imbalance_nn.wrapping.fitting import FittingWrapper
from sk_imbalance_nn.wrapping.persistence import read_estimator, write_estimator
from sk_imbalance_nn.wrapping.routing import FIT_OPTIONS, check_options


def _encodes_its_own_target(estimator: BalancedKerasClassifier) -> bool:
    return isinstance(estimator.target_encoder, TargetEncoder)


class BalancedKerasClassifier(CallbackSupportMixin, ClassifierMixin, FittingWrapper):
    """Keras network as a scikit-learn classifier that is trained to see the rare class.

    A superset of ``scikeras.wrappers.KerasClassifier``: parameters with the prefixes ``model__``,
    ``optimizer__``, ``loss__``, ``metrics__``, ``callbacks__``, ``sampler__``, ``compile__``,
    ``fit__`` and ``predict__`` go where they say, other names go to the function that builds the
    network.

    Parameters
    ----------
    model : callable, keras.Model, "mlp" or None, default=None
        What learns. A function that returns a ``keras.Model``, compiled or not; it may take
        ``meta`` (a dict with ``n_features_in_``, ``n_classes_``, ``target_type_``, ``X_shape_``,
        ...), ``compile_kwargs``, ``params``, and arguments of its own. A ``keras.Model`` is never
        trained in place: each fit starts from a copy with its weights. None is the library's own
        network for tables, an ensemble that reads them raw: with missing entries, text and
        categories. Its arguments are ``members``, ``width``, ``depth``, ``dropout``,
        ``embedding`` and ``thorough``; see Notes. "mlp" is a plain perceptron that only scales
        its input, with ``width``, ``depth`` and ``dropout``. A builder with an argument
        ``encoding`` is given the layer that reads raw tables, a `TableEncoding`.
    optimizer : str, class or keras.optimizers.Optimizer, default="auto"
        "auto" is Adam, or for the library's own networks AdamW with a cosine schedule, which
        starts at ``optimizer__learning_rate``. Instances are copied for each fit. Not used by
        builders that compile.
    loss : str, class, callable or keras.losses.Loss, default="auto"
        "auto" is the cross-entropy that fits the target and the last layer. Also "focal",
        "logit_adjusted", "balanced_softmax", "ldam" and "asymmetric", which are told the target,
        the last layer and the classes' frequencies; ``loss__gamma`` and the like are their
        parameters, see `sk_imbalance_nn.losses`.
    metrics : list or dict of str, class or keras.metrics.Metric, default=None
        Keras metrics for `history_`. Named by strings they mean the same for every last layer,
        and see every class: ``"Precision"`` of several classes is their macro average. For binary
        targets the second of `classes_` is the positive one, as in scikit-learn.
    class_weight : {"auto", "balanced", "effective"}, dict, callable, array-like or None, \
            default="auto"
        "balanced": inverse to the classes' frequencies. "effective": by the effective number of
        rows (Cui et al. 2019, with beta 0.9999). Both go by what a sampler shows, so that they
        balance what it left unbalanced. "auto": "balanced", but None with a loss that makes up
        for frequencies itself ("logit_adjusted", "balanced_softmax", "asymmetric"); with
        ``model=None`` and ``loss="auto"`` the loss is left alone, and the answers are moved to what
        balanced weights would have made of them once training is over. A dict is keyed by labels.
        A callable takes the counts of the classes. For multilabel targets: a weight for each
        label's positives, or a pair (for its negatives, for its positives), as an array or as a
        dict keyed by column. Multiplies ``sample_weight``. The product is scaled to a mean of one,
        so that only ratios matter.
    sampler : {"over", "under", "balanced"}, imbalanced-learn sampler or None, default=None
        Which of the training rows an epoch sees; rows that validate are split off before.
        "over" repeats rows of rare classes, "under" leaves rows of frequent ones out, "balanced"
        does both and keeps the epoch's length; each draws anew for each epoch, such that all rows
        come round, and spreads the classes evenly over the batches. ``sampler__sampling_strategy``
        takes imbalanced-learn's words, ratios and dicts. Of imbalanced-learn's samplers,
        ``RandomOverSampler`` and ``RandomUnderSampler`` draw anew too, others resample once a fit;
        those that make rows need tables. ``fit__steps_per_epoch`` shortens long epochs.
    output_bias : {"auto"} or None, default="auto"
        "auto": the bias of a new output layer starts at the log prior that training will see.
    correct_prior : bool, "balanced", "oof", float or array-like, default=False
        The prior that predictions refer to. False: `training_prior_`, the one that weights and
        sampling made. True: `class_prior_`, the one of the data, also undoing what the losses
        named above do to probabilities; then most rows of a rare class may lie below 0.5, and
        the threshold is a matter of its own. "oof": like True, and calibrated besides, by a
        slope and an intercept that fit the predictions out of fold (Platt 1999), for
        ``model=None``. "balanced": equally frequent classes. A float, for
        the share of positives of two classes or of every label, or an array with that of each: a
        prior known from elsewhere. It is read when predicting, so `set_params` serves after
        `fit` too.
    early_stopping : bool or "auto", default="auto"
        Whether to stop when `scoring` on the validation rows no longer improves, and keep the best
        epoch. "auto": if the validation rows hold at least 20 of the rarest class and no
        ``keras.callbacks.EarlyStopping`` is among the callbacks. With ``model=None`` no rows are
        held out for it: each member's epoch is chosen by predictions out of fold, if there are
        20 rows of the rarest class.
    validation_split : float, splitter or None, default=None
        A share of the rows, drawn at random with every class in both parts, or the first split of
        a scikit-learn splitter. None: 0.1 where early stopping needs it, and no member can do
        without.
    scoring : str or callable, default="average_precision"
        A scikit-learn scorer, computed exactly on all validation rows after each epoch; it stands
        in `history_` and in the callbacks' logs as ``"val_<scoring>"``. Named by a string, for a
        binary target, it takes the rarer class as the positive one. Or ``"loss"``.
    n_iter_no_change : int or None, default=None
        Epochs without a better score before training stops. None: 10, or for ``model=None`` 10
        and at least 45 % of the epochs.
    epochs : int or None, default=None
        Passes over the rows, at most. None: 100, or for ``model=None`` 60, but as many as make
        400 to 1,100 steps, and 3 at least.
    batch_size : int or None, default=None
        Rows a step; -1 for all. None: 32, or for the library's own networks by the number of rows
        (``model=None``: n / 8 between 32 and 128, beyond 64,000 rows n / 512 up to 1,024; "mlp":
        n / 16 between 32 and 256).
    validation_batch_size : int or None, default=None
        Rows a step of validation.
    shuffle : bool, default=True
        Whether each epoch has an order of its own.
    callbacks : keras.callbacks.Callback, class, or list or dict of them, default=None
        Instances are copied for each fit; `callbacks_` are those that ran.
    categorical_features : "from_dtype", or array-like of str, int or bool, default="from_dtype"
        For networks that read raw tables: columns whose entries are levels whatever their type, by
        name, by position, or as a mask; columns of text and of a type for categories are so in any
        case. Codes that are numbers are numbers unless they are named here.
    inputs : dict, default=None
        For networks with several inputs, fed from one table: for each input, by name, its
        columns (slice, positions, or names).
    jit_compile : bool or "auto", default="auto"
        Whether XLA compiles the steps. "auto": where it makes up for its compilation, which is for
        ``model=None`` from 300 steps on, and for networks of dense layers without dropout and tens
        of thousands of small steps.
    run_eagerly : bool, default=False
        Whether to run the network's ``train_step`` without tracing it, to debug it.
    warm_start : bool, default=False
        Whether `fit` continues with the network of the last one, its loss, optimizer and metrics
        (for multilabel targets also its class weights), whatever the parameters say by now.
    random_state : int, RandomState or None, default=None
        Draws the weights, the validation rows, the order of the rows and dropout. An integer
        gives the same network to the bit each time.
    verbose : {0, 1, 2}, default=0
        Silence; one line with the epoch, the time left, the loss and the validation score, written
        over on a terminal and in a notebook, and written once elsewhere; or a line an epoch.
    **kwargs
        Routed parameters, and arguments for the builder.

    Attributes
    ----------
    model_ : keras.Model
        The trained network.
    classes_ : ndarray of shape (n_classes,)
        The labels; for one-hot and multilabel targets the column numbers.
    n_classes_ : int
        How many classes or labels.
    target_type_ : {"binary", "multiclass", "multilabel-indicator"}
        The type of the target.
    history_ : dict of lists
        Each quantity of the logs, epoch by epoch.
    n_iter_ : int
        Epochs run.
    validated_epochs_ : list of int
        Those, counted from 1, that validation followed: where the ``val_`` quantities belong.
    best_iteration_ : int or None
        The epoch, counted from 1, whose weights were kept; None without early stopping. Where
        members stop out of fold, the one with the best mean score.
    best_validation_score_ : float or None
        Its score (for ``scoring="loss"`` the negative loss); None without early stopping.
    oof_decision_function_, oof_proba_ : ndarray
        For ``model=None``: what `decision_function` and `predict_proba` would say of the rows of
        `fit`, each by a member that has not seen it. NaN for rows that were held out or weigh
        nothing. ``AttributeError`` says why where there are none.
    oof_folds_ : ndarray of shape (n_samples,)
        The fold, and member, of each row; -1 for none. Only with the former.
    oof_unavailable_reason_ : str
        Why they are missing; empty where they are not.
    member_epochs_ : ndarray of shape (n_members,)
        The epoch that each member has kept, where they stop out of fold.
    categories_ : list of ndarray or None
        For networks that read raw tables: the levels of each column, None for one of numbers.
    class_weight_ : dict, or ndarray of shape (n_labels, 2)
        The weight of each class; for multilabel targets of each label's negatives and positives.
    class_prior_ : ndarray of shape (n_classes,)
        Shares of the classes among the training rows, each counted with its ``sample_weight``;
        for multilabel targets of positives.
    training_prior_ : ndarray of shape (n_classes,)
        The same after sampling and weighting: the prior that training saw.
    n_features_in_ : int
        Columns seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where all are strings.
    callbacks_ : list of keras.callbacks.Callback
        The callbacks that ran.
    engine_ : {"traced", "xla", "keras"}
        What ran the epochs: "traced", the library's own loop; "xla", the same compiled by XLA;
        "keras", ``Model.fit``, where the network runs eagerly, lives under a ``tf.distribute``
        strategy, or has a loop of its own.

    See Also
    --------
    sk_imbalance_nn.output_layer : The last layer that fits the target, for builders.
    sk_imbalance_nn.TableEncoding : The layer that reads raw tables, for builders.
    sk_imbalance_nn.ThresholdOptimizerCV : With ``cv="oof"`` a tuned threshold costs one fit.
    save, load : One file that runs no code when it is read; joblib serves whole Pipelines.

    Notes
    -----
    Probabilities refer to `training_prior_` unless `correct_prior` says otherwise: with
    ``class_weight="balanced"`` a probability of one half means that a row is as likely as any to
    belong to either class when the two are equally frequent. Those of the losses "focal", "ldam"
    and "asymmetric" refer to no prior exactly, those of "logit_adjusted" to equally frequent
    classes; ``correct_prior`` knows the way back from each.

    The network of ``model=None`` is five perceptrons side by side, whose probabilities are
    averaged. Each learns from four fifths of the rows, so that each row has a member that has not
    seen it. Those predictions out of fold choose each member's epoch (by the rows of the other
    folds, so that they stay honest), tune thresholds (``ThresholdOptimizerCV(cv="oof")``) and
    calibrate probabilities (``correct_prior="oof"``). There are none where members cannot be kept
    from a row: after a sampler that makes rows, in `partial_fit`, with ``warm_start``, with
    ``model__members=1``. ``model__thorough=True`` trains a wider network for longer.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sk_imbalance_nn import BalancedKerasClassifier
    >>> X, y = make_classification(n_samples=400, weights=[0.95], random_state=0)
    >>> classifier = BalancedKerasClassifier(epochs=5, random_state=0).fit(X, y)
    >>> classifier.predict_proba(X).shape
    (400, 2)

    Each of these rows was predicted by a member that has not seen it:

    >>> classifier.oof_proba_.shape
    (400, 2)
    """

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012
        "model": [callable, StrOptions({"mlp"}), None],
        "class_weight": [
            StrOptions({"auto", "balanced", "effective"}),
            Mapping,
            callable,
            "array-like",
            None,
        ],
        "sampler": [
            StrOptions({"over", "under", "balanced"}),
            HasMethods(["fit_resample"]),
            None,
        ],
        "output_bias": [StrOptions({"auto"}), None],
        "correct_prior": [
            "boolean",
            StrOptions({"balanced", "oof"}),
            Interval(Real, 0, 1, closed="neither"),
            "array-like",
        ],
        "early_stopping": ["boolean", StrOptions({"auto"})],
        "validation_split": [
            Interval(Real, 0, 1, closed="left"),
            HasMethods(["split"]),
            None,
        ],
        "scoring": [str, callable],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), None],
        "epochs": [Interval(Integral, 0, None, closed="left"), None],
        "batch_size": [Interval(Integral, 1, None, closed="left"), Options(Integral, {-1}), None],
        "validation_batch_size": [
            Interval(Integral, 1, None, closed="left"),
            Options(Integral, {-1}),
            None,
        ],
        "shuffle": ["boolean"],
        "categorical_features": [StrOptions({FROM_DTYPE}), "array-like"],
        "inputs": [Mapping, None],
        "jit_compile": ["boolean", StrOptions({"auto"})],
        "run_eagerly": ["boolean"],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose", StrOptions({"auto"})],
    }

    def __init__(
        self,
        model: Any = None,
        *,
        optimizer: Any = "auto",
        loss: Any = "auto",
        metrics: Any = None,
        class_weight: Any = "auto",
        sampler: Any = None,
        output_bias: str | None = "auto",
        correct_prior: Any = False,
        early_stopping: bool | str = "auto",
        validation_split: Any = None,
        scoring: Any = "average_precision",
        n_iter_no_change: int | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        validation_batch_size: int | None = None,
        shuffle: bool = True,
        callbacks: Any = None,
        categorical_features: Any = FROM_DTYPE,
        inputs: Mapping[str, Any] | None = None,
        jit_compile: bool | str = "auto",
        run_eagerly: bool = False,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: int = 0,
        **kwargs: Any,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.loss = loss
        self.metrics = metrics
        self.class_weight = class_weight
        self.sampler = sampler
        self.output_bias = output_bias
        self.correct_prior = correct_prior
        self.early_stopping = early_stopping
        self.validation_split = validation_split
        self.scoring = scoring
        self.n_iter_no_change = n_iter_no_change
        self.epochs = epochs
        self.batch_size = batch_size
        self.validation_batch_size = validation_batch_size
        self.shuffle = shuffle
        self.callbacks = callbacks
        self.categorical_features = categorical_features
        self.inputs = inputs
        self.jit_compile = jit_compile
        self.run_eagerly = run_eagerly
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
        vars(self).update(kwargs)
        # SciKeras hands these, and no others, to the builder by their bare names.
        if kwargs:
            self._user_params = set(kwargs) - {"build_fn"}

    # --------------------------------------------------------------------------------------
    # Learning

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        *,
        validation_data: tuple[Any, ...] | None = None,
        groups: ArrayLike | None = None,
        **fit_params: Any,
    ) -> BalancedKerasClassifier:
        """Train the network.

        Parameters
        ----------
        X : array-like of any rank from 2, DataFrame, sparse matrix, or dict of arrays
            Rows to learn from.
        y : array-like of shape (n_samples,), or of shape (n_samples, n_labels)
            Labels of any type, one-hot rows, or a multilabel indicator.
        sample_weight : array-like of shape (n_samples,), default=None
            What each row counts in the loss, and in `scoring`. A weight of zero is the row left
            out; only ratios matter.
        validation_data : tuple (X, y) or (X, y, sample_weight), default=None
            Rows to validate on, instead of a split of `X`. A Pipeline does not transform them;
            scale them as its earlier steps would.
        groups : array-like of shape (n_samples,), default=None
            For a ``validation_split`` that keeps groups together.
        **fit_params
            Options of ``Model.fit`` that take precedence over the estimator's own: ``epochs``,
            ``batch_size``, ``verbose``, ``callbacks``, ``initial_epoch``, ``shuffle``,
            ``steps_per_epoch``, ``validation_split``, ``validation_freq``,
            ``validation_batch_size``.

        Returns
        -------
        BalancedKerasClassifier
            Itself.

        Raises
        ------
        ValueError
            For data that cannot be learnt from, for a network whose last layer, loss and target
            do not fit together, and if the loss becomes NaN. An earlier fit stays usable.
        TypeError
            For a parameter that nothing accepts.
        """
        self._check_call("fit", fit_params)
        continued = bool(self.warm_start and self.initialized_)
        epochs = self._routed("fit", "epochs", fit_params, None)
        n_subtasks = epochs if isinstance(epochs, Integral) else None
        told = FitTask.fit_of(self, X, y, n_subtasks=n_subtasks, sample_weight=sample_weight)
        with told as task, self._earlier_fit_kept_on_failure(continued):
            self._start(continued=continued, reseeded=not continued)
            self._fit_network(
                self._validate(X, y, sample_weight, reset=not continued),
                self._source(validation_data, groups, fit_params),
                fit_params,
                continued=continued,
                initial_epoch=self._routed("fit", "initial_epoch", fit_params, 0),
                task=task,
            )
        return self

    def partial_fit(
        self,
        X: Any,
        y: Any,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        **fit_params: Any,
    ) -> BalancedKerasClassifier:
        """Train one epoch more, without early stopping.

        Rows are held out only where ``validation_split`` says so. ``class_weight="balanced"``
        goes by all rows seen so far; for multilabel targets by those of the first call.

        Parameters
        ----------
        X, y : array-like
            As for `fit`.
        classes : array-like of shape (n_classes,), default=None
            In the first call: all labels that will ever be seen. By default those of `y`.
        sample_weight : array-like of shape (n_samples,), default=None
            As for `fit`.
        **fit_params
            As for `fit`, but for the number of epochs.

        Returns
        -------
        BalancedKerasClassifier
            Itself.

        Raises
        ------
        ValueError, TypeError
            As `fit`.
        """
        for name in ("epochs", "initial_epoch"):
            if name in fit_params:
                raise TypeError(
                    f"Invalid argument `{name}` to `partial_fit`: it trains one epoch, from the "
                    "current one. Use fit, with warm_start=True to continue."
                )
        self._check_call("partial_fit", fit_params)
        continued = self.initialized_
        with self._earlier_fit_kept_on_failure(continued):
            self._start(continued=continued, reseeded=not continued)
            self._fit_network(
                self._validate(X, y, sample_weight, reset=not continued, classes=classes),
                self._source(fit_params.get("validation_data"), None, fit_params),
                {**fit_params, "epochs": 1},
                continued=continued,
                initial_epoch=self.current_epoch,
                partial=True,
            )
        return self

    def initialize(self, X: Any, y: Any) -> BalancedKerasClassifier:
        """Build the network without training it, e.g. to predict with a pretrained one.

        Parameters
        ----------
        X, y : array-like
            As for `fit`; what matters are their shapes and the labels.

        Returns
        -------
        BalancedKerasClassifier
            Itself.

        Raises
        ------
        ValueError, TypeError
            As `fit`.
        """
        with self._earlier_fit_kept_on_failure(continued=False):
            self._start(continued=False)
            data = self._sample(self._validate(X, y, reset=True))
            self._initialize_callbacks()
            self._build(data, self._weigh(data), self._schedule({}, data, 0))
        return self

    def _check_call(self, method: str, given: Mapping[str, Any]) -> None:
        """Refuse arguments of a call that belong to the constructor, or to nobody."""
        misplaced = sorted(set(given) & set(self.get_params(deep=False)) - set(FIT_OPTIONS))
        if misplaced:
            raise TypeError(
                f"{method} got {misplaced[0]!r}, which is a parameter of the estimator: "
                f"{type(self).__name__}({misplaced[0]}=...)."
            )
        check_options(method, given, FIT_OPTIONS)

    # --------------------------------------------------------------------------------------
    # Predicting

    def predict_proba(self, X: Any, **predict_params: Any) -> NDArray[Any]:
        """Return probabilities.

        Parameters
        ----------
        X : as for `fit`
            Rows to predict.
        **predict_params
            Options of ``Model.predict``: ``batch_size``, the rows at a time, which only bounds the
            memory; ``callbacks``; ``verbose`` and ``steps`` change nothing here.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Each row sums to one; for multilabel targets the probability of each label. Which
            prior they refer to is `correct_prior`'s to say; by default `training_prior_`.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            For rows unlike those of `fit`.
        """
        check_is_fitted(self)
        if not self._own_target:
            self._check_nothing_to_correct()
            outputs = self._predict_raw(X, **predict_params)
            return np.asarray(self.target_encoder_.inverse_transform(outputs, return_proba=True))
        return self._read(self._head.probabilities, X, predict_params)

    @available_if(_encodes_its_own_target)
    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Return logits: scores without ties where probabilities saturate at 0 and 1.

        Parameters
        ----------
        X : as for `fit`
            Rows to predict.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Binary: positive for the second class. Otherwise a column for each class (log
            probabilities) or label (logits).

        Raises
        ------
        NotFittedError, ValueError
            As `predict_proba`.
        """
        check_is_fitted(self)
        return self._read(self._head.decision, X, {})

    def predict(self, X: Any, **predict_params: Any) -> NDArray[Any]:
        """Return labels: the most probable class, or each label that is more likely than not.

        Parameters
        ----------
        X : as for `fit`
            Rows to predict.
        **predict_params
            As for `predict_proba`.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            In the type and the form of the ``y`` of `fit`.

        Raises
        ------
        NotFittedError, ValueError
            As `predict_proba`.
        """
        check_is_fitted(self)
        if not self._own_target:
            return np.asarray(
                self.target_encoder_.inverse_transform(self._predict_raw(X, **predict_params))
            )
        codes = self._read(self._head.codes, X, predict_params)
        return self.target_encoder_.inverse_transform(codes)

    def score(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> float:
        """Return the accuracy, or what a subclass' `scorer` computes.

        Accuracy says little about rare classes; see ``scoring`` of ``cross_val_score``.

        Parameters
        ----------
        X, y : as for `fit`
            Rows and their labels.
        sample_weight : array-like of shape (n_samples,), default=None
            What each row counts.

        Returns
        -------
        float
            The score.
        """
        options = self._routed_to("score")
        return self.scorer(y, self.predict(X), sample_weight=sample_weight, **options)

    @staticmethod
    def scorer(y_true: Any, y_pred: Any, **kwargs: Any) -> float:
        """Score predictions; subclasses may override it.

        Parameters
        ----------
        y_true, y_pred : array-like
            Labels as given, and as predicted.
        **kwargs
            For the metric, e.g. ``sample_weight``.

        Returns
        -------
        float
            The accuracy.
        """
        return float(accuracy_score(y_true, y_pred, **kwargs))

    # --------------------------------------------------------------------------------------
    # Transformers that users of SciKeras override

    @property
    def target_encoder(self) -> Any:
        """An unfitted transformer of the target; override it for targets of other kinds."""
        return TargetEncoder()

    @property
    def feature_encoder(self) -> Any:
        """An unfitted transformer of the inputs; override it for networks with several inputs."""
        return InputSplitter(self.inputs)

    # --------------------------------------------------------------------------------------
    # Files, copies, and what scikit-learn asks

    @property
    def current_epoch(self) -> int:
        """Epochs trained so far."""
        return len(getattr(self, "history_", {}).get("loss", []))

    def save(self, path: str | PathLike[str]) -> None:
        """Write the fitted classifier to one file.

        Parameters
        ----------
        path : str or path-like
            Where to. An existing file is replaced.

        Raises
        ------
        NotFittedError
            Before `fit`.
        TypeError
            For what no file without code can hold: labels that are neither numbers nor text, a
            ``target_encoder`` of your own.

        See Also
        --------
        load : Reads it.
        """
        check_is_fitted(self)
        write_estimator(self, path)

    @classmethod
    def load(
        cls,
        path: str | PathLike[str],
        *,
        custom_objects: Mapping[str, Any] | None = None,
        **params: Any,
    ) -> BalancedKerasClassifier:
        """Read a classifier that `save` wrote; no code from the file is run.

        Parameters
        ----------
        path : str or path-like
            The file.
        custom_objects : dict, default=None
            Classes and functions that the network uses and Keras does not know, by name.
        **params
            Parameters that no file holds, such as the function ``model``; they are needed to fit
            again, not to predict.

        Returns
        -------
        BalancedKerasClassifier
            It predicts what the saved one did.

        Raises
        ------
        ValueError
            If the file is none of `save`'s, is of a later version, or holds a network that would
            run code or needs ``custom_objects``.

        Examples
        --------
        >>> import numpy as np, os, tempfile
        >>> from sk_imbalance_nn import BalancedKerasClassifier
        >>> fitted = BalancedKerasClassifier(epochs=1).fit(np.eye(4), [0, 1, 0, 1])
        >>> path = os.path.join(tempfile.mkdtemp(), "rare.bkc")
        >>> fitted.save(path)
        >>> BalancedKerasClassifier.load(path).predict(np.eye(4)).shape
        (4,)
        """
        return read_estimator(cls, path, custom_objects, params)

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        for name in ("_forward", "_fit_callbacks"):
            state.pop(name, None)
        return pack(state)

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        super().__setstate__(unpack(state))
        if self.initialized_:
            self._forward = ForwardPass(self.model_, logits=self._own_target)

    def __sklearn_clone__(self) -> BalancedKerasClassifier:
        params = self.get_params(deep=False)
        twin = type(self)(**{name: clone_parameter(value) for name, value in params.items()})
        for name in ("_metadata_request", "_sklearn_output_config"):
            if name in vars(self):
                setattr(twin, name, clone_parameter(getattr(self, name)))
        # Callbacks of scikit-learn's serve all clones, which is how they see a whole search.
        if "_skl_callbacks" in vars(self):
            twin._skl_callbacks = self._skl_callbacks
        return twin

    def __copy__(self) -> BalancedKerasClassifier:
        twin = type(self).__new__(type(self))
        vars(twin).update(vars(self))
        return twin

    def __sklearn_is_fitted__(self) -> bool:
        return self.initialized_

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = tags.input_tags.categorical = self._reads_raw_tables
        tags.input_tags.three_d_array = True
        tags.classifier_tags.multi_label = True
        return tags

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        return BaseEstimator.__repr__(with_readable_parameters(self), N_CHAR_MAX)
