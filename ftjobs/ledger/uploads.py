"""Uploads in parts that are under way, so that another process can go on with them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime


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
