"""What travels when a file is uploaded: bytes that are hashed as they leave, and the Uploads API's answers.

Above the size of one request a file goes in parts: POST /uploads, POST /uploads/{id}/parts, POST
/uploads/{id}/complete (API reference of openai 3.54, read 2026-11-22). An Upload holds 8 GB in parts of at most
64 MB and expires an hour after it was begun.
"""

from __future__ import annotations

import codecs
import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from ftjobs.errors import DatasetError, RejectedError, UsageError
from ftjobs.jobs.job import DAMAGED
from ftjobs.provider.outcomes import one_line
from ftjobs.provider.pages import list_in

if TYPE_CHECKING:
    from hashlib import _Hash

MIME_TYPE = "text/jsonl"
_ENDED = frozenset({"cancelled", "expired"})


@dataclass(frozen=True, slots=True)
class RemoteUpload:
    """An Upload that takes parts until it expires."""

    id: str
    expires_at: datetime


class HashingReader(io.BufferedIOBase):
    """A stretch of a binary file, hashed as it is read; a rewind starts over.

    It begins at `start` and is `size` bytes long, by default as long as the file was when opened. `before` is
    the hash of what precedes it, which is left as it is; `on_progress` gets places in the file.
    """

    def __init__(
        self,
        source: BinaryIO,
        on_progress: Callable[[int], None],
        *,
        start: int = 0,
        size: int | None = None,
        before: _Hash | None = None,
    ) -> None:
        self._source = source
        self._on_progress = on_progress
        self._start = start
        self._size = source.seek(0, io.SEEK_END) - start if size is None else size
        self._before = before or hashlib.sha256()
        self.seek(0)

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes; OSError where the file ends before the stretch does."""
        left = self._size - self.tell()
        chunk = self._source.read(left if size is None or size < 0 else min(size, left))
        if left and size != 0 and not chunk:
            raise OSError("the file became shorter")  # its length was declared already
        self._hash.update(chunk)
        self._on_progress(self._source.tell())
        return chunk

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the place in the stretch."""
        return self._source.tell() - self._start

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place in the stretch; at 0 the hash starts over."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.tell(), io.SEEK_END: self._size}[whence]
        position = self._source.seek(self._start + base + offset) - self._start
        if position == 0:
            self._hash = self._before.copy()
        return position

    def digest_so_far(self) -> _Hash:
        """Return the hash of what precedes the stretch and what was read of it."""
        return self._hash.copy()

    def hexdigest(self) -> str:
        """Return that hash as text."""
        return self._hash.hexdigest()


class _Marked(io.BufferedIOBase):
    """A byte-order mark, and what a reader gives after it."""

    def __init__(self, reader: HashingReader) -> None:
        self._reader = reader
        self._left = codecs.BOM_UTF8

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes, the mark before all others."""
        if self._left:
            mark, self._left = self._left, b""
            return mark
        return self._reader.read(size)

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True: whoever sends asks for the size that way, and rewinds."""
        return True

    def tell(self) -> int:
        """Return the place, the mark included."""
        return 0 if self._left else len(codecs.BOM_UTF8) + self._reader.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to the start or the end, all that sending a file needs; io.UnsupportedOperation for another place."""
        match offset, whence:
            case 0, io.SEEK_SET:
                self._left = codecs.BOM_UTF8
                return self._reader.seek(0)
            case 0, io.SEEK_END:
                self._left = b""
                return len(codecs.BOM_UTF8) + self._reader.seek(0, io.SEEK_END)
            case _:
                raise io.UnsupportedOperation("a place between the start and the end")


def marked(reader: HashingReader) -> io.BufferedIOBase:
    """Return what sends the file with a byte-order mark, its own if it has one; the mark added is not hashed."""
    has_one = reader.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8
    reader.seek(0)
    return reader if has_one else _Marked(reader)


def opened(path: Path) -> BinaryIO:
    """Return the open file; UsageError where it cannot be read any more."""
    try:
        return path.open("rb")
    except OSError as error:
        raise UsageError(
            "dataset_missing",
            f"{path} cannot be read any more: {error.strerror}.",
            next_step="Put the file back and run the same command again.",
            path=str(path),
        ) from None


def dataset_changed(path: Path, **details: object) -> DatasetError:
    """Return the error for a file that is not, or not any more, what was surveyed."""
    return DatasetError(
        "dataset_changed",
        f"{path} changed while it was being submitted; nothing was created.",
        next_step="Run the same command again once the file is complete.",
        path=str(path),
        **details,
    )


def parse_begun(body: object, *, size: int) -> RemoteUpload:
    """Return the new, pending Upload of `size` bytes; ValueError for anything else."""
    status, raw = _upload(body, size)
    expires_at = raw.get("expires_at")
    if status != "pending":
        raise ValueError(f"a new upload that is {status}")
    if isinstance(expires_at, bool) or not isinstance(expires_at, int | float):
        raise ValueError("an upload that does not say when it expires")
    try:
        return RemoteUpload(_usable_id(raw), datetime.fromtimestamp(expires_at, UTC))
    except (OverflowError, OSError):
        raise ValueError("an upload that expires at no time") from None


def completed_file(body: object, *, upload_id: str, size: int) -> object:
    """Return what a completed Upload says of its file; ValueError for anything else.

    RejectedError where the Upload has ended in another way.
    """
    status, raw = _upload(body, size)
    if _usable_id(raw) != upload_id:
        raise ValueError("the object is another upload")
    if status in _ENDED:
        raise RejectedError(
            "upload_over",
            f"The API did not complete upload {upload_id}: it is {status}.",
            next_step="Run the same command again, it uploads the file anew.",
            upload_id=upload_id,
        )
    file = raw.get("file")
    if status != "completed" or not isinstance(file, dict) or file.get("bytes", size) != size:
        raise ValueError(f"an upload that is {status}, without its file")
    return file


def newest_named(body: object, name: str, *, size: int) -> object | None:
    """Return the first file of a list that has this very name and size, None where none has."""
    files = (raw for raw in list_in(body, "files")[0] if isinstance(raw, dict))
    return next((raw for raw in files if raw.get("filename") == name and raw.get("bytes") == size), None)


def parse_part(body: object, *, upload_id: str, others: frozenset[str]) -> str:
    """Return the id of a new part of the Upload; ValueError for anything else, one of the `others` included."""
    if not isinstance(body, dict) or body.get("object") != "upload.part":
        raise ValueError("no part of an upload")
    found = _usable_id(body)
    if body.get("upload_id", upload_id) != upload_id or found in others:
        raise ValueError("the object is another part")
    return found


def _upload(body: object, size: int) -> tuple[str, dict[str, object]]:
    if not isinstance(body, dict) or body.get("object") != "upload" or not isinstance(body.get("status"), str):
        raise ValueError("no upload object")
    if body.get("bytes", size) != size:
        raise ValueError("the object is another upload")
    return one_line(body["status"]), body


def _usable_id(body: dict[str, object]) -> str:
    found = body.get("id")
    if not isinstance(found, str) or not found or DAMAGED in found:
        raise ValueError("an object without a usable id")
    return found
