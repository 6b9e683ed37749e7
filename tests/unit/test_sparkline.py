"""A row of blocks: as wide as it may be, from low to high, whatever the numbers."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftjobs.reports.sparkline import BLOCKS, gauge, sparkline


def test_each_value_is_a_block_from_the_lowest_to_the_highest() -> None:
    assert sparkline([1, 2, 3, 4, 5, 6, 7, 8], 12) == BLOCKS
    assert sparkline([3, 1], 12) == "█▁"
    assert sparkline([8, 1, 4], 12, ascii_only=True) == "*_-"


@pytest.mark.parametrize(("values", "line"), [([], ""), ([0.5], "▁"), ([2, 2, 2], "▁▁▁")])
def test_few_or_equal_values_are_a_flat_line(values: list[float], line: str) -> None:
    assert sparkline(values, 12) == line


def test_more_values_than_cells_are_averaged() -> None:
    assert sparkline([0, 2, 5, 7, 10, 12], 3) == "▁▅█"
    assert sparkline([0] * 500 + [1] * 500, 4) == "▁▁██"


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)), st.integers(1, 40), st.booleans())
def test_any_finite_values_fit(values: list[float], width: int, ascii_only: bool) -> None:
    line = sparkline(values, width, ascii_only=ascii_only)
    assert len(line) == min(len(values), width)
    assert line.isascii() or not ascii_only


def test_the_largest_floats_have_a_difference_too() -> None:
    assert sparkline([-sys.float_info.max, sys.float_info.max], 2) == "▁█"


@pytest.mark.parametrize(
    ("fraction", "bar"), [(0, "░░░░"), (0.24, "░░░░"), (0.25, "█░░░"), (0.99, "███░"), (1, "████")]
)
def test_a_bar_is_full_only_when_all_is_done(fraction: float, bar: str) -> None:
    assert gauge(fraction, 4) == bar
    assert gauge(fraction, 4, ascii_only=True) == bar.replace("█", "#").replace("░", "-")
