"""A ledger in a PostgreSQL database: connections, locks, and a schema that only a person's word changes."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any, LiteralString

from filelock import Timeout
from sqlalchemy import Connection, Engine, create_engine, event, exc, func, select
from sqlalchemy.pool import NullPool

from ftjobs.errors import ConfigError, FtjobsError, LedgerError
from ftjobs.ledger.engine import SCHEMA_REVISION, check_stamp, revision_of, upgrade
from ftjobs.ledger.place import Server
from ftjobs.ledger.tables import metadata, stamps
from ftjobs.logs import MASK, redact

if TYPE_CHECKING:
    from psycopg import Connection as Session

_BUSY_TIMEOUT_S = 30
_CONNECT_TIMEOUT_S = 10
# One lock for all writers, of the two-number kind: the locks of submissions are of the other and never meet it.
_WRITERS = "6674, 1"
# A writer waits first and reads afterwards, as BEGIN IMMEDIATE has it, so that two machines cannot both find room
# in a budget. READ COMMITTED, since a snapshot would be as old as the wait; with the other writers outside, what
# it reads stands still all the same.
_WRITE = (
    "SET TRANSACTION ISOLATION LEVEL READ COMMITTED READ WRITE;"
    f" SET LOCAL lock_timeout = '{_BUSY_TIMEOUT_S}s';"
    f" SELECT pg_advisory_xact_lock({_WRITERS})"
)
# A reader sees one moment, however many statements it takes.
_READ = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
# A lock is held, and waited for, as long as an upload takes; a machine that vanished loses it in about a minute.
_HOLD: LiteralString = (
    "SET statement_timeout = 0; SET lock_timeout = 0; SET idle_session_timeout = 0;"
    " SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3"
)


def open_server(server: Server, *, stamp: str) -> Engine:
    """Return an engine on the ledger in a database; ConfigError unless it has this program's schema.

    LedgerError where it cannot be reached, is no ledger or bears another stamp. Nothing is made or migrated: a
    team's database changes when a person says so.
    """
    engine = _engine(server)
    try:
        with engine.connect() as connection:
            schema = revision_of(connection, server)
        if schema != SCHEMA_REVISION:
            raise _other_schema(server, schema)
        check_stamp(engine, server, stamp)
    except exc.DBAPIError as error:
        raise unusable_server(server, error) from None
    return engine


def migrate_server(server: Server, *, stamp: str) -> str | None:
    """The database holds a ledger of this schema, in one transaction; return the schema that it had before."""
    engine = _engine(server)
    try:
        # The writers' lock is the migration's too: whoever else migrates waits, and finds it done.
        with engine.connect().execution_options(writes=True) as connection, connection.begin():
            schema = revision_of(connection, server)
            if schema is not None and schema > SCHEMA_REVISION:
                raise _other_schema(server, schema)
            if schema != SCHEMA_REVISION:
                upgrade(connection)
        check_stamp(engine, server, stamp)
    except exc.DBAPIError as error:
        raise unusable_server(server, error) from None
    return schema


def server_schema_and_stamp(server: Server) -> tuple[str | None, str | None]:
    """Return the schema (None for a database without tables) and the stamp, if it has one yet; nothing changes."""
    try:
        with _engine(server).connect() as connection:
            schema = revision_of(connection, server)
            return schema, connection.execute(select(stamps.c.stamp)).scalar() if schema else None
    except exc.DBAPIError as error:
        raise unusable_server(server, error) from None


def unusable_server(server: Server, error: Exception) -> LedgerError:
    """Return the error that tells a person why the ledger in this database cannot be used."""
    orig = getattr(error, "orig", None) or error
    if getattr(orig, "sqlstate", None) == "55P03":
        return LedgerError(
            "ledger_busy",
            f"{server} stayed locked by another process for {_BUSY_TIMEOUT_S} s.",
            next_step="Wait for the other process, then run the same command again.",
            ledger=str(server),
        )
    lines = [" ".join(line.split()).rstrip(".?") for line in str(orig).splitlines()]
    cause = _harmless(server, "; ".join(filter(None, lines)))
    if "password" in cause or "authentication" in cause:
        step = "Give the password in PGPASSWORD, in ~/.pgpass or in ledger_url, then run the same command again."
    elif "does not exist" in cause and "database" in cause:
        step = f"Make it (createdb {server.database}), then run `ftjobs doctor --migrate`."
    else:
        step = "Check that the server runs and lets this user in, then run the same command again."
    return LedgerError(
        "ledger_unavailable",
        f"The ledger {server} cannot be used: {cause}.",
        next_step=step,
        ledger=str(server),
    )


def set_sequences(connection: Connection) -> None:
    """The next ids follow those that were written by hand."""
    for table in metadata.sorted_tables:
        if (column := table.autoincrement_column) is not None:
            sequence = func.pg_get_serial_sequence(table.name, column.name)
            newest = select(func.max(column)).scalar_subquery()
            connection.execute(select(func.setval(sequence, func.coalesce(newest, 1), newest.is_not(None))))


class AdvisoryLock:
    """A lock of the server's, with the manners of a FileLock: it dies with the session that holds it.

    So it does when only the connection is lost, and its owner does not know. Then a second process may go on while
    the first still runs: `require` is asked before anything is sent, and `begin_sending` compares the state before
    it sets it, so that one of them sends.
    """

    def __init__(self, server: Server, name: str) -> None:
        self._server = server
        self._key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
        self._session: Session[Any] | None = None

    def acquire(self, *, blocking: bool = True, poll_interval: float = 0) -> None:
        """Hold the lock; Timeout where another session has it and nobody waits. To wait is the server's work."""
        from psycopg import Error

        try:
            session = _session(self._server, autocommit=True)
            session.execute(_HOLD)
            if blocking:
                session.execute("SELECT pg_advisory_lock(%s)", [self._key])
            elif session.execute("SELECT pg_try_advisory_lock(%s)", [self._key]).fetchone() != (True,):
                session.close()
                raise Timeout(str(self._server))
        except Error as error:
            raise unusable_server(self._server, error) from None
        self._session = session

    def require(self) -> None:
        """Raise LedgerError where the session that holds the lock is gone, and the lock with it."""
        from psycopg import Error

        try:
            if self._session is None:
                raise RuntimeError("the lock is not held")
            self._session.execute("SELECT 1")
        except Error as error:
            raise LedgerError(
                "lock_lost",
                f"The connection to {self._server} that held this submission was lost, so nothing was sent.",
                next_step="Run the same command again: it looks for the job first.",
                ledger=str(self._server),
                reason=type(error).__name__,
            ) from None

    def release(self) -> None:
        """Another session can have the lock, at once and not when the server notices that this one is gone."""
        from psycopg import Error

        session, self._session = self._session, None
        if session is not None:
            with suppress(Error):
                session.execute("SELECT pg_advisory_unlock(%s)", [self._key])
            session.close()


