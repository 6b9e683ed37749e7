"""Which lines of a file came before, and which two files share."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

from ftjobs.dataset.problems import Place, Problem
from ftjobs.dataset.reading import Reader

_SLOTS = 2**21  # 24 MB at most, taken as they are used
_MOST_LINES = _SLOTS * 2 // 3  # a fuller table would be searched for long
_HASH = 2**64 - 1
_BLANK = b" \t\r"


class SeenLines:
    """The lines that were added, known again by 64 bits of their hash; bounded in memory.

    The first 1.4 million are kept: a duplicate of a later one goes unnoticed.
    """

    def __init__(self) -> None:
        self._hashes = memoryview(mmap.mmap(-1, 8 * _SLOTS)).cast("Q")
        self._numbers = memoryview(mmap.mmap(-1, 4 * _SLOTS)).cast("I")
        self._kept = 0

    def add(self, line: bytes, number: int) -> int | None:
        """Return the number of the line that `line` repeats; None for a new one, which is kept.

        White space around a line does not make it another.
        """
        value, slot = self._place(line)
        if self._hashes[slot]:
            return self._numbers[slot]
        if self._kept < _MOST_LINES:
            self._kept += 1
            self._hashes[slot], self._numbers[slot] = value, number
        return None

    def find(self, line: bytes) -> int | None:
        """Return the number of the added line that `line` repeats, or None."""
        _, slot = self._place(line)
        return self._numbers[slot] if self._hashes[slot] else None

    def _place(self, line: bytes) -> tuple[int, int]:
        value = (hash(line.strip(_BLANK)) & _HASH) or 1  # 0 is an empty slot
        slot = value % _SLOTS
        while (kept := self._hashes[slot]) and kept != value:
            slot = (slot + 1) % _SLOTS
        return value, slot


def overlap(training: Path, validation: Path) -> Problem | None:
    """Return the problem of a validation file that holds training examples, or None; UsageError as for Reader."""
    seen = SeenLines()
    for number, line in _numbered(validation):
        seen.add(line, number)
    twins: dict[int, int] = {}
    for number, line in _numbered(training):
        if (twin := seen.find(line)) is not None:
            twins.setdefault(twin, number)
    if not twins:
        return None
    first = min(twins)
    return Place(first).warning(
        "also_in_training",
        f"{len(twins):,} validation example{' is' if len(twins) == 1 else 's are'} in the training file too "
        f"(this one is its line {twins[first]:,}): take them out of one, or the validation loss looks too good",
    )


def _numbered(path: Path) -> Iterator[tuple[int, bytes]]:
    for block in Reader(path).blocks():
        for number, line in enumerate(block.content.split(b"\n"), block.first_line):
            if line.strip(_BLANK):
                yield number, line
