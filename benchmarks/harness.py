"""What all benchmarks share: sides that take turns, calibrated, over several rounds.

Machines drift: they get warm, and others work on them. So the sides of one question take turns,
one each a round, what is compared was measured within the same seconds, and the rounds of one
question are spread over the whole run.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

#: No side does more than this in one turn, however fast it seems.
MOST = 20_000_000


@dataclass
class Side:
    """One way to do something, and what it took."""

    name: str
    #: Does it so many times; gives what all of them took together, in seconds as a rule.
    run: Callable[[int], float]
    #: A turn does a multiple of this many.
    least: int = 1
    #: How many a turn does; calibrate() says.
    count: int = 0
    #: What a turn took, one for each round.
    took: list[float] = field(default_factory=list)

    def calibrate(self, seconds: float) -> None:
        """Find out how many make a turn last so long; warms up on the way."""
        self.count, took = self.least, self.run(self.least)
        while took < seconds / 4 and self.count < MOST:
            factor = min(16.0, seconds / max(took, 1e-9))
            self.count = self._multiple(self.count * max(2.0, factor))
            took = self.run(self.count)
        if seconds > 0:
            self.count = self._multiple(self.count * seconds / took)

    def take_turn(self) -> None:
        """Do it once more, and note what it took."""
        gc.collect()
        self.took.append(self.run(self.count))

    def _multiple(self, wanted: float) -> int:
        # Two digits are enough, and easier to read.
        unit = 10 ** max(0, len(str(int(wanted))) - 2)
        wanted = min(MOST, max(1, int(wanted / unit)) * unit)
        return max(1, round(wanted / self.least)) * self.least


@dataclass
class Comparison:
    """One question: how much more does one side do than another in the same time?"""

    #: Names it, for good: "cached-reads-depth-1".
    key: str
    #: In words.
    case: str
    #: Theirs first, then ours, then whatever else is worth knowing.
    sides: list[Side]
    #: What is counted.
    things: str = "requests"
    #: Ours over theirs, in things per second: what must be reached.
    floor: float | None = None
    #: ... and what is hoped for.
    aim: float | None = None
    #: Why it is not measured here; "": it is.
    skipped: str = ""
    #: The group that it belongs to, set by whoever asks the group for its questions.
    group: str = ""


@dataclass(frozen=True)
class Limit:
    """What a point of a curve may be at most."""

    #: In words.
    what: str
    #: Which line of the curve, and where on it.
    line: str
    x: int
    at_most: float
    #: At most so many times what is at this x; None: at most this.
    base: int | None = None


@dataclass
class Curve:
    """What something costs, depending on how much there is of something else."""

    key: str
    title: str
    x_label: str
    y_label: str
    #: Name of a line to its points, by x.
    lines: dict[str, dict[int, Side]]
    limits: list[Limit] = field(default_factory=list)
    #: What a side's figure is multiplied with to be y: seconds to microseconds, as a rule.
    scale: float = 1e6
    skipped: str = ""
    group: str = ""

    @property
    def sides(self) -> list[Side]:
        """All points of all lines."""
        return [side for points in self.lines.values() for side in points.values()]


Question = Comparison | Curve


def measure(questions: Sequence[Question], rounds: int, seconds: float) -> list[Exception]:
    """Measure everything that is not skipped, round by round.

    A question that fails is skipped from then on, and says why; the others go on.

    Args:
        questions: What to measure.
        rounds: How often; a first one, to warm up and to calibrate, does not count.
        seconds: How long each side's turn should take.

    Returns:
        What went wrong.
    """
    asked = [question for question in questions if not question.skipped]
    progress = Progress((rounds + 1) * sum(len(question.sides) for question in asked))
    errors: list[Exception] = []
    for number in range(rounds + 1):
        # There and back: who comes first, and after whom, changes from round to round.
        for question, side in _each_side(asked, forward=number % 2 == 0):
            progress.show(f"round {number} of {rounds}: {question.key}, {side.name}")
            try:
                if number:
                    side.take_turn()
                else:
                    side.calibrate(seconds)
            except Exception as error:
                question.skipped = f"failed, {error}"
                errors.append(error)
    progress.end()
    return errors


def _each_side(questions: Sequence[Question], *, forward: bool) -> Iterator[tuple[Question, Side]]:
    for question in questions:
        for side in question.sides if forward else reversed(question.sides):
            if question.skipped:
                break
            yield question, side


class Progress:
    """One line that says what is going on; on a terminal it is written over and over."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._done = 0
        self._start = time.perf_counter()
        self._terminal = sys.stderr.isatty()

    def show(self, what: str) -> None:
        """Tell what is about to be done."""
        share = self._done / max(1, self._steps)
        took_s = time.perf_counter() - self._start
        left = f"{took_s / share - took_s:4.0f} s left" if share > 0.02 else ""
        if self._terminal:
            bar = ("#" * round(share * 24)).ljust(24, ".")
            sys.stderr.write(f"\r[{bar}] {left:11} {what[:66]}\x1b[K")
            sys.stderr.flush()
        elif self._done % 50 == 0:
            sys.stderr.write(f"{share:4.0%} {left:11} {what}\n")
        self._done += 1

    def end(self) -> None:
        """Leave the line as if it had never been there."""
        if self._terminal:
            sys.stderr.write("\r\x1b[K")
