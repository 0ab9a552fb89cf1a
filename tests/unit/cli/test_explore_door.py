from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from blkdebug_async.cli import explore_session
from blkdebug_async.cli.shell import main
from blkdebug_async.explore.explorer import explore as explore_it
from tests.unit.cli import explorable

MODULE = explorable.__name__
COMMAND = [sys.executable, "-m", "blkdebug_async", "explore"]


@pytest.fixture(autouse=True)
def _path() -> Iterator[None]:
    before = list(sys.path)
    yield
    sys.path[:] = before


def explore(*words: str | Path) -> int:
    return main(["blkdebug-async", "explore", "--no-store", *map(str, words)])


def test_a_failure_is_told_and_the_status_tells(capsys: pytest.CaptureFixture[str]) -> None:
    assert explore(f"{MODULE}:racy") == 1
    captured = capsys.readouterr()
    assert captured.out.startswith("AssertionError: b was first\n")
    assert re.search(r"^\d+ runs \(\d+ different\), \d+ steps, ", captured.out, re.MULTILINE)
    assert captured.err == ""


def test_the_last_words_make_the_same_run_again(capsys: pytest.CaptureFixture[str]) -> None:
    explore(f"{MODULE}:racy", "--steps=1000", "--may-leave", "--timers-last")
    (again,) = re.findall(r"^again: blkdebug-async (.*)$", capsys.readouterr().out, re.MULTILINE)
    assert "--steps=1000 --may-leave --timers-last --token=x1." in again
    assert main(["blkdebug-async", *again.split()]) == 1
    captured = capsys.readouterr()
    # Only here it is shown what is printed.
    assert captured.out.startswith("hello from b\nhello from a\nAssertionError: b was first\n")


def test_without_a_failure_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert explore(f"{MODULE}:steady", "--strategy=bounded") == 0
    assert "no failure in every run there is\n" in capsys.readouterr().out


def test_what_never_happens_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert explore(f"{MODULE}:never_there") == 1
    assert "never happened, in the only run: 'there'" in capsys.readouterr().out


def test_tasks_may_be_left_behind_if_one_says_so() -> None:
    assert explore(f"{MODULE}:leaving") == 1
    assert explore(f"{MODULE}:leaving", "--may-leave") == 0


def test_a_run_that_passes_is_made_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert explore(f"{MODULE}:racy", "--token=") == 0
    assert capsys.readouterr().out.endswith("the run passes, after 7 steps\n")


def test_a_token_that_does_not_fit_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    failure = explore_it(explorable.racy, store=None).failure
    assert failure is not None
    assert explore(f"{MODULE}:leaving", "--may-leave", f"--token={failure.token}") == 0
    assert "explore: the replay diverged: " in capsys.readouterr().err


def test_several_processes_find_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    texts = []
    for jobs in ("--jobs=1", "--jobs=2"):
        assert explore(f"{MODULE}:racy", jobs) == 1
        texts.append(re.sub(r"[\d.]+ s$", "", capsys.readouterr().out, flags=re.MULTILINE))
    assert texts[0] == texts[1]


def test_programs_get_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert explore(f"{MODULE}:racy", "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["passed"], told["interrupted"], told["scenario"]) == (
        False,
        False,
        f"{MODULE}:racy",
    )
    failure = told["failure"]
    assert (failure["error"], failure["message"]) == ("AssertionError", "b was first")
    assert failure["place"].startswith(str(Path(explorable.__file__)))
    assert len(failure["deviations"]) == 1
    assert explore(f"{MODULE}:racy", "--json", f"--token={failure['token']}") == 1
    lines = capsys.readouterr().out.split("\n", 2)
    assert lines[:2] == ["hello from b", "hello from a"]
    assert json.loads(lines[2])["values"] == failure["values"]
    assert explore(f"{MODULE}:steady", "--json", "--token=") == 0
    assert json.loads(capsys.readouterr().out) is None
    assert explore(f"{MODULE}:steady", "--json") == 0
    assert json.loads(capsys.readouterr().out)["failure"] is None


def test_all_about_a_failure_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new" / "folder"
    assert explore(f"{MODULE}:racy", f"--report={folder}") == 1
    names = {path.name for path in folder.iterdir()}
    assert {f"{MODULE}-racy.txt", f"{MODULE}-racy.html"} <= names
    assert {name for name in names if name.endswith(".py")} == {
        "test_tests_unit_cli_explorable_racy.py"
    }
    assert capsys.readouterr().err.count("wrote ") == len(names)


def test_a_report_that_cannot_be_written_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / f"{MODULE}-racy.txt").mkdir()
    assert explore(f"{MODULE}:racy", f"--report={tmp_path}") == 2
    assert "explore: [Errno 21] Is a directory" in capsys.readouterr().err


