"""Hours of hosting: beside the bill, priced once, corrected by one more entry, and never lost."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from ftjobs.errors import UsageError
from ftjobs.ledger.backup import back_up
from ftjobs.ledger.budget import Limit
from ftjobs.ledger.copying import copy_ledger
from ftjobs.ledger.hosting import Hosting, HostingSum, HourPrice
from ftjobs.ledger.store import Ledger
from ftjobs.money import Usd
from ftjobs.periods import Period, month_of
from tests.contract.conftest import (
    NOW,
    PRICE,
    Crew,
    Place,
    PostgresPlace,
    SqlitePlace,
    a_submission,
    created,
    ended,
    trail_of,
)

HOUR = 3600
LATER = NOW + timedelta(days=40)  # in another month
BEFORE = date(2027, 6, 30)
STANDARD = HourPrice(Usd.parse("1.70"), "user", date(2027, 6, 1), "a page")


def at(usd: str) -> HourPrice:
    return HourPrice(Usd.parse(usd), "user", None, "another page")


def host(ledger: Ledger, submission_id: str, seconds: int, **given: object) -> Hosting:
    values = {"price": STANDARD, "on": LATER.date(), "reason": "invoice 7", "by": "ann@desk", "now": LATER} | given
    return ledger.hosting.record(submission_id, seconds, **values)[-1]  # type: ignore[arg-type]


def hosted_in(ledger: Ledger, period: Period | None, **as_of: object) -> HostingSum:
    with ledger.listing(period, **as_of) as found:  # type: ignore[arg-type]
        return found.hosting


def billed(ledger: Ledger) -> str:
    """Return the submission of a job that was billed $3.00."""
    mine = ended(ledger, trained_tokens=1_000_000)
    ledger.settle(mine.id, PRICE, now=NOW)
    return mine.id


def test_hours_are_kept_with_their_price_and_who_said_so(ledger: Ledger, place: Place) -> None:
    mine = billed(ledger)
    entry = host(ledger, mine, 72 * HOUR)
    assert (entry.seconds, entry.amount, entry.seq) == (259_200, Usd.parse("122.40"), 0)
    assert (entry.reason, entry.recorded_by, entry.source) == ("invoice 7", "ann@desk", "a page")
    assert place.open().hosting.of(mine) == (entry,)
    assert entry.occurred_at == entry.recorded_at == LATER


def test_hosting_is_no_part_of_the_bill_the_budget_or_the_digest(ledger: Ledger) -> None:
    mine = billed(ledger)
    limits = [Limit(Usd.parse("10.00"))]

    def told() -> list[object]:
        with ledger.listing(None) as found:
            lines = [(line.billed, line.variance) for line in found.lines]
            digest = found.digest
        return [trail_of(ledger, ledger.get(mine)), ledger.budgets(limits, month_of(LATER)), digest, lines]

    before = told()
    host(ledger, mine, 720 * HOUR)
    assert told() == before


@pytest.mark.parametrize(
    ("nano_per_hour", "nano"), [(1, 0), (2, 1), (3, 2), (5, 2), (7, 4)], ids=["0.5", "1", "1.5", "2.5", "3.5"]
)
def test_an_amount_is_rounded_half_even_and_once(ledger: Ledger, nano_per_hour: int, nano: int) -> None:
    mine = billed(ledger)
    price = HourPrice(Usd(nano_per_hour), "user", None, "a page")
    assert host(ledger, mine, HOUR // 2, price=price).amount == Usd(nano)
    assert host(ledger, mine, -HOUR // 2, price=None, reason="taken back").amount == Usd(-nano)


def test_the_same_command_twice_records_once_whatever_the_day_and_the_price(ledger: Ledger) -> None:
    mine = billed(ledger)
    host(ledger, mine, HOUR)
    for again in ({}, {"on": BEFORE}, {"price": at("2.00"), "now": LATER + timedelta(days=1)}):
        with pytest.raises(UsageError, match=r"already, on .* by ann@desk"):
            host(ledger, mine, HOUR, **again)
    host(ledger, mine, HOUR, reason="invoice 8")
    assert [entry.seq for entry in ledger.hosting.of(mine)] == [0, 1]


def test_hours_belong_to_the_month_of_their_day_also_of_a_job_that_the_month_does_not_list(ledger: Ledger) -> None:
    mine = billed(ledger)
    host(ledger, mine, HOUR, on=BEFORE)
    host(ledger, mine, 2 * HOUR)
    other = ended(ledger, 2, trained_tokens=None)
    host(ledger, other.id, HOUR)
    assert hosted_in(ledger, month_of(NOW)) == HostingSum(1, Usd.parse("1.70"))
    assert hosted_in(ledger, month_of(LATER)) == HostingSum(2, Usd.parse("5.10"))
    assert hosted_in(ledger, None) == HostingSum(2, Usd.parse("6.80"))
    with ledger.listing(month_of(LATER)) as found:
        assert found.report().hosting == HostingSum(2, Usd.parse("5.10"))


def test_an_earlier_print_knows_nothing_of_what_was_recorded_since(ledger: Ledger) -> None:
    mine = billed(ledger)
    host(ledger, mine, HOUR, on=BEFORE)
    assert hosted_in(ledger, month_of(NOW), as_of=LATER) == HostingSum(1, Usd.parse("1.70"))
    assert hosted_in(ledger, month_of(NOW), as_of=LATER - timedelta(seconds=1)) == HostingSum(0, Usd(0))


def test_hours_are_taken_back_at_the_price_that_they_were_recorded_at(ledger: Ledger) -> None:
    mine = billed(ledger)
    host(ledger, mine, 10 * HOUR, on=BEFORE)
    host(ledger, mine, 10 * HOUR, price=at("2.00"), reason="invoice 8")
    back = host(ledger, mine, -4 * HOUR, price=None, on=BEFORE, reason="off on Friday")
    assert (back.amount, back.usd_per_hour, back.source) == (-Usd.parse("6.80"), Usd.parse("1.70"), "a page")
    newer = host(ledger, mine, -4 * HOUR, price=None, reason="off on Monday")
    assert (newer.amount, newer.source) == (-Usd.parse("8.00"), "another page")


@pytest.mark.parametrize(
    ("recorded", "seconds", "price"), [((), -1, None), ((HOUR,), -HOUR - 1, None), ((HOUR,), 10**13, at("10000"))]
)
def test_hours_and_dollars_stay_at_zero_or_above_and_within_reason(
    ledger: Ledger, recorded: tuple[int, ...], seconds: int, price: HourPrice | None
) -> None:
    mine = billed(ledger)
    for each in recorded:
        host(ledger, mine, each)
    with pytest.raises(UsageError) as refused:
        host(ledger, mine, seconds, price=price, reason="a slip")
    assert refused.value.code == "bad_hosting"
    assert len(ledger.hosting.of(mine)) == len(recorded)


def test_what_costs_nothing_an_hour_is_a_fact_of_its_own(ledger: Ledger) -> None:
    mine = billed(ledger)
    assert host(ledger, mine, 24 * HOUR, price=at("0")).amount == Usd(0)
    assert hosted_in(ledger, None) == HostingSum(1, Usd(0))


def test_a_model_is_hosted_between_the_end_of_its_job_and_today(ledger: Ledger) -> None:
    mine = billed(ledger)
    for day in (NOW.date() - timedelta(days=1), LATER.date() + timedelta(days=1)):
        with pytest.raises(UsageError) as refused:
            host(ledger, mine, HOUR, on=day)
        assert refused.value.code == "bad_day"
    assert host(ledger, mine, HOUR, on=NOW.date()).occurred_at.date() == NOW.date()


def test_a_job_that_goes_on_or_was_never_made_has_no_model_to_host(ledger: Ledger) -> None:
    waiting = a_submission(2)
    ledger.record(waiting)
    for submission, code in ((created(ledger, 1), "not_ended"), (waiting, "nothing_hosted")):
        with pytest.raises(UsageError) as refused:
            host(ledger, submission.id, HOUR)
        assert refused.value.code == code


def test_two_at_once_record_the_same_hours_once(crew: Crew, ledger: Ledger) -> None:
    mine = billed(ledger)
    script = f"""
