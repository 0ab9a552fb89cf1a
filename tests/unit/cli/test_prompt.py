from __future__ import annotations

from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from blkdebug_async.cli.prompt import CommandCompleter, TerminalLines


def completions(typed: str) -> list[str]:
    completer = CommandCompleter()
    return [each.text for each in completer.get_completions(Document(typed), CompleteEvent())]


def test_the_name_of_a_command_is_completed() -> None:
    assert completions("rea") == ["read", "readv"]
    assert completions("read 0") == []


async def test_lines_can_be_edited_and_recalled() -> None:
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        lines = TerminalLines("prog> ")
        keys.send_text("lengthx\x7f\r")
        assert await lines.next_line() == "length"
        keys.send_text("\x1b[A\r")
        assert await lines.next_line() == "length"
        keys.send_text("leng\t\r")
        assert await lines.next_line() == "length"
        keys.send_text("\x04")
        assert await lines.next_line() is None
