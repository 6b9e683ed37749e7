"""Invoices against the ledger, day by day."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ftjobs.ledger.reconciliation import Apart, Day, Reconciliation
from ftjobs.logs import clean
from ftjobs.money import ZERO, Usd
from ftjobs.reports.envelope import envelope
from ftjobs.reports.month import period_text
from ftjobs.reports.numbers import count
from ftjobs.reports.table import Column, table

_COLUMNS = (
    Column("DATE"),
    Column("PROJECT", gives_way=3),
    Column("LINE ITEM", gives_way=2),
    Column("INVOICED", right=True),
    Column("LEDGER", right=True),
    Column("DISCREPANCY", right=True, gives_way=1),
    Column("STATE"),
)
_WORDS = {"ours_only": "ours only", "theirs_only": "theirs only"}
_NAMES_SHOWN = 8


def reconcile_json(found: Reconciliation, *, account: str, sandbox: bool) -> dict[str, Any]:
    """Return `ftjobs.reconcile/1`; a day's `line_item` and `project_id` are null where it has none or several."""
    return envelope(
        "reconcile",
        sandbox=sandbox,
        account=account,
        period={"start": found.period.start, "end": found.period.end},
        tolerance_usd=found.terms.tolerance,
        training_line_item=found.terms.training.pattern,
        days=[_day_json(day) for day in found.days],
        totals={
            "days": len(found.days),
            "open_days": len(found.days) - len(found.judged),
            "discrepant_days": len(found.discrepant),
            "shifted_days": sum(day.shifted for day in found.days),
            "invoiced_usd": found.invoiced,
            "ledger_usd": found.ledger,
            "adjusted_usd": _sum(day.adjusted for day in found.days),
            "discrepancy_usd": found.invoiced - found.ledger,
            "open_discrepancy_usd": _sum(day.discrepancy for day in found.days if day.state == "open"),
            "other_lines": found.not_training.lines,
            "other_usd": found.not_training.amount,
            "other_projects_lines": found.other_projects.lines,
            "other_projects_usd": found.other_projects.amount,
            "unbilled_jobs": found.unbilled_jobs,
        },
        other_line_items=list(found.not_training.names),
    )


def _day_json(day: Day) -> dict[str, Any]:
    return {
        "date": day.day,
        "line_item": _only({each.line.line_item for each in day.lines}),
        "project_id": _only({each.line.project_id for each in day.lines}),
        "invoiced_usd": day.invoiced,
        "ledger_usd": day.ledger,
        "adjusted_usd": day.adjusted,
        "discrepancy_usd": day.discrepancy,
        "state": day.state,
        "shifted": day.shifted,
        "lines": [
            {
                "project_id": each.line.project_id or None,
                "line_item": each.line.line_item or None,
                "invoiced_usd": each.line.amount,
                "quantity": None if each.line.quantity is None else f"{each.line.quantity:f}",
                "quantity_unit": each.line.unit,
                "found_by": each.found_by,
            }
            for each in day.lines
        ],
    }


def reconcile_text(found: Reconciliation, *, width: int | None) -> str:
    """Return a row for each day, one for each of its lines where it has several, the totals, and what to do."""
    lines = [f"Invoices against the ledger {period_text(found.period)} (UTC days)"]
    if found.days:
        lines.append(table(_COLUMNS, [row for day in found.days for row in _rows(day)], width=width))
        total = f"invoiced {_exact(found.invoiced)}, ledger {_exact(found.ledger)}"
        lines += ["", f"{total}, discrepancy {_signed(found.invoiced - found.ledger)}"]
    else:
        lines.append("neither an invoice for training nor a bill in the ledger")
    return "\n".join([*lines, *_verdict(found), *_apart(found), *_advice(found)])


def _rows(day: Day) -> Iterator[tuple[str, ...]]:
    state = _WORDS.get(day.state, day.state) + (", shifted" if day.shifted else "")
    projects = {each.line.project_id for each in day.lines}
    named = (
        _one_or_count(projects, "project"),
        day.lines[0].line.line_item if len(day.lines) == 1 else _count_or_none(len(day.lines), "line item"),
    )
    yield str(day.day), *named, _exact(day.invoiced), _exact(day.ledger), _signed(day.discrepancy), state
    if len(day.lines) > 1:
        for each in day.lines:
            yield "  of which", each.line.project_id, each.line.line_item, _exact(each.line.amount), "", "", ""


