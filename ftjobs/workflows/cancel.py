"""Cancel a job, or abandon a submission that was never sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from ftjobs.errors import LedgerError, RejectedError, UnavailableError, UncertainError
from ftjobs.jobs.job import Job
from ftjobs.jobs.submission import Submission
from ftjobs.ledger.locks import submission_lock_if_free
from ftjobs.ledger.store import Ledger
from ftjobs.logs import get_logger
from ftjobs.pricing.prices import PriceBook
from ftjobs.provider.following import cancel as send_cancel
from ftjobs.provider.outcomes import Rejected, Uncertain, rejected_error
from ftjobs.workflows.session import Session
from ftjobs.workflows.settle import settle
from ftjobs.workflows.submit import job_missing
from ftjobs.workflows.undisturbed import undisturbed

log = get_logger(__name__)

# These say something about the account, not about the job: what to do next is said by the status itself.
_OF_THE_ACCOUNT = frozenset({401, 402, 403, 429})


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The submission as it is now; `acted` is False where it had ended before, so that nothing was sent."""

    submission: Submission
    acted: bool


@dataclass(frozen=True, slots=True)
class Canceller:
    """Cancels jobs of the session's account; what the service tells of them is recorded and billed.

    `consent` is called with the submission, its job as it is at this moment, before anything is cancelled, and
    raises to stop. `on_signal` is called for a signal that must wait for the answer to be recorded.
    """

    session: Session
    prices: PriceBook
    price_list: str
    consent: Callable[[Submission], None]
    on_signal: Callable[[], None] = lambda: None

    def cancel(self, submission: Submission) -> Cancelled:
        """Cancel the submission's job unless it has ended; the request is sent once.

        RejectedError where the service says no, or has no such job; UnavailableError where nobody knows whether it
        took the request and the job goes on as far as can be seen.
        """
        job_id = _job_of(submission).id
        current = self._look(job_id)
        if _job_of(current).ended:
            return Cancelled(current, acted=False)
        self.consent(current)
        outcome = self._send(job_id)
        match outcome:
            case Job():
                return Cancelled(self._settled(current.id), acted=True)
            case Rejected():
                raise self._refusal(outcome, current)
            case Uncertain(reason):
                return Cancelled(self._made_sure(reason, current), acted=True)

    def _send(self, job_id: str) -> Job | Rejected | Uncertain:
        """Send the request and record what is answered before any signal is heard."""
        with undisturbed(self.on_signal):
            outcome = send_cancel(self.session.api, job_id)
            log.info("cancel.answered", job_id=job_id, outcome=type(outcome).__name__)
            if isinstance(outcome, Job):
                self._see(outcome)
        return outcome

    def _look(self, job_id: str) -> Submission:
        """Return the submission with its job as the service has it now, recorded and billed."""
        job = self.session.api.retrieve_job(job_id)
        if job is None:
            raise job_missing(job_id)
        self._see(job)
        owner = self.session.ledger.owner_of(job_id)
        if owner is None:
            raise ValueError(f"job {job_id} is not recorded")
        return self._settled(owner)

    def _see(self, job: Job) -> None:
        try:
            self.session.ledger.see(job, now=self.session.now())
        except LedgerError as error:
            raise LedgerError(
                "job_not_recorded",
                f"Job {job.id} is {job.status}, but the ledger could not record it: {error.message.rstrip('.')}.",
                next_step="Run `ftjobs status` once the ledger can be written: it asks the service again.",
                job_id=job.id,
                status=job.status,
            ) from None

    def _settled(self, submission_id: str) -> Submission:
        session = self.session
        settle(
            session.ledger.get(submission_id),
            ledger=session.ledger,
            prices=self.prices,
            price_list=self.price_list,
            now=session.now(),
        )
        return session.ledger.get(submission_id)

    def _refusal(self, rejected: Rejected, submission: Submission) -> RejectedError:
        """Return the error for a service that said no, after a look at what became of the job."""
        job = _job_of(submission)
        try:
            job = _job_of(self._look(job.id))
        except (UnavailableError, RejectedError) as error:
            if error.code == "job_missing":
                raise
            log.info("job.not_seen", job_id=job.id, reason=error.message)
        refusal = rejected_error(
            rejected,
            doing=f"to cancel job {job.id}",
            submission_id=submission.id,
            job_id=job.id,
            status=job.status,
        )
        if job.ended:
            refusal.next_step = f"It has ended ({job.status}); `ftjobs show {job.id}` tells the rest."
        elif rejected.status not in _OF_THE_ACCOUNT:
            refusal.next_step = f"It goes on ({job.status}); `ftjobs watch {job.id}` follows it."
        return refusal

    def _made_sure(self, reason: str, submission: Submission) -> Submission:
        """Return the submission with the job that was cancelled although its answer was lost.

        The job itself tells; UnavailableError where it goes on, or cannot be asked.
        """
        job_id = _job_of(submission).id
        try:
            current = self._look(job_id)
        except (UnavailableError, RejectedError) as error:
            if error.code == "job_missing":
                raise
            raise _unknown(
                f"Nobody knows whether job {job_id} is cancelled: the request came to nothing usable ({reason}), "
                "and neither did a look at the job.",
                f"Run `ftjobs status {job_id}` once the service answers, and cancel again if it goes on.",
                submission,
            ) from error
        job = _job_of(current)
        if not job.ended:
            raise _unknown(
                f"The request to cancel job {job_id} came to nothing usable ({reason}); it is still {job.status}.",
                "Run the same command again.",
                current,
            )
        return current


