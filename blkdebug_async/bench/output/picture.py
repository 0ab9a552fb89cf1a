"""The picture: how latencies are distributed, and the throughput over time; SVG or PNG.

Drawn by matplotlib, without a screen. Colours are those of Okabe and Ito, which nearly everybody
can tell apart; a job has a colour and a kind of request its dashes, so that both can be read in
grey.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from math import ceil, floor, log10
from pathlib import Path
from typing import Final

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from blkdebug_async.bench.job import Op
from blkdebug_async.bench.output.curves import Curve
from blkdebug_async.bench.output.texts import digits_text, latency_text, shortened, size_text
from blkdebug_async.bench.result import Sample

#: What the name of a file may end in.
FORMATS: Final = (".png", ".svg")
_COLOURS: Final = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7"),
    *("#E69F00", "#56B4E9", "#000000", "#7A5C00"),
)
_DASHES: Final = {
    Op.READ: (0, ()),
    Op.WRITE: (0, (6, 1.5)),
    Op.ZERO: (0, (1.2, 1.2)),
    Op.DISCARD: (0, (6, 1.5, 1.2, 1.5)),
    Op.FLUSH: (0, (3, 1.2, 1.2, 1.2, 1.2, 1.2)),
}
#: Tell jobs apart that have the same colour.
_MARKERS: Final = ("", "o", "s", "^", "D")
_MARKS: Final = 8
_HEADROOM: Final = 0.08
#: Rates that differ more than that have a logarithmic scale.
_FAR_APART: Final = 40
#: Curves with fewer points are drawn as the stairs that they are.
_SMOOTH: Final = 80
#: More curves than that have their legend in two columns.
_ONE_COLUMN: Final = 3
_LONGEST_NAME: Final = 18
#: Ticks between two powers of ten; the first set that gives enough is taken.
_SUBDIVISIONS: Final = ((1.0,), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0))
_ENOUGH_TICKS: Final = 4
#: What a scale of rates counts in, largest first.
_BYTE_UNITS: Final = ((1e9, "GB/s"), (1e6, "MB/s"), (1e3, "kB/s"), (1.0, "bytes/s"))
_REQUEST_UNITS: Final = ((1e6, "million/s"), (1e3, "thousand/s"), (1.0, "per second"))
_PERCENTILE_TICKS: Final = {
    1: "fastest",
    2: "50 %",
    4: "75 %",
    10: "90 %",
    100: "99 %",
    1_000: "99.9 %",
    10_000: "99.99 %",
    100_000: "99.999 %",
    1_000_000: "99.9999 %",
}


def draw(path: Path, found: Sequence[Curve], title: str) -> None:
    """Draw a picture and save it.

    Args:
        path: Its ending, one of FORMATS, says what it becomes.
        found: What is drawn.
        title: One line above it.

    Raises:
        OSError: The file cannot be written.
    """
    assert path.suffix in FORMATS
    with _styled():
        figure = _figure(found, title)
        # The same file for the same result: nothing says when it was drawn.
        date = {"Date": None} if path.suffix == ".svg" else {}
        figure.savefig(path, dpi=150, metadata=date)


def _styled() -> AbstractContextManager[None]:
    return rc_context(
        {
            "axes.edgecolor": "#666666",
            "axes.grid": True,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.titlelocation": "left",
            "axes.titlesize": 11,
            "axes.titleweight": "bold",
            "figure.titlesize": 13,
            "font.size": 10,
            "grid.color": "#dddddd",
            "grid.linewidth": 0.7,
            "legend.fontsize": 8.5,
            "lines.linewidth": 1.8,
            # The same result makes the same file.
            "svg.hashsalt": "blkdebug-async",
        }
    )


def _figure(found: Sequence[Curve], title: str) -> Figure:
    rows = -(-len(found) // _columns(found))
    figure = Figure(figsize=(11, 7.4 + 0.22 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, x=0.01, ha="left", weight="bold")
    panels = figure.subplot_mosaic([["latency"] * 2, ["bytes", "requests"]], height_ratios=[5, 4])
    peaks: dict[str, list[float]] = {"bytes": [], "requests": []}
    for curve, style in zip(found, _styles(found), strict=True):
        _draw_latencies(panels["latency"], curve, style)
        for panel, values in _rates(curve).items():
            _draw_rates(panels[panel], curve.intervals, values, style)
            peaks[panel].append(max(values))
    _finish_latencies(panels["latency"], found)
    _finish_rates(panels["bytes"], "Throughput over time", _BYTE_UNITS, peaks["bytes"])
    _finish_rates(panels["requests"], "Requests over time", _REQUEST_UNITS, peaks["requests"])
    handles, labels = panels["latency"].get_legend_handles_labels()
    if handles:
        columns = _columns(found)
        figure.legend(handles, labels, loc="outside lower left", ncols=columns, frameon=False)
    return figure


def _columns(found: Sequence[Curve]) -> int:
    return 1 if len(found) <= _ONE_COLUMN else 2


class _Style:
    """How a curve is drawn."""

    def __init__(self, index: int, op: Op, *, by_op: bool) -> None:
        self.colour = _COLOURS[(list(_DASHES).index(op) if by_op else index) % len(_COLOURS)]
        self.dashes = _DASHES[op]
        self.marker = _MARKERS[index // len(_COLOURS) % len(_MARKERS)]


def _styles(found: Sequence[Curve]) -> list[_Style]:
    """A colour a job; with a single job, a colour a kind of request."""
    jobs = list(dict.fromkeys(curve.job for curve in found))
    return [_Style(jobs.index(each.job), each.op, by_op=len(jobs) == 1) for each in found]


def _label(curve: Curve) -> str:
    name = shortened(curve.job, _LONGEST_NAME)
    failed = f", {curve.failed:,} failed" if curve.failed else ""
    if not curve.latencies:
        return f"{name}, {curve.op}: none answered{failed}"
    moved = "" if curve.op is Op.FLUSH else f", {size_text(curve.bytes_per_s)}/s"
    return (
        f"{name}, {curve.op}: {digits_text(curve.requests_per_s)}/s{moved}, "
        f"median {latency_text(curve.median_ns)}, 99 % {latency_text(curve.slow_ns)}{failed}"
    )


def _draw_latencies(axes: Axes, curve: Curve, style: _Style) -> None:
    shares = [share for share, _ in curve.latencies]
    # A logarithmic scale has no zero.
    times_ns = [max(time_ns, 1) for _, time_ns in curve.latencies]
    alone = len(shares) == 1
    axes.plot(
        shares,
        times_ns,
        label=_label(curve),
        color=style.colour,
        linestyle=style.dashes,
        marker=style.marker or ("o" if alone else ""),
        markersize=5,
        markevery=max(len(shares) // _MARKS, 1),
        # The fastest of all lies on the edge.
        clip_on=not alone,
        drawstyle="steps-pre" if len(shares) < _SMOOTH else "default",
    )


def _rates(curve: Curve) -> dict[str, list[float]]:
    """Give what is drawn in the panels of rates; what never had one is not."""
    rates = {
        "bytes": [each.bandwidth for each in curve.intervals],
        "requests": [each.iops for each in curve.intervals],
    }
    return {panel: values for panel, values in rates.items() if any(values)}


def _draw_rates(
    axes: Axes, intervals: Sequence[Sample], values: Sequence[float], style: _Style
) -> None:
    edges_ns = [intervals[0].start_ns, *(each.end_ns for each in intervals)]
    axes.plot(
        [edge_ns / 1e9 for edge_ns in edges_ns],
        [values[0], *values],
        drawstyle="steps-pre",
        color=style.colour,
        linestyle=style.dashes,
        marker=style.marker,
        markersize=5,
        markevery=max(len(edges_ns) // _MARKS, 1),
    )


def _finish_latencies(axes: Axes, found: Sequence[Curve]) -> None:
    axes.set_title("Latency distribution")
    most = max((share for curve in found for share, _ in curve.latencies), default=0.0)
    if not most:
        _say_nothing(axes)
        return
    axes.set_xlabel("share of the requests that took no longer")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(1, max(most, 10))
    shares = {at: text for at, text in _PERCENTILE_TICKS.items() if at <= max(most, 10)}
    axes.xaxis.set_major_locator(FixedLocator(list(shares)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda at, _: shares.get(round(at), "")))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(FixedLocator(_ticks(*axes.get_ylim())))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda at, _: _tick_text(at)))
    axes.yaxis.set_minor_locator(NullLocator())


def _ticks(lowest: float, highest: float) -> list[float]:
    """Round values of a logarithmic scale, enough of them to read it."""
    found: list[float] = []
    for steps in _SUBDIVISIONS:
        powers = range(floor(log10(lowest)), ceil(log10(highest)) + 1)
        all_values = (step * 10.0**power for power in powers for step in steps)
        found = [value for value in all_values if lowest <= value <= highest]
        if len(found) >= _ENOUGH_TICKS:
            break
    return found


def _tick_text(duration_ns: float) -> str:
    number, _, unit = latency_text(duration_ns).partition(" ")
    return f"{float(number):g} {unit}"


def _finish_rates(
    axes: Axes, title: str, units: Sequence[tuple[float, str]], peaks: Sequence[float]
) -> None:
    if not peaks:
        axes.set_title(title)
        _say_nothing(axes)
        return
    axes.margins(x=0)
    axes.set_xlabel("seconds")
    top = max(peaks) * (1 + _HEADROOM)
    lowest = min(peaks)
    if lowest * _FAR_APART < top:
        # Next to the fastest, the slowest would be a line along the bottom.
        axes.set_yscale("log", nonpositive="mask")
        axes.set_ylim(lowest / 10, top)
        axes.set_title(f"{title}, {units[-1][1]}")
        axes.yaxis.set_major_locator(FixedLocator(_ticks(lowest / 10, top)))
        axes.yaxis.set_major_formatter(EngFormatter(sep=" "))
    else:
        scale, unit = next((each for each in units if top >= each[0]), units[-1])
        axes.set_ylim(0, top)
        axes.set_title(f"{title}, {unit}")
        axes.yaxis.set_major_locator(FixedLocator(_even_ticks(top / scale, scale)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda at, _: f"{at / scale:,g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def _even_ticks(top: float, scale: float) -> list[float]:
    ticks = MaxNLocator(nbins=6, steps=[1, 2, 5, 10]).tick_values(0, top)
    return [float(tick) * scale for tick in ticks if tick <= top]


def _say_nothing(axes: Axes) -> None:
    axes.text(0.5, 0.5, "no request was answered", ha="center", transform=axes.transAxes)
    axes.set_xticks([])
    axes.set_yticks([])
