from __future__ import annotations

from pathlib import Path

import pytest

from blkdebug_async.cli.commands import COMMANDS, find_command
from blkdebug_async.cli.help import LONG_HELP
from tests.unit.cli.playing import BROKEN, MEMORY, play, without_rates

NULL = "driver=null-co,size=1M"


async def test_what_was_written_is_read() -> None:
    played = await play("write -q -P 7 512 1k", "read -q -P 7 512 1k", "read -q -P 0 0 512")
    assert (played.stdout, played.status) == ("", 0)


async def test_a_report_tells_what_was_done() -> None:
    played = await play("write 512 1k", "discard 0 4k", "readv 0 512 512")
    assert without_rates(played.stdout) == (
        "wrote 1024/1024 bytes at offset 512\n1 KiB, 1 ops; TIME\n"
        "discard 4096/4096 bytes at offset 0\n4 KiB, 1 ops; TIME\n"
        "read 1024/1024 bytes at offset 0\n1 KiB, 1 ops; TIME\n"
    )


async def test_a_wrong_pattern_is_told_before_the_report() -> None:
    played = await play("read -P 1 -s 512 -l 1k 0 4k", "readv -q -P 1 0 1", "aio_read -P 1 0 1")
    assert played.lines == [
        "Pattern verification failed at offset 512, 1024 bytes",
        "read 4096/4096 bytes at offset 0",
        "Pattern verification failed at offset 0, 1 bytes",
        "Pattern verification failed at offset 0, 1 bytes",
        "read 1/1 bytes at offset 0",
    ]
    assert played.status == 1


async def test_an_asynchronous_failure_leaves_the_status_alone() -> None:
    played = await play("aio_read -P 1 0 1", "aio_write 2M 1", "aio_read 2M 1", "aio_flush")
    assert played.lines[:2] == [
        "readv failed: Input/output error",
        "aio_write failed: Input/output error",
    ]
    assert played.status == 0


async def test_bytes_are_shown_before_the_report() -> None:
    played = await play("write -q -P 0x41 0 2", "read -v 0 3", "readv -v 0 1 1")
    assert played.lines == [
        "00000000:  41 41 00  AA.",
        "read 3/3 bytes at offset 0",
        "00000000:  41 41  AA",
        "read 2/2 bytes at offset 0",
    ]


async def test_a_buffer_is_full_of_ab_before_it_is_read_into() -> None:
    played = await play("read -q -P 0xab 0 512", "readv -q -P 0xab 0 512", image=NULL)
    assert played.status == 0


async def test_a_file_is_written_over_and_over(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"abc")
    played = await play(f"write -q -s {source} 0 8", "read -v 0 9")
    assert played.lines[0].endswith("abcabcab.")


async def test_a_file_to_write_must_have_something(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    played = await play(
        f"write -s {empty} 0 1", f"write -s {tmp_path / 'no'} 0 1", "write -s / 0 1"
    )
    assert played.stderr == (
        f"{empty}: file is empty\n{tmp_path / 'no'}: No such file or directory\n/: Is a directory\n"
    )
    assert (played.stdout, played.status) == ("", 1)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("read 1M 1", "read failed: Input/output error"),
        ("readv 1M 1", "readv failed: Input/output error"),
        ("write 1M 1", "write failed: Input/output error"),
        ("writev 1M 1", "writev failed: Input/output error"),
        ("discard 1M 1", "discard failed: Input/output error"),
        ("read -b 0 512", "read failed: Operation not supported"),
        ("write -b 0 512", "write failed: Operation not supported"),
        ("write -c 0 512", "write failed: Operation not supported"),
    ],
)
async def test_a_failure_is_told_by_its_errno(command: str, message: str) -> None:
    played = await play(command)
    assert (played.stdout, played.status) == (f"{message}\n", 1)


async def test_a_failed_flush_shows_in_the_status_only() -> None:
    image = f"{BROKEN},file.inject-error.0.event=flush_to_os"
    played = await play("flush", image=image)
    assert (played.stdout, played.stderr) == ("", "")


