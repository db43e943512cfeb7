"""What does a report hold? Lines of metrics: as numbers, a dict, a table, and text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Any

from sk_imbalance_nn.decisions.responses import BINARY
from sk_imbalance_nn.reporting.line import NAN, ReportLine
from sk_imbalance_nn.reporting.text import text_of


@dataclass(frozen=True, repr=False)
class ImbalanceReport:
    """Metrics of a rare class with their chance levels: text, table and numbers.

    `imbalance_report` makes it and describes the metrics. Printed, it is a text of at most 88
    columns, in which "-" stands for what is undefined. ``report["recall"]`` is the recall of the
    positive class; of several classes or labels, a dict with that of each.
    ``report["recall", name]`` is that of one line: a class or label by its name, else an average,
    or ``"overall"``.

    Parameters
    ----------
    kind : {"binary", "multiclass", "multilabel"}
        What was reported on.
    total : float
        Number of rows; with weights, their sum.
    classes : tuple of ReportLine
        One for the positive class, or for each class or label.
    averages : tuple of ReportLine, default=()
        "macro" and "weighted" of several classes, "macro" and "micro" of labels.
    overall : ReportLine, default=None
        Several classes at once.
    is_weighted : bool, default=False
        Whether rows had weights.

    See Also
    --------
    sk_imbalance_nn.imbalance_report : Makes it.

    Examples
    --------
    >>> from sk_imbalance_nn import imbalance_report
    >>> proba = [[0.6, 0.3, 0.1], [0.4, 0.5, 0.1], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8]]
    >>> report = imbalance_report(["a", "a", "b", "c"], proba)
    >>> report["recall"]
    {'a': 0.5, 'b': 1.0, 'c': 1.0}
    >>> report["recall", "b"], report["accuracy", "overall"]
    (1.0, 0.75)
    """

    kind: str
    total: float
    classes: tuple[ReportLine, ...]
    averages: tuple[ReportLine, ...] = ()
    overall: ReportLine | None = None
    is_weighted: bool = False

    def __getitem__(self, key: str | tuple[str, Any]) -> Any:
        if isinstance(key, tuple):
            metric, name = key
            return _value(self._line(name).values, metric)
        return self._of_each({line.name: _value(line.values, key) for line in self.classes})

    def chance(self, metric: str) -> Any:
        """Return what a metric comes to without knowledge of the rows.

        Parameters
        ----------
        metric : str
            One that has such a level.

        Returns
        -------
        float or dict of object to float
            For two classes a number; otherwise one for each class or label.

        Raises
        ------
        KeyError
            If there is no such metric, or it has no such level.
        """
        return self._of_each({line.name: _value(line.chance, metric) for line in self.classes})

    def _of_each(self, found: dict[Any, float]) -> Any:
        return found[self.classes[0].name] if self.kind == BINARY else found

    def _line(self, name: Any) -> ReportLine:
        """Return a line by its name; classes come first, whatever they are called."""
        for line in self._lines():
            if line.name == name:
                return line
        raise KeyError(f"no line {name!r}; there are {[line.name for line in self._lines()]}")

    def _lines(self) -> list[ReportLine]:
        return [*self.classes, *self.averages, *([self.overall] if self.overall else [])]

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers, with chance levels under ``<metric>_chance``.

        Returns
        -------
        dict
            For two classes one flat dict of floats. Otherwise ``{"classes": {name: {...}},
            "averages": {name: {...}}}``, with ``"overall": {...}`` for several classes.
        """
        if self.kind == BINARY:
            return self.classes[0].to_dict()
        found: dict[str, Any] = {
            "classes": {line.name: line.to_dict() for line in self.classes},
            "averages": {line.name: line.to_dict() for line in self.averages},
        }
        if self.overall is not None:
            found["overall"] = self.overall.to_dict()
        return found

    def to_frame(self) -> Any:
        """Return all numbers as a table.

        Returns
        -------
        pandas.DataFrame
            For two classes a row for each metric, with the columns "value" and "chance". Otherwise
            a row for each class or label, each average, and "overall"; a column for each metric,
            followed by ``<metric>_chance``; NaN also where a line has no such metric.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            pandas = import_module("pandas")
        except ImportError as error:
            raise ImportError(
                "A DataFrame needs pandas: python -m pip install pandas. Without it, to_dict() "
                "returns the same numbers."
            ) from error
        if self.kind == BINARY:
            _, values, chance = self.classes[0]
            columns = {"value": values, "chance": {key: chance.get(key, NAN) for key in values}}
            return pandas.DataFrame(columns, index=list(values))
        lines = self._lines()
        index = pandas.Index([line.name for line in lines], dtype=object)
        return pandas.DataFrame([line.to_dict() for line in lines], index=index)

    def __repr__(self) -> str:
        return text_of(self)


def _value(known: Mapping[str, float], metric: str) -> float:
    if metric in known:
        return known[metric]
    near = get_close_matches(str(metric), known, 1, 0.3)
    nearest = f"; did you mean {near[0]!r}?" if near else "."
    raise KeyError(f"no metric {metric!r} in {list(known)}{nearest}")
