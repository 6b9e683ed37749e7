"""Lists of the API: pages of them, and cursors that name nothing."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

from ftjobs.sandbox.personalities import Personality
from ftjobs.sandbox.refusals import Refusal

if TYPE_CHECKING:
    from starlette.requests import Request

EVERYTHING = sys.maxsize - 1
"""A limit above every number of things; SQLite is asked for one more."""


def page_asked(request: Request, personality: Personality, *, default: int, most: int) -> tuple[int, str | None]:
    """Return the `limit` and the cursor `after` of a request; Refusal for a limit that is none.

    Where the personality has no pages: a limit above everything, and no cursor.
    """
    if not personality.pages:
        return EVERYTHING, None
    limit = request.query_params.get("limit", str(default))
    if not (limit.isascii() and limit.isdecimal() and 1 <= int(limit) <= most):
        raise Refusal(f"`limit` must be from 1 to {most}.", code="invalid_value", param="limit")
    return int(limit), request.query_params.get("after")


def page_of(
    objects: list[dict[str, object]], request: Request, personality: Personality, *, default: int, most: int
) -> Response:
    """Answer with the page of all `objects` that was asked for."""
    limit, after = page_asked(request, personality, default=default, most=most)
    ids = [item["id"] for item in objects]
    if after is not None and after not in ids:
        raise bad_cursor(after)
    start = 0 if after is None else ids.index(after) + 1
    return listed(objects[start : start + limit], len(objects) > start + limit, personality)


def listed(objects: Sequence[dict[str, object]], more: bool, personality: Personality) -> Response:
    """Answer with one page, which is `objects`; `more` follow or do not."""
    page: dict[str, object] = {"object": "list", "data": objects}
    if personality.pages:
        first, last = (objects[0]["id"], objects[-1]["id"]) if objects else (None, None)
        page |= {"first_id": first, "last_id": last, "has_more": more}
    return JSONResponse(page)


def bad_cursor(after: str | None) -> Refusal:
    """Return the refusal of a cursor that names nothing."""
    return Refusal(f"`after` names nothing: {after}.", code="invalid_value", param="after")
