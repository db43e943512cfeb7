"""What does a classifier say of its own rows? Scores by those parts of it that left them out.

A forest scores each row by the trees that left it out, and a network that is fitted in folds at
once by the fold that did. Where a classifier keeps such scores, one fit is enough to tune on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone

from sk_imbalance_nn.decisions.counts import Values
from sk_imbalance_nn.decisions.cuts import Mask
from sk_imbalance_nn.decisions.out_of_fold import OutOfFold
from sk_imbalance_nn.decisions.responses import (
    MULTILABEL,
    PROBABILITY,
    Response,
    decider_in,
    wrapped_in,
)
from sk_imbalance_nn.decisions.target import Target

_DECISION = "decision_function"
# Despite its name it holds probabilities.
_OUT_OF_BAG = "oob_decision_function_"
_OFFERED = {
    PROBABILITY: ("oof_proba_", _OUT_OF_BAG),
    _DECISION: ("oof_decision_function_",),
}
_CURE = (
    "give cv=5, or an estimator that does, such as BalancedKerasClassifier() with its default "
    "network or a forest with oob_score=True."
)


def refuse_without_scores(estimator: Any, method: str) -> None:
    """Refuse an estimator that is known to offer no scores of X, before it is fitted.

    Parameters
    ----------
    estimator : object
        The classifier, of which a clone will be fitted.
    method : {"predict_proba", "decision_function"}
        Where scores come from.

    Raises
    ------
    ValueError
        If a step changes the rows, the scores would be of other rows or of rows that were seen, or
        there will be none.
    """
    copied = clone(estimator)
    _refuse_samplers(copied)
    deciding = decider_in(copied)
    name = type(deciding).__name__
    found = _find(copied, method)
    if found is not None:
        raise ValueError(
            f"{name} has {found[1]} before it is fitted, and a clone of it has too, so they are "
            "scores of other rows than these. Give it as it was before it was frozen; or tune on "
            "rows that it has not seen, with cv='prefit', refit=False."
        )
    if _counts_copies_as_unseen(deciding):
        raise ValueError(
            f"{name}(replacement=True) draws rows several times and calls those copies out of bag "
            "whose originals it was fitted on, so its scores are too good to be true. Give it "
            "replacement=False, or cv=5."
        )
    if _will_offer_none(deciding, method):
        raise ValueError(_nothing_from(name, method))


def offered_scores(estimator: Any, response: Response, n_rows: int) -> OutOfFold:
    """Read the scores that a fitted estimator offers of the rows that it was fitted on.

    Parameters
    ----------
    estimator : object
        The classifier, or a Pipeline or search around it, fitted on all rows.
    response : Response
        On which scale.
    n_rows : int
        How many rows it was fitted on.

    Returns
    -------
    OutOfFold
        Scores of the rows that have any, one fold after another; a single fold where the estimator
        does not name them.

    Raises
    ------
    ValueError
        If it offers none, or they do not fit the rows.
    """
    _refuse_samplers(estimator)
    found = _find(estimator, response.method)
    if found is None:
        raise ValueError(_why_nothing(estimator, response.method))
    part, name = found
    source = f"{type(part).__name__}.{name}"
    raw = np.asarray(getattr(part, name), dtype=np.float64)
    if raw.ndim == 0 or len(raw) != n_rows:
        raise ValueError(
            f"{source} has the shape {raw.shape}, and X has {n_rows} rows; one score for each row "
            "of X is needed, in its order. Give cv=5."
        )
    if name == _OUT_OF_BAG:
        raw = _left_out_of_bags(raw, response.kind, source)
    needed = (2,) if response.method == PROBABILITY else (1, 2)
    if raw.ndim not in needed:
        raise ValueError(
            f"{source} has the shape {raw.shape}; that of {response.method} is needed, with a row "
            "for each of X and a column for each class or label."
        )
    scored = np.flatnonzero(_have_scores(raw, source))
    fold = _folds_of(part, scored, n_rows)
    order = np.argsort(fold, kind="stable")
    rows, fold = scored[order], fold[order]
    scores = response.read(raw[rows], part, name)
    return OutOfFold(scores, rows, fold, int(fold.max()) + 1, estimator)


def refuse_lost_classes(target: Target, found: OutOfFold) -> None:
    """Refuse scores that leave a class out.

    Parameters
    ----------
    target : Target
        All rows' labels.
    found : OutOfFold
        Scores of some of them.

    Raises
    ------
    ValueError
        If no row of one of several classes has a score. Labels may be without: nothing is then
        known of theirs.
    """
    if target.kind == MULTILABEL:
        return
    counts = np.bincount(target.codes[found.rows], minlength=len(target.classes))
    if not counts.all():
        raise ValueError(
            f"No row of class {target.classes.tolist()[int(counts.argmin())]!r} has an out-of-fold "
            f"score: {len(found.rows)} of {len(target.codes)} rows have one. Give cv=5, which "
            "scores them all."
        )


def _find(estimator: Any, method: str) -> tuple[Any, str] | None:
    """Return who offers scores, of what searches and Pipelines hold, and as which attribute."""
    for part in wrapped_in(estimator):
        for name in _OFFERED[method]:
            if getattr(part, name, None) is not None:
                return part, name
    return None


def _refuse_samplers(estimator: Any) -> None:
    """Refuse Pipelines whose last step is fitted on other rows than X, however many those are."""
    for part in wrapped_in(estimator):
        for name, step in getattr(part, "steps", [])[:-1]:
            if hasattr(step, "fit_resample"):
                raise ValueError(
                    f"The step {name!r} of the Pipeline, {type(step).__name__}, changes the rows, "
                    "so the last step's out-of-fold scores are not those of the rows of X. Sample "
                    "within the classifier, as BalancedKerasClassifier(sampler=...) does, or give "
                    "cv=5."
                )


def _is_of_a_library(deciding: Any) -> bool:
    return type(deciding).__module__.partition(".")[0] in ("sklearn", "imblearn")


def _counts_copies_as_unseen(deciding: Any) -> bool:
    # imbalanced-learn draws with replacement before a tree draws again, and looks at the second
    # draw only: on pure noise its rows out of bag are ranked with an AUC of 0.7.
    is_meant = type(deciding).__name__ == "BalancedRandomForestClassifier"
    return is_meant and _is_of_a_library(deciding) and bool(deciding.replacement)


def _will_offer_none(deciding: Any, method: str) -> bool:
    """Say what is known of scikit-learn's own classes: they keep what is out of bag, if told to."""
    if not _is_of_a_library(deciding):
        return False
    if hasattr(deciding, "oob_score"):
        return not (deciding.oob_score and method == PROBABILITY)
    # A search may choose anything.
    return not hasattr(deciding, "estimator")


