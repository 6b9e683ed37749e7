"""A total cost of ownership against the same sums done another way, in fractions."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from ftjobs.money import Usd, UsdPer1M
from ftjobs.pricing.horizon import Horizon, horizon
from ftjobs.pricing.ownership import Ownership, Training, Use, own
from ftjobs.pricing.prices import InferencePrice, Price
from ftjobs.ranges import Range

starts = st.dates(date(2020, 1, 1), date(2100, 1, 1))
month_counts = st.integers(1, 40)
spans = st.tuples(starts, month_counts)
amounts = st.integers(0, 10**12)
shares = st.integers(0, 1000).map(lambda permille: Fraction(permille, 1000))
rates = st.integers(0, 10**13).map(UsdPer1M)
inference = st.builds(InferencePrice, rates, rates, rates)
prices = st.builds(
    Price,
    model=st.just("m"),
    price_list=st.just("openai"),
    training_usd_per_1m=rates,
    training_usd_per_hour=st.none(),
    tuned=inference,
    tuned_batch=inference,
    base=inference,
    base_batch=inference,
    effective_from=st.none(),
    profile=st.none(),
    source=st.just("a page"),
    read_on=st.none(),
)
trainings = st.builds(
    Training,
    dataset_tokens=st.integers(1, 10**12).map(Range.exactly),
    epochs=st.integers(1, 50),
    epochs_source=st.just("pinned"),
    examples=st.integers(1, 10**6),
    holdout=st.integers(0, 999).map(lambda permille: Fraction(permille, 1000)),
)
uses = st.builds(
    Use,
    input_tokens=amounts,
    output_tokens=amounts,
    base_input_tokens=st.none() | amounts,
    cached=shares,
    retry_overhead=shares,
    growth=shares,
    batch=st.booleans(),
)


def owned(price: Price | None, training: Training, use: Use, over: Horizon) -> Ownership:
    return own("m", "m", price=price, price_list="openai", training=training, use=use, horizon=over)


def known(amount: Usd | None) -> int:
    assert amount is not None
    return amount.nano


def month_by_hand(of: InferencePrice, use: Use, input_tokens: int, nth: int, days: Fraction) -> int:
    """Return the nano-dollars of the month `nth` (from 0): billed, then raised, then cut by days."""
    assert of.input is not None
    assert of.cached_input is not None
    assert of.output is not None
    fresh = Fraction(input_tokens) - input_tokens * use.cached
    exact = fresh * of.input.nano + input_tokens * use.cached * of.cached_input.nano
    exact = (exact + use.output_tokens * of.output.nano) / 10**6
    exact += exact * use.retry_overhead
    for _ in range(nth):
        exact += exact * use.growth
    return round(exact * days)


def days_by_hand(start: date, months: int, end: date) -> list[Fraction]:
    """Return the share of each month before `end`, counting its days one by one."""
    found = []
    first = start
    for nth in range(1, months + 1):
        year, month = start.year + (start.month - 1 + nth) // 12, (start.month - 1 + nth) % 12 + 1
        next_first = next(
            date(year, month, day) for day in range(start.day, 0, -1) if day <= 28 or exists(year, month, day)
        )
        days = [first + timedelta(days=day) for day in range((next_first - first).days)]
        found.append(Fraction(sum(day < end for day in days), len(days)))
        first = next_first
    return [share for share in found if share]


def exists(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


@given(prices, trainings, uses, spans, st.none() | st.integers(-10, 1000))
def test_the_total_is_training_and_every_month_done_by_hand(
    price: Price, training: Training, use: Use, span: tuple[date, int], gone_after_days: int | None
) -> None:
    start, months = span
    gone = None if gone_after_days is None else start + timedelta(days=gone_after_days)
    found = owned(price, training, use, horizon(start, months, shutdown_date=gone))
    tuned, base = (price.tuned_batch, price.base_batch) if use.batch else (price.tuned, price.base)
    shares = days_by_hand(start, months, gone or date.max)
    assert price.training_usd_per_1m is not None
    trained = round(training.dataset_tokens.expected * (1 - training.holdout)) * training.epochs
    cost = round(Fraction(trained * price.training_usd_per_1m.nano, 10**6))
    assert known(found.training_cost) == cost

    by_hand = [
        [month_by_hand(of, use, tokens, nth, share) for nth, share in enumerate(shares)]
        for of, tokens in ((tuned, use.input_tokens), (base, use.input_tokens), (base, use.base_input_tokens or 0))
    ]
    assert known(found.total) == cost + sum(by_hand[0])
    assert known(found.base_total) == sum(by_hand[1])
    if use.base_input_tokens is None:
        assert found.base_longer_prompt_total is None
    else:
        assert known(found.base_longer_prompt_total) == sum(by_hand[2])
    assert len(found.cumulative) == len(shares)
    for nth, paid in enumerate(found.cumulative):
        assert known(paid.fine_tuned) == cost + sum(by_hand[0][: nth + 1])
        assert known(paid.base) == sum(by_hand[1][: nth + 1])

    measured = by_hand[1] if use.base_input_tokens is None else by_hand[2]
    even = [n + 1 for n in range(len(shares)) if cost + sum(by_hand[0][: n + 1]) <= sum(measured[: n + 1])]
    assert found.break_even_month == (even[0] if even else None)


@given(prices, trainings, uses, spans, st.tuples(st.integers(0, 10**9), st.integers(0, 5), st.integers(0, 12)))
def test_more_tokens_epochs_or_months_never_cost_less(
    price: Price, training: Training, use: Use, span: tuple[date, int], more: tuple[int, int, int]
) -> None:
    (start, months), (tokens, epochs, longer) = span, more
    over = horizon(start, months)
    cost = known(owned(price, training, use, over).total)
    bigger = replace(training, dataset_tokens=Range.exactly(training.dataset_tokens.expected + tokens))
    assert known(owned(price, bigger, use, over).total) >= cost
    oftener = replace(training, epochs=training.epochs + epochs)
    assert known(owned(price, oftener, use, over).total) >= cost
    for name in ("input_tokens", "output_tokens"):
        heavier = replace(use, **{name: getattr(use, name) + tokens})
        assert known(owned(price, training, heavier, over).total) >= cost
    assert known(owned(price, training, use, horizon(start, months + longer)).total) >= cost


@given(prices, trainings, uses, spans, st.integers(0, 2000))
def test_a_shutdown_never_makes_it_dearer(
    price: Price, training: Training, use: Use, span: tuple[date, int], days: int
) -> None:
    start, months = span
    whole = owned(price, training, use, horizon(start, months))
    gone = start + timedelta(days=days)
    capped = owned(price, training, use, horizon(start, months, shutdown_date=gone))
    assert known(capped.total) <= known(whole.total)
    assert known(capped.base_total) <= known(whole.base_total)
    assert capped.horizon.capped_by_shutdown is (gone < whole.horizon.end)
    if capped.usd_per_remaining_day is not None:
        assert abs(known(capped.usd_per_remaining_day) * days - known(capped.total)) * 2 <= days


@given(prices, trainings, uses, spans)
def test_none_held_out_none_cached_no_retries_and_no_growth_change_nothing(
    price: Price, training: Training, use: Use, span: tuple[date, int]
) -> None:
    plain = Use(use.input_tokens, use.output_tokens, batch=use.batch)
    spelled = replace(plain, cached=Fraction(0), retry_overhead=Fraction(0), growth=Fraction(0))
    whole = Training(training.dataset_tokens, training.epochs, "pinned", training.examples)
    over = horizon(*span)
    assert owned(price, replace(whole, holdout=Fraction(0)), spelled, over) == owned(price, whole, plain, over)
    assert whole.training_tokens == training.dataset_tokens.expected * training.epochs
    assert whole.trained_examples == training.examples
    uncached = replace(price, tuned=replace(price.tuned, cached_input=None), base=replace(price.base, output=None))
    if not use.batch:
        assert owned(uncached, whole, plain, over).total == owned(price, whole, plain, over).total


@given(starts, month_counts, st.none() | st.integers(-100, 4000))
def test_months_are_half_open_touch_and_fill_the_horizon(start: date, months: int, days: int | None) -> None:
    gone = None if days is None else start + timedelta(days=days)
    over = horizon(start, months, shutdown_date=gone)
    bounds = [start, *(month.end for month in over.months)]
    assert [month.start for month in over.months] == bounds[:-1]
    assert bounds[-1] == over.end
    assert all(month.start < month.end and 0 < month.share <= 1 for month in over.months)
    assert [month.number for month in over.months] == list(range(1, len(over.months) + 1))
    assert all(month.share == 1 for month in over.months[:-1])
    if not over.capped_by_shutdown:
        assert len(over.months) == months
        assert over.end.replace(day=1) == date(
            start.year + (start.month - 1 + months) // 12, (start.month - 1 + months) % 12 + 1, 1
        )
    else:
        assert gone is not None
        assert over.end == max(gone, start)


@given(
    prices,
    trainings,
    uses,
    spans,
    st.sampled_from(["training_usd_per_1m", "input", "cached_input", "output"]),
)
def test_an_unknown_price_is_unknown_exactly_where_it_is_needed(
    price: Price, training: Training, use: Use, span: tuple[date, int], gone: str
) -> None:
    if gone == "training_usd_per_1m":
        lacking, needed = replace(price, training_usd_per_1m=None), True
    else:
        tuned = "tuned_batch" if use.batch else "tuned"
        lacking = replace(price, **{tuned: replace(getattr(price, tuned), **{gone: None})})
        needed = {
            "input": use.input_tokens > 0 and use.cached < 1,
            "cached_input": use.input_tokens > 0 and use.cached > 0,
            "output": use.output_tokens > 0,
        }[gone]
    over = horizon(*span)
    found, whole = owned(lacking, training, use, over), owned(price, training, use, over)
    assert (found.total is None) is needed
    assert bool(found.missing) is needed
    assert found.total in {None, whole.total}
    assert found.base_total == whole.base_total
