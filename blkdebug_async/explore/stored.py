"""Tokens of runs that failed, kept in a folder, to be tried first the next time."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Final

from blkdebug_async.explore.token import TokenError, decode

#: So many are kept of one scenario.
_MOST: Final = 16
#: A file name holds so much of a scenario's name; the hash behind it tells all apart.
_NAME_LENGTH: Final = 80


class Stored:
    """The tokens of one scenario: a text file, the newest first, one a line.

    Args:
        folder: Where the files of all scenarios are, made when there is something to keep; None:
            nothing is kept.
        name: The scenario's.
    """

    def __init__(self, folder: str | os.PathLike[str] | None, name: str) -> None:
        readable = re.sub(r"[^A-Za-z0-9_.-]+", "-", name)[-_NAME_LENGTH:].strip("-.")
        mark = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
        #: The file; None: there is none.
        self.path = None if folder is None else Path(folder) / f"{readable}-{mark}.txt"

    def tokens(self) -> tuple[str, ...]:
        """Give the tokens, the newest first; what is none, or of another version, is left out."""
        if self.path is None:
            return ()
        try:
            lines = self.path.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return ()
        return tuple(line for line in lines if _is_token(line))

    def keep(self, token: str) -> None:
        """Put a token first.

        Raises:
            OSError: The file cannot be written.
        """
        if self.path is None:
            return
        tokens = (token, *(each for each in self.tokens() if each != token))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Others may be reading, or keeping a token of their own.
        handle, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=".token-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write("".join(f"{each}\n" for each in tokens[:_MOST]))
            Path(temporary).replace(self.path)
        except BaseException:
            with suppress(OSError):
                Path(temporary).unlink()
            raise


def _is_token(line: str) -> bool:
    try:
        decode(line)
    except TokenError:
        return False
    return True
