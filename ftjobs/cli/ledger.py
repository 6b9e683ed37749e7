"""`ledger`: the cost trail, offline."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from ftjobs.cli.context import open_app, say, width
from ftjobs.cli.options import print_json_parts
from ftjobs.cli.period import period_of
from ftjobs.cli.spool import Spool
from ftjobs.errors import UsageError
from ftjobs.periods import month_of, parse_as_of

if TYPE_CHECKING:
    from ftjobs.cli.options import Globals
    from ftjobs.reports.month import Listed


# Who waits for the ledger's lock records what was so before it got it.
_STILL_COMING = timedelta(minutes=2)


def ledger(
    ctx: typer.Context,
    period: Annotated[
        str | None, typer.Argument(metavar="PERIOD", help="2026-10, 2026-10-05, 2026 or last; without, all.")
    ] = None,
    *,
    month: Annotated[bool, typer.Option("--month", help="The month; the current one without PERIOD.")] = False,
    by: Annotated[
        str | None,
        typer.Option("--by", metavar="WHAT", help="Totals by model, tag, tag:NAME, day or profile."),
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", metavar="DATE", help="As the ledger knew it on that day, or at that time."),
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """Show what was estimated and what was billed. Offline; says how many jobs are unsettled."""
    from ftjobs.reports.hosting import hosting_text
    from ftjobs.reports.month import month_json_parts, month_lines

    app, given = open_app(ctx)
    now = app.ambient.now()
    chosen = period_of(period, now=now) if period is not None else month_of(now) if month else None
    until = as_of_instant(as_of)
    _require_one_shape(by, csv=csv, json=given.json)
    note_if_hardly_over(until, now, given)
    # Today's budgets and notes would make a reprint differ from its first print.
    budgets = app.ledger.budgets(app.limits, month_of(now)) if until is None and not csv else []
    with Spool() as spool:
        lines: Iterable[str] = ()
        with app.ledger.listing(chosen, as_of=until) as found:
            noted = found.noted() if until is None else None
            if chosen is None and found.is_empty and (note := app.practice_note):
                say(f"note: {note}", given)
            if csv and found.hosting.jobs:
                say(f"note: {hosting_text(found.hosting)} is recorded beside the bills, and is in no line", given)
            if csv:
                spool.write(_csv(found, by))
            elif given.json:
                spool.write(month_json_parts(found, noted, by=by, budgets=budgets, sandbox=given.sandbox))
            else:
                lines = month_lines(found, noted, by=by, budgets=budgets, width=width(given), kept=spool)
        if csv:
            sys.stdout.writelines(spool.parts())
        elif given.json:
            print_json_parts(spool.parts)
        else:
            sys.stdout.writelines(f"{given.spelled(line)}\n" for line in lines)


def _csv(found: Listed, by: str | None) -> Iterable[str]:
    from ftjobs.ledger.groups import grouped
    from ftjobs.reports.month_csv import groups_csv, jobs_csv

    return groups_csv(grouped(found.lines, by), by) if by else jobs_csv(found.lines)


def note_if_hardly_over(until: datetime | None, now: datetime, given: Globals) -> None:
    """Whoever asks for an instant of which the ledger may not know everything yet has been told."""
    if until is not None and until >= now - _STILL_COMING:
        say("note: that time is hardly over, so the same command may print something else later", given)


def as_of_instant(text: str | None) -> datetime | None:
    """Return the instant that was typed, None where none was; UsageError where the text names none."""
    try:
        return None if text is None else parse_as_of(text)
    except ValueError as error:
        raise UsageError(
            "bad_as_of", f"--as-of takes a day or a time: {error}.", next_step="… --as-of 2026-11-05", as_of=text
        ) from None


def _require_one_shape(by: str | None, *, csv: bool, json: bool) -> None:
    from ftjobs.ledger.groups import NAMES, is_grouping

    if by is not None and not is_grouping(by):
        raise UsageError(
            "bad_grouping",
            f"{by!r} is nothing to group by.",
            next_step=f"--by takes {', '.join(NAMES)}, or tag:NAME for one tag's values.",
            by=by,
        )
    if csv and json:
        raise UsageError("two_shapes", "--csv and --json exclude each other.", next_step="Give one of them.")
