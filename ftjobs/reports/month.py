"""The cost trail of a period."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, Protocol

from ftjobs.ledger.budget import BudgetState
from ftjobs.ledger.groups import Groups
from ftjobs.ledger.hosting import HostingSum
from ftjobs.ledger.month import Line, Sums, Totals
from ftjobs.periods import Period, as_of_text, month_of
from ftjobs.reports.bridge import bridge_lines
from ftjobs.reports.days import Days
from ftjobs.reports.envelope import clean, dumps, envelope
from ftjobs.reports.groups import group_json, groups_text, totals_json
from ftjobs.reports.hosting import hosting_text
from ftjobs.reports.jobs import COLUMNS, bridge_json, job_json, job_row, unusual_lines
from ftjobs.reports.numbers import count
from ftjobs.reports.table import Kept, Rows


class Listed(Protocol):
    """What `MonthReport` says without its sums, each look at the lines may read them anew."""

    @property
    def period(self) -> Period | None:
        """None: everything."""

    @property
    def as_of(self) -> datetime | None:
        """None: now."""

    @property
    def lines(self) -> Iterable[Line]:
        """Oldest first."""
        ...

    @property
    def digest(self) -> str:
        """That of their entries."""
        ...

    @property
    def hosting(self) -> HostingSum:
        """What was hosted in the period, whichever jobs it lists."""
        ...


Noted = Iterable[tuple[Line, Sequence[str]]]


def month_json(
    report: Listed,
    noted: Noted | None = None,
    *,
    by: str | None = None,
    budgets: Sequence[BudgetState] = (),
    sandbox: bool,
) -> dict[str, Any]:
    """Return `ftjobs.ledger/1`, with `groups[]` where it is grouped; the budgets are the current month's.

    `noted` are the report's lines, each with what is unusual about it.
    """
    sums = _Summing(report, noted, by)
    jobs = [job_json(line, {line.subject.id: notes}) for line, notes in sums]
    return {**_before_jobs(report, sandbox=sandbox), "jobs": jobs, **_after_jobs(sums, report.hosting, budgets)}


def month_json_parts(
    report: Listed,
    noted: Noted | None = None,
    *,
    by: str | None = None,
    budgets: Sequence[BudgetState] = (),
    sandbox: bool,
) -> Iterator[str]:
    """Yield the text of `month_json` a job at a time."""
    sums = _Summing(report, noted, by)
    yield dumps(_before_jobs(report, sandbox=sandbox))[: -len("}")] + ', "jobs": ['
    comma = ""
    for line, notes in sums:
        yield comma + dumps(job_json(line, {line.subject.id: notes} if notes else None))
        comma = ", "
    yield "], " + dumps(_after_jobs(sums, report.hosting, budgets))[len("{") :]


class _Summing:
    """A report's lines with their notes, summed up while they are walked through."""

    def __init__(self, report: Listed, noted: Noted | None, by: str | None) -> None:
        self._noted: Noted = ((line, ()) for line in report.lines) if noted is None else noted
        self.sums = Sums()
        self.groups = Groups(by) if by else None

    def __iter__(self) -> Iterator[tuple[Line, Sequence[str]]]:
        for line, notes in self._noted:
            self.sums.add(line)
            if self.groups:
                self.groups.add(line)
            yield line, notes


def _before_jobs(report: Listed, *, sandbox: bool) -> dict[str, Any]:
    return envelope(
        "ledger",
        sandbox=sandbox,
        period={
            "start": report.period.start if report.period else None,
            "end": report.period.end if report.period else None,
        },
        as_of=as_of_text(report.as_of) if report.as_of else None,
        digest=report.digest,
    )


def _after_jobs(of: _Summing, hosting: HostingSum, budgets: Sequence[BudgetState]) -> dict[str, Any]:
    totals, groups = of.sums.totals(), of.groups
    return {
        "totals": {
            **totals_json(totals),
            "variance_bridge": bridge_json(totals.bridge),
            "hosting_cost_usd": hosting.cost,
            "hosted_jobs": hosting.jobs,
        },
        "budgets": [_budget_json(budget) for budget in budgets],
    } | ({"groups": [group_json(group, groups.by) for group in groups.found()]} if groups else {})


def _budget_json(budget: BudgetState) -> dict[str, Any]:
    return {
        "profile": budget.limit.profile,
        "tag": budget.limit.tag_text,
        "limit_usd": budget.limit.usd,
        "billed_usd": budget.billed,
        "commitment_usd": budget.committed,
        "headroom_usd": budget.headroom,
        "warns": budget.warns,
    }


