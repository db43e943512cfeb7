"""What do all pictures share? Colours that mean the same everywhere, and matplotlib when drawing.

The colours are of Okabe and Ito's palette (2008), which colour-blind readers can tell apart.
Whatever differs by colour differs by line style or place too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The class that a picture is about, and the rest: nothing else has these.
CLASS, REST = "#D55E00", "#0072B2"
# What is maximised; how many alarms that takes; losses.
SCORE, ALARMS, LOSS = "#009E73", "#CC79A7", "#555555"
# What was chosen, and what would hold or be reached without.
CHOSEN, DEFAULT = "#000000", "#7F7F7F"

# Axes narrower than this, in inches, have a smaller legend.
_NARROW = 2.9
# About what a legend takes, in shares of the axes, and the corners of where it may stand.
_LEGEND_SIZE, _WEIGHT_OF_DOTS = (0.45, 0.35), 200
_PLACES = {
    f"{vertical} {horizontal}": (x, y)
    for vertical, y in (("upper", 0.65), ("lower", 0.0), ("center", 0.325))
    for horizontal, x in (("right", 0.55), ("left", 0.0), ("center", 0.275))
    if (vertical, horizontal) != ("center", "center")
}


def pyplot() -> Any:
    """Return ``matplotlib.pyplot``, or say what is missing."""
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError(
            "Drawing needs matplotlib: python -m pip install 'sk-imbalance-nn[plot]'."
        ) from error
    return pyplot


def axes_to_draw_on(ax: Axes | None) -> Axes:
    """Return the given axes, or those of a new figure."""
    return pyplot().subplots(layout="constrained")[1] if ax is None else ax


def mark(ax: Axes, place: float | None, label: str, color: str, style: str) -> Any:
    """Draw a vertical line, if there is a place for it."""
    if place is None or not np.isfinite(place):
        return None
    return ax.axvline(place, color=color, linestyle=style, label=label, zorder=2)


def add_legend(ax: Axes, *others: Axes | None, loc: str | None = None) -> None:
    """Explain what stands on the axes, and on others that share their place."""
    sharing = [each for each in (ax, *others) if each is not None]
    handles = [handle for each in sharing for handle in each.get_legend_handles_labels()[0]]
    width = ax.get_window_extent().width / ax.figure.dpi
    size = "x-small" if width < _NARROW else "small"
    # matplotlib's "best" place would look at one of the axes alone, and not at dots.
    loc = _emptiest_place(sharing) if loc is None else loc
    ax.legend(handles=handles, loc=loc, fontsize=size, handlelength=1.6, framealpha=0.8)


def _emptiest_place(sharing: list[Axes]) -> str:
    """Return where a legend hides the least of the curves."""
    points = np.concatenate([_points_on(line, ax) for ax in sharing for line in ax.get_lines()])

    def hidden(place: str) -> int:
        corner = np.array(_PLACES[place])
        inside = (corner <= points) & (points <= corner + _LEGEND_SIZE)
        return int(inside.all(axis=1).sum())

    return min(_PLACES, key=hidden)


def _points_on(line: Any, ax: Axes) -> Any:
    """Return points at equal distances along a curve, in shares of the axes."""
    ax.get_xlim(), ax.get_ylim()  # they are brought up to date when asked for
    at = (ax.transData + ax.transAxes.inverted()).transform(line.get_xydata())
    at = np.clip(at, -0.1, 1.1)  # on a logarithmic axis zero lies far below
    if len(at) == 1:  # a dot matters more than what it stands on
        return np.repeat(at, _WEIGHT_OF_DOTS, axis=0)
    if np.ptp(at[:, 0]) == 0:  # of a vertical line there is as much everywhere
        return np.empty((0, 2))
    way = np.concatenate([[0.0], np.hypot(*np.diff(at, axis=0).T).cumsum()])
    places = np.linspace(0, way[-1], 400)
    return np.stack([np.interp(places, way, values) for values in at.T], axis=1)


def put_in_front(ax: Axes, behind: Axes) -> None:
    """Draw axes, and their legend, over others that share their place."""
    ax.set_zorder(behind.get_zorder() + 1)
    ax.patch.set_visible(False)


def count_of(number: float) -> str:
    """Write a number of rows, or their weight."""
    return f"{number:,.0f}" if number == round(number) else f"{number:,.4g}"
