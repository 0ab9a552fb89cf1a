"""A failure as a pytest function to paste: it fails as long as the bug is there."""

from __future__ import annotations

import re
import sys
from ast import literal_eval
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from textwrap import wrap
from typing import Final

from blkdebug_async.explore.places import raising_place
from blkdebug_async.explore.report import Failure
from blkdebug_async.explore.run import Conditions, Scenario
from blkdebug_async.report.deviations import deviation_lines
from blkdebug_async.report.lines import rendered
from blkdebug_async.report.words import Words, line_of

#: Columns of the file that this is pasted into.
_WIDTH: Final = 100
_INDENT: Final = "    "
#: So much of a token stands in a line.
_LONGEST_TOKEN: Final = 80
#: What else a run may hang on is the same each time, or is not to be said in code.
_SAYABLE: Final = (bool, int, str, float, bytes, type(None))


@dataclass(frozen=True, slots=True)
class _Reference:
    """How to get at the scenario."""

    #: Imports, without those of this package.
    imports: tuple[str, ...]
    #: The scenario, in code.
    code: str
    #: What it is called, for people; part of the test's name.
    name: str
    #: What to write before the test.
    before: tuple[str, ...] = ()


def pytest_case(
    failure: Failure, scenario: Scenario | str, *, conditions: Conditions | None = None
) -> str:
    """Give a file with a test that makes a failing run again.

    Args:
        failure: What was found.
        scenario: Where: the function itself, or "module:name". One that cannot be imported is
            left to be filled in.
        conditions: As explore() had them.

    Raises:
        ValueError: The reference is none.
    """
    reference = _referred(scenario) if isinstance(scenario, str) else _reference(scenario)
    names = ["replay"]
    arguments = [reference.code, f'"{failure.token}"']
    if said := _conditions(conditions):
        names.insert(0, "Conditions")
        arguments.append(f"conditions=Conditions({said})")
    ours = f"from blkdebug_async.explore import {', '.join(names)}"
    name = re.sub(r"\W+", "_", reference.name).strip("_").lower() or "scenario"
    lines = [
        "from __future__ import annotations",
        "",
        *_imports(ours, reference.imports),
        *reference.before,
        "",
        "",
        f"def test_{name}_in_the_order_that_failed() -> None:",
        *(f"{_INDENT}# {line}".rstrip() for line in _told(failure)),
        *_call(arguments),
    ]
    return "\n".join(lines) + "\n"


# --- what it says ---


def _told(failure: Failure) -> Iterator[str]:
    """Tell what fails, and what went otherwise."""
    width = _WIDTH - len(_INDENT) - 2
    words = Words(failure.timeline, *([failure.passing] if failure.passing else []))
    error = failure.error
    first = f"{type(error).__name__}: {error}".removesuffix(": ").splitlines()[0]
    yield from wrap(first, width)
    place = raising_place(error)
    if place is not None:
        yield f"  at {line_of(place)}"[:width]
    if failure.deviations:
        yield "What goes otherwise than it would anyway:"
        lines = deviation_lines(failure.deviations, failure.timeline, words, width)
        for line in rendered(lines, colour=False).splitlines():
            # What begins like code is taken for code that somebody has commented out.
            yield re.sub(r"^( {6,})(?=\S+:\d+:)", r"\1at ", line)[:width]


def _call(arguments: list[str]) -> Iterator[str]:
    line = f"{_INDENT}replay({', '.join(arguments)}).check()"
    if len(line) <= _WIDTH:
        yield line
        return
    scenario, token, *more = arguments
    if len(token) <= _LONGEST_TOKEN:
        yield f"{_INDENT}token = {token}"
    else:
        pieces = range(1, len(token) - 1, _LONGEST_TOKEN)
        yield f"{_INDENT}token = ("
        yield from (f'{_INDENT * 2}"{token[at:-1][:_LONGEST_TOKEN]}"' for at in pieces)
        yield f"{_INDENT})"
    yield f"{_INDENT}replay({', '.join([scenario, 'token', *more])}).check()"


def _conditions(conditions: Conditions | None) -> str:
    if conditions is None:
        return ""
    usual = Conditions()
    different = (
        (each.name, getattr(conditions, each.name))
        for each in fields(Conditions)
        if getattr(conditions, each.name) != getattr(usual, each.name)
    )
    return ", ".join(
        f"{name}={value!r}" for name, value in different if isinstance(value, _SAYABLE)
    )


# --- where the scenario is ---


def _referred(text: str) -> _Reference:
    module, colon, name = text.partition(":")
    parts = [*module.split("."), *name.split(".")]
    if not colon or not all(part.isidentifier() for part in parts):
        raise ValueError(f"a scenario is named as module:function, not as {text!r}")
    return _imported(module, name)


def _reference(scenario: Scenario) -> _Reference:
    if isinstance(scenario, partial):
        inner = _reference(scenario.func)
        arguments = [*map(repr, scenario.args)]
        arguments += [f"{name}={value!r}" for name, value in scenario.keywords.items()]
        if not inner.before and all(
            map(_is_sayable, (*scenario.args, *scenario.keywords.values()))
        ):
            code = f"partial({', '.join([inner.code, *arguments])})"
            return _Reference(("from functools import partial", *inner.imports), code, inner.name)
        return _to_be_filled_in(inner.name, repr(scenario))
    module = getattr(scenario, "__module__", None) or "__main__"
    name = str(getattr(scenario, "__qualname__", type(scenario).__qualname__))
    is_there = all(part.isidentifier() for part in name.split("."))
    if module == "__main__" or not is_there or not hasattr(scenario, "__qualname__"):
        return _to_be_filled_in(name.rpartition(".")[2], f"{module}.{name}")
    return _imported(module, name)


def _imported(module: str, name: str) -> _Reference:
    line = f"from {module} import {name.partition('.')[0]}"
    return _Reference((line,), name, name.rpartition(".")[2])


def _to_be_filled_in(name: str, what: str) -> _Reference:
    before = (
        "",
        "",
        "async def scenario() -> None:",
        f"{_INDENT}# To be filled in: what was explored cannot be imported. It was",
        f"{_INDENT}# {' '.join(what.split())}"[:_WIDTH],
        f"{_INDENT}raise NotImplementedError",
    )
    return _Reference((), "scenario", name, before)


def _is_sayable(value: object) -> bool:
    try:
        return bool(literal_eval(repr(value)) == value)
    except (ValueError, SyntaxError):
        return False


# --- imports ---


def _imports(ours: str, others: tuple[str, ...]) -> Iterator[str]:
    """Order imports as isort does: the standard library, what is installed, one's own."""
    standard = [line for line in others if line.split()[1] in sys.stdlib_module_names]
    own = [line for line in others if line not in standard and not _is_installed(line.split()[1])]
    installed = [line for line in others if line not in standard and line not in own]
    groups = [standard, sorted([ours, *installed]), own]
    if own and _root("blkdebug_async") == _root(own[0].split()[1]):
        groups = [standard, [], sorted([ours, *installed, *own])]
    blocks = ["\n".join(lines) for lines in groups if lines]
    yield from "\n\n".join(blocks).splitlines()


def _is_installed(module: str) -> bool:
    return "site-packages" in _root(module)


def _root(module: str) -> str:
    """Give the folder in which the outermost package of a module is; "": that is not known."""
    package = sys.modules.get(module.partition(".")[0])
    path = getattr(package, "__file__", None) or next(iter(getattr(package, "__path__", ())), None)
    if path is None:
        return ""
    found = Path(path)
    return str(found.parent.parent if found.name == "__init__.py" else found.parent)
