"""One run of the explore door: explores, or makes one run again, and shows what came of it."""

from __future__ import annotations

import io
import json
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, redirect_stdout
from dataclasses import replace
from types import FrameType, TracebackType
from typing import Final, Self

from blkdebug_async.cli.explore_json import FailureJson, ReportJson, failure_json, report_json
from blkdebug_async.cli.explore_live import LiveLine
from blkdebug_async.cli.explore_options import ExploreOptions
from blkdebug_async.explore.batches import JobsError
from blkdebug_async.explore.explorer import explore, replay
from blkdebug_async.explore.report import Failure, Replayed, Report
from blkdebug_async.explore.run import Conditions
from blkdebug_async.explore.scenarios import NamedScenario, ScenarioError, scenario_named
from blkdebug_async.explore.search import Progress
from blkdebug_async.report.files import write_files
from blkdebug_async.report.text import text_report

#: Exit status if it was interrupted, as shells have it.
INTERRUPTED: Final = 128 + signal.SIGINT
#: Exit status if it cannot be explored.
BAD_USAGE: Final = 2
_NARROWEST: Final = 60
_WIDEST: Final = 120


def run(program: str, options: ExploreOptions) -> int:
    """Explore, and show what came of it.

    Args:
        program: Name in front of messages.
        options: The command line.

    Returns:
        The exit status.
    """
    # As with `python -m`: what is here can be named.
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        scenario = scenario_named(options.scenario)
        session = _Session(program, options, scenario)
        return session.explore() if options.token is None else session.replay()
    except (ScenarioError, JobsError) as error:
        sys.stderr.write(f"{program}: {error}\n")
        return BAD_USAGE
    except KeyboardInterrupt:
        sys.stderr.write(f"{program}: interrupted\n")
        return INTERRUPTED
    except BrokenPipeError:
        # Nobody reads it; the interpreter would complain once more when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        sys.stderr.write(f"{program}: {error}\n")
        return BAD_USAGE


class _Session:
    """What is explored, and how it is shown.

    Args:
        program: Name in front of messages.
        options: The command line.
        scenario: What it names.
    """

    def __init__(self, program: str, options: ExploreOptions, scenario: NamedScenario) -> None:
        self._program = program
        self._options = options
        self._scenario = scenario

    def explore(self) -> int:
        """Make many runs; give the exit status."""
        options = self._options
        with Interrupts() as interrupts, self._progress() as progress, _printing_nothing():
            report = explore(
                self._scenario,
                runs=options.runs,
                seed=options.seed,
                strategy=options.strategy,
                assume=options.assume,
                seconds=options.seconds,
                shrink_runs=options.shrink_runs,
                store=options.store,
                conditions=options.conditions,
                jobs=options.jobs,
                progress=progress,
                stop=interrupts.came,
            )
        interrupted = interrupts.came()
        if options.json:
            _print_json(report_json(report, options.scenario, interrupted=interrupted))
        else:
            self._print(report, interrupted=interrupted)
        if report.failure is not None:
            self._write_files(report.failure)
        if interrupted:
            return INTERRUPTED
        return 0 if report.passed else 1

    def replay(self) -> int:
        """Make one run again; give the exit status."""
        options = self._options
        assert options.token is not None
        replayed = replay(self._scenario, options.token, conditions=options.conditions)
        failure = replayed.failure()
        if options.json:
            _print_json(None if failure is None else failure_json(failure))
        elif failure is not None:
            self._print_failure(failure)
        else:
            steps = len(replayed.timeline.moments)
            sys.stdout.write(f"the run passes, after {steps} step{'' if steps == 1 else 's'}\n")
        for divergence in replayed.divergences:
            sys.stderr.write(f"{self._program}: the replay diverged: {divergence}\n")
        self._write_files(replayed if failure is None else failure)
        return 0 if failure is None else 1

    def _progress(self) -> AbstractContextManager[Callable[[Progress], None] | None]:
        if self._options.quiet:
            return nullcontext()
        return LiveLine(sys.stderr, self._options.seconds)

    # --- what is shown ---

    def _print(self, report: Report, *, interrupted: bool) -> None:
        failure = report.failure
        if failure is None:
            sys.stdout.write(f"{report}\n")
        else:
            self._print_failure(failure)
            if not failure.shrunk:
                sys.stdout.write("There may be a simpler run that fails.\n")
            sys.stdout.write(f"{made(report)}\n")
        if interrupted:
            sys.stdout.write("interrupted: there was more to try\n")

    def _print_failure(self, failure: Failure) -> None:
        out = sys.stdout
        width = shutil.get_terminal_size((100, 24)).columns if out.isatty() else 100
        colour = out.isatty() and "NO_COLOR" not in os.environ
        text = text_report(
            failure,
            width=min(max(width, _NARROWEST), _WIDEST),
            colour=colour,
            full=self._options.full,
            again=self._again(),
        )
        out.write(text.rstrip("\n") + "\n")

    def _again(self) -> str:
        """Give the words of the shell that make a run again, with {token} in it."""
        options, words = self._options, ["explore", self._options.scenario]
        if options.steps != Conditions().step_limit:
            words.append(f"--steps={options.steps}")
        if options.atomic_unit is not None:
            words.append(f"--atomic-unit={options.atomic_unit}")
        if options.may_leave:
            words.append("--may-leave")
        if options.timers_last:
            words.append("--timers-last")
        command = shlex.join(["blkdebug-async", *words]).replace("{", "{{").replace("}", "}}")
        return f"{command} --token={{token}}"

    def _write_files(self, shown: Failure | Replayed) -> None:
        """Write all about a run into files, if that is wanted.

        Raises:
            OSError: They cannot be written.
        """
        folder = self._options.report
        if folder is None:
            return
        paths = write_files(
            shown,
            folder,
            self._options.scenario,
            again=self._again(),
            scenario=self._scenario.function,
            conditions=self._options.conditions,
        )
        for path in paths:
            sys.stderr.write(f"{self._program}: wrote {path}\n")


def made(report: Report) -> str:
    """Say what was made until something failed."""
    return str(replace(report, failure=None)).partition("\n")[0]


def _print_json(told: ReportJson | FailureJson | None) -> None:
    json.dump(told, sys.stdout, indent=1)
    sys.stdout.write("\n")


@contextmanager
def _printing_nothing() -> Iterator[None]:
    """Have what is printed led nowhere, also by processes that are started meanwhile."""
    sys.stdout.flush()
    try:
        number = sys.stdout.fileno()
    except OSError:
        # Not a real one, so no other process has it.
        with redirect_stdout(io.StringIO()):
            yield
        return
    kept, nowhere = os.dup(number), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, number)
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, number)
        os.close(kept)
        os.close(nowhere)


class Interrupts:
    """Hears of Ctrl-C while in `with`: the first one is noted, the second one interrupts."""

    def __init__(self) -> None:
        self._came = False
        self._before: signal._HANDLER = signal.SIG_DFL

    def came(self) -> bool:
        """Tell whether there was one."""
        return self._came

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._hear)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self._came:
            raise KeyboardInterrupt
        self._came = True
