"""What the commands of one run share: the open disk, requests in flight, the words to say.

What has to wait, waits as in QEMU. A command that submits a request runs it up to its first wait,
and it goes on only while a later command waits for something itself. A request that ended before
its command returned is reported at the next wait, the latest first; one that ends later, at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Coroutine
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar

from blkdebug_async.cli.opening import OpenRequest
from blkdebug_async.cli.output import Output
from blkdebug_async.compat import SAFE, Compat
from blkdebug_async.disk import Disk
from blkdebug_async.eager import Activity, advance_all, start_now
from blkdebug_async.errors import BlockError

T = TypeVar("T")


class Opener(Protocol):
    """Opens disks for a session."""

    async def __call__(self, request: OpenRequest, session: Session) -> Disk:
        """Open a disk; it says what it has to say through the session.

        Raises:
            OSError: It cannot be opened.
        """
        ...


class Session:
    """One run of the io language.

    Args:
        program: Name in front of error messages.
        output: Where answers and complaints go.
        compat: Where to do as QEMU does rather than what is safe.
        open_disk: Opens disks.
    """

    def __init__(self, program: str, output: Output, compat: Compat, open_disk: Opener) -> None:
        self.program = program
        self.output = output
        self.compat = compat
        self.open_disk = open_disk
        #: What is open; None: nothing.
        self.disk: Disk | None = None
        #: File names are option strings, as with --image-opts.
        self.image_opts = False
        #: Buffers start 16 bytes off.
        self.misalign = False
        #: No further command is wanted.
        self.is_over = False
        self._activities: list[Activity[None]] = []
        self._ended_early: list[str] = []

    # --- words ---

    def write(self, text: str) -> None:
        """Answer on stdout."""
        self.output.write(text)

    def warn(self, message: str) -> None:
        """Warn on stderr."""
        self.output.write_error(f"{self.program}: warning: {message}\n")

    def complain(self, message: str, hint: str = "") -> None:
        """Report an error on stderr, with advice if there is any."""
        self.output.complain(self.program, message, hint)

    # --- waiting ---

    async def perform(self, operation: Awaitable[T]) -> T:
        """Wait for a request; whoever that woke goes on before the caller does."""
        async with self._followed_by_others():
            return await operation

    async def poll(self, operation: Awaitable[T]) -> T:
        """Wait for a request, but at least for one turn of the loop."""
        async with self._followed_by_others(at_least_once=True):
            return await operation

    @asynccontextmanager
    async def _followed_by_others(self, *, at_least_once: bool = False) -> AsyncIterator[None]:
        turned: list[bool] = []
        turn = asyncio.get_running_loop().call_soon(turned.append, True)
        try:
            yield
        finally:
            turn.cancel()
            if turned or at_least_once:
                # Those who were woken together with us have their turn, as in one round of
                # QEMU's main loop.
                await asyncio.sleep(0)
            self.advance()

    async def turn(self) -> None:
        """Let the loop turn once."""
        await self.perform(asyncio.sleep(0))

    def advance(self) -> None:
        """Run on every submitted request that was woken, without a turn of the loop."""
        advance_all(self._activities)
        done = [each for each in self._activities if each.task.done()]
        self._activities = [each for each in self._activities if each not in done]
        for each in done:
            # A request reports what went wrong; what it raises is a mistake of ours.
            each.task.result()

    # --- requests that nobody waits for ---

    def submit(self, request: Coroutine[object, None, str]) -> None:
        """Start a request.

        Args:
            request: Does it, and gives the report, "" for none.
        """
        submitted = asyncio.Event()
        self._activities.append(start_now(self._report(request, submitted)))
        submitted.set()
        self.advance()

    async def _report(
        self, request: Coroutine[object, None, str], submitted: asyncio.Event
    ) -> None:
        text = await request
        if submitted.is_set():
            self.write(text)
            return
        if not self._ended_early:
            asyncio.get_running_loop().call_soon(self._report_early_ends)
        self._ended_early.append(text)

    def _report_early_ends(self) -> None:
        while self._ended_early:
            self.write(self._ended_early.pop())

    async def drain(self) -> None:
        """Wait for all requests.

        Raises:
            SuspendedError: Some are held at breakpoints; not where QEMU would wait for ever.
        """
        self._report_early_ends()
        if self.disk is not None:
            await self.perform(self.disk.drain())

    async def close_disk(self) -> None:
        """Close what is open, once nothing is in flight.

        Raises:
            SuspendedError: Requests are held at breakpoints, so that it stays open; see drain().
            OSError: It could not be closed well. It is closed all the same. QEMU keeps quiet then,
                and so do we where we are to be QEMU.
        """
        if self.disk is None:
            return
        await self.drain()
        disk, self.disk = self.disk, None
        try:
            await self.perform(disk.close())
        except OSError:
            if self.compat == SAFE:
                raise

    async def finish(self) -> bool:
        """End the session: wait for everything, close everything.

        Returns:
            Whether that went well.
        """
        try:
            await self.close_disk()
        except BlockError as error:
            self.complain(str(error), error.hint)
        except OSError as error:
            self.complain(str(error))
        else:
            return True
        return False

    def require_disk(self) -> Disk:
        """Give the open disk; the dispatcher has made sure that there is one."""
        assert self.disk is not None
        return self.disk
