from __future__ import annotations

from errno import EINVAL

import pytest

from blkdebug_async.compat import COMPAT, SAFE, compat_named, switches
from blkdebug_async.errors import OptionError


def test_the_library_is_safe_unless_told_otherwise() -> None:
    assert compat_named(None) is SAFE
    assert not any(getattr(SAFE, switch) for switch in switches())


@pytest.mark.parametrize("name", COMPAT)
def test_every_mode_is_found_by_its_name(name: str) -> None:
    assert compat_named(name) is COMPAT[name]


@pytest.mark.parametrize("switch", switches())
def test_every_switch_is_on_for_some_qemu(switch: str) -> None:
    assert any(getattr(compat, switch) for compat in COMPAT.values())


def test_an_unknown_mode_is_refused_by_name() -> None:
    with pytest.raises(OptionError, match="'qemu-1'") as caught:
        compat_named("qemu-1")
    assert caught.value.errno == EINVAL
    assert "qemu-7.2" in caught.value.hint
