"""What a period lists, read as it is needed: the memory it takes hardly grows with the ledger."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from sqlalchemy import ColumnElement, Connection, Result, Select, Text, and_, select, type_coerce

from ftjobs.jobs.submission import Submission, SubmissionGlance
from ftjobs.ledger.changes import Earlier
from ftjobs.ledger.entries import Posting
from ftjobs.ledger.glances import GLANCED, POSTED, Loads, glance_of, posting_of, quick_loads
from ftjobs.ledger.history import Past
from ftjobs.ledger.hosting import HostingSum
from ftjobs.ledger.hosting_store import hosting_in
from ftjobs.ledger.month import Digested, Line, MonthReport, digest_of, report
from ftjobs.ledger.tables import entries, instant_of, jobs, submissions
from ftjobs.ledger.trails import among, listed_in, select_history, select_submissions, select_trails
from ftjobs.periods import Period

_A_TIME = 500
_BETWEEN = "\0"


class Listing:
    """The lines of a period within one transaction; as `MonthReport`, but each look at `lines` reads them anew."""

    def __init__(self, connection: Connection, period: Period | None, as_of: datetime | None) -> None:
        self.period, self.as_of = period, as_of
        self._connection = connection
        self._earlier = None if as_of is None else Earlier(connection, as_of)
        self._listed = listed_in(period, as_of=as_of)
        self._batches = list(self._read_ids())

    @property
    def is_empty(self) -> bool:
        """True where nothing is listed."""
        return not self._batches

    @property
    def lines(self) -> Iterator[Line]:
        """The lines, oldest first."""
        return self._lines(self._batches)

    @property
    def digest(self) -> str:
        """As the digest of `MonthReport`."""
        return digest_of(self._digested())

    @property
    def hosting(self) -> HostingSum:
        """What was hosted in the period, whichever jobs it lists."""
        return hosting_in(self._connection, self.period, as_of=self.as_of)

    def report(self) -> MonthReport:
        """Return the same with whole trails, in memory."""
        trails = select_trails(self._connection, self._listed, as_of=self.as_of)
        return report(trails, self.period, as_of=self.as_of, hosting=self.hosting)

    def noted(self) -> Iterator[tuple[Line, Sequence[str]]]:
        """Yield each line with what is unusual about it, as `Ledger.unusual` finds it."""
        if self._follow_their_ids:
            yield from self._noted(self._batches)
            return
        # An id begins with its time, so this is rare: two computers' clocks differed.
        told = {line.subject.id: notes for line, notes in self._noted(self._by_id()) if notes}
        for line in self.lines:
            yield line, told.get(line.subject.id, ())

    def _noted(self, batches: Sequence[str]) -> Iterator[tuple[Line, Sequence[str]]]:
        """Yield as `noted`, in the order of the ids."""
        if not batches:
            return
        first, last = batches[0].split(_BETWEEN)[0], batches[-1].split(_BETWEEN)[-1]
        told = [trail for before in (first, last) for trail in select_history(self._connection, before=before)]
        earlier = deque(Line(trail) for _, trail in sorted({each.submission.id: each for each in told}.items()))
        past = Past()
        for line in self._lines(batches):
            while earlier and earlier[0].subject.id <= line.subject.id:
                if earlier[0].subject.id < line.subject.id:
                    past.notes(earlier[0])
                earlier.popleft()
            yield line, past.notes(line)

    @property
    def _follow_their_ids(self) -> bool:
        return all(before < after for before, after in pairwise(self._ids()))

    def _ids(self) -> Iterator[str]:
        for batch in self._batches:
            yield from batch.split(_BETWEEN)

    def _by_id(self) -> list[str]:
        in_order = sorted(self._ids())
        return [_BETWEEN.join(in_order[nth : nth + _A_TIME]) for nth in range(0, len(in_order), _A_TIME)]

    def _digested(self) -> Iterator[Digested]:
        """Yield the entries in the order of their digest."""
        known: ColumnElement[bool] = entries.c.submission_id.in_(select(submissions.c.id).where(self._listed))
        if self.as_of is not None:
            known = and_(known, entries.c.recorded_at <= self.as_of)
        if self.period is not None:
            known = and_(known, entries.c.occurred_at < self.period.end)
        query = (
            select(
                entries.c.submission_id,
                entries.c.kind,
                entries.c.seq,
                entries.c.tokens,
                entries.c.amount_nano_usd,
                entries.c.nano_usd_per_1m,
                type_coerce(entries.c.occurred_at, Text),
                type_coerce(entries.c.recorded_at, Text),
            )
            .where(known)
            .order_by(entries.c.recorded_at, entries.c.submission_id, entries.c.kind, entries.c.seq)
        )
        for row in self._stream(query):
            own_id, kind, seq, tokens, nano, per_1m, occurred_at, recorded_at = tuple[Any, ...](row)
            yield own_id, kind, seq, tokens, nano, per_1m, instant_of(occurred_at), instant_of(recorded_at)

    def _stream(self, query: Select[Any]) -> Result[Any]:
        return self._connection.execute(query, execution_options={"yield_per": _A_TIME})

    def _read_ids(self) -> Iterator[str]:
        """Yield the ids in their order, some in one text: a million takes 27 MB so."""
        ids = select(submissions.c.id).where(self._listed).order_by(submissions.c.recorded_at, submissions.c.id)
        for some in self._stream(ids).scalars().partitions():
            yield _BETWEEN.join(some)

    def _lines(self, batches: Sequence[str]) -> Iterator[Line]:
        loads: Loads = json.loads
        for batch in batches:
            ids = batch.split(_BETWEEN)
            subjects, written = self._subjects(ids, loads), self._postings(ids)
            for each in ids:
                yield Line.of(subjects[each], written[each], self.period)
            loads = quick_loads()

    def _subjects(self, ids: Sequence[str], loads: Loads) -> dict[str, Submission | SubmissionGlance]:
        wanted = among(submissions.c.id, ids)
        if self._earlier is not None:
            return {each.id: self._earlier.of(each) for each in select_submissions(self._connection, wanted)}
        query = select(*GLANCED).select_from(submissions.outerjoin(jobs)).where(wanted)
        return {row[0]: glance_of(row, loads) for row in self._connection.execute(query).all()}

    def _postings(self, ids: Sequence[str]) -> dict[str, list[Posting]]:
        query = select(*POSTED).where(among(entries.c.submission_id, ids)).order_by(entries.c.id)
        if self.as_of is not None:
            query = query.where(entries.c.recorded_at <= self.as_of)
        written: dict[str, list[Posting]] = {each: [] for each in ids}
        for row in self._connection.execute(query).all():
            written[row[0]].append(posting_of(row))
        return written
