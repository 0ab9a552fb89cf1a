"""Byte arithmetic and the sizes that everybody uses."""

from __future__ import annotations

from typing import Final

#: The unit of image lengths and of the sector in a rule, in bytes.
SECTOR_SIZE: Final = 512
KIB: Final = 1 << 10
MIB: Final = 1 << 20
GIB: Final = 1 << 30
INT_MAX: Final = (1 << 31) - 1
INT64_MAX: Final = (1 << 63) - 1
#: Longest read or write that a caller may ask for, in bytes: INT_MAX in whole sectors.
MAX_REQUEST: Final = INT_MAX // SECTOR_SIZE * SECTOR_SIZE
#: Largest alignment that a node may have, in bytes. QEMU: include/block/block-global-state.h.
MAX_ALIGNMENT: Final = 1 << 30
#: Largest image, in bytes.
MAX_LENGTH: Final = INT64_MAX // MAX_ALIGNMENT * MAX_ALIGNMENT
#: Largest buffer that the layer makes on a caller's behalf, in bytes.
MAX_BOUNCE: Final = 16 * MIB


def align_down(value: int, align: int) -> int:
    """Round value down to a multiple of align, which need not be a power of two."""
    return value - value % align


def align_up(value: int, align: int) -> int:
    """Round value up to a multiple of align, which need not be a power of two."""
    return value + -value % align


def is_aligned(value: int, align: int) -> bool:
    """Tell whether value is a multiple of align."""
    return value % align == 0


def is_power_of_two(value: int) -> bool:
    """Tell whether value is 1, 2, 4, ..."""
    return value > 0 and value & (value - 1) == 0
