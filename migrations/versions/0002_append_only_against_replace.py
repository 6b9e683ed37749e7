"""Keep entries from being replaced by any SQLite program, and submissions and jobs from a DELETE."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    if not is_postgresql:  # there, whatever replaces a row updates it
        # INSERT OR REPLACE deletes without a delete trigger wherever recursive_triggers is off, as is usual.
        op.execute(
            "CREATE TRIGGER entries_no_replace BEFORE INSERT ON entries WHEN EXISTS (SELECT 1 FROM entries"
            " WHERE id = NEW.id OR (submission_id = NEW.submission_id AND kind = NEW.kind AND seq = NEW.seq))"
            " BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END"
        )
    for table in ("submissions", "jobs"):
        refusal = f"'{table} are never deleted'"
        if is_postgresql:
            for verb, each in (("DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                    f"FOR EACH {each} EXECUTE FUNCTION ftjobs_refuse({refusal})"
                )
        else:
            op.execute(
                f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} "
                f"BEGIN SELECT RAISE(ABORT, {refusal}); END"
            )
