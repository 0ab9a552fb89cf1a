from __future__ import annotations

import asyncio

import anyio
import pytest

from blkdebug_async.explore.actions import Kind
from blkdebug_async.explore.footprint import Touch
from blkdebug_async.explore.loop import ExploringLoop
from tests.unit.explore.loop_schedulers import Listed
from tests.unit.explore.test_loop_flight import run


async def child() -> None:
    await asyncio.sleep(0)


def actors(scheduler: Listed) -> list[str]:
    tasks = (action.actor for action, _ in scheduler.steps if action.kind is Kind.TASK)
    return list(dict.fromkeys(tasks))


def touches(scheduler: Listed, key: str) -> set[tuple[str, Touch]]:
    return {
        (footprint.node.removeprefix("sync:"), footprint.touch)
        for action, touched in scheduler.steps
        if action.key == key
        for footprint in touched
    }


def test_tasks_are_named_by_their_makers_and_told_apart_by_number() -> None:
    async def parent() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(child())
            group.create_task(child())

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(parent())

    scheduler = Listed()
    run(main(), scheduler)
    assert actors(scheduler) == ["main", "main/parent", "main/parent/child", "main/parent/child#1"]


def test_a_task_goes_by_the_name_that_it_was_given() -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(child(), name="reader")
            group.create_task(child(), name="reader")

    scheduler = Listed()
    run(main(), scheduler)
    assert actors(scheduler) == ["main", "main/reader", "main/reader#1"]


def test_tasks_made_without_the_loop_have_names_too() -> None:
    async def main() -> None:
        await asyncio.Task(child())

    scheduler = Listed()
    run(main(), scheduler)
    assert actors(scheduler) == ["main", "main/child"]


def test_anyios_tasks_are_named_after_their_functions() -> None:
    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(child)
            group.start_soon(child, name="reader")

    scheduler = Listed()
    run(main(), scheduler)
    assert [name.rpartition(".")[2] for name in actors(scheduler)] == [
        "main",
        "child",
        "main/reader",
    ]


def test_the_steps_of_a_task_are_numbered() -> None:
    scheduler = Listed()
    run(child(), scheduler)
    assert scheduler.keys[:2] == ["child:0", "child:1"]


def test_callbacks_and_timers_are_named_after_who_set_them() -> None:
    def tick() -> None: ...

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(tick)
        loop.call_soon(tick)
        loop.call_later(1, tick)
        await asyncio.sleep(2)

    scheduler = Listed()
    run(main(), scheduler)
    kinds = {action.key: action.kind for action, _ in scheduler.steps}
    assert kinds["main>tick"] is Kind.CALL
    assert kinds["main>tick#1"] is Kind.CALL
    assert kinds["main>timer tick"] is Kind.TIMER
    assert kinds["main>sleep"] is Kind.TIMER


def test_a_step_that_wakes_a_task_touches_it() -> None:
    async def main() -> None:
        future = asyncio.get_running_loop().create_future()
        task = asyncio.ensure_future(wait(future))
        await asyncio.sleep(0)
        future.set_result(None)
        await task

    async def wait(future: asyncio.Future[None]) -> None:
        await future

    scheduler = Listed()
    run(main(), scheduler)
    assert ("task main/wait", Touch.WRITE) in touches(scheduler, "main:1")
    assert ("future main", Touch.WRITE) in touches(scheduler, "main:1")
    assert ("future main", Touch.READ) in touches(scheduler, "main/wait:0")


def test_a_task_that_ends_touches_itself_and_who_awaits_it_looks_at_it() -> None:
    async def main() -> None:
        await asyncio.ensure_future(child())

    scheduler = Listed()
    run(main(), scheduler)
    assert ("task main/child", Touch.READ) in touches(scheduler, "main:0")
    assert ("task main/child", Touch.WRITE) not in touches(scheduler, "main/child:0")
    assert ("task main/child", Touch.WRITE) in touches(scheduler, "main/child:1")


