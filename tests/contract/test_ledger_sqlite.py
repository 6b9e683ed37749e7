"""What only SQLite needs: a private file, which is a ledger or is left alone, pragmas, and a disk that says no."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from ftjobs.errors import ConfigError, FtjobsError, LedgerError
from ftjobs.ledger import engine as engine_module
from ftjobs.ledger.engine import SCHEMA_REVISION, open_engine
from ftjobs.ledger.place import ledger_path, own_files
from ftjobs.ledger.store import Ledger
from tests.contract.conftest import (
    ENTRY_COLUMNS,
    NOW,
    PRICE,
    Crew,
    SqlitePlace,
    a_submission,
    created,
    trail_of,
)


@pytest.fixture
def place(tmp_path: Path) -> SqlitePlace:
    """A SQLite file, whatever other databases there are."""
    return SqlitePlace(tmp_path / "ledger.sqlite3")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def refusal(path: Path, *, stamp: str = "real") -> FtjobsError:
    """Return the error of opening a ledger at `path`."""
    with pytest.raises(FtjobsError) as refused:
        Ledger(path, stamp=stamp)
    return refused.value


def some_database(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def integrity(path: Path) -> list[tuple[str]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall()


# The file


@pytest.mark.usefixtures("usual_umask")
def test_a_new_ledger_and_its_folder_are_private(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "down" / "ledger.sqlite3"
    created(Ledger(path, stamp="real"))
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert {mode(each) for each in path.parent.iterdir()} == {0o600}


@pytest.mark.usefixtures("usual_umask")
def test_the_journal_of_a_change_under_way_is_private_too(ledger: Ledger) -> None:
    engine = open_engine(own_files(ledger.place), stamp="real")
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        connection.exec_driver_sql("INSERT INTO files VALUES ('file-1', 'a', 'x', '2027')")
        (journal,) = own_files(ledger.place).parent.glob("*-journal")
        assert mode(journal) == 0o600


@pytest.mark.parametrize("name", ["a?mode=memory", "100%25", "#1", "with space", "Straße", "-", "file:x"])
def test_a_ledger_lies_exactly_where_it_was_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / name / f"{name}.sqlite3"
    mine = created(Ledger(path, stamp="real"))
    assert path.read_bytes().startswith(b"SQLite format 3\0")
    assert Ledger(path, stamp="real").get(mine.id) == mine
    assert [each.name for each in tmp_path.iterdir() if each.name != "home"] == [name]


def test_an_empty_file_becomes_a_ledger(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.touch()
    assert Ledger(path, stamp="real").trails() == []


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///ledger.sqlite3", "here/ledger.sqlite3"),
        ("sqlite:////home/me/l.sqlite3", "/home/me/l.sqlite3"),
        ("/home/me/l.sqlite3", "/home/me/l.sqlite3"),
        ("l.db", "here/l.db"),
    ],
)
def test_a_ledger_url_names_a_file(url: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert ledger_path(url) == tmp_path / path


def test_a_link_leads_to_the_ledger_itself_so_that_both_names_share_its_locks(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "ledger.sqlite3")
    assert ledger_path(str(tmp_path / "link")) == tmp_path / "ledger.sqlite3"


def test_a_tilde_is_the_home_folder(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert ledger_path("~/l.sqlite3") == ledger_path("sqlite:///~/l.sqlite3") == home / "l.sqlite3"


@pytest.mark.parametrize("url", ["", "sqlite:", "sqlite://", "sqlite:///", "postgresql://db/ledger", "http://x/y"])
def test_what_names_no_file_is_a_setting_to_correct(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        ledger_path(url)
    assert (refused.value.code, refused.value.exit_code) == ("unsupported_ledger", 3)


# Not a ledger


@pytest.mark.parametrize(
    "content",
    [b"hello\n", b'{"messages": []}\n' * 500, b"\0" * 8192, b"SQLite format 3\0" + b"\xff" * 4096],
    ids=["a word", "a training file", "zeros", "a forged header"],
)
def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "data.jsonl"
    path.write_bytes(content)
    error = refusal(path)
    assert (error.code, error.exit_code) == ("not_a_ledger", 12)
    assert error.details["ledger"] == str(path)
    assert path.read_bytes() == content
    assert [each.name for each in tmp_path.iterdir() if each.name != "home"] == ["data.jsonl"]


@pytest.mark.parametrize(
    "statements",
    [
        ["CREATE TABLE bookmarks (url TEXT)"],
        ["PRAGMA journal_mode=WAL", "CREATE TABLE bookmarks (url TEXT)"],
        [
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)",
            "INSERT INTO alembic_version VALUES ('8f2c')",
        ],
        [
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)",
            f"INSERT INTO alembic_version VALUES ('{SCHEMA_REVISION}')",
        ],
    ],
    ids=["another program's", "one with a WAL", "another program's, with migrations", "one that pretends"],
)
def test_another_programs_database_is_refused_and_left_as_it_is(tmp_path: Path, statements: list[str]) -> None:
    path = tmp_path / "places.sqlite"
    some_database(path, *statements)
    before = path.read_bytes()
    error = refusal(path)
    assert error.code == "not_a_ledger"
    assert error.details["ledger"] == str(path)
    assert path.read_bytes() == before


def test_a_folder_is_no_ledger(tmp_path: Path) -> None:
    error = refusal(tmp_path)
    assert (error.code, error.exit_code) == ("not_a_ledger", 12)


def test_a_ledger_below_a_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    error = refusal(tmp_path / "file" / "ledger.sqlite3")
    assert (error.code, error.exit_code) == ("ledger_unavailable", 12)


def test_a_name_that_no_file_system_takes_is_an_error_for_people(tmp_path: Path) -> None:
    assert refusal(tmp_path / ("x" * 300)).code == "ledger_unavailable"


def test_a_damaged_ledger_is_an_error_for_people(ledger: Ledger) -> None:
    created(ledger)
    content = own_files(ledger.place).read_bytes()
    own_files(ledger.place).write_bytes(content[:100] + b"\xaa" * (len(content) - 100))
    assert refusal(own_files(ledger.place)).code == "ledger_damaged"
    with pytest.raises(LedgerError):
        ledger.trails()


def test_a_ledger_that_vanishes_while_it_is_used_is_an_error_for_people(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "deep" / "ledger.sqlite3", stamp="real")
    shutil.rmtree(own_files(ledger.place).parent)
    with pytest.raises(LedgerError) as lost:
        ledger.record(a_submission())
    assert lost.value.exit_code == 12


# Stamps


@pytest.mark.parametrize(("first", "second"), [("real", "sandbox"), ("sandbox", "real")])
def test_real_and_sandbox_money_never_share_a_ledger(tmp_path: Path, first: str, second: str) -> None:
    path = tmp_path / "ledger.sqlite3"
    Ledger(path, stamp=first)
    error = refusal(path, stamp=second)
    assert (error.code, error.exit_code) == ("other_stamp", 12)
    assert f"{path} is a {first} ledger" in error.message
    Ledger(path, stamp=first)


def test_processes_that_open_a_new_ledger_at_once_make_one_schema_and_one_stamp(
    place: SqlitePlace, crew: Crew
) -> None:
    told = crew.race(
        """
