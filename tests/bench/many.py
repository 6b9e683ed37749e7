"""Ledgers of any number of settled jobs, no two alike, written as rows."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from ftjobs.jobs.spec import JobSpec
from ftjobs.jobs.submission import new_id
from ftjobs.ledger.engine import open_engine
from ftjobs.ledger.entries import estimate_entry
from ftjobs.ledger.rows import entry_row
from ftjobs.periods import Period, month
from ftjobs.ranges import Range
from tests.bench.population import MODEL, QUOTE, key, our_job

MONTH = month(2026, 10)
_MODELS = (MODEL, "gpt-4.1-mini-2025-04-14", "gpt-4.1-2025-04-14")
_TEAMS = ("search", "support", "billing")
_A_TIME = 5_000
_TABLES = ("submissions", "jobs", "entries")


def write_many(path: Path, count: int, *, listed: int | None = None) -> None:
    """Make a ledger of `count` jobs, all billed in MONTH, or the last `listed` of them and the others before."""
    open_engine(path, stamp="real").dispose()
    within = count if listed is None else listed
    earlier = Period(datetime(2023, 1, 1, tzinfo=UTC), MONTH.start)
    rows = (
        _rows(number, _at(earlier, number, count - within) if number < count - within else
              _at(MONTH, number - (count - within), within))
        for number in range(count)
    )  # fmt: skip
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        while some := list(islice(rows, _A_TIME)):
            for table in _TABLES:
                _insert(connection, table, [row for each in some for row in each[table]])
        connection.commit()


def _at(period: Period, nth: int, of: int) -> datetime:
    """Return the nth of so many even instants, all more than a day before the period's end."""
    return period.start + (period.end - period.start - timedelta(days=1)) * (nth / of)


def _rows(number: int, at: datetime) -> dict[str, list[dict[str, Any]]]:
    tokens = 50_000 + number % 100_000
    expected = tokens * 3
    model = _MODELS[number % len(_MODELS)]
    quote = replace(
        QUOTE,
        dataset_tokens=Range(tokens - 100, tokens, tokens + 500),
        estimated_tokens=Range(expected - 300, expected, expected + 1_500),
        examples=500 + number % 5_000,
    )
    submission_id, job = new_id(at, number.to_bytes(10)), our_job(number, "ended")
    trained, ended = expected + number % 1_000 - 300, at + timedelta(minutes=30)
    job |= {
        "id": f"ftjob-our{number:021d}",
        "model": model,
        "created_at": int(at.timestamp()),
        "finished_at": int(ended.timestamp()),
        "fine_tuned_model": f"ft:{model}:bench::{number:08d}",
        "trained_tokens": trained,
    }
    spec = JobSpec(model, model, model, 3, training_sha256=key(number), training_bytes=expected * 4)
    estimate = entry_row(estimate_entry(submission_id, quote, occurred_at=at, recorded_at=at))
    bill = estimate | {
        "kind": "billed",
        "tokens": trained,
        "amount_nano_usd": QUOTE.usd_per_1m.cost(trained).nano,
        "low_nano_usd": None,
        "high_nano_usd": None,
        "basis": "trained_tokens",
        "occurred_at": ended,
        "recorded_at": ended,
    }
    submission = {
        "id": submission_id,
        "key": key(number),
        "holds_key": 1,
        "state": "created",
        "profile": "bench",
        "account": "bench",
        "recorded_at": at,
        "spec": spec.to_json(),
        "quote": quote.encode(),
        "tags": json.dumps({"run": str(number % 977), "team": _TEAMS[number % len(_TEAMS)]}),
    }
    raw = json.dumps(job, sort_keys=True)
    return {
        "submissions": [submission],
        "jobs": [{"id": job["id"], "submission_id": submission_id, "raw": raw, "seen_at": ended}],
        "entries": [estimate, bill],
    }


def _insert(connection: sqlite3.Connection, table: str, rows: list[dict[str, Any]]) -> None:
    columns = tuple(rows[0])
    marks = ", ".join("?" * len(columns))
    connection.executemany(
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})",
        ([_plain(row[name]) for name in columns] for row in rows),
    )


def _plain(value: object) -> object:
    return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if isinstance(value, datetime) else value
