"""What is true of each row, and what is said of it? Labels, probabilities, weights: checked."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from sk_imbalance_nn.decisions.counts import Values
from sk_imbalance_nn.decisions.responses import BINARY, MULTICLASS, MULTILABEL
from sk_imbalance_nn.decisions.rules import Codes

# Rounding of float32 may carry a probability this far beyond 1, and the sum of a row further.
_ROUNDING, _ROW_TOLERANCE = 1e-6, 1e-4

_Read = tuple[str, list[Any], Codes, Values]


class Rows(NamedTuple):
    """Checked rows, all of positive weight.

    Parameters
    ----------
    kind : {"binary", "multiclass", "multilabel"}
        What the target is.
    names : list of object
        Of the classes or labels, by column; of two classes only the positive one.
    target : ndarray of int of shape (n, n_columns)
        Indicator.
    proba : ndarray of shape (n, n_columns)
        Probabilities from 0 to 1.
    weight : ndarray of shape (n,)
        Positive.
    """

    kind: str
    names: list[Any]
    target: Codes
    proba: Values
    weight: Values


def read_rows(y_true: Any, y_proba: Any, sample_weight: Any, pos_label: Any, classes: Any) -> Rows:
    """Check what was passed, and leave out rows that weigh nothing.

    Parameters
    ----------
    y_true, y_proba, sample_weight, pos_label, classes : object
        As `imbalance_report` takes them.

    Returns
    -------
    Rows
        New arrays.

    Raises
    ------
    ValueError
        If they are malformed, or do not fit each other.
    """
    proba = _read_proba(y_proba)
    target = _read_target(y_true)
    if len(target) != len(proba):
        raise ValueError(
            f"y_true has {len(target)} rows and y_proba {len(proba)}; pass the probabilities of "
            "the same rows."
        )
    weight = _read_weight(sample_weight, len(target))
    known = None if classes is None else _read_classes(classes)
    if target.ndim == 2:
        read = _read_labels(target, proba, pos_label, known)
    elif proba.shape[1] <= 2:
        read = _read_two_classes(target, proba, pos_label, known)
    else:
        read = _read_several_classes(target, proba, pos_label, known)
    kind, names, indicator, columns = read
    kept = weight > 0
    return Rows(kind, names, indicator[kept], columns[kept], weight[kept])


def _read_proba(y_proba: Any) -> Values:
    """Return probabilities of shape (n, n_columns)."""
    try:
        proba = np.asarray(y_proba, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"y_proba must hold probabilities ({error}); pass what predict_proba returns, after "
            "y_true."
        ) from error
    if proba.ndim not in (1, 2) or proba.size == 0:
        raise ValueError(
            f"y_proba has the shape {proba.shape}, expected (n,), (n, n_classes) or (n, n_labels) "
            "with at least one row; of a list with an array for each label, pass "
            "np.column_stack([p[:, 1] for p in y_proba])."
        )
    if np.isnan(proba).any():
        raise ValueError(
            f"y_proba holds NaN, such as at {np.argwhere(np.isnan(proba))[0].tolist()}; leave such "
            "rows out, or mend what predicts them."
        )
    outside = ~((proba >= -_ROUNDING) & (proba <= 1 + _ROUNDING))
    if outside.any():
        place = np.argwhere(outside)[0].tolist()
        raise ValueError(
            f"y_proba holds {proba[outside][0]:.6g} at {place}, expected probabilities from 0 to "
            "1; of logits or decision scores take the sigmoid (or softmax) first."
        )
    return np.clip(proba, 0.0, 1.0).reshape(len(proba), -1)


def _read_target(y_true: Any) -> npt.NDArray[Any]:
    """Return labels of shape (n,) or an array of shape (n, n_labels)."""
    target = y_true.toarray() if sparse.issparse(y_true) else np.asarray(y_true)
    if target.ndim not in (1, 2):
        raise ValueError(f"y_true has the shape {target.shape}, expected (n,) or (n, n_labels).")
    return target[:, 0] if target.shape[1:] == (1,) else target


def _read_weight(sample_weight: Any, n_rows: int) -> Values:
    if sample_weight is None:
        return np.ones(n_rows)
    weight = np.asarray(sample_weight, dtype=np.float64)
    if weight.shape != (n_rows,):
        raise ValueError(
            f"sample_weight has the shape {weight.shape}, expected ({n_rows},), a weight a row."
        )
    if not (np.isfinite(weight) & (weight >= 0)).all() or not weight.any():
        raise ValueError(
            "sample_weight must be finite, nowhere negative and somewhere positive, found "
            f"{weight.min():.6g} to {weight.max():.6g}."
        )
    return weight


def _read_classes(classes: Any) -> list[Any]:
    known: list[Any] = np.asarray(classes).tolist()
    if np.ndim(classes) != 1 or len(set(known)) < len(known):
        raise ValueError(f"classes must be distinct labels in one dimension, found {classes!r}.")
    return known


def _read_labels(
    target: npt.NDArray[Any], proba: Values, pos_label: Any, names: list[Any] | None
) -> _Read:
    _refuse_pos_label(pos_label, "labels")
    if target.shape != proba.shape:
        raise ValueError(
            f"y_true has the shape {target.shape} and y_proba {proba.shape}; for labels that may "
            "occur together give each a column in both. Of one-hot rows pass "
            "y_true.argmax(axis=1)."
        )
    if not np.isin(target, (0, 1)).all():
        raise ValueError(
            "y_true has two dimensions, so it must be an indicator of zeros and ones; found "
            f"{np.unique(target)[:3].tolist()}."
        )
    names = list(range(target.shape[1])) if names is None else names
    if len(names) != target.shape[1]:
        raise ValueError(f"classes names {len(names)} labels, y_true has {target.shape[1]}.")
    return MULTILABEL, names, target.astype(np.intp), proba


def _read_two_classes(
    target: npt.NDArray[Any], proba: Values, pos_label: Any, known: list[Any] | None
) -> _Read:
    seen, inverse = _distinct(target)
    known = _two_classes(seen, pos_label) if known is None else known
    if len(known) != 2:
        raise ValueError(
            f"There are {len(known)} classes, {_some(known)}, but y_proba has the shape "
            f"{_shape_of(proba)}, for two; give it a column for each class."
        )
    codes = _codes(seen, known)[inverse]
    if pos_label is not None and pos_label not in known:
        raise ValueError(f"pos_label={pos_label!r} is not a valid label: expected one of {known}.")
    positive = 1 if pos_label is None else known.index(pos_label)
    if proba.shape[1] == 2:
        _refuse_odd_sums(proba)
        proba = proba[:, [positive]]
    return BINARY, [known[positive]], (codes == positive).astype(np.intp)[:, None], proba


def _two_classes(seen: list[Any], pos_label: Any) -> list[Any]:
    """Return both classes, though rows may hold only one of them."""
    if len(seen) != 1:
        return seen
    only = seen[0]
    if only in (0, 1) and pos_label in (None, 0, 1):
        return [0, 1]
    if only == -1 and pos_label in (None, -1, 1):
        return [-1, 1]
    raise ValueError(
        f"y_true holds one class, {only!r}; say which two there are with classes=[negative, "
        "positive]."
    )


def _read_several_classes(
    target: npt.NDArray[Any], proba: Values, pos_label: Any, known: list[Any] | None
) -> _Read:
    _refuse_pos_label(pos_label, "more than two classes")
    seen, inverse = _distinct(target)
    known = seen if known is None else known
    if len(known) != proba.shape[1]:
        raise ValueError(
            f"There are {len(known)} classes, {_some(known)}, and y_proba has {proba.shape[1]} "
            "columns; if some class has no row, pass classes=estimator.classes_."
        )
    _refuse_odd_sums(proba)
    codes = _codes(seen, known)[inverse]
    return MULTICLASS, known, np.eye(len(known), dtype=np.intp)[codes], proba


def _distinct(target: npt.NDArray[Any]) -> tuple[list[Any], Codes]:
    """Return the labels, sorted, and the position of each row's among them."""
    try:
        seen, inverse = np.unique(target, return_inverse=True)
    except TypeError as error:
        raise ValueError(
            "y_true holds labels of several types, or missing ones; make them of one type, and "
            "drop the rows whose label is missing."
        ) from error
    labels = seen.tolist()
    if any(label != label for label in labels):
        raise ValueError("y_true holds NaN; drop the rows whose label is missing.")
    return labels, inverse


