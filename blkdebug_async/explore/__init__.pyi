"""Types of the public names for exploration, for type checkers and editors."""

from blkdebug_async.explore.actions import Action, Kind, Scheduler
from blkdebug_async.explore.batches import JobsError, NotPortableError
from blkdebug_async.explore.careful import RunDiedError
from blkdebug_async.explore.choices import Choices, Unchanged
from blkdebug_async.explore.deadlock import DeadlockError, Wait
from blkdebug_async.explore.dependence import Assume
from blkdebug_async.explore.explorer import explore, replay
from blkdebug_async.explore.footprint import Footprint, Touch, commutes
from blkdebug_async.explore.history import Violation, check_history
from blkdebug_async.explore.inside import always, cancel_sometime, choose, fails, sometimes
from blkdebug_async.explore.operation import Operation
from blkdebug_async.explore.oracles import BackgroundError, LeftBehindError, UnexplainedReadError
from blkdebug_async.explore.places import Place
from blkdebug_async.explore.record import Decision, Recorded
from blkdebug_async.explore.refusals import NotExplorableError
from blkdebug_async.explore.report import ExplorationError, Failure, Replayed, Report
from blkdebug_async.explore.run import Conditions, Scenario
from blkdebug_async.explore.scenarios import ScenarioError
from blkdebug_async.explore.search import NotDeterministicError, Progress
from blkdebug_async.explore.stored import Stored
from blkdebug_async.explore.strategies.strategy import Ending, Proof, Strategy
from blkdebug_async.explore.timeline import Lane, Moment, Timeline
from blkdebug_async.explore.token import TokenError
from blkdebug_async.explore.turns import EndlessRunError

__all__ = [
    "Action",
    "Assume",
    "BackgroundError",
    "Choices",
    "Conditions",
    "DeadlockError",
    "Decision",
    "Ending",
    "EndlessRunError",
    "ExplorationError",
    "Failure",
    "Footprint",
    "JobsError",
    "Kind",
    "Lane",
    "LeftBehindError",
    "Moment",
    "NotDeterministicError",
    "NotExplorableError",
    "NotPortableError",
    "Operation",
    "Place",
    "Progress",
    "Proof",
    "Recorded",
    "Replayed",
    "Report",
    "RunDiedError",
    "Scenario",
    "ScenarioError",
    "Scheduler",
    "Stored",
    "Strategy",
    "Timeline",
    "TokenError",
    "Touch",
    "Unchanged",
    "UnexplainedReadError",
    "Violation",
    "Wait",
    "always",
    "cancel_sometime",
    "check_history",
    "choose",
    "commutes",
    "explore",
    "fails",
    "replay",
    "sometimes",
]
