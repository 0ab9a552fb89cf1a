from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest


def require_peer(command: str) -> Path:
    # Outside CI a missing program costs the comparison; in CI nobody would notice, so it fails.
    found = shutil.which(command)
    if found is not None:
        return Path(found)
    message = f"{command} is not installed: 'make setup' installs it on Debian, as root"
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)
