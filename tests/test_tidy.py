from __future__ import annotations

import ast
import importlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from blkdebug_async.events import Event

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "blkdebug_async"
DOCS = ROOT / "docs"
CODE_FOLDERS = ("blkdebug_async", "tests", "tools", "demo", "benchmarks")
TEXT_SUFFIXES = {".cfg", ".ini", ".json", ".lock", ".md", ".py", ".sh", ".toml", ""}
#: What a page in a browser is made of.
PAGE_SUFFIXES = {".css", ".html", ".js"}

MAX_FUNCTION_LINES = 50
MAX_MODULE_LINES = 500
PUBLIC_MODULES = (
    "blkdebug_async",
    "blkdebug_async.bench",
    "blkdebug_async.block",
    "blkdebug_async.explore",
    "blkdebug_async.report",
    "blkdebug_async.testing",
)

#: What later drivers emit, qcow2 above all; refblock_update nobody, not even QEMU.
NOT_EMITTED_YET = frozenset(
    {
        Event.L1_UPDATE,
        Event.L1_GROW_ALLOC_TABLE,
        Event.L1_GROW_WRITE_TABLE,
        Event.L1_GROW_ACTIVATE_TABLE,
        Event.L1_SHRINK_WRITE_TABLE,
        Event.L1_SHRINK_FREE_L2_CLUSTERS,
        Event.L2_LOAD,
        Event.L2_UPDATE,
        Event.L2_UPDATE_COMPRESSED,
        Event.L2_ALLOC_COW_READ,
        Event.L2_ALLOC_WRITE,
        Event.READ_BACKING_AIO,
        Event.READ_COMPRESSED,
        Event.WRITE_COMPRESSED,
        Event.VMSTATE_LOAD,
        Event.VMSTATE_SAVE,
        Event.COW_READ,
        Event.COW_WRITE,
        Event.REFTABLE_LOAD,
        Event.REFTABLE_GROW,
        Event.REFTABLE_UPDATE,
        Event.REFBLOCK_LOAD,
        Event.REFBLOCK_UPDATE,
        Event.REFBLOCK_UPDATE_PART,
        Event.REFBLOCK_ALLOC,
        Event.REFBLOCK_ALLOC_HOOKUP,
        Event.REFBLOCK_ALLOC_WRITE,
        Event.REFBLOCK_ALLOC_WRITE_BLOCKS,
        Event.REFBLOCK_ALLOC_WRITE_TABLE,
        Event.REFBLOCK_ALLOC_SWITCH_TABLE,
        Event.CLUSTER_ALLOC,
        Event.CLUSTER_ALLOC_BYTES,
        Event.CLUSTER_FREE,
        Event.CLUSTER_ALLOC_SPACE,
        Event.EMPTY_IMAGE_PREPARE,
    }
)

#: A home or work folder of one machine, a package registry, and work that was put off.
UNFIT_FOR_PRINT = {
    "path of one machine": re.compile(r"(?<![\w.$}~-])/(?:home|root|Users|work)/[\w.]"),
    "package registry": re.compile(r"//[\w.-]*(?:pypi|pythonhosted|npmjs|deb\.debian)\b"),
    "note to oneself": re.compile(r"\b(?:TO(?:)DO|FIX(?:)ME|X(?:)XX)\b"),
}


def python_files(*folders: str) -> list[Path]:
    return sorted(file for folder in folders for file in (ROOT / folder).rglob("*.py"))


def page_files() -> list[Path]:
    return sorted(file for file in PACKAGE.rglob("*") if file.suffix in PAGE_SUFFIXES)


def name_of(file: Path) -> str:
    return str(file.relative_to(ROOT))


def module_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(), filename=str(file))


def fenced_block(page: str, heading: str) -> list[str]:
    text = (DOCS / page).read_text()
    section = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return section.split("```")[1].splitlines()[1:]


def document(*pages: str) -> str:
    # These pages are written last; until then there is nothing to compare.
    for page in pages:
        if not (DOCS / page).exists():
            pytest.skip(f"docs/{page} is not written yet")
    return "\n".join((DOCS / page).read_text() for page in pages)


