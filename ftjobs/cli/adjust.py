"""`adjust`: correct what a job was billed, with a reason."""

from __future__ import annotations

from typing import Annotated

import typer

from ftjobs.cli.context import open_app
from ftjobs.cli.options import JobArgument, print_json
from ftjobs.errors import UsageError
from ftjobs.money import Usd


def adjust(
    ctx: typer.Context,
    job: JobArgument,
    *,
    add: Annotated[
        str | None, typer.Option("--add", metavar="USD", help="Add this to the bill; may be negative.")
    ] = None,
    total: Annotated[str | None, typer.Option("--total", metavar="USD", help="Bring the bill to this.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why; it is kept.")] = None,
) -> None:
    """Correct a bill with one more entry. Nothing is ever overwritten; who did it and why is kept."""
    from ftjobs.reports.adjustment import adjustment_json, adjustment_text

    if (add is None) == (total is None):
        raise UsageError(
            "usage",
            "An adjustment takes either --add or --total.",
            next_step="… --total 12.50 --reason 'invoice 7'",
        )
    why = _reason(reason)
    amount, target = _signed(add, "--add"), _signed(total, "--total")
    app, given = open_app(ctx)
    found = app.ledger.find(job)
    trail, entry = app.ledger.adjust(
        found.id, add=amount, total_usd=target, reason=why, by=app.ambient.who(), now=app.ambient.now()
    )
    if given.json:
        print_json(adjustment_json(trail, entry, sandbox=given.sandbox))
    else:
        print(adjustment_text(trail, entry))


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
