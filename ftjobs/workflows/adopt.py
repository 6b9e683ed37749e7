"""Taking in jobs that exist remotely and that the ledger does not know."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from itertools import pairwise

from ftjobs.errors import UsageError
from ftjobs.jobs.job import Job
from ftjobs.jobs.submission import Submission
from ftjobs.ledger.adopted import Adopted
from ftjobs.ledger.adopting import Asked, Known
from ftjobs.ledger.locks import submission_lock_if_free
from ftjobs.logs import get_logger
from ftjobs.pricing.prices import PriceBook
from ftjobs.provider.api import PAGE_LIMIT, Api
from ftjobs.provider.objects import JobPage
from ftjobs.workflows.adoption import rebuilt, told_key, told_submission
from ftjobs.workflows.lookup import DISOWNED, is_own, pages
from ftjobs.workflows.session import Session
from ftjobs.workflows.settle import price_in_force, tell_settled

log = get_logger(__name__)


def listed(api: Api, *, since: datetime | None = None) -> Iterator[JobPage]:
    """Yield the pages of all jobs, or what they hold of those created at `since` or later.

    Lists come newest first: the first page without a job that is new enough is the last one that is read.
    UnavailableError where a page cannot be believed.
    """
    for page in pages(api, skips_damaged=True):
        wanted = tuple(job for job in page.jobs if since is None or job.created_at >= since)
        yield replace(page, jobs=wanted)
        newest_first = all(a.created_at >= b.created_at for a, b in pairwise(page.jobs))
        if page.jobs and not wanted and newest_first:
            return


def named(
    api: Api, job_ids: Iterable[str], *, on_seen: Callable[[int], None] = lambda _seen: None
) -> list[JobPage]:
    """Return these jobs as if on pages; UsageError for one that the service does not have."""
    found = []
    for job_id in dict.fromkeys(job_ids):
        job = api.retrieve_job(job_id)
        if job is None:
            raise UsageError(
                "unknown_job",
                f"The service has no job {job_id}; nothing was adopted.",
                next_step="Check the id, and the account and project of the API key.",
                job=job_id,
            )
        found.append(job)
        on_seen(len(found))
    return [JobPage(tuple(found[at : at + PAGE_LIMIT]), None) for at in range(0, len(found), PAGE_LIMIT)]


def attach_named(job: Job, submission_id: str, session: Session, done: Adopted) -> None:
    """The uncertain submission has this job: its user says so.

    Where several jobs trained on a submission's file and the service keeps no metadata, or where it does not even
    tell the file, nobody else can. What it has already stays as it is. UsageError where it is not uncertain, or
    the job is another's.
    """
    owner = session.ledger.owner_of(job.id)
    if owner == submission_id:  # the same command again, which may still have results to keep
        done.attached[job.id] = submission_id
        return
    if owner is not None:
        raise _not_attached(job, submission_id, f"job {job.id} is that of submission {owner}")
    with submission_lock_if_free(session.ledger.place, submission_id) as is_free:
        submission = session.ledger.get(submission_id)
        is_uncertain = submission.state in {"sending", "uncertain"}
        if not (is_free and is_uncertain and submission.account == session.account):
            raise _not_attached(job, submission_id, "it is not uncertain, of another account, or in use")
        session.ledger.attach(submission_id, job, now=session.now())
    log.info("job.found", submission_id=submission_id, job_id=job.id)
    done.attached[job.id] = submission_id


def _not_attached(job: Job, submission_id: str, why: str) -> UsageError:
    return UsageError(
        "not_attached",
        f"Submission {submission_id} cannot be given job {job.id}: {why}.",
        next_step="Run `ftjobs status` to see what is uncertain.",
        submission_id=submission_id,
        job_id=job.id,
    )


@dataclass(slots=True)
class Adopter:
    """Takes jobs of the session's account in: with the estimate that their metadata holds, and with their bill.

    Each page is committed as a whole and `done` tells what that came to, so whoever is interrupted keeps it, and
    the same again goes on. `on_seen` is told how many jobs were looked at. Jobs of open submissions are
    left to them, unless it does not (`leaves`): their user says that they are somebody else's.
    """

    session: Session
    prices: PriceBook
    price_list: str
    on_seen: Callable[[int], None] = lambda _seen: None
    done: Adopted = field(default_factory=Adopted)
    leaves: bool = True
    _began: datetime = field(init=False)
    _seen: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._began = self.session.now()

    def adopt(self, told: Iterable[JobPage]) -> None:
        """Take in the jobs of these pages."""
        for page in told:
            self.done.damaged += page.damaged
            self._take_in(page.jobs)

    def _take_in(self, told: Sequence[Job]) -> None:
        """Record what is new of these jobs, which the service told just now; some services repeat themselves."""
        session, found = self.session, list({job.id: job for job in told if job.id not in self._seen}.values())
        names = [name for job in found if (name := told_submission(job))]
        trails = session.ledger.adopt_many(
            Asked(session.account, [job.id for job in found], names),
            partial(self._rebuild, found, shares_files=session.trusts_metadata),
            price_of=lambda submission: price_in_force(submission, self.prices, self.price_list),
            now=session.now(),
        )
        self.done.add(trails)
        for trail in trails:
            job = trail.submission.job
            log.info("job.adopted", submission_id=trail.submission.id, job_id=job and job.id)
            for bill in trail.billed_entries:
                tell_settled(trail.submission, bill)
        self._seen.update(job.id for job in found)
        self.on_seen(len(self._seen))

    def _rebuild(self, found: Sequence[Job], known: Known, *, shares_files: bool) -> list[Submission]:
        """Return the submissions of the jobs that are new, the oldest job first; note the others."""
        by_name, new = dict(known.named), list[Submission]()
        for job in sorted(found, key=lambda job: job.created_at):
            if (account := known.accounts.get(job.id)) is not None:
                (self.done.known if account == self.session.account else self.done.elsewhere).append(job.id)
            elif owner := next(
                (each for each in known.open if self.leaves and is_own(job, each, shares_files=shares_files)), None
            ):
                self.done.left[job.id] = owner.id
            else:
                namesake = by_name.get(told_submission(job) or "")
                submission = rebuilt(
                    job,
                    like=namesake if namesake and self._is_sibling(job, namesake) else None,
                    keeps_id=namesake is None,
                    session=self.session,
                    recorded_at=self._began,
                )
                if not self.leaves:
                    submission = replace(submission, key=f"{DISOWNED}{job.id}")
                by_name[submission.id] = submission
                new.append(submission)
        return new

    def _is_sibling(self, job: Job, submission: Submission) -> bool:
        """Return whether a job that names a recorded submission has its content, as a twin has."""
        return submission.account == self.session.account and told_key(job) == submission.key
