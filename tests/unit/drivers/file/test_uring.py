from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Callable, Coroutine, Iterator
from errno import EAGAIN, EBADF, EBUSY, EINTR, EIO
from pathlib import Path
from typing import TypeAlias

import pytest
import uvloop

from blkdebug_async.drivers.file.address import address_of
from blkdebug_async.drivers.file.rings import FSYNC, READ, WRITE
from blkdebug_async.drivers.file.uring import ENTRIES, MOST_IN_FLIGHT, Uring
from tests.unit.drivers.file.fake_kernel import FakeKernel

Run: TypeAlias = Callable[[Coroutine[object, object, None]], None]


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    chosen: Run = request.param
    return chosen


async def read(ring: Uring, fd: int, buffer: bytearray, offset: int = 0) -> int:
    view = memoryview(buffer)
    return await ring.move(READ, fd, offset, address_of(view), len(view), view)


async def write(ring: Uring, fd: int, data: bytes, offset: int) -> int:
    view = memoryview(data)
    return await ring.move(WRITE, fd, offset, address_of(view), len(view), view)


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "image"
    path.write_bytes(bytes(range(256)) * 64)
    fd = os.open(path, os.O_RDWR)
    yield fd
    os.close(fd)


class Pipe:
    """A file of which nothing can be read until somebody gives it something."""

    def __init__(self) -> None:
        self.fd, self._source = os.pipe()

    def give(self, data: bytes) -> None:
        os.write(self._source, data)

    def close(self) -> None:
        os.close(self.fd)
        os.close(self._source)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


async def turn(times: int = 3) -> None:
    for _ in range(times):
        await asyncio.sleep(0)


# --- with the real kernel ---


def test_bytes_go_to_the_file_and_come_back(ring: Uring, fd: int, run: Run) -> None:
    async def main() -> None:
        assert await write(ring, fd, b"abcdefg", 1000) == 7
        assert await ring.move(FSYNC, fd, 0, 0, 0, None) == 0
        buffer = bytearray(8)
        assert await read(ring, fd, buffer, 999) == 8
        assert buffer == b"\xe7abcdefg"

    run(main())


def test_a_read_at_the_end_of_the_file_is_short(ring: Uring, fd: int, run: Run) -> None:
    async def main() -> None:
        assert await read(ring, fd, bytearray(100), 256 * 64 - 10) == 10
        assert await read(ring, fd, bytearray(100), 256 * 64) == 0

    run(main())


def test_the_errno_is_the_kernels(ring: Uring, run: Run) -> None:
    async def main() -> None:
        with pytest.raises(OSError, match="Bad file descriptor") as caught:
            await read(ring, 999_999, bytearray(1))
        assert caught.value.errno == EBADF

    run(main())


@pytest.mark.parametrize("count", [ENTRIES + 1, MOST_IN_FLIGHT + 1, 3000])
def test_more_requests_than_fit_are_all_answered(
    ring: Uring, pipe: Pipe, run: Run, count: int
) -> None:
    async def main() -> None:
        buffers = [bytearray(1) for _ in range(count)]
        async with asyncio.TaskGroup() as group:
            for buffer in buffers:
                group.create_task(read(ring, pipe.fd, buffer))
            await turn()
            pipe.give(b"x" * count)
        assert b"".join(buffers) == b"x" * count

    run(main())


@pytest.mark.parametrize("cancels", [1, 3])
def test_a_cancelled_task_waits_for_the_kernel(
    ring: Uring, pipe: Pipe, run: Run, cancels: int
) -> None:
    async def main() -> None:
        buffer = bytearray(4)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(read(ring, pipe.fd, buffer))
            await turn()
            for _ in range(cancels):
                task.cancel()
                await turn()
                assert not task.done()
            pipe.give(b"late")
        assert task.cancelled()
        assert buffer == b"late"

    run(main())


def test_a_request_that_is_done_when_it_is_cancelled_is_cancelled(
    ring: Uring, pipe: Pipe, run: Run
) -> None:
    async def main() -> None:
        kept: list[asyncio.Task[int]] = []
        async with asyncio.TaskGroup() as group:
            kept.append(group.create_task(read(ring, pipe.fd, bytearray(1))))
            kept.append(group.create_task(read(ring, pipe.fd, bytearray(1))))
            await turn()
            # Whoever of the two goes on first cancels the other, whose answer is there as well.
            for task, other in zip(kept, reversed(kept), strict=True):
                task.add_done_callback(lambda _, other=other: other.cancel())  # type: ignore[misc]
            pipe.give(b"xy")
        assert any(not task.cancelled() for task in kept)

    run(main())


