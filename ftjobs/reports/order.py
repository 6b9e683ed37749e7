"""The order in which jobs are shown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from ftjobs.ledger.entries import Trail


def attention_first(trails: Sequence[Trail]) -> list[Trail]:
    """Return first what may need a hand, then what is under way, then what ended; the newest first in each.

    A hand may be needed where nobody knows whether a job exists, where nothing was sent yet, where the service
    lost a job, and where one has ended, as failed ones do, without a bill.
    """
    newest_first = sorted(trails, key=_when, reverse=True)
    return sorted(newest_first, key=_urgency)


def open_first(trails: Sequence[Trail]) -> list[Trail]:
    """Return what has not ended in the order given, then what has, the newest first."""
    under_way = [trail for trail in trails if not trail.submission.is_over]
    return [*under_way, *sorted((trail for trail in trails if trail.submission.is_over), key=_when, reverse=True)]


def _urgency(trail: Trail) -> int:
    submission, job = trail.submission, trail.submission.job
    if job is None:
        return 3 if submission.is_over else 0
    if submission.is_over and not trail.settled:
        return 1
    return 3 if job.ended else 2


def _when(trail: Trail) -> datetime:
    """Return when it ended, else when it began."""
    job = trail.submission.job
    return (job.finished_at or job.created_at) if job else trail.submission.recorded_at