def abandon(submission_id: str, ledger: Ledger, *, now: datetime) -> Cancelled:
    """End a submission that was never sent: its estimate is voided, its key is free, the service hears nothing.

    UnavailableError where another process is at work on it, or has made a job of it meanwhile; UncertainError
    where a job may exist.
    """
    with submission_lock_if_free(ledger.place, submission_id) as is_free:
        if not is_free:
            raise UnavailableError(
                "submission_busy",
                f"Another process is working on submission {submission_id}; nothing was abandoned.",
                next_step="Stop that process, or wait until it is done, then run the same command again.",
                submission_id=submission_id,
            )
        submission = ledger.get(submission_id)
        refuse_uncertain(submission)
        if submission.job is not None:
            raise UnavailableError(
                "submission_changed",
                f"Submission {submission_id} has job {submission.job.id} by now; nothing was abandoned.",
                next_step="Run the same command again to cancel the job.",
                submission_id=submission_id,
                job_id=submission.job.id,
            )
        if submission.is_over:
            return Cancelled(submission, acted=False)
        message = "it was cancelled before it was sent"
        ledger.close(submission_id, "abandoned", code="cancelled", message=message, now=now)
    log.info("submission.abandoned", submission_id=submission_id, reason=message)
    return Cancelled(ledger.get(submission_id), acted=True)


def refuse_uncertain(submission: Submission) -> None:
    """Raise UncertainError for a submission that may have created a job which nobody has seen yet."""
    if submission.job is None and submission.state in {"sending", "uncertain"}:
        raise UncertainError(
            "submission_uncertain",
            f"Submission {submission.id} may have created a job that is not seen yet, so nothing was cancelled.",
            next_step=(
                "Run `ftjobs status` to look for it, then cancel it; if it stays away, "
                f"`ftjobs submit --resend {submission.id}` resolves the submission."
            ),
            submission_id=submission.id,
        )


def _job_of(submission: Submission) -> Job:
    if submission.job is None:
        raise ValueError(f"submission {submission.id} has no job")
    return submission.job


def _unknown(message: str, next_step: str, submission: Submission) -> UnavailableError:
    job = _job_of(submission)
    return UnavailableError(
        "cancel_unknown",
        message,
        next_step=next_step,
        submission_id=submission.id,
        job_id=job.id,
        status=job.status,
    )
