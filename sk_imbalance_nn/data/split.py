"""Which rows validate? Stratified hold-outs, for classes and for multilabel targets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_random_state

_CURE = "give validation_data, set early_stopping=False, or merge it with another"


_ROWS_DEALT_AT_ONCE = 2**17


@dataclass(frozen=True, eq=False)
class Holdout:
    """The rows that train and the rows that validate.

    Parameters
    ----------
    train, validation : ndarray of intp
        Row indices, each in ascending order.
    """

    train: npt.NDArray[np.intp]
    validation: npt.NDArray[np.intp]


def stratified_holdout(
    y: npt.ArrayLike,
    fraction: float,
    random_state: int | np.random.RandomState,
    labels: Sequence[Any] | npt.NDArray[Any] | None = None,
) -> Holdout:
    """Split rows at random into a training and a validation part with the same classes.

    For class codes each class gives `fraction` of its rows, rounded so that the parts add up
    (largest remainders). For indicators this is iterative stratification: rows are dealt out
    label by label, the rarest first [1]_. The negative rows of a label are treated like one more
    label, so that almost constant labels keep both sides in both parts.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, n_labels)
        Class codes (integers from 0), or a 0/1 indicator for multilabel targets.
    fraction : float
        Share of the rows that validate, between 0 and 1 (both excluded).
    random_state : int or RandomState
        Decides which rows; the same state gives the same split.
    labels : sequence, optional
        The user's names of the classes or labels, for messages; by default the codes.

    Returns
    -------
    Holdout
        Every row in exactly one part; every class with at least one row in each.

    Raises
    ------
    ValueError
        If `fraction` is out of range, `y` is empty, a class (or a label's positive or negative
        side) has a single row, or the labels' few rows are so entangled that no split was found
        which shows them all in both parts.

    References
    ----------
    .. [1] Sechidis, Tsoumakas, Vlahavas (2011). On the stratification of multi-label data.
       ECML PKDD, algorithm 1.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.repeat([0, 1], [90, 10])
    >>> holdout = stratified_holdout(y, 0.2, random_state=0)
    >>> np.bincount(y[holdout.validation])
    array([18,  2])
    """
    target = _as_target(y)
    _check_fraction(fraction)
    if len(target) == 0:
        raise ValueError("y has no rows; a validation split needs at least 2.")
    single = np.flatnonzero(_group_sizes(target) == 1)
    if len(single):
        names = ", ".join(_group_name(group, target, labels) for group in single[:5])
        more = f" (and {len(single) - 5} more)" if len(single) > 5 else ""
        raise ValueError(
            f"Only 1 row of {names}{more}; a stratified validation split needs at least 2, one "
            f"for each part: {_CURE}."
        )
    rng = check_random_state(random_state)
    if target.ndim == 1:
        validates = _deal_classes(target, fraction, rng)
    else:
        sides = np.hstack([target, ~target])
        validates = _deal_labels(sides, fraction, rng)
        missing = _mend(sides, validates, rng)
        if missing is not None:
            raise ValueError(
                f"Found no split with {_group_name(missing, target, labels)} in both parts: it "
                f"shares its few rows with other rare labels: {_CURE}."
            )
    return Holdout(train=np.flatnonzero(~validates), validation=np.flatnonzero(validates))


def label_folds(y: npt.ArrayLike, n_splits: int) -> npt.NDArray[np.intp]:
    """Deal rows with labels into folds, each label's positives as evenly as the rarer ones allow.

    Rows are put in the order of their rarest label, then of all their labels, and dealt out in
    turn; a label's positives that have no rarer label are split to within one row. It is the rule
    of stratified folds, for which scikit-learn takes no multilabel targets.

    Parameters
    ----------
    y : array-like of shape (n, n_labels)
        A 0/1 indicator.
    n_splits : int
        How many folds, at least 2 and at most n.

    Returns
    -------
    ndarray of shape (n,), intp
        Number of each row's fold, from 0.

    Raises
    ------
    ValueError
        If there are fewer rows than folds, or fewer than 2 folds.

    Examples
    --------
    >>> label_folds([[1, 0], [1, 0], [0, 1], [0, 1], [0, 0], [0, 0]], 2)
    array([0, 1, 0, 1, 0, 1])
    """
    indicator = _as_target(y)
    n = len(indicator)
    if not 2 <= n_splits <= n:
        raise ValueError(f"cv={n_splits} folds of {n} rows; there must be between 2 and {n} folds.")
    by_rarity = indicator[:, np.argsort(indicator.sum(axis=0), kind="stable")]
    # The last key counts most: the rarest label, then the next one.
    order = np.lexsort(~by_rarity.T[::-1])
    folds = np.empty(n, dtype=np.intp)
    folds[order] = np.arange(n) % n_splits
    return folds


def holdout_from_splitter(
    splitter: Any,
    X: Any,
    y: npt.ArrayLike,
    groups: npt.ArrayLike | None = None,
    labels: Sequence[Any] | npt.NDArray[Any] | None = None,
) -> Holdout:
    """Take the first split of a scikit-learn splitter, and check that it can validate.

    Parameters
    ----------
    splitter : object with a method ``split(X, y, groups)``
        Such as `StratifiedKFold`, `GroupShuffleSplit` or `PredefinedSplit`.
    X : array-like of n rows
        Only handed to the splitter.
    y : array-like of shape (n,) or (n, n_labels)
        Class codes (integers from 0), or a 0/1 indicator for multilabel targets.
    groups : array-like of shape (n,), optional
        Handed to the splitter.
    labels : sequence, optional
        The user's names of the classes or labels, for messages; by default the codes.

    Returns
    -------
    Holdout
        Rows that the splitter leaves out are in neither part.

    Raises
    ------
    TypeError
        If `splitter` is not an object with a method ``split``.
    ValueError
        If the splitter needs groups and got none, or if its first split has an empty part, rows
        that do not exist, rows in both parts, or a part without a class (or a label's positive or
        negative side) that has at least 2 rows in `y`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.model_selection import StratifiedKFold
    >>> y = np.array([0, 0, 0, 1, 1, 1])
    >>> holdout_from_splitter(StratifiedKFold(3), np.zeros((6, 1)), y).validation
    array([0, 3])
    """
    target = _as_target(y)
    name = type(splitter).__name__
    # Strings and splitter classes have a method split, too.
    if isinstance(splitter, str | type) or not callable(getattr(splitter, "split", None)):
        raise TypeError(
            "validation_split must be a fraction or a scikit-learn splitter such as "
            f"StratifiedShuffleSplit(1), found {splitter!r}."
        )
    # The splitter sees y as the caller has it; our own bools are for counting.
    parts = _first_split(splitter, X, np.asarray(y), groups)
    train, validation = (
        _checked_part(part, which, name, len(target))
        for part, which in zip(parts, ("training", "validation"), strict=True)
    )
    shared = np.intersect1d(train, validation)
    if len(shared):
        raise ValueError(
            f"{name} puts {len(shared)} rows (the first is {shared[0]}) in the training and the "
            "validation part; use a splitter whose parts are disjoint."
        )
    sizes = _group_sizes(target)
    for which, part in (("training", train), ("validation", validation)):
        lacking = (sizes >= 2) & (_group_sizes(target[part], len(sizes)) == 0)
        if lacking.any():
            group = int(lacking.argmax())
            raise ValueError(
                f"The {which} part of {name} has no row of {_group_name(group, target, labels)}, "
                f"of which y has {sizes[group]}; use a stratified splitter "
                "(StratifiedShuffleSplit, StratifiedGroupKFold for groups) or a fraction, which "
                "is always stratified."
            )
    return Holdout(train=train, validation=validation)


def rarest_in_holdout(y: npt.ArrayLike, fraction: float) -> int:
    """Count the rows of the rarest class in a stratified validation part of that size.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, n_labels)
        Class codes (integers from 0), or a 0/1 indicator for multilabel targets.
    fraction : float
        Share of the rows that validate, between 0 and 1 (both excluded).

    Returns
    -------
    int
        For class codes exactly the count in `stratified_holdout`; for indicators its target for
        the rarest side, positive or negative, of any label. Classes and sides without a row do
        not count. 0 if a class has a single row, which cannot be split, or if `y` is empty.

    Raises
    ------
    ValueError
        If `fraction` is out of range.

    Examples
    --------
    >>> rarest_in_holdout([0] * 90 + [1] * 10, 0.2)
    2
    """
    target = _as_target(y)
    _check_fraction(fraction)
    sizes = _group_sizes(target)
    share = _class_quotas if target.ndim == 1 else _label_needs
    return int(np.rint(share(sizes, fraction)[sizes > 0]).min(initial=len(target)))


def _as_target(y: npt.ArrayLike) -> npt.NDArray[Any]:
    """Class codes as integers of shape (n,), or indicators as bools of shape (n, n_labels)."""
    target = np.asarray(y)
    if target.ndim == 2:
        return target.astype(bool, copy=False)
    if target.ndim == 1:
        return target.astype(np.intp, copy=False)
    raise ValueError(
        f"y must have the shape (n,) or (n, n_labels), found {target.shape}; encode it first."
    )


def _check_fraction(fraction: float) -> None:
    if not 0 < fraction < 1:
        raise ValueError(
            f"The validation fraction must lie between 0 and 1, found {fraction!r}; "
            "0.1 holds out a tenth of the rows."
        )


def _group_sizes(target: npt.NDArray[Any], n_groups: int = 0) -> npt.NDArray[np.intp]:
    """Count the rows of each class, or of each label's positive, then negative, side."""
    if target.ndim == 1:
        return np.bincount(target, minlength=n_groups)
    positive = np.count_nonzero(target, axis=0)
    return np.concatenate([positive, len(target) - positive])


