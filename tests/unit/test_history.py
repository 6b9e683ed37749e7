"""What a ledger's past says: where jobs landed, and what does not look like them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from ftjobs.jobs.quote import Quote
from ftjobs.ledger.entries import BillingPrice, Entry, Trail, billed_entry, estimate_entry
from ftjobs.ledger.history import Past, shape_of, unusual
from ftjobs.money import Usd, UsdPer1M
from ftjobs.pricing.calibration import Calibration, Landed, Shape, calibrate, times_text
from ftjobs.ranges import Range
from tests.contract.conftest import MINI, NOW, a_job, a_submission

ACCOUNT = a_submission(1).account
THREE = UsdPer1M.parse("3.00")
PLAIN = Shape(ACCOUNT, MINI, "supervised", is_documented=True)


def settled(
    number: int,
    trained: int | None = 3_000_000,
    *,
    counted: Range[int] | None = None,
    epochs: int | None = 3,
    status: str = "succeeded",
    **more: Any,
) -> Trail:
    """Return the trail of a job of 1M dataset tokens and 3 epochs, expected at $9; None trained is not settled."""
    dataset = counted or Range.exactly(1_000_000)
    quote = Quote(
        dataset_tokens=dataset,
        epochs=Range.exactly(3),
        estimated_tokens=dataset.map(lambda tokens: 3 * tokens),
        usd_per_1m=THREE,
        price_list="openai",
        price_source="a page",
        effective_from=None,
        estimated_on=NOW.date(),
        examples=10,
    )
    method = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": epochs}}}
    job = a_job(number, status, trained_tokens=trained, method=method if epochs else None)
    before = a_submission(number)
    assert before.spec is not None
    spec = replace(
        before.spec, n_epochs="auto", **{k: v for k, v in more.items() if k in {"method", "base_model"}}
    )
    submission = replace(before, quote=quote, job=job, spec=spec, account=more.get("account", ACCOUNT))
    estimate = estimate_entry(submission.id, quote, occurred_at=NOW, recorded_at=NOW)
    trail = Trail(submission, (estimate,))
    bill = billed_entry(trail, job, BillingPrice(THREE, "openai", None, "a page"), now=NOW)
    return Trail(submission, (estimate, bill)) if bill else trail


def of_dollars(number: int, dollars: str, *, voided: bool = False) -> Trail:
    """Return an open trail that is expected to cost so much."""
    trail = settled(number, None, status="running")
    amount = Usd.parse(dollars)
    estimate = replace(trail.entries[0], amount=amount, spread=Range.exactly(amount))
    void = Entry(trail.submission.id, "void", 0, -amount, NOW, NOW, source="x")
    return replace(trail, entries=(estimate, void) if voided else (estimate,))


FIVE = [settled(number, 2_940_000 + 15_000 * number) for number in range(1, 6)]  # 0.985 … 1.005


# Calibration


def test_the_last_jobs_say_where_their_kind_lands() -> None:
    known = Past.of(FIVE).calibration(PLAIN)
    assert known == Calibration(5, Fraction(985, 1000), Fraction(1005, 1000))
    assert known.text == "0.98–1.01"
    assert known.landing(2_000_000) == (1_970_000, 2_010_000)


def test_fewer_than_five_jobs_say_nothing() -> None:
    assert Past.of(FIVE[:4]).calibration(PLAIN) is None


def test_only_the_last_fifty_count() -> None:
    past = Past.of([settled(1, 9_000_000), *(settled(number) for number in range(2, 52))])
    assert past.calibration(PLAIN) == Calibration(50, Fraction(1), Fraction(1))


@pytest.mark.parametrize(
    "other",
    [
        {"account": "https://elsewhere.test/v1||"},
        {"base_model": "gpt-4o-2024-08-06"},
        {"method": "dpo"},
        {"counted": Range(900_000, 1_000_000, 1_200_000)},
    ],
    ids=["service", "model", "method", "data"],
)
def test_other_kinds_of_jobs_say_nothing_of_this_one(other: dict[str, Any]) -> None:
    past = Past.of([*FIVE[:4], *(settled(number, 6_000_000, **other) for number in range(6, 12))])
    assert past.calibration(PLAIN) is None
    shape = shape_of(settled(99, **other))
    assert shape is not None
    assert past.calibration(shape) == Calibration(6, Fraction(2), Fraction(2))


@pytest.mark.parametrize(
    "nothing",
    [
        settled(9, None, status="running"),
        settled(9, 1_000_000, status="cancelled"),
        settled(9, 3_000_000, epochs=None),
        replace(FIVE[0], submission=replace(FIVE[0].submission, quote=None)),
        replace(FIVE[0], submission=replace(FIVE[0].submission, spec=None)),
        settled(9, 3_000_000, counted=Range.exactly(0)),
    ],
    ids=["running", "cancelled", "untold epochs", "no estimate", "no spec", "nothing counted"],
)
def test_what_did_not_succeed_or_is_not_known_says_nothing(nothing: Trail) -> None:
    assert Past.of([*FIVE[:4], nothing]).calibration(PLAIN) is None


def test_epochs_that_the_service_chose_are_no_fault_of_the_count() -> None:
    past = Past.of([settled(number, 8_000_000, epochs=8) for number in range(5)])
    known = past.calibration(PLAIN)
    assert known == Calibration(5, Fraction(1), Fraction(1), epochs_as_estimated=False)
    assert known.sentence_end == "1.00 × what was counted, other epochs aside"
    assert Calibration(5, Fraction(1), Fraction(1)).sentence_end == "1.00 × estimate"


def test_a_range_is_shown_wider_than_it_is_never_narrower() -> None:
    known = calibrate([Landed(PLAIN, 1_000_000, 1_000_000, trained) for trained in (989_999, 1, 2, 3, 1_010_001)])
    assert known is not None
    assert known.text == "0.00–1.02"
    assert (times_text(1_429_999), times_text(980_000, 980_000)) == ("1.42", "0.98")


# What is unusual


def test_an_estimate_far_above_the_median_of_the_past_is_unusual() -> None:
    past = Past.of([of_dollars(number, f"{number}.00") for number in range(1, 6)])
    assert past.unusual_estimate(Usd.parse("30.00")) is None
    said = past.unusual_estimate(Usd.parse("30.01"))
    assert said is not None
    assert "$30.01" in said
    assert "last 5 submissions was $3.00" in said


def test_small_change_and_a_short_past_are_never_unusual() -> None:
    cheap = [of_dollars(number, "0.001") for number in range(5)]
    assert Past.of(cheap).unusual_estimate(Usd.parse("0.99")) is None
    assert Past.of(cheap).unusual_estimate(Usd.parse("1")) is not None
    assert Past.of(cheap[:4]).unusual_estimate(Usd.parse("100")) is None


def test_what_was_taken_back_is_no_past_and_not_unusual() -> None:
    cheap = [of_dollars(number, "0.10") for number in range(4)]
    assert Past.of([*cheap, of_dollars(5, "0.10", voided=True)]).unusual_estimate(Usd.parse("9")) is None
    assert unusual([*cheap, of_dollars(5, "0.10"), of_dollars(6, "9", voided=True)]) == {}


@pytest.mark.parametrize(
    ("trained", "is_unusual"), [(2_805_000, False), (2_804_997, True), (3_165_000, False), (3_165_003, True)]
)
def test_a_bill_far_outside_of_the_past_is_unusual(trained: int, is_unusual: bool) -> None:
    said = Past.of(FIVE).unusual_bill(settled(9, trained))
    assert (said is not None) is is_unusual
    if said:
        assert f"{trained:,} trained tokens" in said
        assert "last 5 jobs like it landed at 0.98–1.01" in said


def test_more_epochs_than_ever_make_a_bill_unusual() -> None:
    said = Past.of(FIVE).unusual_bill(settled(9, 24_000_000, epochs=24))
    assert said is not None
    assert "8.00 × their estimate" in said


def test_each_trail_is_compared_with_those_before_it_alone() -> None:
    dear = of_dollars(6, "500.00")
    cheap = [of_dollars(number, "1.00") for number in range(1, 6)]
    assert list(unusual([*cheap, dear])) == [dear.submission.id]
    assert unusual([dear, *cheap]) == {}


def test_without_a_past_nothing_is_unusual() -> None:
    assert Past().unusual_estimate(Usd.parse("1000")) is None
    assert Past().unusual_bill(settled(1)) is None
    assert unusual([]) == {}
