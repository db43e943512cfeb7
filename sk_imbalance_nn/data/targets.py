"""The target: its type, its classes, and the way from labels to codes and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted

BINARY, MULTICLASS, MULTILABEL = "binary", "multiclass", "multilabel-indicator"


class TargetEncoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Labels of any type to the codes that a network trains on, and back.

    Parameters
    ----------
    classes : array-like of shape (n_classes,), default=None
        All classes that will ever be seen. By default those in the ``y`` of `fit`.

    Attributes
    ----------
    target_type_ : {"binary", "multiclass", "multilabel-indicator"}
        One-hot rows are "multiclass", or "binary" if they have two columns.
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted; for one-hot rows and multilabel targets the column numbers.
    n_classes_ : int
        How many classes, or labels of a multilabel target.
    one_hot_ : bool
        Whether the labels came, and go back, as one-hot rows.

    Examples
    --------
    >>> import numpy as np
    >>> encoder = TargetEncoder().fit(["no", "yes", "no"])
    >>> encoder.transform(["yes", "no"])
    array([1, 0], dtype=int8)
    >>> encoder.inverse_transform(np.array([0, 1]))
    array(['no', 'yes'], dtype='<U3')
    """

    def __init__(self, classes: ArrayLike | None = None) -> None:
        self.classes = classes

    def fit(self, y: ArrayLike) -> TargetEncoder:
        """Learn the target's type and its classes.

        Parameters
        ----------
        y : array-like of shape (n_samples,), or of shape (n_samples, n_labels) with zeros and ones
            Labels of any type; one-hot rows; or a multilabel indicator.

        Returns
        -------
        TargetEncoder
            The fitted encoder.

        Raises
        ------
        ValueError
            If ``y`` is no classification target, holds NaN or infinity, or has a single class.
        """
        y = _as_target(y, warn=True)
        self.one_hot_ = False
        if y.ndim == 2:
            self._fit_indicator(y)
        else:
            self._fit_labels(y)
        self.dtype_ = y.dtype if y.ndim == 2 else self.classes_.dtype
        return self

    def _fit_indicator(self, y: NDArray[Any]) -> None:
        self.n_classes_ = y.shape[1]
        self.classes_ = np.arange(self.n_classes_)
        self.one_hot_ = bool((y.sum(axis=1) == 1).all())
        if not self.one_hot_:
            self.target_type_ = MULTILABEL
            return
        self.target_type_ = BINARY if self.n_classes_ == 2 else MULTICLASS
        if self.classes is None and np.count_nonzero(y.any(axis=0)) < 2:
            raise ValueError(_single_class(int(np.flatnonzero(y.any(axis=0))[0])))

    def _fit_labels(self, y: NDArray[Any]) -> None:
        seen = np.unique(y)
        self.classes_ = seen if self.classes is None else np.unique(np.asarray(self.classes))
        unknown = np.setdiff1d(seen, self.classes_)
        if unknown.size:
            raise ValueError(f"y holds {unknown.tolist()}, not among classes={self._names()}.")
        self.n_classes_ = len(self.classes_)
        if self.n_classes_ < 2:
            raise ValueError(_single_class(self._names()[0]))
        self.target_type_ = BINARY if self.n_classes_ == 2 else MULTICLASS

    def transform(self, y: ArrayLike) -> NDArray[Any]:
        """Turn labels into codes.

        Parameters
        ----------
        y : array-like
            Labels in the form that `fit` saw.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            Class codes from 0, or the multilabel indicator, as integers.

        Raises
        ------
        ValueError
            If ``y`` has another form, or holds a label that `fit` did not see.
        """
        check_is_fitted(self)
        y = _as_target(y)
        indicator = self.one_hot_ or self.target_type_ == MULTILABEL
        if indicator:
            if y.ndim != 2 or y.shape[1] != self.n_classes_:
                raise ValueError(
                    f"y has shape {y.shape}; the classifier was fitted on indicator rows with "
                    f"{self.n_classes_} columns."
                )
            if not self.one_hot_:
                return y.astype(np.int64)
            if not (y.sum(axis=1) == 1).all():
                raise ValueError(
                    "y holds rows without exactly one 1; the classifier was fitted on rows with "
                    "one each, which it took for one-hot rows of classes that exclude each other."
                )
            return np.asarray(y.argmax(axis=1))
        if y.ndim != 1:
            raise ValueError(f"y has shape {y.shape}; the classifier was fitted on 1-D labels.")
        if (y.dtype.kind in "US") != (self.classes_.dtype.kind in "US") and "O" not in (
            y.dtype.kind,
            self.classes_.dtype.kind,
        ):
            raise ValueError(
                f"y holds labels such as {y[0].item()!r}, but the classifier was fitted on the "
                f"classes {self._names()}."
            )
        codes = np.searchsorted(self.classes_, y)
        np.minimum(codes, self.n_classes_ - 1, out=codes)
        # No wider than they must be, which tells with millions of rows.
        codes = codes.astype(np.min_scalar_type(-self.n_classes_))
        unseen = self.classes_[codes] != y
        if np.any(unseen):
            raise ValueError(
                f"y holds {np.unique(y[unseen]).tolist()}, unseen before; the classes are "
                f"{self._names()}. All must be in the y of fit, or in classes=... of the first "
                "partial_fit."
            )
        return codes

    def inverse_transform(self, y: NDArray[Any], return_proba: bool = False) -> NDArray[Any]:
        """Turn codes, or a network's probabilities, back into labels.

        Parameters
        ----------
        y : ndarray of integers, as `transform` returns, or of floats, of shape (n_samples, units)
            Codes, or probabilities.
        return_proba : bool, default=False
            For probabilities: whether to return them, a column a class, instead of labels.

        Returns
        -------
        ndarray
            Labels in the type and form that `fit` saw; one-hot rows and indicators have its dtype.
        """
        check_is_fitted(self)
        if np.issubdtype(y.dtype, np.floating):
            if self.target_type_ == BINARY and y.shape[1] == 1:
                y = np.column_stack([1 - y, y])
            if return_proba:
                return y
            y = (y > 0.5).astype(np.intp) if self.target_type_ == MULTILABEL else y.argmax(axis=1)
        if self.one_hot_:
            return np.asarray(np.eye(self.n_classes_, dtype=self.dtype_)[y])
        if self.target_type_ == MULTILABEL:
            return y.astype(self.dtype_)
        return np.asarray(self.classes_[y])

    def get_metadata(self) -> dict[str, Any]:
        """Return what builders of networks may ask of ``meta``."""
        return {
            "classes_": self.classes_,
            "n_classes_": self.n_classes_,
            "n_outputs_": 1,
            "n_outputs_expected_": 1,
            "target_type_": self.target_type_,
        }

    def _names(self) -> list[Any]:
        return list(self.classes_.tolist())


