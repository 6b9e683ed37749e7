"""See how far jobs are, by their events, for a request a look and running job."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from ftjobs.errors import FtjobsError, RejectedError
from ftjobs.jobs.curve import Curve, curve_of, joined
from ftjobs.jobs.progress import Progress, progress_of
from ftjobs.jobs.submission import Submission
from ftjobs.ledger.entries import Trail
from ftjobs.logs import get_logger
from ftjobs.provider.api import PAGE_LIMIT, Api
from ftjobs.provider.following import events

log = get_logger(__name__)

# Words for what has not begun: such a job has no step to tell of. Any other word may mean that it trains.
_NOT_BEGUN = frozenset({"validating_files", "queued", "pending"})
_JOBS_A_LOOK = 20
_FEWEST_EVENTS = 10


class Snapshot(NamedTuple):
    """A job at one look: its trail, and how far it is."""

    trail: Trail
    progress: Progress


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was heard of a job so far, and how many of its newest events the next look asks for."""

    curve: Curve = field(default_factory=Curve)
    newest_at: datetime | None = None
    asks_for: int = PAGE_LIMIT
    looked: int = 0


class Observer:
    """Keeps the curves of jobs as they grow. What cannot be fetched is unknown, and fails nothing."""

    def __init__(self, api_of: Callable[[Submission], Api], *, now: Callable[[], datetime]) -> None:
        self._api_of = api_of
        self._now = now
        self._seen: dict[str, _Seen] = {}
        self._without_events: set[str] = set()
        self._looks = 0

    def ask(self, trails: Sequence[Trail]) -> None:
        """Fetch the newest events of those that may be training: 20 at most, the longest unasked first."""
        self._looks += 1
        training = [trail.submission for trail in trails if self._may_train(trail.submission)]
        training.sort(key=lambda submission: self._of(submission).looked)
        away: set[tuple[str, str]] = set()
        for submission in training[:_JOBS_A_LOOK]:
            account = submission.profile, submission.account
            if account in away or submission.job is None:
                continue
            try:
                self._fetch(self._api_of(submission), submission.job.id)
            except RejectedError as error:
                log.info("events.refused", job_id=submission.job.id, reason=error.message)
                self._without_events.add(submission.job.id)
            except FtjobsError as error:
                log.info("events.unknown", job_id=submission.job.id, reason=error.message)
                away.add(account)

    def __call__(self, trails: Sequence[Trail]) -> tuple[Snapshot, ...]:
        """Return a snapshot of each, by what is known now."""
        now = self._now()

        def progress(submission: Submission) -> Progress:
            seen = self._seen.get(submission.job.id) if submission.job else None
            return progress_of(
                submission.job,
                seen.curve if seen else None,
                now=now,
                newest_event_at=seen.newest_at if seen else None,
            )

        return tuple(Snapshot(trail, progress(trail.submission)) for trail in trails)

    def _may_train(self, submission: Submission) -> bool:
        job = submission.job
        return (
            job is not None
            and not job.ended
            and job.status not in _NOT_BEGUN
            and job.id not in self._without_events
        )

    def _of(self, submission: Submission) -> _Seen:
        return self._seen.get(submission.job.id if submission.job else "", _Seen())

    def _fetch(self, api: Api, job_id: str) -> None:
        seen = self._seen.get(job_id, _Seen())
        self._seen[job_id] = replace(seen, looked=self._looks)
        found = list(events(api, job_id, newest=seen.asks_for))
        fresh = [each for each in found if seen.newest_at is None or each.at > seen.newest_at]
        # Without an overlap some were missed: the next look reaches further back.
        missed = len(fresh) == seen.asks_for
        self._seen[job_id] = _Seen(
            curve=joined(seen.curve, curve_of(found)),
            newest_at=max((at for at in (seen.newest_at, *(each.at for each in found)) if at), default=None),
            asks_for=PAGE_LIMIT if missed else min(PAGE_LIMIT, max(_FEWEST_EVENTS, 2 * len(fresh))),
            looked=self._looks,
        )
