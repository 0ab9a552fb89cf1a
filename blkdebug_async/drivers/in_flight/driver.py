"""The disk under exploration: requests to leaves go into flight, and complete as is chosen.

A node that keeps data itself gets another class: the same driver, but that each request waits until
the scheduler picks its completion, and takes effect in that very step. Nothing else about the node
changes, so that nobody sees a difference but in the order of things. Loaded only where a disk is
opened in an exploration.

What holds in every order:
- A request that was sent off takes effect, also if its task is cancelled; the task waits for that,
  as it does where the kernel has its buffers.
- A long write in flight may be done in part before another request to the same bytes is: the first
  ones of its pieces of the atomic unit.
- A driver that has to wait goes on in the task that sent the request off.
"""

from __future__ import annotations

from collections.abc import Coroutine
from functools import cache, partial
from typing import Final

from blkdebug_async.block.context import UNCHANGED, Context
from blkdebug_async.block.driver import Driver, Pace
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.node import Node
from blkdebug_async.block.target import BlockStatus, Truncation
from blkdebug_async.block.tracked import Request
from blkdebug_async.drivers.in_flight.flights import Flights
from blkdebug_async.drivers.in_flight.noted import note_requests
from blkdebug_async.explore.exploration import Exploration
from blkdebug_async.explore.here import exploration_here


def launcher_here(context: Context) -> Launcher | None:
    """Give what changes the nodes of a tree that is opened in an exploration; None: there is none.

    Args:
        context: Of the tree; the scheduler decides for it too, unless it was given somebody else.
    """
    exploration = exploration_here()
    if exploration is None:
        return None
    if context.choices is UNCHANGED:
        context.choices = exploration.scheduler
    return Launcher(exploration)


class Launcher:
    """Lets requests to the leaves of one tree go into flight.

    Args:
        exploration: The run.
    """

    def __init__(self, exploration: Exploration) -> None:
        self._exploration = exploration

    def adapt(self, driver: Driver) -> None:
        """Have a driver that is about to be opened leave alone what outlasts the run."""
        driver.__class__ = type(driver).explored()

    def launch(self, node: Node) -> None:
        """Let requests to a node that was just opened go into flight, if they end there."""
        driver = node.driver
        label = self._exploration.name_of(node.name)
        if self._exploration.wants_actions:
            note_requests(node, self._exploration, label)
        if driver.pace is Pace.OWN_TIME or (node.children and not driver.keeps_data):
            return
        flights = Flights(self._exploration, node, label)
        kind = type(driver)
        driver.__class__ = _flying(kind)
        driver.answers_at_once = False
        vars(driver).update(flights=flights, kind=kind)


class _Flying(Driver):
    """What is different about a driver whose requests go into flight. No driver is one of these."""

    flights: Flights
    #: What the driver was before, and still is otherwise.
    kind: type[Driver]

    async def preadv(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        work = partial(self.kind.preadv, self, offset, length, iov, flags, request)
        await self.flights.read(offset, length, work)

    async def pwritev(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        def put(offset: int, length: int, iov: Iovec) -> Coroutine[object, None, None]:
            return self.kind.pwritev(self, offset, length, iov, flags, request)

        await self.flights.write(offset, length, iov, put)

    async def pwritev_compressed(
        self, offset: int, length: int, iov: Iovec, request: Request
    ) -> None:
        work = partial(self.kind.pwritev_compressed, self, offset, length, iov, request)
        await self.flights.change("compressed write", offset, length, work)

    async def pwrite_zeroes(self, offset: int, length: int, flags: int, request: Request) -> None:
        work = partial(self.kind.pwrite_zeroes, self, offset, length, flags, request)
        await self.flights.change("zero write", offset, length, work)

    async def pdiscard(self, offset: int, length: int, request: Request) -> None:
        work = partial(self.kind.pdiscard, self, offset, length, request)
        await self.flights.change("discard", offset, length, work)

    async def flush_everything(self, request: Request) -> None:
        await self.flights.flush(partial(self.kind.flush_everything, self, request))

    async def flush_to_disk(self, request: Request) -> None:
        await self.flights.flush(partial(self.kind.flush_to_disk, self, request))

    async def block_status(
        self, offset: int, length: int, want_zero: bool, request: Request
    ) -> BlockStatus:
        work = partial(self.kind.block_status, self, offset, length, want_zero, request)
        return await self.flights.status(offset, length, work)

    async def truncate(self, size: int, how: Truncation, request: Request) -> None:
        await self.flights.truncate(size, partial(self.kind.truncate, self, size, how, request))


#: Verbs of which it matters whether a driver has its own version.
_OPTIONAL: Final = (
    *("pwritev_compressed", "pwrite_zeroes", "pdiscard"),
    *("flush_everything", "block_status", "truncate"),
)


@cache
def _flying(kind: type[Driver]) -> type[Driver]:
    """Make the class of drivers of a kind whose requests go into flight."""
    verbs = ["preadv", "pwritev", "flush_to_disk"]
    verbs += [verb for verb in _OPTIONAL if getattr(kind, verb) is not getattr(Driver, verb)]
    names: dict[str, object] = {verb: vars(_Flying)[verb] for verb in verbs}
    names |= {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
    return type(kind.__name__, (kind,), names)
