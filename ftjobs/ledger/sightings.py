"""What the service said of jobs, recorded inside a transaction."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select, update

from ftjobs.failpoints import reach
from ftjobs.jobs.job import Job
from ftjobs.jobs.submission import Submission
from ftjobs.ledger.adjusting import taken_back
from ftjobs.ledger.changes import Change, job_before, keep, state_before
from ftjobs.ledger.entries import BillingPrice, Entry, Trail, billed_entry
from ftjobs.ledger.rows import entry_row
from ftjobs.ledger.tables import entries, jobs, submissions
from ftjobs.ledger.trails import select_submissions, select_trails

_encode = json.JSONEncoder(sort_keys=True).encode

PriceOf = Callable[[Submission], BillingPrice | None]


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a job's newest state changed: the status that was known before, and the bill that it wrote, if any."""

    submission: Submission
    was: str
    billed: Entry | None


def attach(connection: Connection, submission_id: str, job: Job, now: datetime) -> None:
    """Record the job of a submission, or its newest state."""
    submission = select_submissions(connection, submissions.c.id == submission_id)[0]
    known = submission.job
    if known is None:
        keep(connection, [state_before(submission), job_before(submission, job)], now=now)
        values = {"id": job.id, "submission_id": submission_id, "raw": _text(job), "seen_at": now}
        connection.execute(insert(jobs).values(values))
        connection.execute(
            update(submissions)
            .where(submissions.c.id == submission_id)
            .values(state="created", error_code=None, error_message=None)
        )
        if job.failed:
            free_key(connection, submission_id)
    elif known.id != job.id:
        raise ValueError(f"submission {submission_id} has job {known.id} already, not {job.id}")
    elif not _overtaken(job, known):
        keep(connection, [job_before(submission, job)], now=now)
        _write(connection, {submission_id: job}, now)
        if known.failed and not job.failed:
            _take_key(connection, submission_id)


def see(connection: Connection, found: Sequence[Job], *, price_of: PriceOf, now: datetime) -> Iterator[Sighting]:
    """Record the newest states of jobs that the ledger knows, and bill what has ended; yield what changed.

    Others are passed by. What is as it was costs a comparison; so does an answer that was overtaken by an end.
    """
    newest = {job.id: job for job in found}
    trails = _changed(connection, newest)
    changed = {
        trail.submission.id: newest[known.id] for trail, known in trails if not _overtaken(newest[known.id], known)
    }
    _write(connection, changed, now)
    before: list[Change | None] = []
    bills: list[Entry | None] = []
    for trail, known in trails:
        if (job := changed.get(trail.submission.id)) is None:
            continue
        if known.failed and not job.failed:
            _take_key(connection, trail.submission.id)
        before.append(job_before(trail.submission, job))
        submission = replace(trail.submission, job=job, missed=0)
        price = price_of(submission) if job.ended and job.trained_tokens is not None else None
        entry = billed_entry(replace(trail, submission=submission), job, price, now=now) if price else None
        if entry is not None:
            bills += [entry, taken_back(trail, entry)]
        yield Sighting(submission, known.status, entry)
    keep(connection, before, now=now)
    if bills:
        write_bills(connection, bills)


def write_bills(connection: Connection, bills: Sequence[Entry | None]) -> None:
    """Append bills that are due, and what they take back."""
    connection.execute(insert(entries), [entry_row(bill) for bill in bills if bill is not None])
    reach("bill.settling")


def miss(connection: Connection, job_ids: Sequence[str], now: datetime) -> None:
    """Record that the service said once more that it does not have these jobs."""
    found = select_submissions(connection, jobs.c.id.in_(job_ids))
    keep(connection, [job_before(each, each.job, missed=each.missed + 1) for each in found], now=now)
    connection.execute(update(jobs).where(jobs.c.id.in_(job_ids)).values(missed=jobs.c.missed + 1))


def _changed(connection: Connection, newest: Mapping[str, Job]) -> list[tuple[Trail, Job]]:
    """Return the trails, each with its job as it was known, whose job is told anew, or may lack its bill."""
    rows = connection.execute(select(jobs.c.id, jobs.c.raw, jobs.c.missed).where(jobs.c.id.in_(list(newest))))
    ids = [row.id for row in rows if row.missed or newest[row.id].ended or row.raw != _text(newest[row.id])]
    its = jobs.alias()
    where = submissions.c.id.in_(select(its.c.submission_id).where(its.c.id.in_(ids)))
    trails = select_trails(connection, where) if ids else []
    return [(trail, trail.submission.job) for trail in trails if trail.submission.job]


def _overtaken(job: Job, known: Job) -> bool:
    """Return whether an answer was on its way for longer than the newer one that we have."""
    forgets = job.status == known.status and job.trained_tokens is None and known.trained_tokens is not None
    return known.ended and (not job.ended or forgets)


def _write(connection: Connection, changed: Mapping[str, Job], now: datetime) -> None:
    if not changed:
        return
    connection.execute(
        update(jobs).where(jobs.c.id == bindparam("job")).values(raw=bindparam("told"), seen_at=now, missed=0),
        [{"job": job.id, "told": _text(job)} for job in changed.values()],
    )
    for submission_id, job in changed.items():
        if job.failed:
            free_key(connection, submission_id)


def _take_key(connection: Connection, submission_id: str) -> None:
    """Hold the key of a job that was said to have failed and did not, unless another submission holds it."""
    key = select(submissions.c.key).where(submissions.c.id == submission_id).scalar_subquery()
    its = submissions.alias()
    if not connection.execute(select(its.c.id).where(its.c.key == key, its.c.holds_key == 1)).first():
        connection.execute(update(submissions).where(submissions.c.id == submission_id).values(holds_key=1))


def _text(job: Job) -> str:
    return _encode(job.raw)


def free_key(connection: Connection, submission_id: str) -> None:
    """Free the key of a job that failed; a twin that lives on holds it from now on."""
    connection.execute(update(submissions).where(submissions.c.id == submission_id).values(holds_key=0))
    key = select(submissions.c.key).where(submissions.c.id == submission_id).scalar_subquery()
    same_content = select_submissions(connection, submissions.c.key == key)
    is_held = connection.execute(select(submissions.c.id).filter_by(key=key, holds_key=1)).first()
    heir = next((each for each in same_content if each.job and not each.job.failed), None)
    if heir and not is_held:
        connection.execute(update(submissions).where(submissions.c.id == heir.id).values(holds_key=1))
