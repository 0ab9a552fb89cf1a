from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    done = subprocess.run(command, cwd=cwd, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # By way of the sdist, which so proves to have everything that the wheel needs.
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_the_wheel_has_the_package_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "blkdebug_async/py.typed" in names
    page = (ROOT / "blkdebug_async" / "report" / "page").iterdir()
    assert {f"blkdebug_async/report/page/{file.name}" for file in page} <= set(names)
    assert {name.split("/")[0].split("-")[0] for name in names} == {"blkdebug_async"}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_wheel_alone_in_an_empty_environment_runs_the_command(
    wheel: Path, tmp_path: Path
) -> None:
    scripts = tmp_path / "venv" / "bin"
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    run(scripts / "pip", "-qq", "install", "-c", ROOT / "requirements-dev.lock", wheel)

    image = tmp_path / "disk.img"
    image.write_bytes(bytes(65536))

    session = ("-f", "raw", "-c", "write -P 7 0 512", "-c", "read -P 7 0 512")
    output = run(scripts / "blkdebug-async", "io", *session, image, cwd=tmp_path)

    assert output.startswith("wrote 512/512 bytes at offset 0\n")
    assert "read 512/512 bytes at offset 0\n" in output
    assert image.read_bytes() == b"\x07" * 512 + bytes(65024)
