"""The cost report: every page, to the nano-dollar, and never read as less than it says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import httpx2
import pytest
import respx

from ftjobs.errors import RejectedError, UnavailableError
from ftjobs.jobs.invoice import InvoiceLine
from ftjobs.keys import Secret
from ftjobs.money import Usd
from ftjobs.periods import Period
from ftjobs.provider.api import Api
from ftjobs.provider.costs import read_costs
from ftjobs.provider.profiles import Profile
from ftjobs.provider.retrying import RetryPolicy
from tests.wire.conftest import NOW, URL

COSTS = f"{URL}/organization/costs"
START = datetime(2026, 10, 1, tzinfo=UTC)
OCTOBER = Period(START, START + timedelta(days=31))
ADMIN = "sk-admin-0123456789abcdef"

Open = Callable[..., Api]


@pytest.fixture
def admin() -> Iterator[Open]:
    """Open admin accounts that never really wait."""
    with ExitStack() as stack:

        def opened(**fields: Any) -> Api:
            api = Api(
                Profile("test", URL, **fields),
                Secret(ADMIN, "OPENAI_ADMIN_KEY"),
                is_admin=True,
                policy=RetryPolicy(attempts=3),
                now=lambda: NOW,
                sleep=lambda _s: None,
            )
            stack.callback(api.close)
            return api

        yield opened


def a_result(value: object = 1, item: object = "training", project: object = "proj_1", **more: object) -> Any:
    """Return a cost as the API tells it."""
    return {
        "object": "organization.costs.result",
        "amount": {"value": value, "currency": "usd"},
        "line_item": item,
        "project_id": project,
        "quantity": None,
        "quantity_unit": None,
        **more,
    }


def a_bucket(day: int, *results: Any, **more: object) -> dict[str, Any]:
    """Return that day of October as the API tells it."""
    start = int((START + timedelta(days=day - 1)).timestamp())
    return {
        "object": "bucket",
        "start_time": start,
        "end_time": start + 86_400,
        "results": list(results),
        **more,
    }


def a_page(*buckets: Any, after: str | None = None) -> dict[str, Any]:
    """Return a page that is followed by `after`."""
    return {"object": "page", "data": list(buckets), "has_more": after is not None, "next_page": after}


def test_all_pages_are_asked_for_with_the_admin_key_and_nothing_of_a_project(
    admin: Open, httpx2_mock: respx.MockRouter
) -> None:
    route = httpx2_mock.get(COSTS)
    route.side_effect = [
        httpx.Response(200, json=a_page(a_bucket(1, a_result(1)), a_bucket(2), after="p2")),
        httpx.Response(200, json=a_page(a_bucket(3, a_result(2)), after="p3")),
        httpx.Response(200, json=a_page(a_bucket(31, a_result(3)))),
    ]
    told = read_costs(admin(organization="org-1", project="proj-1"), OCTOBER)
    assert [(line.day.day, line.amount) for line in told.lines] == [
        (1, Usd.parse("1")),
        (3, Usd.parse("2")),
        (31, Usd.parse("3")),
    ]
    assert told.period == OCTOBER
    asked = [sorted(call.request.url.params.multi_items()) for call in route.calls]
    base = [
        ("bucket_width", "1d"),
        ("end_time", "1793491200"),
        ("group_by[]", "line_item"),
        ("group_by[]", "project_id"),
        ("limit", "180"),
    ]
    start = ("start_time", "1790812800")
    assert asked == [[*base, start], [*base, ("page", "p2"), start], [*base, ("page", "p3"), start]]
    for call in route.calls:
        assert call.request.headers["authorization"] == f"Bearer {ADMIN}"
        assert call.request.headers["openai-organization"] == "org-1"
        assert "openai-project" not in call.request.headers


@pytest.mark.parametrize(
    ("written", "nano"),
    [
        ("0.30000000000000004", 300_000_000),
        ("0.1234567895", 123_456_790),  # half to even, up
        ("0.1234567885", 123_456_788),  # half to even, down
        ("0.1234567890000000000000000000000000000000001", 123_456_789),
        ("0.12345678950000000000000000000000000000000001", 123_456_790),
        ("1e-05", 10_000),
        ("1E-9", 1),
        ("1e-999999", 0),
        ("0e999999999", 0),
        ("-2.5", -2_500_000_000),
        ("9007199254.740993e-2", 90_071_992_547_409_930),
        ("7", 7_000_000_000),
        ("0", 0),
        ("-0.0", 0),
    ],
)
def test_amounts_are_exact_to_the_nano_dollar(
    admin: Open, httpx2_mock: respx.MockRouter, written: str, nano: int
) -> None:
    body = json.dumps(a_page(a_bucket(5, a_result("AMOUNT")))).replace('"AMOUNT"', written)
    httpx2_mock.get(COSTS).respond(content=body)
    (line,) = read_costs(admin(), OCTOBER).lines
    assert line.amount == Usd(nano)


def test_a_line_keeps_its_day_project_name_and_quantity(admin: Open, httpx2_mock: respx.MockRouter) -> None:
    results = (
        a_result(1, "gpt-4o-mini, training", "proj_1", quantity=292.5, quantity_unit="1000_tokens"),
        a_result(2, None, None, quantity="many", quantity_unit=7),
        a_result(3, "line\u202e\nbreak", "p" * 300, quantity=True),
    )
    httpx2_mock.get(COSTS).respond(json=a_page(a_bucket(5, *results)))
    first, second, third = read_costs(admin(), OCTOBER).lines
    day = date(2026, 10, 5)
    assert first == InvoiceLine(
        day, "proj_1", "gpt-4o-mini, training", Usd.parse("1"), Decimal("292.5"), "1000_tokens"
    )
    assert first.tokens == 292_500
    assert second == InvoiceLine(day, "", "", Usd.parse("2"))
    assert second.tokens is None
    assert (third.line_item, len(third.project_id), third.quantity) == ("line break", 200, None)


LIES: dict[str, Any] = {
    "an empty object": {},
    "null": None,
    "a list of jobs": {"object": "list", "data": [], "has_more": False},
    "null data": {**a_page(), "data": None},
    "no has_more": {"object": "page", "data": []},
    "has_more as text": {**a_page(), "has_more": "false"},
    "more, but no cursor": {**a_page(a_bucket(2)), "has_more": True},
    "more, but an empty cursor": a_page(a_bucket(2), after=""),
    "a cursor that is a number": {**a_page(a_bucket(2)), "has_more": True, "next_page": 3},
    "a cursor that does not move": a_page(a_bucket(2), after="p2"),
    "a day of the page before": a_page(a_bucket(1, a_result())),
    "a day twice": a_page(a_bucket(2), a_bucket(2)),
    "a day before": a_page(a_bucket(0, a_result())),
    "a day after": a_page(a_bucket(32, a_result())),
    "a day that begins late": a_page(a_bucket(2, start_time=int(START.timestamp()) + 90_000)),
    "two days in one": a_page(a_bucket(2, end_time=int(START.timestamp()) + 3 * 86_400)),
    "a day beyond all calendars": a_page(a_bucket(2, start_time=10**18)),
    "a day without bounds": a_page(a_bucket(2, start_time=None)),
    "null results": a_page(a_bucket(2, results=None)),
    "a null bucket": a_page(None),
    "a null cost": a_page(a_bucket(2, None)),
    "usage instead of a cost": a_page(a_bucket(2, a_result(object="organization.usage.completions.result"))),
    "no amount": a_page(a_bucket(2, a_result(amount=None))),
    "no value": a_page(a_bucket(2, a_result(amount={"currency": "usd"}))),
    "no currency": a_page(a_bucket(2, a_result(amount={"value": 1}))),
    "an amount as text": a_page(a_bucket(2, a_result("1.00"))),
    "an amount that is true": a_page(a_bucket(2, a_result(True))),
    "a null amount": a_page(a_bucket(2, a_result(None))),
    "not a number": a_page(a_bucket(2, a_result(float("nan")))),
    "infinity": a_page(a_bucket(2, a_result(float("inf")))),
    "an amount beyond belief": a_page(a_bucket(2, a_result(10**9))),
    "an error in a 200": {"error": {"message": "busy"}},
}


@pytest.mark.parametrize("lie", LIES)
def test_a_page_that_lies_is_asked_for_again_and_never_read_as_no_costs(
    admin: Open, httpx2_mock: respx.MockRouter, lie: str
) -> None:
    route = httpx2_mock.get(COSTS)
    route.side_effect = [
        httpx.Response(200, json=a_page(a_bucket(1, a_result()), after="p2")),
        *[httpx.Response(200, content=json.dumps(LIES[lie]))] * 3,
    ]
    with pytest.raises(UnavailableError, match="an unusable answer") as caught:
        read_costs(admin(), OCTOBER)
    assert route.call_count == 4
    assert "the cost report" in caught.value.message


@pytest.mark.parametrize("written", ["1e999999999999999999999", "1e400", "-1e99", "[1]"])
def test_numbers_that_no_money_has_are_no_amounts(
    admin: Open, httpx2_mock: respx.MockRouter, written: str
) -> None:
    body = json.dumps(a_page(a_bucket(5, a_result("AMOUNT")))).replace('"AMOUNT"', written)
    httpx2_mock.get(COSTS).respond(content=body)
    with pytest.raises(UnavailableError, match="an unusable answer"):
        read_costs(admin(), OCTOBER)


def test_a_second_page_that_failed_is_asked_for_again(admin: Open, httpx2_mock: respx.MockRouter) -> None:
    route = httpx2_mock.get(COSTS)
    route.side_effect = [
        httpx.Response(200, json=a_page(a_bucket(1, a_result(1)), after="p2")),
        httpx.Response(503),
        httpx2.ReadTimeout("slow"),
        httpx.Response(200, json=a_page(a_bucket(2, a_result(2)))),
    ]
    assert len(read_costs(admin(), OCTOBER).lines) == 2


def test_another_currency_is_told_at_once(admin: Open, httpx2_mock: respx.MockRouter) -> None:
    result = a_result(amount={"value": 1, "currency": "eur"})
    route = httpx2_mock.get(COSTS).respond(json=a_page(a_bucket(5, result)))
    with pytest.raises(RejectedError, match="2026-10-05 is in eur") as caught:
        read_costs(admin(), OCTOBER)
    assert (caught.value.code, route.call_count) == ("other_currency", 1)


@pytest.mark.parametrize(
    ("status", "exit_code", "says"),
    [
        (401, 7, "makes at https://platform.openai.com/"),
        (403, 7, "admin key"),
        (404, 7, "Compare its invoice"),
        (500, 8, "run the same command again"),
        (302, 8, "run the same command again"),  # where it leads is never asked: no route answers there
    ],
)
def test_what_is_refused_says_what_to_do(
    admin: Open, httpx2_mock: respx.MockRouter, status: int, exit_code: int, says: str
) -> None:
    httpx2_mock.get(COSTS).respond(status, headers={"location": "https://elsewhere.test/"})
    with pytest.raises((RejectedError, UnavailableError)) as caught:
        read_costs(admin(), OCTOBER)
    assert caught.value.exit_code == exit_code
    assert says in caught.value.next_step
    assert ADMIN not in caught.value.message + caught.value.next_step
