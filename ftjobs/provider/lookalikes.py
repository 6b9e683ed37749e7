"""Services that answer under the same paths in another schema, told by what only they say."""

from __future__ import annotations

from ftjobs.errors import RejectedError


def look_alike(body: object) -> str | None:
    """Return whose API an answer is that is none of the fine-tuning API's, None where nobody is recognised.

    Mistral's lists have a `total` and no `has_more`, its jobs a `job_type` (its API reference, fine-tuning jobs).
    """
    if not isinstance(body, dict):
        return None
    has_total = isinstance(body.get("data"), list) and "total" in body and "has_more" not in body
    return "Mistral's fine-tuning API" if has_total or "job_type" in body else None


def other_api(name: str, base_url: str | None) -> RejectedError:
    """Return the error for a service that speaks the API `name`."""
    return RejectedError(
        "other_api",
        f"The answer of {base_url} is in another schema: it looks like {name}, which is not OpenAI's.",
        next_step="Use that service's own tools, or a --profile whose service speaks OpenAI's fine-tuning API.",
        looks_like=name,
    )
