"""Numbers as people read them."""

from __future__ import annotations

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
