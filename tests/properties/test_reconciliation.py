"""Whatever is invoiced and billed: sums are exact, every day has one word, and order means nothing."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ftjobs.jobs.invoice import InvoiceLine
from ftjobs.ledger.reconciliation import DayBill, Terms, compare
from ftjobs.money import Usd
from ftjobs.periods import month

OCTOBER = month(2026, 10)
FIRST = date(2026, 9, 30)
DAYS = st.integers(0, 32).map(lambda number: FIRST + timedelta(days=number))
AMOUNTS = st.integers(-3, 6).map(lambda units: Usd(units * 5_000_000)) | st.integers(-(10**15), 10**15).map(Usd)
LINES = st.lists(
    st.builds(
        InvoiceLine,
        DAYS,
        st.sampled_from(["p", "q"]),
        st.sampled_from(["training", "training 2", "input"]),
        AMOUNTS,
    ),
    max_size=20,
)
BILLS = st.lists(
    st.builds(DayBill, DAYS, AMOUNTS, st.just(Usd(0)), st.just(1), st.just(frozenset[int]())),
    max_size=12,
    unique_by=lambda bill: bill.day,
)
NOWS = st.integers(0, 40).map(lambda days: datetime(2026, 10, 1, tzinfo=UTC) + timedelta(days=days))
TERMS = st.builds(
    Terms,
    st.sampled_from([None, "p"]),
    st.just(re.compile("training")),
    st.sampled_from(["0", "0.01", "5"]).map(Usd.parse),
)


@given(LINES, BILLS, TERMS, NOWS)
def test_nothing_is_lost_and_every_day_has_its_word(
    lines: list[InvoiceLine], bills: list[DayBill], terms: Terms, now: datetime
) -> None:
    found = compare(lines, bills, OCTOBER, terms, now=now)
    inside = [line for line in lines if line.day.month == 10]
    ours = [line for line in inside if terms.project in (None, line.project_id)]
    named = {True: 0, False: 0}
    for line in ours:
        named["training" in line.line_item] += line.amount.nano
    assert found.invoiced.nano == named[True]
    assert found.not_training.amount.nano == named[False]
    others = [line for line in inside if line not in ours and "training" in line.line_item]
    assert found.other_projects.amount.nano == sum(line.amount.nano for line in others)
    assert found.ledger.nano == sum(bill.billed.nano for bill in bills if bill.day.month == 10)
    assert sum(day.discrepancy.nano for day in found.days) == found.invoiced.nano - found.ledger.nano
    assert [day.day for day in found.days] == sorted({day.day for day in found.days})
    for day in found.days:
        is_open = now < datetime.combine(day.day, datetime.min.time(), tzinfo=UTC) + timedelta(days=3)
        is_near = abs(day.discrepancy.nano) <= terms.tolerance.nano
        assert (day.state == "open") is is_open
        assert is_open or (day.state == "matched") is is_near
        assert (day.state == "ours_only") is (not is_open and not is_near and day.invoiced.nano == 0)
        assert not (day.is_discrepant and (is_open or is_near))


@given(st.data(), LINES, BILLS, TERMS, NOWS)
def test_the_order_of_what_is_told_means_nothing(
    data: st.DataObject, lines: list[InvoiceLine], bills: list[DayBill], terms: Terms, now: datetime
) -> None:
    found = compare(lines, bills, OCTOBER, terms, now=now)
    again = compare(data.draw(st.permutations(lines)), data.draw(st.permutations(bills)), OCTOBER, terms, now=now)
    assert again == found


@given(LINES, BILLS, TERMS, NOWS)
def test_shifted_days_agree_together(
    lines: list[InvoiceLine], bills: list[DayBill], terms: Terms, now: datetime
) -> None:
    wide = compare(lines, bills, month(2026, 10), terms, now=now)
    run: list[int] = []
    previous: date | None = None
    runs: list[list[int]] = []
    for day in wide.days:
        if not day.shifted:
            continue
        if previous is None or day.day - previous != timedelta(days=1):
            runs.append(run := [])
        run.append(day.discrepancy.nano)
        previous = day.day
    inner = [run for run in runs if run]
    if wide.days and inner and not (wide.days[0].shifted or wide.days[-1].shifted):
        for run in inner:
            assert abs(sum(run)) <= terms.tolerance.nano * len(run)
