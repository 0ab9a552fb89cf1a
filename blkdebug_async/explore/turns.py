"""How an exploring loop goes on: turn by turn as asyncio, step by step as a scheduler picks.

A turn takes as many steps as there were callbacks ready when it began; timers join the ready queue
between turns, and only there does a loop stop. Without a scheduler's doing this is asyncio's order.
"""

from __future__ import annotations

import asyncio
import heapq
from asyncio.base_events import _format_handle  # type: ignore[attr-defined]
from asyncio.format_helpers import _format_callback_source
from asyncio.log import logger
from collections import deque
from collections.abc import Callable
from functools import partial
from itertools import count
from math import inf
from time import perf_counter
from typing import Final

from blkdebug_async.explore.actions import Action, Kind, Scheduler, wants_touches
from blkdebug_async.explore.counters import is_counter, run_counter
from blkdebug_async.explore.deadlock import DeadlockError, describe_waits
from blkdebug_async.explore.exploration import CHECKED, CLOCK_MOVED, CLOCK_READ, Exploration
from blkdebug_async.explore.footprint import sync_footprint
from blkdebug_async.explore.handles import (
    Call,
    Flight,
    FreeCall,
    Ready,
    Step,
    StepHandle,
    Timer,
    describe_step,
)
from blkdebug_async.explore.possible import Choice, Possible, known_actor
from blkdebug_async.explore.record import Recorder
from blkdebug_async.explore.task_names import Actor

#: As asyncio has them: when a heap with cancelled timers is made anew.
_MANY_TIMERS: Final = 100
_MANY_CANCELLED: Final = 0.5
#: So many turns in a row may the ready queue keep what is in flight waiting, if nobody decides:
#: somebody may be polling for it.
_PATIENCE: Final = 1000
#: That a turn ends before all is done that was ready when it began.
_ENDING: Final = Action("end", "end", Kind.END)
#: Seconds that each of these turns counts for when a timer is kept waiting.
_TURN_TIME: Final = 1e-4


class EndlessRunError(RuntimeError):
    """A run has taken more steps than it may."""


