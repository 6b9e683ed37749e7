"""One kernel lock a submission: it dies with its process, so who gets it knows that the owner is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ftjobs.ledger.engine import unusable


@contextmanager
def submission_lock(
    ledger: Path, submission_id: str, *, on_wait: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Hold the submission's lock; `on_wait` is called once where another process has it and we follow."""
    folder = ledger.with_name(f"{ledger.name}.locks")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        # A soft lock would outlive its process; a kernel lock cannot.
        lock = FileLock(folder / submission_id, mode=0o600, fallback_to_soft=False)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            on_wait()
            lock.acquire(poll_interval=0.1)
    except OSError as error:
        raise unusable(ledger, error) from None
    try:
        yield
    finally:
        lock.release()


def is_locked(ledger: Path, submission_id: str) -> bool:
    """Return whether some process is working on the submission right now."""
    lock = FileLock(ledger.with_name(f"{ledger.name}.locks") / submission_id, mode=0o600, fallback_to_soft=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return True
    except OSError:
        return False  # no folder of locks yet: nobody works
    lock.release()
    return False
