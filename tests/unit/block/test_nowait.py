from __future__ import annotations

from collections.abc import Callable, Sequence
from errno import EIO, ENOSPC, EPERM
from zlib import crc32

import pytest

from blkdebug_async.block.driver import Driver, FilterDriver
from blkdebug_async.block.flags import COPY_ON_READ, FUA, SERIALISING
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.tracked import Request
from blkdebug_async.drivers.blkdebug.driver import BlkdebugDriver
from blkdebug_async.drivers.blkdebug.rules import InjectError, Phase, SetState, Suspend
from blkdebug_async.drivers.memory import MemoryDriver
from blkdebug_async.drivers.null import NullAioDriver, NullCoDriver
from blkdebug_async.drivers.overlay import OverlayDriver
from blkdebug_async.drivers.raw.driver import RawDriver
from blkdebug_async.errors import BlockError
from blkdebug_async.events import Event, IoType
from blkdebug_async.opening import open_disk
from blkdebug_async.testing import RecordingDriver
from blkdebug_async.trace import Observer
from blkdebug_async.units import GIB, KIB, MAX_REQUEST, MIB
from tests.unit.block.at_once import BLOCK, SIZE, blocks, noting, reads, writes
from tests.unit.noting import NotingDriver, content


class Nobody(Observer):
    pass


