"""How far a job is: known only where somebody said so, and stuck only where it is."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ftjobs.jobs.curve import Curve, Point, joined
from ftjobs.jobs.job import Job, parse_job
from ftjobs.jobs.progress import Progress, Stall, progress_of

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
CREATED = int(START.timestamp())


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def job(status: str = "running", **more: Any) -> Job:
    return parse_job(
        {"object": "fine_tuning.job", "id": "ftjob-1", "status": status, "created_at": CREATED, **more}
    )


def curve(times: Iterable[float], *, total_steps: int | None = 100, first: int = 1) -> Curve:
    """Return a curve with a step at each of these minutes."""
    points = [Point(first + nth, START + minutes(at), train_loss=2 - nth / 100) for nth, at in enumerate(times)]
    return Curve(tuple(points), total_steps)


# How far


def test_a_submission_without_a_job_and_a_job_nobody_looked_at_are_unknown() -> None:
    assert progress_of(None, now=START) == progress_of(job(), now=START) == Progress()


@pytest.mark.parametrize("status", ["validating_files", "queued", "running", "failed", "cancelled", "a new word"])
def test_without_total_steps_no_share_is_known(status: str) -> None:
    found = progress_of(job(status), curve([1, 2], total_steps=None), now=START + minutes(2))
    assert (found.step, found.total_steps, found.fraction) == (2, None, None)


@pytest.mark.parametrize(
    ("status", "steps", "fraction"),
    [
        ("running", 25, 0.25),
        ("running", 100, 0.99),
        ("a new word", 100, 0.99),
        ("failed", 25, 0.25),
        ("cancelled", 100, 0.99),
        ("succeeded", 25, 1.0),
    ],
)
def test_all_of_it_is_done_once_it_succeeded_and_not_before(status: str, steps: int, fraction: float) -> None:
    found = progress_of(job(status), curve(range(steps)), now=START + minutes(steps))
    assert found.fraction == fraction


def test_a_job_that_succeeded_unseen_is_done_all_the_same() -> None:
    assert progress_of(job("succeeded"), now=START) == Progress(fraction=1.0)


def test_steps_beyond_belief_are_not_believed() -> None:
    found = progress_of(job(), Curve((Point(10**300, START),), 10**301), now=START)
    assert (found.step, found.total_steps, found.fraction, found.eta) == (None, None, None, None)


def test_losses_are_those_that_were_measured() -> None:
    points = (Point(1, START, train_loss=2.0), Point(2, START), Point(3, START, valid_loss=1.0, train_loss=1.5))
    assert progress_of(job(), Curve(points), now=START).losses == (2.0, 1.5)


# When


def test_the_service_knows_better_than_the_pace() -> None:
    expected = START + minutes(7)
    found = progress_of(job(estimated_finish=int(expected.timestamp())), curve([0, 1, 2]), now=START + minutes(2))
    assert found.eta == expected


@pytest.mark.parametrize("told", [None, CREATED + 60])
def test_a_steady_pace_says_when_where_the_service_says_nothing_that_lies_ahead(told: int | None) -> None:
    found = progress_of(job(estimated_finish=told), curve(range(25)), now=START + minutes(24.5))
    assert found.eta == START + minutes(24 + 75)


def test_the_newest_pace_counts() -> None:
    slow_first = [0, 60, *(60 + nth for nth in range(1, 24))]
    found = progress_of(job(), curve(slow_first), now=START + minutes(84))
    assert found.eta == START + minutes(83 + 75)


def test_steps_that_share_a_second_are_measured_against_earlier_ones() -> None:
    found = progress_of(job(), curve([0, 5, *[10] * 23]), now=START + minutes(10))
    assert found.eta == START + minutes(10) + minutes(10) / 24 * 75


@pytest.mark.parametrize("times", [[], [3], [3] * 30])
def test_without_two_instants_there_is_no_pace(times: list[float]) -> None:
    assert progress_of(job(), curve(times), now=START + minutes(4)).eta is None


def test_nothing_is_expected_in_the_past() -> None:
    almost = curve(range(99))
    assert progress_of(job(), almost, now=START + minutes(98.5)).eta == START + minutes(99)
    assert progress_of(job(), almost, now=START + minutes(99)).eta is None
    late = job(estimated_finish=CREATED + 60)
    assert progress_of(late, now=START + minutes(1)).eta is None


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
def test_what_has_ended_is_not_expected_to_end(status: str) -> None:
    ended = job(status, estimated_finish=CREATED + 6000)
    assert progress_of(ended, curve([0, 1]), now=START + minutes(1)).eta is None


def test_an_end_beyond_the_calendar_is_no_end() -> None:
    slow = Curve((Point(1, START), Point(2, START + minutes(10**6))), 10**9)
    assert progress_of(job(), slow, now=START + minutes(10**6)).eta is None


# Stuck


@pytest.mark.parametrize(
    ("status", "within_minutes"), [("validating_files", 60), ("queued", 360)]
)  # fmt: skip
def test_what_comes_before_training_is_called_out_after_its_time(status: Any, within_minutes: float) -> None:
    assert progress_of(job(status), now=START + minutes(within_minutes)).stalled is None
    late = progress_of(job(status), now=START + minutes(within_minutes + 1))
    assert late.stalled == Stall(status, minutes(within_minutes + 1))


def test_a_training_job_without_a_step_for_long_is_called_out() -> None:
    steady = curve(range(25))
    assert progress_of(job(), steady, now=START + minutes(24 + 40)).stalled is None
    assert progress_of(job(), steady, now=START + minutes(24 + 41)).stalled == Stall("no_step", minutes(41))


def test_a_job_is_measured_by_its_own_pace() -> None:
    slow = curve([0, 30, 60, 90])
    assert progress_of(job(), slow, now=START + minutes(90 + 300)).stalled is None
    assert progress_of(job(), slow, now=START + minutes(90 + 301)).stalled == Stall("no_step", minutes(301))


def test_pace_is_of_what_is_reported_not_of_single_steps() -> None:
    sparse = Curve(tuple(Point(100 * nth, START + minutes(20 * nth)) for nth in range(1, 5)), 1000)
    assert progress_of(job(), sparse, now=START + minutes(80 + 100)).stalled is None
    assert progress_of(job(), sparse, now=START + minutes(80 + 201)).stalled is not None


def test_any_event_is_a_sign_of_life_and_none_is_no_sign_of_death() -> None:
    now = START + minutes(100)
    assert progress_of(job(), curve([0, 1]), now=now, newest_event_at=START + minutes(70)).stalled is None
    assert progress_of(job(), now=now).stalled is None, "nobody asked for events"
    begun = progress_of(job(), now=now, newest_event_at=START + minutes(10))
    assert begun.stalled == Stall("no_step", minutes(90))


def test_after_the_last_step_the_model_is_made_and_no_step_is_missing() -> None:
    assert progress_of(job(), curve(range(100)), now=START + minutes(1000)).stalled is None


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled", "paused", "a new word"])
def test_no_other_word_stalls(status: str) -> None:
    later = START + minutes(10_000)
    assert progress_of(job(status), curve([0, 1]), now=later, newest_event_at=START).stalled is None


# Curves that grow


def test_curves_are_joined_by_step_and_the_later_word_counts() -> None:
    early = Curve((Point(1, START, train_loss=9.0), Point(2, START, train_loss=8.0)), 10)
    late = Curve((Point(2, START, train_loss=7.0), Point(4, START, train_loss=6.0)))
    both = joined(early, late)
    assert [(each.step, each.train_loss) for each in both.points] == [(1, 9.0), (2, 7.0), (4, 6.0)]
    assert both.total_steps == 10
    assert joined(early, Curve((), 12)).total_steps == 12
    assert joined(early, Curve((Point(11, START),))).total_steps is None
