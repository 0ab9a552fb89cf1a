"""Runs the benchmarks: `make bench`, or `python -m benchmarks --help`."""

from __future__ import annotations

import argparse
import shlex
import sys
import traceback
from collections.abc import Sequence
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path

from benchmarks.harness import Comparison, Curve, Question, measure
from benchmarks.machine import loads, stolen_and_total, this_machine
from benchmarks.pictures import can_draw, write_pictures
from benchmarks.results import LATEST, Results, curve_of, row_of, to_json
from benchmarks.tables import report
from benchmarks.workplace import Workplace, workplace

#: Modules with a function questions(), each about one thing.
GROUPS = (
    "img_bench",
    "breakpoints",
    "scenarios",
    "against_aiofiles",
    "costs",
    "layers",
    "startup",
)


def main() -> int:
    """Measure what is asked for, print it and write it down; gives 1 if something failed."""
    asked = _parse(sys.argv[1:])
    with workplace(asked.folder, tuple(shlex.split(asked.img_bench))) as place:
        questions = _choose(place, asked.only)
        if asked.list:
            print("\n".join(f"{each.group:17} {each.key}" for each in questions))
            return 0
        results, errors = _run(place, questions, asked)
    text = report(results)
    print(text)
    for question in questions:
        if question.skipped:
            print(f"Skipped {question.key}: {question.skipped}.")
    output: Path | None = asked.output
    if output is None and not asked.only:
        output = LATEST.parent
    if output is not None:
        _write(results, text, output)
    for error in errors:
        traceback.print_exception(error)
    return 1 if errors else 0


def _parse(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    add = parser.add_argument
    add("--rounds", type=int, default=5, help="how often each side has its turn (default: 5)")
    add("--seconds", type=float, default=0.3, help="how long a turn lasts (default: 0.3)")
    add(
        "--only",
        nargs="+",
        default=[],
        metavar="NAME",
        help=f"groups ({', '.join(GROUPS)}) or keys, * and ? match anything",
    )
    add("--list", action="store_true", help="list groups and keys, and measure nothing")
    add("--folder", type=Path, help="where to make files, on a disk (default: a temporary folder)")
    add(
        "--output",
        type=Path,
        help="folder for latest.md and latest.json (default: benchmarks/results; with --only none)",
    )
    add("--note", default="", help="something to know about this run")
    add(
        "--img-bench",
        default="",
        metavar="COMMAND",
        help="what stands in for our `img bench`; with qemu-img the ratios show the noise",
    )
    asked = parser.parse_args(words)
    if asked.rounds < 1:
        parser.error("there must be a round")
    return asked


def _choose(place: Workplace, only: Sequence[str]) -> list[Question]:
    questions: list[Question] = []
    for group in GROUPS:
        asked: list[Question] = list(import_module(f"benchmarks.{group}").questions(place))
        for question in asked:
            question.group = group
        questions += asked
    names = {name for each in questions for name in (each.group, each.key)}
    for pattern in only:
        if not any(fnmatch(name, pattern) for name in names):
            raise SystemExit(f"No group and no key is called {pattern}; --list lists them.")
    return [
        each
        for each in questions
        if not only or any(fnmatch(name, one) for one in only for name in (each.group, each.key))
    ]


def _run(
    place: Workplace, questions: list[Question], asked: argparse.Namespace
) -> tuple[Results, list[Exception]]:
    machine, before = this_machine(place.folder), loads()
    stolen_before, total_before = stolen_and_total()
    errors = measure(questions, asked.rounds, asked.seconds)
    stolen, total = stolen_and_total()
    share = (stolen - stolen_before) / max(1, total - total_before)
    results = Results(
        machine=machine,
        note=asked.note,
        rounds=asked.rounds,
        seconds=asked.seconds,
        loads=(before, loads()),
        stolen_percent=round(100 * share, 1),
        rows=tuple(row_of(each) for each in questions if isinstance(each, Comparison)),
        curves=tuple(curve_of(each) for each in questions if isinstance(each, Curve)),
    )
    return results, errors


def _write(results: Results, text: str, output: Path) -> None:
    output.mkdir(parents=True, exist_ok=True)
    (output / "latest.json").write_text(to_json(results))
    (output / "latest.md").write_text(text)
    print(f"Written to {output}: latest.md, latest.json.")
    if output != LATEST.parent:
        # Those of the default folder are drawn into the documentation, by benchmarks.page.
        write_pictures(results.curves, output)
    if not can_draw():
        print("No pictures: they need matplotlib, which the extra plot brings.")


if __name__ == "__main__":
    sys.exit(main())
