from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "bench.md"


def example(first_line: str) -> str:
    (found,) = (
        block.split("```", 1)[0]
        for block in PAGE.read_text().split("```python\n")[1:]
        if block.startswith(first_line)
    )
    return found


def without_outer_pytest() -> dict[str, str]:
    # A worker of xdist measures nothing, and would think that it is one.
    return {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}


@pytest.mark.slow
def test_the_example_for_pytest_benchmark_is_measured_by_it(tmp_path: Path) -> None:
    file = tmp_path / "test_speed.py"
    file.write_text(example("# test_speed.py"))
    figures = tmp_path / "figures.json"
    run = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null",
            "--rootdir", str(tmp_path), f"--benchmark-json={figures}",
            "--benchmark-max-time=0.05", "--benchmark-min-rounds=2", str(file),
        ],
        capture_output=True, text=True, check=False, env=without_outer_pytest(),
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    measured = {each["name"]: each for each in json.loads(figures.read_text())["benchmarks"]}
    assert set(measured) == {"test_a_run", "test_a_batch"}
    assert measured["test_a_run"]["stats"]["rounds"] == 5
    assert measured["test_a_run"]["extra_info"]["p99_ns"] > 0


def test_the_example_for_asv_does_what_asv_calls() -> None:
    names: dict[str, type] = {}
    exec(example("# benchmarks/reads.py"), names)
    suite = names["RandomReads"]
    for depth in suite.params:  # type: ignore[attr-defined]
        # asv makes an object for each parameter, sets it up, and calls what has the prefix.
        each = suite()
        each.setup(depth)
        each.time_thousand(depth)
        assert each.track_p99(depth) > 0
    assert suite.track_p99.unit == "ns"  # type: ignore[attr-defined]
