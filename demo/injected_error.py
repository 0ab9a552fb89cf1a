"""Part 1 of the demo: an error that was asked for, and what the caller sees of it."""

from __future__ import annotations

import errno
from pathlib import Path

from blkdebug_async import Disk, Event, InjectError, open_disk
from demo.page import Page

DATA = b"x" * 512


async def show_injected_error(page: Page, image: Path) -> bool:
    """Fail one write with EIO, and do it again."""
    page.heading("1. An injected error, and what the caller sees")
    page.say("""
        A rule says which requests fail, when, and how. This one fails, once, the next write
        that has sector 2. The disk is a file on this machine, seen through blkdebug.
    """)
    page.show("""
        rule = InjectError(event=Event.PWRITEV, errno=errno.EIO, sector=2, once=True)
        disk.add_rule(rule)
    """)
    source = {"driver": "blkdebug", "image": {"driver": "file", "filename": str(image)}}
    async with open_disk(source) as disk:
        disk.add_rule(InjectError(event=Event.PWRITEV, errno=errno.EIO, sector=2, once=True))
        errors = [await attempt(disk, offset) for offset in (0, 1024, 1024)]
        stored = await disk.pread(1024, len(DATA))
    page.table(
        [
            ("disk.pwrite(0, ...)", describe(errors[0])),
            ("disk.pwrite(1024, ...)", describe(errors[1])),
            ("", errors[1] or ""),
            ("disk.pwrite(1024, ...)", describe(errors[2])),
        ]
    )
    numbers = [error and error.errno for error in errors]
    good = numbers == [None, errno.EIO, None] and stored == DATA
    page.verdict(good, "the second write failed with EIO, its repetition did not")
    return good


async def attempt(disk: Disk, offset: int) -> OSError | None:
    """Write as any code would that knows OSError, and nothing of blkdebug_async."""
    try:
        await disk.pwrite(offset, DATA)
    except OSError as error:
        return error
    return None


def describe(error: OSError | None) -> str:
    """Tell class and errno of what the caller caught."""
    if error is None:
        return "done"
    name = errno.errorcode[error.errno or 0]
    return f"raised {type(error).__name__}, errno {error.errno} ({name})"
