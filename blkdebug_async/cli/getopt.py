"""Options among words, as C's getopt_long() finds them: clustered, attached, anywhere.

Options may follow operands; "--" ends them. The messages are those of the GNU C library.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from blkdebug_async.cli.failures import UsageError


class LongOption(NamedTuple):
    """An option that is spelt out, after two dashes."""

    name: str
    #: What the option is to the program: often the letter that means the same.
    key: str
    takes_value: bool = False


class Option(NamedTuple):
    """An option that was given."""

    #: Its letter, or the key of a LongOption.
    key: str
    #: Its argument; "" if it takes none.
    value: str


class Getopt:
    """The options among some words, one after the other, and what remains.

    Args:
        program: Who complains: messages begin with it.
        words: What was typed after the program or command.
        letters: One-letter options, each followed by ":" if it takes an argument.
        long: Options that are spelt out; any unambiguous beginning will do.
    """

    def __init__(
        self, program: str, words: Sequence[str], letters: str, long: Sequence[LongOption] = ()
    ) -> None:
        self._program = program
        self._words = list(words)
        self._letters = letters
        self._long = long
        self._next = 0
        #: Words that are options or their arguments, so far.
        self.taken: list[str] = []
        #: Words that are neither; complete once the options have been walked through.
        self.operands: list[str] = []

    def __iter__(self) -> Iterator[Option]:
        """Walk through the options.

        Raises:
            UsageError: The next option is unknown, ambiguous or lacks its argument.
        """
        while self._next < len(self._words):
            word = self._take()
            if word == "--":
                self.operands += self._words[self._next :]
                return
            if word.startswith("--") and self._long:
                yield self._long_option(word[2:])
            elif word.startswith("-") and word != "-":
                yield from self._cluster(word[1:])
            else:
                self.taken.pop()
                self.operands.append(word)

    def _take(self) -> str:
        word = self._words[self._next]
        self._next += 1
        self.taken.append(word)
        return word

    def _cluster(self, cluster: str) -> Iterator[Option]:
        for index, letter in enumerate(cluster):
            place = self._letters.find(letter)
            if place < 0 or letter in ":;":
                raise self._error(f"invalid option -- '{letter}'")
            if self._letters[place + 1 : place + 2] != ":":
                yield Option(letter, "")
                continue
            if index + 1 < len(cluster):
                yield Option(letter, cluster[index + 1 :])
                return
            if self._next == len(self._words):
                raise self._error(f"option requires an argument -- '{letter}'")
            yield Option(letter, self._take())

    def _long_option(self, text: str) -> Option:
        name, equals, value = text.partition("=")
        option = self._find_long(name, text)
        if not option.takes_value:
            if equals:
                raise self._error(f"option '--{option.name}' doesn't allow an argument")
            return Option(option.key, "")
        if equals:
            return Option(option.key, value)
        if self._next == len(self._words):
            raise self._error(f"option '--{option.name}' requires an argument")
        return Option(option.key, self._take())

    def _find_long(self, name: str, text: str) -> LongOption:
        candidates = [option for option in self._long if option.name.startswith(name)]
        for option in candidates:
            if option.name == name:
                return option
        if not candidates:
            raise self._error(f"unrecognized option '--{text}'")
        if len({(option.key, option.takes_value) for option in candidates}) > 1:
            names = " ".join(f"'--{option.name}'" for option in candidates)
            raise self._error(f"option '--{text}' is ambiguous; possibilities: {names}")
        return candidates[0]

    def _error(self, complaint: str) -> UsageError:
        return UsageError(f"{self._program}: {complaint}")
