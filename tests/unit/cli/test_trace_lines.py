from __future__ import annotations

import io

import pytest

from blkdebug_async.cli.image import ImageOpener
from blkdebug_async.cli.io_door import converse
from blkdebug_async.cli.io_options import IoOptions
from blkdebug_async.cli.output import Output
from blkdebug_async.cli.trace_lines import TRACE_POINTS, TraceSwitches
from tests.unit.cli.playing import BROKEN, CALLER


async def traced(*patterns: str) -> list[str]:
    lines: list[str] = []
    switches = TraceSwitches()
    for pattern in patterns:
        switches.enable(pattern)
    commands = [
        "break pwritev A",
        "aio_write -q 1k 512",
        "aio_write -q 2k 512",
        "resume A",
        "read 1M 1",
    ]
    options = IoOptions(commands, BROKEN, image_opts=True, traces=switches)
    output = Output(io.BytesIO(), io.BytesIO())
    await converse(CALLER, options, output, ImageOpener(switches, lines.append))
    return lines


async def test_nothing_is_shown_unless_it_is_switched_on() -> None:
    assert await traced() == []


@pytest.mark.parametrize("point", TRACE_POINTS)
async def test_each_trace_point_can_be_shown_alone(point: str) -> None:
    lines = await traced(point)
    assert lines
    assert {line.split()[0] for line in lines} == {point}


async def test_a_trace_tells_who_waits_for_whom() -> None:
    (line,) = await traced("request_waits")
    assert " write 2048+512 " in line
    assert line.endswith("for 2\n")


def test_patterns_match_or_not() -> None:
    switches = TraceSwitches()
    assert switches.enable("*")
    assert switches.enable("-event_fired")
    assert not switches.shows("event_fired")
    assert not switches.enable("event_fire")
    assert switches.enable("bdrv_*")
