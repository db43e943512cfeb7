"""From which probability on is it a yes? Thresholds, and what they decide."""

from __future__ import annotations

from typing import Any

import numpy as np

from sk_imbalance_nn.decisions.counts import Values
from sk_imbalance_nn.decisions.responses import BINARY, MULTICLASS, MULTILABEL
from sk_imbalance_nn.decisions.rules import Codes
from sk_imbalance_nn.reporting.reading import Rows


def read_thresholds(threshold: Any, rows: Rows) -> Values | None:
    """Return a threshold for each column, or None for the most probable class.

    Parameters
    ----------
    threshold : None, float or array-like
        As `imbalance_report` takes it.
    rows : Rows
        What was read.

    Returns
    -------
    ndarray of shape (n_columns,) or None
        The least probability that means yes.

    Raises
    ------
    ValueError
        If it is of another shape or type, or neither from 0 to 1 nor infinite.
    """
    n_columns = len(rows.names)
    if threshold is None:
        return None if rows.kind == MULTICLASS else np.full(n_columns, 0.5)
    cuts = np.asarray(threshold)
    one, many = rows.kind != MULTICLASS, rows.kind != BINARY
    fits = (one and cuts.shape == ()) or (many and cuts.shape == (n_columns,))
    if cuts.dtype.kind not in "iuf" or not fits:
        expected = {
            BINARY: "a number",
            MULTILABEL: f"a number, or one for each of the {n_columns} labels",
            MULTICLASS: f"None for the most probable class, or {n_columns} numbers, one a class",
        }
        raise ValueError(f"threshold must be {expected[rows.kind]}; found {threshold!r}.")
    if not (np.isinf(cuts) | ((cuts >= 0) & (cuts <= 1))).all():
        raise ValueError(
            "threshold is compared with probabilities, so it must be from 0 to 1, or infinite for "
            f"never; found {threshold!r}. Of logits take the sigmoid."
        )
    return np.broadcast_to(cuts.astype(np.float64), n_columns)


def decide(proba: Values, thresholds: Values | None) -> Codes:
    """Decide by thresholds, or for the most probable class.

    Parameters
    ----------
    proba : ndarray of shape (n, n_columns)
        Probabilities.
    thresholds : ndarray of shape (n_columns,) or None
        None for the most probable class, the first among equals.

    Returns
    -------
    ndarray of int of shape (n, n_columns)
        Indicator of decisions.
    """
    if thresholds is not None:
        return (proba >= thresholds).astype(np.intp)
    indicator: Codes = np.eye(proba.shape[1], dtype=np.intp)[proba.argmax(axis=1)]
    return indicator
