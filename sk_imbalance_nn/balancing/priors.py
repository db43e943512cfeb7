"""How frequent is each class? Priors, what starts a network at them, and what changes them."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

_SMALLEST_PRIOR = 1e-6
_SMALLEST_SHARE = 1e-12
_PRIOR_TOLERANCE = 1e-6
_ROW_TOLERANCE = 1e-4  # a softmax in single precision over thousands of classes is within it


def class_prior(
    y: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    n_classes: int | None = None,
) -> npt.NDArray[np.float64]:
    """Share of each class, or of each label's positives, in the total weight.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, n_labels)
        Class codes (integers from 0), or a 0/1 indicator for multilabel targets.
    weights : array-like of shape (n,) or (n, n_labels), optional
        Non-negative weights of rows or, for indicators, of elements; by default ones.
    n_classes : int, optional
        Number of classes, where the last ones may be absent from `y`; unused for indicators.

    Returns
    -------
    ndarray of shape (n_classes,) or (n_labels,), float64
        Adds up to one for class codes.

    Raises
    ------
    ValueError
        If the weights (of a label) add up to zero, or there are no rows.

    Examples
    --------
    >>> class_prior([0, 0, 0, 1])
    array([0.75, 0.25])
    >>> class_prior([[0, 1], [0, 1], [0, 0], [1, 0]])
    array([0.25, 0.5 ])
    """
    target = np.asarray(y)
    mass = np.ones(len(target)) if weights is None else np.asarray(weights, dtype=np.float64)
    total = np.atleast_1d(mass.sum(axis=0))
    if not (total > 0).all():
        where = f" for label {int((total <= 0).argmax())}" if mass.ndim == 2 else ""
        raise ValueError(
            f"The weights add up to zero{where}, so there is no prior; give a positive weight to "
            "at least one row."
        )
    if target.ndim == 1:
        in_group = np.bincount(target, mass, minlength=n_classes or 0)
    elif mass.ndim == 1:
        in_group = mass @ (target == 1)
    else:
        in_group = np.where(target == 1, mass, 0.0).sum(axis=0)
    share: npt.NDArray[np.float64] = in_group / total
    return share


def binary_output_bias(prior: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the bias of a sigmoid output with which an untrained network predicts the prior.

    This is log(p / (1 - p)), the log odds of a positive, as in TensorFlow's tutorial
    "Classification on imbalanced data".

    Parameters
    ----------
    prior : float or array-like of shape (n_labels,)
        Share of positives; clipped to [1e-6, 1 - 1e-6], so that the bias is finite.

    Returns
    -------
    ndarray of the shape of `prior`, float64
        Log odds.

    Examples
    --------
    >>> binary_output_bias([0.5, 0.01]).round(3)
    array([ 0.   , -4.595])
    """
    p = _clipped(prior)
    return np.asarray(np.log(p) - np.log1p(-p))


