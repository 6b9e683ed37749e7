"""What adjusting a bill came to."""

from __future__ import annotations

from typing import Any

from ftjobs.ledger.entries import Entry, Trail
from ftjobs.money import Usd
from ftjobs.reports.envelope import clean, envelope
from ftjobs.reports.numbers import usd


def adjustment_json(trail: Trail, entry: Entry | None, *, sandbox: bool) -> dict[str, Any]:
    """Return `ftjobs.adjustment/1`; `amount_usd` is "0.00" where the bill was as asked for already."""
    job = trail.submission.job
    return envelope(
        "adjustment",
        sandbox=sandbox,
        submission_id=trail.submission.id,
        job_id=job.id if job else None,
        amount_usd=entry.amount if entry else Usd(0),
        billed_cost_usd=trail.billed,
        reason=entry.source if entry else None,
        recorded_by=entry.recorded_by if entry else None,
        recorded_at=entry.recorded_at if entry else None,
    )


def adjustment_text(trail: Trail, entry: Entry | None) -> str:
    """Return what was added, the bill as it is now, and who is kept for it."""
    name = clean(trail.submission.job.id if trail.submission.job else trail.submission.id)
    if entry is None:
        return f"{name}: billed {usd(trail.billed)} already, nothing was added"
    sign = "" if entry.amount < Usd(0) else "+"
    return clean(
        f"{name}: {sign}{entry.amount.display()}, billed {usd(trail.billed)} now; "
        f"recorded as {entry.recorded_by}: {entry.source}"
    )
