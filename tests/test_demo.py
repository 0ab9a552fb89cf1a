from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def run_demo(path: str) -> str:
    done = subprocess.run(
        [sys.executable, ROOT / "demo" / "main_job.py"],
        cwd=ROOT,
        env=os.environ | {"PATH": path},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_demo_shows_what_it_claims_without_qemu_io(tmp_path: Path) -> None:
    output = run_demo(str(tmp_path))
    assert "errno 5 (EIO)" in output
    assert "20 of 20 updates lost" in output
    assert "no update lost, 20 of 20" in output
    assert "qemu-io is not installed here" in output
    assert "that run again:  20 of 20 runs fail" in output
    assert "no failure in every class of schedules" in output
    assert "\x1b" not in output
    assert max(len(line) for line in output.splitlines()) <= 100


@pytest.mark.slow
@pytest.mark.peer
def test_the_demo_compares_with_the_real_qemu_io(require_peer: Callable[[str], Path]) -> None:
    folder = require_peer("qemu-io").parent
    output = run_demo(str(folder))
    assert "both programs say the same" in output
