from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from errno import EIO
from pathlib import Path
from zlib import crc32

from blkdebug_async.block.iovec import Buffer, Iovec
from blkdebug_async.block.node import Node
from blkdebug_async.block.nowait import NowaitPath
from blkdebug_async.block.tracked import Request
from blkdebug_async.disk import Disk
from blkdebug_async.drivers.blkdebug.driver import BlkdebugDriver
from blkdebug_async.drivers.blkdebug.rules import Rule
from blkdebug_async.drivers.file.driver import FileDriver
from blkdebug_async.drivers.memory import MemoryDriver
from blkdebug_async.errors import BlockError
from blkdebug_async.opening import open_disk
from blkdebug_async.trace import Observer
from tests.unit.noting import NotingDriver, content

#: More turns of the loop than any request needs that nobody holds.
TURNS = 60


class TwinsDifferError(AssertionError):
    """The two worlds are not the same."""


class NeverPath(NowaitPath):
    __slots__ = ()

    def preadv(self, offset: int, length: int, iov: Iovec) -> bool:
        return False

    def pwritev(self, offset: int, length: int, iov: Iovec, flags: int) -> bool:
        return False


def take_the_shortcut_away(top: Node) -> None:
    nodes = list(top.walk())
    for node in nodes:
        node.nowait = NeverPath(node)
    for node in nodes:
        for edge in node.parents:
            edge.point_to(node)


@dataclass(frozen=True)
class Op:
    kind: str
    offset: int = 0
    length: int = 0
    value: int = 0
    flags: int = 0
    #: Where the buffer is cut in two.
    cut: int = 0
    #: Sent together with the next one, in one turn of the loop.
    together: bool = False
    #: Whether the second disk is meant, if there is one.
    beside: bool = False
    #: Which node, blkdebug node, drained section or request is meant.
    number: int = 0
    rule: Rule | None = None


Outcome = str | bytes | tuple[object, ...]


