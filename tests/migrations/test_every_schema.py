"""From every released schema, opening loses nothing, whatever happens on the way.

The suite tries a sample on the oldest and the newest; `make soak` tries every statement and step on ten thousand
rows of each.
"""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from ftjobs.failpoints import POINTS
from ftjobs.ledger.engine import SCHEMA_REVISION
from ftjobs.ledger.locks import submission_lock_if_free
from ftjobs.ledger.store import Ledger
from tests.conftest import Person
from tests.migrations.fates import (
    QUIET,
    Fate,
    beside_a_writer,
    command_in_child,
    commands_at_once,
    disk_full_after_the_backup,
    disk_full_at_byte,
    killed_at_byte,
    killed_at_statement,
    killed_at_step,
    witnessed,
)
from tests.migrations.released import (
    MONTH,
    Facts,
    backups,
    columns_of,
    facts,
    fill,
    migrate_to,
    month_of,
    printed,
    released,
    revision,
    rows,
    schema,
)

PAGE = 4096
PLACES = [point for point in POINTS if point.startswith("ledger.")]


@dataclass(frozen=True)
class Depth:
    """How much is tried: rows for so many submissions, every so-manieth statement, and so on."""

    submissions: int
    statements: int
    steps: int
    growth: int
    places: int


SAMPLE = Depth(submissions=300, statements=9, steps=3, growth=8, places=2)
WHOLE = Depth(submissions=2500, statements=1, steps=1, growth=2, places=5)


@dataclass(frozen=True)
class Old:
    """A ledger of an earlier version, with what was in it before anybody opened it."""

    path: Path
    depth: Depth
    revision: str
    columns: dict[str, list[str]] = field(repr=False)
    facts: Facts = field(repr=False)
    schema: list[tuple[object, ...]] = field(repr=False)
    fresh: list[tuple[object, ...]] = field(repr=False)

    def copy_to(self, folder: Path) -> Old:
        """Return a copy of it in a folder of its own."""
        folder.mkdir()
        copy = folder / self.path.name
        shutil.copyfile(self.path, copy)
        copy.chmod(0o600)
        return replace(self, path=copy)

    def check_backups(self) -> None:
        """Every file that bears the name of a backup is one: private, whole, and a ledger of the old schema."""
        for backup in backups(self.path):
            assert facts(backup, self.columns) == self.facts
            assert (revision(backup), schema(backup)) == (self.revision, self.schema)
            assert rows(backup, "PRAGMA integrity_check") == [("ok",)]
        for file in self.path.parent.glob("*.before-*"):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600

    def check_migrated(self) -> None:
        """The ledger is up to date, has every row that it had, and lies beside at least one whole backup."""
        assert facts(self.path, self.columns) == self.facts
        assert (revision(self.path), schema(self.path)) == (SCHEMA_REVISION, self.fresh)
        assert rows(self.path, "PRAGMA integrity_check") == [("ok",)]
        assert rows(self.path, "PRAGMA foreign_key_check") == []
        assert backups(self.path)
        self.check_backups()

    def check_next_opening(self) -> None:
        """Whatever happened, the next opening ends well and clears away what lies half done."""
        self.check_backups()
        Ledger(self.path, stamp="real")
        self.check_migrated()
        whole = {self.path, *backups(self.path), self.path.with_name(f"{self.path.name}.migrate.lock")}
        assert set(self.path.parent.iterdir()) <= whole


def schemas() -> Iterator[Any]:
    """Yield what `made` is made from: a schema and how much is tried on it."""
    for each in (released()[0], released()[-1]):
        yield pytest.param((each, SAMPLE), id=each)
    for each in released():
        yield pytest.param((each, WHOLE), id=f"{each}-whole", marks=pytest.mark.soak)


@pytest.fixture(scope="session", params=schemas())
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Old:
    """The ledger of a released schema, made by its migrations and filled without the product."""
    folder = tmp_path_factory.mktemp("released")
    path, fresh = folder / "ledger.sqlite3", folder / "fresh.sqlite3"
    revision_then, depth = request.param
    migrate_to(path, revision_then)
    fill(path, submissions=depth.submissions)
    migrate_to(fresh, "head")
    columns = columns_of(path)
    if depth is WHOLE:
        assert sum(rows(path, f"SELECT count(*) FROM {table}")[0][0] for table in columns) >= 10_000
    return Old(path, depth, revision_then, columns, facts(path, columns), schema(path), schema(fresh))


@pytest.fixture
def old(made: Old, tmp_path: Path) -> Old:
    """A copy for one test."""
    return made.copy_to(tmp_path / "ledger")


@pytest.fixture
def user(tmp_path: Path) -> Person:
    """Somebody at a shell who needs no service."""
    home = tmp_path / "user"
    home.mkdir()
    return Person(home)


