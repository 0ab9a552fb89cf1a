"""The pictures of curves: what they are called, where they are, and whether they are up to date."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from benchmarks.results import CurveFigures

FOLDER = Path(__file__).parent.parent / "docs" / "pictures"


def can_draw() -> bool:
    """Tell whether matplotlib is installed; the extra `plot` brings it."""
    return find_spec("matplotlib") is not None


def name_of(curve: CurveFigures) -> str:
    """Give the name of a curve's picture."""
    return f"performance-{curve.key}.svg"


def digest(curve: CurveFigures) -> str:
    """Give what tells a curve's figures from any others; it is in the picture."""
    return hashlib.sha256(json.dumps(asdict(curve)).encode()).hexdigest()


def write_pictures(curves: Iterable[CurveFigures], folder: Path) -> None:
    """Draw all curves that were measured and are not drawn yet, if there is matplotlib."""
    if not can_draw():
        return
    draw: Callable[[CurveFigures], str] = import_module("benchmarks.drawing").draw
    folder.mkdir(parents=True, exist_ok=True)
    for curve in curves:
        file = folder / name_of(curve)
        if not curve.skipped and not (file.exists() and digest(curve) in file.read_text()):
            file.write_text(draw(curve))
