"""What is said of all explored tests at the end: how many, how thoroughly, and which were not.

What is known of a test comes with its report, from whichever process ran it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import astuple, dataclass
from typing import Final

import pytest

#: Attribute of a test report: what is known of an exploration, as Told.packed().
ATTRIBUTE: Final = "explored"


@dataclass(frozen=True, slots=True)
class Told:
    """What the end says of one test."""

    runs: int = 0
    steps: int = 0
    #: Whether there is no other run.
    exhausted: bool = False
    #: Why it was run as usual; "": it was not.
    why_not: str = ""
    #: Words of the shell that make the failing run again; "": none failed.
    command: str = ""
    #: Further lines.
    notes: str = ""
    #: Runs that were left because they had become too long.
    cut: int = 0
    #: What is known not to fail, as it goes on after "no failure in"; "": nothing.
    proof: str = ""

    def packed(self) -> list[object]:
        """Give it as something that goes from process to process."""
        return list(astuple(self))


def unpacked(values: object) -> Told | None:
    """Make it again of what packed() gave; None: it is no such thing."""
    return Told(*values) if isinstance(values, (list, tuple)) else None


class Summary:
    """Hears of all reports, and says what they come to.

    Args:
        config: Says whether much is wanted.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._told: list[tuple[str, Told]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Hear of a report."""
        told = unpacked(getattr(report, ATTRIBUTE, None))
        if told is not None:
            self._told.append((report.nodeid, told))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what it all came to."""
        if self._told and self._config.get_verbosity() >= -1:
            terminalreporter.section("explored")
            for line in self.lines(verbose=self._config.get_verbosity() > 0):
                terminalreporter.write_line(line)

    def lines(self, *, verbose: bool) -> list[str]:
        """Say it, one line after the other.

        Args:
            verbose: Say something of every test.
        """
        explored = [told for _, told in self._told if told.runs]
        lines = [_totals(explored)] if explored else []
        if verbose:
            lines += [f"  {name}: {_of(told)}" for name, told in self._told if told.runs]
        lines += [line for told in explored for line in told.notes.splitlines()]
        lines += [f"replay: {told.command}" for told in explored if told.command]
        reasons = Counter(told.why_not for _, told in self._told if told.why_not)
        for reason, count in reasons.items():
            lines.append(f"not explorable, run as usual ({count}): {reason}")
            if verbose:
                lines += [f"  {name}" for name, told in self._told if told.why_not == reason]
        return lines


def _totals(explored: list[Told]) -> str:
    runs, steps = (sum(getattr(each, name) for each in explored) for name in ("runs", "steps"))
    failed = sum(bool(told.command) for told in explored)
    exhausted = sum(told.exhausted for told in explored)
    text = f"{_count(len(explored), 'test')} explored in {_count(runs, 'run')}, {steps:,} steps"
    if exhausted:
        text += f"; {exhausted} exhausted, no run of them is left"
    if cut := sum(told.cut for told in explored):
        text += f"; {_count(cut, 'run')} left, having become too long"
    if failed:
        text += f"; {failed} failed"
    return text


def _of(told: Told) -> str:
    end = ", failed" if told.command else told.proof and f", no failure in {told.proof}"
    return f"{_count(told.runs, 'run')}, {told.steps:,} steps{end}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
