"""64 writers at one ledger, each with submissions of its own: how long a commit takes, waiting included."""

from __future__ import annotations

import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from ftjobs.ledger.place import Place, ledger_place
from ftjobs.ledger.store import Ledger
from tests.contract.conftest import NOW, a_job, a_submission
from tests.postgres import serve

if TYPE_CHECKING:
    from tests.bench.cases import Bench

WRITERS = 64
ROUNDS = 5  # each records a submission, then its job: two commits


def writers(bench: Bench) -> None:
    """SQLite and PostgreSQL, both as they are shipped: a commit is on the disk."""
    _measure(bench, "SQLite", bench.folder / "writers.sqlite3")
    with serve(is_fast=False) as databases, databases.fresh() as url:
        _measure(bench, "PostgreSQL", ledger_place(url))


def _measure(bench: Bench, name: str, place: Place) -> None:
    bench.say(f"writers: {WRITERS} at {name}")
    ledger, start = Ledger(place, stamp="real"), threading.Barrier(WRITERS)

    def write(writer: int) -> list[float]:
        mine, took = Ledger(place, stamp="real"), []
        start.wait()
        for number in range(writer * ROUNDS, (writer + 1) * ROUNDS):
            submission, job = a_submission(number), a_job(number)
            began = time.monotonic()
            mine.record(submission)
            recorded = time.monotonic()
            mine.attach(submission.id, job, now=NOW)
            took += [recorded - began, time.monotonic() - recorded]
        return took

    began = time.monotonic()
    with ThreadPoolExecutor(WRITERS) as pool:
        took = [each for one in pool.map(write, range(WRITERS)) for each in one]
    whole_s = time.monotonic() - began
    kept = [trail for trail in ledger.trails() if trail.submission.job and trail.estimate]
    if len(kept) != WRITERS * ROUNDS:
        raise RuntimeError(f"{name} kept {len(kept)} of {WRITERS * ROUNDS} submissions")
    percentiles = statistics.quantiles(took, n=100)
    for label, value_s in (("p50", percentiles[49]), ("p99", percentiles[98]), ("longest", max(took))):
        bench.add(f"{name}: a commit among {WRITERS} writers, {label}", value_s * 1000, "ms")
    bench.add(f"{name}: commits, none lost", len(took) / whole_s, "a second")
