"""What a request brings along."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ftjobs.sandbox.refusals import Refusal

if TYPE_CHECKING:
    from starlette.requests import Request


async def json_of(request: Request) -> Any:
    """Return what the body says; Refusal where it is not JSON."""
    try:
        return json.loads(await request.body())
    except (ValueError, RecursionError):
        raise Refusal("The body is not JSON.") from None