def _verdict(found: Reconciliation) -> Iterator[str]:
    open_days = [day for day in found.days if day.state == "open"]
    shifted = [day for day in found.days if day.shifted]
    if open_days:
        yield f"open, not judged: {_dates(open_days)}; the report may lag by 2 days, so run this again later"
    if shifted:
        agrees = "all closed days agree" if not found.discrepant else "these agree together"
        yield f"{agrees}; shifted to the day beside them: {_dates(shifted)}"
    adjusted = _sum(day.adjusted for day in found.days)
    if adjusted != ZERO:
        yield f"of the ledger's side {_signed(adjusted)} are adjustments, on the days of the bills they correct"
    if not found.discrepant and found.judged:
        yield f"no discrepancy above {_exact(found.terms.tolerance)} a day"
    elif found.discrepant:
        yield f"{count(len(found.discrepant), 'day')} with a discrepancy above {_exact(found.terms.tolerance)}"


def _apart(found: Reconciliation) -> Iterator[str]:
    if found.not_training.lines:
        yield f"not training: {found.not_training.amount.display()} in {_lines(found.not_training)}, not compared"
    if found.other_projects.lines:
        others = found.other_projects
        yield f"training of other projects: {others.amount.display()} in {_lines(others)}, not compared"
    if found.unbilled_jobs:
        has = "has" if found.unbilled_jobs == 1 else "have"
        jobs = count(found.unbilled_jobs, "job")
        yield f"{jobs} of this period {has} no bill yet: run `ftjobs status`"
    by_quantity = {each.line.line_item for day in found.days for each in day.lines if each.found_by == "quantity"}
    if by_quantity:
        yield (
            f"taken for training by its quantity alone: {_names(sorted(by_quantity))};"
            " name it in reconcile.training_line_item"
        )
    if found.found_nothing and found.not_training.lines:
        yield f"no line item is training by the pattern {clean(found.terms.training.pattern)}; the report has:"
        yield f"  {_names(found.not_training.names)}"
        yield "  if one of them is, name it in the setting reconcile.training_line_item (a regular expression)"


def _advice(found: Reconciliation) -> Iterator[str]:
    states = {day.state for day in found.discrepant}
    if "ours_only" in states:
        yield (
            "ours only: invoiced in another project or organization, under another name (above), or not at all;"
            " check --profile and reconcile.training_line_item"
        )
    if "theirs_only" in states:
        first = min(day.day for day in found.discrepant if day.state == "theirs_only")
        yield (
            f"theirs only: jobs made elsewhere; `ftjobs adopt --since {first}` takes in what was created since"
            " then; begin earlier for long jobs"
        )
    if "differs" in states:
        yield (
            "differs: see the price and the tokens of that day's jobs (`ftjobs show JOB`);"
            " `ftjobs adjust JOB --total USD --reason TEXT` corrects a bill"
        )


def _sum(amounts: Iterator[Usd]) -> Usd:
    return Usd(sum(amount.nano for amount in amounts))


def _only(names: set[str]) -> str | None:
    return next(iter(names)) or None if len(names) == 1 else None


def _one_or_count(names: set[str], noun: str) -> str:
    return next(iter(names)) if len(names) == 1 else _count_or_none(len(names), noun)


def _count_or_none(number: int, noun: str) -> str:
    return count(number, noun) if number else ""


def _exact(amount: Usd) -> str:
    return f"{'-' if amount.nano < 0 else ''}${Usd(abs(amount.nano)).plain()}"


def _signed(amount: Usd) -> str:
    return f"+{_exact(amount)}" if amount.nano > 0 else _exact(amount)


def _dates(days: list[Day]) -> str:
    shown = ", ".join(str(day.day) for day in days[:_NAMES_SHOWN])
    return shown if len(days) <= _NAMES_SHOWN else f"{shown} and {len(days) - _NAMES_SHOWN} more"


def _lines(apart: Apart) -> str:
    return count(apart.lines, "line item")


def _names(names: list[str] | tuple[str, ...]) -> str:
    shown = "; ".join(clean(name) or "(no name)" for name in names[:_NAMES_SHOWN])
    return shown if len(names) <= _NAMES_SHOWN else f"{shown}; and {len(names) - _NAMES_SHOWN} more"
