"""The loss of a job by step, from its metrics events."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from ftjobs.jobs.event import METRICS, Event


@dataclass(frozen=True, slots=True)
class Point:
    """What was measured after `step` (1 or more) batches; None for what was not. `at` is None out of a file."""

    step: int
    at: datetime | None = None
    train_loss: float | None = None
    valid_loss: float | None = None
    train_accuracy: float | None = None
    valid_accuracy: float | None = None


@dataclass(frozen=True, slots=True)
class Curve:
    """Points by rising step, one a step; `total_steps` is how many the job takes, None where nobody said."""

    points: tuple[Point, ...] = ()
    total_steps: int | None = None

    @property
    def last(self) -> Point | None:
        """The newest point, None before the first."""
        return self.points[-1] if self.points else None


def curve_of(events: Iterable[Event]) -> Curve:
    """Return the curve that these events tell, in whatever order they come; the newest word on a step counts.

    What carries no step is no point, and what is not a finite number was not measured. The total is the last one
    that was told and that no step exceeds.
    """
    points: dict[int, Point] = {}
    total_steps = None
    for event in sorted(events, key=lambda event: event.at):
        step = count(event.data.get("step"))
        if event.type != METRICS or step is None:
            continue
        points[step] = point(event.data, step=step, at=event.at)
        total_steps = count(event.data.get("total_steps")) or total_steps
    in_order = tuple(points[step] for step in sorted(points))
    exceeded = total_steps is not None and bool(in_order) and in_order[-1].step > total_steps
    return Curve(in_order, None if exceeded else total_steps)


def joined(earlier: Curve, later: Curve) -> Curve:
    """Return one curve of both; the later word on a step and on the total counts."""
    by_step = {each.step: each for each in (*earlier.points, *later.points)}
    in_order = tuple(by_step[step] for step in sorted(by_step))
    total_steps = later.total_steps or earlier.total_steps
    exceeded = total_steps is not None and bool(in_order) and in_order[-1].step > total_steps
    return Curve(in_order, None if exceeded else total_steps)


def point(measured: Mapping[str, object], *, step: int, at: datetime | None = None) -> Point:
    """Return the point that these metrics make, by the names that events and result files use."""

    def of(*names: str) -> float | None:
        return next((value for name in names if (value := number(measured.get(name))) is not None), None)

    return Point(
        step,
        at,
        train_loss=of("train_loss"),
        valid_loss=of("valid_loss", "full_valid_loss"),
        train_accuracy=of("train_mean_token_accuracy", "train_accuracy"),
        valid_accuracy=of("valid_mean_token_accuracy", "full_valid_mean_token_accuracy", "valid_accuracy"),
    )


def number(value: object) -> float | None:
    """Return a finite number, out of text too; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def count(value: object) -> int | None:
    """Return a whole number of 1 or more, out of text too; None for anything else."""
    found = number(value)
    return int(found) if found is not None and found >= 1 and found == int(found) else None
