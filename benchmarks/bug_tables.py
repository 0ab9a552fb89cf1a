"""What `make bench-bugs` shows: one line a bug, then totals, then what is not as it should be."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from benchmarks.bug_results import BugResults, quickest, too_long, total
from benchmarks.hunting import BROKE, Hunt, Plan, bug_named
from benchmarks.machine import describe

#: Head and cells of a table.
Rows = Sequence[Sequence[str]]

#: Columns to leave out where there is no room.
_SPARED: Final = (
    *("best of the others", "needs", "our steps a second", "worst", "frontrun", "helped"),
    *("detangle", "min", "p90", "all runs of twins", "shrunk to min + 1"),
)
#: What they are called at the head of a column, where there is little room.
_SHORT: Final[Mapping[str, str]] = {
    "detangle": "detangle",
    "detangle-helped": "helped",
    "frontrun": "frontrun",
}


def bug_rows(results: BugResults) -> Rows:
    """Give a line for each bug."""
    ours = [name for name in results.explorers if name not in _SHORT]
    theirs = [name for name in results.explorers if name in _SHORT and not results.explorers[name]]
    head = ["bug", "needs", "min", "auto", "left", "twin", "best of the others"]
    rows = [head + [_SHORT[name] for name in theirs]]
    for name in results.bugs:
        bug = bug_named(name)
        auto = results.hunt("auto", name)
        others = [found for each in ours if each != "auto" and (found := results.hunt(each, name))]
        rows.append(
            [
                name,
                str(bug.needs),
                _or_none(bug.known_minimum),
                effort(auto),
                _or_none(auto.deviations if auto and auto.found else None),
                _twin(auto),
                _best(others),
                *(effort(results.hunt(each, name)) for each in theirs),
            ]
        )
    return rows


def total_rows(results: BugResults) -> Rows:
    """Give a line for each explorer."""
    head = [
        "explorer",
        "found",
        "median runs",
        "median",
        "p90",
        "worst",
        "shrunk to min + 1",
        "twins that fail",
        "all runs of twins",
    ]
    rows = [head]
    for name, why in results.explorers.items():
        if why:
            rows.append([name, why, *[""] * (len(head) - 2)])
            continue
        summed = total(results, name)
        rows.append(
            [
                name,
                f"{summed.found} of {summed.asked}",
                "" if math.isnan(summed.runs) else f"{summed.runs:,.0f}",
                seconds(summed.seconds),
                seconds(summed.seconds_p90),
                seconds(summed.worst_seconds),
                f"{summed.small} of {summed.found}" if name != "frontrun" else "",
                str(summed.false_alarms),
                str(summed.through or ""),
            ]
        )
    return rows


def speed_rows(results: BugResults) -> Rows:
    """Give a line for each scenario and strategy: runs per second, theirs and ours."""
    head = ["scenario", "detangle", "explore()", "ratio", "our steps a second"]
    rows: list[Sequence[str]] = [head]
    for theirs, ours in zip(results.speeds[::2], results.speeds[1::2], strict=True):
        rows.append(
            [
                ours.name,
                f"{theirs.rate:,.0f}/s",
                f"{ours.rate:,.0f}/s",
                f"{ours.over(theirs):.2f}",
                f"{ours.rate * ours.steps:,.0f}",
            ]
        )
    return rows


def count_rows(results: BugResults) -> Rows:
    """Give a line for each number of writers."""
    rows: list[Sequence[str]] = [["writers", "disjoint", "overlapping", "orders of these"]]
    apart = {each.writers: each for each in results.counts if not each.overlapping}
    for each in results.counts:
        if each.overlapping:
            runs = str(apart[each.writers].runs)
            rows.append([str(each.writers), runs, f"{each.runs:,}", f"{each.expected:,}"])
    return rows


def complaints(results: BugResults) -> Iterator[str]:
    """Say what is not as it should be: of ours, and where another one broke."""
    for hunt in results.hunts:
        if hunt.explorer == "auto" and not hunt.found and not hunt.cannot:
            yield f"auto does not find {hunt.bug} within {results.plans['auto'].seconds:g} s"
    for hunt in results.hunts:
        if hunt.cannot.startswith(BROKE):
            yield f"{hunt.explorer}, {hunt.bug}: {hunt.cannot}"
        if hunt.explorer not in _SHORT:
            yield from _of_ours(hunt)
    for count in results.counts:
        if count.runs != count.expected:
            kind = "overlapping" if count.overlapping else "disjoint"
            yield f"DPOR makes {count.runs} runs for {count.writers} {kind} writers"


def _of_ours(hunt: Hunt) -> Iterator[str]:
    minimum = bug_named(hunt.bug).known_minimum
    if hunt.false_alarm:
        yield f"{hunt.explorer} says of the twin of {hunt.bug}: {hunt.false_alarm}"
    left = [each.deviations for each in hunt.searches if each.deviations is not None]
    if too_long(hunt):
        seeds = sum(minimum is not None and each > minimum + 1 for each in left)
        yield (
            f"{hunt.explorer} leaves up to {max(left)} deviations of {hunt.bug}, where {minimum} "
            f"are enough, with {seeds} of {len(left)} seeds"
        )
    if minimum is not None and left and min(left) < minimum:
        yield f"{hunt.explorer} needs {min(left)} for {hunt.bug}, less than the known {minimum}"


def conditions(results: BugResults) -> list[str]:
    """Say what it was measured on, and how."""
    packages = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    lines = [*describe(results.machine)][:2]
    lines.append(f"{packages or 'no other explorers'}; {results.machine.day}")
    plans: dict[Plan, list[str]] = {}
    for name, plan in results.plans.items():
        plans.setdefault(plan, []).append(name)
    for plan, names in plans.items():
        whose = "" if len(plans) == 1 else f"{', '.join(names)}: "
        lines.append(
            f"{whose}at most {plan.seconds:g} s of one core a search, medians of {plan.seeds} "
            f"seeds where chance decides; twins for {plan.twin_runs:,} runs, at most "
            f"{plan.twin_seconds:g} s"
        )
    if results.note:
        lines.append(results.note)
    return lines


def narrowed(rows: Rows, width: int) -> Rows:
    """Leave out columns, those first that one can do without, until a table fits in a line."""
    head = list(rows[0])
    for name in (*_SPARED, None):
        if sum(max(len(row[at]) for row in rows) + 2 for at in range(len(head))) - 2 <= width:
            break
        if name in head:
            at = head.index(name)
            head.remove(name)
            rows = [[*row[:at], *row[at + 1 :]] for row in rows]
    return rows


def markdown(rows: Rows, left: int = 1) -> str:
    """Write a table as Markdown.

    Args:
        rows: The first is the head.
        left: So many columns are words, the others figures.
    """
    head, *body = rows
    marks = ["---" if number < left else "---:" for number in range(len(head))]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, marks, *body))


def effort(hunt: Hunt | None) -> str:
    """Say what finding a bug took."""
    if hunt is None or hunt.cannot:
        return "-"
    if not hunt.found:
        if hunt.searches and all(each.exhausted for each in hunt.searches):
            return "says none"
        return "not found"
    return f"{hunt.runs:,.0f}, {seconds(hunt.seconds)}"


def seconds(value: float) -> str:
    """Write a time with two digits that count."""
    if math.isnan(value):
        return ""
    scale, unit = (1.0, "s") if value >= 1 else (1e3, "ms") if value >= 1e-3 else (1e6, "µs")
    digits = 1 if value * scale < 10 else 0
    return f"{value * scale:.{digits}f} {unit}"


def _twin(hunt: Hunt | None) -> str:
    if hunt is None or hunt.twin is None:
        return "-"
    if hunt.twin.failed:
        return "FAILS"
    return f"all {hunt.twin.runs:,}" if hunt.twin.exhausted else f"{hunt.twin.runs:,}"


def _best(hunts: Sequence[Hunt]) -> str:
    best = quickest(hunts)
    return "-" if best is None else f"{best.explorer} {effort(best)}"


def _or_none(number: int | None) -> str:
    return "-" if number is None else str(number)
