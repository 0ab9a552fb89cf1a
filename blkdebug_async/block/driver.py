"""What a driver is, and what it may ask of the nodes below it.

A driver is one storage idea. It sees requests that already fit its limits, and it reaches the
nodes below only through their edges, so that each node runs its own request path. Answers are
return values or OSErrors; an errno passes through every level unchanged.

Write a leaf by deriving from Driver, a filter by deriving from FilterDriver and overriding what it
changes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import suppress
from enum import Enum, auto
from errno import ENOTSUP
from typing import ClassVar, Protocol, Self

from blkdebug_async.block.flags import OFFSET_VALID, RAW, OpenFlags
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.limits import Limits
from blkdebug_async.block.permissions import Permissions, Role
from blkdebug_async.block.target import BlockStatus, Target, Truncation
from blkdebug_async.block.tracked import Request
from blkdebug_async.compat import Compat
from blkdebug_async.errors import BlockError
from blkdebug_async.events import Event
from blkdebug_async.explore.choices import Choices
from blkdebug_async.options.filename import FilenameParser, Gathered
from blkdebug_async.options.reader import ChildOptions, OptionReader
from blkdebug_async.options.tree import Options
from blkdebug_async.trace import RequestView


class Pace(Enum):
    """How long a driver's requests take, for who lets them go into flight in an exploration."""

    #: They wait for nothing: each of them, or of the pieces that one is cut into, is one step.
    AT_ONCE = auto()
    #: They may wait for others.
    UNKNOWN = auto()
    #: They take time of their own, on the loop's clock, so they are in flight as it is.
    OWN_TIME = auto()


class Opener(Protocol):
    """Opens the nodes below a driver that is being opened; lives only during Driver.open()."""

    @property
    def flags(self) -> OpenFlags:
        """How the driver's own node is opened."""
        ...

    @property
    def compat(self) -> Compat:
        """Which QEMU to follow where it is surprising."""
        ...

    @property
    def choices(self) -> Choices:
        """Who decides whatever may go either way."""
        ...

    @property
    def node_name(self) -> str:
        """Name of the driver's own node."""
        ...

    def become_read_only(self) -> None:
        """Make the driver's own node read-only; only where flags.auto_read_only allows it."""
        ...

    def warn(self, message: str) -> None:
        """Tell the user of something questionable that is no reason to fail."""
        ...

    async def open_child(self, name: str, source: NodeSource, role: Role) -> Target:
        """Open or look up a node and make it a child.

        Args:
            name: Name of the edge, as in the option: "file", "image", "backing", ...
            source: What to open.
            role: What it is to the driver.

        Raises:
            OSError: Whatever opening it raised.
        """
        ...


def _stands_before(cls: type, method: str, other: str) -> bool:
    """Tell whether a class or a mixin of it defines a method nearer than who defines the other."""
    steps = (step.__dict__ for step in cls.__mro__)
    return other not in next(names for names in steps if method in names or other in names)


