"""What went wrong with a job or its submission, what that means, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ftjobs.ledger.month import Line
from ftjobs.reports.explained import DAILY_LIMIT, Explanation, explained, slot_frees
from ftjobs.reports.facts import fact_lines


@dataclass(frozen=True, slots=True)
class Failure:
    """An error as it was told: `code`, `message`, and what it is about (`param`, `line`), None where nobody said.

    `explanation` is None for what we ended ourselves: the message says all there is.
    """

    code: str | None
    message: str | None
    param: str | None
    line: int | None
    explanation: Explanation | None


def failure_of(line: Line) -> Failure | None:
    """Return what went wrong, None where nothing is known to have gone wrong."""
    submission, job = line.submission, line.submission.job
    if job is not None and job.error_code:
        return Failure(
            job.error_code, job.error_message, job.error_param, job.error_line, explained(job.error_code)
        )
    if job is not None or not (submission.error_code or submission.error_message):
        return None
    code = submission.error_code
    is_theirs = submission.state == "rejected" and code is not None
    return Failure(code, submission.error_message, None, None, explained(code) if is_theirs and code else None)


def failure_lines(
    line: Line, *, created: Sequence[datetime] = (), now: datetime | None = None, width: int | None
) -> list[str]:
    """Return the error in the service's words, its meaning and the next step; none where there is no error.

    `created` are the jobs that a daily limit would count, as far as the ledger knows.
    """
    failure = failure_of(line)
    if failure is None:
        return []
    about = [failure.param or "", f"line {failure.line:,}" if failure.line is not None else ""]
    told = ": ".join(filter(None, [failure.code, failure.message or "the service says no more"]))
    facts = [("error", told)]
    if any(about):
        facts.append(("about", ", ".join(filter(None, about))))
    if failure.explanation is not None:
        facts += [("meaning", failure.explanation.meaning), ("next", failure.explanation.next_step)]
    if failure.code == DAILY_LIMIT and now is not None:
        facts.append(("limit", slot_frees(created, now=now)))
    return fact_lines(facts, width=width)


def failure_json(line: Line) -> dict[str, Any] | None:
    """Return the error with what is known of its code, null where there is none."""
    failure = failure_of(line)
    if failure is None:
        return None
    known = failure.explanation
    return {
        "code": failure.code,
        "message": failure.message,
        "param": failure.param,
        "line": failure.line,
        "meaning": known.meaning if known else None,
        "next_step": known.next_step if known else None,
    }
