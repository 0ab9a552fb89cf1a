"""When the order of two steps may matter.

Steps of requests are known by the bytes that they touch. Of all other steps one cannot see what
Python state they share, so they are taken to depend on each other, unless somebody promises that
they share nothing but disks and what synchronises them.

What holds for every step, for the order of steps to be understood:
- What is not possible becomes so by a step, not by how things stand: trying to take a lock is
  always possible, and what comes behind it becomes possible by the step that hands the lock over.
- What cannot overtake another action, because that one was ready first, touches nothing by that;
  so the steps that made the two ready touch something in common, as the queue that they are in.
- A step that takes away an action, a timer that is stopped, touches something that this action
  would have touched; if it was not possible yet, something that whatever would have made it
  possible would have touched.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from blkdebug_async.explore.actions import Kind
from blkdebug_async.explore.footprint import Touch, all_commute, commutes, is_sync
from blkdebug_async.explore.record import Step

#: Kinds of actions that share no Python state but what is seen of them.
SEEN_THROUGH: Final = (Kind.REQUEST, Kind.COUNT)


class Assume(StrEnum):
    """What is promised of steps beyond what is seen of them."""

    #: Nothing: tasks may share Python state.
    NOTHING = "nothing"
    #: Tasks share nothing but disks and what synchronises them.
    DISK_ONLY = "disk-only"


def dependent(left: Step, right: Step, assume: Assume = Assume.NOTHING) -> bool:
    """Tell whether two steps may have another effect in the other order.

    Whether one made the other possible is not asked here.
    """
    if left.action.actor == right.action.actor or _may_share(left, right, assume):
        return True
    return not all_commute(left.touched, right.touched)


def could_swap(earlier: Step, later: Step, assume: Assume = Assume.NOTHING) -> bool:
    """Tell whether of two dependent steps the later one may be possible before the earlier.

    Not if they have nothing to do with each other but that the earlier one was counted, and the
    later one was the last: what would count then is the same.
    """
    if _may_share(earlier, later, assume):
        return True
    return any(
        mine.touch is not Touch.COUNT and not commutes(mine, other)
        for mine in earlier.touched
        for other in later.touched
    )


def keeps_touches(step: Step, lost: Step, assume: Assume = Assume.NOTHING) -> bool:
    """Tell whether a step is sure to touch the same if another one does not come before it.

    Sure are those of which it is known before they happen, and those that do not look at what the
    other did: they only overwrite it. Of a request it is known which bytes it touches, but not who
    waits for it.
    """
    known = step.action.touches
    if known is None:
        if _may_share(step, lost, assume):
            return False
        known = ()
    return all(
        (mine.touch is Touch.WRITE and not is_sync(mine)) or mine in known
        for mine in step.touched
        for other in lost.touched
        if not commutes(mine, other)
    )


def _may_share(left: Step, right: Step, assume: Assume) -> bool:
    """Tell whether two steps may share what nobody sees: Python state, or that a run goes on."""
    if left.action.kind is Kind.END or right.action.kind is Kind.END:
        return True
    if assume is not Assume.NOTHING:
        return False
    return left.action.kind not in SEEN_THROUGH and right.action.kind not in SEEN_THROUGH
