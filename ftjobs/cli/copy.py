"""`ledger copy`: the whole ledger into another one, there or back."""

from __future__ import annotations

from typing import Annotated

import typer

from ftjobs.cli.context import open_app
from ftjobs.cli.options import print_json


def copy(
    ctx: typer.Context,
    *,
    to: Annotated[str, typer.Option("--to", metavar="URL", help="Where to: a new file, or an empty database.")],
) -> None:
    """Copy the ledger into another, a file or a database. All of it, compared, or nothing."""
    from ftjobs.ledger.copying import copy_ledger
    from ftjobs.ledger.place import ledger_place
    from ftjobs.reports.upkeep import copied_json, copied_text

    app, given = open_app(ctx)
    source, target = app.ledger.place, ledger_place(to)
    done = copy_ledger(source, target, stamp=app.stamp)
    told = (str(source), str(target), done.rows, done.digest, done.month_digest)
    print_json(copied_json(*told, sandbox=given.sandbox)) if given.json else print(copied_text(*told))
