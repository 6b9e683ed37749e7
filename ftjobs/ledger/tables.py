"""The ledger's tables, as the migrations make them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import TypeVar

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

from ftjobs.errors import LedgerError

T = TypeVar("T")
_DAYS = 1024


def instant_of(value: str) -> datetime:
    """Return the instant of a text as `UtcText` keeps it; LedgerError for any other."""
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise _no_time(value) from None


@lru_cache(_DAYS)
def check_day(value: str) -> None:
    """Raise LedgerError unless the text is a day as `DateText` keeps it."""
    _read(date.fromisoformat, value)


def _no_time(value: str) -> LedgerError:
    return LedgerError(
        "ledger_damaged",
        f"The ledger holds {value!r} where a time must be: another program has written into it.",
        next_step="Keep the file, and restore a backup.",
    )


def _read(parse: Callable[[str], T], value: str | None) -> T | None:
    try:
        return parse(value) if value else None
    except ValueError:
        raise _no_time(str(value)) from None


class UtcText(TypeDecorator[datetime]):
    """An aware instant as fixed-width ISO text in UTC with microseconds: it sorts as time does everywhere."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> str | None:
        """Return the text of an aware instant; ValueError for a naive one."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("the ledger takes aware instants only")
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def process_result_value(self, value: str | None, dialect: Dialect) -> datetime | None:
        """Return the instant."""
        return _read(datetime.fromisoformat, value)


class DateText(TypeDecorator[date]):
    """A day as ISO text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: date | None, dialect: Dialect) -> str | None:
        """Return the text."""
        return value.isoformat() if value else None

    def process_result_value(self, value: str | None, dialect: Dialect) -> date | None:
        """Return the day."""
        return _read(date.fromisoformat, value)


# A plain BigInteger breaks STRICT tables on SQLite (facts, section 7).
Whole = BigInteger().with_variant(Integer, "sqlite")
# A flag is 0 or 1 in every database, so that one statement means the same in all of them.
Flag = Integer()

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)

# One row: whose money this is ("real" or "sandbox"). Stamps never mix.
stamps = Table("stamps", metadata, Column("stamp", Text, primary_key=True), sqlite_strict=True)

