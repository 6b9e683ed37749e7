"""`status`: what became of the jobs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ftjobs.cli.context import open_app, say, width
from ftjobs.cli.options import Globals, print_json
from ftjobs.errors import FtjobsError

if TYPE_CHECKING:
    from ftjobs.app import App
    from ftjobs.ledger.entries import Trail
    from ftjobs.reports.jobs import Unusual

# Without --all, what is unsettled and this many of the newest others are shown.
RECENT = 10

Jobs = Annotated[
    list[str] | None,
    typer.Argument(metavar="JOB", help="Job or submission id, a unique prefix of one, or last."),
]


def status(
    ctx: typer.Context,
    jobs: Jobs = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Show every job, settled ones too.")] = False,
) -> None:
    """Show what became of the jobs. Asks the service about unsettled ones and settles what ended."""
    from ftjobs.reports.order import attention_first

    app, given = open_app(ctx)
    chosen = chosen_of(app, jobs)
    failure: FtjobsError | None = None
    try:
        app.sync(chosen)
    except FtjobsError as error:
        if given.json:
            raise  # one object on stdout: what could not be asked is not shown as known
        failure = error
    whole = chosen or everything
    trails, more = (app.ledger.trails(chosen), 0) if whole else app.ledger.current(recent=RECENT)
    shown = attention_first(trails)
    odd = app.ledger.unusual(shown)
    show_jobs(shown, given, odd)
    if more:
        say(f"{more:,} more ended earlier; `ftjobs status --all` shows every job", given)
    hint(shown, given, odd)
    if not shown and (note := app.practice_note):
        say(f"note: {note}", given)
    if failure is not None:
        raise failure


def chosen_of(app: App, references: list[str] | None) -> list[str]:
    """Return the submissions that these references name; UsageError for one that names none, or several."""
    return [app.find(reference).id for reference in references or []]


def show_jobs(trails: Sequence[Trail], given: Globals, unusual: Unusual | None = None) -> None:
    """The jobs are on stdout: one JSON object, a table, or what to do where there are none."""
    from ftjobs.ledger.month import Line
    from ftjobs.reports.jobs import jobs_json, jobs_text

    if given.json:
        print_json(jobs_json(trails, unusual=unusual, sandbox=given.sandbox))
        sys.stdout.flush()
    elif trails:
        print(jobs_text([Line(trail) for trail in trails], width=width(given)))
    else:
        print(given.spelled("no jobs yet; submit one with: ftjobs submit data.jsonl --model gpt-4o-mini"))


def hint(trails: Sequence[Trail], given: Globals, unusual: Unusual) -> None:
    """Say what a person can do about what is not as it should be, and what is unusual."""
    from ftjobs.ledger.month import Line
    from ftjobs.reports.jobs import attention_note, unusual_lines

    for trail in trails:
        for note in unusual_lines(Line(trail), unusual.get(trail.submission.id, ())):
            say(note, given)
    for trail in trails:
        submission = trail.submission
        if text := attention_note(trail):
            say(text, given)
        elif submission.state == "recorded":
            say(f"{submission.id} was not sent; run the same submit command again to go on", given)
        elif submission.job and submission.job.failed and submission.job.error_code:
            told = f"{submission.job.error_code}: {submission.job.error_message or 'the service says no more'}"
            say(f"{submission.job.id}: {told}; what to do: ftjobs show {submission.job.id}", given)
