"""How soon do explorers find seeded bugs? `make bench-bugs`, or `python -m benchmarks.bench_bugs`.

Each strategy of ours, detangle and frontrun look for every bug in benchmarks/bugs, and watch its
mended twin. After that the speed of ours and detangle's is measured, and DPOR's runs are counted.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks import bug_tables
from benchmarks.bug_results import KEPT, BugResults, Count, Speed, from_json, merged, to_json
from benchmarks.bugs.bug import Bug
from benchmarks.bugs.registry import BUGS
from benchmarks.counting import counts
from benchmarks.explorers.named import USUAL, explorer_named, missing, versions
from benchmarks.harness import Comparison, measure
from benchmarks.hunting import Hunt, Plan, hunt_all
from benchmarks.machine import this_machine
from benchmarks.page import MARKED

#: Columns of a line that goes to no terminal.
_WIDTH = 160
PAGE = Path(__file__).parent.parent / "docs" / "bugs.md"


def main() -> int:
    """Hunt, print and write down; gives 1 if something is not as it should be."""
    asked = _parse(sys.argv[1:])
    if asked.page:
        return _write_page(from_json(KEPT.read_text()))
    bugs = _choose(asked.only)
    if asked.list:
        print("\n".join(f"{bug.name:50} {bug.needs:10} {bug.note}" for bug in bugs))
        return 0
    results = _run(bugs, asked)
    if asked.update:
        results = merged(from_json(KEPT.read_text()), results, USUAL)
    found = list(bug_tables.complaints(results))
    _show(results, found)
    output = asked.json or (KEPT if asked.update or _is_whole(asked) else None)
    if output is not None:
        output.write_text(to_json(results))
        print(f"Written to {output}.")
        if output == KEPT:
            _write_page(results)
    return 1 if found else 0


def _parse(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.bench_bugs", description=__doc__)
    add = parser.add_argument
    plan = Plan()
    add("--only", nargs="+", default=[], metavar="BUG", help="names; * and ? match anything")
    add(
        "--strategies",
        nargs="+",
        default=list(USUAL),
        metavar="NAME",
        help=f"explorers (default: {' '.join(USUAL)}); dpor+disk-only, bounded:3 and such too",
    )
    add("--seconds", type=float, default=plan.seconds, help="of one core for a search (60)")
    add("--seeds", type=int, default=plan.seeds, help="where chance decides (5)")
    add("--twin-runs", type=int, default=plan.twin_runs, help="most runs of a twin (5000)")
    add("--twin-seconds", type=float, default=plan.twin_seconds, help="most of them (10)")
    add("--jobs", type=int, default=os.cpu_count() or 1, help="processes (one for each core)")
    add("--json", type=Path, help="where to write figures; by default, where all were measured")
    add("--update", action="store_true", help="keep what was kept of other explorers")
    add("--no-speed", action="store_true", help="measure no speed, and count no runs of DPOR")
    add("--rounds", type=int, default=7, help="of measuring speed (7)")
    add("--list", action="store_true", help="list the bugs, and look for none")
    add("--page", action="store_true", help="only bring docs/bugs.md up to date")
    add("--note", default="", help="something to know about this run")
    asked = parser.parse_args(words)
    if asked.seeds < 1 or asked.jobs < 1:
        parser.error("there must be a seed and a process")
    if asked.update and (asked.only or not KEPT.exists()):
        parser.error("--update is for all bugs, and for figures that are there")
    for name in asked.strategies:
        try:
            if not missing(name):
                explorer_named(name)
        except ValueError as error:
            parser.error(str(error))
    return asked


def _is_whole(asked: argparse.Namespace) -> bool:
    return not asked.only and asked.strategies == list(USUAL) and not asked.no_speed


def _choose(patterns: Sequence[str]) -> list[Bug]:
    for pattern in patterns:
        if not any(fnmatch(bug.name, pattern) for bug in BUGS):
            raise SystemExit(f"No bug is called {pattern}; --list lists them.")
    return [
        bug for bug in BUGS if not patterns or any(fnmatch(bug.name, each) for each in patterns)
    ]


def _run(bugs: Sequence[Bug], asked: argparse.Namespace) -> BugResults:
    plan = Plan(asked.seconds, asked.seeds, asked.twin_runs, asked.twin_seconds)
    explorers = {name: missing(name) for name in asked.strategies}
    names = [name for name, why in explorers.items() if not why]
    columns = (
        BarColumn(24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("", total=len(names) * len(bugs))

        def told(hunt: Hunt) -> None:
            what = hunt.cannot or bug_tables.effort(hunt)
            line = f"{hunt.explorer}: {hunt.bug}: {what}"
            progress.update(bar, advance=1, description=line[:70])

        hunts = tuple(hunt_all(names, bugs, plan, asked.jobs, told))
    speeds: tuple[Speed, ...] = ()
    counted: tuple[Count, ...] = ()
    if not asked.no_speed:
        speeds = _speeds(asked.rounds) if not missing("detangle") else ()
        counted = tuple(counts())
    return BugResults(
        machine=this_machine(Path()),
        plans=dict.fromkeys(names, plan),
        explorers=explorers,
        hunts=hunts,
        speeds=speeds,
        counts=counted,
        note=asked.note,
        versions=versions(),
    )


def _speeds(rounds: int) -> tuple[Speed, ...]:
    race = import_module("benchmarks.explorers.race")
    questions: list[Comparison] = list(race.questions())
    for error in measure(questions, rounds, 0.5):
        raise error
    return tuple(
        Speed(question.case, steps, tuple(side.count / took for took in side.took))
        for question, steps in zip(questions, race.steps(), strict=True)
        for side in question.sides
    )


def _show(results: BugResults, found: Sequence[str]) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(width=_WIDTH, highlight=False)
    for line in bug_tables.conditions(results):
        console.print(line)
    _print(console, "Runs and time to each bug", bug_tables.bug_rows(results), words=2)
    _print(console, "In all", bug_tables.total_rows(results))
    if results.speeds:
        _print(console, "Runs per second", bug_tables.speed_rows(results))
    if results.counts:
        _print(console, "Runs of DPOR, tasks share the disk only", bug_tables.count_rows(results))
    if found:
        console.print(f"\n{len(found)} things are not as they should be:", style="bold red")
        for line in found:
            console.print(f"- {line}", soft_wrap=True)


def _print(console: Console, title: str, rows: bug_tables.Rows, words: int = 1) -> None:
    rows = bug_tables.narrowed(rows, console.width)
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    head, *body = rows
    for number, name in enumerate(head):
        table.add_column(name, justify="left" if number < words else "right", no_wrap=True)
    for row in body:
        table.add_row(*row)
    console.print()
    console.print(table)


def _write_page(results: BugResults) -> int:
    parts = {
        "conditions": "\n".join(f"- {line}" for line in bug_tables.conditions(results)),
        "totals": bug_tables.markdown(bug_tables.total_rows(results)),
        "bugs": bug_tables.markdown(bug_tables.bug_rows(results), left=2),
        "speed": bug_tables.markdown(bug_tables.speed_rows(results)),
        "counts": bug_tables.markdown(bug_tables.count_rows(results), left=0),
        "complaints": "\n".join(f"- {line}" for line in bug_tables.complaints(results)) or "None.",
    }

    def fill(match: re.Match[str]) -> str:
        return f"{match['begin']}{parts[match['name']]}\n{match['end']}"

    PAGE.write_text(MARKED.sub(fill, PAGE.read_text()))
    print(f"Brought up to date: {PAGE.name}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
