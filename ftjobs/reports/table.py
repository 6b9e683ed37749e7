"""Plain tables: aligned, one line a row, columns give way where the terminal is narrow."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

from ftjobs.logs import clean

_GAP = "  "
# A longer cell is cut where its row does not fit: it would wrap, and look like another row.
_LONGEST_CELL = 48


@dataclass(frozen=True, slots=True)
class Column:
    """A column; the one with the highest `gives_way` is left out first, 0 never."""

    title: str
    right: bool = False
    gives_way: int = 0


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], *, width: int | None = None) -> str:
    """Return the table with its heading; within `width` cells as far as columns may give way, None unbounded."""
    cells = [[clean(cell) for cell in row] for row in rows]
    kept = list(range(len(columns)))
    sizes = _sizes(columns, cells)

    def total_width() -> int:
        return sum(sizes[nth] for nth in kept) + len(_GAP) * (len(kept) - 1)

    while width is not None and total_width() > width:
        weakest = max(kept, key=lambda nth: columns[nth].gives_way)
        if columns[weakest].gives_way == 0:
            break
        kept.remove(weakest)
    if width is not None and total_width() > width:
        cells = [[_cut(cell) for cell in row] for row in cells]
        sizes = _sizes(columns, cells)

    def line(row: Sequence[str]) -> str:
        return _GAP.join(_padded(row[nth], sizes[nth], right=columns[nth].right) for nth in kept).rstrip()

    return "\n".join([line([column.title for column in columns]), *(line(row) for row in cells)])


def _sizes(columns: Sequence[Column], cells: Sequence[Sequence[str]]) -> list[int]:
    return [
        max([cell_len(column.title), *(cell_len(row[nth]) for row in cells)]) for nth, column in enumerate(columns)
    ]


def _cut(text: str) -> str:
    return text if cell_len(text) <= _LONGEST_CELL else set_cell_size(text, _LONGEST_CELL - 1) + "…"


def _padded(text: str, size: int, *, right: bool) -> str:
    return " " * (size - cell_len(text)) + text if right else set_cell_size(text, size)


def bar(value: int, most: int, width: int) -> str:
    """Return a bar of at most `width` cells for `value` out of `most`, in eighths; some of it for any above 0."""
    eighths = round(8 * width * value / most) if most else 0
    whole, part = divmod(max(eighths, 1 if value else 0), 8)
    return "█" * whole + " ▏▎▍▌▋▊▉"[part].strip()


def wrapped(text: str, width: int | None) -> list[str]:
    """Return the text in indented lines within `width` cells; in one line where that is None."""
    return textwrap.wrap(text, width or sys.maxsize, initial_indent=_GAP, subsequent_indent=_GAP)
