"""How far a job is, when it will be done and whether it seems stuck. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from ftjobs.jobs.curve import Curve, Point
from ftjobs.jobs.job import SUCCEEDED, Job

# Checking files takes minutes, and the first hour covers a service's bad day.
VALIDATES_WITHIN = timedelta(hours=1)
# Queues of an hour or two are ordinary at busy times.
QUEUES_WITHIN = timedelta(hours=6)
# A step takes seconds to minutes. Large models on long examples are slower, so a job's own pace counts too.
STEPS_WITHIN = timedelta(minutes=40)
TIMES_ITS_PACE = 10

# Pace is taken of the newest points: the first steps, and those before a pause, took their own time.
_RECENT_POINTS = 20
# All steps are done and the job has not ended: the model is being made, or checked.
_NEARLY = 0.99
# More than any job takes: such a number is not believed.
_MOST_STEPS = 10**9


@dataclass(frozen=True, slots=True)
class Stall:
    """What takes longer than it should, and for how long: since the job was created, or since its last event."""

    what: Literal["validating_files", "queued", "no_step"]
    lasting: timedelta


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is; what nobody knows is None.

    `fraction` is 0 to 1, and 1 only for a job that succeeded. `losses` are the training losses by rising step.
    `eta` lies ahead of the instant at which it was asked for.
    """

    step: int | None = None
    total_steps: int | None = None
    fraction: float | None = None
    losses: tuple[float, ...] = ()
    eta: datetime | None = None
    stalled: Stall | None = None


def progress_of(
    job: Job | None, curve: Curve | None = None, *, now: datetime, newest_event_at: datetime | None = None
) -> Progress:
    """Return how far the job is by its curve (None: nobody looked); a submission without a job is nowhere yet."""
    if job is None:
        return Progress()
    points = [each for each in curve.points if each.step <= _MOST_STEPS] if curve else []
    step = points[-1].step if points else None
    total_steps = curve.total_steps if curve and (curve.total_steps or 0) <= _MOST_STEPS else None
    heard_at = max((at for at in (newest_event_at, *(each.at for each in points[-1:])) if at), default=None)
    return Progress(
        step=step,
        total_steps=total_steps,
        fraction=_fraction(job, step, total_steps),
        losses=tuple(each.train_loss for each in points if each.train_loss is not None),
        eta=_eta(job, points, total_steps, now),
        stalled=_stall(job, points, total_steps, now=now, heard_at=heard_at),
    )


def _fraction(job: Job, step: int | None, total_steps: int | None) -> float | None:
    if job.status == SUCCEEDED:
        return 1.0
    if step is None or total_steps is None:
        return None
    return min(round(step / total_steps, 4), _NEARLY)


def _eta(job: Job, points: list[Point], total_steps: int | None, now: datetime) -> datetime | None:
    """Return what the service expects, else what the pace of the steps says; nothing that has passed."""
    if job.ended:
        return None
    if job.estimated_finish is not None and job.estimated_finish > now:
        return job.estimated_finish
    measured = _measured(points)
    if measured is None or total_steps is None:
        return None
    first, last, first_at, last_at = measured
    try:
        end = last_at + (last_at - first_at) / (last.step - first.step) * (total_steps - last.step)
    except OverflowError:
        return None
    return end if end > now else None


def _measured(points: list[Point]) -> tuple[Point, Point, datetime, datetime] | None:
    """Return the ends, with their times, of the newest stretch of points that took any time.

    Times are whole seconds, so many points may share one: then all points are the stretch.
    """
    timed = [each for each in points if each.at is not None]
    for stretch in (timed[-_RECENT_POINTS:], timed):
        if not stretch:
            continue
        first, last = stretch[0], stretch[-1]
        if first.at is not None and last.at is not None and last.at > first.at and last.step > first.step:
            return first, last, first.at, last.at
    return None


def _stall(
    job: Job, points: list[Point], total_steps: int | None, *, now: datetime, heard_at: datetime | None
) -> Stall | None:
    age = now - job.created_at
    match job.status:
        case "validating_files" if age > VALIDATES_WITHIN:
            return Stall("validating_files", age)
        case "queued" if age > QUEUES_WITHIN:
            return Stall("queued", age)
        case "running" if heard_at is not None and not (points and points[-1].step == total_steps):
            silence = now - heard_at
            is_slow = silence > STEPS_WITHIN and silence.total_seconds() > TIMES_ITS_PACE * _gap_s(points)
            return Stall("no_step", silence) if is_slow else None
        case _:
            return None


def _gap_s(points: list[Point]) -> float:
    """Return the seconds that usually lie between two of the newest points, 0 where nobody can tell."""
    measured = _measured(points)
    if measured is None:
        return 0.0
    first, _, first_at, last_at = measured
    between = sum(1 for each in points if each.step > first.step and each.at is not None)
    return (last_at - first_at).total_seconds() / max(between, 1)
