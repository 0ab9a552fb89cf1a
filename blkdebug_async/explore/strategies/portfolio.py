"""Several strategies in turn: some first, then the others, in shares that grow."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from blkdebug_async.explore.actions import Scheduler
from blkdebug_async.explore.dependence import Assume
from blkdebug_async.explore.record import Recorded
from blkdebug_async.explore.strategies.bounded import Bounded
from blkdebug_async.explore.strategies.dpor import Dpor
from blkdebug_async.explore.strategies.fifo import Fifo
from blkdebug_async.explore.strategies.pct import Pct
from blkdebug_async.explore.strategies.pos import Pos
from blkdebug_async.explore.strategies.random_walk import RandomWalk
from blkdebug_async.explore.strategies.replay import Replay
from blkdebug_async.explore.strategies.strategy import Ending, Proof, Strategy
from blkdebug_async.explore.strategies.swarm import Swarm

#: A share doubles in each round, up to this many runs in a row.
_MOST_IN_A_ROW = 64


class Portfolio:
    """Makes the runs of several strategies.

    Args:
        first: Each until it is exhausted, one after the other.
        mix: Then these in turn: one run each, two runs each, four, ...
    """

    def __init__(self, first: Sequence[Strategy], mix: Sequence[Strategy]) -> None:
        self._members = [_Member(each) for each in (*first, *mix)]
        self._first = self._members[: len(first)]
        self._mix = self._members[len(first) :]
        self._share = 1
        self._turn = 0
        self._left = 1
        # Whose runs were not heard of yet.
        self._made: deque[_Member] = deque()

    @property
    def exhausted(self) -> bool:
        """Whether no member has a run left, or one has made every run there is."""
        proof = self.proof
        if proof and proof.whole:
            return True
        return all(member.strategy.exhausted for member in self._members)

    @property
    def blocked(self) -> bool:
        """Whether the member is whose turn it is, or there is none."""
        return self.exhausted or self._member().strategy.blocked

    @property
    def serial(self) -> bool:
        """Whether the next run of the member whose turn it is must be made in this process."""
        return not self.exhausted and self._member().strategy.serial

    @property
    def proof(self) -> Proof | None:
        """The strongest of the members' proofs."""
        proofs = [each.strategy.proof for each in reversed(self._members)]
        found = [proof for proof in proofs if proof]
        return next((proof for proof in found if proof.whole), found[0] if found else None)

    def scheduler(self, number: int) -> Scheduler:
        member = self._member()
        self._made.append(member)
        self._left -= member in self._mix
        member.runs += 1
        return member.strategy.scheduler(member.runs - 1)

    def heard(self, run: Recorded, ending: Ending) -> None:
        self._made.popleft().strategy.heard(run, ending)

    def _member(self) -> _Member:
        """Tell whose turn it is, as long as some member is not exhausted."""
        for member in self._first:
            if not member.strategy.exhausted:
                return member
        while not self._left or self._mix[self._turn].strategy.exhausted:
            self._turn += 1
            if self._turn == len(self._mix):
                self._turn = 0
                self._share = min(self._share * 2, _MOST_IN_A_ROW)
            self._left = self._share
        return self._mix[self._turn]


class _Member:
    """A strategy, and how many of its runs were begun."""

    def __init__(self, strategy: Strategy) -> None:
        self.strategy = strategy
        self.runs = 0


def auto(seed: int = 0, tokens: Sequence[str] = (), assume: Assume = Assume.NOTHING) -> Portfolio:
    """Make the portfolio for whoever has no wish.

    Args:
        seed: The same seed makes the same runs.
        tokens: Of runs that failed once; they come early.
        assume: What is promised of steps beyond what is seen of them.

    Raises:
        TokenError: One of them is none.
    """
    by_chance = (Pct(seed, depth=2), Pos(seed), Pct(seed, depth=3), RandomWalk(seed))
    masked = (Swarm(each, seed) for each in (*by_chance, Pct(seed, depth=5)))
    return Portfolio([Fifo(), Replay(tokens)], [Bounded(), Dpor(assume), *masked])
