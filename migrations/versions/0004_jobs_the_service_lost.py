"""Count how often in a row the service said that it does not have a job."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

WHOLE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    # ADD COLUMN leaves rows and triggers alone; batch mode would make the table anew.
    op.add_column("jobs", sa.Column("missed", WHOLE, nullable=False, server_default=sa.text("0")))
