"""PERIOD and a day as they are typed."""

from __future__ import annotations

import re
from datetime import date, datetime

from ftjobs.errors import UsageError
from ftjobs.periods import Period, parse_period

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")  # date.fromisoformat takes weeks and bare digits too


def period_of(text: str, *, now: datetime) -> Period:
    """Return the period; UsageError where the text names none."""
    try:
        return parse_period(text, now=now)
    except ValueError:
        raise UsageError(
            "bad_period",
            f"{text!r} is not a period.",
            next_step="Write it like 2026-10, 2026-10-05, 2026 or last.",
            period=text,
        ) from None


def day_of(on: str | None) -> date | None:
    """Return the day that --on names, None where it was not given; UsageError where it names none."""
    if on is None:
        return None
    try:
        return date.fromisoformat(on if _DAY.fullmatch(on) else "")
    except ValueError:
        raise UsageError(
            "bad_date",
            f"{on!r} is not a day.",
            next_step="Write --on as YYYY-MM-DD, like 2026-10-05.",
            on=on,
        ) from None
