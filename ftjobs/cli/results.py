"""`results`: what a job left, and how to try its model."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ftjobs.cli.context import chart_marks, open_app, say, width
from ftjobs.cli.options import Globals, JobArgument, print_json
from ftjobs.errors import FtjobsError, InterruptedByUserError, UsageError

if TYPE_CHECKING:
    from ftjobs.app import App
    from ftjobs.jobs.curve import Curve
    from ftjobs.jobs.job import Job
    from ftjobs.jobs.submission import Submission
    from ftjobs.provider.profiles import Profile
    from ftjobs.reports.results import Results
    from ftjobs.workflows.results import Saved

JOB_FAILED = 6


def results(
    ctx: typer.Context,
    job: JobArgument,
    *,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="DIR", help="Folder to keep them in; without it, JOB-results."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are something else.")] = False,
) -> int:
    """Keep a job's result files and draw its loss. Prints a program to try its model; exits 6 if it failed."""
    app, given = open_app(ctx)
    submission = app.find(job)
    _require_job(submission)
    profile = app.profile_of(submission.profile, submission.account)
    try:
        submission, saved = _save(app, given, submission, profile, output=output, force=force)
    except KeyboardInterrupt:
        raise InterruptedByUserError(
            "interrupted",
            "Interrupted; every file that has its name is whole.",
            next_step="Run the same command again: what is there stays.",
        ) from None
    told = _told(submission, saved, profile)
    failure = saved.failure or _not_yet(submission, told)
    if given.json:
        print_json(_json(told, given))
    else:
        _print(told, given)
        if failure is not None:
            sys.stdout.flush()
            raise failure
    return failure.exit_code if failure else JOB_FAILED if told.job.failed else 0


def _require_job(submission: Submission) -> None:
    if submission.job is None:
        raise UsageError(
            "no_job",
            f"Submission {submission.id} is {submission.status}: there is no job that could have left results.",
            next_step=f"`ftjobs show {submission.id}` tells what became of it.",
            submission_id=submission.id,
        )


def _save(
    app: App, given: Globals, submission: Submission, profile: Profile, *, output: str | None, force: bool
) -> tuple[Submission, Saved]:
    """Refresh the job, keep what it left, and return both."""
    from ftjobs.jobs.result_file import stem_of
    from ftjobs.workflows.results import save_results
    from ftjobs.workflows.sync import sync

    chosen = app.ledger.to_sync([submission.id])
    with app.session(profile) as session:
        sync(chosen, session, prices=app.prices, price_list=app.settings.price_list)
        current = session.ledger.get(submission.id)
        if current.missed:
            say("note: The service says that it does not have the job; its files may still be there.", given)
        job = _job_of(current)
        folder = Path(output) if output is not None else Path(f"{stem_of(job.id)}-results")
        saved = save_results(job, session.api, folder, force=force, draw=lambda curve: _draw(curve, job, given))
    return current, saved


def _draw(curve: Curve, job: Job, given: Globals) -> Mapping[str, bytes]:
    from ftjobs.reports.picture import loss_pictures

    try:
        return loss_pictures(curve, job)
    except ValueError as error:
        say(f"note: no picture of the loss could be drawn: {error}", given)
        return {}


def _told(submission: Submission, saved: Saved, profile: Profile) -> Results:
    from ftjobs.reports.chart import has_losses
    from ftjobs.reports.drawing import can_draw
    from ftjobs.reports.picture import NEEDS_EXTRA
    from ftjobs.reports.results import ResultLine, Results
    from ftjobs.reports.snippet import trial_snippet

    job = _job_of(submission)
    base = submission.spec.base_model if submission.spec else job.model
    notes = [] if submission.is_missing and not saved.files else list(saved.notes)
    if job.ended and not job.result_files:
        notes.append("The service names no result files of this job.")
    if job.failed:
        notes.append(f"The job ended as {job.status}, so there is no model to try{_reason(job)}.")
    if job.ended and has_losses(saved.curve) and not can_draw():
        notes.append(NEEDS_EXTRA)
    snippet = trial_snippet(
        fine_tuned_model=job.fine_tuned_model,
        base_model=base,
        base_url=None if profile.is_sandbox else profile.base_url,
        api_key_env=profile.api_key_env,
    )
    if snippet is not None and profile.is_sandbox:
        notes.append("To run the program, start `ftjobs sandbox serve` and export the lines that it prints.")
    files = tuple(
        ResultLine(each.path, each.size, each.kind, is_new=each.placed == "written") for each in saved.files
    )
    return Results(job, base, saved.directory, files, saved.curve, snippet, tuple(notes))


def _reason(job: Job) -> str:
    return f" ({job.error_code}: {job.error_message or 'the service says no more'})" if job.error_code else ""


def _not_yet(submission: Submission, told: Results) -> FtjobsError | None:
    from ftjobs.workflows.submit import job_missing

    if told.job.ended:
        return None
    if submission.is_missing:
        return job_missing(told.job.id)
    return UsageError(
        "no_results_yet",
        f"Job {told.job.id} is {told.job.status}: it leaves its results when it ends.",
        next_step=f"Run `ftjobs watch {told.job.id}`, then the same command again.",
        job_id=told.job.id,
        status=told.job.status,
    )


def _json(told: Results, given: Globals) -> dict[str, object]:
    from ftjobs.reports.results import results_json

    return results_json(told, sandbox=given.sandbox)


def _print(told: Results, given: Globals) -> None:
    from ftjobs.reports.results import results_text

    print(results_text(told, width=width(given), marks=chart_marks()))
    sys.stdout.flush()
    for note in told.notes:
        say(f"note: {note}", given)


def _job_of(submission: Submission) -> Job:
    if submission.job is None:
        raise ValueError(f"submission {submission.id} has no job")
    return submission.job
