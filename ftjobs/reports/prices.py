"""Prices: what each list says of a model, which one applies on a day, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, assert_never

from ftjobs.money import Usd, UsdPer1M
from ftjobs.pricing.comparison import USES, Listed, ModelPrices, Standing, disagreement, disagreements, inference
from ftjobs.pricing.prices import USER_LIST, InferencePrice, Price
from ftjobs.pricing.remarks import about_age, about_foreign_list, about_illustration
from ftjobs.reports.envelope import clean, envelope
from ftjobs.reports.numbers import UNKNOWN
from ftjobs.reports.table import Column, table

_KEYS = dict(zip(USES, ("", "batch_", "base_", "base_batch_"), strict=True))
_TITLES = dict(zip(USES, ("TUNED", "TUNED, BATCH", "BASE", "BASE, BATCH"), strict=True))
_UNITS = "USD per 1M tokens (/h: per hour); tuned and base: input (cached input) / output"


@dataclass(frozen=True, slots=True)
class PriceSheet:
    """The prices of `models` on the day `on`, for a profile that uses `price_list` beside the user's own.

    `is_of_one` says that one model was asked for: then every amount is told. `unpriced` are models that no list
    prices. `list_is_foreign` says that the bundled lists are of another service than the profile's.
    """

    on: date
    profile: str
    price_list: str
    models: tuple[ModelPrices, ...]
    is_of_one: bool
    unpriced: tuple[str, ...]
    list_is_foreign: bool

    @property
    def listed(self) -> list[Listed]:
        """Every price, model by model."""
        return [each for model in self.models for each in model.listed]

    @property
    def applied(self) -> list[Price]:
        """The prices that apply, at most one a model."""
        return [model.applied for model in self.models if model.applied is not None]


def prices_json(sheet: PriceSheet, *, sandbox: bool) -> dict[str, Any]:
    """Return `ftjobs.prices/1`; an amount or a day that is unknown is null."""
    return envelope(
        "prices",
        sandbox=sandbox,
        on=sheet.on,
        profile=sheet.profile,
        price_list=sheet.price_list,
        prices=[_price_json(each, model) for model in sheet.models for each in model.listed],
        warnings=_warnings(sheet),
    )


def _price_json(listed: Listed, model: ModelPrices) -> dict[str, Any]:
    price = listed.price
    of_use = {
        f"{prefix}{amount}_usd_per_1m": getattr(inference(price, use), amount)
        for use, prefix in _KEYS.items()
        for amount in ("input", "cached_input", "output")
    }
    return {
        "model": price.model,
        "list": price.price_list,
        "applies": price is model.applied,
        "standing": listed.standing.value,
        "training_usd_per_1m": price.training_usd_per_1m,
        "training_usd_per_hour": price.training_usd_per_hour,
        **of_use,
        "hosting_usd_per_hour": price.hosting_usd_per_hour,
        "hosting_applies": price is model.hosting,
        "effective_from": price.effective_from,
        "read_on": price.read_on,
        "source": price.source,
        "base_source": price.base_source,
        "profile": price.profile,
        "illustrative": price.illustrative,
    }


def prices_text(sheet: PriceSheet, *, width: int | None) -> str:
    """Return the day, the prices in a table, why one applies where one model was asked for, sources, notes.

    Within `width` cells as far as columns may give way, None unbounded.
    """
    where = f"on {sheet.on}, profile {clean(sheet.profile)}, price list {clean(sheet.price_list)}"
    lines = [f"{clean(sheet.models[0].model) if sheet.is_of_one else 'Prices'} {where}"]
    if sheet.listed and sheet.is_of_one:
        reasons = [
            f"{_called(each.price)} {_reason(each, model, sheet)}"
            for model in sheet.models
            for each in model.listed
        ]
        reasons += [
            f"the hosting of {_called(each.price)} applies all the same: no later table names one"
            for model in sheet.models
            for each in model.listed
            if each.price is model.hosting and each.standing is not Standing.APPLIES
        ]
        lines += [_amounts_table(sheet, width), _UNITS, "", *_unique(reasons)]
    elif sheet.listed:
        lines += [_overview(sheet, width), _UNITS, "`ftjobs prices MODEL` shows every amount of one, and why"]
    sources = _unique([line for each in sheet.listed for line in _source_lines(each.price)])
    notes = [f"note: {clean(warning)}" for warning in _warnings(sheet)]
    return "\n".join([*lines, *([""] if sources or notes else []), *sources, *notes])


def _overview(sheet: PriceSheet, width: int | None) -> str:
    prices = [each.price for each in sheet.listed]
    columns = [Column("MODEL"), Column("LIST"), Column("APPLIES"), Column("TRAINING", right=True)]
    rows = [[p.price.model, p.price.price_list, _applies(p.standing), _training(p.price)] for p in sheet.listed]
    extra = [
        (Column("FROM", gives_way=1), [_day(price.effective_from) for price in prices]),
        (Column("PROFILE", gives_way=2), [price.profile or "" for price in prices]),
        *(
            (
                Column(_TITLES[use], gives_way=place),
                ["" if price.is_only_hosting else _inference(inference(price, use)) for price in prices],
            )
            for use, place in zip(USES, (3, 5, 4, 6), strict=True)
        ),
        (Column("HOSTING", right=True, gives_way=7), [_per_hour(price.hosting_usd_per_hour) for price in prices]),
    ]
    told = [(column, cells) for column, cells in extra if any(cell not in ("", UNKNOWN) for cell in cells)]
    return table(
        [*columns, *(column for column, _ in told)],
        [[*row, *(cells[nth] for _, cells in told)] for nth, row in enumerate(rows)],
        width=width,
    )


def _amounts_table(sheet: PriceSheet, width: int | None) -> str:
    is_dated = any(each.price.effective_from for each in sheet.listed)
    is_bound = any(each.price.profile for each in sheet.listed)
    columns = [
        Column("LIST"),
        Column("APPLIES"),
        Column("FOR"),
        Column("USD/1M"),
        *([Column("FROM", gives_way=1)] if is_dated else []),
        *([Column("PROFILE", gives_way=2)] if is_bound else []),
    ]
    rows = [
        [
            listed.price.price_list,
            applies,
            what,
            amount,
            *([_day(listed.price.effective_from)] if is_dated else []),
            *([listed.price.profile or ""] if is_bound else []),
        ]
        for model in sheet.models
        for listed in model.listed
        for what, amount, applies in _amounts(listed, model)
    ]
    return table(columns, rows, width=width)


def _amounts(listed: Listed, model: ModelPrices) -> Iterator[tuple[str, str, str]]:
    """Yield what each amount is for, the amount, and whether it applies."""
    price, applies = listed.price, _applies(listed.standing)
    if not price.is_only_hosting:
        yield "training", _training(price), applies
        for use, title in _TITLES.items():
            yield title.lower(), _inference(inference(price, use)), applies
    if price.hosting_usd_per_hour is not None:
        here = "yes" if price is model.hosting else "no" if listed.standing is Standing.APPLIES else applies
        yield "hosting", _per_hour(price.hosting_usd_per_hour), here


def _training(price: Price) -> str:
    if price.is_only_hosting:
        return ""
    said = [] if price.training_usd_per_1m is None else [price.training_usd_per_1m.plain()]
    said += [] if price.training_usd_per_hour is None else [_per_hour(price.training_usd_per_hour)]
    return ", ".join(said) or UNKNOWN


def _per_hour(usd: Usd | None) -> str:
    return "" if usd is None else f"{usd.plain()}/h"


def _inference(rates: InferencePrice) -> str:
    if rates == InferencePrice(None, None, None):
        return UNKNOWN
    return f"{_rate(rates.input)} ({_rate(rates.cached_input)}) / {_rate(rates.output)}"


def _rate(rate: UsdPer1M | None) -> str:
    return UNKNOWN if rate is None else rate.plain()


def _day(day: date | None) -> str:
    return "" if day is None else day.isoformat()


def _applies(standing: Standing) -> str:
    match standing:
        case Standing.APPLIES:
            return "yes"
        case Standing.NOT_YET:
            return "not yet"
        case Standing.NO_LONGER:
            return "no longer"
        case Standing.OTHER_LIST | Standing.OVERRULED | Standing.OTHER_PROFILE:
            return "no"
    assert_never(standing)


def _called(price: Price) -> str:
    bound = f" for profile {clean(price.profile)}" if price.profile else ""
    since = f" from {price.effective_from}" if price.effective_from else ""
    return f"{clean(price.price_list)}{' (hosting)' if price.is_only_hosting else ''}{bound}{since}"


def _reason(listed: Listed, of: ModelPrices, sheet: PriceSheet) -> str:
    """Return the rest of a sentence that starts with the price's list."""
    match listed.standing:
        case Standing.APPLIES:
            return f"applies: {', '.join(_why(listed.price, of, sheet))}"
        case Standing.OTHER_LIST:
            beaten = of.applied is not None and listed.price.price_list == sheet.price_list
            in_use = f"the price list in use is {clean(sheet.price_list)}"
            return f"does not apply: {'a price of your own comes first' if beaten else in_use}"
        case Standing.OVERRULED:
            by = of.hosting if listed.price.is_only_hosting else of.in_force[listed.price.price_list]
            is_bound = by is not None and by.profile is not None and listed.price.profile is None
            return f"does not apply: {'one for the profile comes first' if is_bound else 'a nearer table says so'}"
        case Standing.OTHER_PROFILE:
            return f"does not apply: this is profile {clean(sheet.profile)}"
        case Standing.NOT_YET:
            return "is not yet in force"
        case Standing.NO_LONGER:
            return "is no longer in force: a later one follows"
    assert_never(listed.standing)


