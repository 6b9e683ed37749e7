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
    from ftjobs.workflows.observe import Snapshot

JOB_FAILED = 6


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
    from ftjobs.watching import to_watch

    chosen = to_watch(app, chosen_of(app, jobs))
    if not chosen:
        # What ended while nobody looked may still lack its bill.
        app.sync()
        lost = sum(trail.submission.is_missing for trail in app.ledger.unsettled())
        say(f"no job is under way{f'; {lost:,} missing, see: ftjobs status' if lost else ''}", given)
        if given.json:
            show_jobs([], given)
        return 0
    return follow(app, given, chosen, timeout_s=timeout_s)


def follow(app: App, given: Globals, chosen: Sequence[str], *, timeout_s: float | None = None) -> int:
    """Show these submissions until all have ended; return the exit code."""
    from ftjobs.cli.screens import open_screen
    from ftjobs.watching import looks
    from ftjobs.workflows.submit import job_missing
    from ftjobs.workflows.watch import Outage, glance, watch_line

    snapshots: Sequence[Snapshot] = ()
    try:
        with open_screen(app, given) as screen:
            outage = Outage(app.ambient, on_away=screen.away, on_back=screen.back)
            screen.show(glance(app.ledger.trails(chosen), now=app.ambient.now()), looked_at=None)
            ambient = replace(app.ambient, sleep=screen.wait)
            for snapshots in looks(
                app, chosen, outage=outage, ambient=ambient, visible=screen.visible, timeout_s=timeout_s
            ):
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
