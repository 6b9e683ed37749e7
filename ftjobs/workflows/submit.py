"""The submission protocol: one job for one content, whatever happens on the way (design, section 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

from ftjobs.errors import DatasetError, FtjobsError, RejectedError, UsageError
from ftjobs.failpoints import reach
from ftjobs.jobs.quote import Quote
from ftjobs.jobs.spec import JobSpec
from ftjobs.jobs.submission import State, Submission, new_id
from ftjobs.ledger.budget import BudgetState, Limit
from ftjobs.ledger.locks import submission_lock
from ftjobs.logs import get_logger
from ftjobs.workflows.adoption import claim
from ftjobs.workflows.create import create, resolve
from ftjobs.workflows.lookup import look_up
from ftjobs.workflows.session import Session
from ftjobs.workflows.upload import Source, provide_file, refuse_oversize

log = get_logger(__name__)

# A recorded submission that never reached the create call is resumed for a day; after that its price and its
# consent are too old to spend on.
RESUME_WITHIN = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Order:
    """What a user asked for, priced: the spec, its quote, the files and the tags."""

    spec: JobSpec
    quote: Quote
    training: Source
    validation: Source | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hooks:
    """What a person is told while it happens: following another process, bytes sent, a signal that waits."""

    on_follow: Callable[[str], None] = lambda _submission_id: None
    on_sent: Callable[[int, int], None] = lambda _sent, _of: None
    on_signal: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True)
class Submitted:
    """The submission whose job stands for the order; `reused` where the job existed before this command.

    `budgets` are the month's states after this commitment; none without a limit, or where nothing was recorded.
    """

    submission: Submission
    reused: bool
    budgets: tuple[BudgetState, ...] = ()


def submit(
    order: Order,
    session: Session,
    *,
    consent: Callable[[], None],
    limits: Sequence[Limit] = (),
    hooks: Hooks | None = None,
) -> Submitted:
    """Return the one job of this order, created now or found.

    `consent` is called before anything is recorded, or resumed that nothing was sent for; it raises
    SpendRefusedError to stop. Raises UncertainError where a create call was sent and no job can be found,
    UnavailableError where the same command resumes later, RejectedError or DatasetError where it ended.
    """
    ledger, hooks = session.ledger, hooks or Hooks()
    key = order.spec.content_key(session.account)
    reach("survey.done")
    while True:
        holder, is_new = ledger.holder(key), False
        budgets: tuple[BudgetState, ...] = ()
        if holder is None:
            for source in filter(None, (order.training, order.validation)):
                refuse_oversize(source, session.api.profile)
            consent()
            recorded = ledger.record(_new_submission(order, key, session), limits=limits)
            holder, is_new, budgets = recorded.submission, recorded.is_new, recorded.budgets
            reach("submission.recorded")
        log.info("submission.recorded" if is_new else "submission.found", submission_id=holder.id)
        with (
            submission_lock(ledger.place, holder.id, on_wait=partial(hooks.on_follow, holder.id)),
            naming(holder.id),
        ):
            reach("submission.locked")
            current = ledger.get(holder.id)
            if current.state == "recorded" and not is_new:
                if session.now() - current.recorded_at > RESUME_WITHIN:
                    expire(current, session)
                    continue
                if not _stands_for(current, order, session):
                    supersede(current, session)
                    continue
                consent()  # it has spent nothing yet, and this command's limits may be lower
                ledger.readmit(current, limits=limits, now=session.now())
            done = _advance(current, order, session, hooks)
        if done is not None:
            return Submitted(done.submission, done.reused, budgets)
        # What held the key ended without a model meanwhile, so the key is free for a new submission.


@contextmanager
def naming(submission_id: str) -> Iterator[None]:
    """Let every error out of the block say which submission is at stake."""
    try:
        yield
    except FtjobsError as error:
        error.details.setdefault("submission_id", submission_id)
        raise


def _new_submission(order: Order, key: str, session: Session) -> Submission:
    now = session.now()
    return Submission(
        id=new_id(now, session.ambient.entropy(10)),
        key=key,
        state="recorded",
        profile=session.api.profile.name,
        account=session.account,
        recorded_at=now,
        spec=order.spec,
        quote=order.quote,
        tags=order.tags,
    )


def _advance(submission: Submission, order: Order, session: Session, hooks: Hooks) -> Submitted | None:
    """Take the submission as far as it goes, under its lock; None where it ended and its key is free."""
    match submission.state:
        case "created":
            return _revisit(submission, session)
        case "sending" | "uncertain":
            # We hold the lock, so whoever sent is gone: only the service knows what came of it.
            return Submitted(resolve(submission, session), reused=True)
        case "recorded":
            return _drive(submission, order, session, hooks)
        case "rejected" | "abandoned":
            return None


def _revisit(submission: Submission, session: Session) -> Submitted | None:
    """Answer with the job that exists, after asking the service: what we remember of it may be stale."""
    if submission.job is None:
        raise ValueError(f"submission {submission.id} is created without a job")
    job = session.api.retrieve_job(submission.job.id)
    if job is None:
        raise job_missing(submission.job.id)
    session.ledger.see(job, now=session.now())
    return None if job.failed else Submitted(session.ledger.get(submission.id), reused=True)


def job_missing(job_id: str) -> RejectedError:
    """Return the error for a recorded job that the service says it does not have."""
    return RejectedError(
        "job_missing",
        f"The service does not know job {job_id} any more; what the ledger has of it stays.",
        next_step="Check the account and project of the API key: it may still run, and be billed. Once you know"
        " that it is gone, train it anew with --again NAME.",
        job_id=job_id,
    )


def _stands_for(submission: Submission, order: Order, session: Session) -> bool:
    """Return whether what was recorded is what is asked for now, tag by tag and dollar by dollar."""
    recorded = submission.quote
    return (
        recorded is not None
        and (recorded.usd_per_1m, recorded.cost.high) == (order.quote.usd_per_1m, order.quote.cost.high)
        and dict(submission.tags) == dict(order.tags)
        and submission.profile == session.api.profile.name
    )


def supersede(submission: Submission, session: Session) -> None:
    """End a submission that was recorded, not sent, and is asked for at another price or with other tags now."""
    message = "it was not sent, and its price or its tags are others now"
    session.ledger.close(submission.id, "abandoned", code="superseded", message=message, now=session.now())
    log.info("submission.abandoned", submission_id=submission.id, reason=message)


def expire(submission: Submission, session: Session) -> None:
    """End a submission that was recorded and not sent within a day."""
    message = "it was not sent within a day"
    session.ledger.close(submission.id, "abandoned", code="expired", message=message, now=session.now())
    log.info("submission.abandoned", submission_id=submission.id, reason=message)


def _drive(submission: Submission, order: Order, session: Session, hooks: Hooks) -> Submitted:
    """Look, upload and create; what stops this for good voids the submission, an outage leaves it resumable."""
    ledger = session.ledger
    try:
        found = look_up(submission, session)
        reach("lookup.done")
        if claimed := claim(submission, found, session):
            return Submitted(claimed, reused=True)
        _provide_files(submission, order, session, hooks)
    except (RejectedError, DatasetError, UsageError) as error:
        state: State = "rejected" if isinstance(error, RejectedError) else "abandoned"
        ledger.close(submission.id, state, code=error.code, message=error.message, now=session.now())
        raise
    made = create(ledger.get(submission.id), session, on_signal=hooks.on_signal)
    return Submitted(made, reused=made.id != submission.id)


def _provide_files(submission: Submission, order: Order, session: Session, hooks: Hooks) -> None:
    """Upload what is missing and record the ids.

    Without trustworthy metadata the training file identifies the job, so it is never shared.
    """

    def provide(source: Source, known_id: str | None, key: str | None) -> str:
        return provide_file(source, session, known_id=known_id, key=key, on_sent=hooks.on_sent)

    key = None if session.trusts_metadata else submission.key
    training = provide(order.training, submission.training_file_id, key)
    session.ledger.set_files(submission.id, training=training, validation=submission.validation_file_id)
    if order.validation is not None:
        validation = provide(order.validation, submission.validation_file_id, None)
        session.ledger.set_files(submission.id, training=training, validation=validation)
