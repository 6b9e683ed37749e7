"""A model whose ownership is asked about: its name, its price and its last day, from what this machine knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftjobs.errors import UsageError

if TYPE_CHECKING:
    from datetime import date

    from ftjobs.app import App
    from ftjobs.models.names import ModelName
    from ftjobs.money import Usd
    from ftjobs.pricing.ownership import Ownership, Training, Use
    from ftjobs.pricing.prices import Price


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model as it was typed, the name by which it has a price, and what the catalog knows of it, if anything."""

    requested: str
    name: str
    known: ModelName | None
    price: Price | None
    shutdown_date: date | None
    is_capped: bool


def candidate(requested: str, app: App, today: date) -> Candidate:
    """Return the model with its price; UsageError where neither the catalog nor the price list knows it."""
    from ftjobs.models.catalog import load_catalog
    from ftjobs.models.names import resolve

    list_name = app.settings.price_list
    known, unknown = None, None
    try:
        known = resolve(requested, load_catalog())
    except UsageError as error:
        unknown = error
    name = known.base.name if known else requested
    price = app.prices.find(name, profile=app.profile.name, on=today, price_list=list_name)
    if unknown is not None and price is None:
        raise unknown
    is_illustrative = price.illustrative if price else _is_illustrative(list_name, app)
    shutdown_date = known.base.shutdown_date if known else None
    return Candidate(
        requested,
        name,
        known,
        price,
        shutdown_date if is_illustrative or app.profile.uses_catalog_dates else None,
        is_capped=not is_illustrative,
    )


def _is_illustrative(list_name: str, app: App) -> bool:
    return any(price.illustrative for price in app.prices.prices if price.price_list == list_name)


def owned_by(
    candidate: Candidate,
    training: Training,
    use: Use,
    app: App,
    *,
    today: date,
    months: int,
    training_cost: Usd | None = None,
) -> Ownership:
    """Return what the model costs from `today` on; its training is priced unless what it cost is known."""
    from ftjobs.pricing.horizon import horizon
    from ftjobs.pricing.ownership import own

    return own(
        candidate.requested,
        candidate.name,
        price=candidate.price,
        price_list=app.settings.price_list,
        training=training,
        training_cost=training_cost,
        use=use,
        horizon=horizon(today, months, shutdown_date=candidate.shutdown_date if candidate.is_capped else None),
        shutdown_date=candidate.shutdown_date,
        list_is_foreign=not (app.profile.is_openai or app.profile.is_sandbox),
    )