@dataclass
class World:
    """One of two disks that must never differ."""

    disk: Disk
    #: Whether requests are tried at once first.
    at_once: bool
    counts: Counter[str]
    #: A second disk on a node below, once it is opened.
    beside: Disk | None = None
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    _tasks: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    _drains: list[asyncio.Event] = field(default_factory=list)

    # --- sending ---

    def send(self, index: int, op: Op) -> None:
        name = f"op {index}"
        self._tasks[index] = asyncio.Task(self._send(index, op), name=name)

    async def _send(self, index: int, op: Op) -> None:
        self.outcomes[index] = "in flight"
        try:
            self.outcomes[index] = await self._do(op)
        except OSError as error:
            self.outcomes[index] = (type(error).__name__, error.errno, plain(str(error)))
        except TwinsDifferError:
            raise
        except AssertionError as error:
            # Copying while reading asks for permissions that a disk may not have. What follows the
            # first line are values, with addresses.
            self.outcomes[index] = ("assertion", str(error).partition("\n")[0])
        except asyncio.CancelledError:
            self.outcomes[index] = "cancelled"
            raise

    async def _do(self, op: Op) -> Outcome:
        match op.kind:
            case "read":
                return await self._read(op)
            case "write":
                await self._write(op)
            case _:
                await _KINDS[op.kind](self, op)
        return "done"

    def disk_for(self, op: Op) -> Disk:
        return self.beside if op.beside and self.beside is not None else self.disk

    async def open_beside(self, number: int) -> None:
        if self.beside is None:
            names = [node.name for node in self.disk.root.walk()]
            self.beside = self.disk.on_node(names[number % len(names)])

    async def _read(self, op: Op) -> bytes:
        first, second = bytearray(b"\xee" * op.cut), bytearray(b"\xee" * (op.length - op.cut))
        both, disk = [first, second], self.disk_for(op)
        if op.flags or not self._tries("reads", lambda: disk.preadv_nowait(op.offset, both)):
            await disk.preadv(op.offset, both, op.flags)
        return bytes(first + second)

    async def _write(self, op: Op) -> None:
        data = bytes([op.value]) * op.length
        disk = self.disk_for(op)
        both: list[Buffer] = [data[: op.cut], bytearray(data[op.cut :])]
        if not self._tries("writes", lambda: disk.pwritev_nowait(op.offset, both, op.flags)):
            await disk.pwritev(op.offset, both, op.flags)

    def _tries(self, what: str, request: Callable[[], bool]) -> bool:
        if not self.at_once:
            return False
        before = self.picture()
        for leaf in self._leaves():
            leaf.tentative.clear()
        done = request()
        for leaf in self._leaves():
            if done:
                leaf.keep_tentative()
        if not done and self.picture() != before:
            raise TwinsDifferError("something has happened though the answer was no")
        self.counts[what] += 1
        self.counts[f"{what} at once"] += done
        return done

    def _leaves(self) -> list[NotingDriver]:
        nodes = () if self.disk.closed else self.disk.root.walk()
        return [node.driver for node in nodes if isinstance(node.driver, NotingDriver)]

    def disks(self) -> list[Disk]:
        return [self.disk] if self.beside is None else [self.beside, self.disk]

    async def drain(self) -> None:
        event = asyncio.Event()
        self._drains.append(event)
        async with self.disk.drained():
            await event.wait()

    def end_drain(self) -> None:
        if self._drains:
            self._drains.pop(0).set()

    def cancel(self, number: int) -> None:
        pending = [task for task in self._tasks.values() if not task.done()]
        if pending:
            pending[number % len(pending)].cancel()

    def blkdebug(self, number: int) -> BlkdebugDriver:
        found = [
            node.driver for node in self.disk.root.walk() if isinstance(node.driver, BlkdebugDriver)
        ]
        if not found:
            raise BlockError(EIO, "there is no blkdebug")
        return found[number % len(found)]

    async def settle(self) -> None:
        for _ in range(TURNS):
            if all(task.done() for task in self._tasks.values()):
                break
            await asyncio.sleep(0)
        for task in self._tasks.values():
            if task.done() and not task.cancelled():
                task.result()

    async def finish(self) -> None:
        """Let everything go on that is held, and end what goes on for ever."""
        while self._drains:
            self.end_drain()
        for node in self.disk.root.walk():
            node.driver.release_suspended()
        await self.settle()
        for task in self._tasks.values():
            assert task.done(), (task.get_name(), self.disk.root.describe_in_flight())

    # --- comparing ---

    def picture(self) -> list[tuple[object, ...]]:
        return [self._node(node) for node in self.disk.root.walk()]

    def _node(self, node: Node) -> tuple[object, ...]:
        driver = node.driver
        facts = [
            # Where it varies, asking for it is what brings the known one up to date.
            _tried(lambda: node.length),
            driver.name,
            node.generation,
            node.known_length,
            node.flags,
            sorted((r.op, r.offset, r.length, r.serialising) for r in node.tracker.requests),
            [(tag, _who(request)) for tag, request in driver.suspended()],
        ]
        match driver:
            case BlkdebugDriver(machine=machine):
                facts += [machine.state, machine.unused(), sorted(machine.heard)]
                facts += [len(machine.armed), driver.holds_completion]
            case MemoryDriver():
                buffer = bytearray(driver.length())
                MemoryDriver.preadv_nowait(driver, 0, len(buffer), Iovec.over(buffer))
                facts.append(crc32(buffer))
                facts.append(list(driver.log) if isinstance(driver, NotingDriver) else None)
            case FileDriver():
                facts.append(_file_of(driver))
            case _:
                pass
        return tuple(facts)


def _who(request: object) -> object:
    if not isinstance(request, Request):
        return None
    return (request.op, request.offset, request.length, request.flags, request.task_name)


def _tried(ask: Callable[[], int]) -> object:
    try:
        return ask()
    except OSError as error:
        return str(error)


def _file_of(driver: FileDriver) -> int:
    path = driver.options["filename"]
    assert isinstance(path, str)
    with open(path, "rb") as file:
        return crc32(file.read())


def plain(message: str) -> str:
    """Take out what may differ: what is answered at once has no number, and files have names."""
    message = re.sub(r"request \d+", "request N", message)
    message = re.sub(r"#block\d+", "#block", message)
    return re.sub(r"'/[^']*/(\w+)'", r"'\1'", message)


async def _break(world: World, op: Op) -> None:
    assert op.rule is not None
    world.blkdebug(op.number).add_rule(op.rule)


async def _unbreak(world: World, op: Op) -> None:
    world.blkdebug(op.number).remove_breakpoint(f"tag{op.value % 3}")


async def _resume(world: World, op: Op) -> None:
    world.blkdebug(op.number).resume(f"tag{op.value % 3}")


async def _unrule(world: World, op: Op) -> None:
    assert op.rule is not None
    if not world.blkdebug(op.number).remove_rule(op.rule):
        raise BlockError(EIO, "there is no such rule")


async def _end_drain(world: World, op: Op) -> None:
    world.end_drain()


