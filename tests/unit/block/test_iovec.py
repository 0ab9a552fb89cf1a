from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.block.iovec import Iovec

pieces = st.lists(st.binary(max_size=8), max_size=6)


def test_buffers_are_wrapped_not_copied() -> None:
    buffer = bytearray(4)
    Iovec.of([buffer]).fill(7)
    assert buffer == bytes([7] * 4)


@pytest.mark.parametrize(
    "buffer",
    [array("I", [1, 2]), memoryview(bytearray(8)).cast("B", (2, 4)), memoryview(bytearray(8))],
    ids=["items of four bytes", "two dimensions", "bytes"],
)
def test_items_of_any_size_become_bytes(buffer: array[int] | memoryview) -> None:
    iov = Iovec.of([buffer])
    assert iov.length == 8
    assert [(view.format, view.ndim) for view in iov.views] == [("B", 1)]


def test_buffer_with_gaps_is_refused() -> None:
    with pytest.raises(TypeError):
        Iovec.of([memoryview(bytearray(8))[::2]])


def test_read_only_buffer_cannot_be_filled() -> None:
    with pytest.raises(TypeError):
        Iovec.of([b"abc"]).fill(0)


def test_whole_slice_is_the_vector_itself() -> None:
    iov = Iovec.of([b"abc", b"def"])
    assert iov.slice(0, 6) is iov


@given(pieces, st.data())
def test_slice_is_that_part_of_the_bytes(buffers: list[bytes], data: st.DataObject) -> None:
    iov = Iovec.of(buffers)
    start = data.draw(st.integers(0, iov.length))
    stop = data.draw(st.integers(start, iov.length))
    part = iov.slice(start, stop - start)
    assert part.tobytes() == b"".join(buffers)[start:stop]
    assert part.length == stop - start == sum(map(len, part.views))


@pytest.mark.parametrize("offset", [-1, 0, 3, 7])
@pytest.mark.parametrize("buffers", [[b"abc"], [b"ab", b"c"]])
def test_nothing_can_be_taken_from_anywhere(buffers: list[bytes], offset: int) -> None:
    assert Iovec.of(buffers).slice(offset, 0).views == []


@given(pieces)
def test_copied_bytes_come_out_again(buffers: list[bytes]) -> None:
    iov = Iovec.of([bytearray(len(each)) for each in buffers])
    iov.copy_from(b"".join(buffers))
    assert iov.tobytes() == b"".join(buffers)


@pytest.mark.parametrize("value", [0, 1, 255])
def test_fill_sets_every_byte(value: int) -> None:
    iov = Iovec.of([bytearray(b"ab"), bytearray(b"c")])
    iov.fill(value)
    assert iov.tobytes() == bytes([value] * 3)


@pytest.mark.parametrize(
    ("buffers", "zero"),
    [
        ([], True),
        ([bytes(3), bytes(2)], True),
        ([bytes(3), b"\0\1"], False),
        ([bytes(200_000)], True),
        ([bytes(200_000) + b"x"], False),
    ],
)
def test_is_zero_looks_at_every_byte(buffers: list[bytes], zero: bool) -> None:
    assert Iovec.of(buffers).is_zero() is zero


def test_joined_puts_views_around() -> None:
    iov = Iovec.of([b"mid"]).joined([memoryview(b"he")], [memoryview(b"tail")])
    assert iov.tobytes() == b"hemidtail"
    assert iov.length == 9


def test_over_wraps_one_buffer_of_our_own() -> None:
    buffer = bytearray(3)
    Iovec.over(buffer).copy_from(b"abc")
    assert buffer == b"abc"
