"""Where earlier jobs landed bounds where the next one would, exactly and rounded outwards."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from ftjobs.pricing.calibration import Landed, Shape, calibrate
from ftjobs.ranges import Range

PLAIN = Shape.of(Range.exactly(1), account="p", model="m", method="supervised")
counts = st.integers(1, 10**12)
jobs = st.lists(st.builds(Landed, st.just(PLAIN), counts, counts, st.integers(0, 10**12)), min_size=5, max_size=50)


@given(jobs, counts)
def test_every_earlier_job_lands_within_what_it_says(landed: list[Landed], counted: int) -> None:
    known = calibrate(landed)
    assert known is not None
    low, high = known.landing(counted)
    exact = [Fraction(job.trained_tokens * counted, job.counted_tokens) for job in landed]
    assert low <= min(exact) < low + 1
    assert high - 1 < max(exact) <= high


@given(jobs)
def test_the_ratios_in_words_hold_every_job(landed: list[Landed]) -> None:
    known = calibrate(landed)
    assert known is not None
    low, _, high = known.text.partition("–")
    for job in landed:
        assert Fraction(low) <= job.ratio <= Fraction(high or low)


@given(jobs, counts, counts)
def test_more_tokens_land_no_lower(landed: list[Landed], one: int, other: int) -> None:
    known = calibrate(landed)
    assert known is not None
    less, more = sorted((one, other))
    assert all(a <= b for a, b in zip(known.landing(less), known.landing(more), strict=True))
