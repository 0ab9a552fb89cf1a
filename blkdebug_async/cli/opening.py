"""How an image is to be opened: what -r, -n, -t and their like mean, on a command line or to open.

QEMU: block.c, bdrv_parse_cache_mode() and its neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from blkdebug_async.block.flags import OpenFlags
from blkdebug_async.cli.failures import ErrorReport
from blkdebug_async.errors import OptionError
from blkdebug_async.opening import CACHE_MODES, CacheMode
from blkdebug_async.options.tree import Options, Warn, parse_comma

#: Options that program and open share, and those that take an argument, as for Getopt.
LETTERS: Final = "rsnCkUi:t:d:"


_DISCARD_MODES: Final = {"off": False, "ignore": False, "on": True, "unmap": True}
_AIO_MODES: Final = ("threads", "native", "io_uring")


def cache_mode(name: str) -> CacheMode:
    """Look up a cache mode.

    Raises:
        ErrorReport: EINVAL; there is none of that name.
    """
    if name not in CACHE_MODES:
        raise ErrorReport(f"Invalid cache option: {name}")
    return CACHE_MODES[name]


def read_options(text: str, warn: Warn, *, allow_id: bool = False) -> Options:
    """Read `key=value,key=value`.

    Raises:
        ErrorReport: EINVAL; they cannot be read.
    """
    try:
        return parse_comma(text, warn=warn, allow_id=allow_id)
    except OptionError as error:
        raise ErrorReport(str(error), hint=error.hint) from error


class OpenRequest(NamedTuple):
    """What to open, and how."""

    #: As the user gave it; None: the options alone say it.
    filename: str | None
    #: Of the node and those below it; their names have dots.
    options: Options
    flags: OpenFlags
    #: Each write is made safe before it is answered.
    writethrough: bool
    #: Writes go to an overlay that is forgotten afterwards.
    snapshot: bool


@dataclass(slots=True)
class OpenSettings:
    """Collects options until something is opened; these are qemu-io's defaults."""

    read_only: bool = False
    snapshot: bool = False
    copy_on_read: bool = False
    force_share: bool = False
    unmap: bool = True
    cache: CacheMode = field(default_factory=lambda: CACHE_MODES["writethrough"])
    aio: str = "threads"
    #: Whether "auto" may be asked for, which is not QEMU's: what is best for each request.
    offers_auto: bool = False

    def apply(self, letter: str, value: str) -> bool:
        """Take one option.

        Args:
            letter: Which one.
            value: Its argument, if it takes one.

        Returns:
            Whether it is one of those in LETTERS.

        Raises:
            ErrorReport: EINVAL; the argument is not one of those that exist.
        """
        match letter:
            case "t":
                self.cache = cache_mode(value)
            case "n":
                self.cache = CacheMode(direct=True, no_flush=self.cache.no_flush)
            case "d":
                if value not in _DISCARD_MODES:
                    raise ErrorReport(f"Invalid discard option: {value}")
                self.unmap = _DISCARD_MODES[value]
            case "i" | "k":
                self._set_aio(value or "native")
            case _:
                return self._apply_switch(letter)
        return True

    def _set_aio(self, mode: str) -> None:
        if mode == "auto" and self.offers_auto:
            self.aio = mode
            return
        if mode not in _AIO_MODES:
            raise ErrorReport(f"Invalid aio option: {mode}")
        # QEMU has a flag for each of the others: threads takes nothing back, native goes first.
        if self.aio == "auto" or (mode != "threads" and self.aio != "native"):
            self.aio = mode

    def _apply_switch(self, letter: str) -> bool:
        match letter:
            case "r":
                self.read_only = True
            case "s":
                self.snapshot = True
            case "C":
                self.copy_on_read = True
            case "U":
                self.force_share = True
            case _:
                return False
        return True

    def request(self, filename: str | None, options: Options) -> OpenRequest:
        """Say what to open with what was collected.

        Raises:
            ErrorReport: EINVAL; -U contradicts the options.
        """
        if self.force_share and options.get("force-share", "on") != "on":
            raise ErrorReport("-U conflicts with image options")
        flags = OpenFlags(
            read_only=self.read_only,
            force_share=self.force_share,
            unmap=self.unmap,
            direct=self.cache.direct,
            no_flush=self.cache.no_flush,
            copy_on_read=self.copy_on_read,
            aio=self.aio,
        )
        if self.force_share:
            options = {**options, "force-share": "on"}
        return OpenRequest(filename, options, flags, self.cache.writethrough, self.snapshot)
