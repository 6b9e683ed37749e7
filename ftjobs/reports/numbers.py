"""Numbers as people read them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from ftjobs.money import Usd
from ftjobs.ranges import Range

UNKNOWN = "unknown"


def count(number: int, noun: str) -> str:
    """Return "1 example", "2,000 examples"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def range_json(values: Range[Any] | None) -> dict[str, Any] | None:
    """Return low, expected, high; null for what is unknown."""
    return None if values is None else {"low": values.low, "expected": values.expected, "high": values.high}


def token_range(tokens: Range[int]) -> str:
    """Return the expected count with its range, where it is one ("1,234 (1,200–1,300)")."""
    spread = f" ({tokens.low:,}–{tokens.high:,})" if tokens.low != tokens.high else ""
    return f"{tokens.expected:,}{spread}"


def usd_range(cost: Range[Usd] | None) -> str:
    """Return the expected cost with its range, where it is one; "unknown" for None."""
    if cost is None:
        return UNKNOWN
    spread = f" ({cost.low.display()}–{cost.high.display()})" if cost.low != cost.high else ""
    return f"{cost.expected.display()}{spread}"


def usd(amount: Usd | None) -> str:
    """Return the amount, "unknown" for None: never $0 for what nobody knows."""
    return UNKNOWN if amount is None else amount.display()


def duration(lasting: timedelta) -> str:
    """Return "45 s", "4 min", "1 h 05 min", "2 d 3 h"; what is smaller than that is cut off."""
    seconds = max(int(lasting.total_seconds()), 0)
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if minutes == 0:
        return f"{seconds} s"
    if hours == 0:
        return f"{minutes} min"
    if days == 0:
        return f"{hours} h {minutes % 60:02} min" if minutes % 60 else f"{hours} h"
    return f"{days:,} d {hours % 24} h" if hours % 24 else f"{days:,} d"
