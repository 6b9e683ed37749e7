"""Jobs with their trail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ftjobs.jobs.job import SUCCEEDED
from ftjobs.ledger.bridge import Bridge
from ftjobs.ledger.entries import Trail
from ftjobs.ledger.month import Line
from ftjobs.money import Usd
from ftjobs.reports.envelope import clean, envelope
from ftjobs.reports.numbers import UNKNOWN, usd
from ftjobs.reports.table import Column, table

if TYPE_CHECKING:
    from ftjobs.jobs.progress import Progress

Unusual = Mapping[str, Sequence[str]]

COLUMNS = (
    Column("JOB"),
    Column("STATUS"),
    Column("MODEL", gives_way=2),
    Column("EXAMPLES", right=True, gives_way=5),
    Column("EPOCHS", right=True, gives_way=6),
    Column("ESTIMATED", right=True, gives_way=1),
    Column("TRAINED TOKENS", right=True, gives_way=4),
    Column("BILLED", right=True),
    Column("VARIANCE", right=True, gives_way=3),
)


def job_json(line: Line, unusual: Unusual | None = None, *, progress: Progress | None = None) -> dict[str, Any]:
    """Return one element of `jobs[]`; what is unknown is null. `unusual` are sentences by submission id.

    `progress` is what somebody who looked knows.
    """
    submission = line.subject
    job, quote, estimate = submission.job, submission.quote, line.estimate
    return {
        "submission_id": submission.id,
        "job_id": job.id if job else None,
        "profile": submission.profile,
        "status": submission.status,
        "base_model": base_model(line),
        "fine_tuned_model": job.fine_tuned_model if job else None,
        "examples": quote.examples if quote else None,
        "epochs": submission.n_epochs,
        "estimated_tokens": estimate.tokens if estimate else None,
        "estimated_cost_usd": Usd(estimate.nano) if estimate else None,
        "trained_tokens": line.trained_tokens,
        "billed_cost_usd": line.billed,
        "billed_basis": line.billed_basis,
        "variance_pct": variance_pct(line),
        "variance_bridge": bridge_json(line.bridge),
        "progress": 1 if job and job.status == SUCCEEDED else progress and progress.fraction,
        "estimated_finish": job.estimated_finish if job else None,
        "created_at": job.created_at if job else submission.recorded_at,
        "finished_at": job.finished_at if job else None,
        "error": error_of(line),
        "unusual": list((unusual or {}).get(submission.id, ())),
        "tags": dict(submission.tags),
    }


def bridge_json(bridge: Bridge | None) -> dict[str, Any] | None:
    """Return the steps from the expected estimate to the bill, null where one of them is unknown."""
    if bridge is None:
        return None
    return {
        "epochs_usd": bridge.epochs,
        "token_count_usd": bridge.token_count,
        "price_usd": bridge.price,
        "other_usd": bridge.other,
        "variance_usd": bridge.variance,
        "jobs_without_epochs": bridge.jobs_without_epochs,
    }


def jobs_json(
    trails: Sequence[Trail],
    *,
    unusual: Unusual | None = None,
    progress: Mapping[str, Progress] | None = None,
    sandbox: bool,
) -> dict[str, Any]:
    """Return `ftjobs.jobs/1`; `progress` is known to whoever looked, by submission id."""
    known = progress or {}
    jobs = [job_json(Line(trail), unusual, progress=known.get(trail.submission.id)) for trail in trails]
    return envelope("jobs", sandbox=sandbox, jobs=jobs)


def unusual_lines(line: Line, notes: Sequence[str]) -> list[str]:
    """Return a line for each note about a job."""
    return [f"note: {_name(line)}: {clean(note)}" for note in notes]


def attention_note(trail: Trail) -> str | None:
    """Return what to do about a job that may exist unseen, or that its service lost; None for any other."""
    submission = trail.submission
    if submission.is_missing and submission.job:
        return (
            f"{submission.job.id}: the service does not know this job any more; check the account and project of"
            " the API key (what the ledger has of it stays, and it is asked for again each time)"
        )
    if submission.state == "uncertain" and submission.job is None:
        return (
            f"{submission.id} may have created a job that is not listed yet; "
            f"`ftjobs submit --resend {submission.id}` watches for a while, then creates it"
        )
    return None


def _name(line: Line) -> str:
    return clean(line.subject.job.id if line.subject.job else line.subject.id)


def jobs_text(lines: Sequence[Line], *, width: int | None) -> str:
    """Return the table of jobs; unknown bills say so."""
    return table(COLUMNS, [job_row(line) for line in lines], width=width)


def job_row(line: Line) -> list[str]:
    """Return the cells of COLUMNS."""
    submission = line.subject
    estimate, epochs, tokens = line.estimate, submission.n_epochs, line.trained_tokens
    pct = line.variance_pct
    return [
        submission.job.id if submission.job else submission.id,
        submission.status,
        base_model(line) or UNKNOWN,
        f"{submission.quote.examples:,}" if submission.quote else UNKNOWN,
        str(epochs) if epochs is not None else "auto",
        usd(Usd(estimate.nano)) if estimate else "no estimate",
        f"{tokens:,}" if tokens is not None else _absent(line),
        usd(line.billed) if line.billed is not None else _absent(line),
        f"{'' if pct.startswith('-') else '+'}{pct}%" if pct else "-",
    ]


def _absent(line: Line) -> str:
    """Return why a number is missing: not yet there, or nobody knows; nothing was created, so nothing is due."""
    if line.bill_is_unknown:
        return UNKNOWN
    if line.billed is not None:  # by hand: the tokens are in the bill of another period, or in none
        return "-" if any(each.tokens is not None for each in line.postings if each.kind == "billed") else UNKNOWN
    return "none" if line.voided else "not yet"


def base_model(line: Line) -> str | None:
    """Return the model in printable characters."""
    return clean(line.base_model) if line.base_model else None


def variance_pct(line: Line) -> str | None:
    """Return billed − expected estimate in percent of the estimate, None where one of them is unknown."""
    return line.variance_pct


def error_of(line: Line) -> dict[str, str | None] | None:
    """Return the error of the job, else of its submission; None without one."""
    submission = line.subject
    job = submission.job
    if job and job.error_code:
        return {"code": job.error_code, "message": job.error_message}
    if submission.error_code or submission.error_message:
        return {"code": submission.error_code, "message": submission.error_message}
    return None
