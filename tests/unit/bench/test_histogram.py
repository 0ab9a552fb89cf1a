from __future__ import annotations

import importlib
import math
import statistics
import sys

import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from blkdebug_async.bench.histogram import DIGITS, MAX_NS, Histogram

LATENCIES = st.lists(st.integers(0, MAX_NS) | st.integers(0, 5000), min_size=1, max_size=200)
PRECISION = 10.0**-DIGITS


def nearest_rank(values: list[int], percent: float) -> set[int]:
    # Where a rank falls between two values, either is right.
    rank = percent * len(values) / 100
    ordered = sorted(values)
    indices = {math.floor(rank) - 1, math.ceil(rank) - 1, math.floor(rank + 0.5) - 1}
    return {ordered[min(max(index, 0), len(values) - 1)] for index in indices}


@given(values=LATENCIES, percent=st.floats(0, 100))
def test_percentiles_are_those_of_the_sorted_list_to_three_digits(
    values: list[int], percent: float
) -> None:
    found = Histogram(values).percentile(percent)
    candidates = nearest_rank(values, percent)
    assert any(abs(found - each) <= each * PRECISION for each in candidates)


@given(LATENCIES)
def test_count_mean_deviation_and_extremes_are_exact(values: list[int]) -> None:
    histogram = Histogram(values)
    assert histogram.count == len(values)
    assert histogram.sum == sum(values)
    assert histogram.mean == pytest.approx(statistics.fmean(values))
    assert histogram.stddev == pytest.approx(statistics.pstdev(values), rel=1e-6, abs=1e-6)
    assert (histogram.min, histogram.max) == (min(values), max(values))


# The library takes its time over going through all buckets.
@settings(max_examples=20)
@given(st.lists(LATENCIES, max_size=4))
def test_merging_is_as_good_as_recording_all_in_one(batches: list[list[int]]) -> None:
    merged, single = Histogram(), Histogram()
    for batch in batches:
        merged.merge(Histogram(batch))
        single.add(batch)
    assert list(merged.buckets()) == list(single.buckets())
    percents = [0.0, 50.0, 99.9, 100.0]
    assert merged.percentiles(percents) == single.percentiles(percents)
    assert (merged.count, merged.mean, merged.stddev) == (single.count, single.mean, single.stddev)
    assert (merged.min, merged.max) == (single.min, single.max)


def test_what_was_merged_stays_as_it_was() -> None:
    source = Histogram([1, 2, 3])
    Histogram().merge(source)
    assert (source.count, list(source.buckets())) == (3, [(1, 1), (2, 1), (3, 1)])


@settings(max_examples=20)
@given(LATENCIES)
def test_buckets_hold_every_value_within_three_digits(values: list[int]) -> None:
    buckets = list(Histogram(values).buckets())
    spread = [value for value, count in buckets for _ in range(count)]
    assert len(spread) == len(values)
    for rounded, value in zip(spread, sorted(values), strict=True):
        assert value <= rounded <= value * (1 + PRECISION) + 1


@settings(max_examples=20)
@given(LATENCIES)
def test_buckets_are_those_that_the_library_would_have_chosen(values: list[int]) -> None:
    plain = HdrHistogram(1, MAX_NS, DIGITS)
    for value in values:
        plain.record_value(value)
    expected = [
        (step.value_iterated_to, step.count_added_in_this_iter_step)
        for step in plain.get_recorded_iterator()
    ]
    assert list(Histogram(values).buckets()) == expected


def test_an_empty_histogram_has_zeros_for_everything() -> None:
    empty = Histogram()
    assert (empty.count, empty.min, empty.max, empty.sum) == (0, 0, 0, 0)
    assert (empty.mean, empty.stddev, empty.percentile(99)) == (0.0, 0.0, 0)
    assert list(empty.buckets()) == []


def test_many_different_values_do_not_stay_loose() -> None:
    values = list(range(1, 100_000))
    histogram = Histogram(values)
    assert histogram.percentile(50) == pytest.approx(50_000, rel=PRECISION)
    assert histogram.count == len(values)


def test_longer_than_the_longest_that_is_told_apart_is_counted_there() -> None:
    histogram = Histogram([1, MAX_NS * 3])
    assert (histogram.count, histogram.max) == (2, MAX_NS * 3)
    assert histogram.percentile(100) == pytest.approx(MAX_NS, rel=PRECISION)


def test_its_encoded_form_is_read_by_the_library_it_is_named_after() -> None:
    decoded = HdrHistogram.decode(Histogram([1000, 1000, 2000]).encode())
    assert decoded.get_total_count() == 3
    assert decoded.get_max_value() == pytest.approx(2000, rel=PRECISION)


def test_it_shows_its_figures() -> None:
    assert repr(Histogram([10, 20])) == "<Histogram of 2: 10 to 20, mean 15>"


def test_without_the_library_it_is_said_which_extra_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "hdrh.histogram", None)
    monkeypatch.delitem(sys.modules, "blkdebug_async.bench.histogram")
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'blkdebug_async\[bench\]'"):
        importlib.import_module("blkdebug_async.bench.histogram")
