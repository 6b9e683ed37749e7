"""Which price holds for a model, a profile and a day: the user's tables before the bundled lists."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import date, datetime
from importlib.resources import files

from ftjobs.config import RawTable
from ftjobs.errors import ConfigError, nearest
from ftjobs.models.catalog import load_catalog
from ftjobs.money import Usd, UsdPer1M

USER_LIST = "user"
_TOO_DEAR = Usd.parse("10000")  # a slip of the decimal point; also keeps any cost within the ledger's integers
_HOSTING = "hosting_usd_per_hour"
_INFERENCE = ("", "batch_", "base_", "base_batch_")
_AMOUNTS = (
    "training_usd_per_1m",
    "training_usd_per_hour",
    *(f"{of}{kind}_usd_per_1m" for of in _INFERENCE for kind in ("input", "cached_input", "output")),
    _HOSTING,
)
_KEYS = ("model", *_AMOUNTS, "effective_from", "profile", "source", "base_source")
OLD_DAYS = 180  # a list that nobody compared with its page for so long is said to be old


@dataclass(frozen=True, slots=True)
class InferencePrice:
    """What using a model costs, in USD per 1M tokens; None is an amount that is unknown."""

    input: UsdPer1M | None
    cached_input: UsdPer1M | None
    output: UsdPer1M | None


@dataclass(frozen=True, slots=True)
class Price:
    """What one model costs by one price list; None is an amount or a day that is unknown.

    `tuned` is inference on a model that was fine-tuned from it, `base` inference on the model itself; each has its
    price in batches. `base_source` says where the latter two are from, None where `source` covers them.
    `effective_from` is the first day, inclusive; `profile` None means every profile. An `illustrative` price
    is for comparison and must not gate spending. `hosting_usd_per_hour` is what a deployment of the tuned model
    costs while it stands.
    """

    model: str
    price_list: str
    training_usd_per_1m: UsdPer1M | None
    training_usd_per_hour: Usd | None
    tuned: InferencePrice
    tuned_batch: InferencePrice
    base: InferencePrice
    base_batch: InferencePrice
    effective_from: date | None
    profile: str | None
    source: str
    read_on: date | None
    illustrative: bool = False
    base_source: str | None = None
    hosting_usd_per_hour: Usd | None = None

    @property
    def is_only_hosting(self) -> bool:
        """True where it says nothing of training and use, so that it takes no other price's place there."""
        rates = (self.tuned, self.tuned_batch, self.base, self.base_batch)
        return (
            self.hosting_usd_per_hour is not None
            and self.training_usd_per_1m is None
            and self.training_usd_per_hour is None
            and set(rates) == {InferencePrice(None, None, None)}
        )

    def days_since_read(self, on: date) -> int | None:
        """Return how old the reading is on the day `on`, None for a price of the user's own."""
        return None if self.read_on is None else (on - self.read_on).days


@dataclass(frozen=True, slots=True)
class PriceBook:
    """Every known price: the bundled lists, then the user's tables, the nearest last.

    The bundled lists are not about the profiles `own_only`. Trained tokens make no bill on the profiles `manual`.
    """

    prices: tuple[Price, ...]
    own_only: frozenset[str] = frozenset()
    manual: frozenset[str] = frozenset()

    @property
    def price_lists(self) -> tuple[str, ...]:
        """The names that `find` takes: the bundled lists in their order, then the user's."""
        return tuple(dict.fromkeys([*(price.price_list for price in self.prices), USER_LIST]))

    def find(self, model: str, *, profile: str, on: date, price_list: str = "openai") -> Price | None:
        """Return the price of the snapshot `model` in force on the day `on`, or None where none is known.

        A price of the user's beats the named list; one that names the profile beats one for all; then the
        latest first day wins, then the nearer table. What a user's table leaves out is unknown; one that says
        nothing but hosting is no price here.
        Raises ConfigError `unknown_price_list`.
        """
        if price_list not in self.price_lists:
            guess = nearest(price_list, self.price_lists)
            raise ConfigError(
                "unknown_price_list",
                f"There is no price list {price_list!r}.",
                next_step=f"Did you mean {guess}?" if guess else f"Use one of {', '.join(self.price_lists)}.",
                price_list=price_list,
            )
        return self._in_force(model, profile, on, {USER_LIST, price_list})

    def find_hosting(self, model: str, *, profile: str, on: date) -> Price | None:
        """Return the price of the user's that says what an hour of hosting costs on that day, None without one.

        As `find`, among the tables that name it: no bundled list does.
        """
        return self._in_force(model, profile, on, {USER_LIST}, hosting=True)

    def by_list(self, model: str, *, profile: str, on: date) -> Mapping[str, Price]:
        """Return what each list alone says of the model on that day; lists that are silent are left out."""
        found = {name: self._in_force(model, profile, on, {name}) for name in self.price_lists}
        return {name: price for name, price in found.items() if price is not None}

    def _in_force(
        self, model: str, profile: str, on: date, lists: Set[str], *, hosting: bool = False
    ) -> Price | None:
        held = [
            price
            for price in reversed(self.prices)  # max() keeps the first of equals: the nearer table
            if price.model == model
            and price.price_list in lists
            and (price.price_list == USER_LIST or profile not in self.own_only)
            and price.profile in (None, profile)
            and (price.effective_from is None or price.effective_from <= on)
            and (price.hosting_usd_per_hour is not None if hosting else not price.is_only_hosting)
        ]
        return max(held, key=_rank, default=None)