def test_cancelling_touches_the_task() -> None:
    async def main() -> None:
        task = asyncio.ensure_future(child())
        await asyncio.sleep(0)
        task.cancel()

    scheduler = Listed()
    run(main(), scheduler)
    assert ("task main/child", Touch.WRITE) in touches(scheduler, "main:1")


async def locking() -> None:
    lock = asyncio.Lock()
    async with lock:
        await asyncio.sleep(0)


async def setting() -> None:
    event = asyncio.Event()
    event.set()
    await event.wait()


async def queueing() -> None:
    queue: asyncio.Queue[int] = asyncio.Queue()
    queue.put_nowait(1)
    await queue.get()


async def limiting() -> None:
    async with asyncio.Semaphore():
        pass


async def notifying() -> None:
    condition = asyncio.Condition()
    async with condition:
        condition.notify_all()


@pytest.mark.parametrize(
    ("scenario", "name"),
    [
        (locking, "lock locking"),
        (setting, "event setting"),
        (queueing, "queue queueing"),
        (limiting, "semaphore limiting"),
        (notifying, "condition notifying"),
    ],
)
def test_uncontended_uses_of_synchronisation_objects_are_noted(scenario: object, name: str) -> None:
    assert callable(scenario)
    scheduler = Listed()
    run(scenario(), scheduler)
    key = scheduler.keys[0]
    assert (name, Touch.WRITE) in touches(scheduler, key)


def test_looking_at_a_synchronisation_object_is_reading() -> None:
    event = asyncio.Event()

    async def main() -> None:
        event.is_set()

    scheduler = Listed()
    run(main(), scheduler)
    assert [touch for name, touch in touches(scheduler, "main:0") if "event" in name] == [
        Touch.READ
    ]


def test_objects_are_named_by_who_made_them_not_by_who_uses_them_first() -> None:
    async def use(lock: asyncio.Lock) -> None:
        async with lock:
            pass

    async def main() -> None:
        locks = asyncio.Lock(), asyncio.Lock()
        async with asyncio.TaskGroup() as group:
            group.create_task(use(locks[1]))
            group.create_task(use(locks[0]))

    scheduler = Listed()
    run(main(), scheduler)
    assert ("lock main#1", Touch.WRITE) in touches(scheduler, "main/use:0")


def test_objects_made_before_the_loop_runs_have_names_too() -> None:
    scheduler = Listed()
    loop = ExploringLoop(scheduler)
    first, second = asyncio.Lock(), asyncio.Lock()

    async def main() -> None:
        for lock in (second, first):
            async with lock:
                pass

    loop.run_until_complete(main())
    loop.close()
    names = [
        footprint.node
        for _, touched in scheduler.steps
        for footprint in touched
        if footprint.touch is Touch.WRITE and "lock" in footprint.node
        if "clock" not in footprint.node
    ]
    assert names == ["sync:lock#1", "sync:lock"]


def test_time_is_shared_by_who_looks_at_it_and_who_moves_it() -> None:
    scheduler = Listed()
    run(asyncio.sleep(1), scheduler)
    assert ("clock", Touch.READ) in touches(scheduler, "sleep:0")
    assert ("clock", Touch.WRITE) in touches(scheduler, "sleep>sleep")


def test_asyncios_classes_are_as_before_after_the_last_run() -> None:
    classes = asyncio.Lock, asyncio.Event, asyncio.Queue, asyncio.Condition, asyncio.Semaphore
    before = [dict(vars(each)) for each in classes]
    loop, other = ExploringLoop(Listed()), ExploringLoop(Listed())
    assert [dict(vars(each)) for each in classes] != before
    loop.close()
    loop.close()
    assert [dict(vars(each)) for each in classes] != before
    other.close()
    assert [dict(vars(each)) for each in classes] == before


def test_a_run_that_wants_no_actions_leaves_asyncios_classes_alone() -> None:
    before = dict(vars(asyncio.Lock))
    loop = ExploringLoop(Listed(wants_actions=False))
    assert dict(vars(asyncio.Lock)) == before
    loop.close()
