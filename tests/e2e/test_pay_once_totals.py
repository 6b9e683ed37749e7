"""The month's totals are the service's own trained tokens at the price of that day, to the nano-dollar."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

from tests.conftest import Service
from tests.e2e.conftest import Book, Shell, creates, until

USD_PER_1M = {"gpt-4o-mini-2024-07-18": Fraction(3), "gpt-4.1-2025-04-14": Fraction(25)}


def nano(text: str) -> int:
    """Return an amount as printed, in nano-dollars; it has 2 to 9 decimals and no exponent."""
    assert re.fullmatch(r"-?\d+\.\d{2,9}", text), text
    exact = Fraction(text) * 10**9
    assert exact.denominator == 1
    return int(exact)


def bill_of(job: dict[str, Any]) -> int:
    """Return trained tokens × price in nano-dollars; whole, since a token costs whole micro-dollars."""
    exact = Fraction(job["trained_tokens"]) * USD_PER_1M[job["model"]] / 10**6 * 10**9
    assert exact.denominator == 1
    return int(exact)


def test_the_ledger_of_the_month_is_the_services_tokens_times_the_price(
    service: Service, shell: Shell, book: Book, make_training_file: Callable[[str, int], Path]
) -> None:
    service.settings(job_seconds=0)
    estimated = [
        shell.submit(),
        shell.on(make_training_file("b.jsonl", 37)).submit("--epochs", "2"),
        shell.on(make_training_file("c.jsonl", 101)).submit("--model", "gpt-4.1"),
    ]
    service.settings(fail_jobs=True)
    failed = shell.submit("--epochs", "5")
    assert [ran.code for ran in [*estimated, failed]] == [0] * 4
    until(lambda: all(job["finished_at"] for job in service.jobs()))
    shell.status()

    told = shell.run("ledger", "--month", "--json").json

    succeeded = [job for job in service.jobs() if job["status"] == "succeeded"]
    assert len(succeeded) == 3
    expected = sum(bill_of(job) for job in succeeded)
    totals = told["totals"]
    assert nano(totals["billed_cost_usd"]) == expected
    assert totals["trained_tokens"] == sum(job["trained_tokens"] for job in succeeded)
    by_job = {line["job_id"]: line for line in told["jobs"]}
    assert {job["id"]: bill_of(job) for job in succeeded} == {
        job["id"]: nano(by_job[job["id"]]["billed_cost_usd"]) for job in succeeded
    }
    first_estimates = sum(nano(ran.json["estimate"]["estimated_cost_usd"]["expected"]) for ran in estimated)
    assert nano(totals["settled_estimated_cost_usd"]) == first_estimates
    assert nano(totals["variance_usd"]) == expected - first_estimates
    # Whether a failed job is billed nobody has told: unknown, not $0, and its high estimate stays committed.
    lost = by_job[failed.json["job_id"]]
    assert (lost["billed_cost_usd"], lost["trained_tokens"]) == (None, None)
    high = nano(failed.json["estimate"]["estimated_cost_usd"]["high"])
    assert nano(totals["commitment_usd"]) == high
    assert (totals["jobs"], totals["unsettled_jobs"], totals["unknown_billed_jobs"]) == (4, 1, 1)
    assert sum(entry["amount_nano_usd"] for entry in book.entries("billed")) == expected
    assert len(book.entries("billed")) == 3
    assert creates(service) == 4
