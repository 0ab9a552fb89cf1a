"""Where benchmarks work: a temporary folder on a real disk, and the images in it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from benchmarks.machine import file_system_of

MIB = 1 << 20
CACHED_SIZE = 64 * MIB
DIRECT_SIZE = 256 * MIB
SMALL_SIZE = MIB
IN_MEMORY = ("tmpfs", "ramfs")


class Workplace:
    """A folder with images, each made when it is first asked for.

    Args:
        folder: An empty folder.
        img_bench: What is measured as ours where `img bench` is called; () for the real thing.
    """

    def __init__(self, folder: Path, img_bench: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self.img_bench = img_bench

    @property
    def is_on_disk(self) -> bool:
        """Whether what is written here gets to a disk in the end."""
        return file_system_of(self.folder) not in IN_MEMORY

    @cached_property
    def cached(self) -> Path:
        """An image of CACHED_SIZE bytes that is in the page cache, and on disk."""
        return self._image("cached.img", CACHED_SIZE)

    @cached_property
    def direct(self) -> Path:
        """An image of DIRECT_SIZE bytes for those who go round the page cache."""
        return self._image("direct.img", DIRECT_SIZE)

    @cached_property
    def small(self) -> Path:
        """An image of SMALL_SIZE bytes."""
        return self._image("small.img", SMALL_SIZE)

    def _image(self, name: str, size: int) -> Path:
        # Written in full, so that nothing is a hole, and synced, so that nothing is written later.
        path = self.folder / name
        with path.open("wb") as file:
            chunk = os.urandom(MIB)
            for _ in range(size // MIB):
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        return path


@contextmanager
def workplace(folder: Path | None, img_bench: tuple[str, ...] = ()) -> Iterator[Workplace]:
    """Make a workplace in a folder, by default on a disk; it is gone at the end."""
    if folder is None:
        folder = Path(tempfile.gettempdir())
        if file_system_of(folder) in IN_MEMORY:
            folder = Path("/var/tmp")
    with tempfile.TemporaryDirectory(prefix="blkdebug-async-", dir=folder) as name:
        yield Workplace(Path(name), img_bench)
