"""What submitting came to."""

from __future__ import annotations

from typing import Any

from ftjobs.jobs.submission import Submission
from ftjobs.reports.envelope import clean, envelope
from ftjobs.reports.estimate import quote_text, recorded_estimate_json


def submission_json(
    submission: Submission, *, reused: bool, sandbox: bool, estimate: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return `ftjobs.submission/1`; the estimate is the recorded one unless a fuller one of it is given."""
    return envelope(
        "submission",
        sandbox=sandbox,
        submission_id=submission.id,
        job_id=submission.job.id if submission.job else None,
        status=submission.status,
        reused=reused,
        file_id=submission.training_file_id,
        estimate=estimate or recorded_estimate_json(submission),
    )


def submission_text(submission: Submission, *, reused: bool) -> str:
    """Return the job, its recorded estimate and the line to go on with."""
    follow = "see it with: ftjobs status" if submission.is_over else "watch it with: ftjobs watch"
    job_id = clean(submission.job.id if submission.job else submission.id)
    model = submission.spec.base_model if submission.spec else "unknown model"
    verb = "exists already" if reused else "created"
    return "\n".join(
        [
            f"job {job_id} {verb} ({clean(submission.status)}, {model})",
            f"estimate {quote_text(submission.quote)}",
            f"{follow} {job_id}",
        ]
    )


def plan_json(estimate: dict[str, Any], holder: Submission | None, *, sandbox: bool) -> dict[str, Any]:
    """Return what a dry run would submit: a submission without ids, or the one that would answer."""
    if holder is not None:
        return submission_json(holder, reused=True, sandbox=sandbox)
    return envelope(
        "submission",
        sandbox=sandbox,
        submission_id=None,
        job_id=None,
        status="planned",
        reused=False,
        file_id=None,
        estimate=estimate,
    )
