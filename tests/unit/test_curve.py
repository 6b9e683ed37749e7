"""The curve of a job, out of events that come in any order and say what they like."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ftjobs.jobs.curve import Curve, Point, count, curve_of, number
from ftjobs.jobs.event import Event

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def metrics(step: object, loss: object = 1.5, *, minute: int = 0, **data: Any) -> Event:
    told = {"step": step, "train_loss": loss, **data}
    return Event(None, START + timedelta(minutes=minute), "info", "metrics", "", told)


def test_points_come_by_step_whatever_the_order_of_the_events() -> None:
    curve = curve_of([metrics(2, 1.0, minute=2, total_steps=9), metrics(1, 2.0, minute=1, total_steps=9)])
    assert [(each.step, each.train_loss) for each in curve.points] == [(1, 2.0), (2, 1.0)]
    assert curve.total_steps == 9
    assert curve.last == curve.points[1]


def test_the_newest_word_on_a_step_counts() -> None:
    curve = curve_of([metrics(1, 0.5, minute=5), metrics(1, 2.0, minute=1)])
    assert [each.train_loss for each in curve.points] == [0.5]


def test_a_message_is_no_point_even_with_numbers_in_it() -> None:
    message = Event(None, START, "info", "message", "Step 1: training loss=1.0", {"step": 1, "train_loss": 1.0})
    assert curve_of([message]) == Curve()


@pytest.mark.parametrize("step", [None, 0, -1, True, 1.5, "x", float("nan"), float("inf"), [1], 10**400])
def test_what_carries_no_step_is_no_point(step: object) -> None:
    assert curve_of([metrics(step)]).points == ()


@pytest.mark.parametrize("loss", [None, True, "", "n/a", float("nan"), float("inf"), {}, 10**400])
def test_what_is_no_finite_number_was_not_measured(loss: object) -> None:
    assert curve_of([metrics(1, loss)]).points == (Point(1, START),)


def test_the_validation_names_of_both_kinds_are_read() -> None:
    (every,) = curve_of([metrics(1, valid_loss=2.5, valid_mean_token_accuracy=0.5)]).points
    (whole,) = curve_of([metrics(1, full_valid_loss=2.5, full_valid_mean_token_accuracy=0.5)]).points
    assert (every.valid_loss, every.valid_accuracy) == (whole.valid_loss, whole.valid_accuracy) == (2.5, 0.5)


def test_a_total_that_a_step_exceeds_is_not_believed() -> None:
    assert curve_of([metrics(5, total_steps=3)]).total_steps is None
    assert curve_of([metrics(3, total_steps=3)]).total_steps == 3


def test_numbers_are_read_out_of_text_too() -> None:
    assert (number("0.25"), number(3), count("12"), count(12.0)) == (0.25, 3.0, 12, 12)
