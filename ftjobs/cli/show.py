"""`show`: one job's whole trail."""

from __future__ import annotations

from typing import Annotated

import typer

from ftjobs.cli.context import open_app, say, width
from ftjobs.cli.options import print_json
from ftjobs.errors import FtjobsError


def show(
    ctx: typer.Context,
    job: Annotated[
        str, typer.Argument(metavar="JOB", help="Job or submission id, a unique prefix of one, or last.")
    ],
) -> None:
    """Show one job's whole trail. What was asked for, estimated and billed, and why they differ."""
    from ftjobs.ledger.month import Line
    from ftjobs.reports.trail import trail_json, trail_text

    app, given = open_app(ctx)
    submission = app.ledger.find(job)
    (trail,) = app.ledger.trails([submission.id])
    if not trail.settled:
        try:
            app.sync([submission.id])
        except FtjobsError as error:
            # The trail itself needs no service, so a service that is away does not hide it.
            say(f"note: {error.message} This is what the ledger has.", given)
        (trail,) = app.ledger.trails([submission.id])
    odd = app.ledger.unusual([trail])
    if given.json:
        print_json(trail_json(Line(trail), unusual=odd, sandbox=given.sandbox))
    else:
        print(given.spelled(trail_text(Line(trail), unusual=odd, width=width())))