def _group_name(
    group: int, target: npt.NDArray[Any], labels: Sequence[Any] | npt.NDArray[Any] | None
) -> str:
    n_names = target.shape[1] if target.ndim == 2 else target.max() + 1
    # An object array turns NumPy scalars into the Python objects that users wrote.
    names = np.asarray(range(n_names) if labels is None else labels, dtype=object)
    if target.ndim == 1:
        return f"class {names[group]!r}"
    negative, label = divmod(int(group), n_names)
    return f"label {names[label]!r} being {1 - negative}"


def _class_quotas(sizes: npt.NDArray[np.intp], fraction: float) -> npt.NDArray[np.intp]:
    """Round the classes' shares by largest remainders, with one row in each part at least."""
    exact = fraction * sizes
    most = np.maximum(sizes - 1, 0)
    quotas: npt.NDArray[np.intp] = np.clip(np.floor(exact), 1, most).astype(np.intp)
    short = np.where(quotas < most, exact - quotas, 0.0)
    n_left = max(0, round(fraction * int(sizes.sum())) - int(quotas.sum()))
    neediest = np.argsort(-short, kind="stable")[:n_left]
    quotas[neediest[short[neediest] > 0]] += 1
    return quotas


def _label_needs(sizes: npt.NDArray[np.intp], fraction: float) -> npt.NDArray[np.float64]:
    """Give each side its share of validation rows, but one row in each part at least."""
    needs: npt.NDArray[np.float64] = np.clip(fraction * sizes, 1.0, np.maximum(sizes - 1.0, 0.0))
    return needs


