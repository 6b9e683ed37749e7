"""A remote fine-tuning job as the API last told it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from ftjobs.periods import from_unix

# The set of status words is open (facts differ by service): a word that is not here is not an end.
SUCCEEDED = "succeeded"
FAILED_WORDS = frozenset({"failed", "cancelled", "canceled"})
# More than any job trains on; beyond it the bill would not fit the ledger, and the number is not believed.
_MAX_TOKENS = 10**11
# What a lone surrogate is decoded to: an id with it names nothing.
DAMAGED = "\ufffd"
_FILE_ID = re.compile(r"(?!\.+$)[^\s/\\?#%\x00-\x1f\x7f-\x9f\ufffd]{1,200}")
ENDED_WORDS = FAILED_WORDS | {SUCCEEDED}
API_WORDS = frozenset({"validating_files", "queued", "running", "paused", "succeeded", "failed", "cancelled"})
"""The status words of the API reference, and of its examples."""


@dataclass(frozen=True, slots=True)
class Job:
    """The fields that ftjobs reads of an API job object; `raw` is the whole object.

    `trained_tokens` is the service's billable total, None until it tells (and for good where it never does).
    `n_epochs` is None where the service does not say a number. `error_param` and `error_line` are what the
    error is about, in the service's words; `result_files` are the ids of the files that it left.
    """

    id: str
    status: str
    model: str | None
    created_at: datetime
    finished_at: datetime | None
    fine_tuned_model: str | None
    training_file: str | None
    seed: int | None
    trained_tokens: int | None
    estimated_finish: datetime | None
    n_epochs: int | None
    error_code: str | None
    error_message: str | None
    metadata: Mapping[str, str]
    raw: Mapping[str, Any]
    error_param: str | None = None
    error_line: int | None = None
    result_files: tuple[str, ...] = ()

    @property
    def ended(self) -> bool:
        """True once the status is one of the known last words."""
        return self.status in ENDED_WORDS

    @property
    def failed(self) -> bool:
        """True for a job that ended without a model."""
        return self.status in FAILED_WORDS


class JobGlance(NamedTuple):
    """As much of a `Job` as a list shows, each field as there."""

    id: str
    status: str
    model: str | None
    created_at: datetime
    finished_at: datetime | None
    fine_tuned_model: str | None
    estimated_finish: datetime | None
    n_epochs: int | None
    error_code: str | None
    error_message: str | None

    @property
    def ended(self) -> bool:
        """True once the status is one of the known last words."""
        return self.status in ENDED_WORDS

    @property
    def failed(self) -> bool:
        """True for a job that ended without a model."""
        return self.status in FAILED_WORDS


def glance_at_job(raw: object) -> JobGlance:
    """Return what a list shows of the job that `parse_job` would return; ValueError as there."""
    job, job_id, status, created_at = _identified(raw)
    error = _mapping(job.get("error"))
    return JobGlance(
        job_id,
        status,
        _text(job.get("model")),
        created_at,
        _instant(job.get("finished_at")),
        _text(job.get("fine_tuned_model")),
        _instant(job.get("estimated_finish")),
        _epochs(job),
        _text(error.get("code")),
        _text(error.get("message")),
    )


def parse_job(raw: object) -> Job:
    """Return the job that a decoded API object describes; ValueError says why it describes none.

    Strict where belief costs money (object, id, status, created_at), lenient elsewhere: services leave out
    fields (source: API reference, the fine-tuning job object; Azure's create reply omits several).
    """
    raw, job_id, status, created_at = _identified(raw)
    error, metadata = _mapping(raw.get("error")), _mapping(raw.get("metadata"))
    return Job(
        id=job_id,
        status=status,
        model=_text(raw.get("model")),
        created_at=created_at,
        finished_at=_instant(raw.get("finished_at")),
        fine_tuned_model=_text(raw.get("fine_tuned_model")),
        training_file=_text(raw.get("training_file")),
        seed=_whole(raw.get("seed")),
        trained_tokens=_whole(raw.get("trained_tokens"), most=_MAX_TOKENS),
        estimated_finish=_instant(raw.get("estimated_finish")),
        n_epochs=_epochs(raw),
        error_code=_text(error.get("code")),
        error_message=_text(error.get("message")),
        metadata={key: value for key, value in metadata.items() if isinstance(value, str)},
        raw=raw,
        error_param=_text(error.get("param")),
        error_line=_whole(error.get("line")),
        result_files=_file_ids(raw.get("result_files")),
    )


def _identified(raw: object) -> tuple[dict[str, Any], str, str, datetime]:
    """Return the object with its id, its status and created_at."""
    if not isinstance(raw, dict):
        raise ValueError(f"expected a job object, got {type(raw).__name__}")
    if raw.get("object") != "fine_tuning.job":
        raise ValueError("the object is not a fine_tuning.job")
    job_id, status = _text(raw.get("id")), _text(raw.get("status"))
    created_at = _instant(raw.get("created_at"))
    if not job_id or DAMAGED in job_id or not status or created_at is None:
        raise ValueError("the job object lacks a usable id, a status or created_at")
    return raw, job_id, status, created_at


def _file_ids(value: object) -> tuple[str, ...]:
    """Return the ids that can be asked for, each once: one with a slash would ask for something else."""
    ids = [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
    return tuple(dict.fromkeys(each for each in ids if _FILE_ID.fullmatch(each)))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _whole(value: object, *, most: int = 2**62) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most
    return value if is_count and isinstance(value, int) else None


def _instant(value: object) -> datetime | None:
    seconds = _whole(value)
    try:
        return from_unix(seconds) if seconds else None
    except (ValueError, OverflowError, OSError):
        return None


def _epochs(raw: Mapping[str, Any]) -> int | None:
    """Return the service's n_epochs from `method.*.hyperparameters`, else the older `hyperparameters`."""
    method = raw.get("method")
    kind = method.get("type") if isinstance(method, dict) else None
    inner = method.get(kind) if isinstance(method, dict) and isinstance(kind, str) else None
    for holder in (inner, raw):
        hyperparameters = holder.get("hyperparameters") if isinstance(holder, dict) else None
        if isinstance(hyperparameters, dict) and (epochs := _whole(hyperparameters.get("n_epochs"))):
            return epochs
    return None
