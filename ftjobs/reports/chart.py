"""The loss of a job as a chart in plain text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ftjobs.jobs.curve import Curve, Point

_NARROWEST, _WIDEST = 30, 100
# Beyond these a number is no loss and no step, and would bend the axis until nothing else is seen.
_MOST_LOSS, _MOST_STEP = 1e6, 10**9
_CELLS_A_MARK = 4
_BRAILLE = 0x2800
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # of a braille cell, by row and column


@dataclass(frozen=True, slots=True)
class Marks:
    """What a chart is drawn with; `fine` where a cell holds 2 × 4 dots."""

    train: str
    valid: str
    both: str
    axis: str
    tick: str
    corner: str
    floor: str
    fine: bool


FINE = Marks("⠒", "○", "●", "│", "┤", "└", "─", fine=True)
ASCII = Marks("*", "o", "@", "|", "+", "+", "-", fine=False)


def has_losses(curve: Curve) -> bool:
    """Return whether there is something to draw."""
    return any(series(curve, name) for name in ("train_loss", "valid_loss"))


def loss_chart(curve: Curve, *, width: int | None, height: int = 10, marks: Marks = FINE) -> list[str]:
    """Return the lines of a chart of the loss over the steps, its axes labelled; none without a loss.

    It takes at most `width` cells as far as it can be read so; on a pipe (None) and for `PLAIN` it is told in
    words. Training and validation differ by their marks; where many steps share a column, it shows their mean.
    """
    train, valid = series(curve, "train_loss"), series(curve, "valid_loss")
    if not width:
        told = (("training", train), ("validation", valid))
        return [loss_words(name, known) for name, known in told if known]
    if not train and not valid:
        return []
    every = [*train, *valid]
    low, high = min(loss for _, loss in every), max(loss for _, loss in every)
    first, last = min(step for step, _ in every), max(step for step, _ in every)
    labels = _labels(low, high, height)
    margin = max(len("loss"), *map(len, labels.values()))
    columns = min(max(width, _NARROWEST), _WIDEST) - margin - 2
    place = _Scale(first, last, low, high)
    cells = _cells(train, valid, place, columns=columns, height=height, marks=marks)
    return [
        f"{'loss':>{margin}}",
        *(
            f"{labels.get(row, ''):>{margin}} {marks.tick if row in labels else marks.axis}{''.join(cells[row])}"
            .rstrip()
            for row in range(height)
        ),
        f"{'':{margin}} {marks.corner}{marks.floor * columns}",
        _floor_labels(first, last, margin=margin, columns=columns),
        *(f"{'':{margin}}  {line}" for line in _legend(train, valid, marks, columns=columns)),
    ]  # fmt: skip


def loss_words(name: str, known: Sequence[tuple[int, float]]) -> str:
    """Return "training loss from 2.1 at step 1 to 0.41 at step 108, lowest 0.4 at step 100"; for one or more."""
    (first, start), (last, end) = known[0], known[-1]
    if first == last:
        return f"{name} loss {start:.4g} at step {first:,}"
    least_at, least = min(known, key=lambda each: each[1])
    lowest = "" if least_at == last else f", lowest {least:.4g} at step {least_at:,}"
    return f"{name} loss from {start:.4g} at step {first:,} to {end:.4g} at step {last:,}{lowest}"


@dataclass(frozen=True, slots=True)
class _Scale:
    first: int
    last: int
    low: float
    high: float

    def x(self, step: int, size: int) -> int:
        return round((step - self.first) / (self.last - self.first) * (size - 1)) if self.last > self.first else 0

    def y(self, loss: float, size: int) -> int:
        """Return the row, from 0 at the top; in the middle where all losses are one."""
        share = (self.high - loss) / (self.high - self.low) if self.high > self.low else 0.5
        return round(share * (size - 1))


def series(curve: Curve, name: str) -> list[tuple[int, float]]:
    """Return the credible losses of this name by step."""

    def credible(point: Point) -> bool:
        loss = getattr(point, name)
        return loss is not None and abs(loss) <= _MOST_LOSS and point.step <= _MOST_STEP

    return [(point.step, getattr(point, name)) for point in curve.points if credible(point)]


def _labels(low: float, high: float, height: int) -> dict[int, str]:
    if high == low:
        return {round(0.5 * (height - 1)): f"{low:.4g}"}
    middle = height // 2 if height % 2 else None
    at = {0: high, height - 1: low} | ({middle: (high + low) / 2} if middle is not None else {})
    return {row: f"{loss:.4g}" for row, loss in at.items()}


def _floor_labels(first: int, last: int, *, margin: int, columns: int) -> str:
    left, right = f"{first:,}", f"{last:,}"
    if first == last:
        return f"{'':{margin}}  {left} (step)"
    room = columns - len(left) - len(right)
    middle = f"{'step':^{room}}" if room > len(" step ") else " - "
    return f"{'':{margin}}  {left}{middle}{right}"


def _legend(train: Sequence[object], valid: Sequence[object], marks: Marks, *, columns: int) -> list[str]:
    told = [f"{marks.train} training"] if train else []
    told += [f"{marks.valid} validation"] if valid else []
    told += [f"{marks.both} both"] if train and valid else []
    line = "   ".join(told)
    return [line] if len(line) <= columns else told


def _cells(
    train: Sequence[tuple[int, float]],
    valid: Sequence[tuple[int, float]],
    place: _Scale,
    *,
    columns: int,
    height: int,
    marks: Marks,
) -> list[list[str]]:
    across, down = (2, 4) if marks.fine else (1, 1)
    dots = set(_line(_means(train, place, columns * across, height * down)))
    drawn: dict[tuple[int, int], int] = {}
    for x, y in dots:
        cell = (y // down, x // across)
        drawn[cell] = drawn.get(cell, 0) | _DOTS[y % down][x % across]
    cells = [[" "] * columns for _ in range(height)]
    for (row, column), pattern in drawn.items():
        cells[row][column] = chr(_BRAILLE + pattern) if marks.fine else marks.train
    marked = _means(valid, place, columns, height)
    stride = -(-len(marked) * _CELLS_A_MARK // columns) or 1  # a mark in every cell would hide the line
    for x, y in marked[::-1][::stride]:
        cells[y][x] = marks.both if (y, x) in drawn else marks.valid
    return cells


def _means(series: Sequence[tuple[int, float]], place: _Scale, across: int, down: int) -> list[tuple[int, int]]:
    """Return one dot a column that has a value, from left to right."""
    by_column: dict[int, list[float]] = {}
    for step, loss in series:
        by_column.setdefault(place.x(step, across), []).append(loss)
    return [(x, place.y(sum(losses) / len(losses), down)) for x, losses in sorted(by_column.items())]


def _line(dots: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the dots and what lies on the straight lines between neighbours."""
    yield from dots[:1]
    for (x0, y0), (x1, y1) in pairwise(dots):
        moves = max(x1 - x0, abs(y1 - y0))
        for move in range(1, moves + 1):
            yield x0 + round((x1 - x0) * move / moves), y0 + round((y1 - y0) * move / moves)
