"""How long a file's examples are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import NamedTuple

_MOST_BINS = 12
_SKEWED = 16


class Bin(NamedTuple):
    """How many examples have `start` to below `stop` dataset tokens."""

    start: int
    stop: int
    examples: int


@dataclass(frozen=True, slots=True)
class Lengths:
    """The dataset tokens of one example, over a file: expected counts, not cut to any limit.

    `p5` and `p95` are the lengths that 5% and 95% of the examples do not exceed. `longest_5pct_share_pct` is how
    much of the file's dataset tokens the longest 5% of its examples hold, 0 to 100. `bins` are at most 12, touch
    each other and hold every example.
    """

    shortest: int
    p5: int
    median: int
    p95: int
    longest: int
    longest_5pct_share_pct: int
    bins: tuple[Bin, ...]

    @classmethod
    def of(cls, examples: Mapping[int, int]) -> Lengths | None:
        """Return the lengths of a file from how many examples have each; None of a file without any."""
        if not examples:
            return None
        lengths = sorted(examples)
        upto = list(accumulate(examples[length] for length in lengths))
        number = upto[-1]

        def at(percent: int) -> int:
            rank = max(1, -(-number * percent // 100))
            return next(length for length, count in zip(lengths, upto, strict=True) if count >= rank)

        whole = sum(length * count for length, count in examples.items())
        return cls(
            shortest=lengths[0],
            p5=at(5),
            median=at(50),
            p95=at(95),
            longest=lengths[-1],
            longest_5pct_share_pct=100 * _held_by_longest(examples, max(1, number // 20)) // max(1, whole),
            bins=tuple(_bins(examples, lengths[0], lengths[-1])),
        )


def _held_by_longest(examples: Mapping[int, int], number: int) -> int:
    held = 0
    for length in sorted(examples, reverse=True):
        taken = min(number, examples[length])
        held += taken * length
        number -= taken
        if not number:
            break
    return held


def _bins(examples: Mapping[int, int], shortest: int, longest: int) -> Iterator[Bin]:
    edges = _edges(shortest, longest)
    for start, stop in pairwise(edges):
        yield Bin(start, stop, sum(count for length, count in examples.items() if start <= length < stop))


def _edges(shortest: int, longest: int) -> list[int]:
    """Return round edges: evenly spaced, or doubling where the longest would press the rest into one bin."""
    if longest > _SKEWED * max(shortest, 1):
        stop = 1 << longest.bit_length()
        edges = [stop >> n for n in range(_MOST_BINS) if stop >> n > shortest]
        lowest = edges[-1] >> 1
        return [lowest if lowest <= shortest else 0, *reversed(edges)]
    width = next(
        unit * 10**power
        for power in range(20)
        for unit in (1, 2, 5)
        if longest // (unit * 10**power) - shortest // (unit * 10**power) < _MOST_BINS
    )
    return list(range(shortest // width * width, longest // width * width + width + 1, width))
