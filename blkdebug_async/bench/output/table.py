"""The table, for people: what a run did, how fast, how long requests took, and what went wrong."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from blkdebug_async.bench.output import summary
from blkdebug_async.bench.output.texts import shortened
from blkdebug_async.bench.result import RunResult

#: Columns of text; the others hold numbers.
_WORDS = frozenset({"job", "kind"})
#: What the other columns take of a line, at most, and what is left for a name at least.
_OTHER_COLUMNS = 66
_SHORTEST_NAME = 10
#: Columns with a wider gap between them take so much more.
_GAPS = 8


def print_table(console: Console, result: RunResult) -> None:
    """Print all there is to say about a result, legible from 80 columns on.

    Args:
        console: Where to.
        result: What a run found out.
    """
    for job in result.jobs:
        console.print(Text(summary.job_line(job), style="bold"))
    throughput = list(summary.throughput_rows(result.jobs))
    _print(console, "Throughput", summary.THROUGHPUT_COLUMNS, throughput)
    for title, rows in summary.latency_tables(result.jobs):
        _print(console, title, summary.LATENCY_COLUMNS, rows)
    console.print()
    for line in summary.lines(result):
        console.print(Text(line.text, style="bold red" if line.is_bad else "dim"))


def _print(
    console: Console, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]
) -> None:
    name_width = max(console.width - _OTHER_COLUMNS, _SHORTEST_NAME)
    is_roomy = max((len(row[0]) for row in rows), default=0) + _GAPS <= name_width
    table = Table(
        title=Text(title, style="bold"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1 if is_roomy else 0, 0, 0),
        pad_edge=False,
        show_edge=False,
    )
    for name in columns:
        if name in _WORDS:
            table.add_column(name, no_wrap=True)
        else:
            table.add_column(name, justify="right", no_wrap=True)
    for job, *figures in rows:
        row = (shortened(job, name_width), *figures)
        table.add_row(*(_cell(name, text) for name, text in zip(columns, row, strict=True)))
    console.print()
    console.print(table)


def _cell(column: str, text: str) -> Text:
    return Text(text, style="bold red" if column == "failed" and text != "0" else "")
