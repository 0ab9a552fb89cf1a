"""Check branch coverage after a test run: all of the sans-IO modules, a floor for the rest.

Which modules are sans-IO is read from the import-linter contract, so there is one list.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def sans_io_patterns() -> list[str]:
    """Give the files of the sans-IO contract, as coverage's --include wants them."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = config["tool"]["importlinter"]["contracts"]
    (contract,) = (each for each in contracts if each["id"] == "sans-io")
    return [module.replace(".", "/") + ".py" for module in contract["source_modules"]]


def report(title: str, *options: str) -> bool:
    """Print one coverage report and tell whether it is good enough."""
    print(f"-- coverage: {title}", flush=True)
    command = [sys.executable, "-m", "coverage", "report", *options]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def main() -> int:
    """Print both reports; the result is an exit status."""
    include = ",".join(sans_io_patterns())
    enough = [
        report("sans-IO modules, all of it", f"--include={include}", "--fail-under=100"),
        report("everything"),
    ]
    return 0 if all(enough) else 1


if __name__ == "__main__":
    sys.exit(main())
