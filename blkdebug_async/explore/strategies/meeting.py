"""Which earlier steps of a run a step may depend on, without looking at all of them.

Sets of steps are integers here, whose bits are the steps' numbers.
"""

from __future__ import annotations

from blkdebug_async.explore.actions import Kind
from blkdebug_async.explore.dependence import SEEN_THROUGH, Assume
from blkdebug_async.explore.footprint import Touch
from blkdebug_async.explore.record import Step


class Meeting:
    """Steps by what they touched and who took them.

    Args:
        assume: What is promised of steps beyond what is seen of them.
    """

    def __init__(self, assume: Assume) -> None:
        self._shares = assume is Assume.NOTHING
        self._of_actor: dict[str, int] = {}
        #: Node to the steps that changed it, and to those that touched it at all.
        self._changed: dict[str, int] = {}
        self._touched: dict[str, int] = {}
        #: Those that may share what nobody sees, and those that end a run.
        self._sharing = 0
        self._ending = 0

    def forget(self, number: int) -> None:
        """Forget the steps from a number on."""
        kept = (1 << number) - 1
        for table in (self._of_actor, self._changed, self._touched):
            for key in table:
                table[key] &= kept
        self._sharing &= kept
        self._ending &= kept

    def add(self, number: int, step: Step) -> None:
        """Add the step of a number."""
        bit = 1 << number
        action = step.action
        self._of_actor[action.actor] = self._of_actor.get(action.actor, 0) | bit
        if action.kind not in SEEN_THROUGH:
            self._sharing |= bit
        if action.kind is Kind.END:
            self._ending |= bit
        for footprint in step.touched:
            node = footprint.node
            self._touched[node] = self._touched.get(node, 0) | bit
            if footprint.touch is Touch.WRITE:
                self._changed[node] = self._changed.get(node, 0) | bit

    def met_by(self, step: Step) -> int:
        """Give all steps that a step may depend on, and maybe others."""
        action = step.action
        if action.kind is Kind.END:
            return -1
        found = self._ending | self._of_actor.get(action.actor, 0)
        if self._shares and action.kind not in SEEN_THROUGH:
            found |= self._sharing
        for footprint in step.touched:
            # Of two touches that do not commute, one is a write.
            table = self._touched if footprint.touch is Touch.WRITE else self._changed
            found |= table.get(footprint.node, 0)
        return found
