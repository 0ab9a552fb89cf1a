"""A run as one short string that can be pasted anywhere.

A token holds only where a run deviates from what would have happened anyway. Each deviation is
named by hashes of stable keys rather than by its position, so that it is still found after
unrelated edits of the scenario:

- Where a pick deviated: the key of what would have happened, and how often that had happened.
- What happened instead: its key.
- Where a choice deviated: its key, and how often that had been chosen about; then its value.

The form: a version, a dot, the deviations, four characters to know damage by. All characters are
letters, digits, `-` and `_` and may stand in a URL, a file name or a command line as they are.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from hashlib import blake2b

from blkdebug_async.explore.record import Decision, Recorded

_VERSION = "x1"
_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}
_BITS = 6

#: Characters of where and what a deviation is; of the check at the end.
_PLACE, _ACTION, _CHECK = 5, 5, 4
#: The first bit of a place tells choices from picks.
_IS_CHOICE = 1 << (_PLACE * _BITS - 1)
#: A value is cut in pieces of so many bits; the bit above says that more pieces follow.
_PIECE_BITS = 5
_MORE = 1 << _PIECE_BITS


class TokenError(ValueError):
    """What was given as a token is none, or not whole."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """Where a run does not do what would have happened anyway, and what it does instead."""

    #: Hash of where; Places gives the same for a decision of another run.
    place: int
    #: Whether it was a choice; else, a pick.
    is_choice: bool
    #: The value of a choice; the hash of the key of an action that was picked.
    what: int


class Places:
    """Names the decisions of a run, one after the other, by what happened before."""

    def __init__(self) -> None:
        self._ran: Counter[str] = Counter()
        self._chosen: Counter[str] = Counter()

    def of_pick(self, default_key: str) -> int:
        """Name a pick by the key of the action that would happen anyway."""
        return _hashed(f"{default_key}\0{self._ran[default_key]}", _PLACE) & ~_IS_CHOICE

    def of_choice(self, key: str) -> int:
        """Name a choice; to be called once for each."""
        self._chosen[key] += 1
        return _hashed(f"{key}\0{self._chosen[key]}", _PLACE) | _IS_CHOICE

    def ran(self, key: str) -> None:
        """Hear that an action happened."""
        self._ran[key] += 1


def action_hash(key: str) -> int:
    """Give what a token calls an action."""
    return _hashed(key, _ACTION)


def encode(run: Recorded) -> str:
    """Give the token of a run.

    Args:
        run: One that was traced.

    Raises:
        ValueError: It was not.
    """
    if not run.traced:
        raise ValueError("only a run that was traced has a token: the keys are missing")
    places, texts, steps_told = Places(), [], 0
    for decision in run.decisions:
        for step in run.steps[steps_told : decision.step]:
            places.ran(step.action.key)
        steps_told = decision.step
        texts.append(_deviation_text(decision, places))
    body = f"{_VERSION}.{''.join(texts)}"
    return body + _check(body)


def decode(token: str) -> tuple[Deviation, ...]:
    """Read a token.

    Args:
        token: What encode() gave; blanks around it do not matter.

    Returns:
        Its deviations in their order.

    Raises:
        TokenError: It is none, of another version, or damaged.
    """
    token = token.strip()
    version, dot, rest = token.partition(".")
    if not dot or not re.fullmatch(r"x\d+", version, re.ASCII):
        raise TokenError(f"not a token: {token!r} does not start as in {_VERSION}.")
    if version != _VERSION:
        raise TokenError(f"a token of version {version}, and only {_VERSION} is known: {token!r}")
    if strange := sorted(set(rest) - set(_DIGITS)):
        raise TokenError(f"a damaged token: {strange[0]!r} is never part of one: {token!r}")
    if len(rest) < _CHECK or _check(token[:-_CHECK]) != token[-_CHECK:]:
        raise TokenError(f"a damaged token: some of it is missing or changed: {token!r}")
    return _Reader(rest[:-_CHECK]).deviations()


class _Reader:
    """Takes the deviations of a token from its text, which is known to be whole."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def deviations(self) -> tuple[Deviation, ...]:
        found = []
        while self._at < len(self._text):
            place = self._number(_PLACE)
            is_choice = bool(place & _IS_CHOICE)
            found.append(Deviation(place, is_choice, self._what(is_choice)))
        return tuple(found)

    def _what(self, is_choice: bool) -> int:
        if not is_choice:
            return self._number(_ACTION)
        value = shift = 0
        while (piece := self._number(1)) & _MORE:
            value |= (piece - _MORE) << shift
            shift += _PIECE_BITS
        return value | piece << shift

    def _number(self, length: int) -> int:
        number = 0
        for digit in self._text[self._at : self._at + length]:
            number = number << _BITS | _VALUES[digit]
        self._at += length
        return number


def _deviation_text(decision: Decision, places: Places) -> str:
    if not decision.actions:
        # Named even where nothing deviates: choices about one key are counted.
        place = _text(places.of_choice(decision.key), _PLACE)
        return place + _value_text(decision.value) if decision.value else ""
    if not decision.value:
        return ""
    picked = action_hash(decision.actions[decision.value].key)
    return _text(places.of_pick(decision.key), _PLACE) + _text(picked, _ACTION)


def _value_text(value: int) -> str:
    pieces = []
    while value >= _MORE:
        pieces.append(_DIGITS[value % _MORE | _MORE])
        value >>= _PIECE_BITS
    return "".join((*pieces, _DIGITS[value]))


def _text(number: int, length: int) -> str:
    shifts = range((length - 1) * _BITS, -1, -_BITS)
    return "".join(_DIGITS[number >> shift & (1 << _BITS) - 1] for shift in shifts)


def _hashed(text: str, length: int) -> int:
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") & (1 << length * _BITS) - 1


def _check(body: str) -> str:
    return _text(_hashed(body, _CHECK), _CHECK)
