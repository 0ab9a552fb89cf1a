"""One turn of the loop, as QEMU's threads take it: who came last goes on first."""

from __future__ import annotations

import asyncio


class LastFirst:
    """Requests that wait for the same turn; all that waits for it then goes on, the last first.

    QEMU: util/thread-pool.c, thread_pool_completion_bh(): the list of what is done is a stack.
    """

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    async def take_turn(self) -> None:
        """Wait for the next turn."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            # One turn more than it takes: whoever came before the loop turned is waiting by then.
            loop.call_soon(loop.call_soon, self._wake)
        turned = loop.create_future()
        self._waiting.append(turned)
        await turned

    def _wake(self) -> None:
        while self._waiting:
            turned = self._waiting.pop()
            # Whoever was cancelled has cancelled it.
            if not turned.done():
                turned.set_result(None)
