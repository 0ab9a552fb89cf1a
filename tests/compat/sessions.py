"""What a session is: files, a command line and what is typed, the same for both programs."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

KIB = 1024
SECTOR = 512


@dataclass(frozen=True, slots=True)
class Image:
    """A file that both programs find: its first bytes tell sectors apart, the rest is a hole."""

    #: Bytes.
    size: int = 64 * KIB
    #: Bytes, <= size; None: all of it.
    filled: int | None = None
    read_only: bool = False

    def create(self, path: Path) -> None:
        filled = self.size if self.filled is None else self.filled
        sectors = -(-filled // SECTOR)
        data = b"".join(bytes([index % 255 + 1]) * SECTOR for index in range(sectors))
        with path.open("wb") as file:
            file.write(data[:filled])
            file.truncate(self.size)
        if self.read_only:
            path.chmod(0o444)


@dataclass(frozen=True, slots=True)
class Session:
    """One run of qemu-io."""

    #: Words of the command line after the program's name; the commands are not among them.
    words: tuple[str, ...]
    #: Each becomes a -c.
    commands: tuple[str, ...] = ()
    #: What is typed when there is no -c.
    typed: str = ""
    #: By the name that the programs see, relative to where they run.
    files: Mapping[str, Image | bytes] = field(default_factory=lambda: {"img": Image()})

    def arguments(self) -> list[str]:
        given = (word for command in self.commands for word in ("-c", command))
        return [*self.words, *given]

    def command_line(self) -> str:
        line = shlex.join(["qemu-io", *self.arguments()])
        return f"printf %s {shlex.quote(self.typed)} | {line}" if self.typed else line

    def prepare(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        for name, content in self.files.items():
            path = folder / name
            match content:
                case Image():
                    content.create(path)
                case bytes():
                    path.write_bytes(content)

    def with_commands(self, commands: Iterable[str]) -> Session:
        return Session(self.words, tuple(commands), self.typed, self.files)


def prefixed(options: str, prefix: str) -> str:
    return "".join(f",{prefix}{option}" for option in options.split(",") if option)


def on_raw(
    *commands: str, words: tuple[str, ...] = ("-t", "writeback"), image: Image | None = None
) -> Session:
    """A raw image without blkdebug."""
    files = {"img": image or Image()}
    return Session(("-f", "raw", *words, "img"), commands, files=files)


def on_blkdebug(
    options: str,
    *commands: str,
    words: tuple[str, ...] = ("-t", "writeback"),
    image: Image | None = None,
    files: Mapping[str, Image | bytes] | None = None,
) -> Session:
    """raw over blkdebug over a file; the options, with commas between, are those of blkdebug."""
    tree = (
        f"driver=raw,file.driver=blkdebug{prefixed(options, 'file.')}"
        ",file.image.driver=file,file.image.filename=img"
    )
    beside = {"img": image or Image(), **(files or {})}
    return Session(("--image-opts", *words, tree), commands, files=beside)


def on_bare_blkdebug(
    options: str,
    *commands: str,
    words: tuple[str, ...] = ("-t", "writeback"),
    image: Image | None = None,
) -> Session:
    """blkdebug on top, so that it hears its own events only."""
    tree = f"driver=blkdebug{prefixed(options, '')},image.driver=file,image.filename=img"
    return Session(("--image-opts", *words, tree), commands, files={"img": image or Image()})


def with_config(config: str, *commands: str, name: str = "blkdebug:rules:img") -> Session:
    """A blkdebug file name with a config file beside the image."""
    files: dict[str, Image | bytes] = {"img": Image(), "rules": config.encode()}
    return Session(("-f", "raw", "-t", "writeback", name), commands, files=files)


def params(sessions: Mapping[str, Session]) -> list[object]:
    """Sessions as test parameters; their names are the ids."""
    return [pytest.param(session, id=name) for name, session in sessions.items()]
