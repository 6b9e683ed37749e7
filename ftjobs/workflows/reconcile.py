"""The service's cost report, compared with the ledger and recorded beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from ftjobs.ledger.reconciliation import Reconciliation, Terms, compare
from ftjobs.ledger.store import Ledger
from ftjobs.periods import Period
from ftjobs.provider.api import Api
from ftjobs.provider.costs import read_costs

_DAY = timedelta(days=1)


def reconcile(
    api: Api,
    ledger: Ledger,
    period: Period,
    terms: Terms,
    *,
    now: datetime,
    encode: Callable[[Reconciliation], str],
    by: str | None = None,
) -> Reconciliation:
    """Return what comparing the whole days of `period` came to, recorded beside the entries as `encode` writes it.

    Invoices are recorded where they say something new; no entry is written. RejectedError and UnavailableError
    where the cost report cannot be had: then nothing is recorded.
    """
    account = api.profile.account
    beside = _beside(period, now)
    told = read_costs(api, beside)
    found = compare(told.lines, ledger.bills_by_day(account, beside), period, terms, now=now)
    found = replace(found, unbilled_jobs=ledger.unbilled_jobs(account, period))
    fresh = ledger.keep_reconciliation(account, told, period, encode(found), now=now, by=by)
    return replace(found, new_lines=fresh)


def _beside(period: Period, now: datetime) -> Period:
    """Return the period with the day before it and the one after, as far as days have begun."""
    tomorrow = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + _DAY
    return Period(period.start - _DAY, max(min(period.end + _DAY, tomorrow), period.start))
