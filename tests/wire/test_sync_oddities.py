"""Services that answer oddly keep no job from its bill."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import event

from ftjobs.ambient import Ambient
from ftjobs.keys import Secret
from ftjobs.ledger.store import Ledger
from ftjobs.pricing.prices import load_prices
from ftjobs.provider.api import Api
from ftjobs.provider.profiles import Profile
from ftjobs.provider.retrying import RetryPolicy
from ftjobs.workflows.adopt import Adopter, listed
from ftjobs.workflows.session import Session
from ftjobs.workflows.sync import sync
from tests.wire.conftest import NOW, job_object
from tests.wire.job_lists import JobLists, serving


@contextmanager
def opened(base_url: str, path: Path, *, trusted: bool = True, name: str = "generic") -> Iterator[Session]:
    api = Api(
        Profile(name, base_url, keeps_metadata=trusted),
        Secret("sk-test", "K"),
        policy=RetryPolicy(attempts=2, base_s=0.01),
    )
    try:
        yield Session(
            api, Ledger(path, stamp="real"), Ambient(now=lambda: datetime.now(UTC), sleep=lambda _s: None)
        )
    finally:
        api.close()


def adopt_all(session: Session, since: datetime | None = None) -> Adopter:
    adopter = Adopter(session, load_prices(()), "openai")
    adopter.adopt(listed(session.api, since=since))
    return adopter


def sync_all(session: Session) -> None:
    sync(session.ledger.to_sync(), session, prices=load_prices(()), price_list="openai")


def running(number: int, **more: object) -> dict[str, Any]:
    at = int(NOW.timestamp()) - number
    return job_object(f"ftjob-{number:05}", status="running", created_at=at, **more)


def end(jobs: list[dict[str, Any]]) -> None:
    for job in jobs:
        job.update(status="succeeded", trained_tokens=1000, finished_at=job["created_at"] + 60)


@pytest.mark.parametrize("odd", [["x"], "text", 5, {"ftjobs": ["1"]}])
def test_metadata_of_an_odd_type_ends_no_sync(tmp_path: Path, odd: object) -> None:
    jobs = [running(n) for n in range(3)]
    jobs[1]["metadata"] = odd
    with serving(jobs) as lists, opened(lists.base_url, tmp_path / "l.sqlite3") as session:
        assert len(adopt_all(session).done.new) == 3
        end(jobs)
        sync_all(session)
        assert [t.submission.status for t in session.ledger.trails()] == ["succeeded"] * 3


@pytest.mark.parametrize("status", [400, 404, 410, 422, 500])
def test_an_unknown_cursor_ends_no_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
    """The job that our second reader starts behind was deleted at the service."""
    jobs = [running(n) for n in range(205)]
    answer = JobLists.answer

    def strict(self: JobLists, target: str) -> tuple[int, dict[str, Any]]:
        try:
            return answer(self, target)
        except ValueError:
            return status, {"error": {"message": "no such cursor", "code": "invalid_cursor"}}

    monkeypatch.setattr(JobLists, "answer", strict)
    with serving(jobs) as lists, opened(lists.base_url, tmp_path / "l.sqlite3") as session:
        assert len(adopt_all(session).done.new) == 205
        lists.jobs = [job for job in jobs if job["id"] != "ftjob-00099"]
        end(jobs)
        sync_all(session)
        words = [t.submission.status for t in session.ledger.trails()]
        assert words.count("succeeded") == 204


def test_adopt_since_on_a_service_that_lists_the_oldest_first(tmp_path: Path) -> None:
    jobs = [running(n) for n in reversed(range(250))]
    with serving(jobs) as lists, opened(lists.base_url, tmp_path / "l.sqlite3") as session:
        since = datetime.fromtimestamp(int(NOW.timestamp()) - 50, UTC)
        assert len(adopt_all(session, since).done.new) == 51


def test_known_tokens_are_not_forgotten(tmp_path: Path) -> None:
    """An ended job whose price was unknown; the list later leaves its trained tokens out."""
    jobs = [running(n, model="nobody/knows") for n in range(3)]
    with serving(jobs) as lists, opened(lists.base_url, tmp_path / "l.sqlite3") as session:
        end(jobs)
        adopt_all(session)
        for job in jobs:
            del job["trained_tokens"]
        sync_all(session)
        kept = [t.submission.job for t in session.ledger.trails()]
        assert [job and job.trained_tokens for job in kept] == [1000] * 3


def test_one_thread_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container allows this process no second thread more."""
    started: list[int] = []

    class Scarce(Thread):
        def start(self) -> None:
            if started:
                raise RuntimeError("can't start new thread")
            started.append(1)
            super().start()

    jobs = [running(n) for n in range(205)]
    with serving(jobs) as lists, opened(lists.base_url, tmp_path / "l.sqlite3") as session:
        adopt_all(session)
        end(jobs)
        monkeypatch.setattr("ftjobs.workflows.at_once.Thread", Scarce)
        sync_all(session)
        assert all(t.settled for t in session.ledger.trails())


def test_forty_thousand_jobs_are_named_where_sqlite_takes_32766_values(tmp_path: Path) -> None:
    """32,766 is SQLite's own default, which python.org and uv builds have; Debian's is 250,000."""
    with serving([]) as lists, opened(lists.base_url, tmp_path / "l.sqlite3") as session:
        event.listen(
            session.ledger._engine,
            "connect",
            lambda raw, _: raw.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 32_766),
        )
        ids = [f"{n:026}" for n in range(40_000)]
        for ask in (session.ledger.trails, session.ledger.to_sync):
            assert ask(ids) == []


def test_a_list_of_short_objects_leaves_no_ended_job_unbilled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service whose lists leave out trained_tokens, which retrieving a job tells."""
    jobs = [running(n) for n in range(3)]
    answer = JobLists.answer

    def short(self: JobLists, target: str) -> tuple[int, dict[str, Any]]:
        status, body = answer(self, target)
        if body.get("object") == "list":
            body["data"] = [{k: v for k, v in j.items() if k != "trained_tokens"} for j in body["data"]]
        return status, body

    monkeypatch.setattr(JobLists, "answer", short)
    with serving(jobs) as lists, opened(lists.base_url, tmp_path / "l.sqlite3") as session:
        adopt_all(session)
        end(jobs)
        for _ in range(3):
            sync_all(session)
        assert all(t.billed for t in session.ledger.trails())
