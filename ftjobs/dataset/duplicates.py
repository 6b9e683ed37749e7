"""Which lines of a file came before, and which two files share."""

from __future__ import annotations

import mmap
from collections import deque
from collections.abc import Iterator, Sequence
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

    def add_all(self, lines: Sequence[bytes], first: int) -> Iterator[tuple[int, int]]:
        """Keep the lines, numbered from `first`; yield each that repeats one, with the number of that one.

        White space around a line does not make it another; blank lines are none.
        """
        hashes, numbers, kept = self._hashes, self._numbers, self._kept
        for number, line in enumerate(lines, first):
            if not (text := line.strip(_BLANK)):
                continue
            value = hash(text) & _HASH
            slot = value % _SLOTS
            while (there := hashes[slot]) and there != value:
                slot = (slot + 1) % _SLOTS
            if there:
                yield number, numbers[slot]
            elif kept < _MOST_LINES:
                kept += 1
                hashes[slot], numbers[slot] = value, number
        self._kept = kept

    def find(self, line: bytes) -> int | None:
        """Return the number of the kept line that `line` repeats, or None."""
        value = hash(line.strip(_BLANK)) & _HASH
        slot = value % _SLOTS
        while (there := self._hashes[slot]) and there != value:
            slot = (slot + 1) % _SLOTS
        return self._numbers[slot] if there else None


def overlap(training: Path, validation: Path) -> Problem | None:
    """Return the problem of a validation file that holds training examples, or None; UsageError as for Reader."""
    seen = SeenLines()
    for first, lines in _lines(validation):
        deque(seen.add_all(lines, first), maxlen=0)
    twins: dict[int, int] = {}
    for first, lines in _lines(training):
        for number, line in enumerate(lines, first):
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


def _lines(path: Path) -> Iterator[tuple[int, list[bytes]]]:
    for block in Reader(path).blocks():
        yield block.first_line, block.content.split(b"\n")
