"""The ledger's rules for all inputs: exact sums, corrections that add up, a ledger that agrees with a model."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from ftjobs.errors import SpendRefusedError
from ftjobs.ledger.budget import BudgetState, Limit, admit
from ftjobs.ledger.entries import Entry, Trail, billed_entry, estimate_entry, void_entry
from ftjobs.ledger.month import percent, report
from ftjobs.ledger.store import Ledger
from ftjobs.money import TOKENS_PER_UNIT, Usd, UsdPer1M
from ftjobs.periods import Period, month, month_of
from tests.contract.conftest import NOW, PRICE, a_job, a_quote, a_submission

rates = st.integers(0, 10**13).map(UsdPer1M)
token_counts = st.integers(0, 10**11)
amounts = st.integers(-(10**15), 10**15).map(Usd)
costs = st.integers(0, 10**15).map(Usd)
instants = st.datetimes(datetime(2027, 1, 1), datetime(2028, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
months = st.builds(month, st.integers(2027, 2028), st.integers(1, 12))


def half_even(exact: Fraction) -> int:
    """Round as the standard library does: to the nearest whole, ties to even."""
    return round(exact)


# Bills


@given(rates, st.lists(token_counts, min_size=1, max_size=6))
def test_after_any_corrections_the_bill_is_the_last_trained_tokens_times_price(
    rate: UsdPer1M, told: list[int]
) -> None:
    trail = Trail(a_submission(), ())
    price = replace(PRICE, usd_per_1m=rate)
    for tokens in told:
        # The price of a later day must not matter any more.
        later = price if not trail.entries else replace(price, usd_per_1m=UsdPer1M(rate.nano + 1))
        entry = billed_entry(trail, a_job(1, "succeeded", trained_tokens=tokens), later, now=NOW)
        if entry is not None:
            trail = replace(trail, entries=(*trail.entries, entry))
        again = billed_entry(trail, a_job(1, "succeeded", trained_tokens=tokens), later, now=NOW)
        assert again is None
    assert trail.billed is not None
    assert trail.billed.nano == half_even(Fraction(told[-1] * rate.nano, TOKENS_PER_UNIT))
    assert sum(entry.tokens or 0 for entry in trail.entries) == told[-1]
    assert [entry.seq for entry in trail.entries] == list(range(len(trail.entries)))


@given(rates, token_counts, token_counts, amounts)
def test_an_adjustment_stands_through_any_correction(
    rate: UsdPer1M, first: int, second: int, adjusted: Usd
) -> None:
    price = replace(PRICE, usd_per_1m=rate)
    trail = Trail(a_submission(), ())
    for tokens in (first, second):
        entry = billed_entry(trail, a_job(1, "succeeded", trained_tokens=tokens), price, now=NOW)
        by_hand = Entry(trail.submission.id, "adjustment", 0, adjusted, NOW, NOW, basis="manual", source="x")
        made = [each for each in (entry, None if trail.entries else by_hand) if each is not None]
        trail = replace(trail, entries=(*trail.entries, *made))
    assert trail.billed == rate.cost(second) + adjusted


@given(st.integers(0, 10**10).map(UsdPer1M))
def test_a_void_takes_back_exactly_what_its_estimate_said(rate: UsdPer1M) -> None:
    quote = a_quote(rate.plain())
    estimate = estimate_entry("01MINE", quote, occurred_at=NOW, recorded_at=NOW)
    void = void_entry(Trail(a_submission(), (estimate,)), now=NOW, reason="x")
    assert void is not None
    assert void.spread is not None
    assert void.amount + quote.cost.expected == Usd(0)
    assert (void.spread.low, void.spread.high) == (-quote.cost.high, -quote.cost.low)


# The budget


@given(costs, costs, st.lists(costs, max_size=8))
def test_what_is_admitted_never_exceeds_the_limit(limit: Usd, billed: Usd, asked: list[Usd]) -> None:
    state = BudgetState(Limit(limit), billed, Usd(0))
    for high_estimate in asked:
        fits = Fraction(billed.nano + state.committed.nano + high_estimate.nano) <= limit.nano
        try:
            state = admit(state, high_estimate)
        except SpendRefusedError:
            assert not fits
        else:
            assert fits
            assert state.headroom >= Usd(0)
    assert state.warns is (Fraction(billed.nano + state.committed.nano) * 5 >= limit.nano * 4)


# Months


@dataclass(frozen=True)
class Case:
    """A job as a month may meet it."""

    submitted: datetime
    rate: UsdPer1M | None
    bills: tuple[tuple[datetime, int], ...]
    adjusted: tuple[datetime, Usd] | None


cases = st.builds(
    Case,
    instants,
    st.none() | st.integers(0, 10**10).map(UsdPer1M),
    st.lists(st.tuples(instants, token_counts), max_size=2).map(tuple),
    st.none() | st.tuples(instants, amounts),
)


def trail_of(number: int, case: Case) -> Trail:
    submission = a_submission(number, at=case.submitted)
    entries = []
    if case.rate is not None:
        quote = a_quote(case.rate.plain())
        entries.append(
            estimate_entry(submission.id, quote, occurred_at=case.submitted, recorded_at=case.submitted)
        )
    for seq, (at, tokens) in enumerate(case.bills):
        amount = PRICE.usd_per_1m.cost(tokens)
        entries.append(Entry(submission.id, "billed", seq, amount, at, at, tokens=tokens, source="x"))
    if case.adjusted is not None:
        at, amount = case.adjusted
        entries.append(Entry(submission.id, "adjustment", 0, amount, at, at, basis="manual", source="x"))
    return Trail(submission, tuple(entries))


@given(st.lists(cases, max_size=5), months)
def test_totals_and_variance_are_exact(jobs: Sequence[Case], period: Period) -> None:
    totals = report([trail_of(number, case) for number, case in enumerate(jobs)], period).totals
    billed = variance = settled = 0
    for case in jobs:
        inside = [
            PRICE.usd_per_1m.cost(tokens).nano for at, tokens in case.bills if period.start <= at < period.end
        ]
        if case.adjusted and period.start <= case.adjusted[0] < period.end:
            inside.append(case.adjusted[1].nano)
        billed += sum(inside)
        if case.bills and period.start <= case.bills[0][0] < period.end and case.rate is not None:
            expected = half_even(Fraction(800_000 * case.rate.nano, TOKENS_PER_UNIT))
            settled += expected
            variance += sum(inside) - expected
    answered = [c for c in jobs if c.bills and c.rate is not None and c.bills[0][0] in period]
    assert totals.billed.nano == billed
    if answered:
        assert (totals.variance, totals.settled_estimate) == (Usd(variance), Usd(settled))
    else:
        assert (totals.variance, totals.settled_estimate, totals.bridge) == (None, None, None)
    if settled:
        assert Fraction(totals.variance_pct or "") == Fraction(round(Fraction(variance * 1000, settled)), 10)
    else:
        assert totals.variance_pct is None


@given(st.lists(cases, max_size=5), st.integers(2027, 2028))
def test_the_months_of_a_year_add_up_to_the_year(jobs: Sequence[Case], year: int) -> None:
    trails = [trail_of(number, case) for number, case in enumerate(jobs)]
    parts = [report(trails, month(year, number)).totals.billed.nano for number in range(1, 13)]
    whole = Period(month(year, 1).start, month(year, 12).end)
    assert sum(parts) == report(trails, whole).totals.billed.nano


@given(st.lists(cases, min_size=1, max_size=4))
def test_the_digest_depends_on_the_entries_and_not_on_their_order(jobs: Sequence[Case]) -> None:
    trails = [trail_of(number, case) for number, case in enumerate(jobs)]
    shuffled = [replace(trail, entries=trail.entries[::-1]) for trail in trails[::-1]]
    assert report(trails, None).digest == report(shuffled, None).digest
    without = [entry for trail in trails for entry in trail.entries][1:]
    fewer = [replace(trail, entries=tuple(e for e in trail.entries if e in without)) for trail in trails]
    assert (report(fewer, None).digest == report(trails, None).digest) is (fewer == trails)


@given(st.integers(-(10**18), 10**18), st.integers(1, 10**18))
def test_percent_is_the_nearest_tenth(part: int, whole: int) -> None:
    text = percent(Usd(part), Usd(whole))
    assert text is not None
    assert Fraction(text) == Fraction(round(Fraction(part * 1000, whole)), 10)


# The ledger against a model of it


@dataclass
class Known:
    """What the model remembers of a submission."""

    number: int
    key: int
    dollars: int
    status: str = "recorded"
    trained: int | None = None
    billed: int | None = None

    @property
    def holds(self) -> bool:
        return self.status in {"recorded", "running", "succeeded"}

    @property
    def open(self) -> bool:
        return self.status != "abandoned" and self.billed is None


class AnyOrder(RuleBasedStateMachine):
    """Whatever happens in whatever order: one holder a key, an exact budget, bills that stand."""

    submissions = Bundle("submissions")
    limit = Limit(Usd.parse("20"))

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "ledger.sqlite3"
        self.ledger = Ledger(self.path, stamp="real")
        self.known: list[Known] = []

    def teardown(self) -> None:
        self.folder.cleanup()

    def id_of(self, known: Known) -> str:
        return a_submission(known.number).id

    @rule(target=submissions, key=st.integers(1, 3), dollars=st.integers(0, 9))
    def record(self, key: int, dollars: int) -> Known | None:
        mine = Known(len(self.known), key, dollars)
        submission = a_submission(mine.number, key=f"{key:064x}", per_1m=str(dollars))
        holder = next((each for each in self.known if each.holds and each.key == key), None)
        used = sum(each.billed or 0 for each in self.known)
        used += sum(each.dollars * 10**9 for each in self.known if each.open)
        fits = used + dollars * 10**9 <= self.limit.usd.nano
        try:
            answer = self.ledger.record(submission, limits=[self.limit])
        except SpendRefusedError:
            assert holder is None
            assert not fits
            return None
        if holder is not None:
            assert (answer.is_new, answer.submission.id) == (False, self.id_of(holder))
            return holder
        assert answer.is_new
        assert fits
        self.known.append(mine)
        return mine

    @rule(known=submissions)
    def create(self, known: Known | None) -> None:
        if known is not None and known.status == "recorded":
            self.ledger.attach(self.id_of(known), a_job(known.number), now=NOW)
            known.status = "running"

    @rule(known=submissions)
    def reject(self, known: Known | None) -> None:
        if known is not None and known.status == "recorded":
            self.ledger.close(self.id_of(known), "rejected", code="x", message="no", now=NOW)
            known.status = "abandoned"

    @rule(
        known=submissions,
        status=st.sampled_from(["running", "succeeded", "failed"]),
        trained=st.none() | st.integers(0, 3_000_000),
    )
    def see(self, known: Known | None, status: str, trained: int | None) -> None:
        if known is None or known.status not in {"running", status}:
            return
        self.ledger.see(a_job(known.number, status, trained_tokens=trained), now=NOW + timedelta(hours=1))
        if known.status == status and trained is None:
            trained = known.trained  # what a service told once of an end, it cannot take back by silence
        known.status, known.trained = status, trained

    @rule(known=submissions)
    def settle(self, known: Known | None) -> None:
        if known is None:
            return
        entry = self.ledger.settle(self.id_of(known), PRICE, now=NOW + timedelta(hours=2))
        if known.status in {"succeeded", "failed"} and known.trained is not None:
            bill = known.trained * 3_000
            assert (entry is None) is (known.billed == bill)
            known.billed = bill
        else:
            assert entry is None

    @rule()
    def open_again(self) -> None:
        self.ledger = Ledger(self.path, stamp="real")

    @invariant()
    def agrees_with_the_model(self) -> None:
        trails = {trail.submission.id: trail for trail in self.ledger.trails()}
        assert trails.keys() == {self.id_of(each) for each in self.known}
        for each in self.known:
            trail = trails[self.id_of(each)]
            assert (trail.billed.nano if trail.billed is not None else None) == each.billed
            assert trail.commitment.nano == (each.dollars * 10**9 if each.open else 0)
        state = self.ledger.budgets([self.limit], month_of(NOW))[0]
        assert state.billed.nano == sum(each.billed or 0 for each in self.known)
        for key in (1, 2, 3):
            holder = self.ledger.holder(f"{key:064x}")
            holders = [self.id_of(each) for each in self.known if each.holds and each.key == key]
            assert [holder.id] == holders if holder else not holders
        assert {trail.submission.id for trail in self.ledger.unsettled()} == {
            self.id_of(each) for each in self.known if each.open
        }


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=settings().max_examples // 4, stateful_step_count=20, deadline=None)
