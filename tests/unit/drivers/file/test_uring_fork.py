from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FORK = """
import asyncio, os, sys
from blkdebug_async.drivers.file.address import address_of
from blkdebug_async.drivers.file.rings import READ
from blkdebug_async.drivers.file.uring import Uring

ring = Uring()
read, write = os.pipe()
file = os.open(sys.argv[1], os.O_RDONLY)
inherited = bytearray(2)


def move(fd, buffer, offset):
    view = memoryview(buffer)
    return ring.move(READ, fd, offset, address_of(view), len(view), view)


async def ask(fd):
    buffer = bytearray(2)
    await move(fd, buffer, 5)
    return buffer


async def parent():
    task = asyncio.ensure_future(move(read, inherited, 0))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    child = os.fork()
    if not child:
        right = True
        if sys.argv[2] == "asks":
            asyncio._set_running_loop(None)
            loop = asyncio.new_event_loop()
            right = loop.run_until_complete(ask(file)) == b"\\5\\6"
        ring.close()
        os._exit(not right)
    assert os.waitpid(child, 0)[1] == 0
    os.write(write, b"ok")
    assert await task == 2
    assert inherited == b"ok"
    assert await ask(file) == b"\\5\\6"


asyncio.run(parent())
"""


@pytest.mark.usefixtures("ring")
@pytest.mark.parametrize("child", ["asks", "only closes"])
def test_a_fork_gets_a_ring_of_its_own(tmp_path: Path, child: str) -> None:
    path = tmp_path / "image"
    path.write_bytes(bytes(range(16)))
    done = subprocess.run([sys.executable, "-c", FORK, path, child], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
