"""How the prices of a model stand to each other on a day, and in what the price lists differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from ftjobs.errors import UsageError, nearest
from ftjobs.models.catalog import Catalog
from ftjobs.models.names import resolve
from ftjobs.money import UsdPer1M
from ftjobs.pricing.prices import USER_LIST, InferencePrice, Price, PriceBook

USES = ("tuned model", "tuned model in batches", "base model", "base model in batches")


class Standing(StrEnum):
    """What a price is on a day; in the order in which people want to read them."""

    APPLIES = "applies"
    OTHER_LIST = "other_list"  # its list says so, but another list is used
    OVERRULED = "overruled"  # its list has one for the profile, or a nearer table
    OTHER_PROFILE = "other_profile"
    NOT_YET = "not_yet"
    NO_LONGER = "no_longer"


@dataclass(frozen=True, slots=True)
class Listed:
    """A price and how it stands."""

    price: Price
    standing: Standing


@dataclass(frozen=True, slots=True)
class ModelPrices:
    """Every price of one model: `listed` in the order of Standing, `applied` None where none applies.

    `in_force` is what each list alone says on the day. `hosting` is the price whose hosting applies, found by
    itself; a table that says nothing else stands as it does there.
    """

    model: str
    applied: Price | None
    in_force: Mapping[str, Price]
    listed: tuple[Listed, ...]
    hosting: Price | None = None


def disagreement(applied: Price, others: Mapping[str, Price]) -> str | None:
    """Return a sentence that names each list's training price, None where all that name one agree.

    `others` are prices of the same model by list; the applied price's own list may be among them. An amount
    that a list leaves open agrees with every other.
    """
    return _disagreement("training", applied.model, {who: _training(price) for who, price in _by(applied, others)})


def disagreements(applied: Price, others: Mapping[str, Price]) -> Iterator[str]:
    """Yield such a sentence for every amount in which the lists differ, training first."""
    lists = _by(applied, others)
    amounts = {"training": {who: _training(price) for who, price in lists}}
    for use in USES:
        for amount in ("input", "cached_input", "output"):
            what = f"{amount.replace('_', ' ')} of the {use}"
            amounts[what] = {who: _per_1m(getattr(inference(price, use), amount)) for who, price in lists}
    for what, said in amounts.items():
        if sentence := _disagreement(what, applied.model, said):
            yield sentence


def inference(price: Price, use: str) -> InferencePrice:
    """Return the price of one of USES."""
    return dict(zip(USES, (price.tuned, price.tuned_batch, price.base, price.base_batch), strict=True))[use]


def _by(applied: Price, others: Mapping[str, Price]) -> list[tuple[str, Price]]:
    named = {applied.price_list: applied} | {k: price for k, price in others.items() if k != applied.price_list}
    return [(f"{name}{' (illustrative)' if price.illustrative else ''}", price) for name, price in named.items()]


def _training(price: Price) -> str:
    per_hour = price.training_usd_per_hour
    said = [_per_1m(price.training_usd_per_1m), "" if per_hour is None else f"${per_hour.plain()}/h"]
    return " and ".join(filter(None, said))


def _per_1m(rate: UsdPer1M | None) -> str:
    return "" if rate is None else f"${rate.plain()}/1M"


def _disagreement(what: str, model: str, said: Mapping[str, str]) -> str | None:
    by_amount: dict[str, list[str]] = {}
    for who, amount in said.items():
        if amount:
            by_amount.setdefault(amount, []).append(who)
    if len(by_amount) < 2:
        return None
    each = ", ".join(f"{amount} by {' and '.join(who)}" for amount, who in by_amount.items())
    return f"Price lists disagree on {model}: {what} is {each}."


def compare(
    models: Sequence[str], book: PriceBook, *, profile: str, on: date, price_list: str
) -> tuple[ModelPrices, ...]:
    """Return how every price of these models stands on the day `on`, with `price_list` named beside the user's.

    Raises ConfigError `unknown_price_list`.
    """
    return tuple(_of_model(model, book, profile=profile, on=on, price_list=price_list) for model in models)


def _of_model(model: str, book: PriceBook, *, profile: str, on: date, price_list: str) -> ModelPrices:
    applied = book.find(model, profile=profile, on=on, price_list=price_list)
    in_force = book.by_list(model, profile=profile, on=on)
    hosting = book.find_hosting(model, profile=profile, on=on)
    own = [price for price in book.prices if price.model == model]
    usual = [price for price in own if not price.is_only_hosting]
    hosts = [price for price in own if price.hosting_usd_per_hour is not None]
    order = list(Standing)
    listed = [
        Listed(
            price,
            _standing(price, hosts, hosting, {USER_LIST: hosting}, profile=profile, on=on)
            if price.is_only_hosting
            else _standing(price, usual, applied, in_force, profile=profile, on=on),
        )
        for price in own
    ]
    in_order = tuple(sorted(listed, key=lambda each: order.index(each.standing)))
    return ModelPrices(model, applied, in_force, in_order, hosting)


def _standing(
    price: Price,
    own: Sequence[Price],
    applied: Price | None,
    in_force: Mapping[str, Price | None],
    *,
    profile: str,
    on: date,
) -> Standing:
    if price.profile not in (None, profile):
        return Standing.OTHER_PROFILE
    if price.effective_from is not None and price.effective_from > on:
        return Standing.NOT_YET
    if price is applied:
        return Standing.APPLIES
    if price is in_force[price.price_list]:
        return Standing.OTHER_LIST
    has_successor = any(
        (other.price_list, other.profile) == (price.price_list, price.profile)
        and (price.effective_from or date.min) < (other.effective_from or date.min) <= on
        for other in own
    )
    return Standing.NO_LONGER if has_successor else Standing.OVERRULED


def priced_models(book: PriceBook) -> tuple[str, ...]:
    """Return every model that a list names, in the lists' order."""
    return tuple(dict.fromkeys(price.model for price in book.prices))


def priced_model(asked: str, book: PriceBook, catalog: Catalog) -> str:
    """Return the name under which prices of the model are found: its snapshot, or what a price list calls it.

    A fine-tuned model ("ft:…") has its base model's prices. Raises UsageError `unknown_model` with the nearest
    name.
    """
    priced = priced_models(book)
    base = _tuned_from(asked) or asked
    try:
        return resolve(asked, catalog).base.name
    except UsageError as unknown:
        for name in (asked, base):
            if name in priced:
                return name
        names = [*priced, *(name for model in catalog.models for name in (model.name, *model.aliases))]
        guess = nearest(base, names)
        raise UsageError(
            "unknown_model",
            f"Neither a price list nor the catalog has a model called {asked!r}.",
            next_step=f"Did you mean {guess}?" if guess else "`ftjobs prices` lists every model that has a price.",
            model=asked,
        ) from unknown


def _tuned_from(name: str) -> str | None:
    prefix, _, rest = name.partition(":")
    base, _, suffix = rest.partition(":")
    return base if prefix == "ft" and suffix.strip() else None
