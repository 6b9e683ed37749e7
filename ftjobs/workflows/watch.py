"""Sync until every job has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from ftjobs.ambient import Ambient
from ftjobs.errors import UnavailableError, WaitTimeoutError
from ftjobs.jobs.progress import progress_of
from ftjobs.ledger.entries import Trail
from ftjobs.workflows.observe import Snapshot

_RELAX = 1.25
_NAMED = 3
# A service that asks for a longer wait is asked again after this one: whole days without a look help nobody.
_LONGEST_ASKED_S = 600.0


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
    look: Callable[[Sequence[Trail]], Sequence[Snapshot]],
) -> Iterator[tuple[Snapshot, ...]]:
    """Yield a snapshot of each job that `refresh` returns, at once and after each interval, until all are over.

    `look` says how far they are. WaitTimeoutError where `timeout_s` passes first; the jobs go on.
    """
    started, interval_s = ambient.monotonic(), schedule.initial_s
    seen: list[str] | None = None
    while True:
        trails = refresh()
        yield tuple(look(trails))
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
                f"After {timeout_s:g} s {len(open_ids)} of {len(trails)} jobs had not ended when last seen.",
                next_step=f"They go on; `{watch_line(trails)}` watches them.",
                job_ids=open_ids,
            )
        ambient.sleep(interval_s)


def glance(trails: Sequence[Trail], *, now: datetime) -> tuple[Snapshot, ...]:
    """Return a snapshot of each by the service's last word and times alone."""
    return tuple(Snapshot(trail, progress_of(trail.submission.job, now=now)) for trail in trails)


class Outage:
    """Whether a service is away: told once when it goes, and once when it is back.

    While a service asks to be left alone, it is.
    """

    def __init__(
        self,
        ambient: Ambient,
        *,
        on_away: Callable[[UnavailableError], None] = lambda _: None,
        on_back: Callable[[datetime], None] = lambda _: None,
    ) -> None:
        self._ambient = ambient
        self._on_away = on_away
        self._on_back = on_back
        self._not_before_s = float("-inf")
        self.since: datetime | None = None

    def attempt(self, ask: Callable[[], None]) -> None:
        """Run `ask`, which may raise UnavailableError; every other failure is raised."""
        if self._ambient.monotonic() < self._not_before_s:
            return
        try:
            ask()
        except UnavailableError as error:
            asked_s = error.details.get("retry_after_s")
            if isinstance(asked_s, int | float):
                self._not_before_s = self._ambient.monotonic() + min(asked_s, _LONGEST_ASKED_S)
            if self.since is None:
                self.since = self._ambient.now()
                self._on_away(error)
            return
        if self.since is not None:
            since, self.since = self.since, None
            self._on_back(since)


def watch_line(trails: Sequence[Trail]) -> str:
    """Return the command that goes on watching what has not ended; one that names nothing watches all there is."""
    open_ids = _open_ids(trails)
    return " ".join(["ftjobs watch", *(open_ids if len(open_ids) <= _NAMED else [])])


def _open_ids(trails: Sequence[Trail]) -> list[str]:
    submissions = [trail.submission for trail in trails if not trail.submission.is_over]
    return [each.job.id if each.job else each.id for each in submissions]
