"""How many rows of each class does an epoch see? Quotas, from counts and a sampling strategy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from numbers import Integral, Real
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Strategy: TypeAlias = str | float | Mapping[Any, int] | Callable[[Any], Mapping[Any, int]]
Numbers: TypeAlias = npt.NDArray[np.float64]
Counts: TypeAlias = npt.NDArray[np.intp]

_KINDS = {"over": "over-sampling", "under": "under-sampling"}
_SAMPLERS = (*_KINDS, "balanced")


def class_quotas(
    sampler: str,
    codes: npt.ArrayLike,
    sampling_strategy: Strategy = "auto",
    classes: npt.ArrayLike | None = None,
) -> npt.NDArray[np.float64]:
    """Return how many rows of each class an epoch sees.

    Parameters
    ----------
    sampler : {"over", "under", "balanced"}
        The rule.
    codes : array-like of int of shape (n,)
        The class of each row.
    sampling_strategy : str, float, dict or callable, default="auto"
        For "over" and "under" as in imbalanced-learn, whose
        `imblearn.utils.check_sampling_strategy` reads it. For "balanced", where the quotas add up
        to the number of rows: "auto" or "all", equal shares; a float, for two classes, the ratio
        of rare to frequent rows; a dict, or a callable from labels to one, the rows of every class
        an epoch, whose sum then is the epoch.
    classes : array-like of shape (n_classes,), default=None
        The user's labels by code, by which a dict is keyed; by default the codes.

    Returns
    -------
    ndarray of shape (n_classes,), float64
        Whole numbers; 0 for a class without rows. If only one class has rows, their number.

    Raises
    ------
    ValueError
        If `sampler` is unknown, or `sampling_strategy` does not fit it and the rows.
    TypeError
        If `sampling_strategy` is of another type.

    Examples
    --------
    >>> codes = [0] * 90 + [1] * 10
    >>> class_quotas("over", codes)
    array([90., 90.])
    >>> class_quotas("under", codes, 0.5)
    array([20., 10.])
    >>> class_quotas("balanced", codes, 0.25)
    array([80., 20.])
    >>> class_quotas("balanced", codes, {"no": 30, "yes": 10}, classes=["no", "yes"])
    array([30., 10.])
    """
    _refuse_unknown(sampler)
    target = np.asarray(codes)
    names = np.arange(target.max() + 1) if classes is None else np.asarray(classes)
    counts = np.bincount(target, minlength=len(names))
    if np.count_nonzero(counts) < 2:
        return counts.astype(np.float64)
    wanted = sampling_strategy(names[target]) if callable(sampling_strategy) else sampling_strategy
    if isinstance(wanted, Mapping):
        wanted = _by_code(wanted, names, counts)
    elif isinstance(wanted, bool) or not isinstance(wanted, str | Real):
        raise TypeError(
            "sampling_strategy must be a str, a float, a dict from labels to rows an epoch, or a "
            f"function from labels to such a dict; found {wanted!r}."
        )
    if sampler == "balanced":
        return _balanced_quotas(wanted, names, counts)
    return _quotas_by_imblearn(sampler, wanted, names, counts)


def label_quotas(
    sampler: str, y: npt.ArrayLike, sampling_strategy: Strategy = "auto"
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Group the rows of a multilabel target, and return how many of each group an epoch sees.

    A row is drawn for its rarest label, as in the repeat factors of [1]_: with n_g positives of
    label g, and a target T, it comes T / n_g times an epoch. Rows without any label form a group
    of their own. The largest and smallest number of positives of a label that has any being n_max
    and n_min, and r the strategy:

    - "over": T = r n_max; no factor below one; rows without a label come once.
    - "under": T = n_min / r; no factor above one; rows without a label are a group like others.
    - "balanced": T = r times the largest group, no factor below one, and all factors are scaled
      so that an epoch keeps its number of rows. With r = 1 this is class-aware sampling [2]_.

    Labels that occur together keep full balance out of reach: a row that is drawn for its rare
    label brings its frequent ones along. After "over" or "balanced" a label may therefore be more
    frequent than its target, and after "under" a rare one may lose no row but meet more of the
    frequent ones than asked for. For a single label, "over" does nothing: no other one is more
    frequent.

    Parameters
    ----------
    sampler : {"over", "under", "balanced"}
        The rule.
    y : array-like of shape (n, n_labels)
        Zeros and ones.
    sampling_strategy : "auto" or float, default="auto"
        The ratio r of rare to frequent, above 0 and at most 1; "auto" is 1.

    Returns
    -------
    codes : ndarray of int of shape (n,)
        The group of each row: its rarest label, or `n_labels` for a row without any.
    quotas : ndarray of shape (n_labels + 1,), float64
        Rows of each group an epoch, on average.

    Raises
    ------
    ValueError
        If `sampler` or `sampling_strategy` is none of these.

    References
    ----------
    .. [1] Gupta, Dollar, Girshick (2019). LVIS: a dataset for large vocabulary instance
       segmentation. CVPR (repeat factor sampling, there with the square root of T / n_g).
    .. [2] Shen, Lin, Huang (2016). Relay backpropagation for effective learning of deep
       convolutional neural networks. ECCV.

    Examples
    --------
    Four rows have label 0, one of them label 1 as well; four have none:

    >>> y = [[1, 0], [1, 0], [1, 0], [1, 1], [0, 0], [0, 0], [0, 0], [0, 0]]
    >>> codes, quotas = label_quotas("over", y)
    >>> codes.tolist()
    [0, 0, 0, 1, 2, 2, 2, 2]
    >>> quotas
    array([3., 4., 4.])
    >>> label_quotas("under", y)[1]
    array([0.75, 1.  , 1.  ])
    """
    _refuse_unknown(sampler)
    ratio = _label_ratio(sampling_strategy)
    codes, positives = _rarest_labels(np.asarray(y) == 1)
    members = np.bincount(codes, minlength=len(positives))
    quotas = members * _repeat_factors(sampler, positives, ratio)
    if sampler == "balanced":
        quotas *= len(codes) / quotas.sum()
    return codes, quotas


