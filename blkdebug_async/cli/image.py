"""Opens an image for a session: a request becomes a tree of nodes that tells what happens."""

from __future__ import annotations

from collections.abc import Callable

from blkdebug_async.block.context import Context
from blkdebug_async.cli.opening import OpenRequest
from blkdebug_async.cli.session import Session
from blkdebug_async.cli.trace_lines import SessionObserver, TraceSwitches
from blkdebug_async.disk import Disk
from blkdebug_async.tree import TreeOpener

#: How QEMU begins a warning that it prints as it is.
_LOUD = "WARNING: "


class ImageOpener:
    """Opens images.

    Args:
        traces: What is shown as a trace.
        trace: Takes a line of the trace, its end included.
    """

    def __init__(self, traces: TraceSwitches, trace: Callable[[str], object]) -> None:
        self._traces = traces
        self._trace = trace

    async def __call__(self, request: OpenRequest, session: Session) -> Disk:
        observer = SessionObserver(session, self._traces, self._trace)
        context = Context(compat=session.compat, observer=observer)
        tree = TreeOpener(context, _warner(session))
        node = await tree.open_options(
            request.filename, request.options, request.flags, snapshot=request.snapshot
        )
        try:
            # Whoever does not say -r wants to write, also where an option makes it read-only.
            writes = not request.flags.read_only
            return Disk(tree, node, writethrough=request.writethrough, writes=writes)
        except OSError:
            await tree.close(node)
            raise


def _warner(session: Session) -> Callable[[str], None]:
    def warn(message: str) -> None:
        if message.startswith(_LOUD):
            session.output.write_error(f"{message}\n")
        else:
            session.warn(message)

    return warn