@pytest.mark.parametrize("file", python_files(*CODE_FOLDERS), ids=name_of)
def test_functions_and_modules_can_be_read_in_one_sitting(file: Path) -> None:
    functions = (
        node
        for node in ast.walk(tree_of(file))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    sizes = {node.name: (node.end_lineno or 0) - node.lineno + 1 for node in functions}
    assert {name: size for name, size in sizes.items() if size > MAX_FUNCTION_LINES} == {}
    module_lines = len(file.read_text().splitlines())
    assert module_lines <= MAX_MODULE_LINES


@pytest.mark.parametrize("file", page_files(), ids=name_of)
def test_parts_of_pages_can_be_read_in_one_sitting(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= MAX_MODULE_LINES


@pytest.mark.parametrize("name", PUBLIC_MODULES)
def test_each_public_name_exists_once_and_is_documented(name: str) -> None:
    file = PACKAGE.parent.joinpath(*name.split("."))
    if not file.with_suffix(".py").exists() and not (file / "__init__.py").exists():
        pytest.skip(f"{name} is not written yet")
    module = importlib.import_module(name)
    public: list[str] = list(getattr(module, "__all__", ()))
    assert len(public) == len(set(public))
    assert [each for each in public if not hasattr(module, each)] == []
    text = document("api.md")
    undocumented = [each for each in public if not re.search(rf"`{re.escape(each)}\b", text)]
    assert undocumented == []


def package_init_files() -> list[Path]:
    return sorted(PACKAGE.rglob("__init__.py"))


@pytest.mark.parametrize("file", package_init_files(), ids=name_of)
def test_a_package_door_that_imports_says_what_it_offers(file: Path) -> None:
    nodes = tree_of(file).body
    reexports = any(
        isinstance(node, ast.ImportFrom) and (node.module or "").startswith("blkdebug_async")
        for node in nodes
    )
    lists = any(
        isinstance(name, ast.Name) and name.id == "__all__"
        for node in nodes
        if isinstance(node, ast.Assign)
        for target in node.targets
        # `__all__ = [...]`, or together with others: `__all__, __getattr__, __dir__ = ...`
        for name in ast.walk(target)
    )
    assert lists or not reexports


def events_used() -> set[Event]:
    files = (file for file in python_files("blkdebug_async") if file.name != "events.py")
    return {
        Event[node.attr]
        for file in files
        for node in ast.walk(tree_of(file))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "Event"
        and node.attr in Event.__members__
    }


def test_every_event_is_emitted_or_listed_as_not_emitted_yet() -> None:
    silent = set(Event) - events_used()
    assert silent - NOT_EMITTED_YET == set()


def option_names(file: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(file)):
        match node:
            case ast.Call(
                func=ast.Attribute(attr=taker), args=[ast.Constant(value=str(name)), *_]
            ) if taker.startswith("take_"):
                yield name


def test_every_driver_option_is_documented() -> None:
    files = [*python_files("blkdebug_async/drivers"), PACKAGE / "disk.py"]
    options = {name for file in files if file.exists() for name in option_names(file)}
    text = document("api.md", "qemu-compat.md")
    assert {name for name in options if f"`{name}`" not in text} == set()


def test_the_architecture_page_lists_each_file_and_no_other() -> None:
    lines = fenced_block("architecture.md", "Every file and its duty")
    listed = {line.split()[0] for line in lines if line.strip()}
    # An __init__.py without content has no duty.
    files = [file for file in python_files("blkdebug_async") if file.read_text().strip()]
    existing = {str(file.relative_to(PACKAGE)) for file in (*files, *page_files())}
    assert existing - listed == set()
    assert listed - existing == set()


def test_every_sans_io_module_is_held_to_it() -> None:
    patterns = " ".join(fenced_block("architecture.md", "Sans-IO")).split()
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = config["tool"]["importlinter"]["contracts"]
    (held,) = (c["source_modules"] for c in contracts if c["id"] == "sans-io")
    modules = {module_of(file) for file in python_files("blkdebug_async")}
    promised = {f"blkdebug_async.{pattern}" for pattern in patterns}
    # import-linter knows no module that does not exist; a pattern may match nothing.
    assert set(held) == {each for each in promised if each in modules or "*" in each}


def text_files() -> list[Path]:
    tops = [ROOT / name for name in (*CODE_FOLDERS, "docs", ".ci")]
    found = [file for top in tops for file in top.rglob("*") if file.is_file()]
    found += [file for file in ROOT.iterdir() if file.is_file() and file.name[:4] != ".cov"]
    texts = (file for file in found if file.suffix in TEXT_SUFFIXES | PAGE_SUFFIXES)
    return sorted(file for file in texts if not {"__pycache__", ".git"} & set(file.parts))


@pytest.mark.parametrize("kind", UNFIT_FOR_PRINT)
def test_no_file_has_what_is_unfit_for_print(kind: str) -> None:
    pattern = UNFIT_FOR_PRINT[kind]
    found = [
        f"{name_of(file)}:{number}: {line.strip()}"
        for file in text_files()
        for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []
