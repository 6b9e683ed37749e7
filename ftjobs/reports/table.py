"""Plain tables: aligned, one line a row, columns give way where the terminal is narrow."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from rich.cells import cell_len, set_cell_size

from ftjobs.logs import clean

PLAIN: Final = 0
"""The width of what is heard rather than seen: a record a row, its cells named.

Nothing is drawn in it, nor on a pipe, whose width is None: only a true width has pictures.
"""

_GAP = "  "
_NOTHING: Final = {"-": "none", "–": "none"}  # dashes are seldom read out
_SPELLED = re.compile("USD|UTC")
_BETWEEN = "\x1f"  # a clean cell has none
# A longer cell is cut where its row does not fit: it would wrap, and look like another row.
_LONGEST_CELL = 48


@dataclass(frozen=True, slots=True)
class Column:
    """A column; the one with the highest `gives_way` is left out first, 0 never."""

    title: str
    right: bool = False
    gives_way: int = 0


def table(columns: Sequence[Column], rows: Iterable[Sequence[str]], *, width: int | None = None) -> str:
    """Return the table with its heading; within `width` cells as far as columns may give way, None unbounded.

    For `PLAIN` it has no heading: each row is a record.
    """
    found = Rows(columns, [])
    for row in rows:
        found.add(row)
    return "\n".join(found.lines(width=width))


class Kept(Protocol):
    """Takes texts without line breaks and gives them back in their order: a list, or a file."""

    def append(self, text: str, /) -> None:
        """Keep a text."""

    def __iter__(self) -> Iterator[str]:
        """Iterate over the texts."""
        ...


class Rows:
    """A table's rows, kept as texts wherever they are to be kept, with the sizes of their columns."""

    def __init__(self, columns: Sequence[Column], kept: Kept) -> None:
        self._columns, self._kept = columns, kept
        self._sizes = [cell_len(column.title) for column in columns]
        self._cut_sizes = list(self._sizes)

    def add(self, row: Sequence[str]) -> None:
        """Keep a row."""
        cells = [clean(cell) for cell in row]
        for nth, cell in enumerate(cells):
            size = _size(cell)
            self._sizes[nth] = max(self._sizes[nth], size)
            if size > self._cut_sizes[nth]:
                self._cut_sizes[nth] = cell_len(_cut(cell))
        self._kept.append(_BETWEEN.join(cells))

    def lines(self, *, width: int | None) -> Iterator[str]:
        """Yield the heading and a line for each row, within `width` as `table` is; rows alone for `PLAIN`."""
        if width == PLAIN:
            titles = [_spoken(column.title) for column in self._columns]
            yield from (_record(titles, text.split(_BETWEEN)) for text in self._kept)
            return
        columns, sizes, cut = self._columns, self._sizes, False
        kept = list(range(len(columns)))

        def total_width(of: Sequence[int]) -> int:
            return sum(of[nth] for nth in kept) + len(_GAP) * (len(kept) - 1)

        while width is not None and total_width(sizes) > width:
            weakest = max(kept, key=lambda nth: columns[nth].gives_way)
            if columns[weakest].gives_way == 0:
                break
            kept.remove(weakest)
        if width is not None and total_width(sizes) > width:
            sizes, cut = self._cut_sizes, True

        def line(row: Sequence[str]) -> str:
            cells = (_padded(row[nth], sizes[nth], right=columns[nth].right) for nth in kept)
            return _GAP.join(cells).rstrip()

        yield line([column.title for column in columns])
        for text in self._kept:
            cells = text.split(_BETWEEN)
            yield line([_cut(cell) for cell in cells] if cut else cells)


def _record(titles: Sequence[str], cells: Sequence[str]) -> str:
    """Return "job ftjob-1; status succeeded; variance none"; an empty cell is left out."""
    said = [(title, cell.strip()) for title, cell in zip(titles, cells, strict=True)]
    return "; ".join(f"{title} {_NOTHING.get(cell, cell)}".lstrip() for title, cell in said if cell)


def _spoken(title: str) -> str:
    """Return the title in small letters, which are not spelled letter by letter."""
    return " ".join(word if _SPELLED.search(word) else word.lower() for word in title.split())


def _cut(text: str) -> str:
    return text if cell_len(text) <= _LONGEST_CELL else set_cell_size(text, _LONGEST_CELL - 1) + "…"


def _padded(text: str, size: int, *, right: bool) -> str:
    if text.isascii():
        return text.rjust(size) if right else text.ljust(size)
    return " " * (size - cell_len(text)) + text if right else set_cell_size(text, size)


def _size(clean_text: str) -> int:
    return len(clean_text) if clean_text.isascii() else cell_len(clean_text)


def bar(value: int, most: int, width: int) -> str:
    """Return a bar of at most `width` cells for `value` out of `most`, in eighths; some of it for any above 0."""
    eighths = round(8 * width * value / most) if most else 0
    whole, part = divmod(max(eighths, 1 if value else 0), 8)
    return "█" * whole + " ▏▎▍▌▋▊▉"[part].strip()


def wrapped(text: str, width: int | None) -> list[str]:
    """Return the text in indented lines within `width` cells; in one line where that is None."""
    return textwrap.wrap(text, width or sys.maxsize, initial_indent=_GAP, subsequent_indent=_GAP)
