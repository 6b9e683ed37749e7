"""Entries: what is written for an estimate, a void and a bill, and what a trail makes of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from ftjobs.jobs.job import Job
from ftjobs.ledger.entries import BillingPrice, Entry, Trail, billed_entry, estimate_entry, void_entry
from ftjobs.money import Usd, UsdPer1M
from ftjobs.ranges import Range
from tests.contract.conftest import NOW, PRICE, a_job, a_quote, a_submission

ESTIMATE = estimate_entry("01MINE", a_quote("3.00"), occurred_at=NOW, recorded_at=NOW)


def trail(*entries: Entry) -> Trail:
    return Trail(replace(a_submission(), id="01MINE"), entries)


def done(trained_tokens: int | None, status: str = "succeeded") -> Job:
    return a_job(1, status, trained_tokens=trained_tokens)


def bill(before: Trail, trained_tokens: int, price: BillingPrice = PRICE) -> Entry:
    entry = billed_entry(before, done(trained_tokens), price, now=NOW)
    assert entry is not None
    return entry


def adjustment(amount: Usd) -> Entry:
    return Entry("01MINE", "adjustment", 0, amount, NOW, NOW, basis="manual", source="a person")


# Estimate and void


def test_an_estimate_entry_is_the_quote_word_for_word() -> None:
    quote = replace(a_quote("3.00"), effective_from=date(2027, 5, 1), price_source="a contract")
    entry = estimate_entry("01MINE", quote, occurred_at=NOW, recorded_at=NOW + timedelta(days=1))
    assert entry == Entry(
        "01MINE",
        "estimate",
        0,
        Usd.parse("2.40"),
        NOW,
        NOW + timedelta(days=1),
        tokens=800_000,
        spread=Range(Usd.parse("1.50"), Usd.parse("2.40"), Usd.parse("3.00")),
        usd_per_1m=UsdPer1M.parse("3.00"),
        price_list="openai",
        effective_from=date(2027, 5, 1),
        source="a contract",
    )


def test_a_void_takes_every_number_of_its_estimate_back() -> None:
    void = void_entry(trail(ESTIMATE), now=NOW, reason="rejected: no_access")
    assert void is not None
    assert (void.kind, void.seq, void.source, void.occurred_at) == ("void", 0, "rejected: no_access", NOW)
    assert void.amount + ESTIMATE.amount == Usd(0)
    assert (void.tokens or 0) + (ESTIMATE.tokens or 0) == 0
    assert void.spread is not None
    assert ESTIMATE.spread is not None
    assert void.spread.low + ESTIMATE.spread.high == void.spread.high + ESTIMATE.spread.low == Usd(0)


def test_nothing_is_voided_twice_or_without_an_estimate() -> None:
    void = void_entry(trail(ESTIMATE), now=NOW, reason="x")
    assert void is not None
    assert void_entry(trail(ESTIMATE, void), now=NOW, reason="x") is None
    assert void_entry(trail(), now=NOW, reason="x") is None


def test_an_estimate_without_tokens_or_bounds_is_voided_all_the_same() -> None:
    void = void_entry(trail(replace(ESTIMATE, tokens=None, spread=None)), now=NOW, reason="x")
    assert void is not None
    assert (void.amount, void.tokens, void.spread) == (-ESTIMATE.amount, None, None)


# The bill


def test_the_bill_is_trained_tokens_times_price_rounded_once() -> None:
    entry = bill(trail(ESTIMATE), 333_333, replace(PRICE, usd_per_1m=UsdPer1M.parse("0.000002")))
    assert entry.amount == Usd(667)
    assert (entry.tokens, entry.basis) == (333_333, "trained_tokens")


@pytest.mark.parametrize("status", ["validating_files", "queued", "running", "paused", "a word of 2028"])
def test_a_job_that_has_not_ended_is_not_billed(status: str) -> None:
    assert billed_entry(trail(ESTIMATE), done(5, status), PRICE, now=NOW) is None


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled", "canceled"])
def test_an_ended_job_is_billed_for_what_it_trained_on_and_not_at_all_while_that_is_unknown(status: str) -> None:
    assert billed_entry(trail(ESTIMATE), done(None, status), PRICE, now=NOW) is None
    nothing = billed_entry(trail(ESTIMATE), done(0, status), PRICE, now=NOW)
    assert nothing is not None
    assert (nothing.amount, nothing.tokens) == (Usd(0), 0)
    some = billed_entry(trail(ESTIMATE), done(1_000_000, status), PRICE, now=NOW)
    assert some is not None
    assert some.amount == Usd.parse("3.00")


def test_settling_again_brings_nothing_whatever_the_price_is_now() -> None:
    settled = trail(ESTIMATE, bill(trail(ESTIMATE), 790_001))
    dearer = replace(PRICE, usd_per_1m=UsdPer1M.parse("9.00"), price_list="elsewhere")
    for price in (PRICE, dearer):
        assert billed_entry(settled, done(790_001), price, now=NOW + timedelta(days=9)) is None


def test_a_bill_of_nothing_is_a_bill_and_is_not_written_twice() -> None:
    settled = trail(ESTIMATE, bill(trail(ESTIMATE), 0))
    assert billed_entry(settled, done(0), PRICE, now=NOW) is None


def test_a_correction_writes_the_difference_so_that_the_sum_is_rounded_once_as_a_whole() -> None:
    price = replace(PRICE, usd_per_1m=UsdPer1M(1_500_000))
    steps = trail(ESTIMATE)
    for seq, tokens in enumerate([1, 2, 3, 4, 5, 2]):
        entry = bill(steps, tokens, price)
        steps = replace(steps, entries=(*steps.entries, entry))
        assert entry.seq == seq
        assert steps.billed == price.usd_per_1m.cost(tokens)


def test_a_correction_keeps_the_price_list_and_source_of_the_first_bill() -> None:
    first = BillingPrice(UsdPer1M.parse("3.00"), "openai", date(2027, 1, 1), "a page")
    settled = trail(ESTIMATE, bill(trail(ESTIMATE), 1_000_000, first))
    entry = bill(settled, 2_000_000, BillingPrice(UsdPer1M.parse("9.00"), "user", None, "later"))
    assert settled.billed_price == first
    assert (entry.amount, entry.usd_per_1m, entry.price_list) == (Usd.parse("3.00"), first.usd_per_1m, "openai")
    assert (entry.effective_from, entry.source) == (date(2027, 1, 1), "a page")


def test_an_adjustment_is_not_settled_away() -> None:
    settled = trail(ESTIMATE, bill(trail(ESTIMATE), 1_000_000), adjustment(-Usd.parse("1.00")))
    assert billed_entry(settled, done(1_000_000), PRICE, now=NOW) is None
    more = bill(settled, 1_500_000)
    assert more.amount == Usd.parse("1.50")
    assert replace(settled, entries=(*settled.entries, more)).billed == Usd.parse("3.50")


def test_a_bill_is_dated_when_the_job_finished_else_when_it_was_learnt() -> None:
    finished = datetime(2027, 5, 31, 23, 59, 59, tzinfo=UTC)
    told = a_job(1, "succeeded", created=finished - timedelta(hours=1), finished=finished, trained_tokens=1)
    dated = billed_entry(trail(ESTIMATE), told, PRICE, now=NOW)
    undated = billed_entry(trail(ESTIMATE), replace(told, finished_at=None), PRICE, now=NOW)
    assert dated is not None
    assert undated is not None
    assert (dated.occurred_at, dated.recorded_at) == (finished, NOW)
    assert undated.occurred_at == NOW


@pytest.mark.parametrize(
    "finished",
    [
        datetime(1970, 1, 2, tzinfo=UTC),
        NOW - timedelta(days=1, seconds=1),
        NOW + timedelta(seconds=1),
        datetime(9999, 12, 31, tzinfo=UTC),
    ],
    ids=["long ago", "before the estimate", "in the future", "never"],
)
def test_a_bill_that_is_dated_outside_of_the_jobs_time_belongs_to_the_moment_it_was_learnt(
    finished: datetime,
) -> None:
    told = replace(done(5), finished_at=finished)
    entry = billed_entry(trail(ESTIMATE), told, PRICE, now=NOW)
    assert entry is not None
    assert entry.occurred_at == NOW
    adopted = billed_entry(trail(), replace(told, created_at=NOW - timedelta(days=400)), PRICE, now=NOW)
    assert adopted is not None
    is_within = NOW - timedelta(days=401) <= finished <= NOW
    assert adopted.occurred_at == (finished if is_within else NOW)


# The trail


def test_an_open_submission_holds_its_high_estimate() -> None:
    mine = trail(ESTIMATE)
    assert (mine.commitment, mine.billed, mine.settled, mine.voided) == (Usd.parse("3.00"), None, False, False)
    assert trail(replace(ESTIMATE, spread=None)).commitment == ESTIMATE.amount


def test_a_job_without_an_estimate_holds_nothing_and_is_not_settled() -> None:
    assert (trail().commitment, trail().estimate, trail().settled) == (Usd(0), None, False)


def test_a_bill_a_void_or_an_adjustment_settles_and_holds_nothing_more() -> None:
    void = void_entry(trail(ESTIMATE), now=NOW, reason="x")
    assert void is not None
    for entry, billed in (
        (bill(trail(ESTIMATE), 0), Usd(0)),
        (adjustment(Usd.parse("1.25")), Usd.parse("1.25")),
        (void, None),
    ):
        mine = trail(ESTIMATE, entry)
        assert (mine.settled, mine.commitment, mine.billed) == (True, Usd(0), billed)


def test_the_billed_side_leaves_estimates_and_voids_out() -> None:
    one, other = bill(trail(ESTIMATE), 1_000_000), adjustment(-Usd.parse("0.25"))
    mine = trail(ESTIMATE, one, other)
    assert mine.billed_entries == (one, other)
    assert mine.billed == Usd.parse("2.75")
