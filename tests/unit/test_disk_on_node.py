from __future__ import annotations

from errno import EINVAL, EIO

import pytest

from blkdebug_async import Event, InjectError, OptionError, open_disk

SOURCE = {
    "driver": "blkdebug",
    "image": {"driver": "memory", "size": 1 << 16, "node-name": "low"},
}


async def test_requests_to_a_node_pass_by_what_is_above_it() -> None:
    async with open_disk(SOURCE) as disk, disk.on_node("low") as low:
        disk.add_rule(InjectError(event=Event.PWRITEV, errno=EIO, once=True))
        await low.pwrite(0, b"below")
        assert await disk.pread(0, 5) == b"below"
        with pytest.raises(OSError, match="Input/output error"):
            await disk.pwrite(0, b"above")


async def test_a_node_stays_open_until_its_own_disk_is_closed() -> None:
    disk = await open_disk(SOURCE)
    low = disk.on_node("low")
    await disk.close()
    await low.pwrite(0, b"still there")
    assert await low.pread(0, 11) == b"still there"
    await low.close()
    assert low.closed


async def test_closing_the_disk_of_a_node_leaves_the_tree_open() -> None:
    async with open_disk(SOURCE) as disk:
        await disk.on_node("low").close()
        await disk.pwrite(0, b"fine")


async def test_a_node_that_is_not_there_is_refused() -> None:
    async with open_disk(SOURCE) as disk:
        with pytest.raises(OptionError, match="Cannot find node-name='deep'") as refused:
            disk.on_node("deep")
    assert refused.value.errno == EINVAL


async def test_a_disk_on_a_node_that_may_not_be_written_is_only_read() -> None:
    async with open_disk(SOURCE, read_only=True) as disk, disk.on_node("low") as low:
        assert low.read_only
        assert await low.pread(0, 4) == bytes(4)
