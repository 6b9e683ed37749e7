"""Does the service already hold a job of this submission, or of this content?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain

from ftjobs.errors import UnavailableError
from ftjobs.jobs.job import Job
from ftjobs.jobs.submission import Submission
from ftjobs.provider.api import Api

# Metadata that every job of ours carries; the module that reads it back is `adoption`.
MARK = {"ftjobs": "1"}
SUBMISSION, KEY, ESTIMATE = "ftjobs_submission", "ftjobs_key", "ftjobs_estimate"
# How far the service's clock may be from ours before a job of this submission could hide behind older ones.
CLOCK_SLACK = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Found:
    """`own` are jobs that this submission created (more than one: twins); `same_content` are live or succeeded
    jobs of another submission with the same content key.
    """

    own: tuple[Job, ...]
    same_content: tuple[Job, ...]

    def __add__(self, other: Found) -> Found:
        return Found(_union(self.own, other.own), _union(self.same_content, other.same_content))


def look_up(api: Api, submission: Submission, *, trusts_metadata: bool) -> Found:
    """Return what the service holds, over every page: filtered where metadata is trusted, else all of them.

    Raises UnavailableError rather than believe a page that lies. Each hit is re-checked here, since a service
    may ignore the filter.
    """
    pages = _pages(api, {KEY: submission.key} if trusts_metadata else None)
    return _among(chain.from_iterable(pages), submission, trusts_metadata=trusts_metadata)


def look_up_unfiltered(api: Api, submission: Submission, *, trusts_metadata: bool) -> Found:
    """Return what the service holds among the jobs that can be as young as the submission, without its filter."""
    return _among(_recent(api, submission), submission, trusts_metadata=trusts_metadata)


def _recent(api: Api, submission: Submission) -> Iterator[Job]:
    oldest = submission.recorded_at - CLOCK_SLACK
    for jobs in _pages(api, None):
        yield from (job for job in jobs if job.created_at >= oldest)
        # Behind old jobs are only older ones, but not where a service lists the oldest first.
        if jobs and jobs[-1].created_at < min(oldest, jobs[0].created_at):
            return


def _pages(api: Api, metadata: Mapping[str, str] | None) -> Iterator[tuple[Job, ...]]:
    after, seen = None, set[str]()
    while True:
        page = api.list_jobs(metadata=metadata, after=after)
        yield page.jobs
        if page.after is None:
            return
        if page.after in seen:
            raise UnavailableError(
                "unavailable",
                f"The API at {api.profile.base_url} lists its jobs in circles.",
                next_step="Run the same command again later, it goes on where it stopped.",
            )
        seen.add(page.after)
        after = page.after


def _among(jobs: Iterator[Job], submission: Submission, *, trusts_metadata: bool) -> Found:
    own, same = [], []
    for job in jobs:
        if is_own(job, submission, trusts_metadata=trusts_metadata):
            own.append(job)
        elif job.metadata.get(KEY) == submission.key and not job.failed:
            same.append(job)
    return Found(tuple(sorted(own, key=_best_first)), tuple(sorted(same, key=_best_first)))


def _best_first(job: Job) -> tuple[bool, datetime]:
    return job.failed, job.created_at


def is_own(job: Job, submission: Submission, *, trusts_metadata: bool) -> bool:
    """Return whether this submission created the job.

    By our metadata; where the service drops it, by the training file, which no other submission uses there,
    with the seed and the creation window as cross-checks.
    """
    if SUBMISSION in job.metadata or trusts_metadata:
        return job.metadata.get(SUBMISSION) == submission.id
    return (
        submission.training_file_id is not None
        and job.training_file == submission.training_file_id
        and job.seed in (None, submission.seed)
        and job.created_at >= submission.recorded_at - CLOCK_SLACK
    )


def _union(first: tuple[Job, ...], second: tuple[Job, ...]) -> tuple[Job, ...]:
    return tuple({job.id: job for job in (*first, *second)}.values())
