"""The page of a failure in a real browser: keys, buttons, its address; it asks for nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, sync_playwright

from blkdebug_async import open_disk
from blkdebug_async.explore import Failure, Replayed, replay
from blkdebug_async.report import write_html
from tests.peers import require_peer
from tests.unit.report.failures import SECTOR, crossed_locks, found, racing_writes

pytestmark = [pytest.mark.peer, pytest.mark.slow]

#: Ends a script, a line, a string; is no character, or two; is markup, or too long.
HOSTILE = (
    "</script><script>stolen = 1</script> & \u2028 'a' \"b\""
    f" <img src=x onerror=stolen=1> 🐛 \ud800 ${{token}} {'long' * 100}"
)
WORKERS, WRITES = 20, 40


async def hostile() -> None:
    async def bad() -> None:
        await asyncio.sleep(2)
        raise AssertionError(HOSTILE)

    async with asyncio.TaskGroup() as group:
        group.create_task(bad(), name="<b>bold</b>")


async def long() -> None:
    async with open_disk({"driver": "memory", "size": WORKERS * WRITES * SECTOR}) as disk:

        async def work(number: int) -> None:
            for count in range(WRITES):
                await disk.pwrite((number * WRITES + count) * SECTOR, bytes(SECTOR))

        async with asyncio.TaskGroup() as group:
            for number in range(WORKERS):
                group.create_task(work(number), name=f"worker {number}")


@dataclass
class Shown:
    file: Path
    run: Failure | Replayed

    @property
    def last(self) -> int:
        return len(self.run.timeline.moments) - 1

    @property
    def deviations(self) -> list[int]:
        return [moment.number for moment in self.run.timeline.moments if moment.deviates]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Shown]:
    # Before there is a browser: its driver takes the thread's event loop.
    runs: dict[str, Failure | Replayed] = {
        "race": found(racing_writes),
        "deadlock": found(crossed_locks),
        "hostile": found(hostile),
        "long": replay(long, [int(number % 97 == 5) for number in range(2000)]),
        "passing": replay(racing_writes, []),
    }
    folder = tmp_path_factory.mktemp("pages")
    pages = {name: Shown(folder / f"{name}.html", run) for name, run in runs.items()}
    for name, each in pages.items():
        write_html(each.run, each.file, title=HOSTILE if name == "hostile" else None)
    return pages


@pytest.fixture(scope="module")
def browser(shown: dict[str, Shown]) -> Iterator[Browser]:
    program = require_peer("chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Watched:
    """A page, and whatever it should not do."""

    page: Page
    shown: dict[str, Shown]
    asked_for: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def open(self, name: str, hash: str = "") -> Shown:
        self.page.goto(f"{self.shown[name].file.as_uri()}{hash}")
        return self.shown[name]

    def heard(self, message: ConsoleMessage) -> None:
        self.complaints.append(f"{message.type}: {message.text}")

    @property
    def step(self) -> int:
        number, _last = self.page.locator("#where").inner_text().split(" of ")
        assert self.page.locator("#slider").input_value() == number
        assert self.page.locator("#summary b").first.inner_text() == f"Step {number}"
        assert self.page.url.endswith(f"#step={number}")
        return int(number)


@pytest.fixture
def watched(browser: Browser, shown: dict[str, Shown]) -> Iterator[Watched]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    watched = Watched(context.new_page(), shown)
    watched.page.on("request", lambda request: watched.asked_for.append(request.url))
    watched.page.on("console", watched.heard)
    watched.page.on("pageerror", lambda error: watched.complaints.append(str(error)))
    yield watched
    context.close()
    assert watched.complaints == []
    assert {url.partition("#")[0] for url in watched.asked_for} <= {
        each.file.as_uri() for each in shown.values()
    }


def body(watched: Watched, panel: str) -> Locator:
    return watched.page.locator(f"#{panel}-body")


# --- going to a step ---


def test_the_page_opens_at_the_first_deviation(watched: Watched) -> None:
    shown = watched.open("race")
    assert watched.step == shown.deviations[0]


def test_where_nothing_deviates_it_opens_where_the_error_was_raised(watched: Watched) -> None:
    shown = watched.open("hostile")
    raising = next(each for each in shown.run.timeline.moments if each.raised)
    assert shown.deviations == []
    assert watched.step == raising.number


def test_keys_go_from_step_to_step_and_stop_at_the_ends(watched: Watched) -> None:
    shown = watched.open("race")
    press = watched.page.keyboard.press
    seen = []
    for key in ("Home", "ArrowLeft", "ArrowRight", "ArrowRight", "ArrowLeft", "End", "ArrowRight"):
        press(key)
        seen.append(watched.step)
    assert seen == [0, 0, 1, 2, 1, shown.last, shown.last]


def test_buttons_do_what_keys_do(watched: Watched) -> None:
    shown = watched.open("race")
    seen = []
    for name in ("First step", "Next step", "Next step", "Previous step", "Last step"):
        watched.page.get_by_role("button", name=name, exact=True).click()
        seen.append(watched.step)
    assert seen == [0, 1, 2, 1, shown.last]
    assert watched.page.get_by_role("button", name="Next step").is_disabled()


def test_buttons_can_be_reached_and_pressed_by_keys(watched: Watched) -> None:
    watched.open("race", "#step=1")
    watched.page.locator("#next").focus()
    watched.page.keyboard.press("Enter")
    watched.page.keyboard.press("Space")
    assert watched.step == 3
    watched.page.keyboard.press("Tab")
    assert watched.page.evaluate("document.activeElement.id") == "last"


def test_the_slider_goes_to_its_step_once_a_key(watched: Watched) -> None:
    watched.open("race", "#step=2")
    watched.page.locator("#slider").focus()
    watched.page.keyboard.press("ArrowRight")
    assert watched.step == 3
    watched.page.locator("#slider").fill("7")
    assert watched.step == 7


def test_arrows_in_a_field_move_its_cursor(watched: Watched) -> None:
    watched.open("race", "#step=2")
    watched.page.locator("#token").focus()
    watched.page.keyboard.press("ArrowRight")
    assert watched.step == 2


def test_keys_jump_from_deviation_to_deviation(watched: Watched) -> None:
    shown = watched.open("long", "#step=0")
    seen = []
    for key in ("n", "n", "n", "Shift+N", "End", "n", "Shift+N"):
        watched.page.keyboard.press(key)
        seen.append(watched.step)
    first, second, third = shown.deviations[:3]
    assert seen == [first, second, third, second, shown.last, shown.last, shown.deviations[-1]]


def test_a_click_into_a_column_goes_to_its_step(watched: Watched) -> None:
    shown = watched.open("race", "#step=0")
    mark = watched.page.locator(f".mark[data-step='{shown.last - 1}']")
    box = mark.bounding_box()
    assert box is not None
    watched.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 40)
    assert watched.step == shown.last - 1


@pytest.mark.parametrize(
    ("asked", "expected"), [("#step=3", 3), ("#step=999999", -1), ("#step=x", None)]
)
def test_the_address_says_which_step_is_shown(
    watched: Watched, asked: str, expected: int | None
) -> None:
    shown = watched.open("race", asked)
    wanted = {None: shown.deviations[0], -1: shown.last}.get(expected, expected)
    assert watched.step == wanted


def test_another_address_goes_to_another_step(watched: Watched) -> None:
    watched.open("race", "#step=3")
    watched.page.evaluate("location.hash = '#step=5'")
    watched.page.wait_for_function("document.getElementById('slider').value === '5'")
    assert watched.step == 5


# --- what is shown ---


def test_a_deviation_says_what_was_taken_and_what_it_was_instead_of(watched: Watched) -> None:
    shown = watched.open("race")
    assert isinstance(shown.run, Failure)
    said = body(watched, "step").locator(".deviation").inner_text()
    decision = shown.run.deviations[0]
    keys = [action.actor.removeprefix("main/").partition(":")[0] for action in decision.actions]
    assert f"Taken here: {keys[decision.value]}" in said
    assert f"instead of {keys[0]}" in said


def test_marks_of_deviations_can_be_told_apart_without_colours(watched: Watched) -> None:
    shown = watched.open("race")
    assert watched.page.locator("#picture .mark.deviates").count() == len(shown.deviations)
    assert watched.page.locator("#picture path.flag").count() == len(shown.deviations)


def test_a_step_shows_its_lines_of_source(watched: Watched) -> None:
    watched.open("race", "#step=0")
    here = body(watched, "source").locator(".here.to")
    assert "asyncio.TaskGroup()" in here.inner_text()


def test_everybody_is_where_they_wait(watched: Watched) -> None:
    shown = watched.open("deadlock", "#step=999")
    states = body(watched, "everybody").locator("tr").all_inner_texts()
    assert any(line.startswith("up") and "waits for lock" in line for line in states), states
    assert any(line.startswith("down") and "waits for lock" in line for line in states)
    assert watched.step == shown.last


def test_a_request_in_flight_stands_beside_who_sent_it(watched: Watched) -> None:
    shown = watched.open("race", "#step=0")
    sent = next(m for m in shown.run.timeline.moments if "main/one" in m.action.key and m.launched)
    for _ in range(sent.number):
        watched.page.keyboard.press("ArrowRight")
    row = body(watched, "everybody").locator("tr", has_text="one").first
    assert "write 0+512" in row.inner_text()


def test_lines_of_the_comparison_lead_to_their_steps(watched: Watched) -> None:
    watched.open("race", "#step=0")
    line = body(watched, "changes").locator(".change.moved-here, .change.failing").first
    number = int(line.locator(".at").first.text_content() or "")
    line.click()
    assert watched.step == number
    assert line.get_attribute("aria-current") == "step"


def test_what_both_runs_do_can_be_unfolded(watched: Watched) -> None:
    watched.open("race")
    lines = body(watched, "changes").locator(".change")
    folds = body(watched, "changes").locator(".fold")
    before, words = lines.count(), folds.first.text_content() or ""
    folds.first.click()
    assert lines.count() == before + int(words.split()[1])


def test_a_run_that_passes_is_shown_without_a_comparison(watched: Watched) -> None:
    watched.open("passing")
    assert watched.page.locator("h1").inner_text() == "A run that passes"
    assert watched.page.locator("#changes").is_hidden()
    assert watched.page.locator(".error").count() == 0


def test_the_token_is_copied(watched: Watched) -> None:
    watched.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    shown = watched.open("race")
    assert isinstance(shown.run, Failure)
    watched.page.get_by_role("button", name="Copy token").click()
    watched.page.get_by_text("Copied", exact=True).wait_for()
    assert watched.page.evaluate("navigator.clipboard.readText()") == shown.run.token


def test_a_token_is_copied_also_where_the_clipboard_is_closed(watched: Watched) -> None:
    shown = watched.open("race")
    assert isinstance(shown.run, Failure)
    watched.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    watched.page.evaluate("navigator.clipboard.writeText('something else')")
    watched.page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(1); }")
    watched.page.get_by_role("button", name="Copy token").click()
    watched.page.get_by_text("Copied", exact=True).wait_for()
    assert watched.page.evaluate("navigator.clipboard.readText()") == shown.run.token


def test_hostile_texts_are_shown_as_they_are(watched: Watched) -> None:
    watched.open("hostile")
    heading = watched.page.locator("h1").evaluate("element => element.textContent")
    message = watched.page.locator(".message").last.evaluate("element => element.textContent")
    assert heading == message
    assert "</script><script>stolen = 1</script> & \u2028" in heading
    assert "🐛" in heading
    assert watched.page.evaluate("typeof stolen") == "undefined"
    assert watched.page.locator("img, header b > b").count() == 0
    names = watched.page.locator("#picture .name").evaluate_all(
        "all => all.map(e => e.textContent)"
    )
    assert any("<b>bold</b>" in name for name in names)


def test_time_is_told_where_it_goes_on(watched: Watched) -> None:
    watched.open("hostile", "#step=999")
    assert watched.page.locator("#picture .time").all_text_contents() == ["2 s"]
    assert "2 s" in body(watched, "step").inner_text()


# --- long runs, small windows ---


def test_a_long_run_draws_only_what_can_be_seen(watched: Watched) -> None:
    shown = watched.open("long")
    at_start = watched.page.locator("*").count()
    watched.page.keyboard.press("End")
    assert watched.step == shown.last > 1600
    assert watched.page.locator(f".mark.current[data-step='{shown.last}']").count() == 1
    assert max(at_start, watched.page.locator("*").count()) < 1500


def test_steps_can_be_made_wider_and_narrower(watched: Watched) -> None:
    watched.open("long")
    width = "document.getElementById('extent').offsetWidth"
    before = watched.page.evaluate(width)
    watched.page.keyboard.press("+")
    wider = watched.page.evaluate(width)
    watched.page.keyboard.press("-")
    watched.page.keyboard.press("-")
    assert watched.page.evaluate(width) < before < wider


@pytest.mark.parametrize("name", ["race", "hostile", "long", "deadlock"])
@pytest.mark.parametrize("width", [360, 800, 1280])
def test_nothing_is_wider_than_the_window(watched: Watched, name: str, width: int) -> None:
    watched.page.set_viewport_size({"width": width, "height": 800})
    watched.open(name)
    assert watched.page.evaluate("document.documentElement.scrollWidth") <= width
