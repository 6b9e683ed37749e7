"""The cost report: what jobs that ended cost, by UTC day, project and line item, under prices of its own.

`GET /v1/organization/costs` takes `start_time`, `end_time`, `bucket_width` (1d), `limit` (1 to 180 days, 7 if
absent), `page` and `group_by[]`; every day of the range has a bucket. Only jobs that succeeded cost something,
and only of models that have a price here.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ftjobs.sandbox.progress import Job
from ftjobs.sandbox.refusals import Refusal

if TYPE_CHECKING:
    from starlette.requests import Request

    from ftjobs.sandbox.state import SandboxState

PROJECT = "proj_sandbox"
_USD_PER_1M = {
    "gpt-4.1-2025-04-14": Decimal(25),
    "gpt-4.1-mini-2025-04-14": Decimal(5),
    "gpt-4o-2024-08-06": Decimal(25),
    "gpt-4o-mini-2024-07-18": Decimal(3),
}
_DAY_S = 86_400
_USUAL_DAYS, _MOST_DAYS = 7, 180
_GROUPS = ("line_item", "project_id")


def cost_routes(state: SandboxState) -> list[Route]:
    """Return the endpoint over `state`."""

    def report(request: Request) -> Response:
        return JSONResponse(_report(request, list(_jobs(state)), state.clock()))

    return [Route("/v1/organization/costs", report)]


def _report(request: Request, jobs: list[Job], now: float) -> dict[str, object]:
    start = _whole(request, "start_time", None)
    end = _whole(request, "end_time", int(now))
    days = _whole(request, "limit", _USUAL_DAYS)
    if not 1 <= days <= _MOST_DAYS:
        raise Refusal(f"`limit` must be from 1 to {_MOST_DAYS}.", code="invalid_value", param="limit")
    if request.query_params.get("bucket_width", "1d") != "1d":
        raise Refusal("`bucket_width` must be 1d.", code="invalid_value", param="bucket_width")
    groups = request.query_params.getlist("group_by[]")
    if not set(groups) <= set(_GROUPS):
        raise Refusal(f"`group_by` takes {', '.join(_GROUPS)}.", code="invalid_value", param="group_by")
    first = _page(request, start - start % _DAY_S)
    starts = list(range(first, end, _DAY_S))
    more = len(starts) > days
    return {
        "object": "page",
        "data": [_bucket(day, jobs, groups, now) for day in starts[:days]],
        "has_more": more,
        "next_page": f"page_{starts[days]}" if more else None,
    }


def _bucket(day: int, jobs: list[Job], groups: list[str], now: float) -> dict[str, object]:
    tokens: dict[str, int] = {}
    for job in jobs:
        ended_then = day <= job.ends_at < day + _DAY_S and job.status(now) == "succeeded"
        if ended_then and job.base in _USD_PER_1M:
            tokens[job.base] = tokens.get(job.base, 0) + job.billable_tokens
    by_item = [(f"{base}, training", count, count * _USD_PER_1M[base]) for base, count in sorted(tokens.items())]
    if "line_item" not in groups and by_item:
        by_item = [("", 0, sum((cost for _, _, cost in by_item), Decimal(0)))]
    return {
        "object": "bucket",
        "start_time": day,
        "end_time": day + _DAY_S,
        "results": [
            {
                "object": "organization.costs.result",
                "amount": {"value": float(cost / 1_000_000), "currency": "usd"},
                "line_item": item or None,
                "quantity": count if item else None,
                "quantity_unit": "tokens" if item else None,
                "project_id": PROJECT if "project_id" in groups else None,
            }
            for item, count, cost in by_item
        ],
    }


def _jobs(state: SandboxState) -> Iterator[Job]:
    after, more = None, True
    while more:
        jobs, more = state.jobs(after=after)
        yield from jobs
        after = jobs[-1].id if jobs else None


def _whole(request: Request, name: str, usual: int | None) -> int:
    text = request.query_params.get(name)
    if text is None and usual is not None:
        return usual
    if text is None or not (text.isascii() and text.isdecimal() and len(text) < 12):
        raise Refusal(f"`{name}` must be a whole number.", code="invalid_value", param=name)
    return int(text)


def _page(request: Request, first: int) -> int:
    page = request.query_params.get("page")
    if page is None:
        return first
    start = page.removeprefix("page_")
    if not (start.isascii() and start.isdecimal() and len(start) < 12):
        raise Refusal(f"`page` names nothing: {page}.", code="invalid_value", param="page")
    return int(start)
