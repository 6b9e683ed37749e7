"""The variance bridge in a line."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from ftjobs.ledger.bridge import Bridge
from ftjobs.money import NANO, Usd
from ftjobs.reports.numbers import count

_SHOWN_DECIMALS = 4  # below a dollar, as `Usd.display`
_STEPS = ("epochs", "token count", "price", "other")


def bridge_lines(bridge: Bridge) -> list[str]:
    """Return where the variance comes from; its amounts add up as they are printed. No line without a variance."""
    steps = [bridge.epochs, bridge.token_count, bridge.price, bridge.other]
    if not any(step.nano for step in steps):
        return []
    named = [
        f"{name} {amount}"
        for name, amount, step in zip(_STEPS, amounts_that_add_up(steps), steps, strict=True)
        if step.nano or name != "other"
    ]
    untold = (
        f" ({count(bridge.jobs_without_epochs, 'job')} did not tell the epochs: see token count)"
        if bridge.jobs_without_epochs
        else ""
    )
    return [f"variance by {', '.join(named)}{untold}"]


def amounts_that_add_up(steps: Sequence[Usd]) -> list[str]:
    """Return signed amounts whose printed sum is the printed sum of the exact ones: each sum so far is rounded.

    In cents from a dollar up, in hundredths of a cent below, in nano-dollars below those: by the largest step,
    or by their sum where that is smaller.
    """
    whole = abs(sum(step.nano for step in steps))
    largest = max((abs(step.nano) for step in steps), default=0)
    largest = min(largest, whole) if whole else largest
    decimals = 2 if largest >= NANO else _SHOWN_DECIMALS if largest >= NANO // 10_000 else 9
    unit = NANO // 10**decimals
    printed, so_far, told = [], 0, 0
    for step in steps:
        so_far += step.nano
        reached = round(Fraction(so_far, unit))
        printed.append(_signed(reached - told, decimals))
        told = reached
    return printed


def _signed(units: int, decimals: int) -> str:
    whole, fraction = divmod(abs(units), 10**decimals)
    sign = "+" if units > 0 else "-" if units < 0 else ""
    digits = f"{fraction:0{decimals}d}"
    if not units or decimals > _SHOWN_DECIMALS:
        digits = digits.rstrip("0").ljust(2, "0")
    return f"{sign}${whole:,}.{digits}"
