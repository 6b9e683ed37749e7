"""The variance bridge splits what it explains without a remainder, exactly and as printed."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from ftjobs.jobs.quote import Quote
from ftjobs.ledger.bridge import summed
from ftjobs.ledger.entries import BillingPrice, Trail, billed_entry, estimate_entry
from ftjobs.ledger.month import Line, report
from ftjobs.money import Usd, UsdPer1M
from ftjobs.ranges import Range
from ftjobs.reports.bridge import amounts_that_add_up
from tests.contract.conftest import NOW, a_job, a_submission

rates = st.integers(0, 10**12).map(UsdPer1M)
epochs = st.integers(1, 50)
tokens = st.integers(0, 10**9)


def settled(
    counted: int, quoted: int, quoted_rate: UsdPer1M, *, trained: int, told: int | None, rate: UsdPer1M
) -> Line:
    """Return the line of a job that was estimated at `quoted` epochs and billed for `trained` tokens at `rate`."""
    quote = Quote(
        dataset_tokens=Range.exactly(counted),
        epochs=Range.exactly(quoted),
        estimated_tokens=Range.exactly(counted * quoted),
        usd_per_1m=quoted_rate,
        price_list="openai",
        price_source="a page",
        effective_from=None,
        estimated_on=NOW.date(),
        examples=10,
    )
    method = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": told}}} if told else None
    job = a_job(1, "succeeded", trained_tokens=trained, method=method)
    before = a_submission(1)
    assert before.spec is not None
    submission = replace(before, quote=quote, spec=replace(before.spec, n_epochs="auto"), job=job)
    first = estimate_entry(submission.id, quote, occurred_at=NOW, recorded_at=NOW)
    open_trail = Trail(submission, (first,))
    bill = billed_entry(open_trail, job, BillingPrice(rate, "openai", None, "a page"), now=NOW)
    assert bill is not None
    return Line(Trail(submission, (first, bill)))


lines = st.builds(
    settled, tokens, epochs, rates, trained=tokens, told=st.none() | epochs, rate=rates
)  # fmt: skip


@given(lines)
def test_the_steps_sum_to_the_variance_to_the_nano_dollar(line: Line) -> None:
    assert line.bridge is not None
    assert line.bridge.variance == line.variance


@given(tokens, tokens, epochs, epochs, st.tuples(rates, rates))
def test_each_step_changes_one_thing_and_is_exact_to_a_nano_dollar_of_rounding(
    counted: int, trained: int, quoted: int, told: int, of_price: tuple[UsdPer1M, UsdPer1M]
) -> None:
    quoted_rate, rate = of_price
    found = settled(counted, quoted, quoted_rate, trained=trained, told=told, rate=rate).bridge
    assert found is not None
    per_token, paid = Fraction(quoted_rate.nano, 10**6), Fraction(rate.nano, 10**6)
    expected = (
        (found.epochs, counted * (told - quoted) * per_token),
        (found.token_count, (trained - counted * told) * per_token),
        (found.price, trained * (paid - per_token)),
    )
    for step, exact in expected:
        assert abs(step.nano - exact) <= 1
    assert (found.other, found.jobs_without_epochs) == (Usd(0), 0)


@given(tokens, epochs, rates, tokens, rates)
def test_epochs_that_were_not_told_explain_nothing(
    counted: int, quoted: int, quoted_rate: UsdPer1M, trained: int, rate: UsdPer1M
) -> None:
    found = settled(counted, quoted, quoted_rate, trained=trained, told=None, rate=rate).bridge
    assert found is not None
    assert (found.epochs, found.jobs_without_epochs) == (Usd(0), 1)


@given(st.lists(lines, max_size=6))
def test_the_ledgers_bridge_sums_to_its_variance(several: list[Line]) -> None:
    totals = report([line.trail for line in several], None).totals
    if not several:
        assert (totals.bridge, totals.variance, totals.settled_estimate) == (None, None, None)
        return
    assert totals.bridge is not None
    assert totals.bridge.variance == totals.variance
    assert totals.bridge == summed([line.bridge for line in several if line.bridge])


@given(st.lists(st.integers(-(10**14), 10**14).map(Usd), min_size=1, max_size=6))
def test_printed_amounts_add_up_to_the_printed_sum(steps: list[Usd]) -> None:
    printed = amounts_that_add_up(steps)
    read = [Decimal(text.replace("$", "").replace(",", "")) for text in printed]
    digits = max(len(text.partition(".")[2]) for text in printed)
    exact = Decimal(sum(step.nano for step in steps)) / 10**9
    assert sum(read) == exact.quantize(Decimal(1).scaleb(-digits))
    for shown, step in zip(read, steps, strict=True):
        assert abs(shown - Decimal(step.nano) / 10**9) <= Decimal(1).scaleb(-digits)
