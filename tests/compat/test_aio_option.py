from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.compat.compare import Comparison
from tests.compat.sessions import Session, params

CHECK = ("read -q 0 512", "write -q -P 9 1 600", "aio_write -q 8k 4k", "aio_flush", "read -P 9 1 9")
FILE = "driver=raw,file.driver=file,file.filename=img"


def called(*words: str, commands: tuple[str, ...] = CHECK) -> Session:
    return Session((*words, "-f", "raw", "img"), commands)


def told(options: str, *words: str) -> Session:
    return Session(("--image-opts", *words, f"{FILE},{options}"), CHECK)


def reopened(command: str, *words: str) -> Session:
    return called(*words, commands=(command, *CHECK))


WITHOUT_IO_URING = {
    "native": called("-i", "native"),
    "native-letter": called("-k"),
    "native-past-the-cache": called("-n", "-k"),
    "native-by-cache-mode": called("-t", "none", "-i", "native"),
    "native-after-io-uring": called("-i", "io_uring", "-k"),
    "native-before-io-uring": called("-k", "-i", "io_uring"),
    "native-before-threads": called("-k", "-i", "threads"),
    "native-of-an-absent-file": Session(("-k", "-f", "raw", "absent"), CHECK),
    "native-of-no-file": Session(("-k", "-f", "raw", "null-co://"), ("read -q 0 512",)),
    "native-behind-blkdebug": Session(("-k", "-f", "raw", "blkdebug::img"), CHECK),
    "option-native": told("file.aio=native"),
    "option-native-past-the-cache": told("file.aio=native,file.cache.direct=on"),
    "option-native-all-past-the-cache": told("file.aio=native,cache.direct=on"),
    "option-threads-before-native": told("file.aio=threads", "-k"),
    "option-native-before-io-uring": told("file.aio=native", "-i", "io_uring"),
    "option-unknown": told("file.aio=foo", "-n", "-k"),
    "option-of-the-format": told("aio=native", "-n"),
    "open-native": Session((), ("open -k -o driver=raw img", "length")),
    "open-native-past-the-cache": Session((), ("open -n -k -o driver=raw img", *CHECK)),
    "reopen-native-into-the-cache": reopened("reopen -o cache.direct=off", "-n", "-k"),
    "reopen-native-by-cache-mode": reopened("reopen -c writeback", "-n", "-k"),
    "reopen-read-only": reopened("reopen -r", "-n", "-k"),
    "reopen-changes-no-aio": reopened("reopen -o file.aio=native", "-n"),
    "reopen-repeats-no-aio": reopened("reopen -o file.aio=threads"),
    "reopen-past-the-cache": reopened("reopen -o cache.direct=on"),
    "reopen-past-the-cache-and-back": called(
        commands=("reopen -c none", *CHECK, "reopen -c writeback", *CHECK)
    ),
}
WITH_IO_URING = {
    "io-uring": called("-i", "io_uring"),
    "io-uring-past-the-cache": called("-n", "-i", "io_uring"),
    "io-uring-before-threads": called("-i", "io_uring", "-i", "threads"),
    "option-io-uring": told("file.aio=io_uring"),
    "option-io-uring-before-native": told("file.aio=io_uring", "-k"),
    "reopen-changes-io-uring": reopened("reopen -o file.aio=threads", "-i", "io_uring"),
}
SESSIONS: dict[str, Session] = {**WITHOUT_IO_URING, **WITH_IO_URING}


@pytest.mark.peer
@pytest.mark.parametrize("session", params(WITHOUT_IO_URING))
def test_aio_is_taken_and_refused_as_in_qemu_io(session: Session, comparison: Comparison) -> None:
    comparison.check(session)


@pytest.fixture(scope="session")
def _io_uring(
    require_peer: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> None:
    image = tmp_path_factory.mktemp("io_uring") / "img"
    image.write_bytes(bytes(512))
    words = ("-i", "io_uring", "-f", "raw", "-c", "read 0 512", image)
    tried = subprocess.run(
        (require_peer("qemu-io"), *words), capture_output=True, text=True, check=False
    )
    if tried.returncode or tried.stderr:
        pytest.skip(f"the real qemu-io has no io_uring here: {tried.stderr.strip()}")


@pytest.mark.peer
@pytest.mark.usefixtures("_io_uring")
@pytest.mark.parametrize("session", params(WITH_IO_URING))
def test_io_uring_is_taken_as_in_qemu_io(session: Session, comparison: Comparison) -> None:
    comparison.check(session)