def test_a_deadline_is_told_as_such_when_the_kernel_is_done(
    ring: Uring, pipe: Pipe, run: Run
) -> None:
    async def main() -> None:
        buffer = bytearray(4)

        async def give_later() -> None:
            await turn()
            pipe.give(b"late")

        async with asyncio.TaskGroup() as group:
            group.create_task(give_later())
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await read(ring, pipe.fd, buffer)
        assert buffer == b"late"

    run(main())


def test_memory_stays_where_it_is_as_long_as_the_kernel_uses_it(
    ring: Uring, pipe: Pipe, run: Run
) -> None:
    buffer = bytearray(4)

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(read(ring, pipe.fd, buffer))
            await turn()
            task.cancel()
            await turn()
            with pytest.raises(BufferError):
                buffer.extend(b"more")
            pipe.give(b"late")
        # Its traceback has the frames that knew the memory.
        del task
        gc.collect()
        buffer.extend(b"more")
        assert buffer == b"latemore"

    run(main())


def test_a_cancelled_request_that_the_kernel_has_not_got_is_dropped_at_once(
    ring: Uring, pipe: Pipe, run: Run
) -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(MOST_IN_FLIGHT):
                group.create_task(read(ring, pipe.fd, bytearray(1)))
            late = group.create_task(read(ring, pipe.fd, bytearray(1)))
            await turn()
            late.cancel()
            await turn()
            assert late.cancelled()
            pipe.give(b"x" * MOST_IN_FLIGHT)

    run(main())


