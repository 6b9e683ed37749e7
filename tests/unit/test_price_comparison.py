"""How prices stand to each other, and what is said where the lists differ."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from ftjobs.config import RawTable
from ftjobs.errors import ConfigError, UsageError
from ftjobs.models.catalog import load_catalog
from ftjobs.pricing.comparison import (
    ModelPrices,
    Standing,
    compare,
    disagreement,
    disagreements,
    priced_model,
    priced_models,
)
from ftjobs.pricing.prices import Price, PriceBook, load_prices

MINI = "gpt-4o-mini-2024-07-18"
TODAY = date(2027, 6, 1)


def book(*tables: dict[str, object]) -> PriceBook:
    return load_prices([RawTable(row, f"ftjobs.toml, price {n}") for n, row in enumerate(tables, start=1)])


def user(**values: object) -> dict[str, object]:
    return {"model": MINI, "training_usd_per_1m": "2.00"} | values


def of(prices: PriceBook, model: str = MINI, **arguments: Any) -> ModelPrices:
    defaults: dict[str, Any] = {"profile": "openai", "on": TODAY, "price_list": "openai"}
    (found,) = compare([model], prices, **(defaults | arguments))
    return found


def lists(prices: PriceBook, model: str = MINI) -> dict[str, Price]:
    return dict(prices.by_list(model, profile="openai", on=TODAY))


def standings(prices: PriceBook, **arguments: Any) -> dict[str, Standing]:
    """How each price stands, by its source; the bundled ones by their list."""
    return {
        each.price.source if each.price.price_list == "user" else each.price.price_list: each.standing
        for each in of(prices, **arguments).listed
    }


def test_the_applied_list_is_told_first_and_the_guide_is_called_illustrative() -> None:
    said = lists(book())
    assert disagreement(said["openai"], said) == (
        f"Price lists disagree on {MINI}: training is $3.00/1M by openai, $1.00/1M by guide-2026 (illustrative)."
    )
    assert disagreement(said["guide-2026"], said) == (
        f"Price lists disagree on {MINI}: training is $1.00/1M by guide-2026 (illustrative), $3.00/1M by openai."
    )


def test_lists_that_agree_are_named_together() -> None:
    said = lists(book(user(training_usd_per_1m="3")))
    sentence = disagreement(said["user"], said)
    assert sentence is not None
    assert "training is $3.00/1M by user and openai, $1.00/1M by guide-2026 (illustrative)." in sentence


def test_one_list_alone_disagrees_with_nobody() -> None:
    said = lists(book(), "davinci-002")
    assert disagreement(said["openai"], {}) is None
    assert disagreement(said["openai"], said) is None
    assert list(disagreements(said["openai"], said)) == []


def test_lists_that_name_the_same_amount_agree_however_it_is_written() -> None:
    said = lists(book(user(model="davinci-002", training_usd_per_1m="6.000")), "davinci-002")
    assert set(said) == {"openai", "user"}
    assert disagreement(said["user"], said) is None


def test_what_a_list_leaves_open_contradicts_nobody_but_free_does() -> None:
    silent = lists(book({"model": "davinci-002", "input_usd_per_1m": "12"}), "davinci-002")
    assert disagreement(silent["user"], silent) is None
    free = lists(book(user(model="davinci-002", training_usd_per_1m="0")), "davinci-002")
    assert "$0.00/1M by user, $6.00/1M by openai" in (disagreement(free["user"], free) or "")


def test_an_hour_and_a_token_are_different_prices() -> None:
    said = lists(book(user(model="o4-mini-2025-04-16", training_usd_per_1m="5")), "o4-mini-2025-04-16")
    assert "training is $5.00/1M by user, $100.00/h by openai." in (disagreement(said["user"], said) or "")


def test_a_difference_of_a_nano_dollar_is_told_exactly() -> None:
    said = lists(book(user(training_usd_per_1m="3.000000001")))
    assert "$3.000000001/1M by user, $3.00/1M by openai" in (disagreement(said["user"], said) or "")


def test_every_amount_that_differs_has_a_sentence_training_first() -> None:
    said = lists(book())
    told = [sentence.partition(": ")[2] for sentence in disagreements(said["openai"], said)]
    assert told == [
        "training is $3.00/1M by openai, $1.00/1M by guide-2026 (illustrative).",
        "input of the tuned model is $0.30/1M by openai, $0.15/1M by guide-2026 (illustrative).",
        "output of the tuned model is $1.20/1M by openai, $0.60/1M by guide-2026 (illustrative).",
    ]
    for key, what in [
        ("cached_input", "cached input of the tuned model"),
        ("batch_output", "output of the tuned model in batches"),
        ("base_input", "input of the base model"),
    ]:
        said = lists(book({"model": MINI, f"{key}_usd_per_1m": "9"}))
        assert any(f": {what} is $9.00/1M by user, " in each for each in disagreements(said["user"], said)), what


def test_the_named_list_applies_and_the_others_are_other_lists() -> None:
    assert standings(book()) == {"openai": Standing.APPLIES, "guide-2026": Standing.OTHER_LIST}
    assert standings(book(), price_list="guide-2026") == {
        "guide-2026": Standing.APPLIES,
        "openai": Standing.OTHER_LIST,
    }


def test_a_price_of_the_users_applies_before_the_named_list() -> None:
    assert standings(book(user(source="mine")))["mine"] is Standing.APPLIES
    assert standings(book(user(source="mine")))["openai"] is Standing.OTHER_LIST


def test_past_and_future_prices_are_told_from_the_one_in_force() -> None:
    dated = book(
        user(source="first"),
        user(source="second", effective_from=date(2027, 1, 1)),
        user(source="third", effective_from=date(2027, 12, 1)),
    )
    assert standings(dated) == {
        "second": Standing.APPLIES,
        "openai": Standing.OTHER_LIST,
        "guide-2026": Standing.OTHER_LIST,
        "third": Standing.NOT_YET,
        "first": Standing.NO_LONGER,
    }
    assert standings(dated, on=date(2026, 12, 31))["first"] is Standing.APPLIES
    assert standings(dated, on=date(2027, 12, 1))["third"] is Standing.APPLIES
    assert standings(dated, on=date(2027, 12, 1))["second"] is Standing.NO_LONGER


def test_a_price_of_the_profile_overrules_one_for_all_on_that_profile_alone() -> None:
    prices = book(user(source="ours", profile="azure-eu"), user(source="all", effective_from=date(2027, 5, 1)))
    assert standings(prices, profile="azure-eu") | {"openai": None, "guide-2026": None} == {
        "ours": Standing.APPLIES,
        "all": Standing.OVERRULED,
        "openai": None,
        "guide-2026": None,
    }
    elsewhere = standings(prices)
    assert (elsewhere["ours"], elsewhere["all"]) == (Standing.OTHER_PROFILE, Standing.APPLIES)


def test_of_two_tables_for_the_same_day_the_nearer_overrules() -> None:
    found = standings(book(user(source="far"), user(source="near")))
    assert (found["near"], found["far"]) == (Standing.APPLIES, Standing.OVERRULED)


def test_tables_that_are_word_for_word_the_same_apply_once() -> None:
    listed = of(book(user(source="same"), user(source="same"))).listed
    assert [each.standing for each in listed].count(Standing.APPLIES) == 1


def test_the_order_is_the_one_people_read_in() -> None:
    listed = of(book(user(effective_from=date(2030, 1, 1)), user(effective_from=date(2020, 1, 1)), user())).listed
    places = [list(Standing).index(each.standing) for each in listed]
    assert places == sorted(places)
    assert listed[0].standing is Standing.APPLIES


def test_nothing_applies_where_only_another_list_has_the_model() -> None:
    found = of(book(), "gpt-4-turbo")
    assert found.applied is None
    assert [each.standing for each in found.listed] == [Standing.OTHER_LIST]


def test_an_unknown_price_list_is_refused_even_for_a_model_without_prices() -> None:
    with pytest.raises(ConfigError, match="no price list 'zzz'"):
        of(book(), "gpt-4-0613", price_list="zzz")


def test_every_model_is_listed_once_whoever_prices_it() -> None:
    models = priced_models(book(user(), user(model="meta/llama-8b")))
    assert models.count(MINI) == 1
    assert {"gpt-4-turbo", "o4-mini-2025-04-16", "meta/llama-8b"} <= set(models)


@pytest.mark.parametrize(
    ("asked", "model"),
    [
        (MINI, MINI),
        ("gpt-4o-mini", MINI),
        ("ft:gpt-4o-mini-2024-07-18:acme::a1B2", MINI),
        ("ft:gpt-4o-mini:acme:bot:a1B2:ckpt-step-90", MINI),
        ("gpt-4-turbo", "gpt-4-turbo"),
        ("ft:gpt-4-turbo:acme::a1B2", "gpt-4-turbo"),
        ("meta/llama-8b", "meta/llama-8b"),
        ("ft:odd:name", "ft:odd:name"),
        ("gpt-4-0613", "gpt-4-0613"),
    ],
)
def test_a_model_is_found_by_snapshot_alias_tuned_name_or_a_lists_own_name(asked: str, model: str) -> None:
    prices = book(user(model="meta/llama-8b"), user(model="ft:odd:name"))
    assert priced_model(asked, prices, load_catalog()) == model


@pytest.mark.parametrize(
    ("asked", "nearest"),
    [
        ("gpt-4o-mni", "gpt-4o-mini?"),
        ("gpt-4-turbp", "gpt-4-turbo?"),
        ("meta/lama-8b", "meta/llama-8b?"),
        ("ft:gpt-4-turbp:acme::x", "gpt-4-turbo?"),
        ("ft:gpt-4-turbo:", "gpt-4-turbo?"),
        ("", "`ftjobs prices`"),
        ("zzzzzz", "`ftjobs prices`"),
    ],
)
def test_a_strange_name_is_refused_with_the_nearest(asked: str, nearest: str) -> None:
    with pytest.raises(UsageError) as caught:
        priced_model(asked, book(user(model="meta/llama-8b")), load_catalog())
    assert (caught.value.code, caught.value.details) == ("unknown_model", {"model": asked})
    assert repr(asked) in caught.value.message
    assert nearest in caught.value.next_step


HOSTING: dict[str, object] = {"model": MINI, "hosting_usd_per_hour": "1.70", "source": "hosting"}


def test_a_table_of_hosting_alone_takes_no_other_prices_place() -> None:
    for tables in ((user(source="mine"), HOSTING), (HOSTING, user(source="mine"))):
        found = of(book(*tables))
        assert [price and price.source for price in (found.applied, found.hosting)] == ["mine", "hosting"]
        assert {source: how.value for source, how in standings(book(*tables)).items()} == {
            "mine": "applies", "hosting": "applies", "openai": "other_list", "guide-2026": "other_list",
        }  # fmt: skip
    alone = of(book(HOSTING))
    assert alone.applied is not None
    assert alone.applied.price_list == "openai"


@pytest.mark.parametrize(
    ("on", "profile", "usd"),
    [
        (date(2026, 10, 31), "azure-eu", None),
        (date(2026, 11, 1), "azure-eu", "1.70"),
        (date(2026, 11, 1), "openai", None),
        (date(2026, 12, 1), "azure-eu", "2.00"),
        (date(2027, 1, 1), "azure-eu", "2.00"),
        (date(2027, 1, 1), "openai", "9.00"),
    ],
)
def test_hosting_has_the_price_of_its_day_and_profile(on: date, profile: str, usd: str | None) -> None:
    prices = book(
        HOSTING | {"effective_from": date(2026, 11, 1), "profile": "azure-eu"},
        HOSTING | {"effective_from": date(2026, 12, 1), "profile": "azure-eu", "hosting_usd_per_hour": "2.00"},
        HOSTING | {"effective_from": date(2027, 1, 1), "hosting_usd_per_hour": "9.00"},
        user(effective_from=date(2026, 12, 24)),  # says nothing of hosting, and takes nothing away
    )
    found = prices.find_hosting(MINI, profile=profile, on=on)
    assert (found and found.hosting_usd_per_hour and found.hosting_usd_per_hour.plain()) == usd
