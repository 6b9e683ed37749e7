"""Hours of hosting at the price of their day."""

from __future__ import annotations

from datetime import date, datetime

from ftjobs.errors import SpendRefusedError
from ftjobs.jobs.submission import Submission
from ftjobs.ledger.hosting import Hosting, HourPrice, require_hostable
from ftjobs.ledger.store import Ledger
from ftjobs.pricing.prices import USER_LIST, PriceBook
from ftjobs.workflows.settle import base_model


def host(
    submission: Submission,
    seconds: int,
    *,
    ledger: Ledger,
    prices: PriceBook,
    on: date,
    reason: str,
    by: str,
    now: datetime,
) -> tuple[Hosting, ...]:
    """Record that the job's model was hosted so long, until the day `on`; return all its hosting, this last.

    Below 0 seconds it takes hours back, at the price that they were recorded at. SpendRefusedError `no_price`
    where none is in force on that day; UsageError as `hosted` says.
    """
    require_hostable(submission, on=on, now=now)
    price = _price(submission, prices, on) if seconds > 0 else None
    return ledger.hosting.record(submission.id, seconds, price=price, on=on, reason=reason, by=by, now=now)


def _price(submission: Submission, prices: PriceBook, on: date) -> HourPrice:
    model = base_model(submission)
    found = prices.find_hosting(model, profile=submission.profile, on=on) if model else None
    if found is None or found.hosting_usd_per_hour is None:
        raise _no_price(submission, model or "MODEL", prices, on)
    return HourPrice(found.hosting_usd_per_hour, found.price_list, found.effective_from, found.source)


def _no_price(submission: Submission, model: str, prices: PriceBook, on: date) -> SpendRefusedError:
    line, own = 'hosting_usd_per_hour = "PRICE"', [each for each in prices.prices if each.price_list == USER_LIST]
    if any(each.model == model and each.profile in (None, submission.profile) for each in own):
        step = f"Add to your [[price]] table of {model}: {line}"
    elif own:  # a file with [[price]] tables takes no price = [...] beside them
        step = f'Add a [[price]] table of its own with model = "{model}" and {line}.'
        line = f'[[price]]\nmodel = "{model}"\n{line}\nsource = "where you read it"\n'
    else:
        line = f'price = [{{ model = "{model}", {line}, source = "where you read it" }}]'
        step = f"Add its price to ./ftjobs.toml (one line): {line}"
    return SpendRefusedError(
        "no_price",
        f"No price per hour is known for hosting {model} with profile {submission.profile} on {on}.",
        next_step=step,
        submission_id=submission.id,
        model=model,
        toml=line,
    )