def _engine(server: Server) -> Engine:
    _need_psycopg()
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: _session(server),
        poolclass=NullPool,
        use_native_hstore=False,
    )
    event.listen(engine, "begin", _on_begin)
    return engine


def _on_begin(connection: Connection) -> None:
    connection.exec_driver_sql(_WRITE if connection.get_execution_options().get("writes", False) else _READ)


def _session(server: Server, *, autocommit: bool = False) -> Session[Any]:
    _need_psycopg()
    import psycopg
    from psycopg.conninfo import conninfo_to_dict, make_conninfo
    from psycopg.types.string import StrDumperUnknown

    class Storable(StrDumperUnknown):
        """Texts without the NUL that PostgreSQL has in none: a strange service's words must not end a command."""

        def dump(self, obj: str) -> Any:
            return super().dump(obj.replace("\0", "\N{REPLACEMENT CHARACTER}"))

    usual = {
        "application_name": "ftjobs",
        "connect_timeout": str(_CONNECT_TIMEOUT_S),
        "keepalives_idle": "30",
        "keepalives_interval": "10",
        "keepalives_count": "3",
        "tcp_user_timeout": "60000",
    }
    try:
        asked = conninfo_to_dict(server.url)
        conninfo = make_conninfo(server.url, **{name: usual[name] for name in usual if name not in asked})
    except psycopg.Error:  # which quotes what it cannot read: that may be the password
        raise psycopg.OperationalError("its URL holds something that libpq does not know") from None
    # Prepared statements would be in the way of a pooler between us and the server.
    session = psycopg.connect(conninfo, autocommit=autocommit, prepare_threshold=None)
    session.adapters.register_dumper(str, Storable)
    return session


def _need_psycopg() -> None:
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            "no_postgres",
            f"PostgreSQL's driver is not installed ({error}).",
            next_step="Install it with: pip install 'ftjobs[postgres]'",
            key="ledger_url",
        ) from None


def _other_schema(server: Server, schema: str | None) -> FtjobsError:
    if schema is not None and schema > SCHEMA_REVISION:
        return ConfigError(
            "schema_too_new",
            f"The ledger {server} was written by a newer ftjobs (schema {schema}).",
            next_step="Upgrade ftjobs, or name another ledger with --ledger.",
            ledger=str(server),
            schema=schema,
        )
    message, step = (
        (f"The database {server} holds no ledger yet.", "Run `ftjobs doctor --migrate`, which makes its tables.")
        if schema is None
        else (
            f"The ledger {server} has schema {schema}, and this ftjobs needs {SCHEMA_REVISION}.",
            "Back it up with pg_dump, then run `ftjobs doctor --migrate`.",
        )
    )
    return ConfigError(
        "schema_too_old",
        message,
        next_step=step,
        ledger=str(server),
        schema=schema,
    )


def _harmless(server: Server, cause: str) -> str:
    for secret in server.secrets:
        cause = cause.replace(secret, MASK)
    return redact(cause)
