"""What `doctor` says of the ledger: where it is, whether it is sound, and what it leaves open."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ftjobs.ledger.backup import copies_of, integrity_of
from ftjobs.ledger.engine import SCHEMA_REVISION, unusable
from ftjobs.ledger.entries import Trail
from ftjobs.ledger.glance import schema_and_stamp
from ftjobs.ledger.place import Place, Server, ledger_place
from ftjobs.ledger.store import Ledger
from ftjobs.workflows.check import Check, failed

_NAMED = 3


@dataclass(frozen=True, slots=True)
class Book:
    """The ledger's check and what it holds; nothing where there is none or it cannot be read."""

    check: Check
    trails: Sequence[Trail] = ()
    unsettled: Sequence[Trail] | None = None


def look_at_ledger(url: str, *, is_sandbox: bool) -> Book:
    """Return what was found of the ledger; nothing is made, migrated or stamped."""
    try:
        place, stamp = ledger_place(url), "sandbox" if is_sandbox else "real"
        return _read(place, stamp) if isinstance(place, Path) else _ask_server(place, stamp)
    except Exception as error:
        return Book(failed("ledger", error))


def _read(path: Path, stamp: str) -> Book:
    """Return what the ledger holds, without making, migrating or stamping one."""
    try:
        if not path.exists():
            return Book(_none_yet(path))
        found = (SCHEMA_REVISION, stamp) if path.is_dir() else schema_and_stamp(path, this_schema=SCHEMA_REVISION)
    except (OSError, sqlite3.Error) as error:
        raise unusable(path, error) from None
    schema, found_stamp = found
    if schema is None or (schema == SCHEMA_REVISION and found_stamp is None):
        return Book(Check("ledger", "ok", f"{path} is empty: the first command to use it makes its tables."))
    if schema > SCHEMA_REVISION:
        message = f"{path} has schema {schema}, of a newer ftjobs: this one knows {SCHEMA_REVISION}."
        return Book(Check("ledger", "problem", message, "Upgrade ftjobs, or name another ledger with --ledger."))
    if schema < SCHEMA_REVISION:
        message = f"{path} has schema {schema}: the next command that uses it backs it up and brings it to"
        return Book(Check("ledger", "note", f"{message} {SCHEMA_REVISION}.", "Run `ftjobs status`."))
    return _opened(path, stamp, schema)


def _ask_server(server: Server, stamp: str) -> Book:
    """Return what a server's ledger holds; opening it neither makes nor migrates, but it would stamp."""
    from ftjobs.ledger.postgres import server_schema_and_stamp

    schema, found_stamp = server_schema_and_stamp(server)
    if schema == SCHEMA_REVISION and found_stamp is None:
        return Book(Check("ledger", "ok", f"{server} is empty: the first command to use it stamps it {stamp}."))
    return _opened(server, stamp, schema)


def _opened(place: Place, stamp: str, schema: str | None) -> Book:
    ledger = Ledger(place, stamp=stamp)
    check = _sound(place, stamp, schema) if isinstance(place, Path) else None
    if check is not None and check.state == "problem":
        return Book(check)
    opens = Check("ledger", "ok", f"{place} opens: a {stamp} ledger with schema {schema}.")
    return Book(check or opens, ledger.trails(), ledger.unsettled())


def _sound(path: Path, stamp: str, schema: str | None) -> Check:
    copies = copies_of(path)
    newest = copies[-1].name if copies else None
    try:
        verdict = integrity_of(path)
    except sqlite3.Error as error:
        raise unusable(path, error) from None
    if verdict != "ok":
        message = f"{path} opens, but is damaged (SQLite says: {verdict})."
        way_back = f"copy {newest} to its place" if newest else f"try: sqlite3 {path.name} .recover"
        return Check("ledger", "problem", message, f"Keep the file, and {way_back}.")
    backup = f"its newest backup is {newest}" if newest else "no backup lies beside it"
    return Check("ledger", "ok", f"{path} is sound: a {stamp} ledger with schema {schema}; {backup}.")


def _none_yet(path: Path) -> Check:
    folder = next(folder for folder in path.parents if folder.exists())
    if folder.is_dir() and os.access(folder, os.W_OK | os.X_OK):
        return Check("ledger", "ok", f"There is none at {path} yet: the first command to use it makes it.")
    message = f"There is none at {path}, and {folder} lets nobody make one."
    return Check("ledger", "problem", message, "Name another file with --ledger, or set ledger_url.")


def submissions_check(unsettled: Sequence[Trail]) -> Check:
    """Return what is unsettled, and what may exist unseen."""
    open_ones = [trail.submission for trail in unsettled if trail.submission.job is None]
    uncertain = [submission.id for submission in open_ones if submission.state == "uncertain"]
    number = f"{len(unsettled):,} unsettled"
    if uncertain:
        names = ", ".join(uncertain[:_NAMED]) + (" and others" if len(uncertain) > _NAMED else "")
        return Check(
            "submissions",
            "problem",
            f"{number}, {len(uncertain):,} of them uncertain: a job may exist for {names}.",
            f"Run `ftjobs status`, which looks again; then `ftjobs submit --resend {uncertain[0]}` settles it.",
        )
    if unsettled:
        return Check("submissions", "note", f"{number}.", "Run `ftjobs status`, which asks the service.")
    return Check("submissions", "ok", "All are settled.")
