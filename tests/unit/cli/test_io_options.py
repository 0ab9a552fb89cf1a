from __future__ import annotations

import io
from pathlib import Path

import pytest

from blkdebug_async.cli.failures import ErrorReport, UsageError
from blkdebug_async.cli.io_door import understand
from blkdebug_async.cli.io_options import Caller, IoOptions, parse_io_options
from blkdebug_async.cli.output import Output
from blkdebug_async.cli.trace_lines import TRACE_POINTS
from blkdebug_async.compat import COMPAT

QEMU = Caller("qemu-io", "/usr/bin/qemu-io", is_qemu=True)
OURS = Caller("blkdebug-async io", "blkdebug-async io", is_qemu=False)


def ignore(message: str, place: str = "") -> None:
    """Nobody hears it."""


def parse(*words: str, caller: Caller = OURS) -> IoOptions:
    return parse_io_options(caller, words, ignore)


def test_commands_are_collected_in_order() -> None:
    options = parse("-c", "read 0 1", "img", "--cmd=quit")
    assert options.commands == ["read 0 1", "quit"]
    assert options.image == "img"


def test_all_options_have_their_place() -> None:
    options = parse("-f", "raw", "-m", "-rsnCU", "-t", "none", "-d", "off", "-i", "native", "img")
    request = options.settings.request(options.image, {})
    assert (options.format, options.misalign) == ("raw", True)
    assert (request.snapshot, request.writethrough) == (True, False)
    flags = request.flags
    assert flags.aio == "native"
    assert (flags.read_only, flags.direct, flags.copy_on_read, flags.force_share) == (True,) * 4
    assert not flags.unmap


@pytest.mark.parametrize("name", list(COMPAT))
def test_whom_to_follow_can_be_chosen(name: str) -> None:
    assert parse(f"--compat={name}").compat is COMPAT[name]


def test_qemu_is_followed_unless_told_otherwise() -> None:
    assert parse().compat is COMPAT["qemu-7.2"]


def test_qemu_io_has_no_option_of_ours() -> None:
    with pytest.raises(UsageError, match="/usr/bin/qemu-io: unrecognized option '--compat=none'"):
        parse("--compat=none", caller=QEMU)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-t", "foo", "-h"], "Invalid cache option: foo"),
        (["--compat=foo"], "Unknown compat mode 'foo'"),
        (["--image-opts", "-f", "raw"], "--image-opts and -f are mutually exclusive"),
        (["--object", "foo,id=a"], "Parameter 'qom-type' does not accept value 'foo'"),
        (["--object", "secret,data=x"], "Parameter 'id' is missing"),
        (["--object", "id=a"], "Parameter 'qom-type' is missing"),
        (["-T", "foo=bar"], "Invalid parameter 'foo'"),
        (["-T", "events=/no/such"], "No such file or directory"),
    ],
)
def test_a_bad_argument_is_told(words: list[str], message: str) -> None:
    with pytest.raises(ErrorReport) as caught:
        parse(*words)
    assert str(caught.value) == message


def test_an_object_that_nobody_needs_is_taken() -> None:
    assert parse("--object", "secret,id=a,data=x").image is None


def test_there_is_one_image_at_most() -> None:
    with pytest.raises(UsageError):
        parse("a", "b")


@pytest.mark.parametrize(
    ("word", "shown"),
    [
        ("*", set(TRACE_POINTS)),
        ("event_fired", {"event_fired"}),
        ("enable=request_s*", {"request_started", "request_suspended"}),
        ("bdrv_*", set()),
    ],
)
def test_traces_are_switched_on_by_pattern(word: str, shown: set[str]) -> None:
    traces = parse("-T", word).traces
    assert {point for point in TRACE_POINTS if traces.shows(point)} == shown


def test_traces_are_switched_on_by_a_file_and_go_to_one(tmp_path: Path) -> None:
    events = tmp_path / "events"
    events.write_text("# mine\n*\n-request_*\n")
    options = parse("-T", f"events={events},file=log")
    shown = {point for point in TRACE_POINTS if options.traces.shows(point)}
    assert shown == {"event_fired", "driver_called"}
    assert options.trace_file == "log"


def complaints(*words: str) -> str:
    stderr = io.BytesIO()
    understand(QEMU, words, Output(io.BytesIO(), stderr))
    return stderr.getvalue().decode()


def test_an_unknown_trace_point_is_warned_of() -> None:
    warning = "qemu-io: warning: trace event 'bdrv_co_preadv' does not exist\n"
    assert complaints("-T", "bdrv_co_preadv") == warning


def test_an_unknown_trace_point_in_a_file_is_warned_of_with_its_place(tmp_path: Path) -> None:
    events = tmp_path / "events"
    events.write_text("# mine\n\nbdrv_co_preadv\n")
    warning = f"qemu-io:{events}:3: warning: trace event 'bdrv_co_preadv' does not exist\n"
    assert complaints("-T", f"events={events}") == warning


def test_an_absent_file_of_trace_points_is_told_with_its_place() -> None:
    assert complaints("-T", "events=/no/such") == "qemu-io:/no/such: No such file or directory\n"


def test_a_folder_of_trace_points_is_an_empty_file(tmp_path: Path) -> None:
    assert complaints("-T", f"events={tmp_path}") == ""


def test_options_behind_a_list_of_trace_points_are_not_looked_at() -> None:
    assert parse("-T", "help", "-Z").farewell == "".join(f"{point}\n" for point in TRACE_POINTS)


def test_the_trace_points_can_be_listed() -> None:
    assert parse("-T", "help").farewell == "".join(f"{point}\n" for point in TRACE_POINTS)


def answer(caller: Caller, *words: str) -> tuple[object, str, str]:
    stdout, stderr = io.BytesIO(), io.BytesIO()
    output = Output(stdout, stderr)
    status = understand(caller, words, output)
    output.flush()
    return status, stdout.getvalue().decode(), stderr.getvalue().decode()


@pytest.mark.parametrize("caller", [QEMU, OURS], ids=["qemu-io", "ours"])
def test_help_names_the_caller(caller: Caller) -> None:
    status, text, _ = answer(caller, "--help")
    assert status == 0
    assert text.startswith(f"Usage: {caller.program} [OPTIONS]... ")
    assert ("--compat" in text) is not caller.is_qemu
    assert ("qemu.org" in text) is caller.is_qemu


def test_an_unknown_option_is_told_and_the_usage_shown() -> None:
    status, text, complaint = answer(QEMU, "-Z")
    assert status == 1
    assert text.startswith("Usage: qemu-io ")
    assert complaint == "/usr/bin/qemu-io: invalid option -- 'Z'\n"


def test_a_second_image_shows_the_usage_alone() -> None:
    assert answer(QEMU, "a", "b")[2] == ""


def test_a_bad_value_is_told_in_one_line() -> None:
    assert answer(OURS, "-t", "foo") == (
        1,
        "",
        "blkdebug-async io: Invalid cache option: foo\n",
    )


def test_the_version_is_ours() -> None:
    status, text, _ = answer(QEMU, "-V")
    assert status == 0
    assert text.startswith("qemu-io version 7.2 (blkdebug_async ")
