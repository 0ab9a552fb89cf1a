"""What was asked of disks in a run, and whether what reads returned can be explained.

Each sector is a register by itself: a read of many sectors may see some before and some after a
write that happens meanwhile, for the block layer promises no more. But each sector must look as if
requests had come one after the other, each of them at some moment between its beginning and its
end.
"""

from __future__ import annotations

from dataclasses import dataclass

from blkdebug_async.events import IoType


@dataclass(slots=True, eq=False)
class Operation:
    """A request that a user made to a disk."""

    #: Name of the disk, of no other in the run. Those opened on the same node have the same.
    disk: str
    op: IoType
    #: First byte.
    offset: int
    #: Bytes.
    length: int
    #: What was written; what a read returned, once it is over; None: neither.
    data: bytes | None
    #: Stable name of the task; "" outside of all tasks, or where names are not wanted.
    task: str
    #: How many steps of the run were over when it began; None where nobody counts them.
    step: int | None = None
    #: When it began. Moments are numbers that rise with each beginning and each end in a run.
    began: int = -1
    #: When it ended; None: it never did.
    ended: int | None = None
    #: How many steps of the run were over when it ended.
    last_step: int | None = None
    #: Why it failed, in a word: "EIO", "cancelled"; None: it did not.
    error: str | None = None


class History(list[Operation]):
    """The operations of a run, in the order in which they began."""

    def __init__(self) -> None:
        super().__init__()
        self._moment = 0

    def begin(self, operation: Operation) -> None:
        """Note that an operation begins."""
        operation.began = self._moment
        self._moment += 1
        self.append(operation)

    def end(self, operation: Operation, step: int | None = None, error: str | None = None) -> None:
        """Note that an operation is over.

        Args:
            operation: It has begun; the data of a read is filled in.
            step: As in Operation.last_step.
            error: As in Operation.
        """
        operation.ended = self._moment
        self._moment += 1
        operation.last_step = step
        operation.error = error
