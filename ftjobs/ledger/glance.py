"""A look at a ledger without SQLAlchemy, which makes and migrates nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from ftjobs.ledger.entries import Trail
from ftjobs.ledger.rows import entry_of, submission_of

HISTORY = 200  # enough for every comparison with the past
_NEWEST = """
    SELECT id FROM submissions s
    WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE e.submission_id = s.id AND e.kind = 'void')
    ORDER BY id DESC LIMIT ?
"""
_SUBMISSIONS = f"""
    SELECT s.*, j.raw, j.missed FROM submissions s LEFT JOIN jobs j ON j.submission_id = s.id
    WHERE s.id IN ({_NEWEST}) ORDER BY s.recorded_at, s.id
"""  # noqa: S608  both are constants
_ENTRIES = f"SELECT * FROM entries WHERE submission_id IN ({_NEWEST}) ORDER BY id"  # noqa: S608
_NEWEST_IDS = """
    SELECT s.id, j.id, coalesce(json_extract(j.raw, '$.status'), s.state),
           coalesce(json_extract(s.spec, '$.base_model'), json_extract(j.raw, '$.model'))
    FROM submissions s LEFT JOIN jobs j ON j.submission_id = s.id
    WHERE :beginning IN (substr(s.id, 1, :size), substr(j.id, 1, :size))
    AND (NOT :uncertain OR (j.id IS NULL AND s.state IN ('sending', 'uncertain')))
    ORDER BY s.id DESC LIMIT :most
"""


@dataclass(frozen=True, slots=True)
class Known:
    """A submission as far as a shell can tell it to somebody who types; `job_id` None where there is none."""

    submission_id: str
    job_id: str | None
    status: str
    model: str | None


def newest_ids(path: Path, beginning: str, *, uncertain: bool = False, most: int = 50) -> list[Known]:
    """Return the newest submissions whose id begins like this, or whose job's does; nothing is made for it.

    With `uncertain` those alone that may have created a job. sqlite3.Error where there is no such file, or it
    cannot be read at once as a ledger of this schema.
    """
    values = {"beginning": beginning, "size": len(beginning), "uncertain": uncertain, "most": most}
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=0.1)) as connection:
        return [Known(*row) for row in connection.execute(_NEWEST_IDS, values)]


def months(path: Path, *, most: int = 60) -> list[str]:
    """Return the months that have entries, the newest first; sqlite3.Error as `newest_ids` has it."""
    found = "SELECT DISTINCT substr(occurred_at, 1, 7) FROM entries ORDER BY 1 DESC LIMIT ?"
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=0.1)) as connection:
        return [month for (month,) in connection.execute(found, [most])]


def tag_pairs(path: Path, *, most: int = 500) -> list[tuple[str, str]]:
    """Return the tags that submissions have, each once, sorted; sqlite3.Error as `newest_ids` has it."""
    found = "SELECT DISTINCT t.key, t.value FROM submissions s, json_each(s.tags) t ORDER BY 1, 2 LIMIT ?"
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=0.1)) as connection:
        return [(str(name), str(value)) for name, value in connection.execute(found, [most])]


def last_trails(path: Path) -> list[Trail]:
    """Return what `Ledger.history()` does, oldest first; nothing is made, migrated or locked for it.

    sqlite3.Error where there is no such file, or it cannot be read as a ledger of this schema; a row that is none
    raises ValueError, TypeError or KeyError.
    """
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=1)) as connection:
        connection.row_factory = sqlite3.Row
        found = [submission_of(_typed(row)) for row in connection.execute(_SUBMISSIONS, [HISTORY])]
        trails = {submission.id: Trail(submission, ()) for submission in found}
        for row in connection.execute(_ENTRIES, [HISTORY]):
            entry = entry_of(_typed(row))
            trail = trails[entry.submission_id]
            trails[entry.submission_id] = replace(trail, entries=(*trail.entries, entry))
    return list(trails.values())


def _typed(row: sqlite3.Row) -> Mapping[str, Any]:
    """Return the row with its instants and days, which SQLite keeps as text."""
    values = {name: row[name] for name in row.keys()}  # noqa: SIM118  a Row iterates over its values
    for name in ("recorded_at", "occurred_at"):
        if values.get(name):
            values[name] = datetime.fromisoformat(values[name])
    if values.get("effective_from"):
        values["effective_from"] = date.fromisoformat(values["effective_from"])
    return values


def schema_and_stamp(path: Path, *, this_schema: str) -> tuple[str | None, str | None]:
    """Return the schema (None for a file without tables) and the stamp, if it has one yet.

    What is no ledger passes as one of `this_schema`: opening it says so, and changes nothing.
    """
    # As the ledger opens it, so that what a crash left is rolled back; but without making a file.
    existing = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=1)
    with closing(existing) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not tables:
            return None, None
        if not {"alembic_version", "stamps"} <= tables:
            return this_schema, ""
        schema = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        stamp = connection.execute("SELECT stamp FROM stamps").fetchone()
    return (str(schema[0]) if schema else None), (str(stamp[0]) if stamp else None)
