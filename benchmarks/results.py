"""Figures as they are kept: what was measured, what follows from it, and both as JSON."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.harness import Comparison, Curve
from benchmarks.machine import Machine

FORMAT = 1
LATEST = Path(__file__).parent / "results" / "latest.json"


@dataclass(frozen=True)
class Spread:
    """A median, and the quartiles around it."""

    low: float
    median: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Look at all rounds."""
    if len(values) == 1:
        return Spread(values[0], values[0], values[0])
    return Spread(*statistics.quantiles(values, n=4, method="inclusive"))


@dataclass(frozen=True)
class Figures:
    """What one side did."""

    name: str
    #: How many it did in each round.
    count: int
    #: How many it would have done in a second, for each round.
    rates: tuple[float, ...]

    @property
    def rate(self) -> float:
        """Median per second."""
        return statistics.median(self.rates)


@dataclass(frozen=True)
class Row:
    """A question and its answer."""

    key: str
    group: str
    case: str
    things: str
    floor: float | None
    aim: float | None
    #: Why there is no answer; "": there is one.
    skipped: str
    #: Theirs, ours, others.
    sides: tuple[Figures, ...]

    def ratio(self, number: int = 1) -> Spread:
        """Compare a side with the first one, round by round."""
        base = self.sides[0].rates
        rounds = zip(self.sides[number].rates, base, strict=True)
        return spread([ours / theirs for ours, theirs in rounds])

    @property
    def verdict(self) -> str:
        """Say in words what the ratio of ours to theirs is worth."""
        if self.skipped:
            return "skipped"
        if self.floor is None:
            return ""
        median = self.ratio().median
        if median < self.floor:
            return "below the floor"
        if self.aim is not None and median >= self.aim:
            return "aim"
        return "floor"


@dataclass(frozen=True)
class Point:
    """A point of a curve."""

    x: int
    #: y in each round.
    values: tuple[float, ...]


@dataclass(frozen=True)
class Line:
    """One line of a curve."""

    name: str
    points: tuple[Point, ...]

    def at(self, x: int) -> Point:
        """Find a point."""
        return next(point for point in self.points if point.x == x)


@dataclass(frozen=True)
class Bound:
    """What a point of a curve may be at most; harness.Limit says more."""

    what: str
    line: str
    x: int
    at_most: float
    base: int | None


@dataclass(frozen=True)
class CurveFigures:
    """A curve as it was measured."""

    key: str
    group: str
    title: str
    x_label: str
    y_label: str
    skipped: str
    lines: tuple[Line, ...]
    bounds: tuple[Bound, ...]

    def line(self, name: str) -> Line:
        """Find a line."""
        return next(line for line in self.lines if line.name == name)

    def measured(self, bound: Bound) -> Spread:
        """Look at what is bounded, round by round."""
        line = self.line(bound.line)
        values = line.at(bound.x).values
        if bound.base is None:
            return spread(values)
        base = line.at(bound.base).values
        return spread([value / its for value, its in zip(values, base, strict=True)])

    def verdict(self, bound: Bound) -> str:
        """Say in words whether a bound is kept."""
        return "kept" if self.measured(bound).median <= bound.at_most else "not kept"


@dataclass(frozen=True)
class Results:
    """All of one run."""

    machine: Machine
    #: Something to know about this run; "": nothing.
    note: str
    rounds: int
    #: How long a side's turn was meant to take.
    seconds: float
    #: How busy the machine was before and after.
    loads: tuple[tuple[float, ...], ...]
    #: Per cent of the processors' time that the host gave to others meanwhile.
    stolen_percent: float
    rows: tuple[Row, ...] = ()
    curves: tuple[CurveFigures, ...] = field(default=())

    def row(self, key: str) -> Row:
        """Find a row."""
        return next(row for row in self.rows if row.key == key)


def row_of(comparison: Comparison) -> Row:
    """Take down what a comparison has measured."""
    sides = [] if comparison.skipped else comparison.sides
    return Row(
        key=comparison.key,
        group=comparison.group,
        case=comparison.case,
        things=comparison.things,
        floor=comparison.floor,
        aim=comparison.aim,
        skipped=comparison.skipped,
        sides=tuple(
            Figures(side.name, side.count, tuple(_short(side.count / took) for took in side.took))
            for side in sides
        ),
    )


def curve_of(curve: Curve) -> CurveFigures:
    """Take down what a curve has measured."""
    lines = {} if curve.skipped else curve.lines
    return CurveFigures(
        key=curve.key,
        group=curve.group,
        title=curve.title,
        x_label=curve.x_label,
        y_label=curve.y_label,
        skipped=curve.skipped,
        lines=tuple(
            Line(
                name,
                tuple(
                    Point(x, tuple(_short(took / side.count * curve.scale) for took in side.took))
                    for x, side in points.items()
                ),
            )
            for name, points in lines.items()
        ),
        bounds=tuple(
            Bound(limit.what, limit.line, limit.x, limit.at_most, limit.base)
            for limit in curve.limits
            if lines
        ),
    )


def to_json(results: Results) -> str:
    """Write it down, along with what follows from it."""
    data = {"format": FORMAT, **asdict(results)}
    for row, kept in zip(results.rows, data["rows"], strict=True):
        kept["verdict"] = row.verdict
        if row.sides:
            kept["ratio"] = _short_spread(row.ratio())
            for side, its in zip(row.sides, kept["sides"], strict=True):
                its["rate"] = _short(side.rate)
    for curve, kept in zip(results.curves, data["curves"], strict=True):
        for bound, its in zip(curve.bounds, kept["bounds"], strict=True):
            its["verdict"] = curve.verdict(bound)
            its["measured"] = _short_spread(curve.measured(bound))
    return json.dumps(data, indent=1) + "\n"


def from_json(text: str) -> Results:
    """Read it back; what follows from the rest is not believed.

    Raises:
        ValueError: It was written by another version of this module.
    """
    data = json.loads(text)
    if data.pop("format") != FORMAT:
        raise ValueError("these results have another format")
    rows = tuple(_row(each) for each in data.pop("rows"))
    curves = tuple(_curve(each) for each in data.pop("curves"))
    machine = Machine(**data.pop("machine"))
    loads = tuple(tuple(each) for each in data.pop("loads"))
    return Results(machine=machine, loads=loads, rows=rows, curves=curves, **data)


def _row(data: dict[str, object]) -> Row:
    plain = {key: value for key, value in data.items() if key not in ("sides", "verdict", "ratio")}
    sides = data["sides"]
    assert isinstance(sides, list)
    figures = (Figures(each["name"], each["count"], tuple(each["rates"])) for each in sides)
    return Row(**plain, sides=tuple(figures))  # type: ignore[arg-type]


def _curve(data: dict[str, object]) -> CurveFigures:
    plain = {key: value for key, value in data.items() if key not in ("lines", "bounds")}
    lines, bounds = data["lines"], data["bounds"]
    assert isinstance(lines, list)
    assert isinstance(bounds, list)
    return CurveFigures(
        **plain,  # type: ignore[arg-type]
        lines=tuple(
            Line(
                line["name"],
                tuple(Point(point["x"], tuple(point["values"])) for point in line["points"]),
            )
            for line in lines
        ),
        bounds=tuple(
            Bound(each["what"], each["line"], each["x"], each["at_most"], each["base"])
            for each in bounds
        ),
    )


def _short(value: float) -> float:
    """Keep four digits: the rest is noise."""
    return float(f"{value:.4g}")


def _short_spread(whole: Spread) -> Mapping[str, float]:
    return {name: _short(value) for name, value in asdict(whole).items()}
