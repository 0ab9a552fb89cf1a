from __future__ import annotations

import io

import pytest

from blkdebug_async.cli.output import Output


class ClosedPipe:
    def write(self, data: bytes, /) -> int:
        raise BrokenPipeError

    def flush(self) -> None:
        raise BrokenPipeError


def test_stdout_waits_for_a_full_block_and_stderr_does_not() -> None:
    stdout, stderr = io.BytesIO(), io.BytesIO()
    output = Output(stdout, stderr)
    output.write("answer\n")
    output.write_error("complaint\n")
    assert stdout.getvalue() == b""
    assert stderr.getvalue() == b"complaint\n"
    output.flush()
    assert stdout.getvalue() == b"answer\n"


@pytest.mark.parametrize(("written", "seen"), [(4096, 0), (4097, 4096), (12289, 12288)])
def test_whole_blocks_are_written_at_once(written: int, seen: int) -> None:
    stdout = io.BytesIO()
    Output(stdout, io.BytesIO()).write("x" * written)
    assert len(stdout.getvalue()) == seen


def test_a_person_sees_each_line_at_once() -> None:
    stdout = io.BytesIO()
    output = Output(stdout, io.BytesIO(), is_interactive=True)
    output.write("one\ntw")
    assert stdout.getvalue() == b"one\n"
    output.write("o\n")
    assert stdout.getvalue() == b"one\ntwo\n"


def test_bytes_that_are_no_text_come_out_as_they_went_in() -> None:
    stdout = io.BytesIO()
    output = Output(stdout, io.BytesIO())
    output.write("\udcff")
    output.flush()
    assert stdout.getvalue() == b"\xff"


def test_an_error_is_reported_with_the_program_and_its_advice() -> None:
    stderr = io.BytesIO()
    output = Output(io.BytesIO(), stderr)
    output.complain("prog", "it failed")
    output.complain("prog", "again", "try\nharder")
    assert stderr.getvalue() == b"prog: it failed\nprog: again\ntry\nharder\n"


def test_nobody_reading_any_more_stops_nothing() -> None:
    output = Output(ClosedPipe(), ClosedPipe())
    output.write("x" * 5000)
    output.write_error("y")
    output.flush()