def test_opening_backs_the_ledger_up_and_migrates_it_with_every_row(old: Old) -> None:
    assert old.revision != SCHEMA_REVISION
    assert command_in_child(old.path, *QUIET).code == 0
    old.check_migrated()
    assert len(backups(old.path)) == 1
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        rows(old.path, "INSERT OR REPLACE INTO entries SELECT * FROM entries LIMIT 1")


def test_the_backup_can_be_put_in_the_place_of_the_ledger(old: Old) -> None:
    Ledger(old.path, stamp="real")
    (backup,) = backups(old.path)
    backup.replace(old.path)
    old.check_next_opening()


def test_the_command_prints_the_totals_and_the_digest_that_the_rows_had_before(old: Old, user: Person) -> None:
    before = month_of(old.path)
    assert all(before.values()), "what is nothing proves nothing"
    ledger = f"sqlite:///{old.path}"
    for _ in ("migrating", "migrated"):
        told = user.run("ledger", MONTH, "--month", "--json", "--ledger", ledger)
        assert told.code == 0, told.err
        assert printed(told.json) == before
    old.check_migrated()


@pytest.mark.parametrize("place", PLACES)
def test_a_kill_at_a_named_place_costs_nothing(old: Old, user: Person, place: str) -> None:
    ledger = f"sqlite:///{old.path}"
    killed = user.run("ledger", "--json", "--ledger", ledger, FTJOBS_FAILPOINT=f"{place}:kill")
    assert killed.code == -signal.SIGKILL
    assert len(backups(old.path)) == 1
    old.check_next_opening()


@pytest.mark.parametrize("fate", [killed_at_statement, killed_at_step])
def test_a_kill_at_any_statement_of_the_migrations_or_step_of_the_backup_costs_nothing(
    made: Old, tmp_path: Path, fate: Fate
) -> None:
    number, code, killed = 1, -signal.SIGKILL, 0
    stride = made.depth.statements if fate is killed_at_statement else made.depth.steps
    while code == -signal.SIGKILL:
        old = made.copy_to(tmp_path / str(number))
        code = command_in_child(old.path, *QUIET, fate=fate, number=number).code
        old.check_next_opening()
        shutil.rmtree(old.path.parent)
        number, killed = number + stride, killed + (code != 0)
    assert code == 0
    assert killed * stride >= len({"remove", "open", "connect", "rename"})