def test_tokens_are_kept_and_tried_first(tmp_path: Path) -> None:
    words = ["blkdebug-async", "explore", f"--store={tmp_path}", f"{MODULE}:racy", "--json"]
    assert main(words) == 1
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--runs=0", "a:b"), "blkdebug-async explore: --runs: '0' is no number from 1 on\n"),
        (
            ("--walk",),
            "blkdebug-async explore: unrecognized option '--walk'\n"
            "blkdebug-async explore --help lists what there is\n",
        ),
        (
            (f"{MODULE}:number",),
            "blkdebug-async explore: 'number' is no function: it is 3\n",
        ),
    ],
)
def test_what_makes_no_sense_is_told(
    words: tuple[str, ...], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explore(*words) == 2
    assert capsys.readouterr() == ("", complaint)


def test_help_and_version_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert explore("--help") == 0
    assert capsys.readouterr().out.startswith("Usage: blkdebug-async explore [OPTION]... MODULE:")
    assert explore("-V") == 0
    assert re.fullmatch(r"blkdebug-async explore \d[\w.+]*\n", capsys.readouterr().out)


def test_every_option_is_in_the_help() -> None:
    text = (Path(explore_session.__file__).parent / "explore_options.py").read_text()
    options = re.findall(r'LongOption\("([\w-]+)"', text)
    help_text = main_help()
    assert [each for each in options if f"--{each}" not in help_text] == []


def main_help() -> str:
    return subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, check=True).stdout


# --- interrupts, as people make them ---


def _is_pending(status: str) -> bool:
    pending = re.findall(r"^(?:Sig|Shd)Pnd:\s*(\w+)", status, re.MULTILINE)
    return any(int(each, 16) & 1 << signal.SIGINT - 1 for each in pending)


class Typing:
    """A command on a terminal.

    Args:
        words: The command.
    """

    def __init__(self, words: list[str]) -> None:
        self.text = ""
        ours, theirs = pty.openpty()
        self._terminal = ours
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm"}
        self._process = subprocess.Popen(
            words, stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True
        )
        os.close(theirs)

    def interrupt(self) -> None:
        os.killpg(self._process.pid, signal.SIGINT)

    def wait_until_heard(self) -> None:
        """Wait until no interrupt is pending: two at once would count as one."""
        status = Path(f"/proc/{self._process.pid}/status")
        while _is_pending(status.read_text()):
            pass

    def wait_for(self, words: str) -> None:
        """Read until something was written."""
        while words not in self.text:
            assert self._read(), self.text

    def end(self) -> int:
        """Read all, and give the exit status."""
        while self._read():
            pass
        os.close(self._terminal)
        return self._process.wait(20)

    def _read(self) -> bool:
        assert select.select([self._terminal], [], [], 20)[0], self.text
        try:
            data = os.read(self._terminal, 65536)
        except OSError:
            return False
        self.text += data.decode()
        return bool(data)


FILE = explorable.__file__


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_an_interrupt_shows_what_is_known(jobs: str) -> None:
    words = ["--strategy=random", "--no-store", "--runs=100000000", f"--jobs={jobs}"]
    typing = Typing([*COMMAND, f"{FILE}:pausing_twice", *words])
    typing.wait_for("steps/s")
    typing.interrupt()
    assert typing.end() == 130
    last = typing.text.split("\r\x1b[K")[-1]
    assert re.match(r"\d+ runs \(1 different\), ", last)
    assert last.endswith("interrupted: there was more to try\r\n")


ENDLESS = """
import sys

async def scenario():
    print("here", file=sys.stderr, flush=True)
    while True:
        pass
"""


@pytest.mark.slow
@pytest.mark.parametrize(("words", "times"), [(["--token="], 1), (["--no-store"], 2)])
def test_amid_a_run_that_never_ends_an_interrupt_helps_too(
    words: list[str], times: int, tmp_path: Path
) -> None:
    path = tmp_path / "endless.py"
    path.write_text(ENDLESS)
    typing = Typing([*COMMAND, f"{path}:scenario", *words])
    typing.wait_for("here")
    # The first one of a search lets it end in its own time.
    for _ in range(times):
        typing.interrupt()
        typing.wait_until_heard()
    assert typing.end() == 130
    assert typing.text.endswith("explore: interrupted\r\n")
    assert "Traceback" not in typing.text


def test_a_reader_that_leaves_is_no_reason_to_complain() -> None:
    with subprocess.Popen(
        [*COMMAND, f"{FILE}:racy", "--no-store"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode == 1
