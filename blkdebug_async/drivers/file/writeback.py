"""Whether there is so much to be written to disks that the kernel makes writers wait.

Linux lets them go on freely up to half way between two thresholds, and beyond that puts them to
sleep, for up to 0.2 s at a time (mm/page-writeback.c, dirty_freerun_ceiling()). A container may
have narrower limits of its own, of which this knows nothing.
"""

from __future__ import annotations

from typing import Final

_COUNTS: Final = "/proc/vmstat"
#: How long an answer is good for, in seconds; getting one takes 50 us.
GOOD_FOR_S: Final = 0.02


class Writeback:
    """What the kernel says of itself, asked no more often than need be.

    Args:
        path: Where it says so.
    """

    __slots__ = ("_asked_again_at_s", "_holds_up", "_path")

    def __init__(self, path: str = _COUNTS) -> None:
        self._path = path
        self._asked_again_at_s = float("-inf")
        self._holds_up = False

    def holds_up(self, now_s: float) -> bool:
        """Tell whether a writer may be made to wait; False where nobody knows.

        Args:
            now_s: Any clock in seconds, always the same one.
        """
        if now_s >= self._asked_again_at_s:
            self._asked_again_at_s = now_s + GOOD_FOR_S
            self._holds_up = self._ask()
        return self._holds_up

    def _ask(self) -> bool:
        try:
            with open(self._path, "rb", buffering=0) as file:
                text = file.read()
            pages = _count(text, b"dirty") + _count(text, b"writeback")
            limit = _count(text, b"dirty_threshold") + _count(text, b"dirty_background_threshold")
        except (OSError, ValueError):
            return False
        return 2 * pages >= limit


def _count(text: bytes, name: bytes) -> int:
    start = text.index(b"\nnr_" + name + b" ") + len(name) + 5
    return int(text[start : text.index(b"\n", start)])
