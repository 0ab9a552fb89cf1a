"""One run, just as asyncio would make it, and no fault by chance."""

from __future__ import annotations

from blkdebug_async.explore.record import Recorded
from blkdebug_async.explore.strategies.strategy import Ending, Proof
from blkdebug_async.explore.strategies.unseen import Unseen


class Fifo:
    """Makes the one run in which everything goes as it would anyway."""

    serial = False

    def __init__(self) -> None:
        self.blocked = False
        self.exhausted = False
        self.proof: Proof | None = None

    def scheduler(self, number: int) -> Unseen:
        self.blocked = True
        return Unseen()

    def heard(self, run: Recorded, ending: Ending) -> None:
        self.exhausted = True
        if ending is not Ending.CUT:
            # With nothing to decide, there is no other run.
            whole = not run.values
            claim = "every run there is" if whole else "the run in asyncio's order"
            self.proof = Proof(claim, whole)
