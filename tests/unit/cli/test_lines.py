from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blkdebug_async.cli.lines import InputLines, take_line


def all_lines(data: bytes) -> list[str]:
    lines = []
    while data:
        line, data = take_line(data)
        lines.append(line)
    return lines


@given(st.lists(st.text("ab\r ", max_size=30)))
def test_lines_come_without_their_ends(lines: list[str]) -> None:
    assert all_lines("".join(f"{line}\n" for line in lines).encode()) == lines


def test_the_last_line_needs_no_end() -> None:
    assert all_lines(b"length\nquit") == ["length", "quit"]


def test_a_line_of_more_than_1023_bytes_is_several() -> None:
    assert all_lines(b"x" * 1023 + b"y\nz\n") == ["x" * 1023, "y", "z"]


def test_the_end_of_a_line_counts_among_its_bytes() -> None:
    assert all_lines(b"x" * 1022 + b"\ny\n") == ["x" * 1022, "y"]
    assert all_lines(b"x" * 1023 + b"\ny\n") == ["x" * 1023, "", "y"]


def test_nothing_counts_behind_a_null_byte() -> None:
    assert all_lines(b"length\0x\nquit\n") == ["length", "quit"]


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read_end, write_end = os.pipe()
    yield read_end, write_end
    os.close(read_end)


async def test_a_line_is_there_once_its_end_is(pipe: tuple[int, int]) -> None:
    read_end, write_end = pipe
    lines = InputLines(read_end)
    os.write(write_end, b"len")
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(lines.next_line())
        await asyncio.sleep(0)
        assert not waiting.done()
        os.write(write_end, b"gth\nqu")
    assert waiting.result() == "length"
    os.close(write_end)
    assert await lines.next_line() == "qu"
    assert await lines.next_line() is None


async def test_others_go_on_while_a_line_is_waited_for(pipe: tuple[int, int]) -> None:
    read_end, write_end = pipe

    async def answer() -> None:
        os.write(write_end, b"length\n")
        os.close(write_end)

    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(InputLines(read_end).next_line())
        group.create_task(answer())
    assert waiting.result() == "length"


async def test_lines_may_come_from_a_file(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("length\nquit\n")
    with script.open("rb") as file:
        lines = InputLines(file.fileno())
        assert [await lines.next_line() for _ in range(3)] == ["length", "quit", None]
