"""Run the migrations on the connection that the ledger opened, or on FTJOBS_LEDGER_URL for developers."""

from __future__ import annotations

import os

from alembic import context
from sqlalchemy import Connection, create_engine

from ftjobs.ledger.tables import metadata


def run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    with create_engine(os.environ["FTJOBS_LEDGER_URL"]).connect() as opened:
        run(opened)
        opened.commit()
