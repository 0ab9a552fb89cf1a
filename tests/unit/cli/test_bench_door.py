from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from blkdebug_async.cli import bench_door
from blkdebug_async.cli.shell import main

NULL = 'json:{"driver": "null-co", "size": "1M"}'
FAILING = (
    'json:{"driver": "blkdebug", "image": {"driver": "null-co", "size": "1M"},'
    ' "inject-error": [{"event": "none", "iotype": "read", "sector": 8}]}'
)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "disk.img"
    path.write_bytes(bytes(1 << 18))
    return path


def bench(*words: str | Path) -> int:
    return main(["blkdebug-async", "bench", *map(str, words)])


def test_a_table_is_shown_and_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench("--number-ios=16", NULL) == 0
    captured = capsys.readouterr()
    assert re.search(r"^job +read +16 ", captured.out, re.MULTILINE)
    assert captured.err == ""


def test_an_error_ends_the_job_and_the_status_tells(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench("--number-ios=16", FAILING) == 1
    text = capsys.readouterr().out
    assert "job, read: 1 x EIO (Input/output error)" in text
    assert "job ended early: " in text


def test_errors_are_counted_where_the_job_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench("--number-ios=256", "--continue-on-error", "--output-format=json", FAILING) == 1
    (job,) = json.loads(capsys.readouterr().out)["jobs"]
    assert job["errors"] == {"EIO": 1}
    assert job["requests"] == 255


def test_what_was_written_is_verified(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("-f", "raw", "--rw=randwrite", "--verify", "--number-ios=50", "--iodepth=4")
    assert bench(*words, image) == 0
    assert "verified, all as written" in capsys.readouterr().out


def test_damage_is_found_and_the_status_tells(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench("--rw=write", "--verify", "--number-ios=4", NULL) == 1
    assert "damage: " in capsys.readouterr().out


def test_jobs_run_side_by_side(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sections = ("--name=a", "--rw=read", "--name=b", "--rw=write", "--offset=64k")
    words = ("-f", "raw", "--output-format=json", "--number-ios=8", *sections)
    assert bench(*words, image) == 0
    jobs = json.loads(capsys.readouterr().out)["jobs"]
    assert [(job["name"], list(job["operations"])) for job in jobs] == [
        ("a", ["read"]),
        ("b", ["write"]),
    ]


def test_jobs_may_have_images_of_their_own(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.img"
    other.write_bytes(bytes(4096))
    words = ("-f", "raw", "--output-format=json", "--name=a", "--name=b", "--filename", other)
    assert bench(*words, image) == 0
    jobs = json.loads(capsys.readouterr().out)["jobs"]
    assert [(job["disk_length"], job["requests"]) for job in jobs] == [(1 << 18, 64), (4096, 1)]


def test_an_image_that_nobody_writes_to_may_be_read_only(image: Path) -> None:
    assert bench("-f", "raw", "-r", "--number-ios=1", image) == 0
    assert bench("-f", "raw", "-r", "--number-ios=1", "--rw=write", image) == 1


def test_a_snapshot_takes_writes_that_never_reach_the_image(image: Path) -> None:
    assert bench("-f", "raw", "-s", "--rw=write", image) == 0
    assert image.read_bytes() == bytes(1 << 18)


def test_options_may_stand_for_an_image(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench("--image-opts", "--number-ios=1", "driver=null-co,size=1M") == 0
    assert bench("--blockdev", '{"driver": "null-co", "size": 1048576}', "--number-ios=1") == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--bs=4q", "x"], "blkdebug-async bench: --bs takes a size, as 4k or 1m, not '4q'\n"),
        (["--size=2M", NULL], "blkdebug-async bench: job 'job': its range ends at 2097152, "),
        (["--foo", "x"], "blkdebug-async bench: unrecognized option '--foo'\n"),
        (["--compat=x", "x"], "blkdebug-async bench: Unknown compat mode 'x'\nKnown are: "),
        (
            ["--output=/no/such/x", "x"],
            "blkdebug-async bench: --output: nothing can be written in '/no/such'\n",
        ),
        (["--output=/dev", "x"], "blkdebug-async bench: --output: '/dev' cannot be written\n"),
        (
            ["--write-log=/no/such/", "x"],
            "blkdebug-async bench: --write-log: nothing can be written in '/no/such'\n",
        ),
    ],
)
def test_bad_usage_is_told_and_runs_nothing(
    words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench(*words) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(complaint)
    assert captured.out == ""


def test_an_image_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench("/no/such/image") == 1
    assert capsys.readouterr().err == (
        "blkdebug-async bench: Could not open '/no/such/image': No such file or directory\n"
    )


@pytest.mark.parametrize(
    ("package", "words", "extra"),
    [
        ("hdrh", [], "bench"),
        ("rich", [], "bench"),
        ("matplotlib", ["--picture=p.svg"], "plot"),
    ],
)
def test_a_missing_package_is_told_before_anything_runs(
    package: str,
    words: list[str],
    extra: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(bench_door, "find_spec", lambda name: None if name == package else object())
    assert bench(*words, NULL) == 2
    assert capsys.readouterr().err == (
        f"blkdebug-async bench: the package {package} is not installed\n"
        f"It comes with an extra: pip install 'blkdebug_async[{extra}]'\n"
    )


def test_help_and_version_are_answered(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench("--help") == 0
    assert capsys.readouterr().out.startswith("Usage: blkdebug-async bench ")
    assert bench("--version") == 0
    assert capsys.readouterr().out.startswith("blkdebug-async bench ")


@pytest.mark.slow
def test_all_that_is_asked_for_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (
        *("--output", tmp_path / "out.json", "--output-format=fio", "--number-ios=100"),
        *("--picture", tmp_path / "p.png", "--write-log", tmp_path / "lg"),
    )
    assert bench(*words, NULL) == 0
    assert capsys.readouterr().out == ""
    document = json.loads((tmp_path / "out.json").read_text())
    assert document["jobs"][0]["read"]["total_ios"] == 100
    assert document["global options"] == {"number-ios": "100"}
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in tmp_path.glob("lg*")} == {
        "lg_bw.1.log",
        "lg_clat.1.log",
        "lg_iops.1.log",
        "lg_lat.1.log",
        "lg_slat.1.log",
    }


def test_uvloop_runs_it_if_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench("--loop=uvloop", "--number-ios=8", "--output-format=json", NULL) == 0
    assert json.loads(capsys.readouterr().out)["loop"].startswith("uvloop")


def start(*words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "blkdebug_async", "bench", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.slow
def test_an_interrupted_run_shows_what_there_is() -> None:
    # The line is written once requests are answered, so that there is something to interrupt.
    process = start("--eta=always", "--runtime=60", "--log-avg-msec=50", "--iodepth=2", NULL)
    assert process.stderr is not None
    first = process.stderr.read(1)
    process.send_signal(signal.SIGINT)
    out, rest = process.communicate(timeout=20)
    assert process.returncode == 130
    assert re.search(rb"^job +read +[\d,]+ ", out, re.MULTILINE)
    assert b"Traceback" not in first + rest


@pytest.mark.slow
def test_a_reader_who_leaves_gets_no_complaint() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [sys.executable, "-m", "blkdebug_async", "bench", "--number-ios=1", NULL],
        stdout=write_end,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(write_end)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.slow
def test_no_line_is_drawn_where_there_is_no_terminal() -> None:
    process = start("--runtime=2.5", "--rate-iops=100", NULL)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, b"")
    assert b"\x1b" not in out
