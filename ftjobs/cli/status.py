"""`status` and `watch`: what became of the jobs."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ftjobs.cli.context import open_app, say, width
from ftjobs.cli.options import Globals, print_json
from ftjobs.errors import FtjobsError, InterruptedByUserError, UnavailableError, UsageError
from ftjobs.periods import parse_duration

if TYPE_CHECKING:
    from ftjobs.app import App
    from ftjobs.ledger.entries import Trail
    from ftjobs.reports.jobs import Unusual

JOB_FAILED = 6
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
    everything: Annotated[bool, typer.Option("--all", help="Show every job of the ledger.")] = False,
) -> None:
    """Show what became of the jobs. Asks the service about unsettled ones and settles what ended."""
    app, given = open_app(ctx)
    chosen = _chosen(app, jobs)
    failure = _refresh(app, chosen)
    if given.json:
        _raise(failure)  # one object on stdout: what could not be asked is not shown as known
    trails = app.ledger.trails(chosen) if chosen or everything else _recent(app)
    odd = app.ledger.unusual(trails)
    _show(trails, given, odd)
    _hint(trails, given, odd)
    _raise(failure)


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
    chosen = _chosen(app, jobs)
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
        _raise(_refresh(app, []))
        say("no job is under way", given)
        if given.json:
            _show([], given)
        return 0
    return follow(app, given, chosen, timeout_s=timeout_s)


def follow(app: App, given: Globals, chosen: Sequence[str], *, timeout_s: float | None = None) -> int:
    """Show these submissions until all have ended; return the exit code."""
    from ftjobs.workflows.watch import PollSchedule, watch_line
    from ftjobs.workflows.watch import watch as watch_jobs

    def refresh() -> Sequence[Trail]:
        failure = _refresh(app, chosen)
        if isinstance(failure, UnavailableError):
            say(f"note: {failure.message} Looking again later.", given)
        elif failure is not None:
            raise failure
        return app.ledger.trails(chosen)

    schedule = PollSchedule(app.settings.poll_initial_s, app.settings.poll_max_s)
    screen = _Screen(given)
    try:
        for trails in watch_jobs(refresh, app.ambient, schedule=schedule, timeout_s=timeout_s):
            screen.show(trails)
    except KeyboardInterrupt:
        raise InterruptedByUserError(
            "interrupted",
            "Stopped watching; the jobs go on.",
            next_step=f"Run `{watch_line(app.ledger.trails(chosen))}` to go on watching.",
        ) from None
    finally:
        screen.close()
    _hint(trails, given, app.ledger.unusual(trails))
    bad = [trail for trail in trails if trail.submission.job is None or trail.submission.job.failed]
    return JOB_FAILED if bad else 0


class _Screen:
    """Where watching shows: a live table on a terminal, changed lines when piped, JSON Lines with --json."""

    def __init__(self, given: Globals) -> None:
        self._given = given
        self._seen: dict[str, str] = {}
        self._live = None
        if sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and not given.json:
            from rich.live import Live

            self._live = Live(auto_refresh=False)
            self._live.start()

    def show(self, trails: Sequence[Trail]) -> None:
        changed = [t for t in trails if self._seen.get(t.submission.id) != t.submission.status]
        self._seen.update({t.submission.id: t.submission.status for t in trails})
        if self._live is not None:
            from rich.text import Text

            self._live.update(Text(_table(trails, width()), no_wrap=True), refresh=True)
        elif self._given.json:
            if changed:
                _show(trails, self._given)
        else:
            for trail in changed:
                print(_changed_line(trail), flush=True)

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()


def _changed_line(trail: Trail) -> str:
    from ftjobs.reports.envelope import clean
    from ftjobs.reports.numbers import usd

    submission = trail.submission
    name = submission.job.id if submission.job else submission.id
    bill = f"billed {usd(trail.billed)}" if trail.billed is not None else "its bill is unknown"
    due = f", {bill}" if submission.is_over and not trail.voided else ""
    return f"{clean(name)} {clean(submission.status)}{due}"


def _chosen(app: App, references: list[str] | None) -> list[str]:
    return [app.ledger.find(reference).id for reference in references or []]


def _refresh(app: App, chosen: Sequence[str]) -> FtjobsError | None:
    """Sync the chosen, what is unsettled where none is; return what went wrong, to be told last."""
    try:
        app.sync(chosen)
    except FtjobsError as error:
        return error
    return None


def _recent(app: App) -> list[Trail]:
    trails = app.ledger.trails()
    settled = [trail for trail in trails if trail.settled][-RECENT:]
    return [trail for trail in trails if not trail.settled or trail in settled]


def _show(trails: Sequence[Trail], given: Globals, unusual: Unusual | None = None) -> None:
    if given.json:
        from ftjobs.reports.jobs import jobs_json

        print_json(jobs_json(trails, unusual=unusual, sandbox=given.sandbox))
        sys.stdout.flush()
    elif trails:
        print(_table(trails, width()))
    else:
        print(given.spelled("no jobs yet; submit one with: ftjobs submit data.jsonl --model gpt-4o-mini"))


def _table(trails: Sequence[Trail], cells: int | None) -> str:
    from ftjobs.ledger.month import Line
    from ftjobs.reports.jobs import jobs_text

    return jobs_text([Line(trail) for trail in trails], width=cells)


def _hint(trails: Sequence[Trail], given: Globals, unusual: Unusual) -> None:
    """Say what a person can do about what is not as it should be, and what is unusual."""
    from ftjobs.ledger.month import Line
    from ftjobs.reports.jobs import unusual_lines

    for note in unusual_lines([Line(trail) for trail in trails], unusual):
        say(note, given)
    for trail in trails:
        submission = trail.submission
        if submission.state == "uncertain" and submission.job is None:
            say(
                f"{submission.id} may have created a job that is not listed yet; "
                f"`ftjobs submit --resend {submission.id}` watches for a while, then creates it",
                given,
            )
        elif submission.state == "recorded":
            say(f"{submission.id} was not sent; run the same submit command again to go on", given)
        elif submission.job and submission.job.failed and submission.job.error_code:
            say(f"{submission.job.id}: {submission.job.error_code}: {submission.job.error_message}", given)


def _raise(failure: FtjobsError | None) -> None:
    if failure is not None:
        raise failure
