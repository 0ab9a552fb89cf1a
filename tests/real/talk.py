"""A shell that is spoken to line by line, the real one or ours."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.compat.outcome import without_rates

ROOT = Path(__file__).resolve().parents[2]
PROMPT = b"qemu-io> "
OURS = "import sys; from blkdebug_async.cli.shell import main; sys.exit(main(sys.argv[1:]))"


class Talk:
    """A program and what it says."""

    @classmethod
    def with_qemu_io(cls, program: Path) -> Callable[..., Talk]:
        return lambda *words: cls(str(program), *words)

    @classmethod
    def with_ours(cls) -> Callable[..., Talk]:
        start = f"import sys; sys.path.insert(0, {str(ROOT)!r}); {OURS}"
        return lambda *words: cls(sys.executable, "-c", start, "qemu-io", *words)

    def __init__(self, *command: str) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self.status: int | None = None
        self._heard()

    def say(self, line: str) -> str:
        """Type a line; give the answer without rates and prompt."""
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()
        return self._heard()

    def _heard(self) -> str:
        assert self._process.stdout is not None
        heard = b""
        while not heard.endswith(PROMPT):
            byte = self._process.stdout.read(1)
            assert byte, heard
            heard += byte
        return without_rates(heard.removesuffix(PROMPT).decode())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate(timeout=10)
        self.status = self._process.returncode