def _refuse_unknown(sampler: str) -> None:
    if sampler not in _SAMPLERS:
        raise ValueError(
            f"sampler must be 'over', 'under', 'balanced' or an imbalanced-learn sampler, found "
            f"{sampler!r}."
        )


def _by_code(wanted: Mapping[Any, int], names: npt.NDArray[Any], counts: Counts) -> dict[int, int]:
    """Key a dict of quotas by codes, once its labels and numbers prove sound."""
    code_of = {name: code for code, name in enumerate(names.tolist())}
    unknown = [label for label in wanted if label not in code_of]
    if unknown:
        raise ValueError(
            f"sampling_strategy has the keys {_listed(unknown)}, of which no row is; key it by "
            f"the labels as they stand in y, {_listed(code_of)}."
        )
    wrong = [rows for rows in wanted.values() if not isinstance(rows, Integral) or rows < 0]
    if wrong:
        raise ValueError(
            "sampling_strategy must give each class a whole number of rows, at least 0; found "
            f"{_listed(wrong)}. A share of the rows can only be given as a float, for two classes."
        )
    # A part of a training may hold no row of a class that the others do.
    present = {label: rows for label, rows in wanted.items() if counts[code_of[label]]}
    return {code_of[label]: int(rows) for label, rows in present.items()}


def _quotas_by_imblearn(
    sampler: str, wanted: str | float | dict[int, int], names: npt.NDArray[Any], counts: Counts
) -> Numbers:
    from imblearn.utils import check_sampling_strategy

    codes = np.repeat(np.arange(len(counts)), counts)
    try:
        resampled = check_sampling_strategy(wanted, codes, _KINDS[sampler])
    except ValueError as error:
        raise ValueError(
            f"sampling_strategy does not fit sampler={sampler!r} and the rows of the classes, "
            f"{described(names, counts)}. imbalanced-learn says: {error}"
        ) from error
    quotas = counts.astype(np.float64)
    for code, rows in resampled.items():
        quotas[code] = rows + (counts[code] if sampler == "over" else 0)
    return _refuse_nothing(quotas)


