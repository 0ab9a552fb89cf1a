"""Curves drawn as SVG: small, and the same whenever the figures are."""

from __future__ import annotations

import io
from collections.abc import Iterator

from matplotlib import style
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

from benchmarks.pictures import digest
from benchmarks.results import CurveFigures, Line, spread

STYLE = {
    # So that names inside of the file do not change from run to run, and text stays text.
    "svg.hashsalt": "blkdebug_async",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "axes.edgecolor": "#888888",
    "legend.frameon": False,
}
#: Told apart by everybody, and in grey by their markers.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#777777")
MARKERS = ("o", "s", "^", "D")
SIZE_INCHES = (6.8, 3.7)
#: From here on, what is small is easier seen on a logarithmic axis.
WIDE = 40


def draw(curve: CurveFigures) -> str:
    """Give a picture of a curve."""
    with style.context(STYLE):
        figure = Figure(figsize=SIZE_INCHES, layout="constrained")
        axes = figure.add_subplot()
        for line, colour, marker in zip(curve.lines, COLOURS, MARKERS, strict=False):
            _draw_line(axes, line, colour, marker)
            _draw_bounds(axes, curve, line, colour)
        _scale_x(axes, curve)
        _scale_y(axes, curve)
        _explain(figure, axes, curve)
        drawn = io.StringIO()
        about = {"Date": None, "Creator": None, "Description": digest(curve)}
        figure.savefig(drawn, format="svg", metadata=about)
    return "\n".join(text.rstrip() for text in drawn.getvalue().splitlines()) + "\n"


def _draw_line(axes: Axes, line: Line, colour: str, marker: str) -> None:
    xs = [point.x for point in line.points]
    spreads = [spread(point.values) for point in line.points]
    low, high = [each.low for each in spreads], [each.high for each in spreads]
    axes.fill_between(xs, low, high, color=colour, alpha=0.15, linewidth=0)
    medians = [each.median for each in spreads]
    axes.plot(xs, medians, color=colour, marker=marker, markersize=5, label=line.name)


def _draw_bounds(axes: Axes, curve: CurveFigures, line: Line, colour: str) -> None:
    for x, height in _bounds(curve, line):
        axes.plot([x], [height], "_", color=colour, markersize=20, markeredgewidth=2.5)


def _bounds(curve: CurveFigures, line: Line) -> Iterator[tuple[int, float]]:
    """List what may be reached; what is so far away that it would flatten the curve is left out."""
    highest = max(spread(point.values).median for each in curve.lines for point in each.points)
    for bound in curve.bounds:
        if bound.line == line.name:
            base = 1.0 if bound.base is None else spread(line.at(bound.base).values).median
            if base * bound.at_most < 2 * highest:
                yield bound.x, base * bound.at_most


def _explain(figure: Figure, axes: Axes, curve: CurveFigures) -> None:
    handles: list[Artist] = list(axes.get_legend_handles_labels()[0])
    if any(True for line in curve.lines for _ in _bounds(curve, line)):
        bar = Line2D([], [], color="#888888", linestyle="", marker="_", label="at most")
        bar.set(markersize=14, markeredgewidth=2.5)
        handles.append(bar)
    # The title is the legend's: so they cannot get into each other's way.
    figure.legend(
        handles=handles,
        title=curve.title,
        alignment="left",
        loc="outside upper left",
        ncols=len(handles),
        fontsize=9,
        title_fontsize=11.5,
    )


def _scale_x(axes: Axes, curve: CurveFigures) -> None:
    xs = sorted({point.x for line in curve.lines for point in line.points})
    axes.set_xlabel(curve.x_label)
    if xs[-1] >= 100:
        axes.set_xscale("symlog" if xs[0] == 0 else "log")
        axes.minorticks_off()
    axes.set_xticks(xs)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))


def _scale_y(axes: Axes, curve: CurveFigures) -> None:
    axes.set_ylabel(curve.y_label)
    medians = [spread(point.values).median for line in curve.lines for point in line.points]
    if max(medians) > WIDE * min(medians):
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,g}"))
