"""What a session leaves behind, and how two of them differ."""

from __future__ import annotations

import difflib
import os
import re
from dataclasses import dataclass
from pathlib import Path

_BLOCK = 4096
_NUMBER = r"(?:\d+(?:\.\d+)?|inf)"
_SIZE = rf"{_NUMBER} (?:bytes|[KMGTPE]iB)"
_TIME = r"(?:\d\d\.\d\d sec|\d+:\d\d:\d\d\.\d\d)"
# Rates and times may differ and nothing else: what does not look just like them stays.
_REPORT = re.compile(rf"^({_SIZE}, \d+ ops; ){_TIME} \({_SIZE}/sec and {_NUMBER} ops/sec\)$", re.M)
# QEMU ends the names of nodes that it names itself with a random number.
_NODE_NAME = re.compile(r"#block\d+")
_CONDENSED = re.compile(rf"(\d+,\d+),\d+:\d\d:\d\d\.\d\d,{_NUMBER},{_NUMBER}$", re.M)


@dataclass(frozen=True, slots=True)
class Content:
    """A file's bytes, without its zeroes."""

    size: int
    #: First byte of a block to the block, none of which is all zero.
    blocks: dict[int, bytes]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one session in one program."""

    #: Exit status, or minus the signal; None: it did not end in time.
    status: int | None
    stdout: str
    stderr: str
    files: dict[str, Content]


def without_rates(text: str) -> str:
    """Replace the rates and times of reports, and names made by chance."""
    text = _CONDENSED.sub(r"\1,TIME", _REPORT.sub(r"\1TIME", text))
    return _NODE_NAME.sub("#blockNNN", text)


def read_content(path: Path) -> Content:
    """Read a file, however large, if most of it is a hole."""
    blocks: dict[int, bytes] = {}
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        offset = 0
        while offset < size:
            try:
                offset = os.lseek(file.fileno(), offset, os.SEEK_DATA) // _BLOCK * _BLOCK
            except OSError:
                break
            file.seek(offset)
            block = file.read(_BLOCK)
            if block.strip(b"\0"):
                blocks[offset] = block
            offset += _BLOCK
    return Content(size, blocks)


def read_files(folder: Path) -> dict[str, Content]:
    """Read all files of a folder by name."""
    return {path.name: read_content(path) for path in sorted(folder.iterdir()) if path.is_file()}


def difference(real: Outcome, ours: Outcome) -> str:
    """Say in lines how two outcomes differ; nothing if they do not."""
    parts = []
    if real.status != ours.status:
        parts.append(f"exit status: qemu-io {real.status}, ours {ours.status}")
    for stream in ("stdout", "stderr"):
        parts += _text_difference(
            stream, without_rates(getattr(real, stream)), without_rates(getattr(ours, stream))
        )
    for name in sorted(real.files.keys() | ours.files.keys()):
        parts += _file_difference(name, real.files.get(name), ours.files.get(name))
    return "\n".join(parts)


def _text_difference(stream: str, real: str, ours: str) -> list[str]:
    if real == ours:
        return []
    lines = difflib.unified_diff(
        real.splitlines(), ours.splitlines(), "qemu-io", "ours", n=2, lineterm=""
    )
    # Only the last newline may be what differs, which no line shows.
    return [f"{stream}:", *(list(lines) or [f"  qemu-io {real[-20:]!r}", f"  ours {ours[-20:]!r}"])]


def _file_difference(name: str, real: Content | None, ours: Content | None) -> list[str]:
    if real == ours:
        return []
    if real is None or ours is None:
        return [f"file {name}: only {'ours' if real is None else 'qemu-io'} made it"]
    if real.size != ours.size:
        return [f"file {name}: qemu-io left {real.size} bytes, ours {ours.size}"]
    zeroes = bytes(_BLOCK)
    places = sorted(real.blocks.keys() | ours.blocks.keys())
    for offset in places:
        left, right = real.blocks.get(offset, zeroes), ours.blocks.get(offset, zeroes)
        if left != right:
            first = next(i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b)
            return [
                f"file {name}, first difference at {offset + first} (sector"
                f" {(offset + first) // 512}): qemu-io {left[first : first + 16].hex(' ')},"
                f" ours {right[first : first + 16].hex(' ')}"
            ]
    return []