def ask_and_leave(ring: Uring, fd: int, buffer: bytearray, closed: bool) -> None:
    """Leave a request in flight on a loop that is closed, or not, with its task still waiting."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(read(ring, fd, buffer))
    # The task never ends, which is the point.
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    loop.run_until_complete(turn())
    if closed:
        loop.close()


@pytest.mark.usefixtures("ring")
def test_a_loop_that_is_closed_first_leaves_no_memory_to_the_kernel(pipe: Pipe) -> None:
    buffer = bytearray(4)
    ring = Uring()
    ask_and_leave(ring, pipe.fd, buffer, closed=True)
    gc.collect()
    # Neither the loop nor the task are left.
    with pytest.raises(BufferError):
        buffer.extend(b"more")
    pipe.give(b"late")
    del ring
    gc.collect()
    assert buffer == b"late"
    buffer.extend(b"more")


def test_a_ring_whose_loop_is_closed_serves_the_next_one(
    ring: Uring, fd: int, pipe: Pipe, run: Run
) -> None:
    buffer = bytearray(4)
    ask_and_leave(ring, pipe.fd, buffer, closed=True)
    pipe.give(b"late")

    async def main() -> None:
        answer = bytearray(2)
        assert await read(ring, fd, answer, 7) == 2
        assert answer == b"\x07\x08"

    run(main())
    assert buffer == b"late"


def test_two_loops_at_a_time_are_refused(ring: Uring, pipe: Pipe, fd: int) -> None:
    loop = asyncio.new_event_loop()
    buffer = bytearray(4)
    task = loop.create_task(read(ring, pipe.fd, buffer))
    loop.run_until_complete(turn())

    async def main() -> None:
        with pytest.raises(RuntimeError, match="in use on another event loop"):
            await read(ring, fd, bytearray(1))

    asyncio.run(main())
    pipe.give(b"late")
    assert loop.run_until_complete(task) == 4
    loop.close()


def test_two_loops_may_take_turns(ring: Uring, fd: int) -> None:
    first, second = asyncio.new_event_loop(), uvloop.new_event_loop()
    for loop in (first, second, first):
        buffer = bytearray(2)
        assert loop.run_until_complete(read(ring, fd, buffer, 5)) == 2
        assert buffer == b"\5\6"
    first.close()
    second.close()


# --- with a kernel that does as it is told ---


def test_requests_of_one_turn_go_in_one_system_call(fd: int, run: Run) -> None:
    kernel = FakeKernel()

    async def main() -> None:
        ring = Uring(kernel.open)
        async with asyncio.TaskGroup() as group:
            for _ in range(100):
                group.create_task(read(ring, fd, bytearray(1)))
        ring.close()

    run(main())
    assert kernel.batches == [100]


@pytest.mark.parametrize(("count", "batches"), [(40, [40, 20, 20]), (10, [10, 10])])
def test_of_requests_that_answers_bring_the_first_half_goes_ahead_if_that_is_enough(
    fd: int, run: Run, count: int, batches: list[int]
) -> None:
    kernel = FakeKernel()

    async def main() -> None:
        ring = Uring(kernel.open)

        async def two_reads() -> None:
            for _ in range(2):
                await read(ring, fd, bytearray(1))

        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(two_reads())
        ring.close()

    run(main())
    assert kernel.batches == batches


def test_what_comes_after_that_half_goes_in_one_system_call(fd: int, run: Run) -> None:
    kernel = FakeKernel()

    async def main() -> None:
        ring = Uring(kernel.open)
        await read(ring, fd, bytearray(1))
        async with asyncio.TaskGroup() as group:
            for _ in range(100):
                group.create_task(read(ring, fd, bytearray(1)))
        ring.close()

    run(main())
    assert kernel.batches == [1, 16, 84]


def test_no_more_go_together_than_was_asked_for(fd: int, run: Run) -> None:
    kernel = FakeKernel()

    async def main() -> None:
        ring = Uring(kernel.open, max_batch=4)
        async with asyncio.TaskGroup() as group:
            for _ in range(10):
                group.create_task(read(ring, fd, bytearray(1)))
        ring.close()

    run(main())
    assert kernel.batches == [4, 4, 2]


def test_the_kernel_never_has_more_than_its_completions_have_room_for(fd: int, run: Run) -> None:
    kernel = FakeKernel(is_slow=True)

    async def main() -> None:
        ring = Uring(kernel.open)
        async with asyncio.TaskGroup() as group:
            for _ in range(2 * MOST_IN_FLIGHT + 1):
                group.create_task(read(ring, fd, bytearray(1)))
            for expected in (MOST_IN_FLIGHT, MOST_IN_FLIGHT, 1):
                await turn()
                assert sum(kernel.batches) == expected
                kernel.batches.clear()
                kernel.answer()
                await turn()
        ring.close()

    run(main())


@pytest.mark.parametrize("errno", [EAGAIN, EBUSY, EINTR])
def test_what_the_kernel_does_not_take_now_is_submitted_again(
    fd: int, run: Run, errno: int
) -> None:
    kernel = FakeKernel(refusals=[errno, errno], takes=3)

    async def main() -> None:
        ring = Uring(kernel.open)
        async with asyncio.TaskGroup() as group:
            for _ in range(7):
                group.create_task(read(ring, fd, bytearray(1)))
        ring.close()

    run(main())
    assert kernel.batches == [3, 3, 1]


@pytest.mark.parametrize("errno", [EAGAIN, EINTR])
def test_a_request_that_was_interrupted_is_done_again(fd: int, run: Run, errno: int) -> None:
    kernel = FakeKernel(failures=[errno, errno])

    async def main() -> None:
        ring = Uring(kernel.open)
        buffer = bytearray(2)
        assert await read(ring, fd, buffer, 3) == 2
        assert buffer == b"\x03\x04"
        ring.close()

    run(main())


def test_requests_beyond_a_full_queue_that_the_kernel_refuses_wait(fd: int, run: Run) -> None:
    kernel = FakeKernel(refusals=[EBUSY])

    async def main() -> None:
        ring = Uring(kernel.open)
        async with asyncio.TaskGroup() as group:
            for _ in range(ENTRIES + 10):
                group.create_task(read(ring, fd, bytearray(1)))
        ring.close()

    run(main())
    assert kernel.batches == [ENTRIES, 10]


def test_an_interrupted_request_fails_where_the_kernel_takes_nothing_more(
    fd: int, run: Run
) -> None:
    kernel = FakeKernel(failures=[EINTR], is_slow=True)

    async def main() -> None:
        ring = Uring(kernel.open)
        first = asyncio.ensure_future(read(ring, fd, bytearray(1)))
        await turn()
        kernel.refusals.append(EIO)
        with pytest.raises(OSError, match="Input/output error"):
            await read(ring, fd, bytearray(1))
        kernel.answer()
        with pytest.raises(OSError, match="Input/output error"):
            async with asyncio.timeout(5):
                await first
        ring.close()

    run(main())


def test_a_ring_that_the_kernel_does_not_serve_any_more_fails_all(fd: int, run: Run) -> None:
    kernel = FakeKernel(refusals=[EIO])

    async def main() -> None:
        ring = Uring(kernel.open)
        results = []

        async def fail() -> None:
            with pytest.raises(OSError, match="Input/output error") as caught:
                await read(ring, fd, bytearray(1))
            results.append(caught.value.errno)

        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(fail())
        await fail()
        assert results == [EIO] * 4
        ring.close()

    run(main())
