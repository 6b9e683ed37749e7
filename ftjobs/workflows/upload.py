"""Local bytes as a remote file that is ready for training."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from ftjobs.ambient import Ambient
from ftjobs.errors import DatasetError, RejectedError, UnavailableError
from ftjobs.failpoints import reach
from ftjobs.ledger.locks import upload_lock
from ftjobs.logs import get_logger
from ftjobs.provider.api import Api
from ftjobs.provider.objects import RemoteFile
from ftjobs.provider.profiles import Profile
from ftjobs.workflows.large_upload import upload_in_parts
from ftjobs.workflows.lookup import mark_of
from ftjobs.workflows.session import Session

log = get_logger(__name__)

_GONE = frozenset({"error", "deleted", "deleting"})
_WAIT_S = 30 * 60
_POLL_INITIAL_S, _POLL_MAX_S = 0.2, 10.0

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Source:
    """A file as it was surveyed; `name` is what its user calls it, where that is not its path."""

    path: Path
    sha256: str
    bytes: int
    name: str | None = None


def provide_file(
    source: Source,
    session: Session,
    *,
    known_id: str | None,
    key: str | None,
    on_sent: Callable[[int, int], None],
) -> str:
    """Return the id of a remote file with these bytes, ready for training.

    `known_id` is an earlier upload of this submission. Without a `key`, an upload of the same bytes by another
    submission serves too; with one, which is the content key, the file is this submission's alone and its name
    tells the key, as nothing else on that service can. DatasetError where the local file changed since the survey;
    RejectedError where the service refuses the file; UnavailableError after 30 minutes without an answer.
    """
    api, ledger, account = session.api, session.ledger, session.account
    in_parts = source.bytes > api.profile.max_file_bytes
    # Another submission of the same bytes is waited for: it may share its file, and must not share its Upload.
    with _turn(source, session) if in_parts else nullcontext():
        candidate = known_id or (ledger.files.known(account, source.sha256) if key is None else None)
        remote = api.retrieve_file(candidate) if candidate else None
        if remote is None or remote.status in _GONE:
            refuse_oversize(source, api.profile)
            reach("upload.started")
            remote = _send(source, session, key=key, in_parts=in_parts, on_sent=on_sent)
            reach("upload.done")
            ledger.files.remember(remote.id, account=account, sha256=source.sha256, now=session.now())
            log.info("file.uploaded", file_id=remote.id, bytes=source.bytes, sha256=source.sha256)
    return _wait_until_ready(remote, api, session.ambient)


def refuse_oversize(source: Source, profile: Profile) -> None:
    """Raise DatasetError where the service takes no file of this size, with the limit and whose it is."""
    if source.bytes <= profile.max_upload_bytes:
        return
    limit = f"{profile.max_upload_bytes:,} bytes"
    if profile.has_uploads_api:
        reason, next_step = f"the service takes at most {limit}, in parts", "Train on a smaller file."
    else:
        reason = f"profile {profile.name} takes at most {limit}, and is not known to have the Uploads API"
        next_step = (
            "Train on a smaller file; if the service has it, set uploads_api = true in a profile of its own."
        )
    raise DatasetError(
        "file_too_large",
        f"{source.name or source.path} has {source.bytes:,} bytes: {reason}.",
        next_step=next_step,
        path=str(source.path),
        bytes=source.bytes,
        max_bytes=profile.max_upload_bytes,
    )


def _turn(source: Source, session: Session) -> AbstractContextManager[None]:
    def on_wait() -> None:
        log.warning("upload.waits", reason="another process uploads the same file")

    return upload_lock(session.ledger.place, source.sha256, on_wait=on_wait)


def _send(
    source: Source,
    session: Session,
    *,
    key: str | None,
    in_parts: bool,
    on_sent: Callable[[int, int], None],
) -> RemoteFile:
    def on_progress(sent: int) -> None:
        reach("upload.sending")
        on_sent(sent, source.bytes)

    name = f"{_UNSAFE.sub('_', Path(source.name or source.path).stem)[:80]}-{source.sha256[:16]}"
    if key is not None:
        name = f"{mark_of(key)}-{name}"  # first, so that it outlives a service that shortens names
    if in_parts:
        return upload_in_parts(source, session, name=name, is_own=key is not None, on_progress=on_progress)
    return session.api.upload(source.path, name=f"{name}.jsonl", sha256=source.sha256, on_progress=on_progress)


def _wait_until_ready(remote: RemoteFile, api: Api, ambient: Ambient) -> str:
    deadline, interval = ambient.monotonic() + _WAIT_S, _POLL_INITIAL_S
    current: RemoteFile | None = remote
    # Services that track no file status answer none: then the create call is the judge.
    ready = api.profile.file_ready
    while current is not None and current.status not in ready | _GONE:
        if ambient.monotonic() >= deadline:
            raise UnavailableError(
                "file_not_ready",
                f"File {remote.id} was still {current.status} after {_WAIT_S // 60} minutes.",
                next_step="Run the same command again later, it goes on with this file.",
                file_id=remote.id,
            )
        reach("file.waiting")
        ambient.sleep(interval)
        interval = min(interval * 1.5, _POLL_MAX_S)
        current = api.retrieve_file(remote.id)
    if current is None:
        raise UnavailableError(
            "file_not_ready",
            f"The API does not show file {remote.id}, which it has taken in.",
            next_step="Run the same command again, it uploads the file anew if it has to.",
            file_id=remote.id,
        )
    if current.status in _GONE:
        reason = current.status_details or "no reason given"
        raise RejectedError(
            "file_refused",
            f"The API refused file {remote.id}: {reason}.",
            next_step="Run `ftjobs check` on the file, mend it, and submit again.",
            file_id=remote.id,
        )
    return current.id
