from __future__ import annotations

from blkdebug_async.explore import explore, replay
from tests.unit.report.failures import racing_writes


def test_a_report_at_the_prompt_is_a_few_lines_and_not_a_whole_run() -> None:
    report = explore(racing_writes, store=None)
    assert report.failure is not None
    assert report.failure.token in repr(report)
    assert len(repr(report)) < 500
    assert len(repr(replay(racing_writes, report.failure.token))) < 200


def test_a_run_that_is_made_again_is_told_of_as_the_failure_that_was_found() -> None:
    found = explore(racing_writes, store=None).failure
    assert found is not None
    again = replay(racing_writes, found.token).failure()
    assert again is not None
    assert (again.token, again.values) == (found.token, found.values)
    assert again.deviations == found.deviations
    assert replay(racing_writes, ()).failure() is None