from ftjobs.errors import FtjobsError
import alembic.command
number = int(sys.argv[2])
ready()
try:
    ledger = SqlitePlace(Path(sys.argv[1])).open("real" if number % 2 else "sandbox")
    created(ledger, number)
    tell("opened")
except FtjobsError as error:
    tell(error.code)
""",
        times=8,
    )
    assert sorted(told) == ["opened"] * 4 + ["other_stamp"] * 4
    with closing(sqlite3.connect(place.path)) as connection:
        ((revision,),) = connection.execute("SELECT version_num FROM alembic_version")
        ((stamp,),) = connection.execute("SELECT stamp FROM stamps")
    assert revision == SCHEMA_REVISION
    assert len(place.open(stamp).trails()) == 4
    assert list(place.path.parent.glob("*.before-*")) == []


# Pragmas and waiting


def test_every_connection_has_the_pragmas_that_keep_commits_and_triggers(ledger: Ledger) -> None:
    engine = open_engine(own_files(ledger.place), stamp="real")
    wanted = {
        "journal_mode": "delete",
        "synchronous": 3,
        "foreign_keys": 1,
        "recursive_triggers": 1,
        "busy_timeout": 30_000,
    }
    for _ in range(2):
        with engine.connect() as connection:
            found = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in wanted}
        assert found == wanted


@contextmanager
def somebody_writing(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


def test_a_ledger_that_stays_locked_is_said_to_be_busy(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "_BUSY_TIMEOUT_MS", 30)
    with somebody_writing(own_files(ledger.place)):
        for attempt in (
            ledger.trails,
            lambda: ledger.record(a_submission()),
            lambda: Ledger(own_files(ledger.place), stamp="real"),
        ):
            with pytest.raises(LedgerError) as busy:
                attempt()
            assert (busy.value.code, busy.value.exit_code) == ("ledger_busy", 12)
    assert ledger.record(a_submission()).is_new


def test_a_writer_takes_its_lock_before_it_reads(ledger: Ledger) -> None:
    """A reader that turns writer fails at once instead of waiting, so no writer may begin as a reader."""
    begun: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("BEGIN"):
            begun.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        mine = created(ledger)
        wrote = list(begun)
        ledger.settle(mine.id, PRICE, now=NOW)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert wrote == ["BEGIN IMMEDIATE", "BEGIN IMMEDIATE", "BEGIN"]
    assert begun[3:] == ["BEGIN IMMEDIATE"]


# A disk that says no


FULL = """
import resource
from ftjobs.errors import FtjobsError
path = Path(sys.argv[1])
what = sys.argv[2]
ledger = SqlitePlace(path).open() if what == "record" else None
limit = path.stat().st_size if ledger else 4096
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    if ledger is None:
        SqlitePlace(path).open()
    else:
        for number in range(1000):
            ledger.record(a_submission(number))
