"""The loss drawn in text: where the numbers are, told apart without colour, in any width and any encoding."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ftjobs.jobs.curve import Curve, Point
from ftjobs.reports.chart import ASCII, FINE, Marks, has_losses, loss_chart

FALLING = Curve(
    tuple(Point(n, train_loss=10.0 - n, valid_loss=11.0 - n if n % 3 == 0 else None) for n in range(1, 10))
)


def body(lines: list[str], marks: Marks = ASCII) -> list[str]:
    """Return the rows of the chart right of its axis."""
    drawn = [line for line in lines if marks.tick in line or marks.axis in line][:-1]
    return [line.partition(marks.axis if marks.axis in line else marks.tick)[2] for line in drawn]


def test_a_falling_loss_falls_from_the_upper_left_to_the_lower_right() -> None:
    lines = loss_chart(Curve(FALLING.points), width=40, height=9, marks=ASCII)
    rows = body(lines)
    firsts = [row.find("*") for row in rows if "*" in row]
    assert firsts == sorted(firsts)
    assert lines[1].lstrip().startswith("9 +*")
    assert lines[0].strip() == "loss"


def test_axes_say_from_where_to_where() -> None:
    lines = loss_chart(FALLING, width=60, height=9, marks=ASCII)
    labels = [line.split()[0] for line in lines if line.strip()[:1].isdigit() and "+" in line]
    assert labels == ["9", "5", "1"]
    assert lines[-2].split() == ["1", "step", "9"]


def test_training_and_validation_have_marks_of_their_own_and_a_legend() -> None:
    lines = loss_chart(FALLING, width=60, marks=ASCII)
    assert lines[-1].split() == ["*", "training", "o", "validation", "@", "both"]
    assert sum(row.count("o") + row.count("@") for row in body(lines)) == 3
    only = loss_chart(Curve((Point(1, valid_loss=1.0), Point(2, valid_loss=0.5))), width=60, marks=ASCII)
    assert only[-1].split() == ["o", "validation"]


def test_fine_marks_are_braille_and_the_fallback_is_ascii() -> None:
    fine, plain = ("\n".join(loss_chart(FALLING, width=60, marks=marks)) for marks in (FINE, ASCII))
    assert any(0x2800 < ord(each) < 0x2900 for each in fine)
    assert plain.isascii()


@pytest.mark.parametrize(
    "curve", [Curve(), Curve((Point(1, train_accuracy=0.5),)), Curve((Point(1, train_loss=1e7),))]
)
def test_without_a_credible_loss_nothing_is_drawn(curve: Curve) -> None:
    assert (has_losses(curve), loss_chart(curve, width=80)) == (False, [])


@pytest.mark.parametrize("width", [30, 60, 80, 100, 140, None])
def test_a_chart_keeps_to_its_width(width: int | None) -> None:
    for marks in (FINE, ASCII):
        lines = loss_chart(FALLING, width=width, marks=marks)
        assert max(map(len, lines)) <= min(width or 72, 100)


losses = st.none() | st.floats(-2e6, 2e6) | st.floats(allow_nan=False, allow_infinity=False)
told = st.dictionaries(st.integers(1, 10**12), st.tuples(losses, losses), max_size=20)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(told, st.integers(1, 200), st.integers(3, 20))
def test_any_curve_is_drawn_within_its_bounds(
    told: dict[int, tuple[float | None, float | None]], width: int, height: int
) -> None:
    points = (Point(step, train_loss=train, valid_loss=valid) for step, (train, valid) in sorted(told.items()))
    curve = Curve(tuple(points))
    for marks in (FINE, ASCII):
        lines = loss_chart(curve, width=width, height=height, marks=marks)
        assert bool(lines) == has_losses(curve)
        if lines:
            assert len(lines) >= height + 4
            assert max(map(len, lines[: height + 2])) <= max(30, width)
