"""The create call: sent once, judged by its outcome, and looked for where that proves nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ftjobs.errors import LedgerError, RejectedError, UnavailableError, UncertainError
from ftjobs.failpoints import reach
from ftjobs.jobs.job import Job
from ftjobs.jobs.submission import State, Submission
from ftjobs.ledger.orphans import keep_orphan
from ftjobs.logs import get_logger
from ftjobs.provider.outcomes import Created, NotNow, Outcome, Rejected, Uncertain, rejected_error
from ftjobs.provider.profiles import Profile
from ftjobs.workflows.adoption import attach, claim, metadata_of
from ftjobs.workflows.lookup import look_up
from ftjobs.workflows.session import Session
from ftjobs.workflows.undisturbed import undisturbed

log = get_logger(__name__)

# In-process patience with "not now"; a rerun goes on from there.
_ATTEMPTS = 4
_WAIT_INITIAL_S, _WAIT_MAX_S = 1.0, 120.0
# A job that was just created can lag behind in the lists by a moment.
_LOOK_AGAIN_AFTER_S = (0.0, 1.0, 2.0)


def create(
    submission: Submission, session: Session, *, on_signal: Callable[[], None] = lambda: None
) -> Submission:
    """Return the submission with the job that one create call made, or that a lookup after it found.

    Raises UncertainError where it may exist unseen, UnavailableError where nothing was created and a rerun
    resumes, RejectedError where the service said no (the submission is voided).
    """
    body = request_body(submission, session.api.profile)
    wait_s = _WAIT_INITIAL_S
    for attempt in range(1, _ATTEMPTS + 1):
        outcome = _send(submission, body, session, on_signal)
        log.info("create.answered", submission_id=submission.id, outcome=type(outcome).__name__)
        match outcome:
            case Created(job):
                log.info("job.created", submission_id=submission.id, job_id=job.id, status=job.status)
                return session.ledger.get(submission.id)
            case Uncertain():
                return resolve(session.ledger.get(submission.id), session)
            case Rejected():
                raise rejected_error(outcome, doing="the job", submission_id=submission.id)
            case NotNow():
                pause_s = outcome.retry_after_s if outcome.retry_after_s is not None else wait_s
                if attempt == _ATTEMPTS or pause_s > _WAIT_MAX_S or outcome.code == "daily_rate_limit_exceeded":
                    raise _not_now(outcome, submission)
                session.ambient.sleep(pause_s)
                wait_s *= 2
                # A proxy may have lied about that answer, and another machine may have been faster meanwhile.
                if claimed := claim(submission, look_up(submission, session), session):
                    return claimed
    raise AssertionError("the last attempt returns or raises")


def resolve(
    submission: Submission, session: Session, *, pauses_s: Sequence[float] = _LOOK_AGAIN_AFTER_S
) -> Submission:
    """Return the uncertain submission with the job it turns out to have created; UncertainError if none is seen.

    Only `resend` may create again after this.
    """
    if submission.state == "sending":
        session.ledger.mark(
            submission.id,
            "uncertain",
            now=session.now(),
            error="the process ended while the create call was under way",
        )
    trouble = None
    for pause_s in pauses_s:
        session.ambient.sleep(pause_s)
        try:
            if own := look_up(submission, session).own:
                return attach(submission, own, session)
        except (UnavailableError, RejectedError) as error:
            trouble = error.message
            break
    reason = session.ledger.get(submission.id).error_message or "its reply was lost"
    seen = f"looking for it failed: {trouble}" if trouble else "no job of it is listed yet"
    raise UncertainError(
        "submission_uncertain",
        f"Submission {submission.id} may have created a job ({reason}), and {seen.rstrip('.')}.",
        next_step=(
            "Run `ftjobs status` to look again; if it stays away, "
            f"`ftjobs submit --resend {submission.id}` watches for a while, then creates it."
        ),
        submission_id=submission.id,
    )


def _send(
    submission: Submission, body: dict[str, Any], session: Session, on_signal: Callable[[], None]
) -> Outcome:
    """Commit to sending, send once, and record what came of it before any signal is heard."""
    ledger = session.ledger
    session.api.require_key()  # a token that is gone must not leave a submission that may have been sent
    came_from: State = "recorded" if submission.state == "recorded" else "uncertain"
    with undisturbed(on_signal):
        ledger.begin_sending(submission.id, came_from, now=session.now())
        reach("create.sending")
        ledger.require_lock(submission.id)  # a machine that slept here would wake to send a second time
        outcome = session.api.create_job(body)
        reach("create.replied")
        match outcome:
            case Created(job):
                _record_job(submission, job, session)
                reach("job.recorded")
            case Uncertain(reason):
                ledger.mark(submission.id, "uncertain", now=session.now(), error=reason)
            case NotNow(reason):
                # This answer created nothing; whether an earlier call did is as open as before.
                ledger.mark(submission.id, came_from, now=session.now(), error=reason)
            case Rejected(_, code, message):
                ledger.close(submission.id, "rejected", code=code, message=message, now=session.now())
    return outcome


def _record_job(submission: Submission, job: Job, session: Session) -> None:
    try:
        session.ledger.attach(submission.id, job, now=session.now())
    except Exception as error:  # whatever it is, the id must not be lost
        try:
            note = keep_orphan(session.ledger.place, submission.id, job)
            kept = f"It is noted in {note}; the next command takes it in."
        except OSError:
            kept = "Write its id down; `ftjobs status` finds it once the ledger can be written again."
        raise LedgerError(
            "job_not_recorded",
            f"Job {job.id} was created, but the ledger could not record it: {str(error).rstrip('.')}.",
            next_step=kept,
            submission_id=submission.id,
            job_id=job.id,
        ) from None


def _not_now(outcome: NotNow, submission: Submission) -> UnavailableError:
    asked = f" It asks to wait {outcome.retry_after_s:.0f} s." if outcome.retry_after_s is not None else ""
    return UnavailableError(
        outcome.code,
        f"The API does not take the job now ({outcome.reason}); nothing was created.{asked}",
        next_step="Run the same command again later, it goes on where it stopped.",
        submission_id=submission.id,
        retry_after_s=outcome.retry_after_s,
    )


def request_body(submission: Submission, profile: Profile) -> dict[str, Any]:
    """Return what the create call sends: no field that the service lacks, and those of its own beside ours."""
    spec = submission.spec
    if spec is None or submission.training_file_id is None:
        raise ValueError(f"submission {submission.id} has nothing to send")
    asked = {
        "n_epochs": profile.auto if spec.n_epochs == "auto" else spec.n_epochs,
        "batch_size": spec.batch_size,
        "learning_rate_multiplier": spec.learning_rate_multiplier,
        "learning_rate": spec.learning_rate,
        "beta": spec.beta,
    }
    hyperparameters = {name: value for name, value in asked.items() if value is not None}
    is_flat = profile.hyperparameters_in == "top"
    body = {
        "model": spec.model,
        "training_file": submission.training_file_id,
        "validation_file": submission.validation_file_id,
        "suffix": spec.suffix,
        "seed": submission.seed,
        "metadata": metadata_of(submission),
        "hyperparameters": hyperparameters if is_flat else None,
        "method": None if is_flat else {"type": spec.method, spec.method: {"hyperparameters": hyperparameters}},
    }
    sent = {name: value for name, value in body.items() if value is not None and name not in profile.lacks}
    return _merged(spec.extra_body or {}, sent)


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return both as one, table by table; where both say something, `over` does."""
    both = {
        name: _merged(under[name], over[name])
        for name in under.keys() & over.keys()
        if isinstance(under[name], Mapping) and isinstance(over[name], Mapping)
    }
    return {**under, **over, **both}
