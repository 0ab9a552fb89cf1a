"""Options among words, as C's getopt_long() finds them: clustered, attached, anywhere.

Options may follow operands; "--" ends them. The messages are those of the GNU C library.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from blkdebug_async.cli.failures import CommandFailed, UsageError


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
        in_order: The first operand ends the options, as a "+" in front of C's letters says.
    """

    def __init__(
        self,
        program: str,
        words: Sequence[str],
        letters: str,
        long: Sequence[LongOption] = (),
        *,
        in_order: bool = False,
    ) -> None:
        self._program = program
        self._in_order = in_order
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
                self.operands.append(self.taken.pop())
                if self._in_order:
                    self.operands += self._words[self._next :]
                    return

    def _take(self) -> str:
        word = self._words[self._next]
        self._next += 1
        self.taken.append(word)
        return word

    def _cluster(self, cluster: str) -> Iterator[Option]:
        for index, letter in enumerate(cluster):
            place = self._letters.find(letter)
            if place < 0 or letter in ":;":
                # C has not left a cluster before its last letter.
                word = self.taken[-1] if index + 1 == len(cluster) else self._word_before()
                raise self.unknown(f"invalid option -- '{letter}'", word)
            if self._letters[place + 1 : place + 2] != ":":
                yield Option(letter, "")
                continue
            if index + 1 < len(cluster):
                yield Option(letter, cluster[index + 1 :])
                return
            if self._next == len(self._words):
                raise self.incomplete(f"option requires an argument -- '{letter}'", self.taken[-1])
            yield Option(letter, self._take())

    def _long_option(self, text: str) -> Option:
        name, equals, value = text.partition("=")
        option = self._find_long(name, text)
        if not option.takes_value:
            if equals:
                raise self.unknown(
                    f"option '--{option.name}' doesn't allow an argument", self.taken[-1]
                )
            return Option(option.key, "")
        if equals:
            return Option(option.key, value)
        if self._next == len(self._words):
            raise self.incomplete(f"option '--{option.name}' requires an argument", self.taken[-1])
        return Option(option.key, self._take())

    def _find_long(self, name: str, text: str) -> LongOption:
        candidates = [option for option in self._long if option.name.startswith(name)]
        for option in candidates:
            if option.name == name:
                return option
        if not candidates:
            raise self.unknown(f"unrecognized option '--{text}'", self.taken[-1])
        if len({(option.key, option.takes_value) for option in candidates}) > 1:
            names = " ".join(f"'--{option.name}'" for option in candidates)
            complaint = f"option '--{text}' is ambiguous; possibilities: {names}"
            raise self.unknown(complaint, self.taken[-1])
        return candidates[0]

    def _word_before(self) -> str:
        """Give what C has before the word at hand: it moves operands there."""
        return (self.operands[-1:] or self.taken[-2:-1] or [self._program])[0]

    # --- complaints, for programs that have their own ---

    def unknown(self, complaint: str, word: str) -> CommandFailed:
        """Make the error for an option that does not exist, or not like this.

        Args:
            complaint: What the C library says.
            word: The one that C's argv[optind - 1] is then.
        """
        return UsageError(f"{self._program}: {complaint}")

    def incomplete(self, complaint: str, word: str) -> CommandFailed:
        """Make the error for an option without its argument; as unknown()."""
        return UsageError(f"{self._program}: {complaint}")
