"""Whatever the tables say: one price applies at most, it is the one that estimates use, and none is lost."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from ftjobs.config import RawTable
from ftjobs.money import UsdPer1M
from ftjobs.pricing.comparison import Standing, compare, disagreement
from ftjobs.pricing.prices import PriceBook, load_prices

MODEL = "gpt-4o-mini-2024-07-18"
ON = date(2027, 6, 1)

profiles = st.sampled_from([None, "here", "there"])
days = st.sampled_from([None, date(2026, 1, 1), date(2027, 5, 31), ON, date(2027, 6, 2), date(2030, 1, 1)])
rates = st.integers(0, 10**13).map(UsdPer1M)
tables = st.lists(st.tuples(profiles, days, rates), max_size=8)


def book(rows: list[tuple[str | None, date | None, UsdPer1M]]) -> PriceBook:
    return load_prices(
        [
            RawTable(
                {"model": MODEL, "training_usd_per_1m": rate.plain()}
                | ({} if profile is None else {"profile": profile})
                | ({} if first_day is None else {"effective_from": first_day}),
                f"price {number}",
            )
            for number, (profile, first_day, rate) in enumerate(rows)
        ]
    )


@given(tables, st.sampled_from(["openai", "guide-2026", "user"]))
def test_every_price_is_listed_once_and_stands_as_its_own_days_say(
    rows: list[tuple[str | None, date | None, UsdPer1M]], price_list: str
) -> None:
    prices = book(rows)
    (found,) = compare([MODEL], prices, profile="here", on=ON, price_list=price_list)
    own = [price for price in prices.prices if price.model == MODEL]
    assert Counter(id(each.price) for each in found.listed) == Counter(map(id, own))
    applying = [each.price for each in found.listed if each.standing is Standing.APPLIES]
    expected = prices.find(MODEL, profile="here", on=ON, price_list=price_list)
    assert applying == ([] if expected is None else [expected])
    for each in found.listed:
        is_elsewhere = each.price.profile == "there"
        assert (each.standing is Standing.OTHER_PROFILE) == is_elsewhere
        is_future = each.price.effective_from is not None and each.price.effective_from > ON
        assert (each.standing is Standing.NOT_YET) == (is_future and not is_elsewhere)


@given(tables)
def test_a_price_that_is_no_longer_in_force_was_in_force_on_its_first_day(
    rows: list[tuple[str | None, date | None, UsdPer1M]],
) -> None:
    (found,) = compare([MODEL], book(rows), profile="here", on=ON, price_list="user")
    for each in found.listed:
        if each.standing is Standing.NO_LONGER:
            first_day = each.price.effective_from or date.min
            (then,) = compare([MODEL], book(rows), profile="here", on=first_day, price_list="user")
            of_day = [other for other in then.listed if other.price == each.price]
            assert {other.standing for other in of_day} <= {Standing.APPLIES, Standing.OVERRULED}


@given(st.lists(st.one_of(st.none(), st.integers(0, 3)), min_size=1, max_size=4))
def test_lists_disagree_exactly_where_two_amounts_differ_in_whatever_order(said: list[int | None]) -> None:
    (blank,) = load_prices([RawTable({"model": "m", "input_usd_per_1m": "1"}, "t")]).prices[-1:]
    lists = {
        f"list-{place}": replace(
            blank,
            price_list=f"list-{place}",
            training_usd_per_1m=None if dollars is None else UsdPer1M.parse(str(dollars)),
        )
        for place, dollars in enumerate(said)
    }
    differs = len({dollars for dollars in said if dollars is not None}) > 1
    for order in permutations(lists):
        sentence = disagreement(lists[order[0]], {name: lists[name] for name in order[1:]})
        assert (sentence is not None) == differs
        for place, dollars in enumerate(said):
            assert sentence is None or (f"list-{place}" in sentence) == (dollars is not None)
