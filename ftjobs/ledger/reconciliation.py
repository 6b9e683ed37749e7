"""Invoices against the ledger, day by day: what the service charged, and what we billed for the same jobs.

The cost report knows days, projects and line items, no jobs. So a UTC day is compared with a day: the sum of its
training lines with the sum of the account's bills.

- **Whose lines.** An account that names a project is compared with the lines of that project; the training lines
  of others are summed apart. One that names none is the whole organization, and so are its lines.
- **Which lines are training.** How a service spells them is not documented, so a pattern of the settings finds
  them. On a day on which it finds none, a line that counts as many tokens as were trained on that day, by all
  jobs or by those of one base model, is taken for training; from 1,000 tokens on, or numbers agree by chance.
- **What is judged.** A day is open until two days after its end, because the report may lag; it is listed and
  never judged. A closed day whose discrepancy is at most the tolerance is matched.
- **What is a discrepancy.** A day that is not matched, unless it is shifted: where a job that we date before
  midnight is invoiced after it, or the other way round, neighbouring days differ by what moved. A run of such
  days counts as agreeing if the moves make up for the whole difference, each goes to the day beside it, and none
  is more than that day has. The days beside the period are read for that, and not listed.

Pure.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from ftjobs.jobs.invoice import InvoiceLine, summed
from ftjobs.money import ZERO, Usd, total
from ftjobs.periods import Period

State = Literal["matched", "ours_only", "theirs_only", "differs", "open"]
FoundBy = Literal["pattern", "quantity"]

LAG = timedelta(days=2)
_DAY = timedelta(days=1)
_TELLING_TOKENS = 1_000


@dataclass(frozen=True, slots=True)
class DayBill:
    """What the ledger has for one UTC day: all bills with their corrections, the corrections among it, the jobs.

    `tokens` are the trained tokens of the whole day and of each base model in it: what a line may count.
    """

    day: date
    billed: Usd
    adjusted: Usd
    jobs: int
    tokens: frozenset[int]


@dataclass(frozen=True, slots=True)
class Terms:
    """How to compare: the account's project (None: the whole organization), and the tolerance of a day."""

    project: str | None
    training: re.Pattern[str]
    tolerance: Usd


@dataclass(frozen=True, slots=True)
class TrainingLine:
    """A line of the invoice that is taken for training, and why."""

    line: InvoiceLine
    found_by: FoundBy


@dataclass(frozen=True, slots=True)
class Day:
    """A UTC day that has training lines, bills, or both; `adjusted` is the part of `ledger` that people entered.

    `shifted` days differ only by what a neighbour has instead.
    """

    day: date
    state: State
    invoiced: Usd
    ledger: Usd
    adjusted: Usd
    lines: tuple[TrainingLine, ...]
    shifted: bool = False

    @property
    def discrepancy(self) -> Usd:
        """Invoiced minus ledger."""
        return self.invoiced - self.ledger

    @property
    def is_discrepant(self) -> bool:
        """True where a closed day really differs."""
        return self.state not in {"matched", "open"} and not self.shifted


