from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from errno import EACCES, EFBIG, EIO, ENOENT, ENOSPC, EPERM
from pathlib import Path
from typing import ClassVar, Self

import pytest

from blkdebug_async.block.context import Context
from blkdebug_async.block.driver import Driver, NodeSource, Opener
from blkdebug_async.block.flags import OpenFlags
from blkdebug_async.block.iovec import Iovec
from blkdebug_async.block.limits import Limits
from blkdebug_async.block.node import Node
from blkdebug_async.block.permissions import Permissions, Role
from blkdebug_async.block.tracked import Request
from blkdebug_async.disk import Disk
from blkdebug_async.drivers import DRIVERS, register_driver
from blkdebug_async.drivers.blkdebug.driver import BlkdebugDriver
from blkdebug_async.drivers.file.driver import FileDriver
from blkdebug_async.drivers.memory import MemoryDriver
from blkdebug_async.drivers.raw.driver import RawDriver
from blkdebug_async.errors import BlockError, OptionError
from blkdebug_async.opening import open_disk
from blkdebug_async.options.reader import OptionReader
from blkdebug_async.options.tree import Options
from blkdebug_async.tree import TreeOpener
from blkdebug_async.units import MAX_LENGTH

SIZE = 64 * 1024
STEPS = ("options", "before", "after", "length", "limits", "permissions", "unknown")


class BrokenDriver(Driver):
    """Fails in one step of being opened, over one child."""

    name: ClassVar[str] = "broken"

    def __init__(self, step: str, error: BaseException, child: NodeSource) -> None:
        super().__init__()
        self.step = step
        self.error = error
        self.child = child
        self.closed = 0

    @classmethod
    def from_options(cls, reader: OptionReader) -> Self:
        driver = cls(reader.take_str("step", ""), FAILURE, reader.take_child("file"))
        driver.fail_in("options")
        return driver

    def fail_in(self, step: str) -> None:
        if self.step == step:
            raise self.error

    async def open(self, opener: Opener) -> None:
        self.fail_in("before")
        role = Role.DATA | Role.METADATA | Role.PRIMARY
        self.file = await opener.open_child("file", self.child, role)
        await asyncio.sleep(0)
        self.fail_in("after")

    async def close(self) -> None:
        self.closed += 1

    def length(self) -> int:
        self.fail_in("length")
        return SIZE

    def refresh_limits(self, limits: Limits) -> Limits:
        self.fail_in("limits")
        return limits

    def permissions_changed(self, permissions: Permissions) -> None:
        if self.file is not None:
            self.fail_in("permissions")

    async def preadv(
        self, offset: int, length: int, iov: Iovec, flags: int, request: Request
    ) -> None:
        iov.fill(0)


class PairDriver(BrokenDriver):
    """Has two children."""

    name: ClassVar[str] = "pair"

    def __init__(self, left: NodeSource, right: NodeSource) -> None:
        super().__init__("", FAILURE, left)
        self.right = right

    @classmethod
    def from_options(cls, reader: OptionReader) -> Self:
        return cls(reader.take_child("left"), reader.take_child("right"))

    async def open(self, opener: Opener) -> None:
        self.file = await opener.open_child("left", self.child, Role.DATA | Role.PRIMARY)
        await opener.open_child("right", self.right, Role.DATA)


class TolerantDriver(BrokenDriver):
    """Does without a child that cannot be opened."""

    name: ClassVar[str] = "tolerant"

    async def open(self, opener: Opener) -> None:
        try:
            await opener.open_child("file", self.child, Role.DATA)
        except OSError:
            self.file = await opener.open_child(
                "file", {"driver": "memory", "size": SIZE, "node-name": "spare"}, Role.DATA
            )


FAILURE = BlockError(ENOSPC, "it is broken")


@pytest.fixture(autouse=True)
def drivers() -> Iterator[None]:
    before = dict(DRIVERS)
    for driver in (BrokenDriver, PairDriver, TolerantDriver):
        register_driver(driver)
    yield
    DRIVERS.clear()
    DRIVERS.update(before)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image"
    path.write_bytes(bytes(SIZE))
    return path


@pytest.fixture
def qcow2_image(image: Path) -> Path:
    image.write_bytes(b"QFI\xfb\0\0\0\3" + bytes(1000))
    return image


@pytest.fixture
def closed_image(image: Path) -> Path:
    image.chmod(0)
    return image


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def tree(warnings: list[str]) -> TreeOpener:
    return TreeOpener(Context(), warnings.append)


