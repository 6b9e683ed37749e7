"""Token amounts and percentages as people type them, read exactly."""

from __future__ import annotations

import re
from fractions import Fraction

from ftjobs.errors import UsageError

MOST_TOKENS = 10**15  # a slip of the suffix; no service has sold that many

_TOKENS = re.compile(r"([0-9]{1,16})|([0-9]{1,16}(?:\.[0-9]{1,12})?)([KMB])", re.IGNORECASE)
_PERCENTAGE = re.compile(r"([0-9]{1,4}(?:\.[0-9]{1,6})?)\s*(%?)")
_TIMES = {"K": 10**3, "M": 10**6, "B": 10**9}


def parse_tokens(text: str, *, option: str, least: int = 0) -> int:
    """Return the tokens that "150000", "0.3M" or "1.5B" means; K, M and B in either case.

    Raises UsageError `bad_amount`, naming `option`, unless it is a whole number from `least` to 10¹⁵.
    """
    found = _TOKENS.fullmatch(text.strip())
    if found is None:
        raise _bad_amount(text, option, "is no number of tokens")
    amount = Fraction(int(found[1])) if found[1] else Fraction(found[2]) * _TIMES[found[3].upper()]
    if amount.denominator != 1:
        raise _bad_amount(text, option, "is no whole number of tokens")
    if not least <= amount <= MOST_TOKENS:
        raise _bad_amount(text, option, f"is not between {least:,} and {MOST_TOKENS:,} tokens")
    return int(amount)


def parse_percentage(text: str, *, option: str, most: int = 100) -> Fraction:
    """Return the share that "40%" or "40" means, 2/5; "0%" is 0, `most` the largest percentage.

    Raises UsageError `bad_percentage`, naming `option`. That includes "0.4" without the sign: it means 40% to
    some people and 0.4% to others.
    """
    found = _PERCENTAGE.fullmatch(text.strip())
    if found is None:
        raise _bad_percentage(text, option, "is no percentage")
    percentage = Fraction(found[1])
    if 0 < percentage < 1 and not found[2]:
        raise _bad_percentage(text, option, f"could mean {found[1]}% or that share of 1")
    if percentage > most:
        raise _bad_percentage(text, option, f"is above {most}%")
    return percentage / 100


def _bad_amount(text: str, option: str, why: str) -> UsageError:
    return UsageError(
        "bad_amount",
        f"{option} {text!r} {why}.",
        next_step="Write it like 150000, 0.3M or 1.5B.",
        option=option,
        value=text,
    )


def _bad_percentage(text: str, option: str, why: str) -> UsageError:
    return UsageError(
        "bad_percentage",
        f"{option} {text!r} {why}.",
        next_step="Write it like 40% or 2.5%.",
        option=option,
        value=text,
    )
