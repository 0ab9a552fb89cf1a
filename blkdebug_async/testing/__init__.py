"""Door of the testing kit: check a driver, record what reaches it, predict its bytes."""

from __future__ import annotations

from blkdebug_async.testing.chance import SeededChoices
from blkdebug_async.testing.conformance import NonConformingError, check_driver, check_filter
from blkdebug_async.testing.model import ByteModel
from blkdebug_async.testing.recorder import Answer, Call, Hold, Recorder
from blkdebug_async.testing.recording import RecordingDriver, RecordingFilter

__all__ = [
    "Answer",
    "ByteModel",
    "Call",
    "Hold",
    "NonConformingError",
    "Recorder",
    "RecordingDriver",
    "RecordingFilter",
    "SeededChoices",
    "check_driver",
    "check_filter",
]
