"""Ledgers that know thousands of jobs, written in one transaction after the migrations made them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import insert

from ftjobs.jobs.job import parse_job
from ftjobs.jobs.spec import JobSpec
from ftjobs.jobs.submission import Submission
from ftjobs.ledger.engine import open_engine
from ftjobs.ledger.entries import BillingPrice, Trail, billed_entry, estimate_entry
from ftjobs.ledger.rows import entry_row, submission_row
from ftjobs.ledger.tables import entries, jobs, submissions
from tests.bench.population import MODEL, QUOTE, State, created_at, key, our_job, submission_id

PROFILE = "bench"
_PRICE = BillingPrice(QUOTE.usd_per_1m, QUOTE.price_list, QUOTE.effective_from, QUOTE.price_source)


def write_ledger(path: Path, count: int, *, state: State = "running") -> None:
    """Make the ledger of our first `count` jobs as they were last seen: running, or ended and settled."""
    write_submissions(path, [prepared_submission(number, state) for number in range(count)])


def write_submissions(path: Path, sent: Sequence[Submission]) -> None:
    """Make the ledger of these submissions, each with its job, and with its bill where that has ended."""
    bills = [_entries(submission) for submission in sent]
    rows = {
        submissions: [submission_row(submission) for submission in sent],
        jobs: [_job_row(submission) for submission in sent],
        entries: [row for rows in bills for row in rows],
    }
    engine = open_engine(path, stamp="real")
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        for table, values in rows.items():
            if values:
                connection.execute(insert(table), values)


def prepared_submission(number: int, state: State) -> Submission:
    """Return the submission of our job of that number."""
    job = parse_job(our_job(number, state))
    return Submission(
        id=submission_id(number),
        key=key(number),
        state="created",
        profile=PROFILE,
        account=PROFILE,
        recorded_at=created_at(number),
        spec=JobSpec(MODEL, MODEL, "gpt-4o-mini", 3, training_sha256=key(number), training_bytes=400_000),
        quote=QUOTE,
        tags={},
        training_file_id=job.training_file,
        job=job,
    )


def _job_row(submission: Submission) -> dict[str, object]:
    job = submission.job
    assert job is not None
    raw = json.dumps(job.raw, sort_keys=True)
    return {"id": job.id, "submission_id": submission.id, "raw": raw, "seen_at": submission.recorded_at}


def _entries(submission: Submission) -> list[dict[str, object]]:
    job, began = submission.job, submission.recorded_at
    assert job is not None and submission.quote is not None
    estimate = estimate_entry(submission.id, submission.quote, occurred_at=began, recorded_at=began)
    bill = billed_entry(Trail(submission, (estimate,)), job, _PRICE, now=job.finished_at or began)
    return [entry_row(entry) for entry in (estimate, bill) if entry is not None]
