"""What a person may correct in the cost trail: always one more entry, never another's. Pure."""

from __future__ import annotations

from datetime import datetime

from ftjobs.errors import UsageError
from ftjobs.ledger.entries import Entry, Trail
from ftjobs.money import Usd, total
from ftjobs.periods import iso

BY_HAND = "manual"
MAX_REASON_CHARACTERS = 500
# Far above any job, and far below what the ledger's integers hold.
MOST = Usd.parse("1000000000")


def adjustment(
    trail: Trail, *, add: Usd | None = None, total_usd: Usd | None = None, reason: str, by: str, now: datetime
) -> Entry | None:
    """Return the entry that adds `add` to a job's bill, or brings the bill to `total_usd`.

    None where the total is that already. UsageError for a job that has not ended, since its own bill is yet to
    come; for a bill that would fall below $0; and for the same amount with the same reason once more.
    """
    _require_end(trail)
    billed = trail.billed or Usd(0)
    amount = add if add is not None else (total_usd or Usd(0)) - billed
    if add is None and trail.billed is not None and amount == Usd(0):
        return None
    if not Usd(0) <= billed + amount <= MOST:
        raise UsageError(
            "bad_adjustment",
            f"The bill would be {(billed + amount).display()}; it is {_billed_text(trail)} now.",
            next_step="Give an amount that leaves $0 or more.",
            billed_usd=trail.billed.plain() if trail.billed is not None else None,
        )
    earlier = [entry for entry in trail.entries if entry.kind == "adjustment"]
    _refuse_again(earlier, add, reason)
    return Entry(
        trail.submission.id,
        "adjustment",
        len(earlier),
        amount,
        now,
        now,
        basis=BY_HAND,
        source=reason,
        recorded_by=by,
    )


def taken_back(trail: Trail, bill: Entry | None) -> Entry | None:
    """Return the entry that takes back what stood in for a bill that was unknown, once the service tells it.

    None where nothing did. What was adjusted after a bill corrects it, and stands.
    """
    if bill is None or bill.seq > 0:
        return None
    stood_in = [entry for entry in trail.entries if entry.kind == "adjustment"]
    amount = total([entry.amount for entry in stood_in])
    if amount == Usd(0):
        return None
    return Entry(
        trail.submission.id,
        "adjustment",
        len(stood_in),
        -amount,
        bill.recorded_at,
        bill.recorded_at,
        basis=BY_HAND,
        source="the service has told the bill that this stood in for",
    )


def _require_end(trail: Trail) -> None:
    submission = trail.submission
    if submission.job is None:
        raise UsageError(
            "nothing_billed",
            f"Submission {submission.id} ({submission.status}) has no job, so there is no bill to adjust.",
            next_step="Run `ftjobs status` to see what became of it.",
            submission_id=submission.id,
        )
    if not submission.job.ended:  # a lost job too: it may still run, and must go on being asked for
        raise UsageError(
            "not_ended",
            f"Job {submission.job.id} is {submission.status}: its own bill is yet to come.",
            next_step=f"Run `ftjobs watch {submission.job.id}` until it has ended, then adjust what was billed.",
            submission_id=submission.id,
            job_id=submission.job.id,
        )


def _refuse_again(earlier: list[Entry], add: Usd | None, reason: str) -> None:
    same = next((entry for entry in earlier if add == entry.amount and entry.source == reason), None)
    if same is not None:
        raise UsageError(
            "adjusted_already",
            f"The same was added for the same reason already, on {iso(same.recorded_at)} by {same.recorded_by}.",
            next_step="If it is due once more, say in --reason what is different.",
            recorded_at=iso(same.recorded_at),
            recorded_by=same.recorded_by,
        )


def _billed_text(trail: Trail) -> str:
    return "unknown" if trail.billed is None else trail.billed.display()
