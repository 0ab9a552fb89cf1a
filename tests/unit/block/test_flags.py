from __future__ import annotations

import pytest

from blkdebug_async.block import flags


def test_bits_have_the_values_of_qemu() -> None:
    values = [
        flags.COPY_ON_READ,
        flags.ZERO_WRITE,
        flags.MAY_UNMAP,
        flags.REGISTERED_BUF,
        flags.FUA,
        flags.WRITE_COMPRESSED,
        flags.WRITE_UNCHANGED,
        flags.SERIALISING,
        flags.NO_FALLBACK,
        flags.PREFETCH,
        flags.NO_WAIT,
    ]
    assert values == [1 << bit for bit in range(11)]


@pytest.mark.parametrize(
    ("bits", "spelt"),
    [
        (0, "-"),
        (flags.FUA, "FUA"),
        (flags.NO_FALLBACK | flags.MAY_UNMAP, "MAY_UNMAP|NO_FALLBACK"),
    ],
)
def test_flags_are_spelt_by_name(bits: int, spelt: str) -> None:
    assert flags.describe_flags(bits) == spelt
