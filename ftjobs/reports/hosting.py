"""What hosting a job's model costs, beside its bill."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ftjobs.jobs.submission import Submission
from ftjobs.ledger.hosting import Hosting, HostingSum
from ftjobs.money import Usd, total
from ftjobs.periods import iso
from ftjobs.reports.envelope import clean, envelope
from ftjobs.reports.numbers import count
from ftjobs.reports.table import Column, table

_COLUMNS = (
    Column("UNTIL (UTC)"),
    Column("HOSTED", right=True),
    Column("USD/H", right=True, gives_way=1),
    Column("USD", right=True),
    Column("REASON", gives_way=2),
    Column("PRICE SOURCE", gives_way=3),
)


def hosting_text(hosting: HostingSum) -> str:
    """Return "hosting $1,224.00 of 2 jobs"."""
    return f"hosting {hosting.cost.display()} of {count(hosting.jobs, 'job')}"


def hosting_cost(entries: Sequence[Hosting]) -> Usd | None:
    """Return what a job's hosting costs; None where nobody recorded any: it may have been hosted all the same."""
    return total([entry.amount for entry in entries]) if entries else None


def hosting_json(entry: Hosting) -> dict[str, Any]:
    """Return one element of `hosting[]`."""
    return {
        "seq": entry.seq,
        "seconds": entry.seconds,
        "usd_per_hour": entry.usd_per_hour,
        "amount_usd": entry.amount,
        "price_list": entry.price_list,
        "effective_from": entry.effective_from,
        "source": entry.source,
        "reason": entry.reason,
        "occurred_at": entry.occurred_at,
        "recorded_at": entry.recorded_at,
        "recorded_by": entry.recorded_by,
    }


def hosting_lines(entries: Sequence[Hosting], *, width: int | None) -> list[str]:
    """Return the table of a job's hosting with its sum, nothing where nobody recorded any."""
    if not entries:
        return []
    return [table(_COLUMNS, [_row(entry) for entry in entries], width=width), _sum_text(entries)]


def recorded_json(submission: Submission, entries: Sequence[Hosting], *, sandbox: bool) -> dict[str, Any]:
    """Return `ftjobs.hosting/1`: what was recorded, which is the last of `entries`, and the sum of them all."""
    return envelope(
        "hosting",
        sandbox=sandbox,
        submission_id=submission.id,
        job_id=submission.job.id if submission.job else None,
        recorded=hosting_json(entries[-1]),
        hosting_cost_usd=hosting_cost(entries),
    )


def recorded_text(submission: Submission, entries: Sequence[Hosting]) -> str:
    """Return what was recorded at which price, the sum as it is now, and who is kept for it."""
    name = submission.job.id if submission.job else submission.id
    entry = entries[-1]
    did = f"{'taken back' if entry.seconds < 0 else 'hosted'} {_hours(abs(entry.seconds))}"
    return clean(
        f"{name}: {did} at ${entry.usd_per_hour.plain()}/h, {entry.amount.display()}; "
        f"{_sum_text(entries)}; recorded as {entry.recorded_by}: {entry.reason}"
    )


def _sum_text(entries: Sequence[Hosting]) -> str:
    cost = total([entry.amount for entry in entries])
    return f"hosting {cost.display()} for {_hours(sum(entry.seconds for entry in entries))}, beside the bill"


def _row(entry: Hosting) -> list[str]:
    return [
        iso(entry.occurred_at),
        _hours(entry.seconds),
        entry.usd_per_hour.plain(),
        entry.amount.plain(),
        f"{entry.reason} ({entry.recorded_by})",
        entry.source,
    ]


def _hours(seconds: int) -> str:
    """Return "720 h", "1 h 30 min", "-90 s": exact."""
    hours, rest = divmod(abs(seconds), 3600)
    minutes, left = divmod(rest, 60)
    parts = [(hours, "h"), (minutes, "min"), (left, "s")]
    said = " ".join(f"{number:,} {unit}" for number, unit in parts if number) or "0 h"
    return f"-{said}" if seconds < 0 else said