def size_of_copy(path: Path, target: Path) -> int:
    """Return the size of a copy without free pages, as a backup is."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("VACUUM INTO ?", (str(target),))
    return target.stat().st_size


@pytest.mark.parametrize(("fate", "code"), [(killed_at_byte, -signal.SIGXFSZ), (disk_full_at_byte, 12)])
def test_a_backup_that_ends_at_any_byte_is_none_and_costs_nothing(
    made: Old, tmp_path: Path, fate: Fate, code: int
) -> None:
    size = size_of_copy(made.path, tmp_path / "whole")
    for number in (*range(0, size, size // made.depth.places), size - 1):
        old = made.copy_to(tmp_path / str(number))
        before = old.path.read_bytes()
        assert command_in_child(old.path, *QUIET, fate=fate, number=number).code == code
        assert backups(old.path) == []
        assert old.path.read_bytes() == before
        old.check_next_opening()
        shutil.rmtree(old.path.parent)


def test_a_disk_that_is_full_while_migrating_is_told_and_costs_nothing(made: Old, tmp_path: Path) -> None:
    number, code, full = 512, 12, 0
    while code == 12:
        old = made.copy_to(tmp_path / str(number))
        ended = command_in_child(old.path, *QUIET, fate=disk_full_after_the_backup, number=number)
        code = ended.code
        assert ended.json.get("code") == ("ledger_unavailable" if code else None)
        assert len(backups(old.path)) == 1
        old.check_next_opening()
        shutil.rmtree(old.path.parent)
        number, full = number * made.depth.growth, full + (code != 0)
    assert code == 0
    assert full, "no disk was full"


def test_a_backup_beside_a_writer_is_of_one_moment(old: Old) -> None:
    assert command_in_child(old.path, *QUIET, fate=beside_a_writer).code == 0
    old.check_next_opening()


@pytest.mark.parametrize("times", [pytest.param(2, marks=pytest.mark.soak), 8])
def test_processes_that_open_it_at_once_back_it_up_and_migrate_it_once_and_see_every_row(
    old: Old, times: int
) -> None:
    before = month_of(old.path)
    ended = commands_at_once(old.path, "ledger", MONTH, "--json", times=times, fate=witnessed)
    assert [(each.code, printed(each.json)) for each in ended] == [(0, before)] * times
    migrations = len(released()) - released().index(old.revision)
    witness = old.path.with_name("witness")
    assert witness.read_text().splitlines() == ["backed up", *["migrated"] * migrations]
    witness.unlink()
    old.check_next_opening()


def test_a_ledger_of_a_newer_schema_is_refused_and_stays_as_it_is(old: Old) -> None:
    rows_changed(old.path, "UPDATE alembic_version SET version_num = '9999'")
    before = old.path.read_bytes()
    ended = command_in_child(old.path, *QUIET)
    assert (ended.code, ended.json["code"]) == (3, "schema_too_new")
    assert old.path.read_bytes() == before
    assert list(old.path.parent.glob("*.before-*")) == []


def test_a_damaged_ledger_is_neither_migrated_nor_touched(made: Old, tmp_path: Path) -> None:
    whole = made.path.read_bytes()
    tried = 0
    for number in range(1, len(whole) // PAGE, len(whole) // PAGE // 12):
        old = made.copy_to(tmp_path / str(number))
        middle = number * PAGE + PAGE // 2
        damaged = whole[:middle] + b"\xff" * 200 + whole[middle + 200 :]
        old.path.write_bytes(damaged)
        # Where SQLite itself sees nothing wrong, a text of ours has been changed: nobody can tell.
        if not is_sound(old.path):
            tried += 1
            ended = command_in_child(old.path, *QUIET)
            assert (ended.code, ended.json["code"]) == (12, "ledger_damaged")
            assert old.path.read_bytes() == damaged
            assert backups(old.path) == []
        shutil.rmtree(old.path.parent)
    assert tried >= 5


def test_a_ledger_without_its_beginning_or_its_end_is_neither_migrated_nor_touched(old: Old) -> None:
    whole = old.path.read_bytes()
    for content, code in (
        (whole[:-PAGE], "ledger_damaged"),
        (whole[: len(whole) // 2 + 1], "ledger_damaged"),
        (b"\xff" * PAGE + whole[PAGE:], "not_a_ledger"),
    ):
        old.path.write_bytes(content)
        ended = command_in_child(old.path, *QUIET)
        assert (ended.code, ended.json["code"]) == (12, code)
        assert old.path.read_bytes() == content
        assert backups(old.path) == []


def test_orphans_and_locks_of_the_older_version_are_taken_in(old: Old) -> None:
    (first, *_), (busy, *_) = rows(old.path, "SELECT id FROM submissions WHERE state = 'sending' LIMIT 2")
    ((raw,),) = rows(old.path, "SELECT raw FROM jobs WHERE raw ->> 'status' = 'running' LIMIT 1")
    beside = {name: old.path.with_name(f"{old.path.name}.{name}") for name in ("orphans.jsonl", "locks")}
    orphan = {"submission_id": first, "job": json.loads(raw) | {"id": "ftjob-orphan"}}
    stranger = {"submission_id": "of another ledger", "job": json.loads(raw) | {"id": "ftjob-stranger"}}
    beside["orphans.jsonl"].write_text(f"\n{json.dumps(orphan)}\n\n{json.dumps(stranger)}\n")
    beside["locks"].mkdir()
    for lock in (beside["locks"] / first, old.path.with_name(f"{old.path.name}.orphans.jsonl.lock")):
        lock.touch(mode=0o600)
    with FileLock(beside["locks"] / busy, fallback_to_soft=False):
        assert command_in_child(old.path, *QUIET).code == 0
    assert rows(old.path, "SELECT submission_id FROM jobs WHERE id = 'ftjob-orphan'") == [(first,)]
    assert rows(old.path, "SELECT state FROM submissions WHERE id = ?", first) == [("created",)]
    assert json.loads(beside["orphans.jsonl"].read_text()) == stranger
    for submission in (first, busy):
        with submission_lock_if_free(old.path, submission) as is_ours:
            assert is_ours
    # But for the job and the state of its submission, with what that was, nothing has changed.
    rows_changed(old.path, "DROP TRIGGER jobs_no_delete", "DELETE FROM jobs WHERE id = 'ftjob-orphan'")
    kept = without(old.columns, "submissions", ("state", "error_code", "error_message"))
    kept.pop("changes", None)
    assert facts(old.path, kept) == facts(backups(old.path)[0], kept)


def is_sound(path: Path) -> bool:
    try:
        return rows(path, "PRAGMA integrity_check") == [("ok",)]
    except sqlite3.DatabaseError:
        return False


def rows_changed(path: Path, *statements: str) -> None:
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def without(columns: dict[str, list[str]], table: str, names: Sequence[str]) -> dict[str, list[str]]:
    return columns | {table: [name for name in columns[table] if name not in names]}
