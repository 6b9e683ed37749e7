"""Keep entries from being replaced by any SQLite program, and submissions and jobs from a DELETE."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # INSERT OR REPLACE deletes without a delete trigger wherever recursive_triggers is off, as it is by default.
    op.execute(
        "CREATE TRIGGER entries_no_replace BEFORE INSERT ON entries WHEN EXISTS (SELECT 1 FROM entries"
        " WHERE id = NEW.id OR (submission_id = NEW.submission_id AND kind = NEW.kind AND seq = NEW.seq))"
        " BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END"
    )
    for table in ("submissions", "jobs"):
        op.execute(
            f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} are never deleted'); END"
        )