def _balanced_quotas(
    wanted: str | float | dict[int, int], names: npt.NDArray[Any], counts: Counts
) -> Numbers:
    if isinstance(wanted, dict):
        return _exact_quotas(wanted, names, counts)
    n_rows = int(counts.sum())
    if isinstance(wanted, str):
        if wanted not in ("auto", "all"):
            raise ValueError(
                "sampling_strategy must be 'auto', 'all', a float, a dict or a callable with "
                f"sampler='balanced', found {wanted!r}."
            )
        return _whole_shares((counts > 0).astype(np.float64), n_rows)
    present = np.flatnonzero(counts)
    if len(present) > 2 or not 0 < wanted <= 1:
        raise ValueError(
            "As a float, sampling_strategy is the ratio of rare to frequent rows, above 0 and at "
            f"most 1, for two classes; found {wanted!r} and {len(present)} classes. For several "
            "classes give a dict from labels to rows an epoch."
        )
    rare, frequent = present[np.argsort(counts[present], kind="stable")]
    quotas = np.zeros(len(counts))
    # A class whose share rounds to nothing would never be seen.
    quotas[rare] = max(round(n_rows * wanted / (1 + wanted)), 1)
    quotas[frequent] = n_rows - quotas[rare]
    return quotas


def _exact_quotas(wanted: dict[int, int], names: npt.NDArray[Any], counts: Counts) -> Numbers:
    missing = [code for code in np.flatnonzero(counts) if code not in wanted]
    if missing:
        raise ValueError(
            "sampling_strategy gives no rows an epoch for the classes "
            f"{_listed(names[missing].tolist())}; with sampler='balanced' name every class, with "
            "0 if its rows are to be left out."
        )
    quotas = np.zeros(len(counts))
    quotas[list(wanted)] = list(wanted.values())
    return _refuse_nothing(quotas)


def _whole_shares(shares: Numbers, total: int) -> Numbers:
    """Round shares of a total to whole numbers that add up to it, by largest remainders."""
    exact = shares * (total / shares.sum())
    whole: Numbers = np.floor(exact)
    largest = np.argsort(whole - exact, kind="stable")[: total - int(whole.sum())]
    whole[largest] += 1
    return whole


def _refuse_nothing(quotas: Numbers) -> Numbers:
    if not quotas.any():
        raise ValueError(
            "sampling_strategy leaves no rows to train on; give at least one class a row."
        )
    return quotas


def _label_ratio(strategy: Strategy) -> float:
    if isinstance(strategy, str) and strategy == "auto":
        return 1.0
    if isinstance(strategy, Real) and not isinstance(strategy, bool) and 0 < strategy <= 1:
        return float(strategy)
    raise ValueError(
        "For multilabel targets sampling_strategy must be 'auto' or a float above 0 and at most "
        f"1, the ratio of rare to frequent labels; found {strategy!r}."
    )


def _rarest_labels(y: npt.NDArray[np.bool_]) -> tuple[Counts, Counts]:
    """Return each row's rarest label, and the positives of each label, rows without any last."""
    n_labels = y.shape[1]
    positives = np.count_nonzero(y, axis=0)
    codes = np.full(len(y), n_labels)
    for label in np.argsort(-positives, kind="stable"):
        codes[y[:, label]] = label
    return codes, np.append(positives, np.count_nonzero(codes == n_labels))


def _repeat_factors(sampler: str, positives: Counts, ratio: float) -> Numbers:
    """Return how often the rows of a group come in an epoch (or in proportion to what)."""
    of_labels = positives[:-1][positives[:-1] > 0]
    if len(of_labels) == 0:
        return np.ones(len(positives))
    sizes = np.maximum(positives, 1)
    if sampler == "under":
        return np.asarray((of_labels.min() / ratio / sizes).clip(max=1.0))
    most = positives.max() if sampler == "balanced" else of_labels.max()
    factors: Numbers = (ratio * most / sizes).clip(min=1.0)
    if sampler == "over":
        factors[-1] = 1.0
    return factors


def described(names: npt.ArrayLike, counts: npt.ArrayLike) -> str:
    """Name classes and their rows, for a message.

    Parameters
    ----------
    names : array-like of shape (n_classes,)
        The user's labels.
    counts : array-like of int of shape (n_classes,)
        Rows of each.

    Returns
    -------
    str
        The first eight of them.

    Examples
    --------
    >>> described(["no", "yes"], [90, 10])
    "'no': 90, 'yes': 10"
    """
    pairs = zip(np.asarray(names).tolist(), np.asarray(counts).tolist(), strict=True)
    return _joined(f"{name!r}: {rows}" for name, rows in pairs)


def _listed(values: Iterable[Any]) -> str:
    return f"[{_joined(repr(value) for value in values)}]"


def _joined(parts: Iterable[str]) -> str:
    shown = list(islice(parts, 9))
    return ", ".join(shown[:8] + ["..."] * (len(shown) > 8))
