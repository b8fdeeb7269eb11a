"""The plot of a run: what each contestant adds to a request, on a logarithmic scale."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure as Drawing

from benchmarks.figures import Figures

_COLOURS = {"permjwt": "#1b7837", "jwt-extended": "#b2641a", "flask-security": "#762a83", "flask": "#777777"}
_FLOOR = 0.3
"""Microseconds below which nothing is told apart; bars that are shorter end here."""


def draw(figures: Figures, path: Path) -> None:
    """Draw what is added over the bare route, with the quartiles, into an SVG or PNG file."""
    mpl.rcParams["svg.fonttype"] = "none"  # text stays text
    shown = sorted((one for one in figures.values() if one.unit == "us"), key=lambda one: one.median)
    drawing = Drawing(figsize=(10, 0.26 * len(shown) + 1.4), layout="constrained")
    axes = drawing.add_subplot()
    for at, one in enumerate(shown):
        middle = max(one.median, _FLOOR)
        spread = [[max(0.0, middle - max(one.low, _FLOOR))], [max(0.0, one.high - middle)]]
        colour = _COLOURS.get(one.library, "#777777")
        axes.barh(at, middle, xerr=spread, color=colour, ecolor="#333333", height=0.7, capsize=2)
        axes.annotate(
            f"{one.median:.1f}",
            (max(middle, one.high), at),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
        )
    axes.set_yticks(range(len(shown)), [f"{one.library}: {one.label}" for one in shown], fontsize=7)
    axes.set_ylim(-0.6, len(shown) - 0.4)
    axes.set_xscale("log")
    axes.set_xlim(_FLOOR, 2 * max((one.high for one in shown), default=1))
    axes.set_xlabel("CPU microseconds added to a request, over the bare route (median, quartiles)")
    axes.spines[["top", "right"]].set_visible(False)
    drawing.savefig(path)
