"""What a fine-tuned model costs over its life, training and use, against the base model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from itertools import accumulate
from typing import Literal

from ftjobs.dataset.split import rounded_share
from ftjobs.money import TOKENS_PER_UNIT, Usd, UsdPer1M, total
from ftjobs.pricing.horizon import Horizon
from ftjobs.pricing.prices import InferencePrice, Price
from ftjobs.ranges import Range

TRAINING_KEY = "training_usd_per_1m"
_NO_RATES = InferencePrice(None, None, None)


@dataclass(frozen=True, slots=True)
class Training:
    """What is trained on; `examples` and `dataset_tokens` are of the whole dataset, the held out share included.

    `examples` None is unknown. `holdout` is set aside for validation, which is free. Epochs are "pinned" by the
    user, by the published "rule", or "assumed" where nothing is known that the rule could go by.
    """

    dataset_tokens: Range[int]
    epochs: int
    epochs_source: Literal["pinned", "rule", "assumed"]
    examples: int | None = None
    holdout: Fraction = Fraction(0)

    @property
    def pass_tokens(self) -> int:
        """Return the whole dataset tokens that one epoch trains on: the expected ones less those held out."""
        return round(self.dataset_tokens.expected * (1 - self.holdout))

    @property
    def training_tokens(self) -> int:
        """Return the estimated tokens: those of one epoch times the epochs."""
        return self.pass_tokens * self.epochs

    @property
    def trained_examples(self) -> int | None:
        """Return the examples that are left to train on, None where their number is unknown."""
        return None if self.examples is None else examples_left(self.examples, self.holdout)


def examples_left(examples: int, holdout: Fraction) -> int:
    """Return the examples left to train on, as `prepare --holdout` would leave them."""
    return examples - rounded_share(holdout, examples)


@dataclass(frozen=True, slots=True)
class Use:
    """How much a model is used in its first month, in tokens; shares are fractions of 1.

    `base_input_tokens` is the input of the base model where it needs a longer prompt for the same task, else None.
    `cached` of the input is billed at the cached price. `retry_overhead` is added to each month, and from month to
    month the use grows by `growth`. A `batch` is billed at batch prices.
    """

    input_tokens: int
    output_tokens: int
    base_input_tokens: int | None = None
    cached: Fraction = Fraction(0)
    retry_overhead: Fraction = Fraction(0)
    growth: Fraction = Fraction(0)
    batch: bool = False


@dataclass(frozen=True, slots=True)
class Cumulative:
    """What has been paid by the end of a month; None is unknown, or no longer prompt was given."""

    month: int
    end: date
    fine_tuned: Usd | None
    base: Usd | None
    base_longer_prompt: Usd | None


@dataclass(frozen=True, slots=True)
class Ownership:
    """The total cost of a model that is tuned from `base_model`, and of the base model doing the same.

    `monthly`, `base_monthly` and `base_longer_prompt_monthly` are of the first month, counted whole; None is an
    amount that is unknown, or of a longer prompt that was not given. `missing` names the price keys that would
    make the unknown ones known. `shutdown_date` is told to people; whether it cuts the horizon is the horizon's to
    say. `price` is None where `price_list` is silent about the model; `list_is_foreign` says that the bundled list
    is of another service than the one in use.
    """

    model: str
    base_model: str
    price: Price | None
    price_list: str
    training: Training
    use: Use
    horizon: Horizon
    training_cost: Usd | None
    monthly: Usd | None
    base_monthly: Usd | None
    base_longer_prompt_monthly: Usd | None
    cumulative: tuple[Cumulative, ...]
    total: Usd | None
    base_total: Usd | None
    base_longer_prompt_total: Usd | None
    missing: tuple[str, ...]
    shutdown_date: date | None = None
    list_is_foreign: bool = False

    @property
    def has_longer_prompt(self) -> bool:
        """Return whether the base model needs a longer prompt; it is then compared with that."""
        return self.use.base_input_tokens is not None

    @property
    def compared_monthly(self) -> Usd | None:
        """Return the base model's monthly cost that the fine-tuned model is measured by."""
        return self.base_longer_prompt_monthly if self.has_longer_prompt else self.base_monthly

    @property
    def compared_total(self) -> Usd | None:
        """Return the base model's total cost that the fine-tuned model is measured by."""
        return self.base_longer_prompt_total if self.has_longer_prompt else self.base_total

    @property
    def saving(self) -> Usd | None:
        """Return what the first month costs less than on the base model, negative where it costs more."""
        if self.monthly is None or self.compared_monthly is None:
            return None
        return self.compared_monthly - self.monthly

    @property
    def break_even_month(self) -> int | None:
        """Return the first month by whose end the fine-tuned model has cost no more.

        None where there is none within the horizon, or a cost is unknown.
        """
        for each in self.cumulative:
            compared = each.base_longer_prompt if self.has_longer_prompt else each.base
            if each.fine_tuned is not None and compared is not None and each.fine_tuned <= compared:
                return each.month
        return None

    @property
    def usd_per_remaining_day(self) -> Usd | None:
        """Return the total cost for each day until the shutdown.

        None where no shutdown cuts the horizon, no day is left or the total is unknown.
        """
        if self.total is None or not self.horizon.capped_by_shutdown or not self.horizon.days:
            return None
        return Usd(round(Fraction(self.total.nano, self.horizon.days)))


