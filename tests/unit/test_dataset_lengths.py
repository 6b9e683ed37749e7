"""Lengths are exact, and their picture holds every example."""

from __future__ import annotations

import statistics
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftjobs.dataset.lengths import Bin, Lengths

lengths_of_files = st.lists(st.integers(0, 200) | st.integers(0, 70_000), min_size=1, max_size=60)


def of(lengths: list[int]) -> Lengths:
    found = Lengths.of(Counter(lengths))
    assert found is not None
    return found


def test_a_file_without_examples_has_no_lengths() -> None:
    assert Lengths.of({}) is None


@given(lengths=lengths_of_files)
def test_the_summary_is_that_of_the_sorted_lengths(lengths: list[int]) -> None:
    found, ordered = of(lengths), sorted(lengths)
    assert (found.shortest, found.longest) == (ordered[0], ordered[-1])
    assert found.median == statistics.median_low(ordered)
    # As many as the name says do not exceed it, and no smaller length could be named.
    for percent, value in ((5, found.p5), (95, found.p95)):
        assert sum(length <= value for length in lengths) * 100 >= percent * len(lengths)
        assert sum(length < value for length in lengths) * 100 < percent * len(lengths)


@given(lengths=lengths_of_files)
def test_the_bins_touch_are_few_and_hold_every_example(lengths: list[int]) -> None:
    bins = of(lengths).bins
    assert 1 <= len(bins) <= 12
    assert all(before.stop == after.start for before, after in pairwise(bins))
    assert [each.examples for each in bins] == [
        sum(each.start <= length < each.stop for length in lengths) for each in bins
    ]
    assert sum(each.examples for each in bins) == len(lengths)
    assert bins[0].examples or bins[0].start == 0
    assert bins[-1].examples > 0


def test_bins_have_round_edges() -> None:
    assert of([103, 147, 199]).bins == tuple(
        Bin(start, start + 10, int(start in {100, 140, 190})) for start in range(100, 200, 10)
    )
    assert [(each.start, each.stop) for each in of([10, 90, 1000]).bins] == [
        (8, 16),
        (16, 32),
        (32, 64),
        (64, 128),
        (128, 256),
        (256, 512),
        (512, 1024),
    ]


@pytest.mark.parametrize(
    ("lengths", "share"),
    [([10] * 20, 5), ([10] * 19 + [190], 50), ([10] * 38 + [190] * 2, 50), ([5], 100), ([0, 0], 0)],
)
def test_the_share_of_the_longest_twentieth(lengths: list[int], share: int) -> None:
    assert of(lengths).longest_5pct_share_pct == share
