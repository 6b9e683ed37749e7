"""`cancel`: stop a job, or give up a submission that was never sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ftjobs.cli.context import ask, can_ask, open_app, say
from ftjobs.cli.options import Globals, JobArgument, print_json
from ftjobs.errors import InterruptedByUserError, UsageError

if TYPE_CHECKING:
    from ftjobs.app import App
    from ftjobs.jobs.submission import Submission
    from ftjobs.workflows.cancel import Cancelled


def cancel(
    ctx: typer.Context,
    job: JobArgument,
    *,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Cancel without being asked.")] = False,
) -> None:
    """Cancel a job, or abandon a submission that was never sent. Work done until then may be billed."""
    from ftjobs.workflows.cancel import Cancelled, refuse_uncertain

    app, given = open_app(ctx)
    submission = app.find(job)
    refuse_uncertain(submission)
    if submission.is_over and not submission.is_missing:  # a lost job may be found, and may still cost money
        done = Cancelled(submission, acted=False)
    else:
        asked = _Confirmation(job, yes=yes, may_ask=can_ask() and not given.json)
        asked.require_a_way()
        done = _cancel(app, given, submission, asked)
    _show(app, given, done)


class _Confirmation:
    """Whether a person agrees, by an option or by an answer on the terminal."""

    def __init__(self, named: str, *, yes: bool, may_ask: bool) -> None:
        self._named = named
        self._yes = yes
        self._may_ask = may_ask

    def require_a_way(self) -> None:
        """Raise UsageError where there is no --yes, and nobody to be asked."""
        if not self._yes and not self._may_ask:
            raise UsageError(
                "not_confirmed",
                "Cancelling cannot be undone, and nobody is there to be asked.",
                next_step="Run the same command again with --yes.",
                job=self._named,
            )

    def __call__(self, submission: Submission) -> None:
        """Raise UsageError where the answer is no."""
        if self._yes or ask(_question(submission)):
            return
        raise UsageError(
            "declined", "Nothing was cancelled.", next_step="Run the same command again to be asked again.",
            job=self._named,
        )  # fmt: skip


def _question(submission: Submission) -> str:
    if submission.job is None:
        return f"Abandon submission {submission.id}? It was recorded and never sent: nothing is billed."
    job, model = submission.job, submission.spec.base_model if submission.spec else submission.job.model
    return (
        f"Cancel job {job.id} ({job.status}, {model or 'unknown model'})? "
        "This cannot be undone, and work done until now may be billed."
    )


def _cancel(app: App, given: Globals, submission: Submission, asked: _Confirmation) -> Cancelled:
    from ftjobs.workflows.cancel import Canceller, abandon

    if submission.job is None:
        asked(submission)
        return abandon(submission.id, app.ledger, now=app.ambient.now())
    job_id = submission.job.id
    try:
        with app.session(app.profile_of(submission.profile, submission.account)) as session:
            canceller = Canceller(
                session,
                app.prices,
                app.settings.price_list,
                consent=asked,
                on_signal=lambda: say("one moment: the answer must be recorded (up to 60 s)", given),
            )
            return canceller.cancel(submission)
    except KeyboardInterrupt:
        known = app.ledger.get(submission.id)
        raise InterruptedByUserError(
            "interrupted",
            f"Interrupted; the ledger has job {job_id} as {known.status}.",
            next_step=f"Run `ftjobs status {job_id}` to see what the service says.",
            submission_id=submission.id,
            job_id=job_id,
            status=known.status,
        ) from None


def _show(app: App, given: Globals, done: Cancelled) -> None:
    (trail,) = app.ledger.trails([done.submission.id])
    if given.json:
        from ftjobs.reports.jobs import jobs_json

        print_json(jobs_json([trail], unusual=app.ledger.unusual([trail]), sandbox=given.sandbox))
    else:
        from ftjobs.reports.cancel import cancel_text

        print(given.spelled(cancel_text(trail, acted=done.acted)))