def _deal_classes(
    codes: npt.NDArray[np.intp], fraction: float, rng: np.random.RandomState
) -> npt.NDArray[np.bool_]:
    """Take the first rows of each class in a random order, as many as its quota."""
    sizes = np.bincount(codes)
    left = _class_quotas(sizes, fraction)
    # Millions of rows: integers no wider than they must be, and a part of the order at a time.
    order = np.arange(len(codes), dtype=np.min_scalar_type(-len(codes)))
    rng.shuffle(order)
    validates = np.zeros(len(codes), dtype=bool)
    for start in range(0, len(order), _ROWS_DEALT_AT_ONCE):
        rows = order[start : start + _ROWS_DEALT_AT_ONCE]
        here = np.bincount(codes[rows], minlength=len(sizes))
        taken = np.minimum(here, left)
        by_class = np.argsort(codes[rows], kind="stable")
        # In each class's run the first so many places.
        gaps = np.cumsum(here - taken) - (here - taken)
        places = np.arange(taken.sum()) + np.repeat(gaps, taken)
        validates[rows[by_class[places]]] = True
        left -= taken
        if not left.any():
            break
    return validates


def _deal_labels(
    sides: npt.NDArray[np.bool_], fraction: float, rng: np.random.RandomState
) -> npt.NDArray[np.bool_]:
    """Stratify iteratively, for two parts (Sechidis et al. 2011, algorithm 1).

    The algorithm gives each row of the rarest open side to the part that needs the side most.
    For two parts, whose needs add up to the open rows, that loop always ends with round(need) of
    them in validation; so they are drawn at once, which makes it one step a side, not a row.
    """
    n_open = sides.sum(axis=0)
    needs = _label_needs(n_open, fraction)
    is_open = np.ones(len(sides), dtype=bool)
    validates = np.zeros(len(sides), dtype=bool)
    while n_open.any():
        side = np.where(n_open > 0, n_open, len(sides) + 1).argmin()
        rows = np.flatnonzero(is_open & sides[:, side])
        n_drawn = int(np.clip(np.rint(needs[side]), 0, len(rows)))
        drawn = rng.choice(rows, n_drawn, replace=False)
        validates[drawn] = True
        is_open[rows] = False
        needs -= sides[drawn].sum(axis=0)
        n_open -= sides[rows].sum(axis=0)
    return validates


