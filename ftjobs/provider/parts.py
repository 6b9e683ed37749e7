"""A training file sent in parts: the Uploads API, one request a function; `uploads` judges its answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from ftjobs.provider.api import UPLOAD_TIMEOUT, Api
from ftjobs.provider.objects import RemoteFile, parse_file
from ftjobs.provider.retrying import TryAgainError
from ftjobs.provider.uploads import (
    MIME_TYPE,
    HashingReader,
    RemoteUpload,
    completed_file,
    dataset_changed,
    newest_named,
    opened,
    parse_begun,
    parse_part,
)

if TYPE_CHECKING:
    from hashlib import _Hash

_NEWEST_FILES = 1000


def begin_upload(api: Api, name: str, size: int) -> RemoteUpload:
    """Return a new, pending Upload for a training file of `size` bytes; it holds nothing yet."""
    return api.read(
        lambda client: client.uploads.with_raw_response.create(
            bytes=size, filename=name, mime_type=MIME_TYPE, purpose="fine-tune"
        ),
        lambda body: parse_begun(body, size=size),
        doing="the upload",
    )


def send_part(
    api: Api,
    upload_id: str,
    path: Path,
    *,
    start: int,
    size: int,
    before: _Hash,
    others: frozenset[str] = frozenset(),
    on_progress: Callable[[int], None] = lambda _: None,
) -> tuple[str, _Hash]:
    """Return the id of the part that holds these bytes of `path`, and the hash of all that was sent so far.

    The part is streamed and hashed as it is sent; `before` is the hash of the bytes before it, `others` are
    the parts that exist. DatasetError where the file has become too short.
    """
    left, digest = size, before

    def ask(client: Any) -> Any:
        nonlocal left, digest
        with opened(path) as source:
            if source.seek(0, 2) < start + size:
                raise dataset_changed(path)
            sent = HashingReader(source, on_progress, start=start, size=size, before=before)
            answer = client.uploads.parts.with_raw_response.create(
                upload_id, data=("part", cast(IO[bytes], sent)), timeout=UPLOAD_TIMEOUT
            )
            left, digest = size - sent.tell(), sent.digest_so_far()
            return answer

    def parse(body: object) -> tuple[str, _Hash]:
        part_id = parse_part(body, upload_id=upload_id, others=others)
        if left:
            raise TryAgainError("an answer before the whole part was sent")
        return part_id, digest

    return api.read(ask, parse, doing="the upload")


def complete_upload(api: Api, upload_id: str, part_ids: Sequence[str], *, size: int) -> RemoteFile:
    """Return the file that these parts make, in this order.

    RejectedError where the Upload takes no completion (any more); it may have been completed before.
    """
    return api.read(
        lambda client: client.uploads.with_raw_response.complete(
            upload_id, part_ids=list(part_ids), timeout=UPLOAD_TIMEOUT
        ),
        lambda body: parse_file(completed_file(body, upload_id=upload_id, size=size)),
        doing="the upload",
    )


def cancel_upload(api: Api, upload_id: str) -> None:
    """Ask the service, once, to forget an unfinished Upload: it would do so by itself within the hour."""
    api.send_once(lambda client: client.uploads.with_raw_response.cancel(upload_id))


def find_file(api: Api, name: str, *, size: int) -> RemoteFile | None:
    """Return the newest training file of this very name and size, None where the newest files have none."""

    def parse(body: object) -> RemoteFile | None:
        found = newest_named(body, name, size=size)
        return None if found is None else parse_file(found)

    return api.read(
        lambda client: client.files.with_raw_response.list(purpose="fine-tune", limit=_NEWEST_FILES),
        parse,
        doing="the list of files",
    )