# --- what is answered at once ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offset", "length"),
    [
        (0, BLOCK),
        (0, 0),
        (BLOCK, 2 * BLOCK),
        (5, 6),
        (BLOCK - 1, 2),
        (10, 3 * BLOCK),
        (BLOCK, BLOCK + 1),
        (100, BLOCK - 100),
        (1, SIZE - 2),
    ],
)
async def test_a_request_on_an_idle_node_is_answered_at_once(offset: int, length: int) -> None:
    expected = bytearray(content(SIZE))
    expected[offset : offset + length] = b"w" * length
    async with open_disk(blocks()) as disk:
        first, second = bytearray(length // 2), bytearray(length - length // 2)
        assert disk.preadv_nowait(offset, [first, second])
        assert first + second == content(SIZE)[offset : offset + length]
        assert disk.pwritev_nowait(offset, [b"w" * (length // 3), b"w" * (length - length // 3)])
        assert await disk.pread(0, SIZE) == expected


@pytest.mark.parametrize("compat", [None, "seed"])
async def test_the_same_calls_reach_the_driver_as_on_the_other_path(compat: str | None) -> None:
    logs = []
    for observer in (None, Nobody()):
        leaf = noting()
        async with open_disk(blocks(leaf), compat=compat, observer=observer) as disk:
            for offset, length in [(10, 20), (10, BLOCK), (10, 2 * BLOCK), (0, 5), (0, BLOCK)]:
                assert writes(disk, offset, length) is (observer is None)
                if observer is not None:
                    await disk.pwrite(offset, b"w" * length)
            logs.append(leaf.log[:])

    assert logs[0] == logs[1]


async def test_what_was_written_at_once_is_flushed_once() -> None:
    leaf = noting()
    async with open_disk(RawDriver(BlkdebugDriver(leaf))) as disk:
        assert writes(disk)
        await disk.flush()
        await disk.flush()
        assert [call[0] for call in leaf.log] == ["write", "flush"]
        assert writes(disk, 100, 7)
        await disk.flush()
        assert [call[0] for call in leaf.log][2:] == ["write", "flush"]


async def test_what_is_written_at_once_is_safe_where_the_driver_makes_it_so() -> None:
    leaf = noting()
    async with open_disk(RawDriver(leaf)) as disk:
        assert writes(disk, flags=FUA)
        assert leaf.log == [("write", 0, 512, FUA, crc32(b"w" * 512))]


# --- what is left to the other path ------------------------------------------------------------

Make = Callable[[], Driver]
NEITHER: dict[str, Make] = {
    "armed rule": lambda: blocks(
        noting(), InjectError(Event.PWRITEV_DONE, iotypes={IoType.READ, IoType.WRITE})
    ),
    "phase before the driver": lambda: blocks(
        noting(), Suspend("tag", phase=Phase.BEFORE_DRIVER, state=5)
    ),
    "phase after the driver": lambda: blocks(
        noting(), Suspend("tag", phase=Phase.AFTER_DRIVER, state=5)
    ),
    "phase before completion": lambda: blocks(
        noting(), Suspend("tag", phase=Phase.BEFORE_COMPLETION, state=5)
    ),
    "phase below": lambda: RawDriver(
        blocks(noting(), Suspend("tag", phase=Phase.BEFORE_COMPLETION, state=5))
    ),
    "aio event below raw": lambda: RawDriver(
        BlkdebugDriver(
            noting(),
            [SetState(Event.READ_AIO, new_state=2), SetState(Event.WRITE_AIO, new_state=2)],
        )
    ),
    "driver without a shortcut": lambda: RawDriver(RecordingDriver(SIZE)),
    "overlay": lambda: OverlayDriver(noting()),
    "latency": lambda: NullCoDriver(SIZE, latency_ns=1),
}


@pytest.mark.parametrize("make", NEITHER.values(), ids=NEITHER.keys())
@pytest.mark.parametrize("offset", [0, 10])
async def test_what_somebody_hears_or_delays_is_not_answered_at_once(
    make: Make, offset: int
) -> None:
    async with open_disk(make()) as disk:
        if disk.root.driver.name == "blkdebug" and disk.blkdebug().heard:
            await disk.pwrite(0, b"arm")
        assert not reads(disk, offset)
        assert not writes(disk, offset)


WRITES_ONLY: dict[str, tuple[dict[str, object], Sequence[int]]] = {
    "event before": ({"set-state": [{"event": "pwritev", "new_state": 2}]}, (0, 10)),
    "event after": ({"set-state": [{"event": "pwritev_done", "new_state": 2}]}, (0, 10)),
    "event within": ({"set-state": [{"event": "pwritev_rmw_tail", "new_state": 2}]}, (10,)),
    "detection of zeroes": ({"detect-zeroes": "on"}, (0, 10)),
}


@pytest.mark.parametrize(("options", "offsets"), WRITES_ONLY.values(), ids=WRITES_ONLY.keys())
async def test_reads_are_answered_at_once_where_only_writes_are_heard(
    options: dict[str, object], offsets: Sequence[int]
) -> None:
    below = {"driver": "memory", "size": SIZE}
    tree = {"driver": "blkdebug", "image": below, "align": BLOCK, **options}
    async with open_disk(tree) as disk:
        assert reads(disk, 0, BLOCK)
        assert reads(disk, 10)
        assert [offset for offset in (0, 10) if not writes(disk, offset, BLOCK)] == list(offsets)


@pytest.mark.parametrize(
    ("offset", "length"), [(-1, 2), (-BLOCK, BLOCK), (SIZE, 1), (SIZE - 1, 2), (SIZE + BLOCK, 0)]
)
async def test_what_is_out_of_range_fails_on_the_other_path(offset: int, length: int) -> None:
    async with open_disk(blocks()) as disk:
        assert not reads(disk, offset, length)
        assert not writes(disk, offset, length)
        with pytest.raises(BlockError, match="outside of the disk"):
            await disk.pwrite(offset, b"w" * length)


@pytest.mark.parametrize(
    ("offset", "length"), [(0, 2 * BLOCK), (10, BLOCK), (BLOCK - 1, 2)], ids=str
)
async def test_what_must_be_split_is_not_answered_at_once(offset: int, length: int) -> None:
    async with open_disk(blocks(max_transfer=BLOCK)) as disk:
        assert not reads(disk, offset, length)
        assert not writes(disk, offset, length)
        assert reads(disk, BLOCK + 1, BLOCK - 2)


async def test_a_request_longer_than_any_may_be_is_refused() -> None:
    piece = memoryview(bytearray(MIB))
    buffers = Iovec([piece] * (MAX_REQUEST // MIB) + [piece[: MAX_REQUEST % MIB + 1]])
    async with open_disk(NullCoDriver(4 * GIB)) as disk:
        assert not disk.preadv_nowait(0, buffers)
        assert not disk.pwritev_nowait(0, buffers)
        with pytest.raises(BlockError, match="out of range"):
            await disk.preadv(0, buffers)


async def test_an_empty_request_in_the_midst_of_a_block_reaches_nobody() -> None:
    leaf = noting()
    async with open_disk(blocks(leaf)) as disk:
        assert not reads(disk, 5, 0)
        assert not writes(disk, 5, 0)
        await disk.pwrite(5, b"")
        assert leaf.log == []


async def test_a_block_that_reaches_past_the_end_is_not_answered_at_once() -> None:
    leaf = NotingDriver(SIZE, align=BLOCK)
    async with open_disk(leaf) as disk:
        await disk.truncate(SIZE - KIB)
        assert reads(disk, SIZE - 2 * BLOCK, 10)
        assert not reads(disk, SIZE - BLOCK, 10)
        assert not writes(disk, SIZE - BLOCK, 10)
        assert disk.length == SIZE - KIB
        await disk.pwrite(SIZE - BLOCK, b"end")
        assert await disk.pread(SIZE - BLOCK, 4) == b"end" + content(SIZE)[SIZE - BLOCK + 3 :][:1]


@pytest.mark.parametrize("cold", [1, 2])
async def test_nothing_is_written_where_an_edge_cannot_be_read_at_once(cold: int) -> None:
    leaf = NotingDriver(SIZE, cold=16 // cold)
    async with open_disk(blocks(leaf)) as disk:
        assert not writes(disk, 10, 20)
        assert not writes(disk, 10, 2 * BLOCK)
        assert "write" not in [call[0] for call in leaf.log]
        assert disk.root.generation == 0


async def test_an_observer_hears_of_every_request() -> None:
    started = []

    class Listener(Observer):
        def request_started(self, request: object) -> None:
            started.append(request)

    async with open_disk(noting(), observer=Listener()) as disk:
        assert not reads(disk)
        assert not writes(disk)
        await disk.pread(0, 512)
        assert len(started) == 1


async def test_flags_that_the_driver_does_not_take_are_left_to_the_path() -> None:
    leaf = NotingDriver(SIZE, fua=False)
    async with open_disk(leaf) as disk:
        assert not writes(disk, flags=FUA)
        assert not writes(disk, flags=SERIALISING)
        await disk.pwrite(0, b"safe", FUA)
        assert [call[0] for call in leaf.log] == ["write", "flush"]


async def test_a_read_with_a_flag_is_left_to_the_path() -> None:
    async with open_disk(OverlayDriver(noting())) as disk:
        await disk.preadv(0, [bytearray(512)], COPY_ON_READ)
        assert (await disk.is_allocated(0, 512))[0]


async def test_a_read_that_copies_is_left_to_the_path() -> None:
    async with open_disk(noting(), copy_on_read=True) as disk:
        assert not reads(disk)
        assert writes(disk)


async def test_writethrough_flushes_after_each_write() -> None:
    leaf = NotingDriver(SIZE, fua=False)
    async with open_disk(leaf, cache="writethrough") as disk:
        assert reads(disk)
        assert not writes(disk)
        await disk.pwrite(0, b"safe")
        assert [call[0] for call in leaf.log] == ["write", "flush"]


async def test_read_only_disk_refuses_writes_and_answers_reads_at_once() -> None:
    async with open_disk(noting(), read_only=True) as disk:
        assert reads(disk)
        assert not writes(disk)
        with pytest.raises(BlockError) as caught:
            await disk.pwrite(0, b"w")
        assert caught.value.errno == EPERM


async def test_a_read_only_node_is_not_written_to() -> None:
    async with open_disk(noting(), read_only=True) as disk:
        assert not disk.root.nowait.pwritev(0, 1, Iovec.of([b"w"]), 0)


async def test_a_write_that_makes_a_node_longer_is_left_to_the_path() -> None:
    async with open_disk(NotingDriver(SIZE)) as disk:
        assert not disk.root.nowait.pwritev(SIZE - 1, 2, Iovec.of([b"ww"]), 0)
        await disk.root.path.pwritev(SIZE - 1, 2, Iovec.of([b"ww"]), 0, None)
        assert disk.length == SIZE + 512
        assert writes(disk, SIZE, 2)


class OfAnyLength(NullCoDriver):
    has_variable_length = True
    size: int | None = SIZE

    def length(self) -> int:
        if self.size is None:
            raise BlockError(EIO, "nobody can tell how long it is")
        return self.size


async def test_a_length_that_varies_is_asked_for_each_time() -> None:
    driver = OfAnyLength()
    async with open_disk(driver) as disk:
        driver.size = 2 * SIZE
        assert reads(disk, SIZE)
        assert writes(disk, SIZE)
        driver.size = SIZE
        assert not reads(disk, SIZE)
        assert not writes(disk, SIZE)


async def test_a_length_that_nobody_can_tell_is_an_error_on_the_other_path() -> None:
    driver = OfAnyLength()
    async with open_disk(driver) as disk:
        driver.size = None
        assert not reads(disk)
        assert not writes(disk)
        with pytest.raises(BlockError, match="nobody can tell"):
            await disk.pread(0, 512)
        driver.size = SIZE


async def test_a_window_ends_where_it_ends() -> None:
    async with open_disk(RawDriver(noting(), offset=1024, size=BLOCK)) as disk:
        buffer = bytearray(BLOCK)
        assert disk.preadv_nowait(0, [buffer])
        assert buffer == content(SIZE)[1024 : 1024 + BLOCK]
        nowait = disk.root.driver
        assert not nowait.preadv_nowait(BLOCK - 1, 2, Iovec.over(bytearray(2)))
        assert not nowait.pwritev_nowait(BLOCK - 1, 2, Iovec.of([b"ww"]), 0)


async def test_a_guessed_format_is_guarded_at_once_and_later() -> None:
    async with open_disk(RawDriver(noting(), probed=True)) as disk:
        assert not disk.pwritev_nowait(0, [b"QFI\xfb\0\0\0\3".ljust(512, b"\0")])
        with pytest.raises(BlockError) as caught:
            await disk.pwrite(0, b"QFI\xfb\0\0\0\3".ljust(512, b"\0"))
        assert caught.value.errno == EPERM
        assert writes(disk, 512)


async def test_zeroes_are_read_at_once() -> None:
    buffer = bytearray(b"x" * 512)
    async with open_disk(NullCoDriver(SIZE, read_zeroes=True)) as disk:
        assert disk.preadv_nowait(0, [buffer])
    assert buffer == bytes(512)


async def test_null_aio_takes_a_turn_where_qemu_does() -> None:
    async with open_disk(NullAioDriver(SIZE), compat="qemu-7.2") as disk:
        assert not reads(disk)
        assert not writes(disk)
    async with open_disk(NullAioDriver(SIZE)) as disk:
        assert reads(disk)
        assert writes(disk)


# --- who overrides what ------------------------------------------------------------------------


class Shouting(MemoryDriver):
    async def preadv(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        await super().preadv(offset, length, iov, flags, request)
        iov.copy_from(iov.tobytes().upper())


class Whispering(MemoryDriver):
    async def pwritev(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        await super().pwritev(offset, length, Iovec.of([iov.tobytes().lower()]), flags, request)


class Mixin:
    async def preadv(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        iov.fill(ord("m"))


class Mixed(Mixin, MemoryDriver):
    pass


class Shortest(Shouting):
    def preadv_nowait(self, offset: int, length: int, iov: Iovec) -> bool:
        iov.fill(ord("s"))
        return True


class Stern(FilterDriver):
    name = "stern"

    async def pwritev(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        raise BlockError(ENOSPC, "no")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Shouting, (False, True, b"WORD")),
        (Whispering, (True, False, b"word")),
        (Mixed, (False, True, b"mmmm")),
        (Shortest, (True, True, b"ssss")),
    ],
)
async def test_whoever_overrides_only_the_coroutine_is_never_passed_over(
    kind: type[MemoryDriver], expected: tuple[bool, bool, bytes]
) -> None:
    async with open_disk(kind(SIZE)) as disk:
        await disk.pwrite(0, b"wOrD" if kind is Whispering else b"word")
        found = (reads(disk), writes(disk, 512), await disk.pread(0, 4))
    assert found == expected


def test_a_filter_that_overrides_a_coroutine_keeps_the_other_shortcut() -> None:
    assert Stern.pwritev_nowait is Driver.pwritev_nowait
    assert Stern.preadv_nowait is FilterDriver.preadv_nowait
