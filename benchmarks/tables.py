"""Figures as Markdown: what `make bench` prints, and what docs/performance.md shows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from benchmarks.machine import describe
from benchmarks.results import CurveFigures, Results, Row, Spread, spread

VERDICTS = {
    "below the floor": "**below the floor**",
    "not kept": "**not kept**",
}


def sections(results: Results) -> dict[str, str]:
    """Put everything into tables, by name of section."""
    found = {
        "machine": machine(results),
        "targets": targets(results.rows),
        "others": others(results.rows),
        "costs": costs(results.curves),
    }
    found |= {f"{row.group}-table": plain(row) for row in results.rows if row.floor is None}
    found |= {f"{curve.key}-table": points(curve) for curve in results.curves}
    return found


def report(results: Results) -> str:
    """Put it all on one page."""
    titles = {
        "machine": "Figures",
        "targets": "Ours and theirs",
        "others": "Other ways to ask",
        "costs": "Bounds of costs",
    }
    titles |= {f"{row.group}-table": row.case for row in results.rows if row.floor is None}
    titles |= {f"{curve.key}-table": curve.title for curve in results.curves}
    parts = [
        f"## {titles[name][0].upper()}{titles[name][1:]}\n\n{text}\n"
        for name, text in sections(results).items()
        if text
    ]
    return "\n".join(["# The latest figures\n", *parts])


def machine(results: Results) -> str:
    """Say what it was measured on."""
    before, after = (", ".join(str(load) for load in loads) for loads in results.loads)
    lines = [f"- {line}" for line in describe(results.machine)]
    lines.append(
        f"- {results.machine.day}; {results.rounds} rounds of {results.seconds:g} s for each side; "
        f"load before: {before}, after: {after}; {results.stolen_percent:g} % of the processors' "
        "time went to other machines"
    )
    if results.note:
        lines.append(f"- **{results.note}**")
    return "\n".join(lines)


def targets(rows: Iterable[Row]) -> str:
    """Compare ours with theirs, where there is a target."""
    head = ("case", "theirs", "ours", "ratio", "quartiles", "floor", "aim", "verdict")
    body = [_target(row) for row in rows if row.floor is not None]
    return _table(head, body, numbers=range(1, 7)) if body else ""


def _target(row: Row) -> Sequence[str]:
    goals = (f"{row.floor:g}", "" if row.aim is None else f"{row.aim:g}")
    if row.skipped:
        return (row.case, "", "", "", "", *goals, f"skipped: {row.skipped}")
    theirs, ours = (_rate(side.rate, row.things) for side in row.sides[:2])
    ratio = row.ratio()
    verdict = VERDICTS.get(row.verdict, row.verdict)
    return (row.case, theirs, ours, _two(ratio.median), _quartiles(ratio), *goals, verdict)


def others(rows: Iterable[Row]) -> str:
    """Compare further sides with theirs."""
    head = ("case", "side", "figures", "ratio to theirs", "quartiles")
    body = []
    for row in rows:
        if row.floor is None:
            continue
        for number, side in enumerate(row.sides[2:], 2):
            ratio = row.ratio(number)
            figures = _rate(side.rate, row.things)
            case = row.case if number == 2 else ""
            body.append((case, side.name, figures, _two(ratio.median), _quartiles(ratio)))
    return _table(head, body, numbers=range(2, 5)) if body else ""


def plain(row: Row) -> str:
    """List sides of a question without a target; the first one is what the others stand against."""
    if row.skipped:
        return f"Skipped: {row.skipped}."
    head = ("", f"one of {row.things}", "quartiles", "beyond the first", "ratio to it")
    base = row.sides[0]
    body = []
    for side in row.sides:
        took = spread([1 / rate for rate in side.rates])
        rounds = list(zip(side.rates, base.rates, strict=True))
        beyond = spread([1 / mine - 1 / its for mine, its in rounds]).median
        ratio = spread([its / mine for mine, its in rounds]).median
        more = ("", "") if side is base else (_time(beyond), _two(ratio))
        body.append(
            (side.name, _time(took.median), f"{_time(took.low)} - {_time(took.high)}", *more)
        )
    return _table(head, body, numbers=range(1, 5))


def costs(curves: Iterable[CurveFigures]) -> str:
    """Say which bounds are kept."""
    head = ("cost", "measured", "quartiles", "at most", "verdict")
    body = []
    for curve in curves:
        for bound in curve.bounds:
            found = curve.measured(bound)
            verdict = VERDICTS.get(curve.verdict(bound), curve.verdict(bound))
            number = _two if bound.base is not None else _plain
            low, median, high = (number(each) for each in (found.low, found.median, found.high))
            body.append((bound.what, median, f"{low} - {high}", f"{bound.at_most:g}", verdict))
    return _table(head, body, numbers=range(1, 4)) if body else ""


def points(curve: CurveFigures) -> str:
    """List a curve's medians."""
    if curve.skipped:
        return f"Skipped: {curve.skipped}."
    head = (curve.x_label, *(line.name for line in curve.lines))
    body = [
        (f"{x:,}", *(_plain(spread(line.at(x).values).median) for line in curve.lines))
        for x in sorted({point.x for line in curve.lines for point in line.points})
    ]
    return f"In {curve.y_label}:\n\n{_table(head, body, numbers=range(len(head)))}"


def _table(head: Sequence[str], body: Iterable[Sequence[str]], numbers: Iterable[int]) -> str:
    return "\n".join(_rows(head, body, set(numbers)))


def _rows(head: Sequence[str], body: Iterable[Sequence[str]], numbers: set[int]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "".join("|---:" if number in numbers else "|---" for number in range(len(head))) + "|"
    for row in body:
        yield f"| {' | '.join(row)} |"


def _rate(rate: float, things: str) -> str:
    if things == "requests":
        return f"{_time(1 / rate)}, {_plain(rate)}/s"
    return f"{_time(1 / rate)}, {_plain(rate)} {things}/s"


def _time(seconds: float) -> str:
    for unit, scale in (("s", 1.0), ("ms", 1e3)):
        if abs(seconds) * scale >= 1:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def _quartiles(ratio: Spread) -> str:
    return f"{_two(ratio.low)} - {_two(ratio.high)}"


def _two(number: float) -> str:
    digits = 2 if abs(number) < 10 else 1 if abs(number) < 100 else 0
    return f"{number:.{digits}f}"


def _plain(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"
