"""Jobs that exist remotely become submissions with jobs and entries, many in one transaction."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from ftjobs.jobs.job import Job
from ftjobs.jobs.submission import Submission
from ftjobs.ledger.entries import Entry, Trail, billed_entry, estimate_entry
from ftjobs.ledger.rows import entry_row, submission_row
from ftjobs.ledger.sightings import PriceOf
from ftjobs.ledger.tables import entries, jobs, submissions
from ftjobs.ledger.trails import select_submissions

OPEN = frozenset({"recorded", "sending", "uncertain"})


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked about: the account, jobs that were found in it, and submission ids that these name."""

    account: str
    job_ids: Sequence[str]
    named: Sequence[str]


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger has that such jobs may belong to, as of this transaction.

    `accounts` are those of the jobs that are recorded, by job id; `named` the named submissions that there are, by
    id; `open` the submissions of the account that have no job yet, and may have created one.
    """

    accounts: Mapping[str, str]
    named: Mapping[str, Submission]
    open: Sequence[Submission]


Rebuild = Callable[[Known], Sequence[Submission]]


def known_of(connection: Connection, asked: Asked) -> Known:
    """Return what the ledger has about what is asked."""
    recorded = select(jobs.c.id, submissions.c.account).join(submissions).where(jobs.c.id.in_(asked.job_ids))
    is_open = submissions.c.state.in_(OPEN) & (submissions.c.account == asked.account)
    return Known(
        accounts={row.id: row.account for row in connection.execute(recorded)},
        named={each.id: each for each in select_submissions(connection, submissions.c.id.in_(asked.named))},
        open=select_submissions(connection, is_open),
    )


def take_in(
    connection: Connection, adopted: Sequence[Submission], *, price_of: PriceOf = lambda _: None, now: datetime
) -> list[Trail]:
    """Record these submissions with their jobs, estimates and bills; return the new trails.

    A job that is recorded already, or comes twice, changes nothing. A key is held only where nobody holds it. The
    estimate, if one was brought, is dated at the job's creation.
    """
    brought = [(each, each.job) for each in adopted if each.job is not None]
    recorded = select(jobs.c.id).where(jobs.c.id.in_([job.id for _, job in brought]))
    taken = set(connection.execute(recorded).scalars())
    held = select(submissions.c.key).where(submissions.c.key.in_([each.key for each in adopted]))
    keys = set(connection.execute(held.where(submissions.c.holds_key == 1)).scalars())
    trails, submission_rows, job_rows = [], [], []
    for submission, job in brought:
        if job.id in taken:
            continue
        taken.add(job.id)
        row = submission_row(submission)
        row["holds_key"] = int(row["holds_key"] and submission.key not in keys)
        if row["holds_key"]:
            keys.add(submission.key)
        submission_rows.append(row)
        raw = json.dumps(job.raw, sort_keys=True)
        job_rows.append({"id": job.id, "submission_id": submission.id, "raw": raw, "seen_at": now})
        trails.append(Trail(submission, tuple(_entries(submission, job, price_of, now))))
    if trails:
        connection.execute(insert(submissions), submission_rows)
        connection.execute(insert(jobs), job_rows)
    if entry_rows := [entry_row(entry) for trail in trails for entry in trail.entries]:
        connection.execute(insert(entries), entry_rows)
    return trails


def _entries(submission: Submission, job: Job, price_of: PriceOf, now: datetime) -> Iterator[Entry]:
    trail = Trail(submission, ())
    if submission.quote is not None:
        estimate = estimate_entry(submission.id, submission.quote, occurred_at=job.created_at, recorded_at=now)
        trail = Trail(submission, (estimate,))
        yield estimate
    price = price_of(submission) if job.ended and job.trained_tokens is not None else None
    bill = billed_entry(trail, job, price, now=now) if price is not None else None
    if bill is not None:
        yield bill
