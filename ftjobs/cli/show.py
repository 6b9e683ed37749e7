"""`show`: one job's whole trail."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from ftjobs.cli.context import chart_marks, open_app, say, width
from ftjobs.cli.options import Globals, JobArgument, print_json
from ftjobs.errors import FtjobsError

if TYPE_CHECKING:
    from ftjobs.app import App
    from ftjobs.jobs.story import Story
    from ftjobs.ledger.entries import Trail


def show(
    ctx: typer.Context,
    job: JobArgument,
    *,
    events: Annotated[bool, typer.Option("--events", help="List all that the job told on its way.")] = False,
) -> None:
    """Show one job's whole trail. What was asked for, how it went, what it cost, and why that differs."""
    from ftjobs.ledger.month import Line
    from ftjobs.reports.trail import trail_json, trail_text

    app, given = open_app(ctx)
    submission = app.find(job)
    (trail,) = app.ledger.trails([submission.id])
    story = _ask(app, given, trail, every_event=events)
    (trail,) = app.ledger.trails([submission.id])
    odd, hosting = app.ledger.unusual([trail]), app.ledger.hosting.of(submission.id)
    if given.json:
        print_json(trail_json(Line(trail), story, unusual=odd, hosting=hosting, sandbox=given.sandbox))
        return
    text = trail_text(
        Line(trail),
        story,
        unusual=odd,
        hosting=hosting,
        created=_created_here(app, trail),
        now=app.ambient.now(),
        with_events=events,
        width=width(given),
        marks=chart_marks(),
    )
    print(given.spelled(text))


def _ask(app: App, given: Globals, trail: Trail, *, every_event: bool) -> Story:
    """Settle what is unsettled and return what the service tells.

    The trail itself needs no service, so one that is away hides nothing of it.
    """
    from ftjobs.jobs.story import Story

    submission = trail.submission
    if submission.job is None and trail.settled:
        return Story()
    try:
        return _asked(app, given, trail, every_event=every_event)
    except FtjobsError as error:
        say(f"note: {error.message} This is what the ledger has.", given)
        return Story()


def _asked(app: App, given: Globals, trail: Trail, *, every_event: bool) -> Story:
    from ftjobs.jobs.story import Story
    from ftjobs.workflows.story import read_story
    from ftjobs.workflows.sync import sync

    submission = trail.submission
    with app.session(app.profile_of(submission.profile, submission.account)) as session:
        if not trail.settled:
            chosen = app.ledger.to_sync([submission.id])
            sync(chosen, session, prices=app.prices, price_list=app.settings.price_list)
        job = session.ledger.get(submission.id).job
        if job is None:
            return Story()
        story, troubles = read_story(job.id, session.api, every_event=every_event)
    for trouble in troubles:
        say(f"note: {trouble} This is what the ledger has.", given)
    return story


def _created_here(app: App, trail: Trail) -> Sequence[datetime]:
    """Return when the account's jobs were created, where a daily limit makes that a question."""
    from ftjobs.reports.explained import DAILY_LIMIT

    submission = trail.submission
    code = submission.job.error_code if submission.job else submission.error_code
    if code != DAILY_LIMIT:
        return ()
    others = (each.submission for each in app.ledger.trails())
    return [each.job.created_at for each in others if each.job and each.account == submission.account]
