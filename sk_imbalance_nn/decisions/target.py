"""What is decided about? The target's type, its classes and their codes."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import type_of_target

from sk_imbalance_nn.decisions.responses import BINARY, MULTICLASS, MULTILABEL
from sk_imbalance_nn.decisions.rules import Codes


@dataclass(frozen=True)
class Target:
    """Labels, as codes.

    Parameters
    ----------
    kind : {"binary", "multiclass", "multilabel"}
        Its type.
    classes : ndarray of shape (n_classes,)
        The labels, sorted; for indicators the numbers of their columns.
    codes : ndarray of shape (n,) or (n, n_labels)
        Position of each row's label in `classes`; or the indicator.
    """

    kind: str
    classes: npt.NDArray[Any]
    codes: npt.NDArray[Any]

    @classmethod
    def of(cls, y: Any, classes: npt.ArrayLike | None = None) -> Target:
        """Read labels.

        Parameters
        ----------
        y : array-like of shape (n,) or (n, n_labels)
            Labels of any type, or a 0/1 indicator, which may be sparse.
        classes : array-like of shape (n_classes,), optional
            All labels; by default those in `y`. Unused for indicators.

        Returns
        -------
        Target
            With their type.

        Raises
        ------
        ValueError
            If `y` holds something else, a single class, or a label that is not in `classes`.
        """
        with np.errstate(invalid="ignore"):  # it casts infinities before it refuses them
            found = type_of_target(y, input_name="y")
        if found == "multilabel-indicator":
            indicator = y.toarray() if sparse.issparse(y) else np.asarray(y)
            if not np.isin(indicator, (0, 1)).all():
                raise ValueError(
                    f"A multilabel indicator must hold 0 and 1, found {np.unique(indicator)[:3]}; "
                    "use (y == 1).astype(int)."
                )
            return cls(MULTILABEL, np.arange(indicator.shape[1]), indicator.astype(np.int8))
        if found not in ("binary", "multiclass"):
            raise ValueError(
                f"Unknown label type: {found}. y must hold classes, of two or more, or be a "
                "multilabel indicator."
            )
        labels = column_or_1d(y)
        known = np.unique(labels)
        codes = np.searchsorted(known, labels)
        if classes is not None:
            classes = np.sort(np.asarray(classes))
            strange = np.setdiff1d(known, classes)
            if len(strange):
                raise ValueError(
                    f"y holds labels that the fitted estimator does not know: {strange.tolist()}; "
                    f"it knows {classes.tolist()}."
                )
            codes = np.searchsorted(classes, labels)
            known = classes
        if len(known) < 2:
            raise ValueError(
                f"y holds one class, {known.tolist()}; there is nothing to decide between."
            )
        return cls(BINARY if len(known) == 2 else MULTICLASS, known, codes.astype(np.intp))

    def labels_of(self, codes: Codes) -> npt.NDArray[Any]:
        """Turn codes back into labels.

        Parameters
        ----------
        codes : ndarray of shape (n,) or (n, n_labels)
            Class codes or indicators.

        Returns
        -------
        ndarray of the same shape
            Labels, or the indicator itself.
        """
        return codes if self.kind == MULTILABEL else self.classes[codes]

    def position_of(self, label: Any) -> int:
        """Return the code of the positive class.

        Parameters
        ----------
        label : object or None
            The label; None stands for the last class.

        Returns
        -------
        int
            Its position in `classes`.

        Raises
        ------
        ValueError
            If there is no such class.
        """
        if label is None:
            return len(self.classes) - 1
        found = np.flatnonzero([known == label for known in self.classes.tolist()])
        if len(found) == 0:
            near = get_close_matches(str(label), map(str, self.classes.tolist()), n=1)
            hint = "The scorer's own is 1; say which with pos_label=..." if label == 1 else ""
            raise ValueError(
                f"pos_label={label!r} is not a valid label: it must be one of "
                f"{self.classes.tolist()}. {f'Did you mean {near[0]!r}?' if near else hint}"
            )
        return int(found[0])
