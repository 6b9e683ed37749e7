"""Refresh what is unsettled: usually one request per hundred jobs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ftjobs.errors import FtjobsError, RejectedError, UncertainError
from ftjobs.failpoints import reach
from ftjobs.jobs.job import Job
from ftjobs.jobs.submission import Submission
from ftjobs.ledger.entries import Trail
from ftjobs.ledger.locks import submission_lock_if_free
from ftjobs.logs import get_logger
from ftjobs.pricing.prices import PriceBook
from ftjobs.workflows.adoption import adopt
from ftjobs.workflows.create import resolve
from ftjobs.workflows.lookup import MARK, SUBMISSION
from ftjobs.workflows.session import Session
from ftjobs.workflows.settle import settle
from ftjobs.workflows.submit import RESUME_WITHIN, expire, job_missing

log = get_logger(__name__)

# Another page is worth its request only while the last one held at least this many of ours.
_WORTH_A_PAGE = 2


def sync(trails: Iterable[Trail], session: Session, *, prices: PriceBook, price_list: str) -> None:
    """Bring these trails, all of the session's account, up to date: states, bills, twins and lost replies.

    Each is settled as soon as it is known, so trouble with one job hides no other; what went wrong first is
    raised at the end: UnavailableError or RejectedError, `job_missing` for a job that the service does not have.
    """
    submissions = [trail.submission for trail in trails]

    def settled(submission_id: str) -> None:
        current = session.ledger.get(submission_id)
        settle(current, ledger=session.ledger, prices=prices, price_list=price_list, now=session.now())

    for submission in submissions:
        if submission.job is None:
            _look_after(submission.id, session)
            settled(submission.id)
    following = {each.job.id: each for each in submissions if each.job is not None}
    failures: list[FtjobsError] = []
    for job in _fetch(set(following), session, failures):
        if job.id in following:
            _see(job, following[job.id], session)
            settled(following[job.id].id)
        else:
            _take_in_twin(job, submissions, session)
    if failures:
        raise failures[0]


def _look_after(submission_id: str, session: Session) -> None:
    """Look again for what a create call made; give up what was never sent within a day.

    Not while a process holds the submission: it may be sending right now.
    """
    with submission_lock_if_free(session.ledger.path, submission_id) as is_free:
        submission = session.ledger.get(submission_id)
        if is_free and submission.state in {"sending", "uncertain"}:
            try:
                resolve(submission, session, pauses_s=[0])
            except UncertainError as error:
                log.info("submission.still_uncertain", submission_id=submission.id, reason=error.message)
        elif is_free and submission.state == "recorded" and session.now() - submission.recorded_at > RESUME_WITHIN:
            expire(submission, session)


def _fetch(wanted: set[str], session: Session, failures: list[FtjobsError]) -> Iterator[Job]:
    """Yield the wanted jobs, and others of ours on the way; those that the lists do not show, one by one."""
    left, after = set(wanted), None
    while len(left) > 1:
        page = session.api.list_jobs(metadata=MARK if session.trusts_metadata else None, after=after)
        hits = {job.id for job in page.jobs} & left
        left -= hits
        yield from (job for job in page.jobs if job.id in hits or SUBMISSION in job.metadata)
        if page.after is None or len(hits) < _WORTH_A_PAGE:
            break
        after = page.after
    for job_id in sorted(left):
        try:
            job = session.api.retrieve_job(job_id)
            if job is None:
                raise job_missing(job_id)
            yield job
        except RejectedError as error:
            failures.append(error)


def _see(job: Job, submission: Submission, session: Session) -> None:
    reach("sync.fetched")
    if submission.job and submission.job.status != job.status:
        log.info("job.status_changed", job_id=job.id, submission_id=submission.id, status=job.status)
    session.ledger.see(job, now=session.now())


def _take_in_twin(job: Job, submissions: Sequence[Submission], session: Session) -> None:
    """Adopt a job that one of our submissions created beside the one that is recorded; leave others alone."""
    owner = next((each for each in submissions if each.id == job.metadata.get(SUBMISSION)), None)
    if owner is not None and session.ledger.owner_of(job.id) is None:
        log.warning("job.twin_found", job_id=job.id, submission_id=owner.id)
        adopt(job, like=owner, session=session)
