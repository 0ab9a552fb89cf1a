from __future__ import annotations

import pytest

from blkdebug_async.bench.job import Fill, Job, Op, Sequential, Uniform, Zipf
from blkdebug_async.cli.bench_jobs import count_copies, read_job
from blkdebug_async.cli.failures import ErrorReport


def job(**words: str) -> Job:
    return read_job("job", {name.replace("_", "-"): text for name, text in words.items()})


def complaint(**words: str) -> str:
    with pytest.raises(ErrorReport) as caught:
        job(**words)
    return str(caught.value)


def test_without_a_word_it_reads_pages_one_by_one_and_ends_at_an_error() -> None:
    assert job() == Job(name="job", stop_at_error=True)


@pytest.mark.parametrize(
    ("word", "operations"),
    [
        ("read", {Op.READ: 1}),
        ("randread", {Op.READ: 1}),
        ("write", {Op.WRITE: 1}),
        ("randwrite", {Op.WRITE: 1}),
        ("zero", {Op.ZERO: 1}),
        ("trim", {Op.DISCARD: 1}),
        ("randdiscard", {Op.DISCARD: 1}),
        ("rw", {Op.READ: 50, Op.WRITE: 50}),
        ("readwrite", {Op.READ: 50, Op.WRITE: 50}),
        ("randrw", {Op.READ: 50, Op.WRITE: 50}),
    ],
)
def test_rw_says_what_requests_do_and_where(word: str, operations: dict[Op, float]) -> None:
    made = job(rw=word)
    assert made.operations == operations
    assert made.pattern == (Uniform() if word.startswith("rand") else Sequential())


@pytest.mark.parametrize(
    ("words", "operations"),
    [
        ({"rwmixread": "70"}, {Op.READ: 70, Op.WRITE: 30}),
        ({"rwmixwrite": "25"}, {Op.READ: 75, Op.WRITE: 25}),
        ({"rwmixread": "100"}, {Op.READ: 100}),
        ({"mix": "read=6,zero=3,trim=1"}, {Op.READ: 6, Op.ZERO: 3, Op.DISCARD: 1}),
    ],
)
def test_mixes_have_weights(words: dict[str, str], operations: dict[Op, float]) -> None:
    assert job(rw="randrw", **words).operations == operations


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("4k/60:64k/40", {4096: 60, 65536: 40}),
        ("512/50:1k/:2k", {512: 50, 1024: 25, 2048: 25}),
        ("8k", {8192: 100}),
    ],
)
def test_a_block_split_shares_out_what_is_left(text: str, sizes: dict[int, float]) -> None:
    assert job(bssplit=text).block_sizes == sizes


@pytest.mark.parametrize(
    ("text", "size"),
    [("512", 512), ("4k", 4096), ("4K", 4096), ("1MiB", 1 << 20), ("2mb", 2 << 20)],
)
def test_sizes_count_in_powers_of_two_in_any_spelling(text: str, size: int) -> None:
    assert job(bs=text).block_sizes == {size: 1}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10", 10), ("1.5s", 1.5), ("200ms", 0.2), ("2m", 120), ("1h", 3600), ("50us", 5e-5)],
)
def test_times_are_seconds_unless_they_have_a_unit(text: str, seconds: float) -> None:
    assert job(runtime=text).runtime_s == pytest.approx(seconds)


def test_a_pause_is_microseconds_unless_it_has_a_unit() -> None:
    assert job(thinktime="500").think_s == pytest.approx(5e-4)
    assert job(thinktime="2ms").think_s == pytest.approx(2e-3)


def test_every_other_word_has_its_place() -> None:
    made = job(
        iodepth="8",
        rate="1m",
        rate_iops="100",
        number_ios="7",
        size="1m",
        offset="64k",
        io_size="2m",
        ramp_time="1",
        ramp_ios="3",
        fsync="4",
        verify="1",
        randseed="9",
        blockalign="512",
        filename="x.img",
    )
    assert (made.depth, made.byte_rate, made.request_rate) == (8, 1 << 20, 100)
    assert (made.max_requests, made.max_bytes, made.size, made.start) == (
        7,
        2 << 20,
        1 << 20,
        65536,
    )
    assert (made.warmup_s, made.warmup_requests, made.flush_every) == (1, 3, 4)
    assert (made.verify, made.seed, made.alignment, made.disk) == (True, 9, 512, "x.img")


@pytest.mark.parametrize(
    ("text", "pattern"), [("random", Uniform()), ("zipf", Zipf()), ("zipf:1.5", Zipf(1.5))]
)
def test_random_requests_may_be_unevenly_distributed(text: str, pattern: object) -> None:
    assert job(rw="randread", random_distribution=text).pattern == pattern


def test_a_distribution_does_not_make_requests_random() -> None:
    assert job(rw="read", random_distribution="zipf:1.2").pattern == Sequential()


@pytest.mark.parametrize(
    ("words", "fill", "pattern"),
    [
        ({"zero_buffers": "1"}, Fill.ZERO, None),
        ({"zero_buffers": "0"}, Fill.RANDOM, None),
        ({"buffer_pattern": "0xdeadbeef"}, Fill.PATTERN, b"\xde\xad\xbe\xef"),
        ({"buffer_pattern": "0x7"}, Fill.PATTERN, b"\x07"),
    ],
)
def test_what_is_written_can_be_chosen(
    words: dict[str, str], fill: Fill, pattern: bytes | None
) -> None:
    made = job(rw="write", **words)
    assert made.fill is fill
    assert pattern is None or made.fill_pattern == pattern


@pytest.mark.parametrize(
    ("text", "stops"), [("1", False), ("all", False), ("io", False), ("0", True), ("none", True)]
)
def test_errors_end_a_job_unless_it_goes_on(text: str, stops: bool) -> None:
    assert job(continue_on_error=text).stop_at_error is stops


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("bs", "4q"),
        ("bs", "4k,8k"),
        ("bs", ""),
        ("size", "50%"),
        ("iodepth", "0"),
        ("iodepth", "9" * 5000),
        ("iodepth", "four"),
        ("runtime", "1 fortnight"),
        ("runtime", ""),
        ("thinktime", "-1"),
        ("rate-iops", "fast"),
        ("rw", "trimwrite"),
        ("rw", "rand"),
        ("rwmixread", "101"),
        ("rwmixwrite", "many"),
        ("mix", "read"),
        ("mix", "flush=1"),
        ("bssplit", "4k/60:64k/50"),
        ("bssplit", "4k/100:64k"),
        ("random-distribution", "pareto:0.9"),
        ("random-distribution", "random:1"),
        ("verify", "md5"),
        ("continue-on-error", "sometimes"),
        ("buffer-pattern", "a5"),
        ("randseed", "?"),
    ],
)
def test_a_complaint_names_the_option_and_what_it_was_given(option: str, text: str) -> None:
    words = {"rw": "rw", option: text}
    message = complaint(**words)
    assert message.startswith(f"--{option} takes ")
    assert message.endswith(f"not '{text}'")


def test_what_makes_no_sense_together_names_the_job() -> None:
    assert complaint(bs="64k", size="8k").startswith("job 'job': a range of 8192 bytes ")


@pytest.mark.parametrize("text", ["0", "-1", "x", ""])
def test_the_number_of_copies_is_at_least_one(text: str) -> None:
    with pytest.raises(ErrorReport, match=f"--numjobs takes a number above 0, not '{text}'"):
        count_copies({"numjobs": text})
