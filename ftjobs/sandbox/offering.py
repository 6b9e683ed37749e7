"""The models that the sandbox can tune, under dates of its own: they never run out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

_SNAPSHOTS = {
    "gpt-4.1": "gpt-4.1-2025-04-14",
    "gpt-4.1-mini": "gpt-4.1-mini-2025-04-14",
    "gpt-4o": "gpt-4o-2024-08-06",
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
}
_ENDING = "gpt-4o-2024-08-06"
_CREATED = 1_700_000_000


def snapshot_of(model: str) -> str | None:
    """Return the dated snapshot behind a snapshot, an alias or an `ft:` name; None if it is unknown."""
    base = model.split(":")[1] if model.startswith("ft:") else model
    snapshot = _SNAPSHOTS.get(base, base)
    return snapshot if snapshot in _SNAPSHOTS.values() else None


def model_object(model: str, now: float, *, owned_by: str = "system") -> dict[str, object]:
    """Return the API's model object; `shutdown_date` is null, or a year ahead of `now` for gpt-4o."""
    ahead = (datetime.fromtimestamp(now, UTC) + timedelta(days=365)).date().isoformat()
    ending = snapshot_of(model) == _ENDING
    return {
        "id": model,
        "object": "model",
        "created": _CREATED,
        "owned_by": owned_by,
        "shutdown_date": ahead if ending else None,
    }


def offered() -> Iterator[str]:
    """Yield every alias and every snapshot."""
    for alias, snapshot in _SNAPSHOTS.items():
        yield alias
        yield snapshot
