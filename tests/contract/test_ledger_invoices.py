"""Invoices lie beside the entries: each is written once, the newest counts, and nothing is ever changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy.exc import DBAPIError

from ftjobs.jobs.invoice import InvoiceLine, Report
from ftjobs.ledger.store import Ledger
from ftjobs.money import Usd
from ftjobs.periods import Period, month
from tests.contract.conftest import NOW, PRICE, Place, add_entry, created, ended

ACCOUNT = "https://api.openai.com/v1/||"
JUNE = month(2027, 6)
LINE = InvoiceLine(date(2027, 6, 1), "proj_1", "training", Usd(3_000_000_001), Decimal("1.5E+3"), "1000_tokens")
INVOICES = "SELECT account, day, project_id, line_item, amount_nano_usd, quantity, quantity_unit FROM invoices"


def keep(
    ledger: Ledger, *lines: InvoiceLine, period: Period = JUNE, account: str = ACCOUNT, later: int = 0
) -> int:
    now = NOW + timedelta(hours=later)
    return ledger.keep_reconciliation(account, Report(period, lines), period, '{"days": []}', now=now, by="me")


def amounts(place: Place) -> list[int]:
    return [row[4] for row in place.sql(f"{INVOICES} ORDER BY id")]


def test_a_line_is_kept_as_it_was_told_and_the_result_beside_it(ledger: Ledger, place: Place) -> None:
    assert keep(ledger, LINE) == 1
    assert place.sql(INVOICES) == [
        (ACCOUNT, "2027-06-01", "proj_1", "training", 3_000_000_001, "1.5E+3", "1000_tokens")
    ]
    kept = place.sql("SELECT account, first_day, last_day, result, recorded_by FROM reconciliations")
    assert kept == [(ACCOUNT, "2027-06-01", "2027-06-30", '{"days": []}', "me")]


def test_told_again_it_is_kept_once_and_each_result_is(ledger: Ledger, place: Place) -> None:
    other = replace(LINE, project_id="", line_item="", quantity=None, unit=None)
    assert keep(ledger, LINE, other) == 2
    before = place.sql("SELECT * FROM invoices")
    assert keep(ledger, other, replace(LINE, quantity=Decimal(1500)), later=1) == 0
    assert place.sql("SELECT * FROM invoices") == before
    assert place.sql("SELECT count(*) FROM reconciliations") == [(2,)]


def test_a_line_that_changes_gets_a_row_and_back_again_another(ledger: Ledger, place: Place) -> None:
    for later, nano in enumerate((1, 2, 1, 1)):
        keep(ledger, replace(LINE, amount=Usd(nano)), later=later)
    assert amounts(place) == [1, 2, 1]


def test_a_line_that_vanished_counts_as_nothing_and_may_come_back(ledger: Ledger, place: Place) -> None:
    keep(ledger, LINE)
    assert keep(ledger, later=1) == 1
    assert keep(ledger, later=2) == 0
    assert keep(ledger, LINE, later=3) == 1
    assert amounts(place) == [LINE.amount.nano, 0, LINE.amount.nano]


def test_other_days_and_other_accounts_vanish_from_no_report(ledger: Ledger, place: Place) -> None:
    keep(ledger, LINE)
    assert keep(ledger, account="another") == 0
    second = datetime(2027, 6, 2, tzinfo=UTC)
    assert keep(ledger, period=Period(second, JUNE.end)) == 0
    assert amounts(place) == [LINE.amount.nano]


def test_lines_of_one_name_are_one_row(ledger: Ledger, place: Place) -> None:
    assert keep(ledger, LINE, replace(LINE, amount=Usd(2))) == 1
    assert amounts(place) == [LINE.amount.nano + 2]


@pytest.mark.parametrize("table", ["invoices", "reconciliations"])
def test_the_database_refuses_to_change_what_is_kept(ledger: Ledger, place: Place, table: str) -> None:
    keep(ledger, LINE)
    for statement in (f"UPDATE {table} SET account = 'x'", f"DELETE FROM {table}"):
        with pytest.raises(DBAPIError, match="append-only"):
            place.sql(statement)


# Bills by day


def test_a_day_is_the_bills_of_the_jobs_that_ended_on_it(ledger: Ledger) -> None:
    midnight = datetime(2027, 6, 2, tzinfo=UTC)
    for number, (finished, tokens) in enumerate(
        [(midnight - timedelta(seconds=1), 1_000_000), (midnight, 2_000_000), (midnight, 500_000)], 1
    ):
        mine = ended(ledger, number, finished=finished, trained_tokens=tokens)
        ledger.settle(mine.id, PRICE, now=finished + timedelta(days=9))
    first, second = ledger.bills_by_day(ACCOUNT, JUNE)
    assert (first.day, first.billed, first.jobs) == (date(2027, 6, 1), Usd.parse("3"), 1)
    assert (second.day, second.billed, second.jobs) == (date(2027, 6, 2), Usd.parse("7.5"), 2)
    assert second.tokens == frozenset({2_500_000})
    assert ledger.bills_by_day("another", JUNE) == []
    assert ledger.bills_by_day(ACCOUNT, Period(JUNE.start, midnight)) == [first]


def test_a_correction_counts_on_the_day_of_its_bill(ledger: Ledger, place: Place) -> None:
    mine = ended(ledger, trained_tokens=1_000_000)
    ledger.settle(mine.id, PRICE, now=NOW + timedelta(hours=1))
    add_entry(place, mine.id, Usd.parse("0.5"), at="2027-07-20T18:00:00.000000Z")
    (day,) = ledger.bills_by_day(ACCOUNT, JUNE)
    assert (day.day, day.billed, day.adjusted) == (date(2027, 6, 1), Usd.parse("3.5"), Usd.parse("0.5"))
    assert ledger.bills_by_day(ACCOUNT, month(2027, 7)) == []


def test_what_stands_in_for_an_unknown_bill_counts_on_the_day_on_which_the_job_ended(
    ledger: Ledger, place: Place
) -> None:
    mine = ended(ledger, trained_tokens=None, status="failed")
    assert ledger.unbilled_jobs(ACCOUNT, JUNE) == 1
    add_entry(place, mine.id, Usd.parse("0.5"), at="2027-07-20T18:00:00.000000Z")
    (day,) = ledger.bills_by_day(ACCOUNT, JUNE)
    assert (day.day, day.billed, day.tokens) == (date(2027, 6, 1), Usd.parse("0.5"), frozenset())
    assert ledger.unbilled_jobs(ACCOUNT, JUNE) == 0


def test_jobs_without_a_bill_are_counted_where_they_may_belong(ledger: Ledger) -> None:
    created(ledger, 1)
    ended(ledger, 2, trained_tokens=None, status="failed")
    assert ledger.unbilled_jobs(ACCOUNT, JUNE) == 2
    assert ledger.unbilled_jobs(ACCOUNT, month(2027, 7)) == 1  # the one that goes on
    assert ledger.unbilled_jobs(ACCOUNT, month(2027, 5)) == 0
    assert ledger.unbilled_jobs("another", JUNE) == 0
