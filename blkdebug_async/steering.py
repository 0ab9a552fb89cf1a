"""The part of Disk that sets rules and breakpoints, and waits for requests that they hold."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from errno import ENOTSUP, ETIMEDOUT

from blkdebug_async.block.node import Node
from blkdebug_async.drivers.blkdebug.driver import BlkdebugDriver
from blkdebug_async.drivers.blkdebug.rules import Rule
from blkdebug_async.errors import BlockError
from blkdebug_async.trace import RequestView


class Steering(ABC):
    """Rules and breakpoints of the blkdebug nodes in a tree."""

    @property
    @abstractmethod
    def root(self) -> Node:
        """The top node."""

    @abstractmethod
    def node(self, name: str | None = None) -> Node:
        """Find a node of the tree by its name; None: the top node."""

    def blkdebug(self, node: str | None = None) -> BlkdebugDriver:
        """Find the blkdebug driver whose rules and breakpoints are meant.

        Args:
            node: Name of its node; None: the first one along the primary children.

        Raises:
            BlockError: ENOTSUP; there is none. EINVAL; there is no such node.
        """
        step: Node | None = self.root if node is None else self.node(node)
        while step is not None:
            if isinstance(step.driver, BlkdebugDriver):
                return step.driver
            step = step.primary_child() if node is None else None
        raise BlockError(ENOTSUP, "There is no blkdebug node to set breakpoints on")

    def add_rule(self, rule: Rule, *, node: str | None = None) -> None:
        """Add an InjectError, SetState or Suspend to a running disk."""
        self.blkdebug(node).add_rule(rule)

    def remove_rule(self, rule: Rule, *, node: str | None = None) -> bool:
        """Remove the newest rule equal to this one; False if there is none."""
        return self.blkdebug(node).remove_rule(rule)

    def breakpoint(self, event: str, tag: str, *, node: str | None = None) -> None:
        """Hold the next request that announces an event.

        Raises:
            BlockError: ENOENT: there is no such event. ENOTSUP: there is no blkdebug node.
        """
        self.blkdebug(node).add_breakpoint(event, tag)

    def remove_breakpoint(self, tag: str, *, node: str | None = None) -> None:
        """Forget the breakpoints with a tag, and resume every request that they hold.

        Raises:
            BlockError: ENOENT: there are neither. ENOTSUP: there is no blkdebug node.
        """
        self.blkdebug(node).remove_breakpoint(tag)

    def resume(self, tag: str, *, node: str | None = None) -> None:
        """Let the request go on that was suspended last under a tag.

        Raises:
            BlockError: ENOENT: there is none. ENOTSUP: there is no blkdebug node.
        """
        self.blkdebug(node).resume(tag)

    def is_suspended(self, tag: str, *, node: str | None = None) -> bool:
        """Tell whether a request is suspended under a tag."""
        try:
            return self.blkdebug(node).breakpoints.is_suspended(tag)
        except BlockError as error:
            if error.errno == ENOTSUP:
                return False
            raise

    async def wait_suspended(
        self, tag: str, *, within: float | None = None, node: str | None = None
    ) -> None:
        """Wait until a request is suspended under a tag.

        Args:
            tag: Of the breakpoint.
            within: Most seconds to wait; None: for ever.
            node: Name of the blkdebug node; None: the first one.

        Raises:
            BlockError: ETIMEDOUT: none was in time; says who waits for what instead.
                ENOTSUP: there is no blkdebug node.
        """
        breakpoints = self.blkdebug(node).breakpoints
        if within is None:
            await breakpoints.wait_suspended(tag)
            return
        try:
            async with asyncio.timeout(within):
                await breakpoints.wait_suspended(tag)
        except TimeoutError:
            raise BlockError(
                ETIMEDOUT,
                f"No request was suspended at '{tag}' within {within} s; "
                f"{breakpoints.describe_waiting()}; {self.root.describe_in_flight()}",
            ) from None

    def suspended(self) -> list[tuple[str, RequestView | None]]:
        """List all requests held at breakpoints anywhere in the tree, with their tags."""
        return self.root.suspended()

    def unused_rules(self) -> list[tuple[str, Rule]]:
        """List rules that never matched and breakpoints that never held, with their nodes."""
        return [
            (node.name, rule)
            for node in self.root.walk()
            if isinstance(node.driver, BlkdebugDriver)
            for rule in node.driver.machine.unused()
        ]
