from __future__ import annotations

import asyncio
import inspect
import io
import signal
import struct
import tarfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from errno import EACCES, EBADF, EBUSY, EINVAL, EIO, ENOENT, ENOSPC, EPERM, ETIMEDOUT
from pathlib import Path

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async import sync
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.tracked import Request
from blkdebug_async.disk import Disk
from blkdebug_async.drivers.blkdebug.driver import BlkdebugDriver
from blkdebug_async.drivers.blkdebug.rules import InjectError, Phase, Predicate, Suspend
from blkdebug_async.drivers.memory import MemoryDriver
from blkdebug_async.errors import InjectedError, SuspendedError
from blkdebug_async.events import Event
from blkdebug_async.opening import open_disk
from blkdebug_async.sync import SyncDisk, open_disk_sync
from blkdebug_async.trace import Observer, RequestView

SIZE = 64 * 1024
WITHIN = 10.0


def breakable(align: int | None = None) -> dict[str, object]:
    image = {"driver": "memory", "size": SIZE}
    if align is None:
        return {"driver": "blkdebug", "image": image}
    return {"driver": "blkdebug", "image": image, "align": align}


@pytest.fixture
def disk() -> Iterator[SyncDisk]:
    with open_disk_sync(breakable(align=4096)) as opened:
        yield opened


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(thread_name_prefix="writer") as executor:
        yield executor


# --- the face itself ---


def test_it_is_opened_with_the_arguments_of_open_disk() -> None:
    sync = inspect.signature(open_disk_sync).parameters
    assert sync == inspect.signature(open_disk).parameters


def test_it_has_the_public_methods_of_disk_with_their_arguments() -> None:
    # What is left out hands out what only the loop's thread may touch, or saves a turn of its loop.
    for name in (
        public(Disk)
        - {"acquire", "blkdebug", "busy", "describe", "node", "on_node", "root"}
        - {
            "preadv_nowait",
            "pwritev_nowait",
            "quiesce_begin",
            "quiesce_end",
            "release_and_close",
        }
    ):
        mine, its = getattr(SyncDisk, name), getattr(Disk, name)
        if not isinstance(its, property):
            assert inspect.signature(mine).parameters == inspect.signature(its).parameters


