"""Runs a session in both programs, and finds the shortest one that still differs."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tests.compat.outcome import Outcome, difference
from tests.compat.players import Player
from tests.compat.sessions import Session

#: How often a failing session is run again to shorten it.
_SHORTENINGS = 40


class Comparison:
    """Both programs, and a folder in which they leave nothing."""

    def __init__(self, real: Player, ours: Player, folder: Path) -> None:
        self._real = real
        self._ours = ours
        self._folder = folder
        self._numbers = itertools.count()

    def difference(self, session: Session) -> str:
        """Say how the programs differ; nothing if they do not."""
        number = next(self._numbers)
        real = self._real.play(session, self._folder / f"real{number}")
        ours = self._ours.play(session, self._folder / f"ours{number}")
        return difference(settled(real), ours)

    def check(self, session: Session, name: str = "") -> None:
        """Fail with the difference and a command line that shows it."""
        if self.difference(session):
            shorter = self._shortened(session)
            text = explained(shorter, self.difference(shorter))
            pytest.fail(f"{name}\n{text}", pytrace=False)

    def _shortened(self, session: Session) -> Session:
        # Leaving out a resume would make the real program wait for ever.
        tries = _SHORTENINGS
        position = len(session.commands)
        while position and tries:
            position -= 1
            tries -= 1
            if session.commands[position].split()[0] in {"resume", "wait_break", "remove_break"}:
                continue
            rest = session.commands[:position] + session.commands[position + 1 :]
            if rest and self._differs(session.with_commands(rest)):
                session = session.with_commands(rest)
        return session

    def _differs(self, session: Session) -> bool:
        if any(command.startswith("break ") for command in session.commands) and not any(
            command.startswith("aio_") for command in session.commands
        ):
            return False
        try:
            return bool(self.difference(session))
        except AssertionError:
            return False


def settled(real: Outcome) -> Outcome:
    """Refuse a session that hangs in the real program: it compares nothing."""
    assert real.status is not None, f"the real qemu-io hangs:\n{real.stdout}{real.stderr}"
    return real


def explained(session: Session, text: str) -> str:
    """Say what differs, and how to see it."""
    files = ", ".join(f"{name}: {content!r}" for name, content in session.files.items())
    return f"{text}\n\nfiles: {files}\nboth: {session.command_line()}"
