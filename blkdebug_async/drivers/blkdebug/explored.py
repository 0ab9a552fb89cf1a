"""blkdebug where a scenario is explored: whoever looks at its rules or uses them is noted.

Requests of different tasks meet there: one arms what another one fails by. Loaded only where a
disk is opened in an exploration.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from blkdebug_async.block.driver import Driver, Opener
from blkdebug_async.drivers.blkdebug.driver import BlkdebugDriver
from blkdebug_async.explore.exploration import Exploration
from blkdebug_async.explore.footprint import Footprint, Touch, sync_footprint
from blkdebug_async.explore.here import exploration_here

#: What is done by getting an attribute. Whoever wants the machine has it do something.
_TOUCHES: Final = {
    "heard": Touch.READ,
    "holds_completion": Touch.READ,
    "_armed": Touch.READ,
    "_holds_driver": Touch.READ,
    "machine": Touch.WRITE,
    "breakpoints": Touch.WRITE,
}


class ExploredBlkdebugDriver(BlkdebugDriver):
    """Notes each use of its rules as a footprint."""

    _exploration: Exploration | None = None
    _footprints: dict[Touch, Footprint]

    @classmethod
    def explored(cls) -> type[Driver]:
        return cls

    async def open(self, opener: Opener) -> None:
        exploration = exploration_here()
        assert exploration is not None
        name = exploration.name_of(f"rules of {opener.node_name}")
        self._footprints = {touch: sync_footprint(name, touch) for touch in Touch}
        self._exploration = exploration
        await super().open(opener)

    def __getattribute__(self, name: str) -> object:
        touch = _TOUCHES.get(name)
        if touch is not None and self._exploration is not None:
            self._exploration.touch(self._footprints[touch])
        return super().__getattribute__(name)


@cache
def _noted(kind: type[BlkdebugDriver]) -> type[Driver]:
    # Who derives from it keeps whatever it does otherwise.
    others = () if kind is BlkdebugDriver else (kind,)
    names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
    return type(kind.__name__, (*others, ExploredBlkdebugDriver), names)


def explored_kind(kind: type[BlkdebugDriver]) -> type[Driver]:
    """Give the class that drivers of a kind become; the same one where nobody wants to know."""
    exploration = exploration_here()
    return _noted(kind) if exploration is not None and exploration.wants_actions else kind