def public(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


# --- requests ---


def test_what_is_written_is_read_again(disk: SyncDisk) -> None:
    disk.pwrite(1000, b"hello")
    assert disk.pread(999, 7) == b"\0hello\0"


def test_vectors_go_to_and_come_from_the_caller_s_buffers(disk: SyncDisk) -> None:
    disk.pwritev(4090, [b"ab", memoryview(b"cdef"), bytearray(b"ghij")])
    first, second = bytearray(3), bytearray(7)
    disk.preadv(4090, [first, second])
    assert first + second == b"abcdefghij"


def test_zeroes_and_discards_reach_the_disk(disk: SyncDisk) -> None:
    disk.pwrite(0, b"x" * 12288)
    disk.pwrite_zeroes(100, 50)
    disk.pdiscard(4096, 4096)
    assert disk.pread(99, 52) == b"x" + bytes(50) + b"x"
    assert disk.pread(4095, 4098) == b"x" + bytes(4096) + b"x"


def test_length_follows_truncate(disk: SyncDisk) -> None:
    assert disk.length == SIZE
    disk.truncate(8192)
    assert disk.length == 8192


def test_block_status_tells_data_from_zeroes(disk: SyncDisk) -> None:
    assert disk.is_allocated(0, 4096) == (True, 4096)
    assert disk.block_status(0, 4096).length == 4096


def test_a_name_opens_the_same_image_again(tmp_path: Path) -> None:
    image = tmp_path / "disk.img"
    image.write_bytes(bytes(SIZE))
    with open_disk_sync(str(image), format="raw") as disk:
        disk.pwrite(0, b"kept")
        name = disk.filename
    with open_disk_sync(name, format="raw", read_only=True) as again:
        assert again.pread(0, 4) == b"kept"


# --- errors ---


def test_an_injected_error_has_its_errno(disk: SyncDisk) -> None:
    disk.add_rule(InjectError(event=Event.PWRITEV, errno=ENOSPC, once=True))
    with pytest.raises(InjectedError) as caught:
        disk.pwrite(0, b"x")
    assert caught.value.errno == ENOSPC


def test_reading_past_the_end_is_eio(disk: SyncDisk) -> None:
    with pytest.raises(OSError, match="outside") as caught:
        disk.pread(SIZE - 1, 2)
    assert caught.value.errno == EIO


def test_a_read_only_disk_refuses_writes(tmp_path: Path) -> None:
    image = tmp_path / "disk.img"
    image.write_bytes(bytes(SIZE))
    with open_disk_sync(str(image), format="raw", read_only=True) as disk:
        assert disk.read_only
        with pytest.raises(OSError, match="read-only") as caught:
            disk.pwrite(0, b"x")
        assert caught.value.errno in (EACCES, EPERM)


def test_what_cannot_be_opened_leaves_no_thread_behind() -> None:
    before = set(threading.enumerate())
    with pytest.raises(OSError, match="no-such-file") as caught:
        open_disk_sync("/no-such-file")
    assert caught.value.errno == ENOENT
    assert set(threading.enumerate()) <= before


def test_a_bad_option_is_refused_before_anything_is_started() -> None:
    with pytest.raises(OSError, match="cache") as caught:
        open_disk_sync(breakable(), cache="lukewarm")
    assert caught.value.errno == EINVAL


# --- breakpoints and threads ---


def test_a_held_write_lets_other_threads_go_on(disk: SyncDisk, pool: ThreadPoolExecutor) -> None:
    disk.breakpoint("pwritev", "A")
    writing = pool.submit(disk.pwrite, 0, b"x")
    disk.wait_suspended("A", within=WITHIN)
    assert disk.is_suspended("A")
    assert disk.pread(8192, 1) == b"\0"
    assert not writing.done()
    disk.resume("A")
    writing.result(WITHIN)
    assert disk.pread(0, 1) == b"x"


def test_two_unaligned_writes_to_one_block_lose_nothing(
    disk: SyncDisk, pool: ThreadPoolExecutor
) -> None:
    disk.breakpoint("pwritev_rmw_after_head", "A")
    first = pool.submit(disk.pwrite, 1024, b"a" * 512)
    disk.wait_suspended("A", within=WITHIN)
    second = pool.submit(disk.pwrite, 2048, b"b" * 512)
    disk.resume("A")
    first.result(WITHIN)
    second.result(WITHIN)
    assert disk.pread(1024, 512) == b"a" * 512
    assert disk.pread(2048, 512) == b"b" * 512


def test_a_predicate_knows_threads_by_their_names(disk: SyncDisk) -> None:
    disk.add_rule(Suspend("A", event=Event.PWRITEV, predicate=Predicate(task="the slow one")))
    disk.pwrite(0, b"not held")
    slow = threading.Thread(target=disk.pwrite, args=(8192, b"x"), name="the slow one")
    slow.start()
    disk.wait_suspended("A", within=WITHIN)
    ((tag, request),) = disk.suspended()
    assert request is not None
    assert (tag, request.offset, request.task_name) == ("A", 8192, "the slow one")
    disk.resume("A")
    slow.join(WITHIN)


def test_removing_a_breakpoint_resumes_what_it_holds(
    disk: SyncDisk, pool: ThreadPoolExecutor
) -> None:
    disk.breakpoint("pwritev", "A")
    writing = pool.submit(disk.pwrite, 0, b"x")
    disk.wait_suspended("A", within=WITHIN)
    disk.remove_breakpoint("A")
    writing.result(WITHIN)


def test_waiting_for_a_breakpoint_ends_in_time(disk: SyncDisk) -> None:
    with pytest.raises(OSError, match="'A'") as caught:
        disk.wait_suspended("A", within=0.01)
    assert caught.value.errno == ETIMEDOUT


def test_rules_that_never_matched_are_told_until_removed(disk: SyncDisk) -> None:
    rule = InjectError(event=Event.FLUSH_TO_DISK)
    disk.add_rule(rule)
    assert [unused for _, unused in disk.unused_rules()] == [rule]
    assert disk.remove_rule(rule)
    assert disk.unused_rules() == []


def test_threads_write_side_by_side(disk: SyncDisk, pool: ThreadPoolExecutor) -> None:
    writes = [pool.submit(disk.pwrite, n * 100, bytes([n + 1]) * 100) for n in range(64)]
    for write in writes:
        write.result(WITHIN)
    assert disk.pread(0, 6400) == b"".join(bytes([n + 1]) * 100 for n in range(64))


def test_a_drained_section_keeps_others_out(disk: SyncDisk, pool: ThreadPoolExecutor) -> None:
    started = threading.Event()

    def write() -> None:
        started.set()
        disk.pwrite(0, b"late")

    with disk.drained():
        writing = pool.submit(write)
        assert started.wait(WITHIN)
        # A round trip through the loop, so that the write has had its turn there.
        assert disk.length == SIZE
        assert not writing.done()
    writing.result(WITHIN)
    assert disk.pread(0, 4) == b"late"


class InterruptsReads(MemoryDriver):
    """Reads never end; each sends the main thread what Ctrl-C sends."""

    async def preadv(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        await super().preadv(offset, length, iov, flags, request)


def test_an_interrupted_call_gives_its_request_up() -> None:
    image = BlkdebugDriver(InterruptsReads(SIZE), [Suspend("A", phase=Phase.AFTER_DRIVER)])
    with SyncDisk(open_disk(image)) as disk:
        with pytest.raises(KeyboardInterrupt):
            disk.pread(0, 1)
        assert disk.suspended() == []


# --- closing ---


def test_a_closed_disk_is_ebadf(disk: SyncDisk) -> None:
    disk.close()
    disk.close()
    assert disk.closed
    with pytest.raises(OSError, match="closed") as caught:
        disk.pread(0, 1)
    assert caught.value.errno == EBADF


def test_closing_refuses_while_a_request_is_held_and_can_be_repeated(
    disk: SyncDisk, pool: ThreadPoolExecutor
) -> None:
    disk.breakpoint("pwritev", "A")
    writing = pool.submit(disk.pwrite, 0, b"x")
    disk.wait_suspended("A", within=WITHIN)
    with pytest.raises(SuspendedError, match="'A'") as caught:
        disk.close()
    assert caught.value.errno == EBUSY
    assert not disk.closed
    disk.resume("A")
    writing.result(WITHIN)
    disk.close()


def test_leaving_with_resumes_what_is_held_and_names_it(pool: ThreadPoolExecutor) -> None:
    disk = open_disk_sync(breakable())
    disk.breakpoint("pwritev", "A")
    writing = pool.submit(disk.pwrite, 0, b"x")
    disk.wait_suspended("A", within=WITHIN)
    with pytest.raises(SuspendedError, match="'A'"), disk:
        pass
    writing.result(WITHIN)
    assert disk.closed


def test_closing_ends_what_waits_for_a_breakpoint(disk: SyncDisk, pool: ThreadPoolExecutor) -> None:
    waiting = pool.submit(disk.wait_suspended, "never")
    # A later call is answered after the earlier one has begun to wait.
    while not waiting.running():
        disk.flush()
    disk.flush()
    disk.close()
    with pytest.raises(OSError, match="closed") as caught:
        waiting.result(WITHIN)
    assert caught.value.errno == EBADF


def test_closing_ends_the_disk_s_thread() -> None:
    before = set(threading.enumerate())
    with open_disk_sync(breakable()) as disk:
        assert set(threading.enumerate()) > before
        disk.flush()
    assert set(threading.enumerate()) <= before


def test_reopening_changes_what_is_allowed(disk: SyncDisk) -> None:
    disk.reopen({"read-only": True})
    assert disk.read_only


# --- the file-like object ---


def test_a_file_says_what_it_can(disk: SyncDisk) -> None:
    file = disk.file()
    assert (file.readable(), file.writable(), file.seekable()) == (True, True, True)


def test_a_file_over_a_read_only_disk_is_not_writable(disk: SyncDisk) -> None:
    disk.reopen({"read-only": True})
    assert not disk.file().writable()


def test_a_buffered_file_reads_back_what_it_wrote(disk: SyncDisk) -> None:
    with io.BufferedRandom(disk.file()) as file:
        file.seek(1000)
        file.write(struct.pack("<4sIQ", b"HEAD", 1, 1 << 40))
        file.seek(1000)
        assert struct.unpack("<4sIQ", file.read(16)) == (b"HEAD", 1, 1 << 40)


def test_a_tar_archive_can_live_on_a_disk(disk: SyncDisk) -> None:
    member = tarfile.TarInfo("hello.txt")
    member.size = 5
    with tarfile.open(fileobj=io.BufferedRandom(disk.file()), mode="w") as archive:
        archive.addfile(member, io.BytesIO(b"hello"))
    with tarfile.open(fileobj=io.BufferedReader(disk.file())) as archive:
        content = archive.extractfile("hello.txt")
        assert content is not None
        assert content.read() == b"hello"


def test_reading_stops_at_the_end(disk: SyncDisk) -> None:
    file = disk.file()
    file.seek(-2, io.SEEK_END)
    assert file.read(10) == b"\0\0"
    assert file.read(10) == b""
    assert file.tell() == SIZE


def test_all_of_it_can_be_read_at_once(disk: SyncDisk) -> None:
    assert len(disk.file().readall()) == SIZE


def test_writing_across_the_end_is_cut_there_and_then_refused(disk: SyncDisk) -> None:
    file = disk.file()
    file.seek(SIZE - 2)
    assert file.write(b"abc") == 2
    assert disk.pread(SIZE - 2, 2) == b"ab"
    with pytest.raises(OSError, match=str(SIZE)) as caught:
        file.write(b"c")
    assert caught.value.errno == ENOSPC


def test_writing_nothing_is_no_error_even_at_the_end(disk: SyncDisk) -> None:
    file = disk.file()
    file.seek(0, io.SEEK_END)
    assert file.write(b"") == 0


@pytest.mark.parametrize(("offset", "whence"), [(-1, io.SEEK_SET), (0, 7)])
def test_an_impossible_seek_is_einval_and_moves_nothing(
    disk: SyncDisk, offset: int, whence: int
) -> None:
    file = disk.file()
    file.seek(7)
    with pytest.raises(OSError, match=r"must be|negative") as caught:
        file.seek(offset, whence)
    assert caught.value.errno == EINVAL
    assert file.tell() == 7


def test_truncating_a_file_changes_the_disk(disk: SyncDisk) -> None:
    file = disk.file()
    file.seek(8192)
    assert file.truncate() == 8192
    assert disk.length == 8192
    assert file.truncate(16384) == 16384
    assert disk.length == 16384


def test_an_injected_error_comes_through_a_buffered_file(disk: SyncDisk) -> None:
    disk.add_rule(InjectError(event=Event.PWRITEV, errno=EIO, once=True))
    file = io.BufferedRandom(disk.file())
    file.write(b"x")
    with pytest.raises(InjectedError) as caught:
        file.flush()
    file.close()
    assert caught.value.errno == EIO


def test_a_closed_file_leaves_the_disk_open(disk: SyncDisk) -> None:
    file = disk.file()
    file.close()
    for use in (file.tell, file.readable, file.writable, file.seekable, file.truncate):
        with pytest.raises(ValueError, match="closed"):
            use()
    disk.flush()


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("seek"), st.integers(0, 3000)),
            st.tuples(st.just("read"), st.integers(0, 1500)),
            st.tuples(st.just("write"), st.binary(max_size=700)),
        ),
        max_size=12,
    )
)
def test_a_buffered_file_is_like_bytes_io(steps: list[tuple[str, int | bytes]]) -> None:
    with open_disk_sync({"driver": "memory", "size": 4096}) as disk:
        # As long as the disk, and never longer.
        model = io.BytesIO(bytes(4096))
        file = io.BufferedRandom(disk.file(), buffer_size=256)
        for name, argument in steps:
            if name == "write":
                argument = bytes(argument)[: 4096 - min(4096, model.tell())]
            assert getattr(file, name)(argument) == getattr(model, name)(argument)
        file.flush()
        assert disk.pread(0, 4096) == model.getvalue()


# --- its loop ---


class LoopKeeper(Observer):
    def __init__(self) -> None:
        self.kinds: set[type] = set()

    def request_started(self, request: RequestView) -> None:
        self.kinds.add(type(asyncio.get_running_loop()))


@pytest.mark.parametrize("installed", [True, False])
def test_loop_is_the_quick_one_where_it_is_installed(
    installed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sync._LOOP, "use_uvloop", installed)
    keeper = LoopKeeper()

    with open_disk_sync(breakable(), observer=keeper) as disk:
        disk.pread(0, 1)

    assert {kind is uvloop.Loop for kind in keeper.kinds} == {installed}
