"""What a person corrects: one more entry each, with who and why; tags that can be traced."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ftjobs.errors import UsageError
from ftjobs.ledger.budget import Limit
from ftjobs.ledger.entries import Entry, Trail
from ftjobs.ledger.store import Ledger
from ftjobs.money import Usd
from ftjobs.periods import month_of
from tests.contract.conftest import NOW, PRICE, Place, a_job, a_submission, created, ended, report_of, trail_of

LATER = NOW + timedelta(days=40)  # in another month


def adjust(ledger: Ledger, submission_id: str, **given: object) -> tuple[Trail, Entry | None]:
    values = {"reason": "invoice 7", "by": "ann@desk", "now": LATER} | given
    return ledger.adjust(submission_id, **values)  # type: ignore[arg-type]


def billed(ledger: Ledger) -> str:
    """Return the submission of a job that was billed $3.00."""
    mine = ended(ledger, trained_tokens=1_000_000)
    ledger.settle(mine.id, PRICE, now=NOW)
    return mine.id


def test_an_adjustment_is_one_more_entry_of_the_month_in_which_it_was_made(ledger: Ledger) -> None:
    mine = billed(ledger)
    before = ledger.trails()[0].entries
    trail, entry = adjust(ledger, mine, add=-Usd.parse("0.50"))
    assert entry is not None
    assert (entry.kind, entry.basis, entry.source, entry.recorded_by) == (
        "adjustment", "manual", "invoice 7", "ann@desk",
    )  # fmt: skip
    assert ledger.trails() == [trail]
    assert trail.entries == (*before, entry)
    months = [month_of(NOW), month_of(LATER)]
    totals = [report_of(ledger, each).totals.billed for each in months]
    assert totals == [Usd.parse("3.00"), -Usd.parse("0.50")]


def test_a_total_is_reached_from_wherever_the_bill_stands_and_once(ledger: Ledger) -> None:
    mine = billed(ledger)
    adjust(ledger, mine, add=Usd.parse("1.25"), reason="first")
    trail, entry = adjust(ledger, mine, total_usd=Usd.parse("2.00"))
    assert entry is not None
    assert (entry.seq, entry.amount, trail.billed) == (1, -Usd.parse("2.25"), Usd.parse("2.00"))
    again, nothing = adjust(ledger, mine, total_usd=Usd.parse("2.00"))
    assert (nothing, again) == (None, trail)
    assert len(trail_of(ledger, ledger.get(mine)).entries) == 4


def test_the_same_command_twice_adds_once(ledger: Ledger) -> None:
    mine = billed(ledger)
    adjust(ledger, mine, add=Usd.parse("1.00"))
    with pytest.raises(UsageError, match=r"already, on .* by ann@desk"):
        adjust(ledger, mine, add=Usd.parse("1.00"))
    adjust(ledger, mine, add=Usd.parse("1.00"), reason="invoice 8")
    assert ledger.trails()[0].billed == Usd.parse("5.00")


def test_a_credit_on_an_earlier_month_makes_no_room_in_this_one(ledger: Ledger) -> None:
    mine = ended(ledger, trained_tokens=None)
    adjust(ledger, mine.id, total_usd=Usd.parse("50.00"), now=NOW)
    told = a_job(1, "succeeded", trained_tokens=1_000_000)
    ledger.refresh([told], price_of=lambda _: PRICE, now=LATER)
    (state,) = ledger.budgets([Limit(Usd.parse("10.00"))], month_of(LATER))
    assert (state.billed, state.headroom) == (Usd(0), Usd.parse("10.00"))


@pytest.mark.parametrize("given", [{"add": -Usd.parse("3.01")}, {"total_usd": -Usd(1)}, {"add": Usd(10**19)}])
def test_a_bill_stays_at_zero_or_above_and_within_reason(ledger: Ledger, given: dict[str, Usd]) -> None:
    mine = billed(ledger)
    before = ledger.trails()
    with pytest.raises(UsageError) as refused:
        adjust(ledger, mine, **given)
    assert refused.value.code == "bad_adjustment"
    assert ledger.trails() == before


def test_a_job_that_goes_on_or_was_never_made_is_not_adjusted(ledger: Ledger) -> None:
    running = created(ledger, 1)
    waiting = a_submission(2)
    ledger.record(waiting)
    lost = created(ledger, 3)
    for _ in range(2):
        ledger.miss([a_job(3).id], now=NOW)
    refusals = ((running, "not_ended"), (waiting, "nothing_billed"), (lost, "not_ended"))
    for submission, code in refusals:
        with pytest.raises(UsageError) as refused:
            adjust(ledger, submission.id, total_usd=Usd(0))
        assert refused.value.code == code
    assert len(ledger.unsettled()) == 3, "all hold their commitment, and are asked for again"


def test_what_stood_in_for_an_unknown_bill_is_taken_back_when_the_service_tells_it(ledger: Ledger) -> None:
    mine = ended(ledger, trained_tokens=None)
    adjust(ledger, mine.id, total_usd=Usd.parse("1.25"))
    limit = [Limit(Usd.parse("10.00"))]
    assert ledger.budgets(limit, month_of(LATER))[0].committed == Usd(0)

    told = a_job(1, "succeeded", trained_tokens=1_000_000)
    ledger.refresh([told], price_of=lambda _: PRICE, now=LATER)

    trail = trail_of(ledger, mine)
    assert trail.billed == Usd.parse("3.00")
    assert [(e.kind, e.amount) for e in trail.billed_entries] == [
        ("adjustment", Usd.parse("1.25")),
        ("billed", Usd.parse("3.00")),
        ("adjustment", -Usd.parse("1.25")),
    ]
    ledger.refresh([told], price_of=lambda _: PRICE, now=LATER)
    assert trail_of(ledger, mine) == trail
    adjust(ledger, mine.id, add=-Usd.parse("1.00"), reason="credit")
    more = a_job(1, "succeeded", trained_tokens=2_000_000)
    ledger.refresh([more], price_of=lambda _: PRICE, now=LATER)
    assert trail_of(ledger, mine).billed == Usd.parse("5.00"), "what corrects a bill stands"


def test_nothing_charged_is_a_known_bill(ledger: Ledger) -> None:
    mine = ended(ledger, trained_tokens=None, status="failed")
    trail, entry = adjust(ledger, mine.id, total_usd=Usd(0))
    assert entry is not None
    assert (trail.billed, trail.settled, trail.commitment) == (Usd(0), True, Usd(0))


def test_tags_are_set_and_removed_budgets_follow_and_what_they_were_is_kept(ledger: Ledger, place: Place) -> None:
    mine = billed(ledger)
    ads = Limit(Usd.parse("10.00"), tag=("team", "ads"))
    assert ledger.budgets([ads], month_of(NOW))[0].billed == Usd(0)
    ledger.tag(mine, put={"team": "ads", "cost": "4711"}, by="ann@desk", now=LATER)
    assert ledger.budgets([ads], month_of(NOW))[0].billed == Usd.parse("3.00")
    told = ledger.tag(mine, put={}, drop=["cost"], by="bob@desk", now=LATER)
    assert told.tags == ledger.get(mine).tags == {"team": "ads"}
    ledger.tag(mine, put={"team": "ads"}, by="bob@desk", now=LATER)
    kept = place.sql("SELECT before, recorded_by FROM changes WHERE what = 'tags' ORDER BY id")
    assert kept == [('{"team": "search"}', "ann@desk"), ('{"cost": "4711", "team": "ads"}', "bob@desk")]


@pytest.mark.parametrize("table", ["changes", "invoices", "reconciliations"])
def test_what_is_kept_for_the_record_is_append_only(ledger: Ledger, place: Place, table: str) -> None:
    mine = billed(ledger)
    ledger.tag(mine, put={"team": "ads"}, by="ann@desk", now=LATER)
    place.sql(
        "INSERT INTO invoices (account, day, project_id, line_item, amount_nano_usd, recorded_at)"
        " VALUES ('a', '2027-06-01', 'p', 'l', 1, '2027-06-01T00:00:00.000000Z')"
    )
    place.sql(
        "INSERT INTO reconciliations (account, first_day, last_day, result, recorded_at)"
        " VALUES ('a', '2027-06-01', '2027-06-01', '{}', '2027-06-01T00:00:00.000000Z')"
    )
    before = place.sql(f"SELECT * FROM {table}")
    assert before
    for statement in (f"UPDATE {table} SET recorded_at = 'x'", f"DELETE FROM {table}"):
        with pytest.raises(Exception, match=f"{table} are append-only"):
            place.sql(statement)
    assert place.sql(f"SELECT * FROM {table}") == before
