from __future__ import annotations

from blkdebug_async import open_disk
from blkdebug_async.drivers.memory import MemoryDriver
from blkdebug_async.events import Event


class Listening(MemoryDriver):
    """Hears of one event, whatever anybody sets."""

    @property
    def heard(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({Event.PWRITEV_DONE})


async def test_what_a_driver_hears_may_be_a_property() -> None:
    async with open_disk(Listening(4096)) as disk:
        await disk.pwrite(0, b"x")
        assert await disk.pread(0, 1) == b"x"
