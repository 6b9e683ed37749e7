"""Opening a ledger: its schema and its stamp; and for SQLite the file and its pragmas."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock
from sqlalchemy import Connection, Engine, create_engine, event, exc, insert, inspect, select, text
from sqlalchemy.pool import NullPool

from ftjobs.errors import ConfigError, LedgerError
from ftjobs.failpoints import reach
from ftjobs.ledger.backup import back_up, make_private
from ftjobs.ledger.glance import schema_and_stamp
from ftjobs.ledger.place import Place, Server
from ftjobs.ledger.tables import stamps

if TYPE_CHECKING:
    from alembic.config import Config

# The newest migration; a test holds it against the migrations folder. Kept here so that opening a ledger that is
# up to date does not import alembic (half a second).
SCHEMA_REVISION = "0006"
_BUSY_TIMEOUT_MS = 30_000


def open_engine(place: Place, *, stamp: str) -> Engine:
    """Return an engine on the ledger at `place`, a file made or migrated where needed, and stamped.

    LedgerError where it cannot be opened, is no ledger or bears another stamp; ConfigError where its schema is
    newer than this program. An older schema is backed up beside the file, then migrated under a lock; a server's
    is left to `migrate`.
    """
    if isinstance(place, Server):
        from ftjobs.ledger.postgres import open_server

        return open_server(place, stamp=stamp)
    try:
        return _open(place, stamp)
    except (OSError, exc.DBAPIError, sqlite3.Error) as error:
        raise unusable(place, error) from None


def migrate(place: Place, *, stamp: str) -> str | None:
    """The ledger has this program's schema, made where there is none; return the schema that it had before."""
    if isinstance(place, Server):
        from ftjobs.ledger.postgres import migrate_server

        return migrate_server(place, stamp=stamp)
    try:
        found = schema_and_stamp(place, this_schema=SCHEMA_REVISION)[0] if place.is_file() else None
    except sqlite3.Error as error:
        raise unusable(place, error) from None
    open_engine(place, stamp=stamp)
    return found


def unusable(path: Place, error: Exception) -> LedgerError:
    """Return the error that tells a person why the ledger at `path` cannot be used."""
    if isinstance(path, Server):
        from ftjobs.ledger.postgres import unusable_server

        return unusable_server(path, error)
    cause = str(getattr(error, "orig", None) or getattr(error, "strerror", None) or error)
    if "malformed" in cause:
        return LedgerError(
            "ledger_damaged",
            f"The database {path} is damaged (SQLite says: {cause}).",
            next_step=f"Keep the file; restore a backup if there is one, or try: sqlite3 {path.name} .recover",
            ledger=str(path),
        )
    if "not a database" in cause:
        return LedgerError(
            "not_a_ledger",
            f"{path} is not a ledger (SQLite says: {cause}).",
            next_step="Name another file with --ledger, or restore this one from a backup.",
            ledger=str(path),
        )
    if "locked" in cause:
        return LedgerError(
            "ledger_busy",
            f"{path} stayed locked by another process for {_BUSY_TIMEOUT_MS // 1000} s.",
            next_step="Wait for the other process, then run the same command again.",
            ledger=str(path),
        )
    if "unable to open" in cause and path.parent.is_dir() and not path.exists():
        return LedgerError(
            "ledger_unavailable",
            f"The ledger {path} is not there any more.",
            next_step="Put it back from a backup; else the same command starts a new one and looks for the job.",
            ledger=str(path),
        )
    return LedgerError(
        "ledger_unavailable",
        f"The ledger {path} cannot be used: {cause}.",
        next_step="Check the folder's permissions and free space, or name another file with --ledger.",
        ledger=str(path),
    )


def _open(path: Path, stamp: str) -> Engine:
    if path.is_dir():
        raise LedgerError(
            "not_a_ledger",
            f"{path} is a folder.",
            next_step="Name a file with --ledger.",
            ledger=str(path),
        )
    make_private(path)
    # SQLite must not make the file: one that was deleted under us would come back empty, and readable by all.
    existing = f"{path.as_uri()}?mode=rw"
    engine = create_engine("sqlite://", creator=lambda: sqlite3.connect(existing, uri=True), poolclass=NullPool)
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    with engine.connect() as connection:
        revision = revision_of(connection, path)
    event.listen(engine, "connect", _keep_journal)
    if revision != SCHEMA_REVISION:
        _migrate(engine, path)
    check_stamp(engine, path, stamp)
    return engine


