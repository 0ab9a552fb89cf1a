from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from blkdebug_async.explore import Failure, replay
from blkdebug_async.report import html_page, write_html
from tests.unit.report.failures import found, racing_writes

PAGE = Path(__file__).resolve().parents[3] / "blkdebug_async" / "report" / "page"
#: What the Web Content Accessibility Guidelines ask of text (level AA).
LEAST_CONTRAST = 4.5


@cache
def race() -> Failure:
    return found(racing_writes)


class Elements(HTMLParser):
    # A page as a browser reads it: scripts and styles end where their end tag is.
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append((self.tags[-1][0] if self.tags else "", data))

    def text_of(self, tag: str, number: int = 0) -> str:
        return [text for name, text in self.texts if name == tag and text.strip()][number]

    def data(self) -> dict[str, Any]:
        data: dict[str, Any] = json.loads(self.text_of("script"))
        return data


def raised(error: BaseException) -> Elements:
    async def scenario() -> None:
        raise error

    return Elements(html_page(replay(scenario, [])))


@pytest.mark.parametrize(
    "message",
    [
        "</script>",
        "<!-- <script>",
        "&lt;&amp;",
        "\u2028\u2029",
        "\x00\x1b[1m",
        "🐛",
        "\ud800",
        "${x}",
    ],
)
def test_a_message_comes_out_as_it_went_in(message: str) -> None:
    page = raised(ValueError(f"a{message}b"))
    assert page.data()["errors"][0]["message"] == f"a{message}b"
    assert len([tag for tag, _ in page.tags if tag == "script"]) == 2


def test_a_title_is_text_and_never_markup() -> None:
    page = Elements(html_page(race(), title="</title><b>&amp;"))
    assert page.text_of("title") == "</title><b>&amp;"
    assert page.data()["title"] == "</title><b>&amp;"


def test_a_page_may_run_its_own_script_and_style_and_load_nothing() -> None:
    page = Elements(html_page(race()))
    (policy,) = (
        attrs["content"] for _, attrs in page.tags if "Content-Security-Policy" in attrs.values()
    )
    assert policy is not None
    for directive, text in (
        ("script-src", page.text_of("script", 1)),
        ("style-src", page.text_of("style")),
    ):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_a_page_names_no_other_place() -> None:
    page = html_page(race())
    named = set(re.findall(r"https?://[^\s\"']+", page))
    assert named <= {"http://www.w3.org/2000/svg"}
    sources = [attrs.get("src") or attrs.get("href") for _, attrs in Elements(page).tags]
    assert [source for source in sources if source] == ["data:,"]


def test_a_page_says_how_to_run_it_again() -> None:
    data = Elements(html_page(race(), again="--explore-token {token}")).data()
    assert data["token"] == race().token
    assert data["again"] == f"--explore-token {race().token}"


def test_a_page_is_written_as_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    write_html(race(), path, title="größer 🐛")
    assert path.read_text(encoding="utf-8") == html_page(race(), title="größer 🐛")


def test_a_page_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no-such-folder"):
        write_html(race(), tmp_path / "no-such-folder" / "page.html")


# --- colours ---


def palettes() -> list[dict[str, str]]:
    blocks = re.findall(r":root \{(.*?)\}", (PAGE / "page.css").read_text(), re.DOTALL)
    return [dict(re.findall(r"--([\w-]+): (#\w+);", block)) for block in blocks]


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("palette", palettes(), ids=["light", "dark"])
@pytest.mark.parametrize(
    ("text", "ground"),
    [
        *(
            (text, ground)
            for text in ("text", "quiet", "accent")
            for ground in ("ground", "raised")
        ),
        ("text", "deviation-ground"),
        ("text", "accent-ground"),
        ("text", "read"),
        ("deviation", "ground"),
        ("on-fill", "write"),
        ("ground", "accent"),
    ],
)
def test_text_can_be_read_on_its_ground(palette: dict[str, str], text: str, ground: str) -> None:
    assert contrast(palette[text], palette[ground]) >= LEAST_CONTRAST
