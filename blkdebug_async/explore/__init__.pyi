"""Types of the public names for exploration, for type checkers and editors."""

from blkdebug_async.explore.choices import Choices, Unchanged
from blkdebug_async.explore.footprint import Footprint, Touch, commutes

__all__ = [
    "Choices",
    "Footprint",
    "Touch",
    "Unchanged",
    "commutes",
]
