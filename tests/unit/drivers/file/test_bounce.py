from __future__ import annotations

import subprocess
import sys

FORK = """
import os

from blkdebug_async.drivers.file.bounce import BouncePool

pool = BouncePool()
bounce = pool.take(512)
bounce.view[:] = b"p" * 512
pool.give_back(bounce, 512)
child = os.fork()
if not child:
    pool.take(512).view[:] = b"c" * 512
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert pool.take(512).view == b"p" * 512
"""


def test_a_fork_has_buffers_of_its_own() -> None:
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
