from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from errno import EINVAL, EIO
from mmap import mmap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.block.iovec import Iovec
from blkdebug_async.drivers.file.bounce import SHORT
from blkdebug_async.drivers.file.direct import Alignment
from blkdebug_async.drivers.file.ring_transfer import RingTransfer
from blkdebug_async.drivers.file.rings import ASYNC, READ, READV, WRITE, WRITEV
from blkdebug_async.drivers.file.transfer import IOV_MAX
from blkdebug_async.drivers.file.uring import Uring
from blkdebug_async.units import KIB, MIB
from tests.unit.drivers.file.fake_kernel import FakeKernel

ALIGNMENT = Alignment(512, 512)
CONTENT = bytes(range(256)) * 16


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "image"
    path.write_bytes(CONTENT)
    fd = os.open(path, os.O_RDWR)
    yield fd
    os.close(fd)


def transfer(kernel: FakeKernel) -> RingTransfer:
    return RingTransfer(Uring(kernel.open))


def aligned(length: int, shift: int = 0) -> memoryview:
    return memoryview(mmap(-1, length + shift))[shift:]


async def test_short_reads_go_on_until_the_vector_is_full(fd: int) -> None:
    ring = transfer(FakeKernel(longest=100))
    first, second = bytearray(150), bytearray(401)
    await ring.read(fd, Iovec.of([first, second]), 7, 0)
    assert first + second == CONTENT[7:558]
    ring.close()


async def test_a_read_goes_on_after_what_it_has_already(fd: int) -> None:
    ring = transfer(FakeKernel())
    buffer = bytearray(b"...")
    await ring.read(fd, Iovec.over(buffer), 4, 1)
    assert buffer == b".\x05\x06"
    ring.close()


async def test_what_lies_past_the_end_of_the_file_reads_as_zeros(fd: int) -> None:
    ring = transfer(FakeKernel(longest=10))
    buffer = bytearray(b"x" * 40)
    await ring.read(fd, Iovec.over(buffer), len(CONTENT) - 15, 0)
    assert buffer == CONTENT[-15:] + bytes(25)
    ring.close()


async def test_short_writes_go_on_until_all_is_written(fd: int) -> None:
    ring = transfer(FakeKernel(longest=100))
    await ring.write(fd, Iovec.of([b"a" * 150, b"b" * 401]), 7, 0)
    assert os.pread(fd, 553, 6) == b"\x06" + b"a" * 150 + b"b" * 401 + CONTENT[558:559]
    ring.close()


async def test_a_read_that_is_refused_half_way_fails(fd: int) -> None:
    ring = transfer(FakeKernel(longest=300, failures=[0, EINVAL]))
    with pytest.raises(OSError, match="Invalid argument"):
        await ring.read(fd, Iovec.over(bytearray(512)), 0, 0)
    ring.close()


async def test_a_write_that_takes_nothing_fails(fd: int) -> None:
    ring = transfer(FakeKernel(longest=0))
    with pytest.raises(OSError, match="took no more bytes") as caught:
        await ring.write(fd, Iovec.of([b"a"]), 0, 0)
    assert caught.value.errno == EINVAL
    ring.close()


async def test_a_vector_has_no_more_views_than_the_kernel_takes(fd: int) -> None:
    kernel = FakeKernel()
    ring = transfer(kernel)
    buffers = [bytearray(1) for _ in range(2 * IOV_MAX + 1)]
    await ring.read(fd, Iovec.of(buffers), 3, 0)
    assert b"".join(buffers) == CONTENT[3 : 3 + len(buffers)]
    await ring.write(fd, Iovec.of(buffers), 4, 0)
    assert os.pread(fd, len(buffers), 4) == b"".join(buffers)
    pieces = [-IOV_MAX, -IOV_MAX, 1]
    assert kernel.seen == [
        *zip([READV, READV, READ], [0] * 3, pieces, strict=True),
        *zip([WRITEV, WRITEV, WRITE], [0] * 3, pieces, strict=True),
    ]
    ring.close()


async def test_views_without_bytes_do_not_end_a_request(fd: int) -> None:
    ring = transfer(FakeKernel())
    buffer = bytearray(2)
    await ring.read(fd, Iovec.of([b""] * (IOV_MAX + 1) + [buffer]), 1, 0)
    assert buffer == b"\x01\x02"
    ring.close()


@pytest.mark.parametrize("length", [512, SHORT, SHORT + 512, MIB + 512])
@pytest.mark.parametrize("parts", [1, 2])
async def test_what_is_not_aligned_is_copied(tmp_path: Path, length: int, parts: int) -> None:
    kernel = FakeKernel()
    ring = transfer(kernel)
    fd = os.open(tmp_path / "new", os.O_RDWR | os.O_CREAT)
    content = os.urandom(length)
    cut = length // parts - 1
    await ring.write_direct(fd, Iovec.of([content[:cut], content[cut:]]), 0, ALIGNMENT)
    assert os.pread(fd, length, 0) == content
    back = [aligned(cut, 1), aligned(length - cut, 3)]
    await ring.read_direct(fd, Iovec(back), 0, ALIGNMENT)
    assert b"".join(back) == content
    assert {operation for operation, _, _ in kernel.seen} == {READ, WRITE}
    assert max(size for _, _, size in kernel.seen) <= MIB
    os.close(fd)
    ring.close()