def _codes(seen: list[Any], known: list[Any]) -> Codes:
    """Return the position of each label among the classes."""
    strange = [label for label in seen if label not in known]
    if strange:
        raise ValueError(f"y_true holds {_some(strange)}, not among the classes {_some(known)}.")
    return np.array([known.index(label) for label in seen], dtype=np.intp)


def _refuse_pos_label(pos_label: Any, what: str) -> None:
    if pos_label is not None:
        raise ValueError(
            f"pos_label={pos_label!r} is for two classes; for {what} each has a line of its own, "
            "so leave it out."
        )


def _refuse_odd_sums(proba: Values) -> None:
    total = proba.sum(axis=1)
    odd = abs(total - 1) > _ROW_TOLERANCE
    if odd.any():
        raise ValueError(
            f"y_proba has rows that do not sum to one, such as row {odd.argmax()} with "
            f"{total[odd][0]:.6g}; divide each row by its sum. If its columns are labels that may "
            "occur together, y_true must be an indicator."
        )


def _some(labels: list[Any]) -> str:
    return repr(labels) if len(labels) <= 5 else f"[{repr(labels[:5])[1:-1]}, ...]"


def _shape_of(proba: Values) -> str:
    return f"({len(proba)},)" if proba.shape[1] == 1 else str(proba.shape)
