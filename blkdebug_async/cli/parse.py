"""Reading what is typed: lines into words, words into sizes, pattern bytes and milliseconds.

The rules are those of C and of QEMU 7.2, which differ from Python's: whitespace and a plus sign may
lead, underscores may not, and a leading zero means octal in one place and nothing in another.
"""

from __future__ import annotations

from errno import EINVAL, ERANGE

from blkdebug_async.errors import OptionError
from blkdebug_async.options.reader import Fault, scan_number, scan_size
from blkdebug_async.options.tree import Warn
from blkdebug_async.units import INT64_MAX, MAX_REQUEST


def split_line(line: str) -> list[str]:
    """Split a command line at blanks; only blanks separate, and nothing quotes."""
    return [word for word in line.split(" ") if word]


def parse_size(text: str, warn: Warn, *, shown: str | None = None) -> int:
    """Read an offset or a length, in bytes, as options.reader.scan_size() does.

    Args:
        text: The size.
        warn: Takes a warning, one line.
        shown: What a complaint shows instead of text.

    Returns:
        0 to 2^63 - 1.

    Raises:
        OptionError: EINVAL, not a size; ERANGE, too large. The message says so as qemu-io does.

    QEMU: qemu-io-cmds.c, cvtnum() and print_cvtnum_err().
    """
    size = scan_size(text, warn=warn)
    shown = text if shown is None else shown
    if size is Fault.MALFORMED:
        raise OptionError(
            f"Parsing error: non-numeric argument, or extraneous/unrecognized suffix -- {shown}"
        )
    if size is Fault.TOO_LARGE or size > INT64_MAX:
        raise OptionError(f"Parsing error: argument too large -- {shown}", errno=ERANGE)
    return size


def _parse_long(text: str) -> int | None:
    """Read all of a text as C's strtol() with base 0 does; None: something else stands there."""
    number = scan_number(text)
    if number is Fault.MALFORMED:
        return None
    if number is Fault.TOO_LARGE or number > INT64_MAX:
        return -1 if "-" in text else INT64_MAX
    return -number if "-" in text else number


def parse_pattern(text: str) -> int:
    """Read the byte that fills or checks a buffer, 0 to 255.

    Raises:
        OptionError: EINVAL; the text is no such byte.
    """
    pattern = _parse_long(text)
    if pattern is None or not 0 <= pattern <= 0xFF:
        raise OptionError(f"{text} is not a valid pattern byte")
    return pattern


def parse_milliseconds(text: str) -> int:
    """Read how long to sleep, in milliseconds, >= 0.

    Raises:
        OptionError: EINVAL; the text is no such number.
    """
    milliseconds = _parse_long(text)
    if milliseconds is None or milliseconds < 0:
        raise OptionError(f"{text} is not a valid number")
    return milliseconds


def parse_lengths(words: list[str], warn: Warn) -> list[int]:
    """Read the lengths of the buffers of a vectored request, in bytes.

    Raises:
        OptionError: EINVAL; a word is no size, or it or the sum is above MAX_REQUEST.
    """
    lengths: list[int] = []
    for word in words:
        try:
            length = parse_size(word, warn)
        except OptionError as error:
            # Whatever was wrong with the number, the command answers EINVAL.
            raise OptionError(str(error), errno=EINVAL) from error
        if length > MAX_REQUEST:
            raise OptionError(f"Argument '{word}' exceeds maximum size {MAX_REQUEST}")
        lengths.append(length)
        if sum(lengths) > MAX_REQUEST:
            raise OptionError(f"The total number of bytes exceed the maximum size {MAX_REQUEST}")
    return lengths


def argument_count_error(command: str, count: int, least: int, most: int | None) -> str | None:
    """Check how many words follow a command.

    Args:
        command: The command as it was typed.
        count: Words after it, options included.
        least: Fewest allowed.
        most: Most allowed; None: any number.

    Returns:
        The complaint, one line; None: the number is fine.
    """
    if count >= least and (most is None or count <= most):
        return None
    if most is None:
        expected = f"at least {least}"
    elif least == most:
        expected = f"{least}"
    else:
        expected = f"between {least} and {most}"
    return f"bad argument count {count} to {command}, expected {expected} arguments"
