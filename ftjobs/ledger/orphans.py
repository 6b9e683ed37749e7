"""Jobs that were created but could not be recorded, kept beside the ledger until they can be."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from filelock import FileLock

from ftjobs.errors import LedgerError
from ftjobs.jobs.job import Job, parse_job
from ftjobs.ledger.engine import unusable
from ftjobs.ledger.place import Place, own_files
from ftjobs.ledger.store import Ledger
from ftjobs.logs import get_logger

log = get_logger(__name__)


def orphans_path(ledger: Place) -> Path:
    """Return the file that holds the orphans of a ledger, those of this machine where it is a server's."""
    files = own_files(ledger)
    return files.with_name(f"{files.name}.orphans.jsonl")


def keep_orphan(ledger: Place, submission_id: str, job: Job) -> Path:
    """Write the job down, fsynced, where the next command finds it; OSError where even that fails."""
    path = orphans_path(ledger)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The newline before it keeps a line that was cut short from swallowing this one.
    line = "\n" + json.dumps({"submission_id": submission_id, "job": dict(job.raw)}) + "\n"
    with FileLock(f"{path}.lock", mode=0o600, fallback_to_soft=False):
        _write(path, os.O_APPEND, line.encode())
    return path


def take_in_orphans(ledger: Ledger, *, now: datetime, on_taken: Callable[[str, Job], None]) -> None:
    """Record the orphans of this ledger; what cannot be (damaged, of another ledger) stays in the file."""
    path = orphans_path(ledger.place)
    if not path.exists():
        return
    try:
        with FileLock(f"{path}.lock", mode=0o600, fallback_to_soft=False):
            # Another process may have taken them in while we waited for the lock.
            lines = path.read_bytes().splitlines() if path.exists() else []
            left = [line for line in lines if line and not _take_in(ledger, line, now, on_taken)]
            if left:
                log.warning("orphans.left", file=str(path), count=len(left))
                rest = path.with_name(f"{path.name}.rest")
                _write(rest, os.O_TRUNC, b"\n".join(left) + b"\n")
                rest.replace(path)
            else:
                path.unlink(missing_ok=True)
    except OSError as error:
        raise unusable(own_files(ledger.place), error) from None


def _write(path: Path, how: int, content: bytes) -> None:
    """Write all of the content to a private file, appended or in place of what was there, fsynced."""
    with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | how, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _take_in(ledger: Ledger, line: bytes, now: datetime, on_taken: Callable[[str, Job], None]) -> bool:
    try:
        orphan = json.loads(line)
        submission_id, job = orphan["submission_id"], parse_job(orphan["job"])
        if not isinstance(submission_id, str) or not ledger.knows_submission(submission_id):
            return False
        ledger.attach(submission_id, job, now=now)
    except (LedgerError, ValueError, KeyError, TypeError, RecursionError):
        return False
    on_taken(submission_id, job)
    return True
