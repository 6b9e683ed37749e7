"""`adjust`: correct what a job was billed, or record what its model's hosting costs, with a reason."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

from ftjobs.cli.context import open_app
from ftjobs.cli.options import JobArgument, print_json
from ftjobs.cli.period import day_of
from ftjobs.errors import UsageError
from ftjobs.money import Usd
from ftjobs.periods import parse_whole_seconds


def adjust(
    ctx: typer.Context,
    job: JobArgument,
    *,
    add: Annotated[
        str | None, typer.Option("--add", metavar="USD", help="Add this to the bill; may be negative.")
    ] = None,
    total: Annotated[str | None, typer.Option("--total", metavar="USD", help="Bring the bill to this.")] = None,
    hosting: Annotated[
        str | None,
        typer.Option("--hosting", metavar="D", help="Its model was hosted so long, like 720h; -24h takes back."),
    ] = None,
    on: Annotated[
        str | None,
        typer.Option("--on", metavar="DATE", help="Last day of that hosting; without, today (UTC)."),
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why; it is kept.")] = None,
) -> None:
    """Correct a bill, or record hosting beside it. Nothing is ever overwritten; who did it and why is kept."""
    from ftjobs.reports.adjustment import adjustment_json, adjustment_text

    if [add, total, hosting].count(None) != 2:
        raise UsageError(
            "usage",
            "An adjustment takes either --add or --total, or --hosting in their place.",
            next_step="… --total 12.50 --reason 'invoice 7'",
        )
    if on is not None and hosting is None:
        raise UsageError(
            "usage",
            "--on is the day of --hosting; a bill is adjusted today.",
            next_step="Leave out --on.",
        )
    why = _reason(reason)
    if hosting is not None:
        _host(ctx, job, _hosted_s(hosting), day_of(on), why)
        return
    amount, target = _signed(add, "--add"), _signed(total, "--total")
    app, given = open_app(ctx)
    found = app.find(job)
    trail, entry = app.ledger.adjust(
        found.id, add=amount, total_usd=target, reason=why, by=app.ambient.who(), now=app.ambient.now()
    )
    if given.json:
        print_json(adjustment_json(trail, entry, sandbox=given.sandbox))
    else:
        print(adjustment_text(trail, entry))


def _host(ctx: typer.Context, job: str, seconds: int, on: date | None, reason: str) -> None:
    from ftjobs.reports.hosting import recorded_json, recorded_text
    from ftjobs.workflows.host import host

    app, given = open_app(ctx)
    submission, now = app.find(job), app.ambient.now()
    entries = host(
        submission,
        seconds,
        ledger=app.ledger,
        prices=app.prices,
        on=on or now.date(),
        reason=reason,
        by=app.ambient.who(),
        now=now,
    )
    if given.json:
        print_json(recorded_json(submission, entries, sandbox=given.sandbox))
    else:
        print(recorded_text(submission, entries))


def _hosted_s(text: str) -> int:
    """Return the seconds that --hosting names, below 0 where they are taken back."""
    try:
        seconds = parse_whole_seconds(text.removeprefix("-"))
    except ValueError as error:
        raise UsageError("bad_duration", f"{error}.", next_step="Write it like --hosting 720h") from None
    if seconds == 0:
        raise UsageError("bad_duration", "No time is nothing to record.", next_step="Write it like --hosting 720h")
    return -seconds if text.startswith("-") else seconds


def _reason(text: str | None) -> str:
    from ftjobs.ledger.adjusting import MAX_REASON_CHARACTERS

    reason = (text or "").strip()
    if not reason or len(reason) > MAX_REASON_CHARACTERS or not reason.isprintable():
        raise UsageError(
            "no_reason",
            f"An adjustment needs a reason: up to {MAX_REASON_CHARACTERS} printable characters.",
            next_step="… --reason 'invoice 2026-10, line 7'",
        )
    return reason


def _signed(text: str | None, option: str) -> Usd | None:
    """Return the amount that the option names, exact to the nano-dollar; None where it was not given."""
    if text is None:
        return None
    try:
        magnitude = Usd.parse(text.removeprefix("-").removeprefix("+"))
        return -magnitude if text.startswith("-") else magnitude
    except ValueError as error:
        raise UsageError(
            "bad_amount", f"{option} takes an amount in USD: {error}.", next_step=f"… {option} 12.50"
        ) from None
