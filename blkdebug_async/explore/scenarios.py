"""Scenarios by their names: "module:function", or "path/to/file.py:function"."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import cached_property, partial
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from traceback import extract_tb
from types import ModuleType

from blkdebug_async.explore.run import Scenario


class ScenarioError(ValueError):
    """What was given as the name of a scenario is none."""


@dataclass(frozen=True)
class NamedScenario:
    """A scenario that is known by its name, also to other processes; loaded when first used."""

    #: "module:function" or "/path/to/file.py:function"; the function may be `object.attribute`.
    name: str

    @cached_property
    def function(self) -> Scenario:
        """The scenario itself.

        Raises:
            ScenarioError: There is none of that name.
        """
        return _load(self.name)

    def __call__(self) -> Coroutine[object, object, object]:
        return self.function()

    def __reduce__(self) -> tuple[type[NamedScenario], tuple[str]]:
        return NamedScenario, (self.name,)


def scenario_named(name: str) -> NamedScenario:
    """Find a scenario.

    Args:
        name: A module and a function in it, with a colon between them; the module may be a file.
            Its folder, or the one that its outermost package is in, is put first where Python
            looks for modules.

    Returns:
        The scenario, loaded and known to make coroutines.

    Raises:
        ScenarioError: It cannot be loaded, or is no function without arguments that makes a
            coroutine.
    """
    where, colon, what = name.rpartition(":")
    if not colon or not where or not what:
        raise ScenarioError(
            f"{name!r} names no scenario: that is as in 'module:function' or 'file.py:function'"
        )
    if _is_file(where):
        where = str(Path(where).absolute())
    scenario = NamedScenario(f"{where}:{what}")
    _check(scenario.function, what)
    return scenario


def _is_file(where: str) -> bool:
    return where.endswith(".py") or "/" in where or "\\" in where


def _load(name: str) -> Scenario:
    where, _, what = name.rpartition(":")
    found: object = _load_file(Path(where)) if _is_file(where) else _load_module(where)
    for attribute in what.split("."):
        if not hasattr(found, attribute):
            raise ScenarioError(f"there is no {attribute!r} in {_words(found)}")
        found = getattr(found, attribute)
    if not callable(found):
        raise ScenarioError(f"{what!r} is no function: it is {found!r}")
    function: Callable[[], Coroutine[object, object, object]] = found
    return function


def _words(found: object) -> str:
    if isinstance(found, ModuleType):
        return f"the module {found.__name__!r}"
    return repr(found)


def _load_module(name: str) -> ModuleType:
    try:
        return import_module(name)
    # Whatever its code raises.
    except Exception as error:
        raise _not_loaded(f"the module {name!r}", error) from error


def _load_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise ScenarioError(f"there is no file {str(path)!r}")
    names, folder = [path.stem], path.parent
    while (folder / "__init__.py").is_file():
        names.insert(0, folder.name)
        folder = folder.parent
    name = ".".join(names)
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    while (known := sys.modules.get(name)) is not None:
        if _same_file(getattr(known, "__file__", None), path):
            return known
        # Another module has its name, one of Python's maybe.
        name = f"{name}_"
    return _run_file(name, path)


def _run_file(name: str, path: Path) -> ModuleType:
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ScenarioError(f"{str(path)!r} is no file of Python code")
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        if "." in name:
            import_module(name.rpartition(".")[0])
        spec.loader.exec_module(module)
    # Whatever its code raises.
    except Exception as error:
        sys.modules.pop(name, None)
        raise _not_loaded(f"{str(path)!r}", error) from error
    return module


def _same_file(known: str | None, path: Path) -> bool:
    return known is not None and Path(known).exists() and Path(known).samefile(path)


def _not_loaded(what: str, error: Exception) -> ScenarioError:
    machinery = (__file__, importlib.__file__)
    places = [
        place
        for place in extract_tb(error.__traceback__)
        if place.filename not in machinery and place.filename[0] != "<"
    ]
    at = f" ({places[-1].filename}:{places[-1].lineno})" if places else ""
    return ScenarioError(f"{what} cannot be loaded: {type(error).__name__}: {error}{at}")


def _check(function: Scenario, name: str) -> None:
    """See that something can be called without arguments, and makes a coroutine.

    Raises:
        ScenarioError: It cannot, or does not.
    """
    try:
        inspect.signature(function).bind()
    except TypeError as error:
        raise ScenarioError(
            f"{name!r} needs arguments: {error}. A scenario takes none; functools.partial can "
            "give them"
        ) from error
    # Some callables do not tell.
    except ValueError:
        pass
    inner: object = function
    while isinstance(inner, partial):
        inner = inner.func
    if inspect.isasyncgenfunction(inner):
        raise ScenarioError(f"{name!r} makes an async generator, by `yield`, and no coroutine")
    if inspect.iscoroutinefunction(inner):
        return
    made: object = function()
    if not inspect.iscoroutine(made):
        raise ScenarioError(f"{name!r} makes no coroutine, but {made!r}: is it an `async def`?")
    made.close()
