"""Puts the latest figures into docs/performance.md and latest.md: `python -m benchmarks.page`.

What is between `<!-- figures: NAME -->` and `<!-- end of figures -->` is replaced; everything else
on the page is written by people.
"""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.pictures import FOLDER, can_draw, write_pictures
from benchmarks.results import LATEST, Results, from_json
from benchmarks.tables import report, sections

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
MARKED = re.compile(
    r"(?P<begin><!-- figures: (?P<name>[\w-]+) -->\n).*?(?P<end><!-- end of figures -->)", re.DOTALL
)


def main() -> None:
    """Bring the page and its pictures up to date."""
    results = from_json(LATEST.read_text())
    LATEST.with_suffix(".md").write_text(report(results))
    PAGE.write_text(with_figures(PAGE.read_text(), results))
    write_pictures(results.curves, FOLDER)
    if not can_draw():
        print("The pictures stay as they are: they need matplotlib, which the extra plot brings.")


def with_figures(page: str, results: Results) -> str:
    """Give the page with these figures in it.

    Raises:
        KeyError: The page wants figures that there are not.
    """
    found = sections(results)

    def fill(match: re.Match[str]) -> str:
        return f"{match['begin']}{found[match['name']]}\n{match['end']}"

    return MARKED.sub(fill, page)


if __name__ == "__main__":
    main()
