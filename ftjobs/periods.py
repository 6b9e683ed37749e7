"""Instants in UTC, half-open periods, and durations as people write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(s|m|h|d)")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})?)?"
)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_MONTHS_PER_YEAR = 12
_LEAST = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` (inclusive) to `end` (exclusive), both aware and UTC."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.utcoffset() != timedelta(0) or self.end.utcoffset() != timedelta(0):
            raise ValueError("a period's bounds must be aware and UTC")
        if self.end < self.start:
            raise ValueError("a period must not end before it starts")

    def __contains__(self, instant: datetime) -> bool:
        return self.start <= instant < self.end


def month(year: int, number: int) -> Period:
    """Return the UTC month; `number` is 1 to 12."""
    start = datetime(year, number, 1, tzinfo=UTC)
    following = datetime(year + number // _MONTHS_PER_YEAR, number % _MONTHS_PER_YEAR + 1, 1, tzinfo=UTC)
    return Period(start, following)


def month_of(instant: datetime) -> Period:
    """Return the UTC month that holds `instant`."""
    utc = instant.astimezone(UTC)
    return month(utc.year, utc.month)


def parse_period(text: str, *, now: datetime) -> Period:
    """Return the period that `2026`, `2026-10`, `2026-10-05` or `last` (the month before `now`) names.

    ValueError where it names none.
    """
    if text == "last":
        return month_of(month_of(now).start - timedelta(days=1))
    if match := re.fullmatch(r"([0-9]{4})", text):
        year = int(match[1])
        return Period(month(year, 1).start, month(year, 12).end)
    if match := re.fullmatch(r"([0-9]{4})-([0-9]{2})", text):
        return month(int(match[1]), int(match[2]))
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) or text == date.max.isoformat():
        raise ValueError(f"{text!r} is not a period like 2026, 2026-10, 2026-10-05 or last")
    day = datetime.combine(date.fromisoformat(text), datetime.min.time(), tzinfo=UTC)
    return Period(day, day + timedelta(days=1))


def parse_instant(text: str) -> datetime:
    """Return the UTC instant that an ISO time names, or at which a day like `2026-10-05` starts.

    A time without a zone is UTC. ValueError where it names none.
    """
    try:
        instant = datetime.fromisoformat(text if _INSTANT.fullmatch(text) else "")
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is not a day like 2026-10-05 or a time like 2026-10-05T12:00:00Z") from None


def parse_as_of(text: str) -> datetime:
    """Return the last instant of the day that `2026-10-05` names, or the instant that an ISO time names.

    ValueError as for `parse_instant`.
    """
    instant = parse_instant(text)
    if instant.year == date.max.year:
        raise ValueError(f"{text!r} is too far away")
    return instant + timedelta(days=1) - _LEAST if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else instant


def as_of_text(instant: datetime) -> str:
    """Return what `parse_as_of` takes for this instant: the day, where it is its last instant."""
    utc = instant.astimezone(UTC)
    if (utc + _LEAST).time() == time():
        return utc.date().isoformat()
    return utc.isoformat().replace("+00:00", "Z")


def parse_duration(text: str) -> float:
    """Return the seconds that `90s`, `20m`, `2h` or `1d` name; ValueError where it names none."""
    return float(_seconds(text))


def parse_whole_seconds(text: str) -> int:
    """Return the seconds of a duration that is a whole number of them, as every bill by the hour counts them.

    ValueError where it is none.
    """
    seconds = _seconds(text)
    if seconds != int(seconds):
        raise ValueError(f"{text!r} is no whole number of seconds")
    return int(seconds)


def _seconds(text: str) -> Decimal:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration like 90s, 20m or 2h")
    return Decimal(match[1]) * _SECONDS[match[2]]


def iso(instant: datetime) -> str:
    """Return the ISO form in UTC with a Z, whole seconds ("2026-10-05T12:00:00Z")."""
    return f"{instant.astimezone(UTC).isoformat(timespec='seconds')[:19]}Z"


def from_unix(seconds: int) -> datetime:
    """Return the aware UTC instant of a Unix time in seconds."""
    return datetime.fromtimestamp(seconds, UTC)