@pytest.mark.parametrize("kind", ["read", "write"])
async def test_an_invalid_request_is_only_told_of(kind: str) -> None:
    played = await play(f"aio_{kind} -i -Z nonsense")
    assert (played.stdout, played.status) == (f"injecting invalid {kind} request\n", 0)


async def test_asynchronous_zero_writes_write_zeroes() -> None:
    played = await play("write -q 0 4k", "aio_write -q -z 0 4k", "aio_flush", "read -q -P 0 0 4k")
    assert played.status == 0


async def test_buffers_may_be_misaligned() -> None:
    played = await play("writev -q -P 3 1 2 3", "readv -q -P 3 1 5")
    assert played.status == 0


# --- the image as a whole ---


async def test_the_length_changes_with_truncate() -> None:
    played = await play("length", "truncate 1536", "length", "truncate -m off 4k", "length")
    assert played.stdout == "1 MiB\n1.500 KiB\n4 KiB\n"


async def test_a_bad_size_for_truncate_shows_the_first_word() -> None:
    played = await play("truncate 1x -m off", "truncate 1x", "truncate -m off")
    assert played.stdout == (
        "Parsing error: non-numeric argument, or extraneous/unrecognized suffix -- -m\n"
        "Parsing error: non-numeric argument, or extraneous/unrecognized suffix -- 1x\n"
        "truncate [-m prealloc_mode] off -- truncates the current file at the given offset\n"
    )


async def test_truncate_may_be_impossible() -> None:
    played = await play("truncate -m foo 1", "truncate 1M", image=NULL)
    assert played.stderr == (
        "prog: Invalid preallocation mode 'foo'\n"
        "prog: Image format driver does not support resize\n"
    )


async def test_facts_are_shown_with_the_name_of_a_protocol_twice() -> None:
    rest = "cluster size: 0 bytes\nvm state offset: 0 bytes\n"
    assert (await play("info")).stdout == f"format name: memory\nformat name: memory\n{rest}"
    assert (await play("info", image=BROKEN)).stdout == f"format name: raw\n{rest}"


async def test_null_has_no_facts() -> None:
    played = await play("info", image=NULL)
    assert (played.stdout, played.status) == ("format name: null-co\n" * 2, 1)


async def test_the_map_joins_what_is_alike() -> None:
    played = await play("map", image=NULL)
    assert played.stdout == "1 MiB (0x100000) bytes not allocated at offset 0 bytes (0x0)\n"
    played = await play("map", image=BROKEN)
    assert played.stdout == "1 MiB (0x100000) bytes     allocated at offset 0 bytes (0x0)\n"


async def test_allocation_is_counted_up_to_the_end() -> None:
    played = await play("alloc 0", "alloc 1M 512", "alloc 1023k 2k", image=BROKEN)
    assert played.stdout == (
        "512/512 bytes allocated at offset 0 bytes\n"
        "0/0 bytes allocated at offset 1 MiB\n"
        "1024/1024 bytes allocated at offset 1023 KiB\n"
    )


async def test_a_failing_block_status_is_told() -> None:
    image = f"{BROKEN},file.inject-error.0.event=none,file.inject-error.0.iotype=block-status"
    played = await play("alloc 0", "map", image=image)
    assert played.stdout == "is_allocated failed: Input/output error\n"
    assert played.stderr == "prog: Failed to get allocation status: Input/output error\n"


async def test_reopening_read_only_refuses_writes_until_it_is_undone() -> None:
    played = await play("reopen -r", "write 0 1", "reopen -w", "write -q 0 1")
    assert played.stderr == "prog: Block node is read-only\n"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("reopen -r -w", "Only one -r/-w option may be given"),
        ("reopen -c foo", "Invalid cache option: foo"),
        ("reopen -r -o read-only=on", "Cannot set both -r/-w and 'read-only'"),
        ("reopen -c none -o cache.direct=on", "Cannot set both -c and the cache options"),
        ("reopen -o foo=1", "Cannot change the option 'foo'"),
    ],
)
async def test_what_cannot_be_reopened_is_told(command: str, message: str) -> None:
    played = await play(command)
    assert (played.stderr, played.status) == (f"prog: {message}\n", 1)


