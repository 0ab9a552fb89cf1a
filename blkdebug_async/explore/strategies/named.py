"""Strategies by their names, as people say which one they want."""

from __future__ import annotations

from collections.abc import Sequence

from blkdebug_async.explore.dependence import Assume
from blkdebug_async.explore.strategies.bounded import Bounded
from blkdebug_async.explore.strategies.dpor import Dpor
from blkdebug_async.explore.strategies.fifo import Fifo
from blkdebug_async.explore.strategies.pct import Pct
from blkdebug_async.explore.strategies.portfolio import Portfolio, auto
from blkdebug_async.explore.strategies.pos import Pos
from blkdebug_async.explore.strategies.random_walk import RandomWalk
from blkdebug_async.explore.strategies.replay import Replay
from blkdebug_async.explore.strategies.strategy import Strategy

#: What may be asked for; K and D are numbers.
NAMES = ("auto", "fifo", "replay", "random", "pct", "pct:D", "pos", "bounded", "bounded:K", "dpor")


def strategy_named(
    name: str,
    *,
    seed: int = 0,
    tokens: Sequence[str] = (),
    assume: Assume = Assume.NOTHING,
) -> Strategy:
    """Make a strategy.

    Args:
        name: One of NAMES.
        seed: The same seed makes the same runs.
        tokens: Of runs that failed once; they come first.
        assume: What is promised of steps beyond what is seen of them; for dpor and auto.

    Raises:
        ValueError: There is no such strategy, or its number makes no sense.
        TokenError: One of the tokens is none.
    """
    strategy = _named(name, seed, tokens, assume)
    if not tokens or isinstance(strategy, Portfolio | Replay):
        return strategy
    return Portfolio([Replay(tokens), strategy], ())


def _named(name: str, seed: int, tokens: Sequence[str], assume: Assume) -> Strategy:
    kind, colon, text = name.partition(":")
    number = int(text) if text.isascii() and text.isdigit() else None
    if colon and (number is None or kind not in ("pct", "bounded") or name == "pct:0"):
        raise ValueError(f"no such strategy: {name!r}; there are {', '.join(NAMES)}")
    match kind:
        case "auto":
            return auto(seed, tokens, assume)
        case "fifo":
            return Fifo()
        case "replay":
            return Replay(tokens)
        case "random":
            return RandomWalk(seed)
        case "pct":
            return Pct(seed, depth=number or 3)
        case "pos":
            return Pos(seed)
        case "bounded":
            return Bounded(number)
        case "dpor":
            return Dpor(assume)
    raise ValueError(f"no such strategy: {name!r}; there are {', '.join(NAMES)}")
