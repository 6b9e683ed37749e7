"""Models to own in tests: prices that are easy to multiply by, and a month to multiply them with."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from ftjobs.money import UsdPer1M
from ftjobs.pricing.horizon import horizon
from ftjobs.pricing.ownership import Ownership, Training, Use, own
from ftjobs.pricing.prices import InferencePrice, Price
from ftjobs.ranges import Range

START = date(2026, 11, 24)
MODEL = "m-2026-01-01"


def rates(input_: str | None, cached: str | None, output: str | None) -> InferencePrice:
    """Return a price of inference from decimal strings, None unknown."""
    return InferencePrice(*(None if rate is None else UsdPer1M.parse(rate) for rate in (input_, cached, output)))


PRICE = Price(
    model=MODEL,
    price_list="openai",
    training_usd_per_1m=UsdPer1M.parse("10"),
    training_usd_per_hour=None,
    tuned=rates("4", "1", "8"),
    tuned_batch=rates("2", "0.5", "4"),
    base=rates("2", "0.5", "4"),
    base_batch=rates("1", "0.25", "2"),
    effective_from=None,
    profile=None,
    source="a page",
    read_on=START,
)
TRAINING = Training(Range.exactly(1_000_000), 1, "pinned", examples=500)
USE = Use(1_000_000, 1_000_000)


def owned(
    *,
    price: Price | None = PRICE,
    months: int = 12,
    shutdown: date | None = None,
    start: date = START,
    **more: Any,
) -> Ownership:
    """Return what `m` costs: $10 of training, then $12 a month against $6, except for what is said."""
    use = replace(USE, **{key: more.pop(key) for key in list(more) if key in Use.__dataclass_fields__})
    training = replace(
        TRAINING, **{key: more.pop(key) for key in list(more) if key in Training.__dataclass_fields__}
    )
    return own(
        "m",
        MODEL,
        price=price,
        price_list="openai",
        training=training,
        use=use,
        horizon=horizon(start, months, shutdown_date=shutdown),
        **{"shutdown_date": shutdown, **more},
    )


def saving(**more: Any) -> Ownership:
    """Return the same where the base model needs a prompt of 9 million tokens: $10, then $12 against $22."""
    return owned(**{"base_input_tokens": 9_000_000, **more})
