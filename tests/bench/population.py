"""The jobs that the bench's service holds and its ledgers know: the same ones wherever they are asked for."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from ftjobs.jobs.quote import Quote
from ftjobs.jobs.submission import new_id
from ftjobs.money import UsdPer1M
from ftjobs.ranges import Range

State = Literal["running", "ended"]
Company = Literal["alone", "among", "ignored"]

MODEL = "gpt-4o-mini-2024-07-18"
OTHERS = 20_000
TRAINED_TOKENS = 292_500
QUOTE = Quote(
    dataset_tokens=Range(95_000, 97_500, 98_000),
    epochs=Range.exactly(3),
    estimated_tokens=Range(285_000, 292_500, 294_000),
    usd_per_1m=UsdPer1M.parse("3.00"),
    price_list="openai",
    price_source="OpenAI pricing page, as of late 2025",
    effective_from=None,
    estimated_on=date(2026, 11, 20),
    examples=1_000,
)
_BEGAN = datetime(2026, 11, 20, tzinfo=UTC)
_ORGANIZATION = "org-" + "b" * 24


@dataclass(frozen=True, slots=True)
class World:
    """What one account holds: `count` jobs of ours in one state.

    "alone", or "among" as many newer jobs as OTHERS, which the service tells apart by metadata; "ignored" is the
    same with a service that does not look at the metadata it is asked for.
    """

    count: int
    state: State
    company: Company = "alone"

    @property
    def name(self) -> str:
        """The first part of the path of every URL of it."""
        return f"{self.count}-{self.state}-{self.company}"

    @classmethod
    def named(cls, name: str) -> World:
        """Return the world of that name; ValueError where there is none."""
        count, state, company = name.split("-")
        if state not in {"running", "ended"} or company not in {"alone", "among", "ignored"}:
            raise ValueError(f"no such world: {name}")
        return cls(int(count), state, company)  # type: ignore[arg-type]


def created_at(number: int) -> datetime:
    """Return when our job of that number was created: a second after the one before."""
    return _BEGAN + timedelta(seconds=number)


def submission_id(number: int) -> str:
    """Return the id of the submission that our job of that number is of."""
    return new_id(created_at(number), number.to_bytes(10))


def key(number: int) -> str:
    """Return that submission's content key."""
    return hashlib.sha256(b"%d" % number).hexdigest()


def our_job(number: int, state: State) -> dict[str, Any]:
    """Return the API's object of our job of that number."""
    metadata = {
        "ftjobs": "1",
        "ftjobs_submission": submission_id(number),
        "ftjobs_key": key(number),
        "ftjobs_estimate": QUOTE.encode(),
    }
    return _job(f"ftjob-our{number:021d}", created_at(number), state, metadata)


def anothers_job(number: int) -> dict[str, Any]:
    """Return the API's object of somebody's job, newer than any of ours."""
    began = _BEGAN + timedelta(days=3, seconds=number)
    return _job(f"ftjob-not{number:021d}", began, "ended", {"team": "search", "run": str(number)})


def _job(job_id: str, began: datetime, state: State, metadata: dict[str, str]) -> dict[str, Any]:
    ended, tail = state == "ended", job_id.removeprefix("ftjob-")
    chosen = {"n_epochs": 3, "batch_size": 2, "learning_rate_multiplier": 1.8}
    return {
        "object": "fine_tuning.job",
        "id": job_id,
        "model": MODEL,
        "created_at": int(began.timestamp()),
        "finished_at": int(began.timestamp()) + 1_800 if ended else None,
        "fine_tuned_model": f"ft:{MODEL}:bench::{tail[-8:]}" if ended else None,
        "organization_id": _ORGANIZATION,
        "result_files": [f"file-{tail}"] if ended else [],
        "status": "succeeded" if ended else "running",
        "validation_file": None,
        "training_file": f"file-{tail[::-1]}",
        "hyperparameters": chosen,
        "trained_tokens": TRAINED_TOKENS if ended else None,
        "error": {"code": None, "message": None, "param": None},
        "user_provided_suffix": None,
        "seed": int(tail[3:]),
        "estimated_finish": None if ended else int(began.timestamp()) + 86_400 * 30,
        "integrations": [],
        "metadata": metadata,
        "method": {"type": "supervised", "supervised": {"hyperparameters": chosen}},
    }
