"""A period's report: lines, exact totals, variance and the digest."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from ftjobs.ledger.entries import Entry, Trail, estimate_entry
from ftjobs.ledger.month import Line, MonthReport, percent, report
from ftjobs.money import Usd
from ftjobs.periods import month
from tests.contract.conftest import a_job, a_quote, a_submission

OCTOBER, NOVEMBER = month(2027, 10), month(2027, 11)
MID_OCTOBER, MID_NOVEMBER = OCTOBER.start + timedelta(days=14), NOVEMBER.start + timedelta(days=14)


def trail(
    number: int,
    *billed: tuple[datetime, int, str],
    submitted: datetime = MID_OCTOBER,
    adjusted: tuple[datetime, str] | None = None,
    voided: datetime | None = None,
    status: str = "succeeded",
    has_quote: bool = True,
) -> Trail:
    """Return a trail whose estimate is $2.40 (up to $3.00), with bills (when, trained tokens, dollars)."""
    job = a_job(number, status, created=submitted)
    submission = replace(a_submission(number, at=submitted, has_quote=has_quote), job=job)
    entries = []
    if submission.quote:
        entries.append(
            estimate_entry(submission.id, submission.quote, occurred_at=submitted, recorded_at=submitted)
        )
    for seq, (at, tokens, usd) in enumerate(billed):
        amount = -Usd.parse(usd[1:]) if usd.startswith("-") else Usd.parse(usd)
        entries.append(
            Entry(submission.id, "billed", seq, amount, at, at, tokens=tokens, basis="trained_tokens", source="x")
        )
    if adjusted:
        at, usd = adjusted
        entries.append(Entry(submission.id, "adjustment", 0, Usd.parse(usd), at, at, basis="manual", source="x"))
    if voided:
        entries.append(Entry(submission.id, "void", 0, -Usd.parse("2.40"), voided, voided, source="x"))
    return Trail(submission, tuple(entries))


def only_line(found: MonthReport) -> Line:
    (line,) = found.lines
    return line


def test_a_settled_job_counts_with_its_estimate_its_bill_and_their_difference() -> None:
    totals = report([trail(1, (MID_OCTOBER, 900_000, "2.70"))], OCTOBER).totals
    assert (totals.jobs, totals.unsettled_jobs, totals.unknown_billed_jobs) == (1, 0, 0)
    assert (totals.estimated_tokens, totals.estimated_cost) == (800_000, Usd.parse("2.40"))
    assert (totals.trained_tokens, totals.billed) == (900_000, Usd.parse("2.70"))
    assert (totals.settled_estimate, totals.variance) == (Usd.parse("2.40"), Usd.parse("0.30"))
    assert (totals.variance_pct, totals.commitment) == ("12.5", Usd(0))


def test_variance_compares_bills_with_the_estimates_that_they_answer_and_no_others() -> None:
    trails = [
        trail(1, (MID_OCTOBER, 900_000, "2.70")),
        trail(2, status="running"),
        trail(3, (MID_OCTOBER, 100_000, "0.30"), has_quote=False),
    ]
    totals = report(trails, OCTOBER).totals
    assert (totals.estimated_cost, totals.settled_estimate) == (Usd.parse("4.80"), Usd.parse("2.40"))
    assert (totals.billed, totals.variance) == (Usd.parse("3.00"), Usd.parse("0.30"))
    assert (totals.unsettled_jobs, totals.commitment) == (1, Usd.parse("3.00"))


def test_a_job_billed_in_november_was_open_in_october_and_its_bill_is_not_unknown() -> None:
    mine = trail(1, (MID_NOVEMBER, 900_000, "2.70"))
    october, november = report([mine], OCTOBER), report([mine], NOVEMBER)
    assert (only_line(october).billed, only_line(october).trained_tokens) == (None, None)
    assert (october.totals.unsettled_jobs, october.totals.unknown_billed_jobs) == (1, 0)
    assert (october.totals.billed, october.totals.commitment) == (Usd(0), Usd.parse("3.00"))
    assert only_line(november).billed == Usd.parse("2.70")
    assert (november.totals.unsettled_jobs, november.totals.commitment) == (0, Usd(0))


def test_a_period_is_half_open_to_the_microsecond() -> None:
    last, first = OCTOBER.end - timedelta(microseconds=1), OCTOBER.end
    assert only_line(report([trail(1, (last, 1, "1.00"))], OCTOBER)).billed == Usd.parse("1.00")
    assert only_line(report([trail(1, (first, 1, "1.00"))], OCTOBER)).billed is None
    assert only_line(report([trail(1, (last, 1, "1.00"))], NOVEMBER)).billed is None
    assert only_line(report([trail(1, (first, 1, "1.00"))], NOVEMBER)).billed == Usd.parse("1.00")


def test_a_correction_in_the_same_month_is_one_bill() -> None:
    line = only_line(report([trail(1, (MID_OCTOBER, 900_000, "2.70"), (MID_OCTOBER, -100_000, "-0.30"))], OCTOBER))
    assert (line.billed, line.trained_tokens, line.variance) == (Usd.parse("2.40"), 800_000, Usd(0))


def test_an_adjustment_of_a_later_month_answers_no_estimate_there() -> None:
    mine = trail(1, (MID_OCTOBER, 900_000, "2.70"), adjusted=(MID_NOVEMBER, "0.50"))
    line = only_line(report([mine], NOVEMBER))
    assert (line.billed, line.trained_tokens) == (Usd.parse("0.50"), None)
    assert (line.settled_estimate, line.variance) == (None, None)
    assert report([mine], NOVEMBER).totals.variance_pct is None
    assert only_line(report([mine], None)).billed == Usd.parse("3.20")


@pytest.mark.parametrize(("status", "unknown"), [("succeeded", 1), ("failed", 1), ("running", 0)])
def test_a_bill_is_unknown_only_where_the_job_has_ended(status: str, unknown: int) -> None:
    totals = report([trail(1, status=status)], OCTOBER).totals
    assert (totals.unsettled_jobs, totals.unknown_billed_jobs) == (1, unknown)
    assert (totals.billed, totals.commitment) == (Usd(0), Usd.parse("3.00"))


def test_zero_dollars_are_a_known_bill() -> None:
    found = report([trail(1, (MID_OCTOBER, 0, "0"), status="failed")], OCTOBER)
    line = only_line(found)
    assert (line.billed, line.trained_tokens, line.bill_is_unknown) == (Usd(0), 0, False)
    assert (found.totals.variance, found.totals.variance_pct) == (-Usd.parse("2.40"), "-100.0")


def test_a_void_of_november_leaves_its_commitment_in_october() -> None:
    mine = trail(1, voided=MID_NOVEMBER, status="running")
    assert report([mine], OCTOBER).totals.commitment == Usd.parse("3.00")
    assert report([mine], NOVEMBER).totals.commitment == Usd(0)


def test_an_empty_period_totals_nothing() -> None:
    found = report([], OCTOBER)
    assert (found.lines, found.totals.jobs, found.totals.billed) == ((), 0, Usd(0))
    assert found.totals.variance_pct is None


@pytest.mark.parametrize(
    ("part", "whole", "expected"),
    [
        (25, 1000, "2.5"),
        (-25, 1000, "-2.5"),
        (1, 3, "33.3"),
        (2, 3, "66.7"),
        (-4, 1000, "-0.4"),
        (0, 5, "0.0"),
        (-1, 10**9, "0.0"),
        (5, 10_000, "0.0"),
        (15, 10_000, "0.2"),
        (25, 10_000, "0.2"),
        (-15, 10_000, "-0.2"),
        (10**18, 1, "1" + "0" * 20 + ".0"),
        (5, 0, None),
        (0, 0, None),
    ],
)
def test_percent_is_exact_and_rounds_half_to_even_once(part: int, whole: int, expected: str | None) -> None:
    assert percent(Usd(part), Usd(whole)) == expected


# The digest


def digest(*trails: Trail) -> str:
    return report(list(trails), None).digest


BASE = trail(1, (MID_OCTOBER, 900_000, "2.70"))


def changed(**values: Any) -> Trail:
    *others, last = BASE.entries
    return replace(BASE, entries=(*others, replace(last, **values)))


@pytest.mark.parametrize(
    "values",
    [
        {"submission_id": "01OTHER"},
        {"kind": "adjustment"},
        {"seq": 1},
        {"tokens": 900_001},
        {"tokens": None},
        {"amount": Usd(1)},
        {"usd_per_1m": a_quote("3.00").usd_per_1m},
        {"occurred_at": MID_OCTOBER + timedelta(seconds=1)},
        {"recorded_at": MID_OCTOBER + timedelta(seconds=1)},
    ],
    ids=str,
)
def test_any_change_of_an_entry_changes_the_digest(values: dict[str, object]) -> None:
    assert digest(changed(**values)) != digest(BASE)


def test_one_entry_more_or_less_changes_the_digest() -> None:
    found = {digest(), digest(BASE), digest(replace(BASE, entries=BASE.entries[:1])), digest(BASE, trail(2))}
    assert len(found) == 4


def test_what_the_job_says_today_does_not_change_the_digest() -> None:
    later = replace(BASE, submission=replace(BASE.submission, job=a_job(1, "failed"), tags={"team": "other"}))
    assert digest(later) == digest(BASE)


def test_the_order_of_trails_and_entries_does_not_change_the_digest() -> None:
    other = trail(2, (MID_NOVEMBER, 5, "1.00"))
    backwards = replace(BASE, entries=BASE.entries[::-1])
    assert digest(BASE, other) == digest(other, backwards)


def test_what_happened_after_a_period_does_not_change_its_digest() -> None:
    before = trail(1)
    after = trail(1, (NOVEMBER.start, 900_000, "2.70"))
    assert report([after], OCTOBER).digest == report([before], OCTOBER).digest
    assert report([after], NOVEMBER).digest != report([before], NOVEMBER).digest