async def test_what_is_aligned_goes_without_a_copy(fd: int) -> None:
    kernel = FakeKernel()
    ring = transfer(kernel)
    views = [aligned(SHORT), aligned(512)]
    await ring.write_direct(fd, Iovec(views), 0, ALIGNMENT)
    await ring.read_direct(fd, Iovec(views), 0, ALIGNMENT)
    assert kernel.seen == [(WRITEV, 0, -2), (READV, 0, -2)]
    ring.close()


async def test_past_the_cache_the_end_of_the_file_is_where_the_next_offset_is_refused(
    fd: int,
) -> None:
    # The first read is short, and the next one would begin in the middle of a block.
    ring = transfer(FakeKernel(longest=300, failures=[0, EINVAL]))
    buffer = bytearray(b"x" * 512)
    await ring.read_direct(fd, Iovec.over(buffer), 0, ALIGNMENT)
    assert buffer == CONTENT[:300] + bytes(212)
    ring.close()


async def test_a_read_that_is_refused_at_once_fails(fd: int) -> None:
    ring = transfer(FakeKernel(failures=[EINVAL]))
    with pytest.raises(OSError, match="Invalid argument"):
        await ring.read_direct(fd, Iovec.over(bytearray(512)), 0, ALIGNMENT)
    ring.close()


async def test_short_transfers_past_the_cache_go_on(fd: int) -> None:
    ring = transfer(FakeKernel(longest=512))
    await ring.write_direct(fd, Iovec.of([b"a" * 2048]), 1024, ALIGNMENT)
    buffer = bytearray(4096)
    await ring.read_direct(fd, Iovec.over(buffer), 0, ALIGNMENT)
    assert buffer == CONTENT[:1024] + b"a" * 2048 + CONTENT[3072:]
    ring.close()


async def test_a_failed_flush_says_why(fd: int) -> None:
    ring = transfer(FakeKernel(failures=[EIO]))
    with pytest.raises(OSError, match="Input/output error"):
        await ring.sync(fd)
    await ring.sync(fd)
    ring.close()


@given(data=st.data())
def test_buffers_of_many_lengths_are_never_mixed_up(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    lengths = data.draw(st.lists(st.integers(1, 40), min_size=1, max_size=30))
    path = tmp_path_factory.mktemp("image") / "image"
    path.write_bytes(bytes(range(256)) * 128)

    async def main() -> None:
        ring = transfer(FakeKernel())
        fd = os.open(path, os.O_RDWR)
        async with asyncio.TaskGroup() as group:
            buffers = [bytearray(512 * length) for length in lengths]
            for number, buffer in enumerate(buffers):
                iov = Iovec.over(buffer)
                group.create_task(_read(ring, fd, iov, 512 * number))
        for number, buffer in enumerate(buffers):
            assert buffer == os.pread(fd, len(buffer), 512 * number).ljust(len(buffer), b"\0")
        os.close(fd)
        ring.close()

    asyncio.run(main())


async def _read(ring: RingTransfer, fd: int, iov: Iovec, offset: int) -> None:
    await ring.read_direct(fd, iov, offset, ALIGNMENT)


async def test_memory_of_two_requests_is_never_the_same(fd: int) -> None:
    kernel = FakeKernel(is_slow=True)
    ring = transfer(kernel)
    buffers = [bytearray(KIB) for _ in range(3)]
    async with asyncio.TaskGroup() as group:
        for number, buffer in enumerate(buffers):
            group.create_task(_read(ring, fd, Iovec.over(buffer), 512 * number))
        for _ in range(3):
            await asyncio.sleep(0)
        assert kernel.batches == [3]
        kernel.answer()
    for number, buffer in enumerate(buffers):
        assert buffer == CONTENT[512 * number : 512 * number + KIB]
    ring.close()


async def test_a_long_copy_is_left_to_a_thread_of_the_kernel(fd: int) -> None:
    kernel = FakeKernel()
    ring = transfer(kernel)
    for length in (MIB, MIB + 1):
        await ring.write(fd, Iovec.of([bytes(length)]), 0, 0)
        await ring.read(fd, Iovec.over(bytearray(length)), 0, 0)
    assert kernel.seen == [
        (WRITE, 0, MIB),
        (READ, 0, MIB),
        (WRITE, ASYNC, MIB + 1),
        (READ, ASYNC, MIB + 1),
    ]
    ring.close()