def file_options(image: Path, **more: object) -> dict[str, object]:
    return {"driver": "file", "filename": str(image), **more}


@contextmanager
def nothing_left_of(tree: TreeOpener) -> Iterator[None]:
    """Whatever happens inside, no file, name or node is left."""
    before = open_files()
    yield
    assert open_files() == before
    assert tree.nodes == {}
    assert tree.told == {}


def open_files() -> list[str]:
    folder = Path("/proc/self/fd")
    links = [folder / name for name in os.listdir(folder)]
    return sorted(str(link.readlink()) for link in links if link.is_symlink())


# --- nothing is left of what could not be opened ---


@pytest.mark.parametrize("step", STEPS)
async def test_whatever_step_fails_leaves_nothing(tree: TreeOpener, image: Path, step: str) -> None:
    options: dict[str, object] = {"driver": "broken", "step": step, "node-name": "top"}
    if step == "unknown":
        options["foo"] = 1
    child = file_options(image, **{"node-name": "bottom"})
    with nothing_left_of(tree), pytest.raises(OSError, match=r"broken|foo|sector count"):
        await tree.open({**options, "file": child}, OpenFlags())


@pytest.mark.parametrize("step", STEPS[1:-1])
@pytest.mark.parametrize("error", [OSError(EIO, "plain"), ZeroDivisionError(), KeyboardInterrupt()])
async def test_no_error_of_a_driver_leaves_anything(
    tree: TreeOpener, image: Path, step: str, error: BaseException
) -> None:
    driver = BrokenDriver(step, error, FileDriver(image))
    with nothing_left_of(tree), pytest.raises((OSError, type(error))):
        await tree.open(driver, OpenFlags())
    assert driver.closed == 1


@pytest.mark.parametrize("covered", [False, True])
async def test_a_cancelled_opening_leaves_nothing(
    tree: TreeOpener, image: Path, covered: bool
) -> None:
    driver = BrokenDriver("", FAILURE, FileDriver(image))
    with nothing_left_of(tree):
        task = asyncio.ensure_future(tree.open(driver, OpenFlags(), snapshot=covered))
        await asyncio.sleep(0)
        assert tree.nodes
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_snapshot_that_cannot_be_covers_nothing(tree: TreeOpener, image: Path) -> None:
    flags = OpenFlags(copy_on_read=True, read_only=True)
    with nothing_left_of(tree), pytest.raises(OptionError, match="copy-on-read on read-only"):
        await tree.open(file_options(image), flags, snapshot=True)


async def test_an_image_whose_format_is_unknown_is_closed(
    tree: TreeOpener, qcow2_image: Path
) -> None:
    with (
        nothing_left_of(tree),
        pytest.raises(OptionError, match="image of format qcow2") as caught,
    ):
        await tree.open(str(qcow2_image), OpenFlags())
    assert "'raw'" in caught.value.hint


async def test_a_second_child_that_fails_closes_the_first(tree: TreeOpener, image: Path) -> None:
    pair = {"driver": "pair", "left": file_options(image), "right": file_options(image / "x")}
    with nothing_left_of(tree), pytest.raises(OSError, match="Could not open"):
        await tree.open(pair, OpenFlags())


async def test_a_disk_that_may_not_write_closes_everything(image: Path) -> None:
    before = open_files()
    source = {"driver": "blkdebug", "align": "1M", "image": file_options(image)}
    with pytest.raises(OSError, match="Image size is not a multiple of request alignment"):
        await open_disk(source)
    assert open_files() == before


async def test_closing_the_disk_leaves_nothing(tree: TreeOpener, image: Path) -> None:
    with nothing_left_of(tree):
        node = await tree.open(str(image), OpenFlags())
        await Disk(tree, node).close()


async def test_names_of_what_failed_are_free_again(tree: TreeOpener) -> None:
    driver = TolerantDriver(
        "", FAILURE, {"driver": "broken", "file": {"driver": "memory", "node-name": "spare"}}
    )
    node = await tree.open(driver, OpenFlags())
    assert {"spare", node.name} == set(tree.nodes)


# --- names and references ---


async def test_two_parents_may_share_a_node(tree: TreeOpener) -> None:
    shared = {"driver": "memory", "size": SIZE, "node-name": "shared"}
    options: Options = {"driver": "pair", "left.driver": "blkdebug", "right.driver": "blkdebug"}
    options |= {f"left.image.{key}": value for key, value in shared.items()}  # type: ignore[misc]
    options["right.image"] = "shared"
    node = await tree.open(options, OpenFlags(read_only=True))
    shared_node = tree.find("shared")
    assert [edge.name for edge in shared_node.parents] == ["image", "image"]
    await tree.close(node)
    assert tree.nodes == {}


