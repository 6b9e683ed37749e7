"""`reconcile`: invoices against the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from ftjobs.cli.context import open_app, say, width
from ftjobs.cli.options import print_json
from ftjobs.cli.period import period_of
from ftjobs.errors import UsageError
from ftjobs.periods import Period, month_of
from ftjobs.reports.envelope import dumps

if TYPE_CHECKING:
    from datetime import datetime

DISCREPANCY: Final = 11
# The service has no invoices from before this year, and a calendar has no day before its first.
_FIRST_YEAR = 2015


def reconcile(
    ctx: typer.Context,
    period: Annotated[
        str | None,
        typer.Argument(metavar="PERIOD", help="2026-10, 2026-10-05, 2026 or last; without, this month."),
    ] = None,
) -> int:
    """Compare the cost report with the ledger. Day by day; exits 11 on a discrepancy."""
    import re

    from ftjobs.ledger.reconciliation import Reconciliation, Terms
    from ftjobs.reports.numbers import count
    from ftjobs.reports.reconcile import reconcile_json, reconcile_text
    from ftjobs.workflows.reconcile import reconcile as compared

    app, given = open_app(ctx)
    now = app.ambient.now()
    chosen = _period(period, now)
    settings = app.settings
    terms = Terms(
        project=app.profile.project,
        training=re.compile(settings.reconcile_training_line_item, re.IGNORECASE),
        tolerance=settings.reconcile_tolerance_usd,
    )
    with app.admin_api() as api:
        account = api.profile.account

        def encode(found: Reconciliation) -> str:
            return dumps(reconcile_json(found, account=account, sandbox=given.sandbox))

        found = compared(api, app.ledger, chosen, terms, now=now, by=app.ambient.who(), encode=encode)
    if given.json:
        print_json(reconcile_json(found, account=account, sandbox=given.sandbox))
    else:
        print(given.spelled(reconcile_text(found, width=width(given))))
    say(f"recorded beside the entries: {count(found.new_lines, 'new invoice line')}, and this result", given)
    return DISCREPANCY if found.discrepant else 0


def _period(text: str | None, now: datetime) -> Period:
    chosen = month_of(now) if text is None else period_of(text, now=now)
    if not chosen.start <= now or chosen.start.year < _FIRST_YEAR:
        raise UsageError(
            "bad_period",
            f"There are no invoices of {text}: it {'has not begun' if chosen.start > now else 'is too long ago'}.",
            next_step="Name a period that has begun, like 2026-10 or last.",
            period=text,
        )
    return chosen
