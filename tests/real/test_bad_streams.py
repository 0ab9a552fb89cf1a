"""Standard streams that are closed, full or gone: the image is none of their business."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
IMAGE = bytes(range(256)) * 256
OURS = f"{sys.executable} -m blkdebug_async io"
WRITES = "-f raw img -c 'write -P 7 512 512' -c 'read -v 0 64k' -c 'frobnicate'"
WRITTEN = IMAGE[:512] + bytes([7]) * 512 + IMAGE[1024:]
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    Path("img").write_bytes(IMAGE)


def run_sh(script: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["sh", "-c", script], capture_output=True, check=False, timeout=20)


@pytest.mark.parametrize(
    ("closed", "heard"),
    [
        ("<&-", "stdout stderr"),
        (">&-", "stderr"),
        ("2>&-", "stdout"),
        ("<&- >&-", "stderr"),
        (">&- 2>&-", ""),
        ("<&- >&- 2>&-", ""),
        (">/dev/full", "stderr"),
        ("2>/dev/full", "stdout"),
    ],
)
def test_what_cannot_be_said_is_dropped_and_the_image_is_written(closed: str, heard: str) -> None:
    done = run_sh(f"{OURS} {WRITES} {closed}")
    streams = {"stdout": done.stdout, "stderr": done.stderr}
    # Were its number free, the image would be what is printed to.
    assert Path("img").read_bytes() == WRITTEN
    assert done.returncode == 1
    assert {name for name, text in streams.items() if text} == set(heard.split())
    assert b"Traceback" not in done.stderr


def test_who_reads_no_more_does_not_stop_the_session() -> None:
    end, start = os.pipe()
    os.close(end)
    with os.fdopen(start, "wb") as gone:
        done = subprocess.run(
            ["sh", "-c", f"{OURS} {WRITES}"], stdout=gone, stderr=subprocess.PIPE, check=False
        )
    assert Path("img").read_bytes() == WRITTEN
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr


def test_without_a_stdin_there_are_no_commands() -> None:
    done = run_sh(f"{OURS} -f raw img <&-")
    assert (done.returncode, done.stderr) == (0, b"")
    assert Path("img").read_bytes() == IMAGE


@pytest.mark.parametrize("word", ["--help", "--version", "io --help", "nonsense"])
def test_help_that_nobody_can_hear_is_no_crash(word: str) -> None:
    done = run_sh(f"{sys.executable} -m blkdebug_async {word} >&-")
    assert b"Traceback" not in done.stderr
