"""`adopt`: take in jobs that exist remotely and that the ledger does not know."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from ftjobs.cli.context import open_app, say
from ftjobs.cli.options import QUIET, Globals, print_json
from ftjobs.errors import FtjobsError, InterruptedByUserError, UsageError
from ftjobs.periods import parse_instant
from ftjobs.reports.numbers import count

if TYPE_CHECKING:
    from ftjobs.app import App
    from ftjobs.ledger.adopted import Adopted


def adopt(
    ctx: typer.Context,
    jobs: Annotated[
        list[str] | None, typer.Argument(metavar="JOB", help="Ids of jobs that the service has.")
    ] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Every job that the service lists.")] = False,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="D", help="Jobs created on or after a day, or an ISO time (UTC)."),
    ] = None,
) -> None:
    """Take in jobs that the ledger does not know. With the estimate that they carry, and with their bill."""
    from ftjobs.reports.adopt import adopted_json, adopted_notes, adopted_text

    app, given = open_app(ctx)
    earliest = _scope(jobs or [], everything=everything, since=since)
    done = _adopt(app, given, jobs or [], earliest)
    if given.json:
        print_json(adopted_json(done, sandbox=given.sandbox))
        return
    for note in adopted_notes(done):
        say(f"note: {note}", given)
    print(given.spelled(adopted_text(done)))


def _scope(jobs: list[str], *, everything: bool, since: str | None) -> datetime | None:
    """Return the earliest creation time, None for all; UsageError where it is not clear which jobs are meant."""
    if [bool(jobs), everything, since is not None].count(True) != 1:
        raise UsageError(
            "which_jobs",
            "Which jobs to adopt is not said, or in more than one way.",
            next_step="Give their ids, or --since with a day like 2026-10-05, or --all.",
        )
    for job in jobs:
        if not job.isprintable() or not job.strip() or set(job) & set("/\\?#%") or job in {".", ".."}:
            raise UsageError(
                "unknown_job", f"{job!r} is no job's id.", next_step="Write it like ftjob-abc.", job=job
            )
    try:
        return None if since is None else parse_instant(since)
    except ValueError as error:
        raise UsageError(
            "bad_date", f"{error}.", next_step="Write it like --since 2026-10-05", since=since
        ) from None


def _adopt(app: App, given: Globals, jobs: list[str], since: datetime | None) -> Adopted:
    from ftjobs.workflows.adopt import Adopter

    with app.session() as session, _counting("adopting", len(jobs) or None, given) as seen:
        adopter = Adopter(session, app.prices, app.settings.price_list, on_seen=seen)
        try:
            if jobs:
                adopter.adopt_named(jobs)
            else:
                adopter.adopt_listed(since=since)
        except KeyboardInterrupt:
            raise InterruptedByUserError(
                "interrupted",
                f"Interrupted; {_kept(adopter.done)}.",
                next_step="Run the same command again: it goes on from here.",
                adopted=len(adopter.done.new),
            ) from None
        except FtjobsError as error:
            error.details["adopted"] = len(adopter.done.new)
            if adopter.done.new:
                error.message = f"{error.message.rstrip('.')}; {_kept(adopter.done)}."
            raise
    return adopter.done


def _kept(done: Adopted) -> str:
    return f"{count(len(done.new), 'job')} adopted until then, which stay" if done.new else "nothing was adopted"


@contextmanager
def _counting(label: str, total: int | None, given: Globals) -> Iterator[Callable[[int], None]]:
    """Yield what takes the number of jobs so far; it shows where a terminal watches."""
    if not sys.stderr.isatty() or given.verbosity == QUIET:
        yield lambda _seen: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("jobs"))
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=total)
        yield lambda seen: progress.update(task, completed=seen)
