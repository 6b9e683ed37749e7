"""What was billed on each day of a month, as a picture of a line with its words."""

from __future__ import annotations

from datetime import UTC, date, timedelta

from ftjobs.ledger.month import Line
from ftjobs.money import Usd
from ftjobs.periods import Period
from ftjobs.reports.numbers import count
from ftjobs.reports.sparkline import spikes
from ftjobs.reports.table import PLAIN, wrapped

_MOST_DAYS = 31


class Days:
    """The bills of the lines so far by UTC day."""

    def __init__(self, period: Period | None) -> None:
        days = (period.end - period.start).days if period else 0
        first = period.start.astimezone(UTC).date() if period and 1 < days <= _MOST_DAYS else None
        self._nano = {first + timedelta(nth): 0 for nth in range(days)} if first else {}

    def add(self, line: Line) -> None:
        """Count a line in."""
        for entry in line.billed_in:
            day = entry.occurred_at.astimezone(UTC).date()
            if day in self._nano:
                self._nano[day] += entry.nano

    def lines(self, *, width: int | None) -> list[str]:
        """Return the days within `width` cells; none on a pipe (None), for a longer period, or without a bill."""
        if width is None or max(self._nano.values(), default=0) <= 0:
            return []
        if width == PLAIN:
            billed = sum(nano != 0 for nano in self._nano.values())
            return [f"billed on {count(billed, 'day')}, most {self._most()}"]
        drawn, words = spikes(list(self._nano.values())), f"billed per day, most {self._most()}"
        both = f"{drawn}  {words}"
        return [both] if len(both) <= width else [drawn, *wrapped(words, width)]

    def _most(self) -> str:
        day: date = max(self._nano, key=lambda each: self._nano[each])
        return f"{Usd(self._nano[day]).display()} on {day}"
