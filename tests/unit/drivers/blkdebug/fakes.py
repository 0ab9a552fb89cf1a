from __future__ import annotations

from dataclasses import dataclass

from blkdebug_async.events import IoType


@dataclass
class FakeRequest:
    id: int = 1
    node: str = "disk"
    op: IoType = IoType.WRITE
    offset: int = 0
    length: int = 512
    flags: int = 0
    parent: FakeRequest | None = None
    task_name: str | None = None
