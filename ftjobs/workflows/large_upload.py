"""A file above the size of one request, in parts that survive the process that sent them.

An Upload is the service's for an hour; the ledger remembers it with the parts that were accepted, so that the
same command goes on after them. Nothing of it costs money, so a doubt is always settled by uploading anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from ftjobs.errors import DatasetError, RejectedError
from ftjobs.jobs.submission import new_id
from ftjobs.ledger.uploads import UploadUnderWay
from ftjobs.logs import get_logger
from ftjobs.provider.parts import begin_upload, cancel_upload, complete_upload, find_file, send_part
from ftjobs.provider.uploads import dataset_changed, opened

if TYPE_CHECKING:
    from hashlib import _Hash

    from ftjobs.provider.objects import RemoteFile
    from ftjobs.workflows.session import Session
    from ftjobs.workflows.upload import Source

log = get_logger(__name__)

_READ_BYTES = 1024 * 1024
# How a service may say that it does not have an Upload any more; None is our own word for it.
_NO_SUCH_UPLOAD = frozenset({None, 400, 404, 410})


def upload_in_parts(
    source: Source, session: Session, *, name: str, is_own: bool, on_progress: Callable[[int], None]
) -> RemoteFile:
    """Return the remote file with these bytes, after going on with an earlier Upload where one is under way.

    The caller holds the upload's lock. `name` is what the file is called, without its suffix; `on_progress` gets
    the bytes that the service has, from where an earlier process stopped. Where the file `is_own`, the
    submission's alone, only an Upload that was begun under this name is gone on with. DatasetError where the file
    is not the one surveyed (then nothing is completed); RejectedError where the service refuses, or the hour is
    over.
    """
    ledger = session.ledger
    under_way = ledger.files.under_way(session.account, source.sha256)
    if under_way is not None and (under_way.name.startswith(name) or not is_own):
        try:
            if under_way.sent_bytes < source.bytes:  # else it may be completed already
                _refuse_expired(under_way, source, session)
            return _finish(under_way, source, session, on_progress)
        except RejectedError as refused:
            if refused.details.get("http_status") not in _NO_SUCH_UPLOAD:
                raise
            log.info("upload.begun_anew", upload_id=under_way.upload_id, reason=refused.message)
    begun = _begin(source, session, name)
    try:
        return _finish(begun, source, session, on_progress)
    except RejectedError:
        reached = ledger.files.under_way(session.account, source.sha256) or begun
        ledger.files.forget(session.account, source.sha256)
        # Its own refusal counts, not our clock, which may be wrong; the clock only says what it is about.
        _refuse_expired(reached, source, session)
        raise


def _begin(source: Source, session: Session, name: str) -> UploadUnderWay:
    # A name that only this Upload has: its file can be found by it, should the answer to its completion be lost.
    unique = f"{name}-{new_id(session.now(), session.ambient.entropy(10))}.jsonl"
    begun = begin_upload(session.api, unique, source.bytes)
    upload = UploadUnderWay(session.account, source.sha256, begun.id, unique, begun.expires_at)
    session.ledger.files.keep(upload)
    log.info("upload.begun", upload_id=upload.upload_id, bytes=source.bytes, expires_at=str(upload.expires_at))
    return upload


def _finish(
    upload: UploadUnderWay, source: Source, session: Session, on_progress: Callable[[int], None]
) -> RemoteFile:
    """Send what the service does not have yet, and return the file that the parts make."""
    api = session.api
    digest = _hash_again(upload, source, session)
    while (start := upload.sent_bytes) < source.bytes:
        size = min(api.profile.part_bytes, source.bytes - start)
        part_id, digest = send_part(
            api,
            upload.upload_id,
            source.path,
            start=start,
            size=size,
            before=digest,
            others=frozenset(known for known, _ in upload.parts),
            on_progress=on_progress,
        )
        upload = upload.with_part(part_id, size, digest.hexdigest())
        session.ledger.files.keep(upload)
        log.info("upload.part_accepted", upload_id=upload.upload_id, part_id=part_id, bytes=upload.sent_bytes)
    if digest.hexdigest() != source.sha256:
        raise _changed(upload, source, session)
    return _complete(upload, source, session)


def _complete(upload: UploadUnderWay, source: Source, session: Session) -> RemoteFile:
    api = session.api
    try:
        made = complete_upload(api, upload.upload_id, [part_id for part_id, _ in upload.parts], size=source.bytes)
    except RejectedError as refused:
        # It may have been completed already, and the answer lost: the API has no way to ask for an Upload.
        found = find_file(api, upload.name, size=source.bytes)
        if found is None:
            raise
        log.info("upload.found_completed", upload_id=upload.upload_id, file_id=found.id, reason=refused.message)
        made = found
    return api.retrieve_file(made.id) or made  # the file inside an Upload may come without its status


def _hash_again(upload: UploadUnderWay, source: Source, session: Session) -> _Hash:
    """Return the hash of the bytes that the service has, as they lie here now; DatasetError where they differ."""
    digest, left = hashlib.sha256(), upload.sent_bytes
    if left == 0:
        return digest
    with opened(source.path) as file:
        while left and (chunk := file.read(min(left, _READ_BYTES))):
            digest.update(chunk)
            left -= len(chunk)
    if digest.hexdigest() != upload.sent_sha256:
        raise _changed(upload, source, session)
    return digest


def _changed(upload: UploadUnderWay, source: Source, session: Session) -> DatasetError:
    """Give the Upload up: it holds bytes that nobody surveyed."""
    cancel_upload(session.api, upload.upload_id)
    session.ledger.files.forget(upload.account, upload.sha256)
    return dataset_changed(source.path)


def _refuse_expired(upload: UploadUnderWay, source: Source, session: Session) -> None:
    if session.now() >= upload.expires_at:
        raise RejectedError(
            "upload_expired",
            f"The service keeps an unfinished upload for an hour; {upload.sent_bytes:,} of {source.bytes:,} bytes "
            "had left by then.",
            next_step="Run the same command again over a faster connection, or train on a smaller file.",
            path=str(source.path),
        )
