"""The fault matrix as text: a row a point, a column a fault, a word a cell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import pytest


@dataclass(frozen=True)
class Cell:
    """What one fault at one point comes to: the name of an outcome, or of a reason why it cannot happen."""

    point: str
    fault: str
    word: str
    is_quick: bool

    @property
    def is_possible(self) -> bool:
        """False where the word is a reason in parentheses."""
        return not self.word.startswith("(")


def cells(grid: str) -> list[Cell]:
    """Return the cells of a grid; a star after a word puts the cell into the quick cross-section.

    point        kill     term
    survey.done  resumed* ended
    other        (a)      ended
    """
    head, *rows = (line.split() for line in grid.strip().splitlines())
    found = []
    for point, *words in rows:
        for fault, word in zip(head[1:], words, strict=True):
            found.append(Cell(point, fault, word.rstrip("*"), word.endswith("*")))
    return found


def parameters(grid: str) -> Iterator[Any]:
    """Yield the possible cells for `pytest.mark.parametrize`; those beside the cross-section are soaked."""
    for cell in cells(grid):
        if cell.is_possible:
            marks = () if cell.is_quick else pytest.mark.soak
            yield pytest.param(cell, marks=marks, id=f"{cell.point}-{cell.fault}")


def flaws(
    grid: str,
    *,
    points: set[str],
    faults: set[str],
    outcomes: set[str],
    reasons: Mapping[str, str],
    kind_of: Callable[[str], str] = str,
) -> list[str]:
    """Return what is wrong with a grid: rows, columns or words amiss, a kind of them without a quick cell."""
    table = cells(grid)
    by_row = {cell.point for cell in table}
    by_column = {cell.fault for cell in table}
    found = [f"rows differ: {sorted(by_row ^ points)}"] if by_row != points else []
    found += [f"columns differ: {sorted(by_column ^ faults)}"] if by_column != faults else []
    words = {cell.word for cell in table if cell.is_possible}
    given = {cell.word.strip("()") for cell in table if not cell.is_possible}
    found += [f"unknown or unused outcomes: {sorted(words ^ outcomes)}"] if words != outcomes else []
    found += [f"unknown or unused reasons: {sorted(given ^ set(reasons))}"] if given != set(reasons) else []
    possible = {*chain.from_iterable((kind_of(each.point), each.fault) for each in table if each.is_possible)}
    quick = {*chain.from_iterable((kind_of(each.point), each.fault) for each in table if each.is_quick)}
    return found + [f"no quick cell for {name}" for name in sorted(possible - quick)]
