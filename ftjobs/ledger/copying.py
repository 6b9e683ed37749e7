"""A whole ledger into another, empty one: every row as it is, or nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, RowMapping, Table, TableClause, column, exc, insert, select
from sqlalchemy import table as bare

from ftjobs.errors import LedgerError, UsageError
from ftjobs.ledger.backup import make_private
from ftjobs.ledger.engine import migrate, open_engine, unusable
from ftjobs.ledger.month import report
from ftjobs.ledger.place import Place, Server
from ftjobs.ledger.tables import metadata, stamps
from ftjobs.ledger.trails import has_entry, select_trails

_BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Copied:
    """What source and target both hold: rows by table, a digest over them, and the digest of the whole ledger."""

    rows: Mapping[str, int]
    digest: str
    month_digest: str


def copy_ledger(
    source: Place, target: Place, *, stamp: str, on_table: Callable[[str], None] = lambda _name: None
) -> Copied:
    """`target` holds what `source` does, compared row by row; a file is made, an empty database gets its tables.

    UsageError where the target is the source or holds anything. Nobody writes to the source meanwhile, and one
    transaction on the target takes it all: what fails or is interrupted leaves nothing there. `on_table` is
    told each table that was taken.
    """
    if source == target:
        raise UsageError(
            "same_ledger",
            f"{target} is the ledger that is to be copied.",
            next_step="Name another one with --to.",
            ledger=str(target),
        )
    try:
        is_ours = isinstance(target, Path) and make_private(target)  # another's is never taken away again
    except OSError as error:
        raise unusable(target, error) from None
    from_engine = open_engine(source, stamp=stamp)
    try:
        to_engine = _prepared(target, stamp)
        with _writing(from_engine, source) as old, _writing(to_engine, target) as new:
            return _copy(old, new, target, on_table)
    except BaseException:
        if is_ours and isinstance(target, Path):
            target.unlink(missing_ok=True)
        raise


def _prepared(target: Place, stamp: str) -> Engine:
    if isinstance(target, Server):
        from ftjobs.ledger.postgres import server_schema_and_stamp

        if server_schema_and_stamp(target)[0] is None:  # a person asked for it, and there is nothing to lose
            migrate(target, stamp=stamp)
    return open_engine(target, stamp=stamp)


@contextmanager
def _writing(engine: Engine, place: Place) -> Iterator[Connection]:
    try:
        with engine.connect().execution_options(writes=True) as connection, connection.begin():
            yield connection
    except exc.DBAPIError as error:
        raise unusable(place, error) from None


def _copy(old: Connection, new: Connection, target: Place, on_table: Callable[[str], None]) -> Copied:
    tables = [each for each in metadata.sorted_tables if each is not stamps]  # opening has stamped it
    if any(new.execute(select(each).limit(1)).first() for each in tables):
        raise UsageError(
            "target_not_empty",
            f"{target} holds a ledger already, and a copy goes into an empty one.",
            next_step="Name another file or database with --to.",
            ledger=str(target),
        )
    for each in tables:
        for rows in _batches(old, each):
            new.execute(insert(_bare(each)), [dict(row) for row in rows])
        on_table(each.name)
    if isinstance(target, Server):
        from ftjobs.ledger.postgres import set_sequences

        set_sequences(new)
    held, taken = _held(old), _held(new)
    if held != taken:
        raise LedgerError(
            "copy_differs",
            f"What {target} took is not what the ledger holds, so nothing was kept of it.",
            next_step="Go on with the ledger as it is, and report this with what `ftjobs doctor` says.",
            ledger=str(target),
        )
    return taken


def _held(connection: Connection) -> Copied:
    rows, whole = {}, hashlib.sha256()
    for each in metadata.sorted_tables:
        # In the order of the hashes: that of texts differs between databases.
        hashes = sorted(_hash(row) for batch in _batches(connection, each) for row in batch)
        rows[each.name] = len(hashes)
        whole.update(b"".join([each.name.encode(), *hashes]))
    trails = select_trails(connection, ~has_entry("void"))
    return Copied(rows, whole.hexdigest(), report(trails, None).digest)


def _hash(row: RowMapping) -> bytes:
    # PostgreSQL keeps no NUL: what stands in its place there is the same.
    text = json.dumps(list(row.values())).replace("\\u0000", "\\ufffd")
    return hashlib.sha256(text.encode()).digest()


def _batches(connection: Connection, table: Table) -> Iterator[Sequence[RowMapping]]:
    query = select(_bare(table)).order_by(*(column(key.name) for key in table.primary_key))
    return connection.execute(query, execution_options={"yield_per": _BATCH}).mappings().partitions()


def _bare(table: Table) -> TableClause:
    """Return the table with values as the database has them: what is damaged is copied too, and not mended."""
    return bare(table.name, *(column(each.name) for each in table.columns))
