"""What belongs to a job at the service: its events, checkpoints and files, and the request to cancel it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

from ftjobs.errors import RejectedError
from ftjobs.jobs.event import Checkpoint, Event, parse_checkpoint, parse_event
from ftjobs.jobs.job import Job, parse_job
from ftjobs.provider.api import PAGE_LIMIT, Api
from ftjobs.provider.outcomes import (
    AGAIN_STATUSES,
    INCURABLE_429_CODES,
    Answer,
    NoReply,
    Rejected,
    Uncertain,
    error_of,
    one_line,
)
from ftjobs.provider.pages import has_more, list_in, walk

MAX_CONTENT_BYTES = 32 * 1024 * 1024
"""A result file is a few hundred KB; more than this is none, and would fill memory."""

_CHUNK_BYTES = 64 * 1024
# A page that says "log in" instead of the file.
_WEB_PAGE = (b"<!doctype html", b"<html")
# What a service may answer to a cancel that comes too late; to a read it means "ask again".
_CONFLICT = 409

T = TypeVar("T", Event, Checkpoint)
CancelOutcome = Job | Rejected | Uncertain
"""The job as the cancel was answered; the service's no; or nobody knows, and the job itself must be asked."""


def events(api: Api, job_id: str, *, newest: int | None = None) -> Iterator[Event]:
    """Yield the job's events, newest first: all of them, or the `newest` (1 or more), a page at a time.

    UnavailableError where a page cannot be believed, RejectedError where the service has no such job, or no
    events at all.
    """
    if newest is not None and newest < 1:
        raise ValueError("the newest events are 1 or more")
    limit = PAGE_LIMIT if newest is None else min(newest, PAGE_LIMIT)

    _require_feature(api, "events")

    def ask(client: Any, page: Mapping[str, Any]) -> Any:
        return client.fine_tuning.jobs.with_raw_response.list_events(job_id, **page)

    found = _listed(api, ask, parse_event, limit=limit, doing=f"the events of job {job_id}")
    for number, event in enumerate(found, 1):
        yield event
        if number == newest:
            return


def checkpoints(api: Api, job_id: str) -> Iterator[Checkpoint]:
    """Yield the job's checkpoints, newest first, a page at a time; errors as with `events`."""
    _require_feature(api, "checkpoints")

    def ask(client: Any, page: Mapping[str, Any]) -> Any:
        return client.fine_tuning.jobs.checkpoints.with_raw_response.list(job_id, **page)

    def parse(raw: object) -> Checkpoint:
        return parse_checkpoint(raw, job_id=job_id)

    yield from _listed(api, ask, parse, limit=PAGE_LIMIT, doing=f"the checkpoints of job {job_id}")


def _require_feature(api: Api, name: str) -> None:
    if name in api.profile.lacks:
        raise RejectedError(
            "not_supported",
            f"The service of profile {api.profile.name} has no {name}.",
            next_step="What it tells of a job is what `ftjobs show` prints.",
        )


def cancel(api: Api, job_id: str) -> CancelOutcome:
    """Ask the service to cancel the job, in one request that is never repeated; return what came of it.

    Never raises for what the network does. A job that is returned need not have ended yet.
    """
    answer = api.send_once(lambda client: client.fine_tuning.jobs.with_raw_response.cancel(job_id))
    return _outcome_of_cancel(answer, job_id)


def file_content(api: Api, file_id: str, *, most: int = MAX_CONTENT_BYTES) -> Iterable[bytes]:
    """Return the whole content of a file in chunks, none before the last has come.

    What breaks off is fetched anew, so nobody keeps half a file. RejectedError `file_not_found` where the service
    has none, `file_too_large` above `most` bytes; UnavailableError where it cannot be fetched. The bytes are the
    service's own: whether they are a table is for the reader to find out.
    """
    chunks: list[bytes] = []

    def ask(client: Any) -> _Taken:
        with client.files.with_streaming_response.content(file_id) as streamed:
            chunks[:] = _bounded(streamed.iter_bytes(_CHUNK_BYTES), file_id, most)
            return _Taken(streamed.status_code, streamed.headers)

    def parse(_: object) -> list[bytes]:
        if b"".join(chunks[:1]).lstrip()[:20].lower().startswith(_WEB_PAGE):
            raise ValueError("a web page instead of the file")
        return chunks

    found = api.read_or_none(ask, parse, doing=f"the content of file {file_id}")
    if found is None:
        raise RejectedError(
            "file_not_found",
            f"The service does not have file {file_id}.",
            next_step="Check the account and project of the API key; services delete files after a while.",
            file_id=file_id,
        )
    return found


@dataclass(frozen=True, slots=True)
class _Taken:
    """An answer whose body was taken in chunks, so that only its status is left to be judged."""

    status_code: int
    headers: Mapping[str, str]

    @property
    def http_response(self) -> _Taken:
        """Return itself: the SDK's raw answers carry the HTTP answer under this name."""
        return self

    def read(self) -> bytes:
        """Return an empty JSON value in place of the body."""
        return b"null"


def _bounded(chunks: Iterable[bytes], file_id: str, most: int) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > most:
            raise RejectedError(
                "file_too_large",
                f"File {file_id} has more than {most:,} bytes, too many for a result file.",
                next_step="Fetch it with the service's own tools.",
                file_id=file_id,
            )
        yield chunk


def _outcome_of_cancel(answer: Answer, job_id: str) -> CancelOutcome:
    if isinstance(answer, NoReply):
        return Uncertain(answer.reason)
    code, message = error_of(answer)
    may_pass = answer.status in AGAIN_STATUSES - {_CONFLICT} and code not in INCURABLE_429_CODES
    if 400 <= answer.status < 500 and not may_pass:
        return Rejected(answer.status, code, message)
    if not 200 <= answer.status < 300:
        return Uncertain(f"HTTP {answer.status}")
    try:
        job = parse_job(answer.decoded())
    except (ValueError, RecursionError) as error:
        return Uncertain(f"HTTP {answer.status} with an unusable body ({one_line(str(error))})")
    return job if job.id == job_id else Uncertain(f"HTTP {answer.status} with another job")


@dataclass(frozen=True, slots=True)
class _Page(Generic[T]):
    items: list[T]
    after: str | None


def _listed(
    api: Api,
    ask: Callable[..., Any],
    parse: Callable[[object], T],
    *,
    limit: int,
    doing: str,
) -> Iterator[T]:
    """Yield what all pages of a list hold; a page that lies is refused, never read as the end."""
    is_whole = "cursor" in api.profile.lacks

    def asked(after: str | None) -> _Page[T]:
        asking: dict[str, Any] = {} if is_whole else {"limit": limit}
        if after is not None:
            asking["after"] = after
        read = partial(_page, parse=parse, before=after, is_whole=is_whole)
        return api.read(partial(ask, page=asking), read, doing=doing)

    for page in walk(asked, base_url=api.profile.base_url, what=doing):
        yield from page.items


def _page(body: object, parse: Callable[[object], T], before: str | None, *, is_whole: bool) -> _Page[T]:
    """Return a page of the list; ValueError for a lie."""
    data, page = list_in(body, "what belongs to a job")
    goes_on = has_more(page, is_whole=is_whole)
    items = [parse(raw) for raw in data]
    if not goes_on:
        return _Page(items, None)
    after = items[-1].id if items else None
    if after is None or before in {item.id for item in items} - {None}:
        raise ValueError("a page whose cursor does not move")
    return _Page(items, after)
