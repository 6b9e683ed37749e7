"""What the API answers with, told apart from what only looks like it."""

from __future__ import annotations

from dataclasses import dataclass

from ftjobs.jobs.job import DAMAGED, Job, parse_job
from ftjobs.provider.lookalikes import look_alike
from ftjobs.provider.outcomes import one_line
from ftjobs.provider.pages import has_more, list_in


@dataclass(frozen=True, slots=True)
class JobPage:
    """One validated list page, newest first; `after` is the cursor of the next one, None on the last.

    `damaged` is how many objects on it could not be read, where that was asked for.
    """

    jobs: tuple[Job, ...]
    after: str | None
    damaged: int = 0


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """An uploaded file; `status` is the service's word, `name` the file's, each None where it gives none."""

    id: str
    status: str | None
    status_details: str | None
    name: str | None = None


def parse_page(body: object, after: str | None, *, skips_damaged: bool, is_whole: bool = False) -> JobPage:
    """Return the page of jobs that a decoded body holds, asked for behind `after`; ValueError where it lies.

    `is_whole` is for a service whose lists come at once, and need not say that nothing follows.
    """
    data, page = list_in(body, "jobs")
    goes_on = has_more(page, is_whole=is_whole and look_alike(page) is None)
    jobs, damaged = [], 0
    for raw in data:
        try:
            jobs.append(parse_job(raw))
        except ValueError:
            if not skips_damaged:
                raise
            damaged += 1
    if not goes_on:
        return JobPage(tuple(jobs), None, damaged)
    if not jobs or any(job.id == after for job in jobs):
        raise ValueError("a page whose cursor does not move")
    return JobPage(tuple(jobs), jobs[-1].id, damaged)


def parse_file(body: object) -> RemoteFile:
    """Return the file that a decoded body describes; ValueError where it describes none."""
    if not isinstance(body, dict) or body.get("object") != "file":
        raise ValueError("no file object")
    file_id, status, details = body.get("id"), body.get("status"), body.get("status_details")
    if not isinstance(file_id, str) or not file_id or DAMAGED in file_id:
        raise ValueError("a file without a usable id")
    return RemoteFile(
        file_id,
        one_line(status) if isinstance(status, str) else None,
        one_line(details) if isinstance(details, str) else None,
        name if isinstance(name := body.get("filename"), str) else None,
    )
