"""Observing asks little, keeps what it saw, and fails nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from ftjobs.errors import ConfigError, RejectedError, UnavailableError
from ftjobs.jobs.event import Event
from ftjobs.jobs.job import parse_job
from ftjobs.jobs.progress import Progress, Stall
from ftjobs.jobs.submission import Submission
from ftjobs.ledger.entries import Trail
from ftjobs.provider.api import Api
from ftjobs.workflows.observe import Observer

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def trail(job_id: str, status: str = "running", *, account: str = "a") -> Trail:
    raw = {"object": "fine_tuning.job", "id": job_id, "status": status, "created_at": int(START.timestamp())}
    submission = Submission(
        id=f"01J{job_id}",
        key="k",
        state="created",
        profile="openai",
        account=account,
        recorded_at=START,
        spec=None,
        quote=None,
        tags={},
        job=parse_job(raw),
    )
    return Trail(submission, ())


@dataclass
class World:
    """Jobs that take a step a minute, and a service that lists their events, or does not."""

    now: datetime = START
    failures: dict[str, Exception] = field(default_factory=dict)
    asked: list[tuple[str, int]] = field(default_factory=list)

    def pass_minutes(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    def events(self, api: object, job_id: str, *, newest: int) -> Iterator[Event]:
        self.asked.append((job_id, newest))
        if failure := self.failures.get(job_id):
            raise failure
        steps = int((self.now - START).total_seconds() // 60)
        for step in range(steps, max(steps - newest, 0), -1):
            data = {"step": step, "total_steps": 1000, "train_loss": 1000.0 - step}
            yield Event(f"e{step}", START + timedelta(minutes=step), "info", "metrics", "", data)

    def asked_since(self) -> list[tuple[str, int]]:
        asked, self.asked = self.asked, []
        return asked


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr("ftjobs.workflows.observe.events", made.events)
    return made


def observer(world: World) -> Observer:
    return Observer(lambda _: cast(Api, None), now=lambda: world.now)


def progress(found: Observer, *trails: Trail) -> list[Progress]:
    return [each.progress for each in found(trails)]


def test_what_was_seen_stays_though_only_the_newest_events_are_fetched(world: World) -> None:
    looking, job = observer(world), trail("ftjob-1")
    world.pass_minutes(150)
    looking.ask([job])
    (first,) = progress(looking, job)
    assert (first.step, first.fraction, len(first.losses)) == (150, 0.15, 100)
    for _ in range(3):
        world.pass_minutes(8)
        looking.ask([job])
    (later,) = progress(looking, job)
    assert (later.step, later.losses) == (174, tuple(1000.0 - step for step in range(51, 175)))
    assert world.asked_since() == [("ftjob-1", 100), ("ftjob-1", 100), ("ftjob-1", 16), ("ftjob-1", 16)]


def test_after_a_long_gap_the_next_look_reaches_further_back(world: World) -> None:
    looking, job = observer(world), trail("ftjob-1")
    for minutes in (5, 1, 60, 1, 1):
        world.pass_minutes(minutes)
        looking.ask([job])
    assert [newest for _, newest in world.asked_since()] == [100, 10, 10, 100, 10]
    (found,) = progress(looking, job)
    assert len(found.losses) == 68, "the gap was closed"


@pytest.mark.parametrize(
    ("status", "is_asked"),
    [
        *((word, False) for word in ("validating_files", "queued", "pending", "succeeded", "failed", "cancelled")),
        *((word, True) for word in ("running", "paused", "a new word")),
    ],
)
def test_only_what_may_be_training_is_asked_about(world: World, status: str, is_asked: bool) -> None:
    observer(world).ask([trail("ftjob-1", status)])
    assert bool(world.asked) is is_asked


def test_of_many_jobs_twenty_are_asked_a_look_and_all_in_turn(world: World) -> None:
    looking, jobs = observer(world), [trail(f"ftjob-{nth}") for nth in range(50)]
    looks: list[Sequence[str]] = []
    for _ in range(5):
        world.pass_minutes(1)
        looking.ask(jobs)
        looks.append([job_id for job_id, _ in world.asked_since()])
    assert [len(look) for look in looks] == [20] * 5
    assert len({job_id for look in looks[:3] for job_id in look}) == 50
    assert len({job_id for look in looks[:5] for job_id in look}) == 50


def test_where_the_service_has_no_events_it_is_not_asked_again(world: World) -> None:
    looking, jobs = observer(world), [trail("ftjob-1"), trail("ftjob-2")]
    world.failures["ftjob-1"] = RejectedError("rejected", "No such thing.", next_step="None.")
    world.pass_minutes(10)
    looking.ask(jobs)
    looking.ask(jobs)
    assert [job_id for job_id, _ in world.asked] == ["ftjob-1", "ftjob-2", "ftjob-2"]
    unknown, known = progress(looking, *jobs)
    assert (unknown, known.step) == (Progress(), 10)


def test_an_account_that_is_away_is_asked_once_a_look_and_does_not_hide_another(world: World) -> None:
    looking = observer(world)
    jobs = [trail("ftjob-1"), trail("ftjob-2"), trail("ftjob-3", account="b")]
    world.failures["ftjob-1"] = UnavailableError("unavailable", "Away.", next_step="Wait.")
    world.pass_minutes(10)
    looking.ask(jobs)
    assert [job_id for job_id, _ in world.asked_since()] == ["ftjob-1", "ftjob-3"]
    del world.failures["ftjob-1"]
    looking.ask(jobs)
    assert [each.step for each in progress(looking, *jobs)] == [10, 10, 10]


def test_an_account_that_cannot_be_opened_leaves_its_progress_unknown(world: World) -> None:
    def api_of(submission: Submission) -> Any:
        raise ConfigError("no_key", "No key.", next_step="Set one.")

    looking = Observer(api_of, now=lambda: world.now)
    looking.ask([trail("ftjob-1")])
    assert progress(looking, trail("ftjob-1")) == [Progress()]


def test_a_job_that_tells_no_step_any_more_is_called_out_by_its_newest_event(world: World) -> None:
    looking, job = observer(world), trail("ftjob-1")
    world.pass_minutes(30)
    looking.ask([job])
    world.pass_minutes(45)
    (found,) = progress(looking, job)
    assert found.stalled == Stall("no_step", timedelta(minutes=45))
