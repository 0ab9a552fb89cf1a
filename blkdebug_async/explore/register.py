"""One register: is there a serial order of its writes that explains what every read returned?

Each access takes effect at one moment between its beginning and its end. To decide whether that can
be, with many accesses at the same time and many writes of the same data, takes trying in general.
Here all states in which the register may be are gone through from one beginning or end to the next.
Nothing takes effect before it must, as what happens later can still happen in more ways:
- A read is over as soon as the register may hold what it returned.
- Who ends must have taken effect. Before it come only writes that other reads have seen.
- When a write takes effect, others that have begun may have done so just before, seen by nobody.
  From then on they need not happen any more, but still can. So no order among them is tried.
- A write of which nobody knows whether it happened need not happen from the beginning.

After Wing and Gong's search, and Lowe's way of trying what must happen only when it must.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

#: The register may hold anything: the first read tells what.
_ANYTHING: Final = -1


class Access(NamedTuple):
    """A read or a write of one register."""

    #: A moment, of no other beginning or end.
    began: int
    #: Of a read, when it was over. Of a write, when it must have happened; None: it need not have.
    ended: int | None
    writes: bool
    #: What was read or written; None: it writes something that nobody knows.
    value: bytes | None


class OutOfBudgetError(Exception):
    """Too much was tried, and the answer is still not known."""


class Budget:
    """How many states may still be gone through.

    Args:
        states: The number.
    """

    def __init__(self, states: int) -> None:
        self._left = states

    def spend(self) -> None:
        """Take one.

        Raises:
            OutOfBudgetError: There is none left.
        """
        if not self._left:
            raise OutOfBudgetError
        self._left -= 1


def is_plain(accesses: Sequence[Access], initial: bytes | None) -> bool:
    """Tell whether writes meet nothing in time, and each read returned what was written last.

    That is the usual case, and quickly seen. False: nothing is known.
    """
    value = initial
    last_write = last_end = -1
    for began, ended, writes, seen in accesses:
        if ended is None or began < (last_end if writes else last_write):
            return False
        if writes:
            value = seen
            last_write = ended
        elif value is None:
            value = seen
        elif value != seen:
            return False
        if ended > last_end:
            last_end = ended
    return True


def unexplained(accesses: Sequence[Access], initial: bytes | None, budget: Budget) -> int | None:
    """Find the first read that no serial order explains.

    Args:
        accesses: By their beginnings.
        initial: What the register held; None: nobody knows, before the first read of it.
        budget: For the search.

    Returns:
        Its index; None: all are explained.

    Raises:
        OutOfBudgetError: It takes too long to find out.
    """
    if is_plain(accesses, initial):
        return None
    moments = [(access.began, False, index) for index, access in enumerate(accesses)]
    moments += [
        (access.ended, True, index)
        for index, access in enumerate(accesses)
        if access.ended is not None
    ]
    register = _Register(initial, budget)
    bits: dict[int, int] = {}
    for _, is_end, index in sorted(moments):
        if not is_end:
            bits[index] = register.begin(accesses[index])
        elif not register.end(bits.pop(index)):
            return index
    return None


def could_return(
    accesses: Sequence[Access], read: int, initial: bytes | None, states: int
) -> list[bytes]:
    """List what a read could have returned, of all that was ever there.

    Args:
        accesses: As unexplained().
        read: Index of the first read that is not explained.
        initial: As unexplained().
        states: Budget for each value.
    """
    end = accesses[read].ended or 0
    known: list[Access] = []
    for access in accesses:
        if access.began < end and not (access.ended is not None and access.ended > end):
            known.append(access)
        elif access.began < end and access.writes:
            known.append(access._replace(ended=None))
    place = known.index(accesses[read])
    found = []
    values = [initial, *(access.value for access in known)]
    for value in dict.fromkeys(value for value in values if value is not None):
        known[place] = accesses[read]._replace(value=value)
        try:
            if unexplained(known, initial, Budget(states)) is None:
                found.append(value)
        except OutOfBudgetError:
            continue
    return found


class _State(NamedTuple):
    """What a register may hold, and the bits of accesses that have begun and not happened yet."""

    value: int
    reads: int
    #: Writes that must happen before they end.
    must: int
    #: Writes that can happen.
    may: int


class _Register:
    """All states in which a register may be, from one moment to the next.

    Each access that has begun has a bit until it has ended; a write that need not happen has it for
    ever.
    """

    def __init__(self, initial: bytes | None, budget: Budget) -> None:
        self._budget = budget
        # Numbers for what is read and written.
        self._numbers: dict[bytes, int] = {}
        self._states = {_State(self._number(initial), 0, 0, 0)}
        self._used = 0
        # By its bit, what a write writes.
        self._writes: dict[int, int] = {}
        # By what they return, the bits of reads.
        self._readers: dict[int, int] = {}

    def begin(self, access: Access) -> int:
        """Let an access begin; gives its bit."""
        bit = ~self._used & self._used + 1
        self._used |= bit
        number = self._number(access.value)
        if not access.writes:
            self._readers[number] = self._readers.get(number, 0) | bit
            self._states = {
                state if state.value == number else state._replace(reads=state.reads | bit)
                for state in self._states
            }
            return bit
        self._writes[bit] = number
        if access.ended is None:
            self._states = {state._replace(may=state.may | bit) for state in self._states}
        else:
            self._states = {state._replace(must=state.must | bit) for state in self._states}
        return bit

    def end(self, bit: int) -> bool:
        """Let an access end; False: there is no state in which it can."""
        stack = [state for state in self._states if (state.reads | state.must | state.may) & bit]
        seen = set(stack)
        found = self._states - seen
        while stack:
            self._budget.spend()
            state = stack.pop()
            if state.may & bit:
                found.add(state._replace(may=state.may & ~bit))
            for after in self._next_states(state, bit):
                if not (after.reads | after.must | after.may) & bit:
                    found.add(after)
                elif after not in seen:
                    seen.add(after)
                    stack.append(after)
        self._states = found
        self._used &= ~bit
        if self._writes.pop(bit, None) is None:
            self._readers = {
                number: rest for number, bits in self._readers.items() if (rest := bits & ~bit)
            }
        return bool(found)

    def _next_states(self, state: _State, target: int) -> Iterator[_State]:
        """Give the states after whatever may happen before the target has."""
        value, reads, must, may = state
        if value == _ANYTHING:
            for seen, bits in self._readers.items():
                if reads & bits:
                    yield _State(seen, reads & ~bits, must, may)
        pending = must | may
        for bit, written in self._writes.items():
            if not pending & bit:
                continue
            unread = reads & ~self._readers.get(written, 0)
            if bit == target or unread != reads or (written == _ANYTHING and reads):
                yield _State(written, unread, 0, pending & ~bit)

    def _number(self, value: bytes | None) -> int:
        if value is None:
            return _ANYTHING
        return self._numbers.setdefault(value, len(self._numbers))
