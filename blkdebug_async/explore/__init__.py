"""Exploration of schedules: the races of a scenario, the simplest run that fails, replay."""

from __future__ import annotations

from blkdebug_async.lazy import lazy_names

#: Defining module to the names that it gives.
_HOMES = {
    "blkdebug_async.explore.actions": "Action Kind Scheduler",
    "blkdebug_async.explore.batches": "JobsError NotPortableError",
    "blkdebug_async.explore.careful": "RunDiedError",
    "blkdebug_async.explore.choices": "Choices Unchanged",
    "blkdebug_async.explore.deadlock": "DeadlockError Wait",
    "blkdebug_async.explore.dependence": "Assume",
    "blkdebug_async.explore.explorer": "explore replay",
    "blkdebug_async.explore.footprint": "Footprint Touch commutes",
    "blkdebug_async.explore.history": "Violation check_history",
    "blkdebug_async.explore.inside": "always cancel_sometime choose fails sometimes",
    "blkdebug_async.explore.operation": "Operation",
    "blkdebug_async.explore.oracles": "BackgroundError LeftBehindError UnexplainedReadError",
    "blkdebug_async.explore.places": "Place",
    "blkdebug_async.explore.record": "Decision Recorded",
    "blkdebug_async.explore.refusals": "NotExplorableError",
    "blkdebug_async.explore.report": "ExplorationError Failure Replayed Report",
    "blkdebug_async.explore.run": "Conditions Scenario",
    "blkdebug_async.explore.scenarios": "ScenarioError",
    "blkdebug_async.explore.search": "NotDeterministicError Progress",
    "blkdebug_async.explore.stored": "Stored",
    "blkdebug_async.explore.strategies.strategy": "Ending Proof Strategy",
    "blkdebug_async.explore.timeline": "Lane Moment Timeline",
    "blkdebug_async.explore.token": "TokenError",
    "blkdebug_async.explore.turns": "EndlessRunError",
}

__all__, __getattr__, __dir__ = lazy_names(globals(), _HOMES)
