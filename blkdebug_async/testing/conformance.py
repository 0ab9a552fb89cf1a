"""Runs conformance checks on a driver and tells all that they found.

From a test of your own:

    async def test_my_driver_conforms() -> None:
        await check_driver(lambda: MyDriver("..."))
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from blkdebug_async.block.driver import Driver
from blkdebug_async.drivers.memory import MemoryDriver
from blkdebug_async.explore.choices import Choices
from blkdebug_async.testing.bench import Bench
from blkdebug_async.testing.chance import SeededChoices
from blkdebug_async.testing.checks import CHECKS, it_can_be_opened
from blkdebug_async.testing.filter_checks import FILTER_CHECKS, FilterMaker
from blkdebug_async.units import KIB


class NonConformingError(AssertionError):
    """A driver does not do what a driver has to do.

    Args:
        findings: Name of the check to what it found.
    """

    def __init__(self, findings: dict[str, str]) -> None:
        self.findings = findings
        lines = (f"  {name}: {found}" for name, found in findings.items())
        super().__init__("\n".join(["the driver does not conform:", *lines]))


async def check_driver(
    make: Callable[[], Driver],
    *,
    stores: bool = True,
    writable: bool = True,
    choices: Choices | None = None,
    requests: int = 200,
    patience_s: float = 20.0,
) -> None:
    """Check that a driver does what every driver has to do, at once and by its coroutines.

    Args:
        make: Gives a fresh, unopened driver each time; all over the same storage, if it has any.
            What is stored is overwritten.
        stores: Whether what is written can be read back.
        writable: Whether it can be written to at all.
        choices: Decides what is tried; None: SeededChoices(0).
        requests: Length of a random sequence.
        patience_s: Seconds, on the loop's clock, after which a check counts as hanging.

    Raises:
        NonConformingError: It does not; says what each check found.
    """
    bench = Bench(make, stores, writable, choices or SeededChoices(), requests)
    findings: dict[str, str] = {}
    for each in (bench, replace(bench, observed=True)):
        for check in CHECKS:
            if check.__name__ not in findings:
                await _run(check.__name__, check(each), patience_s, findings)
            if findings and check is it_can_be_opened:
                raise NonConformingError(findings)
    if findings:
        raise NonConformingError(findings)


async def check_filter(
    make: FilterMaker, *, choices: Choices | None = None, patience_s: float = 20.0
) -> None:
    """Check that a filter does what every filter has to do, and every driver.

    Args:
        make: Gives a fresh, unopened filter over the driver that it is given.
        choices: Decides what is tried; None: SeededChoices(0).
        patience_s: Seconds, on the loop's clock, after which a check counts as hanging.

    Raises:
        NonConformingError: It does not; says what each check found.
    """
    findings: dict[str, str] = {}
    for check in FILTER_CHECKS:
        await _run(check.__name__, check(make), patience_s, findings)
    try:
        await check_driver(
            lambda: make(MemoryDriver(256 * KIB)), choices=choices, patience_s=patience_s
        )
    except NonConformingError as error:
        findings |= error.findings
    if findings:
        raise NonConformingError(findings)


async def _run(
    name: str, work: Awaitable[None], patience_s: float, findings: dict[str, str]
) -> None:
    try:
        async with asyncio.timeout(patience_s):
            await work
    except TimeoutError:
        findings[name] = f"not finished after {patience_s} s"
    except Exception as error:
        findings[name] = _tell(error)


def _tell(error: Exception) -> str:
    """Say what a check ended with; anything but its own finding is one too."""
    match error:
        case ExceptionGroup():
            return "; ".join(_tell(each) for each in error.exceptions)
        case AssertionError():
            return str(error) or "an assertion of the block layer failed"
        case OSError():
            cause = "" if error.__cause__ is None else f" ({error.__cause__})"
            return f"unexpected error {error.errno}: {error}{cause}"
        case _:
            return f"{type(error).__name__} is no OSError: {error}"