class TurningLoop(asyncio.BaseEventLoop):
    """The part of an exploring loop that runs things.

    Args:
        scheduler: Decides what happens next.
        step_limit: Most steps that a run may take; None: any number.
    """

    # asyncio's own.
    _check_closed: Callable[[], None]
    _check_default_executor: Callable[[], None]
    _check_thread: Callable[[], None]
    _clock_resolution: float
    _current_handle: asyncio.Handle | None
    _debug: bool
    _ready: deque[Ready]
    _scheduled: list[Timer]
    _stopping: bool
    _timer_cancelled_count: int

    def __init__(self, scheduler: Scheduler, step_limit: int | None = None) -> None:
        super().__init__()
        #: Of the tasks to come.
        self.task_numbers = count(1)
        self._possible = Possible(self._ready)
        self._scheduler = scheduler
        self._pick_of = scheduler.pick_of
        self._picking = _picking_by(scheduler)
        self._named = scheduler.wants_actions
        self._noting = wants_touches(scheduler)
        self._step_limit = inf if step_limit is None else step_limit
        self._now = 0.0
        # Turns since something other than the ready queue happened.
        self._turns = 0
        # Steps of turns that are over, and those that the turn under way is to take.
        self._steps = 0
        # Timers that have become due with the one that the step under way began with.
        self._joined = 0
        # Why the run has to end, if something has come in between.
        self._fault: Exception | None = None
        # Whether the turn under way is to end at once.
        self._turn_is_over = False
        #: The run, for code that is explored.
        self.exploration = Exploration(self, scheduler, self._possible)

    @property
    def steps(self) -> int:
        """How many steps were taken."""
        return self._steps

    def hold_timers_back(self, held: bool) -> None:
        """Say whether time stands still as long as anything else can happen."""
        self._possible.timers_last = held

    def time(self) -> float:
        """Tell virtual time, in seconds; a run begins at 0."""
        if self._noting:
            self.exploration.touch(CLOCK_READ)
        return self._now

    # --- turns ---

    def stop(self) -> None:
        super().stop()
        if self._possible.running is not None:
            # What is left of the turn may as well have been left for the next one.
            self._possible.ending = Flight(_ENDING, self._end_turn, Kind.END)

    def _end_turn(self) -> None:
        self._turn_is_over = True

    def _run_once(self) -> None:
        """Take a turn, or all of them until somebody stops the loop."""
        self._possible.ending = None
        if not self._named and not self._debug:
            self._take_fast_turns()
            return
        places = self._begin_turn()
        while places > 0:
            if self._only_steps() and not self._debug:
                places = self._take_told_steps(places)
            else:
                places = self._take_step(places)

    def _only_steps(self) -> bool:
        """Tell whether there is nothing but steps of tasks to choose from."""
        possible = self._possible
        other = possible.calls or possible.flights or possible.jobs or possible.ending
        return not other and not self._scheduled and bool(self._ready)

    def _take_told_steps(self, places: int) -> int:
        """Take steps of tasks, each as _run_told(), while there is nothing else in a turn.

        Written out, as most of a run is that.
        """
        exploration, ready, scheduler = self.exploration, self._ready, self._scheduler
        outer = exploration.touched
        try:
            while places > 0 and self._only_steps():
                places -= 1
                actions: list[Action] = []
                for entry in ready:
                    # Whoever was woken was named then.
                    woken = entry[0].__self__  # type: ignore[index, union-attr]
                    actor: Actor = woken._explored_as
                    actions.append(actor.action or describe_step(actor))
                picked = scheduler.pick(actions) if len(actions) > 1 else 0
                step: Step = ready[picked]  # type: ignore[assignment]
                del ready[picked]
                callback, args, context = step
                task: asyncio.Task[object] = callback.__self__  # type: ignore[attr-defined]
                actor = task._explored_as  # type: ignore[attr-defined]
                actor.steps += 1
                actor.action = None
                looked = actor.looked
                exploration.touched = {id(looked): looked}
                exploration.stepping = task
                try:
                    context.run(callback, *args)
                except BaseException as error:
                    self._report(step, error)
                self._tell(actions[picked], task)
        finally:
            exploration.touched, exploration.stepping = outer, None
        return places

    def _begin_turn(self) -> int:
        """Give the number of steps that the next turn is to take."""
        if self._scheduled:
            self._collect_timers()
        self._turns += 1
        number = len(self._ready) or 1
        self._count_steps(number)
        return number

    def _count_steps(self, number: int) -> None:
        self._steps += number
        if self._fault is not None:
            raise self._fault
        if self._steps > self._step_limit:
            raise EndlessRunError(f"The run was not over after {self._step_limit} steps")

    def _take_fast_turns(self) -> None:  # noqa: C901  calls would take as long as the work
        """Take turns; of the ready queue alone, with little more than its steps."""
        possible, ready, timers = self._possible, self._ready, self._scheduled
        flights, jobs, checks = possible.flights, possible.jobs, self.exploration.checks
        pick_of, keep_value, keep_ways = self._picking
        while True:
            if flights or jobs or timers:
                number = self._begin_turn()
            else:
                number = len(ready)
                self._steps += number
            while number > 0:
                if flights or jobs or timers or checks:
                    number = self._take_step(number)
                    continue
                n = len(ready)
                if possible.calls:
                    possible.places = number
                    n = possible.reach()
                    number = possible.places
                    if not number:
                        break
                number -= 1
                if n > 1:
                    # As Recorder.pick_of().
                    picked = pick_of(n)
                    if not 0 <= picked < n:
                        picked = 0 if picked < 0 else n - 1
                    keep_value(picked)
                    keep_ways(n)
                    if possible.calls and possible.indices is not None:
                        picked = possible.indices[picked]
                    step = ready[picked]
                    del ready[picked]
                elif n:
                    step = ready.popleft()
                else:
                    break
                # mypy narrows a tuple by isinstance() only, which takes longer.
                if type(step) is tuple:
                    callback, args, context = step
                    try:
                        context.run(callback, *args)
                    except BaseException as error:
                        self._report(step, error)
                else:
                    number = self._run_plainly(step, number)  # type: ignore[arg-type]
            if self._stopping or self._debug:
                return
            self._end_fast_turn()

    def _end_fast_turn(self) -> None:
        possible = self._possible
        if not (self._ready or possible.flights or possible.jobs or self._scheduled):
            self._take_step(1)
        elif self._steps > self._step_limit or self._fault is not None:
            self._count_steps(0)

    def _run_plainly(self, call: Call, places: int) -> int:
        """Run a callback from the ready queue, in fast turns; give the places that are left."""
        possible = self._possible
        possible.calls -= 1
        possible.running = call
        call._run()
        possible.running = None
        while places > 0 and possible.ending is not None:
            places = self._take_step(places)
        return places

    def _collect_timers(self) -> None:
        """Let timers that are due join the ready queue, as asyncio does."""
        timers = self._scheduled
        number = len(timers)
        if number > _MANY_TIMERS and self._timer_cancelled_count / number > _MANY_CANCELLED:
            for timer in timers:
                timer._scheduled = not timer._cancelled
            timers[:] = [timer for timer in timers if timer._scheduled]
            heapq.heapify(timers)
            self._timer_cancelled_count = 0
        while timers and timers[0]._cancelled:
            self._timer_cancelled_count -= 1
            heapq.heappop(timers)._scheduled = False
        end = self._now + self._clock_resolution
        # The sum may be rounded to the same number, late in a long run.
        while timers and (timers[0]._when < end or timers[0]._when <= self._now):
            timer = heapq.heappop(timers)
            timer._scheduled = False
            self._ready.append(timer)
            self._possible.calls += 1

    # --- steps ---

    def _take_step(self, places: int) -> int:
        """Let the next thing happen.

        Args:
            places: How many the turn under way has left.

        Returns:
            How many it has now: less one, less cancelled callbacks, and more by the other timers
            that are due with the one that fires.
        """
        possible = self._possible
        possible.places = places
        late = self._turns > _PATIENCE and self._somebody_is_late()
        n = possible.gather(self._scheduled, ready_last=late)
        places = possible.places - 1
        if places < 0:
            # Only cancelled callbacks were left of this turn.
            return 0
        if not self._stopping or self._ready:
            if not n:
                raise DeadlockError(describe_waits(self))
            if self._named:
                self._run_told(n)
            else:
                self._run(possible.take(0 if n == 1 else self._pick_of(n)))
                if self.exploration.checks:
                    self.exploration.check()
        joined, self._joined = self._joined, 0
        if self._turn_is_over:
            self._turn_is_over = False
            return 0
        return places + joined

    def _somebody_is_late(self) -> bool:
        if self._possible.flights or self._possible.jobs:
            return True
        waited = self._turns * _TURN_TIME
        return bool(self._scheduled) and self._scheduled[0]._when - self._now < waited

    def _run_told(self, n: int) -> None:
        """Ask which of n actions is next, run it, and tell the scheduler what it touched."""
        exploration = self.exploration
        actions = self._possible.actions()
        picked = 0 if n == 1 else self._scheduler.pick(actions)
        action = actions[picked]
        choice = self._possible.take(picked)
        outer = exploration.touched, exploration.background, exploration.stepping
        exploration.touched = {}
        exploration.stepping = task = _task_of(choice)
        try:
            if task is None:
                exploration.background = Actor(action.key)
            else:
                actor = known_actor(task)
                actor.steps += 1
                actor.action = None
                exploration.touch(actor.looked)
            self._run(choice)
            self._tell(action, task)
        finally:
            exploration.touched, exploration.background, exploration.stepping = outer

    def _tell(self, action: Action, task: asyncio.Task[object] | None) -> None:
        """Tell all who want to know that a step is over."""
        exploration = self.exploration
        if task is not None and asyncio.Future.done(task):
            exploration.touch(known_actor(task).changed)
        if exploration.checks:
            exploration.touch(CHECKED)
            exploration.check()
        exploration.steps += 1
        touched = (*exploration.touched.values(),)
        if exploration.watcher is not None:
            exploration.watcher.stepped(action, task, touched)
        self._scheduler.ran(action, touched)

    def _run(self, choice: Choice) -> None:
        if isinstance(choice, tuple):
            callback, args, context = choice
            try:
                context.run(callback, *args)
            except BaseException as error:
                self._report(choice, error)
        elif isinstance(choice, Flight):
            self._turns = 0
            choice.arrive()
        else:
            if isinstance(choice, Timer):
                # Which one is next changes, even if it is late.
                self.exploration.touch(CLOCK_MOVED)
                if choice._scheduled:
                    self._go_on_to(choice)
            if not isinstance(choice, Call):
                self._run_handle(choice)
                return
            self._possible.running = choice
            if self._noting:
                self._run_call(choice)
            else:
                self._run_handle(choice)
            self._possible.running = None

    def _run_call(self, call: Call) -> None:
        """Run a plain callback, and note that it is not there to be stopped any more."""
        exploration, action = self.exploration, call.action
        assert action is not None
        exploration.touch(sync_footprint(f"call {action.key}"))
        callback = call._callback
        if is_counter(callback):
            run = partial(self._run_handle, call)
            run_counter(callback, run, exploration, free=isinstance(call, FreeCall))
        else:
            self._run_handle(call)

    def _go_on_to(self, timer: Timer) -> None:
        """Let time go on to a timer that is about to run."""
        self._turns = 0
        if timer._when > self._now:
            self._now = timer._when
        ready = len(self._ready)
        self._collect_timers()
        self._joined = len(self._ready) - ready - 1
        for number, entry in enumerate(self._ready):
            if entry is timer:
                del self._ready[number]
                self._possible.calls -= 1
                return

    def _run_handle(self, handle: asyncio.Handle) -> None:
        if not self._debug:
            handle._run()
            return
        try:
            self._current_handle = handle
            began = perf_counter()
            handle._run()
            took = perf_counter() - began
            if took >= self.slow_callback_duration:
                logger.warning("Executing %s took %.3f seconds", _format_handle(handle), took)
        finally:
            self._current_handle = None

    def _report(self, step: Step, error: BaseException) -> None:
        """Tell asyncio's exception handler of a step that failed, as Handle does."""
        if isinstance(error, SystemExit | KeyboardInterrupt):
            raise error
        callback, args, context = step
        source = _format_callback_source(callback, args)
        self.call_exception_handler(
            {
                "message": f"Exception in callback {source}",
                "exception": error,
                "handle": StepHandle(callback, args, self, context),
            }
        )

    # --- for work that stands for a thread ---

    def run_inside(self, done: Callable[[], bool]) -> None:
        """Go on inside a step, until something is done for which it waits."""
        asyncio.events._set_running_loop(self)
        try:
            while not done():
                if self._scheduled:
                    self._collect_timers()
                self._turns += 1
                if self._stopping and not self._ready:
                    raise RuntimeError("The event loop was stopped while a thread waited for it")
                self._take_step(1)
        finally:
            asyncio.events._set_running_loop(None)


def _picking_by(
    scheduler: Scheduler,
) -> tuple[Callable[[int], int], Callable[[int], object], Callable[[int], object]]:
    """Give what picks by number, and what keeps the value and the number of ways."""
    if type(scheduler) is not Recorder:
        return scheduler.pick_of, _ignore, _ignore
    pick_of, values, ways = scheduler.opened()
    return pick_of, values.append, ways.append


def _ignore(number: int) -> None:
    """Keep nothing."""


def _task_of(choice: Choice) -> asyncio.Task[object] | None:
    """Tell whose step something is; None: no task's."""
    if isinstance(choice, tuple):
        callback: object = choice[0]
    elif isinstance(choice, StepHandle):
        callback = choice._callback
    else:
        return None
    task = getattr(callback, "__self__", None)
    return task if isinstance(task, asyncio.Task) else None
