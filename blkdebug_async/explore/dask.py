"""Dask's executor, with no answer lost.

An executor that Client.get_executor() gives never answers when a worker ends after it has made a
result and before that is fetched, and the next one ends too (distributed 2026.8, _cascade_future()
in cfexecutor.py). Dask's own futures do answer then. Nothing of Dask is imported here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from functools import partial
from typing import ParamSpec, Protocol, TypeVar, runtime_checkable

_P = ParamSpec("_P")
_T = TypeVar("_T")


class _DaskFuture(Protocol):
    """Dask's future."""

    def result(self) -> object: ...
    def cancel(self) -> object: ...
    def add_done_callback(self, callback: Callable[[_DaskFuture], None]) -> None: ...


class _Client(Protocol):
    """Dask's client."""

    def submit(self, call: object, *args: object, **more: object) -> _DaskFuture: ...


@runtime_checkable
class _ClientExecutor(Protocol):
    """Dask's executor."""

    _client: _Client
    #: What all is submitted with: which workers, which resources.
    _kwargs: Mapping[str, object]


def answering(executor: Executor) -> Executor:
    """Give an executor that does what a given one does, and always answers."""
    is_dask = type(executor).__module__.startswith("distributed.")
    if is_dask and isinstance(executor, _ClientExecutor):
        return _Dask(executor._client, executor._kwargs)
    return executor


class _Dask(Executor):
    """Runs things by Dask's own futures."""

    def __init__(self, client: _Client, more: Mapping[str, object]) -> None:
        self._client = client
        self._more = more

    def submit(self, call: Callable[_P, _T], /, *args: _P.args, **more: _P.kwargs) -> Future[_T]:
        future: Future[_T] = Future()
        # A batch that is sent once more is to be made once more.
        options = {**self._more, "pure": False}
        theirs = self._client.submit(call, *args, **more, **options)
        future.add_done_callback(partial(_pass_on_cancelling, theirs))
        theirs.add_done_callback(partial(_pass_on, future))
        return future


def _pass_on_cancelling(theirs: _DaskFuture, future: Future[_T]) -> None:
    if future.cancelled():
        theirs.cancel()


def _pass_on(future: Future[_T], theirs: _DaskFuture) -> None:
    try:
        result: _T = theirs.result()  # type: ignore[assignment]  # that of the call
    # Among them that it was cancelled, or lost for good.
    except BaseException as error:
        if future.set_running_or_notify_cancel():
            future.set_exception(error)
    else:
        if future.set_running_or_notify_cancel():
            future.set_result(result)
