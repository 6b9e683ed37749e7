"""Sync until every job has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ftjobs.ambient import Ambient
from ftjobs.errors import WaitTimeoutError
from ftjobs.ledger.entries import Trail

_RELAX = 1.25
_NAMED = 3


@dataclass(frozen=True, slots=True)
class PollSchedule:
    """Seconds between two looks: `initial_s` at first and after each change, relaxing to `max_s`."""

    initial_s: float
    max_s: float

    def after(self, interval_s: float, *, changed: bool) -> float:
        """Return the interval that follows `interval_s`."""
        return self.initial_s if changed else min(interval_s * _RELAX, self.max_s)


def watch(
    refresh: Callable[[], Sequence[Trail]],
    ambient: Ambient,
    *,
    schedule: PollSchedule,
    timeout_s: float | None = None,
) -> Iterator[Sequence[Trail]]:
    """Yield what `refresh` returns, at once and after each interval, until all of it is over.

    WaitTimeoutError where `timeout_s` passes first; the jobs go on.
    """
    started, interval_s = ambient.monotonic(), schedule.initial_s
    seen: list[str] | None = None
    while True:
        trails = refresh()
        yield trails
        if all(trail.submission.is_over for trail in trails):
            return
        statuses = [trail.submission.status for trail in trails]
        if seen is not None:
            interval_s = schedule.after(interval_s, changed=statuses != seen)
        seen = statuses
        if timeout_s is not None and ambient.monotonic() + interval_s - started > timeout_s:
            open_ids = _open_ids(trails)
            raise WaitTimeoutError(
                "wait_timed_out",
                f"After {timeout_s:g} s {len(open_ids)} of {len(trails)} jobs had not ended; they go on.",
                next_step=f"Run `{watch_line(trails)}` to go on watching.",
                job_ids=open_ids,
            )
        ambient.sleep(interval_s)


def watch_line(trails: Sequence[Trail]) -> str:
    """Return the command that goes on watching what has not ended; one that names nothing watches all there is."""
    open_ids = _open_ids(trails)
    return " ".join(["ftjobs watch", *(open_ids if len(open_ids) <= _NAMED else [])])


def _open_ids(trails: Sequence[Trail]) -> list[str]:
    submissions = [trail.submission for trail in trails if not trail.submission.is_over]
    return [each.job.id if each.job else each.id for each in submissions]
