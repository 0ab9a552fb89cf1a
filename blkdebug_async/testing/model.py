"""The plainest model of a disk: a bytearray, and for each byte what else it might be.

Where nobody can say what a byte is (it was discarded, or a write of it failed halfway, or two
writes raced), the model knows all the values that it may have.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Final

from blkdebug_async.block.iovec import Buffer

#: Every value that a byte can have.
_ANY: Final = frozenset(range(256))


class ByteModel:
    """Predicts what a disk reads as.

    Args:
        content: What it begins with.
    """

    def __init__(self, content: Buffer) -> None:
        self._bytes = bytearray(content)
        # Values that a byte may have besides the one in _bytes; most have none.
        self._others: dict[int, Set[int]] = {}

    @classmethod
    def zeros(cls, size: int) -> ByteModel:
        """Predict a disk of size bytes that begins with zeros."""
        return cls(bytearray(size))

    @property
    def length(self) -> int:
        """Length in bytes."""
        return len(self._bytes)

    # --- what happens to the disk ---

    def pwrite(self, offset: int, data: Buffer) -> None:
        """A write has succeeded; it may have made the disk longer."""
        view = memoryview(data)
        end = offset + len(view)
        if end > len(self._bytes):
            self._bytes.extend(bytes(end - len(self._bytes)))
        self._bytes[offset:end] = view
        self._forget(offset, end)

    def pwrite_zeroes(self, offset: int, length: int) -> None:
        """A zero write has succeeded."""
        self.pwrite(offset, bytes(length))

    def pdiscard(self, offset: int, length: int) -> None:
        """A discard was tried: nobody knows these bytes any more."""
        for position in range(offset, min(offset + length, len(self._bytes))):
            self._others[position] = _ANY

    def perhaps_pwrite(self, offset: int, data: Buffer) -> None:
        """A write failed, was cancelled or races: each of its bytes is there or is not."""
        for position, value in enumerate(memoryview(data), offset):
            if position < len(self._bytes) and self._bytes[position] != value:
                self._others[position] = self._others.get(position, frozenset()) | {value}

    def truncate(self, size: int) -> None:
        """The length has changed; new bytes are zero."""
        self._forget(size, len(self._bytes))
        if size < len(self._bytes):
            del self._bytes[size:]
        else:
            self._bytes.extend(bytes(size - len(self._bytes)))

    # --- what it may read as ---

    def pread(self, offset: int, length: int) -> bytes:
        """Predict bytes; where there is a choice, as if nothing uncertain had happened."""
        return bytes(self._bytes[offset : offset + length])

    def possible(self, offset: int) -> Set[int]:
        """List the values that a byte may have."""
        return {self._bytes[offset]} | self._others.get(offset, frozenset())

    def mismatch(self, offset: int, data: Buffer) -> int | None:
        """Find the first byte of what was read at offset that nothing explains.

        Returns:
            Its offset on the disk; None: all of it is as predicted.
        """
        view = memoryview(data)
        if view == self._bytes[offset : offset + len(view)]:
            return None
        for position, value in enumerate(view, offset):
            if position >= len(self._bytes) or value not in self.possible(position):
                return position
        return None

    def check(self, offset: int, data: Buffer, what: str = "a read") -> None:
        """Complain about bytes that nothing explains.

        Raises:
            AssertionError: Names the first of them.
        """
        position = self.mismatch(offset, data)
        if position is None:
            return
        found = memoryview(data)[position - offset]
        if position >= len(self._bytes):
            raise AssertionError(f"{what}: byte {position} is past the end of the disk")
        expected = " or ".join(f"0x{value:02x}" for value in sorted(self.possible(position)))
        raise AssertionError(f"{what}: byte {position} is 0x{found:02x}, expected {expected}")

    def learn(self, offset: int, data: Buffer) -> None:
        """Take what was read for what is there, and stay with it.

        Raises:
            AssertionError: Nothing explains it.
        """
        self.check(offset, data)
        self.pwrite(offset, data)

    def _forget(self, start: int, end: int) -> None:
        if len(self._others) < end - start:
            for position in [at for at in self._others if start <= at < end]:
                del self._others[position]
        else:
            for position in range(start, end):
                self._others.pop(position, None)
