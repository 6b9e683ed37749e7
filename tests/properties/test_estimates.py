"""An estimate rises with what is estimated, and is exact."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from ftjobs.config import RawTable
from ftjobs.dataset.survey import Survey
from ftjobs.jobs.quote import Quote
from ftjobs.models.catalog import load_catalog
from ftjobs.models.names import resolve
from ftjobs.money import Usd, UsdPer1M
from ftjobs.pricing.estimate import Epochs, Estimate, choose_epochs, epochs_by_rule, estimate
from ftjobs.pricing.prices import load_prices
from ftjobs.ranges import Range

TODAY = date(2027, 6, 1)
MINI = resolve("gpt-4o-mini", load_catalog())
PRICE = load_prices([]).find(MINI.base.name, profile="openai", on=TODAY)


def rising(most: int) -> st.SearchStrategy[Range[int]]:
    return st.lists(st.integers(1, most), min_size=3, max_size=3).map(lambda bounds: Range(*sorted(bounds)))


counted = rising(10**10)
epoch_counts = rising(50)
rates = st.integers(0, 10**13).map(UsdPer1M)


def estimated(dataset_tokens: Range[int], count: Range[int], rate: UsdPer1M) -> tuple[Estimate, Range[Usd]]:
    assert PRICE is not None
    survey = Survey(
        path="train.jsonl",
        sha256="0" * 64,
        bytes=1,
        examples=100,
        dataset_tokens=dataset_tokens,
        truncated_examples=0,
        problems=(),
        problem_counts={},
    )
    answer = estimate(
        survey,
        model=MINI,
        method="supervised",
        epochs=Epochs(count, "auto"),
        price=replace(PRICE, training_usd_per_1m=rate),
        shutdown_date=date(2027, 6, 30),
        on=TODAY,
    )
    assert answer.cost is not None
    return answer, answer.cost


def bounds(of: Range[Usd]) -> list[Usd]:
    return [of.low, of.expected, of.high]


@given(counted, epoch_counts, rates)
def test_every_bound_is_the_exact_product_rounded_once(
    dataset_tokens: Range[int], count: Range[int], rate: UsdPer1M
) -> None:
    _, cost = estimated(dataset_tokens, count, rate)
    products = [
        dataset_tokens.low * count.low,
        dataset_tokens.expected * count.expected,
        dataset_tokens.high * count.high,
    ]
    assert [usd.nano for usd in bounds(cost)] == [
        round(Fraction(product) * Fraction(rate.nano, 10**6)) for product in products
    ]
    assert cost.low <= cost.expected <= cost.high
    assert all(type(usd.nano) is int for usd in bounds(cost))


@given(counted, epoch_counts, rates, st.integers(0, 10**6), st.integers(0, 5))
def test_more_dataset_tokens_or_epochs_never_cost_less(
    dataset_tokens: Range[int], count: Range[int], rate: UsdPer1M, more_tokens: int, more_epochs: int
) -> None:
    _, cost = estimated(dataset_tokens, count, rate)
    _, longer = estimated(dataset_tokens.map(lambda tokens: tokens + more_tokens), count, rate)
    _, oftener = estimated(dataset_tokens, count.map(lambda epochs: epochs + more_epochs), rate)
    for more in (longer, oftener):
        assert all(before <= after for before, after in zip(bounds(cost), bounds(more), strict=True))


@given(counted, epoch_counts, rates)
def test_every_estimate_travels_in_metadata_unchanged(
    dataset_tokens: Range[int], count: Range[int], rate: UsdPer1M
) -> None:
    answer, cost = estimated(dataset_tokens, count, rate)
    quote = answer.quote(on=TODAY)
    assert Quote.decode(quote.encode()) == quote
    assert quote.cost == cost


@given(st.integers(1, 200_000))
def test_the_rule_is_the_cookbooks(examples: int) -> None:
    n_epochs = 3
    if examples * n_epochs < 100:
        n_epochs = min(25, 100 // examples)
    elif examples * n_epochs > 25_000:
        n_epochs = max(1, 25_000 // examples)
    assert epochs_by_rule(examples) == n_epochs


@given(st.integers(0, 200_000))
def test_auto_holds_what_would_have_been_pinned(examples: int) -> None:
    pinned, auto = (choose_epochs(asked, examples=examples).count for asked in (None, "auto"))
    assert auto.low <= pinned.low == pinned.high <= auto.high
    assert auto.expected == pinned.expected


@given(st.lists(st.tuples(st.sampled_from([None, "here", "there"]), st.dates(), rates), max_size=8), st.dates())
def test_the_price_found_is_the_best_of_all_that_hold(
    tables: list[tuple[str | None, date, UsdPer1M]], on: date
) -> None:
    raw = [
        RawTable(
            {"model": "m", "effective_from": first_day, "training_usd_per_1m": rate.plain()}
            | ({} if profile is None else {"profile": profile}),
            f"price {number}",
        )
        for number, (profile, first_day, rate) in enumerate(tables)
    ]
    found = load_prices(raw).find("m", profile="here", on=on)
    holding = sorted(
        (profile is not None, first_day, position)
        for position, (profile, first_day, _) in enumerate(tables)
        if profile != "there" and first_day <= on
    )
    assert (None if found is None else found.source) == (f"price {holding[-1][2]}" if holding else None)


@given(counted, epoch_counts, rates)
def test_each_further_epoch_adds_what_the_first_costs(
    dataset_tokens: Range[int], count: Range[int], rate: UsdPer1M
) -> None:
    answer, cost = estimated(dataset_tokens, count, rate)
    _, further = estimated(dataset_tokens, count.map(lambda epochs: epochs + 1), rate)
    assert answer.cost_per_epoch is not None
    for before, after, each in zip(bounds(cost), bounds(further), bounds(answer.cost_per_epoch), strict=True):
        assert abs((after - before).nano - each.nano) <= 1  # both costs are rounded
