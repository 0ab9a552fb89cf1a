from __future__ import annotations

import pytest

from blkdebug_async.block.limits import Limits, check_limits, merge_limits, smaller
from blkdebug_async.errors import OptionError
from blkdebug_async.units import GIB


def test_node_without_children_has_no_limits() -> None:
    assert merge_limits([]) == Limits()


def test_smallest_transfer_of_all_children_counts() -> None:
    children = [Limits(max_transfer=4096), Limits(), Limits(max_transfer=1024)]
    assert merge_limits(children).max_transfer == 1024


@pytest.mark.parametrize(("left", "right"), [(1024, 4096), (4096, 1024), (None, 4096)])
def test_hints_and_discard_alignment_are_the_largest_of_any(
    left: int | None, right: int | None
) -> None:
    merged = merge_limits(
        [Limits(opt_transfer=each, pdiscard_alignment=each) for each in (left, right)]
    )
    assert (merged.opt_transfer, merged.pdiscard_alignment) == (4096, 4096)


def test_what_a_child_cares_for_itself_is_not_inherited() -> None:
    child = Limits(
        request_alignment=4096,
        pwrite_zeroes_alignment=8192,
        max_pwrite_zeroes=8192,
        max_pdiscard=8192,
    )
    assert merge_limits([child]) == Limits()


def test_memory_is_aligned_for_the_strictest_child() -> None:
    children = [
        Limits(min_mem_alignment=512, opt_mem_alignment=512),
        Limits(min_mem_alignment=2048, opt_mem_alignment=8192),
    ]
    merged = merge_limits(children)
    assert (merged.min_mem_alignment, merged.opt_mem_alignment) == (2048, 8192)


def test_vectors_are_as_short_as_the_strictest_child_wants_even_if_longer_than_the_default() -> (
    None
):
    assert merge_limits([Limits(max_iov=4096), Limits(max_iov=2000)]).max_iov == 2000


def test_alignment_up_to_one_gib_is_accepted() -> None:
    limits = Limits(request_alignment=GIB)
    assert check_limits(limits) is limits


def test_alignment_above_one_gib_is_refused() -> None:
    with pytest.raises(OptionError, match=r"^Driver requires too large request alignment$"):
        check_limits(Limits(request_alignment=2 * GIB))


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(4096, max_transfer=512), "max_transfer of 512 bytes is less than a block of 4096"),
        (Limits(4096, max_pwrite_zeroes=512), "max_pwrite_zeroes of 512 bytes is less"),
        (Limits(4096, max_pdiscard=2048), "max_pdiscard of 2048 bytes is less"),
    ],
)
def test_maximum_below_one_block_is_refused_as_no_request_could_keep_it(
    limits: Limits, message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        check_limits(limits)


@pytest.mark.parametrize(
    ("left", "right", "smallest"), [(1, 2, 1), (2, 1, 1), (None, 2, 2), (1, None, 1)]
)
def test_no_limit_is_larger_than_any(left: int | None, right: int | None, smallest: int) -> None:
    assert smaller(left, right) == smallest


def test_two_absent_limits_are_none() -> None:
    assert smaller(None, None) is None
