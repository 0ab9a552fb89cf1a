"""The other side of each switch; the sessions compare QEMU's side with the real program."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.compat.outcome import Outcome
from tests.compat.players import ForkedPlayer
from tests.compat.sessions import Session, on_blkdebug, with_config

Play = Callable[[Session], Outcome]
#: Long enough for any session that ends.
SECONDS = 5.0
#: Short enough to see one hang.
PATIENCE = 1.0


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("switches")


def player(folder: Path, compat: str, seconds: float) -> Iterator[Play]:
    forked = ForkedPlayer("blkdebug-async", "io", f"--compat={compat}", seconds=seconds)
    yield lambda session: forked.play(session, folder / compat)
    forked.close()


@pytest.fixture(scope="session")
def play_safe(folder: Path) -> Iterator[Play]:
    yield from player(folder, "none", SECONDS)


@pytest.fixture(scope="session")
def play_seed(folder: Path) -> Iterator[Play]:
    yield from player(folder, "seed", SECONDS)


@pytest.fixture(scope="session")
def play_qemu(folder: Path) -> Iterator[Play]:
    yield from player(folder, "qemu-7.2", PATIENCE)


RMW_READ_ERROR = on_blkdebug(
    "align=4k,inject-error.0.event=pwritev_rmw_head,inject-error.0.iotype=read,"
    "inject-error.0.once=on",
    "write -P 0x55 1k 1k",
    "read -P 1 0 512",
    "read -P 3 1k 512",
)
RESUMED_READ = on_blkdebug(
    "", "break read_aio A", "aio_read 0 512", "wait_break A", "resume A", "length", "aio_flush"
)
#: The flush fails, and with it a write that should have reached the disk.
FAILING_FLUSH = on_blkdebug(
    "inject-error.0.event=none,inject-error.0.iotype=flush,inject-error.0.errno=28",
    "write -f 0 512",
)
HELD_AT_THE_END = on_blkdebug("", "break read_aio tag7", "aio_read 0 512", "wait_break tag7")
REMOVED = on_blkdebug(
    "", "break read_aio A", "aio_read -q 0 512", "wait_break A", "remove_break A", "aio_flush"
)
ZEROES = on_blkdebug("", "aio_write -z 0 4k", "aio_flush")
EVENT_NONE = on_blkdebug("inject-error.0.event=none", "read 0 512")


def events_heard(play: Play, request: str, *events: str) -> str:
    steps = (step for event in events for step in (f"wait_break {event}", f"resume {event}"))
    breaks = (f"break {event} {event}" for event in events)
    return play(on_blkdebug("align=4k", *breaks, request, *steps, "aio_flush")).stdout


def test_a_failed_read_fails_the_unaligned_write(play_safe: Play) -> None:
    outcome = play_safe(RMW_READ_ERROR)
    assert outcome.stdout.splitlines()[0] == "write failed: Input/output error"
    assert "Pattern verification failed" not in outcome.stdout


def test_qemu_loses_what_the_failed_read_would_have_given(play_qemu: Play) -> None:
    lost = replace(
        RMW_READ_ERROR, commands=(RMW_READ_ERROR.commands[0], "read -P 0 0 1k", "read -P 0 2k 2k")
    )
    outcome = play_qemu(lost)
    assert outcome.stdout.startswith("wrote 1024/1024 bytes at offset 1024")
    assert "Pattern verification failed" not in outcome.stdout


def test_the_first_write_through_reaches_the_disk(play_safe: Play) -> None:
    assert play_safe(FAILING_FLUSH).stdout == "write failed: No space left on device\n"


def test_qemu_waits_for_ever_for_a_suspended_request(play_qemu: Play) -> None:
    assert play_qemu(HELD_AT_THE_END).status is None


def test_a_suspended_request_is_named_at_the_end(play_safe: Play) -> None:
    outcome = play_safe(HELD_AT_THE_END)
    assert outcome.status == 1
    assert "tag7" in outcome.stderr


def test_removing_a_breakpoint_that_holds_a_request_succeeds(play_safe: Play) -> None:
    outcome = play_safe(REMOVED)
    assert outcome.status == 0
    assert "Could not remove" not in outcome.stdout


def test_removing_it_once_succeeded_too(play_seed: Play) -> None:
    outcome = play_seed(REMOVED)
    assert outcome.status == 0
    assert "Could not remove" not in outcome.stdout


@pytest.mark.parametrize("errno", [-5, 4096, 100000])
def test_an_impossible_errno_is_refused(errno: int, play_safe: Play) -> None:
    rule = f"inject-error.0.event=none,inject-error.0.errno={errno}"
    outcome = play_safe(on_blkdebug(rule, "read 0 512"))
    assert outcome.status == 1
    assert str(errno) in outcome.stderr
    assert outcome.stdout == ""


@pytest.mark.parametrize(
    ("config", "place"),
    [
        ('[inject-error]\nevent = "read_aio"\nfoo = "1"\n', "rules:3: "),
        ('event = "read_aio"\n', "rules:1: "),
        ('[inject-error]\nevent = "read_aio"\n   \n', "rules:3: "),
        ('\n\n[foo]\nevent = "read_aio"\n', "rules:3: "),
        ('[inject-error]\nerrno = "5"\nevent = "foo"\n', "rules:3: "),
    ],
)
def test_an_error_in_a_config_file_says_where(config: str, place: str, play_safe: Play) -> None:
    assert place in play_safe(with_config(config, "read 0 512")).stderr


def test_qemu_takes_the_age_of_the_machine_for_the_time_of_zeroes(play_qemu: Play) -> None:
    # Below a second, which no machine that runs this is old, there are no hours.
    assert ":" in play_qemu(ZEROES).stdout.splitlines()[1]


def test_the_time_of_zeroes_is_what_they_took(play_safe: Play) -> None:
    assert "; 00." in play_safe(ZEROES).stdout.splitlines()[1]


def test_a_cached_read_is_answered_before_the_next_command(play_safe: Play) -> None:
    lines = play_safe(RESUMED_READ).stdout.splitlines()
    assert lines.index("read 512/512 bytes at offset 0") < lines.index("64 KiB")


def test_qemu_answers_a_cached_read_when_it_waits_next(play_qemu: Play) -> None:
    lines = play_qemu(RESUMED_READ).stdout.splitlines()
    assert lines.index("64 KiB") < lines.index("read 512/512 bytes at offset 0")


def test_one_block_was_once_read_as_a_head_only(play_seed: Play) -> None:
    heard = events_heard(
        play_seed,
        "aio_write -q 1k 1k",
        "pwritev_rmw_head",
        "pwritev_rmw_after_head",
        "pwritev",
        "pwritev_done",
    )
    assert heard.count("Suspended") == 4


def test_the_tail_of_two_blocks_was_once_read_behind_the_head(play_seed: Play) -> None:
    heard = events_heard(
        play_seed,
        "aio_write -q 1k 4k",
        "pwritev_rmw_head",
        "pwritev_rmw_after_head",
        "pwritev_rmw_tail",
        "pwritev_rmw_after_tail",
    )
    assert heard.count("Suspended") == 4


def test_a_failed_read_once_failed_the_unaligned_write(play_seed: Play) -> None:
    options = "align=4k,inject-error.0.event=pwritev_rmw_head,inject-error.0.once=on"
    assert play_seed(on_blkdebug(options, "write 1k 1k")).stdout.startswith("write failed")


def test_two_breakpoints_on_one_event_once_held_one_after_the_other(play_seed: Play) -> None:
    session = on_blkdebug(
        "",
        "break read_aio A",
        "break read_aio B",
        "aio_read -q 0 512",
        "wait_break B",
        "resume A",
        "resume B",
        "wait_break A",
        "resume A",
        "aio_flush",
    )
    assert play_seed(session).stdout.splitlines() == [
        "blkdebug: Suspended request 'B'",
        "Could not resume request: No such file or directory",
        "blkdebug: Resuming request 'B'",
        "blkdebug: Suspended request 'A'",
        "blkdebug: Resuming request 'A'",
    ]


def test_there_was_once_no_event_none(play_seed: Play) -> None:
    assert "invalid parameter value: none" in play_seed(EVENT_NONE).stderr


def test_there_was_once_no_iotype(play_seed: Play) -> None:
    options = "inject-error.0.event=read_aio,inject-error.0.iotype=read"
    assert "'iotype'" in play_seed(on_blkdebug(options, "read 0 512")).stderr
