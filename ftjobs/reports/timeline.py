"""When what happened to a job, and how long it took."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ftjobs.jobs.story import Story
from ftjobs.ledger.month import Line
from ftjobs.periods import iso
from ftjobs.reports.envelope import clean

# A job that was created this long before it was recorded was not recorded first.
_CLOCKS_DIFFER = timedelta(minutes=5)
_MINUTE_S, _HOUR_S, _DAY_S = 60, 3_600, 86_400


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened, or is expected to."""

    at: datetime
    what: str
    is_expected: bool = False


def moments(line: Line, story: Story) -> list[Moment]:
    """Return what is known to have happened, in the order in which a job goes through it, and what is expected."""
    submission, job = line.submission, line.submission.job
    found = [Moment(submission.recorded_at, "recorded")]
    if job is None:
        return found
    is_adopted = submission.recorded_at - job.created_at > _CLOCKS_DIFFER
    if is_adopted:
        found = [Moment(submission.recorded_at, "adopted")]
    found.append(Moment(job.created_at, "created"))
    if story.first_metrics_at is not None:
        found.append(Moment(story.first_metrics_at, "first metrics"))
    if job.finished_at is not None:
        found.append(Moment(job.finished_at, clean(job.status)))
    elif job.estimated_finish is not None and not job.ended:
        found.append(Moment(job.estimated_finish, "expected to finish", is_expected=True))
    return sorted(found, key=lambda moment: moment.at) if is_adopted else found


def timeline_lines(line: Line, story: Story) -> list[str]:
    """Return a line a moment, with the time since the one before it; then how long an ended job took in all."""
    told = moments(line, story)
    size = max(len(moment.what) for moment in told)
    lines = []
    for number, moment in enumerate(told):
        since = _since(moment.at - told[number - 1].at) if number else ""
        lines.append(f"{iso(moment.at)}  {moment.what:{size}}  {since}".rstrip())
    job = line.submission.job
    if job is not None and job.finished_at is not None and job.finished_at >= job.created_at:
        lines.append(
            f"{'':{len(iso(job.created_at))}}  {'in all':{size}}   {duration(job.finished_at - job.created_at)}"
        )
    return lines


def timeline_json(line: Line, story: Story) -> list[dict[str, object]]:
    """Return the moments, with `expected` true for what has not happened yet."""
    return [{"at": each.at, "what": each.what, "expected": each.is_expected} for each in moments(line, story)]


def duration(span: timedelta) -> str:
    """Return "45 s", "12 min 30 s", "2 h 05 min", "3 d 4 h": the two largest units of it."""
    seconds = max(0, round(span.total_seconds()))
    if seconds < _MINUTE_S:
        return f"{seconds} s"
    if seconds < _HOUR_S:
        return f"{seconds // _MINUTE_S} min {seconds % _MINUTE_S:02} s"
    if seconds < _DAY_S:
        return f"{seconds // _HOUR_S} h {seconds % _HOUR_S // _MINUTE_S:02} min"
    return f"{seconds // _DAY_S} d {seconds % _DAY_S // _HOUR_S} h"


def _since(span: timedelta) -> str:
    """Return the time since the moment before; clocks differ, so it may seem to lie before that."""
    return f"+{duration(span)}" if span >= timedelta(0) else ""
