"""What a person should know before believing a total cost of ownership."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ftjobs.money import Usd
from ftjobs.pricing.ownership import TRAINING_KEY, Ownership
from ftjobs.pricing.prices import USER_LIST, Price
from ftjobs.pricing.remarks import about_age, about_foreign_list, about_illustration


def caveats(owned: Ownership) -> tuple[str, ...]:
    """Return sentences for people: what is unknown and how to make it known, whose prices these are, how long."""
    return (
        *_about_dataset(owned),
        *_about_unknown(owned),
        *_about_prompts(owned),
        *(_about_price(owned, owned.price) if owned.price else ()),
        *_about_shutdown(owned),
    )


def _about_dataset(owned: Ownership) -> Iterator[str]:
    counted = owned.training.dataset_tokens
    if counted.low != counted.high:
        yield (
            f"How a file is counted is not fully documented: {counted.low:,} to {counted.high:,} dataset tokens"
            f" are possible, and {counted.expected:,} are expected and used here."
        )


def _about_unknown(owned: Ownership) -> Iterator[str]:
    price, keys = owned.price, _listed(owned.missing)
    if price is None:
        yield (
            f"The price list {owned.price_list} says nothing of {owned.base_model}, so its costs are unknown:"
            f" add a [[price]] table with {keys}."
        )
        return
    if price.training_usd_per_1m is None and price.training_usd_per_hour is not None:
        yield (
            f"Training {owned.base_model} is billed at {price.training_usd_per_hour.display()} per hour and its"
            " duration is unknown, so the training cost is unknown."
        )
    if not owned.missing:
        return
    gap = f"The price list {price.price_list} lacks {keys} of {owned.base_model}, so {_unknown(owned)} unknown:"
    if price.price_list == USER_LIST:
        yield f"{gap} add to your [[price]] table what it lacks."
    else:
        yield f"{gap} add a [[price]] table with all amounts, since it takes the place of the list's."


def _unknown(owned: Ownership) -> str:
    of_base = [key for key in owned.missing if key.startswith("base_")]
    of_tuned = [key for key in owned.missing if key not in of_base and key != TRAINING_KEY]
    unknown = [
        *(["the training cost"] if TRAINING_KEY in owned.missing else []),
        *(["the fine-tuned model's cost"] if of_tuned else []),
        *(["the base model's cost"] if of_base else []),
    ]
    return f"{_listed(unknown)} {'is' if len(unknown) == 1 else 'are'}"


def _about_prompts(owned: Ownership) -> Iterator[str]:
    if not owned.has_longer_prompt:
        return
    if owned.use.cached:
        yield "The cached share is taken to be the same with the longer prompt, of which more may be cached."
    if owned.monthly is None or owned.base_monthly is None:
        return
    more = owned.monthly - owned.base_monthly
    if more > Usd(0):
        yield (
            f"With the same prompt the fine-tuned model costs {more.display()} a month more than its base model:"
            " only the longer prompt makes it cheaper."
            if owned.saving is not None and owned.saving > Usd(0)
            else f"With the same prompt the fine-tuned model costs {more.display()} a month more than its base."
        )


def _about_price(owned: Ownership, price: Price) -> Iterator[str]:
    is_known = owned.base_monthly is not None or owned.base_longer_prompt_monthly is not None
    if price.base_source and price.price_list != USER_LIST and is_known:
        yield f"The base model's prices are from {price.base_source}."
    said = (
        about_illustration(price),
        about_foreign_list(price, is_foreign=owned.list_is_foreign and not price.illustrative),
        None if price.illustrative else about_age(price, owned.horizon.start),
    )
    yield from filter(None, said)


def _about_shutdown(owned: Ownership) -> Iterator[str]:
    if owned.shutdown_date is None:
        return
    days = (owned.shutdown_date - owned.horizon.start).days
    left = f", in {days:,} day{'' if days == 1 else 's'}" if days > 0 else ""
    until = ": nothing is counted after that" if owned.horizon.capped_by_shutdown and days > 0 else ""
    where = "" if owned.horizon.capped_by_shutdown else "On OpenAI's own service "
    yield (
        f"{where}{owned.base_model} and every model tuned from it {'will ' if days > 0 else ''}shut down on"
        f" {owned.shutdown_date}{left}{until}."
    )


def _listed(words: Sequence[str]) -> str:
    return " and ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)
