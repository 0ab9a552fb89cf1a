"""The one source of chance: small integers, 0 is what would happen anyway."""

from __future__ import annotations

from typing import Protocol


class Choices(Protocol):
    """Decides whatever could go otherwise."""

    def choose(self, n: int, key: str) -> int:
        """Pick one of n ways to go on.

        Args:
            n: How many ways there are, >= 1.
            key: A stable name of what is decided, for replay.

        Returns:
            0 to n - 1; 0 is what would happen anyway.
        """
        ...


class Unchanged:
    """Choices that leave everything as it would happen anyway."""

    def choose(self, n: int, key: str) -> int:
        return 0
