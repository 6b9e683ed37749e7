"""Where watching shows: a live table on a terminal, changed lines when piped, JSON Lines with --json."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from ftjobs import logs
from ftjobs.cli.context import say, width
from ftjobs.cli.live import Live
from ftjobs.cli.options import QUIET, VERBOSE, Globals, encodable, print_json
from ftjobs.logs import scrub_text
from ftjobs.reports.jobs import attention_note, jobs_json, jobs_text
from ftjobs.reports.order import open_first
from ftjobs.reports.sparkline import BLOCKS, TRACK
from ftjobs.reports.watching import changed_line, screen, stall_note, told_of, watch_table

if TYPE_CHECKING:
    from ftjobs.ambient import Ambient
    from ftjobs.app import App
    from ftjobs.errors import UnavailableError
    from ftjobs.ledger.entries import Trail
    from ftjobs.workflows.observe import Snapshot

# The time left runs down between two looks; and a signal just before a sleep is acted on only after it.
_TICK_S = 1.0


class Screen(Protocol):
    """Shows one look after another, and what else there is to tell."""

    def show(self, snapshots: Sequence[Snapshot], *, looked_at: datetime | None) -> None:
        """Show the jobs as they were at that instant; None: as the ledger has them, before anybody asked."""

    def wait(self, seconds: float) -> None:
        """Return after as long."""

    def visible(self, trails: Sequence[Trail]) -> Sequence[Trail]:
        """Return those of the jobs that somebody sees."""

    def note(self, text: str) -> None:
        """Tell something that stays so."""

    def away(self, error: UnavailableError) -> None:
        """Tell that the service does not answer."""

    def back(self, since: datetime) -> None:
        """Tell that it answers again."""


@contextmanager
def open_screen(app: App, given: Globals) -> Iterator[Screen]:
    """Yield the screen that suits stdout; afterwards the terminal is as it was, with the last look on it."""
    # With -v, or JSON logs, events come between the looks, and a table would be painted over them.
    is_talkative = sys.stderr.isatty() and (given.verbosity == VERBOSE or logs.are_json())
    is_dumb = os.environ.get("TERM", "dumb") == "dumb"
    if given.json or given.plain or is_dumb or is_talkative or not sys.stdout.isatty():
        yield _Stream(given, sleep=app.ambient.sleep)
        return
    table = _Table(given, app.ambient)
    held = io.StringIO()
    logs.configure(style=app.settings.log, verbosity=given.verbosity, stream=held)
    try:
        with table.live:
            yield table
    finally:
        logs.configure(style=app.settings.log, verbosity=given.verbosity)
        table.leave()
        sys.stderr.write(held.getvalue())


class _Stream:
    """A line for each change; what is not a result is told on stderr, once."""

    def __init__(self, given: Globals, *, sleep: Callable[[float], None]) -> None:
        self._given = given
        self._sleep = sleep
        self._told: dict[str, Hashable] = {}
        self._noted: set[Hashable] = set()

    def show(self, snapshots: Sequence[Snapshot], *, looked_at: datetime | None) -> None:
        if looked_at is None:
            return
        news = {trail.submission.id: told_of(trail, progress) for trail, progress in snapshots}
        changed = {each for each, value in news.items() if each not in self._told or self._told[each] != value}
        self._told.update(news)
        if self._given.json and changed:
            known = {trail.submission.id: progress for trail, progress in snapshots}
            print_json(jobs_json([trail for trail, _ in snapshots], progress=known, sandbox=self._given.sandbox))
        elif not self._given.json:
            for trail, progress in snapshots:
                if trail.submission.id in changed:
                    print(changed_line(trail, progress, now=looked_at))
        sys.stdout.flush()
        for trail, progress in snapshots:
            if stall := progress.stalled:
                self._once((trail.submission.id, stall.what), stall_note(trail, stall))
            if text := attention_note(trail):
                self._once((trail.submission.id, trail.submission.status), text)

    def wait(self, seconds: float) -> None:
        for nap_s in _naps(seconds):
            self._sleep(nap_s)

    def visible(self, trails: Sequence[Trail]) -> Sequence[Trail]:
        return trails

    def note(self, text: str) -> None:
        say(f"note: {text}", self._given)

    def away(self, error: UnavailableError) -> None:
        say(f"note: {error.message} Looking again until it does.", self._given)

    def back(self, since: datetime) -> None:
        say(f"note: The service answers again; it had not since {_clock(since)}.", self._given)

    def _once(self, what: Hashable, text: str) -> None:
        if what not in self._noted:
            self._noted.add(what)
            self.note(text)


class _Table:
    """A screenful of the jobs, those under way first."""

    def __init__(self, given: Globals, ambient: Ambient) -> None:
        self.live = Live(self._paint)
        self._given = given
        self._now = ambient.now
        self._sleep = ambient.sleep
        self._ascii_only = not encodable(BLOCKS + TRACK, sys.stdout)
        self._snapshots: Sequence[Snapshot] = ()
        self._looked_at: datetime | None = None
        self._notes: list[str] = []
        self._away: str | None = None

    def show(self, snapshots: Sequence[Snapshot], *, looked_at: datetime | None) -> None:
        by_id = {each.trail.submission.id: each for each in snapshots}
        in_order = open_first([each.trail for each in snapshots])
        self._snapshots = [by_id[trail.submission.id] for trail in in_order]
        if self._away is None:  # what is shown during an outage is as old as the last answer
            self._looked_at = looked_at
        self.live.refresh()

    def wait(self, seconds: float) -> None:
        for nap_s in _naps(seconds):
            self._sleep(nap_s)
            self.live.refresh()

    def visible(self, trails: Sequence[Trail]) -> Sequence[Trail]:
        return open_first(trails)[: self.live.rows]

    def note(self, text: str) -> None:
        self._notes.append(f"note: {text}")

    def away(self, error: UnavailableError) -> None:
        self._away = f"note: {error.message} Not since {_clock(self._now())}; looking again."
        self.live.refresh()

    def back(self, since: datetime) -> None:
        self._away = None

    def leave(self) -> None:
        """Print the last look where it stays."""
        if not self._snapshots:
            return
        cells = width(self._given)
        if all(trail.submission.is_over for trail, _ in self._snapshots):
            from ftjobs.ledger.month import Line

            print(jobs_text([Line(trail) for trail, _ in self._snapshots], width=cells))
        else:
            print(watch_table(self._snapshots, now=self._now(), width=cells, ascii_only=self._ascii_only))
        if self._given.verbosity != QUIET:
            for note in self._notes:
                print(scrub_text(note), file=sys.stderr)

    def _paint(self, columns: int, rows: int) -> Sequence[str]:
        looked = f"as of {_clock(self._looked_at)}" if self._looked_at else "asking the service"
        told = [*self._about_jobs(), *self._notes, *([self._away] if self._away else [])]
        return screen(
            self._snapshots,
            now=self._now(),
            columns=columns,
            rows=rows,
            notes=[self._given.spelled(scrub_text(note)) for note in told],
            footer=f"{looked}; Ctrl-C stops watching, the jobs go on",
            ascii_only=self._ascii_only,
        )

    def _about_jobs(self) -> Iterator[str]:
        for trail, progress in self._snapshots:
            if progress.stalled:
                yield stall_note(trail, progress.stalled)
            if text := attention_note(trail):
                yield text


def _naps(seconds: float) -> Iterator[float]:
    while seconds > 0:
        yield min(seconds, _TICK_S)
        seconds -= _TICK_S


def _clock(instant: datetime) -> str:
    return f"{instant:%H:%M:%S} UTC"
