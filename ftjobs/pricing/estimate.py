"""What training a dataset will cost, as a range, before anyone pays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Literal

from ftjobs.dataset.survey import Survey
from ftjobs.dataset.tokens import STAND_IN
from ftjobs.errors import UsageError
from ftjobs.jobs.quote import Quote
from ftjobs.jobs.spec import MAX_EPOCHS
from ftjobs.models.names import ModelName
from ftjobs.models.shutdowns import NEAR_DAYS
from ftjobs.money import Usd, UsdPer1M
from ftjobs.pricing.calibration import Calibration
from ftjobs.pricing.prices import Price
from ftjobs.pricing.remarks import about_age, about_foreign_list, about_illustration
from ftjobs.ranges import Range

MIN_EPOCHS = 1
_NOTED_PCT = 101  # of the high estimate: a token more or less is no news


@dataclass(frozen=True, slots=True)
class Epochs:
    """How often the dataset is trained on: "rule" and "pinned" send one number, "auto" leaves it open."""

    count: Range[int]
    source: Literal["rule", "pinned", "auto"]


def epochs_by_rule(examples: int) -> int:
    """Return 1 to 25, as OpenAI's cookbook publishes it: 3, more below 34 examples, fewer above 8,333.

    A heuristic of the service, which is free to choose otherwise unless the number is pinned.
    """
    if examples * 3 < 100:
        return min(25, 100 // max(examples, 1))
    if examples * 3 > 25_000:
        return max(1, 25_000 // examples)
    return 3


def choose_epochs(asked: int | Literal["auto"] | None, *, examples: int, most: int = MAX_EPOCHS) -> Epochs:
    """Return the epochs to send: the rule's number for None, the number asked for, or a range for "auto".

    `most` is what the service takes, and chooses at most. Raises UsageError `epochs_out_of_range` unless a number
    is 1 to `most`.
    """
    rule = min(epochs_by_rule(examples), most)
    if asked is None:
        return Epochs(Range.exactly(rule), "rule")
    if asked == "auto":
        return Epochs(Range(MIN_EPOCHS, rule, most), "auto")
    if type(asked) is not int or not MIN_EPOCHS <= asked <= most:  # 3.0 would be another content
        raise UsageError(
            "epochs_out_of_range",
            f"--epochs {asked} is not possible.",
            next_step=f"Give --epochs a number from {MIN_EPOCHS} to {most}, or auto.",
            epochs=asked,
        )
    return Epochs(Range.exactly(asked), "pinned")


@dataclass(frozen=True, slots=True)
class Estimate:
    """Estimated tokens and cost of one dataset on one model; `cost` is None without a price per token.

    `warnings` are sentences for people.
    """

    model: ModelName
    method: str
    epochs: Epochs
    dataset_tokens: Range[int]
    estimated_tokens: Range[int]
    price: Price | None
    cost: Range[Usd] | None
    shutdown_date: date | None
    warnings: tuple[str, ...]
    examples: int
    calibration: Calibration | None = None

    @property
    def likely_tokens(self) -> tuple[int, int] | None:
        """Where earlier jobs of this kind would have landed, None without enough of them.

        The range is what budgets hold; this one only says how much of it was ever used.
        """
        if self.calibration is None:
            return None
        count = self.epochs.count
        low, _ = self.calibration.landing(self.dataset_tokens.expected * count.low)
        _, high = self.calibration.landing(self.dataset_tokens.expected * count.high)
        return low, high

    @property
    def likely_cost(self) -> tuple[Usd, Usd] | None:
        """What they cost, None where one of the two is unknown."""
        rate, tokens = self._rate, self.likely_tokens
        return None if rate is None or tokens is None else (rate.cost(tokens[0]), rate.cost(tokens[1]))

    @property
    def cost_per_epoch(self) -> Range[Usd] | None:
        """What each epoch costs, the first as every further one; None without a price per token."""
        return None if self._rate is None else self.dataset_tokens.map(self._rate.cost)

    @property
    def bounds(self) -> Mapping[str, str]:
        """What the bounds low, expected and high of the dataset tokens count, in words."""
        if self.model.base.format == "completion" and self.method == "supervised":
            return dict.fromkeys(("low", "expected", "high"), "the text of prompt and completion")
        if self.model.base.encoding is None:
            return {
                "low": f"three quarters of {STAND_IN}'s count",
                "expected": f"1.1 times {STAND_IN}'s count",
                "high": f"up to 3 times {STAND_IN}'s count",
            }
        return {
            "low": "the text and 3 tokens a message (ChatML)",
            "expected": "the cookbook's rule, which adds 3 an example",
            "high": "every prompt twice, and tools" if self.method == "dpo" else "tools and unknown pictures too",
        }

    @property
    def _rate(self) -> UsdPer1M | None:
        return None if self.price is None else self.price.training_usd_per_1m

    def quote(self, *, on: date) -> Quote:
        """Return what is recorded of it on the day `on`; ValueError without a training price per token."""
        if self.price is None or self.price.training_usd_per_1m is None:
            raise ValueError(f"{self.model.sent} has no training price per token, so there is nothing to quote")
        return Quote(
            dataset_tokens=self.dataset_tokens,
            epochs=self.epochs.count,
            estimated_tokens=self.estimated_tokens,
            usd_per_1m=self.price.training_usd_per_1m,
            price_list=self.price.price_list,
            price_source=self.price.source,
            effective_from=self.price.effective_from,
            estimated_on=on,
            examples=self.examples,
        )


def estimate(
    survey: Survey,
    *,
    model: ModelName,
    method: str,
    epochs: Epochs,
    price: Price | None,
    shutdown_date: date | None,
    on: date,
    list_is_foreign: bool = False,
    calibration: Calibration | None = None,
    creation_ends_on: date | None = None,
) -> Estimate:
    """Return dataset tokens times epochs times price, bound by bound, each cost rounded once.

    `on` is the day of the estimate; `shutdown_date` is what the service or the catalog says of the model.
    `list_is_foreign` says that the bundled price list is of another service than the one that will train;
    `calibration` what earlier jobs of the same shape came to, `creation_ends_on` when the platform closes.
    """
    counted, count = survey.dataset_tokens, epochs.count
    estimated_tokens = _times(counted, count)
    rate = None if price is None else price.training_usd_per_1m
    cost = None if rate is None else estimated_tokens.map(rate.cost)
    return Estimate(
        model=model,
        method=method,
        epochs=epochs,
        dataset_tokens=counted,
        estimated_tokens=estimated_tokens,
        price=price,
        cost=cost,
        shutdown_date=shutdown_date,
        warnings=(
            *_about_dataset(survey, model, method),
            *_about_epochs(epochs),
            *_about_past(calibration, counted),
            *_about_price(price, model, on, list_is_foreign=list_is_foreign),
            *_about_closing(creation_ends_on, on),
            *_about_shutdown(shutdown_date, model, on, cost),
        ),
        examples=survey.examples,
        calibration=calibration,
    )


def _times(dataset_tokens: Range[int], epochs: Range[int]) -> Range[int]:
    return Range(
        dataset_tokens.low * epochs.low,
        dataset_tokens.expected * epochs.expected,
        dataset_tokens.high * epochs.high,
    )


def _about_dataset(survey: Survey, model: ModelName, method: str) -> Iterator[str]:
    if survey.truncated_examples:
        limit = model.base.max_example_tokens
        yield (
            f"{survey.truncated_examples:,} of {survey.examples:,} examples are longer than"
            f" {f'{limit:,} tokens' if limit is not None else 'the model allows'}: their ends are cut off"
            " and not trained on."
        )
    if model.base.encoding is None:
        yield (
            f"{model.base.name} is not in the catalog, so its tokenizer is not known: tokens are counted with"
            f" {STAND_IN}, as a wide range."
        )
    elif survey.dataset_tokens.expected < survey.dataset_tokens.high:
        yield (
            "Whether the prompt of a preference pair is billed once or twice is not documented, nor how tools"
            " are: the high estimate counts the prompt twice and tools as text."
            if method == "dpo"
            else "How tools and tool calls are billed is not documented: the high estimate counts them as text."
        )


def _about_epochs(epochs: Epochs) -> Iterator[str]:
    if epochs.source == "auto":
        yield (
            f"The service chooses {epochs.count.low} to {epochs.count.high} epochs, which widens the"
            f" estimate: --epochs {epochs.count.expected} would pin it."
        )


def _about_past(calibration: Calibration | None, counted: Range[int]) -> Iterator[str]:
    if calibration is not None and calibration.landing(counted.expected)[1] * 100 > counted.high * _NOTED_PCT:
        yield (
            f"Your last {calibration.jobs} jobs like this landed at {calibration.text} × what was counted: above"
            " the high estimate, which is all that a budget holds."
        )


def _about_price(price: Price | None, model: ModelName, on: date, *, list_is_foreign: bool) -> Iterator[str]:
    if price is None:
        yield (
            f"No price is known for training {model.base.name}, so the estimated cost is unknown:"
            " add a [[price]] table."
        )
        return
    if price.training_usd_per_1m is None:
        yield (
            f"Training {model.base.name} is billed at {price.training_usd_per_hour.display()} per hour and"
            " its duration is unknown, so the estimated cost is unknown."
            if price.training_usd_per_hour is not None
            else f"The price list {price.price_list} has no training price for {model.base.name},"
            " so the estimated cost is unknown."
        )
    said = (
        about_illustration(price),
        about_foreign_list(price, is_foreign=list_is_foreign),
        about_age(price, on),
    )
    yield from filter(None, said)


def _about_closing(creation_ends_on: date | None, on: date) -> Iterator[str]:
    days_left = None if creation_ends_on is None else (creation_ends_on - on).days
    if days_left is not None and 0 <= days_left < NEAR_DAYS:
        yield (
            f"OpenAI stops taking new fine-tuning jobs on {creation_ends_on}, in {days_left}"
            f" day{'' if days_left == 1 else 's'}; who has not used it lately is refused already."
        )


def _about_shutdown(
    shutdown_date: date | None, model: ModelName, on: date, cost: Range[Usd] | None
) -> Iterator[str]:
    if shutdown_date is None:
        return
    days_left = (shutdown_date - on).days
    if days_left <= 0:
        yield f"{model.base.name} and every model tuned from it shut down on {shutdown_date}."
    elif days_left < NEAR_DAYS:
        per_day = (
            "" if cost is None else f": training comes to {_per_day(cost.expected, days_left)} a day until then"
        )
        yield (
            f"{model.base.name} and every model tuned from it will shut down on {shutdown_date}, in {days_left}"
            f" day{'' if days_left == 1 else 's'}{per_day}."
        )


def _per_day(cost: Usd, days: int) -> str:
    return Usd(round(Fraction(cost.nano, days))).display()
