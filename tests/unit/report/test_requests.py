from __future__ import annotations

from dataclasses import replace

import pytest

from blkdebug_async import IoType
from blkdebug_async.explore import Action, Kind, Moment, Operation, Timeline
from blkdebug_async.report.requests import UnsayableError, describe, requests_to

READ = "main: read 0+512 on disk"


def moment(number: int, key: str, kind: Kind, launched: tuple[str, ...] = ()) -> Moment:
    return Moment(number, Action(key, key, kind), 0.0, None, None, "", (), launched, None, ())


MOMENTS = (
    moment(0, "main", Kind.TASK, (READ,)),
    moment(1, READ, Kind.REQUEST),
    moment(2, "main", Kind.TASK),
)


def read(
    task: str = "main", step: int = 0, last_step: int = 2, error: str | None = None
) -> Operation:
    return Operation(
        "disk",
        IoType.READ,
        0,
        512,
        None if error else bytes(512),
        task,
        step,
        began=0,
        ended=1,
        last_step=last_step,
        error=error,
    )


def refusal(operation: Operation, *moments: Moment) -> str:
    with pytest.raises(UnsayableError) as caught:
        requests_to(Timeline(moments, (operation,)))
    return str(caught.value)


def test_a_request_is_sent_off_where_its_task_was_and_lands_where_it_completed() -> None:
    told = requests_to(Timeline(MOMENTS, (read(),)))
    (point,) = told.points
    assert (point.sent, point.lands) == (True, True)
    assert (point.request.sent, point.request.landed) == (0, 1)


def test_what_is_sent_off_in_the_step_that_ends_a_request_is_of_the_next_one() -> None:
    flush = "main: flush on disk"
    moments = (*MOMENTS[:2], replace(MOMENTS[2], launched=(flush,)))
    (point,) = requests_to(Timeline(moments, (read(),))).points
    assert point.request.landed == 1


def test_a_request_that_failed_at_the_disk_is_refused() -> None:
    assert refusal(read(error="EIO"), *MOMENTS) == "read 0+512 by main failed at the disk: EIO"


def test_a_request_of_nobody_is_refused() -> None:
    assert refusal(read(task=""), *MOMENTS).startswith("it is not known by which task there was")


def test_a_request_that_took_its_time_and_sent_nothing_off_is_refused() -> None:
    message = "it is not known when read 0+512 by main reached the disk"
    assert refusal(read(), *(replace(each, launched=()) for each in MOMENTS)) == message


def test_a_request_that_was_answered_at_once_lands_where_it_was_made() -> None:
    (point,) = requests_to(Timeline(MOMENTS[:1], (read(step=0, last_step=0),))).points
    assert (point.request.sent, point.request.landed) == (0, 0)


def test_a_request_is_described_by_what_it_is_about_and_whose_it_is() -> None:
    assert describe(read()) == "read 0+512 by main"
    assert describe(Operation("disk", IoType.FLUSH, 0, 0)) == "flush"
