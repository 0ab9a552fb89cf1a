from __future__ import annotations

from pathlib import Path

import pytest

from tests.peers import require_peer


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_a_peer_that_is_installed_is_found(bin_folder: Path) -> None:
    program = bin_folder / "qemu-io"
    program.touch(mode=0o755)
    assert require_peer("qemu-io") == program


@pytest.mark.usefixtures("bin_folder")
def test_a_missing_peer_skips_and_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="qemu-io is not installed"):
        require_peer("qemu-io")


@pytest.mark.usefixtures("bin_folder")
def test_a_missing_peer_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="qemu-io is not installed"):
        require_peer("qemu-io")
