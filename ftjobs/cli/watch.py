"""`watch`: jobs before one's eyes until all have ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from ftjobs.cli.context import open_app, say
from ftjobs.cli.options import Globals
from ftjobs.cli.status import Jobs, chosen_of, hint, show_jobs
from ftjobs.errors import InterruptedByUserError, UsageError
from ftjobs.periods import parse_duration

if TYPE_CHECKING:
    from ftjobs.app import App
    from ftjobs.ledger.entries import Trail
    from ftjobs.workflows.observe import Snapshot

JOB_FAILED = 6
# Watching asks again by itself: a request is repeated once, for a hiccup; longer waits are the watch's own.
_ATTEMPTS = 2
_REPEATED_WITHIN_S = 5.0


def watch(
    ctx: typer.Context,
    jobs: Jobs = None,
    *,
    timeout: Annotated[
        str | None, typer.Option("--timeout", metavar="D", help="Stop waiting after 90s, 20m or 2h.")
    ] = None,
) -> int:
    """Follow jobs until all have ended. Exits 6 if one failed, 10 at the time-out."""
    app, given = open_app(ctx)
    try:
        timeout_s = parse_duration(timeout) if timeout is not None else None
    except ValueError as error:
        raise UsageError("bad_duration", f"{error}.", next_step="Write it like --timeout 20m") from None
    under_way = [trail.submission for trail in app.ledger.unsettled() if not trail.submission.is_over]
    unsent = {submission.id for submission in under_way if submission.state == "recorded"}
    chosen = chosen_of(app, jobs)
    for submission_id in unsent.intersection(chosen):
        raise UsageError(
            "not_sent",
            f"Submission {submission_id} was recorded and not sent yet: there is no job to watch.",
            next_step="Run the same submit command again to go on with it.",
            submission_id=submission_id,
        )
    chosen = chosen or [submission.id for submission in under_way if submission.id not in unsent]
    if not chosen:
        # What ended while nobody looked may still lack its bill.
        app.sync()
        say("no job is under way", given)
        if given.json:
            show_jobs([], given)
        return 0
    return follow(app, given, chosen, timeout_s=timeout_s)


def follow(app: App, given: Globals, chosen: Sequence[str], *, timeout_s: float | None = None) -> int:
    """Show these submissions until all have ended; return the exit code."""
    from ftjobs.cli.screens import open_screen
    from ftjobs.provider.retrying import RetryPolicy
    from ftjobs.workflows.observe import Observer
    from ftjobs.workflows.submit import job_missing
    from ftjobs.workflows.watch import Outage, PollSchedule, watch_line
    from ftjobs.workflows.watch import watch as watch_jobs

    app.patience = RetryPolicy(attempts=_ATTEMPTS, deadline_s=_REPEATED_WITHIN_S)
    schedule = PollSchedule(app.settings.poll_initial_s, app.settings.poll_max_s)
    snapshots: Sequence[Snapshot] = ()
    try:
        with app.apis() as api_of, open_screen(app, given) as screen:
            outage = Outage(app.ambient, on_away=screen.away, on_back=screen.back)
            observer = Observer(api_of, now=app.ambient.now)
            screen.show(observer(app.ledger.trails(chosen)), looked_at=None)

            def refresh() -> Sequence[Trail]:
                trails = [t for t in app.ledger.trails(chosen) if not (t.submission.is_over and t.settled)]
                if trails:
                    outage.attempt(lambda: app.sync([trail.submission.id for trail in trails]))
                return app.ledger.trails(chosen)

            def look(trails: Sequence[Trail]) -> Sequence[Snapshot]:
                if outage.since is None:
                    observer.ask(screen.visible(trails))
                return observer(trails)

            ambient = replace(app.ambient, sleep=screen.wait)
            for snapshots in watch_jobs(refresh, ambient, schedule=schedule, timeout_s=timeout_s, look=look):
                screen.show(snapshots, looked_at=app.ambient.now())
    except KeyboardInterrupt:
        raise InterruptedByUserError(
            "interrupted",
            "Stopped watching; the jobs go on.",
            next_step=f"Run `{watch_line(app.ledger.trails(chosen))}` to go on watching.",
        ) from None
    trails = [trail for trail, _ in snapshots]
    hint(trails, given, app.ledger.unusual(trails))
    for trail in trails:
        if trail.submission.is_missing and trail.submission.job:
            raise job_missing(trail.submission.job.id)
    bad = [trail for trail in trails if trail.submission.job is None or trail.submission.job.failed]
    return JOB_FAILED if bad else 0
