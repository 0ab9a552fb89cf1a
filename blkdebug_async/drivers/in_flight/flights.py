"""The requests in flight to one node: their names, what they touch, and which of them are torn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Final, TypeVar

from blkdebug_async.block.driver import Pace
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.node import Node
from blkdebug_async.drivers.in_flight.flight import Flight, Put, WriteFlight
from blkdebug_async.explore.exploration import Exploration
from blkdebug_async.explore.footprint import Footprint, Touch
from blkdebug_async.units import KIB, MAX_LENGTH, SECTOR_SIZE, align_down, align_up

_T = TypeVar("_T")
#: Makes the coroutine of a request.
Work = Callable[[], Coroutine[object, None, _T]]
_Prints = tuple[Footprint, ...] | None

#: What a block status says of a byte may hang on others as far around it.
_STATUS_UNIT: Final = 64 * KIB


class Flights:
    """Lets requests to one node go into flight.

    Args:
        exploration: The run.
        node: It was just opened.
        label: What the run calls it.
    """

    def __init__(self, exploration: Exploration, node: Node, label: str) -> None:
        self._exploration = exploration
        self._named = exploration.wants_actions
        self._node = node
        self._label = label
        self._storage = node.driver.storage or self._label
        self._at_once = node.driver.pace is Pace.AT_ONCE
        #: Writes in flight that may be done in part, oldest first; the values mean nothing.
        self._long_writes: dict[WriteFlight, None] = {}
        if node.driver.storage is not None:
            key = f"writes to {node.driver.storage}"
            # Nobody else puts anything there.
            self._long_writes = exploration.shared.setdefault(key, {})  # type: ignore[assignment]

    # --- the verbs ---

    async def read(self, offset: int, length: int, work: Work[None]) -> None:
        """Read by what work makes."""
        flight = Flight(self._key("read", offset, length), offset, length, work)
        await self._fly(flight, self._prints(offset, length, Touch.READ), self._complete_read)

    async def write(self, offset: int, length: int, iov: Iovec, put: Put) -> None:
        """Write by what put makes, maybe in parts."""
        key = self._key("write", offset, length)
        flight: Flight[None]
        unit = self._unit()
        if self._at_once and offset + length > align_down(offset, unit) + unit:
            flight = long = WriteFlight(key, offset, iov, put)
            self._long_writes[long] = None
            # From now on, others that meet it may come amid it.
            self._touch(self._prints(offset, length, Touch.WRITE))
        else:
            flight = Flight(key, offset, length, partial(put, offset, length, iov))
        await self._change(flight, self._complete_write)

    async def change(self, verb: str, offset: int, length: int, work: Work[None]) -> None:
        """Change bytes otherwise, all of them at once."""
        flight = Flight(self._key(verb, offset, length), offset, length, work)
        await self._change(flight, Flight.complete)

    async def status(self, offset: int, length: int, work: Work[_T]) -> _T:
        """Tell what bytes are made of."""
        flight = Flight(self._key("block status", offset, length), offset, length, work)
        start = align_down(offset, _STATUS_UNIT)
        end = align_up(offset + length, _STATUS_UNIT)
        return await self._fly(
            flight, self._prints(start, end - start, Touch.READ), Flight.complete
        )

    async def flush(self, work: Work[None]) -> None:
        """Make safe what was written."""
        flight = Flight(self._key("flush"), 0, 0, work)
        await self._fly(flight, self._prints(0, 0, Touch.FLUSH), Flight.complete)

    async def truncate(self, size: int, work: Work[None]) -> None:
        """Change the length."""
        start = min(size, self._node.known_length)
        flight = Flight(self._key(f"truncate to {size}"), start, MAX_LENGTH - start, work)
        prints = self._prints(start, MAX_LENGTH - start, Touch.WRITE)
        await self._fly(flight, prints, Flight.complete)

    # --- in flight ---

    async def _change(self, flight: Flight[None], complete: Callable[[Flight[None]], None]) -> None:
        offset, end = flight.offset, flight.end
        if not self._at_once:
            # Whether others find a whole block, and need not wait for its rest, hangs on this.
            block = self._node.driver.cluster_size() or 1
            offset, end = align_down(offset, block), align_up(end, block)
        await self._fly(flight, self._prints(offset, end - offset, Touch.WRITE), complete)

    async def _fly(
        self, flight: Flight[_T], prints: _Prints, complete: Callable[[Flight[_T]], None]
    ) -> _T:
        """Wait until a request is done, however often its task is cancelled."""
        future = self._exploration.in_flight(flight.key, prints, partial(complete, flight))
        cancelled: asyncio.CancelledError | None = None
        while not flight.done:
            try:
                await future
            except asyncio.CancelledError as error:
                cancelled = cancelled or error
                future = flight.wait_again()
        if flight.rest is not None:
            if prints is not None:
                flight.rest.at_step = partial(self._touch, prints)
            flight.rest.cancelled = cancelled is not None
            flight.result = await flight.rest
        if cancelled is not None:
            raise cancelled from flight.error
        if flight.error is not None:
            raise flight.error
        return flight.result

    def _complete_read(self, flight: Flight[None]) -> None:
        if self._long_writes:
            self._tear_for(flight)
        flight.complete()

    def _complete_write(self, flight: Flight[None]) -> None:
        if self._long_writes:
            self._long_writes.pop(flight, None)  # type: ignore[call-overload]  # any may be asked
            self._tear_for(flight)
        flight.complete()

    # --- what is torn ---

    def _unit(self) -> int:
        """Give the bytes that are written all or not at all."""
        promised = self._exploration.atomic_unit
        return promised or max(self._node.limits.request_alignment, SECTOR_SIZE)

    def _tear_for(self, flight: Flight[None]) -> None:
        """Do parts of the writes in flight that a request meets, before it is done."""
        for write in tuple(self._long_writes):
            if write.offset < flight.end and flight.offset < write.end:
                self._tear(write, flight)

    def _tear(self, write: WriteFlight, flight: Flight[None]) -> None:
        # The first unit that both are in, and the one behind the last. All of the last one comes
        # with the completion.
        unit = self._unit()
        first = max(write.offset, flight.offset) // unit
        stop = -(-min(write.end, flight.end) // unit)
        if stop - first < 2:
            return
        stop = min(stop, (write.end - 1) // unit)
        first = max(first, write.landed // unit)
        if stop <= first:
            return
        key = f"{flight.key} amid {write.key}" if self._named else f"torn write on {self._label}"
        parts = self._exploration.scheduler.choose(stop - first + 1, key)
        if parts:
            start, end = write.landed, (first + parts) * unit
            write.land(end)
            self._touch(self._prints(start, end - start, Touch.WRITE))

    # --- names ---

    def _key(self, verb: str, offset: int | None = None, length: int = 0) -> str:
        if not self._named:
            return ""
        where = "" if offset is None else f" {offset}+{length}"
        return f"{self._exploration.acting().path}: {verb}{where} on {self._label}"

    def _prints(self, offset: int, length: int, touch: Touch) -> _Prints:
        if not self._named:
            return None
        return (Footprint(self._storage, offset, length, touch),)

    def _touch(self, prints: _Prints) -> None:
        for each in prints or ():
            self._exploration.touch(each)
