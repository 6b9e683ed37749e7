"""A report's totals by model, tag, day or profile. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from ftjobs.ledger.month import Line, MonthReport, Totals, totals_of
from ftjobs.periods import Period

NAMES = ("model", "tag", "day", "profile")
_TAG = "tag:"


@dataclass(frozen=True, slots=True)
class Group:
    """The totals of what has one model, tag, day or profile; `name` is None for what has none."""

    name: str | None
    totals: Totals


def is_grouping(by: str) -> bool:
    """Return whether a report can be grouped by this: one of NAMES, or `tag:NAME` for one tag's values."""
    return by in NAMES or (by.startswith(_TAG) and len(by) > len(_TAG))


def grouped(report: MonthReport, by: str) -> tuple[Group, ...]:
    """Return the report's groups, by name, what has none last; ValueError unless `is_grouping`.

    A job is in one group, except by `tag`, where it is in one for each tag, and by `day`, where it is in one for
    each UTC day that billed it. What no day billed yet has no day.
    """
    if not is_grouping(by):
        raise ValueError(f"{by!r} is no grouping")
    found: dict[str | None, list[Line]] = {}
    for line in report.lines:
        for name, part in _parts(line, by):
            found.setdefault(name, []).append(part)
    named = sorted(name for name in found if name is not None)
    return tuple(Group(name, totals_of(found[name])) for name in (*named, *([None] if None in found else ())))


def _parts(line: Line, by: str) -> Iterator[tuple[str | None, Line]]:
    submission = line.submission
    match by:
        case "model":
            yield line.base_model, line
        case "profile":
            yield submission.profile, line
        case "day":
            yield from _days(line)
        case "tag":
            pairs: Sequence[str | None] = [f"{name}={value}" for name, value in sorted(submission.tags.items())]
            for pair in pairs or [None]:
                yield pair, line
        case _:
            yield submission.tags.get(by.removeprefix(_TAG)), line


def _days(line: Line) -> Iterator[tuple[str | None, Line]]:
    days = sorted({entry.occurred_at.astimezone(UTC).date() for entry in line.billed_in})
    if not days:
        yield None, line
    for day in days:
        start = datetime.combine(day, time(), tzinfo=UTC)
        yield day.isoformat(), Line(line.trail, Period(start, start + timedelta(days=1)))
