"""`adopt`: take in jobs that exist remotely and that the ledger does not know."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ftjobs.cli.context import open_app, say, shows_progress
from ftjobs.cli.options import Globals, print_json
from ftjobs.errors import FtjobsError, InterruptedByUserError, UsageError
from ftjobs.periods import parse_instant
from ftjobs.reports.numbers import count

if TYPE_CHECKING:
    from ftjobs.app import App
    from ftjobs.ledger.adopted import Adopted, Rescued
    from ftjobs.provider.objects import JobPage
    from ftjobs.workflows.session import Session

_NOBODY = "nobody"


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
    owner: Annotated[
        str | None,
        typer.Option("--for", metavar="S", help="Uncertain submission that made the JOB, or nobody."),
    ] = None,
    save_results: Annotated[
        str | None,
        typer.Option(
            "--save-results", metavar="DIR", help="Folder to keep events, checkpoints and result files in."
        ),
    ] = None,
) -> int:
    """Take in jobs that the ledger does not know. With the estimate that they carry, and with their bill."""
    from ftjobs.reports.adopt import adopted_json, adopted_notes, adopted_text, rescued_notes, rescued_text

    app, given = open_app(ctx)
    earliest = _scope(jobs or [], everything=everything, since=since)
    folder = Path(save_results) if save_results is not None else None
    work = _Work(app, given, jobs or [], earliest, folder, _owner(owner, jobs or [], app))
    done, rescued = work.done()
    if given.json:
        print_json(adopted_json(done, rescued, sandbox=given.sandbox))
    else:
        for note in [*adopted_notes(done), *(rescued_notes(rescued) if rescued else [])]:
            say(f"note: {note}", given)
        print(given.spelled(adopted_text(done)))
        if rescued is not None:
            print(rescued_text(rescued))
    return rescued.exit_code if rescued else 0


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


def _owner(named: str | None, jobs: list[str], app: App) -> str | None:
    """Return the submission's whole id, or "nobody"; UsageError where it is not clear which job is meant."""
    if named is None or (named == _NOBODY and jobs):
        return named
    if len(jobs) != 1:
        raise UsageError(
            "which_jobs",
            "--for is about one job, or about jobs that are nobody's.",
            next_step="Write it like: ftjobs adopt ftjob-abc --for 01K9… or: ftjobs adopt ftjob-abc --for nobody",
        )
    return app.find(named).id


@dataclass(frozen=True, slots=True)
class _Work:
    """What is asked for: these jobs, or all since a time; `folder` is where their trails are to be kept.

    `owner` is the uncertain submission that is to have the one job, or "nobody" where they are somebody else's.
    """

    app: App
    given: Globals
    jobs: list[str]
    since: datetime | None
    folder: Path | None
    owner: str | None = None

    def done(self) -> tuple[Adopted, Rescued | None]:
        """Adopt the jobs, then keep their trails: the ledger is a matter of seconds, and files may take long."""
        from ftjobs.workflows.adopt import Adopter, attach_named, listed, named
        from ftjobs.workflows.rescue import make_folder

        if self.folder is not None:
            make_folder(self.folder)
        with self.app.session() as session, ExitStack() as stack:
            seen = stack.enter_context(_counting("adopting", len(self.jobs) or None, self.given))
            adopter = Adopter(
                session,
                self.app.prices,
                self.app.settings.price_list,
                on_seen=seen,
                leaves=self.owner != _NOBODY,
            )
            with _telling(adopter.done):
                told = named(session.api, self.jobs, on_seen=seen) if self.jobs else None
                if self.owner not in {None, _NOBODY} and told is not None:
                    attach_named(told[0].jobs[0], str(self.owner), session, adopter.done)
                else:
                    adopter.adopt(listed(session.api, since=self.since) if told is None else told)
                stack.close()
                # Read again rather than kept in memory; what is new since then has another chance.
                again = listed(session.api, since=self.since) if told is None else told
                return adopter.done, self._rescued(again, session, adopter.done)

    def _rescued(self, told: Iterable[JobPage], session: Session, done: Adopted) -> Rescued | None:
        from ftjobs.workflows.rescue import rescue

        if self.folder is None:
            return None
        jobs = len(done.job_ids)
        kept = 0
        with _counting("keeping", jobs, self.given) as show:

            def count_kept(number: int) -> None:
                nonlocal kept
                kept = number
                show(number)

            try:
                return rescue(told, session.api, self.folder, jobs=jobs, on_kept=count_kept)
            except KeyboardInterrupt:
                raise InterruptedByUserError(
                    "interrupted",
                    f"Interrupted; {kept:,} of {count(jobs, 'job')} kept in {self.folder}.",
                    next_step="Run the same command again: it goes on from here.",
                    kept=kept,
                ) from None


@contextmanager
def _telling(done: Adopted) -> Iterator[None]:
    """Whatever ends the block says how much was adopted until then, and stays."""
    try:
        yield
    except KeyboardInterrupt:
        raise InterruptedByUserError(
            "interrupted",
            f"Interrupted; {_kept(done)}.",
            next_step="Run the same command again: it goes on from here.",
            adopted=len(done.new),
        ) from None
    except FtjobsError as error:
        error.details["adopted"] = len(done.new)
        if done.new:
            error.message = f"{error.message.rstrip('.')}; {_kept(done)}."
        raise


def _kept(done: Adopted) -> str:
    return (
        f"{count(len(done.new), 'job')} adopted until then, which stay" if done.new else "nothing new was adopted"
    )


@contextmanager
def _counting(label: str, total: int | None, given: Globals) -> Iterator[Callable[[int], None]]:
    """Yield what takes the number of jobs so far; it shows where a terminal watches."""
    if not shows_progress(given):
        yield lambda _seen: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("jobs"))
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=total)
        yield lambda seen: progress.update(task, completed=seen)
