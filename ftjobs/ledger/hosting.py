"""Hours for which a job's model was hosted, as a person recorded them; beside the bill, never in it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from ftjobs.errors import UsageError
from ftjobs.jobs.submission import Submission
from ftjobs.ledger.adjusting import MOST
from ftjobs.money import Usd, rounded, total
from ftjobs.periods import iso

_HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class HourPrice:
    """What an hour of hosting costs, with where that comes from."""

    usd_per_hour: Usd
    price_list: str
    effective_from: date | None
    source: str


@dataclass(frozen=True, slots=True)
class Hosting:
    """One line of the ledger, never changed once written; `seconds` and `amount` are below 0 where it takes back.

    `occurred_at` decides the month, `recorded_at` what was known when; `source` is where the price is from.
    """

    submission_id: str
    seq: int
    seconds: int
    usd_per_hour: Usd
    amount: Usd
    price_list: str
    effective_from: date | None
    source: str
    reason: str
    occurred_at: datetime
    recorded_at: datetime
    recorded_by: str


@dataclass(frozen=True, slots=True)
class HostingSum:
    """What was recorded of a period: of how many jobs, and what it cost."""

    jobs: int
    cost: Usd


NOTHING_HOSTED = HostingSum(0, Usd(0))


def hosted(
    submission: Submission,
    earlier: Sequence[Hosting],
    seconds: int,
    *,
    price: HourPrice | None,
    on: date,
    reason: str,
    by: str,
    now: datetime,
) -> Hosting:
    """Return the entry of so many seconds up to the day `on`, rounded half-even once, to the nano-dollar.

    Without `price` it takes back, at the price of the newest hours up to that day. UsageError for a job that has
    not ended; for a day before its end, or ahead; for a sum below zero; and for the same once more.
    """
    require_hostable(submission, on=on, now=now)
    _refuse_again(earlier, seconds, reason)
    used = price or _recorded_price(earlier, on)
    if used is None:
        raise _bad_hosting(submission, f"No hours up to {on} are recorded that could be taken back")
    amount = Usd(rounded(seconds * used.usd_per_hour.nano, _HOUR_S))
    cost = total([amount, *(entry.amount for entry in earlier)])
    if cost < Usd(0) or sum(entry.seconds for entry in earlier) + seconds < 0:
        raise _bad_hosting(submission, "More would be taken back than is recorded")
    if cost > MOST:
        raise _bad_hosting(submission, f"Its hosting would cost {cost.display()}")
    return Hosting(
        submission.id,
        len(earlier),
        seconds,
        used.usd_per_hour,
        amount,
        used.price_list,
        used.effective_from,
        used.source,
        reason,
        now if on == _day(now) else datetime.combine(on, time.max, tzinfo=UTC),
        now,
        by,
    )


def require_hostable(submission: Submission, *, on: date, now: datetime) -> None:
    """Raise UsageError unless the job has ended and its model may have been hosted on that day."""
    job = submission.job
    if job is None:
        raise UsageError(
            "nothing_hosted",
            f"Submission {submission.id} ({submission.status}) has no job, so there is no model to host.",
            next_step="Run `ftjobs status` to see what became of it.",
            submission_id=submission.id,
        )
    if not job.ended:
        raise UsageError(
            "not_ended",
            f"Job {job.id} is {submission.status}: there is no model to host yet.",
            next_step=f"Run `ftjobs watch {job.id}` until it has ended, then record its hours.",
            submission_id=submission.id,
            job_id=job.id,
        )
    first = min(_day(job.finished_at or job.created_at), _day(now))  # the service's clock may be ahead
    if not first <= on <= _day(now):
        raise UsageError(
            "bad_day",
            f"{on} is not a day from {first}, when the job ended, to {_day(now)}, which is today (UTC).",
            next_step=f"… --on {_day(now)}",
            submission_id=submission.id,
            job_id=job.id,
        )


def _bad_hosting(submission: Submission, message: str) -> UsageError:
    return UsageError(
        "bad_hosting",
        f"{message}.",
        next_step=f"Run `ftjobs show {submission.id}` to see what is recorded, and check --hosting.",
        submission_id=submission.id,
    )


def _recorded_price(earlier: Sequence[Hosting], on: date) -> HourPrice | None:
    known = [entry for entry in earlier if entry.seconds > 0 and _day(entry.occurred_at) <= on]
    last = max(known, key=lambda entry: (entry.occurred_at, entry.seq), default=None)
    return HourPrice(last.usd_per_hour, last.price_list, last.effective_from, last.source) if last else None


def _refuse_again(earlier: Sequence[Hosting], seconds: int, reason: str) -> None:
    same = next((entry for entry in earlier if (entry.seconds, entry.reason) == (seconds, reason)), None)
    if same is not None:
        raise UsageError(
            "hosted_already",
            f"The same was recorded for this reason already, on {iso(same.recorded_at)} by {same.recorded_by}.",
            next_step="If it is due once more, say in --reason what is different.",
            recorded_at=iso(same.recorded_at),
            recorded_by=same.recorded_by,
        )


def _day(instant: datetime) -> date:
    return instant.astimezone(UTC).date()
