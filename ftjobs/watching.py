"""Jobs look by look: what the command line shows and the library yields."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from ftjobs.ambient import Ambient
from ftjobs.errors import RejectedError, UnavailableError, UsageError
from ftjobs.ledger.entries import Trail
from ftjobs.logs import get_logger
from ftjobs.provider.retrying import RetryPolicy
from ftjobs.workflows.observe import Observer, Snapshot
from ftjobs.workflows.watch import Outage, PollSchedule, watch

if TYPE_CHECKING:
    from ftjobs.app import App

log = get_logger(__name__)

# Watching asks again by itself: a request is repeated once, for a hiccup; longer waits are the watch's own.
_PATIENCE = RetryPolicy(attempts=2, deadline_s=5.0)


def to_watch(app: App, chosen: Sequence[str]) -> list[str]:
    """Return these submissions, all whose job is under way where none is given; UsageError for one never sent."""
    under_way = [trail.submission for trail in app.ledger.unsettled() if not trail.submission.is_over]
    unsent = {submission.id for submission in under_way if submission.state == "recorded"}
    for submission_id in unsent.intersection(chosen):
        raise UsageError(
            "not_sent",
            f"Submission {submission_id} was recorded and not sent yet: there is no job to watch.",
            next_step="Run the same submit command again to go on with it.",
            submission_id=submission_id,
        )
    return list(chosen) or [submission.id for submission in under_way if submission.id not in unsent]


def looks(
    app: App,
    chosen: Sequence[str],
    *,
    outage: Outage,
    ambient: Ambient,
    visible: Callable[[Sequence[Trail]], Sequence[Trail]] = lambda trails: trails,
    timeout_s: float | None = None,
) -> Iterator[tuple[Snapshot, ...]]:
    """Yield a snapshot of each of these submissions, at once and after each interval, until all are over.

    Events are asked for of what is `visible` alone. A service that is away ends nothing: `outage` is told.
    WaitTimeoutError where `timeout_s` passes first; RejectedError and ConfigError where asking on is useless.
    """
    patience, app.patience = app.patience, _PATIENCE
    refused: set[object] = set()
    schedule = PollSchedule(app.settings.poll_initial_s, app.settings.poll_max_s)
    try:
        with app.apis() as api_of:
            observer = Observer(api_of, now=ambient.now)

            def sync(ids: Sequence[str]) -> None:
                try:
                    app.sync(ids)
                except (RejectedError, UnavailableError) as error:
                    job_id = error.details.get("job_id")
                    if job_id is None or len(ids) == 1:
                        raise
                    if job_id not in refused:  # what is said of one job alone, the watch of the others outlives
                        log.warning("job.unknown", job_id=job_id, reason=error.message)
                    refused.add(job_id)

            def refresh() -> Sequence[Trail]:
                open_ones = [t for t in app.ledger.trails(chosen) if not (t.submission.is_over and t.settled)]
                if open_ones:
                    outage.attempt(lambda: sync([trail.submission.id for trail in open_ones]))
                return app.ledger.trails(chosen)

            def look(trails: Sequence[Trail]) -> Sequence[Snapshot]:
                if outage.since is None:
                    observer.ask(visible(trails))
                return observer(trails)

            yield from watch(refresh, ambient, schedule=schedule, timeout_s=timeout_s, look=look)
    finally:
        app.patience = patience
