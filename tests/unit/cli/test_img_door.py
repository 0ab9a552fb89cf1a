from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from blkdebug_async.cli.shell import main

NULL = "driver=blkdebug,image.driver=null-co,image.size=1G"


def img(*words: str, program: str = "blkdebug-async") -> int:
    return main([program, *(["img"] if program == "blkdebug-async" else []), *words])


@pytest.fixture(autouse=True)
def _interrupts_as_before() -> object:
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


def test_what_is_done_is_told_and_how_long_it_took(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    assert img("bench", "-c", "10", "-d", "2", "--image-opts", NULL) == 0
    first, last = capfdbinary.readouterr().out.decode().splitlines()
    assert first == (
        "Sending 10 read requests, 4096 bytes each, 2 in parallel "
        "(starting at offset 0, step size 4096)"
    )
    assert last.startswith("Run completed in 0.")


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_json_tells_all_in_one_object(loop: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    words = ("bench", "--json", f"--loop={loop}", "-c", "10", "-w", "--image-opts", NULL)
    assert img(*words) == 0
    report = json.loads(capfdbinary.readouterr().out)
    assert report["tree"] == ["blkdebug", "null-co"]
    assert report["loop"] == loop
    assert report["options"]["operation"] == "write"
    assert (report["requests"], report["bytes"]) == (10, 40960)
    assert report["requests_per_second"] == pytest.approx(10 / report["seconds"])
    assert report["microseconds_per_request"] == pytest.approx(report["seconds"] * 1e5)
    assert "blkdebug_async" in report["versions"]


def test_no_request_has_no_rate(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert img("bench", "--json", "-c", "0", "--image-opts", NULL) == 0
    report = json.loads(capfdbinary.readouterr().out)
    assert report["requests_per_second"] is None
    assert report["microseconds_per_request"] is None


def test_an_empty_image_is_refused(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert img("bench", "-c", "1", "--image-opts", "driver=null-co,size=0") == 1
    assert b"is empty: there is nowhere to send requests to" in capfdbinary.readouterr().err


def test_a_pattern_is_written(tmp_path: Path) -> None:
    image = tmp_path / "img"
    image.write_bytes(bytes(2048))
    words = ("bench", "-w", "-c", "2", "-s", "512", "-S", "1k", "--pattern=7", "-f", "raw")
    assert img(*words, str(image)) == 0
    assert image.read_bytes() == (b"\7" * 512 + bytes(512)) * 2


def test_a_file_that_is_read_is_left_alone(tmp_path: Path) -> None:
    image = tmp_path / "img"
    image.write_bytes(b"x" * 2048)
    image.chmod(0o444)
    assert img("bench", "-c", "9", "-s", "512", "-f", "raw", str(image)) == 0
    assert image.read_bytes() == b"x" * 2048


@pytest.mark.parametrize("name", ["convert", "info", "create"])
def test_other_subcommands_are_said_to_be_absent(
    name: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert img(name, "img") == 1
    assert capfdbinary.readouterr().err.decode() == (
        f"blkdebug-async img: '{name}' does not exist here, only 'bench' does\n"
        "Try 'blkdebug-async img --help' for more information\n"
    )


@pytest.mark.parametrize("words", [["--help"], ["bench", "--help"]])
def test_help_tells_of_bench(words: list[str], capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert img(*words) == 0
    text = capfdbinary.readouterr().out.decode()
    assert text.startswith("Usage: blkdebug-async img ")
    assert "--flush-interval=N" in text


def test_the_version_says_who_it_is(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert img("--version", program="/usr/local/bin/qemu-img") == 0
    assert capfdbinary.readouterr().out.startswith(b"qemu-img version 7.2 (blkdebug_async ")


def test_by_the_name_of_qemu_img_it_is_qemu_img(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    assert img("bench", "-c", "x", program="/usr/local/bin/qemu-img") == 1
    assert capfdbinary.readouterr().err == b"qemu-img: Invalid request count specified\n"


@pytest.mark.slow
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_an_interrupt_ends_a_run(loop: str) -> None:
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    code = "import sys; from blkdebug_async.cli.shell import main; sys.exit(main())"
    words = ("img", "bench", f"--loop={loop}", "-c", "2147483647", "--image-opts", NULL)
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", code, *words], stdout=theirs, stderr=subprocess.PIPE
    ) as process:
        # On a terminal the first line is seen when the run begins.
        assert os.read(ours, 7) == b"Sending"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    os.close(ours)
    os.close(theirs)
    assert process.returncode == -signal.SIGINT
    assert errors == b""