def softmax_output_bias(prior: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return the bias of a softmax output with which an untrained network predicts the priors.

    This is log(p_k), the counterpart of `binary_output_bias` for several classes, shifted to mean
    zero: softmax does not see the shift, and no logit starts far from zero without need.

    Parameters
    ----------
    prior : array-like of shape (n_classes,)
        Shares of the classes; clipped to [1e-6, 1 - 1e-6], so that the bias is finite.

    Returns
    -------
    ndarray of shape (n_classes,), float64
        Logits of mean zero.

    Examples
    --------
    >>> softmax_output_bias([0.1, 0.8, 0.1]).round(3)
    array([-0.693,  1.386, -0.693])
    """
    logits = np.log(_clipped(prior))
    shifted: npt.NDArray[np.float64] = logits - logits.mean()
    return shifted


def correct_prior(
    proba: npt.ArrayLike,
    training_prior: npt.ArrayLike,
    target_prior: npt.ArrayLike,
    *,
    multilabel: bool = False,
) -> npt.NDArray[np.float64]:
    """Turn probabilities learned under one prior into those under another.

    Class weights, under- and oversampling show a network rare classes more often than they occur,
    and its probabilities refer to that. They become p_k(x) target_k / training_k, scaled to sum
    to one [1]_; for two classes see also [2]_, for undersampling [3]_. That is exact where only the
    classes' shares change, not the rows within a class, and where `proba` was right under
    `training_prior`. Probabilities of two classes, or of a label, keep their order up to rounding,
    and with it every measure of ranking.

    Parameters
    ----------
    proba : array-like of shape (n,), (n, n_classes) or (n, n_labels)
        Probabilities, from 0 to 1: of the positive class; or of each class, in rows that sum to
        one; or, with `multilabel`, of each label.
    training_prior : float or array-like of shape (n_classes,) or (n_labels,)
        Shares, from 0 to 1, that `proba` refers to, after weights and sampling: 0.5 for balanced
        weights of two classes. Of each class, summing to one; if there are two, this is the pair
        (negatives, positives) or, as a float, the positives alone; with `multilabel`, of each
        label's positives.
    target_prior : float or array-like of shape (n_classes,) or (n_labels,)
        Likewise the shares where the probabilities are to hold. A class of share 0 gets the
        probability 0.
    multilabel : bool, default=False
        Whether the columns of `proba` are labels, each a binary problem of its own, rather than
        classes that exclude each other. Numbers do not tell: labels may happen to sum to one.

    Returns
    -------
    ndarray of the shape of `proba`, float64
        Probabilities under `target_prior`. Where `proba` leaves nothing for any class that
        `target_prior` has, they are `target_prior` itself.

    Raises
    ------
    ValueError
        If probabilities or shares are not from 0 to 1, rows (within 1e-4) or shares of classes
        (within 1e-6) do not sum to one, shapes do not fit, or a class of `target_prior` has the
        share 0 in `training_prior`.

    See Also
    --------
    sk_imbalance_nn.BalancedKerasClassifier : Its probabilities refer to its ``training_prior_``;
        the shares in its data are its ``class_prior_``.

    References
    ----------
    .. [1] Saerens, Latinne, Decaestecker (2002). Adjusting the outputs of a classifier to new a
       priori probabilities: a simple procedure. Neural Computation 14, equation 2.4.
    .. [2] Elkan (2001). The foundations of cost-sensitive learning. IJCAI, theorem 2.
    .. [3] Dal Pozzolo, Caelen, Johnson, Bontempi (2015). Calibrating probability with
       undersampling for unbalanced classification. IEEE SSCI.

    Examples
    --------
    One row in a hundred is positive, and training weighed the classes to be equally frequent:

    >>> from sk_imbalance_nn import correct_prior
    >>> correct_prior([0.5, 0.9, 1.0], training_prior=0.5, target_prior=0.01).round(3)
    array([0.01 , 0.083, 1.   ])

    Three classes, and two labels:

    >>> correct_prior([[0.2, 0.3, 0.5]], [1 / 3, 1 / 3, 1 / 3], [0.9, 0.08, 0.02]).round(3)
    array([[0.841, 0.112, 0.047]])
    >>> correct_prior([[0.5, 0.5]], [0.5, 0.5], [0.01, 0.2], multilabel=True)
    array([[0.01, 0.2 ]])
    """
    given = np.asarray(proba, dtype=np.float64)
    shares = _class_shares(given, multilabel)
    training = _class_prior_like(shares, training_prior, "training_prior", multilabel)
    target = _class_prior_like(shares, target_prior, "target_prior", multilabel)
    _refuse_unlearned(training, target)
    # Quotients by less than the smallest normal number may overflow; and 0 / 0 shall be 0.
    ratio = target / np.maximum(training, np.finfo(np.float64).tiny)
    mass = shares * ratio
    total = mass.sum(axis=-1, keepdims=True)
    undetermined = np.broadcast_to(target, mass.shape).copy()
    corrected: npt.NDArray[np.float64] = np.divide(mass, total, out=undetermined, where=total > 0)
    return corrected if corrected.ndim == given.ndim else corrected[..., 1].copy()


def target_prior_of(
    wanted: Any, class_prior: npt.NDArray[np.float64], *, multilabel: bool = False
) -> npt.NDArray[np.float64] | None:
    """Return the prior that probabilities are to refer to.

    Parameters
    ----------
    wanted : bool, "balanced", "oof", float or array-like
        False: the one of training, whatever it is. True and "oof": `class_prior`. "balanced":
        equal shares (of each label, one half). A float: the share of positives of two classes, or
        of every label. An array: the share of each class, or of the positives of each label.
    class_prior : ndarray of shape (n_classes,) or (n_labels,)
        Shares in the data.
    multilabel : bool, default=False
        Whether the shares are those of labels.

    Returns
    -------
    ndarray of the shape of `class_prior`, or None
        None for False.

    Raises
    ------
    ValueError
        For shares that do not fit, and for anything else.

    Examples
    --------
    >>> target_prior_of(0.2, np.array([0.99, 0.01])).tolist()
    [0.8, 0.2]
    """
    if isinstance(wanted, bool | np.bool_):
        return class_prior if wanted else None
    if isinstance(wanted, str) and wanted == "oof":
        return class_prior
    if isinstance(wanted, str) and wanted == "balanced":
        share = 0.5 if multilabel else 1 / len(class_prior)
        return np.full(len(class_prior), share)
    if wanted is None or isinstance(wanted, str | Mapping):
        raise ValueError(
            "correct_prior must be a bool, 'balanced', 'oof', a share, or an array of them in "
            f"the order of classes_; found {wanted!r}."
        )
    if isinstance(wanted, Real) and not 0 < float(wanted) < 1:
        raise ValueError(
            f"correct_prior is {wanted!r}; as a number it is the share of positives, above 0 and "
            "below 1. For that of the data give True."
        )
    if multilabel and isinstance(wanted, Real):
        wanted = np.full(len(class_prior), float(wanted))
    shape = (0, len(class_prior), 2) if multilabel else (0, len(class_prior))
    prior = _class_prior_like(np.empty(shape), wanted, "correct_prior", multilabel)
    return np.asarray(prior[:, 1]) if multilabel else prior


def prior_shift(
    training_prior: npt.ArrayLike, target_prior: npt.ArrayLike, *, multilabel: bool = False
) -> npt.NDArray[np.float64]:
    """Return what `correct_prior` comes to on logits: a number to add to each.

    Parameters
    ----------
    training_prior, target_prior : array-like of shape (n_classes,) or (n_labels,)
        As for `correct_prior`; a target of 0 counts as 1e-12, so that the result is finite.
    multilabel : bool, default=False
        Whether they are shares of positives, label by label.

    Returns
    -------
    ndarray of shape (n_classes,) or (n_labels,), float64
        For log probabilities of classes log(target_k / training_k); for log odds of labels the
        difference of the log odds.

    Raises
    ------
    ValueError
        If a class of `target_prior` has the share 0 in `training_prior`.

    References
    ----------
    .. [1] Saerens, Latinne, Decaestecker (2002), as for `correct_prior`. With a uniform target it
       is the post-hoc logit adjustment of Menon et al. (2021), equation 9, with tau = 1.

    Examples
    --------
    >>> prior_shift([0.5, 0.5], [0.99, 0.01]).round(3).tolist()
    [0.683, -3.912]
    """
    training, target = (
        np.asarray(prior, dtype=np.float64) for prior in (training_prior, target_prior)
    )
    if multilabel:
        training, target = (np.stack([1 - p, p], axis=-1) for p in (training, target))
    _refuse_unlearned(training, target)
    # A class in neither prior keeps its logit.
    training = np.where(training > 0, training, np.maximum(target, _SMALLEST_SHARE))
    shift = np.log(np.maximum(target, _SMALLEST_SHARE)) - np.log(training)
    return np.asarray(shift[:, 1] - shift[:, 0] if multilabel else shift)


def _class_shares(proba: npt.NDArray[np.float64], multilabel: bool) -> npt.NDArray[np.float64]:
    """Return checked probabilities with the classes, two for each label, along the last axis."""
    if multilabel and proba.ndim != 2:
        raise ValueError(
            f"proba has the shape {proba.shape}, expected (n, n_labels) with multilabel=True; "
            "leave multilabel out for the probabilities of one positive class."
        )
    if not multilabel and not (proba.ndim == 1 or (proba.ndim == 2 and proba.shape[1] > 1)):
        raise ValueError(
            f"proba has the shape {proba.shape}, expected (n,), probabilities of the positive "
            "class, or (n, n_classes), rows that sum to one; of a single column pass proba[:, 0]."
        )
    outside = ~((proba >= 0) & (proba <= 1))
    if outside.any():
        raise ValueError(
            f"proba holds {_first(proba, outside)}, expected numbers from 0 to 1; of logits take "
            "the sigmoid or softmax first."
        )
    if multilabel or proba.ndim == 1:
        return np.stack([1 - proba, proba], axis=-1)
    total = proba.sum(axis=1)
    astray = abs(total - 1) > _ROW_TOLERANCE
    if astray.any():
        raise ValueError(
            f"proba has rows that do not sum to one, such as row {astray.argmax()} with "
            f"{total[astray][0]:.6g}; pass multilabel=True if its columns are labels that may "
            "occur together, otherwise divide each row by its sum."
        )
    return proba


def _class_prior_like(
    shares: npt.NDArray[np.float64], prior: npt.ArrayLike, name: str, multilabel: bool
) -> npt.NDArray[np.float64]:
    """Return a checked prior with the axes of `shares`, except for the rows."""
    given = np.asarray(prior, dtype=np.float64)
    fitting = shares.shape[1:2] if multilabel else shares.shape[-1:]
    share_of_positives = not multilabel and fitting == (2,)
    if given.shape != fitting and not (share_of_positives and given.ndim == 0):
        raise ValueError(
            f"{name} has the shape {given.shape}; for this proba give it the shape {fitting}, "
            + ("the share of positives of each label" if multilabel else "the share of each class")
            + (", or a float, the share of positives." if share_of_positives else ".")
        )
    outside = ~((given >= 0) & (given <= 1))
    if outside.any():
        raise ValueError(
            f"{name} holds {_first(given, outside)}, expected shares from 0 to 1; divide counts "
            "by the number of rows, percentages by 100."
        )
    if multilabel or given.ndim == 0:
        return np.stack([1 - given, given], axis=-1)
    total = given.sum()
    if abs(total - 1) > _PRIOR_TOLERANCE:
        raise ValueError(
            f"{name} adds up to {total:.8g}, expected 1, as its shares are those of all classes; "
            "divide it by its sum, or add the share that is missing."
        )
    return np.asarray(given / total)


def _refuse_unlearned(training: npt.NDArray[np.float64], target: npt.NDArray[np.float64]) -> None:
    unlearned = (training == 0) & (target > 0)
    if unlearned.any():
        *label, code = np.argwhere(unlearned)[0].tolist()
        which = f"class {code} of label {label[0]}" if label else f"class {code}"
        raise ValueError(
            f"training_prior has the share 0 for {which}, target_prior {target[unlearned][0]:.6g}; "
            "a class that was never trained on (or only with the weight 0) has no probability to "
            "correct: train on rows of it, or give it the share 0 in target_prior."
        )


def _first(values: npt.NDArray[np.float64], chosen: npt.NDArray[np.bool_]) -> str:
    """Name the first value chosen and, if it is one of several, its place, for a message."""
    value = f"{values[chosen][0]:.6g}"
    return f"{value} at {np.argwhere(chosen)[0].tolist()}" if values.ndim else value


def _clipped(prior: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return np.clip(np.asarray(prior, dtype=np.float64), _SMALLEST_PRIOR, 1 - _SMALLEST_PRIOR)
