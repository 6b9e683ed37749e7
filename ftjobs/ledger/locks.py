"""Locks, one a submission or upload: they die with their process, so who gets one knows the owner gone.

A file's are the kernel's, a server's are those of a session of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from ftjobs.ledger.engine import unusable
from ftjobs.ledger.place import Place, Server

if TYPE_CHECKING:
    from ftjobs.ledger.postgres import AdvisoryLock


class _Held(threading.local):
    """The locks of this thread, by ledger and name: another one of this process may take over at any moment."""

    def __init__(self) -> None:
        self.locks: dict[tuple[Place, str], FileLock | AdvisoryLock] = {}


_held = _Held()


def require_lock(ledger: Place, submission_id: str) -> None:
    """Raise LedgerError where this thread took the submission's lock and lost it with a connection since.

    Whoever has it now may be sending: to send as well would be to pay twice. A file's lock is never lost.
    """
    lock = _held.locks.get((ledger, submission_id))
    if lock is not None and not isinstance(lock, FileLock):
        lock.require()


@contextmanager
def _known(ledger: Place, submission_id: str, lock: FileLock | AdvisoryLock) -> Iterator[None]:
    before = _held.locks.get((ledger, submission_id))
    _held.locks[ledger, submission_id] = lock
    try:
        yield
    finally:
        _held.locks.pop((ledger, submission_id))
        if before is not None:
            _held.locks[ledger, submission_id] = before


@contextmanager
def submission_lock(
    ledger: Place, submission_id: str, *, on_wait: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Hold the submission's lock; `on_wait` is called once where another process has it and we follow."""
    lock = _lock(ledger, submission_id)
    try:
        try:
            lock.acquire(blocking=False)
        except Timeout:
            on_wait()
            lock.acquire(poll_interval=0.1)
    except OSError as error:
        raise unusable(ledger, error) from None
    with _known(ledger, submission_id, lock):
        try:
            yield
        finally:
            lock.release()


@contextmanager
def upload_lock(ledger: Place, sha256: str, *, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold the lock of whoever uploads these bytes in parts; `on_wait` is called once where another has it."""
    with submission_lock(ledger, f"upload-{sha256}", on_wait=on_wait):
        yield


@contextmanager
def submission_lock_if_free(ledger: Place, submission_id: str) -> Iterator[bool]:
    """Hold the submission's lock where nobody else does; the block is told whether it is held."""
    lock = _lock(ledger, submission_id)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        yield False
        return
    except OSError as error:
        raise unusable(ledger, error) from None
    try:
        yield True
    finally:
        lock.release()


def _lock(ledger: Place, submission_id: str) -> FileLock | AdvisoryLock:
    if isinstance(ledger, Server):
        from ftjobs.ledger.postgres import AdvisoryLock

        return AdvisoryLock(ledger, submission_id)
    folder = ledger.with_name(f"{ledger.name}.locks")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise unusable(ledger, error) from None
    # A soft lock would outlive its process; a kernel lock cannot.
    return FileLock(folder / submission_id, mode=0o600, fallback_to_soft=False)
