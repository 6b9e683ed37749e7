"""A line of the invoice, as a cost report tells it: of a day and a project, never of a job."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from ftjobs.money import Usd
from ftjobs.periods import Period

# Quantity unit of a cost report → tokens in one of it (API reference, "Costs"); no other unit counts tokens.
_TOKENS_IN = {"tokens": 1, "1000_tokens": 1_000}


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """What is invoiced for one line item of one project on one UTC day; a negative amount is a credit.

    `project_id` and `line_item` are "" where the report names none; `quantity` is None where it tells none.
    """

    day: date
    project_id: str
    line_item: str
    amount: Usd
    quantity: Decimal | None = None
    unit: str | None = None

    @property
    def key(self) -> tuple[date, str, str]:
        """What makes it a line of its own."""
        return self.day, self.project_id, self.line_item

    @property
    def tokens(self) -> Decimal | None:
        """The quantity in tokens, None where it is unknown or counts something else."""
        factor = _TOKENS_IN.get(self.unit or "")
        return None if factor is None or self.quantity is None else self.quantity * factor


@dataclass(frozen=True, slots=True)
class Report:
    """Every line that a cost report has for the whole UTC days of `period`."""

    period: Period
    lines: tuple[InvoiceLine, ...]


def summed(lines: Iterable[InvoiceLine]) -> dict[tuple[date, str, str], InvoiceLine]:
    """Return one line for each day, project and line item; quantities of several units are unknown together."""
    found: dict[tuple[date, str, str], InvoiceLine] = {}
    for line in lines:
        other = found.get(line.key)
        if other is None:
            found[line.key] = line
            continue
        quantity, unit = None, None
        if line.quantity is not None and other.quantity is not None and line.unit == other.unit:
            quantity, unit = line.quantity + other.quantity, line.unit
        found[line.key] = replace(line, amount=line.amount + other.amount, quantity=quantity, unit=unit)
    return found