async def test_a_conflict_names_both_users(tree: TreeOpener) -> None:
    below = {"driver": "memory", "size": SIZE, "node-name": "f"}
    left = {"driver": "blkdebug", "node-name": "b", "image": below}
    right = {"driver": "blkdebug", "node-name": "c", "image": "f"}
    source = {
        "driver": "pair",
        "left": {**left, "unshare-child-perms": ["write"]},
        "right": {**right, "take-child-perms": ["write"]},
    }
    with nothing_left_of(tree), pytest.raises(OSError, match="Permission conflict") as caught:
        await tree.open(source, OpenFlags())
    assert caught.value.errno == EPERM
    assert str(caught.value) == (
        "Permission conflict on node 'f': permissions 'write' are both required by node 'c' "
        "(uses node 'f' as 'image' child) and unshared by node 'b' (uses node 'f' as 'image' "
        "child)."
    )


async def test_a_node_is_not_its_own_child(tree: TreeOpener) -> None:
    source = {"driver": "blkdebug", "node-name": "a", "image": "a"}
    text = "Making 'a' a image child of 'a' would create a cycle"
    with nothing_left_of(tree), pytest.raises(OptionError, match=text):
        await tree.open(source, OpenFlags())


async def test_a_node_is_not_below_itself(tree: TreeOpener) -> None:
    # QEMU 7.2 aborts here.
    inner = {"driver": "blkdebug", "node-name": "b", "image": "a"}
    source = {"driver": "blkdebug", "node-name": "a", "image": inner}
    text = "Making 'a' a image child of 'b' would create a cycle"
    with nothing_left_of(tree), pytest.raises(OptionError, match=text):
        await tree.open(source, OpenFlags())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("1x", "Invalid node-name: '1x'"),
        ("", "Invalid node-name: ''"),
        ("a b", "Invalid node-name: 'a b'"),
        ("n" * 32, "Node name too long"),
        ("taken", "Duplicate nodes with node-name='taken'"),
    ],
)
async def test_a_name_that_cannot_be_is_refused(tree: TreeOpener, name: str, message: str) -> None:
    await tree.open({"driver": "memory", "size": 0, "node-name": "taken"}, OpenFlags())
    with pytest.raises(OptionError) as caught:
        await tree.open({"driver": "memory", "size": 0, "node-name": name}, OpenFlags())
    assert str(caught.value) == message


async def test_nodes_without_a_name_get_different_ones(tree: TreeOpener) -> None:
    nodes = [await tree.open(MemoryDriver(0), OpenFlags()) for _ in range(3)]
    assert len({node.name for node in nodes}) == 3
    assert all(node.name.startswith("#block") for node in nodes)


# --- what comes from above ---


def chain(node: Node) -> list[OpenFlags]:
    return [each.flags for each in node.walk()]


async def test_children_are_opened_as_their_parent_is(tree: TreeOpener, image: Path) -> None:
    flags = OpenFlags(read_only=True, no_flush=True, force_share=True)
    node = await tree.open({"driver": "raw", "file": file_options(image)}, flags)
    below = chain(node)[1]
    assert (below.read_only, below.no_flush, below.force_share) == (True, True, True)


async def test_children_of_drivers_put_together_are_opened_likewise(tree: TreeOpener) -> None:
    driver = RawDriver(BlkdebugDriver(MemoryDriver(SIZE)))
    node = await tree.open(driver, OpenFlags(read_only=True, no_flush=True))
    assert all(flags.read_only and flags.no_flush for flags in chain(node))


async def test_what_a_child_is_told_itself_counts(tree: TreeOpener, image: Path) -> None:
    child = file_options(image, **{"read-only": False, "cache.no-flush": True})
    node = await tree.open({"driver": "raw", "file": child}, OpenFlags(read_only=True))
    assert [flags.read_only for flags in chain(node)] == [True, False]
    assert [flags.no_flush for flags in chain(node)] == [False, True]


async def test_only_the_top_copies_and_looks_for_zeroes(tree: TreeOpener) -> None:
    flags = OpenFlags(copy_on_read=True, unmap=False)
    source = {"driver": "raw", "detect-zeroes": "on", "file.driver": "memory", "file.size": SIZE}
    node = await tree.open(source, flags)
    top, bottom = chain(node)
    assert (top.copy_on_read, top.unmap, top.detect_zeroes) == (True, False, "on")
    assert (bottom.copy_on_read, bottom.unmap, bottom.detect_zeroes) == (False, True, "off")


