from __future__ import annotations

from collections.abc import Callable
from errno import EIO
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blkdebug_async import InjectError, open_disk
from blkdebug_async.bench import (
    Job,
    Op,
    RunResult,
    Uniform,
    Verification,
    Zipf,
    run_bench,
    run_jobs,
)
from blkdebug_async.block.driver import Driver
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.tracked import Request
from blkdebug_async.events import Event, IoType
from blkdebug_async.testing import Answer, Call, RecordingDriver
from tests.unit.bench.virtual import Time, run_virtually

BLOCK = 4096
BLOCKS = 16
WRITES = {Op.WRITE: 1.0}
CHANGES = {Op.READ: 5.0, Op.WRITE: 5.0, Op.ZERO: 1.0, Op.DISCARD: 1.0}


class FaultyDriver(RecordingDriver):
    """Answers everything, and one write or read is not as it should be."""

    def __init__(self) -> None:
        super().__init__(BLOCKS * BLOCK)
        self.spoil_write: Callable[[int, bytes], tuple[int, bytes]] = lambda *write: write
        self.spoil_read: Callable[[int, bytes], bytes] = lambda offset, data: data
        #: The write that is spoiled, counted from 0.
        self.victim = -1

    async def pwritev(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        data = iov.tobytes()
        if self.victim == 0:
            offset, data = self.spoil_write(offset, data)
        self.victim -= 1
        self._store(offset, data)

    async def preadv(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        iov.copy_from(self.spoil_read(offset, bytes(self.content[offset : offset + length])))


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]


def run_on(driver: Driver, *jobs: Job) -> RunResult:
    async def main(time: Time) -> RunResult:
        async with open_disk(driver) as disk:
            return await run_jobs(disk, jobs, clock=time.look)

    return run_virtually(main)


def verified(result: RunResult) -> Verification:
    verification = result.jobs[0].verification
    assert verification is not None
    return verification


def sequential_writes(passes: int) -> Job:
    return Job(verify=True, operations=WRITES, max_requests=passes * BLOCKS, depth=3)


def test_a_faultless_disk_passes() -> None:
    found = verified(run_on(FaultyDriver(), sequential_writes(2)))
    assert found.passed
    assert (found.checked_bytes, found.unchecked_bytes) == (BLOCKS * BLOCK, 0)


@pytest.mark.parametrize("passes", [1, 2, 3])
@pytest.mark.parametrize(
    ("spoil", "kinds"),
    [
        (lambda offset, data: (offset, b""), {"lost": 1}),
        (lambda offset, data: (offset, data[:512]), {"torn": 1}),
        (lambda offset, data: (offset, flipped(data, 600)), {"corrupt": 1}),
        # What lay there has been written over; what should be here is not.
        (lambda offset, data: (offset - BLOCK, data), {"misplaced": 1, "lost": 1}),
    ],
    ids=["lost", "torn", "corrupt", "misplaced"],
)
def test_a_spoiled_write_is_found_and_named(
    passes: int, spoil: Callable[[int, bytes], tuple[int, bytes]], kinds: dict[str, int]
) -> None:
    driver = FaultyDriver()
    driver.spoil_write, driver.victim = spoil, (passes - 1) * BLOCKS + 5
    result = run_on(driver, sequential_writes(passes))
    found = verified(result)
    assert found.counts == kinds
    assert {damage.kind for damage in found.damages} == set(kinds)
    assert not result.passed
    assert found.complete


def test_a_read_of_what_was_there_long_ago_is_stale() -> None:
    driver = FaultyDriver()

    def keep(offset: int, data: bytes) -> tuple[int, bytes]:
        old = bytes(driver.content)
        driver.spoil_read = lambda start, now: old[start : start + len(now)]
        return offset, data

    # The first pass is kept as the second begins, and is all that is ever read.
    driver.spoil_write, driver.victim = keep, BLOCKS
    assert verified(run_on(driver, sequential_writes(3))).counts == {"stale": BLOCKS}


def test_older_data_that_only_one_read_saw_is_stale_and_not_lost() -> None:
    driver = FaultyDriver()

    def once(offset: int, data: bytes) -> bytes:
        driver.spoil_read = lambda offset, data: data
        return bytes(len(data))

    driver.spoil_read = once
    found = verified(run_on(driver, sequential_writes(1)))
    assert found.counts == {"stale": BLOCKS}
    assert found.damages[0].message.startswith("stale: read again it is right; lost: ")


def test_what_cannot_be_read_again_stays_lost() -> None:
    driver = FaultyDriver()

    def fail(offset: int, data: bytes) -> bytes:
        raise OSError(EIO, "Input/output error")

    def once(offset: int, data: bytes) -> bytes:
        driver.spoil_read = fail
        return bytes(len(data))

    driver.spoil_read = once
    job = Job(verify=True, operations=WRITES, size=BLOCK)
    assert verified(run_on(driver, job)).counts == {"lost": 1}


def test_damage_shows_while_it_runs_too() -> None:
    driver = FaultyDriver()
    driver.spoil_read = lambda offset, data: bytes(len(data))
    job = Job(verify=True, operations={Op.READ: 1, Op.WRITE: 1}, max_requests=500, seed=3)
    counts = verified(run_on(driver, job)).counts
    # The last phase alone finds no more than there are blocks.
    assert sum(counts.values()) > BLOCKS


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10_000),
    depth=st.integers(1, 32),
    zipf=st.booleans(),
    sizes=st.dictionaries(st.sampled_from([BLOCK, 2 * BLOCK, 3 * BLOCK]), st.just(1.0), min_size=1),
    alignment=st.sampled_from([512, 2048, BLOCK]),
)
def test_overlapping_requests_raise_no_false_alarm(
    seed: int, depth: int, zipf: bool, sizes: dict[int, float], alignment: int
) -> None:
    random = Random(seed)
    driver = RecordingDriver(BLOCKS * BLOCK)

    def whim(call: Call) -> Answer | None:
        fails = call.op is not IoType.FLUSH and random.random() < 0.05
        return Answer(
            errno=EIO if fails else 0,
            applied=random.randrange(call.length // 512 + 1) * 512 if fails else 0,
            delay_s=random.choice([0.0, 0.001, 0.002]),
            turns=random.randrange(3),
        )

    driver.recorder.script = whim
    job = Job(
        verify=True, operations=CHANGES, depth=depth, max_requests=300, seed=seed,
        block_sizes=sizes, alignment=alignment, flush_every=7,
        pattern=Zipf(1.1) if zipf else Uniform(),
    )  # fmt: skip
    found = verified(run_on(driver, job))
    assert found.counts == {}
    # Reads of the last phase may have failed, too.
    assert found.complete


def test_thousands_of_overlapping_requests_are_checked_without_a_false_alarm() -> None:
    random = Random(1)
    driver = RecordingDriver(BLOCKS * BLOCK)
    driver.recorder.script = lambda call: Answer(turns=random.randrange(4))
    job = Job(
        verify=True, operations=CHANGES, depth=16, max_requests=5000, pattern=Uniform(),
    )  # fmt: skip
    found = verified(run_on(driver, job))
    assert found.passed
    assert found.checked_bytes > 500 * BLOCK


def test_jobs_on_one_disk_know_of_each_others_writes() -> None:
    random = Random(2)
    driver = RecordingDriver(BLOCKS * BLOCK)
    driver.recorder.script = lambda call: Answer(turns=random.randrange(4))
    jobs = [
        Job(name="small", verify=True, operations=CHANGES, depth=4, max_requests=500,
            pattern=Uniform()),
        Job(name="large", verify=True, operations=CHANGES, depth=4, max_requests=500,
            pattern=Uniform(), block_sizes={4 * BLOCK: 1}, alignment=512),
        Job(name="reader", max_requests=100),
    ]  # fmt: skip
    result = run_on(driver, *jobs)
    assert result.passed
    assert [job.verification is None for job in result.jobs] == [False, False, True]


def test_no_two_changes_of_a_block_are_in_flight_together() -> None:
    driver = RecordingDriver(BLOCKS * BLOCK)
    driver.recorder.script = lambda call: Answer(delay_s=0.001)
    job = Job(verify=True, operations=WRITES, depth=8, size=BLOCK, max_requests=10)
    found = run_on(driver, job).jobs[0].operations[Op.WRITE]
    assert found.requests == 10
    # Waiting for another write of the same block is not counted as the disk's.
    assert found.completion.max < 2_000_000
    assert found.total.max < 2_000_000


def test_a_paced_write_that_waited_for_another_is_late() -> None:
    driver = RecordingDriver(BLOCKS * BLOCK)
    driver.recorder.script = lambda call: Answer(delay_s=0.01)
    job = Job(
        verify=True, operations=WRITES, depth=8, size=BLOCK, max_requests=5, request_rate=1000.0
    )
    found = run_on(driver, job).jobs[0].operations[Op.WRITE]
    assert found.completion.max < 12_000_000
    assert found.total.max > 40_000_000


def test_errors_that_blkdebug_injects_are_no_damage() -> None:
    async def main(time: Time) -> RunResult:
        source = {"driver": "blkdebug", "image": {"driver": "memory", "size": BLOCKS * BLOCK}}
        async with open_disk(source) as disk:
            disk.add_rule(InjectError(event=Event.PWRITEV, errno=EIO, sector=8, once=True))
            return await run_jobs(disk, [sequential_writes(1)], clock=time.look)

    result = run_virtually(main)
    assert result.jobs[0].errors == {EIO: 1}
    found = verified(result)
    assert found.passed
    assert found.checked_bytes == (BLOCKS - 1) * BLOCK


def test_reads_that_fail_in_the_end_are_told_of() -> None:
    driver = RecordingDriver(BLOCKS * BLOCK)
    driver.recorder.script = lambda call: Answer(errno=EIO) if call.op is IoType.READ else None
    found = verified(run_on(driver, sequential_writes(1)))
    assert found.errors == {EIO: 1}
    assert not found.passed


def test_more_damage_than_anybody_reads_is_only_counted() -> None:
    driver = FaultyDriver()
    driver.spoil_read = lambda offset, data: bytes(len(data))
    job = Job(verify=True, operations=WRITES, block_sizes={512: 1})
    found = verified(run_on(driver, job))
    assert found.counts == {"lost": BLOCKS * 8}
    assert len(found.damages) == 20


def test_blocks_longer_than_a_read_of_the_end_are_read_whole() -> None:
    driver = RecordingDriver(4 << 20)
    job = Job(verify=True, operations=WRITES, block_sizes={2 << 20: 1})
    assert verified(run_on(driver, job)).checked_bytes == 4 << 20


@pytest.mark.slow
def test_a_real_file_passes_under_overlapping_requests(tmp_path: Path) -> None:
    image = tmp_path / "disk.img"
    image.write_bytes(bytes(1 << 20))
    job = Job(
        verify=True, operations=CHANGES, depth=8, max_requests=1000, pattern=Zipf(1.1),
        block_sizes={512: 1, 4096: 2, 65536: 1}, alignment=512, flush_every=100,
    )  # fmt: skip
    result = run_bench(open_disk(image, format="raw"), job)
    assert result.passed
    assert result.jobs[0].requests == 1000
