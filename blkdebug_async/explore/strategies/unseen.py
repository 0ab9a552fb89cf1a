"""What schedulers share that need not be shown the actions."""

from __future__ import annotations

from collections.abc import Sequence

from blkdebug_async.explore.actions import Action
from blkdebug_async.explore.footprint import Footprint


class Unseen:
    """Decides by numbers alone; whoever shows actions all the same gets the same decisions."""

    wants_actions = False

    def choose(self, n: int, key: str) -> int:
        return self.pick_of(n)

    def pick(self, actions: Sequence[Action]) -> int:
        return self.pick_of(len(actions))

    def pick_of(self, n: int) -> int:
        """Decide; here: as it would happen anyway."""
        return 0

    def ran(self, action: Action, touched: Sequence[Footprint]) -> None:
        """Learn nothing."""
