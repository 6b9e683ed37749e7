"""`ledger`: the cost trail, offline."""

from __future__ import annotations

from typing import Annotated

import typer

from ftjobs.cli.context import open_app, width
from ftjobs.cli.options import print_json
from ftjobs.errors import UsageError
from ftjobs.periods import Period, month_of, parse_period


def ledger(
    ctx: typer.Context,
    period: Annotated[
        str | None, typer.Argument(metavar="PERIOD", help="2026-10, 2026-10-05, 2026 or last; without, all.")
    ] = None,
    *,
    month: Annotated[bool, typer.Option("--month", help="The month; the current one without PERIOD.")] = False,
) -> None:
    """Show what was estimated and what was billed. Offline; says how many jobs are unsettled."""
    from ftjobs.ledger.month import report
    from ftjobs.reports.month import month_json, month_text

    app, given = open_app(ctx)
    now = app.ambient.now()
    chosen = _period(period, app_month=month_of(now) if month else None, last=month_of(now))
    trails = app.ledger.trails_in(chosen)
    found = report(trails, chosen)
    odd = app.ledger.unusual(trails)
    budgets = app.ledger.budgets(app.limits, month_of(now))
    if given.json:
        print_json(month_json(found, budgets=budgets, unusual=odd, sandbox=given.sandbox))
    else:
        print(given.spelled(month_text(found, budgets=budgets, unusual=odd, width=width())))


def _period(text: str | None, *, app_month: Period | None, last: Period) -> Period | None:
    if text is None:
        return app_month
    try:
        return parse_period(text, now=last.start)
    except ValueError:
        raise UsageError(
            "bad_period",
            f"{text!r} is not a period.",
            next_step="Write it like 2026-10, 2026-10-05, 2026 or last.",
            period=text,
        ) from None
