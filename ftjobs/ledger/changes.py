"""What was before each change, kept so that an earlier print can be made again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, insert, select

from ftjobs.jobs.job import Job, parse_job
from ftjobs.jobs.submission import Submission
from ftjobs.ledger.rows import damaged, tags_of
from ftjobs.ledger.tables import changes

What = Literal["state", "job", "tags"]

# As much of a job as any print shows: the whole object would be kept again for each of its states.
_SHOWN = (
    "object",
    "id",
    "status",
    "model",
    "created_at",
    "finished_at",
    "fine_tuned_model",
    "trained_tokens",
    "estimated_finish",
    "method",
    "hyperparameters",
    "error",
)


@dataclass(frozen=True, slots=True)
class Change:
    """What something of a submission was until `now`; `before` is JSON, None where there was nothing."""

    submission_id: str
    what: What
    before: str | None


def state_before(submission: Submission) -> Change:
    """Return the change that a submission's next state makes."""
    before = [submission.state, submission.error_code, submission.error_message]
    return Change(submission.id, "state", json.dumps(before))


def tags_before(submission: Submission) -> Change:
    """Return the change that a submission's next tags make."""
    return Change(submission.id, "tags", json.dumps(dict(submission.tags), sort_keys=True))


def job_before(submission: Submission, job: Job | None, *, missed: int = 0) -> Change | None:
    """Return the change that a job's next state makes; None where no print would show it."""
    known = submission.job
    if known is not None and job is not None and (_shown(known), submission.missed) == (_shown(job), missed):
        return None
    before = {"job": _shown(known), "missed": submission.missed} if known else None
    return Change(submission.id, "job", json.dumps(before, sort_keys=True) if before else None)


def keep(connection: Connection, found: Sequence[Change | None], *, now: datetime, by: str | None = None) -> None:
    """Record what was before these changes."""
    rows = [
        {
            "submission_id": each.submission_id,
            "what": each.what,
            "before": each.before,
            "recorded_at": now,
            "recorded_by": by,
        }
        for each in found
        if each is not None
    ]
    if rows:
        connection.execute(insert(changes), rows)


class Earlier:
    """Submissions as they were known at an instant."""

    def __init__(self, connection: Connection, as_of: datetime) -> None:
        newest_first = (
            select(changes.c.submission_id, changes.c.what, changes.c.before)
            .where(changes.c.recorded_at > as_of)
            .order_by(changes.c.id.desc())
        )
        # The last one to be read is the first that came after the instant: what it changed was so at the instant.
        self._before = {(row.submission_id, row.what): row.before for row in connection.execute(newest_first)}

    def of(self, submission: Submission) -> Submission:
        """Return the submission as it was; LedgerError where what is kept of it is damaged."""
        try:
            for what in ("state", "job", "tags"):
                if (submission.id, what) in self._before:
                    before = self._before[submission.id, what]
                    submission = _undone(submission, what, json.loads(before) if before else None)
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise damaged(submission.id, error) from None
        return submission


def _undone(submission: Submission, what: str, before: Any) -> Submission:
    match what:
        case "state":
            state, code, message = before
            return replace(submission, state=state, error_code=code, error_message=message)
        case "tags":
            return replace(submission, tags=tags_of(before))
        case _:
            if before is None:
                return replace(submission, job=None, missed=0)
            return replace(submission, job=parse_job(before["job"]), missed=before["missed"])


def _shown(job: Job) -> Mapping[str, Any]:
    return {name: job.raw[name] for name in _SHOWN if name in job.raw}
