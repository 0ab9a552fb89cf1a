from __future__ import annotations

import asyncio
import inspect
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from blkdebug_async.explore import explore, replay
from blkdebug_async.explore.scenarios import ScenarioError, scenario_named
from tests.unit.cli import explorable

MODULE = explorable.__name__
FILE = explorable.__file__


@pytest.fixture(autouse=True)
def _modules() -> Iterator[None]:
    """Forget what was loaded, and where from."""
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


@pytest.mark.parametrize("where", [MODULE, FILE])
@pytest.mark.parametrize("what", ["steady", "making", "pausing_twice", "holder.scenario"])
def test_functions_without_arguments_that_make_coroutines_are_scenarios(
    where: str, what: str
) -> None:
    coroutine = scenario_named(f"{where}:{what}")()
    assert inspect.iscoroutine(coroutine)
    asyncio.run(coroutine)


def test_a_named_scenario_is_found_again_where_it_is_sent() -> None:
    scenario = scenario_named(f"{MODULE}:steady")
    sent = pickle.loads(pickle.dumps(scenario))
    assert sent == scenario
    assert sent.function is explorable.steady


def test_a_file_that_is_loaded_is_not_loaded_again(tmp_path: Path) -> None:
    path = tmp_path / "fresh_module.py"
    path.write_text("async def scenario(): pass\n")
    first = scenario_named(f"{path}:scenario").function
    assert scenario_named(f"{path}:scenario").function is first


def test_a_file_may_have_the_name_of_another_module(tmp_path: Path) -> None:
    path = tmp_path / "json.py"
    path.write_text("async def dumps(): pass\n")
    assert inspect.iscoroutinefunction(scenario_named(f"{path}:dumps").function)


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    paths = [tmp_path / folder / "one_of_many.py" for folder in "abc"]
    for path in paths:
        path.parent.mkdir()
        path.write_text(f"async def scenario(): return {path.parent.name!r}\n")
    scenarios = [scenario_named(f"{path}:scenario").function for path in paths]
    assert [asyncio.run(scenario()) for scenario in scenarios] == ["a", "b", "c"]
    again = [scenario_named(f"{path}:scenario").function for path in paths]
    assert again == scenarios


def test_a_file_in_a_package_may_import_from_it(tmp_path: Path) -> None:
    package = tmp_path / "some_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "words.py").write_text("WORD = 'hello'\n")
    (package / "one.py").write_text(
        "from some_package.words import WORD\nasync def scenario(): return WORD\n"
    )
    assert asyncio.run(scenario_named(f"{package / 'one.py'}:scenario")()) == "hello"


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("nothing", "'nothing' names no scenario"),
        (":steady", "':steady' names no scenario"),
        (f"{MODULE}:", "names no scenario"),
        ("no_such_module:steady", "ModuleNotFoundError: No module named 'no_such_module'$"),
        ("no/such/file.py:steady", "there is no file '.*no/such/file.py'"),
        (f"{MODULE}:nothing", f"there is no 'nothing' in the module '{MODULE}'"),
        (f"{MODULE}:holder.nothing", "there is no 'nothing' in <.*Holder"),
        (f"{MODULE}:number", "'number' is no function: it is 3"),
        (f"{MODULE}:plain", "'plain' makes no coroutine, but 3"),
        (f"{MODULE}:generating", "'generating' makes an async generator"),
        (f"{MODULE}:pausing", "'pausing' needs arguments: .*'times'"),
    ],
)
def test_what_is_no_scenario_is_refused(name: str, complaint: str) -> None:
    with pytest.raises(ScenarioError, match=complaint):
        scenario_named(name)


@pytest.mark.parametrize("text", ["1 / 0\n", "def f(:\n"])
def test_a_file_that_cannot_be_loaded_is_told_with_the_place(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken_module.py"
    path.write_text(text)
    with pytest.raises(ScenarioError, match=r"broken_module\.py.* cannot be loaded: \w+: "):
        scenario_named(f"{path}:scenario")
    assert "broken_module" not in sys.modules


def test_what_a_module_imports_may_be_missing(tmp_path: Path) -> None:
    path = tmp_path / "incomplete_module.py"
    path.write_text("\nimport no_such_module\n")
    with pytest.raises(ScenarioError, match=r"'no_such_module' \(.*incomplete_module.py:2\)"):
        scenario_named(f"{path}:scenario")


def test_scenarios_are_explored_and_made_again_by_name() -> None:
    name = f"{MODULE}:racy"
    failure = explore(name, store=None).failure
    assert failure is not None
    with pytest.raises(AssertionError, match="b was first"):
        replay(name, failure.token).check()


def test_tokens_are_kept_under_the_function_however_it_was_given(tmp_path: Path) -> None:
    explore(f"{MODULE}:racy", store=tmp_path)
    assert explore(explorable.racy, store=tmp_path).runs == 2
    assert len(list(tmp_path.iterdir())) == 1
