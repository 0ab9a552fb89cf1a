from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import pytest

from blkdebug_async.explore import Conditions, Ending, Scenario
from blkdebug_async.explore.actions import Scheduler
from blkdebug_async.explore.batches import (
    Answer,
    MadeElsewhereError,
    Told,
    Trouble,
    introduce,
    make_batch,
    pack,
    pack_schedulers,
)
from blkdebug_async.explore.careful import Diary, Mark, RunDiedError, Said, died, serve_with_care
from blkdebug_async.explore.dask import answering
from blkdebug_async.explore.hired import Hired
from blkdebug_async.explore.run import run_once
from blkdebug_async.explore.strategies.pct import Pct
from blkdebug_async.explore.strategies.replay import Values
from blkdebug_async.explore.team import Batch, Begun, Broken, Lost
from blkdebug_async.explore.workers import serve
from tests.unit.explore import portable

FAILS = [1, 2, 0, 0, 0, 0, 1]


def packed(scenario: Scenario, conditions: Conditions | None = None) -> bytes:
    """Give it as another process would have packed it."""
    return pickle.dumps((scenario, conditions or Conditions(), ("elsewhere", 0)))


def batch(*lists: list[int]) -> bytes:
    return pack_schedulers([Values(values) for values in lists])


class Wire:
    """One end of a pipe; nobody is there when all was received."""

    closed = False

    def __init__(self, *batches: bytes) -> None:
        self.sent: list[Any] = []
        self._batches = deque(batches)

    def send(self, told: object, /) -> None:
        self.sent.append(pickle.loads(pickle.dumps(told)))

    def recv_bytes(self) -> bytes:
        if not self._batches:
            raise EOFError
        return self._batches.popleft()

    def recv(self) -> object:
        raise EOFError

    def send_bytes(self, told: bytes, /) -> None:
        raise BrokenPipeError

    def close(self) -> None:
        self.closed = True


# --- batches ---


def test_a_batch_tells_of_each_run_as_it_was() -> None:
    answer = make_batch(packed(portable.reaching), batch([], [2]))
    assert isinstance(answer, Answer)
    assert not answer.raised
    outcomes = [told.outcome() for told in answer.told]
    wanted = [run_once(portable.reaching, Values(values)) for values in ([], [2])]
    assert outcomes == wanted
    assert outcomes[0].reached != outcomes[1].reached


def test_a_batch_ends_with_a_run_that_fails() -> None:
    answer = make_batch(packed(portable.strange_error), batch([], [1], []))
    assert isinstance(answer, Answer)
    passed, failed = (told.outcome() for told in answer.told)
    assert passed.ending is Ending.PASSED
    assert failed.ending is Ending.FAILED
    assert isinstance(failed.error, MadeElsewhereError)
    assert "Unpicklable: 1" in str(failed.error)


def test_a_batch_ends_with_a_run_that_raises_what_is_passed_on() -> None:
    conditions = Conditions(passed_on=(portable.GivenUpError,))
    answer = make_batch(packed(portable.giving_up, conditions), batch([], [2], []))
    assert isinstance(answer, Answer)
    assert (len(answer.told), answer.raised) == (1, True)


def test_whoever_cannot_load_the_scenario_says_so() -> None:
    broken = packed(portable.steady).replace(b"portable", b"mortable")
    for trouble in (introduce(broken), make_batch(broken, batch([]))):
        assert isinstance(trouble, Trouble)
        assert "No module named 'tests.unit.explore.mortable'" in trouble.why
    assert introduce(packed(portable.steady)) is None


def test_the_process_that_wants_to_know_makes_no_runs_itself() -> None:
    trouble = introduce(pack(portable.steady, Conditions()))
    assert trouble is not None
    assert "in this very process" in trouble.why


# --- processes ---


def test_a_worker_makes_batches_as_long_as_somebody_asks() -> None:
    wire = Wire(batch([], [1]), batch([2]))
    serve(wire, packed(portable.steady))
    ready, *answers = wire.sent
    assert ready is None
    assert [len(answer.told) for answer in answers] == [2, 1]


@pytest.mark.parametrize("work", [serve, serve_with_care])
def test_a_worker_says_why_it_is_of_no_use(work: Callable[[Wire, bytes], None]) -> None:
    wire = Wire(batch([]))
    work(wire, b"nonsense")
    (trouble,) = wire.sent
    assert isinstance(trouble, Trouble)


@pytest.mark.parametrize("scheduler", [Values([1, 2]), Pct(1).scheduler(0)])
def test_a_careful_worker_tells_decisions_before_steps(scheduler: Scheduler) -> None:
    sent = pack_schedulers([scheduler])
    wire = Wire(sent)
    serve_with_care(wire, packed(portable.steady))
    ready, *said, told, finished = wire.sent
    assert (ready, finished) == (None, Mark.FINISHED)
    outcome = run_once(portable.steady, pickle.loads(sent)[0], traced=True)
    assert isinstance(told, Told)
    assert told.values == outcome.run.values
    assert [each.value for each in said if isinstance(each, Said)] == list(told.values)
    assert said.count(Mark.STEP_OVER) == len(outcome.run.steps)


def test_a_careful_worker_tells_that_something_was_raised() -> None:
    wire = Wire(batch([2], []))
    conditions = Conditions(passed_on=(portable.GivenUpError,))
    serve_with_care(wire, packed(portable.giving_up, conditions))
    assert wire.sent[-2:] == [Mark.RAISED, Mark.FINISHED]


@pytest.mark.parametrize("steps", range(9))
def test_a_run_is_known_up_to_the_step_that_ended_it(steps: int) -> None:
    whole = run_once(portable.steady, Values(FAILS), traced=True)
    diary = Diary()
    for step in range(steps + 1):
        decided = [each for each in whole.run.decisions if each.step == step]
        diary.latest += [Said(None, each.n, each.value) for each in decided]
        if step < steps:
            diary.step_over()
    outcome = died(diary, "it was killed by SIGSEGV", portable.steady, Conditions())
    assert isinstance(outcome.error, RunDiedError)
    decisions = tuple(each for each in whole.run.decisions if each.step <= steps)
    assert outcome.run.decisions == decisions
    assert outcome.run.values == tuple(each.value for each in decisions)
    assert outcome.run.ways == tuple(each.n for each in decisions)
    assert outcome.run.steps == whole.run.steps[:steps]
    assert outcome.timeline is not None
    assert whole.timeline is not None
    assert outcome.timeline.moments == whole.timeline.moments[:steps]


# --- executors ---


class Held(Executor):
    """Runs what must be run at once, and holds the rest until somebody says what comes of it."""

    def __init__(self) -> None:
        self.held: list[Future[Any]] = []

    def submit(self, call: Callable[..., Any], /, *args: Any, **more: Any) -> Future[Any]:
        future: Future[Any] = Future()
        if call is introduce:
            future.set_result(None)
        else:
            self.held.append(future)
        return future


def one_batch() -> Batch:
    return Batch([Begun(0, Values(()))])


def test_answers_of_an_executor_come_in_as_they_are() -> None:
    executor = Held()
    hired = Hired(executor, b"")
    answers: list[object] = [Answer((), 1.0), Trouble("why")]
    errors: list[BaseException] = [ValueError("gone")]
    for _ in range(4):
        hired.send(one_batch())
    for future, answer in zip(executor.held, answers, strict=False):
        future.set_result(answer)
    executor.held[2].set_exception(errors[0])
    executor.held[3].cancel()
    replies = [hired.answers.get_nowait()[1] for _ in range(4)]
    assert replies[:2] == answers
    assert replies[2:] == [Lost("the executor says ValueError('gone')"), Lost("it was cancelled")]


def test_what_is_under_way_is_cancelled_in_the_end() -> None:
    executor = Held()
    hired = Hired(executor, b"")
    hired.send(one_batch())
    hired.close()
    assert executor.held[0].cancelled()


def test_an_executor_that_takes_nothing_more_is_broken() -> None:
    class Full(Held):
        def submit(self, call: Callable[..., Any], /, *args: Any, **more: Any) -> Future[Any]:
            if call is not introduce:
                raise RuntimeError("no more")
            return super().submit(call, *args, **more)

    hired = Hired(Full(), b"")
    hired.send(one_batch())
    assert hired.answers.get_nowait()[1] == Broken("RuntimeError('no more')")


def test_whoever_answers_without_delay_gets_more() -> None:
    executor = Held()
    hired = Hired(executor, b"")
    before = hired.wanted
    hired.send(one_batch())
    # It cannot have waited if it has worked all the time.
    executor.held[0].set_result(Answer((), 10.0))
    assert hired.wanted == before + 1


def test_whoever_lets_batches_wait_gets_less_but_never_nothing() -> None:
    executor = Held()
    hired = Hired(executor, b"")
    for _ in range(10):
        hired.send(one_batch())
        # As if it had been sent long ago.
        executor.held[-1].set_result(Answer((), -10.0))
    assert hired.wanted == 2


# --- Dask ---


class DaskFuture:
    """Answers when told to."""

    def __init__(self) -> None:
        self.answer: object = None
        self.was_cancelled = False
        self._callbacks: list[Callable[[DaskFuture], None]] = []

    def add_done_callback(self, callback: Callable[[DaskFuture], None]) -> None:
        self._callbacks.append(callback)

    def cancel(self) -> None:
        self.was_cancelled = True

    def result(self) -> object:
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    def finish(self, answer: object) -> None:
        self.answer = answer
        for callback in self._callbacks:
            callback(self)


class DaskClient:
    def __init__(self) -> None:
        self.submitted: list[tuple[object, ...]] = []
        self.futures: list[DaskFuture] = []

    def submit(self, call: object, *args: object, **more: object) -> DaskFuture:
        self.submitted.append((call, args, more))
        self.futures.append(DaskFuture())
        return self.futures[-1]


class ClientExecutor(Executor):
    """Never answers."""

    def __init__(self) -> None:
        self._client = DaskClient()
        self._kwargs = {"workers": ["a"], "pure": True}


@pytest.fixture
def client_executor(monkeypatch: pytest.MonkeyPatch) -> ClientExecutor:
    monkeypatch.setattr(ClientExecutor, "__module__", "distributed.cfexecutor")
    return ClientExecutor()


def test_dask_is_asked_for_each_call_anew(client_executor: ClientExecutor) -> None:
    client = client_executor._client
    future = answering(client_executor).submit(max, 1, 2)
    assert client.submitted == [(max, (1, 2), {"workers": ["a"], "pure": False})]
    client.futures[0].finish(2)
    assert future.result(0) == 2


def test_whatever_dask_raises_is_an_answer(client_executor: ClientExecutor) -> None:
    future = answering(client_executor).submit(max, 1, 2)
    client_executor._client.futures[0].finish(OSError("worker killed"))
    assert isinstance(future.exception(0), OSError)


@pytest.mark.parametrize("answer", [2, OSError()])
def test_what_is_cancelled_is_cancelled_with_dask_too(
    answer: object, client_executor: ClientExecutor
) -> None:
    future = answering(client_executor).submit(max, 1, 2)
    future.cancel()
    theirs = client_executor._client.futures[0]
    assert theirs.was_cancelled
    theirs.finish(answer)
    assert future.cancelled()


def test_other_executors_are_left_as_they_are() -> None:
    executor = Held()
    assert answering(executor) is executor
