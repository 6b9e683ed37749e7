"""Names and what they stand for, in two columns."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from ftjobs.logs import clean
from ftjobs.reports.table import PLAIN

_GAP = "  "
# On a terminal this narrow the second column would be a ribbon.
_NARROWEST_TEXT = 24


def fact_lines(facts: Sequence[tuple[str, str]], *, width: int | None) -> list[str]:
    """Return a line a fact, what does not fit into `width` cells going on below itself; None is unbounded.

    `PLAIN` has no columns. Words are never cut, so that an id can be copied.
    """
    if width == PLAIN:
        return [f"{name}: {clean(text)}" for name, text in facts]
    size = max((len(name) for name, _ in facts), default=0)
    return [line for name, text in facts for line in _lines(f"{name:{size}}{_GAP}", clean(text), width)]


def hanging(label: str, text: str, *, width: int | None) -> list[str]:
    """Return a text behind its label, going on below where the text began."""
    return _lines(label, clean(text), width)


def _lines(label: str, text: str, width: int | None) -> list[str]:
    if width is None or width < len(label) + _NARROWEST_TEXT:
        return [f"{label}{text}".rstrip()]
    return textwrap.wrap(
        text,
        width,
        initial_indent=label,
        subsequent_indent=" " * len(label),
        break_long_words=False,
        break_on_hyphens=False,
    ) or [label.rstrip()]
