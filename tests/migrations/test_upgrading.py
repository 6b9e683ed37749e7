"""An older ledger is backed up and brought up to date, whatever interrupts it; a newer one is refused."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ftjobs.errors import ConfigError, LedgerError
from ftjobs.ledger.engine import SCHEMA_REVISION
from ftjobs.ledger.store import Ledger
from tests.contract.conftest import NOW, PRICE, Crew, created, ended
from tests.migrations.conftest import TOMORROW, Tomorrow


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the ledger lies."""
    return tmp_path / "ledger" / "ledger.sqlite3"


@pytest.fixture
def crew(path: Path) -> Iterator[Crew]:
    """Other processes at the same ledger."""
    hired = Crew(str(path))
    yield hired
    hired.dismiss()


@pytest.fixture
def old(path: Path) -> Path:
    """A ledger of today's schema with an open job and a billed one: old for the version of tomorrow."""
    ledger = Ledger(path, stamp="real")
    created(ledger, 1)
    ledger.settle(ended(ledger, 2, trained_tokens=790_001).id, PRICE, now=NOW)
    return path


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def content(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return every row of the tables of today's schema."""
    found = {}
    for name in ("stamps", "jobs", "files", "entries"):
        found[name] = rows(path, f"SELECT * FROM {name}")
    found["submissions"] = rows(path, "SELECT id, key, holds_key, state, quote, tags FROM submissions")
    return found


def backups(path: Path) -> list[Path]:
    return sorted(path.parent.glob("*.before-*"))


def revision(path: Path) -> object:
    ((found,),) = rows(path, "SELECT version_num FROM alembic_version")
    return found


def test_the_backup_is_a_ledger_that_the_version_before_can_go_on_with(
    old: Path, tomorrow: Tomorrow, monkeypatch: pytest.MonkeyPatch
) -> None:
    trails = Ledger(old, stamp="real").trails()
    with monkeypatch.context() as in_tomorrow:
        tomorrow.begin(in_tomorrow)
        Ledger(old, stamp="real")
    (backup,) = backups(old)
    assert Ledger(backup, stamp="real").trails() == trails


def test_a_ledger_that_is_up_to_date_is_neither_backed_up_nor_migrated(
    old: Path, tomorrow: Tomorrow, monkeypatch: pytest.MonkeyPatch
) -> None:
    Ledger(old, stamp="real")
    assert backups(old) == []
    tomorrow.begin(monkeypatch)
    Ledger(old, stamp="real")
    before = old.read_bytes()
    Ledger(old, stamp="real")
    assert len(backups(old)) == 1
    assert old.read_bytes() == before


def test_a_new_ledger_goes_through_all_migrations_without_a_backup(
    path: Path, tomorrow: Tomorrow, monkeypatch: pytest.MonkeyPatch
) -> None:
    tomorrow.begin(monkeypatch)
    Ledger(path, stamp="real")
    assert revision(path) == TOMORROW
    assert rows(path, "SELECT text FROM notes") == [("made by the migration",)]
    assert backups(path) == []


def test_a_ledger_of_a_newer_version_is_refused_and_left_as_it_is(
    old: Path, tomorrow: Tomorrow, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as in_tomorrow:
        tomorrow.begin(in_tomorrow)
        Ledger(old, stamp="real")
    before = old.read_bytes()
    with pytest.raises(ConfigError) as refused:
        Ledger(old, stamp="real")
    assert (refused.value.code, refused.value.exit_code) == ("schema_too_new", 3)
    assert refused.value.details == {"ledger": str(old), "schema": TOMORROW}
    assert "Upgrade ftjobs" in refused.value.next_step
    assert old.read_bytes() == before
    assert len(backups(old)) == 1


def test_a_process_that_comes_while_another_migrates_waits_and_finds_it_done(
    old: Path, tomorrow: Tomorrow, crew: Crew
) -> None:
    before = content(old)
    script = (
        tomorrow.script
        + """
def back_up(*args, really=engine._back_up):
    tell("backs up")
    sys.stdin.readline()
    really(*args)

def lock(*args, really=engine.FileLock, **more):
    tell("asks for the lock")
    return really(*args, **more)

engine._back_up, engine.FileLock = back_up, lock
Ledger(Path(sys.argv[1]), stamp="real")
tell("done")
"""
    )
    first = crew.start(script)
    assert [crew.hear(first), crew.hear(first)] == ['"asks for the lock"', '"backs up"']
    second = crew.start(script)
    assert crew.hear(second) == '"asks for the lock"'
    crew.release(first)
    assert [crew.hear(first), crew.hear(second)] == ['"done"'] * 2
    assert [content(backup) for backup in backups(old)] == [before]
    assert revision(old) == TOMORROW


# The child spills changed pages to the file at once, so that a kill leaves a half-changed file and its journal.
KILLED = """
import os, signal
from sqlalchemy import Engine, event
marker = sys.argv[2]

@event.listens_for(Engine, "connect")
def spill(connection, record):
    connection.execute("PRAGMA cache_size=1")
    connection.execute("PRAGMA cache_spill=1")

@event.listens_for(Engine, "after_cursor_execute")
def watch(conn, cursor, statement, parameters, context, executemany):
    if marker in statement:
        os.kill(os.getpid(), signal.SIGKILL)

Ledger(Path(sys.argv[1]), stamp="real")
"""
FIRST = [
    "CREATE TABLE alembic_version",
    "CREATE TABLE stamps",
    "CREATE UNIQUE INDEX uq_submissions_live_key",
    "CREATE TABLE entries",
    "CREATE TRIGGER entries_no_delete",
    "INSERT INTO alembic_version",
    "INSERT INTO stamps",
]


@pytest.mark.parametrize("marker", FIRST)
def test_a_kill_in_the_middle_of_the_first_migration_leaves_a_ledger_that_opens(
    path: Path, crew: Crew, marker: str
) -> None:
    child = crew.start(KILLED, marker)
    child.communicate()
    assert child.returncode == -signal.SIGKILL
    ledger = Ledger(path, stamp="real")
    created(ledger)
    assert revision(path) == SCHEMA_REVISION
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    assert rows(path, "SELECT stamp FROM stamps") == [("real",)]
    assert len(rows(path, "SELECT 1 FROM sqlite_master WHERE type = 'trigger'")) == 17


def test_a_migration_that_fails_changes_nothing_and_is_an_error_for_people(
    old: Path, tomorrow: Tomorrow, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tomorrow.folder / "versions" / f"{TOMORROW}_notes.py"
    file.write_text(file.read_text() + "    op.execute(\"INSERT INTO notes VALUES (1, 'twice')\")\n")
    before = content(old)
    with monkeypatch.context() as in_tomorrow:
        tomorrow.begin(in_tomorrow)
        with pytest.raises(LedgerError) as failed:
            Ledger(old, stamp="real")
    assert failed.value.exit_code == 12
    assert (content(old), revision(old)) == (before, SCHEMA_REVISION)
    assert len(backups(old)) == 1
    assert len(Ledger(old, stamp="real").trails()) == 2
