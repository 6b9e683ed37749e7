"""The months over which a model is paid for, counted from a day."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

_MONTHS_PER_YEAR = 12


@dataclass(frozen=True, slots=True)
class HorizonMonth:
    """One month of it, from `start` (inclusive) to `end` (exclusive); `number` counts from 1.

    `share` is the part of the calendar month that is paid for: 1, or less where a shutdown cuts it short.
    """

    number: int
    start: date
    end: date
    share: Fraction


@dataclass(frozen=True, slots=True)
class Horizon:
    """From `start` to `end`, half-open: the months asked for, unless a shutdown comes before their end."""

    start: date
    end: date
    months_asked: int
    months: tuple[HorizonMonth, ...]
    capped_by_shutdown: bool

    @property
    def days(self) -> int:
        """Return the days in it, 0 for a model that is shut down."""
        return (self.end - self.start).days


def horizon(start: date, months: int, *, shutdown_date: date | None = None) -> Horizon:
    """Return `months` calendar months from the day `start`, cut where the model shuts down.

    Month k runs from `start` plus k − 1 months to `start` plus k months, each from the first day anew, so that the
    31st does not drift. On `shutdown_date` itself the model is gone.
    """
    asked_end = months_after(start, months)
    is_capped = shutdown_date is not None and shutdown_date < asked_end
    end = max(start, shutdown_date) if shutdown_date is not None and is_capped else asked_end
    return Horizon(
        start=start,
        end=end,
        months_asked=months,
        months=tuple(
            month for number in range(1, months + 1) if (month := _month(start, number, end)) is not None
        ),
        capped_by_shutdown=is_capped,
    )


def months_after(start: date, months: int) -> date:
    """Return the same day of the month `months` later, the month's last day where it is shorter."""
    year, month = divmod(start.year * _MONTHS_PER_YEAR + start.month - 1 + months, _MONTHS_PER_YEAR)
    return date(year, month + 1, min(start.day, monthrange(year, month + 1)[1]))


def months_until(start: date, end: date, *, most: int) -> int:
    """Return the fewest months, from 1 to `most`, of which a shutdown on `end` cuts the last."""
    return next((months for months in range(1, most) if months_after(start, months) > end), most)


def _month(start: date, number: int, horizon_end: date) -> HorizonMonth | None:
    first, whole_end = months_after(start, number - 1), months_after(start, number)
    end = min(whole_end, horizon_end)
    if end <= first:
        return None
    return HorizonMonth(number, first, end, Fraction((end - first).days, (whole_end - first).days))
