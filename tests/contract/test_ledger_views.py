"""The views that any SQL program may read say what the month report says."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import Any

from ftjobs.ledger.store import Ledger
from ftjobs.money import Usd
from ftjobs.periods import month
from tests.contract.conftest import (
    MINI,
    NOW,
    PRICE,
    Place,
    SqlitePlace,
    a_job,
    a_submission,
    created,
    ended,
    report_of,
)

JULY = month(2027, 7)


def told(ledger: Ledger) -> None:
    """Fill a ledger: billed, billed and adjusted a month later, unknown, running, voided, adopted bare."""
    for number, tokens in ((1, 1_000_000), (2, 500_000), (3, None)):
        mine = ended(ledger, number, trained_tokens=tokens)
        ledger.settle(mine.id, PRICE, now=NOW)
    second = ended(ledger, 4, trained_tokens=2_000_000)
    ledger.settle(second.id, PRICE, now=NOW)
    ledger.adjust(second.id, add=-Usd.parse("0.10"), reason="credit", by="me", now=JULY.start + timedelta(hours=1))
    created(ledger, 5)
    ledger.record(a_submission(6))
    ledger.close(a_submission(6).id, "rejected", code="x", message="no", now=NOW)


def ask(place: Place, query: str) -> list[tuple[Any, ...]]:
    """Read as datasette or pandas would: the file itself, with no line of ours."""
    if isinstance(place, SqlitePlace):
        with closing(sqlite3.connect(f"{place.path.as_uri()}?mode=ro", uri=True)) as connection:
            return connection.execute(query).fetchall()
    return place.sql(query)


def test_job_costs_has_a_row_a_job_with_what_is_unknown_left_open(ledger: Ledger, place: Place) -> None:
    told(ledger)
    rows = ask(
        place,
        "SELECT job_id, status, base_model, estimated_tokens, trained_tokens, billed_nano_usd, committed_nano_usd,"
        " billed_usd, billed_on FROM job_costs ORDER BY submission_id",
    )
    high = Usd.parse("3.00").nano
    day = "2027-06-01"
    assert [tuple(row) for row in rows] == [
        ("ftjob-0001", "succeeded", MINI, 800_000, 1_000_000, 3 * 10**9, 0, 3.0, day),
        ("ftjob-0002", "succeeded", MINI, 800_000, 500_000, 15 * 10**8, 0, 1.5, day),
        ("ftjob-0003", "succeeded", MINI, 800_000, None, None, high, None, None),
        ("ftjob-0004", "succeeded", MINI, 800_000, 2_000_000, 59 * 10**8, 0, 5.9, day),
        ("ftjob-0005", "running", MINI, 800_000, None, None, high, None, None),
        (None, "rejected", MINI, 800_000, None, None, 0, None, None),
    ]


def test_ledger_month_adds_up_to_the_month_report(ledger: Ledger, place: Place) -> None:
    told(ledger)
    rows = ask(place, "SELECT month, jobs, trained_tokens, billed_nano_usd FROM ledger_month ORDER BY month")
    expected = []
    for period in (month(2027, 6), JULY):
        totals = report_of(ledger, period).totals
        expected.append((period.start.strftime("%Y-%m"), totals.trained_tokens, totals.billed.nano))
    assert [(row[0], row[2] or 0, row[3]) for row in rows] == expected
    assert [row[1] for row in rows] == [3, 1]


def test_a_job_that_ended_in_the_other_spelling_is_not_missing(ledger: Ledger, place: Place) -> None:
    created(ledger, 1)
    ledger.see(a_job(1, "canceled"), now=NOW)
    for _ in range(2):
        ledger.miss([a_job(1).id], now=NOW)
    (row,) = ask(place, "SELECT status FROM job_costs")
    assert row[0] == ledger.trails()[0].submission.status == "canceled"


def test_a_job_that_only_python_can_read_does_not_spoil_the_views(ledger: Ledger, place: Place) -> None:
    created(ledger, 1)
    ledger.see(a_job(1, "running", odd=float("nan")), now=NOW)
    assert [row[0] for row in ask(place, "SELECT job_id FROM job_costs")] == ["ftjob-0001"]
