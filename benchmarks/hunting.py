"""Every explorer on every seeded bug, in processes of their own, and what came of it."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context

from benchmarks.bugs.bug import Bug
from benchmarks.bugs.registry import BUGS
from benchmarks.explorers.explorer import Budget, Search, UnfitError, in_a_line
from benchmarks.explorers.named import explorer_named

#: So many runs are never made, whatever the time.
_ENDLESS = 10_000_000
#: Begins to say what became of an explorer that failed by itself.
BROKE = "it broke"


@dataclass(frozen=True)
class Plan:
    """How long to look."""

    #: Seconds of one core for each search.
    seconds: float = 60.0
    #: How many seeds, where chance decides.
    seeds: int = 5
    #: How long to watch the twin.
    twin_runs: int = 5000
    twin_seconds: float = 10.0


@dataclass(frozen=True)
class Hunt:
    """What one explorer made of one bug."""

    explorer: str
    bug: str
    #: Why it was not asked; "": it was.
    cannot: str = ""
    #: One for each seed, unless the first one was a miss.
    searches: tuple[Search, ...] = ()
    #: Watching the twin; None: not done.
    twin: Search | None = None

    @property
    def found(self) -> bool:
        """Whether more than half of the searches found it."""
        hits = sum(search.failed for search in self.searches)
        return 2 * hits > len(self.searches)

    @property
    def runs(self) -> float:
        """Median of runs up to the failure."""
        return statistics.median(search.runs for search in self._hits)

    @property
    def seconds(self) -> float:
        """Median of seconds up to the failure."""
        return statistics.median(search.seconds for search in self._hits)

    @property
    def deviations(self) -> int | None:
        """Most deviations that any search was left with after shrinking; None: not known."""
        known = [each.deviations for each in self._hits if each.deviations is not None]
        return max(known, default=None)

    @property
    def false_alarm(self) -> str:
        """What it says of the twin; "": nothing, as it should be."""
        return self.twin.error if self.twin else ""

    @property
    def _hits(self) -> list[Search]:
        return [search for search in self.searches if search.failed]


def hunt(name: str, bug: Bug, plan: Plan) -> Hunt:
    """Have one explorer look for one bug, and watch its twin."""
    explorer = explorer_named(name)
    if cannot := explorer.cannot(bug):
        return Hunt(name, bug.name, cannot)
    seeds = plan.seeds if explorer.by_chance else 1
    searches: list[Search] = []
    budget = Budget(plan.seconds, _ENDLESS)
    for seed in range(seeds):
        searches.append(explorer.search(bug, seed, budget, twin=False, shrink=True))
        # Who has missed it all that time is not asked again.
        if not searches[0].failed:
            break
    watched = Budget(plan.twin_seconds, plan.twin_runs)
    twin = explorer.search(bug, 0, watched, twin=True, shrink=False) if plan.twin_runs else None
    return Hunt(name, bug.name, "", tuple(searches), twin)


def hunt_all(
    explorers: Sequence[str],
    bugs: Sequence[Bug],
    plan: Plan,
    jobs: int,
    told: Callable[[Hunt], None],
) -> Iterator[Hunt]:
    """Have every explorer look for every bug.

    Args:
        explorers: Their names; one after the other, each in fresh processes.
        bugs: What to look for.
        plan: How long.
        jobs: How many processes at a time, with a core each.
        told: Hears of each as it is done; they are given in their order.
    """
    # Explorers change asyncio in their processes, and threads of this one are not to be copied.
    context = get_context("spawn")
    for name in explorers:
        with ProcessPoolExecutor(jobs, mp_context=context) as pool:
            futures = [pool.submit(_hunt_by_name, name, bug.name, plan) for bug in bugs]
            for future in as_completed(futures):
                told(future.result())
            yield from (future.result() for future in futures)


def _hunt_by_name(name: str, bug: str, plan: Plan) -> Hunt:
    try:
        return hunt(name, bug_named(bug), plan)
    except UnfitError as error:
        return Hunt(name, bug, str(error))
    except Exception as error:
        # One that breaks is worth a line in the table, not the end of all others.
        return Hunt(name, bug, f"{BROKE}: {in_a_line(error)}")


def bug_named(name: str) -> Bug:
    """Find a bug."""
    return next(bug for bug in BUGS if bug.name == name)


def of(hunts: Iterable[Hunt], explorer: str) -> list[Hunt]:
    """Give those of one explorer."""
    return [hunt for hunt in hunts if hunt.explorer == explorer]
