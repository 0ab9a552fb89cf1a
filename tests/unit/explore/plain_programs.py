"""Small concurrent programs, as plainly as can be, and every way in which they can go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from blkdebug_async.explore.actions import Action, Kind, RedundantRunError, Scheduler
from blkdebug_async.explore.dependence import Assume, dependent
from blkdebug_async.explore.footprint import Footprint, Touch, sync_footprint
from blkdebug_async.explore.record import Recorded, Recorder
from blkdebug_async.explore.strategies.replay import Values
from blkdebug_async.explore.strategies.strategy import Ending, Strategy


@dataclass(frozen=True)
class Read:
    offset: int
    length: int = 1


@dataclass(frozen=True)
class Write:
    offset: int
    length: int = 1


@dataclass(frozen=True)
class Flush:
    pass


@dataclass(frozen=True)
class Lock:
    """Takes a lock, or queues for it until it is handed over; only as the last in a step."""

    name: str = "lock"


@dataclass(frozen=True)
class Unlock:
    name: str = "lock"


@dataclass(frozen=True)
class Start:
    actor: str


@dataclass(frozen=True)
class Stop:
    """Takes an actor away, whatever it has left to do."""

    actor: str


@dataclass(frozen=True)
class Chance:
    """Chooses one of n ways, and does something in all but the first."""

    n: int = 2
    then: Op = Flush()


@dataclass(frozen=True)
class IfOld:
    """Does something if nobody has written there yet."""

    offset: int
    then: Op


@dataclass(frozen=True)
class Remember:
    """Changes Python state that all tasks share and nobody sees."""


@dataclass(frozen=True)
class IfRemembered:
    """Does something if somebody has remembered something."""

    then: Op


Op = Remember | IfRemembered | Read | Write | Flush | Lock | Unlock | Start | Stop | Chance | IfOld
#: What happens in one step.
Ops = tuple[Op, ...]


@dataclass(frozen=True)
class Actor:
    steps: tuple[Ops, ...]
    kind: Kind = Kind.TASK
    #: Whether it is there from the beginning.
    started: bool = True


Program = dict[str, Actor]


def actor(*steps: Op | Ops, kind: Kind = Kind.TASK, started: bool = True) -> Actor:
    as_ops = (step if isinstance(step, tuple) else (step,) for step in steps)
    return Actor(tuple(as_ops), kind, started)


@dataclass
class Machine:
    """Runs a program."""

    program: Program
    scheduler: Scheduler
    disk: list[str] = field(default_factory=lambda: ["old"] * 4)
    safe: list[str] = field(default_factory=lambda: ["old"] * 4)
    #: Lock to who has it and who queues for it, in their order.
    queues: dict[str, list[str]] = field(default_factory=dict)
    seen: dict[str, list[object]] = field(default_factory=dict)
    remembered: bool = False
    stopped: set[str] = field(default_factory=set)
    touched: list[Footprint] = field(default_factory=list)

    def __post_init__(self) -> None:
        started = [name for name, actor in self.program.items() if actor.started]
        #: How many steps each has made; in the order in which they came.
        self.done = dict.fromkeys(started, 0)

    def run(self) -> object:
        while actions := self.actions():
            self.step(actions)
        waiting = tuple(sorted(name for name in self.done if self.left(name)))
        seen = tuple(sorted((name, tuple(what)) for name, what in self.seen.items()))
        return tuple(self.disk), tuple(self.safe), seen, waiting

    def step(self, actions: list[Action]) -> None:
        shown = self.scheduler.wants_actions
        index = 0
        if len(actions) > 1:
            index = self.scheduler.pick(actions) if shown else self.scheduler.pick_of(len(actions))
        action = actions[index]
        ops = self.left(action.actor)[0]
        self.done[action.actor] += 1
        self.touched = [sync_footprint(action.actor, Touch.READ)]
        for op in ops:
            self.do(action.actor, op)
        if shown:
            self.scheduler.ran(action, self.touched)

    def left(self, name: str) -> tuple[Ops, ...]:
        return self.program[name].steps[self.done[name] :]

    def actions(self) -> list[Action]:
        return [self.action(name) for name in self.done if self.left(name) and self.may_go(name)]

    def may_go(self, name: str) -> bool:
        return not any(name in queue[1:] for queue in self.queues.values())

    def start(self, name: str) -> None:
        if name not in self.stopped:
            self.done.setdefault(name, 0)

    def hand_over(self, lock: str) -> None:
        del self.queues[lock][0]
        # Waking somebody changes how that one stands.
        self.touched += [sync_footprint(name) for name in self.queues[lock][:1]]

    def stop(self, name: str) -> None:
        self.done.pop(name, None)
        self.stopped.add(name)
        for lock, queue in self.queues.items():
            # Whoever has it keeps it for ever.
            if name in queue[1:]:
                queue.remove(name)
                self.touched.append(sync_footprint(lock))

    def action(self, name: str) -> Action:
        ops = self.left(name)[0]
        known = not any(isinstance(op, Chance | IfOld | IfRemembered | Stop | Unlock) for op in ops)
        touches = tuple(each for op in ops for each in touches_of(op)) if known else None
        return Action(f"{name}.{self.done[name]}", name, self.program[name].kind, touches)

    def do(self, me: str, op: Op) -> None:
        self.touched += touches_of(op)
        match op:
            case Read(offset, length):
                self.see(me, tuple(self.disk[offset : offset + length]))
            case Write(offset, length):
                self.disk[offset : offset + length] = [me] * length
            case Flush():
                self.safe = list(self.disk)
            case Chance(n, then):
                if self.see(me, self.scheduler.choose(n, f"{me} decides")):
                    self.do(me, then)
            case IfOld(offset, then) if self.disk[offset] == "old":
                self.do(me, then)
            case _:
                self.synchronise(me, op)

    def see(self, me: str, what: object) -> object:
        self.seen.setdefault(me, []).append(what)
        return what

    def synchronise(self, me: str, op: Op) -> None:
        match op:
            case Remember():
                self.remembered = True
            case IfRemembered(then) if self.remembered:
                self.do(me, then)
            case Lock(name):
                self.queues.setdefault(name, []).append(me)
            case Unlock(name):
                self.hand_over(name)
            case Start(name):
                self.start(name)
            case Stop(name):
                self.stop(name)


def touches_of(op: Op) -> list[Footprint]:
    match op:
        case Read(offset, length):
            return [Footprint("disk", offset, length, Touch.READ)]
        case IfOld(offset, _):
            return [Footprint("disk", offset, 1, Touch.READ)]
        case Write(offset, length):
            return [Footprint("disk", offset, length, Touch.WRITE)]
        case Flush():
            return [Footprint("disk", 0, 0, Touch.FLUSH)]
        case Lock(name) | Unlock(name) | Start(name) | Stop(name):
            return [sync_footprint(name)]
        case Chance() | Remember() | IfRemembered():
            return []


def run(program: Program, scheduler: Scheduler) -> tuple[object, Recorded]:
    recorder = Recorder(scheduler, traced=True)
    return Machine(program, recorder).run(), recorder.recorded()


def all_runs(program: Program) -> Iterator[tuple[object, Recorded]]:
    """Give every run there is, by counting through the decisions."""
    values: list[int] | None = []
    while values is not None:
        outcome, recorded = run(program, Values(values))
        yield outcome, recorded
        values = next_values(recorded)


def next_values(recorded: Recorded) -> list[int] | None:
    for position in reversed(range(len(recorded.values))):
        if recorded.values[position] + 1 < recorded.ways[position]:
            return [*recorded.values[:position], recorded.values[position] + 1]
    return None


def class_of(recorded: Recorded, assume: Assume) -> object:
    """Give what runs have in common that differ in the order of independent steps only."""
    steps = recorded.steps
    chosen = [
        tuple(each.value for each in recorded.decisions if not each.actions and each.step == index)
        for index in range(len(steps))
    ]
    names = [(step.action.key, *chosen[index]) for index, step in enumerate(steps)]
    order = {
        (names[i], names[j])
        for j in range(len(steps))
        for i in range(j)
        if dependent(steps[i], steps[j], assume)
    }
    return frozenset(names), frozenset(order)


@dataclass
class Explored:
    """What came of all runs of a strategy."""

    outcomes: list[object] = field(default_factory=list)
    recorded: list[Recorded] = field(default_factory=list)
    #: Runs that the strategy left.
    redundant: int = 0


def explore(
    program: Program,
    strategy: Strategy,
    *,
    most: int = 20_000,
    fails: Callable[[object], bool] = lambda outcome: False,
) -> Explored:
    """Make runs until the strategy is exhausted."""
    explored = Explored()
    for number in range(most):
        if strategy.exhausted:
            break
        recorder = Recorder(strategy.scheduler(number), traced=True)
        try:
            outcome = Machine(program, recorder).run()
        except RedundantRunError:
            explored.redundant += 1
            strategy.heard(recorder.recorded(), Ending.REDUNDANT)
            continue
        explored.outcomes.append(outcome)
        explored.recorded.append(recorder.recorded())
        ending = Ending.FAILED if fails(outcome) else Ending.PASSED
        strategy.heard(recorder.recorded(), ending)
    return explored
