from __future__ import annotations

from errno import EFBIG, EINVAL

import pytest

from blkdebug_async.errors import BlockError
from blkdebug_async.opening import open_disk


@pytest.mark.parametrize(
    ("name", "errno"), [("a\0b", EINVAL), ("half a pair \ud800", EINVAL), ("/dev/zero", EFBIG)]
)
async def test_a_config_file_that_cannot_be_read_is_refused(name: str, errno: int) -> None:
    image = {"driver": "memory", "size": 512}
    with pytest.raises(BlockError, match="Could not read blkdebug config file") as caught:
        await open_disk({"driver": "blkdebug", "config": name, "image": image})
    assert caught.value.errno == errno
