"""What a person should know of a price list before believing its prices; each a sentence, or None."""

from __future__ import annotations

from datetime import date

from ftjobs.pricing.prices import OLD_DAYS, USER_LIST, Price


def about_illustration(price: Price) -> str | None:
    """Say that the list is for comparison only."""
    if not price.illustrative:
        return None
    return f"The price list {price.price_list} is illustrative: the bill will follow other prices."


def about_foreign_list(price: Price, *, is_foreign: bool) -> str | None:
    """Say that a bundled list is of another service than the one that will charge."""
    if not is_foreign or price.price_list == USER_LIST:
        return None
    return (
        f"The price list {price.price_list} is of OpenAI's own service, and this service may charge otherwise:"
        " add a [[price]] table."
    )


def about_age(price: Price, on: date) -> str | None:
    """Say on the day `on` that nobody compared the list with its page for more than 180 days."""
    age_days = price.days_since_read(on)
    if age_days is None or age_days <= OLD_DAYS:
        return None
    return (
        f"The price list {price.price_list} was last read on {price.read_on}, {age_days} days before {on}:"
        " compare it with the service's own page, and add a [[price]] table where it differs."
    )
