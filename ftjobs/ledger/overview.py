"""A period at a glance: its sums, its groups and the newest of its lines, from one look at the lines. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from ftjobs.ledger.groups import Group, Groups
from ftjobs.ledger.month import Line, Sums, Totals
from ftjobs.periods import Period


@dataclass(frozen=True, slots=True)
class Overview:
    """What a period (None: everything) comes to; `newest` are its newest lines, the newest first.

    `bills` is how many lines had anything billed, `as_of` until when the trails were known.
    """

    period: Period | None
    as_of: datetime
    digest: str
    totals: Totals
    bills: int
    by_model: tuple[Group, ...]
    by_tag: tuple[Group, ...]
    by_day: tuple[Group, ...]
    newest: tuple[Line, ...]


def overview(
    lines: Iterable[Line], *, period: Period | None, as_of: datetime, digest: str, most_lines: int
) -> Overview:
    """Return the overview of these lines, which come oldest first and are looked at once."""
    sums, newest = Sums(), deque[Line](maxlen=most_lines)
    by_model, by_tag, by_day = Groups("model"), Groups("tag"), Groups("day")
    for line in lines:
        for counted in (sums, by_model, by_tag, by_day):
            counted.add(line)
        newest.append(line)
    return Overview(
        period,
        as_of,
        digest,
        sums.totals(),
        sums.bills,
        by_model.found(),
        by_tag.found(),
        by_day.found(),
        tuple(reversed(newest)),
    )
