"""What became of a whole ledger: migrated, or copied into another."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from ftjobs.logs import scrub_text
from ftjobs.reports.envelope import envelope


def migrated_json(ledger: str, before: str | None, schema: str, *, sandbox: bool) -> dict[str, Any]:
    """Return `ftjobs.migrate/1`; `before` is null where there was no ledger yet."""
    return envelope("migrate", sandbox=sandbox, ledger=scrub_text(ledger), before=before, after=schema)


def migrated_text(ledger: str, before: str | None, schema: str, *, stamp: str) -> str:
    """Return one line."""
    if before is None:
        done = f"Made a {stamp} ledger in"
    elif before == schema:
        return scrub_text(f"Nothing to do: {ledger} has schema {schema} already.")
    else:
        done = f"Brought the schema from {before} to {schema} in"
    return scrub_text(f"{done} {ledger}.")


def backup_json(ledger: str, file: str, size_bytes: int, *, sandbox: bool) -> dict[str, Any]:
    """Return `ftjobs.backup/1`."""
    return envelope("backup", sandbox=sandbox, ledger=scrub_text(ledger), file=scrub_text(file), bytes=size_bytes)


def backup_text(file: str, size_bytes: int, *, sandbox: bool) -> str:
    """Return where the copy is, and the command that reads it."""
    profile = " --profile sandbox" if sandbox else ""
    command = f"ftjobs ledger{profile} --ledger {shlex.quote(file)}"
    lines = [f"{file} ({size_bytes:,} bytes), checked", f"use it with: {command}"]
    return "\n".join(map(scrub_text, lines))


def copied_json(
    source: str, target: str, rows: Mapping[str, int], digest: str, month_digest: str, *, sandbox: bool
) -> dict[str, Any]:
    """Return `ftjobs.copy/1`: rows by table, one digest over all of them, and that of `ftjobs ledger`."""
    return envelope(
        "copy",
        sandbox=sandbox,
        source=scrub_text(source),
        target=scrub_text(target),
        rows=dict(rows),
        digest=digest,
        ledger_digest=month_digest,
    )


def copied_text(source: str, target: str, rows: Mapping[str, int], digest: str, month_digest: str) -> str:
    """Return what was copied, by which it can be held against its source, and what to do next."""
    width = max(map(len, rows))
    lines = [
        f"Copied {source}",
        f"    to {target}",
        *(f"  {name:{width}} {number:>10,}" for name, number in rows.items()),
        f"All rows were read again and are the same: {digest}",
        f"The digest of `ftjobs ledger` in both is {month_digest}",
        f'Set ledger_url to "{target}" (with user and password, if it needs them) wherever the old one was used.',
    ]
    return "\n".join(map(_line, lines))


def _line(text: str) -> str:
    return text[: len(text) - len(text.lstrip())] + scrub_text(text.lstrip())
