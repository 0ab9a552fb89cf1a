from __future__ import annotations

import pytest

from blkdebug_async.bench.job import Fill, Job, Op, Zipf


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"operations": {}}, "operations is empty"),
        ({"operations": {Op.FLUSH: 1}}, "flushes are asked for with flush_every"),
        ({"operations": {Op.READ: 0}}, "the weight of read must be above 0, not 0"),
        ({"operations": {Op.READ: float("inf")}}, "the weight of read must be above 0, not inf"),
        ({"block_sizes": {}}, "block_sizes is empty"),
        ({"block_sizes": {0: 1}}, "a block must have at least 1 byte, not 0"),
        (
            {"block_sizes": {1 << 31: 1}},
            "a block must have at most 2147483136 bytes, not 2147483648",
        ),
        ({"block_sizes": {512: -1}}, "the weight of 512 must be above 0, not -1"),
        ({"alignment": 0}, "alignment must be at least 1, not 0"),
        ({"depth": 0}, "depth must be at least 1, not 0"),
        ({"start": -1}, "the start must not be negative: -1"),
        ({"size": 4095}, "a range of 4095 bytes has no room for 4096"),
        ({"pattern": Zipf(0)}, "zipf needs a theta above 0, not 0"),
        ({"pattern": Zipf(float("inf"))}, "zipf needs a theta above 0, not inf"),
        ({"request_rate": 0.0}, "request_rate must be above 0, not 0.0"),
        ({"byte_rate": float("nan")}, "byte_rate must be above 0, not nan"),
        ({"runtime_s": -1.0}, "runtime_s must be above 0, not -1.0"),
        ({"runtime_s": float("inf")}, "runtime_s must be above 0, not inf"),
        ({"think_s": -0.5}, "think_s must not be negative or endless: -0.5"),
        ({"think_s": float("inf")}, "think_s must not be negative or endless: inf"),
        ({"warmup_requests": -1}, "warmup_requests must not be negative or endless: -1"),
        ({"max_requests": 0}, "max_requests must be at least 1, not 0"),
        ({"flush_every": 0}, "flush_every must be at least 1, not 0"),
        ({"fill": Fill.PATTERN, "fill_pattern": b""}, "the pattern to write is empty"),
        (
            {"verify": True, "block_sizes": {1000: 1}, "alignment": 512},
            "to verify, the block size must be a multiple of 512, not 1000",
        ),
        ({"verify": True, "start": 100}, "to verify, the start must be a multiple of 512, not 100"),
    ],
)
def test_a_job_that_makes_no_sense_is_refused(wrong: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=r"^job 'odd': ") as refused:
        Job(name="odd", **wrong)  # type: ignore[arg-type]
    assert str(refused.value) == f"job 'odd': {complaint}"


def test_requests_are_aligned_to_the_smallest_block_unless_told_otherwise() -> None:
    sizes = {4096: 1.0, 512: 1.0}
    assert Job(block_sizes=sizes).step == 512
    assert Job(block_sizes=sizes, alignment=8192).step == 8192


@pytest.mark.parametrize("op", [Op.WRITE, Op.ZERO, Op.DISCARD])
def test_what_changes_a_disk_counts_as_writing(op: Op) -> None:
    assert Job(operations={Op.READ: 99, op: 1}).writes


def test_reading_is_not_writing() -> None:
    assert not Job(flush_every=1).writes


@pytest.mark.parametrize("rate", ["request_rate", "byte_rate"])
def test_a_rate_paces_a_job(rate: str) -> None:
    assert Job(**{rate: 1.0}).is_paced  # type: ignore[arg-type]
    assert not Job().is_paced
