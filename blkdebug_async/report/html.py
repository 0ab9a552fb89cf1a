"""A run as one page that works from a file: a timeline to step through, with all that is known.

The page asks nobody for anything: its script, its style and its data are in it, and its own policy
lets it load nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Final

from blkdebug_async.explore.report import Failure, Replayed
from blkdebug_async.report.page_data import page_data

_ASSETS: Final = files("blkdebug_async.report") / "page"
#: Parts of the script, in the order in which they need each other.
_SCRIPTS: Final = ("elements.js", "run.js", "timeline.js", "panels.js", "changes.js", "page.js")
#: How to run it again, unless somebody says otherwise.
_AGAIN: Final = 'replay(scenario, "{token}").check()'
#: What must not stand in a script element as it is; U+2028 and U+2029 end lines in old browsers.
_ESCAPES: Final = {ord(each): f"\\u{ord(each):04x}" for each in "<>&\u2028\u2029"}


def html_page(shown: Failure | Replayed, *, title: str | None = None, again: str = _AGAIN) -> str:
    """Make a page of a failure, or of a run that was made again.

    Args:
        shown: What to show.
        title: Its heading; None: whether it fails.
        again: How to run it again, with {token} in it.

    Returns:
        The whole page, to be written as UTF-8.
    """
    if title is None:
        title = "A run that passes" if shown.error is None else "A run that fails"
    style = _asset("page.css")
    script = '(() => {\n"use strict";\n' + "\n".join(map(_asset, _SCRIPTS)) + "\n})();\n"
    # JSON has no lone surrogates, and neither has UTF-8.
    data = json.dumps({"title": title, **page_data(shown, again)}, separators=(",", ":"))
    return Template(_asset("page.html")).substitute(
        title=html.escape(_encodable(title)),
        style=style,
        style_hash=_hash(style),
        script=script,
        script_hash=_hash(script),
        data=data.translate(_ESCAPES),
    )


def write_html(
    shown: Failure | Replayed,
    path: str | os.PathLike[str],
    *,
    title: str | None = None,
    again: str = _AGAIN,
) -> None:
    """Write the page of a failure, or of a run that was made again, into a file.

    Args:
        shown: As of html_page().
        path: The file; what is there is lost.
        title: As of html_page().
        again: As of html_page().

    Raises:
        OSError: It cannot be written.
    """
    Path(path).write_text(
        html_page(shown, title=title, again=again), encoding="utf-8", newline="\n"
    )


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Give the hash by which the page's policy knows its own script and style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _encodable(text: str) -> str:
    """Give a text that UTF-8 can say; surrogates of bad file names become question marks."""
    return text.encode(errors="replace").decode()