def _why(price: Price, of: ModelPrices, sheet: PriceSheet) -> Iterator[str]:
    if price.is_only_hosting:
        yield "no price list says what hosting costs"
        return
    if price.price_list != USER_LIST:
        but = " but for hosting" if of.hosting else ""
        yield f"it is the price list in use, and no price of your own is in force{but}"
        return
    yield "a price of your own comes before every price list"
    if price.profile is not None:
        yield "one for the profile before one for all"
    past = [each.price for each in of.listed if each.standing is Standing.NO_LONGER]
    if any((each.price_list, each.profile) == (USER_LIST, price.profile) for each in past):
        yield "the latest first day counts"


def _source_lines(price: Price) -> Iterator[str]:
    read = f", read {price.read_on}" if price.read_on else ""
    since = f", from {price.effective_from}" if price.effective_from else ""
    yield f"price list {clean(price.price_list)}{since}{read}: {clean(price.source)}"
    if price.base_source:
        yield f"base models in price list {clean(price.price_list)}: {clean(price.base_source)}"


def _warnings(sheet: PriceSheet) -> list[str]:
    return _unique(
        [
            *_about_nothing(sheet),
            *(line for each in sheet.listed for line in _about_age(each.price, sheet.on)),
            *(line for price in sheet.applied for line in _about_use(price, sheet)),
            *(line for model in sheet.models for line in _about_differences(model, sheet)),
        ]
    )


