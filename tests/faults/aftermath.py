"""What must be so in the end, whatever happened before: one job, one estimate, one bill."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.conftest import Run, Service
from tests.e2e.conftest import Book, until
from tests.faults.conftest import Desk


def finish(desk: Desk, *more: str, **env: str) -> list[Run]:
    """Do what a patient user does: the same command again, and `--resend` where nothing else helps.

    Returns the runs; the last one exited 0 with the job.
    """
    runs = [desk.submit(*more, **env)]
    if runs[-1].code == 9:
        runs.append(desk.run("submit", "--resend", runs[-1].json["details"]["submission_id"], **env))
    assert runs[-1].code == 0, runs[-1].out + runs[-1].err
    return runs


def assert_paid_once(
    service: Service, desk: Desk, *, jobs: int = 1, before: list[dict[str, Any]] | None = None
) -> None:
    """AssertionError unless the service has so many jobs and this ledger the whole trail of each.

    `before` are entries that stood in the ledger earlier: all of them must still be there, unchanged.
    """
    made = service.jobs()
    assert len(made) == jobs, made
    until(lambda: all(job["finished_at"] for job in service.jobs()))
    synced = desk.run("status", "--all")
    assert synced.code == 0, synced.out + synced.err
    book = desk.book
    assert set(book.job_ids()) == {job["id"] for job in made}
    owners = Counter(row["id"] for row in book.submissions() if row["job_id"])
    assert owners.total() == jobs
    assert Counter(entry["submission_id"] for entry in book.standing_estimates()) == owners
    assert Counter(entry["submission_id"] for entry in book.entries("billed")) == owners
    assert entries_lost(book, before or []) == []


def entries_lost(book: Book, before: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the entries of `before` that are not in the ledger any more as they were."""
    return missing(before, book.entries())


def missing(before: list[dict[str, Any]], now: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows that are not there any more with all that they had; a migration may add columns."""
    return [row for row in before if not any(row.items() <= each.items() for each in now)]
