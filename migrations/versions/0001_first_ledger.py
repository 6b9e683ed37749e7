"""Make the first ledger: submissions, jobs, files and append-only entries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "stamps",
        sa.Column("stamp", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("stamp"),
        sqlite_strict=True,
    )
    op.create_table(
        "submissions",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("holds_key", sa.Integer, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("profile", sa.Text, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("recorded_at", sa.Text, nullable=False),
        sa.Column("spec", sa.Text),
        sa.Column("quote", sa.Text),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("training_file_id", sa.Text),
        sa.Column("validation_file_id", sa.Text),
        sa.Column("error_code", sa.Text),
        sa.Column("error_message", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_submissions"),
        sa.CheckConstraint(
            "state IN ('recorded','sending','uncertain','rejected','abandoned','created')",
            name=op.f("ck_submissions_state"),
        ),
        sqlite_strict=True,
    )
    op.create_index(
        "uq_submissions_live_key",
        "submissions",
        ["key"],
        unique=True,
        sqlite_where=sa.text("holds_key = 1"),
        postgresql_where=sa.text("holds_key = 1"),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("submission_id", sa.Text, nullable=False),
        sa.Column("raw", sa.Text, nullable=False),
        sa.Column("seen_at", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.ForeignKeyConstraint(["submission_id"], ["submissions.id"], name="fk_jobs_submission_id"),
        sa.UniqueConstraint("submission_id", name="uq_jobs_submission_id"),
        sqlite_strict=True,
    )
    op.create_table(
        "files",
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("uploaded_at", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_files"),
        sqlite_strict=True,
    )
    op.create_index("ix_files_account_sha256", "files", ["account", "sha256"])
    op.create_table(
        "entries",
        sa.Column("id", WHOLE, nullable=False, autoincrement=True),
        sa.Column("submission_id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("seq", WHOLE, nullable=False),
        sa.Column("tokens", WHOLE),
        sa.Column("amount_nano_usd", WHOLE, nullable=False),
        sa.Column("low_nano_usd", WHOLE),
        sa.Column("high_nano_usd", WHOLE),
        sa.Column("nano_usd_per_1m", WHOLE),
        sa.Column("price_list", sa.Text),
        sa.Column("effective_from", sa.Text),
        sa.Column("basis", sa.Text),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("occurred_at", sa.Text, nullable=False),
        sa.Column("recorded_at", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_entries"),
        sa.ForeignKeyConstraint(["submission_id"], ["submissions.id"], name="fk_entries_submission_id"),
        sa.UniqueConstraint("submission_id", "kind", "seq", name="uq_entries_submission_id_kind_seq"),
        sa.CheckConstraint("kind IN ('estimate','void','billed','adjustment')", name=op.f("ck_entries_kind")),
        sqlite_strict=True,
    )
    op.create_index("ix_entries_occurred_at", "entries", ["occurred_at"])
    if op.get_bind().dialect.name == "postgresql":
        # restrict_violation: what a driver calls an error of integrity, as SQLite's is one
        op.execute(
            "CREATE FUNCTION ftjobs_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " RAISE EXCEPTION USING MESSAGE = TG_ARGV[0], ERRCODE = 'restrict_violation'; END $$"
        )
        for verb, each in (("UPDATE", "ROW"), ("DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
            op.execute(
                f"CREATE TRIGGER entries_no_{verb.lower()} BEFORE {verb} ON entries "
                f"FOR EACH {each} EXECUTE FUNCTION ftjobs_refuse('entries are append-only')"
            )
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER entries_no_{verb.lower()} BEFORE {verb} ON entries "
            "BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END"
        )