except FtjobsError as error:
    tell([error.exit_code, error.code])
"""


@pytest.mark.parametrize("what", ["open", "record"])
def test_a_full_disk_is_a_ledger_error_and_leaves_nothing_half_written(
    place: SqlitePlace, crew: Crew, what: str
) -> None:
    if what == "record":
        created(place.open(), 5000)
    child = crew.start(FULL, what)
    assert json.loads(child.communicate()[0]) == [12, "ledger_unavailable"]
    ledger = place.open()
    assert integrity(place.path) == [("ok",)]
    assert all([entry.kind for entry in trail.entries] == ["estimate"] for trail in ledger.trails())
    assert ledger.record(a_submission(6000)).is_new


def test_a_full_database_names_what_is_missing(ledger: Ledger) -> None:
    def no_room(connection: sqlite3.Connection, _record: object) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={pages}")

    event.listen(Engine, "connect", no_room)
    try:
        with pytest.raises(LedgerError) as full:
            for number in range(1000):
                ledger.record(a_submission(number))
    finally:
        event.remove(Engine, "connect", no_room)
    assert full.value.code == "ledger_unavailable"
    assert "disk is full" in full.value.message
    assert "free space" in full.value.next_step
    assert all(trail.estimate for trail in ledger.trails())


def bound_by_permissions() -> list[str]:
    """Return what to put before a command so that file permissions bind it: nothing, but for root."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root is bound by no permission, and there is no setpriv to change that")
    return ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]


@pytest.mark.parametrize("read_only", ["the file", "the folder", "both"])
def test_a_ledger_that_may_not_be_written_can_be_read_and_says_so(
    place: SqlitePlace, crew: Crew, read_only: str
) -> None:
    mine = created(place.open())
    folder = place.path.parent
    if read_only != "the folder":
        place.path.chmod(0o400)
    if read_only != "the file":
        folder.chmod(0o500)
    try:
        child = crew.start(
            """
from ftjobs.errors import FtjobsError
ledger = at(sys.argv[1]).open()
found = [trail.submission.id for trail in ledger.trails()]
try:
    ledger.record(a_submission(2))
except FtjobsError as error:
    tell([found, error.exit_code, error.code, error.next_step])
""",
            under=bound_by_permissions(),
        )
        found, exit_code, code, next_step = json.loads(child.communicate()[0])
    finally:
        folder.chmod(0o700)
        place.path.chmod(0o600)
    assert (found, exit_code, code) == ([mine.id], 12, "ledger_unavailable")
    assert "permissions" in next_step
    assert len(trail_of(place.open(), mine).entries) == 1


def test_a_ledger_in_a_folder_that_may_not_be_written_cannot_be_made(place: SqlitePlace, crew: Crew) -> None:
    folder = place.path.parent
    folder.chmod(0o500)
    try:
        child = crew.start(
            """
from ftjobs.errors import FtjobsError
try:
    at(sys.argv[1]).open()
except FtjobsError as error:
    tell([error.exit_code, error.code])
""",
            under=bound_by_permissions(),
        )
        told = json.loads(child.communicate()[0])
    finally:
        folder.chmod(0o700)
    assert told == [12, "ledger_unavailable"]


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT OR REPLACE INTO entries SELECT * FROM entries",
        f"REPLACE INTO entries ({ENTRY_COLUMNS}) SELECT {ENTRY_COLUMNS} FROM entries",
        "UPDATE entries SET amount_nano_usd = 0",
        "DELETE FROM entries",
        "DELETE FROM submissions",
        "DELETE FROM jobs",
    ],
)
def test_no_other_program_changes_what_is_written_either(ledger: Ledger, statement: str) -> None:
    """A plain connection, as of a shell: foreign keys and recursive triggers are off."""
    created(ledger)
    with closing(sqlite3.connect(own_files(ledger.place))) as connection:
        before = connection.execute("SELECT * FROM entries").fetchall()
        with pytest.raises(sqlite3.IntegrityError, match=r"append-only|never deleted"):
            connection.execute(statement)
        assert connection.execute("SELECT * FROM entries").fetchall() == before
