"""Which driver is meant, where nobody says it: by a file name, or by an image's first bytes."""

from __future__ import annotations

import os
import stat
from errno import EIO

from blkdebug_async.block.driver import Driver
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.node import Node
from blkdebug_async.drivers import filename_parsers, find_driver
from blkdebug_async.drivers.raw.driver import RawDriver
from blkdebug_async.drivers.raw.probe import PROBE_SIZE, probe_format
from blkdebug_async.errors import BlockError, OptionError
from blkdebug_async.generic import text_option
from blkdebug_async.options.filename import find_protocol
from blkdebug_async.options.tree import Options


def name_protocol(filename: str | None, options: Options, driver: str | None) -> str:
    """Find out which driver a file name is for, and let it turn the name into options.

    Args:
        filename: It may have a prefix; None: it is an option, and a path.
        options: They gain what the name says.
        driver: The driver's name, if somebody said it.

    Returns:
        The driver's name.

    Raises:
        OptionError: EINVAL; there is no name, there are two, or nobody knows the prefix.

    QEMU: block.c, bdrv_fill_options().
    """
    if filename is not None:
        if "filename" in options:
            raise OptionError("Can't specify 'file' and 'filename' options at the same time")
        options["filename"] = filename
    name = text_option(options, "filename")
    if driver is None:
        if name is None:
            raise OptionError("Must specify either driver or file")
        driver = _find_by_name(name, may_have_prefix=filename is not None)
        options["driver"] = driver
    kind = find_driver(driver)
    if filename is not None and kind.parse_filename is not None:
        del options["filename"]
        options.update(kind.parse_filename(filename))
    return driver


def _find_by_name(name: str, *, may_have_prefix: bool) -> str:
    if _is_device(name):
        return "host_device"
    if not may_have_prefix:
        return "file"
    return find_protocol(name, filename_parsers(name)) or "file"


def _is_device(name: str) -> bool:
    try:
        mode = os.stat(name).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISCHR(mode) or stat.S_ISBLK(mode)


async def guess_format(file: Node | None, filename: str | None) -> type[Driver]:
    """Look at the first bytes of an image.

    Raises:
        OSError: They cannot be read. EINVAL: there is no image; or it is of a format that nobody
            here can open, and treating it as raw would destroy it.
    """
    if file is None:
        raise OptionError("Must specify either driver or file")
    if file.length == 0:
        return RawDriver
    head = bytearray(PROBE_SIZE)
    try:
        await file.path.preadv(0, PROBE_SIZE, Iovec.over(head), 0, None)
    except OSError as error:
        number = error.errno or EIO
        raise BlockError(
            number,
            f"Could not read image for determining its format: {os.strerror(number)}",
        ) from error
    guessed = probe_format(bytes(head), filename)
    try:
        return find_driver(guessed)
    except OptionError:
        raise OptionError(
            f"'{filename or file.filename}' is an image of format {guessed}, for which there is no "
            "driver",
            hint="Specify the 'raw' format explicitly to see it as bytes.",
        ) from None


def guessed_raw_warning(filename: str) -> str:
    """Say that an image was taken for raw."""
    return (
        f"WARNING: Image format was not specified for '{filename}' and probing guessed raw.\n"
        "         Automatically detecting the format is dangerous for raw images, write operations"
        " on block 0 will be restricted.\n"
        "         Specify the 'raw' format explicitly to remove the restrictions."
    )
