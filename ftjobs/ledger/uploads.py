"""Uploads in parts that are under way, so that another process can go on with them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, select

from ftjobs.ledger.tables import files, uploads


@dataclass(frozen=True, slots=True)
class UploadUnderWay:
    """An Upload that the service began for a file, and what it has taken of it; one a file and account.

    `sha256` is the whole file's, `name` what its remote file will be called; `parts` are the ids and sizes in
    bytes of the accepted parts, in order, `sent_sha256` is the hash of their bytes. The service forgets the
    Upload at `expires_at`.
    """

    account: str
    sha256: str
    upload_id: str
    name: str
    expires_at: datetime
    parts: tuple[tuple[str, int], ...] = ()
    sent_sha256: str | None = None

    @property
    def sent_bytes(self) -> int:
        """How much of the file the service has."""
        return sum(size for _, size in self.parts)

    def with_part(self, part_id: str, size: int, sent_sha256: str) -> UploadUnderWay:
        """Return it with one more accepted part."""
        return replace(self, parts=(*self.parts, (part_id, size)), sent_sha256=sent_sha256)


def find(connection: Connection, account: str, sha256: str) -> UploadUnderWay | None:
    """Return what is under way for this file, None where nothing is."""
    row = connection.execute(select(uploads).where(_of(account, sha256))).mappings().first()
    if row is None:
        return None
    parts = tuple((str(part_id), int(size)) for part_id, size in json.loads(row["parts"]))
    return UploadUnderWay(**{**row, "parts": parts})


def keep(connection: Connection, upload: UploadUnderWay) -> None:
    """Record it in place of what was known of this file."""
    forget(connection, upload.account, upload.sha256)
    connection.execute(
        insert(uploads).values(
            account=upload.account,
            sha256=upload.sha256,
            upload_id=upload.upload_id,
            name=upload.name,
            expires_at=upload.expires_at,
            parts=json.dumps(upload.parts),
            sent_sha256=upload.sent_sha256,
        )
    )


def forget(connection: Connection, account: str, sha256: str) -> None:
    """Record that nothing is under way for this file."""
    connection.execute(delete(uploads).where(_of(account, sha256)))


def finish(connection: Connection, file_id: str, account: str, sha256: str, now: datetime) -> None:
    """Record that the account holds an upload of these bytes, and that none is under way any more."""
    forget(connection, account, sha256)
    if not connection.execute(select(files.c.id).where(files.c.id == file_id)).first():
        connection.execute(insert(files).values(id=file_id, account=account, sha256=sha256, uploaded_at=now))


def known_file(connection: Connection, account: str, sha256: str) -> str | None:
    """Return the newest upload of these bytes in the account, None where none is known."""
    query = (
        select(files.c.id)
        .where(files.c.account == account, files.c.sha256 == sha256)
        .order_by(files.c.uploaded_at.desc())
        .limit(1)
    )
    return connection.execute(query).scalar()


def _of(account: str, sha256: str) -> ColumnElement[bool]:
    return and_(uploads.c.account == account, uploads.c.sha256 == sha256)
