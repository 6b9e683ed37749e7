"""Keeping many trails: trouble with one hides no other, and a service that is away is not asked 5,000 times."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from ftjobs.errors import FtjobsError, RejectedError, UnavailableError
from ftjobs.jobs.job import parse_job
from ftjobs.provider.objects import JobPage
from ftjobs.workflows import rescue as rescuing
from ftjobs.workflows.rescue import rescue
from ftjobs.workflows.results import Saved
from tests.wire.conftest import Accounts, job_object

AWAY = UnavailableError("unavailable", "no answer", next_step="later")
GONE = RejectedError("file_not_found", "no such file", next_step="none")
NOT_THERE = RejectedError("anything", "no such thing", next_step="none", http_status=404)
REFUSED = RejectedError("http_400", "no", next_step="none", http_status=400)


def page(first: int, last: int) -> JobPage:
    return JobPage(tuple(parse_job(job_object(f"ftjob-{number}")) for number in range(first, last)), None)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, FtjobsError]:
    """What goes wrong with the saving of jobs, by id."""
    troubles: dict[str, FtjobsError] = {}

    def save(job: Any, _api: object, directory: Path) -> Saved:
        return Saved(job.id, directory, failure=troubles.get(job.id))

    monkeypatch.setattr(rescuing, "save_trail", save)
    return troubles


def test_trouble_with_one_job_hides_no_other(
    account: Accounts, told: dict[str, FtjobsError], tmp_path: Path
) -> None:
    told.update({"ftjob-1": AWAY, "ftjob-2": GONE, "ftjob-3": NOT_THERE, "ftjob-4": REFUSED})
    kept: list[int] = []
    done = rescue([page(0, 6), page(6, 8)], account().api, tmp_path, jobs=8, on_kept=kept.append)
    assert sorted(done.saved) == ["ftjob-0", "ftjob-5", "ftjob-6", "ftjob-7"]
    assert set(done.lost) == {"ftjob-2", "ftjob-3"}
    assert done.unsaved == {"ftjob-1": AWAY, "ftjob-4": REFUSED}
    assert (done.exit_code, done.skipped, kept) == (8, 0, list(range(1, 9)))


def test_a_service_that_is_away_is_left_alone(
    account: Accounts, told: dict[str, FtjobsError], tmp_path: Path
) -> None:
    told.update({f"ftjob-{number}": AWAY for number in range(200)})
    done = rescue([page(0, 100), page(100, 200)], account().api, tmp_path, jobs=200)
    assert 16 <= len(done.unsaved) <= 100  # what was under way already may come to its end
    assert done.skipped == 200 - len(done.unsaved)
    assert done.exit_code == 8


def test_at_most_eight_are_saved_at_once(
    account: Accounts, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lock, at_once, most = threading.Lock(), 0, 0
    eight = threading.Barrier(8, timeout=30)

    def save(job: Any, _api: object, directory: Path) -> Saved:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        eight.wait()
        with lock:
            at_once -= 1
        return Saved(job.id, directory)

    monkeypatch.setattr(rescuing, "save_trail", save)
    done = rescue([page(0, 32)], account().api, tmp_path, jobs=32)
    assert (len(done.saved), most) == (32, 8)
