"""The cost trail of a period as CSV: one line a job, or a group."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence

from ftjobs.ledger.groups import Group
from ftjobs.ledger.month import Line
from ftjobs.money import Usd, plain
from ftjobs.periods import iso
from ftjobs.reports.envelope import clean
from ftjobs.reports.groups import group_json
from ftjobs.reports.jobs import base_model, error_of

# Columns are added at the end and never renamed: somebody's import reads them.
JOB_COLUMNS = (
    "submission_id",
    "job_id",
    "profile",
    "status",
    "base_model",
    "fine_tuned_model",
    "examples",
    "epochs",
    "estimated_tokens",
    "estimated_cost_usd",
    "trained_tokens",
    "billed_cost_usd",
    "billed_basis",
    "variance_pct",
    "created_at",
    "finished_at",
    "error_code",
    "tags",
)
GROUP_COLUMNS = (
    "by",
    "name",
    "jobs",
    "unsettled_jobs",
    "estimated_tokens",
    "estimated_cost_usd",
    "trained_tokens",
    "billed_cost_usd",
    "settled_estimated_cost_usd",
    "variance_usd",
    "variance_pct",
    "commitment_usd",
    "unknown_billed_jobs",
)
# A spreadsheet takes a text that begins like this for a formula, and runs it.
_FORMULA = ("=", "+", "-", "@", "|", "%", "＝", "＋", "－", "＠")  # noqa: RUF001 - full-width ones too


def jobs_csv(lines: Iterable[Line]) -> Iterator[str]:
    """Yield the lines as RFC 4180 has them, each with its end: JOB_COLUMNS, then a line a job.

    What is unknown is empty. Amounts are plain decimals in USD; texts that a spreadsheet would take for formulas
    begin with an apostrophe.
    """
    write = csv.writer(_Echo()).writerow
    yield write(JOB_COLUMNS)
    for line in lines:
        yield write(_job_cells(line))


def groups_csv(groups: Sequence[Group], by: str) -> Iterator[str]:
    """Yield the lines as `jobs_csv` does: GROUP_COLUMNS, then a line a group."""
    write = csv.writer(_Echo()).writerow
    yield write(GROUP_COLUMNS)
    for group in groups:
        row = group_json(group, by)
        yield write([_cell(row[name], is_number=name.endswith("_pct")) for name in GROUP_COLUMNS])


class _Echo:
    """Returns what is written, and so does a writer on it."""

    def write(self, text: str) -> str:
        return text


def _job_cells(line: Line) -> list[object]:
    """Return the cells of JOB_COLUMNS: what `job_json` says of them."""
    submission, estimate = line.subject, line.estimate
    job, quote = submission.job, submission.quote
    error = error_of(line)
    return [
        _text(submission.id),
        _text(job.id if job else None),
        _text(submission.profile),
        _text(submission.status),
        _text(base_model(line)),
        _text(job.fine_tuned_model if job else None),
        quote.examples if quote else None,
        submission.n_epochs,
        estimate.tokens if estimate else None,
        plain(estimate.nano) if estimate else None,
        line.trained_tokens,
        None if line.billed_nano is None else plain(line.billed_nano),
        _text(line.billed_basis),
        line.variance_pct,
        iso(job.created_at if job else submission.recorded_at),
        iso(job.finished_at) if job and job.finished_at else None,
        _text(error["code"] if error else None),
        # Each by itself: where ";" parts cells, each begins one.
        ";".join([_text(f"{name}={value}") or "" for name, value in sorted(submission.tags.items())]),
    ]


def _text(value: str | None) -> str | None:
    """Return a text that no spreadsheet takes for a formula."""
    if not value:
        return value
    text = clean(value)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text


def _cell(value: object, *, is_number: bool) -> str:
    match value:
        case None:
            return ""
        case Usd():
            return value.plain()
        case str() if not is_number:
            return _text(value) or ""
        case _:
            return str(value)
