from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from blkdebug_async.cli.shell import DOORS, main

HEAVY = ("argparse", "click", "prompt_toolkit", "rich", "uvloop", "aiofiles", "anyio")


def test_without_a_word_one_line_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["blkdebug-async"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "blkdebug-async: say what to do; blkdebug-async --help lists what there is"
    ]


def test_an_unknown_word_gets_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["blkdebug-async", "foo"]) == 2
    assert capsys.readouterr().err.startswith("blkdebug-async: there is no 'foo'; ")


def test_help_lists_every_door(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["blkdebug-async", "--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text and door.oneline in text for name, door in DOORS.items())


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["blkdebug-async", "--version"]) == 0
    assert capsys.readouterr().out.startswith("blkdebug-async ")


def run(name: str, *words: str, typed: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    code = f"import sys; sys.argv[0] = {name!r}; from blkdebug_async.cli.shell import main; "
    return subprocess.run(
        [sys.executable, "-c", f"{code}sys.exit(main())", *words],
        input=typed,
        capture_output=True,
        check=False,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "img"
    path.write_bytes(bytes(4096))
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "words", "program"),
    [
        ("qemu-io", [], "qemu-io"),
        ("/usr/local/bin/qemu-io", [], "qemu-io"),
        ("blkdebug-async", ["io"], "blkdebug-async io"),
    ],
)
def test_the_name_of_the_program_stands_in_front_of_messages_and_lines(
    name: str, words: list[str], program: str, image: Path
) -> None:
    done = run(name, *words, "-f", "raw", str(image), typed=b"length\nopen x\n")
    assert done.stdout.decode() == f"{program}> 4 KiB\n{program}> {program}> "
    assert done.stderr.decode() == f"{program}: file open already, try 'help close'\n"
    assert done.returncode == 1


@pytest.mark.slow
def test_a_trace_goes_to_a_file(image: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    trace = f"driver_called,file={log}"
    words = ("io", "-T", trace, "-r", "-f", "raw", "-c", "read -q 0 512", str(image))
    assert run("blkdebug-async", *words).stderr == b""
    assert log.read_text().splitlines()[0].startswith("driver_called 1 read 0+512 on ")


@pytest.mark.slow
def test_a_trace_that_cannot_be_written_is_told(image: Path) -> None:
    done = run("blkdebug-async", "io", "-T", "file=/no/such", "-f", "raw", str(image))
    assert done.returncode == 1
    assert done.stderr == (
        b"blkdebug-async io: Error opening logfile /no/such: No such file or directory\n"
    )


@pytest.mark.slow
def test_running_commands_imports_nothing_that_takes_long(image: Path) -> None:
    code = (
        "import sys; from blkdebug_async.cli.shell import main; "
        f"main(['qemu-io', '-f', 'raw', '-c', 'read -q 0 4k', {str(image)!r}]); "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == b"[]\n"


@pytest.mark.slow
@pytest.mark.parametrize(("command", "signal"), [("abort", 6), ("sigraise 15", 15)])
def test_a_signal_ends_the_program(command: str, signal: int) -> None:
    done = run("qemu-io", "-c", "help q", "-c", command)
    assert done.returncode == -signal
    # What stdio holds back is lost in a crash, but written out before a signal.
    assert (b"exit the program" in done.stdout) is (signal == 15)


def test_an_interrupt_while_a_door_is_loaded_has_its_status(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("blkdebug_async.cli.shell.import_module", interrupted)
    assert main(["blkdebug-async", "io"]) == 130