def own(
    model: str,
    base_model: str,
    *,
    price: Price | None,
    price_list: str,
    training: Training,
    use: Use,
    horizon: Horizon,
    shutdown_date: date | None = None,
    list_is_foreign: bool = False,
    training_cost: Usd | None = None,
) -> Ownership:
    """Return training plus every month's use; each month is rounded once, totals are sums of what was rounded.

    Training costs `training_cost` where that is known, else what its tokens cost at this price.

    A month is (input × price + cached input × its price + output × price) × (1 + retry overhead) × (1 + growth)
    to the months before × the share of the month that is paid for.
    """
    missing_training = _missing_training(price) if training_cost is None else ()
    training_cost = _training_cost(price, training) if training_cost is None else training_cost
    tuned = _lines(price, use, "", use.input_tokens)
    base = _lines(price, use, "base_", use.input_tokens)
    longer = None if use.base_input_tokens is None else _lines(price, use, "base_", use.base_input_tokens)

    tuned_months = _months(tuned, use, horizon)
    base_months = _months(base, use, horizon)
    longer_months = None if longer is None else _months(longer, use, horizon)
    owned_months = None if training_cost is None else tuned_months
    return Ownership(
        model=model,
        base_model=base_model,
        price=price,
        price_list=price.price_list if price else price_list,
        training=training,
        use=use,
        horizon=horizon,
        training_cost=training_cost,
        monthly=_rounded(_month_nano(tuned, use)),
        base_monthly=_rounded(_month_nano(base, use)),
        base_longer_prompt_monthly=None if longer is None else _rounded(_month_nano(longer, use)),
        cumulative=_cumulative(
            horizon,
            _running(training_cost or Usd(0), owned_months),
            _running(Usd(0), base_months),
            _running(Usd(0), longer_months),
        ),
        total=_total(owned_months, training_cost),
        base_total=_total(base_months),
        base_longer_prompt_total=_total(longer_months),
        missing=tuple(dict.fromkeys([*missing_training, *_missing([*tuned, *base, *(longer or [])])])),
        shutdown_date=shutdown_date,
        list_is_foreign=list_is_foreign,
    )


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a month's bill: the price's key, exact tokens, and the rate where it is known."""

    key: str
    tokens: Fraction
    rate: UsdPer1M | None


def _lines(price: Price | None, use: Use, of: Literal["", "base_"], input_tokens: int) -> list[_Line]:
    """Return what is billed; nothing stands in it for what is not used, so that its price need not be known."""
    rates = _NO_RATES if price is None else _rates(price, of, batch=use.batch)
    prefix = f"{of}{'batch_' if use.batch else ''}"
    lines = [
        _Line(f"{prefix}input_usd_per_1m", input_tokens * (1 - use.cached), rates.input),
        _Line(f"{prefix}cached_input_usd_per_1m", input_tokens * use.cached, rates.cached_input),
        _Line(f"{prefix}output_usd_per_1m", Fraction(use.output_tokens), rates.output),
    ]
    return [line for line in lines if line.tokens]


def _rates(price: Price, of: Literal["", "base_"], *, batch: bool) -> InferencePrice:
    if of == "base_":
        return price.base_batch if batch else price.base
    return price.tuned_batch if batch else price.tuned


def _missing(lines: Sequence[_Line]) -> Iterator[str]:
    return (line.key for line in lines if line.rate is None)


def _missing_training(price: Price | None) -> Iterator[str]:
    # A price per hour is no gap in the list: it is the hours that nobody knows.
    if price is None or (price.training_usd_per_1m is None and price.training_usd_per_hour is None):
        yield TRAINING_KEY


def _training_cost(price: Price | None, training: Training) -> Usd | None:
    rate = None if price is None else price.training_usd_per_1m
    return None if rate is None else rate.cost(training.training_tokens)


def _month_nano(lines: Sequence[_Line], use: Use) -> Fraction | None:
    """Return the exact nano-dollars of the first month, counted whole; None where a rate is unknown."""
    nano = Fraction(0)
    for line in lines:
        if line.rate is None:
            return None
        nano += line.tokens * line.rate.nano
    return nano / TOKENS_PER_UNIT * (1 + use.retry_overhead)


def _rounded(nano: Fraction | None) -> Usd | None:
    return None if nano is None else Usd(round(nano))


def _months(lines: Sequence[_Line], use: Use, horizon: Horizon) -> list[Usd] | None:
    first = _month_nano(lines, use)
    if first is None:
        return None
    return [Usd(round(first * (1 + use.growth) ** (month.number - 1) * month.share)) for month in horizon.months]


def _total(months: Sequence[Usd] | None, training_cost: Usd | None = None) -> Usd | None:
    return None if months is None else total([*months, *([training_cost] if training_cost else [])])


def _running(start: Usd, months: Sequence[Usd] | None) -> Sequence[Usd] | None:
    return None if months is None else list(accumulate(months, initial=start))[1:]


def _cumulative(horizon: Horizon, *models: Sequence[Usd] | None) -> tuple[Cumulative, ...]:
    return tuple(
        Cumulative(month.number, month.end, *(None if running is None else running[nth] for running in models))
        for nth, month in enumerate(horizon.months)
    )
