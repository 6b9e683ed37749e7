"""Every failure that a user can act on, each class with its exit code."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar


class FtjobsError(Exception):
    """A failure with its facts and its next step; the command line prints both and exits with `exit_code`.

    `code` is a stable lower_snake_case word for programs. `message` says what happened, `next_step` what to
    do now, one sentence each. `details` name what is at stake (submission_id, job_id, line, key) and hold
    JSON values only; never secrets, prompts or training data.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, code: str, message: str, *, next_step: str, **details: object) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.next_step = next_step
        self.details = details


class UsageError(FtjobsError):
    """The command cannot mean anything: unknown option, model or job, missing file."""

    exit_code = 2


class ConfigError(FtjobsError):
    """A setting, key or profile cannot be used, or the ledger's schema is newer than this program."""

    exit_code = 3


class DatasetError(FtjobsError):
    """The training file's content is invalid."""

    exit_code = 4


class SpendRefusedError(FtjobsError):
    """Nothing was spent: no price, over a limit, no consent, or a model that is shut down."""

    exit_code = 5


class RejectedError(FtjobsError):
    """The API said no, and asking again will not change it."""

    exit_code = 7


class UnavailableError(FtjobsError):
    """The API cannot be reached or asks to wait; the same command later goes on."""

    exit_code = 8


class UncertainError(FtjobsError):
    """A create request left and nobody knows yet whether a job exists."""

    exit_code = 9


class WaitTimeoutError(FtjobsError):
    """The wait is over; the job goes on."""

    exit_code = 10


class LedgerError(FtjobsError):
    """The ledger cannot be opened, read or written."""

    exit_code = 12


class InterruptedByUserError(FtjobsError):
    """Ctrl-C; what was under way is resumable."""

    exit_code = 130


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that `word` is most likely a slip of, or None where none is close."""
    matches = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return matches[0] if matches else None
