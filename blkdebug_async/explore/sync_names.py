"""Names and footprints of what tasks share, kept on the things themselves.

A thing is named after who made it, because who uses it first is a matter of order: `lock writer`,
`lock writer#1`. One made where nobody looked gets its name from who uses it first.
"""

from __future__ import annotations

import re
from typing import Final, Protocol, TypeAlias
from weakref import WeakKeyDictionary

from blkdebug_async.explore.footprint import Footprint, Touch, sync_footprint
from blkdebug_async.explore.task_names import Actor

#: Footprints of looking at a thing and of changing it.
Prints: TypeAlias = tuple[Footprint, Footprint]

_NUMBER: Final = re.compile(r"#\d+$")
_NAME: Final = "_explored_name"
_OWNER: Final = "_explored_owner"
_PRINTS: Final = "_explored_prints"


#: Where things keep theirs that have no place for it.
_ELSEWHERE: Final[WeakKeyDictionary[object, tuple[str, Prints]]] = WeakKeyDictionary()


class Maker(Protocol):
    """Who knows who acts."""

    def acting(self) -> Actor:
        """Tell who acts."""
        ...


def prints_of(thing: object, run: Maker) -> Prints:
    """Give a thing's footprints; the first time also its name."""
    prints: Prints | None = getattr(thing, _PRINTS, None)
    if prints is None:
        prints = _elsewhere(thing)[1]
    if prints is None:
        maker = run.acting()
        kind = getattr(type(thing), "kind", None) or type(thing).__name__.lower()
        # "lock a#1" is the second one of a, and "lock of a#1" the first one of a#1.
        of = " of" if _NUMBER.search(maker.path) else ""
        name = maker.number(f"{kind}{of} {maker.path}".rstrip())
        prints = sync_footprint(name, Touch.READ), sync_footprint(name)
        try:
            setattr(thing, _NAME, name)
            setattr(thing, _PRINTS, prints)
        except AttributeError:
            _ELSEWHERE[thing] = name, prints
    return prints


def name_of(thing: object) -> str | None:
    """Look up a thing's name; None: nobody has named it."""
    name: str | None = getattr(thing, _NAME, None)
    return _elsewhere(thing)[0] if name is None else name


def _elsewhere(thing: object) -> tuple[str | None, Prints | None]:
    if not _ELSEWHERE or not hasattr(thing, "__weakref__"):
        return None, None
    return _ELSEWHERE.get(thing, (None, None))


def set_owner(thing: object, owner: Actor | None) -> None:
    """Note who holds a lock."""
    setattr(thing, _OWNER, owner)


def owner_of(thing: object) -> Actor | None:
    """Look up who holds a lock; None: nobody, or it was not noted."""
    owner: Actor | None = getattr(thing, _OWNER, None)
    return owner
