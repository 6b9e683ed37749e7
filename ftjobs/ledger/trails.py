"""What the ledger's transactions ask: submissions with their jobs, and whole trails."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, literal, or_, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from ftjobs.jobs.submission import Submission
from ftjobs.ledger.changes import Earlier
from ftjobs.ledger.entries import Entry, Trail
from ftjobs.ledger.glance import HISTORY
from ftjobs.ledger.rows import entry_of, submission_of
from ftjobs.ledger.tables import entries, jobs, submissions
from ftjobs.periods import Period

BILLED_SIDE = ("billed", "adjustment")
SETTLING = ("void", *BILLED_SIDE)


def has_entry(
    *kinds: str, since: datetime | None = None, before: datetime | None = None, known_at: datetime | None = None
) -> ColumnElement[bool]:
    """Return the condition that a submission has an entry of these kinds that occurred within the bounds.

    With `known_at`, one that was recorded until then.
    """
    its = entries.alias()  # by another name, so that a query over entries can ask this too
    conditions = [its.c.submission_id == submissions.c.id, its.c.kind.in_(kinds)]
    if since is not None:
        conditions.append(its.c.occurred_at >= since)
    if before is not None:
        conditions.append(its.c.occurred_at < before)
    if known_at is not None:
        conditions.append(its.c.recorded_at <= known_at)
    return exists().where(*conditions)


def among(column: ColumnElement[str], values: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition that the column is one of these: one bound value, however many they are."""
    each = _TextsOf(literal(json.dumps(list(values)))).table_valued("value")
    return column.in_(select(each.c.value))


class _TextsOf(FunctionElement[str]):
    """The texts of a JSON list, one a row."""

    inherit_cache = True


@compiles(_TextsOf)
def _for_sqlite(element: _TextsOf, compiler: SQLCompiler, **kwargs: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **kwargs)})"


@compiles(_TextsOf, "postgresql")
def _for_postgresql(element: _TextsOf, compiler: SQLCompiler, **kwargs: Any) -> str:
    return f"json_array_elements_text(CAST({compiler.process(element.clauses, **kwargs)} AS json))"


def has_job() -> ColumnElement[bool]:
    """Return the condition that a submission has a job."""
    its = jobs.alias()
    return exists().where(its.c.submission_id == submissions.c.id)


def has_echo(connection: Connection, account: str) -> bool:
    """Return whether a job of the account came back with the id of its own submission in its metadata.

    That text anywhere else in a job proves nothing: anybody's job may be recorded here.
    """
    candidates = (
        select(submissions.c.id, jobs.c.raw)
        .join(jobs, jobs.c.submission_id == submissions.c.id)
        # What was adopted without our record of it may have been made past the proxy that this account is.
        .where(
            submissions.c.account == account,
            submissions.c.spec.is_not(None),
            jobs.c.raw.contains('"ftjobs_submission"'),
        )
    )
    return any(_metadata(raw).get("ftjobs_submission") == own_id for own_id, raw in connection.execute(candidates))


def _metadata(raw: str) -> Mapping[str, object]:
    try:
        metadata = json.loads(raw)["metadata"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return metadata if isinstance(metadata, dict) else {}


def select_submissions(
    connection: Connection, where: ColumnElement[bool] | None = None, *, newest_first: bool = False
) -> list[Submission]:
    """Return the submissions that fulfil the condition, with their jobs, oldest first unless told otherwise."""
    query = select(submissions, jobs.c.raw, jobs.c.missed).outerjoin(
        jobs, jobs.c.submission_id == submissions.c.id
    )
    if where is not None:
        query = query.where(where)
    order = (submissions.c.recorded_at, submissions.c.id)
    query = query.order_by(*(column.desc() for column in order)) if newest_first else query.order_by(*order)
    return [submission_of(row) for row in connection.execute(query).mappings().all()]


def select_named(connection: Connection, reference: str) -> list[Submission]:
    """Return what a job id, a submission id, a prefix of either or `last` names."""
    if reference == "last":
        return select_submissions(connection, newest_first=True)[:1]
    if not reference or not reference.isprintable():
        return []  # an empty shell variable must not name the only job, nor can broken bytes name one
    exact = or_(submissions.c.id == reference, jobs.c.id == reference)
    begins = or_(
        submissions.c.id.startswith(reference.upper(), autoescape=True),
        jobs.c.id.startswith(reference, autoescape=True),
    )
    return select_submissions(connection, exact) or select_submissions(connection, begins)


def select_trails(
    connection: Connection, where: ColumnElement[bool] | None = None, *, as_of: datetime | None = None
) -> list[Trail]:
    """Return the trails of the submissions that fulfil the condition, all without one; oldest first.

    With `as_of`, only what was recorded until that instant, as it was then.
    """
    query = select(entries).join(submissions)
    if as_of is not None:
        was_there = submissions.c.recorded_at <= as_of
        where = was_there if where is None else and_(was_there, where)
        query = query.where(entries.c.recorded_at <= as_of)
    found = select_submissions(connection, where)
    if as_of is not None:
        earlier = Earlier(connection, as_of)
        found = [earlier.of(submission) for submission in found]
    if where is not None:
        query = query.where(where)
    written: dict[str, list[Entry]] = {submission.id: [] for submission in found}
    for row in connection.execute(query.order_by(entries.c.id)).mappings().all():
        written[row["submission_id"]].append(entry_of(row))
    return [Trail(submission, tuple(written[submission.id])) for submission in found]


def select_history(connection: Connection, *, before: str | None = None) -> list[Trail]:
    """Return the last 200 trails that created something, before a submission id or until now; oldest first."""
    ids = select(submissions.c.id).where(~has_entry("void"))
    if before is not None:
        ids = ids.where(submissions.c.id < before)
    newest = ids.order_by(submissions.c.id.desc()).limit(HISTORY)  # an id begins with its time
    return select_trails(connection, submissions.c.id.in_(newest))


def listed_in(period: Period | None, *, as_of: datetime | None = None) -> ColumnElement[bool]:
    """Return the condition that a period lists a submission, as the ledger knew it at that instant.

    Billed in it, or unsettled at its end; all but voided ones without one.
    """
    if period is None:
        listed = ~has_entry("void", known_at=as_of)
    else:
        billed_in = has_entry(*BILLED_SIDE, since=period.start, before=period.end, known_at=as_of)
        began = or_(
            has_entry("estimate", before=period.end, known_at=as_of),
            and_(~has_entry("estimate", known_at=as_of), submissions.c.recorded_at < period.end),
        )
        settled = has_entry(*SETTLING, before=period.end, known_at=as_of)
        listed = or_(billed_in, and_(began, ~settled))
    return listed if as_of is None else and_(submissions.c.recorded_at <= as_of, listed)
