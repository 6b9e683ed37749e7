"""Keep the hours for which a tuned model was hosted, beside the entries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer, "sqlite")
REFUSAL = "'hosting is append-only'"


def upgrade() -> None:
    op.create_table(
        "hosting",
        sa.Column("id", WHOLE, nullable=False, autoincrement=True),
        sa.Column("submission_id", sa.Text, nullable=False),
        sa.Column("seq", WHOLE, nullable=False),
        sa.Column("seconds", WHOLE, nullable=False),
        sa.Column("nano_usd_per_hour", WHOLE, nullable=False),
        sa.Column("amount_nano_usd", WHOLE, nullable=False),
        sa.Column("price_list", sa.Text, nullable=False),
        sa.Column("effective_from", sa.Text),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("occurred_at", sa.Text, nullable=False),
        sa.Column("recorded_at", sa.Text, nullable=False),
        sa.Column("recorded_by", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_hosting"),
        sa.ForeignKeyConstraint(["submission_id"], ["submissions.id"], name="fk_hosting_submission_id"),
        sa.UniqueConstraint("submission_id", "seq", name="uq_hosting_submission_id_seq"),
        sqlite_strict=True,
    )
    op.create_index("ix_hosting_occurred_at", "hosting", ["occurred_at"])
    if op.get_bind().dialect.name == "postgresql":
        for verb, each in (("UPDATE", "ROW"), ("DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
            op.execute(
                f"CREATE TRIGGER hosting_no_{verb.lower()} BEFORE {verb} ON hosting "
                f"FOR EACH {each} EXECUTE FUNCTION ftjobs_refuse({REFUSAL})"
            )
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER hosting_no_{verb.lower()} BEFORE {verb} ON hosting "
            f"BEGIN SELECT RAISE(ABORT, {REFUSAL}); END"
        )
    op.execute(
        "CREATE TRIGGER hosting_no_replace BEFORE INSERT ON hosting WHEN EXISTS (SELECT 1 FROM hosting"
        " WHERE id = NEW.id OR (submission_id = NEW.submission_id AND seq = NEW.seq))"
        " BEGIN SELECT RAISE(ABORT, 'hosting is append-only'); END"
    )
