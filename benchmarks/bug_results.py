"""What `make bench-bugs` has found out, as it is kept: as JSON, and summed up."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from benchmarks.explorers.explorer import Search
from benchmarks.hunting import Hunt, Plan, bug_named, of
from benchmarks.machine import Machine

FORMAT = 1
KEPT = Path(__file__).parent / "results" / "bugs.json"


@dataclass(frozen=True)
class Speed:
    """How many runs of one scenario somebody makes in a second."""

    name: str
    steps: int
    #: Runs per second, one for each round.
    rates: tuple[float, ...]

    @property
    def rate(self) -> float:
        """Median of runs per second."""
        return statistics.median(self.rates)

    def over(self, other: Speed) -> float:
        """Compare with another one, round by round."""
        pairs = zip(self.rates, other.rates, strict=True)
        return statistics.median(mine / its for mine, its in pairs)


@dataclass(frozen=True)
class Count:
    """How many runs DPOR makes for so many writers."""

    writers: int
    overlapping: bool
    runs: int
    #: What brute force over orders says.
    expected: int


@dataclass(frozen=True)
class BugResults:
    """All of one run."""

    machine: Machine
    #: How long each explorer has looked, by its name.
    plans: dict[str, Plan]
    #: Explorers in their order, to why they were not asked; "": they were.
    explorers: dict[str, str]
    hunts: tuple[Hunt, ...]
    speeds: tuple[Speed, ...] = ()
    counts: tuple[Count, ...] = ()
    note: str = ""
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def bugs(self) -> list[str]:
        """All bugs that somebody was asked for, in their order."""
        return list(dict.fromkeys(hunt.bug for hunt in self.hunts))

    def hunt(self, explorer: str, bug: str) -> Hunt | None:
        """Find what an explorer made of a bug; None: it was not asked."""
        found = (hunt for hunt in self.hunts if (hunt.explorer, hunt.bug) == (explorer, bug))
        return next(found, None)


def merged(older: BugResults, newer: BugResults, order: Sequence[str]) -> BugResults:
    """Put together what was measured for some explorers with what was kept of the others.

    Args:
        older: It gives way.
        newer: What was just measured.
        order: Of explorers, those first that are in it.
    """
    explorers = older.explorers | newer.explorers
    names = [name for name in order if name in explorers]
    names += [name for name in explorers if name not in names]
    kept = [hunt for hunt in older.hunts if hunt.explorer not in newer.explorers]
    hunts = [*kept, *newer.hunts]
    return replace(
        newer,
        plans=older.plans | newer.plans,
        explorers={name: explorers[name] for name in names},
        hunts=tuple(hunt for name in names for hunt in of(hunts, name)),
        speeds=newer.speeds or older.speeds,
        counts=newer.counts or older.counts,
        versions=older.versions | newer.versions,
    )


@dataclass(frozen=True)
class Total:
    """All hunts of one explorer, summed up."""

    explorer: str
    #: Bugs that it could look for.
    asked: int
    found: int
    #: Medians over the bugs that it found; NaN: it found none.
    runs: float
    seconds: float
    #: Nine of ten it found in less.
    seconds_p90: float
    worst_seconds: float
    #: Of those found, how many it shrank to one deviation more than the minimum at most.
    small: int
    #: Twins in which it says that something failed.
    false_alarms: int
    #: Twins of which it has made every run that it would make.
    through: int


def total(results: BugResults, explorer: str) -> Total:
    """Sum up."""
    asked = [hunt for hunt in of(results.hunts, explorer) if not hunt.cannot]
    found = [hunt for hunt in asked if hunt.found]
    seconds = sorted(hunt.seconds for hunt in found)
    return Total(
        explorer=explorer,
        asked=len(asked),
        found=len(found),
        runs=statistics.median(hunt.runs for hunt in found) if found else math.nan,
        seconds=statistics.median(seconds) if found else math.nan,
        seconds_p90=seconds[math.ceil(0.9 * len(seconds)) - 1] if found else math.nan,
        worst_seconds=seconds[-1] if found else math.nan,
        small=sum(1 for hunt in found if not too_long(hunt) and hunt.deviations is not None),
        false_alarms=sum(1 for hunt in asked if hunt.false_alarm),
        through=sum(1 for hunt in asked if hunt.twin and hunt.twin.exhausted),
    )


def too_long(hunt: Hunt) -> bool:
    """Tell whether a failure was left with more than one deviation above the known minimum."""
    minimum, left = bug_named(hunt.bug).known_minimum, hunt.deviations
    return minimum is not None and left is not None and left > minimum + 1


def quickest(hunts: Sequence[Hunt]) -> Hunt | None:
    """Give the one that found a bug in the least time; None: none did."""
    return min((hunt for hunt in hunts if hunt.found), key=lambda hunt: hunt.seconds, default=None)


def to_json(results: BugResults) -> str:
    """Write it down."""
    return json.dumps({"format": FORMAT, **asdict(results)}, indent=1) + "\n"


def from_json(text: str) -> BugResults:
    """Read it back.

    Raises:
        ValueError: It was written by another version of this module.
    """
    data = json.loads(text)
    if data.pop("format") != FORMAT:
        raise ValueError("these results have another format")
    speeds = data.pop("speeds")
    return BugResults(
        machine=Machine(**data.pop("machine")),
        plans={name: Plan(**plan) for name, plan in data.pop("plans").items()},
        hunts=tuple(_hunt(each) for each in data.pop("hunts")),
        speeds=tuple(Speed(**{**each, "rates": tuple(each["rates"])}) for each in speeds),
        counts=tuple(Count(**each) for each in data.pop("counts")),
        **data,
    )


def _hunt(data: dict[str, object]) -> Hunt:
    searches, twin = data.pop("searches"), data.pop("twin")
    assert isinstance(searches, list)
    return Hunt(
        **data,  # type: ignore[arg-type]  # as to_json() wrote it
        searches=tuple(Search(**each) for each in searches),
        twin=Search(**twin) if isinstance(twin, dict) else None,
    )
