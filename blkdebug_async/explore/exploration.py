"""What code under exploration may ask its loop: `asyncio.get_running_loop().exploration`.

Other loops have no such attribute.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from contextvars import Context, copy_context
from typing import Final, Protocol, TypeVar

from blkdebug_async.explore.actions import Action, Kind, RedundantRunError, Scheduler, wants_touches
from blkdebug_async.explore.footprint import Footprint, Touch, sync_footprint
from blkdebug_async.explore.handles import Flight
from blkdebug_async.explore.history import History
from blkdebug_async.explore.possible import Possible, known_actor
from blkdebug_async.explore.sync_names import prints_of
from blkdebug_async.explore.task_names import Actor

_T = TypeVar("_T")

#: Looking at the time, as whoever begins to sleep does.
CLOCK_READ: Final = sync_footprint("clock", Touch.READ)
#: Letting time go on.
CLOCK_MOVED: Final = sync_footprint("clock")
#: Making something ready that comes after the callbacks that are; in no order of its own.
QUEUE_READ: Final = sync_footprint("ready queue", Touch.READ)
#: Making a callback ready, which comes after those that are and before what is ready later.
QUEUE_CHANGED: Final = sync_footprint("ready queue")
#: What each step changes while there are checks, which look at everything.
CHECKED: Final = sync_footprint("checks")
_UNNAMED: Final = Action("", "", Kind.REQUEST)


class Watcher(Protocol):
    """Hears what happens in a run that is told to people; only if names are wanted."""

    def launched(self, action: Action) -> None:
        """Hear that a request or a thread's work goes into flight."""
        ...

    def stepped(
        self,
        action: Action,
        task: asyncio.Task[object] | None,
        touched: tuple[Footprint, ...],
    ) -> None:
        """Hear that a step is over: what it began with, whose it was, what it touched."""
        ...


