"""Which jobs a month lists, and what it says of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ftjobs.ledger.month import totals_of
from ftjobs.ledger.store import Ledger
from ftjobs.money import Usd
from ftjobs.periods import Period, month
from tests.contract.conftest import NOW, PRICE, Place, a_job, a_submission, add_entry, created, ended, report_of

OCTOBER, NOVEMBER = month(2027, 10), month(2027, 11)
MICROSECOND, SECOND = timedelta(microseconds=1), timedelta(seconds=1)


def listed(ledger: Ledger, period: Period) -> list[tuple[str, str]]:
    """Return each listed submission's number with what the period says of it."""
    lines = report_of(ledger, period).lines
    return [
        (
            line.submission.key[-1],
            "billed" if line.billed is not None else "settled" if line.settled else "open",
        )
        for line in lines
    ]


def test_a_job_is_listed_open_in_the_month_it_was_submitted_and_billed_in_the_month_it_ended(
    ledger: Ledger,
) -> None:
    last_instant = OCTOBER.end - MICROSECOND
    mine = ended(ledger, 1, at=last_instant, finished=NOVEMBER.start, trained_tokens=1_000_000)
    ledger.settle(mine.id, PRICE, now=NOVEMBER.start + SECOND)
    assert listed(ledger, month(2027, 9)) == []
    assert listed(ledger, OCTOBER) == [("1", "open")]
    assert listed(ledger, NOVEMBER) == [("1", "billed")]
    assert listed(ledger, month(2027, 12)) == []


def test_what_is_read_as_it_is_printed_ends_where_the_period_does(ledger: Ledger) -> None:
    mine = ended(ledger, 1, at=OCTOBER.start, finished=NOVEMBER.start, trained_tokens=1_000_000)
    ledger.settle(mine.id, PRICE, now=NOVEMBER.start + SECOND)
    for period in (OCTOBER, NOVEMBER, None):
        told = report_of(ledger, period)
        with ledger.listing(period) as read:
            assert (read.digest, totals_of(read.lines)) == (told.digest, told.totals)


def test_a_job_that_ended_in_the_last_second_of_a_month_is_billed_in_it(ledger: Ledger) -> None:
    mine = ended(ledger, 1, at=OCTOBER.start, finished=OCTOBER.end - SECOND, trained_tokens=1_000_000)
    ledger.settle(mine.id, PRICE, now=NOVEMBER.start + timedelta(days=3))
    assert listed(ledger, OCTOBER) == [("1", "billed")]
    assert listed(ledger, NOVEMBER) == []


def test_a_submission_of_the_first_instant_belongs_to_the_new_month(ledger: Ledger) -> None:
    created(ledger, 1, at=NOVEMBER.start)
    assert listed(ledger, OCTOBER) == []
    assert listed(ledger, NOVEMBER) == [("1", "open")]


def test_an_unsettled_job_is_listed_until_it_is_settled(ledger: Ledger) -> None:
    created(ledger, 1, at=OCTOBER.start)
    for period in (OCTOBER, NOVEMBER, month(2027, 12), month(2028, 1), Period(OCTOBER.start, NOVEMBER.end)):
        assert listed(ledger, period) == [("1", "open")]


@pytest.mark.parametrize(
    ("voided_at", "october", "november"),
    [(OCTOBER.end - MICROSECOND, [], []), (OCTOBER.end, [("1", "open")], [])],
    ids=["in its last microsecond", "in the first instant after it"],
)
def test_a_void_leaves_its_submission_open_in_the_months_before_it(
    ledger: Ledger, voided_at: datetime, october: list[tuple[str, str]], november: list[tuple[str, str]]
) -> None:
    mine = a_submission(at=OCTOBER.start)
    ledger.record(mine)
    ledger.close(mine.id, "abandoned", code="x", message="no", now=voided_at)
    assert (listed(ledger, OCTOBER), listed(ledger, NOVEMBER)) == (october, november)


def test_an_adopted_job_without_an_estimate_is_open_from_the_day_it_was_taken_in(ledger: Ledger) -> None:
    adopted = a_submission(
        at=NOVEMBER.start, state="created", has_quote=False, job=a_job(1, created=OCTOBER.start)
    )
    ledger.adopt(adopted, replaces=None, now=NOVEMBER.start)
    assert (listed(ledger, OCTOBER), listed(ledger, NOVEMBER)) == ([], [("1", "open")])


def test_a_correction_leaves_its_job_in_the_month_of_its_bill(ledger: Ledger) -> None:
    mine = ended(ledger, 1, at=OCTOBER.start, finished=OCTOBER.end - SECOND, trained_tokens=1_000_000)
    ledger.settle(mine.id, PRICE, now=OCTOBER.end)
    corrected = a_job(1, "succeeded", created=OCTOBER.start, finished=OCTOBER.end - SECOND, trained_tokens=900_000)
    ledger.see(corrected, now=NOVEMBER.start)
    ledger.settle(mine.id, PRICE, now=NOVEMBER.start + SECOND)
    found = report_of(ledger, OCTOBER)
    assert (found.totals.billed, found.totals.trained_tokens) == (Usd.parse("2.70"), 900_000)
    assert listed(ledger, NOVEMBER) == []


def test_an_adjustment_belongs_to_the_month_it_was_made_in_and_lists_its_job_again(
    ledger: Ledger, place: Place
) -> None:
    mine = ended(ledger, 1, at=OCTOBER.start, finished=OCTOBER.end - SECOND, trained_tokens=1_000_000)
    ledger.settle(mine.id, PRICE, now=OCTOBER.end)
    add_entry(place, mine.id, -Usd.parse("0.50"), at="2027-11-01T00:00:00.000000Z")
    billed = [report_of(ledger, each).totals.billed for each in (OCTOBER, NOVEMBER)]
    assert billed == [Usd.parse("3.00"), -Usd.parse("0.50")]


def test_all_of_time_lists_every_job_but_what_was_voided_in_the_order_of_recording(ledger: Ledger) -> None:
    for number, at in ((2, NOVEMBER.start), (1, OCTOBER.start), (3, NOVEMBER.start)):
        created(ledger, number, at=at)
    voided = a_submission(4, at=NOVEMBER.start)
    ledger.record(voided)
    ledger.close(voided.id, "rejected", code="x", message="no", now=NOVEMBER.start)
    assert [line.submission.key[-1] for line in report_of(ledger, None).lines] == ["1", "2", "3"]
    assert [trail.submission.key[-1] for trail in ledger.trails()] == ["1", "2", "3", "4"]


def test_an_instant_of_another_zone_is_put_into_its_utc_month(ledger: Ledger) -> None:
    berlin = datetime.fromisoformat("2027-11-01T00:30:00+01:00")
    created(ledger, 1, at=berlin)
    assert listed(ledger, OCTOBER) == [("1", "open")]
    assert ledger.trails()[0].entries[0].occurred_at == datetime(2027, 10, 31, 23, 30, tzinfo=UTC)


def test_the_digest_holds_while_job_states_change_and_changes_with_every_entry(
    ledger: Ledger, place: Place
) -> None:
    mine = created(ledger)
    digests = [report_of(ledger, None).digest]
    ledger.see(a_job(1, "succeeded", trained_tokens=5, a_field_of_2028=1), now=NOW)
    assert report_of(place.open(), None).digest == digests[0]
    ledger.settle(mine.id, PRICE, now=NOW)
    digests.append(report_of(ledger, None).digest)
    add_entry(place, mine.id, Usd(1))
    digests.append(report_of(ledger, None).digest)
    created(ledger, 2)
    digests.append(report_of(ledger, None).digest)
    assert len(set(digests)) == 4
