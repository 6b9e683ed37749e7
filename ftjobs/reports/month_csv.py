"""The cost trail of a period as CSV: one line a job, or a group."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from ftjobs.ledger.groups import Group
from ftjobs.ledger.month import MonthReport
from ftjobs.money import Usd
from ftjobs.periods import iso
from ftjobs.reports.groups import group_json
from ftjobs.reports.jobs import job_json

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
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


def jobs_csv(report: MonthReport) -> Iterator[str]:
    """Yield the lines as RFC 4180 has them, each with its end: JOB_COLUMNS, then a line a job.

    What is unknown is empty. Amounts are plain decimals in USD; texts that a spreadsheet would take for formulas
    begin with an apostrophe.
    """
    yield _line(JOB_COLUMNS)
    for line in report.lines:
        row = job_json(line)
        row["error_code"] = row["error"]["code"] if row["error"] else None
        row["tags"] = ";".join(f"{name}={value}" for name, value in sorted(row["tags"].items()))
        yield _line(_cells(row, JOB_COLUMNS))


def groups_csv(groups: Sequence[Group], by: str) -> Iterator[str]:
    """Yield the lines as `jobs_csv` does: GROUP_COLUMNS, then a line a group."""
    yield _line(GROUP_COLUMNS)
    for group in groups:
        yield _line(_cells(group_json(group, by), GROUP_COLUMNS))


def _cells(row: Mapping[str, Any], columns: Sequence[str]) -> list[str]:
    return [_cell(row[name], is_number=name.endswith("_pct")) for name in columns]


def _cell(value: object, *, is_number: bool) -> str:
    match value:
        case None:
            return ""
        case Usd():
            return value.plain()
        case datetime():
            return iso(value)
        case str() if not is_number and value.lstrip().startswith(_FORMULA):
            return f"'{value}"
        case _:
            return str(value)


def _line(cells: Sequence[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()
