"""`prices`: what applies on a day, from which list. Offline, without a key or a ledger."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from ftjobs.cli.context import open_app, width
from ftjobs.cli.options import print_json
from ftjobs.cli.period import day_of

if TYPE_CHECKING:
    from ftjobs.app import App
    from ftjobs.reports.prices import PriceSheet


def prices(
    ctx: typer.Context,
    model: Annotated[
        str | None,
        typer.Argument(metavar="MODEL", help="A model, or a name of a price list's own; without, all of them."),
    ] = None,
    *,
    on: Annotated[
        str | None, typer.Option("--on", metavar="DATE", help="Day, like 2026-10-05; without, today (UTC).")
    ] = None,
    price_list: Annotated[
        str | None, typer.Option("--price-list", metavar="L", help="Price list: openai, guide-2026 or user.")
    ] = None,
) -> None:
    """Show what applies on a day, from which price list. Works offline, without a key."""
    from ftjobs.reports.prices import prices_json, prices_text

    app, given = open_app(ctx, price_list=price_list)
    sheet = _sheet(app, model, day_of(on) or app.ambient.now().date())
    if given.json:
        print_json(prices_json(sheet, sandbox=given.sandbox))
    else:
        print(given.spelled(prices_text(sheet, width=width(given))))


def _sheet(app: App, model: str | None, on: date) -> PriceSheet:
    from ftjobs.models.catalog import load_catalog
    from ftjobs.pricing.comparison import compare, priced_model, priced_models
    from ftjobs.reports.prices import PriceSheet

    catalog, profile, price_list = load_catalog(), app.profile, app.settings.price_list
    asked = priced_models(app.prices) if model is None else (priced_model(model, app.prices, catalog),)
    known = asked if model is not None else (*asked, *(each.name for each in catalog.models))
    compared = compare(asked, app.prices, profile=profile.name, on=on, price_list=price_list)
    priced = {each.model for each in compared if each.listed}
    return PriceSheet(
        on=on,
        profile=profile.name,
        price_list=price_list,
        models=compared,
        is_of_one=model is not None,
        unpriced=tuple(dict.fromkeys(name for name in known if name not in priced)),
        list_is_foreign=not (profile.is_openai or profile.is_sandbox),
    )
