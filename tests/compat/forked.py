"""Runs our command many times from one start: each line of stdin is a session, run in a fork.

A fork has its own folder, streams and end (abort and signals included) at a tenth of the price of
a new interpreter.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
import traceback
from typing import TextIO

# The door is imported now, or each fork would do it.
import blkdebug_async.cli.io_door
import blkdebug_async.disk  # noqa: F401
from blkdebug_async.cli.shell import main


def flushed(stream: TextIO) -> None:
    with contextlib.suppress(OSError):
        stream.flush()


def become(job: dict[str, str], arguments: list[str]) -> None:
    """Be the program in this process, to its end."""
    status = 70
    try:
        os.chdir(job["folder"])
        for number, name in enumerate(("stdin", "stdout", "stderr")):
            flags = os.O_RDONLY if number == 0 else os.O_WRONLY
            os.dup2(os.open(job[name], flags), number)
        sys.argv = arguments
        status = main() or 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        flushed(sys.stdout)
        flushed(sys.stderr)
        os._exit(status)


def wait_for(pid: int, seconds: float) -> int | None:
    """Wait for a fork; kill it when its time is over."""
    deadline = time.perf_counter() + seconds
    pause = 0.0005
    while time.perf_counter() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(pause)
        pause = min(pause * 1.5, 0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def serve(jobs: TextIO, answers: TextIO) -> None:
    """Run each session that is asked for and answer with its exit status."""
    for line in jobs:
        job = json.loads(line)
        pid = os.fork()
        if pid == 0:
            become(job["streams"], job["arguments"])
        print(json.dumps(wait_for(pid, job["seconds"])), file=answers, flush=True)


if __name__ == "__main__":
    # The numbers 0 to 2 belong to the forks.
    serve(os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w"))
