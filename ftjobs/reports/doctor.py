"""A diagnosis: a line a check, with what to do where something is wrong."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, Final, Literal

from ftjobs.logs import scrub_text
from ftjobs.models.shutdowns import Countdown, Shutdown
from ftjobs.reports.envelope import envelope

Check = tuple[str, Literal["ok", "note", "problem"], str, str | None]
"""Its name, its state, what was found, and what to do about it."""

_COLORS: Final = {"ok": "32", "note": "33", "problem": "31"}
_INDENT: Final = " " * 9
# Narrower, a line would hold no word beside its label.
_LEAST_CELLS: Final = 30


def doctor_json(
    checks: Sequence[Check],
    shutdowns: Mapping[str, Shutdown | None],
    closings: Sequence[Countdown],
    *,
    on: date,
    sandbox: bool,
) -> dict[str, Any]:
    """Return `ftjobs.doctor/1`; a date that nobody knows is null, `days_left` is negative once it is past."""
    return envelope(
        "doctor",
        sandbox=sandbox,
        checks=[
            {
                "name": name,
                "state": state,
                "message": scrub_text(message),
                "next_step": None if step is None else scrub_text(step),
            }
            for name, state, message, step in checks
        ],
        shutdowns=[_shutdown_json(model, shutdown, on) for model, shutdown in shutdowns.items()],
        closings=[
            {"date": each.closing.on, "what": each.closing.what, "days_left": each.days_left} for each in closings
        ],
    )


def _shutdown_json(model: str, shutdown: Shutdown | None, on: date) -> dict[str, Any]:
    return {
        "model": scrub_text(model),
        "shutdown_date": shutdown.on if shutdown else None,
        "days_left": shutdown.days_left(on) if shutdown else None,
        "source": shutdown.source if shutdown else None,
        "read_on": shutdown.read_on if shutdown else None,
    }


def doctor_text(
    checks: Sequence[Check],
    shutdowns: Mapping[str, Shutdown | None],
    closings: Sequence[Countdown],
    *,
    on: date,
    width: int | None,
    color: bool,
) -> str:
    """Return each check with its state at the left and its next step below, then the dates.

    Within `width` cells, None unbounded, longer lines go on in the next; ids and paths are never broken.
    """
    lines = [line for check in checks for line in _check_lines(check, width, color=color)]
    dates = [*(each.sentence() for each in closings), *_shutdown_sentences(shutdowns, on)]
    if dates:
        lines += ["", *(line for each in dates for line in _wrapped(each, width, first="", rest="  "))]
    return "\n".join(lines)


def _check_lines(check: Check, width: int | None, *, color: bool) -> Iterator[str]:
    name, state, message, step = check
    label = f"{state:<{len(_INDENT)}}"
    first, *rest = _wrapped(f"{name}: {message}", width, first=label, rest=_INDENT)
    yield first.replace(state, f"\x1b[{_COLORS[state]}m{state}\x1b[0m", 1) if color else first
    yield from rest
    if step is not None:
        word = "fix" if state == "problem" else "next"
        yield from _wrapped(f"{word}: {step}", width, first=_INDENT, rest=_INDENT)


def _shutdown_sentences(shutdowns: Mapping[str, Shutdown | None], on: date) -> Iterator[str]:
    yield from (each.sentence(on) for each in shutdowns.values() if each)
    if unknown := [model for model, each in shutdowns.items() if each is None]:
        yield f"No shutdown date is known of {', '.join(unknown)}."


def _wrapped(text: str, width: int | None, *, first: str, rest: str) -> list[str]:
    cells = max(width, _LEAST_CELLS) if width else sys.maxsize
    return textwrap.wrap(
        scrub_text(text),
        cells,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
