"""What a job tells of its way: events and checkpoints, as the API last told them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ftjobs.jobs.job import DAMAGED
from ftjobs.periods import from_unix

MESSAGE, METRICS = "message", "metrics"
_MOST = 2**62


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a job. `message` is for people: its wording varies, so nothing is concluded from it.

    `type` is the service's word, usually `message` or `metrics`; metrics carry their numbers in `data`. `id` is
    None where the service gives none.
    """

    id: str | None
    at: datetime
    level: str
    type: str
    message: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model that a job left at a step; `step` is None where the service does not say a number."""

    id: str | None
    at: datetime
    step: int | None
    model: str
    metrics: Mapping[str, Any]


def parse_event(raw: object) -> Event:
    """Return the event that a decoded API object describes; ValueError says why it describes none.

    Strict about what it is and when it was, lenient about the rest (source: API reference, the job event object).
    """
    body = _object(raw, "fine_tuning.job.event")
    return Event(
        id=_id(body),
        at=_instant(body),
        level=_text(body.get("level")) or "info",
        type=_text(body.get("type")) or MESSAGE,
        message=_text(body.get("message")) or "",
        data=_mapping(body.get("data")),
    )


def parse_checkpoint(raw: object, *, job_id: str) -> Checkpoint:
    """Return the checkpoint of this job that a decoded API object describes; ValueError says why it is none.

    Strict about job, model and time, lenient about the rest (source: API reference, the job checkpoint object).
    """
    body = _object(raw, "fine_tuning.job.checkpoint")
    model = _text(body.get("fine_tuned_model_checkpoint"))
    if model is None or DAMAGED in model:
        raise ValueError("a checkpoint without a usable model")
    if body.get("fine_tuning_job_id") not in (None, job_id):
        raise ValueError("a checkpoint of another job")
    return Checkpoint(
        id=_id(body),
        at=_instant(body),
        step=_whole(body.get("step_number")),
        model=model,
        metrics=_mapping(body.get("metrics")),
    )


def _object(raw: object, kind: str) -> Mapping[str, Any]:
    if not isinstance(raw, dict) or raw.get("object", kind) != kind:
        raise ValueError(f"the object is not a {kind}")
    return raw


def _id(body: Mapping[str, Any]) -> str | None:
    found = _text(body.get("id"))
    return None if found is None or DAMAGED in found else found


def _instant(body: Mapping[str, Any]) -> datetime:
    seconds = _whole(body.get("created_at"))
    try:
        if seconds:
            return from_unix(seconds)
    except (ValueError, OverflowError, OSError):
        pass
    raise ValueError("an object that does not say when it was made")


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _whole(value: object) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST
    return value if is_count and isinstance(value, int) else None
