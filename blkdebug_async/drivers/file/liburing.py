"""What is used of the package liburing, with its types; loaded when a ring is first wanted.

The package wraps the C library of that name, closely: it holds no buffers, and a ring that was
never set up or is closed crashes it. So nothing but Uring calls this.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol, TypeAlias


class Handle(Protocol):
    """A ring, a vector or an iterator of the package; only handed back to it."""


class Sqe(Protocol):
    """A place in the submission queue."""

    user_data: int
    flags: int


class Cqe(Protocol):
    """A completion."""

    @property
    def user_data(self) -> int: ...

    @property
    def res(self) -> int:
        """The system call's result; its error is raised, as an OSError."""
        ...


class CqeCursor(Protocol):
    """Where the iterator stands."""

    def __getitem__(self, index: int, /) -> Cqe: ...


#: Place, file, vector, offset.
Prepare: TypeAlias = Callable[[Sqe, int, Handle, int], object]


@dataclass(frozen=True, slots=True)
class Liburing:
    """The calls."""

    new_ring: Callable[[], Handle]
    new_cursor: Callable[[], CqeCursor]
    #: Entries, ring, flags.
    set_up: Callable[[int, Handle, int], object]
    tear_down: Callable[[Handle], object]
    register_eventfd: Callable[[Handle, int], object]
    #: None: the queue is full.
    get_sqe: Callable[[Handle], Sqe | None]
    #: Views that must stay where they are. It does not hold them.
    new_vector: Callable[[list[memoryview]], Handle]
    prepare_read: Prepare
    prepare_write: Prepare
    #: Place, file, flags.
    prepare_sync: Callable[[Sqe, int, int], object]
    submit: Callable[[Handle], int]
    submit_and_wait: Callable[[Handle, int], int]
    #: For all that has completed; cursor[0] is the completion at hand.
    completions: Callable[[Handle, CqeCursor], Iterable[int]]
    #: Ring, how many completions have been looked at.
    advance: Callable[[Handle, int], object]
    data_only: int
    run_async: int


def load_liburing() -> Liburing:
    """Load the package.

    Raises:
        ImportError: It is not there, or is another one of that name.
    """
    module = importlib.import_module("liburing")
    try:
        return Liburing(
            new_ring=module.Ring,
            new_cursor=module.Cqe,
            set_up=module.io_uring_queue_init,
            tear_down=module.io_uring_queue_exit,
            register_eventfd=module.io_uring_register_eventfd,
            get_sqe=module.io_uring_get_sqe,
            new_vector=module.Iovec,
            prepare_read=module.io_uring_prep_readv,
            prepare_write=module.io_uring_prep_writev,
            prepare_sync=module.io_uring_prep_fsync,
            submit=module.io_uring_submit,
            submit_and_wait=module.io_uring_submit_and_wait,
            completions=module.CqeIter,
            advance=module.io_uring_cq_advance,
            data_only=module.IORING_FSYNC_DATASYNC,
            run_async=module.IOSQE_ASYNC,
        )
    except AttributeError as error:
        raise ImportError(f"This is another liburing than expected: {error}") from error