def month_text(
    report: Listed,
    noted: Noted | None = None,
    *,
    by: str | None = None,
    budgets: Sequence[BudgetState] = (),
    width: int | None,
) -> str:
    """Return what `month_lines` says as one text."""
    return "\n".join(month_lines(report, noted, by=by, budgets=budgets, width=width, kept=[]))


def month_lines(
    report: Listed,
    noted: Noted | None = None,
    *,
    by: str | None = None,
    budgets: Sequence[BudgetState] = (),
    width: int | None,
    kept: Kept,
) -> Iterator[str]:
    """Return the jobs of the period or its groups, totals, what is open, the current budgets and the digest.

    A month's days are pictured below its totals where `width` is known.
    The report is read when this returns; its rows wait in `kept`.
    """
    digest, sums, rows = report.digest, _Summing(report, noted, by), Rows(COLUMNS, kept)
    days, unusual = Days(report.period), list[str]()
    for line, notes in sums:
        if by is None:
            rows.add(job_row(line))
            days.add(line)
        unusual += unusual_lines(line, notes)
    totals = sums.sums.totals()
    after = [
        "",
        billed_text(totals, sums.sums.bills),
        *days.lines(width=width),
        *(bridge_lines(totals.bridge) if totals.bridge else []),
    ]
    if totals.unsettled_jobs:
        after.append(f"{unsettled_text(totals)}; `ftjobs status` asks the service")
    if totals.unknown_billed_jobs:
        after.append("what an invoice says of a job is recorded with: ftjobs adjust JOB --total USD --reason TEXT")
    if report.hosting.jobs:
        after.append(hosting_text(report.hosting))
    after.extend(clean(budget.sentence()) for budget in budgets)
    after.extend(unusual)
    after.append(digest_text(digest))
    if not totals.jobs:
        table: Iterable[str] = ["no jobs"]
    elif sums.groups:
        table = groups_text(sums.groups.found(), sums.groups.by, billed=totals.billed, width=width).split("\n")
    else:
        table = rows.lines(width=width)
    return chain([title_text(report.period, report.as_of)], table, after)


def title_text(period: Period | None, as_of: datetime | None) -> str:
    """Return what is listed, and as of when where it is not now."""
    until = f", as of {as_of_text(as_of)}" if as_of else ""
    return f"Ledger {period_text(period)} (UTC){until}"


def digest_text(digest: str) -> str:
    """Return as much of the digest as tells one ledger from another."""
    return f"digest {digest[:16]}"


def unsettled_text(totals: Totals) -> str:
    """Return how many jobs are unsettled, and what they hold."""
    unknown = f", {totals.unknown_billed_jobs} with an unknown bill" if totals.unknown_billed_jobs else ""
    return (
        f"{count(totals.unsettled_jobs, 'job')} unsettled{unknown}, up to {totals.commitment.display()} committed"
    )


def billed_text(totals: Totals, bills: int) -> str:
    """Return what so many lines with a bill were billed, against the estimates that it answers."""
    if not bills:
        return "nothing is billed"
    billed = f"billed {totals.billed.display()} for {totals.trained_tokens:,} trained tokens"
    if totals.compared_billed is None or totals.settled_estimate is None or totals.variance is None:
        return f"{billed}; there is no estimate to compare it with"
    part = totals.compared_billed
    of_what = "the same jobs" if part == totals.billed else f"{part.display()} of it"
    pct = totals.variance_pct
    signed = "" if pct is None else f" ({'' if pct.startswith('-') else '+'}{pct}%)"
    return (
        f"{billed}; estimated {totals.settled_estimate.display()} for {of_what},"
        f" variance {totals.variance.display()}{signed}"
    )


def period_text(period: Period | None) -> str:
    """Return the period's name ("2026-10", "2026-10-05"), its bounds where it has none."""
    if period is None:
        return "of all time"
    if period == month_of(period.start):
        return period.start.strftime("%Y-%m")
    if period.end - period.start == timedelta(days=1):
        return period.start.strftime("%Y-%m-%d")
    if period.start.replace(year=period.start.year + 1) == period.end:
        return period.start.strftime("%Y")
    return f"{period.start:%Y-%m-%d} to {period.end:%Y-%m-%d}"
