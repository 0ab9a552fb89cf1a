"""What blkdebug_async is for, shown on an image made for the purpose: `make demo`."""

from __future__ import annotations

import asyncio
import platform
import sys
import tempfile
from pathlib import Path

from demo.found_race import show_found_race
from demo.injected_error import show_injected_error
from demo.lost_update import show_lost_update
from demo.page import Page
from demo.real_qemu import show_real_qemu

SIZE = 1 << 20


def main() -> int:
    """Show the four parts.

    Returns:
        The exit status: 0 if each has shown what it claims.
    """
    page = Page()
    page.title("blkdebug_async: a block layer that fails on command")
    with tempfile.TemporaryDirectory(prefix="blkdebug-async-") as name:
        folder = Path(name)
        image = folder / "disk.img"
        with image.open("wb") as file:
            file.truncate(SIZE)
        print()
        print(f"Image: {image}, {SIZE >> 20} MiB of zeros.  Python {platform.python_version()}.")
        shown = [
            asyncio.run(show_injected_error(page, image)),
            asyncio.run(show_lost_update(page, image)),
            show_real_qemu(page, folder),
            show_found_race(page, image),
        ]
    page.heading("Read on")
    page.say("docs/tutorial.md and docs/exploring.md walk through these steps by copy and paste.")
    return 0 if all(shown) else 1


if __name__ == "__main__":
    sys.exit(main())
