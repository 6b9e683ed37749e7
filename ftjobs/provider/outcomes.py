"""What an answer of the API means: pure functions from an answer to an outcome.

The create call has its own table (design, section 4.7), because being wrong about it costs money; reads may be
asked again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from typing import Any

from ftjobs.errors import RejectedError
from ftjobs.jobs.job import Job, parse_job
from ftjobs.logs import scrub_text, storable

REJECTING_STATUSES = frozenset({400, 401, 402, 403, 404, 405, 411, 413, 415, 422})
AGAIN_STATUSES = frozenset({408, 409, 423, 425, 429, 499})
# 429s that say "no" rather than "not now": waiting adds no money to an account.
INCURABLE_429_CODES = frozenset(
    {"insufficient_quota", "exceeded_quota", "billing_hard_limit_reached", "billing_not_active"}
)

_NEXT_STEPS = {
    401: "Check the API key (and that it belongs to this base URL), then run the same command again.",
    402: "Settle the account's billing, then run the same command again.",
    403: "Ask the account's owner for access, or use another profile.",
    404: "Check the base URL: the API's paths must begin where it ends, and not every service has fine-tuning.",
    429: "Add credit or raise the limit in the account's billing settings, then run the same command again.",
}
_NEXT_STEPS_BY_CODE = {
    "training_not_available": "This organization may no longer fine-tune here; choose another --profile.",
    "model_not_found": "Choose a model that this service can fine-tune, with --model.",
    "invalid_n_examples": "Add examples to the training file; `ftjobs check` names what is missing.",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer; header names in lower case. `statuses` are the service's own words for the API's."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    statuses: Mapping[str, str] = field(default_factory=dict)

    def decoded(self, *, exact: bool = False) -> object:
        """Return the body's JSON as it may be kept: a service may repeat the key, or send what no database takes.

        A job whose status is a word of the service's own gets the API's, and keeps its own as `provider_status`.
        `exact` fractions are Decimals. ValueError or RecursionError where it is no JSON.
        """
        body = storable(json.loads(self.body, parse_float=_decimal if exact else None))
        return _translated(body, self.statuses) if self.statuses else body


@dataclass(frozen=True, slots=True)
class NoReply:
    """No HTTP answer; `sent` is False only where the request certainly never left this machine."""

    sent: bool
    reason: str


def _translated(body: Any, statuses: Mapping[str, str]) -> Any:
    if not isinstance(body, dict):
        return body
    if isinstance(data := body.get("data"), list):
        return {**body, "data": [_translated(each, statuses) for each in data]}
    told = body.get("status")
    if body.get("object") != "fine_tuning.job" or not isinstance(told, str) or told not in statuses:
        return body
    return {**body, "status": statuses[told], "provider_status": told}


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise ValueError("a number that no money has") from None


Answer = Reply | NoReply


@dataclass(frozen=True, slots=True)
class Created:
    """The service said that the job exists."""

    job: Job


@dataclass(frozen=True, slots=True)
class NotNow:
    """Nothing was created and waiting can help; `retry_after_s` is what the service asked for."""

    reason: str
    code: str
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """Nothing was created and asking again changes nothing."""

    status: int
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Uncertain:
    """A job may or may not exist."""

    reason: str


Outcome = Created | NotNow | Rejected | Uncertain


def outcome_of_create(answer: Answer, *, sent: Mapping[str, Any], now: datetime) -> Outcome:
    """Return what an answer to the create call proves; what proves nothing is Uncertain.

    `sent` is the request's body: a reply that contradicts it describes another job (a cache's, a gateway's).
    """
    if isinstance(answer, NoReply):
        return Uncertain(answer.reason) if answer.sent else NotNow(answer.reason, code="unreachable")
    code, message = error_of(answer)
    if answer.status == 429:
        if code in INCURABLE_429_CODES:
            return Rejected(429, code, message)
        return NotNow(f"HTTP 429: {message}", code=code, retry_after_s=retry_after_s(answer, now=now))
    if answer.status in REJECTING_STATUSES:
        return Rejected(answer.status, code, message)
    if not 200 <= answer.status < 300:
        return Uncertain(f"HTTP {answer.status}")
    try:
        job = parse_job(answer.decoded())
    except (ValueError, RecursionError) as error:
        return Uncertain(f"HTTP {answer.status} with an unusable body ({one_line(str(error))})")
    if not _answers(job, sent):
        return Uncertain(f"HTTP {answer.status} with another job")
    return Created(job)


def _answers(job: Job, sent: Mapping[str, Any]) -> bool:
    """Return whether file and metadata do not contradict the request.

    Services may leave fields out, and may choose a seed of their own.
    """
    told = {key: value for key, value in job.metadata.items() if key.startswith("ftjobs")}
    asked = sent.get("metadata", {})
    return job.training_file in (None, sent["training_file"]) and all(
        asked.get(key) == value for key, value in told.items()
    )


@dataclass(frozen=True, slots=True)
class Again:
    """A read failed in a way that asking again can cure."""

    reason: str
    retry_after_s: float | None = None


def trouble_of_read(answer: Answer, *, now: datetime) -> Again | Rejected | None:
    """Return what is wrong with the answer to a read, None for a 2xx (whose body is the caller's to judge)."""
    if isinstance(answer, NoReply):
        return Again(answer.reason)
    if 300 <= answer.status < 400:
        return Again(f"HTTP {answer.status}, a redirect, which is not followed: the key would go with it")
    if 200 <= answer.status < 300:
        return None
    code, message = error_of(answer)
    curable = answer.status in AGAIN_STATUSES and code not in INCURABLE_429_CODES
    if 400 <= answer.status < 500 and not curable:
        return Rejected(answer.status, code, message)
    return Again(f"HTTP {answer.status}", retry_after_s(answer, now=now))


def rejected_error(rejected: Rejected, *, doing: str, **details: object) -> RejectedError:
    """Return the error that tells a person that the API said no while we were `doing` something."""
    next_step = _NEXT_STEPS_BY_CODE.get(rejected.code) or _NEXT_STEPS.get(
        rejected.status, "Change what the message names, then run the command again."
    )
    return RejectedError(
        rejected.code,
        f"The API refused {doing} (HTTP {rejected.status}): {rejected.message}",
        next_step=next_step,
        http_status=rejected.status,
        **details,
    )


def error_of(reply: Reply) -> tuple[str, str]:
    """Return the error envelope's code and message, with stand-ins where there is none; never raises."""
    fallback = f"http_{reply.status}", "no further explanation"
    try:
        body = reply.decoded()
    except (ValueError, RecursionError):
        return fallback
    if not isinstance(body, dict):
        return fallback
    error, detail = body.get("error"), body.get("detail")
    if not isinstance(error, dict) or not error:
        told = _detail(detail) if detail and isinstance(detail, list | str) else error
        return (fallback[0], one_line(told)) if isinstance(told, str) and told else fallback
    code = next((error[k] for k in ("code", "type") if isinstance(error.get(k), str) and error[k]), fallback[0])
    message = error.get("message")
    return one_line(code, 64), one_line(message) if isinstance(message, str) and message else fallback[1]


def _detail(detail: list[object] | str) -> str:
    """Return as a sentence what services built on FastAPI put in place of the error envelope."""
    if isinstance(detail, str):
        return detail
    first = detail[0] if detail and isinstance(detail[0], dict) else {}
    place = ".".join(map(str, first["loc"])) if isinstance(first.get("loc"), list) else ""
    return ": ".join(filter(None, (place, str(first.get("msg", ""))))) or "no further explanation"


def retry_after_s(reply: Reply, *, now: datetime) -> float | None:
    """Return the seconds that `retry-after-ms` or `retry-after` asks for (a number or an HTTP date), else None."""
    milliseconds = _number(reply.headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    asked = reply.headers.get("retry-after")
    seconds = _number(asked)
    if seconds is not None or asked is None:
        return seconds
    try:
        return max(0.0, (parsedate_to_datetime(asked) - now).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def one_line(text: str, limit: int = 300) -> str:
    """Return a remote text as one scrubbed line of at most `limit` characters."""
    line = scrub_text(" ".join(text.split()))
    return line if len(line) <= limit else line[: limit - 1] + "…"
