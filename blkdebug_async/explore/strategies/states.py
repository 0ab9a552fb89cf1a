"""The states along a run, what is still to be tried from each, and how to get to the next run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from blkdebug_async.explore.actions import Action, RedundantRunError
from blkdebug_async.explore.dependence import Assume, could_swap, dependent, keeps_touches
from blkdebug_async.explore.record import Step
from blkdebug_async.explore.strategies.meeting import Meeting
from blkdebug_async.explore.strategies.wakeup import Entry, Wake, commute


@dataclass(slots=True)
class State:
    """A state in which a step was taken."""

    #: Keys of what could happen in it, in its order.
    keys: tuple[str, ...]
    #: What need not happen first, for that was tried: key to how its step went, each time.
    sleep: dict[str, list[Step]]
    #: Keys of those of them that slept already when the way to go on had become free. Then this is
    #: not the only way to runs that could also start with them, and they cover no sequence but
    #: those that they are part of.
    dozing: frozenset[str]
    #: What is to be tried; the first is being tried now.
    wakes: list[Wake]
    #: The step that was taken.
    step: Step
    #: How many ways there were for each choice in the step, and which was taken.
    choices: list[list[int]] = field(default_factory=list)
    #: How the step went with the values that were tried before.
    variants: list[Step] = field(default_factory=list)
    #: Which earlier steps happened before this one, for a reason: the bits that are set.
    before: int = 0
    #: The numbers of earlier steps that this one could have come before.
    races: list[int] = field(default_factory=list)
    #: Keys of what could happen, until the step took it away.
    taken_away: tuple[str, ...] = ()

    def entry(self, number: int) -> Entry:
        """Give the step for a sequence, numbered."""
        return Entry(self.step.action.key, self.step, self.values, number, self.before)

    @property
    def values(self) -> tuple[int, ...]:
        """What was chosen in the step."""
        return tuple(value for _, value in self.choices)


class Trail:
    """The states on the way to the end of a run.

    Args:
        assume: What is promised of steps beyond what is seen of them.
    """

    def __init__(self, assume: Assume) -> None:
        self._assume = assume
        self.states: list[State] = []
        #: Whether the scenario did something else than before on the way to a state.
        self.diverged = False
        #: Keys of what could happen when a state was last to be added.
        self._possible: tuple[str, ...] = ()
        #: Number of a step to the later ones that need not come behind it: the bits that are set,
        #: and up to which they were looked at.
        self._apart: dict[int, tuple[int, int]] = {}
        #: The steps of states that are ordered.
        self._meeting = Meeting(assume)
        #: How many of the states are ordered.
        self._ordered = 0

    def dependent(self, left: Step, right: Step) -> bool:
        """Tell whether the order of two steps may matter."""
        return dependent(left, right, self._assume)

    def enter(self, actions: Sequence[Action]) -> State:
        """Add a state behind the last one.

        Args:
            actions: What could happen in it.

        Raises:
            RedundantRunError: All of that was tried before, to the same effect.
        """
        keys = self._possible = tuple(action.key for action in actions)
        sleep = self._still_asleep(keys) if self.states else {}
        wakes = self._guided(keys, sleep) if self.states else []
        dozing = self.states[-1].dozing if wakes else frozenset(sleep)
        if not wakes:
            wakes = [Wake(key) for key in keys if key not in sleep][:1]
        if not wakes:
            raise RedundantRunError
        action = actions[keys.index(wakes[0].key)]
        self.states.append(State(keys, sleep, dozing, wakes, Step(action, ())))
        return self.states[-1]

    def diverge(self, number: int) -> None:
        """Forget states that the scenario did not come to again.

        Args:
            number: The first of them.
        """
        self.diverged = True
        del self.states[number:]

    def order(self, *, over: bool) -> None:
        """Find out which steps happened before which for a reason, and which raced.

        Args:
            over: Whether the run was not left: what could still happen when it ended did not.
        """
        self._meeting.forget(self._ordered)
        end = self._ordered
        self._apart = {
            number: (apart & (1 << end) - 1, min(looked, end))
            for number, (apart, looked) in self._apart.items()
            if number < end
        }
        for number in range(self._ordered, len(self.states)):
            self._order(number)
            self._meeting.add(number, self.states[number].step)
            state, later = self.states[number], self.states[number + 1 : number + 2]
            left = later[0].keys if later else () if over else self._possible
            happened = state.step.action.key
            state.taken_away = tuple(
                key for key in state.keys if key not in left and key != happened
            )

    def races(self) -> Iterator[tuple[int, list[Entry]]]:
        """Give each race: the number of the earlier step, and how to go on without it.

        That is all that need not come behind it, and then what raced with it.
        """
        for number, state in enumerate(self.states):
            for earlier in state.races:
                lost = self.states[earlier]
                raced = state.entry(number)
                # It may depend on what it did not depend on behind the other step.
                if not keeps_touches(state.step, lost.step, self._assume):
                    raced = raced._replace(step=None, before=-1)
                yield earlier, [*self._without(earlier), raced]
            for key in state.taken_away:
                others = list(self._without(number))
                yield number, [*others, self._never_came(number, key, others)]

    def advance(self) -> None:
        """Go back to the last state from which there is something to try; none: no states."""
        states = self.states
        while states and not _advance(states[-1]):
            states.pop()
        self._ordered = max(len(states) - 1, 0)

    def _still_asleep(self, keys: Sequence[str]) -> dict[str, list[Step]]:
        last = self.states[-1]
        return {
            key: variants
            for key, variants in last.sleep.items()
            if key in keys and not any(self.dependent(each, last.step) for each in variants)
        }

    def _guided(self, keys: Sequence[str], sleep: dict[str, list[Step]]) -> list[Wake]:
        """Give what the tree says is to be tried in the state behind the last one."""
        last = self.states[-1]
        wakes = last.wakes[0].branches.pop(last.values, [])
        lost = any(wake.key not in keys for wake in wakes)
        wakes = [wake for wake in wakes if wake.key in keys and wake.key not in sleep]
        if lost:
            # It depends on steps that were thought to be independent: try whatever there is.
            known = {wake.key for wake in wakes} | set(sleep)
            wakes += [Wake(key) for key in keys if key not in known]
        return wakes

    def _order(self, number: int) -> None:
        state = self.states[number]
        action = state.step.action
        made_by = self._made_possible_by(number, action.key)
        state.before, state.races = 0, []
        unknown = self._meeting.met_by(state.step) & ((1 << number) - 1)
        if made_by >= 0:
            unknown |= 1 << made_by
        while unknown:
            earlier = unknown.bit_length() - 1
            other = self.states[earlier]
            unknown ^= 1 << earlier
            if earlier != made_by:
                if not self.dependent(other.step, state.step):
                    continue
                if self._could_swap(other, state):
                    state.races.append(earlier)
            state.before |= other.before | 1 << earlier
            unknown &= ~other.before

    def _could_swap(self, earlier: State, later: State) -> bool:
        """Tell whether of two dependent steps, the later could have come first."""
        action = later.step.action
        # Actions of one actor come in their own order, unless there is a choice of them.
        if earlier.step.action.actor == action.actor:
            return action.key in earlier.keys
        return could_swap(earlier.step, later.step, self._assume)

    def _made_possible_by(self, number: int, key: str) -> int:
        """Tell which step an action was possible since that was in a state; -1: since ever."""
        number -= 1
        while number >= 0:
            state = self.states[number]
            if key not in state.keys or state.step.action.key == key:
                break
            number -= 1
        return number

    def _without(self, number: int) -> Iterator[Entry]:
        """Give the steps behind one that need not come behind it."""
        bit, states = 1 << number, self.states
        apart, looked = self._apart.get(number, (0, number + 1))
        for later in range(looked, len(states)):
            if not states[later].before & bit:
                apart |= 1 << later
        self._apart[number] = apart, len(states)
        while apart:
            lowest = apart & -apart
            later = lowest.bit_length() - 1
            yield states[later].entry(later)
            apart ^= lowest

    def _never_came(self, number: int, key: str, others: Sequence[Entry]) -> Entry:
        """Give what a step took away, as if it had come behind others."""
        made_by = self._made_possible_by(number, key)
        before = self.states[made_by].before | 1 << made_by if made_by >= 0 else 0
        variants = self.states[number].sleep.get(key, ())
        for other in others:
            if not commute(variants, other, self.dependent):
                before |= other.before | 1 << other.number
        return Entry(key, None, (), len(self.states), before)


def _advance(state: State) -> bool:
    """Choose what is to be tried next from a state; False: there is nothing left."""
    state.variants.append(state.step)
    while state.choices and state.choices[-1][1] + 1 >= state.choices[-1][0]:
        state.choices.pop()
    if state.choices:
        state.choices[-1][1] += 1
        return True
    state.sleep[state.wakes.pop(0).key] = state.variants
    state.variants = []
    while state.wakes and state.wakes[0].key in state.sleep:
        del state.wakes[0]
    return bool(state.wakes)