class Driver(ABC):
    """One storage idea. All offsets and lengths are bytes and fit the node's limits.

    The request path promises: offsets and lengths are multiples of request_alignment, reads and
    writes are no longer than max_transfer, flags are limited to write_flags or zero_flags.
    """

    #: Name in the option "driver", as in QAPI (BlockdevDriver).
    name: ClassVar[str]
    #: Opened by a file name or an address rather than over another node.
    is_protocol: ClassVar[bool] = False
    #: Shows exactly what its only child shows.
    is_filter: ClassVar[bool] = False
    #: Shows its backing child where it has nothing itself.
    supports_backing: ClassVar[bool] = False
    #: The length may change behind our back, so it is asked for at each use.
    has_variable_length: ClassVar[bool] = False
    #: Cannot do without the option "filename".
    needs_filename: ClassVar[bool] = False
    #: Keeps data itself although it has children. Without children, it does anyway.
    keeps_data: ClassVar[bool] = False
    #: Options of its own that reopen() takes.
    mutable_options: ClassVar[frozenset[str]] = frozenset()
    #: Whether an open node can be given other flags and options.
    can_reopen: ClassVar[bool] = True
    #: Options that change what is read or written; a name that ends in "." covers all below it.
    #: With any of them but "filename" given, the node has no plain file name.
    strong_options: ClassVar[tuple[str, ...]] = ()
    #: Reads file names that begin with the driver's name and a colon; None: there are none.
    parse_filename: ClassVar[FilenameParser | None] = None

    #: Options as they were given, for building the file name back.
    options: Options
    #: Request flags taken natively by pwritev(); set in open().
    write_flags: int = 0
    #: Request flags taken natively by pwrite_zeroes(); set in open().
    zero_flags: int = 0
    #: The events for which fire() wants to be called. May change at any time.
    heard: Collection[str] = frozenset()
    #: Whether preadv_nowait() or pwritev_nowait() may ever be True; spares others the asking. May
    #: change where the limits may.
    answers_at_once: bool = True
    #: Whether before_completion() wants to be called. May change at any time.
    holds_completion: bool = False
    #: How long requests take.
    pace: Pace = Pace.UNKNOWN
    #: In an exploration: a name, of nothing else in the run, for where its bytes are, if other
    #: nodes may have the same; None: they are its own.
    storage: str | None = None
    #: Call with a breakpoint's tag when a request is suspended; set by the node.
    on_suspend: Callable[[str, RequestView | None], None] | None = None
    #: Call likewise when it is resumed, before it goes on.
    on_resume: Callable[[str, RequestView | None], None] | None = None
    #: Whether a node has, or had, this driver: it serves one only.
    used: bool = False
    #: The primary child, if there is one.
    file: Target | None = None
    #: The child that shows through where this node has nothing, if there is one.
    backing: Target | None = None

    def __init__(self) -> None:
        self.options = {}
        # Each request asks for these, and what an object has itself is found sooner. A property
        # stays one.
        with suppress(AttributeError):
            self.heard = self.heard
            self.holds_completion = self.holds_completion
            self.write_flags = self.write_flags

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        # Who changes how a request is done, and does not say how it is done at once, would be
        # passed over by the shortcut of the class that it derives from.
        if _stands_before(cls, "preadv", "preadv_nowait"):
            setattr(cls, "preadv_nowait", Driver.preadv_nowait)  # noqa: B010
        if _stands_before(cls, "pwritev", "pwritev_nowait"):
            setattr(cls, "pwritev_nowait", Driver.pwritev_nowait)  # noqa: B010

        if _stands_before(cls, "fire", "fires_nowait"):
            setattr(cls, "fires_nowait", Driver.fires_nowait)  # noqa: B010

    # --- life ---

    @classmethod
    @abstractmethod
    def from_options(cls, reader: OptionReader) -> Self:
        """Make a driver from its options; whatever is not taken from reader is refused later.

        Raises:
            OptionError: EINVAL; an option makes no sense.
        """

    @classmethod
    def explored(cls) -> type[Driver]:
        """Give the class that this one's drivers become where a scenario is explored.

        It must be this one or a subclass, and change nothing but where bytes come from and go to.
        """
        return cls

    async def open(self, opener: Opener) -> None:
        """Open children and files. Called once, before anything else."""

    async def close(self) -> None:
        """Give everything back. Called once, flushed and with nothing in flight."""

    async def reopen(self, flags: OpenFlags, options: Options) -> None:
        """Change how the node is opened; nothing is in flight.

        Args:
            flags: How it is opened from now on.
            options: Those of mutable_options that are wanted; None: the default. What is absent
                stays.

        Raises:
            OptionError: EINVAL; the change cannot be made, and nothing was changed.
        """

    # --- facts ---

    @abstractmethod
    def length(self) -> int:
        """Tell the length in bytes; the node rounds it up to sectors.

        Raises:
            OSError: The length cannot be told.
        """

    def refresh_limits(self, limits: Limits) -> Limits:
        """Turn limits merged from the children into this driver's."""
        return limits

    def child_permissions(self, default: Permissions) -> Permissions:
        """Change what is taken from a child and shared with its other parents."""
        return default

    def permissions_changed(self, permissions: Permissions) -> None:
        """Hear what the parents now take and share together; take locks.

        Raises:
            OSError: Somebody else holds a lock (EAGAIN); the change is undone.
        """

    def plain_filename(self, told: Gathered) -> str | None:
        """Give a file name, not a json: one, that opens this node again.

        Args:
            told: What the json: file name would hold.

        Returns:
            The name; None: only json: can say it. By default a format over a protocol has the
            name of its child, unless it was told anything of its own.
        """
        file = self.file
        if file is None or self.is_filter or told.is_special or not file.is_protocol:
            return None
        return file.plain_filename

    def cluster_size(self) -> int:
        """Tell the allocation unit in bytes; 0: there is none."""
        return 0

    def specific_info(self) -> str:
        """Give format specific lines for people, or ""."""
        return ""

    def suspended(self) -> Sequence[tuple[str, RequestView | None]]:
        """List requests held at breakpoints with their tags, oldest first."""
        return ()

    def release_suspended(self) -> None:
        """Let every request go on that is held at a breakpoint, and hold none again."""

    # --- requests ---

    @abstractmethod
    async def preadv(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        """Fill iov, exactly length bytes, from offset.

        Args:
            offset: First byte.
            length: Bytes, iov.length; may be 0.
            iov: Where they go.
            flags: None are defined for drivers today.
            request: The node's request that this call is a piece of.

        Raises:
            OSError: The bytes cannot be read.
        """

    async def pwritev(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        """Write iov, exactly length bytes, at offset.

        Cancellation: once any byte was handed on, wait for it before leaving.

        Raises:
            OSError: The bytes cannot be written; ENOTSUP by default.
        """
        raise self._unsupported("write")

    def preadv_nowait(self, offset: int, length: int, iov: Iovec) -> bool:
        """Do what preadv() does, if it can be done at once and nobody is to see it in between.

        A class that overrides preadv() and not this one never answers at once.

        Returns:
            Whether it is done. False: preadv() is asked, as if this had never been called; also
            where it failed, for an error is raised there.
        """
        return False

    def pwritev_nowait(self, offset: int, length: int, iov: Iovec, flags: int) -> bool:
        """Do what pwritev() does, if it can be done at once and nobody is to see it in between.

        A class that overrides pwritev() and not this one never answers at once.

        Returns:
            Whether it is done. False: pwritev() is asked; it writes everything again.
        """
        return False

    async def pwrite_zeroes(self, offset: int, length: int, flags: int, request: Request) -> None:
        """Make bytes read as zeros, faster than by writing them.

        Raises:
            OSError: ENOTSUP: write zeros instead; the path does so unless NO_FALLBACK is set.
        """
        raise self._unsupported("zero write")

    async def pdiscard(self, offset: int, length: int, request: Request) -> None:
        """Give bytes up; what they read as afterwards is undefined.

        Raises:
            OSError: ENOTSUP is taken for success by the path.
        """
        raise self._unsupported("discard")

    async def pwritev_compressed(
        self, offset: int, length: int, iov: Iovec, request: Request
    ) -> None:
        """Write iov compressed. Call only if has(driver, "pwritev_compressed")."""
        raise self._unsupported("compressed write")

    async def flush_everything(self, request: Request) -> None:
        """Do a whole flush, children included, in place of the path's steps.

        Call only if has(driver, "flush_everything").
        """

    async def flush_to_os(self, request: Request) -> None:
        """Hand caches of our own to the layer below."""

    async def flush_to_disk(self, request: Request) -> None:
        """Make what was written safe."""

    async def block_status(
        self, offset: int, length: int, want_zero: bool, request: Request
    ) -> BlockStatus:
        """Tell what bytes are made of. Call only if has(driver, "block_status").

        Args:
            offset: First byte, aligned.
            length: Bytes, aligned, > 0.
            want_zero: Whether it matters where zeros are; if not, say DATA and be quick.
            request: The node's request.
        """
        raise self._unsupported("block status")

    async def truncate(self, size: int, how: Truncation, request: Request) -> None:
        """Change the length. Call only if has(driver, "truncate")."""
        raise self._unsupported("truncate")

    # --- drained sections ---

    def drain_begin(self) -> None:
        """Hear that no new requests come until drain_end(); let go of queued ones."""

    def drain_end(self) -> None:
        """Hear that requests may come again."""

    # --- debugging ---

    async def fire(self, event: Event, request: Request | None) -> None:
        """Hear a debug event; may wait. Called for events in heard only."""

    def fires_nowait(self, event: Event) -> bool:
        """Tell whether fire_nowait() does for an event in heard all that fire() does.

        A class that overrides fire() and not this one always wants to be asked by fire().
        """
        return False

    def lets_write(self, event: Event, offset: int, length: int) -> bool:
        """Tell whether a write is done just the same if an event is fired after it, not before.

        Args:
            event: One for which fires_nowait() holds.
            offset: First byte of the write.
            length: Its bytes.
        """
        return False

    def fire_nowait(self, event: Event) -> None:
        """Hear a debug event, on behalf of nobody. Called only if fires_nowait() says so."""

    async def before_completion(self, request: Request) -> None:
        """See a request after its work and before it is finished; may wait."""

    def _unsupported(self, what: str) -> BlockError:
        return BlockError(ENOTSUP, f"driver '{self.name}' cannot do this: {what}")


class FilterDriver(Driver):
    """A driver that passes everything on to its child `file`, unchanged."""

    is_filter: ClassVar[bool] = True

    #: Set in open(), before anything is forwarded.
    file: Target

    def length(self) -> int:
        return self.file.length

    def cluster_size(self) -> int:
        return self.file.cluster_size

    # These give the coroutine of the node below, and none of their own.

    def preadv(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> Coroutine[object, None, None]:
        return self.file.preadv(offset, length, iov, flags, request)

    def pwritev(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> Coroutine[object, None, None]:
        return self.file.pwritev(offset, length, iov, flags, request)

    def preadv_nowait(self, offset: int, length: int, iov: Iovec) -> bool:
        return self.file.preadv_nowait(offset, length, iov)

    def pwritev_nowait(self, offset: int, length: int, iov: Iovec, flags: int) -> bool:
        return self.file.pwritev_nowait(offset, length, iov, flags)

    async def pwrite_zeroes(self, offset: int, length: int, flags: int, request: Request) -> None:
        await self.file.pwrite_zeroes(offset, length, flags, request)

    async def pdiscard(self, offset: int, length: int, request: Request) -> None:
        await self.file.pdiscard(offset, length, request)

    async def block_status(
        self, offset: int, length: int, want_zero: bool, request: Request
    ) -> BlockStatus:
        return BlockStatus(RAW | OFFSET_VALID, length, offset, self.file)


def has(driver: Driver, method: str) -> bool:
    """Tell whether a driver's class brings its own version of an optional method.

    Args:
        driver: Any driver.
        method: Name of the method, such as pwrite_zeroes, pdiscard or truncate.
    """
    return getattr(type(driver), method) is not getattr(Driver, method)


#: What a child can be made from: a file name, a tree of options (dotted keys or nested mappings),
#: a driver put together in code, or what an OptionReader took.
NodeSource = str | Mapping[str, object] | Driver | ChildOptions
