"""What only PostgreSQL needs: a server that says no, a schema that a person makes, locks of the server's."""

from __future__ import annotations

import builtins
import os
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import event, select

from ftjobs.errors import ConfigError, FtjobsError, LedgerError
from ftjobs.ledger import engine, postgres
from ftjobs.ledger.engine import SCHEMA_REVISION, migrate, open_engine
from ftjobs.ledger.locks import submission_lock, submission_lock_if_free
from ftjobs.ledger.place import Server, ledger_place, own_files
from ftjobs.ledger.store import Ledger
from ftjobs.ledger.tables import metadata, stamps
from ftjobs.logs import redact
from tests.contract.conftest import (
    NOW,
    PRICE,
    Crew,
    PostgresPlace,
    SqlitePlace,
    a_job,
    a_submission,
    add_entry,
    created,
    ended,
)
from tests.postgres import Databases

END_LOCKING_SESSIONS = (
    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1"
)
PASSWORD = "tr0ub4dor"


@pytest.fixture
def place(postgresql: PostgresPlace) -> PostgresPlace:
    """A database, whatever other places there are."""
    return postgresql


@pytest.fixture
def empty(databases: Databases) -> Iterator[PostgresPlace]:
    """A database without any table."""
    with databases.fresh(migrated=False) as url:
        yield PostgresPlace(url)


def refusal(url: str) -> FtjobsError:
    """Return the error of opening the ledger of this URL."""
    with pytest.raises(FtjobsError) as refused:
        Ledger(ledger_place(url), stamp="real")
    error = refused.value
    told = f"{error.message} {error.next_step} {error.details}"
    assert PASSWORD not in told, told
    return error


# The place


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (f"postgresql://me:{PASSWORD}@db.example.com/ledger", "postgresql://db.example.com/ledger"),
        ("postgresql+psycopg://me@db.example.com:6432/ledger", "postgresql://db.example.com:6432/ledger"),
        ("postgres://DB.example.com:5432/ledger?sslmode=require", "postgresql://db.example.com/ledger"),
        (f"postgresql:///ledger?host=/run/pg&password={PASSWORD}", "postgresql:///ledger?host=/run/pg"),
    ],
)
def test_a_server_is_named_without_what_may_be_secret(url: str, name: str) -> None:
    place = ledger_place(url)
    assert str(place) == name
    assert PASSWORD not in repr(place)
    if PASSWORD in url:
        assert redact(f"it is {PASSWORD}") == "it is ***"


def test_a_database_is_the_same_whoever_asks_for_it(tmp_path: Path) -> None:
    mine, hers = ledger_place("postgresql://me:a@h/l"), ledger_place("postgres://her@h:5432/l?sslmode=require")
    assert mine == hers
    assert own_files(mine) == own_files(hers) != own_files(ledger_place("postgresql://me@h/other"))
    assert own_files(mine).is_relative_to(tmp_path / "home")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://",
        "postgresql://host",
        "postgresql://host/",
        "postgresql://host:port/ledger",
        f"postgresql://me:{PASSWORD}@x@host/ledger",
        f"postgresql://me:a/{PASSWORD}@host/ledger",
        f"postgresql://me:a#{PASSWORD}@host/ledger",
        f"postgresql://me:{PASSWORD}@[host/ledger",
    ],
)
def test_a_url_that_cannot_be_read_is_a_setting_to_correct_and_not_repeated(url: str) -> None:
    error = refusal(url)
    assert (error.code, error.exit_code) == ("unsupported_ledger", 3)


# A server that says no


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (f"postgresql://me:{PASSWORD}@127.0.0.1:1/ledger", "refused"),
        (f"postgresql://me:{PASSWORD}%zz@127.0.0.1:1/ledger", "libpq does not know"),
        (f"postgresql://me:{PASSWORD}@127.0.0.1:1/ledger?no_such_option=1", "libpq does not know"),
    ],
)
def test_a_server_that_is_not_there_is_an_error_for_people(url: str, told: str) -> None:
    error = refusal(url)
    assert (error.code, error.exit_code) == ("ledger_unavailable", 12)
    assert told in error.message
    assert "postgresql://127.0.0.1:1/ledger" in error.message