def _as_target(y: Any, *, warn: bool = False) -> NDArray[Any]:
    """Return ``y`` as a 1-D array of labels or a 2-D indicator, or say why it is neither."""
    if sparse.issparse(y):
        y = y.toarray()
    elif hasattr(y, "to_numpy"):  # nullable columns of pandas would become floats
        y = y.to_numpy()
    y = _unboxed(y)
    array: NDArray[Any] = check_array(
        y, ensure_2d=False, dtype=None, input_name="y", ensure_min_samples=0
    )
    if array.ndim == 2 and array.shape[1] == 1:
        array = column_or_1d(array, warn=warn)
    if array.shape[0] == 0:
        raise ValueError("y is empty: found 0 samples, at least 1 is required.")
    kind = type_of_target(array, input_name="y")
    # A 2-D array of two values is an indicator only if the two are 0 and 1.
    if array.ndim == 2 and kind == MULTILABEL and np.isin(array, (0, 1)).all():
        return array
    if array.ndim == 1 and kind in (BINARY, MULTICLASS):
        return array
    raise ValueError(
        f"Unknown label type: {kind}, of shape {array.shape}. Expected 1-D labels of two or more "
        "classes, one-hot rows, or a multilabel indicator of zeros and ones. For other targets "
        "override target_encoder with a transformer of your own."
    )


def _unboxed(y: Any) -> Any:
    """Return labels that came as Python objects in an array of their own type.

    Raises
    ------
    ValueError
        If they are of several types, or missing.
    """
    if getattr(y, "dtype", None) != np.dtype(object):
        return y
    kinds = {type(label) for label in y.ravel().tolist()}
    if len(kinds) > 1 and not kinds <= {int, float}:
        names = sorted(kind.__name__ for kind in kinds)
        raise ValueError(
            f"y holds labels of several types, {', '.join(names)}; make them of one type, and "
            "drop the rows whose label is missing."
        )
    return np.array(y.tolist()) if kinds <= {bool, int, float} else y


def _single_class(label: Any) -> str:
    return (
        f"y holds only one class, {label!r}; a classifier needs at least two classes. Check how "
        "the rows were selected, or split them with stratification."
    )
