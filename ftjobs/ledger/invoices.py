"""Invoices beside the entries: what a cost report said, kept where it says something new, and bills by UTC day."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, and_, func, insert, or_, select

from ftjobs.jobs.invoice import InvoiceLine, summed
from ftjobs.ledger.reconciliation import DayBill
from ftjobs.ledger.tables import entries, invoices, jobs, reconciliations, submissions
from ftjobs.ledger.trails import BILLED_SIDE, has_entry
from ftjobs.ledger.unsettled import is_unsettled
from ftjobs.money import ZERO, Usd
from ftjobs.periods import Period, from_unix


def bills_of(connection: Connection, account: str, period: Period) -> list[DayBill]:
    """Return the account's bills of each day of the period that has some, in order.

    A correction belongs to the day of the bill that it corrects, whenever it was made: an invoice knows no other.
    Where it stands in for an unknown bill, that is the day on which the job ended.
    """
    query = (
        select(
            entries.c.submission_id,
            entries.c.kind,
            entries.c.amount_nano_usd,
            entries.c.tokens,
            entries.c.occurred_at,
            submissions.c.spec,
            jobs.c.raw,
        )
        .join(submissions, entries.c.submission_id == submissions.c.id)
        .outerjoin(jobs, jobs.c.submission_id == submissions.c.id)
        .where(
            submissions.c.account == account,
            entries.c.kind.in_(BILLED_SIDE),
            or_(has_entry("billed", since=period.start, before=period.end), ~has_entry("billed")),
        )
        .order_by(entries.c.id)
    )
    rows: list[Any] = list(connection.execute(query))
    told = {row.submission_id: row.occurred_at for row in reversed(rows) if row.kind == "billed"}
    days: dict[date, list[Any]] = {}
    for row in rows:
        at = row.occurred_at if row.kind == "billed" else told.get(row.submission_id) or _ended_at(row)
        if at in period:
            days.setdefault(at.astimezone(UTC).date(), []).append(row)
    return [_day_bill(day, days[day]) for day in sorted(days)]


def _day_bill(day: date, rows: Sequence[Any]) -> DayBill:
    tokens: dict[str | None, int] = {}
    for row in rows:
        if row.tokens:
            model = _base_model(row)
            tokens[model] = tokens.get(model, 0) + row.tokens
    return DayBill(
        day,
        Usd(sum(row.amount_nano_usd for row in rows)),
        Usd(sum(row.amount_nano_usd for row in rows if row.kind == "adjustment")),
        len({row.submission_id for row in rows}),
        frozenset({*tokens.values(), sum(tokens.values())}) if tokens else frozenset(),
    )


def unbilled_of(connection: Connection, account: str, period: Period) -> int:
    """Return how many of the account's jobs may have ended in the period and have no bill (yet)."""
    query = (
        select(jobs.c.raw)
        .join(submissions, jobs.c.submission_id == submissions.c.id)
        .where(submissions.c.account == account, is_unsettled(), submissions.c.recorded_at < period.end)
    )
    ends = [_finished_at(_object(raw)) for (raw,) in connection.execute(query)]
    return sum(end is None or end in period for end in ends)


def keep_invoices(
    connection: Connection, account: str, told: Iterable[InvoiceLine], period: Period, *, now: datetime
) -> int:
    """Record what the report says of the period where it says something new; return how many rows that took.

    A line that it does not have any more is recorded with $0. Nothing is changed.
    """
    known = {line.key: line for line in known_invoices(connection, account, period)}
    lines = summed(told)
    gone = [replace(known[key], amount=ZERO, quantity=None, unit=None) for key in known.keys() - lines.keys()]
    fresh = [line for line in (*lines.values(), *gone) if known.get(line.key) != line]
    if fresh:
        connection.execute(
            insert(invoices), [_row(line, account, now) for line in sorted(fresh, key=lambda line: line.key)]
        )
    return len(fresh)


def known_invoices(connection: Connection, account: str, period: Period) -> list[InvoiceLine]:
    """Return the newest that is known of each line of the account and period, those of $0 included."""
    first, last = period.start.date(), (period.end - timedelta(microseconds=1)).date()
    newest = (
        select(func.max(invoices.c.id))
        .where(and_(invoices.c.account == account, invoices.c.day >= first, invoices.c.day <= last))
        .group_by(invoices.c.day, invoices.c.project_id, invoices.c.line_item)
    )
    rows = connection.execute(select(invoices).where(invoices.c.id.in_(newest)).order_by(invoices.c.id)).mappings()
    return [
        InvoiceLine(
            row["day"],
            row["project_id"],
            row["line_item"],
            Usd(row["amount_nano_usd"]),
            Decimal(row["quantity"]) if row["quantity"] is not None else None,
            row["quantity_unit"],
        )
        for row in rows
    ]


def keep_result(
    connection: Connection, account: str, period: Period, result: str, *, now: datetime, by: str | None
) -> None:
    """Record what a reconciliation came to."""
    connection.execute(
        insert(reconciliations).values(
            account=account,
            first_day=period.start.date(),
            last_day=(period.end - timedelta(microseconds=1)).date(),
            result=result,
            recorded_at=now,
            recorded_by=by,
        )
    )


def _row(line: InvoiceLine, account: str, now: datetime) -> dict[str, Any]:
    return {
        "account": account,
        "day": line.day,
        "project_id": line.project_id,
        "line_item": line.line_item,
        "amount_nano_usd": line.amount.nano,
        "quantity": None if line.quantity is None else str(line.quantity),
        "quantity_unit": line.unit,
        "recorded_at": now,
    }


def _ended_at(row: Any) -> datetime:
    return _finished_at(_object(row.raw)) or row.occurred_at


def _finished_at(told: Mapping[str, Any]) -> datetime | None:
    seconds = told.get("finished_at")
    try:
        return from_unix(seconds) if isinstance(seconds, int) and not isinstance(seconds, bool) else None
    except (OverflowError, OSError, ValueError):
        return None


def _base_model(row: Any) -> str | None:
    return _object(row.spec).get("base_model") or _object(row.raw).get("model")


def _object(text: str | None) -> Mapping[str, Any]:
    try:
        value = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
