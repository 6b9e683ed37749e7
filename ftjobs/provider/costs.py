"""What the organization's cost report says: daily UTC buckets by project and line item, all pages, exact.

Source: API reference, "Costs" (GET /organization/costs). The report knows no jobs. The SDK casts amounts to float,
so they are taken from the raw JSON; so are quantities.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import openai

from ftjobs.errors import RejectedError
from ftjobs.jobs.invoice import InvoiceLine, Report
from ftjobs.money import Usd
from ftjobs.periods import Period, from_unix
from ftjobs.provider.api import Api
from ftjobs.provider.outcomes import one_line

BUCKETS_PER_PAGE = 180
ADMIN_KEYS_URL = "https://platform.openai.com/settings/organization/admin-keys"
_DAY = timedelta(days=1)
# Whole digits that are believed of an amount and of a quantity: the ledger's integers hold no more nano-dollars.
_AMOUNT_DIGITS, _QUANTITY_DIGITS = 8, 18
_NANO_USD = Decimal(1).scaleb(-9)
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class _Page:
    days: Mapping[date, tuple[InvoiceLine, ...]]
    next_page: str | None


def read_costs(api: Api, period: Period) -> Report:
    """Return every line that the report has for the whole UTC days of `period`, in the order of the report.

    A page that lies (no list, a cursor that does not move, a day twice, an amount that is none) is refused, never
    read as "no costs": UnavailableError. RejectedError where the key may not see the report, or there is none.
    """
    days: dict[date, tuple[InvoiceLine, ...]] = {}
    seen: set[str] = set()
    page: str | None = None
    while True:
        asked = page

        def ask(client: openai.OpenAI, asked: str | None = asked) -> Any:
            return client.admin.organization.usage.with_raw_response.costs(
                start_time=int(period.start.timestamp()),
                end_time=int(period.end.timestamp()),
                bucket_width="1d",
                group_by=["line_item", "project_id"],
                limit=BUCKETS_PER_PAGE,
                page=asked or openai.omit,
            )

        try:
            found = api.read(
                ask,
                lambda body: _parse_page(body, period, known=days, seen=seen),
                doing="the cost report",
                exact=True,
            )
        except RejectedError as error:
            raise _no_report(error, api) from None
        days.update(found.days)
        if found.next_page is None:
            return Report(period, tuple(line for lines in days.values() for line in lines))
        seen.add(found.next_page)
        page = found.next_page


def _parse_page(body: object, period: Period, *, known: Mapping[date, object], seen: set[str]) -> _Page:
    """Return the page that a decoded body holds; ValueError where it lies."""
    if not isinstance(body, dict) or body.get("object") != "page" or not isinstance(body.get("data"), list):
        raise ValueError("no page of costs")
    has_more, next_page = body.get("has_more"), body.get("next_page")
    if not isinstance(has_more, bool):
        raise ValueError("a page that does not say whether more follow")
    if has_more and (not isinstance(next_page, str) or not next_page or next_page in seen):
        raise ValueError("a page whose cursor does not move")
    days: dict[date, tuple[InvoiceLine, ...]] = {}
    for bucket in body["data"]:
        day, lines = _parse_bucket(bucket, period)
        if day in days or day in known:
            raise ValueError(f"{day} told twice")
        days[day] = lines
    return _Page(days, next_page if has_more else None)


def _parse_bucket(bucket: object, period: Period) -> tuple[date, tuple[InvoiceLine, ...]]:
    if not isinstance(bucket, dict) or not isinstance(bucket.get("results"), list):
        raise ValueError("a day without a list of costs")
    start, end = _instant(bucket.get("start_time")), _instant(bucket.get("end_time"))
    if start not in period or start.timestamp() % _DAY.total_seconds():
        raise ValueError("a day that was not asked for")
    if not start < end <= start + _DAY:  # the day that goes on may end early
        raise ValueError("a bucket that is no day")
    return start.date(), tuple(_parse_line(result, start.date()) for result in bucket["results"])


def _parse_line(result: object, day: date) -> InvoiceLine:
    if not isinstance(result, dict) or result.get("object") != "organization.costs.result":
        raise ValueError("a cost that is none")
    amount = result.get("amount")
    if not isinstance(amount, dict):
        raise ValueError("a cost without an amount")
    currency = amount.get("currency")
    if not isinstance(currency, str):
        raise ValueError("an amount without a currency")
    if currency.lower() != "usd":
        raise _other_currency(currency, day)
    return InvoiceLine(
        day,
        _name(result.get("project_id")),
        _name(result.get("line_item")),
        _usd(amount.get("value")),
        _number(result.get("quantity"), _QUANTITY_DIGITS),
        _name(result.get("quantity_unit")) or None,
    )


def _usd(value: object) -> Usd:
    """Return the amount to the nano-dollar, rounded half-even once; ValueError for what is no number."""
    number = _number(value, _AMOUNT_DIGITS)
    if number is None:
        raise ValueError("an amount that is no number")
    return Usd(int(number.quantize(_NANO_USD, ROUND_HALF_EVEN).scaleb(9)))


def _number(value: object, digits: int) -> Decimal | None:
    """Return the finite number of at most that many whole digits, None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    number = Decimal(value)
    if not number:
        return Decimal(0)  # an exponent of a billion has no digits to write out
    return number if number.adjusted() < digits else None


def _name(value: object) -> str:
    return one_line(value, _LONGEST_NAME) if isinstance(value, str) else ""


def _instant(value: object) -> datetime:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("a day without its bounds")
    try:
        return from_unix(value)
    except (OverflowError, OSError):
        raise ValueError("a day beyond all calendars") from None


def _other_currency(currency: str, day: date) -> RejectedError:
    return RejectedError(
        "other_currency",
        f"The cost report of {day} is in {one_line(currency, 20)}; the ledger is in US dollars.",
        next_step="Compare that invoice by hand: ftjobs knows no exchange rates.",
        currency=one_line(currency, 20),
    )


def _no_report(error: RejectedError, api: Api) -> RejectedError:
    """Return the refusal with the step that is next for a cost report: another kind of key, or another service."""
    match error.details.get("http_status"):
        case 401 | 403:
            next_step = f"It takes an admin key, which an owner of the organization makes at {ADMIN_KEYS_URL}."
        case 404 | 405:
            return _no_cost_report(api.profile.name)
        case _:
            next_step = error.next_step
    return RejectedError(error.code, error.message, next_step=next_step, **error.details)


def _no_cost_report(profile: str) -> RejectedError:
    return RejectedError(
        "no_cost_report",
        f"The service of profile {profile} has no cost report that an API answers.",
        next_step="Compare its invoice with `ftjobs ledger PERIOD`, and enter differences with `ftjobs adjust`.",
        profile=profile,
    )
