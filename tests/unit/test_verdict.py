"""One sentence: is it worth it? By examples, by volume and by how long it can be used."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from fractions import Fraction
from typing import Any

import pytest

from ftjobs.money import Usd, UsdPer1M
from ftjobs.pricing.caveats import caveats
from ftjobs.pricing.ownership import Ownership
from ftjobs.pricing.prices import USER_LIST
from ftjobs.pricing.verdict import verdict
from ftjobs.ranges import Range
from tests.unit.owning import MODEL, PRICE, START, owned, rates, saving

OVER = " over the base model's longer prompt"

SHUTDOWN = date(2027, 1, 14)
NOTHING = rates(None, None, None)
SILENT = replace(PRICE, training_usd_per_1m=None)


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (
            saving(),
            "Worth it: saving $10.00 a month"
            + OVER
            + " pays the $10.00 of training back in month 1, and 500 examples are"
            " plenty; test it against the base model before deploying.",
        ),
        (
            saving(epochs=5, examples=499, growth=Fraction(1, 100)),
            "Worth it: saving $10.00 in the first month and more later"
            + OVER
            + " pays the $50.00 of training back in month"
            " 5, and 499 examples are enough, though 500 are better; test it against the base model before"
            " deploying.",
        ),
        (
            saving(examples=None, shutdown=SHUTDOWN),
            "Worth it: saving $10.00 a month"
            + OVER
            + " pays the $10.00 of training back in month 1, before the shutdown on"
            " 2027-01-14, if there are enough examples (100 at least, better 500; their number is unknown); test"
            " it against the base model before deploying.",
        ),
        (
            saving(epochs=50, months=1),
            "Not worth it: saving $10.00 a month"
            + OVER
            + " does not pay the $500.00 of training back within 1 month.",
        ),
        (
            saving(epochs=50, shutdown=SHUTDOWN),
            "Not worth it: saving $10.00 a month"
            + OVER
            + " does not pay the $500.00 of training back before the shutdown on"
            " 2027-01-14, in 51 days.",
        ),
        (
            saving(examples=99),
            "Not worth it: 99 examples are too few to train on (100 at least, better 500).",
        ),
        (
            saving(examples=1, price=None),
            "Not worth it: 1 example is too few to train on (100 at least, better 500).",
        ),
        (
            saving(shutdown=START, examples=5),
            f"Not worth it: {MODEL} and every model tuned from it shut down on 2026-11-24.",
        ),
        (
            owned(),
            "Only if it does the task better: a month costs $6.00 more than on the base model, so its use never"
            " pays the $10.00 of training back.",
        ),
        (
            owned(price=replace(PRICE, base=PRICE.tuned)),
            "Only if it does the task better: a month costs the same as on the base model, so its use never pays"
            " the $10.00 of training back.",
        ),
        (
            owned(price=SILENT, base_input_tokens=2_000_000),
            "Only if it does the task better: a month costs $4.00 more than on the base model with its longer"
            " prompt, so its use never pays the cost of training back.",
        ),
        (
            saving(price=SILENT, growth=Fraction(1, 10)),
            "Unknown: it saves $10.00 in the first month and more later"
            + OVER
            + ", but what training costs is unknown.",
        ),
        (
            saving(price=replace(PRICE, base=NOTHING)),
            "Unknown: what the base model costs a month is unknown, so nothing says whether it saves money.",
        ),
        (
            saving(price=replace(PRICE, tuned=NOTHING)),
            "Unknown: what the fine-tuned model costs a month is unknown, so nothing says whether it saves money.",
        ),
        (
            saving(price=None),
            "Unknown: what either model costs a month is unknown, so nothing says whether it saves money.",
        ),
    ],
)
def test_the_verdict_is_one_sentence_of_reasons(found: Ownership, sentence: str) -> None:
    assert verdict(found) == sentence


@pytest.mark.parametrize(("holdout", "worth"), [(0, True), (Fraction(1, 10), False)])
def test_only_examples_that_are_trained_on_count(holdout: Fraction, worth: bool) -> None:
    assert verdict(saving(examples=100, holdout=holdout)).startswith("Worth it: ") is worth


def only(**of: Any) -> str:
    (told,) = caveats(owned(**of))
    assert told.endswith(".")
    return told


def test_nothing_to_warn_of_warns_of_nothing() -> None:
    assert caveats(owned()) == ()


def test_a_missing_price_names_its_key_and_what_is_unknown() -> None:
    told = only(price=replace(PRICE, base=rates(None, "1", "4")))
    assert "lacks base_input_usd_per_1m of " + MODEL in told
    assert "the base model's cost is unknown" in told
    assert "[[price]] table with all amounts" in told


def test_several_missing_prices_are_told_together() -> None:
    told = only(price=replace(PRICE, tuned=NOTHING, training_usd_per_1m=None))
    assert "lacks training_usd_per_1m, input_usd_per_1m and output_usd_per_1m of" in told
    assert "the training cost and the fine-tuned model's cost are unknown" in told


def test_the_users_own_table_lacks_only_what_it_lacks() -> None:
    told = only(price=replace(PRICE, price_list=USER_LIST, base=rates(None, "1", "4")))
    assert told.endswith("so the base model's cost is unknown: add to your [[price]] table what it lacks.")


def test_without_a_price_every_key_is_named() -> None:
    told = only(price=None)
    for key in ("training_usd_per_1m", "input_usd_per_1m", "base_output_usd_per_1m"):
        assert key in told


def test_training_by_the_hour_is_told_with_its_price() -> None:
    told = only(price=replace(PRICE, training_usd_per_1m=None, training_usd_per_hour=Usd.parse("100")))
    assert "$100.00 per hour" in told
    assert "duration is unknown" in told


def test_a_base_price_of_others_is_told_where_it_is_used() -> None:
    third = replace(PRICE, base_source="third parties: compare")
    assert only(price=third) == "The base model's prices are from third parties: compare."
    assert caveats(owned(price=replace(third, price_list=USER_LIST))) == ()
    assert "third parties" not in only(price=replace(third, base=NOTHING))


def test_an_illustrative_list_is_called_so_and_is_never_foreign_or_old() -> None:
    price = replace(PRICE, price_list="guide-2026", illustrative=True, read_on=date(2020, 1, 1))
    assert "guide-2026 is illustrative" in only(price=price, list_is_foreign=True)


def test_the_price_of_another_service_is_called_so_unless_it_is_the_users() -> None:
    assert "may charge otherwise" in only(list_is_foreign=True)
    assert caveats(owned(price=replace(PRICE, price_list=USER_LIST), list_is_foreign=True)) == ()


def test_a_price_list_is_old_after_180_days() -> None:
    assert caveats(owned(start=date(2027, 5, 23))) == ()
    assert "181 days before" in only(start=date(2027, 5, 24))


@pytest.mark.parametrize(
    ("shutdown", "told"),
    [
        (SHUTDOWN, "shut down on 2027-01-14, in 51 days: nothing is counted after that."),
        (date(2026, 11, 25), "in 1 day: nothing is counted after that."),
        (date(2026, 10, 23), "shut down on 2026-10-23."),
        (date(2028, 11, 24), "shut down on 2028-11-24, in 731 days."),
    ],
)
def test_a_shutdown_is_told_with_the_days_that_are_left(shutdown: date, told: str) -> None:
    assert only(shutdown=shutdown).endswith(told)


def test_a_shutdown_that_caps_nothing_is_told_as_openais_own() -> None:
    assert only(shutdown_date=SHUTDOWN).startswith(
        f"On OpenAI's own service {MODEL} and every model tuned from it"
    )


def test_a_range_of_dataset_tokens_is_told_with_the_number_in_use() -> None:
    told = only(dataset_tokens=Range(900, 1_000, 1_200))
    assert "900 to 1,200" in told
    assert "1,000 are expected" in told


def test_a_price_of_nothing_is_paid_back_at_once() -> None:
    assert "$0.00 of training back in month 1" in verdict(
        saving(price=replace(PRICE, training_usd_per_1m=UsdPer1M(0)))
    )
