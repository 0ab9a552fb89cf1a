from __future__ import annotations

import os
import socket
from errno import EACCES, EINVAL, EISDIR, ELOOP, ENOENT, ENXIO
from pathlib import Path

import pytest

from blkdebug_async.drivers.file.opening import check_kind, open_file
from blkdebug_async.errors import BlockError, OptionError


def refusal(path: str | Path, *, writable: bool = True, direct: bool = False) -> BlockError:
    with pytest.raises(BlockError) as caught:
        open_file(str(path), writable=writable, direct=direct)
    return caught.value


def kind_refusal(path: str | Path, *, device: bool) -> str:
    fd = open_file(str(path), writable=False, direct=False)
    try:
        with pytest.raises(OptionError) as caught:
            check_kind(fd, str(path), "DRIVER", device=device)
    finally:
        os.close(fd)
    assert caught.value.errno == EINVAL
    return str(caught.value)


@pytest.mark.parametrize("writable", [False, True])
def test_a_file_is_opened_for_what_is_wanted(tmp_path: Path, writable: bool) -> None:
    path = tmp_path / "image"
    path.write_bytes(b"abc")
    fd = open_file(str(path), writable=writable, direct=False)
    try:
        assert os.pread(fd, 3, 0) == b"abc"
        assert os.get_inheritable(fd) is False
        if writable:
            assert os.pwrite(fd, b"x", 0) == 1
        else:
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.pwrite(fd, b"x", 0)
    finally:
        os.close(fd)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    error = refusal(tmp_path / "nope")
    assert str(error) == f"Could not open '{tmp_path}/nope': No such file or directory"
    assert error.errno == ENOENT


def test_a_folder_cannot_be_written(tmp_path: Path) -> None:
    assert refusal(tmp_path).errno == EISDIR


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("link")
    assert refusal(tmp_path / "link").errno == ELOOP


def test_a_socket_is_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        assert refusal(tmp_path / "socket").errno == ENXIO


@pytest.mark.parametrize("path", ["zero\0byte", "\ud800"])
def test_a_name_that_no_file_can_have_is_refused(path: str) -> None:
    error = refusal(path)
    assert error.errno == EINVAL
    assert str(error) == f"Could not open {path!r}: Invalid argument"


def test_what_may_not_be_written_is_refused() -> None:
    path = Path("/sys/devices/system/cpu/possible")
    if not path.exists():
        pytest.skip("there is no file that not even root may write")
    error = refusal(path)
    assert (error.errno, error.strerror) == (EACCES, f"Could not open '{path}': Permission denied")
    os.close(open_file(str(path), writable=False, direct=False))


def test_a_file_system_without_direct_access_is_named() -> None:
    path = Path("/proc/self/status")
    if not path.exists():
        pytest.skip("there is no file system known not to have it")
    error = refusal(path, writable=False, direct=True)
    assert error.errno == EINVAL
    assert str(error) == f"Could not open '{path}': filesystem does not support O_DIRECT"


def test_devices_are_no_regular_files(tmp_path: Path) -> None:
    assert kind_refusal("/dev/null", device=False) == (
        "'DRIVER' driver requires '/dev/null' to be a regular file"
    )
    assert kind_refusal(tmp_path, device=False) == (
        f"'DRIVER' driver requires '{tmp_path}' to be a regular file"
    )


def test_regular_files_are_no_devices(tmp_path: Path) -> None:
    (tmp_path / "image").touch()
    assert kind_refusal(tmp_path / "image", device=True) == (
        f"'DRIVER' driver requires '{tmp_path}/image' to be either a character or block device"
    )


@pytest.mark.parametrize("device", [False, True])
def test_a_pipe_is_refused_without_waiting_for_somebody_who_writes(
    tmp_path: Path, device: bool
) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "'DRIVER' driver requires" in kind_refusal(tmp_path / "pipe", device=device)