from ftjobs.errors import UsageError
from ftjobs.ledger.hosting import HourPrice
ledger = at(sys.argv[1]).open()
ready()
try:
    price = HourPrice(Usd(1), "user", None, "a page")
    now = NOW + timedelta(hours=2)
    ledger.hosting.record({mine!r}, 3600, price=price, on=now.date(), reason="x", by="me", now=now)
    tell("recorded")
except UsageError as error:
    tell(error.code)
"""
    assert sorted(crew.race(script, 2)) == ["hosted_already", "recorded"]
    assert len(ledger.hosting.of(mine)) == 1


@pytest.mark.parametrize("statement", ["UPDATE hosting SET seconds = 0", "DELETE FROM hosting"])
def test_it_is_append_only(ledger: Ledger, place: Place, statement: str) -> None:
    mine = billed(ledger)
    entry = host(ledger, mine, HOUR)
    with pytest.raises(Exception, match="hosting is append-only"):
        place.sql(statement)
    assert ledger.hosting.of(mine) == (entry,)


def test_sqlite_replaces_nothing_and_postgresql_empties_nothing(
    sqlite: SqlitePlace, postgresql: PostgresPlace
) -> None:
    replacing = ["INSERT OR REPLACE INTO hosting SELECT * FROM hosting", "UPDATE OR REPLACE hosting SET seq = 1"]
    emptying = ["TRUNCATE hosting", "TRUNCATE submissions, jobs, entries, changes, hosting"]
    for place, statements in ((sqlite, replacing), (postgresql, emptying)):
        ledger = place.open()
        host(ledger, billed(ledger), HOUR)
        for statement in statements:
            with pytest.raises(Exception, match=r"append-only|never deleted"):
                place.sql(statement)
        assert len(place.sql("SELECT * FROM hosting")) == 1


def test_a_copy_and_a_backup_carry_it_and_go_on(
    sqlite: SqlitePlace, postgresql: PostgresPlace, tmp_path: Path
) -> None:
    ledger = sqlite.open()
    mine = billed(ledger)
    entry = host(ledger, mine, HOUR)
    copied = copy_ledger(sqlite.where, postgresql.where, stamp="real")
    assert copied.rows["hosting"] == 1
    there = postgresql.open()
    assert there.hosting.of(mine) == (entry,)
    assert host(there, mine, HOUR, reason="invoice 8").seq == 1
    back_up(sqlite.path, tmp_path / "copy.sqlite3")
    assert Ledger(tmp_path / "copy.sqlite3", stamp="real").hosting.of(mine) == (entry,)
