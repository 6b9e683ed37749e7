"""Money as integer nano-dollars; floats never enter."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

NANO = 1_000_000_000
TOKENS_PER_UNIT = 1_000_000

_PRICES = 256  # as many as any price list has, several times
_DECIMAL = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")


@lru_cache(_PRICES)
def _parse_nano(text: str) -> int:
    if not _DECIMAL.fullmatch(text):
        raise ValueError(f"{text!r} is not an amount in USD like 12 or 0.125 (at most 9 decimals)")
    return int(Decimal(text) * NANO)


def plain(nano: int) -> str:
    """Return the exact decimal string of so many nano-dollars: 2 to 9 decimals, trailing zeros cut."""
    whole, fraction = divmod(abs(nano), NANO)
    decimals = f"{fraction:09d}".rstrip("0").ljust(2, "0")
    return f"{'-' if nano < 0 else ''}{whole}.{decimals}"


@dataclass(frozen=True, order=True, slots=True)
class Usd:
    """An exact amount in US dollars; `nano` counts 10⁻⁹ dollars and may be negative."""

    nano: int

    @classmethod
    def parse(cls, text: str) -> Usd:
        """Return the non-negative amount that a decimal string like "12.50" names; ValueError if it is none."""
        return cls(_parse_nano(text))

    def __add__(self, other: Usd) -> Usd:
        return Usd(self.nano + other.nano)

    def __sub__(self, other: Usd) -> Usd:
        return Usd(self.nano - other.nano)

    def __neg__(self) -> Usd:
        return Usd(-self.nano)

    def plain(self) -> str:
        """Return the exact decimal string: 2 to 9 decimals, trailing zeros cut ("3.00", "0.000003")."""
        return plain(self.nano)

    def display(self) -> str:
        """Return the amount for people: cents from a dollar up, else 4 decimals; "<$0.0001" below those."""
        sign, nano = ("-" if self.nano < 0 else ""), abs(self.nano)
        if 0 < nano < NANO // 10_000:
            return f"{sign}<$0.0001"
        amount = Decimal(nano) / NANO
        return f"{sign}${amount:,.2f}" if nano >= NANO or nano == 0 else f"{sign}${amount:.4f}"


ZERO = Usd(0)


@dataclass(frozen=True, order=True, slots=True)
class UsdPer1M:
    """A unit price: `nano` counts 10⁻⁹ dollars per 1,000,000 tokens; never negative."""

    nano: int

    @classmethod
    def parse(cls, text: str) -> UsdPer1M:
        """Return the price that a decimal string like "3.00" names; ValueError if it is none."""
        return cls(_parse_nano(text))

    def cost(self, tokens: int) -> Usd:
        """Return what `tokens` cost, rounded half-even once, to the nano-dollar."""
        return Usd(rounded(tokens * self.nano, TOKENS_PER_UNIT))

    def plain(self) -> str:
        """Return the exact decimal string in USD per 1M tokens."""
        return plain(self.nano)


def rounded(numerator: int, denominator: int) -> int:
    """Return the quotient, rounded half-even once; the denominator is above 0."""
    quotient, remainder = divmod(numerator, denominator)
    twice = 2 * remainder
    rounds_up = twice > denominator or (twice == denominator and quotient % 2 == 1)
    return quotient + int(rounds_up)


def total(amounts: list[Usd]) -> Usd:
    """Return the exact sum; $0 for none."""
    return Usd(sum(amount.nano for amount in amounts))
