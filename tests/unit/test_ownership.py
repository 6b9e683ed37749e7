"""What owning a tuned model costs: training, months, growth, shutdowns, and when it breaks even."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest

from ftjobs.money import Usd, UsdPer1M
from ftjobs.pricing.horizon import horizon, months_after, months_until
from ftjobs.pricing.ownership import Ownership, Training, Use, own
from ftjobs.pricing.prices import load_prices
from ftjobs.ranges import Range
from tests.unit.owning import MODEL, PRICE, START, owned, rates, saving

ALL_KEYS = {"training_usd_per_1m", "input_usd_per_1m", "output_usd_per_1m", "base_input_usd_per_1m"} | {
    "base_output_usd_per_1m"
}


def dollars(text: str) -> Usd:
    return Usd.parse(text)


def guide(model: str, training_tokens: int, monthly_input: int, monthly_output: int) -> Ownership:
    price = load_prices([]).find(model, profile="openai", on=START, price_list="guide-2026")
    return own(
        model,
        model,
        price=price,
        price_list="guide-2026",
        training=Training(Range.exactly(training_tokens), 1, "assumed"),
        use=Use(monthly_input, monthly_output),
        horizon=horizon(START, 12),
    )


@pytest.mark.parametrize(
    ("model", "training_tokens", "volume", "amounts"),
    [
        ("gpt-4o-mini-2024-07-18", 100_000, (300_000, 900_000), ("0.10", "0.585", "7.12")),
        ("gpt-4o-mini-2024-07-18", 5_000_000, (1_000_000, 2_000_000), ("5.00", "1.35", "21.20")),
        ("gpt-4o-mini-2024-07-18", 1_000_000, (150_000_000, 450_000_000), ("1.00", "292.50", "3511.00")),
        ("gpt-4o-2024-08-06", 5_000_000, (1_500_000_000, 4_500_000_000), ("15.00", "48750", "585015.00")),
        ("gpt-4-turbo", 1_000_000, (1_000_000, 1_000_000), ("2.70", "18.00", "218.70")),
    ],
)
def test_the_guides_scenarios_come_out_exactly(
    model: str, training_tokens: int, volume: tuple[int, int], amounts: tuple[str, str, str]
) -> None:
    found = guide(model, training_tokens, *volume)
    assert (found.training_cost, found.monthly, found.total) == tuple(map(dollars, amounts))


def test_a_month_is_input_cached_input_and_output_each_at_its_price() -> None:
    # 600,000 × $4 + 400,000 × $1 + 1,000,000 × $8 against 0.6 × $2 + 0.4 × $0.5 + $4
    found = owned(cached=Fraction(2, 5))
    assert (found.monthly, found.base_monthly) == (dollars("10.80"), dollars("5.40"))


def test_retries_raise_the_months_of_both_models_and_not_the_training() -> None:
    found = saving(retry_overhead=Fraction(5, 100))
    assert (found.monthly, found.base_monthly) == (dollars("12.60"), dollars("6.30"))
    assert found.base_longer_prompt_monthly == dollars("23.10")
    assert found.training_cost == dollars("10")


def test_a_batch_has_prices_of_its_own() -> None:
    found = owned(batch=True, cached=Fraction(1))
    assert (found.monthly, found.base_monthly) == (dollars("4.50"), dollars("2.25"))


def test_use_grows_from_the_second_month_on() -> None:
    found = owned(growth=Fraction(1, 10), months=3)
    assert [each.base for each in found.cumulative] == [dollars("6"), dollars("12.60"), dollars("19.86")]
    assert found.monthly == dollars("12")


def test_the_total_is_training_and_every_month() -> None:
    found = owned(months=12)
    assert (found.total, found.base_total) == (dollars("154"), dollars("72"))
    assert found.cumulative[0].fine_tuned == dollars("22")
    assert (found.cumulative[-1].fine_tuned, found.cumulative[-1].base) == (found.total, found.base_total)
    assert found.cumulative[-1].base_longer_prompt is None


def test_each_month_is_rounded_once_and_totals_add_what_was_rounded() -> None:
    price = replace(PRICE, tuned=rates("0.0000015", None, "1"), base=rates("0.0000005", None, "1"))
    found = owned(price=price, input_tokens=1_000_000, output_tokens=0, months=3)
    cents = owned(price=price, input_tokens=1_000, output_tokens=0, months=3)
    assert (found.monthly, found.base_monthly) == (Usd(1500), Usd(500))
    assert (cents.monthly, cents.base_monthly) == (Usd(2), Usd(0))  # 1.5 and 0.5 nano-dollars, half-even
    assert cents.total == dollars("10") + Usd(6)


def test_what_is_held_out_is_not_trained_on() -> None:
    found = owned(holdout=Fraction(15, 100), epochs=3)
    assert found.training.training_tokens == 850_000 * 3
    assert found.training_cost == dollars("25.50")
    assert found.training.trained_examples == 425


def test_break_even_is_the_first_month_by_whose_end_it_has_cost_no_more() -> None:
    assert saving().break_even_month == 1  # $22 against $22
    assert saving(epochs=2).break_even_month == 2  # $32, $44 against $22, $44
    assert saving(epochs=2, months=1).break_even_month is None
    assert owned().break_even_month is None


def test_with_a_longer_prompt_the_base_model_is_measured_by_that() -> None:
    found = saving(months=2)
    assert (found.compared_monthly, found.compared_total) == (dollars("22"), dollars("44"))
    assert (found.base_monthly, found.base_total) == (dollars("6"), dollars("12"))
    assert found.saving == dollars("10")
    assert owned().saving == -dollars("6")


@pytest.mark.parametrize(
    ("lacking", "unknown", "missing"),
    [
        ({"tuned": rates("4", "1", None)}, {"monthly", "total", "saving"}, {"output_usd_per_1m"}),
        ({"base": rates(None, "1", "4")}, {"base_monthly", "base_total", "saving"}, {"base_input_usd_per_1m"}),
        ({"training_usd_per_1m": None}, {"training_cost", "total"}, {"training_usd_per_1m"}),
    ],
)
def test_an_unknown_price_makes_unknown_what_needs_it_and_names_its_key(
    lacking: dict[str, object], unknown: set[str], missing: set[str]
) -> None:
    found = owned(price=replace(PRICE, **lacking))  # type: ignore[arg-type]
    names = {"training_cost", "monthly", "total", "base_monthly", "base_total", "saving"}
    assert {name for name in names if getattr(found, name) is None} == unknown
    assert set(found.missing) == missing
    assert found.break_even_month is None


def test_a_price_that_nothing_needs_may_be_unknown() -> None:
    found = owned(price=replace(PRICE, tuned=rates("4", None, None)), output_tokens=0)
    assert (found.monthly, found.missing) == (dollars("4"), ())
    assert set(owned(price=replace(PRICE, base=rates(None, "1", "1")), cached=Fraction(1)).missing) == set()


def test_batch_keys_are_named_as_such() -> None:
    found = owned(price=replace(PRICE, base_batch=rates(None, None, None)), batch=True, cached=Fraction(1, 2))
    assert found.missing == (
        "base_batch_input_usd_per_1m",
        "base_batch_cached_input_usd_per_1m",
        "base_batch_output_usd_per_1m",
    )


def test_training_by_the_hour_is_unknown_and_no_key_would_help() -> None:
    found = owned(price=replace(PRICE, training_usd_per_1m=None, training_usd_per_hour=dollars("100")))
    assert (found.training_cost, found.total, found.missing) == (None, None, ())
    assert found.monthly == dollars("12")


def test_without_any_price_everything_is_unknown_and_every_key_is_named() -> None:
    found = saving(price=None)
    amounts = (found.training_cost, found.monthly, found.total, found.compared_monthly, found.compared_total)
    assert amounts == (None,) * 5
    assert set(found.missing) == ALL_KEYS
    assert found.price_list == "openai"


def test_a_price_of_zero_is_known() -> None:
    found = owned(price=replace(PRICE, training_usd_per_1m=UsdPer1M(0), base=rates("0", "0", "0")))
    assert (found.training_cost, found.base_total, found.missing) == (Usd(0), Usd(0), ())


def test_a_shutdown_ends_the_months_and_prorates_the_last_by_days() -> None:
    found = owned(shutdown=date(2027, 1, 14))
    first, last = found.horizon.months
    assert [first.share, last.share] == [Fraction(1), Fraction(21, 31)]
    assert (last.start, last.end) == (date(2026, 12, 24), date(2027, 1, 14))
    assert found.horizon.capped_by_shutdown
    assert (found.horizon.months_asked, found.horizon.days) == (12, 51)
    assert found.base_total == dollars("6") + Usd(round(Fraction(6 * 10**9 * 21, 31)))
    assert found.monthly == dollars("12"), "the month itself is told whole"


def test_a_cap_says_what_each_remaining_day_costs() -> None:
    found = owned(shutdown=date(2026, 12, 4))
    assert found.total == dollars("14")  # $10 and 10 days of 30 at $12
    assert found.usd_per_remaining_day == dollars("1.40")
    assert owned().usd_per_remaining_day is None


@pytest.mark.parametrize("shutdown", [START, date(2026, 10, 23)])
def test_a_model_that_is_shut_down_has_no_day_left(shutdown: date) -> None:
    found = owned(shutdown=shutdown)
    assert (found.horizon.days, found.horizon.end, found.cumulative) == (0, START, ())
    assert (found.horizon.capped_by_shutdown, found.usd_per_remaining_day) == (True, None)
    assert found.break_even_month is None


@pytest.mark.parametrize(
    ("shutdown", "is_capped"), [(date(2027, 11, 23), True), (date(2027, 11, 24), False), (date(2028, 1, 1), False)]
)
def test_only_a_shutdown_before_the_end_caps(shutdown: date, is_capped: bool) -> None:
    found = horizon(START, 12, shutdown_date=shutdown)
    assert found.capped_by_shutdown is is_capped
    assert found.end == min(shutdown, date(2027, 11, 24))
    assert len(found.months) == 12


@pytest.mark.parametrize("shutdown", [date(2026, 11, 30), date(2027, 1, 24), date(2029, 2, 28)])
def test_as_many_months_as_a_shutdown_leaves_end_with_it(shutdown: date) -> None:
    found = horizon(START, months_until(START, shutdown, most=60), shutdown_date=shutdown)
    assert (found.end, found.capped_by_shutdown) == (shutdown, True)
    assert months_until(START, date(2099, 1, 1), most=60) == 60


@pytest.mark.parametrize(
    ("start", "months", "day"),
    [
        (date(2026, 11, 24), 1, date(2026, 12, 24)),
        (date(2026, 12, 1), 1, date(2027, 1, 1)),
        (date(2027, 1, 31), 1, date(2027, 2, 28)),
        (date(2027, 1, 31), 2, date(2027, 3, 31)),
        (date(2028, 1, 31), 1, date(2028, 2, 29)),
        (date(2028, 2, 29), 12, date(2029, 2, 28)),
        (date(2026, 11, 24), 0, date(2026, 11, 24)),
    ],
)
def test_months_are_the_calendars_and_the_31st_does_not_drift(start: date, months: int, day: date) -> None:
    assert months_after(start, months) == day


def test_the_base_model_named_is_the_one_that_was_tuned() -> None:
    assert (owned().model, owned().base_model) == ("m", MODEL)
