"""What the sandbox pretends: durations, failures and forgetfulness (`PUT /sandbox/settings`)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_DURATIONS = ("job_seconds", "file_seconds", "upload_seconds", "list_lag_s")


@dataclass(frozen=True, slots=True)
class Settings:
    """How the service behaves from now on; jobs and files keep the durations that they were created with.

    `job_seconds`: from creation to the end of a job. `file_seconds`: a new file is `uploaded` that long.
    `upload_seconds`: a new Upload takes parts that long.
    `fail_jobs`: new jobs end as failed; true means the code `server_error`, a string is the code.
    `list_lag_s`: jobs younger than that are missing from lists. `keep_metadata`: false drops the metadata of
    new jobs, hides that of old ones and ignores the metadata filter of lists.
    """

    job_seconds: float = 6.0
    file_seconds: float = 0.3
    upload_seconds: float = 3600.0
    fail_jobs: bool | str = False
    list_lag_s: float = 0.0
    keep_metadata: bool = True

    @property
    def fail_code(self) -> str | None:
        """The error code that new jobs will fail with; None where they succeed."""
        return "server_error" if self.fail_jobs is True else self.fail_jobs or None

    def changed(self, changes: Mapping[str, Any]) -> Settings:
        """Return these settings with `changes` applied; ValueError for an unknown name or a wrong value."""
        for name, value in changes.items():
            if name in _DURATIONS:
                number = isinstance(value, int | float) and not isinstance(value, bool)
                good = number and math.isfinite(value) and value >= 0
            elif name == "fail_jobs":
                good = isinstance(value, bool | str)
            elif name == "keep_metadata":
                good = isinstance(value, bool)
            else:
                raise ValueError(f"unknown setting {name!r}")
            if not good:
                raise ValueError(f"{value!r} is no value for {name}")
        return dataclasses.replace(self, **changes)
