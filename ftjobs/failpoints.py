"""Named places where this program can be made to die or to pause: `FTJOBS_FAILPOINT=create.sent:kill`.

For the tests, and for whoever would rather see than believe that a crash costs nothing. Unset, a place costs one
look at the environment.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from typing import Final

from ftjobs.errors import ConfigError, nearest

VARIABLE: Final = "FTJOBS_FAILPOINT"

POINTS: Final[Mapping[str, str]] = {
    "survey.done": "the files are checked and priced, nothing is recorded",
    "submission.recording": "inside the transaction that records the submission",
    "submission.recorded": "the submission is committed, its lock is not held yet",
    "submission.locked": "the lock is held, the service was not asked yet",
    "lookup.done": "the service was asked for existing jobs",
    "upload.started": "the upload is about to begin",
    "upload.sending": "bytes of the upload are being read",
    "upload.done": "the service has the file, the ledger does not know it",
    "file.waiting": "the service is still processing the file",
    "create.sending": "`sending` is committed, the create request has not left",
    "create.sent": "the service has answered the create request, the answer was not read",
    "create.replied": "the answer was judged, nothing of it is recorded",
    "job.recording": "inside the transaction that records the job",
    "job.recorded": "the job is committed",
    "sync.fetched": "a job's newest state has come, it is not recorded",
    "bill.settling": "inside the transaction that bills the job",
    "bill.settled": "the bill is committed",
    "ledger.backed_up": "the older ledger is backed up, nothing is migrated",
    "ledger.migrating": "inside the transaction that migrates the ledger",
    "ledger.migrated": "the migration is committed",
}
"""Every place, in the order in which a command passes them, and what is so when it does."""

ACTIONS: Final = tuple(
    each for each in ("kill", "term", "int", "hup", "stop") if hasattr(signal, f"SIG{each.upper()}")
)
"""The signal that the process sends itself; after `stop` a SIGCONT lets it go on."""


def reach(point: str) -> None:
    """Say that a place is reached; the process is signalled the first time, if it was asked for."""
    if os.environ.get(VARIABLE, "").partition(":")[0] == point:
        action = os.environ.pop(VARIABLE).partition(":")[2]
        os.write(2, f"{VARIABLE}: {action} at {point}\n".encode())
        os.kill(os.getpid(), signal.Signals[f"SIG{action.upper()}"])


def check_failpoint(environ: Mapping[str, str]) -> None:
    """Raise ConfigError where FTJOBS_FAILPOINT names no place or no action: it would wait in vain."""
    wanted = environ.get(VARIABLE)
    if not wanted:
        return
    point, _, action = wanted.partition(":")
    if point not in POINTS:
        close = nearest(point, POINTS)
        raise ConfigError(
            "unknown_failpoint",
            f"{VARIABLE} names no place: {point!r}.",
            next_step=f"Did you mean {close}?" if close else f"Places are {', '.join(POINTS)}.",
            key=VARIABLE,
            nearest=close,
        )
    if action not in ACTIONS:
        raise ConfigError(
            "unknown_failpoint",
            f"{VARIABLE} names no action: {action!r}.",
            next_step=f"Write it like {point}:kill; actions are {', '.join(ACTIONS)}.",
            key=VARIABLE,
        )