def _on_connect(dbapi_connection: Any, _record: object) -> None:
    # Transactions are ours to begin: the driver's own habit commits DDL behind our back (facts, section 7).
    dbapi_connection.isolation_level = None
    cursor = dbapi_connection.cursor()
    for pragma in (
        f"busy_timeout={_BUSY_TIMEOUT_MS}",
        "synchronous=EXTRA",
        "foreign_keys=ON",
        "recursive_triggers=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _keep_journal(dbapi_connection: Any, _record: object) -> None:
    # DELETE, not WAL: this SQLite may carry the WAL-reset bug, and with EXTRA it survives a power cut. The file is
    # changed by this, so only once it is known to be a ledger.
    dbapi_connection.execute("PRAGMA journal_mode=DELETE")


def _on_begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def revision_of(connection: Connection, place: Place) -> str | None:
    """Return the schema of a ledger, None where there are no tables at all; LedgerError for another's database."""
    tables = set(inspect(connection).get_table_names())
    if not tables:
        return None
    if {"alembic_version", "stamps", "entries"} <= tables:
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    raise LedgerError(
        "not_a_ledger",
        f"{place} is a database, but not a ledger.",
        next_step="Name another one with --ledger.",
        ledger=str(place),
    )


def upgrade(connection: Connection) -> None:
    """The schema is this program's, once the transaction is committed."""
    from alembic import command

    config = _alembic()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    reach("ledger.migrating")


def _alembic() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_migrations_folder()))
    return config


def _migrate(engine: Engine, path: Path) -> None:
    from alembic.script import ScriptDirectory

    with FileLock(f"{path}.migrate.lock", mode=0o600, fallback_to_soft=False):
        with engine.connect() as connection:
            revision = revision_of(connection, path)
        known = {script.revision for script in ScriptDirectory.from_config(_alembic()).walk_revisions()}
        if revision is not None and revision not in known:
            raise ConfigError(
                "schema_too_new",
                f"The ledger {path} was written by a newer ftjobs (schema {revision}).",
                next_step="Upgrade ftjobs, or name another ledger with --ledger.",
                ledger=str(path),
                schema=revision,
            )
        if revision is not None and revision != SCHEMA_REVISION:
            _back_up(path, revision)
            reach("ledger.backed_up")
        with engine.connect().execution_options(writes=True) as connection, connection.begin():
            upgrade(connection)
        reach("ledger.migrated")


def _back_up(path: Path, revision: str) -> None:
    """Copy the ledger beside itself before its schema changes."""
    for left in path.parent.glob(f"{path.name}.before-*.part*"):  # by a process that was killed
        left.unlink()
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
    back_up(path, path.with_name(f"{path.name}.before-{revision}-{stamp}"))


def _migrations_folder() -> Path:
    """Return the migrations: inside the package in a wheel, beside it in a checkout."""
    package = Path(__file__).parent.parent
    inside = package / "migrations"
    return inside if inside.is_dir() else package.parent / "migrations"


def check_stamp(engine: Engine, place: Place, stamp: str) -> None:
    """The ledger bears the stamp, given now where it had none; LedgerError where it bears another."""
    with engine.connect() as connection:
        found = connection.execute(select(stamps.c.stamp)).scalar()
    if found is None:
        with engine.connect().execution_options(writes=True) as connection, connection.begin():
            found = connection.execute(select(stamps.c.stamp)).scalar()
            if found is None:
                connection.execute(insert(stamps).values(stamp=stamp))
                found = stamp
    if found != stamp:
        raise LedgerError(
            "other_stamp",
            f"{place} is a {found} ledger and this command's money is {stamp}.",
            next_step="Name another ledger with --ledger, or another profile with --profile.",
            ledger=str(place),
        )