async def test_a_backing_child_is_read_only(tree: TreeOpener) -> None:
    backing = {"driver": "memory", "size": SIZE, "node-name": "below"}
    await tree.open({"driver": "overlay", "backing": backing}, OpenFlags())
    assert tree.find("below").flags.read_only


async def test_a_child_may_become_read_only(tree: TreeOpener) -> None:
    class CarefulDriver(MemoryDriver):
        async def open(self, opener: Opener) -> None:
            opener.become_read_only()

    node = await tree.open(CarefulDriver(SIZE), OpenFlags(auto_read_only=True))
    assert node.flags.read_only


# --- errors ---


async def test_an_error_without_words_gets_some(tree: TreeOpener) -> None:
    driver = BrokenDriver("before", PermissionError(EACCES, "x"), MemoryDriver(0))
    with pytest.raises(BlockError) as caught:
        await tree.open(driver, OpenFlags())
    assert caught.value.errno == EACCES
    assert str(caught.value) == "Could not open 'broken': Permission denied"


@pytest.mark.parametrize(("size", "errno"), [(MAX_LENGTH, 0), (MAX_LENGTH + 1, EFBIG)])
async def test_a_disk_may_be_too_large(tree: TreeOpener, size: int, errno: int) -> None:
    source = {"driver": "null-co", "size": size}
    if not errno:
        assert (await tree.open(source, OpenFlags())).length == size
        return
    with pytest.raises(BlockError, match="Could not refresh total sector count") as caught:
        await tree.open(source, OpenFlags())
    assert caught.value.errno == errno


async def test_an_image_that_cannot_be_read_cannot_be_guessed(
    tree: TreeOpener, image: Path
) -> None:
    rule = {"event": "none", "errno": 28}
    child = {"driver": "blkdebug", "image": file_options(image), "inject-error": [rule]}
    with nothing_left_of(tree), pytest.raises(BlockError) as caught:
        await tree.open({"file": child}, OpenFlags())
    assert caught.value.errno == ENOSPC
    assert str(caught.value) == (
        "Could not read image for determining its format: No space left on device"
    )


async def test_a_guess_is_told_once_and_before_what_fails_later(
    tree: TreeOpener, image: Path, warnings: list[str]
) -> None:
    with pytest.raises(OptionError, match="greater than size"):
        await tree.open({"offset": "1M", "file": file_options(image)}, OpenFlags())
    assert len(warnings) == 1
    assert warnings[0].splitlines()[0] == (
        f"WARNING: Image format was not specified for '{image}' and probing guessed raw."
    )


async def test_nothing_is_said_about_a_guess_that_does_no_harm(
    tree: TreeOpener, image: Path, warnings: list[str]
) -> None:
    await tree.close(await tree.open(str(image), OpenFlags(read_only=True)))
    assert warnings == []


@pytest.mark.parametrize("source", [Path("absent"), "absent", {"driver": "file", "filename": "a"}])
async def test_an_absent_file_is_named(
    source: NodeSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BlockError, match="Could not open 'a") as caught:
        await open_disk(source)
    assert caught.value.errno == ENOENT


@contextmanager
def unprivileged() -> Iterator[None]:
    """Be nobody: for the superuser there are no closed files."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


async def test_a_file_that_may_not_be_read_is_named(tree: TreeOpener, closed_image: Path) -> None:
    with nothing_left_of(tree), unprivileged(), pytest.raises(BlockError) as caught:
        await tree.open(str(closed_image), OpenFlags())
    assert caught.value.errno == EACCES
    assert str(caught.value) == f"Could not open '{closed_image}': Permission denied"


@pytest.mark.parametrize("backing", [None, ""])
async def test_no_backing_child_can_be_said_of_any_driver(
    tree: TreeOpener, image: Path, backing: str | None, warnings: list[str]
) -> None:
    name = "json:" + json.dumps(file_options(image, backing=backing))
    node = await tree.open(name, OpenFlags())
    assert warnings == (
        []
        if backing is None
        else ['Use of "backing": "" is deprecated; use "backing": null instead']
    )
    await tree.close(node)


@pytest.mark.parametrize("backing", ["x", {"driver": "memory"}])
async def test_a_backing_child_is_refused_where_there_can_be_none(
    tree: TreeOpener, image: Path, backing: str | Mapping[str, object]
) -> None:
    text = "Driver doesn't support backing files"
    with nothing_left_of(tree), pytest.raises(OptionError, match=text):
        await tree.open(file_options(image, backing=backing), OpenFlags())
