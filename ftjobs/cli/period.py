"""PERIOD as it is typed."""

from __future__ import annotations

from datetime import datetime

from ftjobs.errors import UsageError
from ftjobs.periods import Period, parse_period


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
