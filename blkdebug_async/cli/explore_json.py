"""What an exploration came to as JSON, for programs."""

from __future__ import annotations

from typing import TypedDict

from blkdebug_async.explore.places import raising_place
from blkdebug_async.explore.report import Failure, Report, describe_decision


class FailureJson(TypedDict):
    """What is said of a failure."""

    token: str
    #: The type of the error, and its message.
    error: str
    message: str
    #: "file:line", or null.
    place: str | None
    #: How many runs there were up to the first one that failed.
    runs: int
    steps: int
    #: In words, one each.
    deviations: list[str]
    values: list[int]
    shrink_runs: int
    #: Whether nothing simpler was left to try.
    shrunk: bool


class ReportJson(TypedDict):
    """What is said of an exploration; names are those of Report."""

    scenario: str
    passed: bool
    interrupted: bool
    runs: int
    steps: int
    distinct: int
    seconds: float
    exhausted: bool
    proof: str | None
    cut: int
    newness: float
    reached: dict[str, bool]
    failure: FailureJson | None


def report_json(report: Report, scenario: str, *, interrupted: bool) -> ReportJson:
    """Put a report into what json.dump() writes.

    Args:
        report: What there is to say.
        scenario: What was explored, as it was typed.
        interrupted: Whether it was ended before its time.
    """
    return {
        "scenario": scenario,
        "passed": report.passed,
        "interrupted": interrupted,
        "runs": report.runs,
        "steps": report.steps,
        "distinct": report.distinct,
        "seconds": report.seconds,
        "exhausted": report.exhausted,
        "proof": report.proof,
        "cut": report.cut,
        "newness": report.newness,
        "reached": dict(report.reached),
        "failure": None if report.failure is None else failure_json(report.failure),
    }


def failure_json(failure: Failure) -> FailureJson:
    """Put a failure into what json.dump() writes."""
    place = raising_place(failure.error)
    return {
        "token": failure.token,
        "error": type(failure.error).__name__,
        "message": str(failure.error),
        "place": None if place is None else f"{place.file}:{place.line}",
        "runs": failure.runs,
        "steps": len(failure.timeline.moments),
        "deviations": [describe_decision(each) for each in failure.deviations],
        "values": list(failure.values),
        "shrink_runs": failure.shrink_runs,
        "shrunk": failure.shrunk,
    }
