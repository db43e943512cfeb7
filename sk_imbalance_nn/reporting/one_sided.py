"""What is true, said and decided of one class? Each against the rest, or all labels as one."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from sk_imbalance_nn.decisions.counts import Values
from sk_imbalance_nn.decisions.rules import Codes
from sk_imbalance_nn.reporting.line import NAN
from sk_imbalance_nn.reporting.reading import Rows


class OneSided(NamedTuple):
    """One class against the rest.

    Parameters
    ----------
    name : object
        What it is called.
    target : ndarray of int of shape (n,)
        1 for the rows of the class.
    score : ndarray of shape (n,)
        Its probability.
    decided : ndarray of int of shape (n,)
        1 for the rows that are decided to be of the class.
    threshold : float
        From which probability on they are; NaN if not one threshold decides.
    weight : ndarray of shape (n,)
        Positive.
    """

    name: Any
    target: Codes
    score: Values
    decided: Codes
    threshold: float
    weight: Values


def each_against_the_rest(rows: Rows, decided: Codes, thresholds: Values | None) -> list[OneSided]:
    """Take the classes or labels apart.

    Parameters
    ----------
    rows : Rows
        What was read.
    decided : ndarray of int of shape (n, n_columns)
        Indicator of decisions.
    thresholds : ndarray of shape (n_columns,) or None
        What decided, if thresholds did.

    Returns
    -------
    list of OneSided
        One for each column.
    """
    cuts = np.full(len(rows.names), NAN) if thresholds is None else thresholds
    columns = zip(rows.names, rows.target.T, rows.proba.T, decided.T, cuts, strict=True)
    return [
        OneSided(name, target, score, said, float(cut), rows.weight)
        for name, target, score, said, cut in columns
    ]


def pooled(rows: Rows, decided: Codes) -> OneSided:
    """Take all pairs of a row and a label as the rows of one label.

    Parameters
    ----------
    rows : Rows
        Labels that may occur together.
    decided : ndarray of int of shape (n, n_labels)
        Indicator of decisions.

    Returns
    -------
    OneSided
        "micro", of n * n_labels rows.
    """
    weight = np.repeat(rows.weight, len(rows.names))
    return OneSided("micro", rows.target.ravel(), rows.proba.ravel(), decided.ravel(), NAN, weight)
