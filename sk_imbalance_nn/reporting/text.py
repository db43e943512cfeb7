"""How does a report read? Its text, a metric a row for two classes, else a class a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sk_imbalance_nn.decisions.responses import BINARY, MULTICLASS, MULTILABEL
from sk_imbalance_nn.reporting.line import ReportLine

if TYPE_CHECKING:
    from sk_imbalance_nn.reporting.result import ImbalanceReport

_WIDTH = 88
_MOST_LINES = 20
# A ROC AUC below this, of that many rows of the class, is no accident.
_WORSE_THAN_CHANCE, _ENOUGH_ROWS = 0.4, 10

# What the text calls them, block by block.
_RANKING = {
    "average_precision": "average precision",
    "roc_auc": "ROC AUC",
    "lift_at_1_percent": "lift in the top 1 %",
}
_PROBABILITIES = {
    "brier_score": "Brier score",
    "log_loss": "log loss",
    "calibration_error": "calibration error",
}
_DECISIONS = {
    "alarms_per_1000": "alarms per 1,000",
    "precision": "precision",
    "recall": "recall",
    "specificity": "specificity",
    "f1": "F1",
    "geometric_mean": "G-mean",
    "balanced_accuracy": "balanced accuracy",
    "matthews_corrcoef": "MCC",
}
_AMOUNTS = ("lift_at_1_percent", "alarms_per_1000")
_COUNTS = ("support", "alarms", "hits", "misses", "false_alarms")
# Blocks of the table of several classes: metrics, their headings, whether chance stands beside.
_BLOCKS: dict[str, list[tuple[str, str, bool]]] = {
    "Ranking": [
        ("support", "support", False),
        ("average_precision", "average precision (chance)", True),
        ("roc_auc", "ROC AUC (0.5)", False),
        ("lift_at_1_percent", "lift in top 1 % (1)", False),
    ],
    "Probabilities": [
        ("brier_score", "Brier (chance)", True),
        ("log_loss", "log loss (chance)", True),
        ("calibration_error", "calibration error", False),
    ],
    "Alarms": [
        ("threshold", "threshold", False),
        ("alarms", "alarms", False),
        ("alarms_per_1000", "per 1,000", False),
        ("hits", "hits", False),
        ("misses", "misses", False),
        ("false_alarms", "false alarms", False),
    ],
    "Decisions": [
        ("precision", "precision (chance)", True),
        ("recall", "recall (chance)", True),
        ("f1", "F1 (chance)", True),
        ("geometric_mean", "G-mean", False),
        ("matthews_corrcoef", "MCC (0)", False),
    ],
}


def text_of(report: ImbalanceReport) -> str:
    """Write a report.

    Parameters
    ----------
    report : ImbalanceReport
        Its numbers.

    Returns
    -------
    str
        Lines of at most 88 columns; "-" stands for what is undefined. Of more than 20 classes or
        labels those whose average precision exceeds its chance the least.
    """
    text = _text_of_two(report) if report.kind == BINARY else _text_of_several(report)
    return "\n".join(line.rstrip() for line in text)


def _text_of_two(report: ImbalanceReport) -> list[str]:
    """Write a metric a row, with its chance level beside."""
    line = report.classes[0]
    counts = {key: _number(key, line.values[key]) for key in _COUNTS}
    decisions = f"Decisions: positive from {line.values['threshold']:.4g} on"
    text = [
        *_cut_to_width(f"Imbalance report on class {line.name!r}"),
        f"{_size(report)}; positive: {counts['support']}, prevalence "
        f"{_share(line.values['prevalence'])}",
        *_hints(line),
        "",
        f"{'':28}{'value':>10}{'chance':>10}",
    ]
    blocks = {"Ranking": _RANKING, "Probabilities": _PROBABILITIES, decisions: _DECISIONS}
    for title, metrics in blocks.items():
        text += [title, *_text_of_metrics(line, metrics)]
    return [
        *text,
        f"Alarms: {counts['alarms']}, of which {counts['hits']} hits and "
        f"{counts['false_alarms']} false alarms; {counts['misses']} misses",
    ]


def _hints(line: ReportLine) -> list[str]:
    """Say what may be a slip: which class it is, and whose probabilities these are."""
    hints = []
    if line.values["prevalence"] > 0.5:
        hints.append("This is the more frequent class; pos_label=... reports on the other.")
    is_sure = line.values["support"] >= _ENOUGH_ROWS
    if is_sure and line.values["roc_auc"] < _WORSE_THAN_CHANCE:
        hints.append("It ranks worse than chance: are these the probabilities of the other class?")
    return hints


def _text_of_metrics(line: ReportLine, metrics: Mapping[str, str]) -> list[str]:
    return [
        f"  {name:26}{_number(key, line.values[key]):>10}"
        + (f"{_number(key, line.chance[key]):>10}" if key in line.chance else "")
        for key, name in metrics.items()
    ]


def _text_of_several(report: ImbalanceReport) -> list[str]:
    """Write a class a row, in blocks of metrics that belong together."""
    several = report.kind == MULTICLASS
    what = "classes, each against the rest" if several else "labels"
    text = [
        f"Imbalance report on {len(report.classes)} {what}",
        f"{_size(report)}; decided: {_decided_how(report)}",
    ]
    shown = _hardest(report.classes)
    if len(shown) < len(report.classes):
        text += [
            f"Shown are the {len(shown)} of the lowest average precision over its chance; to_frame "
            "has all."
        ]
    for title, columns in _BLOCKS.items():
        text += ["", *_text_of_block(title, columns, [*shown, *report.averages])]
    if report.overall is not None:
        text += ["", *_text_of_overall(report.overall)]
    if any(np.isnan(line.values[key]) for line in report.classes for key in line.chance):
        text += ["", "'-' is undefined, and left out of averages."]
    return text


def _size(report: ImbalanceReport) -> str:
    count = _count(report.total)
    return f"rows of total weight {count}" if report.is_weighted else f"{count} rows"


def _decided_how(report: ImbalanceReport) -> str:
    if report.kind == MULTILABEL:
        return "each label from its threshold on"
    if np.isnan(report.classes[0].values["threshold"]):
        return "the most probable class"
    return "each class from its threshold on, so a row may have several, or none"


def _text_of_overall(line: ReportLine) -> list[str]:
    named = {**_DECISIONS, **_PROBABILITIES, "accuracy": "accuracy"}
    title = f"{'All classes at once':28}{'value':>10}{'chance':>10}"
    return [title, *_text_of_metrics(line, {key: named[key] for key in line.values})]


def _hardest(lines: Sequence[ReportLine]) -> list[ReportLine]:
    """Return as many lines as can be taken in, those of the worst ranking if there are more."""
    if len(lines) <= _MOST_LINES:
        return list(lines)
    gain = [line.values["average_precision"] - line.values["prevalence"] for line in lines]
    return [lines[place] for place in sorted(np.argsort(gain, kind="stable")[:_MOST_LINES])]


def _text_of_block(
    title: str, columns: list[tuple[str, str, bool]], lines: list[ReportLine]
) -> list[str]:
    cells = [[heading for _, heading, _ in columns]]
    cells += [[_cell(line, key, paired) for key, _, paired in columns] for line in lines]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    names = [title, *(_name(line.name) for line in lines)]
    available = _WIDTH - sum(widths) - 2 * len(widths)
    room = max(len(name) for name in names if len(name) <= available)
    text = []
    for name, row in zip(names, cells, strict=True):
        numbers = "".join(f"  {cell:>{width}}" for cell, width in zip(row, widths, strict=True))
        # A name that is too long has lines of its own, above its numbers.
        above = _cut_to_width(name) if len(name) > room else []
        text += [*above, f"{'' if above else name:{room}}{numbers}"]
    return text


def _cell(line: ReportLine, key: str, paired: bool) -> str:
    number = _number(key, line.values[key])
    if not paired or number == "-":
        return number
    return f"{number} ({_number(key, line.chance[key])})"


def _name(label: Any) -> str:
    name = str(label)
    return name if name.strip() and name.isprintable() else repr(label)


def _cut_to_width(text: str) -> list[str]:
    return [text[start : start + _WIDTH] for start in range(0, len(text), _WIDTH)]


def _number(key: str, value: float) -> str:
    if np.isnan(value):
        return "-"
    if key in _COUNTS:
        return _count(value)
    return _amount(value) if key in _AMOUNTS else _share(value)


def _count(value: float) -> str:
    if value >= 1e7:
        return f"{value:.3e}"
    return f"{value:,.0f}" if value == round(value) else f"{value:,.4g}"


def _amount(value: float) -> str:
    if value >= 1e6:
        return f"{value:.3e}"
    return f"{value:,.2f}" if value == 0 or value >= 0.1 else f"{value:.2g}"


def _share(value: float) -> str:
    """Write four decimals, or what is left of a number that they would make nothing of."""
    return f"{value:.1e}" if 0 < abs(value) < 5e-4 else f"{value + 0.0:.4f}"
