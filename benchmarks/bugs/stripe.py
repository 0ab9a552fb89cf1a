"""A stripe: two blocks of data and their parity, so that any one of three can be lost.

Parity belongs to the stripe. Whoever locks only the block that it writes loses updates of it; who
rebuilds a block must see data and parity of one moment; and half a write is an inconsistent stripe.
"""

from __future__ import annotations

import asyncio
from typing import Final

from benchmarks.bugs.bug import Bug, Needs, bug
from benchmarks.bugs.common import (
    busy,
    faulty,
    fill,
    get_number,
    lock_if,
    may_fail,
    memory,
    put,
    together,
)
from blkdebug_async import Disk

KIND: Final = "stripe"
PARITY: Final = 2


class Stripe:
    """Numbers in blocks 0 and 1, their exclusive or in block 2."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        self.disk = disk
        self.fixed = fixed
        self.locks = [asyncio.Lock(), asyncio.Lock()]
        self.reading = lock_if(fixed)

    async def write(self, block: int, number: int) -> None:
        """Change a number, and the parity with it."""
        async with self.locks[0 if self.fixed else block]:
            change = await get_number(self.disk, block) ^ number
            parity = await get_number(self.disk, PARITY)
            await put(self.disk, block, str(number))
            await put(self.disk, PARITY, str(parity ^ change))

    async def rebuild(self, block: int) -> int:
        """Tell a number without reading it."""
        async with self.locks[0 if self.fixed else block]:
            other = await get_number(self.disk, 1 - block)
            return other ^ await get_number(self.disk, PARITY)


async def parity_lost(*, fixed: bool) -> None:
    """Write both numbers of a stripe."""
    async with memory(4) as disk:
        stripe = Stripe(disk, fixed=fixed)

        async def later() -> None:
            await busy(disk, 4)
            await stripe.write(1, 2)

        await together(first=stripe.write(0, 1), second=later())
        assert await get_number(disk, PARITY) == 3, "the parity does not fit the data"


async def rebuilt_from_two_moments(*, fixed: bool) -> None:
    """Rebuild one number while the other one is being written."""
    async with memory(4) as disk:
        await fill(disk, "5", "6", "3")
        stripe = Stripe(disk, fixed=fixed)

        async def rebuild() -> None:
            await busy(disk, 5)
            assert await stripe.rebuild(0) == 5, "rebuilt a number that was never there"

        await together(writer=stripe.write(1, 1), reader=rebuild())


class HalfWritten(Stripe):
    """Gives up half way when the parity cannot be written."""

    async def write(self, block: int, number: int) -> None:
        before = await get_number(self.disk, block)
        parity = await get_number(self.disk, PARITY)
        await put(self.disk, block, str(number))
        may_fail(self.disk, PARITY)
        try:
            await put(self.disk, PARITY, str(parity ^ before ^ number))
        except OSError:
            if self.fixed:
                await put(self.disk, block, str(before))
            raise


async def write_hole(*, fixed: bool) -> None:
    """Rebuild a number after a write of the other one has failed."""
    async with faulty(3) as disk:
        await fill(disk, "5", "6", "3")
        stripe = HalfWritten(disk, fixed=fixed)
        try:
            await stripe.write(1, 1)
        except OSError:
            assert await stripe.rebuild(0) == 5, "the parity does not fit the data"


class Batched(Stripe):
    """Puts both numbers into one write of the whole stripe, if they come close together."""

    def __init__(self, disk: Disk, *, fixed: bool) -> None:
        super().__init__(disk, fixed=fixed)
        self.numbers: dict[int, int] = {}

    async def write(self, block: int, number: int) -> None:
        self.numbers[block] = number
        async with self.reading:
            if len(self.numbers) < 2:
                other = 1 - block
                fetched = await get_number(self.disk, other)
                if self.fixed:
                    self.numbers.setdefault(other, fetched)
                else:
                    self.numbers[other] = fetched
            for place, value in list(self.numbers.items()):
                await put(self.disk, place, str(value))
            await put(self.disk, PARITY, str(self.numbers[0] ^ self.numbers[1]))


async def fetched_over_the_newer(*, fixed: bool) -> None:
    """Write the second number while it is fetched for the first one's sake."""
    async with memory(4) as disk:
        await fill(disk, "5", "6", "3")
        stripe = Batched(disk, fixed=fixed)

        async def later() -> None:
            await busy(disk)
            await stripe.write(1, 1)

        await together(first=stripe.write(0, 4), second=later())
        assert await get_number(disk, 1) == 1, "a write was undone"
        assert await get_number(disk, PARITY) == 5, "the parity does not fit the data"


BUGS: Final[tuple[Bug, ...]] = (
    bug(
        parity_lost,
        KIND,
        Needs.COMPLETION,
        3,
        "Writers lock the block that they write, but all of them change the parity.",
    ),
    bug(
        rebuilt_from_two_moments,
        KIND,
        Needs.COMPLETION,
        4,
        "A block is rebuilt from data before a write and parity after it.",
    ),
    bug(
        write_hole,
        KIND,
        Needs.FAULT,
        1,
        "Data stays written when its parity could not be, and the next rebuild gives garbage.",
    ),
    bug(
        fetched_over_the_newer,
        KIND,
        Needs.SCHEDULE,
        1,
        "A number that was fetched to fill the stripe replaces one written while it came.",
    ),
)
