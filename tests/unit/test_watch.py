"""Watching is a fold over refreshes: it ends when all ended, and waits no longer than it may."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ftjobs.ambient import Ambient
from ftjobs.errors import RejectedError, UnavailableError, WaitTimeoutError
from ftjobs.jobs.job import parse_job
from ftjobs.jobs.progress import Progress
from ftjobs.jobs.submission import State, Submission
from ftjobs.ledger.entries import Trail
from ftjobs.workflows.observe import Snapshot
from ftjobs.workflows.watch import Outage, PollSchedule, glance, watch_line
from ftjobs.workflows.watch import watch as watch_jobs

NOW = datetime(2027, 6, 1, 12, tzinfo=UTC)
SCHEDULE = PollSchedule(initial_s=2, max_s=10)


def watch(refresh: Callable[[], Sequence[Trail]], ambient: Ambient, **more: Any) -> Iterator[tuple[Snapshot, ...]]:
    """Watch without events."""
    return watch_jobs(refresh, ambient, **{"look": lambda trails: glance(trails, now=NOW), **more})


def trail(status: str | None, *, number: int = 1, state: State = "created") -> Trail:
    job = None
    if status is not None:
        raw = {"object": "fine_tuning.job", "id": f"ftjob-{number}", "status": status, "created_at": 1_800_000_000}
        job = parse_job(raw)
    submission = Submission(
        id=f"01J{number}",
        key="k",
        state=state,
        profile="openai",
        account="a",
        recorded_at=NOW,
        spec=None,
        quote=None,
        tags={},
        job=job,
    )
    return Trail(submission, ())


@dataclass
class Time:
    """A clock that only waiting moves; it keeps the waits."""

    now_s: float = 1000.0
    waits: list[float] = field(default_factory=list)

    @property
    def ambient(self) -> Ambient:
        return Ambient(now=self._now, monotonic=lambda: self.now_s, sleep=self._sleep)

    def _now(self) -> datetime:
        return NOW + timedelta(seconds=self.now_s - 1000)

    def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now_s += seconds


def refreshes(*rounds: Sequence[str | None]) -> Callable[[], Sequence[Trail]]:
    """Return a refresh that brings these statuses, round by round, the last one for ever."""
    left = list(rounds)

    def refresh() -> Sequence[Trail]:
        statuses = left.pop(0) if len(left) > 1 else left[0]
        return [trail(status, number=number) for number, status in enumerate(statuses, start=1)]

    return refresh


def statuses(shown: Sequence[Snapshot]) -> list[str]:
    return [each.trail.submission.status for each in shown]


def test_what_has_ended_is_shown_once_and_nobody_waits() -> None:
    time = Time()
    shown = list(watch(refreshes(["succeeded", "failed", "cancelled"]), time.ambient, schedule=SCHEDULE))
    assert [statuses(each) for each in shown] == [["succeeded", "failed", "cancelled"]]
    assert time.waits == []


def test_it_goes_on_until_the_last_one_has_ended() -> None:
    time = Time()
    rounds = (["running", "queued"], ["succeeded", "running"], ["succeeded", "succeeded"])
    shown = list(watch(refreshes(*rounds), time.ambient, schedule=SCHEDULE))
    assert [statuses(each) for each in shown] == [list(each) for each in rounds]


@pytest.mark.parametrize("word", ["paused", "pausing", "notRunning", "created", "a word of 2028"])
def test_an_unknown_word_is_shown_and_is_no_end(word: str) -> None:
    shown = list(watch(refreshes([word], [word], ["succeeded"]), Time().ambient, schedule=SCHEDULE))
    assert [statuses(each) for each in shown] == [[word], [word], ["succeeded"]]


@pytest.mark.parametrize("word", ["canceled", "cancelled"])
def test_either_spelling_of_cancelled_is_an_end(word: str) -> None:
    assert len(list(watch(refreshes([word]), Time().ambient, schedule=SCHEDULE))) == 1


@pytest.mark.parametrize("state", ["rejected", "abandoned"])
def test_a_submission_that_creates_no_job_is_over(state: Any) -> None:
    shown = watch(lambda: [trail(None, state=state)], Time().ambient, schedule=SCHEDULE, timeout_s=1)
    assert [statuses(each) for each in shown] == [[state]]


def test_an_uncertain_submission_is_not_over() -> None:
    with pytest.raises(WaitTimeoutError, match="1 of 1"):
        list(watch(lambda: [trail(None, state="uncertain")], Time().ambient, schedule=SCHEDULE, timeout_s=1))


def test_the_interval_relaxes_to_its_bound_and_a_change_makes_it_short_again() -> None:
    time = Time()
    rounds = [["queued"]] * 10 + [["running"]] * 3 + [["succeeded"]]
    list(watch(refreshes(*rounds), time.ambient, schedule=SCHEDULE))
    assert time.waits[:3] == [2, 2.5, 3.125]
    assert time.waits[9] == 10
    assert time.waits[10:] == [2, 2.5, 3.125]


@pytest.mark.parametrize(("timeout_s", "looks"), [(0.5, 1), (1.9, 1), (2.0, 2), (4.5, 3), (4.4, 2)])
def test_it_never_waits_past_the_time_out(timeout_s: float, looks: int) -> None:
    time = Time()
    seen = []
    with pytest.raises(WaitTimeoutError) as caught:
        for shown in watch(
            refreshes(["running", "succeeded"]), time.ambient, schedule=SCHEDULE, timeout_s=timeout_s
        ):
            seen.append(statuses(shown))
    assert len(seen) == looks
    assert time.now_s - 1000 <= timeout_s
    assert caught.value.exit_code == 10
    assert caught.value.details == {"job_ids": ["ftjob-1"]}
    assert "`ftjobs watch ftjob-1`" in caught.value.next_step
    assert f"After {timeout_s:g} s 1 of 2 jobs had not ended when last seen." == caught.value.message


def test_the_line_to_go_on_names_a_few_open_jobs_or_none() -> None:
    three = [trail("running", number=1), trail("succeeded", number=2), trail(None, number=3, state="uncertain")]
    assert watch_line(three) == "ftjobs watch ftjob-1 01J3"
    assert watch_line([trail("running", number=number) for number in range(4)]) == "ftjobs watch"


def test_a_snapshot_holds_the_trail_and_how_far_the_job_is() -> None:
    running, ended = watch(refreshes(["running"], ["succeeded"]), Time().ambient, schedule=SCHEDULE)
    assert [each.progress for each in (*running, *ended)] == [Progress(), Progress(fraction=1.0)]
    halfway = Progress(step=1, total_steps=2, fraction=0.5)
    looked = watch(
        refreshes(["succeeded"]),
        Time().ambient,
        schedule=SCHEDULE,
        look=lambda trails: [Snapshot(trail, halfway) for trail in trails],
    )
    assert [progress for ((_, progress),) in looked] == [halfway]


def unavailable(**details: object) -> UnavailableError:
    return UnavailableError("unavailable", "The API did not answer.", next_step="Wait.", **details)


@dataclass
class Weather:
    """A service that is away while its `failure` says so; it keeps what was told of it."""

    failure: Exception | None = None
    asked: int = 0
    told: list[str] = field(default_factory=list)

    def ask(self) -> None:
        self.asked += 1
        if self.failure:
            raise self.failure

    def outage(self, time: Time) -> Outage:
        return Outage(
            time.ambient,
            on_away=lambda error: self.told.append(f"away: {error.message}"),
            on_back=lambda since: self.told.append(f"back: {(since - NOW).total_seconds():g}"),
        )


def test_a_service_that_is_away_for_hours_is_told_of_once_and_once_more_when_it_is_back() -> None:
    time, weather = Time(), Weather()
    outage = weather.outage(time)
    outage.attempt(weather.ask)
    assert (outage.since, weather.told) == (None, [])
    weather.failure = unavailable()
    for _ in range(500):
        time.now_s += 60
        outage.attempt(weather.ask)
    assert outage.since == NOW + timedelta(seconds=60)
    weather.failure = None
    outage.attempt(weather.ask)
    outage.attempt(weather.ask)
    assert weather.told == ["away: The API did not answer.", "back: 60"]
    assert weather.asked == 503


@pytest.mark.parametrize(("asked_s", "left_alone_s"), [(90.0, 90), (86_400, 600)])
def test_a_service_that_asks_to_wait_is_left_alone_for_as_long(asked_s: float, left_alone_s: float) -> None:
    time, weather = Time(), Weather(unavailable(retry_after_s=asked_s))
    outage = weather.outage(time)
    outage.attempt(weather.ask)
    time.now_s += left_alone_s - 1
    outage.attempt(weather.ask)
    assert weather.asked == 1
    time.now_s += 1
    outage.attempt(weather.ask)
    assert weather.asked == 2


def test_what_waiting_does_not_cure_is_raised() -> None:
    weather = Weather(RejectedError("rejected", "No.", next_step="Check the key."))
    with pytest.raises(RejectedError):
        weather.outage(Time()).attempt(weather.ask)
    assert weather.told == []