class Exploration:
    """One run, as seen from inside.

    Args:
        loop: The loop of the run.
        scheduler: Decides.
        possible: Where what is in flight stands.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, scheduler: Scheduler, possible: Possible
    ) -> None:
        #: Decides; its choose() is for everybody.
        self.scheduler = scheduler
        #: Whether names and footprints are wanted; if not, nobody need make them.
        self.wants_actions = scheduler.wants_actions
        #: Whether it is wanted, too, what steps touch besides bytes of disks.
        self.wants_touches = wants_touches(scheduler)
        #: Called after each step; what they raise ends the run.
        self.checks: list[Callable[[], object]] = []
        #: Hears of each step, if names are wanted.
        self.watcher: Watcher | None = None
        #: What those parts of the run share that know each other's names in it.
        self.shared: dict[str, object] = {}
        #: What is to be given back when the run is over.
        self.at_end = ExitStack()
        #: Bytes of which devices promise that they are written all or not at all; None: as many
        #: as the alignment of a leaf says, at least a sector.
        self.atomic_unit: int | None = None
        #: What was asked of disks.
        self.history = History(self._present)
        #: What must happen in some run, and whether it has happened in this one.
        self.reached: dict[str, bool] = {}
        #: How many steps are over, if names are wanted.
        self.steps = 0
        #: What the step under way has touched, by identity.
        self.touched: dict[int, Footprint] = {}
        #: Whose step is under way, if names are wanted; None: no task's.
        self.stepping: asyncio.Task[object] | None = None
        #: Whoever acts outside of all tasks.
        self.root = Actor("")
        #: Who acts while no task does: the callback or completion under way.
        self.background = self.root
        #: What is made for whoever awaits something in flight.
        self.arrival_class: type[Arrival[object]] = Arrival
        self._loop = loop
        self._possible = possible

    def touch(self, footprint: Footprint) -> None:
        """Note what the step under way touched."""
        if self.wants_actions:
            self.touched[id(footprint)] = footprint

    def check(self) -> None:
        """Look whether all is as it must be after each step."""
        for check in self.checks:
            check()

    def acting(self) -> Actor:
        """Tell who acts."""
        task = asyncio.current_task(self._loop)
        return self.background if task is None else known_actor(task)

    def _present(self) -> tuple[str, int | None]:
        """Tell who acts and how many steps are over, if names are wanted."""
        return (self.acting().path, self.steps) if self.wants_actions else ("", None)

    def name_of(self, name: str) -> str:
        """Give a thing that whoever acts has just made a name that nothing else in the run has.

        Tasks may make things of one name in any order, but each one its own in the same.
        """
        actor = self.acting()
        whose = f" of {actor.path}" if "/" in actor.path else ""
        label = name + whose
        number = actor.number(f"thing {label}").removeprefix(f"thing {label}#")
        # Not with the mark that tells requests of one name apart, which end with such a name.
        return f"{label} ({int(number) + 1})" if number.isdecimal() else label

    def in_flight(
        self,
        action_key: str,
        touches: tuple[Footprint, ...] | None = None,
        effect: Callable[[], None] | None = None,
    ) -> asyncio.Future[None]:
        """Let a request go into flight; the scheduler picks when it completes.

        Args:
            action_key: Stable name of the request, for which no other task has one; a second one
                of the same name gets a number.
            touches: What its completion will touch; None: not known.
            effect: What to do at completion, in that very step; what it raises is raised by the
                future. With it, a request whose future is cancelled takes effect all the same, as
                a device knows nothing of tasks; without, nothing is left to happen.

        Returns:
            Done when the scheduler has picked its completion.
        """
        return self.fly(Kind.REQUEST, action_key, touches, effect, copy_context())

    def whim(self, key: str, effect: Callable[[], object]) -> None:
        """Let something be possible from now on that nobody waits for.

        Args:
            key: Stable name of it.
            effect: What happens then; the run may as well be over before.
        """
        self.fly(Kind.CALL, key, None, effect, copy_context())

    def left_in_flight(self) -> list[Action]:
        """List the requests, and the work of threads, that are not over; without whims."""
        flights = [*self._possible.flights, *self._possible.jobs]
        return [flight.action for flight in flights if flight.kind is not Kind.CALL]

    def fly(
        self,
        kind: Kind,
        key: str,
        touches: tuple[Footprint, ...] | None,
        effect: Callable[[], _T] | None,
        context: Context,
    ) -> asyncio.Future[_T]:
        """Let something go into flight, as in_flight(), that gives what its effect returns."""
        action = _UNNAMED
        kind_of_future = self.arrival_class
        future: Arrival[_T] = kind_of_future(loop=self._loop)  # type: ignore[assignment]
        if self.wants_actions:
            key = self.root.number(key)
            action = Action(key, key, kind, touches)
            if self.watcher is not None:
                self.watcher.launched(action)
            if self.wants_touches:
                prints_of(future, self)
        group = self._possible.jobs if kind is Kind.THREAD else self._possible.flights

        def arrive() -> None:
            del group[flight]
            if self.wants_actions:
                for footprint in touches or ():
                    self.touch(footprint)
                if self.wants_touches:
                    # Also if it was cancelled: that is what this comes before or after.
                    self.touch(prints_of(future, self)[1])
            _land(future, effect, context)
            if flight.when_over is not None:
                flight.when_over()

        flight = Flight(action, arrive, kind)
        group[flight] = None
        if effect is None:
            future.forget = lambda: group.pop(flight, None)
        return future


class Arrival(asyncio.Future[_T]):
    """What the maker of something in flight awaits."""

    #: Takes it out of flight, if it has no effect and nobody awaits it any more.
    forget: Callable[[], object] | None = None

    def cancel(self, msg: object = None) -> bool:
        cancelled = super().cancel(msg)
        if cancelled and self.forget is not None:
            self.forget()
        return cancelled


def _land(future: asyncio.Future[_T], effect: Callable[[], _T] | None, context: Context) -> None:
    try:
        result = None if effect is None else context.run(effect)
    except (SystemExit, KeyboardInterrupt, RedundantRunError):
        raise
    except BaseException as error:
        if not future.done():
            future.set_exception(_settable(error))
    else:
        if not future.done():
            future.set_result(result)  # type: ignore[arg-type]  # without effect, _T is None


def _settable(error: BaseException) -> BaseException:
    """Futures refuse StopIteration, which would end whoever awaits them."""
    if not isinstance(error, StopIteration):
        return error
    wrapped = RuntimeError("StopIteration was raised by what a future stands for")
    wrapped.__cause__ = error
    return wrapped
