"""One turn of the loop, as QEMU's threads take it: who came last goes on first."""

from __future__ import annotations

import asyncio


class LastFirst:
    """Requests that wait for the same turn; all that waits for it then goes on, the last first.

    QEMU: util/thread-pool.c, thread_pool_completion_bh(): the list of what is done is a stack.
    """

    def __init__(self) -> None:
        self._waiting: list[asyncio.Event] = []

    async def take_turn(self) -> None:
        """Wait for the next turn."""
        event = asyncio.Event()
        if not self._waiting:
            # One turn more than it takes: whoever came before the loop turned is waiting by then.
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, self._wake)
        self._waiting.append(event)
        await event.wait()

    def _wake(self) -> None:
        while self._waiting:
            self._waiting.pop().set()
