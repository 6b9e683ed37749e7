"""Remember uploads in parts that are under way, one a file and account."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "uploads",
        sa.Column("account", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("upload_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("expires_at", sa.Text, nullable=False),
        sa.Column("parts", sa.Text, nullable=False),
        sa.Column("sent_sha256", sa.Text),
        sa.PrimaryKeyConstraint("account", "sha256", name="pk_uploads"),
        sqlite_strict=True,
    )
