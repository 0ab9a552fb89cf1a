"""Who goes on when; see tests/compat for the same in the real program."""

from __future__ import annotations

from tests.unit.cli.playing import BROKEN, MEMORY, play

HELD = "blkdebug: Suspended request 'A'"
RESUMED = "blkdebug: Resuming request 'A'"


async def test_a_request_that_ended_at_once_is_reported_at_the_next_wait() -> None:
    played = await play("aio_read 0 512", "length", "sleep 0", "info")
    assert played.lines[:3] == ["1 MiB", "read 512/512 bytes at offset 0", "format name: memory"]


async def test_of_those_that_ended_at_once_the_latest_is_reported_first() -> None:
    played = await play("aio_read 0 1", "aio_read 1 1", "aio_read 2 1", "aio_flush")
    assert played.lines == [f"read 1/1 bytes at offset {offset}" for offset in (2, 1, 0)]


async def test_a_command_that_need_not_wait_lets_nobody_report() -> None:
    played = await play("aio_read 0 512", "read 512 512", "write 0 512")
    assert [line.rsplit(maxsplit=1)[-1] for line in played.lines] == ["512", "0", "0"]
    assert played.lines[-1] == "read 512/512 bytes at offset 0"


async def test_a_vectored_command_waits_for_a_turn_in_any_case() -> None:
    played = await play("aio_read 0 512", "readv 512 512")
    assert played.lines == ["read 512/512 bytes at offset 0", "read 512/512 bytes at offset 512"]


async def test_a_request_is_held_before_its_command_returns() -> None:
    played = await play("break write_aio A", "aio_write 0 4k", "length", "resume A", image=BROKEN)
    assert played.lines == [HELD, "1 MiB", RESUMED, "wrote 4096/4096 bytes at offset 0"]


async def test_a_resumed_request_goes_on_inside_the_command_that_resumes_it() -> None:
    played = await play("break write_aio A", "aio_write 0 4k", "resume A", "length", image=BROKEN)
    assert played.lines == [HELD, RESUMED, "wrote 4096/4096 bytes at offset 0", "1 MiB"]


async def test_resuming_one_request_lets_no_other_report() -> None:
    played = await play(
        "break write_aio A", "aio_write 0 4k", "aio_read 0 1", "resume A", "length", image=BROKEN
    )
    assert played.lines == [
        HELD,
        RESUMED,
        "wrote 4096/4096 bytes at offset 0",
        "1 MiB",
        "read 1/1 bytes at offset 0",
    ]


async def test_who_waited_for_a_resumed_request_goes_on_behind_it() -> None:
    played = await play(
        "break pwritev_rmw_head A",
        "aio_write 1k 1k",
        "aio_write 2k 512",
        "aio_write 3k 512",
        "resume A",
        "length",
        image=BROKEN,
    )
    offsets = [line.rsplit(maxsplit=1)[-1] for line in played.lines if line.startswith("wrote")]
    assert offsets == ["1024", "2048", "3072"]
    assert played.lines[-1] == "1 MiB"


async def test_removing_a_breakpoint_resumes_what_it_holds_and_says_that_there_was_none() -> None:
    played = await play("break write_aio A", "aio_write 0 4k", "remove_break A", image=BROKEN)
    assert played.lines == [
        HELD,
        RESUMED,
        "wrote 4096/4096 bytes at offset 0",
        "Could not remove breakpoint A: No such file or directory",
    ]
    assert played.status == 1


async def test_a_held_request_can_be_waited_for() -> None:
    played = await play(
        "break write_aio A", "aio_write 0 4k", "wait_break A", "resume A", image=BROKEN
    )
    assert played.status == 0


async def test_a_wait_without_any_blkdebug_is_refused_where_we_are_safe() -> None:
    played = await play("wait_break A", "length", compat="none")
    assert played.stderr == "prog: There is no blkdebug node to set breakpoints on\n"
    assert played.stdout == "1 MiB\n"


async def test_the_end_names_who_is_still_held_where_we_are_safe() -> None:
    played = await play("break write_aio A", "aio_write 0 4k", image=BROKEN, compat="none")
    assert played.lines == [HELD]
    assert "still suspended" in played.stderr
    assert "'A'" in played.stderr
    assert played.status == 1


async def test_a_flush_of_requests_names_who_is_held_where_we_are_safe() -> None:
    played = await play(
        "break write_aio A",
        "aio_write -q 0 4k",
        "aio_flush",
        "resume A",
        image=BROKEN,
        compat="none",
    )
    assert "'A'" in played.stderr
    assert played.lines == [HELD, RESUMED]


async def test_closing_waits_for_requests() -> None:
    played = await play("aio_read 0 512", "close", "length")
    assert played.lines == ["read 512/512 bytes at offset 0"]
    assert played.stderr == "no file open, try 'help open'\n"


async def test_what_fails_while_closing_is_told_where_we_are_safe() -> None:
    image = f"{BROKEN},file.inject-error.0.event=flush_to_disk"
    commands = ("write -q 0 4k",)
    safe = await play(*commands, image=image, compat="none")
    qemu = await play(*commands, image=image)
    assert "Input/output error" in safe.stdout + safe.stderr
    assert qemu.stderr == ""


async def test_another_image_can_follow() -> None:
    played = await play(
        "length", "open driver=memory,size=2M", "close", "open driver=memory,size=2M", "length"
    )
    assert played.stdout == "1 MiB\n2 MiB\n"
    assert played.stderr == "prog: file open already, try 'help close'\n"


async def test_an_image_that_cannot_be_opened_ends_the_session() -> None:
    played = await play("length", image=f"{MEMORY},foo=1")
    assert (played.stdout, played.status) == ("", 1)
    assert played.stderr == (
        "prog: can't open: Block protocol 'memory' doesn't support the option 'foo'\n"
    )