def _mend(
    sides: npt.NDArray[np.bool_], validates: npt.NDArray[np.bool_], rng: np.random.RandomState
) -> int | None:
    """Move single rows, in place, until both parts hold every side.

    Rows shared between rare labels can leave a label in one part only. Each step moves the row
    that costs the other labels least (min-conflicts). Returns a side that is still missing from a
    part when the steps are used up, which is what happens if no such split exists, or None.
    """
    held = np.stack([sides[~validates].sum(axis=0), sides[validates].sum(axis=0)])
    occurs = held.sum(axis=0) > 0
    for _ in range(100 + 10 * sides.shape[1]):
        missing = np.argwhere((held == 0) & occurs)
        if len(missing) == 0:
            return None
        part, side = missing[rng.randint(len(missing))]
        rows = np.flatnonzero(sides[:, side])
        broken = (sides[rows] & (held[1 - part] == 1)).sum(axis=1)
        row = rng.choice(rows[broken == broken.min()])
        validates[row] = bool(part)
        held[part] += sides[row]
        held[1 - part] -= sides[row]
    return int(side)


def _first_split(
    splitter: Any, X: Any, y: npt.NDArray[Any], groups: npt.ArrayLike | None
) -> tuple[npt.ArrayLike, npt.ArrayLike]:
    name = type(splitter).__name__
    splits: Iterable[tuple[npt.ArrayLike, npt.ArrayLike]]
    try:
        splits = splitter.split(X, y) if groups is None else splitter.split(X, y, groups)
        first = list(islice(splits, 1))
    except (TypeError, ValueError) as error:
        if groups is None and "groups" in str(error):
            raise ValueError(f"{name} needs groups and got none: pass `groups` to fit.") from error
        raise
    if not first:
        raise ValueError(f"{name} yields no split; use a splitter that yields at least one.")
    return first[0]


def _checked_part(part: npt.ArrayLike, which: str, name: str, n_rows: int) -> npt.NDArray[np.intp]:
    rows = np.asarray(part)
    if rows.size == 0:
        raise ValueError(
            f"The {which} part of {name} is empty; use a splitter that gives rows to both parts."
        )
    if rows.ndim != 1 or not np.issubdtype(rows.dtype, np.integer):
        raise ValueError(
            f"The {which} part of {name} must be a 1-D array of row indices, found shape "
            f"{rows.shape} and dtype {rows.dtype}; turn a mask into indices by np.flatnonzero."
        )
    if rows.min() < 0 or rows.max() >= n_rows:
        raise ValueError(
            f"The {which} part of {name} has indices from {rows.min()} to {rows.max()}, but X has "
            f"{n_rows} rows (0 to {n_rows - 1}); was the splitter made for other data?"
        )
    return np.sort(rows).astype(np.intp)
