"""An account of a service that only routes answer, and the values that travel."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from ftjobs.jobs.quote import Quote
from ftjobs.jobs.spec import JobSpec
from ftjobs.jobs.submission import Submission
from ftjobs.keys import Secret
from ftjobs.money import UsdPer1M
from ftjobs.provider.api import Api
from ftjobs.provider.profiles import Profile
from ftjobs.provider.retrying import Retry, RetryPolicy
from ftjobs.ranges import Range

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
URL = "https://api.test/v1"
JOBS = f"{URL}/fine_tuning/jobs"
FILES = f"{URL}/files"
MINI = "gpt-4o-mini-2024-07-18"
ULID = "01KANZ3S00ABCDEFGHJKMNPQRS"
KEY = "a" * 64
FILE = "file-mine"


def job_object(job_id: str = "ftjob-1", **fields: object) -> dict[str, Any]:
    """Return a job as the API tells it."""
    return {
        "object": "fine_tuning.job",
        "id": job_id,
        "status": "validating_files",
        "created_at": int(NOW.timestamp()),
        "model": MINI,
        "training_file": FILE,
        "seed": 7,
        **fields,
    }


def page_of(*jobs: dict[str, Any], more: bool = False) -> dict[str, Any]:
    """Return a list page as the API tells it."""
    return {"object": "list", "data": list(jobs), "has_more": more}


def a_submission(**fields: Any) -> Submission:
    """Return a submission that is ready to be sent."""
    one = Range.exactly(1)
    values: dict[str, Any] = {
        "id": ULID,
        "key": KEY,
        "state": "recorded",
        "profile": "test",
        "account": f"{URL}||",
        "recorded_at": NOW,
        "spec": JobSpec(MINI, MINI, "gpt-4o-mini", 3, training_sha256="b" * 64, training_bytes=10),
        "quote": Quote(one, one, one, UsdPer1M.parse("3"), "openai", "a page", None, date(2026, 11, 22), 12),
        "tags": {},
        "training_file_id": FILE,
    }
    return Submission(**{**values, **fields})


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file, as the survey takes it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@dataclass(frozen=True)
class Account:
    """An account, and what was waited for on the way."""

    api: Api
    waits: list[float] = field(default_factory=list)
    retries: list[Retry] = field(default_factory=list)


Accounts = Callable[..., Account]


@pytest.fixture
def account() -> Iterator[Accounts]:
    """Open accounts that never really wait: `account(base_url, key=…, policy=…, organization=…)`."""
    with ExitStack() as stack:

        def opened(
            base_url: str = URL, *, key: str = "sk-test", policy: RetryPolicy | None = None, **fields: Any
        ) -> Account:
            waits: list[float] = []
            retries: list[Retry] = []
            profile = Profile("test", base_url, **{"keeps_metadata": True, **fields})
            api = Api(
                profile,
                Secret(key, "K"),
                policy=policy,
                now=lambda: NOW,
                sleep=waits.append,
                on_retry=retries.append,
            )
            stack.callback(api.close)
            return Account(api, waits, retries)

        yield opened
