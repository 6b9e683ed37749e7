"""Refresh what is unsettled: usually one request per hundred jobs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ftjobs.errors import FtjobsError, UncertainError
from ftjobs.failpoints import reach
from ftjobs.jobs.job import Job
from ftjobs.jobs.submission import Submission
from ftjobs.ledger.entries import BillingPrice
from ftjobs.ledger.locks import submission_lock_if_free
from ftjobs.ledger.sightings import PriceOf, Sighting
from ftjobs.ledger.unsettled import Known, Unsettled
from ftjobs.logs import get_logger
from ftjobs.pricing.prices import PriceBook
from ftjobs.workflows.adoption import adopt
from ftjobs.workflows.create import resolve
from ftjobs.workflows.fetching import Fetched, fetch
from ftjobs.workflows.lookup import MARK, SUBMISSION
from ftjobs.workflows.session import Session
from ftjobs.workflows.settle import price_in_force, settle, tell_settled, tell_unpriced
from ftjobs.workflows.submit import RESUME_WITHIN, expire

log = get_logger(__name__)


def sync(unsettled: Iterable[Unsettled], session: Session, *, prices: PriceBook, price_list: str) -> None:
    """Bring these, all of the session's account, up to date: states, bills, twins and lost replies.

    What comes is recorded and billed as it comes, so trouble with one job hides no other; what went wrong first
    is raised at the end: UnavailableError or RejectedError. That the service does not have a job is recorded.
    """
    known: dict[str, Known] = {}
    for each in unsettled:
        if each.job is not None:
            known[each.submission_id] = each.job
            continue
        _look_after(each.submission_id, session)
        current = session.ledger.get(each.submission_id)
        settle(current, ledger=session.ledger, prices=prices, price_list=price_list, now=session.now())
    unpriced: list[Submission] = []

    def price_of(submission: Submission) -> BillingPrice | None:
        price = price_in_force(submission, prices, price_list)
        if price is None:
            unpriced.append(submission)
        return price

    failures: list[FtjobsError] = []
    for fetched in fetch(known.values(), session.api, mark=MARK if known and session.trusts_metadata else None):
        failures.extend(fetched.failures)
        _record(fetched, session, price_of)
        _take_in_twins(fetched.others, known, session)
    tell_unpriced(unpriced, prices)  # one word for all: there may be thousands
    if failures:
        raise failures[0]


def _look_after(submission_id: str, session: Session) -> None:
    """Look again for what a create call made; give up what was never sent within a day.

    Not while a process holds the submission: it may be sending right now.
    """
    with submission_lock_if_free(session.ledger.place, submission_id) as is_free:
        submission = session.ledger.get(submission_id)
        if is_free and submission.state in {"sending", "uncertain"}:
            try:
                resolve(submission, session, pauses_s=[0])
            except UncertainError as error:
                log.info("submission.still_uncertain", submission_id=submission.id, reason=error.message)
        elif is_free and submission.state == "recorded" and session.now() - submission.recorded_at > RESUME_WITHIN:
            expire(submission, session)


def _record(fetched: Fetched, session: Session, price_of: PriceOf) -> None:
    """Record what has come in one transaction, and what the service does not have in another."""
    seen: list[Sighting] = []
    if fetched.jobs:
        reach("sync.fetched")
        seen = session.ledger.refresh(fetched.jobs, price_of=price_of, now=session.now())
    for each in seen:
        job = each.submission.job
        if job and job.status != each.was:
            log.info("job.status_changed", job_id=job.id, submission_id=each.submission.id, status=job.status)
        if each.billed:
            tell_settled(each.submission, each.billed)
    if fetched.missing:
        session.ledger.miss(fetched.missing, now=session.now())
        log.info("jobs.missing", job_ids=fetched.missing)


def _take_in_twins(others: Iterable[Job], known: Mapping[str, Known], session: Session) -> None:
    """Adopt jobs that one of our submissions created beside the one that is recorded; leave others alone."""
    for job in others:
        submission_id = job.metadata.get(SUBMISSION, "")
        if submission_id in known and session.ledger.owner_of(job.id) is None:
            log.warning("job.twin_found", job_id=job.id, submission_id=submission_id)
            adopt(job, like=session.ledger.get(submission_id), session=session)
