"""A submission's states, changed inside a transaction: only from where the caller knows it to be."""

from __future__ import annotations

from collections.abc import Set
from datetime import datetime

from sqlalchemy import Connection, and_, insert, update

from ftjobs.errors import LedgerError
from ftjobs.jobs.submission import State
from ftjobs.ledger.adopting import OPEN
from ftjobs.ledger.changes import keep, state_before
from ftjobs.ledger.entries import void_entry
from ftjobs.ledger.rows import entry_row
from ftjobs.ledger.tables import entries, submissions
from ftjobs.ledger.trails import select_submissions, select_trails


def change(connection: Connection, submission_id: str, states: Set[str], **values: object) -> None:
    """Change a submission that is in one of `states`; in another it was put by somebody else."""
    is_as_known = and_(submissions.c.id == submission_id, submissions.c.state.in_(states))
    if connection.execute(update(submissions).where(is_as_known).values(**values)).rowcount != 1:
        raise LedgerError(
            "submission_changed",
            f"Submission {submission_id} was changed by another process meanwhile.",
            next_step="Run `ftjobs status` to see what became of it.",
            submission_id=submission_id,
        )


def move(connection: Connection, submission_id: str, states: Set[str], now: datetime, **values: object) -> None:
    """Change the state of a submission that is in one of `states`, and keep which one it was."""
    before = select_submissions(connection, submissions.c.id == submission_id)
    change(connection, submission_id, states, **values)
    keep(connection, [state_before(each) for each in before], now=now)


def close(
    connection: Connection, submission_id: str, state: State, *, code: str, message: str, now: datetime
) -> None:
    """End a submission that creates no job: its estimate is voided, its key is free again."""
    ended = {"state": state, "holds_key": 0, "error_code": code, "error_message": message}
    move(connection, submission_id, OPEN, now, **ended)
    (trail,) = select_trails(connection, submissions.c.id == submission_id)
    if entry := void_entry(trail, now=now, reason=f"{state}: {code}"):
        connection.execute(insert(entries), entry_row(entry))
