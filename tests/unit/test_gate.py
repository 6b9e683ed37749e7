"""What stops spending before anything is recorded."""

from __future__ import annotations

import tomllib
from datetime import date

import pytest

from ftjobs.config import RawTable
from ftjobs.dataset.survey import Survey
from ftjobs.errors import SpendRefusedError
from ftjobs.models.catalog import load_catalog
from ftjobs.models.names import ModelName, resolve
from ftjobs.money import Usd
from ftjobs.pricing.estimate import Estimate, choose_epochs, estimate
from ftjobs.pricing.prices import load_prices
from ftjobs.ranges import Range
from ftjobs.workflows.gate import refuse_gone, require_consent, require_price

GONE = date(2027, 1, 14)
CLOSED = date(2027, 1, 6)


def model(name: str = "gpt-4o-mini") -> ModelName:
    return resolve(name, load_catalog())


def estimated(name: str, *tables: RawTable, price_list: str = "openai") -> Estimate:
    survey = Survey("d.jsonl", "0" * 64, 1, 100, Range(900, 1000, 1100), 0, (), {})
    found = load_prices(tables).find(
        model(name).base.name, profile="openai", on=date(2026, 11, 22), price_list=price_list
    )
    return estimate(
        survey,
        model=model(name),
        method="supervised",
        epochs=choose_epochs(3, examples=100),
        price=found,
        shutdown_date=None,
        on=date(2026, 11, 22),
    )


@pytest.mark.parametrize(
    ("on", "code"),
    [
        (date(2027, 1, 5), None),
        (date(2027, 1, 6), None),  # no time zone was published: that day is the service's to judge
        (date(2027, 1, 7), "creation_ended"),
        (date(2027, 1, 13), "creation_ended"),
        (date(2027, 1, 14), "model_shut_down"),
        (date(2027, 6, 1), "model_shut_down"),
    ],
)
def test_openai_takes_jobs_until_creation_ends_and_models_until_they_are_gone(on: date, code: str | None) -> None:
    try:
        refuse_gone(model(), shutdown_date=GONE, creation_ends_on=CLOSED, on=on)
    except SpendRefusedError as error:
        assert error.code == code
        assert str(GONE if code == "model_shut_down" else CLOSED) in error.message
        assert "--profile" in error.next_step
    else:
        assert code is None


def test_where_no_date_is_known_no_day_is_too_late() -> None:
    refuse_gone(model(), shutdown_date=None, creation_ends_on=None, on=date(2099, 1, 1))


def test_the_high_estimate_is_what_a_price_gates() -> None:
    assert require_price(estimated("gpt-4o-mini")) == Usd.parse("0.0099")  # 1,100 × 3 at $3.00


def test_an_illustrative_price_gates_nothing() -> None:
    with pytest.raises(SpendRefusedError) as caught:
        require_price(estimated("gpt-4o-mini", price_list="guide-2026"))
    assert caught.value.code == "illustrative_price"
    assert caught.value.details == {"price_list": "guide-2026"}


@pytest.mark.parametrize(
    "tables",
    [
        (),
        (RawTable({"model": "gpt-4", "training_usd_per_hour": "100"}, "t"),),
        (RawTable({"model": "gpt-4", "input_usd_per_1m": "1"}, "t"),),
    ],
    ids=["no price", "a price per hour", "a price for something else"],
)
def test_without_a_price_per_token_nothing_is_spent_and_the_line_to_add_is_told(
    tables: tuple[RawTable, ...],
) -> None:
    with pytest.raises(SpendRefusedError) as caught:
        require_price(estimated("gpt-4", *tables))
    error = caught.value
    assert (error.code, error.exit_code, error.details["model"]) == ("no_price", 5, "gpt-4-0613")
    line = str(error.details["toml"])
    assert error.next_step.endswith(line)
    assert "\n" not in line
    (table,) = tomllib.loads(line.replace("PRICE", "8.00"))["price"]
    # Where a table without a training price is there already, the new one stands nearer.
    assert require_price(estimated("gpt-4", *tables, RawTable(table, "added"))) == Usd.parse("0.0264")


FIVE = Usd.parse("5")


def consents(high: str, *, max_cost: str | None = None, yes: bool = False, answer: bool | None = None) -> str:
    """Return the code of the refusal, "" for consent, and "asked" where somebody was asked and agreed."""
    asked: list[bool] = []

    def ask() -> bool:
        asked.append(True)
        return bool(answer)

    try:
        require_consent(
            Usd.parse(high),
            confirm_above=FIVE,
            max_cost=Usd.parse(max_cost) if max_cost else None,
            yes=yes,
            ask=None if answer is None else ask,
        )
    except SpendRefusedError as error:
        assert error.exit_code == 5
        assert error.details["high_estimate_usd"] == Usd.parse(high).plain()
        return error.code
    return "asked" if asked else ""


def test_up_to_the_limit_nobody_is_asked() -> None:
    assert consents("5", answer=False) == ""
    assert consents("0", answer=None) == ""


def test_above_it_a_terminal_is_asked_and_elsewhere_it_is_refused() -> None:
    assert consents("5.000000001", answer=True) == "asked"
    assert consents("5.000000001", answer=False) == "declined"
    assert consents("5.000000001", answer=None) == "no_consent"


def test_yes_and_max_cost_are_consent_without_a_question() -> None:
    assert consents("900", yes=True, answer=False) == ""
    assert consents("900", max_cost="900", answer=False) == ""


def test_max_cost_binds_below_the_limit_and_against_yes() -> None:
    assert consents("0.02", max_cost="0.019999999", answer=True) == "over_max_cost"
    assert consents("6", max_cost="5.50", yes=True, answer=True) == "over_max_cost"
    assert consents("0.02", max_cost="0.02") == ""


def test_the_refusal_without_a_terminal_names_both_ways_to_consent() -> None:
    with pytest.raises(SpendRefusedError) as caught:
        require_consent(Usd.parse("12.34"), confirm_above=FIVE, max_cost=None, yes=False, ask=None)
    assert "--yes" in caught.value.next_step
    assert "--max-cost 12.34" in caught.value.next_step
