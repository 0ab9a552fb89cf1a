"""The version of the installed package. Reading it takes a while: import this on demand."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

VERSION: Final = version("blkdebug_async")