def _about_nothing(sheet: PriceSheet) -> Iterator[str]:
    idle = [model.model for model in sheet.models if model.applied is None and model.listed]
    if idle:
        named = "" if sheet.price_list == USER_LIST else f"neither the price list {sheet.price_list} nor a"
        yield (
            f"No price applies to {', '.join(idle)}: on {sheet.on} {named or 'no'} [[price]] table of your own"
            f" has one in force for profile {sheet.profile}."
        )
    if sheet.unpriced:
        yield f"No price is known for {', '.join(sheet.unpriced)}: add a [[price]] table."


def _about_age(price: Price, on: date) -> Iterator[str]:
    if said := about_age(price, on):
        yield said
    age_days = price.days_since_read(on)
    if age_days is not None and age_days < 0 and price.effective_from is None:
        yield (
            f"The price list {price.price_list} was read on {price.read_on} and names no first day: that its"
            f" prices held on {on} is an assumption."
        )


def _about_use(price: Price, sheet: PriceSheet) -> Iterator[str]:
    yield from filter(
        None, (about_illustration(price), about_foreign_list(price, is_foreign=sheet.list_is_foreign))
    )


def _about_differences(model: ModelPrices, sheet: PriceSheet) -> Iterator[str]:
    if model.applied is None:
        return
    if sheet.is_of_one:
        yield from disagreements(model.applied, model.in_force)
    elif sentence := disagreement(model.applied, model.in_force):
        yield sentence


def _unique(lines: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(lines))
