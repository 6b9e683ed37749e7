"""Which price holds, and what a user's table may say."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest

from ftjobs.config import RawTable
from ftjobs.errors import ConfigError
from ftjobs.money import Usd, UsdPer1M
from ftjobs.pricing.prices import InferencePrice, Price, PriceBook, load_prices

MINI = "gpt-4o-mini-2024-07-18"
TODAY = date(2027, 6, 1)


def book(*tables: dict[str, object]) -> PriceBook:
    return load_prices([RawTable(row, f"ftjobs.toml, price {n}") for n, row in enumerate(tables, start=1)])


def user(**values: object) -> dict[str, object]:
    return {"model": MINI, "training_usd_per_1m": "2.00"} | values


def find(prices: PriceBook, **arguments: Any) -> Price:
    defaults: dict[str, Any] = {"model": MINI, "profile": "openai", "on": TODAY}
    price = prices.find(**(defaults | arguments))
    assert price is not None
    return price


def training(prices: PriceBook, **arguments: Any) -> str | None:
    rate = find(prices, **arguments).training_usd_per_1m
    return None if rate is None else rate.plain()


@pytest.mark.parametrize(
    ("model", "amounts"),
    [
        ("gpt-4.1-2025-04-14", ["25.00", "3.00", "0.75", "12.00", "1.50", "0.50", "6.00"]),
        ("gpt-4.1-mini-2025-04-14", ["5.00", "0.80", "0.20", "3.20", "0.40", "0.10", "1.60"]),
        ("gpt-4.1-nano-2025-04-14", ["1.50", "0.20", "0.05", "0.80", "0.10", "0.025", "0.40"]),
        ("gpt-4o-2024-08-06", ["25.00", "3.75", "1.875", "15.00", "2.225", "0.90", "12.50"]),
        (MINI, ["3.00", "0.30", "0.15", "1.20", "0.15", "0.075", "0.60"]),
        ("gpt-3.5-turbo-0125", ["8.00", "3.00", None, "6.00", "1.50", None, "3.00"]),
        ("davinci-002", ["6.00", "12.00", None, "12.00", "6.00", None, "6.00"]),
        ("babbage-002", ["0.40", "1.60", None, "1.60", "0.80", None, "0.90"]),
        ("o4-mini-2025-04-16", [None, "4.00", "1.00", "16.00", "2.00", "0.50", "8.00"]),
    ],
)
def test_the_last_official_table_ships(model: str, amounts: list[str | None]) -> None:
    price = find(book(), model=model)
    of_use = [(use.input, use.cached_input, use.output) for use in (price.tuned, price.tuned_batch)]
    per_1m = [price.training_usd_per_1m, *of_use[0], *of_use[1]]
    assert [None if rate is None else rate.plain() for rate in per_1m] == amounts
    assert (price.price_list, price.read_on, price.effective_from) == ("openai", date(2026, 11, 22), None)
    assert "late 2025" in price.source
    assert not price.illustrative


@pytest.mark.parametrize(
    ("model", "amounts"),
    [
        ("gpt-4.1-2025-04-14", ["2.00", "0.50", "8.00"]),
        ("gpt-4.1-mini-2025-04-14", ["0.40", "0.10", "1.60"]),
        ("gpt-4.1-nano-2025-04-14", ["0.10", "0.025", "0.40"]),
        ("gpt-4o-2024-08-06", ["2.50", "1.25", "10.00"]),
        (MINI, ["0.15", "0.075", "0.60"]),
    ],
)
def test_what_the_base_model_costs_is_from_third_parties_and_says_so(model: str, amounts: list[str]) -> None:
    price = find(book(), model=model)
    rates = (price.base.input, price.base.cached_input, price.base.output)
    assert [rate.plain() for rate in rates if rate] == amounts
    assert "third parties" in (price.base_source or "")
    assert price.base_batch == InferencePrice(None, None, None)


def test_the_guide_prices_a_model_and_what_is_tuned_from_it_alike() -> None:
    listed = [price for price in book().prices if price.price_list == "guide-2026"]
    assert all(price.base == price.tuned and price.tuned.input is not None for price in listed)


def test_each_list_says_its_own_price() -> None:
    said = book(user(), user(training_usd_per_1m="9.00", profile="azure-eu")).by_list(
        MINI, profile="openai", on=TODAY
    )
    assert {name: price.training_usd_per_1m for name, price in said.items()} == {
        "openai": UsdPer1M.parse("3.00"),
        "guide-2026": UsdPer1M.parse("1.00"),
        "user": UsdPer1M.parse("2.00"),
    }
    assert book().by_list("gpt-9", profile="openai", on=TODAY) == {}


def test_reinforcement_is_priced_by_the_hour() -> None:
    assert find(book(), model="o4-mini-2025-04-16").training_usd_per_hour == Usd.parse("100")


def test_the_guide_list_is_illustrative_and_names_snapshots() -> None:
    expected = {
        MINI: ("1.00", "0.15", "0.60"),
        "gpt-4o-2024-08-06": ("3.00", "2.50", "10.00"),
        "gpt-4-turbo": ("2.70", "3.00", "15.00"),
        "gpt-3.5-turbo-0125": ("0.80", "0.30", "1.50"),
    }
    listed = {price.model: price for price in book().prices if price.price_list == "guide-2026"}
    assert listed.keys() == expected.keys()
    for model, amounts in expected.items():
        price = listed[model]
        assert price.illustrative
        rates = (price.training_usd_per_1m, price.tuned.input, price.tuned.output)
        assert rates == tuple(UsdPer1M.parse(amount) for amount in amounts)


def test_a_model_without_a_price_has_none() -> None:
    assert book().find("gpt-4-0613", profile="openai", on=TODAY) is None


def test_an_unknown_price_list_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError) as caught:
        book().find(MINI, profile="openai", on=TODAY, price_list="guide-2062")
    assert caught.value.code == "unknown_price_list"
    assert "guide-2026" in caught.value.next_step
    with pytest.raises(ConfigError, match="'zzz'") as caught:
        book(user()).find(MINI, profile="openai", on=TODAY, price_list="zzz")
    assert "openai, guide-2026, user" in caught.value.next_step


def test_a_users_price_beats_every_bundled_list() -> None:
    prices = book(user())
    assert training(prices) == training(prices, price_list="guide-2026") == "2.00"
    price = find(prices)
    assert (price.price_list, price.source, price.read_on) == ("user", "ftjobs.toml, price 1", None)


def test_what_a_users_table_leaves_out_is_unknown() -> None:
    assert training(book({"model": MINI, "output_usd_per_1m": "0.50"})) is None


def test_the_list_named_user_holds_the_users_prices_only() -> None:
    assert book().find(MINI, profile="openai", on=TODAY, price_list="user") is None
    assert training(book(user()), price_list="user") == "2.00"


def test_a_users_alias_means_the_snapshot_and_a_strange_model_is_kept() -> None:
    prices = book(user(model="gpt-4o-mini"), user(model="meta/llama-8b", training_usd_per_1m="0.40"))
    assert training(prices) == "2.00"
    assert training(prices, model="meta/llama-8b") == "0.40"


def test_the_later_table_is_nearer() -> None:
    assert training(book(user(training_usd_per_1m="5.00"), user())) == "2.00"


def test_a_price_of_the_profile_beats_a_nearer_one_for_all() -> None:
    prices = book(user(profile="azure-eu", training_usd_per_1m="7.00"), user(effective_from=date(2026, 1, 1)))
    assert training(prices, profile="azure-eu") == "7.00"
    assert training(prices, profile="azure-us") == "2.00"


def test_a_price_holds_from_its_first_day_inclusive() -> None:
    prices = book(
        user(training_usd_per_1m="9.00", effective_from="2026-11-01"),
        user(training_usd_per_1m="8.00", effective_from=date(2026, 5, 1)),
        user(training_usd_per_1m="4.00"),
    )
    assert training(prices, on=date(2026, 4, 30)) == "4.00"
    assert training(prices, on=date(2026, 5, 1)) == "8.00"
    assert training(prices, on=date(2026, 10, 31)) == "8.00"
    assert training(prices, on=date(2026, 11, 1)) == "9.00"


def test_before_a_users_first_day_the_bundled_price_holds() -> None:
    prices = book(user(effective_from=date(2026, 11, 1)))
    assert training(prices, on=date(2026, 10, 31)) == "3.00"
    assert training(prices, on=date(2026, 11, 1)) == "2.00"


def test_free_training_is_a_price() -> None:
    assert training(book(user(training_usd_per_1m="0"))) == "0.00"


@pytest.mark.parametrize(
    ("values", "key", "says"),
    [
        (user(training_usd_per_1m=2.0), "training_usd_per_1m", 'training_usd_per_1m = "2.00"'),
        (user(output_usd_per_1m=2), "output_usd_per_1m", 'output_usd_per_1m = "2.00"'),
        (user(training_usd_per_hour=True), "training_usd_per_hour", 'training_usd_per_hour = "2.00"'),
        (user(training_usd_per_1m="-2.00"), "training_usd_per_1m", "decimal string"),
        (user(training_usd_per_1m="2,00"), "training_usd_per_1m", "decimal string"),
        (user(training_usd_per_1m="$2"), "training_usd_per_1m", "decimal string"),
        (user(training_usd_per_1m="nan"), "training_usd_per_1m", "decimal string"),
        (user(training_usd_per_1m=""), "training_usd_per_1m", "decimal string"),
        (user(training_usd_per_1m="10000.01"), "training_usd_per_1m", "decimal string"),
        (user(training_usd_per_1M="2.00"), "training_usd_per_1M", "training_usd_per_1m?"),
        (user(colour="blue"), "colour", "effective_from"),
        ({"training_usd_per_1m": "2.00"}, "model", "model ="),
        ({"model": MINI}, "training_usd_per_1m", "output_usd_per_1m"),
        (user(model=""), "model", "model ="),
        (user(model=["a"]), "model", "model ="),
        (user(profile=1), "profile", "profile ="),
        (user(source="two\nlines"), "source", "source ="),
        (user(effective_from="1 November"), "effective_from", "2026-11-01"),
        (user(effective_from=datetime(2026, 11, 1, 12)), "effective_from", "2026-11-01"),  # noqa: DTZ001
        (user(effective_from=20261101), "effective_from", "2026-11-01"),
    ],
)
def test_a_wrong_table_is_refused_by_key_and_origin(values: dict[str, object], key: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        book(user(), values)
    error = caught.value
    assert (error.code, error.details) == ("price_invalid", {"key": key, "origin": "ftjobs.toml, price 2"})
    assert "ftjobs.toml, price 2" in error.message
    assert key in error.message
    assert says in error.next_step