def test_a_database_that_is_not_there_is_an_error_that_says_how_to_make_it(databases: Databases) -> None:
    error = refusal(databases.url_of("no_such_ledger"))
    assert (error.code, error.exit_code) == ("ledger_unavailable", 12)
    assert "createdb no_such_ledger" in error.next_step


def test_what_the_server_repeats_of_a_password_is_masked() -> None:
    server = ledger_place(f"postgresql://me:{PASSWORD}@h/ledger")
    assert isinstance(server, Server)
    error = postgres.unusable_server(server, Exception(f"FATAL: no entry for me with {PASSWORD}\n  HINT: ask."))
    assert error.message.endswith("cannot be used: FATAL: no entry for me with ***; HINT: ask.")


def test_without_the_driver_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    really: Callable[..., Any] = builtins.__import__

    def missing(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.partition(".")[0] == "psycopg":
            raise ImportError("no module psycopg")
        return really(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    error = refusal("postgresql://me@127.0.0.1:1/ledger")
    assert (error.code, error.exit_code) == ("no_postgres", 3)
    assert "pip install 'ftjobs[postgres]'" in error.next_step


def test_a_session_that_the_server_ends_is_an_error_for_people(place: PostgresPlace, databases: Databases) -> None:
    ledger = place.open()
    engine = ledger._engine

    @event.listens_for(engine, "before_cursor_execute")
    def _strike(connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if "INTO submissions" in statement:
            pid = connection.connection.dbapi_connection.info.backend_pid
            databases.run(f"SELECT pg_terminate_backend({pid})")

    with pytest.raises(LedgerError) as lost:
        ledger.record(a_submission())
    assert lost.value.code == "ledger_unavailable"
    event.remove(engine, "before_cursor_execute", _strike)
    assert ledger.trails() == []


def test_words_that_postgresql_cannot_keep_end_no_command(place: PostgresPlace) -> None:
    ledger = place.open()
    submission = a_submission()
    ledger.record(submission)
    ledger.close(submission.id, "rejected", code="x", message="a\0b", now=NOW)
    assert ledger.get(submission.id).error_message == "a\N{REPLACEMENT CHARACTER}b"
    other = created(ledger, 2)
    ledger.see(a_job(2, "failed", error={"message": "c\0d", "code": "\ud800"}), now=NOW)
    assert ledger.get(other.id).job is not None
    place.sql("UPDATE submissions SET spec = '{bad', quote = '[1]' WHERE id = :id", id=other.id)
    statuses = {row[0]: row[3] for row in place.sql("SELECT * FROM job_costs")}
    assert statuses[submission.id] == "rejected"
    assert set(statuses) == {submission.id, other.id}


# The schema


def state(place: PostgresPlace) -> list[tuple[Any, ...]]:
    """Return what is in a database, also where it is no ledger."""
    where = place.where
    with postgres._engine(where).connect() as connection:
        query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def test_a_database_without_a_ledger_is_refused_and_left_as_it_is(empty: PostgresPlace) -> None:
    error = refusal(empty.url)
    assert (error.code, error.exit_code) == ("schema_too_old", 3)
    assert "ftjobs doctor --migrate" in error.next_step
    assert state(empty) == []


@pytest.mark.parametrize(("schema", "code"), [("0003", "schema_too_old"), ("9999", "schema_too_new")])
def test_another_schema_is_refused_and_left_as_it_is(place: PostgresPlace, schema: str, code: str) -> None:
    place.open()
    place.sql("UPDATE alembic_version SET version_num = :schema", schema=schema)
    before = state(place)
    error = refusal(place.url)
    assert (error.code, error.exit_code, error.details["schema"]) == (code, 3, schema)
    assert state(place) == before
    if code == "schema_too_new":
        with pytest.raises(ConfigError):
            migrate(place.where, stamp="real")


def test_another_programs_database_is_refused_and_left_as_it_is(empty: PostgresPlace) -> None:
    with postgres._engine(empty.where).connect().execution_options(writes=True) as connection, connection.begin():
        connection.exec_driver_sql("CREATE TABLE bookmarks (url TEXT)")
    before = state(empty)
    assert refusal(empty.url).code == "not_a_ledger"
    with pytest.raises(LedgerError):
        migrate(empty.where, stamp="real")
    assert state(empty) == before


def test_migrating_makes_the_schema_of_the_tables_and_again_does_nothing(empty: PostgresPlace) -> None:
    assert migrate(empty.where, stamp="sandbox") is None
    assert migrate(empty.where, stamp="sandbox") == SCHEMA_REVISION
    assert empty.open("sandbox").trails() == []
    with open_engine(empty.where, stamp="sandbox").connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []
        assert connection.execute(select(stamps.c.stamp)).scalars().all() == ["sandbox"]
    with pytest.raises(LedgerError) as refused:
        empty.open("real")
    assert refused.value.code == "other_stamp"


def test_a_migration_that_is_cut_short_leaves_nothing(
    empty: PostgresPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def strike(_place: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "reach", strike)
    with pytest.raises(KeyboardInterrupt):
        migrate(empty.where, stamp="real")
    assert state(empty) == []


def test_processes_that_migrate_at_once_make_one_schema(empty: PostgresPlace) -> None:
    crew = Crew(empty.url)
    try:
        told = crew.race(
            """
from ftjobs.ledger.engine import migrate
where = at(sys.argv[1]).where
ready()
tell(migrate(where, stamp="real"))
""",
            times=3,
        )
    finally:
        crew.dismiss()
    assert sorted(told, key=str) == [SCHEMA_REVISION, SCHEMA_REVISION, None]


def test_the_views_say_what_those_of_sqlite_say(place: PostgresPlace, sqlite: SqlitePlace) -> None:
    seen = []
    for each in (place, sqlite):
        ledger = each.open()
        created(ledger, 1)
        for number, tokens in ((2, 790_001), (3, 7)):
            done = ended(ledger, number, trained_tokens=tokens)
            ledger.settle(done.id, PRICE, now=NOW + timedelta(days=20))
        add_entry(each, done.id, -PRICE.usd_per_1m.cost(3))
        voided = a_submission(4)
        ledger.record(voided)
        ledger.close(voided.id, "rejected", code="x", message="no", now=NOW)
        created(ledger, 5)
        for _ in range(2):
            ledger.miss([a_job(5).id], now=NOW)
        ledger.record(a_submission(6))
        views = [each.sql(f"SELECT * FROM {view} ORDER BY 1, 2, 3") for view in ("job_costs", "ledger_month")]
        each.sql("UPDATE jobs SET raw = '{bad' WHERE submission_id = :id", id=done.id)
        seen.append([*views, each.sql("SELECT submission_id, status FROM job_costs ORDER BY 1")])
    assert seen[0] == seen[1]
    assert [len(view) for view in seen[0]] == [6, 1, 6]


# Locks


def test_a_writer_waits_for_the_other_and_says_so_in_the_end(
    place: PostgresPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_WRITE", postgres._WRITE.replace("'30s'", "'300ms'"))
    ledger = place.open()
    with open_engine(place.where, stamp="real").connect().execution_options(writes=True) as other, other.begin():
        with pytest.raises(LedgerError) as busy:
            ledger.record(a_submission())
        assert (busy.value.code, busy.value.exit_code) == ("ledger_busy", 12)
        assert ledger.trails() == []  # a reader waits for nobody
    assert ledger.record(a_submission()).is_new


def test_a_reader_sees_one_moment(place: PostgresPlace) -> None:
    ledger = place.open()
    with open_engine(place.where, stamp="real").connect() as reader, reader.begin():
        count = "SELECT count(*) FROM submissions"
        assert reader.exec_driver_sql(count).scalar() == 0
        ledger.record(a_submission())
        assert reader.exec_driver_sql(count).scalar() == 0


def test_who_lost_the_lock_with_its_connection_cannot_send_as_well(place: PostgresPlace) -> None:
    """The server ends the session of the first, so the second gets the lock: the state decides who sends."""
    ledger, submission = place.open(), a_submission()
    ledger.record(submission)
    with submission_lock(place.where, submission.id):
        place.sql(END_LOCKING_SESSIONS)
        with submission_lock(place.where, submission.id):
            ledger.begin_sending(submission.id, "recorded", now=NOW)
            with pytest.raises(LedgerError) as changed:
                ledger.begin_sending(submission.id, "recorded", now=NOW)
        with pytest.raises(LedgerError) as refused:
            ledger.begin_sending(submission.id, "recorded", now=NOW)
    assert (changed.value.code, refused.value.code) == ("submission_changed", "lock_lost")


def test_who_lost_the_lock_does_not_send_though_the_state_is_as_before(place: PostgresPlace) -> None:
    """The second one may have sent meanwhile, and lost its reply: uncertain again, and not as long ago."""
    ledger, submission = place.open(), a_submission()
    ledger.record(submission)
    ledger.mark(submission.id, "uncertain", now=NOW)
    with submission_lock(place.where, submission.id):
        ledger.require_lock(submission.id)
        place.sql(END_LOCKING_SESSIONS)
        with pytest.raises(LedgerError) as refused:
            ledger.begin_sending(submission.id, "uncertain", now=NOW)
        with pytest.raises(LedgerError) as paused:
            ledger.require_lock(submission.id)
    assert refused.value.code == paused.value.code == "lock_lost"
    assert ledger.get(submission.id).state == "uncertain"


def test_a_thread_knows_its_own_lock_while_another_lets_go(
    place: PostgresPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first thread has released and not yet left: what it clears up must not be the second one's."""
    ledger, release = place.open(), postgres.AdvisoryLock.release
    held, left, told = threading.Event(), threading.Event(), list[str]()

    def second() -> None:
        with submission_lock(place.where, "01J"):
            held.set()
            assert left.wait(60)
            place.sql(END_LOCKING_SESSIONS)
            with pytest.raises(LedgerError) as lost:
                ledger.require_lock("01J")
            told.append(lost.value.code)

    def slowly(lock: postgres.AdvisoryLock) -> None:
        release(lock)
        assert threading.current_thread() is worker or held.wait(60)

    monkeypatch.setattr(postgres.AdvisoryLock, "release", slowly)
    worker = threading.Thread(target=second)
    with submission_lock(place.where, "01J"):
        worker.start()
    left.set()
    worker.join(60)
    assert told == ["lock_lost"]


def test_a_lock_of_a_server_that_is_gone_is_an_error_for_people() -> None:
    nowhere = ledger_place("postgresql://me@127.0.0.1:1/ledger")
    for lock in (submission_lock, submission_lock_if_free):
        with pytest.raises(LedgerError) as refused, lock(nowhere, "01J"):
            raise AssertionError("locked nothing")
        assert refused.value.code == "ledger_unavailable"


def test_a_wait_for_a_lock_costs_no_statements(place: PostgresPlace) -> None:
    waiting, done = threading.Event(), threading.Event()

    def second() -> None:
        with submission_lock(place.where, "01J", on_wait=waiting.set):
            done.set()

    with submission_lock(place.where, "01J"):
        worker = threading.Thread(target=second)
        worker.start()
        assert waiting.wait(120)
        assert not done.wait(0.2)
    worker.join(10)
    assert done.is_set()


def test_the_password_of_a_real_server_is_checked_and_told_nobody(databases: Databases) -> None:
    host = ledger_place(databases.url_of("x"))
    if not isinstance(host, Server) or not host.host.startswith("/tmp/ftjobs-pg-"):
        pytest.skip("only a server of our own can be told to ask for a password")
    rules = Path(host.host) / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text(f"local all asked scram-sha-256\n{before}")
    databases.run(f"CREATE ROLE asked LOGIN PASSWORD '{PASSWORD}'", "SELECT pg_reload_conf()")
    try:
        url = f"postgresql://asked:{PASSWORD}x@/postgres?host={host.host}"
        error = refusal(url)
        assert (error.code, error.exit_code) == ("ledger_unavailable", 12)
        assert "PGPASSWORD" in error.next_step
        assert refusal(url.replace(f"{PASSWORD}x", PASSWORD)).code == "schema_too_old"
    finally:
        rules.write_text(before)
        databases.run("DROP ROLE asked", "SELECT pg_reload_conf()")
    assert os.environ.get("PGPASSWORD") is None
