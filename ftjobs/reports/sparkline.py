"""Numbers as a row of blocks, and a share as a bar; in ASCII where a terminal cannot show blocks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

BLOCKS: Final = "▁▂▃▄▅▆▇█"
TRACK: Final = "█░"
"""What both draw with: a stream that cannot hold these gets ASCII."""

_ASCII_BLOCKS = "_.,-~=+*"
_ASCII_TRACK = "#-"


def sparkline(values: Sequence[float], width: int, *, ascii_only: bool = False) -> str:
    """Return the course of finite values in at most `width` cells, from their lowest to their highest.

    More values than cells are averaged cell by cell; values that are all alike are a flat line.
    """
    blocks = _ASCII_BLOCKS if ascii_only else BLOCKS
    halves = [value / 2 for value in values]  # so that no difference of two is infinite
    cells = min(len(halves), width)
    means = [_mean(halves[len(halves) * nth // cells : len(halves) * (nth + 1) // cells]) for nth in range(cells)]
    if not means:
        return ""
    low, spread = min(means), max(means) - min(means)
    if spread == 0:
        return blocks[0] * cells
    return "".join(blocks[min(int((mean - low) / spread * len(blocks)), len(blocks) - 1)] for mean in means)


def spikes(amounts: Sequence[int]) -> str:
    """Return a cell for each amount, measured by the highest; the lowest block is nothing, and nothing else is."""
    most, steps = max(amounts, default=0), len(BLOCKS) - 1
    return "".join(BLOCKS[-(-steps * amount // most) if amount > 0 else 0] for amount in amounts)


def gauge(fraction: float, width: int, *, ascii_only: bool = False) -> str:
    """Return a bar of `width` cells with `fraction` (0 to 1) of it filled; it is full for 1 alone."""
    track = _ASCII_TRACK if ascii_only else TRACK
    filled = min(max(math.floor(fraction * width), 0), width)
    return track[0] * filled + track[1] * (width - filled)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(value / len(values) for value in values)
