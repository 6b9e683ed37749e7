"""What a job told on its way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ftjobs.jobs.event import Event
from ftjobs.logs import scrub
from ftjobs.periods import iso
from ftjobs.reports.facts import hanging

_LONGEST_LEVEL = 7


def event_lines(events: Sequence[Event], *, width: int | None) -> list[str]:
    """Return the events as they come, a line each, its level where it is not `info`."""
    return [line for event in events for line in hanging(f"{iso(event.at)}  ", _told(event), width=width)]


def events_json(events: Sequence[Event] | None) -> list[dict[str, Any]] | None:
    """Return the events as they come, null where nobody could be asked."""
    if events is None:
        return None
    return [
        {
            "id": event.id,
            "at": event.at,
            "level": event.level,
            "type": event.type,
            "message": event.message,
            "data": scrub(event.data),
        }
        for event in events
    ]


def _told(event: Event) -> str:
    level = "" if event.level == "info" else f"{event.level[:_LONGEST_LEVEL]}: "
    return f"{level}{event.message.strip() or _numbers(event)}"


def _numbers(event: Event) -> str:
    """Return the numbers of an event that says nothing else."""
    told = [f"{name} {value}" for name, value in event.data.items() if isinstance(value, int | float)]
    return ", ".join(told) or event.type
