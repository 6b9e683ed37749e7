"""`ledger backup`: a checked copy of the ledger."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Annotated

import typer

from ftjobs.cli.context import open_app
from ftjobs.cli.options import print_json
from ftjobs.errors import LedgerError, UsageError


def backup(
    ctx: typer.Context,
    file: Annotated[
        str | None, typer.Argument(metavar="FILE", help="Where to; beside the ledger, with the time, without it.")
    ] = None,
) -> None:
    """Copy the ledger into a file of its own. Checked, private, and whole or not there at all."""
    from ftjobs.ledger.backup import back_up
    from ftjobs.ledger.place import Server
    from ftjobs.reports.upkeep import backup_json, backup_text

    app, given = open_app(ctx)
    path = app.ledger.place
    if isinstance(path, Server):
        raise UsageError(
            "not_a_file",
            f"{path} is a server's: it is copied with its own tools.",
            next_step="Use pg_dump, or `ftjobs ledger copy --to FILE`.",
            ledger=str(path),
        )
    stamp = app.ambient.now().strftime("%Y%m%dT%H%M%S")
    target = Path(file).absolute() if file else path.with_name(f"{path.name}.backup-{stamp}")
    try:
        back_up(path, target)
    except FileExistsError:
        raise UsageError(
            "file_exists", f"{target} is there already.", next_step="Name a file that is not.", file=str(target)
        ) from None
    except (OSError, sqlite3.Error, UnicodeError) as error:
        raise LedgerError(
            "no_backup",
            f"The ledger {path} was not copied to {target}: {getattr(error, 'strerror', None) or error}.",
            next_step="Check the folder and its free space, or name another file.",
            ledger=str(path),
            file=str(target),
        ) from None
    size = target.stat().st_size
    if given.json:
        print_json(backup_json(str(path), str(target), size, sandbox=given.sandbox))
    else:
        print(backup_text(str(target), size, sandbox=given.sandbox))
