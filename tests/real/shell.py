"""The io door, run in this process."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import NamedTuple

from blkdebug_async.cli.shell import main


class Answer(NamedTuple):
    """What a run of the shell leaves."""

    status: int
    out: str
    err: str


def run_io(*words: str, program: str = "blkdebug-async") -> Answer:
    """Run the shell; what it raises comes up, as a traceback would."""
    out, err = _stream(), _stream()
    interrupt = signal.getsignal(signal.SIGINT)
    first = ("qemu-io",) if program == "qemu-io" else (program, "io")
    try:
        with redirect_stdout(out), redirect_stderr(err):
            status = main([*first, *words])
    finally:
        signal.signal(signal.SIGINT, interrupt)
    return Answer(status, _text(out), _text(err))


def _stream() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)


def _text(stream: io.TextIOWrapper) -> str:
    data = stream.detach()
    assert isinstance(data, io.BytesIO)
    return data.getvalue().decode("utf-8", "surrogateescape")


@contextmanager
def no_descriptor_lost() -> Iterator[None]:
    """Check that as many files are open afterwards as before."""
    before = sorted(os.listdir("/proc/self/fd"))
    yield
    assert sorted(os.listdir("/proc/self/fd")) == before
