"""Flushing one node: one flush at a time, and none where nothing was written since the last.

A node's disk flush is skipped when its generation was flushed already; its children are asked
anyway, they know best themselves.

QEMU: block/io.c, bdrv_co_flush().
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Protocol

from blkdebug_async.block.driver import Driver, has
from blkdebug_async.block.state import NodeState
from blkdebug_async.block.tracked import Request
from blkdebug_async.events import Event, IoType


class Flushed(Protocol):
    """What is flushed with a node."""

    def flush(self, parent: Request | None) -> Coroutine[object, None, None]:
        """Make everything safe that was written before this call."""
        ...

    def is_flushed(self) -> bool:
        """Tell whether flush() would do nothing that anybody could see."""
        ...


class Flusher:
    """Flushes of one node."""

    __slots__ = ("_active", "_flushed_generation", "_node", "_waiters", "targets")

    def __init__(self, node: NodeState) -> None:
        self._node = node
        #: The children that we may write to.
        self.targets: Sequence[Flushed] = ()
        self._flushed_generation = 0
        self._active = False
        self._waiters: list[asyncio.Event] = []

    def is_flushed(self) -> bool:
        """Tell whether flush() would do nothing that anybody could see."""
        node, driver = self._node, self._node.driver
        if node.context.observer is not None or driver.holds_completion:
            return False
        if node.flags.read_only:
            return True
        kind = type(driver)
        return (
            self._flushed_generation == node.generation
            and not self._active
            and kind.flush_to_os is Driver.flush_to_os
            and kind.flush_everything is Driver.flush_everything
            and not (driver.file is not None and driver.file.hears(Event.FLUSH_TO_OS))
            and all(target.is_flushed() for target in self.targets)
        )

    async def flush(self, parent: Request | None) -> None:
        """Make everything safe that was written before this call.

        Raises:
            OSError: Something is not safe; the first error of the node and its children.
        """
        node = self._node
        request = node.begin(IoType.FLUSH, 0, 0, 0, parent)
        await node.run(request, self._flush_in_turn(request))

    async def _flush_in_turn(self, request: Request) -> None:
        if self._node.flags.read_only:
            return
        generation = self._node.generation
        while self._active:
            await self._wait_turn()
        self._active = True
        try:
            if has(self._node.driver, "flush_everything"):
                self._observe(request)
                await self._node.driver.flush_everything(request)
            else:
                await self._flush_node(generation, request)
                await self._flush_children(request)
            # Flushes need not reach this point in the order in which they came.
            self._flushed_generation = max(self._flushed_generation, generation)
        finally:
            self._active = False
            self._wake_next()

    async def _wait_turn(self) -> None:
        event = asyncio.Event()
        self._waiters.append(event)
        try:
            await event.wait()
        except BaseException:
            if event in self._waiters:
                self._waiters.remove(event)
            else:
                # We were woken and cannot use it.
                self._wake_next()
            raise

    def _wake_next(self) -> None:
        if self._waiters:
            self._node.context.wake_one(self._waiters, f"flush {self._node.name}")

    async def _flush_node(self, generation: int, request: Request) -> None:
        driver, file = self._node.driver, self._node.driver.file
        if file is not None and file.hears(Event.FLUSH_TO_OS):
            await file.fire(Event.FLUSH_TO_OS, request)
        await driver.flush_to_os(request)
        if self._node.flags.no_flush or self._flushed_generation == generation:
            return
        if file is not None and file.hears(Event.FLUSH_TO_DISK):
            await file.fire(Event.FLUSH_TO_DISK, request)
        self._observe(request)
        await driver.flush_to_disk(request)

    def _observe(self, request: Request) -> None:
        if self._node.context.observer is not None:
            self._node.context.observer.driver_called(request, IoType.FLUSH, 0, 0)

    async def _flush_children(self, request: Request) -> None:
        first: OSError | None = None
        for target in self.targets:
            try:
                if not target.is_flushed():
                    await target.flush(request)
            except OSError as error:
                first = first or error
        if first is not None:
            raise first
