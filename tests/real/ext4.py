"""An ext4 file system in a file, as its own tools see it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

BLOCK = 4096


class Ext4:
    """A file system made of a folder.

    Args:
        require_peer: Finds mke2fs and the other programs of e2fsprogs.
        source: The folder.
        image: Where the file system goes.
    """

    def __init__(self, require_peer: Callable[[str], Path], source: Path, image: Path) -> None:
        self._fsck = require_peer("e2fsck")
        self._debugfs = require_peer("debugfs")
        self._dump = require_peer("dumpe2fs")
        self.source = source
        self.image = image
        make: list[str | Path] = [
            require_peer("mke2fs"),
            "-q",
            "-F",
            "-t",
            "ext4",
            "-b",
            str(BLOCK),
        ]
        subprocess.run([*make, "-d", source, image, "8M"], check=True, capture_output=True)
        # Its place stays free, so that there is free space among the files.
        removed, *kept = sorted(path for path in source.rglob("*") if path.is_file())
        self.ask(image, f"rm /{removed.relative_to(source)}", "-w")
        #: Names from the root of the file system to contents.
        self.files = {f"/{path.relative_to(source)}": path.read_bytes() for path in kept}

    def copy(self, to: Path) -> Path:
        """Copy the image."""
        return Path(shutil.copyfile(self.image, to))

    def complaints(self, image: Path) -> str:
        """Give what e2fsck complains about; nothing if all is well."""
        done = subprocess.run([self._fsck, "-fn", image], capture_output=True, check=False)
        return "" if done.returncode == 0 else done.stdout.decode(errors="replace")

    def ask(self, image: Path, question: str, *switches: str) -> bytes:
        """Have debugfs do something."""
        command: list[str | Path] = [self._debugfs, *switches, "-R", question, image]
        return subprocess.run(command, capture_output=True, check=True).stdout

    def contents(self, image: Path) -> dict[str, bytes]:
        """Read all files as debugfs does."""
        return {name: self.ask(image, f"cat {name}") for name in self.files}

    def blocks(self, name: str) -> list[int]:
        """Tell in which blocks a file is, in order."""
        return [int(word) for word in self.ask(self.image, f"blocks {name}").split()]

    def sectors(self, name: str) -> list[int]:
        """Tell in which sectors a file is."""
        return [block * BLOCK // 512 + part for block in self.blocks(name) for part in range(8)]

    def free_runs(self) -> list[tuple[int, int]]:
        """List first and last block of each stretch that nobody uses."""
        done = subprocess.run([self._dump, self.image], capture_output=True, check=True)
        # A group's line is indented; that of the whole file system is a number.
        (line,) = re.findall(r"^  Free blocks: (.+)$", done.stdout.decode(), re.M)
        runs = (run.partition("-") for run in line.split(", "))
        return [(int(first), int(last or first)) for first, _, last in runs]
