"""Known jobs as the service has them now, for few requests: usually one per hundred."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from ftjobs.errors import FtjobsError, RejectedError, UnavailableError
from ftjobs.jobs.job import SUCCEEDED, Job
from ftjobs.logs import get_logger
from ftjobs.provider.api import PAGE_LIMIT, Api
from ftjobs.provider.objects import JobPage
from ftjobs.workflows.at_once import AtOnce

log = get_logger(__name__)

# Another page is worth its request only while the last one held at least this many of ours.
_WORTH_A_PAGE = 2
# Requests under way at once: what one process may well ask of an API.
_AT_ONCE = 16
# Readers of a list at once: only a page tells the cursor of the next one, but our own ids are cursors too.
_MOST_LANES = 4
# What a service says of an account rather than of a cursor that it does not know.
_OF_THE_ACCOUNT = {401, 402, 403, 429}


class Known(Protocol):
    """What must be known of a job to find it on the lists."""

    @property
    def id(self) -> str:
        """Its id, which is a cursor too."""

    @property
    def created_at(self) -> datetime:
        """When the service made it: lists are in this order, newest first."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Its metadata, as the service told it."""


@dataclass(slots=True)
class Fetched:
    """What has come: the known jobs, other jobs on their pages, ids that are missing, and what went wrong."""

    jobs: list[Job] = field(default_factory=list)
    others: list[Job] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    failures: list[FtjobsError] = field(default_factory=list)


@dataclass(slots=True)
class _Lane:
    """A reader of the list for these jobs, newest first, from behind `cursor` on (None: from the newest).

    A page without enough of ours is passed by once: the next of ours is asked for by itself, and is the cursor
    from then on. Where that does not help either, the lane ends.
    """

    ids: Sequence[str]
    metadata: Mapping[str, str] | None
    cursor: str | None = None
    may_jump: bool = True


def fetch(known: Iterable[Known], api: Api, *, mark: Mapping[str, str] | None) -> Iterator[Fetched]:
    """Yield what the service has of the known jobs, as it comes, until each was found or found missing.

    `mark` is the metadata by which the service can filter its lists, None where it is not known to keep any.
    Trouble with one job is among the failures; UnavailableError or RejectedError where asking on is useless.
    """
    work = _Fetching(known, api)
    try:
        work.begin(mark)
        while not work.requests.is_idle:
            work.requests.take()
            yield work.take_fetched()
            if work.trouble is not None:
                raise work.trouble
    finally:
        work.requests.close()


class _Fetching:
    """What is still waited for, newest first, the requests for it, and the trouble that makes them useless."""

    def __init__(self, known: Iterable[Known], api: Api) -> None:
        newest_first = sorted(known, key=lambda job: (job.created_at, job.id), reverse=True)
        self._waiting = {job.id: job for job in newest_first}
        self._known = frozenset(self._waiting)
        self._api = api
        self._fetched = Fetched()
        self.requests = AtOnce(_AT_ONCE)
        self.trouble: FtjobsError | None = None

    def begin(self, mark: Mapping[str, str] | None) -> None:
        """Send the first requests: lists are filtered for the jobs that bear the mark, if there is one."""
        marked = {job.id for job in self._waiting.values() if mark and mark.items() <= job.metadata.items()}
        self._read_lists([job_id for job_id in self._waiting if job_id in marked], mark)
        self._read_lists([job_id for job_id in self._waiting if job_id not in marked], None)

    def take_fetched(self) -> Fetched:
        """Return what has come since the last time."""
        fetched, self._fetched = self._fetched, Fetched()
        return fetched

    def _read_lists(self, ids: Sequence[str], metadata: Mapping[str, str] | None) -> None:
        pages = -(-len(ids) // PAGE_LIMIT)
        size = -(-pages // _MOST_LANES) * PAGE_LIMIT
        for start in range(0, len(ids), size or 1):
            cursor = ids[start - 1] if start else None
            self._read_on(_Lane(ids[start : start + size], metadata, cursor))

    def _read_on(self, lane: _Lane) -> None:
        lane.ids = [job_id for job_id in lane.ids if job_id in self._waiting]
        if len(lane.ids) < _WORTH_A_PAGE:
            self._ask_singly(lane)
            return
        ask = partial(self._api.list_jobs, metadata=lane.metadata, after=lane.cursor, skips_damaged=True)
        self.requests.ask(ask, partial(self._take_page, lane))

    def _take_page(self, lane: _Lane, page: JobPage | FtjobsError) -> None:
        if isinstance(page, FtjobsError):
            self._read_no_more(lane, page)
            return
        if page.damaged:
            log.warning("jobs.unreadable", count=page.damaged)
        hits = [job for job in page.jobs if self._waiting.pop(job.id, None)]
        for job in hits:
            if job.status == SUCCEEDED and job.trained_tokens is None:
                # The lists of some services leave out what retrieving a job tells.
                self.requests.ask(partial(self._api.retrieve_job, job.id), partial(self._take_fuller, job))
            else:
                self._fetched.jobs.append(job)
        self._fetched.others.extend(job for job in page.jobs if job.id not in self._known)
        if page.after is None:
            self._ask_singly(lane)
        elif len(hits) >= _WORTH_A_PAGE:
            lane.cursor, lane.may_jump = page.after, True
            self._read_on(lane)
        elif lane.may_jump:
            lane.may_jump = False
            self._jump(lane)
        else:
            self._ask_singly(lane)

    def _read_no_more(self, lane: _Lane, error: FtjobsError) -> None:
        """A cursor that the service does not take, or a list that lies, leaves asking one by one."""
        is_refused = isinstance(error, RejectedError) and error.details.get("http_status") not in _OF_THE_ACCOUNT
        is_about_cursor = lane.cursor is not None and is_refused
        if is_about_cursor or error.details.get("unusable_answer"):
            log.info("list.useless", reason=error.message)
            self._ask_singly(lane)
        elif lane.cursor is not None and lane.may_jump:
            # Some fail over a cursor whose job is gone; one job asked for by itself tells that from an outage.
            lane.may_jump = False
            self._jump(lane)
        else:
            self.trouble = error

    def _jump(self, lane: _Lane) -> None:
        lane.ids = [job_id for job_id in lane.ids if job_id in self._waiting]
        if lane.ids:
            lane.cursor = lane.ids[0]
            self._ask(lane.cursor, lane)

    def _ask_singly(self, lane: _Lane) -> None:
        for job_id in lane.ids:
            if job_id in self._waiting:
                self._ask(job_id)

    def _ask(self, job_id: str, lane: _Lane | None = None) -> None:
        self.requests.ask(partial(self._api.retrieve_job, job_id), partial(self._take_job, job_id, lane))

    def _take_fuller(self, listed: Job, job: Job | FtjobsError | None) -> None:
        self._fetched.jobs.append(job if isinstance(job, Job) else listed)

    def _take_job(self, job_id: str, lane: _Lane | None, job: Job | FtjobsError | None) -> None:
        if isinstance(job, UnavailableError) and not job.details.get("unusable_answer"):
            self.trouble = job
            return
        if self._waiting.pop(job_id, None):
            match job:
                case Job():
                    self._fetched.jobs.append(job)
                case None:
                    self._fetched.missing.append(job_id)
                case FtjobsError():
                    job.details.setdefault("job_id", job_id)
                    self._fetched.failures.append(job)
        if lane is not None and isinstance(job, Job):
            self._read_on(lane)
        elif lane is not None:
            self._jump(lane)
