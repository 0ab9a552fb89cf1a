"""The command: which door its first word opens."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Final, NamedTuple

_NAME: Final = "blkdebug-async"
#: Exit status after an interrupt before a door is open: 128 and the number of the signal.
_INTERRUPTED: Final = 130
#: Names of QEMU's programs, as which we may be called, to the doors that are like them.
_PEERS: Final = {"qemu-io": "io", "qemu-img": "img"}

#: Runs a door: name in front of messages, name as it was typed, words. Gives the exit status.
Run = Callable[[str, str, Sequence[str]], int]


class Door(NamedTuple):
    """A way in. Its module is imported only when it is used: others may need much more."""

    #: Has a function main(program, typed, words).
    module: str
    #: One line for --help.
    oneline: str


DOORS: Final = {
    "io": Door("blkdebug_async.cli.io_door", "read, write and break images, as qemu-io does"),
    "img": Door("blkdebug_async.cli.img_door", "time requests to an image, as qemu-img bench does"),
    "bench": Door("blkdebug_async.cli.bench_door", "put load on images and measure them"),
    "explore": Door("blkdebug_async.cli.explore_door", "find the race in an async function"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: Name of the program and its words; None: those of this process.

    Returns:
        The exit status.
    """
    _open_closed_streams()
    typed, *words = sys.argv if argv is None else argv
    peer = os.path.basename(typed)
    if peer in _PEERS:
        return _enter(_PEERS[peer], peer, typed, words)
    if not words:
        return _refuse("say what to do")
    match words[0]:
        case "--help" | "-h":
            sys.stdout.write(_help_text())
        case "--version" | "-V":
            sys.stdout.write(f"{_NAME} {load_version()}\n")
        case name if name in DOORS:
            program = f"{_NAME} {name}"
            return _enter(name, program, program, words[1:])
        case name:
            return _refuse(f"there is no '{name}'")
    return 0


def _open_closed_streams() -> None:
    """Let standard streams that are closed lead nowhere; an image would get their numbers."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # The lowest free number, so the one that is missing.
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def _enter(name: str, program: str, typed: str, words: Sequence[str]) -> int:
    try:
        run: Run = import_module(DOORS[name].module).main
    except KeyboardInterrupt:
        return _INTERRUPTED
    return run(program, typed, words)


def _refuse(complaint: str) -> int:
    sys.stderr.write(f"{_NAME}: {complaint}; {_NAME} --help lists what there is\n")
    return 2


def _help_text() -> str:
    doors = "".join(f"  {name:<16} {door.oneline}\n" for name, door in DOORS.items())
    return f"""\
Usage: {_NAME} COMMAND [ARGUMENT]...
An asyncio block layer with the semantics of QEMU's blkdebug.

{doors}
  --help           show this and exit
  --version        show the version and exit

'{_NAME} COMMAND --help' tells more. Called by the name {" or ".join(_PEERS)}, this is that.
"""


def load_version() -> str:
    """Tell the version of the installed package."""
    version: str = import_module("blkdebug_async.cli.version").VERSION
    return version