submissions = Table(
    "submissions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("key", Text, nullable=False),
    # 1 while the submission is live or succeeded: the unique index below makes paying twice a database error.
    Column("holds_key", Flag, nullable=False),
    Column("state", Text, nullable=False),
    Column("profile", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("recorded_at", UtcText, nullable=False),
    Column("spec", Text),
    Column("quote", Text),
    Column("tags", Text, nullable=False),
    Column("training_file_id", Text),
    Column("validation_file_id", Text),
    Column("error_code", Text),
    Column("error_message", Text),
    CheckConstraint("state IN ('recorded','sending','uncertain','rejected','abandoned','created')", name="state"),
    Index(
        "uq_submissions_live_key",
        "key",
        unique=True,
        # As the migration has it for PostgreSQL too; said here, it would load that dialect in every process.
        sqlite_where=text("holds_key = 1"),
    ),
    sqlite_strict=True,
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("submission_id", Text, ForeignKey("submissions.id"), nullable=False, unique=True),
    Column("raw", Text, nullable=False),
    Column("seen_at", UtcText, nullable=False),
    # How often in a row the service said that it has no such job.
    Column("missed", Whole, nullable=False, server_default=text("0")),
    sqlite_strict=True,
)

files = Table(
    "files",
    metadata,
    Column("id", Text, primary_key=True),
    Column("account", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("uploaded_at", UtcText, nullable=False),
    Index("ix_files_account_sha256", "account", "sha256"),
    sqlite_strict=True,
)

# Uploads in parts that are under way; a row goes when its file is there.
uploads = Table(
    "uploads",
    metadata,
    Column("account", Text, primary_key=True),
    Column("sha256", Text, primary_key=True),
    Column("upload_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("expires_at", UtcText, nullable=False),
    # JSON: [[part id, bytes], …] in order
    Column("parts", Text, nullable=False),
    Column("sent_sha256", Text),
    sqlite_strict=True,
)

entries = Table(
    "entries",
    metadata,
    Column("id", Whole, primary_key=True, autoincrement=True),
    Column("submission_id", Text, ForeignKey("submissions.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("seq", Whole, nullable=False),
    Column("tokens", Whole),
    Column("amount_nano_usd", Whole, nullable=False),
    Column("low_nano_usd", Whole),
    Column("high_nano_usd", Whole),
    Column("nano_usd_per_1m", Whole),
    Column("price_list", Text),
    Column("effective_from", DateText),
    Column("basis", Text),
    Column("source", Text, nullable=False),
    Column("occurred_at", UtcText, nullable=False),
    Column("recorded_at", UtcText, nullable=False),
    # Who adjusted; NULL for what ftjobs itself works out.
    Column("recorded_by", Text),
    CheckConstraint("kind IN ('estimate','void','billed','adjustment')", name="kind"),
    UniqueConstraint("submission_id", "kind", "seq"),
    Index("ix_entries_occurred_at", "occurred_at"),
    sqlite_strict=True,
)

# Hours for which a job's model was hosted, as a person recorded them: no part of the training bill.
hosting = Table(
    "hosting",
    metadata,
    Column("id", Whole, primary_key=True, autoincrement=True),
    Column("submission_id", Text, ForeignKey("submissions.id"), nullable=False),
    Column("seq", Whole, nullable=False),
    # Below 0 where hours are taken back.
    Column("seconds", Whole, nullable=False),
    Column("nano_usd_per_hour", Whole, nullable=False),
    Column("amount_nano_usd", Whole, nullable=False),
    Column("price_list", Text, nullable=False),
    Column("effective_from", DateText),
    Column("source", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("occurred_at", UtcText, nullable=False),
    Column("recorded_at", UtcText, nullable=False),
    Column("recorded_by", Text, nullable=False),
    UniqueConstraint("submission_id", "seq"),
    Index("ix_hosting_occurred_at", "occurred_at"),
    sqlite_strict=True,
)

# What a submission, its job or its tags were before they changed, so that an earlier print can be made again.
changes = Table(
    "changes",
    metadata,
    Column("id", Whole, primary_key=True, autoincrement=True),
    Column("submission_id", Text, ForeignKey("submissions.id"), nullable=False),
    Column("what", Text, nullable=False),
    # JSON; NULL where there was none
    Column("before", Text),
    Column("recorded_at", UtcText, nullable=False),
    Column("recorded_by", Text),
    CheckConstraint("what IN ('state','job','tags')", name="what"),
    Index("ix_changes_recorded_at", "recorded_at"),
    sqlite_strict=True,
)

# What an account's cost report said of a day, as often as it said something else: the newest row counts.
invoices = Table(
    "invoices",
    metadata,
    Column("id", Whole, primary_key=True, autoincrement=True),
    Column("account", Text, nullable=False),
    Column("day", DateText, nullable=False),
    Column("project_id", Text, nullable=False),
    Column("line_item", Text, nullable=False),
    Column("amount_nano_usd", Whole, nullable=False),
    # a decimal number as the report spells it
    Column("quantity", Text),
    Column("quantity_unit", Text),
    Column("recorded_at", UtcText, nullable=False),
    Index("ix_invoices_account_day", "account", "day"),
    sqlite_strict=True,
)

reconciliations = Table(
    "reconciliations",
    metadata,
    Column("id", Whole, primary_key=True, autoincrement=True),
    Column("account", Text, nullable=False),
    Column("first_day", DateText, nullable=False),
    Column("last_day", DateText, nullable=False),
    # JSON
    Column("result", Text, nullable=False),
    Column("recorded_at", UtcText, nullable=False),
    Column("recorded_by", Text),
    sqlite_strict=True,
)