async def _cancel(world: World, op: Op) -> None:
    world.cancel(op.number)


_KINDS: dict[str, Callable[[World, Op], Awaitable[None]]] = {
    "zeroes": lambda world, op: world.disk_for(op).pwrite_zeroes(op.offset, op.length, op.flags),
    "discard": lambda world, op: world.disk_for(op).pdiscard(op.offset, op.length),
    "flush": lambda world, op: world.disk_for(op).flush(),
    "truncate": lambda world, op: world.disk_for(op).truncate(op.offset),
    "reopen": lambda world, op: world.disk.reopen({"read-only": bool(op.value % 2)}),
    "rule": _break,
    "unrule": _unrule,
    "unbreak": _unbreak,
    "resume": _resume,
    "beside": lambda world, op: world.open_beside(op.number),
    "drain": lambda world, op: world.drain(),
    "end drain": _end_drain,
    "cancel": _cancel,
}
KINDS = ("read", "write", *_KINDS)


# --- two worlds --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    tree: dict[str, object]
    ops: Sequence[Op]
    compat: str | None = None
    cache: str = "writeback"
    snapshot: bool = False
    copy_on_read: bool = False
    #: Whether an observer forces the slow world to be slow; otherwise the shortcut is gone.
    observed: bool = True


def prepare(folder: str, name: str) -> Path:
    path = Path(folder, name)
    path.mkdir(exist_ok=True)
    (path / "even").write_bytes(content(16 * 1024))
    (path / "odd").write_bytes(content(16 * 1024 - 300))
    return path


async def opened(plan: Plan, folder: str, *, at_once: bool) -> Disk:
    path = prepare(folder, "fast" if at_once else "slow")
    disk = await open_disk(
        _with_files(plan.tree, path),
        compat=plan.compat,
        cache=plan.cache,
        snapshot=plan.snapshot,
        copy_on_read=plan.copy_on_read,
        observer=None if at_once or not plan.observed else _Nobody(),
        warn=lambda message: None,
    )
    if not at_once and not plan.observed:
        take_the_shortcut_away(disk.root)
    return disk


class _Nobody(Observer):
    pass


def _with_files(tree: dict[str, object], folder: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in tree.items():
        if key == "filename":
            found[key] = str(folder / str(value))
        else:
            found[key] = _with_files(value, folder) if isinstance(value, dict) else value
    return found


async def compare(plan: Plan, folder: str, counts: Counter[str]) -> None:
    """Play a session in both worlds, and fail where they differ."""
    disks, errors = [], []
    for at_once in (True, False):
        try:
            disks.append(await opened(plan, folder, at_once=at_once))
        except OSError as error:
            errors.append((error.errno, plain(str(error))))
    if errors:
        counts["not opened"] += 1
        assert not disks
        assert errors[0] == errors[1]
        return
    worlds = [World(disk, disk is disks[0], counts) for disk in disks]
    try:
        await _play(plan, worlds)
    finally:
        ends = [[await _close(disk) for disk in world.disks()] for world in worlds]
    assert ends[0] == ends[1]


async def _play(plan: Plan, worlds: Sequence[World]) -> None:
    length = worlds[0].disk.length
    for index, op in enumerate([*plan.ops, None, Op("flush"), Op("read", 0, length)]):
        for world in worlds:
            if op is None:
                # Both begin with the same things held: the loop is one for both.
                await worlds[0].settle()
                await worlds[1].settle()
                await world.finish()
            else:
                world.send(index, op)
        if op is None or not op.together:
            for world in worlds:
                await world.settle()
            _same(worlds, index)


async def _close(disk: Disk) -> Outcome:
    try:
        await disk.release_and_close()
    except OSError as error:
        return type(error).__name__, error.errno, plain(str(error))
    return "closed"


def _same(worlds: Sequence[World], index: int) -> None:
    fast, slow = worlds
    if fast.outcomes != slow.outcomes:
        raise TwinsDifferError(f"after op {index}: {_differences(fast.outcomes, slow.outcomes)}")
    for ours, theirs in zip(fast.picture(), slow.picture(), strict=True):
        for one, other in zip(ours, theirs, strict=True):
            if one != other:
                raise TwinsDifferError(f"after op {index}: {one} is not {other}")


def _differences(ours: dict[int, Outcome], theirs: dict[int, Outcome]) -> str:
    return "; ".join(
        f"op {index} ended with {ours[index]!r}, not {theirs[index]!r}"
        for index in ours
        if ours[index] != theirs[index]
    )