def _nothing_from(name: str, method: str, reason: str = "") -> str:
    because = f": {reason.rstrip('.')}" if reason else ""
    return f"{name} offers no out-of-fold scores ({_OFFERED[method][0]}){because}; {_CURE}"


def _why_nothing(estimator: Any, method: str) -> str:
    """Say what is missing after a fit, why, and what there is in its place."""
    deciding = decider_in(estimator)
    name = type(deciding).__name__
    other = PROBABILITY if method == _DECISION else _DECISION
    found = _find(estimator, other)
    if found is not None:
        return (
            f"{name} offers {found[1]}, on the scale of {other}, and none on that of {method}; "
            f"give response_method={other!r}, or cv=5."
        )
    return _nothing_from(name, method, str(getattr(deciding, "oof_unavailable_reason_", "")))


def _left_out_of_bags(raw: Values, kind: str, source: str) -> Values:
    """Read probabilities by the members of an ensemble whose bags a row was not in."""
    # Of a row that was in all bags, forests say 0 for every class, and bagging 0/0.
    known = np.where(raw.sum(axis=1, keepdims=True) == 0, np.nan, raw) if raw.ndim > 1 else raw
    if kind != MULTILABEL:
        return known
    if known.ndim != 3 or known.shape[1] != 2:
        raise ValueError(
            f"{source} has the shape {raw.shape}; for labels (n_rows, 2, n_labels) is read. Give "
            "cv=5."
        )
    return known[:, 1]


def _have_scores(raw: Values, source: str) -> Mask:
    """Say which rows have scores: all of a row's, or none."""
    missing = np.isnan(raw.reshape(len(raw), -1))
    is_without = missing.all(axis=1)
    n_partly = int((missing.any(axis=1) & ~is_without).sum())
    if n_partly:
        raise ValueError(
            f"{source} is NaN in some columns of {n_partly} rows; a row without a score is NaN in "
            "all of them."
        )
    if is_without.all():
        raise ValueError(
            f"{source} is NaN in all {len(raw)} rows, so there is nothing to tune on; give cv=5."
        )
    return np.logical_not(is_without)


def _folds_of(part: Any, scored: npt.NDArray[np.intp], n_rows: int) -> npt.NDArray[np.intp]:
    """Return the number of each scored row's fold, counted from 0."""
    given = getattr(part, "oof_folds_", None)
    if given is None:
        return np.zeros(len(scored), dtype=np.intp)
    source, folds = f"{type(part).__name__}.oof_folds_", np.asarray(given)
    if folds.shape != (n_rows,) or folds.dtype.kind not in "iu":
        raise ValueError(
            f"{source} must hold an integer for each of {n_rows} rows; found {folds.dtype} of "
            f"shape {folds.shape}."
        )
    n_without = int((folds[scored] < 0).sum())
    if n_without:
        raise ValueError(
            f"{source} is negative, for no fold, in {n_without} rows that have scores; rows "
            "without a fold have NaN in place of scores."
        )
    return np.unique(folds[scored], return_inverse=True)[1].astype(np.intp)
