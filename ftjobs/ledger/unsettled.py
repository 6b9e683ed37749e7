"""What still needs the service, as little of it as asking takes: there may be ten thousand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, select

from ftjobs.ledger.rows import damaged
from ftjobs.ledger.tables import jobs, submissions
from ftjobs.ledger.trails import BILLED_SIDE, among, has_entry, has_job
from ftjobs.periods import from_unix


@dataclass(frozen=True, slots=True)
class Known:
    """A job by which a list of the service can be read: where it stands, and whether a filter shows it."""

    id: str
    created_at: datetime
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A submission to ask the service about; `job` is None where none is known yet."""

    submission_id: str
    profile: str
    account: str
    job: Known | None


def is_unsettled() -> ColumnElement[bool]:
    """Return the condition that there is no bill yet and no void, unless a job turned up all the same."""
    return and_(~has_entry(*BILLED_SIDE), ~_created_nothing())


def select_unsettled(connection: Connection, references: Sequence[str]) -> list[Unsettled]:
    """Return what is unsettled; of these submissions, where some are given, all that may have a job."""
    query = select(submissions.c.id, submissions.c.profile, submissions.c.account, jobs.c.id, jobs.c.raw)
    query = query.outerjoin(jobs, jobs.c.submission_id == submissions.c.id)
    chosen = and_(among(submissions.c.id, references), ~_created_nothing())
    rows = connection.execute(query.where(chosen if references else is_unsettled()).order_by(submissions.c.id))
    return [
        Unsettled(submission_id, profile, account, _known(submission_id, job_id, raw) if job_id else None)
        for submission_id, profile, account, job_id, raw in rows
    ]


def _created_nothing() -> ColumnElement[bool]:
    return and_(has_entry("void"), ~has_job())


def _known(submission_id: str, job_id: str, raw: str) -> Known:
    try:
        told = json.loads(raw)
        metadata = told.get("metadata")
        return Known(job_id, from_unix(told["created_at"]), metadata if isinstance(metadata, dict) else {})
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise damaged(submission_id, error) from None
