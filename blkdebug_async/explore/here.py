"""The run that the code which asks is part of."""

from __future__ import annotations

import asyncio

from blkdebug_async.explore.exploration import Exploration


def exploration_here() -> Exploration | None:
    """Give the exploration of the running loop; None: no loop runs, or an ordinary one."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return None
    found = getattr(loop, "exploration", None)
    return found if isinstance(found, Exploration) else None
