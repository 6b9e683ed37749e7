"""One thing that was looked at, and what was found."""

from __future__ import annotations

from typing import Literal, NamedTuple

from ftjobs.errors import FtjobsError

State = Literal["ok", "note", "problem"]


class Check(NamedTuple):
    """One thing that was looked at; a problem has a next step, anything else may have one."""

    name: str
    state: State
    message: str
    next_step: str | None = None


def failed(name: str, error: Exception) -> Check:
    """Return the check that something kept from being made."""
    if isinstance(error, FtjobsError):
        return Check(name, "problem", error.message, error.next_step)
    return Check(name, "problem", f"ftjobs has a bug: {type(error).__name__}: {error}", "Report it.")
