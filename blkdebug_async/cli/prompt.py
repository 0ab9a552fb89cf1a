"""The prompt on a terminal: editing, history, completion.

Nothing else imports prompt_toolkit, and only a session on a terminal imports this module (see
io_door.py): it takes longer to import than all the rest takes to run.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.patch_stdout import patch_stdout
from prompt_toolkit.shortcuts import CompleteStyle

from blkdebug_async.cli.commands import COMMANDS


class TerminalLines:
    """Lines that a person types.

    Args:
        prompt: What stands in front of each.
    """

    def __init__(self, prompt: str) -> None:
        self._prompt = prompt
        # As QEMU's own editor: Tab completes at once, and lists what it could be below.
        self._session: PromptSession[str] = PromptSession(
            completer=CommandCompleter(),
            complete_style=CompleteStyle.READLINE_LIKE,
            complete_while_typing=False,
            reserve_space_for_menu=0,
        )

    async def next_line(self) -> str | None:
        """Wait for a line; None: the person is done."""
        # What requests report meanwhile is written above the prompt.
        with patch_stdout():
            try:
                return await self._session.prompt_async(self._prompt)
            except EOFError:
                return None
            except KeyboardInterrupt:
                signal.raise_signal(signal.SIGINT)
                return None


class CommandCompleter(Completer):
    """Completes the name of a command."""

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        typed = document.text_before_cursor
        for command in COMMANDS:
            if command.name.startswith(typed):
                yield Completion(command.name, start_position=-len(typed))


class TerminalStream:
    """Stdout of a session on a terminal, above the prompt if there is one."""

    def write(self, data: bytes) -> None:
        """Show something."""
        sys.stdout.write(os.fsdecode(data))

    def flush(self) -> None:
        """Show it now."""
        sys.stdout.flush()