async def test_the_cache_mode_can_be_changed() -> None:
    image = f"{BROKEN},file.inject-error.0.event=flush_to_disk,file.inject-error.0.iotype=flush"
    played = await play("reopen -c writeback", "write -q 0 4k", "write -q 0 4k", image=image)
    assert (played.stdout, played.stderr) == ("", "")


async def test_options_and_names_do_not_mix() -> None:
    played = await play("open -o driver=memory x", "open a b", "open -Z", image=None)
    usage = "open [-rsCnkU] [-t cache] [-d discard] [-o options] [path] -- open the file specified"
    assert played.stdout == (
        f"--image-opts and 'open -o' are mutually exclusive\n{usage} by path\n{usage} by path\n"
    )
    assert played.stderr == "open: invalid option -- 'Z'\n"


# --- the shell itself ---


@pytest.mark.parametrize("line", ["", "   "])
async def test_an_empty_line_does_nothing(line: str) -> None:
    assert (await play(line)).status == 0


async def test_an_unknown_command_is_told() -> None:
    played = await play("foo bar", "length")
    assert played.stderr == 'command "foo" not found\n'
    assert (played.stdout, played.status) == ("1 MiB\n", 1)


async def test_without_an_image_most_commands_are_refused() -> None:
    played = await play("read", "help q", "sleep 0", image=None)
    assert played.stderr == "no file open, try 'help open'\n"
    assert played.stdout == "q -- exit the program\n"


async def test_the_number_of_words_is_checked_first() -> None:
    played = await play("r -Z", "map 1")
    assert played.stderr == (
        "bad argument count 1 to r, expected at least 2 arguments\n"
        "bad argument count 1 to map, expected 0 arguments\n"
    )


async def test_a_mistake_in_the_options_shows_the_usage_under_the_full_name() -> None:
    played = await play("r -Z 0 1")
    assert played.stderr == "r: invalid option -- 'Z'\n"
    assert played.stdout.startswith("read [-abCqv] ")


async def test_a_read_only_image_is_told_before_anything_is_parsed() -> None:
    played = await play("write -Z x y", "truncate x", image=None)
    assert played.status == 1
    played = await play(f"open -r {MEMORY}", "write -Z x y", "truncate x", image=None)
    assert played.stderr == "prog: Block node is read-only\n" * 2


async def test_nothing_runs_behind_quit() -> None:
    assert (await play("quit now", "length")).stdout == ""


async def test_all_commands_have_a_line_of_help_in_order() -> None:
    lines = (await play("help", image=None)).stdout.splitlines()
    assert lines[-2:] == ["", "Use 'help commandname' for extended help."]
    names = [line.split()[0] for line in lines[:-2]]
    assert names == sorted(command.name for command in COMMANDS)


async def test_help_of_one_command_has_the_name_as_it_was_typed() -> None:
    played = await play("help w", "help map", "help foo")
    assert played.stdout.startswith("w [-bcCfnquz] ")
    assert LONG_HELP["write"] in played.stdout
    assert played.stdout.endswith(
        "map  -- prints the allocated areas of a file\ncommand foo not found\n"
    )
    assert played.status == 1


def test_an_alias_stands_for_one_command() -> None:
    aliases = [command.alias for command in COMMANDS if command.alias]
    assert len(aliases) == len(set(aliases))
    assert all(find_command(alias) is not None for alias in aliases)
    assert find_command("") is None


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("break foo A", "Could not set breakpoint: No such file or directory"),
        ("resume A", "Could not resume request: No such file or directory"),
        ("remove_break A", "Could not remove breakpoint A: No such file or directory"),
        ("sleep x", "x is not a valid number"),
        ("sigraise 66", "signal argument '66' is too large to be a valid signal"),
    ],
)
async def test_what_is_not_there_is_told(command: str, message: str) -> None:
    played = await play(command, image=BROKEN)
    assert (played.stdout, played.status) == (f"{message}\n", 1)


@pytest.mark.parametrize("number", [0, 65])
async def test_a_signal_that_is_none_does_nothing(number: int) -> None:
    assert (await play(f"sigraise {number}")).status == 0
