"""What stops spending before anything is recorded."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from ftjobs.errors import SpendRefusedError
from ftjobs.models.names import ModelName
from ftjobs.money import Usd
from ftjobs.pricing.estimate import Estimate


def refuse_gone(model: ModelName, *, shutdown_date: date | None, creation_ends_on: date | None, on: date) -> None:
    """Raise SpendRefusedError for a model that is shut down, or a platform that creates no jobs any more.

    `creation_ends_on` has no published time zone, so that day itself is left to the service.
    """
    if shutdown_date is not None and on >= shutdown_date:
        raise SpendRefusedError(
            "model_shut_down",
            f"{model.base.name} and every model tuned from it were shut down on {shutdown_date}.",
            next_step="Choose another --model, or a service that still has it with --profile.",
            model=model.base.name,
            shutdown_date=shutdown_date.isoformat(),
        )
    if creation_ends_on is not None and on > creation_ends_on:
        raise SpendRefusedError(
            "creation_ended",
            f"OpenAI takes no new fine-tuning jobs since {creation_ends_on}.",
            next_step="Choose another service with --profile.",
            creation_ends_on=creation_ends_on.isoformat(),
        )


def require_price(estimate: Estimate) -> Usd:
    """Return the high estimate; SpendRefusedError where no price can gate the spending."""
    price, name = estimate.price, estimate.model.base.name
    if price is not None and price.illustrative:
        raise SpendRefusedError(
            "illustrative_price",
            f"The price list {price.price_list} is illustrative, so nothing is spent on its word.",
            next_step="Leave price_list out of the settings, or set it to openai.",
            price_list=price.price_list,
        )
    if estimate.cost is None:
        line = f'price = [{{ model = "{name}", training_usd_per_1m = "PRICE", source = "where you read it" }}]'
        raise SpendRefusedError(
            "no_price",
            f"No price per token is known for training {name}, so nothing is spent.",
            next_step=f"Add its price to ./ftjobs.toml (one line): {line}",
            model=name,
            toml=line,
        )
    return estimate.cost.high


def require_within(high: Usd, *, max_cost: Usd | None) -> None:
    """Raise SpendRefusedError where `high` is above what the user set as the most."""
    if max_cost is not None and high > max_cost:
        raise SpendRefusedError(
            "over_max_cost",
            f"The job may cost up to ${high.plain()}, more than --max-cost {max_cost.plain()}.",
            next_step=f"Give --max-cost {high.plain()}, or lower --epochs or the number of examples.",
            high_estimate_usd=high.plain(),
            max_cost_usd=max_cost.plain(),
        )


def require_consent(
    high: Usd,
    *,
    confirm_above: Usd,
    max_cost: Usd | None,
    yes: bool,
    ask: Callable[[], bool] | None,
) -> None:
    """Return where the user agrees to spend up to `high`; SpendRefusedError where not.

    Up to `confirm_above` nothing is asked; `max_cost` or `yes` is consent; else `ask`, which is None where
    nobody can be asked.
    """
    facts = {"high_estimate_usd": high.plain(), "confirm_above_usd": confirm_above.plain()}
    require_within(high, max_cost=max_cost)
    if high <= confirm_above or max_cost is not None or yes:
        return
    if ask is None:
        raise SpendRefusedError(
            "no_consent",
            f"The job may cost up to {high.display()}, and nobody is there to be asked.",
            next_step=f"Add --yes, or --max-cost {high.plain()}.",
            **facts,
        )
    if not ask():
        raise SpendRefusedError(
            "declined",
            "Nothing was submitted.",
            next_step="Run the same command again to be asked again.",
            **facts,
        )
