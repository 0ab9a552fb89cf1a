"""Runs a session in the real program, and in ours."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import IO, Protocol

from tests.compat.outcome import Outcome, read_files
from tests.compat.sessions import Session

#: No session takes a second in QEMU; one that hangs in ours shall not stop the others.
SECONDS = 8.0
ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "LC_ALL": "C.UTF-8", "COLUMNS": "80"}


class Player(Protocol):
    """Something that runs sessions."""

    def play(self, session: Session, folder: Path) -> Outcome: ...


class CommandPlayer:
    """Starts a program for each session."""

    def __init__(self, executable: Path, *first_arguments: str) -> None:
        self._executable = executable
        self._first_arguments = first_arguments

    def play(self, session: Session, folder: Path) -> Outcome:
        """Run a session in a folder that this makes."""
        session.prepare(folder)
        argv = [*(self._first_arguments or ("qemu-io",)), *session.arguments()]
        try:
            done = subprocess.run(
                argv,
                executable=self._executable,
                cwd=folder,
                input=session.typed.encode(),
                capture_output=True,
                timeout=SECONDS,
                env=ENVIRONMENT,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            return outcome(None, late.stdout or b"", late.stderr or b"", folder)
        return outcome(done.returncode, done.stdout, done.stderr, folder)


class ForkedPlayer:
    """Starts our program once and forks it for each session."""

    def __init__(self, *called: str, seconds: float = SECONDS) -> None:
        self._called = called
        self._seconds = seconds
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.compat.forked"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=ENVIRONMENT,
        )

    def play(self, session: Session, folder: Path) -> Outcome:
        """Run a session in a folder that this makes."""
        session.prepare(folder)
        streams = {name: folder.with_suffix(f".{name}") for name in ("stdin", "stdout", "stderr")}
        streams["stdin"].write_text(session.typed)
        streams["stdout"].write_bytes(b"")
        streams["stderr"].write_bytes(b"")
        job = {
            "streams": {"folder": str(folder)} | {name: str(p) for name, p in streams.items()},
            "arguments": [*self._called, *session.arguments()],
            "seconds": self._seconds,
        }
        status = self._ask(json.dumps(job))
        return outcome(
            status, streams["stdout"].read_bytes(), streams["stderr"].read_bytes(), folder
        )

    def _ask(self, line: str) -> int | None:
        jobs, answers = self._pipes()
        with contextlib.suppress(BrokenPipeError):
            print(line, file=jobs, flush=True)
        answer = answers.readline()
        assert answer, "our program did not start; its error is above"
        status: int | None = json.loads(answer)
        return status

    def _pipes(self) -> tuple[IO[str], IO[str]]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        return self._process.stdin, self._process.stdout

    def close(self) -> None:
        """End the program."""
        for pipe in self._pipes():
            pipe.close()
        self._process.wait(timeout=SECONDS)


def outcome(status: int | None, stdout: bytes, stderr: bytes, folder: Path) -> Outcome:
    """Gather what is left, and clear up."""
    files = read_files(folder)
    shutil.rmtree(folder)
    return Outcome(status, stdout.decode("latin-1"), stderr.decode("latin-1"), files)
