from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.compat.compare import Comparison
from tests.compat.players import CommandPlayer
from tests.compat.sessions import Session, on_blkdebug, on_raw, params, with_config

SESSIONS: dict[str, Session] = {
    "reads-and-writes": on_raw("write -P 7 0 1000", "read -v 990 20", "length", "map"),
    "the-prefix-of-errors-is-the-link-s-name": on_raw("read 0 512", words=("-t", "foo")),
    "an-absent-image": Session(("-f", "raw", "absent"), ("read 0 512",), files={}),
    "a-held-request": on_blkdebug(
        "align=4k",
        "break pwritev A",
        "aio_write 1k 1k",
        "wait_break A",
        "resume A",
        "aio_flush",
    ),
    "a-config-file": with_config('[inject-error]\nevent = "read_aio"\n', "read 0 512"),
    "typed-lines": Session(("-f", "raw", "img"), typed="length\nread -v 0 16\nquit\n"),
    "the-signal-of-abort": on_raw("abort"),
}


@pytest.fixture(scope="session")
def comparison_with_link(
    require_peer: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Comparison:
    real = CommandPlayer(require_peer("qemu-io"))
    link = tmp_path_factory.mktemp("bin") / "qemu-io"
    link.symlink_to(Path(sys.executable).parent / "blkdebug-async")
    return Comparison(real, CommandPlayer(link), tmp_path_factory.mktemp("link"))


@pytest.mark.peer
@pytest.mark.slow
@pytest.mark.parametrize("session", params(SESSIONS))
def test_a_link_named_qemu_io_is_qemu_io(
    session: Session, comparison_with_link: Comparison
) -> None:
    comparison_with_link.check(session)
