"""Hosting in the database: each method is one transaction, as the ledger's are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from ftjobs.ledger.hosting import Hosting, HostingSum, HourPrice, hosted
from ftjobs.ledger.tables import hosting, submissions
from ftjobs.ledger.trails import select_submissions
from ftjobs.money import Usd
from ftjobs.periods import Period


class HostingStore:
    """The hours of hosting in a ledger."""

    def __init__(self, transaction: Callable[..., AbstractContextManager[Connection]]) -> None:
        self._transaction = transaction

    def record(
        self,
        submission_id: str,
        seconds: int,
        *,
        price: HourPrice | None,
        on: date,
        reason: str,
        by: str,
        now: datetime,
    ) -> tuple[Hosting, ...]:
        """Append what `hosted` makes of it; return all that is recorded of the submission, this last."""
        with self._transaction(writes=True) as connection:
            (submission,) = select_submissions(connection, submissions.c.id == submission_id)
            earlier = _of(connection, submission_id)
            entry = hosted(submission, earlier, seconds, price=price, on=on, reason=reason, by=by, now=now)
            connection.execute(insert(hosting), _row(entry))
            return (*earlier, entry)

    def of(self, submission_id: str) -> tuple[Hosting, ...]:
        """Return what is recorded of a submission, in the order in which it was."""
        with self._transaction(writes=False) as connection:
            return _of(connection, submission_id)


def hosting_in(connection: Connection, period: Period | None, *, as_of: datetime | None) -> HostingSum:
    """Return what was hosted in the period, whichever jobs it lists; with `as_of`, as far as was recorded then."""
    query = select(hosting.c.submission_id, hosting.c.amount_nano_usd)
    if period is not None:
        query = query.where(hosting.c.occurred_at >= period.start, hosting.c.occurred_at < period.end)
    if as_of is not None:
        query = query.where(hosting.c.recorded_at <= as_of)
    rows = connection.execute(query).all()
    # Summed here: a sum of large numbers is an error in one database and a decimal in the other.
    return HostingSum(len({row[0] for row in rows}), Usd(sum(row[1] for row in rows)))


def _of(connection: Connection, submission_id: str) -> tuple[Hosting, ...]:
    query = select(hosting).where(hosting.c.submission_id == submission_id).order_by(hosting.c.seq)
    return tuple(_hosting(row) for row in connection.execute(query).mappings())


def _hosting(row: Mapping[Any, Any]) -> Hosting:
    return Hosting(
        row["submission_id"],
        row["seq"],
        row["seconds"],
        Usd(row["nano_usd_per_hour"]),
        Usd(row["amount_nano_usd"]),
        row["price_list"],
        row["effective_from"],
        row["source"],
        row["reason"],
        row["occurred_at"],
        row["recorded_at"],
        row["recorded_by"],
    )


def _row(entry: Hosting) -> dict[str, Any]:
    return {
        "submission_id": entry.submission_id,
        "seq": entry.seq,
        "seconds": entry.seconds,
        "nano_usd_per_hour": entry.usd_per_hour.nano,
        "amount_nano_usd": entry.amount.nano,
        "price_list": entry.price_list,
        "effective_from": entry.effective_from,
        "source": entry.source,
        "reason": entry.reason,
        "occurred_at": entry.occurred_at,
        "recorded_at": entry.recorded_at,
        "recorded_by": entry.recorded_by,
    }
