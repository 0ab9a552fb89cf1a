"""JSON text as QEMU reads and writes it in `json:` file names.

More is allowed than in JSON: single quotes, and an apostrophe after a backslash. Messages are
QEMU's, which finds a stray character before it looks at the order of things.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum, auto
from typing import Final, NamedTuple, assert_never

from blkdebug_async.errors import OptionError
from blkdebug_async.options.tree import (
    MAX_NESTING,
    Empty,
    Nested,
    Scalar,
    encode,
    parse_decimal,
    qemu_order,
)

#: Brackets within brackets. QEMU takes 1024, which is more than Python's stack does.
_INT64_MIN: Final = -(1 << 63)
_UINT64_MAX: Final = (1 << 64) - 1


class _Kind(Enum):
    STRUCTURE = auto()
    STRING = auto()
    INTEGER = auto()
    FLOAT = auto()
    KEYWORD = auto()
    STRAY = auto()


class _Token(NamedTuple):
    kind: _Kind
    text: str


class _At(Enum):
    """Where in a token the lexer is."""

    START = auto()
    DOUBLE = auto()
    DOUBLE_ESCAPE = auto()
    SINGLE = auto()
    SINGLE_ESCAPE = auto()
    SIGN = auto()
    ZERO = auto()
    DIGITS = auto()
    POINT = auto()
    FRACTION = auto()
    EXPONENT = auto()
    EXPONENT_SIGN = auto()
    EXPONENT_DIGITS = auto()
    KEYWORD = auto()


_DIGITS: Final = "0123456789"
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
#: Every byte, as a character, that a string may have.
_PRINTABLE: Final = "".join(map(chr, range(0x20, 0xFE)))
#: Which bytes lead where; the first match counts. A kind ends the token with that byte.
_STEPS: Final[Mapping[_At, tuple[tuple[str, _At | _Kind], ...]]] = {
    _At.START: (
        (" \t\r\n", _At.START),
        ("[]{}:,", _Kind.STRUCTURE),
        ('"', _At.DOUBLE),
        ("'", _At.SINGLE),
        ("-", _At.SIGN),
        ("0", _At.ZERO),
        (_DIGITS, _At.DIGITS),
        (_LETTERS, _At.KEYWORD),
    ),
    _At.DOUBLE: (('"', _Kind.STRING), ("\\", _At.DOUBLE_ESCAPE), (_PRINTABLE, _At.DOUBLE)),
    _At.DOUBLE_ESCAPE: ((_PRINTABLE, _At.DOUBLE),),
    _At.SINGLE: (("'", _Kind.STRING), ("\\", _At.SINGLE_ESCAPE), (_PRINTABLE, _At.SINGLE)),
    _At.SINGLE_ESCAPE: ((_PRINTABLE, _At.SINGLE),),
    _At.SIGN: (("0", _At.ZERO), (_DIGITS, _At.DIGITS)),
    _At.ZERO: ((_DIGITS, _Kind.STRAY), (".", _At.POINT)),
    _At.DIGITS: ((_DIGITS, _At.DIGITS), (".", _At.POINT), ("eE", _At.EXPONENT)),
    _At.POINT: ((_DIGITS, _At.FRACTION),),
    _At.FRACTION: ((_DIGITS, _At.FRACTION), ("eE", _At.EXPONENT)),
    _At.EXPONENT: (("+-", _At.EXPONENT_SIGN), (_DIGITS, _At.EXPONENT_DIGITS)),
    _At.EXPONENT_SIGN: ((_DIGITS, _At.EXPONENT_DIGITS),),
    _At.EXPONENT_DIGITS: ((_DIGITS, _At.EXPONENT_DIGITS),),
    _At.KEYWORD: ((_LETTERS, _At.KEYWORD),),
}
#: What a token is that ends before a byte which does not belong to it; elsewhere that is an error.
_ENDS: Final = {
    _At.ZERO: _Kind.INTEGER,
    _At.DIGITS: _Kind.INTEGER,
    _At.FRACTION: _Kind.FLOAT,
    _At.EXPONENT_DIGITS: _Kind.FLOAT,
    _At.KEYWORD: _Kind.KEYWORD,
}


def parse_json(text: str) -> Nested:
    """Read one JSON value.

    Args:
        text: JSON; bytes that are not UTF-8 are surrogates, as Python has them in file names.

    Raises:
        OptionError: EINVAL; the text is no JSON value, or more than one.

    QEMU: qobject/qjson.c, qobject_from_json().
    """
    found: list[Nested] = []
    for message in _messages(_tokens(text)):
        if found:
            raise OptionError("Expecting at most one JSON value")
        found.append(_Parser(message).parse())
    if not found:
        raise OptionError("Expecting a JSON value")
    return found[0]


def _tokens(text: str) -> Iterator[_Token]:
    # Byte by byte, since a stray character is shown up to its first byte.
    data = encode(text).decode("latin-1")
    state = _At.START
    start = position = 0
    while position < len(data):
        step = _step(state, data[position])
        if step is None and state in _ENDS:
            yield _token(_ENDS[state], data[start:position])
            state, start = _At.START, position
            continue
        position += 1
        if isinstance(step, _At):
            state = step
            start = position if state is _At.START else start
        else:
            yield _token(step or _Kind.STRAY, data[start:position])
            state, start = _At.START, position
    if state is not _At.START:
        yield _token(_ENDS.get(state, _Kind.STRAY), data[start:])


def _step(state: _At, char: str) -> _At | _Kind | None:
    return next((target for chars, target in _STEPS[state] if char in chars), None)


def _token(kind: _Kind, data: str) -> _Token:
    return _Token(kind, data.encode("latin-1").decode("utf-8", "surrogateescape"))


def _messages(tokens: Iterator[_Token]) -> Iterator[list[_Token]]:
    # Cuts where no bracket is open, or one too many closed. A stray token is a message of its own,
    # and the last, because no reader gets past it.
    message: list[_Token] = []
    braces = brackets = 0
    for token in tokens:
        if token.kind is _Kind.STRAY:
            yield [token]
        message.append(token)
        if token.kind is _Kind.STRUCTURE:
            braces += (token.text == "{") - (token.text == "}")
            brackets += (token.text == "[") - (token.text == "]")
        if braces + brackets > MAX_NESTING:
            raise OptionError("JSON nesting depth limit exceeded")
        if (braces <= 0 and brackets <= 0) or braces < 0 or brackets < 0:
            yield message
            message = []
            braces = brackets = 0
    if message:
        yield message


class _Parser:
    def __init__(self, tokens: Sequence[_Token]) -> None:
        self._tokens = iter(tokens)

    def parse(self) -> Nested:
        return self._value(self._next())

    def _next(self) -> _Token:
        token = next(self._tokens, None)
        if token is None:
            raise _error("premature EOI")
        return token

    def _value(self, token: _Token) -> Nested:
        match token:
            case _Token(_Kind.STRAY, text):
                raise _error(f"stray '{text}'")
            case _Token(_Kind.STRING, text):
                return _unquote(text)
            case _Token(_Kind.INTEGER, text):
                return _integer(text)
            case _Token(_Kind.FLOAT, text):
                return float(text)
            case _Token(_Kind.KEYWORD, text):
                return _keyword(text)
            case _Token(text="{"):
                return self._dict()
            case _Token(text="["):
                return self._list()
        raise _error("expecting value")

    def _dict(self) -> dict[str, Nested]:
        result: dict[str, Nested] = {}
        token = self._next()
        if token.text == "}":
            return result
        while True:
            self._pair(result, token)
            match self._next():
                case _Token(_Kind.STRUCTURE, "}"):
                    return result
                case _Token(_Kind.STRUCTURE, ","):
                    token = self._next()
                case _:
                    raise _error("expected separator in dict")

    def _pair(self, result: dict[str, Nested], token: _Token) -> None:
        key = self._value(token)
        if not isinstance(key, str):
            raise _error("key is not a string in object")
        if self._next() != _Token(_Kind.STRUCTURE, ":"):
            raise _error("missing : in object pair")
        value = self._value(self._next())
        if key in result:
            raise _error("duplicate key")
        result[key] = value

    def _list(self) -> list[Nested]:
        result: list[Nested] = []
        token = self._next()
        if token.text == "]":
            return result
        while True:
            result.append(self._value(token))
            match self._next():
                case _Token(_Kind.STRUCTURE, "]"):
                    return result
                case _Token(_Kind.STRUCTURE, ","):
                    token = self._next()
                case _:
                    raise _error("expected separator in list")


def _error(message: str) -> OptionError:
    return OptionError(f"JSON parse error, {message}")


def _integer(text: str) -> int | float:
    number = parse_decimal(text)
    return number if _INT64_MIN <= number <= _UINT64_MAX else float(text)


def _keyword(text: str) -> bool | None:
    words = {"true": True, "false": False, "null": None}
    if text not in words:
        raise _error(f"invalid keyword '{text}'")
    return words[text]


_ESCAPES: Final = {**dict(zip("bfnrt", "\b\f\n\r\t", strict=True)), **{c: c for c in "\"'\\/"}}
#: Character number zero has two bytes in QEMU, so that text can hold it.
_NUL: Final = "\udcc0\udc80"
_HEX: Final = "([0-9a-fA-F]{4})"
#: Compiled when the first string is read: few runs read any JSON.
_PIECE: Final = (
    rf"\\u{_HEX}(?:(?<=\\u[dD][89abAB]..)(?P<pair>\\u(?:{_HEX}|.{{0,4}})))?"
    rf"|\\(?P<escape>[^u])|(?P<broken>\\u.{{0,4}})|(?P<plain>{_NUL}|.)"
)


def _unquote(token: str) -> str:
    # The closing quote stays on, because a broken escape is shown with it.
    position, parts = 1, []
    pattern = re.compile(_PIECE, re.DOTALL)
    while position < len(token) - 1:
        piece = pattern.match(token, position)
        assert piece is not None
        parts.append(_piece(piece))
        position = piece.end()
    return "".join(parts)


def _piece(piece: re.Match[str]) -> str:
    if (plain := piece["plain"]) is not None:
        if plain != _NUL and not _is_valid(ord(plain)):
            raise _error("invalid UTF-8 sequence in string")
        return plain
    if (escape := piece["escape"]) is not None:
        if escape not in _ESCAPES:
            raise _error("invalid escape sequence in string")
        return _ESCAPES[escape]
    code = _code_point(piece)
    if code is None or not _is_valid(code):
        raise _error(f"{piece[0][:6]} is not a valid Unicode character")
    return chr(code) if code else _NUL


def _code_point(piece: re.Match[str]) -> int | None:
    if piece["broken"] is not None:
        return None
    code = int(piece[1], 16)
    if piece["pair"] is None:
        return code
    trailing = int(piece[3] or "0", 16)
    if not 0xDC00 <= trailing <= 0xDFFF:
        return None
    return 0x10000 + ((code & 0x3FF) << 10 | trailing & 0x3FF)


def _is_valid(code: int) -> bool:
    is_surrogate = 0xD800 <= code <= 0xDFFF
    is_no_character = 0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE
    return not (is_surrogate or is_no_character)


def format_json(value: Nested) -> str:
    """Write a value on one line, names in QEMU's order.

    QEMU: qobject/qjson.c, qobject_to_json().
    """
    if isinstance(value, Mapping):
        pairs = (f"{_quote(key)}: {format_json(value[key])}" for key in qemu_order(value))
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(format_json, value)) + "]"
    return _format_scalar(value)


def _format_scalar(value: Scalar) -> str:
    match value:
        case None:
            return "null"
        case Empty():
            return value.value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return f"{value:.17g}"
        case str():
            return _quote(value)
        case _:
            assert_never(value)


_SHORT: Final = {'"': '\\"', "\\": "\\\\", **{_ESCAPES[c]: f"\\{c}" for c in "bfnrt"}}


def _quote(text: str) -> str:
    data = encode(text.replace(_NUL, "\0"))
    return '"' + "".join(_quote_char(char) for char in data.decode("utf-8", "replace")) + '"'


def _quote_char(char: str) -> str:
    if char in _SHORT:
        return _SHORT[char]
    if " " <= char <= "~":
        return char
    known = char if _is_valid(ord(char)) else "\ufffd"
    units = known.encode("utf-16-be").hex().upper()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))
