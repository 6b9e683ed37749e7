"""Money against the standard library's own exact arithmetic."""

from __future__ import annotations

from dataclasses import fields
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ftjobs.money import NANO, ZERO, Usd, UsdPer1M, total
from ftjobs.ranges import Range

nanos = st.integers(-(10**21), 10**21)
rates = st.integers(0, 10**15).map(UsdPer1M)
token_counts = st.integers(0, 10**13)
written = st.from_regex(r"[0-9]{1,12}(\.[0-9]{1,9})?", fullmatch=True)


@given(written)
def test_parsing_is_exact(text: str) -> None:
    assert Fraction(Usd.parse(text).nano, NANO) == Fraction(text)
    assert UsdPer1M.parse(text).nano == Usd.parse(text).nano


@given(nanos)
def test_plain_is_exact_with_2_to_9_decimals(nano: int) -> None:
    text = Usd(nano).plain()
    assert Fraction(text) == Fraction(nano, NANO)
    decimals = text.partition(".")[2]
    assert 2 <= len(decimals) <= 9
    assert len(decimals) == 2 or not decimals.endswith("0")


@given(st.integers(0, 10**21 - 1))
def test_plain_and_parse_are_inverse(nano: int) -> None:
    assert Usd.parse(Usd(nano).plain()) == Usd(nano)
    assert UsdPer1M.parse(UsdPer1M(nano).plain()) == UsdPer1M(nano)


@pytest.mark.parametrize(
    "text",
    ["", " 1", "1 ", "+1", "-1", "1.", ".5", "1e3", "1,000", "0x1", "nan", "inf", "1.0000000001", "٣", "1\n"],
)
def test_what_is_no_plain_decimal_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="amount in USD"):
        Usd.parse(text)


@given(token_counts, rates)
@example(500_000, UsdPer1M(1))
@example(500_000, UsdPer1M(3))
@example(500_001, UsdPer1M(1))
def test_a_cost_is_rounded_half_even_once(tokens: int, rate: UsdPer1M) -> None:
    nano = rate.cost(tokens).nano
    assert nano == round(Fraction(tokens * rate.nano, 1_000_000))
    with localcontext(prec=60):
        exact = Decimal(tokens) * Decimal(rate.nano) / Decimal(1_000_000)
        assert nano == int(exact.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))
    assert type(nano) is int


@given(token_counts, token_counts, rates)
def test_more_tokens_never_cost_less(tokens: int, more: int, rate: UsdPer1M) -> None:
    assert rate.cost(tokens) <= rate.cost(tokens + more)


@given(st.lists(nanos))
def test_a_total_is_exact_in_any_order(amounts: list[int]) -> None:
    usd = [Usd(nano) for nano in amounts]
    assert total(usd) == total(usd[::-1]) == sum(usd, start=ZERO) == Usd(sum(amounts))


@given(nanos, nanos)
def test_amounts_add_subtract_and_order_like_integers(one: int, other: int) -> None:
    assert (Usd(one) + Usd(other)) - Usd(other) == Usd(one)
    assert -Usd(one) + Usd(one) == ZERO
    assert (Usd(one) < Usd(other)) == (one < other)


@given(nanos)
def test_display_is_within_half_of_its_last_digit(nano: int) -> None:
    text = Usd(nano).display()
    if "<" in text:
        assert 0 < abs(nano) < NANO // 10_000
        return
    shown = Fraction(text.replace("$", "").replace(",", ""))
    step = Fraction(1, 10 ** len(text.partition(".")[2]))
    assert abs(shown - Fraction(nano, NANO)) <= step / 2


@given(st.lists(st.integers(), min_size=3, max_size=3))
def test_a_range_rises_or_does_not_exist(bounds: list[int]) -> None:
    low, expected, high = bounds
    if low <= expected <= high:
        doubled = Range(low, expected, high).map(lambda bound: 2 * bound)
        assert [getattr(doubled, field.name) for field in fields(doubled)] == [2 * bound for bound in bounds]
    else:
        with pytest.raises(ValueError, match="must rise"):
            Range(low, expected, high)
    assert Range.exactly(low) == Range(low, low, low)
