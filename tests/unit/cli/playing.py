"""Runs commands of the io language in this process, on disks in memory."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

from blkdebug_async.cli.image import ImageOpener
from blkdebug_async.cli.io_door import converse
from blkdebug_async.cli.io_options import Caller, IoOptions
from blkdebug_async.cli.output import Output
from blkdebug_async.compat import compat_named

CALLER = Caller("prog", "prog", is_qemu=False)
MEMORY = "driver=memory,size=1M"
#: raw over blkdebug over memory, writing in blocks of 4 KiB.
BROKEN = "driver=raw,file.driver=blkdebug,file.align=4k,file.image.driver=memory,file.image.size=1M"


@dataclass(frozen=True, slots=True)
class Played:
    """What a session has said."""

    stdout: str
    stderr: str
    status: int

    @property
    def lines(self) -> list[str]:
        """Stdout without the times and rates of reports."""
        return [line for line in self.stdout.splitlines() if " ops; " not in line]


async def play(*commands: str, image: str | None = MEMORY, compat: str = "qemu-7.2") -> Played:
    """Run commands on an image given as options."""
    stdout, stderr = io.BytesIO(), io.BytesIO()
    output = Output(stdout, stderr)
    options = IoOptions(list(commands), image, image_opts=True, compat=compat_named(compat))
    status = await converse(
        CALLER, options, output, ImageOpener(options.traces, output.write_error)
    )
    output.flush()
    return Played(stdout.getvalue().decode(), stderr.getvalue().decode(), status)


def without_rates(text: str) -> str:
    """Take out what differs each time."""
    return re.sub(r"ops; .*", "ops; TIME", text)