def load_prices(user_tables: Sequence[RawTable]) -> PriceBook:
    """Return the bundled lists together with the user's [[price]] tables, of which a later one is nearer.

    Raises ConfigError `price_invalid` naming the table's origin and the key.
    """
    lists = tomllib.loads(files("ftjobs.pricing").joinpath("prices.toml").read_text("utf-8"))["list"]
    bundled = [
        _price(
            RawTable(row | {"source": each["source"]}, f"prices.toml, {each['name']}, price {number}"),
            price_list=each["name"],
            read_on=each["read_on"],
            illustrative=each.get("illustrative", False),
        )
        for each in lists
        for number, row in enumerate(each["price"], start=1)
    ]
    return PriceBook((*bundled, *(_price(table, price_list=USER_LIST) for table in user_tables)))


def _rank(price: Price) -> tuple[bool, bool, date]:
    return price.price_list == USER_LIST, price.profile is not None, price.effective_from or date.min


def _price(table: RawTable, *, price_list: str, read_on: date | None = None, illustrative: bool = False) -> Price:
    for key in table.values:
        if key not in _KEYS:
            guess = nearest(key, _KEYS)
            raise _invalid(table, key, "is no key of a price", f"Did you mean {guess}?" if guess else None)
    asked_model = _text(table, "model")
    if asked_model is None:
        raise _invalid(table, "model", "is missing", 'Add a line like model = "gpt-4o-mini-2024-07-18".')
    if not any(key in table.values for key in _AMOUNTS):
        raise _invalid(table, "training_usd_per_1m", "is missing, and so is every other amount")
    known = load_catalog().find(asked_model)
    return Price(
        model=known.name if known is not None else asked_model,
        price_list=price_list,
        training_usd_per_1m=_rate(table, "training_usd_per_1m"),
        training_usd_per_hour=_usd(table, "training_usd_per_hour"),
        tuned=_inference(table, ""),
        tuned_batch=_inference(table, "batch_"),
        base=_inference(table, "base_"),
        base_batch=_inference(table, "base_batch_"),
        effective_from=_day(table, "effective_from"),
        profile=_text(table, "profile"),
        source=_text(table, "source") or table.origin,
        read_on=read_on,
        illustrative=illustrative,
        base_source=_text(table, "base_source"),
        hosting_usd_per_hour=_usd(table, _HOSTING),
    )


def _inference(table: RawTable, of: str) -> InferencePrice:
    return InferencePrice(
        input=_rate(table, f"{of}input_usd_per_1m"),
        cached_input=_rate(table, f"{of}cached_input_usd_per_1m"),
        output=_rate(table, f"{of}output_usd_per_1m"),
    )


def _usd(table: RawTable, key: str) -> Usd | None:
    value = table.values.get(key)
    if value is None:
        return None
    right_form = f'Write a decimal string: {key} = "2.00".'
    if not isinstance(value, str):
        raise _invalid(table, key, f"is {value!r}, which is not in quotes", right_form)
    try:
        usd = Usd.parse(value)
    except ValueError as error:
        raise _invalid(table, key, f"is {value!r}, which is no amount in USD", right_form) from error
    if usd > _TOO_DEAR:
        raise _invalid(table, key, f"is {value!r}, which is above {_TOO_DEAR.display()}", right_form)
    return usd


def _rate(table: RawTable, key: str) -> UsdPer1M | None:
    usd = _usd(table, key)
    return None if usd is None else UsdPer1M(usd.nano)


def _text(table: RawTable, key: str) -> str | None:
    value = table.values.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise _invalid(table, key, f"is {value!r}, which is no line of text", f'Write {key} = "…".')
    return value.strip()


def _day(table: RawTable, key: str) -> date | None:
    value = table.values.get(key)
    if value is None or (isinstance(value, date) and not isinstance(value, datetime)):
        return value
    try:
        return date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError as error:
        raise _invalid(table, key, f"is {value!r}, which is no day", f"Write {key} = 2026-11-01.") from error


def _invalid(table: RawTable, key: str, what: str, next_step: str | None = None) -> ConfigError:
    return ConfigError(
        "price_invalid",
        f"In {table.origin}, {key} {what}.",
        next_step=next_step or f"A price takes {', '.join(_KEYS)}.",
        key=key,
        origin=table.origin,
    )
