"""The API's objects as a personality shows them."""

from __future__ import annotations

from typing import Any

from ftjobs.sandbox.personalities import Personality


def file_shown(document: dict[str, object], personality: Personality) -> dict[str, object]:
    """Return the API's file object as the personality has it."""
    if not personality.tells_file_status:
        document = {**document, "status": None, "status_details": None}
    return _without(personality.hidden_file_fields, document)


def job_shown(document: dict[str, object], personality: Personality, *, created: bool) -> dict[str, object]:
    """Return the API's job object as the personality has it; `created` where it is the reply to its creation."""
    status = str(document["status"])
    shown = {
        **document,
        "status": personality.status_words.get(status, status),
        "hyperparameters": _decided(document["hyperparameters"], personality),
        "method": _decided(document["method"], personality),
    }
    hidden = personality.hidden_job_fields | (personality.left_out_on_create if created else frozenset())
    return _without(hidden, shown)


def _decided(value: Any, personality: Personality) -> Any:
    if isinstance(value, dict):
        return {name: _decided(each, personality) for name, each in value.items()}
    return personality.auto if value == "auto" else value


def _without(hidden: frozenset[str], document: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in document.items() if name not in hidden}