@dataclass(frozen=True, slots=True)
class Apart:
    """Lines that were not compared: how many, their sum, and their names in the order of what they cost."""

    lines: int
    amount: Usd
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What comparing a period came to.

    `not_training` are the lines in question that nothing says are training; `other_projects` the training lines of
    projects that are not the account's. `unbilled_jobs` may have ended in the period and have no bill.
    """

    period: Period
    terms: Terms
    days: tuple[Day, ...]
    not_training: Apart
    other_projects: Apart
    unbilled_jobs: int
    new_lines: int = 0

    @property
    def invoiced(self) -> Usd:
        """The training lines of all days."""
        return total([day.invoiced for day in self.days])

    @property
    def ledger(self) -> Usd:
        """The bills of all days."""
        return total([day.ledger for day in self.days])

    @property
    def judged(self) -> tuple[Day, ...]:
        """The days that are not open."""
        return tuple(day for day in self.days if day.state != "open")

    @property
    def discrepant(self) -> tuple[Day, ...]:
        """The days that really differ."""
        return tuple(day for day in self.days if day.is_discrepant)

    @property
    def found_nothing(self) -> bool:
        """True where no line is training although the ledger billed something on a day that is judged."""
        return not any(day.lines for day in self.days) and any(day.ledger != ZERO for day in self.judged)


def compare(
    told: Iterable[InvoiceLine], bills: Iterable[DayBill], period: Period, terms: Terms, *, now: datetime
) -> Reconciliation:
    """Return the days of `period`, judged; `told` and `bills` may reach beyond it, for what is shifted there."""
    lines = [line for _, line in sorted(summed(told).items())]
    billed = {bill.day: bill for bill in bills}
    of_account = [line for line in lines if terms.project in (None, line.project_id)]
    of_others = [line for line in lines if terms.project not in (None, line.project_id)]
    training = _training(of_account, billed, terms.training)
    days = {
        day: _day(day, training.get(day, ()), billed.get(day), terms.tolerance, now=now)
        for day in sorted({*training, *billed})
    }
    shifted = _shifted(list(days.values()), terms.tolerance)
    taken = {each.line for found in training.values() for each in found}
    others = [line for line in of_others if terms.training.search(line.line_item)]
    return Reconciliation(
        period,
        terms,
        tuple(replace(each, shifted=day in shifted) for day, each in days.items() if _is_in(day, period)),
        _apart(line for line in of_account if line not in taken and _is_in(line.day, period)),
        _apart(line for line in others if _is_in(line.day, period)),
        unbilled_jobs=0,
    )


def _training(
    lines: Sequence[InvoiceLine], billed: dict[date, DayBill], pattern: re.Pattern[str]
) -> dict[date, tuple[TrainingLine, ...]]:
    found: dict[date, list[TrainingLine]] = {}
    for line in lines:
        if pattern.search(line.line_item):
            found.setdefault(line.day, []).append(TrainingLine(line, "pattern"))
    named = frozenset(found)
    for line in lines:
        counts = billed[line.day].tokens if line.day in billed else frozenset()
        tokens = line.tokens
        if line.day not in named and tokens is not None and tokens >= _TELLING_TOKENS and tokens in counts:
            found.setdefault(line.day, []).append(TrainingLine(line, "quantity"))
    return {day: tuple(each) for day, each in found.items()}


def _day(
    day: date, lines: tuple[TrainingLine, ...], bill: DayBill | None, tolerance: Usd, *, now: datetime
) -> Day:
    invoiced = total([each.line.amount for each in lines])
    ledger = bill.billed if bill else ZERO
    state: State
    if now < _start(day) + _DAY + LAG:
        state = "open"
    elif abs((invoiced - ledger).nano) <= tolerance.nano:
        state = "matched"
    elif invoiced == ZERO:
        state = "ours_only"
    elif ledger == ZERO:
        state = "theirs_only"
    else:
        state = "differs"
    return Day(day, state, invoiced, ledger, bill.adjusted if bill else ZERO, lines)


def _shifted(days: Sequence[Day], tolerance: Usd) -> set[date]:
    """Return the days of each run of neighbours whose discrepancies make up for each other."""
    found: set[date] = set()
    place = 0
    while place < len(days):
        length = _run(days[place:], tolerance)
        found.update(day.day for day in days[place : place + length])
        place += length or 1
    return found


def _run(days: Sequence[Day], tolerance: Usd) -> int:
    """Return how many days from the first on make up for each other, 0 where they do not."""
    if days[0].state in {"matched", "open"}:
        return 0
    # What we have on a day and they do not must be theirs on the next one, and may not be more than we have; what
    # they have too much of must be ours on the next one.
    moved = -days[0].discrepancy.nano
    for length, (before, day) in enumerate(itertools.pairwise(days), 2):
        limit = before.ledger if moved > 0 else day.ledger
        if day.day - before.day != _DAY or abs(moved) > limit.nano:
            return 0
        moved -= day.discrepancy.nano
        if abs(moved) <= tolerance.nano * length:
            return length
    return 0


def _apart(lines: Iterable[InvoiceLine]) -> Apart:
    amounts: dict[str, int] = {}
    count = 0
    for line in lines:
        count += 1
        amounts[line.line_item] = amounts.get(line.line_item, 0) + line.amount.nano
    names = sorted(amounts, key=lambda name: (-abs(amounts[name]), name))
    return Apart(count, Usd(sum(amounts.values())), tuple(names))


def _is_in(day: date, period: Period) -> bool:
    return _start(day) in period


def _start(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time(), tzinfo=UTC)
