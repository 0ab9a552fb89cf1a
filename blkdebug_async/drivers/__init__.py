"""Which driver has which name; other packages may add theirs.

A package joins by an entry point in the group `blkdebug_async.drivers`: its name is the driver's,
its object the class. It is loaded when somebody asks for that name, not before: reading the entry
points takes longer than importing this package.
"""

from __future__ import annotations

import importlib
from typing import Final

from blkdebug_async.block.driver import Driver
from blkdebug_async.drivers.blkdebug.driver import BlkdebugDriver
from blkdebug_async.drivers.copy_on_read import CopyOnReadDriver
from blkdebug_async.drivers.file.driver import FileDriver, HostDeviceDriver
from blkdebug_async.drivers.memory import MemoryDriver
from blkdebug_async.drivers.null import NullAioDriver, NullCoDriver
from blkdebug_async.drivers.overlay import OverlayDriver
from blkdebug_async.drivers.raw.driver import RawDriver
from blkdebug_async.errors import OptionError
from blkdebug_async.options.filename import FilenameParser, protocol_prefix

__all__ = ["DRIVERS", "ENTRY_POINT_GROUP", "filename_parsers", "find_driver", "register_driver"]

ENTRY_POINT_GROUP: Final = "blkdebug_async.drivers"

#: The value of the option "driver" to the class.
DRIVERS: Final[dict[str, type[Driver]]] = {
    driver.name: driver
    for driver in (
        BlkdebugDriver,
        CopyOnReadDriver,
        FileDriver,
        HostDeviceDriver,
        MemoryDriver,
        NullAioDriver,
        NullCoDriver,
        OverlayDriver,
        RawDriver,
    )
}


def register_driver(driver: type[Driver]) -> type[Driver]:
    """Make a driver known by its name, in place of one that had it before.

    Returns:
        The driver, so that this can decorate a class.
    """
    DRIVERS[driver.name] = driver
    return driver


def find_driver(name: str) -> type[Driver]:
    """Find a driver by its name, in other packages too.

    Raises:
        OptionError: EINVAL; nobody has it, or what has it is no driver.
    """
    driver = DRIVERS.get(name) or _load_driver(name)
    if driver is None:
        raise OptionError(f"Unknown driver '{name}'")
    return driver


def filename_parsers(filename: str) -> dict[str, FilenameParser]:
    """Gather what is needed to read a file name.

    Args:
        filename: It may have the prefix of a driver in another package.

    Returns:
        Prefix, without its colon, to what reads names with it.
    """
    prefix = protocol_prefix(filename)
    if prefix is not None and prefix not in DRIVERS:
        _load_driver(prefix)
    return {
        name: driver.parse_filename
        for name, driver in DRIVERS.items()
        if driver.parse_filename is not None
    }


def _load_driver(name: str) -> type[Driver] | None:
    # Takes 14 ms to import, more than all of this package but asyncio.
    metadata = importlib.import_module("importlib.metadata")
    for entry_point in metadata.entry_points(group=ENTRY_POINT_GROUP, name=name):
        try:
            found = entry_point.load()
        except Exception as error:
            # Other people's code may raise anything.
            reason = " ".join([f"{type(error).__name__}:", *str(error).splitlines()[:1]])
            raise OptionError(
                f"Cannot load driver '{name}' from '{entry_point.value}': {reason}"
            ) from error
        if not _is_driver(found):
            raise OptionError(f"Entry point '{entry_point.value}' is no driver")
        driver: type[Driver] = found
        return register_driver(driver)
    return None


def _is_driver(found: object) -> bool:
    is_class = isinstance(found, type) and issubclass(found, Driver)
    return is_class and hasattr(found, "name") and not getattr(found, "__abstractmethods__", None)
