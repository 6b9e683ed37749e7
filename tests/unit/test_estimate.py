"""Dataset tokens times epochs times price, and what a person is told about it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from typing import Any, Literal

import pytest

from ftjobs.config import RawTable
from ftjobs.dataset.survey import Survey
from ftjobs.errors import UsageError
from ftjobs.models.catalog import load_catalog
from ftjobs.models.names import resolve
from ftjobs.money import Usd
from ftjobs.pricing.estimate import Epochs, Estimate, choose_epochs, epochs_by_rule, estimate
from ftjobs.pricing.prices import Price, load_prices
from ftjobs.ranges import Range

MINI = resolve("gpt-4o-mini", load_catalog())
READ_ON = date(2026, 11, 22)
ONCE = Epochs(Range.exactly(1), "pinned")


def survey(dataset_tokens: int | Range[int] = 100_000, *, examples: int = 1_000, truncated: int = 0) -> Survey:
    counted = Range.exactly(dataset_tokens) if isinstance(dataset_tokens, int) else dataset_tokens
    return Survey(
        path="train.jsonl",
        sha256="0" * 64,
        bytes=1,
        examples=examples,
        dataset_tokens=counted,
        truncated_examples=truncated,
        problems=(),
        problem_counts={},
    )


def price(model: str = "gpt-4o-mini-2024-07-18", price_list: str = "openai", **user_values: object) -> Price:
    tables = [RawTable({"model": model, **user_values}, "ftjobs.toml, price 1")] if user_values else []
    found = load_prices(tables).find(model, profile="openai", on=READ_ON, price_list=price_list)
    assert found is not None
    return found


def quiet(counted: Survey | None = None, **changes: Any) -> Estimate:
    """An estimate that has nothing to warn of, except for what `changes` say."""
    arguments: dict[str, Any] = {
        "model": MINI,
        "method": "supervised",
        "epochs": ONCE,
        "price": price(),
        "shutdown_date": None,
        "on": READ_ON,
    }
    return estimate(counted or survey(), **(arguments | changes))


@pytest.mark.parametrize(("dataset_tokens", "usd"), [(100_000, "0.10"), (50_000 * 100, "5.00")])
def test_the_guides_training_arithmetic_holds(dataset_tokens: int, usd: str) -> None:
    answer = quiet(survey(dataset_tokens), price=price(price_list="guide-2026"))
    assert answer.cost is not None
    assert answer.cost.map(Usd.plain) == Range.exactly(usd)


def test_every_epoch_adds_the_same_estimated_cost() -> None:
    answer = quiet(epochs=Epochs(Range.exactly(3), "pinned"), price=price(price_list="guide-2026"))
    assert answer.estimated_tokens == Range.exactly(300_000)
    assert answer.cost == Range.exactly(Usd.parse("0.30"))


def test_ranges_multiply_bound_by_bound() -> None:
    answer = quiet(survey(Range(900, 1_000, 1_200)), epochs=Epochs(Range(1, 3, 50), "auto"))
    assert answer.estimated_tokens == Range(900, 3_000, 60_000)
    assert answer.cost == Range(Usd.parse("0.0027"), Usd.parse("0.009"), Usd.parse("0.18"))


def test_each_bound_is_rounded_once() -> None:
    dear = price(training_usd_per_1m="0.0015")
    answer = quiet(survey(Range(1, 3, 5)), epochs=ONCE, price=dear)
    assert answer.cost == Range(Usd(2), Usd(4), Usd(8))  # 1.5, 4.5 and 7.5 nano-dollars, half-even


@pytest.mark.parametrize(
    ("examples", "epochs"),
    [
        (10, 10),
        (20, 5),
        (25, 4),
        (33, 3),
        (34, 3),
        (8_333, 3),
        (8_334, 2),
        (12_500, 2),
        (12_501, 1),
        (1_000_000, 1),
        (1, 25),
        (0, 25),
    ],
)
def test_the_published_rule_of_epochs_is_followed(examples: int, epochs: int) -> None:
    assert epochs_by_rule(examples) == epochs


@pytest.mark.parametrize(
    ("asked", "count", "source"),
    [
        (None, Range.exactly(10), "rule"),
        (1, Range.exactly(1), "pinned"),
        (50, Range.exactly(50), "pinned"),
        ("auto", Range(1, 10, 50), "auto"),
    ],
)
def test_epochs_are_pinned_unless_left_to_the_service(
    asked: int | Literal["auto"] | None, count: Range[int], source: str
) -> None:
    assert choose_epochs(asked, examples=10) == Epochs(count, source)  # type: ignore[arg-type]


def test_auto_stays_within_what_the_profile_allows() -> None:
    assert choose_epochs("auto", examples=10, most=4).count == Range(1, 4, 4)
    assert choose_epochs("auto", examples=20_000, most=8).count == Range(1, 1, 8)
    assert choose_epochs(None, examples=10, most=4).count == Range.exactly(4)
    with pytest.raises(UsageError, match="--epochs 5 "):
        choose_epochs(5, examples=10, most=4)


@pytest.mark.parametrize("asked", [0, -1, 51])
def test_epochs_out_of_range_are_a_usage_error(asked: int) -> None:
    with pytest.raises(UsageError, match=f"--epochs {asked} ") as caught:
        choose_epochs(asked, examples=10)
    assert caught.value.code == "epochs_out_of_range"
    assert "1 to 50" in caught.value.next_step


def test_nothing_to_warn_of_warns_of_nothing() -> None:
    assert quiet().warnings == ()


def only_warning(answer: Estimate) -> str:
    (warning,) = answer.warnings
    assert warning.endswith(".")
    return warning


def test_truncated_examples_are_told_with_the_models_limit() -> None:
    warning = only_warning(quiet(survey(truncated=12)))
    assert "12 of 1,000 examples" in warning
    assert "65,536" in warning


def test_a_truncated_example_of_a_model_with_unknown_limit_is_told_without_one() -> None:
    unlimited = replace(MINI, base=replace(MINI.base, max_example_tokens=None))
    assert "None" not in only_warning(quiet(survey(truncated=1), model=unlimited))


def test_tools_are_named_where_they_raise_the_high_estimate() -> None:
    assert "tool calls" in only_warning(quiet(survey(Range(90, 100, 120))))
    assert quiet(survey(Range(90, 100, 100))).warnings == ()


def test_a_preference_dataset_says_that_the_prompt_may_be_billed_twice() -> None:
    assert "once or twice" in only_warning(quiet(survey(Range(90, 100, 120)), method="dpo"))


def test_auto_epochs_say_what_would_pin_them() -> None:
    warning = only_warning(quiet(epochs=choose_epochs("auto", examples=1_000)))
    assert "1 to 50 epochs" in warning
    assert "--epochs 3" in warning


def test_without_a_price_the_estimated_cost_is_unknown() -> None:
    answer = quiet(price=None)
    assert answer.cost is None
    assert "[[price]]" in only_warning(answer)
    with pytest.raises(ValueError, match="no training price"):
        answer.quote(on=READ_ON)


def test_a_price_of_inference_alone_leaves_the_estimated_cost_unknown() -> None:
    answer = quiet(price=price(output_usd_per_1m="0.60"))
    assert answer.cost is None
    assert "no training price" in only_warning(answer)


def test_a_price_per_hour_leaves_the_estimated_cost_unknown() -> None:
    answer = quiet(model=resolve("o4-mini", load_catalog()), price=price("o4-mini-2025-04-16"))
    assert answer.cost is None
    assert "$100.00 per hour" in only_warning(answer)
    assert "duration is unknown" in only_warning(answer)
    with pytest.raises(ValueError, match="no training price"):
        answer.quote(on=READ_ON)


def test_an_illustrative_list_is_called_so() -> None:
    assert "guide-2026 is illustrative" in only_warning(quiet(price=price(price_list="guide-2026")))


def test_another_services_price_is_called_so_unless_it_is_the_users() -> None:
    warning = only_warning(quiet(list_is_foreign=True))
    assert "may charge otherwise" in warning
    assert "[[price]]" in warning
    assert quiet(price=price(training_usd_per_1m="2.00"), list_is_foreign=True).warnings == ()


def test_a_price_list_is_old_after_180_days() -> None:
    assert quiet(on=date(2027, 5, 21)).warnings == ()
    assert "181 days before" in only_warning(quiet(on=date(2027, 5, 22)))
    assert quiet(price=price(training_usd_per_1m="2.00"), on=date(2030, 1, 1)).warnings == ()


@pytest.mark.parametrize(
    ("on", "says"),
    [
        (date(2026, 10, 16), None),
        (date(2026, 10, 17), r"2027-01-14, in 89 days: training comes to \$0\.0034 a day until then\."),
        (date(2027, 1, 13), r"2027-01-14, in 1 day: training comes to \$0\.3000 a day until then\."),
        (date(2027, 1, 14), r"shut down on 2027-01-14\."),
        (date(2027, 3, 1), r"shut down on 2027-01-14\."),
    ],
)
def test_a_near_shutdown_is_priced_by_the_remaining_day(on: date, says: str | None) -> None:
    answer = quiet(on=on, shutdown_date=date(2027, 1, 14))
    assert answer.shutdown_date == date(2027, 1, 14)
    if says is None:
        assert answer.warnings == ()
    else:
        assert re.search(says, only_warning(answer))


def test_a_near_shutdown_without_a_price_names_the_days_alone() -> None:
    answer = quiet(on=date(2027, 1, 4), shutdown_date=date(2027, 1, 14), price=None)
    assert answer.warnings[-1].endswith("in 10 days.")


def test_the_quote_holds_what_was_estimated() -> None:
    answer = quiet(survey(Range(90, 100, 120), examples=20), epochs=choose_epochs(None, examples=20))
    quote = answer.quote(on=date(2026, 11, 30))
    assert quote.cost == answer.cost
    assert quote.estimated_tokens == answer.estimated_tokens == Range(450, 500, 600)
    assert (quote.dataset_tokens, quote.epochs, quote.examples) == (Range(90, 100, 120), Range.exactly(5), 20)
    assert (quote.price_list, quote.price_source) == ("openai", price().source)
    assert (quote.effective_from, quote.estimated_on) == (None, date(2026, 11, 30))
