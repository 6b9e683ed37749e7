"""Token amounts and percentages, read from text without a float on the way."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftjobs.errors import UsageError
from ftjobs.pricing.amounts import MOST_TOKENS, parse_percentage, parse_tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("0", 0),
        ("150000", 150_000),
        ("100K", 100_000),
        ("0.3M", 300_000),
        ("1.5B", 1_500_000_000),
        (" 2m ", 2_000_000),
        ("0.000001M", 1),
        ("4.35M", 4_350_000),  # 4349999 where a float cuts it
        ("1000000000000000", MOST_TOKENS),
        ("1000000B", MOST_TOKENS),
    ],
)
def test_token_amounts_take_suffixes_and_are_exact(text: str, tokens: int) -> None:
    assert parse_tokens(text, option="--monthly-input") == tokens


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no number"),
        ("K", "no number"),
        ("1.5", "no number"),
        ("150_000", "no number"),
        ("150,000", "no number"),
        ("-5", "no number"),
        ("1e6", "no number"),
        ("1 000", "no number"),
        ("٣M", "no number"),
        ("1T", "no number"),
        ("0.0005K", "no whole number"),
        ("1.0000001M", "no whole number"),
        ("1000000000000001", "not between"),
        ("1000001B", "not between"),
        ("9" * 5_000, "no number"),
    ],
)
def test_what_is_no_number_of_tokens_is_refused_by_its_option(text: str, why: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_tokens(text, option="--monthly-input")
    assert refused.value.code == "bad_amount"
    assert refused.value.message.startswith("--monthly-input ")
    assert why in refused.value.message
    assert "0.3M" in refused.value.next_step


def test_a_least_number_of_tokens_is_kept() -> None:
    assert parse_tokens("1", option="--training-tokens", least=1) == 1
    with pytest.raises(UsageError, match="not between 1 and"):
        parse_tokens("0", option="--training-tokens", least=1)


@given(st.integers(0, MOST_TOKENS))
def test_every_number_of_tokens_reads_back(tokens: int) -> None:
    assert parse_tokens(str(tokens), option="-") == tokens
    assert parse_tokens(f"{tokens // 1000}.{tokens % 1000:03d}K", option="-") == tokens


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("0", Fraction(0)),
        ("0%", Fraction(0)),
        ("40%", Fraction(2, 5)),
        ("40", Fraction(2, 5)),
        (" 2.5 % ", Fraction(1, 40)),
        ("0.1%", Fraction(1, 1000)),
        ("100%", Fraction(1)),
    ],
)
def test_percentages_are_exact_shares(text: str, share: Fraction) -> None:
    assert parse_percentage(text, option="--cached") == share


@pytest.mark.parametrize("text", ["", "%", "-5%", "100.1%", "101", "forty", "1e1", "5%%", "nan", "0.0000001%"])
def test_what_is_no_percentage_is_refused_by_its_option(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_percentage(text, option="--cached")
    assert refused.value.code == "bad_percentage"
    assert refused.value.message.startswith("--cached ")


def test_a_fraction_of_one_without_the_sign_is_not_guessed_at() -> None:
    with pytest.raises(UsageError, match="0\\.4% or that share of 1"):
        parse_percentage("0.4", option="--cached")


def test_growth_may_be_above_a_hundred_percent() -> None:
    assert parse_percentage("1000%", option="--growth", most=1000) == 10
    with pytest.raises(UsageError, match="above 1000%"):
        parse_percentage("1001%", option="--growth", most=1000)
