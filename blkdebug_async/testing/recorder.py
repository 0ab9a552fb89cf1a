"""What a recording driver writes down, and what it does to the calls that it gets.

A script may fail or delay a call; a Hold keeps calls waiting until the test lets them go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from blkdebug_async.errors import BlockError
from blkdebug_async.events import Event, IoType


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a driver."""

    op: IoType
    #: First byte; the new length for truncate; 0 for flush.
    offset: int = 0
    #: Bytes; 0 for flush and truncate.
    length: int = 0
    #: Request flags (block.flags) as the driver got them.
    flags: int = 0

    def __str__(self) -> str:
        return f"{self.op} {self.length}@{self.offset}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a script does to a call."""

    #: Fail with it; 0: go on.
    errno: int = 0
    #: Wait so long before, on the loop's clock.
    delay_s: float = 0.0
    #: Let the loop turn so many times before.
    turns: int = 0
    #: Bytes of a failing write that get written all the same.
    applied: int = 0


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Which calls are meant; None: any."""

    op: IoType | None
    #: A byte that must be in the call's range.
    at: int | None

    def is_met_by(self, call: Call) -> bool:
        if self.op is not None and call.op is not self.op:
            return False
        return self.at is None or call.offset <= self.at < call.offset + call.length


@dataclass(slots=True)
class _Scripted:
    """An answer that waits for calls."""

    wanted: _Wanted
    answer: Answer
    left: int


class Hold:
    """Keeps the calls waiting that it is for, from Recorder.hold() until release()."""

    def __init__(self, recorder: Recorder, wanted: _Wanted, after: bool, times: int | None) -> None:
        self._recorder = recorder
        self._wanted = wanted
        self._after = after
        #: How many more calls it will hold; None: all.
        self._left = times
        self._arrived = asyncio.Event()
        self._released = asyncio.Event()
        #: The calls that wait now, oldest first.
        self.held: list[Call] = []

    async def arrived(self) -> None:
        """Wait until it has held at least one call."""
        await self._arrived.wait()

    def release(self) -> None:
        """Let all calls go on, and hold none again."""
        self._recorder.holds.remove(self)
        self._released.set()

    async def _pass(self, call: Call, after: bool) -> None:
        if after is not self._after or self._left == 0 or not self._wanted.is_met_by(call):
            return
        if self._left is not None:
            self._left -= 1
        self.held.append(call)
        self._arrived.set()
        try:
            await self._released.wait()
        finally:
            self.held.remove(call)


class Recorder:
    """The log of one driver, and its script."""

    def __init__(self) -> None:
        #: Calls and events in the order in which they came.
        self.log: list[Call | Event] = []
        #: How often close() was called.
        self.closed = 0
        #: Asked about each call after those given to answer(); None: the call goes on.
        self.script: Callable[[Call], Answer | None] | None = None
        self.holds: list[Hold] = []
        self._answers: list[_Scripted] = []

    @property
    def calls(self) -> list[Call]:
        """The calls alone."""
        return [entry for entry in self.log if isinstance(entry, Call)]

    @property
    def events(self) -> list[Event]:
        """The events alone."""
        return [entry for entry in self.log if isinstance(entry, Event)]

    def clear(self) -> None:
        """Forget what was recorded; the script stays."""
        self.log.clear()

    def spell(self) -> list[str]:
        """Give the calls as `write 512@1024`."""
        return [str(call) for call in self.calls]

    # --- the script ---

    def fail(
        self, errno: int, op: IoType | None = None, *, at: int | None = None, times: int = 1
    ) -> None:
        """Fail calls.

        Args:
            errno: With which error.
            op: Only calls of this kind; None: any.
            at: Only calls whose range contains this byte; None: any.
            times: So many of them.
        """
        self.answer(Answer(errno), op, at=at, times=times)

    def answer(
        self, answer: Answer, op: IoType | None = None, *, at: int | None = None, times: int = 1
    ) -> None:
        """Do something to calls; arguments as of fail()."""
        self._answers.append(_Scripted(_Wanted(op, at), answer, times))

    def hold(
        self,
        op: IoType | None = None,
        *,
        at: int | None = None,
        after: bool = False,
        times: int | None = None,
    ) -> Hold:
        """Keep calls waiting.

        Args:
            op: Only calls of this kind; None: any.
            at: Only calls whose range contains this byte; None: any.
            after: Hold them when their work is done rather than before.
            times: So many of them; None: all until release().
        """
        hold = Hold(self, _Wanted(op, at), after, times)
        self.holds.append(hold)
        return hold

    # --- for the driver ---

    async def enter(self, call: Call) -> Answer:
        """Write a call down, then hold and delay it.

        Returns:
            What is to become of it; a delay is over by then.
        """
        self.log.append(call)
        for hold in tuple(self.holds):
            await hold._pass(call, after=False)
        answer = self._ask(call)
        if answer.delay_s:
            await asyncio.sleep(answer.delay_s)
        for _ in range(answer.turns):
            await asyncio.sleep(0)
        return answer

    async def leave(self, call: Call) -> None:
        """Hold a call whose work is done."""
        for hold in tuple(self.holds):
            await hold._pass(call, after=True)

    def _ask(self, call: Call) -> Answer:
        for scripted in self._answers:
            if scripted.left and scripted.wanted.is_met_by(call):
                scripted.left -= 1
                return scripted.answer
        return (self.script and self.script(call)) or Answer()


def refuse(call: Call, answer: Answer) -> None:
    """Raise what an answer asks for.

    Raises:
        BlockError: With its errno, if it has one.
    """
    if answer.errno:
        raise BlockError(answer.errno, f"the script fails {call}")
