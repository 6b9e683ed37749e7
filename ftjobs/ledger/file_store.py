"""Uploaded files in the database, and uploads in parts that are under way: each method is one transaction."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select

from ftjobs.ledger.tables import files, uploads
from ftjobs.ledger.uploads import UploadUnderWay


class FileStore:
    """What a ledger knows of the files that its accounts hold."""

    def __init__(self, transaction: Callable[..., AbstractContextManager[Connection]]) -> None:
        self._transaction = transaction

    def remember(self, file_id: str, *, account: str, sha256: str, now: datetime) -> None:
        """Record that the account holds an upload of these bytes, and that none is under way any more."""
        with self._transaction(writes=True) as connection:
            _forget(connection, account, sha256)
            if not connection.execute(select(files.c.id).where(files.c.id == file_id)).first():
                row = {"id": file_id, "account": account, "sha256": sha256, "uploaded_at": now}
                connection.execute(insert(files), row)

    def known(self, account: str, sha256: str) -> str | None:
        """Return the newest upload of these bytes in the account, None where none is known."""
        query = (
            select(files.c.id)
            .where(files.c.account == account, files.c.sha256 == sha256)
            .order_by(files.c.uploaded_at.desc())
            .limit(1)
        )
        with self._transaction(writes=False) as connection:
            return connection.execute(query).scalar()

    def under_way(self, account: str, sha256: str) -> UploadUnderWay | None:
        """Return the upload in parts that was begun and not finished for these bytes, None where none was."""
        with self._transaction(writes=False) as connection:
            row = connection.execute(select(uploads).where(_of(account, sha256))).mappings().first()
        if row is None:
            return None
        parts = tuple((str(part_id), int(size)) for part_id, size in json.loads(row["parts"]))
        return UploadUnderWay(**{**row, "parts": parts})

    def keep(self, upload: UploadUnderWay) -> None:
        """Record how far an upload in parts has come, in place of what was known of this file."""
        row = {
            "account": upload.account,
            "sha256": upload.sha256,
            "upload_id": upload.upload_id,
            "name": upload.name,
            "expires_at": upload.expires_at,
            "parts": json.dumps(upload.parts),
            "sent_sha256": upload.sent_sha256,
        }
        with self._transaction(writes=True) as connection:
            _forget(connection, upload.account, upload.sha256)
            connection.execute(insert(uploads), row)

    def forget(self, account: str, sha256: str) -> None:
        """Record that what was under way for these bytes leads nowhere."""
        with self._transaction(writes=True) as connection:
            _forget(connection, account, sha256)


def _forget(connection: Connection, account: str, sha256: str) -> None:
    connection.execute(delete(uploads).where(_of(account, sha256)))


def _of(account: str, sha256: str) -> ColumnElement[bool]:
    return and_(uploads.c.account == account, uploads.c.sha256 == sha256)
