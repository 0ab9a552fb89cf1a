"""What an exploring loop refuses, and what to do instead.

Sockets, processes and signals happen when they want, so a run with them could not be repeated.
"""

from __future__ import annotations

from typing import Final, NoReturn, Protocol

_SOCKETS: Final = (
    "talk to a fake in the same program instead, such as two asyncio.Queue or a stream protocol"
    " without a transport, or leave the part with the network out of the scenario"
)
_FILES: Final = (
    "open the image with driver 'file' through a memory overlay, or read files by aiofiles or"
    " run_in_executor(), which are explored"
)
_PROCESSES: Final = "call a function with the same effect by run_in_executor() instead"
_SIGNALS: Final = "call what the signal handler would call, from a task of the scenario"

#: Methods that undo refused ones: there is never anything to undo.
REMOVERS: Final = ("remove_reader", "remove_signal_handler", "remove_writer")
#: Method of the loop to advice.
REFUSED: Final = {
    "add_reader": _FILES,
    "add_signal_handler": _SIGNALS,
    "add_writer": _FILES,
    "connect_accepted_socket": _SOCKETS,
    "connect_read_pipe": _FILES,
    "connect_write_pipe": _FILES,
    "create_connection": _SOCKETS,
    "create_datagram_endpoint": _SOCKETS,
    "create_server": _SOCKETS,
    "create_unix_connection": _SOCKETS,
    "create_unix_server": _SOCKETS,
    "getaddrinfo": _SOCKETS,
    "getnameinfo": _SOCKETS,
    "sendfile": _SOCKETS,
    "sock_accept": _SOCKETS,
    "sock_connect": _SOCKETS,
    "sock_recv": _SOCKETS,
    "sock_recv_into": _SOCKETS,
    "sock_recvfrom": _SOCKETS,
    "sock_recvfrom_into": _SOCKETS,
    "sock_sendall": _SOCKETS,
    "sock_sendfile": _SOCKETS,
    "sock_sendto": _SOCKETS,
    "start_tls": _SOCKETS,
    "subprocess_exec": _PROCESSES,
    "subprocess_shell": _PROCESSES,
}


class NotExplorableError(RuntimeError):
    """A scenario did something whose timing nobody controls."""


class _Refusal(Protocol):
    __name__: str

    def __call__(self, *args: object, **kwargs: object) -> NoReturn: ...


def refuse(name: str, advice: str) -> _Refusal:
    """Make the method that stands for a refused one."""

    def method(*args: object, **kwargs: object) -> NoReturn:
        raise NotExplorableError(f"{name}() cannot be explored: {advice}")

    method.__name__ = name
    return method


def remove_nothing(*_: object) -> bool:
    """Stand for a method that takes away what was never there."""
    return False


def intruder(thread: str) -> NotExplorableError:
    """Say that a thread came into the loop that the loop does not know."""
    return NotExplorableError(
        f"Thread '{thread}' called call_soon_threadsafe(), at a time that nobody controls: hand"
        " its work to run_in_executor(), asyncio.to_thread() or anyio.to_thread, which are explored"
    )
