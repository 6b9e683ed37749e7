"""A report's totals by model, tag, day or profile. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from ftjobs.ledger.month import Line, Sums, Totals
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


def grouped(lines: Iterable[Line], by: str) -> tuple[Group, ...]:
    """Return the groups of these lines as `Groups` does."""
    groups = Groups(by)
    for line in lines:
        groups.add(line)
    return groups.found()


class Groups:
    """The groups of the lines so far; ValueError unless `is_grouping`.

    A job is in one group, except by `tag`, where it is in one for each tag, and by `day`, where it is in one for
    each UTC day that billed it. What no day billed yet has no day.
    """

    def __init__(self, by: str) -> None:
        if not is_grouping(by):
            raise ValueError(f"{by!r} is no grouping")
        self.by = by
        self._sums: dict[str | None, Sums] = {}

    def add(self, line: Line) -> None:
        """Count a line in."""
        for name, part in _parts(line, self.by):
            sums = self._sums.get(name)
            if sums is None:
                sums = self._sums[name] = Sums()
            sums.add(part)

    def found(self) -> tuple[Group, ...]:
        """Return the groups by name, what has none last."""
        named = sorted(name for name in self._sums if name is not None)
        unnamed: list[None] = [None] if None in self._sums else []
        return tuple(Group(name, self._sums[name].totals()) for name in (*named, *unnamed))


def _parts(line: Line, by: str) -> Iterator[tuple[str | None, Line]]:
    subject = line.subject
    match by:
        case "model":
            yield line.base_model, line
        case "profile":
            yield subject.profile, line
        case "day":
            yield from _days(line)
        case "tag":
            pairs: Sequence[str | None] = [f"{name}={value}" for name, value in sorted(subject.tags.items())]
            for pair in pairs or [None]:
                yield pair, line
        case _:
            yield subject.tags.get(by.removeprefix(_TAG)), line


def _days(line: Line) -> Iterator[tuple[str | None, Line]]:
    days = sorted({entry.occurred_at.astimezone(UTC).date() for entry in line.billed_in})
    if not days:
        yield None, line
    told = [entry.occurred_at for entry in line.billed_in if entry.kind == "billed" and entry.seq == 0]
    of_estimate = told[0].astimezone(UTC).date() if told else days[0] if days else None
    for day in days:
        start = datetime.combine(day, time(), tzinfo=UTC)
        postings = [each for each in line.postings if each.kind != "estimate" or day == of_estimate]
        yield day.isoformat(), Line.of(line.subject, postings, Period(start, start + timedelta(days=1)))
