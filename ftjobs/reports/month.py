"""The cost trail of a period."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from ftjobs.ledger.budget import BudgetState
from ftjobs.ledger.groups import grouped
from ftjobs.ledger.month import MonthReport
from ftjobs.periods import Period, as_of_text, month_of
from ftjobs.reports.bridge import bridge_lines
from ftjobs.reports.envelope import clean, envelope
from ftjobs.reports.groups import group_json, groups_text, totals_json
from ftjobs.reports.jobs import Unusual, bridge_json, job_json, jobs_text, unusual_lines
from ftjobs.reports.numbers import count


def month_json(
    report: MonthReport,
    *,
    by: str | None = None,
    budgets: Sequence[BudgetState] = (),
    unusual: Unusual | None = None,
    sandbox: bool,
) -> dict[str, Any]:
    """Return `ftjobs.ledger/1`, with `groups[]` where it is grouped; the budgets are the current month's."""
    groups = {"groups": [group_json(group, by) for group in grouped(report, by)]} if by else {}
    fields = envelope(
        "ledger",
        sandbox=sandbox,
        period={
            "start": report.period.start if report.period else None,
            "end": report.period.end if report.period else None,
        },
        as_of=as_of_text(report.as_of) if report.as_of else None,
        digest=report.digest,
        jobs=[job_json(line, unusual) for line in report.lines],
        totals={**totals_json(report.totals), "variance_bridge": bridge_json(report.totals.bridge)},
        budgets=[_budget_json(budget) for budget in budgets],
    )
    return fields | groups


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
    report: MonthReport,
    *,
    by: str | None = None,
    budgets: Sequence[BudgetState] = (),
    unusual: Unusual | None = None,
    width: int | None,
) -> str:
    """Return the jobs of the period or its groups, totals, what is open, the current budgets and the digest."""
    totals = report.totals
    until = f", as of {as_of_text(report.as_of)}" if report.as_of else ""
    lines = [
        f"Ledger {period_text(report.period)} (UTC){until}",
        _table(report, by, width) if report.lines else "no jobs",
        "",
        _billed_text(report),
        *(bridge_lines(totals.bridge) if totals.bridge else []),
    ]
    if totals.unsettled_jobs:
        unknown = f", {totals.unknown_billed_jobs} with an unknown bill" if totals.unknown_billed_jobs else ""
        lines.append(
            f"{count(totals.unsettled_jobs, 'job')} unsettled{unknown}, up to {totals.commitment.display()} "
            "committed; `ftjobs status` asks the service"
        )
    lines.extend(clean(budget.sentence()) for budget in budgets)
    lines.extend(unusual_lines(report.lines, unusual or {}))
    lines.append(f"digest {report.digest[:16]}")
    return "\n".join(lines)


def _table(report: MonthReport, by: str | None, width: int | None) -> str:
    if by is None:
        return jobs_text(report.lines, width=width)
    return groups_text(grouped(report, by), by, width=width)


def _billed_text(report: MonthReport) -> str:
    totals = report.totals
    if not any(line.billed is not None for line in report.lines):
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
